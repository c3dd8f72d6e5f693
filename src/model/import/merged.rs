//! Merged cells of a workbook: each row gets the value that a reader sees in it.

use serde_json::Value;

/// Cells of one column, from the first row to the last; only the first one has the value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) column: usize,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Copies the value down; false if that takes more than `most` cells.
pub(super) fn fill(rows: &mut [Vec<Value>], merged: &[Merged], most: usize) -> bool {
    let mut number = 0;
    for Merged {
        column,
        first,
        last,
    } in merged
    {
        let value = rows.get(*first).and_then(|row| row.get(*column)).cloned();
        let Some(value) = value.filter(|value| !value.is_null()) else {
            continue;
        };
        for row in rows.iter_mut().take(last + 1).skip(first + 1) {
            number += 1 + column.saturating_sub(row.len());
            if number > most {
                return false;
            }
            if row.len() <= *column {
                row.resize(column + 1, Value::Null);
            }
            if row[*column].is_null() {
                row[*column] = value.clone();
            }
        }
    }
    true
}

/// In one sheet of an OpenDocument file, counted from 0.
pub(super) fn of_opendocument(content: &str, sheet: usize) -> Vec<Merged> {
    let (mut found, mut row) = (vec![], 0usize);
    for line in rows(table(content, sheet)) {
        let mut column = 0usize;
        for cell in cells(line) {
            let height = number(cell, "number-rows-spanned");
            if height > 1 {
                found.push(Merged {
                    column,
                    first: row,
                    last: row.saturating_add(height - 1),
                });
            }
            column = column.saturating_add(number(cell, "number-columns-repeated"));
        }
        row = row.saturating_add(number(line, "number-rows-repeated"));
    }
    found
}

/// One sheet of an OpenDocument file, counted from 0.
pub(super) fn table(content: &str, sheet: usize) -> &str {
    let mut sheets = content.split("<table:table ").skip(1);
    sheets.nth(sheet).unwrap_or_default()
}

/// Each row of an OpenDocument sheet, from the attributes of its tag on.
pub(super) fn rows(content: &str) -> impl Iterator<Item = &str> {
    let parts = content.split("<table:table-row").skip(1);
    parts.filter(|part| part.starts_with([' ', '>', '/']))
}

/// Each cell of such a row, from the attributes of its tag on, to the next tag.
pub(super) fn cells(row: &str) -> impl Iterator<Item = &str> {
    row.split('<').filter_map(|tag| {
        tag.strip_prefix("table:table-cell")
            .or_else(|| tag.strip_prefix("table:covered-table-cell"))
    })
}

/// An attribute of the tag that the text begins in; 1 without it.
pub(super) fn number(text: &str, attribute: &str) -> usize {
    let tag = &text[..text.find('>').unwrap_or(text.len())];
    let value = tag.split_once(attribute);
    let value = value.and_then(|(_, rest)| rest.split('"').nth(1));
    value.map_or(1, |number| number.parse().unwrap_or(usize::MAX))
}
