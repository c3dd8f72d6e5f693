//! Bulk changes: a plan to preview, the change, and undo. A few licenses are changed in one transaction; many
//! in chunks that let other writes through, with a journal that takes everything back if the change fails or
//! the program exits midway.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use time::{Date, OffsetDateTime};

use super::Service;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::model::bulk::{Action, BulkChange, Effect, Selection, Start, Term, UNDO_FOR};
use crate::model::fingerprint::Fingerprint;
use crate::model::license::{CodeTerms, Draft, License, Seat, Values, by_code};
use crate::model::text::grouped;
use crate::store::bulk::JournalRow;
use crate::store::{Lock, WriteTx, activation_codes, audit, bulk, former_pairs, licenses, search};

/// Maximum number of licenses in one change on the page.
pub const MAX_SELECTED: usize = 50_000;

/// Up to this number, licenses are changed in one transaction.
const ONE_TRANSACTION: usize = 500;

/// How long a chunk may lock the database and its licenses.
const CHUNK: Duration = Duration::from_millis(250);
const CHUNK_LICENSES: i64 = 5_000;

/// At most this number of licenses that could not be changed back are named.
const NAMED: usize = 20;

const NO_SUCH_CHANGE: Error = Error::NotFound("Change not found.");

const STALE: &str =
    "A license was changed meanwhile by somebody else. Nothing was changed here; preview it again.";

/// The licenses as they are before a change.
#[derive(Debug)]
pub struct Plan {
    /// In the order of the selection.
    pub licenses: Vec<License>,
    /// Of these licenses with all their values: only what was previewed is changed.
    pub fingerprint: String,
    /// The date that the change starts from.
    pub today: Date,
    /// Of the activation codes that the licenses are of.
    codes: HashMap<i64, CodeTerms>,
}

impl Plan {
    fn new(licenses: Vec<License>, codes: HashMap<i64, CodeTerms>, today: Date) -> Plan {
        let mut fingerprint = Fingerprint::default();
        // The order may change while nobody changes a license: by last check.
        let mut by_id: Vec<&License> = licenses.iter().collect();
        by_id.sort_unstable_by_key(|license| license.id);
        for license in by_id {
            fingerprint.license(license);
        }
        fingerprint.text(&today.to_string());
        Plan {
            fingerprint: fingerprint.finish(),
            licenses,
            codes,
            today,
        }
    }

    pub fn has_trials(&self) -> bool {
        self.licenses.iter().any(|license| license.is_trial)
    }

    /// What the action does to one of the licenses; none if nothing.
    pub fn effect(&self, action: &Action, license: &License) -> Option<Effect> {
        let code = license.seat.and_then(|seat| self.codes.get(&seat.code_id));
        action.on(license, code.copied(), self.today)
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and written at once"
)]
/// What happens to one license.
pub(super) enum Step {
    Add {
        values: Values,
        created_at: OffsetDateTime,
    },
    Change {
        before: License,
        after: Values,
    },
    Delete {
        before: License,
    },
}

/// A bulk change before it is carried out.
pub(super) struct Job<'a> {
    pub(super) actor: &'a Actor,
    pub(super) what: &'a str,
    pub(super) fingerprint: &'a str,
    /// Number of steps.
    pub(super) number: usize,
    pub(super) steps: &'a mut dyn Iterator<Item = Step>,
    /// Recorded at the end; none if each license's own entry says everything.
    pub(super) summary: Option<Event>,
    /// Called with the number of completed steps; an error stops the change, which is then taken back.
    pub(super) progress: &'a dyn Fn(i64) -> Result<(), Error>,
    /// Runs in the last transaction, with the ID of the change.
    pub(super) done: &'a dyn Fn(&WriteTx<'_>, i64) -> Result<(), Error>,
}

impl Service {
    /// The licenses that the selection holds now; an error if there are too many.
    pub fn plan(&self, selection: &Selection) -> Result<Plan, Error> {
        let (licenses, codes) = self.store.read_tx(|db| {
            let licenses = search::selected(db, selection, MAX_SELECTED)?;
            let mut codes = HashMap::new();
            for seat in licenses.iter().flatten().filter_map(|license| license.seat) {
                if let Entry::Vacant(entry) = codes.entry(seat.code_id) {
                    entry.insert(activation_codes::terms(db, seat.code_id)?);
                }
            }
            Ok((licenses, codes))
        })?;
        let licenses = licenses.ok_or_else(|| {
            Error::Conflict(format!(
                "The selection has more than {} licenses, the most for one change. Narrow the \
                 filter down, by tool or by date, and change them in parts.",
                grouped(MAX_SELECTED as i64)
            ))
        })?;
        Ok(Plan::new(licenses, codes, self.today()))
    }

