//! What an auditor would ask about an installation.

use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::alert::{Alert, AlertKind};
use super::backup::BackupState;
use super::date;
use super::doctor::{Finding, Level, inside};
use super::role::Role;
use super::signing_key::SigningKey;
use super::text::grouped;
use super::token::Scope;

/// People who do not sign in for so long perhaps no longer work there.
const AWAY: Duration = Duration::days(90);
/// A token that lasts longer is longer of use to a thief.
const LONG_TOKEN: Duration = Duration::days(366);
/// NIST SP 800-57 has one to three years for a key that signs.
const OLD_KEY: Duration = Duration::days(3 * 366);
const MOST_OWNERS: usize = 3;
/// Names in one sentence.
const NAMED: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    Fine,
    Look,
    /// A setting that is missing.
    NotSet,
}

impl CheckState {
    pub fn label(self) -> &'static str {
        match self {
            CheckState::Fine => "fine",
            CheckState::Look => "needs attention",
            CheckState::NotSet => "not set",
        }
    }
}

/// Where something is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Path and name.
    Page(&'static str, &'static str),
    Setting(&'static str),
    Command(&'static str),
}

/// One line of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub about: &'static str,
    pub state: CheckState,
    pub text: String,
    pub place: Remedy,
}

/// What the settings say.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub public_url: Option<String>,
    pub is_https: bool,
    pub requires_two_factors: bool,
    pub has_secret: bool,
    pub security_contact: Option<String>,
}

/// Somebody who may sign in.
#[derive(Debug, Clone)]
pub struct PersonFacts {
    pub name: String,
    pub role: Role,
    pub has_email: bool,
    pub has_factor: bool,
    pub created_at: OffsetDateTime,
    pub signed_in_at: Option<OffsetDateTime>,
}

/// A token that has not expired.
#[derive(Debug, Clone)]
pub struct TokenFacts {
    pub name: String,
    pub person: String,
    pub scopes: Vec<Scope>,
    pub expires_at: OffsetDateTime,
    /// See [`unused`](super::token::unused).
    pub unused: Option<String>,
}

#[derive(Debug, Clone)]
pub struct SecurityFacts {
    pub now: OffsetDateTime,
    pub offset: UtcOffset,
    pub version: &'static str,
    /// Of the database.
    pub schema: usize,
    pub settings: Settings,
    pub sends_mail: bool,
    pub people: Vec<PersonFacts>,
    /// Names of those who can still accept.
    pub invited: Vec<String>,
    pub tokens: Vec<TokenFacts>,
    pub backups: BackupState,
    pub keys: Vec<SigningKey>,
    /// Entries and last hash of the audit log.
    pub audit: (i64, String),
    /// Of the last day.
    pub refused: [(AlertKind, i64); 3],
    pub alerts: Vec<Alert>,
    /// Origins of those that are disabled.
    pub disabled_webhooks: Vec<String>,
}

impl SecurityFacts {
    fn day(&self, at: OffsetDateTime) -> Date {
        at.to_offset(self.offset).date()
    }

    fn shown(&self, at: OffsetDateTime) -> String {
        date::format(self.day(at))
    }

    fn names(&self, is_in: impl Fn(&PersonFacts) -> bool) -> Vec<&str> {
        let found = self.people.iter().filter(|person| is_in(person));
        found.map(|person| &*person.name).collect()
    }
}

const PEOPLE: Remedy = Remedy::Page("/people", "People");
const TOKENS: Remedy = Remedy::Page("/account#tokens", "API tokens");

