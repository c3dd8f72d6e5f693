//! What only PostgreSQL has. Any other test runs there, too, if `TEST_POSTGRES` is set.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use license_server::config::Config;
use license_server::error::Refusal;
use license_server::service::{Target, move_database};
use tempfile::TempDir;

use crate::deploy;
use crate::engine::{Database, new_database};
use crate::mail_tls;
use crate::program;
use crate::server::{PASSWORD, Server};
use crate::tools;

/// One for all tests that run at the same time.
pub struct Cluster {
    pub folder: TempDir,
    server: Child,
}

impl Cluster {
    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(".s.PGSQL.5432")
    }
}

static RUNNING: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

/// A database in a cluster that is there anyway, or in one of its own; none if PostgreSQL is not installed.
fn database() -> Option<Database> {
    new_database().or_else(own_database)
}

/// A database in a cluster of these tests; none if PostgreSQL is not installed.
pub fn own_database() -> Option<Database> {
    let mut running = RUNNING.lock().unwrap();
    let cluster = match running.upgrade() {
        Some(cluster) => cluster,
        None => Arc::new(Cluster::start(&tools::postgres()?)),
    };
    *running = Arc::downgrade(&cluster);
    let socket = cluster
        .folder
        .path()
        .display()
        .to_string()
        .replace('/', "%2F");
    let url = format!("postgres://postgres@{socket}");
    Some(Database::new(&url, Some(cluster)))
}

impl Cluster {
    fn start(programs: &Path) -> Cluster {
        Cluster::with(programs, 5432, |_| vec![])
    }

    /// With more arguments, for which files may be put into the folder.
    fn with(programs: &Path, port: u16, arguments: impl FnOnce(&Path) -> Vec<String>) -> Cluster {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = as_nobody(&programs.join("initdb"))
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
                "-D",
            ])
            .arg(&data)
            .output();
        let made = made.unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let server = as_nobody(&programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=200",
            ])
            .args(["-p", &port.to_string()])
            .args(arguments(folder.path()))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let cluster = Cluster { folder, server };
        let ready = |_: &u32| {
            let asked = Command::new(programs.join("pg_isready"))
                .arg("-q")
                .arg("-t")
                .arg("1")
                .args(["-p", &port.to_string(), "-h"])
                .arg(cluster.folder.path())
                .status();
            std::thread::sleep(std::time::Duration::from_millis(50));
            asked.unwrap().success()
        };
        assert!(
            (0..600).any(|attempt| ready(&attempt)),
            "PostgreSQL does not start"
        );
        cluster
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // At once, without waiting for connections: nothing of it is needed.
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

pub const NOBODY: u32 = 65_534;

/// PostgreSQL refuses to be run by root.
pub fn as_nobody(program: &Path) -> Command {
    if !rustix::process::getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(program)
        .current_dir("/");
    command
}

fn settings(folder: &Path, database: Option<&Database>) -> Config {
    Config {
        data_dir: folder.to_owned(),
        database: database.map(|database| database.url.clone()),
        ..Config::default()
    }
}

fn on(database: &Database) -> Server {
    Server::with(|config| config.database = Some(database.url.clone()))
}

/// A command of its own on that database.
pub fn run(database: &Database, args: &[&str]) -> std::process::Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program::command(folder.path());
    command.env("LICENSE_SERVER_DATABASE", database.address());
    command.args(args).output().unwrap()
}

