//! A license and the verdict on it.

use std::fmt;

use time::{Date, OffsetDateTime, UtcOffset};

use super::sighting::Seen;
use crate::error::Problem;

/// What the admin has decided about a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The tool may run.
    Activated,
    /// Stopped for a while.
    Suspended,
    /// Taken back.
    Revoked,
}

impl Status {
    /// Every status, in the order in which people are offered them.
    pub const ALL: [Status; 3] = [Status::Activated, Status::Suspended, Status::Revoked];

    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Activated => "activated",
            Status::Suspended => "suspended",
            Status::Revoked => "revoked",
        }
    }

    /// The status that the published word names.
    pub fn from_word(word: &str) -> Option<Status> {
        Status::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// [`Status::from_word`] for what somebody typed.
    pub fn parse(typed: &str) -> Result<Status, Problem> {
        let typed = typed.trim();
        Status::from_word(typed).ok_or_else(|| Problem {
            field: "status",
            message: format!(
                "The status `{typed}` is unknown; it is activated, suspended or revoked."
            ),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A row of the table of licenses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Never used again after the row is deleted.
    pub id: i64,
    /// When the row was written.
    pub created_at: OffsetDateTime,
    /// Compared byte for byte.
    pub tool_name: String,
    /// The machine's id, in its canonical spelling.
    pub license_key: String,
    /// What the admin has decided.
    pub status: Status,
    /// Whose license it is, in the admin's words.
    pub user_id: Option<String>,
    /// The last day on which the license is good; none for a license without end.
    pub expiration_date: Option<Date>,
    /// What the admin wants to remember of it.
    pub note: Option<String>,
    /// The license of the machine that took the place of this one.
    pub moved_to: Option<i64>,
}

/// A license as a line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The license itself.
    pub license: License,
    /// The operator's day of the last check, `YYYY-MM-DD`; empty for never.
    pub last_seen_on: String,
    /// What is known of its checks.
    pub seen: Option<Seen>,
}

/// What a tool is told; a fault is never one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The tool may run.
    Valid,
    /// No such pair of tool and key.
    NotFound,
    /// The admin has stopped it.
    Suspended,
    /// The admin has taken it back.
    Revoked,
    /// Its last day is over.
    Expired,
    /// Its last day is over, and the tool's days of grace are not: the tool may run.
    InGrace,
}

impl Verdict {
    /// Every verdict, in the order in which people read them.
    pub const ALL: [Verdict; 6] = [
        Verdict::Valid,
        Verdict::InGrace,
        Verdict::Expired,
        Verdict::Suspended,
        Verdict::Revoked,
        Verdict::NotFound,
    ];

    /// The word for programs; it never changes.
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Valid => "VALID",
            Verdict::NotFound => "NOT_FOUND",
            Verdict::Suspended => "SUSPENDED",
            Verdict::Revoked => "REVOKED",
            Verdict::Expired => "EXPIRED",
            Verdict::InGrace => "IN_GRACE",
        }
    }

    /// The verdict of that word.
    pub fn from_code(code: &str) -> Option<Verdict> {
        Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.code() == code)
    }
}

impl License {
    /// The order of judgement is status, then expiry.
    pub fn verdict(&self, grace_days: u16, now: OffsetDateTime, offset: UtcOffset) -> Verdict {
        Verdict::on(self.status, self.expiration_date, grace_days, now, offset)
    }
}

impl Verdict {
    /// A license is good through the last second of `last_day` in `offset`, and in grace for so many
    /// days more.
    pub fn on(
        status: Status,
        last_day: Option<Date>,
        grace_days: u16,
        now: OffsetDateTime,
        offset: UtcOffset,
    ) -> Verdict {
        match status {
            Status::Suspended => Verdict::Suspended,
            Status::Revoked => Verdict::Revoked,
            Status::Activated => match last_day {
                Some(day) => match (now.to_offset(offset).date() - day).whole_days() {
                    ..=0 => Verdict::Valid,
                    over if over <= i64::from(grace_days) => Verdict::InGrace,
                    _ => Verdict::Expired,
                },
                None => Verdict::Valid,
            },
        }
    }

