//! The page of one order: what was sold, its codes, what its shop reported, and what can be done.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::flash::{Flashed, redirect_with_flash, redirect_with_order_undo};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::history::History;
use super::reason::Reason;
use super::shown::{self, CodeRow};
use super::{Page, query};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::activation_code::CodeTerm;
use crate::model::license::Status;
use crate::model::order::{Changes, Extension, Order, OrderAction, order_ref};
use crate::model::search::SEARCH_LENGTH;
use crate::model::timeline::{self, About, Cursor, Happened};
use crate::request::{App, Failure};
use crate::service::{LISTED, OrderUse, Service};

/// Codes on the page.
const CODES: usize = 100;

/// Days that are suggested for an extension.
const YEAR: &str = "365";

pub(super) fn routes() -> Vec<Route> {
    routes![list, show, change, confirm_revoke, extend, undo]
}

#[derive(Template)]
#[template(path = "orders.html")]
struct OrdersPage {
    frame: Frame,
    reference: String,
    orders: Vec<(Order, String)>,
    offset: UtcOffset,
}

/// Those that have the reference, or the newest.
#[get("/orders?<reference>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    reference: Option<String>,
) -> Result<Page, Failure> {
    let reference = reference.unwrap_or_default();
    let sought = reference.clone();
    let orders = app
        .run_search(move |service| service.orders_called(&sought))
        .await?;
    Ok(Page::new(&OrdersPage {
        frame,
        reference,
        orders,
        offset: app.utc_offset(),
    })?)
}

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    found: OrderUse,
    /// Each with its item.
    codes: Vec<(i64, CodeRow)>,
    history: History,
    offset: UtcOffset,
    /// Of an extension.
    days: String,
    problem: Option<String>,
    reason: Reason,
}

impl OrderPage {
    /// Whether any of its codes has that status.
    fn has(&self, status: Status) -> bool {
        let mut codes = self.found.codes.iter();
        codes.any(|(_, listed)| listed.code.values.status == status)
    }

    /// The status that all its codes have.
    fn status(&self) -> Option<&'static str> {
        let mut all = self.found.codes.iter();
        let (_, first) = all.next()?;
        let status = first.code.values.status;
        let is_same = all.all(|(_, listed)| listed.code.values.status == status);
        is_same.then(|| status.as_str())
    }

    fn can_be_restored(&self) -> bool {
        self.found.order.is_taken_back
    }

    fn can_be_revoked(&self) -> bool {
        !self.found.order.is_taken_back
            || self.has(Status::Activated)
            || self.has(Status::Suspended)
    }

    fn can_be_extended(&self) -> bool {
        let mut codes = self.found.codes.iter();
        codes.any(|(_, listed)| listed.code.values.term != CodeTerm::Perpetual)
    }

    fn has_more(&self) -> bool {
        self.found.codes.len() > self.codes.len()
    }

    /// The URL query of the table of licenses or codes with the reference, as far as it fits into a search.
    fn table(&self) -> String {
        let reference = self.found.order.order_ref.chars().take(SEARCH_LENGTH);
        query(&[("q", &reference.collect::<String>())])
    }

    /// What its shop said about the money.
    fn money(&self) -> Option<&'static str> {
        let payment = &self.found.payment;
        match (payment.is_refunded, payment.is_disputed) {
            (true, true) => Some("refunded, and charged back"),
            (true, false) => Some("refunded"),
            (false, true) => Some("charged back"),
            (false, false) => None,
        }
    }

    /// The page of the order that an item renews or adds seats to.
    fn other(&self, reference: &str) -> Option<&i64> {
        self.found.others.get(reference)
    }
}

fn page(
    app: &App,
    frame: Frame,
    before: Option<Cursor>,
    (found, history): (OrderUse, timeline::Page<Happened>),
) -> OrderPage {
    let (now, offset) = (app.now(), app.utc_offset());
    let path = format!("/orders/{}", found.order.id);
    let history = History::new(app, &frame, path, before, history);
    let codes = found.codes.iter().take(CODES);
    let row = |(item, listed): &(i64, _)| (*item, CodeRow::new(Clone::clone(listed), now, offset));
    OrderPage {
        frame,
        codes: codes.map(row).collect(),
        history,
        offset,
        days: YEAR.to_owned(),
        problem: None,
        reason: Reason::default(),
        found,
    }
}

fn found(
    service: &Service,
    id: i64,
    before: Option<Cursor>,
) -> Result<(OrderUse, timeline::Page<Happened>), Error> {
    let history = service.timeline(&About::Order(id), before)?;
    Ok((service.order_use(id)?, history))
}

