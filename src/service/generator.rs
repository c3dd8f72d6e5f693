//! Shops that ask for codes and mail them: the same call has the same codes.

use std::collections::BTreeMap;

use time::Duration;

use super::shop_events::{Delivery, actor, is_lasting};
use super::shops::{NO_SUCH_SHOP, existing};
use super::{Service, secrets};
use crate::error::Error;
use crate::model::order::NewOrder;
use crate::model::shops::{
    Call, EventState, MAX_CODES_A_DAY, Outcome, Shop, StoredEvent, form_fields, json_fields,
};
use crate::store::{WriteTx, orders, shop_events, shops};

impl Service {
    /// The codes that a shop asks for by its secret address, one for each line; the same for the same order number,
    /// product and line.
    pub fn generate(&self, secret: &str, sent: &Delivery) -> Result<Vec<String>, Error> {
        let hash = secrets::fingerprint(secret);
        let shop = self.store.read(|db| shops::of_secret(db, &hash))?;
        let shop = shop.filter(|shop| shop.is_enabled).ok_or(NO_SUCH_SHOP)?;
        self.generated(&shop, sent)
    }

    pub(super) fn generated(&self, shop: &Shop, sent: &Delivery) -> Result<Vec<String>, Error> {
        let call = call(shop, sent);
        let order_ref = call.as_ref().map(Call::order_ref).unwrap_or_default();
        let answer = call.and_then(|call| {
            self.store.write(|db| {
                let (codes, words) = self.codes_of_call(db, shop, &call, &sent.address)?;
                let outcome = Outcome::new(EventState::Done, words);
                shop_events::settle(db, shop.id, &order_ref, &outcome)?;
                self.record(db, shop, sent, outcome, &order_ref)?;
                Ok(codes)
            })
        });
        if let Err(error) = &answer
            && is_lasting(error)
        {
            let outcome = Outcome::new(EventState::Failed, error.to_string());
            self.store
                .write(|db| self.record(db, shop, sent, outcome, &order_ref))?;
        }
        answer
    }

    /// A call that is about an erased customer is kept without what it says.
    fn record(
        &self,
        db: &WriteTx<'_>,
        shop: &Shop,
        sent: &Delivery,
        outcome: Outcome,
        order_ref: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let order = orders::find(db, &shop.source(), order_ref)?;
        let (headers, body) = match order.is_some_and(|order| order.is_erased) {
            true => Default::default(),
            false => (
                sent.header.clone(),
                String::from_utf8_lossy(&sent.body).into_owned(),
            ),
        };
        let event = StoredEvent {
            id: 0,
            received_at: now,
            happened_at: now,
            event_ref: String::new(),
            kind: "call".to_owned(),
            headers,
            body,
            outcome,
            reference: order_ref.to_owned(),
        };
        shop_events::add(db, shop.id, &event)?;
        Ok(())
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
        let items = vec![product.sent(call.quantity)];
        let is_test = call.is_test || shop.is_test;
        let order = NewOrder::parse(&order_ref, call.customer.clone(), items, is_test)?;
        let since = self.clock.now() - Duration::DAY;
        let made = orders::codes_since(db, &source, since)?;
        if made + call.quantity > MAX_CODES_A_DAY {
            return Err(Error::TooManyRequests(3_600));
        }
        let actor = actor(&shop, address);
        let placed = self.place_order_in(db, &actor, &source, &order)?;
        let codes = placed.codes.iter().map(|(_, code)| code.shown());
        Ok((codes.collect(), placed.in_words()))
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
