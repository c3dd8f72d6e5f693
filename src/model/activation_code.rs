//! An activation code: what was sold, for a number of machines.

use std::collections::BTreeMap;

use time::{Date, Duration, OffsetDateTime};

use super::code_format::{masked, shown};
use super::date;
use super::entitlements::{Entitlements, NAMES};
use super::license::CodeTerms;
use super::license::{License, Status};
use super::text::grouped;
use crate::error::{Error, Problem, Refused};

pub const MAX_SEATS: i64 = 10_000;
/// How often each seat can be freed by its customer in 365 days, unless the admin decides otherwise.
pub const MOVES_PER_YEAR: i64 = 3;
pub const MAX_MOVES: i64 = 1_000;
/// Of a term that begins with the first activation.
pub const MAX_DAYS: i64 = 36_500;
const YEAR: Duration = Duration::days(365);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeTerm {
    Perpetual,
    /// The last day.
    Until(Date),
    /// Counted from the first activation, which has not happened yet.
    Days(i64),
}

impl CodeTerm {
    /// Starts a term that has not begun: from then on it ends on one day for all machines.
    pub fn started(self, today: Date) -> CodeTerm {
        match self {
            CodeTerm::Days(days) => CodeTerm::Until(today.saturating_add(Duration::days(days))),
            CodeTerm::Perpetual | CodeTerm::Until(_) => self,
        }
    }

    /// Of a term that has not begun.
    pub fn days(self) -> Option<i64> {
        match self {
            CodeTerm::Days(days) => Some(days),
            CodeTerm::Perpetual | CodeTerm::Until(_) => None,
        }
    }

    /// None for perpetual, and for a term that has not begun.
    pub fn expiration_date(self) -> Option<Date> {
        match self {
            CodeTerm::Until(date) => Some(date),
            CodeTerm::Perpetual | CodeTerm::Days(_) => None,
        }
    }
}

/// What people decide about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeValues {
    pub status: Status,
    pub seats: i64,
    pub term: CodeTerm,
    pub moves_per_year: i64,
    /// The name of a customer; empty for none.
    pub customer: String,
    pub order_ref: String,
    pub note: String,
    /// Of each license that has none of its own.
    pub entitlements: Entitlements,
}

impl CodeValues {
    pub fn new(seats: i64, term: CodeTerm) -> CodeValues {
        CodeValues {
            status: Status::Activated,
            seats,
            term,
            moves_per_year: MOVES_PER_YEAR,
            customer: String::new(),
            order_ref: String::new(),
            note: String::new(),
            entitlements: Entitlements::default(),
        }
    }

