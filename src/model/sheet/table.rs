//! A table (CSV) as spreadsheet programs save it.

use super::cells::restore;
use super::columns::{Field, Ignored, Meaning, assign, meaning};
use super::records::Records;
use super::{CountsBy, Sheet, SheetDraft, SheetRow, UseRow, refused, shorten, tidy};
use crate::error::Error;

/// What separates cells, the likelier ones last.
const DELIMITERS: [u8; 3] = [b'\t', b';', b','];

pub(super) fn each(text: &str, use_row: &mut UseRow<'_>) -> Result<Sheet, Error> {
    let mut records = match announced_delimiter(text) {
        Some((delimiter, rest)) => Records::new(text, rest, delimiter),
        None => Records::new(text, text, likeliest_delimiter(text)?),
    };
    let mut ignored = Ignored::default();
    let header = Header::read(&mut records, &mut ignored)?;
    while records.advance()? {
        let draft = header.draft(&records).map(tidy);
        let line = records.line;
        use_row(SheetRow { line, draft })?;
    }
    Ok(Sheet {
        counts_by: CountsBy::Line,
        ignored: ignored.into_names(),
    })
}

/// Excel's own first line, `sep=;`, and the text behind it.
fn announced_delimiter(text: &str) -> Option<(u8, &str)> {
    let (line, rest) = text.split_at(text.find(['\r', '\n'])?);
    let (name, delimiter) = line.trim_matches('"').split_once('=')?;
    match delimiter.as_bytes() {
        &[delimiter @ (b',' | b';' | b'\t' | b'|')] if name.eq_ignore_ascii_case("sep") => {
            Some((delimiter, rest))
        }
        _ => None,
    }
}

/// The one that makes the most known columns out of the header.
fn likeliest_delimiter(text: &str) -> Result<u8, Error> {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let mut records = Records::new(text, text, delimiter);
        records.advance()?;
        let known = records
            .cells
            .iter()
            .filter(|name| meaning(name) != Meaning::Unknown);
        let score = (known.count(), records.cells.len());
        if score >= best.1 {
            best = (delimiter, score);
        }
    }
    Ok(best.0)
}

/// The columns of a table.
struct Header {
    fields: Vec<Option<Field>>,
}

impl Header {
    fn read(records: &mut Records<'_>, ignored: &mut Ignored) -> Result<Header, Error> {
        if !records.advance()? {
            return Err(refused(
                "The file has no header row; its first row has to name the columns, at least \
                 tool_name and license_key.",
            ));
        }
        let line = records.line;
        if let Some(fault) = records.fault {
            return Err(refused(format!("The header on line {line}: {fault}")));
        }
        let mut names: Vec<&str> = records.cells.iter().map(restore).collect();
        while names.last().is_some_and(|name| name.trim().is_empty()) {
            names.pop();
        }
        let fields = assign(names.iter().copied(), ignored)
            .map_err(|problem| refused(format!("The columns {problem}")))?;
        let is_missing = |field: &Field| !fields.contains(&Some(*field));
        let missing = [Field::ToolName, Field::LicenseKey]
            .into_iter()
            .find(is_missing);
        match missing {
            None => Ok(Header { fields }),
            Some(field) => {
                let name = field.as_str();
                Err(refused(format!(
                    "The header on line {line} has no column `{name}`; the columns there are: {}. \
                     Name the right one `{name}`, or put a header row first.",
                    shorten(&names.join(", "))
                )))
            }
        }
    }

    /// The error is a sentence for a person.
    fn draft(&self, records: &Records<'_>) -> Result<SheetDraft, String> {
        if let Some(fault) = records.fault {
            return Err(fault.to_owned());
        }
        let width = self.fields.len();
        let mut beyond = records.cells.iter().skip(width);
        if let Some(cell) = beyond.find(|cell| !cell.trim().is_empty()) {
            return Err(format!(
                "The row has more cells than the {width} columns of the header, `{}` is beyond the \
                 last; a cell that holds the separator `{}` has to stand in quotation marks.",
                shorten(cell),
                records.delimiter.escape_default()
            ));
        }
        let mut draft = SheetDraft::default();
        for (at, field) in self.fields.iter().enumerate() {
            if let Some(field) = field {
                let cell = records.cells.get(at).unwrap_or_default();
                *field.of(&mut draft) = Some(restore(cell).to_owned());
            }
        }
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only, read, reason, rows};
    use super::*;

    fn lines(text: &str) -> Vec<u64> {
        rows(text).iter().map(|row| row.line).collect()
    }

    fn refusal(text: &str) -> String {
        let error = read(text).unwrap_err();
        assert_eq!(error.field(), Some("file"));
        error.to_string()
    }

    #[test]
    fn the_separator_is_found_out_from_the_header() {
        for separator in [",", ";", "\t"] {
            let text =
                "tool|key|customer, or; client|note\nA|K||\"a,b;c\td\"".replace('|', separator);
            let text = text.replace("customer, or; client", "\"customer, or; client\"");
            let draft = only(&text);
            assert_eq!(draft.license_key.as_deref(), Some("K"), "{separator:?}");
            assert_eq!(draft.note.as_deref(), Some("a,b;c\td"), "{separator:?}");
        }
        assert_eq!(
            only("tool;key;a, b, c, d\nA;K;").license_key.as_deref(),
            Some("K")
        );
    }

