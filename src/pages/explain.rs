//! Why a tool is told what it is told: the steps of the check, and near misses.

use std::borrow::Borrow;

use askama::Template;
use rocket::{Route, get, routes};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::frame::Frame;
use super::shown::{self, Shown};
use super::{Page, query};
use crate::auth::Session;
use crate::model::explain::{LastDay, Outcome, Place, is_unseen};
use crate::model::license::{Status, Verdict};
use crate::model::marks::{Piece, marked, plain};
use crate::model::near::Difference;
use crate::model::new_license::format_date;
use crate::request::{App, Failure};
use crate::service::{Explanation, MOST_NEAR, NearMiss, OtherTool, Service};

/// Tools that the field suggests.
const SUGGESTIONS: usize = 300;

pub(super) fn routes() -> Vec<Route> {
    routes![explain]
}

#[derive(Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    frame: Frame,
    tool: String,
    key: String,
    tools: Vec<String>,
    /// None where nothing was asked yet.
    explained: Option<Explained>,
    offset: UtcOffset,
}

struct Explained {
    of: Explanation,
    near: Vec<Near>,
    /// Tools with nearly that name: marked, and the address of the same question to them.
    similar_tools: Vec<(Vec<Piece>, String)>,
}

/// A near miss beside the question.
struct Near {
    shown: Shown,
    words: String,
    /// The tool's name as it was asked and as it is; none where they are the same.
    tool: Option<[Vec<Piece>; 2]>,
    key: [Vec<Piece>; 2],
}

#[get("/explain?<tool>&<key>")]
async fn explain(
    app: &App,
    _session: Session,
    frame: Frame,
    tool: Option<String>,
    key: Option<String>,
) -> Result<Page, Failure> {
    let (tool, key) = (tool.unwrap_or_default(), key.unwrap_or_default());
    let asked = (tool.clone(), key.clone());
    let (mut tools, explanation) = app
        .run(move |service| {
            let (tool, key) = asked;
            let is_asked = !(tool.is_empty() && key.is_empty());
            let explanation = is_asked.then(|| service.explain(&tool, &key)).transpose()?;
            Ok((service.tool_names()?, explanation))
        })
        .await?;
    tools.truncate(SUGGESTIONS);
    let offset = app.utc_offset();
    let explained = explanation.map(|of| Explained::new(of, &tool, &key, app));
    Ok(Page::new(&ExplainPage {
        frame,
        tool,
        key,
        tools,
        explained,
        offset,
    })?)
}

impl Explained {
    fn new(mut of: Explanation, tool: &str, key: &str, service: &Service) -> Explained {
        let read = of.decision.reading.as_ref();
        let key = read.map_or(key, |reading| &reading.license_key);
        let near = std::mem::take(&mut of.near).into_iter();
        let near = near.map(|miss| Near::new(miss, tool, key, service, of.now));
        let similar = of.similar_tools.iter().map(|(name, difference)| {
            let [_, found] = marked(tool, name, *difference);
            (found, query(&[("tool", name), ("key", key)]))
        });
        Explained {
            near: near.collect(),
            similar_tools: similar.collect(),
            of,
        }
    }

    /// Status, word and message as the tool gets them.
    fn answer(&self) -> (u16, &'static str, String) {
        match &self.of.answer {
            Ok(verdict) => (verdict.http(), verdict.word(), verdict.message().to_owned()),
            Err(error) => (error.status(), "error", error.to_string()),
        }
    }

    /// The style class of the verdict.
    fn state(&self) -> &'static str {
        match self.of.answer {
            Ok(Verdict::Valid) => "activated",
            Ok(Verdict::Expired) => "expired",
            Ok(Verdict::InGrace) => "grace",
            Ok(Verdict::Suspended) => "suspended",
            Ok(Verdict::Revoked | Verdict::NotFound) | Err(_) => "revoked",
        }
    }

    fn is_valid(&self) -> bool {
        matches!(self.of.answer, Ok(Verdict::Valid))
    }

    fn is_not_found(&self) -> bool {
        matches!(self.of.answer, Ok(Verdict::NotFound))
    }

    /// Whether a license can be made for exactly this question.
    fn is_licensable(&self) -> bool {
        let reading = self.of.decision.reading.as_ref();
        self.is_not_found() && reading.is_some_and(|reading| !reading.is_unlicensable())
    }

    /// The address of the form for a new license, filled in.
    fn new_license(&self, tool: &str) -> String {
        let reading = self.of.decision.reading.as_ref();
        let key = reading.map_or("", |reading| &reading.license_key);
        query(&[("tool", tool), ("key", key)])
    }

    fn outcome(&self, step: &usize) -> Outcome {
        self.of.decision.outcomes()[*step - 1]
    }
}

