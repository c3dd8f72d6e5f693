//! The table of tools.

use std::collections::HashMap;

use rusqlite::{Connection, Result, params};
use time::OffsetDateTime;

use super::WriteTx;
use crate::model::tool::Tool;

/// Adds the tool unless it exists.
pub fn ensure(db: &WriteTx<'_>, name: &str, now: OffsetDateTime) -> Result<()> {
    if db.tools.borrow().contains(name) {
        return Ok(());
    }
    db.prepare_cached(
        "insert into tools (name, created_at) values (?1, ?2) on conflict do nothing",
    )?
    .execute(params![name, now.unix_timestamp()])?;
    db.tools.borrow_mut().insert(name.to_owned());
    Ok(())
}

/// Adds the tool so that it is listed also without a license; false if it was listed already.
pub fn add(db: &WriteTx<'_>, name: &str, now: OffsetDateTime) -> Result<bool> {
    if names(db)?.iter().any(|other| other == name) {
        return Ok(false);
    }
    ensure(db, name, now)?;
    db.prepare_cached("update tools set is_added = 1 where name = ?1")?
        .execute([name])?;
    Ok(true)
}

/// Gives a tool another name, which no listed tool may have; licenses and numbers of checks follow.
pub(super) fn rename(db: &WriteTx<'_>, from: &str, to: &str) -> Result<()> {
    // A tool that lost its last license is not listed, and may still have numbers of checks.
    for sql in [
        "delete from check_days where tool_name = ?1",
        "delete from tools where name = ?1",
    ] {
        db.prepare_cached(sql)?.execute([to])?;
    }
    db.prepare_cached("update tools set name = ?2 where name = ?1")?
        .execute([from, to])?;
    db.tools.borrow_mut().remove(from);
    Ok(())
}

/// The names of the tools that have a license or an activation code, or that the admin added, in alphabetical
/// order.
pub fn names(db: &Connection) -> Result<Vec<String>> {
    db.prepare_cached(
        "select name from tools
         where is_added = 1
             or exists (select 1 from licenses where licenses.tool_name = tools.name)
             or exists (select 1 from activation_codes where activation_codes.tool_name = tools.name)
         order by name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// Whether there is such a tool, even without licenses.
pub fn exists(db: &Connection, name: &str) -> Result<bool> {
    db.prepare_cached("select exists (select 1 from tools where name = ?1)")?
        .query_row([name], |row| row.get(0))
}

/// The rules of every tool whose rules differ from the default.
pub fn rules(db: &Connection) -> Result<HashMap<String, Tool>> {
    let mut statement = db.prepare_cached(
        "select name, offline_days, grace_days, message, link, vendor, support_email from tools",
    )?;
    let rows = statement.query_map([], |row| {
        Ok((
            row.get(0)?,
            Tool {
                offline_days: row.get(1)?,
                grace_days: row.get(2)?,
                message: row.get(3)?,
                link: row.get(4)?,
                vendor: row.get(5)?,
                support_email: row.get(6)?,
            },
        ))
    })?;
    rows.filter(|row| !matches!(row, Ok((_, tool)) if *tool == Tool::default()))
        .collect()
}

/// Replaces the rules of a tool; returns false if there is no such tool.
pub fn set_rules(db: &Connection, name: &str, tool: &Tool) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "update tools set offline_days = ?2, grace_days = ?3, message = ?4, link = ?5,
                 vendor = ?6, support_email = ?7
             where name = ?1",
        )?
        .execute(params![
            name,
            tool.offline_days,
            tool.grace_days,
            tool.message,
            tool.link,
            tool.vendor,
            tool.support_email
        ])?;
    Ok(changed > 0)
}
