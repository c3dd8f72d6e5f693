//! Activation codes of an older system: one a line, or a table with column names.

use std::collections::HashMap;

use time::Date;

use super::code_columns::OWN;
use super::examples::Expirations;
use super::{Choice, ImportOptions, Layout, RowUnit, Sheet, SheetRow, refused};
use crate::error::{Error, Problem};
use crate::model::activation_code::{CodeTerm, CodeValues};
use crate::model::code_draft::CodeDraft;
use crate::model::code_format::{IMPORTED, Typed, read};
use crate::model::customer::NamedCustomer;
use crate::model::doubt;
use crate::model::fingerprint::Fingerprint;
use crate::model::license::Status;
use crate::model::text::{grouped, shorten};

/// Codes imported at once: their one transaction takes about half a second.
pub const MAX_POOL: usize = 10_000;

/// Letters and digits of a code that is hard to guess.
const LONG: usize = 12;

/// A code to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolCode {
    pub line: u64,
    /// As it is compared.
    pub code: String,
    /// Without the customer.
    pub values: CodeValues,
    pub customer: NamedCustomer,
    /// As in the file.
    pub cells: Vec<String>,
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
    /// As in the file.
    pub cells: Vec<String>,
}

/// What an import of activation codes would do.
#[derive(Debug)]
pub struct Pool {
    pub unit: RowUnit,
    pub layout: Layout,
    pub tool_name: String,
    /// The tool that is probably meant, until a person decides.
    pub similar: Option<String>,
    /// Whether the import would create the tool.
    pub is_new_tool: bool,
    /// What is unusual about the codes; messages for people.
    pub notes: Vec<String>,
    pub codes: Vec<PoolCode>,
    /// Codes that exist already, and stay as they are.
    pub unchanged: usize,
    pub wrong: Vec<WrongCode>,
}

impl Pool {
    pub fn short(&self) -> usize {
        self.codes.iter().filter(|code| code.is_short()).count()
    }

    /// Rows that an import skips, by their line.
    pub fn skipped(self, with_short: bool) -> Vec<WrongCode> {
        let short = self.codes.into_iter();
        let short = short.filter(|code| !with_short && code.is_short());
        let short = short.map(|code| WrongCode {
            line: code.line,
            typed: code.code,
            reason: format!(
                "This code has fewer than {LONG} letters and digits and can be guessed."
            ),
            cells: code.cells,
        });
        let mut skipped = self.wrong;
        skipped.extend(short);
        skipped.sort_by_key(|row| row.line);
        skipped
    }

    /// Covers everything that would be imported, and what would not.
    pub fn fingerprint(&self) -> String {
        let mut fingerprint = Fingerprint::default();
        fingerprint.text(&self.tool_name);
        fingerprint.number(self.is_new_tool.into());
        fingerprint.number(self.unchanged as i64);
        for code in &self.codes {
            let NamedCustomer { name, email } = &code.customer;
            for text in [&code.code, &code.values.json(), name, email] {
                fingerprint.text(text);
            }
        }
        fingerprint.text("wrong");
        for wrong in &self.wrong {
            fingerprint.text(&wrong.reason);
        }
        fingerprint.finish()
    }
}

/// Refuses a file with too many codes, or one that cannot be read.
pub fn check_pool(text: &str, options: &ImportOptions) -> Result<(), Error> {
    if Sheet::read(text, options)?.length <= MAX_POOL {
        return Ok(());
    }
    Err(refused(format!(
        "At most {} codes can be imported at once. Divide the file into several, each with the header row.",
        grouped(MAX_POOL as i64)
    )))
}

