//! Whether the server can do all of its work now.

use std::sync::Arc;

use rocket::tokio::sync::Mutex;
use time::{Duration, OffsetDateTime};

use super::Service;
use crate::error::Error;
use crate::model::readiness::Condition;
use crate::model::server_clock::Drift;

/// Anybody may ask, and looking writes to the disk.
const LOOK_EVERY: Duration = Duration::seconds(5);

/// What was found last, and when.
pub(super) type Readiness = Mutex<Option<(OffsetDateTime, Vec<Condition>)>>;

impl Service {
    /// What is not as it must be; looked at every few seconds at most. Others wait here, not on a thread.
    pub async fn unmet_conditions(self: &Arc<Self>) -> Result<Vec<Condition>, Error> {
        let mut last = self.readiness.lock().await;
        let now = self.now();
        if let Some((at, unmet)) = &*last
            && (*at..*at + LOOK_EVERY).contains(&now)
        {
            return Ok(unmet.clone());
        }
        let before = last.as_ref().map(|(_, unmet)| unmet.clone());
        let before = before.unwrap_or_default();
        let unmet = self.run(move |service| Ok(service.look(&before))).await?;
        *last = Some((now, unmet.clone()));
        Ok(unmet)
    }

    /// Logs what changed since `before`.
    fn look(&self, before: &[Condition]) -> Vec<Condition> {
        let met = |condition: Condition| match condition {
            Condition::Database => self.store.try_write().map(|()| true),
            Condition::Disk => self.store.disk_space().map(|space| !space.is_low()),
            // A clock that is ahead may be right, after a long stop.
            Condition::Clock => self.compare_clock().map(|()| {
                let wrong = self.wrong_clock();
                wrong.is_none_or(|wrong| wrong.drift != Drift::Behind)
            }),
        };
        let mut unmet = Vec::new();
        for condition in Condition::ALL {
            let was_unmet = before.contains(&condition);
            let is_met = met(condition).unwrap_or_else(|error| {
                if !was_unmet {
                    self.log.fault("readiness", &error);
                }
                false
            });
            let name = condition.as_str();
            match (is_met, was_unmet) {
                (true, true) => self.log.event("condition_met", &[("condition", &name)]),
                (false, false) => self.log.event("condition_not_met", &[("condition", &name)]),
                (true, false) | (false, true) => {}
            }
            if !is_met {
                unmet.push(condition);
            }
        }
        unmet
    }
}
