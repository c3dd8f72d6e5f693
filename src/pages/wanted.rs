//! Which licenses an address asks for: the same words on the table, in exports and in bulk changes.

use rocket::FromForm;
use rocket::form::Form;
use rocket::http::RawStr;
use time::Date;

use super::query;
use crate::error::Problem;
use crate::model::license::Status;
use crate::model::new_license::read_date;
use crate::model::search::{Activity, Days, Ends, Filter, Fragment, Order};

/// Words and their meaning, for people.
pub(super) type Choice = (&'static str, &'static str);

pub(super) const ENDS: [Choice; 9] = [
    ("7", "in the next 7 days"),
    ("30", "in the next 30 days"),
    ("90", "in the next 90 days"),
    ("over-7", "ended in the last 7 days"),
    ("over-30", "ended in the last 30 days"),
    ("over-90", "ended in the last 90 days"),
    ("over", "ended"),
    ("not-over", "not yet, or never"),
    ("never", "never"),
];

pub(super) const SEEN: [Choice; 11] = [
    ("1", "today"),
    ("7", "in the last 7 days"),
    ("30", "in the last 30 days"),
    ("not-30", "not for 30 days"),
    ("not-90", "not for 90 days"),
    ("never", "never"),
    ("since-end", "after their last day"),
    ("refused-today", "refused today"),
    ("refused", "refused, and still asking"),
    ("shared-today", "from several addresses today"),
    ("shared", "from several addresses in a day"),
];

/// What stands in the address; empty for what is not asked for.
#[derive(FromForm, Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    #[field(default = "")]
    pub(super) q: String,
    #[field(default = "")]
    pub(super) tool: String,
    #[field(default = "")]
    pub(super) status: String,
    /// Byte for byte.
    #[field(default = "")]
    pub(super) customer: String,
    /// One of [`ENDS`].
    #[field(default = "")]
    pub(super) ends: String,
    /// Days between which they end; instead of `ends`.
    #[field(default = "")]
    pub(super) from: String,
    #[field(default = "")]
    pub(super) until: String,
    /// One of [`SEEN`], or a day.
    #[field(default = "")]
    pub(super) seen: String,
    #[field(default = "")]
    pub(super) sort: String,
}

impl Wanted {
    /// From the query of an address.
    pub(super) fn parse(query: &str) -> Result<Wanted, Problem> {
        let query = query.trim_start_matches('?');
        Form::parse_encoded(RawStr::new(query)).map_err(|_| Problem {
            field: "filter",
            message: format!("The filter “{query}” cannot be read; go back to the table."),
        })
    }

