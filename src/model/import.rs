//! What an import makes of each row of a file.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, Time};

use super::audit::values;
use super::license::License;
use super::new_license::{Draft, NewLicense, read_date};
use super::sheet::{CountsBy, SheetDraft, SheetRow, decode, each_row, normal_date};
use super::text::grouped;
use crate::error::Error;

/// Begins the last line of a table whose export could not be finished.
const BROKEN_OFF: &str = "THE EXPORT BROKE OFF HERE";

/// Characters of a file's name that are kept.
const FILE_NAME: usize = 100;

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// There is no such license yet.
    New {
        /// Its values.
        license: NewLicense,
        /// When it was added, where the file says so.
        created_at: Option<OffsetDateTime>,
    },
    /// There is one with other values.
    Changed {
        /// As it is.
        before: License,
        /// As it would be.
        after: NewLicense,
    },
    /// There is one with these values.
    Unchanged,
    /// It cannot be imported; the reason is for a person.
    Wrong(String),
}

/// A row that has been judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The line or element, from 1 on.
    pub line: u64,
    /// Tool and key as they stand in the file, where they can be read.
    pub found: Option<(String, String)>,
    /// What becomes of it.
    pub fate: Fate,
}

/// How many rows of each kind a file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Licenses that are added.
    pub new: i64,
    /// Licenses that get other values.
    pub changed: i64,
    /// Licenses that have these values already.
    pub unchanged: i64,
    /// Rows that are left out.
    pub wrong: i64,
}

impl Numbers {
    /// All rows.
    pub fn all(&self) -> i64 {
        self.new + self.changed + self.unchanged + self.wrong
    }

    /// Rows that write something.
    pub fn written(&self) -> i64 {
        self.new + self.changed
    }

    /// `3 added, 2 changed, 1 as before, 4 left out`.
    pub fn in_words(&self) -> String {
        let words = [
            (self.new, "added"),
            (self.changed, "changed"),
            (self.unchanged, "as before"),
            (self.wrong, "left out"),
        ];
        words
            .map(|(number, word)| format!("{} {word}", grouped(number)))
            .join(", ")
    }
}

/// Judges the rows of one file, one after the other.
pub struct Judge {
    counts_by: CountsBy,
    /// The line on which each pair of tool and key stands first, by its hash.
    lines: HashMap<[u8; 16], u64>,
    numbers: Numbers,
    /// Over every fate, and over every license that is there already.
    hasher: Sha256,
}

impl Judge {
    /// For the rows of this text.
    pub fn of(text: &str) -> Judge {
        Judge {
            counts_by: CountsBy::of(text),
            lines: HashMap::new(),
            numbers: Numbers::default(),
            hasher: Sha256::new(),
        }
    }

    /// The next row; `find` looks for the license of a tool and a canonical key.
    pub fn judge(
        &mut self,
        row: SheetRow,
        find: impl FnOnce(&str, &str) -> Result<Option<License>, Error>,
    ) -> Result<Judged, Error> {
        let SheetRow { line, draft } = row;
        let (found, fate) = match draft {
            Err(reason) => (None, Fate::Wrong(reason)),
            Ok(draft) => {
                let fate = self.fate(line, &draft, find)?;
                (found(draft), fate)
            }
        };
        self.hasher.update(line.to_be_bytes());
        match &fate {
            Fate::New { .. } => {
                self.numbers.new += 1;
                self.hasher.update(b"new");
            }
            Fate::Changed { before, .. } => {
                self.numbers.changed += 1;
                self.hasher.update(before.id.to_be_bytes());
                self.hasher.update(values(before));
            }
            Fate::Unchanged => {
                self.numbers.unchanged += 1;
                self.hasher.update(b"unchanged");
            }
            Fate::Wrong(_) => {
                self.numbers.wrong += 1;
                self.hasher.update(b"wrong");
            }
        }
        Ok(Judged { line, found, fate })
    }

