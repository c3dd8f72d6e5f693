//! Everything that belongs to one customer.

use time::OffsetDateTime;

use super::Service;
use super::bulk::record;
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeValues};
use crate::model::audit::{Actor, AuditFilter, Entry, Event, Kind};
use crate::model::check::ListedLicense;
use crate::model::customer::{Customer, CustomerDraft, NamedCustomer};
use crate::model::fold::folded;
use crate::model::license::License;
use crate::model::mail::Mail;
use crate::model::order::Order as Purchase;
use crate::model::search::{Count, Filter, Order, Page};
use crate::model::text::grouped;
use crate::store::{
    Db, Read, WriteTx, activation_codes, audit, customers, licenses, orders, outbox, people, search,
};

/// Licenses read for the page.
const LICENSES: usize = 100;
/// Codes, and orders.
const LISTED: usize = 50;
/// Audit entries.
const HISTORY: i64 = 20;
/// Customers that a search looks at.
const MOST: usize = 100_000;
const SUGGESTED: usize = 200;
/// Licenses of a customer, and codes, that are written in one transaction, which must not hold others up for long.
const MAX_LICENSES: usize = 20_000;

pub(super) const NO_SUCH_CUSTOMER: Error = Error::NotFound("Customer not found.");

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
    pub codes: Vec<ActivationCode>,
    pub orders: Vec<Purchase>,
    /// Changes of these licenses, newest first.
    pub history: Vec<Entry>,
    /// Newest first; at most 20.
    pub mails: Vec<Mail>,
}

/// The name of the customer whom a shop names: the one with that address, otherwise the one with that name and no
/// address; otherwise a new one, with the address in the name if the name is taken.
pub(super) fn ensure_named(
    db: &WriteTx<'_>,
    named: &NamedCustomer,
    now: OffsetDateTime,
) -> Result<String, Error> {
    let NamedCustomer { name, email } = named;
    if let Some(known) = customers::of_email(db, email)? {
        return Ok(known.name);
    }
    if name.is_empty() && email.is_empty() {
        return Ok(String::new());
    }
    let first = if name.is_empty() { email } else { name };
    if let Some(known) = customers::named(db, first)? {
        if known.email.is_empty() || email.is_empty() {
            if !email.is_empty() {
                customers::set_email(db, known.id, email)?;
            }
            return Ok(known.name);
        }
        let both = named.with_email();
        customers::add(db, &both, email, "", now)?;
        return Ok(both);
    }
    customers::add(db, first, email, "", now)?;
    Ok(first.clone())
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
            let name = Some(customer.name.clone());
            let filter = Filter {
                user_id: name.clone(),
                ..Filter::default()
            };
            let changes = AuditFilter {
                user_id: name,
                ..AuditFilter::default()
            };
            let (licenses, count) = search::page(db, &filter, &page)?;
            Ok(Some(CustomerUse {
                licenses,
                count,
                codes: activation_codes::matching(db, None, None, Some(&customer.name), LISTED)?,
                orders: orders::of_customer(db, &customer.name, LISTED as i64)?,
                history: audit::list(db, &changes, i64::MAX, HISTORY)?,
                mails: outbox::of_customer(db, &customer.name, HISTORY)?,
                customer,
            }))
        })?;
        found.ok_or(NO_SUCH_CUSTOMER)
    }

    /// Under a new name, everything of the customer follows.
    pub fn change_customer(
        &self,
        actor: &Actor,
        id: i64,
        draft: &CustomerDraft,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let before = customers::get(db, id)?.ok_or(NO_SUCH_CUSTOMER)?;
            let after = draft.parse(&before)?;
            if after == before {
                return Ok(());
            }
            let is_other = |found: &Customer| found.id != id;
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
            customers::set(db, &after)?;
            if after.name != before.name {
                self.rename_in(db, actor, &before.name, &after.name)?;
            }
            let event = Event::customer(actor, Kind::CustomerChanged, &before, &after);
            audit::append(db, event, now)?;
            Ok(())
        })
    }

    /// Gives everything of the other customer to this one, and deletes the other.
    pub fn merge_customers(&self, actor: &Actor, id: i64, other: i64) -> Result<(), Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let kept = customers::get(db, id)?.ok_or(NO_SUCH_CUSTOMER)?;
            let gone = customers::get(db, other)?.ok_or(NO_SUCH_CUSTOMER)?;
            if kept.id == gone.id {
                return Err(Error::invalid("with", "This is the same customer."));
            }
            self.rename_in(db, actor, &gone.name, &kept.name)?;
            customers::delete(db, gone.id)?;
            let after = kept.merged(&gone);
            customers::set(db, &after)?;
            let event = Event::customer(actor, Kind::CustomersMerged, &gone, &after);
            audit::append(db, event, now)?;
            Ok(())
        })
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
            record(db, actor, Some(&before), Some(&after), now)?;
        }
        for code in activation_codes::matching(db, None, None, Some(from), MAX_LICENSES)? {
            let values = CodeValues {
                customer: to.to_owned(),
                ..code.values.clone()
            };
            self.change_code_in(db, actor, &code, &values)?;
        }
        Ok(people::rename(db, from, to)?)
    }
}

/// All licenses of a customer, to be written in one transaction.
pub(super) fn few_licenses(db: &Db, name: &str) -> Result<Vec<License>, Error> {
    let (number, _) = customers::numbers(db, name)?;
    if number > MAX_LICENSES as i64 {
        return Err(Error::Conflict(format!(
            "{name} has more than {} licenses, the most for one step.",
            grouped(MAX_LICENSES as i64)
        )));
    }
    Ok(licenses::of_customer(db, name)?)
}

fn line(db: &Db, customer: Customer) -> Read<CustomerLine> {
    let (licenses, codes) = customers::numbers(db, &customer.name)?;
    Ok(CustomerLine {
        customer,
        licenses,
        codes,
    })
}
