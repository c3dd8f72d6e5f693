//! The page of one activation code: its machines, actions and history.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::Page;
use super::flash::{Flashed, redirect_with_code_undo, redirect_with_flash, redirect_with_undo};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::history::History;
use super::mailto::mailto;
use super::reason::Reason;
use super::shown::{self, CodeRow, LicenseRow};
use crate::auth::Session;
use crate::config::Config;
use crate::error::Error;
use crate::model::activation_code::{CodeTerm, CodeValues, MAX_DAYS};
use crate::model::bulk::Term;
use crate::model::doubt::Doubt;
use crate::model::license::Status;
use crate::model::pasted_key::cleaned;
use crate::model::timeline::{self, About, Cursor, Happened};
use crate::request::{App, Failure};
use crate::service::{CodeUse, Service};

pub(super) fn routes() -> Vec<Route> {
    routes![show, change, undo, add_machine, free, send]
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodePage {
    frame: Frame,
    row: CodeRow,
    machines: Vec<LicenseRow>,
    /// Of the customer; empty for none.
    email: String,
    /// The order that it was made for.
    order_id: Option<i64>,
    /// Whether the server sends mails itself.
    is_mailed: bool,
    mailto: Option<String>,
    moves: i64,
    moves_left: i64,
    history: History,
    offset: UtcOffset,
    /// A machine ID that could not be added, and why.
    license_key: String,
    problem: Option<String>,
    /// About the machine ID.
    doubted: Option<Doubt>,
    reason: Reason,
}

impl CodePage {
    /// Whether a term can be extended.
    fn is_limited(&self) -> bool {
        self.row.listed.code.values.term != CodeTerm::Perpetual
    }

    /// Whether it has machines that are not on the page.
    fn has_more(&self) -> bool {
        (self.machines.len() as i64) < self.row.listed.seats_used
    }

    fn used_on(&self) -> Option<String> {
        let first = self.row.listed.code.first_used_at?;
        Some(shown::moment(&first, &self.offset))
    }
}

fn page(
    app: &App,
    frame: Frame,
    before: Option<Cursor>,
    (found, history): (CodeUse, timeline::Page<Happened>),
) -> CodePage {
    let (now, offset) = (app.now(), app.utc_offset());
    let email = found.customer.map(|customer| customer.email);
    let email = email.unwrap_or_default();
    let code = &found.listed.code;
    let path = format!("/codes/{}", code.id);
    let history = History::new(app, &frame, path, before, history);
    let machines = found.machines.into_iter();
    CodePage {
        frame,
        is_mailed: app.sends_mail(),
        mailto: found
            .mail
            .and_then(|mail| mailto(&mail.recipient, &mail.text.subject, &mail.text.body)),
        order_id: found.order_id,
        moves: found.moves,
        moves_left: code.moves_left(found.moves),
        email,
        machines: machines
            .map(|listed| LicenseRow::new(listed, app, now))
            .collect(),
        history,
        offset,
        row: CodeRow::new(found.listed, now, offset),
        license_key: String::new(),
        problem: None,
        doubted: None,
        reason: Reason::default(),
    }
}

/// `before` is a [`Cursor`] of the history.
#[get("/codes/<id>?<before>")]
async fn show(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    before: Option<&str>,
) -> Result<Page, Failure> {
    let before = before.and_then(Cursor::parse);
    let found = app.run(move |service| found(service, id, before)).await?;
    Ok(Page::new(&page(app, frame, before, found))?)
}

fn found(
    service: &Service,
    id: i64,
    before: Option<Cursor>,
) -> Result<(CodeUse, timeline::Page<Happened>), Error> {
    let history = service.timeline(&About::Code(id), before)?;
    Ok((service.code_use(id)?, history))
}

/// Each button sends one of them.
#[derive(FromForm)]
struct ChangeForm {
    #[field(default = "")]
    status: String,
    /// The term that is added.
    #[field(default = "")]
    extend: String,
    #[field(default = "")]
    reason: String,
}

#[post("/codes/<id>/change", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ChangeForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm {
        form: ChangeForm {
            status,
            extend,
            reason,
        },
        actor,
        ..
    } = form;
    let actor = match actor.because(&reason) {
        Ok(actor) => actor,
        Err(problem) => {
            let found = app.run(move |service| found(service, id, None)).await?;
            let page = CodePage {
                reason: Reason::refused(reason, problem),
                ..page(app, frame, None, found)
            };
            return Ok(Either::Right(Page::with_status(422, &page)?));
        }
    };
    let today = app.today();
    let path = format!("/codes/{id}");
    if !extend.is_empty() {
        let term = Term::parse(&extend).map_err(Error::from)?;
        let change = app
            .run(move |service| {
                service.change_code(&actor, id, |values: &mut CodeValues| {
                    values.term = match values.term {
                        CodeTerm::Perpetual => CodeTerm::Perpetual,
                        CodeTerm::Until(last) => CodeTerm::Until(term.after(last.max(today))),
                        CodeTerm::Days(days) => {
                            let added = (term.after(today) - today).whole_days();
                            CodeTerm::Days((days + added).min(MAX_DAYS))
                        }
                    }
                })
            })
            .await?;
        let message = format!("Activation code extended by {}.", term.in_words());
        return Ok(Either::Left(changed(config, &path, &message, change)));
    }
    let status = Status::parse(&status).map_err(Error::from)?;
    let change = app
        .run(move |service| service.change_code(&actor, id, |values| values.status = status))
        .await?;
    let message = format!("Activation code {status}.");
    Ok(Either::Left(changed(config, &path, &message, change)))
}

