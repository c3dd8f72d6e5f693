//! The table of unlicensed machines: they checked a tool without having a license for it.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::db::{Db, Optional, Result, Row};
use super::moment;
use crate::model::check::{ClientInfo, UnlicensedCheck};
use crate::model::customer::NamedCustomer;
use crate::model::machine_code::has_machine_code;
use crate::model::question::Question;
use crate::model::unlicensed::{
    Decision, MachineCursor, MachineFilter, MachinePage, PreviousLicense, UnlicensedMachine,
};

/// Machines that are kept; the oldest are removed.
const MAX_KEPT: i64 = 10_000;

/// Of these, machines that checked a tool that does not exist: a typo, or a stranger's noise.
const MAX_WITHOUT_TOOL: i64 = 1_000;

/// Adds checks of one machine, in any order; does nothing if it has a license by now.
pub fn add(db: &Db, tool_name: &str, license_key: &str, check: &UnlicensedCheck) -> Result<()> {
    let client = check.client.as_ref().map(|(_, client)| client);
    let customer = check.customer.as_ref().map(|(_, customer)| customer);
    db.run(
        "insert into unlicensed_machines (tool_name, license_key, first_at, last_at, check_count,
             address, previous_license_key, version, hostname, user_name, customer_name, customer_email)
         select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?12, ?13
             where not exists (select 1 from licenses where tool_name = ?1 and license_key = ?2)
         on conflict (tool_name, license_key) do update
         set first_at = case when excluded.first_at < unlicensed_machines.first_at
                 then excluded.first_at else unlicensed_machines.first_at end,
             last_at = case when excluded.last_at > unlicensed_machines.last_at
                 then excluded.last_at else unlicensed_machines.last_at end,
             address = case when excluded.last_at < unlicensed_machines.last_at
                 then unlicensed_machines.address else excluded.address end,
             previous_license_key = coalesce(
                 excluded.previous_license_key, unlicensed_machines.previous_license_key),
             version = case when ?11 = 1 then excluded.version
                 else unlicensed_machines.version end,
             hostname = case when ?11 = 1 then excluded.hostname
                 else unlicensed_machines.hostname end,
             user_name = case when ?11 = 1 then excluded.user_name
                 else unlicensed_machines.user_name end,
             customer_name = case when ?14 = 1 then excluded.customer_name
                 else unlicensed_machines.customer_name end,
             customer_email = case when ?14 = 1 then excluded.customer_email
                 else unlicensed_machines.customer_email end,
             check_count = unlicensed_machines.check_count + excluded.check_count",
        &[&tool_name, &license_key, &check.first_at, &check.last_at, &check.count, &check.address.to_string(), &check.previous_license_key, &client.map_or("", |client| &client.version), &client.map_or("", |client| &client.hostname), &client.map_or("", |client| &client.user), &client.is_some(), &customer.map_or("", |customer| &customer.name), &customer.map_or("", |customer| &customer.email), &customer.is_some()],
    )?;
    Ok(())
}

/// Those that wait for a decision and came after that moment.
pub fn new_since(db: &Db, moment: OffsetDateTime) -> Result<i64> {
    db.one(
        "select count(*) from unlicensed_machines where first_at >= ?1 and decision = ''",
        &[&moment.unix_timestamp()],
        |row| row.get(0),
    )
}

/// The columns that [`Raw`] reads.
const COLUMNS: &str = "last_at, tool_name, license_key, hostname, user_name, version, decision, \
     decided_at, first_at, check_count, address, previous_license_key, \
     (select licenses.id from licenses where licenses.tool_name = unlicensed_machines.tool_name \
         and licenses.license_key = unlicensed_machines.previous_license_key), \
     customer_name, customer_email";

pub fn get(db: &Db, question: &Question<'_>) -> Result<Option<UnlicensedMachine>> {
    db.one(
        &format!(
            "select {COLUMNS} from unlicensed_machines where tool_name = ?1 and license_key = ?2"
        ),
        &[&question.tool_name, &question.license_key],
        machine,
    )
    .optional()
}

/// Those with this machine code, in the order of their tools and keys.
pub fn of_machine_code(db: &Db, code: &str) -> Result<Vec<UnlicensedMachine>> {
    let sql = format!("select {COLUMNS} from unlicensed_machines order by tool_name, license_key");
    let mut found = vec![];
    db.each(&sql, &[], |row| {
        if has_machine_code(row.text(1)?, row.text(2)?, code) {
            found.push(machine(row)?);
        }
        Ok(true)
    })?;
    Ok(found)
}