impl Near {
    fn new(miss: NearMiss, tool: &str, key: &str, service: &Service, now: OffsetDateTime) -> Near {
        let license = &miss.listed.license;
        let names = match miss.tool {
            OtherTool::Same => None,
            OtherTool::Similar(difference) => Some(marked(tool, &license.tool_name, difference)),
            OtherTool::Other => Some([plain(tool), plain(&license.tool_name)]),
        };
        let keys = match miss.key {
            Some(difference) => marked(key, &license.license_key, difference),
            None => [plain(key), plain(&license.license_key)],
        };
        Near {
            words: words(miss.tool, miss.key),
            tool: names,
            key: keys,
            shown: Shown::new(miss.listed, service, now),
        }
    }
}

/// What differs.
fn words(tool: OtherTool, key: Option<Difference>) -> String {
    let what = |difference| match difference {
        Difference::Case => "in upper and lower case only",
        Difference::Spelling => "in white space or punctuation, perhaps in case",
        Difference::OneCharacter => "in one character",
        Difference::Swapped => "by two neighbours swapped",
    };
    let key = key.map(|difference| match difference {
        Difference::Spelling => "The same id in another spelling".to_owned(),
        _ => format!("The key differs {}", what(difference)),
    });
    match (tool, key) {
        (OtherTool::Same, Some(key)) => format!("{key}."),
        (OtherTool::Same, None) => "The same.".to_owned(),
        (OtherTool::Similar(name), None) => {
            format!("The same key; the tool’s name differs {}.", what(name))
        }
        (OtherTool::Similar(name), Some(key)) => {
            format!("{key}, and the tool’s name {}.", what(name))
        }
        (OtherTool::Other, None) => "The same key, for another tool.".to_owned(),
        (OtherTool::Other, Some(key)) => format!("{key}, for another tool."),
    }
}

/// A text whose unseen characters are marked: a space at an end as `␣`, others by their number.
fn seen(text: &str) -> Vec<Piece> {
    let (start, end) = (
        text.len() - text.trim_start().len(),
        text.trim_end_matches(' ').len(),
    );
    let mut pieces: Vec<Piece> = Vec::new();
    for (at, c) in text.char_indices() {
        let is_marked = is_unseen(c) || c == ' ' && (at < start || at >= end);
        let word = match c {
            ' ' if is_marked => "␣".to_owned(),
            _ if is_marked => format!("U+{:04X}", u32::from(c)),
            _ => c.to_string(),
        };
        match pieces.last_mut() {
            Some(last) if !is_marked && !last.is_marked => last.text.push_str(&word),
            _ => pieces.push(Piece {
                text: word,
                is_marked,
            }),
        }
    }
    pieces
}

/// `3 days 4 hours`, the two largest parts, rounded down.
fn span(span: Duration) -> String {
    let seconds = span.whole_seconds().unsigned_abs();
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let told = parts.iter().skip_while(|(number, _)| *number == 0).take(2);
    let told: Vec<String> = told
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}{}", if *number == 1 { "" } else { "s" }))
        .collect();
    if told.is_empty() {
        return "less than a second".to_owned();
    }
    told.join(" ")
}

fn day(day: impl Borrow<Date>) -> String {
    format_date(*day.borrow())
}

/// Until when it lasts still, or since when it is over.
fn distance(last: &LastDay, now: &OffsetDateTime) -> Option<String> {
    let ends_at = last.ends_at?;
    Some(if *now < ends_at {
        format!("It is good for another {}.", span(ends_at - *now))
    } else {
        format!("It ended {} ago.", span(*now - ends_at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_by_its_two_largest_parts() {
        for (seconds, told) in [
            (0, "less than a second"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3_600, "1 hour"),
            (2 * 86_400 + 60, "2 days"),
            (400 * 86_400 + 3_700, "400 days 1 hour"),
        ] {
            assert_eq!(span(Duration::seconds(seconds)), told);
        }
    }

    #[test]
    fn what_nobody_sees_is_shown() {
        let shown = |text| -> String {
            let pieces = seen(text).into_iter();
            pieces
                .map(|p| {
                    if p.is_marked {
                        format!("[{}]", p.text)
                    } else {
                        p.text
                    }
                })
                .collect()
        };
        assert_eq!(shown("PC 1"), "PC 1");
        assert_eq!(shown(" PC 1  "), "[␣]PC 1[␣][␣]");
        assert_eq!(shown("a\u{200b}b\u{a0}"), "a[U+200B]b[U+00A0]");
        assert_eq!(shown("  "), "[␣][␣]");
    }
}
