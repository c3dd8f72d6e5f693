//! Finds the machine that a customer names on the telephone.

use std::time::Duration;

use super::Service;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::model::license::License;
use crate::model::unlicensed::UnlicensedMachine;
use crate::store::{licenses, unlicensed_machines};

/// As for any search.
const LONGEST: Duration = Duration::from_secs(1);

/// What machines with one machine code have.
pub struct CodedMachines {
    pub licenses: Vec<License>,
    /// Whether there was time to look at all licenses.
    pub is_complete: bool,
    pub unlicensed: Vec<UnlicensedMachine>,
}

impl Service {
    pub fn machines_of_code(&self, code: &str) -> Result<CodedMachines, Error> {
        let watch = Stopwatch::start();
        self.store.read_tx(|db| {
            let has_time = || watch.elapsed() < LONGEST;
            let unlicensed = unlicensed_machines::of_machine_code(db, code)?;
            let (ids, is_complete) = licenses::of_machine_code(db, code, &has_time)?;
            Ok(CodedMachines {
                licenses: licenses::of_ids(db, ids.into_iter())?,
                is_complete,
                unlicensed,
            })
        })
    }
}
