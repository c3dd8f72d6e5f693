//! The signing keys and the rules of tools, on their pages and on the command line.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::database::Database;
use crate::page::Page;
use crate::program::{Program, command};
use crate::server::{PASSWORD, Server};

fn kids(server: &Server) -> Vec<String> {
    let keys = server.service.signing_keys().unwrap();
    keys.into_iter().map(|key| key.kid).collect()
}

/// What `license-server keys …` says, and whether it was done.
fn keys(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = command(folder)
        .arg("keys")
        .args(arguments)
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

#[test]
fn a_key_is_made_chosen_and_the_old_one_retired_on_the_page() {
    let server = Server::start();
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/keys");
    assert!(page.text().contains("Only one key may sign"));
    assert!(page.text().contains("never: on the server"));
    server.clock.turn(1);
    let page = page
        .form("Make a new key")
        .submit(&mut admin, "Make a new key");
    let [new, old] = kids(&server).try_into().unwrap();
    assert!(page.flash().unwrap().contains(&new) && !page.text().contains("Only one key"));
    let button = format!("Make {new} the default");
    let page = page.form(&button).submit(&mut admin, &button);
    let button = format!("Retire {old}");
    page.form(&button).submit(&mut admin, &button);
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
fn the_page_has_each_public_key_in_the_forms_that_languages_want() {
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
fn the_command_line_does_it_too_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Program::run(command(folder.path()).env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD));
    let (_, list) = keys(folder.path(), &["list"]);
    let first = list.split_whitespace().next().unwrap().to_owned();
    assert!(
        list.contains("default") && list.contains("backed up never"),
        "{list}"
    );
    let (_, made) = keys(folder.path(), &["create"]);
    let second = made.split_whitespace().nth(2).unwrap().to_owned();
    let (_, xy) = keys(folder.path(), &["export", &second, "--format", "xy"]);
    assert!(made.contains(xy.trim()) && xy.trim().len() == 87, "{xy}");
    let (_, private) = keys(folder.path(), &["export", &first, "--private"]);
    assert!(
        private.starts_with("-----BEGIN PRIVATE KEY-----"),
        "{private}"
    );
    let (done, words) = keys(folder.path(), &["retire", &first]);
    assert!(!done && words.contains("is the default"), "{words}");
    assert!(keys(folder.path(), &["set-default", &second]).0);
    assert!(keys(folder.path(), &["retire", &first]).0);
    let (done, words) = keys(folder.path(), &["retire", "-nobody-"]);
    assert!(!done && words.contains("not found"), "{words}");
    let (_, list) = keys(folder.path(), &["list"]);
    assert!(
        list.contains("retired") && !list.lines().last().unwrap().contains("backed up never"),
        "{list}"
    );
    assert_eq!(server.stop("TERM").0, Some(0));
}

#[test]
fn a_key_that_is_gone_is_put_back_from_its_private_half() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Program::run(&mut command(folder.path()));
    drop(start());
    let (_, made) = keys(folder.path(), &["create"]);
    let kid = made.split_whitespace().nth(2).unwrap().to_owned();
    let (_, private) = keys(folder.path(), &["export", &kid, "--private"]);
    let database = Database::of(&folder.path().join("data"));
    let refused = |change: &str, words: &str| {
        database.tamper(change);
        let output = command(folder.path()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(words), "{told}");
    };
    // It has not signed anything, but some customers may know it.
    refused("delete from signing_keys where is_default = 0", &kid);
    let file = folder.path().join("key.pem");
    fs::write(&file, &private).unwrap();
    let (done, words) = keys(folder.path(), &["import", file.to_str().unwrap()]);
    assert!(done && words.contains(&kid), "{words}");
    let (_, again) = keys(folder.path(), &["export", &kid, "--private"]);
    assert_eq!(again, private);
    refused("update signing_keys set is_default = 0", "set-default KID");
    assert!(keys(folder.path(), &["set-default", &kid]).0);
    drop(start());
    fs::write(&file, "-----BEGIN NONSENSE-----").unwrap();
    let (done, words) = keys(folder.path(), &["import", file.to_str().unwrap()]);
    assert!(!done && words.contains("no private key"), "{words}");
}

#[test]
fn the_rules_of_a_tool_are_saved_or_named_with_what_is_wrong() {
    let server = Server::start();
    server.add(
        json!({"tool_name": "My Tool & Co", "license_key": "k", "expiration_date": "2026-06-14"}),
    );
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/tools").follow(&mut admin, "My Tool & Co");
    assert_eq!(page.form("/tool").value("offline_days"), "7");
    let wrong = page
        .form("/tool")
        .fill("grace_days", "a week")
        .fill("link", "shop");
    let page = wrong.submit(&mut admin, "Save");
    assert_eq!(
        (page.status, page.form("/tool").value("grace_days")),
        (422, "a week")
    );
    assert!(page.problem("grace_days").unwrap().contains("`a week`"));
    assert!(page.problem("link").unwrap().contains("`shop`"));
    assert_eq!(server.check("My Tool & Co", "k").0, 403);
    let right = page
        .form("/tool")
        .fill("grace_days", "3")
        .fill("link", "https://shop.example");
    let page = right.submit(&mut admin, "Save");
    assert_eq!(
        (page.status, page.form("/tool").value("grace_days")),
        (200, "3")
    );
    assert_eq!(server.check("My Tool & Co", "k").0, 200);
    let license = Page::open(&mut admin, "/licenses/1");
    assert!(license.text().contains("grace"), "{}", license.text());
    assert_eq!(Page::open(&mut admin, "/tool?name=nobody").status, 404);
}
