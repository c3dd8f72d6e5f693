//! Bulk changes: select licenses, preview, confirm, undo.

use askama::Template;
use rocket::form::Form;
use rocket::http::RawStr;
use rocket::response::Redirect;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::{Date, OffsetDateTime, UtcOffset};

use super::flash::{Flashed, redirect_with_flash, redirect_with_undo};
use super::form::{CsrfOnly, SignedInForm};
use super::frame::Frame;
use super::license_query::LicenseQuery;
use super::reason::Reason;
use super::shown;
use super::{Page, query, to};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::bulk::{Action, BulkChange, Selection, Start, State as Progress, Term, UNDO_FOR};
use crate::model::date;
use crate::model::doubt::{self, Doubt};
use crate::model::license::{Draft, License, Status, Values};
use crate::model::search::Count;
use crate::model::typed_date::required_day;
use crate::request::{App, Failure};
use crate::service::Plan;

const PER_PAGE: usize = 100;

/// Periods offered as buttons and in the list beside them.
const QUICK: [&str; 3] = ["1m", "6m", "1y"];
const TERMS: [&str; 9] = ["7d", "14d", "30d", "2m", "3m", "4m", "18m", "2y", "3y"];

pub(super) fn routes() -> Vec<Route> {
    routes![preview, change, done, undo, renew]
}

/// Which licenses, and what to do; the URL holds the whole state of the page.
#[derive(FromForm, Default)]
struct BulkQuery {
    id: Vec<i64>,
    /// `all` for everything that the filter finds, otherwise the licenses in `id`.
    #[field(default = "")]
    of: String,
    /// The URL query of the license table.
    #[field(default = "")]
    filter: String,
    /// `extend` by `term`, `expiration` on `day`, `set` the `field` to `value`, `convert` trials for `trial_term`,
    /// `delete`, a status, or a period.
    #[field(default = "", name = "do")]
    action: String,
    #[field(default = "")]
    term: String,
    #[field(default = "")]
    day: String,
    #[field(default = "")]
    field: String,
    #[field(default = "")]
    value: String,
    #[field(default = "")]
    trial_term: String,
    /// A date that is wanted in spite of a doubt.
    #[field(default = "")]
    keep: String,
    #[field(default = 0)]
    page: usize,
}

struct Preview {
    action: Action,
    /// The label of the button.
    start: &'static str,
    /// The heading of the column with the changes.
    heading: &'static str,
    changed: usize,
    /// Number of licenses that would expire earlier than they do now.
    shortened: usize,
}

/// With its word in the form, and the heading of its column.
type NamedAction = (Action, &'static str, &'static str);

struct PreviewRow {
    license: License,
    before: String,
    /// One per preview; none if the license does not change.
    after: Vec<Option<Change>>,
}

struct Change {
    words: String,
    is_earlier: bool,
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    frame: Frame,
    query: BulkQuery,
    plan: Plan,
    reason: Reason,
    problem: Option<String>,
    /// Asked before anything can be confirmed.
    doubt: Option<Doubt>,
    /// The licenses have changed since the preview.
    is_stale: bool,
    title: String,
    previews: Vec<Preview>,
    rows: Vec<PreviewRow>,
    first: i64,
    last: i64,
    previous: Option<String>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "bulk_done.html")]
struct DonePage {
    frame: Frame,
    change: BulkChange,
    can_be_undone: bool,
    undo_until: OffsetDateTime,
    offset: UtcOffset,
}

#[get("/bulk?<bulk..>")]
async fn preview(
    app: &App,
    _session: Session,
    frame: Frame,
    bulk: BulkQuery,
) -> Result<Page, Failure> {
    let reason = Reason::default();
    Ok(BulkPage::load(app, frame, bulk, reason, false).await?)
}

#[derive(FromForm)]
struct Confirmation {
    #[field(default = "")]
    query: String,
    #[field(default = "")]
    fingerprint: String,
    #[field(default = "")]
    start: String,
    #[field(default = "")]
    reason: String,
}

