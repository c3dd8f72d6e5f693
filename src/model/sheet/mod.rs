//! Licenses in a file: a table (CSV) or a JSON array that is read, and a table that is written.
//!
//! A file is read in two steps, [`decode`] and [`each_row`]; what a license may hold is not decided
//! here but by the validator of forms and API.

mod array;
mod cells;
mod columns;
mod dates;
mod decode;
mod records;
mod table;

use super::license::Status;
use crate::error::Error;

pub use cells::{BOM, csv_header, csv_line};
pub use dates::normal_date;
pub use decode::decode;

/// The field of a form that holds the file.
const FILE: &str = "file";
/// Characters of a foreign text that a message repeats.
const SHOWN: usize = 120;

/// A license as it stands in a file. None: the file has no such column, the object no such key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetDraft {
    /// The tool's name.
    pub tool_name: Option<String>,
    /// The machine's id, in any spelling.
    pub license_key: Option<String>,
    /// A published word in lower case, or whatever else was there.
    pub status: Option<String>,
    /// Whose license it is.
    pub user_id: Option<String>,
    /// What [`normal_date`] has made of it; empty for a license without end.
    pub expiration_date: Option<String>,
    /// Free words.
    pub note: Option<String>,
    /// When the license was added, as it was written there.
    pub created_at: Option<String>,
    /// Why the row is wrong all the same, a sentence for a person.
    pub problem: Option<String>,
}

/// One license of a file, or why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRow {
    /// Where it is, from 1 on: the line on which the row begins, or the element of the array.
    pub line: u64,
    /// The error is a sentence for a person.
    pub draft: Result<SheetDraft, String>,
}

/// What is known of a file when all of it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// What [`SheetRow::line`] counts.
    pub counts_by: CountsBy,
    /// Columns or keys that stand for nothing here, by the alphabet, at most 50.
    pub ignored: Vec<String>,
}

/// What the rows of a file are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsBy {
    /// The lines of a table.
    Line,
    /// The elements of a JSON array.
    Element,
}

impl CountsBy {
    /// Known before the file is read: an array begins with its bracket.
    pub fn of(text: &str) -> CountsBy {
        match text.trim_start_matches(BOM).trim_start().starts_with('[') {
            true => CountsBy::Element,
            false => CountsBy::Line,
        }
    }

    /// The word in front of the number.
    pub fn as_str(self) -> &'static str {
        match self {
            CountsBy::Line => "line",
            CountsBy::Element => "element",
        }
    }
}

/// What is done with each row; its error ends the reading.
pub type UseRow<'a> = dyn FnMut(SheetRow) -> Result<(), Error> + 'a;

