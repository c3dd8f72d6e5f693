//! `licenseclient.cpp`, built for Windows and run by Wine: the conformance vectors, and the DLL.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;

use crate::client_codes;
use crate::client_offers;
use crate::engine::once;
use crate::server::Server;
use crate::standby;
use crate::tools;
use crate::windows::{Wine, compile, compile_dll};

/// A flag of `LicenseCheck`.
const REFRESH: &str = "1";

#[test]
fn every_vector_has_the_expected_result() {
    if !once() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("client.exe");
    let options = ["-std=c++17", "-O1", "-static", "-Wno-unused-function"];
    let compiled = compile(
        "x86_64-w64-mingw32-g++",
        &options,
        &["tests/vectors/cpp_client.cpp".into()],
        program,
    );
    let (Some(program), Some(wine)) = (compiled, Wine::new(folder.path())) else {
        return;
    };
    let Some(python) = tools::pythons().into_iter().next() else {
        return;
    };
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/run.py");
    let output = wine.run_in(
        &python,
        [Path::new("-B"), &runner, Path::new("wine"), &program],
    );
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
}

#[test]
fn the_dll_gives_other_languages_the_result_and_its_details() {
    if !once() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dll = compile_dll("x86_64", folder.path().join("licenseclient.dll"));
    let caller = folder.path().join("caller.exe");
    let source = "tests/cpp/dll_caller.c".into();
    let caller = compile("x86_64-w64-mingw32-gcc", &["-municode"], &[source], caller);
    let (Some(dll), Some(caller), Some(wine)) = (dll, caller, Wine::new(folder.path())) else {
        return;
    };
    let (server, other) = (Server::start(), Server::start());
    let keys = server.stranger().get("/api/keys").json();
    let key = &keys["keys"][0];
    let key = format!(
        "{}.{}",
        key["x"].as_str().unwrap(),
        key["y"].as_str().unwrap()
    );
    let call = |url: &str, key: &str, more: &[&str]| -> BTreeMap<String, String> {
        let dll = dll.to_str().unwrap();
        let arguments = [caller.to_str().unwrap(), dll, url, "Größe", key, "20000"];
        let output = wine.run(arguments.iter().chain(more));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{printed}");
        // The last one has several lines.
        let (lines, diagnostic) = printed.split_once("diagnostic=").unwrap();
        let details = lines.lines().filter_map(|line| line.split_once('='));
        details
            .chain([("diagnostic", diagnostic)])
            .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
            .collect()
    };
    let start = |url: &str, key: &str, flags: &str| call(url, key, &[flags]);
    let check = |url: &str, flags: &str| start(url, &key, flags);
    let unlicensed = check(&server.url, "0");
    assert_eq!(unlicensed["code"], "NOT_FOUND", "{unlicensed:?}");
    let machine_id = unlicensed["machine_id"].as_str();
    let license =
        json!({"tool_name": "Größe", "license_key": machine_id, "expiration_date": "2026-12-31"});
    let id = server.add(license.clone());
    other.add(license);
    let valid = check(&server.url, "0");
    assert_eq!((&*valid["code"], &*valid["source"]), ("VALID", "server"));
    assert_eq!(valid["expires"], "2026-12-31");
    assert_eq!(check(&other.url, "0")["code"], "NO_ANSWER");
    let revoked = json!({"status": "revoked"}).to_string();
    let answer = server
        .admin()
        .patch(&format!("/api/licenses/{id}"), &revoked);
    assert_eq!(answer.status, 200);
    assert_eq!(check(&server.url, REFRESH)["code"], "REVOKED");
    client_codes::walk_on_one_machine("Größe", |url, key, more| json!(call(url, key, more)));
    client_offers::walk_on_one_machine(|url, key, more| json!(call(url, key, more)));
    standby::walk("Größe", |urls, key| {
        json!(start(&urls.join(","), key, REFRESH))
    });
}

#[test]
fn the_dll_for_32_bit_programs_exports_undecorated_names() {
    if !once() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let dll = compile_dll("i686", folder.path().join("licenseclient.dll"));
    let (Some(dll), Some(objdump)) = (dll, tools::find("i686-w64-mingw32-objdump")) else {
        return;
    };
    let output = std::process::Command::new(objdump)
        .arg("-p")
        .arg(dll)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    for name in [
        "LicenseActivate",
        "LicenseCheck",
        "LicenseCovers",
        "LicenseDeactivate",
        "LicenseDetail",
        "LicenseHas",
        "LicenseImport",
        "LicenseIsBelowMinimum",
        "LicenseOfflineRequest",
        "LicenseOfflineUrl",
        "LicenseSetInfo",
        "LicenseUpdateAvailable",
        "LicenseWait",
    ] {
        let is_exported = printed
            .lines()
            .any(|line| line.ends_with(&format!(" {name}")));
        assert!(is_exported, "{name}: {printed}");
    }
}
