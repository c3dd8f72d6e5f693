//! A JSON array in the format of `GET /api/licenses`.

use std::collections::{BTreeMap, HashMap};
use std::vec;

use serde_json::value::RawValue;

use super::columns::Column;
use super::raw::{Cell, CellKind, RawRow};
use super::refused;
use crate::error::Error;
use crate::model::license::fields::{FIELDS, Kind};
use crate::model::text::{grouped, shorten};

/// The elements of an array, each of them syntactically valid.
pub(super) struct Elements<'t> {
    rest: vec::IntoIter<&'t RawValue>,
    line: u64,
    /// The keys seen so far, in order, and the first one too many.
    keys: Vec<String>,
    positions: HashMap<String, usize>,
}

/// Different keys in a file; more are no table.
const MAX_KEYS: usize = 1_000;

/// Levels of objects in others that are read.
const DEPTH: usize = 4;

impl<'t> Elements<'t> {
    pub(super) fn read(text: &'t str) -> Result<Elements<'t>, Error> {
        let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
            refused(format!(
                "The file begins like a JSON array but is not valid JSON: {error}. Fix it there, \
                 or export it again."
            ))
        })?;
        Ok(Elements {
            rest: elements.into_iter(),
            line: 0,
            keys: vec![],
            positions: HashMap::new(),
        })
    }

    /// The keys seen so far, in order; an error if there are too many.
    pub(super) fn keys(&self) -> Result<&[String], Error> {
        match self.keys.get(MAX_KEYS) {
            None => Ok(&self.keys),
            Some(key) => Err(refused(format!(
                "The objects in the file have more than {} different keys: `{}` in element {} is one too many. Export \
                 only the fields that an import needs.",
                grouped(MAX_KEYS as i64),
                shorten(key),
                self.line
            ))),
        }
    }

    pub(super) fn next(&mut self) -> Option<RawRow> {
        let element = self.rest.next()?.get();
        self.line += 1;
        let (cells, fault) = match self.cells(element) {
            Ok(cells) => (cells, None),
            Err(fault) => (vec![Cell::text(element)], Some(fault)),
        };
        Some(RawRow {
            line: self.line,
            cells,
            fault,
        })
    }

    /// The error is a message for people.
    fn cells(&mut self, element: &str) -> Result<Vec<Cell>, String> {
        if !element.starts_with('{') {
            return Err(format!(
                "The element is `{}`; it must be an object such as \
                 {{\"tool_name\": \"…\", \"license_key\": \"…\"}}.",
                shorten(element)
            ));
        }
        let values: BTreeMap<String, &RawValue> = serde_json::from_str(element).map_err(|_| {
            "A key of the element has an escape that is not a character.".to_owned()
        })?;
        let absent = Cell {
            kind: CellKind::Absent,
            ..Cell::default()
        };
        let mut cells = vec![absent.clone(); self.keys.len()];
        let mut flat = Vec::new();
        for (key, value) in values {
            flatten(key, value, DEPTH, &mut flat);
        }
        for (key, value) in flat {
            let at = match self.positions.get(&key) {
                Some(at) => *at,
                None if self.keys.len() <= MAX_KEYS => {
                    self.positions.insert(key.clone(), self.keys.len());
                    self.keys.push(key);
                    cells.push(absent.clone());
                    self.keys.len() - 1
                }
                None => continue,
            };
            let field = FIELDS.iter().find(|field| field.name == self.keys[at]);
            cells[at] = cell(value.get(), field.map(|field| field.kind));
        }
        Ok(cells)
    }
}

/// Gives each value in a nested object, or in an array of objects, a key such as `meta.expires` or `terms.1.days`. A value
/// whose own key is that of a field stays whole.
fn flatten<'t>(
    key: String,
    value: &'t RawValue,
    depth: usize,
    flat: &mut Vec<(String, &'t RawValue)>,
) {
    let text = value.get();
    let is_list = text.starts_with('[') && text[1..].trim_start().starts_with('{');
    let is_nested = depth > 0 && (is_list || text.starts_with('{'));
    if !is_nested || Column::from_heading(&key) != Column::Unknown {
        return flat.push((key, value));
    }
    let inner: Option<Vec<(String, &RawValue)>> = match is_list {
        true => serde_json::from_str(text).ok().map(|list: Vec<&RawValue>| {
            let numbered = (1..).zip(list);
            numbered
                .map(|(at, value): (usize, _)| (at.to_string(), value))
                .collect()
        }),
        false => serde_json::from_str(text)
            .ok()
            .map(|object: BTreeMap<String, &RawValue>| object.into_iter().collect()),
    };
    match inner {
        None => flat.push((key, value)),
        Some(inner) => {
            for (name, value) in inner {
                flatten(format!("{key}.{name}"), value, depth - 1, flat);
            }
        }
    }
}

