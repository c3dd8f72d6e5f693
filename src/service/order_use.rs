//! The page of one order, what is done there, and finding orders by what a customer quotes.

use std::collections::{BTreeMap, BTreeSet};

use super::codes::NO_SUCH_CODE;
use super::customers::{LISTED, seller, with_sellers};
use super::orders::NO_SUCH_ORDER;
use super::{Service, secrets};
use crate::error::Error;
use crate::model::activation_code::ListedCode;
use crate::model::audit::Actor;
use crate::model::customer::Customer;
use crate::model::license::Status;
use crate::model::order::{Changes, Extension, Order, OrderAction};
use crate::model::shops::{Payment, Shop, StoredEvent};
use crate::store::{
    Read, activation_codes, code_changes, code_renewals, customers, orders, shop_events, shops,
};

/// An order and everything that its page shows.
pub struct OrderUse {
    pub order: Order,
    /// The name of the shop, token or user that placed it.
    pub seller: String,
    /// It suspended one of its codes.
    pub is_suspended: bool,
    /// None for a token or a user, and once the shop was deleted.
    pub shop: Option<Shop>,
    pub customer: Option<Customer>,
    /// Each with its item.
    pub codes: Vec<(i64, ListedCode)>,
    /// The orders that its items renew or add seats to, by reference.
    pub others: BTreeMap<String, i64>,
    /// What else its shop calls it.
    pub references: Vec<String>,
    pub payment: Payment,
    /// Of its shop, the latest first; at most 50.
    pub events: Vec<StoredEvent>,
    /// A form with it extends once, however often it is sent.
    pub event_ref: String,
}

impl OrderUse {
    /// Of all its codes.
    pub fn seats_used(&self) -> i64 {
        let codes = self.codes.iter();
        codes.map(|(_, listed)| listed.seats_used).sum()
    }
}

impl Service {
    pub fn order_use(&self, id: i64) -> Result<OrderUse, Error> {
        let mark: String = secrets::token()?.chars().take(16).collect();
        let found = self.store.read_tx(|db| {
            let Some(order) = orders::get(db, id)? else {
                return Ok(None);
            };
            let codes = orders::codes(db, id)?.into_iter().map(|(item, code_id)| {
                let listed = activation_codes::listed(db, code_id)?;
                Ok(listed.map(|listed| (item, listed)))
            });
            let codes = codes.filter_map(Read::transpose).collect::<Read<_>>()?;
            let mut others = BTreeMap::new();
            for reference in order.items.iter().filter_map(|item| item.other()) {
                if let Some(other) = orders::find(db, &order.source, reference)? {
                    others.insert(reference.to_owned(), other.id);
                }
            }
            let shop = order.shop_id().map(|id| shops::get(db, id)).transpose()?;
            let shop = shop.flatten();
            let order_ref = &order.order_ref;
            let (references, payment, events) = match &shop {
                Some(Shop { id, .. }) => (
                    shop_events::references_of(db, *id, order_ref)?,
                    shop_events::payment(db, *id, order_ref)?,
                    shop_events::of_order(db, *id, order_ref, LISTED as i64)?,
                ),
                None => Default::default(),
            };
            Ok(Some(OrderUse {
                seller: seller(db, &order.source)?,
                is_suspended: orders::is_suspended(db, id)?,
                customer: customers::named(db, &order.customer)?,
                codes,
                others,
                references,
                payment,
                events,
                shop,
                event_ref: format!("page {mark}"),
                order,
            }))
        })?;
        found.ok_or(NO_SUCH_ORDER)
    }

    /// Returns the changes of its codes; none if it has no code that differs.
    pub fn act_on_order_with_id(
        &self,
        actor: &Actor,
        id: i64,
        action: OrderAction,
    ) -> Result<Option<Changes>, Error> {
        self.store.write(|db| {
            let Order {
                source, order_ref, ..
            } = orders::get(db, id)?.ok_or(NO_SUCH_ORDER)?;
            let changes = self.act_on_order_in(db, actor, &source, &order_ref, action)?;
            Ok(Changes::of(&changes))
        })
    }

    /// [`Service::extend_order`] with the changes of its codes.
    pub fn extend_order_with_id(
        &self,
        actor: &Actor,
        id: i64,
        extension: Extension,
        event_ref: &str,
    ) -> Result<Option<Changes>, Error> {
        self.store.write(|db| {
            let Order {
                source, order_ref, ..
            } = orders::get(db, id)?.ok_or(NO_SUCH_ORDER)?;
            let changes =
                self.extend_order_in(db, actor, &source, &order_ref, extension, event_ref)?;
            Ok(Changes::of(&changes))
        })
    }

    /// Takes changes of an order's codes back, unless one of them was changed since.
    pub fn undo_order_changes(
        &self,
        actor: &Actor,
        id: i64,
        changes: Changes,
    ) -> Result<(), Error> {
        self.store.write(|db| {
            let codes = orders::codes(db, id)?.into_iter();
            let own: BTreeSet<i64> = codes.map(|(_, code_id)| code_id).collect();
            for change in changes.ids() {
                let undone = code_changes::get(db, change)?.ok_or(NO_SUCH_CODE)?;
                let code_id = undone.code_id;
                if !own.contains(&code_id) {
                    return Err(NO_SUCH_CODE);
                }
                self.undo_code_change_in(db, actor, change)?;
                if undone.before.status != undone.after.status {
                    let mut held = orders::held(db, id, code_id)?;
                    held.is_suspended = undone.before.status == Status::Suspended;
                    orders::set_held(db, id, code_id, held)?;
                }
                if undone.before.term != undone.after.term {
                    code_renewals::delete_extension(db, id, code_id)?;
                }
            }
            Ok(())
        })
    }

    /// The orders that are called that by us, by their shop or by its customer, newest first, with who placed them;
    /// the newest of all for an empty text. At most 50.
    pub fn orders_called(&self, reference: &str) -> Result<Vec<(Order, String)>, Error> {
        let limit = LISTED as i64;
        self.store.read_tx(|db| {
            let found = match reference.trim() {
                "" => orders::latest(db, limit)?,
                reference => orders::called(db, reference, limit)?,
            };
            with_sellers(db, found)
        })
    }
}
