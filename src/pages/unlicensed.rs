//! Machines that checked a tool without a license: whose they are, and what to do about each or several.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::{Duration, UtcOffset};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::activation_code::CodeTerm;
use crate::model::customer::NamedCustomer;
use crate::model::date;
use crate::model::license::{Draft, License, Status};
use crate::model::machine_code::{machine_code, read_machine_code};
use crate::model::near_miss::Mismatch;
use crate::model::search::Count;
use crate::model::search::Word;
use crate::model::unlicensed::{Decision, MachineFilter, MachinePage, UnlicensedMachine};
use crate::request::{App, Failure};
use crate::service::{CustomerLine, MachinePair, NearMiss, Request, SeatOffer, ToolMatch};

const PER_PAGE: usize = 50;

/// Between tool and key in the value of a checkbox: neither contains control characters.
const SEPARATOR: char = '\t';

pub(super) fn routes() -> Vec<Route> {
    routes![list, decide, add]
}

#[derive(FromForm)]
struct UnlicensedQuery {
    #[field(default = "")]
    q: String,
    #[field(default = "")]
    tool: String,
    /// `dismissed` or `blocked`; empty for those that wait for a decision.
    #[field(default = "")]
    show: String,
    /// `page` to begin with every checkbox ticked.
    #[field(default = "")]
    select: String,
    /// The cursor: time, tool and key of the last row of the previous page.
    last: Option<i64>,
    #[field(default = "")]
    last_tool: String,
    #[field(default = "")]
    last_key: String,
}

struct MachineRow {
    machine: UnlicensedMachine,
    /// The license that was probably meant.
    near: Option<Near>,
}

/// `differs by one character from 3c:52:82:11:22:33 of Anna Meyer`
struct Near {
    words: &'static str,
    license: License,
    /// The license is for another tool.
    is_other_tool: bool,
}

#[derive(Template)]
#[template(path = "unlicensed.html")]
struct UnlicensedPage {
    frame: Frame,
    query: UnlicensedQuery,
    problem: Option<String>,
    rows: Vec<MachineRow>,
    /// Without its machines, which are in the rows.
    page: MachinePage,
    /// The URL query of the next page.
    older: Option<String>,
    offset: UtcOffset,
}

#[derive(Template)]
#[template(path = "unlicensed_add.html")]
struct AddPage {
    frame: Frame,
    machines: Vec<MachinePair>,
    request: Request,
    /// Chosen: the customer who is `known`, or a `new` one.
    whose: String,
    draft: Draft,
    email: String,
    problems: Vec<Problem>,
}

#[get("/unlicensed?<query..>")]
async fn list(
    app: &App,
    _session: Session,
    frame: Frame,
    query: UnlicensedQuery,
) -> Result<Page, Failure> {
    let cursor = query
        .last
        .map(|at| (at, query.last_tool.clone(), query.last_key.clone()));
    let (filter, problem) = match query.filter() {
        Ok(filter) => (Some(filter), None),
        Err(problem) => (None, Some(problem.message)),
    };
    let (page, nearest, has_older) = app
        .run_search(move |service| {
            let mut page = match filter {
                Some(filter) => {
                    service.unlicensed_machines(&filter, cursor.as_ref(), PER_PAGE + 1)?
                }
                None => MachinePage::default(),
            };
            let has_older = page.machines.len() > PER_PAGE;
            page.machines.truncate(PER_PAGE);
            let nearest = service.nearest_licenses(&page.machines)?;
            Ok((page, nearest, has_older))
        })
        .await?;
    let MachinePage { machines, .. } = page;
    let last = machines.last().filter(|_| has_older);
    let older = last.map(|last| query.after(last));
    let rows = machines.into_iter().zip(nearest).map(MachineRow::new);
    let status = if problem.is_some() { 422 } else { 200 };
    let page = UnlicensedPage {
        frame,
        query,
        problem,
        rows: rows.collect(),
        page: MachinePage {
            machines: vec![],
            ..page
        },
        older,
        offset: app.utc_offset(),
    };
    Ok(Page::with_status(status, &page)?)
}

