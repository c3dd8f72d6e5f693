//! Dates as people and spreadsheet programs write them.

use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

use super::shorten;
use crate::model::date;

/// Words for a perpetual license.
const NEVER: [&str; 9] = [
    "",
    "never",
    "perpetual",
    "unlimited",
    "none",
    "null",
    "-",
    "–",
    "—",
];

/// `YYYY-MM-DD` for an unambiguous date, empty for a word in [`NEVER`]; the error explains why a
/// date is ambiguous. Everything else is passed through to the validator.
pub(super) fn normal_date(label: &str, typed: &str) -> Result<String, String> {
    let text = typed.trim();
    if NEVER.contains(&text.to_lowercase().as_str()) {
        return Ok(String::new());
    }
    let day = without_midnight(text);
    if date::read(day).is_some() {
        return Ok(day.to_owned());
    }
    let date = match numbers(day) {
        None => None,
        Some(('/', [year, month, day])) if is_year(year) => date(year, month, day),
        Some(('.', [day, month, year])) if is_year(year) => date(year, month, day),
        Some(('/', [first, second, year])) if is_year(year) => either(first, second, year)
            .map_err(|[american, other]| {
                format!(
                    "{label} `{text}` could be {american} or {other}; use YYYY-MM-DD, for example \
                     {other}."
                )
            })?,
        Some((_, parts)) if parts.iter().all(|part| part.len() <= 2) => {
            return Err(format!(
                "{label} `{}` has a year of two digits; use YYYY-MM-DD, for example 2026-12-31.",
                shorten(text)
            ));
        }
        Some(_) => None,
    };
    Ok(date.map_or_else(|| typed.to_owned(), date::format))
}

/// A UTC timestamp as our own exports write it and in some other formats; a date alone means
/// midnight.
pub(super) fn read_moment(typed: &str) -> Option<OffsetDateTime> {
    let (day, time) = typed.split_once([' ', 'T']).unwrap_or((typed, "0:00"));
    let day = normal_date("", day).ok().and_then(|day| date::read(&day))?;
    let time = time.trim();
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let short = format_description!("[hour padding:none]:[minute]");
    let long = format_description!("[hour padding:none]:[minute]:[second]");
    let time = Time::parse(time, long).or_else(|_| Time::parse(time, short));
    Some(PrimitiveDateTime::new(day, time.ok()?).assume_utc())
}

/// Whether it can only be meant as a date, which may be ambiguous. Versions such as `1.2.3` are none.
pub(super) fn is_date(typed: &str) -> bool {
    let text = typed.trim();
    let is_ambiguous = || numbers(text).is_some_and(|(separator, _)| separator == '/');
    read_moment(text).is_some() || normal_date("", text).is_err() && is_ambiguous()
}

/// Spreadsheet programs and databases append midnight to a date.
fn without_midnight(text: &str) -> &str {
    match text.split_once([' ', 'T']) {
        Some((day, time)) if is_midnight(time.trim()) => day,
        _ => text,
    }
}

fn is_midnight(time: &str) -> bool {
    if matches!(time, "12:00 AM" | "12:00:00 AM") {
        return true;
    }
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let is_whole = !fraction.is_empty() && fraction.bytes().all(|c| c == b'0');
    is_whole && matches!(time, "0:00" | "00:00" | "0:00:00" | "00:00:00")
}

/// Three numbers and their separator.
fn numbers(text: &str) -> Option<(char, [&str; 3])> {
    let separator = text.chars().find(|c| "./-".contains(*c))?;
    let mut parts = text.split(separator);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit());
    (parts.next().is_none() && three.iter().all(is_number)).then_some((separator, three))
}

fn is_year(digits: &str) -> bool {
    digits.len() == 4
}

fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    date::read(&format!("{year}-{month:0>2}-{day:0>2}"))
}

