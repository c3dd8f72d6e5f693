//! Dates as people and spreadsheet programs write them: one rule for forms, filters and files.

use std::borrow::Cow;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::macros::{date, format_description};
use time::{Date, Duration, OffsetDateTime, PrimitiveDateTime, Time};

use super::date;
use super::fold::folded;
use super::text::{in_ascii, shorten};

/// Words for a perpetual license, folded, in the languages of [`MONTHS`].
const NEVER: &str = "never|perpetual|permanent|lifetime|life|forever|unlimited|indefinite|endless|eternal|none|null|\
                     n/a|na|-|∞|no expiry|no expiration|no end|does not expire|never expires|\
                     unbegrenzt|unbefristet|unlimitiert|dauerhaft|lebenslang|ewig|nie|niemals|endlos|kein ablauf|ohne ablauf|\
                     illimite|illimitee|perpetuel|perpetuelle|permanente|definitif|a vie|jamais|sans fin|\
                     ilimitado|ilimitada|indefinido|indefinida|perpetuo|perpetua|vitalicio|vitalicia|de por vida|nunca|\
                     siempre|illimitato|illimitata|a vita|per sempre|\
                     onbeperkt|levenslang|eeuwigdurend|nooit|\
                     bezterminowo|bezterminowa|bezterminowy|dozywotnia|dozywotnio|nigdy|\
                     para sempre|sempre";

/// Of these words, in bytes.
const LONGEST_NEVER: usize = 24;

/// In English, German, French, Spanish, Italian, Dutch, Polish and Portuguese, folded; the beginning of a
/// name will do.
const MONTHS: [&str; 12] = [
    "january januar janvier enero gennaio januari styczen stycznia janeiro",
    "february februar fevrier febrero febbraio februari luty lutego fevereiro",
    "march marz maerz mrz mars marzo maart marzec marca marco",
    "april avril abril aprile kwiecien kwietnia",
    "may mai mayo maggio mei maj maja maio",
    "june juni juin junio giugno czerwiec czerwca junho",
    "july juli juillet julio luglio lipiec lipca julho",
    "august aout agosto augustus sierpien sierpnia",
    "september septembre septiembre settembre wrzesien wrzesnia setembro",
    "october oktober octobre octubre ottobre pazdziernik pazdziernika outubro",
    "november novembre noviembre listopad listopada novembro",
    "december dezember decembre diciembre dicembre grudzien grudnia dezembro",
];

/// Lengths of time that licenses are sold for, in the languages of [`MONTHS`], folded.
const UNITS: &str = "d day days tag tage tagen jour jours dia dias giorno giorni dag dagen dzien dni \
                     w week weeks woche wochen semaine semaines semana semanas settimana settimane weken tydzien tygodnie tygodni \
                     m month months monat monate monaten mois mes meses mese mesi maand maanden miesiac miesiace miesiecy \
                     y year years j jahr jahre jahren an ans annee annees ano anos anno anni jaar jaren rok lata lat";

/// Words before the number of a week or a quarter.
const PARTS: &str =
    "kw cw w wk week woche semaine sem semana settimana tydzien q quarter quartal trimestre";

/// Years in which licenses expire: a number in a file may be such a year, and `31.12.27` a date rather than a version.
pub const RECENT_YEARS: std::ops::Range<i32> = 2015..2046;

/// The beginning of a month's name has at least as many letters.
const MIN_MONTH: usize = 3;

/// Day 0 of spreadsheet programs, for days after February 1900.
const SERIAL_ZERO: Date = date!(1899 - 12 - 30);

/// Numbers from 2000 to 2099 that can be such a day.
const SERIALS: std::ops::Range<i64> = 36_526..73_051;

/// Which of two readings of `3/4/2027` is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    DayFirst,
    MonthFirst,
}

impl FromStr for DateOrder {
    type Err = String;

    fn from_str(word: &str) -> Result<DateOrder, String> {
        match word {
            "day-first" => Ok(DateOrder::DayFirst),
            "month-first" => Ok(DateOrder::MonthFirst),
            _ => Err(format!("`{word}` is not day-first or month-first")),
        }
    }
}

