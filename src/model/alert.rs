//! What people are warned of, as the audit log tells it.

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use super::audit::{ERASED, Entry, INVITED_BY, Kind, PERSON_ID};
use super::date;
use super::role::Role;

/// How long an alert is shown to who has not marked it as seen.
pub const SHOWN_FOR: Duration = Duration::WEEK;

/// Refusals within this time are counted together.
const WINDOW: Duration = Duration::minutes(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertKind {
    /// A sign-in with a browser that the server did not know, but not the first one of a person.
    NewDevice,
    NewOwner,
    /// By the person herself.
    FactorRemoved,
    /// By somebody else.
    FactorReset,
    /// Many sign-ins were refused.
    SignIns,
    /// The password was right, and many codes were wrong.
    Codes,
    /// Many API tokens were refused.
    Tokens,
}

impl AlertKind {
    pub fn of_refusal(kind: Kind) -> Option<AlertKind> {
        match kind {
            Kind::SignInFailed | Kind::SignInThrottled => Some(AlertKind::SignIns),
            Kind::SecondFactorFailed => Some(AlertKind::Codes),
            Kind::TokenRefused => Some(AlertKind::Tokens),
            _ => None,
        }
    }

    /// For texts of mails.
    pub fn as_str(self) -> &'static str {
        match self {
            AlertKind::NewDevice => "new device",
            AlertKind::NewOwner => "new owner",
            AlertKind::FactorRemoved | AlertKind::FactorReset => "second factor removed",
            AlertKind::SignIns => "sign-ins refused",
            AlertKind::Codes => "codes refused",
            AlertKind::Tokens => "tokens refused",
        }
    }

    /// Attempts within [`WINDOW`] that are worth an alert; none if a single entry is.
    fn burst(self) -> Option<i64> {
        match self {
            AlertKind::NewDevice
            | AlertKind::NewOwner
            | AlertKind::FactorRemoved
            | AlertKind::FactorReset => None,
            // Who has forgotten the password gives up before that; a guesser has 110 attempts from one address.
            AlertKind::SignIns => Some(20),
            // A person gets the second or third code right; a stranger has ten attempts.
            AlertKind::Codes => Some(5),
            // Monitoring that asks every 15 seconds with an expired token makes 40.
            AlertKind::Tokens => Some(100),
        }
    }

    fn is_of_one_person(self) -> bool {
        !matches!(self, AlertKind::SignIns | AlertKind::Tokens)
    }

    /// Whether somebody who signs in did it, or the command line.
    pub fn has_actor(self) -> bool {
        self.is_by_owner() || self == AlertKind::FactorRemoved
    }

    /// Whether only an owner can cause it, or the command line.
    fn is_by_owner(self) -> bool {
        matches!(self, AlertKind::NewOwner | AlertKind::FactorReset)
    }

    /// Whether owners also get the mail to the person concerned.
    pub fn is_mailed_to_owners(self) -> bool {
        self != AlertKind::NewDevice
    }
}

/// Entries of one kind about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub kind: AlertKind,
    /// Of the newest entry.
    pub id: i64,
    pub at: OffsetDateTime,
    /// Whom it is about; empty for several.
    pub person: String,
    /// None for several, for somebody unknown, and in entries of earlier versions.
    pub person_id: Option<i64>,
    /// Who did it.
    pub by: String,
    /// Empty for several, and on the command line.
    pub address: String,
    /// As it calls itself.
    pub browser: String,
    /// Sign-ins, or attempts that were refused.
    pub number: i64,
}

impl Alert {
    /// Owners are warned of everything, others of what is about them.
    pub fn is_for(&self, id: i64, role: Role) -> bool {
        role == Role::Owner || self.is_about(id)
    }

    pub fn is_about(&self, id: i64) -> bool {
        self.person_id == Some(id)
    }

    /// Each person gets one mail with it: for each entry that only an owner can cause, otherwise a day.
    pub fn key(&self) -> String {
        if self.kind.is_by_owner() {
            return format!("alert of entry {}", self.id);
        }
        let (kind, day) = (self.kind.as_str(), date::format(self.at.to_utc().date()));
        match self.person_id.filter(|_| self.kind.is_of_one_person()) {
            Some(id) => format!("alert {day} {kind} about user {id}"),
            None => format!("alert {day} {kind}"),
        }
    }
}

/// The newest first.
pub fn alerts(entries: &[Entry]) -> Vec<Alert> {
    let mut groups: BTreeMap<_, Vec<Alert>> = BTreeMap::new();
    for one in entries.iter().filter_map(of_entry) {
        let person = match (one.kind.is_of_one_person(), one.person_id) {
            (true, None) => (None, one.person.clone()),
            (true, id) => (id, String::new()),
            (false, _) => (None, String::new()),
        };
        groups.entry((one.kind, person)).or_default().push(one);
    }
    let mut found: Vec<Alert> = groups.into_values().filter_map(together).collect();
    found.sort_by_key(|alert| std::cmp::Reverse((alert.at, alert.id)));
    found
}

