//! The table of the audit log; rows are only ever added.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};
use time::OffsetDateTime;

use super::{moment, unreadable};
use crate::model::audit::{Actor, AuditFilter, BEGINNING, Entry, Event, Kind, Subject, link};

const COLUMNS: &str =
    "id, at, kind, who, address, license_id, tool_name, license_key, before, after, hash";

/// Adds an event behind the last one; stands in the transaction of what it tells.
pub fn append(db: &Connection, event: &Event, now: OffsetDateTime) -> Result<()> {
    let last: Option<(i64, String)> = db
        .prepare_cached("select id, hash from audit order by id desc limit 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (last_id, previous) = last.unwrap_or((0, BEGINNING.to_owned()));
    let id = last_id + 1;
    let subject = event.subject.as_ref();
    db.prepare_cached(&format!(
        "insert into audit ({COLUMNS}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    ))?
    .execute(params![
        id,
        now.unix_timestamp(),
        event.kind.as_str(),
        event.actor.who,
        event.actor.address,
        subject.map(|s| s.id),
        subject.map(|s| s.tool_name.as_str()),
        subject.map(|s| s.license_key.as_str()),
        event.before,
        event.after,
        link(&previous, id, now, event),
    ])?;
    Ok(())
}

/// At most `limit` entries that the filter finds, newest first, ids below `before`.
pub fn list(db: &Connection, filter: &AuditFilter, before: i64, limit: i64) -> Result<Vec<Entry>> {
    let wanted: [(&str, Option<Value>); 5] = [
        (
            "kind = ?",
            filter.kind.map(|kind| kind.as_str().to_owned().into()),
        ),
        ("license_id = ?", filter.license_id.map(Value::from)),
        (
            "license_key = ?",
            filter.license_key.clone().map(Value::from),
        ),
        (
            "at >= ?",
            filter.from.map(|from| from.unix_timestamp().into()),
        ),
        (
            "at < ?",
            filter.until.map(|until| until.unix_timestamp().into()),
        ),
    ];
    let mut values: Vec<Value> = vec![before.into(), limit.into()];
    let mut sql = format!("select {COLUMNS} from audit where id < ?1");
    for (condition, value) in wanted {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(" and ");
            sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
        }
    }
    sql.push_str(" order by id desc limit ?2");
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), entry)?
        .collect()
}

/// At most `limit` licenses that have or had this pair of tool and key when something was done to
/// them, newest first.
pub fn licenses_of(
    db: &Connection,
    tool_name: &str,
    license_key: &str,
    limit: i64,
) -> Result<Vec<i64>> {
    db.prepare_cached(
        "select license_id from audit where license_key = ?2 and tool_name = ?1
         group by license_id order by max(id) desc limit ?3",
    )?
    .query_map(params![tool_name, license_key, limit], |row| row.get(0))?
    .collect()
}

/// At most `limit` rows, oldest first, ids from `first` on; no entry where a row holds what none can.
pub fn walk(db: &Connection, first: i64, limit: i64) -> Result<Vec<(i64, Option<Entry>)>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from audit where id >= ?1 order by id limit ?2"
    ))?
    // A fault of the disk comes before: here the row has been read, and only its values can be wrong.
    .query_map([first, limit], |row| Ok((row.get(0)?, entry(row).ok())))?
    .collect()
}

fn entry(row: &Row<'_>) -> Result<Entry> {
    let word: String = row.get(2)?;
    let license: (Option<i64>, Option<String>, Option<String>) =
        (row.get(5)?, row.get(6)?, row.get(7)?);
    let subject = match license {
        (Some(id), Some(tool_name), Some(license_key)) => Some(Subject {
            id,
            tool_name,
            license_key,
        }),
        (None, None, None) => None,
        _ => return Err(unreadable(5, "a part of a license")),
    };
    Ok(Entry {
        id: row.get(0)?,
        at: moment(row, 1)?,
        event: Event {
            kind: Kind::from_word(&word).ok_or_else(|| unreadable(2, &word))?,
            actor: Actor {
                who: row.get(3)?,
                address: row.get(4)?,
            },
            subject,
            before: row.get(8)?,
            after: row.get(9)?,
        },
        hash: row.get(10)?,
    })
}
