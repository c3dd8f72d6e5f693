//! The audit log: what was done and by whom, hash-chained so that no entry can be removed
//! unnoticed.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::activation_code::{ActivationCode, CodeValues};
use super::customer::{Customer, CustomerChange};
use super::license::fields::FIELDS;
use super::license::{Draft, License, Status};
use super::text;
use super::webhook_event::WebhookEvent;
use crate::error::Problem;

mod kind;

pub use kind::Kind;

/// How somebody proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    Password,
    /// A code of the second factor, too.
    PasswordAndCode,
    Token,
    CommandLine,
}

impl Factor {
    /// The word that is stored and shown.
    fn as_str(self) -> &'static str {
        match self {
            Factor::Password => "password",
            Factor::PasswordAndCode => "password and code",
            Factor::Token => "token",
            Factor::CommandLine => COMMAND_LINE,
        }
    }
}

const COMMAND_LINE: &str = "command line";

/// Who does something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A user name, `token NAME`, or `command line`.
    pub who: String,
    /// The client's address; empty on the command line.
    pub address: String,
    pub nameless: Nameless,
    /// None for the server itself, for shops and for customers.
    pub factor: Option<Factor>,
    /// In the person's own words; each entry about what was done has it.
    pub reason: Option<String>,
}

/// Who did it, without a name: for the event log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Nameless {
    /// What the actor is; empty for a person, or for whoever claims to be one.
    pub word: &'static str,
    /// The number of the person.
    pub user: Option<i64>,
    /// The number of the API token: several may have one name.
    pub token: Option<i64>,
}

impl Actor {
    pub fn person(id: i64, name: &str, address: impl ToString) -> Actor {
        let mut actor = Actor::other("", name, address);
        actor.nameless.user = Some(id);
        actor
    }

    pub fn token(id: i64, user_id: i64, name: &str, address: impl ToString) -> Actor {
        let who = format!("token {name}");
        let mut actor = Actor::other("token", &who, address).by(Factor::Token);
        (actor.nameless.user, actor.nameless.token) = (Some(user_id), Some(id));
        actor
    }

    /// Whoever is neither a person nor her token.
    pub fn other(word: &'static str, who: &str, address: impl ToString) -> Actor {
        Actor {
            who: who.to_owned(),
            address: address.to_string(),
            nameless: Nameless {
                word,
                ..Nameless::default()
            },
            factor: None,
            reason: None,
        }
    }

    pub fn by(self, factor: Factor) -> Actor {
        Actor {
            factor: Some(factor),
            ..self
        }
    }

    /// For this reason, as typed; empty for none.
    pub fn because(self, typed: &str) -> Result<Actor, Problem> {
        let reason = text::optional(REASON, "The reason", typed, REASON_LENGTH)?;
        Ok(Actor {
            reason: (!reason.is_empty()).then_some(reason),
            ..self
        })
    }

    /// Without an address.
    pub fn here(word: &'static str) -> Actor {
        Actor::other(word, word, "")
    }

    /// The server itself, on its first start.
    pub fn first_start() -> Actor {
        Actor::here("first start")
    }

    /// The server itself, resuming an interrupted change.
    pub fn recovery() -> Actor {
        Actor::here("recovery")
    }

    /// The server itself, disabling a webhook.
    pub fn webhooks() -> Actor {
        Actor::here("webhooks")
    }

    /// The server, at any start.
    pub fn start() -> Actor {
        Actor::here("server start")
    }

    /// Someone with a shell on the server.
    pub fn command_line() -> Actor {
        Actor::here(COMMAND_LINE).by(Factor::CommandLine)
    }

    fn details(&self) -> Details {
        let factor = self.factor.map(|factor| (FACTOR, factor.as_str().into()));
        let reason = self
            .reason
            .as_deref()
            .map(|reason| (REASON, Detail::personal(reason)));
        let named = factor.into_iter().chain(reason);
        Details(
            named
                .map(|(name, detail)| (name.to_owned(), detail))
                .collect(),
        )
    }
}