    /// Changes all licenses and returns the ID of the change; changes nothing and returns none if they have
    /// changed since the preview. A form that is sent twice makes one change.
    pub fn change_many(
        &self,
        actor: &Actor,
        selection: &Selection,
        action: &Action,
        fingerprint: &str,
    ) -> Result<Option<i64>, Error> {
        let what = action.in_words();
        let mut plan = self.plan(selection)?;
        if fingerprint != plan.fingerprint {
            let since = self.clock.now() - UNDO_FOR;
            return self
                .store
                .read(|db| bulk::same(db, &actor.who, &what, fingerprint, since));
        }
        // Neighbors share database pages.
        plan.licenses.sort_unstable_by_key(|license| license.id);
        let licenses = std::mem::take(&mut plan.licenses);
        let step = |before: License| {
            let Effect { after, .. } = plan.effect(action, &before)?;
            Some(match after {
                Some(after) => Step::Change { before, after },
                None => Step::Delete { before },
            })
        };
        let steps: Vec<Step> = licenses.into_iter().filter_map(step).collect();
        let summary = Event::new(Kind::ManyChanged, actor)
            .with("what", Detail::personal(&what))
            .with("licenses", steps.len() as i64);
        self.run_job(Job {
            actor,
            what: &what,
            fingerprint,
            summary: (steps.len() > 1).then_some(summary),
            number: steps.len(),
            steps: &mut steps.into_iter(),
            progress: &|_| Ok(()),
            done: &|_, _| Ok(()),
        })
        .map(Some)
    }

    /// Acts on one license as it is now; returns it and the ID of the change, which can be undone. An error if its
    /// activation code lets nothing change.
    pub fn act_on(&self, actor: &Actor, id: i64, action: &Action) -> Result<(License, i64), Error> {
        let license = self.license(id)?;
        let selection = Selection::Ids(vec![id]);
        let plan = self.plan(&selection)?;
        if let (
            None,
            Some(Effect {
                after: Some(wanted),
                ..
            }),
        ) = (
            plan.effect(action, &license),
            action.on(&license, None, plan.today),
        ) {
            by_code(&license, &wanted)?;
        }
        let bulk = self.change_many(actor, &selection, action, &plan.fingerprint)?;
        let bulk = bulk.ok_or_else(|| Error::Conflict(STALE.into()))?;
        Ok((license, bulk))
    }

    /// Extends one license by a year if it still has the expiration date that was shown; returns the changed
    /// license and the ID of the change.
    pub fn renew(
        &self,
        actor: &Actor,
        id: i64,
        seen: Option<Date>,
    ) -> Result<(License, Option<i64>), Error> {
        let license = self.license(id)?;
        if license.expiration_date != seen {
            return Ok((license, None));
        }
        let action = Action::Extend(Term::Months(12), Start::Later);
        let selection = Selection::Ids(vec![id]);
        let plan = self.plan(&selection)?;
        let bulk = self.change_many(actor, &selection, &action, &plan.fingerprint)?;
        Ok((self.license(id)?, bulk))
    }

