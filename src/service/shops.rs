//! Shops: creating and changing them, and what they sell.

use std::collections::BTreeMap;

use time::Duration;

use super::{Service, secrets};
use crate::error::Error;
use crate::model::activation_code::ActivationCode;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::doubt::{self, Doubt};
use crate::model::order::NewOrder;
use crate::model::shops::{
    FailedCalls, Fields, Product, ProductDraft, Shop, ShopKind, StoredEvent, shop_name,
    signing_secret,
};
use crate::store::{Db, WriteTx, audit, orders, shop_events, shops};

pub(super) const NO_SUCH_SHOP: Error = Error::NotFound("Shop not found.");

/// Calls on a shop's page.
const CALLS: i64 = 10;

/// How long a failed call is pointed out.
const POINTED_OUT: Duration = Duration::days(7);

pub struct ShopUse {
    pub shop: Shop,
    pub products: Vec<Product>,
    /// The latest first.
    pub calls: Vec<StoredEvent>,
    /// The orders that they are about, by the call's ID.
    pub orders: BTreeMap<i64, i64>,
}

/// What the admin decides about a shop.
pub struct ShopDraft {
    pub name: String,
    /// Of a shop with events; empty to leave it as it is.
    pub secret: String,
    pub is_test: bool,
    /// Of a generator.
    pub fields: Fields,
}

impl Service {
    /// Newest first.
    pub fn shops(&self) -> Result<Vec<Shop>, Error> {
        self.store.read(shops::all)
    }

    /// Calls of the last days, which somebody should look at.
    pub fn failed_calls(&self) -> Result<Vec<FailedCalls>, Error> {
        let since = self.clock.now() - POINTED_OUT;
        self.store.read(|db| shop_events::failed_since(db, since))
    }

    pub fn shop(&self, id: i64) -> Result<ShopUse, Error> {
        self.store
            .read_tx(|db| {
                let shop = shops::get(db, id)?;
                let found = shop.map(|shop| {
                    let calls = shop_events::latest(db, id, CALLS)?;
                    let mut about = BTreeMap::new();
                    for call in &calls {
                        let order_ref = shop_events::order_of(db, id, &call.reference)?;
                        let order_ref = order_ref.as_ref().unwrap_or(&call.reference);
                        if let Some(order) = orders::find(db, &shop.source(), order_ref)? {
                            about.insert(call.id, order.id);
                        }
                    }
                    Ok(ShopUse {
                        products: shops::products(db, id)?,
                        calls,
                        orders: about,
                        shop,
                    })
                });
                found.transpose()
            })?
            .ok_or(NO_SUCH_SHOP)
    }

    /// Its ID and, of a generator, the secret in its address, which is never shown again.
    pub fn create_shop(
        &self,
        actor: &Actor,
        kind: ShopKind,
        name: &str,
    ) -> Result<(i64, Option<String>), Error> {
        let name = shop_name(name)?;
        let now = self.clock.now();
        let secret = match kind.has_events() {
            true => None,
            false => Some(secrets::token()?),
        };
        let stored = secret.as_deref().map(secrets::fingerprint);
        let id = self.store.write(|db| {
            let id = shops::add(db, kind, &name, stored.as_deref().unwrap_or_default(), now)?;
            let event = Event::new(Kind::ShopCreated, actor)
                .with("shop", name.as_str())
                .with("kind", kind.as_str());
            audit::append(db, event, now)?;
            Ok(id)
        })?;
        Ok((id, secret))
    }

    pub fn set_shop(&self, actor: &Actor, id: i64, draft: ShopDraft) -> Result<(), Error> {
        let name = shop_name(&draft.name)?;
        self.change_shop(actor, id, |shop, event| {
            shop.name.clone_from(&name);
            shop.is_test = draft.is_test;
            if !shop.kind.has_events() {
                shop.fields = draft.fields.parse()?;
            }
            let is_new = shop.kind.has_events() && !draft.secret.trim().is_empty();
            if is_new {
                let secret = signing_secret(shop.kind, &draft.secret)?;
                shop.secret = self.encryption.encrypt(&encrypted_as(id), &secret)?;
            }
            Ok(event
                .with("test", if shop.is_test { "yes" } else { "no" })
                .with("secret", if is_new { "replaced" } else { "kept" }))
        })
    }

    pub fn enable_shop(&self, actor: &Actor, id: i64, is_enabled: bool) -> Result<(), Error> {
        self.change_shop(actor, id, |shop, event| {
            shop.is_enabled = is_enabled;
            Ok(event.with("status", if is_enabled { "enabled" } else { "disabled" }))
        })
    }

    pub fn orders_of_shop(&self, id: i64) -> Result<i64, Error> {
        self.store.read(|db| {
            let shop = shops::get(db, id)?;
            shop.map_or(Ok(0), |shop| orders::count(db, &shop.source()))
        })
    }