#[derive(FromForm)]
struct DecisionForm {
    /// Ticked machines.
    machine: Vec<String>,
    /// What to do with them: `add`, `dismiss`, `block` or `restore`.
    #[field(default = "", name = "do")]
    action: String,
    /// The machine of a button in a row.
    #[field(default = "")]
    approve: String,
    #[field(default = "")]
    dismiss: String,
    #[field(default = "")]
    block: String,
    #[field(default = "")]
    restore: String,
    /// The URL query of the list.
    #[field(default = "")]
    back: String,
}

#[post("/unlicensed/decide", data = "<form>")]
async fn decide(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<DecisionForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let buttons = [
        ("add", &form.approve),
        ("dismiss", &form.dismiss),
        ("block", &form.block),
        ("restore", &form.restore),
    ];
    let pressed = buttons.into_iter().find(|(_, machine)| !machine.is_empty());
    let (action, machines) = match pressed {
        Some((action, machine)) => (action, pairs(std::slice::from_ref(machine))),
        None => (&*form.action, pairs(&form.machine)),
    };
    let back = match &*form.back {
        query if query.starts_with('?') => query,
        _ => "",
    };
    let back = format!("/unlicensed{back}");
    if machines.is_empty() {
        let message = "No machine was selected. Tick machines first.";
        return Ok(Either::Left(redirect_with_flash(config, &back, message)));
    }
    let (decision, done) = match action {
        "add" => {
            let asked = machines.clone();
            let request = app.run(move |service| service.requested(&asked)).await?;
            let page = AddPage {
                frame,
                machines,
                draft: Draft::new().with("user_id", &*request.named.name),
                email: request.named.email.clone(),
                whose: String::new(),
                request,
                problems: vec![],
            };
            return Ok(Either::Right(Page::new(&page)?));
        }
        "dismiss" => (Some(Decision::Dismissed), "dismissed"),
        "block" => (Some(Decision::Blocked), "blocked"),
        "restore" => (None, "listed again"),
        other => {
            let message = format!("`{other}` is not an action; use a button of the page.");
            return Err(Error::invalid("do", message).into());
        }
    };
    let number = app
        .run(move |service| service.decide_machines(&actor, &machines, decision))
        .await?;
    let message = match number {
        1 => format!("1 machine {done}."),
        _ => format!("{} machines {done}.", shown::grouped(number)),
    };
    Ok(Either::Left(redirect_with_flash(config, &back, &message)))
}

#[derive(FromForm)]
struct AddForm {
    machine: Vec<String>,
    #[field(default = "")]
    whose: String,
    #[field(default = "")]
    user_id: String,
    #[field(default = "")]
    email: String,
    #[field(default = "")]
    status: String,
    #[field(default = "")]
    expiration_date: String,
    /// Days from today, in place of the date.
    #[field(default = "")]
    term: String,
    /// The activation code to add the machines to, in place of all others.
    code: Option<i64>,
}

