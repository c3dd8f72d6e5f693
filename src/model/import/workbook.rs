//! Workbooks (`.xlsx`, `.ods`): their first sheet becomes a JSON array of arrays, in which numbers stay numbers.

use std::io::{Cursor, Read, Seek, copy, sink};
use std::vec;

use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader, Xlsx};
use serde_json::Value;
use serde_json::value::RawValue;
use zip::ZipArchive;

use super::raw::{Cell, CellKind, RawRow};
use super::refused;
use crate::error::Error;

/// Bytes of all files in a workbook together.
const MAX_UNPACKED: u64 = 96 * 1024 * 1024;

/// Empty cells between others included.
const MAX_CELLS: usize = 3_000_000;
const MAX_COLUMNS: usize = 200;

const NO_SHEET: &str = "The workbook has no sheet with cells.";

/// Begins every file of these formats, and of the older ones.
const ZIP: &[u8] = b"PK\x03\x04";
const OLE: &[u8] = b"\xd0\xcf\x11\xe0";

/// The rows of the first sheet that has any as JSON, if the file is a workbook.
pub(super) fn to_json(bytes: &[u8]) -> Result<Option<String>, Error> {
    if bytes.starts_with(OLE) {
        return Err(refused(
            "The file is an .xls workbook, or one with a password. Save it as .xlsx without a password.",
        ));
    }
    if !bytes.starts_with(ZIP) {
        return Ok(None);
    }
    let unreadable = |what: &dyn std::fmt::Display| {
        refused(format!(
            "The workbook cannot be read: {what}. Save it again as .xlsx, or as `CSV UTF-8`."
        ))
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| unreadable(&e))?;
    check_size(&mut archive).map_err(|e| unreadable(&e))?;
    let rows = match archive.index_for_name("content.xml") {
        Some(content) => {
            let mut text = String::new();
            let mut file = archive.by_index(content).map_err(|e| unreadable(&e))?;
            file.read_to_string(&mut text).map_err(|e| unreadable(&e))?;
            if cells_in(&text) > MAX_CELLS {
                return Err(too_many());
            }
            ods(bytes).map_err(|e| unreadable(&e))?
        }
        None => xlsx(bytes)?.map_err(|e| unreadable(&e))?,
    };
    let text = serde_json::to_string(&rows).map_err(|e| unreadable(&e))?;
    match rows.is_empty() {
        true => Err(refused(NO_SHEET)),
        false => Ok(Some(text)),
    }
}

fn too_many() -> Error {
    refused(
        "The workbook has too many cells. Delete what is beside and below the table, or save the \
         sheet as `CSV UTF-8`.",
    )
}

/// By unpacking everything: what an archive says of itself may be a lie.
fn check_size(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<(), String> {
    let mut left = MAX_UNPACKED;
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|e| e.to_string())?;
        let unpacked = copy(&mut file.take(left + 1), &mut sink()).map_err(|e| e.to_string())?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| "it is too large once it is unpacked".to_owned())?;
    }
    Ok(())
}

fn xlsx(bytes: &[u8]) -> Result<Result<Vec<Vec<Value>>, String>, Error> {
    let mut book: Xlsx<_> = match Xlsx::new(Cursor::new(bytes)) {
        Ok(book) => book,
        Err(error) => return Ok(Err(error.to_string())),
    };
    for name in book.sheet_names() {
        match xlsx_sheet(&mut book, &name)? {
            Ok(rows) if rows.is_empty() => {}
            rows => return Ok(rows),
        }
    }
    Ok(Ok(vec![]))
}

