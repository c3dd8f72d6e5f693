//! Texts as the search compares them: without regard to case or accents.

use unicode_normalization::char::decompose_canonical;

/// Small letters, those of the Latin alphabet without accents: the same as in SQLite's index of trigrams
/// with `remove_diacritics 1`.
pub fn folded(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.chars().filter_map(fold).collect(),
    }
}

/// Whether a text, folded, holds that part, which is folded and not empty.
pub fn holds(text: &str, part: &str) -> bool {
    if !text.is_ascii() {
        return folded(text).contains(part);
    }
    let Some((first, rest)) = part.as_bytes().split_first() else {
        return true;
    };
    let text = text.as_bytes();
    let begins = 0..(text.len() + 1).saturating_sub(part.len());
    begins.into_iter().any(|at| {
        text[at].to_ascii_lowercase() == *first
            && text[at + 1..at + part.len()].eq_ignore_ascii_case(rest)
    })
}

fn fold(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c.to_ascii_lowercase());
    }
    if is_accent(c) {
        return None;
    }
    let small = small(c);
    let mut base = None;
    decompose_canonical(small, |part| {
        base.get_or_insert(part);
    });
    let letter = base.filter(char::is_ascii_alphabetic);
    Some(letter.map_or(small, |letter| letter.to_ascii_lowercase()))
}

/// By way of the capital, so that the two small sigmas are one letter; the Turkish i is one of its own.
fn small(c: char) -> char {
    let capital = only(c.to_uppercase()).filter(|_| c != 'ı');
    lower(capital.unwrap_or(c))
}

/// One character for one, so that the length stays.
pub(super) fn lower(c: char) -> char {
    only(c.to_lowercase()).unwrap_or(c)
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}

/// One that follows its letter, of those that Latin letters have.
fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{304}' | '\u{306}'..='\u{30c}' | '\u{30f}' | '\u{311}' | '\u{31b}'
        | '\u{323}'..='\u{328}' | '\u{32d}' | '\u{32e}' | '\u{330}' | '\u{331}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_case_nor_accents_matter() {
        assert_eq!(
            folded("ÖLE Ångström ΣΊΣΥΦΟΣ Нико́лай"),
            "ole angstrom σίσυφοσ николай"
        );
        for (text, part) in [
            ("Müller", "mul"),
            ("MU\u{308}LLER", "mul"),
            ("abc", "c"),
            ("Ⅷ", "ⅷ"),
        ] {
            assert!(holds(text, &folded(part)), "{text} {part}");
        }
        for (text, part) in [("", "a"), ("ab", "abc"), ("muller", "ü!")] {
            assert!(!holds(text, &folded(part)), "{text} {part}");
        }
    }
}
