//! The figures on the first page.

use time::Date;

use super::check::ListedLicense;
use super::license::{Status, Verdict};
use super::search::Count;
use super::shops::FailedCalls;
use super::unlicensed::UnlicensedMachine;

#[derive(Debug)]
pub struct Overview {
    /// In the operator's UTC offset.
    pub today: Date,
    /// Checks by verdict, in the order of [`Verdict::ALL`], for the last days and today, oldest
    /// first.
    pub days: Vec<(Date, [i64; Verdict::ALL.len()])>,
    pub counts: Vec<LicenseCount>,
    /// Tools with the most active machines first, then those without a license.
    pub tools: Vec<ToolCount>,
    /// Activated licenses that expire on each of the next days, today first.
    pub expiring: Vec<(Date, i64)>,
    /// The first of the licenses that expire next.
    pub next_to_expire: Vec<ListedLicense>,
    /// Licenses refused today.
    pub refused_today: Count,
    /// Licenses that expired in the last 30 days and are still in use.
    pub expired_in_use: Count,
    /// Licenses that were checked from several addresses on one day in the last 30 days.
    pub shared: Count,
    /// Licenses refused today, most often refused first.
    pub refused: Vec<ListedLicense>,
    /// Of shops, in the last days.
    pub failed_calls: Vec<FailedCalls>,
    /// Unlicensed machines that wait for a decision.
    pub unlicensed_number: i64,
    /// The most recent of them.
    pub unlicensed: Vec<UnlicensedMachine>,
}

/// The licenses of a tool that have one status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseCount {
    pub tool_name: String,
    pub status: Status,
    pub licenses: i64,
    pub expired: i64,
    /// Licenses seen in the last days.
    pub seen: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCount {
    pub name: String,
    pub licenses: i64,
    /// Licenses seen in the last days.
    pub active: i64,
}

/// Every tool, those with the most active machines first; `names` may have some without a license.
pub fn by_tool(counts: &[LicenseCount], names: &[String]) -> Vec<ToolCount> {
    let mut tools: Vec<ToolCount> = Vec::new();
    for count in counts {
        match tools.iter_mut().find(|tool| tool.name == count.tool_name) {
            Some(tool) => {
                tool.licenses += count.licenses;
                tool.active += count.seen;
            }
            None => tools.push(ToolCount {
                name: count.tool_name.clone(),
                licenses: count.licenses,
                active: count.seen,
            }),
        }
    }
    for name in names {
        if !tools.iter().any(|tool| tool.name == *name) {
            tools.push(ToolCount {
                name: name.clone(),
                licenses: 0,
                active: 0,
            });
        }
    }
    tools.sort_by(|a, b| (b.active, b.licenses, &a.name).cmp(&(a.active, a.licenses, &b.name)));
    tools
}

impl Overview {
    pub fn licenses(&self) -> i64 {
        self.counts.iter().map(|count| count.licenses).sum()
    }

    /// Activated licenses that have not expired.
    pub fn valid(&self) -> i64 {
        self.sum(Status::Activated, |count| count.licenses - count.expired)
    }

    /// Activated licenses that have expired.
    pub fn expired(&self) -> i64 {
        self.sum(Status::Activated, |count| count.expired)
    }

    pub fn with_status(&self, status: Status) -> i64 {
        self.sum(status, |count| count.licenses)
    }

    fn sum(&self, status: Status, number: impl Fn(&LicenseCount) -> i64) -> i64 {
        let counts = self.counts.iter().filter(|count| count.status == status);
        counts.map(number).sum()
    }
}
