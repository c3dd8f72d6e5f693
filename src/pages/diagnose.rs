//! Why a check ends as it does: its steps, and near misses.

use std::borrow::Borrow;

use askama::Template;
use rocket::{Route, get, routes};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::frame::Frame;
use super::shown::{self, LicenseRow, verdict_class};
use super::{Page, query};
use crate::auth::Session;
use crate::model::explain::{LastDay, Outcome, Place, is_unseen};
use crate::model::license::{Status, Verdict};
use crate::model::marks::{Piece, marked, plain};
use crate::model::near::Difference;
use crate::model::new_license::format_date;
use crate::request::{App, Failure};
use crate::service::{Explanation, MOST_NEAR, NearMiss, OtherTool, Service};

/// Tool names in the suggestions of the field.
const MAX_SUGGESTIONS: usize = 300;

pub(super) fn routes() -> Vec<Route> {
    routes![diagnose]
}

#[derive(Template)]
#[template(path = "diagnose.html")]
struct DiagnosePage {
    frame: Frame,
    tool: String,
    key: String,
    tools: Vec<String>,
    /// None until a tool or key is entered.
    diagnosis: Option<Diagnosis>,
    offset: UtcOffset,
}

struct Diagnosis {
    explanation: Explanation,
    near_misses: Vec<NearMissRow>,
    /// Tools with a similar name: the name with its differences marked, and the URL query that diagnoses it.
    similar_tools: Vec<(Vec<Piece>, String)>,
}

struct NearMissRow {
    row: LicenseRow,
    difference: String,
    /// The tool's name as checked and as licensed; none where they are equal.
    tool: Option<[Vec<Piece>; 2]>,
    key: [Vec<Piece>; 2],
}

#[get("/diagnose?<tool>&<key>")]
async fn diagnose(
    app: &App,
    _session: Session,
    frame: Frame,
    tool: Option<String>,
    key: Option<String>,
) -> Result<Page, Failure> {
    let (tool, key) = (tool.unwrap_or_default(), key.unwrap_or_default());
    let entered = (tool.clone(), key.clone());
    let (mut tools, explanation) = app
        .run(move |service| {
            let (tool, key) = entered;
            let is_entered = !(tool.is_empty() && key.is_empty());
            let explanation = is_entered
                .then(|| service.explain(&tool, &key))
                .transpose()?;
            Ok((service.tool_names()?, explanation))
        })
        .await?;
    tools.truncate(MAX_SUGGESTIONS);
    let offset = app.utc_offset();
    let diagnosis = explanation.map(|e| Diagnosis::new(e, &tool, &key, app));
    Ok(Page::new(&DiagnosePage {
        frame,
        tool,
        key,
        tools,
        diagnosis,
        offset,
    })?)
}

impl Diagnosis {
    fn new(mut explanation: Explanation, tool: &str, key: &str, service: &Service) -> Diagnosis {
        let now = explanation.now;
        let near_misses = std::mem::take(&mut explanation.near).into_iter();
        let reading = explanation.decision.reading.as_ref();
        let key = reading.map_or(key, |reading| &reading.license_key);
        let near_misses = near_misses.map(|miss| NearMissRow::new(miss, tool, key, service, now));
        let similar = explanation.similar_tools.iter().map(|(name, difference)| {
            let [_, found] = marked(tool, name, *difference);
            (found, query(&[("tool", name), ("key", key)]))
        });
        Diagnosis {
            near_misses: near_misses.collect(),
            similar_tools: similar.collect(),
            explanation,
        }
    }

    /// HTTP status, `status` and message, as the tool gets them.
    fn answer(&self) -> (u16, &'static str, String) {
        match &self.explanation.answer {
            Ok(verdict) => (verdict.http(), verdict.word(), verdict.message().to_owned()),
            Err(error) => (error.status(), "error", error.to_string()),
        }
    }

