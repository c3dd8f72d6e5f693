//! The claim page: a customer pastes an activation code and a machine ID, and an old program that knows nothing of
//! codes runs. Public, without a session; the code is only ever in bodies, never in an address.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use rocket::http::Status;
use rocket::{Catcher, Either, FromForm, Request, Route, catch, catchers, get, post, routes};

use super::answer::Answer;
use super::claim_offline::{self, OfflineAnswer};
use super::claim_words::{Language, Words, fill};
use super::form::PublicForm;
use super::frame::{Frame, Visitor};
use super::{query, shown};
use crate::auth::Address;
use crate::error::Error;
use crate::model::date;
use crate::model::machine_code::machine_code;
use crate::model::pasted_key::{KeyDoubt, cleaned, doubt};
use crate::model::question::Question;
use crate::model::tool::Tool;
use crate::request::{App, Failure, SMALL_BODY, refused};
use crate::service::{CheckSource, Claimed, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![show, go_on]
}

/// For every error at this page: its readers are customers.
pub fn catchers() -> Vec<Catcher> {
    catchers![failed]
}

/// Everything that the steps carry on.
#[derive(FromForm, Clone, Default)]
struct ClaimForm {
    #[field(default = "")]
    tool: String,
    #[field(default = "")]
    code: String,
    #[field(default = "")]
    machine: String,
    /// A machine ID in place of the one that was typed.
    #[field(default = "", name = "use")]
    used: String,
    /// The machine ID that is wanted in spite of a doubt.
    #[field(default = "")]
    keep: String,
    #[field(default = "")]
    lang: String,
    /// `edit`, `check`, `activate` or `manage`.
    #[field(default = "", name = "do")]
    step: String,
    /// The license of the machine to remove.
    remove: Option<i64>,
}

enum View {
    /// The form, and what is doubtful about the machine ID.
    Start(Option<KeyDoubt>),
    Confirm,
    /// With the expiration date, which a perpetual license has not.
    Done(Option<String>),
    Machines(Box<Claimed>),
}

/// Where a step leads, and what went wrong.
struct Outcomes {
    view: View,
    error: Option<Error>,
    has_removed: bool,
}

