//! What the event log says of new entries of the audit log, once they are durable: an operator who sends that log to
//! another system has the trail there. Without names, keys, codes and other values.

use std::fmt::Display;

use super::audit;
use super::db::{Db, Result};
use crate::log::Log;
use crate::model::audit::{Actor, Event, Kind, Nameless};

/// Entries of a transaction that have an event each; more have one for all of them.
const MOST: usize = 100;

/// The entries of a transaction.
#[derive(Default)]
pub(super) struct Trail {
    first: Vec<Line>,
    last: i64,
}

struct Line {
    id: i64,
    kind: Kind,
    nameless: Nameless,
    client: Option<String>,
}

impl Trail {
    pub(super) fn add(&mut self, id: i64, event: &Event) {
        self.last = id;
        if self.first.len() <= MOST {
            let client = event.address.text.clone();
            self.first.push(Line {
                id,
                kind: event.kind,
                nameless: event.nameless,
                client: client.filter(|address| !address.is_empty()),
            });
        }
    }

    /// What another program has written after the entry with that ID, until another one.
    pub(super) fn of_others(db: &Db, after: i64, until: i64) -> Result<Trail> {
        let mut trail = Trail::default();
        let command_line = Actor::command_line();
        // An unreadable one is found by `audit verify`.
        for (id, entry) in audit::walk(db, after + 1, MOST as i64 + 1)? {
            if id > until {
                break;
            }
            trail.last = id;
            let Some(mut entry) = entry else { continue };
            if entry.event.who.text.as_deref() == Some(&command_line.who) {
                entry.event.nameless = command_line.nameless;
            }
            trail.add(id, &entry.event);
        }
        if trail.first.len() > MOST {
            trail.last = until.min(audit::head(db)?.0);
        }
        Ok(trail)
    }

    /// Its first and its last entry.
    pub(super) fn range(&self) -> Option<(i64, i64)> {
        self.first.first().map(|line| (line.id, self.last))
    }

    /// The last entry that the log has, if it had those up to `before`.
    pub(super) fn head(&self, before: i64) -> i64 {
        before.max(self.last)
    }

    pub(super) fn write_to(&self, log: &Log) {
        match &self.first[..] {
            [] => {}
            [first, ..] if self.first.len() > MOST => {
                write_line(log, &[("first", &first.id), ("last", &self.last)], first);
            }
            lines => {
                for line in lines {
                    let about: [(&str, &dyn Display); 2] =
                        [("entry", &line.id), ("kind", &line.kind.as_str())];
                    write_line(log, &about, line);
                }
            }
        }
    }
}

fn write_line(log: &Log, about: &[(&str, &dyn Display)], line: &Line) {
    let Nameless { word, user, .. } = line.nameless;
    let mut about = about.to_vec();
    about.extend(user.iter().map(|user| ("user", user as &dyn Display)));
    if !word.is_empty() {
        about.push(("who", &line.nameless.word));
    }
    about.extend(
        line.client
            .iter()
            .map(|client| ("client", client as &dyn Display)),
    );
    log.event("audit", &about);
}
