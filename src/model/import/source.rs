//! The rows of a file, whatever its format: cells by the position of their heading.

use super::json::Elements;
use super::raw::RawRow;
use super::records::Records;
use super::workbook::Lines;

pub(super) enum Source<'t> {
    Table(Box<Records<'t>>),
    Workbook(Lines<'t>),
    Elements(Elements<'t>),
}

impl Source<'_> {
    pub(super) fn next(&mut self) -> Option<RawRow> {
        match self {
            Source::Table(records) => records.next(),
            Source::Workbook(lines) => lines.next(),
            Source::Elements(elements) => elements.next(),
        }
    }
}
