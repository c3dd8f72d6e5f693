//! The table of keys that answers are signed with, and how often each was used.

use rusqlite::{Connection, Result, Row, params};
use time::{Date, OffsetDateTime};

use super::moment;
use crate::model::audit::Kind;
use crate::model::new_license::format_date;
use crate::model::signing_key::{Secret, SigningKey};

/// Every key, newest first, with the private half.
pub fn all(db: &Connection) -> Result<Vec<(SigningKey, Secret)>> {
    db.prepare_cached(
        "select kid, created_at, is_default, retired_at, exported_at,
             (select max(day) from key_days where key_days.kid = signing_keys.kid),
             (select coalesce(sum(number), 0) from key_days where key_days.kid = signing_keys.kid),
             private_key
         from signing_keys order by created_at desc, rowid desc",
    )?
    .query_map([], |row| {
        let key = SigningKey {
            kid: row.get(0)?,
            created_at: moment(row, 1)?,
            is_default: row.get(2)?,
            retired_at: maybe_moment(row, 3)?,
            exported_at: maybe_moment(row, 4)?,
            last_used_on: row.get(5)?,
            answers: row.get(6)?,
        };
        Ok((key, Secret(row.get(7)?)))
    })?
    .collect()
}

fn maybe_moment(row: &Row<'_>, column: usize) -> Result<Option<OffsetDateTime>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => moment(row, column).map(Some),
    }
}

/// Keys that were made, or have signed, and that are not there.
pub fn missing(db: &Connection) -> Result<Vec<String>> {
    db.prepare_cached(
        "select kid from key_days where kid not in (select kid from signing_keys)
         union
         select after ->> 'kid' from audit
         where kind = ?1 and after ->> 'kid' not in (select kid from signing_keys)",
    )?
    .query_map([Kind::SigningKeyCreated.as_str()], |row| row.get(0))?
    .collect()
}

/// Adds a key.
pub fn add(db: &Connection, kid: &str, secret: &Secret, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached(
        "insert into signing_keys (kid, private_key, created_at, is_default) values (?1, ?2, ?3, 0)",
    )?
    .execute(params![kid, secret.0, now.unix_timestamp()])?;
    Ok(())
}

/// Writes the private half of a key again; false where there is no such key.
pub fn restore(db: &Connection, kid: &str, secret: &Secret) -> Result<bool> {
    let restored = db
        .prepare_cached("update signing_keys set private_key = ?2 where kid = ?1")?
        .execute(params![kid, secret.0])?;
    Ok(restored > 0)
}

/// Makes it the one that signs for clients that name none.
pub fn set_default(db: &Connection, kid: &str) -> Result<()> {
    db.prepare_cached("update signing_keys set is_default = (kid = ?1)")?
        .execute([kid])?;
    Ok(())
}

/// From now on it signs nothing.
pub fn retire(db: &Connection, kid: &str, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached("update signing_keys set retired_at = ?2 where kid = ?1")?
        .execute(params![kid, now.unix_timestamp()])?;
    Ok(())
}

/// Notes that it was written to a file.
pub fn set_exported(db: &Connection, kid: &str, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached("update signing_keys set exported_at = ?2 where kid = ?1")?
        .execute(params![kid, now.unix_timestamp()])?;
    Ok(())
}

/// Counts so many more answers that it has signed.
pub fn count(db: &Connection, kid: &str, day: Date, number: u64) -> Result<()> {
    db.prepare_cached(
        "insert into key_days (kid, day, number) select kid, ?2, ?3 from signing_keys where kid = ?1
         on conflict (kid, day) do update set number = number + excluded.number",
    )?
    .execute(params![kid, format_date(day), number as i64])?;
    Ok(())
}
