//! Why a check has its result, and which license was probably meant.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::Service;
use crate::error::Error;
use crate::model::audit::Entry;
use crate::model::check::ListedLicense;
use crate::model::diagnosis::{CheckSteps, Expiration, Reading};
use crate::model::license::{License, Verdict};
use crate::model::machine_id::{self, MachineIdWarning};
use crate::model::near_miss::{self, Mismatch, key_mismatch, name_mismatch};
use crate::model::question::Question;
use crate::model::unlicensed::UnlicensedMachine;
use crate::store::{Db, Read, audit, former_pairs, licenses, search, tools, unlicensed_machines};

pub const MAX_NEAR_MISSES: usize = 20;

/// Licenses read to find near misses.
const MAX_READ: usize = 30;

/// Licenses that share a part of the key and are compared, for each of two groups of parts.
const MAX_CANDIDATES: usize = 500;

/// Tools with a similar name.
const MAX_TOOLS: usize = 5;

/// Licenses that previously had the tool and key.
const MAX_FORMER: i64 = 5;

/// Licenses for the same machine in a warning.
const MAX_DUPLICATES: usize = 5;

/// The steps of a check at one moment, and what may have been meant.
pub struct Diagnosis {
    pub now: OffsetDateTime,
    /// What the tool receives; an error if the request is invalid.
    pub answer: Result<Verdict, Error>,
    pub steps: CheckSteps,
    pub license: Option<License>,
    /// The license that it was moved to.
    pub successor: Option<License>,
    /// Earlier checks without a license.
    pub unlicensed: Option<UnlicensedMachine>,
    /// Why the key may not identify a single machine.
    pub warnings: Vec<MachineIdWarning>,
    /// Tools with a similar name, if no tool has this name.
    pub similar_tools: Vec<(String, Mismatch)>,
    /// Nearest first, at most [`MAX_NEAR_MISSES`].
    pub near_misses: Vec<NearMiss>,
    pub has_more: bool,
    /// Licenses that previously had the tool and key.
    pub former: Vec<FormerLicense>,
}

impl Diagnosis {
    fn new(now: OffsetDateTime, answer: Result<Verdict, Error>, steps: CheckSteps) -> Diagnosis {
        Diagnosis {
            now,
            answer,
            steps,
            license: None,
            successor: None,
            unlicensed: None,
            warnings: Vec::new(),
            similar_tools: Vec::new(),
            near_misses: Vec::new(),
            has_more: false,
            former: Vec::new(),
        }
    }
}

/// A license that almost has the tool and key that were checked.
pub struct NearMiss {
    pub listed: ListedLicense,
    pub tool: ToolMatch,
    /// None if the keys are equal.
    pub key: Option<Mismatch>,
}

/// Compared with the tool that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolMatch {
    Same,
    Similar(Mismatch),
    Other,
}

/// A license that previously had the tool and key.
pub struct FormerLicense {
    /// The audit entry that took them away.
    pub entry: Entry,
    /// Its current state; none if it was deleted.
    pub license: Option<License>,
}

/// Possible mistakes in a license: hints for the admin that forbid nothing.
pub struct LicenseWarnings {
    /// Why the key may not identify a single machine.
    pub machine_id: Vec<MachineIdWarning>,
    /// Licenses of the same tool for the same machine ID in another spelling.
    pub duplicates: Vec<License>,
}

impl LicenseWarnings {
    pub fn is_empty(&self) -> bool {
        self.machine_id.is_empty() && self.duplicates.is_empty()
    }
}

impl Service {
    /// What [`Service::check`] would answer now, and why. Records nothing and counts against no rate limit.
    pub fn diagnose(&self, tool_name: &str, license_key: &str) -> Result<Diagnosis, Error> {
        let now = self.clock.now();
        let question = match Question::parse(tool_name, license_key) {
            Ok(question) => question,
            Err(error) => return Ok(Diagnosis::new(now, Err(error), CheckSteps::invalid())),
        };
        let checked = self.checked(&question)?;
        let verdict = self.verdict(&question, checked, now);
        let grace_days = self.tool(question.tool_name).grace_days;
        let found = checked.map(|license| {
            let date = license.expiration_date;
            let expiration = Expiration::new(date, grace_days, now, self.utc_offset);
            (license.status, expiration)
        });
        let reading = Reading::new(&question);
        self.store.read_tx(|db| {
            let has_tool = checked.is_some() || tools::exists(db, question.tool_name)?;
            let steps = CheckSteps::new(reading, has_tool, found, verdict);
            let mut diagnosis = Diagnosis::new(now, Ok(verdict), steps);
            diagnosis.warnings = machine_id::warnings(&question.license_key);
            diagnosis.unlicensed = unlicensed_machines::get(db, &question)?;
            if let Some(checked) = checked {
                diagnosis.license = licenses::get(db, checked.id)?;
            }
            if let Some(id) = diagnosis
                .license
                .as_ref()
                .and_then(|license| license.moved_to)
            {
                diagnosis.successor = licenses::get(db, id)?;
            }
            if verdict.is_refusal() {
                let similar = similar_tools(&tools::names(db)?, question.tool_name, has_tool);
                let mut ids = near_ids(db, &question, &similar)?;
                ids.retain(|id| checked.is_none_or(|license| license.id != *id));
                let mut near_misses = near_misses(db, &question, &similar, &ids)?;
                diagnosis.has_more = near_misses.len() > MAX_NEAR_MISSES;
                near_misses.truncate(MAX_NEAR_MISSES);
                diagnosis.near_misses = near_misses;
                diagnosis.former = former_licenses(db, &question, &similar)?;
                if !has_tool {
                    diagnosis.similar_tools = similar;
                }
            }
            Ok(diagnosis)
        })
    }

