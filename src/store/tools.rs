//! The table of tools.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::WriteTx;
use super::db::{Db, Result};
use crate::model::entitlements;
use crate::model::tool::{Edition, Tool};

/// Adds the tool unless it exists.
pub fn ensure(db: &WriteTx<'_>, name: &str, now: OffsetDateTime) -> Result<()> {
    if db.tools.borrow().contains(name) {
        return Ok(());
    }
    db.run(
        "insert into tools (name, created_at) values (?1, ?2) on conflict do nothing",
        &[&name, &now.unix_timestamp()],
    )?;
    db.tools.borrow_mut().insert(name.to_owned());
    Ok(())
}

/// Adds the tool so that it is listed also without a license; false if it was listed already.
pub fn add(db: &WriteTx<'_>, name: &str, now: OffsetDateTime) -> Result<bool> {
    if names(db)?.iter().any(|other| other == name) {
        return Ok(false);
    }
    ensure(db, name, now)?;
    db.run("update tools set is_added = 1 where name = ?1", &[&name])?;
    Ok(true)
}

/// Gives a tool another name, which no listed tool may have; licenses and numbers of checks follow.
pub(super) fn rename(db: &WriteTx<'_>, from: &str, to: &str) -> Result<()> {
    // A machine that tried it under either name had its trial.
    db.run(
        "insert into trials (tool_name, license_key, day, converted_at)
         select ?1, license_key, day, converted_at from trials where tool_name = ?2
         on conflict do nothing",
        &[&from, &to],
    )?;
    // A tool that lost its last license is not listed, and may still have numbers of checks.
    for sql in [
        "delete from check_days where tool_name = ?1",
        "delete from tool_editions where tool_name = ?1",
        "delete from trials where tool_name = ?1",
        "delete from tools where name = ?1",
    ] {
        db.run(sql, &[&to])?;
    }
    db.run("update tools set name = ?2 where name = ?1", &[&from, &to])?;
    db.tools.borrow_mut().remove(from);
    Ok(())
}

/// The names of the tools that have a license or an activation code, or that the admin added, in alphabetical
/// order.
pub fn names(db: &Db) -> Result<Vec<String>> {
    db.all(
        "select name from tools
         where is_added = 1
             or exists (select 1 from licenses where licenses.tool_name = tools.name)
             or exists (select 1 from activation_codes where activation_codes.tool_name = tools.name)
         order by name",
        &[],
        |row| row.get(0),
    )
}

/// Whether there is such a tool, even without licenses.
pub fn exists(db: &Db, name: &str) -> Result<bool> {
    db.one(
        "select exists (select 1 from tools where name = ?1)",
        &[&name],
        |row| row.get(0),
    )
}

/// The rules of every tool whose rules differ from the default.
pub fn rules(db: &Db) -> Result<HashMap<String, Tool>> {
    let mut editions = editions(db)?;
    let all: Vec<(String, Tool)> = db.all(
        "select name, offline_days, grace_days, message, link, vendor, support_email, trial_days,
             trials_per_day, latest_version, latest_url, minimum_version, offline_file_days
         from tools",
        &[],
        |row| {
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
        },
    )?;
    let differs = |(_, tool): &(String, Tool)| *tool != Tool::default();
    Ok(all.into_iter().filter(differs).collect())
}

/// Replaces the rules of a tool; returns false if there is no such tool.
pub fn set_rules(db: &Db, name: &str, tool: &Tool) -> Result<bool> {
    let changed = db.changed(
        "update tools set offline_days = ?2, grace_days = ?3, message = ?4, link = ?5,
             vendor = ?6, support_email = ?7, trial_days = ?8, trials_per_day = ?9,
             latest_version = ?10, latest_url = ?11, minimum_version = ?12, offline_file_days = ?13
         where name = ?1",
        &[
            &name,
            &tool.offline_days,
            &tool.grace_days,
            &tool.message,
            &tool.link,
            &tool.vendor,
            &tool.support_email,
            &tool.trial_days,
            &tool.trials_per_day,
            &tool.latest_version,
            &tool.latest_url,
            &tool.minimum_version,
            &tool.offline_file_days,
        ],
    )?;
    if changed > 0 {
        set_editions(db, name, &tool.editions)?;
    }
    Ok(changed > 0)
}

/// By tool, in their order.
fn editions(db: &Db) -> Result<HashMap<String, Vec<Edition>>> {
    let sql = "select tool_name, edition, features from tool_editions order by tool_name, place";
    let mut all: HashMap<String, Vec<Edition>> = HashMap::new();
    db.each(sql, &[], |row| {
        let features = entitlements::names(row.text(2)?)
            .map(str::to_owned)
            .collect();
        let edition = Edition {
            name: row.get(1)?,
            features,
        };
        all.entry(row.get(0)?).or_default().push(edition);
        Ok(true)
    })?;
    Ok(all)
}

fn set_editions(db: &Db, tool_name: &str, editions: &[Edition]) -> Result<()> {
    db.run(
        "delete from tool_editions where tool_name = ?1",
        &[&tool_name],
    )?;
    for (place, edition) in (0_i64..).zip(editions) {
        db.run(
            "insert into tool_editions (tool_name, edition, features, place) values (?1, ?2, ?3, ?4)",
            &[&tool_name, &edition.name, &edition.features.join(", "), &place],
        )?;
    }
    Ok(())
}
