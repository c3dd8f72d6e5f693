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
    fn updates(&self, first: Date) -> Option<Date> {
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

    /// Why its seats cannot be added to that code, which is one for all its machines.
    pub fn fits(&self, code: &CodeValues) -> Result<(), Problem> {
        let own = &code.entitlements;
        let until = own.updates_until.map(date::format);
        let has_features = !self.features.is_empty();
        let others = [
            (
                "edition",
                "edition",
                self.edition.is_some() && self.edition != own.edition,
            ),
            (
                "features",
                "features",
                has_features && !same_names(&self.features, &own.features),
            ),
            (
                "updates_until",
                "updates",
                self.updates_until.is_some() && self.updates_until != until,
            ),
            ("updates_days", "updates", self.updates_days.is_some()),
        ];
        let Some((field, what, _)) = others.into_iter().find(|(.., is_other)| *is_other) else {
            return Ok(());
        };
        Err(Problem {
            field,
            message: format!(
                "The code to which seats are added keeps its {what}, which all its machines share. Leave out `{field}`, \
                 or sell a code of its own."
            ),
        })
    }

    /// A code of the other order after it. Neither the term nor the updates end earlier than before.
    pub fn on(&self, values: &CodeValues, today: Date) -> CodeValues {
        let mut after = values.clone();
        if self.adds_to.is_some() {
            after.seats += self.seats * self.quantity;
            return after;
        }
        if self.extends_term() {
            after.term = match self.term() {
                CodeTerm::Perpetual => CodeTerm::Perpetual,
                CodeTerm::Until(last) => Extension::Until(last).on(values.term, today),
                CodeTerm::Days(days) => Extension::Days(days).on(values.term, today),
            };
        }
        let entitlements = &mut after.entitlements;
        if self.edition.is_some() {
            entitlements.edition.clone_from(&self.edition);
        }
        if !self.features.is_empty() {
            entitlements.features.clone_from(&self.features);
        }
        if let Some(last) = entitlements.updates_until {
            let extended = self.updates(last.max(today)).map(|new| new.max(last));
            entitlements.updates_until = extended.or(Some(last));
        }
        after
    }

    /// The code once [`Item::on`] is taken back; none if nothing tells which term it had before. `before` is what
    /// it had of edition, features and updates; what was changed since, or paid for again by `later` items, stays.
    pub fn off(
        &self,
        values: &CodeValues,
        before: &Entitlements,
        later: &[Item],
    ) -> Option<CodeValues> {
        let mut after = values.clone();
        if self.adds_to.is_some() {
            after.seats = (values.seats - self.seats * self.quantity).max(1);
            return Some(after);
        }
        match self.days {
            Some(more) => {
                after.term = match values.term {
                    CodeTerm::Perpetual => CodeTerm::Perpetual,
                    CodeTerm::Days(days) => CodeTerm::Days((days - more).max(1)),
                    CodeTerm::Until(last) => {
                        CodeTerm::Until(last.saturating_sub(Duration::days(more)))
                    }
                }
            }
            None if self.extends_term() => return None,
            None => {}
        }
        let mut alone = self.clone();
        for item in later {
            if item.edition == alone.edition {
                alone.edition = None;
            }
            if item.features == alone.features {
                alone.features.clear();
            }
            if item.updates_until == alone.updates_until {
                alone.updates_until = None;
            }
        }
        after.entitlements = alone.skipped(after.entitlements, before);
        if let Some(days) = self.updates_days {
            let less = |last: Date| last.saturating_sub(Duration::days(days));
            let until = &mut after.entitlements.updates_until;
            *until = until.map(less);
        }
        Some(after)
    }

    /// What a later order replaced, as if this item had never been: what it gave becomes what was `before` it.
    pub fn skipped(&self, replaced: Entitlements, before: &Entitlements) -> Entitlements {
        let mut all = replaced;
        if self.edition.is_some() && all.edition == self.edition {
            all.edition.clone_from(&before.edition);
        }
        if !self.features.is_empty() && all.features == self.features {
            all.features.clone_from(&before.features);
        }
        if self.updates_until.is_some() && all.updates_until.map(date::format) == self.updates_until
        {
            all.updates_until = before.updates_until;
        }
        all
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

    pub fn json(items: &[Item]) -> String {
        // Texts and numbers always serialize.
        serde_json::to_string(items).unwrap_or_default()
    }

    /// The inverse of [`Item::json`].
    pub fn from_json(json: &str) -> Option<Vec<Item>> {
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
fn day(field: &'static str, sent: Option<String>) -> Result<Option<String>, Error> {
    match sent.filter(|day| !day.is_empty()) {
        Some(day) if date::read(&day).is_none() => {
            let message = format!("`{day}` is not a calendar day; use YYYY-MM-DD.");
            Err(Error::invalid(field, message))
        }
        day => Ok(day),
    }
}

fn features(sent: &[String]) -> Result<Vec<String>, Problem> {
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

/// Whatever their order.
fn same_names(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 06 - 15);

    fn item(change: impl FnOnce(&mut SentItem)) -> Item {
        let mut sent = SentItem {
            tool_name: Some("Tool_A".into()),
            ..SentItem::default()
        };
        change(&mut sent);
        Item::parse(sent).unwrap()
    }

    fn renewal(change: impl FnOnce(&mut SentItem)) -> Item {
        item(|sent| {
            sent.renews = Some("17".into());
            change(sent);
        })
    }

    fn code(updates_until: Option<Date>) -> CodeValues {
        CodeValues {
            entitlements: Entitlements {
                edition: Some("Basic".into()),
                updates_until,
                ..Entitlements::default()
            },
            ..CodeValues::new(1, CodeTerm::Until(date!(2027 - 06 - 15)))
        }
    }

    #[test]
    fn a_renewal_of_the_updates_leaves_the_term_and_what_has_no_limit() {
        let year = renewal(|sent| sent.updates_days = Some(365));
        for (before, after) in [
            (Some(date!(2026 - 12 - 31)), Some(date!(2027 - 12 - 31))),
            (Some(date!(2020 - 01 - 01)), Some(date!(2027 - 06 - 15))),
            (None, None),
        ] {
            let renewed = year.on(&code(before), TODAY);
            assert_eq!(renewed.entitlements.updates_until, after);
            assert_eq!(renewed.term, code(before).term);
        }
        let earlier = renewal(|sent| sent.updates_until = Some("2026-07-01".into()));
        let later = code(Some(date!(2026 - 12 - 31)));
        assert_eq!(earlier.on(&later, TODAY), later);
        assert!(item(|sent| sent.edition = Some("Pro".into())).extends_term());
        // Without anything else it is for ever.
        let forever = renewal(|_| {}).on(&later, TODAY);
        assert_eq!(forever.term, CodeTerm::Perpetual);
    }

    #[test]
    fn what_a_renewal_replaced_comes_back_unless_it_was_changed_since() {
        let better = renewal(|sent| {
            sent.days = Some(30);
            sent.edition = Some("Pro".into());
            sent.features = Some(vec!["ocr".into()]);
            sent.updates_until = Some("2028-01-01".into());
        });
        let before = code(Some(date!(2026 - 12 - 31)));
        let after = better.on(&before, TODAY);
        assert_eq!(after.entitlements.edition.as_deref(), Some("Pro"));
        let back = better.off(&after, &before.entitlements, &[]);
        assert_eq!(back.as_ref(), Some(&before));
        let mut changed = after;
        changed.entitlements.edition = Some("Max".into());
        let back = better.off(&changed, &before.entitlements, &[]).unwrap();
        assert_eq!(back.entitlements.edition.as_deref(), Some("Max"));
        assert_eq!(back.term, before.term);
    }

    #[test]
    fn seats_are_added_to_a_code_as_it_is() {
        let more = |change: fn(&mut SentItem)| {
            let more = item(|sent| {
                sent.adds_to = Some("17".into());
                change(sent);
            });
            let fits = more.fits(&code(Some(date!(2026 - 12 - 31))));
            fits.err().map(|problem| problem.field)
        };
        assert_eq!(more(|sent| sent.edition = Some("Basic".into())), None);
        assert_eq!(
            more(|sent| sent.updates_until = Some("2026-12-31".into())),
            None
        );
        assert_eq!(
            more(|sent| sent.edition = Some("Pro".into())),
            Some("edition")
        );
        assert_eq!(
            more(|sent| sent.features = Some(vec!["ocr".into()])),
            Some("features")
        );
        assert_eq!(
            more(|sent| sent.updates_days = Some(1)),
            Some("updates_days")
        );
    }
}
