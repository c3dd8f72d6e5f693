//! Orders of shops: codes are made once for each, and follow what happens to it.

use super::Service;
use super::customers::ensure_named;
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::model::order::{Extension, Item, NewOrder, Order, OrderAction};
use crate::store::{Db, Read, WriteTx, activation_codes, audit, orders};

const NO_SUCH_ORDER: Error = Error::NotFound("Order not found.");

/// An order with the codes that were made for it, each with its item.
pub struct OrderCodes {
    pub order: Order,
    pub codes: Vec<(i64, ActivationCode)>,
    /// False if it had been sent before.
    pub is_new: bool,
}

impl Service {
    /// Makes the codes of an order, once for each `source` and reference however often it is sent.
    pub fn place_order(
        &self,
        actor: &Actor,
        source: &str,
        new: &NewOrder,
    ) -> Result<OrderCodes, Error> {
        self.store.write(|db| {
            let placed = self.place_order_in(db, actor, source, new)?;
            self.queue_order(db, &placed)?;
            Ok(placed)
        })
    }

    /// [`Service::place_order`] within a transaction.
    pub(super) fn place_order_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        new: &NewOrder,
    ) -> Result<OrderCodes, Error> {
        let now = self.clock.now();
        if let Some(order) = orders::find(db, source, &new.order_ref)? {
            return self.repeat_order(db, actor, order, new);
        }
        let customer = ensure_named(db, &new.customer, now)?;
        let id = orders::add(db, source, new, &customer, now)?;
        for (at, item) in (0..).zip(&new.items) {
            let other = item.renews.as_ref().or(item.adds_to.as_ref());
            if let Some(other) = other {
                self.change_other(db, actor, source, item, other, new.is_test)?;
                continue;
            }
            let values = item.values(&customer, new, self.today());
            let number = usize::try_from(item.quantity).unwrap_or(0);
            let codes =
                self.create_codes_in(db, actor, &item.tool_name, &values, number, new.is_test)?;
            for code in codes {
                orders::add_code(db, id, code.id, at)?;
            }
        }
        let event = Event::new(Kind::OrderPlaced, actor)
            .with("order_ref", Detail::personal(&new.order_ref))
            .with("customer", Detail::personal(&customer))
            .with("items", new.items.len() as i64);
        audit::append(db, event, now)?;
        let found = with_codes(db, source, &new.order_ref)?.ok_or(NO_SUCH_ORDER)?;
        Ok(OrderCodes {
            is_new: true,
            ..found
        })
    }

    /// The same order again: the same codes, and at most another customer.
    fn repeat_order(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        order: Order,
        new: &NewOrder,
    ) -> Result<OrderCodes, Error> {
        if (&order.items, order.is_test) != (&new.items, new.is_test) {
            return Err(Error::Conflict(format!(
                "The order {} was sent before with other items.",
                new.order_ref
            )));
        }
        if !order.is_erased {
            let customer = ensure_named(db, &new.customer, self.clock.now())?;
            if !customer.is_empty() && customer != order.customer {
                orders::set_customer(db, order.id, &customer)?;
                for (_, code) in codes_of(db, &order)? {
                    let values = CodeValues {
                        customer: customer.clone(),
                        ..code.values.clone()
                    };
                    self.change_code_in(db, actor, &code, &values)?;
                }
            }
        }
        with_codes(db, &order.source, &order.order_ref)?.ok_or(NO_SUCH_ORDER)
    }

    /// The codes of an order, as customers type them.
    pub(super) fn codes_in(&self, db: &Db, order: &Order) -> Result<Vec<String>, Error> {
        let codes = codes_of(db, order)?;
        Ok(codes.iter().map(|(_, code)| code.shown()).collect())
    }

    /// An item that extends the codes of another order or adds seats to them.
    fn change_other(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        item: &Item,
        other: &str,
        is_test: bool,
    ) -> Result<(), Error> {
        let is_renewal = item.renews.is_some();
        let field = if is_renewal { "renews" } else { "adds_to" };
        let refuse = |message: String| Err(Error::invalid(field, message));
        if is_test {
            return refuse("A test order does not change another order.".into());
        }
        let Some(order) = orders::find(db, source, other)? else {
            return refuse(format!("There is no order {other}."));
        };
        let codes = codes_of(db, &order)?.into_iter().map(|(_, code)| code);
        let codes: Vec<_> = codes
            .filter(|code| code.tool_name == item.tool_name)
            .collect();
        if codes.is_empty() {
            return refuse(format!(
                "The order {other} has no activation code for {}.",
                item.tool_name
            ));
        }
        if !is_renewal && codes.len() > 1 {
            return refuse(format!(
                "The order {other} has {} activation codes for {}; seats can be added to one only.",
                codes.len(),
                item.tool_name
            ));
        }
        for code in codes {
            let mut values = code.values.clone();
            match is_renewal {
                true => {
                    values.term = match item.extension() {
                        Some(extension) => extension.on(values.term, self.today()),
                        None => CodeTerm::Perpetual,
                    }
                }
                false => values.seats += item.seats * item.quantity,
            }
            self.change_code_in(db, actor, &code, &values)?;
        }
        Ok(())
    }

    pub fn order(&self, source: &str, order_ref: &str) -> Result<OrderCodes, Error> {
        self.store
            .read_tx(|db| with_codes(db, source, order_ref))?
            .ok_or(NO_SUCH_ORDER)
    }

    /// The sources of the orders with that reference, newest first.
    pub fn order_sources(&self, order_ref: &str) -> Result<Vec<String>, Error> {
        let found = self.store.read(|db| orders::of_reference(db, order_ref))?;
        Ok(found.into_iter().map(|order| order.source).collect())
    }

    /// Repeated, it changes nothing.
    pub fn act_on_order(
        &self,
        actor: &Actor,
        source: &str,
        order_ref: &str,
        action: OrderAction,
    ) -> Result<(), Error> {
        self.store
            .write(|db| self.act_on_order_in(db, actor, source, order_ref, action))
    }

    /// [`Service::act_on_order`] within a transaction.
    pub(super) fn act_on_order_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        order_ref: &str,
        action: OrderAction,
    ) -> Result<(), Error> {
        let order = orders::find(db, source, order_ref)?.ok_or(NO_SUCH_ORDER)?;
        for (_, code) in codes_of(db, &order)? {
            let values = CodeValues {
                status: action.on(code.values.status),
                ..code.values.clone()
            };
            self.change_code_in(db, actor, &code, &values)?;
        }
        Ok(())
    }

    /// Extends the codes of an order, once for each `event_ref`.
    pub fn extend_order(
        &self,
        actor: &Actor,
        source: &str,
        order_ref: &str,
        extension: Extension,
        event_ref: &str,
    ) -> Result<(), Error> {
        self.store
            .write(|db| self.extend_order_in(db, actor, source, order_ref, extension, event_ref))
    }

    /// [`Service::extend_order`] within a transaction.
    pub(super) fn extend_order_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        order_ref: &str,
        extension: Extension,
        event_ref: &str,
    ) -> Result<(), Error> {
        let order = orders::find(db, source, order_ref)?.ok_or(NO_SUCH_ORDER)?;
        let words = extension.in_words();
        match orders::event(db, order.id, event_ref)? {
            Some(before) if before == words => return Ok(()),
            Some(_) => {
                return Err(Error::Conflict(format!(
                    "The event {event_ref} was sent before with another extension."
                )));
            }
            None => orders::add_event(db, order.id, event_ref, &words, self.clock.now())?,
        }
        for (_, code) in codes_of(db, &order)? {
            let values = CodeValues {
                term: extension.on(code.values.term, self.today()),
                ..code.values.clone()
            };
            self.change_code_in(db, actor, &code, &values)?;
        }
        Ok(())
    }
}

fn codes_of(db: &Db, order: &Order) -> Read<Vec<(i64, ActivationCode)>> {
    let codes = orders::codes(db, order.id)?.into_iter();
    let codes = codes.map(|(item, id)| Ok(activation_codes::get(db, id)?.map(|code| (item, code))));
    codes.filter_map(Read::transpose).collect()
}

fn with_codes(db: &Db, source: &str, order_ref: &str) -> Read<Option<OrderCodes>> {
    let Some(order) = orders::find(db, source, order_ref)? else {
        return Ok(None);
    };
    Ok(Some(OrderCodes {
        codes: codes_of(db, &order)?,
        order,
        is_new: false,
    }))
}
