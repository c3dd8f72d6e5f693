//! The table of places that a license was checked from: addresses and host names.

use std::collections::{BTreeMap, HashMap};

use time::Date;

use super::db::{Db, Result};
use super::moment;
use crate::model::check::{CheckPlace, CheckRecord, ClientInfo, LastCheck, Places};
use crate::model::date;

/// Addresses kept for each license, and host names of each address. Versions have no rows of their own, so
/// that a client that reports a new one each time pushes out no address.
const MAX_ADDRESSES: usize = 40;
const MAX_HOSTS: usize = 15;

/// Records the places of checks of one license, except that of the check before on the same day.
/// Counts addresses and host names from `since` on.
pub(super) fn add(
    db: &Db,
    license_id: i64,
    records: &[CheckRecord],
    before: Option<(&LastCheck, &str)>,
    since: Date,
) -> Result<()> {
    let nothing = ClientInfo::default();
    let mut places: BTreeMap<(String, &str), Vec<&CheckRecord>> = BTreeMap::new();
    for record in records {
        let client = record.client.as_deref().unwrap_or(&nothing);
        let address = record.address.to_string();
        let is_known = before.is_some_and(|(before, before_on)| {
            before.address == address
                && before.client == *client
                && before_on == date::format(record.day)
        });
        if !is_known {
            let place = places.entry((address, &client.hostname)).or_default();
            place.push(record);
        }
    }
    if places.is_empty() {
        return Ok(());
    }
    for ((address, hostname), records) in places {
        let Some(last) = records.iter().max_by_key(|record| record.last_at) else {
            continue;
        };
        let first_at = records.iter().map(|record| record.first_at).min();
        let client = last.client.as_deref().unwrap_or(&nothing);
        db.run(
            "insert into check_places
                 (license_id, address, hostname, user_name, version, first_at, last_on)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             on conflict (license_id, address, hostname) do update
             set user_name = excluded.user_name, version = excluded.version,
                 last_on = case when excluded.last_on > check_places.last_on
                     then excluded.last_on else check_places.last_on end",
            &[
                &license_id,
                &address,
                &hostname,
                &client.user,
                &client.version,
                &first_at,
                &date::format(last.day),
            ],
        )?;
    }
    let (mut addresses, mut hosts, rows) = count(db, license_id, since)?;
    if rows as usize > MAX_HOSTS {
        prune(db, license_id)?;
        (addresses, hosts, _) = count(db, license_id, since)?;
    }
    db.run(
        "update licenses set address_count = ?2, host_count = ?3
         where id = ?1 and (address_count <> ?2 or host_count <> ?3)",
        &[&license_id, &addresses, &hosts],
    )?;
    Ok(())
}

/// Distinct addresses and host names from that day on, and rows in total.
fn count(db: &Db, license_id: i64, since: Date) -> Result<(i64, i64, i64)> {
    db.one(
        "select count(distinct case when last_on >= ?2 then address end),
             count(distinct case when last_on >= ?2 and hostname <> '' then hostname end),
             count(*)
         from check_places where license_id = ?1",
        &[&license_id, &date::format(since)],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Removes the oldest host names of each address, and the oldest addresses, above the limits.
fn prune(db: &Db, license_id: i64) -> Result<()> {
    let mut kept: HashMap<String, usize> = HashMap::new();
    let mut removed: Vec<(String, String)> = Vec::new();
    let places: Vec<(String, String)> = db.all(
        "select address, hostname from check_places where license_id = ?1
         order by last_on desc, first_at desc",
        &[&license_id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    for (address, hostname) in places {
        let (all, of_address) = (kept.len(), kept.get(&address).copied().unwrap_or(0));
        let is_full = of_address == 0 && all >= MAX_ADDRESSES || of_address >= MAX_HOSTS;
        match is_full {
            true => removed.push((address, hostname)),
            false => *kept.entry(address).or_default() += 1,
        }
    }
    for (address, hostname) in removed {
        db.run(
            "delete from check_places where license_id = ?1 and address = ?2 and hostname = ?3",
            &[&license_id, &address, &hostname],
        )?;
    }
    Ok(())
}

/// The numbers from `since` on, and the last `limit` places.
pub fn of(db: &Db, license_id: i64, since: Date, limit: i64) -> Result<Places> {
    let (addresses, hosts, _) = count(db, license_id, since)?;
    let last = db.all(
        "select address, hostname, user_name, version, first_at, last_on from check_places
         where license_id = ?1 order by last_on desc, first_at desc limit ?2",
        &[&license_id, &limit],
        |row| {
            Ok(CheckPlace {
                address: row.get(0)?,
                client: ClientInfo {
                    hostname: row.get(1)?,
                    user: row.get(2)?,
                    version: row.get(3)?,
                },
                first_at: moment(row, 4)?,
                last_on: row.get(5)?,
            })
        },
    )?;
    Ok(Places {
        addresses,
        hosts,
        last,
    })
}
