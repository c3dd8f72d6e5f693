//! An order: what a shop sold, and the activation codes that were made for it.

mod effect;
mod item;

use time::{Date, Duration, OffsetDateTime};

use super::activation_code::{CodeTerm, MAX_DAYS};
use super::customer::NamedCustomer;
use super::date;
use super::license::Status;
use super::text;
use crate::error::{Error, Problem};

pub use effect::{Renewal, Renewals};
pub use item::{Item, SentItem};
pub(super) use item::{day, features};

const MAX_ITEMS: usize = 50;
const MAX_CODES: i64 = 500;
/// Visible characters of an order reference.
pub const ORDER_REF: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewOrder {
    pub order_ref: String,
    pub customer: NamedCustomer,
    pub items: Vec<Item>,
    pub is_test: bool,
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
    /// False if it was placed when editions, features and updates were ignored.
    pub has_entitlements: bool,
    pub items: Vec<Item>,
}

impl Order {
    /// The shop that placed it; none for a token or a user.
    pub fn shop_id(&self) -> Option<i64> {
        self.source.strip_prefix("shop ")?.parse().ok()
    }

    /// Whether it renews other orders or adds seats to them.
    pub fn changes_others(&self) -> bool {
        self.items.iter().any(|item| item.other().is_some())
    }

    /// Whether the same reference was sent with the same content.
    pub fn is_same(&self, new: &NewOrder) -> bool {
        let sent = |item: &Item| match self.has_entitlements {
            true => item.comparable(),
            false => item.without_entitlements(),
        };
        let sent = new.items.iter().map(sent);
        sent.eq(self.items.iter().map(Item::comparable)) && self.is_test == new.is_test
    }
}

/// Changes of codes in one transaction: their IDs follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    first: i64,
    last: i64,
}

impl Changes {
    /// None if there are none.
    pub fn of(ids: &[i64]) -> Option<Changes> {
        Some(Changes {
            first: *ids.first()?,
            last: *ids.last()?,
        })
    }

    pub fn ids(self) -> impl Iterator<Item = i64> {
        self.first..=self.last
    }

    /// `12-14`.
    pub fn in_address(self) -> String {
        format!("{}-{}", self.first, self.last)
    }

    /// Parses [`Changes::in_address`]; none for more than an order has codes.
    pub fn parse(text: &str) -> Option<Changes> {
        let (first, last) = text.split_once('-')?;
        let changes = Changes {
            first: first.parse().ok()?,
            last: last.parse().ok()?,
        };
        let number = changes.last.checked_sub(changes.first)?;
        (0..MAX_CODES).contains(&number).then_some(changes)
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

    /// A code's status after it. None of them lifts what another one did, or a person.
    pub fn on(self, status: Status, held: &mut Held) -> Status {
        match (self, status) {
            (OrderAction::Suspend, Status::Activated) => {
                held.is_suspended = true;
                Status::Suspended
            }
            (OrderAction::Resume, status) => {
                match (std::mem::take(&mut held.is_suspended), status) {
                    (true, Status::Suspended) => Status::Activated,
                    (true, status) => {
                        // Restored, it is not suspended any longer.
                        held.revoked_from = held.revoked_from.map(|_| Status::Activated);
                        status
                    }
                    (false, status) => status,
                }
            }
            (OrderAction::Revoke, Status::Activated | Status::Suspended) => {
                held.revoked_from = Some(status);
                Status::Revoked
            }
            (OrderAction::Restore, status) => match (held.revoked_from.take(), status) {
                (Some(before), Status::Revoked) => before,
                (_, status) => status,
            },
            (OrderAction::Suspend | OrderAction::Revoke, status) => status,
        }
    }
}

/// What an order did to the status of one of its codes, until it is taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// The status before the order revoked it.
    pub revoked_from: Option<Status>,
    pub is_suspended: bool,
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
            (Extension::Until(new), CodeTerm::Days(days)) => {
                // Used today, it would end then.
                let earliest = today.saturating_add(Duration::days(days));
                match new > earliest {
                    true => CodeTerm::Until(new),
                    false => term,
                }
            }
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
