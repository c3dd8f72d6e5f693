//! The table of recovery codes, each of which takes the place of one code of an authenticator app.

use rusqlite::{Connection, Result};

/// Replaces all that the user has.
pub fn replace(db: &Connection, user_id: i64, code_hashes: &[String]) -> Result<()> {
    db.prepare_cached("delete from recovery_codes where user_id = ?1")?
        .execute([user_id])?;
    let sql = "insert into recovery_codes (user_id, code_hash) values (?1, ?2)";
    let mut statement = db.prepare_cached(sql)?;
    for hash in code_hashes {
        statement.execute((user_id, hash))?;
    }
    Ok(())
}

/// Deletes that code; returns whether it was there.
pub fn take(db: &Connection, user_id: i64, code_hash: &str) -> Result<bool> {
    let sql = "delete from recovery_codes where user_id = ?1 and code_hash = ?2";
    let deleted = db.prepare_cached(sql)?.execute((user_id, code_hash))?;
    Ok(deleted == 1)
}

pub fn count(db: &Connection, user_id: i64) -> Result<i64> {
    db.prepare_cached("select count(*) from recovery_codes where user_id = ?1")?
        .query_row([user_id], |row| row.get(0))
}
