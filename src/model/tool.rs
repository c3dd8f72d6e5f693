//! The vendor's rules for one tool.

use std::borrow::Cow;

use super::customer::parse_email;
use super::license::Verdict;
use super::license::fields::{FIELDS, TOOL_NAME};
use super::text;
use crate::error::{Error, Problem};

const MESSAGE_LENGTH: usize = 300;
const LINK_LENGTH: usize = 500;
const VENDOR_LENGTH: usize = 100;

/// The rules of a tool; the default is those of a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Days that a client may run on a signed answer without checking again; 0 for none.
    pub offline_days: u16,
    /// Days after its expiration date for which a license still counts.
    pub grace_days: u16,
    /// Shown to refused customers after the published message; only in signed answers.
    pub message: String,
    /// Where refused customers can go.
    pub link: String,
    /// Who sells it, in the customers' words; empty for nobody in particular.
    pub vendor: String,
    /// Where customers get help.
    pub support_email: String,
}

/// The rules of a tool that has none of its own.
pub static NEW: Tool = Tool {
    offline_days: 7,
    grace_days: 0,
    message: String::new(),
    link: String::new(),
    vendor: String::new(),
    support_email: String::new(),
};

impl Default for Tool {
    fn default() -> Tool {
        NEW.clone()
    }
}

/// The rules as typed.
#[derive(Debug, Clone, Default)]
pub struct ToolDraft {
    pub offline_days: String,
    pub grace_days: String,
    /// One line.
    pub message: String,
    /// A URL.
    pub link: String,
    pub vendor: String,
    pub support_email: String,
}

impl ToolDraft {
    pub fn texts(&self) -> [&str; 6] {
        let ToolDraft {
            offline_days,
            grace_days,
            message,
            link,
            vendor,
            support_email,
        } = self;
        [
            offline_days,
            grace_days,
            message,
            link,
            vendor,
            support_email,
        ]
    }

    /// With the names of the fields.
    pub fn fields(&mut self) -> [(&'static str, &mut String); 6] {
        [
            ("offline_days", &mut self.offline_days),
            ("grace_days", &mut self.grace_days),
            ("message", &mut self.message),
            ("link", &mut self.link),
            ("vendor", &mut self.vendor),
            ("support_email", &mut self.support_email),
        ]
    }
}

impl Tool {
    /// Reports all problems at once.
    pub fn parse(draft: &ToolDraft) -> Result<Tool, Error> {
        let offline = days(
            "offline_days",
            "The offline days",
            &draft.offline_days,
            3_650,
        );
        let grace = days("grace_days", "The grace period", &draft.grace_days, 365);
        let message = text::optional("message", "The message", &draft.message, MESSAGE_LENGTH);
        let link = link(&draft.link);
        let vendor = text::optional("vendor", "The vendor", &draft.vendor, VENDOR_LENGTH);
        let email = parse_email(&draft.support_email).map_err(|problem| Problem {
            field: "support_email",
            ..problem
        });
        match (offline, grace, message, link, vendor, email) {
            (
                Ok(offline_days),
                Ok(grace_days),
                Ok(message),
                Ok(link),
                Ok(vendor),
                Ok(support_email),
            ) => Ok(Tool {
                offline_days,
                grace_days,
                message,
                link,
                vendor,
                support_email,
            }),
            (offline, grace, message, link, vendor, email) => {
                let problems = [
                    offline.err(),
                    grace.err(),
                    message.err(),
                    link.err(),
                    vendor.err(),
                    email.err(),
                ];
                Err(Error::Invalid(problems.into_iter().flatten().collect()))
            }
        }
    }

    /// The message for the customer in a signed answer.
    pub fn words(&self, verdict: Verdict) -> Cow<'static, str> {
        let mut words = Cow::Borrowed(verdict.message());
        if verdict.is_refusal() {
            for more in [&self.message, &self.link] {
                if !more.is_empty() {
                    words = format!("{words} {more}").into();
                }
            }
        }
        words
    }
}

impl From<&Tool> for ToolDraft {
    fn from(tool: &Tool) -> ToolDraft {
        ToolDraft {
            offline_days: tool.offline_days.to_string(),
            grace_days: tool.grace_days.to_string(),
            message: tool.message.clone(),
            link: tool.link.clone(),
            vendor: tool.vendor.clone(),
            support_email: tool.support_email.clone(),
        }
    }
}

/// The name of a tool as typed.
pub fn parse_name(typed: &str) -> Result<String, Problem> {
    let field = &FIELDS[TOOL_NAME];
    text::required(field.name, field.label, typed, field.limit)
}

fn days(field: &'static str, label: &str, typed: &str, most: u16) -> Result<u16, Problem> {
    let typed = typed.trim();
    let number = typed.parse().ok().filter(|days| *days <= most);
    number.ok_or_else(|| Problem {
        field,
        message: format!("{label} must be a whole number from 0 to {most}, not `{typed}`."),
    })
}

fn link(typed: &str) -> Result<String, Problem> {
    let link = text::optional("link", "The link", typed, LINK_LENGTH)?;
    let is_address = ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| link.len() > scheme.len() && link.starts_with(scheme));
    if link.is_empty() || is_address && !link.contains(' ') {
        return Ok(link);
    }
    Err(Problem {
        field: "link",
        message: format!(
            "`{link}` is not a valid link; it must start with https://, http:// or mailto: and \
             have no spaces."
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(days: &str, link: &str) -> ToolDraft {
        ToolDraft {
            offline_days: days.into(),
            grace_days: "3".into(),
            message: "Renew in our shop:".into(),
            link: link.into(),
            ..ToolDraft::default()
        }
    }

    #[test]
    fn a_refused_customer_reads_the_published_words_and_the_vendors() {
        let tool = Tool::parse(&draft("0", "https://shop.example/renew")).unwrap();
        assert_eq!(
            tool.words(Verdict::Expired),
            "License has expired. Renew in our shop: https://shop.example/renew"
        );
        assert_eq!(tool.words(Verdict::InGrace), "License is active and valid.");
        assert_eq!(
            Tool::default().words(Verdict::Revoked),
            "License status is 'revoked'."
        );
    }

    #[test]
    fn each_value_that_cannot_be_is_named() {
        for (days, link) in [
            ("-1", ""),
            ("3651", ""),
            ("x", ""),
            ("1", "javascript:alert(1)"),
            ("1", "https://"),
        ] {
            assert!(Tool::parse(&draft(days, link)).is_err(), "{days} {link}");
        }
        let saved = Tool::parse(&draft("14", "mailto:help@example.com")).unwrap();
        assert_eq!(Tool::parse(&ToolDraft::from(&saved)).unwrap(), saved);
    }
}