fn of_entry(entry: &Entry) -> Option<Alert> {
    let event = &entry.event;
    let (before, after) = (&event.before, &event.after);
    let is_owner = after.text("role") == Some(Role::Owner.as_str());
    let who = event.who.shown();
    let name = |detail| after.words(detail).unwrap_or(ERASED);
    let (kind, person) = match event.kind {
        Kind::SignedIn if after.text("device") == Some("new") => (AlertKind::NewDevice, who),
        Kind::PersonAdded | Kind::PersonEnabled if is_owner => (AlertKind::NewOwner, name("name")),
        Kind::PersonChanged if is_owner && before.text("role").is_some() => {
            let now = after.words("name").unwrap_or_else(|| name("person"));
            (AlertKind::NewOwner, now)
        }
        Kind::FactorRemoved => (AlertKind::FactorRemoved, who),
        Kind::FactorReset => (AlertKind::FactorReset, name("name")),
        refused => match AlertKind::of_refusal(refused)? {
            AlertKind::Tokens => (AlertKind::Tokens, ""),
            kind => (kind, who),
        },
    };
    Some(Alert {
        kind,
        id: entry.id,
        at: entry.at,
        person: person.to_owned(),
        person_id: after.number(PERSON_ID),
        by: after.words(INVITED_BY).unwrap_or(who).to_owned(),
        address: event.address.shown().to_owned(),
        browser: after.words("browser").unwrap_or_default().to_owned(),
        number: after.number("attempts").unwrap_or(1),
    })
    .filter(|_| entry.removed.is_none())
}

/// None if that is no burst.
fn together(mut all: Vec<Alert>) -> Option<Alert> {
    all.sort_by_key(|one| (one.at, one.id));
    if let Some(burst) = all.first()?.kind.burst() {
        all = bursts(all, burst);
    }
    let last = all.last()?.clone();
    let is_common = |same: fn(&Alert, &Alert) -> bool| all.iter().all(|one| same(one, &last));
    let of_one_person =
        is_common(|one, last| (one.person_id, &one.person) == (last.person_id, &last.person));
    let of_one_address = is_common(|one, last| one.address == last.address);
    let if_common = |text: &String, is_common| match is_common {
        true => text.clone(),
        false => String::new(),
    };
    Some(match last.kind.burst() {
        None => Alert {
            number: all.len() as i64,
            ..last
        },
        Some(_) => Alert {
            person: if_common(&last.person, of_one_person),
            person_id: last.person_id.filter(|_| of_one_person),
            address: if_common(&last.address, of_one_address),
            number: all.iter().map(|one| one.number).sum(),
            ..last
        },
    })
}

/// Those that are close to enough others.
fn bursts(all: Vec<Alert>, burst: i64) -> Vec<Alert> {
    let mut is_of_burst = vec![false; all.len()];
    let (mut first, mut number) = (0, 0);
    for (last, one) in all.iter().enumerate() {
        number += one.number;
        while one.at - all[first].at >= WINDOW {
            number -= all[first].number;
            first += 1;
        }
        if number >= burst {
            is_of_burst[first..=last].fill(true);
        }
    }
    let all = all.into_iter().zip(is_of_burst);
    all.filter_map(|(one, is_of_burst)| is_of_burst.then_some(one))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::audit::{Actor, Event};
    use super::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    fn entry(id: i64, minutes: i64, who: &str, event: impl FnOnce(Event) -> Event) -> Entry {
        let actor = Actor::person(1, who, "192.0.2.7");
        Entry {
            id,
            at: START + Duration::minutes(minutes),
            event: event(Event::new(Kind::SignInFailed, &actor)),
            removed: None,
            hash: String::new(),
        }
    }

    fn of(kind: Kind, event: Event) -> Event {
        Event { kind, ..event }
    }

    fn kinds(entries: &[Entry]) -> Vec<(AlertKind, String, i64)> {
        let found = alerts(entries).into_iter();
        found
            .map(|one| (one.kind, one.person, one.number))
            .collect()
    }

    #[test]
    fn a_burst_is_many_refusals_within_ten_minutes() {
        let failed = |id, minutes, number: i64| {
            entry(id, minutes, "anna", |event| event.with("attempts", number))
        };
        assert_eq!(kinds(&[failed(1, 0, 19)]), []);
        assert_eq!(kinds(&[failed(1, 0, 10), failed(2, 10, 10)]), []);
        let burst = [failed(1, 0, 10), failed(2, 9, 10), failed(3, 60, 5)];
        let expected = (AlertKind::SignIns, "anna".to_owned(), 20);
        assert_eq!(kinds(&burst), [expected]);
        let several = [
            failed(1, 0, 19),
            entry(2, 0, "bo", |event| of(Kind::SignInThrottled, event)),
        ];
        assert_eq!(kinds(&several), [(AlertKind::SignIns, String::new(), 20)]);
        let code = |id| entry(id, id, "anna", |event| of(Kind::SecondFactorFailed, event));
        let codes: Vec<Entry> = (1..=5).map(code).collect();
        let expected = (AlertKind::Codes, "anna".to_owned(), 5);
        assert_eq!(kinds(&codes), [expected]);
        assert_eq!(kinds(&codes[1..]), []);
    }

    #[test]
    fn a_new_owner_is_one_who_was_not_before() {
        let changed = |before: &str, after: &str| {
            let (before, after) = (before.into(), after.into());
            entry(1, 0, "admin", |event| {
                let event = of(Kind::PersonChanged, event).with("person", "bo");
                event.changed("role", before, after)
            })
        };
        let new = (AlertKind::NewOwner, "bo".to_owned(), 1);
        assert_eq!(kinds(&[changed("staff", "owner")]), [new]);
        assert_eq!(kinds(&[changed("owner", "staff")]), []);
        assert_eq!(kinds(&[changed("owner", "owner")]), []);
    }

    #[test]
    fn who_is_no_owner_is_warned_of_what_is_about_her() {
        let signed_in = entry(1, 0, "anna", |event| {
            of(Kind::SignedIn, event).with("device", "new")
        });
        let [alert] = &alerts(&[signed_in])[..] else {
            panic!("no alert");
        };
        assert!(alert.is_for(1, Role::Viewer) && alert.is_for(2, Role::Owner));
        assert!(!alert.is_for(2, Role::Staff));
    }
}
