//! The table of signing keys and of how often each was used.

use time::{Date, OffsetDateTime};

use super::db::{Db, Result};
use super::{moment, optional_moment, unreadable};
use crate::model::audit::Kind;
use crate::model::date;
use crate::model::signing_key::{Secret, SigningKey};

/// Every key with its private key, newest first.
pub fn all(db: &Db) -> Result<Vec<(SigningKey, Secret)>> {
    db.all(
        "select kid, created_at, is_default, retired_at, exported_at,
             (select max(day) from key_days where key_days.kid = signing_keys.kid),
             (select cast(coalesce(sum(number), 0) as bigint) from key_days where key_days.kid = signing_keys.kid),
             private_key
         from signing_keys order by id desc",
        &[],
        |row| {
            let key = SigningKey {
                kid: row.get(0)?,
                created_at: moment(row, 1)?,
                is_default: row.get(2)?,
                retired_at: optional_moment(row, 3)?,
                exported_at: optional_moment(row, 4)?,
                last_used_on: row.get(5)?,
                answers: row.get(6)?,
            };
            Ok((key, Secret(row.get(7)?)))
        },
    )
}

/// Keys that were created or have signed but are not in the table.
pub fn missing(db: &Db) -> Result<Vec<String>> {
    let mut kids = created(db)?;
    let used: Vec<String> = db.all("select distinct kid from key_days", &[], |row| row.get(0))?;
    kids.extend(used);
    let known: Vec<String> = db.all("select kid from signing_keys", &[], |row| row.get(0))?;
    kids.retain(|kid| !known.contains(kid));
    Ok(kids)
}

/// The keys that were created according to the audit log.
fn created(db: &Db) -> Result<Vec<String>> {
    // With the kind as a literal, SQLite uses a small index instead of scanning the log.
    db.all(
        &format!(
            "select after from audit where kind = '{}' order by id",
            Kind::SigningKeyCreated.as_str()
        ),
        &[],
        |row| {
            let after = row.text(0)?;
            let details: Option<serde_json::Value> = serde_json::from_str(after).ok();
            let kid = details.as_ref().and_then(|details| details["kid"].as_str());
            kid.map(str::to_owned).ok_or_else(|| unreadable(0, after))
        },
    )
}

pub fn add(db: &Db, kid: &str, secret: &Secret, now: OffsetDateTime) -> Result<()> {
    db.run("insert into signing_keys (kid, private_key, created_at, is_default) values (?1, ?2, ?3, 0)", &[&kid, &secret.0, &now.unix_timestamp()])?;
    Ok(())
}

/// Restores the private key; false if there is no such key.
pub fn restore(db: &Db, kid: &str, secret: &Secret) -> Result<bool> {
    let restored = db.changed(
        "update signing_keys set private_key = ?2 where kid = ?1",
        &[&kid, &secret.0],
    )?;
    Ok(restored > 0)
}

/// Makes it the key that signs for clients that list none.
pub fn set_default(db: &Db, kid: &str) -> Result<()> {
    db.run(
        "update signing_keys set is_default = case when kid = ?1 then 1 else 0 end",
        &[&kid],
    )?;
    Ok(())
}

/// From now on it signs nothing.
pub fn retire(db: &Db, kid: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "update signing_keys set retired_at = ?2 where kid = ?1",
        &[&kid, &now.unix_timestamp()],
    )?;
    Ok(())
}

/// Ends its retirement.
pub fn put_back(db: &Db, kid: &str) -> Result<()> {
    db.run(
        "update signing_keys set retired_at = null where kid = ?1",
        &[&kid],
    )?;
    Ok(())
}

/// Records that the private key was written to a file.
pub fn set_exported(db: &Db, kid: &str, now: OffsetDateTime) -> Result<()> {
    db.run(
        "update signing_keys set exported_at = ?2 where kid = ?1",
        &[&kid, &now.unix_timestamp()],
    )?;
    Ok(())
}

/// Counts answers that it has signed.
pub fn count(db: &Db, kid: &str, day: Date, number: u64) -> Result<()> {
    db.run(
        "insert into key_days (kid, day, number)
         select kid, ?2, ?3 from signing_keys where kid = ?1
         on conflict (kid, day) do update set number = key_days.number + excluded.number",
        &[&kid, &date::format(day), &(number as i64)],
    )?;
    Ok(())
}
