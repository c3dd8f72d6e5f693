//! License keys as people paste them: from a mail, a spreadsheet or the output of `ipconfig`.
//!
//! For pages and files only. The API takes a key byte for byte, as a client sends it.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::code_format::{ALPHABET, LENGTH, Typed, read};
use super::mac::{SEPARATORS, canonical_key, is_mac};
use super::text::{in_ascii, is_invisible, trimmed};
use super::typed_date::{is_date, is_day_of_month};

/// Quotation marks that come in pairs.
const QUOTES: [(char, char); 7] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{2018}', '\u{2019}'),
    ('«', '»'),
];

/// Words before an address or an ID.
const LABELS: [&str; 23] = [
    "machine code",
    "code",
    "serial number",
    "serial no",
    "serial",
    "seriennummer",
    "s/n",
    "sn",
    "machine id",
    "machine-id",
    "machineid",
    "hardware id",
    "hwid",
    "uuid",
    "guid",
    "mac address",
    "mac-address",
    "macaddress",
    "mac id",
    "mac",
    "physical address",
    "hwaddr",
    "ether",
];

/// Letters of a label in any language.
const LABEL: usize = 30;

/// Digits of an address, and of texts that are one with something missing or too much.
const DIGITS: usize = 12;
const NEARLY: std::ops::RangeInclusive<usize> = 4..=14;

/// Digits of the manufacturer, with which the addresses of one computer often begin.
const MANUFACTURER: usize = 6;

/// Numbers of addresses that people paste as one text.
const JOINED: std::ops::RangeInclusive<usize> = 2..=4;

/// The same without separators: serial numbers of drives have eight.
const NEARLY_BARE: std::ops::RangeInclusive<usize> = 9..=13;

/// Digits that spreadsheet programs keep of a number; the others become zeros.
const KEPT_DIGITS: usize = 15;

/// What they make of a cell that is true or false.
const TRUTH: [&str; 8] = [
    "true",
    "false",
    "wahr",
    "falsch",
    "vrai",
    "faux",
    "verdadero",
    "falso",
];

/// The same for the ID of an operating system: a UUID, or its digits alone.
const ID_DIGITS: usize = 32;
const NEARLY_ID: std::ops::RangeInclusive<usize> = 28..=35;
const UUID: [usize; 5] = [8, 4, 4, 4, 12];

/// What is wrong with a key that no program is likely to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyDoubt {
    /// There is text around one or more MAC addresses, UUIDs or the like.
    Contains(Vec<String>),
    /// Letters in place of digits, or zeros left out, of this one.
    Misspelled(String),
    /// One of another length: the number of its digits, and of those that it must have.
    Length(usize, usize),
    /// A MAC address but for this letter.
    Letter(char),
    /// A number or a date as a program writes it: `4.71E15`, `1234.0`, `12. Jan`.
    Reformatted(Option<String>),
    /// Something like `Serial:`, and the key after it.
    Label(String, String),
    /// `%COMPUTERNAME%`, `{machine_id}`: nobody put the value in its place.
    Placeholder,
    ActivationCode,
    IpAddress,
    EmailAddress,
    /// Of a file, or on the web.
    Path,
}

impl KeyDoubt {
    /// The keys that are probably meant; several are machines of their own.
    pub fn suggestions(&self) -> &[String] {
        match self {
            KeyDoubt::Contains(keys) => keys,
            KeyDoubt::Misspelled(key) | KeyDoubt::Label(_, key) => std::slice::from_ref(key),
            KeyDoubt::Reformatted(number) => number.as_slice(),
            KeyDoubt::Length(..)
            | KeyDoubt::Letter(_)
            | KeyDoubt::Placeholder
            | KeyDoubt::ActivationCode
            | KeyDoubt::IpAddress
            | KeyDoubt::EmailAddress
            | KeyDoubt::Path => &[],
        }
    }

