//! The commands other than `serve`.

pub mod admin;
pub mod audit;
pub mod backup;
pub mod doctor;
pub mod keys;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufWriter, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::clock::Clock;
use crate::config::Config;
use crate::error::Refusal;
use crate::log::say;
use crate::model::audit::Actor;
use crate::model::bulk::UNDO_FOR;
use crate::model::import::{
    BOM, Choice, Decoded, ImportOptions, Layout, Subject, Undecided, decode, file_name,
};
use crate::model::license::Status;
use crate::model::published::{Row, csv_header};
use crate::model::search::Filter;
use crate::model::typed_date::DateOrder;
use crate::server;
use crate::service::{ImportPreview, MAX_ROWS, Service};

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table, as exported on the page
    Csv,
    /// An array, as returned by `GET /api/licenses`
    Json,
    /// An Excel workbook
    Xlsx,
}

pub fn seed_demo(config: &Config, licenses: u32) -> Result<(), Refusal> {
    let (service, first) = Service::open(config, Clock::System)?;
    server::greet(config, first.as_ref());
    let added = service.seed_demo(licenses)?;
    say(&format!("{added} sample licenses added."));
    Ok(())
}

/// How `license-server import` treats a file.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// File, or - for standard input
    file: PathBuf,
    /// Show what would change without changing anything
    #[arg(long)]
    dry_run: bool,
    /// Skip invalid rows and import the rest
    #[arg(long)]
    skip_invalid: bool,
    /// Import in spite of warnings, and create tools whose names are nearly those of others
    #[arg(long)]
    yes: bool,
    /// Say what a column is, for example `Frist=expiration_date`; `Frist=` ignores it
    #[arg(long = "column", value_name = "HEADING=FIELD")]
    columns: Vec<String>,
    /// Tool of rows that name none
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Line with the headings
    #[arg(long, value_name = "NUMBER")]
    header_line: Option<u64>,
    /// Order of ambiguous dates such as 3/4/2027: day-first or month-first
    #[arg(long, value_name = "ORDER")]
    dates: Option<DateOrder>,
    /// Say what a word for the status means, for example `expired=suspended`
    #[arg(long = "status", value_name = "WORD=STATUS")]
    statuses: Vec<String>,
    /// A word in place of the expiration date that means none, for example `unbegrenzt`
    #[arg(long, value_name = "WORD")]
    perpetual: Vec<String>,
    /// License keys that are probably mistyped: use (the suggestions) or keep
    #[arg(long, value_name = "CHOICE")]
    keys: Option<Choice>,
    /// Names of new tools that are nearly those of others: use (the existing tools) or keep
    #[arg(long, value_name = "CHOICE")]
    tools: Option<Choice>,
}

impl ImportArgs {
    fn options(&self) -> Result<ImportOptions, Refusal> {
        let pair = |option: &str, typed: &str| match typed.rsplit_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(Refusal(format!("--{option} `{typed}` has no `=`."))),
        };
        let all = |option: &str, typed: &[String]| {
            let pairs = typed.iter().map(|typed| pair(option, typed));
            pairs.collect::<Result<BTreeMap<String, String>, Refusal>>()
        };
        let columns = all("column", &self.columns)?;
        let known = Subject::Licenses.meanings();
        let is_known = |name: &&String| known.iter().any(|(one, _)| *one == name.as_str());
        if let Some(name) = columns.values().find(|name| !is_known(name)) {
            return Err(Refusal(format!("--column: there is no field `{name}`.")));
        }
        let statuses = all("status", &self.statuses)?;
        if let Some(name) = statuses
            .values()
            .find(|name| Status::from_word(name).is_none())
        {
            return Err(Refusal(format!(
                "--status: `{name}` is not activated, suspended or revoked."
            )));
        }
        let statuses = statuses.into_iter();
        Ok(ImportOptions {
            subject: Subject::Licenses,
            columns,
            tool: self.tool.clone(),
            header_line: self.header_line,
            dates: self.dates,
            statuses: statuses
                .map(|(word, status)| (word.to_lowercase(), status))
                .collect(),
            perpetual: self
                .perpetual
                .iter()
                .map(|word| word.to_lowercase())
                .collect(),
            keys: self.keys.unwrap_or_default(),
            tools: self
                .tools
                .unwrap_or(if self.yes { Choice::Keep } else { Choice::Ask }),
        })
    }
}

