//! Private keys and other secrets in the database, encrypted with a secret that is not there.

use std::fs;
use std::path::Path;
use std::process::Command;

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::error::Refusal;
use license_server::model::shops::ShopKind;
use license_server::model::webhook::WebhookDraft;
use license_server::service::Service;

use crate::crash::quiet;
use crate::database::Database;
use crate::engine;
use crate::program::{Program, assert_names, command, refusal};
use crate::server::{PASSWORD, START, Server};
use crate::shops::{Shop, actor, session, stripe};

const OLD: &str = "an old secret of more than 32 characters";
const NEW: &str = "a new secret of more than 32 characters";
/// How a private key on P-256 begins as PKCS #8 in Base64.
const PLAIN: &str = "MIGHAgEAMBMGByqGSM49";

/// The command with these secrets, one on each line.
fn with(command: &mut Command, folder: &Path, secrets: &[&str]) {
    let file = folder.join("secret");
    fs::write(&file, secrets.join("\n")).unwrap();
    command.env("LICENSE_SERVER_SECRET_FILE", file);
}

fn start(folder: &Path, secrets: &[&str]) -> Program {
    let mut command = quiet(folder);
    if !secrets.is_empty() {
        with(&mut command, folder, secrets);
    }
    Program::run(&mut command)
}

