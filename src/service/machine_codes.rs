//! Finds the machine that a customer names on the phone.

use std::time::Duration;

use super::Service;
use crate::clock::Stopwatch;
use crate::error::Error;
use crate::model::doubt::{self, Doubt};
use crate::model::license::License;
use crate::model::machine_code::machine_code_in;
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
    /// What to ask before a license for this key is stored. A customer may have read out the machine code instead:
    /// then it is the machine that is meant.
    pub fn key_doubt(&self, tool_name: &str, key: &str) -> Result<Option<Doubt>, Error> {
        let of_key = doubt::key(key);
        let Some(code) = machine_code_in(key) else {
            return Ok(of_key);
        };
        let found = self.machines_of_code(&code)?;
        let licenses = found.licenses.iter();
        let licensed = licenses.map(|license| (&license.tool_name, &license.license_key));
        let unlicensed = found.unlicensed.iter();
        let unlicensed = unlicensed.map(|machine| (&machine.tool_name, &machine.license_key));
        let mut machines: Vec<(&String, &String)> = licensed.chain(unlicensed).collect();
        machines.retain(|(_, machine)| *machine != key);
        machines.sort_by_key(|(tool, _)| *tool != tool_name);
        Ok(match machines.is_empty() {
            true => of_key.or_else(|| doubt::machine_code(key, &code, &machines)),
            false => doubt::machine_code(key, &code, &machines),
        })
    }

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
