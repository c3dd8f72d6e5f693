//! What shops tell us: each event has its effect once, however often, late or early it comes.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::Service;
use super::customers::{NO_SUCH_CUSTOMER, ensure_buyer};
use super::orders::{NO_SUCH_ORDER, codes_of};
use super::shops::NO_SUCH_SHOP;
use crate::error::Error;
use crate::model::audit::Actor;
use crate::model::customer::NamedCustomer;
use crate::model::order::{NewOrder, OrderAction, SentItem};
use crate::model::shops::{
    EventState, Outcome, Payment, Sale, Shop, ShopAction, ShopEvent, ShopKind, StoredEvent,
    any_text,
};
use crate::store::{Db, Read, WriteTx, customers, orders, shop_events, shops};

/// A wrong signature is recorded at most once in this time.
const REFUSAL_EVERY: Duration = Duration::MINUTE;

const NO_SUCH_CALL: Error = Error::NotFound("This call is no longer there.");

/// A body of a shop, and what was said about it.
pub struct Delivery {
    pub body: Vec<u8>,
    /// Empty for none; of a receiver the signature, of a generator the content type.
    pub header: String,
    /// The caller's address.
    pub address: String,
}

impl Service {
    /// An event of a shop. It is recorded whatever becomes of it, unless its signature is wrong or we cannot write.
    pub fn receive(&self, kind: ShopKind, id: i64, sent: &Delivery) -> Result<(), Error> {
        let now = self.clock.now();
        let shop = self.store.read(|db| shops::get(db, id))?;
        let shop = shop.filter(|shop| shop.kind == kind && shop.is_enabled);
        let shop = shop.ok_or(NO_SUCH_SHOP)?;
        if let Err(why) = kind.verify(&shop.secret, &sent.header, &sent.body, now) {
            return Err(self.refuse_event(&shop, why, now)?);
        }
        let event = kind.read(&sent.body)?;
        let stored = self.store.write(|db| {
            if let Some(known) = shop_events::find(db, id, &event.id)? {
                return Ok(known);
            }
            let mut stored = StoredEvent {
                id: 0,
                received_at: now,
                happened_at: event.at,
                event_ref: event.id.clone(),
                kind: event.kind.clone(),
                headers: sent.header.clone(),
                body: String::from_utf8_lossy(&sent.body).into_owned(),
                outcome: Outcome::new(EventState::Failed, "Not processed yet."),
                reference: String::new(),
            };
            if let Some(body) = kept_body(db, &shop, &event, &stored.body)? {
                (stored.headers, stored.body) = (String::new(), body);
            }
            stored.id = shop_events::add(db, id, &stored)?;
            Ok(stored)
        })?;
        match stored.outcome.state {
            // Its person was erased since.
            EventState::Failed if stored.outcome.words.is_empty() => Ok(()),
            EventState::Failed => self.run_stored(&shop, &stored, &event, &sent.address),
            EventState::Done | EventState::Ignored | EventState::Waiting => Ok(()),
        }
    }

    /// Runs an event again, for example once its product is known.
    pub fn run_event(&self, actor: &Actor, id: i64, event_id: i64) -> Result<Outcome, Error> {
        let (shop, stored) = self
            .store
            .read_tx(|db| Ok((shops::get(db, id)?, shop_events::get(db, id, event_id)?)))?;
        let shop = shop.ok_or(NO_SUCH_SHOP)?;
        let stored = stored.ok_or(NO_SUCH_CALL)?;
        if stored.body.is_empty() {
            return Err(Error::Conflict(
                "The customer was erased, and with it what the shop sent. It cannot be run again."
                    .into(),
            ));
        }
        if shop.kind.has_events() {
            let event = shop.kind.read(stored.body.as_bytes())?;
            self.run_stored(&shop, &stored, &event, &actor.address)?;
        } else {
            let sent = Delivery {
                body: stored.body.into_bytes(),
                header: stored.headers,
                address: actor.address.clone(),
            };
            drop(self.generated(&shop, &sent));
            // Recorded as a call of its own.
            let latest = self.store.read(|db| shop_events::latest(db, id, 1))?;
            if let Some(StoredEvent {
                outcome, reference, ..
            }) = latest.first()
            {
                self.store
                    .write(|db| Ok(shop_events::set_outcome(db, event_id, outcome, reference)?))?;
            }
        }
        let stored = self.store.read(|db| shop_events::get(db, id, event_id))?;
        Ok(stored.ok_or(NO_SUCH_CALL)?.outcome)
    }

