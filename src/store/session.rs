//! A connection to PostgreSQL, and how it runs a statement.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::ready;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use rocket::futures::future::{join, join_all, poll_immediate};
use rocket::tokio::select;
use rocket::tokio::sync::watch;
use rocket::tokio::task::yield_now;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error, Statement};

use super::here::Here;
use super::value::{Result, ToValue, Value};

/// The advisory lock of all writes: the audit log has one order.
const WRITES: i64 = 1;

/// Rows that [`Session::each`] has in memory.
const FETCHED: usize = 1_000;

/// What reads and writes the socket, until the connection ends.
type Wire = Pin<Box<dyn Future<Output = std::result::Result<(), Error>> + Send>>;

/// The number of changed rows, once that is known.
type Sent = Pin<Box<dyn Future<Output = std::result::Result<u64, Error>> + Send>>;

/// Statements in line, at most.
const LINE: usize = 256;

/// A connection, for one statement at a time.
pub struct Session {
    here: Here,
    client: Arc<Client>,
    /// Statements of the transaction that nobody has waited for yet.
    line: RefCell<Vec<Sent>>,
    wire: RefCell<Option<Wire>>,
    /// Changes when the connection is given up, because the database is silent.
    silence: RefCell<watch::Receiver<()>>,
    statements: RefCell<HashMap<(String, Vec<Type>), Statement>>,
    is_in_transaction: Cell<bool>,
    /// Those that were ever opened, for their names.
    cursors: Cell<usize>,
}

impl Session {
    pub(super) fn new(
        here: Here,
        client: Client,
        wire: impl Future<Output = std::result::Result<(), Error>> + Send + 'static,
        silence: watch::Receiver<()>,
    ) -> Session {
        Session {
            here,
            client: Arc::new(client),
            line: RefCell::default(),
            wire: RefCell::new(Some(Box::pin(wire))),
            silence: RefCell::new(silence),
            statements: RefCell::default(),
            is_in_transaction: Cell::new(false),
            cursors: Cell::new(0),
        }
    }

    /// Also notices that the connection has ended since the last statement.
    pub(super) fn is_usable(&self) -> bool {
        let mut wire = self.wire.borrow_mut();
        let is_silent = self.silence.borrow().has_changed().unwrap_or(true);
        let look = async |open: &mut Wire| {
            // Meanwhile the runtime learns what has happened to the socket.
            yield_now().await;
            poll_immediate(open).await.is_some()
        };
        let has_ended = |open| self.here.wait(look(open)).unwrap_or(true);
        if is_silent || wire.as_mut().is_some_and(has_ended) {
            *wire = None;
        }
        wire.is_some() && !self.is_in_transaction()
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        self.is_in_transaction.get()
    }

    /// Sends that after what is in line, and waits for all of it; the first error counts.
    fn wait<T>(&self, last: impl Future<Output = std::result::Result<T, Error>>) -> Result<T> {
        let line = join_all(self.line.take());
        let mut sent = pin!(async {
            let (before, last) = join(line, last).await;
            before.into_iter().find_map(Result::err).map_or(last, Err)
        });
        let (wire, silence) = (
            &mut *self.wire.borrow_mut(),
            &mut *self.silence.borrow_mut(),
        );
        let received = async {
            if let Some(open) = wire {
                select! {
                    biased;
                    received = &mut sent => return received,
                    _ended = open => {}
                    _silent = silence.changed() => {}
                }
            }
            *wire = None;
            // What came last; or that there will be nothing.
            sent.await
        };
        Ok(self.here.wait(received)??)
    }

    /// Several statements without parameters.
    pub(super) fn batch(&self, sql: &str) -> Result<()> {
        self.wait(self.client.batch_execute(sql))
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
        self.line.take();
        if self.is_in_transaction.get() && self.batch("rollback").is_ok() {
            self.is_in_transaction.set(false);
        }
    }

