//! The table of tools.

use std::collections::HashMap;

use rusqlite::{Connection, Result, params};
use time::OffsetDateTime;

use crate::model::tool::Tool;

/// Makes the tool if it is not there yet.
pub fn ensure(db: &Connection, name: &str, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached(
        "insert into tools (name, created_at) values (?1, ?2) on conflict do nothing",
    )?
    .execute(params![name, now.unix_timestamp()])?;
    Ok(())
}

/// The names of the tools that have a license, in the order of the alphabet.
pub fn names(db: &Connection) -> Result<Vec<String>> {
    db.prepare_cached(
        "select name from tools
         where exists (select 1 from licenses where licenses.tool_name = tools.name)
         order by name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// Whether there is such a tool, also without any license left.
pub fn is_there(db: &Connection, name: &str) -> Result<bool> {
    db.prepare_cached("select exists (select 1 from tools where name = ?1)")?
        .query_row([name], |row| row.get(0))
}

/// The rules of every tool that has others than the default.
pub fn rules(db: &Connection) -> Result<HashMap<String, Tool>> {
    let mut statement =
        db.prepare_cached("select name, offline_days, grace_days, message, link from tools")?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            Tool {
                offline_days: row.get(1)?,
                grace_days: row.get(2)?,
                message: row.get(3)?,
                link: row.get(4)?,
            },
        ))
    })?;
    rows.filter(|row| !matches!(row, Ok((_, tool)) if *tool == Tool::default()))
        .collect()
}

/// Replaces the rules of a tool; says whether there is such a tool.
pub fn set_rules(db: &Connection, name: &str, tool: &Tool) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "update tools set offline_days = ?2, grace_days = ?3, message = ?4, link = ?5
             where name = ?1",
        )?
        .execute(params![
            name,
            tool.offline_days,
            tool.grace_days,
            tool.message,
            tool.link
        ])?;
    Ok(changed > 0)
}
