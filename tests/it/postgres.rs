//! A database of its own on PostgreSQL for each server, if the environment names one in `TEST_POSTGRES`, such as
//! `postgres://postgres@127.0.0.1:5432`.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use license_server::config::PostgresUrl;

static MADE: AtomicUsize = AtomicUsize::new(0);

pub struct Database {
    pub url: PostgresUrl,
    name: String,
    server: String,
}

pub fn new_database() -> Option<Database> {
    let server = std::env::var("TEST_POSTGRES").ok()?;
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    run(&server, &format!("create database {name}"));
    let url = PostgresUrl::parse(&format!("{server}/{name}")).unwrap();
    Some(Database { url, name, server })
}

fn run(server: &str, sql: &str) {
    let psql = Command::new("psql")
        .args(["-q", "-d", &format!("{server}/postgres"), "-c", sql])
        .output();
    let psql = psql.unwrap();
    assert!(
        psql.status.success(),
        "{}",
        String::from_utf8_lossy(&psql.stderr)
    );
}

impl Drop for Database {
    fn drop(&mut self) {
        run(
            &self.server,
            &format!("drop database {} with (force)", self.name),
        );
    }
}
