//! The table of trials: which machines had theirs.

use rusqlite::{Connection, Result, params};
use time::{Date, OffsetDateTime};

use super::WriteTx;
use crate::model::date;

/// Whether the machine had its trial, or ever a license, for the tool, under any of these keys.
pub fn is_used(db: &Connection, tool_name: &str, license_key: &str) -> Result<bool> {
    db.prepare_cached(
        "select exists (select 1 from trials where tool_name = ?1 and license_key = ?2)
             or exists (select 1 from licenses where tool_name = ?1 and license_key = ?2)
             or exists (select 1 from former_pairs where license_key = ?2 and tool_name = ?1)",
    )?
    .query_row([tool_name, license_key], |row| row.get(0))
}

pub fn add(db: &WriteTx<'_>, tool_name: &str, license_key: &str, day: Date) -> Result<()> {
    db.prepare_cached("insert into trials (tool_name, license_key, day) values (?1, ?2, ?3)")?
        .execute(params![tool_name, license_key, date::format(day)])?;
    Ok(())
}

/// New trials of the tool on that day.
pub fn begun_on(db: &Connection, tool_name: &str, day: Date) -> Result<i64> {
    db.prepare_cached("select count(*) from trials where tool_name = ?1 and day = ?2")?
        .query_row([tool_name, &date::format(day)], |row| row.get(0))
}

/// Records that the machine's trial became a license.
pub(super) fn set_converted(
    db: &WriteTx<'_>,
    tool_name: &str,
    license_key: &str,
    now: OffsetDateTime,
) -> Result<()> {
    db.prepare_cached(
        "update trials set converted_at = ?3
         where tool_name = ?1 and license_key = ?2 and converted_at is null",
    )?
    .execute(params![tool_name, license_key, now.unix_timestamp()])?;
    Ok(())
}

/// Trials of a tool that began since that day, and those of them that became licenses.
pub fn since(db: &Connection, tool_name: &str, day: Date) -> Result<(i64, i64)> {
    db.prepare_cached(
        "select count(*), count(converted_at) from trials where tool_name = ?1 and day >= ?2",
    )?
    .query_row([tool_name, &date::format(day)], |row| Ok((row.get(0)?, row.get(1)?)))
}
