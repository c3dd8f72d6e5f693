//! The tools, and one tool: its rules, its machines, its checks.

use askama::Template;
use rocket::{Either, FromForm, Route, State, get, post, routes};

use super::chart::{self, Chart};
use super::flash::{Told, told};
use super::form::Posted;
use super::frame::Frame;
use super::overview::checks;
use super::shown;
use super::{Page, query};
use crate::auth::Session;
use crate::config::Config;
use crate::error::{Error, Problem};
use crate::model::overview::ToolLine;
use crate::model::tool::ToolDraft;
use crate::request::{App, Failure};
use crate::service::{Service, ToolUse};

pub(super) fn routes() -> Vec<Route> {
    routes![list, show, change]
}

#[derive(Template)]
#[template(path = "tools.html")]
struct ToolsPage {
    frame: Frame,
    tools: Vec<ToolLine>,
}

#[derive(Template)]
#[template(path = "tool.html")]
struct ToolPage {
    frame: Frame,
    of: ToolUse,
    draft: ToolDraft,
    problems: Vec<Problem>,
    checks: Chart,
}

#[get("/tools")]
async fn list(app: &App, _session: Session, frame: Frame) -> Result<Page, Failure> {
    let tools = app.run(Service::tools).await?;
    Ok(Page::new(&ToolsPage { frame, tools })?)
}

#[get("/tool?<name>")]
async fn show(app: &App, _session: Session, frame: Frame, name: String) -> Result<Page, Failure> {
    let of = app.run(move |service| service.tool_use(&name)).await?;
    Ok(Page::new(&ToolPage::of(app, frame, of, None, vec![]))?)
}

#[derive(FromForm)]
struct Typed {
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
}

#[post("/tool", data = "<form>")]
async fn change(
    app: &App,
    config: &State<Config>,
    frame: Frame,
    form: Posted<Typed>,
) -> Result<Either<Told, Page>, Failure> {
    let Posted {
        form: typed, actor, ..
    } = form;
    let name = typed.name.clone();
    let draft = ToolDraft {
        offline_days: typed.offline_days,
        grace_days: typed.grace_days,
        message: typed.message,
        link: typed.link,
    };
    let values = draft.clone();
    let saved = app
        .run(
            move |service| match service.set_tool(&actor, &name, &values) {
                Err(Error::Invalid(problems)) => Ok(Err((problems, service.tool_use(&name)?))),
                other => other.map(Ok),
            },
        )
        .await?;
    Ok(match saved {
        Ok(()) => {
            let address = format!("/tool{}", query(&[("name", &typed.name)]));
            let line = format!("The rules of {} are saved.", typed.name);
            Either::Left(told(config, &address, &line))
        }
        Err((problems, of)) => Either::Right(Page::with_status(
            422,
            &ToolPage::of(app, frame, of, Some(draft), problems),
        )?),
    })
}

impl ToolPage {
    fn of(
        app: &App,
        frame: Frame,
        of: ToolUse,
        draft: Option<ToolDraft>,
        problems: Vec<Problem>,
    ) -> ToolPage {
        let href = |day: &str| {
            format!(
                "/licenses{}",
                query(&[("tool", &of.line.name), ("seen", day)])
            )
        };
        ToolPage {
            checks: checks(&of.days, app.today(), href),
            draft: draft.unwrap_or_else(|| ToolDraft::from(&*of.tool)),
            frame,
            of,
            problems,
        }
    }

    fn problem(&self, field: &str) -> Option<&str> {
        let found = self.problems.iter().find(|problem| problem.field == field);
        found.map(|problem| problem.message.as_str())
    }
}
