//! Sending what the outbox has, so that no mail is lost in silence, and none is sent twice by itself.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use lettre::Address;
use parking_lot::Mutex;
use time::{Date, Duration, OffsetDateTime};

use super::Service;
use super::smtp::{Link, Smtp, composed};
use crate::config::Config;
use crate::error::Error;
use crate::model::mail::{Delivery, Mail, MailState};
use crate::store::mail_texts::TextKey;
use crate::store::outbox;

/// Mails read at once.
const BATCH: usize = 50;
/// How long settled mails are kept.
const KEPT: Duration = Duration::days(400);

/// Which mails are sent, and how it went since the start.
pub(super) struct Mailer {
    /// None: no mails are sent, and none are queued by themselves.
    pub(super) smtp: Option<Smtp>,
    pub(super) language: String,
    pub(super) with_codes: bool,
    pub(super) reminder_days: Vec<u16>,
    pub(super) digest_to: Option<String>,
    /// Scheme, host and base path.
    pub(super) server_url: String,
    /// The last connection that did not work, unless one worked since.
    trouble: Mutex<Option<(OffsetDateTime, String)>>,
    /// The day whose reminders and digest are queued.
    pub(super) queued_on: Mutex<Option<Date>>,
    /// Texts of the vendor that have failed since the start.
    pub(super) failed_texts: Mutex<Vec<FailedText>>,
    /// The entry of the audit log until which alerts are queued.
    pub(super) alerts_until: AtomicI64,
    is_stopping: AtomicBool,
}

/// A text of the vendor that failed with the values of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedText {
    pub text: TextKey,
    /// The last time.
    pub at: OffsetDateTime,
    pub why: String,
}

impl Mailer {
    pub(super) fn new(config: &Config) -> Mailer {
        Mailer {
            smtp: Smtp::new(config),
            language: config.mail_language.clone(),
            with_codes: config.mail_codes,
            reminder_days: config.reminder_days.clone(),
            digest_to: config.digest_to.clone(),
            server_url: format!("{}{}", config.origin(config.port), config.base_path()),
            trouble: Mutex::default(),
            queued_on: Mutex::default(),
            failed_texts: Mutex::default(),
            alerts_until: AtomicI64::new(0),
            is_stopping: AtomicBool::new(false),
        }
    }
}

/// How mails are sent, for the page about it.
pub struct MailLink {
    /// Server, port and protection.
    pub server: String,
    pub from: String,
    pub last_sent: Option<OffsetDateTime>,
    /// When the last connection did not work, and why; none if one worked since.
    pub trouble: Option<(OffsetDateTime, String)>,
}

impl Service {
    /// Whether there is a mail server.
    pub fn sends_mail(&self) -> bool {
        self.mailer.smtp.is_some()
    }

    pub fn mail_link(&self) -> Result<Option<MailLink>, Error> {
        let Some(smtp) = &self.mailer.smtp else {
            return Ok(None);
        };
        Ok(Some(MailLink {
            server: smtp.shown(),
            from: smtp.from.to_string(),
            last_sent: self.store.read(outbox::last_sent)?,
            trouble: self.mailer.trouble.lock().clone(),
        }))
    }

    /// Queues what the day brings, and sends what is due; every few seconds.
    pub fn run_mails(&self) -> Result<(), Error> {
        if !self.sends_mail() {
            return Ok(());
        }
        self.queue_alerts()?;
        let today = self.today();
        if *self.mailer.queued_on.lock() != Some(today) {
            self.queue_reminders(today)?;
            self.queue_digest(today)?;
            let before = self.now() - KEPT;
            self.store.write(|db| Ok(outbox::prune(db, before)?))?;
            *self.mailer.queued_on.lock() = Some(today);
        }
        self.send_mails()
    }

    /// Sends no further mails: the server stops.
    pub fn stop_mails(&self) {
        self.mailer.is_stopping.store(true, Ordering::Relaxed);
    }

    fn send_mails(&self) -> Result<(), Error> {
        let Some(smtp) = &self.mailer.smtp else {
            return Ok(());
        };
        let now = self.now();
        if self.store.read(outbox::has_begun)? {
            self.store.write(|db| Ok(outbox::end_begun(db, now)?))?;
        }
        let due = self.store.read(|db| outbox::due(db, now, BATCH))?;
        let mut link: Option<Link<'_>> = None;
        for (at, id) in due.iter().enumerate() {
            if self.mailer.is_stopping.load(Ordering::Relaxed) {
                break;
            }
            let Some(mail) = self.looked_at_again(*id)? else {
                continue;
            };
            let to = mail.recipient.parse::<Address>().map_err(|e| e.to_string());
            let to = to.and_then(|to| match mail.recipient.is_ascii() {
                true => Ok(to),
                false => Err("Only addresses in ASCII can be written to.".to_owned()),
            });
            let composed = to.and_then(|to| Ok((composed(&smtp.from, &to, &mail)?, to)));
            let (text, to) = match composed {
                Ok(composed) => composed,
                Err(words) => {
                    self.settle_mail(MailState::Waiting, &mail, Delivery::Refused(words))?;
                    continue;
                }
            };
            let open = match link.take().filter(|link| !link.is_broken()) {
                Some(open) => open,
                None => match smtp.connect() {
                    Ok(open) => open,
                    Err(words) => return self.put_off(&due[at..], &words),
                },
            };
            *self.mailer.trouble.lock() = None;
            self.send_mail(link.insert(open), &mail, &to, &text)?;
        }
        if let Some(link) = link.filter(|link| !link.is_broken()) {
            link.close();
        }
        Ok(())
    }

    /// It is recorded as begun before the text is on its way, because after that only an answer tells what became
    /// of it, and the program may be killed before that.
    fn send_mail(
        &self,
        link: &mut Link<'_>,
        mail: &Mail,
        to: &Address,
        text: &[u8],
    ) -> Result<(), Error> {
        if let Err(delivery) = link.offer(to) {
            return self.settle_mail(MailState::Waiting, mail, delivery);
        }
        if !self.store.write(|db| Ok(outbox::begin(db, mail.id)?))? {
            link.withdraw();
            return Ok(());
        }
        let delivery = link.hand_over(text);
        self.settle_mail(MailState::Sending, mail, delivery)
    }

    /// `from` is the state that is stored.
    fn settle_mail(&self, from: MailState, mail: &Mail, delivery: Delivery) -> Result<(), Error> {
        let after = delivery.on(mail, self.now());
        self.store
            .write(|db| Ok(outbox::set_state(db, from, &after)?))?;
        self.log_mail(&after);
        Ok(())
    }

    /// No connection: all that are due wait.
    fn put_off(&self, ids: &[i64], words: &str) -> Result<(), Error> {
        let now = self.now();
        *self.mailer.trouble.lock() = Some((now, words.to_owned()));
        let after = self.store.write(|db| {
            let mut all = vec![];
            for id in ids {
                if let Some(mail) = outbox::get(db, *id)? {
                    let after = Delivery::NotNow(words.to_owned()).on(&mail, now);
                    if outbox::set_state(db, MailState::Waiting, &after)? {
                        all.push(after);
                    }
                }
            }
            Ok(all)
        })?;
        after.iter().for_each(|mail| self.log_mail(mail));
        Ok(())
    }

    /// Nothing about its person.
    fn log_mail(&self, mail: &Mail) {
        self.log.event(
            "mail",
            &[
                ("id", &mail.id),
                ("kind", &mail.event.as_str()),
                ("state", &mail.state.as_str()),
                ("attempts", &mail.attempts),
            ],
        );
    }
}
