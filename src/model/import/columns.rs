//! What the headings of a table and the keys of an object mean.

use std::collections::BTreeMap;

use super::refused;
use crate::error::Error;
use crate::model::fold::folded;
use crate::model::license::fields::{EXPIRATION_DATE, FIELDS, Field};
use crate::model::text::shorten;
use crate::model::typed_date::is_date;

/// Names of ignored columns that are kept.
const MAX_IGNORED: usize = 50;

/// Values of an ignored column that are read.
const MAX_VALUES: u32 = 1_000;

const CREATED_AT: &str = "created_at";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// An index into [`FIELDS`].
    Field(usize),
    CreatedAt,
    /// A column of our own export that an import does not change.
    ExportedOnly,
    Unknown,
}

impl Column {
    /// Only letters and digits count, without case, accents and what is in brackets. A bare `name`
    /// could be the tool's or the customer's, so it is unknown.
    pub(super) fn from_heading(heading: &str) -> Column {
        let end = heading.find(['(', '[']).filter(|end| *end > 0);
        let mut name = folded(&heading[..end.unwrap_or(heading.len())]);
        name.retain(char::is_alphanumeric);
        match name.as_str() {
            "createdat" | "createdon" | "created" => Column::CreatedAt,
            "id" | "lastseenat" | "checkcount" => Column::ExportedOnly,
            name => match FIELDS.iter().position(|field| is_named(field, name)) {
                Some(index) => Column::Field(index),
                None => Column::Unknown,
            },
        }
    }

    pub(super) fn is_imported(self) -> bool {
        self.name().is_some()
    }

    /// The published name of a column that is imported.
    fn name(self) -> Option<&'static str> {
        match self {
            Column::Field(index) => Some(FIELDS[index].name),
            Column::CreatedAt => Some(CREATED_AT),
            Column::ExportedOnly | Column::Unknown => None,
        }
    }
}

fn is_named(field: &Field, name: &str) -> bool {
    let own = field.name.bytes().filter(|c| *c != b'_');
    own.eq(name.bytes()) || field.headings.contains(&name)
}

/// Unknown columns.
#[derive(Debug, Default)]
pub(super) struct Ignored {
    columns: BTreeMap<String, IgnoredValues>,
    has_expiration: bool,
}

/// How many values of a column were read, and how many of them are dates.
#[derive(Debug, Default)]
struct IgnoredValues {
    filled: u32,
    dates: u32,
}

impl Ignored {
    fn add(&mut self, name: &str) {
        if self.columns.len() < MAX_IGNORED {
            self.columns.entry(shown(name)).or_default();
        }
    }

    /// Takes note of a value of the column, whose name is as [`shown`].
    pub(super) fn note(&mut self, name: &str, value: &str) {
        let Some(values) = self.columns.get_mut(name) else {
            return;
        };
        if values.filled < MAX_VALUES && !value.trim().is_empty() {
            values.filled += 1;
            values.dates += u32::from(is_date(value));
        }
    }

    /// Refuses a file whose expiration dates would be ignored, which would make every license perpetual.
    pub(super) fn into_names(self) -> Result<Vec<String>, Error> {
        let is_dates =
            |values: &IgnoredValues| values.dates > 0 && values.dates * 2 > values.filled;
        let dates = self.columns.iter().find(|(_, values)| is_dates(values));
        match dates {
            Some((name, _)) if !self.has_expiration => Err(refused(format!(
                "The column `{name}` has dates, but no column is the expiration date, so every license \
                 would be perpetual. Name the column with the expiration dates `expiration_date`. If the \
                 licenses are perpetual, add an empty column `expiration_date`."
            ))),
            _ => Ok(self.columns.into_keys().collect()),
        }
    }
}

pub(super) fn shown(name: &str) -> String {
    match name.trim() {
        "" => "(without a name)".to_owned(),
        name => shorten(name),
    }
}

/// The column for each heading; the error is a message about two headings for one column.
pub(super) fn columns<'h>(
    headings: impl Iterator<Item = &'h str>,
    ignored: &mut Ignored,
) -> Result<Vec<Column>, String> {
    let mut taken: Vec<(&str, &str)> = Vec::new();
    let mut columns = Vec::new();
    for heading in headings {
        let column = Column::from_heading(heading);
        if let Some(name) = column.name() {
            if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == name) {
                return Err(format!(
                    "`{}` and `{}` both mean {name}; keep one of them.",
                    shorten(other.trim()),
                    shorten(heading.trim()),
                ));
            }
            taken.push((name, heading));
        }
        match column {
            Column::Unknown => ignored.add(heading),
            Column::Field(EXPIRATION_DATE) => ignored.has_expiration = true,
            _ => {}
        }
        columns.push(column);
    }
    Ok(columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_and_headings_mean_their_fields() {
        for (index, field) in FIELDS.iter().enumerate() {
            for name in field.headings.iter().chain([&field.name]) {
                assert_eq!(Column::from_heading(name), Column::Field(index), "{name}");
            }
        }
        assert_eq!(Column::from_heading(CREATED_AT), Column::CreatedAt);
    }

    #[test]
    fn case_and_separators_do_not_matter() {
        let key = Field::index("license_key").unwrap();
        for name in [
            "MAC address",
            " mac-address ",
            "Mac_Address",
            "MACADDRESS",
            "Machine ID",
            "\u{200b}MAC-Adresse:",
            "Clé de licence",
            "MAC (as shown in the About box)",
        ] {
            assert_eq!(Column::from_heading(name), Column::Field(key), "{name}");
        }
        for name in [
            "Valid until",
            "Expire Date",
            "Last day",
            "Gültig bis",
            "ważny do",
            "Échéance",
        ] {
            let column = Column::from_heading(name);
            assert_eq!(column, Column::Field(EXPIRATION_DATE), "{name}");
        }
        assert_eq!(Column::from_heading("Last-Seen At"), Column::ExportedOnly);
        assert_eq!(Column::from_heading("name"), Column::Unknown);
    }

    #[test]
    fn two_names_for_one_field_are_both_named() {
        let mut ignored = Ignored::default();
        let message = columns(["Tool", "key", "Product"].into_iter(), &mut ignored).unwrap_err();
        assert!(message.contains("`Tool` and `Product`"), "{message}");
        assert!(message.contains("tool_name"), "{message}");
        assert!(columns(["created", "Created at"].into_iter(), &mut ignored).is_err());
        assert!(columns(["id", "id", "x", "x"].into_iter(), &mut ignored).is_ok());
    }

    #[test]
    fn ignored_names_are_few_short_and_named_once() {
        let mut ignored = Ignored::default();
        for name in ["colour", " colour ", "", "id"] {
            columns([name].into_iter(), &mut ignored).unwrap();
        }
        columns(["x".repeat(1_000).as_str()].into_iter(), &mut ignored).unwrap();
        let long = format!("{}…", "x".repeat(120));
        let mut many = Ignored::default();
        (0..1_000).for_each(|n| many.add(&n.to_string()));
        assert_eq!(
            ignored.into_names().unwrap(),
            ["(without a name)", "colour", &long]
        );
        assert_eq!(many.into_names().unwrap().len(), 50);
    }
}
