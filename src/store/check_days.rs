//! The table of checks of each tool and day.

use time::Date;

use super::checks::verdict;
use super::day;
use super::db::{Db, Result};
use crate::model::date;
use crate::model::license::Verdict;

/// Counts checks of a tool; does nothing if there is no such tool.
pub fn add(db: &Db, tool_name: &str, day: Date, verdict: Verdict, number: u64) -> Result<()> {
    db.run(
        "insert into check_days (tool_name, day, verdict, number)
         select name, ?2, ?3, ?4 from tools where name = ?1
         on conflict (tool_name, day, verdict) do update set number = check_days.number + excluded.number",
        &[&tool_name, &date::format(day), &verdict.code(), &(number as i64)],
    )?;
    Ok(())
}

/// Checks of one tool by day and verdict, from that day on.
pub fn of_tool_since(db: &Db, tool_name: &str, first: Date) -> Result<Vec<(Date, Verdict, i64)>> {
    db.all(
        "select day, verdict, number from check_days where tool_name = ?1 and day >= ?2",
        &[&tool_name, &date::format(first)],
        |row| Ok((day(row, 0)?, verdict(row, 1)?, row.get(2)?)),
    )
}

/// Checks of all tools by day and verdict, from that day on.
pub fn since(db: &Db, first: Date) -> Result<Vec<(Date, Verdict, i64)>> {
    db.all(
        "select day, verdict, cast(sum(number) as bigint) from check_days where day >= ?1 group by day, verdict",
        &[&date::format(first)],
        |row| Ok((day(row, 0)?, verdict(row, 1)?, row.get(2)?)),
    )
}
