//! A self-hosted license server.
//!
//! The modules, top to bottom, are the architecture: imports point only downwards, and `api` and
//! `pages` never see each other.

/// The commands other than `serve`.
pub mod commands;

/// The composition root: routes, catchers, headers, shutdown; the only module that knows all others.
pub mod server;

/// The JSON API: one file per resource.
mod api;

/// The web pages: one file per page or flow.
mod pages;

/// Request guards: authentication, and protection against cross-site requests.
mod auth;

/// What `api` and `pages` share: reading bodies, and passing errors to catchers.
mod request;

/// The use cases: each method runs at one moment, in one transaction.
pub mod service;

/// All SQL, and nothing but SQL.
mod store;

/// Plain data and rules without I/O; the current time is an argument.
pub mod model;

/// All settings.
pub mod config;

/// The only place that reads the system clock.
pub mod clock;

/// One event per line, for the operator.
pub mod log;

/// What can go wrong, not how it is shown.
pub mod error;
