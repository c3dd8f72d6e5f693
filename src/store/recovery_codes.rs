//! The table of recovery codes, each of which takes the place of one code of an authenticator app.

use super::db::{Db, Result};

/// Replaces all that the user has.
pub fn replace(db: &Db, user_id: i64, code_hashes: &[String]) -> Result<()> {
    db.run("delete from recovery_codes where user_id = ?1", &[&user_id])?;
    let sql = "insert into recovery_codes (user_id, code_hash) values (?1, ?2)";
    for hash in code_hashes {
        db.run(sql, &[&user_id, hash])?;
    }
    Ok(())
}

/// Deletes that code; returns whether it was there.
pub fn take(db: &Db, user_id: i64, code_hash: &str) -> Result<bool> {
    let sql = "delete from recovery_codes where user_id = ?1 and code_hash = ?2";
    Ok(db.changed(sql, &[&user_id, &code_hash])? == 1)
}

pub fn count(db: &Db, user_id: i64) -> Result<i64> {
    db.one(
        "select count(*) from recovery_codes where user_id = ?1",
        &[&user_id],
        |row| row.get(0),
    )
}
