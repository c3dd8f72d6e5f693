//! What monitoring and `doctor` say of the database.

use time::OffsetDateTime;

use super::locks::SERVERS;
use super::open::Postgres;
use crate::error::Error;
use crate::model::doctor::inside::PostgresFacts;

impl Postgres {
    /// How many servers use the database.
    pub(in crate::store) fn servers(&self) -> Result<i64, Error> {
        Ok(self.free()?.one(SERVERS, &[], |row| row.get(0))?)
    }

    pub(in crate::store) fn facts(&self) -> Result<PostgresFacts, Error> {
        let setting = |name: &str| -> Result<String, Error> {
            let read = format!("select current_setting('{name}')");
            Ok(self.free()?.one(&read, &[], |row| row.get(0))?)
        };
        let now = "select cast(extract(epoch from clock_timestamp()) as bigint)";
        let now: i64 = self.free()?.one(now, &[], |row| row.get(0))?;
        let synchronous = setting("synchronous_commit")?;
        Ok(PostgresFacts {
            version: setting("server_version")?,
            servers: self.servers()?,
            is_durable: synchronous != "off",
            waits_for_standby: synchronous != "local"
                && !setting("synchronous_standby_names")?.is_empty(),
            now: OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        })
    }
}
