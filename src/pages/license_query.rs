//! The license filter in a URL, shared by the table, exports and bulk changes.

use rocket::FromForm;
use rocket::form::Form;
use rocket::http::RawStr;
use time::Date;

use super::query;
use crate::error::Problem;
use crate::model::license::Status;
use crate::model::search::{
    ACTIVITY, ACTIVITY_CHOICES, Activity, Days, EXPIRES, EXPIRES_CHOICES, Expires, Filter, Order,
    Word, check_length, label, sentence,
};
use crate::model::typed_date::{read_day, required_day};

/// A value in the URL and its label.
pub(super) type Choice = (&'static str, String);

/// The URL parameters; empty if not given.
#[derive(FromForm, Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LicenseQuery {
    #[field(default = "")]
    pub(super) q: String,
    #[field(default = "")]
    pub(super) tool: String,
    #[field(default = "")]
    pub(super) status: String,
    /// Compared byte for byte.
    #[field(default = "")]
    pub(super) customer: String,
    /// See [`EXPIRES`].
    #[field(default = "")]
    pub(super) expires: String,
    /// The range of expiration dates; instead of `expires`.
    #[field(default = "")]
    pub(super) from: String,
    #[field(default = "")]
    pub(super) until: String,
    /// See [`ACTIVITY`], or a date.
    #[field(default = "")]
    pub(super) seen: String,
    /// Of the tool, compared byte for byte.
    #[field(default = "")]
    pub(super) version: String,
    /// `yes` for trials, `no` for all others.
    #[field(default = "")]
    pub(super) trial: String,
    #[field(default = "")]
    pub(super) sort: String,
}

impl LicenseQuery {
    /// From a URL query.
    pub(super) fn parse(query: &str) -> Result<LicenseQuery, Problem> {
        let query = query.trim_start_matches('?');
        Form::parse_encoded(RawStr::new(query)).map_err(|_| Problem {
            field: "filter",
            message: format!("The filter “{query}” cannot be read; go back to the table."),
        })
    }

    /// An unknown value is an error: it must not match all licenses.
    pub(super) fn filter(&self, today: Date) -> Result<Filter, Problem> {
        // The search itself has a limit of its own.
        for (field, text) in self.fields().into_iter().filter(|(field, _)| *field != "q") {
            check_length(field, text)?;
        }
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let days = Days {
            from: read_date("from", "The first expiration date", &self.from)?,
            until: read_date("until", "The last expiration date", &self.until)?,
        };
        let expires = read("expires", &self.expires, CHOICE, |word| {
            Expires::read(word, today)
        })?;
        let activity = read("seen", &self.seen, CHOICE, |word| {
            Activity::read(word, today)
        })?;
        let has_days = days != Days::default();
        Ok(Filter {
            tool_name: given(&self.tool),
            status: read("status", &self.status, STATUS, Status::from_word)?,
            user_id: given(&self.customer),
            words: Word::parse_all(&self.q)?,
            expires: if has_days {
                Some(Expires::On(days))
            } else {
                expires
            },
            activity,
            version: given(&self.version),
            is_trial: read("trial", &self.trial, "use yes or no", |word| match word {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            })?,
        })
    }

