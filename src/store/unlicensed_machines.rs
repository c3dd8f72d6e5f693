//! The table of unlicensed machines: they checked a tool without having a license for it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Result, Row, params, params_from_iter};

use super::moment;
use crate::model::check::{PreviousLicense, UnlicensedCheck, UnlicensedMachine};
use crate::model::question::Question;

/// Machines that are kept; the oldest are removed.
const MAX_KEPT: i64 = 10_000;

/// Adds checks of one machine, in any order; does nothing if there is no such tool, or a license by
/// now.
pub fn add(
    db: &Connection,
    tool_name: &str,
    license_key: &str,
    check: &UnlicensedCheck,
) -> Result<()> {
    db.prepare_cached(
        "insert into unlicensed_machines
             (tool_name, license_key, first_at, last_at, check_count, address, previous_license_key)
         select name, ?2, ?3, ?4, ?5, ?6, ?7 from tools where name = ?1
             and not exists (select 1 from licenses where tool_name = ?1 and license_key = ?2)
         on conflict (tool_name, license_key) do update
         set first_at = case when excluded.first_at < unlicensed_machines.first_at
                 then excluded.first_at else unlicensed_machines.first_at end,
             last_at = case when excluded.last_at > unlicensed_machines.last_at
                 then excluded.last_at else unlicensed_machines.last_at end,
             address = case when excluded.last_at < unlicensed_machines.last_at
                 then unlicensed_machines.address else excluded.address end,
             previous_license_key = coalesce(
                 excluded.previous_license_key, unlicensed_machines.previous_license_key),
             check_count = unlicensed_machines.check_count + excluded.check_count",
    )?
    .execute(params![
        tool_name,
        license_key,
        check.first_at,
        check.last_at,
        check.count,
        check.address.to_string(),
        check.previous_license_key,
    ])?;
    Ok(())
}

const COLUMNS: &str =
    "tool_name, license_key, first_at, last_at, check_count, address, previous_license_key,
     (select licenses.id from licenses where licenses.tool_name = unlicensed_machines.tool_name
         and licenses.license_key = unlicensed_machines.previous_license_key)";

pub fn get(db: &Connection, question: &Question<'_>) -> Result<Option<UnlicensedMachine>> {
    db.prepare_cached(&format!(
        "select {COLUMNS} from unlicensed_machines where tool_name = ?1 and license_key = ?2"
    ))?
    .query_row([question.tool_name, &question.license_key], machine)
    .optional()
}

/// Where [`list`] continues: last check, tool and key of the previous page's last row.
pub type MachineCursor = (i64, String, String);

/// At most `limit` machines, of one tool if given, last seen first, after the cursor.
pub fn list(
    db: &Connection,
    tool_name: Option<&str>,
    after: Option<&MachineCursor>,
    limit: i64,
) -> Result<Vec<UnlicensedMachine>> {
    let mut sql = format!("select {COLUMNS} from unlicensed_machines where 1 = 1");
    let mut values: Vec<Value> = vec![limit.into()];
    if let Some(tool_name) = tool_name {
        values.push(tool_name.to_owned().into());
        sql.push_str(" and tool_name = ?2");
    }
    if let Some((last_at, tool_name, license_key)) = after {
        let first = values.len() + 1;
        let cursor: [Value; 3] = [
            (*last_at).into(),
            tool_name.clone().into(),
            license_key.clone().into(),
        ];
        values.extend(cursor);
        sql.push_str(&format!(
            " and (last_at, tool_name, license_key) < (?{first}, ?{}, ?{})",
            first + 1,
            first + 2
        ));
    }
    sql.push_str(" order by last_at desc, tool_name desc, license_key desc limit ?1");
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(values), machine)?
        .collect()
}

/// The number of machines of each tool, in alphabetical order.
pub fn count(db: &Connection) -> Result<Vec<(String, i64)>> {
    db.prepare_cached(
        "select tool_name, count(*) from unlicensed_machines
         group by tool_name order by tool_name",
    )?
    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

fn machine(row: &Row<'_>) -> Result<UnlicensedMachine> {
    Ok(UnlicensedMachine {
        tool_name: row.get(0)?,
        license_key: row.get(1)?,
        first_at: moment(row, 2)?,
        last_at: moment(row, 3)?,
        check_count: row.get(4)?,
        address: row.get(5)?,
        previous: previous(row)?,
    })
}

fn previous(row: &Row<'_>) -> Result<Option<PreviousLicense>> {
    let id: Option<i64> = row.get(7)?;
    id.map(|id| {
        let license_key = row.get(6)?;
        Ok(PreviousLicense { id, license_key })
    })
    .transpose()
}

/// Removes the oldest above the limit.
pub fn prune(db: &Connection) -> Result<()> {
    db.prepare_cached(
        "delete from unlicensed_machines where (last_at, tool_name, license_key) < (
             select last_at, tool_name, license_key from unlicensed_machines
             order by last_at desc, tool_name desc, license_key desc limit 1 offset ?1)",
    )?
    .execute([MAX_KEPT - 1])?;
    Ok(())
}

/// Removes a machine that now has a license.
pub(super) fn remove(db: &Connection, tool_name: &str, license_key: &str) -> Result<()> {
    db.prepare_cached("delete from unlicensed_machines where tool_name = ?1 and license_key = ?2")?
        .execute([tool_name, license_key])?;
    Ok(())
}