/// Back to the page of the code, with Undo if anything was changed.
pub(super) fn changed(config: &Config, path: &str, message: &str, change: Option<i64>) -> Flashed {
    match change {
        Some(change) => redirect_with_code_undo(config, path, message, change),
        None => redirect_with_flash(config, path, "Nothing was changed."),
    }
}

/// `id` is that of the change.
#[post("/codes/changes/<id>/undo", data = "<form>")]
async fn undo(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let code = app
        .run(move |service| service.undo_code_change(&form.actor, id))
        .await?;
    let path = format!("/codes/{}", code.id);
    Ok(redirect_with_flash(
        config,
        &path,
        "The change of the activation code was undone.",
    ))
}

#[derive(FromForm)]
struct MachineForm {
    #[field(default = "")]
    license_key: String,
    /// A machine ID that is wanted in spite of a doubt, or what was meant instead.
    #[field(default = "")]
    keep: String,
    #[field(name = "use", default = "")]
    meant: String,
    #[field(default = 0)]
    license_id: i64,
}

#[post("/codes/<id>/machines", data = "<form>")]
async fn add_machine(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<MachineForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let typed = match form.meant.is_empty() {
        true => form.license_key,
        false => form.meant,
    };
    let (key, keep) = (cleaned(&typed), form.keep);
    let added = app
        .run(move |service| {
            let tool_name = service.activation_code(id)?.tool_name;
            let doubt = service.key_doubt(&tool_name, &key)?;
            let doubted = doubt.filter(|doubt| doubt.typed != keep);
            let added = match &doubted {
                Some(doubt) => Err(Error::invalid("license_key", doubt.message.clone())),
                None => service.add_machines(&actor, id, &[(tool_name, key)]),
            };
            match added {
                Ok(added) => Ok(Ok(added)),
                Err(error @ (Error::Refused(_) | Error::Invalid(_))) => {
                    Ok(Err((error, doubted, found(service, id, None)?)))
                }
                Err(error) => Err(error),
            }
        })
        .await?;
    Ok(match added {
        Ok(added) => {
            let added: Vec<&str> = added.iter().map(|license| &*license.license_key).collect();
            let message = format!("{} has a seat now.", added.concat());
            let path = format!("/codes/{id}");
            Either::Left(redirect_with_flash(config, &path, &message))
        }
        Err((error, doubted, found)) => {
            let page = CodePage {
                license_key: typed,
                problem: Some(error.to_string()),
                doubted,
                ..page(app, frame, None, found)
            };
            Either::Right(Page::with_status(error.status(), &page)?)
        }
    })
}

#[post("/codes/<id>/free", data = "<form>")]
async fn free(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<MachineForm>,
) -> Result<Flashed, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let (license, bulk) = app
        .run(move |service| service.remove_machine(&actor, id, form.license_id))
        .await?;
    let message = format!(
        "The seat of {} is free. {} no longer runs there.",
        license.license_key, license.tool_name
    );
    Ok(redirect_with_undo(
        config,
        &format!("/codes/{id}"),
        &message,
        bulk,
    ))
}

#[post("/codes/<id>/mail", data = "<form>")]
async fn send(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    app.run(move |service| service.send_code(&form.actor, id))
        .await?;
    let path = format!("/codes/{id}");
    let message = "The code is on its way to the customer.";
    Ok(redirect_with_flash(config, &path, message))
}