/// A personal value. It is stored outside the log, which contains only its salted hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// None once erased.
    pub text: Option<String>,
    /// Its row ID; 0 until it is stored.
    pub id: i64,
    /// [`commitment`]; empty until it is stored.
    pub commitment: String,
}

impl Personal {
    fn new(text: &str) -> Personal {
        Personal {
            text: Some(text.to_owned()),
            id: 0,
            commitment: String::new(),
        }
    }

    /// Of an entry whose details were removed.
    pub fn removed() -> Personal {
        Personal {
            text: None,
            id: 0,
            commitment: String::new(),
        }
    }

    pub fn shown(&self) -> &str {
        self.text.as_deref().unwrap_or(ERASED)
    }
}

/// In place of a personal value that was erased.
pub const ERASED: &str = "(erased)";

/// The details with what the [`Actor`] says, beside those about what was done.
pub const FACTOR: &str = "factor";
pub const REASON: &str = "reason";
/// Characters.
pub const REASON_LENGTH: usize = 200;

/// The detail with the ID of a customer.
pub const CUSTOMER_ID: &str = "customer_id";

/// The detail with the name of who invited a person.
pub const INVITED_BY: &str = "invited_by";

/// The detail with the ID of the person who signs in and whom the entry is about: names change hands.
pub const PERSON_ID: &str = "person_id";

/// What the chain contains of a personal value: SHA-256 of salt, colon and value, as base64url.
pub fn commitment(salt: &str, value: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{salt}:{value}")))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A text that is not personal.
    Text(String),
    Number(i64),
    Personal(Personal),
}

impl Detail {
    pub fn personal(text: &str) -> Detail {
        Detail::Personal(Personal::new(text))
    }

    fn shown(&self) -> String {
        match self {
            Detail::Text(text) => text.clone(),
            Detail::Number(number) => number.to_string(),
            Detail::Personal(personal) => personal.shown().to_owned(),
        }
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Detail {
        Detail::Text(text.to_owned())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Detail {
        Detail::Text(text)
    }
}

impl From<i64> for Detail {
    fn from(number: i64) -> Detail {
        Detail::Number(number)
    }
}

/// A detail as it is serialized.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(&'a str),
    Number(i64),
    Personal([Reference<'a>; 1]),
}

/// The placeholder for a personal value.
#[derive(Serialize)]
#[serde(untagged)]
enum Reference<'a> {
    Id(i64),
    Commitment(&'a str),
}

/// Details by name; stored as a JSON object in which a one-element array refers to a personal
/// value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details(pub BTreeMap<String, Detail>);

impl Details {
    /// The stored form: `[17]` refers to personal value 17. Empty for no details.
    pub fn stored(&self) -> String {
        self.json(|personal| Reference::Id(personal.id))
    }

    /// The form that is hashed into the chain.
    fn chained(&self) -> String {
        self.json(|personal| Reference::Commitment(&personal.commitment))
    }

    fn json<'a>(&'a self, personal: impl Fn(&'a Personal) -> Reference<'a>) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let members = self.0.iter().map(|(name, detail)| {
            let value = match detail {
                Detail::Text(text) => Written::Text(text),
                Detail::Number(number) => Written::Number(*number),
                Detail::Personal(one) => Written::Personal([personal(one)]),
            };
            (name, value)
        });
        let members: BTreeMap<&String, Written<'_>> = members.collect();
        // Text and numbers always serialize.
        serde_json::to_string(&members).unwrap_or_default()
    }

    /// Parses [`Details::stored`]; `find` loads a personal value. None if it cannot be parsed.
    pub fn read<E>(
        stored: &str,
        mut find: impl FnMut(i64) -> Result<Personal, E>,
    ) -> Result<Option<Details>, E> {
        if stored.is_empty() {
            return Ok(Some(Details::default()));
        }
        let Ok(members) = serde_json::from_str::<BTreeMap<String, Value>>(stored) else {
            return Ok(None);
        };
        let mut details = Details::default();
        for (name, value) in members {
            let reference = value.as_array().and_then(|array| match &array[..] {
                [id] => id.as_i64(),
                _ => None,
            });
            let detail = match (value.as_str(), value.as_i64(), reference) {
                (Some(text), ..) => Detail::from(text),
                (_, Some(number), _) => Detail::from(number),
                (.., Some(id)) => Detail::Personal(find(id)?),
                (None, None, None) => return Ok(None),
            };
            details.0.insert(name, detail);
        }
        Ok(Some(details))
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Detail::Text(text)) => Some(text),
            Some(Detail::Number(_) | Detail::Personal(_)) | None => None,
        }
    }

