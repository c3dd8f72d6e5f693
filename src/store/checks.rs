//! The tables of the last check and of the check history of each license.

use time::{Duration, UtcOffset};

use super::db::{Db, Optional, Result, Row};
use super::{check_places, moment, unreadable};
use crate::model::check::{CheckChange, CheckRecord, ClientInfo, LastCheck};
use crate::model::date;
use crate::model::license::Verdict;

/// Addresses and host names are counted for 30 days, including the day of the check.
const MONTH: Duration = Duration::days(29);

/// History lines kept for each license.
pub const HISTORY: usize = 50;

/// The columns of [`last_check`].
pub(super) const COLUMNS: &str = "last_checks.last_at, last_checks.check_count, \
     last_checks.refused_count, last_checks.verdict, last_checks.address, last_checks.version, last_checks.hostname, \
     last_checks.user_name";

/// Records checks of one license; does nothing if the license is gone. Days begin in `offset`.
pub fn add(db: &Db, records: &[CheckRecord], offset: UtcOffset) -> Result<()> {
    let Some(last) = records.iter().max_by_key(|record| record.last_at) else {
        return Ok(());
    };
    let before = get(db, last.license_id)?;
    let before_on = before
        .as_ref()
        .map(|before| date::format(before.last_at.to_offset(offset).date()));
    let before = before.as_ref().zip(before_on.as_deref());
    let is_newer = before.is_none_or(|(before, _)| before.last_at.unix_timestamp() <= last.last_at);
    let day = match before {
        Some((_, before_on)) if !is_newer => before_on.to_owned(),
        _ => date::format(last.day),
    };
    let count = Counted::on(&day, records);
    let is_same_day = before.is_some_and(|(_, before_on)| before_on == day);
    let reports = records.iter().filter(|record| record.client.is_some());
    let report = reports.max_by_key(|record| record.last_at);
    let report = report.and_then(|record| record.client.as_deref());
    let known = before.map(|(before, _)| &before.client);
    let client = report.or(known);
    let is_found = match is_newer {
        true => replace(db, last, count, is_same_day, client)?,
        false => add_to_count(db, last.license_id, count)?,
    };
    if !is_found {
        return Ok(());
    }
    let is_refused = last.verdict.is_refusal();
    let version = client.map_or("", |client| &client.version);
    let is_known = before.is_some_and(|(before, before_on)| {
        before_on == day
            && before.verdict.is_refusal() == is_refused
            && before.client.version == version
    });
    if is_newer && !is_known {
        let refused_on = if is_refused { &*day } else { "" };
        db.run("update licenses set last_seen_on = ?2, refused_on = ?3, seen_version = ?4 where id = ?1", &[&last.license_id, &day, &refused_on, &version])?;
    }
    let month = last.day.saturating_sub(MONTH);
    check_places::add(db, last.license_id, records, before, month)?;
    let mut has_grown = false;
    for record in records {
        has_grown |= add_to_history(db, record, before)?;
    }
    if has_grown {
        prune_history(db, last.license_id)?;
    }
    Ok(())
}

/// Numbers of checks to add.
#[derive(Clone, Copy)]
struct Counted {
    all: i64,
    /// On the day of the last check.
    refused: i64,
}

impl Counted {
    fn on(day: &str, records: &[CheckRecord]) -> Counted {
        let sum = |counts: &dyn Fn(&CheckRecord) -> bool| {
            let records = records.iter().filter(|record| counts(record));
            records.map(|record| i64::from(record.count)).sum()
        };
        Counted {
            all: sum(&|_| true),
            refused: sum(&|record| record.verdict.is_refusal() && date::format(record.day) == day),
        }
    }
}

/// Makes this the last check; false if the license is gone.
fn replace(
    db: &Db,
    last: &CheckRecord,
    count: Counted,
    is_same_day: bool,
    client: Option<&ClientInfo>,
) -> Result<bool> {
    let changed = db.changed(
        "insert into last_checks
             (license_id, last_at, check_count, verdict, address, version, hostname, user_name,
              refused_count)
         select id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 from licenses where id = ?1
         on conflict (license_id) do update
         set last_at = excluded.last_at,
             check_count = last_checks.check_count + excluded.check_count,
             refused_count = case when ?10 = 1 then last_checks.refused_count else 0 end
                 + excluded.refused_count,
             verdict = excluded.verdict, address = excluded.address,
             version = excluded.version, hostname = excluded.hostname,
             user_name = excluded.user_name",
        &[
            &last.license_id,
            &last.last_at,
            &count.all,
            &last.verdict.code(),
            &last.address.to_string(),
            &client.map_or("", |client| &client.version),
            &client.map_or("", |client| &client.hostname),
            &client.map_or("", |client| &client.user),
            &count.refused,
            &is_same_day,
        ],
    )?;
    Ok(changed > 0)
}

