//! The texts of mails: templates that a vendor can replace, and what they know.

use std::io::{self, Write};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::mail::MailEvent;
use super::text::{invisible_name, is_direction_override};
use crate::error::{Error, Problem};

/// Bytes of what becomes of a template.
const MAX_BODY: usize = 64 * 1024;
/// Bytes of a template that is saved: as much as a form sends in any script.
const MAX_BODY_TEMPLATE: usize = 16 * 1024;
const MAX_SUBJECT_TEMPLATE: usize = 1_000;
/// Characters; longer ones are folded, which some mail servers refuse.
const MAX_SUBJECT: usize = 150;
/// Steps of the engine, about 100 ms.
const FUEL: u64 = 200_000;

/// Those with built-in texts.
pub const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("de", "German")];

/// Subject and body, as templates or rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailText {
    pub subject: String,
    pub body: String,
}

/// What a template can name; what an event has nothing to do with is empty.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Facts {
    pub customer: String,
    /// Of the first code or license.
    pub tool_name: String,
    pub vendor: String,
    pub support_email: String,
    /// The tool's link for refused customers.
    pub link: String,
    pub order_ref: String,
    pub codes: Vec<CodeFacts>,
    pub licenses: Vec<LicenseFacts>,
    /// Codes or licenses that are not listed.
    pub more: usize,
    /// Until the first license expires.
    pub days: i64,
    pub old_key: String,
    pub new_key: String,
    pub claim_url: String,
    /// With a secret that works once.
    pub my_url: String,
    pub server_url: String,
    pub digest: DigestFacts,
    pub invitation: InvitationFacts,
    pub alert: AlertFacts,
}

