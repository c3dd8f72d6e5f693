//! The headers of every answer.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::database::Database;
use crate::guards::{csrf, csrf_again, doors};
use crate::page::Page;
use crate::server::{Answer, PASSWORD, Server};

const ON_PAGES: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=(), xr-spatial-tracking=()",
    ),
];

const ON_VERDICTS: [(&str, &str); 1] = [(
    "content-security-policy",
    "default-src 'none'; frame-ancestors 'none'",
)];

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let found = answer.headers.iter().filter(|(n, _)| n == name);
    found.map(|(_, value)| value.as_str()).collect()
}

/// Results of checks, the most frequent answers, which no browser shows as a page.
fn is_verdict(answer: &Answer) -> bool {
    let words = ["valid", "invalid", "expired"];
    let json = serde_json::from_str::<serde_json::Value>(&answer.body);
    json.is_ok_and(|json| words.iter().any(|word| json["status"] == *word))
}

/// Each header is sent once with its exact value, and none reveals too much.
fn assert_headers(answer: &Answer, cache: &str, transport: &[&str], what: &str) {
    let name = "strict-transport-security";
    assert_eq!(values(answer, name), transport, "{what}: {name}");
    let more = &[("cache-control", cache)];
    let on_pages = if is_verdict(answer) {
        &ON_VERDICTS[..]
    } else {
        &ON_PAGES
    };
    let everywhere = [("x-content-type-options", "nosniff")];
    for (name, value) in everywhere.iter().chain(on_pages).chain(more) {
        assert_eq!(values(answer, name), [*value], "{what}: {name}");
    }
    let names: BTreeSet<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let is_told = |name: &&str| {
        let tells = ["server", "x-powered-by", "via", "etag", "last-modified"].contains(name);
        tells || name.starts_with("access-control-")
    };
    assert_eq!(names.into_iter().find(is_told), None, "{what}");
}

/// One answer of each status.
fn one_of_each(server: &Server) -> Vec<(&'static str, Answer)> {
    let json = [("Content-Type", "application/json")];
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let mut stranger = server.stranger();
    let mut admin = server.admin();
    let license = r#"{"tool_name":"T","license_key":"k"}"#;
    let wrong = r#"{"username":"admin","password":"x"}"#;
    let added = admin.post("/api/licenses", license);
    let mut all = vec![
        ("200 page", stranger.get("/login")),
        ("200 rows", admin.get("/api/licenses")),
        ("200 verdict", stranger.post("/api/check", license)),
        (
            "200 without a body",
            stranger.send("HEAD", "/login", &[], b""),
        ),
        ("201", added),
        ("303 to the sign-in page", stranger.get("/licenses")),
        ("400 API", stranger.post("/api/check", "{")),
        (
            "400 page",
            stranger.send("POST", "/login", &form, b"username=%ff"),
        ),
        ("401 API", stranger.get("/api/licenses")),
        ("401 sign-in", stranger.post("/api/login", wrong)),
        ("403 page", admin.send("POST", "/logout", &form, b"csrf=x")),
        (
            "403 API",
            admin.send("DELETE", "/api/licenses/1", &[("Origin", "null")], b""),
        ),
        ("404 API", stranger.get("/api/nothing")),
        ("404 page", stranger.get("/nothing")),
        ("404 page signed in", admin.get("/licenses/99")),
        ("404 parameter", admin.get("/licenses/abc")),
        (
            "404 verdict",
            stranger.post("/api/check", r#"{"tool_name":"T","license_key":"x"}"#),
        ),
        ("404 file", stranger.get("/static/nothing.css")),
        ("405 API", stranger.get("/api/check")),
        ("405 page", stranger.delete("/login")),
        (
            "405 options",
            stranger.send(
                "OPTIONS",
                "/api/check",
                &[("Origin", "https://a.example")],
                b"",
            ),
        ),
        ("409", admin.post("/api/licenses", license)),
        ("413 API", stranger.post("/api/check", &" ".repeat(9_000))),
        (
            "413 page",
            stranger.send("POST", "/login", &form, &[b'a'; 70_000]),
        ),
        (
            "415 API",
            stranger.send("POST", "/api/check", &form, b"a=b"),
        ),
        ("415 page", stranger.send("POST", "/login", &json, b"{}")),
        (
            "422 API",
            stranger.post("/api/check", r#"{"tool_name":"","license_key":"k"}"#),
        ),
    ];
    let csrf = csrf(&mut admin);
    let body = format!("csrf={csrf}&tool_name=&license_key=");
    all.push((
        "422 page",
        admin.send("POST", "/licenses/new", &form, body.as_bytes()),
    ));
    let body = format!("csrf={csrf}&status=revoked");
    all.push((
        "303 after a form",
        admin.send("POST", "/licenses/1/status", &form, body.as_bytes()),
    ));
    all.push(("403 verdict", stranger.post("/api/check", license)));
    for _ in 0..10 {
        stranger.post("/api/login", wrong);
    }
    all.push(("429 API", stranger.post("/api/login", wrong)));
    all.push((
        "429 page",
        stranger.send("POST", "/login", &form, b"username=admin&password=x"),
    ));
    all
}

#[test]
fn answers_of_every_status_have_the_headers() {
    for (url, transport) in [
        ("http://127.0.0.1:1", &[][..]),
        (
            "https://example.com",
            &["max-age=31536000; includeSubDomains"],
        ),
        // The subdomains may belong to a neighbor.
        ("https://example.com/licenseserver", &["max-age=31536000"]),
    ] {
        let server = Server::at(url);
        for (what, answer) in one_of_each(&server) {
            let status: u16 = what[..3].parse().unwrap();
            assert_eq!(answer.status, status, "{what}: {}", answer.body);
            assert_headers(&answer, "no-store", transport, what);
        }
    }
}

#[test]
fn answers_of_every_route_have_the_headers() {
    let server = Server::start();
    server.license("T", "k");
    let mut admin = server.admin();
    for door in doors(&server) {
        let csrf = csrf_again(&mut admin, || server.admin());
        for client in [&mut server.stranger(), &mut admin] {
            let answer = door.knock(client, &csrf, &[]);
            let cache = if door.name() == "GET /static/<name>" {
                "no-cache"
            } else {
                "no-store"
            };
            assert_headers(&answer, cache, &[], &door.name());
        }
    }
}

#[test]
fn a_fault_has_the_headers() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.tamper("alter table licenses rename to elsewhere");
    let question = r#"{"tool_name":"T","license_key":"k"}"#;
    for (what, answer) in [
        ("verdict", server.stranger().post("/api/check", question)),
        ("rows", admin.get("/api/licenses")),
        ("page", admin.get("/licenses")),
    ] {
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, "5"),
            "{what}"
        );
        assert_headers(&answer, "no-store", &[], what);
    }
}

