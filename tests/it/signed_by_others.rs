//! Signed answers, verified by code that shares nothing with the server, altered bit by bit, and at the
//! end of the shortest lease.

use std::process::Command;

use license_server::model::audit::Actor;
use license_server::model::tool::ToolDraft;
use serde_json::{Value, json};

use crate::csharp_client;
use crate::lines;
use crate::server::Server;
use crate::tools;

/// Verifies with the arithmetic of the Python client.
const PYTHON: &str = "
import json, sys
import license_client
for line in sys.stdin:
    received = json.loads(line)
    keys, problem = license_client._pin(received['keys'])
    header, payload, signature = received['token'].split('.')
    key = keys[json.loads(license_client._from_base64url(header))['kid']]
    signature = license_client._from_base64url(signature)
    is_good = license_client._is_signature(signature, (header + '.' + payload).encode('ascii'), key)
    print(json.dumps([is_good, json.loads(license_client._from_base64url(payload))]))
";

const NODE: &str = "
const crypto = require('crypto');
const keys = new Map();
for (const line of require('fs').readFileSync(0, 'utf8').trimEnd().split('\\n')) {
    const received = JSON.parse(line);
    const [header, payload, signature] = received.token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
    if (!keys.has(kid)) {
        const jwk = received.keys.keys.find(key => key.kid === kid);
        keys.set(kid, crypto.createPublicKey({ key: jwk, format: 'jwk' }));
    }
    const isGood = crypto.verify('sha256', Buffer.from(header + '.' + payload),
        { key: keys.get(kid), dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
    console.log(JSON.stringify([isGood, JSON.parse(Buffer.from(payload, 'base64url'))]));
}
";

/// Runs the Python adapter with one vector per line.
const RUN_VECTORS: &str = "
import json, sys
from python_client import run
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))))
";

const NONCE: &str = "0123456789abcdef";
const MACHINE: &str = "0a:1b:2c:3d:4e:5f";

fn set_tool(server: &Server, tool: &str, offline_days: &str, grace_days: &str) {
    let draft = ToolDraft {
        offline_days: offline_days.into(),
        grace_days: grace_days.into(),
        message: "Verlängern: “Größe” 鍵".into(),
        link: "https://shop.example/?a=1&b=2".into(),
        ..Default::default()
    };
    let actor = Actor::command_line();
    server.service.set_tool(&actor, tool, &draft).unwrap();
}

/// A thousand checks with all kinds of results: the code, the request and the token of each.
fn a_thousand_checks(server: &Server) -> Vec<(&'static str, Value, String)> {
    const LICENSES: [(&str, &str, Option<&str>); 8] = [
        ("VALID", "activated", None),
        ("VALID", "activated", Some("2026-06-15")),
        ("VALID", "activated", Some("2027-12-31")),
        ("IN_GRACE", "activated", Some("2026-06-13")),
        ("EXPIRED", "activated", Some("2020-02-29")),
        ("SUSPENDED", "suspended", None),
        ("REVOKED", "revoked", Some("2026-12-31")),
        ("NOT_FOUND", "", None),
    ];
    let tools = ["T", "Größe & Co. \"2\"", "図面 \\ 印刷", "<tool>/🔑"];
    let mut admin = server.admin();
    let mut checks = vec![];
    for (at, tool) in tools.iter().enumerate() {
        for (index, (code, status, day)) in LICENSES.into_iter().enumerate() {
            let key = match at {
                0 => format!("0a:1b:2c:3d:4e:{index:02x}"),
                _ => format!("Schlüssel-鍵-{index}"),
            };
            if !status.is_empty() {
                let license = json!({
                    "tool_name": tool, "license_key": key, "status": status, "expiration_date": day
                });
                let answer = admin.post("/api/licenses", &license.to_string());
                assert_eq!(answer.status, 201, "{}", answer.body);
            }
            // Half of the MAC addresses are sent in another spelling.
            let sent = match index % 2 {
                0 if at == 0 => key.to_uppercase().replace(':', "-"),
                _ => key,
            };
            checks.push((code, *tool, sent));
        }
        set_tool(server, tool, &(at * 7).to_string(), "3");
    }
    let actor = Actor::command_line();
    for _ in 0..2 {
        server.clock.turn(1);
        server.service.create_key(&actor).unwrap();
    }
    let kids: Vec<String> = server
        .service
        .public_keys()
        .into_iter()
        .map(|key| key.kid)
        .collect();
    let mut stranger = server.stranger();
    let checks = checks.iter().cycle().take(1_000).enumerate();
    checks
        .map(|(number, (code, tool, key))| {
            let request = json!({
                "tool_name": tool, "license_key": key, "nonce": format!("{number:0>20}_-aZ"),
                "kids": [kids[number % 3]]
            });
            // Each comes from an address of its own, so that none is throttled.
            let address = format!("10.0.{}.{}", number / 250, number % 250);
            let headers = [
                ("Content-Type", "application/json"),
                ("X-Forwarded-For", &address),
            ];
            let body = request.to_string();
            let answer = stranger.send("POST", "/api/check", &headers, body.as_bytes());
            let answer = answer.json();
            let token = answer["token"].as_str();
            let token = token.unwrap_or_else(|| panic!("{answer}")).to_owned();
            (*code, request, token)
        })
        .collect()
}

