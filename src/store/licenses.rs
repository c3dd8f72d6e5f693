//! The table of licenses.

use rusqlite::{Connection, ErrorCode, OptionalExtension, Result, Row, params};
use time::{Date, OffsetDateTime};

use super::{Writing, moment, sightings, unreadable};
use crate::error::Error;
use crate::model::license::{License, Listed, Status};
use crate::model::new_license::{NewLicense, format_date, read_date};
use crate::model::question::Question;

/// What the verdict on a license depends on, and whose license it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// The license's number.
    pub id: i64,
    /// What the admin has decided.
    pub status: Status,
    /// The last good day.
    pub last_day: Option<Date>,
}

const COLUMNS: &str = "licenses.id, licenses.created_at, licenses.tool_name, licenses.license_key, \
     licenses.status, licenses.user_id, licenses.expiration_date, licenses.note, licenses.moved_to";

/// What a row of the table of licenses shows, from `licenses` [`WITH_SIGHTINGS`].
pub(super) const LISTED: &str = "licenses.id, licenses.created_at, licenses.tool_name, \
     licenses.license_key, licenses.status, licenses.user_id, licenses.expiration_date, \
     licenses.note, licenses.moved_to, licenses.last_seen_on, sightings.last_at, \
     sightings.check_count, sightings.verdict, sightings.address, sightings.version, \
     sightings.hostname, sightings.user_name";

pub(super) const WITH_SIGHTINGS: &str = "left join sightings on sightings.license_id = licenses.id";

/// The point read of the check.
pub fn judged(db: &Connection, question: &Question<'_>) -> Result<Option<Judged>> {
    db.prepare_cached(
        "select id, status, expiration_date from licenses where tool_name = ?1 and license_key = ?2",
    )?
    .query_row([question.tool_name, &question.license_key], |row| {
        judged_in(row, 0)
    })
    .optional()
}

/// Tool and key, and what is judged of them.
pub type Named = (String, String, Judged);

/// At most `limit` ids below `before`, newest first, and what is judged of them; none
/// where a row holds what none can.
pub fn all_judged(db: &Connection, before: i64, limit: usize) -> Result<Vec<(i64, Option<Named>)>> {
    db.prepare_cached(
        "select id, status, expiration_date, tool_name, license_key from licenses
         where id < ?1 order by id desc limit ?2",
    )?
    .query_map(params![before, limit as i64], |row| {
        let judged = judged_in(row, 0).and_then(|judged| Ok((row.get(3)?, row.get(4)?, judged)));
        // A fault of the disk comes before: here only a value can be wrong.
        Ok((row.get(0)?, judged.ok()))
    })?
    .collect()
}

fn judged_in(row: &Row<'_>, first: usize) -> Result<Judged> {
    Ok(Judged {
        id: row.get(first)?,
        status: status(row, first + 1)?,
        last_day: date(row, first + 2)?,
    })
}

/// How many licenses there are.
pub fn count_all(db: &Connection) -> Result<usize> {
    let all: i64 = db.query_row(
        "select coalesce(sum(number), 0) from license_counts",
        [],
        |row| row.get(0),
    )?;
    Ok(usize::try_from(all).unwrap_or(0))
}

/// Whether a second index knows the pair: a page that lost some bytes can hide a row from the first
/// without any error.
pub fn is_there(db: &Connection, question: &Question<'_>) -> Result<bool> {
    // The concatenation keeps the first index from being asked again.
    db.prepare_cached(
        "select exists (select 1 from licenses where license_key = ?2 and tool_name || '' = ?1)",
    )?
    .query_row([question.tool_name, &question.license_key], |row| {
        row.get(0)
    })
}

/// The row of that pair.
pub fn id_of(db: &Connection, question: &Question<'_>) -> Result<Option<i64>> {
    db.prepare_cached("select id from licenses where tool_name = ?1 and license_key = ?2")?
        .query_row([question.tool_name, &question.license_key], |row| {
            row.get(0)
        })
        .optional()
}

/// The ids of at most `limit` licenses that the tool has for one of the keys, in the order of the keys.
pub fn having<'a>(
    db: &Connection,
    tool_name: &str,
    keys: impl Iterator<Item = &'a str>,
    limit: usize,
) -> Result<Vec<i64>> {
    let sql = "select id from licenses where tool_name = ?1 and license_key = ?2";
    let mut read = db.prepare_cached(sql)?;
    let ids = keys.map(|key| {
        read.query_row([tool_name, key], |row| row.get(0))
            .optional()
    });
    ids.filter_map(Result::transpose).take(limit).collect()
}

/// The ids of at most `limit` licenses of this key, whatever the tool.
pub fn of_key(db: &Connection, license_key: &str, limit: usize) -> Result<Vec<i64>> {
    db.prepare_cached("select id from licenses where license_key = ?1 order by tool_name limit ?2")?
        .query_map(params![license_key, limit as i64], |row| row.get(0))?
        .collect()
}

/// One license.
pub fn get(db: &Connection, id: i64) -> Result<Option<License>> {
    db.prepare_cached(&format!("select {COLUMNS} from licenses where id = ?1"))?
        .query_row([id], license)
        .optional()
}

