//! Backups: they are proven before they count, and a restore loses nothing but what came after them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use license_server::config::Config;
use license_server::service::Service;
use serde_json::json;

use crate::database::{Connection, Database};
use crate::engine::{self, sqlite_only};
use crate::page::Page;
use crate::program::{assert_names, command, refusal};
use crate::server::Server;
use crate::tools;

pub const DAY: i64 = 86_400;
pub const NONCE: &str = "0123456789abcdef";

pub fn data(server: &Server) -> PathBuf {
    server.folder.path().join("data")
}

/// `license-server` with these arguments in the folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder).args(arguments).output().unwrap()
}

/// What it prints if it succeeds.
pub fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{printed}");
    printed
}

/// A good backup of the server with this name in its folder.
pub fn backed_up(server: &Server, name: &str) -> PathBuf {
    let file = server.folder.path().join(name);
    server.service.back_up(&file, false).unwrap();
    file
}

pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_backup_beside_writes_is_good_private_and_replaces_nothing_unasked() {
    let server = Arc::new(Server::start());
    server.license("T", "first");
    let is_done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (server, is_done) = (Arc::clone(&server), Arc::clone(&is_done));
        move || {
            let mut admin = server.admin();
            let mut number = 0;
            while !is_done.load(Ordering::Relaxed) {
                let body = json!({"tool_name": "T", "license_key": format!("key {number}")});
                assert_eq!(admin.post("/api/licenses", &body.to_string()).status, 201);
                number += 1;
            }
            number
        }
    });
    let folder = server.folder.path();
    for number in 0..5 {
        let printed = succeed(folder, &["backup", &format!("backup {number}.db")]);
        assert_names(&printed, &["Signing keys: 1", "last hash"]);
    }
    is_done.store(true, Ordering::Relaxed);
    assert!(writer.join().unwrap() > 0);
    let file = folder.join("backup 0.db");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = fs::read(&file).unwrap();
    assert_names(
        &refusal(&run(folder, &["backup", "backup 0.db"])),
        &["--replace"],
    );
    assert!(fs::read(&file).unwrap() == before);
    succeed(folder, &["backup", "--replace", "backup 0.db"]);
    assert!(fs::read(&file).unwrap() != before);
    for own in ["data/licenses.db", "data/licenses.db-wal"] {
        if engine::is_postgres() {
            break;
        }
        assert_names(
            &refusal(&run(folder, &["backup", "--replace", own])),
            &[own],
        );
    }
    succeed(folder, &["backup", "--verify", "backup 0.db"]);
    assert!(!names(folder).iter().any(|name| name.contains(".part")));
}