/// What a text means as a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// No date, on purpose.
    Never,
    Day(Date),
    Either {
        day_first: Date,
        month_first: Date,
    },
    /// The number by which a spreadsheet program stores this day.
    Serial(Date),
    TwoDigitYear,
    Unreadable,
}

impl Reading {
    /// A time of day and its offset do not count: the license is good through the day as written.
    pub fn of(typed: &str) -> Reading {
        let text = in_ascii(typed.trim());
        let text = text.trim();
        if is_never(text) {
            return Reading::Never;
        }
        let day = without_time(text);
        let read = date::read(day).or_else(|| named_month(day));
        if let Some(date) = read.or_else(|| named_month(&without_clock(text)?)) {
            return Reading::Day(date);
        }
        let known = |date: Option<Date>| date.map_or(Reading::Unreadable, Reading::Day);
        let day = &without_spaces(day);
        match numbers(day) {
            Some((_, [year, month, day])) if is_year(year) => known(date(year, month, day)),
            Some(('.', [day, month, year])) if is_year(year) => known(date(year, month, day)),
            Some((_, [first, second, year])) if is_year(year) => {
                match (date(year, first, second), date(year, second, first)) {
                    (Some(month_first), Some(day_first)) if month_first != day_first => {
                        Reading::Either {
                            day_first,
                            month_first,
                        }
                    }
                    (one, other) => known(one.or(other)),
                }
            }
            Some((_, parts)) if parts.iter().all(|part| part.len() <= 2) => Reading::TwoDigitYear,
            Some(_) => Reading::Unreadable,
            None => number(text),
        }
    }

    /// With one reading, where the order is known.
    pub fn ordered(self, order: Option<DateOrder>) -> Reading {
        match (self, order) {
            (Reading::Either { day_first, .. }, Some(DateOrder::DayFirst)) => {
                Reading::Day(day_first)
            }
            (Reading::Either { month_first, .. }, Some(DateOrder::MonthFirst)) => {
                Reading::Day(month_first)
            }
            (other, _) => other,
        }
    }

    /// The date, or none for a perpetual license; the error is a message for people.
    pub fn day(self, label: &str, typed: &str) -> Result<Option<Date>, String> {
        let text = shorten(typed.trim());
        match self {
            Reading::Never => Ok(None),
            Reading::Day(day) => Ok(Some(day)),
            Reading::Either {
                day_first,
                month_first,
            } => Err(format!(
                "{label} `{text}` could be {} or {}; enter the one you mean.",
                date::format(month_first),
                date::format(day_first)
            )),
            Reading::Serial(day) => Err(format!(
                "{label} `{text}` is the Excel date number for {day}; if you mean that date, enter \
                 {day}.",
                day = date::format(day)
            )),
            Reading::TwoDigitYear => Err(format!(
                "{label} `{text}` has a two-digit year; use YYYY-MM-DD, for example 2026-12-31."
            )),
            Reading::Unreadable => Err(format!(
                "{label} `{text}` is not a date we can read; use YYYY-MM-DD, for example \
                 2026-12-31, or leave it empty."
            )),
        }
    }

    /// Which order a date that has only one reading proves for those that have two.
    pub fn proves(typed: &str) -> Option<DateOrder> {
        let text = in_ascii(typed.trim());
        let (separator, [first, second, year]) = numbers(without_time(&text))?;
        if separator == '.' || !is_year(year) {
            return None;
        }
        match (date(year, first, second), date(year, second, first)) {
            (Some(_), None) => Some(DateOrder::MonthFirst),
            (None, Some(_)) => Some(DateOrder::DayFirst),
            _ => None,
        }
    }
}

/// A day that must be there; the error is a message for people.
pub fn required_day(label: &str, typed: &str) -> Result<Date, String> {
    match Reading::of(typed) {
        Reading::Unreadable => Err(format!(
            "{label} `{}` is not a date we can read; use YYYY-MM-DD, for example 2026-12-31.",
            shorten(typed.trim())
        )),
        reading => reading
            .day(label, typed)?
            .ok_or_else(|| format!("{label} is missing; use YYYY-MM-DD, for example 2026-12-31.")),
    }
}

