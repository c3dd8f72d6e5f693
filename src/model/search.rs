//! Searching licenses: the filter and its words, sort orders and pages.

use time::{Date, Duration};

use super::check::ListedLicense;
use super::date;
use super::fold::{folded, holds};
use super::license::Status;
use super::license::fields::{self, FIELDS};
use super::mac::fragment_spellings;
use super::text::grouped;
use super::typed_date::read_day;
use crate::error::Problem;

/// Characters of a search; more would make its running time unbounded.
pub const SEARCH_LENGTH: usize = 100;
const MAX_WORDS: usize = 10;

/// Characters of any other condition; no stored value that one can ask for is longer.
const CONDITION_LENGTH: usize = 255;

/// Refuses a condition in a URL that is too long to be one.
pub fn check_length(field: &'static str, text: &str) -> Result<(), Problem> {
    let length = text.chars().count();
    if length > CONDITION_LENGTH {
        let message = format!("`{field}` has {length} characters; use at most {CONDITION_LENGTH}.");
        return Err(Problem { field, message });
    }
    Ok(())
}

/// Filters licenses; an absent field matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Byte for byte.
    pub tool_name: Option<String>,
    pub status: Option<Status>,
    /// Byte for byte.
    pub user_id: Option<String>,
    /// Each of them in any searchable field.
    pub words: Vec<Word>,
    pub expires: Option<Expires>,
    pub activity: Option<Activity>,
    /// Of the tool, as its client last reported; byte for byte.
    pub version: Option<String>,
    /// Only trials, or only licenses that are not.
    pub is_trial: Option<bool>,
}

/// A range of days, both ends inclusive; a missing end is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    pub from: Option<Date>,
    pub until: Option<Date>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expires {
    /// Perpetual licenses.
    Never,
    On(Days),
    /// On or after that day, or perpetual.
    NotBefore(Date),
}

/// What the machines of licenses do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    Never,
    LastSeen(Days),
    /// Last seen on or after that day, and refused.
    RefusedSince(Date),
    /// Seen after the expiration date, whatever the result.
    AfterExpiration,
    /// Checked from several addresses on one day, on or after that day.
    SharedSince(Date),
}

/// The columns of a license that a filter reads, as they are stored.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// In the order of [`FIELDS`].
    pub texts: [&'a str; fields::COUNT],
    /// Empty for never.
    pub last_seen_on: &'a str,
    /// Empty if the last check was not refused.
    pub refused_on: &'a str,
    /// Empty for never.
    pub shared_on: &'a str,
    /// Empty if no client reported one.
    pub seen_version: &'a str,
}

impl Filter {
    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// The rule that every search in the store follows.
    pub fn matches(&self, candidate: &Candidate<'_>) -> bool {
        let Filter {
            tool_name,
            status,
            user_id,
            words,
            expires,
            activity,
            version,
            is_trial,
        } = self;
        let text = |at: usize| candidate.texts[at];
        let expiration_date = date::read(text(fields::EXPIRATION_DATE));
        let on = |day: &str, days: &Days| date::read(day).is_some_and(|day| days.contain(day));
        let since = |day: &str, first| date::read(day).is_some_and(|day| day >= first);
        tool_name
            .as_ref()
            .is_none_or(|tool| tool == text(fields::TOOL_NAME))
            && status.is_none_or(|status| status.as_str() == text(fields::STATUS))
            && user_id
                .as_ref()
                .is_none_or(|user| user == text(fields::USER_ID))
            && expires.is_none_or(|expires| match expires {
                Expires::Never => expiration_date.is_none(),
                Expires::NotBefore(first) => expiration_date.is_none_or(|day| day >= first),
                Expires::On(days) => expiration_date.is_some_and(|day| days.contain(day)),
            })
            && activity.is_none_or(|activity| match activity {
                Activity::Never => candidate.last_seen_on.is_empty(),
                Activity::LastSeen(days) => on(candidate.last_seen_on, &days),
                Activity::RefusedSince(first) => since(candidate.refused_on, first),
                Activity::SharedSince(first) => since(candidate.shared_on, first),
                Activity::AfterExpiration => expiration_date.is_some_and(|day| {
                    date::read(candidate.last_seen_on).is_some_and(|seen| seen > day)
                }),
            })
            && version
                .as_ref()
                .is_none_or(|version| version == candidate.seen_version)
            && is_trial.is_none_or(|is_trial| is_trial != text(fields::TRIAL).is_empty())
            && words.iter().all(|word| word.is_in(&candidate.texts))
    }
}

impl Days {
    /// Today and the next `number` days.
    pub fn next(number: i64, today: Date) -> Days {
        Days {
            from: Some(today),
            until: today.checked_add(Duration::days(number)),
        }
    }

