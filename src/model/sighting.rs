//! What a check leaves behind: that a license was seen, or that an unknown key has asked.

use std::net::IpAddr;

use serde_json::Value;
use time::OffsetDateTime;

use super::license::Verdict;

/// Characters that are kept of each thing that a client says of itself.
const MOST: usize = 100;

/// What a client says of itself; shown to the admin, never judged, empty where it said nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    /// Of the program that asks.
    pub version: String,
    /// The name of the machine.
    pub hostname: String,
    /// Who has signed in there.
    pub user: String,
}

impl Said {
    /// From `{"version","hostname","user"}`. What cannot be shown is left out and what is too long is
    /// cut: no customer shall be locked out because of the name of a computer.
    pub fn read(client: &Value) -> Option<Said> {
        let text = |name| {
            let typed = client.get(name).and_then(Value::as_str).unwrap_or_default();
            let shown = typed.trim().chars().filter(|c| !c.is_control());
            shown.take(MOST).collect::<String>()
        };
        let said = Said {
            version: text("version"),
            hostname: text("hostname"),
            user: text("user"),
        };
        (!said.is_empty()).then_some(said)
    }

    /// Whether it said nothing.
    pub fn is_empty(&self) -> bool {
        *self == Said::default()
    }
}

/// Some checks of one license that differ in nothing but their moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The license's number.
    pub license_id: i64,
    /// What the client was told.
    pub verdict: Verdict,
    /// From where it asked.
    pub address: IpAddr,
    /// What it said of itself.
    pub said: Option<Box<Said>>,
    /// The last of them, in Unix seconds.
    pub last_at: i64,
    /// How many they are.
    pub count: u32,
}

impl Sighting {
    fn what(&self) -> (i64, Verdict, IpAddr, &Option<Box<Said>>) {
        (self.license_id, self.verdict, self.address, &self.said)
    }
}

/// Sorts by license, and makes one of those that differ in nothing but their moment.
pub fn merge(sightings: &mut Vec<Sighting>) {
    sightings.sort_unstable_by(|a, b| a.what().cmp(&b.what()));
    sightings.dedup_by(|next, kept| {
        let is_same = next.what() == kept.what();
        if is_same {
            kept.count += next.count;
            kept.last_at = kept.last_at.max(next.last_at);
        }
        is_same
    });
}

/// What is known of the checks of one license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The last one.
    pub last_at: OffsetDateTime,
    /// How many there were.
    pub check_count: i64,
    /// What the last one was told.
    pub verdict: Verdict,
    /// From where it came.
    pub address: String,
    /// What a client last said of itself.
    pub said: Said,
}

/// A check that was different from those before it on its day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When it was first so on that day.
    pub first_at: OffsetDateTime,
    /// What the client was told.
    pub verdict: Verdict,
    /// From where it asked.
    pub address: String,
    /// Of the program; empty where it said nothing.
    pub version: String,
}

/// Checks of a key that has no license for the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The first of them, in Unix seconds.
    pub first_at: i64,
    /// The last of them.
    pub last_at: i64,
    /// How many they are.
    pub count: u32,
    /// From where the last came.
    pub address: IpAddr,
}

/// A key that has asked for a tool, and has no license for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The tool that it asked for.
    pub tool_name: String,
    /// In its canonical spelling.
    pub license_key: String,
    /// When it asked first.
    pub first_at: OffsetDateTime,
    /// When it asked last.
    pub last_at: OffsetDateTime,
    /// How often it has asked.
    pub check_count: i64,
    /// From where it asked last.
    pub address: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sighting(license_id: i64, address: [u8; 4], last_at: i64) -> Sighting {
        Sighting {
            license_id,
            verdict: Verdict::Valid,
            address: IpAddr::from(address),
            said: None,
            last_at,
            count: 1,
        }
    }

    #[test]
    fn only_what_differs_in_nothing_but_its_moment_becomes_one() {
        let (here, there) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut all = vec![
            sighting(2, here, 5),
            sighting(1, there, 4),
            sighting(1, here, 3),
            sighting(2, here, 2),
        ];
        merge(&mut all);
        let two = Sighting {
            count: 2,
            ..sighting(2, here, 5)
        };
        assert_eq!(all, [sighting(1, here, 3), sighting(1, there, 4), two]);
    }

    #[test]
    fn whatever_a_client_says_of_itself_it_is_shown_or_left_out() {
        let long = "x".repeat(200);
        let said =
            Said::read(&json!({"version": " 1.0\n ", "hostname": long, "user": 7, "other": []}));
        let expected = Said {
            version: "1.0".into(),
            hostname: "x".repeat(100),
            user: String::new(),
        };
        assert_eq!(said, Some(expected));
        for nothing in [
            json!("1.0"),
            json!(null),
            json!([1]),
            json!({}),
            json!({"version": ""}),
        ] {
            assert_eq!(Said::read(&nothing), None, "{nothing}");
        }
    }
}