#[test]
fn a_backup_goes_through_a_pipe() {
    let server = Server::start();
    server.license("T", "machine");
    let output = run(server.folder.path(), &["backup", "-"]);
    assert!(output.status.success());
    assert!(!output.stderr.is_empty() && !names(&data(&server)).contains(&"backup.part".into()));
    let other = tempfile::tempdir().unwrap();
    let restored = |bytes: &[u8]| {
        let mut child = command(other.path())
            .args(["restore", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // It stops reading what cannot be a backup.
        drop(child.stdin.take().unwrap().write_all(bytes));
        child.wait_with_output().unwrap()
    };
    let half = &output.stdout[..output.stdout.len() / 2];
    for broken in [&b""[..], half, b"age-encryption.org/v1\n"] {
        assert_names(&refusal(&restored(broken)), &["standard input"]);
        assert!(!other.path().join("data/licenses.db").exists());
    }
    let done = restored(&output.stdout);
    assert!(done.status.success(), "{done:?}");
    let data = other.path().join("data");
    assert_eq!(Database::of(&data).count("licenses"), 1);
    let files = ["licenses.db", "server.lock"];
    assert_eq!(names(&data), files[usize::from(engine::is_postgres())..]);
}

#[test]
fn damage_and_a_missing_key_are_named_and_no_file_is_left() {
    let server = Server::start();
    for number in 0..50 {
        server.license("T", &format!("machine {number}"));
    }
    let folder = server.folder.path();
    let good = fs::read(backed_up(&server, "good.db")).unwrap();
    let verify = |bytes: &[u8]| {
        fs::write(folder.join("other.db"), bytes).unwrap();
        refusal(&run(folder, &["backup", "--verify", "other.db"]))
    };
    assert_names(&verify(b""), &["other.db", "empty"]);
    assert_names(&verify(&good[..good.len() - 4096]), &["damaged"]);
    // The head of a page with rows.
    let page = (1..good.len() / 4096)
        .map(|page| page * 4096)
        .find(|at| good[*at] == 13)
        .unwrap();
    let mut flipped = good.clone();
    flipped[page + 4] ^= 0x10;
    assert_names(&verify(&flipped), &["damaged"]);
    let tampered = |sql: &str| {
        fs::write(folder.join("other.db"), &good).unwrap();
        let db = Connection::to_file(&folder.join("other.db")).unwrap();
        db.batch(sql).unwrap();
        drop(db);
        refusal(&run(folder, &["backup", "--verify", "other.db"]))
    };
    assert_names(
        &tampered("drop trigger audit_is_append_only; update audit set at = at + 1 where id = 3"),
        &["row 3"],
    );
    assert_names(&tampered("pragma user_version = 99"), &["99"]);
    assert_names(&tampered("pragma application_id = 1"), &["other.db"]);
    let kid = server.service.signing_keys().unwrap()[0].kid.clone();
    let broken = "update signing_keys set private_key = 'AAAA'";
    assert_names(&tampered(broken), &[&kid]);
    Database::of_server(&server).tamper("delete from signing_keys");
    let refused = refusal(&run(folder, &["backup", "backup.db"]));
    assert_names(&refused, &["missing", &kid]);
    assert_eq!(names(folder), ["data", "good.db", "other.db"]);
    let state = server.service.backup_state().unwrap();
    assert!(state.last_failure.unwrap().reason.contains(&kid));
}

#[test]
fn a_database_that_left_its_log_behind_is_no_backup() {
    if !sqlite_only("it is about the file of the database") {
        return;
    }
    let server = Server::start();
    server.license("T", "machine");
    let folder = server.folder.path();
    for name in ["licenses.db", "licenses.db-wal"] {
        fs::copy(data(&server).join(name), folder.join(name)).unwrap();
    }
    for arguments in [
        ["backup", "--verify", "licenses.db"],
        ["restore", "licenses.db", "--replace"],
    ] {
        assert_names(&refusal(&run(folder, &arguments)), &["licenses.db-wal"]);
    }
}

pub fn scheduled(hours: u16) -> Server {
    let server = Server::with(|config| {
        config.backup_dir = Some(config.data_dir.with_file_name("backups"));
        config.backup_every = hours;
    });
    server.license("T", "machine");
    server
}

fn backups(server: &Server) -> Vec<String> {
    names(&server.folder.path().join("backups"))
}

#[test]
fn the_server_makes_backups_in_time_and_removes_old_ones() {
    let server = scheduled(6);
    let folder = server.folder.path().join("backups");
    assert!(server.service.back_up_if_due().unwrap());
    assert!(!server.service.back_up_if_due().unwrap());
    assert_eq!(backups(&server), ["license-server-2026-06-15T1200.db"]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(&backups(&server)[0])), 0o600);
    fs::write(folder.join("license-server-2026-01-01T1200.db.mine"), b"").unwrap();
    server.clock.turn(6 * 3_600 - 1);
    assert!(!server.service.back_up_if_due().unwrap());
    server.clock.turn(1);
    for _ in 0..12 {
        assert!(server.service.back_up_if_due().unwrap());
        server.clock.turn(6 * 3_600);
    }
    // All of the last 24 hours, the last one before that of each day, and the file of somebody else.
    assert_eq!(
        backups(&server),
        [
            "license-server-2026-01-01T1200.db.mine",
            "license-server-2026-06-15T1800.db",
            "license-server-2026-06-16T1800.db",
            "license-server-2026-06-17T1200.db",
            "license-server-2026-06-17T1800.db",
            "license-server-2026-06-18T0000.db",
            "license-server-2026-06-18T0600.db",
            "license-server-2026-06-18T1200.db",
        ]
    );
    let newest = folder.join("license-server-2026-06-18T1200.db");
    license_server::service::verify_backup(&Config::default(), &newest).unwrap();
    let state = server.service.backup_state().unwrap();
    assert_eq!(state.last_good.unwrap().path, newest.display().to_string());
}

#[test]
fn a_server_that_starts_again_continues_its_backups() {
    let server = scheduled(24);
    server.service.back_up_if_due().unwrap();
    server.clock.turn(DAY - 60);
    let config = Config {
        backup_dir: Some(server.folder.path().join("backups")),
        ..engine::settings(&data(&server))
    };
    let (again, _) = Service::open(&config, server.clock.clone()).unwrap();
    assert!(!again.back_up_if_due().unwrap());
    server.clock.turn(60);
    assert!(again.back_up_if_due().unwrap());
    // A clock that was ahead.
    server.clock.turn(-300 * DAY);
    assert!(again.back_up_if_due().unwrap());
}

#[test]
fn the_overview_says_how_old_the_last_backup_is_and_warns() {
    let server = scheduled(24);
    let folder = server.folder.path().join("backups");
    let seen = || {
        let page = Page::open(&mut server.admin(), "/");
        let warned = page.texts("#backup.warning").concat();
        (warned, page.texts("#backup.hint").concat())
    };
    assert_eq!(seen(), (String::new(), String::new()));
    server.clock.turn(DAY);
    assert_names(&seen().0, &["Never", "backup_dir"]);
    server.service.back_up_if_due().unwrap();
    let (warned, told) = seen();
    assert_eq!(warned, "");
    assert_names(
        &told,
        &["2026-06-16 12:00", "license-server-2026-06-16T1200.db"],
    );
    server.clock.turn(2 * DAY + 1);
    assert_names(&seen().0, &["2026-06-16 12:00"]);
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, b"in the way").unwrap();
    server.service.back_up_if_due().unwrap_err();
    assert_names(
        &seen().0,
        &["2026-06-18 12:00", folder.to_str().unwrap(), "2026-06-16"],
    );
    // It is tried again within the hour.
    fs::remove_file(&folder).unwrap();
    server.clock.turn(3_600);
    assert!(server.service.back_up_if_due().unwrap());
    assert_eq!(seen().0, "");
}

