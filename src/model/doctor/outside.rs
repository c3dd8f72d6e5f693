//! What the doctor finds when it calls the server at `public_url`, as a browser and as a client would.

use std::net::SocketAddr;

use time::{Duration, OffsetDateTime};

use super::{Echo, Finding, SET_COOKIE};
use crate::model::date;

/// certbot renews 30 days before the end.
const RENEWED_BY: Duration = Duration::days(14);
/// Whoever sends 203.0.113.7 (RFC 5737) as its own address must not be believed.
pub const FORGED: &str = "203.0.113.7";
pub const AUTHORIZATION: &str = "Bearer doctor";
pub const CONTENT_TYPE: &str = "application/octet-stream";
pub const COOKIE: &str = "license_doctor=1";

/// The address in `public_url`, in parts.
#[derive(Debug, Clone)]
pub struct Place {
    /// `https://licenses.example.com`.
    pub origin: String,
    /// Empty, or a path without a trailing slash.
    pub base: String,
    pub host: String,
    pub is_https: bool,
    /// Where the server listens: `127.0.0.1:8000`.
    pub server: String,
    /// Without a proxy.
    pub is_direct: bool,
}

impl Place {
    pub fn url(&self) -> String {
        format!("{}{}", self.origin, self.base)
    }

    /// Whether `origin` has no port.
    pub fn has_usual_port(&self) -> bool {
        self.origin.matches(':').count() == 1
    }
}

#[derive(Debug, Clone, Default)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    fn all(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).collect()
    }

    fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }

    pub fn echo(&self) -> Option<Echo> {
        serde_json::from_str(&self.body).ok()
    }

    /// As the server answers `GET /health`.
    pub fn is_healthy(&self) -> bool {
        self.status == 200 && self.body == r#"{"status":"ok"}"#
    }

    fn is_redirect(&self) -> bool {
        (300..400).contains(&self.status)
    }

    /// For a message.
    pub fn who(&self) -> String {
        match self.header("server") {
            "" => format!("status {}", self.status),
            server => format!("status {}, `Server: {server}`", self.status),
        }
    }
}

/// An answer, or why there is none.
pub type Call = Result<Answer, String>;

/// How the name of `public_url` is reached.
#[derive(Debug)]
pub enum Reached {
    /// The name cannot be resolved.
    NoName(String),
    /// Addresses that accept connections, and those that do not.
    At(Vec<SocketAddr>, Vec<(SocketAddr, String)>),
}

#[derive(Debug, Clone)]
pub enum CertificateFault {
    Expired,
    NotYetValid,
    OtherName,
    UnknownIssuer,
    Other(String),
    /// There was no TLS connection at all.
    NoTls(String),
}

#[derive(Debug)]
pub struct Certificate {
    pub fault: Option<CertificateFault>,
    /// When it ends, if it can be read.
    pub until: Option<OffsetDateTime>,
}

impl Certificate {
    /// Whether there was no TLS connection.
    pub fn is_missing(&self) -> bool {
        matches!(self.fault, Some(CertificateFault::NoTls(_)))
    }
}

/// The lines to change in the file of each proxy.
pub(super) fn lines(nginx: &str, apache: &str, caddy: &str) -> String {
    format!("nginx: `{nginx}` · Apache: `{apache}` · Caddy: `{caddy}`")
}

pub fn reached(place: &Place, reached: &Reached) -> Vec<Finding> {
    let Place { host, origin, .. } = place;
    let (open, closed) = match reached {
        Reached::NoName(words) => {
            return vec![Finding::error(format!(
                "`public_url`: the name {host} cannot be resolved ({words}); add a DNS entry that points to this \
                 machine"
            ))];
        }
        Reached::At(open, closed) => (open, closed),
    };
    let level = if open.is_empty() {
        Finding::error
    } else {
        Finding::warning
    };
    let mut found: Vec<Finding> = closed
        .iter()
        .map(|(address, words)| {
            level(format!(
                "{origin}: nothing answers at {address} ({words}); start the proxy, open the port in the firewall, \
                 and let the proxy listen there, {}",
                lines("listen 443 ssl;", "Listen 443", "https_port 443")
            ))
        })
        .collect();
    if !open.is_empty() {
        let all: Vec<String> = open
            .iter()
            .map(|address| address.ip().to_string())
            .collect();
        found.push(Finding::ok(format!("{origin} is at {}", all.join(", "))));
    }
    found
}

