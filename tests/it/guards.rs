//! Access: every route refuses requests without credentials, and every write refuses requests that
//! another site made a browser send.

use std::sync::Arc;

use license_server::clock::Clock;
use license_server::server as composition;
use license_server::service::Service;

use crate::database::Database;
use crate::engine;
use crate::import::multipart;
use crate::page::{Page, urlencoded};
use crate::people::{add_person, sign_in_as};
use crate::server::{Answer, Client, PASSWORD, Server};

/// The routes that need no credentials; there are no others.
/// `/api/doctor` is not there for who has no pass, which only a reader of the database can make.
/// The customer's own page has a session of its own.
const PUBLIC: [&str; 29] = [
    "GET /.well-known/security.txt",
    "GET /api/doctor",
    "GET /api/keys",
    "GET /api/openapi.json",
    "GET /claim",
    "GET /health",
    "GET /invitation/<token>",
    "GET /login",
    "GET /login/left",
    "GET /my",
    "GET /my/change",
    "GET /my/link",
    "GET /my/link/<token>",
    "GET /ready",
    "GET /static/<name>",
    "POST /api/activate",
    "POST /api/check",
    "POST /api/deactivate",
    "POST /api/doctor",
    "POST /api/login",
    "POST /api/orders/generate/<secret>",
    "POST /claim",
    "POST /claim/offline",
    "POST /hooks/<shop>/<id>",
    "POST /invitation/<token>",
    "POST /login",
    "POST /my",
    "POST /my/change",
    "POST /my/link",
];

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A mounted route.
#[derive(Clone)]
pub struct Door {
    pub method: String,
    /// As it is mounted, such as `/licenses/<id>`.
    path: String,
}

/// Every route but those that only answer 405.
pub fn doors(server: &Server) -> Vec<Door> {
    let folder = tempfile::tempdir().unwrap();
    let config = engine::settings(folder.path());
    let (service, _) = Service::open(&config, Clock::fixed(crate::server::START)).unwrap();
    let rocket = composition::rocket(config, Arc::new(service));
    let doors = rocket.routes().map(|route| Door {
        method: route.method.to_string(),
        path: route.uri.path().to_owned(),
    });
    let mut stranger = server.stranger();
    let is_real = |door: &Door| {
        stranger
            .send(&door.method, &door.address(), &[], b"")
            .status
            != 405
    };
    let doors: Vec<Door> = doors.collect();
    let all = doors.len();
    let real: Vec<Door> = doors.into_iter().filter(is_real).collect();
    assert!(
        real.len() > 20 && all > 2 * real.len(),
        "{} {all}",
        real.len()
    );
    real
}

impl Door {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Its address, with the first row for each parameter.
    pub fn address(&self) -> String {
        self.path
            .replace("<id>", "1")
            .replace("<name>", "style.css")
            .replace("<reference>", "1")
            .replace("<action>", "revoke")
            .replace("<secret>", &"a".repeat(43))
            .replace("<token>", &"a".repeat(43))
            .replace("<shop>", "stripe")
            .replace("<product>", "1")
            .replace("<call>", "1")
            .replace("<changes>", "1-1")
    }

    fn is_public(&self) -> bool {
        PUBLIC.contains(&self.name().as_str())
    }

    fn is_api(&self) -> bool {
        self.path.starts_with("/api/") || self.path == "/metrics"
    }

    /// What a token that reads and writes licenses does not open.
    fn has_own_scope(&self) -> bool {
        ["/api/orders", "/api/codes", "/api/audit"]
            .iter()
            .any(|path| self.path.starts_with(path))
    }

    /// A form, which a sign-in page keeps when the session has expired.
    fn keeps_what_was_typed(&self) -> bool {
        self.writes() && self.path != "/logout"
    }

    /// A form whose words must not be in an address; it changes nothing.
    fn only_searches(&self) -> bool {
        ["POST /licenses", "POST /codes"].contains(&&*self.name())
    }

    fn writes(&self) -> bool {
        self.method != "GET"
    }

