//! What the admin looks for in the table of licenses.

use super::license::Status;
use super::mac::fragment_spellings;

/// Which licenses; an absent part finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// This tool, byte for byte.
    pub tool_name: Option<String>,
    /// This status.
    pub status: Option<Status>,
    /// This customer, byte for byte.
    pub user_id: Option<String>,
    /// A fragment of key, customer or tool.
    pub fragment: Option<Fragment>,
}

/// A fragment to look for, without regard to case, and its other spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// As typed, without the white space around it; never empty.
    pub typed: String,
    /// How it stands in a stored MAC address, where it can.
    pub in_mac: Vec<String>,
}

impl Fragment {
    /// None for nothing but white space. NUL, which no row holds, is removed.
    pub fn parse(typed: &str) -> Option<Fragment> {
        let typed = typed.replace('\0', "").trim().to_owned();
        let in_mac = fragment_spellings(&typed);
        (!typed.is_empty()).then_some(Fragment { typed, in_mac })
    }

    /// Every spelling to look for, without repetition.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        let others = self.in_mac.iter().map(String::as_str);
        std::iter::once(self.typed.as_str()).chain(others.filter(|s| *s != self.typed))
    }
}

/// Where a piece of the table begins, and in which order it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Oldest first, ids above this one.
    After(i64),
    /// Newest first, ids below this one.
    Before(i64),
}
