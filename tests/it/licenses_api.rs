//! `/api/licenses`: the published requests, and what they leave open.

use crate::server::Server;
use serde_json::{Value, json};

const PUBLISHED: &str = r#"{"tool_name":"Tool_B","license_key":"f5:e4:d3:c2:b1:a0","status":"activated","expiration_date":"2027-01-31","user_id":"user_002"}"#;

fn keys(server: &Server, query: &str) -> Vec<String> {
    let rows = server.admin().get(&format!("/api/licenses{query}")).json();
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["license_key"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_license_is_added_listed_and_deleted_as_published() {
    let server = Server::start();
    let mut admin = server.admin();
    let added = admin.post("/api/licenses", PUBLISHED);
    assert_eq!(
        (added.status, added.body.as_str()),
        (201, r#"{"status":"success","message":"License added"}"#)
    );
    assert_eq!(added.header("location"), "/api/licenses/1");
    let published = r#"[{"id":1,"created_at":"2026-06-15 12:00:00","tool_name":"Tool_B","license_key":"f5:e4:d3:c2:b1:a0","status":"activated","user_id":"user_002","expiration_date":"2027-01-31","#;
    let rows = admin.get("/api/licenses");
    assert!(rows.body.starts_with(published), "{}", rows.body);
    // New fields come after the published ones.
    let row = &rows.json()[0];
    let unpublished = ["last_seen_at", "check_count", "note"].map(|name| row[name].clone());
    assert_eq!(unpublished, [json!(null), json!(0), json!(null)]);
    let deleted = admin.delete("/api/licenses/1");
    assert_eq!(
        (deleted.status, deleted.body.as_str()),
        (200, r#"{"status":"success","message":"License deleted"}"#)
    );
    assert_eq!(admin.get("/api/licenses").body, "[]");
}

#[test]
fn an_existing_license_is_a_conflict_in_any_spelling() {
    let server = Server::start();
    server.license("Tool_B", "f5:e4:d3:c2:b1:a0");
    let answer = server.admin().post(
        "/api/licenses",
        &PUBLISHED.replace("f5:e4:d3:c2:b1:a0", "F5E4D3C2B1A0"),
    );
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.body,
        r#"{"status":"error","message":"This license key already exists for this tool."}"#
    );
    assert_eq!(
        server
            .admin()
            .post("/api/licenses", &PUBLISHED.replace("Tool_B", "Tool_C"))
            .status,
        201
    );
}

#[test]
fn absent_fields_have_defaults() {
    let server = Server::start();
    let id = server.license(" Tool_A ", " 0A-1B-2C-3D-4E-5F ");
    let row = server.admin().get(&format!("/api/licenses/{id}")).json();
    for (name, value) in [
        ("id", json!(id)),
        ("created_at", json!("2026-06-15 12:00:00")),
        ("tool_name", json!("Tool_A")),
        ("license_key", json!("0a:1b:2c:3d:4e:5f")),
        ("status", json!("activated")),
        ("user_id", json!(null)),
        ("expiration_date", json!(null)),
    ] {
        assert_eq!(row[name], value, "{name}");
    }
}

#[test]
fn an_empty_or_null_expiration_date_is_perpetual() {
    let server = Server::start();
    for (key, date) in [("a", json!(null)), ("b", json!(""))] {
        let id = server.add(
            json!({"tool_name": "T", "license_key": key, "expiration_date": date, "user_id": null}),
        );
        let row = server.admin().get(&format!("/api/licenses/{id}")).json();
        assert_eq!(
            (&row["expiration_date"], &row["user_id"]),
            (&Value::Null, &Value::Null)
        );
    }
}

#[test]
fn a_patch_leaves_absent_fields_alone() {
    let server = Server::start();
    let id = server.add(json!({"tool_name": "T", "license_key": "k", "user_id": "u", "expiration_date": "2027-01-01"}));
    let mut admin = server.admin();
    let answer = admin.patch(
        &format!("/api/licenses/{id}"),
        r#"{"status":"revoked","user_id":null}"#,
    );
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"status":"success","message":"License updated"}"#)
    );
    let row = admin.get(&format!("/api/licenses/{id}")).json();
    assert_eq!(
        (&row["status"], &row["user_id"]),
        (&json!("revoked"), &Value::Null)
    );
    assert_eq!(
        (&row["license_key"], &row["expiration_date"]),
        (&json!("k"), &json!("2027-01-01"))
    );
}

#[test]
fn an_invalid_patch_changes_nothing() {
    let server = Server::start();
    let id = server.license("T", "k");
    server.license("T", "other");
    let mut admin = server.admin();
    let path = format!("/api/licenses/{id}");
    for (body, status) in [
        (r#"{"license_key":"other"}"#, 409),
        (r#"{"license_key":null}"#, 422),
        (r#"{"tool_name":""}"#, 422),
        (r#"{"status":null}"#, 422),
        (r#"{"status":"active","user_id":"x"}"#, 422),
        (r#"{"expiration_date":"2024-02-30"}"#, 422),
        (r#"{"expiration_date":20240101}"#, 400),
    ] {
        assert_eq!(admin.patch(&path, body).status, status, "{body}");
    }
    let row = admin.get(&path).json();
    assert_eq!(
        (&row["license_key"], &row["user_id"]),
        (&json!("k"), &Value::Null)
    );
}

#[test]
fn a_missing_license_is_404_and_not_a_result() {
    let server = Server::start();
    let mut admin = server.admin();
    for answer in [
        admin.get("/api/licenses/7"),
        admin.patch("/api/licenses/7", "{}"),
        admin.delete("/api/licenses/7"),
        admin.get("/api/licenses/seven"),
        admin.get("/api/licenses/99999999999999999999"),
    ] {
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (404, &json!("error"))
        );
    }
}

#[test]
fn ids_are_never_reused() {
    let server = Server::start();
    let first = server.license("T", "k");
    server.admin().delete(&format!("/api/licenses/{first}"));
    assert!(server.license("T", "k") > first);
}

#[test]
fn the_list_is_filtered_by_the_query() {
    let server = Server::start();
    server.add(json!({"tool_name": "A", "license_key": "0a:1b:2c:3d:4e:5f", "user_id": "Müller"}));
    server.add(
        json!({"tool_name": "A", "license_key": "two", "status": "revoked", "user_id": "50%_off"}),
    );
    server.add(json!({"tool_name": "B", "license_key": "three", "user_id": "x\"y"}));
    for (query, found) in [
        ("", vec!["0a:1b:2c:3d:4e:5f", "two", "three"]),
        ("?tool_name=A", vec!["0a:1b:2c:3d:4e:5f", "two"]),
        ("?tool_name=a", vec![]),
        ("?status=revoked", vec!["two"]),
        ("?user_id=M%C3%BCller", vec!["0a:1b:2c:3d:4e:5f"]),
        ("?q=muLLER", vec!["0a:1b:2c:3d:4e:5f"]),
        ("?q=1B-2c", vec!["0a:1b:2c:3d:4e:5f"]),
        ("?q=b2c3", vec!["0a:1b:2c:3d:4e:5f"]),
        ("?q=%25_", vec!["two"]),
        ("?q=%25_o", vec!["two"]),
        ("?q=x%22y", vec!["three"]),
        ("?q=x%22", vec!["three"]),
        ("?q=HRE", vec!["three"]),
        ("?q=e&tool_name=B", vec!["three"]),
        ("?q=%00", vec!["0a:1b:2c:3d:4e:5f", "two", "three"]),
        ("?limit=2", vec!["0a:1b:2c:3d:4e:5f", "two"]),
        ("?limit=1&after_id=1", vec!["two"]),
        ("?after_id=3", vec![]),
    ] {
        assert_eq!(keys(&server, query), found, "{query}");
    }
}

#[test]
fn an_invalid_query_is_422_and_names_its_field() {
    let server = Server::start();
    let [search, tool, customer] = [("q", 101), ("tool_name", 256), ("user_id", 256)]
        .map(|(field, length)| format!("{field}={}", "0".repeat(length)));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("after_id=-1", "after_id"),
        ("status=x", "status"),
        (&search, "q"),
        (&tool, "tool_name"),
        (&customer, "user_id"),
    ] {
        let answer = server.admin().get(&format!("/api/licenses?{query}"));
        assert_eq!(
            (answer.status, &answer.json()["field"]),
            (422, &json!(field)),
            "{query}"
        );
    }
}

#[test]
fn a_long_table_is_streamed_completely_and_in_order() {
    let server = Server::start();
    let mut admin = server.admin();
    for n in 0..2_050 {
        admin.post(
            "/api/licenses",
            &json!({"tool_name": "T", "license_key": format!("key {n}")}).to_string(),
        );
    }
    let rows = admin.get("/api/licenses").json();
    let ids: Vec<i64> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, (1..=2_050).collect::<Vec<_>>());
    assert_eq!(
        admin
            .get("/api/licenses?limit=1500")
            .json()
            .as_array()
            .unwrap()
            .len(),
        1_500
    );
}

#[test]
fn a_filter_that_is_given_twice_is_refused_and_never_ignored() {
    let server = Server::start();
    server.license("T", "k");
    let mut admin = server.admin();
    for name in ["tool_name", "status", "user_id", "q", "limit", "after_id"] {
        let answer = admin.get(&format!("/api/licenses?{name}=1&{name}=2"));
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert_eq!(answer.json()["field"], name);
    }
}