    /// Also a personal value, unless it was erased.
    pub fn words(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Detail::Text(text)) => Some(text),
            Some(Detail::Personal(personal)) => personal.text.as_deref(),
            Some(Detail::Number(_)) | None => None,
        }
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Detail::Number(number)) => Some(*number),
            Some(Detail::Text(_) | Detail::Personal(_)) | None => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub kind: Kind,
    /// See [`Actor::who`].
    pub who: Personal,
    /// See [`Actor::address`].
    pub address: Personal,
    /// Kept after the license is deleted.
    pub license_id: Option<i64>,
    /// Of the activation code that it is about, or that the license is of; not in the chain.
    pub code_id: Option<i64>,
    pub before: Details,
    /// The values after, or other details.
    pub after: Details,
    /// What receivers of webhooks are told; not stored.
    pub told: Option<WebhookEvent>,
    /// In place of `who` in the event log; not stored.
    pub nameless: Nameless,
}

impl Event {
    /// An event that is not about a license.
    pub fn new(kind: Kind, actor: &Actor) -> Event {
        let own = actor.nameless.user.filter(|_| kind.is_about_actor());
        let event = Event {
            kind,
            who: Personal::new(&actor.who),
            address: Personal::new(&actor.address),
            license_id: None,
            code_id: None,
            before: Details::default(),
            after: actor.details(),
            told: kind.told(),
            nameless: actor.nameless,
        };
        match own {
            Some(id) => event.with(PERSON_ID, id),
            None => event,
        }
    }

    /// Of a change that another event tells of, or that is nobody's business.
    pub fn untold(self) -> Event {
        Event { told: None, ..self }
    }

    pub fn with(mut self, name: &str, detail: impl Into<Detail>) -> Event {
        self.after.0.insert(name.to_owned(), detail.into());
        self
    }

    /// A value before and after, if it changed.
    pub fn changed(mut self, name: &str, before: Detail, after: Detail) -> Event {
        if before != after {
            self.before.0.insert(name.to_owned(), before);
            self.after.0.insert(name.to_owned(), after);
        }
        self
    }

    /// A license that was added (no `before`), changed, or deleted (no `after`).
    pub fn license(actor: &Actor, before: Option<&License>, after: Option<&License>) -> Event {
        let (kind, license) = match (before, after) {
            (None, Some(after)) => (Kind::LicenseAdded, Some(after)),
            (Some(_), Some(after)) => (Kind::LicenseChanged, Some(after)),
            (before, None) => (Kind::LicenseDeleted, before),
        };
        let told = match kind {
            Kind::LicenseAdded if license.is_some_and(|license| license.is_trial) => {
                Some(WebhookEvent::TrialStarted)
            }
            _ => kind.told(),
        };
        let mut event = Event {
            told,
            license_id: license.map(|license| license.id),
            code_id: license.and_then(|license| Some(license.seat?.code_id)),
            before: before
                .map(|license| values(license, after))
                .unwrap_or_default(),
            ..Event::new(kind, actor)
        };
        let after = after.map(|license| values(license, before));
        event.after.0.extend(after.unwrap_or_default().0);
        event
    }

