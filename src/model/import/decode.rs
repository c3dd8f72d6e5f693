//! Decoding an uploaded file to text.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::refused;
use crate::error::Error;

/// By its byte order mark, else UTF-8; anything else is taken as Windows-1252, which Excel saves.
pub fn decode(bytes: &[u8]) -> Result<String, Error> {
    let text = match Encoding::for_bom(bytes) {
        Some((encoding, mark)) => marked(encoding, &bytes[mark..])?,
        None => unmarked(bytes),
    };
    if text.contains('\0') {
        return Err(refused(
            "The file is not a text file: it has NUL characters. Save a workbook such as .xlsx as \
             `CSV UTF-8` in the spreadsheet program.",
        ));
    }
    if text.trim().is_empty() {
        return Err(refused(
            "The file is empty; it needs a header row with the columns tool_name and license_key, \
             and one row per license.",
        ));
    }
    Ok(text)
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

fn unmarked(bytes: &[u8]) -> String {
    UTF_8
        .decode_without_bom_handling_and_without_replacement(bytes)
        .unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(bytes).0)
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    fn message(bytes: &[u8]) -> String {
        decode(bytes).unwrap_err().to_string()
    }

    #[test]
    fn every_usual_encoding_is_read() {
        for bytes in [
            "Müller €".into(),
            "\u{feff}Müller €".into(),
            utf16("\u{feff}Müller €", u16::to_le_bytes),
            utf16("\u{feff}Müller €", u16::to_be_bytes),
            b"M\xfcller \x80".to_vec(),
        ] {
            assert_eq!(decode(&bytes).unwrap(), "Müller €", "{bytes:?}");
        }
    }

    #[test]
    fn an_empty_file_is_refused() {
        for bytes in [&b""[..], b" \r\n", b"\xef\xbb\xbf", b"\xff\xfe"] {
            assert!(message(bytes).contains("empty"), "{bytes:?}");
        }
    }

    #[test]
    fn a_workbook_is_refused_with_the_remedy() {
        assert!(message(b"PK\x03\x04\x14\x00\x06").contains("CSV UTF-8"));
        assert!(message(&utf16("tool", u16::to_le_bytes)).contains("NUL"));
    }

    #[test]
    fn bytes_that_contradict_the_mark_are_refused() {
        assert!(message(b"\xef\xbb\xbfM\xfcller").contains("UTF-8"));
        assert!(message(b"\xff\xfeA\x00B").contains("UTF-16LE"));
        assert!(message(b"\xfe\xff\xd8\x00\x00A").contains("UTF-16BE"));
    }
}
