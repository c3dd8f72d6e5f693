//! HTTP as a client that says what it sees: no redirects, no cache, and any certificate, which `tls` looks at.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::http::{Request, Uri};
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::model::doctor::outside::{Answer, Call, Reached};

pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// 16 MiB over a slow line.
const ANSWER: Duration = Duration::from_secs(120);
/// More than a page has.
const LONGEST: u64 = 1024 * 1024;

pub(super) struct Caller(ureq::Agent);

impl Caller {
    pub(super) fn new(https: Option<SocketAddr>, http: Option<SocketAddr>) -> Caller {
        // The answers decide nothing, and the pass in a request is worth nothing elsewhere.
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .disable_verification(true)
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(ANSWER))
            .user_agent("license-server doctor")
            .build();
        let connector = DefaultConnector::default();
        Caller(ureq::Agent::with_parts(
            config,
            connector,
            Way { https, http },
        ))
    }

    pub(super) fn get(&self, url: &str, headers: &[(&str, &str)]) -> Call {
        self.send("GET", url, b"", headers)
    }

    pub(super) fn post(&self, url: &str, body: &[u8], headers: &[(&str, &str)]) -> Call {
        self.send("POST", url, body, headers)
    }

    pub(super) fn send(
        &self,
        method: &str,
        url: &str,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Call {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match method {
            "GET" | "DELETE" => self.0.run(request.body(()).map_err(|e| e.to_string())?),
            _ => self.0.run(request.body(body).map_err(|e| e.to_string())?),
        };
        let mut answer = answer.map_err(|e| e.to_string())?;
        let headers = answer.headers().iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        });
        let headers = headers.collect();
        // The status says enough.
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec();
        Ok(Answer {
            status: answer.status().as_u16(),
            headers,
            body: String::from_utf8_lossy(&body.unwrap_or_default()).into_owned(),
        })
    }
}

/// Other addresses than those of the name.
#[derive(Debug)]
struct Way {
    https: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

impl Resolver for Way {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let fixed = match uri.scheme_str() {
            Some("https") => self.https,
            _ => self.http,
        };
        let Some(address) = fixed else {
            return DefaultResolver::default().resolve(uri, config, timeout);
        };
        let mut found = self.empty();
        found.push(address);
        Ok(found)
    }
}

/// Connects to each address of the name in `origin`, or only to the one given.
pub(super) fn reach(origin: &str, at: Option<SocketAddr>) -> Reached {
    let (scheme, authority) = origin.split_once("://").unwrap_or_default();
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let target = match (has_port, scheme) {
        (true, _) => authority.to_owned(),
        (false, "https") => format!("{authority}:443"),
        (false, _) => format!("{authority}:80"),
    };
    let addresses: Vec<SocketAddr> = match at.map_or_else(
        || target.to_socket_addrs().map(Iterator::collect),
        |at| Ok(vec![at]),
    ) {
        Ok(addresses) => addresses,
        Err(e) => return Reached::NoName(e.to_string()),
    };
    let (mut open, mut closed) = (vec![], vec![]);
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(_) => open.push(address),
            Err(e) => closed.push((address, e.to_string())),
        }
    }
    Reached::At(open, closed)
}
