//! What an API token may do, and when it expires.

use time::{Date, Duration, OffsetDateTime};

use super::date;
use super::role::Role;
use super::text;
use super::typed_date::required_day;
use crate::error::{Error, Problem};

const NAME_LENGTH: usize = 100;
const MOST_DAYS: i64 = 366 * 3;
/// What has not been used for so long is perhaps forgotten.
const FORGOTTEN: Duration = Duration::days(90);

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read licenses.
    Read,
    /// Add, change and delete licenses.
    Write,
    /// Make and change activation codes.
    Codes,
    /// Place orders, which make activation codes, and act on them.
    Orders,
    /// Read the metrics, which name the tools and nobody else.
    Metrics,
    /// Read the audit log.
    Audit,
}

impl Scope {
    pub const ALL: [Scope; 6] = [
        Scope::Read,
        Scope::Write,
        Scope::Codes,
        Scope::Orders,
        Scope::Metrics,
        Scope::Audit,
    ];

    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "licenses:read",
            Scope::Write => "licenses:write",
            Scope::Codes => "codes:write",
            Scope::Orders => "orders:write",
            Scope::Metrics => "metrics:read",
            Scope::Audit => "audit:read",
        }
    }

    /// What its person must be: a token may do nothing that its person may not.
    pub fn role(self) -> Role {
        match self {
            Scope::Read | Scope::Metrics => Role::Viewer,
            Scope::Write | Scope::Codes | Scope::Orders => Role::Staff,
            Scope::Audit => Role::Owner,
        }
    }

    pub fn from_word(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// A validated request for a new token.
#[derive(Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What the admin calls it.
    pub name: String,
    /// At least one.
    pub scopes: Vec<Scope>,
    pub expiration_date: Date,
}

impl NewToken {
    /// The latest expiration date that a token created `today` may have.
    pub fn longest(today: Date) -> Date {
        today.saturating_add(Duration::days(MOST_DAYS))
    }

    /// Reports all problems at once, so that a form can show each next to its field.
    pub fn parse(
        name: &str,
        scopes: &[Scope],
        expiration_date: &str,
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
        let longest = NewToken::longest(today);
        let day = required_day("The expiration date", expiration_date);
        let day = day.and_then(|day| match (today..=longest).contains(&day) {
            true => Ok(day),
            false => Err(format!(
                "The expiration date {} is not between today and {}.",
                date::format(day),
                date::format(longest)
            )),
        });
        let day = day.map_err(|message| Problem {
            field: "expiration_date",
            message,
        });
        match (name, some, day) {
            (Ok(name), Ok(scopes), Ok(expiration_date)) => Ok(NewToken {
                name,
                scopes,
                expiration_date,
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

/// `not used for 94 days`, or `never used, created 120 days ago`; none before it is long.
pub fn unused(
    created_at: OffsetDateTime,
    last_use: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<String> {
    let since = now - last_use.unwrap_or(created_at);
    let days = since.whole_days();
    (since >= FORGOTTEN).then(|| match last_use {
        Some(_) => format!("not used for {days} days"),
        None => format!("never used, created {days} days ago"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_token_is_forgotten_after_90_days_without_use() {
        let made = datetime!(2026-01-01 12:00 UTC);
        let after = |days| made + Duration::days(days);
        let words = |last: Option<i64>, now| unused(made, last.map(after), after(now));
        assert_eq!(words(None, 89), None);
        assert_eq!(words(Some(10), 99), None);
        let never = "never used, created 120 days ago".to_owned();
        assert_eq!(words(None, 120), Some(never));
        let long = "not used for 94 days".to_owned();
        assert_eq!(words(Some(10), 104), Some(long));
    }
}
