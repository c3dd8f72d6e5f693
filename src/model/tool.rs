//! What a vendor wants of one tool.

use std::borrow::Cow;

use super::license::Verdict;
use super::text;
use crate::error::{Error, Problem};

const MESSAGE_LENGTH: usize = 300;
const LINK_LENGTH: usize = 500;

/// A tool and its rules; those of a new one are the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// How many days a client may run on a signed answer without asking again; 0 for not at all.
    pub offline_days: u16,
    /// How many days a license is good behind its last day.
    pub grace_days: u16,
    /// What refused customers read behind the published words; only in signed answers.
    pub message: String,
    /// Where they can go.
    pub link: String,
}

/// The rules of a tool for which nobody has made any.
pub static NEW: Tool = Tool {
    offline_days: 7,
    grace_days: 0,
    message: String::new(),
    link: String::new(),
};

impl Default for Tool {
    fn default() -> Tool {
        NEW.clone()
    }
}

/// The same as somebody typed it.
#[derive(Debug, Clone, Default)]
pub struct ToolDraft {
    /// Days.
    pub offline_days: String,
    /// Days.
    pub grace_days: String,
    /// One line.
    pub message: String,
    /// An address.
    pub link: String,
}

impl Tool {
    /// All problems at once.
    pub fn parse(draft: &ToolDraft) -> Result<Tool, Error> {
        let offline = days(
            "offline_days",
            "The days offline",
            &draft.offline_days,
            3_650,
        );
        let grace = days("grace_days", "The days of grace", &draft.grace_days, 365);
        let message = text::optional("message", "The message", &draft.message, MESSAGE_LENGTH);
        let link = link(&draft.link);
        match (offline, grace, message, link) {
            (Ok(offline_days), Ok(grace_days), Ok(message), Ok(link)) => Ok(Tool {
                offline_days,
                grace_days,
                message: message.unwrap_or_default(),
                link: link.unwrap_or_default(),
            }),
            (offline, grace, message, link) => Err(Error::Invalid(
                [offline.err(), grace.err(), message.err(), link.err()]
                    .into_iter()
                    .flatten()
                    .collect(),
            )),
        }
    }

    /// What a customer reads in a signed answer.
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
        }
    }
}

fn days(field: &'static str, label: &str, typed: &str, most: u16) -> Result<u16, Problem> {
    let typed = typed.trim();
    let number = typed.parse().ok().filter(|days| *days <= most);
    number.ok_or_else(|| Problem {
        field,
        message: format!("{label} are `{typed}`; write a whole number from 0 to {most}."),
    })
}

fn link(typed: &str) -> Result<Option<String>, Problem> {
    let link = text::optional("link", "The link", typed, LINK_LENGTH)?;
    let is_address = |link: &String| {
        ["https://", "http://", "mailto:"]
            .iter()
            .any(|scheme| link.len() > scheme.len() && link.starts_with(scheme))
            && !link.contains(' ')
    };
    match link {
        Some(link) if !is_address(&link) => Err(Problem {
            field: "link",
            message: format!(
                "The link `{link}` is none; it begins with https://, http:// or mailto: and has no \
                 spaces."
            ),
        }),
        link => Ok(link),
    }
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
