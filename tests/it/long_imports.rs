//! Imports that take a while: what goes on beside them, how they end, and how they are taken back.

use std::fmt::Write;
use std::fs::File;

use serde_json::json;

use crate::database::Database;
use crate::engine;
use crate::import::{INVALID_FILE, confirm, import, imported, numbers, table, upload};
use crate::import_command::run;
use crate::page::Page;
use crate::program::{Program, command, log_in};
use crate::server::{PASSWORD, Server};

/// Rows that take a while; on PostgreSQL, each takes longer in a debug build.
fn many() -> usize {
    if engine::is_postgres() { 1_200 } else { 3_000 }
}

fn key(n: usize) -> String {
    format!(
        "00:1b:21:{:02x}:{:02x}:{:02x}",
        n >> 16,
        n >> 8 & 255,
        n & 255
    )
}

/// A table with 50 invalid rows of six kinds, and their lines.
fn planted(rows: usize) -> (String, Vec<i64>) {
    let mut file = "tool_name,license_key,status,user_id,expiration_date\r\n".to_owned();
    let mut lines = vec![];
    for n in 0..rows {
        let key = key(n);
        let good = format!(
            "Tool_{},{key},activated,\"Acme, No. {n}\",2027-12-31\r\n",
            n % 5
        );
        if n % (rows / 50) != rows / 100 {
            file += &good;
            continue;
        }
        lines.push(n as i64 + 2);
        match lines.len() % 6 {
            0 => write!(file, ",{key},activated,x,\r\n").unwrap(),
            1 => write!(file, "T,,activated,x,\r\n").unwrap(),
            2 => write!(file, "T,{key},gone,x,\r\n").unwrap(),
            3 => write!(file, "T,{key},,x,2026-02-30\r\n").unwrap(),
            4 => write!(file, "T,{key},,x,01/02/2026\r\n").unwrap(),
            _ => write!(file, "Tool_0,00:1b:21:00:00:00,,x,\r\n").unwrap(),
        }
    }
    (file, lines)
}

fn spreadsheet(rows: usize) {
    let server = Server::start();
    let mut admin = server.admin();
    let (file, lines) = planted(rows);
    let watch = std::time::Instant::now();
    let print = |what: &str| eprintln!("{what}: {:.1} s", watch.elapsed().as_secs_f64());
    let page = upload(&mut admin, "many.csv", file);
    print("preview");
    assert_eq!(numbers(&page), [rows as i64 - 50, 0, 0, 50]);
    let file = admin.get(&format!("/import/1/{INVALID_FILE}")).body;
    let mut left = csv::Reader::from_reader(file.as_bytes());
    let found = left.records().map(|row| row.unwrap()[5].parse().unwrap());
    assert_eq!(found.collect::<Vec<i64>>(), lines);
    let done = confirm(&mut admin, &page);
    print("imported");
    assert_eq!(imported(&done), [rows as i64 - 50, 0, 0, 50]);
    assert_eq!(server.check("Tool_0", "00-1B-21-00-00-00").0, 200);
    let exported = admin.get("/licenses.csv").body;
    print("exported");
    assert_eq!(exported.lines().count(), rows - 50 + 1);
    let again = upload(&mut admin, "many.csv", exported);
    print("preview of the export");
    assert_eq!(numbers(&again), [0, 0, rows as i64 - 50, 0]);
}

#[test]
fn a_long_spreadsheet_with_invalid_rows() {
    spreadsheet(many() * 10 / 3);
}

/// `cargo test --release --test it -- --ignored --nocapture long_imports::`
#[test]
#[ignore = "needs a release build to be quick"]
fn a_spreadsheet_of_100_000_rows_with_invalid_rows() {
    spreadsheet(100_000);
}

fn licenses_in(database: &Database) -> i64 {
    database.count("licenses")
}

