//! Whether the database is in reach, and since when it is not.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration as Wait;

use time::{Duration, OffsetDateTime};

use crate::clock::{Clock, Stopwatch};
use crate::error::Error;

/// Without an answer for so long, the contact is lost.
const LOST: Wait = Wait::from_secs(3);

/// The database answers once a second; an answer says that everything was heard until it was asked.
pub(in crate::store) struct Contact {
    clock: Clock,
    /// How long memory may answer without contact.
    max_behind: Duration,
    opened: Stopwatch,
    /// The last answer: in milliseconds since [`Contact::opened`], and as Unix time.
    after: AtomicU64,
    at: AtomicI64,
    on_duty: AtomicBool,
}

impl Contact {
    /// There is contact right now.
    pub(in crate::store) fn new(clock: Clock, max_behind: Duration) -> Contact {
        let at = clock.now().unix_timestamp();
        Contact {
            clock,
            max_behind,
            opened: Stopwatch::start(),
            after: AtomicU64::new(0),
            at: AtomicI64::new(at),
            on_duty: AtomicBool::new(false),
        }
    }

    /// A moment that [`Contact::made`] takes once the answer is there.
    pub(super) fn moment(&self) -> (Wait, OffsetDateTime) {
        (self.opened.elapsed(), self.clock.now())
    }

    pub(super) fn made(&self, (after, at): (Wait, OffsetDateTime)) {
        let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.after.store(after, Ordering::Relaxed);
        self.at.store(at.unix_timestamp(), Ordering::Relaxed);
    }

    pub(in crate::store) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// The last answer.
    pub(in crate::store) fn last(&self) -> OffsetDateTime {
        let at = OffsetDateTime::from_unix_timestamp(self.at.load(Ordering::Relaxed));
        at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// How long ago that was.
    pub(in crate::store) fn age(&self) -> Wait {
        let after = Wait::from_millis(self.after.load(Ordering::Relaxed));
        self.opened.elapsed().saturating_sub(after)
    }

    pub(in crate::store) fn is_lost(&self) -> bool {
        self.age() > LOST
    }

    /// For what must not wait until the system notices it.
    pub(in crate::store) fn require(&self) -> Result<(), Error> {
        match self.is_lost() {
            false => Ok(()),
            true => Err(self.lost()),
        }
    }

    fn lost(&self) -> Error {
        let seconds = self.age().as_secs();
        Error::Unavailable(format!(
            "the database has not answered for {seconds} seconds"
        ))
    }

    /// An error if that is too long ago for an answer from memory.
    pub(in crate::store) fn allow(&self, as_of: OffsetDateTime) -> Result<(), Error> {
        // The clock may have been set back meanwhile.
        let behind = (self.clock.now() - as_of).max(self.age().try_into().unwrap_or(Duration::MAX));
        match behind <= self.max_behind {
            true => Ok(()),
            false => Err(self.lost()),
        }
    }

    /// Whether this server does what only one may do at a time.
    pub(in crate::store) fn is_on_duty(&self) -> bool {
        self.on_duty.load(Ordering::Relaxed) && !self.is_lost()
    }

    pub(super) fn set_on_duty(&self, on_duty: bool) {
        self.on_duty.store(on_duty, Ordering::Relaxed);
    }
}
