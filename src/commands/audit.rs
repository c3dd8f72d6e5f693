//! `license-server audit`: the audit log in a shell.

use std::io::{self, BufWriter, Write};

use clap::ValueEnum;

use super::{put, unwritten};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::audit::{Actor, AuditFilter};
use crate::model::audit_row::AuditRow;
use crate::model::import::{BOM, csv_line};
use crate::service::Service;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// A table, as exported on the page
    Csv,
    /// One JSON object a line, as in the array of `GET /api/audit`
    Jsonl,
}

/// `head` is the last hash at an earlier time.
pub fn verify(config: &Config, head: Option<&str>) -> Result<(), Refusal> {
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

/// Writes all entries to standard output, oldest first.
pub fn export(config: &Config, format: AuditFormat) -> Result<(), Refusal> {
    let service = Service::open_existing(config, Clock::System)?;
    let to = match format {
        AuditFormat::Csv => "csv",
        AuditFormat::Jsonl => "jsonl",
    };
    let mut walk = service.audit_walk(AuditFilter::default(), 0, i64::MAX)?;
    service.note_audit_export(&Actor::command_line(), to);
    // A full disk must not keep anybody from reading the log.
    if let Err(error) = service.write_notes(true) {
        service.log().fault("write_notes", &error);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    if format == AuditFormat::Csv {
        let head = format!("{BOM}{}", csv_line(&AuditRow::COLUMNS)?);
        put(&mut out, head.as_bytes())?;
    }
    loop {
        let (rows, rest) = service.audit_walk_on(walk)?;
        if rows.is_empty() {
            return out.flush().map_err(|e| unwritten(&e));
        }
        for row in rows {
            let line = match format {
                AuditFormat::Csv => row.csv_line()?,
                AuditFormat::Jsonl => row.json_line()?,
            };
            put(&mut out, line.as_bytes())?;
        }
        walk = rest;
    }
}
