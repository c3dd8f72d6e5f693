//! What a browser sends back to the server that made it. After a restart there is none: the key is only in memory, or
//! shared by all servers on a database while one of them runs.

use time::OffsetDateTime;

use super::secrets;
use crate::error::Error;

pub(super) struct Seals(String);

impl Seals {
    pub(super) fn new(key: &str) -> Seals {
        Seals(key.to_owned())
    }

    /// `UNTIL.MAC`, for a text that is known when it comes back.
    pub(super) fn seal(&self, text: &str, until: OffsetDateTime) -> Result<String, Error> {
        let until = until.unix_timestamp();
        let mac = secrets::mac(&self.0, &format!("{until} {text}"))?;
        Ok(format!("{until}.{mac}"))
    }

    pub(super) fn is_good(
        &self,
        seal: &str,
        text: &str,
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let Some((until, mac)) = seal.split_once('.') else {
            return Ok(false);
        };
        let is_in_time = until
            .parse()
            .is_ok_and(|until: i64| now.unix_timestamp() < until);
        Ok(secrets::is_mac(mac, &self.0, &format!("{until} {text}"))? && is_in_time)
    }
}
