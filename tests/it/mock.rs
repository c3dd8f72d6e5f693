//! `license-server mock`: every answer and every fault on demand, for testing a vendor's program.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::database::Database;
use crate::engine::sqlite_only;
use crate::lines;
use crate::program::{Program, command};
use crate::server::Client;

const NONCE: &str = "0123456789abcdef";

pub fn mock(folder: &Path, part: &str, more: &[&str]) -> Program {
    Program::run(command(folder).args(["mock", "--verdict", part]).args(more))
}

pub fn url(mock: &Program) -> String {
    let mut words = mock.printed.split_whitespace();
    let address = words.find(|word| word.starts_with("http://")).unwrap();
    address.strip_suffix("/api/check").unwrap().to_owned()
}

/// Its coordinates, each 43 characters of base64url.
pub fn public_half(mock: &Program) -> Value {
    let mut words = mock.printed.split_whitespace();
    let is_it = |word: &&str| word.len() == 87 && word.find('.') == Some(43);
    json!([words.find(is_it).unwrap()])
}

/// Whether it prints the ID of this key.
fn signs_with(mock: &Program, kid: &str) -> bool {
    mock.printed.split_whitespace().any(|word| word == kid)
}

pub fn refused(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(folder)
        .arg("mock")
        .args(arguments)
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn the_mock_signs_with_the_key_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    drop(Program::run(&mut command(folder.path())));
    let keys = |arguments: &[&str]| {
        let output = command(folder.path()).arg("keys").args(arguments).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let list = keys(&["list"]);
    let kid = list.split_whitespace().next().unwrap();
    let file = folder.path().join("test.pem");
    fs::write(&file, keys(&["export", "--private", kid])).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let key = file.to_str().unwrap();
    let mock = mock(elsewhere.path(), "VALID", &["--key", key]);
    assert!(signs_with(&mock, kid), "{}", mock.printed);
    fs::write(&file, "none").unwrap();
    let (code, _) = refused(elsewhere.path(), &["--verdict", "VALID", "--key", key]);
    assert_eq!(code, Some(1));
}

#[test]
fn a_client_draws_the_right_conclusion_from_each_answer() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |code: &str| (json!([false, code, code]), false);
    let good = |code: &str| (json!([true, "VALID", code]), true);
    let fault = |plain: bool| {
        let code = if plain { "VALID" } else { "NO_ANSWER" };
        (json!([plain, code, "NO_ANSWER"]), false)
    };
    let parts = [
        ("VALID", good("VALID")),
        ("IN_GRACE", good("IN_GRACE")),
        ("TRIAL", good("TRIAL")),
        ("EXPIRED", refusal("EXPIRED")),
        ("SUSPENDED", refusal("SUSPENDED")),
        ("REVOKED", refusal("REVOKED")),
        ("NOT_FOUND", refusal("NOT_FOUND")),
        // A client without pinned keys accepts any answer.
        ("UNSIGNED", fault(true)),
        ("FORGED", fault(true)),
        ("HTML", fault(false)),
        ("UNAVAILABLE", fault(false)),
        ("SILENT", fault(false)),
    ];
    let mocks = parts
        .each_ref()
        .map(|(part, _)| mock(folder.path(), part, &["--message", "Renew it."]));
    let questions: Vec<Value> = mocks
        .iter()
        .zip(&parts)
        .flat_map(|(mock, (part, _))| {
            [Value::Null, public_half(mock)].map(|keys| {
                let mut question = lines::question(&url(mock), "any key", &keys);
                if *part == "SILENT" {
                    question["seconds"] = json!(0.5);
                }
                question
            })
        })
        .collect();
    let Some(concluded) = lines::python_client(&questions) else {
        return;
    };
    for (pair, (part, (expected, leased))) in concluded.chunks(2).zip(&parts) {
        let [plain, signed] = pair else { panic!() };
        assert_eq!(
            &json!([plain["valid"], plain["code"], signed["code"]]),
            expected,
            "{part}"
        );
        assert_eq!(signed["leased"], json!(leased), "{part}: {signed}");
        let said = signed["message"].as_str().unwrap();
        // Only a refusal is followed by the vendor's message.
        let with_words = !["VALID", "IN_GRACE", "TRIAL", "NO_ANSWER"]
            .contains(&signed["code"].as_str().unwrap());
        assert_eq!(said.ends_with(" Renew it."), with_words, "{part}: {said}");
    }
    assert_eq!(concluded[5]["days_left"], 14);
    assert!(concluded[7]["expires"].is_string());
}

