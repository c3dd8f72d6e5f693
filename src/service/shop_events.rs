//! What shops tell us: each event has its effect once, however often, late or early it comes.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::shops::{NO_SUCH_SHOP, existing};
use super::{Service, secrets};
use crate::error::Error;
use crate::model::audit::Actor;
use crate::model::order::{Extension, NewOrder, OrderAction};
use crate::model::shops::{
    Call, EventState, MAX_CODES_A_DAY, Outcome, Payment, Sale, Shop, ShopAction, ShopEvent,
    ShopKind, StoredEvent, form_fields, json_fields,
};
use crate::store::{WriteTx, orders, shop_events, shops};

/// A wrong signature is recorded at most once in this time.
const REFUSAL_EVERY: Duration = Duration::MINUTE;

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
        let body = String::from_utf8_lossy(&sent.body).into_owned();
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
                body,
                outcome: Outcome::new(EventState::Failed, "Not looked at yet."),
                reference: String::new(),
            };
            stored.id = shop_events::add(db, id, &stored)?;
            Ok(stored)
        })?;
        match stored.outcome.state {
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
        let stored = stored.ok_or(Error::NotFound("This call is no longer there."))?;
        match shop.kind {
            ShopKind::Generator => {
                let sent = Delivery {
                    body: stored.body.into_bytes(),
                    header: stored.headers,
                    address: actor.address.clone(),
                };
                drop(self.generated(&shop, &sent));
            }
            ShopKind::Stripe | ShopKind::Paddle => {
                let event = shop.kind.read(stored.body.as_bytes())?;
                self.run_stored(&shop, &stored, &event, &actor.address)?;
            }
        }
        let latest = self.store.read(|db| match shop.kind {
            ShopKind::Generator => Ok(shop_events::latest(db, id, 1)?.pop()),
            ShopKind::Stripe | ShopKind::Paddle => shop_events::get(db, id, event_id),
        })?;
        let latest = latest.ok_or(Error::NotFound("This call is no longer there."))?;
        Ok(latest.outcome)
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
        let ran = self.store.write(|db| {
            // Another delivery of the same event may have been quicker.
            let latest = shop_events::get(db, shop.id, stored.id)?;
            let is_same = latest.is_some_and(|latest| latest.outcome == stored.outcome);
            if !is_same {
                return Ok(());
            }
            let outcome = self.apply(db, shop, &actor, event)?;
            let reference = event.action.of().unwrap_or_default();
            shop_events::set_outcome(db, stored.id, &outcome, reference)?;
            Ok(())
        });
        match ran {
            Err(error) if is_lasting(&error) => self.store.write(|db| {
                let outcome = Outcome::new(EventState::Failed, error.to_string());
                Ok(shop_events::set_outcome(db, stored.id, &outcome, "")?)
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
                also, event_ref, ..
            } => {
                let words = self.renew_order(db, shop, actor, &order_ref, event_ref)?;
                self.name_order(db, shop, actor, &order_ref, also)?;
                return done(words);
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
        let order = NewOrder::parse(&sale.order_ref, sale.customer(), items, is_test)?;
        let placed = self.place_order_in(db, actor, &shop.source(), &order)?;
        self.queue_order(db, &placed)?;
        self.name_order(db, shop, actor, &order.order_ref, &sale.references)?;
        let mut words = format!(
            "{} {} placed, {} created.",
            if is_test { "Test order" } else { "Order" },
            order.order_ref,
            match placed.codes.len() {
                1 => "1 code".to_owned(),
                number => format!("{number} codes"),
            }
        );
        if !unknown.is_empty() {
            words += &format!(" Left out: {}.", unknown.join("; "));
        }
        Ok(Outcome::new(EventState::Done, words))
    }

    /// By the term that was sold; a shop's prices may change, and the order stays what it was.
    fn renew_order(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        actor: &Actor,
        order_ref: &str,
        event_ref: &str,
    ) -> Result<String, Error> {
        let source = shop.source();
        let order = orders::find(db, &source, order_ref)?;
        let items = order.map(|order| order.items).unwrap_or_default();
        let days = items.iter().filter_map(|item| item.days).max();
        let Some(days) = days else {
            return Ok(format!("Order {order_ref} has no term in days to extend."));
        };
        let extension = Extension::Days(days);
        self.extend_order_in(db, actor, &source, order_ref, extension, event_ref)?;
        Ok(format!("Order {order_ref} extended by {days} days."))
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
            }
        }
        Ok(())
    }

    /// The codes that a shop asks for by its secret address, one for each line; the same for the same order number,
    /// product and line.
    pub fn generate(&self, secret: &str, sent: &Delivery) -> Result<Vec<String>, Error> {
        let hash = secrets::fingerprint(secret);
        let shop = self.store.read(|db| shops::of_secret(db, &hash))?;
        let shop = shop.filter(|shop| shop.is_enabled).ok_or(NO_SUCH_SHOP)?;
        self.generated(&shop, sent)
    }

    fn generated(&self, shop: &Shop, sent: &Delivery) -> Result<Vec<String>, Error> {
        let answer = call(shop, sent).and_then(|call| {
            self.store.write(|db| {
                let (codes, words) = self.codes_of_call(db, shop, &call, &sent.address)?;
                record(db, shop, sent, self.clock.now(), &Ok(words))?;
                Ok(codes)
            })
        });
        if let Err(error) = &answer
            && is_lasting(error)
        {
            let failed = Err(error.to_string());
            self.store
                .write(|db| record(db, shop, sent, self.clock.now(), &failed))?;
        }
        answer
    }

    fn codes_of_call(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        call: &Call,
        address: &str,
    ) -> Result<(Vec<String>, String), Error> {
        let shop = existing(db, shop.id)?;
        let (source, order_ref) = (shop.source(), call.order_ref());
        if let Some(order) = orders::find(db, &source, &order_ref)? {
            let codes = self.codes_in(db, &order)?;
            return Ok((codes, format!("Order {order_ref} again: the same codes.")));
        }
        let products = shops::products(db, shop.id)?;
        let product = products.iter().find(|known| known.product == call.product);
        let product = product.ok_or_else(|| {
            let message = format!("No product {} is listed here.", call.product);
            Error::invalid("product", message)
        })?;
        let sale = Sale {
            order_ref,
            references: vec![],
            name: call.name.clone(),
            email: call.email.clone(),
            lines: vec![],
            is_test: call.is_test || shop.is_test,
        };
        let items = vec![product.sent(call.quantity)];
        let order = NewOrder::parse(&sale.order_ref, sale.customer(), items, sale.is_test)?;
        let since = self.clock.now() - Duration::DAY;
        let made = orders::codes_since(db, &source, since)?;
        if made + call.quantity > MAX_CODES_A_DAY {
            return Err(Error::TooManyRequests(3_600));
        }
        let actor = actor(&shop, address);
        let placed = self.place_order_in(db, &actor, &source, &order)?;
        let codes: Vec<String> = placed.codes.iter().map(|(_, code)| code.shown()).collect();
        let words = format!("Order {} placed, {} created.", order.order_ref, codes.len());
        Ok((codes, words))
    }
}

