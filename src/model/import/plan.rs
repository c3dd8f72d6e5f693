//! What an import would do with each row of a file.

use std::collections::{BTreeSet, HashMap};

use time::{Date, OffsetDateTime};

use super::examples::{Examples, Expirations};
use super::{Choice, ImportOptions, Layout, RowUnit, Sheet, SheetRow};
use crate::error::Error;
use crate::model::fingerprint::Fingerprint;
use crate::model::license::{Draft, License, Values};
use crate::model::mac::canonical_key;
use crate::model::text::{grouped, shorten, trimmed};
use crate::model::typed_date::read_moment;
use crate::model::{doubt, pasted_key};

/// Numbers of a workbook that are whole have at most this number of digits.
const EXACT_DIGITS: usize = 15;

/// What an import would do with one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowAction {
    Add {
        values: Values,
        /// If the file has it.
        created_at: Option<OffsetDateTime>,
    },
    Change {
        before: Box<License>,
        after: Values,
    },
    /// The license already has these values.
    Unchanged,
    Invalid(InvalidRow),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRow {
    /// The line or array element, from 1.
    pub line: u64,
    /// Tool and license key as in the file, if they can be read.
    pub found: Option<(String, String)>,
    /// For people.
    pub reason: String,
    /// None unless a person can decide that the row is valid.
    pub undecided: Option<Undecided>,
    /// As in the file, in the order of its columns; one cell if they cannot be told apart.
    pub cells: Vec<String>,
}

/// What a person may decide about a row, with what may be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecided {
    Key(Vec<String>),
    Tool(String),
}

/// Rows of a file by action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub new: i64,
    pub changed: i64,
    pub unchanged: i64,
    /// Undecided ones included.
    pub invalid: i64,
}

impl ImportCounts {
    pub fn all(&self) -> i64 {
        self.new + self.changed + self.unchanged + self.invalid
    }

    /// Licenses that are added or changed.
    pub fn written(&self) -> i64 {
        self.new + self.changed
    }

    /// The result of an import: `3 added, 2 changed, 1 unchanged, 4 skipped`.
    pub fn in_words(&self) -> String {
        let words = [
            (self.new, "added"),
            (self.changed, "changed"),
            (self.unchanged, "unchanged"),
            (self.invalid, "skipped"),
        ];
        words
            .map(|(number, word)| format!("{} {word}", grouped(number)))
            .join(", ")
    }

    fn count(&mut self, action: &RowAction) {
        let counter = match action {
            RowAction::Add { .. } => &mut self.new,
            RowAction::Change { .. } => &mut self.changed,
            RowAction::Unchanged => &mut self.unchanged,
            RowAction::Invalid(_) => &mut self.invalid,
        };
        *counter += 1;
    }
}

/// What an import would do, given the licenses at one point in time.
#[derive(Debug)]
pub struct ImportPlan {
    /// What [`InvalidRow::line`] counts.
    pub unit: RowUnit,
    pub layout: Layout,
    /// One for each row of the file, and one more for each further license that a row becomes.
    pub rows: Vec<RowAction>,
    pub numbers: ImportCounts,
    /// What was cleaned, and what is unusual about the new values; messages for people.
    pub notes: Vec<String>,
    /// Of the new licenses, those that exist.
    pub tools: BTreeSet<String>,
    /// Covers every action and every license that already exists.
    pub fingerprint: String,
}

/// A license to look up.
#[derive(Debug, Clone, Copy)]
pub enum Find<'a> {
    /// By tool and canonical key.
    Pair(&'a str, &'a str),
    Id(i64),
}

