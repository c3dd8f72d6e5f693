//! Actions on many licenses at once.

use time::{Date, Duration, Month, OffsetDateTime};

use super::date;
use super::license::fields::{FIELDS, Field, Kind};
use super::license::{CodeTerms, Draft, License, Status, Values};
use super::search::{Filter, Order};
use super::typed_date::read_day;
use crate::error::Problem;

#[derive(Debug, Clone)]
pub enum Selection {
    /// In this order.
    Ids(Vec<i64>),
    /// Everything that matches the filter, in the order of the table.
    Found {
        filter: Box<Filter>,
        order: Order,
        is_descending: bool,
    },
}

/// An action applied to each selected license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Moves the expiration date; a perpetual license gets one only if a date is given.
    Extend(Term, Start),
    SetStatus(Status),
    /// A text as it is stored; empty for none.
    Set(&'static Field, String),
    /// A trial becomes a license that expires after the term from today, or never; others stay as they are.
    Convert(Option<Term>),
    Delete,
}

/// How far an expiration date is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    Days(u16),
    /// The 31st becomes the last day of a shorter month.
    Months(u16),
    To(Date),
}

/// Where a term begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From the current expiration date.
    Expiration,
    Today,
    /// From the current expiration date, or from today if that has passed.
    Later,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// None if the license is deleted.
    pub after: Option<Values>,
    /// Whether it expires earlier than before.
    pub is_earlier: bool,
}

/// A change of many licenses; an import is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkChange {
    pub id: i64,
    /// When it finished, or started if it is still running.
    pub at: OffsetDateTime,
    pub who: String,
    /// A description for people.
    pub what: String,
    pub state: State,
    /// Licenses changed so far.
    pub number: i64,
    /// How it was undone, for people; empty if it was not.
    pub undone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Some licenses are changed (or changed back), others not yet.
    Running,
    /// All licenses are changed.
    Done,
    /// All licenses are changed back.
    Undone,
}

impl State {
    pub fn from_word(word: &str) -> Option<State> {
        match word {
            "running" => Some(State::Running),
            "done" => Some(State::Done),
            "undone" => Some(State::Undone),
            _ => None,
        }
    }
}

pub const UNDO_FOR: Duration = Duration::minutes(10);

impl BulkChange {
    pub fn can_be_undone(&self, now: OffsetDateTime) -> bool {
        self.state == State::Done && now - self.at <= UNDO_FOR
    }
}

impl Term {
    /// Parses `30d`, `6m`, `2y` or `2027-12-31`.
    pub fn parse(typed: &str) -> Result<Term, Problem> {
        let typed = typed.trim();
        let read = || {
            if let Some(day) = read_day(typed) {
                return Some(Term::To(day));
            }
            let (at, unit) = typed.char_indices().last()?;
            let number: u16 = typed.get(..at)?.trim().parse().ok()?;
            let months = match unit {
                'd' => return (1..=36_500).contains(&number).then_some(Term::Days(number)),
                'm' => number,
                'y' => number.checked_mul(12)?,
                _ => return None,
            };
            (1..=1_200)
                .contains(&months)
                .then_some(Term::Months(months))
        };
        read().ok_or_else(|| Problem {
            field: "term",
            message: format!(
                "`{typed}` is not a valid period; use a number of days, months or years, at most \
                 100 years, for example 30d, 6m or 2y, or a day as YYYY-MM-DD."
            ),
        })
    }

    /// The form that [`Term::parse`] reads.
    pub fn word(self) -> String {
        match self {
            Term::Days(days) => format!("{days}d"),
            Term::Months(months) => format!("{months}m"),
            Term::To(day) => date::format(day),
        }
    }

    /// Capped at the last day of the calendar.
    pub fn after(self, day: Date) -> Date {
        match self {
            Term::Days(days) => day.saturating_add(Duration::days(days.into())),
            Term::Months(months) => add_months(day, months),
            Term::To(day) => day,
        }
        .min(LAST_DAY)
    }
}

const LAST_DAY: Date = time::macros::date!(9999 - 12 - 31);

fn add_months(day: Date, months: u16) -> Date {
    let since_year_0 = day.year() * 12 + i32::from(u8::from(day.month())) - 1 + i32::from(months);
    let (year, month) = (since_year_0 / 12, (since_year_0 % 12 + 1) as u8);
    let Ok(month) = Month::try_from(month) else {
        return LAST_DAY;
    };
    let last = month.length(year);
    Date::from_calendar_date(year, month, day.day().min(last)).unwrap_or(LAST_DAY)
}

