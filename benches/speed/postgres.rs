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
    // An export is an entry of the audit log.
    let exported = output(&mut license_server(&demo.data()), &["export"]);
    let verified = output(&mut license_server(&demo.data()), &["audit", "verify"]);
    moved(license_server(&demo.data()).args(["move", "--to", &url]));
    let back = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let there = |folder: &str| {
        let mut command = license_server(&back.path().join(folder));
        command.env("LICENSE_SERVER_DATABASE", &url);
        command
    };
    let data = back.path().join("data");
    moved(there("temporary").args(["move", "--to", data.to_str().unwrap()]));
    println!(
        "  the same audit log: {}; the same export: {}",
        verified == output(&mut license_server(&data), &["audit", "verify"]),
        exported == output(&mut license_server(&data), &["export"])
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
    // Checks are still being recorded.
    servers.iter().for_each(Program::settle);
    let rate = activate(servers[0].port, &codes, ACTIVATIONS);
    println!("  {rate:.0} activations/s at one of two servers");
}

fn output(command: &mut Command, args: &[&str]) -> Vec<u8> {
    let done = command.args(args).output().unwrap();
    assert!(done.status.success(), "{args:?}");
    done.stdout
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
