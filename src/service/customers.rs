//! Everything that belongs to one customer.

use time::OffsetDateTime;

use super::Service;
use super::bulk::record_part;
use crate::error::Error;
use crate::model::activation_code::{CodeValues, ListedCode};
use crate::model::audit::{Actor, Event, Kind};
use crate::model::bulk::UNDO_FOR;
use crate::model::check::ListedLicense;
use crate::model::customer::{Customer, CustomerDraft, NamedCustomer};
use crate::model::fold::folded;
use crate::model::license::License;
use crate::model::order::Order as Purchase;
use crate::model::search::{Count, Filter, Order, Page};
use crate::model::text::grouped;
use crate::store::{
    Db, Read, WriteTx, activation_codes, audit, customer_links, customers, licenses, orders,
    people, search, shops, tokens, users,
};

/// Licenses read for the page.
const LICENSES: usize = 100;
/// Codes, and orders.
pub const LISTED: usize = 50;
/// Customers that a search looks at.
const MOST: usize = 100_000;
const SUGGESTED: usize = 200;
/// Licenses of a customer, and codes, that are written in one transaction, which must not hold others up for long.
const MAX_LICENSES: usize = 20_000;

pub(super) const NO_SUCH_CUSTOMER: Error = Error::NotFound("Customer not found.");

const TOO_LATE: Error = Error::NotFound("This change can no longer be undone.");

/// A customer with the numbers of licenses and activation codes.
pub struct CustomerLine {
    pub customer: Customer,
    pub licenses: i64,
    pub codes: i64,
}

pub struct CustomerUse {
    pub customer: Customer,
    /// The first to expire come first; at most 100.
    pub licenses: Vec<ListedLicense>,
    pub count: Count,
    /// Newest first; at most 50, and orders likewise.
    pub codes: Vec<ListedCode>,
    pub code_count: i64,
    /// Each with who placed it.
    pub orders: Vec<(Purchase, String)>,
}

/// The name of the customer whom a shop names: the one with that address, otherwise a new one with it. A name is no
/// proof: whoever buys with the name of another customer, and an address that we do not know, is somebody else.
pub(super) fn ensure_named(
    db: &WriteTx<'_>,
    named: &NamedCustomer,
    now: OffsetDateTime,
) -> Result<String, Error> {
    let NamedCustomer { name, email } = named;
    if let Some(known) = customers::of_email(db, email)? {
        return Ok(known.name);
    }
    if email.is_empty() {
        customers::ensure(db, name, now)?;
        return Ok(name.clone());
    }
    let first = if name.is_empty() { email } else { name };
    let name = match customers::named(db, first)? {
        None => first.clone(),
        Some(_) => named.with_email(),
    };
    customers::add(db, &name, email, now)?;
    Ok(name)
}

/// [`ensure_named`] for a shop: a buyer without an address is never taken for a customer who has one.
pub(super) fn ensure_buyer(
    db: &WriteTx<'_>,
    named: &NamedCustomer,
    now: OffsetDateTime,
) -> Result<String, Error> {
    if !named.email.is_empty() || named.name.is_empty() {
        return ensure_named(db, named, now);
    }
    let mut name = named.name.clone();
    let mut number = 1;
    while customers::named(db, &name)?.is_some_and(|other| !other.email.is_empty()) {
        number += 1;
        name = named.numbered(number);
    }
    customers::ensure(db, &name, now)?;
    Ok(name)
}

/// [`ensure_named`] in the words of the admin, who knows that a customer without an address has this one.
pub(super) fn ensure_known(
    db: &WriteTx<'_>,
    named: &NamedCustomer,
    now: OffsetDateTime,
) -> Result<String, Error> {
    let NamedCustomer { name, email } = named;
    if let Some(known) = customers::named(db, name)?
        && known.email.is_empty()
        && customers::of_email(db, email)?.is_none()
    {
        customers::set_email(db, known.id, email)?;
        return Ok(known.name);
    }
    ensure_named(db, named, now)
}

impl Service {
    /// At most `limit` customers whose name or address has the text, in the order of their names, after that name.
    pub fn customers(&self, text: &str, after: &str, limit: usize) -> Result<Vec<Customer>, Error> {
        let text = folded(text.trim());
        self.store.read(|db| {
            customers::list(db, after, MOST, limit, |customer| {
                text.is_empty() || customer.has(&text)
            })
        })
    }

