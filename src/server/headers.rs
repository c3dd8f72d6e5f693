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

const STRICT_TRANSPORT: &str = "max-age=31536000";

pub(super) fn fairing(config: &Config) -> AdHoc {
    let is_https = config.is_https();
    AdHoc::on_response("headers", move |request, response| {
        Box::pin(async move {
            // Browsers do not render verdicts, and seven headers cost more than the verdict.
            let may_be_page = !is_verdict(request, response.status());
            set(response, is_https, may_be_page);
        })
    })
}

/// Catchers must set the headers, too: fairings do not run for a request that Rocket cannot parse.
pub(super) fn on(catchers: Vec<Catcher>, config: &Config) -> Vec<Catcher> {
    let is_https = config.is_https();
    let with_headers = |mut catcher: Catcher| {
        let inner = catcher.handler;
        catcher.handler = Box::new(WithHeaders { inner, is_https });
        catcher
    };
    catchers.into_iter().map(with_headers).collect()
}

/// `Cache-Control` only if the route has not set its own.
fn set(response: &mut Response<'_>, is_https: bool, may_be_page: bool) {
    let (name, value) = NO_SNIFFING;
    response.set_raw_header(name, value);
    if may_be_page {
        for (name, value) in ON_PAGES {
            response.set_raw_header(name, value);
        }
    }
    if is_https {
        response.set_raw_header("Strict-Transport-Security", STRICT_TRANSPORT);
    }
    // A verdict never has this header.
    if !may_be_page || !response.headers().contains("Cache-Control") {
        response.set_raw_header("Cache-Control", "no-store");
    }
}

#[derive(Clone)]
struct WithHeaders {
    inner: Box<dyn catcher::Handler>,
    is_https: bool,
}

#[async_trait]
impl catcher::Handler for WithHeaders {
    async fn handle<'r>(&self, status: Status, request: &'r Request<'_>) -> catcher::Result<'r> {
        let mut response = self.inner.handle(status, request).await?;
        set(&mut response, self.is_https, true);
        Ok(response)
    }
}