    fn fate(
        &mut self,
        line: u64,
        draft: &SheetDraft,
        find: impl FnOnce(&str, &str) -> Result<Option<License>, Error>,
    ) -> Result<Fate, Error> {
        if let Some(problem) = &draft.problem {
            return Ok(Fate::Wrong(problem.clone()));
        }
        // Also tells the pair: its canonical spelling stands in the values.
        let fresh = match NewLicense::parse(&merged(draft, None)) {
            Ok(fresh) => fresh,
            Err(error) => return Ok(Fate::Wrong(reasons(&error))),
        };
        if let Some(first) = self.first(&fresh, line) {
            return Ok(Fate::Wrong(format!(
                "The license of {} for {} is in the file already, at {} {first}; keep one of the two.",
                fresh.tool_name,
                fresh.license_key,
                self.counts_by.as_str()
            )));
        }
        let Some(before) = find(&fresh.tool_name, &fresh.license_key)? else {
            return Ok(match created_at(draft) {
                Ok(_) if is_shortened(&fresh.license_key) => Fate::Wrong(format!(
                    "The license key `{}` is a number that the spreadsheet program has shortened, its \
                     digits are lost; enter the key again in a column of the format Text and save the \
                     file once more.",
                    fresh.license_key
                )),
                Ok(created_at) => Fate::New {
                    license: fresh,
                    created_at,
                },
                Err(reason) => Fate::Wrong(reason),
            });
        };
        let after = match NewLicense::parse(&merged(draft, Some(&before))) {
            Ok(after) => after,
            Err(error) => return Ok(Fate::Wrong(reasons(&error))),
        };
        Ok(if after == NewLicense::from(&before) {
            Fate::Unchanged
        } else {
            Fate::Changed { before, after }
        })
    }

    /// The line on which this pair stood before.
    fn first(&mut self, license: &NewLicense, line: u64) -> Option<u64> {
        let mut hasher = Sha256::new();
        hasher.update(&license.tool_name);
        hasher.update([0]);
        hasher.update(&license.license_key);
        let hash: [u8; 32] = hasher.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        let first = *self.lines.entry(half).or_insert(line);
        (first != line).then_some(first)
    }

