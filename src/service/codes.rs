//! Creating, changing and finding activation codes.

use std::net::IpAddr;

use super::Service;
use super::secrets::random;
use super::throttle::{network, subscriber};
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeValues, ListedCode, Reason};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::code_format::{self, Typed};
use crate::model::license::License;
use crate::model::text::grouped;
use crate::store::activation_codes::{self, NewCode};
use crate::store::{WriteTx, audit, code_changes, licenses, seats};

/// Codes made at once.
pub const MAX_CREATED: usize = 1_000;

/// What codes are looked for; none for any.
pub struct CodeQuery {
    pub order_ref: Option<String>,
    /// In any spelling.
    pub activation_code: Option<String>,
    /// The name.
    pub customer: Option<String>,
}

pub(super) const NO_SUCH_CODE: Error = Error::NotFound("Activation code not found.");

impl Service {
    pub fn activation_code(&self, id: i64) -> Result<ActivationCode, Error> {
        self.store
            .read(|db| activation_codes::get(db, id))?
            .ok_or(NO_SUCH_CODE)
    }

    /// Codes that match all of these, newest first; an error if none is given.
    pub fn find_codes(&self, query: &CodeQuery) -> Result<Vec<ListedCode>, Error> {
        let CodeQuery {
            order_ref,
            activation_code,
            customer,
        } = query;
        if order_ref.is_none() && activation_code.is_none() && customer.is_none() {
            let message = "Name an `order_ref`, an `activation_code` or a `customer`.";
            return Err(Error::invalid("order_ref", message));
        }
        let code = activation_code.as_deref().map(code_format::read);
        let code = code.map(|code| match code {
            Typed::Ours(code) | Typed::Other { code, .. } => code,
            Typed::Wrong(_) => String::new(),
        });
        self.store.read(|db| {
            let (code, order_ref) = (code.as_deref(), order_ref.as_deref());
            activation_codes::matching(db, code, order_ref, customer.as_deref(), MAX_CREATED)
        })
    }

    pub fn seats_used(&self, id: i64) -> Result<i64, Error> {
        self.store.read(|db| seats::used(db, id))
    }

    /// The licenses of a code, the first one first.
    pub fn seats(&self, id: i64) -> Result<Vec<License>, Error> {
        self.store.read_tx(|db| {
            let ids = seats::license_ids(db, id)?;
            licenses::of_ids(db, ids.into_iter())
        })
    }

    /// 1 to [`MAX_CREATED`] codes with the same values, in one transaction.
    pub fn create_codes(
        &self,
        actor: &Actor,
        tool_name: &str,
        values: &CodeValues,
        number: usize,
    ) -> Result<Vec<ActivationCode>, Error> {
        let number = number_of_codes(number)?;
        self.store
            .write(|db| self.create_codes_in(db, actor, tool_name, values, number, false))
    }

