//! What the command line does besides serving.

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
use crate::model::import::{file_name, readable};
use crate::model::license::Listed;
use crate::model::published::Row;
use crate::model::search::Filter;
use crate::model::sheet::{BOM, csv_header};
use crate::server;
use crate::service::Service;

/// What an export may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, as the page exports it
    Csv,
    /// An array, as `GET /api/licenses` answers it
    Json,
}

/// Proves that the audit log is whole.
pub fn verify_audit(config: &Config) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let proof = service.verify_audit()?;
    say(&format!(
        "The audit log is whole: {} entries.",
        proof.entries
    ));
    say(&format!("Last hash: {}", proof.head));
    Ok(())
}

/// Adds that many invented licenses.
pub fn seed_demo(config: &Config, licenses: u32) -> Result<(), Refusal> {
    let (service, first) = Service::open(config, Clock::System)?;
    server::greet(first.as_ref());
    let added = service.seed_demo(licenses)?;
    say(&format!("{added} invented licenses added."));
    Ok(())
}

/// Imports a table or a JSON array; `-` is standard input.
pub fn import(
    config: &Config,
    file: &Path,
    is_dry: bool,
    leaves_out_wrong: bool,
) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let text = readable(&read(file)?)?;
    let name = match file.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => file_name(&file.to_string_lossy()),
    };
    let report = service.dry_run(&text)?;
    let numbers = report.numbers;
    say(&format!(
        "{name}: {} new, {} changed, {} unchanged, {} wrong",
        numbers.new, numbers.changed, numbers.unchanged, numbers.wrong
    ));
    if !report.ignored.is_empty() {
        say(&format!("Not imported: {}", report.ignored.join(", ")));
    }
    let by = report.counts_by.as_str();
    service.each_wrong_row(&text, &mut |row| {
        say(&format!("{by} {}: {}", row.line, row.reason));
        Ok(())
    })?;
    if numbers.wrong > 0 && !leaves_out_wrong {
        return Err(Refusal(
            "Nothing was imported, because some rows are wrong; mend them, or leave them out with \
             --leave-out-wrong."
                .into(),
        ));
    }
    if is_dry || numbers.written() == 0 {
        say("Nothing was changed.");
        return Ok(());
    }
    let actor = Actor::command_line();
    let done = service.import_text(&actor, &name, &text, &report.fingerprint)?;
    say(&format!("Imported: {}.", done.in_words()));
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
    read.map_err(|e| Refusal(format!("The file {} cannot be read: {e}.", file.display())))
}

/// Writes all licenses to standard output.
pub fn export(config: &Config, format: Format) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let unwritten = |e: io::Error| Refusal(format!("The licenses cannot be written: {e}."));
    let (begin, end) = match format {
        Format::Csv => (format!("{BOM}{}", csv_header()?), ""),
        Format::Json => ("[".to_owned(), "]\n"),
    };
    out.write_all(begin.as_bytes()).map_err(unwritten)?;
    let mut walk = service.walk(Filter::default())?;
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

fn written(row: Listed, format: Format, is_first: bool) -> Result<String, Refusal> {
    let row = Row::from(row);
    Ok(match format {
        Format::Csv => row.csv_line()?,
        Format::Json => {
            let row = serde_json::to_string(&row)
                .map_err(|e| Refusal(format!("A license cannot be written: {e}.")))?;
            if is_first { row } else { format!(",{row}") }
        }
    })
}

/// Sets a user's password, which is asked for.
pub fn set_password(config: &Config, name: &str) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let password =
        ask_password().map_err(|e| Refusal(format!("The password cannot be read: {e}.")))?;
    service.set_password(name, &password)?;
    say(&format!(
        "The password of {name} is set; all sessions of {name} have ended."
    ));
    Ok(())
}

/// Without echo from a terminal, otherwise one line of standard input.
fn ask_password() -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("New password (at least 12 characters): ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
