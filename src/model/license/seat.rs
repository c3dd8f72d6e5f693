//! A license that takes a seat of an activation code: which of both decides.

use time::Date;

use super::{License, Status, Values};
use crate::error::Error;
use crate::model::date;

/// A license's share in an activation code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    pub code_id: i64,
    /// What was decided about this license alone.
    pub own_status: Status,
    /// What this license was given by hand; `Some(None)` for perpetual.
    pub own_expiration: Option<Option<Date>>,
}

/// What a code decides about its licenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeTerms {
    pub status: Status,
    /// None for perpetual.
    pub expiration_date: Option<Date>,
}

impl Seat {
    /// Of a license that was not of a code before: its expiration date stays if it is later.
    pub fn of(code_id: i64, license: &License) -> Seat {
        Seat {
            code_id,
            own_status: license.status,
            own_expiration: Some(license.expiration_date),
        }
    }

    pub fn new(code_id: i64) -> Seat {
        Seat {
            code_id,
            own_status: Status::Activated,
            own_expiration: None,
        }
    }

    /// After the license was changed by hand: what differs was decided about it alone.
    pub fn changed(self, before: &Values, after: &Values) -> Seat {
        Seat {
            code_id: self.code_id,
            own_status: match before.status == after.status {
                true => self.own_status,
                false => after.status,
            },
            own_expiration: match before.expiration_date == after.expiration_date {
                true => self.own_expiration,
                false => Some(after.expiration_date),
            },
        }
    }

    /// The stricter status and the later expiration date.
    pub fn effective(self, code: CodeTerms) -> (Status, Option<Date>) {
        let expiration_date = match (self.own_expiration, code.expiration_date) {
            (Some(Some(own)), Some(code)) => Some(own.max(code)),
            (Some(None), _) | (_, None) => None,
            (None, code) => code,
        };
        (stricter(self.own_status, code.status), expiration_date)
    }
}

fn stricter(one: Status, other: Status) -> Status {
    match (one, other) {
        (Status::Revoked, _) | (_, Status::Revoked) => Status::Revoked,
        (Status::Suspended, _) | (_, Status::Suspended) => Status::Suspended,
        (Status::Activated, Status::Activated) => Status::Activated,
    }
}

/// An error if the license's activation code does not let it have these values.
pub fn by_code(license: &License, wanted: &Values) -> Result<(), Error> {
    if license.seat.is_none() {
        return Ok(());
    }
    if license.status != wanted.status {
        let message = format!(
            "The activation code of this license is {}, and so is the license. Change the code.",
            license.status
        );
        return Err(Error::invalid("status", message));
    }
    if license.expiration_date != wanted.expiration_date {
        let message = match license.expiration_date {
            Some(last) => format!(
                "The activation code of this license expires on {}. Use a later date, or change the code.",
                date::format(last)
            ),
            None => "The activation code of this license is perpetual, and so is the license. Change the \
                     code."
                .to_owned(),
        };
        return Err(Error::invalid("expiration_date", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn the_stricter_status_and_the_later_date_decide() {
        let seat = |own_status, own_expiration| Seat {
            code_id: 1,
            own_status,
            own_expiration,
        };
        let code = |status, expiration_date| CodeTerms {
            status,
            expiration_date,
        };
        let (early, late) = (date!(2026 - 12 - 31), date!(2027 - 12 - 31));
        for (seat, code, expected) in [
            (
                seat(Status::Activated, None),
                code(Status::Suspended, Some(early)),
                (Status::Suspended, Some(early)),
            ),
            (
                seat(Status::Revoked, Some(Some(late))),
                code(Status::Suspended, Some(early)),
                (Status::Revoked, Some(late)),
            ),
            (
                seat(Status::Activated, Some(Some(early))),
                code(Status::Activated, Some(late)),
                (Status::Activated, Some(late)),
            ),
            (
                seat(Status::Activated, Some(None)),
                code(Status::Activated, Some(late)),
                (Status::Activated, None),
            ),
            (
                seat(Status::Activated, Some(Some(late))),
                code(Status::Activated, None),
                (Status::Activated, None),
            ),
        ] {
            assert_eq!(seat.effective(code), expected);
        }
    }
}