    /// What is wrong, without what to do.
    pub fn message(&self) -> String {
        match self {
            KeyDoubt::Contains(keys) => match &keys[..] {
                [key] => format!("This text contains {}.", noun(key)),
                all if all.iter().all(|key| is_mac(key)) => {
                    format!("This text contains {} MAC addresses.", all.len())
                }
                all => format!("This text contains {} machine IDs.", all.len()),
            },
            KeyDoubt::Misspelled(key) => format!("This is nearly {}.", noun(key)),
            KeyDoubt::Reformatted(_) => {
                "This looks like a number or a date that a program has reformatted.".to_owned()
            }
            KeyDoubt::Letter(letter) => format!(
                "This looks like a MAC address, but `{letter}` is none of its digits 0 to 9 and A to F."
            ),
            KeyDoubt::Label(label, _) => {
                format!("`{label}` looks like a label, not like part of the machine ID.")
            }
            KeyDoubt::Placeholder => "This is a placeholder without its value.".to_owned(),
            KeyDoubt::ActivationCode => {
                "This looks like an activation code, not like a machine ID.".to_owned()
            }
            KeyDoubt::IpAddress => {
                "This is an IP address, which can change and belong to several machines.".to_owned()
            }
            KeyDoubt::EmailAddress => "This is an e-mail address, not a machine ID.".to_owned(),
            KeyDoubt::Path => "This is a path or a link, not a machine ID.".to_owned(),
            KeyDoubt::Length(digits, DIGITS) => {
                format!("This looks like a MAC address with {digits} of {DIGITS} digits.")
            }
            KeyDoubt::Length(digits, all) => {
                format!("This looks like a machine ID of {all} digits, but it has {digits}.")
            }
        }
    }
}

fn noun(key: &str) -> &'static str {
    match key.contains('-') {
        _ if is_mac(key) => "a MAC address",
        true => "a UUID",
        false => "a machine ID",
    }
}

/// Removes what is certainly not part of the key: quotation marks, the wrapping of spreadsheets
/// (`="…"`, a leading apostrophe), and around a MAC address in any of its spellings, or a UUID, a label
/// such as `MAC:` and the full stop. Every other key stays as it is.
pub fn cleaned(typed: &str) -> String {
    let mut key = trimmed(typed);
    loop {
        let bare = unwrapped(key);
        if bare == key {
            break;
        }
        key = bare;
    }
    let plain = in_ascii(key);
    let address = without_label(&plain)
        .trim_end_matches(['.', ',', ';'])
        .trim_end();
    match address_of(address) {
        Some(address) => address,
        None if is_id(address) => address.to_owned(),
        None => canonical_key(key).into_owned(),
    }
}

/// Whether a [`cleaned`] key is probably mistyped.
pub fn doubt(key: &str) -> Option<KeyDoubt> {
    let plain = in_ascii(key);
    if is_mac(&plain) || is_id(without_braces(&plain)) {
        return None;
    }
    // Broken in two, perhaps at a hyphen.
    for whole in ["", "-"].map(|hyphen| plain.replace(char::is_whitespace, hyphen)) {
        if plain.split_whitespace().count() == 2 && is_id(&whole) {
            return Some(KeyDoubt::Misspelled(whole));
        }
    }
    let found = found_in(&plain);
    if !found.is_empty() {
        return Some(KeyDoubt::Contains(found));
    }
    of_another_kind(&plain)
        .or_else(|| labelled(&plain))
        .or_else(|| joined(&plain))
        .or_else(|| misspelled(&plain))
        .or_else(|| misspelled_id(&plain))
        .or_else(|| number(key))
        .or_else(|| converted_date(&plain))
}

/// What people have at hand beside the machine ID.
fn of_another_kind(key: &str) -> Option<KeyDoubt> {
    let is_ip =
        key.parse::<Ipv4Addr>().is_ok() || key.contains("::") && key.parse::<Ipv6Addr>().is_ok();
    let address = key.strip_prefix("mailto:").unwrap_or(key);
    let is_email = address.split_once('@').is_some_and(|(user, host)| {
        let is_plain =
            |text: &str| !text.contains(|c: char| c.is_whitespace() || "@:/".contains(c));
        !user.is_empty() && is_plain(user) && is_plain(host) && host.trim_matches('.').contains('.')
    });
    let is_path =
        key.starts_with(['/', '\\']) || [":\\", "://"].iter().any(|mark| key.contains(mark));
    let kinds = [
        (is_path, KeyDoubt::Path),
        (is_placeholder(key), KeyDoubt::Placeholder),
        (is_ip, KeyDoubt::IpAddress),
        (is_email, KeyDoubt::EmailAddress),
        (is_like_code(key), KeyDoubt::ActivationCode),
    ];
    kinds
        .into_iter()
        .find_map(|(is_one, kind)| is_one.then_some(kind))
}

/// A name in brackets or as of a variable.
fn is_placeholder(key: &str) -> bool {
    let inner = key.trim_matches(|c| "$%{}<>[]()".contains(c));
    let is_marked = inner.len() < key.len() && key.starts_with(['$', '%', '{', '<', '[', '(']);
    let is_name = |c: char| c.is_alphabetic() || "_-. ".contains(c);
    is_marked && !inner.is_empty() && inner.chars().all(is_name)
}

