//! Activation codes of an older system: one a line, or a table with column names.

use std::collections::HashMap;

use super::cells::unwrapped;
use super::columns::Column;
use super::raw::{CellKind, RawRow};
use super::{refused, sheet, statuses};
use crate::error::{Error, Problem};
use crate::model::activation_code::{CodeTerm, CodeValues};
use crate::model::code_draft::CodeDraft;
use crate::model::code_format::{IMPORTED, Typed, read};
use crate::model::customer::NamedCustomer;
use crate::model::fold::folded;
use crate::model::license::Status;
use crate::model::license::fields::{FIELDS, LICENSE_KEY, STATUS, TOOL_NAME};
use crate::model::text::{grouped, shorten};

/// Codes imported at once: their one transaction takes about half a second.
pub const MAX_POOL: usize = 10_000;

/// Letters and digits of a code that is hard to guess.
const LONG: usize = 12;

/// Folded headings without anything but letters and digits, and the field of a draft; the empty one is the code.
const HEADINGS: [(&str, &str); 5] = [
    (
        "",
        "code codes activationcode licensecode serial serialnumber productkey aktivierungscode seriennummer",
    ),
    (
        "seats",
        "seats machines devices activations maxactivations platze geraete gerate",
    ),
    ("days", "days tage"),
    ("moves_per_year", "moves movesperyear"),
    ("email", "email emailaddress mail"),
];

/// A code to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCode {
    pub line: u64,
    /// As it is compared.
    pub code: String,
    /// Without the customer.
    pub values: CodeValues,
    pub customer: NamedCustomer,
}

impl PoolCode {
    /// Whether it may be guessed.
    pub fn is_short(&self) -> bool {
        self.code.len() < LONG
    }
}

/// A row that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongCode {
    pub line: u64,
    pub typed: String,
    /// For people.
    pub reason: String,
}

#[derive(Debug, Default)]
pub struct Pool {
    pub codes: Vec<PoolCode>,
    pub wrong: Vec<WrongCode>,
    /// Headings of columns that are not read.
    pub ignored: Vec<String>,
}

/// What a column is for; none for one that is not read.
type Meaning = Option<&'static str>;

/// Takes decoded text.
pub fn read_pool(text: &str, tool_name: &str) -> Result<Pool, Error> {
    let mut source = sheet::rows(text)?;
    let mut rows = std::iter::from_fn(|| source.next()).peekable();
    let mut pool = Pool::default();
    let header = rows.peek().map(meanings).unwrap_or_default();
    let columns = match header.contains(&Some("")) {
        true => {
            let headings = rows.next().map(|row| row.cells).unwrap_or_default();
            let unread = headings.iter().zip(&header);
            let unread =
                unread.filter(|(cell, meaning)| meaning.is_none() && !cell.text.is_empty());
            pool.ignored = unread.map(|(cell, _)| shorten(cell.text.trim())).collect();
            header
        }
        false => vec![Some("")],
    };
    let mut lines: HashMap<String, u64> = HashMap::new();
    for row in rows {
        if lines.len() + pool.wrong.len() == MAX_POOL {
            return Err(refused(format!(
                "At most {} codes can be imported at once. Divide the file into several, each with the header \
                 row.",
                grouped(MAX_POOL as i64)
            )));
        }
        let (line, typed) = (row.line, shorten(&first_text(&row, &columns)));
        match pool_code(row, &columns, tool_name) {
            Ok(None) => {}
            Ok(Some(code)) => match lines.get(&code.code) {
                Some(first) => pool.wrong.push(WrongCode {
                    line,
                    typed,
                    reason: format!("This is the same code as on line {first}."),
                }),
                None => {
                    lines.insert(code.code.clone(), line);
                    pool.codes.push(code);
                }
            },
            Err(reason) => pool.wrong.push(WrongCode {
                line,
                typed,
                reason,
            }),
        }
    }
    match pool.codes.is_empty() && pool.wrong.is_empty() {
        true => Err(refused("There is no code in it. Write one code a line.")),
        false => Ok(pool),
    }
}

fn meanings(row: &RawRow) -> Vec<Meaning> {
    row.cells.iter().map(|cell| meaning(&cell.text)).collect()
}

fn meaning(heading: &str) -> Meaning {
    let mut name = folded(heading);
    name.retain(char::is_alphanumeric);
    let named = HEADINGS
        .iter()
        .find(|(_, names)| names.split(' ').any(|known| known == name));
    if let Some((field, _)) = named {
        return Some(field);
    }
    match Column::from_heading(heading) {
        Column::Field(LICENSE_KEY) => Some(""),
        Column::Field(index) => Some(match FIELDS[index].name {
            "user_id" => "customer",
            name => name,
        }),
        Column::Refusal(_)
        | Column::CreatedAt
        | Column::Id
        | Column::ExportedOnly
        | Column::Dropped
        | Column::Unknown => None,
    }
}

fn first_text(row: &RawRow, columns: &[Meaning]) -> String {
    let at = columns.iter().position(|column| *column == Some(""));
    let cell = at.and_then(|at| row.cells.get(at));
    cell.map(|cell| unwrapped(&cell.text)).unwrap_or_default()
}

