//! A database of an earlier version keeps everything when a newer program opens it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest, Sha256};

use crate::guards::token;
use crate::import::{confirm, upload};
use crate::schema::{described, difference, shape};
use crate::server::Server;

/// SHA-256 of each step in `src/store/schema`. A step that was released never changes: what is wrong with it is
/// mended by the next one. A new step gets its line here.
const STEPS: [&str; 1] = ["cbf2bdde53e25e63115954d14f79b85ba0ce23d1a73193544166eb5cd07e15f2"];

const APPLICATION_ID: i64 = 0x4c53_5256;

const FIXTURE: &str = "tests/upgrade/001.sql";

/// What only follows from other rows, or is a moment of use: the server writes it by itself.
const MOVING: [&str; 4] = [
    "license_search",
    "sessions",
    "sqlite_sequence",
    "file_marks",
];

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn steps() -> Vec<String> {
    let folder = fs::read_dir(here("src/store/schema")).unwrap();
    let mut steps: Vec<PathBuf> = folder.map(|file| file.unwrap().path()).collect();
    steps.sort();
    steps
        .iter()
        .map(|step| fs::read_to_string(step).unwrap())
        .collect()
}

/// The tables with rows of their own; those of the search are ordinary tables to SQLite.
fn tables(db: &Connection) -> Vec<String> {
    let sql = "select name from sqlite_schema where type = 'table' and sql not like 'create virtual%' order by name";
    let mut names = db.prepare(sql).unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

fn columns(db: &Connection, table: &str) -> Vec<String> {
    let statement = db.prepare(&format!("select * from {table}")).unwrap();
    statement.column_names().map(str::to_owned).collect()
}

/// Rows of these columns, in an order that the values alone decide.
fn rows(db: &Connection, table: &str, columns: &[String]) -> Vec<String> {
    let sql = format!("select {} from {table}", columns.join(", "));
    let mut statement = db.prepare(&sql).unwrap();
    let found = statement.query_map([], |row| {
        let values = (0..columns.len()).map(|at| row.get::<_, Value>(at));
        Ok(format!("{:?}", values.collect::<Result<Vec<_>, _>>()?))
    });
    let mut rows: Vec<String> = found.unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

/// A data folder with the committed database of version 1.
fn version_1(folder: &Path) -> Connection {
    let fixture = fs::read_to_string(here(FIXTURE)).unwrap();
    let db = Connection::open(folder.join("licenses.db")).unwrap();
    db.execute_batch(&format!(
        "pragma foreign_keys = off; begin; {}; {fixture}; commit;
         pragma user_version = 1; pragma application_id = {APPLICATION_ID}",
        steps()[0]
    ))
    .unwrap();
    db
}

#[test]
fn a_released_step_never_changes() {
    let hash = |step: &String| -> String {
        let bytes = Sha256::digest(step.as_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert_eq!(steps().iter().map(hash).collect::<Vec<_>>(), STEPS);
}

#[test]
fn a_filled_database_of_version_1_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let old = version_1(folder.path());
    let before: BTreeMap<String, (Vec<String>, Vec<String>)> = tables(&old)
        .into_iter()
        .map(|table| {
            let columns = columns(&old, &table);
            let rows = rows(&old, &table, &columns);
            assert!(!rows.is_empty(), "{table} is empty in {FIXTURE}");
            (table, (columns, rows))
        })
        .collect();
    assert!(before.len() > 20, "{}", before.len());
    drop(old);

    let server = Server::with(|config| config.data_dir = folder.path().to_owned());
    let new = Connection::open(folder.path().join("licenses.db")).unwrap();
    assert_eq!(
        difference(&shape(&new), &shape(&described())),
        Vec::<String>::new()
    );
    for (table, (columns, expected)) in before {
        if !MOVING.iter().any(|moving| table.starts_with(moving)) {
            assert_eq!(rows(&new, &table, &columns), expected, "{table}");
        }
    }
    assert!(
        server
            .service
            .verify_audit(None)
            .ok()
            .map_or(0, |proof| proof.entries)
            > 5
    );
    assert_eq!(server.check("Tool_A", "0a:1b:2c:3d:4e:5f").0, 200);
    let found = server.admin().get("/api/licenses?q=müller").json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
}

/// Something in every table.
fn fill(server: &Server) {
    let mut admin = server.admin();
    admin.post(
        "/api/licenses",
        r#"{"tool_name":"Tool_A","license_key":"0a:1b:2c:3d:4e:5f","user_id":"Müller & Söhne","order_ref":"R-17",
            "expiration_date":"2099-12-31"}"#,
    );
    let deleted = server.license("Tool_A", "deleted");
    assert_eq!(
        admin.delete(&format!("/api/licenses/{deleted}")).status,
        200
    );
    let preview = upload(
        &mut admin,
        "licenses.csv",
        "tool_name,license_key,status,note\nTool_A,0a:1b:2c:3d:4e:5f,activated,first\nTool_B,b,revoked,second\n",
    );
    confirm(&mut admin, &preview);
    token(&mut admin, "CI", "read=true", "2026-09-01");
    for (key, nonce) in [
        ("0a:1b:2c:3d:4e:5f", "AAAAAAAAAAAAAAAA"),
        ("unknown", "BBBBBBBBBBBBBBBB"),
    ] {
        let question = serde_json::json!({"tool_name": "Tool_A", "license_key": key, "nonce": nonce,
            "client": {"version": "1.2", "hostname": "pc", "user": "eva"}});
        server.stranger().post("/api/check", &question.to_string());
    }
    server.clock.turn(120);
    server.tick().unwrap();
}

/// Writes the rows of a database that the present program has filled. Only while version 1 is not released:
/// afterwards the file is what stays.
#[test]
#[ignore = "writes tests/upgrade/001.sql"]
fn write_version_1() {
    assert_eq!(steps().len(), 1, "version 1 is past");
    let server = Server::start();
    fill(&server);
    let db = Connection::open(server.folder.path().join("data/licenses.db")).unwrap();
    let mut text = "-- A filled database of version 1, as `write_version_1` in tests/it/upgrade.rs wrote it.\n".to_owned();
    for table in tables(&db) {
        let quoted: Vec<String> = columns(&db, &table)
            .iter()
            .map(|c| format!("quote({c})"))
            .collect();
        let sql = format!("select {} from {table}", quoted.join(" || ', ' || "));
        let mut statement = db.prepare(&sql).unwrap();
        let lines = statement
            .query_map([], |row| row.get::<_, String>(0))
            .unwrap();
        let lines: Vec<String> = lines
            .map(|line| format!("insert into {table} values ({});\n", line.unwrap()))
            .collect();
        assert!(!lines.is_empty(), "{table} is empty");
        // SQLite fills these when it creates them.
        if table.starts_with("sqlite_") || table.starts_with("license_search_") {
            text.push_str(&format!("delete from {table};\n"));
        }
        text.push_str(&lines.concat());
    }
    fs::create_dir_all(here("tests/upgrade")).unwrap();
    fs::write(here(FIXTURE), text).unwrap();
}
