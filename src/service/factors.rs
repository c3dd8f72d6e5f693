//! Second factors: codes of an authenticator app, and the recovery codes that take their place. Whoever is signed in
//! proves again who she is.

use std::sync::Arc;

use time::Duration;

use super::{Person, Service, SignIn, SignedIn, devices, secrets};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, Detail, Event, Kind, PERSON_ID};
use crate::model::second_factor::{SECRET, SecondFactor};
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User};
use crate::store::{WriteTx, audit, recovery_codes};

/// How long a password that was entered counts for what asks for one again.
const CONFIRMED_FOR: Duration = Duration::minutes(15);
/// How long setting up may take after the password was entered.
const SET_UP_FOR: Duration = Duration::minutes(15);
const RECOVERY_CODES: usize = 10;
/// Digits of a code of an app.
const DIGITS: usize = 6;

/// A second factor that is not stored yet.
#[derive(Debug)]
pub struct Enrolment {
    pub factor: SecondFactor,
    /// Proves that the password was entered for this secret.
    pub seal: String,
}

/// What somebody proved her identity with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proof {
    Password,
    Code,
    RecoveryCode,
}

impl Proof {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Proof::Password => "password",
            Proof::Code => "password and code",
            Proof::RecoveryCode => "password and recovery code",
        }
    }
}

/// Uses a code up, in the transaction of what it is for. None if it does not fit, or was used before.
pub(super) fn use_code(
    service: &Service,
    db: &WriteTx<'_>,
    actor: &Actor,
    user: &User,
    typed: &str,
) -> Result<Option<Proof>, Error> {
    let Some(factor) = service.factor_of(user)? else {
        return Ok(Some(Proof::Password));
    };
    let now = service.clock.now();
    let is_digit = |c: char| c.is_ascii_digit();
    let code: String = typed.chars().filter(|c| c.is_alphanumeric()).collect();
    if code.len() == DIGITS && code.chars().all(is_digit) {
        return match factor.step_of(&code, now) {
            Some(step) => Ok(users::use_step(db, user.id, step)?.then_some(Proof::Code)),
            None => Ok(None),
        };
    }
    let hash = secrets::fingerprint(&code.to_lowercase());
    if !recovery_codes::take(db, user.id, &hash)? {
        return Ok(None);
    }
    let left = recovery_codes::count(db, user.id)?;
    let event = Event::new(Kind::RecoveryCodeUsed, actor).with("left", left);
    audit::append(db, event, now)?;
    Ok(Some(Proof::RecoveryCode))
}

/// What the secret of somebody's second factor is encrypted as.
pub(super) fn encrypted_as(user_id: i64) -> String {
    format!("The second factor of person {user_id}")
}

impl Service {
    fn factor_of(&self, user: &User) -> Result<Option<SecondFactor>, Error> {
        let Some(stored) = &user.factor else {
            return Ok(None);
        };
        let about = encrypted_as(user.id);
        let secret = self.encryption.reveal(&about, &stored.secret)?;
        // Without the value, because errors are logged.
        let unreadable = || Error::Internal(format!("{about} cannot be read"));
        let factor = SecondFactor::parse(&secret, stored.last_step);
        factor.map(Some).ok_or_else(unreadable)
    }

    pub fn is_confirmed(&self, session: &Session) -> bool {
        let confirmed = session.confirmed_at..session.confirmed_at + CONFIRMED_FOR;
        confirmed.contains(&self.clock.now())
    }

