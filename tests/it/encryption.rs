//! Private keys in the database, encrypted with a secret that is not there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::crash::quiet;
use crate::program::{Program, assert_names, command, refusal};

const OLD: &str = "an old secret of more than 32 characters";
const NEW: &str = "a new secret of more than 32 characters";
/// How a private key on P-256 begins as PKCS #8 in Base64.
const PLAIN: &str = "MIGHAgEAMBMGByqGSM49";

/// The command with these secrets, one on each line.
fn with(command: &mut Command, folder: &Path, secrets: &[&str]) {
    let file = folder.join("secret");
    fs::write(&file, secrets.join("\n")).unwrap();
    command.env("LICENSE_SERVER_SECRET_FILE", file);
}

fn start(folder: &Path, secrets: &[&str]) -> Program {
    let mut command = quiet(folder);
    if !secrets.is_empty() {
        with(&mut command, folder, secrets);
    }
    Program::run(&mut command)
}

/// Every file of the database.
fn bytes(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder.join("data")).unwrap();
    let files = files
        .map(|file| file.unwrap().path())
        .filter(|file| file.is_file());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// The ID of the only key.
fn kid(program: &Program) -> String {
    let keys = program.client().get("/api/keys").json();
    keys["keys"][0]["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_database_with_a_secret_has_no_private_key_and_signs_with_the_secret_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = start(folder, &[]);
    let key = kid(&program);
    program.stop("TERM");
    assert!(has(&bytes(folder), PLAIN));
    // An existing installation, then another secret.
    for secrets in [&[OLD][..], &[NEW, OLD], &[NEW]] {
        let program = start(folder, secrets);
        assert_eq!(kid(&program), key);
        assert!(!has(&bytes(folder), PLAIN));
        program.stop("TERM");
        assert!(!has(&bytes(folder), PLAIN));
    }
    let line = refusal(&command(folder).output().unwrap());
    assert_names(&line, &[&key, "secret_file"]);
    let mut other = command(folder);
    with(&mut other, folder, &[OLD]);
    let line = refusal(&other.output().unwrap());
    assert_names(&line, &[&key, "secret_file"]);
    let mut short = command(folder);
    with(&mut short, folder, &["short"]);
    assert_names(&refusal(&short.output().unwrap()), &["secret_file", "32"]);
}

#[test]
fn a_backup_of_sealed_keys_is_proven_and_restored_with_the_secret_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = start(folder, &[OLD]);
    let key = kid(&program);
    let call = |arguments: &[&str], secrets: &[&str]| {
        let mut command = command(folder);
        with(&mut command, folder, secrets);
        command.args(arguments).output().unwrap()
    };
    let made = call(&["backup", "copy.db"], &[OLD]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");
    program.stop("TERM");
    let refused = call(&["backup", "--verify", "copy.db"], &[NEW]);
    assert_names(&refusal(&refused), &[&key, "secret_file"]);
    let restored = call(&["restore", "copy.db", "--replace"], &[NEW, OLD]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    let program = start(folder, &[NEW, OLD]);
    assert_eq!(kid(&program), key);
}