/// The date of `12/31/2026` or `31/12/2026`; the error contains both if both are valid.
fn either(first: &str, second: &str, year: &str) -> Result<Option<Date>, [String; 2]> {
    match (date(year, first, second), date(year, second, first)) {
        (Some(american), Some(other)) if american != other => {
            Err([american, other].map(date::format))
        }
        (american, other) => Ok(american.or(other)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use time::macros::datetime;

    use super::*;

    fn normal_date(typed: &str) -> Result<String, String> {
        super::normal_date("The expiration date", typed)
    }

    #[test]
    fn a_day_with_one_reading_is_read() {
        for (typed, normal) in [
            ("2026-12-31", "2026-12-31"),
            (" 2026-12-31 ", "2026-12-31"),
            ("2026-12-31 00:00:00", "2026-12-31"),
            ("2026-12-31T00:00:00", "2026-12-31"),
            ("2026-12-31T00:00:00.000Z", "2026-12-31"),
            ("2026-12-31T00:00Z", "2026-12-31"),
            ("31.12.2026", "2026-12-31"),
            ("31.12.2026 0:00", "2026-12-31"),
            ("1.2.2026", "2026-02-01"),
            ("2026/12/31", "2026-12-31"),
            ("2026/1/2", "2026-01-02"),
            ("12/31/2026", "2026-12-31"),
            ("12/31/2026 12:00:00 AM", "2026-12-31"),
            ("31/12/2026", "2026-12-31"),
            ("11/11/2026", "2026-11-11"),
            ("2/29/2028", "2028-02-29"),
        ] {
            assert_eq!(normal_date(typed).as_deref(), Ok(normal), "{typed}");
        }
    }

    #[test]
    fn a_moment_is_read_to_the_second() {
        for typed in [
            "2023-10-27 10:00:00",
            "2023-10-27T10:00:00Z",
            "2023-10-27T10:00:00.000Z",
            "2023-10-27 10:00",
            "27.10.2023 10:00",
            "10/27/2023 10:00",
        ] {
            let expected = datetime!(2023-10-27 10:00 UTC);
            assert_eq!(read_moment(typed), Some(expected), "{typed}");
        }
        let day = datetime!(2023-10-27 0:00 UTC);
        assert_eq!(read_moment("2023-10-27"), Some(day));
        for typed in [
            "",
            "yesterday",
            "2023-10-27 25:00",
            "2023-02-30",
            "5",
            "2023-10-27 1:00.",
        ] {
            assert_eq!(read_moment(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_day_with_two_readings_is_refused_with_both() {
        let reason = normal_date("11/12/2026").unwrap_err();
        for part in ["`11/12/2026`", "2026-11-12 or", "example 2026-12-11"] {
            assert!(reason.contains(part), "{reason}");
        }
        assert!(normal_date("1/2/2026 00:00:00").is_err());
    }

    #[test]
    fn a_year_of_two_digits_is_refused() {
        for typed in ["31.12.26", "12/31/26", "31-12-26", "26/12/31"] {
            assert!(normal_date(typed).unwrap_err().contains(typed), "{typed}");
        }
    }

    #[test]
    fn a_word_for_a_perpetual_license_is_empty() {
        for typed in ["", "  ", "Never", "NONE", "null", "-", " — ", "Perpetual"] {
            assert_eq!(normal_date(typed).as_deref(), Ok(""), "{typed}");
        }
    }

    #[test]
    fn everything_else_is_left_to_the_validator() {
        for typed in [
            "2026-02-30",
            "2026-12-31 14:30:00",
            "2026-12-31T00:00:00.001Z",
            "2026-12-31T00:00:00+02:00",
            "31.02.2026",
            "31/31/2026",
            "0/12/2026",
            "31-12-2026",
            "46387",
            "soon",
            "n/a",
            "1.2.3.2026",
            "٣١.١٢.٢٠٢٦",
        ] {
            assert_eq!(normal_date(typed).as_deref(), Ok(typed));
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
        fn a_normal_date_stays_what_it_is(typed in "\\PC{0,12}|[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}([ T]0?0:00(:00)?Z?)?") {
            if let Ok(normal) = normal_date(&typed) {
                prop_assert_eq!(normal_date(&normal), Ok(normal.clone()));
                prop_assert!(normal == typed || normal.is_empty() || date::read(&normal).is_some());
            }
        }
    }
}
