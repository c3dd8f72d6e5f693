//! Whether a call of a shop is about a person. Shops escape what is not ASCII: the text alone does not tell.

use serde_json::Value;

use super::generator::percent_decoded;

/// Whether the call, JSON or a form, has the name as one of its values, or the address in one of them.
pub fn names(body: &str, name: &str, email: &str) -> bool {
    let is_it = |text: &str| {
        let has_email = !email.is_empty() && text.to_lowercase().contains(email);
        has_email || !name.is_empty() && text.trim() == name
    };
    match serde_json::from_str::<Value>(body) {
        Ok(value) => any_text(&value, &is_it),
        Err(_) => body.split(['&', '=']).any(|part| {
            let bytes = percent_decoded(part);
            is_it(&String::from_utf8_lossy(&bytes))
        }),
    }
}

fn any_text(value: &Value, is_it: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_it(text),
        Value::Array(all) => all.iter().any(|value| any_text(value, is_it)),
        Value::Object(all) => all
            .iter()
            .any(|(name, value)| is_it(name) || any_text(value, is_it)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
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
        ] {
            assert!(about(body), "{body}");
        }
        for body in [
            "",
            "{}",
            "name=J%C3%BCrgen+Wei%C3%9Fmann",
            r#"{"name":"Li"}"#,
        ] {
            assert!(!about(body), "{body}");
        }
        assert!(!names(r#"{"name":""}"#, "", ""));
    }
}
