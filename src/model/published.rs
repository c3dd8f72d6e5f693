//! A license in its published form: as JSON and as a CSV line; and an activation code as one.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::format_description;

use super::activation_code::ListedCode;
use super::check::ListedLicense;
use super::code_format::shown;
use super::import::csv_line;
use super::license::License;
use super::license::fields::{FIELDS, Field, Kind, PUBLISHED, YES};
use crate::error::Error;

/// In JSON the published fields come first, then the data about checks, then the other fields.
#[derive(Debug)]
pub struct Row(ListedLicense);

impl From<ListedLicense> for Row {
    fn from(listed: ListedLicense) -> Row {
        Row(listed)
    }
}

impl Row {
    /// Empty if the license was never seen.
    fn last_seen_at(&self) -> String {
        let last_check = self.0.last_check.as_ref();
        last_check
            .map(|check| format_moment(check.last_at))
            .unwrap_or_default()
    }

    fn check_count(&self) -> i64 {
        self.0
            .last_check
            .as_ref()
            .map_or(0, |check| check.check_count)
    }

    /// In the order of [`column_names`].
    pub fn cells(&self) -> Vec<String> {
        let license = &self.0.license;
        let texts = license.texts().map(|text| text.into_owned());
        let mut cells = vec![license.id.to_string(), format_moment(license.created_at)];
        cells.extend(texts);
        let code = shown(&self.0.activation_code);
        cells.extend([self.last_seen_at(), self.check_count().to_string(), code]);
        cells
    }

