//! All SQL and nothing but SQL: one file per table, statement and row mapping side by side.
//!
//! One writer, many readers: every thread reads over its own read-only connection.

pub mod activation_codes;
pub mod audit;
pub mod backups;
pub mod bulk;
mod cache;
pub mod check_days;
pub mod check_places;
mod checked;
pub mod checks;
pub mod code_changes;
pub mod code_renewals;
pub mod code_search;
pub mod copied;
pub mod copy;
pub mod counts;
pub mod customer_links;
pub mod customers;
mod database_file;
pub mod db;
mod files;
pub mod former_pairs;
mod here;
pub mod imports;
pub mod invitations;
pub mod licenses;
pub mod mail_texts;
mod mark;
mod memory;
pub mod newest;
mod news;
mod open;
pub mod orders;
pub mod outbox;
pub mod people;
pub mod personal;
mod pg_trigrams;
mod postgres;
mod purge;
pub mod recovery_codes;
pub mod restores;
pub mod search;
pub mod seats;
mod session;
pub mod sessions;
pub mod shop_events;
pub mod shops;
pub mod signing_keys;
pub mod swap;
mod texts;
mod together;
pub mod tokens;
pub mod tools;
mod trail;
mod transfer;
pub mod trials;
mod trigrams;
pub mod unlicensed_machines;
pub mod users;
mod value;
pub mod webhook_deliveries;
pub mod webhooks;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rand::TryRng;
use rand::rngs::SysRng;
use rusqlite::ErrorCode;
use time::{Date, OffsetDateTime};

use crate::clock::{Clock, Stopwatch};
use crate::config::{Config, PostgresUrl};
use crate::error::{Error, Refusal};
use crate::log::Log;
use crate::model::date;
use crate::model::histogram::{Durations, Histogram};
use crate::model::license::{Status, Values};
use crate::model::webhook::Webhook;
use cache::Pair;
pub use checked::{CurrentLicense, WarmUp};
use database_file::DatabaseFile;
/// For functions that read in several steps: a connection, and the result of a step.
pub use db::{Db, Result as Read};
use db::{DbError, Result, Row, Value, unreadable};
pub use files::{FileSizes, disk_space};
use here::aside;
use mark::LogState;
use memory::Memory;
use news::News;
pub use news::Others;
use open::Access;
pub use open::{Missing, SCHEMA};
pub use postgres::Bucket;
use postgres::{Contact, Postgres};
pub use together::{Lock, Reach};
use trail::Trail;

const SCHEMA_SQL: &str = include_str!("../../schema.sql");

/// In the data folder.
const DATABASE: &str = "licenses.db";

/// How long a write waits for another one before it fails with 503.
const WRITE_WAIT: Duration = Duration::from_secs(5);

/// In the unit of `pragma cache_size`: SQLite's default, and 24 MiB.
const CACHE: i64 = -2_000;
const LARGE_CACHE: i64 = -24 * 1024;

/// How often a waiting write retries while another process is writing.
const POLL: Duration = Duration::from_millis(4);

/// How long a write of many chunks pauses after each, so that others can write.
const PAUSE: Duration = Duration::from_millis(15);

/// Now and then a longer one: SQLite in a program that is not ours retries every 100 ms, and gives up after 5 s.
const LONG_PAUSE: Duration = Duration::from_millis(120);
const LONG_PAUSE_EVERY: Duration = Duration::from_secs(2);

/// Where the data is.
enum Engine {
    Sqlite(Box<DatabaseFile>),
    Postgres(Postgres),
}

pub struct Store {
    /// Of the database file, and of copies that are not complete yet.
    folder: PathBuf,
    engine: Engine,
    writer: Mutex<Writer>,
    memory: Arc<Memory>,
    /// How long writes waited for their turn.
    waits: Histogram,
    /// Since the last [`LONG_PAUSE`].
    long_pause: Mutex<Stopwatch>,
    news: Arc<News>,
    /// Has the trail of the audit log, if it is that of the server.
    log: Option<Log>,
}

struct Writer {
    db: Db,
    /// The log when it was last moved into the file; none before that.
    settled: Option<LogState>,
    seen: Seen,
}

/// Up to where this process knows the database.
struct Seen {
    /// `pragma data_version`, which changes when another process writes.
    version: i64,
    /// The last entry of the audit log that the trail has.
    head: i64,
}

impl Writer {
    fn new(db: Db) -> Result<Writer> {
        let seen = Seen {
            version: db.sqlite().map_or(Ok(0), open::data_version)?,
            head: audit::head(&db)?.0,
        };
        Ok(Writer {
            db,
            settled: None,
            seen,
        })
    }
}

