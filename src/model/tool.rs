//! The vendor's rules for one tool.

use std::borrow::Cow;

use super::customer::parse_email;
use super::entitlements::{self, Entitlements};
use super::license::Verdict;
use super::license::fields::{FIELDS, TOOL_NAME};
use super::text::{self, keep};
use crate::error::{Error, Problem};

const MESSAGE_LENGTH: usize = 300;
const LINK_LENGTH: usize = 500;
const VENDOR_LENGTH: usize = 100;
const VERSION_LENGTH: usize = 50;
const MAX_EDITIONS: usize = 50;

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
    /// How long a machine may try the tool once; 0 for no trials.
    pub trial_days: u16,
    /// New trials a day; 0 for any number.
    pub trials_per_day: u32,
    /// For its clients; empty for none, as the next two.
    pub latest_version: String,
    pub latest_url: String,
    pub minimum_version: String,
    /// How long an offline file is good for at most.
    pub offline_file_days: u16,
    /// In their order.
    pub editions: Vec<Edition>,
}

/// A named set of features.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edition {
    pub name: String,
    pub features: Vec<String>,
}

/// The rules of a tool that has none of its own.
pub static NEW: Tool = Tool {
    offline_days: 7,
    grace_days: 0,
    message: String::new(),
    link: String::new(),
    vendor: String::new(),
    support_email: String::new(),
    trial_days: 0,
    trials_per_day: 0,
    latest_version: String::new(),
    latest_url: String::new(),
    minimum_version: String::new(),
    offline_file_days: 365,
    editions: Vec::new(),
};

impl Default for Tool {
    fn default() -> Tool {
        NEW.clone()
    }
}

/// The rules as typed.
#[derive(Debug, Clone)]
pub struct ToolDraft {
    pub offline_days: String,
    pub grace_days: String,
    /// One line.
    pub message: String,
    /// A URL.
    pub link: String,
    pub vendor: String,
    pub support_email: String,
    pub trial_days: String,
    pub trials_per_day: String,
    pub latest_version: String,
    pub latest_url: String,
    pub minimum_version: String,
    pub offline_file_days: String,
    /// One a line: its name, a colon, and its features.
    pub editions: String,
}

impl ToolDraft {
    /// With the names of the fields.
    pub fn fields(&mut self) -> [(&'static str, &mut String); 13] {
        [
            ("offline_days", &mut self.offline_days),
            ("grace_days", &mut self.grace_days),
            ("message", &mut self.message),
            ("link", &mut self.link),
            ("vendor", &mut self.vendor),
            ("support_email", &mut self.support_email),
            ("trial_days", &mut self.trial_days),
            ("trials_per_day", &mut self.trials_per_day),
            ("latest_version", &mut self.latest_version),
            ("latest_url", &mut self.latest_url),
            ("minimum_version", &mut self.minimum_version),
            ("offline_file_days", &mut self.offline_file_days),
            ("editions", &mut self.editions),
        ]
    }
}

impl Tool {
    /// Reports all problems at once.
    pub fn parse(draft: &ToolDraft) -> Result<Tool, Error> {
        let mut problems = vec![];
        let tool = Tool {
            offline_days: keep(
                &mut problems,
                number(
                    "offline_days",
                    "The offline days",
                    &draft.offline_days,
                    0,
                    3_650,
                ),
            ),
            grace_days: keep(
                &mut problems,
                number("grace_days", "The grace period", &draft.grace_days, 0, 365),
            ),
            message: keep(
                &mut problems,
                text::optional("message", "The message", &draft.message, MESSAGE_LENGTH),
            ),
            link: keep(
                &mut problems,
                link(
                    "link",
                    "The link",
                    &draft.link,
                    &["https://", "http://", "mailto:"],
                ),
            ),
            vendor: keep(
                &mut problems,
                text::optional("vendor", "The vendor", &draft.vendor, VENDOR_LENGTH),
            ),
            support_email: keep(
                &mut problems,
                parse_email(&draft.support_email).map_err(|problem| Problem {
                    field: "support_email",
                    ..problem
                }),
            ),
            trial_days: keep(
                &mut problems,
                number("trial_days", "The trial period", &draft.trial_days, 0, 365),
            ),
            trials_per_day: keep(
                &mut problems,
                number(
                    "trials_per_day",
                    "The number of new trials a day",
                    &draft.trials_per_day,
                    0,
                    1_000_000,
                ),
            ),
            latest_version: keep(
                &mut problems,
                version(
                    "latest_version",
                    "The latest version",
                    &draft.latest_version,
                ),
            ),
            latest_url: keep(
                &mut problems,
                link(
                    "latest_url",
                    "The download address",
                    &draft.latest_url,
                    &["https://", "http://"],
                ),
            ),
            minimum_version: keep(
                &mut problems,
                version(
                    "minimum_version",
                    "The minimum version",
                    &draft.minimum_version,
                ),
            ),
            offline_file_days: keep(
                &mut problems,
                number(
                    "offline_file_days",
                    "The period of offline files",
                    &draft.offline_file_days,
                    1,
                    3_650,
                ),
            ),
            editions: keep(&mut problems, editions(&draft.editions)),
        };
        match problems.is_empty() {
            true => Ok(tool),
            false => Err(Error::Invalid(problems)),
        }
    }

