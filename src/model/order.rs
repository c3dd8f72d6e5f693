//! An order: what a shop sold, and the activation codes that were made for it.

use serde::{Deserialize, Serialize};
use time::{Date, Duration};

use super::activation_code::{CodeTerm, CodeValues, MAX_DAYS, MAX_SEATS};
use super::customer::NamedCustomer;
use super::date;
use super::text;
use crate::error::{Error, Problem};

const MAX_ITEMS: usize = 50;
const MAX_CODES: i64 = 500;
const TOOL_NAME: usize = 100;
/// Visible characters of an order reference.
pub const ORDER_REF: usize = 100;
/// The term of a test order.
const TEST_DAYS: i64 = 7;

/// What makes two orders with the same reference the same: its items after defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub tool_name: String,
    /// Codes to make.
    pub quantity: i64,
    pub seats: i64,
    /// `YYYY-MM-DD`; this or `days`, or neither for perpetual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<i64>,
    /// Extends the codes of that order instead of making new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    /// Adds seats to the codes of that order instead of making new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adds_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    pub order_ref: String,
    pub customer: NamedCustomer,
    pub items: Vec<Item>,
    pub is_test: bool,
}

/// An item as it was sent.
#[derive(Debug, Default, Deserialize)]
pub struct SentItem {
    pub tool_name: Option<String>,
    pub quantity: Option<i64>,
    pub seats: Option<i64>,
    pub expiration_date: Option<String>,
    pub days: Option<i64>,
    pub renews: Option<String>,
    pub adds_to: Option<String>,
}

impl Item {
    fn parse(sent: SentItem) -> Result<Item, Error> {
        let named = sent.tool_name.unwrap_or_default();
        let tool_name = text::required("tool_name", "The tool name", &named, TOOL_NAME)?;
        let within = |field, label: &str, number: Option<i64>, default: i64, most: i64| {
            let number = number.unwrap_or(default);
            if (1..=most).contains(&number) {
                return Ok(number);
            }
            let message = format!("{label} is {number}; it must be a number from 1 to {most}.");
            Err(Error::invalid(field, message))
        };
        let expiration_date = sent.expiration_date.filter(|day| !day.is_empty());
        if let Some(day) = &expiration_date
            && date::read(day).is_none()
        {
            let message = format!("`{day}` is not a calendar day; use YYYY-MM-DD.");
            return Err(Error::invalid("expiration_date", message));
        }
        if expiration_date.is_some() && sent.days.is_some() {
            let message = "An item has an expiration date or a number of days, not both.";
            return Err(Error::invalid("days", message));
        }
        if sent.renews.is_some() && sent.adds_to.is_some() {
            let message = "An item renews an order or adds seats to one, not both.";
            return Err(Error::invalid("renews", message));
        }
        let reference =
            |field, text: Option<String>| text.map(|text| order_ref(field, &text)).transpose();
        Ok(Item {
            tool_name,
            quantity: within("quantity", "The quantity", sent.quantity, 1, MAX_CODES)?,
            seats: within("seats", "The number of seats", sent.seats, 1, MAX_SEATS)?,
            expiration_date,
            days: match sent.days {
                None => None,
                days => Some(within("days", "The number of days", days, 1, MAX_DAYS)?),
            },
            renews: reference("renews", sent.renews)?,
            adds_to: reference("adds_to", sent.adds_to)?,
        })
    }

    /// The term of a new code.
    pub fn term(&self) -> CodeTerm {
        let until = self.expiration_date.as_deref().and_then(date::read);
        match (until, self.days) {
            (Some(last), _) => CodeTerm::Until(last),
            (None, Some(days)) => CodeTerm::Days(days),
            (None, None) => CodeTerm::Perpetual,
        }
    }

    /// The values of its codes.
    pub fn values(&self, customer: &str, order: &NewOrder, today: Date) -> CodeValues {
        let term = match order.is_test {
            true => CodeTerm::Until(today.saturating_add(Duration::days(TEST_DAYS))),
            false => self.term(),
        };
        CodeValues {
            customer: customer.to_owned(),
            order_ref: order.order_ref.clone(),
            ..CodeValues::new(self.seats, term)
        }
    }

    /// The term of a code that it renews: days count from the later of expiration and today.
    pub fn renewed(&self, term: CodeTerm, today: Date) -> CodeTerm {
        match (self.term(), term) {
            (CodeTerm::Days(days), CodeTerm::Days(more)) => CodeTerm::Days(days + more),
            (CodeTerm::Days(days), CodeTerm::Until(last)) => {
                CodeTerm::Until(last.max(today).saturating_add(Duration::days(days)))
            }
            (CodeTerm::Until(new), CodeTerm::Until(last)) => CodeTerm::Until(new.max(last)),
            (CodeTerm::Until(new), CodeTerm::Days(_)) => CodeTerm::Until(new),
            (CodeTerm::Perpetual, _) | (_, CodeTerm::Perpetual) => CodeTerm::Perpetual,
        }
    }
}

/// 1 to [`ORDER_REF`] visible characters.
pub fn order_ref(field: &'static str, typed: &str) -> Result<String, Problem> {
    text::required(field, "The order reference", typed, ORDER_REF)
}

impl NewOrder {
    pub fn parse(
        reference: &str,
        customer: NamedCustomer,
        items: Vec<SentItem>,
        is_test: bool,
    ) -> Result<NewOrder, Error> {
        let order_ref = order_ref("order_ref", reference)?;
        if !(1..=MAX_ITEMS).contains(&items.len()) {
            let message = format!(
                "The order has {} items; it must have 1 to {MAX_ITEMS}.",
                items.len()
            );
            return Err(Error::invalid("items", message));
        }
        let items: Vec<Item> = items
            .into_iter()
            .map(Item::parse)
            .collect::<Result<_, _>>()?;
        let codes: i64 = items.iter().map(|item| item.quantity).sum();
        if codes > MAX_CODES {
            let message =
                format!("The order makes {codes} codes; it may make at most {MAX_CODES}.");
            return Err(Error::invalid("items", message));
        }
        Ok(NewOrder {
            order_ref,
            customer,
            items,
            is_test,
        })
    }
}
