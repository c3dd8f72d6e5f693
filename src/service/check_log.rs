//! Records checks without a write per check: each thread buffers its records in memory, they are merged by
//! license, and a batch is written once a second.

use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use thread_local::ThreadLocal;
use time::{Date, OffsetDateTime, UtcOffset};

use super::Service;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::model::check::{CheckRecord, ClientInfo, Places, UnlicensedCheck};
use crate::model::customer::NamedCustomer;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::store::{
    WriteTx, check_days, check_places, checks, sessions, signing_keys, tokens, tools,
    unlicensed_machines,
};

/// Records that a thread buffers before it merges them into the queue.
const BUFFERED: usize = 1_024;
/// Records in the queue: 10 MB if clients report about themselves, and 3 s of writing on a clean shutdown.
/// When it is full, checks of further licenses are not recorded.
const MAX_QUEUED: usize = 32_768;
/// Records of one license in the queue: its history does not keep more, either.
const MAX_OF_LICENSE: usize = checks::HISTORY;
/// Unlicensed machines recorded per second.
const MAX_UNLICENSED: usize = 2_000;
const MAX_TOOLS: usize = 10_000;
/// Tools that the metrics tell apart.
const MAX_LABELS: usize = 300;
/// All other tools, and names that are none: strangers choose what they send.
const OTHER: &str = "other";

/// Places shown of one license.
const PLACES: i64 = 10;

/// Records written per second, 3.6 million in an hour: 100 ms of work if none of the licenses was seen on that
/// day before, so that a storm of checks leaves the processor to the checks.
const BATCH: usize = 1_000;
/// How long one transaction may lock the database.
const TRANSACTION: Duration = Duration::from_millis(100);

/// Checks that are not in the database yet.
#[derive(Default)]
pub(super) struct CheckLog {
    buffers: ThreadLocal<Mutex<Buffer>>,
    queue: Mutex<Queue>,
}

/// Numbers of checks, indexed by `verdict as usize`.
type Numbers = [u64; Verdict::ALL.len()];

/// The records of one thread.
#[derive(Default)]
struct Buffer {
    records: Vec<CheckRecord>,
    counts: Counts,
}

/// The records of all threads.
#[derive(Default)]
struct Queue {
    records: BTreeMap<i64, Vec<CheckRecord>>,
    number: usize,
    /// The license that the next batch starts with: licenses take turns, and neighbors, which share database
    /// pages, are written together.
    next: i64,
    counts: Counts,
    /// Since the start.
    totals: BTreeMap<String, Numbers>,
    tools: BTreeSet<String>,
    dropped: u64,
    overflow: Overflow,
    /// The database could not be written, which was logged.
    is_stuck: bool,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
enum Overflow {
    #[default]
    None,
    /// Checks were dropped since the queue was last empty, which is not logged yet.
    New,
    Logged,
}

/// Written together, or put back into the queue.
#[derive(Default)]
struct Batch {
    records: Vec<CheckRecord>,
    counts: Counts,
}

/// Counts that belong to no single license.
#[derive(Default)]
struct Counts {
    checks: BTreeMap<Date, BTreeMap<String, Numbers>>,
    /// Signed answers by date and key.
    signed: BTreeMap<Date, BTreeMap<String, u64>>,
    unlicensed: HashMap<(String, String), UnlicensedCheck>,
}

pub(super) struct CompletedCheck<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) license_id: Option<i64>,
    pub(super) verdict: Verdict,
    pub(super) address: IpAddr,
    pub(super) client: Option<ClientInfo>,
    pub(super) previous_license_key: Option<String>,
    pub(super) customer: Option<NamedCustomer>,
    pub(super) now: OffsetDateTime,
    /// The key that signed the answer.
    pub(super) kid: Option<&'a str>,
}

impl CheckLog {
    pub(super) fn add(&self, mut check: CompletedCheck<'_>, offset: UtcOffset) {
        let day = check.now.to_offset(offset).date();
        let now = check.now.unix_timestamp();
        let mut buffer = self.buffers.get_or_default().lock();
        buffer.counts.add(&mut check, day);
        let Some(license_id) = check.license_id else {
            return;
        };
        buffer.records.push(CheckRecord {
            license_id,
            day,
            verdict: check.verdict,
            address: check.address,
            client: check.client.map(Box::new),
            first_at: now,
            last_at: now,
            count: 1,
        });
        if buffer.records.len() >= BUFFERED {
            self.flush(&mut buffer);
        }
    }

    fn flush(&self, buffer: &mut Buffer) {
        let mut queue = self.queue.lock();
        for record in buffer.records.drain(..) {
            queue.add(record);
        }
        let counts = std::mem::take(&mut buffer.counts);
        queue.add_to_totals(&counts);
        queue.counts.merge(counts);
    }