    /// In a transaction it is sent with the next statement that waits, because each wait takes as long as several
    /// statements.
    pub(super) fn run(&self, sql: &str, values: &[&dyn ToValue]) -> Result<()> {
        if !self.is_in_transaction.get() {
            return self.changed(sql, values).map(drop);
        }
        let values = Parameter::of(values);
        let statement = self.prepared(sql, &values)?;
        let values: Vec<_> = values.into_iter().map(Parameter::into_owned).collect();
        let client = Arc::clone(&self.client);
        let mut sent: Sent = Box::pin(async move { client.execute_raw(&statement, &values).await });
        // The first poll puts it in line; without a connection, it fails at once.
        let begun = sent.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(done) = begun {
            return Ok(done.map(drop)?);
        }
        self.line.borrow_mut().push(sent);
        let is_full = self.line.borrow().len() >= LINE;
        match is_full {
            true => self.wait(ready(Ok(()))),
            false => Ok(()),
        }
    }

    pub(super) fn changed(&self, sql: &str, values: &[&dyn ToValue]) -> Result<usize> {
        let values = Parameter::of(values);
        let statement = self.prepared(sql, &values)?;
        let sent = self.client.execute_raw(&statement, &values);
        Ok(usize::try_from(self.wait(sent)?).unwrap_or(usize::MAX))
    }

    pub(super) fn rows(
        &self,
        sql: &str,
        values: &[&dyn ToValue],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let values = Parameter::of(values);
        let statement = self.prepared(sql, &values)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        self.wait(self.client.query(&statement, &values))
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
            let rows = self.wait(self.client.query(&fetch, &[]))?;
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
        let statement = self.wait(prepared)?;
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

    fn into_owned(self) -> Parameter<'static> {
        Parameter(self.0.into_owned())
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

#[cfg(test)]
mod tests {
    use crate::store::WRITE_WAIT;
    use crate::store::db::Db;
    use crate::store::postgres::scratch::Scratch;

    const ADD: &str = "insert into tools (name, created_at) values (?1, 0)";

    #[test]
    fn a_statement_that_nobody_waited_for_fails_with_the_commit() {
        let Some(Scratch { db, .. }) = &Scratch::new("line") else {
            return;
        };
        let tools = || {
            let number = "select count(*) from tools";
            db.one(number, &[], |row| row.get::<i64>(0)).unwrap()
        };
        db.begin_write(WRITE_WAIT).unwrap();
        db.run(ADD, &[&"A"]).unwrap();
        db.run(ADD, &[&"A"]).unwrap();
        db.run(ADD, &[&"B"]).unwrap();
        let error = db.commit().unwrap_err().to_string();
        assert!(error.contains("duplicate"), "{error}");
        assert_eq!(tools(), 0);

        // What is in line when it is taken back counts no longer.
        db.begin_write(WRITE_WAIT).unwrap();
        db.run(ADD, &[&"A"]).unwrap();
        db.run(ADD, &[&"A"]).unwrap();
        db.roll_back();
        assert_eq!(tools(), 0);

        // Outside a transaction it is waited for.
        db.run(ADD, &[&"A"]).unwrap();
        assert!(db.run(ADD, &[&"A"]).is_err());

        db.begin_write(WRITE_WAIT).unwrap();
        for number in 0..1_000 {
            db.run(ADD, &[&format!("tool {number}")]).unwrap();
        }
        db.commit().unwrap();
        assert_eq!(tools(), 1_001);
    }

    #[test]
    fn without_a_connection_each_statement_fails() {
        let Some(Scratch { db, .. }) = &Scratch::new("ended") else {
            return;
        };
        db.begin_write(WRITE_WAIT).unwrap();
        let end = "select pg_terminate_backend(pg_backend_pid())";
        assert!(db.one(end, &[], |_| Ok(())).is_err());
        for _ in 0..2 {
            assert!(db.run(ADD, &[&"A"]).is_err());
            assert!(db.changed(ADD, &[&"A"]).is_err());
        }
        assert!(db.commit().is_err());
        let Db::Postgres(session) = db else {
            unreachable!()
        };
        assert!(!session.is_usable());
    }

    #[test]
    fn what_ends_a_connection_that_waits_is_noticed() {
        let Some(Scratch { db, cluster, .. }) = &Scratch::new("waits") else {
            return;
        };
        let Db::Postgres(session) = db else {
            unreachable!()
        };
        assert!(session.is_usable());
        let others = "select pg_terminate_backend(pid, 5000) from pg_stat_activity
             where datname like '%_waits'";
        cluster.batch(others).unwrap();
        assert!(!session.is_usable());
    }
}
