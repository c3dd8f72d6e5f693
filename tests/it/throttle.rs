//! Guessing passwords and keys is throttled, without affecting anybody else.

use std::sync::atomic::{AtomicBool, Ordering};

use license_server::config::Config;

use crate::page::Page;
use crate::server::{Answer, Client, PASSWORD, Server};

/// A client whose requests come through the trusted proxy.
fn from(server: &Server, address: &str) -> Client {
    server.stranger().header("X-Forwarded-For", address)
}

fn log_in(client: &mut Client, name: &str, password: &str) -> Answer {
    let body = serde_json::json!({"username": name, "password": password});
    client.post("/api/login", &body.to_string())
}

fn log_in_on_the_page(client: &mut Client, name: &str, password: &str) -> Page {
    let form = Page::open(client, "/login").form("/login");
    let form = form.fill("username", name).fill("password", password);
    form.submit(client)
}

/// The statuses of successive failed sign-ins, each with another user name.
fn guesses(server: &Server, address: &str, number: usize) -> Vec<u16> {
    let guess = |n| log_in(&mut from(server, address), &format!("{address} {n}"), "x").status;
    (0..number).map(guess).collect()
}

fn ask(client: &mut Client, key: &str) -> Answer {
    let question = serde_json::json!({"tool_name": "T", "license_key": key});
    client.post("/api/check", &question.to_string())
}