    /// A valid body, with the CSRF token of a form.
    fn body(&self, csrf: &str) -> String {
        if self.path == "/api/login" {
            return serde_json::json!({"username": "admin", "password": PASSWORD}).to_string();
        }
        if self.is_api() {
            return r#"{"tool_name":"T","license_key":"other"}"#.to_owned();
        }
        format!(
            "csrf={csrf}&username=admin&password={}&tool_name=T&license_key=other&status=revoked\
             &name=script&read=true&write=true&expiration_date=2026-12-31&current=x&new=x&again=x",
            urlencoded(PASSWORD)
        )
    }

    pub fn knock(&self, client: &mut Client, csrf: &str, headers: &[(&str, &str)]) -> Answer {
        let (with_file, body) = self.file_or_fields(csrf);
        let kind = if self.is_api() { JSON } else { &with_file };
        let own = [("Content-Type", kind)];
        let is_said = headers.iter().any(|(name, _)| *name == own[0].0);
        let own = &own[..usize::from(!is_said)];
        let own = if self.writes() { own } else { &[] };
        // Through a proxy: a program on this machine may read the metrics.
        let headers = [own, &[("X-Forwarded-Proto", "http")], headers].concat();
        client.send(&self.method, &self.address(), &headers, &body)
    }

    /// The content type and body of a form.
    fn file_or_fields(&self, csrf: &str) -> (String, Vec<u8>) {
        match (self.writes(), &*self.path) {
            (false, _) => (FORM.to_owned(), vec![]),
            (true, "/import" | "/codes/import") => multipart(csrf, "f.csv", b"tool,key\nT,other\n"),
            (true, _) => (FORM.to_owned(), self.body(csrf).into_bytes()),
        }
    }
}

fn is_refused(answer: &Answer) -> bool {
    let to_login = answer.header("location").starts_with("/login");
    answer.status == 401 || answer.status == 303 && to_login
}

/// A server with one license, one session and one token that an attack could change.
fn furnished() -> (Server, Database) {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    admin.post("/api/licenses", r#"{"tool_name":"T","license_key":"k"}"#);
    token(&mut admin, "first", "read=true&write=true", "2026-12-31");
    (server, database)
}

/// The CSRF token of this session.
pub fn csrf(client: &mut Client) -> String {
    let form = Page::open(client, "/account").form("/account/tokens");
    form.value("csrf").to_owned()
}

/// That of the sign-out, which everybody may; signs in if the last door has signed out, because that takes most of the
/// time.
pub fn csrf_again(client: &mut Client, sign_in: impl FnOnce() -> Client) -> String {
    if client.get("/account").status != 200 {
        *client = sign_in();
    }
    let form = Page::open(client, "/account").form("/logout");
    form.value("csrf").to_owned()
}

/// Creates a token on the account page and returns its secret.
pub fn token(admin: &mut Client, name: &str, scopes: &str, expiration_date: &str) -> String {
    let form = Page::open(admin, "/account").form("/account/tokens");
    let body = format!(
        "csrf={}&name={}&{scopes}&expiration_date={expiration_date}",
        form.value("csrf"),
        urlencoded(name)
    );
    let page = form.send(admin, body.as_bytes());
    assert_eq!(page.status, 200, "{}", page.text());
    page.texts(".secret p:not(.hint) code").concat()
}

#[test]
fn only_the_listed_routes_are_public() {
    let (server, _) = furnished();
    let doors = doors(&server).into_iter();
    let open = doors.filter(|door| !is_refused(&door.knock(&mut server.stranger(), "", &[])));
    let mut open: Vec<String> = open.map(|door| door.name()).collect();
    open.sort();
    assert_eq!(open, PUBLIC);
}

#[test]
fn a_session_opens_every_route() {
    let (server, _) = furnished();
    let mut admin = server.admin();
    for door in doors(&server) {
        let csrf = csrf_again(&mut admin, || server.admin());
        let answer = door.knock(&mut admin, &csrf, &[]);
        let is_sign_out = door.path == "/logout" && answer.header("location") == "/login";
        let is_fine = !is_refused(&answer) && answer.status != 403;
        assert!(is_fine || is_sign_out, "{} {}", door.name(), answer.status);
    }
}

#[test]
fn without_valid_credentials_nothing_is_readable_or_changed() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let doors = doors(&server);
    let expired = token(&mut admin, "old", "read=true&write=true", "2026-06-15");
    let revoked = token(&mut admin, "gone", "read=true&write=true", "2026-12-31");
    let gone = admin_form(&mut admin, "/account/tokens/3/revoke");
    assert!(gone.flash().unwrap().contains("gone"));
    server.clock.turn(12 * 3600);
    let mut signed_out = server.admin();
    let csrf = csrf(&mut signed_out);
    let dead = signed_out.cookies.clone();
    admin_form(&mut signed_out, "/logout");
    let with_cookies = || {
        let mut client = server.stranger();
        client.cookies = dead.clone();
        client
    };
    let bearer = |token: &str| {
        server
            .stranger()
            .header("Authorization", &format!("Bearer {token}"))
    };
    let mut forged = server.stranger();
    forged
        .cookies
        .insert("license_session".to_owned(), "A".repeat(43));
    let mut both = server.admin().header("Authorization", "Bearer lsk_wrong");
    let before = database.rows();
    for (who, client) in [
        ("no credentials", &mut server.stranger()),
        ("a session that was signed out", &mut with_cookies()),
        ("an invented session", &mut forged),
        ("a wrong bearer", &mut bearer("lsk_wrong")),
        ("an expired token", &mut bearer(&expired)),
        ("a revoked token", &mut bearer(&revoked)),
        (
            "a dead session's value as a bearer",
            &mut bearer(&dead["license_session"]),
        ),
    ] {
        for door in doors.iter().filter(|door| !door.is_public()) {
            let answer = door.knock(client, &csrf, &[]);
            let expected = if door.is_api() || door.keeps_what_was_typed() {
                401
            } else {
                303
            };
            assert_eq!(answer.status, expected, "{who}: {}", door.name());
            assert!(is_refused(&answer), "{who}: {}", door.name());
            assert!(database.rows() == before, "{who}: {}", door.name());
        }
    }
    let api = doors
        .iter()
        .filter(|door| door.is_api() && !door.is_public());
    for door in api {
        let answer = door.knock(&mut both, "", &[]);
        assert_eq!(answer.status, 401, "{} with a good cookie too", door.name());
    }
}