#[test]
fn a_thousand_answers_are_verified_by_python_and_node() {
    let server = Server::start();
    let checks = a_thousand_checks(&server);
    let keys = server.stranger().get("/api/keys").json();
    let lines: Vec<Value> = checks
        .iter()
        .map(|(_, _, token)| json!({"keys": keys, "token": token}))
        .collect();
    let node = tools::find("node").map(|node| {
        let mut command = Command::new(node);
        command.args(["-e", NODE]);
        command
    });
    for mut verifier in [lines::python(PYTHON), node].into_iter().flatten() {
        let verified = lines::answers(&mut verifier, &lines);
        for (result, (code, request, _)) in verified.iter().zip(&checks) {
            assert_eq!(result[0], true, "{request}");
            let claims = &result[1];
            assert_eq!(claims["code"], *code, "{request}");
            for (claim, field) in [
                ("aud", "tool_name"),
                ("sub", "license_key"),
                ("nonce", "nonce"),
            ] {
                assert_eq!(claims[claim], request[field]);
            }
            assert!(claims["exp"].as_i64() > claims["iat"].as_i64(), "{claims}");
        }
    }
}

/// A conformance vector without `expected`; see `tests/vectors/README.md`.
fn vector(keys: &Value, now: i64, answer: Value, states: Value) -> Value {
    let machine = json!({"earlier": MACHINE, "preferred": MACHINE, "present": [MACHINE]});
    json!({
        "keys": keys["keys"], "server_url": "http://licenses.example/licenseserver", "tool_name": "T",
        "machine": machine, "nonces": [NONCE], "now": now, "uptime": null, "refresh": false,
        "trial": false, "states": states, "answers": [answer]
    })
}

/// The server's token for the check in the vectors, and the time.
fn token(server: &Server) -> (String, i64) {
    let request = json!({"tool_name": "T", "license_key": MACHINE, "nonce": NONCE});
    let body = server
        .stranger()
        .post("/api/check", &request.to_string())
        .json();
    let token = body["token"].as_str().unwrap().to_owned();
    (token, server.clock.now().unix_timestamp())
}

fn answer(token: &str) -> Value {
    let body = json!({"status": "valid", "message": "", "code": "VALID", "token": token});
    json!({"status": 200, "content_type": "application/json", "body": body.to_string()})
}

/// The results of both clients for these vectors, as far as they can run here.
fn results(vectors: &[Value]) -> Vec<(&'static str, Vec<Value>)> {
    let clients = [
        ("Python", lines::python(RUN_VECTORS)),
        ("C#", csharp_client::lines()),
    ];
    let run =
        |(name, client): (_, Option<Command>)| Some((name, lines::answers(&mut client?, vectors)));
    clients.into_iter().filter_map(run).collect()
}

fn flipped(token: &str, bit: usize) -> String {
    let mut bytes = token.as_bytes().to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    // A byte that is no longer ASCII becomes the character with that number.
    bytes.into_iter().map(char::from).collect()
}

#[test]
fn no_client_accepts_a_token_with_a_flipped_bit() {
    let server = Server::start();
    server.license("T", MACHINE);
    let keys = server.stranger().get("/api/keys").json();
    let (token, now) = token(&server);
    let payload = token.find('.').unwrap() * 8;
    let signature = token.rfind('.').unwrap() * 8;
    // The first 600 bits, which belong to the header, and the bits around the other parts.
    let bits = (0..600)
        .chain(payload..payload + 64)
        .chain(signature - 16..signature + 64)
        .chain(token.len() * 8 - 48..token.len() * 8);
    let answers = bits.map(|bit| answer(&flipped(&token, bit)));
    let vectors: Vec<Value> = [answer(&token)]
        .into_iter()
        .chain(answers)
        .map(|answer| vector(&keys, now, answer, json!([])))
        .collect();
    for (name, results) in results(&vectors) {
        assert_eq!(results[0]["code"], "VALID", "{name}");
        for (number, result) in results.iter().enumerate().skip(1) {
            assert_eq!(result["code"], "NO_ANSWER", "{name}, {number}: {result}");
            assert_eq!(
                (&result["valid"], &result["states"]),
                (&json!(false), &json!([]))
            );
        }
    }
}

#[test]
fn with_zero_offline_days_an_answer_is_accepted_and_the_lease_lasts_one_second() {
    let server = Server::start();
    server.license("T", MACHINE);
    set_tool(&server, "T", "0", "0");
    let keys = server.stranger().get("/api/keys").json();
    let (token, iat) = token(&server);
    let stored = json!([{
        "license_key": MACHINE, "token": token, "good_iat": iat, "mark": iat, "allowance": 86400,
        "uptime": null
    }]);
    let online = vector(&keys, iat, answer(&token), json!([]));
    let later = vector(&keys, iat + 1, Value::Null, stored.clone());
    let at_once = vector(&keys, iat, Value::Null, stored.clone());
    for (name, results) in results(&[online, at_once, later]) {
        let summary = |number: usize| {
            let result: &Value = &results[number];
            json!([result["code"], result["source"]])
        };
        assert_eq!(summary(0), json!(["VALID", "server"]), "{name}");
        assert_eq!(results[0]["states"], stored, "{name}");
        assert_eq!(summary(1), json!(["VALID", "lease"]), "{name}");
        assert_eq!(summary(2), json!(["NO_ANSWER", "none"]), "{name}");
    }
}
