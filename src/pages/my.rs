//! The customer's own page: a link by mail opens it, without an account. It has a cookie of its own, which opens
//! nothing else, and the link's secret is in no address but the link's.

use std::sync::Arc;

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::request::{FromRequest, Outcome};
use rocket::response::Redirect;
use rocket::{
    Catcher, Either, FromForm, Request, Route, State, catch, catchers, get, post, routes,
};
use subtle::ConstantTimeEq;

use super::answer::Answer;
use super::claim::last_part;
use super::claim_words::{Language, Words, fill};
use super::form::PublicForm;
use super::frame::Frame;
use super::my_words::{self, MyWords};
use super::{shown, to};
use crate::auth::{Address, cookie_value, private_cookie};
use crate::config::Config;
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, CodeTerm};
use crate::model::date;
use crate::model::license::Status as LicenseStatus;
use crate::model::tool::Tool;
use crate::request::{App, Failure, SMALL_BODY, refused};
use crate::service::{MyPage, Service, Visitor};
use crate::store::seats::{LooseMachine, SeatedMachine};

const COOKIE: &str = "license_customer";
/// As long as the session.
const COOKIE_AGE: rocket::time::Duration = rocket::time::Duration::minutes(30);

pub(super) fn routes() -> Vec<Route> {
    routes![show, ask, change_again, link_again, link, open, change]
}

/// For every error at this page: its readers are customers.
pub fn catchers() -> Vec<Catcher> {
    catchers![failed]
}

/// Whose browser it may be: the cookie's value is not looked up yet.
struct Caller {
    frame: Frame,
    language: Language,
    session: Option<String>,
}

