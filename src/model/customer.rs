//! Who bought.

use time::OffsetDateTime;

use super::fold::{folded, holds};
use super::text::{self, keep};
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

/// What a change made of one field.
pub struct CustomerChange {
    pub field: String,
    /// None once it was erased, as is `after`.
    pub before: Option<String>,
    pub after: Option<String>,
}

impl CustomerDraft {
    /// The customer without these changes; none if it no longer is as they left it.
    pub fn without(customer: &Customer, changes: &[CustomerChange]) -> Option<CustomerDraft> {
        let mut draft = CustomerDraft::from(customer);
        for (name, text) in draft.fields() {
            if let Some(change) = changes.iter().find(|change| change.field == name) {
                if change.after.as_ref() != Some(text) {
                    return None;
                }
                text.clone_from(change.before.as_ref()?);
            }
        }
        Some(draft)
    }

    /// The customer with these values, which were its own before.
    pub fn onto(self, customer: &Customer) -> Customer {
        let CustomerDraft {
            name,
            email,
            language,
            note,
        } = self;
        Customer {
            id: customer.id,
            created_at: customer.created_at,
            name,
            email,
            language,
            note,
        }
    }
}

/// A customer as a shop or a program names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedCustomer {
    /// Empty for none; this and the address.
    pub name: String,
    /// In lower case.
    pub email: String,
}

/// What a form sends about a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerDraft {
    pub name: String,
    pub email: String,
    pub language: String,
    pub note: String,
}

impl CustomerDraft {
    /// With the names of the fields.
    pub fn fields(&mut self) -> [(&'static str, &mut String); 4] {
        [
            ("name", &mut self.name),
            ("email", &mut self.email),
            ("language", &mut self.language),
            ("note", &mut self.note),
        ]
    }

    /// The customer with these values.
    pub fn parse(&self, before: &Customer) -> Result<Customer, Error> {
        let mut problems = Vec::new();
        let mut take = |parsed| keep(&mut problems, parsed);
        let customer = Customer {
            id: before.id,
            created_at: before.created_at,
            name: match self.name == before.name {
                true => before.name.clone(),
                false => take(parse_name(&self.name)),
            },
            email: take(parse_email(&self.email)),
            language: take(parse_language(&self.language)),
            note: take(text::lines("note", "The note", &self.note, NOTE_LENGTH)),
        };
        match problems.is_empty() {
            true => Ok(customer),
            false => Err(Error::Invalid(problems)),
        }
    }
}

impl From<&Customer> for CustomerDraft {
    fn from(customer: &Customer) -> CustomerDraft {
        CustomerDraft {
            name: customer.name.clone(),
            email: customer.email.clone(),
            language: customer.language.clone(),
            note: customer.note.clone(),
        }
    }
}

impl Customer {
    /// Itself with everything of the other that it lacks, and both notes.
    pub fn merged(&self, other: &Customer) -> Customer {
        let first = |own: &String, others: &String| match own.is_empty() {
            true => others.clone(),
            false => own.clone(),
        };
        let notes = [&*self.note, &other.note].into_iter();
        let notes: Vec<&str> = notes.filter(|note| !note.is_empty()).collect();
        Customer {
            email: first(&self.email, &other.email),
            language: first(&self.language, &other.language),
            note: notes.join("\n"),
            ..self.clone()
        }
    }

