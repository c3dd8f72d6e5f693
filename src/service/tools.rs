//! The tools and the vendor's rules for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use time::{Date, Duration};

use super::Service;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::license::{License, Verdict};
use crate::model::overview::ToolLine;
use crate::model::tool::{Tool, ToolDraft};
use crate::store::{audit, check_days, counts, tools};

const NO_SUCH_TOOL: Error = Error::NotFound("Tool not found.");

/// Days in which a machine that asked is an active one.
const ACTIVE: i64 = 7;

pub(super) type Rules = BTreeMap<String, Arc<Tool>>;

/// A tool and how it is used.
pub struct ToolUse {
    /// Its rules.
    pub tool: Arc<Tool>,
    /// How many licenses it has, and how many of them asked in the last days.
    pub line: ToolLine,
    /// Its checks of the last 30 days by verdict, in the order of [`Verdict::ALL`].
    pub days: Vec<(Date, [i64; Verdict::ALL.len()])>,
}

impl Service {
    /// The rules of a tool; the default where there is none of that name.
    pub fn tool(&self, name: &str) -> Arc<Tool> {
        let rules = self.rules.load();
        rules.get(name).cloned().unwrap_or_default()
    }

    /// What the license's tool is told at this moment.
    pub fn verdict_on(&self, license: &License, now: time::OffsetDateTime) -> Verdict {
        let grace_days = self.tool(&license.tool_name).grace_days;
        license.verdict(grace_days, now, self.utc_offset)
    }

    /// Reads the rules again: they were changed here, or by another program.
    pub(super) fn reload_rules(&self) -> Result<(), Error> {
        let rules = self.store.read(tools::rules)?;
        let rules = rules.into_iter().map(|(name, tool)| (name, Arc::new(tool)));
        self.rules.store(Arc::new(rules.collect()));
        Ok(())
    }

    /// Changes the rules of a tool.
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
            let values = |tool: &Tool| {
                json!({
                    "tool_name": name,
                    "offline_days": tool.offline_days,
                    "grace_days": tool.grace_days,
                    "message": tool.message,
                    "link": tool.link,
                })
                .to_string()
            };
            let event = Event {
                before: Some(values(&before)),
                after: Some(values(&tool)),
                ..Event::new(Kind::ToolChanged, actor)
            };
            Ok(audit::append(db, &event, now)?)
        })?;
        self.reload_rules()
    }

    /// Every tool that has a license, those with the most active machines first.
    pub fn tools(&self) -> Result<Vec<ToolLine>, Error> {
        let since = self.today().saturating_sub(Duration::days(ACTIVE - 1));
        self.store.read(|db| counts::by_tool(db, since))
    }

    /// One tool and how it is used.
    pub fn tool_use(&self, name: &str) -> Result<ToolUse, Error> {
        let today = self.today();
        let first = today.saturating_sub(Duration::days(29));
        let (is_there, checks) = self.store.read_at_once(|db| {
            Ok((
                tools::is_there(db, name)?,
                check_days::of_tool_since(db, name, first)?,
            ))
        })?;
        if !is_there {
            return Err(NO_SUCH_TOOL);
        }
        let line = self.tools()?.into_iter().find(|line| line.name == name);
        Ok(ToolUse {
            tool: self.tool(name),
            line: line.unwrap_or(ToolLine {
                name: name.to_owned(),
                licenses: 0,
                active: 0,
            }),
            days: super::overview::by_day(first, today, &checks),
        })
    }
}
