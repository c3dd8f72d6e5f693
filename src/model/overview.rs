//! What the vendor sees first in the morning.

use time::Date;

use super::license::{Listed, Status, Verdict};
use super::search::Count;
use super::sighting::UnknownKey;

/// Everything on the first page.
#[derive(Debug)]
pub struct Overview {
    /// The operator's day.
    pub today: Date,
    /// The last days, the oldest first, and today: checks by verdict, in the order of [`Verdict::ALL`].
    pub days: Vec<(Date, [i64; Verdict::ALL.len()])>,
    /// How many licenses there are of each status.
    pub lots: Vec<Lot>,
    /// The tools, those with the most active machines first.
    pub tools: Vec<ToolLine>,
    /// How many activated licenses end on each of the next days, today first.
    pub ending: Vec<(Date, i64)>,
    /// The first of them to end.
    pub next_to_end: Vec<Listed>,
    /// How many licenses were refused today.
    pub refused_today: Count,
    /// How many ended in the last 30 days and still ask.
    pub ended_and_asking: Count,
    /// Those of the licenses refused today that asked most often.
    pub refused: Vec<Listed>,
    /// How many keys without a license have asked.
    pub unknown_number: i64,
    /// The last of them.
    pub unknown: Vec<UnknownKey>,
}

/// The licenses of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// Which.
    pub status: Status,
    /// How many.
    pub number: i64,
    /// How many of them have ended.
    pub ended: i64,
}

/// A tool and its machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolLine {
    /// Its name.
    pub name: String,
    /// How many licenses it has.
    pub licenses: i64,
    /// How many of them asked in the last days.
    pub active: i64,
}

impl Overview {
    /// How many licenses there are.
    pub fn licenses(&self) -> i64 {
        self.lots.iter().map(|lot| lot.number).sum()
    }

    /// How many activated licenses have not ended.
    pub fn good(&self) -> i64 {
        self.lot(Status::Activated, |lot| lot.number - lot.ended)
    }

    /// How many activated licenses have ended.
    pub fn ended(&self) -> i64 {
        self.lot(Status::Activated, |lot| lot.ended)
    }

    /// How many are of that status.
    pub fn of(&self, status: Status) -> i64 {
        self.lot(status, |lot| lot.number)
    }

    fn lot(&self, status: Status, number: impl Fn(&Lot) -> i64) -> i64 {
        let lots = self.lots.iter().filter(|lot| lot.status == status);
        lots.map(number).sum()
    }
}
