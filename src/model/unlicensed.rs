//! Machines that checked a tool without having a license for it.

use time::{Duration, OffsetDateTime};

use super::check::ClientInfo;
use super::customer::NamedCustomer;
use super::search::Word;

/// A dismissed machine stays away for this long.
const DISMISSED_FOR: Duration = Duration::days(30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnlicensedMachine {
    /// Perhaps of no tool that exists.
    pub tool_name: String,
    /// In its canonical spelling.
    pub license_key: String,
    pub first_at: OffsetDateTime,
    pub last_at: OffsetDateTime,
    pub check_count: i64,
    /// The client's address at the last check.
    pub address: String,
    /// What the client last reported.
    pub client: ClientInfo,
    /// The license of the ID that the machine last had a good result with, if the client reported it.
    pub previous: Option<PreviousLicense>,
    /// Who asked for a license, as the client says; may be empty.
    pub customer: NamedCustomer,
}

/// A license for the same tool and, as the client says, the same machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousLicense {
    pub id: i64,
    pub license_key: String,
}

/// What the admin decided about a machine; nobody but the admin sees a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Hidden until it checks again after 30 days.
    Dismissed,
    /// Hidden for good.
    Blocked,
}

impl Decision {
    pub const ALL: [Decision; 2] = [Decision::Dismissed, Decision::Blocked];

    pub fn as_str(self) -> &'static str {
        match self {
            Decision::Dismissed => "dismissed",
            Decision::Blocked => "blocked",
        }
    }

    pub fn from_word(word: &str) -> Option<Decision> {
        Decision::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether it still holds for a machine that last checked at that time; both in Unix seconds.
    pub fn holds(self, decided_at: i64, last_at: i64) -> bool {
        match self {
            Decision::Dismissed => last_at < decided_at + DISMISSED_FOR.whole_seconds(),
            Decision::Blocked => true,
        }
    }
}

/// Which machines to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineFilter {
    /// Byte for byte.
    pub tool_name: Option<String>,
    /// Each of them in the key, the tool, the host name, the user or the customer.
    pub words: Vec<Word>,
    /// Machines with this code match, too.
    pub machine_code: Option<String>,
    /// None for those that wait for a decision.
    pub decision: Option<Decision>,
}

/// Where a page of the list begins: last check, tool and key of the previous page's last row.
pub type MachineCursor = (i64, String, String);

/// A page of the list, last seen first, and what the same reading counted.
#[derive(Debug, Default)]
pub struct MachinePage {
    pub machines: Vec<UnlicensedMachine>,
    /// Machines that match the filter.
    pub found: i64,
    /// Machines of each tool with this decision, in alphabetical order.
    pub tools: Vec<(String, i64)>,
    /// In the order of [`Decision::ALL`].
    pub decided: [i64; Decision::ALL.len()],
}
