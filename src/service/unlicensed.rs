//! Unlicensed machines: which license they probably belong to, and what the admin decides about them.

use super::Service;
use super::bulk::{Job, Step};
use super::customers::{CustomerLine, ensure_named, line};
use super::diagnose::{NearMiss, nearest};
use crate::error::Error;
use crate::model::activation_code::ListedCode;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::customer::NamedCustomer;
use crate::model::license::{Draft, Values};
use crate::model::question::Question;
use crate::model::unlicensed::{
    Decision, MachineCursor, MachineFilter, MachinePage, UnlicensedMachine,
};
use crate::store::{activation_codes, audit, customers, tools, unlicensed_machines};

/// Codes that are offered.
const MAX_CODES: usize = 50;

/// Who asks for a license, in the words of a program: anybody can send any name.
#[derive(Default)]
pub struct Request {
    pub named: NamedCustomer,
    /// The customer with that address, or else with that name.
    pub known: Option<CustomerLine>,
    /// Codes of that customer, if the machines are of one tool.
    pub codes: Vec<ListedCode>,
}

/// A tool and a machine ID.
pub type MachinePair = (String, String);

impl Service {
    /// A page of unlicensed machines, last seen first.
    pub fn unlicensed_machines(
        &self,
        filter: &MachineFilter,
        after: Option<&MachineCursor>,
        limit: usize,
    ) -> Result<MachinePage, Error> {
        self.store
            .read(|db| unlicensed_machines::page(db, filter, after, limit))
    }

    /// The license that each of these machines was probably meant for, in their order.
    pub fn nearest_licenses(
        &self,
        machines: &[UnlicensedMachine],
    ) -> Result<Vec<Option<NearMiss>>, Error> {
        self.store.read_tx(|db| {
            let names = tools::names(db)?;
            let nearest = |machine: &UnlicensedMachine| {
                if machine.previous.is_some() {
                    return Ok(None);
                }
                match Question::parse(&machine.tool_name, &machine.license_key) {
                    Ok(question) => nearest(db, &question, &names),
                    Err(_) => Ok(None),
                }
            };
            machines.iter().map(nearest).collect()
        })
    }

    /// Hides machines, or lists them again; returns how many there were.
    pub fn decide_machines(
        &self,
        actor: &Actor,
        machines: &[MachinePair],
        decision: Option<Decision>,
    ) -> Result<i64, Error> {
        let now = self.clock.now();
        let kind = match decision {
            Some(Decision::Dismissed) => Kind::MachineDismissed,
            Some(Decision::Blocked) => Kind::MachineBlocked,
            None => Kind::MachineRestored,
        };
        self.store.write(|db| {
            let mut number = 0;
            for (tool_name, license_key) in machines {
                if unlicensed_machines::decide(db, tool_name, license_key, decision, now)? {
                    let event = Event::new(kind, actor)
                        .with("tool_name", &**tool_name)
                        .with("license_key", &**license_key);
                    audit::append(db, event, now)?;
                    number += 1;
                }
            }
            Ok(number)
        })
    }

    /// Who asked for all of these machines; empty if they do not agree.
    pub fn requested(&self, machines: &[MachinePair]) -> Result<Request, Error> {
        let Some((tool_name, _)) = machines.first() else {
            return Ok(Request::default());
        };
        self.store.read_tx(|db| {
            let mut asking = None;
            for (tool_name, license_key) in machines {
                let Ok(question) = Question::parse(tool_name, license_key) else {
                    continue;
                };
                let machine = unlicensed_machines::get(db, &question)?;
                let named = machine.map(|machine| machine.customer).unwrap_or_default();
                if *asking.get_or_insert_with(|| named.clone()) != named {
                    return Ok(Request::default());
                }
            }
            let named = asking.unwrap_or_default();
            let known = match customers::of_email(db, &named.email)? {
                None => customers::named(db, &named.name)?,
                found => found,
            };
            let is_one_tool = machines.iter().all(|(tool, _)| tool == tool_name);
            let codes = match known.as_ref().filter(|_| is_one_tool) {
                None => vec![],
                Some(known) => {
                    let found =
                        activation_codes::matching(db, None, None, Some(&known.name), MAX_CODES)?;
                    let of_tool = |listed: &ListedCode| listed.code.tool_name == *tool_name;
                    found.into_iter().filter(of_tool).collect()
                }
            };
            let known = known.map(|known| line(db, known)).transpose()?;
            Ok(Request {
                named,
                known,
                codes,
            })
        })
    }

    /// The name under which that customer is known from now on.
    pub fn ensure_customer(&self, named: &NamedCustomer) -> Result<String, Error> {
        let now = self.clock.now();
        self.store.write(|db| ensure_named(db, named, now))
    }

    /// Adds a license with these values for each machine, all or none; returns the ID of the bulk change.
    pub fn add_licenses(
        &self,
        actor: &Actor,
        machines: &[MachinePair],
        draft: &Draft,
    ) -> Result<i64, Error> {
        let values = machines.iter().map(|(tool_name, license_key)| {
            let draft = draft.clone().with("tool_name", &**tool_name);
            Values::parse(&draft.with("license_key", &**license_key).over(Draft::new()))
        });
        let values: Vec<Values> = values.collect::<Result<_, Error>>()?;
        let created_at = self.clock.now();
        let number = values.len();
        let what = match number {
            1 => "add 1 license".to_owned(),
            _ => format!("add {number} licenses"),
        };
        let summary = Event::new(Kind::ManyChanged, actor)
            .with("what", &*what)
            .with("licenses", number as i64);
        let added = self.run_job(Job {
            actor,
            what: &what,
            fingerprint: "",
            number,
            steps: &mut values
                .into_iter()
                .map(|values| Step::Add { values, created_at }),
            summary: (number > 1).then_some(summary),
            progress: &|_| Ok(()),
            done: &|_, _| Ok(()),
        });
        match added {
            Err(Error::Duplicate) => Err(Error::Conflict(
                "One of these machines has a license by now. Nothing was added; go back to the list \
                 and select again."
                    .into(),
            )),
            other => other,
        }
    }
}
