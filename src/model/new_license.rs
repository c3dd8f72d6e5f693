//! What may be written into a row: one validator for forms, API and imports.

use serde::{Deserialize, Deserializer};
use time::Date;

use super::license::{License, Status};
use super::mac::canonical_key;
use super::text;
use crate::error::{Error, Problem};

/// Characters that a tool's name may have.
pub const TOOL_NAME_LENGTH: usize = 100;
/// Characters that a license key may have.
pub const LICENSE_KEY_LENGTH: usize = 255;
/// Characters that a customer's name may have.
pub const USER_ID_LENGTH: usize = 255;
/// Characters that a note may have.
pub const NOTE_LENGTH: usize = 2_000;

/// The values of a license as somebody typed them; empty stands for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The tool's name.
    pub tool_name: String,
    /// The machine's id, in any spelling.
    pub license_key: String,
    /// One of the published words.
    pub status: String,
    /// Whose license it is.
    pub user_id: String,
    /// `YYYY-MM-DD`.
    pub expiration_date: String,
    /// What the admin wants to remember; may have several lines.
    pub note: String,
}

impl Draft {
    /// What a new license begins with.
    pub fn new() -> Draft {
        Draft {
            status: Status::Activated.to_string(),
            ..Draft::default()
        }
    }
}

/// New values for some fields: an absent field (outer none) stays, null (inner none) empties it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Change {
    /// The tool's name.
    #[serde(deserialize_with = "present")]
    pub tool_name: Option<Option<String>>,
    /// The machine's id.
    #[serde(deserialize_with = "present")]
    pub license_key: Option<Option<String>>,
    /// One of the published words.
    #[serde(deserialize_with = "present")]
    pub status: Option<Option<String>>,
    /// Whose license it is.
    #[serde(deserialize_with = "present")]
    pub user_id: Option<Option<String>>,
    /// `YYYY-MM-DD`.
    #[serde(deserialize_with = "present")]
    pub expiration_date: Option<Option<String>>,
    /// What the admin wants to remember.
    #[serde(deserialize_with = "present")]
    pub note: Option<Option<String>>,
}

/// A change of every field.
impl From<Draft> for Change {
    fn from(draft: Draft) -> Change {
        Change {
            tool_name: Some(Some(draft.tool_name)),
            license_key: Some(Some(draft.license_key)),
            status: Some(Some(draft.status)),
            user_id: Some(Some(draft.user_id)),
            expiration_date: Some(Some(draft.expiration_date)),
            note: Some(Some(draft.note)),
        }
    }
}

fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}

impl Change {
    /// The draft with the new values in it.
    pub fn apply(self, draft: Draft) -> Draft {
        let new = |old: String, change: Option<Option<String>>| {
            change.map_or(old, Option::unwrap_or_default)
        };
        Draft {
            tool_name: new(draft.tool_name, self.tool_name),
            license_key: new(draft.license_key, self.license_key),
            status: new(draft.status, self.status),
            user_id: new(draft.user_id, self.user_id),
            expiration_date: new(draft.expiration_date, self.expiration_date),
            note: new(draft.note, self.note),
        }
    }
}

/// Values that may be written into a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLicense {
    /// The tool's name.
    pub tool_name: String,
    /// The machine's id, in its canonical spelling.
    pub license_key: String,
    /// What the admin has decided.
    pub status: Status,
    /// Whose license it is.
    pub user_id: Option<String>,
    /// The last good day.
    pub expiration_date: Option<Date>,
    /// What the admin wants to remember.
    pub note: Option<String>,
}

impl NewLicense {
    /// All problems at once, so that a form can show each beside its field.
    pub fn parse(draft: &Draft) -> Result<NewLicense, Error> {
        let tool_name = text::required(
            "tool_name",
            "The tool name",
            &draft.tool_name,
            TOOL_NAME_LENGTH,
        );
        let key = text::required(
            "license_key",
            "The license key",
            &draft.license_key,
            LICENSE_KEY_LENGTH,
        );
        let status = Status::parse(&draft.status);
        let user_id = text::optional("user_id", "The customer", &draft.user_id, USER_ID_LENGTH);
        let date = parse_date(&draft.expiration_date);
        let note = text::note("note", "The note", &draft.note, NOTE_LENGTH);
        match (tool_name, key, status, user_id, date, note) {
            (Ok(tool_name), Ok(key), Ok(status), Ok(user_id), Ok(expiration_date), Ok(note)) => {
                Ok(NewLicense {
                    tool_name,
                    license_key: canonical_key(&key).into_owned(),
                    status,
                    user_id,
                    expiration_date,
                    note,
                })
            }
            (tool_name, key, status, user_id, date, note) => Err(Error::Invalid(
                [
                    tool_name.err(),
                    key.err(),
                    status.err(),
                    user_id.err(),
                    date.err(),
                    note.err(),
                ]
                .into_iter()
                .flatten()
                .collect(),
            )),
        }
    }
}

