//! Finds the licenses of the machine that a customer names on the telephone.

use std::time::Duration;

use super::Service;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::model::license::License;
use crate::store::licenses;

/// As for any search.
const LONGEST: Duration = Duration::from_secs(1);

impl Service {
    /// The licenses of every machine with this code, and whether there was time to look at all of them.
    pub fn licenses_of_machine_code(&self, code: &str) -> Result<(Vec<License>, bool), Error> {
        let watch = Stopwatch::start();
        self.store.read_tx(|db| {
            let has_time = || watch.elapsed() < LONGEST;
            let (ids, is_complete) = licenses::of_machine_code(db, code, &has_time)?;
            Ok((licenses::of_ids(db, ids.into_iter())?, is_complete))
        })
    }
}
