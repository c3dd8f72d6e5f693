//! A table (CSV) as spreadsheet programs save it.

use super::cells::restore;
use super::columns::{Column, Ignored, columns, shown};
use super::records::Records;
use super::{SheetRow, refused, shorten};
use crate::error::Error;
use crate::model::license::fields::Field;

/// Cell separators, more likely ones last.
const DELIMITERS: [u8; 3] = [b'\t', b';', b','];

/// Columns needed to match a row to a license.
const REQUIRED: [&str; 2] = ["tool_name", "license_key"];

/// The rows after the header.
pub(super) struct Table<'t> {
    records: Records<'t>,
    columns: Vec<Column>,
    /// Position and shown heading of the unknown columns.
    unknown: Vec<(usize, String)>,
}

impl<'t> Table<'t> {
    pub(super) fn read(text: &'t str, ignored: &mut Ignored) -> Result<Table<'t>, Error> {
        let mut records = match announced_delimiter(text) {
            Some((delimiter, rest)) => Records::new(text, rest, delimiter),
            None => Records::new(text, text, likeliest_delimiter(text)),
        };
        let columns = header(&mut records, ignored)?;
        let headings = records.cells.iter().zip(&columns).enumerate();
        let unknown = headings
            .filter(|(_, (_, column))| **column == Column::Unknown)
            .map(|(at, (heading, _))| (at, shown(&restore(heading))))
            .collect();
        Ok(Table {
            records,
            columns,
            unknown,
        })
    }

    pub(super) fn next(&mut self, ignored: &mut Ignored) -> Option<SheetRow> {
        self.records.advance().then(|| {
            for (at, heading) in &self.unknown {
                ignored.note(heading, self.records.cells.get(*at).unwrap_or_default());
            }
            let row = self.row();
            row.unwrap_or_else(|problem| SheetRow::unreadable(self.records.line, problem))
        })
    }

    /// The error is a message for people.
    fn row(&self) -> Result<SheetRow, String> {
        let Records {
            line,
            cells,
            fault,
            delimiter,
            ..
        } = &self.records;
        if let Some(fault) = fault {
            return Err((*fault).to_owned());
        }
        let width = self.columns.len();
        let mut beyond = cells.iter().skip(width);
        if let Some(cell) = beyond.find(|cell| !cell.trim().is_empty()) {
            return Err(format!(
                "The row has more cells than the {width} columns of the header: `{}` is after the \
                 last. A cell that holds the separator `{}` must be in quotation marks.",
                shorten(cell),
                delimiter.escape_default()
            ));
        }
        let mut row = SheetRow {
            line: *line,
            ..SheetRow::default()
        };
        for (at, column) in self.columns.iter().enumerate() {
            if column.is_imported() {
                let cell = cells.get(at).unwrap_or_default();
                row.set(*column, restore(cell).into_owned());
            }
        }
        Ok(row)
    }
}

/// Excel's own first line, `sep=;`, and the text after it.
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

/// The delimiter that yields the most known columns in the header.
fn likeliest_delimiter(text: &str) -> u8 {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let mut records = Records::new(text, text, delimiter);
        records.advance();
        let columns = records.cells.iter().map(Column::from_heading);
        let known = columns.filter(|column| *column != Column::Unknown).count();
        let score = (known, records.cells.len());
        if score >= best.1 {
            best = (delimiter, score);
        }
    }
    best.0
}

