//! The result of a check.

use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::{License, Status};

/// The result of a check; a server error is never a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The tool may run.
    Valid,
    /// The machine has no license for the tool.
    NotFound,
    Suspended,
    Revoked,
    /// The license has expired and so has its grace period.
    Expired,
    /// The license has expired but is in its grace period: the tool may run.
    InGrace,
    /// The tool may run to be tried.
    Trial,
}

impl Verdict {
    /// In the order in which they are listed on pages.
    pub const ALL: [Verdict; 7] = [
        Verdict::Valid,
        Verdict::Trial,
        Verdict::InGrace,
        Verdict::Expired,
        Verdict::Suspended,
        Verdict::Revoked,
        Verdict::NotFound,
    ];

    /// The published machine-readable code.
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Valid => "VALID",
            Verdict::NotFound => "NOT_FOUND",
            Verdict::Suspended => "SUSPENDED",
            Verdict::Revoked => "REVOKED",
            Verdict::Expired => "EXPIRED",
            Verdict::InGrace => "IN_GRACE",
            Verdict::Trial => "TRIAL",
        }
    }

    /// The inverse of [`Verdict::code`].
    pub fn from_code(code: &str) -> Option<Verdict> {
        Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.code() == code)
    }

    /// The status takes precedence. A license is valid through the last second of its expiration
    /// date in `offset`, and in its grace period for that number of days after it.
    pub fn on(
        status: Status,
        expiration_date: Option<Date>,
        grace_days: u16,
        now: OffsetDateTime,
        offset: UtcOffset,
    ) -> Verdict {
        match status {
            Status::Suspended => Verdict::Suspended,
            Status::Revoked => Verdict::Revoked,
            Status::Activated => {
                let today = now.to_offset(offset).date();
                match expiration_date.map_or(0, |date| (today - date).whole_days()) {
                    ..=0 => Verdict::Valid,
                    days if days <= i64::from(grace_days) => Verdict::InGrace,
                    _ => Verdict::Expired,
                }
            }
        }
    }

    /// The verdict on a license that is a trial, or is not; a trial has no grace period.
    pub fn of_trial(self, is_trial: bool) -> Verdict {
        match self {
            Verdict::Valid if is_trial => Verdict::Trial,
            verdict => verdict,
        }
    }

    /// Whether the tool must not run.
    pub fn is_refusal(self) -> bool {
        match self {
            Verdict::Valid | Verdict::InGrace | Verdict::Trial => false,
            Verdict::NotFound | Verdict::Suspended | Verdict::Revoked | Verdict::Expired => true,
        }
    }

    /// The HTTP status of the published response.
    pub fn http(self) -> u16 {
        match self {
            Verdict::Valid | Verdict::InGrace | Verdict::Trial => 200,
            Verdict::NotFound => 404,
            Verdict::Suspended | Verdict::Revoked | Verdict::Expired => 403,
        }
    }

    /// The published `status`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Valid | Verdict::InGrace | Verdict::Trial => "valid",
            Verdict::NotFound | Verdict::Suspended | Verdict::Revoked => "invalid",
            Verdict::Expired => "expired",
        }
    }

    /// The published message, word for word.
    pub fn message(self) -> &'static str {
        match self {
            Verdict::Valid | Verdict::InGrace | Verdict::Trial => "License is active and valid.",
            Verdict::NotFound => "License key not found for this tool.",
            Verdict::Suspended => "License status is 'suspended'.",
            Verdict::Revoked => "License status is 'revoked'.",
            Verdict::Expired => "License has expired.",
        }
    }
}

/// The last day on which a license is valid, including its grace period; none if it is perpetual.
pub fn last_day(expiration_date: Option<Date>, grace_days: u16, is_trial: bool) -> Option<Date> {
    let grace_days = if is_trial { 0 } else { grace_days };
    Some(expiration_date?.saturating_add(Duration::days(grace_days.into())))
}

impl License {
    pub fn verdict(&self, grace_days: u16, now: OffsetDateTime, offset: UtcOffset) -> Verdict {
        let grace_days = if self.is_trial { 0 } else { grace_days };
        Verdict::on(self.status, self.expiration_date, grace_days, now, offset)
            .of_trial(self.is_trial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime, offset};

    fn verdict(
        status: Status,
        expiration_date: Option<Date>,
        now: OffsetDateTime,
        offset: UtcOffset,
    ) -> Verdict {
        Verdict::on(status, expiration_date, 0, now, offset)
    }

    #[test]
    fn the_grace_period_begins_after_the_expiration_date() {
        let expiration_date = Some(date!(2024 - 12 - 31));
        let check = |status, now| Verdict::on(status, expiration_date, 3, now, offset!(+2));
        let activated = |now| check(Status::Activated, now);
        assert_eq!(
            activated(datetime!(2024-12-31 21:59:59 UTC)),
            Verdict::Valid
        );
        assert_eq!(
            activated(datetime!(2024-12-31 22:00:00 UTC)),
            Verdict::InGrace
        );
        assert_eq!(
            activated(datetime!(2025-01-03 21:59:59 UTC)),
            Verdict::InGrace
        );
        assert_eq!(
            activated(datetime!(2025-01-03 22:00:00 UTC)),
            Verdict::Expired
        );
        let revoked = check(Status::Revoked, datetime!(2025-01-01 12:00 UTC));
        assert_eq!(revoked, Verdict::Revoked);
    }

    #[test]
    fn a_license_is_valid_through_the_last_second_of_its_expiration_date() {
        let expiration_date = Some(date!(2024 - 12 - 31));
        let check = |now| verdict(Status::Activated, expiration_date, now, UtcOffset::UTC);
        assert_eq!(check(datetime!(2024-12-31 23:59:59 UTC)), Verdict::Valid);
        assert_eq!(check(datetime!(2025-01-01 00:00:00 UTC)), Verdict::Expired);
    }

    #[test]
    fn the_day_ends_at_midnight_in_the_operators_offset() {
        let expiration_date = Some(date!(2024 - 12 - 31));
        let east = |now| verdict(Status::Activated, expiration_date, now, offset!(+2));
        assert_eq!(east(datetime!(2024-12-31 21:59:59 UTC)), Verdict::Valid);
        assert_eq!(east(datetime!(2024-12-31 22:00:00 UTC)), Verdict::Expired);
        let west = |now| verdict(Status::Activated, expiration_date, now, offset!(-5:30));
        assert_eq!(west(datetime!(2025-01-01 05:29:59 UTC)), Verdict::Valid);
        assert_eq!(west(datetime!(2025-01-01 05:30:00 UTC)), Verdict::Expired);
    }

    #[test]
    fn the_status_takes_precedence_over_the_expiration_date() {
        let expired = Some(date!(2020 - 01 - 01));
        let now = datetime!(2024-06-01 00:00:00 UTC);
        assert_eq!(
            verdict(Status::Revoked, expired, now, UtcOffset::UTC),
            Verdict::Revoked
        );
        assert_eq!(
            verdict(Status::Suspended, expired, now, UtcOffset::UTC),
            Verdict::Suspended
        );
        assert_eq!(
            verdict(Status::Activated, expired, now, UtcOffset::UTC),
            Verdict::Expired
        );
        assert_eq!(
            verdict(Status::Activated, None, now, UtcOffset::UTC),
            Verdict::Valid
        );
    }
}
