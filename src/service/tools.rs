//! The tools and the vendor's rules for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Date, Duration};

use super::Service;
use super::bulk::record_part;
use crate::error::{Error, Problem};
use crate::model::audit::{Actor, Detail, Details, Event, Kind};
use crate::model::doubt::{self, Doubt};
use crate::model::license::{License, Verdict};
use crate::model::overview::{ToolCount, by_tool};
use crate::model::text::grouped;
use crate::model::tool::{self, Edition, Tool, ToolDraft};
use crate::store::trials::{self, TrialUse};
use crate::store::{audit, check_days, counts, licenses, mail_texts, tools};

/// Versions on a tool's page.
const VERSIONS: i64 = 20;

/// Licenses of a tool that is renamed: written in one transaction, which must not hold others up for long.
const MAX_RENAMED: i64 = 20_000;

pub(super) const NO_SUCH_TOOL: Error = Error::NotFound("Tool not found.");

pub(super) type Rules = BTreeMap<String, Arc<Tool>>;

pub struct ToolUse {
    pub tool: Arc<Tool>,
    pub line: ToolCount,
    /// Its checks of the last 30 days by verdict, in the order of [`Verdict::ALL`].
    pub days: Vec<(Date, [i64; Verdict::ALL.len()])>,
    /// Licenses by the version that their client last reported, most frequent first.
    pub versions: Vec<(String, i64)>,
    pub trials: TrialUse,
}

impl Service {
    /// The default rules if there are none for this name.
    pub fn tool(&self, name: &str) -> Arc<Tool> {
        let rules = self.rules.load();
        rules.get(name).cloned().unwrap_or_default()
    }

    /// The editions of a tool, for suggestions.
    pub fn edition_names(&self, tool_name: &str) -> Vec<String> {
        let tool = self.tool(tool_name);
        tool.editions
            .iter()
            .map(|edition| edition.name.clone())
            .collect()
    }

    /// What all tools with a vendor, support address or link have in common of these.
    pub fn common_rules(&self) -> Tool {
        let rules = self.rules.load();
        let common = |of: fn(&Tool) -> &String| {
            let mut all = rules
                .values()
                .map(|tool| of(tool))
                .filter(|text| !text.is_empty());
            let first = all.next()?;
            all.all(|other| other == first).then(|| first.clone())
        };
        Tool {
            vendor: common(|tool| &tool.vendor).unwrap_or_default(),
            support_email: common(|tool| &tool.support_email).unwrap_or_default(),
            link: common(|tool| &tool.link).unwrap_or_default(),
            ..Tool::default()
        }
    }

    pub fn verdict_on(&self, license: &License, now: time::OffsetDateTime) -> Verdict {
        let grace_days = self.tool(&license.tool_name).grace_days;
        license.verdict(grace_days, now, self.utc_offset)
    }

    /// Reloads the rules after a change here or by another program.
    pub(super) fn reload_rules(&self) -> Result<(), Error> {
        let rules = self.store.read(tools::rules)?;
        let rules = rules.into_iter().map(|(name, tool)| (name, Arc::new(tool)));
        self.rules.store(Arc::new(rules.collect()));
        Ok(())
    }

    pub fn set_tool(&self, actor: &Actor, name: &str, draft: &ToolDraft) -> Result<(), Error> {
        let tool = Tool::parse(draft)?;
        let now = self.clock.now();
        self.store.write(|db| {
            let before = tools::rules(db)?.remove(name).unwrap_or_default();
            if !tools::set_rules(db, name, &tool)? {
                return Err(NO_SUCH_TOOL);
            }
            if before == tool {
                return Ok(());
            }
            let event = Event {
                before: details(name, &before),
                after: details(name, &tool),
                ..Event::new(Kind::ToolChanged, actor)
            };
            audit::append(db, event, now)?;
            Ok(())
        })?;
        self.reload_rules()
    }

    /// What to ask before a tool gets this name, which it does not have yet, instead of `old`.
    pub fn tool_doubt(&self, typed: &str, old: &str) -> Result<Option<Doubt>, Error> {
        let name = tool::parse_name(typed)?;
        let mut names = self.tool_names()?;
        names.retain(|other| other != old);
        Ok(doubt::tool(&name, &names))
    }

    /// Adds a tool that has no license yet, and returns its name.
    pub fn add_tool(&self, actor: &Actor, typed: &str) -> Result<String, Error> {
        let name = tool::parse_name(typed)?;
        let is_there = |name: &str| Problem {
            field: "tool_name",
            message: format!("There is already a tool “{name}”."),
        };
        let is_same = |other: &&String| other.to_lowercase() == name.to_lowercase();
        if let Some(same) = self.tool_names()?.iter().find(is_same) {
            return Err(is_there(same).into());
        }
        let now = self.clock.now();
        self.store.write(|db| {
            if !tools::add(db, &name, now)? {
                return Err(is_there(&name).into());
            }
            let event = Event::new(Kind::ToolAdded, actor).with("tool_name", &*name);
            audit::append(db, event, now)?;
            Ok(())
        })?;
        Ok(name)
    }