    /// Asks somebody who is signed in for password and code once more. Returns the session's new cookie value.
    pub async fn confirm(
        self: &Arc<Self>,
        actor: Actor,
        signed_in: &SignedIn,
        password: String,
        code: String,
    ) -> Result<String, Error> {
        let (id, now) = (signed_in.session.id, self.clock.now());
        let confirm = move |_: &Service, db: &WriteTx<'_>, _: &User, renewed| {
            sessions::set_confirmed(db, id, now)?;
            Ok(renewed)
        };
        self.with_proof(actor, signed_in, password, code, confirm)
            .await
    }

    /// Requires the password, and returns the session's new cookie value. Nothing else is stored before a code has
    /// shown that the app has the secret.
    pub async fn begin_factor(
        self: &Arc<Self>,
        signed_in: SignedIn,
        password: String,
    ) -> Result<(Enrolment, String), Error> {
        let session = &signed_in.session;
        let user = self.confirm_password(session, "password", password).await?;
        no_factor_yet(&user)?;
        let factor = SecondFactor::new(secrets::random::<SECRET>()?);
        let factor = factor.ok_or_else(|| Error::Internal("a secret of no use".into()))?;
        let text = sealed(session, &factor);
        let seal = self.seals.seal(&text, self.clock.now() + SET_UP_FOR)?;
        let renewed = self.run(move |service| service.store.write(|db| signed_in.renew(db)));
        Ok((Enrolment { factor, seal }, renewed.await?))
    }

    /// The second factor of a form that [`Service::begin_factor`] filled in; an error after a while.
    pub fn enrolment(
        &self,
        session: &Session,
        secret: &str,
        seal: &str,
    ) -> Result<Enrolment, Error> {
        let factor = SecondFactor::parse(secret, 0);
        if let Some(factor) = factor
            && self
                .seals
                .is_good(seal, &sealed(session, &factor), self.clock.now())?
        {
            let seal = seal.to_owned();
            return Ok(Enrolment { factor, seal });
        }
        Err(Error::Conflict(
            "This took too long, or the server was restarted. Start again on your account page; the secret that you \
             scanned is not valid, delete it in your app."
                .into(),
        ))
    }

    /// Returns recovery codes, which are never shown again, and the cookies in place of those from before. Ends all
    /// other sessions, which had no second factor.
    pub fn set_up_factor(
        &self,
        actor: &Actor,
        signed_in: &SignedIn,
        enrolment: &Enrolment,
        code: &str,
    ) -> Result<(Vec<String>, SignIn), Error> {
        let session = &signed_in.session;
        let now = self.clock.now();
        let code: String = code.chars().filter(char::is_ascii_digit).collect();
        let step = enrolment
            .factor
            .step_of(&code, now)
            .ok_or_else(wrong_code)?;
        self.store.write(|db| {
            let user = users::get(db, session.user_id)?.ok_or(Error::Unauthenticated)?;
            no_factor_yet(&user)?;
            let about = encrypted_as(user.id);
            let secret = self
                .encryption
                .encrypt(&about, &enrolment.factor.secret())?;
            users::set_factor(db, user.id, Some(&secret), step)?;
            sessions::delete_others(db, user.id, session.id)?;
            audit::append(db, Event::new(Kind::FactorSetUp, actor), now)?;
            let cookies = new_cookies(db, user.id, signed_in.renew(db)?)?;
            Ok((new_recovery_codes(db, user.id)?, cookies))
        })
    }

    /// Requires password and code, because whoever has these has everything. Returns the cookies in place of those from
    /// before.
    pub async fn remove_factor(
        self: &Arc<Self>,
        actor: Actor,
        signed_in: &SignedIn,
        password: String,
        code: String,
    ) -> Result<SignIn, Error> {
        let who = actor.clone();
        let remove = move |service: &Service, db: &WriteTx<'_>, user: &User, renewed| {
            forget_factor(db, user)?;
            let event = Event::new(Kind::FactorRemoved, &who);
            audit::append(db, event, service.clock.now())?;
            new_cookies(db, user.id, renewed)
        };
        self.with_proof(actor, signed_in, password, code, remove)
            .await
    }

    /// In place of those that there are, with the session's new cookie value.
    pub async fn renew_recovery_codes(
        self: &Arc<Self>,
        actor: Actor,
        signed_in: &SignedIn,
        password: String,
        code: String,
    ) -> Result<(Vec<String>, String), Error> {
        let who = actor.clone();
        let renew = move |service: &Service, db: &WriteTx<'_>, user: &User, renewed| {
            has_factor(user)?;
            let event = Event::new(Kind::RecoveryCodesCreated, &who);
            audit::append(db, event, service.clock.now())?;
            Ok((new_recovery_codes(db, user.id)?, renewed))
        };
        self.with_proof(actor, signed_in, password, code, renew)
            .await
    }

    pub fn recovery_codes_left(&self, user_id: i64) -> Result<i64, Error> {
        self.store.read(|db| recovery_codes::count(db, user_id))
    }

    /// For somebody who lost hers; also ends her sessions.
    pub fn reset_factor(&self, actor: &Actor, id: i64) -> Result<User, Error> {
        self.store.write(|db| {
            let found = users::get(db, id)?;
            let user = found.ok_or(Error::NotFound("Person not found."))?;
            forget_factor(db, &user)?;
            sessions::delete_of_user(db, id)?;
            let event = Event::new(Kind::FactorReset, actor)
                .with(PERSON_ID, id)
                .with("name", Detail::personal(&user.values.name));
            audit::append(db, event, self.clock.now())?;
            Ok(user)
        })
    }

    /// [`Service::reset_factor`] by another person.
    pub fn reset_factor_of_other(&self, actor: &Actor, own: i64, id: i64) -> Result<User, Error> {
        not_one_s_own(own, id)?;
        self.reset_factor(actor, id)
    }

    /// Whose second factor [`Service::reset_factor_of_other`] would remove.
    pub fn person_to_reset(&self, own: i64, id: i64) -> Result<Person, Error> {
        not_one_s_own(own, id)?;
        self.person(id)
    }

    /// [`Service::reset_factor`] from the command line.
    pub fn reset_factor_of(&self, name: &str) -> Result<(), Refusal> {
        let id = self.id_of_user(name)?;
        self.reset_factor(&Actor::command_line(), id)?;
        Ok(())
    }

    /// Verifies password and code of somebody who is signed in, and uses the code up in the transaction of `then`,
    /// which gets the session's new cookie value. Attempts count against the session alone.
    async fn with_proof<T: Send + 'static>(
        self: &Arc<Self>,
        actor: Actor,
        signed_in: &SignedIn,
        password: String,
        code: String,
        then: impl FnOnce(&Service, &WriteTx<'_>, &User, String) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let signed_in = signed_in.clone();
        let session = &signed_in.session;
        let known = self.confirm_password(session, "password", password).await?;
        let key = ("session", session.id);
        self.by_code
            .take(key, self.clock.now())
            .map_err(Error::TooManyRequests)?;
        let (by, address) = (actor.clone(), actor.address.parse());
        let done = self.run(move |service| {
            service.store.write(|db| {
                let user = users::get(db, known.id)?.ok_or(Error::Unauthenticated)?;
                use_code(service, db, &actor, &user, &code)?.ok_or_else(wrong_code)?;
                then(service, db, &user, signed_in.renew(db)?)
            })
        });
        let done = done.await;
        match &done {
            Err(Error::Invalid(_)) => {
                if let Ok(address) = address {
                    self.note_refusal(Kind::SecondFactorFailed, &by, address);
                }
            }
            _ => self.by_code.give_back(key),
        }
        done
    }
}

