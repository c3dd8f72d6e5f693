//! Outside programs that some sentences need and not every machine has.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Set, it makes a missing program a failure; CI sets it.
const REQUIRE: &str = "REQUIRE_TEST_TOOLS";

/// Where servers are installed and ordinary users do not look.
const MORE_FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Where the program is. Without it the test leaves itself out and says so in one line.
pub fn find(name: &str) -> Option<PathBuf> {
    let found = candidates(name).next();
    if found.is_none() {
        leave_out(&format!("{name} is not installed"));
    }
    found
}

/// `python3` and every other Python that the client is written for, each version once.
pub fn pythons() -> Vec<PathBuf> {
    let mut versions = vec![];
    let mut pythons = vec![];
    let more = (8..=13).map(|minor| format!("python3.{minor}"));
    for name in ["python3".to_owned()].into_iter().chain(more) {
        // A version manager's stand-in may be first on the path and run nothing.
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

/// Says in one line why a test leaves itself out.
pub fn leave_out(why: &str) {
    assert!(
        std::env::var_os(REQUIRE).is_none(),
        "{why}, and {REQUIRE} is set"
    );
    // Past the test harness, which keeps to itself what a passing test prints.
    let line = format!("left out: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
