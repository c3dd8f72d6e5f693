//! Checks of random keys among a million licenses, beside the bare handler: in turns, several rounds.

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

pub fn measure(rounds: Option<u32>) {
    let demo = Demo::new();
    let kind = |name, questions, from, writes| Kind {
        name,
        questions,
        from,
        writes,
    };
    let kinds = [
        kind("good keys", demo.good(), From::Here, false),
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
    let mut bare_heard = Vec::new();
    let mut heard: Vec<Vec<Heard>> = kinds.iter().map(|_| vec![]).collect();
    for _ in 0..rounds.unwrap_or(5) {
        server.settle();
        bare_heard.push(Load::start(bare.port, &kinds[0].questions, From::Here, SECONDS).heard());
        for (kind, heard) in kinds.iter().zip(&mut heard) {
            server.settle();
            heard.push(asked(kind, &server));
        }
    }
    let bare_median = median(&bare_heard);
    println!("  {:34} {bare_median}", "bare handler");
    for (kind, heard) in kinds.iter().zip(&heard) {
        let middle = median(heard);
        println!(
            "  {:34} {middle}, {:.2} of the bare rate, {:.2} of its p99; {:.1} % verdicts",
            kind.name,
            middle.rate / bare_median.rate,
            middle.p99 / bare_median.p99,
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
    let middle = |figure: fn(&Heard) -> f64| {
        let mut figures: Vec<f64> = heard.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Heard {
        rate: middle(|h| h.rate),
        p50: middle(|h| h.p50),
        p99: middle(|h| h.p99),
        longest: middle(|h| h.longest),
        answers: heard.iter().map(|h| h.answers).sum(),
        verdicts: heard.iter().map(|h| h.verdicts).sum(),
    }
}
