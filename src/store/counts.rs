//! License counts.

use time::Date;

use super::db::{Db, Result};
use super::{day, status};
use crate::model::date;
use crate::model::license::Status;
use crate::model::overview::LicenseCount;

/// Licenses by tool and status: in total, expired before `today`, and last seen since `seen_since`.
/// A single scan of the whole table.
pub fn by_tool_and_status(db: &Db, today: Date, seen_since: Date) -> Result<Vec<LicenseCount>> {
    db.all(
        "select tool_name, status, count(*),
             count(case when expiration_date < ?1 then 1 end),
             count(case when last_seen_on >= ?2 then 1 end)
         from licenses group by tool_name, status",
        &[&date::format(today), &date::format(seen_since)],
        |row| {
            Ok(LicenseCount {
                tool_name: row.get(0)?,
                status: status(row, 1)?,
                licenses: row.get(2)?,
                expired: row.get(3)?,
                seen: row.get(4)?,
            })
        },
    )
}

/// Licenses of a tool, and those of them that were last seen on or after that day.
pub fn of_tool(db: &Db, tool_name: &str, seen_since: Date) -> Result<(i64, i64)> {
    db.one(
        "select count(*), count(case when last_seen_on >= ?2 then 1 end) from licenses
         where tool_name = ?1",
        &[&tool_name, &date::format(seen_since)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Licenses of a tool by the version that their client last reported, most frequent first.
pub fn versions(db: &Db, tool_name: &str, limit: i64) -> Result<Vec<(String, i64)>> {
    db.all(
        "select seen_version, count(*) from licenses
         where tool_name = ?1 and seen_version <> ''
         group by seen_version order by count(*) desc, seen_version desc limit ?2",
        &[&tool_name, &limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Licenses of that status by expiration date; days without any are left out.
pub fn expiring(db: &Db, status: Status, from: Date, until: Date) -> Result<Vec<(Date, i64)>> {
    db.all(
        "select expiration_date, count(*) from licenses
         where status = ?1 and expiration_date >= ?2 and expiration_date <= ?3
         group by expiration_date",
        &[&status.as_str(), &date::format(from), &date::format(until)],
        |row| Ok((day(row, 0)?, row.get(1)?)),
    )
}
