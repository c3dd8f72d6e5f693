//! CSV lines in which no cell is a formula to a spreadsheet program.

use std::borrow::Cow;

use crate::error::Error;

/// The byte order mark that makes Excel read a file as UTF-8.
pub const BOM: &str = "\u{feff}";

/// What some spreadsheet program reads as the end of a cell or a row, even inside of our cells: quotation marks
/// count only where it sees the beginning of a cell.
const ENDS: [char; 4] = [';', '\n', '\t', '\r'];

/// A cell that begins with one of these is a formula, in full width as well.
const SIGNS: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// One line with its CR LF.
pub fn csv_line(cells: &[&str]) -> Result<String, Error> {
    let quoted: Vec<String> = cells.iter().map(|cell| quote(&defuse(cell))).collect();
    Ok(quoted.join(",") + "\r\n")
}

/// The cell, in quotation marks if it needs them with any separator.
fn quote(cell: &str) -> String {
    match cell.contains([',', '"']) || cell.contains(ENDS) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

/// Leading `'` are skipped so that [`restore`] can tell the ones we added from the original ones, and leading
/// quotation marks because a program that splits our cell there drops them.
fn is_formula(part: &str) -> bool {
    part.trim_start_matches(['\'', '"']).starts_with(SIGNS)
}

/// Changes each part of the cell that some program may take for a cell.
fn each_part(cell: &str, change: fn(&str) -> Cow<'_, str>) -> Cow<'_, str> {
    let mut parts = cell.split_inclusive(ENDS).map(change);
    match cell.contains(ENDS) {
        false => parts.next().unwrap_or_default(),
        true => Cow::Owned(parts.collect()),
    }
}

/// The cell, with `'` before each part that would be a formula.
fn defuse(cell: &str) -> Cow<'_, str> {
    each_part(cell, |part| match is_formula(part) {
        true => Cow::Owned(format!("'{part}")),
        false => Cow::Borrowed(part),
    })
}

/// The cell without each `'` that [`defuse`] added.
pub(super) fn restore(cell: &str) -> Cow<'_, str> {
    each_part(cell, |part| {
        let rest = part.strip_prefix('\'').filter(|rest| is_formula(rest));
        Cow::Borrowed(rest.unwrap_or(part))
    })
}

/// A spreadsheet program's `="00123"` is the text 00123; ours would have been defused.
pub(super) fn unwrapped(cell: &str) -> String {
    let formula = cell
        .trim()
        .strip_prefix("=\"")
        .and_then(|cell| cell.strip_suffix('"'));
    match formula {
        Some(text) => text.replace("\"\"", "\""),
        None => restore(cell).into_owned(),
    }
}

/// What Excel and LibreOffice, in English and German, show in place of the value of a formula.
const FAILED: &str =
    "#N/A #REF! #VALUE! #NAME? #DIV/0! #NUM! #NULL! #SPILL! #CALC! #NV #BEZUG! #WERT! #ZAHL!";

pub(super) fn is_failed_formula(cell: &str) -> bool {
    let cell = cell.trim();
    let number = cell.strip_prefix("Err:");
    let is_numbered =
        number.is_some_and(|number| number.len() == 3 && number.parse::<u16>().is_ok());
    is_numbered || FAILED.split(' ').any(|failed| failed == cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn a_line_ends_with_cr_lf_and_quotes_what_needs_it() {
        assert_eq!(
            csv_line(&["a", "", "b,c", "d\"e", "f\ng", "h;i", "ä"]).unwrap(),
            "a,,\"b,c\",\"d\"\"e\",\"f\ng\",\"h;i\",ä\r\n"
        );
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, defused) in [
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            ("+49", "'+49"),
            ("@x", "'@x"),
            ("\tx", "'\tx"),
            ("'=x", "''=x"),
            ("''=x", "'''=x"),
            ("'x", "'x"),
            ("x=1", "x=1"),
            ("＝1+1", "'＝1+1"),
            ("x;=1;y;-2", "x;'=1;y;'-2"),
            ("x\n@y\tz", "x\n'@y\tz"),
            ("x;\"=1", "x;'\"=1"),
            ("x;'=1", "x;''=1"),
            ("", ""),
        ] {
            assert_eq!(defuse(cell), defused);
        }
        assert_eq!(csv_line(&["=1", "\rx"]).unwrap(), "'=1,\"'\rx\"\r\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 10_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_cell_is_restored(cell in "['\"]{0,3}[=+@\t\r＝-]?\\PC{0,5}([;\t\r\n]['\"]{0,2}[=@－+]?[a-c;]{0,2}){0,3}") {
            let defused = defuse(&cell);
            prop_assert_eq!(restore(&defused), &*cell);
            for part in defused.split(ENDS) {
                prop_assert!(!part.trim_start_matches('"').starts_with(SIGNS), "{}", defused);
            }
            let line = csv_line(&["x", &cell]).unwrap();
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let read = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(restore(&read[1]), &*cell);
        }
    }
}
