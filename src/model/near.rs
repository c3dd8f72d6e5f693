//! Near misses: the keys that a refused one was perhaps meant to be, few enough to look each up.

use std::collections::HashSet;

use super::fold::lower;
use super::mac::{canonical_key, is_mac};

/// Spellings of one key at the most.
pub const MOST_SPELLINGS: usize = 40;
/// Characters of a key above which nothing is taken for mistyped.
const LONGEST: usize = 64;

/// Characters of a tool's name below which nothing is taken for mistyped.
const SHORTEST_NAME: usize = 3;

const LOWER_HEX: &str = "0123456789abcdef";
/// With the letters that are read for 0 and 1.
const READ_AS_HEX: &str = "0123456789abcdefoil";
const ANY: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_.: ";
const UUID_GROUPS: &[usize] = &[8, 4, 4, 4, 12];

/// How a found key differs from the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// In upper and lower case only.
    Case,
    /// In separators, braces, quotes or white space, perhaps also in case.
    Spelling,
    /// One character is another, missing or too many.
    OneCharacter,
    /// Two neighbours are swapped.
    Swapped,
}

/// Other spellings of the very same id as they would be stored, at most [`MOST_SPELLINGS`]: in
/// either case, with other separators or none where the key has some, with and without braces,
/// without quotes around it; a UUID with and without its dashes; a MAC address in groups that
/// are not joined when it is stored.
pub fn spellings(key: &str) -> Vec<String> {
    let key = canonical_key(key);
    let layouts = layouts(key.trim_matches(is_wrapping));
    let braced = layouts.iter().map(|layout| format!("{{{layout}}}"));
    let candidates = layouts.iter().cloned().chain(braced).flat_map(cases);
    let mut spellings = Vec::new();
    for candidate in candidates {
        let candidate = stored(candidate);
        if candidate != key && same_id(&candidate, &key) && !spellings.contains(&candidate) {
            spellings.push(candidate);
        }
    }
    spellings.truncate(MOST_SPELLINGS);
    spellings
}

/// The end of a key, 3 to 8 characters, by which those can be found that differ from it in case and
/// separators in a way that [`spellings`] cannot foresee, such as `WD-Serial 12`; none for a MAC
/// address, which has no others, and where the end is too short.
pub fn rare_end(key: &str) -> Option<&str> {
    let core = key.trim_matches(|c| is_wrapping(c) || is_separator(c));
    let run = core.rsplit(is_separator).next()?;
    let (start, _) = run.char_indices().rev().take(8).last()?;
    let end = &run[start..];
    (!is_mac(key) && end.chars().count() >= 3).then_some(end)
}

/// Whether two different keys differ in case, separators and what is wrapped around them only.
pub fn is_same_id(one: &str, other: &str) -> bool {
    one != other && same_id(one, other)
}

/// Every key, as it would be stored, that differs from `key` by one character (another, missing or
/// one too many) or by two neighbours swapped, separators between them not counted; without those
/// that are [`spellings`]. At most 10,000; none for a key above 64 characters. Characters come from
/// an alphabet that fits: hexadecimal digits where the key has no others. A MAC address also gives
/// texts that are no longer one, such as `0A-1B-2C-3D-4E-5`, and is itself given for such a text.
pub fn mistypings(key: &str) -> Vec<String> {
    let key = canonical_key(key);
    let chars: Vec<char> = key.chars().collect();
    if chars.len() > LONGEST {
        return Vec::new();
    }
    let slips = if is_mac(&key) {
        slips_of_mac(&key)
    } else {
        let mut slips = slips(&chars, &alphabet(&key));
        slips.extend(slips_to_mac(&key));
        slips
    };
    let mut seen: HashSet<String> = spellings(&key).into_iter().collect();
    seen.insert(key.into_owned());
    seen.insert(String::new());
    let fresh = slips.into_iter().map(stored);
    fresh.filter(|slip| seen.insert(slip.clone())).collect()
}

/// What sort of near miss `found` is; none where it is the same key or another altogether. What
/// [`spellings`] gives is `Case` or `Spelling`, and what [`mistypings`] gives `OneCharacter` or
/// `Swapped`.
pub fn difference(asked: &str, found: &str) -> Option<Difference> {
    let (asked, found) = (canonical_key(asked), canonical_key(found));
    if asked == found {
        return None;
    }
    let is_spelling = spellings(&asked).iter().any(|s| *s == found);
    let slip = if is_spelling {
        None
    } else {
        slip_between(&asked, &found)
    };
    slip.or_else(|| {
        asked
            .chars()
            .map(lower)
            .eq(found.chars().map(lower))
            .then_some(Difference::Case)
    })
    .or_else(|| same_id(&asked, &found).then_some(Difference::Spelling))
}

