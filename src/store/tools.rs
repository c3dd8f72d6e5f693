//! The table of tools.

use rusqlite::{Connection, Result, params};
use time::OffsetDateTime;

/// Makes the tool if it is not there yet.
pub fn ensure(db: &Connection, name: &str, now: OffsetDateTime) -> Result<()> {
    db.prepare_cached(
        "insert into tools (name, created_at) values (?1, ?2) on conflict do nothing",
    )?
    .execute(params![name, now.unix_timestamp()])?;
    Ok(())
}

/// The names of the tools that have a license, in the order of the alphabet.
pub fn names(db: &Connection) -> Result<Vec<String>> {
    db.prepare_cached(
        "select name from tools
         where exists (select 1 from licenses where licenses.tool_name = tools.name)
         order by name",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

/// Whether there is such a tool, also without any license left.
pub fn is_there(db: &Connection, name: &str) -> Result<bool> {
    db.prepare_cached("select exists (select 1 from tools where name = ?1)")?
        .query_row([name], |row| row.get(0))
}
