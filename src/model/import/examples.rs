//! What is unusual about the rows of a file, with the first few of each kind.

use time::Date;

use super::RowUnit;
use crate::model::date;
use crate::model::text::grouped;
use crate::model::typed_date::is_implausible;

/// Of each kind of note, this number of examples.
const EXAMPLES: usize = 3;

/// The first few of many, in words.
#[derive(Default)]
pub(super) struct Examples {
    number: i64,
    first: Vec<String>,
}

impl Examples {
    pub(super) fn add(&mut self, example: impl FnOnce() -> String) {
        self.number += 1;
        if self.first.len() < EXAMPLES {
            self.first.push(example());
        }
    }

    /// None if there are none; the words are for one and for many.
    pub(super) fn note(&self, one: &str, many: &str) -> Option<String> {
        let examples = self.first.join("; ");
        match self.number {
            0 => None,
            1 => Some(format!("1 {one}: {examples}.")),
            number => Some(format!(
                "{} {many}, for example {examples}.",
                grouped(number)
            )),
        }
    }
}

/// Expiration dates that are probably not meant.
#[derive(Default)]
pub(super) struct Expirations {
    expired: Examples,
    implausible: Examples,
}

impl Expirations {
    pub(super) fn look_at(&mut self, unit: RowUnit, line: u64, day: Option<Date>, today: Date) {
        let Some(day) = day else { return };
        let example = || format!("{} on {} {line}", date::format(day), unit.as_str());
        if is_implausible(day) {
            self.implausible.add(example);
        } else if day < today {
            self.expired.add(example);
        }
    }

    pub(super) fn notes(&self) -> [Option<String>; 2] {
        [
            self.expired.note(
                "expiration date is in the past",
                "expiration dates are in the past",
            ),
            self.implausible.note(
                "expiration date has an implausible year",
                "expiration dates have implausible years",
            ),
        ]
    }
}
