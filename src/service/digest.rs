//! The week in figures, for the vendor.

use time::{Date, Duration};

use super::Service;
use super::mail_facts::license_facts;
use crate::error::Error;
use crate::model::date;
use crate::model::mail::MailEvent;
use crate::model::mail_text::{DigestFacts, Facts, MailText};
use crate::model::text::grouped;
use crate::store::{audit, outbox, unlicensed_machines};

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

    /// Once a week: on Monday, or later if the server was off; first on the Monday after the installation.
    pub(super) fn queue_digest(&self, today: Date) -> Result<(), Error> {
        let Some(to) = &self.mailer.digest_to else {
            return Ok(());
        };
        let since = i64::from(today.weekday().number_days_from_monday());
        let monday = today.saturating_sub(Duration::days(since));
        let key = format!("digest of {}", date::format(monday));
        let (is_queued, began) = self
            .store
            .read_tx(|db| Ok((outbox::has_key(db, &key)?, audit::began(db)?)))?;
        let is_new = began.is_none_or(|at| at.to_offset(self.utc_offset).date() >= monday);
        if is_queued || is_new {
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
        let today = overview.today;
        let expiring: i64 = overview.expiring.iter().map(|(_, number)| number).sum();
        Ok(Facts {
            server_url: self.mailer.server_url.clone(),
            digest: DigestFacts {
                today: date::format(today),
                expiring: grouped(expiring),
                expired_in_use: overview.expired_in_use.shown(),
                unlicensed: grouped(overview.unlicensed_number),
                new_unlicensed: grouped(new),
                shared: overview.shared.shown(),
                last_backup: backup.map(|backup| day(backup.at)).unwrap_or_default(),
                failed_mails: self.unsent_mails()?,
            },
            licenses: overview
                .next_to_expire
                .into_iter()
                .filter_map(|listed| {
                    let last = listed.license.expiration_date?;
                    Some(license_facts(listed, last, today))
                })
                .collect(),
            ..Facts::default()
        })
    }
}
