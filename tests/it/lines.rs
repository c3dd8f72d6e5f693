//! Programs in other languages that answer each line of JSON with one line of JSON.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::tools;

/// Lets the Python client ask: `url`, `tool`, `key`, the pinned `keys`, or null, and `seconds`.
const ASK: &str = "
import json, sys, tempfile
from license_client import LicenseClient, _Machine
for line in sys.stdin:
    asked = json.loads(line)
    with tempfile.TemporaryDirectory() as folder:
        client = LicenseClient(asked['url'], asked['seconds'], public_keys=asked['keys'], cache_dir=folder)
        client._machine = _Machine(asked['key'], asked['key'], [asked['key']])
        client._now = lambda: asked.get('now', 0)
        result = client.check(asked['tool'])
        stored = client._store(asked['tool']).read(asked['key'])
    print(json.dumps({'valid': result.valid, 'code': result.code, 'message': result.message,
                      'source': result.source, 'expires': result.expires, 'days_left': result.days_left,
                      'leased': bool(stored and stored.token)}))
";

/// What the program answers to each.
pub fn answers(program: &mut Command, questions: &[Value]) -> Vec<Value> {
    let mut child = program
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = questions.iter().map(|line| format!("{line}\n")).collect();
    // In its own thread, because both pipes may be full.
    let written = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    written.join().unwrap().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

/// Python with the client, and with the adapter of the vectors, to be imported.
pub fn javascript(code: &str) -> Option<Command> {
    let mut command = Command::new(tools::find("node")?);
    command.args(["--input-type=module", "--eval", code]);
    Some(command)
}

pub fn python(program: &str) -> Option<Command> {
    let python = tools::pythons().into_iter().next()?;
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [top.join("static"), top.join("tests/vectors")];
    let mut command = Command::new(python);
    command
        .args(["-B", "-c", program])
        .env("PYTHONPATH", std::env::join_paths(folders).unwrap())
        // Days are counted where the client is.
        .env("TZ", "UTC");
    Some(command)
}

/// What a new customer's program asks; `keys` are what it pins.
pub fn question(url: &str, key: &str, keys: &Value) -> Value {
    json!({"url": url, "tool": "T", "key": key, "keys": keys, "seconds": 60})
}

/// What the Python client concludes from the servers themselves; none where there is no Python.
pub fn python_client(questions: &[Value]) -> Option<Vec<Value>> {
    Some(answers(&mut python(ASK)?, questions))
}