#[test]
fn every_outcome_of_an_activation_code_has_its_status_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let body =
        json!({"tool_name": "T", "activation_code": "any", "license_key": "k", "nonce": NONCE})
            .to_string();
    let outcomes = [
        ("BAD_CODE", 422, 422),
        ("UNKNOWN_CODE", 404, 404),
        ("WRONG_TOOL", 404, 404),
        ("CODE_EXPIRED", 403, 403),
        ("CODE_SUSPENDED", 403, 403),
        ("CODE_REVOKED", 403, 403),
        ("MACHINE_BLOCKED", 403, 403),
        ("SEATS_IN_USE", 409, 200),
        ("OTHER_CODE", 409, 200),
        ("MOVES_USED", 200, 409),
        ("OFFLINE_UNTIL", 200, 409),
        ("TRY_LATER", 429, 429),
        ("SUCCESS", 200, 200),
    ];
    for (outcome, activated, removed) in outcomes {
        let mock = mock(folder.path(), "NOT_FOUND", &["--activate", outcome]);
        let mut client = Client::new(&url(&mock));
        for (path, status) in [("/api/activate", activated), ("/api/deactivate", removed)] {
            let answer = client.post(path, &body);
            assert_eq!(answer.status, status, "{outcome}: {}", answer.body);
            match status {
                200 => assert!(answer.json()["reason"].is_null()),
                _ => assert_eq!(answer.json()["reason"], outcome),
            }
        }
        if activated == 200 {
            assert_eq!(client.post("/api/activate", &body).json()["code"], "VALID");
        }
    }
}

#[test]
fn what_goes_wrong_with_checks_goes_wrong_with_activation_codes() {
    let folder = tempfile::tempdir().unwrap();
    let body =
        json!({"tool_name": "T", "activation_code": "any", "license_key": "k", "nonce": NONCE})
            .to_string();
    let answers = |part: &str| {
        let mock = mock(folder.path(), part, &[]);
        let mut client = Client::new(&url(&mock));
        ["/api/activate", "/api/deactivate"].map(|path| client.post(path, &body).status)
    };
    assert_eq!(answers("UNAVAILABLE"), [503, 503]);
    assert_eq!(answers("NOT_FOUND"), [200, 200]);
}

#[test]
fn every_request_is_answered_at_the_root_and_below_the_base_path() {
    let folder = tempfile::tempdir().unwrap();
    let mock = Program::run(
        command(folder.path())
            .args(["mock", "--verdict", "expired", "--offline-days", "0"])
            .env("LICENSE_SERVER_PUBLIC_URL", "https://example.com/ls"),
    );
    assert!(mock.printed.to_lowercase().contains("mock"));
    assert!(url(&mock).ends_with("/ls"));
    let root = url(&mock).strip_suffix("/ls").unwrap().to_owned();
    for (url, tool) in [(url(&mock), "A"), (root.clone(), "B")] {
        let question = json!({"tool_name": tool, "license_key": "anybody"});
        let answer = Client::new(&url).post("/api/check", &question.to_string());
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (
                403,
                r#"{"status":"expired","message":"License has expired."}"#
            )
        );
    }
    for (question, status) in [
        (json!({"tool_name": "T"}), 400),
        (
            json!({"tool_name": "T", "license_key": "k", "nonce": "short"}),
            422,
        ),
        (
            json!({"tool_name": "T", "license_key": "x".repeat(9_000)}),
            413,
        ),
    ] {
        let answer = Client::new(&root).post("/api/check", &question.to_string());
        assert_eq!(answer.status, status, "{}", answer.body);
    }
    assert_eq!(Client::new(&root).get("/api/check").status, 405);
    assert_eq!(Client::new(&root).get("/login").status, 404);
    assert_eq!(mock.stop("TERM"), (Some(0), String::new()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_mock_signs_with_the_keys_of_a_database_and_writes_nothing() {
    if !sqlite_only("the mock uses the keys of a file only") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = Program::start(folder.path());
    let keys = server.client().get("/api/keys").json();
    let mock = mock(folder.path(), "REVOKED", &[]);
    assert!(mock.printed.contains("licenses.db"), "{}", mock.printed);
    assert!(signs_with(&mock, keys["keys"][0]["kid"].as_str().unwrap()));
    let question = json!({"tool_name": "T", "license_key": "k", "nonce": NONCE});
    let answer = Client::new(&url(&mock)).post("/api/check", &question.to_string());
    assert_eq!(answer.json()["code"], "REVOKED");
    let question = lines::question(&url(&mock), "k", &keys);
    if let Some(concluded) = lines::python_client(&[question]) {
        assert_eq!(concluded[0]["code"], "REVOKED");
    }
    assert_eq!(server.client().get("/health").status, 200);
    let database = Database::of(&folder.path().join("data"));
    assert_eq!(database.audit().len(), 1);
}

#[test]
fn the_mock_listens_only_on_loopback_and_refuses_invalid_options() {
    let folder = tempfile::tempdir().unwrap();
    let mut everywhere = command(folder.path());
    let output = everywhere
        .args(["mock", "--verdict", "VALID"])
        .env("LICENSE_SERVER_ADDRESS", "0.0.0.0")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("loopback") && said.contains("0.0.0.0"),
        "{said}"
    );
    for (arguments, word) in [
        (&["--verdict", "MAYBE"][..], "NOT_FOUND"),
        (&[], "--verdict"),
        (&["--verdict", "VALID", "--offline-days", "x"], "3,650"),
    ] {
        let (code, said) = refused(folder.path(), arguments);
        assert!(code != Some(0) && said.contains(word), "{said}");
    }
    let said = refused(folder.path(), &["--verdict", "VALID", "--message", "a\nb"]).1;
    assert!(said.contains("message"), "{said}");
}