    #[test]
    fn the_separator_that_excel_announces_is_honoured() {
        for text in [
            "sep=;\r\ntool;key\r\nA;K",
            "SEP=|\ntool|key\nA|K",
            "\"sep=,\"\ntool,key\nA,K",
        ] {
            assert_eq!(only(text).license_key.as_deref(), Some("K"), "{text}");
            assert_eq!(lines(text), [3], "{text}");
        }
        assert!(refusal("sep=x\ntool;key").contains("sep=x"));
    }

    #[test]
    fn quotes_hold_separators_quotes_and_line_breaks() {
        let draft = only("tool,key,note\nA,\"5\"\" disk\",\"one, two\r\nthree\" ");
        assert_eq!(draft.license_key.as_deref(), Some("5\" disk"));
        assert_eq!(draft.note.as_deref(), Some("one, two\r\nthree "));
        assert_eq!(
            only("tool,key\nA,5\" disk").license_key.as_deref(),
            Some("5\" disk")
        );
    }

    #[test]
    fn a_row_is_counted_by_the_line_on_which_it_begins() {
        for end in ["\n", "\r\n", "\r"] {
            let text =
                "\u{feff}\ntool,key,note\n\nA,1,\"x\ny\n\"\nA,2,\n,,\n\n \nA,3,".replace('\n', end);
            assert_eq!(lines(&text), [4, 7, 11], "{end:?}");
        }
        assert_eq!(lines("sep=,\r\n\r\n\u{feff}tool,key\r\nä,1\r\n"), [4]);
    }

    #[test]
    fn an_absent_column_differs_from_an_empty_cell() {
        let draft = only("tool,key,status,note\nA, K ");
        assert_eq!(draft.license_key.as_deref(), Some(" K "));
        assert_eq!(
            (draft.status.as_deref(), draft.note.as_deref()),
            (Some(""), Some(""))
        );
        assert_eq!(
            (draft.user_id, draft.expiration_date, draft.created_at),
            (None, None, None)
        );
    }

    #[test]
    fn only_empty_cells_may_stand_beyond_the_header() {
        assert_eq!(
            only("tool,key,,\nA,K,,, ,").license_key.as_deref(),
            Some("K")
        );
        let reason = reason("tool,key,,\nA,K,,Acme");
        assert!(
            reason.contains("`Acme`") && reason.contains("2 columns"),
            "{reason}"
        );
    }

    #[test]
    fn a_wrong_row_does_not_end_the_reading() {
        let rows = rows("tool,key\nA,1,2\nA,3\n\"A\"B,4\nA, \"5\"\nA,6\nA,\"7\nA,8\n");
        let read: Vec<(u64, bool)> = rows.iter().map(|r| (r.line, r.draft.is_ok())).collect();
        assert_eq!(
            read,
            [
                (2, false),
                (3, true),
                (4, false),
                (5, false),
                (6, true),
                (7, false)
            ]
        );
    }

    #[test]
    fn a_quote_that_is_not_closed_is_told_even_when_nothing_follows() {
        assert!(reason("tool,key\n\"").contains("never closed"));
        assert!(reason("tool,key\nA,\"K\"\"\n").contains("never closed"));
        assert!(refusal("tool,\"key\nA,K").contains("never closed"));
    }

    #[test]
    fn a_quote_that_swallows_the_next_row_is_told() {
        let rows = rows("tool,key,note\nA,1,\"first\nA,2,\"second\"\nA,3,\n");
        assert!(
            rows[0]
                .draft
                .as_ref()
                .unwrap_err()
                .contains("closes a cell")
        );
        assert_eq!((rows.len(), rows[1].line), (2, 4));
    }

    #[test]
    fn a_missing_column_is_named_beside_the_columns_found() {
        let message = refusal("Tool;Serial;Customer\nA;K;C");
        assert!(message.contains("no column `license_key`"), "{message}");
        assert!(message.contains("Tool, Serial, Customer"), "{message}");
        assert!(refusal("key\nK").contains("no column `tool_name`"));
        assert!(refusal("\n \r\n").contains("no header row"));
        assert!(refusal("").contains("no header row"));
    }

    #[test]
    fn two_columns_of_one_meaning_are_refused() {
        let message = refusal("tool,MAC,Machine ID\nA,1,2");
        assert!(message.contains("`MAC` and `Machine ID`"), "{message}");
    }

    #[test]
    fn unknown_columns_are_told_and_our_own_are_not() {
        let (rows, sheet) =
            read("id,tool,key,Phone,,last_seen_at,check_count,Mail\n1,A,K,2,,3,4,5").unwrap();
        assert_eq!(sheet.ignored, ["(without a name)", "Mail", "Phone"]);
        assert_eq!((rows.len(), sheet.counts_by), (1, CountsBy::Line));
    }

    #[test]
    fn a_defused_cell_is_restored() {
        let draft = only("tool,key,note\n'=A,'K,''-x");
        assert_eq!(draft.tool_name.as_deref(), Some("=A"));
        assert_eq!(draft.license_key.as_deref(), Some("'K"));
        assert_eq!(draft.note.as_deref(), Some("'-x"));
    }
}
