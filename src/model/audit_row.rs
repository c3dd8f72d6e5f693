//! An entry of the audit log in its published form: as JSON and as a CSV line.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::audit::{Detail, Details, Entry, FACTOR, Personal, REASON};
use super::import::csv_line;
use super::published::format_moment;
use crate::error::Error;

/// Erased values are null.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub struct AuditRow {
    /// Consecutive
    id: i64,
    /// YYYY-MM-DD HH:MM:SS, in UTC
    created_at: String,
    /// What was done
    kind: &'static str,
    /// A person, `token NAME`, `command line`, a shop, or what else changed something
    who: Option<String>,
    /// From where; null on the command line, and for what the server did by itself
    address: Option<String>,
    /// How that person had signed in; null for what is no person, and in entries of earlier versions
    factor: Option<String>,
    license_id: Option<i64>,
    tool_name: Option<String>,
    license_key: Option<String>,
    /// In the words of that person
    reason: Option<String>,
    /// Values before the change
    #[schema(value_type = Object)]
    before: Map<String, Value>,
    /// Values after the change, or other details
    #[schema(value_type = Object)]
    after: Map<String, Value>,
    /// Of this entry and the one before
    hash: String,
    #[serde(skip)]
    changes: Vec<String>,
}

impl From<Entry> for AuditRow {
    fn from(entry: Entry) -> AuditRow {
        let event = &entry.event;
        let pair = event.pair();
        let pair = pair.map(|(tool, key)| (tool.to_owned(), key.to_owned()));
        let (tool_name, license_key) = pair.unzip();
        let changes = event.differences().into_iter();
        let changes = changes.filter(|change| change.name != REASON);
        let changes = changes.map(|change| match &*change.before {
            "" => format!("{}: {}", change.name, change.after),
            before => format!("{}: {before} → {}", change.name, change.after),
        });
        AuditRow {
            id: entry.id,
            created_at: format_moment(entry.at),
            kind: event.kind.as_str(),
            who: text(&event.who),
            address: text(&event.address),
            factor: event.factor().map(str::to_owned),
            license_id: event.license_id,
            tool_name,
            license_key,
            reason: event.reason().and_then(text),
            before: values(&event.before),
            after: values(&event.after),
            changes: changes.collect(),
            hash: entry.hash,
        }
    }
}

fn text(personal: &Personal) -> Option<String> {
    personal.text.clone().filter(|text| !text.is_empty())
}

/// All but what the entry says elsewhere.
fn values(details: &Details) -> Map<String, Value> {
    let is_own = |name: &String| name != FACTOR && name != REASON;
    let values = details.0.iter().filter(|(name, _)| is_own(name));
    let values = values.map(|(name, detail)| {
        let value = match detail {
            Detail::Text(text) => text.as_str().into(),
            Detail::Number(number) => (*number).into(),
            Detail::Personal(personal) => personal.text.clone().into(),
        };
        (name.clone(), value)
    });
    values.collect()
}

impl AuditRow {
    pub const COLUMNS: [&str; 12] = [
        "id",
        "created_at",
        "kind",
        "who",
        "address",
        "factor",
        "license_id",
        "tool_name",
        "license_key",
        "reason",
        "changes",
        "hash",
    ];

    /// In the order of [`AuditRow::COLUMNS`].
    pub fn csv_line(&self) -> Result<String, Error> {
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let license_id = self.license_id.map(|id| id.to_string());
        let cells = [
            self.id.to_string(),
            self.created_at.clone(),
            self.kind.to_owned(),
            or_empty(&self.who),
            or_empty(&self.address),
            or_empty(&self.factor),
            or_empty(&license_id),
            or_empty(&self.tool_name),
            or_empty(&self.license_key),
            or_empty(&self.reason),
            self.changes.join("; "),
            self.hash.clone(),
        ];
        csv_line(&cells.each_ref().map(String::as_str))
    }

    pub fn json_line(&self) -> Result<String, Error> {
        let line = serde_json::to_string(self);
        let line = line.map_err(|error| Error::Internal(error.to_string()))?;
        Ok(line + "\n")
    }
}
