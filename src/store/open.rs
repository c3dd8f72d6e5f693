//! Opening the database: created by the steps in `schema` when it is new, refused when it is not
//! ours.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{WRITE_WAIT, mark};
use crate::error::Refusal;

/// Locked while the database is opened; its content says that one was created.
pub(super) const LOCK: &str = "lock";

/// Locked by every process that uses the folder, together, for as long as it runs; a restore locks it alone.
pub(super) const IN_USE: &str = "server.lock";

/// A new installation has no file.
const EMPTY: &str = "it is empty; use `license-server restore --replace BACKUP`, or remove it to begin \
                     anew";

const FOREIGN_LOG: &str = "licenses.db-wal beside it belongs to the previous database; if this file is a backup that you \
                           put there, remove licenses.db-wal and licenses.db-shm";

/// The steps that lead to the current schema: the first creates version 1 from nothing.
pub(super) const STEPS: [&str; 18] = [
    include_str!("schema/001.sql"),
    include_str!("schema/002.sql"),
    include_str!("schema/003.sql"),
    include_str!("schema/004.sql"),
    include_str!("schema/005.sql"),
    include_str!("schema/006.sql"),
    include_str!("schema/007.sql"),
    include_str!("schema/008.sql"),
    include_str!("schema/009.sql"),
    include_str!("schema/010.sql"),
    include_str!("schema/011.sql"),
    include_str!("schema/012.sql"),
    include_str!("schema/013.sql"),
    include_str!("schema/014.sql"),
    include_str!("schema/015.sql"),
    include_str!("schema/016.sql"),
    include_str!("schema/017.sql"),
    include_str!("schema/018.sql"),
];

/// The number of the current schema.
pub const SCHEMA: usize = STEPS.len();

/// Our `pragma application_id`: "LSRV".
pub(super) const APPLICATION_ID: i64 = 0x4c53_5256;

/// Written at a clean stop: identifies the file that is known to be intact.
pub(super) const CLEAN: &str = "clean";

/// How long a read waits in the cases in which even a reader must: short, because it may block an
/// async thread.
const READ_WAIT: Duration = Duration::from_millis(200);

/// Whether a database may be created if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// On a first start.
    Make,
    /// For a command that needs existing data.
    Refuse,
}

/// The connection that writes, and what keeps a restore away.
pub(super) fn writer(
    folder: &Path,
    path: &Path,
    missing: Missing,
) -> Result<(Connection, File), Refusal> {
    if missing == Missing::Refuse && !path.exists() {
        return Err(no_database(folder));
    }
    private_folder(folder).map_err(|e| {
        Refusal(format!(
            "The setting `data_dir` is `{}`, a folder that cannot be written: {}; \
             give this user the right to write there or choose another folder.",
            folder.display(),
            with_owner(folder, &e)
        ))
    })?;
    let in_use = in_use(folder)?;
    let mut lock = lock(folder).map_err(|e| {
        let file = folder.join(LOCK);
        Refusal(format!(
            "The file {} cannot be opened: {}.",
            file.display(),
            with_owner(&file, &e)
        ))
    })?;
    let refuse = |detail: String| {
        Refusal(format!(
            "The database {} cannot be used: {detail}.",
            path.display()
        ))
    };
    let io = |e: std::io::Error| refuse(with_owner(path, &e));
    let had_one = is_initialized(&mut lock).map_err(io)?;
    match fs::symlink_metadata(path) {
        Ok(file) if file.is_symlink() => {
            return Err(refuse(
                "it is a symbolic link; put the file itself there, or name its folder in `data_dir`"
                    .into(),
            ));
        }
        Ok(file) if file.len() == 0 => return Err(refuse(EMPTY.into())),
        Ok(_) => {}
        Err(_) if had_one => {
            return Err(refuse(
                "it is missing, though this folder had one; use `license-server restore BACKUP`, or \
                 remove the file `lock` beside it to begin anew without it"
                    .into(),
            ));
        }
        Err(_) if mark::log_state(path).is_some() => {
            return Err(refuse(
                "it is missing, and licenses.db-wal is there without it; put it back, or remove \
                 licenses.db-wal to begin anew"
                    .into(),
            ));
        }
        Err(_) => create(folder, path).map_err(|e| refuse(e.to_string()))?,
    }
    private_file(path).map_err(io)?;
    if mark::is_log_foreign(folder, path).map_err(io)? {
        return Err(refuse(FOREIGN_LOG.into()));
    }
    let has_log = mark::log_state(path).is_some();
    // A file that is good without its log was put beside the log of another one.
    let damaged_with_log = |detail: String| {
        let alone = || quick_check(&mark::without_log(path).map_err(|e| e.to_string())?);
        match has_log && alone().is_ok() {
            true => refuse(FOREIGN_LOG.into()),
            false => refuse(detail),
        }
    };
    let mut db = Connection::open(path).map_err(|e| refuse(damaged(&e)))?;
    // Closing it must not move a foreign log into the file.
    let keep_log = |db: &Connection, is_kept| {
        let kept = db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_kept);
        kept.map_err(|e| refuse(e.to_string()))
    };
    keep_log(&db, true)?;
    let version = version(&db).map_err(damaged_with_log)?;
    if version == 0 {
        return Err(refuse(EMPTY.into()));
    }
    configure(&db).map_err(|e| damaged_with_log(damaged(&e)))?;
    if !take_clean_mark(folder, path) {
        quick_check(&db).map_err(damaged_with_log)?;
    }
    keep_log(&db, false)?;
    migrate(&mut db, version).map_err(|e| refuse(damaged(&e)))?;
    mark_initialized(&mut lock, folder).map_err(io)?;
    Ok((db, in_use))
}

