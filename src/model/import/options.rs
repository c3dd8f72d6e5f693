//! What a person decides about a file that cannot be read in only one way.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::statuses::meaning;
use crate::model::license::Status;
use crate::model::typed_date::DateOrder;

/// What the rows of a file become.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    #[default]
    Licenses,
    Codes,
}

impl Subject {
    /// The word for one of them.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Subject::Licenses => "license",
            Subject::Codes => "code",
        }
    }
}

/// Stored beside an uploaded file as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportOptions {
    pub subject: Subject,
    /// What a column is, by its heading: a field's name, or empty for a column to ignore.
    pub columns: BTreeMap<String, String>,
    /// For rows that name no tool.
    pub tool: Option<String>,
    /// The line with the headings, if it is not the first.
    pub header_line: Option<u64>,
    /// For ambiguous dates.
    pub dates: Option<DateOrder>,
    /// What a word means that is not one of our statuses.
    pub statuses: BTreeMap<String, String>,
    /// Words in place of an expiration date that mean none, in lower case.
    pub perpetual: BTreeSet<String>,
    pub keys: Choice,
    pub tools: Choice,
}

/// What becomes of license keys, or of names of new tools, that are probably mistyped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Their rows are not imported.
    #[default]
    Ask,
    /// The suggestion is taken where there is one.
    Use,
    /// They are taken as they are.
    Keep,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(word: &str) -> Result<Choice, String> {
        match word {
            "ask" => Ok(Choice::Ask),
            "use" => Ok(Choice::Use),
            "keep" => Ok(Choice::Keep),
            _ => Err(format!("`{word}` is not use or keep")),
        }
    }
}

impl ImportOptions {
    /// Whether a person decided anything.
    pub fn is_decided(&self) -> bool {
        *self != self.undecided()
    }

    /// As they were before a person decided anything.
    pub fn undecided(&self) -> ImportOptions {
        let is_given = self.subject == Subject::Codes;
        ImportOptions {
            subject: self.subject,
            tool: self.tool.clone().filter(|_| is_given),
            ..ImportOptions::default()
        }
    }

    /// What a typed word means: as the person chose, or as it is commonly used.
    pub(super) fn status(&self, typed: &str) -> Option<Status> {
        let word = typed.trim().to_lowercase();
        let chosen = self.statuses.get(&word);
        let chosen = chosen.and_then(|name| Status::from_word(name));
        chosen.or_else(|| meaning(&word))
    }

    /// Whether the person chose that a typed word means no expiration date.
    pub(super) fn is_perpetual(&self, typed: &str) -> bool {
        self.perpetual.contains(&typed.trim().to_lowercase())
    }
}
