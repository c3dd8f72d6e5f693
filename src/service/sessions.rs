//! Sign-in, sign-out and sessions.

use std::net::IpAddr;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use super::passwords::{Caller, Match};
use super::throttle::subscriber;
use super::{Service, devices, secrets};
use crate::error::Error;
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::store::audit;
use crate::store::sessions::{self, NewSession, Session};
use crate::store::users::{self, User};

/// A use is recorded at most once in this time.
const USE_EVERY: Duration = Duration::MINUTE;
/// Characters of an unknown user name that the audit log shows.
const SHOWN_NAME: usize = 100;

/// A browser that signs in.
#[derive(Debug, Clone)]
pub struct Client {
    /// As reported by trusted proxies.
    pub address: IpAddr,
    /// `User-Agent`, cut to 200 characters.
    pub user_agent: String,
    /// The cookie of an earlier session in the same browser.
    pub session: Option<String>,
    /// The cookie of an earlier sign-in in the same browser.
    pub device: Option<String>,
}

/// The values of the cookies that a browser gets.
#[derive(Debug)]
pub struct SignIn {
    pub session: String,
    pub device: String,
}

/// A session that has not expired.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub session: Session,
    /// Proves that a form came from a page of this session.
    pub csrf: String,
}

impl SignedIn {
    /// Signs what the server tells this session's browser.
    pub fn sign(&self, text: &str) -> Result<String, Error> {
        secrets::mac(&self.csrf, text)
    }

    pub fn has_signed(&self, text: &str, mac: &str) -> Result<bool, Error> {
        secrets::is_mac(mac, &self.csrf, text)
    }
}

impl Service {
    /// Verifies name and password and starts a session, which replaces the browser's earlier one. Attempts
    /// count before hashing: against the device, or else against the address and the name. Successful ones
    /// are given back.
    pub async fn log_in(
        self: &Arc<Self>,
        name: &str,
        password: String,
        client: Client,
    ) -> Result<SignIn, Error> {
        let shown = name
            .chars()
            .filter(|c| !c.is_control())
            .take(SHOWN_NAME)
            .collect();
        let actor = Actor {
            who: shown,
            address: client.address.to_string(),
        };
        let user = self.store.read(|db| users::by_name(db, name))?;
        let user = user.filter(|user| !user.is_disabled);
        let device = match (&client.device, &user) {
            (Some(cookie), Some(user)) => devices::id(cookie, user)?,
            _ => None,
        };
        if let Err(seconds) = self.take_attempt(device, name, client.address) {
            self.note_refusal(Kind::SignInThrottled, &actor.who, client.address);
            return Err(Error::TooManyRequests(seconds));
        }
        let stored = user.as_ref().map(|user| user.password_hash.clone());
        let caller = match device {
            Some(_) => Caller::Known,
            None => Caller::Stranger,
        };
        let matches = self.passwords.matches(password.clone(), stored, caller);
        let fits = matches.await?;
        let (Some(user), Match::Yes | Match::YesButOutdated) = (user, &fits) else {
            self.note_refusal(Kind::SignInFailed, &actor.who, client.address);
            return Err(Error::WrongCredentials);
        };
        self.give_back_attempt(device, name, client.address);
        self.run(move |service| {
            let token = secrets::token()?;
            let now = service.clock.now();
            let is_outdated = fits == Match::YesButOutdated;
            let password_hash = match is_outdated {
                true => service.passwords.hash(&password)?,
                false => user.password_hash,
            };
            let user = User {
                password_hash,
                ..user
            };
            service.store.write(|db| {
                if is_outdated {
                    users::set_password_hash(db, user.id, &user.password_hash)?;
                }
                if let Some(earlier) = &client.session {
                    sessions::delete(db, &secrets::fingerprint(earlier))?;
                }
                // First, because the last use of a session may only be in memory.
                for (id, at) in service.session_uses.all() {
                    sessions::set_last_used(db, id, at)?;
                }
                sessions::delete_expired(db, now - service.idle, now - service.longest)?;
                let new = NewSession {
                    token_hash: &secrets::fingerprint(&token),
                    user_id: user.id,
                    address: &actor.address,
                    user_agent: &client.user_agent,
                };
                sessions::add(db, &new, now)?;
                let browser = Detail::personal(&client.user_agent);
                let event = Event::new(Kind::SignedIn, &actor).with("browser", browser);
                audit::append(db, event, now)?;
                Ok(())
            })?;
            Ok(SignIn {
                session: token,
                device: devices::cookie(&user)?,
            })
        })
        .await
    }

