//! Everything that belongs to one customer.

use super::Service;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Entry};
use crate::model::check::ListedLicense;
use crate::model::search::{Count, Filter, Order, Page};
use crate::store::{audit, search};

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
