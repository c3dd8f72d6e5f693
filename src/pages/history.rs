//! What happened to one thing, as the section of its page.

use askama::Template;
use askama::filters::HtmlSafe;
use time::{OffsetDateTime, UtcOffset};

use super::frame::Frame;
use super::{query, shown};
use crate::model::audit::{Entry, Kind};
use crate::model::timeline::{Cursor, Happened, Page};
use crate::service::Service;

#[derive(Template)]
#[template(path = "history.html")]
pub(super) struct History {
    base: String,
    /// The page that it is on, such as `/licenses/7`.
    path: String,
    page: Page<Happened>,
    is_newest: bool,
    /// Of one license, with its checks; otherwise each event names its license.
    license_id: Option<i64>,
    may_open_mails: bool,
    may_open_audit: bool,
    offset: UtcOffset,
    now: OffsetDateTime,
}

/// Its template escapes.
impl HtmlSafe for History {}

impl History {
    /// The page of events that begins at `before`, of several licenses.
    pub(super) fn new(
        service: &Service,
        frame: &Frame,
        path: String,
        before: Option<Cursor>,
        page: Page<Happened>,
    ) -> History {
        History {
            base: frame.base.clone(),
            path,
            page,
            is_newest: before.is_none(),
            license_id: None,
            may_open_mails: frame.may_open("/mail/<id>"),
            may_open_audit: frame.may_open("/audit"),
            offset: service.utc_offset(),
            now: service.now(),
        }
    }

    pub(super) fn of_license(self, id: i64) -> History {
        History {
            license_id: Some(id),
            ..self
        }
    }

    /// The URL query of the page with older events.
    fn older(&self) -> Option<String> {
        let older = self.page.older?;
        Some(query(&[("before", &older.in_address())]))
    }

    /// The license whose changes the person may look up.
    fn audited(&self) -> Option<i64> {
        self.license_id.filter(|_| self.may_open_audit)
    }

    /// The license key or the code that an event of several is about, and its page unless it was deleted then.
    fn subject<'a>(&self, entry: &'a Entry) -> Option<(&'a str, Option<String>)> {
        let event = &entry.event;
        if self.license_id.is_some() {
            return None;
        }
        if let Some((id, code)) = event.changed_code() {
            let page = format!("/codes/{id}");
            return (page != self.path).then_some((code, Some(page)));
        }
        let (_, key) = event.pair()?;
        let id = event
            .license_id
            .filter(|_| event.kind != Kind::LicenseDeleted);
        Some((key, id.map(|id| format!("/licenses/{id}"))))
    }
}
