//! Remembering who asked, without a write on the way: each thread notes in memory of its own, and
//! once a second all notes become one transaction.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use parking_lot::Mutex;
use thread_local::ThreadLocal;
use time::{Date, OffsetDateTime, UtcOffset};

use super::Service;
use crate::error::Error;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::sighting::{Asked, Change, Said, Sighting, merge};
use crate::store::{Writing, check_days, sightings, signing_keys, unknown_keys, waiting};

/// Sightings that are sorted and written in one piece: small, so that memory stays small.
const PIECE: usize = 8_192;
/// Pieces that are held while the database cannot be written; further sightings are lost.
const MOST_PIECES: usize = 24;
/// Unknown keys that one thread notes in a second; further ones are lost.
const MOST_UNKNOWN: usize = 2_000;
const MOST_TOOLS: usize = 10_000;

/// More licenses in one second than this are a storm: they wait, sorted, until there is time.
const STORM: usize = 5_000;
/// In a storm a shard is folded when so many characters wait for it.
const FOLDED_AT: i64 = 4 << 20;
/// Shards that are folded in a second without a storm.
const FOLDED_AT_ONCE: usize = 2;

/// What was noted and is not in the database yet.
#[derive(Default)]
pub(super) struct Notes {
    threads: ThreadLocal<Mutex<Noted>>,
    /// What was collected from the threads and could not be written.
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    noted: Noted,
    is_told: bool,
}

#[derive(Default)]
struct Noted {
    /// Each at most [`PIECE`] long; all but the last are merged.
    pieces: Vec<Vec<Sighting>>,
    days: BTreeMap<Date, BTreeMap<String, [u64; Verdict::ALL.len()]>>,
    unknown: HashMap<(String, String), Asked>,
    /// Signed answers by day and key.
    signed: BTreeMap<Date, BTreeMap<String, u64>>,
}

/// A check that was answered.
pub(super) struct Answered<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) license_id: Option<i64>,
    pub(super) verdict: Verdict,
    pub(super) address: IpAddr,
    pub(super) said: Option<Said>,
    pub(super) now: OffsetDateTime,
    /// The key that signed the answer.
    pub(super) kid: Option<&'a str>,
}

impl Notes {
    pub(super) fn note(&self, check: Answered<'_>, offset: UtcOffset) {
        let day = check.now.to_offset(offset).date();
        let mut noted = self.threads.get_or_default().lock();
        noted.count(&check, day);
        match check.license_id {
            Some(license_id) => noted.see(Sighting {
                license_id,
                verdict: check.verdict,
                address: check.address,
                said: check.said.map(Box::new),
                last_at: check.now.unix_timestamp(),
                count: 1,
            }),
            None => noted.ask(&check),
        }
    }
}

impl Noted {
    fn count(&mut self, check: &Answered<'_>, day: Date) {
        let tools = self.days.entry(day).or_default();
        let tool_name = check.question.tool_name;
        if let Some(counts) = tools.get_mut(tool_name) {
            counts[check.verdict as usize] += 1;
        } else if tools.len() < MOST_TOOLS {
            tools.entry(tool_name.to_owned()).or_default()[check.verdict as usize] += 1;
        }
        if let Some(kid) = check.kid {
            let keys = self.signed.entry(day).or_default();
            if let Some(number) = keys.get_mut(kid) {
                *number += 1;
            } else {
                keys.insert(kid.to_owned(), 1);
            }
        }
    }

    fn see(&mut self, sighting: Sighting) {
        if self.pieces.last().is_none_or(|last| last.len() >= PIECE) && !self.make_room() {
            return;
        }
        if let Some(last) = self.pieces.last_mut() {
            last.push(sighting);
        }
    }

