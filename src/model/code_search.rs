//! Finding activation codes: the filter of their table.

use time::{Date, Duration};

use super::fold::holds;
use super::license::Status;
use super::search::Word;

/// Days within which a code expires soon.
const SOON: i64 = 30;

/// Filters codes; an absent field matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeFilter {
    /// Byte for byte.
    pub tool_name: Option<String>,
    pub status: Option<Status>,
    /// Each of them in the code or in any text.
    pub words: Vec<Word>,
    pub state: Option<CodeState>,
    /// Both ends inclusive.
    pub ids: Option<(i64, i64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeState {
    /// No machine was ever activated.
    NeverUsed,
    /// All seats are taken.
    Full,
    /// The last day is one of these.
    Expires { from: Date, until: Date },
    /// Before that day.
    Expired(Date),
}

impl CodeState {
    /// The word in an address, its label, and the middle of a sentence.
    pub const CHOICES: [(&str, &str, &str); 4] = [
        ("unused", "never used", "that were never used"),
        ("full", "all seats taken", "with all seats taken"),
        (
            "next-30-days",
            "expires in 30 days",
            "expiring within 30 days",
        ),
        ("expired", "expired", "that have expired"),
    ];

    pub fn read(word: &str, today: Date) -> Option<CodeState> {
        match word {
            "unused" => Some(CodeState::NeverUsed),
            "full" => Some(CodeState::Full),
            "next-30-days" => Some(CodeState::Expires {
                from: today,
                until: today.saturating_add(Duration::days(SOON)),
            }),
            "expired" => Some(CodeState::Expired(today)),
            _ => None,
        }
    }
}

/// Where a page of the table begins; newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodePlace {
    First,
    /// Codes older than the one with this ID.
    After(i64),
    /// Codes newer than the one with this ID, the oldest first.
    Before(i64),
}

/// What is searched of a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeTexts<'a> {
    /// As it is compared.
    pub code: &'a str,
    pub others: [&'a str; 3],
}

impl CodeFilter {
    /// The rule for words; the other conditions are SQL.
    pub fn has_words(&self, texts: CodeTexts<'_>) -> bool {
        self.words.iter().all(|word| {
            word.spellings.iter().any(|spelling| {
                let part: String = spelling.chars().filter(|c| *c != '-').collect();
                texts.others.iter().any(|text| holds(text, spelling))
                    || !part.is_empty() && texts.code.contains(&part.to_ascii_uppercase())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_word_is_part_of_the_code_or_of_a_text() {
        let texts = CodeTexts {
            code: "K7QM2XWD9FHTVR4B",
            others: ["Müller", "A-17", "paid in cash"],
        };
        let has = |q: &str| {
            let filter = CodeFilter {
                words: Word::parse_all(q).unwrap(),
                ..CodeFilter::default()
            };
            filter.has_words(texts)
        };
        for found in ["k7qm-2xwd", "K7QM 2XWD", "vr4b muller", "a-17", "CASH", ""] {
            assert!(has(found), "{found}");
        }
        for other in ["k7qm-2xwe", "muller bob", "--"] {
            assert!(!has(other), "{other}");
        }
    }

    #[test]
    fn every_choice_is_read() {
        for (word, ..) in CodeState::CHOICES {
            assert!(
                CodeState::read(word, date!(2026 - 06 - 15)).is_some(),
                "{word}"
            );
        }
    }
}
