//! The values of a license as they were typed or sent.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::fields::{COUNT, FIELDS, Field, Kind, LICENSE_KEY, YES};
use super::{Status, Values};
use crate::error::Problem;
use crate::model::pasted_key::cleaned;
use crate::model::typed_date::Reading;
use crate::model::{date, entitlements};

/// Typed values in the order of [`FIELDS`]: none for a field that was not sent, empty for one to
/// clear.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft([Option<String>; COUNT]);

impl Draft {
    /// The initial values of the form for a new license.
    pub fn new() -> Draft {
        let mut draft = Draft::default();
        draft.set("status", Status::Activated.as_str());
        draft
    }

    /// The typed text; empty for a field that was not sent.
    pub fn get(&self, name: &str) -> &str {
        let text = Field::index(name).and_then(|index| self.0[index].as_deref());
        text.unwrap_or_default()
    }

    /// False if there is no such field.
    pub fn set(&mut self, name: &str, typed: impl Into<String>) -> bool {
        let index = Field::index(name);
        if let Some(index) = index {
            self.0[index] = Some(typed.into());
        }
        index.is_some()
    }

    /// [`Draft::set`] for chaining.
    pub fn with(mut self, name: &str, typed: impl Into<String>) -> Draft {
        self.set(name, typed);
        self
    }

    /// In the order of [`FIELDS`].
    pub fn texts(&self) -> &[Option<String>; COUNT] {
        &self.0
    }

    /// As typed by a person: dates in any unambiguous spelling, keys as pasted. The API takes neither.
    /// Returns a problem for each date that cannot be read.
    pub fn typed(mut self) -> (Draft, Vec<Problem>) {
        let mut problems = Vec::new();
        for (field, text) in FIELDS.iter().zip(&mut self.0) {
            let Some(text) = text else { continue };
            *text = text.replace("\r\n", "\n");
            if field.is_date() {
                match Reading::of(text).day(field.label, text) {
                    Ok(day) => *text = day.map(date::format).unwrap_or_default(),
                    Err(message) => problems.push(Problem {
                        field: field.name,
                        message,
                    }),
                }
            } else if field.name == FIELDS[LICENSE_KEY].name {
                *text = cleaned(text);
            }
        }
        (self, problems)
    }

    /// Without the fields whose values are those that a form showed.
    pub fn changed_from(&self, shown: &Draft) -> Draft {
        let mut changed = self.clone();
        for (text, shown) in changed.0.iter_mut().zip(&shown.0) {
            if text == shown {
                *text = None;
            }
        }
        changed
    }

    /// Whether a field is to be changed that no longer has the value that a form showed.
    pub fn clashes(&self, shown: &Draft, current: &Draft) -> bool {
        let both = self.0.iter().zip(&shown.0).zip(&current.0);
        let mut sent = both.filter(|((typed, shown), _)| typed.is_some() && shown.is_some());
        sent.any(|((typed, shown), current)| typed != shown && current != shown && current != typed)
    }

    /// Takes each field from `base` unless it was sent here.
    pub fn over(self, base: Draft) -> Draft {
        let mut texts = base.0;
        for (text, typed) in texts.iter_mut().zip(self.0) {
            if typed.is_some() {
                *text = typed;
            }
        }
        Draft(texts)
    }
}

/// Every field as it would be typed.
impl From<&Values> for Draft {
    fn from(values: &Values) -> Draft {
        Draft(values.texts().map(|text| Some(text.into_owned())))
    }
}

/// From a JSON object whose values are strings or null, of features an array of strings, and of a flag a
/// boolean; other members are ignored.
impl<'de> Deserialize<'de> for Draft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Draft, D::Error> {
        deserializer.deserialize_map(DraftVisitor)
    }
}

struct DraftVisitor;

impl<'de> Visitor<'de> for DraftVisitor {
    type Value = Draft;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Draft, A::Error> {
        let mut draft = Draft::default();
        while let Some(name) = members.next_key::<String>()? {
            match Field::index(&name) {
                Some(index) if draft.0[index].is_some() => {
                    return Err(A::Error::duplicate_field(FIELDS[index].name));
                }
                Some(index) if FIELDS[index].kind == Kind::Features => {
                    let names: Option<Vec<String>> = members.next_value()?;
                    let names = names.unwrap_or_default();
                    if let Some(name) = names
                        .iter()
                        .find(|name| name.contains(entitlements::is_separator))
                    {
                        let message =
                            format!("the feature `{name}` contains a separator of features");
                        return Err(A::Error::custom(message));
                    }
                    draft.0[index] = Some(names.join(","));
                }
                Some(index) if FIELDS[index].kind == Kind::Flag => {
                    let is_set: Option<bool> = members.next_value()?;
                    draft.0[index] = Some(if is_set == Some(true) { YES } else { "" }.to_owned());
                }
                Some(index) => {
                    let typed: Option<String> = members.next_value()?;
                    draft.0[index] = Some(typed.unwrap_or_default());
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(draft)
    }
}
