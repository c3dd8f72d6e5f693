//! The table of users.

use rusqlite::{Connection, OptionalExtension, Result, params};
use time::OffsetDateTime;

/// A person who may sign in.
#[derive(Debug, Clone)]
pub struct User {
    pub id: i64,
    pub name: String,
    /// A PHC string.
    pub password_hash: String,
}

/// Compared byte for byte.
pub fn by_name(db: &Connection, name: &str) -> Result<Option<User>> {
    db.prepare_cached("select id, name, password_hash from users where name = ?1")?
        .query_row([name], |row| {
            Ok(User {
                id: row.get(0)?,
                name: row.get(1)?,
                password_hash: row.get(2)?,
            })
        })
        .optional()
}

/// In alphabetical order.
pub fn names(db: &Connection) -> Result<Vec<String>> {
    db.prepare_cached("select name from users order by name")?
        .query_map([], |row| row.get(0))?
        .collect()
}

pub fn add(db: &Connection, name: &str, password_hash: &str, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached("insert into users (name, password_hash, created_at) values (?1, ?2, ?3)")?
        .execute(params![name, password_hash, now.unix_timestamp()])?;
    Ok(())
}

pub fn set_password_hash(db: &Connection, id: i64, password_hash: &str) -> Result<()> {
    db.prepare_cached("update users set password_hash = ?2 where id = ?1")?
        .execute(params![id, password_hash])?;
    Ok(())
}
