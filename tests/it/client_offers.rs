//! Editions, features, updates and offline files in the clients, against the mock server. `tests/vectors/editions/` and
//! `tests/vectors/offline/` have the finer points.

use std::process::Command;

use serde_json::{Value, json};

use crate::csharp_client;
use crate::lines;
use crate::mock::{self, mock};
use crate::server::Client;

const OFFER: [&str; 12] = [
    "--edition",
    "Pro",
    "--features",
    "export,größer",
    "--data",
    "seats=5",
    "--updates-until",
    "2027-06-30",
    "--latest-version",
    "2.10",
    "--latest-url",
    "https://vendor.example/",
];

const PYTHON: &str = "
import json, sys
from license_client import LicenseClient, _Machine
for line in sys.stdin:
    asked = json.loads(line)
    client = LicenseClient(asked['url'], 60, asked['key'], asked['folder'])
    client._machine = _Machine(asked['machine'], asked['machine'], [asked['machine']])
    if asked['action'] == 'offline_request':
        said = {'request': client.offline_request('Tool_A'), 'link': client.offline_url('Tool_A')}
    else:
        result = client.import_lease('Tool_A', asked['text']) if 'text' in asked else client.check('Tool_A')
        said = {'code': result.code, 'source': result.source, 'reason': result.reason, 'edition': result.edition,
                'features': result.features, 'data': result.data, 'has': result.has('export'),
                'update': result.update_available('2.9'), 'covers': result.covers('2027-07-01'),
                'trial': result.is_trial}
    print(json.dumps(said))
";

const JAVASCRIPT: &str = r#"
import readline from "node:readline";
import { LicenseClient } from "./static/license_client.mjs";
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { url, key, folder, machine, action, text } = JSON.parse(line);
  const options = { publicKeys: key, cacheDir: folder, timeout: 60000, machineId: machine };
  const client = new LicenseClient(url, options);
  if (action === "offline_request") {
    const [request, link] = [await client.offlineRequest("Tool_A"), await client.offlineUrl("Tool_A")];
    console.log(JSON.stringify({ request, link }));
  } else {
    const result = await (text === undefined ? client.check("Tool_A") : client.importLease("Tool_A", text));
    const [has, update] = [result.has("export"), result.updateAvailable("2.9")];
    const [covers, trial] = [result.covers("2027-07-01"), result.isTrial];
    console.log(JSON.stringify({ ...result, has, update, covers, trial }));
  }
}
"#;

/// `answer` is what a start of the program says, with that question. The program can set its machine ID.
fn walk(mut answer: impl FnMut(Value) -> Value) {
    let folder = tempfile::tempdir().unwrap();
    let server = mock(folder.path(), "TRIAL", &OFFER);
    let (url, keys) = (mock::url(&server), mock::public_half(&server));
    let leases = folder.path().join("leases");
    let mut ask = |action: &str, machine: &str, more: Value| {
        let mut question = json!({"online": true, "action": action, "url": url, "key": keys[0], "machine": machine,
            "tool_name": "Tool_A", "folder": leases});
        if !more.is_null() {
            question["text"] = more;
        }
        answer(question)
    };
    let offered = |said: &Value| {
        assert_eq!(
            json!([said["edition"], said["features"], said["data"]]),
            json!(["Pro", ["export", "größer"], "seats=5"]),
            "{said}"
        );
        let answers = json!([said["has"], said["update"], said["covers"], said["trial"]]);
        assert_eq!(answers, json!([true, true, false, true]), "{said}");
    };
    let online = ask("check", "online", Value::Null);
    assert_eq!(online["source"], "server", "{online}");
    offered(&online);

    let shown = ask("offline_request", "here", Value::Null);
    assert_eq!(ask("offline_request", "here", Value::Null), shown);
    let link = shown["link"].as_str().unwrap();
    let file = Client::new("").get(link);
    assert_eq!(file.status, 200, "{}", file.body);
    // What a person copies from the program is the same request.
    let copied = shown["request"].as_str().unwrap().replace(' ', "%0A");
    let copied = Client::new(&url).get(&format!("/claim?request={copied}"));
    assert_eq!(copied.status, 200, "{}", copied.body);
    drop(server);

    let mail = format!(
        "\u{feff}Hello,\r\nthis is your file:\r\n{}\r\nRegards",
        file.body.trim().replace('.', ".\r\n> ")
    );
    let there = ask("import_lease", "there", json!(mail));
    assert_eq!(
        json!([there["code"], there["reason"]]),
        json!(["REFUSED", "OTHER_MACHINE"]),
        "{there}"
    );
    assert_eq!(ask("check", "here", Value::Null)["code"], "NO_ANSWER");
    let imported = ask("import_lease", "here", json!(mail));
    assert_eq!(
        json!([imported["code"], imported["source"]]),
        json!(["TRIAL", "lease"]),
        "{imported}"
    );
    offered(&imported);
    let started = ask("check", "here", Value::Null);
    assert_eq!(started["source"], "lease", "{started}");
    offered(&started);
    assert_ne!(ask("offline_request", "here", Value::Null), shown);
}

