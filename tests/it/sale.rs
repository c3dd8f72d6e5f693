//! From the sale to the running program: a shop, customers with the real client and a real browser, and no admin.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use license_server::model::shops::{EventState, ShopKind};
use serde_json::json;
use time::Duration;

use crate::browser::Browser;
use crate::client_codes::{public_key, turn_to_now};
use crate::database::Database;
use crate::deploy::open_tunnel;
use crate::front::{Front, HOST, PUBLIC, Site};
use crate::guards::token;
use crate::python_client::{PUBLISHED_PROGRAM, customers};
use crate::server::{Client, Server};
use crate::shops::{Shop, session, stripe};
use crate::tools;

/// As in the documentation.
const TOOL: &str = "YourTool";

/// What a vendor writes around the lines from the documentation; here each computer has a machine ID and a name.
const BEFORE: &str = r#"
import sys
from license_client import LicenseClient, _Machine
server, key, folder, name = sys.argv[1:]
client = LicenseClient(server, 60, key, folder)
client._machine = _Machine(name, name, [name])
client._client_info = lambda: {"hostname": name}
"#;
const AFTER: &str = r#"print("running,", result.source)"#;

/// The program that `docs/clients.md` shows.
fn program() -> String {
    let docs = include_str!("../../docs/clients.md");
    let (_, chapter) = docs.split_once("\n## Activation codes\n").unwrap();
    let (_, sample) = chapter.split_once("```python\n").unwrap();
    let (sample, _) = sample.split_once("```").unwrap();
    assert!(sample.contains(TOOL));
    format!("{BEFORE}{sample}{AFTER}")
}

/// A computer on which the program runs or asks for something.
struct Computer {
    child: Child,
    screen: BufReader<ChildStdout>,
    keyboard: ChildStdin,
}

