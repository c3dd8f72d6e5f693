//! What makes connections.

use std::sync::Arc;

use r2d2::{ManageConnection, Pool};
use rocket::tokio::runtime::{Builder, Runtime};
use rocket::tokio::sync::watch;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hosts::Hosts;
use super::listen::{Listener, listen};
use crate::config::PostgresUrl;
use crate::store::WRITE_WAIT;
use crate::store::db::{Db, DbError, Result};
use crate::store::here::{ENDED, Here};
use crate::store::session::Session;

/// Connections that wait for work, and at most.
const IDLE: u32 = 2;
const MOST: u32 = 16;

/// PostgreSQL notices within 5 s that a server is gone, and lets go of its locks: others may be waiting to write.
const NOTICED: &str = "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; \
    set tcp_keepalives_count = 3; set tcp_user_timeout = 5000";

pub(super) struct Driver {
    hosts: Arc<Hosts>,
    /// For the connection that listens.
    runtime: Option<Runtime>,
    /// Changes whenever all connections end, because the database is silent.
    silence: watch::Sender<()>,
}

impl Driver {
    pub(super) fn new(url: &PostgresUrl) -> std::io::Result<Driver> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut runtime = Builder::new_multi_thread();
        let runtime = runtime
            .worker_threads(1)
            .thread_name("postgres")
            .enable_all();
        Ok(Driver {
            hosts: Arc::new(Hosts::new(url.config(), MakeRustlsConnect::new(tls))),
            runtime: Some(runtime.build()?),
            silence: watch::Sender::new(()),
        })
    }

    pub(super) fn connect(&self) -> Result<Session> {
        let here = Here::new()?;
        let silence = self.silence.subscribe();
        let (client, wire) = here.wait(self.hosts.connect())??;
        let session = Session::new(here, client, wire, silence);
        session.batch(NOTICED)?;
        Ok(session)
    }

    /// For as long as this exists.
    pub(super) fn listen(&self, listener: Listener) {
        if let Some(runtime) = &self.runtime {
            let hosts = Arc::clone(&self.hosts);
            runtime.spawn(listen(hosts, listener, self.silence.clone()));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Waiting for it would panic on a thread of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the pool makes.
pub(in crate::store) struct Connections(pub(super) Arc<Driver>);

impl Connections {
    pub(super) fn pool(self) -> Pool<Connections> {
        Pool::builder()
            .min_idle(Some(IDLE))
            .max_size(MOST)
            .connection_timeout(WRITE_WAIT)
            .build_unchecked(self)
    }
}

impl ManageConnection for Connections {
    type Connection = Db;
    type Error = DbError;

    fn connect(&self) -> Result<Db> {
        Ok(Db::Postgres(self.0.connect()?))
    }

    fn is_valid(&self, db: &mut Db) -> Result<()> {
        match db {
            Db::Postgres(session) if !session.is_usable() => Err(ENDED),
            _ => Ok(()),
        }
    }

    /// Whether its connection has ended is looked at when it is taken again.
    fn has_broken(&self, db: &mut Db) -> bool {
        matches!(db, Db::Postgres(session) if session.is_in_transaction())
    }
}
