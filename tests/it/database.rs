//! The database of a running server, read directly.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::Value as Json;

use crate::server::Server;

const LEFT_BY_CHECKS: [&str; 6] = [
    "check_days",
    "check_history",
    "check_places",
    "key_days",
    "last_checks",
    "unlicensed_machines",
];
const NOTED_BY_USE: [&str; 7] = [
    "last_used_at",
    "last_seen_on",
    "refused_on",
    "shared_on",
    "seen_version",
    "address_count",
    "host_count",
];

pub struct Database(PathBuf);

/// An entry of the audit log, with the personal values that it refers to; null for no details.
#[derive(Debug, Clone, PartialEq)]
pub struct Noted {
    pub kind: String,
    pub who: String,
    pub address: String,
    pub license_id: Option<i64>,
    pub before: Json,
    pub after: Json,
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
        let is_left_by_checks = |table: &String| LEFT_BY_CHECKS.contains(&table.as_str());
        // Its own tables have what it has; by itself it has no rows to read.
        let is_virtual = |table: &String| table == "license_search";
        for table in names
            .map(Result::unwrap)
            .filter(|table| !is_left_by_checks(table) && !is_virtual(table))
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
        let personal = |id: i64| -> String {
            let sql = "select value from personal_values where id = ?1";
            db.query_row(sql, [id], |row| row.get(0)).unwrap()
        };
        let details = |stored: String| match &*stored {
            "" => Json::Null,
            stored => {
                let mut details: Json = serde_json::from_str(stored).unwrap();
                // How the person had signed in, which is no detail of what was done.
                details.as_object_mut().unwrap().remove("factor");
                details.as_object_mut().unwrap().remove("person_id");
                for value in details.as_object_mut().unwrap().values_mut() {
                    if let Json::Array(ids) = value {
                        *value = personal(ids[0].as_i64().unwrap()).into();
                    }
                }
                match details.as_object().unwrap().is_empty() {
                    true => Json::Null,
                    false => details,
                }
            }
        };
        let sql = "select kind, who, address, license_id, before, after from audit order by id";
        let mut statement = db.prepare(sql).unwrap();
        let noted = statement.query_map([], |row| {
            Ok(Noted {
                kind: row.get(0)?,
                who: personal(row.get(1)?),
                address: personal(row.get(2)?),
                license_id: row.get(3)?,
                before: details(row.get(4)?),
                after: details(row.get(5)?),
            })
        });
        noted.unwrap().map(Result::unwrap).collect()
    }

    pub fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        self.open().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    /// Runs statements that the server would never run.
    pub fn tamper(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }
}