/// The key after one of [`LABELS`], or after any words that end with a colon or an equals sign and a blank.
fn labelled(key: &str) -> Option<KeyDoubt> {
    let is_separator = |c: char| ":=#.".contains(c) || c.is_whitespace();
    let known = || {
        let rest = without_label(key).trim_start_matches(is_separator);
        let is_key = rest.contains(|c: char| c.is_ascii_digit()) && !rest.contains(' ');
        (rest.len() < key.len() && !key.starts_with(is_separator) && is_key).then_some(rest)
    };
    let any = || {
        let (words, rest) = key.split_once([':', '='])?;
        let is_words = words.contains(|c: char| c.is_alphabetic() && !c.is_ascii_hexdigit())
            && !words.contains(|c: char| c.is_ascii_digit())
            && words.chars().count() <= LABEL;
        (is_words && rest.starts_with(char::is_whitespace)).then_some(rest.trim_start())
    };
    let rest = known().or_else(any).filter(|rest| !rest.is_empty())?;
    let label = key[..key.len() - rest.len()].trim_end();
    Some(KeyDoubt::Label(label.to_owned(), cleaned(rest)))
}

/// Several addresses without anything else, one after the other.
fn joined(key: &str) -> Option<KeyDoubt> {
    let groups: Vec<&str> = key.split(SEPARATORS).collect();
    let all = groups.concat();
    let is_whole = all.len().is_multiple_of(DIGITS) && JOINED.contains(&(all.len() / DIGITS));
    if !is_whole || !is_hex(&all) || !has_both(&all) {
        return None;
    }
    let is_paired = groups.len() > DIGITS / 2 && groups.iter().all(|group| group.len() <= 4);
    let mut parts = (0..all.len())
        .step_by(DIGITS)
        .map(|at| &all[at..at + DIGITS]);
    let first = &all[..MANUFACTURER];
    let is_one_maker = parts
        .clone()
        .all(|part| part[..MANUFACTURER].eq_ignore_ascii_case(first));
    let mut found: Vec<String> = Vec::new();
    for part in &mut parts {
        let key = canonical_key(part).into_owned();
        if !found.contains(&key) {
            found.push(key);
        }
    }
    (is_paired || is_one_maker).then_some(KeyDoubt::Contains(found))
}

/// One of our codes, perhaps mistyped. Machine IDs in groups of four are hexadecimal.
fn is_like_code(key: &str) -> bool {
    let groups = || key.split('-');
    let code = groups().collect::<String>();
    let is_in_alphabet = |c: u8| ALPHABET.contains(&c.to_ascii_uppercase());
    let is_grouped = groups().all(|group| group.len() == 4) && code.len() == LENGTH;
    !code.bytes().all(|c| c.is_ascii_hexdigit())
        && (is_grouped && code.bytes().all(is_in_alphabet) || matches!(read(key), Typed::Ours(_)))
}

fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit())
}

/// `4.41E+11`, as spreadsheet programs write a long number, whose digits are lost.
pub fn is_shortened(key: &str) -> bool {
    let Some((number, power)) = key.split_once(['E', 'e']) else {
        return false;
    };
    let Some(power) = power.strip_prefix(['+', '-']) else {
        return false;
    };
    let (first, others) = number.split_once(['.', ',']).unwrap_or((number, "0"));
    first.len() == 1 && power.len() >= 2 && [first, others, power].into_iter().all(is_number)
}

fn number(key: &str) -> Option<KeyDoubt> {
    let is_rounded = is_number(key)
        && !key.starts_with('0')
        && key.len() > KEPT_DIGITS
        && key[KEPT_DIGITS..].bytes().all(|digit| digit == b'0');
    if is_rounded || TRUTH.contains(&&*key.to_lowercase()) {
        return Some(KeyDoubt::Reformatted(None));
    }
    let (whole, rest) = key.split_once(['.', ','])?;
    let power = rest.split_once(['E', 'e']);
    let is_scientific = power.is_some_and(|(digits, power)| {
        is_number(digits) && is_number(power.trim_start_matches(['+', '-']))
    });
    match rest {
        _ if !is_number(whole) => None,
        "0" if whole.len() > 3 => Some(KeyDoubt::Reformatted(Some(whole.to_owned()))),
        _ => is_scientific.then_some(KeyDoubt::Reformatted(None)),
    }
}