impl Facts {
    /// Without the links that work once.
    fn without_secrets(&self) -> Facts {
        let mut facts = self.clone();
        facts.my_url.clear();
        facts.invitation.url.clear();
        facts
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct CodeFacts {
    pub tool_name: String,
    pub activation_code: String,
    pub seats: i64,
    /// Empty for perpetual, and for a term that has not begun.
    pub expiration_date: String,
    /// Of a term that has not begun, otherwise 0.
    pub days: i64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct LicenseFacts {
    pub tool_name: String,
    pub license_key: String,
    /// As the machine said at its last check; empty for unknown.
    pub hostname: String,
    pub customer: String,
    pub expiration_date: String,
    pub days: i64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct DigestFacts {
    pub today: String,
    /// Numbers as texts: a large one is `more than 10,000`.
    pub expiring: String,
    pub expired_in_use: String,
    pub unlicensed: String,
    pub new_unlicensed: String,
    pub shared: String,
    /// The day; empty for none.
    pub last_backup: String,
    pub failed_mails: i64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct InvitationFacts {
    pub name: String,
    pub role: String,
    pub invited_by: String,
    /// With a secret that works once.
    pub url: String,
    pub until: String,
}

/// Nothing that a stranger has chosen, but for the address.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AlertFacts {
    /// As [`AlertKind::as_str`](super::alert::AlertKind::as_str) has it.
    pub kind: String,
    /// Empty for several people, or for somebody unknown.
    pub person: String,
    /// Of refusals: empty.
    pub by: String,
    pub at: String,
    /// Empty for several, and on the command line.
    pub address: String,
    /// Of a sign-in; otherwise empty.
    pub browser: String,
    /// Of refusals, as a text.
    pub number: String,
}

/// The text that nobody has replaced; English, where there is none in that language.
pub fn built_in(event: MailEvent, language: &str) -> MailText {
    let file = match (event, language) {
        (MailEvent::Codes, "de") => include_str!("../../templates/mails/codes.de.txt"),
        (MailEvent::Codes, _) => include_str!("../../templates/mails/codes.en.txt"),
        (MailEvent::Reminder, "de") => include_str!("../../templates/mails/reminder.de.txt"),
        (MailEvent::Reminder, _) => include_str!("../../templates/mails/reminder.en.txt"),
        (MailEvent::Moved, "de") => include_str!("../../templates/mails/moved.de.txt"),
        (MailEvent::Moved, _) => include_str!("../../templates/mails/moved.en.txt"),
        (MailEvent::MyPage, "de") => include_str!("../../templates/mails/my_page.de.txt"),
        (MailEvent::MyPage, _) => include_str!("../../templates/mails/my_page.en.txt"),
        (MailEvent::Digest, "de") => include_str!("../../templates/mails/digest.de.txt"),
        (MailEvent::Digest, _) => include_str!("../../templates/mails/digest.en.txt"),
        (MailEvent::Invitation, "de") => include_str!("../../templates/mails/invitation.de.txt"),
        (MailEvent::Invitation, _) => include_str!("../../templates/mails/invitation.en.txt"),
        (MailEvent::Alert, "de") => include_str!("../../templates/mails/alert.de.txt"),
        (MailEvent::Alert, _) => include_str!("../../templates/mails/alert.en.txt"),
        (MailEvent::Test, "de") => include_str!("../../templates/mails/test.de.txt"),
        (MailEvent::Test, _) => include_str!("../../templates/mails/test.en.txt"),
    };
    let (subject, body) = file.split_once("\n\n").unwrap_or((file, ""));
    MailText {
        subject: subject.to_owned(),
        body: body.to_owned(),
    }
}

/// Values of every kind, to try a template with.
pub fn sample(tool_name: &str, server_url: &str) -> Facts {
    let name = if tool_name.is_empty() {
        "Example"
    } else {
        tool_name
    };
    Facts {
        customer: "Anna Müller".to_owned(),
        tool_name: name.to_owned(),
        vendor: "Acme Tools".to_owned(),
        support_email: "help@example.com".to_owned(),
        link: "https://example.com/renew".to_owned(),
        order_ref: "2026-1042".to_owned(),
        codes: vec![CodeFacts {
            tool_name: name.to_owned(),
            activation_code: "XXXX-XXXX-XXXX-XXXX".to_owned(),
            seats: 3,
            expiration_date: String::new(),
            days: 365,
        }],
        licenses: vec![LicenseFacts {
            tool_name: name.to_owned(),
            license_key: "3c:52:82:aa:bb:01".to_owned(),
            hostname: "OFFICE-PC".to_owned(),
            customer: "Anna Müller".to_owned(),
            expiration_date: "2027-01-31".to_owned(),
            days: 7,
        }],
        more: 0,
        days: 7,
        old_key: "3c:52:82:aa:bb:01".to_owned(),
        new_key: "3c:52:82:aa:bb:02".to_owned(),
        claim_url: format!("{server_url}/claim"),
        my_url: format!("{server_url}/my/link/…"),
        server_url: server_url.to_owned(),
        digest: DigestFacts {
            today: "2027-01-24".to_owned(),
            expiring: "12".to_owned(),
            expired_in_use: "3".to_owned(),
            unlicensed: "2".to_owned(),
            new_unlicensed: "1".to_owned(),
            shared: "0".to_owned(),
            last_backup: "2027-01-24".to_owned(),
            failed_mails: 0,
        },
        invitation: InvitationFacts {
            name: "bo".to_owned(),
            role: "staff".to_owned(),
            invited_by: "admin".to_owned(),
            url: format!("{server_url}/invitation/…"),
            until: "2027-01-27 09:30 UTC+00:00".to_owned(),
        },
        alert: AlertFacts {
            kind: "new device".to_owned(),
            person: "bo".to_owned(),
            by: "bo".to_owned(),
            at: "2027-01-24 09:30 UTC+00:00".to_owned(),
            address: "192.0.2.7".to_owned(),
            browser: "Firefox on Windows".to_owned(),
            number: "1".to_owned(),
        },
    }
}

impl MailText {
    fn subject(&self, facts: &Facts) -> Result<String, Problem> {
        let subject = rendered("subject", &self.subject, facts, MAX_SUBJECT_TEMPLATE);
        subject.and_then(|text| one_line(&text))
    }

    /// What can be saved: a page can send it back in any script.
    pub fn can_be_edited(&self) -> Result<(), Problem> {
        fits("body", &self.body, MAX_BODY_TEMPLATE)
    }

    /// With these values. The error names the field, the line and what is wrong.
    pub fn render(&self, facts: &Facts) -> Result<MailText, Error> {
        let subject =
            self.subject(facts)
                .and_then(|subject| match self.subject(&facts.without_secrets()) {
                    Ok(same) if same == subject => Ok(subject),
                    _ => Err(problem("subject", SECRET_IN_SUBJECT.to_owned())),
                });
        let body = rendered("body", &self.body, facts, MAX_BODY).and_then(|text| {
            let text = tidy(&text);
            match text.is_empty() {
                true => Err(problem("body", "The text is empty.".to_owned())),
                false => Ok(text),
            }
        });
        match (subject, body) {
            (Ok(subject), Ok(body)) => Ok(MailText { subject, body }),
            (subject, body) => {
                let problems = [subject.err(), body.err()].into_iter().flatten();
                Err(Error::Invalid(problems.collect()))
            }
        }
    }
}

/// Whatever the template does with it.
const SECRET_IN_SUBJECT: &str = "The subject has a link in it that only the reader may know. Lists of mails and logs of \
     mail servers show subjects: put the link into the text.";

fn fits(field: &'static str, text: &str, most: usize) -> Result<(), Problem> {
    match text.len() > most {
        true => Err(problem(
            field,
            format!(
                "The {field} has {} bytes; it may have at most {most}.",
                text.len()
            ),
        )),
        false => Ok(()),
    }
}

fn problem(field: &'static str, message: String) -> Problem {
    Problem { field, message }
}

fn one_line(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let wrong = |message: String| Err(problem("subject", message));
    if text.is_empty() {
        return wrong("The subject is empty.".to_owned());
    }
    if text.contains(char::is_control) {
        return wrong("The subject has more than one line.".to_owned());
    }
    // What a customer is called must not keep a mail back, nor be decoded by mail programs (RFC 2047).
    Ok(text
        .replace("=?", "= ?")
        .chars()
        .take(MAX_SUBJECT)
        .collect())
}

/// Without spaces at the ends of lines, and with one empty line at most between others.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        match line.is_empty() {
            true => empty += 1,
            false => {
                if empty > 0 && !tidied.is_empty() {
                    tidied.push('\n');
                }
                empty = 0;
                tidied.push_str(line);
                tidied.push('\n');
            }
        }
    }
    tidied
}

fn rendered(
    field: &'static str,
    text: &str,
    facts: &Facts,
    most: usize,
) -> Result<String, Problem> {
    fits(field, text, most)?;
    let text = text.replace("\r\n", "\n");
    let is_wrong =
        |c: &char| c.is_control() && !matches!(c, '\n' | '\t') || is_direction_override(*c);
    let mut lines = (1..).zip(text.split('\n'));
    if let Some((line, c)) = lines.find_map(|(at, line)| Some((at, line.chars().find(is_wrong)?))) {
        let message = format!(
            "Line {line} of the {field} contains {}; remove it.",
            invisible_name(c)
        );
        return Err(problem(field, message));
    }
    if let Some((line, tag)) = foreign_tag(&text) {
        let message =
            format!("Line {line} of the {field}: only if and for can be used here, not `{tag}`.");
        return Err(problem(field, message));
    }
    let text = standing_alone(&text);
    let engine = engine();
    let mut out = Bounded {
        bytes: vec![],
        room: most,
    };
    let done = engine
        .template_from_str(&text)
        .and_then(|template| template.render_captured_to(facts, &mut out).map(drop));
    if let Err(error) = done {
        let line = error.line().unwrap_or(1);
        let mut words = error.kind().to_string();
        if out.room == 0 {
            words = format!("more than {most} bytes of text");
        } else if let Some(detail) = error.detail() {
            words = format!("{words}: {detail}");
        }
        let message = format!("Line {line} of the {field}: {words}.");
        return Err(problem(field, message));
    }
    Ok(String::from_utf8_lossy(&out.bytes).into_owned())
}

/// Without functions, and with few filters, so that no text can grow much in few steps.
fn engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine.add_filter("dmy", |text: &str| dmy(text));
    engine.add_filter("length", |value: &Value| value.len());
    engine.add_filter("lower", |text: &str| text.to_lowercase());
    engine.add_filter("upper", |text: &str| text.to_uppercase());
    engine.add_filter("trim", |text: &str| text.trim().to_owned());
    engine
}

