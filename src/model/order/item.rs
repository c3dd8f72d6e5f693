//! What an order sells: codes with their values, or more for the codes of another order.

use serde::{Deserialize, Serialize};
use time::{Date, Duration};
use utoipa::ToSchema;

use super::{Extension, MAX_CODES, NewOrder, order_ref};
use crate::error::{Error, Problem};
use crate::model::activation_code::{CodeTerm, CodeValues, MAX_DAYS, MAX_SEATS};
use crate::model::entitlements::{self, Entitlements};
use crate::model::{date, text};

const TOOL_NAME: usize = 100;
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// `YYYY-MM-DD`; this or `updates_days`, or neither for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_until: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates_days: Option<i64>,
    /// Extends the codes of that order instead of making new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    /// Adds seats to the codes of that order instead of making new ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adds_to: Option<String>,
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
    /// The edition that was sold; with `renews`, the codes change to it
    #[schema(max_length = 50)]
    pub edition: Option<String>,
    /// Features besides those of the edition; with `renews`, they replace those of the codes
    #[schema(max_items = 50)]
    pub features: Option<Vec<String>>,
    /// YYYY-MM-DD, the last build date of the tool that is covered; neither this nor `updates_days` for no limit
    pub updates_until: Option<String>,
    /// Counted from the order; for `renews`, from the later of the last day of updates and today
    #[schema(minimum = 1, maximum = 36_500)]
    pub updates_days: Option<i64>,
    /// Extends the codes of that order instead of making new ones
    pub renews: Option<String>,
    /// Adds seats to the code of that order instead of making a new one
    pub adds_to: Option<String>,
}

