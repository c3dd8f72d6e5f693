//! What the columns of a file hold, and how they are read.

use std::collections::BTreeMap;

use super::columns::Column;
use super::lost::Ignored;
use super::options::ImportOptions;
use super::raw::{Cell, CellKind};
use super::statuses::{is_refused, is_status};
use crate::model::date;
use crate::model::license::fields::{EXPIRATION_DATE, FIELDS, NOTE, STATUS};
use crate::model::text::{grouped, shorten};
use crate::model::typed_date::{DateOrder, Reading};

/// Values of a column that are shown.
const SAMPLES: usize = 3;

/// Words for a status, or in place of a date, that are kept apart.
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
    /// Words that are not an expiration date, with the number of their rows.
    pub unknown_terms: Vec<(String, i64)>,
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
    /// Whether the column has this meaning now.
    pub fn is_meant(&self, name: &str) -> bool {
        self.name.unwrap_or_default() == name && !self.is_unknown
    }

    /// The heading for a message.
    pub fn shown(&self) -> String {
        shown(&self.heading)
    }
}

/// What is known of a column once all rows were read.
#[derive(Default)]
pub(super) struct Survey {
    samples: Vec<String>,
    pub(super) ignored: Ignored,
    /// Cells of a column that is read, without those that say that there is no date.
    filled: i64,
    /// Cells that say yes in a [`Column::Refusal`].
    refused: i64,
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
            return self.ignored.note_blank();
        }
        if self.samples.len() < SAMPLES && !self.samples.iter().any(|sample| sample == text) {
            self.samples.push(shorten(text));
        }
        match column {
            Column::Unknown => self.ignored.note(text),
            Column::Field(STATUS) => {
                self.filled += 1;
                self.note_word(text);
            }
            Column::Refusal(_) => {
                self.filled += 1;
                self.refused += i64::from(is_refused(text) == Some(true));
            }
            Column::Field(index) if FIELDS[index].is_date() => self.note_date(line, text),
            Column::Field(NOTE) => self.ignored.note(text),
            _ => self.filled += 1,
        }
    }

    /// Notes it as one of an ignored column, too, if it is the first time.
    fn note_word(&mut self, text: &str) {
        let word = text.to_lowercase();
        if let Some(number) = self.words.get_mut(&word) {
            *number += 1;
        } else if self.words.len() < MAX_WORDS {
            self.words.insert(word, 1);
            self.ignored.note(text);
        }
    }

    /// Whether a row has a value that counts.
    pub(super) fn is_filled(&self) -> bool {
        self.filled > 0
    }

    /// Whether a column whose heading may mean a region as well is the status.
    pub(super) fn is_status(&self) -> bool {
        self.words.keys().any(|word| is_status(word))
    }

    fn note_date(&mut self, line: u64, text: &str) {
        let reading = Reading::of(text);
        if reading == Reading::Never {
            return;
        }
        self.filled += 1;
        if reading == Reading::Unreadable && !text.bytes().any(|c| c.is_ascii_digit()) {
            self.note_word(text);
        }
        match Reading::proves(text) {
            Some(DateOrder::DayFirst) => {
                self.day_first.get_or_insert((line, shorten(text)));
            }
            Some(DateOrder::MonthFirst) => {
                self.month_first.get_or_insert((line, shorten(text)));
            }
            None => match reading {
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
}

impl Layout {
    /// Unknown columns.
    pub fn ignored(&self) -> Vec<String> {
        let unknown = self.columns.iter().filter(|column| column.is_unknown);
        unknown.map(LayoutColumn::shown).collect()
    }

    /// Whether a person should look at the columns.
    pub fn asks_for_columns(&self) -> bool {
        self.problem.is_some() || self.columns.iter().any(|column| column.is_unknown)
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
                if index == EXPIRATION_DATE {
                    let words = survey.words.iter();
                    let unknown = words.filter(|(word, _)| !options.perpetual.contains(*word));
                    self.unknown_terms
                        .extend(unknown.map(|(word, number)| (shorten(word), *number)));
                }
            }
            Column::Refusal(status) if survey.refused > 0 => {
                let rows = match survey.refused {
                    1 => "1 row that says yes was".to_owned(),
                    number => format!("{} rows that say yes were", grouped(number)),
                };
                let heading = shown(heading);
                self.notes
                    .push(format!("`{heading}`: {rows} read as {status}."));
            }
            _ => {}
        }
    }

    fn explain_dates(&mut self, heading: &str, survey: &Survey, options: &ImportOptions) {
        let heading = shown(heading);
        let dates = |number, one: &str, many: &str| match number {
            1 => format!("1 {one}"),
            number => format!("{} {many}", grouped(number)),
        };
        let ambiguous = dates(
            survey.ambiguous,
            "ambiguous date was",
            "ambiguous dates were",
        );
        let words = |order| match order {
            DateOrder::DayFirst => "day first",
            DateOrder::MonthFirst => "month first",
        };
        let proof = survey.day_first.as_ref().xor(survey.month_first.as_ref());
        match (options.dates, survey.proven(), proof) {
            _ if survey.ambiguous == 0 => {}
            (Some(order), _, _) => self.notes.push(format!(
                "`{heading}`: {ambiguous} read as you chose, {}.",
                words(order)
            )),
            (None, Some(order), Some((line, text))) => self.notes.push(format!(
                "`{heading}`: `{text}` on line {line} shows that dates are written {}. {ambiguous} read that \
                 way.",
                words(order),
            )),
            _ => self.has_ambiguous_dates = true,
        }
        if let (Some((day_line, day)), Some((month_line, month))) =
            (&survey.day_first, &survey.month_first)
        {
            self.notes.push(format!(
                "`{heading}`: dates are written in both orders: `{day}` on line {day_line} has the day first, \
                 `{month}` on line {month_line} the month. Check them."
            ));
        }
        if let Some((text, day)) = &survey.serial {
            self.notes.push(format!(
                "`{heading}`: {}; `{text}` was read as {day}. To see dates in the \
                 spreadsheet, format the column as Date.",
                dates(
                    survey.serials,
                    "date is an Excel date number",
                    "dates are Excel date numbers"
                )
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
