//! One license: what the tool says now, and what can be done about it.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::flash::{Told, told};
use super::form::{Hidden, Posted};
use super::frame::Frame;
use super::shown::{self, Shown};
use super::{Page, query};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Entry};
use crate::model::license::{License, Status};
use crate::model::sighting::Change;
use crate::request::{App, Failure};
use crate::service::Doubts;

/// Entries of the audit log that the page shows.
const HISTORY: i64 = 20;

pub(super) fn routes() -> Vec<Route> {
    routes![show, set_status, ask_delete, delete, ask_move, move_to]
}

#[derive(Template)]
#[template(path = "license.html")]
struct LicensePage {
    frame: Frame,
    shown: Shown,
    /// The last things that were done to it, newest first.
    history: Vec<Entry>,
    /// What its checks were like, where one was different from those before it; newest first.
    changes: Vec<Change>,
    /// The license that took its place.
    successor: Option<License>,
    moved_from: Vec<License>,
    /// Why it may not do what it is meant for.
    doubts: Doubts,
    offset: UtcOffset,
}

impl LicensePage {
    /// What the tool asks, as the query of an address.
    fn question(&self) -> String {
        let license = &self.shown.license;
        query(&[("tool", &license.tool_name), ("key", &license.license_key)])
    }
}

#[derive(Template)]
#[template(path = "license_move.html")]
struct MovePage {
    frame: Frame,
    license: License,
    typed: String,
    problem: Option<String>,
    /// The license that has the new key already.
    taken_by: Option<i64>,
}

#[derive(Template)]
#[template(path = "license_delete.html")]
struct DeletePage {
    frame: Frame,
    license: License,
}

#[derive(FromForm)]
struct NewStatus {
    #[field(default = "")]
    status: String,
}

#[get("/licenses/<id>")]
async fn show(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let filter = AuditFilter {
        license_id: Some(id),
        ..AuditFilter::default()
    };
    let (listed, history, changes, (successor, moved_from), doubts) = app
        .run(move |service| {
            let listed = service.listed(id)?;
            let relatives = service.relatives(&listed.license)?;
            let doubts = service.doubts(&listed.license)?;
            Ok((
                listed,
                service.audit(&filter, i64::MAX, HISTORY)?,
                service.check_history(id)?,
                relatives,
                doubts,
            ))
        })
        .await?;
    let offset = app.utc_offset();
    let shown = Shown::new(listed, app, app.now());
    Ok(Page::new(&LicensePage {
        frame,
        shown,
        history,
        changes,
        successor,
        moved_from,
        doubts,
        offset,
    })?)
}

#[post("/licenses/<id>/status", data = "<form>")]
async fn set_status(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: Posted<NewStatus>,
) -> Result<Told, Failure> {
    let Posted {
        form: NewStatus { status },
        actor,
        ..
    } = form;
    let status = Status::parse(&status).map_err(|problem| Error::Invalid(vec![problem]))?;
    let license = app
        .run(move |service| service.set_status(&actor, id, status))
        .await?;
    let done = match status {
        Status::Activated => "is activated again",
        Status::Suspended => "is suspended",
        Status::Revoked => "is revoked",
    };
    let line = format!(
        "License of {} for {} {done}.",
        license.tool_name, license.license_key
    );
    Ok(told(config, &format!("/licenses/{id}"), &line))
}

#[get("/licenses/<id>/delete")]
async fn ask_delete(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let license = app.run(move |service| service.license(id)).await?;
    Ok(Page::new(&DeletePage { frame, license })?)
}

#[post("/licenses/<id>/delete", data = "<form>")]
async fn delete(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: Posted<Hidden>,
) -> Result<Told, Failure> {
    let license = app
        .run(move |service| service.delete_license(&form.actor, id))
        .await?;
    let line = format!(
        "License of {} for {} deleted.",
        license.tool_name, license.license_key
    );
    Ok(told(config, "/licenses", &line))
}

#[get("/licenses/<id>/move")]
async fn ask_move(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let license = app.run(move |service| service.license(id)).await?;
    Ok(Page::new(&MovePage {
        frame,
        license,
        typed: String::new(),
        problem: None,
        taken_by: None,
    })?)
}

#[derive(FromForm)]
struct NewKey {
    #[field(default = "")]
    license_key: String,
}

#[post("/licenses/<id>/move", data = "<form>")]
async fn move_to(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: Posted<NewKey>,
) -> Result<Either<Told, Page>, Failure> {
    let (typed, actor) = (form.form.license_key, form.actor);
    let key = typed.clone();
    let moved = app
        .run(
            move |service| match service.move_license(&actor, id, &key) {
                Ok(moved) => Ok(Ok(moved)),
                Err(error @ (Error::Invalid(_) | Error::Duplicate)) => {
                    let license = service.license(id)?;
                    let taken_by = match error {
                        Error::Duplicate => service.license_of(&license.tool_name, &key)?,
                        _ => None,
                    };
                    Ok(Err((license, taken_by, error.to_string())))
                }
                Err(error) => Err(error),
            },
        )
        .await?;
    Ok(match moved {
        Ok(moved) => {
            let line = format!(
                "License of {} moved to {}; the old key is refused.",
                moved.tool_name, moved.license_key
            );
            Either::Left(told(config, &format!("/licenses/{}", moved.id), &line))
        }
        Err((license, taken_by, problem)) => Either::Right(Page::with_status(
            422,
            &MovePage {
                frame,
                license,
                typed,
                problem: Some(problem),
                taken_by,
            },
        )?),
    })
}
