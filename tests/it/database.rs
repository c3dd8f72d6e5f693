//! The database of a running server, read directly.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use license_server::service::{Others, Service};
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde_json::Value as Json;
use tokio_postgres::Statement;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::engine;
use crate::server::{Server, soon};

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

pub struct Database {
    data: PathBuf,
    /// The server that must hear of what is changed.
    service: Option<Arc<Service>>,
    /// What reads all rows, which some tests do hundreds of times.
    reader: OnceLock<Arc<tokio_postgres::Client>>,
}

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
        let database = Database::of_server(&server);
        (server, database)
    }

    pub fn of_server(server: &Server) -> Database {
        Database {
            data: server.folder.path().join("data"),
            service: Some(Arc::clone(&server.service)),
            reader: OnceLock::new(),
        }
    }

    /// The database of a data folder.
    pub fn of(data: &Path) -> Database {
        Database {
            data: data.to_owned(),
            service: None,
            reader: OnceLock::new(),
        }
    }

    pub fn open(&self) -> Connection {
        self.attempt_to_open().unwrap()
    }

    pub fn attempt_to_open(&self) -> Result<Connection, String> {
        match engine::address_of(&self.data) {
            Some(address) => engine::try_to_connect(&address)
                .map(|client| Connection::Postgres(Arc::new(client))),
            None => Connection::to_file(&self.file()),
        }
    }

    /// The only value or row, or the first one.
    pub fn one<T: Read>(&self, sql: &str, values: &[Cell]) -> T {
        self.open().one(sql, values)
    }

    pub fn all<T: Read>(&self, sql: &str, values: &[Cell]) -> Vec<T> {
        self.open().all(sql, values).unwrap()
    }

    pub fn count(&self, table: &str) -> i64 {
        self.one(&format!("select count(*) from {table}"), &[])
    }

    /// Runs statements that the server would never run.
    pub fn tamper(&self, sql: &str) {
        let db = self.open();
        db.batch(sql).unwrap();
        self.tell(&db);
    }

    /// [`Database::tamper`] without the conditions on the values of a license.
    pub fn tamper_unchecked(&self, sql: &str) -> Result<(), String> {
        let db = self.open();
        let unlock = match &db {
            Connection::Sqlite(_) => "pragma ignore_check_constraints = on",
            Connection::Postgres(_) => {
                "alter table licenses drop constraint if exists licenses_status_check,
                     drop constraint if exists licenses_expiration_date_check"
            }
        };
        db.batch(unlock).unwrap();
        db.batch(sql)?;
        self.tell(&db);
        Ok(())
    }

    /// As our programs do when they have written.
    fn tell(&self, db: &Connection) {
        if let Connection::Postgres(_) = db {
            db.batch("notify licenses").unwrap();
            if let Some(service) = &self.service {
                assert!(soon(
                    || service.reload_if_others_wrote().unwrap() != Others::Nothing
                ));
            }
        }
    }

    /// What a writer has.
    pub fn lock(&self) -> Lock {
        let db = self.open();
        let lock = match &db {
            Connection::Sqlite(_) => "begin immediate",
            Connection::Postgres(_) => "begin; select pg_advisory_xact_lock(1)",
        };
        db.batch(lock).unwrap();
        Lock(db)
    }

    /// From now on the server does not find it.
    pub fn take_away(&self) {
        match engine::is_postgres() {
            true => engine::refuse_connections(&self.data),
            false => std::fs::rename(self.file(), self.data.join("aside")).unwrap(),
        }
    }

    pub fn bring_back(&self) {
        match engine::is_postgres() {
            true => engine::accept_connections(&self.data),
            false => std::fs::rename(self.data.join("aside"), self.file()).unwrap(),
        }
    }

    fn file(&self) -> PathBuf {
        self.data.join("licenses.db")
    }

    /// Anybody can change the audit log from now on.
    pub fn unlock_audit(&self) {
        let db = self.open();
        let of_table = match &db {
            Connection::Sqlite(_) => "",
            Connection::Postgres(_) => " on audit",
        };
        for trigger in ["audit_is_append_only", "audit_keeps_rows"] {
            let drop = format!("drop trigger if exists {trigger}{of_table}");
            db.batch(&drop).unwrap();
        }
    }

    /// Makes a change fail, such as `insert on licenses`, where the condition holds.
    pub fn break_down(&self, change: &str, condition: &str) {
        self.trigger(
            &format!("before {change}"),
            condition,
            "select raise(abort, 'fault')",
            "raise exception 'fault'",
        );
    }

    /// Makes each new license take a millisecond or some.
    pub fn slow_down(&self) {
        self.trigger(
            "after insert on licenses",
            "0 = 0",
            "select count(*) from (
                 with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
                 select i from n)",
            "perform pg_sleep(0.004); return new",
        );
    }

    fn trigger(&self, event: &str, condition: &str, sqlite: &str, postgres: &str) {
        let db = self.open();
        let sql = match &db {
            Connection::Sqlite(_) => {
                format!("create trigger planted {event} when {condition} begin {sqlite}; end")
            }
            Connection::Postgres(_) => format!(
                "create function planted() returns trigger language plpgsql as $$ begin {postgres}; end $$;
                 create trigger planted {event} for each row when ({condition}) execute function planted()"
            ),
        };
        db.batch(&sql).unwrap();
    }

    /// Removes what [`Database::break_down`] or [`Database::slow_down`] has left.
    pub fn mend(&self) {
        let db = self.open();
        let sql = match &db {
            Connection::Sqlite(_) => "drop trigger planted",
            Connection::Postgres(_) => "drop function planted cascade",
        };
        db.batch(sql).unwrap();
    }

    /// Every row of every table, without what checks record and without the last use of sessions and
    /// tokens; in the order of its values.
    pub fn rows(&self) -> Vec<String> {
        self.rows_of(|table| !LEFT_BY_CHECKS.contains(&table), &NOTED_BY_USE)
    }

    fn reader(&self) -> Connection {
        let Some(address) = engine::address_of(&self.data) else {
            return self.open();
        };
        let client = || Arc::new(engine::connect(&address));
        Connection::Postgres(Arc::clone(self.reader.get_or_init(client)))
    }

    /// The rows of these tables without these columns.
    pub fn rows_of(&self, is_asked: impl Fn(&str) -> bool, without: &[&str]) -> Vec<String> {
        let db = self.reader();
        let tables = db.tables().into_iter().filter(|table| is_asked(table));
        let mut rows: Vec<String> = match &db {
            Connection::Sqlite(_) => tables
                .flat_map(|table| {
                    let (columns, rows) = db.cells(&format!("select * from {table}"), &[]).unwrap();
                    let is_kept = columns.iter().map(|name| !without.contains(&&**name));
                    let is_kept: Vec<bool> = is_kept.collect();
                    let text = move |row: Vec<Cell>| {
                        let cells = row.into_iter().zip(&is_kept).filter(|(_, kept)| **kept);
                        let cells: Vec<Cell> = cells.map(|(cell, _)| cell).collect();
                        format!("{table} {cells:?}")
                    };
                    rows.into_iter().map(text).collect::<Vec<_>>()
                })
                .collect(),
            // In one question, because there are many.
            Connection::Postgres(_) => {
                let without = without.join(",");
                let of_table = |table| {
                    format!(
                        "select '{table} ' || cast(to_jsonb(t) - '{{{without}}}'::text[] as text) from {table} t"
                    )
                };
                let all: Vec<String> = tables.map(of_table).collect();
                db.all(&all.join(" union all "), &[]).unwrap()
            }
        };
        rows.sort();
        rows
    }

    /// What a thief of the database has: the bytes of its files, or all rows.
    pub fn bytes(&self) -> Vec<u8> {
        if engine::is_postgres() {
            let db = self.open();
            let rows = |table: String| db.cells(&format!("select * from {table}"), &[]).unwrap().1;
            let cells = db.tables().into_iter().flat_map(rows).flatten();
            let text = |cell| match cell {
                Cell::Text(text) => Some(text.into_bytes()),
                Cell::Null | Cell::Number(_) | Cell::Odd(_) => None,
            };
            return cells.filter_map(text).collect::<Vec<_>>().join(&b'\n');
        }
        let files = std::fs::read_dir(&self.data).unwrap();
        let files = files.map(|file| file.unwrap().path());
        // SQLite removes some of them at any time.
        let read = |file| std::fs::read(file).unwrap_or_default();
        let files: Vec<_> = files.filter(|file| file.is_file()).map(read).collect();
        files.concat()
    }

    /// The audit log, oldest first.
    pub fn audit(&self) -> Vec<Noted> {
        let db = self.open();
        let personal = |id: i64| -> String {
            db.one(
                "select value from personal_values where id = ?1",
                &[id.into()],
            )
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
        let (_, entries) = db.cells(sql, &[]).unwrap();
        let noted = |entry: Vec<Cell>| {
            let mut cells = entry.into_iter();
            Noted {
                kind: Read::read(&mut cells),
                who: personal(Read::read(&mut cells)),
                address: personal(Read::read(&mut cells)),
                license_id: Read::read(&mut cells),
                before: details(Read::read(&mut cells)),
                after: details(Read::read(&mut cells)),
            }
        };
        entries.into_iter().map(noted).collect()
    }
}

