//! Importing a file: upload, preview, confirm. The import itself is a bulk change, with a journal and undo.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rocket::tokio::task;
use rocket::tokio::time::timeout;
use time::Duration;

use super::Service;
use super::bulk::{Job, Step};
use crate::error::Error;
use crate::model::audit::{Actor, Detail, Event, Kind};
use crate::model::bulk::BulkChange;
use crate::model::import::{
    Decoded, Find, ImportCounts, ImportOptions, ImportPlan, InvalidRow, Layout, Pool, RowAction,
    RowUnit, Sheet, Subject, Undecided, Upload, csv_line, decode, file_name,
};
use crate::model::license::{License, Values};
use crate::model::machine_id::warnings;
use crate::model::text::grouped;
use crate::store::{WriteTx, imports, licenses};

/// How long an uploaded file is kept.
const KEPT_FOR: Duration = Duration::DAY;

/// Files that await confirmation; another one replaces the oldest.
const MAX_WAITING: i64 = 10;

/// Rows of an uploaded file: a plan takes some hundred bytes per row.
const MAX_ROWS: usize = 250_000;

/// Invalid rows, and rows of each other kind, that a preview shows.
const MAX_INVALID_SHOWN: usize = 200;
const MAX_SHOWN: usize = 20;

/// An import that finishes within this time is answered with its result instead of its progress.
const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(700);

/// The column beside the line in a file of invalid rows; an import ignores both.
const REASON: &str = "reason";

const GONE: Error = Error::NotFound("This file is no longer available.");

const STALE: &str = "Licenses in this file were added or changed since the preview. This is the new \
                     preview; check it and confirm.";

#[derive(Debug)]
pub struct ImportPreview {
    /// What the line numbers of invalid rows count.
    pub unit: RowUnit,
    pub numbers: ImportCounts,
    pub layout: Layout,
    /// How the file was read, what was cleaned, what is unusual; messages for people.
    pub notes: Vec<String>,
    /// The first ones.
    pub invalid: Vec<InvalidGroup>,
    /// Rows whose license key, or whose tool's name, is to be decided; the first ones.
    pub keys: Undecideds,
    pub tools: Undecideds,
    /// The first ones.
    pub new: Vec<Values>,
    /// New licenses without an expiration date.
    pub perpetual: i64,
    /// The first ones, before and after.
    pub changed: Vec<(License, Values)>,
    /// Tools that the import would create.
    pub new_tools: Vec<String>,
    /// New licenses whose key may not identify a single machine.
    pub warned: i64,
    /// The first of these keys, with the reason.
    pub warnings: Vec<(String, String)>,
    /// Confirms that this was previewed.
    pub fingerprint: String,
}

/// Rows that are invalid for the same reason.
#[derive(Debug)]
pub struct InvalidGroup {
    /// The first of them.
    pub first: InvalidRow,
    pub number: i64,
}

#[derive(Debug, Default)]
pub struct Undecideds {
    pub number: i64,
    /// The number of those for which something is suggested.
    pub suggested: i64,
    pub first: Vec<InvalidRow>,
}

impl Undecideds {
    fn add(&mut self, row: &InvalidRow, is_suggested: bool) {
        self.number += 1;
        self.suggested += i64::from(is_suggested);
        if self.first.len() < MAX_SHOWN {
            self.first.push(row.clone());
        }
    }
}

pub enum ImportState {
    /// `done` of `all` licenses are written.
    Running { upload: Upload, done: i64, all: i64 },
    /// With the bulk change that the import became.
    Done(Upload, BulkChange),
    /// Can be confirmed; `failed` is why the last confirmation failed.
    Ready {
        upload: Upload,
        preview: Box<ImportPreview>,
        failed: Option<Error>,
    },
    /// Activation codes, which are imported at once.
    Codes { upload: Upload, pool: Box<Pool> },
}

/// The current import, or the last one.
#[derive(Default)]
pub(super) struct RunningImport {
    last: Mutex<Option<ImportRun>>,
    /// Plans are made one at a time, because each may take a hundred megabytes.
    planning: Mutex<()>,
    is_stopping: AtomicBool,
}

