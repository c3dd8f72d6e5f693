//! All SQL and nothing but SQL: one file per table, statement and row mapping side by side.
//!
//! One writer, many readers: every thread reads over a read-only connection of its own.

pub mod audit;
pub mod licenses;
mod open;
pub mod sessions;
pub mod tokens;
pub mod tools;
pub mod users;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use thread_local::ThreadLocal;
use time::OffsetDateTime;

use crate::clock::Stopwatch;
use crate::error::{Error, Refusal};

use open::FileId;
pub use open::Missing;

/// How long a write waits for another before it is given up with 503.
const WRITE_WAIT: Duration = Duration::from_secs(5);

/// The database.
pub struct Store {
    path: PathBuf,
    /// Which file was opened at `path`.
    file: FileId,
    writer: Mutex<Connection>,
    readers: ThreadLocal<RefCell<Connection>>,
}

impl Store {
    /// Opens the database in `folder`, after a check that it is whole.
    pub fn open(folder: &Path, missing: Missing) -> Result<Store, Refusal> {
        let path = folder.join("licenses.db");
        let writer = open::writer(folder, &path, missing)?;
        let file = open::file_id(&path)
            .map_err(|e| Refusal(format!("The database {} is gone: {e}.", path.display())))?;
        Ok(Store {
            path,
            file,
            writer: Mutex::new(writer),
            readers: ThreadLocal::new(),
        })
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

    /// Runs `write` in one transaction, which is on the disk when this returns; an error undoes it.
    pub fn write<T>(
        &self,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let watch = Stopwatch::start();
        let mut writer = self.writer.try_lock_for(WRITE_WAIT).ok_or_else(|| {
            Error::Unavailable("another write has held the database too long".into())
        })?;
        // One wait for both: for the other writes of this process, and for other processes.
        writer.busy_timeout(WRITE_WAIT.saturating_sub(watch.elapsed()))?;
        self.still_there()?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = write(&transaction)?;
        transaction.commit()?;
        Ok(value)
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
