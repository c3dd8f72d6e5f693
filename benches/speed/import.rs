//! An import of 100,000 rows beside inserting the same rows into a bare table, and what others notice of
//! it; then an import of a million rows, and how much room they take.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use crate::program::{Program, license_server};

const ROWS: u32 = 100_000;
const MANY: u32 = 1_000_000;

struct Row {
    tool: &'static str,
    key: String,
    customer: String,
    expires: String,
}

pub fn measure(many: Option<u32>) {
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rows = rows(ROWS);
    let file = write(folder.path(), "rows.csv", &rows);
    let data = folder.path().join("data");
    let server = Program::license_server(&data);
    server.stop();
    let (mut ratios, mut imported) = (vec![], vec![]);
    for round in 0..3 {
        let bare = insert_bare(&folder.path().join(format!("bare-{round}.db")), &rows);
        let data = folder.path().join(format!("data-{round}"));
        Program::license_server(&data).stop();
        let begin = Instant::now();
        import(&data, &file);
        let seconds = begin.elapsed().as_secs_f64();
        println!("  {ROWS} rows: {seconds:.1} s, a bare table {bare:.1} s");
        ratios.push(seconds / bare);
        imported.push(seconds);
    }
    ratios.sort_by(f64::total_cmp);
    println!("  {:.2} times as long as the bare table", ratios[1]);
    beside(&data, &file);
    let many = many.unwrap_or(MANY);
    let file = write(folder.path(), "many.csv", &self::rows(many));
    let data = folder.path().join("many");
    Program::license_server(&data).stop();
    let begin = Instant::now();
    import(&data, &file);
    let size = fs::metadata(data.join("licenses.db")).unwrap().len();
    println!(
        "  {many} rows: {:.0} s, {} bytes on disk per license",
        begin.elapsed().as_secs_f64(),
        size / u64::from(many)
    );
}

/// Sign-in, pages, single writes and a revoke by another process while a file is imported.
fn beside(data: &Path, file: &Path) {
    let server = Program::license_server(data);
    let mut admin = server.admin();
    let mut import = license_server(data)
        .args(["import", "--yes", file.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut longest = [("sign-in", 0.0), ("a page", 0.0), ("adding a license", 0.0)];
    let mut number = 0;
    while import.try_wait().unwrap().is_none() {
        let mut time = |at: usize, work: &mut dyn FnMut()| {
            let begin = Instant::now();
            work();
            longest[at].1 = f64::max(longest[at].1, begin.elapsed().as_secs_f64());
        };
        number += 1;
        time(0, &mut || drop(server.admin()));
        time(1, &mut || assert_eq!(admin.get("/licenses").status, 200));
        let body = format!(r#"{{"tool_name":"Beside","license_key":"{number}"}}"#);
        time(2, &mut || {
            assert_eq!(admin.post("/api/licenses", "", &body).status, 201)
        });
        thread::sleep(Duration::from_millis(20));
    }
    for (what, seconds) in longest {
        println!("  beside an import, the longest of {number}: {what} {seconds:.2} s");
    }
}

fn rows(number: u32) -> Vec<Row> {
    let mut random = SmallRng::seed_from_u64(7);
    let tools = ["PdfBatchPro", "LabelPrinter", "ShiftPlanner", "TurnAssist"];
    (0..number)
        .map(|n| Row {
            tool: tools.choose(&mut random).unwrap(),
            key: format!(
                "3c:52:{:02x}:{:02x}:{:02x}:{:02x}",
                n >> 16 & 0xff,
                random.random::<u8>(),
                n >> 8 & 0xff,
                n & 0xff
            ),
            customer: customer(n % (number / 5)),
            expires: format!(
                "20{}-{:02}-{:02}",
                random.random_range(25..29),
                n % 12 + 1,
                n % 28 + 1
            ),
        })
        .collect()
}

/// Each has five licenses.
fn customer(number: u32) -> String {
    let names = [
        "Anna Müller",
        "Jürgen Novák",
        "Tom Baker",
        "Priya Patel",
        "Sofia Rossi",
        "Ole Olsen",
    ];
    format!("{} {number}", names[number as usize % names.len()])
}

fn write(folder: &Path, name: &str, rows: &[Row]) -> std::path::PathBuf {
    let path = folder.join(name);
    let mut file = std::io::BufWriter::new(fs::File::create(&path).unwrap());
    writeln!(file, "tool_name,license_key,user_id,expiration_date").unwrap();
    for Row {
        tool,
        key,
        customer,
        expires,
    } in rows
    {
        writeln!(file, "{tool},{key},{customer},{expires}").unwrap();
    }
    file.into_inner().unwrap();
    path
}

fn import(data: &Path, file: &Path) {
    let mut command = license_server(data);
    command
        .args(["import", "--yes", file.to_str().unwrap()])
        .stdout(Stdio::null());
    assert!(command.status().unwrap().success());
}

/// A table with its unique index, and a trigram index over the same texts; in one transaction.
fn insert_bare(path: &Path, rows: &[Row]) -> f64 {
    let mut db = Connection::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.pragma_update(None, "synchronous", "full").unwrap();
    db.execute_batch(
        "create table licenses (id integer primary key, tool_name text, license_key text,
             user_id text, expiration_date text, unique (tool_name, license_key));
         create virtual table texts using fts5 (tool_name, license_key, user_id, tokenize = 'trigram')",
    )
    .unwrap();
    let begin = Instant::now();
    let transaction = db.transaction().unwrap();
    for Row {
        tool,
        key,
        customer,
        expires,
    } in rows
    {
        let id: i64 = transaction
            .prepare_cached(
                "insert into licenses (tool_name, license_key, user_id, expiration_date)
                 values (?1, ?2, ?3, ?4) returning id",
            )
            .unwrap()
            .query_row(params![tool, key, customer, expires], |row| row.get(0))
            .unwrap();
        transaction
            .prepare_cached("insert into texts (rowid, tool_name, license_key, user_id) values (?1, ?2, ?3, ?4)")
            .unwrap()
            .execute(params![id, tool, key, customer])
            .unwrap();
    }
    transaction.commit().unwrap();
    begin.elapsed().as_secs_f64()
}