    /// From `number` days ago through yesterday.
    pub fn past(number: i64, today: Date) -> Days {
        Days {
            from: today.checked_sub(Duration::days(number)),
            until: today.previous_day(),
        }
    }

    /// The last `number` days, including today.
    pub fn last(number: i64, today: Date) -> Days {
        Days {
            from: today.checked_sub(Duration::days(number - 1)),
            until: None,
        }
    }

    /// All days more than `number` days ago.
    pub fn before(number: i64, today: Date) -> Days {
        Days {
            from: None,
            until: today.checked_sub(Duration::days(number + 1)),
        }
    }

    fn contain(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }
}

/// A word in a URL that represents a condition. `N` in it is a number of days.
#[derive(Debug)]
pub struct Phrase<T> {
    /// In the URL.
    pub word: &'static str,
    /// In the list of choices, after the name of the filter.
    pub label: &'static str,
    /// After "300 licenses".
    pub sentence: &'static str,
    meaning: fn(i64, Date) -> T,
}

pub const EXPIRES: [Phrase<Expires>; 5] = [
    Phrase {
        word: "next-N-days",
        label: "in the next N days",
        sentence: "expiring in the next N days",
        meaning: |days, today| Expires::On(Days::next(days, today)),
    },
    Phrase {
        word: "last-N-days",
        label: "expired in the last N days",
        sentence: "expired in the last N days",
        meaning: |days, today| Expires::On(Days::past(days, today)),
    },
    Phrase {
        word: "expired",
        label: "expired",
        sentence: "expired",
        meaning: |_, today| {
            Expires::On(Days {
                from: None,
                until: today.previous_day(),
            })
        },
    },
    Phrase {
        word: "not-expired",
        label: "not expired",
        sentence: "not expired",
        meaning: |_, today| Expires::NotBefore(today),
    },
    Phrase {
        word: "never",
        label: "never (perpetual)",
        sentence: "perpetual",
        meaning: |_, _| Expires::Never,
    },
];

pub const ACTIVITY: [Phrase<Activity>; 7] = [
    Phrase {
        word: "last-N-days",
        label: "in the last N days",
        sentence: "seen in the last N days",
        meaning: |days, today| Activity::LastSeen(Days::last(days, today)),
    },
    Phrase {
        word: "not-for-N-days",
        label: "not for N days",
        sentence: "not seen for N days",
        meaning: |days, today| Activity::LastSeen(Days::before(days, today)),
    },
    Phrase {
        word: "never",
        label: "never",
        sentence: "never seen",
        meaning: |_, _| Activity::Never,
    },
    Phrase {
        word: "after-expiration",
        label: "after the expiration date",
        sentence: "in use after the expiration date",
        meaning: |_, _| Activity::AfterExpiration,
    },
    Phrase {
        word: "refused-today",
        label: "today, and refused",
        sentence: "refused today",
        meaning: |_, today| Activity::RefusedSince(today),
    },
    Phrase {
        word: "refused",
        label: "refused, and still in use",
        sentence: "refused, and still in use",
        meaning: |_, today| Activity::RefusedSince(month_ago(today)),
    },
    Phrase {
        word: "shared",
        label: "from several addresses on one day",
        sentence: "seen at several addresses on one day",
        meaning: |_, today| Activity::SharedSince(month_ago(today)),
    },
];

fn month_ago(today: Date) -> Date {
    today.checked_sub(Duration::days(29)).unwrap_or(today)
}

/// The choices, in this order; other numbers of days are accepted too.
pub const EXPIRES_CHOICES: [&str; 9] = [
    "next-7-days",
    "next-30-days",
    "next-90-days",
    "last-7-days",
    "last-30-days",
    "last-90-days",
    "expired",
    "not-expired",
    "never",
];

/// The choices, in this order; a date as YYYY-MM-DD is accepted too.
pub const ACTIVITY_CHOICES: [&str; 9] = [
    "last-1-days",
    "last-7-days",
    "last-30-days",
    "not-for-30-days",
    "not-for-90-days",
    "never",
    "after-expiration",
    "refused",
    "shared",
];

impl<T> Phrase<T> {
    /// The number of days in a word of this form, 0 if it has none; none for another word.
    fn days(&self, word: &str) -> Option<i64> {
        let Some((head, tail)) = self.word.split_once('N') else {
            return (self.word == word).then_some(0);
        };
        let number = word.strip_prefix(head)?.strip_suffix(tail)?;
        number
            .parse()
            .ok()
            .filter(|days| (1..=9_999).contains(days))
    }
}

fn find<T>(phrases: &'static [Phrase<T>], word: &str) -> Option<(&'static Phrase<T>, i64)> {
    phrases
        .iter()
        .find_map(|phrase| Some((phrase, phrase.days(word)?)))
}