    /// All or nothing; returns the ID of the change.
    pub(super) fn run_job(&self, mut job: Job<'_>) -> Result<i64, Error> {
        let Job {
            actor,
            what,
            fingerprint,
            ..
        } = job;
        let begin = |db: &WriteTx<'_>| {
            Ok(bulk::add(
                db,
                &actor.who,
                what,
                fingerprint,
                self.clock.now(),
            )?)
        };
        if job.number <= ONE_TRANSACTION {
            return self.store.write(|db| {
                let id = begin(db)?;
                (job.progress)(0)?;
                let now = self.clock.now();
                for step in &mut *job.steps {
                    apply(db, actor, id, step, job.summary.is_some(), now)?;
                }
                bulk::add_to_number(db, id, job.number as i64)?;
                finish(db, id, &mut job, now)?;
                Ok(id)
            });
        }
        let _lock = self.bulk_lock()?;
        let id = self.store.write(begin)?;
        let written = self
            .store
            .with_large_cache(|| self.write_chunks(id, &mut job));
        let written = written.and_then(|()| {
            self.store
                .write(|db| finish(db, id, &mut job, self.clock.now()))
        });
        if let Err(error) = written {
            self.take_all_back(actor, id, "The change failed and was taken back.")?;
            return Err(error);
        }
        Ok(id)
    }

    fn write_chunks(&self, id: i64, job: &mut Job<'_>) -> Result<(), Error> {
        let mut done = 0;
        while done < job.number as i64 {
            (job.progress)(done)?;
            done += self.store.write(|db| {
                let (watch, now, mut number) = (Stopwatch::start(), self.clock.now(), 0);
                while number < CHUNK_LICENSES
                    && watch.elapsed() < CHUNK
                    && let Some(step) = job.steps.next()
                {
                    apply(db, job.actor, id, step, job.summary.is_some(), now)?;
                    number += 1;
                }
                bulk::add_to_number(db, id, number)?;
                Ok(number)
            })?;
            self.store.pause();
        }
        (job.progress)(done)
    }

    /// Allows one bulk change at a time among all programs that use the database. While the lock is held, its
    /// owner is alive.
    pub(super) fn bulk_lock(&self) -> Result<Lock, Error> {
        self.store.try_bulk_lock()?.ok_or_else(|| {
            Error::Conflict(
                "Another import or bulk change is running; try again when it is done.".into(),
            )
        })
    }

    pub fn bulk_change(&self, id: i64) -> Result<BulkChange, Error> {
        self.store
            .read(|db| bulk::get(db, id))?
            .ok_or(NO_SUCH_CHANGE)
    }

    /// Reverts every license of the change, except those changed since.
    pub fn undo(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        let change = self.bulk_change(id)?;
        if change.number <= ONE_TRANSACTION as i64 {
            return self.store.write(|db| {
                let now = self.clock.now();
                let what = can_be_undone(db, id, now)?.what;
                let mut back = TakenBack {
                    is_told_at_once: change.number > 1,
                    ..TakenBack::default()
                };
                back.take(db, id, actor, now, &Stopwatch::start())?;
                back.finish(db, id, &what, actor, now)
            });
        }
        let _lock = self.bulk_lock()?;
        let change = self.store.write(|db| {
            let change = can_be_undone(db, id, self.clock.now())?;
            bulk::set_running(db, id)?;
            Ok(change)
        })?;
        let back = self.take_back_chunks(actor, id)?;
        let ended = self
            .store
            .write(|db| Ok(back.finish(db, id, &change.what, actor, self.clock.now())));
        let ended = ended?;
        if ended.is_err() {
            self.store
                .write(|db| Ok(bulk::set_done(db, id, &change.what, change.at)?))?;
        }
        ended
    }

    fn take_all_back(&self, actor: &Actor, id: i64, why: &str) -> Result<(), Error> {
        let back = self.take_back_chunks(actor, id)?;
        let words = format!("{why} {}", back.in_words());
        self.store.write(|db| Ok(bulk::set_undone(db, id, &words)?))
    }

    fn take_back_chunks(&self, actor: &Actor, id: i64) -> Result<TakenBack, Error> {
        let mut back = TakenBack {
            is_told_at_once: true,
            ..TakenBack::default()
        };
        let mut take = || {
            self.store
                .write(|db| back.take(db, id, actor, self.clock.now(), &Stopwatch::start()))
        };
        self.store.with_large_cache(|| {
            while take()? {
                self.store.pause();
            }
            Ok(())
        })?;
        Ok(back)
    }

    /// Takes back changes whose program exited midway; at startup and once a second.
    pub fn take_back_interrupted(&self) -> Result<(), Error> {
        if self.store.read(bulk::running)?.is_empty() {
            return Ok(());
        }
        let Some(_lock) = self.store.try_bulk_lock()? else {
            return Ok(());
        };
        for change in self.store.read(bulk::running)? {
            self.log.event(
                "bulk_change_taken_back",
                &[("id", &change.id), ("what", &change.what)],
            );
            let why = "The program ended in the middle of the change, which was taken back.";
            self.take_all_back(&Actor::recovery(), change.id, why)?;
        }
        Ok(())
    }

    /// Deletes some of the data of changes that can no longer be undone; once a second.
    pub fn prune_bulk_changes(&self) -> Result<(), Error> {
        let before = self.clock.now() - UNDO_FOR;
        if self.store.read(|db| bulk::has_prunable(db, before))? {
            self.store.write(|db| Ok(bulk::prune(db, before)?))?;
        }
        Ok(())
    }
}

fn finish(db: &WriteTx<'_>, id: i64, job: &mut Job<'_>, now: OffsetDateTime) -> Result<(), Error> {
    if let Some(summary) = job.summary.take() {
        audit::append(db, summary, now)?;
    }
    (job.done)(db, id)?;
    Ok(bulk::set_done(db, id, job.what, now)?)
}

