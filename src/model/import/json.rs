//! A JSON array in the format of `GET /api/licenses`.

use std::collections::BTreeMap;
use std::vec;

use serde_json::value::RawValue;

use super::columns::{Ignored, columns, shown};
use super::{SheetRow, refused};
use crate::error::Error;
use crate::model::text::shorten;

/// The elements of an array, each of them syntactically valid.
pub(super) struct Elements<'t> {
    rest: vec::IntoIter<&'t RawValue>,
    line: u64,
}

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
        })
    }

    pub(super) fn next(&mut self, ignored: &mut Ignored) -> Option<SheetRow> {
        let element = self.rest.next()?;
        self.line += 1;
        let row = row(self.line, element.get(), ignored);
        Some(row.unwrap_or_else(|problem| SheetRow::unreadable(self.line, problem)))
    }
}

/// The error is a message for people.
fn row(line: u64, element: &str, ignored: &mut Ignored) -> Result<SheetRow, String> {
    if !element.starts_with('{') {
        return Err(format!(
            "The element is `{}`; it must be an object such as \
             {{\"tool_name\": \"…\", \"license_key\": \"…\"}}.",
            shorten(element)
        ));
    }
    let values: BTreeMap<String, &RawValue> = serde_json::from_str(element)
        .map_err(|_| "A key of the element has an escape that is not a character.".to_owned())?;
    let columns = columns(values.keys().map(String::as_str), ignored)
        .map_err(|problem| format!("The keys {problem}"))?;
    let mut row = SheetRow {
        line,
        ..SheetRow::default()
    };
    for (column, (key, value)) in columns.into_iter().zip(&values) {
        if column.is_imported() {
            row.set(column, text(key, value.get())?);
        } else if let Ok(value) = text(key, value.get()) {
            ignored.note(&shown(key), &value);
        }
    }
    Ok(row)
}

/// The text of a syntactically valid value: numbers verbatim, empty for null.
fn text(key: &str, value: &str) -> Result<String, String> {
    let text = match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).ok(),
        Some(b'-' | b'0'..=b'9') => Some(value.to_owned()),
        _ if value == "null" => Some(String::new()),
        _ => {
            return Err(format!(
                "`{}` is `{}`; it must be a text, a number or null.",
                shorten(key),
                shorten(value)
            ));
        }
    };
    text.filter(|text: &String| !text.contains('\0'))
        .ok_or_else(|| {
            format!(
                "`{}` is `{}`, with an escape that is not a character; remove it.",
                shorten(key),
                shorten(value)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only, read, reason, refusal, rows};
    use super::super::{RowUnit, Sheet};

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
        assert_eq!(Sheet::read(answer).unwrap().unit, RowUnit::Element);
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
                {"tool": "A", "product": "B"}, {"\ud800": 1}, {"key": "K", "id": []}, null]"#,
        );
        let valid = rows.iter().filter(|row| row.problem.is_none());
        let valid: Vec<u64> = valid.map(|row| row.line).collect();
        assert_eq!((rows.len(), valid), (9, vec![8]));
        let reason = |at: usize| rows[at].problem.clone().unwrap();
        assert!(reason(0).contains("`5`") && reason(1).contains("`[\"K\"]`"));
        assert!(reason(5).contains("`product` and `tool`"), "{}", reason(5));
    }

    #[test]
    fn unknown_keys_are_named_once() {
        let (_, ignored) =
            read(r#"[{"key": "K", "Mail": {"a": []}}, {"Mail": 1, "id": 2}]"#).unwrap();
        assert_eq!(ignored, ["Mail"]);
    }

    #[test]
    fn broken_syntax_is_named_with_its_place() {
        assert!(refusal("[{\"key\": \"K\"},\n {\"key\" \"K\"}]").contains("line 2 column 9"));
        assert!(refusal("[{}] x").contains("trailing characters at line 1 column 6"));
        assert!(refusal("[{}").contains("line 1 column 3"));
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        assert!(refusal(&"[".repeat(100_000)).contains("column"));
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(reason(&deep).contains("object"));
    }
}
