//! The conformance vectors in `tests/vectors/`, run with a client in any language.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tools;

/// The program to test and its arguments, instead of the Python client.
const UNDER_TEST: &str = "LICENSE_CLIENT_UNDER_TEST";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Each vector's file name and text.
fn vectors(folder: &Path) -> BTreeMap<String, String> {
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let vectors = files.filter(|file| file.extension().is_some_and(|end| end == "json"));
    vectors
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(file).unwrap())
        })
        .collect()
}

/// The program under test; `None` for the Python client without Python.
fn program() -> Option<Vec<String>> {
    if let Ok(command) = std::env::var(UNDER_TEST) {
        return Some(command.split_whitespace().map(str::to_owned).collect());
    }
    let python = tools::pythons().into_iter().next()?;
    let adapter = folder().join("python_client.py");
    Some(
        [python, adapter]
            .map(|path| path.to_str().unwrap().to_owned())
            .into(),
    )
}

/// The result that the program prints, or how it failed.
fn run(program: &[String], vector: &Value) -> Result<Value, String> {
    let mut child = Command::new(&program[0])
        .args(&program[1..])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read everything has failed, and reports that itself.
    drop(
        child
            .stdin
            .take()
            .unwrap()
            .write_all(vector.to_string().as_bytes()),
    );
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        format!("{error}, {}: {stderr}", output.status)
    })
}

#[test]
fn a_client_returns_what_each_vector_expects() {
    let Some(program) = program() else { return };
    let mut wrong = vec![];
    for (name, text) in vectors(&folder()) {
        let mut vector: Value = serde_json::from_str(&text).unwrap();
        let expected = vector.as_object_mut().unwrap().remove("expected").unwrap();
        let result = run(&program, &vector);
        if result.as_ref() != Ok(&expected) {
            let about = &vector["about"];
            wrong.push(format!(
                "{name}: {about}\n  expected {expected}, got {result:?}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{} wrong",
        wrong.join("\n"),
        wrong.len()
    );
}

#[test]
fn the_vectors_are_what_make_py_writes() {
    for python in tools::pythons() {
        let temporary = tempfile::tempdir().unwrap();
        let output = Command::new(python)
            .arg(folder().join("make.py"))
            .arg(temporary.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let (committed, written) = (vectors(&folder()), vectors(temporary.path()));
        let names =
            |vectors: &BTreeMap<String, String>| vectors.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&committed), names(&written));
        for (name, text) in committed {
            assert_eq!(text, written[&name], "{name}");
        }
    }
}
