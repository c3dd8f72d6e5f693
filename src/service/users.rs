//! Users and their passwords.

use std::sync::Arc;

use super::leaked::LeakedPasswords;
use super::passwords::{Caller, Match};
use super::{Service, SignIn, SignedIn, devices, secrets};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, AuditFilter, Event, Kind};
use crate::model::password;
use crate::model::user::UserValues;
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User};
use crate::store::{WriteTx, audit};

pub const FIRST_USER: &str = "admin";

const LEAKED: &str = "This password is in the list of leaked passwords, which attackers try first. Choose another one.";

/// No session has this ID.
const NONE: i64 = 0;

/// The password of a new database.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstPassword {
    /// From the setting `admin_password`.
    Configured,
    /// Random, until the first sign-in; shown only this once.
    Random(String),
    /// From an earlier start whose output may have been lost: nobody has signed in yet.
    Unused,
}

/// What a password change has done.
#[derive(Debug)]
pub struct NewPassword {
    /// The cookies in place of those that the change made invalid.
    pub cookies: SignIn,
    /// Number of valid tokens, revoked or not.
    pub tokens: usize,
}

/// What a new password does not end.
struct Keep {
    session: i64,
    tokens: bool,
}

impl Service {
    pub(super) fn add_first_user(
        &self,
        configured: Option<&str>,
    ) -> Result<Option<FirstPassword>, Refusal> {
        if !self.store.read(users::all)?.is_empty() {
            let is_unused = !self.has_anybody_signed_in()?;
            return Ok(is_unused.then_some(FirstPassword::Unused));
        }
        let (password, first) = match configured {
            Some(password) => {
                let checked = self.check_password("admin_password", password, FIRST_USER);
                checked.map_err(|error| {
                    Refusal(format!(
                        "The setting `admin_password` cannot be used: {error} Change it, or leave it out for a random one."
                    ))
                })?;
                (password.to_owned(), FirstPassword::Configured)
            }
            None => {
                let password = secrets::readable()?;
                (password.clone(), FirstPassword::Random(password))
            }
        };
        let hash = self.passwords.hash(&password)?;
        let added = self.store.write(|db| {
            let is_first = users::all(db)?.is_empty();
            if is_first {
                let values = UserValues::first(FIRST_USER);
                let id = users::add(db, &values, &hash, self.clock.now())?;
                let is_random = matches!(first, FirstPassword::Random(_));
                users::set_has_random_password(db, id, is_random)?;
            }
            Ok(is_first)
        })?;
        Ok(added.then_some(first))
    }

    pub(super) fn has_anybody_signed_in(&self) -> Result<bool, Error> {
        let signed_in = AuditFilter {
            kind: Some(Kind::SignedIn),
            ..AuditFilter::default()
        };
        Ok(!self.audit(&signed_in, i64::MAX, 1)?.is_empty())
    }

    /// From the command line; ends all sessions of the user. Returns the number of valid tokens, revoked or
    /// not.
    pub fn set_password(
        &self,
        name: &str,
        password: &str,
        is_revoking: bool,
    ) -> Result<usize, Refusal> {
        let id = self.id_of_user(name)?;
        self.check_password("password", password, name)?;
        let keep = Keep {
            session: NONE,
            tokens: !is_revoking,
        };
        let hash = self.passwords.hash(password)?;
        let actor = Actor::command_line();
        let tokens = self
            .store
            .write(|db| self.replace_password(db, &actor, id, &hash, keep))?;
        Ok(tokens)
    }

    /// Requires the current password; ends all other sessions.
    pub async fn change_password(
        self: &Arc<Self>,
        actor: Actor,
        signed_in: SignedIn,
        current: String,
        new: String,
        is_revoking: bool,
    ) -> Result<NewPassword, Error> {
        let user = self.confirm_password(&signed_in.session, "current", current);
        let user = user.await?;
        self.run(move |service| {
            service.check_password("new", &new, &user.values.name)?;
            let password_hash = service.passwords.hash(&new)?;
            service.store.write(|db| {
                let session = signed_in.renew(db)?;
                let keep = Keep {
                    session: signed_in.session.id,
                    tokens: !is_revoking,
                };
                let tokens = service.replace_password(db, &actor, user.id, &password_hash, keep)?;
                let device = devices::cookie(&User {
                    password_hash: password_hash.clone(),
                    ..user.clone()
                })?;
                Ok(NewPassword {
                    cookies: SignIn { session, device },
                    tokens,
                })
            })
        })
        .await
    }

    /// Verifies the password of a signed-in user once more. Attempts count against the session alone, so
    /// that no stranger can spend them.
    pub(super) async fn confirm_password(
        self: &Arc<Self>,
        session: &Session,
        field: &'static str,
        password: String,
    ) -> Result<User, Error> {
        let user = self
            .store
            .read(|db| users::get(db, session.user_id))?
            .ok_or(Error::Unauthenticated)?;
        self.by_session
            .take(session.id, self.clock.now())
            .map_err(Error::TooManyRequests)?;
        let stored = Some(user.password_hash.clone());
        let matches = self.passwords.matches(password, stored, Caller::Known);
        if matches.await? == Match::No {
            return Err(Error::invalid(field, "Current password is wrong."));
        }
        self.by_session.give_back(session.id);
        Ok(user)
    }

    pub fn id_of_user(&self, name: &str) -> Result<i64, Refusal> {
        let all = self.store.read(users::all)?;
        if let Some(user) = all.iter().find(|user| user.values.name == name) {
            return Ok(user.id);
        }
        let names: Vec<String> = all.into_iter().map(|user| user.values.name).collect();
        let names = names.join(", ");
        Err(Refusal(format!(
            "There is no user `{name}`; the users are: {names}."
        )))
    }

    pub(super) fn check_password(
        &self,
        field: &'static str,
        password: &str,
        user_name: &str,
    ) -> Result<(), Error> {
        let known = self.host.split('.').chain([user_name, &*self.host]);
        password::check(field, password, &known.collect::<Vec<_>>())?;
        let Some(file) = &self.leaked_passwords else {
            return Ok(());
        };
        let unavailable = |Refusal(words)| Error::Unavailable(words);
        match LeakedPasswords::open(file)
            .map_err(unavailable)?
            .has(password)?
        {
            true => Err(Error::invalid(field, LEAKED)),
            false => Ok(()),
        }
    }

    /// Returns the number of valid tokens.
    fn replace_password(
        &self,
        db: &WriteTx<'_>,
        actor: &Actor,
        user_id: i64,
        hash: &str,
        keep: Keep,
    ) -> Result<usize, Error> {
        users::set_password_hash(db, user_id, hash)?;
        users::set_has_random_password(db, user_id, false)?;
        sessions::delete_others(db, user_id, keep.session)?;
        let event = Event::new(Kind::PasswordChanged, actor);
        audit::append(db, event, self.clock.now())?;
        self.count_or_revoke_tokens(db, actor, user_id, !keep.tokens)
    }
}
