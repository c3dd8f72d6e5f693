//! The table of the audit log: rows are only ever added, and old sign-ins lose their details.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::db::{Db, DbError, Optional, Result, Row, Value, refs};
use super::{WriteTx, moment, personal, unreadable, webhook_deliveries};
use crate::error::Error;
use crate::model::audit::{
    AuditFilter, BEGINNING, CUSTOMER_ID, Detail, Details, Entry, Event, HashLength, Kind, Nameless,
    PERSON_ID, Personal, link,
};
use crate::model::timeline::About;

const COLUMNS: &str =
    "id, at, kind, who, address, license_id, before, after, hash, content, code_id";

/// Adds an event in the transaction that it records, tells receivers of webhooks, and returns its ID.
pub fn append(db: &WriteTx<'_>, mut event: Event, now: OffsetDateTime) -> Result<i64, Error> {
    let (last_id, previous) = head(db)?;
    let id = last_id + 1;
    personal::keep(db, event.personal_mut().collect())?;
    db.run(
        &format!(
            "insert into audit ({COLUMNS}) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, '', ?10)"
        ),
        &[
            &id,
            &now.unix_timestamp(),
            &event.kind.as_str(),
            &event.who.id,
            &event.address.id,
            &event.license_id,
            &event.before.stored(),
            &event.after.stored(),
            &link(HashLength::Whole, &previous, id, now, &event),
            &event.code_id,
        ],
    )?;
    webhook_deliveries::tell(db, &event, id, now)?;
    db.trail.borrow_mut().add(id, &event);
    Ok(id)
}

/// At most `limit` matching entries with IDs below `before`, newest first.
pub fn list(db: &Db, filter: &AuditFilter, before: i64, limit: i64) -> Result<Vec<Entry>> {
    matching(db, filter, (i64::MIN, before), "desc", limit)
}

/// At most `limit` matching entries with IDs between these two, oldest first.
pub fn list_between(
    db: &Db,
    filter: &AuditFilter,
    between: (i64, i64),
    limit: i64,
) -> Result<Vec<Entry>> {
    matching(db, filter, between, "asc", limit)
}

fn matching(
    db: &Db,
    filter: &AuditFilter,
    (after, before): (i64, i64),
    order: &str,
    limit: i64,
) -> Result<Vec<Entry>> {
    let AuditFilter {
        kind,
        license_id,
        license_key,
        user_id,
        from,
        until,
    } = filter;
    let conditions: [(&str, Option<Value<'_>>); 6] = [
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
    let mut values: Vec<Value<'static>> = vec![before.into(), limit.into(), after.into()];
    let mut sql = format!("select {COLUMNS} from audit where id < ?1 and id > ?3");
    for (condition, value) in conditions {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(" and ");
            sql.push_str(&condition.replace('?', &format!("?{}", values.len())));
        }
    }
    sql.push_str(&format!(" order by id {order} limit ?2"));
    db.all(&sql, &refs(&values), |row| entry(db, row))
}

/// At most `limit` entries until that second, newest first also if the clock was set back.
pub fn about(db: &Db, about: &About<'_>, until: i64, limit: i64) -> Result<Vec<Entry>> {
    let (condition, value) = match *about {
        About::License(id) => ("license_id = ?1", Value::from(id)),
        About::Code(id) => ("code_id = ?1", Value::from(id)),
        About::Order(id) => (
            "code_id in (select code_id from order_codes where order_id = ?1)",
            Value::from(id),
        ),
        About::Customer(name) => (
            "(license_id in (select id from licenses where user_id = ?1 and user_id <> '')
                 or code_id in (select id from activation_codes where customer = ?1 and customer <> ''))",
            Value::from(name),
        ),
    };
    db.all(
        &format!(
        "select {COLUMNS} from audit where {condition} and at <= ?2 order by at desc, id desc limit ?3"
    ),
        &[&value, &until, &limit],
        |row| entry(db, row),
    )
}

/// The last entry of this kind about a license.
pub fn last_of(db: &Db, license_id: i64, kind: Kind) -> Result<Option<Entry>> {
    db.one(
        &format!(
        "select {COLUMNS} from audit where license_id = ?1 and kind = ?2 order by id desc limit 1"
    ),
        &[&license_id, &kind.as_str()],
        |row| entry(db, row),
    )
    .optional()
}

