//! A copy of the database in one file, made beside running writes.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode, InterruptHandle};

use super::db::{Db, DbError};
use super::{Engine, Store, WRITE_WAIT, disk_space, mark, open, transfer};
use crate::error::{Error, Refusal};

/// Ends a copy or its proof from another thread.
#[derive(Default)]
pub struct Halt {
    is_set: AtomicBool,
    running: Mutex<Option<InterruptHandle>>,
}

impl Halt {
    pub fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
        if let Some(running) = &*self.running.lock() {
            running.interrupt();
        }
    }

    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    pub(super) fn watch(&self, db: &Connection) {
        *self.running.lock() = Some(db.get_interrupt_handle());
        if self.is_set() {
            db.get_interrupt_handle().interrupt();
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match self.is_set() {
            true => Err(Error::Unavailable("it was interrupted".into())),
            false => Ok(()),
        }
    }
}

/// A file that is not complete yet; removed unless it is kept.
pub struct Part(PathBuf);

impl Part {
    /// An empty file that only this user can read, in place of one that an earlier attempt left.
    pub fn create(path: PathBuf) -> std::io::Result<Part> {
        for end in ["", "-journal", "-wal", "-shm"] {
            match fs::remove_file(beside(&path, end)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                Ok(()) | Err(_) => {}
            }
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Part(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Durably gives it its final name, in the same folder.
    pub fn keep(self, path: &Path) -> std::io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        fs::rename(&self.0, path)?;
        File::open(folder_of(path))?.sync_all()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Not there once it was kept.
        drop(fs::remove_file(&self.0));
    }
}

/// `FILE-wal` and the like.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// The folder that a relative name without one is in, too.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
        Some(folder) => folder,
        None => path,
    }
}

impl Store {
    /// Copies the database as it is at one moment. Others can write meanwhile.
    pub fn copy_into(&self, part: &Part, halt: &Halt) -> Result<(), Error> {
        let file = match &self.engine {
            Engine::Sqlite(file) => file,
            Engine::Postgres(postgres) => {
                read_into(&*postgres.free()?, part, halt)?;
                return mark::renew(part.path());
            }
        };
        let db = open::reader(&file.path, open::Access::Shared)?;
        file.check()?;
        let path = part.path().to_str().ok_or_else(|| {
            Error::Unavailable("the name of the file is not UTF-8; choose another one".into())
        })?;
        halt.watch(&db);
        halt.check()?;
        let folder = folder_of(part.path());
        let disk = disk_space(folder).map_err(|e| Error::Unavailable(e.to_string()))?;
        if let Some(words) = disk.lack_of_room(size_of_copy(&db)?) {
            return Err(Error::Unavailable(format!(
                "the disk of {} {words}; make room there, or choose another disk",
                folder.display()
            )));
        }
        match db.execute("vacuum into ?1", [path]) {
            Ok(_) => mark::renew(part.path()),
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                Err(Error::Unavailable(format!(
                    "meanwhile the disk of {} has become full; make room there, or choose another disk",
                    folder.display()
                )))
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Where a copy can wait to be sent.
    pub fn part_of_copy(&self) -> PathBuf {
        self.folder.join("backup.part")
    }

    /// Whether a file of this name would take the place of the database or of its log.
    pub fn is_own(&self, path: &Path) -> bool {
        let folders = [folder_of(path), &self.folder].map(|folder| folder.canonicalize().ok());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_same_file = matches!(&self.engine, Engine::Sqlite(file) if file.is_at(path));
        is_same_file || folders[0] == folders[1] && name.starts_with("licenses.db")
    }
}

/// The content of another database, as it is at one moment.
fn read_into(from: &Db, part: &Part, halt: &Halt) -> Result<(), Error> {
    let mut copy = Connection::open(part.path())?;
    copy.pragma_update(None, "journal_mode", "off")?;
    copy.pragma_update(None, "synchronous", "off")?;
    open::migrate(&mut copy, 0)?;
    halt.watch(&copy);
    let copy = Db::Sqlite(copy);
    from.begin_read()?;
    copy.begin_write(WRITE_WAIT)?;
    // An interrupt ends only a statement that is running.
    let goes_on = || match halt.is_set() {
        true => Err(DbError::Refused("it was interrupted")),
        false => Ok(()),
    };
    let copied = transfer::copy(from, &copy, &goes_on).and_then(|()| copy.commit());
    from.roll_back();
    Ok(copied?)
}

/// In bytes, at most: a copy has no empty pages.
fn size_of_copy(db: &Connection) -> rusqlite::Result<u64> {
    let pages = "select (page_count - freelist_count) * page_size
         from pragma_page_count, pragma_freelist_count, pragma_page_size";
    let bytes: i64 = db.query_row(pages, [], |row| row.get(0))?;
    Ok(bytes.unsigned_abs())
}

/// Why a file with a log is not a backup: its newest changes are there.
pub fn log_beside(path: &Path) -> Option<String> {
    let log = beside(path, "-wal");
    let has_log = fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    has_log.then(|| {
        format!(
            "its newest changes are in {} beside it, so it is a copied database and not a backup; put both into a \
             folder as licenses.db and licenses.db-wal, name that folder in `data_dir`, and use `license-server \
             backup`",
            log.display()
        )
    })
}

/// A file that cannot be written or read, for the person who named it.
pub fn unusable(path: &Path, error: &std::io::Error) -> Refusal {
    Refusal(format!("The file {}: {error}.", path.display()))
}
