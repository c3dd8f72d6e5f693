//! Why a tool is told what it is told, and what it was perhaps meant to ask.

use std::collections::HashSet;

use time::OffsetDateTime;

use super::Service;
use crate::error::Error;
use crate::model::audit::{AuditFilter, Entry, Kind};
use crate::model::explain::{Decision, Reading};
use crate::model::license::{License, Listed, Verdict};
use crate::model::machine_id::{self, Doubt};
use crate::model::near::{self, Difference, mistypings, name_difference};
use crate::model::question::Question;
use crate::model::sighting::UnknownKey;
use crate::store::{Db, Read, audit, licenses, search, tools, unknown_keys};

/// Near misses that are looked for; one more tells that there are others.
pub const MOST_NEAR: usize = 20;
/// Licenses that hold the end of a key whose keys are compared.
const MOST_HELD: usize = 1_000;
/// Licenses of the same id that a warning names.
const MOST_TWINS: usize = 5;
const ENOUGH: usize = MOST_NEAR + 1;
/// Names of other tools that are taken for the one that was meant.
const MOST_TOOLS: usize = 5;
/// Licenses that a pair had once, and entries about each; newest first.
const MOST_PAST: i64 = 5;
const MOST_ENTRIES: i64 = 50;

/// The decision on a question at one moment, and what lies near it.
pub struct Explanation {
    /// When it was made.
    pub now: OffsetDateTime,
    /// The steps that lead to the verdict.
    pub decision: Decision,
    /// What the check answers; its error where the question itself is refused.
    pub answer: Result<Verdict, Error>,
    /// The license that decides.
    pub license: Option<License>,
    /// The license of the machine that took its place.
    pub successor: Option<License>,
    /// What is known of the question where it has no license.
    pub asked: Option<UnknownKey>,
    /// Why the key may identify no machine.
    pub doubts: Vec<Doubt>,
    /// Tools with nearly this name, where there is none of this very name.
    pub similar_tools: Vec<(String, Difference)>,
    /// At most [`MOST_NEAR`].
    pub near: Vec<NearMiss>,
    /// There are more of them.
    pub has_more: bool,
    /// Licenses that the pair had once.
    pub past: Vec<Past>,
}

/// A license that nearly fits the question.
pub struct NearMiss {
    /// The license and its last check.
    pub listed: Listed,
    /// How the tool's name differs.
    pub tool: OtherTool,
    /// How the key differs.
    pub key: Option<Difference>,
}

/// Whether a near miss is for the tool that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherTool {
    /// It is.
    Same,
    /// For one with nearly the same name.
    Similar(Difference),
    /// For another altogether.
    Other,
}

/// A license that the pair had once.
pub struct Past {
    /// The entry of the audit log that ended it.
    pub entry: Entry,
    /// What the license is now; none for a deleted one.
    pub now: Option<License>,
}

/// Why a license may not do what it is meant for.
pub struct Doubts {
    /// Why the key may identify no machine.
    pub of_id: Vec<Doubt>,
    /// Licenses of the same tool for the same id in another spelling.
    pub twins: Vec<License>,
}

impl Doubts {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.of_id.is_empty() && self.twins.is_empty()
    }
}