    /// [`Service::create_codes`] within a transaction, for the orders of a shop.
    pub(super) fn create_codes_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        tool_name: &str,
        values: &CodeValues,
        number: usize,
        is_test: bool,
    ) -> Result<Vec<ActivationCode>, Error> {
        values.check()?;
        let now = self.clock.now();
        let mut codes = Vec::with_capacity(number);
        while codes.len() < number {
            let mut bits = [0; 16];
            bits[..10].copy_from_slice(&random::<10>()?);
            let new = NewCode {
                tool_name,
                code: &code_format::from_bits(u128::from_le_bytes(bits)),
                is_imported: false,
                is_test,
                values,
            };
            // The same code twice is as likely as guessing one.
            if let Some(id) = activation_codes::add(db, &new, now)? {
                codes.extend(activation_codes::get(db, id)?);
            }
        }
        let masked: Vec<String> = codes.iter().map(ActivationCode::masked).collect();
        let event = Event::new(Kind::CodesCreated, actor)
            .with("tool_name", tool_name)
            .with("codes", number as i64)
            .with("activation_codes", masked.join(" "));
        audit::append(db, event, now)?;
        Ok(codes)
    }

    /// Replaces what people decide about a code; its licenses follow in the same transaction. Returns the ID of
    /// the change, which can be undone; none if nothing differs.
    pub fn change_code(
        &self,
        actor: &Actor,
        id: i64,
        change: impl FnOnce(&mut CodeValues),
    ) -> Result<Option<i64>, Error> {
        self.store.write(|db| {
            let code = activation_codes::get(db, id)?.ok_or(NO_SUCH_CODE)?;
            let mut values = code.values.clone();
            change(&mut values);
            self.change_code_in(db, actor, &code, &values)
        })
    }

    /// [`Service::change_code`] within a transaction.
    pub(super) fn change_code_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        code: &ActivationCode,
        values: &CodeValues,
    ) -> Result<Option<i64>, Error> {
        self.change_code_as(db, actor, code, values, |event| event)
    }

    /// [`Service::change_code_in`] with another event.
    pub(super) fn change_code_as(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        code: &ActivationCode,
        values: &CodeValues,
        event: impl FnOnce(Event) -> Event,
    ) -> Result<Option<i64>, Error> {
        values.check()?;
        let mut values = values.clone();
        if let Some(first) = code.first_used_at {
            values.term = values.term.started(first.to_offset(self.utc_offset).date());
        }
        if values == code.values {
            return Ok(None);
        }
        let (values, now) = (&values, self.clock.now());
        seats::update_code(db, code, values, now)?;
        let changed = Event::code_changed(actor, code, values);
        audit::append(db, event(changed), now)?;
        let change = code_changes::add(db, code, values, &actor.who, now)?;
        Ok(Some(change))
    }

    /// Takes a change back, unless the code was changed since.
    pub fn undo_code_change(&self, actor: &Actor, change_id: i64) -> Result<ActivationCode, Error> {
        self.store
            .write(|db| self.undo_code_change_in(db, actor, change_id))
    }

    /// [`Service::undo_code_change`] within a transaction.
    pub(super) fn undo_code_change_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        change_id: i64,
    ) -> Result<ActivationCode, Error> {
        let change = code_changes::get(db, change_id)?.ok_or(NO_SUCH_CODE)?;
        let code = activation_codes::get(db, change.code_id)?.ok_or(NO_SUCH_CODE)?;
        if change.is_undone || code.values != change.after {
            return Err(Error::Conflict(
                "The activation code was changed since. Nothing was undone.".into(),
            ));
        }
        self.change_code_in(db, actor, &code, &change.before)?;
        code_changes::set_undone(db, change_id)?;
        activation_codes::get(db, code.id)?.ok_or(NO_SUCH_CODE)
    }

    /// The code for that tool, as typed by anybody. Wrong ones count against the address; a right one that we
    /// made is answered in any case, because it cannot be guessed.
    pub(super) fn code_for(
        &self,
        tool_name: &str,
        typed: &str,
        address: IpAddr,
    ) -> Result<ActivationCode, Error> {
        let find = |text: &str| self.store.read(|db| activation_codes::find(db, text));
        let found = match code_format::read(typed) {
            Typed::Wrong(why) => return Err(Reason::BadCode(why).into()),
            Typed::Ours(text) => match find(&text)? {
                Some(code) if !code.is_imported => code,
                other => {
                    let counted = self.count_wrong_code(address)?;
                    other
                        .inspect(|_| counted.give_back())
                        .ok_or(Reason::UnknownCode)?
                }
            },
            Typed::Other { code: text, why } => {
                let imported = self
                    .store
                    .read(|db| activation_codes::has_imported(db, tool_name))?;
                if !imported {
                    return Err(Reason::BadCode(why).into());
                }
                let counted = self.count_wrong_code(address)?;
                let found = find(&text)?;
                found
                    .inspect(|_| counted.give_back())
                    .ok_or(Reason::BadCode(why))?
            }
        };
        if found.tool_name != tool_name {
            return Err(Reason::WrongTool(found.tool_name).into());
        }
        Ok(found)
    }

    fn count_wrong_code(&self, address: IpAddr) -> Result<Counted<'_>, Error> {
        let now = self.clock.now();
        let later = |seconds| Error::from(Reason::TryLater(seconds));
        self.wrong_codes
            .take(subscriber(address), now)
            .map_err(later)?;
        let counted = Counted(self, address);
        if let Some(network) = network(address)
            && let Err(seconds) = self.wrong_codes.take(network, now)
        {
            self.wrong_codes.give_back(subscriber(address));
            return Err(later(seconds));
        }
        Ok(counted)
    }
}

pub(super) fn number_of_codes(number: usize) -> Result<usize, Error> {
    if (1..=MAX_CREATED).contains(&number) {
        return Ok(number);
    }
    let most = grouped(MAX_CREATED as i64);
    let message = format!("The number of codes is {number}; it must be a number from 1 to {most}.");
    Err(Error::invalid("number", message))
}

/// A code that was counted as wrong before it was looked up.
struct Counted<'a>(&'a Service, IpAddr);

impl Counted<'_> {
    fn give_back(&self) {
        let Counted(service, address) = self;
        service.wrong_codes.give_back(subscriber(*address));
        if let Some(network) = network(*address) {
            service.wrong_codes.give_back(network);
        }
    }
}
