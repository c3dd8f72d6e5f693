//! Users and their passwords.

use std::sync::Arc;

use super::passwords::{Caller, Match};
use super::{Service, devices, secrets};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, AuditFilter, Event, Kind};
use crate::model::password;
use crate::store::audit;
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User};

pub const FIRST_USER: &str = "admin";

/// No session has this ID.
const NONE: i64 = 0;

/// The password of a new database.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstPassword {
    /// From the setting `admin_password`.
    Configured,
    /// Random; shown only this once.
    Random(String),
    /// From an earlier start whose output may have been lost: nobody has signed in yet.
    Unused,
}

impl Service {
    pub(super) fn add_first_user(
        &self,
        configured: Option<&str>,
    ) -> Result<Option<FirstPassword>, Refusal> {
        if !self.store.read(users::names)?.is_empty() {
            let signed_in = AuditFilter {
                kind: Some(Kind::SignedIn),
                ..AuditFilter::default()
            };
            let signed_in = self.audit(&signed_in, i64::MAX, 1)?;
            return Ok(signed_in.is_empty().then_some(FirstPassword::Unused));
        }
        let (password, first) = match configured {
            Some(password) => {
                password::check("admin_password", password).map_err(|problem| {
                    Refusal(format!(
                        "The setting `admin_password` cannot be used: {} Change it, or leave it out for a random one.",
                        problem.message
                    ))
                })?;
                (password.to_owned(), FirstPassword::Configured)
            }
            None => {
                let password = secrets::readable_password()?;
                (password.clone(), FirstPassword::Random(password))
            }
        };
        let hash = self.passwords.hash(&password)?;
        let added = self.store.write(|db| {
            let is_first = users::names(db)?.is_empty();
            if is_first {
                users::add(db, FIRST_USER, &hash, self.clock.now())?;
            }
            Ok(is_first)
        })?;
        Ok(added.then_some(first))
    }

    /// From the command line; ends all sessions of the user.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), Refusal> {
        let user = self.store.read(|db| users::by_name(db, name))?;
        let Some(user) = user else {
            let names = self.store.read(users::names)?.join(", ");
            return Err(Refusal(format!(
                "There is no user `{name}`; the users are: {names}."
            )));
        };
        password::check("password", password).map_err(|problem| Refusal(problem.message))?;
        self.replace_password(&Actor::command_line(), user.id, password, NONE)?;
        Ok(())
    }

    /// Requires the current password; ends all other sessions. Returns a new device cookie.
    pub async fn change_password(
        self: &Arc<Self>,
        actor: Actor,
        session: &Session,
        current: String,
        new: String,
    ) -> Result<String, Error> {
        let user = self.confirm_password(session, "current", current).await?;
        password::check("new", &new).map_err(|problem| Error::Invalid(vec![problem]))?;
        let kept = session.id;
        self.run(move |service| {
            let password_hash = service.replace_password(&actor, user.id, &new, kept)?;
            devices::cookie(&User {
                password_hash,
                ..user
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
            .read(|db| users::by_name(db, &session.user_name))?
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

    fn replace_password(
        &self,
        actor: &Actor,
        user_id: i64,
        password: &str,
        kept_session: i64,
    ) -> Result<String, Error> {
        let hash = self.passwords.hash(password)?;
        self.store.write(|db| {
            users::set_password_hash(db, user_id, &hash)?;
            sessions::delete_others(db, user_id, kept_session)?;
            let event = Event::new(Kind::PasswordChanged, actor);
            audit::append(db, event, self.clock.now())?;
            Ok(())
        })?;
        Ok(hash)
    }
}