#[derive(Clone)]
struct ImportRun {
    upload_id: i64,
    file_name: String,
    done: i64,
    /// 0 until the import is planned.
    all: i64,
    /// The resulting bulk change, or why the import failed; none while it runs.
    outcome: Option<Result<i64, Error>>,
}

impl RunningImport {
    fn get(&self, upload_id: i64) -> Option<ImportRun> {
        let last = self.last.lock();
        last.clone().filter(|last| last.upload_id == upload_id)
    }

    fn running_id(&self) -> Option<i64> {
        let last = self.last.lock();
        let running = last.as_ref().filter(|last| last.outcome.is_none());
        running.map(|last| last.upload_id)
    }

    /// `An import of big.csv is running, 61 %.`; none while none is.
    fn in_words(&self) -> Option<String> {
        let last = self.last.lock();
        let running = last.as_ref().filter(|run| run.outcome.is_none())?;
        Some(running.in_words())
    }

    /// False if this file is already being imported.
    fn begin(&self, upload_id: i64, file_name: String) -> Result<bool, Error> {
        let mut last = self.last.lock();
        match &*last {
            Some(last) if last.outcome.is_some() => {}
            Some(last) if last.upload_id == upload_id => return Ok(false),
            Some(other) => {
                return Err(Error::Conflict(format!(
                    "{} Import this file when it is done.",
                    other.in_words()
                )));
            }
            None => {}
        }
        *last = Some(ImportRun {
            upload_id,
            file_name,
            done: 0,
            all: 0,
            outcome: None,
        });
        Ok(true)
    }

    fn update(&self, update: impl FnOnce(&mut ImportRun)) {
        if let Some(last) = &mut *self.last.lock() {
            update(last);
        }
    }
}

impl ImportRun {
    fn in_words(&self) -> String {
        let name = &self.file_name;
        // While it is still planned, none of it is done.
        let percent = self.done * 100 / self.all.max(1);
        format!("An import of {name} is running, {percent} %.")
    }
}

impl Service {
    /// The error, and what keeps the database busy if that is known.
    pub fn busy_words(&self, error: &Error) -> String {
        match self.running_import.in_words() {
            Some(running) => format!("{error} {running}"),
            None => error.to_string(),
        }
    }

    /// Stores a file for its preview and returns its ID; an error if it cannot be read.
    pub fn upload_import(&self, actor: &Actor, name: &str, bytes: &[u8]) -> Result<i64, Error> {
        let decoded = decode(name, bytes)?;
        let options = ImportOptions::default();
        let sheet = Sheet::read(&decoded.text, &options).map_err(|error| decoded.explain(error))?;
        check_row_count(sheet.length)?;
        self.keep_upload(actor, name, &decoded, &options)
    }

    pub(super) fn keep_upload(
        &self,
        actor: &Actor,
        name: &str,
        decoded: &Decoded,
        options: &ImportOptions,
    ) -> Result<i64, Error> {
        let Decoded { text, notes } = decoded;
        let now = self.clock.now();
        let running = self.running_import.running_id();
        self.store.write(|db| {
            imports::prune(db, now - KEPT_FOR, MAX_WAITING, running)?;
            Ok(imports::add(
                db,
                &actor.who,
                &file_name(name),
                text,
                notes,
                options,
                now,
            )?)
        })
    }

    /// Changes how a file is to be read; an error if it cannot be read so.
    pub fn set_import_options(
        &self,
        id: i64,
        change: impl FnOnce(&mut ImportOptions, &Layout),
    ) -> Result<(), Error> {
        let mut options = self.upload(id)?.options;
        let text = self.content(id)?;
        let layout = Sheet::read(&text, &options)?.layout;
        change(&mut options, &layout);
        Sheet::read(&text, &options)?;
        self.store
            .write(|db| Ok(imports::set_options(db, id, &options)?))
    }

