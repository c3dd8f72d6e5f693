//! Who bought.

use time::OffsetDateTime;

use super::text;
use crate::error::{Error, Problem};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub id: i64,
    pub created_at: OffsetDateTime,
    /// What licenses have as `user_id`; unique.
    pub name: String,
    /// Empty for none; this and the next two.
    pub email: String,
    /// Of mails, such as `de`.
    pub language: String,
    /// By the admin.
    pub note: String,
}

/// A customer as a shop or a program names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedCustomer {
    /// Empty for none; this and the address.
    pub name: String,
    /// In lower case.
    pub email: String,
}

const NAME_LENGTH: usize = 255;
/// RFC 5321, 4.5.3.1.3.
const EMAIL_LENGTH: usize = 254;

impl NamedCustomer {
    pub fn parse(name: &str, email: &str) -> Result<NamedCustomer, Error> {
        let name = text::optional("name", "The customer's name", name, NAME_LENGTH)?;
        Ok(NamedCustomer {
            name,
            email: parse_email(email)?,
        })
    }

    /// Tells customers of one name apart.
    pub fn with_email(&self) -> String {
        let room = NAME_LENGTH.saturating_sub(self.email.chars().count() + 3);
        let name: String = self.name.chars().take(room).collect();
        format!("{name} ({})", self.email)
    }
}

/// In lower case; empty for none. Only what could never be an address is refused.
pub fn parse_email(typed: &str) -> Result<String, Problem> {
    let email = text::optional("email", "The e-mail address", typed, EMAIL_LENGTH)?;
    let parts = email.rsplit_once('@');
    let is_address = parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty())
        && !email.contains(|c: char| c.is_whitespace() || "<>()[],;:\\\"".contains(c));
    if email.is_empty() || is_address {
        return Ok(email.to_lowercase());
    }
    Err(Problem {
        field: "email",
        message: format!("`{email}` is not an e-mail address; use one such as anna@example.com."),
    })
}
