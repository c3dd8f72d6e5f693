//! The audit log: what was done, by whom, chained so that nothing can be taken out unseen.

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::license::{License, Status};
use super::new_license::format_date;

/// Who does something, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A user's name, `token NAME`, or `command line`.
    pub who: String,
    /// The client's address; empty on the command line.
    pub address: String,
}

impl Actor {
    /// The program itself, where there was nothing yet.
    pub fn first_start() -> Actor {
        Actor {
            who: "first start".to_owned(),
            address: String::new(),
        }
    }

    /// Somebody with a shell on the server.
    pub fn command_line() -> Actor {
        Actor {
            who: "command line".to_owned(),
            address: String::new(),
        }
    }
}

/// What can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Name and password fitted.
    SignedIn,
    /// They did not.
    SignInFailed,
    /// Too many attempts; told once a minute for an address.
    SignInThrottled,
    /// A session was ended by its own sign-out.
    SignedOut,
    /// A session was ended from the account page.
    SessionEnded,
    /// A password was changed, which ends the other sessions.
    PasswordChanged,
    /// An API token was made.
    TokenCreated,
    /// An API token was taken back.
    TokenRevoked,
    /// A license was added.
    LicenseAdded,
    /// A license was changed.
    LicenseChanged,
    /// A license was deleted.
    LicenseDeleted,
    /// Many licenses were changed at once; each of them has an entry of its own too.
    ManyChanged,
    /// A license was moved to another machine.
    LicenseMoved,
    /// A file was imported; each license has an entry of its own too.
    Imported,
    /// The vendor's rules for a tool were changed.
    ToolChanged,
    /// A signing key was made.
    SigningKeyCreated,
    /// Another signing key is the default.
    SigningKeyDefault,
    /// A signing key signs nothing any more.
    SigningKeyRetired,
    /// The private half of a signing key was written to a file.
    SigningKeyExported,
    /// Invented licenses were added.
    DemoSeeded,
}

impl Kind {
    /// Every kind, in the order in which people are offered them.
    pub const ALL: [Kind; 20] = [
        Kind::LicenseAdded,
        Kind::LicenseChanged,
        Kind::LicenseDeleted,
        Kind::LicenseMoved,
        Kind::ManyChanged,
        Kind::Imported,
        Kind::ToolChanged,
        Kind::SigningKeyCreated,
        Kind::SigningKeyDefault,
        Kind::SigningKeyRetired,
        Kind::SigningKeyExported,
        Kind::SignedIn,
        Kind::SignInFailed,
        Kind::SignInThrottled,
        Kind::SignedOut,
        Kind::SessionEnded,
        Kind::PasswordChanged,
        Kind::TokenCreated,
        Kind::TokenRevoked,
        Kind::DemoSeeded,
    ];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SignedIn => "signed in",
            Kind::SignInFailed => "sign-in failed",
            Kind::SignInThrottled => "sign-in throttled",
            Kind::SignedOut => "signed out",
            Kind::SessionEnded => "session ended",
            Kind::PasswordChanged => "password changed",
            Kind::TokenCreated => "token created",
            Kind::TokenRevoked => "token revoked",
            Kind::LicenseAdded => "license added",
            Kind::LicenseChanged => "license changed",
            Kind::LicenseDeleted => "license deleted",
            Kind::LicenseMoved => "license moved",
            Kind::ManyChanged => "many licenses changed",
            Kind::Imported => "licenses imported",
            Kind::ToolChanged => "tool changed",
            Kind::SigningKeyCreated => "signing key created",
            Kind::SigningKeyDefault => "signing key made default",
            Kind::SigningKeyRetired => "signing key retired",
            Kind::SigningKeyExported => "signing key exported",
            Kind::DemoSeeded => "demo seeded",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The license that an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The row's id, also after the row is gone.
    pub id: i64,
    /// The tool's name at that time.
    pub tool_name: String,
    /// The key at that time.
    pub license_key: String,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// By whom.
    pub actor: Actor,
    /// To which license.
    pub subject: Option<Subject>,
    /// The values before, a JSON object.
    pub before: Option<String>,
    /// The values after, a JSON object; or what else there is to know.
    pub after: Option<String>,
}

impl Event {
    /// An event about no license.
    pub fn new(kind: Kind, actor: &Actor) -> Event {
        Event {
            kind,
            actor: actor.clone(),
            subject: None,
            before: None,
            after: None,
        }
    }

    /// The same with something to know about it.
    pub fn with(self, details: Value) -> Event {
        Event {
            after: Some(details.to_string()),
            ..self
        }
    }

    /// A license that was added (no `before`), changed, or deleted (no `after`).
    pub fn license(actor: &Actor, before: Option<&License>, after: Option<&License>) -> Event {
        let kind = match (before, after) {
            (None, _) => Kind::LicenseAdded,
            (Some(_), Some(_)) => Kind::LicenseChanged,
            (Some(_), None) => Kind::LicenseDeleted,
        };
        Event {
            subject: after.or(before).map(|license| Subject {
                id: license.id,
                tool_name: license.tool_name.clone(),
                license_key: license.license_key.clone(),
            }),
            before: before.map(values),
            after: after.map(values),
            ..Event::new(kind, actor)
        }
    }

