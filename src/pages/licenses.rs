//! The table of licenses: search, filters, pages.

use askama::Template;
use rocket::{FromForm, Route, get, routes};

use super::frame::Frame;
use super::shown::Shown;
use super::{Page, query};
use crate::auth::Session;
use crate::model::license::Status;
use crate::model::search::{Filter, Fragment, Span};
use crate::request::{App, Failure};
use crate::service::Count;

const PER_PAGE: i64 = 50;

pub(super) fn routes() -> Vec<Route> {
    routes![list]
}

/// What stands in the address of the page.
#[derive(FromForm)]
struct Wanted {
    #[field(default = "")]
    q: String,
    #[field(default = "")]
    tool: String,
    #[field(default = "")]
    status: String,
    before: Option<i64>,
    after: Option<i64>,
}

#[derive(Template)]
#[template(path = "licenses.html")]
struct ListPage<'a> {
    frame: &'a Frame,
    wanted: &'a Wanted,
    tools: &'a [String],
    rows: &'a [Shown],
    count: String,
    /// Addresses of the neighbouring pages.
    newer: Option<String>,
    older: Option<String>,
}

#[get("/licenses?<wanted..>")]
async fn list(app: &App, _session: Session, frame: Frame, wanted: Wanted) -> Result<Page, Failure> {
    let filter = wanted.filter();
    let span = wanted.span();
    let (tools, mut licenses, count) = app
        .run(move |service| {
            let licenses = service.licenses(&filter, span, PER_PAGE + 1)?;
            Ok((
                service.tool_names()?,
                licenses,
                service.count_licenses(&filter)?,
            ))
        })
        .await?;
    let is_full = licenses.len() as i64 > PER_PAGE;
    licenses.truncate(PER_PAGE as usize);
    let is_backwards = matches!(span, Span::After(_));
    if is_backwards {
        licenses.reverse();
    }
    let has_newer = if is_backwards {
        is_full
    } else {
        wanted.before.is_some()
    };
    let has_older = if is_backwards { true } else { is_full };
    let newer = licenses
        .first()
        .filter(|_| has_newer)
        .map(|first| wanted.address("after", first.id));
    let older = licenses
        .last()
        .filter(|_| has_older)
        .map(|last| wanted.address("before", last.id));
    let (now, offset) = (app.now(), app.utc_offset());
    let rows: Vec<Shown> = licenses
        .into_iter()
        .map(|l| Shown::new(l, now, offset))
        .collect();
    Ok(Page::new(&ListPage {
        frame: &frame,
        wanted: &wanted,
        tools: &tools,
        rows: &rows,
        count: count_words(count),
        newer,
        older,
    })?)
}

impl Wanted {
    fn filter(&self) -> Filter {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Filter {
            tool_name: given(&self.tool),
            status: Status::from_word(&self.status),
            user_id: None,
            fragment: Fragment::parse(&self.q),
        }
    }

    fn span(&self) -> Span {
        match (self.after, self.before) {
            (Some(after), _) => Span::After(after),
            (None, Some(before)) => Span::Before(before),
            (None, None) => Span::Before(i64::MAX),
        }
    }

    fn is_filtered(&self) -> bool {
        [&self.q, &self.tool, &self.status]
            .into_iter()
            .any(|text| !text.is_empty())
    }

    /// The query of the same filter at another place of the table.
    fn address(&self, place: &str, id: i64) -> String {
        let given = [
            ("q", &self.q),
            ("tool", &self.tool),
            ("status", &self.status),
        ];
        query(&given, place, id)
    }
}

fn count_words(count: Count) -> String {
    match count {
        Count::Exactly(1) => "1 license".to_owned(),
        Count::Exactly(found) => format!("{} licenses", grouped(found)),
        Count::MoreThan(found) => format!("more than {} licenses", grouped(found)),
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