const TAGS: [&str; 6] = ["if", "elif", "else", "endif", "for", "endfor"];

/// The line and the name of the first tag that could make a text grow without end.
fn foreign_tag(text: &str) -> Option<(usize, &str)> {
    text.lines().enumerate().find_map(|(at, line)| {
        let mut tags = line.split("{%").skip(1).map(|tag| {
            let tag = tag.trim_start_matches(['-', '+']).trim_start();
            tag.split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default()
        });
        tags.find(|tag| !TAGS.contains(tag))
            .map(|tag| (at + 1, tag))
    })
}

/// A line with nothing but a tag leaves no empty line: its end moves into the tag, so that lines are still counted
/// as the vendor sees them.
fn standing_alone(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let tag = line.trim();
        let is_alone = tag.starts_with("{%") && tag.ends_with("%}") && !tag.ends_with("-%}");
        match (is_alone && tag.matches("{%").count() == 1).then(|| tag.strip_suffix("%}")) {
            Some(Some(tag)) if line.ends_with('\n') => {
                all.push_str(tag);
                all.push_str("\n%}");
            }
            _ => all.push_str(line),
        }
    }
    all
}

/// `31.12.2026` of `2026-12-31`; any other text stays as it is.
fn dmy(text: &str) -> String {
    match text.split('-').collect::<Vec<_>>()[..] {
        [year, month, day] => format!("{day}.{month}.{year}"),
        _ => text.to_owned(),
    }
}

