//! The outbox: what is put into it, and what is still true when it is sent.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use time::{Date, Duration};

use super::Service;
use super::codes::NO_SUCH_CODE;
use super::mail_facts::{facts, lead};
use super::orders::{OrderCodes, codes_of};
use super::secrets::random;
use crate::error::Error;
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::model::customer::{Customer, parse_email};
use crate::model::license::License;
use crate::model::mail::{Mail, MailEvent, MailState, NewMail, Topic, reminder_step};
use crate::model::mail_text::{Facts, MailText};
use crate::model::role::Role;
use crate::store::{Db, Read, WriteTx, activation_codes, audit, customers, orders, outbox};

pub(super) const NO_SUCH_MAIL: Error = Error::NotFound("Mail not found.");

/// Reminders queued in one transaction.
const CHUNK: usize = 200;
/// Licenses that are looked at for reminders of one day.
const MAX_REMINDED: usize = 20_000;

/// A link to write a reminder is there for so long before a license expires.
const REMINDED_BY_HAND: Duration = Duration::days(60);

/// A mail that can be written by hand.
pub struct DraftMail {
    pub event: MailEvent,
    pub recipient: String,
    pub text: MailText,
}

impl From<NewMail> for DraftMail {
    fn from(mail: NewMail) -> DraftMail {
        DraftMail {
            event: mail.event,
            recipient: mail.recipient,
            text: MailText {
                subject: mail.subject,
                body: mail.body,
            },
        }
    }
}

impl Service {
    pub fn mail(&self, id: i64) -> Result<(Mail, Vec<Topic>), Error> {
        let found = self.store.read_tx(|db| {
            let mail = outbox::get(db, id)?;
            mail.map(|mail| Ok((mail, outbox::topics(db, id)?)))
                .transpose()
        })?;
        found.ok_or(NO_SUCH_MAIL)
    }

    /// [`Service::mail`] for somebody with that role.
    pub fn mail_for(&self, role: Role, id: i64) -> Result<(Mail, Vec<Topic>), Error> {
        let found = self.mail(id)?;
        match found.0.event.is_for(role) {
            true => Ok(found),
            false => Err(NO_SUCH_MAIL),
        }
    }

