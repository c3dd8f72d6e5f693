//! The claim page for machines without a network: with the request of the real client and a code, its offline file.

use license_server::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use serde_json::{Value, json};

use crate::client_codes::{public_key, turn_to_now};
use crate::page::{Page, urlencoded};
use crate::python_client::{Customer, customers as pythons};
use crate::server::{Client, Server};

const TOOL: &str = "Tool_A";
const DAY: i64 = 86_400;

/// `action` is `request`, `import` or `check`, at that time of the client's clock.
const PYTHON: &str = "
import json, sys
from license_client import LicenseClient, _Machine
url, key, machine, action, now, text = sys.argv[1:]
client = LicenseClient(url, 60, key, machine)
client._machine = _Machine(machine, machine, [machine])
client._now = lambda: int(now)
if action == 'request':
    print(json.dumps({'text': client.offline_request('Tool_A'), 'link': client.offline_url('Tool_A')}))
else:
    result = client.import_lease('Tool_A', text) if action == 'import' else client.check('Tool_A')
    print(json.dumps({'code': result.code, 'source': result.source, 'reason': result.reason}))";

struct Machine<'a> {
    python: &'a Customer,
    url: String,
    key: String,
    name: &'a str,
}

impl Machine<'_> {
    fn call(&self, action: &str, now: i64, text: &str) -> Value {
        let now = now.to_string();
        let Machine { url, key, name, .. } = self;
        let (exit, printed) = self
            .python
            .run(&["-c", PYTHON, url, key, name, action, &now, text]);
        assert_eq!(exit, 0, "{printed}");
        serde_json::from_str(&printed).unwrap()
    }
}

fn code(server: &Server, seats: i64) -> ActivationCode {
    let values = CodeValues::new(seats, CodeTerm::Days(30));
    let made = server
        .service
        .create_codes(&Actor::command_line(), TOOL, &values, 1);
    made.unwrap().remove(0)
}

fn request(machine: &str) -> String {
    use base64::Engine;
    let json =
        json!({"tool_name": TOOL, "license_key": machine, "nonce": "0123456789abcdef", "kids": []});
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string())
}

/// The page after request and code were entered.
fn enter(client: &mut Client, path: &str, request: &str, code: &str) -> Page {
    let form = Page::open(client, path).form_with("do=check");
    let form = match request {
        "" => form,
        typed => form.fill("request", typed),
    };
    form.fill("code", code).press(client, "do=check")
}

#[test]
fn a_computer_without_a_network_runs_until_the_last_day_and_no_other_computer_does() {
    for python in &pythons() {
        let server = Server::start();
        turn_to_now(&server);
        let machine = |name| Machine {
            python,
            // Nothing that listens: the computer is never online.
            url: "http://127.0.0.1:1/licenseserver".to_owned(),
            key: public_key(&server),
            name,
        };
        let (here, there) = (machine("workshop"), machine("elsewhere"));
        let now = server.clock.now().unix_timestamp();
        let asked = here.call("request", now, "");
        there.call("request", now, "");
        // As a telephone opens the QR code.
        let link = asked["link"].as_str().unwrap();
        let path = &link[link.find("/claim").unwrap()..];
        let code = code(&server, 1);
        let mut phone = server.stranger();
        let confirm = enter(&mut phone, path, "", &code.shown());
        assert_eq!(confirm.status, 200, "{}", confirm.text());
        assert!(confirm.text().contains("workshop"));
        assert_eq!(server.check(TOOL, "workshop").0, 404, "it asks first");
        let done = confirm.press(&mut phone, "do=make");
        assert_eq!(done.status, 200, "{}", done.text());
        assert_eq!(server.check(TOOL, "workshop").0, 200);
        let answer = done.texts("#answer").concat();
        let refused = there.call("import", now, &answer);
        assert_eq!(refused["code"], "REFUSED", "{refused}");
        assert_eq!(there.call("check", now, "")["code"], "NO_ANSWER");
        let imported = here.call("import", now, &answer);
        assert_eq!(imported["code"], "VALID", "{imported}");
        let end = now - now % DAY + 31 * DAY;
        let last = here.call("check", end - 60, "");
        assert_eq!(
            json!([last["code"], last["source"]]),
            json!(["VALID", "lease"])
        );
        assert_ne!(here.call("check", end + 60, "")["code"], "VALID");
    }
}

