//! A check broken down into steps, for diagnosing a refusal.

use time::{Date, OffsetDateTime, UtcOffset};

use super::license::{Status, Verdict};
use super::question::Question;
use super::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepResult {
    /// The check went on, or was valid if this was the last step.
    Passed,
    /// The check was refused here.
    Failed,
    /// An earlier step decided the check.
    NotReached,
}

/// The step that decides a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DecidingStep {
    Request,
    Tool,
    License,
    Status,
    Expiration,
}

const STEPS: usize = DecidingStep::Expiration as usize + 1;

impl DecidingStep {
    fn of(verdict: Verdict, has_tool: bool) -> DecidingStep {
        match verdict {
            Verdict::NotFound if !has_tool => DecidingStep::Tool,
            Verdict::NotFound => DecidingStep::License,
            Verdict::Suspended | Verdict::Revoked => DecidingStep::Status,
            Verdict::Valid | Verdict::Trial | Verdict::InGrace | Verdict::Expired => {
                DecidingStep::Expiration
            }
        }
    }

    fn results(self, own: StepResult) -> [StepResult; STEPS] {
        std::array::from_fn(|step| match step.cmp(&(self as usize)) {
            std::cmp::Ordering::Less => StepResult::Passed,
            std::cmp::Ordering::Equal => own,
            std::cmp::Ordering::Greater => StepResult::NotReached,
        })
    }
}

/// The steps of a check and the data that each of them used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSteps {
    /// None for an invalid request.
    pub reading: Option<Reading>,
    pub status: Option<Status>,
    pub expiration: Option<Expiration>,
    /// The request, the tool, the license, its status, its expiration date.
    pub results: [StepResult; STEPS],
}

impl CheckSteps {
    pub fn invalid() -> CheckSteps {
        CheckSteps {
            reading: None,
            status: None,
            expiration: None,
            results: DecidingStep::Request.results(StepResult::Failed),
        }
    }

    /// The steps to a verdict; `license` is the one that the check found.
    pub fn new(
        reading: Reading,
        has_tool: bool,
        license: Option<(Status, Expiration)>,
        verdict: Verdict,
    ) -> CheckSteps {
        let (status, expiration) = license.unzip();
        let step = DecidingStep::of(verdict, has_tool);
        CheckSteps {
            reading: Some(reading),
            status,
            expiration: expiration.filter(|_| step == DecidingStep::Expiration),
            results: step.results(match verdict.is_refusal() {
                true => StepResult::Failed,
                false => StepResult::Passed,
            }),
        }
    }
}

/// A request as the check reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub tool_name: String,
    /// In its canonical spelling.
    pub license_key: String,
    /// Whether a MAC address was sent in another spelling.
    pub is_respelled: bool,
    /// Whether white space around the tool or key was removed.
    pub is_trimmed: bool,
    /// Invisible characters that the check does not remove.
    pub invisible: Vec<InvisibleCharacter>,
}

/// An invisible character, which still counts in a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvisibleCharacter {
    /// In the license key rather than in the tool name.
    pub is_in_key: bool,
    /// With its article: `a zero-width space (U+200B)`.
    pub name: String,
}

impl Reading {
    pub fn new(question: &Question<'_>) -> Reading {
        let (tool_name, key) = (question.sent.tool_name, question.sent.license_key);
        let mut invisible = invisible(question.tool_name, false);
        invisible.extend(self::invisible(text::trimmed(key), true));
        Reading {
            tool_name: question.tool_name.to_owned(),
            license_key: question.license_key.clone().into_owned(),
            is_respelled: question.license_key != text::trimmed(key),
            is_trimmed: question.tool_name != tool_name || text::trimmed(key) != key,
            invisible,
        }
    }
}

/// The expiration date of a license at the time of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiration {
    /// None for a perpetual license.
    pub date: Option<Date>,
    /// The first moment at which the license is expired; none if that is past the end of the
    /// calendar.
    pub expires_at: Option<OffsetDateTime>,
    /// In the operator's UTC offset.
    pub today: Date,
    pub grace_days: u16,
}

impl Expiration {
    /// Days begin in `offset`.
    pub fn new(
        date: Option<Date>,
        grace_days: u16,
        now: OffsetDateTime,
        offset: UtcOffset,
    ) -> Expiration {
        let next_day = date.and_then(Date::next_day);
        Expiration {
            date,
            expires_at: next_day.map(|day| day.midnight().assume_offset(offset)),
            today: now.to_offset(offset).date(),
            grace_days,
        }
    }
}

