//! The table of API tokens.

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::users::role;
use super::{moment, unreadable};
use crate::model::role::Role;
use crate::model::token::{NewToken, Scope, unused};

#[derive(Debug, Clone)]
pub struct Token {
    pub id: i64,
    /// What the admin calls it.
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: OffsetDateTime,
    /// From then on it is refused.
    pub expires_at: OffsetDateTime,
    /// None before the first use.
    pub last_use: Option<TokenUse>,
    /// Its person, and what that one may do.
    pub user_id: i64,
    pub role: Role,
    /// Its person.
    pub user_name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenUse {
    /// To the minute.
    pub at: OffsetDateTime,
    /// The client's address.
    pub address: String,
}

impl Token {
    /// [`unused`] of this token.
    pub fn unused(&self, now: OffsetDateTime) -> Option<String> {
        let last = self.last_use.as_ref().map(|last| last.at);
        unused(self.created_at, last, now).filter(|_| now < self.expires_at)
    }
}

const COLUMNS: &str = "api_tokens.id, api_tokens.name, scopes, api_tokens.created_at, expires_at, \
     last_used_at, last_used_address, users.id, users.role, users.name \
     from api_tokens join users on users.id = api_tokens.user_id";

pub fn add(
    db: &Db,
    user_id: i64,
    new: &NewToken,
    token_hash: &str,
    expires_at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<()> {
    let scopes: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
    db.run(
        "insert into api_tokens (token_hash, user_id, name, scopes, created_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6)",
        &[
            &token_hash,
            &user_id,
            &new.name,
            &scopes.join(" "),
            &now.unix_timestamp(),
            &expires_at.unix_timestamp(),
        ],
    )?;
    Ok(())
}

/// The token with that hash, expired or not, unless its person is disabled.
pub fn by_token_hash(db: &Db, token_hash: &str) -> Result<Option<Token>> {
    db.one(
        &format!("select {COLUMNS} and users.is_disabled = 0 where token_hash = ?1"),
        &[&token_hash],
        token,
    )
    .optional()
}

/// None if it was revoked.
pub fn name(db: &Db, id: i64) -> Result<Option<String>> {
    db.one("select name from api_tokens where id = ?1", &[&id], |row| {
        row.get(0)
    })
    .optional()
}

/// Newest first.
pub fn of_user(db: &Db, user_id: i64) -> Result<Vec<Token>> {
    db.all(
        &format!("select {COLUMNS} where user_id = ?1 order by api_tokens.id desc"),
        &[&user_id],
        token,
    )
}

/// Of all users, including expired ones.
pub fn all(db: &Db) -> Result<Vec<Token>> {
    db.all(
        &format!("select {COLUMNS} order by api_tokens.id"),
        &[],
        token,
    )
}

/// Of all users, newest first, without those that have expired.
pub fn valid(db: &Db, now: OffsetDateTime) -> Result<Vec<Token>> {
    db.all(
        &format!("select {COLUMNS} where expires_at > ?1 order by api_tokens.id desc"),
        &[&now.unix_timestamp()],
        token,
    )
}

/// Records a use of the token unless a later one is recorded.
pub fn set_last_use(db: &Db, id: i64, last: &TokenUse) -> Result<()> {
    db.run(
        "update api_tokens set last_used_at = ?2, last_used_address = ?3
         where id = ?1 and (last_used_at is null or last_used_at <= ?2)",
        &[&id, &last.at.unix_timestamp(), &last.address],
    )?;
    Ok(())
}

pub fn delete(db: &Db, id: i64) -> Result<()> {
    db.run("delete from api_tokens where id = ?1", &[&id])?;
    Ok(())
}

fn token(row: &Row<'_>) -> Result<Token> {
    let words: String = row.get(2)?;
    let scopes: Option<Vec<Scope>> = words.split(' ').map(Scope::from_word).collect();
    let address: Option<String> = row.get(6)?;
    let last_use = address.map(|address| moment(row, 5).map(|at| TokenUse { at, address }));
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        scopes: scopes.ok_or_else(|| unreadable(2, &words))?,
        created_at: moment(row, 3)?,
        expires_at: moment(row, 4)?,
        last_use: last_use.transpose()?,
        user_id: row.get(7)?,
        role: role(row, 8)?,
        user_name: row.get(9)?,
    })
}
