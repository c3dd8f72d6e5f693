//! Folding text for search: ignores case, accents and the like.

use unicode_normalization::char::decompose_canonical;

/// Converts to lower case, strips accents from Latin letters, and expands letters that are also
/// written with others, such as `ß`.
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut all = String::with_capacity(text.len());
    text.chars().for_each(|c| fold(c, &mut all));
    all
}

/// Whether the folded text contains `part`, which must be folded and not empty.
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

fn fold(c: char, all: &mut String) {
    if c.is_ascii() {
        return all.push(c.to_ascii_lowercase());
    }
    if is_accent(c) {
        return;
    }
    let small = small(c);
    let same = match small {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ø' => "o",
        'ł' => "l",
        'ı' => "i",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        _ => {
            let mut base = None;
            decompose_canonical(small, |part| {
                base.get_or_insert(part);
            });
            let letter = base.filter(char::is_ascii_alphabetic);
            return all.push(letter.map_or(small, |letter| letter.to_ascii_lowercase()));
        }
    };
    all.push_str(same);
}

/// Goes through upper case so that both small sigmas become the same letter.
fn small(c: char) -> char {
    lower(only(c.to_uppercase()).unwrap_or(c))
}

/// One character for one, so that the length stays the same.
pub(super) fn lower(c: char) -> char {
    only(c.to_lowercase()).unwrap_or(c)
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    first.filter(|_| chars.next().is_none())
}

/// Only the combining accents that Latin letters take.
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
        assert_eq!(
            folded("STRAẞE Straße Søren Łódź YILMAZ Yılmaz İzmir Þórður Œuvre"),
            "strasse strasse soren lodz yilmaz yilmaz izmir thordur oeuvre"
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
