//! The table of sessions.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::moment;
use super::users::role;
use crate::model::audit::Factor;
use crate::model::role::Role;

#[derive(Debug, Clone)]
pub struct Session {
    pub id: i64,
    pub user_id: i64,
    pub user_name: String,
    pub role: Role,
    pub created_at: OffsetDateTime,
    /// To the minute.
    pub last_used_at: OffsetDateTime,
    /// The client's address at sign-in.
    pub address: String,
    /// The browser's user agent at sign-in.
    pub user_agent: String,
    /// From which its person has signed in in this browser, separated by spaces.
    pub networks: String,
    /// When the password, and a code if there was a second factor, was last asked for.
    pub confirmed_at: OffsetDateTime,
    /// Whether the person has a second factor: then it was asked for, because setting one up ends all other sessions.
    pub has_factor: bool,
    /// The person has not replaced the random first password yet.
    pub has_random_password: bool,
}

impl Session {
    /// What its person proved.
    pub fn factor(&self) -> Factor {
        match self.has_factor {
            true => Factor::PasswordAndCode,
            false => Factor::Password,
        }
    }
}

pub struct NewSession<'a> {
    /// SHA-256 of the cookie's value.
    pub token_hash: &'a str,
    pub user_id: i64,
    /// The client's address.
    pub address: &'a str,
    pub user_agent: &'a str,
    pub networks: &'a str,
}

const COLUMNS: &str = "sessions.id, sessions.user_id, users.name, sessions.created_at, \
     sessions.last_used_at, sessions.address, sessions.user_agent, users.role, \
     sessions.confirmed_at, users.totp_secret <> '', users.has_random_password, sessions.networks \
     from sessions join users on users.id = sessions.user_id and users.is_disabled = 0";

pub fn add(db: &Db, new: &NewSession<'_>, now: OffsetDateTime) -> Result<()> {
    db.run(
        "insert into sessions (token_hash, user_id, created_at, last_used_at, confirmed_at, address, user_agent, networks)
         values (?1, ?2, ?3, ?3, ?3, ?4, ?5, ?6)",
        &[&new.token_hash, &new.user_id, &now.unix_timestamp(), &new.address, &new.user_agent, &new.networks],
    )?;
    Ok(())
}

pub fn set_confirmed(db: &Db, id: i64, at: OffsetDateTime) -> Result<()> {
    db.run(
        "update sessions set confirmed_at = ?2 where id = ?1",
        &[&id, &at.unix_timestamp()],
    )?;
    Ok(())
}

/// Replaces the hash of a session's cookie; returns whether there was one with the old hash.
pub fn renew(db: &Db, old_hash: &str, new_hash: &str) -> Result<bool> {
    let sql = "update sessions set token_hash = ?2 where token_hash = ?1";
    Ok(db.changed(sql, &[&old_hash, &new_hash])? == 1)
}

/// The session with that hash of its cookie, expired or not.
pub fn by_token_hash(db: &Db, token_hash: &str) -> Result<Option<Session>> {
    db.one(
        &format!("select {COLUMNS} where sessions.token_hash = ?1"),
        &[&token_hash],
        session,
    )
    .optional()
}

/// Includes expired sessions.
pub fn of_user(db: &Db, user_id: i64) -> Result<Vec<Session>> {
    db.all(
        &format!("select {COLUMNS} where sessions.user_id = ?1 order by sessions.id"),
        &[&user_id],
        session,
    )
}

/// Sessions that were last used, and created, after these times.
pub fn count(db: &Db, last_used: OffsetDateTime, created: OffsetDateTime) -> Result<i64> {
    db.one(
        "select count(*) from sessions where last_used_at > ?1 and created_at > ?2",
        &[&last_used.unix_timestamp(), &created.unix_timestamp()],
        |row| row.get(0),
    )
}

/// Records a use of the session unless a later one is recorded.
pub fn set_last_used(db: &Db, id: i64, at: OffsetDateTime) -> Result<()> {
    db.run(
        "update sessions set last_used_at = ?2 where id = ?1 and last_used_at < ?2",
        &[&id, &at.unix_timestamp()],
    )?;
    Ok(())
}

/// Ends the session with that hash of its cookie.
pub fn delete(db: &Db, token_hash: &str) -> Result<()> {
    db.run("delete from sessions where token_hash = ?1", &[&token_hash])?;
    Ok(())
}

pub fn delete_by_id(db: &Db, id: i64) -> Result<()> {
    db.run("delete from sessions where id = ?1", &[&id])?;
    Ok(())
}

/// Ends all sessions of the user except `kept`; returns how many.
pub fn delete_others(db: &Db, user_id: i64, kept: i64) -> Result<usize> {
    db.changed(
        "delete from sessions where user_id = ?1 and id <> ?2",
        &[&user_id, &kept],
    )
}

pub fn delete_of_user(db: &Db, user_id: i64) -> Result<()> {
    db.run("delete from sessions where user_id = ?1", &[&user_id])?;
    Ok(())
}

pub fn delete_all(db: &Db) -> Result<usize> {
    db.changed("delete from sessions", &[])
}

/// Deletes the sessions that were last used, or created, before these times.
pub fn delete_expired(db: &Db, last_used: OffsetDateTime, created: OffsetDateTime) -> Result<()> {
    db.run(
        "delete from sessions where last_used_at < ?1 or created_at < ?2",
        &[&last_used.unix_timestamp(), &created.unix_timestamp()],
    )?;
    Ok(())
}

fn session(row: &Row<'_>) -> Result<Session> {
    Ok(Session {
        id: row.get(0)?,
        user_id: row.get(1)?,
        user_name: row.get(2)?,
        created_at: moment(row, 3)?,
        last_used_at: moment(row, 4)?,
        address: row.get(5)?,
        user_agent: row.get(6)?,
        role: role(row, 7)?,
        confirmed_at: moment(row, 8)?,
        has_factor: row.get(9)?,
        has_random_password: row.get(10)?,
        networks: row.get(11)?,
    })
}
