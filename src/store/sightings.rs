//! The tables of sightings: what checks have left behind, license by license.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use time::{OffsetDateTime, UtcOffset};

use super::{moment, unreadable};
use crate::model::license::Verdict;
use crate::model::new_license::format_date;
use crate::model::sighting::{Change, Said, Seen, Sighting};

/// Entries of the history that are kept of each license.
const HISTORY: i64 = 50;

/// The columns of [`seen_in`].
const COLUMNS: &str = "sightings.last_at, sightings.check_count, sightings.verdict, \
     sightings.address, sightings.version, sightings.hostname, sightings.user_name";

/// Adds what was seen of one license to what is known of it; nothing where the license is gone.
/// Days begin in `offset`.
pub fn add(db: &Connection, seen: &[Sighting], offset: UtcOffset) -> Result<()> {
    let Some(last) = seen.iter().max_by_key(|sighting| sighting.last_at) else {
        return Ok(());
    };
    let id = last.license_id;
    let before = get(db, id)?;
    let day = day(last.last_at, offset);
    let is_newer = before
        .as_ref()
        .is_none_or(|before| before.last_at.unix_timestamp() <= last.last_at);
    let checks: i64 = seen.iter().map(|sighting| i64::from(sighting.count)).sum();
    let is_there = if is_newer {
        let said_before = before.as_ref().map(|before| &before.said);
        let said = last.said.as_deref().or(said_before);
        db.prepare_cached(
            "insert into sightings
                 (license_id, last_at, check_count, verdict, address, version, hostname, user_name)
             select id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 from licenses where id = ?1
             on conflict (license_id) do update
             set last_at = excluded.last_at, check_count = check_count + excluded.check_count,
                 verdict = excluded.verdict, address = excluded.address,
                 version = excluded.version, hostname = excluded.hostname,
                 user_name = excluded.user_name",
        )?
        .execute(params![
            id,
            last.last_at,
            checks,
            last.verdict.code(),
            last.address.to_string(),
            said.map_or("", |said| &said.version),
            said.map_or("", |said| &said.hostname),
            said.map_or("", |said| &said.user),
        ])? > 0
    } else {
        db.prepare_cached(
            "update sightings set check_count = check_count + ?2 where license_id = ?1",
        )?
        .execute([id, checks])?
            > 0
    };
    let day_before = before.as_ref().map(|before| {
        let day = format_date(before.last_at.to_offset(offset).date());
        (day, before.verdict.is_refusal())
    });
    let today = (day, last.verdict.is_refusal());
    if is_there && is_newer && day_before.as_ref() != Some(&today) {
        let (day, is_refused) = today;
        let refused_on = if is_refused { &*day } else { "" };
        db.prepare_cached("update licenses set last_seen_on = ?2, refused_on = ?3 where id = ?1")?
            .execute(params![id, day, refused_on])?;
    }
    if is_there {
        for sighting in seen {
            remember(db, sighting, before.as_ref(), offset)?;
        }
    }
    Ok(())
}

/// Adds to the history what is not the same as the last sighting, which stands there already.
fn remember(
    db: &Connection,
    sighting: &Sighting,
    before: Option<&Seen>,
    offset: UtcOffset,
) -> Result<()> {
    let version = sighting.said.as_ref().map_or("", |said| &said.version);
    let (day, address) = (day(sighting.last_at, offset), sighting.address.to_string());
    let is_the_same = |before: &Seen| {
        before.verdict == sighting.verdict
            && before.address == address
            && before.said.version == version
            && format_date(before.last_at.to_offset(offset).date()) == day
    };
    if before.is_some_and(is_the_same) {
        return Ok(());
    }
    let added = db
        .prepare_cached(
            "insert into sighting_history (license_id, day, verdict, address, version, first_at)
             values (?1, ?2, ?3, ?4, ?5, ?6) on conflict do nothing",
        )?
        .execute(params![
            sighting.license_id,
            day,
            sighting.verdict.code(),
            address,
            version,
            sighting.last_at,
        ])?;
    if added > 0 {
        db.prepare_cached(
            "update licenses set shared_on = ?2 where id = ?1 and shared_on < ?2 and (
                 select count(distinct address) from sighting_history
                 where license_id = ?1 and day = ?2) > 1",
        )?
        .execute(params![sighting.license_id, day])?;
        db.prepare_cached(
            "delete from sighting_history
             where license_id = ?1 and (day, verdict, address, version) in (
                 select day, verdict, address, version from sighting_history
                 where license_id = ?1 order by first_at desc limit -1 offset ?2)",
        )?
        .execute([sighting.license_id, HISTORY])?;
    }
    Ok(())
}

/// What is known of the checks of a license; none where there was none.
pub fn get(db: &Connection, license_id: i64) -> Result<Option<Seen>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from sightings where license_id = ?1"
    ))?
    .query_row([license_id], |row| seen_in(row, 0))
    .optional()
    .map(Option::flatten)
}

/// What was different from before, newest first.
pub fn history(db: &Connection, license_id: i64) -> Result<Vec<Change>> {
    db.prepare_cached(
        "select first_at, verdict, address, version from sighting_history
         where license_id = ?1 order by first_at desc, day desc",
    )?
    .query_map([license_id], |row| {
        Ok(Change {
            first_at: moment(row, 0)?,
            verdict: verdict(row, 1)?,
            address: row.get(2)?,
            version: row.get(3)?,
        })
    })?
    .collect()
}

/// These columns from the column `first` on; none where the license has no row.
pub(super) fn seen_in(row: &Row<'_>, first: usize) -> Result<Option<Seen>> {
    if row.get_ref(first)?.as_i64_or_null()?.is_none() {
        return Ok(None);
    }
    Ok(Some(Seen {
        last_at: moment(row, first)?,
        check_count: row.get(first + 1)?,
        verdict: verdict(row, first + 2)?,
        address: row.get(first + 3)?,
        said: Said {
            version: row.get(first + 4)?,
            hostname: row.get(first + 5)?,
            user: row.get(first + 6)?,
        },
    }))
}

pub(super) fn verdict(row: &Row<'_>, column: usize) -> Result<Verdict> {
    let code = row.get_ref(column)?.as_str()?;
    Verdict::from_code(code).ok_or_else(|| unreadable(column, code))
}

fn day(at: i64, offset: UtcOffset) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format_date(moment.to_offset(offset).date())
}
