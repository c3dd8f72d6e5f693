//! What a check records: when a license was last seen, or that a machine is unlicensed.

use std::net::IpAddr;

use serde_json::Value;
use time::{Date, OffsetDateTime};

use super::customer::NamedCustomer;
use super::license::{License, Verdict};
use super::question::Question;

/// Characters kept of each value that a client reports.
const MAX_LENGTH: usize = 100;

/// What a client reports about itself: shown to the admin, never part of the decision. Empty if it
/// reported nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientInfo {
    /// The version of the tool.
    pub version: String,
    pub hostname: String,
    /// The user signed in on the machine.
    pub user: String,
}

/// The machine's previous ID, as it would be stored: a hint for the admin, never part of the
/// decision. None for anything else than a license key.
pub fn previous_license_key(sent: &Value) -> Option<String> {
    let sent = sent.as_str()?;
    let question = Question::parse("-", sent).ok()?;
    Some(question.license_key.into_owned())
}

fn shown_text(object: &Value, name: &str) -> String {
    let typed = object.get(name).and_then(Value::as_str).unwrap_or_default();
    let shown = typed.trim().chars().filter(|c| !c.is_control());
    shown.take(MAX_LENGTH).collect()
}

/// Who asks for a license, from `{"name","email"}`: as the client says, never part of the decision.
pub fn asking_customer(sent: &Value) -> Option<NamedCustomer> {
    let customer = NamedCustomer {
        name: shown_text(sent, "name"),
        email: shown_text(sent, "email").to_lowercase(),
    };
    (customer != NamedCustomer::default()).then_some(customer)
}

impl ClientInfo {
    /// Reads `{"version","hostname","user"}`. Values that cannot be shown are dropped and long ones
    /// truncated: a computer's name must not lock a customer out.
    pub fn read(client: &Value) -> Option<ClientInfo> {
        let text = |name| shown_text(client, name);
        let info = ClientInfo {
            version: text("version"),
            hostname: text("hostname"),
            user: text("user"),
        };
        (!info.is_empty()).then_some(info)
    }

    pub fn is_empty(&self) -> bool {
        *self == ClientInfo::default()
    }
}

/// Checks of one license that differ only in the time of day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRecord {
    pub license_id: i64,
    /// In the operator's UTC offset.
    pub day: Date,
    pub verdict: Verdict,
    /// The client's address.
    pub address: IpAddr,
    /// Boxed: there are many records, and most clients report nothing.
    pub client: Option<Box<ClientInfo>>,
    /// Unix seconds.
    pub first_at: i64,
    /// Unix seconds.
    pub last_at: i64,
    pub count: u32,
}

impl CheckRecord {
    /// Adds the checks of another record; returns false and changes nothing if they differ in more
    /// than the time of day.
    pub fn merge(&mut self, other: &CheckRecord) -> bool {
        let is_alike = self.license_id == other.license_id
            && self.day == other.day
            && self.verdict == other.verdict
            && self.address == other.address
            && self.client == other.client;
        if is_alike {
            self.first_at = self.first_at.min(other.first_at);
            self.last_at = self.last_at.max(other.last_at);
            self.count += other.count;
        }
        is_alike
    }
}

/// The last check of a license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    pub last_at: OffsetDateTime,
    /// Checks so far, including this one.
    pub check_count: i64,
    /// Refused checks on the day of this one.
    pub refused_count: i64,
    pub verdict: Verdict,
    /// The client's address.
    pub address: String,
    /// What the client last reported.
    pub client: ClientInfo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedLicense {
    pub license: License,
    /// The day of the last check in the operator's UTC offset, `YYYY-MM-DD`; empty for never.
    pub last_seen_on: String,
    /// None before the first check.
    pub last_check: Option<LastCheck>,
    /// Different addresses and host names in the 30 days before the last new one.
    pub address_count: i64,
    pub host_count: i64,
    /// That it is of, as it is compared; empty for none.
    pub activation_code: String,
}

/// Where a license was checked from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Different ones in the last 30 days.
    pub addresses: i64,
    pub hosts: i64,
    /// Newest first.
    pub last: Vec<CheckPlace>,
}

/// An address and a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPlace {
    pub address: String,
    /// As last reported there.
    pub client: ClientInfo,
    pub first_at: OffsetDateTime,
    /// `YYYY-MM-DD` in the operator's UTC offset.
    pub last_on: String,
}

/// A check that differed from the previous ones on its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckChange {
    /// The first such check of that day.
    pub first_at: OffsetDateTime,
    pub verdict: Verdict,
    /// The client's address.
    pub address: String,
    /// The version of the tool; empty if the client did not report it.
    pub version: String,
}

/// Checks of an unlicensed machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlicensedCheck {
    /// Unix seconds.
    pub first_at: i64,
    /// Unix seconds.
    pub last_at: i64,
    pub count: u32,
    /// The client's address at the last check.
    pub address: IpAddr,
    /// The ID that the machine last had a good result with, if the client reported it.
    pub previous_license_key: Option<String>,
    /// What the client last reported, and when.
    pub client: Option<(i64, Box<ClientInfo>)>,
    /// Who last asked for a license, and when.
    pub customer: Option<(i64, Box<NamedCustomer>)>,
}

impl UnlicensedCheck {
    /// Adds checks of the same machine, which may be older.
    pub fn merge(&mut self, mut older: UnlicensedCheck) {
        if older.last_at >= self.last_at {
            std::mem::swap(self, &mut older);
        }
        self.previous_license_key = self
            .previous_license_key
            .take()
            .or(older.previous_license_key);
        let reports = self.client.take().into_iter().chain(older.client);
        self.client = reports.max_by_key(|(at, _)| *at);
        let customers = self.customer.take().into_iter().chain(older.customer);
        self.customer = customers.max_by_key(|(at, _)| *at);
        self.first_at = self.first_at.min(older.first_at);
        self.count += older.count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::date;

    #[test]
    fn records_that_differ_only_in_the_time_of_day_are_merged() {
        let record = |address: [u8; 4], last_at| CheckRecord {
            license_id: 1,
            day: date!(2026 - 06 - 15),
            verdict: Verdict::Valid,
            address: IpAddr::from(address),
            client: None,
            first_at: last_at,
            last_at,
            count: 1,
        };
        let (office, home) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut merged = record(office, 5);
        assert!(merged.merge(&record(office, 3)));
        assert!(!merged.merge(&record(home, 4)));
        assert!(!merged.merge(&CheckRecord {
            day: date!(2026 - 06 - 16),
            ..record(office, 5)
        }));
        let expected = CheckRecord {
            first_at: 3,
            count: 2,
            ..record(office, 5)
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn whatever_a_client_reports_is_shown_or_left_out() {
        let long = "x".repeat(200);
        let info = ClientInfo::read(
            &json!({"version": " 1.\u{202e}0\n ", "hostname": long, "user": 7, "other": []}),
        );
        let expected = ClientInfo {
            version: "1.\u{202e}0".into(),
            hostname: "x".repeat(100),
            user: String::new(),
        };
        assert_eq!(info, Some(expected));
        for nothing in [
            json!("1.0"),
            json!(null),
            json!([1]),
            json!({}),
            json!({"version": ""}),
        ] {
            assert_eq!(ClientInfo::read(&nothing), None, "{nothing}");
        }
    }
}
