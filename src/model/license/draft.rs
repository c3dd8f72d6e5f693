//! The values of a license as they were typed or sent.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::fields::{COUNT, FIELDS, Field, Kind, LICENSE_KEY, USER_ID, YES};
use super::{Status, Values};
use crate::error::{Error, Problem};
use crate::model::pasted_key::cleaned;
use crate::model::text::{keep, name, renamed};
use crate::model::typed_date::Reading;
use crate::model::{date, entitlements};

const REASON: &str = "reason";

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
            } else if field.name == FIELDS[USER_ID].name {
                *text = name(text);
            }
        }
        (self, problems)
    }

    /// With the customer of `current` if it is only written in another way here.
    pub fn keeping_customer(mut self, current: &str) -> Draft {
        if let Some(typed) = &mut self.0[USER_ID] {
            *typed = renamed(typed, current);
        }
        self
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

/// What a program changes, and why.
#[derive(Debug)]
pub struct DraftChange {
    pub draft: Draft,
    pub reason: String,
}

impl<'de> Deserialize<'de> for DraftChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DraftChange, D::Error> {
        let (draft, reason) = deserializer.deserialize_map(DraftVisitor { has_reason: true })?;
        Ok(DraftChange { draft, reason })
    }
}

/// From a JSON object whose values are strings or null, of features an array of strings, and of a flag a
/// boolean; other members are ignored.
impl<'de> Deserialize<'de> for Draft {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Draft, D::Error> {
        let (draft, _) = deserializer.deserialize_map(DraftVisitor { has_reason: false })?;
        Ok(draft)
    }
}

struct DraftVisitor {
    has_reason: bool,
}

impl<'de> Visitor<'de> for DraftVisitor {
    type Value = (Draft, String);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut draft, mut reason) = (Draft::default(), String::new());
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
                None if self.has_reason && name == REASON => {
                    reason = members.next_value::<Option<String>>()?.unwrap_or_default();
                }
                None => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((draft, reason))
    }
}

impl Values {
    /// Reports all problems at once, so that a form can show each next to its field.
    pub fn parse(draft: &Draft) -> Result<Values, Error> {
        let mut problems = Vec::new();
        let mut clean = |index: usize| {
            let typed = draft.0[index].as_deref().unwrap_or_default();
            keep(&mut problems, FIELDS[index].clean(typed))
        };
        let texts: [String; COUNT] = std::array::from_fn(&mut clean);
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        Values::from_texts(texts.each_ref().map(String::as_str)).map_err(|index| {
            let (name, text) = (FIELDS[index].name, &texts[index]);
            Error::Internal(format!("`{text}` was accepted as {name}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft::new()
            .with("tool_name", " Tool_A ")
            .with("license_key", "0A-1B-2C-3D-4E-5F")
            .with("user_id", "  ")
            .with("expiration_date", "2024-02-29")
    }

    fn invalid_fields(draft: &Draft) -> Vec<&'static str> {
        match Values::parse(draft) {
            Err(Error::Invalid(problems)) => problems.iter().map(|p| p.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_trimmed_and_the_key_is_canonical() {
        let values = Values::parse(&draft()).unwrap();
        assert_eq!(
            (&*values.tool_name, &*values.license_key, values.user_id),
            ("Tool_A", "0a:1b:2c:3d:4e:5f", None)
        );
    }

    #[test]
    fn every_invalid_field_is_named_at_once() {
        let mut bad = draft()
            .with("tool_name", "")
            .with("license_key", "a\u{7}b")
            .with("status", "active")
            .with("expiration_date", "2024-02-30");
        for field in FIELDS
            .iter()
            .filter(|field| field.limit > 0 && field.kind != Kind::Required)
        {
            bad.set(field.name, "x".repeat(field.limit + 1));
        }
        bad.set("updates_until", "soon");
        bad.set("trial", "perhaps");
        assert_eq!(invalid_fields(&bad), FIELDS.map(|field| field.name));
    }

    #[test]
    fn only_calendar_days_are_dates() {
        for typed in [
            "2023-02-29",
            "2024-13-01",
            "24-01-01",
            "2024-1-1",
            "2024/01/01",
            "+2024-01-01",
            "-024-01-01",
            "0000-01-01",
            "today",
        ] {
            let bad = draft().with("expiration_date", typed);
            assert_eq!(invalid_fields(&bad), ["expiration_date"], "{typed}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let with_name = |length| draft().with("tool_name", "ä".repeat(length));
        assert!(Values::parse(&with_name(100)).is_ok());
        assert_eq!(invalid_fields(&with_name(101)), ["tool_name"]);
    }

    #[test]
    fn texts_and_values_say_the_same() {
        let values = Values::parse(&draft().with("note", "two\nlines")).unwrap();
        let texts = values.texts();
        assert_eq!(
            Values::from_texts(texts.each_ref().map(|t| &**t)),
            Ok(values.clone())
        );
        assert_eq!(Values::parse(&Draft::from(&values)), Ok(values));
    }
}