/// What somebody who only reads may send: searches, and what is about herself.
const SENT_BY_VIEWERS: [&str; 11] = [
    "POST /account/factor",
    "POST /account/factor/change",
    "POST /account/factor/set-up",
    "POST /account/name",
    "POST /account/password",
    "POST /account/sessions/<id>/end",
    "POST /account/sessions/end-others",
    "POST /alerts/seen",
    "POST /codes",
    "POST /licenses",
    "POST /logout",
];

/// Where staff may do nothing: with everything below.
const FOR_OWNERS: [&str; 17] = [
    "/account/tokens",
    "/api/audit",
    "/audit",
    "/audit.csv",
    "/audit.jsonl",
    "/keys",
    "/mail/texts",
    "/people",
    "/restored",
    "/security",
    "/settings",
    "/shops",
    "/tool/rename",
    "/webhooks",
    "POST /tool",
    "POST /tools",
    "POST /mail/test",
];

/// Pages that lead only to what viewers may not do.
const FOR_STAFF: [&str; 23] = [
    "/api/codes",
    "/api/orders/<reference>",
    "/bulk",
    "/bulk/<id>",
    "/codes/<id>/edit",
    "/codes/import",
    "/codes/made",
    "/codes/new",
    "/customers/<id>/edit",
    "/customers/<id>/erase",
    "/customers/<id>/merge",
    "/import",
    "/import/<id>",
    "/import/<id>/invalid.csv",
    "/licenses/<id>/delete",
    "/licenses/<id>/edit",
    "/licenses/<id>/move",
    "/licenses/new",
    "/mail",
    "/mail/<id>",
    "/mail/test",
    "/offline",
    "/orders/<id>/revoke",
];

