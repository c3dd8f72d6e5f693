//! A restore loses nothing but what came after the backup, and refuses no machine that it cannot know.

use std::fs;
use std::path::Path;

use license_server::clock::Clock;
use license_server::service::{RestoreOptions, restore};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::backup::{DAY, NONCE, backed_up, data, names, run, scheduled, succeed};
use crate::database::Database;
use crate::engine::{self, sqlite_only};
use crate::guards::token;
use crate::page::Page;
use crate::program::{Program, assert_names, command, refusal};
use crate::server::{PASSWORD, START, Server};

/// A server on the restored backup, in another folder.
pub fn restored(backup: &Path, clock: &Clock) -> Server {
    let clock = clock.clone();
    let server = Server::at_clock(clock.clone(), |config| {
        config.database = engine::empty_database_of(&config.data_dir);
        let backup = fs::File::open(backup).unwrap();
        let options = RestoreOptions::default();
        restore(config, &clock, backup, "the backup", options).unwrap();
    });
    assert!(server.service.restored().unwrap().is_some());
    server
}

#[test]
fn a_restore_waits_for_the_server_to_stop_and_keeps_what_was_there() {
    if !sqlite_only("PostgreSQL is restored into an empty database only") {
        return;
    }
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

#[test]
fn a_restore_ends_sessions_and_names_the_tokens_that_are_valid_again() {
    let server = Server::start();
    let mut admin = server.admin();
    let reading = token(&mut admin, "nightly export", "read=true", "2026-12-31");
    token(&mut admin, "until today", "read=true", "2026-06-15");
    let backup = backed_up(&server, "backup.db");
    Page::open(&mut admin, "/account/tokens/1/revoke")
        .form("/account/tokens/1/revoke")
        .submit(&mut admin);
    server.clock.turn(DAY);
    let after = restored(&backup, &server.clock);
    let sessions = Database::of(&data(&after)).count("sessions");
    assert_eq!(sessions, 0);
    let bearer = format!("Bearer {reading}");
    let mut script = after.stranger().header("Authorization", &bearer);
    assert_eq!(script.get("/api/licenses").status, 200);
    let mut admin = after.admin();
    let warning = Page::open(&mut admin, "/").texts("#restored").concat();
    assert_names(&warning, &["nightly export", "licenses:read"]);
    assert!(!warning.contains("until today"));

    let folder = tempfile::tempdir().unwrap();
    let backup = backup.to_str().unwrap();
    let printed = succeed(folder.path(), &["restore", backup]);
    assert_names(&printed, &["nightly export", "--revoke-tokens"]);
    let again = ["restore", "--replace", "--revoke-tokens", backup];
    // PostgreSQL is restored into an empty database only.
    engine::empty_database_of(&folder.path().join("data"));
    let printed = succeed(folder.path(), &again);
    assert!(!printed.contains("nightly export"), "{printed}");
    let database = Database::of(&folder.path().join("data"));
    assert_eq!(database.count("api_tokens"), 0);
    let kinds = database.audit().into_iter().map(|noted| noted.kind);
    assert_eq!(kinds.filter(|kind| kind == "token revoked").count(), 2);
}
