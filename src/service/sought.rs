//! What somebody looks for who types into one field: an activation code, an order, a machine, or words.

use super::Service;
use crate::error::Error;
use crate::model::code_format;
use crate::model::code_search::{CodeFilter, CodePlace};
use crate::model::machine_code::read_machine_code;
use crate::model::search::{Filter, Order, Page, Word};
use crate::store::{licenses, orders};

#[derive(Debug, PartialEq, Eq)]
pub enum Sought {
    /// The ID of an activation code.
    Code(i64),
    /// Nearly an activation code, and nothing matches it; for the person who typed it.
    NoCode(String),
    /// The ID of an order.
    Order(i64),
    /// Several orders with one reference.
    Orders,
    /// A machine code that some machine has.
    Machine(String),
    Words,
}

impl Service {
    pub fn sought(&self, typed: &str) -> Result<Sought, Error> {
        let typed = typed.trim();
        if let Some(code) = self.code_typed(typed)?
            && (!code.is_imported || !self.is_license_key(typed)?)
        {
            return Ok(Sought::Code(code.id));
        }
        if let Some(why) = code_format::nearly(typed)
            && !self.has_license(typed)?
            && self.customers(typed, "", 1)?.is_empty()
        {
            let filter = CodeFilter {
                words: Word::parse_all(typed)?,
                ..CodeFilter::default()
            };
            let (found, _) = self.codes(&filter, CodePlace::First, 2)?;
            return Ok(match &found[..] {
                [] => Sought::NoCode(why),
                // Of which it is a part, or the order reference.
                [one] => Sought::Code(one.code.id),
                _ => Sought::Words,
            });
        }
        if let Some(code) = read_machine_code(typed)
            // Without its hyphen it may be a name.
            && (typed.len() > code.len() - 1 || !self.has_license(typed)?)
            && self.has_machine(&code)?
        {
            return Ok(Sought::Machine(code));
        }
        Ok(Sought::Words)
    }

    /// The order that a customer quotes; none if it may be an activation code or a license key.
    pub fn order_sought(&self, typed: &str) -> Result<Option<Sought>, Error> {
        let typed = typed.trim();
        if typed.is_empty() || self.code_typed(typed)?.is_some() || self.is_license_key(typed)? {
            return Ok(None);
        }
        let found = self.store.read(|db| orders::called(db, typed, 2))?;
        Ok(match &found[..] {
            [] => None,
            [order] => Some(Sought::Order(order.id)),
            _ => Some(Sought::Orders),
        })
    }

    /// A license key may look like the code of an older system.
    fn is_license_key(&self, typed: &str) -> Result<bool, Error> {
        let found = self.store.read(|db| licenses::of_key(db, typed, 1))?;
        Ok(!found.is_empty())
    }

    fn has_license(&self, typed: &str) -> Result<bool, Error> {
        let filter = Filter {
            words: Word::parse_all(typed)?,
            ..Filter::default()
        };
        let page = Page {
            order: Order::Created,
            is_descending: true,
            after: None,
            limit: 1,
        };
        let (found, _) = self.licenses(&filter, &page)?;
        Ok(!found.is_empty())
    }

    fn has_machine(&self, code: &str) -> Result<bool, Error> {
        let found = self.machines_of_code(code)?;
        Ok(!found.licenses.is_empty() || !found.unlicensed.is_empty())
    }
}