    /// A license that was revoked because another one replaced it.
    pub fn moved(actor: &Actor, old: &License, new: &License) -> Event {
        let mut revoked = old.clone();
        revoked.values.status = Status::Revoked;
        let event = Event {
            kind: Kind::LicenseMoved,
            told: Kind::LicenseMoved.told(),
            ..Event::license(actor, Some(old), Some(&revoked))
        };
        event.with("moved_to", &*new.license_key)
    }

    /// What people decide about an activation code was changed.
    pub fn code_changed(actor: &Actor, code: &ActivationCode, after: &CodeValues) -> Event {
        let mut event = Event::new(Kind::CodeChanged, actor);
        event.code_id = Some(code.id);
        let texts = code.values.texts().into_iter().zip(after.texts());
        for ((name, before), (_, after)) in texts.filter(|(before, after)| before != after) {
            let is_personal = matches!(name, "customer" | "order_ref" | "note" | "data");
            let detail = |text: String| match is_personal {
                true => Detail::personal(&text),
                false => Detail::Text(text),
            };
            event.before.0.insert(name.to_owned(), detail(before));
            event.after.0.insert(name.to_owned(), detail(after));
        }
        for details in [&mut event.before, &mut event.after] {
            let about = [
                ("tool_name", code.tool_name.clone()),
                ("activation_code", code.masked()),
            ];
            for (name, text) in about {
                details.0.insert(name.to_owned(), text.into());
            }
            details.0.insert("code_id".to_owned(), code.id.into());
        }
        event
    }

    /// A customer that was changed, or that another one was merged into.
    pub fn customer(actor: &Actor, kind: Kind, before: &Customer, after: &Customer) -> Event {
        let mut event = Event::new(kind, actor).with(CUSTOMER_ID, after.id);
        let texts = before.texts().into_iter().zip(after.texts());
        for ((name, before), (_, after)) in texts.filter(|(before, after)| before != after) {
            for (details, text) in [(&mut event.before, before), (&mut event.after, after)] {
                if !text.is_empty() {
                    details.0.insert(name.to_owned(), Detail::personal(text));
                }
            }
        }
        event
    }

    /// What was changed about a customer, by its ID.
    pub fn changed_customer(&self) -> Option<(i64, Vec<CustomerChange>)> {
        let (before, after) = (&self.before.0, &self.after.0);
        let Some(Detail::Number(id)) = after.get(CUSTOMER_ID) else {
            return None;
        };
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let text = |detail: Option<&Detail>| match detail {
            None => Some(String::new()),
            Some(Detail::Personal(personal)) => personal.text.clone(),
            Some(other) => Some(other.shown()),
        };
        let others = [CUSTOMER_ID, FACTOR, REASON];
        let names = names
            .into_iter()
            .filter(|name| !others.contains(&name.as_str()));
        let changes = names.map(|name| CustomerChange {
            field: name.clone(),
            before: text(before.get(name)),
            after: text(after.get(name)),
        });
        Some((*id, changes.collect())).filter(|_| self.kind == Kind::CustomerChanged)
    }

    /// The activation code that was changed, masked.
    pub fn changed_code(&self) -> Option<(i64, &str)> {
        let code = self.after.text("activation_code");
        Some((self.code_id?, code?)).filter(|_| self.kind == Kind::CodeChanged)
    }

    /// The license's tool and key at that time.
    pub fn pair(&self) -> Option<(&str, &str)> {
        let of = [&self.after, &self.before]
            .into_iter()
            .find(|of| of.text("license_key").is_some())?;
        self.license_id?;
        Some((of.text("tool_name")?, of.text("license_key")?))
    }

    pub fn personal_mut(&mut self) -> impl Iterator<Item = &mut Personal> {
        let details = self.before.0.values_mut().chain(self.after.0.values_mut());
        let personal = details.filter_map(|detail| match detail {
            Detail::Personal(personal) => Some(personal),
            Detail::Text(_) | Detail::Number(_) => None,
        });
        [&mut self.who, &mut self.address]
            .into_iter()
            .chain(personal)
    }

