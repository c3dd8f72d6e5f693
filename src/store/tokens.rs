//! The table of API tokens.

use rusqlite::{Connection, OptionalExtension, Result};
use time::OffsetDateTime;

use super::moment;

/// A key for scripts.
#[derive(Debug, Clone)]
pub struct Token {
    /// The row's id.
    pub id: i64,
    /// What the admin calls it.
    pub name: String,
    /// The words of the scopes, divided by spaces.
    pub scopes: String,
    /// From when on it is dead.
    pub expires_at: OffsetDateTime,
}

/// The token with that hash, alive or not.
pub fn by_token_hash(db: &Connection, token_hash: &str) -> Result<Option<Token>> {
    db.prepare_cached("select id, name, scopes, expires_at from api_tokens where token_hash = ?1")?
        .query_row([token_hash], |row| {
            Ok(Token {
                id: row.get(0)?,
                name: row.get(1)?,
                scopes: row.get(2)?,
                expires_at: moment(row, 3)?,
            })
        })
        .optional()
}
