//! A database of invented licenses. It is made once for each schema and copied for each use.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::program::license_server;

pub const LICENSES: u32 = 1_000_000;

const GOOD: &str = "status = 'activated' and expiration_date > date('now', '+1 day')";

const CODES: &str = "
    insert into activation_codes (created_at, tool_name, code, is_imported, seats, status, expiration_date,
        days, first_used_at, moves_per_year, customer, order_ref, is_test, note)
    select created_at, tool_name, 'DEMO' || id, 0, 3, status, expiration_date, 0, created_at, 3, '', '', 0, ''
        from licenses";

const SEATS: &str = "
    update licenses set own_status = licenses.status, code_id = codes.id
        from activation_codes codes where codes.code = 'DEMO' || licenses.id";

/// A copy of the database that may be written to.
pub struct Demo {
    folder: TempDir,
    licenses: u32,
}

impl Demo {
    pub fn new() -> Demo {
        Demo::of(LICENSES)
    }

    pub fn of(licenses: u32) -> Demo {
        let made = made(licenses);
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        for name in ["licenses.db", "lock"] {
            fs::copy(made.join(name), folder.path().join("data").join(name)).unwrap();
        }
        Demo { folder, licenses }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Questions about all licenses that are good, the same for those that are revoked.
    pub fn good(&self) -> PathBuf {
        self.write("good", &self.pairs(GOOD), false)
    }

    /// The same of those that take a seat of an activation code.
    pub fn seated(&self) -> PathBuf {
        let seated = format!("{GOOD} and code_id is not null");
        self.write("seated", &self.pairs(&seated), false)
    }

    /// The same, from clients that want a signed answer.
    pub fn signed(&self) -> PathBuf {
        self.write("signed", &self.pairs(GOOD), true)
    }

    pub fn revoked(&self) -> PathBuf {
        self.write("revoked", &self.pairs("status = 'revoked'"), false)
    }

    /// Questions about keys that nobody has.
    pub fn unknown(&self) -> PathBuf {
        let mut chance = SmallRng::seed_from_u64(1);
        let mut key = || {
            format!(
                "f0:00:{:02x}:{:02x}:{:02x}:01",
                chance.random::<u8>(),
                chance.random::<u8>(),
                chance.random::<u8>()
            )
        };
        let pairs: Vec<_> = (0..self.licenses)
            .map(|_| ("PdfBatchPro".to_owned(), key()))
            .collect();
        self.write("unknown", &pairs, false)
    }

    /// Half of the licenses that are good become seats, each of a code of its own.
    pub fn sell_codes(&self) {
        let db = Connection::open(self.data().join("licenses.db")).unwrap();
        db.execute_batch(&format!("{CODES} where {GOOD} and id % 2 = 0; {SEATS}"))
            .unwrap();
    }

    fn pairs(&self, condition: &str) -> Vec<(String, String)> {
        let db = Connection::open(self.data().join("licenses.db")).unwrap();
        let sql = format!("select tool_name, license_key from licenses where {condition}");
        let mut statement = db.prepare(&sql).unwrap();
        let pairs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        pairs.unwrap().map(Result::unwrap).collect()
    }

    fn write(&self, name: &str, pairs: &[(String, String)], is_signed: bool) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
        for (tool_name, license_key) in pairs {
            let mut question =
                serde_json::json!({"tool_name": tool_name, "license_key": license_key});
            if is_signed {
                question["nonce"] = "0123456789abcdefABCDEF".into();
            }
            writeln!(file, "{question}").unwrap();
        }
        path
    }
}

/// The folder of the database, which is made when it is missing.
fn made(licenses: u32) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    include_str!("../../schema.sql").hash(&mut hasher);
    include_str!("../../src/service/demo.rs").hash(&mut hasher);
    let name = format!("demo-{licenses}-{:x}", hasher.finish());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if !folder.exists() {
        let unfinished = folder.with_extension("unfinished");
        drop(fs::remove_dir_all(&unfinished));
        let begin = Instant::now();
        let mut seed = license_server(&unfinished);
        let seeded = seed.arg("seed-demo").arg(licenses.to_string()).output();
        assert!(seeded.unwrap().status.success());
        println!(
            "  seed-demo {licenses}: {:.0} s",
            begin.elapsed().as_secs_f64()
        );
        fs::rename(&unfinished, &folder).unwrap();
    }
    folder
}
