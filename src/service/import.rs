//! Importing a file: first a dry run that is looked at, then all of it in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;
use rocket::tokio::task;
use rocket::tokio::time::timeout;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::Service;
use super::bulk::changed;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::import::{Fate, Judge, Judged, Numbers, count_rows, file_name, readable};
use crate::model::license::License;
use crate::model::machine_id::doubts;
use crate::model::new_license::NewLicense;
use crate::model::sheet::{CountsBy, Sheet, csv_line, each_row};
use crate::model::text::grouped;
use crate::store::imports::Sent;
use crate::store::{Writing, audit, imports, licenses};

/// How long a file that was sent is kept.
const KEPT_FOR: Duration = Duration::DAY;

/// Files that wait to be confirmed; before another one comes the oldest goes.
const WAITING: usize = 10;

/// Rows of a file that is sent to the page: other writes wait while they are imported.
const MOST_ROWS: i64 = 250_000;

/// Wrong rows, and rows of other kinds, that a dry run names.
const WRONG_NAMED: usize = 200;
const NAMED: usize = 20;

/// An import that is done so soon is answered with its result instead of its progress.
const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(700);

const GONE: Error = Error::NotFound("This file is no longer here.");

const STALE: &str = "Since you looked, licenses of this file were added or changed. This is how it \
                     is now; look again and confirm.";

/// A row that cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongRow {
    /// The line or element.
    pub line: u64,
    /// Tool and key as they stand there, where they can be read.
    pub found: Option<(String, String)>,
    /// Why, for a person.
    pub reason: String,
}

/// What an import would do.
#[derive(Debug, Clone)]
pub struct Report {
    /// What the numbers of rows count.
    pub counts_by: CountsBy,
    /// Rows of each kind.
    pub numbers: Numbers,
    /// The first of them.
    pub wrong: Vec<WrongRow>,
    /// The first of them.
    pub new: Vec<NewLicense>,
    /// The first of them, before and after.
    pub changed: Vec<(License, NewLicense)>,
    /// Tools that come into being.
    pub new_tools: Vec<String>,
    /// New licenses whose key identifies poorly: their number, and the first of them with the reason.
    pub doubtful: i64,
    /// Key and reason.
    pub doubts: Vec<(String, String)>,
    /// Columns that stand for nothing here.
    pub ignored: Vec<String>,
    /// Of all that was looked at.
    pub fingerprint: String,
}

/// How far a file has come.
pub enum ImportState {
    /// It is being imported: rows done, of all.
    Running(Sent, i64, i64),
    /// It was imported; the words stand in the row.
    Done(Sent),
    /// It can be confirmed; and why the last confirmation came to nothing.
    Ready(Sent, Box<Report>, Option<Error>),
}

/// The last import that was confirmed, one at a time.
#[derive(Default)]
pub(super) struct Runs {
    last: Mutex<Option<Arc<Run>>>,
    is_stopped: AtomicBool,
}

struct Run {
    id: i64,
    done: AtomicI64,
    all: AtomicI64,
    ended: Mutex<Option<Result<(), Error>>>,
}

impl Runs {
    fn of(&self, id: i64) -> Option<Arc<Run>> {
        let last = self.last.lock().clone();
        last.filter(|run| run.id == id)
    }

    /// None where it runs already.
    fn begin(&self, id: i64) -> Result<Option<Arc<Run>>, Error> {
        let mut last = self.last.lock();
        if let Some(run) = last.as_ref().filter(|run| run.ended.lock().is_none()) {
            if run.id == id {
                return Ok(None);
            }
            return Err(Error::Conflict(
                "Another file is being imported; try again when that is done.".into(),
            ));
        }
        let run = Arc::new(Run {
            id,
            done: AtomicI64::new(0),
            all: AtomicI64::new(0),
            ended: Mutex::new(None),
        });
        *last = Some(Arc::clone(&run));
        Ok(Some(run))
    }
}

/// A run whose thread has ended has ended, whatever ended it.
struct Ending(Arc<Run>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut ended = self.0.ended.lock();
        ended.get_or_insert(Err(Error::Internal("the import broke off".into())));
    }
}

impl Service {
    /// Keeps a file for its dry run and returns its number; what cannot be read is refused.
    pub fn send_import(&self, actor: &Actor, name: &str, bytes: &[u8]) -> Result<i64, Error> {
        let text = readable(bytes)?;
        few_enough(count_rows(&text)?)?;
        let now = self.clock.now();
        self.store.write(|db| {
            imports::prune(db, now - KEPT_FOR, WAITING)?;
            Ok(imports::add(db, &actor.who, &file_name(name), &text, now)?)
        })
    }

    /// How far a file has come.
    pub fn import(&self, id: i64) -> Result<ImportState, Error> {
        // Before the row is read: what a run that has ended has written is then seen there.
        let failed = match self.runs.of(id) {
            None => None,
            Some(run) => match run.ended.lock().clone() {
                Some(ended) => ended.err(),
                None => {
                    let [done, all] = [&run.done, &run.all].map(|n| n.load(Ordering::Relaxed));
                    return Ok(ImportState::Running(self.sent(id)?, done, all));
                }
            },
        };
        let sent = self.sent(id)?;
        if sent.result.is_some() {
            return Ok(ImportState::Done(sent));
        }
        let report = self.dry_run(&self.content(id)?)?;
        Ok(ImportState::Ready(sent, Box::new(report), failed))
    }