/// The same for a client that finds its machine ID itself; `call` has more arguments for the program.
pub fn walk_on_one_machine(mut call: impl FnMut(&str, &str, &[&str]) -> Value) {
    let folder = tempfile::tempdir().unwrap();
    let server = mock(folder.path(), "VALID", &OFFER);
    let (url, keys) = (mock::url(&server), mock::public_half(&server));
    let mut call = |more: &[&str]| call(&url, keys[0].as_str().unwrap(), more);
    let shown = call(&["0", "LicenseImport", "no file"]);
    assert_eq!(
        json!([shown["code"], shown["reason"]]),
        json!(["REFUSED", "NO_OFFLINE_FILE"]),
        "{shown}"
    );
    let file = Client::new("").get(shown["offline_url"].as_str().unwrap());
    assert_eq!(file.status, 200, "{}", file.body);
    drop(server);
    let imported = call(&["0", "LicenseImport", &file.body]);
    assert_eq!(
        json!([imported["code"], imported["source"]]),
        json!(["VALID", "lease"]),
        "{imported}"
    );
    assert_ne!(imported["offline_request"], shown["offline_request"]);
    let started = call(&["0"]);
    for (name, text) in [
        ("code", "VALID"),
        ("source", "lease"),
        ("edition", "Pro"),
        ("data", "seats=5"),
        ("updates_until", "2027-06-30"),
        ("latest_version", "2.10"),
        ("minimum_version", ""),
        ("has export", "1"),
        ("has print", "0"),
        ("update available for 2.9", "1"),
        ("below minimum with 2.9", "0"),
        ("covers 2027-06-30", "1"),
        ("covers 2027-07-01", "0"),
    ] {
        assert_eq!(started[name], text, "{name}: {started}");
    }
}

fn walk_with(command: Option<Command>) {
    if let Some(mut command) = command {
        walk(|question| lines::answers(&mut command, &[question]).remove(0));
    }
}

#[test]
fn the_python_client_knows_what_was_sold_and_imports_an_offline_file() {
    walk_with(lines::python(PYTHON));
}

#[test]
fn the_javascript_client_knows_what_was_sold_and_imports_an_offline_file() {
    walk_with(lines::javascript(JAVASCRIPT));
}

#[test]
fn the_csharp_client_knows_what_was_sold_and_imports_an_offline_file() {
    walk_with(csharp_client::lines());
}

#[test]
fn the_mock_refuses_an_offer_that_clients_would_ignore() {
    let folder = tempfile::tempdir().unwrap();
    for (option, value) in [
        ("--edition", "x".repeat(51)),
        ("--features", format!("export,{}", "x".repeat(51))),
        ("--data", String::new()),
        ("--updates-until", "30.6.2027".into()),
        ("--latest-url", "calc.exe".into()),
    ] {
        let (code, said) = mock::refused(folder.path(), &["--verdict", "VALID", option, &value]);
        assert!(code == Some(2) && said.contains(option), "{option}: {said}");
    }
}

#[test]
fn the_mock_signs_no_offline_file_for_what_is_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = mock(folder.path(), "VALID", &[]);
    let mut client = Client::new(&mock::url(&server));
    for path in [
        "/claim",
        "/claim?request=",
        "/claim?request=eyJ0b29s",
        "/claim?request=%C3%A4",
    ] {
        let answer = client.get(path);
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (422, &json!("request")),
            "{path}"
        );
    }
}
