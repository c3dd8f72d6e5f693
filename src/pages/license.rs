//! The page of one license: its current result, actions and history.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::doubts::{Answers, Objection};
use super::flash::{Flashed, redirect_with_flash, redirect_with_undo};
use super::form::SignedInForm;
use super::frame::Frame;
use super::history::History;
use super::license_form::LicenseForm;
use super::mailto::mailto;
use super::reason::{Reason, ReasonForm};
use super::shown::{self, LicenseRow};
use super::{Page, query};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::activation_code::ActivationCode;
use crate::model::audit::Actor;
use crate::model::bulk::{Action, Term, UNDO_FOR};
use crate::model::check::Places;
use crate::model::license::{License, Status, Verdict};
use crate::model::machine_code::machine_code;
use crate::model::mail::MailEvent;
use crate::model::pasted_key::cleaned;
use crate::model::timeline::{About, Cursor};
use crate::model::{date, entitlements::Entitlements};
use crate::request::{App, Failure};
use crate::service::{DraftMail, LicenseWarnings};

pub(super) fn routes() -> Vec<Route> {
    routes![
        show,
        set_status,
        convert,
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
    /// That it has a seat of.
    code: Option<ActivationCode>,
    /// Its own, and those of its code.
    entitlements: Entitlements,
    history: History,
    places: Places,
    /// The license that this one was moved to.
    successor: Option<License>,
    moved_from: Vec<License>,
    warnings: LicenseWarnings,
    /// Mails to write by hand: labels and links.
    letters: Vec<(&'static str, String)>,
    reason: Reason,
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
    answers: Answers,
    objection: Objection,
}

#[derive(Template)]
#[template(path = "license_delete.html")]
struct DeletePage {
    frame: Frame,
    license: License,
    reason: Reason,
}

#[derive(FromForm)]
struct StatusForm {
    #[field(default = "")]
    status: String,
    #[field(default = "")]
    reason: String,
}

/// `before` is a [`Cursor`] of the history.
#[get("/licenses/<id>?<before>")]
async fn show(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    before: Option<&str>,
) -> Result<Page, Failure> {
    let before = before.and_then(Cursor::parse);
    Ok(Page::new(&load(app, frame, id, before).await?)?)
}

async fn load(
    app: &App,
    frame: Frame,
    id: i64,
    before: Option<Cursor>,
) -> Result<LicensePage, Error> {
    let (listed, (code, entitlements), history, places, (successor, moved_from), warnings, mails) =
        app.run(move |service| {
            let listed = service.listed(id)?;
            let relatives = service.relatives(&listed.license)?;
            let warnings = service.warnings(&listed.license)?;
            let code = service.code_of(&listed.license)?;
            let mut entitlements = listed.license.entitlements.clone();
            if let Some(code) = &code {
                entitlements = entitlements.or(code.values.entitlements.clone());
            }
            let history = service.timeline(&About::License(id), before)?;
            let mails = service.license_mails(&listed.license, relatives.1.last())?;
            Ok((
                listed,
                (code, entitlements),
                history,
                service.places(id)?,
                relatives,
                warnings,
                mails,
            ))
        })
        .await?;
    let path = format!("/licenses/{id}");
    let history = History::new(app, &frame, path, before, history).of_license(id);
    Ok(LicensePage {
        frame,
        row: LicenseRow::new(listed, app, app.now()),
        code,
        entitlements,
        history,
        places,
        successor,
        moved_from,
        warnings,
        letters: mails.iter().filter_map(letter).collect(),
        reason: Reason::default(),
        offset: app.utc_offset(),
    })
}

fn letter(mail: &DraftMail) -> Option<(&'static str, String)> {
    let label = match mail.event {
        MailEvent::Moved => "Write about the move",
        _ => "Write a reminder",
    };
    let link = mailto(&mail.recipient, &mail.text.subject, &mail.text.body)?;
    Some((label, link))
}

#[post("/licenses/<id>/status", data = "<form>")]
async fn set_status(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<StatusForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let status = Status::parse(&form.status).map_err(Error::from)?;
    let actor = match actor.because(&form.reason) {
        Ok(actor) => actor,
        Err(problem) => {
            let page = LicensePage {
                reason: Reason::refused(form.reason, problem),
                ..load(app, frame, id, None).await?
            };
            return Ok(Either::Right(Page::with_status(422, &page)?));
        }
    };
    let action = Action::SetStatus(status);
    let done = act(app, config, actor, id, action, status.as_str()).await?;
    Ok(Either::Left(done))
}

#[derive(FromForm)]
struct ConvertForm {
    /// From today; empty for a perpetual license.
    #[field(default = "")]
    term: String,
}

#[post("/licenses/<id>/convert", data = "<form>")]
async fn convert(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<ConvertForm>,
) -> Result<Flashed, Failure> {
    let term = match &*form.form.term {
        "" => None,
        term => Some(Term::parse(term).map_err(Error::from)?),
    };
    let done = "is no longer a trial";
    act(app, config, form.actor, id, Action::Convert(term), done).await
}

/// `done` ends the sentence about the license.
async fn act(
    app: &App,
    config: &Config,
    actor: Actor,
    id: i64,
    action: Action,
    done: &str,
) -> Result<Flashed, Failure> {
    let path = format!("/licenses/{id}");
    let acted = app
        .run(move |service| service.act_on(&actor, id, &action))
        .await;
    Ok(match acted {
        Ok((license, bulk)) => {
            let message = format!(
                "{} license for {} {done}.",
                license.tool_name, license.license_key
            );
            redirect_with_undo(config, &path, &message, bulk)
        }
        Err(error @ Error::Invalid(_)) => redirect_with_flash(config, &path, &error.to_string()),
        Err(error) => return Err(error.into()),
    })
}

#[get("/licenses/<id>/delete")]
async fn confirm_delete(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let license = app.run(move |service| service.license(id)).await?;
    let reason = Reason::default();
    Ok(Page::new(&DeletePage {
        frame,
        license,
        reason,
    })?)
}

#[post("/licenses/<id>/delete", data = "<form>")]
async fn delete(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ReasonForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let actor = match actor.because(&form.reason) {
        Ok(actor) => actor,
        Err(problem) => {
            let page = DeletePage {
                frame,
                license: app.run(move |service| service.license(id)).await?,
                reason: Reason::refused(form.reason, problem),
            };
            return Ok(Either::Right(Page::with_status(422, &page)?));
        }
    };
    let (license, bulk) = app
        .run(move |service| service.act_on(&actor, id, &Action::Delete))
        .await?;
    let message = format!(
        "{} license for {} deleted.",
        license.tool_name, license.license_key
    );
    let flashed = redirect_with_undo(config, "/licenses", &message, bulk);
    Ok(Either::Left(flashed))
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
        answers: Answers::default(),
        objection: Objection::default(),
    })?)
}

