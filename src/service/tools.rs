//! The tools and the vendor's rules for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Date, Duration};

use super::Service;
use crate::error::{Error, Problem};
use crate::model::audit::{Actor, Detail, Details, Event, Kind};
use crate::model::license::{License, Verdict};
use crate::model::overview::{ToolCount, by_tool};
use crate::model::tool::{self, Tool, ToolDraft};
use crate::store::{audit, check_days, tools};

const NO_SUCH_TOOL: Error = Error::NotFound("Tool not found.");

pub(super) type Rules = BTreeMap<String, Arc<Tool>>;

pub struct ToolUse {
    pub tool: Arc<Tool>,
    pub line: ToolCount,
    /// Its checks of the last 30 days by verdict, in the order of [`Verdict::ALL`].
    pub days: Vec<(Date, [i64; Verdict::ALL.len()])>,
}

impl Service {
    /// The default rules if there are none for this name.
    pub fn tool(&self, name: &str) -> Arc<Tool> {
        let rules = self.rules.load();
        rules.get(name).cloned().unwrap_or_default()
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

    /// Adds a tool that has no license yet, and returns its name.
    pub fn add_tool(&self, actor: &Actor, typed: &str) -> Result<String, Error> {
        let name = tool::parse_name(typed)?;
        let is_there = |name: &str| Problem {
            field: "tool_name",
            message: format!("There is already a tool “{name}”."),
        };
        if let Some(similar) = self.similar_tool(&name)? {
            return Err(is_there(&similar).into());
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

    /// Every tool, those with the most active machines first.
    pub fn tools(&self) -> Result<Vec<ToolCount>, Error> {
        Ok(by_tool(&self.license_counts()?, &self.tool_names()?))
    }

    pub fn tool_use(&self, name: &str) -> Result<ToolUse, Error> {
        let today = self.today();
        let first = today.saturating_sub(Duration::days(29));
        let (exists, checks) = self.store.read_tx(|db| {
            Ok((
                tools::exists(db, name)?,
                check_days::of_tool_since(db, name, first)?,
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
        })
    }
}

fn details(name: &str, tool: &Tool) -> Details {
    let details = [
        ("tool_name", Detail::from(name)),
        ("offline_days", Detail::Number(tool.offline_days.into())),
        ("grace_days", Detail::Number(tool.grace_days.into())),
        ("message", Detail::from(&*tool.message)),
        ("link", Detail::from(&*tool.link)),
    ];
    Details(
        details
            .map(|(name, detail)| (name.to_owned(), detail))
            .into(),
    )
}