fn add_to_count(db: &Db, license_id: i64, count: Counted) -> Result<bool> {
    let changed = db.changed(
        "update last_checks set check_count = check_count + ?2,
             refused_count = refused_count + ?3 where license_id = ?1",
        &[&license_id, &count.all, &count.refused],
    )?;
    Ok(changed > 0)
}

/// Adds a line unless it equals the previous check, which is in the history; returns whether it
/// did.
fn add_to_history(
    db: &Db,
    record: &CheckRecord,
    before: Option<(&LastCheck, &str)>,
) -> Result<bool> {
    let version = record.client.as_ref().map_or("", |client| &client.version);
    let (day, address) = (date::format(record.day), record.address.to_string());
    let is_like = |(before, before_on): (&LastCheck, &str)| {
        before.verdict == record.verdict
            && before.address == address
            && before.client.version == version
            && before_on == day
    };
    if before.is_some_and(is_like) {
        return Ok(false);
    }
    let added = db.changed(
        "insert into check_history (license_id, day, verdict, address, version, first_at)
         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
        &[
            &record.license_id,
            &day,
            &record.verdict.code(),
            &address,
            &version,
            &record.first_at,
        ],
    )?;
    if added > 0 {
        db.run(
            "update licenses set shared_on = ?2 where id = ?1 and shared_on < ?2 and (
                 select count(distinct address) from check_history
                 where license_id = ?1 and day = ?2) > 1",
            &[&record.license_id, &day],
        )?;
    }
    Ok(added > 0)
}

/// Removes the oldest lines above the limit.
fn prune_history(db: &Db, license_id: i64) -> Result<()> {
    db.run(
        "delete from check_history
         where license_id = ?1 and (first_at, day, verdict, address, version) < (
             select first_at, day, verdict, address, version from check_history
             where license_id = ?1
             order by first_at desc, day desc, verdict desc, address desc, version desc
             limit 1 offset ?2)",
        &[&license_id, &(HISTORY as i64 - 1)],
    )?;
    Ok(())
}

/// The last check of a license.
pub fn get(db: &Db, license_id: i64) -> Result<Option<LastCheck>> {
    db.one(
        &format!("select {COLUMNS} from last_checks where license_id = ?1"),
        &[&license_id],
        |row| last_check(row, 0),
    )
    .optional()
    .map(Option::flatten)
}

/// Checks that differed from the previous one, newest first.
pub fn history(db: &Db, license_id: i64) -> Result<Vec<CheckChange>> {
    db.all(
        "select first_at, verdict, address, version from check_history
         where license_id = ?1
         order by first_at desc, day desc, verdict desc, address desc, version desc",
        &[&license_id],
        |row| {
            Ok(CheckChange {
                first_at: moment(row, 0)?,
                verdict: verdict(row, 1)?,
                address: row.get(2)?,
                version: row.get(3)?,
            })
        },
    )
}

/// Reads [`COLUMNS`] starting at column `first`; none if the license has no row.
pub(super) fn last_check(row: &Row<'_>, first: usize) -> Result<Option<LastCheck>> {
    if row.get::<Option<i64>>(first)?.is_none() {
        return Ok(None);
    }
    Ok(Some(LastCheck {
        last_at: moment(row, first)?,
        check_count: row.get(first + 1)?,
        refused_count: row.get(first + 2)?,
        verdict: verdict(row, first + 3)?,
        address: row.get(first + 4)?,
        client: ClientInfo {
            version: row.get(first + 5)?,
            hostname: row.get(first + 6)?,
            user: row.get(first + 7)?,
        },
    }))
}

pub(super) fn verdict(row: &Row<'_>, column: usize) -> Result<Verdict> {
    let code = row.text(column)?;
    Verdict::from_code(code).ok_or_else(|| unreadable(column, code))
}