/// Whether a space that is not the ordinary one, or another character that a reader does not see. Those
/// that no tool and no key can have are refused already.
pub fn is_invisible(c: char) -> bool {
    c.is_whitespace() && c != ' ' || matches!(c, '\u{fe00}'..='\u{fe0f}') || text::is_invisible(c)
}

/// Each kind once.
fn invisible(typed: &str, is_in_key: bool) -> Vec<InvisibleCharacter> {
    let mut all: Vec<InvisibleCharacter> = Vec::new();
    for c in typed.chars().filter(|c| is_invisible(*c)) {
        let name = text::invisible_name(c);
        let character = InvisibleCharacter { is_in_key, name };
        if !all.contains(&character) {
            all.push(character);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime, offset};

    fn reading(tool_name: &str, license_key: &str) -> Reading {
        let question = Question::parse(tool_name, license_key).unwrap();
        Reading::new(&question)
    }

    #[test]
    fn each_verdict_is_decided_at_its_step() {
        let now = datetime!(2026-06-15 12:00 UTC);
        let expiration = Expiration::new(None, 0, now, UtcOffset::UTC);
        let (passed, failed, not) = (
            StepResult::Passed,
            StepResult::Failed,
            StepResult::NotReached,
        );
        for (verdict, status, results) in [
            (Verdict::Valid, Status::Activated, [passed; 5]),
            (Verdict::InGrace, Status::Activated, [passed; 5]),
            (
                Verdict::Expired,
                Status::Activated,
                [passed, passed, passed, passed, failed],
            ),
            (
                Verdict::Suspended,
                Status::Suspended,
                [passed, passed, passed, failed, not],
            ),
            (
                Verdict::Revoked,
                Status::Revoked,
                [passed, passed, passed, failed, not],
            ),
        ] {
            let license = Some((status, expiration));
            let steps = CheckSteps::new(reading("T", "k"), true, license, verdict);
            assert_eq!(steps.results, results, "{verdict:?}");
            assert_eq!(steps.status, Some(status));
            assert_eq!(steps.expiration.is_some(), results[4] != not, "{verdict:?}");
        }
        for (has_tool, results) in [
            (true, [passed, passed, failed, not, not]),
            (false, [passed, failed, not, not, not]),
        ] {
            let steps = CheckSteps::new(reading("T", "k"), has_tool, None, Verdict::NotFound);
            assert_eq!((steps.results, steps.status), (results, None));
        }
        assert_eq!(CheckSteps::invalid().results, [failed, not, not, not, not]);
    }

    #[test]
    fn a_license_expires_at_the_moment_that_is_named() {
        let now = datetime!(2026-06-15 22:30 UTC);
        let date = Some(date!(2026 - 06 - 15));
        for offset in [offset!(-12), offset!(UTC), offset!(+5:30), offset!(+14)] {
            let expires_at = Expiration::new(date, 0, now, offset).expires_at.unwrap();
            let at = |now| Verdict::on(Status::Activated, date, 0, now, offset);
            assert_eq!(at(expires_at - time::Duration::SECOND), Verdict::Valid);
            assert_eq!(at(expires_at), Verdict::Expired);
        }
        let last = Some(date!(9999 - 12 - 31));
        assert_eq!(
            Expiration::new(last, 0, now, UtcOffset::UTC).expires_at,
            None
        );
    }

    #[test]
    fn invisible_characters_are_noticed_and_white_space_around_is_removed() {
        let noticed = |tool, key| -> Vec<(bool, String)> {
            let invisible = reading(tool, key).invisible.into_iter();
            invisible.map(|one| (one.is_in_key, one.name)).collect()
        };
        assert_eq!(noticed("My Tool", "PC 1"), []);
        assert_eq!(noticed(" T", "k \u{a0}\r\n"), []);
        assert!(reading(" T", "k").is_trimmed && reading("T", "k ").is_trimmed);
        assert!(!reading("My Tool", "PC 1").is_trimmed);
        assert_eq!(noticed("T\u{200b}", "\u{feff}k"), []);
        assert_eq!(
            noticed("T", "b\u{a0}c\u{a0}d"),
            [(true, "a no-break space (U+00A0)".to_owned())]
        );
    }

    #[test]
    fn a_mac_address_in_another_spelling_is_noticed() {
        assert!(reading("T", "0A1B2C3D4E5F").is_respelled);
        assert!(!reading("T", " 0a:1b:2c:3d:4e:5f").is_respelled);
    }
}
