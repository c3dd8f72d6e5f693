//! Orders of shops: codes are made once for each, and follow what happens to it.

use super::Service;
use super::customers::ensure_buyer;
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeValues};
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::model::order::{Extension, Item, NewOrder, Order, OrderAction};
use crate::store::{Db, Read, WriteTx, activation_codes, audit, code_renewals, orders};

pub(super) const NO_SUCH_ORDER: Error = Error::NotFound("Order not found.");

/// An order with the codes that were made for it, each with its item.
pub struct OrderCodes {
    pub order: Order,
    pub codes: Vec<(i64, ActivationCode)>,
    /// False if it had been sent before.
    pub is_new: bool,
    /// Sent again for another customer.
    pub has_new_customer: bool,
}

impl OrderCodes {
    /// `Order 17 placed, 2 codes created.`
    pub(super) fn in_words(&self) -> String {
        format!(
            "{} {} placed, {} created.",
            if self.order.is_test {
                "Test order"
            } else {
                "Order"
            },
            self.order.order_ref,
            match self.codes.len() {
                1 => "1 code".to_owned(),
                number => format!("{number} codes"),
            }
        )
    }
}

/// Whether an item is carried out, taken back, or restored.
#[derive(Clone, Copy)]
enum Direction {
    First,
    Off,
    Again,
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
        let customer = ensure_buyer(db, &new.customer, now)?;
        let id = orders::add(db, source, new, &customer, now)?;
        for (at, item) in (0..).zip(&new.items) {
            if item.other().is_some() {
                if new.is_test {
                    let message = "A test order does not change another order.";
                    return Err(Error::invalid(field_of(item), message));
                }
                let other = item.other().unwrap_or_default();
                if orders::find(db, source, other)?.is_some_and(|order| order.is_test) {
                    let message =
                        format!("The order {other} is a test: nothing can be added to it.");
                    return Err(Error::invalid(field_of(item), message));
                }
                if item.adds_to.is_some() {
                    for code in codes_of_other(db, source, item)? {
                        item.fits(&code.values)?;
                    }
                }
                self.change_others(db, actor, source, id, (at, item), Direction::First)?;
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
        if !order.is_same(new) {
            return Err(Error::Conflict(format!(
                "The order {} was sent before with other items.",
                new.order_ref
            )));
        }
        let mut has_new_customer = false;
        if !order.is_erased {
            let customer = ensure_buyer(db, &new.customer, self.clock.now())?;
            if !customer.is_empty() && customer != order.customer {
                has_new_customer = true;
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
        let found = with_codes(db, &order.source, &order.order_ref)?.ok_or(NO_SUCH_ORDER)?;
        Ok(OrderCodes {
            has_new_customer,
            ..found
        })
    }

    /// The codes of an order, as customers type them.
    pub(super) fn codes_in(&self, db: &Db, order: &Order) -> Result<Vec<String>, Error> {
        let codes = codes_of(db, order)?;
        Ok(codes.iter().map(|(_, code)| code.shown()).collect())
    }

    /// What an item of an order does to the codes of another one, or the same taken back.
    fn change_others(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        order_id: i64,
        (at, item): (i64, &Item),
        direction: Direction,
    ) -> Result<(), Error> {
        let (today, own) = (self.today(), (order_id, at));
        for code in codes_of_other(db, source, item)? {
            let values = match direction {
                Direction::First => {
                    if item.renews.is_some() {
                        code_renewals::add(db, own, code.id, item, today, &code.values)?;
                    }
                    item.on(&code.values, today)
                }
                Direction::Again => self.turned(db, own, item, &code, true)?,
                Direction::Off => self.turned(db, own, item, &code, false)?,
            };
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
            .write(|db| self.act_on_order_in(db, actor, source, order_ref, action))?;
        Ok(())
    }

    /// [`Service::act_on_order`] within a transaction. Returns the IDs of the changes of its own codes.
    pub(super) fn act_on_order_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        order_ref: &str,
        action: OrderAction,
    ) -> Result<Vec<i64>, Error> {
        let order = orders::find(db, source, order_ref)?.ok_or(NO_SUCH_ORDER)?;
        let mut changes = vec![];
        for (_, code) in codes_of(db, &order)? {
            let mut held = orders::held(db, order.id, code.id)?;
            let values = CodeValues {
                status: action.on(code.values.status, &mut held),
                ..code.values.clone()
            };
            orders::set_held(db, order.id, code.id, held)?;
            changes.extend(self.change_code_in(db, actor, &code, &values)?);
        }
        let direction = match (action, order.is_taken_back) {
            (OrderAction::Revoke, false) => Direction::Off,
            (OrderAction::Restore, true) => Direction::Again,
            // A payment in doubt takes nothing back from other orders.
            (OrderAction::Suspend | OrderAction::Resume, _)
            | (OrderAction::Revoke, true)
            | (OrderAction::Restore, false) => return Ok(changes),
        };
        let is_taken_back = action == OrderAction::Revoke;
        let mut items: Vec<(i64, &Item)> = (0..).zip(&order.items).collect();
        items.retain(|(_, item)| item.other().is_some());
        if is_taken_back {
            items.reverse();
        }
        for item in items {
            self.change_others(db, actor, source, order.id, item, direction)?;
        }
        orders::set_taken_back(db, order.id, is_taken_back)?;
        Ok(changes)
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
            .write(|db| self.extend_order_in(db, actor, source, order_ref, extension, event_ref))?;
        Ok(())
    }

    /// [`Service::extend_order`] within a transaction. Returns the IDs of the changes of its codes.
    pub(super) fn extend_order_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        source: &str,
        order_ref: &str,
        extension: Extension,
        event_ref: &str,
    ) -> Result<Vec<i64>, Error> {
        let order = orders::find(db, source, order_ref)?.ok_or(NO_SUCH_ORDER)?;
        let words = extension.in_words();
        match orders::event(db, order.id, event_ref)? {
            Some(before) if before == words => return Ok(vec![]),
            Some(_) => {
                return Err(Error::Conflict(format!(
                    "The event {event_ref} was sent before with another extension."
                )));
            }
            None => orders::add_event(db, order.id, event_ref, &words, self.clock.now())?,
        }
        let (today, mut changes) = (self.today(), vec![]);
        for (_, code) in codes_of(db, &order)? {
            let item = Item::extension(&code.tool_name, order_ref, extension);
            let own = (order.id, code_renewals::EXTENSION);
            code_renewals::add(db, own, code.id, &item, today, &code.values)?;
            let values = item.on(&code.values, today);
            changes.extend(self.change_code_in(db, actor, &code, &values)?);
        }
        Ok(changes)
    }

    /// The values of a code once an item is taken back from it or restored.
    fn turned(
        &self,
        db: &WriteTx<'_>,
        own: (i64, i64),
        item: &Item,
        code: &ActivationCode,
        is_active: bool,
    ) -> Result<CodeValues, Error> {
        let mut renewals = code_renewals::of_code(db, code.id, own)?;
        if let Some(used) = code.first_used_at {
            let day = used.to_offset(self.utc_offset).date();
            renewals.term = renewals.term.map(|term| term.started(day));
        }
        // Seats have no record, nor have renewals of a time when none was kept.
        let values = match renewals.own {
            Some(_) => renewals.turned(&code.values, is_active),
            None if is_active => Some(item.on(&code.values, self.today())),
            None => item.off(&code.values),
        };
        code_renewals::set_active(db, own, code.id, is_active)?;
        values.ok_or_else(|| {
            Error::Conflict(format!(
                "The order set the expiration date of {}, and nothing tells which one it had before. \
                 Change that code by hand.",
                code.masked()
            ))
        })
    }
}

fn field_of(item: &Item) -> &'static str {
    match item.renews {
        Some(_) => "renews",
        None => "adds_to",
    }
}

/// The codes of the order that an item renews or adds seats to. The tool may have been renamed since then.
fn codes_of_other(db: &Db, source: &str, item: &Item) -> Result<Vec<ActivationCode>, Error> {
    let (other, tool) = (item.other().unwrap_or_default(), &item.tool_name);
    let refuse = |message: String| Err(Error::invalid(field_of(item), message));
    let Some(order) = orders::find(db, source, other)? else {
        return refuse(format!("There is no order {other}."));
    };
    let was_sold_as = |at: i64| {
        let sold = usize::try_from(at).ok().and_then(|at| order.items.get(at));
        sold.is_some_and(|sold| sold.tool_name == *tool)
    };
    let codes = codes_of(db, &order)?.into_iter();
    let codes = codes.filter(|(at, code)| code.tool_name == *tool || was_sold_as(*at));
    let codes: Vec<_> = codes.map(|(_, code)| code).collect();
    if codes.is_empty() {
        return refuse(format!(
            "The order {other} has no activation code for {tool}."
        ));
    }
    if item.adds_to.is_some() && codes.len() > 1 {
        return refuse(format!(
            "The order {other} has {} activation codes for {tool}; seats can be added to one only.",
            codes.len()
        ));
    }
    Ok(codes)
}

pub(super) fn codes_of(db: &Db, order: &Order) -> Read<Vec<(i64, ActivationCode)>> {
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
        has_new_customer: false,
    }))
}
