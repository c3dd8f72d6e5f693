//! Pages show what the role may do, and say who can do the rest.

use std::collections::{BTreeMap, BTreeSet};

use license_server::model::audit::Actor;
use license_server::model::role::{Role, Use};
use license_server::model::shops::ShopKind;
use license_server::model::user::UserValues;
use serde_json::json;

use crate::backup::backed_up;
use crate::guards::doors;
use crate::looks::furnish;
use crate::mail::mailing;
use crate::page::Page;
use crate::people::{add_person, sign_in_as};
use crate::restore::restored;
use crate::server::{Answer, Client, PASSWORD, Server};

const DAY: i64 = 24 * 60 * 60;

/// Forms that only search.
const SEARCHES: [&str; 2] = ["/licenses", "/codes"];

/// A server with mails that failed, a shop whose call failed, and a few of everything.
fn full() -> (Server, Vec<String>) {
    // Nobody listens there.
    let server = mailing(1, |_| {});
    let order = json!({"order_ref": "17", "customer": {"name": "Bo", "email": "bo@example.com"},
        "items": [{"tool_name": "T", "days": 365}]});
    let placed = server.admin().post("/api/orders", &order.to_string());
    assert_eq!(placed.status, 201, "{}", placed.body);
    for _ in 0..5 {
        server.clock.turn(DAY);
        server.tick().unwrap();
    }
    let (server, paths) = furnish(server);
    let shop = server
        .service
        .create_shop(&Actor::command_line(), ShopKind::Generator, "G");
    let call = format!("/api/orders/generate/{}", shop.unwrap().1.unwrap());
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let body = b"order=1&product=none";
    assert_ne!(
        server.stranger().send("POST", &call, &headers, body).status,
        200
    );
    for role in Role::ALL {
        add_person(&server, &format!("the {}", role.as_str()), role.as_str());
    }
    (server, paths)
}

/// What an address has in common with others of its kind: numbers and values are left out.
fn shape(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = path.split('/').map(|segment| match segment.parse::<i64>() {
        Ok(_) => "<id>",
        Err(_) => segment,
    });
    let names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or(""));
    let path: Vec<&str> = path.collect();
    let names: BTreeSet<&str> = names.collect();
    format!("{}?{names:?}", path.join("/"))
}

fn is_refused(answer: &Answer) -> bool {
    answer.status == 403
}

/// Opens these pages and what they lead to, one of each shape. Returns what leads to a refusal, and the pages that were
/// opened with the addresses of their forms.
fn walk(client: &mut Client, starts: &[String]) -> (Vec<String>, BTreeMap<String, Vec<String>>) {
    let base = client.base().to_owned();
    let mut known: BTreeSet<String> = starts.iter().map(|start| shape(start)).collect();
    let mut waiting: Vec<(String, String)> = starts
        .iter()
        .map(|start| ("a person".to_owned(), start.clone()))
        .collect();
    let (mut wrong, mut opened) = (vec![], BTreeMap::new());
    while let Some((from, path)) = waiting.pop() {
        let answer = client.get(&path);
        if is_refused(&answer) {
            wrong.push(format!("{from} leads to {path}"));
        }
        let is_page = answer.header("content-type").starts_with("text/html");
        if !is_page && !matches!(answer.status, 302 | 303) {
            continue;
        }
        let page = Page::after(client, &path, answer);
        let mut forms = vec![];
        let links = page.links().into_iter().map(|(_, to)| to);
        let mut leads: Vec<String> = links.collect();
        for form in page.all("form") {
            let action = form.value().attr("action").unwrap_or_default().to_owned();
            match form.value().attr("method") {
                Some("post") => forms.push(action),
                _ => leads.push(action),
            }
        }
        for control in page.all("[form]") {
            let id = control.value().attr("form").unwrap_or_default();
            if page.all(&format!("form[id='{id}']")).is_empty() {
                wrong.push(format!(
                    "{path} has a control of the form {id}, which it has not"
                ));
            }
        }
        for action in forms {
            let Some(action) = action.strip_prefix(&*base) else {
                continue;
            };
            let action = action.split('?').next().unwrap_or_default();
            opened
                .entry(path.clone())
                .or_insert_with(Vec::new)
                .push(action.to_owned());
        }
        opened.entry(path.clone()).or_insert_with(Vec::new);
        for to in leads {
            let to = to.split('#').next().unwrap_or_default();
            let Some(to) = to.strip_prefix(&*base).filter(|to| to.starts_with('/')) else {
                continue;
            };
            if known.insert(shape(to)) {
                waiting.push((path.clone(), to.to_owned()));
            }
        }
    }
    (wrong, opened)
}