impl Item {
    pub(in crate::model) fn parse(sent: SentItem) -> Result<Item, Error> {
        let named = sent.tool_name.unwrap_or_default();
        let tool_name = text::required("tool_name", "The tool name", &named, TOOL_NAME)?;
        let within = |field, label: &str, number: Option<i64>, most: i64| match number {
            Some(number) if !(1..=most).contains(&number) => {
                let message = format!("{label} is {number}; it must be a number from 1 to {most}.");
                Err(Error::invalid(field, message))
            }
            number => Ok(number),
        };
        let expiration_date = day("expiration_date", sent.expiration_date)?;
        if expiration_date.is_some() && sent.days.is_some() {
            let message = "An item has an expiration date or a number of days, not both.";
            return Err(Error::invalid("days", message));
        }
        let updates_until = day("updates_until", sent.updates_until)?;
        if updates_until.is_some() && sent.updates_days.is_some() {
            let message = "An item has a last day of updates or a number of days, not both.";
            return Err(Error::invalid("updates_days", message));
        }
        if sent.renews.is_some() && sent.adds_to.is_some() {
            let message = "An item renews an order or adds seats to one, not both.";
            return Err(Error::invalid("renews", message));
        }
        let edition = entitlements::parse_edition(&sent.edition.unwrap_or_default())?;
        let reference =
            |field, text: Option<String>| text.map(|text| order_ref(field, &text)).transpose();
        let quantity = within("quantity", "The quantity", sent.quantity, MAX_CODES)?;
        let seats = within("seats", "The number of seats", sent.seats, MAX_SEATS)?;
        let updates = "The number of days of updates";
        Ok(Item {
            tool_name,
            quantity: quantity.unwrap_or(1),
            seats: seats.unwrap_or(1),
            expiration_date,
            days: within("days", "The number of days", sent.days, MAX_DAYS)?,
            edition: (!edition.is_empty()).then_some(edition),
            features: features(&sent.features.unwrap_or_default())?,
            updates_until,
            updates_days: within("updates_days", updates, sent.updates_days, MAX_DAYS)?,
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
            entitlements: Entitlements {
                edition: self.edition.clone(),
                features: self.features.clone(),
                data: None,
                updates_until: self.updates(today),
            },
            ..CodeValues::new(self.seats, term)
        }
    }

    /// The last day of updates that begin on that day; none for no limit.
    pub(super) fn updates(&self, first: Date) -> Option<Date> {
        let days = self.updates_days.map(Duration::days);
        let fixed = self.updates_until.as_deref().and_then(date::read);
        days.map(|days| first.saturating_add(days)).or(fixed)
    }

    /// The order that it renews or adds seats to, instead of making codes.
    pub fn other(&self) -> Option<&str> {
        self.renews.as_deref().or(self.adds_to.as_deref())
    }

    /// Whether it says anything about edition, features or updates.
    pub fn has_entitlements(&self) -> bool {
        *self != self.without_entitlements()
    }

    pub fn without_entitlements(&self) -> Item {
        Item {
            edition: None,
            features: vec![],
            updates_until: None,
            updates_days: None,
            ..self.clone()
        }
    }

    /// Whether it gives codes their term. A renewal that only names edition, features or updates leaves it.
    pub fn extends_term(&self) -> bool {
        let is_named = self.days.is_some() || self.expiration_date.is_some();
        match &self.renews {
            Some(_) => is_named || !self.has_entitlements(),
            None => self.adds_to.is_none(),
        }
    }

    /// For comparing: the order of features does not count.
    pub(super) fn comparable(&self) -> Item {
        let mut features = self.features.clone();
        features.sort();
        Item {
            features,
            ..self.clone()
        }
    }

    /// `until 2027-12-31`, `365 days` or `perpetual`.
    pub fn term_in_words(&self) -> String {
        match (&self.expiration_date, self.days) {
            (Some(last), _) => format!("until {last}"),
            (None, Some(days)) => days_in_words(days),
            (None, None) => "perpetual".to_owned(),
        }
    }

    /// `until 2027-12-31` or `365 days`; none for no limit.
    pub fn updates_in_words(&self) -> Option<String> {
        let fixed = self.updates_until.as_ref();
        let fixed = fixed.map(|last| format!("until {last}"));
        fixed.or(self.updates_days.map(days_in_words))
    }

    /// An extension of an order's own codes, as if another order renewed it.
    pub fn extension(tool_name: &str, order_ref: &str, extension: Extension) -> Item {
        let (days, until) = match extension {
            Extension::Days(days) => (Some(days), None),
            Extension::Until(last) => (None, Some(date::format(last))),
        };
        Item {
            tool_name: tool_name.to_owned(),
            quantity: 1,
            seats: 1,
            expiration_date: until,
            days,
            edition: None,
            features: vec![],
            updates_until: None,
            updates_days: None,
            renews: Some(order_ref.to_owned()),
            adds_to: None,
        }
    }

    pub fn json(&self) -> String {
        // Texts and numbers always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The inverse of [`Item::json`].
    pub fn from_json(json: &str) -> Option<Item> {
        serde_json::from_str(json).ok()
    }

    pub fn list_json(items: &[Item]) -> String {
        // Texts and numbers always serialize.
        serde_json::to_string(items).unwrap_or_default()
    }

    /// The inverse of [`Item::list_json`].
    pub fn list_from_json(json: &str) -> Option<Vec<Item>> {
        serde_json::from_str(json).ok()
    }
}

fn days_in_words(days: i64) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{} days", text::grouped(days)),
    }
}

/// A calendar day as it is stored; none if it is absent or empty.
pub(in crate::model) fn day(
    field: &'static str,
    sent: Option<String>,
) -> Result<Option<String>, Error> {
    match sent.filter(|day| !day.is_empty()) {
        Some(day) if date::read(&day).is_none() => {
            let message = format!("`{day}` is not a calendar day; use YYYY-MM-DD.");
            Err(Error::invalid(field, message))
        }
        day => Ok(day),
    }
}

/// Each name once.
pub(in crate::model) fn features(sent: &[String]) -> Result<Vec<String>, Problem> {
    let has_separator = |name: &&String| name.contains(entitlements::is_separator);
    if let Some(name) = sent.iter().find(has_separator) {
        let name = text::shorten(name);
        return Err(Problem {
            field: "features",
            message: format!(
                "The feature `{name}` has a comma, a semicolon or a line break; send one name each."
            ),
        });
    }
    let stored = entitlements::parse_features(&sent.join(","))?;
    Ok(entitlements::names(&stored).map(str::to_owned).collect())
}
