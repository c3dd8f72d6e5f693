//! API tokens: keys for scripts.

use std::sync::Arc;

use serde_json::json;
use time::{Date, Duration};

use super::{Service, secrets};
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::new_license::format_date;
use crate::model::token::{NewToken, Scope};
use crate::store::audit;
use crate::store::tokens::{self, Token};

const TOUCH: Duration = Duration::minutes(1);
const PREFIX: &str = "lsk_";

/// A script that showed a good token.
#[derive(Debug, Clone)]
pub struct TokenUser {
    /// The token's name.
    pub name: String,
    scopes: Vec<Scope>,
}

impl TokenUser {
    /// Whether the token may do that.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

impl Service {
    /// Whose token this is, if it is good now; its use is noted once a minute.
    pub async fn token_user(self: &Arc<Self>, secret: &str) -> Result<Option<TokenUser>, Error> {
        let now = self.clock.now();
        let found = self
            .store
            .read(|db| tokens::by_token_hash(db, &secrets::fingerprint(secret)))?;
        let Some(token) = found.filter(|token| now < token.expires_at) else {
            return Ok(None);
        };
        if token.last_used_at.is_none_or(|last| now - last >= TOUCH) {
            let id = token.id;
            let noted =
                self.run(move |service| service.store.write(|db| Ok(tokens::touch(db, id, now)?)));
            // Reading goes on while the database cannot be written.
            if let Err(error) = noted.await {
                self.log.fault("use of a token", &error);
            }
        }
        Ok(Some(TokenUser {
            name: token.name,
            scopes: token.scopes,
        }))
    }

    /// The tokens of a user, the newest first, dead ones too.
    pub fn tokens(&self, user_id: i64) -> Result<Vec<Token>, Error> {
        self.store.read(|db| tokens::of_user(db, user_id))
    }

    /// The day after which a token that is made today may not be good any more.
    pub fn longest_token(&self) -> Date {
        NewToken::longest(self.clock.now().to_offset(self.utc_offset).date())
    }

    /// Makes a token and returns its secret, which is never shown again.
    pub fn create_token(
        &self,
        actor: &Actor,
        user_id: i64,
        name: &str,
        scopes: &[Scope],
        last_day: &str,
    ) -> Result<String, Error> {
        let now = self.clock.now();
        let new = NewToken::parse(
            name,
            scopes,
            last_day,
            now.to_offset(self.utc_offset).date(),
        )?;
        let expires_at = new
            .last_day
            .next_day()
            .unwrap_or(new.last_day)
            .midnight()
            .assume_offset(self.utc_offset);
        let secret = format!("{PREFIX}{}", secrets::token()?);
        let words: Vec<&str> = new.scopes.iter().map(|scope| scope.as_str()).collect();
        let about = json!({"name": new.name, "scopes": words.join(" "), "last day": format_date(new.last_day)});
        self.store.write(|db| {
            tokens::add(
                db,
                user_id,
                &new,
                &secrets::fingerprint(&secret),
                expires_at,
                now,
            )?;
            Ok(audit::append(
                db,
                &Event::new(Kind::TokenCreated, actor).with(about),
                now,
            )?)
        })?;
        Ok(secret)
    }

    /// Takes a token of a user back.
    pub fn revoke_token(&self, actor: &Actor, user_id: i64, id: i64) -> Result<Token, Error> {
        self.store.write(|db| {
            let all = tokens::of_user(db, user_id)?;
            let token = all.into_iter().find(|token| token.id == id);
            let token = token.ok_or(Error::NotFound("This token is gone already."))?;
            tokens::delete(db, id)?;
            let event = Event::new(Kind::TokenRevoked, actor).with(json!({"name": token.name}));
            audit::append(db, &event, self.clock.now())?;
            Ok(token)
        })
    }
}
