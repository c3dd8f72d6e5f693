//! The commands other than `serve`.

pub mod keys;

use std::fs;
use std::io::{self, BufRead, BufWriter, IsTerminal, Read, Write};
use std::path::Path;

use clap::ValueEnum;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::audit::Actor;
use crate::model::bulk::UNDO_FOR;
use crate::model::check::ListedLicense;
use crate::model::import::{BOM, decode, file_name};
use crate::model::published::{Row, csv_header};
use crate::model::search::Filter;
use crate::server;
use crate::service::Service;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, as exported on the page
    Csv,
    /// An array, as returned by `GET /api/licenses`
    Json,
}

/// `head` is the last hash at an earlier time.
pub fn verify_audit(config: &Config, head: Option<&str>) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let proof = service.verify_audit(head)?;
    say(&format!(
        "The audit log is intact: {} entries.",
        proof.entries
    ));
    say(&format!("Last hash: {}", proof.head));
    let (licenses, keys) = service.contents()?;
    say(&format!("Licenses: {licenses}"));
    say(&format!("Signing keys: {keys}"));
    Ok(())
}

pub fn seed_demo(config: &Config, licenses: u32) -> Result<(), Refusal> {
    let (service, first) = Service::open(config, Clock::System)?;
    server::greet(first.as_ref());
    let added = service.seed_demo(licenses)?;
    say(&format!("{added} sample licenses added."));
    Ok(())
}

/// `-` is standard input.
pub fn import(
    config: &Config,
    file: &Path,
    is_dry_run: bool,
    skip_invalid: bool,
) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let text = decode(&read(file)?)?;
    let name = match file.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => file_name(&file.to_string_lossy()),
    };
    let plan = service.plan_import(&text)?;
    drop(text);
    let numbers = plan.numbers;
    say(&format!(
        "{name}: {} new, {} changed, {} unchanged, {} invalid",
        numbers.new, numbers.changed, numbers.unchanged, numbers.invalid
    ));
    if !plan.ignored.is_empty() {
        say(&format!("Ignored columns: {}", plan.ignored.join(", ")));
    }
    let unit = plan.unit.as_str();
    for row in plan.invalid() {
        say(&format!("{unit} {}: {}", row.line, row.reason));
    }
    if numbers.invalid > 0 && !skip_invalid {
        return Err(Refusal(
            "Nothing was imported: some rows are invalid. Fix them or use --skip-invalid.".into(),
        ));
    }
    if is_dry_run || numbers.written() == 0 {
        say("Nothing was changed.");
        return Ok(());
    }
    let bulk_id = service.import_plan(&Actor::command_line(), &name, plan)?;
    say(&format!("Imported: {}.", numbers.in_words()));
    say(&format!(
        "To undo it within {} minutes, open {}{}/bulk/{bulk_id}",
        UNDO_FOR.whole_minutes(),
        config.origin(config.port),
        config.base_path()
    ));
    Ok(service.close()?)
}

fn read(file: &Path) -> Result<Vec<u8>, Refusal> {
    let read = match file.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map(|_| bytes)
        }
        false => fs::read(file),
    };
    read.map_err(|e| Refusal(format!("Cannot read the file {}: {e}.", file.display())))
}

/// Writes to standard output.
pub fn export(config: &Config, format: Format) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let to = match format {
        Format::Csv => "csv",
        Format::Json => "json",
    };
    service.note_export(&Actor::command_line(), to);
    // A full disk must not keep anybody from reading the licenses.
    if let Err(error) = service.write_notes(true) {
        service.log().fault("write_notes", &error);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let unwritten = |e: io::Error| Refusal(format!("Cannot write the licenses: {e}."));
    let (begin, end) = match format {
        Format::Csv => (format!("{BOM}{}", csv_header()?), ""),
        Format::Json => ("[".to_owned(), "]\n"),
    };
    out.write_all(begin.as_bytes()).map_err(unwritten)?;
    let mut walk = service.walk(Filter::default(), 0, usize::MAX)?;
    let mut is_first = true;
    loop {
        let (rows, rest) = service.walk_on(walk)?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            let text = written(row, format, is_first)?;
            is_first = false;
            out.write_all(text.as_bytes()).map_err(unwritten)?;
        }
        walk = rest;
    }
    out.write_all(end.as_bytes()).map_err(unwritten)?;
    out.flush().map_err(unwritten)
}

fn written(row: ListedLicense, format: Format, is_first: bool) -> Result<String, Refusal> {
    let row = Row::from(row);
    Ok(match format {
        Format::Csv => row.csv_line()?,
        Format::Json => {
            let row = serde_json::to_string(&row)
                .map_err(|e| Refusal(format!("Cannot write a license: {e}.")))?;
            if is_first { row } else { format!(",{row}") }
        }
    })
}

/// Prompts for the password.
pub fn set_password(config: &Config, name: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let password =
        ask_password().map_err(|e| Refusal(format!("Cannot read the password: {e}.")))?;
    service.set_password(name, &password)?;
    say(&format!(
        "The password of {name} was changed; all sessions of {name} have ended."
    ));
    Ok(())
}

/// Without echo on a terminal, otherwise one line of standard input.
fn ask_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("New password (at least 12 characters): ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
