//! Whether a database that is elsewhere is in reach, and what the log says of it.

use super::Service;

impl Service {
    /// Logs what changed since the last call; once a second.
    pub fn watch_reach(&self) {
        let Some(reach) = self.store.reach() else {
            return;
        };
        let before = self.reach_seen.lock().replace(reach).unwrap_or_default();
        match (before.is_lost, reach.is_lost) {
            (false, true) => self.log.event("database_lost", &[]),
            (true, false) => self.log.event("database_back", &[]),
            (true, true) | (false, false) => {}
        }
        match (before.is_on_duty, reach.is_on_duty) {
            (false, true) => self.log.event("duty_taken", &[]),
            (true, false) => self.log.event("duty_lost", &[]),
            (true, true) | (false, false) => {}
        }
    }
}
