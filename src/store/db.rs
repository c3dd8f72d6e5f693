//! A connection to the database, and how a statement runs on it: SQLite and PostgreSQL take the same ones.

use std::borrow::Cow;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use super::session::{self, Session};
pub use super::value::{DbError, FromValue, Optional, Result, ToValue, Value};
pub(super) use super::value::{refs, unreadable};

/// For one statement at a time, which both databases take; parameters are `?1`, `?2` and so on.
pub enum Db {
    Sqlite(Connection),
    Postgres(Session),
}

impl Db {
    /// For what only SQLite has.
    pub(super) fn sqlite(&self) -> Option<&Connection> {
        match self {
            Db::Sqlite(connection) => Some(connection),
            Db::Postgres(_) => None,
        }
    }

    /// A transaction whose statements all see the same.
    pub(super) fn begin_read(&self) -> Result<()> {
        match self {
            Db::Sqlite(db) => Ok(db.execute_batch("begin")?),
            Db::Postgres(session) => session.begin_read(),
        }
    }

    /// Writes take turns. PostgreSQL itself waits that long; SQLite says that it is busy.
    pub(super) fn begin_write(&self, wait: Duration) -> Result<()> {
        match self {
            Db::Sqlite(db) => Ok(db.execute_batch("begin immediate")?),
            Db::Postgres(session) => session.begin_write(wait),
        }
    }

    pub(super) fn commit(&self) -> Result<()> {
        match self {
            Db::Sqlite(db) => Ok(db.execute_batch("commit")?),
            Db::Postgres(session) => session.end("commit"),
        }
    }

    /// Does nothing outside a transaction.
    pub(super) fn roll_back(&self) {
        // What cannot be rolled back was not committed, either.
        match self {
            Db::Sqlite(db) if db.is_autocommit() => {}
            Db::Sqlite(db) => drop(db.execute_batch("rollback")),
            Db::Postgres(session) => session.roll_back(),
        }
    }

    /// In a transaction, it may only fail with a later statement, or when that is committed.
    pub fn run(&self, sql: &str, values: &[&dyn ToValue]) -> Result<()> {
        match self {
            Db::Sqlite(_) => self.changed(sql, values).map(drop),
            Db::Postgres(session) => session.run(sql, values),
        }
    }

    /// The number of rows that the statement has changed.
    pub fn changed(&self, sql: &str, values: &[&dyn ToValue]) -> Result<usize> {
        match self {
            Db::Sqlite(db) => Ok(db.prepare_cached(sql)?.execute(bound(values))?),
            Db::Postgres(session) => session.changed(sql, values),
        }
    }

    /// The first row; without any, [`DbError::NoRow`].
    pub fn one<T>(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        match self {
            Db::Sqlite(db) => {
                let mut statement = db.prepare_cached(sql)?;
                let mut rows = statement.query(bound(values))?;
                read(&Row::Sqlite(rows.next()?.ok_or(DbError::NoRow)?))
            }
            Db::Postgres(session) => {
                let rows = session.rows(sql, values)?;
                read(&Row::Postgres(rows.first().ok_or(DbError::NoRow)?))
            }
        }
    }

    pub fn all<T, All: FromIterator<T>>(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<All> {
        match self {
            Db::Sqlite(db) => {
                let mut statement = db.prepare_cached(sql)?;
                let mut rows = statement.query(bound(values))?;
                let next = || match rows.next() {
                    Ok(Some(row)) => Some(read(&Row::Sqlite(row))),
                    Ok(None) => None,
                    Err(error) => Some(Err(error.into())),
                };
                std::iter::from_fn(next).collect()
            }
            Db::Postgres(session) => {
                let rows = session.rows(sql, values)?;
                rows.iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// Passes row after row to `goes_on`, until it says no; other statements can run meanwhile.
    pub fn each(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        mut goes_on: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        match self {
            Db::Sqlite(db) => {
                let mut statement = db.prepare_cached(sql)?;
                let mut rows = statement.query(bound(values))?;
                while let Some(row) = rows.next()?
                    && goes_on(&Row::Sqlite(row))?
                {}
                Ok(())
            }
            Db::Postgres(session) => {
                session.each(sql, values, &mut |row| goes_on(&Row::Postgres(row)))
            }
        }
    }
}

fn bound(values: &[&dyn ToValue]) -> impl rusqlite::Params {
    params_from_iter(values.iter().map(|value| value.to_value()))
}

/// A row that was found.
pub enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    pub fn get<T: FromValue>(&self, column: usize) -> Result<T> {
        let value = self.value(column)?;
        T::from_value(value.clone()).ok_or_else(|| unreadable(column, &value.to_string()))
    }

    pub fn text(&self, column: usize) -> Result<&str> {
        match self.value(column)? {
            Value::Text(Cow::Borrowed(text)) => Ok(text),
            other => Err(unreadable(column, &other.to_string())),
        }
    }

    pub fn value(&self, column: usize) -> Result<Value<'_>> {
        match self {
            Row::Sqlite(row) => Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Number(number),
                other => Value::Text(other.as_str().map_err(rusqlite::Error::from)?.into()),
            }),
            Row::Postgres(row) => session::value(row, column),
        }
    }

    pub fn column_names(&self) -> Vec<&str> {
        match self {
            Row::Sqlite(row) => row.as_ref().column_names().collect(),
            Row::Postgres(row) => row.columns().iter().map(|column| column.name()).collect(),
        }
    }
}

/// A statement and its values.
#[derive(Default)]
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value<'static>>,
}