fn in_use(folder: &Path) -> Result<File, Refusal> {
    let path = folder.join(IN_USE);
    let shared = open_lock(&path).and_then(|file| match file.try_lock_shared() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    });
    match shared {
        Ok(Some(file)) => Ok(file),
        Ok(None) => Err(Refusal(format!(
            "The database in {} is being restored; start again when `license-server restore` has ended.",
            folder.display()
        ))),
        Err(e) => Err(Refusal(format!(
            "The file {} cannot be opened: {}.",
            path.display(),
            with_owner(&path, &e)
        ))),
    }
}

/// Under another name first: an empty file at `path` is never the beginning of a new database.
fn create(folder: &Path, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let new = path.with_extension("db.new");
    match fs::remove_file(&new) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
        Ok(()) | Err(_) => {}
    }
    private_file(&new)?;
    let mut db = Connection::open(&new)?;
    db.pragma_update(None, "journal_mode", "memory")?;
    migrate(&mut db, 0)?;
    drop(db);
    File::open(&new)?.sync_all()?;
    fs::rename(&new, path)?;
    Ok(File::open(folder)?.sync_all()?)
}

/// A file of another user, usually left by a start as root, is the most frequent cause.
pub(super) fn with_owner(path: &Path, error: &std::io::Error) -> String {
    let user = |id: u32| match id {
        0 => "root".to_owned(),
        id => id.to_string(),
    };
    // It belongs to whoever asks.
    let own = fs::metadata("/proc/self").map_or(0, |own| own.uid());
    match fs::metadata(path) {
        Ok(file) if error.kind() == std::io::ErrorKind::PermissionDenied && file.uid() != own => {
            format!(
                "{error}: it belongs to user {}, and the server runs as {}; give it to the server, for example \
             with `chown -R {} {}`",
                user(file.uid()),
                user(own),
                own,
                if file.is_dir() {
                    path
                } else {
                    path.parent().unwrap_or(path)
                }
                .display()
            )
        }
        Ok(_) | Err(_) => error.to_string(),
    }
}

fn damaged(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => format!(
            "it is damaged or no database ({error}); use `license-server restore --replace \
             BACKUP`, or save what can be read with `sqlite3 FILE .recover`"
        ),
        _ => error.to_string(),
    }
}

pub(super) fn quick_check(db: &Connection) -> Result<(), String> {
    let found: String = db
        .query_row("pragma quick_check(1)", [], |row| row.get(0))
        .map_err(|e| damaged(&e))?;
    if found == "ok" {
        return Ok(());
    }
    Err(format!(
        "it is damaged ({}); use `license-server restore --replace BACKUP`, or save what can be \
         read with `sqlite3 FILE .recover`",
        found.replace('\n', " ")
    ))
}

/// How a reader opens the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Shared,
    /// Nobody else has it open: SQLite makes no files beside it.
    Alone,
}

pub(super) fn reader(path: &Path, access: Access) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = match access {
        Access::Alone => {
            let uri = flags | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(mark::immutable(path), uri)?
        }
        Access::Shared => Connection::open_with_flags(path, flags)?,
    };
    db.busy_timeout(READ_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// For a command that must not change anything.
pub(super) fn read_only(folder: &Path, path: &Path) -> Result<(Connection, Access), Refusal> {
    let refuse = |detail: String| {
        Refusal(format!(
            "The database {} cannot be used: {detail}.",
            path.display()
        ))
    };
    match fs::metadata(path) {
        Ok(file) if file.len() == 0 => return Err(refuse(EMPTY.into())),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(no_database(folder)),
        Err(e) => return Err(refuse(with_owner(folder, &e))),
    }
    File::open(path).map_err(|e| refuse(with_owner(path, &e)))?;
    let is_alone = !path.with_extension("db-shm").exists() && mark::log_state(path).is_none();
    let access = if is_alone {
        Access::Alone
    } else {
        Access::Shared
    };
    let db = reader(path, access).map_err(|e| refuse(damaged(&e)))?;
    match version(&db).map_err(refuse)? {
        0 => Err(refuse(EMPTY.into())),
        _ => Ok((db, access)),
    }
}

fn no_database(folder: &Path) -> Refusal {
    Refusal(format!(
        "The setting `data_dir` is `{}`, where there is no database; name the folder of the server.",
        folder.display()
    ))
}

/// `synchronous=full`: a power failure must not lose what was acknowledged.
fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(WRITE_WAIT)?;
    db.set_prepared_statement_cache_capacity(64);
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", "on")?;
    // Otherwise each insert that may fail would first write the pages it changes to a file.
    db.pragma_update(None, "temp_store", "memory")?;
    // What is deleted is overwritten, so that it can be erased.
    db.pragma_update(None, "secure_delete", "on")?;
    // From here on writes do their own waiting.
    db.busy_timeout(Duration::ZERO)
}

