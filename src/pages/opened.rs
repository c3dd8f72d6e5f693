//! What a form showed when it was opened: an edit changes nothing that somebody else has changed since.

use super::shown;
use crate::error::Problem;

/// A field of a form, and its value there.
pub(super) type Typed<'a> = (&'static str, &'a mut String);

/// The value of the hidden input `was`.
pub(super) fn carried<const N: usize>(fields: [Typed<'_>; N]) -> String {
    let texts: Vec<String> = fields
        .into_iter()
        .map(|(_, text)| std::mem::take(text))
        .collect();
    serde_json::Value::from(texts).to_string()
}

/// Puts the current values in place of those that the form showed and nobody typed over. The result is the fields
/// that were changed here and elsewhere. A form without `was` means all of its values.
pub(super) fn rebase<const N: usize>(
    was: &str,
    typed: [Typed<'_>; N],
    current: [Typed<'_>; N],
) -> Vec<Problem> {
    let was: Vec<String> = serde_json::from_str(was).unwrap_or_default();
    let mut conflicts = Vec::new();
    for (((field, typed), was), (_, current)) in typed.into_iter().zip(was).zip(current) {
        let is_same = |one: &str, other: &str| one.replace("\r\n", "\n") == other;
        if is_same(typed, &was) {
            typed.clone_from(current);
        } else if *current != was && !is_same(typed, current) {
            conflicts.push(Problem::conflict(field, &shown::visible(current)));
        }
    }
    conflicts
}
