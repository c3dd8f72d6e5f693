//! Signing in and out.

use std::net::IpAddr;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::passwords::Match;
use super::{Service, secrets};
use crate::error::Error;
use crate::store::sessions::{self, NewSession, Session};
use crate::store::users;

const IDLE: Duration = Duration::minutes(30);
const LONGEST: Duration = Duration::hours(12);
const TOUCH: Duration = Duration::minutes(1);

/// Who signs in, from where.
pub struct Client {
    /// The address that counts, behind trusted proxies.
    pub address: IpAddr,
    /// The browser's own words, cut to 200 characters.
    pub user_agent: String,
}

/// A living session.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// What is known of it.
    pub session: Session,
    /// Proves that a form came from a page of this session.
    pub csrf: String,
}

impl Service {
    /// Checks name and password and begins a session; returns the cookie's value.
    pub async fn log_in(
        self: &Arc<Self>,
        name: &str,
        password: String,
        client: Client,
    ) -> Result<String, Error> {
        let user = self.store.read(|db| users::by_name(db, name))?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let fits = self.passwords.matches(password.clone(), stored).await?;
        let (Some(user), Match::Yes | Match::YesButOutdated) = (user, &fits) else {
            return Err(Error::WrongCredentials);
        };
        self.run(move |service| {
            let token = secrets::token()?;
            let now = service.clock.now();
            let rehashed = match fits {
                Match::YesButOutdated => Some(service.passwords.hash(&password)?),
                Match::Yes | Match::No => None,
            };
            service.store.write(|db| {
                if let Some(hash) = &rehashed {
                    users::set_password_hash(db, user.id, hash)?;
                }
                sessions::delete_dead(db, now - IDLE, now - LONGEST)?;
                let new = NewSession {
                    token_hash: &secrets::fingerprint(&token),
                    user_id: user.id,
                    address: &client.address.to_string(),
                    user_agent: &client.user_agent,
                };
                Ok(sessions::add(db, &new, now)?)
            })?;
            Ok(token)
        })
        .await
    }

    /// The living session of this cookie value, if there is one; its use is noted once a minute.
    pub async fn session(self: &Arc<Self>, token: &str) -> Result<Option<SignedIn>, Error> {
        let now = self.clock.now();
        let found = self
            .store
            .read(|db| sessions::by_token_hash(db, &secrets::fingerprint(token)))?;
        let Some(session) = found.filter(|session| is_alive(session, now)) else {
            return Ok(None);
        };
        if now - session.last_used_at >= TOUCH {
            let id = session.id;
            self.run(move |service| service.store.write(|db| Ok(sessions::touch(db, id, now)?)))
                .await?;
        }
        let csrf = secrets::fingerprint(&format!("form of session {token}"));
        Ok(Some(SignedIn { session, csrf }))
    }

    /// Ends the session of this cookie value.
    pub fn log_out(&self, token: &str) -> Result<(), Error> {
        self.store
            .write(|db| Ok(sessions::delete(db, &secrets::fingerprint(token))?))
    }
}

fn is_alive(session: &Session, now: OffsetDateTime) -> bool {
    now - session.last_used_at < IDLE && now - session.created_at < LONGEST
}
