//! Two servers on PostgreSQL: moving there and back, and checks and activations beside those of the bare handler.
//! `BENCH_POSTGRES` names an empty database.

use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::codes::{activate, sell};
use crate::demo::Demo;
use crate::load::{From, Load};
use crate::program::{Program, license_server};

const LICENSES: u32 = 200_000;
const SECONDS: f64 = 4.0;
const CODES: u32 = 500;
const ACTIVATIONS: u32 = 2_000;

pub fn measure(rounds: Option<u32>) {
    let Ok(url) = std::env::var("BENCH_POSTGRES") else {
        println!("  left out: BENCH_POSTGRES names no empty database");
        return;
    };
    let demo = Demo::of(LICENSES);
    let before = content(&mut license_server(&demo.data()));
    moved(license_server(&demo.data()).args(["move", "--to", &url]));
    let back = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let there = |folder: &str| {
        let mut command = license_server(&back.path().join(folder));
        command.env("LICENSE_SERVER_DATABASE", &url);
        command
    };
    let data = back.path().join("data");
    moved(there("temporary").args(["move", "--to", data.to_str().unwrap()]));
    let after = content(&mut license_server(&data));
    println!(
        "  the same export and the same audit log: {}",
        before == after
    );

    let (bare, good) = (Program::bare(), demo.good());
    let servers =
        ["one", "two"].map(|name| Program::start(there(name).env("LICENSE_SERVER_PORT", "0")));
    let mut ratios = [vec![], vec![]];
    for _ in 0..rounds.unwrap_or(3) {
        for (server, ratios) in servers.iter().zip(&mut ratios) {
            server.settle();
            let asked = |port| Load::start(port, &good, From::Here, SECONDS).heard();
            let (plain, heard) = (asked(bare.port), asked(server.port));
            println!("  bare handler {plain}\n  server       {heard}");
            ratios.push(heard.rate / plain.rate);
        }
    }
    for mut ratios in ratios {
        ratios.sort_by(f64::total_cmp);
        println!("  {:.2} of the bare rate", ratios[ratios.len() / 2]);
    }
    let codes = sell(
        &mut servers[0].admin(),
        "sold",
        CODES,
        ACTIVATIONS.div_ceil(CODES),
    );
    let rate = activate(servers[0].port, &codes, ACTIVATIONS);
    println!("  {rate:.0} activations/s at one of two servers");
}

/// The last entry of the audit log, and all licenses as CSV.
fn content(command: &mut Command) -> (Vec<u8>, Vec<u8>) {
    let of = |args: &[&str]| {
        let mut again = Command::new(command.get_program());
        for (name, value) in command.get_envs() {
            again.env(name, value.unwrap_or_default());
        }
        let done = again.args(args).output().unwrap();
        assert!(done.status.success(), "{args:?}");
        done.stdout
    };
    // An export is an entry of the audit log.
    (of(&["audit", "verify"]), of(&["export"]))
}

fn moved(command: &mut Command) {
    let begin = Instant::now();
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "  moved {LICENSES} licenses in {seconds:.1} s: {}",
        said.trim()
    );
}
