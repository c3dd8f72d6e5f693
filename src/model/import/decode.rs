//! Decoding an uploaded file to text.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::ending::{Content, check, check_readable};
use super::{Decoded, refused, workbook};
use crate::error::Error;
use crate::model::text::{grouped, shorten};

/// By its byte order mark, else UTF-8; lines that are neither are taken as Windows-1252, which Excel saves. A
/// workbook becomes the text that [`Sheet`](super::Sheet) reads. The ending of the name must fit the content, if there is
/// one.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Decoded, Error> {
    check_readable(name)?;
    if let Some((content, decoded)) = workbook::read(bytes)? {
        check(name, content)?;
        return Ok(decoded);
    }
    let (text, note) = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => (marked(encoding, &bytes[mark..])?, None),
        None => unmarked(bytes),
    };
    if text.contains('\0') {
        return Err(refused(
            "The file is not a text file: it has NUL characters. Save it as .xlsx or as `CSV UTF-8`.",
        ));
    }
    if text.trim().is_empty() {
        return Err(refused(
            "The file is empty; it needs a header row with the columns tool_name and license_key, \
             and one row per license.",
        ));
    }
    check(name, Content::of_text(&text))?;
    let notes = [note, misread(&text), lost(&text)]
        .into_iter()
        .flatten()
        .collect();
    Ok(Decoded { text, notes })
}

/// UTF-8 that some program has taken, perhaps twice, for Windows-1252 or, `M√ºller`, for the code page of the first Macs:
/// `MÃ¼ller`, `MÃƒÂ¼ller`.
fn misread(text: &str) -> Option<String> {
    let is_misread = |at: usize| {
        let mut letters = text[at..].chars();
        match (letters.next(), letters.next()) {
            (Some('√'), Some(next)) => !next.is_ascii(),
            (_, next) => matches!(
                next,
                Some('\u{a0}'..='\u{bf}' | 'ƒ' | 'Ÿ' | 'œ' | '„' | '–' | '‰')
            ),
        }
    };
    let mut signs = text.match_indices(['Ã', '√']);
    let (at, _) = signs.find(|(at, _)| is_misread(*at))?;
    Some(format!(
        "Letters such as ä and é were changed before this file was saved: {}. Export the file again as UTF-8.",
        place(text, at)
    ))
}

/// Letters that some program could not read and has replaced with a sign: `M\u{fffd}ller`.
fn lost(text: &str) -> Option<String> {
    let at = text.find(char::REPLACEMENT_CHARACTER)?;
    Some(format!(
        "Letters were lost before this file was saved: {}. Export the file again as UTF-8.",
        place(text, at)
    ))
}

/// The cell and its line.
fn place(text: &str, at: usize) -> String {
    let is_end = |c: char| ",;\t\"\r\n".contains(c);
    let start = text[..at].rfind(is_end).map_or(0, |end| end + 1);
    let word = text[start..].split(is_end).next().unwrap_or_default();
    format!(
        "`{}` on line {}",
        shorten(word.trim()),
        text[..at].matches('\n').count() + 1
    )
}

fn marked(encoding: &'static Encoding, bytes: &[u8]) -> Result<String, Error> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(String::from).ok_or_else(|| {
        let name = encoding.name();
        refused(format!(
            "The file begins with the byte order mark of {name} but is not valid {name}; save it \
             again as `CSV UTF-8`."
        ))
    })
}

fn unmarked(bytes: &[u8]) -> (String, Option<String>) {
    if let Some(text) = UTF_8.decode_without_bom_handling_and_without_replacement(bytes) {
        return (text.into_owned(), None);
    }
    if let Some(text) = utf16(bytes) {
        return (text, None);
    }
    by_lines(bytes)
}

/// UTF-16 whose mark was lost: every other byte of most characters is zero.
fn utf16(bytes: &[u8]) -> Option<String> {
    let zeros = |from: usize| {
        bytes
            .iter()
            .skip(from)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let encoding = match (zeros(0), zeros(1)) {
        (_, low) if low * 4 > bytes.len() => UTF_16LE,
        (high, _) if high * 4 > bytes.len() => UTF_16BE,
        _ => return None,
    };
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    Some(text.into_owned())
}

/// Bytes from 0x80 as old programs for Windows still save them where the console was meant.
const CODE_PAGE_850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤\
                             ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// Windows-1252 has no letters there, and code page 850 has ü, ì, Å, É and Ø.
fn is_code_page_850(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n');
    let mut others = lines.filter(|line| std::str::from_utf8(line).is_err());
    others.any(|line| {
        line.iter()
            .any(|c| matches!(c, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d))
    })
}

fn code_page_850(line: &[u8], upper: &[char]) -> String {
    let char = |byte: &u8| match byte.checked_sub(0x80) {
        None => char::from(*byte),
        Some(at) => upper.get(usize::from(at)).copied().unwrap_or_default(),
    };
    line.iter().map(char).collect()
}

/// Each line for itself, so that one in another encoding does not change the others.
fn by_lines(bytes: &[u8]) -> (String, Option<String>) {
    let is_of_dos = is_code_page_850(bytes);
    let encoding = match is_of_dos {
        true => "code page 850, the one of DOS",
        false => "Windows-1252",
    };
    let upper: Vec<char> = CODE_PAGE_850.chars().collect();
    let read = |line: &[u8]| match is_of_dos {
        true => code_page_850(line, &upper),
        false => WINDOWS_1252
            .decode_without_bom_handling(line)
            .0
            .into_owned(),
    };
    let mut text = String::with_capacity(bytes.len());
    let mut other: Vec<(usize, String)> = Vec::new();
    let mut number = 0;
    let mut has_utf8 = false;
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match UTF_8.decode_without_bom_handling_and_without_replacement(line) {
            Some(line) => {
                has_utf8 |= !line.is_ascii();
                text += &line;
            }
            None => {
                let line = read(line);
                number += 1;
                if other.is_empty() {
                    other.push((at + 1, word(&line)));
                }
                text += &line;
            }
        }
    }
    let note = other.first().map(|(line, word)| match has_utf8 {
        false => format!(
            "The file is not UTF-8 and was read as {encoding}. The first such letters are on line {line}: \
             `{word}`. If that is wrong, save the file as `CSV UTF-8`."
        ),
        true => {
            let number = grouped(number);
            format!(
                "The file is UTF-8, but not on line {line}: `{word}` was read as {encoding}, and so were \
                 all lines like it ({number}). If that is wrong, save the file as `CSV UTF-8`."
            )
        }
    });
    (text, note)
}