/// What sort of near miss the name of another tool is; none where it is the same or another
/// altogether. White space and punctuation count as a matter of spelling.
pub fn name_difference(asked: &str, found: &str) -> Option<Difference> {
    if asked == found {
        return None;
    }
    let (a, b): (Vec<char>, Vec<char>) = (asked.chars().collect(), found.chars().collect());
    let letters = |name: &[char]| -> Vec<char> {
        let letters = name.iter().filter(|c| c.is_alphanumeric());
        letters.map(|c| lower(*c)).collect()
    };
    if a.iter().map(|c| lower(*c)).eq(b.iter().map(|c| lower(*c))) {
        return Some(Difference::Case);
    }
    let (in_a, in_b) = (letters(&a), letters(&b));
    if !in_a.is_empty() && in_a == in_b {
        return Some(Difference::Spelling);
    }
    let is_long = a.len() >= SHORTEST_NAME && b.len() >= SHORTEST_NAME;
    is_long.then(|| slip(&a, &b)).flatten()
}

fn stored(key: String) -> String {
    canonical_key(&key).into_owned()
}

/// Also the dashes that mail programs make of a hyphen.
pub(super) fn is_separator(c: char) -> bool {
    matches!(c, '-' | ':' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}') || c.is_whitespace()
}

/// Also what pasting brings along unseen.
pub(super) fn is_wrapping(c: char) -> bool {
    matches!(
        c,
        '{' | '}'
            | '"'
            | '\''
            | '`'
            | '«'
            | '»'
            | '\u{2018}'..='\u{201f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{feff}'
    ) || c.is_whitespace()
}

/// What all spellings of an id have in common.
fn bare(key: &str) -> String {
    let is_part = |c: &char| !is_separator(*c) && !is_wrapping(*c);
    key.chars().filter(is_part).map(lower).collect()
}

fn same_id(one: &str, other: &str) -> bool {
    let one = bare(one);
    !one.is_empty() && one == bare(other)
}

fn layouts(core: &str) -> Vec<String> {
    let digits = bare(core);
    let is_hex = digits.bytes().all(|c| c.is_ascii_hexdigit());
    let mut layouts = vec![core.to_owned()];
    match (is_hex, digits.len()) {
        (true, 32) => layouts.push(grouped(&digits, UUID_GROUPS, "-")),
        (true, 12) => layouts.push(digits.clone()),
        (true | false, _) => {}
    }
    layouts.extend(["", "-", ":", ".", " "].map(|separator| separated(core, separator)));
    if is_hex && digits.len() == 12 {
        let groups: [&[usize]; 2] = [&[4, 4, 4], &[6, 6]];
        for group in groups {
            layouts.extend(["-", ":", " "].map(|separator| grouped(&digits, group, separator)));
        }
    }
    layouts
}

/// With another separator in the place of each run of them.
fn separated(core: &str, separator: &str) -> String {
    let mut spelled = String::with_capacity(core.len());
    let mut after_separator = false;
    for c in core.chars() {
        if !is_separator(c) {
            spelled.push(c);
        } else if !after_separator {
            spelled.push_str(separator);
        }
        after_separator = is_separator(c);
    }
    spelled
}

fn grouped(digits: &str, groups: &[usize], separator: &str) -> String {
    let mut digits = digits.chars();
    let groups = groups.iter().map(|n| digits.by_ref().take(*n).collect());
    groups.collect::<Vec<String>>().join(separator)
}

fn cases(key: String) -> [String; 3] {
    let (upper, lower) = (key.to_uppercase(), key.to_lowercase());
    [key, upper, lower]
}

/// The characters that a mistyped `key` may hold.
fn alphabet(key: &str) -> Vec<char> {
    let mut signs = key.chars().filter(|c| c.is_alphanumeric());
    if !signs.all(|c| c.is_ascii_hexdigit()) {
        return ANY.chars().collect();
    }
    let has_upper = key.contains(|c: char| c.is_ascii_uppercase());
    let has_lower = key.contains(|c: char| c.is_ascii_lowercase());
    let fits = |c: &char| match c {
        'A'..='F' => has_upper || !has_lower,
        'a'..='f' => has_lower || !has_upper,
        '0'..='9' => true,
        _ => key.contains(*c),
    };
    "0123456789abcdefABCDEF-_.: ".chars().filter(fits).collect()
}

