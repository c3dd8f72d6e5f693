//! A real nginx that keeps or strips the base path, or none: the server acts the same.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use scraper::{Html, Selector};
use serde_json::json;
use tempfile::TempDir;

use crate::deploy::free_port;
use crate::page::Page;
use crate::server::{Answer, Client, PASSWORD, Server};
use crate::tools;

const BASE: &str = "/licenseserver";

/// How somebody reaches the server.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// nginx passes the path on as it is.
    Kept,
    /// nginx takes `/licenseserver` away.
    Stripped,
    /// Without nginx, at the server's own port.
    Direct,
}

/// Stopped at the end of the test.
struct Nginx {
    child: Child,
    _folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A server and the way to it.
struct Site {
    way: Way,
    /// `http://127.0.0.1:PORT` as this visitor's browser has it.
    origin: String,
    _nginx: Option<Nginx>,
    server: Server,
}

/// The ways that this machine offers.
fn ways() -> Vec<Site> {
    let mut sites = vec![direct()];
    if let Some(program) = tools::find("nginx") {
        sites.push(behind(&program, Way::Kept));
        sites.push(behind(&program, Way::Stripped));
    }
    sites
}

fn direct() -> Site {
    let server = Server::at(&format!("http://127.0.0.1:{}{BASE}", free_port()));
    Site {
        way: Way::Direct,
        origin: format!("http://127.0.0.1:{}", server.port),
        _nginx: None,
        server,
    }
}

/// Tries again when another process takes the free port first.
fn behind(program: &Path, way: Way) -> Site {
    for _ in 0..10 {
        let port = free_port();
        let server = Server::at(&format!("http://127.0.0.1:{port}{BASE}"));
        if let Some(nginx) = start_nginx(program, way, port, server.port) {
            return Site {
                way,
                origin: format!("http://127.0.0.1:{port}"),
                _nginx: Some(nginx),
                server,
            };
        }
    }
    panic!("nginx found no port");
}

/// nginx in its own folder; none when the port is taken.
fn start_nginx(program: &Path, way: Way, port: u16, server: u16) -> Option<Nginx> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("nginx.conf"), config(way, port, server)).unwrap();
    let mut child = Command::new(program)
        .args(["-e", "error.log", "-c", "nginx.conf", "-p"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let log = || fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
    for _ in 0..3_000 {
        // It writes this file when it listens.
        if folder.path().join("pid").exists() && TcpStream::connect(("127.0.0.1", port)).is_ok() {
            let _folder = folder;
            return Some(Nginx { child, _folder });
        }
        if log().contains("Address already in use") {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        assert_eq!(child.try_wait().unwrap(), None, "{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nginx does not start: {}", log());
}

fn config(way: Way, port: u16, server: u16) -> String {
    let pass = match way {
        Way::Kept => format!("location {BASE} {{ proxy_pass http://127.0.0.1:{server};"),
        Way::Stripped => format!("location {BASE}/ {{ proxy_pass http://127.0.0.1:{server}/;"),
        Way::Direct => panic!("without nginx"),
    };
    format!(
        "daemon off; master_process off; pid pid; error_log error.log;
        events {{ worker_connections 64; }}
        http {{
            access_log off;
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            server {{
                listen 127.0.0.1:{port};
                absolute_redirect off; # its own, from the path without the slash
                {pass}
                    proxy_set_header Host $http_host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                }}
            }}
        }}"
    )
}

impl Site {
    fn visitor(&self) -> Client {
        Client::new(&format!("{}{BASE}", self.origin))
    }

    /// Somebody who has signed in on the page.
    fn admin(&self) -> Client {
        let mut client = self.visitor();
        let page = log_in(&mut client, "/");
        assert_eq!(page.path, "/");
        client
    }

    /// The target of a redirect, which is never outside the base path.
    fn redirect(&self, answer: &Answer) -> Option<String> {
        (300..400).contains(&answer.status).then(|| {
            let location = answer.header("location");
            assert!(is_inside(location), "{:?} {location}", self.way);
            location.to_owned()
        })
    }

    /// Every path that links lead to, below the base path; each loads.
    fn crawl(&self, client: &mut Client) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut waiting = VecDeque::from([BASE.to_owned(), format!("{BASE}/")]);
        while let Some(link) = waiting.pop_front() {
            let path = link.strip_prefix(BASE).unwrap().to_owned();
            if found.contains(&path) {
                continue;
            }
            let answer = client.get(&path);
            match self.redirect(&answer) {
                Some(link) => waiting.push_back(link),
                None => {
                    assert_eq!(answer.status, 200, "{:?} {path}", self.way);
                    let kind = answer.header("content-type");
                    assert_eq!(kind, content_type(&path), "{:?} {path}", self.way);
                    if kind.starts_with("text/html") {
                        waiting.extend(links(&answer.body));
                    }
                }
            }
            found.insert(path);
        }
        found
    }

    /// Sends raw bytes and returns all bytes of the answer.
    fn raw(&self, request: &str) -> String {
        let address = self.origin.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Whether a browser that follows `link` stays below the base path.
fn is_inside(link: &str) -> bool {
    let rest = link.strip_prefix(BASE);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

/// Opens `path`, which redirects to the login page, and signs in there.
fn log_in(client: &mut Client, path: &str) -> Page {
    let form = Page::open(client, path).form("/login");
    let form = form.fill("username", "admin").fill("password", PASSWORD);
    form.submit(client)
}

/// The addresses that a page leads to with GET. All its links and forms must stay inside.
fn links(page: &str) -> Vec<String> {
    let page = Html::parse_document(page);
    let mut links = vec![];
    let addresses = Selector::parse("[href], [src], [action], [formaction]").unwrap();
    for element in page.select(&addresses) {
        for name in ["href", "src", "action", "formaction"] {
            let Some(link) = element.attr(name).filter(|link| !link.starts_with('#')) else {
                continue;
            };
            assert!(is_inside(link), "a link leads outside: {link}");
            let posts = element.attr("method").is_some_and(|m| m == "post");
            if !posts && name != "formaction" {
                links.push(link.split('#').next().unwrap().to_owned());
            }
        }
    }
    links
}

fn content_type(path: &str) -> &'static str {
    let file = path.split('?').next().unwrap();
    if file.ends_with("/integration/file") {
        return "text/plain; charset=utf-8";
    }
    match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("csv") => "text/csv; charset=utf-8",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("py") => "text/x-python; charset=utf-8",
        Some("cs") => "text/plain; charset=utf-8",
        _ => "text/html; charset=utf-8",
    }
}

#[test]
fn every_link_of_every_page_works() {
    for site in ways() {
        let mut client = site.admin();
        for n in 1..=51 {
            let key = format!("key {n}");
            let license = json!({"tool_name": "R & D", "license_key": key, "user_id": "a/b?c"});
            client.post("/api/licenses", &license.to_string());
        }
        let found = site.crawl(&mut client);
        for page in [
            "/licenses",
            "/licenses/new",
            "/import",
            "/licenses.csv",
            "/licenses/51",
            "/licenses/51/edit",
            "/licenses/51/delete",
            "/licenses/1",
            "/licenses?tool=R%20%26%20D",
            "/customer?name=a%2Fb%3Fc",
            "/static/license_client.py",
        ] {
            assert!(found.contains(page), "{page}: {found:?}");
        }
        assert_finds_the_files(&found);
    }
}

#[test]
fn without_a_session_only_the_login_page_and_its_files_are_reached() {
    for site in ways() {
        let found = site.crawl(&mut site.visitor());
        assert!(found.contains("/login"), "{found:?}");
        assert!(!found.contains("/licenses/new"), "{found:?}");
        assert_finds_the_files(&found);
    }
}

/// The style sheet and the icon, each under one name.
fn assert_finds_the_files(found: &BTreeSet<String>) {
    for (start, end) in [("/static/style-", ".css"), ("/static/favicon-", ".svg")] {
        let is_it = |path: &&String| path.starts_with(start) && path.ends_with(end);
        assert_eq!(found.iter().filter(is_it).count(), 1, "{start}: {found:?}");
    }
}

#[test]
fn links_that_lead_outside_are_detected() {
    for link in [
        "/",
        "/licenses",
        "/licenseserver2",
        "//evil.example/licenseserver",
        "https://evil.example/licenseserver",
        "licenseserver",
    ] {
        assert!(!is_inside(link), "{link}");
    }
    for rest in ["", "/", "/licenses?q=a", "?a", "#a"] {
        assert!(is_inside(&format!("{BASE}{rest}")), "{rest}");
    }
}

#[test]
fn signing_in_leads_to_the_requested_page() {
    for site in ways() {
        site.server.license("Tool_A", "k");
        let page = log_in(&mut site.visitor(), "/licenses/1/edit?x=1");
        assert!(page.has_form("/licenses/1/edit"));
        assert_eq!(page.path, "/licenses/1/edit?x=1");
    }
}

#[test]
fn forms_add_revoke_and_delete_a_license() {
    const KEY: &str = "0a:1b:2c:3d:4e:5f";
    for site in ways() {
        let mut client = site.admin();
        let form = Page::open(&mut client, "/licenses/new").form("/licenses/new");
        let form = form.fill("tool_name", "Tool_A").fill("license_key", KEY);
        form.submit(&mut client);
        assert_eq!(site.server.check("Tool_A", KEY).0, 200);

        let page = Page::open(&mut client, "/licenses/1");
        let page = page.press(&mut client, "status=revoked");
        assert!(page.flash().unwrap().contains(KEY));
        assert_eq!(site.server.check("Tool_A", KEY).0, 403);

        let form = Page::open(&mut client, "/licenses/1/delete").form("/licenses/1/delete");
        let page = form.submit(&mut client);
        assert!(page.flash().unwrap().contains(KEY));
        assert_eq!(site.server.check("Tool_A", KEY).0, 404);
    }
}

#[test]
fn signing_out_removes_the_cookie_and_ends_the_session() {
    for site in ways() {
        let mut client = site.admin();
        let mut thief = site.visitor();
        thief.cookies = client.cookies.clone();
        assert_eq!(thief.get("/licenses").status, 200);
        let form = Page::open(&mut client, "/licenses").form("/logout");
        assert!(form.submit(&mut client).has_form("/login"));
        assert!(!client.cookies.contains_key("license_session"));
        assert_eq!(thief.get("/licenses").status, 303);
    }
}

#[test]
fn the_published_answers_are_identical_byte_for_byte() {
    const LICENSE: &str = r#"{"tool_name":"Tool_B","license_key":"f5:e4:d3:c2:b1:a0","status":"activated","expiration_date":"2027-01-31","user_id":"user_002"}"#;
    const QUESTION: &str = r#"{"tool_name":"Tool_B","license_key":"f5:e4:d3:c2:b1:a0"}"#;
    for site in ways() {
        let mut api = site.visitor();
        let credentials = |password| format!(r#"{{"username":"admin","password":"{password}"}}"#);
        let is = |answer: &Answer, status: u16, body: &str| {
            let whole = (
                answer.status,
                answer.body.as_str(),
                answer.header("content-type"),
            );
            assert_eq!(whole, (status, body, "application/json"), "{:?}", site.way);
        };
        is(
            &api.post("/api/login", &credentials("wrong")),
            401,
            r#"{"status":"error","message":"Invalid credentials"}"#,
        );
        is(
            &api.get("/api/licenses"),
            401,
            r#"{"status":"error","message":"Authentication required"}"#,
        );
        is(
            &api.post("/api/login", &credentials(PASSWORD)),
            200,
            r#"{"status":"success","message":"Login successful"}"#,
        );
        let added = api.post("/api/licenses", LICENSE);
        is(
            &added,
            201,
            r#"{"status":"success","message":"License added"}"#,
        );
        assert_eq!(added.header("location"), "/licenseserver/api/licenses/1");
        assert_eq!(
            api.get("/api/licenses/1").json()["license_key"],
            "f5:e4:d3:c2:b1:a0"
        );
        is(
            &api.post("/api/licenses", LICENSE),
            409,
            r#"{"status":"error","message":"This license key already exists for this tool."}"#,
        );
        let rows = site.server.admin().get("/api/licenses").body;
        is(&api.get("/api/licenses"), 200, &rows);
        is(
            &api.post("/api/check", QUESTION),
            200,
            r#"{"status":"valid","message":"License is active and valid."}"#,
        );
        api.patch("/api/licenses/1", r#"{"status":"revoked"}"#);
        is(
            &api.post("/api/check", QUESTION),
            403,
            r#"{"status":"invalid","message":"License status is 'revoked'."}"#,
        );
        api.patch(
            "/api/licenses/1",
            r#"{"status":"activated","expiration_date":"2026-06-14"}"#,
        );
        is(
            &api.post("/api/check", QUESTION),
            403,
            r#"{"status":"expired","message":"License has expired."}"#,
        );
        is(
            &api.delete("/api/licenses/1"),
            200,
            r#"{"status":"success","message":"License deleted"}"#,
        );
        is(
            &api.post("/api/check", QUESTION),
            404,
            r#"{"status":"invalid","message":"License key not found for this tool."}"#,
        );
    }
}

#[test]
fn the_host_header_appears_in_no_answer() {
    for site in ways() {
        let headers = "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nForwarded: host=evil.example\r\nConnection: close\r\n";
        let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ";
        let login = format!("username=admin&password={}", PASSWORD.replace(' ', "+"));
        let login = format!("{form}{}\r\n\r\n{login}", login.len());
        let (mut redirects, mut cookies) = (0, 0);
        for (request, rest) in [
            ("GET /licenseserver", "\r\n"),
            ("GET /licenseserver/", "\r\n"),
            ("GET /licenseserver/login", "\r\n"),
            ("GET /licenseserver/login/", "\r\n"),
            ("GET /licenseserver/licenses", "\r\n"),
            ("GET /licenseserver/nothing", "\r\n"),
            ("GET /licenseserver/static/license_client.py", "\r\n"),
            ("GET /licenseserver/api/licenses", "\r\n"),
            ("DELETE /licenseserver/login", "\r\n"),
            ("POST /licenseserver/api/check", "\r\n"),
            ("POST /licenseserver/login", &login),
        ] {
            let answer = site.raw(&format!("{request} HTTP/1.1\r\n{headers}{rest}"));
            assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
            assert!(
                !answer.contains("evil"),
                "{:?} {request}: {answer}",
                site.way
            );
            for line in answer.lines() {
                if let Some(location) = line.to_lowercase().strip_prefix("location: ") {
                    assert!(is_inside(location), "{:?} {request}: {location}", site.way);
                    redirects += 1;
                }
                if line.to_lowercase().starts_with("set-cookie: ") {
                    assert!(line.contains("; Path=/licenseserver"), "{line}");
                    cookies += 1;
                }
            }
        }
        assert!(redirects >= 3 && cookies == 2, "{redirects} {cookies}");
    }
}
