//! Machines that checked a tool without a license: whose they are, and what to do about each or several.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};
use time::{Date, UtcOffset};

use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::{Page, query, shown};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::activation_code::{CodeTerm, ListedCode};
use crate::model::audit::Actor;
use crate::model::bulk::Term;
use crate::model::customer::NamedCustomer;
use crate::model::date;
use crate::model::doubt::{self, Doubt};
use crate::model::license::{Draft, License, Status};
use crate::model::machine_code::{machine_code, read_machine_code};
use crate::model::near_miss::Mismatch;
use crate::model::search::Count;
use crate::model::search::Word;
use crate::model::typed_date::read_day;
use crate::model::unlicensed::{Decision, MachineFilter, MachinePage, UnlicensedMachine};
use crate::request::{App, Failure};
use crate::service::{CustomerLine, MachinePair, NearMiss, Request, Service, ToolMatch};

const PER_PAGE: usize = 50;

/// From today, in place of a date.
const TERMS: [(&str, &str); 2] = [("14d", "14 days"), ("1y", "1 year")];

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
    adding: Adding,
    request: Request,
    /// Codes of the customer with free seats, and what each says.
    codes: Vec<(i64, String)>,
    problems: Vec<Problem>,
    /// About the expiration date.
    doubt: Option<Doubt>,
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
                adding: Adding {
                    machines,
                    whose: String::new(),
                    draft: Draft::new().with("user_id", &*request.named.name),
                    email: request.named.email.clone(),
                    term: String::new(),
                    code: None,
                    typed_code: String::new(),
                },
                codes: choices(&request.codes, app.today()),
                request,
                problems: vec![],
                doubt: None,
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
    /// Of [`TERMS`].
    #[field(default = "")]
    term: String,
    /// The activation code to add the machines to, in place of all others.
    code: Option<i64>,
    /// The same, as the customer typed it.
    #[field(default = "")]
    activation_code: String,
    /// An expiration date that is wanted in spite of a doubt, or what was meant.
    #[field(default = "")]
    keep_expiration_date: String,
    use_expiration_date: Option<String>,
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
    let adding = Adding {
        machines,
        whose: form.whose,
        draft: Draft::default()
            .with("user_id", form.user_id)
            .with("status", form.status)
            .with(
                "expiration_date",
                form.use_expiration_date.unwrap_or(form.expiration_date),
            ),
        email: form.email,
        term: form.term,
        code: form.code,
        typed_code: form.activation_code,
    };
    let today = app.today();
    let kept = form.keep_expiration_date;
    let (added, request, adding) = app
        .run(move |service| {
            let request = service.requested(&adding.machines)?;
            let doubt = adding.doubt(today).filter(|doubt| doubt.typed != kept);
            if doubt.is_some() {
                return Ok((Ok(Err(doubt)), request, adding));
            }
            let added = match adding.add(service, &actor, &request, today) {
                Err(error @ (Error::Invalid(_) | Error::Refused(_))) => Err(error),
                other => Ok(Ok(other?)),
            };
            Ok((added, request, adding))
        })
        .await?;
    let (status, problems, doubt) = match added {
        Ok(Ok((path, message))) => {
            let flashed = redirect_with_flash(config, &path, &message);
            return Ok(Either::Left(flashed));
        }
        Ok(Err(doubt)) => (422, vec![], doubt),
        Err(Error::Invalid(problems)) => (422, problems, None),
        Err(other) => {
            let field = match adding.has_typed_code() {
                true => "activation_code",
                false => "code",
            };
            let problem = Problem {
                field,
                message: other.to_string(),
            };
            (other.status(), vec![problem], None)
        }
    };
    let page = AddPage {
        frame,
        adding,
        codes: choices(&request.codes, today),
        request,
        problems,
        doubt,
    };
    Ok(Either::Right(Page::with_status(status, &page)?))
}

/// What is to be added for machines.
struct Adding {
    machines: Vec<MachinePair>,
    /// Chosen: the customer who is `known`, or a `new` one.
    whose: String,
    draft: Draft,
    email: String,
    /// Of [`TERMS`]; empty for the date of the draft.
    term: String,
    /// The activation code, in place of all others.
    code: Option<i64>,
    /// The same, as the customer typed it.
    typed_code: String,
}