/// Takes decoded text; `tools` are those that exist.
pub fn read_pool(
    text: &str,
    options: &ImportOptions,
    tools: &[String],
    today: Date,
) -> Result<Pool, Error> {
    let mut sheet = Sheet::read(text, options)?;
    let mut given = CodeDraft::new();
    given.set("tool_name", options.tool.as_deref().unwrap_or_default());
    let typed = given.tool_name().unwrap_or_else(|problem| {
        sheet.layout.problem.get_or_insert(problem.message);
        String::new()
    });
    let similar = doubt::tool(&typed, tools);
    let similar = similar.and_then(|doubt| doubt.suggestions.into_iter().next());
    let (tool_name, similar) = match (options.tools, similar) {
        (Choice::Use, Some(similar)) => (similar, None),
        (Choice::Ask, similar) => (typed.clone(), similar),
        (Choice::Use, None) | (Choice::Keep, _) => (typed.clone(), None),
    };
    let unit = sheet.unit;
    let (mut codes, mut wrong) = (Vec::new(), Vec::new());
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut expirations = Expirations::default();
    let rows = sheet.by_ref();
    let rows: Vec<SheetRow> = match rows.layout.problem {
        Some(_) => vec![],
        None => rows.collect(),
    };
    for row in rows {
        let (line, shown) = (row.line, typed_code(&row).to_owned());
        let cells = row.cells.clone();
        let code = pool_code(row, &[&typed, &tool_name]);
        let first = code.as_ref().ok().and_then(|code| lines.get(&code.code));
        let reason = match (code, first) {
            (Ok(_), Some(first)) => {
                format!("This is the same code as on {} {first}.", unit.as_str())
            }
            (Ok(code), None) => {
                lines.insert(code.code.clone(), line);
                expirations.look_at(unit, line, code.values.term.expiration_date(), today);
                codes.push(code);
                continue;
            }
            (Err(reason), _) => reason,
        };
        wrong.push(WrongCode {
            line,
            typed: shorten(&shown),
            reason,
            cells,
        });
    }
    let notes = expirations.notes().into_iter().flatten();
    Ok(Pool {
        unit,
        notes: sheet.layout.notes.iter().cloned().chain(notes).collect(),
        layout: sheet.layout,
        is_new_tool: similar.is_none() && !tool_name.is_empty() && !tools.contains(&tool_name),
        tool_name,
        similar,
        codes,
        unchanged: 0,
        wrong,
    })
}

/// Some spreadsheet programs show the apostrophe that makes a cell a text.
fn typed_code(row: &SheetRow) -> &str {
    let typed = row.draft.get("license_key").trim();
    let typed = typed.strip_prefix('\'').unwrap_or(typed);
    match row.cells.first() {
        Some(first) if typed.is_empty() && row.problem.is_some() => first.trim(),
        _ => typed,
    }
}

