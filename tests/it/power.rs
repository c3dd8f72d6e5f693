//! Power cuts during writes and during a first start lose no acknowledged write.
//!
//! A kill loses nothing that the system still holds in memory, so a cut is simulated: a trace of the
//! program's system calls is replayed into a model of a disk that keeps only what was synced.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use license_server::clock::Clock;
use license_server::config::Config;
use license_server::service::{FirstPassword, Service};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use crate::disk::{Disk, Said, traced, whole_trace};
use crate::engine::{self, sqlite_only};
use crate::program::{Program, command, first_password, log_in, set_password};
use crate::server::PASSWORD;
use crate::writers::{Writer, damage, look};

#[test]
fn twenty_power_cuts_lose_nothing() {
    if !sqlite_only("the disk of the file is what loses power") {
        return;
    }
    cut_under_writers(20);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test it -- --ignored --nocapture crash:: power::"]
fn two_hundred_power_cuts_lose_nothing() {
    if !sqlite_only("the disk of the file is what loses power") {
        return;
    }
    cut_under_writers(200);
}

#[test]
fn a_first_start_after_a_power_cut_works() {
    if !sqlite_only("the disk of the file is what loses power") {
        return;
    }
    cut_first_start(20);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test it -- --ignored --nocapture crash:: power::"]
fn a_first_start_after_any_power_cut_works() {
    if !sqlite_only("the disk of the file is what loses power") {
        return;
    }
    cut_first_start(400);
}

/// Two runs: the first is stopped, the second killed. Both checkpoint.
fn cut_under_writers(cuts: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(folder.path());
    let mut writers = Writer::eight();
    let mut program = command(folder.path());
    program.env("LICENSE_SERVER_ADMIN_PASSWORD", PASSWORD);
    let Some(first) = run(&program, folder.path(), |server| {
        write_until(&mut writers, server.port(), 200);
        assert_eq!(server.stop("TERM").0, Some(0));
    }) else {
        return;
    };
    disk.read(&first);
    let second_run = disk.now;
    let second = run(&program, folder.path(), |server| {
        write_until(&mut writers, server.port(), 200);
        drop(server);
    });
    disk.read(&second.unwrap());
    let answers = answers(&disk, &writers, second_run);
    let total: usize = writers.iter().map(Writer::answered).sum();
    assert_eq!(answers.len(), total, "answers in the trace");

    let mut failed = vec![];
    for seed in 0..cuts {
        let mut chance = SmallRng::seed_from_u64(seed);
        // Half of the cuts come right after an answer, where a loss is most likely.
        let cut = match chance.random() {
            true => answers.choose(&mut chance).unwrap().0 + 1,
            false => *disk.moments.choose(&mut chance).unwrap(),
        };
        let after = tempfile::tempdir().unwrap();
        disk.after_cut(cut, &mut chance, after.path());
        let answered = |writer| answers.iter().filter(move |a| a.0 < cut && a.1 == writer);
        let answered: Vec<usize> = (0..writers.len()).map(|w| answered(w).count()).collect();
        if let Err(what) = compare(after.path(), &writers, &answered) {
            failed.push(format!("seed {seed}, line {cut} of {}: {what}", disk.now));
        }
    }
    eprintln!(
        "{cuts} power cuts (seeds 0 to {}) in a trace of {} lines with {total} acknowledged writes: \
         {} with a loss or damage",
        cuts - 1,
        disk.now,
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Opens what is left after the cut.
fn compare(folder: &Path, writers: &[Writer], answered: &[usize]) -> Result<(), String> {
    let config = Config {
        admin_password: Some(PASSWORD.to_owned()),
        ..engine::settings(&folder.join("data"))
    };
    let any = answered.iter().sum::<usize>() > 0;
    let (service, first) = Service::open(&config, Clock::System).map_err(|e| e.to_string())?;
    if any && !matches!(first, None | Some(FirstPassword::Unused)) {
        return Err(format!("a new database: all {answered:?} acts lost"));
    }
    service.verify_audit(None).map_err(|e| e.to_string())?;
    let db = look(&config.data_dir)?;
    if let Some(damage) = damage(&db)? {
        return Err(damage);
    }
    for (writer, answered) in writers.iter().zip(answered) {
        writer.compare(&db, *answered)?;
    }
    Ok(())
}

/// The trace of one run, which `during` stops.
fn run(program: &Command, folder: &Path, during: impl FnOnce(Program)) -> Option<String> {
    // Outside the folder, or it would be in the trace.
    let beside = tempfile::tempdir().unwrap();
    let trace = beside.path().join("trace");
    let mut command = traced(program, &trace)?;
    command
        .stdout(Stdio::piped())
        .stderr(File::create(beside.path().join("log")).unwrap());
    let server = Program::run(&mut command);
    let id = server.child.id();
    assert!(folder.join("data").is_dir());
    during(server);
    Some(whole_trace(&trace, id))
}

fn write_until(writers: &mut [Writer], port: u16, answers: usize) {
    let answered = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for writer in writers {
            let answered = &answered;
            threads.spawn(move || {
                let goes_on = || answered.fetch_add(1, Ordering::SeqCst) < answers;
                writer.work(port, goes_on).unwrap();
            });
        }
    });
}

/// The line of each acknowledgement and its writer.
fn answers(disk: &Disk, writers: &[Writer], second_run: usize) -> Vec<(usize, usize)> {
    let mut answers = vec![];
    for (line, said) in &disk.said {
        let Said::Sent { port, text } = said else {
            continue;
        };
        let run = usize::from(*line >= second_run);
        let writer = writers.iter().position(|w| w.connections[run] == *port);
        if let Some(writer) = writer
            && (text.starts_with("HTTP/1.1 200") || text.starts_with("HTTP/1.1 201"))
        {
            answers.push((*line, writer));
        }
    }
    answers
}

fn cut_first_start(cuts: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = Disk::new(folder.path());
    let Some(trace) = run(&command(folder.path()), folder.path(), drop) else {
        return;
    };
    disk.read(&trace);
    let (mut old, mut new, mut unknown) = (0, 0, 0);
    for seed in 0..cuts {
        let mut chance = SmallRng::seed_from_u64(seed as u64);
        let cut = disk.moments[seed * (disk.moments.len() - 1) / (cuts - 1)];
        let after = tempfile::tempdir().unwrap();
        disk.after_cut(cut, &mut chance, after.path());
        let printed = printed(&disk, cut);
        let server = Program::run(&mut command(after.path()));
        let place = format!("seed {seed}, line {cut} of {}", disk.now);
        match (first_password(&printed), server.password()) {
            (Some(password), None) => {
                assert_eq!(log_in(&mut server.client(), password), 200, "{place}");
                old += 1;
            }
            (None, Some(password)) => {
                assert_eq!(log_in(&mut server.client(), password), 200, "{place}");
                new += 1;
            }
            (None, None) => {
                let words = "admin set-password";
                assert!(
                    server.printed.contains(words),
                    "{place}: {}",
                    server.printed
                );
                set_password(after.path(), &[], PASSWORD);
                assert_eq!(log_in(&mut server.client(), PASSWORD), 200, "{place}");
                unknown += 1;
            }
            (Some(_), Some(_)) => panic!("{place}: the first user was lost"),
        }
    }
    eprintln!(
        "{cuts} cuts of a first start: {new} began anew, {old} went on with the password that was \
         shown, {unknown} said how to set one"
    );
}

/// What the program had printed before the line `cut`.
fn printed(disk: &Disk, cut: usize) -> String {
    let said = disk.said.iter().filter(|(line, _)| *line < cut);
    said.filter_map(|(_, said)| match said {
        Said::Printed(text) => Some(text.as_str()),
        Said::Sent { .. } => None,
    })
    .collect()
}
