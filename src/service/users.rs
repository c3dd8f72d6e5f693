//! The people who may sign in, and their passwords.

use super::{Service, secrets};
use crate::error::{Error, Refusal};
use crate::model::password;
use crate::store::{sessions, users};

/// The name of the first user.
pub const FIRST_USER: &str = "admin";

/// The password that a new database began with.
#[derive(Debug, PartialEq, Eq)]
pub enum FirstPassword {
    /// From the setting `admin_password`.
    Configured,
    /// Made up; this is the only time that anybody sees it.
    Random(String),
}

impl Service {
    pub(super) fn add_first_user(
        &self,
        configured: Option<&str>,
    ) -> Result<Option<FirstPassword>, Refusal> {
        if !self.store.read(users::names)?.is_empty() {
            return Ok(None);
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

    /// Sets a user's password and ends all of the user's sessions.
    pub fn set_password(&self, name: &str, password: &str) -> Result<(), Refusal> {
        let user = self.store.read(|db| users::by_name(db, name))?;
        let Some(user) = user else {
            let names = self.store.read(users::names)?.join(", ");
            return Err(Refusal(format!(
                "There is no user `{name}`; the users are: {names}."
            )));
        };
        password::check("password", password).map_err(|problem| Refusal(problem.message))?;
        let hash = self.passwords.hash(password)?;
        self.store.write(|db| {
            users::set_password_hash(db, user.id, &hash)?;
            Ok::<_, Error>(sessions::delete_of_user(db, user.id)?)
        })?;
        Ok(())
    }
}
