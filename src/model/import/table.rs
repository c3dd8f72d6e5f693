//! Where a table (CSV) as spreadsheet programs save it has its cells and its header.

use super::columns::Column;
use super::raw::RawRow;
use super::records::Records;
use super::source::Source;
use crate::model::license::fields::{FIELDS, LICENSE_KEY, TOOL_NAME};
use crate::model::text::shorten;

/// Cell separators, more likely ones last.
const DELIMITERS: [u8; 4] = [b'|', b'\t', b';', b','];

/// Rows in which the header is looked for.
const ABOVE: usize = 30;

pub(super) fn records(text: &str) -> Records<'_> {
    match announced_delimiter(text) {
        Some((delimiter, rest)) => Records::new(text, rest, delimiter),
        None => Records::new(text, text, likeliest_delimiter(text)),
    }
}

/// Excel's own first line, `sep=;`, and the text after it.
fn announced_delimiter(text: &str) -> Option<(u8, &str)> {
    let (line, rest) = text.split_at(text.find(['\r', '\n'])?);
    let (name, delimiter) = line.trim_matches('"').split_once('=')?;
    match delimiter.trim_end_matches([';', ',']).as_bytes() {
        &[delimiter @ (b',' | b';' | b'\t' | b'|')] if name.eq_ignore_ascii_case("sep") => {
            Some((delimiter, rest))
        }
        b"" if name.eq_ignore_ascii_case("sep") && delimiter.starts_with([';', ',']) => {
            Some((delimiter.as_bytes()[0], rest))
        }
        _ => None,
    }
}

/// The delimiter that yields the most known columns in one of the first rows.
fn likeliest_delimiter(text: &str) -> u8 {
    let mut best = (b',', (0, 0));
    for delimiter in DELIMITERS {
        let mut source = Source::Table(Box::new(Records::new(text, text, delimiter)));
        let rows = std::iter::from_fn(|| source.next()).take(ABOVE);
        let score = rows.map(|row| (known(&row).count(), row.cells.len())).max();
        if score.is_some_and(|score| score >= best.1) {
            best = (delimiter, score.unwrap_or_default());
        }
    }
    best.0
}

fn known(row: &RawRow) -> impl Iterator<Item = Column> + '_ {
    let columns = row
        .cells
        .iter()
        .map(|cell| Column::from_heading(&cell.text));
    columns.filter(|column| column.name().is_some())
}

/// The line of the row that has the headings, if it is not the first one.
pub(super) fn likely_header(mut source: Source<'_>) -> Option<u64> {
    let key = Column::Field(LICENSE_KEY);
    let rows = std::iter::from_fn(|| source.next()).take(ABOVE);
    let mut found = rows.skip(1).filter(|row| {
        let columns: Vec<Column> = known(row).collect();
        columns.contains(&key) && columns.len() > 1
    });
    found.next().map(|row| row.line)
}

/// What to do where a table has no column for a field that every row needs.
pub(super) fn missing(line: u64, index: usize, headings: &[String], likely: Option<u64>) -> String {
    let name = FIELDS[index].name;
    if let Some(likely) = likely {
        return format!(
            "The headings seem to be on line {likely}, but line {line} is the first row. Start at line \
             {likely}."
        );
    }
    if let [one] = headings
        && one.contains([',', ';', '\t'])
    {
        return format!(
            "Line {line} is one cell in quotation marks, `{}`. Remove the quotation marks around each line, or \
             save the table again as CSV.",
            shorten(one)
        );
    }
    let otherwise = match index {
        TOOL_NAME => "choose the column, or one tool for all rows",
        _ => "choose the column",
    };
    without(line, name, otherwise, headings)
}

/// [`missing`] in a table that has its header there.
pub(super) fn without(line: u64, name: &str, otherwise: &str, headings: &[String]) -> String {
    let headings = shorten(&headings.join(", "));
    format!(
        "The header on line {line} has no column `{name}`; its columns are: {headings}. Name the right \
         one `{name}`, or {otherwise}."
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{only, read, reason, refusal, rows};
    use super::super::{ImportOptions, RowUnit, Sheet};

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
        assert!(refusal("sep=x\ntool;key").contains("line 2"));
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
    fn lines_in_quotation_marks_are_named() {
        let message = refusal("\"tool,key\"\n\"A,K\"");
        assert!(message.contains("`tool,key`"), "{message}");
    }

    #[test]
    fn two_columns_of_one_meaning_are_refused() {
        let message = refusal("tool,MAC,Machine ID\nA,1,2");
        assert!(message.contains("`MAC` and `Machine ID`"), "{message}");
    }

    #[test]
    fn unknown_columns_are_named_and_our_own_are_not() {
        let text = "id,tool,key,Phone,,last_seen_at,check_count,Mail,,X\n1,A,K,2,6,3,4,5";
        let (rows, ignored) = read(text).unwrap();
        assert_eq!(ignored, ["Phone", "column E", "Mail"]);
        assert_eq!(rows.len(), 1);
        let sheet = Sheet::read(text, &ImportOptions::default()).unwrap();
        assert_eq!(sheet.unit, RowUnit::Line);
    }

    #[test]
    fn a_defused_cell_is_restored() {
        let row = only("tool,key,note\n'=A,'K,''-x");
        for (name, cell) in [("tool_name", "=A"), ("license_key", "'K"), ("note", "'-x")] {
            assert_eq!(row.cell(name), Some(cell));
        }
    }
}