pub fn words(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_license_is_added_checked_found_and_revoked() {
    let Some(database) = database() else { return };
    let server = on(&database);
    let id = server.license("Tool_A", "0a:1b:2c:3d:4e:5f");
    server.license("Tool_A", "another");
    assert_eq!(server.check("Tool_A", "0a:1b:2c:3d:4e:5f").0, 200);
    assert_eq!(server.check("Tool_A", "unknown").0, 404);
    let mut admin = server.admin();
    for (words, found) in [("2C:3d", 1), ("Tool_A", 2), ("%25", 0), ("_", 2), ("an", 1)] {
        let export = admin.get(&format!("/licenses.csv?q={words}"));
        assert_eq!(
            export.body.lines().count(),
            found + 1,
            "{words}: {}",
            export.body
        );
    }
    let patched = admin.patch(&format!("/api/licenses/{id}"), r#"{"status":"revoked"}"#);
    assert_eq!(patched.status, 200, "{}", patched.body);
    assert_eq!(server.check("Tool_A", "0a:1b:2c:3d:4e:5f").0, 403);
    server.tick().unwrap();
    assert_eq!(database.sql("select count(*) from licenses"), "2");
    assert_eq!(
        database.sql("select sum(check_count) from last_checks"),
        "2"
    );
}

#[test]
fn what_a_command_changes_counts_as_soon_as_it_is_heard() {
    let Some(database) = database() else { return };
    let server = on(&database);
    server.license("Tool_A", "key");
    assert_eq!(server.check("Tool_A", "key").0, 200);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("licenses.csv");
    fs::write(&file, "tool_name,license_key,status\nTool_A,key,revoked\n").unwrap();
    let done = run(&database, &["import", file.to_str().unwrap()]);
    assert!(done.status.success(), "{}", words(&done));
    let is_refused = |_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        server.check("Tool_A", "key").0 == 403
    };
    assert!((0..2_000).any(is_refused));
}

#[test]
fn the_audit_log_is_append_only_and_verified() {
    let Some(database) = database() else { return };
    let server = on(&database);
    server.license("Tool_A", "key");
    let verified = run(&database, &["audit", "verify"]);
    assert!(verified.status.success(), "{}", words(&verified));
    for statement in [
        "update audit set before = '{}' where id = 1",
        "delete from audit",
    ] {
        let attempt = format!(
            "do $$ begin {statement}; raise 'done'; exception when others then
             if sqlerrm not like '%append-only%' then raise; end if; end $$"
        );
        database.sql(&attempt);
    }
    database
        .sql("alter table audit disable trigger user; update audit set after = '{}' where id = 1");
    let broken = run(&database, &["audit", "verify"]);
    assert!(!broken.status.success());
    assert!(words(&broken).contains("row 1"), "{}", words(&broken));
}

#[test]
fn what_cannot_be_used_is_named_without_the_password() {
    let Some(database) = database() else { return };
    let refused = |address: &str, args: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let mut command = program::command(folder.path());
        let done = command
            .env("LICENSE_SERVER_DATABASE", address)
            .args(args)
            .output()
            .unwrap();
        assert!(!done.status.success());
        assert!(!words(&done).contains("geheim"), "{}", words(&done));
        words(&done)
    };
    let with_password = database.address().replace("postgres@", "postgres:geheim@");
    assert!(refused(&with_password, &["export"]).contains("empty"));
    let missing = with_password.replace(&database.name, "nowhere");
    assert!(refused(&missing, &["serve"]).contains("nowhere"));
    assert!(refused("postgres://a:geheim@127.0.0.1:1/b", &["serve"]).contains("127.0.0.1"));
    let two = "postgres://a:geheim@127.0.0.1:1,127.0.0.2:1/b?target_session_attrs=read-write";
    assert!(refused(two, &["serve"]).contains("127.0.0.1,127.0.0.2"));
    assert!(refused("mysql://a:geheim@127.0.0.1/b", &["serve"]).contains("postgres://"));
    drop(on(&database));
    database.sql("update schema_version set number = 999");
    assert!(refused(&with_password, &["export"]).contains("999"));
}

