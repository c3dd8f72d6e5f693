//! The list of tools, and the page of one tool: rules, licenses and checks.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::chart::{self, Chart};
use super::flash::{Flashed, redirect_with_flash};
use super::form::SignedInForm;
use super::frame::Frame;
use super::opened::{carried, rebase};
use super::overview::checks_chart;
use super::shown;
use super::{Page, query};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::doubt::Doubt;
use crate::model::overview::ToolCount;
use crate::model::search::Count;
use crate::model::tool::ToolDraft;
use crate::request::{App, Failure};
use crate::service::{Service, ToolUse};

pub(super) fn routes() -> Vec<Route> {
    routes![list, add, show, change, rename_form, rename]
}

#[derive(Template)]
#[template(path = "tools.html")]
struct ToolsPage {
    frame: Frame,
    tools: Vec<ToolCount>,
    /// The name typed for a new tool, and what is wrong with it.
    typed: String,
    problem: Option<String>,
    doubt: Option<Doubt>,
}

#[derive(Template)]
#[template(path = "tool.html")]
struct ToolPage {
    frame: Frame,
    usage: ToolUse,
    draft: ToolDraft,
    problems: Vec<Problem>,
    checks: Chart,
}

#[get("/tools")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let tools = app.run(Service::tools).await?;
    Ok(Page::new(&ToolsPage {
        frame,
        tools,
        typed: String::new(),
        problem: None,
        doubt: None,
    })?)
}

#[derive(FromForm)]
struct NewToolForm {
    #[field(default = "")]
    tool_name: String,
    /// A name that is wanted in spite of a doubt, or the tool that was meant.
    #[field(default = "")]
    keep_tool_name: String,
    #[field(default = "")]
    use_tool_name: String,
}

/// Leads to the code to build the new tool with.
#[post("/tools", data = "<form>")]
async fn add(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<NewToolForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    if !form.use_tool_name.is_empty() {
        let address = format!("/tool{}", query(&[("name", &form.use_tool_name)]));
        let message = format!(
            "{} is there already. Nothing was added.",
            form.use_tool_name
        );
        return Ok(Either::Left(redirect_with_flash(
            config, &address, &message,
        )));
    }
    let (typed, kept) = (form.tool_name.clone(), form.keep_tool_name);
    let added = app
        .run(move |service| {
            let doubt = match service.tool_doubt(&typed, "") {
                Err(Error::Invalid(_)) => None,
                other => other?,
            };
            let is_same = |doubt: &Doubt| {
                let mut known = doubt.suggestions.iter();
                known.any(|known| known.to_lowercase() == doubt.typed.to_lowercase())
            };
            let asked = doubt.as_ref().filter(|doubt| doubt.typed != kept);
            if asked.is_some_and(|doubt| !is_same(doubt)) {
                return Ok(Err((vec![], doubt, service.tools()?)));
            }
            match service.add_tool(&actor, &typed) {
                Err(Error::Invalid(problems)) => Ok(Err((problems, doubt, service.tools()?))),
                other => other.map(Ok),
            }
        })
        .await?;
    Ok(match added {
        Ok(name) => {
            let address = format!("/tool/integration{}", query(&[("name", &name)]));
            let message = format!("{name} added. Build your program with one of these samples.");
            Either::Left(redirect_with_flash(config, &address, &message))
        }
        Err((problems, doubt, tools)) => {
            let page = ToolsPage {
                frame,
                tools,
                typed: form.tool_name,
                doubt,
                problem: problems.into_iter().next().map(|problem| problem.message),
            };
            Either::Right(Page::with_status(422, &page)?)
        }
    })
}

#[get("/tool?<name>")]
async fn show(app: &App, _session: Session, frame: Frame, name: String) -> Result<Page, Failure> {
    let usage = app.run(move |service| service.tool_use(&name)).await?;
    Ok(Page::new(&ToolPage::new(app, frame, usage, None, vec![]))?)
}

#[derive(Template)]
#[template(path = "tool_rename.html")]
struct RenamePage {
    frame: Frame,
    name: String,
    typed: String,
    problem: Option<String>,
    doubt: Option<Doubt>,
    licenses: i64,
    /// Whose machine checked in the last 30 days.
    seen: i64,
}

#[get("/tool/rename?<name>")]
async fn rename_form(
    app: &App,
    _session: Session,
    frame: Frame,
    name: String,
) -> Result<Page, Failure> {
    let typed = name.clone();
    Ok(RenamePage::load(app, frame, name, typed, None, None).await?)
}

#[derive(FromForm)]
struct RenameForm {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    tool_name: String,
    /// A name that is wanted in spite of a doubt.
    #[field(default = "")]
    keep_tool_name: String,
}

#[post("/tool/rename", data = "<form>")]
async fn rename(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<RenameForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let RenameForm {
        name,
        tool_name,
        keep_tool_name: kept,
    } = form;
    let (old, typed) = (name.clone(), tool_name.clone());
    let renamed = app
        .run(move |service| {
            let renamed = match service.tool_doubt(&typed, &old) {
                Ok(Some(doubt)) if doubt.typed != kept => {
                    let suggestions = vec![];
                    return Ok(Err((
                        vec![],
                        Some(Doubt {
                            suggestions,
                            ..doubt
                        }),
                    )));
                }
                Ok(_) => service.rename_tool(&actor, &old, &typed),
                Err(error) => Err(error),
            };
            match renamed {
                Err(Error::Invalid(problems)) => Ok(Err((problems, None))),
                other => other.map(Ok),
            }
        })
        .await?;
    Ok(match renamed {
        Ok(new) => {
            let address = format!("/tool{}", query(&[("name", &new)]));
            let message = format!("{name} is now {new}.");
            Either::Left(redirect_with_flash(config, &address, &message))
        }
        Err((problems, doubt)) => {
            let problem = problems.into_iter().next().map(|problem| problem.message);
            Either::Right(RenamePage::load(app, frame, name, tool_name, problem, doubt).await?)
        }
    })
}

