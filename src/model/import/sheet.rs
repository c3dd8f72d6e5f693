//! A file as rows of licenses. It is read twice: what its columns hold decides how a cell is read.

use std::collections::BTreeMap;

use super::cells::restore;
use super::columns::Column;
use super::json::Elements;
use super::options::ImportOptions;
use super::raw::{Cell, CellKind, RawRow};
use super::source::Source;
use super::statuses::meaning;
use super::workbook::Lines;
use super::{BOM, RowUnit, SheetRow, is_whole, refused, table};
use crate::error::Error;
use crate::model::date;
use crate::model::license::Status;
use crate::model::license::fields::{EXPIRATION_DATE, FIELDS, LICENSE_KEY, STATUS, TOOL_NAME};
use crate::model::text::{grouped, shorten};
use crate::model::typed_date::{DateOrder, Reading, is_date};

/// Values of a column that are shown.
const SAMPLES: usize = 3;

/// Words for a status that are kept apart.
const MAX_WORDS: usize = 50;

/// Columns of a table that are looked at.
const MAX_COLUMNS: usize = 1_000;

/// How a file is read, and what a person may decide about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    pub columns: Vec<LayoutColumn>,
    /// Why no row can be imported; a message for people.
    pub problem: Option<String>,
    /// The line that has the headings, if it is not the one taken.
    pub likely_header: Option<u64>,
    /// How values were read that could be read otherwise; messages for people.
    pub notes: Vec<String>,
    /// Whether there are dates with two readings, and nothing says which is right.
    pub has_ambiguous_dates: bool,
    /// Words that are not a status, with the number of their rows.
    pub unknown_statuses: Vec<(String, i64)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayoutColumn {
    /// As in the file; empty for a column without a name.
    pub heading: String,
    /// The name of the field that the column is; none if it is ignored.
    pub name: Option<&'static str>,
    /// Whether nobody decided that it is ignored.
    pub is_unknown: bool,
    /// The first different values.
    pub samples: Vec<String>,
}

impl LayoutColumn {
    /// The heading for a message.
    pub fn shown(&self) -> String {
        shown(&self.heading)
    }
}

/// Reads the rows of a file one at a time.
pub struct Sheet<'t> {
    /// What [`SheetRow::line`] counts.
    pub unit: RowUnit,
    /// Number of rows.
    pub length: usize,
    pub layout: Layout,
    source: Source<'t>,
    columns: Vec<Column>,
    orders: Vec<Option<DateOrder>>,
    options: ImportOptions,
}

/// What is known of a column once all rows were read.
#[derive(Default)]
struct Survey {
    samples: Vec<String>,
    filled: i64,
    dates: i64,
    /// The lines and texts that prove an order.
    day_first: Option<(u64, String)>,
    month_first: Option<(u64, String)>,
    ambiguous: i64,
    /// The first number that stands for a day, and how many there are.
    serial: Option<(String, String)>,
    serials: i64,
    words: BTreeMap<String, i64>,
}

impl Survey {
    fn note(&mut self, column: Column, line: u64, cell: &Cell) {
        let text = cell.text.trim();
        if text.is_empty() || cell.kind == CellKind::Absent {
            return;
        }
        self.filled += 1;
        if self.samples.len() < SAMPLES && !self.samples.iter().any(|sample| sample == text) {
            self.samples.push(shorten(text));
        }
        match column {
            Column::Unknown => self.dates += i64::from(is_date(text)),
            Column::Field(STATUS) => {
                let word = text.to_lowercase();
                if self.words.contains_key(&word) || self.words.len() < MAX_WORDS {
                    *self.words.entry(word).or_default() += 1;
                }
            }
            Column::Field(index) if FIELDS[index].is_date() => self.note_date(line, text),
            _ => {}
        }
    }

    fn note_date(&mut self, line: u64, text: &str) {
        match Reading::proves(text) {
            Some(DateOrder::DayFirst) => {
                self.day_first.get_or_insert((line, shorten(text)));
            }
            Some(DateOrder::MonthFirst) => {
                self.month_first.get_or_insert((line, shorten(text)));
            }
            None => match Reading::of(text) {
                Reading::Either { .. } => self.ambiguous += 1,
                Reading::Serial(day) => {
                    self.serials += 1;
                    self.serial
                        .get_or_insert((text.to_owned(), date::format(day)));
                }
                _ => {}
            },
        }
    }

    fn proven(&self) -> Option<DateOrder> {
        match (&self.day_first, &self.month_first) {
            (Some(_), None) => Some(DateOrder::DayFirst),
            (None, Some(_)) => Some(DateOrder::MonthFirst),
            _ => None,
        }
    }
}

