//! Opening the database: its schema is made when it is empty, and refused when it is not ours.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use r2d2::{Pool, PooledConnection};

use super::contact::Contact;
use super::driver::{Connections, Driver};
use super::listen::{CHANNEL, Listener, payload};
use super::locks::{OPENS, SERVERS, SERVES, USES};
use super::schema;
use crate::clock::Stopwatch;
use crate::config::PostgresUrl;
use crate::error::{Error, Refusal};
use crate::store::cache::Pair;
use crate::store::db::{Db, DbError};
use crate::store::here::aside;
use crate::store::memory::Memory;
use crate::store::news::News;
use crate::store::open::{Missing, STEPS};
use crate::store::session::Session;
use crate::store::{POLL, SCHEMA_SQL, WRITE_WAIT, random, transfer};

/// A server that stops in the middle of a write holds up the others for so long.
const IDLES: &str = "set idle_in_transaction_session_timeout = 20000";

/// How long a lock may still be held by somebody who is going.
const PATIENCE: Duration = Duration::from_secs(2);

/// The database as this process uses it.
pub(in crate::store) struct Postgres {
    driver: Arc<Driver>,
    pool: Pool<Connections>,
    /// By which the others know this process.
    name: String,
    /// A server, and not a command beside it.
    pub(super) is_server: bool,
    pub(in crate::store) contact: Arc<Contact>,
}

/// An advisory lock for as long as this exists.
pub(in crate::store) struct Held {
    db: PooledConnection<Connections>,
    lock: i64,
}

impl Drop for Held {
    fn drop(&mut self) {
        // If that fails, the connection is gone, and the lock with it.
        let unlock = "select pg_advisory_unlock(?1)";
        drop(self.db.one(unlock, &[&self.lock], |_| Ok(())));
    }
}

impl Postgres {
    /// With a connection for writes.
    pub(in crate::store) fn open(
        url: &PostgresUrl,
        missing: Missing,
        contact: Contact,
    ) -> Result<(Postgres, Db), Refusal> {
        let driver = Arc::new(Driver::new(url).map_err(|e| refusal(url, e))?);
        let is_server = missing == Missing::Make;
        let session = connect(&driver, is_server).map_err(|e| refusal(url, e))?;
        let locked = |function| session.batch(&format!("select {function}({OPENS})"));
        locked("pg_advisory_lock").map_err(|e| refusal(url, e))?;
        let prepared = prepare(&session, missing).and_then(|()| match is_server {
            true => share(&session).map_err(|e| e.to_string()),
            false => Ok(()),
        });
        let answered = contact.moment();
        locked("pg_advisory_unlock").map_err(|e| refusal(url, e))?;
        prepared.map_err(|e| refusal(url, e))?;
        // Connecting may have taken long.
        contact.made(answered);
        let postgres = Postgres {
            pool: Connections(Arc::clone(&driver)).pool(),
            driver,
            name: URL_SAFE_NO_PAD.encode(random::<12>()?),
            is_server,
            contact: Arc::new(contact),
        };
        Ok((postgres, Db::Postgres(session)))
    }

    /// Puts the content of a database file into a database without tables, all of it or nothing.
    pub(in crate::store) fn fill(url: &PostgresUrl, file: &Db) -> Result<(), Refusal> {
        let driver = Driver::new(url).map_err(|e| refusal(url, e))?;
        let session = driver.connect().map_err(|e| refusal(url, e))?;
        if version(&session).map_err(|e| refusal(url, e))?.is_some() {
            return Err(refusal(
                url,
                "it is not empty; create another one, and name that one",
            ));
        }
        let db = Db::Postgres(session);
        let filled = || -> Result<(), DbError> {
            db.begin_write(WRITE_WAIT)?;
            if let Db::Postgres(session) = &db {
                session.batch(&made(STEPS.len(), &schema::whole(SCHEMA_SQL)))?;
            }
            transfer::copy(file, &db, &|| Ok(()))?;
            db.commit()
        };
        filled().map_err(|e| refusal(url, e))
    }

    /// Refuses a database that a server or another command is using.
    pub(in crate::store) fn refuse_in_use(url: &PostgresUrl) -> Result<(), Refusal> {
        let driver = Driver::new(url).map_err(|e| refusal(url, e))?;
        let session = driver.connect().map_err(|e| refusal(url, e))?;
        let is_alone = try_lock(&session, "pg_try_advisory_lock", USES);
        match is_alone.map_err(|e| refusal(url, e))? {
            true => Ok(()),
            false => Err(refusal(
                url,
                "a server or another command is using it; stop the server first",
            )),
        }
    }

    /// A connection that nobody uses.
    pub(in crate::store) fn free(&self) -> Result<PooledConnection<Connections>, Error> {
        self.contact.require()?;
        let none = |e| Error::Unavailable(format!("database: no connection: {e}"));
        aside(|| self.pool.get()).map_err(none)
    }

    /// After the database was away.
    pub(in crate::store) fn reconnect(&self, db: &mut Db) -> Result<(), Error> {
        self.contact.require()?;
        if matches!(db, Db::Postgres(session) if !session.is_usable()) {
            *db = Db::Postgres(connect(&self.driver, self.is_server)?);
        }
        Ok(())
    }

