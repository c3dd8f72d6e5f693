//! What a license or its activation code lets a program offer. The program decides what it means: the server only
//! carries it, signed.

use std::borrow::Cow;

use time::Date;

use super::{date, text};
use crate::error::Problem;

/// Names of features, and characters of each.
pub const MAX_FEATURES: usize = 50;
pub const FEATURE: usize = 50;
pub const EDITION: usize = 50;
/// Bytes.
pub const DATA: usize = 1_024;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entitlements {
    pub edition: Option<String>,
    /// Each once.
    pub features: Vec<String>,
    pub data: Option<String>,
    /// Compared by the program with the day on which it was built.
    pub updates_until: Option<Date>,
}

/// Columns and fields, in the order of [`Entitlements::texts`].
pub const NAMES: [&str; 4] = ["edition", "features", "data", "updates_until"];

impl Entitlements {
    pub fn is_empty(&self) -> bool {
        *self == Entitlements::default()
    }

    /// Empty for none.
    pub fn texts(&self) -> [Cow<'_, str>; 4] {
        let or_empty = |text: &'_ Option<String>| text.clone().unwrap_or_default();
        [
            or_empty(&self.edition).into(),
            self.features.join(", ").into(),
            or_empty(&self.data).into(),
            self.updates_until
                .map(date::format)
                .unwrap_or_default()
                .into(),
        ]
    }

    /// Reads what [`Entitlements::texts`] wrote; the error is the index of a text that cannot be read.
    pub fn from_texts([edition, features, data, updates_until]: [&str; 4]) -> Result<Self, usize> {
        let optional = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Ok(Entitlements {
            edition: optional(edition),
            features: names(features).map(str::to_owned).collect(),
            data: optional(data),
            updates_until: match updates_until {
                "" => None,
                day => Some(date::read(day).ok_or(3_usize)?),
            },
        })
    }

    /// What a license of a code has: each of its own values goes before that of the code.
    pub fn or(self, code: Entitlements) -> Entitlements {
        Entitlements {
            edition: self.edition.or(code.edition),
            features: match self.features.is_empty() {
                true => code.features,
                false => self.features,
            },
            data: self.data.or(code.data),
            updates_until: self.updates_until.or(code.updates_until),
        }
    }
}

/// The edition as it is stored.
pub fn parse_edition(typed: &str) -> Result<String, Problem> {
    let edition = text::optional("edition", "The edition", typed, EDITION)?;
    text::check_visible("edition", "The edition", &edition, EDITION)?;
    Ok(edition)
}

/// Names separated by commas, semicolons or line breaks, as they are stored.
pub fn parse_features(typed: &str) -> Result<String, Problem> {
    let field = "features";
    let mut features: Vec<&str> = vec![];
    for name in names(typed) {
        text::check_visible(
            field,
            &format!("The feature `{}`", text::shorten(name)),
            name,
            FEATURE,
        )?;
        if !features.contains(&name) {
            features.push(name);
        }
    }
    if features.len() > MAX_FEATURES {
        return Err(Problem {
            field,
            message: format!(
                "There are {} features; use at most {MAX_FEATURES}.",
                features.len()
            ),
        });
    }
    Ok(features.join(", "))
}

/// The data as it is stored.
pub fn parse_data(typed: &str) -> Result<String, Problem> {
    let data = text::lines("data", "The data", typed, DATA)?;
    match data.len() {
        ..=DATA => Ok(data),
        bytes => Err(Problem {
            field: "data",
            message: format!("The data has {bytes} bytes; use at most {DATA}."),
        }),
    }
}

/// What separates features; no name contains it.
pub fn is_separator(c: char) -> bool {
    matches!(c, ',' | ';' | '\n' | '\r')
}

/// The names of features in a text.
pub fn names(typed: &str) -> impl Iterator<Item = &str> {
    let names = typed.split(is_separator).map(str::trim);
    names.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn features_are_named_once_and_separated_in_any_way() {
        let stored = parse_features(" export,batch ;export\r\nOCR ").unwrap();
        assert_eq!(stored, "export, batch, OCR");
        assert_eq!(parse_features(&stored).unwrap(), stored);
        assert!(parse_features(&"x".repeat(FEATURE + 1)).is_err());
        let many = |number: usize| {
            let all: Vec<String> = (0..number).map(|n| n.to_string()).collect();
            parse_features(&all.join(","))
        };
        assert!(many(MAX_FEATURES).is_ok() && many(MAX_FEATURES + 1).is_err());
    }

    #[test]
    fn data_is_limited_in_bytes() {
        assert!(parse_data(&"x".repeat(DATA)).is_ok());
        assert!(parse_data(&"ä".repeat(DATA / 2 + 1)).is_err());
    }

    #[test]
    fn a_license_goes_before_its_code_value_by_value() {
        let code = Entitlements {
            edition: Some("Pro".into()),
            features: vec!["export".into()],
            data: None,
            updates_until: Some(date!(2027 - 12 - 31)),
        };
        let own = Entitlements {
            features: vec!["ocr".into()],
            ..Entitlements::default()
        };
        assert_eq!(
            own.or(code.clone()),
            Entitlements {
                features: vec!["ocr".into()],
                ..code.clone()
            }
        );
        let texts = code.texts();
        let read = Entitlements::from_texts(texts.each_ref().map(|text| &**text));
        assert_eq!(read, Ok(code));
    }
}