#[derive(Template)]
#[template(path = "claim.html")]
struct ClaimPage {
    frame: Frame,
    words: &'static Words,
    form: ClaimForm,
    /// Not of this server: its name is typed.
    is_unknown: bool,
    tool: Arc<Tool>,
    view: View,
    has_removed: bool,
    /// The field at fault, and what is wrong.
    problem: Option<(&'static str, String)>,
    /// To this page in the other languages; empty where a form must carry what was typed.
    is_first: bool,
}

type ClaimAnswer = Answer<ClaimPage>;

/// With a `request`, also an empty one, for a machine without a network.
#[get("/claim?<tool>&<machine>&<request>&<lang>")]
async fn show(
    app: &App,
    visitor: Visitor,
    language: Language,
    tool: Option<String>,
    machine: Option<String>,
    request: Option<String>,
    lang: Option<String>,
) -> Result<Either<ClaimAnswer, OfflineAnswer>, Failure> {
    if let Some(request) = request {
        let lang = lang.unwrap_or_default();
        let page = claim_offline::first(app, visitor, language, request, lang);
        return Ok(Either::Right(page));
    }
    let form = ClaimForm {
        tool: tool.unwrap_or_default(),
        machine: cleaned(&machine.unwrap_or_default()),
        lang: lang.unwrap_or_default(),
        ..ClaimForm::default()
    };
    let (form, is_unknown) = app
        .run(move |service| {
            let is_unknown = !service.has_tool(form.tool.trim())?;
            Ok((form, is_unknown))
        })
        .await?;
    let start = Outcomes {
        view: View::Start(None),
        error: None,
        has_removed: false,
    };
    let page = ClaimPage::new(app, visitor, language, form, is_unknown, start);
    let page = ClaimPage {
        is_first: true,
        ..page
    };
    Ok(Either::Left(Answer::new(page, None)))
}

#[post("/claim", data = "<form>")]
async fn go_on(
    app: &App,
    visitor: Visitor,
    language: Language,
    address: Address,
    form: PublicForm<ClaimForm, { SMALL_BODY }>,
) -> Result<ClaimAnswer, Failure> {
    let PublicForm(mut form) = form;
    if !form.used.is_empty() {
        form.machine = std::mem::take(&mut form.used);
    }
    form.tool = form.tool.trim().to_owned();
    form.machine = cleaned(&form.machine);
    let (form, is_unknown, outcomes) = app
        .run(move |service| {
            let outcomes = form.take_step(service, address.0);
            let is_unknown = !service.has_tool(&form.tool).unwrap_or(true);
            Ok((form, is_unknown, outcomes))
        })
        .await?;
    let error = outcomes.error.clone();
    let page = ClaimPage::new(app, visitor, language, form, is_unknown, outcomes);
    Ok(Answer::new(page, error))
}

#[catch(default)]
async fn failed(status: Status, request: &Request<'_>) -> Result<ClaimAnswer, Status> {
    let service: Option<&Arc<Service>> = request.rocket().state();
    let service = service.ok_or(Status::InternalServerError)?;
    let asked = |name| request.query_value::<String>(name).and_then(Result::ok);
    let form = ClaimForm {
        tool: asked("tool").unwrap_or_default(),
        lang: asked("lang").unwrap_or_default(),
        ..ClaimForm::default()
    };
    let error = refused(status, request);
    let outcomes = Outcomes {
        view: View::Start(None),
        error: Some(error.clone()),
        has_removed: false,
    };
    let (visitor, language) = (Visitor(Frame::of_customer(request)), Language::of(request));
    let page = ClaimPage::new(service, visitor, language, form, true, outcomes);
    Ok(Answer::new(page, Some(error)))
}

impl ClaimForm {
    fn take_step(&self, service: &Service, address: IpAddr) -> Outcomes {
        let removed = self
            .remove
            .map(|id| service.remove_claimed(&self.tool, &self.code, id, address));
        let has_removed = matches!(removed, Some(Ok(())));
        let next = match removed {
            Some(Err(error)) => Err(error),
            // Without a machine to go on with, the others are shown.
            Some(Ok(())) if self.machine.is_empty() => self.machines(service, address),
            Some(Ok(())) | None => self.next(service, address),
        };
        let (view, error) = match next {
            Ok(view) => (view, None),
            // Only then, because every wrong code counts.
            Err(error) if self.needs_machines(&error) => {
                let machines = self.machines(service, address);
                (machines.unwrap_or(View::Start(None)), Some(error))
            }
            Err(error) => (View::Start(None), Some(error)),
        };
        Outcomes {
            view,
            error,
            has_removed,
        }
    }

    /// Whether the machines of the code explain the error, or one of them could not be removed.
    fn needs_machines(&self, error: &Error) -> bool {
        let Error::Refused(refused) = error else {
            return false;
        };
        match refused.reason {
            "SEATS_IN_USE" | "MOVES_USED" | "OFFLINE_UNTIL" => true,
            "MACHINE_BLOCKED" | "TRY_LATER" => self.remove.is_some(),
            _ => false,
        }
    }

    fn machines(&self, service: &Service, address: IpAddr) -> Result<View, Error> {
        let claimed = service.claimed(&self.tool, &self.code, address)?;
        Ok(View::Machines(Box::new(claimed)))
    }