    /// The effect and its record belong to one transaction; an event that cannot have its effect is recorded alone.
    fn run_stored(
        &self,
        shop: &Shop,
        stored: &StoredEvent,
        event: &ShopEvent,
        address: &str,
    ) -> Result<(), Error> {
        let actor = actor(shop, address);
        let reference = event.action.of().unwrap_or_default();
        let ran = self.store.write(|db| {
            // Another delivery of the same event may have been quicker.
            let latest = shop_events::get(db, shop.id, stored.id)?;
            let is_same = latest.is_some_and(|latest| latest.outcome == stored.outcome);
            if !is_same {
                return Ok(());
            }
            let outcome = self.apply(db, shop, &actor, event)?;
            shop_events::set_outcome(db, stored.id, &outcome, reference)?;
            Ok(())
        });
        match ran {
            Err(error) if is_lasting(&error) => self.store.write(|db| {
                let outcome = Outcome::new(EventState::Failed, error.to_string());
                Ok(shop_events::set_outcome(
                    db, stored.id, &outcome, reference,
                )?)
            }),
            other => other,
        }
    }

    fn refuse_event(
        &self,
        shop: &Shop,
        why: &'static str,
        now: OffsetDateTime,
    ) -> Result<Error, Error> {
        let last = shop.refused.as_ref();
        if last.is_none_or(|(at, _)| now - *at >= REFUSAL_EVERY) {
            self.store
                .write(|db| Ok(shops::set_refusal(db, shop.id, why, now)?))?;
        }
        let message = format!("The event was not accepted: {why}.");
        let field = shop.kind.signature_header().map(str::to_owned);
        Ok(Error::Malformed { message, field })
    }

    fn apply(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        actor: &Actor,
        event: &ShopEvent,
    ) -> Result<Outcome, Error> {
        if let ShopAction::Ignored(why) = &event.action {
            return Ok(Outcome::new(EventState::Ignored, why));
        }
        if let ShopAction::Paid(sale) = &event.action {
            return self.sell(db, shop, actor, sale);
        }
        let of = event.action.of().unwrap_or_default();
        let Some(order_ref) = shop_events::order_of(db, shop.id, of)? else {
            let words = format!("No order has the reference {of} yet.");
            return Ok(Outcome::new(EventState::Waiting, words));
        };
        let payment = shop_events::payment(db, shop.id, &order_ref)?;
        let done = |words: String| Ok(Outcome::new(EventState::Done, words));
        let after = match &event.action {
            ShopAction::Paid(_) | ShopAction::Ignored(_) => None,
            ShopAction::Named { also, .. } => {
                self.name_order(db, shop, actor, &order_ref, also)?;
                return done(format!("Further references of order {order_ref}."));
            }
            ShopAction::Renewed {
                references,
                order_ref: renewal,
                ..
            } => return self.renew_order(db, shop, actor, &order_ref, renewal, references),
            ShopAction::Customer { of, named } => {
                return self.name_customer(db, shop, actor, &order_ref, of, named);
            }
            ShopAction::Refunded(_) => Some(Payment {
                is_refunded: true,
                ..payment
            }),
            ShopAction::ChargedBack(_) => payment.disputed(true, event.at),
            ShopAction::ChargebackReversed(_) => payment.disputed(false, event.at),
        };
        let Some(after) = after else {
            let words = "A newer event about the same chargeback was there before.";
            return Ok(Outcome::new(EventState::Ignored, words));
        };
        shop_events::set_payment(db, shop.id, &order_ref, after)?;
        let source = shop.source();
        match (payment.is_revoked(), after.is_revoked()) {
            (_, true) => {
                self.act_on_order_in(db, actor, &source, &order_ref, OrderAction::Revoke)?;
                done(format!("Order {order_ref} revoked."))
            }
            (true, false) => {
                self.act_on_order_in(db, actor, &source, &order_ref, OrderAction::Restore)?;
                done(format!("Order {order_ref} restored."))
            }
            (false, false) => done(format!("Order {order_ref} stays valid.")),
        }
    }