    pub fn csv_line(&self) -> Result<String, Error> {
        let cells = self.cells();
        csv_line(&cells.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

/// The JSON value of a field.
fn value(field: &Field, text: &str, license: &License) -> Value {
    match field.kind {
        Kind::Features => license.entitlements.features.clone().into(),
        Kind::Flag => (text == YES).into(),
        _ => or_null(text).into(),
    }
}

/// A license without what is about a person.
pub fn impersonal(license: &License) -> Map<String, Value> {
    let texts = license.texts();
    let fields = FIELDS.iter().zip(&texts);
    let mut all: Map<String, Value> = fields
        .filter(|(field, _)| !field.is_personal)
        .map(|(field, text)| (field.name.to_owned(), value(field, text, license)))
        .collect();
    let created_at = format_moment(license.created_at);
    let code_id = license.seat.map(|seat| seat.code_id);
    all.insert("id".to_owned(), license.id.into());
    all.insert("created_at".to_owned(), created_at.into());
    all.insert("code_id".to_owned(), code_id.into());
    all.insert("moved_to".to_owned(), license.moved_to.into());
    all
}

/// The columns of an exported table.
pub fn column_names() -> impl Iterator<Item = &'static str> {
    let fields = FIELDS.iter().map(|field| field.name);
    let others = ["last_seen_at", "check_count", "activation_code"];
    ["id", "created_at"].into_iter().chain(fields).chain(others)
}

/// The first line of a CSV file of licenses, without [`BOM`](super::import::BOM).
pub fn csv_header() -> Result<String, Error> {
    csv_line(&column_names().collect::<Vec<_>>())
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let license = &self.0.license;
        let texts = license.texts();
        let mut fields = FIELDS.iter().zip(&texts);
        let mut row = serializer.serialize_map(Some(4 + FIELDS.len()))?;
        row.serialize_entry("id", &license.id)?;
        row.serialize_entry("created_at", &format_moment(license.created_at))?;
        for (field, text) in fields.by_ref().take(PUBLISHED) {
            row.serialize_entry(field.name, &or_null(text))?;
        }
        row.serialize_entry("last_seen_at", &or_null(&self.last_seen_at()))?;
        row.serialize_entry("check_count", &self.check_count())?;
        for (field, text) in fields {
            row.serialize_entry(field.name, &value(field, text, license))?;
        }
        row.end()
    }
}

/// The columns of an exported table of activation codes; an import reads them.
pub const CODE_COLUMNS: [&str; 16] = [
    "activation_code",
    "tool_name",
    "status",
    "seats",
    "seats_used",
    "expiration_date",
    "days",
    "moves_per_year",
    "customer",
    "order_ref",
    "note",
    "edition",
    "features",
    "data",
    "updates_until",
    "created_at",
];

/// In the order of [`CODE_COLUMNS`].
pub fn code_cells(listed: &ListedCode) -> Vec<String> {
    let code = &listed.code;
    let [
        status,
        seats,
        expires,
        days,
        moves,
        customer,
        order_ref,
        note,
        edition,
        features,
        data,
        updates_until,
    ] = code.values.texts().map(|(_, text)| text);
    let shown = code.shown();
    let (tool_name, used) = (code.tool_name.clone(), listed.seats_used.to_string());
    let created_at = format_moment(code.created_at);
    let first = [shown, tool_name, status, seats, used, expires, days, moves];
    first
        .into_iter()
        .chain([customer, order_ref, note])
        .chain([edition, features, data, updates_until, created_at])
        .collect()
}

fn or_null(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub fn format_moment(moment: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.format(format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::model::check::LastCheck;
    use crate::model::license::{Draft, License, Values, Verdict};

    fn row(draft: Draft, last_check: Option<LastCheck>) -> Row {
        let draft = draft.with("tool_name", "T").with("license_key", "k");
        Row::from(ListedLicense {
            license: License {
                id: 7,
                created_at: datetime!(2024-01-02 03:04:05 UTC),
                moved_to: None,
                seat: None,
                offline_until: None,
                values: Values::parse(&draft).unwrap(),
            },
            last_seen_on: String::new(),
            last_check,
            address_count: 0,
            host_count: 0,
            activation_code: String::new(),
        })
    }

    #[test]
    fn the_published_fields_come_first_and_none_is_null() {
        let row = row(Draft::new(), None);
        let json = serde_json::to_string(&row).unwrap();
        let begin =
            r#"{"id":7,"created_at":"2024-01-02 03:04:05","tool_name":"T","license_key":"k","#
                .to_owned()
                + r#""status":"activated","user_id":null,"expiration_date":null,"#
                + r#""last_seen_at":null,"check_count":0,"note":null"#;
        assert!(json.starts_with(&begin), "{json}");
        let csv = row.csv_line().unwrap();
        assert!(
            csv.starts_with("7,2024-01-02 03:04:05,T,k,activated,,,,"),
            "{csv}"
        );
        assert!(csv.ends_with(",,0,\r\n"), "{csv}");
    }

    #[test]
    fn checks_are_between_the_published_fields_and_the_others() {
        let last_check = LastCheck {
            last_at: datetime!(2026-06-15 12:00 UTC),
            check_count: 3,
            refused_count: 0,
            verdict: Verdict::Valid,
            address: String::new(),
            client: Default::default(),
        };
        let draft = Draft::new()
            .with("user_id", "Anna")
            .with("expiration_date", "2026-12-31")
            .with("note", "a\nb");
        let row = row(draft, Some(last_check));
        let json = serde_json::to_string(&row).unwrap();
        let part = r#""user_id":"Anna","expiration_date":"2026-12-31","last_seen_at":"2026-06-15 12:00:00","check_count":3,"note":"a\nb""#;
        assert!(json.contains(part), "{json}");
        let csv = row.csv_line().unwrap();
        assert!(csv.contains("Anna,2026-12-31,\"a\nb\","), "{csv}");
        assert!(csv.ends_with(",2026-06-15 12:00:00,3,\r\n"), "{csv}");
    }

    #[test]
    fn the_header_names_the_columns_in_their_order() {
        let header = csv_header().unwrap();
        let begin = "id,created_at,tool_name,license_key,status,user_id,expiration_date,note";
        assert!(header.starts_with(begin), "{header}");
        assert!(
            header.ends_with(",last_seen_at,check_count,activation_code\r\n"),
            "{header}"
        );
    }
}
