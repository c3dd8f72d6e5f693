//! Webhooks to a receiver that takes, fails, hangs, redirects, and wants no more.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{self, Receiver as Heard};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::model::audit::Actor;
use license_server::model::webhook::{DeliveryState, WebhookDelivery, WebhookDraft, WebhookState};
use serde_json::{Value, json};
use standardwebhooks::Webhook as Library;
use ureq::http::{HeaderMap, HeaderName};

use crate::bulk::EXTEND_BY_1_YEAR;
use crate::page::Page;
use crate::program::Program;
use crate::server::{Client, PASSWORD, Server};

const DAY: i64 = 24 * 60 * 60;

/// A request that a receiver got.
pub struct Call {
    headers: BTreeMap<String, String>,
    body: String,
}

impl Call {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    /// What the library of Standard Webhooks says with that secret.
    fn is_good(&self, secret: &str, body: &str) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let library = Library::new(secret).unwrap();
        library.verify(body.as_bytes(), &headers).is_ok()
    }
}

/// Listens on loopback, and gives the answer that the test sets: status line and headers, or nothing to hang.
struct Receiver {
    port: u16,
    heard: Heard<Call>,
    answer: Arc<Mutex<String>>,
}

impl Receiver {
    fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(Mutex::new("200 OK".to_owned()));
        let (told, heard) = mpsc::channel();
        let given = Arc::clone(&answer);
        std::thread::spawn(move || {
            let mut hanging = vec![];
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(call) = read(&mut stream) else {
                    continue;
                };
                let answer = given.lock().unwrap().clone();
                if told.send(call).is_err() {
                    return;
                }
                match answer.is_empty() {
                    true => hanging.push(stream),
                    false => write!(
                        stream,
                        "HTTP/1.1 {answer}\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<b>ok\n"
                    )
                    .unwrap(),
                }
            }
        });
        Receiver {
            port,
            heard,
            answer,
        }
    }

    fn answers(&self, answer: &str) {
        *self.answer.lock().unwrap() = answer.to_owned();
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks?key=1", self.port)
    }

    fn calls(&self) -> Vec<Call> {
        self.heard.try_iter().collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.calls().iter().map(Call::kind).collect()
    }
}

pub fn read(stream: &mut impl Read) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        // A connection without a request.
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(Call { headers, body })
}

fn allowing(change: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        config.webhook_networks = vec!["127.0.0.1/32".parse().unwrap()];
        change(config);
    })
}

/// A server that tells a receiver of everything.
fn start() -> (Receiver, Server) {
    let (receiver, server) = (Receiver::start(), allowing(|_| {}));
    add(&server, &receiver.url(), &[]);
    (receiver, server)
}

/// Returns the ID and the secret.
fn add(server: &Server, url: &str, events: &[&str]) -> (i64, String) {
    let draft = WebhookDraft {
        url: url.to_owned(),
        description: String::new(),
        events: events.iter().map(ToString::to_string).collect(),
    };
    let actor = Actor::command_line();
    server.service.create_webhook(&actor, &draft).unwrap()
}

fn later(server: &Server, seconds: i64) {
    server.clock.turn(seconds);
    server.tick().unwrap();
}

/// The newest first.
fn deliveries(server: &Server) -> Vec<WebhookDelivery> {
    server
        .service
        .webhook_deliveries(1, None, i64::MAX, 100)
        .unwrap()
}

fn state(server: &Server) -> WebhookState {
    server.service.webhook(1).unwrap().webhook.state
}

#[test]
fn an_event_is_signed_so_that_the_library_of_others_verifies_it() {
    let receiver = Receiver::start();
    let server = Server::at_clock(Clock::System, |config| {
        config.webhook_networks = vec!["127.0.0.0/8".parse().unwrap()];
        // The one that signs is encrypted in the database.
        config.secrets = vec!["a secret of more than 32 characters".into()];
    });
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/webhooks/new").form("/webhooks");
    let made = form.fill("url", &receiver.url()).submit(&mut admin);
    let secret = made.texts(".secret code").remove(0);
    server.license("T", "one");
    server.tick().unwrap();
    let calls = receiver.calls();
    let [call] = &calls[..] else {
        panic!("{} calls", calls.len());
    };
    assert!(call.is_good(&secret, &call.body));
    assert!(!call.is_good(&secret, &call.body.replace("one", "two")));
    let page = Page::open(&mut admin, "/webhooks/1");
    assert!(!page.text().contains(&secret));
    let rotated = page.form("/secret").submit(&mut admin);
    let new = rotated.texts(".secret code").remove(0);
    assert_ne!(new, secret);
    rotated.form("/test").submit(&mut admin);
    server.tick().unwrap();
    let call = receiver.calls().remove(0);
    assert_eq!(call.kind(), "webhook.test");
    assert!(call.is_good(&secret, &call.body) && call.is_good(&new, &call.body));
}