    /// By name, as the audit log shows them; empty for none.
    pub fn texts(&self) -> [(&'static str, String); 12] {
        let (expiration_date, days) = match self.term {
            CodeTerm::Perpetual => (String::new(), String::new()),
            CodeTerm::Until(last) => (date::format(last), String::new()),
            CodeTerm::Days(days) => (String::new(), days.to_string()),
        };
        let [edition, features, data, updates_until] =
            self.entitlements.texts().map(|text| text.into_owned());
        [
            ("status", self.status.as_str().to_owned()),
            ("seats", self.seats.to_string()),
            ("expiration_date", expiration_date),
            ("days", days),
            ("moves_per_year", self.moves_per_year.to_string()),
            ("customer", self.customer.clone()),
            ("order_ref", self.order_ref.clone()),
            ("note", self.note.clone()),
            (NAMES[0], edition),
            (NAMES[1], features),
            (NAMES[2], data),
            (NAMES[3], updates_until),
        ]
    }

    /// [`CodeValues::texts`] as a JSON object.
    pub fn json(&self) -> String {
        let all: BTreeMap<_, _> = self.texts().into();
        // Texts always serialize.
        serde_json::to_string(&all).unwrap_or_default()
    }

    /// The inverse of [`CodeValues::json`].
    pub fn from_json(json: &str) -> Option<CodeValues> {
        let mut all: BTreeMap<String, String> = serde_json::from_str(json).ok()?;
        let mut text = |name: &str| all.remove(name);
        Some(CodeValues {
            status: Status::from_word(&text("status")?)?,
            seats: text("seats")?.parse().ok()?,
            term: match (text("expiration_date")?.as_str(), text("days")?.as_str()) {
                ("", "") => CodeTerm::Perpetual,
                (last, "") => CodeTerm::Until(date::read(last)?),
                (_, days) => CodeTerm::Days(days.parse().ok()?),
            },
            moves_per_year: text("moves_per_year")?.parse().ok()?,
            customer: text("customer")?,
            order_ref: text("order_ref")?,
            note: text("note")?,
            entitlements: {
                // Older changes have none.
                let texts = NAMES.map(|name| text(name).unwrap_or_default());
                Entitlements::from_texts(texts.each_ref().map(String::as_str)).ok()?
            },
        })
    }

    pub fn check(&self) -> Result<(), Error> {
        let mut problems = vec![];
        let mut within = |field, label: &str, number: i64, least: i64, most: i64| {
            if !(least..=most).contains(&number) {
                problems.push(Problem {
                    field,
                    message: format!(
                        "{label} is {number}; it must be a number from {least} to {most}."
                    ),
                });
            }
        };
        within("seats", "The number of seats", self.seats, 1, MAX_SEATS);
        within(
            "moves_per_year",
            "The number of moves",
            self.moves_per_year,
            0,
            MAX_MOVES,
        );
        if let CodeTerm::Days(days) = self.term {
            within("days", "The number of days", days, 1, MAX_DAYS);
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(Error::Invalid(problems)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationCode {
    pub id: i64,
    pub created_at: OffsetDateTime,
    pub tool_name: String,
    /// As it is compared, see [`super::code_format`].
    pub code: String,
    /// From an older system.
    pub is_imported: bool,
    /// Of the test order that it was made for.
    pub is_test: bool,
    pub first_used_at: Option<OffsetDateTime>,
    pub values: CodeValues,
}

impl ActivationCode {
    pub fn shown(&self) -> String {
        shown(&self.code)
    }

    pub fn masked(&self) -> String {
        masked(&self.code)
    }

    pub fn terms(&self) -> CodeTerms {
        CodeTerms {
            status: self.values.status,
            expiration_date: self.values.term.expiration_date(),
        }
    }

    pub fn is_expired(&self, today: Date) -> bool {
        let last = self.values.term.expiration_date();
        last.is_some_and(|last| last < today)
    }

    /// Seats that its customer may still free until the oldest of these moves is a year old.
    pub fn moves_left(&self, moves_in_a_year: i64) -> i64 {
        (self.values.seats * self.values.moves_per_year - moves_in_a_year).max(0)
    }
}

/// A code, and how many machines have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCode {
    pub code: ActivationCode,
    /// Licenses of the code, whatever their status.
    pub seats_used: i64,
}

/// Since when moves count.
pub fn moves_since(now: OffsetDateTime) -> OffsetDateTime {
    now - YEAR
}

/// Why a machine cannot be activated or removed: a closed list, published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// In the words of [`super::code_format::read`].
    BadCode(String),
    UnknownCode,
    /// The tool that the code is for.
    WrongTool(String),
    CodeExpired(Date),
    CodeSuspended,
    CodeRevoked,
    MachineBlocked,
    /// The number of seats.
    SeatsInUse(i64),
    OtherCode,
    /// With the vendor's message, which may be empty.
    MovesUsed {
        moves: i64,
        message: String,
    },
    OfflineUntil(Date),
    /// Seconds.
    TryLater(u64),
}

impl Reason {
    pub fn as_str(&self) -> &'static str {
        match self {
            Reason::BadCode(_) => "BAD_CODE",
            Reason::UnknownCode => "UNKNOWN_CODE",
            Reason::WrongTool(_) => "WRONG_TOOL",
            Reason::CodeExpired(_) => "CODE_EXPIRED",
            Reason::CodeSuspended => "CODE_SUSPENDED",
            Reason::CodeRevoked => "CODE_REVOKED",
            Reason::MachineBlocked => "MACHINE_BLOCKED",
            Reason::SeatsInUse(_) => "SEATS_IN_USE",
            Reason::OtherCode => "OTHER_CODE",
            Reason::MovesUsed { .. } => "MOVES_USED",
            Reason::OfflineUntil(_) => "OFFLINE_UNTIL",
            Reason::TryLater(_) => "TRY_LATER",
        }
    }

    pub fn http(&self) -> u16 {
        match self {
            Reason::BadCode(_) => 422,
            Reason::UnknownCode | Reason::WrongTool(_) => 404,
            Reason::CodeExpired(_)
            | Reason::CodeSuspended
            | Reason::CodeRevoked
            | Reason::MachineBlocked => 403,
            Reason::SeatsInUse(_)
            | Reason::OtherCode
            | Reason::MovesUsed { .. }
            | Reason::OfflineUntil(_) => 409,
            Reason::TryLater(_) => 429,
        }
    }

    /// See [`Refused::value`].
    fn value(&self) -> String {
        match self {
            Reason::BadCode(text) | Reason::WrongTool(text) => text.clone(),
            Reason::MovesUsed { message, .. } => message.clone(),
            Reason::CodeExpired(last) | Reason::OfflineUntil(last) => date::format(*last),
            Reason::SeatsInUse(number) => grouped(*number),
            Reason::TryLater(seconds) => seconds.to_string(),
            Reason::UnknownCode
            | Reason::CodeSuspended
            | Reason::CodeRevoked
            | Reason::MachineBlocked
            | Reason::OtherCode => String::new(),
        }
    }

    /// The field at fault.
    pub fn field(&self) -> &'static str {
        match self {
            Reason::WrongTool(_) => "tool_name",
            Reason::MachineBlocked | Reason::OtherCode | Reason::OfflineUntil(_) => "license_key",
            Reason::BadCode(_)
            | Reason::UnknownCode
            | Reason::CodeExpired(_)
            | Reason::CodeSuspended
            | Reason::CodeRevoked
            | Reason::SeatsInUse(_)
            | Reason::MovesUsed { .. }
            | Reason::TryLater(_) => "activation_code",
        }
    }
}

impl From<Reason> for Error {
    fn from(reason: Reason) -> Error {
        let (http, word, field) = (reason.http(), reason.as_str(), reason.field());
        let (mut seats, mut retry_after) = (None, None);
        let value = reason.value();
        let message = match reason {
            Reason::BadCode(why) => why,
            Reason::UnknownCode => "There is no such activation code.".to_owned(),
            Reason::WrongTool(tool) => format!("This activation code is for {tool}."),
            Reason::CodeExpired(last) => {
                format!("This activation code expired on {}.", date::format(last))
            }
            Reason::CodeSuspended => "This activation code is suspended.".to_owned(),
            Reason::CodeRevoked => "This activation code was revoked.".to_owned(),
            Reason::MachineBlocked => {
                "The license of this machine is suspended or revoked.".to_owned()
            }
            Reason::SeatsInUse(number) => {
                seats = Some(number);
                match number {
                    1 => "The only seat of this activation code is in use.".to_owned(),
                    _ => format!(
                        "All {} seats of this activation code are in use.",
                        grouped(number)
                    ),
                }
            }
            Reason::OtherCode => {
                "This machine already has a license of another activation code.".to_owned()
            }
            Reason::MovesUsed { moves, message } => {
                let used = match moves {
                    0 => "The machines of this activation code can be removed only by the vendor."
                        .to_owned(),
                    1 => "A machine of this activation code was removed within a year, and only one may be."
                        .to_owned(),
                    _ => format!(
                        "Machines of this activation code were removed {} times within a year, as often as \
                         allowed.",
                        grouped(moves)
                    ),
                };
                format!("{used} {message}").trim_end().to_owned()
            }
            Reason::OfflineUntil(last) => format!(
                "This machine has an offline file and cannot be removed until {}.",
                date::format(last)
            ),
            Reason::TryLater(seconds) => {
                retry_after = Some(seconds);
                format!("Too many attempts. Try again in {seconds} seconds.")
            }
        };
        Error::Refused(Box::new(Refused {
            http,
            reason: word,
            field,
            message,
            value,
            seats,
            retry_after,
        }))
    }
}

/// What an activation does.
#[derive(Debug, PartialEq, Eq)]
pub enum Take {
    /// The machine already has a seat.
    Nothing,
    /// It gets a new license.
    New,
    /// Its license becomes one of this code.
    Over,
}

/// A machine's license for the tool, and the code that it is of.
pub type Row<'a> = (&'a License, Option<&'a ActivationCode>);

/// What an activation of that code would do. The same machine is looked up before the limit.
pub fn judge(
    code: &ActivationCode,
    row: Option<Row<'_>>,
    seats_used: i64,
    today: Date,
) -> Result<Take, Reason> {
    match code.values.status {
        Status::Revoked => return Err(Reason::CodeRevoked),
        Status::Suspended => return Err(Reason::CodeSuspended),
        Status::Activated => {}
    }
    if let Some(last) = code.values.term.expiration_date()
        && last < today
    {
        return Err(Reason::CodeExpired(last));
    }
    let has_seat = seats_used < code.values.seats;
    let Some((license, other)) = row else {
        return match has_seat {
            true => Ok(Take::New),
            false => Err(Reason::SeatsInUse(code.values.seats)),
        };
    };
    let own_status = license.seat.map_or(license.status, |seat| seat.own_status);
    if own_status != Status::Activated {
        return Err(Reason::MachineBlocked);
    }
    if license.seat.is_some_and(|seat| seat.code_id == code.id) {
        return Ok(Take::Nothing);
    }
    if let Some(other) = other
        && other.values.status == Status::Activated
        && license.expiration_date.is_none_or(|last| last >= today)
        && expires_no_earlier(license.expiration_date, code.values.term.started(today))
    {
        return Err(Reason::OtherCode);
    }
    match has_seat {
        true => Ok(Take::Over),
        false => Err(Reason::SeatsInUse(code.values.seats)),
    }
}

fn expires_no_earlier(last: Option<Date>, term: CodeTerm) -> bool {
    match (last, term.expiration_date()) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(last), Some(other)) => last >= other,
    }
}