/// Writes one license, its audit entry, and its previous values in the journal.
fn apply(
    db: &WriteTx<'_>,
    actor: &Actor,
    bulk_id: i64,
    step: Step,
    is_part: bool,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let is_deleted = matches!(step, Step::Delete { .. });
    let (before, after) = match step {
        Step::Add { values, created_at } => {
            let id = licenses::add(db, &values, created_at)?;
            let added = License {
                id,
                created_at,
                moved_to: None,
                seat: None,
                offline_until: None,
                values,
            };
            (None, Some(added))
        }
        Step::Change { before, after } => {
            let after = License {
                id: before.id,
                created_at: before.created_at,
                moved_to: before.moved_to,
                seat: before.seat,
                offline_until: before.offline_until,
                values: after,
            };
            (Some(before), Some(after))
        }
        Step::Delete { before } => (Some(before), None),
    };
    let kept = match &before {
        None => Default::default(),
        Some(before) => {
            let current = licenses::get(db, before.id)?;
            if current.as_ref() != Some(before) {
                return Err(Error::Conflict(STALE.into()));
            }
            let kept = bulk::snapshot(db, before.id, is_deleted)?;
            match &after {
                Some(after) => licenses::update(db, before, after, now)?,
                None => licenses::delete(db, before)?,
            }
            kept
        }
    };
    // Its activation code decides, too.
    let after = match after {
        Some(after) if after.seat.is_some() => licenses::get(db, after.id)?,
        other => other,
    };
    let record = if is_part { record_part } else { record };
    let audit_id = record(db, actor, before.as_ref(), after.as_ref(), now)?;
    if let Some(license) = after.as_ref().or(before.as_ref()) {
        bulk::keep(db, bulk_id, license.id, audit_id, (&kept.0, &kept.1))?;
    }
    Ok(())
}

/// Adds an audit entry about a license, and records the pair of tool and key if the license lost it.
pub(super) fn record(
    db: &WriteTx<'_>,
    actor: &Actor,
    before: Option<&License>,
    after: Option<&License>,
    now: OffsetDateTime,
) -> Result<i64, Error> {
    let event = Event::license(actor, before, after);
    record_as(db, event, before, after, now)
}

/// [`record`] for a part of a change that another event tells of.
pub(super) fn record_part(
    db: &WriteTx<'_>,
    actor: &Actor,
    before: Option<&License>,
    after: Option<&License>,
    now: OffsetDateTime,
) -> Result<i64, Error> {
    let event = Event::license(actor, before, after).untold();
    record_as(db, event, before, after, now)
}

fn record_as(
    db: &WriteTx<'_>,
    event: Event,
    before: Option<&License>,
    after: Option<&License>,
    now: OffsetDateTime,
) -> Result<i64, Error> {
    let audit_id = audit::append(db, event, now)?;
    let pair = |license: &'_ License| (license.tool_name.clone(), license.license_key.clone());
    if let Some(before) = before
        && after.map(pair) != Some(pair(before))
    {
        former_pairs::add(db, before, audit_id)?;
    }
    Ok(audit_id)
}

/// Restores one license, or says why it cannot.
fn take_back(
    db: &WriteTx<'_>,
    row: &JournalRow,
    actor: &Actor,
    is_part: bool,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let current = licenses::get(db, row.license_id)?;
    let name = |license: &License| format!("{} for {}", license.license_key, license.tool_name);
    let was_changed = audit::last_about(db, row.license_id)? != Some(row.audit_id);
    let restored = match &current {
        Some(current) if was_changed => {
            return Ok(Some(format!("{} was changed since", name(current))));
        }
        Some(current) if row.before.is_empty() => {
            licenses::delete(db, current)?;
            None
        }
        Some(current) => {
            let before = bulk::values_before(row)?.over(Draft::from(&current.values));
            let before = License {
                values: Values::parse(&before)?,
                id: current.id,
                created_at: current.created_at,
                moved_to: current.moved_to,
                seat: current.seat,
                offline_until: current.offline_until,
            };
            match licenses::update(db, current, &before, now) {
                Err(Error::Duplicate) => {
                    return Ok(Some(format!("{} was added again since", name(&before))));
                }
                updated => updated?,
            }
            let moved_to = bulk::moved_to_before(row)?;
            if moved_to != current.moved_to {
                licenses::set_moved_to(db, current.id, moved_to)?;
            }
            licenses::settle(db, current.id, bulk::seat_before(row)?)?;
            licenses::get(db, current.id)?
        }
        None if row.before.is_empty() => {
            return Ok(Some(format!(
                "license {} was deleted since",
                row.license_id
            )));
        }
        None if was_changed => {
            let before = bulk::values_before(row)?;
            let (tool, key) = (before.get("tool_name"), before.get("license_key"));
            return Ok(Some(format!("{key} for {tool} was deleted since")));
        }
        None if !has_seat(db, bulk::seat_before(row)?)? => {
            let before = bulk::values_before(row)?;
            let (tool, key) = (before.get("tool_name"), before.get("license_key"));
            return Ok(Some(format!(
                "all seats of the activation code of {key} for {tool} have been taken since"
            )));
        }
        None => match bulk::restore(db, row, now)? {
            Some(restored) => {
                // The code may have been changed since.
                licenses::settle(db, restored.id, restored.seat)?;
                licenses::get(db, restored.id)?
            }
            None => {
                let before = bulk::values_before(row)?;
                let (tool, key) = (before.get("tool_name"), before.get("license_key"));
                return Ok(Some(format!("{key} for {tool} was added again since")));
            }
        },
    };
    let record = if is_part { record_part } else { record };
    record(db, actor, current.as_ref(), restored.as_ref(), now)?;
    Ok(None)
}

