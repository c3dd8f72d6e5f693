//! May this tool run on this machine?

use super::Service;
use crate::error::Error;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::store::licenses;

impl Service {
    /// The verdict at this moment; an error is a fault and never a verdict.
    pub fn check(&self, question: &Question<'_>) -> Result<Verdict, Error> {
        let judged = self.store.read(|db| licenses::judged(db, question))?;
        Ok(match judged {
            None => Verdict::NotFound,
            Some((status, last_day)) => {
                Verdict::on(status, last_day, self.clock.now(), self.utc_offset)
            }
        })
    }
}
