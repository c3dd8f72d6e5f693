//! Workbooks (`.xlsx`, `.ods`): the sheet that is imported becomes a JSON array of arrays, whose cells tell texts from
//! numbers and dates.

use std::fmt::Display;
use std::io::{Cursor, Read, Seek, copy, sink};
use std::{mem, vec};

use calamine::{Data, DataRef, ExcelDateTime, Ods, Reader, Sheet, SheetVisible, Xlsx};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use zip::ZipArchive;

use super::code_columns::is_code;
use super::columns::{Column, normalized};
use super::ending::Content;
use super::merged::{Merged, cells, fill, number, of_opendocument, rows, table};
use super::raw::{Cell, CellKind, RawRow, letters};
use super::{Decoded, refused};
use crate::error::Error;
use crate::model::license::fields::LICENSE_KEY;
use crate::model::text::{grouped, shorten};

/// Bytes of all files in a workbook together.
const MAX_UNPACKED: u64 = 96 * 1024 * 1024;

/// Files in a workbook: one for each sheet, each picture and each sheet's comments, and about ten others.
const MAX_FILES: usize = 1_000;

/// Empty cells between others included.
const MAX_CELLS: usize = 3_000_000;
const MAX_COLUMNS: usize = 200;

/// Rows at the top of a sheet in which headings are looked for.
const TOP: usize = 20;

/// Days that a spreadsheet program shows as dates.
const DAYS: std::ops::Range<f64> = 1.0..2_958_466.0;

/// Begins every file of these formats, and of the older ones.
const ZIP: &[u8] = b"PK\x03\x04";
const OLE: &[u8] = b"\xd0\xcf\x11\xe0";

/// Keys of a cell that is neither a text nor a number.
const CONVERTED: &str = "value";
const ERROR: &str = "error";

type Rows = Vec<Vec<Value>>;

/// The rows of a sheet as JSON, if the file is a workbook.
pub(super) fn read(bytes: &[u8]) -> Result<Option<(Content, Decoded)>, Error> {
    if bytes.starts_with(OLE) {
        return Err(refused(
            "The file is an .xls workbook, or one with a password. Save it as .xlsx without a password.",
        ));
    }
    if !bytes.starts_with(ZIP) {
        return Ok(None);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| unreadable(&e))?;
    if archive.len() > MAX_FILES {
        return Err(refused(format!(
            "The workbook consists of {} files; at most {} can be read. Copy the sheet into a new workbook, or save it \
             as `CSV UTF-8`.",
            grouped(archive.len() as i64),
            grouped(MAX_FILES as i64)
        )));
    }
    check_size(&mut archive)?;
    let (content, sheets) = match archive.index_for_name("content.xml") {
        None => (Content::Excel, xlsx(bytes)?),
        Some(content) => {
            let mut text = String::new();
            let mut file = archive.by_index(content).map_err(|e| unreadable(&e))?;
            file.read_to_string(&mut text).map_err(|e| unreadable(&e))?;
            (Content::OpenDocument, ods(bytes, &text)?)
        }
    };
    let Sheets { chosen, others } = sheets;
    let SheetRows {
        name,
        mut rows,
        merged,
        without_value,
    } = chosen.ok_or_else(|| refused("The workbook has no sheet with cells."))?;
    if let Some(cell) = without_value {
        return Err(refused(format!(
            "The cell {cell} of the sheet `{}` is a formula whose value was not saved. Open the workbook in Excel or \
             LibreOffice, save it there, and choose it again.",
            shorten(&name)
        )));
    }
    if !fill(&mut rows, &merged, MAX_CELLS) {
        return Err(too_many());
    }
    let others: Vec<String> = others
        .iter()
        .map(|name| format!("`{}`", shorten(name)))
        .collect();
    let note = (!others.is_empty()).then(|| {
        format!(
            "Only the sheet `{}` was read, not {}. To import another one, save it as a workbook of its own.",
            shorten(&name),
            others.join(", ")
        )
    });
    let decoded = Decoded {
        text: serde_json::to_string(&rows).map_err(|e| unreadable(&e))?,
        notes: note.into_iter().collect(),
    };
    Ok(Some((content, decoded)))
}

fn unreadable(what: &dyn Display) -> Error {
    refused(format!(
        "The workbook cannot be read: {what}. Save it again as .xlsx, or as `CSV UTF-8`."
    ))
}

fn too_many() -> Error {
    refused(
        "The workbook has too many cells. Delete what is beside and below the table, or save the \
         sheet as `CSV UTF-8`.",
    )
}

