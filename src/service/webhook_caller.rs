//! HTTP to a receiver of webhooks: one request, no redirects, no proxy, and only to addresses that may be called.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use ureq::http::{Request, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::tls_words::tls_words;
use crate::model::public_address::Callable;
use crate::model::webhook::{MAX_ANSWER, Outcome, not_called};

/// Only the beginning is shown: who answers slowly holds up nobody else.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct Caller {
    agent: ureq::Agent,
    timeout: Duration,
}

impl Caller {
    /// Reads the root certificates.
    pub(super) fn new(callable: &Callable, timeout: Duration) -> Caller {
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots = roots
            .iter()
            .map(|root| Certificate::from_der(root).to_owned());
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .timeout_global(Some(timeout))
            .timeout_recv_body(Some(BODY_TIMEOUT))
            .user_agent(concat!("license-server/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = ureq::Agent::with_parts(
            config,
            DefaultConnector::default(),
            Checked(callable.clone()),
        );
        Caller { agent, timeout }
    }

    pub(super) fn post(&self, url: &str, headers: &[(&str, &str)], body: &str) -> Outcome {
        let mut request = Request::post(url).header("Content-Type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request
            .body(body)
            .map_err(ureq::Error::from)
            .and_then(|request| self.agent.run(request));
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => return Outcome::NoAnswer(self.words(&error)),
        };
        let retry_after = answer.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut beginning = vec![];
        let reader = answer.body_mut().as_reader();
        // The status says enough.
        let _read = reader.take(MAX_ANSWER as u64).read_to_end(&mut beginning);
        Outcome::Answer {
            status: answer.status().as_u16(),
            body: String::from_utf8_lossy(&beginning).replace('\0', "\u{fffd}"),
            retry_after: retry_after.filter(|seconds: &i64| *seconds > 0),
        }
    }

    fn words(&self, error: &ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => {
                format!(
                    "There was no answer in time ({} s).",
                    self.timeout.as_secs()
                )
            }
            ureq::Error::Io(error) => {
                tls_words("The receiver", error).unwrap_or_else(|| error.to_string())
            }
            other => tls_words("The receiver", other).unwrap_or_else(|| other.to_string()),
        }
    }
}

/// Leaves only addresses that may be called; connections are made to no others.
#[derive(Debug)]
struct Checked(Callable);

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let all = DefaultResolver::default().resolve(uri, config, timeout)?;
        let is_https = uri.scheme_str() == Some("https");
        let mut permitted = self.empty();
        for address in all.iter() {
            if self.0.permits(address.ip(), is_https) {
                permitted.push(*address);
            }
        }
        match all.first() {
            Some(first) if permitted.is_empty() => Err(ureq::Error::Io(io::Error::new(
                io::ErrorKind::PermissionDenied,
                not_called(first.ip()),
            ))),
            _ => Ok(permitted),
        }
    }
}
