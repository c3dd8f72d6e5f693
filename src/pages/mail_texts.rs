//! The texts of mails, which the vendor can replace.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::confirm::ConfirmPage;
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::opened::{Typed, carried, rebase};
use super::{Page, query, shown, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::mail::MailEvent;
use crate::model::mail_text::{LANGUAGES, MailText};
use crate::request::{App, Failure};
use crate::service::FailedText;

pub(super) fn routes() -> Vec<Route> {
    routes![list, edit, save, confirm_reset, reset]
}

#[derive(Template)]
#[template(path = "mail_texts.html")]
struct TextsPage {
    frame: Frame,
    /// The vendor's own.
    own: Vec<TextChoice>,
    failed: Vec<FailedText>,
    tools: Vec<String>,
    offset: UtcOffset,
}

impl TextsPage {
    fn failure(&self, choice: &TextChoice) -> Option<&FailedText> {
        let is_it = |one: &&FailedText| {
            let (tool, event, language) = &one.text;
            (tool, event.as_str(), language) == (&choice.tool, &*choice.event, &choice.language)
        };
        self.failed.iter().find(is_it)
    }
}

/// Which text.
#[derive(Clone, FromForm)]
struct TextChoice {
    /// Empty for all.
    #[field(default = "")]
    tool: String,
    #[field(default = "")]
    event: String,
    #[field(default = "en")]
    language: String,
}

impl TextChoice {
    fn event(&self) -> Result<MailEvent, Error> {
        MailEvent::from_word(&self.event).ok_or(Error::NotFound("There is no such mail."))
    }

    fn label(&self) -> &'static str {
        MailEvent::from_word(&self.event).map_or("", MailEvent::label)
    }

    fn query(&self) -> String {
        query(&[
            ("event", &self.event),
            ("language", &self.language),
            ("tool", &self.tool),
        ])
    }
}

#[derive(Template)]
#[template(path = "mail_text.html")]
struct TextPage {
    frame: Frame,
    choice: TextChoice,
    text: MailText,
    /// Whether the vendor has set it.
    is_own: bool,
    /// See [`opened`](super::opened).
    was: String,
    preview: Option<MailText>,
    problems: Vec<Problem>,
}

fn fields(text: &mut MailText) -> [Typed<'_>; 2] {
    [("subject", &mut text.subject), ("body", &mut text.body)]
}

impl TextPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }

    /// What this text can name.
    fn names(&self) -> Vec<(&'static str, &'static str)> {
        let Some(event) = MailEvent::from_word(&self.choice.event) else {
            return vec![];
        };
        let shared = match event {
            MailEvent::Codes | MailEvent::Reminder | MailEvent::Moved | MailEvent::MyPage => {
                &OF_CUSTOMER[..]
            }
            MailEvent::Digest | MailEvent::Invitation | MailEvent::Alert | MailEvent::Test => &[],
        };
        names(event).iter().chain(shared).copied().collect()
    }
}

const OF_CUSTOMER: [(&str, &str); 6] = [
    (
        "customer",
        "the customer’s name; empty if that is an address",
    ),
    ("tool_name", "the tool, or the first of several"),
    (
        "vendor",
        "from the tool’s page; may be empty, as the next two",
    ),
    ("support_email", "from the tool’s page"),
    ("link", "from the tool’s page"),
    ("server_url", "the address of this server"),
];

/// Those that only this mail has.
fn names(event: MailEvent) -> &'static [(&'static str, &'static str)] {
    match event {
        MailEvent::Codes => &[
            (
                "codes",
                "a list; each has tool_name, activation_code, seats, expiration_date and days",
            ),
            ("more", "codes that are not listed"),
            ("order_ref", "may be empty"),
            ("claim_url", "the page where a code is entered"),
        ],
        MailEvent::Reminder => &[
            (
                "licenses",
                "a list; each has tool_name, license_key, hostname, expiration_date and days",
            ),
            ("more", "licenses that are not listed"),
            ("days", "until the first one expires"),
        ],
        MailEvent::Moved => &[
            ("old_key", "the machine ID before"),
            ("new_key", "the machine ID now"),
        ],
        MailEvent::MyPage => &[("my_url", "the link, which works once, for 30 minutes")],
        MailEvent::Digest => &[
            (
                "digest",
                "has today, expiring, expired_in_use, unlicensed, new_unlicensed, shared, last_backup and \
                 failed_mails, such as digest.today",
            ),
            (
                "licenses",
                "the next to expire; each has tool_name, license_key, hostname, customer, expiration_date and days",
            ),
            ("server_url", "the address of this server"),
        ],
        MailEvent::Invitation => &[
            (
                "invitation",
                "has name, role, invited_by, until and url, the link, which works once, such as invitation.url",
            ),
            ("server_url", "the address of this server"),
        ],
        MailEvent::Alert => &[
            (
                "alert",
                "has kind (new device, new owner, second factor removed, sign-ins refused, codes refused or tokens \
                 refused), person, by, at, address, browser and number, such as alert.person; some may be empty",
            ),
            ("server_url", "the address of this server"),
        ],
        MailEvent::Test => &[("server_url", "the address of this server")],
    }
}

