//! The only file that reads the system clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    pub fn milliseconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64() * 1000.0
    }
}

/// Where "now" comes from; clones of a fixed clock share its time.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    /// Unix seconds that change only with [`Clock::turn`].
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    pub fn fixed(now: OffsetDateTime) -> Clock {
        Clock::Fixed(Arc::new(AtomicI64::new(now.unix_timestamp())))
    }

    /// Moves a fixed clock by `seconds`; has no effect on the system clock.
    pub fn turn(&self, seconds: i64) {
        match self {
            Clock::System => {}
            Clock::Fixed(hands) => {
                hands.fetch_add(seconds, Ordering::Relaxed);
            }
        }
    }

    /// In UTC.
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
