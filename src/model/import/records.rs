//! The rows of a table with their line numbers and quoting errors.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::BOM;
use super::raw::{Cell, RawRow};

/// Never seen in practice: the reader accepts any text in memory and rows of any length.
const UNREADABLE: &str = "The table cannot be read from here on.";

/// The non-empty rows of a table, one at a time.
pub(super) struct Records<'t> {
    text: &'t str,
    /// Where in the text the reader began.
    base: usize,
    reader: Reader<&'t [u8]>,
    pub(super) delimiter: char,
    /// Up to where lines have been counted.
    counted: usize,
    /// The line on which the current row begins.
    pub(super) line: u64,
    pub(super) cells: StringRecord,
    /// Why the current row cannot be read.
    pub(super) fault: Option<&'static str>,
}

impl<'t> Records<'t> {
    /// `rest` is the end of `text` that contains the table.
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
    pub(super) fn advance(&mut self) -> bool {
        // After this fault the rows cannot be told apart.
        while self.fault != Some(UNREADABLE) {
            let start = self.position();
            match self.reader.read_record(&mut self.cells) {
                Ok(true) => {}
                Ok(false) => return false,
                Err(_) => {
                    self.fault = Some(UNREADABLE);
                    return true;
                }
            }
            let row = self.text[start..self.position()].trim_start_matches(['\r', '\n']);
            self.count_lines(self.position() - row.len());
            self.fault = quote_fault(row, self.delimiter);
            if self.fault.is_some() || self.cells.iter().any(|cell| !cell.trim().is_empty()) {
                return true;
            }
        }
        false
    }

    pub(super) fn next(&mut self) -> Option<RawRow> {
        let start = self.counted;
        if !self.advance() {
            return None;
        }
        let cells = match self.fault {
            None => self.cells.iter().map(Cell::text).collect(),
            Some(_) => {
                let row = &self.text[self.counted.max(start)..self.position()];
                vec![Cell::text(row.trim_end_matches(['\r', '\n']))]
            }
        };
        Some(RawRow {
            line: self.line,
            cells,
            fault: self.fault.map(str::to_owned),
        })
    }

    fn position(&self) -> usize {
        self.base + self.reader.position().byte() as usize
    }

    /// By hand: the reader counts only line feeds, and the one in CR LF too late.
    fn count_lines(&mut self, start: usize) {
        let passed = &self.text[self.counted..start];
        let ends = |end| passed.matches(end).count() as u64;
        self.line += ends("\n") + ends("\r") - ends("\r\n");
        self.counted = start;
    }
}

/// Detects errors that the reader would accept silently, merging one row into the next.
fn quote_fault(row: &str, delimiter: char) -> Option<&'static str> {
    let mut rest = row.trim_end_matches(['\r', '\n']);
    loop {
        let cell = rest.trim_start_matches(' ');
        let after = match cell.strip_prefix('"') {
            Some(_) if cell.len() < rest.len() => {
                return Some(
                    "There is a space before the quotation mark that opens a cell; remove it.",
                );
            }
            Some(quoted) => match after_quotes(quoted) {
                Some(after) => after.trim_start_matches(' '),
                None => {
                    return Some(
                        "A quotation mark opens a cell and is never closed, so this row and all \
                         rows below it run together; close it, or double it if it belongs to the \
                         text.",
                    );
                }
            },
            None => &cell[cell.find(delimiter).unwrap_or(cell.len())..],
        };
        rest = match after.strip_prefix(delimiter) {
            Some(next) => next,
            None if after.is_empty() => return None,
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
fn after_quotes(mut quoted: &str) -> Option<&str> {
    loop {
        let (_, after) = quoted.split_once('"')?;
        match after.strip_prefix('"') {
            Some(more) => quoted = more,
            None => return Some(after),
        }
    }
}
