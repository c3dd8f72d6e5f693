//! How an activation code is written: sixteen characters in groups of four, the last of which checks the
//! others.

use super::text::is_invisible;

/// A character's value is its index; without the look-alikes I, O, 0 and 1.
pub const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Characters of a code that we made.
pub const LENGTH: usize = 16;

/// Letters and digits of a code that was imported from an older system.
pub const IMPORTED: std::ops::RangeInclusive<usize> = 6..=64;

/// A code as it is compared: upper case, without hyphens and white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// With the right check character.
    Ours(String),
    /// Only an imported code can be written like this.
    Other {
        code: String,
        /// For the person who typed it, unless it is an imported code.
        why: String,
    },
    /// No code is written like this; for the person who typed it.
    Wrong(String),
}

/// Reads a code in any case, with blanks and with hyphens or dashes anywhere or nowhere.
pub fn read(typed: &str) -> Typed {
    let is_dropped = |c: char| c.is_whitespace() || is_invisible(c) || HYPHENS.contains(&c);
    let code: String = typed.chars().filter(|c| !is_dropped(*c)).collect();
    let code = code.to_ascii_uppercase();
    let foreign = code.chars().find(|c| !is_in_alphabet(*c));
    let length = code.chars().count();
    let why = if code.is_empty() {
        "Enter the activation code.".to_owned()
    } else if let Some(c) = foreign {
        format!(
            "`{}` does not occur in activation codes: they have the letters A to Z without I and O, and the \
             digits 2 to 9.",
            c.escape_debug()
        )
    } else if length != LENGTH {
        format!("An activation code has {LENGTH} characters; this one has {length}.")
    } else if checksum(code.as_bytes()) != 0 {
        "This code contains a typing error.".to_owned()
    } else {
        return Typed::Ours(code);
    };
    let may_be_imported =
        IMPORTED.contains(&length) && code.chars().all(|c| c.is_ascii_alphanumeric());
    match may_be_imported {
        true => Typed::Other { code, why },
        false => Typed::Wrong(why),
    }
}

/// Why a text that is about as long as one of our codes matches none; `None` for any other text. Codes and mistyped
/// codes are secrets, so both are masked.
pub fn nearly(typed: &str) -> Option<String> {
    match read(typed) {
        Typed::Ours(code) => Some(format!("There is no activation code {}.", masked(&code))),
        Typed::Other { code, why } if (LENGTH - 1..=LENGTH + 1).contains(&code.len()) => {
            Some(format!("Nothing matches {}. {why}", masked(&code)))
        }
        Typed::Other { .. } | Typed::Wrong(_) => None,
    }
}

/// The hyphen and what programs and keyboards make of it.
const HYPHENS: [char; 12] = [
    '-', '\u{ad}', '\u{2010}', '\u{2011}', '\u{2012}', '\u{2013}', '\u{2014}', '\u{2015}',
    '\u{2212}', '\u{fe58}', '\u{fe63}', '\u{ff0d}',
];

fn is_in_alphabet(c: char) -> bool {
    u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte))
}

/// A new code from random bits, of which the lower 75 count.
pub fn from_bits(bits: u128) -> String {
    let values = (0..15).map(|at| ((bits >> (5 * at)) & 31) as u8);
    let mut code: Vec<u8> = values.map(|value| ALPHABET[usize::from(value)]).collect();
    // The sum of the others must be what the last one adds: α¹⁵ c = s, so c = s α¹⁶, because α³¹ = 1.
    let check = times_alpha(checksum(&code), 16);
    code.push(ALPHABET[usize::from(check)]);
    code.into_iter().map(char::from).collect()
}

/// Σ αⁱ·cᵢ in GF(32) modulo x⁵ + x² + 1, with α = 2; zero for a right code.
fn checksum(code: &[u8]) -> u8 {
    let value = |c: &u8| ALPHABET.iter().position(|known| known == c).unwrap_or(0) as u8;
    let terms = code.iter().enumerate();
    terms.fold(0, |sum, (at, c)| sum ^ times_alpha(value(c), at))
}

fn times_alpha(value: u8, times: usize) -> u8 {
    (0..times).fold(value, |value, _| {
        let doubled = value << 1;
        if doubled & 0b10_0000 == 0 {
            doubled
        } else {
            doubled ^ 0b10_0101
        }
    })
}

/// In groups of four, as it is shown and sent; an imported code as it is compared.
pub fn shown(code: &str) -> String {
    if code.len() != LENGTH || !code.chars().all(is_in_alphabet) {
        return code.to_owned();
    }
    let letters: Vec<char> = code.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(String::from_iter).collect();
    groups.join("-")
}

/// For logs and lists: the last four characters.
pub fn masked(code: &str) -> String {
    let hidden = code.chars().count().saturating_sub(4);
    format!("…{}", code.chars().skip(hidden).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_wrong_character_and_every_swap_is_found(bits: u128, at in 0..16usize, with in 0..32usize, other in 0..16usize) {
            let code = from_bits(bits);
            prop_assert_eq!(read(&code), Typed::Ours(code.clone()));
            let mut wrong = code.clone().into_bytes();
            wrong[at] = ALPHABET[with];
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(matches!(read(&wrong), Typed::Ours(_)), wrong == code);
            let mut swapped = code.clone().into_bytes();
            swapped.swap(at, other);
            let swapped = String::from_utf8(swapped).unwrap();
            prop_assert_eq!(matches!(read(&swapped), Typed::Ours(_)), swapped == code);
        }
    }

    #[test]
    fn every_single_fault_in_ten_thousand_codes_is_found() {
        let mut bits: u128 = 0x0123_4567_89ab_cdef_fedc;
        for _ in 0..10_000 {
            bits = bits
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            let code = from_bits(bits >> 24).into_bytes();
            for at in 0..LENGTH {
                for with in ALPHABET.iter().filter(|with| **with != code[at]) {
                    let mut wrong = code.clone();
                    wrong[at] = *with;
                    assert_ne!(checksum(&wrong), 0);
                }
                for other in at + 1..LENGTH {
                    let mut swapped = code.clone();
                    swapped.swap(at, other);
                    assert_eq!(checksum(&swapped) == 0, swapped == code);
                }
            }
        }
    }

    #[test]
    fn the_published_example_is_no_exception() {
        // From the arithmetic by hand: all A are all zero.
        assert_eq!(read("AAAA-AAAA-AAAA-AAAA"), Typed::Ours("A".repeat(16)));
        assert_eq!(from_bits(0), "A".repeat(16));
    }

    #[test]
    fn blanks_dashes_and_case_do_not_matter() {
        let code = from_bits(0x1234_5678_9abc_def0_1357);
        let shown = shown(&code);
        for typed in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', "\u{2013}"),
            shown.replace('-', " "),
            format!("\u{feff} {code}\r\n"),
        ] {
            assert_eq!(read(&typed), Typed::Ours(code.clone()), "{typed:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let why = |typed: &str| match read(typed) {
            Typed::Wrong(why) | Typed::Other { why, .. } => why,
            Typed::Ours(code) => code,
        };
        assert!(why("K7QM-2XWD-9FHT-VR40").starts_with("`0` does not occur"));
        assert!(why("K7QM-2XWD-9FHT-VR4").contains("this one has 15"));
        assert!(matches!(read("K7QM-2XWD-9FHT-VR4ü"), Typed::Wrong(_)));
        assert!(matches!(read("ABC-12"), Typed::Wrong(_)));
        assert!(matches!(read("old-0001"), Typed::Other { code, .. } if code == "OLD0001"));
    }
}
