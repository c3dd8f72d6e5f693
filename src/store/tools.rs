//! The table of tools.

use std::collections::HashMap;

use rusqlite::{Connection, Result, params};
use time::OffsetDateTime;

use super::WriteTx;
use crate::model::entitlements;
use crate::model::tool::{Edition, Tool};

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
    // A machine that tried it under either name had its trial.
    db.prepare_cached(
        "insert into trials (tool_name, license_key, day, converted_at)
         select ?1, license_key, day, converted_at from trials where tool_name = ?2
         on conflict do nothing",
    )?
    .execute([from, to])?;
    // A tool that lost its last license is not listed, and may still have numbers of checks.
    for sql in [
        "delete from check_days where tool_name = ?1",
        "delete from tool_editions where tool_name = ?1",
        "delete from trials where tool_name = ?1",
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
        "select name, offline_days, grace_days, message, link, vendor, support_email, trial_days,
             trials_per_day, latest_version, latest_url, minimum_version, offline_file_days
         from tools",
    )?;
    let mut editions = editions(db)?;
    let rows = statement.query_map([], |row| {
        let name: String = row.get(0)?;
        let editions = editions.remove(&name).unwrap_or_default();
        Ok((
            name,
            Tool {
                offline_days: row.get(1)?,
                grace_days: row.get(2)?,
                message: row.get(3)?,
                link: row.get(4)?,
                vendor: row.get(5)?,
                support_email: row.get(6)?,
                trial_days: row.get(7)?,
                trials_per_day: row.get(8)?,
                latest_version: row.get(9)?,
                latest_url: row.get(10)?,
                minimum_version: row.get(11)?,
                offline_file_days: row.get(12)?,
                editions,
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
                 vendor = ?6, support_email = ?7, trial_days = ?8, trials_per_day = ?9,
                 latest_version = ?10, latest_url = ?11, minimum_version = ?12, offline_file_days = ?13
             where name = ?1",
        )?
        .execute(params![
            name,
            tool.offline_days,
            tool.grace_days,
            tool.message,
            tool.link,
            tool.vendor,
            tool.support_email,
            tool.trial_days,
            tool.trials_per_day,
            tool.latest_version,
            tool.latest_url,
            tool.minimum_version,
            tool.offline_file_days
        ])?;
    if changed > 0 {
        set_editions(db, name, &tool.editions)?;
    }
    Ok(changed > 0)
}

/// By tool, in their order.
fn editions(db: &Connection) -> Result<HashMap<String, Vec<Edition>>> {
    let mut statement = db.prepare_cached(
        "select tool_name, edition, features from tool_editions order by tool_name, place",
    )?;
    let mut rows = statement.query([])?;
    let mut all: HashMap<String, Vec<Edition>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let features = entitlements::names(row.get_ref(2)?.as_str()?)
            .map(str::to_owned)
            .collect();
        let edition = Edition {
            name: row.get(1)?,
            features,
        };
        all.entry(row.get(0)?).or_default().push(edition);
    }
    Ok(all)
}

fn set_editions(db: &Connection, tool_name: &str, editions: &[Edition]) -> Result<()> {
    db.prepare_cached("delete from tool_editions where tool_name = ?1")?
        .execute([tool_name])?;
    let mut insert = db.prepare_cached(
        "insert into tool_editions (tool_name, edition, features, place) values (?1, ?2, ?3, ?4)",
    )?;
    for (place, edition) in (0_i64..).zip(editions) {
        insert.execute(params![
            tool_name,
            edition.name,
            edition.features.join(", "),
            place
        ])?;
    }
    Ok(())
}
