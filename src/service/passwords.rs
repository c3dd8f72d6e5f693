//! Password hashing with argon2id: at most two at once, in reused memory.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use parking_lot::Mutex;
use rocket::tokio::sync::Semaphore;
use rocket::tokio::{task, time};
use subtle::ConstantTimeEq;

use super::secrets;
use crate::error::Error;

const AT_ONCE: usize = 2;
const WAITING: usize = 16;
const WAIT: Duration = Duration::from_secs(2);
/// For known callers, who wait behind the strangers that came first.
const KNOWN_WAIT: Duration = Duration::from_secs(10);

/// Capacity of a buffer in blocks of 1 kB; blocks beyond the parameters are never touched. The C library
/// always returns freed buffers above 32 MB to the system; smaller ones it may keep forever.
const RESERVED: usize = 33 * 1024;

/// The hasher and the queue for it. Clones share both.
#[derive(Clone)]
pub(super) struct Passwords(Arc<Gate>);

struct Gate {
    /// One for each caller that is hashing or waiting; strangers cannot take those of known callers.
    places: Semaphore,
    known_places: Semaphore,
    running: Semaphore,
    memory: Mutex<Vec<Vec<Block>>>,
}

/// Who wants a password compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Stranger,
    /// With a session or a device cookie.
    Known,
}

/// Whether the password matches, and whether it should be rehashed with the current parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match {
    No,
    Yes,
    YesButOutdated,
}

impl Passwords {
    pub(super) fn new() -> Passwords {
        Passwords(Arc::new(Gate {
            places: Semaphore::new(AT_ONCE + WAITING),
            known_places: Semaphore::new(AT_ONCE + WAITING),
            running: Semaphore::new(AT_ONCE),
            memory: Mutex::new(Vec::new()),
        }))
    }

    /// A PHC string; takes about 20 ms, on the caller's thread.
    pub(super) fn hash(&self, password: &str) -> Result<String, Error> {
        self.0.hash(password)
    }

    /// Queues for a blocking thread; [`Error::TooManyRequests`] if the queue is full or slow. Without
    /// `stored` there is no match, after the same time.
    pub(super) async fn matches(
        &self,
        password: String,
        stored: Option<String>,
        caller: Caller,
    ) -> Result<Match, Error> {
        let gate = Arc::clone(&self.0);
        let busy = || Error::TooManyRequests(WAIT.as_secs());
        let (places, wait) = match caller {
            Caller::Stranger => (&gate.places, WAIT),
            Caller::Known => (&gate.known_places, KNOWN_WAIT),
        };
        let _place = places.try_acquire().map_err(|_| busy())?;
        let _running = match time::timeout(wait, gate.running.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => return Err(busy()),
        };
        let hasher = Arc::clone(&self.0);
        let compare = move || match stored {
            Some(stored) => hasher.matches(&password, &stored),
            None => hasher.hash(&password).map(|_| Match::No),
        };
        task::spawn_blocking(compare)
            .await
            .map_err(|e| Error::Internal(e.to_string()))?
    }
}

impl Gate {
    fn hash(&self, password: &str) -> Result<String, Error> {
        let params = Params::default();
        let salt = Salt::new(&secrets::random::<16>()?).map_err(fault)?;
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(fault)?,
            salt: Some(salt),
            hash: Some(self.digest(
                Algorithm::Argon2id,
                Version::V0x13,
                params,
                password,
                &salt,
            )?),
        };
        Ok(hash.to_string())
    }

    fn matches(&self, password: &str, stored: &str) -> Result<Match, Error> {
        let stored = PasswordHash::new(stored).map_err(fault)?;
        let (Some(salt), Some(expected)) = (stored.salt, stored.hash) else {
            return Err(fault("a stored password hash has no salt or no hash"));
        };
        let algorithm = Algorithm::try_from(stored.algorithm.as_str()).map_err(fault)?;
        let version = match stored.version {
            Some(version) => Version::try_from(version).map_err(fault)?,
            None => Version::V0x13,
        };
        let params = Params::try_from(&stored).map_err(fault)?;
        let today = Params::default();
        let outdated = algorithm != Algorithm::Argon2id
            || (params.m_cost(), params.t_cost(), params.p_cost())
                != (today.m_cost(), today.t_cost(), today.p_cost());
        let actual = self.digest(algorithm, version, params, password, &salt)?;
        Ok(
            match (
                bool::from(actual.as_bytes().ct_eq(expected.as_bytes())),
                outdated,
            ) {
                (false, _) => Match::No,
                (true, false) => Match::Yes,
                (true, true) => Match::YesButOutdated,
            },
        )
    }

    fn digest(
        &self,
        algorithm: Algorithm,
        version: Version,
        params: Params,
        password: &str,
        salt: &Salt,
    ) -> Result<Output, Error> {
        let kept = self.memory.lock().pop();
        let mut memory = kept.unwrap_or_else(|| Vec::with_capacity(RESERVED));
        memory.resize(params.block_count(), Block::default());
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let argon2 = Argon2::new(algorithm, version, params);
        let mut output = vec![0; length];
        let hashed = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            &mut output,
            &mut memory,
        );
        // Kept for waiting callers; 19 MB is too much to keep unused.
        if self.places.available_permits() + 1 < AT_ONCE + WAITING {
            self.memory.lock().push(memory);
        } else {
            self.memory.lock().clear();
        }
        hashed.map_err(fault)?;
        Output::new(&output).map_err(fault)
    }
}

fn fault(detail: impl std::fmt::Display) -> Error {
    Error::Internal(format!("password hash: {detail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Arc<Gate> {
        Passwords::new().0
    }

    #[test]
    fn a_password_fits_its_own_hash_only() {
        let gate = gate();
        let stored = gate.hash("zwölf Boxkämpfer").unwrap();
        assert!(
            stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{stored}"
        );
        assert_eq!(
            gate.matches("zwölf Boxkämpfer", &stored).unwrap(),
            Match::Yes
        );
        assert_eq!(gate.matches("zwölf Boxkämpfe", &stored).unwrap(), Match::No);
    }

    #[test]
    fn a_hash_of_weaker_parameters_fits_and_is_outdated() {
        let phc = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$";
        let stored = PasswordHash::new(phc.trim_end_matches('$')).unwrap();
        let params = Params::new(64, 1, 1, None).unwrap();
        let gate = gate();
        let digest = gate
            .digest(
                Algorithm::Argon2id,
                Version::V0x13,
                params,
                "secret",
                &stored.salt.unwrap(),
            )
            .unwrap();
        let stored = format!("{phc}{digest}");
        assert_eq!(
            gate.matches("secret", &stored).unwrap(),
            Match::YesButOutdated
        );
        assert_eq!(gate.matches("Secret", &stored).unwrap(), Match::No);
    }
}