impl ImportPlan {
    /// `tools` are those that exist.
    pub fn new<E>(
        mut sheet: Sheet<'_>,
        options: &ImportOptions,
        tools: &[String],
        today: Date,
        mut find: impl FnMut(Find<'_>) -> Result<Option<License>, E>,
    ) -> Result<ImportPlan, E> {
        let unit = sheet.unit;
        let mut planner = Planner {
            unit,
            options,
            tools,
            today,
            lines: HashMap::new(),
            existing: BTreeSet::new(),
            similar: HashMap::new(),
            cleaned: Examples::default(),
            no_ids: Examples::default(),
            gone: Examples::default(),
            cleared: Examples::default(),
            expirations: Expirations::default(),
            fingerprint: Fingerprint::default(),
        };
        let (mut rows, mut numbers) = (Vec::new(), ImportCounts::default());
        if sheet.layout.problem.is_none() {
            for row in sheet.by_ref() {
                for action in planner.actions(row, &mut find)? {
                    numbers.count(&action);
                    rows.push(action);
                }
            }
        }
        Ok(ImportPlan {
            unit,
            layout: sheet.layout,
            rows,
            numbers,
            notes: planner.notes(),
            tools: planner.existing,
            fingerprint: planner.fingerprint.finish(),
        })
    }

    pub fn invalid(&self) -> impl Iterator<Item = &InvalidRow> {
        self.rows.iter().filter_map(|action| match action {
            RowAction::Invalid(row) => Some(row),
            RowAction::Add { .. } | RowAction::Change { .. } | RowAction::Unchanged => None,
        })
    }
}

struct Planner<'a> {
    unit: RowUnit,
    options: &'a ImportOptions,
    tools: &'a [String],
    today: Date,
    /// The first line of each pair of tool and key.
    lines: HashMap<(String, String), u64>,
    /// Tools of new licenses that are there.
    existing: BTreeSet<String>,
    /// The existing tool that each new name is nearly that of.
    similar: HashMap<String, Option<String>>,
    cleaned: Examples,
    /// Cells of the column `id` that are no number.
    no_ids: Examples,
    /// New licenses whose `id` names none.
    gone: Examples,
    /// Expiration dates that an empty cell takes away.
    cleared: Examples,
    expirations: Expirations,
    fingerprint: Fingerprint,
}

/// Why a row is not imported.
struct Objection {
    reason: String,
    undecided: Option<Undecided>,
}

impl From<String> for Objection {
    fn from(reason: String) -> Objection {
        Objection {
            reason,
            undecided: None,
        }
    }
}

