//! What an API token may do, and until when.

use time::{Date, Duration};

use super::new_license::{format_date, read_date};
use super::text;
use crate::error::{Error, Problem};

const NAME_LENGTH: usize = 100;
const MOST_DAYS: i64 = 366 * 3;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read licenses.
    Read,
    /// Add, change and delete licenses.
    Write,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 2] = [Scope::Read, Scope::Write];

    /// The word under which the scope is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "licenses:read",
            Scope::Write => "licenses:write",
        }
    }

    /// The scope of that word.
    pub fn from_word(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A token that may be made.
#[derive(Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What the admin calls it.
    pub name: String,
    /// At least one.
    pub scopes: Vec<Scope>,
    /// The last day on which it is good.
    pub last_day: Date,
}

impl NewToken {
    /// The last day that a token made `today` may have.
    pub fn longest(today: Date) -> Date {
        today.saturating_add(Duration::days(MOST_DAYS))
    }

    /// All problems at once, so that a form can show each beside its field.
    pub fn parse(
        name: &str,
        scopes: &[Scope],
        last_day: &str,
        today: Date,
    ) -> Result<NewToken, Error> {
        let name = text::required("name", "The name", name, NAME_LENGTH);
        let some = if scopes.is_empty() {
            Err(Problem {
                field: "scopes",
                message: "Choose at least one thing that the token may do.".into(),
            })
        } else {
            Ok(scopes.to_vec())
        };
        let day = read_date(last_day.trim())
            .filter(|day| (today..=NewToken::longest(today)).contains(day));
        let day = day.ok_or_else(|| Problem {
            field: "expiration_date",
            message: format!(
                "Enter the last day as YYYY-MM-DD, from today to {}.",
                format_date(NewToken::longest(today))
            ),
        });
        match (name, some, day) {
            (Ok(name), Ok(scopes), Ok(last_day)) => Ok(NewToken {
                name,
                scopes,
                last_day,
            }),
            (name, scopes, day) => Err(Error::Invalid(
                [name.err(), scopes.err(), day.err()]
                    .into_iter()
                    .flatten()
                    .collect(),
            )),
        }
    }
}
