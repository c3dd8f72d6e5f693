//! The week in figures, for the vendor.

use time::{Date, Duration};

use super::Service;
use crate::error::Error;
use crate::model::date;
use crate::model::mail::{MailEvent, MailState};
use crate::model::mail_text::{DigestFacts, Facts, LicenseFacts, MailText};
use crate::model::search::Count;
use crate::model::text::grouped;
use crate::store::{outbox, unlicensed_machines};

impl Service {
    /// The mail of this week, as it would be sent now.
    pub fn digest(&self) -> Result<MailText, Error> {
        let facts = self.digest_facts()?;
        let language = &self.mailer.language;
        let text = self
            .store
            .read(|db| Ok(self.text_of(db, MailEvent::Digest, "", language, &facts)))?;
        Ok(text?.1)
    }

    pub fn digest_to(&self) -> Option<&str> {
        self.mailer.digest_to.as_deref()
    }

    /// Once a week: on Monday, or later if the server was off.
    pub(super) fn queue_digest(&self, today: Date) -> Result<(), Error> {
        let Some(to) = &self.mailer.digest_to else {
            return Ok(());
        };
        let since = i64::from(today.weekday().number_days_from_monday());
        let monday = today.saturating_sub(Duration::days(since));
        let key = format!("digest of {}", date::format(monday));
        if self.store.read(|db| outbox::has_key(db, &key))? {
            return Ok(());
        }
        let text = self.digest()?;
        let language = self.mailer.language.clone();
        let mail = self.new_mail(MailEvent::Digest, key, to, language, text)?;
        self.store.write(|db| {
            outbox::add(db, &mail, &[], self.now())?;
            Ok(())
        })
    }

    fn digest_facts(&self) -> Result<Facts, Error> {
        let overview = self.overview()?;
        let week = self.now() - Duration::WEEK;
        let new = self
            .store
            .read(|db| unlicensed_machines::new_since(db, week))?;
        let backup = self.backup_state()?.last_good;
        let day = |at: time::OffsetDateTime| date::format(at.to_offset(self.utc_offset).date());
        let unsent = self.mail_counts()?.into_iter();
        let unsent =
            unsent.filter(|(state, _)| matches!(state, MailState::Failed | MailState::Uncertain));
        let today = overview.today;
        let expiring: i64 = overview.expiring.iter().map(|(_, number)| number).sum();
        Ok(Facts {
            server_url: self.mailer.server_url.clone(),
            digest: DigestFacts {
                today: date::format(today),
                expiring: grouped(expiring),
                expired_in_use: counted(overview.expired_in_use),
                unlicensed: grouped(overview.unlicensed_number),
                new_unlicensed: grouped(new),
                shared: counted(overview.shared),
                last_backup: backup.map(|backup| day(backup.at)).unwrap_or_default(),
                failed_mails: unsent.map(|(_, number)| number).sum(),
            },
            licenses: overview
                .next_to_expire
                .into_iter()
                .filter_map(|listed| {
                    let last = listed.license.expiration_date?;
                    let client = listed.last_check.map(|check| check.client.hostname);
                    let values = listed.license.values;
                    Some(LicenseFacts {
                        tool_name: values.tool_name,
                        license_key: values.license_key,
                        hostname: client.unwrap_or_default(),
                        customer: values.user_id.unwrap_or_default(),
                        expiration_date: date::format(last),
                        days: (last - today).whole_days(),
                    })
                })
                .collect(),
            ..Facts::default()
        })
    }
}

fn counted(count: Count) -> String {
    match count {
        Count::Exactly(number) => grouped(number),
        Count::MoreThan(number) => format!("more than {}", grouped(number)),
    }
}
