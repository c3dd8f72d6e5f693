//! The list of customers, and the forms that change, merge, export and erase one.

use askama::Template;
use rocket::http::ContentType;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::UtcOffset;

use super::download::Download;
use super::flash::{Flashed, redirect_with_customer_undo, redirect_with_flash};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::opened::{carried, rebase};
use super::{Page, query, shown, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::customer::{Customer, CustomerDraft};
use crate::model::search::{Count, check_length};
use crate::request::{App, Failure};
use crate::service::CustomerLine;

const PER_PAGE: usize = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![
        list, named, edit, change, undo, merge_form, merge, export, erase_form, erase
    ]
}

#[derive(Template)]
#[template(path = "customers.html")]
struct ListPage {
    frame: Frame,
    q: String,
    is_first: bool,
    total: i64,
    rows: Vec<CustomerLine>,
    /// The URL query of the next page.
    next: Option<String>,
    offset: UtcOffset,
}

#[get("/customers?<q>&<after>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    q: Option<String>,
    after: Option<String>,
) -> Result<Page, Failure> {
    let (q, after) = (q.unwrap_or_default(), after.unwrap_or_default());
    for (field, text) in [("q", &q), ("after", &after)] {
        check_length(field, text).map_err(Error::from)?;
    }
    let (text, from) = (q.clone(), after.clone());
    let (total, mut rows) = app
        .run_search(move |service| {
            let rows = service.customer_lines(&text, &from, PER_PAGE + 1)?;
            Ok((service.customer_count()?, rows))
        })
        .await?;
    let has_next = rows.len() > PER_PAGE;
    rows.truncate(PER_PAGE);
    let last = rows.last().filter(|_| has_next);
    Ok(Page::new(&ListPage {
        next: last.map(|row| query(&[("q", &q), ("after", &row.customer.name)])),
        is_first: after.is_empty(),
        frame,
        q,
        total,
        rows,
        offset: app.utc_offset(),
    })?)
}

/// Where licenses link to, which have a name.
#[get("/customer?<name>")]
async fn named(
    app: &App,
    config: &State<Config>,
    _session: Session,
    name: String,
) -> Result<Redirect, Failure> {
    let id = app.run(move |service| service.customer_id(&name)).await?;
    Ok(to(config, &format!("/customers/{id}")))
}

#[derive(Template)]
#[template(path = "customer_form.html")]
struct FormPage {
    frame: Frame,
    line: CustomerLine,
    draft: CustomerDraft,
    problems: Vec<Problem>,
}

impl FormPage {
    fn was(&self) -> String {
        carried(CustomerDraft::from(&self.line.customer).fields())
    }

    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }
}

#[get("/customers/<id>/edit")]
async fn edit(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let line = app.run(move |service| service.customer_line(id)).await?;
    Ok(Page::new(&FormPage {
        frame,
        draft: CustomerDraft::from(&line.customer),
        line,
        problems: vec![],
    })?)
}

#[derive(FromForm)]
struct CustomerForm {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    email: String,
    #[field(default = "")]
    language: String,
    #[field(default = "")]
    note: String,
    /// See [`opened`](super::opened).
    #[field(default = "")]
    was: String,
}

#[post("/customers/<id>/edit", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<CustomerForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let mut draft = CustomerDraft {
        name: form.name,
        email: form.email,
        language: form.language,
        note: form.note,
    };
    let was = form.was;
    let (saved, line, draft) = app
        .run(move |service| {
            let mut current = CustomerDraft::from(&service.customer_line(id)?.customer);
            let conflicts = rebase(&was, draft.fields(), current.fields());
            let saved = match conflicts.is_empty() {
                false => Err((409, conflicts)),
                true => match service.change_customer(&actor, id, &draft) {
                    Err(Error::Invalid(problems)) => Err((422, problems)),
                    other => Ok(other?),
                },
            };
            Ok((saved, service.customer_line(id)?, draft))
        })
        .await?;
    Ok(match saved {
        Ok(change) => {
            let message = format!("{} saved.", line.customer.name);
            Either::Left(match change {
                Some(entry) => redirect_with_customer_undo(config, id, &message, entry),
                None => redirect_with_flash(config, &format!("/customers/{id}"), &message),
            })
        }
        Err((status, problems)) => Either::Right(Page::with_status(
            status,
            &FormPage {
                frame,
                line,
                draft,
                problems,
            },
        )?),
    })
}

