//! Signing in: name and password, then a code if the person has a second factor.

use std::net::IpAddr;
use std::sync::Arc;

use time::Duration;

use super::factors::use_code;
use super::passwords::{Caller, Match};
use super::sessions::networks;
use super::throttle::subscriber;
use super::{Client, Service, SignIn, devices, secrets};
use crate::error::Error;
use crate::model::audit::{Actor, Detail, Event, FACTOR, Kind};
use crate::store::sessions::{self, NewSession};
use crate::store::users::{self, User};
use crate::store::{Db, Read, audit, recovery_codes};

/// Characters of an unknown user name that the audit log shows.
const SHOWN_NAME: usize = 100;
/// How long somebody may look for a code after the password.
const CODE_WITHIN: Duration = Duration::minutes(5);

/// What the right name and password lead to.
#[derive(Debug)]
pub enum Begun {
    SignedIn(SignIn),
    /// For a cookie: proves for a few minutes that this browser has sent the password, until a code is used.
    NeedsCode(String),
}

/// Somebody whose password was right.
struct Known {
    user: User,
    /// The ID of the browser, if she has signed in there before.
    device: Option<String>,
    actor: Actor,
}

impl Service {
    /// In one step, for programs. A code that is missing, wrong or throttled is answered like a wrong password.
    pub async fn log_in(
        self: &Arc<Self>,
        name: &str,
        password: String,
        code: Option<String>,
        client: Client,
    ) -> Result<SignIn, Error> {
        let known = self.verify_password(name, password, &client).await?;
        let (device, address) = (known.device.clone(), client.address);
        let opened = match (&known.user.factor, code) {
            (Some(_), None) => {
                self.note_refusal(Kind::SecondFactorFailed, &known.actor, address);
                Err(Error::WrongCredentials)
            }
            (_, code) => {
                let code = code.unwrap_or_default();
                self.finish(known, code, None, client).await
            }
        };
        match opened {
            Err(Error::TooManyRequests(_)) => Err(Error::WrongCredentials),
            Ok(opened) => {
                self.give_back_attempt(device.as_deref(), name, address);
                Ok(opened)
            }
            error => error,
        }
    }

    /// The first step, on the page; the only one for people without a second factor.
    pub async fn begin_sign_in(
        self: &Arc<Self>,
        name: &str,
        password: String,
        client: Client,
    ) -> Result<Begun, Error> {
        let known = self.verify_password(name, password, &client).await?;
        self.give_back_attempt(known.device.as_deref(), name, client.address);
        if known.user.factor.is_none() {
            let opened = self.finish(known, String::new(), None, client).await?;
            return Ok(Begun::SignedIn(opened));
        }
        let text = self.store.read(|db| half_signed_in(db, &known.user))?;
        let until = self.clock.now() + CODE_WITHIN;
        let seal = self.seals.seal(&text, until)?;
        Ok(Begun::NeedsCode(format!("{}.{seal}", known.user.id)))
    }

    /// The second step. [`Error::Unauthenticated`] if the first one has to be repeated.
    pub async fn finish_sign_in(
        self: &Arc<Self>,
        begun: String,
        code: String,
        client: Client,
    ) -> Result<SignIn, Error> {
        let id = begun.split('.').next().and_then(|id| id.parse().ok());
        let id: i64 = id.ok_or(Error::Unauthenticated)?;
        let user = self.store.read_tx(|db| match users::get(db, id)? {
            Some(user) => Ok(Some((half_signed_in(db, &user)?, user))),
            None => Ok(None),
        })?;
        let (text, user) = user.ok_or(Error::Unauthenticated)?;
        self.check_half(&begun, &text)?;
        let device = match &client.device {
            Some(cookie) => devices::id(cookie, &user)?.map(str::to_owned),
            None => None,
        };
        let actor = Actor::person(user.id, &user.values.name, client.address);
        let known = Known {
            user,
            device,
            actor,
        };
        self.finish(known, code, Some(begun), client).await
    }

    fn check_half(&self, begun: &str, text: &str) -> Result<(), Error> {
        let seal = begun.split_once('.').map_or("", |(_, seal)| seal);
        match self.seals.is_good(seal, text, self.clock.now())? {
            true => Ok(()),
            false => Err(Error::Unauthenticated),
        }
    }

