//! Clients that know two addresses, where the first gives no answer. `tests/vectors/standby/` has the finer points.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::csharp_client;
use crate::lines;
use crate::python_client::{always, fake};
use crate::server::{START, Server};
use crate::tools;

const TOOL: &str = "Tool_A";

/// Nothing listens there.
const CLOSED: &str = "http://127.0.0.1:1";

const PYTHON: &str = "
import json, sys
from license_client import LicenseClient
for line in sys.stdin:
    asked = json.loads(line)
    result = LicenseClient(asked['urls'], 60, asked['key'], asked['folder']).check('Tool_A', refresh=True)
    print(json.dumps({'code': result.code, 'source': result.source, 'message': result.message,
                      'machine_id': result.license_key, 'diagnostic': result.diagnostic()}))
";

const JAVASCRIPT: &str = r#"
import readline from "node:readline";
import { LicenseClient } from "./static/license_client.mjs";
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { urls, key, folder } = JSON.parse(line);
  const options = { publicKeys: key, cacheDir: folder, timeout: 60000, machineId: "0a:1b:2c:3d:4e:5f" };
  const license = await new LicenseClient(urls, options).check("Tool_A", { refresh: true });
  console.log(JSON.stringify({ ...license, machine_id: license.machineId, diagnostic: license.diagnostic() }));
}
"#;

/// `ask` is a start of the program on one computer, with these addresses and this key; it forces a refresh.
pub fn walk(tool: &str, mut ask: impl FnMut(&[&str], &str) -> Value) {
    let server = Server::start();
    // The clients' clock is the computer's.
    let ahead = OffsetDateTime::now_utc() - START;
    server.clock.turn(ahead.whole_seconds());
    let keys = server.stranger().get("/api/keys").json();
    let part = |name: &str| keys["keys"][0][name].as_str().unwrap().to_owned();
    let mut ask = |urls: &[&str]| ask(urls, &format!("{}.{}", part("x"), part("y")));
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let counting = fake(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let broken = always("500 Internal Server Error", "Retry-After: 1", "broken");

    let unreachable = ask(&[&broken, CLOSED]);
    assert_eq!(unreachable["code"], "NO_ANSWER", "{unreachable}");
    assert!(text(&unreachable, "message").contains(&broken));
    assert!(!text(&unreachable, "message").contains(CLOSED));
    assert!(has_problem(&unreachable, &broken) && has_problem(&unreachable, CLOSED));

    let unlicensed = ask(&[&broken, &server.url]);
    assert_eq!(unlicensed["code"], "NOT_FOUND", "{unlicensed}");
    let id = server.license(tool, text(&unlicensed, "machine_id"));
    let licensed = ask(&[&broken, &server.url]);
    assert_eq!(
        (&licensed["code"], &licensed["source"]),
        (&json!("VALID"), &json!("server"))
    );
    assert!(has_problem(&licensed, &broken) && !has_problem(&licensed, &server.url));

    let revoked = json!({"status": "revoked"}).to_string();
    let path = format!("/api/licenses/{id}");
    assert_eq!(server.admin().patch(&path, &revoked).status, 200);
    assert_eq!(ask(&[&server.url, &counting])["code"], "REVOKED");
    assert_eq!(asked.load(Ordering::SeqCst), 0);

    let offline = ask(&[&broken, CLOSED]);
    assert_eq!(
        (&offline["code"], &offline["source"]),
        (&json!("VALID"), &json!("lease"))
    );
    assert!(has_problem(&offline, &broken) && has_problem(&offline, CLOSED));
}

fn text<'a>(result: &'a Value, name: &str) -> &'a str {
    result[name].as_str().unwrap()
}

/// Whether the diagnostic text has a reason why this address gave no answer.
fn has_problem(result: &Value, url: &str) -> bool {
    let mut lines = text(result, "diagnostic").lines();
    let problems = lines.find_map(|line| line.strip_prefix("no answer: "));
    problems.unwrap().contains(&format!("{url}: "))
}

/// A start of a program that reads one line of JSON, with a folder of its own for leases.
fn walk_with(command: Option<Command>) {
    let Some(mut command) = command else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    walk(TOOL, |urls, key| {
        let question = json!({"urls": urls, "key": key, "folder": folder.path()});
        lines::answers(&mut command, &[question]).remove(0)
    });
}

#[test]
fn the_python_client_asks_the_next_address() {
    walk_with(lines::python(PYTHON));
}

#[test]
fn the_javascript_client_asks_the_next_address() {
    let node = tools::find("node").map(|node| {
        let mut command = Command::new(node);
        command.args(["--input-type=module", "--eval", JAVASCRIPT]);
        command
    });
    walk_with(node);
}

#[test]
fn the_csharp_client_asks_the_next_address() {
    let folder = tempfile::tempdir().unwrap();
    if csharp_client::lines().is_some() {
        walk(TOOL, |urls, key| {
            csharp_client::check(folder.path(), urls, key)
        });
    }
}
