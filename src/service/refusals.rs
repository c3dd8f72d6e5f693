//! What the audit log says about requests that change nothing, kept in memory until the next second: a flood of
//! refusals leaves a few entries a minute, and no reading waits for a writer.

use std::collections::HashSet;
use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use super::Service;
use super::throttle::subscriber;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::store::audit;

const EVERY: Duration = Duration::MINUTE;
/// Beyond this, addresses are no longer told apart.
const ADDRESSES: usize = 10_000;
/// Names and addresses whose failed sign-ins have entries of their own; all others share one a minute.
const SEPARATE: usize = 5;

pub(super) struct Refusals {
    kind: Kind,
    since: OffsetDateTime,
    /// The first one.
    actor: Actor,
    /// Of any name from any address; otherwise the first one has an entry at once, and is not counted.
    is_shared: bool,
    has_entry: bool,
    attempts: i64,
    /// An IPv6 /64 counts as one.
    addresses: HashSet<(bool, u64)>,
    is_one_name: bool,
}

impl Refusals {
    fn is_of(&self, who: &str, address: IpAddr) -> bool {
        !self.is_shared && self.actor.who == who && self.addresses.contains(&subscriber(address))
    }

    fn event(&self) -> Event {
        let addresses = self.addresses.len();
        let mut actor = match self.is_one_name {
            true => self.actor.clone(),
            false => Actor::other("several", "several", &self.actor.address),
        };
        if addresses != 1 {
            actor.address = "several".to_owned();
        }
        Event::new(self.kind, &actor)
            .with("attempts", self.attempts)
            .with("addresses", addresses as i64)
    }
}

impl Service {
    /// Counts a refusal, which [`Service::write_notes`] writes later.
    pub fn note_refusal(&self, kind: Kind, actor: &Actor, address: IpAddr) {
        let mut all = self.refusals.lock();
        let of_kind = || all.iter().enumerate().filter(|(_, one)| one.kind == kind);
        let separate = of_kind().filter(|(_, one)| !one.is_shared).count();
        let is_sign_in = matches!(
            kind,
            Kind::SignInFailed | Kind::SecondFactorFailed | Kind::SessionRefused
        );
        let is_shared = !is_sign_in || separate >= SEPARATE;
        let own = of_kind().find(|(_, one)| one.is_of(&actor.who, address));
        let found = own.or_else(|| of_kind().find(|(_, one)| is_shared && one.is_shared));
        if let Some(at) = found.map(|(at, _)| at)
            && let Some(refusals) = all.get_mut(at)
        {
            refusals.attempts += 1;
            refusals.is_one_name &= refusals.actor.who == actor.who;
            if refusals.addresses.len() < ADDRESSES {
                refusals.addresses.insert(subscriber(address));
            }
            return;
        }
        all.push(Refusals {
            kind,
            since: self.now(),
            actor: actor.clone(),
            is_shared,
            has_entry: false,
            attempts: i64::from(is_shared),
            addresses: HashSet::from([subscriber(address)]),
            is_one_name: true,
        });
    }

    /// Writes exports, the first of separate refusals, and what was counted for a minute; with `all`, everything.
    pub fn write_notes(&self, all: bool) -> Result<(), Error> {
        let now = self.now();
        let mut events = std::mem::take(&mut *self.exported.lock());
        self.refusals.lock().retain_mut(|refusals| {
            if !refusals.is_shared && !refusals.has_entry {
                refusals.has_entry = true;
                let first = Event::new(refusals.kind, &refusals.actor);
                events.push((first, refusals.since));
            }
            // Also if the clock was set back.
            if !all && (refusals.since..refusals.since + EVERY).contains(&now) {
                return true;
            }
            let goes_on = refusals.attempts > 0;
            if goes_on {
                events.push((refusals.event(), now));
            }
            refusals.since = now;
            refusals.attempts = 0;
            goes_on && !refusals.is_shared
        });
        if events.is_empty() {
            return Ok(());
        }
        self.store.write(|db| {
            for (event, at) in events {
                audit::append(db, event, at)?;
            }
            Ok(())
        })
    }

    /// Records that many licenses were read at once; [`Service::write_notes`] writes it.
    pub fn note_export(&self, actor: &Actor, to: &str) {
        let event = Event::new(Kind::Exported, actor).with("to", to);
        self.exported.lock().push((event, self.now()));
    }

    /// [`Service::note_export`] for entries of the audit log.
    pub fn note_audit_export(&self, actor: &Actor, to: &str) {
        let event = Event::new(Kind::AuditExported, actor).with("to", to);
        self.exported.lock().push((event, self.now()));
    }

    /// [`Service::note_audit_export`] for scripts, which may ask for new entries again and again: once an hour.
    pub fn note_audit_read(&self, actor: &Actor) {
        if self
            .exports
            .take(("audit", actor.nameless), self.now())
            .is_ok()
        {
            self.note_audit_export(actor, "api");
        }
    }

    /// [`Service::note_export`] for scripts, which may read all licenses again and again: once an hour.
    pub fn note_api_export(&self, actor: &Actor) {
        if self.exports.take(actor.nameless, self.now()).is_ok() {
            self.note_export(actor, "api");
        }
    }
}