fn unwrapped(key: &str) -> &str {
    let formula = key
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    let quoted = || {
        QUOTES.iter().find_map(|(open, close)| {
            let inner = key.strip_prefix(*open)?.strip_suffix(*close)?;
            (!inner.contains([*open, *close])).then_some(inner)
        })
    };
    let apostrophe = || key.strip_prefix('\'').filter(|rest| !rest.contains('\''));
    let bare = formula.or_else(quoted).or_else(apostrophe);
    bare.map(trimmed)
        .filter(|bare| !bare.is_empty())
        .unwrap_or(key)
}

fn without_label(key: &str) -> &str {
    let label = |label: &&str| {
        let start = key.get(..label.len())?;
        let rest = &key[start.len()..];
        let is_label = start.eq_ignore_ascii_case(label) && rest.starts_with([':', '=', ' ', '.']);
        is_label.then(|| rest.trim_start_matches([':', '=', ' ', '.']))
    };
    LABELS.iter().find_map(label).unwrap_or(key)
}

/// Digits as in source code: `0x28`.
fn without_0x(group: &str) -> &str {
    let digits = group.strip_prefix("0x").or(group.strip_prefix("0X"));
    digits.unwrap_or(group)
}

/// The address if all groups are whole; its separators may be mixed.
fn address_of(text: &str) -> Option<String> {
    let groups: Vec<&str> = text.split(SEPARATORS).map(without_0x).collect();
    let is_whole = |group: &&str| matches!(group.len(), 2 | 4 | 6 | 12);
    let digits = groups.concat();
    let is_address = digits.len() == DIGITS && is_hex(&digits);
    (is_address && groups.iter().all(is_whole)).then(|| canonical_key(&digits).into_owned())
}

/// The MAC addresses and IDs that are words of their own, or after a word and a colon, each once.
fn found_in(text: &str) -> Vec<String> {
    let is_end = |c: char| c.is_whitespace() || "\"'()[]{}<>,;|/=".contains(c);
    let words: Vec<&str> = text
        .split(is_end)
        .map(|word| word.trim_matches(['.', ':', '-', '!', '?']))
        .filter(|word| !word.is_empty())
        .collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let spaced = words
            .get(at..at + UUID.len())
            .map(|groups| groups.join("-"));
        let (taken, key) = match spaced.filter(|id| is_id(id)) {
            Some(id) => (UUID.len(), Some(id)),
            // The last group of a UUID has as many digits as an address.
            None if at > 0 && words[at - 1].len() == UUID[3] && is_hex(words[at - 1]) => (1, None),
            None => (1, key_in(words[at])),
        };
        at += taken;
        if let Some(key) = key
            && !found.contains(&key)
        {
            found.push(key);
        }
    }
    found
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_hexdigit())
}

/// `eth0:28:16:…`, `mailto:28:16:…` and `PC-28-16-…` have one, too.
fn key_in(word: &str) -> Option<String> {
    if word.len() < DIGITS {
        return None;
    }
    let last = word.rsplit(':').find(|part| is_id(part));
    let is_text =
        |before: &str| before.contains(|c: char| c.is_alphabetic() && !c.is_ascii_hexdigit());
    // Other keys have groups of four behind a word.
    let in_pairs = |text: &str| address_of(text).filter(|_| text.len() == 17 || text.contains('.'));
    let behind_text = || {
        let ends = word.match_indices([':', '-', '.', '_', '@', '#']);
        let mut parts = ends.map(|(at, end)| (&word[..at], end, &word[at + end.len()..]));
        parts.find_map(|(before, end, rest)| {
            let (rest, _) = rest.split_once('_').unwrap_or((rest, ""));
            let address = match end {
                ":" => address_of(rest),
                _ => in_pairs(rest),
            };
            address.filter(|_| is_text(before))
        })
    };
    let before_text = || {
        let mut ends = word.match_indices(['_', '@', '#', '%', '-']);
        ends.find_map(|(at, _)| in_pairs(&word[..at]).filter(|_| is_text(&word[at..])))
    };
    address_of(word)
        .or_else(|| last.map(str::to_owned))
        .or_else(behind_text)
        .or_else(before_text)
}

fn without_braces(key: &str) -> &str {
    let inner = key.strip_prefix('{').and_then(|key| key.strip_suffix('}'));
    inner.unwrap_or(key)
}