#[test]
fn each_role_does_what_it_may_and_nothing_else() {
    let (server, database) = furnished();
    let mut people = ["viewer", "staff"].map(|role| {
        add_person(&server, role, role);
        (role, sign_in_as(&server, role))
    });
    for door in doors(&server).iter().filter(|door| !door.is_public()) {
        let is_for_owners = FOR_OWNERS.iter().any(|place| {
            let name = door.name();
            let (method, path) = place.split_once(' ').unwrap_or(("", place));
            let below = door
                .path
                .strip_prefix(path)
                .filter(|_| name.starts_with(method));
            below.is_some_and(|below| {
                below.is_empty() || below.starts_with('/') && method.is_empty()
            })
        });
        for (role, client) in &mut people {
            let csrf = csrf_again(client, || sign_in_as(&server, role));
            let before = database.rows();
            let answer = door.knock(client, &csrf, &[]);
            let sends = door.writes() && !SENT_BY_VIEWERS.contains(&&*door.name());
            let is_refused = answer.status == 403;
            let is_for_staff = FOR_STAFF.contains(&&*door.path);
            if *role == "viewer" && !door.writes() && !is_for_owners {
                assert_eq!(is_refused, is_for_staff, "{}", door.name());
            }
            if is_for_owners || *role == "viewer" && sends {
                assert!(is_refused, "{role}: {} {}", door.name(), answer.status);
            }
            if *role == "staff" && !is_for_owners {
                assert!(!is_refused, "{role}: {}", door.name());
            }
            if is_refused {
                assert!(database.rows() == before, "{role}: {}", door.name());
            }
        }
    }
}

#[test]
fn a_first_password_opens_nothing_but_the_form_for_another_one() {
    let (server, database) = furnished();
    database.tamper("update users set has_random_password = 1");
    let mut open = vec![];
    let mut admin = server.admin();
    for door in doors(&server).iter().filter(|door| !door.is_public()) {
        let csrf = csrf_again(&mut admin, || server.admin());
        let before = database.rows();
        let answer = door.knock(&mut admin, &csrf, &[]);
        let is_led_away = answer.status == 303 && answer.header("location") == "/account";
        if answer.status == 403 || is_led_away {
            assert!(database.rows() == before, "{}", door.name());
        } else {
            open.push(door.name());
        }
    }
    open.sort();
    assert_eq!(
        open,
        ["GET /account", "POST /account/password", "POST /logout"]
    );
}

/// Sends the form of this action from the account page.
fn admin_form(client: &mut Client, action: &str) -> Page {
    let asked = action.ends_with("/revoke");
    let page = if asked { action } else { "/account" };
    let form = Page::open(client, page).form(action);
    let body = format!("csrf={}", form.value("csrf"));
    form.send(client, body.as_bytes())
}

#[test]
fn a_read_token_cannot_write() {
    let (server, database) = furnished();
    let reading = token(&mut server.admin(), "reader", "read=true", "2026-12-31");
    let mut client = server
        .stranger()
        .header("Authorization", &format!("Bearer {reading}"));
    let doors = doors(&server);
    let before = database.rows();
    for door in doors.iter().filter(|door| !door.is_public()) {
        let answer = door.knock(&mut client, "", &[]);
        let expected = match (door.is_api(), door.writes()) {
            (true, _) if door.has_own_scope() => 403,
            _ if door.path == "/metrics" => 403,
            (true, true) => 403,
            (true, false) => 200,
            (false, _) if door.keeps_what_was_typed() => 401,
            (false, _) => 303,
        };
        assert_eq!(answer.status, expected, "{}", door.name());
        assert!(database.rows() == before, "{}", door.name());
    }
}

#[test]
fn a_write_token_cannot_read() {
    let (server, _) = furnished();
    let writing = token(&mut server.admin(), "writer", "write=true", "2026-12-31");
    let mut client = server
        .stranger()
        .header("Authorization", &format!("Bearer {writing}"));
    for path in ["/api/licenses", "/api/licenses/1"] {
        let answer = client.get(path);
        assert_eq!(
            (answer.status, answer.json()["status"].as_str()),
            (403, Some("error"))
        );
    }
    assert_eq!(
        client
            .patch("/api/licenses/1", r#"{"status":"revoked"}"#)
            .status,
        200
    );
}

/// Every write that a cookie may authorise, and signing in.
fn writes(server: &Server) -> Vec<Door> {
    let doors = doors(server).into_iter();
    doors
        .filter(|door| door.writes() && (!door.is_public() || door.path.ends_with("/login")))
        .collect()
}

#[test]
fn another_site_cannot_write() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let csrf = csrf(&mut admin);
    let ours = server.url.as_str();
    let (writes, before) = (writes(&server), database.rows());
    for headers in [
        &[("Sec-Fetch-Site", "cross-site")][..],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "none")],
        &[("Origin", "https://evil.example")],
        &[("Origin", "null")],
        &[("Sec-Fetch-Site", "cross-site"), ("Origin", ours)],
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")],
        &[("Origin", &format!("{ours}.evil.example"))],
    ] {
        for door in &writes {
            let answer = door.knock(&mut admin, &csrf, headers);
            assert_eq!(answer.status, 403, "{headers:?} {}", door.name());
            assert!(database.rows() == before, "{headers:?} {}", door.name());
        }
    }
}