/// What the page of those who search, sign out or are not signed in may have, too.
fn is_for_all(action: &str) -> bool {
    let public = ["/claim", "/my", "/login", "/invitation"];
    SEARCHES.contains(&action) || public.iter().any(|place| action.starts_with(place))
}

#[test]
fn no_page_leads_to_what_its_reader_may_not_do() {
    let (server, paths) = full();
    let doors = doors(&server);
    let mut seen = vec![];
    for role in Role::ALL {
        let mut client = sign_in_as(&server, &format!("the {}", role.as_str()));
        let may = |path: &str| {
            let path = path.split('?').next().unwrap_or_default();
            Role::needed(path, Use::Read) <= role
        };
        let doors = doors.iter().filter(|door| door.method == "GET");
        let starts: Vec<String> = doors
            .map(|door| door.address())
            .chain(paths.iter().cloned())
            .filter(|path| may(path))
            .collect();
        let (mut wrong, opened) = walk(&mut client, &starts);
        let mut sent = BTreeSet::new();
        for (page, actions) in &opened {
            for action in actions {
                if is_for_all(action) || !sent.insert(shape(action)) {
                    continue;
                }
                let is_allowed = Role::needed(action, Use::Write) <= role;
                // Without the token of a form nothing is changed; the role is looked at first.
                let headers = [("Content-Type", "application/x-www-form-urlencoded")];
                let answer = client.send("POST", action, &headers, b"csrf=x");
                let is_refused = answer
                    .body
                    .contains("<h1 id=\"title\">Nothing was changed</h1>");
                if !is_allowed || is_refused {
                    wrong.push(format!("{page} has a form to {action}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{role:?}: {wrong:#?}");
        seen.push((opened.len(), sent.len()));
    }
    // Each role has more to do than the one before.
    assert!(
        seen.is_sorted_by(|one, other| one.0 < other.0 && one.1 < other.1),
        "{seen:?}"
    );
    assert!(seen[0].0 > 40 && seen[0].1 < 6, "{seen:?}");
}

#[test]
fn a_viewers_pages_have_facts_and_name_those_who_act() {
    let (server, _) = full();
    let mut viewer = sign_in_as(&server, "the viewer");
    let mut owner = sign_in_as(&server, "the owner");
    let mut admin = server.admin();
    for path in ["/licenses/1", "/codes/1", "/customers/1", "/orders/1"] {
        let page = Page::open(&mut viewer, path);
        assert!(page.texts("#actions").is_empty(), "{path}");
        assert!(page.text().contains("ask admin or the owner"), "{path}");
        assert!(!page.texts("#history").is_empty(), "{path}");
        let page = Page::open(&mut owner, path);
        assert_eq!(page.texts("#actions").len(), 1, "{path}");
    }
    let table = Page::open(&mut viewer, "/licenses");
    assert_eq!(table.keys().len(), 50);
    assert!(
        table
            .all("input[type=checkbox], .renew, .bulk-bar")
            .is_empty()
    );
    assert!(table.next(&mut viewer).is_some());
    let rules = Page::open(&mut viewer, "/tool?name=T");
    assert!(rules.text().contains("Offline days"));
    assert!(rules.all("main input").is_empty());
    let account = Page::open(&mut viewer, "/account");
    assert!(account.texts("#tokens").is_empty());
    assert!(account.has_form("/account/password"));
    let warnings = Page::open(&mut viewer, "/").texts(".warning");
    assert!(warnings.len() >= 3, "{warnings:?}");
    assert!(
        warnings.iter().all(|words| words.contains("Ask admin")),
        "{warnings:?}"
    );
    let warnings = Page::open(&mut admin, "/").texts(".warning").concat();
    assert!(!warnings.contains("Ask"), "{warnings}");
}

#[test]
fn after_a_restore_only_an_owner_is_offered_to_end_it() {
    let server = Server::start();
    for role in Role::ALL {
        add_person(&server, role.as_str(), role.as_str());
    }
    let backup = backed_up(&server, "backup.db");
    server.clock.turn(DAY);
    let after = restored(&backup, &server.clock);
    for role in Role::ALL {
        let mut client = sign_in_as(&after, role.as_str());
        let page = Page::open(&mut client, "/");
        assert!(!page.texts("#restored").is_empty());
        assert_eq!(page.has_form("/restored/end"), role == Role::Owner);
        let (wrong, _) = walk(&mut client, &["/".to_owned()]);
        assert!(wrong.is_empty(), "{role:?}: {wrong:#?}");
    }
}

#[test]
fn a_refusal_says_what_who_and_where_to_go() {
    let server = Server::at("https://example.com/office");
    let id = server.license("T", "k");
    add_person(&server, "vera", "viewer");
    let mut vera = sign_in_as(&server, "vera");
    assert_eq!(vera.get("/").status, 200);
    let edit = format!("/licenses/{id}/edit");
    let page = Page::open(&mut vera, &edit);
    assert_eq!(
        (page.status, &*page.heading()),
        (403, "For staff and owners only")
    );
    let words = page.text();
    for word in [&*edit, "vera", "viewer", "admin"] {
        assert!(words.contains(word), "{word}: {words}");
    }
    let license = page.follow(&mut vera, &format!("/licenses/{id}"));
    assert_eq!((license.status, &*license.heading()), (200, "k"));
    let page = Page::open(&mut vera, "/keys");
    assert_eq!((page.status, &*page.heading()), (403, "For owners only"));
}

#[test]
fn a_form_whose_senders_role_became_smaller_keeps_what_was_typed() {
    let server = Server::start();
    let edit = format!("/licenses/{}/edit", server.license("T", "k"));
    add_person(&server, "bo", "staff");
    let mut bo = sign_in_as(&server, "bo");
    let form = Page::open(&mut bo, &edit).form(&edit);
    let smaller = UserValues::parse("bo", "", "viewer").unwrap();
    let id = server.service.id_of_user("bo").unwrap();
    let actor = Actor::command_line();
    server.service.change_person(&actor, id, &smaller).unwrap();
    let page = form.fill("note", "A long note to keep").submit(&mut bo);
    assert_eq!(
        (page.status, &*page.heading()),
        (403, "Nothing was changed")
    );
    assert!(page.texts("dd").concat().contains("A long note to keep"));
}

#[test]
fn everybody_changes_the_own_name_and_keeps_devices_and_orders() {
    let server = Server::start();
    let mut admin = server.admin();
    let order = json!({"order_ref": "1", "items": [{"tool_name": "T"}]}).to_string();
    assert_eq!(admin.post("/api/orders", &order).status, 201);
    add_person(&server, "anna", "viewer");
    let form = Page::open(&mut admin, "/account").form("/account/name");
    let taken = form.clone().fill("user_name", "Anna").submit(&mut admin);
    assert_eq!(
        (taken.status, taken.invalid_fields()),
        (422, vec!["user_name"])
    );
    assert_eq!(taken.form("/account/name").value("user_name"), "Anna");
    let saved = form
        .fill("user_name", "vera")
        .fill("email", "vera@example.com")
        .submit(&mut admin);
    assert!(saved.flash().unwrap().contains("vera"));
    assert_eq!(admin.post("/api/orders", &order).status, 200);
    let person = server.service.person(1).unwrap().user.values;
    assert_eq!(
        (&*person.email, person.role),
        ("vera@example.com", Role::Owner)
    );

    let log_in = |client: &mut Client, password: &str| {
        let body = json!({"username": "vera", "password": password}).to_string();
        client.post("/api/login", &body).status
    };
    for n in 0..12 {
        let guesser = server.stranger();
        let mut guesser = guesser.header("X-Forwarded-For", &format!("198.51.100.{n}"));
        log_in(&mut guesser, "x");
    }
    let mut stranger = server.stranger().header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(log_in(&mut stranger, PASSWORD), 429);
    admin.cookies.remove("license_session");
    assert_eq!(log_in(&mut admin, PASSWORD), 200);

    let mut anna = sign_in_as(&server, "anna");
    let form = Page::open(&mut anna, "/account").form("/account/name");
    form.fill("user_name", "ann").submit(&mut anna);
    let role = server.service.person(2).unwrap().user.values.role;
    assert_eq!(role, Role::Viewer);
    sign_in_as(&server, "ann");
}

#[test]
fn orders_of_somebody_who_left_are_not_those_of_her_name() {
    let server = Server::start();
    let order = json!({"order_ref": "1", "items": [{"tool_name": "T"}]}).to_string();
    for _ in 0..2 {
        add_person(&server, "anna", "staff");
        let mut anna = sign_in_as(&server, "anna");
        let placed = anna.post("/api/orders", &order);
        assert_eq!(placed.status, 201, "{}", placed.body);
        assert_eq!(anna.post("/api/orders", &order).status, 200);
        let id = server.service.id_of_user("anna").unwrap();
        let actor = Actor::command_line();
        server.service.remove_person(&actor, id).unwrap();
    }
}