/// A write transaction and the licenses that it has changed so far. Rolled back when dropped.
pub struct WriteTx<'a> {
    db: &'a Db,
    changed: RefCell<Vec<Pair>>,
    /// Licenses whose text changed, by ID: the indexed text and the new one. Written at the end,
    /// because any other statement in between would make FTS5 flush.
    texts: RefCell<BTreeMap<i64, [Option<String>; 2]>>,
    /// Personal values that it has already stored: their IDs and commitments.
    kept: RefCell<HashMap<String, (i64, String)>>,
    /// Tools that it has seen or added.
    tools: RefCell<HashSet<String>>,
    /// Customers, likewise.
    customers: RefCell<HashSet<String>>,
    /// Enabled webhooks, once they were looked for.
    webhooks: RefCell<Option<Vec<Webhook>>>,
    trail: RefCell<Trail>,
}

impl<'a> WriteTx<'a> {
    /// Waits for other processes; SQLite's busy handler retries ten times a second, too seldom for
    /// the pauses of a long write.
    fn begin(db: &'a Db, watch: &Stopwatch, wait: Duration) -> Result<WriteTx<'a>, Error> {
        loop {
            // Without any time left, PostgreSQL would wait for ever.
            let left = wait.saturating_sub(watch.elapsed());
            match db.begin_write(left.max(POLL)) {
                Ok(()) => {
                    return Ok(WriteTx {
                        db,
                        changed: RefCell::default(),
                        texts: RefCell::default(),
                        kept: RefCell::default(),
                        tools: RefCell::default(),
                        customers: RefCell::default(),
                        webhooks: RefCell::default(),
                        trail: RefCell::default(),
                    });
                }
                Err(error)
                    if error.sqlite_code() != Some(ErrorCode::DatabaseBusy)
                        || watch.elapsed() > wait =>
                {
                    return Err(error.into());
                }
                Err(_) => std::thread::sleep(POLL),
            }
        }
    }

    fn invalidate(&self, tool_name: &str, license_key: &str) {
        let pair = (tool_name.to_owned(), license_key.to_owned());
        self.changed.borrow_mut().push(pair);
    }

    /// Records the text of a license for the search index, before and after a change; none for a
    /// license that is added or deleted.
    fn index(&self, id: i64, before: Option<&Values>, after: Option<&Values>) {
        let [before, after] = [before, after].map(|values| values.map(Values::search_text));
        let mut all = self.texts.borrow_mut();
        let [_, latest] = all.entry(id).or_insert([before, None]);
        *latest = after;
    }

    fn write_index(&self) -> Result<()> {
        for (id, [before, after]) in self.texts.take() {
            // The index is the most expensive part of a write.
            if before == after {
                continue;
            }
            if let Some(texts) = before {
                texts::remove(self, id, &texts)?;
            }
            if let Some(texts) = after {
                texts::insert(self, id, &texts)?;
            }
        }
        Ok(())
    }
}

impl Deref for WriteTx<'_> {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db
    }
}

impl Drop for WriteTx<'_> {
    fn drop(&mut self) {
        // After a commit there is nothing to roll back.
        self.db.roll_back();
    }
}

impl Store {
    /// Opens the database that the settings name.
    pub fn open(config: &Config, clock: &Clock, missing: Missing) -> Result<Store, Refusal> {
        match &config.database {
            Some(url) => {
                let max_behind = time::Duration::hours(config.max_behind.into());
                let contact = Contact::new(clock.clone(), max_behind);
                Store::connect(&config.data_dir, url, missing, contact)
            }
            None => Store::open_file(&config.data_dir, missing),
        }
    }

    /// Opens the database in `folder` after an integrity check.
    pub fn open_file(folder: &Path, missing: Missing) -> Result<Store, Refusal> {
        let path = folder.join(DATABASE);
        let (writer, in_use) = open::writer(folder, &path, missing)?;
        let file = DatabaseFile::new(path, Access::Shared, Some(in_use))?;
        Store::with_writer(folder, Engine::Sqlite(Box::new(file)), Db::Sqlite(writer))
    }

    /// The folder is for copies that are not complete yet.
    fn connect(
        folder: &Path,
        url: &PostgresUrl,
        missing: Missing,
        contact: Contact,
    ) -> Result<Store, Refusal> {
        // A command changes nothing of a folder that is there.
        if missing == Missing::Make || !folder.exists() {
            open::private_folder(folder).map_err(|e| {
                let folder = folder.display();
                Refusal(format!("The setting `data_dir` is `{folder}`: {e}."))
            })?;
        }
        let (postgres, writer) = Postgres::open(url, missing, contact)?;
        let store = Store::with_writer(folder, Engine::Postgres(postgres), writer)?;
        if let Engine::Postgres(postgres) = &store.engine {
            postgres.listen(&store.memory, &store.news);
        }
        Ok(store)
    }

