//! What can be done to many licenses at once.

use time::{Date, Duration, Month, OffsetDateTime};

use super::license::{License, Status};
use super::new_license::{NewLicense, USER_ID_LENGTH, format_date, read_date};
use super::search::Filter;
use super::text;
use crate::error::Problem;

/// Which licenses are changed.
#[derive(Debug, Clone)]
pub enum Selection {
    /// These.
    Ids(Vec<i64>),
    /// All that the filter finds.
    Found(Box<Filter>),
}

/// Something that is done to each of the licenses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Moves the last day; a license without end has none to move, unless there shall be one.
    Extend(Term, Start),
    /// Activates, suspends or revokes.
    SetStatus(Status),
    /// Another customer, or none.
    SetCustomer(Option<String>),
    /// Removes it.
    Delete,
}

/// How far a last day is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Term {
    /// By so many days.
    Days(u16),
    /// By so many months; from the 31st to the last day of a shorter month.
    Months(u16),
    /// To that day.
    To(Date),
}

/// From where a term is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From the present last day.
    End,
    /// From today.
    Today,
    /// From the present last day, or from today where that is over.
    Later,
}

/// What becomes of a license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It gets these values.
    Changed(NewLicense),
    /// It is removed.
    Deleted,
    /// It is as it shall be.
    Same,
}

/// A change of many licenses that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: OffsetDateTime,
    /// By whom.
    pub who: String,
    /// What was done, in words.
    pub what: String,
    /// To how many licenses.
    pub number: i64,
    /// How it was taken back, in words.
    pub undone: Option<String>,
}

/// How long a change of many can be undone.
pub const UNDO_FOR: Duration = Duration::minutes(10);

impl Done {
    /// Whether it can still be undone.
    pub fn can_be_undone(&self, now: OffsetDateTime) -> bool {
        self.undone.is_none() && now - self.at <= UNDO_FOR
    }
}

impl Term {
    /// `30d`, `6m`, `2y` or `2027-12-31`.
    pub fn parse(typed: &str) -> Result<Term, Problem> {
        let typed = typed.trim();
        let read = || {
            if let Some(day) = read_date(typed) {
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
                "`{typed}` is no term; write a number of days, months or years from 1 on, up to \
                 100 years, or a day as YYYY-MM-DD."
            ),
        })
    }

    /// The same in one word, as [`Term::parse`] reads it.
    pub fn word(self) -> String {
        match self {
            Term::Days(days) => format!("{days}d"),
            Term::Months(months) => format!("{months}m"),
            Term::To(day) => format_date(day),
        }
    }

    /// No later than the last day that there is.
    fn after(self, day: Date) -> Date {
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
    /// Every start and its word in a form.
    pub const ALL: [(Start, &'static str); 3] = [
        (Start::End, "end"),
        (Start::Today, "today"),
        (Start::Later, "later"),
    ];

    /// The start of that word.
    pub fn from_word(word: &str) -> Option<Start> {
        let found = Start::ALL.into_iter().find(|(_, known)| *known == word);
        found.map(|(start, _)| start)
    }
}

/// What an action can change.
#[derive(PartialEq)]
struct Target<'a> {
    status: Status,
    user_id: Option<&'a str>,
    expiration_date: Option<Date>,
}

impl Target<'_> {
    fn of(license: &License) -> Target<'_> {
        Target {
            status: license.status,
            user_id: license.user_id.as_deref(),
            expiration_date: license.expiration_date,
        }
    }
}

impl Action {
    /// A customer as somebody typed it; empty for none.
    pub fn set_customer(typed: &str) -> Result<Action, Problem> {
        let customer = text::optional("customer", "The customer", typed, USER_ID_LENGTH)?;
        Ok(Action::SetCustomer(customer))
    }

    /// What becomes of a license on that day.
    pub fn on(&self, license: &License, today: Date) -> Outcome {
        match self.target(license, today) {
            None => Outcome::Deleted,
            Some(target) if target == Target::of(license) => Outcome::Same,
            Some(target) => Outcome::Changed(NewLicense {
                status: target.status,
                user_id: target.user_id.map(str::to_owned),
                expiration_date: target.expiration_date,
                ..NewLicense::from(license)
            }),
        }
    }