#[test]
fn a_form_needs_the_csrf_token_of_its_session() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let other = csrf(&mut server.admin());
    let writes = writes(&server);
    let forms = writes
        .iter()
        .filter(|door| !door.is_api() && door.path != "/login" && !door.only_searches());
    let before = database.rows();
    for door in forms.clone() {
        for value in ["", &other] {
            let answer = door.knock(&mut admin, value, &[]);
            assert_eq!(answer.status, 403, "{}", door.name());
            assert!(database.rows() == before, "{}", door.name());
        }
    }
    assert!(forms.count() > 8);
}

#[test]
fn the_api_accepts_only_json() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let before = database.rows();
    for door in writes(&server).iter().filter(|door| door.is_api()) {
        for kind in ["text/plain", FORM, "multipart/form-data; boundary=x"] {
            let answer = door.knock(&mut admin, "", &[("Content-Type", kind)]);
            assert_eq!(answer.status, 415, "{kind} {}", door.name());
            assert!(database.rows() == before, "{kind} {}", door.name());
        }
    }
}

#[test]
fn a_method_override_writes_nothing() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let csrf = csrf(&mut admin);
    for method in ["delete", "DELETE", "patch", "put"] {
        let body = format!("_method={method}&csrf={csrf}&status=revoked");
        let before = database.rows();
        for path in ["/api/licenses/1", "/api/licenses", "/licenses/1"] {
            for headers in [
                &[("Content-Type", FORM)][..],
                &[("Content-Type", FORM), ("Origin", "null")],
            ] {
                let answer = admin.send("POST", path, headers, body.as_bytes());
                let is_refused = matches!(answer.status, 403 | 405 | 415);
                assert!(is_refused, "{method} {path} {}", answer.status);
            }
        }
        assert!(database.rows() == before, "{method}");
    }
}

#[test]
fn a_get_request_writes_nothing() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let csrf = csrf(&mut admin);
    let before = database.rows();
    for door in writes(&server) {
        let address = format!("{}?{}", door.address(), door.body(&csrf).replace(' ', "+"));
        if !door.is_api() {
            admin.get(&address);
        }
        admin.get(&door.address());
        assert!(database.rows() == before, "{}", door.name());
    }
}

#[test]
fn form_api_and_token_can_write() {
    let (server, database) = furnished();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    let form = form.fill("tool_name", "T").fill("license_key", "page");
    assert_eq!(form.submit(&mut admin).status, 200);
    let by_script = admin.post(
        "/api/licenses",
        r#"{"tool_name":"T","license_key":"script"}"#,
    );
    let secret = token(&mut admin, "ci", "write=true", "2026-12-31");
    let mut bearer = server
        .stranger()
        .header("Authorization", &format!("bearer {secret}"))
        .header("Origin", "https://elsewhere.example");
    let by_token = bearer.post(
        "/api/licenses",
        r#"{"tool_name":"T","license_key":"token"}"#,
    );
    assert_eq!((by_script.status, by_token.status), (201, 201));
    let rows = database.rows().concat();
    assert!(
        ["page", "script", "token"]
            .iter()
            .all(|key| rows.contains(&format!("{key:?}")))
    );
}

/// Proves that the comparison of rows finds a change.
#[test]
fn a_changed_row_is_detected() {
    let (server, database) = furnished();
    let before = database.rows();
    assert!(database.rows() == before);
    server
        .admin()
        .patch("/api/licenses/1", r#"{"status":"revoked"}"#);
    assert!(database.rows() != before);
}
