//! Mails to a real mail server that refuses, delays and hangs up.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use license_server::config::{Config, SmtpSecurity};
use license_server::model::mail::{Mail, MailState};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::backup::backed_up;
use crate::database::Database;
use crate::deploy::free_port;
use crate::page::Page;
use crate::restore::restored;
use crate::server::Server;
use crate::tools;

const DAY: i64 = 24 * 60 * 60;

/// `tests/python/smtp_server.py` while it runs.
pub struct MailServer {
    child: Child,
    out: BufReader<ChildStdout>,
    pub port: u16,
    folder: TempDir,
}

impl MailServer {
    /// None where aiosmtpd is missing.
    pub fn start(arguments: &[&str]) -> Option<MailServer> {
        let python = tools::find("aiosmtpd")?.with_file_name("python3");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/smtp_server.py");
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder.path())
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        out.read_line(&mut port).unwrap();
        Some(MailServer {
            child,
            out,
            port: port.trim().parse().unwrap(),
            folder,
        })
    }

    /// The mails that it took, the first one first.
    pub fn taken(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.folder.path()).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let read = |file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        files.into_iter().map(read).collect()
    }

    /// Waits for the next mail.
    pub fn next(&mut self) -> Value {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn mailing(port: u16, change: impl FnOnce(&mut Config)) -> Server {
    Server::with(|config| {
        config.smtp_host = Some("127.0.0.1".to_owned());
        config.smtp_port = Some(port);
        config.smtp_security = SmtpSecurity::None;
        config.mail_from = Some("Acme Töols <licenses@example.com>".parse().unwrap());
        change(config);
    })
}

fn start() -> Option<(MailServer, Server)> {
    let mail = MailServer::start(&[])?;
    let server = mailing(mail.port, |_| {});
    Some((mail, server))
}

/// Sells two codes to a customer with that address.
fn sell(server: &Server, reference: &str, email: &str) {
    let order = json!({"order_ref": reference, "customer": {"name": "Änne Müller", "email": email},
        "items": [{"tool_name": "Tööl", "quantity": 2, "seats": 3, "days": 365}]});
    let answer = server.admin().post("/api/orders", &order.to_string());
    assert_eq!(answer.status, 201, "{}", answer.body);
}

/// Adds a license of a customer with that address.
fn license(server: &Server, key: &str, email: &str, last: Value) -> i64 {
    let id = server.add(
        json!({"tool_name": "T", "license_key": key, "user_id": "Bo Ek",
        "expiration_date": last}),
    );
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/customer?name=Bo+Ek").follow(&mut admin, "/edit");
    form.form("/edit").fill("email", email).submit(&mut admin);
    id
}

fn mails(server: &Server) -> Vec<Mail> {
    let mut all = server.service.mails(None, i64::MAX, 100).unwrap();
    all.reverse();
    all
}

fn states(server: &Server) -> Vec<MailState> {
    mails(server).iter().map(|mail| mail.state).collect()
}

fn later(server: &Server, seconds: i64) {
    server.clock.turn(seconds);
    server.tick().unwrap();
}

#[test]
fn a_customer_gets_the_codes_of_an_order_once() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "2026/17", "Anne@Example.com");
    sell_again(&server);
    server.tick().unwrap();
    later(&server, 60);
    let [taken] = &mail.taken()[..] else {
        panic!("{:?}", mail.taken());
    };
    let codes = server.admin().get("/api/orders/2026%2F17").json();
    let body = taken["body"].as_str().unwrap();
    for code in codes["codes"].as_array().unwrap() {
        assert!(
            body.contains(code["activation_code"].as_str().unwrap()),
            "{body}"
        );
    }
    for part in [
        "Änne Müller",
        "2026/17",
        "Tööl",
        "/claim?tool=T%C3%B6%C3%B6l",
    ] {
        assert!(body.contains(part), "{part} in {body}");
    }
    assert_eq!(taken["sender"], "licenses@example.com");
    assert_eq!(taken["recipients"], json!(["anne@example.com"]));
    let from = taken["headers"].as_array().unwrap().iter();
    let mut from = from.filter(|header| header[0] == "From");
    let from = from.next().unwrap()[1].as_str().unwrap().to_owned();
    assert!(from.contains("Acme Töols"), "{from}");
    assert_eq!(taken["message_id"], mails(&server)[0].message_id);
    assert!(taken["is_ascii"] == true && taken["longest"].as_i64() <= Some(998));
}

