//! What the page about security asks.

use time::Duration;

use super::Service;
use crate::config::Config;
use crate::error::Error;
use crate::model::alert::{AlertKind, alerts};
use crate::model::audit::Entry;
use crate::model::security::{Check, PersonFacts, SecurityFacts, Settings, TokenFacts, checks};
use crate::model::webhook::WebhookState;
use crate::store::{SCHEMA, audit, tokens, users};

impl Service {
    pub fn security(&self) -> Result<Vec<Check>, Error> {
        let now = self.now();
        let (all, tokens, audit) = self
            .store
            .read_tx(|db| Ok((users::all(db)?, tokens::valid(db, now)?, audit::head(db)?)))?;
        let people = all.into_iter().filter(|user| !user.is_disabled);
        let people = people.map(|user| PersonFacts {
            role: user.values.role,
            has_email: user.values.can_be_mailed(),
            name: user.values.name,
            has_factor: user.factor.is_some(),
            created_at: user.created_at,
            signed_in_at: user.signed_in_at,
        });
        let tokens = tokens.into_iter().map(|mut token| {
            token.last_use = self.token_uses.latest(token.id, token.last_use.take());
            TokenFacts {
                unused: token.unused(now),
                name: token.name,
                person: token.user_name,
                scopes: token.scopes,
                expires_at: token.expires_at,
            }
        });
        let invited = self.invited()?.into_iter().filter(|one| !one.is_expired);
        let is_disabled = |state| matches!(state, WebhookState::Failed | WebhookState::Gone);
        let webhooks = self.webhooks()?.into_iter().map(|one| one.webhook);
        let (entries, _) = self.alert_entries(Duration::DAY)?;
        let facts = SecurityFacts {
            now,
            offset: self.utc_offset,
            version: env!("CARGO_PKG_VERSION"),
            schema: SCHEMA,
            settings: self.settings.clone(),
            sends_mail: self.sends_mail(),
            people: people.collect(),
            invited: invited.map(|one| one.invitation.values.name).collect(),
            tokens: tokens.collect(),
            backups: self.backup_state()?,
            keys: self.signing_keys()?,
            audit,
            refused: refused(&entries),
            alerts: alerts(&entries),
            disabled_webhooks: webhooks
                .filter(|webhook| is_disabled(webhook.state))
                .map(|webhook| webhook.origin())
                .collect(),
        };
        Ok(checks(&facts))
    }
}

pub(super) fn settings(config: &Config) -> Settings {
    let url = config.public_url.as_ref();
    Settings {
        public_url: url.map(|_| format!("{}{}", config.origin(config.port), config.base_path())),
        is_https: config.is_https(),
        requires_two_factors: config.require_two_factors,
        has_secret: !config.secrets.is_empty(),
        security_contact: config.security_contact.clone(),
    }
}

fn refused(entries: &[Entry]) -> [(AlertKind, i64); 3] {
    [AlertKind::SignIns, AlertKind::Codes, AlertKind::Tokens].map(|alert| {
        let found = entries.iter().map(|entry| &entry.event);
        let found = found.filter(|event| AlertKind::of_refusal(event.kind) == Some(alert));
        let number = found.map(|event| event.after.number("attempts").unwrap_or(1));
        (alert, number.sum())
    })
}