#[post("/licenses/<id>/move", data = "<form>")]
async fn move_license(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<LicenseForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let LicenseForm { draft, answers, .. } = form;
    let license_key = draft.get("license_key").to_owned();
    let key = cleaned(&license_key);
    let (moved, answers) = app
        .run(move |service| {
            let license = service.license(id)?;
            let doubt = service.key_doubt(&license.tool_name, &key)?;
            let mut objection = Objection {
                doubts: answers.open(doubt.into_iter().collect()),
                ..Objection::default()
            };
            if objection.doubts.is_empty() {
                match service.move_license(&actor, id, &key) {
                    Ok(moved) => return Ok((Ok(moved), answers)),
                    Err(error @ (Error::Invalid(_) | Error::Duplicate)) => {
                        if let Error::Duplicate = error {
                            objection.taken_by = service.license_of(&license.tool_name, &key)?;
                        }
                        objection.problems.push(Problem {
                            field: "license_key",
                            message: error.to_string(),
                        });
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok((Err((license, objection)), answers))
        })
        .await?;
    Ok(match moved {
        Ok((moved, bulk)) => {
            let message = format!(
                "{} license moved to {}. The old license is revoked.",
                moved.tool_name, moved.license_key
            );
            let path = format!("/licenses/{}", moved.id);
            Either::Left(redirect_with_undo(config, &path, &message, bulk))
        }
        Err((license, objection)) => Either::Right(Page::with_status(
            422,
            &MovePage {
                frame,
                license,
                license_key,
                answers,
                objection,
            },
        )?),
    })
}
