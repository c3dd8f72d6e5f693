//! The table of the audit log; rows are only ever added.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};
use time::OffsetDateTime;

use super::{WriteTx, moment, personal, unreadable};
use crate::error::Error;
use crate::model::audit::{AuditFilter, BEGINNING, Details, Entry, Event, Kind, link};

const COLUMNS: &str = "id, at, kind, who, address, license_id, before, after, hash";

/// Adds an event in the transaction that it records, and returns its ID.
pub fn append(db: &WriteTx<'_>, mut event: Event, now: OffsetDateTime) -> Result<i64, Error> {
    let last: Option<(i64, String)> = db
        .prepare_cached("select id, hash from audit order by id desc limit 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last_id, previous) = last.unwrap_or((0, BEGINNING.to_owned()));
    let id = last_id + 1;
    for personal in event.personal_mut() {
        personal::keep(db, personal)?;
    }
    db.prepare_cached(&format!(
        "insert into audit ({COLUMNS}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    ))?
    .execute(params![
        id,
        now.unix_timestamp(),
        event.kind.as_str(),
        event.who.id,
        event.address.id,
        event.license_id,
        event.before.stored(),
        event.after.stored(),
        link(&previous, id, now, &event),
    ])?;
    Ok(id)
}

/// At most `limit` matching entries with IDs below `before`, newest first.
pub fn list(db: &Connection, filter: &AuditFilter, before: i64, limit: i64) -> Result<Vec<Entry>> {
    let AuditFilter {
        kind,
        license_id,
        license_key,
        user_id,
        from,
        until,
    } = filter;
    let conditions: [(&str, Option<Value>); 6] = [
        ("kind = ?", kind.map(|kind| kind.as_str().to_owned().into())),
        ("license_id = ?", license_id.map(Value::from)),
        (
            "license_id in (select id from licenses where license_key = ?
                 union select license_id from former_pairs where license_key = ?)",
            license_key.clone().map(Value::from),
        ),
        (
            "license_id in (select id from licenses where user_id = ?)",
            user_id.clone().map(Value::from),
        ),
        ("at >= ?", from.map(|from| from.unix_timestamp().into())),
        ("at < ?", until.map(|until| until.unix_timestamp().into())),
    ];
    let mut values: Vec<Value> = vec![before.into(), limit.into()];
    let mut sql = format!("select {COLUMNS} from audit where id < ?1");
    for (condition, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(" and ");
            sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
        }
    }
    sql.push_str(" order by id desc limit ?2");
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), |row| entry(db, row))?
        .collect()
}

/// The ID of the last entry about a license.
pub fn last_about(db: &Connection, license_id: i64) -> Result<Option<i64>> {
    db.prepare_cached("select max(id) from audit where license_id = ?1")?
        .query_row([license_id], |row| row.get(0))
}

pub fn get(db: &Connection, id: i64) -> Result<Option<Entry>> {
    db.prepare_cached(&format!("select {COLUMNS} from audit where id = ?1"))?
        .query_row([id], |row| entry(db, row))
        .optional()
}

/// At most `limit` rows with IDs from `first`, oldest first; no entry if a row is unreadable.
pub fn walk(db: &Connection, first: i64, limit: i64) -> Result<Vec<(i64, Option<Entry>)>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from audit where id >= ?1 order by id limit ?2"
    ))?
    // A disk error would have failed earlier: here the row has been read, and only its values can
    // be invalid.
    .query_map([first, limit], |row| Ok((row.get(0)?, entry(db, row).ok())))?
    .collect()
}

fn entry(db: &Connection, row: &Row<'_>) -> Result<Entry> {
    let word: String = row.get(2)?;
    let details = |column| {
        let stored: String = row.get(column)?;
        // The chain hashes the details and people read the stored text: both must have the same
        // form.
        Details::read(&stored, |id| personal::get(db, id))?
            .filter(|details| details.stored() == stored)
            .ok_or_else(|| unreadable(column, &stored))
    };
    Ok(Entry {
        id: row.get(0)?,
        at: moment(row, 1)?,
        event: Event {
            kind: Kind::from_word(&word).ok_or_else(|| unreadable(2, &word))?,
            who: personal::get(db, row.get(3)?)?,
            address: personal::get(db, row.get(4)?)?,
            license_id: row.get(5)?,
            before: details(6)?,
            after: details(7)?,
        },
        hash: row.get(8)?,
    })
}
