//! Programs that some tests need and not every machine has.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// If set, as in CI, a missing program fails the test.
const REQUIRE: &str = "REQUIRE_TEST_TOOLS";

/// Folders of servers that are not on the path of ordinary users.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// The path of the program. Without it the test is skipped with a one-line message.
pub fn find(name: &str) -> Option<PathBuf> {
    let found = candidates(name).next();
    if found.is_none() {
        leave_out(&format!("{name} is not installed"));
    }
    found
}

/// The folder of PostgreSQL's own programs.
pub fn postgres() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let folders = installed.filter_map(|version| Some(version.ok()?.path().join("bin")));
    let on_path = candidates("initdb").filter_map(|path| Some(path.parent()?.to_owned()));
    let found = folders
        .chain(on_path)
        .find(|folder| folder.join("initdb").exists());
    if found.is_none() {
        leave_out("PostgreSQL is not installed");
    }
    found
}

/// The file that this environment variable names.
pub fn named_by(variable: &str, what: &str) -> Option<PathBuf> {
    let file = std::env::var_os(variable).map(PathBuf::from);
    if file.is_none() {
        leave_out(&format!("{variable} does not name {what}"));
    }
    file
}

/// Every installed Python that the client supports, each version once.
pub fn pythons() -> Vec<PathBuf> {
    let mut versions = vec![];
    let mut pythons = vec![];
    let more = (8..=13).map(|minor| format!("python3.{minor}"));
    for name in ["python3".to_owned()].into_iter().chain(more) {
        // The shim of a version manager may be first on the path and run nothing.
        let runs = candidates(&name).find_map(|path| Some((version(&path)?, path)));
        if let Some((version, path)) = runs
            && !versions.contains(&version)
        {
            versions.push(version);
            pythons.push(path);
        }
    }
    if pythons.is_empty() {
        leave_out("python3 is not installed");
    }
    pythons
}

fn candidates(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(MORE_FOLDERS.map(PathBuf::from))
        .collect();
    let name = name.to_owned();
    folders
        .into_iter()
        .map(move |folder| folder.join(&name))
        .filter(|file| file.is_file())
}

fn version(program: &Path) -> Option<Vec<u8>> {
    let output = Command::new(program).arg("--version").output().ok()?;
    output.status.success().then_some(output.stdout)
}

/// Prints in one line why a test is skipped.
pub fn leave_out(why: &str) {
    assert!(
        std::env::var_os(REQUIRE).is_none(),
        "{why}, and {REQUIRE} is set"
    );
    say(&format!("left out: {why}"));
}

/// A line that the test harness does not capture, unlike the output of a passing test.
pub fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
