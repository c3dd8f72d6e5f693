//! SQLite's file, as this process has it open.

use std::cell::RefCell;
use std::fs::File;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use thread_local::ThreadLocal;

use super::db::{self, Db};
use super::open::{self, Access, FileId};
use crate::error::{Error, Refusal};

pub(super) struct DatabaseFile {
    pub(super) path: PathBuf,
    /// Which file was opened at `path`.
    file: FileId,
    /// None for a database that is only read.
    _in_use: Option<File>,
    /// How threads read.
    access: Access,
    readers: ThreadLocal<RefCell<Db>>,
    /// For [`super::Store::purge`]; dropped after every connection.
    pub(super) raw: Mutex<Option<File>>,
}

impl DatabaseFile {
    pub(super) fn new(
        path: PathBuf,
        access: Access,
        in_use: Option<File>,
    ) -> Result<DatabaseFile, Refusal> {
        let file = open::file_id(&path)
            .map_err(|e| Refusal(format!("The database {} is gone: {e}.", path.display())))?;
        Ok(DatabaseFile {
            path,
            file,
            _in_use: in_use,
            access,
            readers: ThreadLocal::new(),
            raw: Mutex::default(),
        })
    }

    /// On this thread's own connection.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Db) -> db::Result<T>) -> Result<T, Error> {
        let reader = self.readers.get_or_try(|| {
            let reader = open::reader(&self.path, self.access)?;
            self.check()?;
            Ok::<_, Error>(RefCell::new(Db::Sqlite(reader)))
        })?;
        Ok(read(&reader.borrow())?)
    }

    /// SQLite keeps using a file that was removed or replaced: what is written there is lost.
    pub(super) fn check(&self) -> Result<(), Error> {
        match open::file_id(&self.path) {
            Ok(file) if file == self.file => Ok(()),
            Ok(_) => Err(Error::Unavailable(format!(
                "the database {} is not the file it was at the start; restart the server",
                self.path.display()
            ))),
            Err(e) => Err(Error::Unavailable(format!(
                "the database {}: {e}",
                self.path.display()
            ))),
        }
    }

    pub(super) fn is_at(&self, path: &Path) -> bool {
        open::file_id(path).is_ok_and(|file| file == self.file)
    }
}