/// One character changed, missing or too many, or two neighbours swapped.
fn slips(chars: &[char], alphabet: &[char]) -> Vec<String> {
    let mut slips = Vec::new();
    let mut note = |head: &[char], middle: &[char], tail: &[char]| {
        slips.push([head, middle, tail].into_iter().flatten().collect());
    };
    for (at, c) in chars.iter().enumerate() {
        let (head, tail) = (&chars[..at], &chars[at + 1..]);
        note(head, &[], tail);
        for other in alphabet {
            if other != c {
                note(head, &[*other], tail);
            }
        }
        if let Some(next) = neighbour(*c, tail) {
            let middle = [&[tail[next]], &tail[..next], &[*c]].concat();
            note(head, &middle, &tail[next + 1..]);
        }
    }
    for at in 0..=chars.len() {
        for extra in alphabet {
            note(&chars[..at], &[*extra], &chars[at..]);
        }
    }
    slips
}

/// Where in `tail` the character stands that `c` can be swapped with.
fn neighbour(c: char, tail: &[char]) -> Option<usize> {
    let next = tail.iter().position(|c| !is_separator(*c))?;
    (!is_separator(c) && tail[next] != c).then_some(next)
}

/// A slip may leave a text that was stored as it was typed.
fn slips_of_mac(key: &str) -> Vec<String> {
    let chars: Vec<char> = key.chars().collect();
    let alphabet: Vec<char> = READ_AS_HEX.chars().collect();
    let slips = slips(&chars, &alphabet).into_iter();
    slips
        .filter(|slip| !same_id(slip, key))
        .flat_map(|slip| {
            let layouts = [slip.replace(':', "-"), slip.replace(':', ""), slip];
            layouts
                .map(|layout| [layout.to_uppercase(), layout])
                .into_iter()
                .flatten()
        })
        .collect()
}

/// The MAC addresses that a text of about twelve digits may stand for.
fn slips_to_mac(key: &str) -> Vec<String> {
    let digits: Vec<char> = bare(key).chars().collect();
    if !(11..=13).contains(&digits.len()) {
        return Vec::new();
    }
    let alphabet: Vec<char> = LOWER_HEX.chars().collect();
    let mut slips = slips(&digits, &alphabet);
    slips.retain(|slip| is_mac(slip));
    slips
}

/// Where one of the two is a MAC address, also without regard to separators and case.
fn slip_between(asked: &str, found: &str) -> Option<Difference> {
    let of = |one: &str, other: &str| {
        let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
        slip(&one, &other)
    };
    let either_is_mac = is_mac(asked) || is_mac(found);
    of(asked, found).or_else(|| {
        either_is_mac
            .then(|| of(&bare(asked), &bare(found)))
            .flatten()
    })
}

