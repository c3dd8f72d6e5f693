//! Which `licenses.db-wal` belongs to which database: a mark in the file, and the same mark beside it.
//!
//! Both change whenever the log is moved into the file, so that an older copy of the file has another mark
//! than the log that a crash left. Our backups have one of their own. Only a copy that another program made since the
//! last change of the mark cannot be told apart.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::db::{self, Db};
use super::personal::{SALT, salt};
use crate::error::Error;

/// The marks that the database file may have, separated by blanks.
pub(super) const BESIDE: &str = "mark";

/// SQLite's write-ahead log.
pub(super) fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

/// Length and time of the log's last change; none if there is no log or it is empty.
pub(super) type LogState = Option<(u64, SystemTime)>;

pub(super) fn log_state(path: &Path) -> LogState {
    let log = fs::metadata(log_of(path)).ok()?;
    (log.len() > 0).then_some((log.len(), log.modified().ok()?))
}

/// Whether the log beside the database shows by its mark that it belongs to another one. Without a log, the
/// file's mark is written beside it: SQLite is going to create one.
pub(super) fn is_log_foreign(folder: &Path, path: &Path) -> std::io::Result<bool> {
    let beside = marks_beside(folder);
    let in_file = mark_in_file(path);
    let is_known = in_file.iter().all(|mark| beside.contains(mark));
    if log_state(path).is_some() {
        return Ok(!is_known && !beside.is_empty());
    }
    if !is_known {
        write_beside(folder, in_file.as_deref().unwrap_or_default())?;
    }
    Ok(false)
}

/// None if they cannot be read, for example after a power failure.
fn marks_beside(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join(BESIDE)).unwrap_or_default();
    let marks: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let is_mark = |mark: &String| mark.len() == SALT && !mark.contains(char::is_control);
    match marks.iter().all(is_mark) {
        true => marks,
        false => vec![],
    }
}

/// The mark as it is in the file itself; none if it has none or cannot be read.
fn mark_in_file(path: &Path) -> Option<String> {
    current(&without_log(path).ok()?).ok().flatten()
}

/// Reads the file itself, without its log and without touching anything.
pub(super) fn without_log(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(immutable(path), flags)
}

/// As a URI for SQLite: an immutable file is read without its log.
pub(super) fn immutable(path: &Path) -> String {
    let name = path.to_string_lossy().replace('%', "%25");
    let name = name.replace('?', "%3f").replace('#', "%23");
    format!("file:{name}?immutable=1")
}

/// A change that is written to the log, whose content does not matter.
pub(super) fn write_and_remove(db: &Db) -> db::Result<()> {
    db.run("insert into file_marks (id, mark) values (2, '')", &[])?;
    db.run("delete from file_marks where id = 2", &[])?;
    Ok(())
}

/// Gives a copy a mark of its own.
pub(super) fn renew(copy: &Path) -> Result<(), Error> {
    let db = Connection::open(copy)?;
    db.pragma_update(None, "journal_mode", "memory")?;
    set(&db, &salt()?)?;
    Ok(())
}

fn set(db: &Connection, mark: &str) -> rusqlite::Result<usize> {
    db.execute(
        "insert into file_marks (id, mark) values (1, ?1)
         on conflict (id) do update set mark = excluded.mark",
        [mark],
    )
}

fn current(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.query_row("select mark from file_marks where id = 1", [], |row| {
        row.get(0)
    })
    .optional()
}

/// Moves the log into the file, and gives both a new mark.
pub(super) fn settle(db: &Connection, folder: &Path) -> Result<(), Error> {
    let fault = |e: std::io::Error| Error::Unavailable(format!("the file {BESIDE}: {e}"));
    let mark = salt()?;
    let before = current(db)?.unwrap_or_default();
    let beside = marks_beside(folder);
    // Until the log has been moved as a whole, the file may have any of them.
    let is_moved =
        beside.iter().all(|known| *known == before) && beside.is_empty() == before.is_empty();
    if is_moved {
        write_beside(folder, format!("{before} {mark}").trim()).map_err(fault)?;
        match set(db, &mark) {
            // Another process is writing; the next time will do.
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => return Ok(()),
            written => written?,
        };
    }
    let (busy, all, moved): (i64, i64, i64) =
        db.query_row("pragma wal_checkpoint(passive)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    if busy == 0 && all == moved {
        let mark = if is_moved { mark } else { before };
        write_beside(folder, &mark).map_err(fault)?;
    }
    Ok(())
}

fn write_beside(folder: &Path, marks: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(folder.join(BESIDE))?;
    file.write_all(marks.as_bytes())?;
    file.sync_all()?;
    File::open(folder)?.sync_all()
}