#[test]
fn only_files_with_a_hash_in_their_name_are_cached() {
    let server = Server::start();
    let page = Page::open(&mut server.stranger(), "/login");
    let links = page.all("link[href]").into_iter();
    let links: Vec<&str> = links.map(|link| link.attr("href").unwrap()).collect();
    assert_eq!(links.len(), 2);
    for link in links {
        let answer = server.stranger().get(link);
        assert_headers(&answer, "public, max-age=31536000, immutable", &[], link);
    }
    for name in ["license_client.py", "LicenseClient.cs"] {
        let client = server.stranger().get(&format!("/static/{name}"));
        assert_headers(&client, "no-cache", &[], name);
    }
}

/// Requests that no client of ours sends. (What is not HTTP gets an empty 400 from hyper.)
#[test]
fn the_answer_to_an_invalid_request_has_the_headers() {
    let server = Server::start();
    for line in [
        "FOO / HTTP/1.1",
        "GET /api/licenses?q=[{ HTTP/1.1",
        "GET /% HTTP/1.1",
        "GET /api/% HTTP/1.1",
        "PROPFIND /api/check HTTP/1.1",
        "OPTIONS * HTTP/1.1",
    ] {
        let request = format!("{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = raw(server.port, &request);
        assert!(
            (303..500).contains(&answer.status),
            "{line}: {}",
            answer.status
        );
        assert_headers(&answer, "no-store", &[], line);
    }
}

fn raw(port: u16, request: &str) -> Answer {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_lowercase(), value.to_owned())
    };
    Answer {
        bytes: vec![],
        status: status.parse().unwrap(),
        headers: lines.map(header).collect(),
        body: body.to_owned(),
    }
}

#[test]
fn no_answer_contains_the_password() {
    let server = Server::start();
    for (what, answer) in one_of_each(&server) {
        assert!(!answer.body.contains(PASSWORD), "{what}");
    }
}
