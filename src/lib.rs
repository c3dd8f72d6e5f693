//! A self-hosted license server.
//!
//! The modules, top to bottom, are the architecture: imports point only downwards, and `api` and
//! `pages` never see each other.

/// What the command line does besides serving.
pub mod commands;

/// The composition root: mounts, catchers, headers, shutdown; the only module that knows all others.
pub mod server;

/// The JSON door: one file per noun.
pub mod api;

/// The HTML door: one file per page or flow.
pub mod pages;

/// Request guards: who is asking, and may a browser have been tricked into it.
pub mod auth;

/// What both doors do with a request: read its body, carry a refusal to its catcher.
pub mod request;

/// What the product does: one method per verb, at one moment, in one transaction.
pub mod service;

/// All SQL and nothing but SQL.
pub mod store;

/// Plain data and rules without I/O; `now` is an argument.
pub mod model;

/// Every setting of the program.
pub mod config;

/// The only place that asks the machine for the time.
pub mod clock;

/// What the operator reads: one event a line.
pub mod log;

/// What can go wrong, never how it looks.
pub mod error;
