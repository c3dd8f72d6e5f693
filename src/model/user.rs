//! People who sign in.

use super::customer::parse_email;
use super::fold::folded;
use super::role::Role;
use super::text;
use crate::error::{Error, Problem};

const NAME: usize = 50;

/// What the audit log calls those who are no people, as [`folded`].
const RESERVED: [&str; 9] = [
    "command line",
    "customer page",
    "first start",
    "recovery",
    "server start",
    "several",
    "trial",
    "unknown token",
    "webhooks",
];
const RESERVED_BEGINNINGS: [&str; 4] = ["activation code ", "customer ", "shop ", "token "];

/// What an owner decides about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserValues {
    /// With which the person signs in.
    pub name: String,
    /// Empty for none.
    pub email: String,
    pub role: Role,
}

impl UserValues {
    /// Mail servers need not take addresses with other letters.
    pub fn can_be_mailed(&self) -> bool {
        !self.email.is_empty() && self.email.is_ascii()
    }

    /// An owner.
    pub fn first(name: &str) -> UserValues {
        UserValues {
            name: name.to_owned(),
            email: String::new(),
            role: Role::Owner,
        }
    }

    /// Reports all problems at once.
    pub fn parse(name: &str, email: &str, role: &str) -> Result<UserValues, Error> {
        let mut problems = vec![];
        let name = text::keep(&mut problems, parse_name(name));
        let email = text::keep(&mut problems, parse_email(email));
        let role = Role::from_word(role).ok_or_else(|| Problem {
            field: "role",
            message: "Choose a role.".to_owned(),
        });
        match (problems.is_empty(), role) {
            (true, Ok(role)) => Ok(UserValues { name, email, role }),
            (_, role) => {
                problems.extend(role.err());
                Err(Error::Invalid(problems))
            }
        }
    }
}

/// Without invisible characters, because two names that look the same must be the same.
pub fn parse_name(typed: &str) -> Result<String, Problem> {
    let name = text::required("name", "The name", typed, NAME)?;
    text::check_visible("name", "The name", &name, NAME)?;
    let plain = folded(&name);
    if RESERVED.contains(&&*plain)
        || RESERVED_BEGINNINGS
            .iter()
            .any(|word| plain.starts_with(word))
    {
        return Err(Problem {
            field: "name",
            message: format!(
                "The audit log uses the name {name} for something else. Choose another one."
            ),
        });
    }
    Ok(name)
}

/// Whether people would take one name for the other.
pub fn is_same_name(one: &str, other: &str) -> bool {
    folded(one) == folded(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_called_what_the_audit_log_calls_something_else() {
        for name in ["Command line", "token nightly", "SHOP Web"] {
            assert!(parse_name(name).is_err(), "{name}");
        }
        assert!(parse_name("tokening").is_ok());
    }
}
