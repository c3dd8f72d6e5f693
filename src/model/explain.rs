//! The steps of the decision that a check makes, one by one, for a person.

use time::{Date, OffsetDateTime, UtcOffset};

use super::license::{Status, Verdict};
use super::question::Question;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// On to the next one.
    Passed,
    /// Here the tool was refused.
    Failed,
    /// A step before it has decided.
    NotReached,
}

/// A way from the question to the verdict; what was not reached is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// None where nothing could be read.
    pub reading: Option<Reading>,
    /// Whether there is such a tool.
    pub has_tool: Option<bool>,
    /// Whether it has a license for the key.
    pub is_licensed: Option<bool>,
    /// What the admin has decided.
    pub status: Option<Status>,
    /// The license's last day beside today.
    pub last_day: Option<LastDay>,
}

/// How a question was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The key as it is looked up.
    pub license_key: String,
    /// It was typed otherwise: a MAC address in another spelling.
    pub is_respelled: bool,
    /// What nobody sees, and the check does not take away.
    pub unseen: Vec<Unseen>,
}

/// A character that is not seen, and counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    /// The license key has it; else the tool's name.
    pub is_in_key: bool,
    /// Where in it.
    pub place: Place,
    /// A space, U+200B.
    pub name: String,
}

/// Where a character stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In front.
    Start,
    /// Behind.
    End,
    /// Between others.
    Inside,
}

/// The last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastDay {
    /// The last good day; none for a license without end.
    pub day: Option<Date>,
    /// The moment at which it is over; none where that is behind all calendars.
    pub ends_at: Option<OffsetDateTime>,
    /// The operator's day.
    pub today: Date,
    /// How long the tool lets a license run behind its last day.
    pub grace_days: u16,
}

impl Decision {
    /// Where the question itself is refused.
    pub const UNREADABLE: Decision = Decision {
        reading: None,
        has_tool: None,
        is_licensed: None,
        status: None,
        last_day: None,
    };

    /// From what was found: whether there is such a tool, and the status and last day of the license.
    pub fn of(
        reading: Reading,
        has_tool: bool,
        found: Option<(Status, Option<Date>)>,
        grace_days: u16,
        now: OffsetDateTime,
        offset: UtcOffset,
    ) -> Decision {
        let has_tool = has_tool || found.is_some();
        let status = found.map(|(status, _)| status);
        let day = found.and_then(|(_, day)| day);
        let last_day = LastDay {
            day,
            ends_at: day
                .and_then(Date::next_day)
                .map(|next| next.midnight().assume_offset(offset)),
            today: now.to_offset(offset).date(),
            grace_days,
        };
        Decision {
            reading: Some(reading),
            has_tool: Some(has_tool),
            is_licensed: has_tool.then_some(found.is_some()),
            status,
            last_day: (status == Some(Status::Activated)).then_some(last_day),
        }
    }

    /// How each of the five steps ended.
    pub fn outcomes(&self) -> [Outcome; 5] {
        let step = |passed: Option<bool>| match passed {
            Some(true) => Outcome::Passed,
            Some(false) => Outcome::Failed,
            None => Outcome::NotReached,
        };
        [
            step(Some(self.reading.is_some())),
            step(self.has_tool),
            step(self.is_licensed),
            step(self.status.map(|status| status == Status::Activated)),
            step(self.last_day.map(|last| !last.is_over())),
        ]
    }

    /// What follows from the step that failed, or from none; nothing where nothing could be read.
    pub fn conclusion(&self) -> Option<Verdict> {
        let failed = |outcome: &Outcome| *outcome == Outcome::Failed;
        match (self.outcomes().iter().position(failed), self.status) {
            (None, _) if self.last_day.is_some_and(|last| last.is_in_grace()) => {
                Some(Verdict::InGrace)
            }
            (None, _) => Some(Verdict::Valid),
            (Some(0), _) => None,
            (Some(3), Some(Status::Suspended)) => Some(Verdict::Suspended),
            (Some(3), _) => Some(Verdict::Revoked),
            (Some(4), _) => Some(Verdict::Expired),
            (Some(_), _) => Some(Verdict::NotFound),
        }
    }
}

impl Reading {
    /// Of a question that was typed so.
    pub fn of(question: &Question<'_>, typed_key: &str) -> Reading {
        let mut all = unseen(question.tool_name, false);
        all.extend(unseen(typed_key, true));
        Reading {
            license_key: question.license_key.clone().into_owned(),
            is_respelled: question.license_key != typed_key,
            unseen: all,
        }
    }

    /// White space around a value, which no license has: the forms take it away.
    pub fn is_unlicensable(&self) -> bool {
        self.unseen
            .iter()
            .any(|unseen| unseen.place != Place::Inside)
    }
}

impl LastDay {
    fn is_over(&self) -> bool {
        self.days_over() > i64::from(self.grace_days)
    }

    /// Whether the last day is over, and the tool runs all the same.
    pub fn is_in_grace(&self) -> bool {
        self.days_over() > 0 && !self.is_over()
    }

    fn days_over(&self) -> i64 {
        self.day.map_or(0, |day| (self.today - day).whole_days())
    }
}

