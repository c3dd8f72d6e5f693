//! All spellings of a MAC address are the same license key.

use std::borrow::Cow;

pub(super) const SEPARATORS: [char; 4] = [':', '-', '.', ' '];

/// The key as it is stored, compared and shown: a MAC address in any of its spellings becomes
/// `0a:1b:2c:3d:4e:5f`; every other key stays the same, byte for byte.
pub fn canonical_key(key: &str) -> Cow<'_, str> {
    match hex_digits(key) {
        Some(digits) => Cow::Owned(pairs(&digits, 2)),
        None => Cow::Borrowed(key),
    }
}

/// Whether the key is a MAC address in one of its spellings.
pub fn is_mac(key: &str) -> bool {
    hex_digits(key).is_some()
}

/// The twelve digits, in lower case, of pairs (`0A-1B-2C-3D-4E-5F`), of fours (`0a1b.2c3d.4e5f`) or
/// of `0A1B2C3D4E5F`; one of [`SEPARATORS`] is between all groups.
fn hex_digits(key: &str) -> Option<String> {
    let every = match key.len() {
        17 => 3,
        14 => 5,
        12 => 13,
        _ => return None,
    };
    let separator = key.as_bytes().get(every - 1).copied().map(char::from);
    if separator.is_some_and(|c| !SEPARATORS.contains(&c)) {
        return None;
    }
    let mut digits = String::with_capacity(12);
    for (at, c) in key.chars().enumerate() {
        if at % every == every - 1 {
            if Some(c) != separator {
                return None;
            }
        } else if c.is_ascii_hexdigit() {
            digits.push(c.to_ascii_lowercase());
        } else {
            return None;
        }
    }
    Some(digits)
}

/// Digits grouped as in a stored address; the first group has `first` of them: 1 or 2.
pub(super) fn pairs(digits: &str, first: usize) -> String {
    let mut spelled = String::with_capacity(digits.len() * 3 / 2 + 1);
    for (at, c) in digits.chars().enumerate() {
        if at >= first && (at - first).is_multiple_of(2) {
            spelled.push(':');
        }
        spelled.push(c);
    }
    spelled
}

/// How a fragment of a MAC address, in any spelling, can appear in the stored one: `1B2C` as
/// `1b:2c` and as `1:b2:c`. Empty if it cannot be such a fragment.
pub fn fragment_spellings(fragment: &str) -> Vec<String> {
    let is_digit = |c: &char| !SEPARATORS.contains(c);
    let digits: String = fragment.chars().filter(is_digit).collect();
    let is_hex = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    if !is_hex || digits.len() > 12 {
        return Vec::new();
    }
    let mut groups = fragment.split([':', '-']);
    if fragment.contains([':', '-']) && groups.all(|group| group.len() <= 2) {
        return vec![fragment.replace('-', ":").to_ascii_lowercase()];
    }
    let digits = digits.to_ascii_lowercase();
    match digits.len() {
        1 => vec![digits],
        12 => vec![pairs(&digits, 2)],
        _ => vec![pairs(&digits, 2), pairs(&digits, 1)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_are_one_key() {
        for spelling in [
            "0A-1B-2C-3D-4E-5F",
            "0a:1b:2c:3d:4e:5f",
            "0a1b.2c3d.4e5f",
            "0A1B2C3D4E5F",
            "0A.1B.2C.3D.4E.5F",
            "0a 1b 2c 3d 4e 5f",
            "0a1b:2c3d:4e5f",
            "0a1b-2c3d-4e5f",
            "0A1B 2C3D 4E5F",
        ] {
            assert_eq!(canonical_key(spelling), "0a:1b:2c:3d:4e:5f");
        }
    }

    #[test]
    fn every_other_key_stays_as_it_is() {
        for key in [
            "0A-1B-2C-3D-4E",
            "0A:1B-2C:3D:4E:5F",
            "0A1B2C3D4E5G",
            "0A-1B-2C-3D-4E-5F ",
            "PC-ÄÖ-1B-2C-3D",
            "0a1b-2c3d.4e5f",
            "0a1b_2c3d_4e5f",
            "0A1B2C-3D4E5F",
            "AAAAAAAAAAAAA",
            "",
            "ÄÄÄÄÄÄ",
            "0a:1b:2c:3d:4e:5f:",
        ] {
            assert_eq!(canonical_key(key), key);
        }
    }

    #[test]
    fn a_fragment_in_any_spelling_finds_the_stored_one() {
        let stored = "0a:1b:2c:3d:4e:5f";
        for fragment in [
            "1B2C",
            "B2c3",
            "1b-2C",
            "1b:2",
            "2c3d.4e",
            "1b2c-3d4e",
            "1b.2c.3d",
            "0A1B2C3D4E5F",
            "a1",
            "0a-1b-2c-3d-4e-5f",
        ] {
            let found = fragment_spellings(fragment)
                .iter()
                .any(|s| stored.contains(s.as_str()));
            assert!(found, "{fragment}: {:?}", fragment_spellings(fragment));
        }
        assert!(fragment_spellings("Tool").is_empty());
    }
}
