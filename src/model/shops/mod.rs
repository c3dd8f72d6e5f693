//! Shops that place orders by themselves: one file for each kind of shop that signs its events.

mod generator;
mod mention;
mod paddle;
mod signature;
mod stripe;

use serde_json::Value;
use time::OffsetDateTime;

use super::customer::NamedCustomer;
use super::entitlements::names;
use super::order::{Item, ORDER_REF, SentItem};
use super::typed_date::Reading;
use super::{date, text};
use crate::error::{Error, Problem};

pub use mention::{any_text, names as is_about};

pub use generator::{Call, Fields, MAX_CODES_A_DAY, form_fields, generator_number, json_fields};

const NAME: usize = 100;
const PRODUCT: usize = 100;
const SECRET: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShopKind {
    /// The shop asks for a code and mails it.
    Generator,
    Stripe,
    Paddle,
}

impl ShopKind {
    pub const ALL: [ShopKind; 3] = [ShopKind::Generator, ShopKind::Stripe, ShopKind::Paddle];

    /// As stored, and in the address of its receiver.
    pub fn as_str(self) -> &'static str {
        match self {
            ShopKind::Generator => "generator",
            ShopKind::Stripe => "stripe",
            ShopKind::Paddle => "paddle",
        }
    }

    pub fn from_word(word: &str) -> Option<ShopKind> {
        ShopKind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    pub fn label(self) -> &'static str {
        match self {
            ShopKind::Generator => "Generator",
            ShopKind::Stripe => "Stripe",
            ShopKind::Paddle => "Paddle Billing",
        }
    }

    /// None for a shop that has no events.
    fn receiver(self) -> Option<&'static Receiver> {
        match self {
            ShopKind::Generator => None,
            ShopKind::Stripe => Some(&stripe::RECEIVER),
            ShopKind::Paddle => Some(&paddle::RECEIVER),
        }
    }

    /// Whether the shop reports events, and does not ask for codes.
    pub fn has_events(self) -> bool {
        self.receiver().is_some()
    }

    /// The header with the signature of an event; none for a shop that has no events.
    pub fn signature_header(self) -> Option<&'static str> {
        self.receiver().map(|receiver| receiver.header)
    }

    /// Why the body was not signed with this secret, in words for the admin; the comparison takes the same time for
    /// every signature.
    pub fn verify(
        self,
        secret: &str,
        header: &str,
        body: &[u8],
        now: OffsetDateTime,
    ) -> Result<(), &'static str> {
        let receiver = self.receiver().ok_or("a generator has no events")?;
        match secret {
            "" => Err("no signing secret is entered here"),
            secret => (receiver.verify)(secret, header, body, now),
        }
    }

    /// The body of an event without whatever does not change what it means here.
    pub fn essence(self, body: &str) -> Option<String> {
        let mut value: Value = serde_json::from_str(body).ok()?;
        let receiver = self.receiver()?;
        let meaning = (receiver.read)(&value);
        for path in mention::leaves(&value) {
            let Some(leaf) = value.pointer_mut(&path).map(Value::take) else {
                continue;
            };
            if (receiver.read)(&value) != meaning
                && let Some(place) = value.pointer_mut(&path)
            {
                *place = leaf;
            }
        }
        Some(value.to_string())
    }

    /// An event whose signature is good.
    pub fn read(self, body: &[u8]) -> Result<ShopEvent, Error> {
        let value: Value = serde_json::from_slice(body).map_err(|error| Error::Malformed {
            message: format!("The event is not JSON: {error}."),
            field: None,
        })?;
        let receiver = self.receiver();
        let event = receiver.and_then(|receiver| (receiver.read)(&value));
        let event = event.filter(|event| {
            let texts = [&event.id, &event.kind].into_iter();
            texts
                .map(String::len)
                .all(|length| (1..=255).contains(&length))
        });
        event.ok_or_else(|| Error::Malformed {
            message: "The event has no ID, no type or no time.".into(),
            field: None,
        })
    }
}

