//! All SQL and nothing but SQL: one file per table, statement and row mapping side by side.
//!
//! One writer, many readers: every thread reads over a read-only connection of its own.

pub mod audit;
pub mod bulk;
pub mod check_days;
pub mod counts;
pub mod imports;
mod known;
pub mod licenses;
mod open;
pub mod search;
pub mod sessions;
pub mod sightings;
pub mod signing_keys;
pub mod tokens;
pub mod tools;
pub mod unknown_keys;
pub mod users;
pub mod waiting;

use std::cell::RefCell;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use thread_local::ThreadLocal;
use time::OffsetDateTime;

use crate::clock::Stopwatch;
use crate::error::{Error, Refusal};

use crate::model::question::Question;
use known::{Known, Pair};
use licenses::Judged;
use open::FileId;
pub use open::Missing;
/// For verbs that read in several steps: a connection, and what a step gives.
pub use rusqlite::{Connection as Db, Result as Read};

/// Licenses that are read in one piece to be remembered.
const REMEMBERED_AT_ONCE: usize = 1_000;

/// What a write of very much may keep in memory, as `pragma cache_size` has it: 64 MiB.
const MUCH: i64 = -64 * 1024;

/// How long a write waits for another before it is given up with 503.
const WRITE_WAIT: Duration = Duration::from_secs(5);

/// The database.
pub struct Store {
    path: PathBuf,
    /// Which file was opened at `path`.
    file: FileId,
    writer: Mutex<Writer>,
    readers: ThreadLocal<RefCell<Connection>>,
    known: Known,
}

struct Writer {
    db: Connection,
    /// `pragma data_version`, which changes when another program writes.
    version: i64,
}

impl Writer {
    fn new(db: Connection) -> rusqlite::Result<Writer> {
        let mut writer = Writer { db, version: 0 };
        writer.others_wrote()?;
        Ok(writer)
    }

    /// Whether another program has written since the last time.
    fn others_wrote(&mut self) -> rusqlite::Result<bool> {
        let sql = "select data_version from pragma_data_version";
        let version = self
            .db
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?;
        Ok(std::mem::replace(&mut self.version, version) != version)
    }
}

/// How far [`Store::remember`] has come.
pub struct Remembered {
    /// Licenses with ids from here on are remembered.
    before: i64,
    number: usize,
}

impl Remembered {
    /// None yet.
    pub const NOTHING: Remembered = Remembered {
        before: i64::MAX,
        number: 0,
    };
}

/// A transaction that writes, and whose licenses it has changed so far.
pub struct Writing<'a> {
    transaction: Transaction<'a>,
    touched: RefCell<Vec<Pair>>,
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

impl Writing<'_> {
    fn touch(&self, tool_name: &str, license_key: &str) {
        let pair = (tool_name.to_owned(), license_key.to_owned());
        self.touched.borrow_mut().push(pair);
    }
}

impl Store {
    /// Opens the database in `folder`, after a check that it is whole.
    pub fn open(folder: &Path, missing: Missing) -> Result<Store, Refusal> {
        let path = folder.join("licenses.db");
        let writer = open::writer(folder, &path, missing)?;
        let file = open::file_id(&path)
            .map_err(|e| Refusal(format!("The database {} is gone: {e}.", path.display())))?;
        let licenses = licenses::count_all(&writer).map_err(Error::from)?;
        let writer = Writer::new(writer).map_err(Error::from)?;
        Ok(Store {
            path,
            file,
            writer: Mutex::new(writer),
            readers: ThreadLocal::new(),
            known: Known::of(licenses),
        })
    }

    /// What the verdict on a license depends on, from memory or from the disk.
    pub fn judged(&self, question: &Question<'_>) -> Result<Option<Judged>, Error> {
        let (tool_name, license_key) = (question.tool_name, &*question.license_key);
        if let Some(judged) = self.known.get(tool_name, license_key) {
            return Ok(Some(judged));
        }
        let moment = self.known.moment();
        let judged = self.read(|db| licenses::judged(db, question))?;
        if let Some(judged) = judged {
            let read = [(tool_name, license_key, judged)];
            self.known.put(&moment, read.into_iter());
        }
        Ok(judged)
    }

    /// Remembers some more licenses, newest first; returns where to go on, or none when all are
    /// remembered, or as many as there is room for.
    pub fn remember(&self, from: Remembered) -> Result<Option<Remembered>, Error> {
        let Remembered { before, number } = from;
        if number >= self.known.room() {
            return Ok(None);
        }
        loop {
            let moment = self.known.moment();
            let rows = self.read(|db| licenses::all_judged(db, before, REMEMBERED_AT_ONCE))?;
            let read = rows.iter().filter_map(|(_, read)| read.as_ref());
            let read = read.map(|(tool, key, judged)| (&**tool, &**key, *judged));
            if self.known.put(&moment, read) {
                return Ok(rows.last().map(|(id, _)| Remembered {
                    before: *id,
                    number: number + rows.len(),
                }));
            }
        }
    }