/// By unpacking everything: what an archive says of itself may be a lie.
fn check_size(archive: &mut ZipArchive<Cursor<&[u8]>>) -> Result<(), Error> {
    let mut left = MAX_UNPACKED;
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|e| unreadable(&e))?;
        let unpacked = copy(&mut file.take(left + 1), &mut sink()).map_err(|e| unreadable(&e))?;
        left = left
            .checked_sub(unpacked)
            .ok_or_else(|| unreadable(&"it is too large once it is unpacked"))?;
    }
    Ok(())
}

struct SheetRows {
    name: String,
    rows: Rows,
    merged: Vec<Merged>,
    /// The first formula whose value no program has calculated.
    without_value: Option<String>,
}

impl SheetRows {
    /// Whether one of its first rows has the heading of license keys or activation codes.
    fn has_headings(&self) -> bool {
        let cells = self.rows.iter().take(TOP).flatten();
        cells.filter_map(Value::as_str).any(|cell| {
            Column::from_heading(cell) == Column::Field(LICENSE_KEY) || is_code(&normalized(cell))
        })
    }
}

/// The sheet that is imported, and the names of others that have cells. Only one is kept: a workbook may have hundreds,
/// each as large as one can be.
#[derive(Default)]
struct Sheets {
    /// The first one with headings, otherwise the first.
    chosen: Option<SheetRows>,
    others: Vec<String>,
}

impl Sheets {
    fn has_headings(&self) -> bool {
        self.chosen.as_ref().is_some_and(SheetRows::has_headings)
    }

    /// Takes the next sheet unless there is one with headings already.
    fn add(&mut self, sheet: SheetRows) {
        match &mut self.chosen {
            None => self.chosen = Some(sheet),
            Some(first) if sheet.has_headings() => {
                self.others.insert(0, mem::replace(first, sheet).name);
            }
            Some(_) => self.others.push(sheet.name),
        }
    }
}

/// `D2` for the cell at this position, from 0.
fn place(row: usize, column: usize) -> String {
    format!("{}{}", letters(column), row.saturating_add(1))
}

/// Hidden sheets only if no other has cells.
fn in_order(sheets: &[Sheet]) -> (Vec<String>, Vec<String>) {
    let named = |is_visible: bool| {
        let sheets = sheets.iter();
        let wanted =
            sheets.filter(move |sheet| (sheet.visible == SheetVisible::Visible) == is_visible);
        wanted.map(|sheet| sheet.name.clone()).collect()
    };
    (named(true), named(false))
}

fn xlsx(bytes: &[u8]) -> Result<Sheets, Error> {
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| unreadable(&e))?;
    let (visible, hidden) = in_order(book.sheets_metadata());
    let mut sheets = Sheets::default();
    for name in &visible {
        if sheets.has_headings() {
            if has_cells(&mut book, name)? {
                sheets.others.push(name.clone());
            }
        } else if let Some(sheet) = xlsx_sheet(&mut book, name)? {
            sheets.add(sheet);
        }
    }
    for name in &hidden {
        if sheets.chosen.is_none() {
            sheets.chosen = xlsx_sheet(&mut book, name)?;
        }
    }
    Ok(sheets)
}

