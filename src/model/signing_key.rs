//! A key that answers are signed with.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;

/// What is known of a key, without its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The first 16 characters of its RFC 7638 thumbprint.
    pub kid: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// Whether it signs for clients that name none.
    pub is_default: bool,
    /// Since when it signs nothing.
    pub retired_at: Option<OffsetDateTime>,
    /// When its private half was last written to a file.
    pub exported_at: Option<OffsetDateTime>,
    /// The operator's day on which it last signed, `YYYY-MM-DD`.
    pub last_used_on: Option<String>,
    /// How many answers it has signed.
    pub answers: i64,
}

/// A private key: PKCS #8 as Base64.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A public key as RFC 7517 has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// `EC`.
    pub kty: &'static str,
    /// `P-256`.
    pub crv: &'static str,
    /// 32 bytes as base64url.
    pub x: String,
    /// 32 bytes as base64url.
    pub y: String,
    /// See [`SigningKey::kid`].
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub use_for: &'static str,
    /// `ES256`.
    pub alg: &'static str,
}
