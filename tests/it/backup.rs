//! Backups: they are proven before they count, and a restore loses nothing but what came after them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::service::{Service, restore};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::database::Database;
use crate::page::Page;
use crate::program::{Program, assert_names, command, refusal};
use crate::server::{PASSWORD, START, Server};

const DAY: i64 = 86_400;
const NONCE: &str = "0123456789abcdef";

fn data(server: &Server) -> PathBuf {
    server.folder.path().join("data")
}

/// `license-server` with these arguments in the folder.
fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder).args(arguments).output().unwrap()
}

/// What it prints if it succeeds.
fn succeed(folder: &Path, arguments: &[&str]) -> String {
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

/// A server on the restored backup, in another folder.
pub fn restored(backup: &Path, clock: &Clock) -> Server {
    let clock = clock.clone();
    let server = Server::at_clock(clock.clone(), |config| {
        let backup = fs::File::open(backup).unwrap();
        restore(&config.data_dir, &clock, backup, "the backup", false).unwrap();
    });
    assert!(server.service.restored().unwrap().is_some());
    server
}

fn names(folder: &Path) -> Vec<String> {
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
    assert_eq!(names(&data), ["licenses.db", "server.lock"]);
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
        let db = rusqlite::Connection::open(folder.join("other.db")).unwrap();
        db.execute_batch(sql).unwrap();
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
    let before = "pragma foreign_keys = off; delete from signing_keys";
    Database::of(&data(&server)).tamper(before);
    let refused = refusal(&run(folder, &["backup", "backup.db"]));
    assert_names(&refused, &["missing", &kid]);
    assert_eq!(names(folder), ["data", "good.db", "other.db"]);
    let state = server.service.backup_state().unwrap();
    assert!(state.last_failure.unwrap().reason.contains(&kid));
}

#[test]
fn a_restore_waits_for_the_server_to_stop_and_keeps_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    succeed(folder.path(), &["backup", "empty.db"]);
    succeed(folder.path(), &["seed-demo", "10"]);
    let to_restore = ["restore", "--replace", "empty.db"];
    assert_names(&refusal(&run(folder.path(), &to_restore)), &["stop"]);
    // A kill leaves the log and the files beside the database.
    assert_eq!(server.stop("KILL").0, None);
    assert!(fs::metadata(data.join("licenses.db-wal")).unwrap().len() > 0);
    assert_names(
        &refusal(&run(folder.path(), &["restore", "empty.db"])),
        &["--replace"],
    );
    succeed(folder.path(), &to_restore);
    let before = names(&data);
    let before = before
        .iter()
        .find(|name| name.contains(".before-") && !name.contains("-wal"));
    assert_eq!(Database::of(&data).count("licenses"), 0);
    let kept = rusqlite::Connection::open(data.join(before.unwrap())).unwrap();
    let count = "select count(*) from licenses";
    let licenses = kept.query_row(count, [], |row| row.get::<_, i64>(0));
    assert_eq!(licenses.unwrap(), 10);
    let server = Program::start(folder.path());
    assert_eq!(server.client().get("/health").status, 200);
    assert_eq!(server.stop("TERM").0, Some(0));
}

#[test]
fn a_database_that_left_its_log_behind_is_no_backup() {
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

#[test]
fn after_a_disaster_another_folder_has_the_same_keys_and_answers() {
    let server = Server::start();
    server.license("T", "known");
    let suspended = json!({"tool_name": "T", "license_key": "suspended", "status": "suspended"});
    server.add(suspended);
    let backup = backed_up(&server, "backup.db");
    server.clock.turn(60);
    server.license("T", "added later");
    let keys = server.stranger().get("/api/keys").body;
    let ask = |server: &Server, key: &str| {
        let question = json!({"tool_name": "T", "license_key": key, "nonce": NONCE});
        server.stranger().post("/api/check", &question.to_string())
    };
    let before = ["known", "suspended"].map(|key| ask(&server, key).json()["code"].clone());
    let after = restored(&backup, &server.clock);
    drop(server);
    assert_eq!(after.stranger().get("/api/keys").body, keys);
    let answers = ["known", "suspended"].map(|key| ask(&after, key).json()["code"].clone());
    assert_eq!(answers, before);
    // Its lease would end with "not found".
    let answer = ask(&after, "added later");
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (503, &json!("error"))
    );
    assert!(answer.json().get("token").is_none() && !answer.header("retry-after").is_empty());
}

#[test]
fn until_the_owner_ends_it_a_restored_server_refuses_no_machine_that_it_does_not_know() {
    let server = Server::start();
    server.license("T", "known");
    let backup = backed_up(&server, "backup.db");
    server.clock.turn(60);
    let server = restored(&backup, &server.clock);
    assert_eq!(server.check("T", "known").0, 200);
    assert_eq!(server.check("T", "unknown").0, 503);
    server.tick().unwrap();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/");
    assert!(page.text().contains("unknown"));
    let page = page.form("/restored/end").submit(&mut admin);
    assert!(!page.has_form("/restored/end"));
    assert_eq!(server.check("T", "unknown").0, 404);
    let noted = Database::of(&data(&server)).audit();
    let kinds: Vec<&str> = noted.iter().map(|noted| &*noted.kind).collect();
    let about = |kind: &&&str| kind.starts_with("restored");
    let about: Vec<_> = kinds.iter().filter(about).collect();
    assert_eq!(about, [&"restored from backup", &"restored state ended"]);
}

#[test]
fn the_state_after_a_restore_ends_after_a_week_and_on_the_command_line() {
    let server = Server::start();
    let backup = backed_up(&server, "backup.db");
    let one = restored(&backup, &server.clock);
    one.clock.turn(7 * DAY - 1);
    assert_eq!(one.check("T", "unknown").0, 503);
    one.clock.turn(1);
    assert_eq!(one.check("T", "unknown").0, 404);
    assert!(one.service.restored().unwrap().is_none());

    let folder = tempfile::tempdir().unwrap();
    succeed(folder.path(), &["restore", backup.to_str().unwrap()]);
    let server = Server::at_clock(Clock::fixed(OffsetDateTime::now_utc()), |config| {
        config.data_dir = folder.path().join("data");
    });
    assert_eq!(server.check("T", "unknown").0, 503);
    succeed(folder.path(), &["restore", "--end"]);
    server.tick().unwrap();
    assert_eq!(server.check("T", "unknown").0, 404);
}

fn scheduled(hours: u16) -> Server {
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
    license_server::service::verify_backup(&newest).unwrap();
    let state = server.service.backup_state().unwrap();
    assert_eq!(state.last_good.unwrap().path, newest.display().to_string());
}

#[test]
fn a_server_that_starts_again_continues_its_backups() {
    let server = scheduled(24);
    server.service.back_up_if_due().unwrap();
    server.clock.turn(DAY - 60);
    let config = Config {
        data_dir: data(&server),
        backup_dir: Some(server.folder.path().join("backups")),
        ..Config::default()
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

#[test]
fn a_restored_database_does_not_believe_in_its_backups() {
    let server = scheduled(24);
    backed_up(&server, "first.db");
    let second = backed_up(&server, "second.db");
    server.clock.turn(30 * DAY);
    let server = restored(&second, &server.clock);
    let state = server.service.backup_state().unwrap();
    assert_eq!(state.last_good, None);
    assert_eq!(state.since, START + Duration::days(30));
    assert_eq!(state.warning(server.service.now()), None);
}