fn sell_again(server: &Server) {
    let order = json!({"order_ref": "2026/17",
        "customer": {"name": "Änne Müller", "email": "anne@example.com"},
        "items": [{"tool_name": "Tööl", "quantity": 2, "seats": 3, "days": 365}]});
    let answer = server.admin().post("/api/orders", &order.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn an_order_whose_address_is_corrected_is_mailed_there() {
    let Some((mut mail, server)) = start() else {
        return;
    };
    sell(&server, "2026/17", "ane@example.com");
    // The first one is still waiting, and no longer true.
    sell_again(&server);
    sell_again(&server);
    later(&server, 5);
    assert_eq!(mail.next()["recipients"], json!(["anne@example.com"]));
    assert_eq!(states(&server), [MailState::Dropped, MailState::Sent]);
}

#[test]
fn test_orders_and_orders_that_somebody_else_mails_are_not_mailed() {
    let Some((mail, server)) = start() else {
        return;
    };
    let order = json!({"order_ref": "1", "customer": {"email": "a@example.com"}, "test": true,
        "items": [{"tool_name": "T"}]});
    server.admin().post("/api/orders", &order.to_string());
    let off = mailing(mail.port, |config| config.mail_codes = false);
    sell(&off, "2", "a@example.com");
    assert!(mails(&server).is_empty() && mails(&off).is_empty());
}

#[test]
fn a_mail_that_is_not_taken_now_waits_and_stays_the_same_mail() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "grey@example.com");
    server.tick().unwrap();
    let first = mails(&server).remove(0);
    assert_eq!(first.state, MailState::Waiting);
    assert!(first.error.contains("Greylisted"), "{}", first.error);
    later(&server, 30);
    assert_eq!(states(&server), [MailState::Waiting]);
    later(&server, 30);
    assert_eq!(states(&server), [MailState::Sent]);
    assert_eq!(mail.taken()[0]["message_id"], first.message_id);
}

#[test]
fn after_three_days_a_mail_has_failed() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "busy@example.com");
    sell(&server, "2", "no.data@example.com");
    let mut attempts = 0;
    for _ in 0..72 {
        assert_eq!(states(&server), [MailState::Waiting; 2]);
        later(&server, 60 * 60);
        attempts += 1;
    }
    assert_eq!(states(&server), [MailState::Failed; 2]);
    let made = mails(&server)[0].attempts;
    assert!((15..attempts).contains(&made), "{made}");
    assert!(mail.taken().is_empty());
}

#[test]
fn a_refusal_is_shown_in_the_words_of_the_mail_server() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "unknown@example.com");
    sell(&server, "2", "spam@example.com");
    sell(&server, "3", "anne@example.com");
    server.tick().unwrap();
    let states = states(&server);
    assert_eq!(
        states,
        [MailState::Failed, MailState::Failed, MailState::Sent]
    );
    assert_eq!(mail.taken().len(), 1);
    let mut admin = server.admin();
    assert_eq!(Page::open(&mut admin, "/").texts("#mails").len(), 1);
    let page = Page::open(&mut admin, "/mail?state=failed");
    assert!(page.text().contains("550 5.1.1 No such user here"));
    assert!(page.text().contains("554 5.7.1 Looks like spam"));
    let one = page.follow(&mut admin, "/mail/1");
    let one = one.form("/again").submit(&mut admin);
    server.tick().unwrap();
    assert_eq!(mails(&server)[0].attempts, 1);
    one.form("/drop").submit(&mut admin);
    Page::open(&mut admin, "/mail/2")
        .form("/drop")
        .submit(&mut admin);
    assert!(Page::open(&mut admin, "/").texts("#mails").is_empty());
}

#[test]
fn of_a_refused_sign_in_neither_the_password_nor_more_than_300_characters_are_kept() {
    let Some(mail) = MailServer::start(&["--login", "anna:right"]) else {
        return;
    };
    for (user, is_repeated) in [("repeated", true), ("long", false)] {
        let server = mailing(mail.port, |config| {
            config.smtp_user = Some(user.to_owned());
            config.smtp_password = Some("quiet-herons".to_owned());
        });
        sell(&server, "1", "anne@example.com");
        server.tick().unwrap();
        let error = &mails(&server)[0].error;
        assert!(error.starts_with("535 "), "{error}");
        assert!(!error.contains(char::is_control) && !error.contains("AUTH"));
        assert_eq!(error.contains("Wrong password"), !is_repeated, "{error}");
        assert_eq!(error.len() == 300, !is_repeated, "{error}");
    }
}

