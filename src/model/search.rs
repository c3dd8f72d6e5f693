//! What the admin looks for in the table of licenses.

use time::{Date, Duration};

use super::fold::folded;
use super::license::{Listed, Status};
use super::mac::fragment_spellings;
use super::new_license::{format_date, read_date};

/// Which licenses; an absent part finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// This tool, byte for byte.
    pub tool_name: Option<String>,
    /// This status.
    pub status: Option<Status>,
    /// This customer, byte for byte.
    pub user_id: Option<String>,
    /// A fragment of key, customer, tool or note.
    pub fragment: Option<Fragment>,
    /// When they end.
    pub ends: Option<Ends>,
    /// What their machines do.
    pub activity: Option<Activity>,
}

/// Days from one to another, both included; without end on a side where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub from: Option<Date>,
    /// The last.
    pub until: Option<Date>,
}

/// When licenses end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// Not at all.
    Never,
    /// Their last day is one of these.
    On(Days),
    /// Not before that day, or not at all.
    NotBefore(Date),
}

/// What the machines of licenses do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// They have never asked.
    Never,
    /// They last asked on one of these days.
    LastSeen(Days),
    /// They last asked on that day or later, and were refused.
    RefusedSince(Date),
    /// They asked after their last day, whatever they were told.
    SinceEnd,
    /// They asked from several addresses on one day, that day or later.
    SharedSince(Date),
}

impl Filter {
    /// Whether it finds all.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

impl Days {
    /// The next `number` days, today among them, and that day itself: what ends within a week.
    pub fn next(number: i64, today: Date) -> Days {
        Days {
            from: Some(today),
            until: today.checked_add(Duration::days(number)),
        }
    }

    /// From `number` days ago until yesterday.
    pub fn past(number: i64, today: Date) -> Days {
        Days {
            from: today.checked_sub(Duration::days(number)),
            until: today.previous_day(),
        }
    }

    /// The last `number` days, today among them.
    pub fn last(number: i64, today: Date) -> Days {
        Days {
            from: today.checked_sub(Duration::days(number - 1)),
            until: None,
        }
    }

    /// All days that are more than `number` days ago.
    pub fn before(number: i64, today: Date) -> Days {
        Days {
            from: None,
            until: today.checked_sub(Duration::days(number + 1)),
        }
    }
}

impl Ends {
    /// The words of an address: `7`, `30` or `90` for the next days, `over`, `over-30` for the last
    /// days, `not-over`, `never`; they mean the same from whatever day on they are read.
    pub fn read(word: &str, today: Date) -> Option<Ends> {
        let number = |text: &str| text.parse().ok().filter(|days| (1..=9_999).contains(days));
        Some(match word {
            "never" => Ends::Never,
            "not-over" => Ends::NotBefore(today),
            "over" => Ends::On(Days {
                from: None,
                until: today.previous_day(),
            }),
            _ => match word.strip_prefix("over-") {
                Some(days) => Ends::On(Days::past(number(days)?, today)),
                None => Ends::On(Days::next(number(word)?, today)),
            },
        })
    }
}

impl Activity {
    /// The words of an address: `never`, `7` or `30` for the last days, `not-30` for those that have
    /// not asked since, `since-end`, `refused` and `shared` in the last 30 days.
    pub fn read(word: &str, today: Date) -> Option<Activity> {
        let number = |text: &str| text.parse().ok().filter(|days| (1..=9_999).contains(days));
        let month_ago = today.checked_sub(Duration::days(29)).unwrap_or(today);
        Some(match word {
            "never" => Activity::Never,
            "since-end" => Activity::SinceEnd,
            "refused" => Activity::RefusedSince(month_ago),
            "refused-today" => Activity::RefusedSince(today),
            "shared" => Activity::SharedSince(month_ago),
            _ => match word.strip_prefix("not-") {
                Some(days) => Activity::LastSeen(Days::before(number(days)?, today)),
                None => match read_date(word) {
                    Some(day) => Activity::LastSeen(Days {
                        from: Some(day),
                        until: Some(day),
                    }),
                    None => Activity::LastSeen(Days::last(number(word)?, today)),
                },
            },
        })
    }
}

/// A fragment to look for, without regard to case or accents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// As typed, without the white space around it.
    pub typed: String,
    /// How a row may hold it, folded, without repetition: as typed, and as a stored MAC address has it.
    /// Never empty, nor is any of them.
    pub spellings: Vec<String>,
}