    /// What people decide about it, by name.
    pub fn texts(&self) -> [(&'static str, &str); 4] {
        [
            ("name", &self.name),
            ("email", &self.email),
            ("language", &self.language),
            ("note", &self.note),
        ]
    }

    /// Whether the name or the address has this text, which is folded.
    pub fn has(&self, text: &str) -> bool {
        holds(&self.name, text) || holds(&self.email, text)
    }

    /// Whether a text such as `anna-berg_2026.xlsx` has the name or the address; only letters and digits count. A
    /// short name must be a word of its own.
    pub fn is_in(&self, text: &str) -> bool {
        let words = |text: &str| -> Vec<String> {
            let text = folded(text);
            let words = text.split(|c: char| !c.is_alphanumeric());
            words.map(str::to_owned).collect()
        };
        let of_text = words(text);
        [&self.name, &self.email].into_iter().any(|own| {
            let own = words(own).concat();
            match own.chars().count() {
                0 => false,
                1..SHORT_NAME => of_text.contains(&own),
                _ => of_text.concat().contains(&own),
            }
        })
    }
}

/// Like the customer of a license, but not empty.
fn parse_name(typed: &str) -> Result<String, Problem> {
    let name = text::optional("name", "The name", &text::name(typed), NAME_LENGTH)?;
    if name.is_empty() {
        return Err(Problem {
            field: "name",
            message: format!("The name is missing: enter 1 to {NAME_LENGTH} characters."),
        });
    }
    Ok(name)
}

/// ISO 639-1; empty for none.
fn parse_language(typed: &str) -> Result<String, Problem> {
    let language = typed.trim().to_lowercase();
    match language.is_empty() || is_language_code(&language) {
        true => Ok(language),
        false => Err(no_language(typed.trim())),
    }
}

/// ISO 639-1.
pub fn is_language_code(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase())
}

pub fn no_language(typed: &str) -> Problem {
    Problem {
        field: "language",
        message: format!("`{typed}` is not a language code; use two letters, such as en or de."),
    }
}

/// Characters from which a name is found inside of other words.
const SHORT_NAME: usize = 5;
const NAME_LENGTH: usize = 255;
const NOTE_LENGTH: usize = 2_000;
/// RFC 5321, 4.5.3.1.3.
const EMAIL_LENGTH: usize = 254;

impl NamedCustomer {
    pub fn parse(name: &str, email: &str) -> Result<NamedCustomer, Error> {
        let name = text::optional(
            "name",
            "The customer's name",
            &text::name(name),
            NAME_LENGTH,
        )?;
        Ok(NamedCustomer {
            name,
            email: parse_email(email)?,
        })
    }

    /// What can be stored of a name and an address: neither may keep a buyer from the codes.
    pub fn lenient(name: &str, email: &str) -> NamedCustomer {
        let parsed = |name, email| NamedCustomer::parse(name, email);
        parsed(name, email)
            .or_else(|_| parsed("", email))
            .or_else(|_| parsed(name, ""))
            .unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.email.is_empty()
    }

    /// `Anna Meyer, anna@example.com`; empty if it names nobody.
    pub fn in_words(&self) -> String {
        let texts = [&*self.name, &self.email].into_iter();
        let texts: Vec<&str> = texts.filter(|text| !text.is_empty()).collect();
        texts.join(", ")
    }

    /// Tells customers of one name apart.
    pub fn with_email(&self) -> String {
        self.with(&self.email)
    }

    /// Tells customers of one name apart who have no address.
    pub fn numbered(&self, number: u32) -> String {
        self.with(&number.to_string())
    }

    fn with(&self, text: &str) -> String {
        let room = NAME_LENGTH.saturating_sub(text.chars().count() + 3);
        let name: String = self.name.chars().take(room).collect();
        format!("{name} ({text})")
    }
}

/// In lower case; empty for none. Only what could never be an address is refused.
pub fn parse_email(typed: &str) -> Result<String, Problem> {
    let email = text::optional("email", "The e-mail address", typed, EMAIL_LENGTH)?;
    let parts = email.rsplit_once('@');
    let is_address = parts
        .is_some_and(|(local, host)| !local.is_empty() && !local.contains('@') && !host.is_empty())
        && !email.contains(|c: char| c.is_whitespace() || "<>()[],;:\\\"".contains(c));
    if email.is_empty() || is_address {
        return Ok(email.to_lowercase());
    }
    Err(Problem {
        field: "email",
        message: format!("`{email}` is not an e-mail address; use one such as anna@example.com."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_never_be_an_address_is_refused() {
        for typed in ["anna@@x", "a@b@c", "@x", "a@", "a b@c"] {
            assert!(parse_email(typed).is_err(), "{typed}");
        }
        assert_eq!(parse_email("Anna@Example.com").unwrap(), "anna@example.com");
    }

    #[test]
    fn a_customer_is_in_the_name_of_a_file() {
        let is_in = |name: &str, text: &str| {
            let customer = Customer {
                id: 1,
                created_at: OffsetDateTime::UNIX_EPOCH,
                name: name.into(),
                email: "post@example.com".into(),
                language: String::new(),
                note: String::new(),
            };
            customer.is_in(text)
        };
        for (name, text) in [
            ("Jürgen Weiß", "juergen.csv"),
            ("Li", "list.csv"),
            ("Li", "licenses-2026.xlsx"),
        ] {
            assert!(!is_in(name, text), "{name} {text}");
        }
        for (name, text) in [
            ("Jürgen Weiß", "JURGEN_WEISS-2026.xlsx"),
            ("Li", "Import li.csv: 3 new"),
            ("Li", "from post@example.com.csv"),
        ] {
            assert!(is_in(name, text), "{name} {text}");
        }
    }
}
