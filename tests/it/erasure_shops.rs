//! What shops tell of a person who was erased: before, and after.

use license_server::model::shops::{EventState, ShopKind};
use serde_json::{Value, json};

use crate::customers::page_of;
use crate::erasure::{erase, found};
use crate::server::Server;
use crate::shops::{FORM, Shop, charge, session, stripe, subscription};

const NAME: &str = "Jürgen Großauer";
const EMAIL: &str = "quirin@sub.example";

fn erased(server: &Server) {
    let mut admin = server.admin();
    let customer = page_of(&mut admin, NAME);
    assert_eq!(erase(&mut admin, &customer, NAME).status, 200);
}

/// With name and address of the person.
fn named(mut object: Value) -> Value {
    let named = json!({"name": NAME, "email": EMAIL});
    object["customer_details"] = named.clone();
    object["billing_details"] = named;
    object["customer"] = json!("cus_1");
    object
}

fn invoice(number: i64) -> Value {
    named(
        json!({"id": format!("in_{number}"), "subscription": "sub_1", "billing_reason": "subscription_cycle",
        "payment_intent": format!("pi_{number}"), "customer_email": EMAIL}),
    )
}

#[test]
fn no_event_of_a_shop_brings_an_erased_person_back() {
    let server = Server::start();
    let shop = Shop::new(&server, ShopKind::Stripe);
    let mut number = 0;
    let mut tell = |kind: &str, object: Value| {
        number += 1;
        shop.tell(&stripe(&format!("evt_{number}"), kind, number, object))
    };
    let paid = "checkout.session.completed";
    tell(paid, named(session("pi_1", "paid")));
    tell(paid, named(subscription("sub_1")));
    tell("invoice.paid", invoice(2));
    tell(
        "payment_method.attached",
        json!({"id": "pm_1", "customer": "cus_1", "phone": "0170 5557788"}),
    );
    let texts = [NAME, EMAIL, "0170 5557788"];
    assert_eq!(found(&server, &texts), texts);
    erased(&server);
    let nothing = Vec::<String>::new();
    assert_eq!(found(&server, &texts), nothing);
    let intent = |payment: &str| named(json!({"id": payment, "receipt_email": EMAIL}));
    let (done, ignored) = (EventState::Done, EventState::Ignored);
    let events = [
        ("charge.refunded", named(charge("pi_1", 100)), ignored),
        ("payment_intent.succeeded", intent("pi_1"), ignored),
        (
            "customer.updated",
            json!({"id": "cus_1", "name": NAME, "phone": "0170 5557788"}),
            ignored,
        ),
        // Before its invoice.
        (
            "charge.refunded",
            named(charge("pi_3", 4900)),
            EventState::Waiting,
        ),
        ("invoice.paid", invoice(3), done),
        ("invoice.paid", invoice(4), done),
        ("payment_intent.succeeded", intent("pi_4"), ignored),
        ("charge.refunded", named(charge("pi_4", 100)), ignored),
        ("charge.refunded", named(charge("pi_4", 4900)), done),
        ("charge.refunded", named(charge("pi_2", 4900)), done),
        ("charge.refunded", named(charge("pi_1", 4900)), done),
    ];
    for (kind, object, state) in events {
        assert_eq!(tell(kind, object.clone()), state, "{object}");
        assert_eq!(found(&server, &texts), nothing, "{object}");
    }
    assert_eq!(
        shop.calls()
            .iter()
            .filter(|call| !call.body.is_empty())
            .count(),
        0
    );
    let order = server.admin().get("/api/orders/pi_1").json();
    assert_eq!(order["codes"][0]["status"], "revoked");
    // Who buys again is a customer again.
    tell(paid, named(session("pi_9", "paid")));
    tell("payment_intent.succeeded", intent("pi_9"));
    assert_eq!(shop.codes("pi_9")[0]["customer"], NAME);
    assert!(
        shop.calls()
            .iter()
            .all(|call| call.reference != "pi_9" || call.body.contains(NAME))
    );
    assert!(shop.calls()[0].body.contains(EMAIL));
}

#[test]
fn a_call_that_waits_or_failed_is_known_however_it_is_written() {
    let server = Server::start();
    let (asking, shop) = (
        Shop::new(&server, ShopKind::Generator),
        Shop::new(&server, ShopKind::Stripe),
    );
    let mut bought = session("pi_1", "paid");
    bought["customer_details"] = json!({"name": NAME, "email": null});
    shop.tell(&stripe("evt_0", "checkout.session.completed", 0, bought));
    for (at, name) in [
        "J\u{dc}RGEN GROSSAUER",
        "Ju\u{308}rgen Gro\u{df}auer",
        " j\u{fc}rgen  gro\u{df}auer",
    ]
    .iter()
    .enumerate()
    {
        let mut waiting = charge(&format!("pi_wait{at}"), 4900);
        waiting["billing_details"] = json!({"name": name});
        let event = stripe(&format!("evt_w{at}"), "charge.refunded", 0, waiting);
        assert_eq!(shop.tell(&event), EventState::Waiting);
    }
    let latin = asking.generate(FORM, "order=1&product=none&name=J%FCrgen+Gro%DFauer");
    assert_ne!(latin.status, 200);
    let ours = |shop: &Shop| {
        shop.calls()
            .iter()
            .filter(|call| !call.body.is_empty())
            .count()
    };
    assert_eq!((ours(&shop), ours(&asking)), (4, 1));
    erased(&server);
    assert_eq!((ours(&shop), ours(&asking)), (0, 0));
}
