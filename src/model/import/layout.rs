//! What the columns of a file hold, and how they are read.

use std::collections::BTreeMap;

use super::columns::Column;
use super::options::ImportOptions;
use super::raw::{Cell, CellKind};
use super::statuses::{is_refusal, meaning};
use crate::model::date;
use crate::model::license::fields::{FIELDS, STATUS};
use crate::model::text::{grouped, shorten};
use crate::model::typed_date::{DateOrder, Reading, is_date};

/// Values of a column that are shown.
const SAMPLES: usize = 3;

/// Years in which licenses expire, as far as numbers without a heading go.
const RECENT: std::ops::Range<i32> = 2015..2046;

/// Words for a status that are kept apart.
const MAX_WORDS: usize = 50;

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
    /// Whether there are ambiguous dates, and nothing says how to read them.
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

/// What is known of a column once all rows were read.
#[derive(Default)]
pub(super) struct Survey {
    samples: Vec<String>,
    /// Cells that are neither empty nor say that there is no date.
    filled: i64,
    dates: i64,
    /// Numbers of Excel for days that licenses expire on.
    recent_serials: i64,
    statuses: i64,
    is_any_refused: bool,
    /// The lines and texts that prove an order.
    day_first: Option<(u64, String)>,
    month_first: Option<(u64, String)>,
    ambiguous: i64,
    /// The first Excel date number with its day, and how many there are.
    serial: Option<(String, String)>,
    serials: i64,
    words: BTreeMap<String, i64>,
}

impl Survey {
    pub(super) fn note(&mut self, column: Column, line: u64, cell: &Cell) {
        let text = cell.text.trim();
        if text.is_empty() || cell.kind == CellKind::Absent {
            return;
        }
        if self.samples.len() < SAMPLES && !self.samples.iter().any(|sample| sample == text) {
            self.samples.push(shorten(text));
        }
        match column {
            Column::Unknown => self.note_unknown(text),
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

    fn note_unknown(&mut self, text: &str) {
        match Reading::of(text) {
            Reading::Never => return,
            Reading::Serial(day) if RECENT.contains(&day.year()) => self.recent_serials += 1,
            _ => self.dates += i64::from(is_date(text)),
        }
        self.filled += 1;
        let status = meaning(&text.to_lowercase());
        self.statuses += i64::from(status.is_some());
        self.is_any_refused |= is_refusal(text);
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

    pub(super) fn proven(&self) -> Option<DateOrder> {
        match (&self.day_first, &self.month_first) {
            (Some(_), None) => Some(DateOrder::DayFirst),
            (None, Some(_)) => Some(DateOrder::MonthFirst),
            _ => None,
        }
    }

    /// Whether a person may have meant dates that nobody would read. Postal codes look like numbers of Excel.
    pub(super) fn is_lost_dates(&self) -> bool {
        self.dates * 4 > self.filled || (self.dates + self.recent_serials) * 2 > self.filled
    }

    /// Whether all values are statuses that nobody would read, and not just yes and no.
    pub(super) fn is_lost_statuses(&self) -> bool {
        self.is_any_refused && self.statuses == self.filled
    }
}

impl Layout {
    /// Unknown columns.
    pub fn ignored(&self) -> Vec<String> {
        let unknown = self.columns.iter().filter(|column| column.is_unknown);
        unknown.map(LayoutColumn::shown).collect()
    }

    pub(super) fn explain(
        &mut self,
        heading: &str,
        column: Column,
        survey: &Survey,
        options: &ImportOptions,
    ) {
        self.columns.push(LayoutColumn {
            heading: heading.to_owned(),
            name: column.name(),
            is_unknown: column == Column::Unknown && !survey.samples.is_empty(),
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
                "`{heading}`: {} were ambiguous and were read as you chose, {}.",
                dates(survey.ambiguous),
                words(order)
            )),
            (None, Some(order), Some((line, text))) => self.notes.push(format!(
                "`{heading}`: `{text}` on line {line} shows that dates are written {}. {} that were ambiguous \
                 were read that way.",
                words(order),
                dates(survey.ambiguous)
            )),
            _ => self.has_ambiguous_dates = true,
        }
        if let Some((text, day)) = &survey.serial {
            self.notes.push(format!(
                "`{heading}`: {} are Excel date numbers; `{text}` was read as {day}. To see dates in the \
                 spreadsheet, format the column as Date.",
                dates(survey.serials)
            ));
        }
    }

    fn explain_statuses(&mut self, heading: &str, survey: &Survey, options: &ImportOptions) {
        let mut read: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (word, number) in &survey.words {
            match options.status(word) {
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

pub(super) fn shown(heading: &str) -> String {
    match heading.trim() {
        "" => "(without a name)".to_owned(),
        heading => shorten(heading),
    }
}
