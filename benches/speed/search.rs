//! The table under every filter of at most two conditions, in every order: on random data, and on data
//! whose columns depend on each other, where what is wanted comes last in many orders.

use std::time::Instant;

use rusqlite::Connection;

use crate::demo::Demo;
use crate::program::Program;

const ORDERS: [&str; 7] = [
    "created",
    "last-seen",
    "expires",
    "customer",
    "key",
    "tool",
    "status",
];

/// Each condition, and the values that it is given.
const CONDITIONS: [(&str, &[&str]); 5] = [
    ("tool", &["TurnAssist", "PdfBatchPro"]),
    ("status", &["activated", "revoked"]),
    (
        "expires",
        &[
            "next-30-days",
            "last-30-days",
            "expired",
            "not-expired",
            "never",
        ],
    ),
    (
        "seen",
        &[
            "last-7-days",
            "not-for-30-days",
            "never",
            "after-expiration",
            "refused",
        ],
    ),
    (
        "q",
        &["olsen", "2c3d4", "le", "zx", "PdfBatchPro+M%C3%BCller"],
    ),
];

/// Old licenses have expired and are no longer seen; new ones were not seen yet; each tool had its time.
const DEPENDENT: &str = "
    update licenses set
        expiration_date = case when id % 10 = 0 then 'never'
            else date(created_at, 'unixepoch', '+1 year') end,
        last_seen_on = case
            when id > (select max(id) from licenses) * 9 / 10 then ''
            else date(created_at, 'unixepoch', '+' || (id % 400) || ' days') end,
        status = case when id < (select max(id) from licenses) / 20 then 'revoked'
            else 'activated' end;
    update licenses set tool_name = 'TurnAssist' where id < 100000
        and tool_name <> 'TurnAssist'
        and not exists (select 1 from licenses other where other.tool_name = 'TurnAssist'
            and other.license_key = licenses.license_key);
    pragma optimize;
";

pub fn measure(_: Option<u32>) {
    let demo = Demo::new();
    measure_one("random data", &demo);
    let db = Connection::open(demo.data().join("licenses.db")).unwrap();
    db.execute_batch(DEPENDENT).unwrap();
    drop(db);
    measure_one("dependent columns", &demo);
}

fn measure_one(name: &str, demo: &Demo) {
    let server = Program::license_server(&demo.data());
    let mut admin = server.admin();
    admin.get("/licenses");
    let mut times: Vec<(f64, String)> = filters()
        .iter()
        .flat_map(|filter| {
            ORDERS.map(|order| {
                [
                    format!("{filter}sort={order}"),
                    format!("{filter}sort=-{order}"),
                ]
            })
        })
        .flatten()
        .map(|query| {
            let path = format!("/licenses?{query}");
            let begin = Instant::now();
            assert_eq!(admin.get(&path).status, 200, "{path}");
            (begin.elapsed().as_secs_f64() * 1000.0, path)
        })
        .collect();
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].0;
    println!(
        "  {name}: {} pages, median {:.0} ms, 95 of 100 within {:.0} ms, longest {:.0} ms",
        times.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
    for (time, path) in times.iter().rev().take(5) {
        println!("    {time:6.0} ms  {path}");
    }
}

/// None, one or two conditions.
fn filters() -> Vec<String> {
    let single = |(name, values): &(&str, &[&str])| -> Vec<String> {
        values
            .iter()
            .map(|value| format!("{name}={value}&"))
            .collect()
    };
    let singles: Vec<Vec<String>> = CONDITIONS.iter().map(single).collect();
    let mut all = vec![String::new()];
    for (at, ones) in singles.iter().enumerate() {
        for one in ones {
            all.push(one.clone());
            all.extend(
                singles[at + 1..]
                    .iter()
                    .flatten()
                    .map(|other| format!("{one}{other}")),
            );
        }
    }
    all
}
