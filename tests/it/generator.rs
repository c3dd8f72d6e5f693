//! Shops that ask for a code and mail it.

use license_server::model::shops::{EventState, ShopKind};

use crate::server::Server;
use crate::shops::{FORM, Shop};

#[test]
fn a_generator_makes_codes_once_for_each_line_of_an_order() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    shop.sells("price_b", "30");
    let first = shop.generate(
        FORM,
        "order=17&product=price_a&quantity=2&name=J%C3%BCrgen+Wei%C3%9F&email=j%40example.com",
    );
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, "text/plain; charset=utf-8")
    );
    let codes: Vec<&str> = first.body.lines().collect();
    assert_eq!(codes.len(), 2);
    // A quantity is not a number of seats.
    let made = shop.codes("17/price_a");
    assert!(
        made.iter()
            .all(|code| code["seats"] == 2 && code["customer"] == "Jürgen Weiß")
    );
    let other = shop.generate(FORM, "order=17&product=price_b");
    let line = shop.generate(
        "application/json",
        r#"{"order": 17, "product": "price_b", "line": 2, "quantity": 1}"#,
    );
    assert_eq!((other.status, line.status), (200, 200), "{}", line.body);
    assert_ne!(other.body, line.body);
    shop.sells("price_a", "1");
    for again in [
        "order=17&product=price_a&quantity=2",
        "order=17&product=price_a&quantity=5",
    ] {
        assert_eq!(shop.generate(FORM, again).body, first.body);
    }
    let test = shop.generate(FORM, "order=18&product=price_a&test=1");
    assert_eq!(test.status, 200);
    assert_eq!(shop.codes("18/price_a")[0]["expiration_date"], "2026-06-22");
    assert_eq!(
        shop.generate(FORM, "order=19&product=price_a&test=false")
            .status,
        200
    );
    assert_eq!(shop.codes("19/price_a")[0]["days"], 1);
}

#[test]
fn order_numbers_of_a_generator_are_told_apart() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    shop.sells("a/price", "30");
    shop.sells("price", "30");
    let long = "9".repeat(200);
    let mut answers: Vec<String> = [
        "order=1/a&product=price".to_owned(),
        "order=1&product=a/price".to_owned(),
        "order=1%252Fa&product=price".to_owned(),
        "order=1&product=price&line=a".to_owned(),
        format!("order={long}1&product=price"),
        format!("order={long}2&product=price"),
    ]
    .iter()
    .map(|call| shop.generate(FORM, call).body)
    .collect();
    assert!(answers.iter().all(|codes| codes.len() == 19), "{answers:?}");
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 6);
}

#[test]
fn a_fault_of_a_generator_is_an_empty_answer() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    let too_large = format!("order=1&product=price_a&note={}", "x".repeat(70_000));
    for (kind, body, expected) in [
        (FORM, "product=price_a", 422),
        (FORM, "order=1", 422),
        (FORM, "order=1&product=price_x", 422),
        (FORM, "order=1&product=price_a&quantity=many", 422),
        (FORM, "order=1&product=price_a&quantity=0", 422),
        (FORM, "order=1&product=price_a&quantity=501", 422),
        (FORM, "order=%ff&product=price_a", 400),
        ("application/json", "order=1", 400),
        ("application/json", "[]", 400),
        (FORM, &too_large, 413),
    ] {
        let answer = shop.generate(kind, body);
        assert_eq!((answer.status, &*answer.body), (expected, ""), "{body:.60}");
    }
    let failed = shop.calls();
    assert!(
        failed
            .iter()
            .all(|call| call.outcome.state == EventState::Failed)
    );
    assert_eq!(failed.len(), 9);
    let mut stranger = server.stranger();
    for path in ["a".repeat(43), "a".repeat(42), "%ff".into(), "a/b/c".into()] {
        let path = format!("/api/orders/generate/{path}");
        for method in ["POST", "GET", "PUT"] {
            let answer = stranger.send(method, &path, &[("Content-Type", FORM)], b"order=1");
            assert!(answer.status >= 400, "{method} {path}");
            assert_eq!(answer.body, "", "{method} {path}");
        }
    }
}

#[test]
fn a_generator_makes_at_most_500_codes_a_day() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    assert_eq!(
        shop.generate(FORM, "order=1&product=price_a&quantity=499")
            .status,
        200
    );
    let refused = shop.generate(FORM, "order=2&product=price_a&quantity=2");
    assert_eq!((refused.status, &*refused.body), (429, ""));
    assert_eq!(shop.generate(FORM, "order=3&product=price_a").status, 200);
    assert_eq!(shop.generate(FORM, "order=4&product=price_a").status, 429);
    assert_eq!(
        shop.generate(FORM, "order=3&product=price_a").status,
        200,
        "known before"
    );
    server.clock.turn(24 * 3600);
    assert_eq!(shop.generate(FORM, "order=4&product=price_a").status, 200);
}

#[test]
fn the_same_call_has_the_same_codes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = Server::with(|config| config.data_dir.clone_from(&data));
    let shop = Shop::new(&first, ShopKind::Generator);
    let call = "order=17&product=price_a&quantity=3";
    let (id, secret) = (shop.id, shop.secret.clone());
    let codes = shop.generate(FORM, call).body;
    drop(first);
    let server = Server::with(|config| config.data_dir.clone_from(&data));
    let shop = Shop {
        server: &server,
        kind: ShopKind::Generator,
        id,
        secret,
    };
    assert_eq!(shop.generate(FORM, call).body, codes);
    assert_eq!(shop.codes("17/price_a").len(), 3);
}

#[test]
fn a_call_that_failed_is_settled_by_the_next_one() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Generator);
    let failed = || server.service.failed_calls().unwrap().pop();
    for call in ["order=1&product=b", "order=2&product=b", "product=b"] {
        assert_eq!(shop.generate(FORM, call).status, 422);
    }
    assert_eq!(failed().map(|calls| calls.number), Some(3));
    shop.sells("b", "30");
    assert_eq!(shop.generate(FORM, "order=1&product=b").status, 200);
    assert_eq!(failed().map(|calls| calls.number), Some(2));
    let calls = shop.calls();
    let second = calls.iter().find(|call| call.body.contains("order=2"));
    let actor = crate::shops::actor();
    server
        .service
        .run_event(&actor, shop.id, second.unwrap().id)
        .unwrap();
    assert_eq!(failed().map(|calls| calls.number), Some(1));
    server.clock.turn(8 * 24 * 3600);
    assert_eq!(failed(), None);
}