fn call(shop: &Shop, sent: &Delivery) -> Result<Call, Error> {
    let is_json = sent.header.to_ascii_lowercase().contains("json");
    let fields = match is_json {
        true => json_fields(&sent.body),
        false => form_fields(&sent.body),
    };
    let fields: BTreeMap<String, String> = fields.ok_or_else(|| Error::Malformed {
        message: format!(
            "The body is not {}.",
            if is_json {
                "a JSON object"
            } else {
                "a form in UTF-8"
            }
        ),
        field: None,
    })?;
    Call::read(&shop.fields, &fields)
}

fn record(
    db: &WriteTx<'_>,
    shop: &Shop,
    sent: &Delivery,
    now: OffsetDateTime,
    outcome: &Result<String, String>,
) -> Result<(), Error> {
    let outcome = match outcome {
        Ok(words) => Outcome::new(EventState::Done, words),
        Err(words) => Outcome::new(EventState::Failed, words),
    };
    let event = StoredEvent {
        id: 0,
        received_at: now,
        happened_at: now,
        event_ref: String::new(),
        kind: "call".to_owned(),
        headers: sent.header.clone(),
        body: String::from_utf8_lossy(&sent.body).into_owned(),
        outcome,
        reference: String::new(),
    };
    shop_events::add(db, shop.id, &event)?;
    Ok(())
}

fn actor(shop: &Shop, address: &str) -> Actor {
    Actor {
        who: format!("shop {}", shop.name),
        address: address.to_owned(),
    }
}

/// Whether the same call again would fail again; anything else is for the shop to repeat.
fn is_lasting(error: &Error) -> bool {
    !matches!(error, Error::Unavailable(_) | Error::Internal(_))
}
