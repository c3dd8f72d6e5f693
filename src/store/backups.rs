//! The table of the last backup and of the last failure.

use rusqlite::{Connection, OptionalExtension, Result, params};

use super::moment;
use crate::model::backup::{Backup, FailedBackup};

pub fn set_made(db: &Connection, backup: &Backup) -> Result<()> {
    set(db, "made", backup.at, &backup.path, backup.bytes, "")
}

pub fn set_failed(db: &Connection, failed: &FailedBackup) -> Result<()> {
    set(db, "failed", failed.at, &failed.path, 0, &failed.reason)
}

fn set(
    db: &Connection,
    outcome: &str,
    at: time::OffsetDateTime,
    path: &str,
    bytes: i64,
    reason: &str,
) -> Result<()> {
    db.prepare_cached(
        "insert into backups (outcome, at, path, bytes, reason) values (?1, ?2, ?3, ?4, ?5)
         on conflict (outcome) do update
         set at = excluded.at, path = excluded.path, bytes = excluded.bytes, reason = excluded.reason",
    )?
    .execute(params![outcome, at.unix_timestamp(), path, bytes, reason])?;
    Ok(())
}

pub fn last_made(db: &Connection) -> Result<Option<Backup>> {
    db.prepare_cached("select at, path, bytes from backups where outcome = 'made'")?
        .query_row([], |row| {
            Ok(Backup {
                at: moment(row, 0)?,
                path: row.get(1)?,
                bytes: row.get(2)?,
            })
        })
        .optional()
}

pub fn last_failed(db: &Connection) -> Result<Option<FailedBackup>> {
    db.prepare_cached("select at, path, reason from backups where outcome = 'failed'")?
        .query_row([], |row| {
            Ok(FailedBackup {
                at: moment(row, 0)?,
                path: row.get(1)?,
                reason: row.get(2)?,
            })
        })
        .optional()
}

/// A restored database knows nothing of the backups that were made after it.
pub fn forget(db: &Connection) -> Result<()> {
    db.execute("delete from backups", []).map(drop)
}
