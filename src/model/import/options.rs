//! What a person decides about a file that cannot be read in only one way.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::model::typed_date::DateOrder;

/// Stored beside an uploaded file as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportOptions {
    /// What a column is, by its heading: a field's name, or empty for a column to ignore.
    pub columns: BTreeMap<String, String>,
    /// For rows that name no tool.
    pub tool: Option<String>,
    /// The line with the headings, if it is not the first.
    pub header_line: Option<u64>,
    /// For dates that have two readings.
    pub dates: Option<DateOrder>,
    /// What a word means that is not one of our statuses.
    pub statuses: BTreeMap<String, String>,
    pub keys: Choice,
    pub tools: Choice,
}

/// What becomes of license keys, or of names of new tools, that are probably mistyped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Do not import their rows
    #[default]
    Ask,
    /// Take the suggestion where there is one
    Use,
    /// Take them as they are
    Keep,
}

impl Choice {
    pub fn from_word(word: &str) -> Choice {
        match word {
            "use" => Choice::Use,
            "keep" => Choice::Keep,
            _ => Choice::Ask,
        }
    }
}
