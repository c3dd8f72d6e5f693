//! Forms that could not be processed: kept, and offered again on a page of their own.

use askama::Template;
use rocket::Request;
use rocket::form::Form;
use rocket::http::RawStr;

use super::Page;
use super::frame::Frame;
use super::shown;
use crate::config::Config;
use crate::error::Error;

/// A form that could not be processed, kept so that nothing has to be typed again.
#[derive(Debug, Clone)]
pub(super) struct SavedForm {
    /// The action of the form, relative to the base path.
    pub(super) path: String,
    /// Still urlencoded; none if it is not kept, because it has a password, a file or too much text.
    pub(super) fields: Option<String>,
    /// The page that the form was on, relative to the base path.
    pub(super) page: String,
}

/// Bytes of a form that are kept; encoded again they fit in another form.
const MAX_KEPT: usize = 16 * 1024;

impl SavedForm {
    pub(super) fn save(request: &Request<'_>, fields: Option<&str>) {
        let config: Option<&Config> = request.rocket().state();
        let inside = |path: &str| {
            config
                .map_or(path, |config| config.below_base_path(path))
                .to_owned()
        };
        let path = inside(request.uri().path().as_str());
        if path == "/logout" {
            return;
        }
        let sent = request
            .headers()
            .get_one("Referer")
            .and_then(|page| page.split_once("://"));
        let page = sent.and_then(|(_, rest)| Some(inside(&rest[rest.find('/')?..])));
        // All forms of the account have passwords, and only these.
        let is_kept = !path.starts_with("/account/");
        let kept = fields.filter(|fields| is_kept && fields.len() <= MAX_KEPT);
        request.local_cache(|| {
            Some(SavedForm {
                fields: kept.map(str::to_owned),
                page: page.unwrap_or_else(|| path.clone()),
                path,
            })
        });
    }

    pub(super) fn from_request<'r>(request: &'r Request<'_>) -> Option<&'r SavedForm> {
        request.local_cache(|| None::<SavedForm>).as_ref()
    }

    /// Names and values, without the CSRF token.
    fn pairs(fields: &str) -> Vec<(String, String)> {
        let decode = |text: &str| {
            RawStr::new(&text.replace('+', " "))
                .percent_decode_lossy()
                .into_owned()
        };
        let pairs = Form::values(fields)
            .map(|field| (decode(field.name.source().as_str()), decode(field.value)));
        pairs.filter(|(name, _)| name != "csrf").collect()
    }
}

/// Takes note of an upload by somebody who is not signed in: the file is not kept.
pub(super) fn save_upload(request: &Request<'_>) {
    SavedForm::save(request, None);
}

#[derive(Template)]
#[template(path = "resume.html")]
struct ResumePage<'a> {
    frame: &'a Frame,
    path: &'a str,
    /// Where to go without the form.
    page: &'a str,
    /// None if they were not kept.
    fields: Option<Vec<(String, String)>>,
    /// Why the form was not processed, if somebody was signed in, with the status.
    problem: Option<(u16, String)>,
}

/// A form that could not be processed, to be sent again.
pub(super) fn try_again(
    frame: &Frame,
    form: &SavedForm,
    status: u16,
    problem: String,
) -> Result<Page, Error> {
    let page = ResumePage {
        frame,
        path: local_path(&form.path),
        page: local_path(&form.page),
        fields: form.fields.as_deref().map(SavedForm::pairs),
        problem: Some((status, problem)),
    };
    Page::with_status(status, &page)
}

/// After sign-in: a form that came too late, to be sent now, or left for the page that it was on.
pub(super) fn resume(frame: &Frame, action: &str, page: &str, fields: &str) -> Result<Page, Error> {
    Page::new(&ResumePage {
        frame,
        path: local_path(action),
        page,
        fields: Some(SavedForm::pairs(fields)),
        problem: None,
    })
}

/// The path if it is one of ours, relative to the base path; otherwise that of the overview.
pub(super) fn local_path(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let is_path = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    // Browsers decode `%2e` to a dot.
    let dotted = next.to_ascii_lowercase().replace("%2e", ".");
    let has_parent = dotted.split(['/', '?', '#']).any(|segment| segment == "..");
    if is_path && !has_parent { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local_path;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn next_stays_inside() {
        for path in ["/licenses?q=a%20b&tool=T", "/licenses/7", "/"] {
            assert_eq!(local_path(path), path);
        }
        for path in [
            "",
            "licenses",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie:x",
            "/../other",
            "/x/../../other",
            "/%2e%2E/other",
            "javascript:alert(1)",
            "/ä",
        ] {
            assert_eq!(local_path(path), "/", "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 10_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn a_browser_that_follows_next_stays_inside(next in "\\PC{0,20}|/?(/|\\\\|\\.|\\.\\.|%2e|%2E|a|\\?|#|:|@|\t|\n){0,7}") {
            let path = local_path(&next);
            prop_assert!(path == next || path == "/");
            // As browsers read it: they drop tabs and line breaks, and decode %2e to a dot.
            prop_assert!(path.starts_with('/') && !path[1..].starts_with(['/', '\\']), "{}", path);
            prop_assert!(!path.contains(|c: char| c.is_control() || c.is_whitespace()));
            let file = path.split(['?', '#']).next().unwrap_or_default().to_lowercase();
            prop_assert!(file.split('/').all(|s| s.replace("%2e", ".") != ".."), "{}", path);
        }
    }
}
