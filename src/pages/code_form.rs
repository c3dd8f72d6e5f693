//! The form for creating activation codes and editing one, and the codes that were created.

use askama::Template;
use rocket::form::{DataField, FromForm, Options, ValueField};
use rocket::{Either, Route, State, get, post, routes};
use time::Date;

use super::Page;
use super::code::changed;
use super::codes::CodeQuery;
use super::doubts::{Answers, Objection};
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::mailto::mailto;
use super::shown;
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use crate::model::audit::Actor;
use crate::model::code_draft::CodeDraft;
use crate::model::date;
use crate::model::doubt::{self, Doubt};
use crate::model::entitlements::NAMES;
use crate::model::license::fields::FIELDS;
use crate::model::search::Count;
use crate::model::text::grouped;
use crate::model::typed_date::read_day;
use crate::request::{App, Failure};
use crate::service::{CodeEdited, MAX_CREATED, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![new, create, made, edit, save]
}

#[derive(Template)]
#[template(path = "code_form.html")]
struct FormPage {
    frame: Frame,
    /// The code being edited; none for new ones.
    code: Option<ActivationCode>,
    draft: CodeDraft,
    /// What the form showed first.
    was: CodeDraft,
    answers: Answers,
    tools: Vec<String>,
    /// Of the tool.
    editions: Vec<String>,
    objection: Objection,
}

#[derive(Template)]
#[template(path = "codes_made.html")]
struct MadePage {
    frame: Frame,
    codes: Vec<ActivationCode>,
    /// Each code with its mail, if the customer has an address.
    mails: Vec<Option<String>>,
    email: String,
    /// The URL query of their files.
    query: String,
}

#[derive(Default)]
struct CodeForm {
    draft: CodeDraft,
    was: CodeDraft,
    answers: Answers,
}

/// Accepts every input that is named after a field.
#[rocket::async_trait]
impl<'r> FromForm<'r> for CodeForm {
    type Context = CodeForm;

    fn init(_: Options) -> CodeForm {
        Default::default()
    }

    fn push_value(form: &mut CodeForm, input: ValueField<'r>) {
        let name = input.name.source().as_str();
        match name.strip_prefix("was_") {
            Some(field) => drop(form.was.set(field, input.value)),
            None if form.answers.push(name, input.value) => {}
            None => drop(form.draft.set(name, input.value)),
        }
    }

    async fn push_data(_: &mut CodeForm, _: DataField<'r, '_>) {}

    fn finalize(mut form: CodeForm) -> rocket::form::Result<'r, CodeForm> {
        let CodeForm { draft, answers, .. } = &mut form;
        answers.apply(|field, value| draft.set(field, value));
        Ok(form)
    }
}

/// `tool` and `customer` prefill the form.
#[get("/codes/new?<tool>&<customer>")]
async fn new(
    app: &App,
    _session: Session,
    frame: Frame,
    tool: Option<&str>,
    customer: Option<&str>,
) -> Result<Page, Failure> {
    let mut draft = CodeDraft::new();
    draft.set("customer", customer.unwrap_or_default());
    let tools = app.run(Service::tool_names).await?;
    let only = tools.first().filter(|_| tools.len() == 1);
    let tool = tool.or(only.map(String::as_str)).unwrap_or_default();
    draft.set("tool_name", tool);
    Ok(Page::new(&FormPage {
        frame,
        code: None,
        editions: app.edition_names(draft.get("tool_name")),
        draft,
        was: CodeDraft::default(),
        answers: Answers::default(),
        tools,
        objection: Objection::default(),
    })?)
}