    fn next(&self, service: &Service, address: IpAddr) -> Result<View, Error> {
        match &*self.step {
            "edit" => return Ok(View::Start(None)),
            "manage" => return self.machines(service, address),
            _ => {}
        }
        let question = Question::parse(&self.tool, &self.machine)?;
        if self.step == "activate" {
            service.activate(&question, &self.code, &CheckSource::from(address))?;
            let id = service.license_of(&self.tool, &self.machine)?;
            let license = id.map(|id| service.license(id)).transpose()?;
            let last = license.and_then(|license| license.values.expiration_date);
            return Ok(View::Done(last.map(date::format)));
        }
        if let Some(doubt) = doubt(&self.machine)
            && self.keep != self.machine
        {
            return Ok(View::Start(Some(doubt)));
        }
        service.may_activate(&question, &self.code, address)?;
        Ok(View::Confirm)
    }
}

impl ClaimPage {
    fn new(
        service: &Service,
        visitor: Visitor,
        language: Language,
        form: ClaimForm,
        is_unknown: bool,
        outcomes: Outcomes,
    ) -> ClaimPage {
        let language = Language::from_code(&form.lang).unwrap_or(language);
        let words = language.words();
        let problem = outcomes.error.map(|error| match error.field() {
            Some("tool_name") if form.tool.is_empty() => ("tool", words.no_program.to_owned()),
            Some("license_key") if form.machine.is_empty() => {
                ("machine", words.no_machine.to_owned())
            }
            Some("tool_name") => ("tool", words.explain(&error)),
            Some("license_key") => ("machine", words.explain(&error)),
            Some(_) => ("code", words.explain(&error)),
            None => ("", words.explain(&error)),
        });
        let Visitor(frame) = visitor;
        ClaimPage {
            frame,
            words,
            // A code for another program: its name must be typed.
            is_unknown: is_unknown || problem.as_ref().is_some_and(|(field, _)| *field == "tool"),
            tool: service.tool(&form.tool),
            form,
            view: outcomes.view,
            has_removed: outcomes.has_removed,
            problem,
            is_first: false,
        }
    }

    fn heading(&self) -> String {
        match &self.view {
            View::Start(_) if self.is_unknown => self.words.activate_any.to_owned(),
            View::Start(_) => fill(self.words.activate, &[&self.form.tool]),
            View::Confirm => self.words.is_it_yours.to_owned(),
            View::Done(_) => self.words.done.to_owned(),
            View::Machines(_) => self.words.machines.to_owned(),
        }
    }

    /// Who speaks here.
    fn brand(&self) -> &str {
        match &*self.tool.vendor {
            "" if self.is_unknown => "License Server",
            "" => &self.form.tool,
            vendor => vendor,
        }
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.problem.as_ref().is_some_and(|(of, _)| *of == field)
    }

    /// A text with one value, whose invisible characters are named.
    fn one(&self, text: &str, value: impl AsRef<str>) -> String {
        fill(text, &[&shown::visible(value.as_ref())])
    }

    fn in_use(&self, claimed: &Claimed) -> String {
        let all = [claimed.used, claimed.code.values.seats].map(shown::grouped);
        fill(self.words.in_use, &all.each_ref().map(String::as_str))
    }

    /// Of the machine in the form, if it is one.
    fn machine_code(&self) -> Option<String> {
        let question = Question::parse(&self.form.tool, &self.form.machine).ok()?;
        (!self.is_unknown).then(|| question.machine_code())
    }

    /// What was typed, for the next step; the code stays out of addresses.
    fn carried(&self) -> [(&'static str, &str); 5] {
        let ClaimForm {
            tool,
            code,
            machine,
            keep,
            ..
        } = &self.form;
        [
            ("tool", tool),
            ("code", code),
            ("machine", machine),
            ("keep", keep),
            ("lang", self.words.code),
        ]
    }

    /// The step that shows this page again.
    fn step(&self) -> &'static str {
        match self.view {
            View::Start(_) => "edit",
            View::Confirm => "check",
            View::Done(_) => "activate",
            View::Machines(_) => "manage",
        }
    }

    fn others(&self) -> impl Iterator<Item = &'static Words> {
        let all = Language::ALL.into_iter().map(Language::words);
        all.filter(|words| words.code != self.words.code)
    }

    /// The query of this page in another language.
    fn in_language(&self, code: &str) -> String {
        let ClaimForm { tool, machine, .. } = &self.form;
        query(&[("tool", tool), ("machine", machine), ("lang", code)])
    }
}

/// Four characters, or half of a short ID: enough to recognize a machine that one knows.
pub(super) fn last_part(key: &str) -> String {
    let shown = (key.chars().filter(|c| c.is_alphanumeric()).count() / 2).min(4);
    let mut left = shown;
    let kept = key.chars().rev().take_while(|c| {
        let takes = left > 0;
        left -= usize::from(takes && c.is_alphanumeric());
        takes
    });
    let reversed: String = kept.collect();
    format!("…{}", reversed.chars().rev().collect::<String>())
}
