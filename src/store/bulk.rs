//! The tables of bulk changes and of their journal, which is kept while they can be undone.

use serde_json::{Map, Number};
use time::OffsetDateTime;

use super::db::{Db, DbError, Optional, Result, Row, ToValue, Value};
use super::{NEVER, WriteTx, licenses, moment, tools, transfer, unlicensed_machines, unreadable};
use crate::error::Error;
use crate::model::bulk::{BulkChange, State};
use crate::model::date;
use crate::model::license::Seat;
use crate::model::license::fields::{EXPIRATION_DATE, FIELDS};
use crate::model::license::{Draft, License, Status};

const COLUMNS: &str = "id, at, who, what, state, number, undone";

/// Rows of the journal deleted in one transaction.
const PRUNED_AT_ONCE: i64 = 5_000;

/// Adds a running change and returns its ID.
pub fn add(db: &Db, who: &str, what: &str, fingerprint: &str, now: OffsetDateTime) -> Result<i64> {
    db.one(
        "insert into bulk_changes (at, who, what, fingerprint, state, number, undone)
         values (?1, ?2, ?3, ?4, 'running', 0, '') returning id",
        &[&now.unix_timestamp(), &who, &what, &fingerprint],
        |row| row.get(0),
    )
}

/// The same change of the same licenses since that time, unless it was undone.
pub fn same(
    db: &Db,
    who: &str,
    what: &str,
    fingerprint: &str,
    since: OffsetDateTime,
) -> Result<Option<i64>> {
    db.one(
        "select max(id) from bulk_changes
         where who = ?1 and what = ?2 and fingerprint = ?3 and at >= ?4 and state <> 'undone'",
        &[&who, &what, &fingerprint, &since.unix_timestamp()],
        |row| row.get(0),
    )
}

/// Adds to the count of changed licenses.
pub fn add_to_number(db: &Db, id: i64, number: i64) -> Result<()> {
    let changed = db.changed(
        "update bulk_changes set number = number + ?2 where id = ?1 and state = 'running'",
        &[&id, &number],
    )?;
    still_running(changed)
}

/// Another server takes back a change whose server has lost the database.
fn still_running(changed: usize) -> Result<()> {
    match changed {
        0 => Err(DbError::Refused(
            "another server has taken this change back",
        )),
        _ => Ok(()),
    }
}

/// Marks a change as done at that time, from which it can be undone.
pub fn set_done(db: &Db, id: i64, what: &str, now: OffsetDateTime) -> Result<()> {
    let changed = db.changed(
        "update bulk_changes set state = 'done', what = ?2, at = ?3
         where id = ?1 and state = 'running'",
        &[&id, &what, &now.unix_timestamp()],
    )?;
    still_running(changed)
}

/// Marks it as running again: it is being undone.
pub fn set_running(db: &Db, id: i64) -> Result<()> {
    db.run(
        "update bulk_changes set state = 'running' where id = ?1",
        &[&id],
    )?;
    Ok(())
}

pub fn set_undone(db: &Db, id: i64, undone: &str) -> Result<()> {
    db.run(
        "update bulk_changes set state = 'undone', undone = ?2 where id = ?1",
        &[&id, &undone],
    )?;
    Ok(())
}

pub fn get(db: &Db, id: i64) -> Result<Option<BulkChange>> {
    db.one(
        &format!("select {COLUMNS} from bulk_changes where id = ?1"),
        &[&id],
        change,
    )
    .optional()
}

/// Changes that were started and not finished.
pub fn running(db: &Db) -> Result<Vec<BulkChange>> {
    db.all(
        &format!("select {COLUMNS} from bulk_changes where state = 'running' order by id desc"),
        &[],
        change,
    )
}

