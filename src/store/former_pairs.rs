//! The table of tool and key pairs that a license had before.

use super::db::{Db, Result};
use crate::model::license::License;

/// Records that the entry `audit_id` took its pair away from a license.
pub fn add(db: &Db, before: &License, audit_id: i64) -> Result<()> {
    db.run(
        "insert into former_pairs (license_key, tool_name, license_id, audit_id)
         values (?1, ?2, ?3, ?4)",
        &[
            &before.license_key,
            &before.tool_name,
            &before.id,
            &audit_id,
        ],
    )?;
    Ok(())
}

/// At most `limit` licenses that once had the pair, with the entries that took it away, newest
/// first.
pub fn of(db: &Db, tool_name: &str, license_key: &str, limit: i64) -> Result<Vec<(i64, i64)>> {
    db.all(
        "select license_id, audit_id from former_pairs
         where license_key = ?2 and tool_name = ?1 order by audit_id desc limit ?3",
        &[&tool_name, &license_key, &limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}
