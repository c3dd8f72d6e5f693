//! The proof that a copy of the database is good, and what it holds.

use std::path::Path;

use time::OffsetDateTime;

use super::audit::{self, CHUNK, Proof};
use super::encryption::Encryption;
use super::keys::KeyRing;
use super::new_secret::Stored;
use crate::error::{Error, Refusal};
use crate::store::copied::CopiedDatabase;
use crate::store::copy::Halt;
use crate::store::{audit as entries, licenses, newest, signing_keys};

#[derive(Debug)]
pub struct Contents {
    pub licenses: usize,
    pub signing_keys: usize,
    /// The newest change or check.
    pub newest: Option<OffsetDateTime>,
    pub audit: Proof,
    pub bytes: u64,
}

/// Proves that the file is a whole database, that no entry of its audit log was changed, and that each signing
/// key is there and signs, and that the other secrets can be decrypted. The file is not touched. `name` is what the person calls it.
pub(super) fn prove(
    path: &Path,
    name: &str,
    halt: &Halt,
    encryption: &Encryption,
) -> Result<Contents, Refusal> {
    contents(path, halt, encryption)
        .map_err(|reason| Refusal(format!("{name} is not a good backup: {reason}")))
}

fn contents(path: &Path, halt: &Halt, encryption: &Encryption) -> Result<Contents, Refusal> {
    let copy = CopiedDatabase::open(path, halt).map_err(|reason| Refusal(format!("{reason}.")))?;
    let audit = audit::verify(None, |first| {
        copy.read(|db| entries::walk(db, first, CHUNK))
    })?;
    let missing = copy.read(signing_keys::missing)?;
    let ring = KeyRing::complete(copy.read(signing_keys::all)?, &missing, encryption)?;
    // A restore proves an older one once more, when its tables are those of this program.
    if copy.is_current()? {
        for stored in copy.read(Stored::all)? {
            stored.decrypt(encryption)?;
        }
    }
    let bytes = path.metadata().map_err(|e| Refusal(e.to_string()))?.len();
    Ok(Contents {
        licenses: copy.read(licenses::count)?,
        signing_keys: ring.try_all()?,
        newest: copy.read(newest::moment)?,
        audit,
        bytes,
    })
}

/// What an error of the database means for a backup.
pub(super) fn words(error: Error) -> Refusal {
    let Refusal(reason) = Refusal::from(error);
    Refusal(format!("{}.", reason.trim_end_matches('.')))
}
