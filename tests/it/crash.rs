//! Kills during writes lose no acknowledged write.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::program::{Program, command};
use crate::server::PASSWORD;
use crate::writers::{Writer, damage, look};

#[test]
fn five_kills_lose_nothing() {
    kill_again_and_again(5);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test it -- --ignored --nocapture crash:: power::"]
fn a_hundred_kills_lose_nothing() {
    kill_again_and_again(100);
}

fn kill_again_and_again(kills: u64) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut chance = SmallRng::seed_from_u64(kills);
    let mut writers = Writer::eight();
    let mut slowest = Duration::ZERO;
    let mut server = Program::run(&mut quiet(folder.path()));
    let mut answered = 0;
    for kill in 1..=kills {
        let before: usize = writers.iter().map(Writer::answered).sum();
        kill_under_writers(&mut server, &mut writers, &mut chance);
        answered += writers.iter().map(Writer::answered).sum::<usize>() - before;

        let start = Instant::now();
        server = Program::run(&mut quiet(folder.path()));
        assert_eq!(server.client().get("/health").status, 200);
        slowest = slowest.max(start.elapsed());

        let db = look(&data).unwrap();
        assert_eq!(damage(&db).unwrap(), None, "kill {kill}");
        for writer in &mut writers {
            writer
                .settle(&db)
                .unwrap_or_else(|e| panic!("kill {kill}: {e}"));
        }
        verify_audit(folder.path());
    }
    assert_eq!(server.stop("TERM").0, Some(0));
    assert_eq!(damage(&look(&data).unwrap()).unwrap(), None);
    eprintln!(
        "{kills} kills, {answered} acknowledged writes, 0 lost; ready again after at most {} ms",
        slowest.as_millis()
    );
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
}

/// The log goes to a file, because nobody reads a pipe meanwhile.
pub fn quiet(folder: &Path) -> Command {
    let mut command = command(folder);
    let log = File::create(folder.join("log")).unwrap();
    command
        .env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD)
        .stderr(log);
    command
}

/// Kills the server a random moment after a random number of answers.
fn kill_under_writers(server: &mut Program, writers: &mut [Writer], chance: &mut SmallRng) {
    let port = server.port();
    let (answers, after) = (
        chance.random_range(8..200),
        chance.random_range(0..1_000_000),
    );
    let is_killed = AtomicBool::new(false);
    let (told, heard) = mpsc::channel();
    std::thread::scope(|threads| {
        for writer in writers {
            let (told, is_killed) = (told.clone(), &is_killed);
            threads.spawn(move || {
                let ended = writer.work(port, || {
                    // The receiver is gone shortly before the kill.
                    told.send(()).unwrap_or_default();
                    true
                });
                assert!(is_killed.load(Ordering::SeqCst), "{ended:?}");
            });
        }
        drop(told);
        for _ in 0..answers {
            heard.recv().unwrap();
        }
        for _ in 0..after {
            std::hint::spin_loop();
        }
        is_killed.store(true, Ordering::SeqCst);
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    });
}

fn verify_audit(folder: &Path) {
    let output = command(folder).args(["audit", "verify"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
