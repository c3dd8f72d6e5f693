//! A complete database in one file that nobody writes, read without being touched.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::ErrorCode;

use super::copy::{Halt, log_beside};
use super::db::{self, Db, DbError};
use super::{LARGE_CACHE, mark, open};
use crate::error::Error;

/// The first bytes of every SQLite database.
const HEADER: &[u8; 16] = b"SQLite format 3\0";

pub struct CopiedDatabase<'a> {
    db: Db,
    halt: &'a Halt,
}

impl<'a> CopiedDatabase<'a> {
    /// An error says what is wrong with it, as the end of a sentence.
    pub fn open(path: &Path, halt: &'a Halt) -> Result<CopiedDatabase<'a>, String> {
        let mut header = vec![];
        let file = File::open(path).map_err(|e| e.to_string())?;
        let begin = file.take(16).read_to_end(&mut header);
        begin.map_err(|e| e.to_string())?;
        if header.is_empty() {
            return Err("it is empty".into());
        }
        if header != HEADER {
            return Err("it is not a database; if it is encrypted, decrypt it first".into());
        }
        if let Some(reason) = log_beside(path) {
            return Err(reason);
        }
        let db = mark::without_log(path).map_err(|e| damaged(&e.into()))?;
        // The check of the indexes reads here and there in the whole file.
        db.pragma_update(None, "cache_size", LARGE_CACHE)
            .map_err(|e| damaged(&e.into()))?;
        halt.watch(&db);
        let db = Db::Sqlite(db);
        let copy = CopiedDatabase { db, halt };
        copy.check().map_err(|e| match e {
            Fault::Sql(e) => damaged(&e),
            Fault::Found(words) => words,
        })?;
        Ok(copy)
    }

    fn check(&self) -> Result<(), Fault> {
        let found: String = self
            .db
            .one("pragma integrity_check(1)", &[], |row| row.get(0))?;
        if found != "ok" {
            let found = found.replace('\n', " ");
            return Err(Fault::Found(format!("it is damaged ({found})")));
        }
        let number = |sql| self.db.one(sql, &[], |row| row.get::<i64>(0));
        if number("select count(*) from sqlite_schema")? == 0 {
            return Err(Fault::Found("it has no tables".into()));
        }
        if number("select application_id from pragma_application_id")? != open::APPLICATION_ID {
            return Err(Fault::Found("it belongs to another program".into()));
        }
        let version = self.version()?;
        let known = open::STEPS.len() as i64;
        if !(1..=known).contains(&version) {
            return Err(Fault::Found(format!(
                "it has schema version {version}, and this program knows versions up to {known}; use the newer \
                 program that wrote it"
            )));
        }
        Ok(())
    }

    fn version(&self) -> db::Result<i64> {
        let sql = "select user_version from pragma_user_version";
        self.db.one(sql, &[], |row| row.get(0))
    }

    /// Whether its schema is that of this program.
    pub fn is_current(&self) -> Result<bool, Error> {
        Ok(self.version()? == open::SCHEMA as i64)
    }

    pub fn read<T>(&self, read: impl FnOnce(&Db) -> db::Result<T>) -> Result<T, Error> {
        self.halt.check()?;
        Ok(read(&self.db)?)
    }
}

enum Fault {
    Sql(DbError),
    Found(String),
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Fault {
        Fault::Sql(error)
    }
}

fn damaged(error: &DbError) -> String {
    match error.sqlite_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("it is damaged or not complete ({error})")
        }
        _ => error.to_string(),
    }
}
