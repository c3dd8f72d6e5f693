//! Rotating a signing key, step by step as in docs/signing-keys.md: no client is refused
//! before the old key is retired.

use license_server::model::audit::Actor;
use license_server::service::KeyFormat;
use serde_json::{Value, json};

use crate::lines;
use crate::server::Server;

const KEY: &str = "0a:1b:2c:3d:4e:5f";

/// What the programs that pin these keys conclude, each without a lease; none where there is no Python.
fn codes(server: &Server, pins: &[&[&str]]) -> Option<Vec<String>> {
    let questions: Vec<Value> = pins
        .iter()
        .map(|keys| lines::question(&server.url, KEY, &json!(keys)))
        .collect();
    let concluded = lines::python_client(&questions)?;
    let code = |said: Value| said["code"].as_str().unwrap().to_owned();
    Some(concluded.into_iter().map(code).collect())
}

/// How many answers the key has signed.
fn answers(server: &Server, kid: &str) -> i64 {
    server.tick().unwrap();
    let keys = server.service.signing_keys().unwrap();
    keys.iter().find(|key| key.kid == kid).unwrap().answers
}

#[test]
fn rotating_a_key_refuses_no_client() {
    let server = Server::start();
    server.license("T", KEY);
    let actor = Actor::command_line();
    let service = &server.service;
    let first = service.signing_keys().unwrap()[0].kid.clone();
    let one = service.public_key(&first, KeyFormat::Xy).unwrap();
    let Some(before) = codes(&server, &[&[&one]]) else {
        return;
    };
    assert_eq!(before, ["VALID"]);

    // 1. keys create
    server.clock.turn(1);
    let next = service.create_key(&actor).unwrap();
    assert_eq!(codes(&server, &[&[&one]]).unwrap(), ["VALID"]);

    // 2. keys export KID --format xy; 3. a version that pins both
    let two = service.public_key(&next, KeyFormat::Xy).unwrap();
    let (old, between, new): (&[&str], &[&str], &[&str]) = (&[&one], &[&one, &two], &[&two]);
    let everybody = [old, between, new];
    assert_eq!(codes(&server, &everybody).unwrap(), ["VALID"; 3]);

    // 4. keys set-default KID
    service.set_default_key(&actor, &next).unwrap();
    assert_eq!(codes(&server, &everybody).unwrap(), ["VALID"; 3]);

    // 5. Who pins the next key has left the old one, which the page shows.
    let used = answers(&server, &first);
    codes(&server, &[between, new]).unwrap();
    assert_eq!(answers(&server, &first), used);
    codes(&server, &[old]).unwrap();
    assert_eq!(answers(&server, &first), used + 1);

    // 6. keys retire KID: an old program hears no refusal, but nothing that it believes.
    service.retire_key(&actor, &first).unwrap();
    assert_eq!(
        codes(&server, &everybody).unwrap(),
        ["NO_ANSWER", "VALID", "VALID"]
    );
    assert_eq!(answers(&server, &first), used + 1);
}