    /// Opens an existing database so that nothing can change it, not even its file mode.
    pub fn open_read_only(folder: &Path) -> Result<Store, Refusal> {
        let path = folder.join(DATABASE);
        let (writer, access) = open::read_only(folder, &path)?;
        let file = DatabaseFile::new(path, access, None)?;
        Store::with_writer(folder, Engine::Sqlite(Box::new(file)), Db::Sqlite(writer))
    }

    /// Whether the whole file is intact; a text is what is wrong.
    pub fn check(&self) -> Result<(), String> {
        match self.writer.lock().db.sqlite() {
            Some(db) => open::quick_check(db),
            None => Ok(()),
        }
    }

    fn with_writer(folder: &Path, engine: Engine, writer: Db) -> Result<Store, Refusal> {
        let licenses = licenses::count(&writer).map_err(Error::from)?;
        let writer = Writer::new(writer).map_err(Error::from)?;
        let memory = match &engine {
            Engine::Sqlite(_) => Memory::of_file(licenses),
            Engine::Postgres(_) => Memory::of_network(licenses),
        };
        Ok(Store {
            folder: folder.to_owned(),
            engine,
            writer: Mutex::new(writer),
            memory: Arc::new(memory),
            waits: Histogram::default(),
            long_pause: Mutex::new(Stopwatch::start()),
            news: Arc::default(),
            log: None,
        })
    }

    /// From now on this log has the trail of the audit log: what this process writes, and others meanwhile.
    pub fn with_log(self, log: Log) -> Store {
        let log = Some(log);
        Store { log, ..self }
    }

    /// Each statement sees its own snapshot.
    pub fn read<T>(&self, read: impl FnOnce(&Db) -> Result<T>) -> Result<T, Error> {
        match &self.engine {
            Engine::Sqlite(file) => file.read(read),
            Engine::Postgres(postgres) => aside(|| Ok(read(&*postgres.free()?)?)),
        }
    }

    /// [`Store::read`] in one transaction: all statements see the same snapshot.
    pub fn read_tx<T>(&self, read: impl FnOnce(&Db) -> Result<T>) -> Result<T, Error> {
        self.read(|db| {
            db.begin_read()?;
            let value = read(db).and_then(|value| db.commit().map(|()| value));
            db.roll_back();
            value
        })
    }

    /// Whether another process has written since the last call; if so, the cache is cleared. No
    /// other process can write while this one does, and each write checks for itself.
    pub fn clear_if_others_wrote(&self) -> Result<Others, Error> {
        if let Some(mut writer) = self.writer.try_lock() {
            let Writer { db, seen, .. } = &mut *writer;
            if let Engine::Postgres(postgres) = &self.engine
                && !postgres.contact.is_lost()
            {
                // It holds the lock of a server, even if there is nothing to write.
                postgres.reconnect(db)?;
            }
            self.look_for_others(db, seen)?;
        }
        let others = self.news.take();
        if others != Others::Nothing {
            self.write_trail_of_others()?;
        }
        Ok(others)
    }

    fn look_for_others(&self, db: &Db, seen: &mut Seen) -> Result<(), Error> {
        let version = match db.sqlite() {
            Some(db) => open::data_version(db)?,
            // Others tell what they have written.
            None => return Ok(()),
        };
        if std::mem::replace(&mut seen.version, version) != version {
            self.memory.clear();
            self.news.set_forgotten();
            if let Some(log) = &self.log {
                let trail = Trail::of_others(db, seen.head, i64::MAX)?;
                seen.head = trail.head(seen.head);
                trail.write_to(log);
            }
        }
        Ok(())
    }