fn change(row: &Row<'_>) -> Result<BulkChange> {
    let state: String = row.get(4)?;
    Ok(BulkChange {
        id: row.get(0)?,
        at: moment(row, 1)?,
        who: row.get(2)?,
        what: row.get(3)?,
        state: State::from_word(&state).ok_or_else(|| unreadable(4, &state))?,
        number: row.get(5)?,
        undone: row.get(6)?,
    })
}

pub struct JournalRow {
    pub license_id: i64,
    /// The audit log entry that recorded the change.
    pub audit_id: i64,
    /// The complete row before the change, a JSON object; empty for a license that was added.
    pub before: String,
    checks: String,
}

/// The complete row of a license as JSON, and the data about its checks if it is to be deleted.
pub fn snapshot(db: &Db, license_id: i64, is_deleted: bool) -> Result<(String, String)> {
    let before = dump(db, "licenses", "id", license_id)?;
    let checks = match is_deleted {
        true => serde_json::json!({
            "last_checks": dump(db, "last_checks", "license_id", license_id)?,
            "check_history": dump(db, "check_history", "license_id", license_id)?,
            "check_places": dump(db, "check_places", "license_id", license_id)?,
        })
        .to_string(),
        false => String::new(),
    };
    let first = before.into_iter().next().map(serde_json::Value::Object);
    Ok((first.map_or(String::new(), |row| row.to_string()), checks))
}

/// Adds a row to the journal of a change.
pub fn keep(
    db: &Db,
    id: i64,
    license_id: i64,
    audit_id: i64,
    (before, checks): (&str, &str),
) -> Result<()> {
    db.run(
        "insert into bulk_rows (bulk_id, license_id, audit_id, before, checks)
         values (?1, ?2, ?3, ?4, ?5)",
        &[&id, &license_id, &audit_id, &before, &checks],
    )?;
    Ok(())
}

/// At most `limit` rows of the journal with license IDs above `after`, in ascending order.
pub fn journal(db: &Db, id: i64, after: i64, limit: i64) -> Result<Vec<JournalRow>> {
    db.all(
        "select license_id, audit_id, before, checks from bulk_rows
         where bulk_id = ?1 and license_id > ?2 order by license_id limit ?3",
        &[&id, &after, &limit],
        |row| {
            Ok(JournalRow {
                license_id: row.get(0)?,
                audit_id: row.get(1)?,
                before: row.get(2)?,
                checks: row.get(3)?,
            })
        },
    )
}

/// Removes a row of the journal: it was undone.
pub fn drop_row(db: &Db, id: i64, license_id: i64) -> Result<()> {
    db.run(
        "delete from bulk_rows where bulk_id = ?1 and license_id = ?2",
        &[&id, &license_id],
    )?;
    Ok(())
}

/// Restores a deleted license with all its data; none if its tool and key have been taken since.
pub fn restore(
    db: &WriteTx<'_>,
    row: &JournalRow,
    now: OffsetDateTime,
) -> Result<Option<License>, Error> {
    let columns = object(&row.before)?;
    let text = |name| columns.get(name).and_then(serde_json::Value::as_str);
    let (tool, key) = (text("tool_name"), text("license_key"));
    let (Some(tool), Some(key)) = (tool, key) else {
        return Err(unreadable(2, &row.before).into());
    };
    if licenses::id_of(db, tool, key)?.is_some() {
        return Ok(None);
    }
    db.invalidate(tool, key);
    tools::ensure(db, tool, now)?;
    unlicensed_machines::remove(db, tool, key)?;
    insert(db, "licenses", &columns)?;
    for (table, rows) in object(&row.checks)? {
        for row in rows.as_array().into_iter().flatten() {
            if let Some(columns) = row.as_object() {
                insert(db, &table, columns)?;
            }
        }
    }
    let restored = licenses::get(db, row.license_id)?;
    if let Some(license) = &restored {
        db.index(license.id, None, Some(license));
    }
    Ok(restored)
}

