//! Signing in and out, and who is signed in.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::passwords::Match;
use super::throttle::subscriber;
use super::{Service, secrets};
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::store::sessions::{self, NewSession, Session};
use crate::store::{audit, users};

const TOUCH: Duration = Duration::minutes(1);
/// Characters of a name that nobody has, in the audit log.
const SHOWN_NAME: usize = 100;

/// Who asks, from where.
#[derive(Debug, Clone)]
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
    /// Checks name and password and begins a session; returns the cookie's value. Attempts count
    /// against the address and against the name before anything is hashed; good ones are given back.
    pub async fn log_in(
        self: &Arc<Self>,
        name: &str,
        password: String,
        client: Client,
    ) -> Result<String, Error> {
        let shown = name
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN_NAME)
            .collect();
        let actor = Actor {
            who: shown,
            address: client.address.to_string(),
        };
        if let Err(seconds) = self.take_attempt(name, client.address) {
            self.note_throttled(actor, client.address).await?;
            return Err(Error::TooManyRequests(seconds));
        }
        let user = self.store.read(|db| users::by_name(db, name))?;
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let fits = self.passwords.matches(password.clone(), stored).await?;
        let (Some(user), Match::Yes | Match::YesButOutdated) = (user, &fits) else {
            self.record(Event::new(Kind::SignInFailed, &actor)).await?;
            return Err(Error::WrongCredentials);
        };
        self.by_address.give_back(subscriber(client.address));
        self.by_name.give_back(name);
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
                sessions::delete_dead(db, now - service.idle, now - service.longest)?;
                let new = NewSession {
                    token_hash: &secrets::fingerprint(&token),
                    user_id: user.id,
                    address: &actor.address,
                    user_agent: &client.user_agent,
                };
                sessions::add(db, &new, now)?;
                let event =
                    Event::new(Kind::SignedIn, &actor).with(json!({"browser": client.user_agent}));
                Ok(audit::append(db, &event, now)?)
            })?;
            Ok(token)
        })
        .await
    }

    fn take_attempt(&self, name: &str, address: IpAddr) -> Result<(), u64> {
        let now = self.clock.now();
        self.by_address.take(subscriber(address), now)?;
        self.by_name.take(name, now)
    }

    /// Not each attempt: somebody who floods the door must not fill the disk.
    async fn note_throttled(self: &Arc<Self>, actor: Actor, address: IpAddr) -> Result<(), Error> {
        if self
            .throttled_notes
            .take(subscriber(address), self.clock.now())
            .is_ok()
        {
            self.record(Event::new(Kind::SignInThrottled, &actor))
                .await?;
        }
        Ok(())
    }

    async fn record(self: &Arc<Self>, event: Event) -> Result<(), Error> {
        self.run(move |service| {
            let now = service.clock.now();
            service
                .store
                .write(|db| Ok(audit::append(db, &event, now)?))
        })
        .await
    }

    /// The living session of this cookie value, if there is one; its use is noted once a minute.
    pub async fn session(self: &Arc<Self>, token: &str) -> Result<Option<SignedIn>, Error> {
        let now = self.clock.now();
        let found = self
            .store
            .read(|db| sessions::by_token_hash(db, &secrets::fingerprint(token)))?;
        let Some(session) = found.filter(|session| self.is_alive(session, now)) else {
            return Ok(None);
        };
        if now - session.last_used_at >= TOUCH {
            let id = session.id;
            let noted = self
                .run(move |service| service.store.write(|db| Ok(sessions::touch(db, id, now)?)));
            // Reading goes on while the database cannot be written.
            if let Err(error) = noted.await {
                self.log.fault("use of a session", &error);
            }
        }
        let csrf = secrets::fingerprint(&format!("form of session {token}"));
        Ok(Some(SignedIn { session, csrf }))
    }

    fn is_alive(&self, session: &Session, now: OffsetDateTime) -> bool {
        now - session.last_used_at < self.idle && now - session.created_at < self.longest
    }

    /// Ends the session of this cookie value.
    pub fn log_out(&self, actor: &Actor, token: &str) -> Result<(), Error> {
        self.store.write(|db| {
            sessions::delete(db, &secrets::fingerprint(token))?;
            Ok(audit::append(
                db,
                &Event::new(Kind::SignedOut, actor),
                self.clock.now(),
            )?)
        })
    }

    /// The living sessions of a user, the last used first.
    pub fn sessions(&self, user_id: i64) -> Result<Vec<Session>, Error> {
        let now = self.clock.now();
        let all = self.store.read(|db| sessions::of_user(db, user_id))?;
        Ok(all
            .into_iter()
            .filter(|session| self.is_alive(session, now))
            .collect())
    }

    /// Ends one session of a user.
    pub fn end_session(&self, actor: &Actor, user_id: i64, id: i64) -> Result<(), Error> {
        self.store.write(|db| {
            let all = sessions::of_user(db, user_id)?;
            let ended = all.into_iter().find(|session| session.id == id);
            let ended = ended.ok_or(Error::NotFound("This session has ended already."))?;
            sessions::delete_by_id(db, id)?;
            let about = json!({"address": ended.address, "browser": ended.user_agent});
            let event = Event::new(Kind::SessionEnded, actor).with(about);
            Ok(audit::append(db, &event, self.clock.now())?)
        })
    }

    /// Ends every session of a user but one; returns how many.
    pub fn end_other_sessions(
        &self,
        actor: &Actor,
        user_id: i64,
        kept: i64,
    ) -> Result<usize, Error> {
        self.store.write(|db| {
            let ended = sessions::delete_others(db, user_id, kept)?;
            let event =
                Event::new(Kind::SessionEnded, actor).with(json!({"other sessions": ended}));
            audit::append(db, &event, self.clock.now())?;
            Ok(ended)
        })
    }
}