#[test]
fn over_tls_only_a_certificate_that_is_verified_is_trusted() {
    let Some((programs, certificates)) = tools::postgres().zip(mail_tls::certificate()) else {
        return;
    };
    let port = deploy::free_port();
    let _cluster = Cluster::with(&programs, port, |folder| {
        for file in ["cert.pem", "key.pem"] {
            let there = folder.join(file);
            fs::copy(certificates.path().join(file), &there).unwrap();
            fs::set_permissions(&there, Permissions::from_mode(0o600)).unwrap();
            if rustix::process::getuid().is_root() {
                std::os::unix::fs::chown(&there, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let path = |file| folder.join(file).display().to_string();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", path("cert.pem")),
            format!("ssl_key_file={}", path("key.pem")),
        ];
        settings
            .into_iter()
            .flat_map(|setting| ["-c".to_owned(), setting])
            .collect()
    });
    let asked = |options: &str, root: &str| {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("postgres://postgres@localhost:{port}/postgres{options}");
        let mut command = program::command(folder.path());
        command
            .env("LICENSE_SERVER_DATABASE", address)
            .env("SSL_CERT_FILE", certificates.path().join(root));
        words(&command.arg("export").output().unwrap())
    };
    // It has no tables, which a command finds once it is connected.
    for options in ["?sslmode=require", ""] {
        let said = asked(options, "ca.pem");
        assert!(said.contains("it is empty"), "{said}");
        let said = asked(options, "key.pem");
        assert!(said.contains("certificate"), "{said}");
    }
    assert!(asked("?sslmode=disable", "key.pem").contains("it is empty"));
}

#[test]
fn everything_moves_there_and_back_and_is_the_same() {
    let Some(database) = database() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    let server = Server::with(|config| {
        (config.data_dir, config.database) = (here.clone(), None);
    });
    for key in ["one", "two", "0a:1b:2c:3d:4e:5f"] {
        server.license("Tool_A", key);
    }
    let deleted = server.license("Tool_A", "deleted");
    assert_eq!(
        server
            .admin()
            .delete(&format!("/api/licenses/{deleted}"))
            .status,
        200
    );
    server.check("Tool_A", "one");
    server.tick().unwrap();
    let clock = server.clock.clone();
    let (from, there) = (settings(&here, None), settings(&here, Some(&database)));
    let target = Target::Postgres(database.url.clone());
    let Err(Refusal(words)) = move_database(&from, clock.clone(), &target) else {
        panic!("it was moved from under a server");
    };
    assert!(words.contains("stop the server"), "{words}");
    drop(server);
    let first = move_database(&from, clock.clone(), &target).unwrap();
    let Err(Refusal(words)) = move_database(&from, clock.clone(), &target) else {
        panic!("it was moved twice");
    };
    assert!(words.contains("not empty"), "{words}");
    let again = move_database(&there, clock.clone(), &Target::Folder(back.clone())).unwrap();
    assert_eq!((first.licenses, &first.audit.head), (3, &again.audit.head));
    assert_eq!(rows(&here), rows(&back));
    // No ID is used again.
    let server = Server::at_clock(clock, |config| {
        (config.data_dir, config.database) = (back.clone(), Some(database.url.clone()));
    });
    assert!(server.license("Tool_A", "new") > deleted);
    assert_eq!(server.check("Tool_A", "two").0, 200);
}

/// Of every table, in the order of all columns.
fn rows(folder: &Path) -> Vec<(String, Vec<String>)> {
    let db = rusqlite::Connection::open(folder.join("licenses.db")).unwrap();
    let names = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'
         and name not like 'license_%' and name <> 'file_marks' order by name";
    let mut names = db.prepare(names).unwrap();
    let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let names: Vec<String> = names.map(Result::unwrap).collect();
    let of_table = |name: String| {
        let mut all = db.prepare(&format!("select * from {name}")).unwrap();
        let width = all.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let cells = (0..width).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
            Ok(cells.collect::<Vec<_>>().join(" "))
        };
        let mut found: Vec<String> = all
            .query_map([], row)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        found.sort();
        (name, found)
    };
    names.into_iter().map(of_table).collect()
}

#[test]
fn a_backup_is_a_file_that_either_database_can_be_restored_from() {
    let Some(database) = database() else { return };
    let Some(empty) = crate::postgres::database() else {
        return;
    };
    let server = on(&database);
    server.license("Tool_A", "key");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.db");
    server.service.back_up(&file, false).unwrap();
    let path = file.to_str().unwrap();
    let full = run(&database, &["restore", path]);
    assert!(words(&full).contains("not empty"), "{}", words(&full));
    let restored = run(&empty, &["restore", path]);
    assert!(restored.status.success(), "{}", words(&restored));
    let again = on(&empty);
    assert_eq!(again.check("Tool_A", "key").0, 200);
    assert_eq!(again.check("Tool_A", "made after the backup").0, 503);
    let mut admin = again.stranger();
    let body = format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#);
    assert_eq!(admin.post("/api/login", &body).status, 200);
    let in_file = tempfile::tempdir().unwrap();
    let mut command = program::command(in_file.path());
    assert!(command.args(["restore", path]).status().unwrap().success());
}

#[test]
fn when_the_database_comes_back_so_do_the_answers() {
    let Some(database) = database() else { return };
    let server = on(&database);
    server.license("Tool_A", "key");
    assert_eq!(server.check("Tool_A", "key").0, 200);
    let cut = format!(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity
         where datname = '{}' and pid <> pg_backend_pid()",
        database.name
    );
    database.sql(&cut);
    assert_eq!(server.check("Tool_A", "key").0, 200);
    // Those that find a lost connection may fail.
    let is_back = |_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        server.check("Tool_A", "unknown").0 == 404
    };
    assert!((0..500).any(is_back));
    let mut admin = server.stranger();
    let body = format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#);
    let is_back = |_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        admin.post("/api/login", &body).status == 200
    };
    assert!({ 0..500 }.any(is_back));
    server.license("Tool_A", "later");
}
