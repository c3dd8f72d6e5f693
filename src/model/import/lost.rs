//! Whether an ignored column decides over licenses: until when they are valid, or whether they are.

use super::statuses::{answer, is_refusal, meaning};
use crate::model::fold::folded;
use crate::model::license::Status;
use crate::model::text::in_ascii;
use crate::model::typed_date::{
    RECENT_YEARS, Reading, is_date, is_part_of_year, is_period, is_unit,
};

/// Unix seconds of about the same years; no phone number in North America begins like them.
const SECONDS: std::ops::Range<i64> = 1_500_000_000..2_000_000_000;

/// The longest text in which the last day of a license is looked for, in bytes.
const LONGEST: usize = 80;

/// Words and signs before the last day: `bis 31.12.2027`, `2027-01-01 - 2027-12-31`, `Ende 2027`.
const UNTIL: &str = "bis until till to thru through expires exp ends end valid - jusqu'au jusquau jusqu’au au hasta fino al tot \
                     t/m do až ate ende mitte mid fin final fine finales eind einde koniec";

/// Words of headings that are about the time that a license is valid, folded, besides units of time, and beginnings
/// of others.
const TERM: &str = "bis until till end ends ende fin fine term terms period koniec";
const TERM_STARTS: &str = "expir ablau gultig valid laufz lizenzende lizenzdauer vertragsende duration durata duree duracion \
                           dauer frist vencim scaden caduc echean wygas verval looptijd geldig renew verlanger remain verbleib \
                           restant restlauf resterend pozosta";

/// What is before a unit of time in the German word for that of a license: `Resttage`.
const OF_LICENSES: &str = "rest lizenz vertrags nutzungs laufzeit";

/// Beginnings of words of headings below which a no means that a license may not be used, folded.
const ALLOWING: &str = "activ aktiv aktyw attiv ativ actie enabl valid gult geldig wazn allow erlaub zugelass autoris autoriz authori permi \
                        dozwol toegest approv genehm freig aprob aprov goedgek zatwierdz licens licenc licenz lizenz licent paid \
                        bezahl pagad pagat pago paye betaald zaplac oplac";

/// Beginnings of words of headings below which anything but a no means so; those of five letters or more are found
/// inside of words, too.
const REFUSING: &str = "lock verrou sperr block bloqu blocc blokk zablok cofn revo widerr storn delet gelosch suppr elimin cancel annul \
                        gekundi frozen frost eingefr fraud betrug piracy refund erstatt rembours reembols returned retour chargeback \
                        invalid ungult expired abgelaufen disabl deakt desact disatt desativ suspen sospes banned terminat blacklist";

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
    is_any_blank: bool,
    /// Words for yes and for no, and words for a license that may be used.
    yes: i64,
    no: i64,
    allowed: i64,
    /// Numbers that may count machines, and all numbers above one, which are no answers.
    counts: i64,
    several: i64,
}

impl Ignored {
    pub(super) fn note_blank(&mut self) {
        self.is_any_blank = true;
    }

    pub(super) fn note(&mut self, text: &str) {
        let has_digits = text.bytes().any(|c| c.is_ascii_digit());
        if text.len() > LONGEST {
            self.filled += 1;
            self.with_digits += i64::from(has_digits);
            return;
        }
        let reading = Reading::of(text);
        if reading == Reading::Never {
            return;
        }
        self.filled += 1;
        self.is_any_refused |= !has_digits && is_refusal(text);
        self.with_digits += i64::from(has_digits);
        self.note_answer(text, has_digits);
        let is_bare = text.bytes().all(|c| c.is_ascii_digit());
        match reading {
            _ if !has_digits => {}
            Reading::Day(_) | Reading::Either { .. } if !is_bare => self.certain += 1,
            Reading::Day(_) | Reading::Either { .. } => self.dates += 1,
            Reading::Serial(day) if RECENT_YEARS.contains(&day.year()) => self.likely += 1,
            Reading::TwoDigitYear if is_date(text) => self.dates += 1,
            _ if is_seconds(text) || is_part_of_year(text) => self.likely += 1,
            _ if is_year(text) || is_period(text) => self.likely += 1,
            _ if ends_with_last_day(text) => self.certain += 1,
            _ => {}
        }
    }

    fn note_answer(&mut self, text: &str, has_digits: bool) {
        match answer(text) {
            // A one may be a number of something.
            Some(true) => self.yes += i64::from(!has_digits),
            Some(false) => self.no += 1,
            None => self.allowed += i64::from(meaning(text) == Some(Status::Activated)),
        }
        let number: u64 = text.parse().unwrap_or_default();
        self.counts += i64::from((1..10_000).contains(&number) && !text.starts_with('0'));
        self.several += i64::from(number > 1);
    }

    /// Whether a person may have meant dates that nobody would read. `is_there` if there is a column of expiration
    /// dates, though without one. Postal codes look like numbers of Excel.
    pub(super) fn has_dates(&self, heading: &str, is_there: bool) -> bool {
        let words = words(heading);
        let is_term = begins(&words, TERM_STARTS) || words.iter().any(|word| is_term(word));
        let dates = self.certain + self.dates;
        let has_some = self.certain > 0
            || dates * 4 > self.filled
            || (dates + self.likely) * 2 > self.filled
            || is_term && self.with_digits > 0;
        has_some && (is_term || !is_there || !begins(&words, PAST))
    }