/// The parts of a file before its rows are read.
struct Opened<'t> {
    unit: RowUnit,
    source: Source<'t>,
    /// Of a table, with the line that they are on.
    header: Option<(u64, Vec<String>)>,
}

fn open<'t>(text: &'t str, options: &ImportOptions) -> Result<Opened<'t>, Error> {
    let start = text.trim_start();
    if start.starts_with('{') {
        return Err(refused(
            "The file begins with `{`; a JSON file must be an array of licenses, \
             `[{\"tool_name\": \"…\", \"license_key\": \"…\"}, …]`.",
        ));
    }
    if start.starts_with('[') && !start[1..].trim_start().starts_with('[') {
        return Ok(Opened {
            unit: RowUnit::Element,
            source: Source::Elements(Elements::read(text)?),
            header: None,
        });
    }
    let mut source = rows(text)?;
    let wanted = options.header_line.unwrap_or_default();
    let first = std::iter::from_fn(|| source.next()).find(|row| row.line >= wanted);
    let first = first.ok_or_else(|| {
        refused(
            "The file has no header row; its first row must name the columns, at least tool_name \
             and license_key.",
        )
    })?;
    if let Some(fault) = first.fault {
        return Err(refused(format!(
            "The header on line {}: {fault}",
            first.line
        )));
    }
    let cells = first.cells.into_iter().take(MAX_COLUMNS);
    let mut headings: Vec<String> = cells
        .map(|cell| restore(&cell.text).trim().to_owned())
        .collect();
    while headings.last().is_some_and(|heading| heading.is_empty()) {
        headings.pop();
    }
    Ok(Opened {
        unit: RowUnit::Line,
        source,
        header: Some((first.line, headings)),
    })
}

/// All rows of a table or workbook.
fn rows(text: &str) -> Result<Source<'_>, Error> {
    if text.trim_start().starts_with('[') {
        return Ok(Source::Workbook(Lines::read(text)?));
    }
    is_whole(text)?;
    Ok(Source::Table(Box::new(table::records(text))))
}

