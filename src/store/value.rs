//! What a database keeps and says, whichever it is.

use std::borrow::Cow;
use std::error::Error as _;
use std::fmt;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, ToSql};

/// "Cannot answer now": never a verdict.
#[derive(Debug)]
pub enum DbError {
    Sqlite(rusqlite::Error),
    Postgres(tokio_postgres::Error),
    /// Why, in words.
    Refused(&'static str),
    /// A row was expected.
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
            DbError::Postgres(_)
            | DbError::Refused(_)
            | DbError::NoRow
            | DbError::Unreadable { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> DbError {
        DbError::Sqlite(error)
    }
}

impl From<tokio_postgres::Error> for DbError {
    fn from(error: tokio_postgres::Error) -> DbError {
        DbError::Postgres(error)
    }
}

impl std::error::Error for DbError {}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DbError::Sqlite(error) => error.fmt(f),
            DbError::Postgres(error) => match (error.as_db_error(), error.source()) {
                (Some(said), _) => f.write_str(said.message()),
                (None, Some(source)) => write!(f, "{error}: {source}"),
                (None, None) => error.fmt(f),
            },
            DbError::Refused(words) => f.write_str(words),
            DbError::NoRow => f.write_str("a row is missing"),
            DbError::Unreadable { column, text } => {
                write!(
                    f,
                    "the stored value `{text}` of column {column} cannot be read"
                )
            }
        }
    }
}

pub type Result<T, E = DbError> = std::result::Result<T, E>;

/// What a database keeps, borrowed where it can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    Null,
    Number(i64),
    Text(Cow<'a, str>),
}

impl Value<'_> {
    pub(super) fn into_owned(self) -> Value<'static> {
        match self {
            Value::Null => Value::Null,
            Value::Number(number) => Value::Number(number),
            Value::Text(text) => Value::Text(text.into_owned().into()),
        }
    }
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