    /// [`Service::customers`] with what they have.
    pub fn customer_lines(
        &self,
        text: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<CustomerLine>, Error> {
        let found = self.customers(text, after, limit)?.into_iter();
        self.store.read_tx(|db| {
            let lines = found.map(|customer| line(db, customer));
            lines.collect()
        })
    }

    pub fn customer_count(&self) -> Result<i64, Error> {
        self.store.read(customers::count)
    }

    /// The newest, for suggestions.
    pub fn customer_names(&self) -> Result<Vec<String>, Error> {
        self.store.read(|db| customers::newest_names(db, SUGGESTED))
    }

    /// The name is compared byte for byte.
    pub fn customer_id(&self, name: &str) -> Result<i64, Error> {
        let found = self.store.read(|db| customers::named(db, name))?;
        Ok(found.ok_or(NO_SUCH_CUSTOMER)?.id)
    }

    /// With that name or address.
    pub fn customer_called(&self, typed: &str) -> Result<Option<CustomerLine>, Error> {
        let typed = typed.trim();
        self.store.read_tx(|db| {
            let found = match customers::named(db, typed)? {
                None => customers::of_email(db, &typed.to_lowercase())?,
                found => found,
            };
            found.map(|customer| line(db, customer)).transpose()
        })
    }

    pub fn customer_line(&self, id: i64) -> Result<CustomerLine, Error> {
        let found = self.store.read_tx(|db| {
            let customer = customers::get(db, id)?;
            customer.map(|customer| line(db, customer)).transpose()
        })?;
        found.ok_or(NO_SUCH_CUSTOMER)
    }

    pub fn customer(&self, id: i64) -> Result<CustomerUse, Error> {
        let page = Page {
            order: Order::Expires,
            is_descending: false,
            after: None,
            limit: LICENSES,
        };
        let found = self.store.read_tx(|db| {
            let Some(customer) = customers::get(db, id)? else {
                return Ok(None);
            };
            let filter = Filter {
                user_id: Some(customer.name.clone()),
                ..Filter::default()
            };
            let (licenses, count) = search::page(db, &filter, &page)?;
            let orders = orders::of_customer(db, &customer.name, LISTED as i64)?;
            let (_, code_count) = customers::numbers(db, &customer.name)?;
            Ok(Some(CustomerUse {
                licenses,
                count,
                code_count,
                codes: activation_codes::matching(db, None, None, Some(&customer.name), LISTED)?,
                orders: with_sellers(db, orders)?,
                customer,
            }))
        })?;
        found.ok_or(NO_SUCH_CUSTOMER)
    }

    /// Under a new name, everything of the customer follows. Returns the entry in the audit log if anything changed.
    pub fn change_customer(
        &self,
        actor: &Actor,
        id: i64,
        draft: &CustomerDraft,
    ) -> Result<Option<i64>, Error> {
        self.store.write(|db| {
            let before = customers::get(db, id)?.ok_or(NO_SUCH_CUSTOMER)?;
            self.change_customer_in(db, actor, &before, &draft.parse(&before)?)
        })
    }

    /// Takes back a change of a customer, by its entry in the audit log; returns the customer's ID.
    pub fn undo_customer_change(&self, actor: &Actor, entry: i64) -> Result<i64, Error> {
        self.store.write(|db| {
            let since = self.clock.now() - UNDO_FOR;
            let entry = audit::get(db, entry)?.filter(|entry| entry.at >= since);
            let entry = entry.ok_or(TOO_LATE)?;
            let (id, changes) = entry.event.changed_customer().ok_or(TOO_LATE)?;
            let now = customers::get(db, id)?.ok_or(NO_SUCH_CUSTOMER)?;
            let draft = CustomerDraft::without(&now, &changes).ok_or_else(|| {
                Error::Conflict("The customer was changed since. Nothing was undone.".into())
            })?;
            self.change_customer_in(db, actor, &now, &draft.onto(&now))?;
            Ok(id)
        })
    }

    fn change_customer_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        before: &Customer,
        after: &Customer,
    ) -> Result<Option<i64>, Error> {
        if after == before {
            return Ok(None);
        }
        let is_other = |found: &Customer| found.id != before.id;
        if customers::named(db, &after.name)?.is_some_and(|found| is_other(&found)) {
            let message = format!(
                "There is already a customer `{}`. Use another name, or merge the two.",
                after.name
            );
            return Err(Error::invalid("name", message));
        }
        if let Some(other) = customers::of_email(db, &after.email)?.filter(is_other) {
            let message = format!(
                "`{}` is the address of `{}`. Use another one, or merge the two.",
                after.email, other.name
            );
            return Err(Error::invalid("email", message));
        }
        customers::set(db, after)?;
        if after.email != before.email {
            customer_links::delete_of(db, before.id)?;
        }
        if after.name != before.name {
            self.rename_in(db, actor, &before.name, &after.name)?;
        }
        let event = Event::customer(actor, Kind::CustomerChanged, before, after);
        audit::append(db, event, self.clock.now()).map(Some)
    }