/// The people first, then programs, then the server.
pub fn checks(facts: &SecurityFacts) -> Vec<Check> {
    let mut all = vec![
        owners(facts),
        second_factors(facts),
        required_factors(facts),
        away(facts),
        invitations(facts),
        refusals(facts),
        unused_tokens(facts),
        long_tokens(facts),
        webhooks(facts),
        address(facts),
        secret(facts),
    ];
    all.extend(signing_keys(facts));
    all.extend([
        backup(facts),
        audit_log(facts),
        mail(facts),
        contact(facts),
        Check {
            about: "Version",
            state: CheckState::Fine,
            text: format!("{}, database schema {}.", facts.version, facts.schema),
            place: Remedy::Command("license-server doctor"),
        },
    ]);
    all
}

fn check(about: &'static str, state: CheckState, text: impl Into<String>, place: Remedy) -> Check {
    let text = text.into();
    Check {
        about,
        state,
        text,
        place,
    }
}

/// Fine if nobody and nothing is named.
fn named(about: &'static str, fine: &str, look: &str, names: &[&str], place: Remedy) -> Check {
    match names {
        [] => check(about, CheckState::Fine, fine, place),
        names => check(
            about,
            CheckState::Look,
            format!("{look}: {}.", listed(names)),
            place,
        ),
    }
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let shown = names[..names.len() - more].join(", ");
    match more {
        0 => shown,
        _ => format!("{shown} and {} more", grouped(more as i64)),
    }
}

fn owners(facts: &SecurityFacts) -> Check {
    let owners = facts.names(|person| person.role == Role::Owner);
    let (state, text) = match owners.len() {
        0 | 1 => (
            CheckState::Look,
            format!(
                "Only {}: if this person cannot sign in, nobody can change people, keys or settings without a shell on the server.",
                listed(&owners)
            ),
        ),
        2..=MOST_OWNERS => (CheckState::Fine, format!("{}.", listed(&owners))),
        number => (
            CheckState::Look,
            format!("{number} people may do everything: {}.", listed(&owners)),
        ),
    };
    check("Owners", state, text, PEOPLE)
}

fn second_factors(facts: &SecurityFacts) -> Check {
    let without = facts.names(|person| !person.has_factor);
    named(
        "Second factors",
        "Everybody has one.",
        "None, so the password alone signs in",
        &without,
        PEOPLE,
    )
}

fn required_factors(facts: &SecurityFacts) -> Check {
    let (state, text) = match facts.settings.requires_two_factors {
        true => (CheckState::Fine, "Everybody must have a second factor."),
        false => (
            CheckState::NotSet,
            "Second factors are optional; new people begin without one.",
        ),
    };
    let place = Remedy::Setting("require_two_factors");
    check("Second factors required", state, text, place)
}

fn away(facts: &SecurityFacts) -> Check {
    let is_away = |person: &PersonFacts| {
        let last = person.signed_in_at.unwrap_or(person.created_at);
        facts.now - last >= AWAY
    };
    let away = facts.names(is_away);
    named(
        "Unused accounts",
        "Nobody has been away for 90 days.",
        "Not signed in for 90 days",
        &away,
        PEOPLE,
    )
}

fn invitations(facts: &SecurityFacts) -> Check {
    let invited: Vec<&str> = facts.invited.iter().map(|name| &**name).collect();
    named(
        "Invitations",
        "There are no open invitations.",
        "Whoever has the link can still accept it",
        &invited,
        PEOPLE,
    )
}

fn refusals(facts: &SecurityFacts) -> Check {
    let is_burst = |alert: &Alert| facts.refused.iter().any(|(kind, _)| *kind == alert.kind);
    let state = match facts.alerts.iter().any(is_burst) {
        true => CheckState::Look,
        false => CheckState::Fine,
    };
    let number = |wanted| {
        let found = facts.refused.iter().find(|(kind, _)| *kind == wanted);
        grouped(found.map_or(0, |(_, number)| *number))
    };
    let text = format!(
        "Refused in the last 24 hours: sign-ins {}, codes after the right password {}, API tokens {}.",
        number(AlertKind::SignIns),
        number(AlertKind::Codes),
        number(AlertKind::Tokens)
    );
    check("Refusals", state, text, Remedy::Page("/audit", "Audit log"))
}