    /// How whoever did it had signed in; none if nobody had, or if the entry is older.
    pub fn factor(&self) -> Option<&str> {
        self.after.text(FACTOR).or(self.after.text("factors"))
    }

    /// The person's own words.
    pub fn reason(&self) -> Option<&Personal> {
        match self.after.0.get(REASON) {
            Some(Detail::Personal(reason)) => Some(reason),
            Some(Detail::Text(_) | Detail::Number(_)) | None => None,
        }
    }

    /// The changed values, field by field, and the reason.
    pub fn differences(&self) -> Vec<Difference> {
        let (before, after) = (&self.before.0, &self.after.0);
        let added = after.keys().filter(|name| !before.contains_key(*name));
        let shown = |details: &BTreeMap<String, Detail>, name: &str| {
            details.get(name).map(Detail::shown).unwrap_or_default()
        };
        before
            .keys()
            .chain(added)
            .filter(|name| *name != FACTOR && *name != PERSON_ID)
            .map(|name| Difference {
                name: name.clone(),
                before: shown(before, name),
                after: shown(after, name),
            })
            .filter(|difference| difference.before != difference.after)
            .collect()
    }
}

/// The values of a license that differ from the defaults of a new one; with `other`, only those
/// that differ from it, plus tool and key.
fn values(license: &License, other: Option<&License>) -> Details {
    let others = other.map(|other| other.texts());
    let defaults = Draft::new();
    let mut details = Details::default();
    for (at, (field, text)) in FIELDS.iter().zip(license.texts()).enumerate() {
        let differs = match &others {
            Some(others) => others[at] != text,
            None => defaults.get(field.name) != text,
        };
        let is_pair = field.name == "tool_name" || field.name == "license_key";
        if (differs || is_pair) && !text.is_empty() {
            let detail = match field.is_personal {
                true => Detail::personal(&text),
                false => Detail::Text(text.into_owned()),
            };
            details.0.insert(field.name.to_owned(), detail);
        }
    }
    details
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Consecutive.
    pub id: i64,
    pub at: OffsetDateTime,
    /// Without details if these were removed.
    pub event: Event,
    /// [`Entry::content`] of an entry whose details were removed.
    pub removed: Option<String>,
    /// [`link`] of the previous entry and this one.
    pub hash: String,
}

/// What the first entry is chained to.
pub const BEGINNING: &str = "";

/// How much of a SHA-256 the hashes of an entry have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashLength {
    /// 160 bits, as in the entries of earlier versions.
    Cut,
    Whole,
}

impl HashLength {
    fn of(hash: &str) -> HashLength {
        match hash.len() {
            WHOLE => HashLength::Whole,
            _ => HashLength::Cut,
        }
    }

    fn bytes(self) -> usize {
        match self {
            HashLength::Cut => 20,
            HashLength::Whole => 32,
        }
    }
}

/// Characters of a whole hash.
const WHOLE: usize = 43;

/// The hash of the previous one, of what every entry keeps, and of its content.
pub fn link(
    length: HashLength,
    previous: &str,
    id: i64,
    at: OffsetDateTime,
    event: &Event,
) -> String {
    let content = event.content(length);
    link_content(length, previous, (id, at, event.kind), &content)
}

fn link_content(
    length: HashLength,
    previous: &str,
    (id, at, kind): (i64, OffsetDateTime, Kind),
    content: &str,
) -> String {
    hash(
        length,
        &(previous, id, at.unix_timestamp(), kind.as_str(), content),
    )
}

/// SHA-256 as JSON, base64url-encoded.
fn hash(length: HashLength, all: &impl Serialize) -> String {
    let all = serde_json::to_string(all).unwrap_or_default();
    let hash: [u8; 32] = Sha256::digest(all).into();
    URL_SAFE_NO_PAD.encode(&hash[..length.bytes()])
}

