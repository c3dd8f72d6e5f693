//! Licenses and activation codes as an Excel workbook. Every cell is text, so that no spreadsheet program changes a key.

use rust_xlsxwriter::{Format, IgnoreError, Workbook, Worksheet, XlsxError};

use super::Service;
use crate::error::Error;
use crate::model::activation_code::ListedCode;
use crate::model::published::{CODE_COLUMNS, Row, code_cells, column_names};
use crate::model::search::Filter;
use crate::model::text::grouped;

/// In characters.
const COLUMN_WIDTH: f64 = 24.0;

/// Licenses in a workbook that a page sends: it is made whole before, in about a second.
pub const MAX_SENT: usize = 25_000;
/// Rows of a sheet, without its header.
pub const MAX_ROWS: usize = 1_048_575;

impl Service {
    /// The file; an error if the filter finds more than `limit` licenses.
    pub fn workbook(&self, filter: Filter, limit: usize) -> Result<Vec<u8>, Error> {
        let columns: Vec<&str> = column_names().collect();
        let mut book = TextBook::new("Licenses", &columns)?;
        let mut number = 0;
        let mut walk = self.walk(filter, 0, usize::MAX)?;
        loop {
            let (rows, rest) = self.walk_on(walk)?;
            walk = rest;
            number += rows.len();
            if number > limit {
                return Err(Error::Conflict(format!(
                    "This Excel file can have at most {} licenses. Narrow the filter down, or export them as \
                     CSV.",
                    grouped(limit as i64)
                )));
            }
            if rows.is_empty() {
                return book.finish();
            }
            for row in rows {
                book.add(&Row::from(row).cells())?;
            }
        }
    }
}

/// The file.
pub fn workbook_of_codes(codes: &[ListedCode]) -> Result<Vec<u8>, Error> {
    let mut book = TextBook::new("Activation codes", &CODE_COLUMNS)?;
    for code in codes {
        book.add(&code_cells(code))?;
    }
    book.finish()
}

/// A workbook that rows are added to.
struct TextBook {
    book: Workbook,
    rows: u32,
    columns: u16,
    text: Format,
}

impl TextBook {
    fn new(name: &str, columns: &[&str]) -> Result<TextBook, Error> {
        let mut book = TextBook {
            book: Workbook::new(),
            rows: 0,
            columns: columns.len() as u16,
            text: Format::new().set_num_format("@"),
        };
        book.begin(name, columns).map_err(|e| unwritten(&e))?;
        Ok(book)
    }

    fn begin(&mut self, name: &str, columns: &[&str]) -> Result<(), XlsxError> {
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        sheet.set_freeze_panes(1, 0)?;
        let bold = self.text.clone().set_bold();
        for (column, name) in (0..).zip(columns) {
            sheet.set_column_width(column, COLUMN_WIDTH)?;
            // What is typed below the last row is text, too.
            sheet.set_column_format(column, &self.text)?;
            sheet.write_string_with_format(0, column, *name, &bold)?;
        }
        Ok(())
    }

    fn add(&mut self, cells: &[String]) -> Result<(), Error> {
        self.rows += 1;
        let (number, text) = (self.rows, &self.text);
        let sheet = self
            .book
            .worksheet_from_index(0)
            .map_err(|e| unwritten(&e))?;
        let write = |sheet: &mut Worksheet| {
            for (column, cell) in (0..).zip(cells) {
                sheet.write_string_with_format(number, column, cell, text)?;
            }
            Ok(())
        };
        write(sheet).map_err(|e: XlsxError| unwritten(&e))
    }

    /// The file.
    fn finish(mut self) -> Result<Vec<u8>, Error> {
        let (last, columns) = (self.rows, self.columns);
        let mut save = || {
            let sheet = self.book.worksheet_from_index(0)?;
            sheet.ignore_error_range(0, 0, last, columns - 1, IgnoreError::NumberStoredAsText)?;
            self.book.save_to_buffer()
        };
        save().map_err(|e| unwritten(&e))
    }
}

fn unwritten(error: &XlsxError) -> Error {
    Error::Internal(format!("writing a workbook: {error}"))
}
