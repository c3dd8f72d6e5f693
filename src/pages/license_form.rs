//! The form for adding and editing a license.

use askama::Template;
use rocket::form::{DataField, FromForm, Options, ValueField};
use rocket::{Either, Route, State, get, post, routes};
use time::Date;

use super::Page;
use super::doubts::{Answers, Objection};
use super::flash::{Flashed, redirect_with_flash, redirect_with_undo};
use super::form::SignedInForm;
use super::frame::Frame;
use super::shown;
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::activation_code::ActivationCode;
use crate::model::audit::{Actor, REASON};
use crate::model::bulk::Term;
use crate::model::date;
use crate::model::entitlements::NAMES;
use crate::model::license::fields::{EXPIRATION_DATE, FIELDS};
use crate::model::license::{Draft, License, Status};
use crate::model::text::keep;
use crate::model::typed_date::read_day;
use crate::request::{App, Failure};
use crate::service::{Edited, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![new, add, edit, change]
}

/// Buttons beside the expiration date: the term that each adds.
const TERMS: [(&str, &str); 3] = [("14d", "+14 days"), ("1m", "+1 month"), ("1y", "+1 year")];

#[derive(Template)]
#[template(path = "license_form.html")]
struct FormPage {
    frame: Frame,
    /// The license being edited; none for a new one.
    id: Option<i64>,
    /// That the license has a seat of.
    code: Option<ActivationCode>,
    draft: Draft,
    reason: String,
    answers: Answers,
    tools: Vec<String>,
    /// For suggestions.
    customers: Vec<String>,
    /// Of the tool.
    editions: Vec<String>,
    objection: Objection,
}

impl FormPage {
    fn has_entitlements(&self) -> bool {
        let names = NAMES.iter().chain(&["trial"]);
        names
            .into_iter()
            .any(|name| !self.draft.get(name).is_empty() || self.objection.to(name).is_some())
    }
}

#[derive(Default)]
pub(super) struct LicenseForm {
    pub(super) draft: Draft,
    pub(super) answers: Answers,
    /// Why it is changed.
    reason: String,
    /// One of [`TERMS`]: changes the form instead of saving it.
    add: String,
}

/// Accepts every input that is named after a field.
#[rocket::async_trait]
impl<'r> FromForm<'r> for LicenseForm {
    type Context = LicenseForm;

    fn init(_: Options) -> LicenseForm {
        Default::default()
    }

    fn push_value(form: &mut LicenseForm, input: ValueField<'r>) {
        let name = input.name.source().as_str();
        if name == "add" {
            form.add = input.value.to_owned();
        } else if name == REASON {
            form.reason = input.value.to_owned();
        } else if !form.answers.push(name, input.value) {
            form.draft.set(name, input.value);
        }
    }

    async fn push_data(_: &mut LicenseForm, _: DataField<'r, '_>) {}

    fn finalize(mut form: LicenseForm) -> rocket::form::Result<'r, LicenseForm> {
        let LicenseForm { draft, answers, .. } = &mut form;
        answers.apply(|field, value| draft.set(field, value));
        Ok(form)
    }
}

#[get("/licenses/new?<tool>&<key>&<customer>")]
async fn new(
    app: &App,
    _session: Session,
    frame: Frame,
    tool: Option<String>,
    key: Option<String>,
    customer: Option<String>,
) -> Result<Page, Failure> {
    let draft = Draft::new()
        .with("tool_name", tool.unwrap_or_default())
        .with("license_key", key.unwrap_or_default())
        .with("user_id", customer.unwrap_or_default());
    let (tools, customers) = app.run(suggestions).await?;
    Ok(Page::new(&FormPage {
        frame,
        id: None,
        code: None,
        editions: app.edition_names(draft.get("tool_name")),
        draft,
        reason: String::new(),
        answers: Answers::default(),
        tools,
        customers,
        objection: Objection::default(),
    })?)
}

#[post("/licenses/new", data = "<form>")]
async fn add(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<LicenseForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    save(app, config, frame, None, form).await
}

#[get("/licenses/<id>/edit")]
async fn edit(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let (license, code, (tools, customers)) = app
        .run(move |service| {
            let license = service.license(id)?;
            let code = service.code_of(&license)?;
            Ok((license, code, suggestions(service)?))
        })
        .await?;
    let draft = Draft::from(&license.values);
    Ok(Page::new(&FormPage {
        frame,
        id: Some(id),
        code,
        answers: Answers::of(draft.clone()),
        editions: app.edition_names(draft.get("tool_name")),
        draft,
        reason: String::new(),
        tools,
        customers,
        objection: Objection::default(),
    })?)
}

