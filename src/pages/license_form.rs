//! The form for adding and editing a license.

use askama::Template;
use rocket::form::{DataField, FromForm, Options, ValueField};
use rocket::{Either, Route, State, get, post, routes};

use super::Page;
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::audit::Actor;
use crate::model::license::{Draft, License, Status};
use crate::request::{App, Failure};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![new, add, edit, change]
}

#[derive(Template)]
#[template(path = "license_form.html")]
struct FormPage {
    frame: Frame,
    /// The license being edited; none for a new one.
    id: Option<i64>,
    draft: Draft,
    tools: Vec<String>,
    objection: Objection,
}

/// Why the form is shown again.
#[derive(Default)]
struct Objection {
    problems: Vec<Problem>,
    /// The license that already has this tool and key.
    taken_by: Option<i64>,
    /// A tool whose name differs from the typed one only in case.
    similar_tool: Option<String>,
}

impl Objection {
    fn to(&self, field: &str) -> Option<&str> {
        self.problems
            .iter()
            .find(|p| p.field == field)
            .map(|p| p.message.as_str())
    }
}

#[derive(Default)]
struct LicenseForm {
    draft: Draft,
    /// The answer to "Which tool do you mean?": the name to use.
    chosen_tool: String,
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
        if name == "chosen_tool" {
            form.chosen_tool = input.value.to_owned();
        }
        form.draft.set(name, input.value);
    }

    async fn push_data(_: &mut LicenseForm, _: DataField<'r, '_>) {}

    fn finalize(form: LicenseForm) -> rocket::form::Result<'r, LicenseForm> {
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
    let tools = app.run(Service::tool_names).await?;
    Ok(Page::new(&FormPage {
        frame,
        id: None,
        draft,
        tools,
        objection: Default::default(),
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
    let (license, tools) = app
        .run(move |service| Ok((service.license(id)?, service.tool_names()?)))
        .await?;
    let draft = Draft::from(&license.values);
    Ok(Page::new(&FormPage {
        frame,
        id: Some(id),
        draft,
        tools,
        objection: Default::default(),
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
    let LicenseForm {
        mut draft,
        chosen_tool,
    } = form;
    let is_chosen = !chosen_tool.is_empty();
    if is_chosen {
        draft.set("tool_name", chosen_tool);
    }
    let values = draft.clone();
    match app
        .run(move |service| store(service, &actor, id, values, is_chosen))
        .await?
    {
        Ok((saved, has_warnings)) => {
            let done = if id.is_some() { "saved" } else { "added" };
            let message = format!(
                "License {} for {} {done}.{}",
                saved.license_key,
                saved.tool_name,
                if has_warnings {
                    " Check the warning below."
                } else {
                    ""
                }
            );
            let path = format!("/licenses/{}", saved.id);
            Ok(Either::Left(redirect_with_flash(config, &path, &message)))
        }
        Err(objection) => {
            let tools = app.run(Service::tool_names).await?;
            let page = FormPage {
                frame,
                id,
                draft,
                tools,
                objection,
            };
            Ok(Either::Right(Page::with_status(422, &page)?))
        }
    }
}

/// The stored license and whether it has warnings, or why it was not stored.
fn store(
    service: &Service,
    actor: &Actor,
    id: Option<i64>,
    draft: Draft,
    is_chosen: bool,
) -> Result<Result<(License, bool), Objection>, Error> {
    if !is_chosen && let Some(similar) = service.similar_tool(draft.get("tool_name"))? {
        return Ok(Err(Objection {
            similar_tool: Some(similar),
            ..Objection::default()
        }));
    }
    let written = match id {
        None => service.add_license(actor, draft.clone()),
        Some(id) => service.change_license(actor, id, draft.clone()),
    };
    match written {
        Ok(license) => {
            let has_warnings = !service.warnings(&license)?.is_empty();
            Ok(Ok((license, has_warnings)))
        }
        Err(Error::Invalid(problems)) => Ok(Err(Objection {
            problems,
            ..Objection::default()
        })),
        Err(Error::Duplicate) => {
            let message = Error::Duplicate.to_string();
            Ok(Err(Objection {
                problems: vec![Problem {
                    field: "license_key",
                    message,
                }],
                taken_by: service.license_of(draft.get("tool_name"), draft.get("license_key"))?,
                similar_tool: None,
            }))
        }
        Err(error) => Err(error),
    }
}
