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
use crate::model::license::fields::FIELDS;

/// A form that could not be processed, kept so that nothing has to be typed again.
#[derive(Debug, Clone)]
pub(super) struct SavedForm {
    /// The action of the form, relative to the base path.
    pub(super) path: String,
    /// Urlencoded and without passwords; none if it is not kept, because it has nothing but a file or passwords.
    pub(super) fields: Option<String>,
    /// The page that the form was on, relative to the base path.
    pub(super) page: String,
    pub(super) is_upload: bool,
    /// With a file, which is not kept.
    has_file: bool,
}

/// Bytes of a form, encoded once more, that fit into the form for signing in.
const MAX_CARRIED: usize = 56 * 1024;

/// Letters of what nobody minds to type again.
const WORD: usize = 20;

/// Texts that some form has alone; another short one is that of a button.
const ALONE: [&str; 5] = ["license_key", "tool_name", "url", "description", "email"];
/// How the names of fields begin that are added to a form to confirm who sends it.
pub(super) const CONFIRM: &str = "confirm_";

/// Fields that are emptied before a form is kept, and asked for again.
const PASSWORDS: [&str; 2] = ["password", "secret"];

impl SavedForm {
    pub(super) fn save(request: &Request<'_>, fields: &str) {
        let pairs = SavedForm::pairs(fields);
        SavedForm::save_pairs(request, Some(pairs), None);
    }

    /// Of an upload: none if it had nothing but a file, which is not kept.
    pub(super) fn save_upload(
        request: &Request<'_>,
        pairs: Option<Vec<(String, String)>>,
        has_file: bool,
    ) {
        SavedForm::save_pairs(request, pairs, Some(has_file));
    }

    /// `file` is whether an upload has one; none for a form without.
    fn save_pairs(request: &Request<'_>, pairs: Option<Vec<(String, String)>>, file: Option<bool>) {
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
        let is_secret = path == "/account/password" || path.starts_with("/account/factor");
        let kept = pairs.filter(|_| !is_secret);
        request.local_cache(|| {
            Some(SavedForm {
                fields: kept.map(encoded),
                page: page.unwrap_or_else(|| path.clone()),
                path,
                is_upload: file.is_some(),
                has_file: file.unwrap_or_default(),
            })
        });
    }

    pub(super) fn from_request<'r>(request: &'r Request<'_>) -> Option<&'r SavedForm> {
        request.local_cache(|| None::<SavedForm>).as_ref()
    }

    /// Whether it can be sent along with a user name and a password.
    pub(super) fn is_small(&self) -> bool {
        let fields = self.fields.as_deref().unwrap_or_default();
        !self.is_upload && RawStr::new(fields).percent_encode().len() <= MAX_CARRIED
    }

    /// Names and values, without the CSRF token and what confirms who sends them.
    pub(super) fn pairs(fields: &str) -> Vec<(String, String)> {
        let decode = |text: &str| {
            RawStr::new(&text.replace('+', " "))
                .percent_decode_lossy()
                .into_owned()
        };
        let pairs = Form::values(fields)
            .map(|field| (decode(field.name.source().as_str()), decode(field.value)));
        let is_own = |(name, _): &(String, String)| name != "csrf" && !name.starts_with(CONFIRM);
        pairs.filter(is_own).collect()
    }

    /// What was typed, with the labels of the fields, for somebody who has to copy it.
    pub(super) fn typed(&self) -> Vec<(String, String)> {
        let pairs = SavedForm::pairs(self.fields.as_deref().unwrap_or_default());
        let is_typed = |(name, value): &(String, String)| {
            let is_carried = ["was", "keep", "use", "do"]
                .iter()
                .any(|kind| name.split('_').next() == Some(*kind));
            !is_carried && !value.trim().is_empty()
        };
        let mut typed: Vec<(String, String)> = pairs.into_iter().filter(is_typed).collect();
        let is_of_button =
            |(name, value): &(String, String)| value.len() < WORD && !ALONE.contains(&&**name);
        if typed.len() == 1 && typed.iter().all(is_of_button) {
            typed.clear();
        }
        for (name, _) in &mut typed {
            *name = label(name);
        }
        typed
    }
}

fn label(name: &str) -> String {
    let field = FIELDS.iter().find(|field| field.name == name);
    let label = field.map_or(name, |field| field.label.trim_start_matches("The "));
    let words = label.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn encoded(pairs: Vec<(String, String)>) -> String {
    let encode = |text: &str| RawStr::new(text).percent_encode().to_string();
    let pairs = pairs.into_iter().map(|(name, value)| {
        let is_password = PASSWORDS.contains(&&*name);
        let value = if is_password { "" } else { &value };
        format!("{}={}", encode(&name), encode(value))
    });
    pairs.collect::<Vec<String>>().join("&")
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
    is_upload: bool,
    has_file: bool,
    /// Somebody has to sign in first, in another tab.
    is_signed_out: bool,
    /// Why the form was not processed, if somebody was signed in, with the status.
    problem: Option<(u16, String)>,
}

impl ResumePage<'_> {
    fn is_password(&self, name: &str) -> bool {
        PASSWORDS.contains(&name)
    }
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
        is_upload: form.is_upload,
        has_file: form.has_file,
        is_signed_out: false,
        problem: Some((status, problem)),
    };
    Page::with_status(status, &page)
}

/// A form that came after its session had ended and does not fit into the form for signing in: the page keeps it
/// while somebody signs in beside it.
pub(super) fn keep_open(frame: &Frame, form: &SavedForm) -> Result<Page, Error> {
    let page = ResumePage {
        frame,
        path: local_path(&form.path),
        page: local_path(&form.page),
        fields: form.fields.as_deref().map(SavedForm::pairs),
        is_upload: form.is_upload,
        has_file: form.has_file,
        is_signed_out: true,
        problem: None,
    };
    Page::with_status(401, &page)
}

/// After sign-in: a form that came too late, to be sent now, or left for the page that it was on.
pub(super) fn resume(frame: &Frame, action: &str, page: &str, fields: &str) -> Result<Page, Error> {
    Page::new(&ResumePage {
        frame,
        path: local_path(action),
        page,
        fields: Some(SavedForm::pairs(fields)),
        is_upload: false,
        has_file: false,
        is_signed_out: false,
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
