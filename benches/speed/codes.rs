//! Activations a second, each durable, beside the commits a second of a bare table on the same disk; and what a change
//! of a code with a thousand machines takes.

use std::path::Path;
use std::thread;
use std::time::Instant;

use rusqlite::Connection as Database;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::connection::Connection;
use crate::program::Program;

const ACTIVATIONS: u32 = 4_000;
const CODES: u32 = 500;
const COMMITS: u32 = 2_000;
const CLIENTS: u32 = 16;
const MACHINES: u32 = 1_000;
const TOOL: &str = "Tool_A";

pub fn measure(activations: Option<u32>) {
    let activations = activations.unwrap_or(ACTIVATIONS);
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let server = Program::license_server(&folder.path().join("data"));
    let mut admin = server.admin();
    let mut ratios = vec![];
    for round in 0..3 {
        let bare = commits(&folder.path().join(format!("bare-{round}.db")));
        let (order_ref, seats) = (format!("round {round}"), activations.div_ceil(CODES));
        let codes = sell(&mut admin, &order_ref, CODES, seats);
        let rate = activate(server.port, &codes, activations);
        println!("  {rate:5.0} activations/s, a bare table {bare:5.0} commits/s");
        ratios.push(rate / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("  {:.2} of the bare rate", ratios[1]);
    let code = sell(&mut admin, "thousand", 1, MACHINES);
    activate(server.port, &code, MACHINES);
    for action in ["suspend", "resume", "revoke", "restore"] {
        let begin = Instant::now();
        let answer = admin.post(&format!("/api/orders/thousand/{action}"), "", "{}");
        let milliseconds = begin.elapsed().as_secs_f64() * 1000.0;
        assert_eq!(answer.status, 200);
        println!("  {action:8} a code with {MACHINES} machines: {milliseconds:4.0} ms");
    }
}

/// Commits a second of one small row each, as durable as the server's.
fn commits(path: &Path) -> f64 {
    let db = Database::open(path).unwrap();
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.pragma_update(None, "synchronous", "full").unwrap();
    db.execute_batch("create table bare (id integer primary key, license_key text)")
        .unwrap();
    let begin = Instant::now();
    for _ in 0..COMMITS {
        db.execute(
            "insert into bare (license_key) values ('0a:1b:2c:3d:4e:5f')",
            [],
        )
        .unwrap();
    }
    f64::from(COMMITS) / begin.elapsed().as_secs_f64()
}

/// So many activation codes, each for so many machines.
pub fn sell(admin: &mut Connection, order_ref: &str, quantity: u32, seats: u32) -> Vec<String> {
    let order = json!({"order_ref": order_ref,
        "items": [{"tool_name": TOOL, "quantity": quantity, "seats": seats}]});
    let answer = admin.post("/api/orders", "", &order.to_string());
    assert_eq!(answer.status, 201);
    let sold: Value = serde_json::from_slice(&answer.body).unwrap();
    let codes = sold["codes"].as_array().unwrap().iter();
    let code = |code: &Value| code["activation_code"].as_str().unwrap().to_owned();
    codes.map(code).collect()
}

/// Activations a second of so many machines with these codes in turn, over some connections.
pub fn activate(port: u16, codes: &[String], number: u32) -> f64 {
    let begin = Instant::now();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                let mut connection = Connection::new(port);
                for at in (client..number).step_by(CLIENTS as usize) {
                    let code = &codes[at as usize % codes.len()];
                    let question = json!({"tool_name": TOOL, "activation_code": code,
                        "license_key": format!("{code} {at}")});
                    let answer = connection.post("/api/activate", "", &question.to_string());
                    assert_eq!(answer.status, 200);
                }
            });
        }
    });
    f64::from(number) / begin.elapsed().as_secs_f64()
}
