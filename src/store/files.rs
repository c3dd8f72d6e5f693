//! The sizes of the files, and a write that shows whether the database can be written.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::{Engine, Store, mark};
use crate::error::Error;
use crate::model::readiness::DiskSpace;

/// How long the trial waits for other writes; between two chunks of an import there is always time.
const TRIAL_WAIT: Duration = Duration::from_secs(1);

/// In bytes.
#[derive(Debug, Clone, Copy)]
pub struct FileSizes {
    pub database: u64,
    pub log: u64,
}

impl Store {
    pub fn file_sizes(&self) -> Result<FileSizes, Error> {
        match &self.engine {
            Engine::Sqlite(file) => Ok(FileSizes {
                database: length(&file.path)?,
                log: length(&mark::log_of(&file.path))?,
            }),
            Engine::Postgres(_) => {
                let sql = "select pg_database_size(current_database())";
                let bytes: i64 = self.read(|db| db.one(sql, &[], |row| row.get(0)))?;
                Ok(FileSizes {
                    database: bytes.unsigned_abs(),
                    log: 0,
                })
            }
        }
    }

    /// Of the disk that the data folder is on.
    pub fn disk_space(&self) -> Result<DiskSpace, Error> {
        disk_space(&self.folder)
            .map_err(|e| Error::Unavailable(format!("the free space of the disk: {e}")))
    }

    /// Writes durably, and leaves nothing.
    pub fn try_write(&self) -> Result<(), Error> {
        self.write_within(TRIAL_WAIT, |db| Ok(mark::write_and_remove(db)?))
    }
}

/// Of the disk that the folder is on.
pub fn disk_space(folder: &Path) -> std::io::Result<DiskSpace> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(DiskSpace {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        total: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

/// A file that is not there is empty.
fn length(path: &Path) -> Result<u64, Error> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.len()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(Error::Unavailable(format!("a file of the database: {e}"))),
    }
}
