//! A server as a process, seen from outside.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::Connection;

pub const PASSWORD: &str = "correct horse battery";

pub struct Program {
    child: Child,
    pub port: u16,
    /// From its start until it said where it listens.
    pub ready: Duration,
    /// Kept open: a server may go on printing.
    _printed: BufReader<ChildStdout>,
}

impl Program {
    /// The license server on the data in `folder`, with its default settings.
    pub fn license_server(folder: &Path) -> Program {
        Program::start(license_server(folder).env("LICENSE_SERVER_PORT", "0"))
    }

    /// The bare handler of this program.
    pub fn bare() -> Program {
        Program::start(Command::new(std::env::current_exe().unwrap()).arg("bare"))
    }

    pub fn start(command: &mut Command) -> Program {
        let begin = Instant::now();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert!(printed.read_line(&mut line).unwrap() > 0, "it has ended");
            if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
                break rest.split('/').next().unwrap().parse().unwrap();
            }
        };
        Program {
            child,
            port,
            ready: begin.elapsed(),
            _printed: printed,
        }
    }

    /// A connection that is signed in.
    pub fn admin(&self) -> Connection {
        let mut connection = Connection::new(self.port);
        let login = format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#);
        assert_eq!(connection.post("/api/login", "", &login).status, 200);
        connection
    }

    /// Megabytes of its memory: `VmRSS`, what is resident now, or `VmHWM`, the most that ever was.
    pub fn megabytes(&self, which: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024
    }

    /// Seconds of processor time that it has used.
    pub fn processor_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = |at: usize| -> f64 { fields.split(' ').nth(at).unwrap().parse().unwrap() };
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Waits until it does nothing more: what it put off must not slow what is measured next.
    pub fn settle(&self) {
        let mut before = self.processor_seconds();
        loop {
            thread::sleep(Duration::from_millis(1500));
            let now = self.processor_seconds();
            if now - before < 0.03 {
                return;
            }
            before = now;
        }
    }

    /// SIGTERM, and how long it takes to end well.
    pub fn stop(mut self) -> Duration {
        let begin = Instant::now();
        let mut kill = Command::new("kill");
        assert!(
            kill.arg(self.child.id().to_string())
                .status()
                .unwrap()
                .success()
        );
        assert!(self.child.wait().unwrap().success());
        begin.elapsed()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already where it was stopped.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The program, for a server or a command on the data in `folder`.
pub fn license_server(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_license-server"));
    command
        .env("LICENSE_SERVER_DATA_DIR", folder)
        .env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD);
    command
}