    pub fn import(&self, id: i64) -> Result<ImportState, Error> {
        // Before the row is read, so that the row includes what a finished import has written.
        let run = self.running_import.get(id);
        let upload = self.upload(id)?;
        let (bulk_id, failed) = match run {
            None => (None, None),
            Some(run) => match run.outcome {
                None => {
                    return Ok(ImportState::Running {
                        upload,
                        done: run.done,
                        all: run.all,
                    });
                }
                Some(Ok(bulk_id)) => (Some(bulk_id), None),
                Some(Err(error)) => (None, Some(error)),
            },
        };
        if let Some(bulk_id) = upload.bulk_id.or(bulk_id) {
            return Ok(ImportState::Done(upload, self.bulk_change(bulk_id)?));
        }
        if upload.options.subject == Subject::Codes {
            let pool = Box::new(self.pool(&upload)?);
            return Ok(ImportState::Codes { upload, pool });
        }
        let plan = self.plan_import(&self.content(id)?, &upload.options)?;
        let mut preview = self.preview(&plan)?;
        preview.notes.splice(0..0, upload.notes.iter().cloned());
        Ok(ImportState::Ready {
            upload,
            preview: Box::new(preview),
            failed,
        })
    }

    pub fn plan_import(&self, text: &str, options: &ImportOptions) -> Result<ImportPlan, Error> {
        let sheet = Sheet::read(text, options)?;
        let (tools, today) = (self.tool_names()?, self.today());
        let _one = self.running_import.planning.lock();
        self.store.read_tx(|db| {
            ImportPlan::new(sheet, options, &tools, today, |find| match find {
                Find::Pair(tool, key) => licenses::of_pair(db, tool, key),
                Find::Id(id) => licenses::get(db, id),
            })
        })
    }

    pub fn preview(&self, plan: &ImportPlan) -> Result<ImportPreview, Error> {
        let mut preview = ImportPreview {
            unit: plan.unit,
            numbers: plan.numbers,
            notes: [&plan.layout.notes[..], &plan.notes].concat(),
            layout: plan.layout.clone(),
            invalid: vec![],
            keys: Undecideds::default(),
            tools: Undecideds::default(),
            new: vec![],
            perpetual: 0,
            changed: vec![],
            new_tools: vec![],
            warned: 0,
            warnings: vec![],
            fingerprint: plan.fingerprint.clone(),
        };
        let mut tools = BTreeSet::new();
        let mut reasons: HashMap<String, usize> = HashMap::new();
        for action in &plan.rows {
            match action {
                RowAction::Invalid(row) => match &row.undecided {
                    Some(Undecided::Key(keys)) => {
                        let is_suggested = !keys.is_empty();
                        preview.keys.add(row, is_suggested);
                    }
                    Some(Undecided::Tool(_)) => preview.tools.add(row, true),
                    None => match reasons.get(&row.reason) {
                        Some(at) => preview.invalid[*at].number += 1,
                        None if preview.invalid.len() < MAX_INVALID_SHOWN => {
                            reasons.insert(row.reason.clone(), preview.invalid.len());
                            preview.invalid.push(InvalidGroup {
                                first: row.clone(),
                                number: 1,
                            });
                        }
                        None => {}
                    },
                },
                RowAction::Change { before, after } if preview.changed.len() < MAX_SHOWN => {
                    preview.changed.push(((**before).clone(), after.clone()));
                }
                RowAction::Add { values, .. } => {
                    preview.perpetual += i64::from(values.expiration_date.is_none());
                    if let Some(warning) = warnings(&values.license_key).first() {
                        preview.warned += 1;
                        if preview.warnings.len() < MAX_SHOWN {
                            let key = values.license_key.clone();
                            preview.warnings.push((key, warning.message()));
                        }
                    }
                    if !tools.contains(&values.tool_name) {
                        tools.insert(values.tool_name.clone());
                    }
                    if preview.new.len() < MAX_SHOWN {
                        preview.new.push(values.clone());
                    }
                }
                RowAction::Change { .. } | RowAction::Unchanged => {}
            }
        }
        let known = self.tool_names()?;
        let new_tools = tools.into_iter().filter(|name| !known.contains(name));
        preview.new_tools = new_tools.take(MAX_SHOWN).collect();
        Ok(preview)
    }