#[test]
fn the_secret_before_signs_for_a_day() {
    let (receiver, server) = start();
    let actor = Actor::command_line();
    server.service.rotate_webhook_secret(&actor, 1).unwrap();
    let signatures = |seconds| {
        server.service.send_test_event(1).unwrap();
        later(&server, seconds);
        let call = receiver.calls().remove(0);
        call.headers["webhook-signature"].split(' ').count()
    };
    assert_eq!((signatures(DAY - 1), signatures(1)), (2, 1));
}

#[test]
fn a_receiver_is_told_of_each_change_once_and_of_nothing_personal() {
    let (receiver, server) = start();
    let mut admin = server.admin();
    let fields = json!({"tool_name": "T", "license_key": "one", "user_id": "Anne Ek",
        "note": "pays late", "order_ref": "R 17", "data": "secret of hers"});
    let id = server.add(fields);
    let path = format!("/api/licenses/{id}");
    admin.patch(&path, r#"{"status": "suspended", "note": "pays never"}"#);
    let form = Page::open(&mut admin, &format!("/licenses/{id}/move")).form("/move");
    form.fill("license_key", "two").submit(&mut admin);
    admin.delete(&path);
    let order = json!({"order_ref": "2026/17", "items": [{"tool_name": "T", "seats": 2}],
        "customer": {"name": "Anne Ek", "email": "anne@example.com"}});
    let placed = admin.post("/api/orders", &order.to_string()).json();
    let code = placed["codes"][0]["activation_code"].as_str().unwrap();
    let machine = json!({"tool_name": "T", "activation_code": code, "license_key": "three"});
    let activated = server
        .stranger()
        .post("/api/activate", &machine.to_string());
    assert_eq!(activated.status, 200, "{}", activated.body);
    server.tick().unwrap();
    let calls = receiver.calls();
    let kinds: Vec<String> = calls.iter().map(Call::kind).collect();
    assert_eq!(
        kinds,
        [
            "license.created",
            "license.updated",
            "license.moved",
            "license.deleted",
            "codes.created",
            "order.created",
            "code.activated"
        ]
    );
    let data: Vec<Value> = calls
        .iter()
        .map(|call| call.json()["data"].take())
        .collect();
    assert_eq!(data[0]["license"]["license_key"], "one");
    assert_eq!(data[1]["license"]["status"], "suspended");
    assert_eq!(data[1]["changed"], json!(["note", "status"]));
    let moved = (
        &data[2]["license"]["license_key"],
        &data[2]["moved_from"]["id"],
    );
    assert_eq!(moved, (&json!("two"), &json!(id)));
    assert_eq!(data[3]["license"]["id"], id);
    assert_eq!(data[5]["order_ref"], "2026/17");
    assert_eq!(data[6]["code"]["seats"], 2);
    assert_eq!(data[6]["license"]["license_key"], "three");
    let bodies: String = calls.iter().map(|call| call.body.as_str()).collect();
    for personal in ["Anne", "pays", "R 17", "hers", "anne@", code] {
        assert!(!bodies.contains(personal), "{personal} in {bodies}");
    }
}

#[test]
fn a_change_of_many_licenses_is_one_event_and_so_is_taking_it_back() {
    let (receiver, server) = start();
    let ids: Vec<i64> = (0..3)
        .map(|n| {
            server.add(json!({"tool_name": "T", "license_key": format!("k{n}"),
                "expiration_date": "2026-12-31"}))
        })
        .collect();
    server.tick().unwrap();
    assert_eq!(receiver.kinds(), ["license.created"; 3]);
    let mut admin = server.admin();
    let ids: Vec<String> = ids.iter().map(|id| format!("id={id}")).collect();
    let path = format!("/bulk?{}&{EXTEND_BY_1_YEAR}", ids.join("&"));
    let done = Page::open(&mut admin, &path).press(&mut admin, "start=expiration");
    done.form("/undo").submit(&mut admin);
    server.tick().unwrap();
    let calls = receiver.calls();
    let told = calls
        .iter()
        .map(|call| (call.kind(), call.json()["data"]["licenses"].take()));
    let expected = ("licenses.updated".to_owned(), json!(3));
    assert_eq!(told.collect::<Vec<_>>(), [expected.clone(), expected]);
}

#[test]
fn only_chosen_events_are_told() {
    let (receiver, server) = (Receiver::start(), allowing(|_| {}));
    add(&server, &receiver.url(), &["license.deleted"]);
    let id = server.license("T", "one");
    server.admin().delete(&format!("/api/licenses/{id}"));
    server.tick().unwrap();
    assert_eq!(receiver.kinds(), ["license.deleted"]);
}

#[test]
fn what_fails_is_tried_for_three_days_then_the_webhook_is_disabled_with_a_notice() {
    let (receiver, server) = start();
    receiver.answers("500 Internal Server Error");
    server.license("T", "one");
    let mut attempts = 0;
    for _ in 0..72 {
        assert_eq!(state(&server), WebhookState::Enabled);
        later(&server, 60 * 60);
        attempts += 1;
    }
    assert_eq!(state(&server), WebhookState::Failed);
    let calls = receiver.calls();
    assert!((15..attempts).contains(&calls.len()), "{}", calls.len());
    assert!(calls.iter().all(|call| call.id() == calls[0].id()));
    let times = calls.iter().map(|call| &call.headers["webhook-timestamp"]);
    assert!(times.is_sorted_by(|one, next| one < next));
    let failed = &deliveries(&server)[0];
    assert_eq!(
        (failed.state, failed.status),
        (DeliveryState::Failed, Some(500))
    );
    server.license("T", "not told");
    let mut admin = server.admin();
    let overview = Page::open(&mut admin, "/");
    let page = overview.follow(&mut admin, "/webhooks/1");
    receiver.answers("204 No Content");
    page.press(&mut admin, "enable=true");
    let one = Page::open(&mut admin, "/webhooks/1/events/1");
    assert!(one.text().contains("<b>ok"));
    one.form("/again").submit(&mut admin);
    server.tick().unwrap();
    assert_eq!(receiver.calls()[0].id(), calls[0].id());
    assert_eq!(deliveries(&server)[0].state, DeliveryState::Delivered);
    assert!(!Page::open(&mut admin, "/").has_link("/webhooks/1"));
}

#[test]
fn one_event_that_fails_stops_no_other_and_keeps_the_webhook() {
    let (receiver, server) = start();
    receiver.answers("500 Internal Server Error");
    server.license("T", "poison");
    server.tick().unwrap();
    receiver.answers("200 OK");
    server.license("T", "good");
    server.tick().unwrap();
    assert_eq!(receiver.calls().len(), 2);
    let states: Vec<_> = deliveries(&server).iter().map(|one| one.state).collect();
    assert_eq!(states, [DeliveryState::Delivered, DeliveryState::Waiting]);
    receiver.answers("500 Internal Server Error");
    later(&server, 3 * DAY);
    assert_eq!(deliveries(&server)[1].state, DeliveryState::Failed);
    assert_eq!(state(&server), WebhookState::Enabled);
    assert!(Page::open(&mut server.admin(), "/").has_link("/webhooks/1?state=failed"));
}

#[test]
fn a_receiver_says_when_to_try_again() {
    let (receiver, server) = start();
    receiver.answers("503 Service Unavailable\r\nRetry-After: 600");
    server.license("T", "one");
    server.license("T", "two");
    server.tick().unwrap();
    later(&server, 599);
    assert_eq!(receiver.calls().len(), 1);
    let page = Page::open(&mut server.admin(), "/webhooks/1").texts("dd");
    assert!(
        page.iter().any(|fact| fact.contains("HTTP 503")),
        "{page:?}"
    );
    receiver.answers("200 OK");
    later(&server, 1);
    assert_eq!(receiver.calls().len(), 2);
}

#[test]
fn a_receiver_that_hangs_is_given_up_in_time() {
    let (receiver, server) = (
        Receiver::start(),
        allowing(|config| config.webhook_timeout = 1),
    );
    add(&server, &receiver.url(), &[]);
    receiver.answers("");
    server.license("T", "one");
    server.tick().unwrap();
    let hung = &deliveries(&server)[0];
    assert_eq!((hung.state, hung.status), (DeliveryState::Waiting, None));
    assert!(hung.answer.contains("in time (1 s)"), "{}", hung.answer);
    receiver.answers("200 OK");
    later(&server, 60);
    assert_eq!(receiver.calls().len(), 2);
    assert_eq!(deliveries(&server)[0].state, DeliveryState::Delivered);
}

#[test]
fn redirects_are_not_followed() {
    let (receiver, server) = start();
    let other = Receiver::start();
    for status in [
        "301 Moved",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        receiver.answers(&format!("{status}\r\nLocation: {}", other.url()));
        server.service.send_test_event(1).unwrap();
        server.tick().unwrap();
        assert_eq!(receiver.calls().len(), 1);
    }
    assert!(other.calls().is_empty());
    let redirected = |one: &WebhookDelivery| one.state == DeliveryState::Waiting;
    assert!(deliveries(&server).iter().all(redirected));
}

#[test]
fn a_receiver_that_is_gone_is_asked_no_more() {
    let (receiver, server) = start();
    receiver.answers("410 Gone");
    server.license("T", "one");
    server.license("T", "two");
    server.tick().unwrap();
    later(&server, DAY);
    assert_eq!(receiver.calls().len(), 1);
    assert_eq!(state(&server), WebhookState::Gone);
    assert!(Page::open(&mut server.admin(), "/").has_link("/webhooks/1"));
}

#[test]
fn addresses_that_are_not_on_the_internet_are_refused_where_they_are_typed() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/webhooks/new").form("/webhooks");
    for host in [
        "127.0.0.1",
        "[::1]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "0.0.0.0",
    ] {
        let form = Page::open(&mut admin, "/webhooks/new").form("/webhooks");
        let url = format!("https://{host}/");
        let page = form.fill("url", &url).submit(&mut admin);
        assert_eq!(page.status, 422, "{host}");
        assert_eq!(page.form("/webhooks").value("url"), url);
    }
    let page = form.fill("url", "http://example.com/").submit(&mut admin);
    assert!(page.problem("url").unwrap().contains("webhook_networks"));
}