    /// Attempts count before hashing: against the device, or else against the address and the name.
    async fn verify_password(
        self: &Arc<Self>,
        name: &str,
        password: String,
        client: &Client,
    ) -> Result<Known, Error> {
        let shown = name.chars().filter(|c| !c.is_control());
        let shown: String = shown.take(SHOWN_NAME).collect();
        let user = self.store.read(|db| users::by_name(db, name))?;
        let actor = match &user {
            Some(user) => Actor::person(user.id, &shown, client.address),
            None => Actor::other("", &shown, client.address),
        };
        let user = user.filter(|user| !user.is_disabled);
        let device = match (&client.device, &user) {
            (Some(cookie), Some(user)) => devices::id(cookie, user)?.map(str::to_owned),
            _ => None,
        };
        if let Err(seconds) = self.take_attempt(device.as_deref(), name, client.address) {
            self.note_refusal(Kind::SignInThrottled, &actor, client.address);
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
            self.note_refusal(Kind::SignInFailed, &actor, client.address);
            return Err(Error::WrongCredentials);
        };
        let user = match fits {
            Match::YesButOutdated => {
                self.run(move |service| service.rehash(user, &password))
                    .await?
            }
            _ => user,
        };
        Ok(Known {
            user,
            device,
            actor,
        })
    }

    fn rehash(&self, user: User, password: &str) -> Result<User, Error> {
        let password_hash = self.passwords.hash(password)?;
        self.store
            .write(|db| Ok(users::set_password_hash(db, user.id, &password_hash)?))?;
        Ok(User {
            password_hash,
            ..user
        })
    }

    /// Wrong codes count against the person on this device, or else on all devices never seen: whoever guesses there
    /// keeps nobody out of a browser in which she has signed in before.
    async fn finish(
        self: &Arc<Self>,
        known: Known,
        code: String,
        begun: Option<String>,
        client: Client,
    ) -> Result<SignIn, Error> {
        let has_factor = known.user.factor.is_some();
        let (actor, address) = (known.actor.clone(), client.address);
        let key = (known.user.id, known.device.clone());
        if has_factor && let Err(seconds) = self.by_code.take(&key, self.clock.now()) {
            self.note_refusal(Kind::SignInThrottled, &actor, address);
            return Err(Error::TooManyRequests(seconds));
        }
        let opened = self
            .run(move |service| service.open_session(&known, &code, begun.as_deref(), &client))
            .await;
        match &opened {
            Err(Error::WrongCredentials) if has_factor => {
                self.note_refusal(Kind::SecondFactorFailed, &actor, address);
            }
            _ if has_factor => self.by_code.give_back(&key),
            _ => {}
        }
        opened
    }

    /// Starts a session, which replaces the browser's earlier one.
    fn open_session(
        &self,
        known: &Known,
        code: &str,
        begun: Option<&str>,
        client: &Client,
    ) -> Result<SignIn, Error> {
        let (token, now) = (secrets::token()?, self.clock.now());
        let user = self.store.write(|db| {
            // Once more, because the person may have been changed meanwhile, and a code works once.
            let user = users::get(db, known.user.id)?
                .filter(|user| !user.is_disabled && user.password_hash == known.user.password_hash);
            let user = user.ok_or(Error::WrongCredentials)?;
            if let Some(begun) = begun {
                self.check_half(begun, &half_signed_in(db, &user)?)?;
            }
            let proof = use_code(self, db, &known.actor, &user, code)?;
            let proof = proof.ok_or(Error::WrongCredentials)?;
            let mut earlier = None;
            if let Some(cookie) = &client.session {
                let cookie = secrets::fingerprint(cookie);
                earlier = sessions::by_token_hash(db, &cookie)?;
                sessions::delete(db, &cookie)?;
            }
            let earlier = earlier.filter(|session| session.user_id == user.id);
            // First, because the last use of a session may only be in memory.
            for (id, at) in self.session_uses.all() {
                sessions::set_last_used(db, id, at)?;
            }
            sessions::delete_expired(db, now - self.idle, now - self.longest)?;
            let new = NewSession {
                token_hash: &secrets::fingerprint(&token),
                user_id: user.id,
                address: &known.actor.address,
                user_agent: &client.user_agent,
                networks: &networks(earlier, client.address),
            };
            sessions::add(db, &new, now)?;
            let browser = Detail::personal(&client.user_agent);
            let mut event = Event::new(Kind::SignedIn, &known.actor)
                .with("browser", browser)
                .with(FACTOR, proof.as_str());
            // Nobody is warned of her own first sign-in.
            if known.device.is_none() && user.signed_in_at.is_some() {
                event = event.with("device", "new");
            }
            audit::append(db, event, now)?;
            users::set_signed_in(db, user.id, now)?;
            Ok(user)
        })?;
        Ok(SignIn {
            session: token,
            device: devices::cookie(&user)?,
        })
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
}

/// What a browser between the two steps has proved. Each code that is used changes it, so that it is good for one
/// sign-in, and so does a new password.
fn half_signed_in(db: &Db, user: &User) -> Read<String> {
    let (secret, step) = match &user.factor {
        Some(factor) => (&*factor.secret, factor.last_step),
        None => ("", 0),
    };
    let left = recovery_codes::count(db, user.id)?;
    let hash = &user.password_hash;
    Ok(format!("sign-in {} {hash} {secret} {step} {left}", user.id))
}
