//! Refused sign-ins and tokens, counted in memory: a flood of them leaves one audit entry a minute.

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

pub(super) struct Refusals {
    kind: Kind,
    since: OffsetDateTime,
    /// The first one.
    actor: Actor,
    attempts: i64,
    /// An IPv6 /64 counts as one.
    addresses: HashSet<(bool, u64)>,
    is_one_name: bool,
}

impl Refusals {
    fn event(self) -> Event {
        let addresses = self.addresses.len();
        let actor = Actor {
            who: match self.is_one_name {
                true => self.actor.who,
                false => "several".to_owned(),
            },
            address: match addresses {
                1 => self.actor.address,
                _ => "several".to_owned(),
            },
        };
        Event::new(self.kind, &actor)
            .with("attempts", self.attempts)
            .with("addresses", addresses as i64)
    }
}

impl Service {
    /// Counts a refusal, which [`Service::write_refusals`] writes later.
    pub fn note_refusal(&self, kind: Kind, who: &str, address: IpAddr) {
        let mut all = self.refusals.lock();
        let at = all.iter().position(|refusals| refusals.kind == kind);
        let at = at.unwrap_or_else(|| {
            all.push(Refusals {
                kind,
                since: self.now(),
                actor: Actor {
                    who: who.to_owned(),
                    address: address.to_string(),
                },
                attempts: 0,
                addresses: HashSet::new(),
                is_one_name: true,
            });
            all.len() - 1
        });
        if let Some(refusals) = all.get_mut(at) {
            refusals.attempts += 1;
            refusals.is_one_name &= refusals.actor.who == who;
            if refusals.addresses.len() < ADDRESSES {
                refusals.addresses.insert(subscriber(address));
            }
        }
    }

    /// Writes what was counted for a minute; with `all`, everything.
    pub fn write_refusals(&self, all: bool) -> Result<(), Error> {
        let now = self.now();
        let is_due = |refusals: &mut Refusals| {
            // Also if the clock was set back.
            all || !(refusals.since..refusals.since + EVERY).contains(&now)
        };
        let due: Vec<Refusals> = self.refusals.lock().extract_if(.., is_due).collect();
        if due.is_empty() {
            return Ok(());
        }
        self.store.write(|db| {
            for refusals in due {
                audit::append(db, refusals.event(), now)?;
            }
            Ok(())
        })
    }

    /// Records that many licenses were read at once. A full disk must not keep anybody from reading them.
    pub fn note_export(&self, actor: &Actor, to: &str) {
        let event = Event::new(Kind::Exported, actor).with("to", to);
        let now = self.now();
        if let Err(error) = self.store.write(|db| audit::append(db, event, now)) {
            self.log.fault("note_export", &error);
        }
    }

    /// [`Service::note_export`] for scripts, which may read all licenses again and again: once an hour.
    pub fn note_api_export(&self, actor: &Actor) {
        if self.exports.take(&actor.who, self.now()).is_ok() {
            self.note_export(actor, "api");
        }
    }
}