#[post("/unlicensed/add", data = "<form>")]
async fn add(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<AddForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let machines = pairs(&form.machine);
    if machines.is_empty() {
        let message = "No machine was selected. Tick machines first.";
        let back = redirect_with_flash(config, "/unlicensed", message);
        return Ok(Either::Left(back));
    }
    let asked = machines.clone();
    let request = app.run(move |service| service.requested(&asked)).await?;
    let customer = form.customer(&request);
    if let (Some(code), Ok(_)) = (form.code, &customer) {
        let number = machines.len();
        app.run(move |service| service.add_to_code(&actor, code, &machines))
            .await?;
        let message = match number {
            1 => "1 machine added to the activation code.".to_owned(),
            _ => format!("{number} machines added to the activation code."),
        };
        let back = redirect_with_flash(config, "/unlicensed", &message);
        return Ok(Either::Left(back));
    }
    let expiration_date = match form.term.parse() {
        Ok(days) => date::format(app.today().saturating_add(Duration::days(days))),
        Err(_) => form.expiration_date,
    };
    let draft = Draft::default()
        .with("user_id", form.user_id)
        .with("status", form.status)
        .with("expiration_date", expiration_date);
    let chosen = machines.clone();
    let (values, dates) = draft.clone().typed();
    let added = match (dates.is_empty(), customer) {
        (false, _) => Err(dates),
        (true, Err(error)) => Err(error.problems().to_vec()),
        (true, Ok(customer)) => {
            app.run(move |service| {
                let name = match customer.email.is_empty() {
                    true => customer.name,
                    false => service.ensure_customer(&customer)?,
                };
                let values = values.with("user_id", name);
                match service.add_licenses(&actor, &chosen, &values) {
                    Err(Error::Invalid(problems)) => Ok(Err(problems)),
                    other => other.map(Ok),
                }
            })
            .await?
        }
    };
    Ok(match added {
        Ok(bulk) => {
            let message = match machines.len() {
                1 => "1 license added.".to_owned(),
                number => format!("{number} licenses added."),
            };
            Either::Left(redirect_with_flash(
                config,
                &format!("/bulk/{bulk}"),
                &message,
            ))
        }
        Err(problems) => {
            let page = AddPage {
                frame,
                machines,
                request,
                whose: form.whose,
                draft,
                email: form.email,
                problems,
            };
            Either::Right(Page::with_status(422, &page)?)
        }
    })
}

impl AddForm {
    /// Whose the machines are. A program can send the name or address of any customer: then the admin chooses.
    fn customer(&self, request: &Request) -> Result<NamedCustomer, Error> {
        let entered = || {
            let parsed = NamedCustomer::parse(&self.user_id, &self.email);
            // The name is the field `user_id` here.
            parsed.map_err(|error| match error.problems().first() {
                Some(problem) if problem.field == "name" => {
                    Error::invalid("user_id", &*problem.message)
                }
                _ => error,
            })
        };
        let Some(CustomerLine { customer, .. }) = &request.known else {
            return entered();
        };
        let name = &customer.name;
        match &*self.whose {
            "known" => Ok(NamedCustomer {
                name: name.clone(),
                email: String::new(),
            }),
            "new" if self.code.is_some() => {
                let message =
                    format!("This code is one of {name}: choose that customer or no code.");
                Err(Error::invalid("code", message))
            }
            "new" => {
                let new = entered()?;
                let has_email = !new.email.is_empty() && new.email == customer.email;
                if new.name != *name && !has_email {
                    return Ok(new);
                }
                let message =
                    format!("This is {name}: choose that customer, or enter another one.");
                Err(Error::invalid(
                    if has_email { "email" } else { "user_id" },
                    message,
                ))
            }
            _ => Err(Error::invalid("whose", "Choose whose machine this is.")),
        }
    }
}

/// `…VR4B: 1 of 3 seats in use, expires 2026-12-31`; none if no seat is free.
fn choice((used, code): &SeatOffer) -> Option<(i64, String)> {
    let seats = code.values.seats;
    let term = match code.values.term {
        CodeTerm::Perpetual => "perpetual".to_owned(),
        CodeTerm::Until(last) => format!("expires {}", date::format(last)),
        CodeTerm::Days(days) => format!("{days} days from the first activation"),
    };
    let words = format!("{}: {used} of {seats} seats in use, {term}", code.masked());
    (*used < seats && code.values.status == Status::Activated).then_some((code.id, words))
}

fn pairs(values: &[String]) -> Vec<MachinePair> {
    let split = values
        .iter()
        .filter_map(|value| value.split_once(SEPARATOR));
    split
        .map(|(tool, key)| (tool.to_owned(), key.to_owned()))
        .collect()
}

fn pair(tool_name: &str, license_key: &str) -> String {
    format!("{tool_name}{SEPARATOR}{license_key}")
}