pub fn certificate(place: &Place, certificate: &Certificate, now: OffsetDateTime) -> Finding {
    let host = &place.host;
    let until = certificate.until;
    let day = until.map_or("an unknown day".to_owned(), |at| date::format(at.date()));
    let file = lines("ssl_certificate", "SSLCertificateFile", "tls");
    let renew = format!("renew it, `certbot renew`, and let the proxy read it again, {file}");
    match &certificate.fault {
        Some(CertificateFault::Expired) => {
            Finding::error(format!("the certificate of {host} ended on {day}; {renew}"))
        }
        Some(CertificateFault::NotYetValid) => Finding::error(format!(
            "the certificate of {host} is not valid yet; compare the clock with `timedatectl`"
        )),
        Some(CertificateFault::OtherName) => Finding::error(format!(
            "the certificate is not for {host}, the name in `public_url`; get one for it, {file}"
        )),
        Some(CertificateFault::UnknownIssuer) => Finding::error(format!(
            "the certificate of {host} is from an issuer that clients do not know, or the certificates between are \
             missing: with certbot the file is fullchain.pem, {file}"
        )),
        Some(CertificateFault::Other(words)) => Finding::error(format!(
            "the certificate of {host} is refused ({words}); {file}"
        )),
        Some(CertificateFault::NoTls(words)) => Finding::error(format!(
            "{}: no TLS connection ({words}); {}",
            place.origin,
            lines("listen 443 ssl;", "SSLEngine on", "licenses.example.com {")
        )),
        None if until.is_some_and(|until| until - now < RENEWED_BY) => {
            Finding::warning(format!("the certificate of {host} ends on {day}; {renew}"))
        }
        None => Finding::ok(format!("certificate of {host}: valid until {day}")),
    }
}

/// What came back when the doctor asked the server to say what arrived.
#[derive(Debug)]
pub struct Visit {
    /// The answer at `public_url`.
    pub echo: Call,
    /// A pass has its own nonce.
    pub nonce: String,
    /// `GET /health` there, if the first answer was not the server's.
    pub health: Option<Call>,
}

/// The echo, or why there is none.
pub fn echo(place: &Place, visit: &Visit) -> Result<Echo, Finding> {
    let url = place.url();
    let answer = match &visit.echo {
        Ok(answer) => answer,
        Err(words) => return Err(Finding::error(format!("{url} gives no answer: {words}"))),
    };
    if let (200, Some(echo)) = (answer.status, answer.echo())
        && echo.nonce == visit.nonce
    {
        return Ok(echo);
    }
    let pass = |slash| {
        lines(
            &format!("proxy_pass http://license_server{slash};"),
            &format!("ProxyPass http://{}{}", place.server, place.base),
            &format!("reverse_proxy {}", place.server),
        )
    };
    let who = answer.who();
    Err(Finding::error(match answer.status {
        500 | 502..=504 => format!(
            "{url}: the proxy does not reach the server ({who}), which is at {}; {}",
            place.server,
            lines(
                &format!("server {};", place.server),
                &format!("ProxyPass … http://{}", place.server),
                &format!("reverse_proxy {}", place.server)
            )
        ),
        300..=399 => format!(
            "{url} is redirected to {}; set `public_url` to the address where it ends, or remove the redirect",
            answer.header("location")
        ),
        401 | 403 | 407 => format!(
            "{url}: the proxy wants a sign-in or a right of its own ({who}), which no client has; {}",
            lines("auth_basic", "Require", "basicauth")
        ),
        413 => format!("{url}: {}", too_small("a small request", "64k", 65_536)),
        404 if matches!(&visit.health, Some(Ok(health)) if health.is_healthy()) => format!(
            "{url}: another license server answers, or one with another database; `data_dir` here is not that of \
             the server, or the DNS entry points to another machine"
        ),
        _ if is_ours(answer) => format!(
            "{url}: the license server is there, but gets another path than the visitor sent; pass the path of \
             `public_url` ({}) on as it is, {}",
            if place.base.is_empty() {
                "none"
            } else {
                &place.base
            },
            pass("")
        ),
        _ => format!(
            "{url}: another program answers ({who}), or the proxy does not pass this path on; compare \
             `public_url` with the proxy, {}",
            lines(
                &format!("location {}/", place.base),
                &format!("ProxyPass {}", place.base),
                &format!("handle {}/*", place.base)
            )
        ),
    }))
}

