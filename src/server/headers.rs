//! The headers of every answer.

use rocket::fairing::AdHoc;

use crate::config::Config;

/// No script, no style in the page, no frame, no referrer to strangers.
const ALWAYS: [(&str, &str); 7] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; \
         form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
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

/// Sets them; `Cache-Control` only where the route has not chosen its own.
pub(super) fn fairing(config: &Config) -> AdHoc {
    let is_https = config.is_https();
    AdHoc::on_response("headers", move |_, response| {
        Box::pin(async move {
            for (name, value) in ALWAYS {
                response.set_raw_header(name, value);
            }
            if is_https {
                response.set_raw_header("Strict-Transport-Security", STRICT_TRANSPORT);
            }
            if !response.headers().contains("Cache-Control") {
                response.set_raw_header("Cache-Control", "no-store");
            }
        })
    })
}