#[post("/licenses/<id>/edit", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<LicenseForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    save(app, config, frame, Some(id), form).await
}

async fn save(
    app: &App,
    config: &Config,
    frame: Frame,
    id: Option<i64>,
    form: SignedInForm<LicenseForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let today = app.today();
    let ((tools, customers), code) = app
        .run(move |service| {
            let code = match id {
                Some(id) => service.code_of(&service.license(id)?)?,
                None => None,
            };
            Ok((suggestions(service)?, code))
        })
        .await?;
    let (form, outcome) = app
        .run(move |service| {
            let mut form = form;
            let outcome = store(service, &actor, id, &mut form, today);
            Ok((form, outcome))
        })
        .await?;
    let (status, objection) = match outcome? {
        Outcome::Saved(license, has_warnings, change) => {
            let done = if id.is_some() { "saved" } else { "added" };
            let warning = if has_warnings {
                " Check the warning below."
            } else {
                ""
            };
            let message = format!(
                "License {} for {} {done}.{warning}",
                license.license_key, license.tool_name
            );
            let path = format!("/licenses/{}", license.id);
            return Ok(Either::Left(match change {
                Some(change) => redirect_with_undo(config, &path, &message, change),
                None => redirect_with_flash(config, &path, &message),
            }));
        }
        Outcome::Dated => (200, Objection::default()),
        Outcome::Refused(status, objection) => (status, objection),
    };
    let page = FormPage {
        frame,
        id,
        code,
        editions: app.edition_names(form.draft.get("tool_name")),
        draft: form.draft,
        reason: form.reason,
        answers: form.answers,
        tools,
        customers,
        objection,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}

/// Names of tools and customers.
fn suggestions(service: &Service) -> Result<(Vec<String>, Vec<String>), Error> {
    Ok((service.tool_names()?, service.customer_names()?))
}

enum Outcome {
    /// The license, whether there is a warning about it, and the change to undo.
    Saved(License, bool, Option<i64>),
    /// The expiration date was changed in the form only.
    Dated,
    /// The status of the page and what to show on it.
    Refused(u16, Objection),
}

fn store(
    service: &Service,
    actor: &Actor,
    id: Option<i64>,
    form: &mut LicenseForm,
    today: Date,
) -> Result<Outcome, Error> {
    if !form.add.is_empty() {
        let name = FIELDS[EXPIRATION_DATE].name;
        let from = read_day(form.draft.get(name)).map_or(today, |day| day.max(today));
        let day = Term::parse(&form.add)?.after(from);
        form.draft.set(name, date::format(day));
        return Ok(Outcome::Dated);
    }
    let (typed, dates) = form.draft.clone().typed();
    let typed = typed.keeping_customer(form.answers.was.get("user_id"));
    let (mut problems, doubts) = service.review(&typed, id)?;
    problems.retain(|problem| dates.iter().all(|date| date.field != problem.field));
    problems.extend(dates);
    let actor = keep(&mut problems, actor.clone().because(&form.reason).map(Some));
    let doubts = form.answers.open(doubts);
    let (Some(actor), true, true) = (&actor, problems.is_empty(), doubts.is_empty()) else {
        let objection = Objection {
            problems,
            doubts,
            ..Objection::default()
        };
        return Ok(Outcome::Refused(422, objection));
    };
    let written = match id {
        None => {
            let added = service.add_license(actor, typed.clone());
            added.map(|license| Edited::Saved(license, None))
        }
        Some(id) => service.edit_license(actor, id, typed.clone(), &form.answers.was),
    };
    match written {
        Ok(Edited::Saved(license, change)) => {
            let has_warnings = !service.warnings(&license)?.is_empty();
            Ok(Outcome::Saved(license, has_warnings, change))
        }
        Ok(Edited::Changed(current)) => {
            form.draft = typed;
            let objection = Objection {
                conflicts: form
                    .answers
                    .rebase(&mut form.draft, Draft::from(&current.values)),
                ..Objection::default()
            };
            Ok(Outcome::Refused(409, objection))
        }
        Err(Error::Duplicate) => {
            let problem = Problem {
                field: "license_key",
                message: Error::Duplicate.to_string(),
            };
            let draft = &form.draft;
            let objection = Objection {
                problems: vec![problem],
                taken_by: service.license_of(draft.get("tool_name"), draft.get("license_key"))?,
                ..Objection::default()
            };
            Ok(Outcome::Refused(422, objection))
        }
        Err(error @ Error::Unavailable(_)) => {
            let objection = Objection {
                failed: Some(service.busy_words(&error)),
                ..Objection::default()
            };
            Ok(Outcome::Refused(503, objection))
        }
        Err(error) => Err(error),
    }
}