/// The values of a row.
impl From<&License> for NewLicense {
    fn from(license: &License) -> NewLicense {
        NewLicense {
            tool_name: license.tool_name.clone(),
            license_key: license.license_key.clone(),
            status: license.status,
            user_id: license.user_id.clone(),
            expiration_date: license.expiration_date,
            note: license.note.clone(),
        }
    }
}

/// A row as it would be typed, to be edited.
impl From<&License> for Draft {
    fn from(license: &License) -> Draft {
        Draft {
            tool_name: license.tool_name.clone(),
            license_key: license.license_key.clone(),
            status: license.status.to_string(),
            user_id: license.user_id.clone().unwrap_or_default(),
            expiration_date: license.expiration_date.map(format_date).unwrap_or_default(),
            note: license.note.clone().unwrap_or_default(),
        }
    }
}

/// Values as they would be typed.
impl From<&NewLicense> for Draft {
    fn from(new: &NewLicense) -> Draft {
        Draft {
            tool_name: new.tool_name.clone(),
            license_key: new.license_key.clone(),
            status: new.status.to_string(),
            user_id: new.user_id.clone().unwrap_or_default(),
            expiration_date: new.expiration_date.map(format_date).unwrap_or_default(),
            note: new.note.clone().unwrap_or_default(),
        }
    }
}

fn parse_date(typed: &str) -> Result<Option<Date>, Problem> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(None);
    }
    read_date(typed).map(Some).ok_or_else(|| Problem {
        field: "expiration_date",
        message: format!(
            "The expiration date `{typed}` is not a calendar day; write it as YYYY-MM-DD, \
             such as 2026-12-31, or leave it empty for a license without end."
        ),
    })
}

/// A real day of the years 1 to 9999, exactly `YYYY-MM-DD`; read by hand because the check does it
/// each time.
pub fn read_date(text: &str) -> Option<Date> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u16, |n, c| {
            c.is_ascii_digit().then(|| n * 10 + u16::from(c - b'0'))
        })
    };
    let year = number(&[y1, y2, y3, y4]).filter(|year| *year >= 1)?;
    let month = u8::try_from(number(&[m1, m2])?).ok()?;
    let day = u8::try_from(number(&[d1, d2])?).ok()?;
    Date::from_calendar_date(year.into(), month.try_into().ok()?, day).ok()
}

/// `YYYY-MM-DD`.
pub fn format_date(date: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            tool_name: " Tool_A ".into(),
            license_key: "0A-1B-2C-3D-4E-5F".into(),
            status: "activated".into(),
            user_id: "  ".into(),
            expiration_date: "2024-02-29".into(),
            note: String::new(),
        }
    }

    fn fields_at_fault(draft: &Draft) -> Vec<&'static str> {
        match NewLicense::parse(draft) {
            Err(Error::Invalid(problems)) => problems.iter().map(|p| p.field).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn white_space_around_values_is_removed_and_the_key_is_canonical() {
        let new = NewLicense::parse(&draft()).unwrap();
        assert_eq!(
            (new.tool_name.as_str(), new.license_key.as_str()),
            ("Tool_A", "0a:1b:2c:3d:4e:5f")
        );
        assert_eq!(new.user_id, None);
    }

    #[test]
    fn every_field_at_fault_is_named_at_once() {
        let bad = Draft {
            tool_name: String::new(),
            license_key: "a\u{7}b".into(),
            status: "active".into(),
            user_id: "x".repeat(256),
            expiration_date: "2024-02-30".into(),
            note: "x".repeat(2001),
        };
        assert_eq!(
            fields_at_fault(&bad),
            [
                "tool_name",
                "license_key",
                "status",
                "user_id",
                "expiration_date",
                "note"
            ]
        );
    }

    #[test]
    fn only_real_calendar_days_are_dates() {
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
            let bad = Draft {
                expiration_date: typed.into(),
                ..draft()
            };
            assert_eq!(fields_at_fault(&bad), ["expiration_date"], "{typed}");
        }
    }

    #[test]
    fn lengths_are_counted_in_characters() {
        let long = Draft {
            tool_name: "ä".repeat(100),
            ..draft()
        };
        assert!(NewLicense::parse(&long).is_ok());
        let longer = Draft {
            tool_name: "ä".repeat(101),
            ..draft()
        };
        assert_eq!(fields_at_fault(&longer), ["tool_name"]);
    }
}
