//! The table of checks of each tool and day.

use rusqlite::{Connection, Result, params};
use time::Date;

use crate::model::license::Verdict;
use crate::model::new_license::format_date;

/// Counts so many more checks of a tool; nothing where there is no such tool.
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
         on conflict (tool_name, day, verdict) do update set number = number + excluded.number",
    )?
    .execute(params![
        tool_name,
        format_date(day),
        verdict.code(),
        number as i64
    ])?;
    Ok(())
}
