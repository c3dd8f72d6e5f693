//! PostgreSQL, instead of SQLite's file: where it differs.

mod contact;
mod driver;
mod hosts;
mod listen;
mod open;
mod schema;
mod shared;

pub(super) use contact::Contact;
pub(super) use open::{BACKUP, BULK, Postgres};
pub use shared::Bucket;