/// Waits until an import has written some of its licenses.
fn wait_for_first_licenses(database: &Database) {
    let began = std::time::Instant::now();
    while licenses_in(database) < 100 {
        assert!(began.elapsed().as_secs() < 60, "no license was imported");
        std::thread::yield_now();
    }
}

#[test]
fn a_server_stopped_during_an_import_has_imported_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = command(folder.path());
        // Nobody would read a pipe meanwhile.
        let log = File::create(folder.path().join("log")).unwrap();
        command
            .env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD)
            .stderr(log);
        let program = Program::run(&mut command);
        let mut admin = program.client();
        assert_eq!(log_in(&mut admin, PASSWORD), 200);
        (program, admin)
    };
    let (mut program, mut admin) = start();
    let body = json!({"tool_name": "Tool_0", "license_key": "00:1b:21:00:00:05"}).to_string();
    assert_eq!(admin.post("/api/licenses", &body).status, 201);
    let before = admin.get("/api/licenses").body;
    let database = Database::of(&folder.path().join("data"));
    database.slow_down();
    let mut page = upload(&mut admin, "many.csv", planted(many()).0);
    for (signal, code) in [("TERM", Some(0)), ("KILL", None)] {
        assert_eq!(numbers(&page), [many() as i64 - 51, 1, 0, 50]);
        let running = page.form("/import/1").submit(&mut admin);
        assert_eq!(running.all("progress").len(), 1);
        wait_for_first_licenses(&database);
        assert_eq!(program.stop(signal).0, code, "{signal}");
        // After a kill they are still there until the next start.
        assert_eq!(licenses_in(&database) > 1, signal == "KILL", "{signal}");
        (program, admin) = start();
        assert_eq!(admin.get("/api/licenses").body, before, "{signal}");
        let verified = run(folder.path(), &["audit", "verify"], "");
        assert_eq!(verified.status.code(), Some(0), "{signal}");
        page = Page::open(&mut admin, "/import/1");
    }
    database.mend();
    assert_eq!(
        imported(&confirm(&mut admin, &page)),
        [many() as i64 - 51, 1, 0, 50]
    );
}

#[test]
fn a_long_import_that_fails_is_taken_back() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("Tool_0", "00:1b:21:00:00:05");
    let before = admin.get("/api/licenses").body;
    // Later than the first chunks, which are in the database by then.
    database.break_down(
        "insert on licenses",
        &format!("new.license_key = '{}'", key(many() * 5 / 6)),
    );
    let page = upload(&mut admin, "many.csv", planted(many()).0);
    let failed = confirm(&mut admin, &page);
    assert!(!failed.alert().is_empty());
    assert_eq!(admin.get("/api/licenses").body, before);
    assert_eq!(server.check("Tool_0", "00:1b:21:00:00:05").0, 200);
    let [added, deleted] = ["license added", "license deleted"].map(|kind| {
        let noted = database.audit();
        noted.iter().filter(|noted| noted.kind == kind).count()
    });
    assert!(deleted > 0 && added == deleted + 1, "{added} {deleted}");
    assert!(server.service.verify_audit(None).is_ok());
    database.mend();
    assert_eq!(
        imported(&confirm(&mut admin, &failed)),
        [many() as i64 - 51, 1, 0, 50]
    );
}

#[test]
fn other_writes_do_not_wait_for_a_running_import() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.slow_down();
    let page = upload(&mut admin, "many.csv", planted(many() / 2).0);
    let running = page.form("/import/1").submit(&mut admin);
    assert_eq!(running.all("progress").len(), 1);
    for n in 0..5 {
        let began = std::time::Instant::now();
        server.license("Mine", &format!("k{n}"));
        assert!(began.elapsed().as_secs() < 2, "{:?}", began.elapsed());
        assert_eq!(server.check("Mine", &format!("k{n}")).0, 200);
    }
    let running = Page::open(&mut admin, "/import/1");
    assert_eq!(running.all("progress").len(), 1, "it was done too early");
    database.mend();
    let done = confirm(&mut admin, &page);
    assert_eq!(imported(&done), [many() as i64 / 2 - 50, 0, 0, 50]);
}