    /// Its orders and codes stay as they are; nothing that the shop reports reaches them any longer.
    pub fn delete_shop(&self, actor: &Actor, id: i64) -> Result<Shop, Error> {
        self.store.write(|db| {
            let shop = existing(db, id)?;
            shops::delete(db, id)?;
            let event = Event::new(Kind::ShopDeleted, actor)
                .with("shop", shop.name.as_str())
                .with("kind", shop.kind.as_str());
            audit::append(db, event, self.clock.now())?;
            Ok(shop)
        })
    }

    /// The new secret in a generator's address; the old address no longer works.
    pub fn renew_secret(&self, actor: &Actor, id: i64) -> Result<String, Error> {
        let secret = secrets::token()?;
        self.change_shop(actor, id, |shop, event| {
            if shop.kind.has_events() {
                return Err(Error::NotFound("This shop has no secret address."));
            }
            shop.secret = secrets::fingerprint(&secret);
            Ok(event.with("secret", "replaced"))
        })?;
        Ok(secret)
    }

    /// Its events are refused until somebody enters one.
    pub(super) fn forget_secret(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        self.change_shop(actor, id, |shop, event| {
            shop.secret.clear();
            Ok(event.with("secret", "forgotten"))
        })
    }

    fn change_shop(
        &self,
        actor: &Actor,
        id: i64,
        change: impl FnOnce(&mut Shop, Event) -> Result<Event, Error>,
    ) -> Result<(), Error> {
        self.store.write(|db| {
            let mut shop = existing(db, id)?;
            let event = Event::new(Kind::ShopChanged, actor).with("shop", shop.name.as_str());
            let event = change(&mut shop, event)?;
            shops::set(db, &shop)?;
            audit::append(db, event, self.clock.now())?;
            Ok(())
        })
    }

    /// What to ask before the shop sells this product.
    pub fn product_doubts(&self, draft: &ProductDraft) -> Result<Vec<Doubt>, Error> {
        let (_, item) = draft.parse()?;
        let tools = self.tool_names()?;
        Ok(doubt::codes(
            &item.tool_name,
            item.term(),
            &tools,
            self.today(),
        ))
    }

    /// Adds a product, or replaces what it is.
    pub fn set_product(&self, actor: &Actor, id: i64, draft: &ProductDraft) -> Result<(), Error> {
        let (product, item) = draft.parse()?;
        self.store.write(|db| {
            let shop = existing(db, id)?;
            let now = self.clock.now();
            shops::set_product(db, id, &product, &item, now)?;
            let mut event = Event::new(Kind::ShopChanged, actor)
                .with("shop", shop.name)
                .with("product", product.as_str())
                .with("tool_name", item.tool_name.as_str())
                .with("seats", item.seats);
            if let Some(edition) = &item.edition {
                event = event.with("edition", edition.as_str());
            }
            if !item.features.is_empty() {
                event = event.with("features", item.features.join(", "));
            }
            if let Some(days) = item.updates_days {
                event = event.with("updates_days", days);
            }
            audit::append(db, event, now)?;
            Ok(())
        })
    }

    pub fn delete_product(&self, actor: &Actor, id: i64, product_id: i64) -> Result<(), Error> {
        self.store.write(|db| {
            let shop = existing(db, id)?;
            let product = product(db, id, product_id)?;
            shops::delete_product(db, product.id)?;
            let event = Event::new(Kind::ShopChanged, actor)
                .with("shop", shop.name)
                .with("product_deleted", product.product);
            audit::append(db, event, self.clock.now())?;
            Ok(())
        })
    }

    /// A code as the shop would get it for that product, for a test order.
    pub fn try_product(
        &self,
        actor: &Actor,
        id: i64,
        product_id: i64,
    ) -> Result<Vec<ActivationCode>, Error> {
        let mark: String = secrets::token()?.chars().take(8).collect();
        self.store.write(|db| {
            let shop = existing(db, id)?;
            let sold = product(db, id, product_id)?.sent(1);
            let order =
                NewOrder::parse(&format!("try-{mark}"), Default::default(), vec![sold], true)?;
            let placed = self.place_order_in(db, actor, &shop.source(), &order)?;
            Ok(placed.codes.into_iter().map(|(_, code)| code).collect())
        })
    }
}

/// What the signing secret of a shop is encrypted as.
pub(super) fn encrypted_as(id: i64) -> String {
    format!("The signing secret of shop {id}")
}

pub(super) fn existing(db: &Db, id: i64) -> Result<Shop, Error> {
    shops::get(db, id)?.ok_or(NO_SUCH_SHOP)
}

fn product(db: &WriteTx<'_>, id: i64, product_id: i64) -> Result<Product, Error> {
    let mut all = shops::products(db, id)?.into_iter();
    all.find(|product| product.id == product_id)
        .ok_or(Error::NotFound("Product not found."))
}
