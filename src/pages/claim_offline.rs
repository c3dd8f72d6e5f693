//! The claim page for a machine without a network: a customer pastes its request and an activation code, and gets
//! its offline file. A phone that read the request as a QR code comes here, too.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use rocket::http::ContentType;
use rocket::{Either, FromForm, Route, post, routes};

use super::answer::Answer;
use super::claim_words::{Language, Words, fill};
use super::download::Download;
use super::form::PublicForm;
use super::frame::{Frame, Visitor};
use super::mailto::mail_of_ones_own;
use super::offline_words::{self, OfflineWords};
use super::{query, shown};
use crate::auth::Address;
use crate::error::Error;
use crate::model::date;
use crate::model::machine_code::machine_code;
use crate::model::offline_request::OfflineRequest;
use crate::model::question::Question;
use crate::model::tool::Tool;
use crate::request::{App, Failure, SMALL_BODY};
use crate::service::{OfflineFile, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![go_on]
}

/// Everything that the steps carry on.
#[derive(FromForm, Default)]
struct OfflineForm {
    #[field(default = "")]
    request: String,
    #[field(default = "")]
    code: String,
    #[field(default = "")]
    lang: String,
    /// `edit`, `check`, `make` or `save`.
    #[field(default = "", name = "do")]
    step: String,
}

enum View {
    Start,
    Confirm(OfflineRequest),
    Done(OfflineRequest, Box<OfflineFile>),
}

#[derive(Template)]
#[template(path = "claim_offline.html")]
pub(super) struct OfflinePage {
    frame: Frame,
    words: &'static Words,
    offline: &'static OfflineWords,
    form: OfflineForm,
    /// Of the request, as far as it can be read; empty otherwise.
    tool_name: String,
    tool: Arc<Tool>,
    view: View,
    /// The field at fault, and what is wrong.
    problem: Option<(&'static str, String)>,
    /// Whether removing a machine would help.
    needs_seat: bool,
    is_first: bool,
}

pub(super) type OfflineAnswer = Answer<OfflinePage>;

/// The form, with the request that a phone read.
pub(super) fn first(
    service: &Service,
    visitor: Visitor,
    language: Language,
    request: String,
    lang: String,
) -> OfflineAnswer {
    let form = OfflineForm {
        request,
        lang,
        ..OfflineForm::default()
    };
    let mut answer = answer(service, visitor, language, form, Ok(View::Start));
    answer.page.is_first = true;
    answer
}

#[post("/claim/offline", data = "<form>")]
async fn go_on(
    app: &App,
    visitor: Visitor,
    language: Language,
    address: Address,
    form: PublicForm<OfflineForm, { SMALL_BODY }>,
) -> Result<Either<Download, OfflineAnswer>, Failure> {
    let PublicForm(form) = form;
    let (form, view) = app
        .run(move |service| {
            let view = form.next(service, address.0);
            Ok((form, view))
        })
        .await?;
    Ok(match view {
        Ok(View::Done(_, file)) if form.step == "save" => {
            Either::Left(Download::new("license.lic", ContentType::Plain, file.token))
        }
        view => Either::Right(answer(app, visitor, language, form, view)),
    })
}

impl OfflineForm {
    fn next(&self, service: &Service, address: IpAddr) -> Result<View, Error> {
        if self.step == "edit" {
            return Ok(View::Start);
        }
        let request = OfflineRequest::parse(&self.request)?;
        if self.step == "make" || self.step == "save" {
            let file = service.claim_offline_file(&request, &self.code, address)?;
            return Ok(View::Done(request, Box::new(file)));
        }
        let question = Question::parse(&request.tool_name, &request.license_key)?;
        service.may_activate(&question, &self.code, address)?;
        Ok(View::Confirm(request))
    }
}

fn answer(
    service: &Service,
    visitor: Visitor,
    language: Language,
    form: OfflineForm,
    view: Result<View, Error>,
) -> OfflineAnswer {
    let language = Language::from_code(&form.lang).unwrap_or(language);
    let (words, offline) = (language.words(), offline_words::words(language));
    let (view, error) = match view {
        Ok(view) => (view, None),
        Err(error) => (View::Start, Some(error)),
    };
    let is_empty = form.request.trim().is_empty();
    let problem = error.as_ref().map(|error| {
        let field = match error {
            Error::Invalid(_) => "request",
            Error::Refused(refused) if refused.field != "license_key" => "code",
            _ => "",
        };
        (field, offline.explain(error, is_empty, words))
    });
    let reason = |error: &Error| matches!(error, Error::Refused(refused) if refused.reason == "SEATS_IN_USE");
    let request = OfflineRequest::parse(&form.request);
    let tool_name = request.map_or_else(|_| String::new(), |request| request.tool_name);
    let Visitor(frame) = visitor;
    let page = OfflinePage {
        frame,
        words,
        offline,
        tool: service.tool(&tool_name),
        tool_name,
        form,
        view,
        problem,
        needs_seat: error.as_ref().is_some_and(reason),
        is_first: false,
    };
    Answer::new(page, error)
}

impl OfflinePage {
    fn heading(&self) -> &'static str {
        match &self.view {
            View::Start => self.offline.title,
            View::Confirm(_) => self.words.is_it_yours,
            View::Done(..) => self.offline.done,
        }
    }

    /// Who speaks here.
    fn brand(&self) -> &str {
        match (&*self.tool.vendor, &*self.tool_name) {
            ("", "") => "License Server",
            ("", tool) => tool,
            (vendor, _) => vendor,
        }
    }

    fn is_wrong(&self, field: &str) -> bool {
        self.problem.as_ref().is_some_and(|(of, _)| *of == field)
    }

    /// A text with one value, whose invisible characters are named.
    fn one(&self, text: &str, value: impl AsRef<str>) -> String {
        fill(text, &[&shown::visible(value.as_ref())])
    }

    /// What was typed, for the next step; the code stays out of addresses.
    fn carried(&self) -> [(&'static str, &str); 3] {
        [
            ("request", &self.form.request),
            ("code", &self.form.code),
            ("lang", self.words.code),
        ]
    }

    /// The step that shows this page again.
    fn step(&self) -> &'static str {
        match self.view {
            View::Start => "edit",
            View::Confirm(_) => "check",
            View::Done(..) => "make",
        }
    }

    fn others(&self) -> impl Iterator<Item = &'static Words> {
        let all = Language::ALL.into_iter().map(Language::words);
        all.filter(|words| words.code != self.words.code)
    }

    /// The query of this page in another language.
    fn in_language(&self, code: &str) -> String {
        match &*self.form.request {
            "" => format!("?request=&lang={code}"),
            request => query(&[("request", request), ("lang", code)]),
        }
    }

    fn mail(&self, file: &OfflineFile) -> String {
        mail_of_ones_own(&fill(self.offline.subject, &[&self.tool_name]), &file.token)
    }
}
