//! PostgreSQL, instead of SQLite's file: where it differs.

mod contact;
mod driver;
mod facts;
mod hosts;
mod listen;
mod locks;
mod open;
mod schema;
mod shared;

pub(super) use contact::Contact;
pub(super) use locks::{BACKUP, BULK};
pub(super) use open::Postgres;
pub use shared::Bucket;

#[cfg(test)]
pub(super) mod scratch;
