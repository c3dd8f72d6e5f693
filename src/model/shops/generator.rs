//! A shop that asks for a code and mails it to the customer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Error, Problem};
use crate::model::customer::NamedCustomer;
use crate::model::order::ORDER_REF;
use crate::model::text;

/// Codes that one generator may create in 24 hours.
pub const MAX_CODES_A_DAY: i64 = 500;

const FIELD: usize = 100;
/// Of an order number, a product and a line.
const VALUE: usize = 255;

/// What the shop calls its fields; empty for one that it does not send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fields {
    pub order: String,
    pub product: String,
    pub quantity: String,
    pub line: String,
    pub name: String,
    pub email: String,
    pub test: String,
}

impl Default for Fields {
    fn default() -> Fields {
        Fields {
            order: "order".into(),
            product: "product".into(),
            quantity: "quantity".into(),
            line: "line".into(),
            name: "name".into(),
            email: "email".into(),
            test: "test".into(),
        }
    }
}

impl Fields {
    /// Two of them are needed.
    pub fn parse(self) -> Result<Fields, Error> {
        let mut problems: Vec<Problem> = vec![];
        let mut field = |field, label: &str, typed: String, is_needed: bool| {
            let parsed = match is_needed || !typed.trim().is_empty() {
                true => text::required(field, &format!("The field of the {label}"), &typed, FIELD),
                false => Ok(String::new()),
            };
            text::keep(&mut problems, parsed)
        };
        let fields = Fields {
            order: field("order_field", "order number", self.order, true),
            product: field("product_field", "product", self.product, true),
            quantity: field("quantity_field", "quantity", self.quantity, false),
            line: field("line_field", "line", self.line, false),
            name: field("name_field", "name", self.name, false),
            email: field("email_field", "e-mail address", self.email, false),
            test: field("test_field", "test orders", self.test, false),
        };
        match problems.is_empty() {
            true => Ok(fields),
            false => Err(Error::Invalid(problems)),
        }
    }

    pub fn json(&self) -> String {
        // Texts always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn from_json(json: &str) -> Option<Fields> {
        serde_json::from_str(json).ok()
    }
}

/// A call, with the fields' values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub order: String,
    pub product: String,
    pub quantity: i64,
    pub line: String,
    pub customer: NamedCustomer,
    pub is_test: bool,
}

impl Call {
    pub fn read(fields: &Fields, sent: &BTreeMap<String, String>) -> Result<Call, Error> {
        let value = |field: &str| sent.get(field).map(|text| text.trim()).unwrap_or_default();
        let needed = |field: &'static str, label: &str, name: &str| {
            let missing = |_| Problem {
                field,
                message: format!(
                    "The call has no {label}: no field `{name}` with 1 to {VALUE} characters."
                ),
            };
            text::required(field, label, value(name), VALUE).map_err(missing)
        };
        let digits = value(&fields.quantity);
        let quantity = match digits {
            "" => 1,
            // Some shops send `1.0`.
            digits => digits.trim_end_matches(".0").parse().map_err(|_| {
                Error::invalid(
                    "quantity",
                    format!(
                        "The quantity is `{}`, which is not a number.",
                        text::shorten(digits)
                    ),
                )
            })?,
        };
        let test = value(&fields.test).to_lowercase();
        Ok(Call {
            order: needed("order", "order number", &fields.order)?,
            product: needed("product", "product", &fields.product)?,
            quantity,
            line: value(&fields.line).to_owned(),
            customer: NamedCustomer::lenient(value(&fields.name), value(&fields.email)),
            is_test: !["", "0", "false", "no", "off", "live"].contains(&&*test),
        })
    }

    /// Differs for every order number, product and line.
    pub fn order_ref(&self) -> String {
        let parts = [&self.order, &self.product, &self.line].map(|part| generator_number(part));
        let parts = if self.line.is_empty() {
            &parts[..2]
        } else {
            &parts[..]
        };
        let whole = parts.join("/");
        if whole.chars().count() <= ORDER_REF {
            return whole;
        }
        let hash = Sha256::digest(&whole);
        let hash: String = hash
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let begin: String = whole.chars().take(ORDER_REF - hash.len() - 1).collect();
        format!("{begin}~{hash}")
    }
}

/// An order number, product or line as it is in order references, where a slash separates them.
pub fn generator_number(text: &str) -> String {
    text.replace('%', "%25").replace('/', "%2F")
}

/// The fields of a JSON object; numbers and truth values as text.
pub fn json_fields(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let all: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(
        all.into_iter()
            .map(|(name, value)| (name, text(value)))
            .collect(),
    )
}

/// The fields of a form; none if it is not UTF-8.
pub fn form_fields(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let text = std::str::from_utf8(body).ok()?;
    let decoded = |text: &str| String::from_utf8(percent_decoded(text)).ok();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// A part of a form without plus and percent signs; what is not encoded stays as it is.
pub(super) fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| first == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    bytes
}