impl Caller {
    fn of(request: &Request<'_>) -> Caller {
        Caller {
            frame: Frame::of_customer(request),
            language: Language::of(request),
            session: cookie_value(request, COOKIE),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Caller {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Caller, Self::Error> {
        Outcome::Success(Caller::of(request))
    }
}

enum View {
    /// The form for a link, with what was typed; none if no mails are sent.
    Ask(Option<String>),
    Sent,
    /// A link's secret, for the button that uses it.
    Link(String),
    Page(Box<Visitor>, MyPage),
    /// The tool and the machine to be freed.
    Confirm(Box<Visitor>, String, SeatedMachine),
}

#[derive(Template)]
#[template(path = "my.html")]
struct CustomerPage {
    frame: Frame,
    words: &'static Words,
    my: &'static MyWords,
    /// What tools have in common.
    tool: Tool,
    view: View,
    /// What was done.
    done: Option<String>,
    problem: Option<String>,
    today: time::Date,
    sends_mail: bool,
}

type MyAnswer = Answer<CustomerPage>;

impl MyAnswer {
    fn of(service: &Service, caller: Caller, lang: &str, view: View) -> MyAnswer {
        let language = Language::from_code(lang).unwrap_or(caller.language);
        let page = CustomerPage {
            frame: caller.frame,
            words: language.words(),
            my: my_words::words(language),
            tool: service.common_rules(),
            view,
            done: None,
            problem: None,
            today: service.today(),
            sends_mail: service.sends_mail(),
        };
        Answer::new(page, None)
    }

    /// The form for a link.
    fn asking(service: &Service, caller: Caller, lang: &str, typed: String) -> MyAnswer {
        let typed = service.sends_mail().then_some(typed);
        MyAnswer::of(service, caller, lang, View::Ask(typed))
    }

    fn with_error(mut self, error: Error) -> MyAnswer {
        let page = &mut self.page;
        page.problem = Some(page.my.explain(&error, page.words));
        Answer::new(self.page, Some(error))
    }

    /// Something that was there once.
    fn gone(mut self, words: fn(&MyWords) -> &'static str) -> MyAnswer {
        self.page.problem = Some(words(self.page.my).to_owned());
        Answer {
            status: 410,
            ..self
        }
    }
}

#[get("/my?<lang>&<out>")]
async fn show(
    app: &App,
    caller: Caller,
    lang: Option<String>,
    out: Option<&str>,
) -> Result<MyAnswer, Failure> {
    let lang = lang.unwrap_or_default();
    let session = caller.session.clone();
    let found = app.run(move |service| found(service, session)).await?;
    Ok(match found {
        Some((visitor, page)) => {
            MyAnswer::of(app, caller, &lang, View::Page(Box::new(visitor), page))
        }
        None => {
            let mut answer = MyAnswer::asking(app, caller, &lang, String::new());
            let page = &mut answer.page;
            page.done = out.map(|_| page.my.signed_out.to_owned());
            answer
        }
    })
}

fn found(service: &Service, session: Option<String>) -> Result<Option<(Visitor, MyPage)>, Error> {
    let visitor = session
        .map(|session| service.visitor(&session))
        .transpose()?;
    let Some(visitor) = visitor.flatten() else {
        return Ok(None);
    };
    let page = service.my_page(&visitor.customer)?;
    Ok(Some((visitor, page)))
}

#[derive(FromForm)]
struct AskForm {
    #[field(default = "")]
    email: String,
    #[field(default = "")]
    lang: String,
}

/// The same answer, in the same time, whoever has the address.
#[post("/my", data = "<form>")]
async fn ask(
    app: &App,
    caller: Caller,
    address: Address,
    form: PublicForm<AskForm, { SMALL_BODY }>,
) -> MyAnswer {
    let PublicForm(AskForm { email, lang }) = form;
    let language = Language::from_code(&lang).unwrap_or(caller.language);
    match app.ask_for_link(&email, language.words().code, address.0) {
        Ok(()) => MyAnswer::of(app, caller, &lang, View::Sent),
        Err(Error::Conflict(_)) => Answer {
            status: 409,
            ..MyAnswer::asking(app, caller, &lang, email)
        },
        Err(error) => MyAnswer::asking(app, caller, &lang, email).with_error(error),
    }
}

/// The address of a form, opened again.
#[get("/my/change")]
fn change_again(config: &State<Config>) -> Redirect {
    to(config, "/my")
}

#[get("/my/link")]
fn link_again(config: &State<Config>) -> Redirect {
    to(config, "/my")
}

/// Uses nothing up, because mail scanners open links.
#[get("/my/link/<token>?<lang>")]
async fn link(app: &App, caller: Caller, token: String, lang: Option<&str>) -> MyAnswer {
    MyAnswer::of(app, caller, lang.unwrap_or_default(), View::Link(token))
}

#[derive(FromForm)]
struct LinkForm {
    #[field(default = "")]
    token: String,
    #[field(default = "")]
    lang: String,
}

#[post("/my/link", data = "<form>")]
async fn open(
    app: &App,
    config: &State<Config>,
    cookies: &CookieJar<'_>,
    caller: Caller,
    address: Address,
    form: PublicForm<LinkForm, { SMALL_BODY }>,
) -> Result<Either<Redirect, MyAnswer>, Failure> {
    let PublicForm(LinkForm { token, lang }) = form;
    let opened = app
        .run(move |service| service.open_link(&token, address.0))
        .await?;
    let Some(session) = opened else {
        let answer = MyAnswer::asking(app, caller, &lang, String::new());
        return Ok(Either::Right(answer.gone(|my| my.link_gone)));
    };
    let mut cookie = private_cookie(config, COOKIE, session);
    cookie.set_max_age(COOKIE_AGE);
    cookies.add(cookie);
    Ok(Either::Left(to(config, &in_language("/my", &lang))))
}

/// The path of a page in that language, if there is such a one.
fn in_language(path: &str, lang: &str) -> String {
    match Language::from_code(lang) {
        Some(language) => format!("{path}?lang={}", language.words().code),
        None => path.to_owned(),
    }
}

#[derive(FromForm)]
struct ChangeForm {
    #[field(default = "")]
    csrf: String,
    #[field(default = "")]
    lang: String,
    /// The license of a machine that may be freed.
    machine: Option<i64>,
    /// The license of a machine that is freed.
    free: Option<i64>,
    /// The code that is sent again.
    code: Option<i64>,
    #[field(default = false)]
    leave: bool,
}

#[post("/my/change", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    cookies: &CookieJar<'_>,
    caller: Caller,
    form: PublicForm<ChangeForm, { SMALL_BODY }>,
) -> Result<Either<Redirect, MyAnswer>, Failure> {
    let PublicForm(form) = form;
    let (lang, leave) = (form.lang.clone(), form.leave);
    let session = caller.session.clone();
    let changed = app.run(move |service| form.change(service, session)).await;
    let asking = |caller| MyAnswer::asking(app, caller, &lang, String::new());
    Ok(Either::Right(match changed? {
        None => asking(caller).gone(|my| my.session_over),
        Some(_) if leave => {
            cookies.remove(private_cookie(config, COOKIE, String::new()));
            let path = in_language("/my", &lang);
            let mark = if path.contains('?') { '&' } else { '?' };
            return Ok(Either::Left(to(config, &format!("{path}{mark}out=yes"))));
        }
        Some(Changed { view, done, error }) => {
            let mut answer = MyAnswer::of(app, caller, &lang, view);
            answer.page.done = done.map(|done| done.words(answer.page.my, answer.page.words));
            match error {
                Some(error) => answer.with_error(error),
                None => answer,
            }
        }
    }))
}

enum Done {
    Freed,
    /// To this address.
    CodeSent(String),
    WasFreed,
}

impl Done {
    fn words(&self, my: &MyWords, words: &Words) -> String {
        match self {
            Done::Freed => words.removed.to_owned(),
            Done::CodeSent(email) => fill(my.code_sent, &[email]),
            Done::WasFreed => my.no_machine.to_owned(),
        }
    }
}

struct Changed {
    view: View,
    done: Option<Done>,
    error: Option<Error>,
}

impl ChangeForm {
    /// None without a session.
    fn change(&self, service: &Service, session: Option<String>) -> Result<Option<Changed>, Error> {
        let Some(session) = session else {
            return Ok(None);
        };
        let Some(visitor) = service.visitor(&session)? else {
            return Ok(None);
        };
        if !bool::from(self.csrf.as_bytes().ct_eq(visitor.csrf.as_bytes())) {
            return Err(Error::EarlierSession);
        }
        let customer = &visitor.customer;
        let done = match self {
            ChangeForm { leave: true, .. } => service.end_visit(&session).map(|()| None),
            ChangeForm { free: Some(id), .. } => service
                .free_my_machine(customer, *id)
                .map(|()| Some(Done::Freed)),
            ChangeForm { code: Some(id), .. } => {
                let email = customer.email.clone();
                service
                    .send_my_code(customer, *id)
                    .map(|()| Some(Done::CodeSent(email)))
            }
            ChangeForm {
                machine: Some(id), ..
            } => match service.my_machine(customer, *id)? {
                Some((tool, machine)) => {
                    return Ok(Some(Changed {
                        view: View::Confirm(Box::new(visitor), tool, machine),
                        done: None,
                        error: None,
                    }));
                }
                None => Ok(Some(Done::WasFreed)),
            },
            ChangeForm { .. } => Ok(None),
        };
        let page = service.my_page(customer)?;
        let (done, error) = match done {
            Ok(done) => (done, None),
            Err(error) => (None, Some(error)),
        };
        Ok(Some(Changed {
            view: View::Page(Box::new(visitor), page),
            done,
            error,
        }))
    }
}

#[catch(default)]
async fn failed(status: Status, request: &Request<'_>) -> Result<MyAnswer, Status> {
    let service: Option<&Arc<Service>> = request.rocket().state();
    let service = service.ok_or(Status::InternalServerError)?;
    let lang = request.query_value::<String>("lang").and_then(Result::ok);
    let error = refused(status, request);
    let lang = lang.unwrap_or_default();
    let answer = MyAnswer::asking(service, Caller::of(request), &lang, String::new());
    Ok(answer.with_error(error))
}

impl CustomerPage {
    fn heading(&self) -> &'static str {
        match &self.view {
            View::Ask(_) | View::Link(_) | View::Page(..) => self.my.title,
            View::Sent => self.my.sent_title,
            View::Confirm(..) => self.my.free_title,
        }
    }

    /// Who speaks here.
    fn brand(&self) -> &str {
        match &*self.tool.vendor {
            "" => "License Server",
            vendor => vendor,
        }
    }

    fn others(&self) -> impl Iterator<Item = &'static Words> {
        let all = Language::ALL.into_iter().map(Language::words);
        all.filter(|words| words.code != self.words.code)
    }