#[test]
fn the_text_of_a_request_is_answered_as_a_file_too() {
    let server = Server::start();
    let code = code(&server, 1);
    let mut customer = server.stranger();
    let grouped: Vec<String> = request("one")
        .as_bytes()
        .chunks(8)
        .map(|group| String::from_utf8(group.to_vec()).unwrap())
        .collect();
    let confirm = enter(
        &mut customer,
        "/claim?request=",
        &grouped.join("\r\n"),
        &code.shown(),
    );
    let done = confirm.press(&mut customer, "do=make");
    let token = done.texts("#answer").concat();
    let (origin, text) = (customer.origin(), request("one"));
    let body = format!(
        "request={}&code={}&do=save",
        urlencoded(&text),
        code.shown()
    );
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", &*origin),
    ];
    let file = customer.send("POST", "/claim/offline", &headers, body.as_bytes());
    assert!(file.header("content-disposition").contains("license.lic"));
    let payload = |token: &str| token.split('.').nth(1).unwrap().to_owned();
    assert_eq!(payload(&file.body), payload(&token));
    let mails = done.links().into_iter().map(|(_, to)| to);
    let mut mails = mails.filter(|to| to.starts_with("mailto:?") && to.contains(&token));
    assert!(mails.next().is_some());
    // Its seat is in use until the file ends.
    let body = json!({"tool_name": TOOL, "activation_code": code.shown(), "license_key": "one"});
    let freed = server.stranger().post("/api/deactivate", &body.to_string());
    assert_eq!(freed.json()["reason"], "OFFLINE_UNTIL");
    let evil = [headers[0], ("Origin", "https://evil.example")];
    let answer = customer.send("POST", "/claim/offline", &evil, b"do=make");
    assert_eq!(answer.status, 403);
}

#[test]
fn a_request_without_a_seat_is_refused_as_an_activation_is() {
    let server = Server::start();
    let full = code(&server, 1);
    let mut customer = server.stranger();
    enter(
        &mut customer,
        "/claim?request=",
        &request("one"),
        &full.shown(),
    )
    .press(&mut customer, "do=make");
    for lang in ["en", "de"] {
        let path = format!("/claim?request=&lang={lang}");
        let sent = |text: &str, code: &str| {
            let page = enter(&mut server.stranger(), &path, text, code);
            assert!(!page.alert().is_empty());
            (page.status, page.invalid_fields().concat())
        };
        assert_eq!(
            sent(&request("two")[..40], &full.shown()),
            (422, "request".into())
        );
        assert_eq!(sent(&request("two"), "AAAA"), (422, "code".into()));
        assert_eq!(
            sent(&request("two"), "AAAAAAAAAAAAAAAA"),
            (404, "code".into())
        );
        assert_eq!(sent(&request("two"), &full.shown()), (409, "code".into()));
    }
    let page = enter(
        &mut customer,
        "/claim?request=",
        &request("two"),
        &full.shown(),
    );
    let machines = page.press(&mut customer, "do=manage");
    assert_eq!(machines.all(".rows li").len(), 1);
    assert_eq!(server.check(TOOL, "two").0, 404);
}

#[test]
fn one_machine_gets_only_so_many_files_at_once() {
    let server = Server::start();
    let code = code(&server, 1);
    let mut customer = server.stranger();
    let confirm = enter(
        &mut customer,
        "/claim?request=",
        &request("one"),
        &code.shown(),
    );
    let made = (0..22).map(|_| confirm.press(&mut customer, "do=make").status);
    let made: Vec<u16> = made.collect();
    assert_eq!(made.iter().filter(|status| **status == 200).count(), 20);
    assert_eq!(made.last(), Some(&429));
}
