//! Programs for Windows: compiled by mingw-w64, run by Wine.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::tools;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/static/cpp");

/// What the head of `licenseclient.h` tells a vendor to link.
const LIBRARIES: [&str; 6] = [
    "-lwinhttp",
    "-lbcrypt",
    "-liphlpapi",
    "-ladvapi32",
    "-lcfgmgr32",
    "-lshell32",
];

fn client(name: &str) -> PathBuf {
    Path::new(CLIENT).join(name)
}

/// A program that uses the client.
pub fn compile_with_client(file: PathBuf, to: PathBuf) -> Option<PathBuf> {
    let options = ["-std=c++17", "-Wconversion", "-static"];
    compile(
        "x86_64-w64-mingw32-g++",
        &options,
        &[file, client("licenseclient.cpp")],
        to,
    )
}

/// The client as a DLL, as its header describes it; `architecture` is `x86_64` or `i686`.
pub fn compile_dll(architecture: &str, to: PathBuf) -> Option<PathBuf> {
    let files = ["licenseclient.cpp", "licenseclient.def"].map(client);
    let options = [
        "-std=c++17",
        "-shared",
        "-static",
        "-Wl,--enable-stdcall-fixup",
    ];
    compile(
        &format!("{architecture}-w64-mingw32-g++"),
        &options,
        &files,
        to,
    )
}

/// Compiles without a warning; `None` without the compiler.
pub fn compile(
    compiler: &str,
    options: &[&str],
    files: &[PathBuf],
    to: PathBuf,
) -> Option<PathBuf> {
    let output = Command::new(tools::find(compiler)?)
        .args(["-Wall", "-Wextra", "-Wshadow", "-Werror", "-I", CLIENT])
        .args(options)
        .args(files)
        .arg("-o")
        .arg(&to)
        .args(LIBRARIES)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    Some(to)
}

/// A Wine prefix of its own, in this folder.
pub struct Wine<'a> {
    wine: PathBuf,
    wine_server: PathBuf,
    folder: &'a Path,
}

impl<'a> Wine<'a> {
    pub fn new(folder: &'a Path) -> Option<Wine<'a>> {
        let (wine, wine_server) = (tools::find("wine")?, tools::find("wineserver")?);
        Some(Wine {
            wine,
            wine_server,
            folder,
        })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("WINEPREFIX", self.folder.join("windows"))
            .env("HOME", self.folder)
            // No windows, no offers to download components, no menu entries.
            .env_remove("DISPLAY")
            .env("WINEDLLOVERRIDES", "mscoree,mshtml,winemenubuilder.exe=")
            .env("WINEDEBUG", "-all");
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.run_in(&self.wine, arguments)
    }

    /// Runs a program of this system that runs `wine`.
    pub fn run_in<S: AsRef<OsStr>>(
        &self,
        program: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        let stderr = self.folder.join("stderr");
        self.command(program)
            .args(arguments)
            // A file, since Wine's background processes would keep a pipe open.
            .stderr(File::create(stderr).unwrap())
            .output()
            .unwrap()
    }
}

impl Drop for Wine<'_> {
    fn drop(&mut self) {
        self.command(&self.wine_server).arg("-k").status().unwrap();
    }
}