/// A UUID, or its digits alone if they cannot be a number or a word.
fn is_id(key: &str) -> bool {
    let groups = key.split('-');
    match key.len() {
        ID_DIGITS => is_hex(key) && has_both(key),
        _ => groups.clone().map(str::len).eq(UUID) && groups.into_iter().all(is_hex),
    }
}

/// Letters and digits.
fn has_both(digits: &str) -> bool {
    let is_digit = |c: u8| c.is_ascii_digit();
    digits.bytes().any(is_digit) && !digits.bytes().all(is_digit)
}

/// An ID with look-alike letters, or with a digit missing or too many.
fn misspelled_id(key: &str) -> Option<KeyDoubt> {
    let folded = digits(without_braces(key).trim_end_matches(['.', ',', ';', ':']));
    // With other separators.
    let groups: Vec<&str> = folded.split([' ', '_', '.', ':', '-']).collect();
    let folded = match groups.len() {
        5 => groups.join("-"),
        // Broken in two by a line of a mail or a cell.
        _ => folded.replace(char::is_whitespace, ""),
    };
    let all = folded.replace('-', "");
    let groups = folded.split('-').count();
    match all.len() {
        _ if groups != 1 && groups != UUID.len() => None,
        _ if !all.bytes().all(|c| c.is_ascii_hexdigit()) || !has_both(&all) => None,
        ID_DIGITS => is_id(&folded).then_some(KeyDoubt::Misspelled(folded)),
        number => NEARLY_ID
            .contains(&number)
            .then_some(KeyDoubt::Length(number, ID_DIGITS)),
    }
}

/// A spreadsheet program makes `12. Jan` of `1-12`.
fn converted_date(key: &str) -> Option<KeyDoubt> {
    let is_written = is_date(key) && !is_number(key) || is_day_of_month(key);
    is_written.then_some(KeyDoubt::Reformatted(None))
}

/// Hexadecimal digits in groups, perhaps with look-alike letters, whatever is between the groups.
fn misspelled(key: &str) -> Option<KeyDoubt> {
    let groups = key.split(|c: char| !c.is_alphanumeric() && !is_invisible(c));
    let groups = groups.map(without_0x);
    let typed: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
    let groups: Vec<String> = typed.iter().map(|group| digits(group)).collect();
    let all = groups.concat();
    let is_paired = groups.len() >= 4 && groups.iter().all(|group| (1..=3).contains(&group.len()));
    let is_whole = |group: &String| group.len() <= 2 && !group.is_empty();
    if !is_hex(&all) {
        let wrong = all.chars().find(|c| !c.is_ascii_hexdigit())?;
        let right = groups.iter().filter(|group| is_hex(group)).count();
        let is_address = groups.len() == 6 && groups.iter().all(|group| group.chars().count() == 2);
        return (is_address && right >= 4).then_some(KeyDoubt::Letter(wrong));
    }
    if all.bytes().all(|c| c.is_ascii_digit()) && groups.len() < 4 && !is_half(key, &groups) {
        return None;
    }
    if is_paired && groups.len() == 6 && groups.iter().all(is_whole) {
        let padded: Vec<String> = groups.iter().map(|group| format!("{group:0>2}")).collect();
        return Some(KeyDoubt::Misspelled(
            canonical_key(&padded.concat()).into_owned(),
        ));
    }
    // Beyond F, a letter or two are misread digits; more are a word.
    let beyond = typed.iter().flat_map(|group| group.chars());
    let beyond = beyond.filter(|c| "SsZzGgQq".contains(*c)).count();
    let is_bare = groups.len() == 1 && NEARLY_BARE.contains(&all.len()) && has_both(&all);
    // Groups that nobody makes: a separator is missing.
    let is_even = groups.iter().all(|group| group.len().is_multiple_of(2));
    let is_uneven = groups.len() > 1 && has_both(&all) && (is_even || key.contains([':', ' ']));
    match all.len() {
        DIGITS if is_paired || is_bare && beyond <= 2 || is_uneven && beyond == 0 => {
            Some(KeyDoubt::Misspelled(canonical_key(&all).into_owned()))
        }
        length
            if NEARLY.contains(&length) && (is_paired && length > 7 || is_half(key, &groups)) =>
        {
            Some(KeyDoubt::Length(length, DIGITS))
        }
        length if is_bare && beyond == 0 => Some(KeyDoubt::Length(length, DIGITS)),
        _ => None,
    }
}

/// `28:16` or `28:16:AD`, the beginning or the end of an address. Dates have hyphens and full stops.
fn is_half(key: &str, groups: &[String]) -> bool {
    let is_separated = match groups.len() {
        2 => key.contains(':'),
        3 => key.contains(':') || key.contains('-') && has_both(&groups.concat()),
        _ => false,
    };
    is_separated && groups.iter().all(|group| group.len() == 2)
}

