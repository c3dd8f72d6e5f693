//! An answer to a customer, on a page that also shows what went wrong.

use askama::Template;
use rocket::Request;
use rocket::response::{self, Responder};

use super::Page;
use crate::error::Error;
use crate::request::{Failure, describe};

pub(super) struct Answer<T> {
    pub(super) page: T,
    pub(super) status: u16,
    /// For the log.
    pub(super) error: Option<Error>,
}

impl<T> Answer<T> {
    pub(super) fn new(page: T, error: Option<Error>) -> Answer<T> {
        Answer {
            page,
            status: error.as_ref().map_or(200, Error::status),
            error,
        }
    }
}

impl<'r, T: Template> Responder<'r, 'static> for Answer<T> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let page = Page::with_status(self.status, &self.page);
        let mut response = page.map_err(Failure).respond_to(request)?;
        if let Some(error) = &self.error {
            describe(error, request, &mut response);
        }
        Ok(response)
    }
}
