//! What the admin looks for in the table of licenses.

use super::license::{Listed, Status};
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

impl Filter {
    /// Whether it finds all.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
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

/// By what the table is sorted; equal values by the license's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// When the license was added.
    Created,
    /// The day of the last check; never comes before all days.
    LastSeen,
}

impl Order {
    /// What the row is sorted by, besides its number.
    pub fn value(self, listed: &Listed) -> &str {
        match self {
            Order::Created => "",
            Order::LastSeen => &listed.last_seen_on,
        }
    }
}

/// A row's place in an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What it is sorted by.
    pub value: String,
    /// The license's number.
    pub id: i64,
}

/// A piece of a sorted table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// By what it is sorted.
    pub order: Order,
    /// Newest or highest first.
    pub is_descending: bool,
    /// It begins behind this place; at the beginning where there is none.
    pub beyond: Option<Mark>,
    /// How many rows at the most.
    pub limit: i64,
}

impl Piece {
    /// The oldest licenses whose number is above `id`.
    pub fn after(id: i64, limit: i64) -> Piece {
        Piece {
            order: Order::Created,
            is_descending: false,
            beyond: Some(Mark {
                value: String::new(),
                id,
            }),
            limit,
        }
    }
}