#[test]
fn a_connection_that_is_cut_loses_no_mail_and_doubles_none_by_itself() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "cut.before@example.com");
    sell(&server, "2", "cut.during@example.com");
    sell(&server, "3", "cut.after@example.com");
    sell(&server, "4", "anne@example.com");
    server.tick().unwrap();
    later(&server, DAY);
    use MailState::{Sent, Uncertain, Waiting};
    assert_eq!(states(&server), [Waiting, Uncertain, Uncertain, Sent]);
    let recipients = |mail: &MailServer| {
        let taken = mail.taken().into_iter();
        taken
            .map(|mail| mail["recipients"][0].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        recipients(&mail),
        ["cut.after@example.com", "anne@example.com"]
    );
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/mail/3");
    page.form("/again").submit(&mut admin);
    server.tick().unwrap();
    let taken = mail.taken();
    assert_eq!(
        (taken.len(), &taken[2]["message_id"]),
        (3, &taken[0]["message_id"])
    );
}

#[test]
fn a_mail_server_that_closes_the_connection_gets_the_rest_over_another() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "closing@example.com");
    sell(&server, "2", "anne@example.com");
    server.tick().unwrap();
    assert_eq!(states(&server), [MailState::Waiting, MailState::Sent]);
    later(&server, 60);
    assert_eq!(mail.taken().len(), 2);
}

#[test]
fn mails_wait_for_a_mail_server_that_is_off() {
    let port = free_port();
    let server = mailing(port, |_| {});
    sell(&server, "1", "anne@example.com");
    sell(&server, "2", "bo@example.com");
    server.tick().unwrap();
    assert_eq!(states(&server), [MailState::Waiting; 2]);
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/mail");
    assert!(page.texts("dd .mark.revoked").len() == 1, "{}", page.text());
    let Some(mail) = MailServer::start(&["--port", &port.to_string()]) else {
        return;
    };
    later(&server, 60);
    assert_eq!(mail.taken().len(), 2);
    let page = Page::open(&mut admin, "/mail");
    assert!(page.texts("dd .mark.revoked").is_empty());
}

/// After a kill nobody knows what became of a mail whose text was on its way.
#[test]
fn a_mail_is_uncertain_from_the_moment_when_its_text_is_on_its_way() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "cut.before@example.com");
    server.tick().unwrap();
    let database = Database::of_server(&server);
    database.break_down("update of state on mails", "new.state = 'sent'");
    sell(&server, "2", "anne@example.com");
    server.tick().unwrap_err();
    database.mend();
    let taken = mail.taken().len();
    later(&server, DAY);
    assert_eq!(
        (mail.taken().len(), states(&server)[1]),
        (taken, MailState::Uncertain)
    );
    assert_eq!(taken, 1);
}

#[test]
fn customers_are_reminded_on_three_days() {
    let Some((mail, server)) = start() else {
        return;
    };
    license(&server, "k1", "bo@example.com", json!("2026-07-25"));
    server.license("T", "nobody's");
    let mut days = vec![];
    for day in 0..45 {
        later(&server, DAY);
        later(&server, 60);
        for _ in days.len()..mail.taken().len() {
            days.push(40 - day - 1);
        }
    }
    assert_eq!(days, [30, 7, 1]);
    let taken = mail.taken();
    assert!(taken[1]["subject"].as_str().unwrap().contains("7 days"));
    assert!(taken[1]["body"].as_str().unwrap().contains("2026-07-25"));
}

#[test]
fn one_reminder_names_all_licenses_and_the_language_is_the_customers() {
    let Some((mail, server)) = start() else {
        return;
    };
    for (key, last) in [
        ("k1", "2026-06-22"),
        ("k2", "2026-07-15"),
        ("k3", "2026-07-10"),
    ] {
        license(&server, key, "bo@example.com", json!(last));
    }
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/customer?name=Bo+Ek").follow(&mut admin, "/edit");
    form.form("/edit").fill("language", "de").submit(&mut admin);
    // They were added long ago.
    let database = Database::of_server(&server);
    database.tamper("update licenses set created_at = created_at - 40000000");
    server.tick().unwrap();
    let taken = mail.taken();
    let body = taken[0]["body"].as_str().unwrap();
    assert!(
        body.contains("k1") && body.contains("k2") && !body.contains("k3"),
        "{body}"
    );
    assert!(
        body.contains("22.06.2026") && body.contains("15.07.2026"),
        "{body}"
    );
    assert_eq!(taken.len(), 1);
}