fn unused_tokens(facts: &SecurityFacts) -> Check {
    let of = |token: &TokenFacts| {
        let unused = token.unused.as_ref()?;
        Some(format!("{} of {} ({unused})", token.name, token.person))
    };
    let unused: Vec<String> = facts.tokens.iter().filter_map(of).collect();
    let unused: Vec<&str> = unused.iter().map(|words| &**words).collect();
    let fine = match facts.tokens.len() {
        0 => "There are none.",
        _ => "All were used within the last 90 days, or are new.",
    };
    named(
        "Unused API tokens",
        fine,
        "Perhaps no longer needed",
        &unused,
        TOKENS,
    )
}

fn long_tokens(facts: &SecurityFacts) -> Check {
    let is_long = |token: &&TokenFacts| token.expires_at - facts.now > LONG_TOKEN;
    let words = |token: &TokenFacts| {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        // The midnight after the last day.
        let last = facts.shown(token.expires_at - Duration::SECOND);
        let (name, person) = (&token.name, &token.person);
        format!("{name} of {person} ({}, until {last})", scopes.join(" "))
    };
    let long: Vec<String> = facts.tokens.iter().filter(is_long).map(words).collect();
    let long: Vec<&str> = long.iter().map(|words| &**words).collect();
    let fine = match facts.tokens.len() {
        0 => "There are none.",
        _ => "All expire within a year.",
    };
    named(
        "Long-lived API tokens",
        fine,
        "Valid for more than a year",
        &long,
        TOKENS,
    )
}

fn webhooks(facts: &SecurityFacts) -> Check {
    let disabled: Vec<&str> = facts.disabled_webhooks.iter().map(|url| &**url).collect();
    named(
        "Webhooks",
        "None is disabled.",
        "Disabled, so the receiver misses events",
        &disabled,
        Remedy::Page("/webhooks", "Webhooks"),
    )
}

fn address(facts: &SecurityFacts) -> Check {
    let (state, text) = match &facts.settings.public_url {
        Some(url) if facts.settings.is_https => (CheckState::Fine, format!("{url}, encrypted.")),
        Some(url) => (
            CheckState::Look,
            format!("{url} is not encrypted: passwords can be read on the way."),
        ),
        None => (
            CheckState::NotSet,
            "Only this machine reaches the server, or passwords travel unencrypted.".to_owned(),
        ),
    };
    check("Address", state, text, Remedy::Setting("public_url"))
}

fn secret(facts: &SecurityFacts) -> Check {
    let (state, text) = match facts.settings.has_secret {
        true => (
            CheckState::Fine,
            "Signing keys, second factors, and the secrets of webhooks and shops are encrypted in the database and its backups.",
        ),
        false => (
            CheckState::NotSet,
            "Whoever has the database or a backup can sign as you.",
        ),
    };
    let place = Remedy::Setting("secret_file");
    check("Encryption at rest", state, text, place)
}

/// What the doctor finds about keys, or else the age of the one that signs.
fn signing_keys(facts: &SecurityFacts) -> Vec<Check> {
    let place = Remedy::Page("/keys", "Signing keys");
    let has_backup = facts.backups.last_good.is_some();
    let found = inside::signing_keys(&facts.keys, true, has_backup);
    let found = found
        .into_iter()
        .filter(|finding| finding.level != Level::Ok);
    let mut all: Vec<Check> = found
        .map(|finding| of_finding("Signing keys", finding, place))
        .collect();
    if let Some(key) = facts.keys.iter().find(|key| key.is_default) {
        let retired = facts.keys.iter().filter(|key| key.retired_at.is_some());
        let (made, retired) = (facts.shown(key.created_at), retired.count());
        let (state, what) = match facts.now - key.created_at > OLD_KEY {
            true => (
                CheckState::Look,
                "more than three years ago: create and ship another one",
            ),
            false => (CheckState::Fine, "signs by default"),
        };
        let text = format!(
            "{} of {made}, {what}. {} retired.",
            key.kid,
            grouped(retired as i64)
        );
        all.push(check("Default key", state, text, place));
    }
    all
}

