//! What the audit log says about requests that change nothing, kept in memory until the next second: a flood of
//! refusals leaves one entry a minute, and no reading waits for a writer.

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
    /// Counts a refusal, which [`Service::write_notes`] writes later.
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

    /// Writes exports, and refusals that were counted for a minute; with `all`, every one.
    pub fn write_notes(&self, all: bool) -> Result<(), Error> {
        let now = self.now();
        let is_due = |refusals: &mut Refusals| {
            // Also if the clock was set back.
            all || !(refusals.since..refusals.since + EVERY).contains(&now)
        };
        let due: Vec<Refusals> = self.refusals.lock().extract_if(.., is_due).collect();
        let mut events = std::mem::take(&mut *self.exported.lock());
        events.extend(due.into_iter().map(|refusals| (refusals.event(), now)));
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

    /// [`Service::note_export`] for scripts, which may read all licenses again and again: once an hour.
    pub fn note_api_export(&self, actor: &Actor) {
        if self.exports.take(&actor.who, self.now()).is_ok() {
            self.note_export(actor, "api");
        }
    }
}