/// A date for a filter or a form; none if it cannot be read as exactly one day.
pub fn read_day(typed: &str) -> Option<Date> {
    match Reading::of(typed) {
        Reading::Day(day) => Some(day),
        _ => None,
    }
}

/// Years that nobody sells a license for.
pub fn is_implausible(day: Date) -> bool {
    !(2000..2100).contains(&day.year())
}

/// A UTC timestamp as our own exports write it and in some other formats; a date alone means
/// midnight.
pub fn read_moment(typed: &str) -> Option<OffsetDateTime> {
    let (day, time) = typed.split_once([' ', 'T']).unwrap_or((typed, "0:00"));
    let day = read_day(day)?;
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
pub fn is_date(typed: &str) -> bool {
    let text = in_ascii(typed);
    let text = text.trim();
    match Reading::of(text) {
        Reading::Day(_) | Reading::Either { .. } => true,
        Reading::TwoDigitYear => {
            let parts = numbers(without_time(text));
            parts.is_some_and(|(separator, parts)| is_short(separator, parts))
        }
        Reading::Never | Reading::Serial(_) | Reading::Unreadable => false,
    }
}

/// Whether three numbers of at most two digits are a date.
fn is_short(separator: char, [first, second, third]: [&str; 3]) -> bool {
    let is_day = |year: &str, month, day| {
        let day = date(&format!("20{year}"), month, day);
        day.is_some_and(|day| RECENT_YEARS.contains(&day.year()))
    };
    let is_padded = [first, second, third].iter().all(|part| part.len() == 2);
    match separator {
        '/' => true,
        _ if !is_padded => false,
        '.' => is_day(third, second, first),
        _ => {
            is_day(third, second, first)
                || is_day(third, first, second)
                || is_day(first, second, third)
        }
    }
}

/// A length of time: `1 Jahr`, `12 M`, `365d`, `P1Y`.
pub fn is_period(typed: &str) -> bool {
    let text = folded(&in_ascii(typed.trim()));
    let text = text.strip_prefix('p').unwrap_or(&text);
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - unit.len();
    let mut words = unit
        .split([' ', '-', '.', ')'])
        .filter(|word| !word.is_empty());
    (1..=4).contains(&digits) && words.next().is_some_and(is_unit)
}

/// Whether a folded word is a unit of such a length.
pub fn is_unit(word: &str) -> bool {
    UNITS.split_whitespace().any(|unit| unit == word)
}

/// A word for a perpetual license, nothing, or a date of zeros as some databases have it.
fn is_never(text: &str) -> bool {
    if text.starts_with('0') {
        let is_zero = |c: char| "0-./: ".contains(c);
        return text.matches('0').count() >= 6 && text.len() > 6 && text.chars().all(is_zero);
    }
    if text.len() > LONGEST_NEVER || text.bytes().any(|c| c.is_ascii_digit()) {
        return false;
    }
    let word = folded(text);
    word.is_empty() || NEVER.split('|').any(|known| known == word)
}

/// A month, a week or a quarter with its year, as `12/2027`, `2027-12`, `Dec 2027` and `2027-W13`.
pub fn is_part_of_year(typed: &str) -> bool {
    let text = in_ascii(typed.trim());
    let parts = text.split(['/', '-', ' ']);
    let mut parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
    let is_name = |part: &str| PARTS.split_whitespace().any(|name| name == folded(part));
    let is_named = parts.len() == 3 && is_name(parts[0]);
    if is_named {
        parts.remove(0);
    }
    let [first, second] = parts[..] else {
        return false;
    };
    let (year, part) = match is_year(first) {
        true => (first, second),
        false => (second, first),
    };
    let is_recent = is_year(year) && year.starts_with("20");
    let number = |digits: &str| digits.parse::<u8>().unwrap_or_default();
    let is_numbered = match part.split_at_checked(1) {
        Some(("W" | "w", week)) => (1..=53).contains(&number(week)),
        Some(("Q" | "q", quarter)) => (1..=4).contains(&number(quarter)),
        _ => part.len() <= 2 && (1..=if is_named { 53 } else { 12 }).contains(&number(part)),
    };
    is_recent && (is_numbered || month(part.trim_end_matches('.')).is_some())
}

/// A date without its year, as a spreadsheet program shows `1-12`: `12. Jan`, `Jan 12`.
pub fn is_day_of_month(typed: &str) -> bool {
    let words = typed.split([' ', '.', '-']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    let is_day = |word: &str| word.len() <= 2 && word.bytes().all(|c| c.is_ascii_digit());
    let is_month = |word: &str| word.len() <= 4 && month(word).is_some();
    match words[..] {
        [day, name] | [name, day] if is_day(day) => is_month(name),
        _ => false,
    }
}

/// The text before a time such as ` 23:59:59`, `T00:00:00.000Z` or ` 12:00 AM`.
fn without_time(text: &str) -> &str {
    let is_time = |time: &str| {
        let time = time.trim();
        let is_clock = |c: char| c.is_ascii_digit() || ":.+-ZAPMapm ".contains(c);
        time.contains(':')
            && time.starts_with(|c: char| c.is_ascii_digit())
            && time.chars().all(is_clock)
    };
    let at = text.char_indices().filter(|(_, c)| matches!(c, ' ' | 'T'));
    let mut days = at.map(|(at, _)| text.split_at(at));
    let found =
        days.find(|(day, time)| day.ends_with(|c: char| c.is_ascii_digit()) && is_time(&time[1..]));
    found.map_or(text, |(day, _)| day.trim_end_matches(','))
}

/// A text without the time of day, its zone and what is in brackets, as programs write `Fri Dec 31 23:59:59 CET 2027`.
fn without_clock(text: &str) -> Option<String> {
    let is_time =
        |word: &str| word.contains(':') && word.chars().all(|c| c.is_ascii_digit() || c == ':');
    let is_zone = |word: &str| {
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "+-:".contains(c);
        word.starts_with(|c: char| c.is_ascii_uppercase()) && word.chars().all(is_part)
    };
    let text = text.split('(').next().unwrap_or_default();
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| is_time(word))?;
    words.remove(at);
    if words.get(at).is_some_and(|word| is_zone(word)) {
        words.remove(at);
    }
    Some(words.join(" "))
}

/// `31. 12. 2026` and, in Hungarian, `2026. 12. 31.`, in Chinese and Japanese `2026年12月31日`.
fn without_spaces(day: &str) -> Cow<'_, str> {
    if day.contains('年') {
        let day = day.replace(['日', ' '], "");
        return Cow::Owned(day.replace(['年', '月'], "-"));
    }
    match day.contains(". ") {
        true => Cow::Owned(day.trim_end_matches('.').replace(". ", ".")),
        false => Cow::Borrowed(day),
    }
}

