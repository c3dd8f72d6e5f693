//! 64 clients guess passwords while 4 check licenses: how long do the checks take, how much memory
//! does the server need?
//!
//! Each guess comes from another address and names another user, so that nothing but the gate before
//! the hasher stands in its way.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::program::Program;

const GUESSERS: u32 = 64;
const CHECKERS: u32 = 4;

pub fn measure(seconds: Option<u32>) {
    let folder = tempfile::tempdir().unwrap();
    let server = Program::license_server(folder.path());
    let license = r#"{"tool_name":"Tool_A","license_key":"k"}"#;
    let added = server.admin().post("/api/licenses", "", license);
    assert_eq!(added.status, 201);
    for guessers in [0, GUESSERS] {
        let length = Duration::from_secs(seconds.unwrap_or(20).into());
        guess_beside_checks(server.port, guessers, length);
    }
    println!(
        "  memory of the server: {} MB at most",
        server.megabytes("VmHWM")
    );
}

fn guess_beside_checks(port: u16, guessers: u32, length: Duration) {
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
        "  {guessers:2} guessers: {:7} checks, p50 {:6.2} ms, p99 {:6.2} ms, longest {:6.2} ms; guesses: {hashed} × 401, {refused} × 429",
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
        match connection.post("/api/login", &address, &body).status {
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
            connection
                .post(
                    "/api/check",
                    "",
                    r#"{"tool_name":"Tool_A","license_key":"k"}"#
                )
                .status,
            200
        );
        times.push(begin.elapsed());
    }
    times
}