fn has_cells<F: Read + Seek>(book: &mut Xlsx<F>, name: &str) -> Result<bool, Error> {
    // A chart has a sheet of its own, without cells.
    let Ok(mut cells) = book.worksheet_cells_reader(name) else {
        return Ok(false);
    };
    while let Some(cell) = cells.next_cell().map_err(|e| unreadable(&e))? {
        if !matches!(cell.get_value(), DataRef::Empty) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cell by cell: a sheet may say that it is as large as a sheet can be.
fn xlsx_sheet<F: Read + Seek>(book: &mut Xlsx<F>, name: &str) -> Result<Option<SheetRows>, Error> {
    let Ok(mut cells) = book.worksheet_cells_reader(name) else {
        return Ok(None);
    };
    let mut rows: Rows = Vec::new();
    let (mut number, mut last, mut without_value) = (0, None, None);
    loop {
        let cell = match cells.next_cell_with_formula_metadata() {
            Ok(Some(cell)) => cell,
            Ok(None) => break,
            Err(error) => return Err(unreadable(&after(&error, last))),
        };
        let (row, column) = (cell.pos.0 as usize, cell.pos.1 as usize);
        last = Some((row, column));
        // A formula whose result is an empty text has that as its value.
        if cell.formula.is_some() && matches!(cell.value, DataRef::Empty) {
            without_value.get_or_insert_with(|| place(row, column));
        }
        let value = value(&match cell.value {
            DataRef::SharedString(text) => Data::String(text.to_owned()),
            other => Data::from(other),
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
    drop(cells);
    let merged = book.merge_cells_by_sheet_name(name).unwrap_or_default();
    let merged = merged.into_iter().map(|region| Merged {
        column: region.start.1 as usize,
        first: region.start.0 as usize,
        last: region.end.0 as usize,
    });
    Ok((!rows.is_empty()).then(|| SheetRows {
        name: name.to_owned(),
        rows,
        merged: merged.collect(),
        without_value,
    }))
}

/// What is wrong with the cell after the last one that could be read.
fn after(error: &dyn Display, last: Option<(usize, usize)>) -> String {
    match last {
        None => error.to_string(),
        Some((row, column)) => format!("{error}, in the next cell after {}", place(row, column)),
    }
}

fn ods(bytes: &[u8], content: &str) -> Result<Sheets, Error> {
    if cells_in(content) > MAX_CELLS {
        return Err(too_many());
    }
    let mut book: Ods<_> = Ods::new(Cursor::new(bytes)).map_err(|e| unreadable(&e))?;
    let names = book.sheet_names();
    let (visible, hidden) = in_order(book.sheets_metadata());
    let mut sheets = Sheets::default();
    for name in visible.iter().chain(&hidden) {
        let range = book.worksheet_range(name).map_err(|e| unreadable(&e))?;
        let Some((above, left)) = range.start() else {
            continue;
        };
        match &sheets.chosen {
            Some(_) if hidden.contains(name) => {}
            Some(chosen) if chosen.has_headings() => sheets.others.push(name.clone()),
            _ => {
                let empty = std::iter::repeat_n(vec![], above as usize);
                let rows = range.rows().map(|row| {
                    let left = std::iter::repeat_n(Value::Null, left as usize);
                    left.chain(row.iter().map(value)).collect()
                });
                let at = names.iter().position(|other| other == name);
                let at = at.unwrap_or_default();
                sheets.add(SheetRows {
                    name: name.clone(),
                    rows: empty.chain(rows).collect(),
                    merged: of_opendocument(content, at),
                    without_value: without_value(content, at),
                });
            }
        }
    }
    Ok(sheets)
}

/// The first formula in an OpenDocument sheet, counted from 0, whose value no program has calculated.
fn without_value(content: &str, sheet: usize) -> Option<String> {
    let mut line = 0usize;
    for row in rows(table(content, sheet)) {
        let mut column = 0usize;
        for cell in cells(row) {
            let attributes = &cell[..cell.find('>').unwrap_or(cell.len())];
            let is_formula = attributes.contains("table:formula=");
            if is_formula && !attributes.contains("office:value-type=") {
                return Some(place(line, column));
            }
            column = column.saturating_add(number(cell, "number-columns-repeated"));
        }
        line = line.saturating_add(number(row, "number-rows-repeated"));
    }
    None
}

/// How many cells the reader would make of an OpenDocument sheet, which says how often a row or a cell repeats.
fn cells_in(content: &str) -> usize {
    let (mut lines, mut filled, mut width) = (0usize, 0, 0);
    for row in rows(content) {
        lines = lines.saturating_add(number(row, "number-rows-repeated"));
        let mut column = 0usize;
        for cell in cells(row) {
            column = column.saturating_add(number(cell, "number-columns-repeated"));
            if cell.contains("office:value-type") {
                (filled, width) = (lines, width.max(column));
            }
        }
    }
    filled.saturating_mul(width)
}

fn value(data: &Data) -> Value {
    match data {
        Data::Empty => Value::Null,
        Data::Error(error) => json!({ ERROR: error.to_string() }),
        Data::Bool(value) => json!({ CONVERTED: if *value { "TRUE" } else { "FALSE" } }),
        Data::String(text) if text.is_empty() => Value::Null,
        Data::String(text) => text.as_str().into(),
        Data::Int(number) => (*number).into(),
        Data::Float(number) => whole(*number).map_or_else(|| (*number).into(), Value::from),
        Data::DateTime(moment) if DAYS.contains(&moment.as_f64()) => {
            json!({ CONVERTED: moment_text(moment) })
        }
        Data::DateTime(moment) => json!({ CONVERTED: moment.as_f64().to_string() }),
        Data::DateTimeIso(text) | Data::DurationIso(text) => json!({ CONVERTED: text }),
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

/// The rows of a sheet as [`read`] writes them, those with a filled cell.
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
    let of_kind = |kind, text: &str| Cell {
        text: text.to_owned(),
        kind,
    };
    match serde_json::from_str(raw.get()) {
        Ok(Value::String(text)) => Cell::text(text),
        Ok(Value::Null) => Cell::default(),
        Ok(Value::Number(_)) => of_kind(CellKind::Number, raw.get()),
        Ok(Value::Object(value)) => match (value.get(CONVERTED), value.get(ERROR)) {
            (Some(Value::String(text)), _) => of_kind(CellKind::Converted, text),
            (_, Some(Value::String(text))) => of_kind(CellKind::Error, text),
            _ => of_kind(CellKind::Other, raw.get()),
        },
        _ => of_kind(CellKind::Other, raw.get()),
    }
}
