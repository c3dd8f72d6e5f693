//! What a client must conclude from a signed answer: `tests/vectors/`, put to a client in any language.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::tools;

/// The program to test and its arguments, in place of the Python client.
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

/// The program under test; none where it is the Python client and there is no Python.
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

/// What the program concludes, or how it failed.
fn conclude(program: &[String], question: &Value) -> Result<Value, String> {
    let mut child = Command::new(&program[0])
        .args(&program[1..])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not read to the end has failed, and says so itself.
    drop(
        child
            .stdin
            .take()
            .unwrap()
            .write_all(question.to_string().as_bytes()),
    );
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("{error}, {}: {said}", output.status)
    })
}

#[test]
fn a_client_concludes_what_each_vector_says() {
    let Some(program) = program() else { return };
    let mut wrong = vec![];
    for (name, text) in vectors(&folder()) {
        let mut question: Value = serde_json::from_str(&text).unwrap();
        let expected = question
            .as_object_mut()
            .unwrap()
            .remove("conclude")
            .unwrap();
        let concluded = conclude(&program, &question);
        if concluded.as_ref() != Ok(&expected) {
            let about = &question["about"];
            wrong.push(format!(
                "{name}: {about}\n  {expected} expected, but {concluded:?}"
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
fn the_vectors_are_those_that_their_program_writes() {
    for python in tools::pythons() {
        let again = tempfile::tempdir().unwrap();
        let made = Command::new(python)
            .arg(folder().join("make.py"))
            .arg(again.path())
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let (kept, made) = (vectors(&folder()), vectors(again.path()));
        let names =
            |vectors: &BTreeMap<String, String>| vectors.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&kept), names(&made));
        for (name, text) in kept {
            assert_eq!(text, made[&name], "{name}");
        }
    }
}
