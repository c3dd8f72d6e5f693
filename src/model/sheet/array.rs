//! A JSON array as `GET /api/licenses` answers it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::{Ignored, assign};
use super::{CountsBy, Sheet, SheetDraft, SheetRow, UseRow, refused, shorten, tidy};
use crate::error::Error;

pub(super) fn each(text: &str, use_row: &mut UseRow<'_>) -> Result<Sheet, Error> {
    let mut array = Array {
        use_row,
        ignored: Ignored::default(),
        stopped: None,
    };
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_seq(&mut array).and_then(|()| json.end());
    match (array.stopped, read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(refused(format!(
            "The file begins like a JSON array but is none: {error}. Mend it there, or export it \
             once more."
        ))),
        (None, Ok(())) => Ok(Sheet {
            counts_by: CountsBy::Element,
            ignored: array.ignored.into_names(),
        }),
    }
}

struct Array<'a, 'u> {
    use_row: &'a mut UseRow<'u>,
    ignored: Ignored,
    /// Why the caller wants no more rows.
    stopped: Option<Error>,
}

impl<'de> Visitor<'de> for &mut Array<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of licenses")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut line = 0;
        while let Some(element) = elements.next_element::<&RawValue>()? {
            line += 1;
            let draft = draft(element.get(), &mut self.ignored).map(tidy);
            if let Err(error) = (self.use_row)(SheetRow { line, draft }) {
                self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// The error is a sentence for a person.
fn draft(element: &str, ignored: &mut Ignored) -> Result<SheetDraft, String> {
    if !element.starts_with('{') {
        return Err(format!(
            "The element is `{}`; it has to be an object such as \
             {{\"tool_name\": \"…\", \"license_key\": \"…\"}}.",
            shorten(element)
        ));
    }
    let values: BTreeMap<String, &RawValue> = serde_json::from_str(element).map_err(|_| {
        "A key of the element holds an escape that stands for no character.".to_owned()
    })?;
    let fields = assign(values.keys().map(String::as_str), ignored)
        .map_err(|problem| format!("The keys {problem}"))?;
    let mut draft = SheetDraft::default();
    for (field, (key, value)) in fields.into_iter().zip(&values) {
        if let Some(field) = field {
            *field.of(&mut draft) = Some(text(key, value.get())?);
        }
    }
    Ok(draft)
}

/// The text of a value whose syntax is checked: a number digit by digit, nothing for null.
fn text(key: &str, value: &str) -> Result<String, String> {
    let text = match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).ok(),
        Some(b'-' | b'0'..=b'9') => Some(value.to_owned()),
        _ if value == "null" => Some(String::new()),
        _ => {
            return Err(format!(
                "`{}` is `{}`; it has to be a text, a number or null.",
                shorten(key),
                shorten(value)
            ));
        }
    };
    text.filter(|text: &String| !text.contains('\0'))
        .ok_or_else(|| {
            format!(
                "`{}` is `{}`, with an escape that stands for no character; remove it.",
                shorten(key),
                shorten(value)
            )
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only, read, reason, rows};

    fn refusal(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn the_published_answer_is_read_as_it_is() {
        let answer = r#" [
            {"id": 1, "created_at": "2023-10-27 10:00:00", "tool_name": "A", "license_key": "K",
             "status": "activated", "user_id": null, "expiration_date": "2024-12-31",
             "last_seen_at": null, "check_count": 0}
        ]"#;
        let (rows, sheet) = read(answer).unwrap();
        let draft = rows[0].draft.clone().unwrap();
        assert_eq!(draft.created_at.as_deref(), Some("2023-10-27 10:00:00"));
        assert_eq!(draft.license_key.as_deref(), Some("K"));
        assert_eq!(draft.user_id.as_deref(), Some(""));
        assert_eq!(draft.expiration_date.as_deref(), Some("2024-12-31"));
        assert_eq!(draft.note, None);
        assert!(sheet.ignored.is_empty());
        assert_eq!(sheet.counts_by.as_str(), "element");
    }

    #[test]
    fn a_number_is_its_text_digit_by_digit() {
        let draft = only(r#"[{"tool_name": 1.50, "key": 12345678901234567890123, "user": -7}]"#);
        assert_eq!(draft.tool_name.as_deref(), Some("1.50"));
        assert_eq!(
            draft.license_key.as_deref(),
            Some("12345678901234567890123")
        );
        assert_eq!(draft.user_id.as_deref(), Some("-7"));
    }

    #[test]
    fn no_element_is_restored_like_a_cell() {
        assert_eq!(
            only(r#"[{"key": "'=K\n"}]"#).license_key.as_deref(),
            Some("'=K\n")
        );
    }

    #[test]
    fn a_wrong_element_does_not_end_the_reading() {
        let rows = rows(
            r#"[5, {"key": ["K"]}, {"key": true}, {"key": "\ud800"}, {"key": "\u0000"},
                {"tool": "A", "product": "B"}, {"\ud800": 1}, {"key": "K"}, null]"#,
        );
        let good: Vec<u64> = rows
            .iter()
            .filter(|r| r.draft.is_ok())
            .map(|r| r.line)
            .collect();
        assert_eq!((rows.len(), good), (9, vec![8]));
        let reason = |at: usize| rows[at].draft.clone().unwrap_err();
        assert!(reason(0).contains("`5`") && reason(1).contains("`[\"K\"]`"));
        assert!(reason(5).contains("`product` and `tool`"), "{}", reason(5));
    }

    #[test]
    fn unknown_keys_are_told_once() {
        let (_, sheet) =
            read(r#"[{"key": "K", "Mail": {"a": []}}, {"Mail": 1, "id": 2}]"#).unwrap();
        assert_eq!(sheet.ignored, ["Mail"]);
    }

    #[test]
    fn broken_syntax_is_told_with_its_place() {
        assert!(refusal("[{\"key\": \"K\"},\n {\"key\" \"K\"}]").contains("line 2 column 9"));
        assert!(refusal("[{}] x").contains("trailing characters at line 1 column 6"));
        assert!(refusal("[{}").contains("line 1 column 3"));
        assert!(rows("[]").is_empty());
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        assert!(refusal(&"[".repeat(100_000)).contains("column"));
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert!(reason(&deep).contains("object"));
    }
}
