//! Whether the server can do all of its work.

/// Less is too little: an import of the largest file writes about as much.
const LEAST_FREE: u64 = 64 * 1024 * 1024;
/// On a small disk, a twentieth of it suffices.
const LEAST_PART: u64 = 20;

/// What the server cannot do its work without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// It can be written.
    Database,
    /// There is space for what will be written.
    Disk,
    /// The clock is not behind what was stored.
    Clock,
}

impl Condition {
    pub const ALL: [Condition; 3] = [Condition::Database, Condition::Disk, Condition::Clock];

    pub fn as_str(self) -> &'static str {
        match self {
            Condition::Database => "database",
            Condition::Disk => "disk",
            Condition::Clock => "clock",
        }
    }

    /// For the operator, and for strangers: what is wrong, without details.
    pub fn fault(self) -> &'static str {
        match self {
            Condition::Database => "The database cannot be written.",
            Condition::Disk => "The disk is nearly full.",
            Condition::Clock => "The clock is behind the newest entry in the database.",
        }
    }
}

/// In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// For programs that are not root's.
    pub free: u64,
    pub total: u64,
}

impl DiskSpace {
    pub fn is_low(self) -> bool {
        self.free < LEAST_FREE.min(self.total / LEAST_PART)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_disk_needs_64_mib_and_a_small_one_a_twentieth() {
        let mib = |free: u64, total: u64| DiskSpace {
            free: free << 20,
            total: total << 20,
        };
        assert!(mib(63, 100_000).is_low() && !mib(64, 100_000).is_low());
        assert!(mib(9, 200).is_low() && !mib(10, 200).is_low());
    }
}