/// A shop that signs its events.
struct Receiver {
    /// With the signature.
    header: &'static str,
    /// Secret, header, body, now.
    verify: fn(&str, &str, &[u8], OffsetDateTime) -> Result<(), &'static str>,
    /// How every signing secret begins.
    secret: &'static str,
    read: fn(&Value) -> Option<ShopEvent>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    pub id: i64,
    pub created_at: OffsetDateTime,
    pub kind: ShopKind,
    pub name: String,
    /// Of a generator the SHA-256 of the one in its address, otherwise the signing secret; empty until it is entered.
    pub secret: String,
    pub is_enabled: bool,
    /// All its orders are tests.
    pub is_test: bool,
    pub fields: Fields,
    /// The last event with a wrong signature, and why it was wrong.
    pub refused: Option<(OffsetDateTime, String)>,
}

impl Shop {
    /// Who places its orders.
    pub fn source(&self) -> String {
        format!("shop {}", self.id)
    }
}

/// 1 to [`NAME`] visible characters.
pub fn shop_name(typed: &str) -> Result<String, Problem> {
    text::required("name", "The name", typed, NAME)
}

/// Without white space around it; what does not look like a secret of that shop is refused.
pub fn signing_secret(kind: ShopKind, typed: &str) -> Result<String, Problem> {
    let secret = text::required("secret", "The signing secret", typed, SECRET)?;
    let prefix = kind.receiver().map_or("", |receiver| receiver.secret);
    if secret.starts_with(prefix) {
        return Ok(secret);
    }
    Err(Problem {
        field: "secret",
        message: format!(
            "This is not a signing secret of {}: it must begin with `{prefix}`.",
            kind.label()
        ),
    })
}

/// What a product of a shop is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: i64,
    /// The shop's number of the product or of the price.
    pub product: String,
    /// Its quantity is 1.
    pub item: Item,
}

/// A product as it is typed.
#[derive(Debug, Clone, Default)]
pub struct ProductDraft {
    pub product: String,
    pub tool_name: String,
    pub seats: String,
    /// Both empty for perpetual.
    pub days: String,
    pub expiration_date: String,
    pub edition: String,
    /// Names separated by commas.
    pub features: String,
    /// Counted from the sale; empty for no limit.
    pub updates_days: String,
}

impl ProductDraft {
    /// False for a name that is no field.
    pub fn set(&mut self, name: &str, typed: &str) -> bool {
        let field = match name {
            "product" => &mut self.product,
            "tool_name" => &mut self.tool_name,
            "seats" => &mut self.seats,
            "days" => &mut self.days,
            "expiration_date" => &mut self.expiration_date,
            "edition" => &mut self.edition,
            "features" => &mut self.features,
            "updates_days" => &mut self.updates_days,
            _ => return false,
        };
        typed.clone_into(field);
        true
    }

    pub fn parse(&self) -> Result<(String, Item), Error> {
        let product = text::required("product", "The product", &self.product, PRODUCT)?;
        let typed = &self.expiration_date;
        let day = Reading::of(typed).day("The expiration date", typed);
        let day = day.map_err(|message| Problem {
            field: "expiration_date",
            message,
        })?;
        let number = |field, label: &str, typed: &str| match typed.trim() {
            "" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| Problem {
                field,
                message: format!("{label} is `{digits}`, which is not a number."),
            }),
        };
        let updates = "The number of days of updates";
        let item = Item::parse(SentItem {
            tool_name: Some(self.tool_name.clone()),
            seats: number("seats", "The number of seats", &self.seats)?,
            days: number("days", "The number of days", &self.days)?,
            expiration_date: day.map(date::format),
            edition: Some(self.edition.clone()),
            features: Some(names(&self.features).map(str::to_owned).collect()),
            updates_days: number("updates_days", updates, &self.updates_days)?,
            ..SentItem::default()
        })?;
        Ok((product, item))
    }
}

/// What a shop told us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopEvent {
    /// The same in every delivery.
    pub id: String,
    /// As the shop calls it.
    pub kind: String,
    pub at: OffsetDateTime,
    pub action: ShopAction,
}

/// Orders are named by whatever reference the event has: a payment, a subscription, an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShopAction {
    Paid(Sale),
    /// The next period of a subscription was paid: an order of its own, which these references name.
    Renewed {
        of: String,
        references: Vec<String>,
        order_ref: String,
    },
    /// Other references of the same order.
    Named {
        of: String,
        also: Vec<String>,
    },
    /// All of the money went back.
    Refunded(String),
    /// The bank took the money back.
    ChargedBack(String),
    ChargebackReversed(String),
    /// Whose number in the shop it is.
    Customer {
        of: String,
        named: NamedCustomer,
    },
    /// Nothing to do, and why.
    Ignored(String),
}

