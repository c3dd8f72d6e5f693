//! Pages, search, export and start among a million licenses.

use std::time::Instant;

use crate::demo::{Demo, LICENSES};
use crate::load::{From, Load};
use crate::program::Program;

const TIMES: usize = 9;

const PAGES: [(&str, &str); 30] = [
    ("overview", "/"),
    ("first page", "/licenses"),
    ("far page", "/licenses?before=500000_1750000000"),
    ("last page", "/licenses?after=0_0"),
    ("one tool", "/licenses?tool=TurnAssist"),
    ("one status", "/licenses?status=revoked"),
    (
        "tool and status",
        "/licenses?tool=TurnAssist&status=revoked",
    ),
    ("last seen", "/licenses?sort=-last-seen"),
    ("never seen first", "/licenses?sort=last-seen"),
    (
        "one tool, last seen",
        "/licenses?sort=-last-seen&tool=TurnAssist",
    ),
    (
        "one status, last seen",
        "/licenses?sort=-last-seen&status=revoked",
    ),
    (
        "a frequent customer, last seen",
        "/licenses?sort=-last-seen&q=Schreinerei",
    ),
    (
        "a fragment of a key, last seen",
        "/licenses?sort=-last-seen&q=2c3d4",
    ),
    ("search: a whole key", "/licenses?q=00:1b:21:2c:3d:4e"),
    ("search: a fragment of a key", "/licenses?q=2c3d4"),
    ("search: a frequent customer", "/licenses?q=Schreinerei"),
    ("search: two letters of nobody", "/licenses?q=zx"),
    ("search: two frequent letters", "/licenses?q=le"),
    (
        "the same, expires in 30 days",
        "/licenses?q=le&expires=next-30-days&sort=customer",
    ),
    ("search: nobody", "/licenses?q=nobody+at+all"),
    (
        "search in a tool and status",
        "/licenses?q=olsen&tool=TurnAssist&status=revoked",
    ),
    (
        "expires in 30 days, never seen, by key",
        "/licenses?expires=next-30-days&seen=never&sort=key",
    ),
    (
        "expired, seen in 7 days",
        "/licenses?expires=expired&seen=last-7-days&sort=expires",
    ),
    (
        "a fragment, expires in 30 days",
        "/licenses?q=anna&expires=next-30-days&sort=customer",
    ),
    ("far page, by key", "/licenses?sort=key&after=500000_a4"),
    (
        "far page, by expiration date",
        "/licenses?expires=not-expired&sort=expires&after=500000_2027-06-01",
    ),
    (
        "preview: expired and refused",
        "/bulk?of=all&do=1y&filter=%3Fexpires%3Dlast-30-days%26seen%3Drefused",
    ),
    ("one license", "/licenses/500000"),
    ("machine code", "/machine?code=7K4-PQ2"),
    ("audit log", "/audit"),
];

pub fn measure(_: Option<u32>) {
    let demo = Demo::new();
    let server = Program::license_server(&demo.data());
    println!("  ready after {:.2} s", server.ready.as_secs_f64());
    let mut admin = server.admin();
    for (name, path) in PAGES {
        let mut size = 0;
        let mut times: Vec<f64> = (0..TIMES)
            .map(|_| {
                let begin = Instant::now();
                let answer = admin.get(path);
                assert_eq!(answer.status, 200, "{path}");
                size = answer.body.len();
                begin.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!(
            "  {name:36} {:6.1} ms (longest {:.1}), {:3.0} kB",
            times[TIMES / 2],
            times[TIMES - 1],
            size as f64 / 1000.0
        );
    }
    let load = Load::start(server.port, &demo.good(), From::Here, 10.0);
    let begin = Instant::now();
    let answer = admin.get("/api/licenses");
    let seconds = begin.elapsed().as_secs_f64();
    println!(
        "  whole GET /api/licenses              {:.0} rows/s, {} MB, beside checks: {}",
        f64::from(LICENSES) / seconds,
        answer.body.len() / 1_000_000,
        load.heard(),
    );
    println!(
        "  memory of the server: {} MB at most",
        server.megabytes("VmHWM")
    );
    println!("  stopped after {:.2} s", server.stop().as_secs_f64());
}
