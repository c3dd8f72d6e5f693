//! The table of keys that asked for a tool and have no license.

use rusqlite::{Connection, Result, params};

use super::moment;
use crate::model::sighting::{Asked, Unknown};

/// Keys that are remembered; behind these the oldest go.
const MOST: i64 = 10_000;

/// Adds some checks of one key; nothing where there is no such tool, or a license by now.
pub fn add(db: &Connection, tool_name: &str, license_key: &str, asked: &Asked) -> Result<()> {
    db.prepare_cached(
        "insert into unknown_keys (tool_name, license_key, first_at, last_at, check_count, address)
         select name, ?2, ?3, ?4, ?5, ?6 from tools where name = ?1
             and not exists (select 1 from licenses where tool_name = ?1 and license_key = ?2)
         on conflict (tool_name, license_key) do update
         set last_at = excluded.last_at, check_count = check_count + excluded.check_count,
             address = excluded.address",
    )?
    .execute(params![
        tool_name,
        license_key,
        asked.first_at,
        asked.last_at,
        asked.count,
        asked.address.to_string(),
    ])?;
    Ok(())
}

/// Removes the oldest where there are too many.
pub fn prune(db: &Connection) -> Result<()> {
    db.prepare_cached(
        "delete from unknown_keys where (tool_name, license_key) in (
             select tool_name, license_key from unknown_keys
             order by last_at desc, tool_name desc, license_key desc limit -1 offset ?1)",
    )?
    .execute([MOST])?;
    Ok(())
}

/// Removes a key that has a license now.
pub(super) fn forget(db: &Connection, tool_name: &str, license_key: &str) -> Result<()> {
    db.prepare_cached("delete from unknown_keys where tool_name = ?1 and license_key = ?2")?
        .execute([tool_name, license_key])?;
    Ok(())
}

/// How many there are.
pub fn count(db: &Connection) -> Result<i64> {
    db.prepare_cached("select count(*) from unknown_keys")?
        .query_row([], |row| row.get(0))
}

/// The last that asked.
pub fn newest(db: &Connection, most: i64) -> Result<Vec<Unknown>> {
    db.prepare_cached(
        "select tool_name, license_key, first_at, last_at, check_count, address from unknown_keys
         order by last_at desc, tool_name desc, license_key desc limit ?1",
    )?
    .query_map([most], |row| {
        Ok(Unknown {
            tool_name: row.get(0)?,
            license_key: row.get(1)?,
            first_at: moment(row, 2)?,
            last_at: moment(row, 3)?,
            check_count: row.get(4)?,
            address: row.get(5)?,
        })
    })?
    .collect()
}
