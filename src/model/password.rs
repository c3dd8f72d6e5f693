//! Which passwords an admin may choose.

use crate::error::Problem;

const LEAST: usize = 12;
const MOST_BYTES: usize = 1024;

/// The most common passwords of at least twelve characters, in lower case.
const COMMONEST: [&str; 40] = [
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789123",
    "1234567891234",
    "0123456789012",
    "1q2w3e4r5t6y",
    "1q2w3e4r5t6y7u8i",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "aaaaaaaaaaaa",
    "abcdefghijkl",
    "abcdefghijklmnop",
    "abcd12345678",
    "adminadminadmin",
    "administrator",
    "administrator1",
    "admin1234567",
    "admin12345678",
    "admin123456789",
    "asdfghjkl123",
    "changeme1234",
    "changemechangeme",
    "correcthorsebatterystaple",
    "iloveyou1234",
    "letmeinletmein",
    "licenseserver",
    "license-server",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "p@ssw0rd1234",
    "qazwsxedcrfv",
    "qwerty123456",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiopas",
    "qwertyuiopasdfghjkl",
    "welcome12345",
];

/// At least 12 characters, at most 1024 bytes, not a common password, not a repeated character or
/// short sequence; no composition rules.
pub fn check(field: &'static str, password: &str) -> Result<(), Problem> {
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
    if is_common(&password.to_lowercase()) {
        return refuse(
            "This password is among the first that are tried; choose another.".to_owned(),
        );
    }
    Ok(())
}

fn is_common(lower: &str) -> bool {
    let characters: Vec<char> = lower.chars().collect();
    let repeats = |run: usize| {
        characters
            .iter()
            .skip(run)
            .zip(&characters)
            .all(|(a, b)| a == b)
    };
    COMMONEST.contains(&lower) || (1..=4).any(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_common_and_repeated_passwords_are_refused() {
        for bad in [
            "",
            "elevenchars",
            "Password1234",
            "aaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            &"x1y2".repeat(300),
        ] {
            assert!(check("password", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_sentence_is_a_password() {
        assert_eq!(check("password", "zwölf Boxkämpfer jagen"), Ok(()));
    }
}