/// What a thief of the database has.
fn bytes(folder: &Path) -> Vec<u8> {
    Database::of(&folder.join("data")).bytes()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// The ID of the only key.
fn kid(program: &Program) -> String {
    let keys = program.client().get("/api/keys").json();
    keys["keys"][0]["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_database_with_a_secret_has_no_private_key_and_signs_with_the_secret_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = start(folder, &[]);
    let key = kid(&program);
    program.stop("TERM");
    assert!(has(&bytes(folder), PLAIN));
    // An existing installation, then another secret.
    for secrets in [&[OLD][..], &[NEW, OLD], &[NEW]] {
        let program = start(folder, secrets);
        assert_eq!(kid(&program), key);
        assert!(!has(&bytes(folder), PLAIN));
        program.stop("TERM");
        assert!(!has(&bytes(folder), PLAIN));
    }
    let line = refusal(&command(folder).output().unwrap());
    assert_names(&line, &[&key, "secret_file"]);
    let mut other = command(folder);
    with(&mut other, folder, &[OLD]);
    let line = refusal(&other.output().unwrap());
    assert_names(&line, &[&key, "secret_file"]);
    let mut short = command(folder);
    with(&mut short, folder, &["short"]);
    assert_names(&refusal(&short.output().unwrap()), &["secret_file", "32"]);
}

#[test]
fn a_backup_of_sealed_keys_is_proven_and_restored_with_the_secret_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = start(folder, &[OLD]);
    let key = kid(&program);
    let call = |arguments: &[&str], secrets: &[&str]| {
        let mut command = command(folder);
        with(&mut command, folder, secrets);
        command.args(arguments).output().unwrap()
    };
    let made = call(&["backup", "copy.db"], &[OLD]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    program.stop("TERM");
    let refused = call(&["backup", "--verify", "copy.db"], &[NEW]);
    assert_names(&refusal(&refused), &[&key, "secret_file"]);
    // PostgreSQL is restored into an empty database only.
    engine::empty_database_of(&folder.join("data"));
    let restored = call(&["restore", "copy.db", "--replace"], &[NEW, OLD]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    let program = start(folder, &[NEW, OLD]);
    assert_eq!(kid(&program), key);
}

/// A server on the database of that folder, with these secrets.
fn serve(folder: &Path, secrets: &[&str]) -> Server {
    Server::with(|config| *config = config_of(folder, secrets))
}

fn config_of(folder: &Path, secrets: &[&str]) -> Config {
    Config {
        port: 0,
        secrets: secrets.iter().map(ToString::to_string).collect(),
        admin_password: Some(PASSWORD.to_owned()),
        ..engine::settings(&folder.join("data"))
    }
}

fn add_webhook(server: &Server) -> (i64, String) {
    let draft = WebhookDraft {
        url: "https://receiver.example.com/".into(),
        description: String::new(),
        events: vec![],
    };
    let added = server.service.create_webhook(&actor(), &draft);
    added.unwrap()
}

/// Whether the shop's signature with that secret is believed.
fn takes_events(server: &Server, secret: &str) -> bool {
    let shop = Shop {
        server,
        kind: ShopKind::Stripe,
        id: 1,
        secret: secret.to_owned(),
    };
    let event = stripe(
        "evt_1",
        "checkout.session.completed",
        0,
        session("pi_1", "paid"),
    );
    let body = event.to_string();
    shop.send(&shop.signed(secret, server.clock.now(), &body), &body)
        .status
        == 200
}

#[test]
fn a_secret_that_is_set_later_encrypts_those_of_webhooks_and_shops() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let plain = {
        let server = serve(folder, &[]);
        let (id, first) = add_webhook(&server);
        let second = server.service.rotate_webhook_secret(&actor(), id).unwrap();
        [first, second, Shop::new(&server, ShopKind::Stripe).secret]
    };
    assert!(plain.iter().all(|secret| has(&bytes(folder), secret)));
    for secrets in [&[OLD][..], &[NEW, OLD], &[NEW]] {
        let server = serve(folder, secrets);
        assert!(takes_events(&server, &plain[2]), "{secrets:?}");
        assert!(!takes_events(&server, "whsec_other"));
        drop(server);
        let stored = bytes(folder);
        assert!(!plain.iter().any(|secret| has(&stored, secret)));
    }
    // What is entered from now on.
    let server = serve(folder, &[NEW]);
    let new = [
        server.service.rotate_webhook_secret(&actor(), 1).unwrap(),
        add_webhook(&server).1,
        Shop::new(&server, ShopKind::Paddle).secret,
    ];
    drop(server);
    let stored = bytes(folder);
    assert!(!new.iter().any(|secret| has(&stored, secret)));
}

#[test]
fn a_lost_secret_is_named_by_backup_and_start_and_can_be_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (kid, pem, secret) = {
        let server = serve(folder, &[OLD]);
        add_webhook(&server);
        let kid = server.service.signing_keys().unwrap().remove(0).kid;
        let pem = server.service.private_key(&actor(), &kid).unwrap();
        (kid, pem, Shop::new(&server, ShopKind::Stripe).secret)
    };
    // The signing key is there again, encrypted with the new secret; the others are not.
    let config = config_of(folder, &[NEW]);
    let open = || Service::open_without_keys(&config, Clock::fixed(START)).unwrap();
    open().import_key(&actor(), &pem).unwrap();
    let Refusal(line) = open().back_up(&folder.join("copy.db"), false).unwrap_err();
    assert_names(&line, &["webhook 1", "secret_file"]);
    let Err(Refusal(line)) = Service::open(&config, Clock::fixed(START)) else {
        panic!("it started");
    };
    assert_names(&line, &["webhook 1", "secret_file"]);
    let forget = |secrets: &[&str]| {
        let mut forget = command(folder);
        with(&mut forget, folder, secrets);
        forget.args(["admin", "forget-secrets"]).output().unwrap()
    };
    // Nothing is forgotten because the setting is wrong.
    assert_names(&refusal(&forget(&[OLD])), &[&kid, "secret_file"]);
    let forgotten = forget(&[NEW]);
    let said = String::from_utf8(forgotten.stdout).unwrap();
    assert_names(&said, &["webhook 1", "shop 1"]);
    let server = serve(folder, &[NEW]);
    assert_eq!(server.service.signing_keys().unwrap()[0].kid, kid);
    assert!(!takes_events(&server, &secret));
    let shop = Shop {
        server: &server,
        kind: ShopKind::Stripe,
        id: 1,
        secret,
    };
    shop.set(false);
    assert!(takes_events(&server, &shop.secret));
    open().back_up(&folder.join("copy.db"), false).unwrap();
}
