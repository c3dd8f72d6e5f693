//! 64 clients guess passwords while 4 check licenses: how long do the checks take, how much memory
//! does the server need? `cargo bench --bench login_flood [-- SECONDS]`
//!
//! Each guess comes from another address and names another user, so that nothing but the gate before
//! the hasher stands in its way.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const GUESSERS: u32 = 64;
const CHECKERS: u32 = 4;
const PASSWORD: &str = "correct horse battery";

fn main() {
    let seconds = std::env::args()
        .skip(1)
        .find_map(|word| word.parse().ok())
        .unwrap_or(30);
    let folder = tempfile::tempdir().unwrap();
    let (mut server, port) = start(folder.path());
    add_license(port);
    for guessers in [0, GUESSERS] {
        measure(port, guessers, Duration::from_secs(seconds));
    }
    println!(
        "peak memory of the server: {} MB",
        peak_kilobytes(server.id()) / 1024
    );
    server.kill().unwrap();
    server.wait().unwrap();
}

fn measure(port: u16, guessers: u32, length: Duration) {
    let over = AtomicBool::new(false);
    let counts = [const { AtomicU64::new(0) }; 2];
    let mut times: Vec<Duration> = thread::scope(|scope| {
        for guesser in 0..guessers {
            let (over, counts) = (&over, &counts);
            scope.spawn(move || guess(port, guesser, over, counts));
        }
        let checkers: Vec<_> = (0..CHECKERS)
            .map(|_| scope.spawn(|| check(port, &over)))
            .collect();
        thread::sleep(length);
        over.store(true, Ordering::Relaxed);
        checkers
            .into_iter()
            .flat_map(|checker| checker.join().unwrap())
            .collect()
    });
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    let [hashed, refused] = counts.map(AtomicU64::into_inner);
    println!(
        "{guessers:2} guessers: {:7} checks, p50 {:6.2} ms, p99 {:6.2} ms, longest {:6.2} ms; guesses: {hashed} × 401, {refused} × 429",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

fn guess(port: u16, guesser: u32, over: &AtomicBool, counts: &[AtomicU64; 2]) {
    let mut connection = Connection::new(port);
    let mut number = guesser;
    while !over.load(Ordering::Relaxed) {
        number += GUESSERS;
        let [a, b, c, _] = (number << 8).to_be_bytes();
        let address = format!("X-Forwarded-For: 20.{a}.{b}.{c}\r\n");
        let body = format!(r#"{{"username":"user {number}","password":"guess {number}"}}"#);
        match connection.post("/api/login", &address, &body) {
            401 => counts[0].fetch_add(1, Ordering::Relaxed),
            429 => counts[1].fetch_add(1, Ordering::Relaxed),
            other => unreachable!("a wrong password is answered with {other}"),
        };
    }
}

fn check(port: u16, over: &AtomicBool) -> Vec<Duration> {
    let mut connection = Connection::new(port);
    let mut times = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        assert_eq!(
            connection.post(
                "/api/check",
                "",
                r#"{"tool_name":"Tool_A","license_key":"k"}"#
            ),
            200
        );
        times.push(begin.elapsed());
    }
    times
}

fn start(folder: &std::path::Path) -> (Child, u16) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_license-server"))
        .env("LICENSE_SERVER_PORT", "0")
        .env("LICENSE_SERVER_DATA_DIR", folder)
        .env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        line.unwrap()
            .split_once("http://127.0.0.1:")
            .map(|(_, rest)| rest.to_owned())
    });
    let port = address.unwrap().split('/').next().unwrap().parse().unwrap();
    (server, port)
}

fn add_license(port: u16) {
    let mut connection = Connection::new(port);
    let login = format!(r#"{{"username":"admin","password":"{PASSWORD}"}}"#);
    assert_eq!(connection.post("/api/login", "", &login), 200);
    let cookie = format!("Cookie: {}\r\n", connection.cookie);
    let license = r#"{"tool_name":"Tool_A","license_key":"k"}"#;
    assert_eq!(connection.post("/api/licenses", &cookie, license), 201);
}

/// `VmHWM` of a process.
fn peak_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// One connection that is kept open.
struct Connection {
    stream: BufReader<TcpStream>,
    cookie: String,
}

impl Connection {
    fn new(port: u16) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection {
            stream: BufReader::new(stream),
            cookie: String::new(),
        }
    }

    /// The status of the answer.
    fn post(&mut self, path: &str, headers: &str, body: &str) -> u16 {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            match line.trim().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("set-cookie", value)) => {
                    self.cookie = value.split(';').next().unwrap().to_owned()
                }
                Some(_) => {}
                None => break,
            }
        }
        self.stream.read_exact(&mut vec![0; length]).unwrap();
        status
    }
}
