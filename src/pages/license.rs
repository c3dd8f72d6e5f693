//! The page of one license: its current result, actions and history.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::flash::{Flashed, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown::{self, LicenseRow};
use super::{Page, query};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Entry};
use crate::model::check::{CheckChange, Places};
use crate::model::license::{License, Status, Verdict};
use crate::request::{App, Failure};
use crate::service::LicenseWarnings;

/// Audit entries shown on the page.
const HISTORY: i64 = 20;

pub(super) fn routes() -> Vec<Route> {
    routes![
        show,
        set_status,
        confirm_delete,
        delete,
        move_form,
        move_license
    ]
}

#[derive(Template)]
#[template(path = "license.html")]
struct LicensePage {
    frame: Frame,
    row: LicenseRow,
    /// Newest first.
    history: Vec<Entry>,
    /// The first check of each day, and each that differed from the previous one; newest first.
    checks: Vec<CheckChange>,
    places: Places,
    /// The license that this one was moved to.
    successor: Option<License>,
    moved_from: Vec<License>,
    warnings: LicenseWarnings,
    offset: UtcOffset,
}

impl LicensePage {
    fn diagnose_query(&self) -> String {
        let license = &self.row.license;
        query(&[("tool", &license.tool_name), ("key", &license.license_key)])
    }
}

#[derive(Template)]
#[template(path = "license_move.html")]
struct MovePage {
    frame: Frame,
    license: License,
    license_key: String,
    problem: Option<String>,
    /// The license that already has the new key.
    taken_by: Option<i64>,
}

#[derive(Template)]
#[template(path = "license_delete.html")]
struct DeletePage {
    frame: Frame,
    license: License,
}

#[derive(FromForm)]
struct StatusForm {
    #[field(default = "")]
    status: String,
}

#[get("/licenses/<id>")]
async fn show(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let filter = AuditFilter {
        license_id: Some(id),
        ..AuditFilter::default()
    };
    let (listed, history, checks, places, (successor, moved_from), warnings) = app
        .run(move |service| {
            let listed = service.listed(id)?;
            let relatives = service.relatives(&listed.license)?;
            let warnings = service.warnings(&listed.license)?;
            Ok((
                listed,
                service.audit(&filter, i64::MAX, HISTORY)?,
                service.check_history(id)?,
                service.places(id)?,
                relatives,
                warnings,
            ))
        })
        .await?;
    let offset = app.utc_offset();
    let row = LicenseRow::new(listed, app, app.now());
    Ok(Page::new(&LicensePage {
        frame,
        row,
        history,
        checks,
        places,
        successor,
        moved_from,
        warnings,
        offset,
    })?)
}

#[post("/licenses/<id>/status", data = "<form>")]
async fn set_status(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<StatusForm>,
) -> Result<Flashed, Failure> {
    let SignedInForm {
        form: StatusForm { status },
        actor,
        ..
    } = form;
    let status = Status::parse(&status).map_err(|problem| Error::Invalid(vec![problem]))?;
    let license = app
        .run(move |service| service.set_status(&actor, id, status))
        .await?;
    let done = match status {
        Status::Activated => "activated",
        Status::Suspended => "suspended",
        Status::Revoked => "revoked",
    };
    let message = format!(
        "{} license for {} {done}.",
        license.tool_name, license.license_key
    );
    Ok(redirect_with_flash(
        config,
        &format!("/licenses/{id}"),
        &message,
    ))
}

#[get("/licenses/<id>/delete")]
async fn confirm_delete(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let license = app.run(move |service| service.license(id)).await?;
    Ok(Page::new(&DeletePage { frame, license })?)
}

#[post("/licenses/<id>/delete", data = "<form>")]
async fn delete(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let license = app
        .run(move |service| service.delete_license(&form.actor, id))
        .await?;
    let message = format!(
        "{} license for {} deleted.",
        license.tool_name, license.license_key
    );
    Ok(redirect_with_flash(config, "/licenses", &message))
}

/// `license_key` prefills the form.
#[get("/licenses/<id>/move?<license_key>")]
async fn move_form(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    license_key: Option<String>,
) -> Result<Page, Failure> {
    let license = app.run(move |service| service.license(id)).await?;
    Ok(Page::new(&MovePage {
        frame,
        license,
        license_key: license_key.unwrap_or_default(),
        problem: None,
        taken_by: None,
    })?)
}

#[derive(FromForm)]
struct MoveForm {
    #[field(default = "")]
    license_key: String,
}

#[post("/licenses/<id>/move", data = "<form>")]
async fn move_license(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<MoveForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let (license_key, actor) = (form.form.license_key, form.actor);
    let key = license_key.clone();
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
            let message = format!(
                "{} license moved to {}. The old license is revoked.",
                moved.tool_name, moved.license_key
            );
            Either::Left(redirect_with_flash(
                config,
                &format!("/licenses/{}", moved.id),
                &message,
            ))
        }
        Err((license, taken_by, problem)) => Either::Right(Page::with_status(
            422,
            &MovePage {
                frame,
                license,
                license_key,
                problem: Some(problem),
                taken_by,
            },
        )?),
    })
}
