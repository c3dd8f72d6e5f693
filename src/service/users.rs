//! Users and their passwords.

use std::sync::Arc;

use super::passwords::Match;
use super::{Service, secrets};
use crate::error::{Error, Refusal};
use crate::model::audit::{Actor, AuditFilter, Event, Kind};
use crate::model::password;
use crate::store::{audit, sessions, users};

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
        Ok(self.replace_password(&Actor::command_line(), user.id, password, NONE)?)
    }

    /// Requires the current password; ends all other sessions.
    pub async fn change_password(
        self: &Arc<Self>,
        actor: Actor,
        current: String,
        new: String,
        kept_session: i64,
    ) -> Result<(), Error> {
        let user = self
            .store
            .read(|db| users::by_name(db, &actor.who))?
            .ok_or(Error::Unauthenticated)?;
        let now = self.clock.now();
        self.by_name
            .take(&user.name, now)
            .map_err(Error::TooManyRequests)?;
        let fits = self
            .passwords
            .matches(current, Some(user.password_hash))
            .await?;
        if fits == Match::No {
            return Err(Error::invalid("current", "Current password is wrong."));
        }
        self.by_name.give_back(&user.name);
        password::check("new", &new).map_err(|problem| Error::Invalid(vec![problem]))?;
        self.run(move |service| service.replace_password(&actor, user.id, &new, kept_session))
            .await
    }

    fn replace_password(
        &self,
        actor: &Actor,
        user_id: i64,
        password: &str,
        kept_session: i64,
    ) -> Result<(), Error> {
        let hash = self.passwords.hash(password)?;
        self.store.write(|db| {
            users::set_password_hash(db, user_id, &hash)?;
            sessions::delete_others(db, user_id, kept_session)?;
            let event = Event::new(Kind::PasswordChanged, actor);
            audit::append(db, event, self.clock.now())?;
            Ok(())
        })
    }
}
