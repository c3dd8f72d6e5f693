//! The file of leaked passwords, in which a new password must not be: sorted SHA-1 hashes as Have I Been Pwned has
//! them, some 40 GB. It is searched where it is, and nothing of it is kept in memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha1::{Digest, Sha1};

use crate::error::{Error, Refusal};

/// Characters of a hash.
const HASH: usize = 40;
/// More bytes than two lines have, which are `HASH:COUNT`.
const BLOCK: u64 = 256;
/// Lines that are read when the file is opened.
const PROBES: u64 = 100;

pub(super) struct LeakedPasswords {
    file: File,
    size: u64,
}

struct Line {
    /// Its first byte in the file.
    start: u64,
    hash: [u8; HASH],
}

impl LeakedPasswords {
    pub(super) fn open(path: &Path) -> Result<LeakedPasswords, Refusal> {
        let opened = File::open(path).and_then(|file| {
            let size = file.metadata()?.len();
            let list = LeakedPasswords { file, size };
            list.probe().map(|()| list)
        });
        opened.map_err(|e| {
            Refusal(format!(
                "The file {} of the setting `leaked_passwords` cannot be used: {e}.",
                path.display()
            ))
        })
    }

    fn probe(&self) -> io::Result<()> {
        let first = self.line(0)?;
        let mut before = first.ok_or_else(|| io::Error::other("it is empty"))?.hash;
        for probe in 1..PROBES {
            let Some(line) = self.line(self.size * probe / PROBES)? else {
                break;
            };
            if line.hash < before {
                return Err(io::Error::other("it is not sorted by hash"));
            }
            before = line.hash;
        }
        Ok(())
    }

    pub(super) fn has(&self, password: &str) -> Result<bool, Error> {
        let hash = Sha1::digest(password);
        let hash: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        self.find(hash.as_bytes())
            .map_err(|e| Error::Unavailable(format!("the list of leaked passwords: {e}")))
    }

    /// By bisection.
    fn find(&self, wanted: &[u8]) -> io::Result<bool> {
        let (mut low, mut high) = (0, self.size);
        while low < high {
            let middle = low.midpoint(high);
            match self.line(middle)? {
                Some(line) if line.hash[..] < *wanted => low = line.start + 1,
                _ => high = middle,
            }
        }
        let line = self.line(low)?;
        Ok(line.is_some_and(|line| line.hash == *wanted))
    }

    /// The first line that begins at or after that byte.
    fn line(&self, at: u64) -> io::Result<Option<Line>> {
        let from = at.saturating_sub(1);
        let until = self.size.min(from + BLOCK);
        let mut block = vec![0; (until - from) as usize];
        self.file.read_exact_at(&mut block, from)?;
        let end_before = block.iter().position(|byte| *byte == b'\n');
        let start = match at {
            0 => 0,
            _ => end_before.map_or(block.len(), |end| end + 1),
        };
        let rest = &block[start..];
        if rest.is_empty() && until == self.size {
            return Ok(None);
        }
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
        match rest.split_first_chunk::<HASH>() {
            Some((hash, [] | [b':' | b'\r' | b'\n', ..])) if hash.iter().all(is_digit) => {
                let start = from + start as u64;
                Ok(Some(Line { start, hash: *hash }))
            }
            _ => Err(io::Error::other(
                "it is not a list of SHA-1 hashes in upper case, one on each line",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[String], end: &str) -> Result<LeakedPasswords, Refusal> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines.join(end)).unwrap();
        LeakedPasswords::open(file.path())
    }

    fn hashes(passwords: std::ops::Range<u32>) -> Vec<String> {
        let hash = |n: u32| -> String {
            let bytes = Sha1::digest(format!("password {n}"));
            let hash: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            format!("{hash}:{}", n * n + 1)
        };
        let mut all: Vec<String> = passwords.map(hash).collect();
        all.sort();
        all
    }

    #[test]
    fn each_password_of_the_list_is_found_and_no_other() {
        for (number, end) in [(1, "\n"), (2, "\r\n"), (1_000, "\r\n"), (1_001, "\n")] {
            let mut lines = hashes(0..number);
            for is_ended in [false, true] {
                let list = list(&lines, end).unwrap();
                for n in 0..2 * number {
                    let found = list.has(&format!("password {n}")).unwrap();
                    assert_eq!(found, n < number, "{n} of {number}, {is_ended}");
                }
                lines.push(String::new());
            }
        }
    }

    #[test]
    fn a_file_that_is_no_sorted_list_of_sha_1_is_refused() {
        let mut turned = hashes(0..1_000);
        turned.reverse();
        let lower: Vec<String> = hashes(0..9).iter().map(|l| l.to_lowercase()).collect();
        let ntlm: Vec<String> = hashes(0..9).iter().map(|l| l[8..].to_owned()).collect();
        let plain = vec!["password".to_owned(); 9];
        for lines in [vec![], turned, lower, ntlm, plain] {
            assert!(list(&lines, "\n").is_err(), "{lines:?}");
        }
    }
}