#[test]
fn what_has_changed_meanwhile_is_not_mailed() {
    let port = free_port();
    let server = mailing(port, |_| {});
    let renewed = license(&server, "k1", "bo@example.com", json!("2026-07-25"));
    let kept = license(&server, "k2", "bo@example.com", json!("2026-07-25"));
    later(&server, 10 * DAY);
    assert_eq!(states(&server), [MailState::Waiting]);
    let mut admin = server.admin();
    let fields = json!({"expiration_date": "2027-07-25"}).to_string();
    admin.patch(&format!("/api/licenses/{renewed}"), &fields);
    let Some(mail) = MailServer::start(&["--port", &port.to_string()]) else {
        return;
    };
    later(&server, 60);
    let body = mail.taken()[0]["body"].as_str().unwrap().to_owned();
    assert!(body.contains("k2") && !body.contains("k1"), "{body}");
    // Seven days before, but the license is suspended until the mail could be sent.
    drop(mail);
    later(&server, 23 * DAY);
    assert_eq!(states(&server)[1], MailState::Waiting);
    let fields = json!({"status": "suspended"}).to_string();
    server
        .admin()
        .patch(&format!("/api/licenses/{kept}"), &fields);
    let mail = MailServer::start(&["--port", &port.to_string()]).unwrap();
    later(&server, 60);
    assert_eq!(states(&server)[1], MailState::Dropped);
    assert!(mail.taken().is_empty());
}

#[test]
fn a_mail_that_waits_in_a_backup_may_have_been_sent_later() {
    let server = mailing(free_port(), |_| {});
    sell(&server, "1", "anne@example.com");
    let restored = restored(&backed_up(&server, "backup.db"), &server.clock);
    assert_eq!(states(&restored), [MailState::Uncertain]);
}

#[test]
fn a_moved_license_is_mailed_unless_the_move_was_undone() {
    let port = free_port();
    let server = mailing(port, |_| {});
    let one = license(&server, "k1", "bo@example.com", Value::Null);
    let other = license(&server, "k2", "bo@example.com", Value::Null);
    let mut admin = server.admin();
    for (id, key) in [(one, "n1"), (other, "n2")] {
        let form = Page::open(&mut admin, &format!("/licenses/{id}/move"));
        let page = form
            .form("/move")
            .fill("license_key", key)
            .submit(&mut admin);
        if key == "n2" {
            page.form("/undo").submit(&mut admin);
        }
    }
    let Some(mail) = MailServer::start(&["--port", &port.to_string()]) else {
        return;
    };
    server.tick().unwrap();
    assert_eq!(states(&server), [MailState::Sent, MailState::Dropped]);
    let body = mail.taken()[0]["body"].as_str().unwrap().to_owned();
    assert!(body.contains("k1") && body.contains("n1"), "{body}");
    let page = Page::open(&mut admin, &format!("/licenses/{one}"));
    assert!(page.has_link("/mail/1"));
}

#[test]
fn an_erased_customer_gets_no_mail_and_leaves_no_address() {
    let server = mailing(free_port(), |_| {});
    sell(&server, "1", "anne@example.com");
    let mut admin = server.admin();
    let page = Page::open(&mut admin, "/customers?q=anne").follow(&mut admin, "/customers/");
    let form = page.follow(&mut admin, "/erase");
    let name = "Änne Müller";
    form.form("/erase").fill("name", name).submit(&mut admin);
    let rows = Database::of(&server.folder.path().join("data")).rows();
    assert!(!rows.iter().any(|row| row.contains("anne@example.com")));
    assert_eq!(states(&server), [MailState::Dropped]);
    let page = Page::open(&mut admin, "/mail/1");
    assert!(!page.has_form("/again"));
}

#[test]
fn dots_long_lines_and_letters_arrive_as_they_were_written() {
    let Some((mail, server)) = start() else {
        return;
    };
    let long = "ö".repeat(2_000);
    let body = format!(".\n..\n.x\nFrom me\n{long}\n{{{{ customer }}}}\n.\nend");
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/mail/texts/edit?event=codes&language=en");
    let form = form.form("/mail/texts/edit");
    let page = form
        .fill("subject", "Käufe für {{ customer }}: ½ „so“ – 10 €")
        .fill("body", &body)
        .press(&mut admin, "do=save");
    assert!(page.flash().is_some(), "{}", page.text());
    sell(&server, "1", "anne@example.com");
    server.tick().unwrap();
    let taken = mail.taken();
    let expected = format!(".\n..\n.x\nFrom me\n{long}\nÄnne Müller\n.\nend\n");
    assert_eq!(taken[0]["body"], expected);
    assert_eq!(taken[0]["subject"], "Käufe für Änne Müller: ½ „so“ – 10 €");
    assert!(taken[0]["longest"].as_i64() <= Some(998));
}