/// None for an empty row; the error is a reason for people.
fn pool_code(
    row: RawRow,
    columns: &[Meaning],
    tool_name: &str,
) -> Result<Option<PoolCode>, String> {
    if let Some(fault) = row.fault {
        return Err(fault);
    }
    let texts = row.cells.iter().map(|cell| unwrapped(&cell.text));
    let texts: Vec<String> = texts.map(|text| text.trim().to_owned()).collect();
    if texts.iter().all(String::is_empty) {
        return Ok(None);
    }
    if texts
        .iter()
        .skip(columns.len())
        .any(|text| !text.is_empty())
    {
        return Err(match columns.len() {
            1 => "There is more than a code on this line. Name the columns in the first row, such as \
                  code,seats,expiration date,customer."
                .to_owned(),
            width => format!("The row has more cells than the {width} columns of the header."),
        });
    }
    let mut draft = CodeDraft::new();
    let (mut code, mut status) = (String::new(), Status::Activated);
    for ((column, text), cell) in columns.iter().zip(&texts).zip(&row.cells) {
        match column {
            Some("") if cell.kind == CellKind::Number => {
                return Err(
                    "This code is stored as a number, so zeros may be missing. Format the column as text."
                        .to_owned(),
                );
            }
            Some("") => code = compared(text)?,
            _ if text.is_empty() => {}
            Some(name) if *name == FIELDS[TOOL_NAME].name && text == tool_name => {}
            Some(name) if *name == FIELDS[TOOL_NAME].name => {
                return Err(format!("This code is for {}.", shorten(text)));
            }
            Some(name) if *name == FIELDS[STATUS].name => {
                status = statuses::meaning(&text.to_lowercase())
                    .ok_or_else(|| format!("The status `{}` is unknown.", shorten(text)))?;
            }
            Some(name) => drop(draft.set(name, text)),
            None => {}
        }
    }
    if code.is_empty() {
        return Err("There is no code in this row.".to_owned());
    }
    let before = CodeValues {
        status,
        ..CodeValues::new(1, CodeTerm::Perpetual)
    };
    let reasons = |problems: &[Problem]| {
        let all: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        all.join(" ")
    };
    let customer = draft.customer().map_err(|problem| problem.message)?;
    let mut values = draft
        .values(&before)
        .map_err(|problems| reasons(&problems))?;
    values.customer = String::new();
    Ok(Some(PoolCode {
        line: row.line,
        code,
        values,
        customer,
    }))
}

/// The code as it is compared.
fn compared(typed: &str) -> Result<String, String> {
    if typed.is_empty() {
        return Ok(String::new());
    }
    match read(typed) {
        Typed::Ours(code) | Typed::Other { code, .. } => Ok(code),
        Typed::Wrong(_) => Err(format!(
            "A code has {} to {} letters from A to Z, digits and hyphens, nothing else.",
            IMPORTED.start(),
            IMPORTED.end()
        )),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn codes(text: &str) -> Vec<String> {
        let pool = read_pool(text, "T").unwrap();
        assert_eq!(pool.wrong, []);
        pool.codes.into_iter().map(|code| code.code).collect()
    }

    fn reason(text: &str) -> String {
        let mut pool = read_pool(text, "T").unwrap();
        assert_eq!(pool.wrong.len(), 1, "{:?}", pool.wrong);
        pool.wrong.remove(0).reason
    }

    #[test]
    fn one_code_a_line_needs_no_header() {
        let text = "old-0001\r\n\r\n Old 0002 \nOLD–0003\n";
        assert_eq!(codes(text), ["OLD0001", "OLD0002", "OLD0003"]);
    }

    #[test]
    fn a_table_has_its_columns_by_name() {
        let text = "Seats;Code;Expiration date;Customer;E-mail;Order reference;Note;Color\n\
                    3;ABCDEF-123456;31.12.2027;Anna;Anna@Example.com;A-17;paid;red\n";
        let pool = read_pool(text, "T").unwrap();
        assert_eq!(pool.ignored, ["Color"]);
        let code = &pool.codes[0];
        assert_eq!((code.code.as_str(), code.values.seats), ("ABCDEF123456", 3));
        assert_eq!(code.values.term, CodeTerm::Until(date!(2027 - 12 - 31)));
        assert_eq!(code.customer.email, "anna@example.com");
        assert_eq!(
            [
                &*code.customer.name,
                &code.values.order_ref,
                &code.values.note
            ],
            ["Anna", "A-17", "paid"]
        );
        assert!(!code.is_short());
    }

    #[test]
    fn what_cannot_be_imported_is_named() {
        assert!(reason("ABCDEF-1\nabc def1\n").contains("line 1"));
        assert!(reason("ABCDE").contains("6 to 64"));
        assert!(reason("ABC_DEF").contains("6 to 64"));
        assert!(reason("ABCDEF1,3").contains("more than a code"));
        assert!(reason("code,seats\nABCDEF1,many\n").contains("many"));
        assert!(reason("code,tool\nABCDEF1,Other\n").contains("Other"));
        assert!(reason("code,status\nABCDEF1,gone\n").contains("gone"));
        assert!(read_pool("code\n", "T").is_err());
    }

    #[test]
    fn a_refused_code_stays_refused() {
        let pool = read_pool("code,status\nABCDEF1,blocked\n", "T").unwrap();
        assert_eq!(pool.codes[0].values.status, Status::Revoked);
    }
}
