//! Connections to the primary, which may be any of the hosts in the address.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocket::tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::db::{DbError, Result};

/// How long a host may take. One that accepts a connection and then is silent must not keep others from being tried.
const WITHIN: Duration = Duration::from_secs(3);

type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

pub(super) struct Hosts {
    each: Vec<Config>,
    /// The one that was last connected to, and so is tried first: others may have been dead for long.
    last: AtomicUsize,
    tls: MakeRustlsConnect,
}

impl Hosts {
    pub(super) fn new(all: &Config, tls: MakeRustlsConnect) -> Hosts {
        let number = all.get_hosts().len().max(all.get_hostaddrs().len()).max(1);
        Hosts {
            each: (0..number).map(|host| only(all, host)).collect(),
            last: AtomicUsize::new(0),
            tls,
        }
    }

    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>)> {
        let first = self.last.load(Ordering::Relaxed);
        let mut failed = DbError::Refused("it does not answer");
        for host in (first..self.each.len()).chain(0..first) {
            match timeout(WITHIN, self.each[host].connect(self.tls.clone())).await {
                Ok(Ok(connected)) => {
                    self.last.store(host, Ordering::Relaxed);
                    return Ok(connected);
                }
                Ok(Err(error)) => failed = error.into(),
                Err(_) => failed = DbError::Refused("it does not answer"),
            }
        }
        Err(failed)
    }
}

/// The same address with one of its hosts.
fn only(all: &Config, host: usize) -> Config {
    let mut one = Config::new();
    one.ssl_mode(all.get_ssl_mode())
        .ssl_negotiation(all.get_ssl_negotiation())
        .channel_binding(all.get_channel_binding())
        .target_session_attrs(all.get_target_session_attrs())
        .keepalives_idle(Duration::from_secs(5))
        .keepalives_interval(Duration::from_secs(2))
        .keepalives_retries(3);
    match all.get_hosts().get(host) {
        Some(Host::Tcp(name)) => {
            one.host(name);
        }
        Some(Host::Unix(folder)) => {
            one.host_path(folder);
        }
        None => {}
    }
    let ports = all.get_ports();
    if let Some(port) = ports.get(host).or(ports.first()) {
        one.port(*port);
    }
    if let Some(address) = all.get_hostaddrs().get(host) {
        one.hostaddr(*address);
    }
    if let Some(user) = all.get_user() {
        one.user(user);
    }
    if let Some(password) = all.get_password() {
        one.password(password);
    }
    if let Some(name) = all.get_dbname() {
        one.dbname(name);
    }
    if let Some(options) = all.get_options() {
        one.options(options);
    }
    if let Some(name) = all.get_application_name() {
        one.application_name(name);
    }
    one
}
