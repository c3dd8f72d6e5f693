//! Opening the database: made from `schema.sql` when it is new, refused when it is not ours.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{WRITE_WAIT, search};
use crate::error::Refusal;

/// Held while the database is opened; its content says that there was one.
const LOCK: &str = "lock";

const SCHEMA: &str = include_str!("../../schema.sql");

/// What `pragma user_version` says of a database with the present schema.
const VERSION: i64 = 6;

/// What `pragma application_id` says of ours: "LSRV".
const APPLICATION_ID: i64 = 0x4c53_5256;

/// The steps that lead an older database here: the first makes version 2 of version 1.
const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
];

/// How long a read waits where even a reader must: short, it may stand on an async thread.
const READ_WAIT: Duration = Duration::from_millis(200);

/// Whether a database may be made where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// A first start.
    Make,
    /// A command that needs what is there.
    Refuse,
}

pub(super) fn writer(folder: &Path, path: &Path, missing: Missing) -> Result<Connection, Refusal> {
    if missing == Missing::Refuse && !path.exists() {
        return Err(Refusal(format!(
            "The setting `data_dir` is `{}`, where there is no database; name the folder of the server.",
            folder.display()
        )));
    }
    let mut lock = private_folder(folder)
        .and_then(|()| lock(folder))
        .map_err(|e| {
            Refusal(format!(
                "The setting `data_dir` is `{}`, a folder that cannot be written: {e}; \
             give this user the right to write there or choose another folder.",
                folder.display()
            ))
        })?;
    let refuse = |detail: String| {
        Refusal(format!(
            "The database {} cannot be used: {detail}.",
            path.display()
        ))
    };
    let io = |e: std::io::Error| refuse(e.to_string());
    let had_one = is_initialized(&mut lock).map_err(io)?;
    if had_one && !path.exists() {
        return Err(refuse(
            "it is missing, though this folder had one; put it back from a backup, or remove the file \
             `lock` beside it to begin anew without it"
                .into(),
        ));
    }
    private_file(path).map_err(io)?;
    let mut db = Connection::open(path).map_err(|e| refuse(damaged(&e)))?;
    let steps = steps(&db).map_err(refuse)?;
    if had_one && steps.first() == Some(&SCHEMA) {
        return Err(refuse(
            "it is empty, though this folder had one with content; put a backup in its place"
                .into(),
        ));
    }
    configure(&db).map_err(|e| refuse(damaged(&e)))?;
    quick_check(&db).map_err(refuse)?;
    migrate(&mut db, steps).map_err(|e| refuse(damaged(&e)))?;
    mark_initialized(&mut lock, folder).map_err(io)?;
    Ok(db)
}

fn damaged(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => format!(
            "it is damaged or no database ({error}); put a backup in its place, or save what can be \
             read with `sqlite3 FILE .recover`"
        ),
        _ => error.to_string(),
    }
}

fn quick_check(db: &Connection) -> Result<(), String> {
    let found: String = db
        .query_row("pragma quick_check(1)", [], |row| row.get(0))
        .map_err(|e| damaged(&e))?;
    if found == "ok" {
        return Ok(());
    }
    Err(format!(
        "it is damaged ({}); put a backup in its place, or save what can be read with \
         `sqlite3 FILE .recover`",
        found.replace('\n', " ")
    ))
}

pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(READ_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    search::add_functions(&db)?;
    Ok(db)
}

/// `synchronous=full`: a power cut must not lose what was acknowledged.
fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(WRITE_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    search::add_functions(db)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", "on")
}

/// What leads the database to the present schema; nothing was written to it before this is known.
fn steps(db: &Connection) -> Result<Vec<&'static str>, String> {
    let number = |sql| {
        db.query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|e| damaged(&e))
    };
    let version = number("select user_version from pragma_user_version")?;
    let application = number("select application_id from pragma_application_id")?;
    match version {
        0 if number("select count(*) from sqlite_schema")? == 0 => Ok(vec![SCHEMA]),
        _ if application != APPLICATION_ID => {
            Err("it belongs to another program; move it away or choose another `data_dir`".into())
        }
        1..=VERSION => Ok(MIGRATIONS.into_iter().skip(version as usize - 1).collect()),
        _ => Err(format!(
            "it is of version {version} and this program knows version {VERSION}; \
             start the newer program that wrote it"
        )),
    }
}

fn migrate(db: &mut Connection, steps: Vec<&str>) -> rusqlite::Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()
}

/// 0700 where the folder is new, empty or already ours; a folder that others use stays as it is.
fn private_folder(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        let path = std::path::absolute(folder)?;
        let made: Vec<&Path> = path.ancestors().take_while(|f| !f.exists()).collect();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        // A power cut must not take a new folder's name away, and with it all that was promised.
        let mut above = made.into_iter().filter_map(Path::parent);
        return above.try_for_each(|folder| File::open(folder)?.sync_all());
    }
    if folder.join(LOCK).exists() || fs::read_dir(folder)?.next().is_none() {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Two first starts at once must not both make the schema; the lock ends with the file handle.
fn lock(folder: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(folder.join(LOCK))?;
    file.lock()?;
    Ok(file)
}

fn is_initialized(lock: &mut File) -> std::io::Result<bool> {
    let mut content = String::new();
    lock.read_to_string(&mut content)?;
    Ok(!content.is_empty())
}

/// From now on a missing database is an error. A power cut must not take the new files' names away.
fn mark_initialized(lock: &mut File, folder: &Path) -> std::io::Result<()> {
    lock.rewind()?;
    lock.write_all(b"This folder has a database; without it the server does not start.\n")?;
    lock.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Device and number: another file at the same path has others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

pub(super) fn file_id(path: &Path) -> std::io::Result<FileId> {
    let file = fs::metadata(path)?;
    Ok(FileId(file.dev(), file.ino()))
}

/// SQLite gives its `-wal` and `-shm` files the mode of the database.
fn private_file(path: &Path) -> std::io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}