impl Start {
    /// Every start with its word in a form.
    pub const ALL: [(Start, &'static str); 3] = [
        (Start::Expiration, "expiration"),
        (Start::Today, "today"),
        (Start::Later, "later"),
    ];

    pub fn from_word(word: &str) -> Option<Start> {
        let found = Start::ALL.into_iter().find(|(_, known)| *known == word);
        found.map(|(start, _)| start)
    }
}

impl Action {
    /// The fields that [`Action::set`] takes.
    pub fn settable() -> impl Iterator<Item = &'static Field> {
        let has_own_action = |kind| {
            matches!(
                kind,
                Kind::Required | Kind::Status | Kind::Date | Kind::Flag
            )
        };
        FIELDS
            .iter()
            .filter(move |field| !has_own_action(field.kind))
    }

    /// The value of a field as typed by a person; empty for none.
    pub fn set(field: &str, typed: &str) -> Result<Action, Problem> {
        let field = Action::settable().find(|known| known.name == field);
        let field = field.ok_or_else(|| Problem {
            field: "field",
            message: "No field was chosen.".to_owned(),
        })?;
        let (draft, problems) = Draft::default().with(field.name, typed).typed();
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Action::Set(field, field.clean(draft.get(field.name))?)),
        }
    }

    /// The effect on a license on that day; none if nothing changes. Of a license with a seat, its code decides, too.
    pub fn on(&self, license: &License, code: Option<CodeTerms>, today: Date) -> Option<Effect> {
        let end = license.expiration_date;
        let mut after = license.values.clone();
        match self {
            Action::Delete => {
                return Some(Effect {
                    after: None,
                    is_earlier: false,
                });
            }
            Action::SetStatus(status) => after.status = *status,
            Action::Set(field, text) => after = after.with(field, text).ok()?,
            Action::Convert(_) if !license.is_trial => {}
            Action::Convert(term) => {
                after.is_trial = false;
                after.expiration_date = term.map(|term| term.after(today));
            }
            Action::Extend(Term::To(day), _) => after.expiration_date = Some(*day),
            Action::Extend(term, start) => {
                after.expiration_date = end.map(|end| {
                    term.after(match start {
                        Start::Expiration => end,
                        Start::Today => today,
                        Start::Later => end.max(today),
                    })
                });
            }
        }
        if let (Some(seat), Some(code)) = (license.seat, code) {
            let seat = seat.changed(&license.values, &after);
            (after.status, after.expiration_date) = seat.effective(code);
        }
        let or_last = |date: Option<Date>| date.unwrap_or(Date::MAX);
        let is_earlier = or_last(after.expiration_date) < or_last(end);
        (after != license.values).then_some(Effect {
            after: Some(after),
            is_earlier,
        })
    }

    /// A sentence without its full stop.
    pub fn in_words(&self) -> String {
        match self {
            Action::Delete => "Delete".to_owned(),
            Action::SetStatus(Status::Activated) => "Activate".to_owned(),
            Action::SetStatus(Status::Suspended) => "Suspend".to_owned(),
            Action::SetStatus(Status::Revoked) => "Revoke".to_owned(),
            Action::Set(field, text) => {
                let label = field.label.replacen("The", "the", 1);
                match text.is_empty() {
                    true => format!("Clear {label}"),
                    false => format!("Change {label} to {text}"),
                }
            }
            Action::Convert(None) => "Convert to perpetual licenses".to_owned(),
            Action::Convert(Some(term)) => {
                format!("Convert to licenses for {}", term.in_words())
            }
            Action::Extend(Term::To(day), _) => format!("Set expiration to {}", date::format(*day)),
            Action::Extend(term, start) => {
                let start = match start {
                    Start::Expiration => "from the expiration date",
                    Start::Today => "from today",
                    Start::Later => "from the expiration date, or from today if expired",
                };
                format!("Extend by {} {start}", term.in_words())
            }
        }
    }
}

