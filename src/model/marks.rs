//! Which characters of two nearly equal texts differ.

use super::fold::lower;
use super::mac::is_mac;
use super::near::{Difference, is_separator, is_wrapping};

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Never empty.
    pub text: String,
    /// It is not so in the other text.
    pub is_marked: bool,
}

/// Both texts, with the characters marked in which they differ.
pub fn marked(one: &str, other: &str, difference: Difference) -> [Vec<Piece>; 2] {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let [of_a, of_b] = match difference {
        Difference::Spelling if is_mac(one) || is_mac(other) => {
            let marks = not_in_common(&a, &b, is_alike);
            if marks.concat().contains(&true) {
                marks
            } else {
                not_in_common(&a, &b, |one, other| one == other)
            }
        }
        Difference::Case | Difference::Spelling => not_in_common(&a, &b, |one, other| one == other),
        Difference::OneCharacter | Difference::Swapped => between(&a, &b),
    };
    [pieces(&a, &of_a), pieces(&b, &of_b)]
}

/// A text without any mark.
pub fn plain(text: &str) -> Vec<Piece> {
    let chars: Vec<char> = text.chars().collect();
    pieces(&chars, &vec![false; chars.len()])
}

fn pieces(chars: &[char], marks: &[bool]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for (c, is_marked) in chars.iter().zip(marks) {
        match pieces
            .last_mut()
            .filter(|last| last.is_marked == *is_marked)
        {
            Some(last) => last.text.push(*c),
            None => pieces.push(Piece {
                text: c.to_string(),
                is_marked: *is_marked,
            }),
        }
    }
    pieces
}

/// Marks what a longest common subsequence leaves over.
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

/// As far as a MAC address is concerned.
fn is_alike(one: char, other: char) -> bool {
    lower(one) == lower(other) || is_separator(one) && is_separator(other) && !one.is_whitespace()
}

/// Marks what is left between a common beginning and a common end: without regard to separators and
/// case, unless nothing would be left then.
fn between(a: &[char], b: &[char]) -> [Vec<bool>; 2] {
    let signs = |chars: &[char]| -> Vec<(usize, char)> {
        let signs = chars.iter().enumerate();
        signs
            .filter(|(_, c)| !is_separator(**c) && !is_wrapping(**c))
            .map(|(at, c)| (at, lower(*c)))
            .collect()
    };
    let all = |chars: &[char]| chars.iter().copied().enumerate().collect();
    let marks = between_ends(a, b, signs(a), signs(b));
    if marks.concat().contains(&true) {
        return marks;
    }
    between_ends(a, b, all(a), all(b))
}

fn between_ends(
    a: &[char],
    b: &[char],
    mut in_a: Vec<(usize, char)>,
    mut in_b: Vec<(usize, char)>,
) -> [Vec<bool>; 2] {
    let is_same = |(one, other): &(&(usize, char), &(usize, char))| one.1 == other.1;
    let head = in_a.iter().zip(&in_b).take_while(is_same).count();
    in_a.drain(..head);
    in_b.drain(..head);
    let tails = in_a.iter().rev().zip(in_b.iter().rev());
    let tail = tails.take_while(is_same).count();
    in_a.truncate(in_a.len() - tail);
    in_b.truncate(in_b.len() - tail);
    let mut marks = [vec![false; a.len()], vec![false; b.len()]];
    for (marks, found) in marks.iter_mut().zip([in_a, in_b]) {
        for (at, _) in found {
            marks[at] = true;
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(one: &str, other: &str, difference: Difference) -> [String; 2] {
        marked(one, other, difference).map(|pieces| {
            let shown = pieces.iter().map(|piece| match piece.is_marked {
                true => format!("[{}]", piece.text),
                false => piece.text.clone(),
            });
            shown.collect()
        })
    }

    #[test]
    fn what_differs_is_marked() {
        use Difference::{Case, OneCharacter, Spelling, Swapped};
        for (one, other, difference, expected) in [
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
            ("Pc", "PC", OneCharacter, ["P[c]", "P[C]"]),
            ("0a:1b", "01:ab", Swapped, ["0[a]:[1]b", "0[1]:[a]b"]),
            ("WD-12", "WD-21", Swapped, ["WD-[12]", "WD-[21]"]),
            (
                "0a:1b:2c:3d:4e:5f",
                "0A-1B-2C-3D-4E-5",
                OneCharacter,
                ["0a:1b:2c:3d:4e:5[f]", "0A-1B-2C-3D-4E-5"],
            ),
        ] {
            assert_eq!(shown(one, other, difference), expected);
        }
    }
}