#[post("/bulk", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<Confirmation>,
) -> Result<Either<Redirect, Page>, Failure> {
    let Confirmation {
        query,
        fingerprint,
        start,
        reason,
    } = form.form;
    let bulk: BulkQuery = Form::parse_encoded(RawStr::new(&query)).unwrap_or_default();
    let actions = bulk.actions().map_err(Error::from)?;
    let actor = form.actor.because(&reason);
    let (Ok(actor), None) = (&actor, bulk.doubt(&actions, app.today())) else {
        let reason = match actor {
            Ok(_) => Reason::typed(reason),
            Err(problem) => Reason::refused(reason, problem),
        };
        let page = BulkPage::load(app, frame, bulk, reason, false).await?;
        return Ok(Either::Right(page));
    };
    let actor = actor.clone();
    let actions = actions.into_iter();
    let action = actions
        .filter(|(_, word, _)| *word == start)
        .map(|(action, ..)| action)
        .next()
        .ok_or_else(|| Error::invalid("do", "No action was chosen; go back to the preview."))?;
    let selection = bulk.selection(app.today()).map_err(Error::from)?;
    let changed = app
        .run_search(move |service| service.change_many(&actor, &selection, &action, &fingerprint))
        .await?;
    Ok(match changed {
        Some(id) => Either::Left(to(config, &format!("/bulk/{id}"))),
        None => {
            let reason = Reason::typed(reason);
            Either::Right(BulkPage::load(app, frame, bulk, reason, true).await?)
        }
    })
}

#[get("/bulk/<id>")]
async fn done(app: &App, _session: Session, frame: Frame, id: i64) -> Result<Page, Failure> {
    let change = app.run(move |service| service.bulk_change(id)).await?;
    Ok(Page::new(&DonePage {
        frame,
        can_be_undone: change.can_be_undone(app.now()),
        undo_until: change.at + UNDO_FOR,
        change,
        offset: app.utc_offset(),
    })?)
}

#[post("/bulk/<id>/undo", data = "<form>")]
async fn undo(
    app: &App,
    config: &State<Config>,
    id: i64,
    form: SignedInForm<CsrfOnly>,
) -> Result<Redirect, Failure> {
    app.run(move |service| service.undo(&form.actor, id))
        .await?;
    Ok(to(config, &format!("/bulk/{id}")))
}

#[derive(FromForm)]
struct Renewal {
    /// The license's ID and the expiration date that the page showed: `17_2026-12-31`.
    id: String,
    /// Where to return to: the URL query of the table, `license` or `overview`.
    #[field(default = "")]
    back: String,
}

#[post("/renew", data = "<form>")]
async fn renew(
    app: &App,
    config: &State<Config>,
    form: SignedInForm<Renewal>,
) -> Result<Flashed, Failure> {
    let (Renewal { id, back }, actor) = (form.form, form.actor);
    let (id, seen) = id.split_once('_').unwrap_or((&id, ""));
    let (id, seen) = (id.parse().unwrap_or(0), date::read(seen));
    let (license, bulk) = app
        .run(move |service| service.renew(&actor, id, seen))
        .await?;
    let back = match &*back {
        "overview" => "/".to_owned(),
        query if query.starts_with('?') => format!("/licenses{query}"),
        _ => format!("/licenses/{id}"),
    };
    let name = format!("{} for {}", license.license_key, license.tool_name);
    let day = license.expiration_date.map(date::format);
    Ok(match (day, bulk) {
        (Some(day), Some(bulk)) => {
            let message = format!("License {name} now expires on {day}.");
            redirect_with_undo(config, &back, &message, bulk)
        }
        (Some(day), None) => {
            let message = format!(
                "License {name} already expires on {day}; someone changed it meanwhile. Nothing was \
                 changed."
            );
            redirect_with_flash(config, &back, &message)
        }
        (None, _) => {
            let message = format!("License {name} is perpetual. Nothing was changed.");
            redirect_with_flash(config, &back, &message)
        }
    })
}

impl BulkQuery {
    fn selection(&self, today: Date) -> Result<Selection, Problem> {
        if self.of == "all" {
            let table = LicenseQuery::parse(&self.filter)?;
            let sorting = table.sorting();
            Ok(Selection::Found {
                filter: Box::new(table.filter(today)?),
                order: sorting.order,
                is_descending: sorting.is_descending,
            })
        } else {
            Ok(Selection::Ids(self.id.clone()))
        }
    }