/// No other program sends this policy.
fn is_ours(answer: &Answer) -> bool {
    let policy = answer.header("content-security-policy");
    policy.starts_with("default-src 'none'; style-src 'self'; img-src 'self'")
}

/// The request as it arrived.
pub fn arrived(place: &Place, echo: &Echo) -> Vec<Finding> {
    let mut found = vec![];
    if echo.public_url != place.url() {
        found.push(Finding::error(format!(
            "`public_url` is {} here and {} in the running server; restart the server",
            place.url(),
            echo.public_url
        )));
    }
    let kept = match echo.path.strip_suffix("/api/doctor") {
        Some("") if !place.base.is_empty() => "stripped by the proxy",
        _ => "kept",
    };
    found.push(Finding::ok(format!("path: {kept}")));
    if !place.is_direct {
        found.push(forwarded(echo));
    }
    let authority = place.origin.split_once("://").map_or("", |(_, rest)| rest);
    if echo.host != authority && echo.host != place.host {
        found.push(Finding::warning(format!(
            "the server gets the host name `{}` instead of {}; {}",
            echo.host,
            place.host,
            lines(
                "proxy_set_header Host $host;",
                "ProxyPreserveHost On",
                "header_up Host {host}"
            )
        )));
    }
    if !echo.is_same_origin {
        found.push(Finding::error(format!(
            "the proxy changes `Origin`, so nobody can sign in at {}; {}",
            place.url(),
            lines(
                "proxy_set_header Origin",
                "RequestHeader set Origin",
                "header_up Origin"
            )
        )));
    }
    for (name, sent, came, what) in [
        (
            "Authorization",
            AUTHORIZATION,
            &echo.authorization,
            "no API token works",
        ),
        ("Cookie", COOKIE, &echo.cookie, "nobody can sign in"),
        (
            "Content-Type",
            CONTENT_TYPE,
            &echo.content_type,
            "no check gets a result",
        ),
    ] {
        if came.as_str() != sent {
            found.push(Finding::error(format!(
                "the proxy does not pass `{name}` on, so {what}; remove the line, {}",
                lines(
                    &format!("proxy_set_header {name}"),
                    &format!("RequestHeader unset {name}"),
                    &format!("header_up -{name}")
                )
            )));
        }
    }
    found
}

/// Whose address the server sees.
fn forwarded(echo: &Echo) -> Finding {
    let Echo {
        peer,
        forwarded,
        client,
        ..
    } = echo;
    let set = lines(
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "RequestHeader set X-Forwarded-For \"expr=%{REMOTE_ADDR}\"",
        "header_up X-Forwarded-For {remote_host}",
    );
    let entries: Vec<&str> = forwarded.split(',').map(str::trim).collect();
    match entries.as_slice() {
        [] | [""] => Finding::error(format!(
            "the proxy sends no X-Forwarded-For, so every visitor has the address {client}, and one who guesses \
             passwords locks out all; {set}"
        )),
        _ if !echo.is_trusted => Finding::error(format!(
            "`trusted_proxies` does not have {peer}, from where the proxy connects, so every visitor has that \
             address; add it"
        )),
        [FORGED] => Finding::error(format!(
            "the proxy passes on the X-Forwarded-For that a visitor sends, so everybody can choose an address; {set}"
        )),
        _ if client.to_string() == FORGED => Finding::error(format!(
            "the server believes the address that a visitor sends: the proxy appends to X-Forwarded-For, and \
             `trusted_proxies` has {}, an address of visitors; {set}",
            entries.last().unwrap_or(&"")
        )),
        [_, _, ..] if entries.contains(&FORGED) => Finding::warning(format!(
            "the proxy appends to the X-Forwarded-For that a visitor sends instead of replacing it; {set}"
        )),
        _ => Finding::ok(format!("address of visitors: {client} for this call")),
    }
}

