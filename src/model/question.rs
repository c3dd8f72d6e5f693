//! What a tool sends in a check.

use std::borrow::Cow;

use super::license::fields::{FIELDS, Field};
use super::mac::canonical_key;
use super::text;
use crate::error::{Error, Problem};

/// A tool and the machine that checks it, with the key as it would be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// Compared byte for byte.
    pub tool_name: &'a str,
    /// In its canonical spelling.
    pub license_key: Cow<'a, str>,
}

impl<'a> Question<'a> {
    /// Refuses what no row can have: empty text, too long, control characters.
    pub fn parse(tool_name: &'a str, license_key: &'a str) -> Result<Question<'a>, Error> {
        check("tool_name", tool_name)?;
        check("license_key", license_key)?;
        Ok(Question {
            tool_name,
            license_key: canonical_key(license_key),
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
    text::check(name, field.label, value, field.limit)
}