    /// The actions, each with its button label and column heading: one, or two for a period that can start on
    /// two days; empty until one is chosen.
    fn actions(&self) -> Result<Vec<NamedAction>, Problem> {
        let one = |action| Ok(vec![(action, "one", "After")]);
        let day = self.day.trim();
        let term = match &*self.action {
            "" => return Ok(vec![]),
            "delete" => return one(Action::Delete),
            "set" => return one(Action::set(&self.field, &self.value)?),
            "convert" => {
                let term = match &*self.trial_term {
                    "" => None,
                    term => Some(Term::parse(term)?),
                };
                return one(Action::Convert(term));
            }
            "expiration" => match required_day("The expiration date", day) {
                Ok(day) => return one(Action::Extend(Term::To(day), Start::Expiration)),
                Err(message) => {
                    return Err(Problem {
                        field: "day",
                        message,
                    });
                }
            },
            "extend" => Term::parse(&self.term)?,
            other => match Term::parse(other) {
                Ok(term) => term,
                Err(_) => return one(Action::SetStatus(Status::parse(other)?)),
            },
        };
        let from = |start| Action::Extend(term, start);
        Ok(vec![
            (
                from(Start::Expiration),
                "expiration",
                "From expiration date",
            ),
            (from(Start::Today), "today", "From today"),
        ])
    }

    /// About a date that is about to be set.
    fn doubt(&self, actions: &[NamedAction], today: Date) -> Option<Doubt> {
        let (action, ..) = actions.first()?;
        let doubt = match action {
            Action::Extend(Term::To(day), _) => doubt::expiration(*day, today),
            Action::Set(field, text) if field.is_date() => {
                doubt::implausible(field, date::read(text)?)
            }
            _ => None,
        };
        doubt.filter(|doubt| doubt.typed != self.keep)
    }

    fn address(&self, page: usize) -> String {
        let ids: Vec<String> = self.id.iter().map(i64::to_string).collect();
        let mut given: Vec<(&str, &str)> = ids.iter().map(|id| ("id", id.as_str())).collect();
        let page = page.to_string();
        given.extend([
            ("of", &*self.of),
            ("filter", &self.filter),
            ("do", &self.action),
            ("term", &self.term),
            ("day", &self.day),
            ("field", &self.field),
            ("value", &self.value),
            ("trial_term", &self.trial_term),
            ("keep", &self.keep),
            ("page", &page),
        ]);
        query(&given)
    }
}

impl BulkPage {
    async fn load(
        app: &App,
        frame: Frame,
        mut query: BulkQuery,
        reason: Reason,
        is_stale: bool,
    ) -> Result<Page, Error> {
        let selection = query.selection(app.today())?;
        let plan = app
            .run_search(move |service| service.plan(&selection))
            .await?;
        let (actions, problem) = match query.actions() {
            Ok(actions) => (actions, None),
            Err(problem) => (vec![], Some(problem.message)),
        };
        let doubt = query.doubt(&actions, app.today());
        if doubt.is_some() {
            // It was about another date.
            query.keep.clear();
        }
        let title = match &actions[..] {
            [(Action::Extend(term, _), ..), _] => format!("Extend by {}", term.in_words()),
            [(action, ..), ..] => action.in_words(),
            [] => String::new(),
        };
        let count = |(action, start, heading): (Action, _, _)| {
            let effects = plan
                .licenses
                .iter()
                .filter_map(|license| plan.effect(&action, license));
            let counted = effects.fold((0, 0), |(changed, shortened), effect| {
                (changed + 1, shortened + usize::from(effect.is_earlier))
            });
            Preview {
                action,
                start,
                heading,
                changed: counted.0,
                shortened: counted.1,
            }
        };
        let previews: Vec<Preview> = actions.into_iter().map(count).collect();
        let all = plan.licenses.len();
        let first = query.page.saturating_mul(PER_PAGE).min(all);
        let last = (first + PER_PAGE).min(all);
        let on_page = plan.licenses.get(first..last).unwrap_or_default();
        let rows = on_page
            .iter()
            .map(|license| PreviewRow::new(license, &previews, &plan));
        let page = BulkPage {
            rows: rows.collect(),
            first: first as i64 + 1,
            last: last as i64,
            previous: (first > 0).then(|| query.address(query.page - 1)),
            next: (last < all).then(|| query.address(query.page + 1)),
            frame,
            query,
            reason,
            problem,
            doubt,
            is_stale,
            title,
            previews,
            plan,
        };
        let status = match (is_stale, &page.problem) {
            (true, _) => 409,
            (false, Some(_)) => 422,
            (false, None) if page.doubt.is_some() || page.reason.problem.is_some() => 422,
            (false, None) => 200,
        };
        Page::with_status(status, &page)
    }

