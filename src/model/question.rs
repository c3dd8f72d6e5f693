//! What a tool asks at its start.

use std::borrow::Cow;

use super::mac::canonical_key;
use super::new_license::{LICENSE_KEY_LENGTH, TOOL_NAME_LENGTH};
use super::text;
use crate::error::{Error, Problem};

/// A tool and a machine that asks for it, with the key as it would be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Compared byte for byte.
    pub tool_name: &'a str,
    /// In its canonical spelling.
    pub license_key: Cow<'a, str>,
}

impl<'a> Question<'a> {
    /// Refuses what no row can hold: an empty text, one that is too long, a control character.
    pub fn parse(tool_name: &'a str, license_key: &'a str) -> Result<Question<'a>, Error> {
        ask("tool_name", "The tool name", tool_name, TOOL_NAME_LENGTH)
            .and_then(|()| {
                ask(
                    "license_key",
                    "The license key",
                    license_key,
                    LICENSE_KEY_LENGTH,
                )
            })
            .map_err(|problem| Error::Invalid(vec![problem]))?;
        Ok(Question {
            tool_name,
            license_key: canonical_key(license_key),
        })
    }
}

fn ask(field: &'static str, label: &str, value: &str, most: usize) -> Result<(), Problem> {
    if value.is_empty() {
        return Err(Problem {
            field,
            message: format!("{label} is empty."),
        });
    }
    text::check(field, label, value, most)
}
