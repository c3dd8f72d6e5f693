//! Alerts: on the overview, and by mail.

use std::sync::atomic::Ordering;

use time::Duration;

use super::Service;
use crate::error::Error;
use crate::model::alert::{Alert, AlertKind, SHOWN_FOR, alerts};
use crate::model::audit::{Actor, Entry, Event, Kind, PERSON_ID};
use crate::model::mail::{MailEvent, NewMail};
use crate::model::mail_text::{AlertFacts, Facts};
use crate::model::role::Role;
use crate::model::text::grouped;
use crate::model::user_agent::known_browser;
use crate::store::sessions::Session;
use crate::store::users::{self, User};
use crate::store::{Db, audit, outbox};

/// Entries of a kind that are read: those of some hours while somebody guesses without a pause.
const MOST: i64 = 2_000;

impl Service {
    /// What the person is warned of and has not seen yet, the newest first, and entries that cannot be read.
    pub fn alerts(&self, session: &Session) -> Result<(Vec<Alert>, Vec<i64>), Error> {
        let (mut entries, unreadable) = self.alert_entries(SHOWN_FOR)?;
        let own = Some(session.user_id);
        let is_own = |entry: &&Entry| {
            let event = &entry.event;
            event.kind == Kind::AlertsSeen && event.after.number(PERSON_ID) == own
        };
        let seen = entries.iter().filter(is_own);
        let seen = seen.filter_map(|entry| entry.event.after.number("until"));
        let seen = seen.max().unwrap_or(0);
        entries.retain(|entry| entry.id > seen);
        let mut all = alerts(&entries);
        all.retain(|alert| alert.is_for(session.user_id, session.role));
        Ok((all, unreadable))
    }

    /// Those until that entry, which the person was shown.
    pub fn see_alerts(&self, actor: &Actor, session: &Session, until: i64) -> Result<(), Error> {
        let (alerts, _) = self.alerts(session)?;
        if alerts.iter().all(|alert| alert.id > until) {
            return Ok(());
        }
        self.store.write(|db| {
            let (last, _) = audit::head(db)?;
            let event = Event::new(Kind::AlertsSeen, actor).with("until", until.min(last));
            audit::append(db, event, self.now())?;
            Ok(())
        })
    }

    /// With the IDs of those that cannot be read.
    pub(super) fn alert_entries(&self, period: Duration) -> Result<(Vec<Entry>, Vec<i64>), Error> {
        let since = self.now() - period;
        self.store.read_tx(|db| {
            let (mut entries, mut unreadable) = (vec![], vec![]);
            for kind in Kind::ALL.into_iter().filter(|kind| kind.is_of_alerts()) {
                for (id, entry) in audit::of_alerts(db, kind, since, MOST)? {
                    match entry {
                        Some(entry) => entries.push(entry),
                        None => unreadable.push(id),
                    }
                }
            }
            unreadable.sort_unstable();
            Ok((entries, unreadable))
        })
    }

    /// Mails of the last day to those whom they concern, if anything was written since the last time.
    pub(super) fn queue_alerts(&self) -> Result<(), Error> {
        let (last, _) = self.store.read(audit::head)?;
        let known = &self.mailer.alerts_until;
        let until = known.load(Ordering::Relaxed);
        if !self.store.read(|db| audit::has_alerts(db, until))? {
            known.store(last, Ordering::Relaxed);
            return Ok(());
        }
        // The overview names those that cannot be read.
        let (entries, _) = self.alert_entries(Duration::DAY)?;
        let found = alerts(&entries);
        let due = self.store.read_tx(|db| {
            let users = users::all(db)?;
            let mut due = vec![];
            for alert in &found {
                let is_known = users.iter().any(|user| alert.is_about(user.id));
                for user in users.iter().filter(|user| is_told(user, alert)) {
                    let key = format!("{} to user {}", alert.key(), user.id);
                    if !outbox::has_key(db, &key)? {
                        due.push((alert, is_known, user.values.email.clone(), key));
                    }
                }
            }
            Ok(due)
        })?;
        if !due.is_empty() {
            self.store.write(|db| {
                for (alert, is_known, recipient, key) in due {
                    let mail = self.alert_mail(db, alert, is_known, &recipient)?;
                    outbox::add(db, &NewMail { key, ..mail }, &[], self.now())?;
                }
                Ok(())
            })?;
        }
        known.store(last, Ordering::Relaxed);
        Ok(())
    }

    /// With nothing that a stranger has chosen: neither an unknown name nor what a browser calls itself.
    fn alert_mail(
        &self,
        db: &Db,
        alert: &Alert,
        is_known: bool,
        recipient: &str,
    ) -> Result<NewMail, Error> {
        let unless_empty = |is_it: bool, text: &str| match is_it {
            true => text.to_owned(),
            false => String::new(),
        };
        let browser = match alert.kind {
            AlertKind::NewDevice => known_browser(&alert.browser),
            _ => None,
        };
        let facts = Facts {
            server_url: self.mailer.server_url.clone(),
            alert: AlertFacts {
                kind: alert.kind.as_str().to_owned(),
                person: unless_empty(is_known, &alert.person),
                by: unless_empty(alert.kind.has_actor(), &alert.by),
                at: self.shown(alert.at),
                address: alert.address.clone(),
                browser: browser.unwrap_or_default(),
                number: grouped(alert.number),
            },
            ..Facts::default()
        };
        let event = MailEvent::Alert;
        let (language, text) = self.text_of(db, event, "", &self.mailer.language, &facts)?;
        self.new_mail(event, String::new(), recipient, language, text)
    }
}

/// Whether there is a mail to that person.
fn is_told(user: &User, alert: &Alert) -> bool {
    let is_owner = user.values.role == Role::Owner && alert.kind.is_mailed_to_owners();
    let is_concerned = alert.is_about(user.id);
    !user.is_disabled && user.values.can_be_mailed() && (is_owner || is_concerned)
}
