//! A database for a unit test.

use time::Duration;

use super::contact::Contact;
use super::driver::Driver;
use super::open::Postgres;
use crate::clock::Clock;
use crate::config::PostgresUrl;
use crate::store::db::Db;
use crate::store::open::Missing;
use crate::store::session::Session;

/// Dropped with this.
pub(in crate::store) struct Scratch {
    pub(in crate::store) db: Db,
    /// Connections end with what made them.
    _postgres: Postgres,
    _driver: Driver,
    pub(in crate::store) cluster: Session,
    name: String,
}

impl Scratch {
    /// None without a cluster in `TEST_POSTGRES`.
    pub(in crate::store) fn new(test: &str) -> Option<Scratch> {
        let driver = Driver::new(&PostgresUrl::of_test("postgres")?).unwrap();
        let cluster = driver.connect().unwrap();
        let name = format!("test_{}_{test}", std::process::id());
        cluster.batch(&format!("create database {name}")).unwrap();
        let url = PostgresUrl::of_test(&name)?;
        let contact = Contact::new(Clock::System, Duration::DAY);
        let (postgres, db) = Postgres::open(&url, Missing::Make, contact).unwrap();
        Some(Scratch {
            db,
            _postgres: postgres,
            _driver: driver,
            cluster,
            name,
        })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let drop = format!("drop database {} with (force)", self.name);
        self.cluster.batch(&drop).unwrap();
    }
}
