//! `POST /api/check`: may this tool run on this machine? Public.

use rocket::{Route, post, routes};
use serde::Deserialize;
use serde_json::Value;

use super::Answer;
use super::body::{Body, required};
use crate::auth::Address;
use crate::model::license::Verdict;
use crate::model::question::Question;
use crate::model::sighting::Said;
use crate::request::{App, Failure, SMALL_BODY};

pub(super) fn routes() -> Vec<Route> {
    routes![check]
}

#[derive(Deserialize)]
struct Asked {
    tool_name: Option<String>,
    license_key: Option<String>,
    /// What the client says of itself, whatever that is.
    #[serde(default)]
    client: Value,
}

#[post("/api/check", data = "<body>")]
fn check(
    app: &App,
    address: Address,
    body: Body<Asked, { SMALL_BODY }>,
) -> Result<Answer, Failure> {
    let Body(asked) = body;
    let tool_name = required("tool_name", asked.tool_name)?;
    let license_key = required("license_key", asked.license_key)?;
    let question = Question::parse(&tool_name, &license_key)?;
    let verdict = app.check(&question, address.0, Said::read(&asked.client))?;
    Ok(Answer::from(verdict))
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Answer {
        Answer {
            http: verdict.http(),
            status: verdict.word(),
            message: verdict.message(),
        }
    }
}