/// Nobody else can write until this is dropped.
pub struct Lock(Connection);

impl Lock {
    /// Keeps what was written.
    pub fn commit(self) {
        self.0.batch("commit").unwrap();
    }
}

impl Deref for Lock {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // After a commit there is nothing to roll back.
        drop(self.0.batch("rollback"));
    }
}

/// Parameters are `?1`, `?2` and so on.
pub enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Arc<tokio_postgres::Client>),
}

impl Connection {
    pub fn to_file(file: &Path) -> Result<Connection, String> {
        let opened = rusqlite::Connection::open(file);
        opened.map(Connection::Sqlite).map_err(|e| e.to_string())
    }

    /// Several statements without parameters.
    pub fn batch(&self, sql: &str) -> Result<(), String> {
        match self {
            Connection::Sqlite(db) => db.execute_batch(sql).map_err(|e| e.to_string()),
            Connection::Postgres(client) => engine::batch(client, sql),
        }
    }

    /// The number of changed rows.
    pub fn run(&self, sql: &str, values: &[Cell]) -> Result<usize, String> {
        match self {
            Connection::Sqlite(db) => {
                let values = rusqlite::params_from_iter(values);
                db.execute(sql, values).map_err(|e| e.to_string())
            }
            Connection::Postgres(client) => {
                let ran = async {
                    let statement = prepared(client, sql, values).await?;
                    client.execute_raw(&statement, values).await
                };
                let changed = pollster::block_on(ran).map_err(|e| engine::words(&e))?;
                Ok(usize::try_from(changed).unwrap())
            }
        }
    }