/// A shell in the folder, whose `$0` is the program.
pub fn shell(folder: &Path, words: &[&str], script: &str) -> Command {
    let program = command(folder);
    let mut shell = Command::new(words[0]);
    shell
        .args(&words[1..])
        .args(["-c", script])
        .arg(program.get_program())
        .current_dir(folder);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[test]
fn without_room_on_the_disk_nothing_is_written_and_both_sizes_are_named() {
    let own = ["unshare", "--user", "--map-root-user", "--mount", "sh"];
    let server = Server::start();
    let folder = server.folder.path();
    if !shell(folder, &own, "true")
        .status()
        .is_ok_and(|status| status.success())
    {
        return tools::leave_out("namespaces are not allowed here");
    }
    fs::create_dir(folder.join("small")).unwrap();
    let script = "mount -t tmpfs -o size=256k tmpfs small && echo old > small/backup.db || exit 9
        \"$0\" backup --replace small/backup.db; cat small/backup.db; ls -A small";
    let output = shell(folder, &own, script).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.stdout, b"old\nbackup.db\n", "{said}");
    // How large a copy of PostgreSQL becomes is not known before.
    let words = match engine::is_postgres() {
        true => &["full"][..],
        false => &["0 MiB free", "needs 1 MiB"],
    };
    assert_names(&said, words);
    assert_names(&said, &["small/backup.db"]);
    let failure = server.service.backup_state().unwrap().last_failure;
    assert_names(&failure.unwrap().reason, &words[..1]);
}

#[test]
fn a_backup_that_fails_half_way_leaves_nothing_and_the_old_one() {
    let server = Server::start();
    server.license("T", "machine");
    let folder = server.folder.path();
    let good = fs::read(backed_up(&server, "good.db")).unwrap();
    // No file may have more than 64 KiB, as if the disk had become full.
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" backup --replace good.db";
    let output = shell(folder, &["sh"], script).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(names(folder), ["data", "good.db"]);
    assert!(fs::read(folder.join("good.db")).unwrap() == good);
}

#[test]
fn an_interrupted_backup_leaves_no_copy_of_the_customers() {
    let server = Server::start();
    let folder = server.folder.path();
    for number in 0..300 {
        server.license("T", &format!("machine {number}"));
    }
    for signal in ["INT", "TERM", "HUP"] {
        let mut backup = command(folder).args(["backup", "big.db"]).spawn().unwrap();
        let kill = |signal: &str| {
            let kill = format!("kill -{signal} {}", backup.id());
            let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
            assert!(sent.success());
        };
        while !folder.join("big.db.part").exists() {
            std::thread::yield_now();
        }
        // It waits with the copy half made.
        kill("STOP");
        kill(signal);
        kill("CONT");
        assert_eq!(backup.wait().unwrap().code(), Some(1), "{signal}");
        assert_eq!(names(folder), ["data"], "{signal}");
    }
    assert_eq!(server.service.backup_state().unwrap().last_failure, None);
}
