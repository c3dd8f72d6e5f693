//! Whether the server can do all of its work.

const MIB: u64 = 1024 * 1024;
/// Less is too little: an import of the largest file writes about as much.
const LEAST_FREE: u64 = 64 * MIB;
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
        self.free < self.to_spare()
    }

    fn to_spare(self) -> u64 {
        LEAST_FREE.min(self.total / LEAST_PART)
    }

    /// In words, why no file of that many bytes should be written there; none if it can be, with room to spare.
    pub fn lack_of_room(self, bytes: u64) -> Option<String> {
        let needed = bytes.saturating_add(self.to_spare());
        (self.free < needed).then(|| {
            format!(
                "has {} MiB free, and a backup needs {}",
                self.free / MIB,
                megabytes(needed)
            )
        })
    }
}

/// Rounded up.
pub fn megabytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(MIB))
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

    #[test]
    fn a_file_needs_its_size_and_what_must_stay_free() {
        let disk = DiskSpace {
            free: 164 * MIB,
            total: 100_000 * MIB,
        };
        assert_eq!(disk.lack_of_room(100 * MIB), None);
        let words = disk.lack_of_room(100 * MIB + 1).unwrap();
        assert!(
            words.contains("164 MiB") && words.contains("165 MiB"),
            "{words}"
        );
    }
}