impl ShopAction {
    /// A reference of the order that it is about.
    pub fn of(&self) -> Option<&str> {
        match self {
            ShopAction::Ignored(_) => None,
            ShopAction::Paid(sale) => Some(&sale.order_ref),
            ShopAction::Renewed { of, .. }
            | ShopAction::Named { of, .. }
            | ShopAction::Customer { of, .. }
            | ShopAction::Refunded(of)
            | ShopAction::ChargedBack(of)
            | ShopAction::ChargebackReversed(of) => Some(of),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    pub order_ref: String,
    /// By which later events name it.
    pub references: Vec<String>,
    pub customer: NamedCustomer,
    /// The shop's number of the customer; empty if the event itself tells who that is.
    pub customer_ref: String,
    pub lines: Vec<Line>,
    pub is_test: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the product may be called in the table of products; the first that is there counts.
    pub products: Vec<String>,
    pub quantity: i64,
}

impl Sale {
    /// The items, and the lines that no product is known for.
    pub fn items(&self, products: &[Product]) -> (Vec<SentItem>, Vec<String>) {
        let (mut items, mut unknown) = (vec![], vec![]);
        for line in &self.lines {
            let known = line.products.iter().find_map(|name| {
                let mut all = products.iter();
                all.find(|product| product.product == *name)
            });
            match known {
                Some(product) => items.push(product.sent(line.quantity)),
                None => unknown.push(line.products.join(" or ")),
            }
        }
        (items, unknown)
    }
}

impl Product {
    pub fn sent(&self, quantity: i64) -> SentItem {
        SentItem {
            tool_name: Some(self.item.tool_name.clone()),
            quantity: Some(quantity),
            seats: Some(self.item.seats),
            expiration_date: self.item.expiration_date.clone(),
            days: self.item.days,
            edition: self.item.edition.clone(),
            features: Some(self.item.features.clone()),
            updates_days: self.item.updates_days,
            ..SentItem::default()
        }
    }
}

/// What money did to an order so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Payment {
    pub is_refunded: bool,
    pub is_disputed: bool,
    /// The newest event of the dispute, in Unix seconds.
    pub disputed_at: i64,
}

impl Payment {
    /// A dispute that was won or lost at that moment; none if a newer event was there before.
    pub fn disputed(self, is_disputed: bool, at: OffsetDateTime) -> Option<Payment> {
        let at = at.unix_timestamp();
        (at >= self.disputed_at).then_some(Payment {
            is_disputed,
            disputed_at: at,
            ..self
        })
    }

    pub fn is_revoked(self) -> bool {
        self.is_refunded || self.is_disputed
    }
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventState {
    Done,
    Ignored,
    /// For the order that it is about.
    Waiting,
    Failed,
}

impl EventState {
    pub const ALL: [EventState; 4] = [
        EventState::Done,
        EventState::Ignored,
        EventState::Waiting,
        EventState::Failed,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            EventState::Done => "done",
            EventState::Ignored => "ignored",
            EventState::Waiting => "waiting",
            EventState::Failed => "failed",
        }
    }

    pub fn from_word(word: &str) -> Option<EventState> {
        EventState::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// State and words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub state: EventState,
    pub words: String,
}

impl Outcome {
    pub fn new(state: EventState, words: impl Into<String>) -> Outcome {
        Outcome {
            state,
            words: words.into(),
        }
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    pub id: i64,
    pub received_at: OffsetDateTime,
    pub happened_at: OffsetDateTime,
    /// Empty for a generator.
    pub event_ref: String,
    pub kind: String,
    pub headers: String,
    pub body: String,
    pub outcome: Outcome,
    pub reference: String,
}

/// Calls of a shop whose buyers may be without a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedCalls {
    pub shop_id: i64,
    pub shop: String,
    pub number: i64,
}

/// The text at a path of names and array positions; empty for none.
fn text_at(value: &Value, path: &str) -> String {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_default().trim().to_owned()
}

/// The texts at these paths that are there.
fn texts_at(value: &Value, paths: &[&str]) -> Vec<String> {
    let texts = paths.iter().map(|path| text_at(value, path));
    texts.filter(|text| !text.is_empty()).collect()
}

/// An order reference that fits; a longer one is cut.
fn fitting(reference: &str) -> String {
    reference.chars().take(ORDER_REF).collect()
}
