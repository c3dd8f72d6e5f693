//! Signing keys and the rules of tools, on their pages and on the command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::database::Database;
use crate::page::Page;
use crate::program::{Program, assert_names, command, refusal};
use crate::server::{PASSWORD, Server};

fn kids(server: &Server) -> Vec<String> {
    let keys = server.service.signing_keys().unwrap();
    keys.into_iter().map(|key| key.kid).collect()
}

/// Whether `license-server keys …` succeeded, and its output.
fn keys(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = command(folder)
        .arg("keys")
        .args(arguments)
        .output()
        .unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).unwrap())
}

/// The line of `keys list` for each key, by its ID.
fn listed(folder: &Path) -> BTreeMap<String, String> {
    let (_, list) = keys(folder, &["list"]);
    let entry = |line: &str| {
        let kid = line.split_whitespace().next().unwrap();
        (kid.to_owned(), line.to_owned())
    };
    list.lines().map(entry).collect()
}

/// Creates a key and returns its ID and the output.
fn created(folder: &Path) -> (String, String) {
    let before = listed(folder);
    let (_, printed) = keys(folder, &["create"]);
    let mut kids = listed(folder).into_keys();
    let kid = kids.find(|kid| !before.contains_key(kid)).unwrap();
    (kid, printed)
}

#[test]
fn a_key_is_created_made_the_default_and_the_old_one_retired_on_the_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/keys");
    assert_eq!(page.all(".warning").len(), 1);
    server.clock.turn(1);
    let page = page.form("/keys").submit(&mut admin);
    let [new, old] = kids(&server).try_into().unwrap();
    assert!(page.flash().unwrap().contains(&new));
    assert!(page.all(".warning").is_empty());
    let form = page.form("/keys/default");
    assert_eq!(form.value("kid"), new);
    form.submit(&mut admin);
    let usable = || {
        let keys = server.stranger().get("/api/keys").json();
        keys["keys"].as_array().unwrap().len()
    };
    let ask = Page::open(&mut admin, "/keys").follow(&mut admin, "/keys/retire?");
    assert_eq!(usable(), 2);
    let form = ask.form("/keys/retire");
    assert_eq!(form.value("kid"), old);
    let page = form.submit(&mut admin);
    assert_eq!(usable(), 1);
    page.form("/keys/restore").submit(&mut admin);
    assert_eq!(usable(), 2);
    ask.form("/keys/retire").submit(&mut admin);
    let keys = server.stranger().get("/api/keys").json();
    let usable: Vec<&str> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    assert_eq!(usable, [&new]);
}

#[test]
fn the_page_has_each_public_key_in_three_formats() {
    let server = Server::start();
    let page = Page::open(&mut server.admin(), "/keys");
    let [xy, jwk, pem] = page.texts("pre.sample").try_into().unwrap();
    let key = &server.stranger().get("/api/keys").json()["keys"][0];
    assert_eq!(
        xy,
        format!(
            "{}.{}",
            key["x"].as_str().unwrap(),
            key["y"].as_str().unwrap()
        )
    );
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&jwk).unwrap(),
        *key
    );
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");
}

#[test]
fn the_command_line_manages_keys_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = Program::run(command(folder).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let (first, line) = listed(folder).pop_first().unwrap();
    assert!(line.contains("default"), "{line}");
    let never = |line: &str| line.matches("never").count();
    let (second, printed) = created(folder);
    let (_, xy) = keys(folder, &["export", &second, "--format", "xy"]);
    assert!(printed.contains(xy.trim()) && xy.trim().len() == 87, "{xy}");
    let (_, private) = keys(folder, &["export", &first, "--private"]);
    assert!(
        private.starts_with("-----BEGIN PRIVATE KEY-----"),
        "{private}"
    );
    let (done, words) = keys(folder, &["retire", &first]);
    assert!(!done && words.contains(&first), "{words}");
    let is_default = |kid: &str| listed(folder)[kid].contains("default");
    // Nobody can answer the question.
    assert!(!keys(folder, &["set-default", &second]).0 && is_default(&first));
    assert!(keys(folder, &["set-default", &second, "--yes"]).0 && is_default(&second));
    let (done, words) = keys(folder, &["retire", &first]);
    assert!(!done && words.contains("--yes"), "{words}");
    assert!(!listed(folder)[&first].contains("retired"));
    assert!(keys(folder, &["retire", &first, "--yes"]).0);
    let (done, words) = keys(folder, &["retire", "-nobody-"]);
    assert!(!done && words.contains("`-nobody-`"), "{words}");
    assert!(keys(folder, &["restore", &first]).0);
    assert!(!listed(folder)[&first].contains("retired"));
    assert!(keys(folder, &["retire", "--yes", &first]).0);
    let list = listed(folder);
    assert!(list[&first].contains("retired"), "{list:?}");
    // Its private half was exported.
    assert!(never(&list[&first]) < never(&line), "{list:?}");
    assert_eq!(server.stop("TERM").0, Some(0));
}

#[test]
fn a_missing_key_is_restored_from_its_private_half() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Program::run(&mut command(folder.path()));
    drop(start());
    let (kid, _) = created(folder.path());
    let (_, private) = keys(folder.path(), &["export", &kid, "--private"]);
    let database = Database::of(&folder.path().join("data"));
    let refused = |change: &str, words: &str| {
        database.tamper(change);
        let output = command(folder.path()).output().unwrap();
        assert_names(&refusal(&output), &[words]);
    };
    // It has not signed anything, but clients may already pin it.
    refused("delete from signing_keys where is_default = 0", &kid);
    let file = folder.path().join("key.pem");
    fs::write(&file, &private).unwrap();
    let (done, words) = keys(folder.path(), &["import", file.to_str().unwrap()]);
    assert!(done && words.contains(&kid), "{words}");
    let (_, again) = keys(folder.path(), &["export", &kid, "--private"]);
    assert_eq!(again, private);
    refused("update signing_keys set is_default = 0", "set-default");
    assert!(keys(folder.path(), &["set-default", &kid]).0);
    drop(start());
    fs::write(&file, "-----BEGIN NONSENSE-----").unwrap();
    assert!(!keys(folder.path(), &["import", file.to_str().unwrap()]).0);
}

#[test]
fn the_rules_of_a_tool_are_saved_or_rejected_with_their_values() {
    let server = Server::start();
    server.add(
        json!({"tool_name": "My Tool & Co", "license_key": "k", "expiration_date": "2026-06-14"}),
    );
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/tools").follow_text(&mut admin, "My Tool & Co");
    assert_eq!(page.form("/tool").value("offline_days"), "7");
    let wrong = page
        .form("/tool")
        .fill("grace_days", "a week")
        .fill("link", "shop");
    let page = wrong.submit(&mut admin);
    assert_eq!(
        (page.status, page.form("/tool").value("grace_days")),
        (422, "a week")
    );
    assert!(page.problem("grace_days").unwrap().contains("a week"));
    assert!(page.problem("link").unwrap().contains("shop"));
    assert_eq!(server.check("My Tool & Co", "k").0, 403);
    let right = page
        .form("/tool")
        .fill("grace_days", "3")
        .fill("link", "https://shop.example");
    let page = right.submit(&mut admin);
    assert_eq!(
        (page.status, page.form("/tool").value("grace_days")),
        (200, "3")
    );
    assert_eq!(server.check("My Tool & Co", "k").0, 200);
    let license = Page::open(&mut admin, "/licenses/1");
    assert!(license.all("p.verdict.expired").is_empty());
    assert_eq!(Page::open(&mut admin, "/tool?name=nobody").status, 404);
}
