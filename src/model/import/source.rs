//! The rows of a file, whatever its format: cells by the position of their heading.

use super::json::Elements;
use super::records::Records;
use super::workbook::Lines;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RawRow {
    /// The line on which the row begins, or the number of the array element, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<Cell>,
    /// Why the cells cannot be told apart; a message for people. There is then one cell with the whole row.
    pub(super) fault: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) kind: CellKind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum CellKind {
    #[default]
    Text,
    /// A number of a workbook: it has no leading zeros any more, and at most 15 digits.
    Number,
    /// JSON that is not a valid text, a number or null.
    Other,
    /// The JSON object has no such key.
    Absent,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            kind: CellKind::Text,
        }
    }
}

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