impl Term {
    /// `1 year`, `45 days`, `2027-12-31`.
    pub fn in_words(self) -> String {
        let (number, unit) = match self {
            Term::Days(days) => (days, "day"),
            Term::Months(months) if months % 12 == 0 => (months / 12, "year"),
            Term::Months(months) => (months, "month"),
            Term::To(day) => return date::format(day),
        };
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::license::Draft;
    use time::macros::{date, datetime};

    const TODAY: Date = date!(2026 - 06 - 15);

    fn expiring(expiration_date: Option<Date>) -> License {
        let draft = Draft::new()
            .with("tool_name", "T")
            .with("license_key", "k")
            .with("status", "suspended");
        let values = Values {
            expiration_date,
            ..Values::parse(&draft).unwrap()
        };
        License {
            id: 1,
            created_at: datetime!(2026-01-01 00:00 UTC),
            moved_to: None,
            seat: None,
            offline_until: None,
            values,
        }
    }

    fn extended(end: Option<Date>, term: &str, start: Start) -> Option<Option<Date>> {
        let action = Action::Extend(Term::parse(term).unwrap(), start);
        let effect = action.on(&expiring(end), None, TODAY)?;
        effect.after.map(|after| after.expiration_date)
    }

    #[test]
    fn a_term_begins_at_the_expiration_date_or_today() {
        let end = Some(date!(2026 - 05 - 31));
        let to = |day| Some(Some(day));
        assert_eq!(
            extended(end, "1y", Start::Expiration),
            to(date!(2027 - 05 - 31))
        );
        assert_eq!(extended(end, "1y", Start::Today), to(date!(2027 - 06 - 15)));
        assert_eq!(extended(end, "1y", Start::Later), to(date!(2027 - 06 - 15)));
        let ahead = Some(date!(2026 - 12 - 31));
        assert_eq!(
            extended(ahead, "2m", Start::Later),
            to(date!(2027 - 02 - 28))
        );
        assert_eq!(
            extended(ahead, "10d", Start::Today),
            to(date!(2026 - 06 - 25))
        );
    }

    #[test]
    fn a_perpetual_license_expires_only_where_a_day_is_named() {
        assert_eq!(extended(None, "1y", Start::Today), None);
        let day = date!(2027 - 01 - 31);
        assert_eq!(
            extended(None, "2027-01-31", Start::Expiration),
            Some(Some(day))
        );
    }

    #[test]
    fn no_license_expires_after_the_end_of_the_calendar() {
        let late = Some(date!(9999 - 06 - 30));
        let last = Some(Some(date!(9999 - 12 - 31)));
        assert_eq!(extended(late, "100y", Start::Expiration), last);
        assert_eq!(extended(late, "36500d", Start::Expiration), last);
    }

    #[test]
    fn a_term_is_read_as_it_is_written() {
        for (typed, term, words) in [
            ("1y", Term::Months(12), "1 year"),
            ("24m", Term::Months(24), "2 years"),
            (" 5m ", Term::Months(5), "5 months"),
            ("45d", Term::Days(45), "45 days"),
        ] {
            assert_eq!(Term::parse(typed), Ok(term));
            assert_eq!(Term::parse(&term.word()), Ok(term));
            assert_eq!(term.in_words(), words);
        }
        for nothing in ["", "0d", "-1y", "y", "101y", "1w", "2027-02-30", "ä", "1ä"] {
            assert!(Term::parse(nothing).is_err(), "{nothing}");
        }
    }

    #[test]
    fn a_license_that_is_so_already_stays() {
        let suspend = Action::SetStatus(Status::Suspended);
        assert_eq!(suspend.on(&expiring(None), None, TODAY), None);
        assert_eq!(
            Action::set("user_id", " ")
                .unwrap()
                .on(&expiring(None), None, TODAY),
            None
        );
        assert_eq!(Action::Convert(None).on(&expiring(None), None, TODAY), None);
    }

    #[test]
    fn any_field_without_an_action_of_its_own_is_set_and_cleared() {
        let license = expiring(None);
        for field in Action::settable() {
            let typed = match field.is_date() {
                true => "31-Dec-2027",
                false => " a, b ",
            };
            let set = Action::set(field.name, typed).unwrap();
            let after = set.on(&license, None, TODAY).unwrap().after.unwrap();
            let stored = if field.is_date() {
                "2027-12-31"
            } else {
                "a, b"
            };
            assert_eq!(Draft::from(&after).get(field.name), stored);
            let with_it = License {
                values: after,
                ..license.clone()
            };
            let cleared = Action::set(field.name, "").unwrap();
            let after = cleared.on(&with_it, None, TODAY).unwrap().after;
            assert_eq!(after.as_ref(), Some(&license.values), "{}", field.name);
        }
        for name in [
            "",
            "tool_name",
            "license_key",
            "status",
            "expiration_date",
            "trial",
        ] {
            assert!(Action::set(name, "").is_err(), "{name}");
        }
        assert_eq!(
            Action::set("updates_until", "soon").unwrap_err().field,
            "updates_until"
        );
    }

    #[test]
    fn a_converted_trial_expires_after_a_term_from_today_or_never() {
        let mut trial = expiring(Some(date!(2026 - 06 - 01)));
        trial.values.is_trial = true;
        for (term, end) in [(None, None), (Some("1y"), Some(date!(2027 - 06 - 15)))] {
            let term = term.map(|term| Term::parse(term).unwrap());
            let effect = Action::Convert(term).on(&trial, None, TODAY).unwrap();
            let after = effect.after.unwrap();
            assert_eq!((after.is_trial, after.expiration_date), (false, end));
            assert!(!effect.is_earlier);
        }
    }
}
