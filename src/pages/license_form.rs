//! Adding and editing a license: one form.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::Page;
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::audit::Actor;
use crate::model::license::{License, Status};
use crate::model::new_license::{Change, Draft};
use crate::request::{App, Failure};
use crate::service::Service;

pub(super) fn routes() -> Vec<Route> {
    routes![new, add, edit, change]
}

#[derive(Template)]
#[template(path = "license_form.html")]
struct FormPage {
    frame: Frame,
    /// The license that is edited; none for a new one.
    id: Option<i64>,
    draft: Draft,
    tools: Vec<String>,
    objection: Objection,
}

/// Why a form comes back.
#[derive(Default)]
struct Objection {
    problems: Vec<Problem>,
    /// The license that has this pair of tool and key already.
    taken_by: Option<i64>,
    /// A tool whose name differs from the typed one by case only.
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

#[derive(FromForm)]
struct Typed {
    #[field(default = "")]
    tool_name: String,
    #[field(default = "")]
    license_key: String,
    #[field(default = "")]
    status: String,
    #[field(default = "")]
    user_id: String,
    #[field(default = "")]
    expiration_date: String,
    #[field(default = "")]
    note: String,
    /// The answer to "did you mean that tool?": the name to use.
    #[field(default = "")]
    meant_tool: String,
}

#[get("/licenses/new?<tool>&<key>")]
async fn new(
    app: &App,
    _session: Session,
    frame: Frame,
    tool: Option<String>,
    key: Option<String>,
) -> Result<Page, Failure> {
    let draft = Draft {
        tool_name: tool.unwrap_or_default(),
        license_key: key.unwrap_or_default(),
        ..Draft::new()
    };
    let tools = app.run(Service::tool_names).await?;
    Ok(Page::new(&FormPage {
        frame,
        id: None,
        draft,
        tools,
        objection: Objection::default(),
    })?)
}

#[post("/licenses/new", data = "<form>")]
async fn add(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<Typed>,
) -> Result<Either<Flashed, Page>, Failure> {
    save(app, config, frame, None, form).await
}

#[get("/licenses/<id>/edit")]
async fn edit(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let (license, tools) = app
        .run(move |service| Ok((service.license(id)?, service.tool_names()?)))
        .await?;
    let draft = Draft::from(&license);
    Ok(Page::new(&FormPage {
        frame,
        id: Some(id),
        draft,
        tools,
        objection: Objection::default(),
    })?)
}

#[post("/licenses/<id>/edit", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<Typed>,
) -> Result<Either<Flashed, Page>, Failure> {
    save(app, config, frame, Some(id), form).await
}

async fn save(
    app: &App,
    config: &Config,
    frame: Frame,
    id: Option<i64>,
    form: SignedInForm<Typed>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form: typed, actor, ..
    } = form;
    let is_meant = !typed.meant_tool.is_empty();
    let draft = Draft {
        tool_name: if is_meant {
            typed.meant_tool
        } else {
            typed.tool_name
        },
        license_key: typed.license_key,
        status: typed.status,
        user_id: typed.user_id,
        expiration_date: typed.expiration_date,
        note: typed.note,
    };
    let values = draft.clone();
    match app
        .run(move |service| store(service, &actor, id, &values, is_meant))
        .await?
    {
        Ok((saved, is_doubted)) => {
            let done = if id.is_some() { "saved" } else { "added" };
            let License {
                id,
                tool_name,
                license_key,
                ..
            } = saved;
            let line = format!(
                "License of {tool_name} for {license_key} {done}.{}",
                if is_doubted {
                    " Look at the warning."
                } else {
                    ""
                }
            );
            Ok(Either::Left(redirect_with_flash(
                config,
                &format!("/licenses/{id}"),
                &line,
            )))
        }
        Err(objection) => {
            let tools = app.run(Service::tool_names).await?;
            Ok(Either::Right(Page::with_status(
                422,
                &FormPage {
                    frame,
                    id,
                    draft,
                    tools,
                    objection,
                },
            )?))
        }
    }
}

/// The row that was written and whether there are doubts about it, or why none was.
fn store(
    service: &Service,
    actor: &Actor,
    id: Option<i64>,
    draft: &Draft,
    is_meant: bool,
) -> Result<Result<(License, bool), Objection>, Error> {
    if !is_meant && let Some(similar) = service.similar_tool(&draft.tool_name)? {
        return Ok(Err(Objection {
            similar_tool: Some(similar),
            ..Objection::default()
        }));
    }
    let written = match id {
        None => service.add_license(actor, draft),
        Some(id) => service.change_license(actor, id, Change::from(draft.clone())),
    };
    match written {
        Ok(license) => {
            let is_doubted = !service.doubts(&license)?.is_empty();
            Ok(Ok((license, is_doubted)))
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
                taken_by: service.license_of(&draft.tool_name, &draft.license_key)?,
                similar_tool: None,
            }))
        }
        Err(error) => Err(error),
    }
}