    fn all(&self) -> String {
        shown::licenses(Count::Exactly(self.plan.licenses.len() as i64))
    }

    /// The selection in words.
    fn which(&self) -> String {
        match LicenseQuery::parse(&self.query.filter) {
            Ok(filter) if self.query.of == "all" => filter.in_words(),
            Ok(_) | Err(_) => String::new(),
        }
    }

    /// The page without its question.
    fn kept_address(&self, typed: &str) -> String {
        let address = self.query.address(self.query.page);
        format!(
            "{address}{}",
            query(&[("keep", typed)]).replacen('?', "&", 1)
        )
    }

    /// The state of the page, for the confirmation form.
    fn confirmed_query(&self) -> String {
        let address = self.query.address(self.query.page);
        address.trim_start_matches('?').to_owned()
    }

    /// A date is not broken; another text may be.
    fn value_class(&self) -> &'static str {
        match self.previews.first().map(|preview| &preview.action) {
            Some(Action::Set(field, _)) if !field.is_date() => "value",
            _ => "date",
        }
    }

    fn is_term(&self, term: &str) -> bool {
        self.query.term == term
    }

    fn term_label(term: &str) -> String {
        Term::parse(term).map_or(String::new(), Term::in_words)
    }

    fn summary(&self) -> String {
        let count = |number: usize| shown::licenses(Count::Exactly(number as i64));
        let all = self.plan.licenses.len();
        let changed = self.previews.iter().map(|preview| preview.changed).min();
        match all - changed.unwrap_or(0) {
            0 => format!("{} will be changed.", count(all)),
            same if self.previews.len() == 1 => format!(
                "{} will be changed; {} already as wanted.",
                count(all - same),
                match same {
                    1 => "1 is".to_owned(),
                    _ => format!("{} are", shown::grouped(same as i64)),
                }
            ),
            _ => "Perpetual licenses, and those that would expire on the same day, stay unchanged."
                .to_owned(),
        }
    }
}

impl Preview {
    fn is_deletion(&self) -> bool {
        self.action == Action::Delete
    }

    fn warning(&self) -> Option<String> {
        let number = shown::licenses(Count::Exactly(self.shortened as i64));
        let words = || format!("{}: {number} would expire earlier than now.", self.button());
        (self.shortened > 0).then(words)
    }

    fn button(&self) -> String {
        let number = shown::licenses(Count::Exactly(self.changed as i64));
        match &self.action {
            Action::Delete => format!("Delete {number}"),
            Action::SetStatus(Status::Activated) => format!("Activate {number}"),
            Action::SetStatus(Status::Suspended) => format!("Suspend {number}"),
            Action::SetStatus(Status::Revoked) => format!("Revoke {number}"),
            Action::Set(field, _) => {
                let label = field.label.replacen("The", "the", 1);
                format!("Change {label} of {number}")
            }
            Action::Convert(_) => format!("Convert {number}"),
            Action::Extend(Term::To(day), _) => {
                format!("Set expiration of {number} to {}", date::format(*day))
            }
            Action::Extend(_, Start::Expiration | Start::Later) => {
                format!("Extend {number} from the expiration date")
            }
            Action::Extend(_, Start::Today) => format!("Extend {number} from today"),
        }
    }
}

impl PreviewRow {
    fn new(license: &License, previews: &[Preview], plan: &Plan) -> PreviewRow {
        let shown = |values: &Values| match previews.first().map(|preview| &preview.action) {
            Some(Action::Extend(..) | Action::Convert(_)) => match values.expiration_date {
                Some(day) if values.is_trial => format!("trial until {}", date::format(day)),
                Some(day) => date::format(day),
                None => "perpetual".to_owned(),
            },
            Some(Action::Set(field, _)) => match Draft::from(values).get(field.name) {
                "" => "none".to_owned(),
                text => text.to_owned(),
            },
            Some(Action::SetStatus(_) | Action::Delete) | None => values.status.to_string(),
        };
        let change = |preview: &Preview| {
            let effect = plan.effect(&preview.action, license)?;
            Some(Change {
                words: match &effect.after {
                    Some(after) => shown(after),
                    None => "deleted".to_owned(),
                },
                is_earlier: effect.is_earlier,
            })
        };
        PreviewRow {
            before: shown(&license.values),
            after: previews.iter().map(change).collect(),
            license: license.clone(),
        }
    }
}
