//! How fast is it? `cargo bench` measures everything, `cargo bench -- checks` one part.
//!
//! Everything is measured from outside, on the real program with its default settings. What loads it
//! is a process of its own, and so is the bare handler that it is compared with. Speeds mean
//! something only as ratios of one run on one machine.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot go on has failed, and the rest is for the reader"
)]

mod backup;
mod bare;
mod checks;
mod codes;
mod connection;
mod demo;
mod guesses;
mod import;
mod load;
mod pages;
mod postgres;
mod program;
mod search;

/// A part; the number is its own: rounds or seconds.
type Measure = fn(Option<u32>);

/// The parts, in the order in which they run.
const PARTS: [(&str, Measure); 8] = [
    ("checks", checks::measure),
    ("pages", pages::measure),
    ("search", search::measure),
    ("import", import::measure),
    ("guesses", guesses::measure),
    ("backup", backup::measure),
    ("codes", codes::measure),
    ("postgres", postgres::measure),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["bare"] => return bare::serve(),
        ["load", ..] => return load::run(&words[1..]),
        _ => {}
    }
    let number = words.iter().find_map(|word| word.parse().ok());
    let is_named = |name: &str| words.contains(&name);
    let all = !PARTS.iter().any(|(name, _)| is_named(name));
    for (name, measure) in PARTS {
        if all || is_named(name) {
            println!("\n{name}");
            measure(number);
        }
    }
}