/// The cell with the first letter that is not ASCII.
fn word(line: &str) -> String {
    let is_end = |c: char| matches!(c, ',' | ';' | '\t' | '"' | '\r' | '\n');
    let mut cells = line.split(is_end).filter(|cell| !cell.is_ascii());
    shorten(cells.next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn message(bytes: &[u8]) -> String {
        decode("", bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_usual_encoding_is_read() {
        for bytes in [
            "Müller €".into(),
            "\u{feff}Müller €".into(),
            utf16("\u{feff}Müller €", u16::to_le_bytes),
            utf16("\u{feff}Müller €", u16::to_be_bytes),
            utf16("Müller €", u16::to_le_bytes),
            utf16("Müller €", u16::to_be_bytes),
            b"M\xfcller \x80".to_vec(),
        ] {
            assert_eq!(decode("", &bytes).unwrap().text, "Müller €", "{bytes:?}");
        }
    }

    #[test]
    fn an_empty_file_is_refused() {
        for bytes in [&b""[..], b" \r\n", b"\xef\xbb\xbf", b"\xff\xfe"] {
            assert!(message(bytes).contains("empty"), "{bytes:?}");
        }
    }

    #[test]
    fn one_line_in_another_encoding_does_not_change_the_others() {
        let decoded = decode("", b"k,M\xc3\xbcller\nk,M\xfcnch\nk,Wei\xc3\x9f").unwrap();
        assert_eq!(decoded.text, "k,Müller\nk,Münch\nk,Weiß");
        let [note] = &decoded.notes[..] else {
            panic!("{decoded:?}")
        };
        assert!(
            note.contains("line 2") && note.contains("`Münch`"),
            "{note}"
        );
    }

    #[test]
    fn another_encoding_is_named_with_the_first_letters() {
        let decoded = decode("", b"tool;who\nA;\xa3ukasz").unwrap();
        assert!(decoded.notes[0].contains("not UTF-8"), "{decoded:?}");
        assert!(decoded.notes[0].contains("`£ukasz`"), "{decoded:?}");
    }

    #[test]
    fn a_file_from_a_dos_program_keeps_its_letters() {
        assert_eq!(CODE_PAGE_850.chars().count(), 128);
        let decoded = decode("", b"tool;who\nA;M\x81ller\nA;J\x84ger, Stra\xe1e").unwrap();
        assert_eq!(decoded.text, "tool;who\nA;Müller\nA;Jäger, Straße");
        let note = &decoded.notes[0];
        assert!(note.contains("850") && note.contains("`Müller`"), "{note}");
    }

    #[test]
    fn letters_that_were_lost_before_are_named() {
        let decoded = decode("", "k,x\nk,M\u{fffd}ller".as_bytes()).unwrap();
        assert!(
            decoded.notes[0].contains("`M\u{fffd}ller` on line 2"),
            "{decoded:?}"
        );
    }

    #[test]
    fn letters_that_were_misread_before_are_named() {
        for (text, word) in [
            ("k,x\nk,MÃ¼ller", "`MÃ¼ller` on line 2"),
            ("k;StraÃŸe", "`StraÃŸe` on line 1"),
            ("k;MÃƒÂ¼ller", "`MÃƒÂ¼ller` on line 1"),
            ("k;M√ºller", "`M√ºller` on line 1"),
        ] {
            let decoded = decode("", text.as_bytes()).unwrap();
            assert!(decoded.notes[0].contains(word), "{decoded:?}");
        }
        for text in ["SÃO PAULO", "Müller", "Ã la carte", "√2"] {
            assert_eq!(
                decode("", text.as_bytes()).unwrap().notes,
                [""; 0],
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_the_remedy() {
        assert!(message(b"PK\x03\x04\x14\x00\x06").contains("CSV UTF-8"));
        assert!(message(b"\xd0\xcf\x11\xe0\xa1\xb1").contains(".xlsx"));
        assert!(message(b"tool\0").contains("NUL"));
    }

    #[test]
    fn bytes_that_contradict_the_mark_are_refused() {
        assert!(message(b"\xef\xbb\xbfM\xfcller").contains("UTF-8"));
        assert!(message(b"\xff\xfeA\x00B").contains("UTF-16LE"));
        assert!(message(b"\xfe\xff\xd8\x00\x00A").contains("UTF-16BE"));
    }
}