    /// What an import of this text would do.
    pub fn dry_run(&self, text: &str) -> Result<Report, Error> {
        let mut seen = Seen::default();
        let (sheet, judge) = self.judge_all(text, &mut |judged| seen.note(judged))?;
        let known = self.tool_names()?;
        let new_tools = seen.tools.into_iter().filter(|name| !known.contains(name));
        Ok(Report {
            counts_by: sheet.counts_by,
            numbers: judge.numbers(),
            wrong: seen.wrong,
            new: seen.new,
            changed: seen.changed,
            new_tools: new_tools.take(NAMED).collect(),
            doubtful: seen.doubtful,
            doubts: seen.doubts,
            ignored: sheet.ignored,
            fingerprint: judge.fingerprint(),
        })
    }

    /// Hands on every wrong row of a text.
    pub fn each_wrong_row(
        &self,
        text: &str,
        use_row: &mut dyn FnMut(WrongRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.judge_all(text, &mut |judged| match wrong(judged) {
            Some(row) => use_row(row),
            None => Ok(()),
        })?;
        Ok(())
    }

    /// All wrong rows of a file as a table.
    pub fn wrong_rows(&self, id: i64) -> Result<String, Error> {
        let text = self.content(id)?;
        let by = CountsBy::of(&text);
        let mut table = csv_line(&[by.as_str(), "tool_name", "license_key", "reason"])?;
        self.each_wrong_row(&text, &mut |row| {
            let (tool, key) = row.found.unwrap_or_default();
            table += &csv_line(&[&row.line.to_string(), &tool, &key, &row.reason])?;
            Ok(())
        })?;
        Ok(table)
    }

    /// Imports a file that was looked at, on a thread of its own; one that runs or is done already
    /// is not imported again.
    pub async fn confirm_import(
        self: &Arc<Self>,
        actor: Actor,
        id: i64,
        fingerprint: String,
    ) -> Result<(), Error> {
        let sent = self.run(move |service| service.sent(id)).await?;
        if sent.result.is_some() {
            return Ok(());
        }
        let Some(run) = self.runs.begin(id)? else {
            return Ok(());
        };
        let service = Arc::clone(self);
        let thread = task::spawn_blocking(move || {
            let run = Ending(run);
            let imported = service.import_sent(&run.0, &actor, &fingerprint);
            if let Err(error @ (Error::Unavailable(_) | Error::Internal(_))) = &imported {
                service.log().fault("an import", error);
            }
            *run.0.ended.lock() = Some(imported);
        });
        // It goes on by itself; only its end is waited for, and not long.
        drop(timeout(AT_ONCE, thread).await);
        Ok(())
    }

    fn import_sent(&self, run: &Run, actor: &Actor, fingerprint: &str) -> Result<(), Error> {
        let text = self.content(run.id)?;
        run.all.store(count_rows(&text)?, Ordering::Relaxed);
        self.store.write_much(|db| {
            // What was done or left meanwhile is not done again.
            let sent = imports::get(db, run.id)?.ok_or(GONE)?;
            if sent.result.is_some() {
                return Ok(());
            }
            let numbers = self.import_all(db, actor, &sent.file_name, &text, fingerprint, run)?;
            Ok(imports::set_done(db, run.id, &numbers.in_words())?)
        })
    }

    /// Imports a text that was looked at, for the command line.
    pub fn import_text(
        &self,
        actor: &Actor,
        name: &str,
        text: &str,
        fingerprint: &str,
    ) -> Result<Numbers, Error> {
        let run = Run {
            id: 0,
            done: AtomicI64::new(0),
            all: AtomicI64::new(0),
            ended: Mutex::new(None),
        };
        self.store
            .write_much(|db| self.import_all(db, actor, &file_name(name), text, fingerprint, &run))
    }

    /// Forgets a file that shall not be imported, and returns its name.
    pub fn leave_import(&self, id: i64) -> Result<String, Error> {
        let is_running = |run: Arc<Run>| run.ended.lock().is_none();
        if self.runs.of(id).is_some_and(is_running) {
            return Err(Error::Conflict(
                "This file is being imported and can no longer be left.".into(),
            ));
        }
        self.store.write(|db| {
            let sent = imports::get(db, id)?.ok_or(GONE)?;
            if sent.result.is_some() {
                return Err(Error::Conflict("This file was imported already.".into()));
            }
            imports::delete(db, id)?;
            Ok(sent.file_name)
        })
    }

    /// An import that runs writes nothing and ends: the program wants to stop.
    pub fn give_up_import(&self) {
        self.runs.is_stopped.store(true, Ordering::Relaxed);
    }

    fn sent(&self, id: i64) -> Result<Sent, Error> {
        let sent = self.store.read(|db| imports::get(db, id))?.ok_or(GONE)?;
        let is_old = sent.at + KEPT_FOR < self.now();
        if is_old { Err(GONE) } else { Ok(sent) }
    }

    fn content(&self, id: i64) -> Result<String, Error> {
        let content = self.store.read(|db| imports::content(db, id))?;
        content.filter(|text| !text.is_empty()).ok_or(GONE)
    }

    /// Every row against the licenses of one moment.
    fn judge_all(
        &self,
        text: &str,
        each: &mut dyn FnMut(Judged) -> Result<(), Error>,
    ) -> Result<(Sheet, Judge), Error> {
        let mut judge = Judge::of(text);
        let sheet = self.store.read_at_once(|db| {
            Ok(each_row(text, &mut |row| {
                let find = |tool: &str, key: &str| Ok(licenses::of_pair(db, tool, key)?);
                each(judge.judge(row, find)?)
            }))
        })??;
        Ok((sheet, judge))
    }

    fn import_all(
        &self,
        db: &Writing<'_>,
        actor: &Actor,
        name: &str,
        text: &str,
        fingerprint: &str,
        run: &Run,
    ) -> Result<Numbers, Error> {
        let now = self.clock.now();
        let mut judge = Judge::of(text);
        each_row(text, &mut |row| {
            if self.runs.is_stopped.load(Ordering::Relaxed) {
                return Err(Error::Conflict("The server was stopped.".into()));
            }
            let find = |tool: &str, key: &str| Ok(licenses::of_pair(db, tool, key)?);
            let judged = judge.judge(row, find)?;
            write(db, actor, judged.fate, now)?;
            run.done.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })?;
        let numbers = judge.numbers();
        if judge.fingerprint() != fingerprint {
            return Err(Error::Conflict(STALE.into()));
        }
        let details = json!({
            "file": name,
            "added": numbers.new,
            "changed": numbers.changed,
            "as before": numbers.unchanged,
            "left out": numbers.wrong,
        });
        audit::append(db, &Event::new(Kind::Imported, actor).with(details), now)?;
        Ok(numbers)
    }
}

fn few_enough(rows: i64) -> Result<(), Error> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    Err(Error::invalid(
        "file",
        format!(
            "The file has {} rows; the page takes at most {}. Divide it into several files, each \
             with the header row, or import it on the server with `license-server import FILE`.",
            grouped(rows),
            grouped(MOST_ROWS)
        ),
    ))
}