impl Fragment {
    /// None for nothing but white space or accents. NUL, which no row holds, is removed.
    pub fn parse(typed: &str) -> Option<Fragment> {
        let typed = typed.replace('\0', "").trim().to_owned();
        let mut spellings = vec![folded(&typed)];
        spellings.extend(fragment_spellings(&typed));
        spellings.dedup();
        let is_something = !spellings.iter().any(String::is_empty);
        is_something.then_some(Fragment { typed, spellings })
    }

    /// Whether the index finds it: one that is shorter than three characters is only part of its entries.
    pub fn is_indexed(&self) -> bool {
        self.spellings.iter().all(|s| s.chars().count() >= 3)
    }
}

/// By what the table is sorted; equal values by the license's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// When the license was added.
    Created,
    /// The day of the last check; never comes before all days.
    LastSeen,
    /// The last day; never comes behind all days.
    Expires,
    /// The customer; none comes first.
    Customer,
    /// The license key.
    Key,
    /// The tool's name.
    Tool,
    /// The word of the status.
    Status,
}

/// What stands for no last day, where licenses are sorted by it: behind all digits.
pub const NEVER: &str = "never";

impl Order {
    /// Every order and its word in an address.
    pub const ALL: [(Order, &'static str); 7] = [
        (Order::Created, "created"),
        (Order::LastSeen, "last-seen"),
        (Order::Expires, "expires"),
        (Order::Customer, "customer"),
        (Order::Key, "key"),
        (Order::Tool, "tool"),
        (Order::Status, "status"),
    ];

    /// What the row is sorted by, besides its number.
    pub fn value(self, listed: &Listed) -> String {
        let license = &listed.license;
        match self {
            Order::Created => String::new(),
            Order::LastSeen => listed.last_seen_on.clone(),
            Order::Expires => license
                .expiration_date
                .map_or(NEVER.to_owned(), format_date),
            Order::Customer => license.user_id.clone().unwrap_or_default(),
            Order::Key => license.license_key.clone(),
            Order::Tool => license.tool_name.clone(),
            Order::Status => license.status.to_string(),
        }
    }
}

/// How many licenses a filter finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// So many.
    Exactly(i64),
    /// More than that; nobody counts on.
    MoreThan(i64),
}

/// A row's place in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    const TODAY: Date = date!(2026 - 06 - 15);

    fn days(from: Option<Date>, until: Option<Date>) -> Days {
        Days { from, until }
    }

    #[test]
    fn the_words_for_ends_are_counted_from_today() {
        let on = |from, until| Some(Ends::On(days(from, until)));
        let (week, today) = (date!(2026 - 06 - 22), Some(TODAY));
        let (yesterday, month) = (date!(2026 - 06 - 14), date!(2026 - 05 - 16));
        assert_eq!(Ends::read("7", TODAY), on(today, Some(week)));
        assert_eq!(Ends::read("over", TODAY), on(None, Some(yesterday)));
        assert_eq!(
            Ends::read("over-30", TODAY),
            on(Some(month), Some(yesterday))
        );
        assert_eq!(Ends::read("never", TODAY), Some(Ends::Never));
        for nothing in ["", "0", "-7", "over-", "soon", "99999999999999999999"] {
            assert_eq!(Ends::read(nothing, TODAY), None, "{nothing}");
        }
    }

    #[test]
    fn the_words_for_activity_are_counted_from_today() {
        let seen = |from, until| Some(Activity::LastSeen(days(from, until)));
        let (week, month) = (date!(2026 - 06 - 09), date!(2026 - 05 - 15));
        assert_eq!(Activity::read("7", TODAY), seen(Some(week), None));
        assert_eq!(Activity::read("not-30", TODAY), seen(None, Some(month)));
        let day = Some(date!(2026 - 06 - 01));
        assert_eq!(Activity::read("2026-06-01", TODAY), seen(day, day));
        assert_eq!(Activity::read("sometimes", TODAY), None);
    }
}
