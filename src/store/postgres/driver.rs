//! What makes connections, and reads and writes them.

use std::sync::{Arc, mpsc};

use r2d2::{ManageConnection, Pool};
use rocket::tokio::runtime::{Builder, Runtime};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::listen::{Listener, listen};
use crate::config::PostgresUrl;
use crate::store::WRITE_WAIT;
use crate::store::db::{Db, DbError, Result};
use crate::store::session::Session;

/// Connections that wait for work, and at most.
const IDLE: u32 = 2;
const MOST: u32 = 16;

/// Reads and writes all connections.
pub(super) struct Driver {
    config: Config,
    tls: MakeRustlsConnect,
    runtime: Option<Runtime>,
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
            config: url.config().clone(),
            tls: MakeRustlsConnect::new(tls),
            runtime: Some(runtime.build()?),
        })
    }

    pub(super) fn connect(&self) -> Result<Session> {
        let ended = || DbError::Refused("the connections have ended");
        let runtime = self.runtime.as_ref().ok_or_else(ended)?;
        let (config, tls) = (self.config.clone(), self.tls.clone());
        let (sent, connected) = mpsc::sync_channel(1);
        // Not on this thread, which may belong to another runtime.
        runtime.spawn(async move {
            match config.connect(tls).await {
                Ok((client, connection)) => {
                    drop(sent.send(Ok(client)));
                    // It ends with its client; each statement reports what went wrong.
                    drop(connection.await);
                }
                Err(error) => drop(sent.send(Err(error))),
            }
        });
        let client = connected.recv().map_err(|_| ended())??;
        Ok(Session::new(client))
    }

    /// For as long as this exists.
    pub(super) fn listen(&self, listener: Listener) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(listen(self.config.clone(), self.tls.clone(), listener));
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
            .test_on_check_out(false)
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
        db.run("select 1", &[]).map(drop)
    }

    fn has_broken(&self, db: &mut Db) -> bool {
        matches!(db, Db::Postgres(session) if !session.is_usable())
    }
}