    /// A word that means nothing is refused: it must not find all.
    pub(super) fn filter(&self, today: Date) -> Result<Filter, Problem> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let days = Days {
            from: understood("from", &self.from, DAY, read_date)?,
            until: understood("until", &self.until, DAY, read_date)?,
        };
        let ends = understood("ends", &self.ends, CHOICE, |word| Ends::read(word, today))?;
        let activity = understood("seen", &self.seen, CHOICE, |word| {
            Activity::read(word, today)
        })?;
        let status = understood("status", &self.status, STATUS, Status::from_word)?;
        let ends = match days == Days::default() {
            // Who asked after the end has an end behind him.
            true if activity == Some(Activity::SinceEnd) => {
                ends.or_else(|| Ends::read("over", today))
            }
            true => ends,
            false => Some(Ends::On(days)),
        };
        Ok(Filter {
            tool_name: given(&self.tool),
            status,
            user_id: given(&self.customer),
            fragment: Fragment::parse(&self.q),
            ends,
            activity,
        })
    }

    fn fields(&self) -> [(&'static str, &str); 8] {
        [
            ("q", &self.q),
            ("tool", &self.tool),
            ("status", &self.status),
            ("customer", &self.customer),
            ("ends", &self.ends),
            ("from", &self.from),
            ("until", &self.until),
            ("seen", &self.seen),
        ]
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.fields().iter().any(|(_, text)| !text.is_empty())
    }

    /// Whether fields are used that stand behind "more".
    pub(super) fn is_detailed(&self) -> bool {
        [&self.from, &self.until, &self.customer]
            .into_iter()
            .any(|text| !text.is_empty())
    }

    /// The query of this filter alone.
    pub(super) fn query(&self) -> String {
        query(&self.fields())
    }

    /// The query of the same filter, in that order, at another place of the table.
    pub(super) fn address(&self, sort: &str, place: &[(&str, &str)]) -> String {
        query(&[&self.fields()[..], &[("sort", sort)], place].concat())
    }

    pub(super) fn sorting(&self) -> Sorting {
        Sorting::read(&self.sort)
    }

    /// The filter in words, as they stand in the middle of a sentence; empty for all.
    pub(super) fn in_words(&self) -> String {
        let of = |choices: &[Choice], word: &str| {
            let found = choices.iter().find(|(name, _)| *name == word);
            found.map_or(word.to_owned(), |(_, words)| (*words).to_owned())
        };
        let mut words = Vec::new();
        let mut say = |text: &str, words_for: &dyn Fn(&str) -> String| {
            if !text.is_empty() {
                words.push(words_for(text));
            }
        };
        say(&self.q, &|q| format!("with “{q}”"));
        say(&self.tool, &|tool| format!("of {tool}"));
        say(&self.status, &|status| status.to_owned());
        say(&self.customer, &|customer| {
            format!("of the customer {customer}")
        });
        if self.from.is_empty() && self.until.is_empty() {
            say(&self.ends, &|word| match word {
                "over" => "ended".to_owned(),
                "not-over" => "not ended".to_owned(),
                "never" => "without end".to_owned(),
                _ if word.starts_with("over-") => of(&ENDS, word),
                _ => format!("ending {}", of(&ENDS, word)),
            });
        }
        say(&self.from, &|day| format!("ending from {day} on"));
        say(&self.until, &|day| format!("ending until {day}"));
        say(&self.seen, &|word| match word {
            "never" => "never seen".to_owned(),
            "since-end" => "asking after the end".to_owned(),
            _ if word.starts_with("refused") || word.starts_with("not-") => {
                let words = of(&SEEN, word);
                words.replace("not for", "not seen for")
            }
            _ if word.starts_with("shared") => of(&SEEN, word),
            _ if read_date(word).is_some() => format!("last seen on {word}"),
            _ => format!("seen {}", of(&SEEN, word)),
        });
        words.join(", ")
    }
}

const DAY: &str = "write a day as YYYY-MM-DD, such as 2026-12-31";
const CHOICE: &str = "choose one of those in the list";
const STATUS: &str = "write activated, suspended or revoked; those whose last day is over are found \
                      by “Ends”";

/// What a word of an address means; none where there is no word.
fn understood<T>(
    field: &'static str,
    word: &str,
    help: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    match read(word) {
        None if !word.is_empty() => Err(Problem {
            field,
            message: format!("The filter “{field}” is “{word}”, which means nothing; {help}."),
        }),
        meaning => Ok(meaning),
    }
}

/// How the table is sorted, as it stands in the address: `-created`, `last-seen`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sorting {
    pub(super) order: Order,
    pub(super) is_descending: bool,
}

impl Sorting {
    /// Newest first where nothing else is wanted.
    pub(super) fn read(text: &str) -> Sorting {
        let (name, is_descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let known = Order::ALL.into_iter().find(|(_, word)| *word == name);
        match known {
            Some((order, _)) => Sorting {
                order,
                is_descending,
            },
            None => Sorting {
                order: Order::Created,
                is_descending: true,
            },
        }
    }

    /// The word for a click on the head of a column: its order, or the other direction. What is new
    /// or was seen last is wanted first, names and dates of expiry from the beginning.
    pub(super) fn next(self, order: Order) -> String {
        let begins_descending = matches!(order, Order::Created | Order::LastSeen);
        let is_descending = if self.order == order {
            !self.is_descending
        } else {
            begins_descending
        };
        let sign = if is_descending { "-" } else { "" };
        let word = Order::ALL.iter().find(|(other, _)| *other == order);
        format!("{sign}{}", word.map_or("", |(_, word)| word))
    }

    /// For readers of screens, and for the arrow beside the name of the column.
    pub(super) fn direction(self, order: Order) -> &'static str {
        match (self.order == order, self.is_descending) {
            (false, _) => "none",
            (true, true) => "descending",
            (true, false) => "ascending",
        }
    }
}
