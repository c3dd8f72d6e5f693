//! The texts of mails, which the vendor can replace.

use askama::Template;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::{Page, query, shown, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::mail::MailEvent;
use crate::model::mail_text::{LANGUAGES, MailText};
use crate::request::{App, Failure};

pub(super) fn routes() -> Vec<Route> {
    routes![list, edit, save]
}

#[derive(Template)]
#[template(path = "mail_texts.html")]
struct TextsPage {
    frame: Frame,
    /// The vendor's own.
    own: Vec<TextChoice>,
    tools: Vec<String>,
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
    preview: Option<MailText>,
    problems: Vec<Problem>,
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
            MailEvent::Digest | MailEvent::Test => &[],
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
        MailEvent::Test => &[("server_url", "the address of this server")],
    }
}

#[get("/mail/texts")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let (own, tools) = app
        .run(|service| Ok((service.mail_texts()?, service.tool_names()?)))
        .await?;
    let own = own.into_iter().map(|(tool, event, language)| TextChoice {
        tool,
        event: event.as_str().to_owned(),
        language,
    });
    Ok(Page::new(&TextsPage {
        frame,
        own: own.collect(),
        tools,
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
    /// Which button: `preview`, `save` or `reset`.
    #[field(name = "do", default = "")]
    action: String,
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
    let text = MailText {
        subject: form.subject,
        body: form.body.replace("\r\n", "\n"),
    };
    let (wanted, typed) = (choice.clone(), text.clone());
    let action = form.action.clone();
    let done = app.run(move |service| {
        let TextChoice { tool, language, .. } = &wanted;
        match &*action {
            "save" => service.set_mail_text(&actor, tool, event, language, &typed)?,
            "reset" => service.delete_mail_text(&actor, tool, event, language)?,
            _ => return service.preview_mail(tool, &typed).map(Some),
        }
        Ok(None)
    });
    let (preview, problems) = match done.await {
        Ok(None) => {
            let path = format!("/mail/texts/edit{}", choice.query());
            let message = match &*form.action {
                "reset" => "The built-in text is used again.",
                _ => "The text is saved.",
            };
            return Ok(Either::Left(redirect_with_flash(config, &path, message)));
        }
        Ok(preview) => (preview, vec![]),
        Err(Error::Invalid(problems)) => (None, problems),
        Err(error) => return Err(error.into()),
    };
    let wanted = choice.clone();
    let (_, is_own) = app
        .run(move |service| service.mail_text(&wanted.tool, event, &wanted.language))
        .await?;
    let status = if problems.is_empty() { 200 } else { 422 };
    let page = TextPage {
        frame,
        choice,
        text,
        is_own,
        preview,
        problems,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}
