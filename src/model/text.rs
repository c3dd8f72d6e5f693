//! Validation of short texts in a row, and number formatting.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::error::Problem;

/// `typed` without what is invisible around it, 1 to `most` characters, no control or invisible
/// characters; `label` names it in messages.
pub(super) fn required(
    field: &'static str,
    label: &str,
    typed: &str,
    most: usize,
) -> Result<String, Problem> {
    let text = trimmed(typed);
    if text.is_empty() {
        return Err(Problem {
            field,
            message: format!("{label} is missing: enter 1 to {most} characters."),
        });
    }
    check_visible(field, label, text, most)?;
    Ok(text.to_owned())
}

/// The value, or a placeholder for it; its problem joins the others, so that a form can show all at once.
pub(crate) fn keep<T: Default>(problems: &mut Vec<Problem>, value: Result<T, Problem>) -> T {
    value.unwrap_or_else(|problem| {
        problems.push(problem);
        T::default()
    })
}

/// In ASCII as far as full-width forms, dashes and spaces go.
pub(super) fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let ascii = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => u8::try_from(u32::from(c) - 0xfee0).map_or(c, char::from),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' => '-',
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{3000}' => ' ',
        c => c,
    };
    Cow::Owned(text.chars().map(ascii).collect())
}

/// Without surrounding white space and invisible characters: what a person who compares two texts sees.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// The one way in which names that look the same are stored: composed letters, single blanks, nothing invisible around.
pub(super) fn name(typed: &str) -> String {
    let is_blank = |c: char| c.is_whitespace() && !c.is_control();
    let around = |c: char| c.is_whitespace() || is_invisible(c) && !is_direction_override(c);
    let mut name = String::with_capacity(typed.len());
    for c in typed.trim_matches(around).nfc() {
        match is_blank(c) {
            true if name.ends_with(' ') => {}
            true => name.push(' '),
            false => name.push(c),
        }
    }
    name
}

/// [`name`], or the current one if it is only written in another way.
pub(super) fn renamed(typed: &str, current: &str) -> String {
    let typed = name(typed);
    match typed == name(current) {
        true => current.to_owned(),
        false => typed,
    }
}

/// An empty text is allowed, and invisible characters that change no direction.
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

/// [`check`] for a text that is compared: two that look the same must be the same.
pub(super) fn check_visible(
    field: &'static str,
    label: &str,
    text: &str,
    most: usize,
) -> Result<(), Problem> {
    check(field, label, text, most)?;
    no_character(field, label, text, is_invisible)
}

fn no_character(
    field: &'static str,
    label: &str,
    text: &str,
    is_wrong: fn(char) -> bool,
) -> Result<(), Problem> {
    match text.chars().find(|c| is_wrong(*c)) {
        None => Ok(()),
        Some(c) => Err(Problem {
            field,
            message: format!("{label} contains {}; remove it.", invisible_name(c)),
        }),
    }
}

/// Format characters and the separators of lines and paragraphs: Unicode 16, categories Cf, Zl, Zp.
pub(super) fn is_invisible(c: char) -> bool {
    !c.is_ascii()
        && matches!(c, '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// They would show text in another order than it has.
pub(super) fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// With its article: `a zero-width space (U+200B)`.
pub(super) fn invisible_name(c: char) -> String {
    let name = match c {
        '\u{a0}' | '\u{202f}' => "a no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero-width space",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a text direction mark"
        }
        '\u{feff}' => "a byte order mark",
        c if c.is_control() => "a control character",
        _ => "an invisible character",
    };
    format!("{name} (U+{:04X})", u32::from(c))
}

/// Checks length, control characters and direction overrides; removes nothing.
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
        None => no_character(field, label, text, is_direction_override),
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
    }
}

/// Characters of quoted input in a message.
const QUOTED: usize = 120;

/// Truncates quoted input to what fits in a message.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_written_in_one_way() {
        for typed in [
            "M\u{fc}ller AG",
            "Mu\u{308}ller AG",
            "M\u{fc}ller\u{a0}AG",
            "M\u{fc}ller  AG",
            " M\u{fc}ller AG\u{200b}",
        ] {
            assert_eq!(name(typed), "M\u{fc}ller AG", "{typed:?}");
        }
        assert_eq!(renamed("A B", "A  B"), "A  B");
        assert_eq!(renamed("A  C", "A  B"), "A C");
    }
}