impl Service {
    /// What [`Service::check`] decides at this moment, step by step, and why; nothing is noted of it,
    /// and it counts against nobody.
    pub fn explain(&self, tool_name: &str, license_key: &str) -> Result<Explanation, Error> {
        let now = self.clock.now();
        let nothing = Explanation {
            now,
            decision: Decision::UNREADABLE,
            answer: Ok(Verdict::NotFound),
            license: None,
            successor: None,
            asked: None,
            doubts: Vec::new(),
            similar_tools: Vec::new(),
            near: Vec::new(),
            has_more: false,
            past: Vec::new(),
        };
        let question = match Question::parse(tool_name, license_key) {
            Ok(question) => question,
            Err(error) => {
                return Ok(Explanation {
                    answer: Err(error),
                    ..nothing
                });
            }
        };
        let judged = self.judged(&question)?;
        let verdict = self.verdict(&question, judged, now);
        let grace_days = self.tool(tool_name).grace_days;
        let reading = Reading::of(&question, license_key);
        self.store.read_at_once(|db| {
            let has_tool = tools::is_there(db, tool_name)?;
            let found = judged.map(|judged| (judged.status, judged.last_day));
            let license = match judged {
                Some(judged) => licenses::get(db, judged.id)?,
                None => None,
            };
            let successor = match license.as_ref().and_then(|license| license.moved_to) {
                Some(id) => licenses::get(db, id)?,
                None => None,
            };
            let explained = Explanation {
                decision: Decision::of(reading, has_tool, found, grace_days, now, self.utc_offset),
                answer: Ok(verdict),
                license,
                successor,
                asked: unknown_keys::get(db, &question)?,
                doubts: machine_id::doubts(&question.license_key),
                ..nothing
            };
            if !verdict.is_refusal() {
                return Ok(explained);
            }
            let similar = similar_tools(tools::names(db)?, tool_name, has_tool);
            let mut seen: HashSet<i64> = judged.iter().map(|judged| judged.id).collect();
            let past = past(db, &question, &similar, &seen)?;
            let mut ids = near_ids(db, &question, &similar, has_tool)?;
            ids.retain(|id| seen.insert(*id));
            let near = ids.iter().take(MOST_NEAR).map(|id| {
                let listed = licenses::listed(db, *id)?;
                Ok(listed.map(|listed| near_miss(&question, listed)))
            });
            Ok(Explanation {
                near: near.filter_map(Read::transpose).collect::<Read<_>>()?,
                has_more: ids.len() > MOST_NEAR,
                past,
                similar_tools: if has_tool { Vec::new() } else { similar },
                ..explained
            })
        })
    }

    /// What speaks against a license; it is told, and forbids nothing.
    pub fn doubts(&self, license: &License) -> Result<Doubts, Error> {
        let twins = self.store.read_at_once(|db| {
            let (tool_name, key) = (&license.tool_name, &license.license_key);
            let mut ids = having(db, tool_name, &near::spellings(key))?;
            ids.extend(same_ids(db, key)?);
            ids.sort_unstable();
            ids.dedup();
            let twins = ids.into_iter().map(|id| licenses::get(db, id));
            let twins = twins.filter_map(Read::transpose);
            let twins = twins.filter(|twin| {
                twin.as_ref()
                    .map_or(true, |twin| twin.tool_name == *tool_name)
            });
            twins.take(MOST_TWINS).collect()
        })?;
        Ok(Doubts {
            of_id: machine_id::doubts(&license.license_key),
            twins,
        })
    }

    /// The keys that have asked and have no license, newest first.
    pub fn unknown_keys(
        &self,
        tool_name: Option<&str>,
        beyond: Option<&unknown_keys::Place>,
        limit: i64,
    ) -> Result<Vec<UnknownKey>, Error> {
        self.store
            .read(|db| unknown_keys::list(db, tool_name, beyond, limit))
    }

    /// The tools that were asked for by such keys, and by how many.
    pub fn count_unknown_keys(&self) -> Result<Vec<(String, i64)>, Error> {
        self.store.read(unknown_keys::count)
    }
}

/// Tools with nearly this name. Where there is one of this very name, `Tool_A` is not meant for
/// `Tool_B`.
fn similar_tools(names: Vec<String>, asked: &str, is_there: bool) -> Vec<(String, Difference)> {
    let similar = names.into_iter().filter_map(|name| {
        let difference = name_difference(asked, &name)?;
        let is_slip = matches!(difference, Difference::OneCharacter | Difference::Swapped);
        (!is_there || !is_slip).then_some((name, difference))
    });
    similar.take(MOST_TOOLS).collect()
}