/// Those of these ids that are there.
pub fn of_ids(db: &Connection, ids: impl Iterator<Item = i64>) -> Result<Vec<License>> {
    let sql = format!("select {COLUMNS} from licenses where id = ?1");
    let mut read = db.prepare_cached(&sql)?;
    let rows = ids.map(|id| read.query_row([id], license).optional());
    rows.filter_map(Result::transpose).collect()
}

/// The license of a tool and a canonical key.
pub fn of_pair(db: &Connection, tool_name: &str, license_key: &str) -> Result<Option<License>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from licenses where tool_name = ?1 and license_key = ?2"
    ))?
    .query_row([tool_name, license_key], license)
    .optional()
}

/// One license, and what is known of its checks.
pub fn listed(db: &Connection, id: i64) -> Result<Option<Listed>> {
    db.prepare_cached(&format!(
        "select {LISTED} from licenses {WITH_SIGHTINGS} where licenses.id = ?1"
    ))?
    .query_row([id], listed_in)
    .optional()
}

/// [`LISTED`].
pub(super) fn listed_in(row: &Row<'_>) -> Result<Listed> {
    Ok(Listed {
        license: license(row)?,
        last_seen_on: row.get(9)?,
        seen: sightings::seen_in(row, 10)?,
    })
}

/// Adds a row and returns its id; a pair that is there already is [`Error::Duplicate`].
pub fn add(db: &Writing<'_>, new: &NewLicense, now: OffsetDateTime) -> Result<i64, Error> {
    db.touch(&new.tool_name, &new.license_key);
    super::tools::ensure(db, &new.tool_name, now)?;
    super::unknown_keys::forget(db, &new.tool_name, &new.license_key)?;
    db.prepare_cached(
        "insert into licenses
             (created_at, tool_name, license_key, status, user_id, expiration_date, note)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7) returning id",
    )?
    .query_row(
        params![
            now.unix_timestamp(),
            new.tool_name,
            new.license_key,
            new.status.as_str(),
            new.user_id,
            new.expiration_date.map(format_date),
            new.note,
        ],
        |row| row.get(0),
    )
    .map_err(duplicate)
}

/// Replaces every value of the row `before`; a pair that another row has is [`Error::Duplicate`].
pub fn update(
    db: &Writing<'_>,
    before: &License,
    new: &NewLicense,
    now: OffsetDateTime,
) -> Result<(), Error> {
    db.touch(&before.tool_name, &before.license_key);
    db.touch(&new.tool_name, &new.license_key);
    super::tools::ensure(db, &new.tool_name, now)?;
    super::unknown_keys::forget(db, &new.tool_name, &new.license_key)?;
    db.prepare_cached(
        "update licenses
         set tool_name = ?2, license_key = ?3, status = ?4, user_id = ?5, expiration_date = ?6,
             note = ?7
         where id = ?1",
    )?
    .execute(params![
        before.id,
        new.tool_name,
        new.license_key,
        new.status.as_str(),
        new.user_id,
        new.expiration_date.map(format_date),
        new.note,
    ])
    .map_err(duplicate)?;
    Ok(())
}

/// Says which license took the place of this one.
pub fn set_moved_to(db: &Writing<'_>, id: i64, moved_to: Option<i64>) -> Result<()> {
    db.prepare_cached("update licenses set moved_to = ?2 where id = ?1")?
        .execute(params![id, moved_to])?;
    Ok(())
}

/// The licenses whose place that one took.
pub fn moved_to(db: &Connection, id: i64) -> Result<Vec<License>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from licenses where moved_to = ?1 order by id"
    ))?
    .query_map([id], license)?
    .collect()
}

/// Removes the row.
pub fn delete(db: &Writing<'_>, license: &License) -> Result<()> {
    db.touch(&license.tool_name, &license.license_key);
    db.prepare_cached("delete from licenses where id = ?1")?
        .execute([license.id])?;
    Ok(())
}

fn license(row: &Row<'_>) -> Result<License> {
    Ok(License {
        id: row.get(0)?,
        created_at: moment(row, 1)?,
        tool_name: row.get(2)?,
        license_key: row.get(3)?,
        status: status(row, 4)?,
        user_id: row.get(5)?,
        expiration_date: date(row, 6)?,
        note: row.get(7)?,
        moved_to: row.get(8)?,
    })
}

pub(super) fn status(row: &Row<'_>, column: usize) -> Result<Status> {
    let word = row.get_ref(column)?.as_str()?;
    Status::from_word(word).ok_or_else(|| unreadable(column, word))
}

/// A day that is never null.
pub(super) fn read_day(row: &Row<'_>, column: usize) -> Result<Date> {
    date(row, column)?.ok_or_else(|| unreadable(column, "null"))
}

fn date(row: &Row<'_>, column: usize) -> Result<Option<Date>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => read_date(text)
            .map(Some)
            .ok_or_else(|| unreadable(column, text)),
    }
}

pub(super) fn duplicate(error: rusqlite::Error) -> Error {
    match error.sqlite_error() {
        Some(e)
            if e.code == ErrorCode::ConstraintViolation
                && e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE =>
        {
            Error::Duplicate
        }
        _ => error.into(),
    }
}