/// Hands on every row of a decoded file as soon as it is read. An error is about the whole file,
/// even where rows were handed on before it.
pub fn each_row(text: &str, use_row: &mut UseRow<'_>) -> Result<Sheet, Error> {
    let text = text.trim_start_matches(BOM);
    match text.trim_start().chars().next() {
        Some('[') => array::each(text, use_row),
        Some('{') => Err(refused(
            "The file begins with `{`; a JSON file has to be an array of licenses, \
             `[{\"tool_name\": \"…\", \"license_key\": \"…\"}, …]`.",
        )),
        Some(_) | None => table::each(text, use_row),
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::invalid(FILE, message)
}

/// As much of a foreign text as a message can hold.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The draft with its date and status in the published spelling.
fn tidy(mut draft: SheetDraft) -> SheetDraft {
    if let Some(date) = &mut draft.expiration_date {
        match normal_date(date) {
            Ok(normal) => *date = normal,
            Err(reason) => draft.problem = Some(reason),
        }
    }
    draft.status = draft.status.map(published_status);
    draft
}

fn published_status(typed: String) -> String {
    let word = typed.trim().to_ascii_lowercase();
    if word == "active" {
        return Status::Activated.to_string();
    }
    Status::from_word(&word).map_or(typed, |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// All rows of a file, and what is known of it.
    pub(super) fn read(text: &str) -> Result<(Vec<SheetRow>, Sheet), Error> {
        let mut rows = Vec::new();
        let sheet = each_row(text, &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok((rows, sheet))
    }

    pub(super) fn rows(text: &str) -> Vec<SheetRow> {
        read(text).unwrap().0
    }

    pub(super) fn only(text: &str) -> SheetDraft {
        let mut rows = rows(text);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0).draft.unwrap()
    }

    pub(super) fn reason(text: &str) -> String {
        let mut rows = rows(text);
        assert_eq!(rows.len(), 1, "{rows:?}");
        match rows.remove(0).draft {
            Ok(draft) => draft.problem.unwrap(),
            Err(reason) => reason,
        }
    }

    fn with_status(status: &str) -> Option<String> {
        only(&format!("tool,key,status\nA,K,{status}")).status
    }

    #[test]
    fn a_status_gets_its_published_word() {
        assert_eq!(with_status(" Activated ").as_deref(), Some("activated"));
        assert_eq!(with_status("ACTIVE").as_deref(), Some("activated"));
        assert_eq!(with_status("Revoked").as_deref(), Some("revoked"));
        assert_eq!(with_status("Inactive").as_deref(), Some("Inactive"));
        assert_eq!(with_status("").as_deref(), Some(""));
        assert_eq!(only("tool,key\nA,K").status, None);
    }

    #[test]
    fn a_date_is_read_in_tables_and_arrays() {
        let expected = Some("2026-12-31");
        let csv = only("tool,key,ends\nA,K,31.12.2026");
        assert_eq!(csv.expiration_date.as_deref(), expected);
        let json = only(r#"[{"tool": "A", "key": "K", "ends": "12/31/2026"}]"#);
        assert_eq!(json.expiration_date.as_deref(), expected);
        assert!(reason("tool,key,ends\nA,K,11/12/2026").contains("2026-12-11"));
        assert!(reason(r#"[{"ends": "31.12.26"}]"#).contains("two digits"));
    }

    #[test]
    fn one_json_object_is_no_array() {
        let error = read(" {\"licenses\": []}").unwrap_err();
        assert_eq!(error.field(), Some("file"));
        assert!(error.to_string().contains("array"), "{error}");
    }

    #[test]
    fn an_error_of_the_caller_ends_the_reading() {
        for text in ["tool,key\nA,1\nA,2", r#"[{"key": "1"}, {"key": "2"}]"#] {
            let mut calls = 0;
            let read = each_row(text, &mut |_| {
                calls += 1;
                Err(Error::Duplicate)
            });
            assert_eq!((read, calls), (Err(Error::Duplicate), 1), "{text}");
        }
    }

    #[test]
    fn a_hundred_thousand_rows_are_read() {
        let line = "Tool_A,0a:1b:2c:3d:4e:5f,activated,\"Acme, Inc.\",2026-12-31\r\n";
        let header = "tool_name,license_key,status,user_id,expiration_date\r\n";
        let text = format!("{header}{}", line.repeat(100_000));
        let (mut count, mut last) = (0, 0);
        each_row(&text, &mut |row| {
            assert_eq!(row.draft.unwrap().user_id.unwrap(), "Acme, Inc.");
            (count, last) = (count + 1, row.line);
            Ok(())
        })
        .unwrap();
        assert_eq!((count, last), (100_000, 100_001));
    }

    /// Texts rich in what has a meaning here.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "([,;\t\"'\r\n=+@ -]|a|ä|E|1){0,12}",
            "\\PC{0,12}",
            any::<String>().prop_map(|text| text.replace('\0', "")),
        ]
    }

    /// Files rich in what has a meaning here.
    fn file() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("tool".to_owned()),
            Just("key".to_owned()),
            Just("\nsep=;\n".to_owned()),
            "(\u{feff}|\\[|\\{|\\}|\\]|:|null|1|\"key\"|\"|,|;|\t|\r|\n| |ä|\0){0,8}",
            text(),
        ];
        let pieces = proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
        let start = prop_oneof![
            Just(""),
            Just("sep=;\n"),
            Just("tool,key,note\n"),
            Just("[{\"key\":"),
            Just("\u{feff}"),
        ];
        (start, pieces).prop_map(|(start, pieces)| format!("{start}{pieces}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_written_table_is_read_as_it_was(table in proptest::collection::vec([text(), text(), text(), text()], 0..6)) {
            let mut csv = format!("{BOM}{}", csv_line(&["tool", "key", "user", "note"]).unwrap());
            for row in &table {
                csv += &csv_line(&row.each_ref().map(String::as_str)).unwrap();
            }
            let is_filled = |row: &&[String; 4]| row.iter().any(|cell| !cell.trim().is_empty());
            let filled: Vec<&[String; 4]> = table.iter().filter(is_filled).collect();
            let read = rows(&csv);
            prop_assert_eq!(read.len(), filled.len());
            for (read, row) in read.into_iter().zip(filled) {
                let draft = read.draft.unwrap();
                let cells = [draft.tool_name, draft.license_key, draft.user_id, draft.note];
                prop_assert_eq!(&cells.map(Option::unwrap), row);
            }
        }

        #[test]
        fn no_file_stops_the_program(file in file(), noise: Vec<u8>) {
            drop(read(&file));
            for bytes in [file.as_bytes(), &noise] {
                drop(decode(bytes).and_then(|text| read(&text)));
            }
        }
    }
}
