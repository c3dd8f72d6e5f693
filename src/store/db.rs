//! A connection to the database, and how a statement runs on it.

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, params_from_iter};

/// "Cannot answer now": never a verdict.
#[derive(Debug)]
pub enum DbError {
    Sqlite(rusqlite::Error),
    /// [`Db::one`] found none.
    NoRow,
    Unreadable {
        column: usize,
        text: String,
    },
}

impl DbError {
    pub(super) fn sqlite_code(&self) -> Option<ErrorCode> {
        match self {
            DbError::Sqlite(error) => error.sqlite_error_code(),
            DbError::NoRow | DbError::Unreadable { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> DbError {
        DbError::Sqlite(error)
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DbError::Sqlite(error) => error.fmt(f),
            DbError::NoRow => f.write_str("a row is missing"),
            DbError::Unreadable { column, text } => {
                write!(f, "the stored value `{text}` of column {column} cannot be read")
            }
        }
    }
}

pub type Result<T, E = DbError> = std::result::Result<T, E>;

/// For one statement at a time; parameters are `?1`, `?2` and so on.
pub struct Db(Connection);

impl Db {
    pub(super) fn new(connection: Connection) -> Db {
        Db(connection)
    }

    /// For what only SQLite has.
    pub(super) fn sqlite(&self) -> &Connection {
        &self.0
    }

    /// The number of rows that the statement has changed.
    pub fn run(&self, sql: &str, values: &[&dyn ToValue]) -> Result<usize> {
        Ok(self.0.prepare_cached(sql)?.execute(params_from_iter(values.iter().map(|value| value.to_value())))?)
    }

    /// The first row; without any, [`DbError::NoRow`].
    pub fn one<T>(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        read: impl FnOnce(&Row<'_>) -> Result<T>,
    ) -> Result<T> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values.iter().map(|value| value.to_value())))?;
        match rows.next()? {
            Some(row) => read(&Row(row)),
            None => Err(DbError::NoRow),
        }
    }

    pub fn all<T, All: FromIterator<T>>(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<All> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values.iter().map(|value| value.to_value())))?;
        let next = || match rows.next() {
            Ok(Some(row)) => Some(read(&Row(row))),
            Ok(None) => None,
            Err(error) => Some(Err(error.into())),
        };
        std::iter::from_fn(next).collect()
    }

    /// Passes row after row to `goes_on`, until it says no.
    pub fn each(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        mut goes_on: impl FnMut(&Row<'_>) -> Result<bool>,
    ) -> Result<()> {
        let mut statement = self.0.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values.iter().map(|value| value.to_value())))?;
        while let Some(row) = rows.next()?
            && goes_on(&Row(row))?
        {}
        Ok(())
    }
}

/// What a database keeps, borrowed where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

/// What can be the value of a parameter.
pub trait ToValue {
    fn to_value(&self) -> Value<'_>;
}

/// What a column can be read as.
pub trait FromValue: Sized {
    /// None for a value of another kind.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

/// A row that was found.
pub struct Row<'a>(&'a rusqlite::Row<'a>);

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
        Ok(match self.0.get_ref(column)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Number(number),
            other => Value::Text(other.as_str().map_err(rusqlite::Error::from)?.into()),
        })
    }

    pub fn column_names(&self) -> Vec<&str> {
        self.0.as_ref().column_names().collect()
    }
}

/// A stored value that cannot be read is an error of its row, not a value.
pub(super) fn unreadable(column: usize, text: &str) -> DbError {
    DbError::Unreadable {
        column,
        text: text.to_owned(),
    }
}

/// References to these values, as statements take them.
pub(super) fn refs<'a>(values: &'a [Value<'a>]) -> Vec<&'a dyn ToValue> {
    values.iter().map(|value| value as &dyn ToValue).collect()
}

/// For a row that need not be there.
pub trait Optional<T> {
    fn optional(self) -> Result<Option<T>>;
}

impl<T> Optional<T> for Result<T> {
    fn optional(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(DbError::NoRow) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Number(number) => number.fmt(f),
            Value::Text(text) => text.fmt(f),
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Number(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl ToValue for Value<'_> {
    fn to_value(&self) -> Value<'_> {
        match self {
            Value::Text(text) => (&**text).into(),
            other => other.clone(),
        }
    }
}

impl ToValue for i64 {
    fn to_value(&self) -> Value<'_> {
        (*self).into()
    }
}

impl ToValue for u16 {
    fn to_value(&self) -> Value<'_> {
        i64::from(*self).into()
    }
}

impl ToValue for u32 {
    fn to_value(&self) -> Value<'_> {
        i64::from(*self).into()
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value<'_> {
        i64::from(*self).into()
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value<'_> {
        self.into()
    }
}

impl ToValue for Cow<'_, str> {
    fn to_value(&self) -> Value<'_> {
        (&**self).into()
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value<'_> {
        (&**self).into()
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Option<i64> {
        match value {
            Value::Number(number) => Some(number),
            Value::Null | Value::Text(_) => None,
        }
    }
}

impl FromValue for u16 {
    fn from_value(value: Value<'_>) -> Option<u16> {
        i64::from_value(value).and_then(|number| number.try_into().ok())
    }
}

impl FromValue for u32 {
    fn from_value(value: Value<'_>) -> Option<u32> {
        i64::from_value(value).and_then(|number| number.try_into().ok())
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<bool> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<String> {
        match value {
            Value::Text(text) => Some(text.into_owned()),
            Value::Null | Value::Number(_) => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Option<T>> {
        match value {
            Value::Null => Some(None),
            other => T::from_value(other).map(Some),
        }
    }
}