/// The same page at `public_url` and from the server itself.
pub fn headers(place: &Place, outside: &Call, direct: &Call, echo: &Answer) -> Vec<Finding> {
    /// Of the connection or of this one answer.
    const OWN: [&str; 7] = [
        "connection",
        "content-length",
        "date",
        "keep-alive",
        "server",
        "set-cookie",
        "transfer-encoding",
    ];
    let (outside, direct) = match (outside, direct) {
        (Ok(outside), Ok(direct)) => (outside, direct),
        (Err(words), _) | (_, Err(words)) => {
            return vec![Finding::error(format!(
                "{}/login gives no answer: {words}",
                place.url()
            ))];
        }
    };
    let mut found = vec![];
    if outside.status != direct.status {
        found.push(Finding::error(format!(
            "{}/login has {} instead of {}; {}",
            place.url(),
            outside.who(),
            direct.status,
            lines(
                &format!("location {}/", place.base),
                &format!("ProxyPass {}", place.base),
                &format!("handle {}/*", place.base)
            )
        )));
        return found;
    }
    for (name, value) in &direct.headers {
        if OWN.contains(&name.as_str()) {
            continue;
        }
        match outside.all(name).as_slice() {
            [same] if same == value => {}
            [] => found.push(Finding::error(format!(
                "the proxy removes the header {name}, which protects visitors; remove the line, {}",
                lines(
                    &format!("proxy_hide_header {name};"),
                    &format!("Header unset {name}"),
                    &format!("header_down -{name}")
                )
            ))),
            [other] => found.push(Finding::error(format!(
                "the proxy changes the header {name} to `{other}`; remove the line, {}",
                lines(
                    &format!("add_header {name}"),
                    &format!("Header set {name}"),
                    &format!("header_down {name}")
                )
            ))),
            _ => found.push(Finding::warning(format!(
                "the proxy sends the header {name} once more, which the server sends already; remove the line, {}",
                lines(
                    &format!("add_header {name}"),
                    &format!("Header always set {name}"),
                    &format!("header {name}")
                )
            ))),
        }
    }
    let encoding = outside.header("content-encoding");
    if !encoding.is_empty() {
        found.push(Finding::warning(format!(
            "the proxy compresses pages ({encoding}), so their length may reveal a secret (BREACH); {}",
            lines("gzip off;", "SetEnv no-gzip 1", "encode")
        )));
    }
    if echo.all("set-cookie") != [SET_COOKIE] {
        found.push(Finding::error(format!(
            "the proxy removes or changes Set-Cookie, so nobody can sign in; remove the line, {}",
            lines(
                "proxy_hide_header Set-Cookie;",
                "Header unset Set-Cookie",
                "header_down -Set-Cookie"
            )
        )));
    }
    if found.is_empty() {
        found.push(Finding::ok("headers: as the server sends them"));
    }
    found
}

/// Two calls with different passes.
pub fn cached(calls: &[(Call, String); 2]) -> Vec<Finding> {
    let is_fresh = |(call, nonce): &(Call, String)| {
        let echo = call.as_ref().ok().and_then(Answer::echo);
        echo.is_none_or(|echo| echo.nonce == *nonce)
    };
    if calls.iter().all(is_fresh) {
        return vec![];
    }
    vec![Finding::error(format!(
        "the proxy answers from a cache, so visitors get the pages of others; {}",
        lines("proxy_cache off;", "CacheDisable /", "cache")
    ))]
}

pub fn date(answer: &Answer, now: OffsetDateTime) -> Vec<Finding> {
    let sent = answer.header("date");
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    match time::PrimitiveDateTime::parse(sent, format) {
        Ok(at) if (at.assume_utc() - now).abs() > Duration::MINUTE => {
            vec![Finding::warning(format!(
                "the clock of the proxy ({sent}) is not the one of this machine; set both: `timedatectl set-ntp true`"
            ))]
        }
        Ok(_) | Err(_) => vec![],
    }
}

fn too_small(what: &str, nginx: &str, bytes: u32) -> String {
    format!(
        "the proxy refuses {what} as too large; {}",
        lines(
            &format!("client_max_body_size {nginx};"),
            &format!("RewriteCond expr \"%{{HTTP:Content-Length}} -gt {bytes}\""),
            &format!("int({{http.request.header.Content-Length}}) > {bytes}")
        )
    )
}

/// Bodies as large as the server takes them.
#[derive(Debug)]
pub struct Bodies {
    /// An empty question with 8 KiB, which the server refuses with 400.
    pub check: Call,
    /// A request of 64 KiB, which it echoes.
    pub form: Call,
    /// 16 MiB, which it drains.
    pub import: Call,
}