/// The text of a syntactically valid value: numbers verbatim, features as a list, empty for null.
fn cell(value: &str, kind: Option<Kind>) -> Cell {
    let text = match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value)
            .ok()
            .filter(|text: &String| !text.contains('\0')),
        Some(b'-' | b'0'..=b'9') => Some(value.to_owned()),
        Some(b'[') if kind == Some(Kind::Features) => serde_json::from_str(value)
            .ok()
            .map(|names: Vec<String>| names.join(", ")),
        Some(b't' | b'f') if kind == Some(Kind::Flag) => Some(value.to_owned()),
        _ if value == "null" => Some(String::new()),
        _ => None,
    };
    text.map_or_else(
        || Cell {
            text: value.to_owned(),
            kind: CellKind::Other,
        },
        Cell::text,
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only, read, refusal, rows};
    use super::super::{ImportOptions, RowUnit, Sheet};

    #[test]
    fn the_published_answer_is_read_as_it_is() {
        let answer = r#" [
            {"id": 1, "created_at": "2023-10-27 10:00:00", "tool_name": "A", "license_key": "K",
             "status": "activated", "user_id": null, "expiration_date": "2024-12-31",
             "last_seen_at": null, "check_count": 0}
        ]"#;
        let row = only(answer);
        assert_eq!(row.created_at.as_deref(), Some("2023-10-27 10:00:00"));
        for (name, cell) in [
            ("tool_name", Some("A")),
            ("license_key", Some("K")),
            ("status", Some("activated")),
            ("user_id", Some("")),
            ("expiration_date", Some("2024-12-31")),
            ("note", None),
        ] {
            assert_eq!(row.cell(name), cell, "{name}");
        }
        assert!(read(answer).unwrap().1.is_empty());
        let sheet = Sheet::read(answer, &ImportOptions::default()).unwrap();
        assert_eq!(sheet.unit, RowUnit::Element);
    }

    #[test]
    fn a_number_is_its_text_digit_by_digit() {
        let row = only(r#"[{"tool_name": 1.50, "key": 12345678901234567890123, "user": -7}]"#);
        assert_eq!(row.cell("tool_name"), Some("1.50"));
        assert_eq!(row.cell("license_key"), Some("12345678901234567890123"));
        assert_eq!(row.cell("user_id"), Some("-7"));
    }

    #[test]
    fn no_element_is_restored_like_a_cell() {
        let row = only(r#"[{"key": "'=K\n"}]"#);
        assert_eq!(row.cell("license_key"), Some("'=K\n"));
    }

    #[test]
    fn an_invalid_element_does_not_end_the_reading() {
        let rows = rows(
            r#"[5, {"key": ["K"]}, {"key": true}, {"key": "\ud800"}, {"key": "\u0000"},
                {"\ud800": 1}, {"key": "K", "id": []}, null]"#,
        );
        let valid = rows.iter().filter(|row| row.problem.is_none());
        let valid: Vec<u64> = valid.map(|row| row.line).collect();
        assert_eq!((rows.len(), valid), (8, vec![7]));
        let reason = |at: usize| rows[at].problem.clone().unwrap();
        assert!(reason(0).contains("`5`") && reason(1).contains("`[\"K\"]`"));
        let both = refusal(r#"[{"tool": "A", "product": "B"}]"#);
        assert!(both.contains("`product` and `tool`"), "{both}");
    }

    #[test]
    fn a_truth_value_is_a_status() {
        let row = only(r#"[{"key": "K", "active": false}]"#);
        assert_eq!(row.cell("status"), Some("suspended"));
    }

    #[test]
    fn unknown_keys_are_named_once() {
        let (_, ignored) = read(r#"[{"key": "K", "Mail": [1]}, {"Mail": 1, "id": 2}]"#).unwrap();
        assert_eq!(ignored, ["Mail"]);
    }

    #[test]
    fn keys_in_objects_are_keys_of_the_element() {
        let (rows, ignored) =
            read(r#"[{"license": {"key": "K"}, "x": {"a": 1, "b": [{"c": 2}, {"c": [3]}]}}]"#)
                .unwrap();
        assert_eq!(rows[0].cell("license_key"), Some("K"));
        assert_eq!(ignored, ["x.a", "x.b.1.c", "x.b.2.c"]);
        let object = read(r#"[{"key": {"a": 1}}]"#).unwrap().0;
        assert!(object[0].problem.is_some());
    }

    #[test]
    fn broken_syntax_is_named_with_its_place() {
        assert!(refusal("[{\"key\": \"K\"},\n {\"key\" \"K\"}]").contains("line 2 column 9"));
        assert!(refusal("[{}] x").contains("trailing characters at line 1 column 6"));
        assert!(refusal("[{}").contains("line 1 column 3"));
    }

    #[test]
    fn a_file_with_too_many_keys_is_refused() {
        let with = |number: usize| {
            let keys: Vec<String> = (1..number).map(|at| format!("\"x{at:04}\": 1")).collect();
            format!("[{{\"key\": \"K\"}}, {{{}}}]", keys.join(", "))
        };
        assert_eq!(rows(&with(1_000)).len(), 2);
        let reason = refusal(&with(1_001));
        assert!(
            reason.contains("1,000") && reason.contains("`x1000`"),
            "{reason}"
        );
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        assert!(refusal(&"[".repeat(100_000)).contains("column"));
        let deep = format!("[5, {}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(rows(&deep)[1].problem.as_ref().unwrap().contains("object"));
    }
}
