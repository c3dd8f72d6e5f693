//! 50 signed checks a second while one backup after the other is made: how long does each take, and do the checks
//! notice?

use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::connection::Connection;
use crate::demo::Demo;
use crate::program::{Program, license_server};

const LICENSES: u32 = 200_000;
const BACKUPS: u32 = 20;
const EVERY: Duration = Duration::from_millis(20);
const ALONE: Duration = Duration::from_secs(30);

pub fn measure(backups: Option<u32>) {
    let demo = Demo::of(LICENSES);
    let questions = std::fs::read_to_string(demo.signed()).unwrap();
    let questions: Vec<&str> = questions.lines().collect();
    let server = Program::license_server(&demo.data());
    server.settle();
    check_during("alone", server.port, &questions, || thread::sleep(ALONE));
    let file = demo.data().with_file_name("backup.db");
    let make = || {
        let begin = Instant::now();
        let mut backup = license_server(&demo.data());
        let Output { status, stdout, .. } = backup
            .args(["backup", "--replace"])
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8(stdout).unwrap();
        assert!(status.success() && said.contains("It is good."), "{said}");
        begin.elapsed()
    };
    let number = backups.unwrap_or(BACKUPS);
    let took = check_during("beside backups", server.port, &questions, || {
        let took = (0..number).map(|_| make());
        took.collect::<Vec<Duration>>()
    });
    let average = took.iter().sum::<Duration>() / number;
    println!(
        "  {number} backups of {} MB, all proven: {:.1} s on average, {:.1} s at most",
        file.metadata().unwrap().len() / 1_000_000,
        average.as_secs_f64(),
        took.iter().max().unwrap().as_secs_f64()
    );
}

/// Each check counts from the moment when it was due.
fn check_during<T>(name: &str, port: u16, questions: &[&str], work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    let (done, mut times) = thread::scope(|scope| {
        let checks = scope.spawn(|| check(port, questions, &is_over));
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        (done, checks.join().unwrap())
    });
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "  {name}: {} signed checks, p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    done
}

fn check(port: u16, questions: &[&str], is_over: &AtomicBool) -> Vec<Duration> {
    let mut connection = Connection::new(port);
    let mut due = Instant::now();
    let mut times = Vec::new();
    // Not one after the other, as they lie on the disk.
    for question in questions.iter().step_by(7919).cycle() {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        assert_eq!(connection.post("/api/check", "", question).status, 200);
        times.push(due.elapsed());
        due += EVERY;
    }
    times
}