pub fn bodies(place: &Place, bodies: &Bodies, form_size: u64) -> Vec<Finding> {
    let url = place.url();
    let mut found = vec![];
    match &bodies.check {
        Ok(answer) if answer.status == 413 => found.push(Finding::error(format!(
            "{url}/api/check: {}",
            too_small("a check of 8 KiB", "8k", 8_192)
        ))),
        Ok(answer) if answer.status == 400 && answer.body.contains("tool_name") => {}
        Ok(answer) if answer.is_redirect() => found.push(Finding::error(format!(
            "{url}/api/check is redirected to {}, and not every client follows; remove the redirect",
            answer.header("location")
        ))),
        Ok(answer) => found.push(Finding::error(format!(
            "{url}/api/check: the proxy answers checks itself ({})",
            answer.who()
        ))),
        Err(words) => found.push(Finding::error(format!("{url}/api/check: no answer to 8 KiB ({words})"))),
    }
    let is_whole = |answer: &Answer| answer.echo().is_some_and(|echo| echo.body == form_size);
    match &bodies.form {
        Ok(answer) if is_whole(answer) => {}
        Ok(_) | Err(_) => found.push(Finding::error(format!(
            "{url}/api: {}",
            too_small("a request of 64 KiB", "64k", 65_536)
        ))),
    }
    match &bodies.import {
        // Without a session; or another proxy line changes the type.
        Ok(answer) if [303, 401, 415].contains(&answer.status) => {}
        // A proxy that closes the connection instead has no other reason.
        Ok(_) | Err(_) => found.push(Finding::error(format!(
            "{url}/import: {}",
            too_small("a file of 16 MiB", "17m", 17_825_792)
        ))),
    }
    if found.is_empty() {
        found.push(Finding::ok(
            "bodies: checks of 8 KiB, forms of 64 KiB and files of 16 MiB arrive",
        ));
    }
    found
}

/// Without TLS.
#[derive(Debug)]
pub struct Plain {
    /// A check that the server would refuse with 400.
    pub check: Call,
    /// `GET /login`.
    pub page: Call,
    /// `GET /api/licenses`, without a token.
    pub api: Call,
}

pub fn plain(place: &Place, plain: &Plain) -> Vec<Finding> {
    let url = place.url().replacen("https:", "http:", 1);
    let there = place.url();
    let check = match &plain.check {
        Err(words) => Finding::warning(format!(
            "nothing answers at {url} ({words}), so a program that was shipped with this address gets no result; {}",
            lines("listen 80;", "Listen 80", "http://licenses.example.com {")
        )),
        Ok(answer) if answer.status == 400 && answer.body.contains("tool_name") => {
            Finding::ok("port 80: checks are passed on")
        }
        Ok(answer) if !answer.is_redirect() => Finding::error(format!(
            "{url}/api/check: something else answers checks without TLS ({})",
            answer.who()
        )),
        Ok(answer) if !answer.header("location").starts_with(&there) => Finding::error(format!(
            "{url}/api/check is redirected to {} instead of {there}; {}",
            answer.header("location"),
            lines(
                &format!("return 308 {}$request_uri;", place.origin),
                &format!("Redirect 308 / {}/", place.origin),
                &format!("redir {}{{uri}} 308", place.origin)
            )
        )),
        Ok(answer) if [307, 308].contains(&answer.status) => {
            Finding::ok("port 80: checks are redirected with their method")
        }
        Ok(answer) => Finding::error(format!(
            "{url}/api/check is redirected with {}, which makes a check a GET; {}",
            answer.status,
            lines("return 308", "Redirect 308", "redir … 308")
        )),
    };
    let mut found = vec![check];
    if let Ok(page) = &plain.page
        && page.status == 200
    {
        found.push(Finding::error(format!(
            "{url}/login is not redirected to https, so passwords can be read on the way; {}",
            lines("return 308", "Redirect 308", "redir … 308")
        )));
    }
    let lines = lines("return 403", "RewriteRule … - [F]", "respond … 403");
    match &plain.api {
        Ok(api) if api.status == 401 => found.push(Finding::error(format!(
            "{url}/api is answered without TLS, so tokens can be read on the way; {lines}"
        ))),
        Ok(api) if api.is_redirect() => found.push(Finding::warning(format!(
            "{url}/api is redirected to https, so nobody notices a program that sends its token in the clear; {lines}"
        ))),
        Ok(_) | Err(_) => {}
    }
    found
}