    /// Since the start: checks by tool, until a second ago; records that wait to be written; and checks that
    /// were not recorded.
    pub(super) fn totals(&self) -> (BTreeMap<String, Numbers>, usize, u64) {
        let queue = self.queue.lock();
        (queue.totals.clone(), queue.number, queue.dropped)
    }

    fn flush_all(&self) {
        for buffer in &self.buffers {
            self.flush(&mut buffer.lock());
        }
    }
}

impl Queue {
    fn add(&mut self, mut record: CheckRecord) {
        let is_full = self.number >= MAX_QUEUED;
        let records = match self.records.entry(record.license_id) {
            Entry::Vacant(_) if is_full => {
                if self.overflow == Overflow::None {
                    self.overflow = Overflow::New;
                }
                self.dropped += u64::from(record.count);
                return;
            }
            Entry::Vacant(entry) => {
                self.number += 1;
                // Capacity for one: most licenses have no more.
                entry.insert(vec![record]);
                return;
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        if records.iter_mut().any(|other| other.merge(&record)) {
            return;
        }
        if !is_full && records.len() < MAX_OF_LICENSE {
            self.number += 1;
            records.push(record);
        } else if let Some(at) = least_telling(records) {
            let oldest = &mut records[at];
            if record.last_at < oldest.last_at {
                std::mem::swap(oldest, &mut record);
            }
            // The history loses an entry, but every check is counted.
            record.count += oldest.count;
            *oldest = record;
        }
    }

    fn add_to_totals(&mut self, counts: &Counts) {
        for (tool_name, numbers) in counts.checks.values().flatten() {
            let label = match self.tools.contains(tool_name) {
                true => tool_name,
                false => OTHER,
            };
            add_up(self.totals.entry(label.to_owned()).or_default(), numbers);
        }
    }

    /// Takes the counts, and the records of the next licenses: at most `limit`, or slightly more, because the
    /// records of a license stay together.
    fn take(&mut self, limit: usize) -> Batch {
        let mut records = Vec::new();
        while records.len() < limit {
            let following = self.records.range(self.next..).next();
            let Some((&id, _)) = following.or_else(|| self.records.first_key_value()) else {
                self.overflow = Overflow::None;
                break;
            };
            records.extend(self.records.remove(&id).unwrap_or_default());
            self.next = id + 1;
        }
        self.number -= records.len();
        Batch {
            records,
            counts: std::mem::take(&mut self.counts),
        }
    }

    fn put_back(&mut self, batch: Batch) {
        for record in batch.records {
            self.add(record);
        }
        self.counts.merge(batch.counts);
    }

    /// Returns the previous states, so that the caller logs only changes.
    fn report(&mut self, is_stuck: bool) -> (Overflow, bool) {
        let overflow = self.overflow;
        if overflow == Overflow::New {
            self.overflow = Overflow::Logged;
        }
        (overflow, std::mem::replace(&mut self.is_stuck, is_stuck))
    }
}

/// The oldest record of the address that has the most: a client that reports something new each time
/// loses its own records, not other addresses.
fn least_telling(records: &[CheckRecord]) -> Option<usize> {
    let of_address = |address| {
        let records = records.iter();
        records.filter(|other| other.address == address).count()
    };
    (0..records.len()).max_by_key(|at| {
        let record = &records[*at];
        (of_address(record.address), Reverse(record.last_at))
    })
}

fn add_up(sums: &mut Numbers, numbers: &Numbers) {
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum += number;
    }
}

impl Counts {
    fn add(&mut self, check: &mut CompletedCheck<'_>, day: Date) {
        let question = check.question;
        let tools = self.checks.entry(day).or_default();
        if let Some(numbers) = tools.get_mut(question.tool_name) {
            numbers[check.verdict as usize] += 1;
        } else if tools.len() < MAX_TOOLS {
            let numbers = tools.entry(question.tool_name.to_owned()).or_default();
            numbers[check.verdict as usize] += 1;
        }
        if let Some(kid) = check.kid {
            let keys = self.signed.entry(day).or_default();
            if let Some(number) = keys.get_mut(kid) {
                *number += 1;
            } else {
                keys.insert(kid.to_owned(), 1);
            }
        }
        if check.license_id.is_none() {
            let pair = (
                question.tool_name.to_owned(),
                question.license_key.clone().into_owned(),
            );
            let now = check.now.unix_timestamp();
            let new = UnlicensedCheck {
                first_at: now,
                last_at: now,
                count: 1,
                address: check.address,
                previous_license_key: check.previous_license_key.take(),
                client: check.client.take().map(|client| (now, Box::new(client))),
                customer: check.customer.take().map(|named| (now, Box::new(named))),
            };
            self.add_unlicensed(pair, new);
        }
    }