/// Whether nobody sees the character, or takes it for a common one.
pub fn is_unseen(c: char) -> bool {
    let is_blank = c.is_whitespace() && c != ' ';
    is_blank
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// What is unseen in a text, each sort once.
fn unseen(text: &str, is_in_key: bool) -> Vec<Unseen> {
    let (start, end) = (text.len() - text.trim_start().len(), text.trim_end().len());
    let mut all: Vec<Unseen> = Vec::new();
    for (at, c) in text.char_indices() {
        let place = match at {
            _ if !c.is_whitespace() => Place::Inside,
            _ if at < start => Place::Start,
            _ if at >= end => Place::End,
            _ => Place::Inside,
        };
        let is_noticed = is_unseen(c) || place != Place::Inside;
        let unseen = Unseen {
            is_in_key,
            place,
            name: name(c),
        };
        if is_noticed && !all.contains(&unseen) {
            all.push(unseen);
        }
    }
    all
}

fn name(c: char) -> String {
    let word = match c {
        ' ' => return "a space".to_owned(),
        '\u{a0}' | '\u{202f}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero-width space",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "mark for the direction of writing"
        }
        '\u{feff}' => "byte order mark",
        _ => "invisible character",
    };
    let article = if word.starts_with('i') { "an" } else { "a" };
    format!("{article} {word} (U+{:04X})", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{datetime, offset};

    fn reading(tool_name: &str, license_key: &str) -> Reading {
        let question = Question::parse(tool_name, license_key).unwrap();
        Reading::of(&question, license_key)
    }

    #[test]
    fn the_steps_lead_to_the_verdict_of_the_check() {
        let now = datetime!(2026-06-15 22:30 UTC);
        let days = [
            "2026-06-14",
            "2026-06-15",
            "2026-06-16",
            "9999-12-31",
            "0001-01-01",
        ];
        let days = days.map(super::super::new_license::read_date);
        let mut seen = Vec::new();
        for offset in [offset!(-12), offset!(UTC), offset!(+2), offset!(+14)] {
            for status in Status::ALL {
                for (day, grace) in days
                    .into_iter()
                    .chain([None])
                    .zip([0, 1, 2].into_iter().cycle())
                {
                    let found = Some((status, day));
                    let decision = Decision::of(reading("T", "k"), true, found, grace, now, offset);
                    let verdict = Verdict::on(status, day, grace, now, offset);
                    assert_eq!(
                        decision.conclusion(),
                        Some(verdict),
                        "{status} {day:?} {offset}"
                    );
                    seen.push(decision.outcomes());
                }
            }
        }
        for has_tool in [true, false] {
            let decision = Decision::of(reading("T", "k"), has_tool, None, 0, now, UtcOffset::UTC);
            assert_eq!(decision.conclusion(), Some(Verdict::NotFound));
            seen.push(decision.outcomes());
        }
        assert_eq!(Decision::UNREADABLE.conclusion(), None);
        seen.push(Decision::UNREADABLE.outcomes());
        for outcomes in seen {
            let passed = outcomes
                .iter()
                .take_while(|o| **o == Outcome::Passed)
                .count();
            let rest = &outcomes[passed..];
            let is_first = |(at, outcome): (usize, &Outcome)| {
                *outcome
                    == if at == 0 {
                        Outcome::Failed
                    } else {
                        Outcome::NotReached
                    }
            };
            assert!(rest.iter().enumerate().all(is_first), "{outcomes:?}");
        }
    }

    #[test]
    fn the_moment_of_the_end_is_the_last_good_second_and_one_more() {
        let now = datetime!(2026-06-15 12:00 UTC);
        let day = super::super::new_license::read_date("2026-06-15");
        let found = Some((Status::Activated, day));
        let decision = Decision::of(reading("T", "k"), true, found, 0, now, offset!(+2));
        let ends_at = decision.last_day.unwrap().ends_at.unwrap();
        let at = |now| Verdict::on(Status::Activated, day, 0, now, offset!(+2));
        assert_eq!(at(ends_at - time::Duration::SECOND), Verdict::Valid);
        assert_eq!(at(ends_at), Verdict::Expired);
    }

    #[test]
    fn white_space_around_and_invisible_characters_are_noticed() {
        let seen = |tool, key| -> Vec<(bool, Place, String)> {
            let unseen = reading(tool, key).unseen.into_iter();
            unseen.map(|u| (u.is_in_key, u.place, u.name)).collect()
        };
        assert_eq!(seen("My Tool", "PC 1"), []);
        assert_eq!(
            seen(" T", "k  "),
            [
                (false, Place::Start, "a space".to_owned()),
                (true, Place::End, "a space".to_owned())
            ]
        );
        assert_eq!(
            seen("T", "a\u{200b}b\u{a0}c\u{200b}"),
            [
                (
                    true,
                    Place::Inside,
                    "a zero-width space (U+200B)".to_owned()
                ),
                (true, Place::Inside, "a no-break space (U+00A0)".to_owned()),
            ]
        );
        assert!(reading("T", "k ").is_unlicensable());
        assert!(!reading("T", "k\u{200b}").is_unlicensable());
    }

    #[test]
    fn a_mac_address_in_another_spelling_is_told() {
        assert!(reading("T", "0A1B2C3D4E5F").is_respelled);
        assert!(!reading("T", "0a:1b:2c:3d:4e:5f").is_respelled);
    }
}