fn with_days(text: &str, days: i64) -> String {
    match days {
        1 => text
            .replace("in the last N days", "today")
            .replace("N days", "1 day"),
        _ => text.replace('N', &days.to_string()),
    }
}

/// The label of a word; none for an unknown word.
pub fn label<T>(phrases: &'static [Phrase<T>], word: &str) -> Option<String> {
    let (phrase, days) = find(phrases, word)?;
    Some(with_days(phrase.label, days))
}

/// A word as part of a sentence; none for an unknown word.
pub fn sentence<T>(phrases: &'static [Phrase<T>], word: &str) -> Option<String> {
    let (phrase, days) = find(phrases, word)?;
    Some(with_days(phrase.sentence, days))
}

impl Expires {
    /// The meaning of a word on that day.
    pub fn read(word: &str, today: Date) -> Option<Expires> {
        let (phrase, days) = find(&EXPIRES, word)?;
        Some((phrase.meaning)(days, today))
    }
}

impl Activity {
    /// The meaning of a word, or of a date, on that day.
    pub fn read(word: &str, today: Date) -> Option<Activity> {
        if let Some(day) = read_day(word) {
            return Some(Activity::LastSeen(Days {
                from: Some(day),
                until: Some(day),
            }));
        }
        let (phrase, days) = find(&ACTIVITY, word)?;
        Some((phrase.meaning)(days, today))
    }
}

/// A word to search for in any searchable field, ignoring case and accents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Folded forms that a field may contain: as typed, and as in a stored MAC address. Never
    /// empty.
    pub spellings: Vec<String>,
}

impl Word {
    pub fn parse_all(typed: &str) -> Result<Vec<Word>, Problem> {
        let refuse = |message| {
            Err(Problem {
                field: "q",
                message,
            })
        };
        let length = typed.trim().chars().count();
        if length > SEARCH_LENGTH {
            return refuse(format!(
                "The search has {length} characters; use at most {SEARCH_LENGTH}."
            ));
        }
        let visible = typed.replace(char::is_control, " ");
        let mut words: Vec<Word> = Vec::new();
        for typed in visible.split_whitespace() {
            let mut spellings = vec![folded(typed)];
            spellings.extend(fragment_spellings(typed));
            spellings.dedup();
            let word = Word { spellings };
            // A word of accents only is not a word.
            if !word.spellings.iter().any(String::is_empty) && !words.contains(&word) {
                words.push(word);
            }
        }
        if words.len() > MAX_WORDS {
            return refuse(format!(
                "The search has {} words; use at most {MAX_WORDS}.",
                words.len()
            ));
        }
        Ok(words)
    }

    fn is_in(&self, texts: &[&str; fields::COUNT]) -> bool {
        let mut fields = FIELDS.iter().zip(texts);
        fields.any(|(field, text)| field.is_searchable && self.is_in_any(&[text]))
    }

    pub fn is_in_any(&self, texts: &[&str]) -> bool {
        let is_in = |text: &&str| self.spellings.iter().any(|spelling| holds(text, spelling));
        texts.iter().any(is_in)
    }
}

/// The sort order; ties are broken by license ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Created,
    /// The day of the last check; never sorts before all days.
    LastSeen,
    /// Perpetual sorts after all dates.
    Expires,
    /// None sorts first.
    Customer,
    Key,
    /// The tool name, then the license key.
    Tool,
    /// By the word of the status.
    Status,
    /// The number of addresses that it was lately checked from.
    Addresses,
}

/// The sort value of a perpetual license: after all digits.
pub const NEVER: &str = "never";

/// Separates tool and key in their sort value: before all characters that they may contain.
pub const BETWEEN: char = '\u{3}';