fn sealed(session: &Session, factor: &SecondFactor) -> String {
    format!("factor {} of session {}", factor.secret(), session.id)
}

/// Whoever has only a session cannot remove the second factor with which it began.
fn not_one_s_own(own: i64, id: i64) -> Result<(), Error> {
    match own == id {
        true => Err(Error::Conflict(
            "This is your own second factor. Remove it on your account page, with a code.".into(),
        )),
        false => Ok(()),
    }
}

fn no_factor_yet(user: &User) -> Result<(), Error> {
    match user.factor {
        None => Ok(()),
        Some(_) => Err(Error::Conflict(
            "You have a second factor already. Remove it before you set up another one.".into(),
        )),
    }
}

fn has_factor(user: &User) -> Result<(), Error> {
    match user.factor {
        Some(_) => Ok(()),
        None => {
            let name = &user.values.name;
            Err(Error::Conflict(format!("{name} has no second factor.")))
        }
    }
}

fn forget_factor(db: &WriteTx<'_>, user: &User) -> Result<(), Error> {
    has_factor(user)?;
    users::set_factor(db, user.id, None, 0)?;
    Ok(recovery_codes::replace(db, user.id, &[])?)
}

fn new_recovery_codes(db: &WriteTx<'_>, user_id: i64) -> Result<Vec<String>, Error> {
    let codes = (0..RECOVERY_CODES).map(|_| secrets::readable());
    let codes: Vec<String> = codes.collect::<Result<_, _>>()?;
    let hashes = codes.iter().map(|code| code.replace('-', ""));
    let hashes: Vec<String> = hashes.map(|code| secrets::fingerprint(&code)).collect();
    recovery_codes::replace(db, user_id, &hashes)?;
    Ok(codes)
}

fn new_cookies(db: &WriteTx<'_>, user_id: i64, session: String) -> Result<SignIn, Error> {
    let user = users::get(db, user_id)?.ok_or(Error::Unauthenticated)?;
    let device = devices::cookie(&user)?;
    Ok(SignIn { session, device })
}

fn wrong_code() -> Error {
    Error::invalid("code", WRONG_CODE)
}

/// Also for people who sign in.
pub const WRONG_CODE: &str = "This code is wrong or was used before. Wait for the next one.";
