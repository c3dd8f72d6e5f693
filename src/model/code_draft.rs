//! An activation code as people type it in a form or a file.

use std::collections::BTreeMap;

use super::activation_code::{CodeTerm, CodeValues, MOVES_PER_YEAR};
use super::customer::{NamedCustomer, parse_email};
use super::entitlements::{self, Entitlements};
use super::order::{ORDER_REF, day, features};
use super::text::{self, keep};
use super::typed_date::Reading;
use crate::error::{Error, Problem};

/// In the order in which forms show them.
const FIELDS: [&str; 14] = [
    "tool_name",
    "number",
    "seats",
    "expiration_date",
    "days",
    "moves_per_year",
    "customer",
    "email",
    "order_ref",
    "note",
    "edition",
    "features",
    "data",
    "updates_until",
];

const TOOL_NAME: usize = 100;
const CUSTOMER: usize = 255;
const NOTE: usize = 2_000;

/// Texts by field; one that is absent is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeDraft(BTreeMap<&'static str, String>);

impl CodeDraft {
    /// One code for one machine.
    pub fn new() -> CodeDraft {
        let defaults = [("number", "1"), ("seats", "1")].into_iter();
        let mut draft = CodeDraft::default();
        for (name, text) in defaults.chain([("moves_per_year", &*MOVES_PER_YEAR.to_string())]) {
            draft.set(name, text);
        }
        draft
    }