/// `31-Dec-2026`, `Dec 31, 2026`, `31. Dezember 2026`, `31 de diciembre de 2026`; a name of the day of the week
/// before it does not count.
fn named_month(text: &str) -> Option<Date> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let words: Vec<&str> = words
        .filter(|word| !matches!(*word, "" | "de" | "of"))
        .collect();
    let (first, second, third) = match words[..] {
        [first, second, third] => (first, second, third),
        [weekday, first, second, third] if weekday.chars().all(char::is_alphabetic) => {
            (first, second, third)
        }
        _ => return None,
    };
    let (day, name, year) = match first.starts_with(|c: char| c.is_ascii_digit()) {
        true if is_year(first) => (third, second, first),
        true => (first, second, third),
        false => (second, first, third),
    };
    let day = ["st", "nd", "rd", "th"]
        .into_iter()
        .find_map(|end| day.strip_suffix(end))
        .unwrap_or(day);
    match month(name) {
        Some(month) if is_year(year) => date(year, &month.to_string(), day),
        _ => None,
    }
}

/// By the beginning of its name in one of the languages, if only one month begins so.
fn month(name: &str) -> Option<u8> {
    let name = folded(name);
    let is_meant = |names: &&str| names.split(' ').any(|known| known.starts_with(&name));
    let mut months = (1..)
        .zip(MONTHS.iter())
        .filter(|(_, names)| is_meant(names));
    let (month, _) = months.next().filter(|_| name.len() >= MIN_MONTH)?;
    months.next().is_none().then_some(month)
}

