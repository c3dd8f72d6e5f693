//! Changing many licenses: choose, look at what would become of each, confirm, undo.

use askama::Template;
use rocket::form::Form;
use rocket::http::RawStr;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::{OffsetDateTime, UtcOffset};

use super::flash::{Flashed, redirect_with_flash, redirect_with_undo};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::shown;
use super::wanted::{Choice, Wanted};
use super::{Page, query, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::bulk::{Action, Done, Outcome, Selection, Start, Term, UNDO_FOR};
use crate::model::license::{License, Status};
use crate::model::new_license::{NewLicense, format_date, read_date};
use crate::model::search::Count;
use crate::request::{App, Failure};
use crate::service::Plan;

const PER_PAGE: usize = 100;

const UNITS: [Choice; 3] = [("d", "days"), ("m", "months"), ("y", "years")];

pub(super) fn routes() -> Vec<Route> {
    routes![look, change, done, undo, renew]
}

/// Which licenses, and what shall be done; the whole state of the page stands in its address.
#[derive(FromForm, Default)]
struct Selected {
    id: Vec<i64>,
    /// `all` for what the filter finds, otherwise those of `id`.
    #[field(default = "")]
    of: String,
    /// The query of the table.
    #[field(default = "")]
    filter: String,
    #[field(default = "", name = "do")]
    what: String,
    /// A term on a button.
    #[field(default = "")]
    quick: String,
    #[field(default = "3")]
    number: String,
    #[field(default = "m")]
    unit: String,
    #[field(default = "")]
    day: String,
    #[field(default = "")]
    customer: String,
    #[field(default = 0)]
    page: usize,
}

/// One thing that could be done.
struct Preview {
    action: Action,
    /// For the button that does it.
    start: &'static str,
    /// Over the column that shows what would become of each license.
    head: &'static str,
    changed: usize,
    /// How many of them would end earlier than now.
    shortened: usize,
}

/// A license before and after.
struct Row {
    license: License,
    now: String,
    /// By each preview; none where it stays.
    then: Vec<Option<Then>>,
}

/// What would become of a license.
struct Then {
    words: String,
    is_earlier: bool,
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    frame: Frame,
    selected: Selected,
    plan: Plan,
    problem: Option<String>,
    /// They have changed since they were looked at.
    is_stale: bool,
    title: String,
    previews: Vec<Preview>,
    rows: Vec<Row>,
    first: i64,
    last: i64,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "bulk_done.html")]
struct DonePage {
    frame: Frame,
    done: Done,
    can_be_undone: bool,
    undo_until: OffsetDateTime,
    offset: UtcOffset,
}

#[get("/bulk?<selected..>")]
async fn look(
    app: &App,
    _session: Session,
    frame: Frame,
    selected: Selected,
) -> Result<Page, Failure> {
    Ok(BulkPage::of(app, frame, selected, false).await?)
}

#[derive(FromForm)]
struct Confirmed {
    #[field(default = "")]
    query: String,
    #[field(default = "")]
    fingerprint: String,
    #[field(default = "")]
    start: String,
}

#[post("/bulk", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<Confirmed>,
) -> Result<Either<rocket::response::Redirect, Page>, Failure> {
    let Confirmed {
        query,
        fingerprint,
        start,
    } = form.form;
    let actor = form.actor;
    let selected: Selected = Form::parse_encoded(RawStr::new(&query)).unwrap_or_default();
    let action = match selected.actions() {
        Ok(actions) => actions
            .into_iter()
            .find(|(_, word, _)| *word == start)
            .map(|(action, ..)| action),
        Err(problem) => return Err(problem.into()),
    };
    let action = action.ok_or_else(|| {
        Error::invalid(
            "do",
            "The form does not say what shall be done; look at the licenses again.",
        )
    })?;
    let selection = selected.selection(app.today())?;
    let done = app
        .run(move |service| service.change_many(&actor, &selection, &action, &fingerprint))
        .await?;
    Ok(match done {
        Some(id) => Either::Left(to(config, &format!("/bulk/{id}"))),
        None => Either::Right(BulkPage::of(app, frame, selected, true).await?),
    })
}

#[get("/bulk/<id>")]
async fn done(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let done = app.run(move |service| service.done(id)).await?;
    Ok(Page::new(&DonePage {
        frame,
        can_be_undone: done.can_be_undone(app.now()),
        undo_until: done.at + UNDO_FOR,
        done,
        offset: app.utc_offset(),
    })?)
}