    fn take_attempt(&self, device: Option<&str>, name: &str, address: IpAddr) -> Result<(), u64> {
        let now = self.clock.now();
        if let Some(id) = device {
            return self.by_device.take(id, now);
        }
        self.by_address.take(subscriber(address), now)?;
        self.by_name.take(name, now)
    }

    fn give_back_attempt(&self, device: Option<&str>, name: &str, address: IpAddr) {
        match device {
            Some(id) => self.by_device.give_back(id),
            None => {
                self.by_address.give_back(subscriber(address));
                self.by_name.give_back(name);
            }
        }
    }

    /// The session of this cookie value, unless it has expired. Its use is recorded in memory, so that a page
    /// never waits for a write.
    pub fn session(&self, token: &str) -> Result<Option<SignedIn>, Error> {
        let now = self.clock.now();
        let found = self
            .store
            .read(|db| sessions::by_token_hash(db, &secrets::fingerprint(token)))?;
        let found = found.map(|session| self.with_last_use(session));
        let Some(session) = found else {
            return Ok(None);
        };
        if !self.is_alive(&session, now) {
            // For good, even if the clock is set back.
            self.dead_sessions.lock().insert(session.id);
            return Ok(None);
        }
        if now - session.last_used_at >= USE_EVERY {
            self.session_uses.insert(session.id, now);
        }
        let csrf = secrets::fingerprint(&format!("form of session {token}"));
        Ok(Some(SignedIn { session, csrf }))
    }

    fn with_last_use(&self, session: Session) -> Session {
        let stored = session.last_used_at;
        let latest = self.session_uses.latest(session.id, Some(stored));
        Session {
            last_used_at: latest.unwrap_or(stored),
            ..session
        }
    }

    /// Judged by its last use where the clock was set back since.
    fn is_alive(&self, session: &Session, now: OffsetDateTime) -> bool {
        let now = now.max(session.last_used_at);
        now - session.last_used_at < self.idle
            && now - session.created_at < self.longest
            && !self.dead_sessions.lock().contains(&session.id)
    }

    /// Ends the session of this cookie value.
    pub fn log_out(&self, actor: &Actor, token: &str) -> Result<(), Error> {
        self.store.write(|db| {
            sessions::delete(db, &secrets::fingerprint(token))?;
            audit::append(db, Event::new(Kind::SignedOut, actor), self.clock.now())?;
            Ok(())
        })
    }

    /// A user's sessions that have not expired, last used first.
    pub fn sessions(&self, user_id: i64) -> Result<Vec<Session>, Error> {
        let now = self.clock.now();
        let stored = self.store.read(|db| sessions::of_user(db, user_id))?;
        let all = stored
            .into_iter()
            .map(|session| self.with_last_use(session));
        let mut alive: Vec<Session> = all.filter(|session| self.is_alive(session, now)).collect();
        alive.sort_by_key(|session| std::cmp::Reverse((session.last_used_at, session.id)));
        Ok(alive)
    }

    pub fn end_session(&self, actor: &Actor, user_id: i64, id: i64) -> Result<(), Error> {
        self.store.write(|db| {
            let all = sessions::of_user(db, user_id)?;
            let ended = all.into_iter().find(|session| session.id == id);
            let ended = ended.ok_or(Error::NotFound("This session has already ended."))?;
            sessions::delete_by_id(db, id)?;
            let event = Event::new(Kind::SessionEnded, actor)
                .with("address", Detail::personal(&ended.address))
                .with("browser", Detail::personal(&ended.user_agent));
            audit::append(db, event, self.clock.now())?;
            Ok(())
        })
    }

    /// Keeps one session; returns how many were ended.
    pub fn end_other_sessions(
        &self,
        actor: &Actor,
        user_id: i64,
        kept: i64,
    ) -> Result<usize, Error> {
        self.store.write(|db| {
            let ended = sessions::delete_others(db, user_id, kept)?;
            let event = Event::new(Kind::SessionEnded, actor).with("other sessions", ended as i64);
            audit::append(db, event, self.clock.now())?;
            Ok(ended)
        })
    }
}