/// Schema steps that the database has; nothing is written to it before this is known.
pub(super) fn version(db: &Connection) -> Result<usize, String> {
    let number = |sql| {
        db.query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|e| damaged(&e))
    };
    let version = number("select user_version from pragma_user_version")?;
    let application = number("select application_id from pragma_application_id")?;
    if version == 0 && number("select count(*) from sqlite_schema")? == 0 {
        return Ok(0);
    }
    if application != APPLICATION_ID {
        return Err(
            "it belongs to another program; move it away or choose another `data_dir`".into(),
        );
    }
    let known = STEPS.len();
    match usize::try_from(version) {
        Ok(version) if (1..=known).contains(&version) => Ok(version),
        _ => Err(format!(
            "it has schema version {version}, and this program knows versions up to {known}; start \
             the newer program that wrote it"
        )),
    }
}

pub(super) fn migrate(db: &mut Connection, version: usize) -> rusqlite::Result<()> {
    let steps = STEPS.get(version..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let transaction = db.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", STEPS.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.commit()
}

/// Changes when another connection has written.
pub(super) fn data_version(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("select data_version from pragma_data_version")?
        .query_row([], |row| row.get(0))
}

/// Device, inode, size and modification time: they show that nobody else has written to the file.
fn fingerprint(path: &Path) -> std::io::Result<String> {
    let file = fs::metadata(path)?;
    Ok(format!(
        "{} {} {} {} {}",
        file.dev(),
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec()
    ))
}

/// Lets the next start skip the check of the whole file.
pub(super) fn mark_clean(folder: &Path, path: &Path) {
    // Without the mark the next start only takes longer.
    if let Ok(fingerprint) = fingerprint(path) {
        drop(fs::write(folder.join(CLEAN), fingerprint));
    }
}

/// Whether the file is as it was at a clean stop; removes the mark because the file is now in use.
fn take_clean_mark(folder: &Path, path: &Path) -> bool {
    let mark = folder.join(CLEAN);
    let marked = fs::read_to_string(&mark).ok();
    let is_clean = marked.is_some() && marked == fingerprint(path).ok();
    let has_log = mark::log_state(path).is_some();
    fs::remove_file(mark).is_ok() && is_clean && !has_log
}

/// 0700 if the folder is new, empty or already ours, or if anybody may change it. Another folder with files
/// of others, or one that is meant to be shared, such as /tmp, stays as it is.
pub(super) fn private_folder(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        let path = std::path::absolute(folder)?;
        let made: Vec<&Path> = path.ancestors().take_while(|f| !f.exists()).collect();
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        // A power failure must not lose a new folder's name, and with it everything acknowledged.
        let mut above = made.into_iter().filter_map(Path::parent);
        return above.try_for_each(|folder| File::open(folder)?.sync_all());
    }
    let mode = fs::metadata(folder)?.permissions().mode();
    let is_ours = folder.join(LOCK).exists() || fs::read_dir(folder)?.next().is_none();
    if (is_ours || mode & 0o022 != 0) && mode & 0o1000 == 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Two first starts at once must not both create the schema; the lock is released with the file
/// handle.
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

/// The lock is released with the file handle; none if it is already held.
pub(super) fn try_lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
}

fn is_initialized(lock: &mut File) -> std::io::Result<bool> {
    let mut content = String::new();
    lock.read_to_string(&mut content)?;
    Ok(!content.is_empty())
}

/// From now on a missing database is an error. A power failure must not lose the new files' names.
fn mark_initialized(lock: &mut File, folder: &Path) -> std::io::Result<()> {
    lock.rewind()?;
    lock.write_all(b"This folder has a database; without it the server does not start.\n")?;
    lock.sync_all()?;
    File::open(folder)?.sync_all()
}

/// Device and inode: they differ for another file at the same path.
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
