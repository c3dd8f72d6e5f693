//! The tables of counts, which triggers keep: how many licenses there are of each kind.

use rusqlite::{Connection, Result, params};
use time::Date;

use super::licenses::{read_day, status};
use crate::model::license::Status;
use crate::model::new_license::format_date;
use crate::model::overview::{Lot, ToolLine};

/// How many licenses there are of each status, and of these how many ended before `today`.
pub fn by_status(db: &Connection, today: Date) -> Result<Vec<Lot>> {
    db.prepare_cached(
        "select status, sum(number),
             sum(case when expiration_date <> '' and expiration_date < ?1 then number else 0 end)
         from license_counts group by status",
    )?
    .query_map([format_date(today)], |row| {
        Ok(Lot {
            status: status(row, 0)?,
            number: row.get(1)?,
            ended: row.get(2)?,
        })
    })?
    .collect()
}

/// Every tool that has a license: how many, and how many were seen on that day or later.
pub fn by_tool(db: &Connection, since: Date) -> Result<Vec<ToolLine>> {
    db.prepare_cached(
        "select tool_name, sum(number),
             sum(case when last_seen_on >= ?1 then number else 0 end)
         from seen_counts group by tool_name order by 3 desc, 2 desc, 1",
    )?
    .query_map([format_date(since)], |row| {
        Ok(ToolLine {
            name: row.get(0)?,
            licenses: row.get(1)?,
            active: row.get(2)?,
        })
    })?
    .collect()
}

/// How many licenses of that status end on which day, for the days on which some do.
pub fn ending(
    db: &Connection,
    status: Status,
    from: Date,
    until: Date,
) -> Result<Vec<(Date, i64)>> {
    db.prepare_cached(
        "select expiration_date, sum(number) from license_counts
         where status = ?1 and expiration_date >= ?2 and expiration_date <= ?3
         group by expiration_date",
    )?
    .query_map(
        params![status.as_str(), format_date(from), format_date(until)],
        |row| Ok((read_day(row, 0)?, row.get(1)?)),
    )?
    .collect()
}
