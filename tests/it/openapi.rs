//! The API's description: complete, and true of every answer that a fuzzer gets.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Command;

use serde_json::Value;

use crate::engine;
use crate::guards::{doors, token};
use crate::page::Page;
use crate::server::Server;
use crate::tools;

const ADDRESS: &str = "/api/openapi.json";

/// Every method and path of the description, such as `GET /api/licenses/{id}`.
fn described(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

#[test]
fn every_route_of_the_api_is_described() {
    let server = Server::start();
    let document = server.stranger().get(ADDRESS).json();
    let routes = doors(&server).into_iter().map(|door| door.name());
    let is_described = |name: &String| name.contains(" /api/") || name.ends_with(" /health");
    // For its own command, and nobody else; and for shops whose calls are as their makers chose.
    let is_own =
        |name: &String| name.ends_with(" /api/doctor") || name.contains("/api/orders/generate/");
    let routes = routes.filter(|name| is_described(name) && !is_own(name));
    let routes: BTreeSet<String> = routes
        .map(|name| name.replace('<', "{").replace('>', "}"))
        .collect();
    assert!(routes.len() >= 10, "{routes:?}");
    assert_eq!(described(&document), routes);
}

#[test]
fn the_description_names_this_server_and_what_it_needs() {
    let server = Server::at("https://shop.example/licenseserver");
    let document = server.stranger().get(ADDRESS).json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["servers"][0]["url"],
        "https://shop.example/licenseserver"
    );
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["session"]["name"], "__Secure-license_session");
    let add = &document["paths"]["/api/licenses"]["post"];
    assert_eq!(add["security"][0]["token"][0], "licenses:write");
    assert_eq!(
        add["responses"]["409"]["content"]["application/json"]["example"]["status"],
        "error"
    );
    let check = &document["paths"]["/api/check"]["post"];
    assert_eq!(check["security"], Value::Null);
}

#[test]
fn a_license_has_the_fields_that_are_described() {
    let server = Server::start();
    server.license("T", "k");
    let license = server.admin().get("/api/licenses/1").json();
    let document = server.stranger().get(ADDRESS).json();
    let described = &document["components"]["schemas"]["License"]["properties"];
    let names = |object: &Value| {
        object
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&license), names(described));
}

#[test]
fn the_page_shows_every_request_and_its_fields() {
    let server = Server::at("http://127.0.0.1:20999/licenseserver");
    let document = server.stranger().get(ADDRESS).json();
    let page = Page::open(&mut server.admin(), "/tool/integration/api");
    let names: BTreeSet<String> = page
        .texts(".reference .code code:first-child")
        .into_iter()
        .collect();
    assert_eq!(names, described(&document));
    let examples = page.texts(".reference pre").concat();
    assert!(
        examples.contains("curl http://127.0.0.1:20999/licenseserver/api/check"),
        "{examples}"
    );
    let fields = page.texts(".reference th code");
    for name in document["components"]["schemas"]["License"]["properties"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(fields.contains(name), "{name}");
    }
    assert!(
        page.all(&format!("a[href='/licenseserver{ADDRESS}']"))
            .len()
            == 1
    );
}

/// Sends thousands of good and bad requests and compares each answer with the description.
#[test]
fn a_fuzzer_finds_no_answer_that_is_not_described() {
    let Some(schemathesis) = tools::find("schemathesis") else {
        return;
    };
    let server = Server::start();
    let token = token(
        &mut server.admin(),
        "fuzzer",
        "read=true&write=true&codes=true&audit=true",
        "2026-12-31",
    );
    server.license("YourTool", "0a:1b:2c:3d:4e:5f");
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(schemathesis)
        .args([
            "--config-file",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis.toml"),
        ])
        .args([
            "run",
            "--url",
            &server.url,
            &format!("{}{ADDRESS}", server.url),
        ])
        // What a database can do with them needs fewer.
        .args([
            "--max-examples",
            if engine::is_postgres() { "30" } else { "100" },
        ])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = report.lines().rfind(|line| line.contains(" generated"));
    // Not captured by the test harness, unlike the output of a passing test.
    let line = format!("fuzzed the API: {}\n", line.unwrap().trim());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