/// The values of a license before the change.
pub fn values_before(row: &JournalRow) -> Result<Draft> {
    let mut draft = Draft::default();
    for (name, value) in object(&row.before)? {
        if let Some(text) = value.as_str() {
            let is_none = text == NEVER && name == FIELDS[EXPIRATION_DATE].name;
            draft.set(&name, if is_none { "" } else { text });
        }
    }
    Ok(draft)
}

/// The license that replaced this one, before the change.
pub fn moved_to_before(row: &JournalRow) -> Result<Option<i64>> {
    Ok(object(&row.before)?
        .get("moved_to")
        .and_then(serde_json::Value::as_i64))
}

/// The seat of an activation code that the license had before the change.
pub fn seat_before(row: &JournalRow) -> Result<Option<Seat>> {
    let columns = object(&row.before)?;
    let text = |name: &str| {
        let value = columns.get(name).and_then(serde_json::Value::as_str);
        value.unwrap_or_default()
    };
    let Some(code_id) = columns.get("code_id").and_then(serde_json::Value::as_i64) else {
        return Ok(None);
    };
    let own_status = Status::from_word(text("own_status"));
    Ok(Some(Seat {
        code_id,
        own_status: own_status.ok_or_else(|| unreadable(2, &row.before))?,
        own_expiration: match text("own_expiration_date") {
            "" => None,
            NEVER => Some(None),
            day => Some(date::read(day)),
        },
    }))
}

fn object(text: &str) -> Result<Map<String, serde_json::Value>> {
    serde_json::from_str(text).map_err(|_| unreadable(2, text))
}

/// Rows of a table as they are, by column name.
fn dump(db: &Db, table: &str, key: &str, id: i64) -> Result<Vec<Map<String, serde_json::Value>>> {
    rows(
        db,
        &format!("select * from {table} where {key} = ?1"),
        &[&id],
    )
}

/// What a query finds, by column name.
pub(super) fn rows(
    db: &Db,
    sql: &str,
    values: &[&dyn ToValue],
) -> Result<Vec<Map<String, serde_json::Value>>> {
    db.all(sql, values, |row| {
        let column = |(at, name): (usize, &str)| {
            let value = match row.value(at)? {
                Value::Null => serde_json::Value::Null,
                Value::Number(number) => number.into(),
                Value::Text(text) => text.into(),
            };
            Ok((name.to_owned(), value))
        };
        row.column_names()
            .into_iter()
            .enumerate()
            .map(column)
            .collect()
    })
}

/// Inserts a row that [`dump`] read.
fn insert(db: &Db, table: &str, columns: &Map<String, serde_json::Value>) -> Result<()> {
    let values = columns.values().map(|value| match value {
        serde_json::Value::String(text) => Value::from(&**text),
        other => other
            .as_number()
            .and_then(Number::as_i64)
            .map_or(Value::Null, Value::from),
    });
    let values: Vec<Value<'_>> = values.collect();
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    transfer::insert(db, table, &names, &values)
}

/// Whether [`prune`] has anything to delete.
pub fn has_prunable(db: &Db, before: OffsetDateTime) -> Result<bool> {
    db.one(
        "select exists (
             select 1 from bulk_changes join bulk_rows on bulk_rows.bulk_id = bulk_changes.id
             where bulk_changes.state <> 'running' and bulk_changes.at < ?1)",
        &[&before.unix_timestamp()],
        |row| row.get(0),
    )
}

/// Deletes part of the journal of changes that finished before that time.
pub fn prune(db: &Db, before: OffsetDateTime) -> Result<()> {
    db.run(
        "delete from bulk_rows where (bulk_id, license_id) in (
             select bulk_rows.bulk_id, bulk_rows.license_id
             from bulk_changes join bulk_rows on bulk_rows.bulk_id = bulk_changes.id
             where bulk_changes.state <> 'running' and bulk_changes.at < ?1 limit ?2)",
        &[&before.unix_timestamp(), &PRUNED_AT_ONCE],
    )?;
    Ok(())
}