    pub fn warnings(&self, license: &License) -> Result<LicenseWarnings, Error> {
        Ok(LicenseWarnings {
            machine_id: machine_id::warnings(&license.license_key),
            duplicates: self.store.read_tx(|db| duplicates(db, license))?,
        })
    }
}

/// Tools with a similar name. If the tool itself exists, a name that could be a typo is another tool:
/// `Tool_A` is not meant for `Tool_B`.
fn similar_tools(names: &[String], checked: &str, exists: bool) -> Vec<(String, Mismatch)> {
    let similar = names.iter().filter_map(|name| {
        let mismatch = name_mismatch(checked, name)?;
        (!exists || !mismatch.is_typo()).then_some((name.clone(), mismatch))
    });
    similar.take(MAX_TOOLS).collect()
}

/// The license that the machine was most probably meant for; `names` are those of all tools.
pub(super) fn nearest(
    db: &Db,
    question: &Question<'_>,
    names: &[String],
) -> Read<Option<NearMiss>> {
    let has_tool = names.iter().any(|name| name == question.tool_name);
    let similar = similar_tools(names, question.tool_name, has_tool);
    let ids = near_ids(db, question, &similar)?;
    let near_misses = near_misses(db, question, &similar, &ids)?;
    Ok(near_misses.into_iter().next())
}