#[test]
fn a_name_or_a_number_that_leads_to_such_an_address_is_not_connected_to() {
    let (receiver, server) = (Receiver::start(), Server::start());
    let hosts = ["localhost", "2130706433", "0x7f.1", "127.1", "0"];
    for (id, host) in (1..).zip(hosts) {
        add(&server, &format!("https://{host}:{}/", receiver.port), &[]);
        server.service.send_test_event(id).unwrap();
        server.tick().unwrap();
        let all = server.service.webhook_deliveries(id, None, i64::MAX, 1);
        let answer = &all.unwrap()[0].answer;
        assert!(answer.contains("webhook_networks"), "{host}: {answer}");
    }
    assert!(receiver.calls().is_empty());
}

#[test]
fn what_is_killed_between_the_change_and_its_event_sends_it_later() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start();
    let start = || {
        let mut command = crate::crash::quiet(folder.path());
        command.env("LICENSE_SERVER_WEBHOOK_NETWORKS", "127.0.0.1");
        Program::run(&mut command)
    };
    let mut program = start();
    let mut admin = signed_in(&program);
    let form = Page::open(&mut admin, "/webhooks/new").form("/webhooks");
    form.fill("url", &receiver.url()).submit(&mut admin);
    let license = r#"{"tool_name": "T", "license_key": "one"}"#;
    assert_eq!(admin.post("/api/licenses", license).status, 201);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let program = start();
    let call = receiver
        .heard
        .recv_timeout(Duration::from_secs(60))
        .unwrap();
    assert_eq!(call.json()["data"]["license"]["license_key"], "one");
    assert_eq!(program.stop("TERM").0, Some(0));
}

