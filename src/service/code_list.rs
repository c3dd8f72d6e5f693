//! The table of activation codes, the page of one, and what is done there.

use super::Service;
use super::codes::{NO_SUCH_CODE, number_of_codes};
use super::customers::ensure_named;
use super::mails::DraftMail;
use crate::error::{Error, Problem};
use crate::model::activation_code::{ActivationCode, CodeValues, ListedCode, moves_since};
use crate::model::audit::Actor;
use crate::model::bulk::Action;
use crate::model::check::ListedLicense;
use crate::model::code_draft::CodeDraft;
use crate::model::code_format::{self, Typed};
use crate::model::code_search::{CodeFilter, CodePlace};
use crate::model::customer::{Customer, NamedCustomer};
use crate::model::license::{License, Status};
use crate::model::search::Count;
use crate::model::text::grouped;
use crate::store::{activation_codes, code_search, customers, licenses, orders, seats};

/// Codes in a file that a page sends.
pub const MAX_CODES_SENT: usize = 25_000;

/// Machines on the page of a code.
const MACHINES: usize = 200;

/// A code and everything that its page shows.
pub struct CodeUse {
    pub listed: ListedCode,
    /// Of the code; none if it has no customer.
    pub customer: Option<Customer>,
    /// The order that it was made for.
    pub order_id: Option<i64>,
    /// At most 200, the first one first.
    pub machines: Vec<ListedLicense>,
    /// Seats that its customer freed within a year.
    pub moves: i64,
    /// To its customer; none if it is not valid, or they have no address.
    pub mail: Option<DraftMail>,
}

/// The result of [`Service::edit_code`].
pub enum CodeEdited {
    /// The ID of the change, which can be undone; none if nothing differs.
    Saved(Option<i64>),
    /// Nothing was changed: somebody else changed these fields since, and these are the current values.
    Changed(Vec<Problem>, CodeDraft),
}

impl Service {
    /// A page of matching codes, newest first or as `place` says, and their total number.
    pub fn codes(
        &self,
        filter: &CodeFilter,
        place: CodePlace,
        limit: usize,
    ) -> Result<(Vec<ListedCode>, Count), Error> {
        self.store
            .read_tx(|db| code_search::page(db, filter, place, limit))
    }

    /// All matching codes, newest first; an error if there are too many for a file.
    pub fn codes_to_send(&self, filter: &CodeFilter) -> Result<Vec<ListedCode>, Error> {
        let (codes, _) = self.codes(filter, CodePlace::First, MAX_CODES_SENT + 1)?;
        if codes.len() > MAX_CODES_SENT {
            let most = grouped(MAX_CODES_SENT as i64);
            return Err(Error::Conflict(format!(
                "A file can have at most {most} activation codes. Narrow the filter down."
            )));
        }
        Ok(codes)
    }

    pub fn code_use(&self, id: i64) -> Result<CodeUse, Error> {
        let since = moves_since(self.now());
        let found = self.store.read_tx(|db| {
            let Some(listed) = activation_codes::listed(db, id)? else {
                return Ok(None);
            };
            let ids = seats::license_ids(db, id)?.into_iter().take(MACHINES);
            let machines = ids.map(|id| licenses::listed(db, id));
            Ok(Some(CodeUse {
                customer: customers::named(db, &listed.code.values.customer)?,
                machines: machines
                    .filter_map(Result::transpose)
                    .collect::<Result<_, _>>()?,
                moves: activation_codes::moves_since(db, id, since)?,
                order_id: orders::of_code(db, id)?,
                mail: None,
                listed,
            }))
        })?;
        let found = found.ok_or(NO_SUCH_CODE)?;
        Ok(CodeUse {
            mail: self.code_mail(id)?,
            ..found
        })
    }

    /// The code that a license is of.
    pub fn code_of(&self, license: &License) -> Result<Option<ActivationCode>, Error> {
        match license.seat {
            Some(seat) => self
                .store
                .read(|db| activation_codes::get(db, seat.code_id)),
            None => Ok(None),
        }
    }

