//! Activation codes in the clients, against the real server. `tests/vectors/activation/` has the finer points.

use std::path::Path;
use std::process::Command;

use license_server::model::activation_code::{ActivationCode, CodeTerm, CodeValues};
use license_server::model::audit::Actor;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::csharp_client;
use crate::engine::once;
use crate::lines;
use crate::python_client::always;
use crate::server::Server;

const TOOL: &str = "Tool_A";

/// Nothing listens there.
const CLOSED: &str = "http://127.0.0.1:1";

const PYTHON: &str = "
import json, sys
from license_client import LicenseClient, _Machine
for line in sys.stdin:
    asked = json.loads(line)
    client = LicenseClient(asked['url'], 60, asked['key'], asked['folder'])
    client._machine = _Machine(asked['machine'], asked['machine'], [asked['machine']])
    code = [asked['activation_code']] if 'activation_code' in asked else []
    result = getattr(client, asked['action'])('Tool_A', *code)
    print(json.dumps({'code': result.code, 'source': result.source, 'message': result.message,
                      'reason': result.reason}))
";

const JAVASCRIPT: &str = r#"
import readline from "node:readline";
import { LicenseClient } from "./static/license_client.mjs";
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { url, key, folder, machine, action, activation_code } = JSON.parse(line);
  const options = { publicKeys: key, cacheDir: folder, timeout: 60000, machineId: machine };
  const license = await new LicenseClient(url, options)[action]("Tool_A", activation_code);
  console.log(JSON.stringify(license));
}
"#;

/// The server, at the clients' time, and its public key.
fn server() -> (Server, String) {
    let server = Server::start();
    turn_to_now(&server);
    let key = public_key(&server);
    (server, key)
}

/// Clients that keep leases read their own clock.
pub fn turn_to_now(server: &Server) {
    let ahead = OffsetDateTime::now_utc() - server.clock.now();
    server.clock.turn(ahead.whole_seconds());
}

/// As clients pin it.
pub fn public_key(server: &Server) -> String {
    let keys = server.stranger().get("/api/keys").json();
    let part = |name: &str| keys["keys"][0][name].as_str().unwrap().to_owned();
    format!("{}.{}", part("x"), part("y"))
}

fn code(server: &Server, tool: &str, seats: i64) -> ActivationCode {
    let values = CodeValues::new(seats, CodeTerm::Perpetual);
    let made = server
        .service
        .create_codes(&Actor::command_line(), tool, &values, 1);
    made.unwrap().remove(0)
}

fn used(server: &Server, code: &ActivationCode) -> usize {
    let rows = server.admin().get("/api/licenses").json();
    let rows = rows.as_array().unwrap().iter();
    rows.filter(|row| row["tool_name"] == code.tool_name.as_str())
        .count()
}

/// `answer` is what a start of the program says, with that question.
fn walk(mut answer: impl FnMut(Value) -> Value) {
    let (server, key) = server();
    let code = code(&server, TOOL, 3);
    let mut ask = |action: &str, url: &str, machine: &str| {
        let mut question = json!({"online": true, "action": action, "url": url, "key": key, "machine": machine,
            "tool_name": TOOL});
        if action != "check" {
            question["activation_code"] = json!(code.shown().to_lowercase());
        }
        let said = answer(question);
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        (
            text("code"),
            text("source"),
            text("reason"),
            text("message"),
        )
    };
    for machine in ["first", "second", "third"] {
        assert_eq!(ask("check", &server.url, machine).0, "NOT_FOUND");
        assert_eq!(ask("activate", &server.url, machine).0, "VALID");
        assert_eq!(ask("check", &server.url, machine).1, "lease");
    }
    let refused = ask("activate", &server.url, "fourth");
    assert_eq!(
        (&*refused.0, &*refused.2),
        ("REFUSED", "SEATS_IN_USE"),
        "{refused:?}"
    );
    assert!(refused.3.contains('3'), "{refused:?}");
    assert_eq!(ask("deactivate", CLOSED, "first").0, "NO_ANSWER");
    assert_eq!(ask("check", &server.url, "first").1, "lease");
    assert_eq!(ask("deactivate", &server.url, "first").0, "REMOVED");
    assert_eq!(ask("check", &server.url, "first").0, "NOT_FOUND");

    // The code must not travel to another address, nor to one without TLS.
    let elsewhere = format!("Location: {}/api/activate", server.url);
    let moved = always("308 Permanent Redirect", &elsewhere, "");
    for url in [CLOSED, &moved] {
        let unreachable = ask("activate", url, "fourth");
        assert_eq!(unreachable.0, "NO_ANSWER", "{unreachable:?}");
        assert!(unreachable.3.contains(url), "{unreachable:?}");
    }
    assert_eq!(used(&server, &code), 2);
    assert_eq!(ask("activate", &server.url, "fourth").0, "VALID");
    assert_eq!(used(&server, &code), 3);
}

/// The same for a client that finds its machine ID itself; `call` has more arguments for the program.
pub fn walk_on_one_machine(tool: &str, mut call: impl FnMut(&str, &str, &[&str]) -> Value) {
    let (server, key) = server();
    let code = code(&server, tool, 1);
    let other = |path: &str| {
        let body =
            json!({"tool_name": tool, "activation_code": code.shown(), "license_key": "another"});
        server.stranger().post(path, &body.to_string()).status
    };
    let shown = code.shown();
    let activate = ["0", "LicenseActivate", &shown];
    let deactivate = ["0", "LicenseDeactivate", &shown];
    assert_eq!(other("/api/activate"), 200);
    let refused = call(&server.url, &key, &activate);
    assert_eq!(refused["reason"], "SEATS_IN_USE", "{refused}");
    assert_eq!(refused["code"], "REFUSED");
    assert_eq!(other("/api/deactivate"), 200);
    assert_eq!(call(CLOSED, &key, &activate)["code"], "NO_ANSWER");
    assert_eq!(call(&server.url, &key, &activate)["code"], "VALID");
    assert_eq!(call(&server.url, &key, &["0"])["source"], "lease");
    assert_eq!(call(&server.url, &key, &deactivate)["code"], "REMOVED");
    assert_eq!(call(&server.url, &key, &["0"])["code"], "NOT_FOUND");
}

/// Each machine has a folder of its own for leases.
fn walk_with(command: Option<Command>) {
    let Some(mut command) = command else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    walk(|question| {
        lines::answers(&mut command, &[on_its_machine(question, folder.path())]).remove(0)
    });
}

fn on_its_machine(mut question: Value, folder: &Path) -> Value {
    question["folder"] = json!(folder.join(question["machine"].as_str().unwrap()));
    question
}

#[test]
fn the_python_client_takes_and_frees_seats() {
    walk_with(lines::python(PYTHON));
}

#[test]
fn the_javascript_client_takes_and_frees_seats() {
    if once() {
        walk_with(lines::javascript(JAVASCRIPT));
    }
}

#[test]
fn the_csharp_client_takes_and_frees_seats() {
    if once() {
        walk_with(csharp_client::lines());
    }
}