pub fn signed_in(program: &Program) -> Client {
    let mut admin = program.client();
    assert_eq!(crate::program::log_in(&mut admin, PASSWORD), 200);
    admin
}

#[test]
fn an_erased_customer_is_in_no_event() {
    let (receiver, server) = start();
    receiver.answers("500 Internal Server Error");
    let order = json!({"order_ref": "for anne ek", "items": [{"tool_name": "T"}],
        "customer": {"name": "anne ek", "email": "anne@example.com"}});
    let mut admin = server.admin();
    admin.post("/api/orders", &order.to_string());
    server.tick().unwrap();
    let names = |all: Vec<WebhookDelivery>| all.iter().any(|one| one.body.contains("anne ek"));
    assert!(names(deliveries(&server)));
    let page = Page::open(&mut admin, "/customer?name=anne+ek").follow(&mut admin, "/erase");
    let erased = page
        .form("/erase")
        .fill("name", "anne ek")
        .submit(&mut admin);
    assert_eq!(erased.path, "/customers");
    assert!(!names(deliveries(&server)));
    receiver.calls();
    receiver.answers("200 OK");
    later(&server, DAY);
    assert_eq!(receiver.kinds(), ["customer.erased", "codes.created"]);
}

#[test]
fn monitoring_sees_what_waits() {
    let (receiver, server) = start();
    receiver.answers("500 Internal Server Error");
    server.license("T", "one");
    server.tick().unwrap();
    let figures = server.stranger().get("/metrics").body;
    for line in [
        "license_server_webhooks{state=\"enabled\"} 1",
        "license_server_webhook_deliveries{state=\"waiting\"} 1",
    ] {
        assert!(figures.lines().any(|other| other == line), "{figures}");
    }
}

#[test]
fn a_deleted_webhook_takes_its_events_along() {
    let (receiver, server) = start();
    server.license("T", "one");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/webhooks/1/delete");
    let list = page.form("/delete").submit(&mut admin);
    assert_eq!(list.path, "/webhooks");
    server.tick().unwrap();
    assert!(receiver.calls().is_empty() && deliveries(&server).is_empty());
}
