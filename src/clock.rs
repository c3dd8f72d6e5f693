//! The only file that asks the machine for the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to run.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Since its start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Milliseconds since its start.
    pub fn milliseconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }
}

/// Where "now" comes from; clones of a fixed clock share its hands.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Unix seconds that stand still until they are turned.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at `now`.
    pub fn fixed(now: OffsetDateTime) -> Clock {
        Clock::Fixed(Arc::new(AtomicI64::new(now.unix_timestamp())))
    }

    /// Moves a fixed clock by `seconds`; the machine's clock is not ours to move.
    pub fn turn(&self, seconds: i64) {
        match self {
            Clock::System => {}
            Clock::Fixed(hands) => {
                hands.fetch_add(seconds, Ordering::Relaxed);
            }
        }
    }

    /// The present moment, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        match self {
            Clock::System => OffsetDateTime::now_utc(),
            Clock::Fixed(hands) => {
                OffsetDateTime::from_unix_timestamp(hands.load(Ordering::Relaxed))
                    .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            }
        }
    }
}
