//! Which passwords an admin may choose.

use zxcvbn::{Score, zxcvbn};

use crate::error::Problem;

const LEAST: usize = 12;
const MOST_BYTES: usize = 1024;

/// Characters that are rated, because the time grows much faster than the length.
const RATED: usize = 100;

/// A word that is found with fewer guesses is a common one.
const COMMON: u64 = 100_000;

/// At least 12 characters, at most 1024 bytes, and hard to guess for someone who knows the words in `known`;
/// no composition rules.
pub fn check(field: &'static str, password: &str, known: &[&str]) -> Result<(), Problem> {
    let refuse = |message: String| Err(Problem { field, message });
    let length = password.chars().count();
    if length < LEAST {
        return refuse(format!(
            "The password has {length} characters; choose at least {LEAST}."
        ));
    }
    if password.len() > MOST_BYTES {
        return refuse(format!(
            "The password has {} bytes; choose at most {MOST_BYTES}.",
            password.len()
        ));
    }
    let rated: String = password.chars().take(RATED).collect();
    let word = rated.trim_matches(|c: char| !c.is_alphabetic());
    let needed = match zxcvbn(word, known).guesses() {
        // `Summer2026!!` satisfies a rule that everybody knows, and is guessed by it.
        0..COMMON => Score::Four,
        _ => Score::Three,
    };
    if zxcvbn(&rated, known).score() < needed {
        return refuse(
            "This password is easy to guess. Choose four or more words that have nothing to do with each \
             other, or let a password manager make one."
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 2] = ["admin", "licenses.example.com"];

    #[test]
    fn short_guessable_and_repeated_passwords_are_refused() {
        for bad in [
            "",
            "elevenchars",
            "password123!",
            "Passw0rd1234",
            "password2026",
            "zaq12wsxcde3",
            "Summer2026!!",
            "Winter-2027?",
            "!!Monday2026",
            "qwertyuiop12",
            "adminadminadmin",
            "licenses.example.com",
            "licenses.example.com1",
            "aaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            &"a".repeat(1024),
            &"x1y2".repeat(300),
        ] {
            assert!(check("password", bad, &KNOWN).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_sentence_is_a_password() {
        for good in [
            "zwölf Boxkämpfer jagen",
            "correct horse battery",
            "another horse battery",
            "rain-7714-2093-8826",
            "Xk9$vT2p!mQ4",
            "qorvex-lumtane",
            &"zwölf Boxkämpfer jagen ".repeat(40),
        ] {
            assert_eq!(check("password", good, &KNOWN), Ok(()), "{good}");
        }
    }
}
