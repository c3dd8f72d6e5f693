//! Puts a restored database in the place of the previous one, while nobody uses the folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::copy::{Part, beside, unusable};
use super::db::Db;
use super::postgres::Postgres;
use super::{DATABASE, WRITE_WAIT, WriteTx, mark, open};
use crate::clock::Stopwatch;
use crate::config::PostgresUrl;
use crate::error::{Error, Refusal};

/// A data folder that no server and no command uses as long as this exists.
pub struct UnusedFolder {
    folder: PathBuf,
    path: PathBuf,
    _lock: File,
}

impl UnusedFolder {
    /// Makes the folder if it is missing.
    pub fn take(folder: &Path) -> Result<UnusedFolder, Refusal> {
        let refuse = |e: std::io::Error| {
            Refusal(format!(
                "The setting `data_dir` is `{}`, a folder that cannot be written: {}.",
                folder.display(),
                open::with_owner(folder, &e)
            ))
        };
        open::private_folder(folder).map_err(refuse)?;
        let lock = open::try_lock(&folder.join(open::IN_USE)).map_err(refuse)?;
        let lock = lock.ok_or_else(|| {
            Refusal(format!(
                "A server or another command is using the folder {}; stop the server first.",
                folder.display()
            ))
        })?;
        Ok(UnusedFolder {
            folder: folder.to_owned(),
            path: folder.join(DATABASE),
            _lock: lock,
        })
    }

    /// The database or a log without one.
    pub fn data(&self) -> Option<PathBuf> {
        let has_log = mark::log_state(&self.path).is_some();
        match fs::symlink_metadata(&self.path) {
            Ok(_) => Some(self.path.clone()),
            Err(_) => has_log.then(|| mark::log_of(&self.path)),
        }
    }

    /// For the database that is being read in.
    pub fn part(&self) -> Result<Part, Refusal> {
        let path = beside(&self.path, ".part");
        Part::create(path.clone()).map_err(|e| unusable(&path, &e))
    }

    /// Changes it, after the same steps of the schema as at a start. It is one file afterwards.
    pub fn write<T>(
        &self,
        part: &Part,
        write: impl FnOnce(&WriteTx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut db = Connection::open(part.path())?;
        db.pragma_update(None, "journal_mode", "memory")?;
        let version = open::version(&db).map_err(Error::Unavailable)?;
        open::migrate(&mut db, version)?;
        let db = Db::Sqlite(db);
        let tx = WriteTx::begin(&db, &Stopwatch::start(), WRITE_WAIT)?;
        let value = write(&tx)?;
        tx.commit()?;
        Ok(value)
    }

    /// Returns the new name of the previous database, whose log keeps its name beside it.
    pub fn swap(self, part: Part, stamp: &str) -> Result<Option<PathBuf>, Refusal> {
        let before = beside(&self.path, &format!(".before-{stamp}"));
        let had_data = self.data().is_some();
        if had_data && before.exists() {
            return Err(Refusal(format!(
                "There is already a file {}; try again in a second.",
                before.display()
            )));
        }
        // In this order: a start in between finds no database and refuses, and nothing is lost.
        rename(&self.path, &before)?;
        rename(&mark::log_of(&self.path), &beside(&before, "-wal"))?;
        for leftover in [
            "licenses.db-shm",
            "licenses.db-journal",
            mark::BESIDE,
            open::CLEAN,
        ] {
            let path = self.folder.join(leftover);
            unless_missing(fs::remove_file(&path)).map_err(|e| unusable(&path, &e))?;
        }
        part.keep(&self.path)
            .map_err(|e| unusable(&self.path, &e))?;
        Ok(had_data.then_some(before))
    }
}

/// Puts a copy into a database of PostgreSQL, which is empty.
pub fn fill(copy: &Part, url: &PostgresUrl) -> Result<(), Refusal> {
    let file = mark::without_log(copy.path()).map_err(Error::from)?;
    Postgres::fill(url, &Db::Sqlite(file))
}

/// Refuses a database of PostgreSQL that a server or another command is using.
pub fn refuse_in_use(url: &PostgresUrl) -> Result<(), Refusal> {
    Postgres::refuse_in_use(url)
}

fn rename(from: &Path, to: &Path) -> Result<(), Refusal> {
    unless_missing(fs::rename(from, to)).map_err(|e| unusable(from, &e))
}

fn unless_missing(done: std::io::Result<()>) -> std::io::Result<()> {
    match done {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}
