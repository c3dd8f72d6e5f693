//! Which characters of two nearly equal texts differ.

use super::fold::lower;
use super::mac::is_mac;
use super::near_miss::{Mismatch, is_separator, is_wrapping};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffSpan {
    /// Never empty.
    pub text: String,
    /// Whether the other text differs here.
    pub is_marked: bool,
}

/// Both texts, with the differing characters marked.
pub fn marked(one: &str, other: &str, mismatch: Mismatch) -> [Vec<DiffSpan>; 2] {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let is_equal = |one, other| one == other;
    let [of_a, of_b] = match mismatch {
        Mismatch::Spelling if is_mac(one) || is_mac(other) => {
            let marks = not_in_common(&a, &b, is_alike);
            match marks.concat().contains(&true) {
                true => marks,
                false => not_in_common(&a, &b, is_equal),
            }
        }
        Mismatch::Case | Mismatch::Spelling | Mismatch::LookAlike => {
            not_in_common(&a, &b, is_equal)
        }
        Mismatch::Contained => not_in_common(&a, &b, is_alike),
        Mismatch::OneCharacter => typo(&a, &b, 1),
        Mismatch::Swapped => typo(&a, &b, 2),
    };
    [spans(&a, &of_a), spans(&b, &of_b)]
}

/// A text without marks.
pub fn plain(text: &str) -> Vec<DiffSpan> {
    let chars: Vec<char> = text.chars().collect();
    spans(&chars, &vec![false; chars.len()])
}

fn spans(chars: &[char], marks: &[bool]) -> Vec<DiffSpan> {
    let all: Vec<(char, bool)> = chars.iter().copied().zip(marks.iter().copied()).collect();
    let spans = all.chunk_by(|(_, one), (_, next)| one == next);
    spans
        .map(|span| DiffSpan {
            text: span.iter().map(|(c, _)| c).collect(),
            is_marked: span[0].1,
        })
        .collect()
}

/// Marks what a longest common subsequence leaves out.
fn not_in_common(a: &[char], b: &[char], is_same: impl Fn(char, char) -> bool) -> [Vec<bool>; 2] {
    // longest[i][j]: of a[i..] and b[j..].
    let mut longest = vec![vec![0_u16; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = if is_same(a[i], b[j]) {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let mut marks = [vec![true; a.len()], vec![true; b.len()]];
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if is_same(a[i], b[j]) {
            (marks[0][i], marks[1][j]) = (false, false);
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    marks
}

/// In a MAC address.
fn is_alike(one: char, other: char) -> bool {
    lower(one) == lower(other) || is_separator(one) && is_separator(other) && !one.is_whitespace()
}

/// Marks the first `width` letters that differ, ignoring case and separators; in the longer text
/// only if one is missing.
fn typo(a: &[char], b: &[char], width: usize) -> [Vec<bool>; 2] {
    let letters = |chars: &[char]| -> Vec<usize> {
        let is_letter = |at: &usize| !is_separator(chars[*at]) && !is_wrapping(chars[*at]);
        (0..chars.len()).filter(is_letter).collect()
    };
    let (in_a, in_b) = (letters(a), letters(b));
    let is_same = |(i, j): &(&usize, &usize)| lower(a[**i]) == lower(b[**j]);
    let same = in_a.iter().zip(&in_b).take_while(is_same).count();
    let mark = |chars: &[char], letters: &[usize], others: &[usize]| {
        let mut marks = vec![false; chars.len()];
        if letters.len() >= others.len() {
            letters
                .iter()
                .skip(same)
                .take(width)
                .for_each(|at| marks[*at] = true);
        }
        marks
    };
    [mark(a, &in_a, &in_b), mark(b, &in_b, &in_a)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(one: &str, other: &str, mismatch: Mismatch) -> [String; 2] {
        marked(one, other, mismatch).map(|spans| {
            let shown = spans.iter().map(|span| match span.is_marked {
                true => format!("[{}]", span.text),
                false => span.text.clone(),
            });
            shown.collect()
        })
    }

    #[test]
    fn what_differs_is_marked() {
        use Mismatch::{Case, OneCharacter, Spelling, Swapped};
        for (one, other, mismatch, expected) in [
            ("MyTool", "mytool", Case, ["[M]y[T]ool", "[m]y[t]ool"]),
            ("T ", "T", Spelling, ["T[ ]", "T"]),
            ("{AB-12}", "ab12", Spelling, ["[{AB-]12[}]", "[ab]12"]),
            (
                "00-1B-21-3C-4D-5E ",
                "00:1b:21:3c:4d:5e",
                Spelling,
                ["00-1B-21-3C-4D-5E[ ]", "00:1b:21:3c:4d:5e"],
            ),
            (
                "001b 213c 4d5e",
                "00:1b:21:3c:4d:5e",
                Spelling,
                ["001b[ ]213c[ ]4d5e", "00[:]1b[:]21[:]3c[:]4d[:]5e"],
            ),
            ("WD-12", "WD-13", OneCharacter, ["WD-1[2]", "WD-1[3]"]),
            ("WD-12", "WD-122", OneCharacter, ["WD-12", "WD-12[2]"]),
            ("Pc", "PC", Case, ["P[c]", "P[C]"]),
            ("0a:1b", "01:ab", Swapped, ["0[a]:[1]b", "0[1]:[a]b"]),
            ("WD-12", "WD-21", Swapped, ["WD-[12]", "WD-[21]"]),
            (
                "0a:1b:2c:3d:4e:5f",
                "0A-1B-2C-3D-4E-5",
                OneCharacter,
                ["0a:1b:2c:3d:4e:5[f]", "0A-1B-2C-3D-4E-5"],
            ),
        ] {
            assert_eq!(shown(one, other, mismatch), expected);
        }
    }
}
