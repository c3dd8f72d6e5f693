//! Importing licenses from files: a table (CSV) or a JSON array is read row by row, and a plan says
//! what an import would do with each row.
//!
//! A file is read in two steps, [`decode`] and [`Sheet::read`]; values are validated by
//! [`Values::parse`](super::license::Values::parse), as in forms and the API.

mod cells;
mod code_columns;
mod columns;
mod decode;
mod ending;
mod examples;
mod json;
mod layout;
mod lost;
mod merged;
mod options;
mod plan;
mod pool;
mod raw;
mod records;
mod sheet;
mod source;
mod statuses;
mod table;
mod workbook;

use time::OffsetDateTime;

use super::license::Draft;
use crate::error::Error;

pub use cells::{BOM, csv_line};
pub use decode::decode;
pub use layout::{Layout, LayoutColumn};
pub use options::{Choice, ImportOptions, Subject};
pub use plan::{Find, ImportCounts, ImportPlan, InvalidRow, RowAction, Undecided};
pub use pool::{MAX_POOL, Pool, PoolCode, WrongCode, check_pool, read_pool};
pub use sheet::Sheet;

/// The form field that contains the file.
const FILE: &str = "file";

/// Characters of a file name that are kept.
const FILE_NAME: usize = 100;

/// Begins the last line of a table if the export failed partway.
const BROKEN_OFF: &str = "THE EXPORT BROKE OFF HERE";

/// The text of a file, and what a person should know about how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub text: String,
    pub notes: Vec<String>,
}

impl Decoded {
    /// Why the file cannot be read, with how it was decoded: that may be the cause.
    pub fn explain(&self, error: Error) -> Error {
        match error {
            Error::Invalid(_) if !self.notes.is_empty() => {
                refused(format!("{error} {}", self.notes.join(" ")))
            }
            other => other,
        }
    }
}

/// A file uploaded for import, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: i64,
    pub at: OffsetDateTime,
    pub who: String,
    pub file_name: String,
    pub options: ImportOptions,
    /// How the file was decoded; messages for people.
    pub notes: Vec<String>,
    /// The bulk change that it became; none until it is imported.
    pub bulk_id: Option<i64>,
}

/// A row of a file, as far as it can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SheetRow {
    /// The line on which the row begins, or the number of the array element, from 1.
    pub line: u64,
    /// Empty if the row cannot be read. A blank status counts as absent, so it changes nothing.
    pub draft: Draft,
    /// What only activation codes have, in the order of their columns.
    own: [String; code_columns::OWN.len()],
    /// As in the file: which license an exported row was, and when it was added; none if there is no such column.
    pub id: Option<String>,
    pub created_at: Option<String>,
    /// Whether the license key is a number in a workbook.
    pub is_number: bool,
    /// Why the row is invalid; a message for people.
    pub problem: Option<String>,
    /// All cells as in the file, in the order of its columns.
    pub cells: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowUnit {
    /// Lines of a table.
    Line,
    /// Elements of a JSON array.
    Element,
}

impl RowUnit {
    /// The word before the number.
    pub fn as_str(self) -> &'static str {
        match self {
            RowUnit::Line => "line",
            RowUnit::Element => "element",
        }
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::invalid(FILE, message)
}

/// The last line of a table if the export failed partway: no import accepts it.
pub fn broken_off() -> String {
    format!("\"{BROKEN_OFF}: the server met a fault, rows are missing. Export again.\"\r\n")
}

/// Refuses a file whose export failed partway.
fn is_whole(text: &str) -> Result<(), Error> {
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    if !last.trim_start_matches('"').starts_with(BROKEN_OFF) {
        return Ok(());
    }
    Err(refused(
        "The file is an export that broke off: its last line says so, and rows are missing. Export \
         again.",
    ))
}

