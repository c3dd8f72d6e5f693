//! API tokens: keys for scripts.

use super::{Service, secrets};
use crate::error::Error;
use crate::store::tokens;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Read licenses.
    Read,
    /// Add, change and delete licenses.
    Write,
}

impl Scope {
    /// The word under which the scope is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "licenses:read",
            Scope::Write => "licenses:write",
        }
    }
}

/// A script that showed a good token.
#[derive(Debug, Clone)]
pub struct TokenUser {
    /// The token's name.
    pub name: String,
    scopes: String,
}

impl TokenUser {
    /// Whether the token may do that.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.split(' ').any(|word| word == scope.as_str())
    }
}

impl Service {
    /// Whose token this is, if it is good now.
    pub fn token_user(&self, token: &str) -> Result<Option<TokenUser>, Error> {
        let found = self
            .store
            .read(|db| tokens::by_token_hash(db, &secrets::fingerprint(token)))?;
        let alive = found.filter(|token| self.clock.now() < token.expires_at);
        Ok(alive.map(|token| TokenUser {
            name: token.name,
            scopes: token.scopes,
        }))
    }
}