    /// What a license of that edition has: the features of the edition, then its own.
    pub fn features<'a>(&'a self, entitlements: &'a Entitlements) -> Vec<&'a str> {
        let edition = entitlements.edition.as_deref();
        let edition = self
            .editions
            .iter()
            .find(|other| Some(&*other.name) == edition);
        let mut all: Vec<&str> = vec![];
        let own = entitlements.features.iter();
        for name in edition
            .into_iter()
            .flat_map(|edition| &edition.features)
            .chain(own)
        {
            if !all.contains(&name.as_str()) {
                all.push(name);
            }
        }
        all
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

impl Default for ToolDraft {
    fn default() -> ToolDraft {
        ToolDraft::from(&NEW)
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
            trial_days: tool.trial_days.to_string(),
            trials_per_day: tool.trials_per_day.to_string(),
            latest_version: tool.latest_version.clone(),
            latest_url: tool.latest_url.clone(),
            minimum_version: tool.minimum_version.clone(),
            offline_file_days: tool.offline_file_days.to_string(),
            editions: tool
                .editions
                .iter()
                .map(Edition::line)
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }
}

/// The name of a tool as typed.
pub fn parse_name(typed: &str) -> Result<String, Problem> {
    let field = &FIELDS[TOOL_NAME];
    text::required(field.name, field.label, typed, field.limit)
}

fn number<T: TryFrom<u32>>(
    field: &'static str,
    label: &str,
    typed: &str,
    least: u32,
    most: u32,
) -> Result<T, Problem> {
    let typed = typed.trim();
    let number = typed
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| Problem {
            field,
            message: format!(
                "{label} must be a whole number from {least} to {}, not `{}`.",
                text::grouped(most.into()),
                text::shorten(typed)
            ),
        })
}

/// One that clients can compare: numbers, and perhaps a hyphen and what precedes the release.
fn version(field: &'static str, label: &str, typed: &str) -> Result<String, Problem> {
    let version = text::optional(field, label, typed, VERSION_LENGTH)?;
    let bare = version.strip_prefix(['v', 'V']).unwrap_or(&version);
    let numbers = bare.split(['-', '+']).next().unwrap_or(bare);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    if version.is_empty() || numbers.split('.').all(is_number) {
        return Ok(version);
    }
    Err(Problem {
        field,
        message: format!(
            "{label} `{version}` cannot be compared; use numbers and dots, such as 2.1 or 2.1-beta1."
        ),
    })
}

fn link(
    field: &'static str,
    label: &str,
    typed: &str,
    schemes: &[&str],
) -> Result<String, Problem> {
    let link = text::optional(field, label, typed, LINK_LENGTH)?;
    let is_address = schemes
        .iter()
        .any(|scheme| link.len() > scheme.len() && link.starts_with(scheme));
    if link.is_empty() || is_address && !link.contains(' ') {
        return Ok(link);
    }
    Err(Problem {
        field,
        message: format!(
            "`{}` is not a valid link; it must start with {} and have no spaces.",
            text::shorten(&link),
            schemes.join(" or ")
        ),
    })
}

/// One a line, such as `Pro: export, batch`.
fn editions(typed: &str) -> Result<Vec<Edition>, Problem> {
    let field = "editions";
    let mut editions: Vec<Edition> = vec![];
    let lines = typed.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines {
        let at = |problem: Problem| Problem { field, ..problem };
        let (name, features) = line.split_once(':').unwrap_or((line, ""));
        let name = entitlements::parse_edition(name).map_err(at)?;
        let problem = match editions.iter().any(|other| other.name == name) {
            _ if name.is_empty() => {
                format!("`{}` has no name before the colon.", text::shorten(line))
            }
            true => format!("There are two editions `{name}`; name each once."),
            false if editions.len() == MAX_EDITIONS => {
                format!("There are more than {MAX_EDITIONS} editions; use fewer.")
            }
            false => {
                let features = entitlements::parse_features(features).map_err(at)?;
                let features = entitlements::names(&features).map(str::to_owned).collect();
                editions.push(Edition { name, features });
                continue;
            }
        };
        return Err(Problem {
            field,
            message: problem,
        });
    }
    Ok(editions)
}

impl Edition {
    /// As it is typed.
    pub fn line(&self) -> String {
        match self.features.is_empty() {
            true => self.name.clone(),
            false => format!("{}: {}", self.name, self.features.join(", ")),
        }
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
        for (latest_version, latest_url) in
            [("2.0b1", ""), ("2.x", ""), ("2", "mailto:a@example.com")]
        {
            let draft = ToolDraft {
                latest_version: latest_version.into(),
                latest_url: latest_url.into(),
                ..draft("7", "")
            };
            assert!(
                Tool::parse(&draft).is_err(),
                "{latest_version} {latest_url}"
            );
        }
        for editions in [": export", "Pro\nPro: ocr", &"x".repeat(51)] {
            let draft = ToolDraft {
                editions: editions.into(),
                ..draft("7", "")
            };
            assert!(Tool::parse(&draft).is_err(), "{editions}");
        }
        let saved = Tool::parse(&ToolDraft {
            editions: "Basic\n Pro : export; batch\n".into(),
            latest_version: "2.1".into(),
            ..draft("14", "mailto:help@example.com")
        })
        .unwrap();
        let pro = Entitlements {
            edition: Some("Pro".into()),
            features: vec!["ocr".into(), "batch".into()],
            ..Entitlements::default()
        };
        assert_eq!(saved.features(&pro), ["export", "batch", "ocr"]);
        assert_eq!(Tool::parse(&ToolDraft::from(&saved)).unwrap(), saved);
    }
}