fn of_finding(about: &'static str, finding: Finding, place: Remedy) -> Check {
    let state = match finding.level {
        Level::Ok => CheckState::Fine,
        Level::Warning | Level::Error => CheckState::Look,
    };
    let mut text = finding.text;
    let end = text.chars().next().map_or(0, char::len_utf8);
    text[..end].make_ascii_uppercase();
    check(about, state, format!("{text}."), place)
}

fn backup(facts: &SecurityFacts) -> Check {
    let place = Remedy::Setting("backup_dir");
    let found = of_finding("Backup", inside::backup(&facts.backups, facts.now), place);
    match (found.state, &facts.backups.last_good) {
        // Too new for a warning of the doctor.
        (CheckState::Fine, None) => {
            check("Backup", CheckState::NotSet, "There is none yet.", place)
        }
        _ => found,
    }
}

fn audit_log(facts: &SecurityFacts) -> Check {
    let (entries, head) = &facts.audit;
    // A backup is proven with its audit log.
    let (state, proven) = match &facts.backups.last_good {
        Some(backup) => (
            CheckState::Fine,
            format!(
                "last verified with the backup of {}",
                facts.shown(backup.at)
            ),
        ),
        None => (CheckState::Look, "never verified by a backup".to_owned()),
    };
    let text = format!("{} entries, {proven}. Last hash {head}.", grouped(*entries));
    let place = Remedy::Command("license-server audit verify");
    check("Audit log", state, text, place)
}

fn mail(facts: &SecurityFacts) -> Check {
    let place = Remedy::Setting("smtp_host");
    if !facts.sends_mail {
        let text = "Nobody gets alerts or invitations by mail.";
        return check("Mail", CheckState::NotSet, text, place);
    }
    let unreachable = facts.names(|person| !person.has_email);
    named(
        "Mail",
        "Alerts and invitations are sent by mail.",
        "No e-mail address, so no alerts by mail",
        &unreachable,
        match unreachable.is_empty() {
            true => place,
            false => PEOPLE,
        },
    )
}

