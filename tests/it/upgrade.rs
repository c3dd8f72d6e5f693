//! A database of an earlier version keeps everything when a newer program opens it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest, Sha256};

use crate::engine::sqlite_only;
use crate::schema::{described, difference, shape};
use crate::server::Server;

/// SHA-256 of each step in `src/store/schema`. A step that was released never changes: what is wrong with it is
/// fixed by the next one. A new step gets its line here.
const STEPS: [&str; 18] = [
    "931f0741d8953ba58789e511e8324c3c31eec6f2752aa86baadc2ea10063f333",
    "de2e7dd71be91dd1c78faa07f2e53fad962f29a558cf9506660b4b4d6f891a51",
    "8e36765f21dbddb53f3828a2ceb7717b8ed2ef2c51e6dd23b3ec242b7fe253c7",
    "ddb09494cd411de345d1de3ee4efb77a8fec60701d2041d20e14358171f4db43",
    "67d71920cfd5c5eda299700e29b62a432cdd9ecde4a1f6752be91de440cadd0e",
    "29ad528df31f0567519a211cdb2342b94ba416827c00c7b3f3ce90ee394854c8",
    "24d80bb1b55825bb66f8f5224fde8d00be06991579cabbd8c7a1e4990d898f7c",
    "0d72267f630e13abfc7ca13e376f5e87f7e69760d32a62f80d4e79d12c3564b2",
    "be75ac1e311c7bf1b539f3fb6c6c040277f5ca69404df25ecdde7913893e9116",
    "7e6f6d3089603115f788da4b7eb4b0f1f63fa708509e677456835768b007e86d",
    "b62b36272da1df122bbf67b5293bc5ce8538e8dd1339410641a928c11d682af3",
    "e67232dc1015effbe22acb666d00555edc8cd1479d7283d25b1781d565067704",
    "b38c4b4e8c5347d601be371e4493391fb0bf859e6c6f3298bf7dd78f6ce74251",
    "e673134773b96de94e6796839b9957f027c932c7beb7e3301522bdbad1aa0f12",
    "3e152633c0a3be2ee244e9727bfb8e75a428deae9803a4fe7ebbb9d0abc6e58e",
    "e801ac697f2ff5f353bf81e0d16235042ba8891ca03d45daec18bf008c273eed",
    "e91269e8d5fada4ac204fc2bd41e9e6ba77e53ecfb4020d23b7026125bc1b0dc",
    "22477290a4d3d8eb66437ef912870a07de3ebf1a32e4a6c9129cb5cd86391b90",
];

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
    if !sqlite_only("no version before the current one was ever there") {
        return;
    }
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
    let customers = rows(&new, "customers", &["name".to_owned()]);
    assert_eq!(customers, [r#"[Text("Müller & Söhne")]"#]);
    let found = server.admin().get("/api/licenses?q=müller").json();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
}
