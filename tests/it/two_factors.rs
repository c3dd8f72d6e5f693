//! Second factors, and the password that is asked for again.

use totp_rs::{Builder, Secret, Totp};

use crate::browser::Browser;
use crate::page::{Page, urlencoded};
use crate::people::{add_person, sign_in_as};
use crate::server::{Answer, Client, PASSWORD, Server};

const STEP: i64 = 30;
const REFUSED: (u16, &str) = (401, r#"{"status":"error","message":"Invalid credentials"}"#);

/// An authenticator app.
pub struct App(Totp);

impl App {
    fn with(secret: &str) -> App {
        let secret = Secret::try_from_base32(secret.replace(' ', "")).unwrap();
        App(Builder::new().with_secret(secret).build().unwrap())
    }

    /// On a telephone whose clock is so many seconds ahead.
    pub fn code(&self, server: &Server, ahead: i64) -> String {
        let now = server.clock.now().unix_timestamp() + ahead;
        self.0.generate(now as u64).to_string()
    }
}

/// Begins on the account page.
fn begin(client: &mut Client) -> Page {
    let form = Page::open(client, "/account").form("/account/factor");
    form.fill("password", PASSWORD).submit(client)
}

/// Sets up a second factor, and returns the recovery codes, too.
pub fn set_up(server: &Server, client: &mut Client) -> (App, Vec<String>) {
    let page = begin(client);
    let app = App::with(&page.texts(".pick").concat());
    let form = page.form("/account/factor/set-up");
    let done = form.fill("code", &app.code(server, 0)).submit(client);
    assert_eq!(done.status, 200, "{}", done.text());
    let codes = done.texts(".secret pre").concat();
    let codes: Vec<String> = codes.split(' ').map(str::to_owned).collect();
    assert_eq!(codes.len(), 10);
    // The code that was entered is used up.
    server.clock.turn(STEP);
    (app, codes)
}

/// With this password and code, on the account page.
pub fn remove(client: &mut Client, password: &str, code: &str) -> Page {
    let form = Page::open(client, "/account").form("/account/factor/change");
    let form = form.fill("password", password).fill("code", code);
    form.press(client, "do=remove")
}

/// A server whose admin has a second factor, with her browser.
fn guarded() -> (Server, Client, App, Vec<String>) {
    let server = Server::start();
    let mut admin = server.admin();
    let (app, codes) = set_up(&server, &mut admin);
    (server, admin, app, codes)
}

/// Over the API.
fn log_in(client: &mut Client, code: &str) -> Answer {
    let body = serde_json::json!({"username": "admin", "password": PASSWORD, "otp": code});
    client.post("/api/login", &body.to_string())
}

/// On the page: name and password.
fn first_step(client: &mut Client, name: &str) -> Page {
    let form = Page::open(client, "/login").form("/login");
    let form = form.fill("username", name).fill("password", PASSWORD);
    form.submit(client)
}

fn second_step(client: &mut Client, page: &Page, code: &str) -> Page {
    page.form("/login").fill("code", code).submit(client)
}

fn is_in(client: &mut Client) -> bool {
    client.get("/api/licenses").status == 200
}

fn audited(server: &Server, kind: &str) -> Vec<String> {
    server.service.write_notes(true).unwrap();
    let filter = license_server::model::audit::AuditFilter {
        kind: license_server::model::audit::Kind::from_word(kind),
        ..Default::default()
    };
    assert!(filter.kind.is_some(), "{kind}");
    let entries = server.service.audit(&filter, i64::MAX, 50).unwrap();
    entries.iter().map(|entry| format!("{entry:?}")).collect()
}

#[test]
fn a_stolen_password_alone_gets_nothing() {
    let (server, ..) = guarded();
    let mut thief = server.stranger();
    let body = serde_json::json!({"username": "admin", "password": PASSWORD});
    let answer = thief.post("/api/login", &body.to_string());
    assert_eq!((answer.status, answer.body.as_str()), REFUSED);
    assert_eq!(answer.header("set-cookie"), "");
    let answer = log_in(&mut thief, "000000");
    assert_eq!((answer.status, answer.body.as_str()), REFUSED);
    let page = first_step(&mut thief, "admin");
    assert_eq!((page.status, page.path.as_str()), (200, "/login"));
    assert!(!thief.cookies.contains_key("license_session"));
    for code in ["", "000000", "aaaa-bbbb-cccc-dddd"] {
        let form = page.form("/login").set("code", code);
        let body = format!("code={code}&next={}", form.value("next"));
        assert_eq!(form.send(&mut thief, body.as_bytes()).status, 401);
    }
    assert!(!is_in(&mut thief));
    assert_eq!(thief.get("/licenses").status, 303);
    assert!(audited(&server, "second factor failed")[0].contains("127.0.0.1"));
    assert!(audited(&server, "sign-in failed").is_empty());
    // After 400 days without the details.
    server.clock.turn(401 * 24 * 3_600);
    server.service.keep_audit().unwrap();
    let kept = audited(&server, "second factor failed").concat();
    assert!(!kept.is_empty() && !kept.contains("127.0.0.1"), "{kept}");
    server.service.verify_audit(None).ok().unwrap();
}

#[test]
fn a_code_works_once() {
    let (server, _, app, _) = guarded();
    server.clock.turn(-STEP);
    // That of setting up.
    assert_eq!(
        log_in(&mut server.stranger(), &app.code(&server, 0)).status,
        401
    );
    server.clock.turn(STEP);
    let code = app.code(&server, 0);
    let mut on_page = server.stranger();
    let page = first_step(&mut on_page, "admin");
    let spaced = format!(" {} {}", &code[..3], &code[3..]);
    assert_eq!(second_step(&mut on_page, &page, &spaced).path, "/");
    assert!(is_in(&mut on_page));
    assert_eq!(log_in(&mut server.stranger(), &code).status, 401);
    // The one before, which was not used, is older.
    let older = app.code(&server, -STEP);
    assert_eq!(log_in(&mut server.stranger(), &older).status, 401);
    let newer = app.code(&server, STEP);
    assert_eq!(log_in(&mut server.stranger(), &newer).status, 200);
    let entries = audited(&server, "signed in").concat();
    assert!(entries.contains("password and code"), "{entries}");
}

#[test]
fn of_eight_who_send_one_code_at_once_one_gets_in() {
    let (server, _, app, codes) = guarded();
    for code in [&app.code(&server, 0), &codes[0]] {
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let sign_in = || log_in(&mut server.stranger(), code).status;
            let all: Vec<_> = (0..8).map(|_| scope.spawn(sign_in)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let inside = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(inside, 1, "{statuses:?}");
        server.clock.turn(3_600);
    }
}

#[test]
fn a_clock_may_be_wrong_by_30_seconds_and_not_by_90() {
    let (server, _, app, _) = guarded();
    for (ahead, expected) in [(30, 200), (-30, 200), (90, 401), (-90, 401)] {
        server.clock.turn(600);
        let code = app.code(&server, ahead);
        let answer = log_in(&mut server.stranger(), &code);
        assert_eq!(answer.status, expected, "{ahead}");
    }
}

#[test]
fn a_thousand_guesses_find_nothing_and_keep_nobody_out_of_a_known_browser() {
    let (server, mut admin, app, _) = guarded();
    assert_eq!(log_in(&mut admin, &app.code(&server, 0)).status, 200);
    let mut thief = server.stranger();
    let page = first_step(&mut thief, "admin");
    let right = [-STEP, 0, STEP].map(|ahead| app.code(&server, ahead));
    let guesses = (0..).map(|n| format!("{n:06}"));
    let guesses = guesses.filter(|code| !right.contains(code)).take(1_000);
    let mut heard = vec![];
    for code in guesses {
        heard.push(second_step(&mut thief, &page, &code).status);
    }
    assert_eq!(heard.iter().filter(|status| **status == 401).count(), 10);
    assert_eq!(heard.iter().filter(|status| **status == 429).count(), 990);
    // Not even with the right one, also over the API, where it looks like a wrong password.
    let newer = app.code(&server, STEP);
    assert_eq!(second_step(&mut thief, &page, &newer).status, 429);
    let answer = log_in(&mut server.stranger(), &newer);
    assert_eq!((answer.status, answer.body.as_str()), REFUSED);
    let mut owner = server.stranger();
    let device = admin.cookies["license_device"].clone();
    owner.cookies.insert("license_device".into(), device);
    let page = first_step(&mut owner, "admin");
    assert_eq!(second_step(&mut owner, &page, &newer).path, "/");
    // An hour later two more guesses are heard.
    server.clock.turn(3_600);
    let page = first_step(&mut thief, "admin");
    let later = (0..5).map(|_| second_step(&mut thief, &page, "abc").status);
    assert_eq!(later.collect::<Vec<_>>(), [401, 401, 429, 429, 429]);
}

#[test]
fn a_wrong_password_gets_the_same_answer_with_a_factor_and_without() {
    let (server, ..) = guarded();
    add_person(&server, "anna", "staff");
    let page = |name: &str| {
        let mut client = server.stranger();
        let form = Page::open(&mut client, "/login").form("/login");
        let form = form.fill("username", name).fill("password", "wrong");
        let page = form.submit(&mut client);
        (page.status, page.alert(), client.cookies.len())
    };
    assert_eq!(page("admin"), page("anna"));
}

#[test]
fn a_recovery_code_works_once_however_it_is_typed() {
    let (server, mut admin, app, codes) = guarded();
    let typed = codes[3].to_uppercase().replace('-', " ");
    let mut client = server.stranger();
    let page = first_step(&mut client, "admin");
    assert_eq!(second_step(&mut client, &page, &typed).path, "/");
    assert_eq!(log_in(&mut server.stranger(), &codes[3]).status, 401);
    assert_eq!(log_in(&mut server.stranger(), &codes[4]).status, 200);
    assert_eq!(audited(&server, "recovery code used").len(), 2);
    // Made anew, with a code of the app.
    let change = |admin: &mut Client, password: &str, code: &str| {
        let form = Page::open(admin, "/account").form("/account/factor/change");
        let form = form.fill("password", password).fill("code", code);
        form.press(admin, "do=codes")
    };
    let code = app.code(&server, 0);
    assert_eq!(change(&mut admin, "wrong", &code).status, 422);
    assert_eq!(
        change(&mut admin, PASSWORD, "000000").invalid_fields(),
        ["code"]
    );
    let made = change(&mut admin, PASSWORD, &code);
    let new = made.texts(".secret pre").concat();
    assert_eq!(new.split(' ').count(), 10);
    assert_eq!(log_in(&mut server.stranger(), &codes[5]).status, 401);
    let first = new.split(' ').next().unwrap();
    assert_eq!(log_in(&mut server.stranger(), first).status, 200);
}

#[test]
fn a_secret_that_is_set_later_encrypts_the_second_factors_that_there_are() {
    let mut data = std::path::PathBuf::new();
    let server = Server::with(|config| data = config.data_dir.clone());
    let mut admin = server.admin();
    let (app, _) = set_up(&server, &mut admin);
    let secret = app.0.secret().to_base32();
    let stored = || {
        let user = server.service.person(1).unwrap().user;
        user.factor.unwrap().secret
    };
    assert_eq!(stored(), secret);
    let mut seen = vec![];
    for secrets in [
        &["the old secret, of more than 32 characters"][..],
        &[
            "the new secret, of more than 32 characters",
            "the old secret, of more than 32 characters",
        ],
    ] {
        let config = license_server::config::Config {
            secrets: secrets.iter().map(ToString::to_string).collect(),
            ..crate::engine::settings(&data)
        };
        license_server::service::Service::open(&config, server.clock.clone()).unwrap();
        assert!(!stored().contains(&secret) && !seen.contains(&stored()));
        seen.push(stored());
    }
}

#[test]
fn with_a_secret_file_a_stolen_database_makes_no_codes() {
    let server = Server::with(|config| {
        config.secrets = vec!["a secret of more than 32 characters".to_owned()];
    });
    let mut admin = server.admin();
    let (app, _) = set_up(&server, &mut admin);
    let secret = app.0.secret().to_base32();
    let bytes = crate::database::Database::of_server(&server).bytes();
    let mut parts = bytes.windows(secret.len());
    assert!(!parts.any(|part| part == secret.as_bytes()));
    assert_eq!(
        log_in(&mut server.stranger(), &app.code(&server, 0)).status,
        200
    );
}

#[test]
fn secrets_are_nowhere_in_the_log_and_recovery_codes_not_in_the_database() {
    let (server, database) = crate::database::Database::start();
    let mut admin = server.admin();
    let (app, codes) = set_up(&server, &mut admin);
    assert_eq!(log_in(&mut server.stranger(), &codes[0]).status, 200);
    let rows = database.rows().concat();
    assert!(codes.iter().all(|code| !rows.contains(&**code)));
    assert!(
        codes
            .iter()
            .all(|code| !rows.contains(&code.replace('-', "")))
    );
    let secret = app.0.secret().to_base32();
    let log = Page::open(&mut admin, "/audit").text();
    assert!(!log.contains(&secret) && !log.contains(&codes[0]));
}

#[test]
fn the_first_step_is_good_for_one_sign_in_within_five_minutes_in_one_browser() {
    let (server, _, app, codes) = guarded();
    let mut client = server.stranger();
    let page = first_step(&mut client, "admin");
    let begun = client.cookies["license_begun"].clone();
    assert!(!begun.contains(PASSWORD));
    let with_begun = |value: &str| {
        let mut other = server.stranger();
        other.cookies.insert("license_begun".into(), value.into());
        other
    };
    // Without the cookie, or with an invented one.
    let code = app.code(&server, 0);
    for value in ["", "1", "1.9999999999.00", &begun.replace("1.", "2.")] {
        let again = second_step(&mut with_begun(value), &page, &code);
        assert_eq!((again.status, again.all("[name=username]").len()), (401, 1));
    }
    assert_eq!(second_step(&mut client, &page, &code).path, "/");
    assert!(!client.cookies.contains_key("license_begun"));
    server.clock.turn(STEP);
    let newer = app.code(&server, 0);
    for code in [&newer, &codes[0]] {
        let again = second_step(&mut with_begun(&begun), &page, code);
        assert_eq!((again.status, again.all("[name=username]").len()), (401, 1));
    }
    let mut late = server.stranger();
    let page = first_step(&mut late, "admin");
    server.clock.turn(300);
    let code = app.code(&server, 0);
    assert_eq!(second_step(&mut late, &page, &code).status, 401);
    assert_eq!(log_in(&mut late, &code).status, 200);
}

#[test]
fn a_page_and_a_form_are_remembered_over_both_steps() {
    let (server, mut admin, app, _) = guarded();
    let mut client = server.stranger();
    let form = Page::open(&mut client, "/licenses/new?tool=T").form("/login");
    let form = form.fill("username", "admin").fill("password", PASSWORD);
    let page = form.submit(&mut client);
    let wrong = second_step(&mut client, &page, "000000");
    let inside = second_step(&mut client, &wrong, &app.code(&server, 0));
    assert_eq!(inside.path, "/licenses/new?tool=T");
    let form = Page::open(&mut admin, "/licenses/new").form("/licenses/new");
    server.clock.turn(31 * 60);
    let form = form.fill("tool_name", "T").fill("license_key", "kept");
    let login = form.submit(&mut admin).form("/login");
    let login = login.fill("username", "admin").fill("password", PASSWORD);
    let page = login.submit(&mut admin);
    let resumed = second_step(&mut admin, &page, &app.code(&server, 0));
    assert_eq!(resumed.form("/licenses/new").value("license_key"), "kept");
    // A button without fields, too.
    let license = r#"{"tool_name": "T", "license_key": "button"}"#;
    let added = admin.post("/api/licenses", license);
    let path = added.header("location").replace("/api", "") + "/delete";
    let delete = Page::open(&mut admin, &path).form("/delete");
    server.clock.turn(31 * 60);
    let login = delete.submit(&mut admin).form("/login");
    let login = login.fill("username", "admin").fill("password", PASSWORD);
    let page = login.submit(&mut admin);
    let resumed = second_step(&mut admin, &page, &app.code(&server, 0));
    assert!(resumed.has_form("/delete"), "{}", resumed.text());
}

#[test]
fn browsers_from_before_the_second_factor_have_no_attempts_of_their_own() {
    let server = Server::start();
    let mut thieves = [server.stranger(), server.stranger()];
    for thief in &mut thieves {
        assert!(first_step(thief, "admin").path == "/");
    }
    let mut admin = server.admin();
    set_up(&server, &mut admin);
    let mut heard = 0;
    for thief in &mut thieves {
        let page = first_step(thief, "admin");
        let statuses = (0..15).map(|_| second_step(thief, &page, "abc").status);
        heard += statuses.filter(|status| *status == 401).count();
    }
    assert_eq!(heard, 10);
}

#[test]
fn setting_up_asks_for_the_password_and_ends_other_sessions() {
    let server = Server::start();
    let (mut admin, mut other) = (server.admin(), server.admin());
    let form = Page::open(&mut admin, "/account").form("/account/factor");
    let wrong = form.fill("password", "wrong").submit(&mut admin);
    assert_eq!(
        (wrong.status, wrong.invalid_fields()),
        (422, vec!["password"])
    );
    // A secret that the server did not choose for this session.
    let own = begin(&mut other).form("/account/factor/set-up");
    let page = begin(&mut admin);
    let form = page.form("/account/factor/set-up");
    let foreign = form.clone().set("secret", own.value("secret"));
    let app = App::with(own.value("secret"));
    let foreign = foreign.set("seal", own.value("seal"));
    let refused = foreign.fill("code", &app.code(&server, 0));
    assert_eq!(refused.submit(&mut admin).status, 409);
    let again = form.fill("code", "000000").submit(&mut admin);
    assert_eq!((again.status, again.invalid_fields()), (422, vec!["code"]));
    let form = again.form("/account/factor/set-up");
    let app = App::with(form.value("secret"));
    server.clock.turn(15 * 60);
    let late = form.fill("code", &app.code(&server, 0));
    assert_eq!(late.submit(&mut admin).status, 409);
    assert!(is_in(&mut other));
    set_up(&server, &mut admin);
    assert!(is_in(&mut admin) && !is_in(&mut other));
    assert_eq!(audited(&server, "second factor set up").len(), 1);
}

#[test]
fn removing_asks_for_password_and_code() {
    let (server, mut admin, app, _) = guarded();
    let code = app.code(&server, 0);
    assert_eq!(
        remove(&mut admin, "wrong", &code).invalid_fields(),
        ["password"]
    );
    assert_eq!(
        remove(&mut admin, PASSWORD, "000000").invalid_fields(),
        ["code"]
    );
    assert!(remove(&mut admin, PASSWORD, &code).flash().is_some());
    assert!(is_in(&mut server.admin()));
    assert_eq!(audited(&server, "second factor removed").len(), 1);
    // Guesses with a stolen session and password, after the one above.
    set_up(&server, &mut admin);
    let guess = |_| remove(&mut admin, PASSWORD, "000000").status;
    let heard: Vec<u16> = (0..12).map(guess).collect();
    assert_eq!(heard.iter().filter(|status| **status == 422).count(), 9);
    assert_eq!(heard[11], 429);
}

#[test]
fn after_15_minutes_a_form_asks_for_the_password_and_goes_on() {
    let server = Server::start();
    let mut admin = server.admin();
    let form = Page::open(&mut admin, "/people/new").form("/people");
    let form = form.fill("name", "anna").fill("email", "a@example.com");
    server.clock.turn(15 * 60 - 1);
    let invited = form.clone().set("name", "in time").submit(&mut admin);
    assert_eq!(invited.status, 200);
    server.clock.turn(1);
    let asked = form.submit(&mut admin);
    assert_eq!(asked.status, 403);
    assert!(asked.all("[name=confirm_code]").is_empty());
    let wrong = asked.form("/people").fill("confirm_password", "wrong");
    let wrong = wrong.submit(&mut admin);
    assert_eq!(
        (wrong.status, wrong.invalid_fields()),
        (422, vec!["confirm_password"])
    );
    assert_eq!(wrong.form("/people").value("email"), "a@example.com");
    assert!(wrong.all("[value=wrong]").is_empty());
    let form = wrong.form("/people").fill("confirm_password", PASSWORD);
    let done = form.submit(&mut admin);
    assert_eq!((done.status, done.texts(".secret code").len()), (200, 1));
    // From here on for 15 minutes.
    let keys = Page::open(&mut admin, "/keys").form("/keys");
    assert_eq!(keys.submit(&mut admin).status, 200);
}

#[test]
fn keys_tokens_people_and_secrets_of_shops_ask_for_password_and_code() {
    let (server, mut admin, app, _) = guarded();
    add_person(&server, "anna", "staff");
    let shop = Page::open(&mut admin, "/shops").form("/shops");
    let shop = shop.fill("name", "Shop").fill("kind", "generator");
    assert_eq!(shop.submit(&mut admin).status, 200);
    server.clock.turn(16 * 60);
    let csrf = Page::open(&mut admin, "/account").form("/logout");
    let csrf = csrf.value("csrf").to_owned();
    let send = |admin: &mut Client, path: &str, more: &str| {
        let origin = admin.origin();
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let body = format!("csrf={csrf}&name=n&read=true&expiration_date=2026-12-31{more}");
        admin.send("POST", path, &[form, ("Origin", &origin)], body.as_bytes())
    };
    let password = format!("&confirm_password={}", urlencoded(PASSWORD));
    for path in [
        "/keys",
        "/keys/default",
        "/keys/retire",
        "/account/name",
        "/account/sessions/1/end",
        "/account/sessions/end-others",
        "/account/tokens",
        "/account/tokens/1/revoke",
        "/people",
        "/people/2",
        "/people/2/state",
        "/people/2/remove",
        "/people/2/reset-factor",
        "/shops",
        "/shops/1",
        "/shops/1/secret",
        "/restored/end",
    ] {
        let asked = send(&mut admin, path, "");
        assert_eq!(
            (asked.status, asked.body.contains("confirm_code")),
            (403, true),
            "{path}"
        );
    }
    assert_eq!(send(&mut admin, "/licenses/new", "").status, 422);
    assert_eq!(send(&mut admin, "/keys", &password).status, 422);
    let keys = server.service.signing_keys().unwrap().len();
    let both = format!("{password}&confirm_code={}", app.code(&server, 0));
    assert_eq!(send(&mut admin, "/keys", &both).status, 303);
    assert_eq!(server.service.signing_keys().unwrap().len(), keys + 1);
    assert_eq!(
        log_in(&mut server.stranger(), &app.code(&server, 0)).status,
        401
    );
}

#[test]
fn guesses_of_the_password_that_is_asked_for_again_are_throttled() {
    let server = Server::start();
    let mut admin = server.admin();
    server.clock.turn(16 * 60);
    let asked = Page::open(&mut admin, "/keys").form("/keys");
    let form = asked.submit(&mut admin).form("/keys");
    let form = form.fill("confirm_password", "wrong");
    assert!((0..10).all(|_| form.submit(&mut admin).status == 422));
    let busy = form.submit(&mut admin);
    assert_eq!((busy.status, busy.has_form("/keys")), (429, true));
}

#[test]
fn where_a_second_factor_is_required_who_has_none_can_only_set_one_up() {
    let server = Server::with(|config| config.require_two_factors = true);
    add_person(&server, "anna", "staff");
    let mut anna = sign_in_as(&server, "anna");
    for path in ["/", "/licenses", "/licenses/new", "/orders"] {
        assert_eq!(Page::open(&mut anna, path).path, "/account", "{path}");
    }
    assert_eq!(anna.get("/api/licenses").status, 403);
    let license = r#"{"tool_name":"T","license_key":"k"}"#;
    assert_eq!(anna.post("/api/licenses", license).status, 403);
    let form = Page::open(&mut anna, "/account").form("/logout");
    let body = format!("csrf={}&tool_name=T&license_key=k", form.value("csrf"));
    let origin = anna.origin();
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", &*origin),
    ];
    let sent = anna.send("POST", "/licenses/new", &headers, body.as_bytes());
    assert_eq!(sent.status, 403);
    assert_eq!(server.check("T", "k").0, 404);
    let (app, _) = set_up(&server, &mut anna);
    assert_eq!(anna.get("/licenses").status, 200);
    assert_eq!(anna.post("/api/licenses", license).status, 201);
    let mut again = server.stranger();
    let page = first_step(&mut again, "anna");
    assert_eq!(
        second_step(&mut again, &page, &app.code(&server, 0)).path,
        "/"
    );
}

#[test]
fn an_owner_removes_a_lost_factor_which_ends_the_sessions() {
    let server = Server::start();
    let mut admin = server.admin();
    add_person(&server, "anna", "staff");
    let mut anna = sign_in_as(&server, "anna");
    let before = Page::open(&mut admin, "/people/2");
    assert!(!before.has_link("/people/2/reset-factor"));
    set_up(&server, &mut anna);
    let page = Page::open(&mut admin, "/people/2").follow(&mut admin, "/people/2/reset-factor");
    let done = page.form("/people/2/reset-factor").submit(&mut admin);
    assert!(done.flash().is_some());
    // Her own only with a code.
    set_up(&server, &mut admin);
    let own = page.form("/people/2/reset-factor");
    let body = format!("csrf={}", own.value("csrf"));
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let refused = admin.send("POST", "/people/1/reset-factor", &kind, body.as_bytes());
    assert_eq!(refused.status, 409);
    assert_eq!(log_in(&mut server.stranger(), "").status, 401);
    assert!(!is_in(&mut anna));
    sign_in_as(&server, "anna");
    assert_eq!(audited(&server, "second factor reset").len(), 1);
}

#[test]
fn the_command_line_removes_a_lost_factor_while_the_server_runs() {
    let (server, mut admin, ..) = guarded();
    let reset = |name: &str| {
        let mut command = crate::program::command(server.folder.path());
        let command = command.args(["admin", "reset-two-factor", name]);
        command.output().unwrap()
    };
    assert_eq!(reset("nobody").status.code(), Some(1));
    assert_eq!(reset("admin").status.code(), Some(0));
    assert!(!is_in(&mut admin));
    assert!(is_in(&mut server.admin()));
    let again = reset("admin");
    let words = String::from_utf8_lossy(&again.stderr).into_owned();
    assert_eq!(again.status.code(), Some(1), "{words}");
}

/// Shows `look` the pages that no address leads to. The admin has a second factor afterwards, and is signed out.
pub fn walk(browser: &Browser, server: &Server, look: &mut dyn FnMut(&str)) {
    let submit = |action: &str| browser.click(&format!("form[action$='{action}'] button"));
    let at = |path: &str| browser.go(&format!("{}{path}", server.url));
    at("/account");
    browser.fill("password", PASSWORD);
    submit("/account/factor");
    browser.find(".qr");
    look("setting up");
    browser.fill("code", "000000");
    submit("/account/factor/set-up");
    browser.find("#code-problem");
    look("setting up with a wrong code");
    let secret = browser.script("return document.querySelector('.pick').textContent");
    let app = App::with(secret.as_str().unwrap());
    browser.fill("code", &app.code(server, 0));
    submit("/account/factor/set-up");
    browser.find(".secret pre");
    look("recovery codes");
    at("/account");
    look("the account with a second factor");
    server.clock.turn(16 * 60);
    at("/keys");
    submit("/keys");
    browser.find("[name=confirm_code]");
    look("the password again");
    browser.fill("confirm_password", "wrong");
    browser.fill("confirm_code", "000000");
    submit("/keys");
    browser.find("#password-problem");
    look("a wrong password again");
    at("/account");
    submit("/logout");
    browser.find("form[action$='/login']");
    browser.fill("username", "admin");
    browser.fill("password", PASSWORD);
    submit("/login");
    browser.find("[name=code]");
    look("the second step");
    browser.fill("code", "000000");
    submit("/login");
    browser.find("[role=alert]");
    look("the second step with a wrong code");
}
