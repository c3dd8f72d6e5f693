//! API tokens, for scripts.

use std::net::IpAddr;

use time::{Date, Duration, OffsetDateTime};

use super::{Service, secrets};
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::date;
use crate::model::role::Role;
use crate::model::token::{NewToken, Scope};
use crate::store::tokens::{self, Token, TokenUse};
use crate::store::{WriteTx, audit};

/// A use from the same address is recorded at most once in this time.
const USE_EVERY: Duration = Duration::MINUTE;
const PREFIX: &str = "lsk_";

/// A script with a valid token.
#[derive(Debug, Clone)]
pub struct TokenUser {
    pub id: i64,
    pub name: String,
    /// Its person.
    pub user_id: i64,
    pub role: Role,
    scopes: Vec<Scope>,
}

impl TokenUser {
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl Service {
    /// The token with this secret, unless it has expired. Its use is recorded in memory, so that a request
    /// never waits for a write.
    pub fn token_user(&self, secret: &str, address: IpAddr) -> Result<Option<TokenUser>, Error> {
        let now = self.clock.now();
        let found = self
            .store
            .read(|db| tokens::by_token_hash(db, &secrets::fingerprint(secret)))?;
        let Some(token) = found.filter(|token| now < token.expires_at) else {
            return Ok(None);
        };
        let last = self.token_uses.latest(token.id, token.last_use);
        let address = address.to_string();
        if last.is_none_or(|last| now - last.at >= USE_EVERY || last.address != address) {
            let latest = TokenUse { at: now, address };
            self.token_uses.insert(token.id, latest);
        }
        Ok(Some(TokenUser {
            id: token.id,
            name: token.name,
            user_id: token.user_id,
            role: token.role,
            scopes: token.scopes,
        }))
    }

    /// Newest first, including expired ones.
    pub fn tokens(&self, user_id: i64) -> Result<Vec<Token>, Error> {
        let mut tokens = self.store.read(|db| tokens::of_user(db, user_id))?;
        for token in &mut tokens {
            token.last_use = self.token_uses.latest(token.id, token.last_use.take());
        }
        Ok(tokens)
    }

    /// The latest expiration date that a token created today can have.
    pub fn longest_token(&self) -> Date {
        NewToken::longest(self.clock.now().to_offset(self.utc_offset).date())
    }

    /// Returns the secret, which is never shown again.
    pub fn create_token(
        &self,
        actor: &Actor,
        user_id: i64,
        name: &str,
        scopes: &[Scope],
        expiration_date: &str,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let new = NewToken::parse(
            name,
            scopes,
            expiration_date,
            now.to_offset(self.utc_offset).date(),
        )?;
        let expires_at = new
            .expiration_date
            .next_day()
            .unwrap_or(new.expiration_date)
            .midnight()
            .assume_offset(self.utc_offset);
        let secret = format!("{PREFIX}{}", secrets::token()?);
        let words: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        let event = Event::new(Kind::TokenCreated, actor)
            .with("name", &*new.name)
            .with("scopes", words.join(" "))
            .with("expiration_date", date::format(new.expiration_date));
        self.store.write(|db| {
            tokens::add(
                db,
                user_id,
                &new,
                &secrets::fingerprint(&secret),
                expires_at,
                now,
            )?;
            audit::append(db, event, now)?;
            Ok(())
        })?;
        Ok(secret)
    }

    /// Within the transaction that changes a password. Returns how many tokens were valid, revoked or not.
    pub(super) fn count_or_revoke_tokens(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        user_id: i64,
        is_revoking: bool,
    ) -> Result<usize, Error> {
        let now = self.clock.now();
        let all = tokens::of_user(db, user_id)?;
        let valid = all.iter().filter(|token| now < token.expires_at).count();
        for token in all.iter().filter(|_| is_revoking) {
            revoke(db, actor, token, now)?;
        }
        Ok(valid)
    }

    pub fn revoke_token(&self, actor: &Actor, user_id: i64, id: i64) -> Result<Token, Error> {
        self.store.write(|db| {
            let all = tokens::of_user(db, user_id)?;
            let token = all.into_iter().find(|token| token.id == id);
            let token = token.ok_or(Error::NotFound("This token has already been revoked."))?;
            revoke(db, actor, &token, self.clock.now())?;
            Ok(token)
        })
    }
}

pub(super) fn revoke(
    db: &WriteTx<'_>,
    actor: &Actor,
    token: &Token,
    now: OffsetDateTime,
) -> Result<(), Error> {
    tokens::delete(db, token.id)?;
    let event = Event::new(Kind::TokenRevoked, actor).with("name", &*token.name);
    audit::append(db, event, now)?;
    Ok(())
}
