//! The table of users.

use std::fmt;

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::{moment, optional_moment, unreadable};
use crate::model::role::Role;
use crate::model::user::UserValues;

/// A person who may sign in.
#[derive(Debug, Clone)]
pub struct User {
    pub id: i64,
    pub values: UserValues,
    /// A PHC string.
    pub password_hash: String,
    pub is_disabled: bool,
    pub factor: Option<StoredFactor>,
    pub created_at: OffsetDateTime,
    /// The last time; none before the first.
    pub signed_in_at: Option<OffsetDateTime>,
}

/// A second factor as it is in the table.
#[derive(Clone)]
pub struct StoredFactor {
    /// Base32, which may be encrypted.
    pub secret: String,
    /// Of the newest code that was used.
    pub last_step: i64,
}

impl fmt::Debug for StoredFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredFactor")
    }
}

const COLUMNS: &str = "id, name, email, role, password_hash, is_disabled, totp_secret, totp_step, created_at, \
     signed_in_at";

/// Compared byte for byte.
pub fn by_name(db: &Db, name: &str) -> Result<Option<User>> {
    db.one(
        &format!("select {COLUMNS} from users where name = ?1"),
        &[&name],
        user,
    )
    .optional()
}

pub fn get(db: &Db, id: i64) -> Result<Option<User>> {
    db.one(
        &format!("select {COLUMNS} from users where id = ?1"),
        &[&id],
        user,
    )
    .optional()
}

/// By name.
pub fn all(db: &Db) -> Result<Vec<User>> {
    db.all(
        &format!("select {COLUMNS} from users order by name"),
        &[],
        user,
    )
}

pub fn add(db: &Db, values: &UserValues, password_hash: &str, now: OffsetDateTime) -> Result<i64> {
    db.one("insert into users (name, email, role, password_hash, created_at) values (?1, ?2, ?3, ?4, ?5) returning id", &[&values.name, &values.email, &values.role.as_str(), &password_hash, &now.unix_timestamp()], |row| row.get(0))
}

pub fn update(db: &Db, id: i64, values: &UserValues) -> Result<()> {
    db.run(
        "update users set name = ?2, email = ?3, role = ?4 where id = ?1",
        &[&id, &values.name, &values.email, &values.role.as_str()],
    )?;
    Ok(())
}

pub fn set_disabled(db: &Db, id: i64, is_disabled: bool) -> Result<()> {
    db.run(
        "update users set is_disabled = ?2 where id = ?1",
        &[&id, &i64::from(is_disabled)],
    )?;
    Ok(())
}

/// With sessions and API tokens.
pub fn delete(db: &Db, id: i64) -> Result<()> {
    db.run("delete from users where id = ?1", &[&id])?;
    Ok(())
}

/// Whether the password is a random one, for the first sign-in only.
pub fn set_has_random_password(db: &Db, id: i64, is_random: bool) -> Result<()> {
    db.run(
        "update users set has_random_password = ?2 where id = ?1",
        &[&id, &i64::from(is_random)],
    )?;
    Ok(())
}

pub fn set_password_hash(db: &Db, id: i64, password_hash: &str) -> Result<()> {
    db.run(
        "update users set password_hash = ?2 where id = ?1",
        &[&id, &password_hash],
    )?;
    Ok(())
}

pub fn set_signed_in(db: &Db, id: i64, at: OffsetDateTime) -> Result<()> {
    db.run(
        "update users set signed_in_at = ?2 where id = ?1",
        &[&id, &at.unix_timestamp()],
    )?;
    Ok(())
}

/// None removes the second factor; `step` is that of a code that was used.
pub fn set_factor(db: &Db, id: i64, secret: Option<&str>, step: i64) -> Result<()> {
    let secret = secret.unwrap_or_default();
    db.run(
        "update users set totp_secret = ?2, totp_step = ?3 where id = ?1",
        &[&id, &secret, &step],
    )?;
    Ok(())
}

/// Uses the code of that step up; returns whether neither it nor a newer one was used before.
pub fn use_step(db: &Db, id: i64, step: i64) -> Result<bool> {
    let sql = "update users set totp_step = ?2 where id = ?1 and totp_step < ?2";
    Ok(db.changed(sql, &[&id, &step])? == 1)
}

fn factor(row: &Row<'_>, at: usize) -> Result<Option<StoredFactor>> {
    let (secret, last_step): (String, i64) = (row.get(at)?, row.get(at + 1)?);
    Ok((!secret.is_empty()).then_some(StoredFactor { secret, last_step }))
}

pub(super) fn role(row: &Row<'_>, at: usize) -> Result<Role> {
    let word = row.text(at)?;
    Role::from_word(word).ok_or_else(|| unreadable(at, word))
}

fn user(row: &Row<'_>) -> Result<User> {
    Ok(User {
        id: row.get(0)?,
        values: UserValues {
            name: row.get(1)?,
            email: row.get(2)?,
            role: role(row, 3)?,
        },
        password_hash: row.get(4)?,
        is_disabled: row.get(5)?,
        factor: factor(row, 6)?,
        created_at: moment(row, 8)?,
        signed_in_at: optional_moment(row, 9)?,
    })
}