    /// Runs `read` on this thread's own connection; every statement sees one moment only by itself.
    pub fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let reader = self.readers.get_or_try(|| {
            let reader = open::reader(&self.path)?;
            self.still_there()?;
            Ok::<_, Error>(RefCell::new(reader))
        })?;
        Ok(read(&reader.borrow())?)
    }

    /// [`Store::read`] in one transaction: all statements see the same moment.
    pub fn read_at_once<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.read(|db| {
            let transaction = db.unchecked_transaction()?;
            let value = read(&transaction)?;
            transaction.commit()?;
            Ok(value)
        })
    }

    /// Forgets what is remembered if another program has written; says whether it has.
    pub fn forget_if_others_wrote(&self) -> Result<bool, Error> {
        let others_wrote = self.writer.lock().others_wrote()?;
        if others_wrote {
            self.known.forget_all();
        }
        Ok(others_wrote)
    }

    /// Runs `write` in one transaction, which is on the disk when this returns; an error undoes it.
    pub fn write<T>(
        &self,
        write: impl FnOnce(&Writing<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let watch = Stopwatch::start();
        let mut writer = self.writer()?;
        self.write_by(&mut writer, &watch, write)
    }

    /// [`Store::write`] of very much: meanwhile the writer keeps more of the database in memory.
    pub fn write_much<T>(
        &self,
        write: impl FnOnce(&Writing<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let watch = Stopwatch::start();
        let mut writer = self.writer()?;
        let usual: i64 = writer
            .db
            .query_row("pragma cache_size", [], |row| row.get(0))?;
        writer.db.pragma_update(None, "cache_size", MUCH)?;
        let written = self.write_by(&mut writer, &watch, write);
        writer.db.pragma_update(None, "cache_size", usual)?;
        writer.db.execute_batch("pragma shrink_memory")?;
        written
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, Error> {
        self.writer.try_lock_for(WRITE_WAIT).ok_or_else(|| {
            Error::Unavailable("another write has held the database too long".into())
        })
    }

    fn write_by<T>(
        &self,
        writer: &mut Writer,
        watch: &Stopwatch,
        write: impl FnOnce(&Writing<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // One wait for both: for the other writes of this process, and for other processes.
        let writer = &mut writer.db;
        writer.busy_timeout(WRITE_WAIT.saturating_sub(watch.elapsed()))?;
        self.still_there()?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let writing = Writing {
            transaction,
            touched: RefCell::default(),
        };
        let value = write(&writing)?;
        let Writing {
            transaction,
            touched,
        } = writing;
        // Also where the commit fails: it may have been carried out all the same.
        let committed = transaction.commit();
        self.known.forget(&touched.into_inner());
        committed?;
        Ok(value)
    }

    /// Lets the writer keep more of the database in memory, for as long as this program runs: for
    /// commands that write very much.
    pub fn expect_much(&self) -> Result<(), Error> {
        Ok(self
            .writer
            .lock()
            .db
            .pragma_update(None, "cache_size", -256 * 1024)?)
    }

    /// SQLite goes on with a file that was removed or replaced: what is written there is lost.
    fn still_there(&self) -> Result<(), Error> {
        match open::file_id(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => Err(Error::Unavailable(format!(
                "the database {} is another file than at the start; start the server again",
                self.path.display()
            ))),
            Err(e) => Err(Error::Unavailable(format!(
                "the database {}: {e}",
                self.path.display()
            ))),
        }
    }

    /// Moves what is in the write-ahead log into the database file.
    pub fn checkpoint(&self) -> Result<(), Error> {
        Ok(self
            .writer
            .lock()
            .db
            .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?)
    }
}

/// Every fault of the database is "cannot answer now": never a verdict, never a missing row.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        Error::Unavailable(format!("database: {error}"))
    }
}

/// A stored value that cannot be read is a fault of the row, not a value.
fn unreadable(column: usize, text: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        rusqlite::types::Type::Text,
        format!("the stored value `{text}` cannot be read").into(),
    )
}

/// A column of Unix seconds.
fn moment(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<OffsetDateTime> {
    let seconds: i64 = row.get(column)?;
    OffsetDateTime::from_unix_timestamp(seconds)
        .map_err(|_| unreadable(column, &seconds.to_string()))
}
