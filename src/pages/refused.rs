//! A page or a form for a larger role than one's own: what was refused, who can do it, and a way back.

use askama::Template;
use rocket::Request;
use rocket::http::Method;

use super::Page;
use super::frame::Frame;
use super::saved_form::{SavedForm, local_path};
use super::shown;
use crate::config::Config;
use crate::error::Error;

#[derive(Template)]
#[template(path = "refused.html")]
struct RefusedPage<'a> {
    frame: &'a Frame,
    own: &'a str,
    needed: &'a str,
    who: &'a str,
    path: &'a str,
    is_form: bool,
    /// Labels and values of the form.
    typed: Vec<(String, String)>,
    /// Relative to the base path.
    back: String,
}

impl RefusedPage<'_> {
    fn title(&self) -> &'static str {
        match (self.is_form, self.needed) {
            (true, _) => "Nothing was changed",
            (false, "owner") => "For owners only",
            (false, _) => "For staff and owners only",
        }
    }
}

/// The words of [`Error::NotForRole`].
pub(super) fn page(
    request: &Request<'_>,
    frame: &Frame,
    [own, needed, who]: [&str; 3],
    form: Option<&SavedForm>,
) -> Result<Page, Error> {
    let config: Option<&Config> = request.rocket().state();
    let uri = request.uri().to_string();
    let address = config.map_or(&*uri, |config| config.below_base_path(&uri));
    let is_form = request.method() != Method::Get;
    let page = RefusedPage {
        frame,
        own,
        needed,
        who,
        path: address.split('?').next().unwrap_or_default(),
        is_form,
        typed: form.map(SavedForm::typed).unwrap_or_default(),
        back: match form {
            Some(form) if frame.may_open(local_path(&form.page)) => {
                local_path(&form.page).to_owned()
            }
            _ if is_form => "/".to_owned(),
            _ => page_above(frame, address),
        },
    };
    Page::with_status(403, &page)
}

/// The nearest page above that address which the person may open, such as that of the license to edit; with the same
/// query, because some pages are told apart by it.
fn page_above(frame: &Frame, address: &str) -> String {
    let (path, query) = address.split_at(address.find('?').unwrap_or(address.len()));
    let mut above = path;
    while let Some((rest, _)) = above.rsplit_once('/').filter(|(rest, _)| !rest.is_empty()) {
        above = rest;
        if frame.may_open(above) {
            return format!("{above}{query}");
        }
    }
    "/".to_owned()
}