/// A text that does not grow for ever.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room {
            self.room = 0;
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.room -= bytes.len();
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(subject: &str, body: &str) -> Result<MailText, Error> {
        let (subject, body) = (subject.to_owned(), body.to_owned());
        MailText { subject, body }.render(&sample("T", "https://example.com"))
    }

    fn refusal(subject: &str, body: &str) -> (&'static str, String) {
        match render(subject, body) {
            Err(Error::Invalid(mut problems)) => {
                let problem = problems.remove(0);
                (problem.field, problem.message)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_built_in_text_renders_in_every_language() {
        for event in MailEvent::ALL {
            for (language, _) in LANGUAGES {
                for facts in [
                    sample("T", "https://example.com"),
                    Facts {
                        licenses: vec![LicenseFacts::default(); 2],
                        codes: vec![CodeFacts::default(); 2],
                        more: 3,
                        ..Facts::default()
                    },
                ] {
                    let text = built_in(event, language).render(&facts).unwrap();
                    let words = format!("{}\n{}", text.subject, text.body);
                    assert!(
                        !words.contains("{%") && !words.contains("\n\n\n"),
                        "{words}"
                    );
                    assert!(!text.body.starts_with('\n') && text.body.ends_with('\n'));
                }
            }
        }
    }

    #[test]
    fn no_subject_has_a_secret_link() {
        for subject in [
            "Your page: {{ my_url }}",
            "{{ invitation['url']|upper }}",
            "{% for c in my_url %}{{ c }} {% endfor %}",
            "Bo{% if invitation.url %}!{% endif %}",
        ] {
            assert_eq!(refusal(subject, "x").0, "subject", "{subject}");
        }
        assert!(render("{{ claim_url }}", "{{ my_url }} {{ invitation.url }}").is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert_eq!(refusal("{{ nothing }}", "x").0, "subject");
        let (field, words) = refusal("x", "one\n{% if more %}\ntwo\n{% endif %}\n{{ nothing }}");
        assert!(field == "body" && words.contains("Line 5"), "{words}");
        let (_, words) = refusal("x", "one\n{% include 'other' %}");
        assert!(words.contains("Line 2"), "{words}");
        assert_eq!(refusal("a\nb", "x").0, "subject");
        assert_eq!(refusal("x", " \n").0, "body");
        for hidden in ["\u{1b}", "\u{202e}"] {
            let (field, words) = refusal("x", &format!("one\ntwo {hidden}"));
            let code = format!("U+{:04X}", u32::from(hidden.chars().next().unwrap()));
            assert!(field == "body" && words.contains("Line 2") && words.contains(&code));
        }
        let long = |letters: usize| MailText {
            subject: "x".to_owned(),
            body: "Ж".repeat(letters),
        };
        assert!(long(8_000).can_be_edited().is_ok() && long(9_000).can_be_edited().is_err());
    }

    #[test]
    fn no_name_becomes_another_subject() {
        let encoded = render("=?utf-8?q?Free?= {{ tool_name }}", "x").unwrap();
        assert!(!encoded.subject.contains("=?"));
    }

    #[test]
    fn a_text_ends_in_time_and_space() {
        let list = format!("[{}]", "1,".repeat(999));
        let long = format!("{{% for a in {list} %}}{{% for b in {list} %}}");
        let end = "{% endfor %}{% endfor %}";
        for body in [
            format!("{long}{end}"),
            format!("{long}{{{{ customer }}}}{end}"),
            "{{ 'x' * 99999999 }}".to_owned(),
            "{{ 'x' * 99999 }}".to_owned(),
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}".to_owned(),
            "{%- set a = 'x' %}x".to_owned(),
        ] {
            assert_eq!(refusal("x", &body).0, "body");
        }
    }

    #[test]
    fn a_tag_on_a_line_of_its_own_leaves_no_line() {
        let text = render(
            "x",
            "a\n{% for license in licenses %}\n{{ license.days }} {% if more %}m{% endif %}\n{% endfor %}\nb",
        );
        assert_eq!(text.unwrap().body, "a\n7\nb\n");
        let text = render("x", "{{ licenses[0].expiration_date|dmy }}");
        assert_eq!(text.unwrap().body, "31.01.2027\n");
    }
}
