//! The table of trials: which machines had theirs.

use time::{Date, OffsetDateTime};

use super::WriteTx;
use super::db::{Db, Result};
use crate::model::date;

/// Whether the machine had its trial, or ever a license, for the tool, under any of these keys.
pub fn is_used(db: &Db, tool_name: &str, license_key: &str) -> Result<bool> {
    db.one(
        "select exists (select 1 from trials where tool_name = ?1 and license_key = ?2)
             or exists (select 1 from licenses where tool_name = ?1 and license_key = ?2)
             or exists (select 1 from former_pairs where license_key = ?2 and tool_name = ?1)",
        &[&tool_name, &license_key],
        |row| row.get(0),
    )
}

pub fn add(db: &WriteTx<'_>, tool_name: &str, license_key: &str, day: Date) -> Result<()> {
    db.run(
        "insert into trials (tool_name, license_key, day) values (?1, ?2, ?3)",
        &[&tool_name, &license_key, &date::format(day)],
    )?;
    Ok(())
}

/// New trials of the tool on that day.
pub fn begun_on(db: &Db, tool_name: &str, day: Date) -> Result<i64> {
    db.one(
        "select count(*) from trials where tool_name = ?1 and day = ?2",
        &[&tool_name, &date::format(day)],
        |row| row.get(0),
    )
}

/// Records that the machine's trial became a license.
pub(super) fn set_converted(
    db: &WriteTx<'_>,
    tool_name: &str,
    license_key: &str,
    now: OffsetDateTime,
) -> Result<()> {
    db.run(
        "update trials set converted_at = ?3
         where tool_name = ?1 and license_key = ?2 and converted_at is null",
        &[&tool_name, &license_key, &now.unix_timestamp()],
    )?;
    Ok(())
}

/// What became of the trials of a tool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TrialUse {
    pub begun: i64,
    /// Became licenses.
    pub bought: i64,
    pub running: i64,
    pub expired: i64,
}

pub fn of_tool(db: &Db, tool_name: &str, today: Date) -> Result<TrialUse> {
    let (begun, bought) = db.one(
        "select count(*), count(converted_at) from trials where tool_name = ?1",
        &[&tool_name],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (running, expired) = db.one(
        "select count(case when expiration_date >= ?2 then 1 end),
             count(case when expiration_date < ?2 then 1 end)
         from licenses where tool_name = ?1 and trial <> ''",
        &[&tool_name, &date::format(today)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(TrialUse {
        begun,
        bought,
        running,
        expired,
    })
}