    fn sell(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        actor: &Actor,
        sale: &Sale,
    ) -> Result<Outcome, Error> {
        // Another event about the same payment; what its products are here may have changed meanwhile.
        if orders::find(db, &shop.source(), &sale.order_ref)?.is_some() {
            let words = format!("Order {} was placed before.", sale.order_ref);
            self.name_order(db, shop, actor, &sale.order_ref, &sale.references)?;
            return Ok(Outcome::new(EventState::Done, words));
        }
        let (items, unknown) = sale.items(&shops::products(db, shop.id)?);
        let unknown: Vec<String> = unknown
            .into_iter()
            .map(|names| match &*names {
                "" => "it names no price and no product".to_owned(),
                _ => format!("no product {names} is listed here"),
            })
            .collect();
        if items.is_empty() {
            let words = format!("No code was created: {}.", unknown.join("; "));
            return Ok(Outcome::new(EventState::Failed, words));
        }
        let is_test = sale.is_test || shop.is_test;
        let customer = buyer(db, shop, sale)?;
        let order = NewOrder::parse(&sale.order_ref, customer, items, is_test)?;
        let placed = self.place_order_in(db, actor, &shop.source(), &order)?;
        // Who bought may be known only then.
        self.name_order(db, shop, actor, &order.order_ref, &sale.references)?;
        self.queue_first(db, placed.order.id)?;
        let mut words = placed.in_words();
        if !unknown.is_empty() {
            words += &format!(" Left out: {}.", unknown.join("; "));
        }
        let outcome = Outcome::new(EventState::Done, words);
        shop_events::settle(db, shop.id, &order.order_ref, &outcome)?;
        Ok(outcome)
    }

    /// A renewal is an order of its own, so that it can be taken back alone. Its term and its days of updates are
    /// those that were sold: a shop's prices may change, and the order stays what it was.
    fn renew_order(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        actor: &Actor,
        order_ref: &str,
        renewal: &str,
        references: &[String],
    ) -> Result<Outcome, Error> {
        let source = shop.source();
        let done = |words: String| Ok(Outcome::new(EventState::Done, words));
        let order = orders::find(db, &source, order_ref)?.ok_or(NO_SUCH_ORDER)?;
        if order.is_test {
            return done(format!("Order {order_ref} is a test; it is not extended."));
        }
        if orders::find(db, &source, renewal)?.is_none() {
            let mut terms = BTreeMap::new();
            for (at, code) in codes_of(db, &order)? {
                let item = usize::try_from(at).ok().and_then(|at| order.items.get(at));
                let (days, updates_days) =
                    item.map_or((None, None), |item| (item.days, item.updates_days));
                if days.or(updates_days).is_some() {
                    let longest: &mut (Option<i64>, Option<i64>) =
                        terms.entry(code.tool_name).or_default();
                    *longest = (longest.0.max(days), longest.1.max(updates_days));
                }
            }
            if terms.is_empty() {
                return done(format!(
                    "Order {order_ref} has no days of term or updates to extend."
                ));
            }
            let items = terms
                .into_iter()
                .map(|(tool_name, (days, updates_days))| SentItem {
                    tool_name: Some(tool_name),
                    days,
                    updates_days,
                    renews: Some(order_ref.to_owned()),
                    ..SentItem::default()
                });
            let customer = buyer_of(db, order.customer)?;
            let new = NewOrder::parse(renewal, customer, items.collect(), false)?;
            let placed = self.place_order_in(db, actor, &source, &new)?;
            if order.is_erased {
                orders::set_erased(db, placed.order.id)?;
            }
        }
        self.name_order(db, shop, actor, renewal, references)?;
        done(format!("Order {order_ref} renewed by {renewal}."))
    }