/// Licenses that may be near misses, without duplicates, most probable first.
fn near_ids(db: &Db, question: &Question<'_>, similar: &[(String, Mismatch)]) -> Read<Vec<i64>> {
    let key = &*question.license_key;
    let mut ids = other_spellings(db, question.tool_name, key)?;
    for (tool, _) in similar {
        ids.extend(licenses::id_of(db, tool, key)?);
    }
    ids.extend(licenses::of_key(db, key, MAX_NEAR_MISSES + 1)?);
    ids.extend(similar_keys(db, key)?.into_iter().map(|(id, _)| id));
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

/// Licenses of the tool for the same machine ID in another spelling that can be guessed.
fn other_spellings(db: &Db, tool_name: &str, key: &str) -> Read<Vec<i64>> {
    let spellings = near_miss::spellings(key).into_iter();
    let ids = spellings.map(|spelling| licenses::id_of(db, tool_name, &spelling));
    ids.filter_map(Read::transpose).collect()
}

/// Licenses of any tool with a similar key, nearest first.
fn similar_keys(db: &Db, key: &str) -> Read<Vec<(i64, Mismatch)>> {
    let mut candidates = Vec::new();
    for parts in near_miss::parts(key) {
        if !parts.is_empty() {
            let parts = parts.iter().map(String::as_str);
            candidates.extend(search::having_any(db, parts, MAX_CANDIDATES)?);
        }
    }
    Ok(near_miss::ranked(key, candidates.into_iter()))
}

/// Nearest first. A typo counts only for the checked tool or one with a similar name: other tools have too
/// many similar keys.
fn near_misses(
    db: &Db,
    question: &Question<'_>,
    similar: &[(String, Mismatch)],
    ids: &[i64],
) -> Read<Vec<NearMiss>> {
    let mut near_misses = Vec::new();
    for id in ids.iter().take(MAX_READ) {
        let Some(listed) = licenses::listed(db, *id)? else {
            continue;
        };
        let tool_name = &listed.license.tool_name;
        let is_same = tool_name == question.tool_name;
        let is_meant = is_same || similar.iter().any(|(name, _)| name == tool_name);
        let tool = match name_mismatch(question.tool_name, tool_name) {
            _ if is_same => ToolMatch::Same,
            Some(mismatch) => ToolMatch::Similar(mismatch),
            None => ToolMatch::Other,
        };
        let key = key_mismatch(&question.license_key, &listed.license.license_key);
        let is_typo = key.is_some_and(Mismatch::is_typo);
        if is_meant || !is_typo {
            near_misses.push((!is_meant, is_typo, !is_same, NearMiss { listed, tool, key }));
        }
    }
    near_misses
        .sort_by_key(|(is_other, is_typo, is_similar, _)| (*is_other, *is_typo, *is_similar));
    Ok(near_misses
        .into_iter()
        .map(|(.., near_miss)| near_miss)
        .collect())
}

/// Licenses other than the current one that the tool, or one with a similar name, previously had for the key.
fn former_licenses(
    db: &Db,
    question: &Question<'_>,
    similar: &[(String, Mismatch)],
) -> Read<Vec<FormerLicense>> {
    let key = &*question.license_key;
    let similar = similar.iter().map(|(name, _)| name.as_str());
    let mut former: Vec<FormerLicense> = Vec::new();
    let mut seen = HashSet::new();
    for tool in std::iter::once(question.tool_name).chain(similar) {
        for (license_id, audit_id) in former_pairs::of(db, tool, key, MAX_FORMER)? {
            let license = licenses::get(db, license_id)?;
            let has_it_again = license
                .as_ref()
                .is_some_and(|license| license.tool_name == tool && license.license_key == key);
            if !has_it_again && seen.insert(license_id) {
                let entry = audit::get(db, audit_id)?;
                former.extend(entry.map(|entry| FormerLicense { entry, license }));
            }
        }
    }
    Ok(former)
}

fn duplicates(db: &Db, license: &License) -> Read<Vec<License>> {
    let mut ids = other_spellings(db, &license.tool_name, &license.license_key)?;
    let similar = similar_keys(db, &license.license_key)?.into_iter();
    ids.extend(
        similar
            .filter(|(_, mismatch)| !mismatch.is_typo())
            .map(|(id, _)| id),
    );
    ids.sort_unstable();
    ids.dedup();
    let duplicates = licenses::of_ids(db, ids.into_iter())?.into_iter();
    let of_tool = duplicates.filter(|other| other.tool_name == license.tool_name);
    Ok(of_tool.take(MAX_DUPLICATES).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::license::{Draft, Values};
    use crate::model::mac::canonical_key;
    use crate::model::near_miss::tests::typos;
    use crate::store::{Missing, Store};

    const MAC: &str = "0a:1b:2c:3d:4e:5f";
    const SERIAL: &str = "WD-WCC4E1234567";

    /// A database with a license for each key; IDs count from 1.
    fn store(keys: impl IntoIterator<Item = String>) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_file(folder.path(), Missing::Make).unwrap();
        let added = store.write(|db| {
            for (at, key) in keys.into_iter().enumerate() {
                let draft = Draft::new().with("tool_name", "T").with("license_key", key);
                let id = licenses::add(db, &Values::parse(&draft)?, OffsetDateTime::UNIX_EPOCH)?;
                assert_eq!(id, at as i64 + 1);
            }
            Ok(())
        });
        added.unwrap();
        (folder, store)
    }

    #[test]
    fn every_typo_finds_the_license_among_those_of_the_same_maker() {
        let others = (1..=700).flat_map(|n: u64| {
            let number = n * 7_919 % 999_983;
            let [a, b, c] = [number % 256, number / 256 % 256, number / 7 % 256];
            [
                format!("0a:1b:2c:{a:02x}:{b:02x}:{c:02x}"),
                format!("WD-WCC4E{number:07}"),
            ]
        });
        let (_folder, store) = store([MAC, SERIAL].map(str::to_owned).into_iter().chain(others));
        for (id, key) in [(1, MAC), (2, SERIAL)] {
            for typo in typos(key, "05fo") {
                let typed = canonical_key(&typo);
                let found = store.read(|db| similar_keys(db, &typed)).unwrap();
                let expected = (id, key_mismatch(&typed, key).unwrap());
                assert!(found.contains(&expected), "{typed}: {found:?}");
            }
        }
    }

    #[test]
    fn every_license_with_a_mistyped_mac_address_is_found() {
        let layouts = |typo: String| {
            [
                typo.replace(':', "-").to_uppercase(),
                typo.replace(':', ""),
                typo,
            ]
        };
        let mut keys: Vec<String> = typos(MAC, "5fo").into_iter().flat_map(layouts).collect();
        keys.iter_mut()
            .for_each(|key| *key = canonical_key(key).into_owned());
        keys.sort_unstable();
        keys.dedup();
        let (_folder, store) = store(keys.clone());
        let found = store.read(|db| similar_keys(db, MAC)).unwrap();
        let ids: HashSet<i64> = found.iter().map(|(id, _)| *id).collect();
        let missing: Vec<&String> = (1..)
            .zip(&keys)
            .filter(|(id, _)| !ids.contains(id))
            .map(|(_, key)| key)
            .collect();
        assert!(
            missing.is_empty() && found.len() == keys.len(),
            "{missing:?}"
        );
        assert!(found.iter().all(|(_, mismatch)| mismatch.is_typo()));
    }

    #[test]
    fn a_duplicate_in_any_spelling_is_found() {
        let keys = [
            "wd-wcc4e1234567",
            "{WDWCC4E1234567}",
            "Wd Wcc4e1234567",
            "WD-WCC4E1234568",
        ];
        let (_folder, store) = store([SERIAL].iter().chain(&keys).map(|key| key.to_string()));
        let license = store.read(|db| licenses::get(db, 1)).unwrap().unwrap();
        let duplicates = store.read(|db| duplicates(db, &license)).unwrap();
        let ids: Vec<i64> = duplicates.iter().map(|license| license.id).collect();
        assert_eq!(ids, [2, 3, 4]);
    }
}
