//! `license_client.mjs`: the conformance vectors, and its own tests.

use std::process::Command;

use crate::engine::once;
use crate::tools;

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");

fn assert_passes(command: &mut Command) {
    let output = command.current_dir(TESTS).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success(), "{printed}");
}

#[test]
fn every_vector_that_a_platforms_json_reader_can_tell_has_the_expected_result() {
    if !once() {
        return;
    }
    let Some((node, python)) = tools::find("node").zip(tools::pythons().into_iter().next()) else {
        return;
    };
    assert_passes(
        Command::new(python)
            .args(["-B", "vectors/run.py", "--skip", "strict"])
            .arg(node)
            .arg("vectors/javascript_client.mjs"),
    );
}

#[test]
fn its_own_tests_pass() {
    if !once() {
        return;
    }
    let Some((node, _)) = tools::find("node").zip(tools::find("openssl")) else {
        return;
    };
    assert_passes(Command::new(node).args(["--test", "javascript/"]));
}