#[get("/mail/texts")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let (own, failed, tools) = app
        .run(|service| {
            let (own, failed) = (service.mail_texts()?, service.failed_mail_texts()?);
            Ok((own, failed, service.tool_names()?))
        })
        .await?;
    let own = own.into_iter().map(|(tool, event, language)| TextChoice {
        tool,
        event: event.as_str().to_owned(),
        language,
    });
    Ok(Page::new(&TextsPage {
        frame,
        own: own.collect(),
        failed,
        tools,
        offset: app.utc_offset(),
    })?)
}

#[get("/mail/texts/edit?<choice..>")]
async fn edit(
    app: &App,
    config: &State<Config>,
    _session: Session,
    frame: Frame,
    choice: TextChoice,
) -> Result<Either<Redirect, Page>, Failure> {
    if choice.event.is_empty() {
        return Ok(Either::Left(to(config, "/mail/texts")));
    }
    let event = choice.event()?;
    let wanted = choice.clone();
    let (text, is_own, preview) = app
        .run(move |service| {
            let (text, is_own) = service.mail_text(&wanted.tool, event, &wanted.language)?;
            let preview = service.preview_mail(&wanted.tool, &text).ok();
            Ok((text, is_own, preview))
        })
        .await?;
    Ok(Either::Right(Page::new(&TextPage {
        frame,
        choice,
        was: carried(fields(&mut text.clone())),
        text,
        is_own,
        preview,
        problems: vec![],
    })?))
}

#[derive(FromForm)]
struct TextForm {
    #[field(default = "")]
    tool: String,
    #[field(default = "")]
    event: String,
    #[field(default = "")]
    language: String,
    #[field(default = "")]
    subject: String,
    #[field(default = "")]
    body: String,
    /// Which button: `preview` or `save`.
    #[field(name = "do", default = "")]
    action: String,
    /// See [`opened`](super::opened).
    #[field(default = "")]
    was: String,
}

#[post("/mail/texts/edit", data = "<form>")]
async fn save(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<TextForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let choice = TextChoice {
        tool: form.tool,
        event: form.event,
        language: form.language,
    };
    let event = choice.event()?;
    let mut text = MailText {
        subject: form.subject,
        body: form.body.replace("\r\n", "\n"),
    };
    let (wanted, mut was, action) = (choice.clone(), form.was, form.action);
    let (done, text, is_own, was) = app
        .run(move |service| {
            let TextChoice { tool, language, .. } = &wanted;
            let (mut current, is_own) = service.mail_text(tool, event, language)?;
            let done = if action == "save" {
                let conflicts = rebase(&was, fields(&mut text), fields(&mut current));
                match conflicts.is_empty() {
                    true => service
                        .set_mail_text(&actor, tool, event, language, &text)
                        .map(|()| Done::Saved),
                    false => {
                        was = carried(fields(&mut current));
                        Ok(Done::Clashed(conflicts))
                    }
                }
            } else {
                service.preview_mail(tool, &text).map(Done::Previewed)
            };
            Ok((done, text, is_own, was))
        })
        .await?;
    let (status, preview, problems) = match done {
        Ok(Done::Saved) => {
            let path = format!("/mail/texts/edit{}", choice.query());
            let flashed = redirect_with_flash(config, &path, "The text is saved.");
            return Ok(Either::Left(flashed));
        }
        Ok(Done::Previewed(preview)) => (200, Some(preview), vec![]),
        Ok(Done::Clashed(conflicts)) => (409, None, conflicts),
        Err(Error::Invalid(problems)) => (422, None, problems),
        Err(error) => return Err(error.into()),
    };
    let page = TextPage {
        frame,
        choice,
        text,
        is_own,
        was,
        preview,
        problems,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}

enum Done {
    Saved,
    Previewed(MailText),
    /// Somebody else changed the text meanwhile.
    Clashed(Vec<Problem>),
}

#[get("/mail/texts/reset?<choice..>")]
async fn confirm_reset(
    app: &App,
    _session: Session,
    frame: Frame,
    choice: TextChoice,
) -> Result<Page, Failure> {
    let event = choice.event()?;
    let wanted = choice.clone();
    let (text, is_own) = app
        .run(move |service| service.mail_text(&wanted.tool, event, &wanted.language))
        .await?;
    if !is_own {
        return Err(Error::NotFound("There is no text of your own for this mail.").into());
    }
    Ok(Page::new(&ConfirmPage {
        frame,
        reason: None,
        question: format!("Delete your text of “{}”?", choice.label()),
        consequence: "The mail gets the built-in text again, or your text for all tools. This cannot be undone; copy \
                      your text from here if you may need it again."
            .to_owned(),
        lost: Some(format!("{}\n\n{}", text.subject, text.body)),
        action: "/mail/texts/reset".to_owned(),
        back: format!("/mail/texts/edit{}", choice.query()),
        fields: vec![
            ("tool", choice.tool),
            ("event", choice.event),
            ("language", choice.language),
        ],
        button: "Delete text",
    })?)
}

#[post("/mail/texts/reset", data = "<form>")]
async fn reset(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<TextChoice>,
) -> Result<Flashed, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let event = form.event()?;
    let path = format!("/mail/texts/edit{}", form.query());
    app.run(move |service| service.delete_mail_text(&actor, &form.tool, event, &form.language))
        .await?;
    let message = "Your text was deleted.";
    Ok(redirect_with_flash(config, &path, message))
}
