//! Asks somebody who is signed in for the password once more, and goes on with the form that was sent.

use askama::Template;

use super::Page;
use super::frame::Frame;
use super::saved_form::{CONFIRM, SavedForm, local_path};
use super::shown;
use crate::error::{Error, Problem};

#[derive(Template)]
#[template(path = "step_up.html")]
struct StepUpPage<'a> {
    frame: &'a Frame,
    path: &'a str,
    /// Where to go without the form.
    page: &'a str,
    fields: Vec<(String, String)>,
    is_code_needed: bool,
    problems: &'a [Problem],
}

impl StepUpPage<'_> {
    fn problem(&self, field: &str) -> Option<&str> {
        let problem = self.problems.iter().find(|p| p.field == field);
        problem.map(|problem| problem.message.as_str())
    }
}

/// The form with fields for password and code, which its address takes along.
pub(super) fn ask(
    frame: &Frame,
    form: &SavedForm,
    problems: &[Problem],
    is_code_needed: bool,
) -> Result<Page, Error> {
    let page = StepUpPage {
        frame,
        path: local_path(&form.path),
        page: local_path(&form.page),
        fields: SavedForm::pairs(form.fields.as_deref().unwrap_or_default()),
        is_code_needed,
        problems,
    };
    let status = if problems.is_empty() { 403 } else { 422 };
    Page::with_status(status, &page)
}