    /// Newest first, older than `before`, of one state or of all.
    pub fn mails(
        &self,
        state: Option<MailState>,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Mail>, Error> {
        self.store.read(|db| outbox::page(db, state, before, limit))
    }

    /// In the order of [`MailState::ALL`].
    pub fn mail_counts(&self) -> Result<[(MailState, i64); MailState::ALL.len()], Error> {
        let counts = self.store.read(outbox::counts)?;
        Ok(MailState::ALL.map(|state| {
            let found = counts.iter().find(|(other, _)| *other == state);
            (state, found.map_or(0, |(_, number)| *number))
        }))
    }

    /// Mails that somebody must look at.
    pub fn unsent_mails(&self) -> Result<i64, Error> {
        let counts = self.mail_counts()?.into_iter();
        let unsent = counts.filter(|(state, _)| state.is_unsent());
        Ok(unsent.map(|(_, number)| number).sum())
    }

    /// The mail with one code, to be sent by hand; none without an address.
    pub fn code_mail(&self, code_id: i64) -> Result<Option<DraftMail>, Error> {
        let code = self.activation_code(code_id)?;
        self.draft(
            MailEvent::Codes,
            &code.values.customer,
            &[Topic::code(code_id)],
        )
    }

    /// The mails about a license that make sense now and are not sent by themselves.
    pub fn license_mails(
        &self,
        license: &License,
        moved_from: Option<&License>,
    ) -> Result<Vec<DraftMail>, Error> {
        if self.sends_mail() {
            return Ok(vec![]);
        }
        let customer = license.user_id.as_deref().unwrap_or_default();
        let mut all = vec![];
        let soon = self.today().saturating_add(REMINDED_BY_HAND);
        if license.expiration_date.is_some_and(|last| last <= soon) {
            let reminder = Topic {
                expiration_date: license.expiration_date,
                ..Topic::license(license.id)
            };
            all.push(self.draft(MailEvent::Reminder, customer, &[reminder])?);
        }
        if let Some(old) = moved_from {
            let topics = [Topic::license(old.id), Topic::license(license.id)];
            all.push(self.draft(MailEvent::Moved, customer, &topics)?);
        }
        Ok(all.into_iter().flatten().collect())
    }

    fn draft(
        &self,
        event: MailEvent,
        customer: &str,
        topics: &[Topic],
    ) -> Result<Option<DraftMail>, Error> {
        let written = self.store.read_tx(|db| {
            let Some(customer) = addressee(db, customer)? else {
                return Ok(None);
            };
            Ok(Some(self.written(
                db,
                event,
                &customer,
                topics,
                String::new(),
            )))
        })?;
        Ok(written.transpose()?.flatten().map(DraftMail::from))
    }

    /// The codes of a new order, unless it is a test or the settings say that somebody else sends them.
    pub(super) fn queue_order(&self, db: &WriteTx<'_>, placed: &OrderCodes) -> Result<(), Error> {
        let OrderCodes {
            order,
            codes,
            is_new,
            has_new_customer,
        } = placed;
        let is_due = *is_new || *has_new_customer;
        if !(is_due && self.sends_mail() && self.mailer.with_codes) || order.is_test {
            return Ok(());
        }
        let topics: Vec<Topic> = codes.iter().map(|(_, code)| Topic::code(code.id)).collect();
        let key = match customers::named(db, &order.customer)? {
            Some(customer) if *has_new_customer => {
                format!("codes of order {} for customer {}", order.id, customer.id)
            }
            _ => format!("codes of order {}", order.id),
        };
        self.queue(db, MailEvent::Codes, key, &order.customer, &topics)?;
        Ok(())
    }

    /// The codes of an order of a shop, unless they were mailed before: perhaps who bought is known only now.
    pub(super) fn queue_first(&self, db: &WriteTx<'_>, order_id: i64) -> Result<(), Error> {
        let Some(order) = orders::get(db, order_id)? else {
            return Ok(());
        };
        let placed = OrderCodes {
            codes: codes_of(db, &order)?,
            order,
            is_new: true,
            has_new_customer: false,
        };
        self.queue_order(db, &placed)
    }

    pub(super) fn queue_moved(
        &self,
        db: &WriteTx<'_>,
        old: &License,
        new: &License,
    ) -> Result<(), Error> {
        let topics = [Topic::license(old.id), Topic::license(new.id)];
        let customer = new.user_id.as_deref().unwrap_or_default();
        self.queue(db, MailEvent::Moved, String::new(), customer, &topics)?;
        Ok(())
    }

    /// Sends the customer a code, however often.
    pub fn send_code(&self, actor: &Actor, code_id: i64) -> Result<(), Error> {
        let now = self.now();
        self.store.write(|db| {
            let code = activation_codes::get(db, code_id)?.ok_or(NO_SUCH_CODE)?;
            let customer = &code.values.customer;
            let topics = [Topic::code(code_id)];
            let queued = self.queue(db, MailEvent::Codes, String::new(), customer, &topics)?;
            let id = queued.ok_or_else(|| {
                Error::Conflict(
                    "No mail was queued: the code is not valid, its customer has no e-mail address, or no mail \
                     server is set."
                        .into(),
                )
            })?;
            let event = Event::new(Kind::MailQueued, actor)
                .with("mail", id)
                .with("customer", Detail::personal(customer));
            audit::append(db, event, now)?;
            Ok(())
        })
    }

    pub fn send_test_mail(&self, actor: &Actor, to: &str) -> Result<(), Error> {
        let to = parse_email(to)?;
        if to.is_empty() {
            let message = "The e-mail address is missing: enter one such as anna@example.com.";
            return Err(Error::invalid("email", message));
        }
        let facts = Facts {
            server_url: self.mailer.server_url.clone(),
            ..Facts::default()
        };
        self.store.write(|db| {
            let event = MailEvent::Test;
            let language = &self.mailer.language;
            let (language, text) = self.text_of(db, event, "", language, &facts)?;
            let mail = self.new_mail(event, String::new(), &to, language, text)?;
            let id = outbox::add(db, &mail, &[], self.now())?.ok_or(NO_SUCH_MAIL)?;
            let event = Event::new(Kind::MailQueued, actor)
                .with("mail", id)
                .with("recipient", Detail::personal(&to));
            audit::append(db, event, self.now())?;
            Ok(())
        })
    }

    /// A mail that was not sent, or perhaps was not, waits again.
    pub fn send_again(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        let now = self.now();
        self.change_mail(actor, id, Kind::MailQueued, |mail| {
            if mail.recipient.is_empty() {
                let message = "The customer was erased, and the text of this mail with it.";
                return Err(Error::Conflict(message.into()));
            }
            not_settled(&mail)?;
            Ok(Mail {
                state: MailState::Waiting,
                queued_at: now,
                next_at: now,
                ended_at: None,
                attempts: 0,
                ..mail
            })
        })
    }

    /// A mail that was not sent never will be, unless somebody sends it again.
    pub fn drop_mail(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        let now = self.now();
        self.change_mail(actor, id, Kind::MailDropped, |mail| {
            not_settled(&mail)?;
            Ok(Mail {
                state: MailState::Dropped,
                ended_at: Some(now),
                ..mail
            })
        })
    }

    fn change_mail(
        &self,
        actor: &Actor,
        id: i64,
        kind: Kind,
        change: impl FnOnce(Mail) -> Result<Mail, Error>,
    ) -> Result<(), Error> {
        self.store.write(|db| {
            let before = outbox::get(db, id)?.ok_or(NO_SUCH_MAIL)?;
            let (was, recipient) = (before.state, before.recipient.clone());
            let after = change(before)?;
            outbox::set_state(db, was, &after)?;
            let event = Event::new(kind, actor)
                .with("mail", id)
                .with("recipient", Detail::personal(&recipient));
            audit::append(db, event, self.now())?;
            Ok(())
        })
    }

    /// Of customers whose licenses expire soon: one mail a day for each.
    pub(super) fn queue_reminders(&self, today: Date) -> Result<(), Error> {
        let steps = &self.mailer.reminder_days;
        let last = steps.iter().copied().max().unwrap_or(0);
        let mut found: BTreeMap<i64, Vec<(i64, Date, u16)>> = BTreeMap::new();
        for left in 0..=i64::from(last) {
            let day = today.saturating_add(Duration::days(left));
            let Some(step) = reminder_step(left, steps) else {
                continue;
            };
            // Who has bought for less than that knows.
            let known = day.saturating_sub(Duration::days(step.into()));
            let known = known.midnight().assume_offset(self.utc_offset);
            let due = self
                .store
                .read(|db| outbox::unreminded(db, day, step, known, MAX_REMINDED))?;
            for (customer, license) in due {
                found
                    .entry(customer)
                    .or_default()
                    .push((license, day, step));
            }
        }
        let found: Vec<_> = found.into_iter().collect();
        for chunk in found.chunks(CHUNK) {
            self.store.write(|db| {
                for (customer, licenses) in chunk {
                    self.queue_reminder(db, today, *customer, licenses)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn queue_reminder(
        &self,
        db: &WriteTx<'_>,
        today: Date,
        customer_id: i64,
        licenses: &[(i64, Date, u16)],
    ) -> Result<(), Error> {
        let Some(customer) = customers::get(db, customer_id)? else {
            return Ok(());
        };
        let topics: Vec<Topic> = licenses
            .iter()
            .map(|(id, day, step)| Topic {
                expiration_date: Some(*day),
                step: *step,
                ..Topic::license(*id)
            })
            .collect();
        let key = format!("reminder {today} of customer {customer_id}");
        self.queue(db, MailEvent::Reminder, key, &customer.name, &topics)?;
        Ok(())
    }

    /// None if there is nothing to send or nobody to send it to.
    fn queue(
        &self,
        db: &WriteTx<'_>,
        event: MailEvent,
        key: String,
        customer: &str,
        topics: &[Topic],
    ) -> Result<Option<i64>, Error> {
        if !self.sends_mail() {
            return Ok(None);
        }
        let Some(customer) = addressee(db, customer)? else {
            return Ok(None);
        };
        let Some(written) = self.written(db, event, &customer, topics, String::new())? else {
            return Ok(None);
        };
        let mail = NewMail { key, ..written };
        Ok(outbox::add(db, &mail, topics, self.now())?)
    }

    /// What the mail says now; none if nothing of it holds any longer. `my_url` is only for [`MailEvent::MyPage`].
    pub(super) fn written(
        &self,
        db: &Db,
        event: MailEvent,
        customer: &Customer,
        topics: &[Topic],
        my_url: String,
    ) -> Result<Option<NewMail>, Error> {
        let today = self.today();
        let Some(mut facts) = facts(db, event, customer, topics, today)? else {
            return Ok(None);
        };
        let tool = lead(&facts).to_owned();
        let rules = match &*facts.tool_name {
            "" => self.common_rules().into(),
            tool => self.tool(tool),
        };
        facts.vendor.clone_from(&rules.vendor);
        facts.support_email.clone_from(&rules.support_email);
        facts.link.clone_from(&rules.link);
        facts.server_url.clone_from(&self.mailer.server_url);
        facts.claim_url = self.claim_url(&tool);
        facts.my_url = my_url;
        let (language, text) = self.text_of(db, event, &tool, &customer.language, &facts)?;
        let mail = self.new_mail(event, String::new(), &customer.email, language, text)?;
        Ok(Some(NewMail {
            customer: customer.name.clone(),
            ..mail
        }))
    }

    pub(super) fn new_mail(
        &self,
        event: MailEvent,
        key: String,
        recipient: &str,
        language: String,
        text: MailText,
    ) -> Result<NewMail, Error> {
        let domain = self
            .mailer
            .smtp
            .as_ref()
            .map(|smtp| smtp.from.email.domain());
        Ok(NewMail {
            event,
            key,
            message_id: format!(
                "<{}@{}>",
                URL_SAFE_NO_PAD.encode(random::<18>()?),
                domain.unwrap_or("localhost")
            ),
            recipient: recipient.to_owned(),
            customer: String::new(),
            language,
            subject: text.subject,
            body: text.body,
        })
    }

    /// The mail as it is sent now; none if it no longer waits or holds, and then it is dropped.
    pub(super) fn looked_at_again(&self, id: i64) -> Result<Option<Mail>, Error> {
        let now = self.now();
        self.store.write(|db| {
            let mail = outbox::get(db, id)?.filter(|mail| mail.state == MailState::Waiting);
            let Some(mail) = mail else {
                return Ok(None);
            };
            if matches!(
                mail.event,
                MailEvent::Digest | MailEvent::Alert | MailEvent::Test
            ) {
                return Ok(Some(mail));
            }
            let is_invitation = mail.event == MailEvent::Invitation;
            let has_secret = is_invitation || mail.event == MailEvent::MyPage;
            let written = match addressee(db, &mail.customer)? {
                _ if is_invitation => self.mail_with_invitation(db, &mail)?,
                None => None,
                Some(customer) if has_secret => self.mail_with_link(db, &mail, customer)?,
                Some(customer) => {
                    let topics = outbox::topics(db, id)?;
                    self.written(db, mail.event, &customer, &topics, String::new())?
                }
            };
            let Some(written) = written else {
                let dropped = Mail {
                    state: MailState::Dropped,
                    ended_at: Some(now),
                    error: "What it says was no longer true when it was to be sent.".to_owned(),
                    ..mail
                };
                outbox::set_state(db, MailState::Waiting, &dropped)?;
                return Ok(None);
            };
            let NewMail {
                recipient,
                subject,
                body,
                ..
            } = written;
            // The stored text has no secret, wherever the vendor's text puts it.
            let stored = match has_secret {
                true => (&recipient, &mail.subject, &mail.body),
                false => (&recipient, &subject, &body),
            };
            if stored != (&mail.recipient, &mail.subject, &mail.body) {
                outbox::set_text(db, id, stored.0, stored.1, stored.2)?;
            }
            Ok(Some(Mail {
                recipient,
                subject,
                body,
                ..mail
            }))
        })
    }
}

/// An error if nothing can be changed any longer.
fn not_settled(mail: &Mail) -> Result<(), Error> {
    let message = match mail.state {
        MailState::Sent => "The mail server has taken this mail already.",
        MailState::Sending => "This mail is being sent right now. Reload the page in a minute.",
        MailState::Waiting | MailState::Uncertain | MailState::Failed | MailState::Dropped => {
            return Ok(());
        }
    };
    Err(Error::Conflict(message.into()))
}

/// A customer with an address.
fn addressee(db: &Db, name: &str) -> Read<Option<Customer>> {
    if name.is_empty() {
        return Ok(None);
    }
    Ok(customers::named(db, name)?.filter(|customer| !customer.email.is_empty()))
}