#[test]
fn neither_a_second_import_nor_a_new_name_gets_into_a_running_import() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("Tool_0", "k");
    let rename = Page::open(&mut admin, "/tool?name=Tool_0").follow(&mut admin, "/tool/rename");
    let rename = rename.form("/tool/rename").fill("tool_name", "Tool_9");
    let other = upload(&mut admin, "other.csv", "tool,key\nMine,k\n");
    database.slow_down();
    let page = upload(&mut admin, "many.csv", planted(many() / 2).0);
    let running = page.form(&page.path).submit(&mut admin);
    assert_eq!(running.all("progress").len(), 1);
    wait_for_first_licenses(&database);
    let refused = rename.submit(&mut admin);
    assert_eq!(refused.invalid_fields(), ["tool_name"]);
    assert_eq!(refused.form("/tool/rename").value("tool_name"), "Tool_9");
    let second = other.form(&other.path).submit(&mut admin);
    assert_eq!(second.status, 409);
    assert!(
        second.alert().contains("many.csv is running"),
        "{}",
        second.alert()
    );
    assert_eq!(numbers(&second), [1, 0, 0, 0]);
    database.mend();
    confirm(&mut admin, &page);
    assert_eq!(imported(&confirm(&mut admin, &second)), [1, 0, 0, 0]);
    assert_eq!(rename.submit(&mut admin).status, 200);
}

#[test]
fn a_change_by_another_program_counts_within_a_second_during_an_import() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    server.license("Mine", "k");
    assert_eq!(server.check("Mine", "k").0, 200);
    database.slow_down();
    let page = upload(&mut admin, "many.csv", planted(many() / 2).0);
    let running = page.form("/import/1").submit(&mut admin);
    assert_eq!(running.all("progress").len(), 1);
    for (status, answer) in [("revoked", 403), ("activated", 200), ("suspended", 403)] {
        database.tamper(&format!(
            "update licenses set status = '{status}' where tool_name = 'Mine'"
        ));
        let began = std::time::Instant::now();
        while server.check("Mine", "k").0 != answer {
            assert!(began.elapsed().as_secs() < 1, "{status}");
        }
    }
    let running = Page::open(&mut admin, "/import/1");
    assert_eq!(running.all("progress").len(), 1, "it was done too early");
    database.mend();
    let done = confirm(&mut admin, &page);
    assert_eq!(imported(&done), [many() as i64 / 2 - 50, 0, 0, 50]);
}

#[test]
fn an_import_can_be_undone_except_for_what_was_changed_since() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    let old = server.add(json!({"tool_name": "T", "license_key": "old", "user_id": "Ann"}));
    let before = admin.get("/api/licenses").body;
    for rows in [3, 700] {
        let mut file = "tool,key,user\nT,old,Bob\n".to_owned();
        (0..rows).for_each(|n| writeln!(file, "T,key {n},").unwrap());
        let done = import(&mut admin, &file);
        assert_eq!(imported(&done), [rows, 1, 0, 0]);
        assert_eq!(licenses_in(&database), rows + 1);
        let undone = done.form("/undo").submit(&mut admin);
        assert!(undone.path.starts_with("/bulk/"), "{}", undone.path);
        assert_eq!(admin.get("/api/licenses").body, before, "{rows}");
        assert_eq!(server.check("T", "key 0").0, 404);
    }
    let done = import(&mut admin, "tool,key,user\nT,old,Bob\nT,new,\n");
    admin.patch(&format!("/api/licenses/{old}"), r#"{"note":"mine"}"#);
    let undone = done.form("/undo").submit(&mut admin);
    let result = undone.texts("p.verdict").concat();
    assert!(result.contains("old for T"), "{result}");
    let left = table(&server);
    assert_eq!(
        (left[0]["user_id"].clone(), &left[1]),
        (json!("Bob"), &json!(null))
    );
    assert!(server.service.verify_audit(None).is_ok());
}