    /// How many rows of each kind there were.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Of everything that was judged: the same file and the same licenses have the same.
    pub fn fingerprint(self) -> String {
        let hash: [u8; 32] = self.hasher.finalize().into();
        let half = hash[..16].iter();
        half.map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The row over the license that is there, or over what a new one begins with: a column that the
/// file does not have changes nothing, an empty cell empties.
fn merged(draft: &SheetDraft, before: Option<&License>) -> Draft {
    let base = before.map_or_else(Draft::new, Draft::from);
    let new = |given: &Option<String>, old: String| given.clone().unwrap_or(old);
    let status = draft.status.clone().filter(|word| !word.trim().is_empty());
    Draft {
        tool_name: new(&draft.tool_name, String::new()),
        license_key: new(&draft.license_key, String::new()),
        status: status.unwrap_or(base.status),
        user_id: new(&draft.user_id, base.user_id),
        expiration_date: new(&draft.expiration_date, base.expiration_date),
        note: new(&draft.note, base.note),
    }
}

fn reasons(error: &Error) -> String {
    let all: Vec<&str> = error.problems().iter().map(|p| &*p.message).collect();
    all.join(" ")
}

fn found(draft: SheetDraft) -> Option<(String, String)> {
    let shown = |text: Option<String>| -> String {
        let text = text.unwrap_or_default();
        text.trim().chars().take(120).collect()
    };
    let (tool, key) = (shown(draft.tool_name), shown(draft.license_key));
    (!tool.is_empty() || !key.is_empty()).then_some((tool, key))
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

/// In UTC, as the API tells it; a day alone is its beginning.
fn created_at(draft: &SheetDraft) -> Result<Option<OffsetDateTime>, String> {
    let typed = draft.created_at.as_deref().unwrap_or_default().trim();
    if typed.is_empty() {
        return Ok(None);
    }
    read_moment(typed).map(Some).ok_or_else(|| {
        let shown: String = typed.chars().take(120).collect();
        format!(
            "The moment of creation `{shown}` cannot be read; write it as YYYY-MM-DD HH:MM:SS in \
             UTC, such as 2026-12-31 10:00:00, or leave it empty."
        )
    })
}

fn read_moment(typed: &str) -> Option<OffsetDateTime> {
    let (day, time) = typed.split_once([' ', 'T']).unwrap_or((typed, "0:00"));
    let day = normal_date(day).ok().and_then(|day| read_date(&day))?;
    let time = time.trim();
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let short = format_description!("[hour padding:none]:[minute]");
    let long = format_description!("[hour padding:none]:[minute]:[second]");
    let time = Time::parse(time, long).or_else(|_| Time::parse(time, short));
    Some(PrimitiveDateTime::new(day, time.ok()?).assume_utc())
}

/// The last line of a table whose export could not be finished: no import takes it.
pub fn broken_off() -> String {
    format!("\"{BROKEN_OFF}: the server met a fault, rows are missing. Export once more.\"\r\n")
}

/// Refuses a file that is only the beginning of an export.
fn is_whole(text: &str) -> Result<(), Error> {
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    if !last.trim_start_matches('"').starts_with(BROKEN_OFF) {
        return Ok(());
    }
    Err(Error::invalid(
        "file",
        "The file is an export that broke off: its last line says so, and rows are missing. Export \
         once more.",
    ))
}

/// The text of a file that has rows; the error is about the whole file.
pub fn readable(bytes: &[u8]) -> Result<String, Error> {
    let text = decode(bytes)?;
    is_whole(&text)?;
    if count_rows(&text)? == 0 {
        return Err(Error::invalid(
            "file",
            match CountsBy::of(&text) {
                CountsBy::Line => "The file has a header and no row below it.",
                CountsBy::Element => "The file is an empty array.",
            },
        ));
    }
    Ok(text)
}

/// How many rows a text has; the error is about the whole file.
pub fn count_rows(text: &str) -> Result<i64, Error> {
    let mut rows = 0;
    each_row(text, &mut |_| {
        rows += 1;
        Ok(())
    })?;
    Ok(rows)
}

/// The last part of a path as a browser sends it, fit to be shown.
pub fn file_name(sent: &str) -> String {
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = last.chars().filter(|c| !c.is_control()).take(FILE_NAME);
    let name = name.collect::<String>().trim().to_owned();
    if name.is_empty() {
        "the file".to_owned()
    } else {
        name
    }
}

/// What differs between two states of a license, for a person: name, before, after.
pub fn differences(before: &License, after: &NewLicense) -> Vec<(&'static str, String, String)> {
    let (before, after) = (Draft::from(before), Draft::from(after));
    [
        ("Status", before.status, after.status),
        ("Customer", before.user_id, after.user_id),
        ("Ends", before.expiration_date, after.expiration_date),
        ("Note", before.note, after.note),
    ]
    .into_iter()
    .filter(|(_, before, after)| before != after)
    .collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::model::license::Status;

    fn license() -> License {
        License {
            id: 7,
            created_at: datetime!(2024-01-01 00:00 UTC),
            tool_name: "T".into(),
            license_key: "0a:1b:2c:3d:4e:5f".into(),
            status: Status::Suspended,
            user_id: Some("Anna".into()),
            expiration_date: read_date("2026-12-31"),
            note: Some("old".into()),
            moved_to: None,
        }
    }

    #[test]
    fn a_shortened_number_is_no_key_of_a_new_license() {
        for key in ["4.41E+11", "\"1,23457E+12\"", " 1E+05 ", "9.9E+123"] {
            let fates = fates(&format!("tool,key\nT,{key}"));
            let Fate::Wrong(reason) = &fates[0] else {
                panic!("{key}: {fates:?}")
            };
            assert!(reason.contains("Text"), "{reason}");
        }
        for key in ["4.41E11", "E+11", "4.41E+1", "44.1E+11", "4.E+11", "4E+1x"] {
            assert!(!is_shortened(key), "{key}");
        }
    }

    /// The fates of the rows, where the license above is there.
    fn fates(text: &str) -> Vec<Fate> {
        let mut judge = Judge::of(text);
        let mut fates = vec![];
        each_row(text, &mut |row| {
            let there = license();
            let judged = judge.judge(row, |tool, key| {
                let is_it = (tool, key) == (&*there.tool_name, &*there.license_key);
                Ok(is_it.then_some(there))
            })?;
            fates.push(judged.fate);
            Ok(())
        })
        .unwrap();
        fates
    }

    fn only(text: &str) -> Fate {
        let mut fates = fates(text);
        assert_eq!(fates.len(), 1, "{fates:?}");
        fates.remove(0)
    }

    fn reason(text: &str) -> String {
        match fates(text).pop() {
            Some(Fate::Wrong(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_column_that_is_not_there_changes_nothing() {
        assert_eq!(only("tool,key\nT,0A-1B-2C-3D-4E-5F"), Fate::Unchanged);
        let Fate::Changed { before, after } = only("tool,key,user\nT,0A1B2C3D4E5F,Bob") else {
            panic!()
        };
        let expected = NewLicense {
            user_id: Some("Bob".into()),
            ..NewLicense::from(&before)
        };
        assert_eq!(after, expected);
    }

    #[test]
    fn an_empty_cell_empties_all_but_the_status() {
        let text = "tool,key,status,user,ends,note\nT,0A1B2C3D4E5F,,,,";
        let Fate::Changed { after, .. } = only(text) else {
            panic!()
        };
        assert_eq!(after.status, Status::Suspended);
        assert_eq!(
            (after.user_id, after.expiration_date, after.note),
            (None, None, None)
        );
    }

    #[test]
    fn a_new_license_has_its_defaults() {
        let Fate::New {
            license,
            created_at,
        } = only("tool,key,status\nT,k,")
        else {
            panic!()
        };
        assert_eq!((license.status, created_at), (Status::Activated, None));
        assert_eq!(license.note, None);
    }

    #[test]
    fn the_moment_of_creation_counts_for_new_licenses_only() {
        let is_read = |typed: &str| {
            let text = format!("tool,key,created_at\nT,k,{typed}");
            match only(&text) {
                Fate::New { created_at, .. } => created_at,
                other => panic!("{typed}: {other:?}"),
            }
        };
        for typed in [
            "2023-10-27 10:00:00",
            "2023-10-27T10:00:00Z",
            "2023-10-27T10:00:00.000Z",
            "2023-10-27 10:00",
            "27.10.2023 10:00",
            "10/27/2023 10:00",
        ] {
            assert_eq!(is_read(typed), Some(datetime!(2023-10-27 10:00 UTC)));
        }
        assert_eq!(is_read("2023-10-27"), Some(datetime!(2023-10-27 0:00 UTC)));
        assert_eq!(is_read(" "), None);
        for typed in [
            "yesterday",
            "2023-10-27 25:00",
            "2023-02-30",
            "5",
            "2023-10-27 1:00.",
        ] {
            let text = format!("tool,key,created_at\nT,k,{typed}");
            assert!(reason(&text).contains(typed), "{typed}");
        }
        let there = "tool,key,created_at\nT,0A1B2C3D4E5F,yesterday";
        assert_eq!(only(there), Fate::Unchanged);
    }

    #[test]
    fn the_second_row_of_a_pair_is_wrong_and_names_the_first() {
        let found = fates("tool,key\nT,0A1B2C3D4E5F\nT,k\nt,k\nT,0a:1b:2c:3d:4e:5f");
        let Fate::Wrong(reason) = &found[3] else {
            panic!("{found:?}")
        };
        assert!(reason.contains("line 2"), "{reason}");
        assert_eq!(
            found.iter().filter(|f| matches!(f, Fate::Wrong(_))).count(),
            1
        );
    }

    #[test]
    fn every_fault_of_a_row_is_named() {
        let reason = reason("tool,key,status,ends\n,,gone,2026-02-30");
        for word in ["tool name", "license key", "`gone`", "2026-02-30"] {
            assert!(reason.contains(word), "{word}: {reason}");
        }
    }

    #[test]
    fn another_license_is_another_fingerprint() {
        let fingerprint = |text: &str, there: Option<License>| {
            let mut judge = Judge::of(text);
            each_row(text, &mut |row| {
                judge.judge(row, |_, _| Ok(there.clone())).map(drop)
            })
            .unwrap();
            judge.fingerprint()
        };
        let text = "tool,key,user\nT,0A1B2C3D4E5F,Bob";
        let other = License {
            note: None,
            ..license()
        };
        let all = [
            fingerprint(text, None),
            fingerprint(text, Some(license())),
            fingerprint(text, Some(other)),
        ];
        assert_eq!(all[1], fingerprint(text, Some(license())));
        assert!(all[0] != all[1] && all[1] != all[2], "{all:?}");
    }

    #[test]
    fn an_export_that_broke_off_is_refused() {
        let text = format!("tool,key\r\nT,k\r\n{}", broken_off());
        assert!(is_whole(&text).is_err());
        assert!(is_whole(&format!("{};;;\r\n\r\n", text.trim_end())).is_err());
        assert!(is_whole("tool,key\r\nT,k\r\n").is_ok());
    }

    #[test]
    fn a_file_has_its_name_without_the_folder() {
        assert_eq!(file_name("C:\\Users\\a\\licenses.csv"), "licenses.csv");
        assert_eq!(file_name("../a/b\u{7}.csv"), "b.csv");
        assert_eq!(file_name(" "), "the file");
    }
}