impl Computer {
    /// Starts the program, which reaches the server through nginx.
    fn start(python: &Path, site: &Site, name: &str) -> Computer {
        let url = format!("https://127.0.0.1:{}/licenseserver", site.tls);
        let folder = site.server().folder.path().join(name);
        let mut child = Command::new(python)
            .args(["-B", "-c", &program(), &url, &public_key(site.server())])
            .arg(folder)
            .arg(name)
            .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/static"))
            .env("SSL_CERT_FILE", site.folder.path().join("ca.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Computer {
            screen: BufReader::new(child.stdout.take().unwrap()),
            keyboard: child.stdin.take().unwrap(),
            child,
        }
    }

    /// The next line on its screen.
    fn shows(&mut self) -> String {
        let mut line = String::new();
        self.screen.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Enters the code, and shows what follows.
    fn enter(&mut self, code: &str) -> String {
        writeln!(self.keyboard, "{code}").unwrap();
        self.shows()
    }
}

impl Drop for Computer {
    fn drop(&mut self) {
        // It has ended unless it still asks for a code.
        drop(self.child.kill());
        self.child.wait().unwrap();
    }
}

/// A shop at this address, with a token that the admin made.
fn with_token(server: &Server, mut admin: Client, url: &str) -> Client {
    let day = (server.clock.now() + Duration::days(30)).date();
    let secret = token(&mut admin, "shop", "orders=true", &day.to_string());
    Client::new(url).header("Authorization", &format!("Bearer {secret}"))
}

/// The shop sells three seats, and gets the activation code.
fn sell(shop: &mut Client, order_ref: &str) -> String {
    let order = json!({"order_ref": order_ref, "customer": {"name": "Anna Berg", "email": "anna@example.com"},
        "items": [{"tool_name": TOOL, "seats": 3, "days": 365}]});
    let sold = shop.post("/api/orders", &order.to_string());
    assert_eq!(sold.status, 201, "{}", sold.body);
    let code = &sold.json()["codes"][0]["activation_code"];
    code.as_str().unwrap().to_owned()
}

/// Whoever did something since the first so many entries of the audit log.
fn actors_since(server: &Server, entries: usize) -> Vec<String> {
    let audit = Database::of(&server.folder.path().join("data")).audit();
    audit
        .into_iter()
        .skip(entries)
        .map(|entry| entry.who)
        .collect()
}

/// The row of this machine on the claim page: its button.
fn remove_button(browser: &Browser, name: &str) -> String {
    let id = browser.script(&format!(
        "const rows = [...document.querySelectorAll('.rows li')];
         return rows.find(row => row.textContent.includes('{name}')).querySelector('button').id"
    ));
    format!("#{}", id.as_str().unwrap())
}

#[test]
fn a_customer_with_four_computers_and_three_seats_needs_nobody() {
    // As of a host with a name and an address; the client has no other way to find this one.
    let names = format!("{HOST},IP:127.0.0.1");
    let (Some(python), Some(openssl)) =
        (tools::pythons().into_iter().next(), tools::find("openssl"))
    else {
        return;
    };
    let Some(site) = Site::with(Front::Nginx, &[], (&names, 90), |_| {}) else {
        return;
    };
    let Some(browser) = Browser::resolving(HOST, site.tls) else {
        return;
    };
    let server = site.server();
    turn_to_now(server);
    let tunnel = open_tunnel(openssl, site.tls, site.folder.path().join("ca.pem"));
    let url = format!("http://127.0.0.1:{tunnel}/licenseserver");
    let admin = server.admin().header("Origin", &format!("https://{HOST}"));
    let mut shop = with_token(server, admin, &url).header("Host", HOST);
    let before = actors_since(server, 0).len();

    let code = sell(&mut shop, "2026-17");
    for name in ["Office", "Laptop", "Workshop"] {
        let mut computer = Computer::start(&python, &site, name);
        assert_eq!(computer.shows(), "License key not found for this tool.");
        assert_eq!(computer.enter(&code), "Activation code: running, server");
        // A later start does not ask.
        assert_eq!(
            Computer::start(&python, &site, name).shows(),
            "running, lease"
        );
    }
    let mut fourth = Computer::start(&python, &site, "Fourth");
    fourth.shows();
    assert_eq!(
        fourth.enter(&code),
        "Activation code: All 3 seats of this activation code are in use."
    );

    // Within a second, names of computers are known to pages, too.
    server.tick().unwrap();
    browser.go(&format!("{PUBLIC}/claim?tool={TOOL}"));
    browser.fill("code", &code);
    browser.press("do=manage");
    browser.sees(".rows li:nth-child(3)");
    browser.click(&remove_button(&browser, "Laptop"));
    browser.sees("[role=status]");
    assert_eq!(fourth.enter(&code), "Activation code: running, server");

    let checked = ["Office", "Laptop", "Workshop", "Fourth"].map(|name| server.check(TOOL, name).0);
    assert_eq!(checked, [200, 404, 200, 200]);
    let codes = shop.get("/api/codes?order_ref=2026-17").json();
    assert_eq!(
        (&codes[0]["seats"], &codes[0]["seats_used"]),
        (&json!(3), &json!(3))
    );
    // Who did all this: the shop, and whoever has the code.
    let by_code = format!("activation code …{}", &code[15..]);
    let mut actors = actors_since(server, before);
    actors.retain(|who| *who != "token shop");
    assert_eq!(actors, vec![by_code; 5]);

    // After a refund the next code counts, once the lease is gone.
    assert_eq!(shop.post("/api/orders/2026-17/revoke", "{}").status, 200);
    let next = sell(&mut shop, "2026-18");
    std::fs::remove_dir_all(server.folder.path().join("Office")).unwrap();
    let mut office = Computer::start(&python, &site, "Office");
    assert_eq!(office.shows(), "License status is 'revoked'.");
    assert_eq!(office.enter(&next), "Activation code: running, server");
}

#[test]
fn a_program_that_knows_nothing_of_codes_runs_after_its_customer_was_on_the_claim_page() {
    let Some(browser) = Browser::start() else {
        return;
    };
    for customer in customers() {
        let server = Server::at("http://127.0.0.1/licenseserver");
        let program = PUBLISHED_PROGRAM
            .replace("{URL}", &server.url)
            .replace("{TOOL}", "Tool_A");
        std::fs::write(customer.folder.path().join("app.py"), program).unwrap();
        let mut shop = with_token(&server, server.admin(), &server.url);
        let stripe_shop = Shop::new(&server, ShopKind::Stripe);
        let before = actors_since(&server, 0).len();

        let paid = stripe(
            "evt_1",
            "checkout.session.completed",
            1,
            session("pi_1", "paid"),
        );
        assert_eq!(stripe_shop.tell(&paid), EventState::Done);
        let code = shop.get("/api/codes?order_ref=pi_1").json()[0]["activation_code"].clone();
        assert_eq!(customer.run(&["app.py"]).0, 1);

        browser.go(&format!("{}/claim?tool=Tool_A", server.url));
        browser.fill("code", code.as_str().unwrap());
        browser.fill("machine", &customer.machine_id());
        browser.press("do=check");
        browser.press("do=activate");
        browser.sees("[role=status]");
        let started = "License is valid. Starting main application...\n";
        assert_eq!(customer.run(&["app.py"]), (0, started.into()));
        assert!(!actors_since(&server, before).contains(&"admin".to_owned()));
    }
}