    /// The code that was typed, in any spelling; never throttled, because only people who see all codes ask.
    pub fn code_typed(&self, typed: &str) -> Result<Option<ActivationCode>, Error> {
        match code_format::read(typed) {
            Typed::Ours(code) | Typed::Other { code, .. } => {
                self.store.read(|db| activation_codes::find(db, &code))
            }
            Typed::Wrong(_) => Ok(None),
        }
    }

    /// The address of a customer; empty for none.
    pub fn email_of(&self, customer: &str) -> Result<String, Error> {
        let found = self.store.read(|db| customers::named(db, customer))?;
        Ok(found.map(|customer| customer.email).unwrap_or_default())
    }

    /// [`Service::create_codes`] for a customer who may be new.
    pub fn create_codes_for(
        &self,
        actor: &Actor,
        tool_name: &str,
        customer: &NamedCustomer,
        values: &CodeValues,
        number: i64,
    ) -> Result<Vec<ActivationCode>, Error> {
        let number = number_of_codes(usize::try_from(number).unwrap_or_default())?;
        self.store.write(|db| {
            let values = CodeValues {
                customer: ensure_named(db, customer, self.clock.now())?,
                ..values.clone()
            };
            self.create_codes_in(db, actor, tool_name, &values, number, false)
        })
    }

    /// Changes the fields that differ from those that a form showed, unless somebody else has changed one of
    /// them since.
    pub fn edit_code(
        &self,
        actor: &Actor,
        id: i64,
        draft: &CodeDraft,
        was: &CodeDraft,
    ) -> Result<CodeEdited, Error> {
        self.store.write(|db| {
            let code = activation_codes::get(db, id)?.ok_or(NO_SUCH_CODE)?;
            let (mut draft, current) = (draft.clone(), CodeDraft::of(&code.values));
            let conflicts = draft.rebase(was, &current);
            if !conflicts.is_empty() {
                return Ok(CodeEdited::Changed(conflicts, current));
            }
            let values = draft.values(&code.values).map_err(Error::Invalid)?;
            let change = self.change_code_in(db, actor, &code, &values)?;
            Ok(CodeEdited::Saved(change))
        })
    }

    /// Changes the fields that the draft has.
    pub fn patch_code(
        &self,
        actor: &Actor,
        id: i64,
        status: Option<Status>,
        change: &CodeDraft,
    ) -> Result<(), Error> {
        self.store.write(|db| {
            let code = activation_codes::get(db, id)?.ok_or(NO_SUCH_CODE)?;
            let before = CodeValues {
                status: status.unwrap_or(code.values.status),
                ..code.values.clone()
            };
            let draft = CodeDraft::of(&before).changed(change);
            let values = draft.values(&before).map_err(Error::Invalid)?;
            self.change_code_in(db, actor, &code, &values)?;
            Ok(())
        })
    }

    /// The ID of the code at that address: its own ID, or the code in any spelling, unless it is of digits alone.
    pub fn code_at(&self, address: &str) -> Result<i64, Error> {
        if address.bytes().all(|byte| byte.is_ascii_digit()) {
            return address.parse().map_err(|_| NO_SUCH_CODE);
        }
        let found = self.code_typed(address)?;
        found.map(|code| code.id).ok_or(NO_SUCH_CODE)
    }

    /// Deletes the license of a machine of that code; returns it and the ID of the change, which can be undone. The
    /// admin's own acts count as no move.
    pub fn remove_machine(
        &self,
        actor: &Actor,
        code_id: i64,
        license_id: i64,
    ) -> Result<(License, i64), Error> {
        let license = self.license(license_id)?;
        if license.seat.is_none_or(|seat| seat.code_id != code_id) {
            return Err(Error::NotFound(
                "This machine has no seat of the activation code. Reload the page.",
            ));
        }
        self.act_on(actor, license_id, &Action::Delete)
    }
}
