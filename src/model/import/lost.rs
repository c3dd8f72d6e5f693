//! Whether an ignored column decides over licenses: until when they are valid, or whether they are.

use super::statuses::is_refusal;
use crate::model::fold::folded;
use crate::model::text::in_ascii;
use crate::model::typed_date::{Reading, is_date, is_part_of_year};

/// Years in which licenses expire, as far as numbers without a heading go.
const RECENT: std::ops::Range<i32> = 2015..2046;

/// Unix seconds of about the same years; no telephone number in North America begins like them.
const SECONDS: std::ops::Range<i64> = 1_500_000_000..2_000_000_000;

/// The longest text in which the last day of a license is looked for, in bytes.
const LONGEST: usize = 80;

/// Words and signs before the last day: `bis 31.12.2027`, `2027-01-01 - 2027-12-31`.
const UNTIL: &str = "bis until till to thru through expires exp ends end valid - jusqu'au jusquau jusqu’au au hasta fino al tot \
                     t/m do až ate";

/// Words of headings that are about the time that a license is valid, folded, and beginnings of others.
const TERM: &str = "bis until till end ends ende fin fine term terms days day tage tag jours dias giorni dagen dni months monate mois meses mesi \
     years jahre period koniec";
const TERM_STARTS: &str = "expir ablauf ablau gultig valid laufzeit lizenzende lizenzdauer vertragsende duration durata duree duracion \
                           dauer frist vencim scaden caduc echean wygas verval looptijd geldig renew verlanger";

/// Beginnings of words of headings that are about something that has happened.
const PAST: &str = "bought purchas sold creat order issu regist activat start begin since from kauf verkauf gekauft bestell rechnung \
                    invoice angelegt erstellt ausgestellt seit achat achet command compra pedido acquist aankoop zakup birth geburt \
                    last letzt login paid payment zahl bezahl modif geander updated shipp liefer";

/// What is known of the values of an ignored column.
#[derive(Default)]
pub(super) struct Ignored {
    /// Cells that are neither empty nor say that there is no date.
    filled: i64,
    /// Whole dates that are not just digits.
    certain: i64,
    dates: i64,
    /// Parts of years, and numbers that programs store for days that licenses expire on.
    likely: i64,
    with_digits: i64,
    is_any_refused: bool,
}

impl Ignored {
    pub(super) fn note(&mut self, text: &str) {
        let has_digits = text.bytes().any(|c| c.is_ascii_digit());
        let reading = Reading::of(text);
        if reading == Reading::Never {
            return;
        }
        self.filled += 1;
        self.is_any_refused |= !has_digits && is_refusal(text);
        self.with_digits += i64::from(has_digits);
        let is_bare = text.bytes().all(|c| c.is_ascii_digit());
        match reading {
            _ if !has_digits => {}
            Reading::Day(_) | Reading::Either { .. } if !is_bare => self.certain += 1,
            Reading::Day(_) | Reading::Either { .. } => self.dates += 1,
            Reading::Serial(day) if RECENT.contains(&day.year()) => self.likely += 1,
            Reading::TwoDigitYear if is_date(text) => self.dates += 1,
            _ if is_seconds(text) || is_part_of_year(text) => self.likely += 1,
            _ if ends_with_last_day(text) => self.certain += 1,
            _ => {}
        }
    }

    /// Whether a person may have meant dates that nobody would read. `is_there` if there is a column of expiration
    /// dates, though without one. Postal codes look like numbers of Excel.
    pub(super) fn has_dates(&self, heading: &str, is_there: bool) -> bool {
        let words = folded(heading);
        let words: Vec<&str> = words.split(|c: char| !c.is_alphanumeric()).collect();
        let begins = |starts: &str| {
            let mut starts = starts.split_whitespace();
            starts.any(|start| words.iter().any(|word| word.starts_with(start)))
        };
        let is_term = begins(TERM_STARTS)
            || words
                .iter()
                .any(|word| TERM.split_whitespace().any(|term| term == *word));
        let dates = self.certain + self.dates;
        let has_some = self.certain > 0
            || dates * 4 > self.filled
            || (dates + self.likely) * 2 > self.filled
            || is_term && self.with_digits > 0;
        has_some && (is_term || !is_there || !begins(PAST))
    }

    /// Whether some value can only mean that the license may not be used.
    pub(super) fn has_refusals(&self) -> bool {
        self.is_any_refused
    }
}

/// In seconds or milliseconds since 1970.
fn is_seconds(text: &str) -> bool {
    let seconds = match text.len() {
        10 => text.parse::<i64>(),
        13 => text.get(..10).unwrap_or_default().parse(),
        _ => return false,
    };
    let is_number = text.bytes().all(|c| c.is_ascii_digit());
    is_number && seconds.is_ok_and(|seconds| SECONDS.contains(&seconds))
}

/// After one of the words that say so.
fn ends_with_last_day(text: &str) -> bool {
    if text.len() > LONGEST {
        return false;
    }
    let text = folded(&in_ascii(text));
    let ends = text.match_indices(' ').filter(|(at, _)| {
        let word = text[..*at]
            .trim_end()
            .rsplit(' ')
            .next()
            .unwrap_or_default();
        let word = word.trim_end_matches([':', '.']);
        UNTIL.split_whitespace().any(|until| until == word)
    });
    let mut days = ends.map(|(at, _)| text[at..].trim().trim_end_matches(['.', ')', '!']));
    days.any(|day| is_date(day) || is_part_of_year(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_dates(heading: &str, cells: &[&str], is_there: bool) -> bool {
        let mut ignored = Ignored::default();
        cells.iter().for_each(|cell| ignored.note(cell));
        ignored.has_dates(heading, is_there)
    }

    #[test]
    fn whatever_says_until_when_is_found() {
        for (heading, cell) in [
            ("x", "2027-12-31"),
            ("x", "12/2027"),
            ("x", "bis 31.12.2027"),
            ("x", "2027-01-01 - 2027-12-31"),
            ("x", "01.01.2027 bis 31.12.2027"),
            ("x", "valid until: 31 Dec 2027"),
            ("x", "2027-W13"),
            ("x", "1830297600"),
            ("x", "1830297600000"),
            ("Tage", "365"),
            ("Laufzeit", "12 Monate"),
            ("Lizenz bis", "Ende 2027"),
        ] {
            assert!(has_dates(heading, &[cell], false), "{heading}: {cell}");
        }
        let mut sparse = vec!["-text-"; 19];
        sparse.push("2027-12-31");
        assert!(has_dates("x", &sparse, false));
    }

    #[test]
    fn other_values_are_no_last_days() {
        for (heading, cell) in [
            ("x", "since 2026-12-31"),
            ("x", "1.2.3"),
            ("PLZ", "10115"),
            ("Phone", "2125550123"),
            ("Frist", "never"),
            ("Vendor", "5 seats"),
            ("Endkunde", "Firma 7"),
        ] {
            let cells = [cell, "x", "y"];
            assert!(!has_dates(heading, &cells, false), "{heading}: {cell}");
        }
    }

    #[test]
    fn a_day_in_the_past_is_none_where_there_is_a_column_for_the_last_one() {
        for heading in ["bought", "Kaufdatum", "Order date", "Last login"] {
            assert!(!has_dates(heading, &["2026-12-31"], true), "{heading}");
            assert!(has_dates(heading, &["2026-12-31"], false), "{heading}");
        }
        for heading in ["Lizenz bis", "Frist", "Renewal", "x"] {
            assert!(has_dates(heading, &["2026-12-31"], true), "{heading}");
        }
    }
}
