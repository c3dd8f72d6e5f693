//! Checks of random keys among a million licenses, each kind in turn with the bare handler, several
//! rounds: a machine that others use too is faster in one minute than in the next.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::demo::Demo;
use crate::load::{From, Heard, Load};
use crate::program::Program;

const SECONDS: f64 = 4.0;
const WRITES_A_SECOND: u32 = 20;

struct Kind {
    name: &'static str,
    questions: PathBuf,
    from: From,
    writes: bool,
}

/// The bare handler, and at once behind it what is compared with it.
struct Pair {
    bare: Heard,
    asked: Heard,
}

pub fn measure(rounds: Option<u32>) {
    let demo = Demo::new();
    demo.sell_codes();
    let kind = |name, questions, from, writes| Kind {
        name,
        questions,
        from,
        writes,
    };
    let kinds = [
        kind("good keys", demo.good(), From::Here, false),
        kind("good keys of codes", demo.seated(), From::Here, false),
        kind("good keys, 20 writes/s", demo.good(), From::Here, true),
        kind("good keys, signed", demo.signed(), From::Here, false),
        kind("revoked keys", demo.revoked(), From::Here, false),
        kind(
            "unknown keys, each from elsewhere",
            demo.unknown(),
            From::Everywhere,
            false,
        ),
        kind(
            "unknown keys from one address",
            demo.unknown(),
            From::Here,
            false,
        ),
    ];
    let (bare, server) = (Program::bare(), Program::license_server(&demo.data()));
    let plain = demo.good();
    let mut heard: Vec<Vec<Pair>> = kinds.iter().map(|_| vec![]).collect();
    for _ in 0..rounds.unwrap_or(5) {
        for (kind, heard) in kinds.iter().zip(&mut heard) {
            server.settle();
            let bare = Load::start(bare.port, &plain, From::Here, SECONDS / 2.0).heard();
            let asked = asked(kind, &server);
            heard.push(Pair { bare, asked });
        }
    }
    let bare: Vec<Heard> = heard.iter().flatten().map(|pair| pair.bare).collect();
    println!("  {:34} {}", "bare handler", median(&bare));
    for (kind, pairs) in kinds.iter().zip(&heard) {
        let asked: Vec<Heard> = pairs.iter().map(|pair| pair.asked).collect();
        let middle = median(&asked);
        println!(
            "  {:34} {middle}, {:.2} of the bare rate, {:.2} of its p99; {:.1} % verdicts",
            kind.name,
            middle_of(pairs, |pair| pair.asked.rate / pair.bare.rate),
            middle_of(pairs, |pair| pair.asked.p99 / pair.bare.p99),
            100.0 * middle.verdicts as f64 / middle.answers as f64,
        );
    }
    println!(
        "  memory of the server: {} MB now, {} MB at most",
        server.megabytes("VmRSS"),
        server.megabytes("VmHWM")
    );
}

fn asked(kind: &Kind, server: &Program) -> Heard {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        if kind.writes {
            scope.spawn(|| write(server, &over));
        }
        let load = Load::start(server.port, &kind.questions, kind.from, SECONDS);
        let heard = load.heard();
        over.store(true, Ordering::Relaxed);
        heard
    })
}

/// Adds licenses over the API, so many a second.
fn write(server: &Program, over: &AtomicBool) {
    let mut admin = server.admin();
    let begin = Instant::now();
    let mut written = 0;
    while !over.load(Ordering::Relaxed) {
        let key = format!("{:?}", SystemTime::now());
        let body = serde_json::json!({"tool_name": "Written", "license_key": key}).to_string();
        assert_eq!(admin.post("/api/licenses", "", &body).status, 201);
        written += 1;
        let next = begin + Duration::from_secs(1) * written / WRITES_A_SECOND;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// Each figure's own median.
fn median(heard: &[Heard]) -> Heard {
    Heard {
        rate: middle_of(heard, |h| h.rate),
        p50: middle_of(heard, |h| h.p50),
        p99: middle_of(heard, |h| h.p99),
        longest: middle_of(heard, |h| h.longest),
        answers: heard.iter().map(|h| h.answers).sum(),
        verdicts: heard.iter().map(|h| h.verdicts).sum(),
    }
}

fn middle_of<T>(all: &[T], figure: fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = all.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