impl<'t> Sheet<'t> {
    /// Takes decoded text; a file without rows is refused. If no row can be imported as the options are,
    /// [`Layout::problem`] says why.
    pub fn read(text: &'t str, options: &ImportOptions) -> Result<Sheet<'t>, Error> {
        let text = text.trim_start_matches(BOM);
        let Opened {
            unit,
            mut source,
            header,
        } = open(text, options)?;
        let mut columns: Vec<Column> = Vec::new();
        let mut surveys: Vec<Survey> = Vec::new();
        let (line, mut headings) = header.unwrap_or_default();
        let mut length = 0;
        loop {
            let row = source.next();
            if let Source::Elements(elements) = &source {
                let new = elements.keys[headings.len()..].iter().cloned();
                headings.extend(new);
            }
            let new = headings[columns.len()..].iter();
            columns.extend(new.map(|heading| Column::of(heading, options)));
            surveys.resize_with(columns.len(), Survey::default);
            let Some(row) = row else { break };
            length += 1;
            if row.fault.is_none() {
                for ((survey, column), cell) in surveys.iter_mut().zip(&columns).zip(&row.cells) {
                    survey.note(*column, row.line, cell);
                }
            }
        }
        if length == 0 {
            return Err(refused(match unit {
                RowUnit::Line => "The file has a header but no rows.",
                RowUnit::Element => "The file is an empty array.",
            }));
        }
        let mut layout = Layout::default();
        let orders = surveys
            .iter()
            .map(|survey| options.dates.or(survey.proven()))
            .collect();
        for ((heading, column), survey) in headings.iter().zip(&columns).zip(&surveys) {
            layout.explain(heading, *column, survey, options);
        }
        layout.problem = clash(&columns, &headings, unit).or_else(|| {
            let lacks = |index: &usize| !columns.contains(&Column::Field(*index));
            let mut required = [TOOL_NAME, LICENSE_KEY].into_iter();
            let has_tool = |index: &usize| *index == TOOL_NAME && options.tool.is_some();
            let missing = required.find(|index| lacks(index) && !has_tool(index))?;
            if unit == RowUnit::Element {
                return None;
            }
            if options.header_line.is_none() {
                layout.likely_header = rows(text).ok().and_then(table::likely_header);
            }
            Some(table::missing(
                line,
                missing,
                &headings,
                layout.likely_header,
            ))
        });
        let has_expiration = columns.contains(&Column::Field(EXPIRATION_DATE));
        let lost = surveys
            .iter()
            .zip(&headings)
            .find(|(survey, _)| survey.dates * 2 > survey.filled);
        if let (None, false, Some((_, heading))) = (&layout.problem, has_expiration, lost) {
            layout.problem = Some(format!(
                "The column `{}` has dates, but no column is the expiration date, so every license would be \
                 perpetual. Name the column with the expiration dates `expiration_date`, or say what this \
                 column is.",
                shown(heading)
            ));
        }
        Ok(Sheet {
            unit,
            length,
            layout,
            source: open(text, options)?.source,
            columns,
            orders,
            options: options.clone(),
        })
    }

    fn row(&self, raw: RawRow) -> SheetRow {
        let is_table = matches!(self.source, Source::Table(_));
        let mut row = SheetRow {
            line: raw.line,
            problem: raw.fault,
            ..SheetRow::default()
        };
        let texts = |cells: Vec<Cell>| cells.into_iter().map(|cell| cell.text).collect();
        if row.problem.is_some() {
            row.cells = texts(raw.cells);
            return row;
        }
        let mut cells = raw.cells;
        if is_table {
            for cell in &mut cells {
                cell.text = unwrapped(&cell.text);
            }
        }
        if self.unit == RowUnit::Line {
            if let Some(cell) = cells
                .iter()
                .skip(self.columns.len())
                .find(|cell| !cell.text.trim().is_empty())
            {
                row.problem = Some(self.beyond(&cell.text));
            }
            cells.resize(self.columns.len().max(cells.len()), Cell::default());
        }
        let named = self.columns.iter().zip(&self.layout.columns);
        for (at, ((column, layout), cell)) in named.zip(&cells).enumerate() {
            let problem = self.set(&mut row, at, *column, &layout.heading, cell);
            row.problem = row.problem.or(problem);
        }
        if let Some(tool) = &self.options.tool
            && row.draft.get(FIELDS[TOOL_NAME].name).trim().is_empty()
        {
            row.draft.set(FIELDS[TOOL_NAME].name, tool.as_str());
        }
        row.cells = texts(cells);
        row
    }

    fn beyond(&self, cell: &str) -> String {
        let width = self.columns.len();
        let cell = shorten(cell);
        match &self.source {
            Source::Table(records) => format!(
                "The row has more cells than the {width} columns of the header: `{cell}` is after the last. A \
                 cell that holds the separator `{}` must be in quotation marks.",
                records.delimiter.escape_default()
            ),
            _ => format!("The cell `{cell}` is right of the {width} columns that have a heading."),
        }
    }

    /// Sets a cell; dates and status are converted to their published form. The result is a problem for
    /// people, if there is one.
    fn set(
        &self,
        row: &mut SheetRow,
        at: usize,
        column: Column,
        heading: &str,
        cell: &Cell,
    ) -> Option<String> {
        let name = column.name()?;
        match cell.kind {
            CellKind::Absent => return None,
            CellKind::Other if column == Column::Id => return None,
            CellKind::Other => return Some(not_a_text(heading, &cell.text)),
            CellKind::Text | CellKind::Number => {}
        }
        let index = match column {
            Column::Field(index) => index,
            Column::CreatedAt => {
                row.created_at = Some(cell.text.clone());
                return None;
            }
            Column::Id => {
                row.id = Some(cell.text.trim().to_owned());
                return None;
            }
            Column::ExportedOnly | Column::Dropped | Column::Unknown => return None,
        };
        let field = &FIELDS[index];
        let mut problem = None;
        let text = match index {
            STATUS if cell.text.trim().is_empty() => return None,
            STATUS => match self.status(&cell.text) {
                Some(status) => status.to_string(),
                None => cell.text.clone(),
            },
            LICENSE_KEY => {
                row.is_number = cell.kind == CellKind::Number;
                cell.text.clone()
            }
            _ if field.is_date() => {
                let order = self.orders.get(at).copied().flatten();
                match Reading::of(&cell.text).ordered(order) {
                    Reading::Unreadable => cell.text.clone(),
                    Reading::Serial(day) => date::format(day),
                    reading => match reading.day(field.label, &cell.text) {
                        Ok(day) => day.map(date::format).unwrap_or_default(),
                        Err(message) => {
                            problem = Some(message);
                            String::new()
                        }
                    },
                }
            }
            _ => cell.text.clone(),
        };
        row.draft.set(name, text);
        problem
    }

    fn status(&self, typed: &str) -> Option<Status> {
        let word = typed.trim().to_lowercase();
        let chosen = self.options.statuses.get(&word);
        chosen
            .and_then(|name| Status::from_word(name))
            .or_else(|| meaning(&word))
    }
}

impl Iterator for Sheet<'_> {
    type Item = SheetRow;

