//! A machine takes a seat of an activation code, or gives it back.

use std::net::{IpAddr, Ipv4Addr};

use time::Date;

use super::Service;
use super::bulk::record;
use super::check::CheckSource;
use super::unlicensed::MachinePair;
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, ListedCode, Reason, Take, judge, moves_since};
use crate::model::audit::{Actor, Detail, Event};
use crate::model::customer::NamedCustomer;
use crate::model::entitlements::Entitlements;
use crate::model::license::Seat;
use crate::model::license::{License, Status, Values};
use crate::model::question::Question;
use crate::model::webhook_event::WebhookEvent;
use crate::store::{Db, Read, WriteTx, activation_codes, audit, licenses};

/// What an activation found.
struct Found {
    code: ActivationCode,
    license: Option<License>,
    take: Take,
}

impl Service {
    /// Gives the machine a license of the code, durably; changes nothing if it has one.
    pub fn activate(
        &self,
        question: &Question<'_>,
        typed: &str,
        source: &CheckSource,
    ) -> Result<(), Error> {
        // What changes nothing need not wait for other writes.
        let Found { code, take, .. } = self.find_seat(question, typed, source.address)?;
        if take == Take::Nothing {
            return Ok(());
        }
        let actor = holder(&code, source.address);
        let customer = source.customer.as_ref();
        self.store
            .write(|db| self.take_seat(db, &actor, code.id, question, customer))?;
        Ok(())
    }

    /// Whether [`Service::activate`] would give the machine a license now; changes nothing.
    pub fn may_activate(
        &self,
        question: &Question<'_>,
        typed: &str,
        address: IpAddr,
    ) -> Result<(), Error> {
        self.find_seat(question, typed, address).map(drop)
    }

    fn find_seat(
        &self,
        question: &Question<'_>,
        typed: &str,
        address: IpAddr,
    ) -> Result<Found, Error> {
        let code = self.code_for(question.tool_name, typed, address)?;
        let today = self.today();
        let found = self
            .store
            .read_tx(|db| look(db, code.id, question, today))?;
        Ok(found?)
    }

