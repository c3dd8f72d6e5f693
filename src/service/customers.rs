//! Everything that belongs to one customer.

use time::OffsetDateTime;

use super::Service;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Entry};
use crate::model::check::ListedLicense;
use crate::model::customer::NamedCustomer;
use crate::model::search::{Count, Filter, Order, Page};
use crate::store::{WriteTx, audit, customers, search};

/// Licenses read for the page.
const LICENSES: usize = 100;
/// Audit entries.
const HISTORY: i64 = 20;

pub struct CustomerUse {
    /// The first to expire come first; at most 100.
    pub licenses: Vec<ListedLicense>,
    pub count: Count,
    /// Changes of these licenses, newest first.
    pub history: Vec<Entry>,
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
    /// The name is compared byte for byte.
    pub fn customer(&self, name: &str) -> Result<CustomerUse, Error> {
        let filter = Filter {
            user_id: Some(name.to_owned()),
            ..Filter::default()
        };
        let page = Page {
            order: Order::Expires,
            is_descending: false,
            after: None,
            limit: LICENSES,
        };
        let changes = AuditFilter {
            user_id: Some(name.to_owned()),
            ..AuditFilter::default()
        };
        self.store
            .read_tx(|db| {
                let (licenses, count) = search::page(db, &filter, &page)?;
                Ok(CustomerUse {
                    licenses,
                    count,
                    history: audit::list(db, &changes, i64::MAX, HISTORY)?,
                })
            })
            .and_then(|found| match found.licenses.is_empty() {
                true => Err(Error::NotFound("No license has this customer.")),
                false => Ok(found),
            })
    }
}