    /// Whether it changes a license on that day.
    pub fn changes(&self, license: &License, today: Date) -> bool {
        self.target(license, today) != Some(Target::of(license))
    }

    /// Whether the license would end earlier than now.
    pub fn shortens(&self, license: &License, today: Date) -> bool {
        let end = |date: Option<Date>| date.unwrap_or(Date::MAX);
        self.target(license, today)
            .is_some_and(|then| end(then.expiration_date) < end(license.expiration_date))
    }

    /// None for deletion.
    fn target<'a>(&'a self, license: &'a License, today: Date) -> Option<Target<'a>> {
        let mut target = Target::of(license);
        match self {
            Action::Delete => return None,
            Action::SetStatus(status) => target.status = *status,
            Action::SetCustomer(customer) => target.user_id = customer.as_deref(),
            Action::Extend(Term::To(day), _) => target.expiration_date = Some(*day),
            Action::Extend(term, start) => {
                target.expiration_date = license.expiration_date.map(|end| {
                    term.after(match start {
                        Start::End => end,
                        Start::Today => today,
                        Start::Later => end.max(today),
                    })
                });
            }
        }
        Some(target)
    }

    /// What is done, as a sentence without its full stop.
    pub fn in_words(&self) -> String {
        match self {
            Action::Delete => "Delete".to_owned(),
            Action::SetStatus(Status::Activated) => "Activate".to_owned(),
            Action::SetStatus(Status::Suspended) => "Suspend".to_owned(),
            Action::SetStatus(Status::Revoked) => "Revoke".to_owned(),
            Action::SetCustomer(None) => "Remove the customer".to_owned(),
            Action::SetCustomer(Some(customer)) => format!("Change the customer to {customer}"),
            Action::Extend(Term::To(day), _) => format!("Let end on {}", format_date(*day)),
            Action::Extend(term, start) => {
                let start = match start {
                    Start::End => "from the present end",
                    Start::Today => "from today",
                    Start::Later => "from the present end, or from today where that is over",
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
            Term::To(day) => return format_date(day),
        };
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    const TODAY: Date = date!(2026 - 06 - 15);

    fn ending(expiration_date: Option<Date>) -> License {
        License {
            id: 1,
            created_at: datetime!(2026-01-01 00:00 UTC),
            tool_name: "T".into(),
            license_key: "k".into(),
            status: Status::Suspended,
            user_id: None,
            expiration_date,
            note: None,
            moved_to: None,
        }
    }

    fn extended(end: Option<Date>, term: &str, start: Start) -> Option<Option<Date>> {
        let action = Action::Extend(Term::parse(term).unwrap(), start);
        match action.on(&ending(end), TODAY) {
            Outcome::Changed(new) => Some(new.expiration_date),
            Outcome::Deleted | Outcome::Same => None,
        }
    }

    #[test]
    fn a_term_is_counted_from_the_end_or_from_today() {
        let end = Some(date!(2026 - 05 - 31));
        let to = |day| Some(Some(day));
        assert_eq!(extended(end, "1y", Start::End), to(date!(2027 - 05 - 31)));
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
    fn a_license_without_end_gets_one_only_where_a_day_is_named() {
        assert_eq!(extended(None, "1y", Start::Today), None);
        let day = date!(2027 - 01 - 31);
        assert_eq!(extended(None, "2027-01-31", Start::End), Some(Some(day)));
    }

    #[test]
    fn no_license_ends_behind_the_last_day_that_there_is() {
        let late = Some(date!(9999 - 06 - 30));
        let last = Some(Some(date!(9999 - 12 - 31)));
        assert_eq!(extended(late, "100y", Start::End), last);
        assert_eq!(extended(late, "36500d", Start::End), last);
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
    fn what_is_so_already_stays() {
        let suspend = Action::SetStatus(Status::Suspended);
        assert_eq!(suspend.on(&ending(None), TODAY), Outcome::Same);
        assert_eq!(
            Action::SetCustomer(None).on(&ending(None), TODAY),
            Outcome::Same
        );
    }
}