/// At most `limit` matching machines after the cursor, and the numbers beside them, in one reading:
/// 20 ms for a full table.
pub fn page(
    db: &Db,
    filter: &MachineFilter,
    after: Option<&MachineCursor>,
    limit: usize,
) -> Result<MachinePage> {
    let mut page = MachinePage::default();
    let mut tools: BTreeMap<String, i64> = BTreeMap::new();
    let sql = format!(
        "select {COLUMNS} from unlicensed_machines
         order by last_at desc, tool_name desc, license_key desc"
    );
    db.each(&sql, &[], |row| {
        let text = |column| row.text(column);
        let (last_at, tool_name, license_key): (i64, _, _) = (row.get(0)?, text(1)?, text(2)?);
        let decision = Decision::from_word(text(6)?);
        let decided_at = row.get(7)?;
        let decision = decision.filter(|decision| decision.holds(decided_at, last_at));
        if let Some(decision) = decision {
            page.decided[decision as usize] += 1;
        }
        if decision != filter.decision {
            return Ok(true);
        }
        match tools.get_mut(tool_name) {
            Some(number) => *number += 1,
            None => drop(tools.insert(tool_name.to_owned(), 1)),
        }
        let texts = [
            license_key,
            tool_name,
            text(3)?,
            text(4)?,
            text(13)?,
            text(14)?,
        ];
        let is_named = |code: &String| has_machine_code(tool_name, license_key, code);
        let is_of_tool = |wanted: &String| wanted == tool_name;
        if !filter.tool_name.as_ref().is_none_or(is_of_tool)
            || !filter.machine_code.as_ref().is_some_and(is_named)
                && !filter.words.iter().all(|word| word.is_in_any(&texts))
        {
            return Ok(true);
        }
        page.found += 1;
        let is_later = |(at, tool, key): &MachineCursor| {
            (last_at, tool_name, license_key) < (*at, tool.as_str(), key.as_str())
        };
        if page.machines.len() < limit && after.is_none_or(is_later) {
            page.machines.push(machine(row)?);
        }
        Ok(true)
    })?;
    page.tools = tools.into_iter().collect();
    Ok(page)
}

fn machine(row: &Row<'_>) -> Result<UnlicensedMachine> {
    Ok(UnlicensedMachine {
        last_at: moment(row, 0)?,
        tool_name: row.get(1)?,
        license_key: row.get(2)?,
        client: ClientInfo {
            hostname: row.get(3)?,
            user: row.get(4)?,
            version: row.get(5)?,
        },
        first_at: moment(row, 8)?,
        check_count: row.get(9)?,
        address: row.get(10)?,
        previous: previous(row)?,
        customer: NamedCustomer {
            name: row.get(13)?,
            email: row.get(14)?,
        },
    })
}

fn previous(row: &Row<'_>) -> Result<Option<PreviousLicense>> {
    let id: Option<i64> = row.get(12)?;
    id.map(|id| {
        let license_key = row.get(11)?;
        Ok(PreviousLicense { id, license_key })
    })
    .transpose()
}

/// Sets or clears the decision about a machine; false if it is not in the table.
pub fn decide(
    db: &Db,
    tool_name: &str,
    license_key: &str,
    decision: Option<Decision>,
    now: OffsetDateTime,
) -> Result<bool> {
    let changed = db.changed(
        "update unlicensed_machines set decision = ?3, decided_at = ?4
         where tool_name = ?1 and license_key = ?2",
        &[
            &tool_name,
            &license_key,
            &decision.map_or("", Decision::as_str),
            &now.unix_timestamp(),
        ],
    )?;
    Ok(changed > 0)
}

/// Whether the machine was hidden for good.
pub fn is_blocked(db: &Db, tool_name: &str, license_key: &str) -> Result<bool> {
    db.one(
        "select exists (
             select 1 from unlicensed_machines
             where tool_name = ?1 and license_key = ?2 and decision = 'blocked')",
        &[&tool_name, &license_key],
        |row| row.get(0),
    )
}

/// Removes the oldest above the limits; blocked machines stay.
pub fn prune(db: &Db) -> Result<()> {
    let without_tool = "decision <> 'blocked'
         and not exists (select 1 from tools where tools.name = unlicensed_machines.tool_name)";
    for (which, limit) in [
        (without_tool, MAX_WITHOUT_TOOL),
        ("decision <> 'blocked'", MAX_KEPT),
    ] {
        db.run(
            &format!(
                "delete from unlicensed_machines
             where {which} and (last_at, tool_name, license_key) < (
                 select last_at, tool_name, license_key from unlicensed_machines where {which}
                 order by last_at desc, tool_name desc, license_key desc limit 1 offset ?1)"
            ),
            &[&(limit - 1)],
        )?;
    }
    Ok(())
}

/// Removes a machine that now has a license.
pub(super) fn remove(db: &Db, tool_name: &str, license_key: &str) -> Result<()> {
    db.run(
        "delete from unlicensed_machines where tool_name = ?1 and license_key = ?2",
        &[&tool_name, &license_key],
    )?;
    Ok(())
}
