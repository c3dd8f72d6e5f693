//! `license-server doctor`: what it observes, and what that means.

pub mod inside;
pub mod outside;
pub mod passed;

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    Warning,
    Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    /// What was found and, unless that is fine, the setting or the line to change.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        // What another server sent may have line breaks.
        let text = self.text.replace(char::is_control, " ");
        write!(f, "{level:8} {text}")
    }
}

impl Finding {
    pub fn ok(text: impl Into<String>) -> Finding {
        let (level, text) = (Level::Ok, text.into());
        Finding { level, text }
    }

    pub fn warning(text: impl Into<String>) -> Finding {
        let (level, text) = (Level::Warning, text.into());
        Finding { level, text }
    }

    pub fn error(text: impl Into<String>) -> Finding {
        let (level, text) = (Level::Error, text.into());
        Finding { level, text }
    }
}

/// The header with which a doctor shows that it reads the same database as the server.
pub const PASS: &str = "X-License-Server-Doctor";

/// Sent back to it, and must arrive unchanged.
pub const SET_COOKIE: &str = "license_doctor=1; HttpOnly; SameSite=Strict; Path=/; Max-Age=0";

/// A request of the doctor as it arrived at the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Echo {
    /// Of the pass, so that a cached answer is noticed.
    pub nonce: String,
    pub path: String,
    pub query: String,
    pub host: String,
    /// Who opened the connection, and whether `trusted_proxies` has that address.
    pub peer: IpAddr,
    pub is_trusted: bool,
    /// All values of `X-Forwarded-For`, joined.
    pub forwarded: String,
    /// The address that counts for the server.
    pub client: IpAddr,
    /// Whether the server takes the request for one of its own pages'.
    pub is_same_origin: bool,
    pub authorization: String,
    pub cookie: String,
    pub content_type: String,
    /// Bytes.
    pub body: u64,
    /// With its path, as the running server has it.
    pub public_url: String,
}
