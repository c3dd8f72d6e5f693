//! Opening the database: made from `schema.sql` when it is new, refused when it is not ours.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::WRITE_WAIT;
use crate::error::Refusal;

const SCHEMA: &str = include_str!("../../schema.sql");

/// What `pragma user_version` says of a database with the present schema.
const VERSION: i64 = 1;

/// What `pragma application_id` says of ours: "LSRV".
const APPLICATION_ID: i64 = 0x4c53_5256;

/// The steps that lead an older database here: the first makes version 2 of version 1.
const MIGRATIONS: [&str; 0] = [];

/// How long a read waits where even a reader must: short, it may stand on an async thread.
const READ_WAIT: Duration = Duration::from_millis(200);

pub(super) fn writer(folder: &Path, path: &Path) -> Result<Connection, Refusal> {
    let _lock = private_folder(folder)
        .and_then(|()| lock(folder))
        .map_err(|e| {
            let folder = folder.display();
            Refusal(format!(
                "The setting `data_dir` is `{folder}`, a folder that cannot be written: {e}; \
                 give this user the right to write there or choose another folder."
            ))
        })?;
    let refuse = |detail: String| {
        Refusal(format!(
            "The database {} cannot be opened: {detail}.",
            path.display()
        ))
    };
    private_file(path).map_err(|e| refuse(e.to_string()))?;
    let mut db = Connection::open(path).map_err(|e| refuse(e.to_string()))?;
    configure(&db).map_err(|e| refuse(e.to_string()))?;
    migrate(&mut db).map_err(refuse)?;
    Ok(db)
}

pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(READ_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// `synchronous=full`: a power cut must not lose what was acknowledged.
fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(WRITE_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", "on")
}

fn migrate(db: &mut Connection) -> Result<(), String> {
    let text = |e: rusqlite::Error| e.to_string();
    let number = |db: &Connection, name| {
        db.pragma_query_value(None, name, |row| row.get(0))
            .map_err(text)
    };
    let version: i64 = number(db, "user_version")?;
    let application: i64 = number(db, "application_id")?;
    let objects = "select count(*) from sqlite_schema";
    let is_empty = db
        .query_row(objects, [], |row| row.get::<_, i64>(0))
        .map_err(text)?
        == 0;
    let steps: Vec<&str> = match version {
        0 if is_empty => vec![SCHEMA],
        _ if application != APPLICATION_ID => {
            return Err(
                "it belongs to another program; move it away or choose another `data_dir`".into(),
            );
        }
        1..=VERSION => MIGRATIONS.into_iter().skip(version as usize - 1).collect(),
        _ => {
            return Err(format!(
                "it is of version {version} and this program knows version {VERSION}; \
                 start the newer program that wrote it"
            ));
        }
    };
    let transaction = db.transaction().map_err(text)?;
    for step in steps {
        transaction.execute_batch(step).map_err(text)?;
    }
    transaction
        .pragma_update(None, "user_version", VERSION)
        .map_err(text)?;
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .map_err(text)?;
    transaction.commit().map_err(text)
}

fn private_folder(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    Ok(())
}

/// Two first starts at once must not both make the schema; the lock ends with the file handle.
fn lock(folder: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join("lock"))?;
    file.lock()?;
    Ok(file)
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
