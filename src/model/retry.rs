//! How long and how often something is tried that others must take: a mail, an event.

use time::Duration;

/// Attempts go on for so long.
pub const GIVE_UP: Duration = Duration::days(3);

/// From a minute, which ends most greylisting, to some hours.
pub fn pause_after(attempts: i64) -> Duration {
    Duration::minutes(match attempts {
        ..=1 => 1,
        2 => 5,
        3 => 15,
        4 => 30,
        5 => 60,
        6..=8 => 120,
        _ => 240,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_a_minute_to_four_hours() {
        let pauses: Vec<Duration> = (1..40).map(pause_after).collect();
        assert!(pauses.is_sorted());
        assert_eq!(
            (pauses[0], pauses[38]),
            (Duration::MINUTE, Duration::hours(4))
        );
    }
}
