//! Machines that race for the last seats of a code get as many as there are, also if the server is killed meanwhile.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::crash::quiet;
use crate::program::{Program, log_in};
use crate::server::{Client, PASSWORD};
use crate::writers::{damage, look};

const MACHINES: usize = 64;
const SEATS: usize = 3;

#[test]
fn four_races_have_as_many_winners_as_seats() {
    race_again_and_again(4);
}

#[test]
#[ignore = "takes minutes: cargo test --release --test it -- --ignored --nocapture race::"]
fn a_hundred_races_have_as_many_winners_as_seats() {
    race_again_and_again(100);
}

/// Every second race is cut off by a kill.
fn race_again_and_again(races: u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut chance = SmallRng::seed_from_u64(races);
    let mut server = Program::run(&mut quiet(folder.path()));
    let mut admin = server.client();
    assert_eq!(log_in(&mut admin, PASSWORD), 200);
    let (mut kills, mut acknowledged, mut unanswered) = (0, 0, 0);
    for race in 1..=races {
        let code = sell(&mut admin, race);
        let kill_after = (race % 2 == 0).then(|| chance.random_range(0..2 * SEATS));
        let answers = run(&mut server, &code, race, kill_after);
        let won = winners(&answers);
        if kill_after.is_some() {
            kills += 1;
            acknowledged += won.len();
            unanswered += answers.iter().filter(|status| status.is_none()).count();
            server = Program::run(&mut quiet(folder.path()));
            let cookies = admin.cookies;
            admin = server.client();
            admin.cookies = cookies;
            let db = look(&folder.path().join("data")).unwrap();
            assert_eq!(damage(&db).unwrap(), None, "race {race}");
        }
        // A machine that got no answer may have won nevertheless.
        let again = winners(&run(&mut server, &code, race, None));
        assert!(won.is_subset(&again), "race {race}: {won:?} {again:?}");
        assert_eq!(again.len(), SEATS, "race {race}");
        let path = format!("/api/codes?activation_code={code}");
        assert_eq!(
            admin.get(&path).json()[0]["seats_used"],
            SEATS,
            "race {race}"
        );
    }
    eprintln!(
        "{races} races of {MACHINES} machines: always {SEATS} winners; {kills} kills, {acknowledged} seats \
         acknowledged before one, 0 lost; {unanswered} machines without an answer"
    );
    assert!(unanswered > 0, "no kill was in the middle");
}

fn sell(admin: &mut Client, race: u64) -> String {
    let order =
        json!({"order_ref": race.to_string(), "items": [{"tool_name": "Tool_A", "seats": SEATS}]});
    let sold = admin.post("/api/orders", &order.to_string()).json();
    sold["codes"][0]["activation_code"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn winners(answers: &[Option<u16>]) -> BTreeSet<usize> {
    let of = |status| (0..MACHINES).filter(move |at| answers[*at] == Some(status));
    let (won, lost) = (of(200), of(409).count());
    let won: BTreeSet<usize> = won.collect();
    let answered = answers.iter().flatten().count();
    assert_eq!(won.len() + lost, answered, "{answers:?}");
    won
}

/// The status of each machine's answer, if it got one. The server is killed after so many answers.
fn run(server: &mut Program, code: &str, race: u64, kill_after: Option<usize>) -> Vec<Option<u16>> {
    let (start, is_killed) = (Barrier::new(MACHINES), AtomicBool::new(false));
    let port = server.port();
    let (told, heard) = mpsc::channel();
    std::thread::scope(|threads| {
        let machines: Vec<_> = (0..MACHINES)
            .map(|at| {
                let (start, is_killed, told) = (&start, &is_killed, told.clone());
                threads.spawn(move || {
                    start.wait();
                    let status = activate(port, code, &format!("machine {race} {at}"));
                    assert!(status.is_some() || is_killed.load(Ordering::SeqCst));
                    // Nobody listens once the server was killed.
                    told.send(()).unwrap_or_default();
                    status
                })
            })
            .collect();
        if let Some(answers) = kill_after {
            for _ in 0..answers {
                heard.recv().unwrap();
            }
            is_killed.store(true, Ordering::SeqCst);
            server.child.kill().unwrap();
            server.child.wait().unwrap();
        }
        machines
            .into_iter()
            .map(|machine| machine.join().unwrap())
            .collect()
    })
}

/// None if the connection ended before the answer.
fn activate(port: u16, code: &str, license_key: &str) -> Option<u16> {
    let body = json!({"tool_name": "Tool_A", "activation_code": code, "license_key": license_key});
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let agent: ureq::Agent = config.into();
    let url = format!("http://127.0.0.1:{port}/api/activate");
    let request = agent.post(url).header("Content-Type", "application/json");
    let mut answer = request.send(body.to_string()).ok()?;
    answer.body_mut().read_to_string().ok()?;
    Some(answer.status().as_u16())
}
