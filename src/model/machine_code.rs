//! A short code that names a machine on the phone. It finds machines and approves nothing.

use sha2::{Digest, Sha256};

use super::code_format::ALPHABET;
use super::question::Question;
use super::text::in_ascii;

/// The first 30 bits of SHA-256 over tool, line feed and canonical key: `7K4-PQ2`.
pub fn machine_code(tool_name: &str, license_key: &str) -> String {
    letters(tool_name, license_key)
        .map(char::from)
        .iter()
        .collect()
}

/// [`machine_code`] compared with a code, fast enough for a million machines.
pub fn has_machine_code(tool_name: &str, license_key: &str, code: &str) -> bool {
    letters(tool_name, license_key) == code.as_bytes()
}

fn letters(tool_name: &str, license_key: &str) -> [u8; 7] {
    let hash = Sha256::new_with_prefix(tool_name);
    let hash = hash.chain_update("\n").chain_update(license_key).finalize();
    let bits = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let letter = |at: u32| ALPHABET[(bits >> (27 - 5 * at) & 31) as usize];
    [
        letter(0),
        letter(1),
        letter(2),
        b'-',
        letter(3),
        letter(4),
        letter(5),
    ]
}

/// A machine code as somebody says it on the phone: in any case, with or without the hyphen, which may be a dash.
pub fn read_machine_code(typed: &str) -> Option<String> {
    let typed = in_ascii(typed.trim()).to_ascii_uppercase();
    let letters = match typed.split_once(['-', ' ']) {
        Some((first, last)) if first.len() == 3 => [first, last].concat(),
        Some(_) => return None,
        None => typed,
    };
    let is_code = letters.len() == 6 && letters.bytes().all(|c| ALPHABET.contains(&c));
    is_code.then(|| format!("{}-{}", &letters[..3], &letters[3..]))
}

/// The machine code that a text is, or the first with a hyphen or behind a colon in it.
pub fn machine_code_in(text: &str) -> Option<String> {
    let plain = in_ascii(text);
    let is_end = |c: char| c.is_whitespace() || "\"'()[]{}<>,;|/=:.!?".contains(c);
    let mut words = plain.split(is_end).filter(|word| word.contains('-'));
    let last = plain.rsplit([':', '=']).next().unwrap_or_default();
    read_machine_code(&plain)
        .or_else(|| words.find_map(read_machine_code))
        .or_else(|| read_machine_code(last))
}

impl Question<'_> {
    pub fn machine_code(&self) -> String {
        machine_code(self.tool_name, &self.license_key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_code_is_found_in_a_text() {
        for text in [
            "N3Q\u{2013}488",
            "n3q 488",
            "Code: N3Q-488.",
            "my code is (N3Q\u{2011}488)",
            "Code:N3Q488",
        ] {
            assert_eq!(machine_code_in(text).as_deref(), Some("N3Q-488"), "{text}");
        }
        for text in ["Anna's laptop", "PC-N3Q-488", "WD-WCC4J", ""] {
            assert_eq!(machine_code_in(text), None, "{text}");
        }
    }

    #[test]
    fn it_has_thirty_bits_of_the_hash() {
        // printf 'Tool_A\n0a:1b:2c:3d:4e:5f' | sha256sum
        let hash = Sha256::digest("Tool_A\n0a:1b:2c:3d:4e:5f");
        let bits: String = hash.iter().map(|byte| format!("{byte:08b}")).collect();
        let groups: String = (0..6)
            .map(|at| usize::from_str_radix(&bits[5 * at..5 * at + 5], 2).unwrap())
            .map(|value| char::from(ALPHABET[value]))
            .collect();
        let code = machine_code("Tool_A", "0a:1b:2c:3d:4e:5f");
        assert_eq!(code.replace('-', ""), groups);
        assert_eq!((code.len(), &code[3..4]), (7, "-"));
    }
}
