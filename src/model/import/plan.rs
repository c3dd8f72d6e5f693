//! What an import would do with each row of a file.

use std::collections::HashMap;

use time::OffsetDateTime;

use super::dates::read_moment;
use super::{RowUnit, Sheet, SheetRow, shorten};
use crate::error::Error;
use crate::model::fingerprint::Fingerprint;
use crate::model::license::{Draft, License, Values};
use crate::model::text::grouped;

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
}

/// Rows of a file by action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportCounts {
    pub new: i64,
    pub changed: i64,
    pub unchanged: i64,
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
    /// Unknown columns.
    pub ignored: Vec<String>,
    /// One for each row of the file.
    pub rows: Vec<RowAction>,
    pub numbers: ImportCounts,
    /// Covers every action and every license that already exists.
    pub fingerprint: String,
}

impl ImportPlan {
    /// `find` looks up a license by tool and canonical key; the inner error refuses the file.
    pub fn new<E>(
        mut sheet: Sheet<'_>,
        mut find: impl FnMut(&str, &str) -> Result<Option<License>, E>,
    ) -> Result<Result<ImportPlan, Error>, E> {
        let unit = sheet.unit;
        let mut planner = Planner {
            unit,
            lines: HashMap::new(),
            fingerprint: Fingerprint::default(),
        };
        let (mut rows, mut numbers) = (Vec::new(), ImportCounts::default());
        for row in sheet.by_ref() {
            let action = planner.action(row, &mut find)?;
            numbers.count(&action);
            rows.push(action);
        }
        Ok(sheet.into_ignored().map(|ignored| ImportPlan {
            unit,
            ignored,
            rows,
            numbers,
            fingerprint: planner.fingerprint.finish(),
        }))
    }

    pub fn invalid(&self) -> impl Iterator<Item = &InvalidRow> {
        self.rows.iter().filter_map(|action| match action {
            RowAction::Invalid(row) => Some(row),
            RowAction::Add { .. } | RowAction::Change { .. } | RowAction::Unchanged => None,
        })
    }
}

struct Planner {
    unit: RowUnit,
    /// The first line of each pair of tool and key.
    lines: HashMap<(String, String), u64>,
    fingerprint: Fingerprint,
}

impl Planner {
    fn action<E>(
        &mut self,
        row: SheetRow,
        find: &mut impl FnMut(&str, &str) -> Result<Option<License>, E>,
    ) -> Result<RowAction, E> {
        let new = match self.new_license(&row) {
            Ok(new) => new,
            Err(reason) => return Ok(self.invalid(&row, reason)),
        };
        let Some(before) = find(&new.tool_name, &new.license_key)? else {
            return Ok(match created_at(&row, &new) {
                Ok(created_at) => self.add(new, created_at),
                Err(reason) => self.invalid(&row, reason),
            });
        };
        let draft = row.draft.clone().over(Draft::from(&before.values));
        Ok(match Values::parse(&draft) {
            Ok(after) => self.change(before, after),
            Err(error) => self.invalid(&row, reasons(&error)),
        })
    }