#[post("/bulk/<id>/undo", data = "<form>")]
async fn undo(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<rocket::response::Redirect, Failure> {
    app.run(move |service| service.undo(&form.actor, id))
        .await?;
    Ok(to(config, &format!("/bulk/{id}")))
}

#[derive(FromForm)]
struct Renewed {
    /// The license's number and its last day, as the page had them.
    id: String,
    /// The query of the table, `license` or `overview`.
    #[field(default = "")]
    back: String,
}

#[post("/renew", data = "<form>")]
async fn renew(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<Renewed>,
) -> Result<Flashed, Failure> {
    let (Renewed { id, back }, actor) = (form.form, form.actor);
    let (id, seen) = id.split_once('_').unwrap_or((&id, ""));
    let (id, seen) = (id.parse().unwrap_or(0), read_date(seen));
    let (license, bulk) = app
        .run(move |service| service.renew(&actor, id, seen))
        .await?;
    let back = match &*back {
        "overview" => "/".to_owned(),
        query if query.starts_with('?') && query.bytes().all(|b| b.is_ascii_graphic()) => {
            format!("/licenses{query}")
        }
        _ => format!("/licenses/{id}"),
    };
    let (key, tool) = (&license.license_key, &license.tool_name);
    Ok(match (license.expiration_date, bulk) {
        (Some(day), Some(bulk)) => {
            let line = format!(
                "License of {tool} for {key} extended until {}.",
                format_date(day)
            );
            redirect_with_undo(config, &back, &line, bulk)
        }
        (Some(day), None) => {
            let day = format_date(day);
            let line = format!(
                "License of {tool} for {key} ends on {day} already, not when you saw it; it stays as it is."
            );
            redirect_with_flash(config, &back, &line)
        }
        (None, _) => redirect_with_flash(
            config,
            &back,
            &format!("License of {tool} for {key} has no end; it stays as it is."),
        ),
    })
}

impl Selected {
    fn selection(&self, today: time::Date) -> Result<Selection, Problem> {
        if self.of == "all" {
            let filter = Wanted::parse(&self.filter)?.filter(today)?;
            Ok(Selection::Found(Box::new(filter)))
        } else {
            Ok(Selection::Ids(self.id.clone()))
        }
    }

    /// What shall be done, with the word for its button and the head of its column: one thing, or a
    /// term counted from two days; nothing as long as nothing was chosen.
    fn actions(&self) -> Result<Vec<(Action, &'static str, &'static str)>, Problem> {
        let term = match &*self.what {
            _ if !self.quick.is_empty() => Some(Term::parse(&self.quick)?),
            "extend" => Some(Term::parse(&format!(
                "{}{}",
                self.number.trim(),
                self.unit
            ))?),
            _ => None,
        };
        if let Some(term) = term {
            return Ok(vec![
                (
                    Action::Extend(term, Start::End),
                    "end",
                    "From the present end",
                ),
                (Action::Extend(term, Start::Today), "today", "From today"),
            ]);
        }
        let one = |action| Ok(vec![(action, "one", "Then")]);
        match &*self.what {
            "" => Ok(vec![]),
            "delete" => one(Action::Delete),
            "customer" => one(Action::set_customer(&self.customer)?),
            "end" => match read_date(self.day.trim()) {
                Some(day) => one(Action::Extend(Term::To(day), Start::End)),
                None => Err(Problem {
                    field: "day",
                    message: match self.day.trim() {
                        "" => "No day is given; choose the one on which they shall end.".to_owned(),
                        day => format!(
                            "`{day}` is no day; write it as YYYY-MM-DD, such as 2026-12-31."
                        ),
                    },
                }),
            },
            status => one(Action::SetStatus(Status::parse(status)?)),
        }
    }

    fn query(&self) -> String {
        self.at(self.page)
    }

    fn at(&self, page: usize) -> String {
        let ids: Vec<String> = self.id.iter().map(i64::to_string).collect();
        let mut given: Vec<(&str, &str)> = ids.iter().map(|id| ("id", id.as_str())).collect();
        let page = page.to_string();
        given.extend([
            ("of", &*self.of),
            ("filter", &self.filter),
            ("do", &self.what),
            ("quick", &self.quick),
            ("number", &self.number),
            ("unit", &self.unit),
            ("day", &self.day),
            ("customer", &self.customer),
            ("page", &page),
        ]);
        query(&given).trim_start_matches('?').to_owned()
    }
}

impl BulkPage {
    async fn of(
        app: &App,
        frame: Frame,
        selected: Selected,
        is_stale: bool,
    ) -> Result<Page, Error> {
        let selection = selected.selection(app.today())?;
        let plan = app.run(move |service| service.plan(&selection)).await?;
        let (actions, problem) = match selected.actions() {
            Ok(actions) => (actions, None),
            Err(problem) => (vec![], Some(problem.message)),
        };
        let title = match &actions[..] {
            [] => String::new(),
            [(action, ..)] => action.in_words(),
            [(Action::Extend(term, _), ..), ..] => format!("Extend by {}", term.in_words()),
            [(action, ..), ..] => action.in_words(),
        };
        let all = || plan.licenses.iter();
        let changed = |action: &Action| all().filter(|l| action.changes(l, plan.today)).count();
        let shortened = |action: &Action| all().filter(|l| action.shortens(l, plan.today)).count();
        let previews: Vec<Preview> = actions
            .into_iter()
            .map(|(action, start, head)| Preview {
                changed: changed(&action),
                shortened: shortened(&action),
                action,
                start,
                head,
            })
            .collect();
        let first = selected
            .page
            .saturating_mul(PER_PAGE)
            .min(plan.licenses.len());
        let last = (first + PER_PAGE).min(plan.licenses.len());
        let on_page = plan.licenses.get(first..last).unwrap_or_default();
        let rows = on_page.iter().map(|license| row(license, &previews, &plan));
        let page = BulkPage {
            rows: rows.collect(),
            first: first as i64 + 1,
            last: last as i64,
            previous: (first > 0).then(|| format!("?{}", selected.at(selected.page - 1))),
            next: (last < plan.licenses.len())
                .then(|| format!("?{}", selected.at(selected.page + 1))),
            frame,
            selected,
            problem,
            is_stale,
            title,
            previews,
            plan,
        };
        let status = match (is_stale, &page.problem) {
            (true, _) => 409,
            (false, Some(_)) => 422,
            (false, None) => 200,
        };
        Page::with_status(status, &page)
    }

    fn all(&self) -> String {
        shown::licenses(Count::Exactly(self.plan.licenses.len() as i64))
    }

    /// The selection in words.
    fn which(&self) -> String {
        if self.selected.of == "all" {
            Wanted::parse(&self.selected.filter).map_or(String::new(), |wanted| wanted.in_words())
        } else {
            String::new()
        }
    }

    fn summary(&self) -> String {
        let all = self.plan.licenses.len();
        let least = self.previews.iter().map(|preview| preview.changed).min();
        match all - least.unwrap_or(all) {
            0 => format!(
                "{} will be changed.",
                shown::licenses(Count::Exactly(all as i64))
            ),
            stay if self.previews.len() == 1 => format!(
                "{} will be changed; {} so already.",
                shown::licenses(Count::Exactly((all - stay) as i64)),
                if stay == 1 {
                    "1 is".to_owned()
                } else {
                    format!("{stay} are")
                }
            ),
            _ => "Licenses without end, and those that would end on the same day, stay.".to_owned(),
        }
    }
}

impl Preview {
    fn is_deletion(&self) -> bool {
        self.action == Action::Delete
    }

    fn warning(&self) -> Option<String> {
        let number = shown::licenses(Count::Exactly(self.shortened as i64));
        let words = || format!("{}: {number} would end earlier than now.", self.button());
        (self.shortened > 0).then(words)
    }

    fn button(&self) -> String {
        let number = shown::licenses(Count::Exactly(self.changed as i64));
        match &self.action {
            Action::Delete => format!("Delete {number}"),
            Action::SetStatus(Status::Activated) => format!("Activate {number}"),
            Action::SetStatus(Status::Suspended) => format!("Suspend {number}"),
            Action::SetStatus(Status::Revoked) => format!("Revoke {number}"),
            Action::SetCustomer(_) => format!("Change the customer of {number}"),
            Action::Extend(Term::To(day), _) => {
                format!("Let {number} end on {}", format_date(*day))
            }
            Action::Extend(_, Start::End | Start::Later) => {
                format!("Extend {number} from the present end")
            }
            Action::Extend(_, Start::Today) => format!("Extend {number} from today"),
        }
    }
}

fn row(license: &License, previews: &[Preview], plan: &Plan) -> Row {
    let before = NewLicense::from(license);
    let shown_by = |new: &NewLicense| match previews.first().map(|preview| &preview.action) {
        Some(Action::Extend(..)) => match new.expiration_date {
            Some(day) => format_date(day),
            None => "without end".to_owned(),
        },
        Some(Action::SetCustomer(_)) => new.user_id.clone().unwrap_or("none".to_owned()),
        Some(Action::SetStatus(_) | Action::Delete) | None => new.status.to_string(),
    };
    let then = previews
        .iter()
        .map(|preview| match preview.action.on(license, plan.today) {
            Outcome::Same => None,
            Outcome::Deleted => Some("deleted".to_owned()),
            Outcome::Changed(new) => Some(shown_by(&new)),
        })
        .zip(previews)
        .map(|(words, preview)| {
            let is_earlier = preview.action.shortens(license, plan.today);
            words.map(|words| Then { words, is_earlier })
        });
    Row {
        now: shown_by(&before),
        then: then.collect(),
        license: license.clone(),
    }
}