    fn next(&mut self) -> Option<SheetRow> {
        let raw = self.source.next()?;
        Some(self.row(raw))
    }
}

/// A spreadsheet program's `="00123"` is the text 00123; ours would have been defused.
fn unwrapped(cell: &str) -> String {
    let formula = cell
        .trim()
        .strip_prefix("=\"")
        .and_then(|cell| cell.strip_suffix('"'));
    match formula {
        Some(text) => text.replace("\"\"", "\""),
        None => restore(cell).into_owned(),
    }
}

fn not_a_text(heading: &str, value: &str) -> String {
    let (heading, shown) = (shorten(heading), shorten(value));
    match value.starts_with('"') {
        true => {
            format!("`{heading}` is `{shown}`, with an escape that is not a character; remove it.")
        }
        false => format!("`{heading}` is `{shown}`; it must be a text, a number or null."),
    }
}

/// Two columns that mean the same.
fn clash(columns: &[Column], headings: &[String], unit: RowUnit) -> Option<String> {
    columns.iter().enumerate().find_map(|(at, column)| {
        let name = column.name()?;
        let other = columns[..at].iter().position(|other| other == column)?;
        let columns = match unit {
            RowUnit::Line => "columns",
            RowUnit::Element => "keys",
        };
        Some(format!(
            "The {columns} `{}` and `{}` both mean {name}; choose one of them.",
            shown(&headings[other]),
            shown(&headings[at])
        ))
    })
}

pub(super) fn shown(heading: &str) -> String {
    match heading.trim() {
        "" => "(without a name)".to_owned(),
        heading => shorten(heading),
    }
}

impl Layout {
    /// Unknown columns.
    pub fn ignored(&self) -> Vec<String> {
        let unknown = self.columns.iter().filter(|column| column.is_unknown);
        unknown.map(LayoutColumn::shown).collect()
    }

    fn explain(&mut self, heading: &str, column: Column, survey: &Survey, options: &ImportOptions) {
        self.columns.push(LayoutColumn {
            heading: heading.to_owned(),
            name: column.name(),
            is_unknown: column == Column::Unknown,
            samples: survey.samples.clone(),
        });
        match column {
            Column::Field(STATUS) => self.explain_statuses(heading, survey, options),
            Column::Field(index) if FIELDS[index].is_date() => {
                self.explain_dates(heading, survey, options);
            }
            _ => {}
        }
    }

    fn explain_dates(&mut self, heading: &str, survey: &Survey, options: &ImportOptions) {
        let heading = shown(heading);
        let dates = |number| match number {
            1 => "1 date".to_owned(),
            number => format!("{} dates", grouped(number)),
        };
        let words = |order| match order {
            DateOrder::DayFirst => "day first",
            DateOrder::MonthFirst => "month first",
        };
        let proof = survey.day_first.as_ref().xor(survey.month_first.as_ref());
        match (options.dates, survey.proven(), proof) {
            _ if survey.ambiguous == 0 => {}
            (Some(order), _, _) => self.notes.push(format!(
                "`{heading}`: {} with two readings were read as you chose, {}.",
                dates(survey.ambiguous),
                words(order)
            )),
            (None, Some(order), Some((line, text))) => self.notes.push(format!(
                "`{heading}`: `{text}` on line {line} shows that dates are written {}. {} with two readings \
                 were read that way.",
                words(order),
                dates(survey.ambiguous)
            )),
            _ => self.has_ambiguous_dates = true,
        }
        if let Some((text, day)) = &survey.serial {
            self.notes.push(format!(
                "`{heading}`: {} are numbers by which spreadsheet programs store days; `{text}` was read as \
                 {day}. To see dates in the spreadsheet, give the column the format Date.",
                dates(survey.serials)
            ));
        }
    }

    fn explain_statuses(&mut self, heading: &str, survey: &Survey, options: &ImportOptions) {
        let mut read: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (word, number) in &survey.words {
            let chosen = options
                .statuses
                .get(word)
                .and_then(|name| Status::from_word(name));
            match chosen.or_else(|| meaning(word)) {
                None => self.unknown_statuses.push((shorten(word), *number)),
                Some(status) if status.as_str() == word => {}
                Some(status) => read
                    .entry(status.as_str())
                    .or_default()
                    .push(format!("`{}`", shorten(word))),
            }
        }
        if !read.is_empty() {
            let each = read
                .into_iter()
                .map(|(status, words)| format!("{} as {status}", words.join(", ")));
            let each: Vec<String> = each.collect();
            self.notes
                .push(format!("`{}`: read {}.", shown(heading), each.join("; ")));
        }
    }
}
