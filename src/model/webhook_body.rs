//! What an event says. Nothing about a person: receivers fetch the rest while it is there.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::activation_code::ActivationCode;
use super::audit::{CUSTOMER_ID, Detail, Event, REASON};
use super::license::License;
use super::published::{format_moment, impersonal};
use super::webhook_event::WebhookEvent;

/// The rows that an event is about, as they are after it.
#[derive(Default)]
pub struct About {
    pub license: Option<License>,
    /// The license that it was moved from.
    pub moved_from: Option<License>,
    pub code: Option<ActivationCode>,
}

/// Of an event in the audit log.
pub fn body(
    told: WebhookEvent,
    event: &Event,
    audit_id: i64,
    about: &About,
    now: OffsetDateTime,
) -> String {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("audit_id", audit_id.into());
    let is_of_license = matches!(
        told,
        WebhookEvent::LicenseCreated
            | WebhookEvent::LicenseUpdated
            | WebhookEvent::LicenseMoved
            | WebhookEvent::LicenseDeleted
            | WebhookEvent::TrialStarted
            | WebhookEvent::CodeActivated
    );
    match (&about.license, event.pair()) {
        (Some(license), _) => drop(put("license", impersonal(license).into())),
        (None, Some((tool, key))) if is_of_license => {
            let license = json!({
                "id": event.license_id, "tool_name": tool, "license_key": key, "code_id": event.code_id
            });
            put("license", license);
        }
        (None, _) => {}
    }
    if let Some(old) = &about.moved_from {
        let old = json!({"id": old.id, "license_key": old.license_key});
        put("moved_from", old);
    }
    if let Some(code) = &about.code {
        put("code", described(code));
    }
    if matches!(
        told,
        WebhookEvent::LicenseUpdated | WebhookEvent::CodeUpdated
    ) {
        // Names of fields, no values.
        let changed = event.differences().into_iter().map(|d| d.name);
        put("changed", changed.filter(|name| name != REASON).collect());
    }
    for (name, detail) in event.after.0.iter().filter(|(name, _)| says(told, name)) {
        let value = match detail {
            Detail::Text(text) => text.as_str().into(),
            Detail::Number(number) => (*number).into(),
            Detail::Personal(personal) => personal.shown().into(),
        };
        put(name, value);
    }
    if told == WebhookEvent::ToolRenamed
        && let Some(Detail::Text(before)) = event.before.0.get("tool_name")
    {
        put("renamed_from", before.as_str().into());
    }
    envelope(told, now, data.into())
}

/// Details that are told as they are. The reference of an order is known as long as the order.
fn says(told: WebhookEvent, name: &str) -> bool {
    let names: &[&str] = match told {
        WebhookEvent::LicensesUpdated => &["licenses"],
        WebhookEvent::LicensesImported => &["added", "changed"],
        WebhookEvent::OrderCreated => &["order_ref", "items"],
        WebhookEvent::CodesCreated => &["tool_name", "codes"],
        WebhookEvent::CustomerUpdated | WebhookEvent::CustomerErased => &[CUSTOMER_ID],
        WebhookEvent::ToolRenamed => &["tool_name", "licenses"],
        _ => &[],
    };
    names.contains(&name)
}

fn described(code: &ActivationCode) -> Value {
    let or_null = |text: String| (!text.is_empty()).then_some(text);
    let mut all: Map<String, Value> = Map::new();
    for (name, text) in code.values.texts() {
        let value = match name {
            "customer" | "order_ref" | "note" | "data" => continue,
            "seats" | "moves_per_year" | "days" => text.parse::<i64>().ok().into(),
            "features" => code.values.entitlements.features.clone().into(),
            _ => or_null(text).into(),
        };
        all.insert(name.to_owned(), value);
    }
    all.insert("id".to_owned(), code.id.into());
    all.insert(
        "created_at".to_owned(),
        format_moment(code.created_at).into(),
    );
    all.insert("tool_name".to_owned(), code.tool_name.as_str().into());
    all.insert("activation_code".to_owned(), code.masked().into());
    all.insert("test".to_owned(), code.is_test.into());
    all.into()
}

pub fn test(webhook_id: i64, now: OffsetDateTime) -> String {
    envelope(WebhookEvent::Test, now, json!({"webhook_id": webhook_id}))
}

fn envelope(told: WebhookEvent, now: OffsetDateTime, data: Value) -> String {
    let at = now.replace_nanosecond(0).unwrap_or(now);
    let at = at.format(&Rfc3339).unwrap_or_default();
    json!({"type": told.as_str(), "timestamp": at, "data": data}).to_string()
}