    /// A license that was revoked because another took its place.
    pub fn moved(actor: &Actor, old: &License, new: &License) -> Event {
        let after = License {
            status: Status::Revoked,
            ..old.clone()
        };
        let mut details: Map<String, Value> =
            serde_json::from_str(&values(&after)).unwrap_or_default();
        details.insert("moved_to".to_owned(), new.license_key.clone().into());
        Event {
            kind: Kind::LicenseMoved,
            after: Some(Value::Object(details).to_string()),
            ..Event::license(actor, Some(old), Some(&after))
        }
    }

    /// What was changed, field by field; what stayed is left out.
    pub fn differences(&self) -> Vec<Difference> {
        let read = |text: &Option<String>| -> Map<String, Value> {
            text.as_deref()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_default()
        };
        let (before, after) = (read(&self.before), read(&self.after));
        let added = after.keys().filter(|name| !before.contains_key(*name));
        let names = before.keys().chain(added);
        let shown = |values: &Map<String, Value>, name: &str| match values.get(name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        names
            .map(|name| Difference {
                name: name.clone(),
                before: shown(&before, name),
                after: shown(&after, name),
            })
            .filter(|difference| difference.before != difference.after)
            .collect()
    }
}

/// What the log has of a license; the names stand in the order of the alphabet.
#[derive(Serialize)]
struct Values<'a> {
    expiration_date: Option<String>,
    license_key: &'a str,
    note: Option<&'a str>,
    status: &'a str,
    tool_name: &'a str,
    user_id: Option<&'a str>,
}

/// The values of a license as the log has them, a JSON object.
pub fn values(license: &License) -> String {
    let values = Values {
        expiration_date: license.expiration_date.map(format_date),
        license_key: &license.license_key,
        note: license.note.as_deref(),
        status: license.status.as_str(),
        tool_name: &license.tool_name,
        user_id: license.user_id.as_deref(),
    };
    // A struct of texts is always JSON.
    serde_json::to_string(&values).unwrap_or_default()
}

/// An event as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts up by one.
    pub id: i64,
    /// When it was done.
    pub at: OffsetDateTime,
    /// What was done.
    pub event: Event,
    /// [`link`] of the entry before and this one.
    pub hash: String,
}

/// What the first entry is chained to.
pub const BEGINNING: &str = "";

/// SHA-256, in lower-case hex, over the hash of the entry before and everything in this one.
pub fn link(previous: &str, id: i64, at: OffsetDateTime, event: &Event) -> String {
    let subject = event
        .subject
        .as_ref()
        .map(|s| (s.id, &s.tool_name, &s.license_key));
    let all = json!([
        previous,
        id,
        at.unix_timestamp(),
        event.kind.as_str(),
        event.actor.who,
        event.actor.address,
        subject,
        event.before,
        event.after,
    ]);
    Sha256::digest(all.to_string())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A value that differs: its name, what it was, what it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field's name.
    pub name: String,
    /// Nothing for a value that was not there or was null.
    pub before: String,
    /// Nothing for a value that is not there or is null.
    pub after: String,
}

/// Which entries; an absent part finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// This kind.
    pub kind: Option<Kind>,
    /// The license with this id.
    pub license_id: Option<i64>,
    /// A license with this key, in its canonical spelling.
    pub license_key: Option<String>,
    /// From this moment on.
    pub from: Option<OffsetDateTime>,
    /// Before this moment.
    pub until: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let actor = Actor {
            who: "admin".into(),
            address: "::1".into(),
        };
        Event {
            before: Some(r#"{"a":"1","b":null,"c":"x"}"#.into()),
            ..Event::new(Kind::SignedIn, &actor)
        }
    }

    #[test]
    fn a_link_depends_on_everything_in_the_entry() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let plain = link("x", 1, at, &event());
        let other = Event {
            after: Some("{}".into()),
            ..event()
        };
        assert_eq!(plain, link("x", 1, at, &event()));
        for changed in [
            link("y", 1, at, &event()),
            link("x", 2, at, &event()),
            link("x", 1, at, &other),
        ] {
            assert_ne!(plain, changed);
        }
    }

    #[test]
    fn only_what_differs_is_told() {
        let changed = Event {
            after: Some(r#"{"a":"2","b":"new","c":"x"}"#.into()),
            ..event()
        };
        let told: Vec<_> = changed
            .differences()
            .into_iter()
            .map(|d| (d.name, d.before, d.after))
            .collect();
        let expect =
            |name: &str, before: &str, after: &str| (name.into(), before.into(), after.into());
        assert_eq!(told, [expect("a", "1", "2"), expect("b", "", "new")]);
    }
}