/// The error is a reason for people; `tools` are the names that the code may be for.
fn pool_code(row: SheetRow, tools: &[&String]) -> Result<PoolCode, String> {
    if let Some(problem) = row.problem {
        return Err(problem);
    }
    if row.is_number {
        return Err(
            "This code is stored as a number, so zeros may be missing. Format the column as text."
                .to_owned(),
        );
    }
    let code = compared(typed_code(&row))?;
    if code.is_empty() {
        return Err("There is no code in this row.".to_owned());
    }
    let text = |name| row.draft.get(name).trim();
    let tool = text("tool_name");
    if !tool.is_empty() && tools.iter().all(|known| *known != tool) {
        return Err(format!("This code is for {}.", shorten(tool)));
    }
    let status = match text("status") {
        "" => Status::Activated,
        word => Status::from_word(word)
            .ok_or_else(|| format!("The status `{}` is unknown.", shorten(word)))?,
    };
    let mut draft = CodeDraft::new();
    for name in [
        "expiration_date",
        "order_ref",
        "note",
        "edition",
        "features",
        "data",
        "updates_until",
    ] {
        draft.set(name, text(name));
    }
    draft.set("customer", text("user_id"));
    for (own, typed) in OWN.iter().zip(&row.own) {
        // Programs that read numbers with gaps write `3.0`.
        let typed = typed.trim();
        let typed = typed.strip_suffix(".0").unwrap_or(typed);
        if !typed.is_empty() {
            draft.set(own.name, typed);
        }
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
    Ok(PoolCode {
        line: row.line,
        code,
        values,
        customer,
        cells: row.cells,
    })
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

    use super::super::Subject;

    fn options() -> ImportOptions {
        ImportOptions {
            subject: Subject::Codes,
            tool: Some("T".to_owned()),
            ..ImportOptions::default()
        }
    }

    fn with(text: &str, options: &ImportOptions) -> Pool {
        read_pool(text, options, &["T".to_owned()], date!(2026 - 06 - 15)).unwrap()
    }

    fn pool(text: &str) -> Pool {
        with(text, &options())
    }

    fn codes(text: &str) -> Vec<String> {
        let pool = pool(text);
        assert_eq!(pool.wrong, []);
        pool.codes.into_iter().map(|code| code.code).collect()
    }

    fn reason(text: &str) -> String {
        let mut pool = pool(text);
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
        let pool = pool(text);
        assert_eq!(pool.layout.ignored(), ["Color"]);
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
        assert!(check_pool("code\n", &options()).is_err());
    }

    #[test]
    fn a_refused_code_stays_refused() {
        for text in [
            "code,status\nABCDEF1,gesperrt\n",
            "code,blocked\nABCDEF1,yes\n",
            "code;Zustand\nABCDEF1;gesperrt\n",
            "code;Revoked at\nABCDEF1;2026-05-01\n",
        ] {
            assert_eq!(pool(text).codes[0].values.status, Status::Revoked, "{text}");
        }
    }

    #[test]
    fn a_column_that_decides_over_codes_is_not_ignored() {
        for text in [
            "code;seats;Frist\nABCDEF1;3;31.12.2027\n",
            "code;expires;Lizenz bis\nABCDEF1;;31.12.2027\n",
            "code;Phase\nABCDEF1;gesperrt\nABCDEF2;x\n",
        ] {
            let pool = pool(text);
            assert!(
                pool.layout.problem.is_some() && pool.codes.is_empty(),
                "{text}"
            );
        }
        let mut chosen = options();
        chosen
            .columns
            .insert("Frist".to_owned(), "expiration_date".to_owned());
        let read = with("code;seats;Frist\nABCDEF1;3;31.12.2027\n", &chosen);
        let until = CodeTerm::Until(date!(2027 - 12 - 31));
        assert_eq!(read.codes[0].values.term, until);
        assert_eq!(
            pool("code;days;Frist\nABCDEF1;30;31.12.2027\n").codes.len(),
            1
        );
    }

    #[test]
    fn dates_are_read_as_in_other_files() {
        let read = pool("code,expires\nABCDEF1,1/31/2027\nABCDEF2,3/4/2027\nABCDEF3,46752\n");
        let terms = read.codes.iter().map(|code| code.values.term);
        let days = [
            date!(2027 - 01 - 31),
            date!(2027 - 03 - 04),
            date!(2027 - 12 - 31),
        ];
        assert!(terms.eq(days.map(CodeTerm::Until)), "{read:?}");
        assert_eq!(read.notes.len(), 2, "{:?}", read.notes);
        let doubtful = pool("code,expires\nABCDEF1,2020-01-01\nABCDEF2,2127-01-01\n");
        assert_eq!((doubtful.codes.len(), doubtful.notes.len()), (2, 2));
    }

    #[test]
    fn a_tool_that_is_nearly_another_is_asked_about() {
        let mut chosen = options();
        chosen.tool = Some("t".to_owned());
        let asked = with("code,tool\nABCDEF1,t\n", &chosen);
        assert_eq!(asked.similar.as_deref(), Some("T"));
        for (choice, name) in [(Choice::Use, "T"), (Choice::Keep, "t")] {
            chosen.tools = choice;
            let pool = with("code,tool\nABCDEF1,t\n", &chosen);
            assert_eq!((&*pool.tool_name, &pool.similar), (name, &None));
            assert_eq!(pool.codes.len(), 1);
        }
    }

    #[test]
    fn seats_have_many_headings_and_an_apostrophe_is_not_the_code() {
        for heading in [
            "Anzahl",
            "Lizenzen",
            "Max. machines",
            "Quantité",
            "Number of seats",
            "Nombre de postes",
            "puestos",
            "PCs",
            "Einheiten",
        ] {
            let pool = pool(&format!("code;{heading}\n'ABCDEF1;3.0\n"));
            let code = &pool.codes[0];
            assert_eq!(
                (&*code.code, code.values.seats),
                ("ABCDEF1", 3),
                "{heading}"
            );
        }
    }
}