pub fn import(config: &Config, args: &ImportArgs) -> Result<(), Refusal> {
    let options = args.options()?;
    let service = Service::open_existing(config, Clock::System)?;
    let path = args.file.to_string_lossy();
    let Decoded { text, notes } = decode(&path, &read(&args.file)?)?;
    let name = match &*path {
        "-" => "standard input".to_owned(),
        path => file_name(path),
    };
    let plan = service.plan_import(&text, &options)?;
    if let Some(problem) = &plan.layout.problem {
        let way = match plan.layout.likely_header {
            Some(line) => format!("use --header-line {line}"),
            None => "use --column HEADING=FIELD, or --tool NAME".to_owned(),
        };
        return Err(Refusal(format!(
            "{name}: {problem} On the command line, {way}."
        )));
    }
    let numbers = plan.numbers;
    let preview = service.preview(&plan)?;
    say(&format!(
        "{name}: {} new, {} changed, {} unchanged, {} invalid",
        numbers.new, numbers.changed, numbers.unchanged, numbers.invalid
    ));
    if preview.perpetual > 0 {
        say(&format!(
            "New licenses that are perpetual: {}.",
            preview.perpetual
        ));
    }
    let has_warnings = warn(&preview, &notes);
    drop(text);
    let unit = plan.unit.as_str();
    for row in plan.invalid() {
        let decide = match &row.undecided {
            Some(Undecided::Key(_)) => " (decide with --keys use or --keys keep)",
            Some(Undecided::Tool(_)) => " (decide with --tools use or --tools keep)",
            None => "",
        };
        say(&format!("{unit} {}: {}{decide}", row.line, row.reason));
    }
    say_what_decides(&plan.layout);
    if numbers.invalid > 0 && !args.skip_invalid {
        return Err(Refusal(
            "Nothing was imported: some rows are invalid. Fix them or use --skip-invalid.".into(),
        ));
    }
    if args.dry_run || numbers.written() == 0 {
        say("Nothing was changed.");
        return Ok(());
    }
    if has_warnings && !args.yes && !confirms("Import in spite of these warnings?")? {
        return Err(Refusal(
            "Nothing was imported: there are warnings. Use --yes to import in spite of them."
                .into(),
        ));
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

/// What makes rows valid that can be read in several ways.
fn say_what_decides(layout: &Layout) {
    if layout.has_ambiguous_dates {
        say("Decide about ambiguous dates with --dates day-first or --dates month-first.");
    }
    let listed = |words: &[(String, i64)]| {
        let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        words.join(", ")
    };
    let terms = listed(&layout.unknown_terms);
    if !terms.is_empty() {
        say(&format!(
            "Words in place of an expiration date: {terms}. For each that means perpetual, use --perpetual WORD."
        ));
    }
    let statuses = listed(&layout.unknown_statuses);
    if !statuses.is_empty() {
        say(&format!(
            "Unknown words for the status: {statuses}. Decide about each with --status WORD=STATUS."
        ));
    }
}

/// Shows what the page shows before an import, and returns whether there was anything.
fn warn(preview: &ImportPreview, notes: &[String]) -> bool {
    let ImportPreview {
        layout,
        new_tools,
        warnings,
        warned,
        ..
    } = preview;
    let mut lines: Vec<String> = [notes, &preview.notes].concat();
    if !layout.ignored().is_empty() {
        lines.push(format!("Ignored columns: {}.", layout.ignored().join(", ")));
    }
    if !new_tools.is_empty() {
        lines.push(format!("New tools: {}.", new_tools.join(", ")));
    }
    for (key, warning) in warnings {
        lines.push(format!("{key}: {warning}"));
    }
    if *warned > warnings.len() as i64 {
        lines.push(format!("{warned} license keys have such a warning."));
    }
    for line in &lines {
        say(&format!("Warning: {line}"));
    }
    !lines.is_empty()
}

/// Asks on a terminal; false where nobody can answer.
fn confirms(question: &str) -> Result<bool, Refusal> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.map_err(|e| Refusal(format!("Cannot read the answer: {e}.")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
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
        Format::Xlsx => "xlsx",
    };
    service.note_export(&Actor::command_line(), to);
    // A full disk must not keep anybody from reading the licenses.
    if let Err(error) = service.write_notes(true) {
        service.log().fault("write_notes", &error);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match format {
        Format::Xlsx => put(&mut out, &service.workbook(Filter::default(), MAX_ROWS)?)?,
        Format::Csv => {
            put(&mut out, format!("{BOM}{}", csv_header()?).as_bytes())?;
            each_license(&service, |row, _| put(&mut out, row.csv_line()?.as_bytes()))?;
        }
        Format::Json => {
            put(&mut out, b"[")?;
            each_license(&service, |row, is_first| {
                let row = serde_json::to_string(&row)
                    .map_err(|e| Refusal(format!("Cannot write a license: {e}.")))?;
                let comma = if is_first { "" } else { "," };
                put(&mut out, format!("{comma}{row}").as_bytes())
            })?;
            put(&mut out, b"]\n")?;
        }
    }
    out.flush().map_err(|e| unwritten(&e))
}

fn each_license(
    service: &Service,
    mut write: impl FnMut(Row, bool) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut walk = service.walk(Filter::default(), 0, usize::MAX)?;
    let mut is_first = true;
    loop {
        let (rows, rest) = service.walk_on(walk)?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in rows {
            write(Row::from(row), is_first)?;
            is_first = false;
        }
        walk = rest;
    }
}

fn put(out: &mut impl Write, bytes: &[u8]) -> Result<(), Refusal> {
    out.write_all(bytes).map_err(|e| unwritten(&e))
}

fn unwritten(error: &io::Error) -> Refusal {
    Refusal(format!("Cannot write to standard output: {error}."))
}