fn write(db: &Writing<'_>, actor: &Actor, fate: Fate, now: OffsetDateTime) -> Result<(), Error> {
    let (before, after) = match fate {
        Fate::Unchanged | Fate::Wrong(_) => return Ok(()),
        Fate::New {
            license,
            created_at,
        } => {
            let created_at = created_at.unwrap_or(now);
            let id = licenses::add(db, &license, created_at)?;
            (None, added(id, created_at, license))
        }
        Fate::Changed { before, after } => {
            licenses::update(db, &before, &after, now)?;
            let after = changed(&before, after);
            (Some(before), after)
        }
    };
    let event = Event::license(actor, before.as_ref(), Some(&after));
    Ok(audit::append(db, &event, now)?)
}

fn added(id: i64, created_at: OffsetDateTime, new: NewLicense) -> License {
    License {
        id,
        created_at,
        tool_name: new.tool_name,
        license_key: new.license_key,
        status: new.status,
        user_id: new.user_id,
        expiration_date: new.expiration_date,
        note: new.note,
        moved_to: None,
    }
}

fn wrong(judged: Judged) -> Option<WrongRow> {
    let Judged { line, found, fate } = judged;
    match fate {
        Fate::Wrong(reason) => Some(WrongRow {
            line,
            found,
            reason,
        }),
        Fate::New { .. } | Fate::Changed { .. } | Fate::Unchanged => None,
    }
}

/// What a dry run keeps of the rows that pass by.
#[derive(Default)]
struct Seen {
    wrong: Vec<WrongRow>,
    new: Vec<NewLicense>,
    changed: Vec<(License, NewLicense)>,
    tools: BTreeSet<String>,
    doubtful: i64,
    doubts: Vec<(String, String)>,
}

impl Seen {
    fn note(&mut self, judged: Judged) -> Result<(), Error> {
        match judged.fate {
            Fate::Unchanged => {}
            Fate::Wrong(_) => {
                if self.wrong.len() < WRONG_NAMED {
                    self.wrong.extend(wrong(judged));
                }
            }
            Fate::Changed { before, after } => {
                if self.changed.len() < NAMED {
                    self.changed.push((before, after));
                }
            }
            Fate::New { license, .. } => {
                if let Some(doubt) = doubts(&license.license_key).first() {
                    self.doubtful += 1;
                    if self.doubts.len() < NAMED {
                        let key = license.license_key.clone();
                        self.doubts.push((key, doubt.message()));
                    }
                }
                if !self.tools.contains(&license.tool_name) {
                    self.tools.insert(license.tool_name.clone());
                }
                if self.new.len() < NAMED {
                    self.new.push(license);
                }
            }
        }
        Ok(())
    }
}