#[post("/codes/new", data = "<form>")]
async fn create(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<CodeForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let today = app.today();
    let (tools, form, made) = app
        .run(move |service| {
            let tools = service.tool_names()?;
            let made = make(service, &actor, &form, &tools, today)?;
            Ok((tools, form, made))
        })
        .await?;
    let (status, objection) = match made {
        Ok(codes) => {
            let (message, path) = made_at(&codes);
            return Ok(Either::Left(redirect_with_flash(config, &path, &message)));
        }
        Err(refused) => refused,
    };
    let page = FormPage {
        frame,
        code: None,
        editions: app.edition_names(form.draft.get("tool_name")),
        draft: form.draft,
        was: form.was,
        answers: form.answers,
        tools,
        objection,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}

/// What to say, and where the codes are shown.
fn made_at(codes: &[ActivationCode]) -> (String, String) {
    match codes {
        [code] => (
            format!("Activation code for {} created.", code.tool_name),
            format!("/codes/{}", code.id),
        ),
        codes => {
            let number = grouped(codes.len() as i64);
            let ids = codes.first().zip(codes.last());
            let query = ids.map(|(first, last)| CodeQuery::made(first.id, last.id).address(&[]));
            let path = format!("/codes/made{}", query.unwrap_or_default());
            (format!("{number} activation codes created."), path)
        }
    }
}

/// The codes; or the status of the page and what to show on it.
type Made = Result<Vec<ActivationCode>, (u16, Objection)>;

fn make(
    service: &Service,
    actor: &Actor,
    form: &CodeForm,
    tools: &[String],
    today: Date,
) -> Result<Made, Error> {
    let draft = &form.draft;
    let mut problems = vec![];
    let tool_name = draft.tool_name().map_err(|problem| problems.push(problem));
    let number = draft.number().map_err(|problem| problems.push(problem));
    let customer = draft.customer().map_err(|problem| problems.push(problem));
    let values = draft.values(&CodeValues::new(1, CodeTerm::Perpetual));
    let values = values.map_err(|more| {
        for problem in more {
            if problems.iter().all(|p: &Problem| p.field != problem.field) {
                problems.push(problem);
            }
        }
    });
    let (Ok(tool_name), Ok(number), Ok(customer), Ok(values)) =
        (tool_name, number, customer, values)
    else {
        return Ok(Err((422, objection(problems, vec![]))));
    };
    let mut doubts = doubt::codes(&tool_name, values.term, tools, today);
    doubts.extend(updates(&form.draft));
    let open = form.answers.open(doubts);
    if !open.is_empty() {
        return Ok(Err((422, objection(vec![], open))));
    }
    match service.create_codes_for(actor, &tool_name, &customer, &values, number) {
        Ok(codes) => Ok(Ok(codes)),
        Err(Error::Invalid(problems)) => Ok(Err((422, objection(problems, vec![])))),
        Err(error @ Error::Unavailable(_)) => Ok(Err((503, failed(service, &error)))),
        Err(error) => Err(error),
    }
}

fn objection(problems: Vec<Problem>, doubts: Vec<Doubt>) -> Objection {
    Objection {
        problems,
        doubts,
        ..Objection::default()
    }
}

fn failed(service: &Service, error: &Error) -> Objection {
    Objection {
        failed: Some(service.busy_words(error)),
        ..Objection::default()
    }
}

#[get("/codes/made?<query..>")]
async fn made(
    app: &App,
    _session: Session,
    frame: Frame,
    query: CodeQuery,
) -> Result<Page, Failure> {
    let filter = query.filter(app.today()).map_err(Error::from)?;
    let (codes, email, mails) = app
        .run_search(move |service| {
            let mut codes = service.codes_to_send(&filter)?;
            codes.reverse();
            codes.truncate(MAX_CREATED);
            let codes: Vec<_> = codes.into_iter().map(|listed| listed.code).collect();
            let customer = codes.first().map(|code| code.values.customer.clone());
            let email = service.email_of(&customer.unwrap_or_default())?;
            let mails = codes.iter().map(|code| service.code_mail(code.id));
            let mails = mails.collect::<Result<Vec<_>, Error>>()?;
            Ok((codes, email, mails))
        })
        .await?;
    if codes.is_empty() {
        return Err(Error::NotFound("There are no such activation codes.").into());
    }
    let mails = mails.into_iter().map(|mail| {
        let mail = mail?;
        mailto(&mail.recipient, &mail.text.subject, &mail.text.body)
    });
    Ok(Page::new(&MadePage {
        frame,
        mails: mails.collect(),
        codes,
        email,
        query: query.address(&[]),
    })?)
}

#[get("/codes/<id>/edit")]
async fn edit(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let code = app.run(move |service| service.activation_code(id)).await?;
    let draft = CodeDraft::of(&code.values);
    Ok(Page::new(&FormPage {
        frame,
        editions: app.edition_names(&code.tool_name),
        code: Some(code),
        was: draft.clone(),
        draft,
        answers: Answers::default(),
        tools: vec![],
        objection: Objection::default(),
    })?)
}

#[post("/codes/<id>/edit", data = "<form>")]
async fn save(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<CodeForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let today = app.today();
    let (code, form, saved) = app
        .run(move |service| {
            let mut form = form;
            let saved = store(service, &actor, id, &mut form, today)?;
            Ok((service.activation_code(id)?, form, saved))
        })
        .await?;
    let (status, objection) = match saved {
        Ok(change) => {
            let path = format!("/codes/{id}");
            let flashed = changed(config, &path, "Activation code saved.", change);
            return Ok(Either::Left(flashed));
        }
        Err(refused) => refused,
    };
    let page = FormPage {
        frame,
        editions: app.edition_names(&code.tool_name),
        code: Some(code),
        draft: form.draft,
        was: form.was,
        answers: form.answers,
        tools: vec![],
        objection,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}

fn store(
    service: &Service,
    actor: &Actor,
    id: i64,
    form: &mut CodeForm,
    today: Date,
) -> Result<Result<Option<i64>, (u16, Objection)>, Error> {
    let typed = form.draft.get("expiration_date");
    let is_new = typed != form.was.get("expiration_date");
    let doubts = read_day(typed).filter(|_| is_new);
    let doubts = doubts.and_then(|day| doubt::expiration(day, today));
    let is_changed = form.draft.get(UPDATES) != form.was.get(UPDATES);
    let updates = updates(&form.draft).filter(|_| is_changed);
    let open = form
        .answers
        .open(doubts.into_iter().chain(updates).collect());
    if !open.is_empty() {
        return Ok(Err((422, objection(vec![], open))));
    }
    match service.edit_code(actor, id, &form.draft, &form.was) {
        Ok(CodeEdited::Saved(change)) => Ok(Ok(change)),
        Ok(CodeEdited::Changed(conflicts, current)) => {
            form.draft.rebase(&form.was, &current);
            form.was = current;
            Ok(Err((409, objection(conflicts, vec![]))))
        }
        Err(Error::Invalid(problems)) => Ok(Err((422, objection(problems, vec![])))),
        Err(error @ Error::Unavailable(_)) => Ok(Err((503, failed(service, &error)))),
        Err(error) => Err(error),
    }
}

const UPDATES: &str = "updates_until";

/// About the last day of updates.
fn updates(draft: &CodeDraft) -> Option<Doubt> {
    let field = FIELDS.iter().find(|field| field.name == UPDATES)?;
    doubt::implausible(field, read_day(draft.get(UPDATES))?)
}

impl MadePage {
    fn count(&self) -> Count {
        Count::Exactly(self.codes.len() as i64)
    }
}

impl FormPage {
    fn has_entitlements(&self) -> bool {
        let is_used =
            |name: &&str| !self.draft.get(name).is_empty() || self.objection.to(name).is_some();
        NAMES.iter().any(is_used)
    }

    fn carried(&self) -> Vec<(String, &str)> {
        let was = self.was.fields();
        let was = was.map(|(name, text)| (format!("was_{name}"), text));
        was.chain(self.answers.carried()).collect()
    }

    /// Of a term that has begun, none can begin again.
    fn has_days(&self) -> bool {
        self.code
            .as_ref()
            .is_none_or(|code| code.first_used_at.is_none())
    }

    fn first_used(&self) -> Option<String> {
        let first = self.code.as_ref()?.first_used_at?;
        Some(date::format(first.date()))
    }
}