    /// All invalid rows of a file as CSV, with their line and the reason: to be fixed and imported again.
    pub fn invalid_rows(&self, id: i64) -> Result<String, Error> {
        let upload = self.upload(id)?;
        let (layout, unit, rows) = match upload.options.subject {
            Subject::Licenses => {
                let plan = self.plan_import(&self.content(id)?, &upload.options)?;
                let rows = plan.invalid();
                let rows = rows.map(|row| (row.line, row.reason.clone(), row.cells.clone()));
                let rows: Vec<_> = rows.collect();
                (plan.layout, plan.unit, rows)
            }
            Subject::Codes => {
                let pool = self.pool(&upload)?;
                let (layout, unit) = (pool.layout.clone(), pool.unit);
                let rows = pool.skipped(false).into_iter();
                let rows = rows.map(|row| (row.line, row.reason, row.cells));
                (layout, unit, rows.collect())
            }
        };
        let ours = [unit.as_str(), REASON];
        let columns = layout.columns.iter().enumerate();
        let kept = columns.filter(|(_, column)| !ours.contains(&column.heading.as_str()));
        let (places, headings): (Vec<usize>, Vec<&str>) = kept
            .map(|(at, column)| (at, column.heading.as_str()))
            .unzip();
        let mut csv = csv_line(&[&headings[..], &ours].concat())?;
        for (line, reason, texts) in rows {
            let cell = |at: &usize| texts.get(*at).map_or("", String::as_str);
            let mut cells: Vec<&str> = places.iter().map(cell).collect();
            let line = line.to_string();
            cells.extend([&*line, &*reason]);
            csv += &csv_line(&cells)?;
        }
        Ok(csv)
    }

    /// Imports a previewed file on a separate thread. A file that is being imported, or was, is not imported
    /// again.
    pub async fn confirm_import(
        self: &Arc<Self>,
        actor: Actor,
        id: i64,
        fingerprint: String,
    ) -> Result<(), Error> {
        let upload = self.run(move |service| service.upload(id)).await?;
        if upload.bulk_id.is_some() || !self.running_import.begin(id, upload.file_name)? {
            return Ok(());
        }
        let service = Arc::clone(self);
        let import = task::spawn(async move {
            let imported = service
                .run(move |service| service.import_upload(&actor, id, &fingerprint))
                .await;
            if let Err(error @ (Error::Unavailable(_) | Error::Internal(_))) = &imported {
                service.log().fault("import", error);
            }
            service
                .running_import
                .update(|run| run.outcome = Some(imported));
        });
        // It continues by itself: we wait only briefly for it to finish.
        drop(timeout(AT_ONCE, import).await);
        Ok(())
    }

    fn import_upload(&self, actor: &Actor, id: i64, fingerprint: &str) -> Result<i64, Error> {
        let upload = self.upload(id)?;
        let plan = self.plan_import(&self.content(id)?, &upload.options)?;
        if plan.fingerprint != fingerprint {
            return Err(Error::Conflict(STALE.into()));
        }
        let all = plan.numbers.written();
        self.running_import.update(|run| run.all = all);
        let noted = |db: &WriteTx<'_>, bulk_id| Ok(imports::set_done(db, id, bulk_id)?);
        self.carry_out(actor, &upload.file_name, plan, &noted)
    }

    /// Carries out a plan and returns the ID of the bulk change; a conflict if licenses were added or changed
    /// since the plan was made.
    pub fn import_plan(&self, actor: &Actor, name: &str, plan: ImportPlan) -> Result<i64, Error> {
        self.carry_out(actor, name, plan, &|_, _| Ok(()))
    }