fn assert_wait(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (429, Some("error"))
    );
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[test]
fn at_most_ten_of_thirty_simultaneous_sign_ins_are_checked() {
    let server = Server::start();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let guess = |n: usize| {
            let name = format!("name {n}");
            log_in(&mut from(&server, "203.0.113.9"), &name, "x")
        };
        let all: Vec<_> = (0..30).map(|n| scope.spawn(move || guess(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let heard = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((1..=10).contains(&heard), "{heard}");
    answers
        .iter()
        .filter(|answer| answer.status != 401)
        .for_each(assert_wait);
}

#[test]
fn an_address_gets_ten_attempts_and_then_one_every_six_seconds() {
    let server = Server::start();
    let mut expected = vec![401; 10];
    expected.push(429);
    assert_eq!(guesses(&server, "203.0.113.9", 11), expected);
    assert_eq!(guesses(&server, "203.0.113.8", 1), [401]);
    server.clock.turn(6);
    assert_eq!(guesses(&server, "203.0.113.9", 2), [401, 429]);
    server.clock.turn(60);
    assert_eq!(guesses(&server, "203.0.113.9", 11), expected);
}

#[test]
fn a_user_name_gets_ten_attempts_from_all_addresses_together() {
    for name in ["admin", "nobody"] {
        let server = Server::start();
        let guess = |n| log_in(&mut from(&server, &format!("198.51.100.{n}")), name, "x");
        assert!((0..10).all(|n| guess(n).status == 401), "{name}");
        assert_wait(&guess(10));
        assert_eq!(
            log_in(&mut from(&server, "198.51.100.11"), "other", "x").status,
            401
        );
        server.clock.turn(6);
        assert_eq!(guess(12).status, 401, "{name}");
    }
}

#[test]
fn the_right_password_is_throttled_too() {
    let server = Server::start();
    guesses(&server, "203.0.113.9", 10);
    let mut client = from(&server, "203.0.113.9");
    assert_wait(&log_in(&mut client, "admin", PASSWORD));
    server.clock.turn(6);
    assert_eq!(log_in(&mut client, "admin", PASSWORD).status, 200);
}

#[test]
fn the_page_and_the_api_share_one_limit() {
    let server = Server::start();
    let mut client = from(&server, "203.0.113.9");
    for n in 0..5 {
        let page = log_in_on_the_page(&mut client, &format!("page {n}"), "x");
        assert_eq!((page.status, page.path.as_str()), (401, "/login"));
        assert_eq!(log_in(&mut client, &format!("api {n}"), "x").status, 401);
    }
    assert_wait(&log_in(&mut client, "another", "x"));
    let page = log_in_on_the_page(&mut client, "another", "x");
    assert_eq!(page.status, 429);
    assert!(!page.alert().is_empty());
}

#[test]
fn successful_sign_ins_do_not_count() {
    let server = Server::start();
    let mut client = from(&server, "203.0.113.9");
    let good = |client: &mut Client| log_in(client, "admin", PASSWORD).status;
    assert!((0..15).all(|_| good(&mut client) == 200));
    assert_eq!(
        guesses(&server, "203.0.113.9", 11)
            .iter()
            .filter(|s| **s == 401)
            .count(),
        10
    );
}

#[test]
fn an_ipv6_network_counts_as_one_address() {
    let server = Server::start();
    let guess = |address: &str| guesses(&server, address, 1)[0];
    assert!((0..10).all(|n| guess(&format!("2001:db8:1:2:{n}::{n}")) == 401));
    assert_eq!(guess("2001:db8:1:2:ffff::1"), 429);
    assert_eq!(guess("[2001:db8:1:2::77]:443"), 429);
    assert_eq!(guess("2001:db8:1:3::1"), 401);
}

#[test]
fn forged_headers_do_not_change_the_address() {
    let direct = Server::with(|config: &mut Config| config.trusted_proxies.clear());
    let proxied = Server::start();
    for (server, seen) in [(direct, "127.0.0.1"), (proxied, "203.0.113.9")] {
        let forger = |n: usize| {
            let forged = format!("198.51.100.{n}");
            let forwarded = format!("{forged}, 203.0.113.9");
            server
                .stranger()
                .header("X-Forwarded-For", &forwarded)
                .header("X-Real-IP", &forged)
                .header("Forwarded", &format!("for={forged}"))
                .header("True-Client-IP", &forged)
                .header("CF-Connecting-IP", &forged)
        };
        let mut admin = forger(200);
        assert_eq!(log_in(&mut admin, "admin", PASSWORD).status, 200);
        assert_eq!(Page::open(&mut admin, "/account").rows()[0][1], seen);
        let guess = |n| log_in(&mut forger(n), &format!("name {n}"), "x").status;
        assert!((0..10).all(|n| guess(n) == 401));
        assert_eq!(guess(10), 429, "{seen}");
    }
}

#[test]
fn thirty_unknown_keys_are_answered_and_then_ten_a_minute() {
    let server = Server::start();
    let mut client = from(&server, "203.0.113.9");
    assert!((0..30).all(|n| ask(&mut client, &format!("unknown {n}")).status == 404));
    assert_wait(&ask(&mut client, "unknown"));
    assert_eq!(
        ask(&mut from(&server, "203.0.113.8"), "unknown").status,
        404
    );
    server.clock.turn(60);
    assert!((0..10).all(|n| ask(&mut client, &format!("more {n}")).status == 404));
    assert_wait(&ask(&mut client, "unknown"));
}

#[test]
fn a_known_key_is_always_answered() {
    let server = Server::start();
    server.license("T", "good");
    server.add(serde_json::json!({"tool_name": "T", "license_key": "bad", "status": "revoked"}));
    let mut office = from(&server, "203.0.113.9");
    (0..40).for_each(|n| drop(ask(&mut office, &format!("unknown {n}"))));
    assert_wait(&ask(&mut office, "unknown"));
    for _ in 0..50 {
        assert_eq!(ask(&mut office, "good").status, 200);
        assert_eq!(ask(&mut office, "bad").status, 403);
    }
}

/// Guesses at `admin` from one address and from many, until neither is heard any more.
fn flood(server: &Server) {
    for n in 0..12 {
        log_in(&mut from(server, "203.0.113.9"), "admin", "x");
        log_in(&mut from(server, &format!("198.51.100.{n}")), "admin", "x");
    }
}

#[test]
fn strangers_keep_no_known_browser_out() {
    let server = Server::start();
    // The owner shares the address with an attacker.
    let mut owner = from(&server, "203.0.113.9");
    assert_eq!(log_in(&mut owner, "admin", PASSWORD).status, 200);
    owner.cookies.remove("license_session");
    for _ in 0..100 {
        flood(&server);
        assert_eq!(log_in(&mut owner, "admin", PASSWORD).status, 200);
    }
    owner.cookies.remove("license_session");
    let page = log_in_on_the_page(&mut owner, "admin", PASSWORD);
    assert_eq!((page.status, &*page.path), (200, "/"));
    let mut new = from(&server, "192.0.2.1");
    assert_wait(&log_in(&mut new, "admin", PASSWORD));
}

#[test]
fn a_stolen_device_cookie_allows_ten_guesses_for_its_user_only() {
    let server = Server::start();
    let cookie = server.admin().cookies["license_device"].clone();
    let thief = |n: usize, cookie: &str| {
        let mut thief = from(&server, &format!("198.51.100.{n}"));
        let cookie = cookie.to_owned();
        thief.cookies.insert("license_device".into(), cookie);
        thief
    };
    let guess = |n| log_in(&mut thief(n, &cookie), "admin", "x").status;
    assert!((0..10).all(|n| guess(n) == 401));
    assert_eq!(guess(10), 429);
    server.clock.turn(6);
    assert_eq!((guess(11), guess(12)), (401, 429));
    // For another user, and with any other value, it is a stranger's.
    let other = |n| log_in(&mut thief(20, &cookie), &format!("user {n}"), "x").status;
    assert!((0..10).all(|n| other(n) == 401));
    assert_eq!(other(10), 429);
    for forged in [
        "",
        "x",
        "x.y",
        &cookie.replace('.', "x."),
        &format!("{cookie}0"),
    ] {
        let mut forger = thief(20, forged);
        assert_wait(&log_in(&mut forger, "admin", PASSWORD));
    }
}

#[test]
fn a_new_password_makes_device_cookies_of_other_browsers_invalid() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let form = Page::open(&mut admin, "/account").form("/account/password");
    let new = "another horse battery";
    let form = form.fill("current", PASSWORD).fill("new", new);
    assert!(form.fill("again", new).submit(&mut admin).flash().is_some());
    flood(&server);
    assert_wait(&log_in(&mut other, "admin", new));
    assert_eq!(log_in(&mut admin, "admin", new).status, 200);
}

#[test]
fn strangers_do_not_hinder_a_password_change() {
    let server = Server::start();
    let mut admin = from(&server, "203.0.113.9");
    assert_eq!(log_in(&mut admin, "admin", PASSWORD).status, 200);
    flood(&server);
    let form = Page::open(&mut admin, "/account").form("/account/password");
    let form = form.fill("new", "another horse battery");
    let form = form.fill("again", "another horse battery");
    let wrong = form.fill("current", "wrong").submit(&mut admin);
    assert_eq!(wrong.status, 422);
    let form = Page::open(&mut admin, "/account").form("/account/password");
    let form = form.fill("new", "another horse battery");
    let form = form.fill("again", "another horse battery");
    assert_eq!(
        form.fill("current", PASSWORD).submit(&mut admin).status,
        200
    );
}

#[test]
fn a_known_browser_does_not_wait_behind_a_full_queue() {
    let server = Server::start();
    let mut owner = server.admin();
    let is_over = AtomicBool::new(false);
    let (signed_in, strangers) = std::thread::scope(|scope| {
        let guess = |stranger: usize| {
            let mut statuses = vec![];
            while !is_over.load(Ordering::Relaxed) {
                let n = statuses.len();
                let mut client = from(&server, &format!("10.{stranger}.{}.{}", n / 250, n % 250));
                let name = format!("{stranger} {n}");
                statuses.push(log_in(&mut client, &name, "x").status);
            }
            statuses
        };
        let strangers: Vec<_> = (0..40).map(|s| scope.spawn(move || guess(s))).collect();
        let signed_in: Vec<u16> = (0..10)
            .map(|_| log_in(&mut owner, "admin", PASSWORD).status)
            .collect();
        is_over.store(true, Ordering::Relaxed);
        let strangers = strangers.into_iter().flat_map(|s| s.join().unwrap());
        (signed_in, strangers.collect::<Vec<u16>>())
    });
    assert_eq!(signed_in, [200; 10]);
    assert!(strangers.contains(&429) && strangers.contains(&401));
}