impl Event {
    /// The hash of its details, in which personal values are commitments.
    fn content(&self, length: HashLength) -> String {
        hash(
            length,
            &(
                &self.who.commitment,
                &self.address.commitment,
                self.license_id,
                self.before.chained(),
                self.after.chained(),
            ),
        )
    }
}

impl Entry {
    /// What takes the place of its details once they are removed.
    pub fn content(&self) -> String {
        self.event.content(HashLength::of(&self.hash))
    }

    /// Whether it is the one that followed the entry with that hash. Only sign-ins may lack details.
    pub fn follows(&self, previous: &str) -> bool {
        let length = HashLength::of(&self.hash);
        // Otherwise somebody could go on with hashes for which two contents can be found.
        if length == HashLength::Cut && HashLength::of(previous) == HashLength::Whole {
            return false;
        }
        let content = match &self.removed {
            Some(content) if self.event.kind.is_sign_in() => content,
            Some(_) => return false,
            None => &self.event.content(length),
        };
        let kept = (self.id, self.at, self.event.kind);
        link_content(length, previous, kept, content) == self.hash
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    /// Empty for none.
    pub before: String,
    /// Empty for none.
    pub after: String,
}

/// Filters the log; an absent field matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub kind: Option<Kind>,
    pub license_id: Option<i64>,
    /// In its canonical spelling.
    pub license_key: Option<String>,
    /// The customer whose licenses these are now, byte for byte.
    pub user_id: Option<String>,
    /// Inclusive.
    pub from: Option<OffsetDateTime>,
    /// Exclusive.
    pub until: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::HashLength::Whole;
    use super::*;

    fn event() -> Event {
        Event::new(Kind::SignedIn, &Actor::person(1, "admin", "::1"))
    }

    #[test]
    fn a_link_depends_on_everything_in_the_entry() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let plain = link(Whole, "x", 1, at, &event());
        let mut other_person = event();
        other_person.who.commitment = "other".into();
        assert_eq!(plain, link(Whole, "x", 1, at, &event()));
        for changed in [
            link(Whole, "y", 1, at, &event()),
            link(Whole, "x", 2, at, &event()),
            link(Whole, "x", 1, at, &event().with("a", 1)),
            link(Whole, "x", 1, at, &other_person),
        ] {
            assert_ne!(plain, changed);
        }
    }

    #[test]
    fn a_link_survives_the_erasure_of_a_personal_value() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let mut kept = event().with("user_id", Detail::personal("Anna"));
        for personal in kept.personal_mut() {
            personal.commitment = commitment("salt", personal.shown());
        }
        let mut erased = kept.clone();
        erased
            .personal_mut()
            .for_each(|personal| personal.text = None);
        assert_eq!(
            link(Whole, "x", 1, at, &kept),
            link(Whole, "x", 1, at, &erased)
        );
        assert!(!kept.after.chained().contains("Anna"));
    }

    #[test]
    fn only_what_differs_is_listed() {
        let mut changed = event().with("a", "2").with("b", "new").with("c", "x");
        changed.before.0 = [("a", "1"), ("c", "x")]
            .map(|(name, text)| (name.to_owned(), Detail::from(text)))
            .into();
        let listed = changed.differences().into_iter();
        let listed: Vec<_> = listed.map(|d| (d.name, d.before, d.after)).collect();
        let expect =
            |name: &str, before: &str, after: &str| (name.into(), before.into(), after.into());
        assert_eq!(listed, [expect("a", "1", "2"), expect("b", "", "new")]);
    }

    #[test]
    fn stored_details_are_read_as_they_were() {
        let details = event()
            .with("n", 5)
            .with("t", "x")
            .with("p", Detail::personal("Anna"))
            .after;
        let stored = details.stored();
        let read = Details::read(&stored, |_| Ok::<_, ()>(Personal::new("Anna")));
        assert_eq!(read, Ok(Some(details)));
        assert!(!stored.contains("Anna"), "{stored}");
        assert_eq!(
            Details::read("[1]", |_| Ok::<_, ()>(Personal::new(""))),
            Ok(None)
        );
    }
}