impl UnlicensedQuery {
    fn filter(&self) -> Result<MachineFilter, Problem> {
        let decision = Decision::from_word(&self.show);
        if decision.is_none() && !self.show.is_empty() {
            return Err(Problem {
                field: "show",
                message: format!(
                    "Unknown value “{}” for the filter “show”; use dismissed or blocked.",
                    self.show
                ),
            });
        }
        Ok(MachineFilter {
            tool_name: (!self.tool.is_empty()).then(|| self.tool.clone()),
            words: Word::parse_all(&self.q)?,
            machine_code: read_machine_code(&self.q),
            decision,
        })
    }

    fn is_filtered(&self) -> bool {
        [&self.q, &self.tool, &self.show]
            .into_iter()
            .any(|text| !text.is_empty())
    }

    /// This list from its beginning, with these parameters as well.
    fn with(&self, more: &[(&str, &str)]) -> String {
        let own = [("q", &*self.q), ("tool", &self.tool), ("show", &self.show)];
        query(&[more, &own[..]].concat())
    }

    fn after(&self, machine: &UnlicensedMachine) -> String {
        let last = machine.last_at.unix_timestamp().to_string();
        self.with(&[
            ("last", &last),
            ("last_tool", &machine.tool_name),
            ("last_key", &machine.license_key),
        ])
    }

    /// The list from this page on.
    fn here(&self, more: &[(&str, &str)]) -> String {
        let last = self.last.map(|at| at.to_string()).unwrap_or_default();
        let place = [
            ("last", &*last),
            ("last_tool", &self.last_tool),
            ("last_key", &self.last_key),
        ];
        self.with(&[&place[..], more].concat())
    }
}

impl UnlicensedPage {
    fn decided(&self, decision: &Decision) -> i64 {
        self.page.decided[*decision as usize]
    }
}

impl MachineRow {
    fn new((machine, near): (UnlicensedMachine, Option<NearMiss>)) -> MachineRow {
        MachineRow {
            machine,
            near: near.map(Near::new),
        }
    }

    fn value(&self) -> String {
        pair(&self.machine.tool_name, &self.machine.license_key)
    }

    fn new_key(&self) -> String {
        query(&[("license_key", &self.machine.license_key)])
    }

    fn tool_and_key(&self) -> String {
        let UnlicensedMachine {
            tool_name,
            license_key,
            ..
        } = &self.machine;
        query(&[("tool", tool_name), ("key", license_key)])
    }

    /// To say on the telephone.
    fn machine_code(&self) -> String {
        machine_code(&self.machine.tool_name, &self.machine.license_key)
    }

    /// Empty if the client named nobody.
    fn asked_by(&self) -> String {
        shown::visible(&self.machine.customer.in_words())
    }

    /// `ANNA-PC, anna.meyer, version 2.4.0`; empty if the client reported nothing.
    fn face(&self) -> String {
        let client = &self.machine.client;
        let version = match &*client.version {
            "" => String::new(),
            version => format!("version {version}"),
        };
        let known = [&client.hostname, &client.user, &version].into_iter();
        let known: Vec<&str> = known
            .map(String::as_str)
            .filter(|text| !text.is_empty())
            .collect();
        shown::visible(&known.join(", "))
    }
}

impl Near {
    fn new(near: NearMiss) -> Near {
        Near {
            words: match near.key {
                None => "same machine ID as",
                Some(Mismatch::Case) => "differs only in upper and lower case from",
                Some(Mismatch::Spelling) => "another spelling of",
                Some(Mismatch::LookAlike) => "differs in letters that look like digits from",
                Some(Mismatch::Contained) => "contains, or is part of,",
                Some(Mismatch::OneCharacter) => "differs by one character from",
                Some(Mismatch::Swapped) => "differs by two swapped characters from",
            },
            is_other_tool: near.tool != ToolMatch::Same,
            license: near.listed.license,
        }
    }
}

impl AddPage {
    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }

    /// Codes with free seats, and what each says.
    fn codes(&self) -> Vec<(i64, String)> {
        self.request.codes.iter().filter_map(choice).collect()
    }

    fn number(&self) -> String {
        match self.machines.len() {
            1 => "1 license".to_owned(),
            number => format!("{number} licenses"),
        }
    }
}
