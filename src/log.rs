//! Log events for the operator: one per line on standard error, plain or JSON. Passwords, cookies, tokens and
//! full license keys are never logged.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value};
use time::macros::format_description;

use crate::clock::Clock;
use crate::config::LogFormat;
use crate::error::Error;

/// Where faults may occur; counted from 0, so that monitoring sees the first one.
const PLACES: [&str; 23] = [
    "compare_clock",
    "export_audit",
    "export_licenses",
    "import",
    "keep_audit",
    "list_audit",
    "list_licenses",
    "metrics",
    "note_backup",
    "panic",
    "prune_bulk_changes",
    "purge",
    "queue_links",
    "readiness",
    "reload_if_others_wrote",
    "request",
    "send_mails",
    "send_webhooks",
    "settle",
    "take_back_interrupted",
    "warm_up",
    "write_checks",
    "write_notes",
];

#[derive(Debug, Clone)]
pub struct Log {
    format: LogFormat,
    clock: Clock,
    /// Since the start, by place; shared by all clones.
    faults: Arc<Mutex<BTreeMap<&'static str, u64>>>,
}

impl Log {
    pub fn new(format: LogFormat, clock: Clock) -> Log {
        Log {
            format,
            clock,
            faults: Arc::new(Mutex::new(PLACES.map(|place| (place, 0)).into())),
        }
    }

    pub fn event(&self, event: &str, about: &[(&str, &dyn Display)]) {
        let line = self.line(event, about);
        match self.clock {
            Clock::System => write(&line),
            Clock::Fixed(_) => print(&line),
        }
    }

    /// An error that we or the operator must fix, and where it occurred.
    pub fn fault(&self, place: &'static str, error: &Error) {
        self.count_fault(place);
        self.event(
            "fault",
            &[("place", &place), ("error", &format!("{error:?}"))],
        );
    }

    /// [`Log::fault`] while the request with this number was answered.
    pub fn fault_of_request(&self, number: u64, error: &Error) {
        let place = "request";
        self.count_fault(place);
        self.event(
            "fault",
            &[
                ("place", &place),
                ("id", &number),
                ("error", &format!("{error:?}")),
            ],
        );
    }

    /// A bug.
    pub fn panic(&self, place: &str, message: &str) {
        self.count_fault("panic");
        self.event("panic", &[("place", &place), ("message", &message)]);
    }

    /// Numbers of faults since the start, by place.
    pub fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.faults.lock().clone()
    }

    fn count_fault(&self, place: &'static str) {
        *self.faults.lock().entry(place).or_default() += 1;
    }

    fn line(&self, event: &str, about: &[(&str, &dyn Display)]) -> String {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let at = self.clock.now().format(format).unwrap_or_default();
        match self.format {
            LogFormat::Plain => {
                let mut line = format!("{at} {event}");
                for (name, value) in about {
                    let value = value.to_string();
                    if value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"')
                        || value.is_empty()
                    {
                        line.push_str(&format!(" {name}={value:?}"));
                    } else {
                        line.push_str(&format!(" {name}={value}"));
                    }
                }
                line
            }
            LogFormat::Json => {
                let mut all = Map::new();
                all.insert("at".into(), at.into());
                all.insert("level".into(), level(event).into());
                all.insert("event".into(), event.into());
                for (name, value) in about {
                    let text = value.to_string();
                    let value = text.parse::<i64>().map_or(Value::String(text), Value::from);
                    all.insert((*name).to_owned(), value);
                }
                Value::Object(all).to_string()
            }
        }
    }
}

fn level(event: &str) -> &'static str {
    match event {
        "backup_failed" | "fault" | "panic" => "error",
        "check_records_dropped"
        | "clock_ahead"
        | "clock_behind"
        | "condition_not_met"
        | "database_lost"
        | "environment_ignored"
        | "mail_text_failed"
        | "nofile_limit_unchanged"
        | "webhook_disabled" => "warning",
        _ => "info",
    }
}

/// For messages before the settings are loaded.
pub fn plain(line: &str) {
    write(&line.replace(char::is_control, " "));
}

/// Prints to standard output. If nobody reads it, the program continues; `println!` would panic.
pub fn say(line: &str) {
    drop(writeln!(io::stdout(), "{line}"));
}

/// Whether [`say`] ends up where many may read it: in the `journal` that systemd names, as device and inode.
pub fn is_said_to(journal: Option<&str>) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    let file = stdout.and_then(|stdout| stdout.metadata());
    file.is_ok_and(|file| journal == Some(&format!("{}:{}", file.dev(), file.ino())))
}

/// A test's log: the test harness captures only the output of the macros.
#[expect(clippy::print_stderr, reason = "the log is standard error")]
fn print(line: &str) {
    eprintln!("{line}");
}

/// A log that cannot be written, for example on a full disk, must not stop the server; `eprintln!` would
/// panic.
fn write(line: &str) {
    drop(io::stderr().write_all(format!("{line}\n").as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn log(format: LogFormat) -> Log {
        Log::new(format, Clock::fixed(datetime!(2026-06-15 12:00:00 UTC)))
    }

    #[test]
    fn events_have_the_level_that_is_documented() {
        let docs = include_str!("../docs/operations.md");
        let (_, table) = docs.split_once("| event | level |").unwrap();
        let rows = table.lines().filter_map(|row| row.strip_prefix("| `"));
        let rows: Vec<Vec<&str>> = rows.map(|row| row.split(['`', '|']).collect()).collect();
        assert!(rows.len() > 10);
        for row in rows {
            assert_eq!(level(row[0]), row[2].trim(), "{}", row[0]);
        }
    }

    #[test]
    fn an_event_is_one_line_whatever_its_values_hold() {
        let line =
            log(LogFormat::Plain).line("request", &[("path", &"/a b\n\"c"), ("status", &200)]);
        assert_eq!(
            line,
            r#"2026-06-15T12:00:00.000Z request path="/a b\n\"c" status=200"#
        );
        let line = log(LogFormat::Json).line("request", &[("path", &"/a\n\"c"), ("status", &200)]);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&read["path"], &read["status"], &read["level"], &read["at"]),
            (
                &"/a\n\"c".into(),
                &200.into(),
                &"info".into(),
                &"2026-06-15T12:00:00.000Z".into()
            )
        );
        assert!(!line.contains('\n'));
    }
}