    /// The row as a new license whose pair is not in an earlier row; the error is a message for
    /// people.
    fn new_license(&mut self, row: &SheetRow) -> Result<Values, String> {
        if let Some(problem) = &row.problem {
            return Err(problem.clone());
        }
        let draft = row.draft.clone().over(Draft::new());
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

    fn add(&mut self, values: Values, created_at: Option<OffsetDateTime>) -> RowAction {
        self.fingerprint.text("add");
        self.fingerprint.values(&values);
        RowAction::Add { values, created_at }
    }

    fn change(&mut self, before: License, after: Values) -> RowAction {
        self.fingerprint.text("license");
        self.fingerprint.license(&before);
        self.fingerprint.values(&after);
        match after == before.values {
            true => RowAction::Unchanged,
            false => RowAction::Change {
                before: Box::new(before),
                after,
            },
        }
    }

    fn invalid(&mut self, row: &SheetRow, reason: String) -> RowAction {
        self.fingerprint.text("invalid");
        self.fingerprint.text(&reason);
        let [tool, key] =
            ["tool_name", "license_key"].map(|name| shorten(row.draft.get(name).trim()));
        RowAction::Invalid(InvalidRow {
            line: row.line,
            found: (!tool.is_empty() || !key.is_empty()).then_some((tool, key)),
            reason,
        })
    }
}

fn reasons(error: &Error) -> String {
    let all: Vec<&str> = error.problems().iter().map(|p| &*p.message).collect();
    all.join(" ")
}

/// When a new license was added in another system; the error is a message for people.
fn created_at(row: &SheetRow, new: &Values) -> Result<Option<OffsetDateTime>, String> {
    if is_shortened(&new.license_key) {
        return Err(format!(
            "The license key `{}` was shortened by the spreadsheet program and its digits are lost. \
             Enter the key again in a column of the format Text and save the file again.",
            new.license_key
        ));
    }
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

/// `4.41E+11`, as spreadsheet programs write a long number.
fn is_shortened(key: &str) -> bool {
    let is_number = |digits: &str| digits.bytes().all(|c| c.is_ascii_digit());
    let Some((number, power)) = key.split_once("E+") else {
        return false;
    };
    let (first, others) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    first.len() == 1
        && power.len() >= 2
        && !others.is_empty()
        && [first, others, power].into_iter().all(is_number)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use time::macros::datetime;

    use super::super::csv_line;
    use super::*;
    use crate::model::check::ListedLicense;
    use crate::model::license::Status;
    use crate::model::license::fields::FIELDS;
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
                name => name,
            };
            draft.set(field.name, text);
        }
        License {
            id: 7,
            created_at: datetime!(2024-01-01 00:00 UTC),
            moved_to: None,
            values: Values::parse(&draft).unwrap(),
        }
    }

    fn plan_with(text: &str, there: Option<&License>) -> ImportPlan {
        let find = |tool: &str, key: &str| {
            let found =
                there.filter(|there| (tool, key) == (&*there.tool_name, &*there.license_key));
            Ok::<_, Infallible>(found.cloned())
        };
        let Ok(plan) = ImportPlan::new(Sheet::read(text).unwrap(), find);
        plan.unwrap()
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
            assert_eq!(plan(&text).ignored, Vec::<String>::new(), "{text}");
            assert_eq!(only(&text), RowAction::Unchanged, "{text}");
            assert_eq!(
                plan_with(&text, None).rows,
                std::slice::from_ref(&added),
                "{text}"
            );
        }
    }

    #[test]
    fn every_field_is_changed_by_its_column_alone() {
        for (at, field) in FIELDS.iter().enumerate() {
            let typed = match field.name {
                "tool_name" | "license_key" => continue,
                "status" => "revoked",
                _ if field.is_date() => "2027-01-31",
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
        let plan = plan("tool,key\nT,0A1B2C3D4E5F\nT,k\nt,k\nT,0a:1b:2c:3d:4e:5f");
        let invalid: Vec<&InvalidRow> = plan.invalid().collect();
        let [
            InvalidRow {
                line: 5,
                found: Some(found),
                reason,
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
        let plan = plan("tool,key\nT,k,x\nT,\n");
        let found: Vec<bool> = plan.invalid().map(|row| row.found.is_some()).collect();
        assert_eq!(found, [false, true]);
    }

    #[test]
    fn a_shortened_number_is_no_key_of_a_new_license() {
        for key in ["4.41E+11", "\"1,23457E+12\"", " 1E+05 ", "9.9E+123"] {
            let reason = reason(&format!("tool,key\nT,{key}"));
            assert!(reason.contains("Text"), "{reason}");
        }
        for key in ["4.41E11", "E+11", "4.41E+1", "44.1E+11", "4.E+11", "4E+1x"] {
            assert!(!is_shortened(key), "{key}");
        }
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
}