/// The last component of the path that a browser sends, made safe to show.
pub fn file_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = last.chars().filter(|c| !c.is_control()).take(FILE_NAME);
    let name = name.collect::<String>().trim().to_owned();
    if name.is_empty() {
        "the file".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::model::license::fields::{EXPIRATION_DATE, FIELDS};

    /// All rows of a file, and its ignored columns.
    pub(super) fn read(text: &str) -> Result<(Vec<SheetRow>, Vec<String>), Error> {
        let sheet = Sheet::read(text, &ImportOptions::default())?;
        match &sheet.layout.problem {
            Some(problem) => Err(refused(problem.as_str())),
            None => {
                let ignored = sheet.layout.ignored();
                Ok((sheet.collect(), ignored))
            }
        }
    }

    pub(super) fn rows(text: &str) -> Vec<SheetRow> {
        read(text).unwrap().0
    }

    pub(super) fn refusal(text: &str) -> String {
        let error = read(text).unwrap_err();
        assert_eq!(error.field(), Some("file"));
        error.to_string()
    }

    /// The only row of a valid file.
    pub(super) fn only(text: &str) -> SheetRow {
        let mut rows = rows(text);
        assert_eq!(rows.len(), 1, "{rows:?}");
        let row = rows.remove(0);
        assert_eq!(row.problem, None);
        row
    }

    pub(super) fn reason(text: &str) -> String {
        let mut rows = rows(text);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0).problem.unwrap()
    }

    impl SheetRow {
        /// A cell by its published name; none if it is absent.
        pub(super) fn cell(&self, name: &str) -> Option<&str> {
            let fields = FIELDS.iter().zip(self.draft.texts());
            let mut found = fields.filter(|(field, _)| field.name == name);
            found.next().unwrap().1.as_deref()
        }
    }

    #[test]
    fn a_status_gets_its_published_word() {
        let with_status = |status: &str| {
            let row = only(&format!("tool,key,status\nA,K,{status}"));
            row.cell("status").map(str::to_owned)
        };
        assert_eq!(with_status(" Activated ").as_deref(), Some("activated"));
        assert_eq!(with_status("ACTIVE").as_deref(), Some("activated"));
        assert_eq!(with_status("Revoked").as_deref(), Some("revoked"));
        assert_eq!(with_status("Inactive").as_deref(), Some("suspended"));
        assert_eq!(with_status("Expired").as_deref(), Some("Expired"));
        assert_eq!(with_status(" "), None);
        assert_eq!(only("tool,key\nA,K").cell("status"), None);
    }

    #[test]
    fn a_date_is_read_in_tables_and_arrays() {
        let date = FIELDS[EXPIRATION_DATE].name;
        let csv = only("tool,key,expires\nA,K,31.12.2026");
        assert_eq!(csv.cell(date), Some("2026-12-31"));
        let json = only(r#"[{"tool": "A", "key": "K", "expires": "12/31/2026"}]"#);
        assert_eq!(json.cell(date), Some("2026-12-31"));
        assert!(reason("tool,key,expires\nA,K,11/12/2026").contains("2026-12-11"));
        assert!(reason(r#"[{"expires": "31.12.26"}]"#).contains("two-digit"));
    }

    #[test]
    fn a_file_without_rows_is_refused() {
        assert!(refusal("tool,key\n,\n").contains("no rows"));
        assert!(refusal(" [] ").contains("empty array"));
        assert!(refusal(" {\"licenses\": []}").contains("array"));
    }

    #[test]
    fn a_hundred_thousand_rows_are_read() {
        let line = "Tool_A,0a:1b:2c:3d:4e:5f,activated,\"Acme, Inc.\",2026-12-31\r\n";
        let header = "tool_name,license_key,status,user_id,expiration_date\r\n";
        let text = format!("{header}{}", line.repeat(100_000));
        let (mut count, mut last) = (0, 0);
        for row in Sheet::read(&text, &ImportOptions::default()).unwrap() {
            assert_eq!(row.cell("user_id"), Some("Acme, Inc."));
            (count, last) = (count + 1, row.line);
        }
        assert_eq!((count, last), (100_000, 100_001));
    }

    #[test]
    fn an_export_that_broke_off_is_refused() {
        let text = format!("tool,key\r\nT,k\r\n{}", broken_off());
        assert!(refusal(&text).contains("broke off"));
        assert!(refusal(&format!("{};;;\r\n\r\n", text.trim_end())).contains("broke off"));
        assert_eq!(rows("tool,key\r\nT,k\r\n").len(), 1);
    }

    #[test]
    fn a_file_has_its_name_without_the_folder() {
        assert_eq!(file_name("C:\\Users\\a\\licenses.csv"), "licenses.csv");
        assert_eq!(file_name("../a/b\u{7}.csv"), "b.csv");
        assert_eq!(file_name(" "), "the file");
    }

    /// Text rich in characters that are special here.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            "([,;\t\"'\r\n=+@ -]|a|ä|E|1){0,12}",
            "\\PC{0,12}",
            any::<String>().prop_map(|text| text.replace('\0', "")),
        ]
    }

    /// Files rich in characters that are special here.
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
        fn a_written_table_is_read_as_it_was(table in proptest::collection::vec([text(), text(), text(), text()], 1..6)) {
            let names = ["tool_name", "license_key", "user_id", "note"];
            let mut csv = format!("{BOM}{}", csv_line(&names).unwrap());
            for row in &table {
                csv += &csv_line(&row.each_ref().map(String::as_str)).unwrap();
            }
            let is_filled = |row: &&[String; 4]| row.iter().any(|cell| !cell.trim().is_empty());
            let filled: Vec<&[String; 4]> = table.iter().filter(is_filled).collect();
            let read = if filled.is_empty() { vec![] } else { rows(&csv) };
            prop_assert_eq!(read.len(), filled.len());
            for (read, row) in read.iter().zip(filled) {
                prop_assert_eq!(&read.problem, &None);
                prop_assert_eq!(names.map(|name| read.cell(name).unwrap()), row.each_ref().map(|cell| &**cell));
            }
        }

        #[test]
        fn no_file_stops_the_program(file in file(), noise: Vec<u8>) {
            drop(read(&file));
            for bytes in [file.as_bytes(), &noise] {
                drop(decode("", bytes).and_then(|decoded| read(&decoded.text)));
            }
        }
    }
}