/// With hexadecimal digits in place of the letters, Latin, Greek or Cyrillic, that look like them.
fn digits(group: &str) -> String {
    let digit = |c| match c {
        'O' | 'o' | 'Ο' | 'ο' | 'О' | 'о' => '0',
        'I' | 'l' | 'i' | 'L' | 'І' | 'і' | 'Ι' => '1',
        'S' | 's' => '5',
        'Z' | 'z' => '2',
        'G' => '6',
        'g' | 'q' => '9',
        'Q' => '0',
        'Α' | 'А' | 'а' | 'α' => 'a',
        'Β' | 'В' | 'в' => 'b',
        'С' | 'с' => 'c',
        'Ε' | 'Е' | 'е' => 'e',
        c => c,
    };
    group.chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_cleaned() {
        for typed in [
            "28:16:ad:00:00:0c",
            " 28-16-AD-00-00-0C\u{200b}",
            "28.16.ad.00.00.0c",
            "2816ad-00000c",
            "28:16:AD:00:00:0C.",
            "MAC: 28:16:AD:00:00:0C",
            "mac address = 2816ad00000c",
            "Physical Address. . . . . . . . . : 28-16-AD-00-00-0C",
            "0x2816AD00000C",
            "0X28:0X16:0XAD:0X00:0x00:0x0C",
            "28\u{2013}16\u{2013}AD\u{2013}00\u{2013}00\u{2013}0C",
            "28\u{ff1a}16\u{ff1a}AD\u{ff1a}00\u{ff1a}00\u{ff1a}0C",
            "\"28:16:AD:00:00:0C\"",
            "=\"28:16:AD:00:00:0C\"",
            "'28:16:AD:00:00:0C",
            "\u{201e}28:16:AD:00:00:0C\u{201c}",
            "28:16-AD:00 00:0C",
        ] {
            assert_eq!(cleaned(typed), "28:16:ad:00:00:0c", "{typed}");
        }
        for (typed, key) in [
            ("=\"00123456\"", "00123456"),
            ("'00123457", "00123457"),
            ("\"00123458\"", "00123458"),
            ("5\" disk", "5\" disk"),
            ("'a' and 'b'", "'a' and 'b'"),
            ("\"", "\""),
            ("MACHINE-7.", "MACHINE-7."),
            ("0x1234", "0x1234"),
            ("Mac", "Mac"),
            ("WD\u{2013}12", "WD\u{2013}12"),
        ] {
            assert_eq!(cleaned(typed), key, "{typed}");
        }
    }

    #[test]
    fn a_key_around_an_address_is_doubted() {
        for typed in [
            "8C16AD00000C (my laptop)",
            "Ethernet: 8c-16-ad-00-00-0c",
            "Anna's PC, 8C16.AD00.000C!",
        ] {
            let found = doubt(typed).unwrap();
            assert_eq!(found.suggestions(), ["8c:16:ad:00:00:0c"], "{typed}");
        }
        for typed in [
            "eth0:8C:16:AD:00:00:0C",
            "mailto:8C:16:AD:00:00:0C",
            "PC-8C-16-AD-00-00-0C",
            "wlan0:8C16AD00000C",
            "8C:16:AD:00:00:0C@home",
            "8C-16-AD-00-00-0C-Laptop",
            "PC_8C:16:AD:00:00:0C_2",
        ] {
            let found = doubt(typed).unwrap();
            assert_eq!(found.suggestions(), ["8c:16:ad:00:00:0c"], "{typed}");
        }
        for typed in [
            "28:16:AD:07:00:0D, 28:16:AD:07:00:0E",
            "28:16:AD:07:00:0D:28:16:AD:07:00:0E",
            "28-16-AD-07-00-0D28-16-AD-07-00-0E",
            "2816AD07000D2816AD07000E",
        ] {
            let two = doubt(typed).unwrap();
            assert_eq!(
                two.suggestions(),
                ["28:16:ad:07:00:0d", "28:16:ad:07:00:0e"],
                "{typed}"
            );
        }
    }

    #[test]
    fn a_nearly_right_address_is_doubted() {
        for (typed, address) in [
            ("28:16:AD:00:00:OE", "28:16:ad:00:00:0e"),
            ("28:16:ad:0:0:9", "28:16:ad:00:00:09"),
            ("28-16-AD-l0-00-0E", "28:16:ad:10:00:0e"),
            ("2816ADOOOOOE", "28:16:ad:00:00:0e"),
            ("28_16_AD_00_00_0E", "28:16:ad:00:00:0e"),
            ("28/16/AD/00/00/0E", "28:16:ad:00:00:0e"),
            ("28, 16, AD, 00, 00, 0E", "28:16:ad:00:00:0e"),
            ("28::16::AD::00::00::0E", "28:16:ad:00:00:0e"),
            ("28 16AD00000E", "28:16:ad:00:00:0e"),
            ("2816AD00-000E", "28:16:ad:00:00:0e"),
            ("0x28, 0x16, 0xAD, 0x00, 0x00, 0x0E", "28:16:ad:00:00:0e"),
            ("28-16-AD-OB-00-1G", "28:16:ad:0b:00:16"),
            ("28:16:AD:0B:0Q:05", "28:16:ad:0b:00:05"),
            ("3C:52:82:AA:BB:S5", "3c:52:82:aa:bb:55"),
            ("3C:52:82:AA:8B:Z2", "3c:52:82:aa:8b:22"),
            ("2816AD0BZ2S5", "28:16:ad:0b:22:55"),
            // Cyrillic and Greek letters.
            ("28:16:\u{430}D:00:00:0\u{415}", "28:16:ad:00:00:0e"),
            ("28:16:\u{391}D:00:00:0E", "28:16:ad:00:00:0e"),
        ] {
            assert_eq!(
                doubt(typed),
                Some(KeyDoubt::Misspelled(address.into())),
                "{typed}"
            );
        }
        assert_eq!(
            doubt("123456789012.0"),
            Some(KeyDoubt::Reformatted(Some("123456789012".into())))
        );
        assert_eq!(doubt("2.8E-05"), Some(KeyDoubt::Reformatted(None)));
        for (typed, digits) in [
            ("4d:52:82:11:22", 10),
            ("4d:52:82:11:22:33:44", 14),
            ("28:16:ad:000:0:9", 11),
            ("2816AD00000", 11),
            ("2816AD0B0", 9),
            ("2816ad0733", 10),
            ("28:16:AD", 6),
            ("28-16-AD", 6),
            ("28:16:07", 6),
            ("28:16", 4),
            ("28:16:BD:01", 8),
        ] {
            assert_eq!(
                doubt(typed),
                Some(KeyDoubt::Length(digits, DIGITS)),
                "{typed}"
            );
        }
    }

    #[test]
    fn the_id_of_an_operating_system_is_cleaned_or_doubted() {
        let id = "4c4c454400423510805 2b3c04f4b4e32".replace(' ', "");
        let uuid = "4c4c4544-0042-3510-8052-b3c04f4b4e32";
        for (typed, key) in [
            (format!("Machine ID: {id}."), &*id),
            (format!("UUID={uuid}"), uuid),
            (format!("\"{uuid}.\""), uuid),
        ] {
            assert_eq!(cleaned(&typed), key, "{typed}");
        }
        for (typed, keys) in [
            (format!("MachineGuid    REG_SZ    {uuid}"), vec![uuid]),
            (format!("{id} (laptop)"), vec![&*id]),
            (format!("{uuid}, {id}"), vec![uuid, &*id]),
            (uuid.replace('0', "O"), vec![uuid]),
            (id.replace('1', "l"), vec![&*id]),
            (format!("{} {}", &uuid[..30], &uuid[30..]), vec![uuid]),
            (uuid.replacen('-', " ", 4).replacen(' ', "-", 3), vec![uuid]),
            (format!("{} {}", &uuid[..24], &uuid[24..]), vec![uuid]),
            (format!("{} {}", &id[..20], &id[20..]), vec![&*id]),
        ] {
            assert_eq!(doubt(&typed).unwrap().suggestions(), keys, "{typed}");
        }
        for typed in [&id[1..], &format!("{id}a"), &uuid[..35]] {
            let length = KeyDoubt::Length(typed.replace('-', "").len(), ID_DIGITS);
            assert_eq!(doubt(typed), Some(length), "{typed}");
        }
    }

    #[test]
    fn a_uuid_is_never_taken_for_an_address() {
        let uuid = "12345678-1234-1234-1234-123456789abc";
        let spaced = uuid.replace('-', " ");
        for typed in [
            &spaced,
            &format!("{spaced} (PC 7)"),
            &uuid.replace('-', "_"),
        ] {
            assert_eq!(doubt(typed).unwrap().suggestions(), [uuid], "{typed}");
        }
        for typed in [&spaced[1..], &uuid[1..]] {
            assert_eq!(
                doubt(typed),
                Some(KeyDoubt::Length(31, ID_DIGITS)),
                "{typed}"
            );
        }
        assert_eq!(doubt("5678 1234 1234 123456789abc"), None);
    }

    #[test]
    fn what_is_no_machine_id_at_all_is_doubted() {
        for (typed, expected) in [
            ("K7QM-2XWD-9FHT-VR4B", KeyDoubt::ActivationCode),
            ("k7qm-2xwd-9fht-vr4c", KeyDoubt::ActivationCode),
            ("127.0.0.1", KeyDoubt::IpAddress),
            ("192.168.100.123", KeyDoubt::IpAddress),
            ("fe80::1", KeyDoubt::IpAddress),
            ("anna@example.com", KeyDoubt::EmailAddress),
            ("mailto:anna@example.com", KeyDoubt::EmailAddress),
            ("%COMPUTERNAME%", KeyDoubt::Placeholder),
            ("{machine_id}", KeyDoubt::Placeholder),
            ("${HOSTNAME}", KeyDoubt::Placeholder),
            ("<your machine ID>", KeyDoubt::Placeholder),
            ("C:\\Users\\Anna", KeyDoubt::Path),
            ("https://example.com/?key=1", KeyDoubt::Path),
            ("28:16:AD:0B:00:XY", KeyDoubt::Letter('X')),
            ("WAHR", KeyDoubt::Reformatted(None)),
            ("12345678901234500000", KeyDoubt::Reformatted(None)),
        ] {
            assert_eq!(doubt(typed), Some(expected), "{typed}");
        }
    }

    #[test]
    fn a_label_is_no_part_of_a_key() {
        for (typed, label, key) in [
            ("S/N: 5CD1234XYZ", "S/N:", "5CD1234XYZ"),
            ("Serial: 5CD1234XYZ", "Serial:", "5CD1234XYZ"),
            ("Serial No. 5CD1234XYZ", "Serial No.", "5CD1234XYZ"),
            ("SN=5CD1234XYZ", "SN=", "5CD1234XYZ"),
            ("Code: N3Q-488", "Code:", "N3Q-488"),
            (
                "Numéro de série : 5CD1234XYZ",
                "Numéro de série :",
                "5CD1234XYZ",
            ),
            ("Rechner: \"PC-12\"", "Rechner:", "PC-12"),
            ("Computer name: ANNA", "Computer name:", "ANNA"),
        ] {
            let expected = KeyDoubt::Label(label.into(), key.into());
            assert_eq!(doubt(typed), Some(expected), "{typed}");
        }
    }

    #[test]
    fn a_date_is_hardly_a_key() {
        for typed in [
            "12. Jan",
            "03. Apr",
            "12-Jan",
            "Jan 12",
            "1/12/2026",
            "2026-01-12",
        ] {
            assert_eq!(doubt(typed), Some(KeyDoubt::Reformatted(None)), "{typed}");
        }
    }

    #[test]
    fn other_keys_are_not_doubted() {
        for key in [
            "28:16:ad:00:00:0c",
            "4c4c4544-0042-3510-8052-b3c04f4b4e32",
            "{4C4C4544-0042-3510-8052-B3C04F4B4E32}",
            "007734519",
            "12345678901",
            "WD-WCC4JEDAXESZ",
            "DESKTOP-7",
            "1.2.3",
            "9A7C-2E4D-9FBF-8B4B",
            "K7QM-2XWD",
            "1A2B3C4D",
            "1A2B-3C4D",
            "anna@office",
            "PC-12-7",
            "PC7-1234-5678-9012",
            "28:16:AD:07:00:0D:11:22:33",
            "5CG8250SZB",
            "123456789012000",
            "BFEBFBFF000906EA",
            "disk 0000_0000_0100_0000",
            "20261231",
            "AUGUST-7",
            "PC-12",
            "12345678901234567890123456789012",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "XXXXX-ABCDE-12345-FFFFF-00000",
            // Of a chip, and fingerprints.
            "00380042510E373032323635",
            "507f1f77bcf86cd799439011",
            "cpu:BFEBFBFF;disk:WD12",
            "code-7",
            "Mac mini 7",
            "SN750-2TB",
            "#12",
            "[office] pc 7",
        ] {
            assert_eq!(doubt(key), None, "{key}");
        }
    }
}
