//! What a tool sends in a check.

use std::borrow::Cow;

use super::license::fields::{FIELDS, Field};
use super::mac::canonical_key;
use super::text;
use crate::error::{Error, Problem};

/// A tool and the machine that checks it, spelled as a license would be.
#[derive(Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Without what is invisible around it; compared byte for byte.
    pub tool_name: &'a str,
    /// In its canonical spelling.
    pub license_key: Cow<'a, str>,
    /// The characters that the client sent, which it expects in a signed answer.
    pub sent: Sent<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent<'a> {
    pub tool_name: &'a str,
    pub license_key: &'a str,
}

impl<'a> Question<'a> {
    /// Refuses what no row can have: empty text, too long, control characters.
    pub fn parse(tool_name: &'a str, license_key: &'a str) -> Result<Question<'a>, Error> {
        let sent = Sent {
            tool_name,
            license_key,
        };
        let (tool_name, license_key) = (text::trimmed(tool_name), text::trimmed(license_key));
        check("tool_name", tool_name)?;
        check("license_key", license_key)?;
        Ok(Question {
            tool_name,
            license_key: canonical_key(license_key),
            sent,
        })
    }
}

fn check(name: &'static str, value: &str) -> Result<(), Problem> {
    let Some(field) = Field::index(name).and_then(|at| FIELDS.get(at)) else {
        return Ok(());
    };
    if value.is_empty() {
        return Err(Problem {
            field: name,
            message: format!("{} is empty.", field.label),
        });
    }
    text::check_visible(name, field.label, value, field.limit)
}