    pub fn one<T: Read>(&self, sql: &str, values: &[Cell]) -> T {
        let mut all: Vec<T> = self.all(sql, values).unwrap();
        assert!(!all.is_empty(), "{sql}: no row");
        all.swap_remove(0)
    }

    pub fn all<T: Read>(&self, sql: &str, values: &[Cell]) -> Result<Vec<T>, String> {
        let (_, rows) = self.cells(sql, values)?;
        let read = |row: Vec<Cell>| T::read(&mut row.into_iter());
        Ok(rows.into_iter().map(read).collect())
    }

    /// The names of the columns, and the rows.
    fn cells(&self, sql: &str, values: &[Cell]) -> Result<(Vec<String>, Vec<Vec<Cell>>), String> {
        match self {
            Connection::Sqlite(db) => {
                let found = || -> rusqlite::Result<_> {
                    let mut statement = db.prepare(sql)?;
                    let columns: Vec<_> = statement.column_names().map(str::to_owned).collect();
                    let width = columns.len();
                    let row = |row: &rusqlite::Row<'_>| {
                        (0..width)
                            .map(|at| Ok(Cell::of_sqlite(row.get_ref(at)?)))
                            .collect()
                    };
                    let rows = statement.query_map(rusqlite::params_from_iter(values), row)?;
                    Ok((columns, rows.collect::<Result<_, _>>()?))
                };
                found().map_err(|e| e.to_string())
            }
            Connection::Postgres(client) => {
                let found = async {
                    let statement = prepared(client, sql, values).await?;
                    let values: Vec<&(dyn ToSql + Sync)> =
                        values.iter().map(|value| value as _).collect();
                    Ok((statement.clone(), client.query(&statement, &values).await?))
                };
                let (statement, rows) = pollster::block_on(found)
                    .map_err(|e: tokio_postgres::Error| engine::words(&e))?;
                let columns = statement.columns();
                let row = |row: &tokio_postgres::Row| {
                    (0..columns.len())
                        .map(|at| Cell::of_postgres(row, at))
                        .collect()
                };
                let names = columns.iter().map(|column| column.name().to_owned());
                Ok((names.collect(), rows.iter().map(row).collect()))
            }
        }
    }

    /// Those with rows of their own, by name.
    fn tables(&self) -> Vec<String> {
        let names = match self {
            // What is found by a text is in tables of its own.
            Connection::Sqlite(_) => {
                "select name from sqlite_schema where type = 'table' and name <> 'license_search' order by name"
            }
            Connection::Postgres(_) => {
                "select cast(relname as text) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
            }
        };
        self.all(names, &[]).unwrap()
    }
}

