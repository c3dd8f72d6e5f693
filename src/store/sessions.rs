//! The table of sessions.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};
use time::OffsetDateTime;

use super::moment;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The row's id.
    pub id: i64,
    /// Whose session it is.
    pub user_id: i64,
    /// The user's name.
    pub user_name: String,
    /// When the user signed in.
    pub created_at: OffsetDateTime,
    /// The last request, to the minute.
    pub last_used_at: OffsetDateTime,
    /// The client's address at sign-in.
    pub address: String,
    /// The browser's name at sign-in.
    pub user_agent: String,
}

/// What is known of a client that signs in.
pub struct NewSession<'a> {
    /// SHA-256 of the cookie's value.
    pub token_hash: &'a str,
    /// Who signs in.
    pub user_id: i64,
    /// The client's address.
    pub address: &'a str,
    /// The browser's name.
    pub user_agent: &'a str,
}

const COLUMNS: &str = "sessions.id, user_id, users.name, sessions.created_at, last_used_at, address, user_agent \
                       from sessions join users on users.id = sessions.user_id";

/// Adds a session.
pub fn add(db: &Connection, new: &NewSession<'_>, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached(
        "insert into sessions (token_hash, user_id, created_at, last_used_at, address, user_agent)
         values (?1, ?2, ?3, ?3, ?4, ?5)",
    )?
    .execute(params![
        new.token_hash,
        new.user_id,
        now.unix_timestamp(),
        new.address,
        new.user_agent
    ])?;
    Ok(())
}

/// The session whose cookie has that hash, alive or not.
pub fn by_token_hash(db: &Connection, token_hash: &str) -> Result<Option<Session>> {
    db.prepare_cached(&format!("select {COLUMNS} where token_hash = ?1"))?
        .query_row([token_hash], session)
        .optional()
}

/// Every session of the user, alive or not, the last used first.
pub fn of_user(db: &Connection, user_id: i64) -> Result<Vec<Session>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} where user_id = ?1 order by last_used_at desc, sessions.id desc"
    ))?
    .query_map([user_id], session)?
    .collect()
}

/// Notes a use of the session.
pub fn touch(db: &Connection, id: i64, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached("update sessions set last_used_at = ?2 where id = ?1")?
        .execute(params![id, now.unix_timestamp()])?;
    Ok(())
}

/// Ends the session whose cookie has that hash.
pub fn delete(db: &Connection, token_hash: &str) -> Result<()> {
    db.prepare_cached("delete from sessions where token_hash = ?1")?
        .execute([token_hash])?;
    Ok(())
}

/// Ends the session with that id.
pub fn delete_by_id(db: &Connection, id: i64) -> Result<()> {
    db.prepare_cached("delete from sessions where id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Ends every session of the user but the one with the id `kept`; returns how many.
pub fn delete_others(db: &Connection, user_id: i64, kept: i64) -> Result<usize> {
    db.prepare_cached("delete from sessions where user_id = ?1 and id <> ?2")?
        .execute([user_id, kept])
}

/// Removes the sessions that were last used, or began, before these moments.
pub fn delete_dead(
    db: &Connection,
    last_used: OffsetDateTime,
    created: OffsetDateTime,
) -> Result<()> {
    db.prepare_cached("delete from sessions where last_used_at < ?1 or created_at < ?2")?
        .execute([last_used.unix_timestamp(), created.unix_timestamp()])?;
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
    })
}
