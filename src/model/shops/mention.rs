//! Whether a call of a shop is about a person. Shops escape what is not ASCII: the text alone does not tell.

use encoding_rs::WINDOWS_1252;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;

use super::generator::percent_decoded;

/// Whether the call, JSON or a form, has the name as one of its values, or the address in one of them, whatever the
/// case, Unicode normalization form or encoding. A character that could not be decoded when the call was stored is
/// [`char::REPLACEMENT_CHARACTER`].
pub fn names(body: &str, name: &str, email: &str) -> bool {
    let (name, email) = (forms(name), forms(email));
    any_text(body, &mut |text| {
        let text = forms(text);
        let mut each = text.iter().zip(name.iter().zip(&email));
        each.any(|(text, (name, email))| {
            is_like(text, name) || !email.is_empty() && is_part(text, email)
        })
    })
}

/// Whether one of the call's values is such a text.
pub fn any_text(body: &str, is_it: &mut dyn FnMut(&str) -> bool) -> bool {
    match serde_json::from_str::<Value>(body) {
        Ok(value) => is_in(&value, is_it),
        Err(_) => body.split(['&', '=']).any(|part| {
            let bytes = percent_decoded(part);
            // What is not UTF-8 is in the encoding of old shops.
            match std::str::from_utf8(&bytes) {
                Ok(text) => is_it(text),
                Err(_) => is_it(&WINDOWS_1252.decode_without_bom_handling(&bytes).0),
            }
        }),
    }
}

fn is_in(value: &Value, is_it: &mut dyn FnMut(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_it(text),
        Value::Array(all) => all.iter().any(|value| is_in(value, is_it)),
        Value::Object(all) => all
            .iter()
            .any(|(name, value)| is_it(name) || is_in(value, is_it)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// JSON pointers to all values that contain no others.
pub(super) fn leaves(value: &Value) -> Vec<String> {
    let below = |name: String, value: &Value| {
        let below = leaves(value).into_iter();
        let below = below.map(move |path| format!("/{name}{path}"));
        below.collect::<Vec<_>>()
    };
    match value {
        Value::Array(all) => {
            let each = all.iter().enumerate();
            each.flat_map(|(at, value)| below(at.to_string(), value))
                .collect()
        }
        Value::Object(all) => {
            let escaped = |name: &str| name.replace('~', "~0").replace('/', "~1");
            let each = all.iter();
            each.flat_map(|(name, value)| below(escaped(name), value))
                .collect()
        }
        _ => vec![String::new()],
    }
}

/// In lower case, and case-folded through upper case, so that `ß` equals `SS`.
fn forms(text: &str) -> [String; 2] {
    let words: Vec<&str> = text.split_whitespace().collect();
    let lower = words.join(" ").nfkc().collect::<String>().to_lowercase();
    let folded = lower.to_uppercase().to_lowercase();
    [lower, folded]
}

fn is_like(text: &str, own: &str) -> bool {
    let is_same = |(text, own): (char, char)| {
        text == own || text == char::REPLACEMENT_CHARACTER && !own.is_ascii()
    };
    !own.is_empty()
        && text.chars().count() == own.chars().count()
        && text.chars().zip(own.chars()).all(is_same)
}

fn is_part(text: &str, own: &str) -> bool {
    if !text.contains(char::REPLACEMENT_CHARACTER) {
        return text.contains(own);
    }
    let length = own.chars().count();
    let begins = text.char_indices().map(|(at, _)| &text[at..]);
    let mut parts = begins.map(|rest| rest.chars().take(length).collect::<String>());
    parts.any(|part| is_like(&part, own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_found_however_the_shop_escapes() {
        let about = |body: &str| names(body, "J\u{fc}rgen Wei\u{df}", "jw@example.com");
        for body in [
            r#"{"data":[{"name":"J\u00fcrgen Wei\u00df"}]}"#,
            r#"{"data":{"to":"Post <JW@Example.com>"}}"#,
            "order=1&REG_NAME=J%C3%BCrgen+Wei%C3%9F",
            "order=%ff&mail=jw%40example.com",
            r#"{"name":"Ju\u0308rgen  WEISS"}"#,
            "{\"name\":\"J\u{fffd}rgen Wei\u{fffd}\"}",
            "order=J\u{fffd}RGEN+WEISS",
            "order=1&REG_NAME=J%FCrgen+Wei%DF",
        ] {
            assert!(about(body), "{body}");
        }
        for body in [
            "",
            "{}",
            "name=J%C3%BCrgen+Wei%C3%9Fmann",
            r#"{"name":"Li"}"#,
            r#"{"name":"Jurgen Weiss"}"#,
            "{\"name\":\"J\u{fffd}rgen W\u{fffd}i\u{fffd}\"}",
        ] {
            assert!(!about(body), "{body}");
        }
        assert!(!names(r#"{"name":""}"#, "", ""));
    }
}