    /// Merges the last piece, and begins another where that has won too little; false where there are
    /// as many as may be.
    fn make_room(&mut self) -> bool {
        if let Some(last) = self.pieces.last_mut() {
            merge(last);
            if last.len() < PIECE / 2 {
                return true;
            }
        }
        let is_room = self.pieces.len() < MOST_PIECES;
        if is_room {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        is_room
    }

    fn ask(&mut self, check: &Answered<'_>) {
        let question = check.question;
        let pair = (
            question.tool_name.to_owned(),
            question.license_key.clone().into_owned(),
        );
        let now = check.now.unix_timestamp();
        let asked = Asked {
            first_at: now,
            last_at: now,
            count: 1,
            address: check.address,
        };
        self.add_unknown(pair, asked);
    }

    fn add_unknown(&mut self, pair: (String, String), new: Asked) {
        if let Some(known) = self.unknown.get_mut(&pair) {
            // Each thread keeps its own, and they come together in any order.
            if new.last_at >= known.last_at {
                known.last_at = new.last_at;
                known.address = new.address;
            }
            known.first_at = known.first_at.min(new.first_at);
            known.count += new.count;
        } else if self.unknown.len() < MOST_UNKNOWN {
            self.unknown.insert(pair, new);
        }
    }

    fn add(&mut self, other: Noted) {
        for mut piece in other.pieces {
            merge(&mut piece);
            let fits = |last: &&mut Vec<Sighting>| last.len() + piece.len() <= PIECE;
            if let Some(last) = self.pieces.last_mut().filter(fits) {
                last.extend(piece);
                merge(last);
            } else if self.pieces.len() < MOST_PIECES {
                self.pieces.push(piece);
            }
        }
        for (day, tools) in other.days {
            let all = self.days.entry(day).or_default();
            for (tool_name, counts) in tools {
                let sums = all.entry(tool_name).or_default();
                sums.iter_mut()
                    .zip(counts)
                    .for_each(|(sum, count)| *sum += count);
            }
        }
        for (pair, asked) in other.unknown {
            self.add_unknown(pair, asked);
        }
        for (day, keys) in other.signed {
            let all = self.signed.entry(day).or_default();
            for (kid, number) in keys {
                *all.entry(kid).or_default() += number;
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.days.is_empty() && self.unknown.is_empty()
    }

    /// Writes what is not of one license.
    fn write_counts(&self, db: &Writing<'_>) -> Result<(), Error> {
        for (day, tools) in &self.days {
            for (tool_name, counts) in tools {
                for verdict in Verdict::ALL {
                    match counts[verdict as usize] {
                        0 => {}
                        number => check_days::add(db, tool_name, *day, verdict, number)?,
                    }
                }
            }
        }
        for ((tool_name, license_key), asked) in &self.unknown {
            unknown_keys::add(db, tool_name, license_key, asked)?;
        }
        if !self.unknown.is_empty() {
            unknown_keys::prune(db)?;
        }
        for (day, keys) in &self.signed {
            for (kid, number) in keys {
                signing_keys::count(db, kid, *day, *number)?;
            }
        }
        Ok(())
    }
}

impl Service {
    /// Writes what was noted since the last time, and folds a part of what waits, in one transaction.
    /// What cannot be written is held.
    pub fn write_sightings(&self) -> Result<(), Error> {
        let mut held = self.notes.held.lock();
        for thread in &self.notes.threads {
            let noted = std::mem::take(&mut *thread.lock());
            held.noted.add(noted);
        }
        if held.noted.is_empty() && self.store.read(waiting::fullest)?.is_none() {
            return Ok(());
        }
        let written = self.store.write(|db| {
            self.write_licenses(db, &held.noted.pieces)?;
            held.noted.write_counts(db)
        });
        match written {
            Ok(()) => {
                if std::mem::take(&mut *held).is_told {
                    self.log.event("sightings are written again", &[]);
                }
                Ok(())
            }
            Err(_) if held.is_told => Ok(()),
            Err(error) => {
                held.is_told = true;
                Err(error)
            }
        }
    }

    /// In a storm the sightings are put by; otherwise they are folded into those of their licenses, and
    /// some that were put by as well.
    fn write_licenses(&self, db: &Writing<'_>, pieces: &[Vec<Sighting>]) -> Result<(), Error> {
        let is_storm = pieces.iter().map(Vec::len).sum::<usize>() > STORM;
        for piece in pieces {
            if is_storm {
                waiting::add(db, piece)?;
            } else {
                self.fold(db, piece)?;
            }
        }
        let (least, most) = if is_storm {
            (FOLDED_AT, 1)
        } else {
            (0, FOLDED_AT_ONCE)
        };
        for _ in 0..most {
            match waiting::fullest(db)? {
                Some((shard, size)) if size >= least => {
                    self.fold(db, &waiting::take(db, shard)?)?;
                }
                _ => break,
            }
        }
        Ok(())
    }

    fn fold(&self, db: &Writing<'_>, merged: &[Sighting]) -> Result<(), Error> {
        for one in merged.chunk_by(|a, b| a.license_id == b.license_id) {
            sightings::add(db, one, self.utc_offset)?;
        }
        Ok(())
    }

    /// The checks of a license that were different from those before them, newest first.
    pub fn check_history(&self, license_id: i64) -> Result<Vec<Change>, Error> {
        self.store.read(|db| sightings::history(db, license_id))
    }
}
