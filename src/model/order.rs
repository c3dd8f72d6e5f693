//! An order: what a shop sold, and the activation codes that were made for it.

use serde::{Deserialize, Serialize};
use time::{Date, Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::activation_code::{CodeTerm, CodeValues, MAX_DAYS, MAX_SEATS};
use super::customer::NamedCustomer;
use super::date;
use super::license::Status;
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OrderedItem)]
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

/// What was bought
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Item)]
pub struct SentItem {
    #[schema(required = true, min_length = 1, max_length = 100)]
    pub tool_name: Option<String>,
    /// Codes to make
    #[schema(minimum = 1, maximum = 500)]
    pub quantity: Option<i64>,
    /// Machines of each code
    #[schema(minimum = 1, maximum = 10_000)]
    pub seats: Option<i64>,
    /// YYYY-MM-DD; neither this nor `days` for perpetual
    pub expiration_date: Option<String>,
    /// Counted from the first activation; for `renews`, from the later of expiration and today
    #[schema(minimum = 1, maximum = 36_500)]
    pub days: Option<i64>,
    /// Extends the codes of that order instead of making new ones
    pub renews: Option<String>,
    /// Adds seats to the code of that order instead of making a new one
    pub adds_to: Option<String>,
}

impl Item {
    pub(super) fn parse(sent: SentItem) -> Result<Item, Error> {
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

    /// The order that it renews or adds seats to, instead of making codes.
    pub fn other(&self) -> Option<&str> {
        self.renews.as_deref().or(self.adds_to.as_deref())
    }

    /// A code of the other order after it.
    pub fn on(&self, values: &CodeValues, today: Date) -> CodeValues {
        let mut after = values.clone();
        match (&self.adds_to, self.term()) {
            (Some(_), _) => after.seats += self.seats * self.quantity,
            (None, CodeTerm::Perpetual) => after.term = CodeTerm::Perpetual,
            (None, CodeTerm::Until(last)) => {
                after.term = Extension::Until(last).on(values.term, today);
            }
            (None, CodeTerm::Days(days)) => {
                after.term = Extension::Days(days).on(values.term, today);
            }
        }
        after
    }

    /// The code once [`Item::on`] is taken back; none if nothing tells which term it had before.
    pub fn off(&self, values: &CodeValues) -> Option<CodeValues> {
        let mut before = values.clone();
        match (&self.adds_to, self.days) {
            (Some(_), _) => before.seats = (values.seats - self.seats * self.quantity).max(1),
            (None, Some(more)) => {
                before.term = match values.term {
                    CodeTerm::Perpetual => CodeTerm::Perpetual,
                    CodeTerm::Days(days) => CodeTerm::Days((days - more).max(1)),
                    CodeTerm::Until(last) => {
                        CodeTerm::Until(last.saturating_sub(Duration::days(more)))
                    }
                }
            }
            (None, None) => return None,
        }
        Some(before)
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: i64,
    pub created_at: OffsetDateTime,
    /// Who sent it, such as `token 3`; a reference is unique for each.
    pub source: String,
    pub order_ref: String,
    /// The name of a customer; empty for none.
    pub customer: String,
    pub is_test: bool,
    /// The customer was erased.
    pub is_erased: bool,
    /// It was revoked, and what it did to other orders is undone.
    pub is_taken_back: bool,
    pub items: Vec<Item>,
}

impl Item {
    pub fn json(items: &[Item]) -> String {
        // Texts and numbers always serialize.
        serde_json::to_string(items).unwrap_or_default()
    }

    /// The inverse of [`Item::json`].
    pub fn from_json(json: &str) -> Option<Vec<Item>> {
        serde_json::from_str(json).ok()
    }
}

/// What a shop reports about an order after the sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderAction {
    /// A payment is in doubt.
    Suspend,
    /// Ends [`OrderAction::Suspend`].
    Resume,
    /// The money went back.
    Revoke,
    /// A chargeback was won: ends [`OrderAction::Revoke`].
    Restore,
}

impl OrderAction {
    pub const ALL: [OrderAction; 4] = [
        OrderAction::Suspend,
        OrderAction::Resume,
        OrderAction::Revoke,
        OrderAction::Restore,
    ];

    /// The last segment of its address.
    pub fn as_str(self) -> &'static str {
        match self {
            OrderAction::Suspend => "suspend",
            OrderAction::Resume => "resume",
            OrderAction::Revoke => "revoke",
            OrderAction::Restore => "restore",
        }
    }

    pub fn from_word(word: &str) -> Option<OrderAction> {
        OrderAction::ALL
            .into_iter()
            .find(|action| action.as_str() == word)
    }

    /// The published answer.
    pub fn done(self) -> &'static str {
        match self {
            OrderAction::Suspend => "Order suspended",
            OrderAction::Resume => "Order resumed",
            OrderAction::Revoke => "Order revoked",
            OrderAction::Restore => "Order restored",
        }
    }

    /// A code's status after it. None of them lifts what another one did.
    pub fn on(self, status: Status) -> Status {
        match (self, status) {
            (OrderAction::Suspend, Status::Activated) => Status::Suspended,
            (OrderAction::Resume, Status::Suspended) | (OrderAction::Restore, Status::Revoked) => {
                Status::Activated
            }
            (OrderAction::Revoke, _) => Status::Revoked,
            (OrderAction::Suspend | OrderAction::Resume | OrderAction::Restore, status) => status,
        }
    }
}

/// How long an order is extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// From the later of expiration and today.
    Days(i64),
    Until(Date),
}

impl Extension {
    pub fn parse(days: Option<i64>, expiration_date: Option<&str>) -> Result<Extension, Error> {
        match (days, expiration_date) {
            (Some(days), None) if (1..=MAX_DAYS).contains(&days) => Ok(Extension::Days(days)),
            (Some(days), None) => {
                let message =
                    format!("The number of days is {days}; it must be from 1 to {MAX_DAYS}.");
                Err(Error::invalid("days", message))
            }
            (None, Some(day)) => date::read(day).map(Extension::Until).ok_or_else(|| {
                let message = format!("`{day}` is not a calendar day; use YYYY-MM-DD.");
                Error::invalid("expiration_date", message)
            }),
            (None, None) | (Some(_), Some(_)) => {
                let message = "Send either a number of days or an expiration date.";
                Err(Error::invalid("days", message))
            }
        }
    }

    /// The term of a code after it; it never ends earlier.
    pub fn on(self, term: CodeTerm, today: Date) -> CodeTerm {
        match (self, term) {
            (_, CodeTerm::Perpetual) => CodeTerm::Perpetual,
            (Extension::Days(more), CodeTerm::Days(days)) => CodeTerm::Days(days + more),
            (Extension::Days(days), CodeTerm::Until(last)) => {
                CodeTerm::Until(last.max(today).saturating_add(Duration::days(days)))
            }
            (Extension::Until(new), CodeTerm::Until(last)) => CodeTerm::Until(new.max(last)),
            (Extension::Until(new), CodeTerm::Days(_)) => CodeTerm::Until(new),
        }
    }

    /// To compare two that have the same reference.
    pub fn in_words(self) -> String {
        match self {
            Extension::Days(days) => format!("extend by {days} days"),
            Extension::Until(last) => format!("extend to {}", date::format(last)),
        }
    }
}