    /// Whether the tool may not run.
    pub fn is_refusal(self) -> bool {
        match self {
            Verdict::Valid | Verdict::InGrace => false,
            Verdict::NotFound | Verdict::Suspended | Verdict::Revoked | Verdict::Expired => true,
        }
    }

    /// The HTTP status of the published answer.
    pub fn http(self) -> u16 {
        match self {
            Verdict::Valid | Verdict::InGrace => 200,
            Verdict::NotFound => 404,
            Verdict::Suspended | Verdict::Revoked | Verdict::Expired => 403,
        }
    }

    /// The published `status`.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Valid | Verdict::InGrace => "valid",
            Verdict::NotFound | Verdict::Suspended | Verdict::Revoked => "invalid",
            Verdict::Expired => "expired",
        }
    }

    /// The published sentence, word for word.
    pub fn message(self) -> &'static str {
        match self {
            Verdict::Valid | Verdict::InGrace => "License is active and valid.",
            Verdict::NotFound => "License key not found for this tool.",
            Verdict::Suspended => "License status is 'suspended'.",
            Verdict::Revoked => "License status is 'revoked'.",
            Verdict::Expired => "License has expired.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime, offset};

    fn verdict(
        status: Status,
        last_day: Option<Date>,
        now: OffsetDateTime,
        offset: UtcOffset,
    ) -> Verdict {
        Verdict::on(status, last_day, 0, now, offset)
    }

    #[test]
    fn grace_begins_behind_the_last_day_and_ends_after_its_days() {
        let last_day = Some(date!(2024 - 12 - 31));
        let ask = |status, now| Verdict::on(status, last_day, 3, now, offset!(+2));
        let activated = |now| ask(Status::Activated, now);
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
        let revoked = ask(Status::Revoked, datetime!(2025-01-01 12:00 UTC));
        assert_eq!(revoked, Verdict::Revoked);
    }

    #[test]
    fn a_license_is_good_through_the_last_second_of_its_day() {
        let last_day = Some(date!(2024 - 12 - 31));
        let ask = |now| verdict(Status::Activated, last_day, now, UtcOffset::UTC);
        assert_eq!(ask(datetime!(2024-12-31 23:59:59 UTC)), Verdict::Valid);
        assert_eq!(ask(datetime!(2025-01-01 00:00:00 UTC)), Verdict::Expired);
    }

    #[test]
    fn the_day_ends_at_the_operators_midnight() {
        let last_day = Some(date!(2024 - 12 - 31));
        let east = |now| verdict(Status::Activated, last_day, now, offset!(+2));
        assert_eq!(east(datetime!(2024-12-31 21:59:59 UTC)), Verdict::Valid);
        assert_eq!(east(datetime!(2024-12-31 22:00:00 UTC)), Verdict::Expired);
        let west = |now| verdict(Status::Activated, last_day, now, offset!(-5:30));
        assert_eq!(west(datetime!(2025-01-01 05:29:59 UTC)), Verdict::Valid);
        assert_eq!(west(datetime!(2025-01-01 05:30:00 UTC)), Verdict::Expired);
    }

    #[test]
    fn the_status_is_judged_before_the_expiry() {
        let over = Some(date!(2020 - 01 - 01));
        let now = datetime!(2024-06-01 00:00:00 UTC);
        assert_eq!(
            verdict(Status::Revoked, over, now, UtcOffset::UTC),
            Verdict::Revoked
        );
        assert_eq!(
            verdict(Status::Suspended, over, now, UtcOffset::UTC),
            Verdict::Suspended
        );
        assert_eq!(
            verdict(Status::Activated, over, now, UtcOffset::UTC),
            Verdict::Expired
        );
        assert_eq!(
            verdict(Status::Activated, None, now, UtcOffset::UTC),
            Verdict::Valid
        );
    }
}