    /// [`Service::activate`] within a transaction, whoever does it. `customer` is who asks, as the program says.
    pub(super) fn take_seat(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        code_id: i64,
        question: &Question<'_>,
        customer: Option<&NamedCustomer>,
    ) -> Result<Option<License>, Error> {
        let (now, today) = (self.clock.now(), self.today());
        let Found {
            code,
            license,
            take,
        } = look(db, code_id, question, today)??;
        let term = code.values.term.started(today);
        if code.first_used_at.is_none() {
            activation_codes::set_used(db, code.id, term, now)?;
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (user_id, order_ref) = (some(&code.values.customer), some(&code.values.order_ref));
        let after = match (take, &license) {
            (Take::Nothing, _) => return Ok(license),
            (Take::New, _) | (Take::Over, None) => {
                let values = Values {
                    tool_name: question.tool_name.to_owned(),
                    license_key: question.license_key.to_string(),
                    status: Status::Activated,
                    user_id,
                    expiration_date: term.expiration_date(),
                    note: None,
                    order_ref,
                    entitlements: Entitlements::default(),
                    is_trial: false,
                };
                let seat = Some(Seat::new(code.id));
                Some(License {
                    id: licenses::add_seated(db, &values, seat, now)?,
                    created_at: now,
                    moved_to: None,
                    seat,
                    offline_until: None,
                    values,
                })
            }
            (Take::Over, Some(license)) => {
                let mut values = license.values.clone();
                values.user_id = user_id.or(values.user_id);
                values.order_ref = order_ref.or(values.order_ref);
                values.is_trial = false;
                licenses::update(db, license, &values, now)?;
                let seat = match license.seat {
                    Some(seat) => Seat {
                        code_id: code.id,
                        ..seat
                    },
                    None if license.is_trial => Seat::new(code.id),
                    None => Seat::of(code.id, license),
                };
                licenses::settle(db, license.id, Some(seat))?;
                licenses::get(db, license.id)?
            }
        };
        activation_codes::return_move(db, code.id, &question.license_key)?;
        let mut event = Event {
            told: Some(WebhookEvent::CodeActivated),
            ..Event::license(actor, license.as_ref(), after.as_ref())
        };
        if let Some(NamedCustomer { name, email }) = customer {
            event = event
                .with("reported_name", Detail::personal(name))
                .with("reported_email", Detail::personal(email));
        }
        audit::append(db, event, now)?;
        Ok(after)
    }

    /// Gives machines licenses of a code, all or none, and returns them. Those that have one of it stay as they are.
    pub fn add_machines(
        &self,
        actor: &Actor,
        code_id: i64,
        machines: &[MachinePair],
    ) -> Result<Vec<License>, Error> {
        self.store.write(|db| {
            let code = activation_codes::get(db, code_id)?.ok_or(Reason::UnknownCode)?;
            let mut added = vec![];
            for (tool_name, license_key) in machines {
                if code.tool_name != *tool_name {
                    return Err(Reason::WrongTool(code.tool_name).into());
                }
                let question = Question::parse(tool_name, license_key)?;
                added.extend(self.take_seat(db, actor, code_id, &question, None)?);
            }
            Ok(added)
        })
    }

    /// [`Service::add_machines`] by a code as it is typed; returns its ID.
    pub fn add_machines_by_code(
        &self,
        actor: &Actor,
        typed: &str,
        machines: &[MachinePair],
    ) -> Result<i64, Error> {
        let (tool_name, _) = machines.first().ok_or(Reason::UnknownCode)?;
        let address = actor.address.parse();
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let code = self.code_for(tool_name, typed, address)?;
        self.add_machines(actor, code.id, machines)?;
        Ok(code.id)
    }

    /// Deletes the machine's license of that code; changes nothing if it has none.
    pub fn deactivate(
        &self,
        question: &Question<'_>,
        typed: &str,
        address: IpAddr,
    ) -> Result<(), Error> {
        let code = self.code_for(question.tool_name, typed, address)?;
        self.free_seat(&code, &holder(&code, address), |db| {
            licenses::of_pair(db, question.tool_name, &question.license_key)
        })
    }

    /// [`Service::deactivate`] of the machine that `find` finds.
    pub(super) fn free_seat(
        &self,
        code: &ActivationCode,
        actor: &Actor,
        find: impl Fn(&Db) -> Read<Option<License>>,
    ) -> Result<(), Error> {
        let find = |db: &Db| {
            let license = find(db)?;
            Ok(license.and_then(|license| {
                let seat = license.seat.filter(|seat| seat.code_id == code.id)?;
                Some((license, seat))
            }))
        };
        if self.store.read(find)?.is_none() {
            return Ok(());
        }
        let now = self.clock.now();
        let message = self.tool(&code.tool_name).message.clone();
        self.store.write(|db| {
            let code = activation_codes::get(db, code.id)?.ok_or(Reason::UnknownCode)?;
            let Some((license, seat)) = find(db)? else {
                return Ok(());
            };
            // Otherwise a blocked machine could come back as another one.
            if seat.own_status != Status::Activated {
                return Err(Reason::MachineBlocked.into());
            }
            if let Some(last) = license.offline_until.filter(|last| *last >= self.today()) {
                return Err(Reason::OfflineUntil(last).into());
            }
            let moves = activation_codes::moves_since(db, code.id, moves_since(now))?;
            if code.moves_left(moves) == 0 {
                return Err(Reason::MovesUsed { moves, message }.into());
            }
            self.removals
                .take((code.id, &*license.license_key), now)
                .map_err(Reason::TryLater)?;
            licenses::delete(db, &license)?;
            activation_codes::add_move(db, code.id, &license.license_key, now)?;
            record(db, actor, Some(&license), None, now)?;
            Ok(())
        })
    }
}

/// Who activates or removes machines: whoever has the code.
pub(super) fn holder(code: &ActivationCode, address: IpAddr) -> Actor {
    let who = format!("activation code {}", code.masked());
    Actor::other("activation code", &who, address)
}

/// What the activation would do now, or why it is refused.
fn look(
    db: &Db,
    code_id: i64,
    question: &Question<'_>,
    today: Date,
) -> Read<Result<Found, Reason>> {
    let Some(ListedCode { code, seats_used }) = activation_codes::listed(db, code_id)? else {
        return Ok(Err(Reason::UnknownCode));
    };
    let license = licenses::of_pair(db, question.tool_name, &question.license_key)?;
    let other = match license.as_ref().and_then(|license| license.seat) {
        Some(seat) if seat.code_id != code_id => activation_codes::get(db, seat.code_id)?,
        Some(_) | None => None,
    };
    let row = license.as_ref().map(|license| (license, other.as_ref()));
    Ok(judge(&code, row, seats_used, today).map(|take| Found {
        code,
        license,
        take,
    }))
}
