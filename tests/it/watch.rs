//! Monitoring: `/health`, `/ready`, `/metrics`, the dashboard, the alert rules, and the events of the log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::database::Database;
use crate::engine;
use crate::guards::token;
use crate::server::{Client, Server};

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The conditions that `/ready` names; none if it is ready.
fn unmet(server: &Server) -> Vec<String> {
    // What was found last does not count any more.
    server.clock.turn(5);
    let answer = server.stranger().get("/ready");
    let faults = answer.json()["faults"].as_array().cloned();
    let faults = faults.unwrap_or_default().into_iter();
    let unmet: Vec<String> = faults
        .map(|fault| fault["condition"].as_str().unwrap().to_owned())
        .collect();
    let expected = if unmet.is_empty() { 200 } else { 503 };
    assert_eq!(answer.status, expected, "{}", answer.body);
    unmet
}

#[test]
fn without_its_database_a_server_is_alive_but_not_ready() {
    let (server, database) = Database::start();
    let mut probe = server.stranger();
    assert_eq!(probe.get("/ready").body, r#"{"status":"ready"}"#);
    database.take_away();
    assert_eq!(probe.get("/health").body, r#"{"status":"ok"}"#);
    // Anybody may ask, so nobody makes it look more often.
    assert_eq!(probe.get("/ready").status, 200);
    server.clock.turn(5);
    let answer = probe.get("/ready");
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (503, &json!("not_ready"))
    );
    let path = server.folder.path().to_str().unwrap();
    assert!(!answer.body.contains(path) && !answer.body.contains("licenses.db"));
    assert_eq!(unmet(&server), ["database"]);
    database.bring_back();
    assert_eq!(unmet(&server), Vec::<String>::new());
}

#[test]
fn a_locked_database_is_not_ready() {
    let (server, database) = Database::start();
    let lock = database.lock();
    assert_eq!(unmet(&server), ["database"]);
    drop(lock);
    assert_eq!(unmet(&server), Vec::<String>::new());
}

#[test]
fn being_asked_for_readiness_changes_no_row() {
    let (server, database) = Database::start();
    let before = database.rows();
    assert_eq!(unmet(&server), Vec::<String>::new());
    assert!(database.rows() == before);
}

#[test]
fn a_clock_that_is_behind_is_not_ready_and_one_that_is_ahead_is_only_told() {
    let server = Server::start();
    assert_eq!(unmet(&server), Vec::<String>::new());
    server.clock.turn(40 * 86_400);
    assert_eq!(unmet(&server), Vec::<String>::new());
    let samples = scrape(&server);
    assert_eq!(samples.value("clock_plausible"), 0.0);
    server.clock.turn(-42 * 86_400);
    assert_eq!(unmet(&server), ["clock"]);
    let samples = scrape(&server);
    assert_eq!(samples.value(r#"condition_met{condition="clock"}"#), 0.0);
    assert_eq!(samples.value(r#"condition_met{condition="disk"}"#), 1.0);
}

/// What a scrape says, checked against the rules of the format.
pub struct Samples {
    /// By name and labels, without the prefix.
    pub values: BTreeMap<String, f64>,
    /// Every name that a sample may have, with the prefix.
    names: BTreeSet<String>,
}

impl Samples {
    pub fn value(&self, sample: &str) -> f64 {
        let value = self.values.get(sample);
        *value.unwrap_or_else(|| panic!("{sample} in {:#?}", self.values))
    }
}

pub fn scrape(server: &Server) -> Samples {
    let answer = server.stranger().get("/metrics");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    read(&answer.body)
}

fn read(text: &str) -> Samples {
    let (mut values, mut names) = (BTreeMap::new(), BTreeSet::new());
    let mut family = (String::new(), String::new());
    let lines = text.strip_suffix("# EOF\n").unwrap();
    for line in lines.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described.split_once(' ').unwrap();
            assert!(!name.ends_with("_total"), "{line}");
            family = (name.to_owned(), kind.to_owned());
            let ends = match kind {
                "counter" => &["_total"][..],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                other => panic!("{other}"),
            };
            for end in ends {
                assert!(
                    names.insert(format!("{name}{end}")),
                    "{line} is twice there"
                );
            }
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        let name = sample.split('{').next().unwrap();
        assert!(
            name.starts_with(&family.0) && names.contains(name),
            "{line} after the type of {}",
            family.0
        );
        let short = sample.strip_prefix("license_server_").unwrap();
        let was_there = values.insert(short.to_owned(), value.parse().unwrap());
        assert!(was_there.is_none(), "{line} is twice there");
    }
    Samples { values, names }
}

#[test]
fn checks_are_counted_by_tool_and_result() {
    let server = Server::start();
    server.license("Tool \"A\"", "k");
    for (tool, key) in [("Tool \"A\"", "k"), ("Tool \"A\"", "x"), ("invented", "k")] {
        server.check(tool, key);
    }
    server.tick().unwrap();
    let samples = scrape(&server);
    for (labels, number) in [
        (r#"tool="Tool \"A\"",result="VALID""#, 1.0),
        (r#"tool="Tool \"A\"",result="NOT_FOUND""#, 1.0),
        (r#"tool="Tool \"A\"",result="REVOKED""#, 0.0),
        (r#"tool="other",result="NOT_FOUND""#, 1.0),
    ] {
        assert_eq!(samples.value(&format!("checks_total{{{labels}}}")), number);
    }
    assert!(
        !samples
            .values
            .keys()
            .any(|sample| sample.contains("invented"))
    );
    assert_eq!(samples.value("check_duration_seconds_count"), 3.0);
    let all = r#"check_duration_seconds_bucket{le="+Inf"}"#;
    assert_eq!(samples.value(all), 3.0);
    // Written, or put back after a failure, a check is counted once.
    server.tick().unwrap();
    let again = scrape(&server);
    let valid = r#"checks_total{tool="Tool \"A\"",result="VALID"}"#;
    assert_eq!(again.value(valid), 1.0);
}

#[test]
fn requests_refusals_waits_and_sizes_are_counted() {
    let server = Server::start();
    server.license("T", "k");
    for _ in 0..31 {
        server.check("T", "unlicensed");
    }
    let samples = scrape(&server);
    assert_eq!(samples.value(r#"throttled_total{by="unlicensed"}"#), 1.0);
    assert_eq!(samples.value(r#"licenses{status="activated"}"#), 1.0);
    assert_eq!(samples.value(r#"signing_keys{state="in_use"}"#), 1.0);
    assert_eq!(samples.value("sessions"), 1.0);
    assert!(samples.value(r#"http_requests_total{status="4xx"}"#) >= 31.0);
    assert!(samples.value("write_wait_seconds_count") >= 2.0);
    // The log of PostgreSQL is that of all its databases.
    let sizes = ["database_bytes", "disk_free_bytes", "wal_bytes"];
    for size in &sizes[..3 - usize::from(engine::is_postgres())] {
        assert!(samples.value(size) > 4_096.0, "{size}");
    }
    let total = samples.value("disk_total_bytes");
    assert!(samples.value("disk_free_bytes") <= total);
    let version = format!(r#"build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"));
    assert_eq!(samples.value(&version), 1.0);
}

#[test]
fn faults_are_counted_by_place_while_the_metrics_still_answer() {
    let (server, database) = Database::start();
    let mut admin = server.admin();
    database.take_away();
    let new = r#"{"tool_name":"T","license_key":"k"}"#;
    assert_eq!(admin.post("/api/licenses", new).status, 503);
    let samples = scrape(&server);
    assert_eq!(samples.value(r#"faults_total{place="request"}"#), 1.0);
    assert_eq!(samples.value(r#"condition_met{condition="database"}"#), 0.0);
    assert_eq!(samples.value(r#"http_requests_total{status="5xx"}"#), 1.0);
}

#[test]
fn metrics_are_for_this_machine_and_for_tokens_with_their_scope() {
    let server = Server::start();
    let mut admin = server.admin();
    let reading = token(&mut admin, "reader", "read=true", "2026-12-31");
    let watching = token(&mut admin, "watcher", "metrics=true", "2026-12-31");
    let status = |headers: &[(&str, &str)]| {
        let answer = server.stranger().send("GET", "/metrics", headers, b"");
        if answer.status != 200 {
            assert_eq!(answer.json()["status"], "error");
        }
        answer.status
    };
    assert_eq!(status(&[]), 200);
    // A proxy on this machine has a loopback address, too.
    for header in [
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Real-IP", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1"),
        ("Via", "1.1 proxy"),
        ("Host", "evil.example"),
    ] {
        assert_eq!(status(&[header]), 401, "{header:?}");
    }
    let outside = ("X-Forwarded-For", "203.0.113.9");
    let bearer = |secret: &str| format!("Bearer {secret}");
    let with = |secret: &str| status(&[outside, ("Authorization", &bearer(secret))]);
    assert_eq!(
        (with(&watching), with(&reading), with("lsk_x")),
        (200, 403, 401)
    );
    // A wrong token is wrong on this machine as well.
    assert_eq!(status(&[("Authorization", "Bearer lsk_x")]), 401);
    let mut watcher = server
        .stranger()
        .header("Authorization", &bearer(&watching));
    assert_eq!(watcher.get("/api/licenses").status, 403);
}

/// The metrics that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    let metrics = words.filter(|word| word.starts_with("license_server_"));
    metrics.map(str::to_owned).collect()
}

#[test]
fn dashboard_alerts_and_docs_name_only_metrics_that_exist() {
    let known = scrape(&Server::start()).names;
    for path in ["deploy/grafana-dashboard.json", "deploy/alerts.yml"] {
        let named = named(&file(path));
        assert!(named.len() > 5, "{path}");
        assert_eq!(
            named.difference(&known).collect::<Vec<_>>(),
            [""; 0],
            "{path}"
        );
    }
    let documented = named(&file("docs/operations.md"));
    let without_parts = known
        .iter()
        .filter(|name| !name.ends_with("_sum") && !name.ends_with("_count"));
    let expected: BTreeSet<String> = without_parts
        .map(|name| name.trim_end_matches("_bucket").to_owned())
        .collect();
    assert_eq!(documented, expected);
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana-dashboard.json")).unwrap();
    let ids = dashboard["panels"].as_array().unwrap().iter();
    let ids: BTreeSet<i64> = ids.map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), dashboard["panels"].as_array().unwrap().len());
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

/// The texts in quotes that directly follow `call` in the sources.
fn called_with(call: &str) -> BTreeSet<String> {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).into_iter();
    let text: String = files
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let rest = text.split(call).skip(1).map(str::trim_start);
    rest.filter_map(|rest| rest.strip_prefix('"')?.split_once('"'))
        .map(|(word, _)| word.to_owned())
        .collect()
}

#[test]
fn every_event_of_the_log_is_documented() {
    let mut events = called_with(".event(");
    // The only ones that are chosen elsewhere.
    events.extend(called_with("Drift::Behind =>"));
    events.extend(called_with("Drift::Ahead =>"));
    events.extend(called_with("drift.map_or("));
    // The doctor's words, which are no events.
    events.retain(|event| !event.contains(' '));
    assert!(events.len() > 12, "{events:?}");
    let docs = file("docs/operations.md");
    let table = docs
        .split("\n## ")
        .find(|part| part.starts_with("Log"))
        .unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(events, documented);
    let is_stable = |word: &String| word.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    assert!(events.iter().all(is_stable), "{events:?}");
}

/// A counter that appeared with its first fault would hide it from the alert.
#[test]
fn faults_of_every_place_are_counted_from_zero() {
    let samples = scrape(&Server::start());
    let places = called_with(".fault(");
    assert!(places.len() > 8, "{places:?}");
    for place in places
        .iter()
        .map(String::as_str)
        .chain(["request", "panic"])
    {
        let sample = format!(r#"faults_total{{place="{place}"}}"#);
        assert_eq!(samples.value(&sample), 0.0);
    }
}

#[test]
fn requests_of_monitoring_are_not_logged() {
    let folder = tempfile::tempdir().unwrap();
    let program = crate::program::Program::start(folder.path());
    let mut client: Client = program.client();
    for path in ["/health", "/ready", "/metrics", "/login"] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    let (_, log) = program.stop("TERM");
    assert!(
        log.contains("/login") && !log.contains("/metrics") && !log.contains("/ready"),
        "{log}"
    );
}