    /// Runs `write` in one transaction, which is durable when this returns; an error rolls it back.
    pub fn write<T>(
        &self,
        write: impl FnOnce(&WriteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.write_within(WRITE_WAIT, write)
    }

    /// [`Store::write`] that fails after `wait` if others are writing.
    fn write_within<T>(
        &self,
        wait: Duration,
        write: impl FnOnce(&WriteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let watch = Stopwatch::start();
        let mut writer = self.writer.try_lock_for(wait).ok_or_else(|| {
            self.waits.observe(watch.elapsed());
            Error::Unavailable("another write has held the database too long".into())
        })?;
        self.check_file()?;
        let Writer { db, seen, .. } = &mut *writer;
        if let Engine::Postgres(postgres) = &self.engine {
            postgres.reconnect(db)?;
        }
        // One wait for both: the other writes of this process, and other processes.
        let tx = WriteTx::begin(db, &watch, wait);
        self.waits.observe(watch.elapsed());
        let tx = tx?;
        self.look_for_others(db, seen)?;
        let value = write(&tx)?;
        tx.write_index()?;
        let changed = tx.changed.take();
        if let Engine::Postgres(postgres) = &self.engine {
            postgres.notify(&tx, tx.trail.borrow().range(), &changed)?;
        }
        // Even if the commit fails: it may have taken effect.
        let committed = tx.commit();
        self.memory.invalidate(&changed);
        let trail = tx.trail.take();
        drop(tx);
        if committed.is_ok() {
            seen.head = trail.head(seen.head);
        }
        MutexGuard::unlock_fair(writer);
        committed?;
        if let Some(log) = &self.log {
            trail.write_to(log);
        }
        Ok(value)
    }

    /// How long writes waited for other writes, of this process and of others.
    pub fn write_waits(&self) -> Durations {
        let mut waits = Durations::default();
        self.waits.add_to(&mut waits);
        waits
    }

    /// Enlarges the writer's page cache during a write of many chunks: without it pages are written
    /// several times.
    pub fn with_large_cache<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let set = |size: i64| {
            let writer = self.writer.lock();
            if let Some(db) = writer.db.sqlite() {
                db.pragma_update(None, "cache_size", size)?;
                db.execute_batch("pragma shrink_memory")?;
            }
            Ok::<_, Error>(())
        };
        set(LARGE_CACHE)?;
        let done = work();
        set(CACHE)?;
        done
    }

    /// Lets other writes through: called after each chunk of a bulk write.
    pub fn pause(&self) {
        let mut since = self.long_pause.lock();
        let is_due = since.elapsed() > LONG_PAUSE_EVERY;
        if is_due {
            *since = Stopwatch::start();
        }
        drop(since);
        std::thread::sleep(if is_due { LONG_PAUSE } else { PAUSE });
    }

    fn check_file(&self) -> Result<(), Error> {
        match &self.engine {
            Engine::Sqlite(file) => file.check(),
            Engine::Postgres(_) => Ok(()),
        }
    }

    /// Moves the write-ahead log into the database file, unless somebody is writing, so that a copy of the
    /// file alone has nearly everything. PostgreSQL does that by itself, and only old attempts are deleted there.
    pub fn settle(&self) -> Result<(), Error> {
        let file = match &self.engine {
            Engine::Sqlite(file) => file,
            Engine::Postgres(postgres) => return postgres.forget_attempts(),
        };
        let Some(mut writer) = self.writer.try_lock() else {
            return Ok(());
        };
        if writer.settled == Some(mark::log_state(&file.path)) {
            return Ok(());
        }
        file.check()?;
        let lock = open::try_lock(&self.folder.join(open::LOCK));
        let lock = lock.map_err(|e| Error::Unavailable(format!("the file lock: {e}")))?;
        if lock.is_none() {
            return Ok(());
        }
        if let Some(db) = writer.db.sqlite() {
            mark::settle(db, &self.folder)?;
        }
        writer.settled = Some(mark::log_state(&file.path));
        Ok(())
    }

    /// Moves the write-ahead log into the database file, and marks the file as clean.
    pub fn close(&self) -> Result<(), Error> {
        let mut writer = self.writer.lock();
        let Writer { db, seen, .. } = &mut *writer;
        self.look_for_others(db, seen)?;
        if let (Engine::Sqlite(file), Some(db)) = (&self.engine, db.sqlite()) {
            db.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
            open::mark_clean(&self.folder, &file.path);
        }
        drop(writer);
        self.write_trail_of_others()
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Error {
        Error::Unavailable(format!("database: {error}"))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        Error::Unavailable(format!("database: {error}"))
    }
}

/// A column of Unix seconds.
fn moment(row: &Row<'_>, column: usize) -> Result<OffsetDateTime> {
    let seconds: i64 = row.get(column)?;
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| unreadable(column, &seconds.to_string()))
}

fn optional_moment(row: &Row<'_>, column: usize) -> Result<Option<OffsetDateTime>> {
    match row.value(column)? {
        Value::Null => Ok(None),
        _ => moment(row, column).map(Some),
    }
}

/// From the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| Error::Internal(format!("the system gives no random bytes: {e}")))?;
    Ok(bytes)
}

/// The expiration date column of a perpetual license: sorts after all dates.
const NEVER: &str = "never";

fn status(row: &Row<'_>, column: usize) -> Result<Status> {
    let word = row.text(column)?;
    Status::from_word(word).ok_or_else(|| unreadable(column, word))
}

fn day(row: &Row<'_>, column: usize) -> Result<Date> {
    let text = row.text(column)?;
    date::read(text).ok_or_else(|| unreadable(column, text))
}