impl Order {
    /// Every order with its word in a URL.
    pub const ALL: [(Order, &'static str); 8] = [
        (Order::Created, "created"),
        (Order::LastSeen, "last-seen"),
        (Order::Expires, "expires"),
        (Order::Customer, "customer"),
        (Order::Key, "key"),
        (Order::Tool, "tool"),
        (Order::Status, "status"),
        (Order::Addresses, "addresses"),
    ];

    /// A row's place in this order.
    pub fn cursor(self, listed: &ListedLicense) -> Cursor {
        let license = &listed.license;
        let value = match self {
            Order::Created => SortValue::Number(license.created_at.unix_timestamp()),
            Order::LastSeen => listed.last_seen_on.clone().into(),
            Order::Expires => match license.expiration_date {
                Some(day) => date::format(day).into(),
                None => NEVER.to_owned().into(),
            },
            Order::Customer => license.user_id.clone().unwrap_or_default().into(),
            Order::Key => license.license_key.clone().into(),
            Order::Tool => format!("{}{BETWEEN}{}", license.tool_name, license.license_key).into(),
            Order::Status => license.status.to_string().into(),
            Order::Addresses => SortValue::Number(listed.address_count),
        };
        Cursor {
            value,
            id: license.id,
        }
    }

    /// Parses [`Cursor::in_address`] for this order.
    pub fn read_cursor(self, text: &str) -> Option<Cursor> {
        let (id, value) = text.split_once('_')?;
        Some(Cursor {
            id: id.parse().ok()?,
            value: match self {
                Order::Created | Order::Addresses => SortValue::Number(value.parse().ok()?),
                Order::LastSeen
                | Order::Expires
                | Order::Customer
                | Order::Key
                | Order::Tool
                | Order::Status => value.to_owned().into(),
            },
        })
    }
}

/// A sort value; all values of one order are of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortValue {
    /// Unix seconds.
    Number(i64),
    /// Compared byte by byte.
    Text(String),
}

impl From<String> for SortValue {
    fn from(text: String) -> SortValue {
        SortValue::Text(text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exactly(i64),
    MoreThan(i64),
}

impl Count {
    /// `1,234` or `more than 10,000`.
    pub fn shown(self) -> String {
        match self {
            Count::Exactly(number) => grouped(number),
            Count::MoreThan(number) => format!("more than {}", grouped(number)),
        }
    }
}

/// A row's place in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub value: SortValue,
    /// The license's ID, which breaks ties.
    pub id: i64,
}

impl Cursor {
    /// For the URL of the next page.
    pub fn in_address(&self) -> String {
        match &self.value {
            SortValue::Number(number) => format!("{}_{number}", self.id),
            SortValue::Text(text) => format!("{}_{text}", self.id),
        }
    }
}

/// A page of a sorted table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub order: Order,
    /// Newest or highest first.
    pub is_descending: bool,
    /// Starts after this place, or at the beginning.
    pub after: Option<Cursor>,
    pub limit: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const TODAY: Date = date!(2026 - 06 - 15);

    fn days(from: Option<Date>, until: Option<Date>) -> Days {
        Days { from, until }
    }

    #[test]
    fn words_about_expiration_count_from_today() {
        let on = |from, until| Some(Expires::On(days(from, until)));
        let (week, today) = (date!(2026 - 06 - 22), Some(TODAY));
        let (yesterday, month) = (date!(2026 - 06 - 14), date!(2026 - 05 - 16));
        assert_eq!(Expires::read("next-7-days", TODAY), on(today, Some(week)));
        assert_eq!(Expires::read("expired", TODAY), on(None, Some(yesterday)));
        assert_eq!(
            Expires::read("last-30-days", TODAY),
            on(Some(month), Some(yesterday))
        );
        assert_eq!(Expires::read("never", TODAY), Some(Expires::Never));
        for nothing in [
            "",
            "next-0-days",
            "next--7-days",
            "last-days",
            "soon",
            "next-99999999999999999999-days",
        ] {
            assert_eq!(Expires::read(nothing, TODAY), None, "{nothing}");
        }
    }

    #[test]
    fn words_about_activity_count_from_today() {
        let seen = |from, until| Some(Activity::LastSeen(days(from, until)));
        let (week, month) = (date!(2026 - 06 - 09), date!(2026 - 05 - 15));
        assert_eq!(Activity::read("last-7-days", TODAY), seen(Some(week), None));
        assert_eq!(
            Activity::read("not-for-30-days", TODAY),
            seen(None, Some(month))
        );
        let day = Some(date!(2026 - 06 - 01));
        assert_eq!(Activity::read("2026-06-01", TODAY), seen(day, day));
        assert_eq!(Activity::read("sometimes", TODAY), None);
    }

    #[test]
    fn every_choice_means_something_and_has_words() {
        for word in EXPIRES_CHOICES {
            assert!(
                label(&EXPIRES, word).is_some_and(|label| !label.contains('N')),
                "{word}"
            );
        }
        for word in ACTIVITY_CHOICES {
            assert!(
                label(&ACTIVITY, word).is_some_and(|label| !label.contains('N')),
                "{word}"
            );
        }
        assert_eq!(label(&ACTIVITY, "last-1-days").as_deref(), Some("today"));
    }

    #[test]
    fn long_searches_are_refused() {
        assert!(Word::parse_all(&"x".repeat(100)).is_ok());
        assert!(Word::parse_all(&"x".repeat(101)).is_err());
        assert!(Word::parse_all("a b c d e f g h i j k").is_err());
        assert_eq!(
            Word::parse_all(" \u{301} \0 a a ").map(|words| words.len()),
            Ok(1)
        );
    }
}
