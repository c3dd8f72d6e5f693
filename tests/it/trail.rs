//! The event log as a trail for another system: who was refused, and each entry of the audit log.

use std::fs::{self, File};
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

use crate::database::Database;
use crate::engine;
use crate::guards::token;
use crate::import::{all_numbers, confirm, upload};
use crate::import_command::run;
use crate::page::Page;
use crate::program::{Program, command, log_in, set_password};
use crate::server::{Client, PASSWORD};

/// A program with a JSON log, and its first person, signed in.
fn start(folder: &Path) -> (Program, Client) {
    let mut command = command(folder);
    let settings = [("ADMIN_PASSWORD", PASSWORD), ("LOG_FORMAT", "json")];
    for (name, value) in settings {
        command.env(format!("LICENSE_SERVER_{name}"), value);
    }
    // Nobody would read a pipe meanwhile.
    let log = File::create(folder.join("log")).unwrap();
    let program = Program::run(command.stderr(log));
    let mut admin = program.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    (program, admin)
}

/// What it has logged until its end.
fn stop(program: Program, folder: &Path) -> String {
    program.stop("TERM");
    fs::read_to_string(folder.join("log")).unwrap()
}

/// Those of this kind, with these fields of each.
fn events<const N: usize>(log: &str, event: &str, fields: [&str; N]) -> Vec<[Value; N]> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let all = lines.filter(|line: &Value| line["event"] == event);
    all.map(|line| fields.map(|field| line[field].clone()))
        .collect()
}

#[test]
fn a_request_in_the_log_has_the_number_of_its_person() {
    let folder = tempfile::tempdir().unwrap();
    let (program, mut admin) = start(folder.path());
    let added = run(
        folder.path(),
        &["admin", "add", "anna", "--role", "viewer"],
        "nine quiet herons\n",
    );
    assert!(added.status.success(), "{added:?}");
    let secret = token(&mut admin, "shop", "read=true", "2027-01-31");
    let form = Page::open(&mut admin, "/account").form("/account/password");
    let wrong = form
        .fill("current", "wrong")
        .fill("new", "nine quiet herons")
        .fill("again", "nine quiet herons");
    assert_eq!(wrong.submit(&mut admin).status, 422);
    let mut anna = program.client();
    let body = json!({"username": "anna", "password": "nine quiet herons"});
    anna.post("/api/login", &body.to_string());
    assert_eq!(anna.get("/people").status, 403);
    let mut script = program
        .client()
        .header("Authorization", &format!("Bearer {secret}"));
    assert_eq!(script.post("/api/licenses", "{}").status, 403);
    assert_eq!(program.client().get("/api/licenses").status, 401);
    let log = stop(program, folder.path());
    let requests = events(&log, "request", ["route", "status", "user"]);
    for wanted in [
        [json!("/account/password"), json!(422), json!(1)],
        [json!("/people"), json!(403), json!(2)],
        [json!("/api/licenses"), json!(403), json!(1)],
    ] {
        assert!(requests.contains(&wanted), "{wanted:?} {requests:?}");
    }
    let stranger = events(&log, "request", ["status", "user"]);
    assert!(stranger.contains(&[json!(401), Value::Null]), "{log}");
}