    /// Gives everything of the other customer to this one, and deletes the other.
    pub fn merge_customers(&self, actor: &Actor, id: i64, other: i64) -> Result<(), Error> {
        self.store.write(|db| {
            let kept = customers::get(db, id)?.ok_or(NO_SUCH_CUSTOMER)?;
            let gone = customers::get(db, other)?.ok_or(NO_SUCH_CUSTOMER)?;
            if kept.id == gone.id {
                return Err(Error::invalid("with", "This is the same customer."));
            }
            self.merge_customers_in(db, actor, &kept, &gone)
        })
    }

    /// [`Service::merge_customers`] within a transaction.
    pub(super) fn merge_customers_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        kept: &Customer,
        gone: &Customer,
    ) -> Result<(), Error> {
        self.rename_in(db, actor, &gone.name, &kept.name)?;
        customers::delete(db, gone.id)?;
        // Whoever opened the page of one of them must not see what the other had.
        customer_links::delete_of(db, kept.id)?;
        let after = kept.merged(gone);
        customers::set(db, &after)?;
        let event = Event::customer(actor, Kind::CustomersMerged, gone, &after);
        audit::append(db, event, self.clock.now())?;
        Ok(())
    }

    /// Licenses, codes and orders get another customer, who must be there.
    fn rename_in(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        from: &str,
        to: &str,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        for before in few_licenses(db, from)? {
            let mut after = before.clone();
            after.values.user_id = Some(to.to_owned());
            licenses::update(db, &before, &after.values, now)?;
            record_part(db, actor, Some(&before), Some(&after), now)?;
        }
        for ListedCode { code, .. } in
            activation_codes::matching(db, None, None, Some(from), MAX_LICENSES)?
        {
            let values = CodeValues {
                customer: to.to_owned(),
                ..code.values.clone()
            };
            self.change_code_as(db, actor, &code, &values, Event::untold)?;
        }
        Ok(people::rename(db, from, to)?)
    }
}

/// All licenses of a customer who does not have more of them, or more codes, than one transaction may write.
pub(super) fn few_licenses(db: &Db, name: &str) -> Result<Vec<License>, Error> {
    let (licenses, codes) = customers::numbers(db, name)?;
    for (number, what) in [(licenses, "licenses"), (codes, "activation codes")] {
        if number > MAX_LICENSES as i64 {
            return Err(Error::Conflict(format!(
                "{name} has more than {} {what}, the most for one step.",
                grouped(MAX_LICENSES as i64)
            )));
        }
    }
    Ok(licenses::of_customer(db, name)?)
}

pub(super) fn line(db: &Db, customer: Customer) -> Read<CustomerLine> {
    let (licenses, codes) = customers::numbers(db, &customer.name)?;
    Ok(CustomerLine {
        customer,
        licenses,
        codes,
    })
}

/// Each with who placed it.
pub(super) fn with_sellers(db: &Db, orders: Vec<Purchase>) -> Read<Vec<(Purchase, String)>> {
    let named = orders.into_iter().map(|order| {
        let name = seller(db, &order.source)?;
        Ok((order, name))
    });
    named.collect()
}

/// The name of the shop, token or user that places orders; one that is gone as its orders have it.
pub(super) fn seller(db: &Db, source: &str) -> Read<String> {
    let name = match source.split_once(' ') {
        Some((kind, id)) => match (kind, id.parse()) {
            ("shop", Ok(id)) => shops::get(db, id)?.map(|shop| shop.name),
            ("token", Ok(id)) => tokens::name(db, id)?,
            ("user", Ok(id)) => users::get(db, id)?.map(|user| user.values.name),
            _ => None,
        },
        None => None,
    };
    Ok(name.unwrap_or_else(|| source.to_owned()))
}
