//! Compares the server's clock with what was stored: a wrong clock changes every result.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Service;
use crate::error::Error;
use crate::model::server_clock::{Drift, WrongClock};
use crate::store::newest;

#[derive(Default)]
pub(super) struct ClockWatch {
    /// The newest plausible moment; none before the first comparison or in an empty database.
    newest: Option<OffsetDateTime>,
    drift: Option<Drift>,
}

impl Service {
    /// Logs when the clock becomes implausible, and when it is plausible again; at the start and once a second,
    /// so that a leap is seen as well.
    pub fn compare_clock(&self) -> Result<(), Error> {
        let now = self.now();
        let mut watch = self.clock_watch.lock();
        let newest = match watch.newest {
            Some(newest) => newest,
            None => self.store.read(newest::moment)?.unwrap_or(now),
        };
        let drift = Drift::between(newest, now);
        // A clock that is ahead must not make the right time look wrong later.
        watch.newest = Some(match drift {
            None => newest.max(now),
            Some(_) => newest,
        });
        let before = std::mem::replace(&mut watch.drift, drift);
        drop(watch);
        if drift != before {
            let event = drift.map_or("clock_plausible", Drift::event);
            let written = |moment: OffsetDateTime| {
                let whole = moment.truncate_to_second();
                whole.format(&Rfc3339).unwrap_or_default()
            };
            let times = [now, newest].map(written);
            self.log
                .event(event, &[("now", &times[0]), ("newest_stored", &times[1])]);
        }
        Ok(())
    }

    /// The comparison alone.
    pub(super) fn compare_clock_once(&self) -> Result<Option<WrongClock>, Error> {
        let now = self.now();
        let newest = self.store.read(newest::moment)?.unwrap_or(now);
        let drift = Drift::between(newest, now);
        Ok(drift.map(|drift| WrongClock { drift, now, newest }))
    }

    /// None if the clock may be right.
    pub fn wrong_clock(&self) -> Option<WrongClock> {
        let now = self.now();
        let watch = self.clock_watch.lock();
        let (drift, newest) = (watch.drift?, watch.newest?);
        Some(WrongClock { drift, now, newest })
    }
}
