//! Why a check has its result: its steps, and near misses.

use std::borrow::Borrow;

use askama::Template;
use rocket::{Route, get, routes};
use time::{Date, Duration, OffsetDateTime, UtcOffset};

use super::frame::Frame;
use super::shown::{self, LicenseRow, verdict_class};
use super::{Page, query};
use crate::auth::Session;
use crate::model::date;
use crate::model::diagnosis::{Expiration, StepResult, is_invisible};
use crate::model::license::{Status, Verdict};
use crate::model::machine_code::machine_code;
use crate::model::near_miss::Mismatch;
use crate::model::text_diff::{DiffSpan, marked, plain};
use crate::request::{App, Failure};
use crate::service::{Diagnosis, MAX_NEAR_MISSES, NearMiss, Service, ToolMatch};

/// Tool names suggested for the field.
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
    diagnosis: Option<DiagnosisView>,
    offset: UtcOffset,
}

struct DiagnosisView {
    of: Diagnosis,
    near_misses: Vec<NearMissRow>,
    /// Tools with a similar name: the name with its differences marked, and the URL query that diagnoses it.
    similar_tools: Vec<(Vec<DiffSpan>, String)>,
}

struct NearMissRow {
    row: LicenseRow,
    difference: String,
    /// The tool's name as checked and as licensed; none if they are equal.
    tool: Option<[Vec<DiffSpan>; 2]>,
    key: [Vec<DiffSpan>; 2],
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
    let (mut tools, diagnosis) = app
        .run(move |service| {
            let (tool, key) = entered;
            let is_entered = !(tool.is_empty() && key.is_empty());
            let diagnosis = is_entered
                .then(|| service.diagnose(&tool, &key))
                .transpose()?;
            Ok((service.tool_names()?, diagnosis))
        })
        .await?;
    tools.truncate(MAX_SUGGESTIONS);
    let offset = app.utc_offset();
    let diagnosis = diagnosis.map(|of| DiagnosisView::new(of, &tool, &key, app));
    Ok(Page::new(&DiagnosePage {
        frame,
        tool,
        key,
        tools,
        diagnosis,
        offset,
    })?)
}

impl DiagnosisView {
    fn new(mut of: Diagnosis, tool: &str, key: &str, service: &Service) -> DiagnosisView {
        let now = of.now;
        let near_misses = std::mem::take(&mut of.near_misses).into_iter();
        let reading = of.steps.reading.as_ref();
        let (tool, key) = reading.map_or((tool, key), |reading| {
            (reading.tool_name.as_str(), reading.license_key.as_str())
        });
        let near_misses = near_misses.map(|miss| NearMissRow::new(miss, tool, key, service, now));
        let similar = of.similar_tools.iter().map(|(name, mismatch)| {
            let [_, found] = marked(tool, name, *mismatch);
            (found, query(&[("tool", name), ("key", key)]))
        });
        DiagnosisView {
            near_misses: near_misses.collect(),
            similar_tools: similar.collect(),
            of,
        }
    }

    /// HTTP status, `status` and message, as the tool receives them.
    fn answer(&self) -> (u16, &'static str, String) {
        match &self.of.answer {
            Ok(verdict) => (verdict.http(), verdict.word(), verdict.message().to_owned()),
            Err(error) => (error.status(), "error", error.to_string()),
        }
    }

    fn class(&self) -> &'static str {
        match self.of.answer {
            Ok(verdict) => verdict_class(verdict),
            Err(_) => "error",
        }
    }

    fn is_valid(&self) -> bool {
        matches!(self.of.answer, Ok(Verdict::Valid))
    }

    fn is_in_grace(&self) -> bool {
        matches!(self.of.answer, Ok(Verdict::InGrace))
    }

    fn is_not_found(&self) -> bool {
        matches!(self.of.answer, Ok(Verdict::NotFound))
    }

    /// The URL query that prefills the form for moving a license to the checked key.
    fn new_key(&self) -> String {
        query(&[("license_key", self.key())])
    }

    /// The URL query that prefills the form for a new license.
    fn new_license(&self) -> String {
        let reading = self.of.steps.reading.as_ref();
        let tool = reading.map_or("", |reading| &reading.tool_name);
        query(&[("tool", tool), ("key", self.key())])
    }

    /// As a license would have it.
    fn key(&self) -> &str {
        let reading = self.of.steps.reading.as_ref();
        reading.map_or("", |reading| &reading.license_key)
    }

    fn step(&self, number: &usize) -> StepResult {
        self.of.steps.results[*number - 1]
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
            ToolMatch::Same => None,
            ToolMatch::Similar(difference) => Some(marked(tool, &license.tool_name, difference)),
            ToolMatch::Other => Some([plain(tool), plain(&license.tool_name)]),
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

fn difference_words(tool: ToolMatch, key: Option<Mismatch>) -> String {
    let what = |difference| match difference {
        Mismatch::Case => "only in upper and lower case",
        Mismatch::Spelling => "in spaces, punctuation or case",
        Mismatch::LookAlike => "in letters that look like digits",
        Mismatch::OneCharacter => "in one character",
        Mismatch::Swapped => "by two swapped characters",
        Mismatch::Contained => "in length: one contains the other",
    };
    let key = key.map(|difference| match difference {
        Mismatch::Spelling => "Same machine ID in another spelling".to_owned(),
        _ => format!("The key differs {}", what(difference)),
    });
    match (tool, key) {
        (ToolMatch::Same, Some(key)) => format!("{key}."),
        (ToolMatch::Same, None) => "Same tool and key.".to_owned(),
        (ToolMatch::Similar(name), None) => {
            format!("Same key; the tool name differs {}.", what(name))
        }
        (ToolMatch::Similar(name), Some(key)) => {
            format!("{key}; the tool name differs {}.", what(name))
        }
        (ToolMatch::Other, None) => "Same key, for another tool.".to_owned(),
        (ToolMatch::Other, Some(key)) => format!("{key}, for another tool."),
    }
}

/// Marks invisible characters: leading and trailing spaces as `␣`, others by their code point.
fn reveal_invisible(text: &str) -> Vec<DiffSpan> {
    let (start, end) = (
        text.len() - text.trim_start().len(),
        text.trim_end_matches(' ').len(),
    );
    let mut spans: Vec<DiffSpan> = Vec::new();
    for (at, c) in text.char_indices() {
        let is_marked = is_invisible(c) || c == ' ' && (at < start || at >= end);
        let word = match c {
            ' ' if is_marked => "␣".to_owned(),
            _ if is_marked => format!("U+{:04X}", u32::from(c)),
            _ => c.to_string(),
        };
        match spans.last_mut() {
            Some(last) if !is_marked && !last.is_marked => last.text.push_str(&word),
            _ => spans.push(DiffSpan {
                text: word,
                is_marked,
            }),
        }
    }
    spans
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
    date::format(*day.borrow())
}

fn time_to_expiration(expiration: &Expiration, now: &OffsetDateTime) -> Option<String> {
    let expires_at = expiration.expires_at?;
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
            let spans = reveal_invisible(text).into_iter();
            spans
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