/// `id` is that of the entry in the audit log.
#[post("/customers/changes/<id>/undo", data = "<form>")]
async fn undo(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Flashed, Failure> {
    let customer = app
        .run(move |service| service.undo_customer_change(&form.actor, id))
        .await?;
    let path = format!("/customers/{customer}");
    let message = "Undone: the customer is as before.";
    Ok(redirect_with_flash(config, &path, message))
}

#[derive(Template)]
#[template(path = "customer_merge.html")]
struct MergePage {
    frame: Frame,
    kept: Customer,
    names: Vec<String>,
    typed: String,
    problem: Option<String>,
    /// The one that goes, and what the kept one is then.
    preview: Option<(CustomerLine, Customer)>,
}

/// `with` is a name, an address, or empty.
#[get("/customers/<id>/merge?<with>")]
async fn merge_form(
    app: &App,
    _session: Session,
    frame: Frame,
    id: i64,
    with: Option<String>,
) -> Result<Page, Failure> {
    let typed = with.unwrap_or_default();
    check_length("with", &typed).map_err(Error::from)?;
    let wanted = typed.clone();
    let (kept, names, other) = app
        .run(move |service| {
            let kept = service.customer_line(id)?.customer;
            let other = service.customer_called(&wanted)?;
            Ok((kept, service.customer_names()?, other))
        })
        .await?;
    let problem = match &other {
        _ if typed.is_empty() => None,
        None => Some(format!(
            "There is no customer with the name or address `{typed}`."
        )),
        Some(other) if other.customer.id == id => Some("This is the same customer.".to_owned()),
        Some(_) => None,
    };
    let preview = other.filter(|_| problem.is_none());
    let status = if problem.is_some() { 422 } else { 200 };
    let page = MergePage {
        preview: preview.map(|other| {
            let after = kept.merged(&other.customer);
            (other, after)
        }),
        frame,
        kept,
        names,
        typed,
        problem,
    };
    Ok(Page::with_status(status, &page)?)
}

#[derive(FromForm)]
struct MergeForm {
    other: i64,
}

#[post("/customers/<id>/merge", data = "<form>")]
async fn merge(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<MergeForm>,
) -> Result<Flashed, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let gone = app
        .run(move |service| {
            let gone = service.customer_line(form.other)?.customer.name;
            service.merge_customers(&actor, id, form.other)?;
            Ok(gone)
        })
        .await?;
    let path = format!("/customers/{id}");
    Ok(redirect_with_flash(
        config,
        &path,
        &format!("{gone} merged into this customer."),
    ))
}

#[post("/customers/<id>/export", data = "<form>")]
async fn export(app: &App, id: i64, form: SignedInForm<CsrfOnly>) -> Result<Download, Failure> {
    let actor = form.actor;
    let json = app
        .run(move |service| service.export_customer(&actor, id))
        .await?;
    let name = format!("customer-{id}.json");
    Ok(Download::new(&name, ContentType::JSON, json))
}

#[derive(Template)]
#[template(path = "customer_erase.html")]
struct ErasePage {
    frame: Frame,
    line: CustomerLine,
    typed: String,
    problem: Option<String>,
}

#[get("/customers/<id>/erase")]
async fn erase_form(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let line = app.run(move |service| service.customer_line(id)).await?;
    Ok(Page::new(&ErasePage {
        frame,
        line,
        typed: String::new(),
        problem: None,
    })?)
}

#[derive(FromForm)]
struct EraseForm {
    #[field(default = "")]
    name: String,
}

#[post("/customers/<id>/erase", data = "<form>")]
async fn erase(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    id: i64,
    form: SignedInForm<EraseForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let typed = form.name.clone();
    let erased = app
        .run(
            move |service| match service.erase_customer(&actor, id, &typed) {
                Err(Error::Invalid(problems)) => Ok(Err((problems, service.customer_line(id)?))),
                other => other.map(Ok),
            },
        )
        .await?;
    Ok(match erased {
        Ok(_) => Either::Left(redirect_with_flash(
            config,
            "/customers",
            "The customer was erased.",
        )),
        Err((problems, line)) => {
            let page = ErasePage {
                frame,
                line,
                typed: form.name,
                problem: problems.into_iter().next().map(|problem| problem.message),
            };
            Either::Right(Page::with_status(422, &page)?)
        }
    })
}