    pub fn of(values: &CodeValues) -> CodeDraft {
        let mut draft = CodeDraft::default();
        for (name, text) in values.texts() {
            draft.set(name, &text);
        }
        draft
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// False for a name that is no field.
    pub fn set(&mut self, name: &str, typed: &str) -> bool {
        let Some(field) = FIELDS.iter().find(|field| **field == name) else {
            return false;
        };
        self.0.insert(field, typed.replace("\r\n", "\n"));
        true
    }

    /// A day as programs send it; none for no day.
    pub fn set_day(&mut self, field: &'static str, sent: Option<String>) -> Result<(), Error> {
        let day = day(field, sent)?;
        self.set(field, &day.unwrap_or_default());
        Ok(())
    }

    /// Names as programs send them, one each.
    pub fn set_features(&mut self, sent: &[String]) -> Result<(), Problem> {
        self.set("features", &features(sent)?.join(", "));
        Ok(())
    }

    /// With what the other one has. Of a term, one kind replaces the other.
    pub fn changed(&self, by: &CodeDraft) -> CodeDraft {
        let mut changed = self.clone();
        for (name, other) in [("expiration_date", "days"), ("days", "expiration_date")] {
            if !by.get(name).is_empty() {
                changed.set(other, "");
            }
        }
        changed.0.extend(by.0.clone());
        changed
    }

    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(name, text)| (*name, text.as_str()))
    }

    pub fn tool_name(&self) -> Result<String, Problem> {
        text::required(
            "tool_name",
            "The tool name",
            self.get("tool_name"),
            TOOL_NAME,
        )
    }

    /// How many codes to make.
    pub fn number(&self) -> Result<i64, Problem> {
        self.integer("number", "The number of codes")
    }

    pub fn customer(&self) -> Result<NamedCustomer, Problem> {
        Ok(NamedCustomer {
            name: text::optional(
                "customer",
                "The customer",
                &text::name(self.get("customer")),
                CUSTOMER,
            )?,
            email: parse_email(self.get("email"))?,
        })
    }

    /// With the status of `before`. Whether numbers are within their limits is for [`CodeValues::check`].
    pub fn values(&self, before: &CodeValues) -> Result<CodeValues, Vec<Problem>> {
        let mut problems = vec![];
        let customer = text::renamed(self.get("customer"), &before.customer);
        let values = CodeValues {
            status: before.status,
            seats: keep(&mut problems, self.integer("seats", "The number of seats")),
            term: match self.term() {
                Ok(term) => term,
                Err(problem) => {
                    problems.push(problem);
                    CodeTerm::Perpetual
                }
            },
            moves_per_year: keep(
                &mut problems,
                self.integer("moves_per_year", "The number of moves"),
            ),
            customer: keep(
                &mut problems,
                text::optional("customer", "The customer", &customer, CUSTOMER),
            ),
            order_ref: keep(
                &mut problems,
                text::optional(
                    "order_ref",
                    "The order reference",
                    self.get("order_ref"),
                    ORDER_REF,
                ),
            ),
            note: keep(
                &mut problems,
                text::lines("note", "The note", self.get("note"), NOTE),
            ),
            entitlements: self.entitlements(&mut problems),
        };
        if let Err(Error::Invalid(more)) = values.check() {
            let is_new = |problem: &Problem| problems.iter().all(|p| p.field != problem.field);
            let more: Vec<Problem> = more.into_iter().filter(is_new).collect();
            problems.extend(more);
        }
        match problems.is_empty() {
            true => Ok(values),
            false => Err(problems),
        }
    }

    fn entitlements(&self, problems: &mut Vec<Problem>) -> Entitlements {
        let typed = self.get("updates_until");
        let day = Reading::of(typed).day("The last day of updates", typed);
        let day = day.map_err(|message| Problem {
            field: "updates_until",
            message,
        });
        let mut text = |parsed| {
            let text: String = keep(problems, parsed);
            (!text.is_empty()).then_some(text)
        };
        let edition = text(entitlements::parse_edition(self.get("edition")));
        let data = text(entitlements::parse_data(self.get("data")));
        let features = keep(problems, entitlements::parse_features(self.get("features")));
        Entitlements {
            edition,
            features: entitlements::names(&features).map(str::to_owned).collect(),
            data,
            updates_until: keep(problems, day),
        }
    }

    fn term(&self) -> Result<CodeTerm, Problem> {
        let typed = self.get("expiration_date");
        let day = Reading::of(typed).day("The expiration date", typed);
        let day = day.map_err(|message| Problem {
            field: "expiration_date",
            message,
        })?;
        let days = match self.get("days").trim() {
            "" => None,
            _ => Some(self.integer("days", "The number of days")?),
        };
        match (day, days) {
            (Some(_), Some(_)) => Err(Problem {
                field: "days",
                message: "A code has an expiration date or a number of days from its first use, not both; \
                          clear one of them."
                    .to_owned(),
            }),
            (Some(day), None) => Ok(CodeTerm::Until(day)),
            (None, Some(days)) => Ok(CodeTerm::Days(days)),
            (None, None) => Ok(CodeTerm::Perpetual),
        }
    }

    fn integer(&self, field: &'static str, label: &str) -> Result<i64, Problem> {
        let typed = self.get(field).trim();
        typed.parse().map_err(|_| Problem {
            field,
            message: match typed {
                "" => format!("{label} is missing; enter a number."),
                _ => format!("{label} `{}` is not a number.", text::shorten(typed)),
            },
        })
    }

    /// The fields that somebody else changed after the form showed `was`, and that were changed on it, too. The
    /// draft gets the current value of each field that was not.
    pub fn rebase(&mut self, was: &CodeDraft, current: &CodeDraft) -> Vec<Problem> {
        let mut conflicts = vec![];
        for name in FIELDS {
            let [typed, was, now] = [&*self, was, current].map(|draft| draft.get(name).to_owned());
            if typed == was {
                self.set(name, &now);
            } else if now != was && now != typed {
                conflicts.push(Problem::conflict(name, &now));
            }
        }
        conflicts
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<CodeValues, Vec<&'static str>> {
        let mut draft = CodeDraft::new();
        for (name, text) in fields {
            assert!(draft.set(name, text));
        }
        let values = draft.values(&CodeValues::new(1, CodeTerm::Perpetual));
        values.map_err(|problems| problems.iter().map(|problem| problem.field).collect())
    }

    #[test]
    fn a_code_without_anything_is_perpetual_and_for_one_machine() {
        assert_eq!(read(&[]), Ok(CodeValues::new(1, CodeTerm::Perpetual)));
    }

    #[test]
    fn a_term_is_a_date_in_any_spelling_or_a_number_of_days() {
        let term = |fields| read(fields).map(|values| values.term);
        let until = CodeTerm::Until(date!(2027 - 12 - 31));
        assert_eq!(term(&[("expiration_date", "31.12.2027")]), Ok(until));
        assert_eq!(term(&[("days", " 30 ")]), Ok(CodeTerm::Days(30)));
        let both = [("expiration_date", "2027-12-31"), ("days", "30")];
        assert_eq!(term(&both), Err(vec!["days"]));
        assert_eq!(term(&[("days", "0")]), Err(vec!["days"]));
    }

    #[test]
    fn every_problem_is_named_once() {
        let wrong = [
            ("seats", "many"),
            ("moves_per_year", "-1"),
            ("expiration_date", "soon"),
        ];
        let expected = ["seats", "expiration_date", "moves_per_year"];
        assert_eq!(read(&wrong), Err(expected.to_vec()));
    }
}
