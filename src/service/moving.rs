//! Moving everything into another database: through a proven copy, and compared with it afterwards.

use std::path::PathBuf;

use super::Service;
use super::backup::new_part;
use super::proof::Contents;
use crate::clock::Clock;
use crate::config::{Config, PostgresUrl};
use crate::error::Refusal;
use crate::store::licenses;
use crate::store::swap::{self, UnusedFolder};

/// Where a database is to go: an empty one of PostgreSQL, or a folder without one.
#[derive(Debug, Clone)]
pub enum Target {
    Postgres(PostgresUrl),
    Folder(PathBuf),
}

/// Moves the database that the settings name, which nobody may use meanwhile. It stays where it was.
pub fn move_database(config: &Config, clock: Clock, to: &Target) -> Result<Contents, Refusal> {
    match &config.database {
        Some(url) => swap::refuse_in_use(url)?,
        None => drop(UnusedFolder::take(&config.data_dir)?),
    }
    let service = Service::open_without_keys(config, clock.clone())?;
    let mut target = config.clone();
    let contents = match to {
        Target::Postgres(url) => {
            target.database = Some(url.clone());
            let part = new_part(service.store.part_of_copy())?;
            let contents = service.copied(&part, "The copy")?;
            swap::fill(&part, url)?;
            contents
        }
        Target::Folder(folder) => {
            (target.data_dir, target.database) = (folder.clone(), None);
            let folder = UnusedFolder::take(folder)?;
            if let Some(data) = folder.data() {
                return Err(Refusal(format!(
                    "There is already a database {}; choose another folder.",
                    data.display()
                )));
            }
            let part = folder.part()?;
            let contents = service.copied(&part, "The copy")?;
            folder.swap(part, "")?;
            contents
        }
    };
    let there = Service::open_existing(&target, clock)?;
    let (licenses, proof) = (
        there.store.read(licenses::count)?,
        there.verify_audit(None)?,
    );
    if (licenses, &proof.head) != (contents.licenses, &contents.audit.head) {
        return Err(Refusal(format!(
            "The new database differs: it has {licenses} licenses of {}, and the audit log ends with {} instead of {}. \
             Do not use it.",
            contents.licenses, proof.head, contents.audit.head
        )));
    }
    Ok(contents)
}
