//! A connection to PostgreSQL, and how it runs a statement.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement};

use super::value::{Result, ToValue, Value};

/// The advisory lock of all writes: the audit log has one order.
const WRITES: i64 = 1;

/// Rows that [`Session::each`] has in memory.
const FETCHED: usize = 1_000;

/// A connection, for one statement at a time.
pub struct Session {
    client: Client,
    statements: RefCell<HashMap<(String, Vec<Type>), Statement>>,
    is_in_transaction: Cell<bool>,
    /// Those that were ever opened, for their names.
    cursors: Cell<usize>,
}

impl Session {
    pub(super) fn new(client: Client) -> Session {
        Session {
            client,
            statements: RefCell::default(),
            is_in_transaction: Cell::new(false),
            cursors: Cell::new(0),
        }
    }

    pub(super) fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.is_in_transaction.get()
    }

    /// Several statements without parameters.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        Ok(pollster::block_on(self.client.batch_execute(sql))?)
    }

    pub(super) fn begin_read(&self) -> Result<()> {
        self.begin("begin isolation level repeatable read read only")
    }

    pub(super) fn begin_write(&self, wait: Duration) -> Result<()> {
        self.begin(&format!(
            "begin; set local lock_timeout = {}; select pg_advisory_xact_lock({WRITES})",
            wait.as_millis()
        ))
    }

    fn begin(&self, sql: &str) -> Result<()> {
        self.is_in_transaction.set(true);
        let begun = self.batch(sql);
        if begun.is_err() {
            self.roll_back();
        }
        begun
    }

    pub(super) fn end(&self, sql: &str) -> Result<()> {
        self.is_in_transaction.set(false);
        self.batch(sql)
    }

    pub(super) fn roll_back(&self) {
        if self.is_in_transaction.get() && self.batch("rollback").is_ok() {
            self.is_in_transaction.set(false);
        }
    }

    pub(super) fn run(&self, sql: &str, values: &[&dyn ToValue]) -> Result<usize> {
        let values = Parameter::of(values);
        let statement = self.prepared(sql, &values)?;
        let sent = self.client.execute_raw(&statement, &values);
        Ok(usize::try_from(pollster::block_on(sent)?).unwrap_or(usize::MAX))
    }

    pub(super) fn rows(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let values = Parameter::of(values);
        let statement = self.prepared(sql, &values)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        Ok(pollster::block_on(self.client.query(&statement, &values))?)
    }

    /// With a cursor, so that only some rows are in memory and other statements can run meanwhile.
    pub(super) fn each(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
        goes_on: &mut dyn FnMut(&tokio_postgres::Row) -> Result<bool>,
    ) -> Result<()> {
        let is_alone = !self.is_in_transaction.get();
        if is_alone {
            self.begin_read()?;
        }
        let name = format!("cursor_{}", self.cursors.replace(self.cursors.get() + 1));
        let walked = self.walk(&name, sql, values, goes_on);
        match (is_alone, &walked) {
            (true, Ok(())) => self.end("commit")?,
            (true, Err(_)) => self.roll_back(),
            (false, Ok(())) => self.batch(&format!("close {name}"))?,
            (false, Err(_)) => {}
        }
        walked
    }

    fn walk(
        &self,
        name: &str,
        sql: &str,
        values: &[&dyn ToValue],
        goes_on: &mut dyn FnMut(&tokio_postgres::Row) -> Result<bool>,
    ) -> Result<()> {
        self.run(
            &format!("declare {name} no scroll cursor for {sql}"),
            values,
        )?;
        let fetch = format!("fetch {FETCHED} from {name}");
        loop {
            let rows = pollster::block_on(self.client.query(&fetch, &[]))?;
            for row in &rows {
                if !goes_on(row)? {
                    return Ok(());
                }
            }
            if rows.len() < FETCHED {
                return Ok(());
            }
        }
    }

    fn prepared(&self, sql: &str, values: &[Parameter<'_>]) -> Result<Statement> {
        let types: Vec<Type> = values.iter().map(Parameter::kind).collect();
        let key = (sql.to_owned(), types);
        if let Some(statement) = self.statements.borrow().get(&key) {
            return Ok(statement.clone());
        }
        let numbered = numbered(sql);
        let prepared = self.client.prepare_typed(&numbered, &key.1);
        let statement = pollster::block_on(prepared)?;
        let mut all = self.statements.borrow_mut();
        // Statements that are put together, such as those of a search.
        if all.len() >= 256 {
            all.clear();
        }
        all.insert(key, statement.clone());
        Ok(statement)
    }
}

/// `?1` as `$1`.
fn numbered(sql: &str) -> String {
    sql.replace('?', "$")
}

/// PostgreSQL has no text with a NUL.
fn storable(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        other => other,
    }
}

#[derive(Debug)]
struct Parameter<'a>(Value<'a>);

impl<'a> Parameter<'a> {
    fn of(values: &'a [&'a dyn ToValue]) -> Vec<Parameter<'a>> {
        values
            .iter()
            .map(|value| Parameter(storable(value.to_value())))
            .collect()
    }

    fn kind(&self) -> Type {
        match self.0 {
            Value::Null => Type::UNKNOWN,
            Value::Number(_) => Type::INT8,
            Value::Text(_) => Type::TEXT,
        }
    }
}

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Number(number) => number.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

pub(super) fn value(row: &tokio_postgres::Row, column: usize) -> Result<Value<'_>> {
    let found = match *row.columns()[column].type_() {
        Type::BOOL => row
            .try_get::<_, Option<bool>>(column)?
            .map(|is_it| i64::from(is_it).into()),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(column)?
            .map(|number| i64::from(number).into()),
        Type::INT8 => row.try_get::<_, Option<i64>>(column)?.map(Value::from),
        _ => row.try_get::<_, Option<&str>>(column)?.map(Value::from),
    };
    Ok(found.unwrap_or(Value::Null))
}