    /// Licenses of a tool, and those of them whose machine checked in the last 30 days.
    pub fn reach_of_tool(&self, name: &str) -> Result<(i64, i64), Error> {
        let month = self.today().saturating_sub(Duration::days(29));
        let (exists, reach) = self
            .store
            .read_tx(|db| Ok((tools::exists(db, name)?, counts::of_tool(db, name, month)?)))?;
        exists.then_some(reach).ok_or(NO_SUCH_TOOL)
    }

    /// Gives a tool another name, and returns it. Programs that send the old name have no license from then on.
    pub fn rename_tool(&self, actor: &Actor, name: &str, typed: &str) -> Result<String, Error> {
        let new = tool::parse_name(typed)?;
        let refuse = |message: String| Error::invalid("tool_name", message);
        if self.reach_of_tool(name)?.0 > MAX_RENAMED {
            return Err(refuse(format!(
                "{name} has more than {} licenses, the most that can be renamed at once. Export its licenses, \
                 and import them with the new name.",
                grouped(MAX_RENAMED)
            )));
        }
        // An import that is running would add the old tool again.
        let _lock = self.bulk_lock().map_err(|error| match error {
            Error::Conflict(message) => refuse(message),
            other => other,
        })?;
        let now = self.clock.now();
        self.store.write(|db| {
            if new == name {
                return Err(refuse(format!("The tool already has the name “{name}”.")));
            }
            if tools::names(db)?.contains(&new) {
                return Err(refuse(format!("There is already a tool “{new}”.")));
            }
            if !tools::exists(db, name)? {
                return Err(NO_SUCH_TOOL);
            }
            let licenses = licenses::rename_tool(db, name, &new)?;
            mail_texts::rename_tool(db, name, &new)?;
            for before in &licenses {
                let mut after = before.clone();
                after.values.tool_name.clone_from(&new);
                record_part(db, actor, Some(before), Some(&after), now)?;
            }
            let mut event = Event::new(Kind::ToolRenamed, actor)
                .with("tool_name", &*new)
                .with("licenses", licenses.len() as i64);
            event.before.0.insert("tool_name".to_owned(), name.into());
            audit::append(db, event, now)?;
            Ok(())
        })?;
        *self.counted.lock() = None;
        self.reload_rules()?;
        Ok(new)
    }

    /// Every tool, those with the most active machines first.
    pub fn tools(&self) -> Result<Vec<ToolCount>, Error> {
        Ok(by_tool(&self.license_counts()?, &self.tool_names()?))
    }

    pub fn tool_use(&self, name: &str) -> Result<ToolUse, Error> {
        let today = self.today();
        let first = today.saturating_sub(Duration::days(29));
        let (exists, checks, versions, trials) = self.store.read_tx(|db| {
            Ok((
                tools::exists(db, name)?,
                check_days::of_tool_since(db, name, first)?,
                counts::versions(db, name, VERSIONS)?,
                trials::of_tool(db, name, today)?,
            ))
        })?;
        if !exists {
            return Err(NO_SUCH_TOOL);
        }
        let line = self.tools()?.into_iter().find(|line| line.name == name);
        Ok(ToolUse {
            tool: self.tool(name),
            line: line.unwrap_or_else(|| ToolCount {
                name: name.to_owned(),
                licenses: 0,
                active: 0,
            }),
            days: super::overview::by_day(first, today, &checks),
            versions,
            trials,
        })
    }
}

fn details(name: &str, tool: &Tool) -> Details {
    let editions: Vec<String> = tool.editions.iter().map(Edition::line).collect();
    let details = [
        ("tool_name", Detail::from(name)),
        ("offline_days", Detail::Number(tool.offline_days.into())),
        ("grace_days", Detail::Number(tool.grace_days.into())),
        ("message", Detail::from(&*tool.message)),
        ("link", Detail::from(&*tool.link)),
        ("vendor", Detail::from(&*tool.vendor)),
        ("support_email", Detail::from(&*tool.support_email)),
        ("trial_days", Detail::Number(tool.trial_days.into())),
        ("trials_per_day", Detail::Number(tool.trials_per_day.into())),
        ("latest_version", Detail::from(&*tool.latest_version)),
        ("latest_url", Detail::from(&*tool.latest_url)),
        ("minimum_version", Detail::from(&*tool.minimum_version)),
        (
            "offline_file_days",
            Detail::Number(tool.offline_file_days.into()),
        ),
        ("editions", Detail::from(&*editions.join("; "))),
    ];
    Details(
        details
            .map(|(name, detail)| (name.to_owned(), detail))
            .into(),
    )
}