    /// The page in another language.
    fn path(&self) -> String {
        match &self.view {
            View::Link(token) => format!("/my/link/{token}"),
            View::Ask(_) | View::Sent | View::Page(..) | View::Confirm(..) => "/my".to_owned(),
        }
    }

    /// A text with one value, whose invisible characters are named.
    fn one(&self, text: &str, value: impl AsRef<str>) -> String {
        fill(text, &[&shown::visible(value.as_ref())])
    }

    fn seats(&self, used: &i64, code: &ActivationCode) -> String {
        let all = [*used, code.values.seats].map(shown::grouped);
        fill(self.my.seats_used, &all.each_ref().map(String::as_str))
    }

    fn term(&self, code: &ActivationCode) -> String {
        match code.values.term {
            CodeTerm::Perpetual => self.words.perpetual.to_owned(),
            CodeTerm::Until(last) => date::format(last),
            CodeTerm::Days(days) => self.one(self.my.days_from_first, shown::grouped(days)),
        }
    }

    fn until(&self, machine: &LooseMachine) -> String {
        let last = machine.expiration_date.map(date::format);
        last.unwrap_or_else(|| self.words.perpetual.to_owned())
    }

    /// Why it cannot be used; none if it can.
    fn state(
        &self,
        status: LicenseStatus,
        last: Option<time::Date>,
    ) -> Option<(&'static str, &'static str)> {
        match status {
            LicenseStatus::Revoked => Some(("revoked", self.my.revoked)),
            LicenseStatus::Suspended => Some(("suspended", self.my.suspended)),
            LicenseStatus::Activated => last
                .is_some_and(|last| last < self.today)
                .then_some(("expired", self.my.expired)),
        }
    }

    fn loose_state(&self, loose: &LooseMachine) -> Option<(&'static str, &'static str)> {
        self.state(loose.status, loose.expiration_date)
    }

    fn code_state(&self, code: &ActivationCode) -> Option<(&'static str, &'static str)> {
        self.state(code.values.status, code.values.term.expiration_date())
    }

    fn can_send(&self, visitor: &Visitor, code: &ActivationCode) -> bool {
        self.sends_mail && !visitor.customer.email.is_empty() && self.code_state(code).is_none()
    }
}