    fn fields(&self) -> [(&'static str, &str); 10] {
        // Destructured so that a new field must be handled here, too.
        let LicenseQuery {
            q,
            tool,
            status,
            customer,
            expires,
            from,
            until,
            seen,
            version,
            trial,
            sort: _,
        } = self;
        [
            ("q", q),
            ("tool", tool),
            ("status", status),
            ("customer", customer),
            ("expires", expires),
            ("from", from),
            ("until", until),
            ("seen", seen),
            ("version", version),
            ("trial", trial),
        ]
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.fields().iter().any(|(_, text)| !text.is_empty())
    }

    /// Whether it uses fields that are hidden under "More filters".
    pub(super) fn is_detailed(&self) -> bool {
        let Self {
            from,
            until,
            customer,
            version,
            trial,
            ..
        } = self;
        [from, until, customer, version, trial]
            .into_iter()
            .any(|text| !text.is_empty())
    }

    /// The URL query of this filter alone.
    pub(super) fn query(&self) -> String {
        query(&self.fields())
    }

    /// The URL query of this filter in that order, at another position in the table.
    pub(super) fn address(&self, sort: &str, place: &[(&str, &str)]) -> String {
        query(&[&self.fields()[..], &[("sort", sort)], place].concat())
    }

    pub(super) fn sorting(&self) -> Sorting {
        Sorting::read(&self.sort)
    }

    /// The choices for `expires`, and the selected one.
    pub(super) fn expires_choices(&self) -> Vec<Choice> {
        let labeled = |word| Some((word, label(&EXPIRES, word)?));
        EXPIRES_CHOICES.into_iter().filter_map(labeled).collect()
    }

    pub(super) fn seen_choices(&self) -> Vec<Choice> {
        let labeled = |word| Some((word, label(&ACTIVITY, word)?));
        ACTIVITY_CHOICES.into_iter().filter_map(labeled).collect()
    }

    /// The filter in words, for the middle of a sentence; empty for all licenses.
    pub(super) fn in_words(&self) -> String {
        let mut words = Vec::new();
        let mut add = |text: &str, words_for: &dyn Fn(&str) -> String| {
            if !text.is_empty() {
                words.push(words_for(text));
            }
        };
        add(&self.q, &|q| format!("with “{q}”"));
        add(&self.tool, &|tool| format!("for {tool}"));
        add(&self.status, &str::to_owned);
        add(&self.customer, &|customer| {
            format!("of the customer {customer}")
        });
        if self.from.is_empty() && self.until.is_empty() {
            add(&self.expires, &|word| {
                sentence(&EXPIRES, word).unwrap_or_default()
            });
        }
        add(&self.from, &|day| format!("expiring on or after {day}"));
        add(&self.until, &|day| format!("expiring on or before {day}"));
        add(&self.seen, &|word| match read_day(word) {
            Some(_) => format!("last seen on {word}"),
            None => sentence(&ACTIVITY, word).unwrap_or_default(),
        });
        add(&self.version, &|version| {
            format!("last seen with version {version}")
        });
        add(&self.trial, &|word| match word {
            "no" => "that are not trials".to_owned(),
            _ => "that are trials".to_owned(),
        });
        words.join(", ")
    }
}

const CHOICE: &str = "choose one from the list";
const STATUS: &str = "use activated, suspended or revoked; to find expired licenses use “Expires”";

/// None if it is empty.
fn read_date(field: &'static str, label: &str, typed: &str) -> Result<Option<Date>, Problem> {
    match required_day(label, typed) {
        Ok(day) => Ok(Some(day)),
        Err(_) if typed.trim().is_empty() => Ok(None),
        Err(message) => Err(Problem { field, message }),
    }
}

/// The meaning of a URL value; none if it is empty.
fn read<T>(
    field: &'static str,
    word: &str,
    help: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    match read(word) {
        None if !word.is_empty() => Err(Problem {
            field,
            message: format!("Unknown value “{word}” for the filter “{field}”; {help}."),
        }),
        meaning => Ok(meaning),
    }
}

/// The sort order in the URL: `-created`, `last-seen`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sorting {
    pub(super) order: Order,
    pub(super) is_descending: bool,
}

impl Sorting {
    /// Default: newest first.
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

    /// The URL value for a click on a column heading: its order, or the reverse. Creation and last-seen dates
    /// start with the latest, names and expiration dates with the first.
    pub(super) fn next(self, order: Order) -> String {
        let begins_descending =
            matches!(order, Order::Created | Order::LastSeen | Order::Addresses);
        let is_descending = if self.order == order {
            !self.is_descending
        } else {
            begins_descending
        };
        let next = Sorting {
            order,
            is_descending,
        };
        next.word()
    }

    /// The value in the URL.
    pub(super) fn word(self) -> String {
        let sign = if self.is_descending { "-" } else { "" };
        let word = Order::ALL.iter().find(|(order, _)| *order == self.order);
        format!("{sign}{}", word.map_or("", |(_, word)| word))
    }

    /// For screen readers, and for the arrow beside the column heading.
    pub(super) fn direction(self, order: Order) -> &'static str {
        match (self.order == order, self.is_descending) {
            (false, _) => "none",
            (true, true) => "descending",
            (true, false) => "ascending",
        }
    }
}
