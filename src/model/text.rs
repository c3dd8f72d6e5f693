//! Validation of short texts in a row, and number formatting.

use crate::error::Problem;

/// `typed` without surrounding white space, 1 to `most` characters, no control characters; `label`
/// names it in messages.
pub(super) fn required(
    field: &'static str,
    label: &str,
    typed: &str,
    most: usize,
) -> Result<String, Problem> {
    let text = typed.trim();
    if text.is_empty() {
        return Err(Problem {
            field,
            message: format!("{label} is missing: enter 1 to {most} characters."),
        });
    }
    check(field, label, text, most)?;
    Ok(text.to_owned())
}

/// [`required`], but an empty text is allowed.
pub(super) fn optional(
    field: &'static str,
    label: &str,
    typed: &str,
    most: usize,
) -> Result<String, Problem> {
    let text = typed.trim();
    check(field, label, text, most)?;
    Ok(text.to_owned())
}

/// [`optional`] for a text of several lines, which end with a line feed.
pub(super) fn lines(
    field: &'static str,
    label: &str,
    typed: &str,
    most: usize,
) -> Result<String, Problem> {
    let text = typed.trim().replace("\r\n", "\n");
    check(field, label, &text.replace(['\n', '\t'], " "), most)?;
    Ok(text)
}

/// Checks length and control characters; removes nothing.
pub(super) fn check(
    field: &'static str,
    label: &str,
    text: &str,
    most: usize,
) -> Result<(), Problem> {
    if text.len() > most {
        let length = text.chars().count();
        if length > most {
            let message = format!("{label} has {length} characters; it may have at most {most}.");
            return Err(Problem { field, message });
        }
    }
    match text.chars().find(|c| c.is_control()) {
        Some('\n' | '\r') => Err(Problem {
            field,
            message: format!("{label} has a line break; write it in one line."),
        }),
        Some(c) => Err(Problem {
            field,
            message: format!(
                "{label} holds the control character U+{:04X}; remove it.",
                u32::from(c)
            ),
        }),
        None => Ok(()),
    }
}

/// 1234567 as 1,234,567.
pub fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
