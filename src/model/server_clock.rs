//! Whether the clock of the server can be right: compared with the newest moment that it has stored.

use time::{Duration, OffsetDateTime};

/// Checks and sign-ins of several days cannot be in the future.
const BEHIND: Duration = Duration::DAY;
/// A server is seldom stopped for so long.
const AHEAD: Duration = Duration::days(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    Behind,
    Ahead,
}

impl Drift {
    /// None if the clock may be right.
    pub fn between(newest: OffsetDateTime, now: OffsetDateTime) -> Option<Drift> {
        let after = now - newest;
        match after {
            _ if after < -BEHIND => Some(Drift::Behind),
            _ if after > AHEAD => Some(Drift::Ahead),
            _ => None,
        }
    }

    /// For the log.
    pub fn event(self) -> &'static str {
        match self {
            Drift::Behind => "clock_behind",
            Drift::Ahead => "clock_ahead",
        }
    }
}

/// A clock that is probably wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongClock {
    pub drift: Drift,
    pub now: OffsetDateTime,
    /// The newest stored moment.
    pub newest: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_behind_and_thirty_days_ahead_are_tolerated() {
        let newest = OffsetDateTime::UNIX_EPOCH + Duration::days(9_000);
        let at = |offset: Duration| Drift::between(newest, newest + offset);
        let second = Duration::SECOND;
        assert_eq!((at(-BEHIND), at(AHEAD)), (None, None));
        assert_eq!(at(-BEHIND - second), Some(Drift::Behind));
        assert_eq!(at(AHEAD + second), Some(Drift::Ahead));
    }
}
