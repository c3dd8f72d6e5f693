//! Sessions: how long they live, and how they end.

use std::net::IpAddr;

use time::{Duration, OffsetDateTime};

use super::{Service, secrets};
use crate::error::Error;
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::store::sessions::{self, Session};
use crate::store::{WriteTx, audit};

/// A use is recorded at most once in this time.
const USE_EVERY: Duration = Duration::MINUTE;

/// Networks that a session remembers.
const NETWORKS: usize = 8;

/// Between the random part of a renewed cookie value and the session's CSRF token.
const WITH_CSRF: char = '.';

/// A browser that signs in, or is signed in.
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
    token_hash: String,
}

impl SignedIn {
    /// A new cookie value, in place of the one that opens nothing from now on. The CSRF token goes along, so that
    /// forms which are open in other tabs can still be sent.
    pub(super) fn renew(&self, db: &WriteTx<'_>) -> Result<String, Error> {
        let value = format!("{}{WITH_CSRF}{}", secrets::token()?, self.csrf);
        match sessions::renew(db, &self.token_hash, &secrets::fingerprint(&value))? {
            true => Ok(value),
            false => Err(Error::Unauthenticated),
        }
    }
}

impl Service {
    /// What the server tells this session's browser, which cannot read it.
    pub fn encrypt_message(&self, to: &SignedIn, text: &str) -> Result<String, Error> {
        self.messages.encrypt(&to.csrf, text)
    }

    /// None for what [`Service::encrypt_message`] has not made for this session since the start.
    pub fn decrypt_message(&self, to: &SignedIn, sent: &str) -> Option<String> {
        self.messages.decrypt(&to.csrf, sent)
    }

    /// The session of this cookie value, unless it has expired, or the cookie was taken to another browser or network.
    /// Its use is recorded in memory, so that a page never waits for a write.
    pub fn session(&self, token: &str, client: &Client) -> Result<Option<SignedIn>, Error> {
        let now = self.clock.now();
        let token_hash = secrets::fingerprint(token);
        let found = self
            .store
            .read(|db| sessions::by_token_hash(db, &token_hash))?;
        let found = found.map(|session| self.with_last_use(session));
        let Some(session) = found else {
            return Ok(None);
        };
        if !self.is_alive(&session, now) {
            // For good, even if the clock is set back.
            self.dead_sessions.lock().insert(session.id);
            return Ok(None);
        }
        let network = network(client.address);
        if session.user_agent != client.user_agent
            || !session.networks.split(' ').any(|n| n == network)
        {
            let actor = Actor::person(session.user_id, &session.user_name, client.address);
            self.note_refusal(Kind::SessionRefused, &actor, client.address);
            return Ok(None);
        }
        if now - session.last_used_at >= USE_EVERY {
            self.session_uses.insert(session.id, now);
        }
        let csrf = match token.split_once(WITH_CSRF) {
            Some((_, csrf)) => csrf.to_owned(),
            None => secrets::fingerprint(&format!("form of session {token}")),
        };
        Ok(Some(SignedIn {
            session,
            csrf,
            token_hash,
        }))
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

    /// Until the session ends if it is not used again, or at the latest.
    pub fn ends_in(&self, session: &Session, is_latest: bool) -> Duration {
        let latest = session.created_at + self.longest - self.now();
        match is_latest {
            true => latest,
            false => latest.min(self.idle),
        }
    }

    pub fn log_out(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        self.store.write(|db| {
            sessions::delete_by_id(db, id)?;
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

/// The networks of a session that begins at that address, in the browser of an earlier one.
pub(super) fn networks(earlier: Option<Session>, address: IpAddr) -> String {
    let known = earlier.map(|session| session.networks).unwrap_or_default();
    let network = network(address);
    let others = known.split(' ').filter(|one| *one != network);
    let all = std::iter::once(&*network).chain(others).take(NETWORKS);
    all.collect::<Vec<&str>>().join(" ")
}

/// The addresses that one provider gives to the same person in turn: the /16 of an IPv4, the /32 of an IPv6 address.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            format!("{first}.{second}.")
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            format!("{first:x}:{second:x}:")
        }
    }
}