    /// Whether a person may have meant that some licenses may not be used. `is_said` if the rows have a status.
    pub(super) fn has_refusals(&self, heading: &str, is_said: bool) -> bool {
        let words = words(heading);
        let is_inside = |start: &str| words.iter().any(|word| word.contains(start));
        let mut long = REFUSING.split_whitespace().filter(|start| start.len() > 4);
        let is_refusing = begins(&words, REFUSING) || long.any(is_inside);
        if is_refusing && self.filled > self.no + self.allowed {
            return true;
        }
        let is_some_refused =
            self.several == 0 && (self.no > 0 || self.yes > 0 && self.is_any_blank);
        !is_said && (self.is_any_refused || is_some_refused && begins(&words, ALLOWING))
    }

    /// Whether all values may count machines, and some are above one.
    pub(super) fn has_counts(&self) -> bool {
        self.several > 0 && self.counts == self.filled
    }
}

/// The words of a heading, folded; `validUntil` has two.
fn words(heading: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut was_small = false;
    for c in heading.chars() {
        if was_small && c.is_uppercase() {
            spaced.push(' ');
        }
        was_small = c.is_lowercase();
        spaced.push(c);
    }
    let spaced = folded(&spaced);
    let words = spaced.split(|c: char| !c.is_alphanumeric());
    words.map(str::to_owned).collect()
}

fn begins(words: &[String], starts: &str) -> bool {
    let mut starts = starts.split_whitespace();
    starts.any(|start| words.iter().any(|word| word.starts_with(start)))
}

/// A word for a term or for a unit of time; one letter may be anything.
fn is_term(word: &str) -> bool {
    // `lat` is Polish for years, and a latitude.
    let is_long_unit = |word: &str| word.len() > 2 && word != "lat" && is_unit(word);
    let mut starts = OF_LICENSES.split_whitespace();
    TERM.split_whitespace().any(|term| term == word)
        || is_long_unit(word)
        || starts.any(|start| word.strip_prefix(start).is_some_and(is_long_unit))
}

fn is_year(text: &str) -> bool {
    text.len() == 4
        && text
            .parse()
            .is_ok_and(|year: i32| RECENT_YEARS.contains(&year))
}

/// In seconds or milliseconds since 1970; also as `/Date(1830297600000)/`.
fn is_seconds(text: &str) -> bool {
    let text = text.strip_prefix("/Date(").unwrap_or(text);
    let text = text.strip_suffix(")/").unwrap_or(text);
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
    let text = folded(&in_ascii(text));
    let text = text.replace(" of ", " ").replace(" de ", " ");
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
    days.any(|day| is_date(day) || is_part_of_year(day) || is_year(day))
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
            ("x", "Ende 2027"),
            ("x", "end of 2027"),
            ("x", "31.12.27"),
            ("x", "27-12-31"),
            ("x", "bis 30.11.27"),
            ("x", "1 Jahr"),
            ("x", "365 days"),
            ("x", "365d"),
            ("x", "12 M"),
            ("x", "P1Y"),
            ("x", "2027"),
            ("x", "KW 13/2027"),
            ("x", "Fri Dec 31 23:59:59 CET 2027"),
            ("x", "/Date(1830297600000)/"),
            ("x", "2027年12月31日"),
            ("Resttage", "365"),
            ("daysLeft", "365"),
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
            ("Etage", "3"),
            ("Rabatt", "10"),
            ("lat", "52.52"),
            ("geo.lat", "52"),
        ] {
            let cells = [cell, "x", "y"];
            assert!(!has_dates(heading, &cells, false), "{heading}: {cell}");
        }
    }

    fn has_refusals(heading: &str, cells: &[&str], is_said: bool) -> bool {
        let mut ignored = Ignored::default();
        for cell in cells {
            match *cell {
                "" => ignored.note_blank(),
                cell => ignored.note(cell),
            }
        }
        ignored.has_refusals(heading, is_said)
    }

    #[test]
    fn an_answer_about_validity_is_a_refusal() {
        for (heading, cells) in [
            ("Valid", ["no", "yes"]),
            ("Gültig", ["nein", "ja"]),
            ("isValid", ["false", "true"]),
            ("Válido", ["no", "sí"]),
            ("Allowed", ["0", "1"]),
            ("Freigegeben", ["nein", "ja"]),
            ("Licensed", ["no", "yes"]),
            ("Bezahlt", ["ja", ""]),
        ] {
            assert!(has_refusals(heading, &cells, false), "{heading}");
            assert!(!has_refusals(heading, &cells, true), "{heading}");
        }
        for (heading, cells) in [
            ("Newsletter", ["no", "yes"]),
            ("Activations", ["0", "3"]),
            ("Activations", ["0", "20000"]),
            ("Paid", ["yes", "yes"]),
            ("Licenses", ["1", ""]),
            ("Lizenzart", ["Einzelplatz", ""]),
        ] {
            assert!(!has_refusals(heading, &cells, false), "{heading}");
        }
    }

    #[test]
    fn a_flag_that_refuses_is_found_beside_a_status() {
        for (heading, cell) in [
            ("Verrouillé", "oui"),
            ("Cofnięty", "tak"),
            ("Deleted", "1"),
            ("deletedAt", "2026-05-01"),
            ("Lock", "x"),
            ("Kundensperre", "x"),
            ("Storno", "x"),
            ("Sperrgrund", "Rückbuchung"),
            ("Chargeback", "1"),
            ("Refund date", "2026-05-01"),
            ("Invalid", "yes"),
            ("Expired", "yes"),
        ] {
            assert!(has_refusals(heading, &[cell, ""], true), "{heading}");
            assert!(!has_refusals(heading, &["no", "0", "-"], true), "{heading}");
        }
        assert!(!has_refusals("Clock", &["x"], true));
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
