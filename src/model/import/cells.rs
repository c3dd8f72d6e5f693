//! CSV lines in which no cell is a formula to a spreadsheet program.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};

use crate::error::Error;

/// The byte order mark that makes Excel read a file as UTF-8.
pub const BOM: &str = "\u{feff}";

/// One line with its CR LF.
pub fn csv_line(cells: &[&str]) -> Result<String, Error> {
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .buffer_capacity(256)
        .from_writer(Vec::new());
    let written = writer.write_record(cells.iter().map(|cell| defuse(cell).into_owned()));
    written.map_err(unwritten)?;
    let line = writer.into_inner().map_err(unwritten)?;
    String::from_utf8(line).map_err(unwritten)
}

fn unwritten(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("writing a line of CSV: {error}"))
}

/// Spreadsheet programs evaluate a cell that begins like this. Leading `'` are skipped so that
/// [`restore`] can tell the ones we added from the original ones.
fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'')
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The cell, prefixed with `'` if it would be a formula.
fn defuse(cell: &str) -> Cow<'_, str> {
    if is_formula(cell) {
        Cow::Owned(format!("'{cell}"))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The cell without the `'` that [`defuse`] added.
pub(super) fn restore(cell: &str) -> &str {
    cell.strip_prefix('\'')
        .filter(|cell| is_formula(cell))
        .unwrap_or(cell)
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
            "a,,\"b,c\",\"d\"\"e\",\"f\ng\",h;i,ä\r\n"
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
        fn every_cell_is_restored(cell in "'{0,3}[=+@\t\ra-]?\\PC{0,5}") {
            let defused = defuse(&cell);
            prop_assert_eq!(restore(&defused), &cell);
            prop_assert!(!defused.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
