//! The table of the last backup and of the last failure.

use super::db::{Db, Optional, Result};
use super::moment;
use crate::model::backup::{Backup, FailedBackup};

pub fn set_made(db: &Db, backup: &Backup) -> Result<()> {
    set(db, "made", backup.at, &backup.path, backup.bytes, "")
}

pub fn set_failed(db: &Db, failed: &FailedBackup) -> Result<()> {
    set(db, "failed", failed.at, &failed.path, 0, &failed.reason)
}

fn set(
    db: &Db,
    outcome: &str,
    at: time::OffsetDateTime,
    path: &str,
    bytes: i64,
    reason: &str,
) -> Result<()> {
    db.run(
        "insert into backups (outcome, at, path, bytes, reason) values (?1, ?2, ?3, ?4, ?5)
         on conflict (outcome) do update
         set at = excluded.at, path = excluded.path, bytes = excluded.bytes, reason = excluded.reason",
        &[&outcome, &at.unix_timestamp(), &path, &bytes, &reason],
    )?;
    Ok(())
}

pub fn last_made(db: &Db) -> Result<Option<Backup>> {
    db.one(
        "select at, path, bytes from backups where outcome = 'made'",
        &[],
        |row| {
            Ok(Backup {
                at: moment(row, 0)?,
                path: row.get(1)?,
                bytes: row.get(2)?,
            })
        },
    )
    .optional()
}

pub fn last_failed(db: &Db) -> Result<Option<FailedBackup>> {
    db.one(
        "select at, path, reason from backups where outcome = 'failed'",
        &[],
        |row| {
            Ok(FailedBackup {
                at: moment(row, 0)?,
                path: row.get(1)?,
                reason: row.get(2)?,
            })
        },
    )
    .optional()
}

/// A restored database knows nothing of the backups that were made after it.
pub fn forget(db: &Db) -> Result<()> {
    db.run("delete from backups", &[]).map(drop)
}
