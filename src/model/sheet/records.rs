//! The rows of a table, with their lines and with what is wrong with their quotation marks.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::BOM;
use crate::error::Error;

/// The rows of a table that are not empty, one at a time.
pub(super) struct Records<'t> {
    text: &'t str,
    /// Where in the text the reader began.
    base: usize,
    reader: Reader<&'t [u8]>,
    pub(super) delimiter: char,
    /// Up to where the lines are counted.
    counted: usize,
    /// The line on which the present row begins.
    pub(super) line: u64,
    pub(super) cells: StringRecord,
    /// What is wrong with the quotation marks of the present row.
    pub(super) fault: Option<&'static str>,
}

impl<'t> Records<'t> {
    /// `rest` is the end of `text` that holds the table.
    pub(super) fn new(text: &'t str, rest: &'t str, delimiter: u8) -> Records<'t> {
        let rest = rest
            .trim_start_matches(['\r', '\n'])
            .trim_start_matches(BOM);
        Records {
            text,
            base: text.len() - rest.len(),
            reader: ReaderBuilder::new()
                .delimiter(delimiter)
                .has_headers(false)
                .flexible(true)
                .from_reader(rest.as_bytes()),
            delimiter: delimiter.into(),
            counted: 0,
            line: 1,
            cells: StringRecord::new(),
            fault: None,
        }
    }

    /// False at the end of the table.
    pub(super) fn advance(&mut self) -> Result<bool, Error> {
        loop {
            let start = self.position();
            let is_row = self.reader.read_record(&mut self.cells);
            if !is_row.map_err(|e| Error::Internal(format!("reading a table: {e}")))? {
                return Ok(false);
            }
            let row = self.text[start..self.position()].trim_start_matches(['\r', '\n']);
            self.count_lines(self.position() - row.len());
            self.fault = quote_fault(row, self.delimiter);
            if self.fault.is_some() || self.cells.iter().any(|cell| !cell.trim().is_empty()) {
                return Ok(true);
            }
        }
    }

    fn position(&self) -> usize {
        self.base + self.reader.position().byte() as usize
    }

    /// By hand: the reader counts line feeds only, and the one of CR LF too late.
    fn count_lines(&mut self, start: usize) {
        let passed = &self.text[self.counted..start];
        let ends = |end| passed.matches(end).count() as u64;
        self.line += ends("\n") + ends("\r") - ends("\r\n");
        self.counted = start;
    }
}

/// What the reader would take in silence, one row swallowing the next.
fn quote_fault(row: &str, delimiter: char) -> Option<&'static str> {
    let mut rest = row.trim_end_matches(['\r', '\n']);
    loop {
        let cell = rest.trim_start_matches(' ');
        let behind = match cell.strip_prefix('"') {
            Some(_) if cell.len() < rest.len() => {
                return Some(
                    "There is a space in front of the quotation mark that opens a cell; remove it.",
                );
            }
            Some(quoted) => match behind_quotes(quoted) {
                Some(behind) => behind.trim_start_matches(' '),
                None => {
                    return Some(
                        "A quotation mark opens a cell and is never closed, so this row and all \
                         below it cannot be told apart; close it, or double it where it belongs \
                         to the text.",
                    );
                }
            },
            None => &cell[cell.find(delimiter).unwrap_or(cell.len())..],
        };
        rest = match behind.strip_prefix(delimiter) {
            Some(next) => next,
            None if behind.is_empty() => return None,
            None => {
                return Some(
                    "Text follows the quotation mark that closes a cell; double the quotation \
                     marks that belong to the text.",
                );
            }
        };
    }
}

/// What follows the quotation mark that closes a cell.
fn behind_quotes(mut quoted: &str) -> Option<&str> {
    loop {
        let (_, behind) = quoted.split_once('"')?;
        match behind.strip_prefix('"') {
            Some(more) => quoted = more,
            None => return Some(behind),
        }
    }
}