impl RenamePage {
    async fn load(
        app: &App,
        frame: Frame,
        name: String,
        typed: String,
        problem: Option<String>,
        doubt: Option<Doubt>,
    ) -> Result<Page, Error> {
        let tool = name.clone();
        let (licenses, seen) = app.run(move |service| service.reach_of_tool(&tool)).await?;
        let status = match (&problem, &doubt) {
            (None, None) => 200,
            _ => 422,
        };
        Page::with_status(
            status,
            &RenamePage {
                frame,
                name,
                typed,
                problem,
                doubt,
                licenses,
                seen,
            },
        )
    }
}

#[derive(FromForm)]
struct ToolForm {
    #[field(default = "")]
    name: String,
    #[field(default = "")]
    offline_days: String,
    #[field(default = "")]
    grace_days: String,
    #[field(default = "")]
    message: String,
    #[field(default = "")]
    link: String,
    #[field(default = "")]
    vendor: String,
    #[field(default = "")]
    support_email: String,
    #[field(default = "0")]
    trial_days: String,
    #[field(default = "0")]
    trials_per_day: String,
    #[field(default = "")]
    latest_version: String,
    #[field(default = "")]
    latest_url: String,
    #[field(default = "")]
    minimum_version: String,
    #[field(default = "365")]
    offline_file_days: String,
    #[field(default = "")]
    editions: String,
    /// See [`opened`](super::opened).
    #[field(default = "")]
    was: String,
}

#[post("/tool", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: SignedInForm<ToolForm>,
) -> Result<Either<Flashed, Page>, Failure> {
    let SignedInForm { form, actor, .. } = form;
    let name = form.name.clone();
    let mut draft = ToolDraft {
        offline_days: form.offline_days,
        grace_days: form.grace_days,
        message: form.message,
        link: form.link,
        vendor: form.vendor,
        support_email: form.support_email,
        trial_days: form.trial_days,
        trials_per_day: form.trials_per_day,
        latest_version: form.latest_version,
        latest_url: form.latest_url,
        minimum_version: form.minimum_version,
        offline_file_days: form.offline_file_days,
        editions: form.editions,
    };
    let was = form.was;
    let (saved, draft) = app
        .run(move |service| {
            let mut current = ToolDraft::from(&*service.tool(&name));
            let conflicts = rebase(&was, draft.fields(), current.fields());
            let refused = match conflicts.is_empty() {
                false => Some((409, conflicts)),
                true => match service.set_tool(&actor, &name, &draft) {
                    Err(Error::Invalid(problems)) => Some((422, problems)),
                    other => other.map(|()| None)?,
                },
            };
            let saved = match refused {
                None => Ok(()),
                Some((status, problems)) => Err((status, problems, service.tool_use(&name)?)),
            };
            Ok((saved, draft))
        })
        .await?;
    Ok(match saved {
        Ok(()) => {
            let address = format!("/tool{}", query(&[("name", &form.name)]));
            let message = format!("Rules of {} saved.", form.name);
            Either::Left(redirect_with_flash(config, &address, &message))
        }
        Err((status, problems, usage)) => Either::Right(Page::with_status(
            status,
            &ToolPage::new(app, frame, usage, Some(draft), problems),
        )?),
    })
}

impl ToolPage {
    fn new(
        app: &App,
        frame: Frame,
        usage: ToolUse,
        draft: Option<ToolDraft>,
        problems: Vec<Problem>,
    ) -> ToolPage {
        let href = |day: &str| {
            format!(
                "/licenses{}",
                query(&[("tool", &usage.line.name), ("seen", day)])
            )
        };
        ToolPage {
            checks: checks_chart(&usage.days, app.today(), href),
            draft: draft.unwrap_or_else(|| ToolDraft::from(&*usage.tool)),
            frame,
            usage,
            problems,
        }
    }

    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }

    /// Those that are set, in words.
    fn rules(&self) -> Vec<(&'static str, String)> {
        let draft = &self.draft;
        let days = |number: &str| match number {
            "0" => String::new(),
            "1" => "1 day".to_owned(),
            _ => format!("{number} days"),
        };
        let offline = match &*draft.offline_days {
            "0" => "none: always online".to_owned(),
            number => days(number),
        };
        let trials = match &*draft.trials_per_day {
            "0" => String::new(),
            number => format!("at most {number}"),
        };
        let files = format!("good for {} at most", days(&draft.offline_file_days));
        let rules = [
            ("Offline days", offline),
            ("Grace period", days(&draft.grace_days)),
            ("Message", draft.message.clone()),
            ("Link", draft.link.clone()),
            ("Vendor", draft.vendor.clone()),
            ("Support address", draft.support_email.clone()),
            ("Editions", draft.editions.clone()),
            ("Trial period", days(&draft.trial_days)),
            ("New trials a day", trials),
            ("Latest version", draft.latest_version.clone()),
            ("Minimum version", draft.minimum_version.clone()),
            ("Download address", draft.latest_url.clone()),
            ("Offline files", files),
        ];
        let is_set = |(_, value): &(&str, String)| !value.is_empty();
        rules.into_iter().filter(is_set).collect()
    }

    fn was(&self) -> String {
        carried(ToolDraft::from(&*self.usage.tool).fields())
    }
}