fn contact(facts: &SecurityFacts) -> Check {
    let (state, text) = match &facts.settings.security_contact {
        Some(contact) => (CheckState::Fine, format!("{contact}, in security.txt.")),
        None => (
            CheckState::NotSet,
            "Nobody can find out where to report a vulnerability.".to_owned(),
        ),
    };
    let place = Remedy::Setting("security_contact");
    check("Security contact", state, text, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::backup::Backup;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-06-15 12:00 UTC);

    fn person(name: &str) -> PersonFacts {
        PersonFacts {
            name: name.to_owned(),
            role: Role::Owner,
            has_email: true,
            has_factor: true,
            created_at: NOW - Duration::days(400),
            signed_in_at: Some(NOW),
        }
    }

    fn token(days_left: i64) -> TokenFacts {
        TokenFacts {
            name: "script".to_owned(),
            person: "anna".to_owned(),
            scopes: vec![Scope::Write],
            expires_at: NOW + Duration::days(days_left),
            unused: None,
        }
    }

    fn good() -> SecurityFacts {
        SecurityFacts {
            now: NOW,
            offset: UtcOffset::UTC,
            version: "1.0.0",
            schema: 16,
            settings: Settings {
                public_url: Some("https://example.com".to_owned()),
                is_https: true,
                requires_two_factors: true,
                has_secret: true,
                security_contact: Some("mailto:security@example.com".to_owned()),
            },
            sends_mail: true,
            people: vec![person("admin"), person("anna")],
            invited: vec![],
            tokens: vec![token(300)],
            backups: BackupState {
                last_good: Some(Backup {
                    at: NOW,
                    path: "/backups/one.db".to_owned(),
                    bytes: 1,
                }),
                last_failure: None,
                since: NOW - Duration::days(400),
                every: Some(Duration::DAY),
            },
            keys: vec![SigningKey {
                kid: "abc".to_owned(),
                created_at: NOW - Duration::days(400),
                is_default: true,
                retired_at: None,
                exported_at: None,
                last_used_on: None,
                answers: 0,
            }],
            audit: (17, "hash".to_owned()),
            refused: [AlertKind::SignIns, AlertKind::Codes, AlertKind::Tokens]
                .map(|kind| (kind, 3)),
            alerts: vec![],
            disabled_webhooks: vec![],
        }
    }

    /// What is not fine after a change.
    fn found(change: impl FnOnce(&mut SecurityFacts)) -> Vec<(&'static str, CheckState)> {
        let mut facts = good();
        change(&mut facts);
        let all = checks(&facts).into_iter();
        all.filter(|check| check.state != CheckState::Fine)
            .map(|check| (check.about, check.state))
            .collect()
    }

    #[test]
    fn each_weakness_is_found_and_nothing_else() {
        use CheckState::{Look, NotSet};
        assert_eq!(found(|_| {}), []);
        type Case = (fn(&mut SecurityFacts), &'static str, CheckState);
        let cases: [Case; 19] = [
            (|f| drop(f.people.pop()), "Owners", Look),
            (
                |f| f.people.extend([person("bo"), person("cy")]),
                "Owners",
                Look,
            ),
            (|f| f.people[1].has_factor = false, "Second factors", Look),
            (
                |f| f.settings.requires_two_factors = false,
                "Second factors required",
                NotSet,
            ),
            (
                |f| f.people[0].signed_in_at = Some(NOW - Duration::days(90)),
                "Unused accounts",
                Look,
            ),
            (|f| f.people[0].signed_in_at = None, "Unused accounts", Look),
            (|f| f.invited.push("dora".to_owned()), "Invitations", Look),
            (
                |f| {
                    f.alerts.push(Alert {
                        kind: AlertKind::Codes,
                        id: 1,
                        at: NOW - Duration::HOUR,
                        person: String::new(),
                        person_id: None,
                        by: String::new(),
                        address: String::new(),
                        browser: String::new(),
                        number: 5,
                    });
                },
                "Refusals",
                Look,
            ),
            (
                |f| f.tokens[0].unused = Some("not used for 94 days".to_owned()),
                "Unused API tokens",
                Look,
            ),
            (|f| f.tokens.push(token(400)), "Long-lived API tokens", Look),
            (
                |f| f.disabled_webhooks.push("https://example.com".to_owned()),
                "Webhooks",
                Look,
            ),
            (|f| f.settings.is_https = false, "Address", Look),
            (|f| f.settings.public_url = None, "Address", NotSet),
            (
                |f| f.settings.has_secret = false,
                "Encryption at rest",
                NotSet,
            ),
            (
                |f| f.keys[0].created_at = NOW - Duration::days(1_100),
                "Default key",
                Look,
            ),
            (|f| f.now += Duration::days(3), "Backup", Look),
            (|f| f.sends_mail = false, "Mail", NotSet),
            (|f| f.people[0].has_email = false, "Mail", Look),
            (
                |f| f.settings.security_contact = None,
                "Security contact",
                NotSet,
            ),
        ];
        for (change, about, state) in cases {
            assert_eq!(found(change), [(about, state)]);
        }
        let without_backup = found(|f| f.backups.last_good = None);
        let look = |about| (about, Look);
        assert_eq!(
            without_backup,
            ["Signing keys", "Backup", "Audit log"].map(look)
        );
    }

    #[test]
    fn many_names_are_cut_short() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        assert_eq!(listed(&names), "a, b, c, d, e and 2 more");
        assert_eq!(listed(&names[..5]), "a, b, c, d, e");
    }
}
