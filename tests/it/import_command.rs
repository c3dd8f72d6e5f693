//! `license-server import` and `export`.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::database::Database;
use crate::export::export;
use crate::import::{SKIP_INVALID, all_numbers, table};
use crate::inputs::{input, keys};
use crate::program::{assert_names, command, refusal};

pub fn run(folder: &std::path::Path, arguments: &[&str], input: &str) -> std::process::Output {
    let mut child = command(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_line_imports_and_exports_while_the_server_runs() {
    let (server, _) = Database::start();
    let folder = server.folder.path();
    assert_eq!(server.check("T", "k1").0, 404);
    let file = "tool,key,mail\nT,k1,x\nT,\nT,k2\n";
    let output = run(folder, &["import", "-"], file);
    assert_names(&refusal(&output), &[SKIP_INVALID]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut lines = printed.lines();
    assert_eq!(all_numbers(lines.next().unwrap()), [2, 0, 0, 1]);
    let invalid = lines.find(|line| all_numbers(line).first() == Some(&3));
    assert!(invalid.is_some(), "{printed}");
    assert_names(&printed, &["mail"]);
    let dry = run(folder, &["import", "-", "--dry-run", SKIP_INVALID], file);
    assert_eq!(dry.status.code(), Some(0));
    assert_eq!(table(&server), json!([]));
    let unconfirmed = run(folder, &["import", "-", SKIP_INVALID], file);
    assert_names(&refusal(&unconfirmed), &["--yes"]);
    assert_eq!(table(&server), json!([]));
    let done = run(folder, &["import", "-", "--yes", SKIP_INVALID], file);
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(table(&server).as_array().unwrap().len(), 2);
    server.tick().unwrap();
    assert_eq!(server.check("T", "k1").0, 200);
    let csv = run(folder, &["export"], "").stdout;
    assert_eq!(String::from_utf8(csv).unwrap(), export(&server, "").body);
    let json = run(folder, &["export", "--format", "json"], "").stdout;
    assert_eq!(
        String::from_utf8(json).unwrap().trim_end(),
        server.admin().get("/api/licenses").body
    );
    let again = run(folder, &["import", "-"], &export(&server, "").body);
    assert_eq!(again.status.code(), Some(0));
    let missing = run(folder, &["import", "nothing.csv"], "");
    assert_names(&refusal(&missing), &["nothing.csv"]);
}

#[test]
fn the_command_line_warns_and_asks_before_it_writes() {
    let (server, _) = Database::start();
    server.license("PlotMaster", "other");
    let folder = server.folder.path();
    let file = String::from_utf8(input("cli-no-end.csv")).unwrap();
    let undecided = run(folder, &["import", "-"], &file);
    assert_names(&refusal(&undecided), &["--skip-invalid"]);
    let said = String::from_utf8(undecided.stdout).unwrap();
    assert_names(&said, &["`Plotmaster`", "`PlotMaster`", "--tools"]);
    let arguments = ["import", "-", "--tools", "keep"];
    let unconfirmed = run(folder, &arguments, &file);
    assert_names(&refusal(&unconfirmed), &["--yes"]);
    let said = String::from_utf8(unconfirmed.stdout).unwrap();
    assert_names(&said, &["New tools: Plotmaster", "00:00:00:00:00:00"]);
    assert_eq!(keys(&server), ["other"]);
    let done = run(folder, &["import", "-", "--yes"], &file);
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(keys(&server).len(), 4);
    assert!(keys(&server).contains(&"28:16:ad:08:00:02".to_owned()));
}

#[test]
fn the_command_line_refuses_a_name_that_contradicts_the_content() {
    let (server, _) = Database::start();
    let folder = server.folder.path();
    std::fs::write(folder.join("customers.xlsx"), "tool,key\nT,k\n").unwrap();
    let refused = run(folder, &["import", "customers.xlsx", "--yes"], "");
    assert_names(&refusal(&refused), &["customers.xlsx", "customers.csv"]);
    assert_eq!(keys(&server), [""; 0]);
}

#[test]
fn the_command_line_names_the_options_that_decide() {
    let (server, _) = Database::start();
    let file = "tool,key,status,expires\nT,k,expired,3/4/2027\n";
    let output = run(server.folder.path(), &["import", "-"], file);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_names(&said, &["--dates", "--status", "expired"]);
    let options = [
        "--dates",
        "day-first",
        "--status",
        "expired=revoked",
        "--yes",
    ];
    let arguments = [&["import", "-"][..], &options].concat();
    let done = run(server.folder.path(), &arguments, file);
    assert_eq!(done.status.code(), Some(0));
    let row = &table(&server)[0];
    assert_eq!(
        (&row["status"], &row["expiration_date"]),
        (&json!("revoked"), &json!("2027-04-03"))
    );
}