/// Licenses that nearly fit, the nearest first; some of them twice.
fn near_ids(
    db: &Db,
    question: &Question<'_>,
    similar: &[(String, Difference)],
    has_tool: bool,
) -> Read<Vec<i64>> {
    let (asked, key) = (question.tool_name, question.license_key.as_ref());
    let spellings = near::spellings(key);
    let same = [key.to_owned()];
    let mut ids = having(db, asked, &spellings)?;
    for (tool, _) in similar {
        ids.extend(having(db, tool, &same)?);
        ids.extend(having(db, tool, &spellings)?);
    }
    // Thousands of reads for each tool.
    let mistypings = mistypings(key);
    let tools = similar.iter().map(|(name, _)| name.as_str());
    for tool in has_tool.then_some(asked).into_iter().chain(tools).take(2) {
        ids.extend(having(db, tool, &mistypings)?);
    }
    ids.extend(same_ids(db, key)?);
    for key in same.iter().chain(&spellings) {
        ids.extend(licenses::of_key(db, key, ENOUGH)?);
    }
    Ok(ids)
}

fn having(db: &Db, tool_name: &str, keys: &[String]) -> Read<Vec<i64>> {
    licenses::having(db, tool_name, keys.iter().map(String::as_str), ENOUGH)
}

/// Licenses of the same id in a mix of cases and separators that only a search finds.
fn same_ids(db: &Db, key: &str) -> Read<Vec<i64>> {
    let Some(end) = near::rare_end(key) else {
        return Ok(Vec::new());
    };
    let held = search::holding(db, end, MOST_HELD)?.into_iter();
    let same = held.filter(|(_, other)| near::is_same_id(key, other));
    Ok(same.map(|(id, _)| id).collect())
}

/// Licenses other than those in `present` that the tool, or one of nearly its name, had for the key.
fn past(
    db: &Db,
    question: &Question<'_>,
    similar: &[(String, Difference)],
    present: &HashSet<i64>,
) -> Read<Vec<Past>> {
    let key = question.license_key.as_ref();
    let similar = similar.iter().map(|(name, _)| name.as_str());
    let mut past = Vec::new();
    for name in std::iter::once(question.tool_name).chain(similar) {
        for id in audit::licenses_of(db, name, key, MOST_PAST)? {
            if !present.contains(&id) {
                let entries = audit::list(db, &of_license(id), i64::MAX, MOST_ENTRIES)?;
                past.extend(ending(name, key, licenses::get(db, id)?, entries));
            }
        }
    }
    Ok(past)
}

fn of_license(id: i64) -> AuditFilter {
    AuditFilter {
        license_id: Some(id),
        ..AuditFilter::default()
    }
}

fn near_miss(question: &Question<'_>, listed: Listed) -> NearMiss {
    let License {
        tool_name,
        license_key,
        ..
    } = &listed.license;
    let tool = match name_difference(question.tool_name, tool_name) {
        _ if tool_name == question.tool_name => OtherTool::Same,
        Some(difference) => OtherTool::Similar(difference),
        None => OtherTool::Other,
    };
    NearMiss {
        tool,
        key: near::difference(&question.license_key, license_key),
        listed,
    }
}

/// The entry that took the pair from a license, which is `now` another one or none.
fn ending(
    tool_name: &str,
    license_key: &str,
    now: Option<License>,
    entries: Vec<Entry>,
) -> Option<Past> {
    let is_ending = |entry: &Entry| match &now {
        None => entry.event.kind == Kind::LicenseDeleted,
        Some(_) => entry.event.differences().iter().any(|difference| {
            let (name, before) = (difference.name.as_str(), difference.before.as_str());
            name == "license_key" && before == license_key
                || name == "tool_name" && before == tool_name
        }),
    };
    let is_elsewhere = now
        .as_ref()
        .is_none_or(|license| license.tool_name != tool_name || license.license_key != license_key);
    let entry = entries
        .into_iter()
        .find(is_ending)
        .filter(|_| is_elsewhere)?;
    Some(Past { entry, now })
}
