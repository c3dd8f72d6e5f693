//! Several servers on one database, and what they do while it is away.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use license_server::config::PostgresUrl;
use serde_json::json;

use crate::engine::Database;
use crate::page::Page;
use crate::postgres::{own_database, run, words};
use crate::program::{self, Program};
use crate::server::{Client, Server};
use crate::signed::verified;
use crate::watch::scrape;

/// A way to the database that can be cut.
struct Link {
    url: PostgresUrl,
    port: u16,
    is_cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    fn to(database: &Database) -> Link {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let name = &database.name;
        let url = format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable");
        let link = Link {
            url: PostgresUrl::parse(&url).unwrap(),
            port,
            is_cut: Arc::default(),
            open: Arc::default(),
        };
        let (socket, is_cut, open) = (
            database.socket(),
            Arc::clone(&link.is_cut),
            Arc::clone(&link.open),
        );
        thread::spawn(move || accept(&listener, &socket, &is_cut, &open));
        link
    }

    /// Nothing is answered any longer, and nothing says so.
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    /// The connections that were cut end.
    fn mend(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.mend();
        // Wakes the thread, which has nobody left to serve.
        self.is_cut.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn accept(
    listener: &TcpListener,
    socket: &PathBuf,
    is_cut: &Arc<AtomicBool>,
    open: &Arc<Mutex<Vec<TcpStream>>>,
) {
    // The test has one of them.
    while Arc::strong_count(is_cut) > 1 {
        let Ok((near, _)) = listener.accept() else {
            return;
        };
        open.lock().unwrap().push(near.try_clone().unwrap());
        let Ok(far) = UnixStream::connect(socket) else {
            drop(near.shutdown(Shutdown::Both));
            continue;
        };
        let (mut near_read, mut far_read) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        let (mut near, mut far) = (near, far);
        let (there, back) = (Arc::clone(is_cut), Arc::clone(is_cut));
        thread::spawn(move || {
            forward(&mut near_read, &mut far, &there);
            drop(far.shutdown(Shutdown::Both));
        });
        thread::spawn(move || {
            forward(&mut far_read, &mut near, &back);
            drop(near.shutdown(Shutdown::Both));
        });
    }
}

fn forward(from: &mut impl Read, to: &mut impl Write, is_cut: &AtomicBool) {
    let mut bytes = [0; 8192];
    while let Ok(number @ 1..) = from.read(&mut bytes) {
        let is_lost = is_cut.load(Ordering::SeqCst);
        if !is_lost && to.write_all(&bytes[..number]).is_err() {
            return;
        }
    }
}

fn on(database: &Database) -> Server {
    Server::with(|config| config.database = Some(database.url.clone()))
}

fn over(link: &Link) -> Server {
    Server::with(|config| config.database = Some(link.url.clone()))
}

/// Within 30 seconds.
fn comes_true(mut is_true: impl FnMut() -> bool) -> bool {
    (0..1_500).any(|_| {
        thread::sleep(Duration::from_millis(20));
        is_true()
    })
}

/// The claims of a signed answer; none unless there is one.
fn claims(server: &Server, license_key: &str) -> Option<serde_json::Value> {
    let question = json!({
        "tool_name": "Tool_A", "license_key": license_key, "nonce": "0123456789abcdef", "kids": [],
    });
    let answer = server.stranger().post("/api/check", &question.to_string());
    let token = answer.json()["token"].as_str()?.to_owned();
    Some(verified(server, &token))
}

#[test]
fn what_one_server_changes_counts_at_the_other() {
    let Some(database) = own_database() else {
        return;
    };
    let (one, other) = (on(&database), on(&database));
    let id = one.license("Tool_A", "key");
    assert_eq!(other.check("Tool_A", "key").0, 200);
    one.admin()
        .patch(&format!("/api/licenses/{id}"), r#"{"status":"revoked"}"#);
    assert_eq!(one.check("Tool_A", "key").0, 403);
    assert!(comes_true(|| other.check("Tool_A", "key").0 == 403));
    // Both count.
    one.tick().unwrap();
    other.tick().unwrap();
    let sum = "select sum(check_count) from last_checks";
    assert!(database.sql(sum).parse::<i64>().unwrap() >= 3);
}

#[test]
fn who_is_signed_in_at_one_server_is_signed_in_at_the_other() {
    let Some(database) = own_database() else {
        return;
    };
    let (one, other) = (on(&database), on(&database));
    one.license("Tool_A", "key");
    let mut here = one.admin();
    let form = Page::open(&mut here, "/licenses/1/edit").form("/licenses/1/edit");
    let form = form.fill("note", "written here");
    // What the one would show, the other shows.
    let mut there = Client::new(&other.url);
    there.cookies.clone_from(&here.cookies);
    let shown = form.submit(&mut there);
    assert!(shown.flash().is_some(), "{}", shown.text());
    here.cookies.clone_from(&there.cookies);
    assert!(
        Page::open(&mut here, "/licenses")
            .text()
            .contains("written here")
    );
}

#[test]
fn wrong_passwords_count_at_both_servers() {
    let Some(database) = own_database() else {
        return;
    };
    let (one, other) = (on(&database), on(&database));
    let wrong = r#"{"username":"admin","password":"wrong"}"#;
    for attempt in 0..10 {
        let server = if attempt % 2 == 0 { &one } else { &other };
        assert_eq!(server.stranger().post("/api/login", wrong).status, 401);
    }
    for server in [&one, &other] {
        assert_eq!(server.stranger().post("/api/login", wrong).status, 429);
    }
    let keys = database.sql("select key from attempts");
    assert!(!keys.is_empty() && !keys.contains("admin"), "{keys}");
}

#[test]
fn one_server_is_on_duty_and_another_one_takes_over() {
    let Some(database) = own_database() else {
        return;
    };
    let one = on(&database);
    assert!(comes_true(|| one.service.is_on_duty()));
    let other = on(&database);
    let held = "select count(*) from pg_locks where locktype = 'advisory' and objid = 5 and granted
         and database = (select oid from pg_database where datname = current_database())";
    assert_eq!(
        (database.sql(held), other.service.is_on_duty()),
        ("1".into(), false)
    );
    drop(one);
    assert!(comes_true(|| other.service.is_on_duty()));
}

#[test]
fn cut_off_from_the_database_memory_may_only_say_yes() {
    let Some(database) = own_database() else {
        return;
    };
    let link = Link::to(&database);
    let server = over(&link);
    for key in ["key", "revoked", "never asked for"] {
        server.license("Tool_A", key);
    }
    let mut admin = server.admin();
    let revoke = r#"{"status":"revoked"}"#;
    assert_eq!(admin.patch("/api/licenses/2", revoke).status, 200);
    let before = claims(&server, "key").unwrap();
    assert_eq!(server.check("Tool_A", "revoked").0, 403);
    link.cut();
    assert_eq!(server.check("Tool_A", "unknown").0, 503);
    assert!(comes_true(|| !server.service.is_on_duty()));
    server.clock.turn(3_600);
    for (key, status) in [("key", 200), ("revoked", 503), ("never asked for", 503)] {
        assert_eq!(server.check("Tool_A", key).0, status, "{key}");
    }
    // The lease is no longer than if it had begun at the last contact.
    let meanwhile = claims(&server, "key").unwrap();
    assert_eq!(meanwhile["exp"], before["exp"]);
    assert_ne!(meanwhile["iat"], before["iat"]);
    assert_eq!(admin.get("/licenses").status, 503);
    server.clock.turn(24 * 3_600);
    assert_eq!(server.check("Tool_A", "key").0, 503);
    // What was checked meanwhile is written later.
    drop(server.tick());
    link.mend();
    assert!(comes_true(|| server.check("Tool_A", "key").0 == 200));
    assert_eq!(server.check("Tool_A", "never asked for").0, 200);
    assert!(comes_true(|| server.tick().is_ok()));
    let count = "select sum(check_count) from last_checks where license_id = 1";
    assert_eq!(database.sql(count), "4");
}

#[test]
fn what_was_revoked_while_a_server_was_cut_off_is_revoked_for_it_as_well() {
    let Some(database) = own_database() else {
        return;
    };
    let link = Link::to(&database);
    let (near, far) = (on(&database), over(&link));
    for key in ["key", "revoked", "deleted"] {
        near.license("Tool_A", key);
        assert_eq!(far.check("Tool_A", key).0, 200);
    }
    link.cut();
    assert_eq!(far.check("Tool_A", "unknown").0, 503);
    let mut admin = near.admin();
    let revoke = r#"{"status":"revoked"}"#;
    assert_eq!(admin.patch("/api/licenses/2", revoke).status, 200);
    assert_eq!(admin.delete("/api/licenses/3").status, 200);
    assert_eq!(far.check("Tool_A", "revoked").0, 200);
    link.mend();
    assert!(comes_true(|| far.check("Tool_A", "revoked").0 == 403));
    assert_eq!(far.check("Tool_A", "deleted").0, 404);
    // What it has not read again is not forgotten when the contact is lost once more.
    link.cut();
    assert_eq!(far.check("Tool_A", "unknown").0, 503);
    for (key, status) in [("key", 200), ("revoked", 503), ("deleted", 503)] {
        assert_eq!(far.check("Tool_A", key).0, status, "{key}");
    }
}

#[test]
fn monitoring_and_the_doctor_know_the_database() {
    let Some(database) = own_database() else {
        return;
    };
    let (one, other) = (on(&database), on(&database));
    assert!(comes_true(|| one.service.is_on_duty()));
    let samples = scrape(&one);
    let silence = samples.value("database_silence_seconds");
    assert!((0.0..30.0).contains(&silence), "{silence}");
    assert_eq!(
        (samples.value("servers"), samples.value("on_duty")),
        (2.0, 1.0)
    );
    // It counts again after a failure, even if it has nothing to write.
    database.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()",
    );
    assert!(comes_true(|| {
        drop((
            one.service.reload_if_others_wrote(),
            other.service.reload_if_others_wrote(),
        ));
        scrape(&one).values.get("servers") == Some(&2.0)
    }));
    let name = &database.name;
    database.sql(&format!(
        "alter database {name} set synchronous_commit = off"
    ));
    let told = run(&database, &["doctor"]);
    let told = String::from_utf8(told.stdout).unwrap();
    let line = told
        .lines()
        .find(|line| line.contains("PostgreSQL 1"))
        .unwrap();
    assert!(line.contains("license servers: 2"), "{line}");
    assert!(told.contains("`synchronous_commit`"), "{told}");
}

#[test]
fn what_a_command_did_is_in_the_log_of_the_server_on_duty() {
    let Some(database) = own_database() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let start = |name: &str| {
        let log = File::create(folder.path().join(format!("{name}.log"))).unwrap();
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut command = program::command(&folder);
        command.env("LICENSE_SERVER_DATABASE", database.address());
        Program::run(command.arg("serve").stderr(log))
    };
    let _servers = ["first", "second"].map(start);
    let logged = |words: &str| {
        let logs = ["first.log", "second.log"].map(|log| folder.path().join(log));
        let logs = logs.map(|log| fs::read_to_string(log).unwrap());
        let of = |log: &String| log.lines().filter(|line| line.contains(words)).count();
        logs.iter().map(of).sum::<usize>()
    };
    assert!(comes_true(|| logged("duty_taken") == 1));
    let file = folder.path().join("licenses.csv");
    fs::write(&file, "tool_name,license_key\nTool_A,0a:1b:2c:3d:4e:5f\n").unwrap();
    let done = run(&database, &["import", "--yes", file.to_str().unwrap()]);
    assert!(done.status.success(), "{}", words(&done));
    assert!(comes_true(|| logged("license added") == 1));
    drop(run(&database, &["import", "--yes", file.to_str().unwrap()]));
    assert_eq!(logged("license added"), 1);
}

#[test]
fn a_host_that_accepts_connections_and_says_nothing_does_not_keep_another_from_being_used() {
    let Some(database) = own_database() else {
        return;
    };
    let link = Link::to(&database);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hosts = format!(
        "127.0.0.1:{},127.0.0.1:{}",
        silent.local_addr().unwrap().port(),
        link.port
    );
    let url = format!(
        "postgres://postgres@{hosts}/{}?sslmode=disable&target_session_attrs=read-write",
        database.name
    );
    let server = Server::with(|config| config.database = PostgresUrl::parse(&url));
    server.license("Tool_A", "key");
    assert_eq!(server.check("Tool_A", "key").0, 200);
}
