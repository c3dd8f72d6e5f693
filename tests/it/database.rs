//! The database of a running server, read directly.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::server::Server;

const LEFT_BY_CHECKS: [&str; 4] = ["check_days", "key_days", "seen_counts", "unknown_keys"];
const NOTED_BY_USE: [&str; 4] = ["last_used_at", "last_seen_on", "refused_on", "shared_on"];

pub struct Database(PathBuf);

/// An entry of the audit log, its JSON as text.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    pub kind: String,
    pub who: String,
    pub address: String,
    pub license_key: Option<String>,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Database {
    /// A server and its database.
    pub fn start() -> (Server, Database) {
        let server = Server::start();
        let database = Database::of(&server.folder.path().join("data"));
        (server, database)
    }

    /// The database in a data folder.
    pub fn of(folder: &Path) -> Database {
        Database(folder.join("licenses.db"))
    }

    pub fn open(&self) -> Connection {
        Connection::open(&self.0).unwrap()
    }

    /// Every row of every table, without what checks record and without the last use of sessions and
    /// tokens.
    pub fn rows(&self) -> Vec<String> {
        let db = self.open();
        let names = "select name from sqlite_master where type = 'table' order by name";
        let mut names = db.prepare(names).unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut rows = vec![];
        let is_left_by_checks = |table: &String| {
            table.starts_with("sighting") || LEFT_BY_CHECKS.contains(&table.as_str())
        };
        for table in names
            .map(Result::unwrap)
            .filter(|table| !is_left_by_checks(table))
        {
            let mut statement = db.prepare(&format!("select * from {table}")).unwrap();
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut found = statement.query([]).unwrap();
            while let Some(row) = found.next().unwrap() {
                let is_kept = |column: &&String| !NOTED_BY_USE.contains(&column.as_str());
                let values = columns.iter().filter(is_kept);
                let value = |column: &String| row.get::<_, Value>(column.as_str()).unwrap();
                let values: Vec<Value> = values.map(value).collect();
                rows.push(format!("{table} {values:?}"));
            }
        }
        rows
    }

    /// The audit log, oldest first.
    pub fn audit(&self) -> Vec<Noted> {
        let db = self.open();
        let sql = "select kind, who, address, license_key, before, after from audit order by id";
        let mut statement = db.prepare(sql).unwrap();
        let noted = statement.query_map([], |row| {
            Ok(Noted {
                kind: row.get(0)?,
                who: row.get(1)?,
                address: row.get(2)?,
                license_key: row.get(3)?,
                before: row.get(4)?,
                after: row.get(5)?,
            })
        });
        noted.unwrap().map(Result::unwrap).collect()
    }

    /// Runs statements that the server would never run.
    pub fn tamper(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }
}
