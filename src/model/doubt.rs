//! Values that are allowed but probably mistyped: the person is asked once.

use time::Date;

use super::activation_code::CodeTerm;
use super::license::Draft;
use super::license::fields::{EXPIRATION_DATE, FIELDS, Field, LICENSE_KEY, TOOL_NAME};
use super::machine_code::read_machine_code;
use super::near_miss::name_mismatch;
use super::text::{in_ascii, trimmed};
use super::typed_date::is_implausible;
use super::{date, pasted_key};

/// Tools of similar names that are suggested.
const MAX_TOOLS: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The field's name.
    pub field: &'static str,
    /// As it would be stored.
    pub typed: String,
    /// Why it is doubted.
    pub message: String,
    /// What may be meant, likelier ones first; empty for a field to be cleared.
    pub suggestions: Vec<String>,
}

/// What to ask before these values are stored, except about the [`key`]; `before` are the current ones, which are not
/// doubted.
pub fn doubts(new: &Draft, before: &Draft, tools: &[String], today: Date) -> Vec<Doubt> {
    let text = |index: usize| {
        let name = FIELDS[index].name;
        let text = trimmed(new.get(name));
        (!text.is_empty() && text != before.get(name)).then_some(text)
    };
    let day = text(EXPIRATION_DATE).and_then(date::read);
    let found = [
        text(TOOL_NAME).and_then(|name| tool(name, tools)),
        day.and_then(|day| expiration(day, today)),
    ];
    let others = FIELDS.iter().enumerate();
    let others = others.filter(|(index, field)| *index != EXPIRATION_DATE && field.is_date());
    let others = others.filter_map(|(index, field)| implausible(field, date::read(text(index)?)?));
    found.into_iter().flatten().chain(others).collect()
}

/// A new tool whose name is nearly that of another.
pub fn tool(name: &str, tools: &[String]) -> Option<Doubt> {
    if tools.iter().any(|tool| tool == name) {
        return None;
    }
    let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
    // `Tool 2` beside `Tool` and `Tool 1` is another one on purpose.
    let is_numbered = |tool: &str| letters(name).trim() == letters(tool).trim();
    let similar = tools.iter().filter(|tool| {
        name_mismatch(name, tool).is_some_and(|mismatch| !mismatch.is_typo() || !is_numbered(tool))
    });
    let suggestions: Vec<String> = similar.take(MAX_TOOLS).cloned().collect();
    let nearest = suggestions.first()?;
    Some(Doubt {
        field: FIELDS[TOOL_NAME].name,
        typed: name.to_owned(),
        message: format!(
            "There is already a tool “{nearest}”; “{name}” would be a separate tool. Programs send the \
             name exactly as it is in their code."
        ),
        suggestions,
    })
}

/// What to ask before codes of that tool are made, or a shop may sell them.
pub fn codes(tool_name: &str, term: CodeTerm, tools: &[String], today: Date) -> Vec<Doubt> {
    let day = match term {
        CodeTerm::Until(day) => expiration(day, today),
        CodeTerm::Days(_) | CodeTerm::Perpetual => None,
    };
    tool(tool_name, tools).into_iter().chain(day).collect()
}

pub fn key(key: &str) -> Option<Doubt> {
    let doubt = pasted_key::doubt(key)?;
    Some(Doubt {
        field: FIELDS[LICENSE_KEY].name,
        typed: key.to_owned(),
        message: format!("{} No program is likely to send “{key}”.", doubt.message()),
        suggestions: doubt.suggestions().to_vec(),
    })
}

/// A key that is or contains `code`, which these machines have, each with its tool.
pub fn machine_code(key: &str, code: &str, machines: &[(&String, &String)]) -> Option<Doubt> {
    let message = match machines {
        [] if in_ascii(key) != code || !has_letters_and_digits(code) => return None,
        [] => {
            format!("“{key}” looks like a machine code, but no machine that is known here has it.")
        }
        [(tool, machine), ..] => {
            let names = match read_machine_code(key) {
                Some(_) => "is",
                None => "contains",
            };
            format!("“{key}” {names} the machine code of {machine}, which uses {tool}.")
        }
    };
    let mut suggestions: Vec<String> = Vec::new();
    for (_, machine) in machines {
        if !suggestions.contains(machine) {
            suggestions.push((*machine).clone());
        }
    }
    Some(Doubt {
        field: FIELDS[LICENSE_KEY].name,
        typed: key.to_owned(),
        message,
        suggestions,
    })
}

fn has_letters_and_digits(code: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    code.contains(is_digit) && code.contains(|c: char| c.is_ascii_alphabetic())
}

/// A day of another kind, in a year that nobody means.
pub fn implausible(field: &Field, day: Date) -> Option<Doubt> {
    let typed = date::format(day);
    is_implausible(day).then(|| Doubt {
        field: field.name,
        message: format!("{} is {typed}: an implausible year.", field.label),
        typed,
        suggestions: vec![],
    })
}

pub fn expiration(day: Date, today: Date) -> Option<Doubt> {
    let typed = date::format(day);
    let message = match day < today {
        _ if is_implausible(day) => format!("{typed} is an implausible expiration date."),
        true => format!("{typed} is in the past: the license would expire at once."),
        false => return None,
    };
    Some(Doubt {
        field: FIELDS[EXPIRATION_DATE].name,
        typed,
        message,
        suggestions: if day.year() == 9999 {
            vec![String::new()]
        } else {
            vec![]
        },
    })
}
