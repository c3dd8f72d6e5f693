//! The web pages: one file per page or flow, plain forms, no scripts.

mod account;
mod answer;
mod assets;
mod audit;
mod bulk;
mod chart;
mod claim;
mod claim_offline;
mod claim_words;
mod code;
mod code_form;
mod code_import;
mod codes;
mod confirm;
mod customer;
mod customer_link;
mod customers;
mod diagnose;
mod digest;
mod doubts;
mod download;
mod export;
mod factor;
mod flash;
mod form;
mod frame;
mod history;
mod import;
mod integration;
mod invitation;
mod keys;
mod left;
mod license;
mod license_form;
mod license_query;
mod licenses;
mod login;
mod machine;
mod mail;
mod mail_texts;
mod mailto;
mod my;
mod my_words;
mod offline;
mod offline_words;
mod opened;
mod order;
mod overview;
mod people;
mod qr;
mod reason;
mod reference;
mod refused;
mod restored;
mod saved_form;
mod search;
mod security;
mod settings;
mod shop;
mod shops;
mod shown;
mod snippets;
mod step_up;
mod tool;
mod unlicensed;
mod upload;
mod webhook;
mod webhooks;

use std::sync::Arc;

use askama::Template;
use rocket::http::{ContentType, RawStr, Status};
use rocket::response::{Redirect, Responder};
use rocket::{Catcher, Either, Request, Route, catch, catchers};

use crate::auth::{send_renewed_session, signed_in};
use crate::config::Config;
use crate::error::Error;
use crate::request::{describe, refused};
use crate::service::Service;
use frame::Frame;
use saved_form::SavedForm;

pub use assets::Assets;
pub use claim::catchers as claim_catchers;
pub use my::catchers as my_catchers;

/// Relative to the base path.
pub fn routes() -> Vec<Route> {
    [
        account::routes(),
        assets::routes(),
        audit::routes(),
        bulk::routes(),
        code::routes(),
        code_form::routes(),
        code_import::routes(),
        codes::routes(),
        claim::routes(),
        claim_offline::routes(),
        customer::routes(),
        customer_link::routes(),
        customers::routes(),
        diagnose::routes(),
        digest::routes(),
        export::routes(),
        factor::routes(),
        import::routes(),
        integration::routes(),
        keys::routes(),
        license::routes(),
        license_form::routes(),
        licenses::routes(),
        login::routes(),
        machine::routes(),
        mail::routes(),
        mail_texts::routes(),
        my::routes(),
        offline::routes(),
        order::routes(),
        people::routes(),
        invitation::routes(),
        overview::routes(),
        restored::routes(),
        reference::routes(),
        search::routes(),
        security::routes(),
        settings::routes(),
        shop::routes(),
        shops::routes(),
        tool::routes(),
        unlicensed::routes(),
        webhook::routes(),
        webhooks::routes(),
    ]
    .concat()
}

/// For every error outside `/api`.
pub fn catchers() -> Vec<Catcher> {
    catchers![any]
}

/// Redirects to one of our own pages; `path` starts with a slash.
fn to(config: &Config, path: &str) -> Redirect {
    Redirect::to(format!("{}{}", config.base_path(), in_address(path)))
}