fn slip(one: &[char], other: &[char]) -> Option<Difference> {
    let head = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[head..], &other[head..]);
    let tails = one.iter().rev().zip(other.iter().rev());
    let tail = tails.take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[..one.len() - tail], &other[..other.len() - tail]);
    match (one, other) {
        ([_], [_]) | ([], [_]) | ([_], []) => Some(Difference::OneCharacter),
        ([a, between @ .., b], [c, same @ .., d])
            if (a, b) == (d, c)
                && between == same
                && !is_separator(*a)
                && !is_separator(*b)
                && between.iter().all(|c| is_separator(*c)) =>
        {
            Some(Difference::Swapped)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::RngSeed;

    const MAC: &str = "0a:1b:2c:3d:4e:5f";
    const UUID: &str = "4c4c4544-0042-3510-8052-b3c04f4b4e32";

    fn each_is_a_spelling(key: &str, stored: &[&str]) {
        let spellings = spellings(key);
        for one in stored {
            assert!(
                spellings.iter().any(|s| s == one),
                "{key}: {one} in {spellings:?}"
            );
        }
    }

    fn each_is_mistyped(key: &str, stored: &[&str]) {
        let mistypings = mistypings(key);
        for one in stored {
            assert!(mistypings.iter().any(|s| s == one), "{key}: {one}");
        }
    }

    #[test]
    fn a_serial_number_is_found_in_another_case_and_with_other_separators() {
        each_is_a_spelling(
            "Wd-Wcc 4e",
            &[
                "WD-WCC 4E",
                "wd-wcc 4e",
                "WD-WCC-4E",
                "WdWcc4e",
                "wd.wcc.4e",
                "{WD:WCC:4E}",
            ],
        );
        each_is_a_spelling(
            " \u{201e}AB\u{2013}12\u{201c} ",
            &["AB-12", "ab12", "AB\u{2013}12"],
        );
    }

    #[test]
    fn a_uuid_is_found_with_and_without_dashes_and_braces() {
        let bare = UUID.replace('-', "");
        each_is_a_spelling(UUID, &[&bare, &format!("{{{UUID}}}"), &UUID.to_uppercase()]);
        each_is_a_spelling(&bare, &[UUID, &format!("{{{}}}", UUID.to_uppercase())]);
        each_is_a_spelling(&format!("{{{bare}}}"), &[UUID, &bare]);
    }

    #[test]
    fn a_mac_address_that_is_not_joined_is_found_by_the_stored_one_and_finds_it() {
        for untidy in [
            "0A 1B 2C 3D 4E 5F",
            "0a1b2c-3d4e5f",
            "{0A-1B-2C-3D-4E-5F}",
            "{0A1B2C3D4E5F}",
        ] {
            each_is_a_spelling(untidy, &[MAC]);
            each_is_a_spelling(MAC, &[untidy]);
        }
        each_is_a_spelling("'0A:1B-2C:3D-4E:5F'", &[MAC]);
        assert_eq!(spellings("0A-1B-2C-3D-4E-5F"), spellings(MAC));
    }

    #[test]
    fn one_character_and_one_swap_of_a_mac_address_are_found() {
        each_is_mistyped(
            MAC,
            &[
                "0b:1b:2c:3d:4e:5f",
                "01:ab:2c:3d:4e:5f",
                "a0:1b:2c:3d:4e:5f",
                "0a:1b:2c:3d:4e:f5",
            ],
        );
        each_is_mistyped(
            MAC,
            &[
                "0A-1B-2C-3D-4E-5",
                "oa:1b:2c:3d:4e:5f",
                "0A1B2C3D4E55F",
                "0a-lb-2c-3d-4e-5f",
            ],
        );
    }

    #[test]
    fn a_text_of_eleven_to_thirteen_digits_finds_the_mac_address() {
        for typed in [
            "0A-1B-2C-3D-4E-5",
            "0A:1B:2C:3D:4E:5FF",
            "a1b2c3d4e5f",
            "0A 1B 2C 3D 4E 5E",
            "0A-1B-2C-3D-4E-SF",
            "0a:1b:2c:3d:e4:5f",
        ] {
            each_is_mistyped(typed, &[MAC]);
        }
    }

    #[test]
    fn a_mistyped_serial_number_is_found() {
        each_is_mistyped(
            "WD-12",
            &[
                "WD-1Z", "WD-1", "WD-122", "DW-12", "W1-D2", "WD_12", "WD-21",
            ],
        );
        assert!(
            !mistypings("WD-12").contains(&"WD12".to_owned()),
            "a spelling"
        );
        assert!(mistypings(&"x".repeat(65)).is_empty());
        assert!(mistypings("1").iter().all(|key| !key.is_empty()));
    }

    #[test]
    fn a_key_of_hex_digits_is_mistyped_as_hex_digits_of_its_case() {
        each_is_mistyped("AB-12", &["AC-12", "AB--12"]);
        for key in ["AB-12", "ab-12"] {
            let slips = mistypings(key);
            let fits = |slip: &String| !slip.contains(['g', 'G', ':']);
            assert!(slips.iter().all(fits));
            assert_eq!(slips.iter().any(|s| s.contains('c')), key == "ab-12");
        }
        each_is_mistyped("1234", &["123a", "123A"]);
    }

    #[test]
    fn the_difference_is_told() {
        for (asked, found, told) in [
            ("Pc-Anna", "pc-anna", Some(Difference::Case)),
            ("PC-MÜLLER", "pc-müller", Some(Difference::Case)),
            ("WD-12", "{wd 12}", Some(Difference::Spelling)),
            (MAC, "0A 1B 2C 3D 4E 5F", Some(Difference::Spelling)),
            (MAC, "0A-1B-2C-3D-4E-5", Some(Difference::OneCharacter)),
            ("WD-12", "WD-13", Some(Difference::OneCharacter)),
            ("WD-12", "W1-D2", Some(Difference::Swapped)),
            (MAC, "0A-1B-2C-3D-4E-5F", None),
            (MAC, "0a:1b:2c:3d:4e:60", None),
            ("", "--", None),
        ] {
            assert_eq!(difference(asked, found), told, "{asked} {found}");
        }
    }

    #[test]
    fn a_key_of_mixed_case_is_looked_for_by_its_end() {
        assert_eq!(rare_end("{wd-serial 123456789}"), Some("23456789"));
        assert_eq!(rare_end("pcä"), Some("pcä"));
        let none = ["pc", "wd-serial 12", MAC, "", "--"].map(rare_end);
        assert_eq!(none, [None; 5]);
        assert!(is_same_id("PC-Ä", "pc ä") && !is_same_id("a", "a"));
    }

    #[test]
    fn the_difference_between_names_is_told() {
        for (asked, found, told) in [
            ("mytool", "MyTool", Some(Difference::Case)),
            ("MyTool ", "MyTool", Some(Difference::Spelling)),
            ("my tool", "My_Tool", Some(Difference::Spelling)),
            ("MyTol", "MyTool", Some(Difference::OneCharacter)),
            ("MyTolo", "MyTool", Some(Difference::Swapped)),
            ("Tool_A", "Tool_B", Some(Difference::OneCharacter)),
            ("MyTool", "MyTool", None),
            ("--", "..", None),
            ("V1", "V2", None),
            ("MyTool", "Other", None),
        ] {
            assert_eq!(name_difference(asked, found), told, "{asked} {found}");
        }
    }

    #[test]
    fn the_most_mistypings_are_within_the_bound() {
        let digits = "0123456789".chars().cycle();
        let letters: String = "xyzw".chars().cycle().take(LONGEST).collect();
        let spread: String = "12345678901zz"
            .chars()
            .flat_map(|c| [c, '-', '.', ':'])
            .collect();
        let hex: String = digits.take(LONGEST).collect();
        for key in [&letters, &spread, &hex, MAC, "0123456789a"] {
            assert!(mistypings(key).len() <= 10_000, "{key}");
        }
        assert!(mistypings(MAC).len() <= 4_000);
    }

    #[test]
    fn every_single_mistyping_of_a_mac_address_is_told() {
        for key in [MAC, "0A-1B-2C-3D-4E-5", "{0A 1B 2C 3D 4E 5FF}"] {
            for slip in mistypings(key) {
                let told = difference(key, &slip);
                let is_told = matches!(told, Some(Difference::OneCharacter | Difference::Swapped));
                assert!(is_told, "{key} {slip} {told:?}");
            }
        }
    }

    /// Texts of all sorts, and such as are nearly MAC addresses.
    fn keys() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "\\PC{0,20}",
            "[ \"{]?([0-9a-fA-FoO]{1,3}[-:. _#]?){4,7}[}'f ]?",
            "([0-9A-F]{2}[-:]){5}[0-9A-FO]{1,2}[\"}:]?",
            "\\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\\}?",
            "[A-Za-zäÜßİ]{0,3}[-. :_\u{2013}]{0,2}[A-Za-z0-9]{0,5}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(1),
            ..ProptestConfig::default()
        })]

        #[test]
        fn every_spelling_differs_by_case_or_spelling(key in keys()) {
            let all = spellings(&key);
            prop_assert!(all.len() <= MOST_SPELLINGS && !all.contains(&key));
            prop_assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
            for one in all {
                let told = difference(&key, &one);
                let is_told = matches!(told, Some(Difference::Case | Difference::Spelling));
                prop_assert!(is_told, "{:?} {:?} {:?}", key, one, told);
            }
        }

        #[test]
        fn every_mistyping_differs_by_one_character_or_a_swap(
            key in keys(), some in prop::collection::vec(any::<Index>(), 20),
        ) {
            let all = mistypings(&key);
            prop_assert!(all.len() <= 10_000 && !all.contains(&key));
            for one in some.iter().filter_map(|index| all.get(index.index(all.len().max(1)))) {
                let told = difference(&key, one);
                let is_told = matches!(told, Some(Difference::OneCharacter | Difference::Swapped));
                prop_assert!(is_told, "{:?} {:?} {:?}", key, one, told);
            }
        }

        #[test]
        fn any_two_texts_can_be_compared(asked in keys(), found in keys()) {
            let is_same = canonical_key(&asked) == canonical_key(&found);
            prop_assert!(!is_same || difference(&asked, &found).is_none());
        }
    }
}
