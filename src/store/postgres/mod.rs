//! PostgreSQL, instead of SQLite's file: where it differs.

mod driver;
mod listen;
mod open;
mod schema;

pub(super) use open::Postgres;

#[cfg(test)]
pub(super) mod scratch;