/// The ID of the last entry about a license.
pub fn last_about(db: &Db, license_id: i64) -> Result<Option<i64>> {
    db.one(
        "select max(id) from audit where license_id = ?1",
        &[&license_id],
        |row| row.get(0),
    )
}

pub fn get(db: &Db, id: i64) -> Result<Option<Entry>> {
    db.one(
        &format!("select {COLUMNS} from audit where id = ?1"),
        &[&id],
        |row| entry(db, row),
    )
    .optional()
}

/// At most `limit` rows with IDs from `first`, oldest first; no entry if a row is unreadable.
pub fn walk(db: &Db, first: i64, limit: i64) -> Result<Vec<(i64, Option<Entry>)>> {
    db
        // A disk error would have failed earlier: here the row has been read, and only its values can
        // be invalid.
        .all(
            &format!("select {COLUMNS} from audit where id >= ?1 order by id limit ?2"),
            &[&first, &limit],
            |row| Ok((row.get(0)?, entry(db, row).ok())),
        )
}

/// The ID and the hash of the last entry.
pub fn head(db: &Db) -> Result<(i64, String)> {
    let last = db
        .one(
            "select id, hash from audit order by id desc limit 1",
            &[],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    Ok(last.unwrap_or((0, BEGINNING.to_owned())))
}

/// At most `limit` rows of this kind, of which alerts are made, since that moment, newest first; no entry if a row is
/// unreadable.
pub fn of_alerts(
    db: &Db,
    kind: Kind,
    since: OffsetDateTime,
    limit: i64,
) -> Result<Vec<(i64, Option<Entry>)>> {
    db.all(
        &format!(
            "select {COLUMNS} from audit where kind in ({}) and kind = ?1 and at >= ?2
             order by at desc, id desc limit ?3",
            quoted(Kind::is_of_alerts)
        ),
        &[&kind.as_str(), &since.unix_timestamp(), &limit],
        |row| match entry(db, row) {
            Err(error @ (DbError::Sqlite(_) | DbError::Postgres(_))) => Err(error),
            read => Ok((row.get(0)?, read.ok())),
        },
    )
}

/// Whether there are such entries after that one.
pub fn has_alerts(db: &Db, after: i64) -> Result<bool> {
    db.one(
        &format!(
            "select exists (select 1 from audit where id > ?1 and kind in ({}))",
            quoted(Kind::is_of_alerts)
        ),
        &[&after],
        |row| row.get(0),
    )
}

/// When the first entry was made: at the installation.
pub fn began(db: &Db) -> Result<Option<OffsetDateTime>> {
    db.one("select at from audit where id = 1", &[], |row| {
        moment(row, 0)
    })
    .optional()
}

/// The first sign-ins before that moment that still have their details.
pub fn sign_ins(db: &Db, before: OffsetDateTime, limit: i64) -> Result<Vec<i64>> {
    // As literals, so that SQLite uses the index.
    db.all(
        &format!(
        "select id from audit where content = '' and kind in ({}) and at < ?1 order by at limit ?2",
        quoted(Kind::is_sign_in)
    ),
        &[&before.unix_timestamp(), &limit],
        |row| row.get(0),
    )
}

/// For SQL.
fn quoted(is_in: fn(Kind) -> bool) -> String {
    let kinds = Kind::ALL.into_iter().filter(|kind| is_in(*kind));
    let quoted: Vec<String> = kinds.map(|kind| format!("'{}'", kind.as_str())).collect();
    quoted.join(", ")
}

/// Replaces the details of a sign-in by their hash; returns the personal values that it had.
pub fn remove_details(db: &WriteTx<'_>, id: i64) -> Result<Vec<i64>> {
    let Some(mut entry) = get(db, id)? else {
        return Ok(vec![]);
    };
    db.run(
        "update audit set who = 0, address = 0, license_id = null, before = '', after = '', content = ?2
         where id = ?1 and content = ''",
        &[&id, &entry.content()],
    )?;
    Ok(entry.event.personal_mut().map(|one| one.id).collect())
}

/// Removes from `values` those that rows with IDs from `first` refer to; returns where to continue.
pub fn retain_unused(
    db: &Db,
    first: i64,
    limit: i64,
    values: &mut HashSet<i64>,
) -> Result<Option<i64>> {
    let sql =
        "select id, who, address, before, after from audit where id >= ?1 order by id limit ?2";
    let read: Vec<i64> = db.all(sql, &[&first, &limit], |row| {
        values.remove(&row.get(1)?);
        values.remove(&row.get(2)?);
        for column in [3, 4] {
            let find = |id| {
                values.remove(&id);
                Ok::<_, DbError>(Personal::removed())
            };
            // What cannot be read may refer to anything.
            if Details::read(row.text(column)?, find)?.is_none() {
                values.clear();
            }
        }
        row.get(0)
    })?;
    Ok(read.last().map(|id| id + 1))
}

/// What an entry says about people: IDs of personal values.
pub struct Mention {
    pub id: i64,
    pub license_id: Option<i64>,
    pub code_id: Option<i64>,
    pub customer_id: Option<i64>,
    /// See [`PERSON_ID`].
    pub person_id: Option<i64>,
    /// Of who did it, and from where.
    pub actor: [i64; 2],
    pub values: Vec<MentionedValue>,
}

pub struct MentionedValue {
    /// Of the detail.
    pub name: String,
    pub id: i64,
    /// It was there before the entry, and not after.
    pub is_before: bool,
}

/// At most `limit` entries with IDs from `from` and below `before`, newest first.
pub fn mentions(db: &Db, from: i64, before: i64, limit: i64) -> Result<Vec<Mention>> {
    db.all(
        "select id, license_id, who, address, before, after, code_id from audit
         where id >= ?1 and id < ?2 order by id desc limit ?3",
        &[&from, &before, &limit],
        |row| {
            let mut mention = Mention {
                id: row.get(0)?,
                license_id: row.get(1)?,
                code_id: row.get(6)?,
                customer_id: None,
                person_id: None,
                actor: [row.get(2)?, row.get(3)?],
                values: vec![],
            };
            for column in [4, 5] {
                let stored: String = row.get(column)?;
                let find = |id| {
                    let removed = Personal::removed();
                    Ok::<_, DbError>(Personal { id, ..removed })
                };
                let details = Details::read(&stored, find)?;
                for (name, detail) in details.ok_or_else(|| unreadable(column, &stored))?.0 {
                    match detail {
                        Detail::Personal(one) => mention.values.push(MentionedValue {
                            name,
                            id: one.id,
                            is_before: column == 4,
                        }),
                        Detail::Number(id) if name == "code_id" => mention.code_id = Some(id),
                        Detail::Number(id) if name == CUSTOMER_ID => mention.customer_id = Some(id),
                        Detail::Number(id) if name == PERSON_ID => mention.person_id = Some(id),
                        Detail::Number(_) | Detail::Text(_) => {}
                    }
                }
            }
            Ok(mention)
        },
    )
}

fn entry(db: &Db, row: &Row<'_>) -> Result<Entry> {
    let word: String = row.get(2)?;
    let content: String = row.get(9)?;
    let removed = (!content.is_empty()).then_some(content);
    let person = |column| match (row.get(column)?, &removed) {
        (0, Some(_)) => Ok(Personal::removed()),
        (id, None) => personal::get(db, id),
        (id, Some(_)) => Err(unreadable(column, &id.to_string())),
    };
    let details = |column| {
        let stored: String = row.get(column)?;
        // The chain hashes the details and people read the stored text: both must have the same
        // form.
        Details::read(&stored, |id| personal::get(db, id))?
            .filter(|details| details.stored() == stored)
            .filter(|_| stored.is_empty() || removed.is_none())
            .ok_or_else(|| unreadable(column, &stored))
    };
    let license_id: Option<i64> = row.get(5)?;
    if let (Some(id), Some(_)) = (license_id, &removed) {
        return Err(unreadable(5, &id.to_string()));
    }
    Ok(Entry {
        id: row.get(0)?,
        at: moment(row, 1)?,
        event: Event {
            kind: Kind::from_word(&word).ok_or_else(|| unreadable(2, &word))?,
            who: person(3)?,
            address: person(4)?,
            license_id,
            code_id: row.get(10)?,
            before: details(6)?,
            after: details(7)?,
            told: None,
            nameless: Nameless::default(),
        },
        removed,
        hash: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_the_kinds_that_may_lose_their_details_and_those_of_alerts() {
        let schema = include_str!("../../schema.sql");
        let named = |is_in| schema.matches(&quoted(is_in)).count();
        assert_eq!((named(Kind::is_sign_in), named(Kind::is_of_alerts)), (2, 1));
    }
}
