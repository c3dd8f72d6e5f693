//! A license, its status and the verdict on it.

use std::fmt;
use std::ops::Deref;

use time::{Date, OffsetDateTime};

use crate::error::Problem;

mod draft;
pub mod fields;
mod seat;
mod verdict;

pub use draft::{Draft, DraftChange};
pub use fields::Values;
pub use seat::{CodeTerms, Seat, by_code};
pub use verdict::{Verdict, last_day};

/// What the admin has decided about a license.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The tool may run.
    Activated,
    /// Temporarily refused.
    Suspended,
    /// Permanently refused.
    Revoked,
}

impl Status {
    /// In the order in which they are listed on pages.
    pub const ALL: [Status; 3] = [Status::Activated, Status::Suspended, Status::Revoked];

    /// The published word.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Activated => "activated",
            Status::Suspended => "suspended",
            Status::Revoked => "revoked",
        }
    }

    /// Parses the published word.
    pub fn from_word(word: &str) -> Option<Status> {
        Status::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
    }

    /// [`Status::from_word`] for typed input.
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct License {
    /// Never reused after the row is deleted.
    pub id: i64,
    /// When the license was added, here or in the system it was imported from.
    pub created_at: OffsetDateTime,
    /// The license that replaced this one on another machine.
    pub moved_to: Option<i64>,
    /// None for a license that was added by hand.
    pub seat: Option<Seat>,
    /// The last day of the offline file that its machine has.
    pub offline_until: Option<Date>,
    /// The values that people set.
    pub values: Values,
}

impl Deref for License {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.values
    }
}
