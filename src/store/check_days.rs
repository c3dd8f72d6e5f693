//! The table of checks of each tool and day.

use rusqlite::{Connection, Result, params};
use time::Date;

use super::checks::verdict;
use super::day;
use crate::model::date;
use crate::model::license::Verdict;

/// Counts checks of a tool; does nothing if there is no such tool.
pub fn add(
    db: &Connection,
    tool_name: &str,
    day: Date,
    verdict: Verdict,
    number: u64,
) -> Result<()> {
    db.prepare_cached(
        "insert into check_days (tool_name, day, verdict, number)
         select name, ?2, ?3, ?4 from tools where name = ?1
         on conflict (tool_name, day, verdict) do update set number = check_days.number + excluded.number",
    )?
    .execute(params![
        tool_name,
        date::format(day),
        verdict.code(),
        number as i64
    ])?;
    Ok(())
}

/// Checks of one tool by day and verdict, from that day on.
pub fn of_tool_since(
    db: &Connection,
    tool_name: &str,
    first: Date,
) -> Result<Vec<(Date, Verdict, i64)>> {
    db.prepare_cached(
        "select day, verdict, number from check_days where tool_name = ?1 and day >= ?2",
    )?
    .query_map([tool_name, &date::format(first)], |row| {
        Ok((day(row, 0)?, verdict(row, 1)?, row.get(2)?))
    })?
    .collect()
}

/// Checks of all tools by day and verdict, from that day on.
pub fn since(db: &Connection, first: Date) -> Result<Vec<(Date, Verdict, i64)>> {
    db.prepare_cached(
        "select day, verdict, sum(number) from check_days where day >= ?1 group by day, verdict",
    )?
    .query_map([date::format(first)], |row| {
        Ok((day(row, 0)?, verdict(row, 1)?, row.get(2)?))
    })?
    .collect()
}
