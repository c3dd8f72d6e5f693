//! The table of keys that asked for a tool and have no license.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};

use super::moment;
use crate::model::question::Question;
use crate::model::sighting::{Asked, UnknownKey};

/// Keys that are remembered; behind these the oldest go.
const MOST: i64 = 10_000;

/// Adds some checks of one key, in any order; nothing where there is no such tool, or a license by now.
pub fn add(db: &Connection, tool_name: &str, license_key: &str, asked: &Asked) -> Result<()> {
    db.prepare_cached(
        "insert into unknown_keys (tool_name, license_key, first_at, last_at, check_count, address)
         select name, ?2, ?3, ?4, ?5, ?6 from tools where name = ?1
             and not exists (select 1 from licenses where tool_name = ?1 and license_key = ?2)
         on conflict (tool_name, license_key) do update
         set first_at = case when excluded.first_at < first_at then excluded.first_at
                 else first_at end,
             last_at = case when excluded.last_at > last_at then excluded.last_at else last_at end,
             address = case when excluded.last_at < last_at then address
                 else excluded.address end,
             check_count = check_count + excluded.check_count",
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

const COLUMNS: &str = "tool_name, license_key, first_at, last_at, check_count, address";

/// What is known of one of them.
pub fn get(db: &Connection, question: &Question<'_>) -> Result<Option<UnknownKey>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from unknown_keys where tool_name = ?1 and license_key = ?2"
    ))?
    .query_row([question.tool_name, &question.license_key], unknown_key)
    .optional()
}

/// Place of a row in [`list`]: its last moment, tool and key.
pub type Place = (i64, String, String);

/// At most `limit` keys, of one tool where it is named, newest first, behind `beyond`.
pub fn list(
    db: &Connection,
    tool_name: Option<&str>,
    beyond: Option<&Place>,
    limit: i64,
) -> Result<Vec<UnknownKey>> {
    let mut sql = format!("select {COLUMNS} from unknown_keys where true");
    let mut values: Vec<Value> = vec![limit.into()];
    if let Some(tool_name) = tool_name {
        values.push(tool_name.to_owned().into());
        sql.push_str(" and tool_name = ?2");
    }
    if let Some((last_at, tool_name, license_key)) = beyond {
        let first = values.len() + 1;
        let place: [Value; 3] = [
            (*last_at).into(),
            tool_name.clone().into(),
            license_key.clone().into(),
        ];
        values.extend(place);
        sql.push_str(&format!(
            " and (last_at, tool_name, license_key) < (?{first}, ?{}, ?{})",
            first + 1,
            first + 2
        ));
    }
    sql.push_str(" order by last_at desc, tool_name desc, license_key desc limit ?1");
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), unknown_key)?
        .collect()
}

/// The tools that were asked for, and by how many keys each, in the order of the alphabet.
pub fn count(db: &Connection) -> Result<Vec<(String, i64)>> {
    db.prepare_cached(
        "select tool_name, count(*) from unknown_keys group by tool_name order by tool_name",
    )?
    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

fn unknown_key(row: &Row<'_>) -> Result<UnknownKey> {
    Ok(UnknownKey {
        tool_name: row.get(0)?,
        license_key: row.get(1)?,
        first_at: moment(row, 2)?,
        last_at: moment(row, 3)?,
        check_count: row.get(4)?,
        address: row.get(5)?,
    })
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
