//! What whoever has an activation code may see and do without an account.

use std::net::IpAddr;

use super::Service;
use super::activation::holder;
use crate::error::Error;
use crate::model::activation_code::{ActivationCode, moves_since};
use crate::store::seats::{self, SeatedMachine};
use crate::store::{Db, Read, activation_codes, licenses, tools};

/// Machines that are listed; a code can have 10,000.
const MAX_LISTED: i64 = 100;

/// An activation code and its machines.
pub struct Claimed {
    pub code: ActivationCode,
    /// Those that were not seen for the longest time, which are the ones to remove.
    pub machines: Vec<SeatedMachine>,
    pub used: i64,
    pub moves_left: i64,
}

impl Service {
    pub fn has_tool(&self, name: &str) -> Result<bool, Error> {
        self.store.read(|db| tools::exists(db, name))
    }

    pub fn claimed(&self, tool_name: &str, typed: &str, address: IpAddr) -> Result<Claimed, Error> {
        let code = self.code_for(tool_name, typed, address)?;
        self.store
            .read_tx(|db| self.claimed_in(db, code, MAX_LISTED))
    }

    /// With at most `limit` machines.
    pub(super) fn claimed_in(&self, db: &Db, code: ActivationCode, limit: i64) -> Read<Claimed> {
        let since = moves_since(self.clock.now());
        let moves = activation_codes::moves_since(db, code.id, since)?;
        Ok(Claimed {
            machines: seats::machines(db, code.id, limit)?,
            used: seats::used(db, code.id)?,
            moves_left: code.moves_left(moves),
            code,
        })
    }

    /// [`Service::deactivate`] for a machine of [`Service::claimed`], whose ID is not shown in full.
    pub fn remove_claimed(
        &self,
        tool_name: &str,
        typed: &str,
        license_id: i64,
        address: IpAddr,
    ) -> Result<(), Error> {
        let code = self.code_for(tool_name, typed, address)?;
        self.free_seat(&code, &holder(&code, address), |db| {
            licenses::get(db, license_id)
        })
    }
}