#[test]
fn a_text_that_cannot_be_rendered_is_refused_with_its_line() {
    let Some((mail, server)) = start() else {
        return;
    };
    let mut admin = server.admin();
    let open = |admin: &mut _| {
        let path = "/mail/texts/edit?event=codes&language=en&tool=T";
        Page::open(admin, path).form("/mail/texts/edit")
    };
    server.license("T", "k");
    let broken = open(&mut admin).fill("body", "one\ntwo {{ nothing }}");
    let page = broken.press(&mut admin, "do=save");
    assert!(
        page.problem("body").unwrap().contains("Line 2"),
        "{}",
        page.text()
    );
    assert_eq!(
        page.form("/mail/texts/edit").value("body"),
        "one\ntwo {{ nothing }}"
    );
    let good = open(&mut admin)
        .fill("subject", "Mine")
        .fill("body", "Dear {{ customer }}");
    let page = good.press(&mut admin, "do=preview");
    assert!(page.text().contains("Dear Anna"), "{}", page.text());
    good.press(&mut admin, "do=save");
    let order = json!({"order_ref": "1", "customer": {"name": "Bo", "email": "bo@example.com"},
        "items": [{"tool_name": "T"}]});
    admin.post("/api/orders", &order.to_string());
    let address = "/mail/texts/reset?event=codes&language=en&tool=T";
    let question = Page::open(&mut admin, address);
    assert!(question.text().contains("Dear {{ customer }}"));
    question.form("/mail/texts/reset").submit(&mut admin);
    server.tick().unwrap();
    // What was changed before it was sent counts, too.
    assert_ne!(mail.taken()[0]["subject"], "Mine");
    let page = Page::open(&mut admin, "/audit?kind=mail+text+changed");
    assert_eq!(page.rows().len(), 2);
}

#[test]
fn a_text_that_fails_in_a_mail_is_pointed_out_until_it_is_fixed() {
    let server = mailing(1, |_| {});
    let mut admin = server.admin();
    server.license("T", "k");
    let path = "/mail/texts/edit?event=codes&language=en&tool=";
    let text = "Hello {% for code in codes %}{% if code.days == 0 %}{{ nothing.here }}{% endif %}{% endfor %}";
    let form = Page::open(&mut admin, path).form("/mail/texts/edit");
    let form = form.fill("subject", "Mine").fill("body", text);
    assert_eq!(form.press(&mut admin, "do=save").status, 200);
    let is_pointed_out = |admin: &mut _| {
        let marks = Page::open(admin, "/mail/texts").texts("tbody .mark");
        let overview = Page::open(admin, "/").has_link("/mail/texts");
        assert_eq!(overview, marks == ["failed"]);
        overview
    };
    for (days, is_ours) in [(Some(365), true), (None, false)] {
        assert!(!is_pointed_out(&mut admin));
        let order = json!({"order_ref": format!("{days:?}"), "customer": {"email": "bo@example.com"},
            "items": [{"tool_name": "T", "days": days}]});
        assert_eq!(admin.post("/api/orders", &order.to_string()).status, 201);
        assert_eq!(mails(&server).pop().unwrap().subject == "Mine", is_ours);
    }
    assert!(is_pointed_out(&mut admin));
    let form = Page::open(&mut admin, path).form("/mail/texts/edit");
    form.fill("body", "Hello").press(&mut admin, "do=save");
    assert!(!is_pointed_out(&mut admin));
}

#[test]
fn no_name_can_add_a_header() {
    let Some((mail, server)) = start() else {
        return;
    };
    let order = |name: &str, email: &str| {
        json!({"order_ref": "1", "customer": {"name": name, "email": email},
            "items": [{"tool_name": "T"}]})
        .to_string()
    };
    let mut admin = server.admin();
    for (name, email) in [
        ("A\r\nBcc: x@example.com", "a@example.com"),
        ("A", "a@example.com\r\nBcc: x@example.com"),
        ("A", "a@example.com, x@example.com"),
    ] {
        let answer = admin.post("/api/orders", &order(name, email));
        assert_eq!(answer.status, 422, "{}", answer.body);
    }
    let answer = admin.post("/api/orders", &order("Bcc: x@example.com", "a@example.com"));
    assert_eq!(answer.status, 201);
    server.tick().unwrap();
    assert_eq!(mail.taken()[0]["recipients"], json!(["a@example.com"]));
}