    fn class(&self) -> &'static str {
        match self.explanation.answer {
            Ok(verdict) => verdict_class(verdict),
            Err(_) => "error",
        }
    }

    fn is_valid(&self) -> bool {
        matches!(self.explanation.answer, Ok(Verdict::Valid))
    }

    fn is_not_found(&self) -> bool {
        matches!(self.explanation.answer, Ok(Verdict::NotFound))
    }

    /// Whether a license can be added for exactly this tool and key.
    fn is_licensable(&self) -> bool {
        let reading = self.explanation.decision.reading.as_ref();
        self.is_not_found() && reading.is_some_and(|reading| !reading.is_unlicensable())
    }

    /// The URL query that fills in the form for a new license.
    fn new_license(&self, tool: &str) -> String {
        let reading = self.explanation.decision.reading.as_ref();
        let key = reading.map_or("", |reading| &reading.license_key);
        query(&[("tool", tool), ("key", key)])
    }

    fn outcome(&self, step: &usize) -> Outcome {
        self.explanation.decision.outcomes()[*step - 1]
    }
}

impl NearMissRow {
    fn new(
        miss: NearMiss,
        tool: &str,
        key: &str,
        service: &Service,
        now: OffsetDateTime,
    ) -> NearMissRow {
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
        NearMissRow {
            difference: difference_words(miss.tool, miss.key),
            tool: names,
            key: keys,
            row: LicenseRow::new(miss.listed, service, now),
        }
    }
}

fn difference_words(tool: OtherTool, key: Option<Difference>) -> String {
    let what = |difference| match difference {
        Difference::Case => "only in upper and lower case",
        Difference::Spelling => "in spaces, punctuation or case",
        Difference::OneCharacter => "in one character",
        Difference::Swapped => "by two swapped characters",
    };
    let key = key.map(|difference| match difference {
        Difference::Spelling => "Same machine ID in another spelling".to_owned(),
        _ => format!("The key differs {}", what(difference)),
    });
    match (tool, key) {
        (OtherTool::Same, Some(key)) => format!("{key}."),
        (OtherTool::Same, None) => "Same tool and key.".to_owned(),
        (OtherTool::Similar(name), None) => {
            format!("Same key; the tool name differs {}.", what(name))
        }
        (OtherTool::Similar(name), Some(key)) => {
            format!("{key}; the tool name differs {}.", what(name))
        }
        (OtherTool::Other, None) => "Same key, for another tool.".to_owned(),
        (OtherTool::Other, Some(key)) => format!("{key}, for another tool."),
    }
}

/// Marks invisible characters: leading and trailing spaces as `␣`, others by their code point.
fn reveal_invisible(text: &str) -> Vec<Piece> {
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

/// `3 days 4 hours`: the two largest units, rounded down.
fn duration_words(duration: Duration) -> String {
    let seconds = duration.whole_seconds().unsigned_abs();
    let parts = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let units = parts.iter().skip_while(|(number, _)| *number == 0).take(2);
    let words: Vec<String> = units
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}{}", if *number == 1 { "" } else { "s" }))
        .collect();
    if words.is_empty() {
        return "less than a second".to_owned();
    }
    words.join(" ")
}

fn day(day: impl Borrow<Date>) -> String {
    format_date(*day.borrow())
}

fn time_to_expiration(last: &LastDay, now: &OffsetDateTime) -> Option<String> {
    let expires_at = last.ends_at?;
    Some(if *now < expires_at {
        format!("It expires in {}.", duration_words(expires_at - *now))
    } else {
        format!("It expired {} ago.", duration_words(*now - expires_at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, words) in [
            (0, "less than a second"),
            (1, "1 second"),
            (61, "1 minute 1 second"),
            (3_600, "1 hour"),
            (2 * 86_400 + 60, "2 days"),
            (400 * 86_400 + 3_700, "400 days 1 hour"),
        ] {
            assert_eq!(duration_words(Duration::seconds(seconds)), words);
        }
    }

    #[test]
    fn invisible_characters_are_revealed() {
        let shown = |text| -> String {
            let pieces = reveal_invisible(text).into_iter();
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
