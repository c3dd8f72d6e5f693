//! A file as rows of licenses. It is read twice: what its columns hold decides how a cell is read.

use std::collections::HashMap;

use super::cells::{is_failed_formula, restore, unwrapped};
use super::code_columns::{DAYS, SEATS};
use super::columns::{Column, normalized};
use super::json::Elements;
use super::layout::{Layout, Survey, shown};
use super::lost::Ignored;
use super::options::{ImportOptions, Subject};
use super::raw::{Cell, CellKind, RawRow, letters};
use super::source::Source;
use super::statuses::is_refused;
use super::workbook::Lines;
use super::{BOM, RowUnit, SheetRow, is_whole, refused, table};
use crate::error::Error;
use crate::model::date;
use crate::model::license::Status;
use crate::model::license::fields::{
    EXPIRATION_DATE, FIELDS, Kind, LICENSE_KEY, NOTE, STATUS, TOOL_NAME,
};
use crate::model::text::shorten;
use crate::model::typed_date::{DateOrder, Reading};

/// The heading of codes without one.
const CODE: &str = "code";

/// Columns of a table that are read.
const MAX_COLUMNS: usize = 1_000;

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
    /// Of activation codes alone.
    is_headless: bool,
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
    if is_headless(text, options)? {
        return Ok(Opened {
            unit: RowUnit::Line,
            source: rows(text)?,
            header: Some((0, vec![CODE.to_owned()])),
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
    make_distinct(&mut headings);
    Ok(Opened {
        unit: RowUnit::Line,
        source,
        header: Some((first.line, headings)),
    })
}

/// Whether a file is just activation codes, one a line.
fn is_headless(text: &str, options: &ImportOptions) -> Result<bool, Error> {
    if options.subject != Subject::Codes || options.header_line.is_some() {
        return Ok(false);
    }
    let first = rows(text)?.next().unwrap_or_default();
    let cells = first
        .cells
        .iter()
        .map(|cell| restore(&cell.text).trim().to_owned());
    let cells: Vec<String> = cells.filter(|cell| !cell.is_empty()).collect();
    let columns = cells.iter().map(|cell| Column::of(cell, options));
    let known: Vec<Column> = columns.filter(|column| column.name().is_some()).collect();
    Ok(!known.contains(&Column::Field(LICENSE_KEY)) && (known.is_empty() || cells.len() < 2))
}

/// A person decides about a column by its heading: one without a heading is named as a spreadsheet program names
/// it, `column C`, and the second of the same heading has its number, `Date (2)`.
fn make_distinct(headings: &mut [String]) {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (at, heading) in headings.iter_mut().enumerate() {
        if heading.is_empty() {
            *heading = format!("column {}", letters(at));
        }
        let number = numbers.entry(heading.clone()).or_default();
        *number += 1;
        if *number > 1 {
            *heading = format!("{heading} ({number})");
        }
    }
}

/// All rows of a table or workbook.
pub(super) fn rows(text: &str) -> Result<Source<'_>, Error> {
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
        let is_headless = matches!(header, Some((0, _)));
        let (line, mut headings) = header.unwrap_or_default();
        let mut length = 0;
        loop {
            let row = source.next();
            if let Source::Elements(elements) = &source {
                headings.extend_from_slice(&elements.keys()?[headings.len()..]);
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
        settle_statuses(&mut columns, &headings, &surveys, options);
        let mut layout = Layout::default();
        let orders = surveys
            .iter()
            .map(|survey| options.dates.or(survey.proven()))
            .collect();
        for ((heading, column), survey) in headings.iter().zip(&columns).zip(&surveys) {
            layout.explain(heading, *column, survey, options);
        }
        let missing = required(&columns, options).filter(|_| unit == RowUnit::Line);
        let is_of_licenses = options.subject == Subject::Licenses;
        if missing.is_some() && options.header_line.is_none() && is_of_licenses {
            layout.likely_header = rows(text).ok().and_then(table::likely_header);
        }
        let missing = missing.map(|index| match is_of_licenses {
            true => table::missing(line, index, &headings, layout.likely_header),
            false => table::without(line, CODE, "choose the column", &headings),
        });
        let surveyed = Surveyed {
            columns: &columns,
            headings: &headings,
            surveys: &surveys,
            subject: options.subject,
        };
        layout.problem = clash(&columns, &headings, unit)
            .or(missing)
            .or_else(|| surveyed.lost());
        layout.notes.extend(surveyed.doubts());
        Ok(Sheet {
            unit,
            length,
            layout,
            source: open(text, options)?.source,
            columns,
            orders,
            options: options.clone(),
            is_headless,
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
        if self.unit == RowUnit::Line && self.repeats_headings(&cells) {
            row.problem = Some("The row repeats the headings.".to_owned());
            row.cells = texts(cells);
            return row;
        }
        let named = self.columns.iter().zip(&self.layout.columns);
        for (at, ((column, layout), cell)) in named.zip(&cells).enumerate() {
            let problem = self.set(&mut row, at, *column, &layout.heading, cell);
            row.problem = both(row.problem, problem);
        }
        let problem = self.refusal(&mut row, &cells);
        row.problem = both(row.problem, problem);
        if let Some(tool) = &self.options.tool
            && row.draft.get(FIELDS[TOOL_NAME].name).trim().is_empty()
        {
            row.draft.set(FIELDS[TOOL_NAME].name, tool.as_str());
        }
        row.cells = texts(cells);
        row
    }

    /// Applies the columns whose yes means that the license may not be used; a no makes it activated if nothing else
    /// says what it is. The result is a problem for people.
    fn refusal(&self, row: &mut SheetRow, cells: &[Cell]) -> Option<String> {
        let name = FIELDS[STATUS].name;
        for ((column, layout), cell) in self.columns.iter().zip(&self.layout.columns).zip(cells) {
            let Column::Refusal(status) = column else {
                continue;
            };
            let is_said = row.draft.get(name) == Status::Revoked.as_str();
            match is_refused(&cell.text) {
                _ if cell.text.trim().is_empty() => {}
                Some(true) if !is_said => drop(row.draft.set(name, status.as_str())),
                Some(false) if row.draft.get(name).is_empty() => {
                    row.draft.set(name, Status::Activated.as_str());
                }
                Some(_) => {}
                None => {
                    return Some(format!(
                        "`{}` is `{}`; it must be yes or no.",
                        layout.shown(),
                        shorten(&cell.text)
                    ));
                }
            }
        }
        None
    }

    /// As where two tables were put together, or a title is two rows high.
    fn repeats_headings(&self, cells: &[Cell]) -> bool {
        let is_repeated = |index: usize| {
            let at = self
                .columns
                .iter()
                .position(|column| *column == Column::Field(index));
            at.is_none_or(|at| cells[at].text.trim() == self.layout.columns[at].heading)
        };
        is_repeated(LICENSE_KEY) && is_repeated(TOOL_NAME)
    }

    fn beyond(&self, cell: &str) -> String {
        if self.is_headless {
            return "There is more than a code on this line. Name the columns in the first row, such as \
                    code,seats,expiration date,customer."
                .to_owned();
        }
        let width = self.columns.len();
        let cell = shorten(cell);
        match &self.source {
            Source::Table(records) => format!(
                "The row has more cells than the {width} columns of the header: `{cell}` is after the last. A \
                 cell that holds the separator `{}` must be in quotation marks.",
                records.delimiter.escape_default()
            ),
            _ => format!("The cell `{cell}` is beyond the {width} columns that have a heading."),
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
            CellKind::Other
                if column == Column::Field(STATUS) && matches!(&*cell.text, "true" | "false") => {}
            CellKind::Other if matches!(column, Column::Refusal(_)) => {}
            CellKind::Other => return Some(not_a_text(heading, &cell.text)),
            CellKind::Error => return Some(failed_formula(heading, &cell.text)),
            CellKind::Text | CellKind::Number | CellKind::Converted => {}
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
            Column::Own(index) => {
                row.own[index] = cell.text.clone();
                return None;
            }
            Column::Refusal(_) => return None,
            Column::ExportedOnly | Column::Dropped | Column::Unknown => return None,
        };
        let field = &FIELDS[index];
        let mut problem = None;
        if field.kind == Kind::Required {
            if is_failed_formula(&cell.text) {
                return Some(failed_formula(heading, &cell.text));
            }
            if cell.kind == CellKind::Converted {
                return Some(converted(heading, &cell.text));
            }
        }
        let text = match index {
            STATUS if cell.text.trim().is_empty() => return None,
            STATUS => match self.options.status(&cell.text) {
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
                    Reading::Unreadable
                        if index == EXPIRATION_DATE && self.options.is_perpetual(&cell.text) =>
                    {
                        String::new()
                    }
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
}

impl Iterator for Sheet<'_> {
    type Item = SheetRow;

    fn next(&mut self) -> Option<SheetRow> {
        let raw = self.source.next()?;
        Some(self.row(raw))
    }
}

fn both(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one} {other}")),
        (one, other) => one.or(other),
    }
}

fn failed_formula(heading: &str, value: &str) -> String {
    format!(
        "`{}` is `{}`, the error of a formula; enter the value itself.",
        shorten(heading),
        shorten(value)
    )
}

/// A spreadsheet program makes a date of `1-12`.
fn converted(heading: &str, value: &str) -> String {
    format!(
        "`{}` is `{}`, into which the spreadsheet program has changed what was entered. Enter it again in a \
         column of the format Text.",
        shorten(heading),
        shorten(value)
    )
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

/// A field that every row needs and no column is.
fn required(columns: &[Column], options: &ImportOptions) -> Option<usize> {
    let is_of_codes = options.subject == Subject::Codes;
    let is_given = |index: usize| index == TOOL_NAME && (options.tool.is_some() || is_of_codes);
    [TOOL_NAME, LICENSE_KEY]
        .into_iter()
        .find(|index| !columns.contains(&Column::Field(*index)) && !is_given(*index))
}

/// The columns of a file with what they hold.
struct Surveyed<'a> {
    columns: &'a [Column],
    headings: &'a [String],
    surveys: &'a [Survey],
    subject: Subject,
}

/// Whether some column has a meaning, and whether some row has a value for it.
struct Presence {
    is_there: bool,
    is_filled: bool,
}

impl Surveyed<'_> {
    fn presence(&self, is_meant: fn(Column) -> bool) -> Presence {
        let mut all = self.surveys.iter().zip(self.columns);
        Presence {
            is_there: self.columns.iter().any(|column| is_meant(*column)),
            is_filled: all.any(|(survey, column)| is_meant(*column) && survey.is_filled()),
        }
    }

    fn terms(&self) -> Presence {
        self.presence(|column| matches!(column, Column::Field(EXPIRATION_DATE) | Column::Own(DAYS)))
    }

    fn statuses(&self) -> Presence {
        self.presence(|column| matches!(column, Column::Field(STATUS) | Column::Refusal(_)))
    }

    /// The columns of this meaning whose values are such: `The column `Frist` has`; none if there are none.
    fn find(&self, meaning: Column, is_such: impl Fn(&Ignored, &str) -> bool) -> Option<String> {
        let all = self.surveys.iter().zip(self.headings).zip(self.columns);
        let meant = all.filter(|(_, column)| **column == meaning);
        let found = meant.filter(|((survey, heading), _)| is_such(&survey.ignored, heading));
        let found: Vec<String> = found
            .map(|((_, heading), _)| format!("`{}`", shown(heading)))
            .collect();
        match &found[..] {
            [] => None,
            [one] => Some(format!("The column {one} has")),
            all => Some(format!("The columns {} have", all.join(", "))),
        }
    }

    /// Why the file is refused: it has dates or statuses that would be ignored.
    fn lost(&self) -> Option<String> {
        let noun = self.subject.as_str();
        let (terms, statuses) = (self.terms(), self.statuses());
        let has_dates = |ignored: &Ignored, heading: &str| {
            !terms.is_filled && ignored.has_dates(heading, terms.is_there)
        };
        if let Some(found) = self.find(Column::Unknown, has_dates) {
            return Some(format!(
                "{found} dates or periods, but no row has an expiration date, so every {noun} would be perpetual. \
                 Name the column with the expiration dates `expiration_date`, or say what each column is."
            ));
        }
        let has_refusals =
            |ignored: &Ignored, heading: &str| ignored.has_refusals(heading, statuses.is_filled);
        let found = self.find(Column::Unknown, has_refusals)?;
        Some(format!(
            "{found} values that seem to say whether a {noun} may be used, and they would be ignored. Say what each \
             column is: `status` for words such as active and blocked, `revoked` if yes means that the {noun} is revoked."
        ))
    }

    /// Dates and statuses in notes, which no program reads, and numbers of seats in a column that is ignored.
    fn doubts(&self) -> Vec<String> {
        let noun = self.subject.as_str();
        let is_without_term = !self.terms().is_filled;
        let is_without_status = !self.statuses().is_filled;
        let dates = self.find(Column::Field(NOTE), |ignored, heading| {
            is_without_term && ignored.has_dates(heading, false)
        });
        let statuses = self.find(Column::Field(NOTE), |ignored, heading| {
            is_without_status && ignored.has_refusals(heading, false)
        });
        let is_without_seats =
            self.subject == Subject::Codes && !self.columns.contains(&Column::Own(SEATS));
        let seats = self.find(Column::Unknown, |ignored, _| {
            is_without_seats && ignored.has_counts()
        });
        let doubts = [
            dates.map(|found| {
                format!("{found} dates or periods, but no row has an expiration date: every {noun} would be perpetual.")
            }),
            statuses.map(|found| {
                format!("{found} words for a status, but no row has a status: every {noun} would be activated.")
            }),
            seats.map(|found| {
                format!("{found} numbers, but no column has the seats: every {noun} would be for one machine.")
            }),
        ];
        doubts.into_iter().flatten().collect()
    }
}

/// A column `State` may belong to an address: it is the status only if it has words for one and no other column is.
fn settle_statuses(
    columns: &mut [Column],
    headings: &[String],
    surveys: &[Survey],
    options: &ImportOptions,
) {
    let is_status = |column: &Column| *column == Column::Field(STATUS);
    for at in 0..columns.len() {
        let is_meant = || {
            let is_only = columns.iter().filter(|column| is_status(column)).count() == 1;
            is_only && surveys[at].is_status()
        };
        let heading = headings[at].trim();
        if is_status(&columns[at])
            && matches!(&*normalized(heading), "state" | "etat" | "estado" | "stato")
            && !options.columns.contains_key(heading)
            && !is_meant()
        {
            columns[at] = Column::Unknown;
        }
    }
}

/// Two columns that mean the same.
fn clash(columns: &[Column], headings: &[String], unit: RowUnit) -> Option<String> {
    columns.iter().enumerate().find_map(|(at, column)| {
        let name = column
            .name()
            .filter(|_| !matches!(column, Column::Refusal(_)))?;
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