#[test]
fn the_vendor_gets_a_digest_each_monday() {
    let Some(mail) = MailServer::start(&[]) else {
        return;
    };
    let server = mailing(mail.port, |config| {
        config.digest_to = Some("vendor@example.com".to_owned());
    });
    server.add(json!({"tool_name": "T", "license_key": "k", "expiration_date": "2026-07-10"}));
    server.check("T", "unlicensed");
    // Installed on a Monday; the server is off on the third one.
    for day in (0..14).chain(16..22) {
        server.tick().unwrap();
        assert_eq!(mail.taken().len(), day / 7, "{day}");
        server.clock.turn(if day == 13 { 3 * DAY } else { DAY });
    }
    let taken = mail.taken().remove(0);
    assert_eq!(taken["recipients"], json!(["vendor@example.com"]));
    assert!(taken["body"].as_str().unwrap().contains("2026-07-10"));
    let page = Page::open(&mut server.admin(), "/digest");
    assert!(page.text().contains("T"), "{}", page.text());
}

#[test]
fn a_code_is_sent_from_its_page_however_often() {
    let Some((mail, server)) = start() else {
        return;
    };
    sell(&server, "1", "anne@example.com");
    let mut admin = server.admin();
    let code = server.service.mail(1).unwrap().1[0].code_id.unwrap();
    for _ in 0..2 {
        let page = Page::open(&mut admin, &format!("/codes/{code}"));
        page.form("/mail").submit(&mut admin);
    }
    server.tick().unwrap();
    assert_eq!(mail.taken().len(), 3);
    let metrics = admin.get("/metrics").body;
    assert!(
        metrics.contains("license_server_mails{state=\"sent\"} 3"),
        "{metrics}"
    );
}

#[test]
fn without_a_mail_server_mails_are_links() {
    let server = Server::start();
    sell(&server, "1", "anne@example.com");
    let id = license(&server, "k1", "bo@example.com", json!("2026-07-01"));
    let mut admin = server.admin();
    let page = Page::open(&mut admin, &format!("/licenses/{id}"));
    let link = page.link("mailto:bo@example.com?subject=").unwrap();
    assert!(link.contains("2026-07-01"), "{link}");
    let page = Page::open(&mut admin, &format!("/licenses/{id}/move"));
    let page = page
        .form("/move")
        .fill("license_key", "k2")
        .submit(&mut admin);
    let link = page.links().into_iter().map(|(_, to)| to);
    let link = link
        .filter(|to| to.contains("k1"))
        .find(|to| to.starts_with("mailto:"));
    assert!(link.is_some_and(|link| link.contains("k2")));
    assert!(mails(&server).is_empty());
    assert_eq!(Page::open(&mut admin, "/mail").status, 200);
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let refusal = |settings: &[(&str, &str)]| {
        let all = settings.iter();
        let all = all.map(|(name, value)| {
            (
                format!("LICENSE_SERVER_{}", name.to_uppercase()),
                (*value).to_owned(),
            )
        });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("empty.toml");
        std::fs::write(&file, "").unwrap();
        Config::load(Some(&file), all)
            .err()
            .map(|refusal| refusal.0)
    };
    let host = ("smtp_host", "smtp.example.com");
    let from = ("mail_from", "Acme <licenses@example.com>");
    assert_eq!(refusal(&[host, from]), None);
    assert_eq!(
        refusal(&[("smtp_host", "::1"), from, ("smtp_security", "none")]),
        None
    );
    for (settings, named) in [
        (vec![host], "mail_from"),
        (vec![host, from, ("smtp_security", "none")], "smtp_security"),
        (vec![host, from, ("smtp_user", "u")], "smtp_password"),
        (vec![host, from, ("smtp_password", "p")], "smtp_user"),
        (
            vec![host, from, ("smtp_password_file", "/nowhere")],
            "/nowhere",
        ),
        (vec![("mail_from", "Acme")], "mail_from"),
        (vec![("mail_from", "A\nB <a@example.com>")], "mail_from"),
        (vec![("reminder_days", "30, x")], "reminder_days"),
    ] {
        let words = refusal(&settings).unwrap_or_default();
        assert!(words.contains(named), "{settings:?}: {words}");
    }
}
