//! A row of a file whose cells have no meaning yet.

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
    /// A number of a workbook: its leading zeros are lost, and it has at most 15 digits.
    Number,
    /// A date or a truth value of a workbook, whatever was typed.
    Converted,
    /// What a formula of a workbook has in place of a value, such as `#N/A`.
    Error,
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

/// The name of a column in a spreadsheet program: `A` to `Z`, `AA` and so on.
pub(super) fn letters(at: usize) -> String {
    let last = char::from(b'A' + (at % 26) as u8);
    match at / 26 {
        0 => last.to_string(),
        others => format!("{}{last}", letters(others - 1)),
    }
}
