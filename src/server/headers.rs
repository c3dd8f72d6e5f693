//! Response headers.

use rocket::catcher::{self, Catcher};
use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::{Request, Response, async_trait};

use super::is_verdict;
use crate::config::Config;

const NO_SNIFFING: (&str, &str) = ("X-Content-Type-Options", "nosniff");

/// No scripts, inline styles, frames, or referrers to other sites.
const ON_PAGES: [(&str, &str); 6] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Frame-Options", "DENY"),
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Permissions-Policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()",
    ),
];

/// Browsers do not render verdicts, and all headers of pages cost more than the verdict.
const ON_VERDICTS: [(&str, &str); 1] = [(
    "Content-Security-Policy",
    "default-src 'none'; frame-ancestors 'none'",
)];

/// A path is shared with neighbors, to whom the subdomains may belong.
fn strict_transport(config: &Config) -> Option<&'static str> {
    match (config.is_https(), config.base_path()) {
        (true, "") => Some("max-age=31536000; includeSubDomains"),
        (true, _) => Some("max-age=31536000"),
        (false, _) => None,
    }
}

pub(super) fn fairing(config: &Config) -> AdHoc {
    let transport = strict_transport(config);
    AdHoc::on_response("headers", move |request, response| {
        Box::pin(async move {
            let may_be_page = !is_verdict(request, response.status());
            set(response, transport, may_be_page);
        })
    })
}

/// Catchers must set the headers, too: fairings do not run for a request that Rocket cannot parse.
pub(super) fn on(catchers: Vec<Catcher>, config: &Config) -> Vec<Catcher> {
    let transport = strict_transport(config);
    let with_headers = |mut catcher: Catcher| {
        let inner = catcher.handler;
        catcher.handler = Box::new(WithHeaders { inner, transport });
        catcher
    };
    catchers.into_iter().map(with_headers).collect()
}

/// `Cache-Control` only if the route has not set its own.
fn set(response: &mut Response<'_>, transport: Option<&'static str>, may_be_page: bool) {
    let own = match may_be_page {
        true => &ON_PAGES[..],
        false => &ON_VERDICTS,
    };
    for (name, value) in std::iter::once(&NO_SNIFFING).chain(own) {
        response.set_raw_header(*name, *value);
    }
    if let Some(value) = transport {
        response.set_raw_header("Strict-Transport-Security", value);
    }
    // A verdict never has this header.
    if !may_be_page || !response.headers().contains("Cache-Control") {
        response.set_raw_header("Cache-Control", "no-store");
    }
}

#[derive(Clone)]
struct WithHeaders {
    inner: Box<dyn catcher::Handler>,
    transport: Option<&'static str>,
}

#[async_trait]
impl catcher::Handler for WithHeaders {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let mut response = self.inner.handle(status, request).await?;
        set(&mut response, self.transport, true);
        Ok(response)
    }
}