    fn add_unlicensed(&mut self, pair: (String, String), new: UnlicensedCheck) {
        if let Some(known) = self.unlicensed.get_mut(&pair) {
            known.merge(new);
        } else if self.unlicensed.len() < MAX_UNLICENSED {
            self.unlicensed.insert(pair, new);
        }
    }

    fn merge(&mut self, other: Counts) {
        for (day, tools) in other.checks {
            let all = self.checks.entry(day).or_default();
            for (tool_name, numbers) in tools {
                add_up(all.entry(tool_name).or_default(), &numbers);
            }
        }
        for (day, keys) in other.signed {
            let all = self.signed.entry(day).or_default();
            for (kid, number) in keys {
                *all.entry(kid).or_default() += number;
            }
        }
        for (pair, new) in other.unlicensed {
            self.add_unlicensed(pair, new);
        }
    }

    fn is_empty(&self) -> bool {
        // Every check is counted there.
        self.checks.is_empty()
    }

    fn write(&self, db: &WriteTx<'_>) -> Result<(), Error> {
        for (day, tools) in &self.checks {
            for (tool_name, numbers) in tools {
                for verdict in Verdict::ALL {
                    match numbers[verdict as usize] {
                        0 => {}
                        number => check_days::add(db, tool_name, *day, verdict, number)?,
                    }
                }
            }
        }
        for ((tool_name, license_key), check) in &self.unlicensed {
            unlicensed_machines::add(db, tool_name, license_key, check)?;
        }
        if !self.unlicensed.is_empty() {
            unlicensed_machines::prune(db)?;
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
    /// Once a second: writes the records since the last time, or as many as a second allows, and the last
    /// uses of sessions and tokens. What cannot be written stays in the queue; only the first failure is an
    /// error.
    pub fn write_checks(&self) -> Result<(), Error> {
        // Before the checks of a new tool are counted.
        let tools = self.store.read(tools::names);
        if let Ok(tools) = &tools {
            let labels = tools.iter().take(MAX_LABELS).cloned();
            self.check_log.queue.lock().tools = labels.collect();
        }
        self.check_log.flush_all();
        let written = tools.and_then(|_| self.write_batch(BATCH));
        let (overflow, was_stuck) = self.check_log.queue.lock().report(written.is_err());
        if overflow == Overflow::New {
            self.log
                .event("check_records_dropped", &[("queued", &MAX_QUEUED)]);
        }
        match written {
            Ok(()) if was_stuck => self.log.event("check_records_resumed", &[]),
            Err(error) if !was_stuck => return Err(error),
            Ok(()) | Err(_) => {}
        }
        Ok(())
    }

    /// On a clean shutdown: writes everything.
    pub(super) fn write_all_checks(&self) -> Result<(), Error> {
        self.check_log.flush_all();
        loop {
            self.write_batch(BATCH)?;
            if self.check_log.queue.lock().records.is_empty() {
                return Ok(());
            }
        }
    }

    fn write_batch(&self, limit: usize) -> Result<(), Error> {
        let mut batch = self.check_log.queue.lock().take(limit);
        let written = self.write_in_parts(&mut batch);
        if written.is_err() {
            self.check_log.queue.lock().put_back(batch);
        }
        written
    }

    /// Lets other writes through after each transaction, and leaves unwritten records in the batch.
    fn write_in_parts(&self, batch: &mut Batch) -> Result<(), Error> {
        let (session_uses, token_uses) = (self.session_uses.all(), self.token_uses.all());
        let dead = self.dead_sessions.lock().clone();
        let has_uses = !session_uses.is_empty() || !token_uses.is_empty() || !dead.is_empty();
        if !has_uses && batch.records.is_empty() && batch.counts.is_empty() {
            return Ok(());
        }
        let written = self.store.write(|db| {
            batch.counts.write(db)?;
            for (id, at) in &session_uses {
                sessions::set_last_used(db, *id, *at)?;
            }
            for (id, last) in &token_uses {
                tokens::set_last_use(db, *id, last)?;
            }
            for id in &dead {
                sessions::delete_by_id(db, *id)?;
            }
            self.write_records(db, &batch.records)
        })?;
        batch.counts = Counts::default();
        batch.records.drain(..written);
        self.session_uses.remove(&session_uses);
        self.token_uses.remove(&token_uses);
        self.dead_sessions.lock().retain(|id| !dead.contains(id));
        while !batch.records.is_empty() {
            self.store.pause();
            let written = self
                .store
                .write(|db| self.write_records(db, &batch.records))?;
            batch.records.drain(..written);
        }
        Ok(())
    }

    /// Writes at least the first license's records, and returns the number of records written.
    fn write_records(&self, db: &WriteTx<'_>, records: &[CheckRecord]) -> Result<usize, Error> {
        let watch = Stopwatch::start();
        let mut written = 0;
        for license in records.chunk_by(|a, b| a.license_id == b.license_id) {
            if written > 0 && watch.elapsed() > TRANSACTION {
                break;
            }
            checks::add(db, license, self.utc_offset)?;
            written += license.len();
        }
        Ok(written)
    }

    /// Where a license was checked from: numbers of the last 30 days, and the last ten places.
    pub fn places(&self, license_id: i64) -> Result<Places, Error> {
        let month = self.today().saturating_sub(time::Duration::days(29));
        self.store
            .read_tx(|db| check_places::of(db, license_id, month, PLACES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    fn record(license_id: i64, last_at: i64) -> CheckRecord {
        CheckRecord {
            license_id,
            day: date!(2026 - 06 - 15),
            verdict: Verdict::Valid,
            address: IpAddr::from([10, 0, 0, 1]),
            client: None,
            first_at: last_at,
            last_at,
            count: 1,
        }
    }

    fn from(address: u8, last_at: i64) -> CheckRecord {
        CheckRecord {
            address: IpAddr::from([10, 0, 1, address]),
            ..record(1, last_at)
        }
    }

    fn take(queue: &mut Queue, limit: usize) -> Vec<i64> {
        let batch = queue.take(limit);
        batch
            .records
            .iter()
            .map(|record| record.license_id)
            .collect()
    }

    #[test]
    fn every_license_has_its_turn() {
        let mut queue = Queue::default();
        [3, 1, 5, 3, 4]
            .into_iter()
            .for_each(|id| queue.add(record(id, 0)));
        assert_eq!(take(&mut queue, 2), [1, 3]);
        [2, 3].into_iter().for_each(|id| queue.add(record(id, 0)));
        assert_eq!(take(&mut queue, 2), [4, 5]);
        assert_eq!(take(&mut queue, 9), [2, 3]);
        assert_eq!((queue.number, take(&mut queue, 9).len()), (0, 0));
    }

    #[test]
    fn a_full_queue_drops_licenses_but_no_check_of_those_it_has() {
        let mut queue = Queue::default();
        for id in 1..=MAX_QUEUED as i64 {
            queue.add(record(id, 0));
        }
        assert_eq!(queue.overflow, Overflow::None);
        queue.add(record(-1, 0));
        queue.add(from(7, 1));
        assert_eq!((queue.number, queue.overflow), (MAX_QUEUED, Overflow::New));
        let expected = CheckRecord {
            count: 2,
            ..from(7, 1)
        };
        assert_eq!(queue.take(1).records, [expected]);
        queue.take(usize::MAX);
        assert_eq!((queue.number, queue.overflow), (0, Overflow::None));
    }

    #[test]
    fn one_license_cannot_fill_the_queue() {
        let mut queue = Queue::default();
        for n in 0..100 {
            queue.add(from(n, i64::from(n)));
        }
        let records = queue.take(usize::MAX).records;
        let oldest = records.iter().map(|record| record.last_at).min();
        let checks: u32 = records.iter().map(|record| record.count).sum();
        assert_eq!((records.len(), oldest, checks), (50, Some(50), 100));
    }

    #[test]
    fn many_versions_push_out_no_address() {
        let mut queue = Queue::default();
        for n in 0..10 {
            queue.add(from(n, i64::from(n)));
        }
        for n in 0..80 {
            let version = n.to_string();
            queue.add(CheckRecord {
                client: Some(Box::new(ClientInfo {
                    version,
                    ..ClientInfo::default()
                })),
                ..from(99, 20 + n)
            });
        }
        let records = queue.take(usize::MAX).records;
        let old = records.iter().filter(|record| record.last_at < 10);
        assert_eq!((records.len(), old.count()), (50, 10));
    }

    #[test]
    fn what_could_not_be_written_is_merged_with_what_came_meanwhile() {
        let mut queue = Queue::default();
        queue.add(record(1, 3));
        let batch = queue.take(usize::MAX);
        queue.add(record(1, 4));
        queue.put_back(batch);
        let expected = CheckRecord {
            last_at: 4,
            count: 2,
            ..record(1, 3)
        };
        assert_eq!((queue.number, queue.take(1).records), (1, vec![expected]));
    }
}