/// Percent-encodes what an address cannot have, because Rocket answers 500 to a redirect that it
/// cannot parse. What is encoded already stays as it is.
fn in_address(path: &str) -> String {
    let is_hex = |at: usize| path.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    let fragment = path.find('#');
    let mut address = String::with_capacity(path.len());
    for (at, byte) in path.bytes().enumerate() {
        let is_kept = match byte {
            b'%' => is_hex(at + 1) && is_hex(at + 2),
            b'#' => fragment == Some(at),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte),
        };
        match is_kept {
            true => address.push(char::from(byte)),
            false => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

/// A URL query that omits empty values.
fn query(given: &[(&str, &str)]) -> String {
    let encode = |text: &str| RawStr::new(text).percent_encode().to_string();
    let kept = given.iter().filter(|(_, text)| !text.is_empty());
    let pairs: Vec<String> = kept
        .map(|(name, text)| format!("{name}={}", encode(text)))
        .collect();
    format!("?{}", pairs.join("&"))
}

#[catch(default)]
async fn any(status: Status, request: &Request<'_>) -> Result<Either<Redirect, Page>, ErrorPage> {
    send_renewed_session(request);
    let frame = Frame::load(request);
    let error = refused(status, request);
    let form = SavedForm::from_request(request);
    let page = match (&error, form) {
        (Error::Unauthenticated, None) => {
            return Ok(Either::Left(login::redirect_to_login(request)));
        }
        (Error::Unauthenticated, Some(form)) => login::resume_after_login(&frame, form),
        (Error::Unconfirmed(problems), Some(form)) => {
            let session = signed_in(request).as_ref().map(|s| &s.session);
            step_up::ask(&frame, form, problems, session.is_ok_and(|s| s.has_factor))
        }
        (Error::NoSecondFactor | Error::RandomPassword, None) => {
            return Ok(Either::Left(account::redirect(request)));
        }
        (Error::Unavailable(_) | Error::TooManyRequests(_), Some(form)) => {
            saved_form::try_again(&frame, form, error.status(), busy(request, &error))
        }
        (Error::EarlierSession, Some(form)) => {
            saved_form::try_again(&frame, form, error.status(), error.to_string())
        }
        (Error::NotForRole { own, needed, who }, form) => {
            refused::page(request, &frame, [own, needed, who], form)
        }
        (_, form) => {
            let typed = form.map(SavedForm::typed).unwrap_or_default();
            return Err(ErrorPage {
                frame,
                error,
                typed,
            });
        }
    };
    page.map(Either::Right).map_err(|error| ErrorPage {
        frame,
        error,
        typed: vec![],
    })
}

/// The error, and what keeps the database busy.
fn busy(request: &Request<'_>, error: &Error) -> String {
    let service: Option<&Arc<Service>> = request.rocket().state();
    service.map_or_else(|| error.to_string(), |service| service.busy_words(error))
}

struct Page {
    status: u16,
    html: String,
}

impl Page {
    fn new(template: &impl Template) -> Result<Page, Error> {
        Page::with_status(200, template)
    }

    fn with_status(status: u16, template: &impl Template) -> Result<Page, Error> {
        let html = template
            .render()
            .map_err(|e| Error::Internal(format!("template: {e}")))?;
        Ok(Page { status, html })
    }
}

impl<'r> Responder<'r, 'static> for Page {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let refresh = left::refresh(request, &self.html);
        let mut response = self.html.respond_to(request)?;
        response.set_header(ContentType::HTML);
        response.set_status(Status::new(self.status));
        if let Some(refresh) = refresh {
            response.set_raw_header("Refresh", refresh);
        }
        Ok(response)
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    frame: Frame,
    error: Error,
    /// Labels and values of a form that could not be processed.
    typed: Vec<(String, String)>,
}

impl ErrorPage {
    fn title(&self) -> &'static str {
        match self.error.status() {
            403 => "Not allowed",
            404 => "Not found",
            405 => "Method not allowed",
            409 => "Not possible right now",
            429 => "Too many requests",
            503 => "Temporarily unavailable",
            500.. => "Something went wrong",
            _ => "Invalid request",
        }
    }
}

impl<'r> Responder<'r, 'static> for ErrorPage {
    fn respond_to(self, request: &'r Request<'_>) -> rocket::response::Result<'static> {
        let page = Page::with_status(self.error.status(), &self)
            .map_err(|_| Status::InternalServerError)?;
        let mut response = page.respond_to(request)?;
        describe(&self.error, request, &mut response);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::in_address;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use rocket::http::uri::Reference;

    #[test]
    fn what_is_encoded_stays_as_it_is() {
        assert_eq!(
            in_address("/a?q=%C3%A4+b&x=100%#a#b"),
            "/a?q=%C3%A4+b&x=100%25#a%23b"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 2_000,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_text_makes_an_address(text in "[ -~]{0,20}|\\PC{0,20}") {
            let address = in_address(&format!("/x{text}"));
            prop_assert!(Reference::parse(&address).is_ok(), "{}", address);
        }
    }
}