#[test]
fn each_entry_of_the_audit_log_is_an_event_without_names_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let (program, mut admin) = start(folder.path());
    let license = json!({"tool_name": "Tool_A", "license_key": "key-of-anna", "user_id": "Anna"});
    let added = admin.post("/api/licenses", &license.to_string());
    assert_eq!(added.status, 201);
    // Refused, and taken back.
    assert_eq!(
        admin.post("/api/licenses", &license.to_string()).status,
        409
    );
    log_in(&mut program.client(), "wrong");
    // From a shell, while the server runs.
    let changed = set_password(folder.path(), &[], "nine quiet herons");
    assert!(
        changed.status.success() && changed.stderr.is_empty(),
        "{changed:?}"
    );
    let log = stop(program, folder.path());
    let told = events(&log, "audit", ["entry", "kind", "user", "who", "client"]);
    let verified = run(folder.path(), &["audit", "verify"], "");
    let verified = String::from_utf8(verified.stdout).unwrap();
    assert_eq!(all_numbers(&verified)[0], told.len() as i64, "{log}");
    let mut numbers: Vec<i64> = told.iter().filter_map(|line| line[0].as_i64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=told.len() as i64).collect::<Vec<_>>());
    let here = json!("127.0.0.1");
    for [kind, user, who, client] in [
        [
            json!("signing key created"),
            Value::Null,
            json!("first start"),
            Value::Null,
        ],
        [json!("signed in"), json!(1), Value::Null, here.clone()],
        [json!("license added"), json!(1), Value::Null, here.clone()],
        [json!("sign-in failed"), json!(1), Value::Null, here],
        [
            json!("password changed"),
            Value::Null,
            json!("command line"),
            Value::Null,
        ],
    ] {
        let is_it = |line: &&[Value; 5]| {
            line[1..] == [kind.clone(), user.clone(), who.clone(), client.clone()]
        };
        assert_eq!(told.iter().filter(is_it).count(), 1, "{kind} {log}");
    }
    for value in ["Tool_A", "key-of-anna", "Anna", "admin"] {
        assert!(!log.contains(value), "{value} {log}");
    }
}

#[test]
fn an_entry_that_another_program_writes_while_the_server_waits_for_it_has_its_event() {
    if !engine::sqlite_only("there, programs announce what they write, and this one does not") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (program, mut admin) = start(folder.path());
    let writes = Database::of(&folder.path().join("data")).lock();
    let license = json!({"tool_name": "T", "license_key": "k"}).to_string();
    let waiting = thread::spawn(move || admin.post("/api/licenses", &license).status);
    // Longer than the server takes until it waits; otherwise it has nothing to wait for.
    for _ in 0..50 {
        assert_eq!(program.client().get("/login").status, 200);
    }
    let copy = "insert into audit (id, at, kind, who, address, license_id, before, after, hash, content, code_id)
         select id + 1, at, kind, who, address, license_id, before, after, hash, content, code_id
         from audit order by id desc limit 1 returning id";
    let id: i64 = writes.one(copy, &[]);
    writes.commit();
    assert_eq!(waiting.join().unwrap(), 201);
    let log = stop(program, folder.path());
    let told = events(&log, "audit", ["entry", "kind"]);
    let told: Vec<_> = told.iter().filter(|[entry, _]| *entry == id).collect();
    assert_eq!(told, [&[json!(id), json!("signed in")]], "{log}");
}

#[test]
fn a_change_of_many_licenses_has_few_events() {
    let folder = tempfile::tempdir().unwrap();
    let (program, mut admin) = start(folder.path());
    let rows: String = (0..3_000).map(|n| format!("Tool_A,key-{n}\n")).collect();
    let page = upload(&mut admin, "many.csv", format!("tool,key\n{rows}"));
    confirm(&mut admin, &page);
    let log = stop(program, folder.path());
    let told = events(&log, "audit", ["entry", "first", "last", "user"]);
    let count = |line: &[Value; 4]| match line[0].as_i64() {
        Some(_) => 1,
        None => line[2].as_i64().unwrap() - line[1].as_i64().unwrap() + 1,
    };
    let entries: i64 = told.iter().map(count).sum();
    let verified = run(folder.path(), &["audit", "verify"], "");
    let verified = String::from_utf8(verified.stdout).unwrap();
    assert!(entries > 3_000, "{log}");
    assert_eq!(all_numbers(&verified)[0], entries, "{verified}");
    // An import writes what it can within a tenth of a second; a debug build on PostgreSQL cannot do much.
    if engine::is_postgres() {
        return;
    }
    assert!(told.len() < 100, "{log}");
    assert!(
        told.iter().any(|line| line[1].is_i64() && line[3] == 1),
        "{log}"
    );
}
