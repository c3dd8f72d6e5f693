//! A key that answers are signed with.

use std::fmt;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Metadata of a signing key, without the private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The first 16 characters of its RFC 7638 thumbprint.
    pub kid: String,
    pub created_at: OffsetDateTime,
    /// Whether it signs for clients that list no keys.
    pub is_default: bool,
    pub retired_at: Option<OffsetDateTime>,
    /// When the private key was last written to a file.
    pub exported_at: Option<OffsetDateTime>,
    /// When it last signed, as `YYYY-MM-DD` in the operator's UTC offset.
    pub last_used_on: Option<String>,
    /// Answers signed so far.
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

/// A public key as a JSON Web Key (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Jwk {
    /// `EC`.
    pub kty: &'static str,
    /// `P-256`.
    pub crv: &'static str,
    /// 32 bytes as base64url.
    pub x: String,
    /// 32 bytes as base64url.
    pub y: String,
    /// The first 16 characters of the RFC 7638 thumbprint.
    pub kid: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub use_for: &'static str,
    /// `ES256`.
    pub alg: &'static str,
}