fn header(records: &mut Records<'_>, ignored: &mut Ignored) -> Result<Vec<Column>, Error> {
    if !records.advance() {
        return Err(refused(
            "The file has no header row; its first row must name the columns, at least tool_name \
             and license_key.",
        ));
    }
    let line = records.line;
    if let Some(fault) = records.fault {
        return Err(refused(format!("The header on line {line}: {fault}")));
    }
    let names: Vec<_> = records.cells.iter().map(restore).collect();
    let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
    while names.last().is_some_and(|name| name.trim().is_empty()) {
        names.pop();
    }
    let columns = columns(names.iter().copied(), ignored)
        .map_err(|problem| refused(format!("The columns {problem}")))?;
    let is_missing = |name: &&str| {
        let column = Field::index(name).map(Column::Field);
        column.is_none_or(|column| !columns.contains(&column))
    };
    match REQUIRED.into_iter().find(is_missing) {
        None => Ok(columns),
        Some(name) => Err(refused(format!(
            "The header on line {line} has no column `{name}`; its columns are: {}. Name the right \
             one `{name}`, or put a header row first.",
            shorten(&names.join(", "))
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only, read, reason, refusal, rows};
    use super::super::{RowUnit, Sheet};

    fn lines(text: &str) -> Vec<u64> {
        rows(text).iter().map(|row| row.line).collect()
    }

    fn key(text: &str) -> String {
        only(text).cell("license_key").unwrap().to_owned()
    }

    #[test]
    fn dates_in_an_unknown_column_are_refused_unless_there_is_an_expiration_date() {
        for heading in ["Until when", "Renewal", "Frist"] {
            let message = refusal(&format!(
                "tool,key,{heading}\nT,a,2026-12-31\nT,b,\nT,c,31.12.2027\n"
            ));
            assert!(message.contains(heading), "{message}");
        }
        for text in [
            "tool,key,bought,expires\nT,a,2026-12-31,\n",
            "tool,key,version\nT,a,1.2.3\nT,b,10.0.19\n",
            "tool,key,remark 2\nT,a,since 2026-12-31\n",
            "tool,key,id,last_seen_at\nT,a,1,2026-12-31\n",
        ] {
            assert!(read(text).is_ok(), "{text}");
        }
        let json = r#"[{"tool": "T", "key": "a", "Renewal": "2026-12-31"}]"#;
        assert!(refusal(json).contains("Renewal"));
    }

    #[test]
    fn the_separator_is_found_out_from_the_header() {
        for separator in [",", ";", "\t"] {
            let text =
                "tool|key|customer, or; client|note\nA|K||\"a,b;c\td\"".replace('|', separator);
            let text = text.replace("customer, or; client", "\"customer, or; client\"");
            assert_eq!(key(&text), "K", "{separator:?}");
            assert_eq!(only(&text).cell("note"), Some("a,b;c\td"), "{separator:?}");
        }
        assert_eq!(key("tool;key;a, b, c, d\nA;K;"), "K");
    }

    #[test]
    fn the_separator_that_excel_announces_is_honoured() {
        for text in [
            "sep=;\r\ntool;key\r\nA;K",
            "SEP=|\ntool|key\nA|K",
            "\"sep=,\"\ntool,key\nA,K",
        ] {
            assert_eq!(key(text), "K", "{text}");
            assert_eq!(lines(text), [3], "{text}");
        }
        assert!(refusal("sep=x\ntool;key").contains("sep=x"));
    }

    #[test]
    fn quotes_hold_separators_quotes_and_line_breaks() {
        let row = only("tool,key,note\nA,\"5\"\" disk\",\"one, two\r\nthree\" ");
        assert_eq!(row.cell("license_key"), Some("5\" disk"));
        assert_eq!(row.cell("note"), Some("one, two\r\nthree "));
        assert_eq!(key("tool,key\nA,5\" disk"), "5\" disk");
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
        let row = only("tool,key,user,note\nA, K ");
        for (name, cell) in [
            ("license_key", Some(" K ")),
            ("user_id", Some("")),
            ("note", Some("")),
            ("status", None),
            ("expiration_date", None),
        ] {
            assert_eq!(row.cell(name), cell, "{name}");
        }
        assert_eq!(row.created_at, None);
        let created_at = only("tool,key,created_at\nA,K").created_at;
        assert_eq!(created_at.as_deref(), Some(""));
    }

    #[test]
    fn only_empty_cells_may_be_beyond_the_header() {
        assert_eq!(key("tool,key,,\nA,K,,, ,"), "K");
        let reason = reason("tool,key,,\nA,K,,Acme");
        assert!(
            reason.contains("`Acme`") && reason.contains("2 columns"),
            "{reason}"
        );
    }

    #[test]
    fn an_invalid_row_does_not_end_the_reading() {
        let rows = rows("tool,key\nA,1,2\nA,3\n\"A\"B,4\nA, \"5\"\nA,6\nA,\"7\nA,8\n");
        let read = rows.iter().map(|row| (row.line, row.problem.is_none()));
        assert_eq!(
            read.collect::<Vec<_>>(),
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
    fn a_quote_that_is_not_closed_is_named_even_when_nothing_follows() {
        assert!(reason("tool,key\n\"").contains("never closed"));
        assert!(reason("tool,key\nA,\"K\"\"\n").contains("never closed"));
        assert!(refusal("tool,\"key\nA,K").contains("never closed"));
    }

    #[test]
    fn a_quote_that_swallows_the_next_row_is_named() {
        let rows = rows("tool,key,note\nA,1,\"first\nA,2,\"second\"\nA,3,\n");
        let problem = rows[0].problem.as_ref().unwrap();
        assert!(problem.contains("closes a cell"), "{problem}");
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
    fn unknown_columns_are_named_and_our_own_are_not() {
        let text = "id,tool,key,Phone,,last_seen_at,check_count,Mail\n1,A,K,2,,3,4,5";
        let (rows, ignored) = read(text).unwrap();
        assert_eq!(ignored, ["(without a name)", "Mail", "Phone"]);
        assert_eq!(rows.len(), 1);
        assert_eq!(Sheet::read(text).unwrap().unit, RowUnit::Line);
    }

    #[test]
    fn a_defused_cell_is_restored() {
        let row = only("tool,key,note\n'=A,'K,''-x");
        for (name, cell) in [("tool_name", "=A"), ("license_key", "'K"), ("note", "'-x")] {
            assert_eq!(row.cell(name), Some(cell));
        }
    }
}