async fn prepared(
    client: &tokio_postgres::Client,
    sql: &str,
    values: &[Cell],
) -> Result<Statement, tokio_postgres::Error> {
    let types: Vec<Type> = values.iter().map(Cell::kind).collect();
    client.prepare_typed(&sql.replace('?', "$"), &types).await
}

/// A stored value, or that of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Number(i64),
    Text(String),
    /// What only SQLite keeps, and only where a test has put it.
    Odd(String),
}

impl Cell {
    fn of_sqlite(value: ValueRef<'_>) -> Cell {
        match value {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Number(number),
            ValueRef::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => Cell::Text(text.to_owned()),
                Err(_) => Cell::Odd(format!("{text:?}")),
            },
            ValueRef::Real(_) | ValueRef::Blob(_) => Cell::Odd(format!("{value:?}")),
        }
    }

    fn of_postgres(row: &tokio_postgres::Row, at: usize) -> Cell {
        match *row.columns()[at].type_() {
            Type::BOOL => row.get::<_, Option<bool>>(at).map(i64::from).into(),
            Type::INT4 => row.get::<_, Option<i32>>(at).map(i64::from).into(),
            Type::INT8 => row.get::<_, Option<i64>>(at).into(),
            _ => row.get::<_, Option<&str>>(at).into(),
        }
    }

    fn kind(&self) -> Type {
        match self {
            Cell::Number(_) => Type::INT8,
            Cell::Text(_) => Type::TEXT,
            Cell::Null | Cell::Odd(_) => Type::UNKNOWN,
        }
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Cell {
        Cell::Number(number)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Cell {
        Cell::Text(text.clone())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Cell::Null => ValueRef::Null,
            Cell::Number(number) => ValueRef::Integer(*number),
            Cell::Text(text) | Cell::Odd(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl ToSql for Cell {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Cell::Null => Ok(IsNull::Yes),
            Cell::Number(number) => number.to_sql(kind, out),
            Cell::Text(text) | Cell::Odd(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// What the next cells of a row can be read as.
pub trait Read {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> Self;
}

impl Read for Cell {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> Cell {
        cells.next().unwrap()
    }
}

impl Read for i64 {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> i64 {
        Option::read(cells).unwrap()
    }
}

impl Read for bool {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> bool {
        i64::read(cells) != 0
    }
}

impl Read for String {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> String {
        Option::read(cells).unwrap()
    }
}

impl Read for Option<i64> {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> Option<i64> {
        match Cell::read(cells) {
            Cell::Null => None,
            Cell::Number(number) => Some(number),
            other => panic!("{other:?} is no number"),
        }
    }
}

impl Read for Option<String> {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> Option<String> {
        match Cell::read(cells) {
            Cell::Null => None,
            Cell::Text(text) => Some(text),
            other => panic!("{other:?} is no text"),
        }
    }
}

impl<A: Read, B: Read> Read for (A, B) {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> (A, B) {
        (A::read(cells), B::read(cells))
    }
}

impl<A: Read, B: Read, C: Read> Read for (A, B, C) {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> (A, B, C) {
        (A::read(cells), B::read(cells), C::read(cells))
    }
}

impl<A: Read, B: Read, C: Read, D: Read> Read for (A, B, C, D) {
    fn read(cells: &mut impl Iterator<Item = Cell>) -> (A, B, C, D) {
        (
            A::read(cells),
            B::read(cells),
            C::read(cells),
            D::read(cells),
        )
    }
}
