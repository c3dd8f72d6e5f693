//! The tables of changes of many licenses, for as long as these can be undone.

use rusqlite::{Connection, OptionalExtension, Result, params};
use time::OffsetDateTime;

use super::{Writing, moment};
use crate::error::Error;
use crate::model::bulk::Done;
use crate::model::license::License;

/// The columns of a license that are kept, the same in both tables.
const LICENSE: &str = "id, created_at, tool_name, license_key, status, user_id, expiration_date, \
                       last_seen_on, refused_on, shared_on, note, moved_to";
const SIGHTING: &str =
    "license_id, last_at, check_count, verdict, address, version, hostname, user_name";
const HISTORY: &str = "license_id, day, verdict, address, version, first_at";

/// Adds a change and returns its id.
pub fn add(
    db: &Connection,
    who: &str,
    what: &str,
    fingerprint: &str,
    now: OffsetDateTime,
) -> Result<i64> {
    db.prepare_cached(
        "insert into bulk_changes (at, who, what, number, seen)
         values (?1, ?2, ?3, 0, ?4) returning id",
    )?
    .query_row(
        params![now.unix_timestamp(), who, what, fingerprint],
        |row| row.get(0),
    )
}

/// The same change of the same licenses since that moment, unless it was taken back.
pub fn same(
    db: &Connection,
    who: &str,
    what: &str,
    fingerprint: &str,
    since: OffsetDateTime,
) -> Result<Option<i64>> {
    db.prepare_cached(
        "select max(id) from bulk_changes
         where who = ?1 and what = ?2 and seen = ?3 and at >= ?4 and undone is null",
    )?
    .query_row(
        params![who, what, fingerprint, since.unix_timestamp()],
        |row| row.get(0),
    )
}

/// Says how many licenses it has changed.
pub fn set_number(db: &Connection, id: i64, number: usize) -> Result<()> {
    db.prepare_cached("update bulk_changes set number = ?2 where id = ?1")?
        .execute(params![id, number as i64])?;
    Ok(())
}

/// Says how it was taken back; what was kept for that goes.
pub fn set_undone(db: &Connection, id: i64, undone: &str) -> Result<()> {
    db.prepare_cached("update bulk_changes set undone = ?2 where id = ?1")?
        .execute(params![id, undone])?;
    forget_rows(db, "bulk_id = ?1", id)
}

/// One change.
pub fn get(db: &Connection, id: i64) -> Result<Option<Done>> {
    db.prepare_cached("select id, at, who, what, number, undone from bulk_changes where id = ?1")?
        .query_row([id], |row| {
            Ok(Done {
                id: row.get(0)?,
                at: moment(row, 1)?,
                who: row.get(2)?,
                what: row.get(3)?,
                number: row.get(4)?,
                undone: row.get(5)?,
            })
        })
        .optional()
}

/// Keeps how a license was and how it is now, as JSON.
pub fn keep(
    db: &Connection,
    id: i64,
    license: i64,
    before: &str,
    after: Option<&str>,
) -> Result<()> {
    db.prepare_cached(
        "insert into bulk_rows (bulk_id, license_id, before, after) values (?1, ?2, ?3, ?4)",
    )?
    .execute(params![id, license, before, after])?;
    Ok(())
}

/// Keeps a license that is to be deleted.
pub fn keep_whole(db: &Connection, id: i64, license: i64) -> Result<()> {
    for (kept, table, columns, key) in [
        ("bulk_licenses", "licenses", LICENSE, "id"),
        ("bulk_sightings", "sightings", SIGHTING, "license_id"),
        ("bulk_history", "sighting_history", HISTORY, "license_id"),
    ] {
        db.prepare_cached(&format!(
            "insert into {kept} (bulk_id, {columns}) select ?1, {columns} from {table} where {key} = ?2"
        ))?
        .execute([id, license])?;
    }
    Ok(())
}

/// A license of a change: its id, how it was, and how it was then; none where it was deleted.
pub struct Kept {
    /// The license's number.
    pub license_id: i64,
    /// JSON object, as in the audit log.
    pub before: String,
    /// The same.
    pub after: Option<String>,
}

/// The licenses of a change.
pub fn kept(db: &Connection, id: i64) -> Result<Vec<Kept>> {
    db.prepare_cached(
        "select license_id, before, after from bulk_rows where bulk_id = ?1 order by license_id",
    )?
    .query_map([id], |row| {
        Ok(Kept {
            license_id: row.get(0)?,
            before: row.get(1)?,
            after: row.get(2)?,
        })
    })?
    .collect()
}

/// Brings a deleted license back, with all that was known of it.
pub fn restore(db: &Writing<'_>, id: i64, license: i64) -> Result<Option<License>, Error> {
    db.prepare_cached(&format!(
        "insert into licenses ({LICENSE})
         select {LICENSE} from bulk_licenses where bulk_id = ?1 and id = ?2"
    ))?
    .execute([id, license])
    .map_err(super::licenses::duplicate)?;
    for (kept, table, columns) in [
        ("bulk_sightings", "sightings", SIGHTING),
        ("bulk_history", "sighting_history", HISTORY),
    ] {
        db.prepare_cached(&format!(
            "insert into {table} ({columns})
             select {columns} from {kept} where bulk_id = ?1 and license_id = ?2"
        ))?
        .execute([id, license])?;
    }
    let restored = super::licenses::get(db, license)?;
    if let Some(license) = &restored {
        db.touch(&license.tool_name, &license.license_key);
        super::unknown_keys::forget(db, &license.tool_name, &license.license_key)?;
    }
    Ok(restored)
}

/// Forgets what was kept of changes before that moment.
pub fn prune(db: &Connection, before: OffsetDateTime) -> Result<()> {
    forget_rows(
        db,
        "bulk_id in (select id from bulk_changes where at < ?1)",
        before.unix_timestamp(),
    )
}

fn forget_rows(db: &Connection, condition: &str, value: i64) -> Result<()> {
    for table in [
        "bulk_rows",
        "bulk_licenses",
        "bulk_sightings",
        "bulk_history",
    ] {
        db.prepare_cached(&format!("delete from {table} where {condition}"))?
            .execute([value])?;
    }
    Ok(())
}