/// `before` is a [`Cursor`] of the history.
#[get("/orders/<id>?<before>")]
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

/// Each button sends its action.
#[derive(FromForm)]
struct ChangeForm {
    #[field(default = "")]
    action: String,
    #[field(default = "")]
    reason: String,
}

#[post("/orders/<id>/change", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ChangeForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let action = OrderAction::from_word(&form.action).ok_or_else(|| {
        let message = "Choose what to do with the order: suspend, resume, revoke or restore it.";
        Error::invalid("action", message)
    })?;
    let actor = match actor.because(&form.reason) {
        Ok(actor) => actor,
        Err(problem) => {
            let reason = Reason::refused(form.reason, problem);
            let (found, history) = app.run(move |service| found(service, id, None)).await?;
            let page = match action {
                OrderAction::Revoke => Page::with_status(
                    422,
                    &RevokePage {
                        frame,
                        found,
                        reason,
                    },
                ),
                OrderAction::Suspend | OrderAction::Resume | OrderAction::Restore => {
                    let page = OrderPage {
                        reason,
                        ..page(app, frame, None, (found, history))
                    };
                    Page::with_status(422, &page)
                }
            };
            return Ok(Either::Right(page?));
        }
    };
    let changes = app
        .run(move |service| service.act_on_order_with_id(&actor, id, action))
        .await?;
    let path = format!("/orders/{id}");
    let message = format!("{}.", action.done());
    Ok(Either::Left(match (action, changes) {
        (OrderAction::Suspend | OrderAction::Resume, Some(changes)) => {
            redirect_with_order_undo(config, id, &message, changes)
        }
        (OrderAction::Suspend | OrderAction::Resume, None) => {
            redirect_with_flash(config, &path, "Nothing was changed.")
        }
        // These end each other, with what they did to other orders.
        (OrderAction::Revoke, _) => {
            let message = "Order revoked. Restore it if that was wrong.";
            redirect_with_flash(config, &path, message)
        }
        (OrderAction::Restore, _) => redirect_with_flash(config, &path, &message),
    }))
}

#[derive(Template)]
#[template(path = "order_revoke.html")]
struct RevokePage {
    frame: Frame,
    found: OrderUse,
    reason: Reason,
}

#[get("/orders/<id>/revoke")]
async fn confirm_revoke(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
) -> Result<Page, Failure> {
    let found = app.run(move |service| service.order_use(id)).await?;
    let reason = Reason::default();
    Ok(Page::new(&RevokePage {
        frame,
        found,
        reason,
    })?)
}

#[derive(FromForm)]
struct ExtendForm {
    #[field(default = "")]
    days: String,
    #[field(default = "")]
    event_ref: String,
}

#[post("/orders/<id>/extend", data = "<form>")]
async fn extend(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<ExtendForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let typed = form.days.trim().to_owned();
    let sent = typed.clone();
    let extended = app
        .run(move |service| {
            let days = sent.parse().map_err(|_| Problem {
                field: "days",
                message: match &*sent {
                    "" => "Enter a number of days.".to_owned(),
                    _ => format!("The number of days is `{sent}`, which is not a number."),
                },
            })?;
            let extension = Extension::parse(Some(days), None)?;
            let event_ref = order_ref("event_ref", &form.event_ref)?;
            service.extend_order_with_id(&actor, id, extension, &event_ref)
        })
        .await;
    let path = format!("/orders/{id}");
    Ok(match extended {
        Ok(Some(changes)) => {
            let message = match &*typed {
                "1" => "Order extended by 1 day.".to_owned(),
                days => format!("Order extended by {days} days."),
            };
            Either::Left(redirect_with_order_undo(config, id, &message, changes))
        }
        Ok(None) => Either::Left(redirect_with_flash(config, &path, "Nothing was changed.")),
        Err(error @ Error::Invalid(_)) => {
            let found = app.run(move |service| found(service, id, None)).await?;
            let page = OrderPage {
                days: typed,
                problem: Some(error.to_string()),
                ..page(app, frame, None, found)
            };
            Either::Right(Page::with_status(422, &page)?)
        }
        Err(error) => return Err(error.into()),
    })
}

#[post("/orders/<id>/<changes>/undo", data = "<form>")]
async fn undo(
    app: &App,
    config: &State<Config>,
    id: i64,
    changes: &str,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let changes = Changes::parse(changes).ok_or(Error::NotFound("There is nothing to undo."))?;
    app.run(move |service| service.undo_order_changes(&form.actor, id, changes))
        .await?;
    let path = format!("/orders/{id}");
    Ok(redirect_with_flash(
        config,
        &path,
        "The change of the order’s codes was undone.",
    ))
}