impl Planner<'_> {
    fn actions<E>(
        &mut self,
        mut row: SheetRow,
        find: &mut impl FnMut(Find<'_>) -> Result<Option<License>, E>,
    ) -> Result<Vec<RowAction>, E> {
        if let Some(problem) = row.problem.take() {
            return Ok(vec![self.invalid(&row, problem.into())]);
        }
        let keys = match self.tool_and_keys(&mut row, find)? {
            Ok(keys) => keys,
            Err(objection) => return Ok(vec![self.invalid(&row, objection)]),
        };
        let actions = keys.into_iter().map(|key| {
            row.draft.set("license_key", key);
            self.action(&row, find)
        });
        actions.collect()
    }

    /// Decides about the row's tool, and finds the keys that are meant.
    fn tool_and_keys<E>(
        &mut self,
        row: &mut SheetRow,
        find: &mut impl FnMut(Find<'_>) -> Result<Option<License>, E>,
    ) -> Result<Result<Vec<String>, Objection>, E> {
        let tool = trimmed(row.draft.get("tool_name")).to_owned();
        if let Some(similar) = self.similar_tool(&tool) {
            match self.options.tools {
                Choice::Keep => {}
                Choice::Use => drop(row.draft.set("tool_name", similar)),
                Choice::Ask => {
                    return Ok(Err(Objection {
                        reason: format!(
                            "There is no tool `{tool}`, but there is a tool `{similar}`."
                        ),
                        undecided: Some(Undecided::Tool(similar)),
                    }));
                }
            }
        }
        let tool = trimmed(row.draft.get("tool_name")).to_owned();
        let typed = trimmed(row.draft.get("license_key")).to_owned();
        // A license that is there already has the key that it has.
        if find(Find::Pair(&tool, &canonical_key(&typed)))?.is_some() {
            return Ok(Ok(vec![typed]));
        }
        let is_exported = row.id.as_ref().is_some_and(|id| !id.is_empty());
        let key = match is_exported {
            // What a program wrote has no quotation marks but its own.
            true => typed,
            false => self.cleaned(&typed),
        };
        Ok(self.keys(row, key))
    }

    fn cleaned(&mut self, typed: &str) -> String {
        let key = pasted_key::cleaned(typed);
        if key != canonical_key(typed) {
            self.cleaned
                .add(|| format!("`{}` as `{key}`", shorten(typed)));
        }
        key
    }

    fn keys(&self, row: &SheetRow, key: String) -> Result<Vec<String>, Objection> {
        let key = intact(row, key)?;
        let doubt = pasted_key::doubt(&key);
        let suggestions = doubt.as_ref().map_or(&[][..], |doubt| doubt.suggestions());
        let reason = match &doubt {
            Some(doubt) => doubt.message(),
            None if row.is_number => {
                "The cell is a number, so leading zeros would be lost.".to_owned()
            }
            None => return Ok(vec![key]),
        };
        match self.options.keys {
            Choice::Keep => Ok(vec![key]),
            Choice::Use if !suggestions.is_empty() => Ok(suggestions.to_vec()),
            Choice::Use | Choice::Ask => {
                let meant = match suggestions.is_empty() {
                    true => String::new(),
                    false => format!(" Did you mean {}?", suggestions.join(" and ")),
                };
                Err(Objection {
                    reason: format!("`{}`: {reason}{meant}", shorten(&key)),
                    undecided: Some(Undecided::Key(suggestions.to_vec())),
                })
            }
        }
    }

    fn similar_tool(&mut self, name: &str) -> Option<String> {
        if name.is_empty() {
            return None;
        }
        if let Some(known) = self.similar.get(name) {
            return known.clone();
        }
        let similar = doubt::tool(name, self.tools);
        let similar = similar.and_then(|doubt| doubt.suggestions.into_iter().next());
        self.similar.insert(name.to_owned(), similar.clone());
        similar
    }

    fn action<E>(
        &mut self,
        row: &SheetRow,
        find: &mut impl FnMut(Find<'_>) -> Result<Option<License>, E>,
    ) -> Result<RowAction, E> {
        let new = match self.new_license(row) {
            Ok(new) => new,
            Err(reason) => return Ok(self.invalid(row, reason.into())),
        };
        let before = find(Find::Pair(&new.tool_name, &new.license_key))?;
        if let Some(id) = self.id(row)
            && before.as_ref().is_none_or(|before| before.id != id)
        {
            if let Some(named) = find(Find::Id(id))? {
                return Ok(self.invalid(row, other_license(&named, &new).into()));
            }
            // A server without tools is one that others move to.
            if before.is_none() && !self.tools.is_empty() {
                let unit = self.unit.as_str();
                self.gone.add(|| format!("{id} on {unit} {}", row.line));
            }
        }
        let Some(before) = before else {
            return Ok(match created_at(row) {
                Ok(created_at) => self.add(row.line, new, created_at),
                Err(reason) => self.invalid(row, reason.into()),
            });
        };
        let mut base = Draft::from(&before.values);
        if row.id.is_none() {
            // Not from our export: who adds a machine that is on trial has sold it a license.
            base.set("trial", "");
        }
        let customer = before.user_id.as_deref().unwrap_or_default();
        let draft = row.draft.clone().keeping_customer(customer).over(base);
        Ok(match Values::parse(&draft) {
            Ok(after) => self.change(row.line, before, after),
            Err(error) => self.invalid(row, reasons(&error).into()),
        })
    }

    /// Which license the row says it is; programs that read numbers with gaps write `66.0`.
    fn id(&mut self, row: &SheetRow) -> Option<i64> {
        let typed = row.id.as_deref().filter(|id| !id.is_empty())?;
        let whole = typed.split_once(['.', ',']);
        let whole = whole.filter(|(_, rest)| rest.bytes().all(|c| c == b'0'));
        let id = whole.map_or(typed, |(whole, _)| whole).parse().ok();
        if id.is_none() {
            let unit = self.unit.as_str();
            self.no_ids
                .add(|| format!("`{}` on {unit} {}", shorten(typed), row.line));
        }
        id
    }

    /// The row as a new license whose pair is not in an earlier row; the error is a message for
    /// people.
    fn new_license(&mut self, row: &SheetRow) -> Result<Values, String> {
        let draft = row.draft.clone().keeping_customer("").over(Draft::new());
        let new = Values::parse(&draft).map_err(|error| reasons(&error))?;
        let pair = (new.tool_name.clone(), new.license_key.clone());
        match *self.lines.entry(pair).or_insert(row.line) {
            line if line == row.line => Ok(new),
            line => Err(format!(
                "The license of {} for {} is already in the file, at {} {line}; keep one of them.",
                new.tool_name,
                new.license_key,
                self.unit.as_str()
            )),
        }
    }

    fn add(&mut self, line: u64, values: Values, created_at: Option<OffsetDateTime>) -> RowAction {
        self.fingerprint.text("add");
        if !self.existing.contains(&values.tool_name) && self.tools.contains(&values.tool_name) {
            self.existing.insert(values.tool_name.clone());
        }
        self.fingerprint.values(&values);
        self.expirations
            .look_at(self.unit, line, values.expiration_date, self.today);
        RowAction::Add { values, created_at }
    }

    fn change(&mut self, line: u64, before: License, after: Values) -> RowAction {
        self.fingerprint.text("license");
        self.fingerprint.license(&before);
        self.fingerprint.values(&after);
        if after == before.values {
            return RowAction::Unchanged;
        }
        if after.expiration_date != before.expiration_date {
            let unit = self.unit.as_str();
            if after.expiration_date.is_none() {
                self.cleared
                    .add(|| format!("{} on {unit} {line}", after.license_key));
            }
            self.expirations
                .look_at(self.unit, line, after.expiration_date, self.today);
        }
        RowAction::Change {
            before: Box::new(before),
            after,
        }
    }

    fn invalid(&mut self, row: &SheetRow, objection: Objection) -> RowAction {
        let Objection { reason, undecided } = objection;
        self.fingerprint.text("invalid");
        self.fingerprint.text(&reason);
        let [tool, key] =
            ["tool_name", "license_key"].map(|name| shorten(row.draft.get(name).trim()));
        RowAction::Invalid(InvalidRow {
            line: row.line,
            found: (!tool.is_empty() || !key.is_empty()).then_some((tool, key)),
            reason,
            undecided,
            cells: row.cells.clone(),
        })
    }

    fn notes(&self) -> Vec<String> {
        let notes = [
            self.cleaned
                .note("license key was cleaned", "license keys were cleaned"),
            self.no_ids.note(
                "`id` is not a number and was not compared with the licenses here",
                "cells of the column `id` are not numbers and were not compared with the licenses here",
            ),
            self.gone.note(
                "new license has an `id` that no license here has; it was deleted, or the file is from another server",
                "new licenses have an `id` that no license here has; they were deleted, or the file is from another server",
            ),
            self.cleared.note(
                "license would become perpetual",
                "licenses would become perpetual",
            ),
        ];
        let notes = notes.into_iter().chain(self.expirations.notes());
        notes.flatten().collect()
    }
}

/// A row says that it is a license, but it has the tool or the key of another.
fn other_license(named: &License, row: &Values) -> String {
    let License { id, .. } = named;
    let (theirs, ours) = match named.license_key == row.license_key {
        true => (&named.tool_name, &row.tool_name),
        false => (&named.license_key, &row.license_key),
    };
    let what = match named.license_key == row.license_key {
        true => "tool",
        false => "license key",
    };
    format!(
        "The column `id` says license {id}, whose {what} is `{theirs}`, but the row has `{ours}`. A \
         spreadsheet program may have changed it. If the file is from another server, ignore the column `id`."
    )
}

fn reasons(error: &Error) -> String {
    let all: Vec<&str> = error.problems().iter().map(|p| &*p.message).collect();
    all.join(" ")
}

/// When a new license was added in another system; the error is a message for people.
fn created_at(row: &SheetRow) -> Result<Option<OffsetDateTime>, String> {
    let typed = row.created_at.as_deref().unwrap_or_default().trim();
    if typed.is_empty() {
        return Ok(None);
    }
    read_moment(typed).map(Some).ok_or_else(|| {
        format!(
            "The creation time `{}` cannot be read; use YYYY-MM-DD HH:MM:SS in UTC, for example \
             2026-12-31 10:00:00, or leave it empty.",
            shorten(typed)
        )
    })
}

/// The key of a new license, unless a spreadsheet program has rounded it.
fn intact(row: &SheetRow, key: String) -> Result<String, Objection> {
    let is_rounded = row.is_number && (key.len() > EXACT_DIGITS || key.contains(['.', 'e', 'E']));
    match is_rounded || pasted_key::is_shortened(&key) {
        false => Ok(key),
        true => Err(format!(
            "The license key `{}` was shortened by the spreadsheet program and its digits are lost. Enter \
             the key again in a column of the format Text and save the file again.",
            shorten(&key)
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use time::macros::{date, datetime};

    use super::super::csv_line;
    use super::*;
    use crate::model::check::ListedLicense;
    use crate::model::license::Status;
    use crate::model::license::fields::{FIELDS, YES};
    use crate::model::published::{Row, csv_header};

    /// A license with a value in every field.
    fn license() -> License {
        let mut draft = Draft::new();
        for field in &FIELDS {
            let text = match field.name {
                "tool_name" => "T",
                "license_key" => "0a:1b:2c:3d:4e:5f",
                "status" => "suspended",
                _ if field.is_date() => "2026-12-31",
                "trial" => "",
                name => name,
            };
            draft.set(field.name, text);
        }
        License {
            id: 7,
            created_at: datetime!(2024-01-01 00:00 UTC),
            moved_to: None,
            seat: None,
            offline_until: None,
            values: Values::parse(&draft).unwrap(),
        }
    }

    fn plan_with(text: &str, there: Option<&License>) -> ImportPlan {
        chosen(text, there, &ImportOptions::default())
    }

    fn chosen(text: &str, there: Option<&License>, options: &ImportOptions) -> ImportPlan {
        let find = |find: Find<'_>| {
            let found = there.filter(|there| match find {
                Find::Pair(tool, key) => (tool, key) == (&*there.tool_name, &*there.license_key),
                Find::Id(id) => id == there.id,
            });
            Ok::<_, Infallible>(found.cloned())
        };
        let tools = [there.map_or("Tool", |there| &there.tool_name).to_owned()];
        let sheet = Sheet::read(text, options).unwrap();
        let Ok(plan) = ImportPlan::new(sheet, options, &tools, date!(2026 - 06 - 15), find);
        plan
    }

    /// A plan against the license above.
    fn plan(text: &str) -> ImportPlan {
        plan_with(text, Some(&license()))
    }

    fn only(text: &str) -> RowAction {
        let mut rows = plan(text).rows;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    fn reason(text: &str) -> String {
        match plan(text).rows.pop() {
            Some(RowAction::Invalid(row)) => row.reason,
            other => panic!("{other:?}"),
        }
    }

    /// The values that the license above gets.
    fn changed(text: &str) -> Values {
        match only(text) {
            RowAction::Change { before, after } => {
                assert_eq!(*before, license());
                after
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_exported_license_is_unchanged_and_makes_the_same_license_elsewhere() {
        let row = Row::from(ListedLicense {
            license: license(),
            last_seen_on: String::new(),
            last_check: None,
            address_count: 0,
            host_count: 0,
            activation_code: String::new(),
        });
        let csv = csv_header().unwrap() + &row.csv_line().unwrap();
        let json = serde_json::to_string(&[&row]).unwrap();
        let License {
            created_at, values, ..
        } = license();
        let added = RowAction::Add {
            values,
            created_at: Some(created_at),
        };
        for text in [csv, json] {
            assert_eq!(plan(&text).layout.ignored(), Vec::<String>::new(), "{text}");
            assert_eq!(only(&text), RowAction::Unchanged, "{text}");
            assert_eq!(
                plan_with(&text, None).rows,
                std::slice::from_ref(&added),
                "{text}"
            );
        }
    }

    #[test]
    fn a_license_that_was_deleted_is_pointed_out() {
        let deleted = plan("tool,key,id\nT,k,8\n");
        assert_eq!((deleted.numbers.new, deleted.notes.len()), (1, 1));
        assert!(deleted.notes[0].contains("8 on line 2"), "{deleted:?}");
        assert_eq!(plan("tool,key,id\nT,k,\n").notes, [""; 0]);
    }

    #[test]
    fn every_field_is_changed_by_its_column_alone() {
        for (at, field) in FIELDS.iter().enumerate() {
            let typed = match field.name {
                "tool_name" | "license_key" => continue,
                "status" => "revoked",
                _ if field.is_date() => "2027-01-31",
                "trial" => YES,
                _ => "other",
            };
            let header = csv_line(&["tool", "key", field.name]).unwrap();
            let after = changed(&format!("{header}T,0A-1B-2C-3D-4E-5F,{typed}"));
            let mut expected = license().values.texts().map(|text| text.into_owned());
            expected[at] = typed.to_owned();
            assert_eq!(after.texts().map(|text| text.into_owned()), expected);
        }
    }

    #[test]
    fn a_missing_column_changes_nothing() {
        let text = "tool,key\nT,0A-1B-2C-3D-4E-5F";
        assert_eq!(only(text), RowAction::Unchanged);
    }

    #[test]
    fn an_empty_cell_clears_all_but_the_status() {
        let optional: Vec<&str> = FIELDS.iter().map(|field| field.name).skip(2).collect();
        let commas = ",".repeat(optional.len());
        let text = format!("tool,key,{}\nT,0A1B2C3D4E5F{commas}", optional.join(","));
        let mut expected = license().values.texts().map(|_| String::new());
        for (at, kept) in ["T", "0a:1b:2c:3d:4e:5f", "suspended"].iter().enumerate() {
            expected[at] = (*kept).to_owned();
        }
        let after = changed(&text);
        assert_eq!(after.texts().map(|text| text.into_owned()), expected);
    }

    #[test]
    fn a_new_license_has_its_defaults() {
        let RowAction::Add { values, created_at } = only("tool,key,status\nT,k,") else {
            panic!()
        };
        assert_eq!((values.status, created_at), (Status::Activated, None));
        assert_eq!((values.expiration_date, values.note), (None, None));
    }

    #[test]
    fn the_creation_time_counts_for_new_licenses_only() {
        for (typed, expected) in [
            (
                "2023-10-27T10:00:00Z",
                Some(datetime!(2023-10-27 10:00 UTC)),
            ),
            (" ", None),
        ] {
            match only(&format!("tool,key,created_at\nT,k,{typed}")) {
                RowAction::Add { created_at, .. } => assert_eq!(created_at, expected),
                other => panic!("{typed}: {other:?}"),
            }
        }
        assert!(reason("tool,key,created_at\nT,k,yesterday").contains("`yesterday`"));
        let there = "tool,key,created_at\nT,0A1B2C3D4E5F,yesterday";
        assert_eq!(only(there), RowAction::Unchanged);
    }

    #[test]
    fn the_second_row_of_a_pair_is_invalid_and_names_the_first() {
        let plan = plan("tool,key\nT,0A1B2C3D4E5F\nT,k\nU,k\nT,0a:1b:2c:3d:4e:5f");
        let invalid: Vec<&InvalidRow> = plan.invalid().collect();
        let [
            InvalidRow {
                line: 5,
                found: Some(found),
                reason,
                ..
            },
        ] = &invalid[..]
        else {
            panic!("{invalid:?}")
        };
        assert_eq!((&*found.0, &*found.1), ("T", "0a:1b:2c:3d:4e:5f"));
        assert!(reason.contains("line 2"), "{reason}");
        let expected = ImportCounts {
            new: 2,
            changed: 0,
            unchanged: 1,
            invalid: 1,
        };
        assert_eq!(plan.numbers, expected);
        assert_eq!((plan.numbers.all(), plan.numbers.written()), (4, 2));
    }

    #[test]
    fn every_problem_of_a_row_is_named() {
        let reason = reason("tool,key,status,expires\n,,gone,2026-02-30");
        for word in ["tool name", "license key", "`gone`", "2026-02-30"] {
            assert!(reason.contains(word), "{word}: {reason}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_has_no_pair() {
        let plan = plan("tool,key\n\"T\"x,k\nT,\n");
        let found: Vec<bool> = plan.invalid().map(|row| row.found.is_some()).collect();
        assert_eq!(found, [false, true]);
    }

    #[test]
    fn a_shortened_number_is_no_key_of_a_new_license() {
        for key in ["4.41E+11", "\"1,23457E+12\"", " 1E+05 ", "9.9E+123"] {
            let reason = reason(&format!("tool,key\nT,{key}"));
            assert!(reason.contains("Text"), "{reason}");
        }
        for key in ["2E10", "E+11", "4.41E+1", "44.1E+11", "4.E+11", "4E+1x"] {
            assert!(!pasted_key::is_shortened(key), "{key}");
        }
        assert!(reason("tool,key\nT,4.41E11").contains("reformatted"));
        let mut there = license();
        there.values.license_key = "4.41E+11".to_owned();
        let plan = plan_with("tool,key\nT,4.41E+11", Some(&there));
        assert_eq!(plan.rows, [RowAction::Unchanged]);
    }

    #[test]
    fn another_license_or_another_row_is_another_fingerprint() {
        let text = "tool,key,user\nT,0A1B2C3D4E5F,Bob";
        let mut other = license();
        other.values.note = None;
        let mut newer = license();
        newer.id += 1;
        let invalid = "tool,key,user\nT,,Bob";
        let all: Vec<String> = [
            (text, None),
            (text, Some(license())),
            (text, Some(other)),
            (text, Some(newer)),
            ("tool,key,user\nT,0A1B2C3D4E5F,Bo", Some(license())),
            ("tool,key\nT,0A1B2C3D4E5F", Some(license())),
            (invalid, None),
        ]
        .iter()
        .map(|(text, there)| plan_with(text, there.as_ref()).fingerprint)
        .collect();
        assert_eq!(all[1], plan(text).fingerprint);
        for (at, fingerprint) in all.iter().enumerate() {
            assert!(!all[..at].contains(fingerprint), "{at}: {all:?}");
        }
    }

    /// The keys of new licenses.
    fn keys(plan: &ImportPlan) -> Vec<&str> {
        let values = plan.rows.iter().filter_map(|action| match action {
            RowAction::Add { values, .. } => Some(&*values.license_key),
            _ => None,
        });
        values.collect()
    }

    #[test]
    fn a_new_license_is_judged_by_the_name_that_is_stored() {
        let plan = plan(&format!(
            "tool,key,user\nT,a,Anna Meyer\nT,b,Anna{}Meyer\n",
            " ".repeat(300)
        ));
        let names = plan.rows.iter().map(|action| match action {
            RowAction::Add { values, .. } => values.user_id.as_deref(),
            other => panic!("{other:?}"),
        });
        assert!(names.eq([Some("Anna Meyer"); 2]));
    }

    #[test]
    fn a_doubtful_key_is_decided_once_for_all() {
        let text = "tool,key\nT,28:16:AD:00:00:OE\nT,\"28:16:AD:07:00:0D, 28:16:AD:07:00:0E\"\nT,4d:52:82:11:22\nT,PC-7";
        let plan = plan(text);
        assert_eq!((plan.numbers.new, plan.numbers.invalid), (1, 3));
        assert!(
            plan.invalid()
                .all(|row| matches!(row.undecided, Some(Undecided::Key(_))))
        );
        let with = |keys| ImportOptions {
            keys,
            ..ImportOptions::default()
        };
        let used = chosen(text, None, &with(Choice::Use));
        assert_eq!(
            keys(&used),
            [
                "28:16:ad:00:00:0e",
                "28:16:ad:07:00:0d",
                "28:16:ad:07:00:0e",
                "PC-7"
            ]
        );
        assert_eq!(used.numbers.invalid, 1);
        assert_eq!(chosen(text, None, &with(Choice::Keep)).numbers.new, 4);
    }

    #[test]
    fn a_file_of_another_server_has_ids_and_doubtful_keys_all_the_same() {
        let text = "id,tool,key\n1,Tool,28:16:AD:00:00:OE\n2,Tool,'quoted\n3,tool,k\n";
        let plan = plan_with(text, None);
        assert_eq!(keys(&plan), ["'quoted"]);
        let undecided: Vec<bool> = plan.invalid().map(|row| row.undecided.is_some()).collect();
        assert_eq!(undecided, [true, true]);
    }

    #[test]
    fn a_date_that_an_empty_cell_takes_away_is_pointed_out() {
        let notes = |cell: &str| plan(&format!("tool,key,expires\nT,0A1B2C3D4E5F,{cell}\n")).notes;
        assert!(
            notes("")
                .concat()
                .contains("perpetual: 0a:1b:2c:3d:4e:5f on line 2")
        );
        assert_eq!(notes("2026-12-31"), [""; 0]);
        assert_eq!(notes("2027-12-31"), [""; 0]);
    }

    #[test]
    fn a_license_that_is_there_keeps_its_doubtful_key() {
        let mut there = license();
        there.values.license_key = "4d:52:82:11:22".to_owned();
        let plan = plan_with("tool,key\nT,4d:52:82:11:22", Some(&there));
        assert_eq!(plan.rows, [RowAction::Unchanged]);
    }

    #[test]
    fn a_tool_that_is_nearly_another_is_asked_about() {
        let text = "tool,key\nt,a\nT ,b\nOther,c";
        let mut there = license();
        there.values.tool_name = "Tee".to_owned();
        let text = text.replace("\nt,", "\ntee,");
        let undecided = plan_with(&text, Some(&there));
        assert_eq!((undecided.numbers.new, undecided.numbers.invalid), (2, 1));
        for (tools, name) in [(Choice::Use, "Tee"), (Choice::Keep, "tee")] {
            let options = ImportOptions {
                tools,
                ..ImportOptions::default()
            };
            let plan = chosen(&text, Some(&there), &options);
            let first = plan.rows.into_iter().next();
            assert!(
                matches!(first, Some(RowAction::Add { values, .. }) if values.tool_name == name)
            );
        }
    }

    #[test]
    fn a_row_that_says_it_is_another_license_is_refused_with_both_keys() {
        let reason = reason("id,tool,key\n7,T,PC-8\n");
        assert!(reason.contains("license 7"), "{reason}");
        let keys = ["`0a:1b:2c:3d:4e:5f`", "`PC-8`"];
        assert!(keys.iter().all(|key| reason.contains(key)), "{reason}");
        assert!(self::reason("id,tool,key\n7.0,T,PC-8\n").contains("license 7"));
        let other = plan("id,tool,key\nab-12,T,PC-8\n,T,PC-9\n");
        assert_eq!(other.numbers.new, 2);
        assert!(
            other.notes.concat().contains("`ab-12` on line 2"),
            "{:?}",
            other.notes
        );
        assert_eq!(only("id,tool,key\n7,T,0A1B2C3D4E5F"), RowAction::Unchanged);
        assert_eq!(plan("id,tool,key\n8,T,PC-7\n").numbers.new, 1);
    }
}