    fn carry_out(
        &self,
        actor: &Actor,
        name: &str,
        plan: ImportPlan,
        done: &dyn Fn(&WriteTx<'_>, i64) -> Result<(), Error>,
    ) -> Result<i64, Error> {
        let numbers = plan.numbers;
        let now = self.clock.now();
        let tools = plan.tools;
        let step = |action: RowAction| match action {
            RowAction::Add { values, created_at } => Some(Step::Add {
                values,
                created_at: created_at.unwrap_or(now),
            }),
            RowAction::Change { before, after } => Some(Step::Change {
                before: *before,
                after,
            }),
            RowAction::Unchanged | RowAction::Invalid(_) => None,
        };
        let summary = Event::new(Kind::Imported, actor)
            .with("file", Detail::personal(name))
            .with("added", numbers.new)
            .with("changed", numbers.changed)
            .with("unchanged", numbers.unchanged)
            .with("skipped", numbers.invalid);
        let imported = self.run_job(Job {
            actor,
            what: &format!("Import {name}: {}", numbers.in_words()),
            fingerprint: &plan.fingerprint,
            number: numbers.written() as usize,
            steps: &mut plan.rows.into_iter().filter_map(step),
            summary: Some(summary),
            progress: &|done| {
                self.running_import.update(|run| run.done = done);
                if done == 0 {
                    self.check_tools(&tools)?;
                }
                match self.running_import.is_stopping.load(Ordering::Relaxed) {
                    true => Err(Error::Conflict("The server was stopped.".into())),
                    false => Ok(()),
                }
            },
            done,
        });
        match imported {
            Err(Error::Duplicate) => Err(Error::Conflict(STALE.into())),
            other => other,
        }
    }

    /// Refuses to add again a tool that was renamed since the preview.
    fn check_tools(&self, tools: &BTreeSet<String>) -> Result<(), Error> {
        let known = self.tool_names()?;
        match tools.iter().find(|tool| !known.contains(tool)) {
            None => Ok(()),
            Some(tool) => Err(Error::Conflict(format!(
                "The tool {tool} was renamed or removed since the preview. {STALE}"
            ))),
        }
    }

    /// Discards a file that will not be imported, and returns its name.
    pub fn discard_import(&self, id: i64) -> Result<String, Error> {
        if self.running_import.running_id() == Some(id) {
            return Err(Error::Conflict(
                "This file is being imported and can no longer be discarded.".into(),
            ));
        }
        self.store.write(|db| {
            let upload = imports::get(db, id)?.ok_or(GONE)?;
            if upload.bulk_id.is_some() {
                return Err(Error::Conflict("This file was already imported.".into()));
            }
            imports::delete(db, id)?;
            Ok(upload.file_name)
        })
    }

    /// Takes back a running import, because the program is about to exit.
    pub fn stop_import(&self) {
        self.running_import
            .is_stopping
            .store(true, Ordering::Relaxed);
    }

    /// What the rows of an uploaded file become.
    pub fn import_subject(&self, id: i64) -> Result<Subject, Error> {
        Ok(self.upload(id)?.options.subject)
    }

    pub(super) fn upload(&self, id: i64) -> Result<Upload, Error> {
        let upload = self.store.read(|db| imports::get(db, id))?.ok_or(GONE)?;
        let is_old = upload.at + KEPT_FOR < self.now();
        if is_old { Err(GONE) } else { Ok(upload) }
    }

    pub(super) fn content(&self, id: i64) -> Result<String, Error> {
        let content = self.store.read(|db| imports::content(db, id))?;
        content.filter(|text| !text.is_empty()).ok_or(GONE)
    }
}

fn check_row_count(rows: usize) -> Result<(), Error> {
    if rows <= MAX_ROWS {
        return Ok(());
    }
    Err(Error::invalid(
        "file",
        format!(
            "The file has {} rows; this page accepts at most {}. Divide it into several files, each \
             with the header row, or import it on the server with `license-server import FILE`.",
            grouped(rows as i64),
            grouped(MAX_ROWS as i64)
        ),
    ))
}