impl Adding {
    fn has_typed_code(&self) -> bool {
        !self.typed_code.trim().is_empty()
    }

    /// About the expiration date, if it is the one that counts.
    fn doubt(&self, today: Date) -> Option<Doubt> {
        if self.code.is_some() || self.has_typed_code() || !self.term.is_empty() {
            return None;
        }
        let day = read_day(self.draft.get("expiration_date"))?;
        doubt::expiration(day, today)
    }

    /// Where to go, and what was done.
    fn add(
        &self,
        service: &Service,
        actor: &Actor,
        request: &Request,
        today: Date,
    ) -> Result<(String, String), Error> {
        let number = self.machines.len();
        let to_code = |code: i64| {
            let message = match number {
                1 => "1 machine added to the activation code.".to_owned(),
                _ => format!("{number} machines added to the activation code."),
            };
            (format!("/codes/{code}"), message)
        };
        // The code says whose machines they are.
        if self.has_typed_code() {
            if self.code.is_some() {
                let message = "Choose a code or enter one, not both.";
                return Err(Error::invalid("activation_code", message));
            }
            let added = service.add_machines_by_code(actor, &self.typed_code, &self.machines);
            return added.map(to_code);
        }
        let customer = self.customer(request)?;
        if let Some(code) = self.code {
            service.add_machines(actor, code, &self.machines)?;
            return Ok(to_code(code));
        }
        let (mut values, dates) = self.draft.clone().typed();
        if !dates.is_empty() {
            return Err(Error::Invalid(dates));
        }
        if !self.term.is_empty() {
            if !values.get("expiration_date").is_empty() {
                let message = "Choose a term or enter a date, not both.";
                return Err(Error::invalid("expiration_date", message));
            }
            let last = Term::parse(&self.term)?.after(today);
            values = values.with("expiration_date", date::format(last));
        }
        let name = match customer.email.is_empty() {
            true => customer.name,
            false => service.ensure_customer(&customer)?,
        };
        values = values.with("user_id", name);
        let bulk = service.add_licenses(actor, &self.machines, &values)?;
        let message = match number {
            1 => "1 license added.".to_owned(),
            _ => format!("{number} licenses added."),
        };
        Ok((format!("/bulk/{bulk}"), message))
    }

    /// Whose the machines are. A program can send the name or address of any customer: then the admin chooses.
    fn customer(&self, request: &Request) -> Result<NamedCustomer, Error> {
        let entered = || {
            let parsed = NamedCustomer::parse(self.draft.get("user_id"), &self.email);
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

/// Those that can take a machine.
fn choices(codes: &[ListedCode], today: Date) -> Vec<(i64, String)> {
    let can_take = |listed: &&ListedCode| {
        let ListedCode { code, seats_used } = listed;
        *seats_used < code.values.seats
            && code.values.status == Status::Activated
            && !code.is_expired(today)
    };
    codes.iter().filter(can_take).map(choice).collect()
}

/// `…VR4B: 1 of 3 seats in use, expires 2026-12-31`.
fn choice(ListedCode { code, seats_used }: &ListedCode) -> (i64, String) {
    let (used, seats) = (
        shown::grouped(*seats_used),
        shown::grouped(code.values.seats),
    );
    let term = match code.values.term {
        CodeTerm::Perpetual => "perpetual".to_owned(),
        CodeTerm::Until(last) => format!("expires {}", date::format(last)),
        CodeTerm::Days(1) => "1 day from first use".to_owned(),
        CodeTerm::Days(days) => format!("{} days from first use", shown::grouped(days)),
    };
    let words = format!("{}: {used} of {seats} seats in use, {term}", code.masked());
    (code.id, words)
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

    /// To say on the phone.
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

    /// Those that belong to no field of the form.
    fn other_problems(&self) -> impl Iterator<Item = &Problem> {
        let is_shown = |field| match field {
            "activation_code" | "user_id" | "email" | "whose" | "status" | "expiration_date" => {
                true
            }
            "code" => !self.codes.is_empty(),
            _ => false,
        };
        let problems = self.problems.iter();
        problems.filter(move |problem| !is_shown(problem.field))
    }

    fn number(&self) -> String {
        match self.adding.machines.len() {
            1 => "1 license".to_owned(),
            number => format!("{number} licenses"),
        }
    }
}