    /// A customer who was called by the shop's number until now; what is known otherwise stays.
    fn name_customer(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        actor: &Actor,
        order_ref: &str,
        number: &str,
        named: &NamedCustomer,
    ) -> Result<Outcome, Error> {
        let order = orders::find(db, &shop.source(), order_ref)?.ok_or(NO_SUCH_ORDER)?;
        let gone = match order.customer == number {
            true => customers::named(db, number)?,
            false => None,
        };
        let done = |words: &str| Ok(Outcome::new(EventState::Done, words));
        let Some(gone) = gone else {
            return done("The customer was known before.");
        };
        let name = ensure_buyer(db, named, self.clock.now())?;
        let kept = customers::named(db, &name)?.ok_or(NO_SUCH_CUSTOMER)?;
        if kept.id != gone.id {
            let unsent = orders::of_customer(db, &gone.name, i64::MAX)?;
            self.merge_customers_in(db, actor, &kept, &gone)?;
            for order in unsent {
                self.queue_first(db, order.id)?;
            }
        }
        done("The customer is known now.")
    }

    /// Events that came before their order have their effect now.
    fn name_order(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        actor: &Actor,
        order_ref: &str,
        references: &[String],
    ) -> Result<(), Error> {
        for reference in references {
            if !shop_events::add_reference(db, shop.id, reference, order_ref)? {
                continue;
            }
            for stored in shop_events::waiting(db, shop.id, reference)? {
                // Its person was erased.
                if stored.body.is_empty() {
                    continue;
                }
                let event = shop.kind.read(stored.body.as_bytes())?;
                let outcome = self.apply(db, shop, actor, &event)?;
                shop_events::set_outcome(db, stored.id, &outcome, &stored.reference)?;
                if is_order_erased(db, shop, order_ref)? {
                    shop_events::clear(db, stored.id)?;
                }
            }
        }
        Ok(())
    }
}

/// What is kept of an event about an order whose customer was erased; none if it is about another one.
fn kept_body(db: &Db, shop: &Shop, event: &ShopEvent, body: &str) -> Read<Option<String>> {
    let is_of_erased = |reference: &str| {
        let order_ref = shop_events::order_of(db, shop.id, reference)?;
        is_order_erased(db, shop, order_ref.as_deref().unwrap_or(reference))
    };
    if is_of_erased(event.action.of().unwrap_or_default())? {
        return Ok(Some(String::new()));
    }
    // A new purchase, and who that is.
    if matches!(
        event.action,
        ShopAction::Paid(_) | ShopAction::Customer { .. }
    ) {
        return Ok(None);
    }
    let mut found = Ok(false);
    any_text(body, &mut |text| {
        found = is_of_erased(text);
        !matches!(found, Ok(false))
    });
    Ok(match (found?, &event.action) {
        (false, _) => None,
        (true, ShopAction::Ignored(_)) => Some(String::new()),
        // It may have to wait.
        (true, _) => Some(shop.kind.essence(body).unwrap_or_default()),
    })
}

fn is_order_erased(db: &Db, shop: &Shop, order_ref: &str) -> Read<bool> {
    let order = orders::find(db, &shop.source(), order_ref)?;
    Ok(order.is_some_and(|order| order.is_erased))
}

/// Who bought; a customer whom the shop calls by a number is known from an earlier order.
fn buyer(db: &Db, shop: &Shop, sale: &Sale) -> Read<NamedCustomer> {
    if !sale.customer_ref.is_empty()
        && let Some(earlier) = shop_events::order_of(db, shop.id, &sale.customer_ref)?
        && let Some(order) = orders::find(db, &shop.source(), &earlier)?
        && !order.customer.is_empty()
    {
        let known = buyer_of(db, order.customer)?;
        return Ok(match known.email.is_empty() {
            true => NamedCustomer {
                email: sale.customer.email.clone(),
                ..known
            },
            false => known,
        });
    }
    Ok(sale.customer.clone())
}

/// Whoever placed an earlier order.
fn buyer_of(db: &Db, name: String) -> Read<NamedCustomer> {
    let known = customers::named(db, &name)?;
    Ok(NamedCustomer {
        email: known.map(|known| known.email).unwrap_or_default(),
        name,
    })
}

pub(super) fn actor(shop: &Shop, address: &str) -> Actor {
    Actor::new(format!("shop {}", shop.name), address)
}

/// Whether the same call again would fail again; anything else is for the shop to repeat.
pub(super) fn is_lasting(error: &Error) -> bool {
    !matches!(error, Error::Unavailable(_) | Error::Internal(_))
}