/// A number without separators: `20261231`, or a spreadsheet program's number of a day.
fn number(text: &str) -> Reading {
    // The time of the day.
    let text = match text.split_once(['.', ',']) {
        Some((days, time)) if days.len() == 5 && time.bytes().all(|c| c.is_ascii_digit()) => days,
        _ => text,
    };
    let is_number = text.bytes().all(|c| c.is_ascii_digit());
    match text.len() {
        8 if is_number => {
            let day = date(&text[..4], &text[4..6], &text[6..]);
            day.map_or(Reading::Unreadable, Reading::Day)
        }
        5 if is_number => {
            let number = text.parse().ok().filter(|number| SERIALS.contains(number));
            let day = number.and_then(|number| SERIAL_ZERO.checked_add(Duration::days(number)));
            day.map_or(Reading::Unreadable, Reading::Serial)
        }
        _ => Reading::Unreadable,
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_day_with_one_reading_is_read() {
        for typed in [
            "2026-12-31",
            " 2026-12-31 ",
            "2026-12-31 00:00:00",
            "2026-12-31 23:59:59",
            "2026\u{2011}12\u{2011}31",
            "2026\u{2013}12\u{2013}31",
            "２０２６-１２-３１",
            "31\u{ff0e}12\u{ff0e}2026",
            "2026-12-31T00:00:00",
            "2026-12-31T00:00:00.000Z",
            "2026-12-31T00:00:00+00:00",
            "2026-12-31T00:00Z",
            "31.12.2026",
            "31.12.2026 0:00",
            "2026/12/31",
            "2026.12.31",
            "20261231",
            "12/31/2026",
            "12/31/2026 12:00:00 AM",
            "31/12/2026",
            "31-12-2026",
            "2026\u{2011}12\u{2011}31",
            "2026\u{2013}12\u{2013}31",
            "２０２６－１２－３１",
            "31．12．2026",
            "31-Dec-2026",
            "31 dec 2026 10:00",
            "Dec 31, 2026",
            "December 31st, 2026",
            "31. Dezember 2026",
            "31 décembre 2026",
            "31 de diciembre de 2026",
            "31 grudnia 2026",
            "Thursday, December 31, 2026",
            "Donnerstag, 31. Dezember 2026",
            "jeudi 31 décembre 2026",
            "31. 12. 2026",
            "2026. 12. 31.",
            "2026-Dec-31",
            "Thu Dec 31 23:59:59 CET 2026",
            "Thu Dec 31 2026 23:59:59 GMT+0100 (Central European Standard Time)",
            "Thu, 31 Dec 2026 23:59:59 GMT",
            "2026年12月31日",
        ] {
            let day = Reading::Day(date!(2026 - 12 - 31));
            assert_eq!(Reading::of(typed), day, "{typed}");
        }
        for (typed, day) in [
            ("1.2.2026", date!(2026 - 02 - 01)),
            ("2026-1-2", date!(2026 - 01 - 02)),
            ("11/11/2026", date!(2026 - 11 - 11)),
            ("2/29/2028", date!(2028 - 02 - 29)),
            ("5 Mai 2027", date!(2027 - 05 - 05)),
            ("1 mar 2027", date!(2027 - 03 - 01)),
        ] {
            assert_eq!(Reading::of(typed), Reading::Day(day), "{typed}");
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
        for typed in ["11/12/2026", "11-12-2026 00:00:00"] {
            let reading = Reading::of(typed);
            let both = Reading::Either {
                day_first: date!(2026 - 12 - 11),
                month_first: date!(2026 - 11 - 12),
            };
            assert_eq!(reading, both);
            let reason = reading.day("It", typed).unwrap_err();
            assert!(reason.contains("2026-11-12 or 2026-12-11"), "{reason}");
        }
    }

    #[test]
    fn a_day_above_twelve_proves_the_order() {
        assert_eq!(Reading::proves("1/31/2027"), Some(DateOrder::MonthFirst));
        assert_eq!(
            Reading::proves("31-1-2027 00:00"),
            Some(DateOrder::DayFirst)
        );
        for typed in [
            "3/4/2027",
            "31.1.2027",
            "2027/1/31",
            "31/31/2027",
            "",
            "1/31/27",
        ] {
            assert_eq!(Reading::proves(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_number_of_excel_is_named_with_its_day() {
        assert_eq!(Reading::of("45747"), Reading::Serial(date!(2025 - 03 - 31)));
        let reason = Reading::of("45747").day("It", "45747").unwrap_err();
        assert!(reason.contains("2025-03-31"), "{reason}");
        assert_eq!(Reading::of("99999"), Reading::Unreadable);
    }

    #[test]
    fn a_part_of_a_year_is_no_version() {
        for typed in [
            "12/2027",
            "2027-03",
            "Dec 2027",
            "März 2027",
            "2027-W13",
            "Q4 2027",
            "KW 13/2027",
        ] {
            assert!(is_part_of_year(typed), "{typed}");
        }
        for typed in [
            "13/2027",
            "2027",
            "2027-113",
            "10.2027",
            "12/1927",
            "W13",
            "4 2",
            "A-2027",
            "AB 13/2027",
        ] {
            assert!(!is_part_of_year(typed), "{typed}");
        }
    }

    #[test]
    fn a_date_with_two_digits_for_the_year_is_one_and_a_version_is_none() {
        for typed in [
            "31.12.27",
            "31-12-27",
            "27-12-31",
            "12/31/27",
            "31.12.27 23:59",
        ] {
            assert!(is_date(typed), "{typed}");
        }
        for typed in ["1.2.3", "1.2.27", "10.11.12", "45.12.27", "12-34-56"] {
            assert!(!is_date(typed), "{typed}");
        }
    }

    #[test]
    fn a_period_has_a_number_and_a_unit() {
        for typed in [
            "1 Jahr", "365 days", "365d", "12 M", "P1Y", "12-month", "2 años", "1 rok",
        ] {
            assert!(is_period(typed), "{typed}");
        }
        for typed in [
            "365",
            "5 seats",
            "Jahr",
            "P1",
            "5 Anwender",
            "12345 days",
            "",
        ] {
            assert!(!is_period(typed), "{typed}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_refused() {
        for typed in ["31.12.26", "12/31/26", "31-12-26", "26/12/31"] {
            assert_eq!(Reading::of(typed), Reading::TwoDigitYear, "{typed}");
        }
    }

    #[test]
    fn a_word_for_a_perpetual_license_is_no_date() {
        for typed in [
            "unbegrenzt",
            "Dauerhaft",
            "lebenslang",
            "Illimité",
            "à vie",
            "∞",
            "00.00.0000",
            "00/00/0000",
            "0000-00-00 00:00:00",
            "",
            "  ",
            "Never",
            "NONE",
            "null",
            "-",
            " — ",
            "Perpetual",
            "Lifetime",
            "N/A",
            "0000-00-00",
        ] {
            assert_eq!(Reading::of(typed), Reading::Never, "{typed}");
        }
    }

    #[test]
    fn everything_else_is_unreadable() {
        for typed in [
            "2026-02-30",
            "31.02.2026",
            "31/31/2026",
            "0/12/2026",
            "4638",
            "soon",
            "1.2.3.2026",
            "31 foo 2026",
            "31 jui 2026",
            "Ma 1 2026",
            "20261332",
            "٣١.١٢.٢٠٢٦",
        ] {
            assert_eq!(Reading::of(typed), Reading::Unreadable, "{typed}");
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
        fn a_day_stays_what_it_is(typed in "\\PC{0,12}|[0-9]{1,4}[./-][0-9A-Za-z]{1,3}[./-][0-9]{1,4}([ T]0?0:00(:00)?Z?)?") {
            if let Reading::Day(day) = Reading::of(&typed) {
                prop_assert_eq!(Reading::of(&date::format(day)), Reading::Day(day));
            }
        }
    }
}