    /// Notifies the other processes of what the transaction has changed, once it is committed.
    pub(in crate::store) fn notify(
        &self,
        db: &Db,
        entries: Option<(i64, i64)>,
        changed: &[Pair],
    ) -> Result<(), Error> {
        if entries.is_none() && changed.is_empty() {
            return Ok(());
        }
        // A server writes its own event log.
        let entries = entries.filter(|_| !self.is_server);
        let payload = payload(&self.name, entries, changed);
        let payload = payload.map_err(|e| Error::Internal(format!("a notification: {e}")))?;
        db.one(
            "select pg_notify(?1, ?2)",
            &[&CHANNEL, &payload],
            |_| Ok(()),
        )?;
        Ok(())
    }

    /// Keeps the cache free of what others have changed.
    pub(in crate::store) fn listen(&self, memory: &Arc<Memory>, news: &Arc<News>) {
        self.driver.listen(Listener {
            process: self.name.clone(),
            memory: Arc::clone(memory),
            contact: Arc::clone(&self.contact),
            news: Arc::clone(news),
            is_server: self.is_server,
        });
    }

    /// None if another process holds it.
    pub(in crate::store) fn try_hold(&self, lock: i64) -> Result<Option<Held>, Error> {
        let db = self.free()?;
        let try_it = "select pg_try_advisory_lock(?1)";
        let is_held: bool = db.one(try_it, &[&lock], |row| row.get(0))?;
        Ok(is_held.then_some(Held { db, lock }))
    }
}

fn refusal(url: &PostgresUrl, why: impl fmt::Display) -> Refusal {
    Refusal(format!("The database {url} cannot be used: {why}."))
}

/// For writes: as long as it is there, the database is in use.
fn connect(driver: &Driver, is_server: bool) -> Result<Session, DbError> {
    let session = driver.connect()?;
    if !try_lock(&session, "pg_try_advisory_lock_shared", USES)? {
        return Err(DbError::Refused(
            "it is being moved; wait until that is done",
        ));
    }
    if is_server {
        session.batch(&format!("select pg_advisory_lock_shared({SERVES})"))?;
    }
    session.batch(IDLES)?;
    Ok(session)
}

/// Whoever had it may just be going.
fn try_lock(session: &Session, function: &str, lock: i64) -> Result<bool, DbError> {
    let watch = Stopwatch::start();
    loop {
        let rows = session.rows(&format!("select {function}({lock})"), &[])?;
        let row = rows.first().ok_or(DbError::NoRow)?;
        if row.try_get(0)? {
            return Ok(true);
        }
        if watch.elapsed() > PATIENCE {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
}

fn prepare(session: &Session, missing: Missing) -> Result<(), String> {
    let version = version(session).map_err(|e| e.to_string())?;
    let known = STEPS.len();
    let sql = match version {
        None if missing == Missing::Refuse => return Err("it is empty".into()),
        None => schema::whole(SCHEMA_SQL),
        Some(version) if !(1..=known).contains(&version) => {
            return Err(format!(
                "it has schema version {version}, and this program knows versions up to {known}; start the newer \
                 program that wrote it"
            ));
        }
        Some(version) if version < known && has_others(session, missing)? => {
            return Err(format!(
                "it has schema version {version}, and servers of an older version are using it; stop all servers first"
            ));
        }
        Some(version) => {
            let steps = STEPS[version..].iter();
            steps.map(|step| schema::translated(step)).collect()
        }
    };
    if version == Some(known) {
        return Ok(());
    }
    let sql = format!("begin; {}; commit", made(known, &sql));
    session.batch(&sql).map_err(|e| e.to_string())
}

/// Whether servers use the database besides this process.
fn has_others(session: &Session, missing: Missing) -> Result<bool, String> {
    let servers = servers(session).map_err(|e| e.to_string())?;
    Ok(servers > i64::from(missing == Missing::Make))
}

fn servers(session: &Session) -> Result<i64, DbError> {
    let rows = session.rows(SERVERS, &[])?;
    let row = rows.first().ok_or(DbError::NoRow)?;
    Ok(row.try_get(0)?)
}

/// What servers share while they run is not left from those that ran before.
fn share(session: &Session) -> Result<(), DbError> {
    session.batch(schema::SHARED)?;
    match servers(session)? {
        1 => session.batch("delete from shared_secret; delete from attempts"),
        _ => Ok(()),
    }
}

/// These statements, which lead to that version.
fn made(version: usize, sql: &str) -> String {
    format!(
        "{sql}; create table if not exists schema_version (number bigint not null);
         delete from schema_version; insert into schema_version (number) values ({version})"
    )
}

/// None for a database without tables.
fn version(session: &Session) -> Result<Option<usize>, DbError> {
    let number = |sql| -> Result<Option<i64>, DbError> {
        let rows = session.rows(sql, &[])?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
    };
    let tables =
        "select count(*) from information_schema.tables where table_schema = current_schema()";
    if number(tables)? == Some(0) {
        return Ok(None);
    }
    let version = number("select number from schema_version")?;
    Ok(Some(version.map_or(0, |version| version as usize)))
}
