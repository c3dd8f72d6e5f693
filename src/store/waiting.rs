//! The table of sightings that wait to be folded into those of their licenses.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, Result, params};
use serde::{Deserialize, Serialize};

use super::unreadable;
use crate::model::license::Verdict;
use crate::model::sighting::{Said, Sighting, merge};

/// Licenses whose sightings are folded together: neighbours, which stand on the same pages.
const SHARD: i64 = 16_384;

/// Sightings that are taken out before they are merged: they would need much memory.
const MERGED_AT: usize = 2 * SHARD as usize;

/// Numbers and words in an array: there may be many.
#[derive(Serialize, Deserialize)]
struct Entry<'a>(i64, &'a str, IpAddr, Option<[String; 3]>, i64, u32);

/// Adds sightings that are sorted by license.
pub fn add(db: &Connection, sightings: &[Sighting]) -> Result<()> {
    for part in sightings.chunk_by(|a, b| shard(a) == shard(b)) {
        let entries: Vec<Entry<'_>> = part.iter().map(Entry::from).collect();
        let text = serde_json::to_string(&entries)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        db.prepare_cached(
            "insert into sightings_waiting (shard, size, entries) values (?1, ?2, ?3)",
        )?
        .execute(params![part.first().map(shard), text.len() as i64, text])?;
    }
    Ok(())
}

/// The shard for which most is waiting, and how many characters that is.
pub fn fullest(db: &Connection) -> Result<Option<(i64, i64)>> {
    db.prepare_cached(
        "select shard, sum(size) from sightings_waiting group by shard order by 2 desc limit 1",
    )?
    .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
    .optional()
}

/// Takes out what waits for a shard, merged.
pub fn take(db: &Connection, shard: i64) -> Result<Vec<Sighting>> {
    let mut statement =
        db.prepare_cached("select entries from sightings_waiting where shard = ?1")?;
    let mut rows = statement.query([shard])?;
    let mut sightings = Vec::new();
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_str()?;
        let entries: Vec<Entry<'_>> =
            serde_json::from_str(text).map_err(|e| unreadable(0, &e.to_string()))?;
        for entry in entries {
            sightings.push(entry.sighting()?);
        }
        if sightings.len() > MERGED_AT {
            merge(&mut sightings);
        }
    }
    merge(&mut sightings);
    db.prepare_cached("delete from sightings_waiting where shard = ?1")?
        .execute([shard])?;
    Ok(sightings)
}

fn shard(sighting: &Sighting) -> i64 {
    sighting.license_id / SHARD
}

impl<'a> From<&'a Sighting> for Entry<'a> {
    fn from(sighting: &'a Sighting) -> Entry<'a> {
        let said = sighting.said.as_deref().cloned();
        Entry(
            sighting.license_id,
            sighting.verdict.code(),
            sighting.address,
            said.map(|said| [said.version, said.hostname, said.user]),
            sighting.last_at,
            sighting.count,
        )
    }
}

impl Entry<'_> {
    fn sighting(self) -> Result<Sighting> {
        let Entry(license_id, code, address, said, last_at, count) = self;
        let said = said.map(|[version, hostname, user]| Said {
            version,
            hostname,
            user,
        });
        Ok(Sighting {
            license_id,
            verdict: Verdict::from_code(code).ok_or_else(|| unreadable(0, code))?,
            address,
            said: said.map(Box::new),
            last_at,
            count,
        })
    }
}