/// Cell by cell: a sheet may say that it is as large as a sheet can be.
fn xlsx_sheet<F: Read + Seek>(
    book: &mut Xlsx<F>,
    name: &str,
) -> Result<Result<Vec<Vec<Value>>, String>, Error> {
    let mut cells = match book.worksheet_cells_reader(name) {
        Ok(cells) => cells,
        // A chart has a sheet of its own, without cells.
        Err(_) => return Ok(Ok(vec![])),
    };
    let mut rows: Vec<Vec<Value>> = Vec::new();
    let mut number = 0;
    loop {
        let cell = match cells.next_cell() {
            Ok(Some(cell)) => cell,
            Ok(None) => return Ok(Ok(rows)),
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (row, column) = cell.get_position();
        let (row, column) = (row as usize, column as usize);
        let value = value(&match cell.get_value() {
            DataRef::SharedString(text) => Data::String((*text).to_owned()),
            other => Data::from(other.clone()),
        });
        if value == Value::Null {
            continue;
        }
        number += 1 + row.saturating_sub(rows.len());
        if number > MAX_CELLS || column >= MAX_COLUMNS {
            return Err(too_many());
        }
        if rows.len() <= row {
            rows.resize(row + 1, vec![]);
        }
        let cells = &mut rows[row];
        number += column.saturating_sub(cells.len());
        if cells.len() <= column {
            cells.resize(column + 1, Value::Null);
        }
        cells[column] = value;
    }
}

fn ods(bytes: &[u8]) -> Result<Vec<Vec<Value>>, String> {
    let mut book: Ods<_> = Ods::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    for name in book.sheet_names() {
        let range = book.worksheet_range(&name).map_err(|e| e.to_string())?;
        let Some((above, left)) = range.start() else {
            continue;
        };
        let empty = std::iter::repeat_n(vec![], above as usize);
        let rows = range.rows().map(|row| {
            let left = std::iter::repeat_n(Value::Null, left as usize);
            left.chain(row.iter().map(value)).collect()
        });
        return Ok(empty.chain(rows).collect());
    }
    Ok(vec![])
}

/// How many cells the reader would make of an OpenDocument sheet, which says how often a row or a cell repeats.
fn cells_in(content: &str) -> usize {
    let repeated = |text: &str, name: &str| {
        let tag = &text[..text.find('>').unwrap_or(text.len())];
        let value = tag
            .split_once(name)
            .and_then(|(_, rest)| rest.split('"').nth(1));
        value.map_or(1, |number| number.parse().unwrap_or(usize::MAX))
    };
    let (mut rows, mut filled, mut width) = (0usize, 0, 0);
    for row in content.split("<table:table-row").skip(1) {
        rows = rows.saturating_add(repeated(row, "number-rows-repeated"));
        let mut column = 0usize;
        for cell in row.split("<table:table-cell").skip(1) {
            column = column.saturating_add(repeated(cell, "number-columns-repeated"));
            if cell.contains("office:value-type") {
                (filled, width) = (rows, width.max(column));
            }
        }
    }
    filled.saturating_mul(width)
}

fn value(data: &Data) -> Value {
    match data {
        Data::Empty | Data::Error(_) => Value::Null,
        Data::Bool(value) => (if *value { "TRUE" } else { "FALSE" }).into(),
        Data::String(text) if text.is_empty() => Value::Null,
        Data::String(text) => text.as_str().into(),
        Data::Int(number) => (*number).into(),
        Data::Float(number) => whole(*number).map_or_else(|| (*number).into(), Value::from),
        Data::DateTime(moment) => moment_text(moment).into(),
        Data::DateTimeIso(text) | Data::DurationIso(text) => text.as_str().into(),
    }
}

/// A spreadsheet program has only numbers with 15 digits.
fn whole(number: f64) -> Option<i64> {
    let is_exact = number.fract() == 0.0 && number.abs() < 1e15;
    is_exact.then_some(number as i64)
}

fn moment_text(moment: &ExcelDateTime) -> String {
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let time = match (hour, minute, second) {
        (0, 0, 0) => String::new(),
        _ => format!(" {hour:02}:{minute:02}:{second:02}"),
    };
    format!("{year:04}-{month:02}-{day:02}{time}")
}

/// The rows of [`to_json`] that have a filled cell.
pub(super) struct Lines<'t> {
    rest: vec::IntoIter<Vec<&'t RawValue>>,
    line: u64,
}

impl<'t> Lines<'t> {
    pub(super) fn read(text: &'t str) -> Result<Lines<'t>, Error> {
        let rows: Vec<Vec<&RawValue>> = serde_json::from_str(text)
            .map_err(|error| refused(format!("The file is not an array of rows: {error}.")))?;
        Ok(Lines {
            rest: rows.into_iter(),
            line: 0,
        })
    }

    pub(super) fn next(&mut self) -> Option<RawRow> {
        loop {
            let row = self.rest.next()?;
            self.line += 1;
            let cells: Vec<Cell> = row.into_iter().map(cell).collect();
            if cells.iter().any(|cell| !cell.text.trim().is_empty()) {
                return Some(RawRow {
                    line: self.line,
                    cells,
                    fault: None,
                });
            }
        }
    }
}

fn cell(raw: &RawValue) -> Cell {
    match serde_json::from_str(raw.get()) {
        Ok(Value::String(text)) => Cell::text(text),
        Ok(Value::Null) => Cell::default(),
        Ok(Value::Number(_)) => Cell {
            text: raw.get().to_owned(),
            kind: CellKind::Number,
        },
        _ => Cell {
            text: raw.get().to_owned(),
            kind: CellKind::Other,
        },
    }
}