/// Whether a license can have its seat again.
fn has_seat(db: &WriteTx<'_>, seat: Option<Seat>) -> Result<bool, Error> {
    let Some(seat) = seat else {
        return Ok(true);
    };
    let listed = activation_codes::listed(db, seat.code_id)?;
    Ok(listed.is_some_and(|listed| listed.seats_used < listed.code.values.seats))
}

fn can_be_undone(db: &WriteTx<'_>, id: i64, now: OffsetDateTime) -> Result<BulkChange, Error> {
    let change = bulk::get(db, id)?.ok_or(NO_SUCH_CHANGE)?;
    if change.can_be_undone(now) {
        return Ok(change);
    }
    Err(Error::Conflict(format!(
        "“{}” can no longer be undone: that is possible once, for {} minutes.",
        change.what,
        UNDO_FOR.whole_minutes()
    )))
}

/// Progress of an undo.
#[derive(Default)]
struct TakenBack {
    number: i64,
    /// Licenses that could not be changed back, with the reason.
    others: Vec<String>,
    /// The last license processed.
    after: i64,
    /// Receivers of webhooks are told of the whole, not of each license.
    is_told_at_once: bool,
}

impl TakenBack {
    /// Processes another chunk; false if none is left.
    fn take(
        &mut self,
        db: &WriteTx<'_>,
        id: i64,
        actor: &Actor,
        now: OffsetDateTime,
        watch: &Stopwatch,
    ) -> Result<bool, Error> {
        let rows = bulk::journal(db, id, self.after, CHUNK_LICENSES)?;
        for row in &rows {
            if watch.elapsed() > CHUNK && rows.len() > ONE_TRANSACTION {
                break;
            }
            match take_back(db, row, actor, self.is_told_at_once, now)? {
                None => {
                    bulk::drop_row(db, id, row.license_id)?;
                    self.number += 1;
                }
                Some(other) => self.others.push(other),
            }
            self.after = row.license_id;
        }
        Ok(!rows.is_empty())
    }

    /// Finishes an undo; an error if nothing could be changed back.
    fn finish(
        &self,
        db: &WriteTx<'_>,
        id: i64,
        what: &str,
        actor: &Actor,
        now: OffsetDateTime,
    ) -> Result<(), Error> {
        if self.number == 0 && !self.others.is_empty() {
            return Err(Error::Conflict(self.in_words()));
        }
        bulk::set_undone(db, id, &self.in_words())?;
        if self.number > 1 || self.is_told_at_once && self.number > 0 {
            let summary = Event::new(Kind::ManyChanged, actor)
                .with("what", Detail::personal(&format!("Undo: {what}")))
                .with("licenses", self.number);
            audit::append(db, summary, now)?;
        }
        Ok(())
    }

    fn in_words(&self) -> String {
        let mut words = match self.number {
            1 => "1 license is as before.".to_owned(),
            number => format!("{} licenses are as before.", grouped(number)),
        };
        if !self.others.is_empty() {
            let named = self.others[..self.others.len().min(NAMED)].join("; ");
            let more = if self.others.len() > NAMED {
                "; …"
            } else {
                ""
            };
            let left = match self.others.len() {
                1 => "1 license was left alone".to_owned(),
                number => format!("{} licenses were left alone", grouped(number as i64)),
            };
            words += &format!(" {left}: {named}{more}.");
        }
        words
    }
}
