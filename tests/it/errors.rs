//! Bad requests get a JSON error with a reason, never a 5xx and never a result.

use crate::server::{Answer, Server};
use serde_json::json;

fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["status"], "error");
    assert!(answer.json()["message"].as_str().unwrap().len() > 10);
}

#[test]
fn an_unreadable_request_is_400() {
    let server = Server::start();
    let deep = format!(r#"{{"tool_name":{}"#, "[".repeat(4_000));
    for body in [
        "",
        "{",
        "null",
        "[]",
        r#"["T","k"]"#,
        r#""T""#,
        "{}",
        r#"{"tool_name":"T"}"#,
        "\u{feff}{}",
        &deep,
    ] {
        refused(&server.stranger().post("/api/check", body), 400);
    }
    for (body, field) in [
        (r#"{"tool_name":5,"license_key":"k"}"#, "tool_name"),
        (r#"{"tool_name":"T","license_key":["k"]}"#, "license_key"),
        (r#"{"tool_name":"T","license_key":null}"#, "license_key"),
    ] {
        let answer = server.stranger().post("/api/check", body);
        refused(&answer, 400);
        assert_eq!(answer.json()["field"], field);
    }
}

#[test]
fn a_body_that_is_not_utf_8_is_400() {
    let server = Server::start();
    let body = b"{\"tool_name\":\"\xff\xfe\",\"license_key\":\"k\"}";
    refused(
        &server.stranger().send(
            "POST",
            "/api/check",
            &[("Content-Type", "application/json")],
            body,
        ),
        400,
    );
}

#[test]
fn an_invalid_value_is_422_with_its_field() {
    let server = Server::start();
    for (tool, key, field) in [
        (String::new(), "k".to_owned(), "tool_name"),
        ("T".repeat(101), "k".to_owned(), "tool_name"),
        ("T".to_owned(), "k".repeat(256), "license_key"),
        ("T".to_owned(), "a\u{0}b".to_owned(), "license_key"),
        ("a\u{85}b".to_owned(), "k".to_owned(), "tool_name"),
    ] {
        let question = json!({"tool_name": tool, "license_key": key}).to_string();
        for mut answer in [
            server.stranger().post("/api/check", &question),
            server.admin().post("/api/licenses", &question),
        ] {
            answer.headers.sort();
            refused(&answer, 422);
            assert_eq!(answer.json()["field"], field, "{question}");
        }
    }
}

#[test]
fn only_json_is_accepted() {
    let server = Server::start();
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application",
    ] {
        let headers: &[_] = if kind.is_empty() {
            &[]
        } else {
            &[("Content-Type", kind)]
        };
        refused(
            &server.stranger().send(
                "POST",
                "/api/check",
                headers,
                br#"{"tool_name":"T","license_key":"k"}"#,
            ),
            415,
        );
    }
    let with_charset = [("Content-Type", "application/json; charset=utf-8")];
    let answer = server.stranger().send(
        "POST",
        "/api/check",
        &with_charset,
        br#"{"tool_name":"T","license_key":"k"}"#,
    );
    assert_eq!(answer.json()["status"], "invalid");
}

#[test]
fn a_body_that_is_too_large_is_413() {
    let server = Server::start();
    let question = |spaces: usize| {
        format!(
            r#"{{"tool_name":"T","license_key":"k"{}}}"#,
            " ".repeat(spaces)
        )
    };
    refused(
        &server.stranger().post("/api/check", &question(8 * 1024)),
        413,
    );
    refused(
        &server.stranger().post("/api/login", &question(8 * 1024)),
        413,
    );
    assert_eq!(
        server
            .stranger()
            .post("/api/check", &question(8 * 1024 - 100))
            .json()["status"],
        "invalid"
    );
    refused(
        &server.admin().post("/api/licenses", &question(64 * 1024)),
        413,
    );
}

#[test]
fn a_wrong_method_is_405_with_the_allowed_ones() {
    let server = Server::start();
    for (method, path, allow) in [
        ("GET", "/api/check", "POST"),
        ("PUT", "/api/check", "POST"),
        ("GET", "/api/login", "POST"),
        ("PUT", "/api/licenses", "GET, POST, HEAD"),
        ("POST", "/api/licenses/1", "GET, PATCH, DELETE, HEAD"),
    ] {
        let answer = server.admin().send(method, path, &[], b"");
        refused(&answer, 405);
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[test]
fn an_unknown_address_is_404_and_not_a_result() {
    let server = Server::start();
    for path in ["/api", "/api/", "/api/checks", "/api/check/1"] {
        refused(&server.stranger().post(path, "{}"), 404);
    }
}

#[test]
fn a_request_without_credentials_is_401() {
    let server = Server::start();
    let id = server.license("T", "k");
    for (method, path) in [
        ("GET", "/api/licenses".to_owned()),
        ("POST", "/api/licenses".to_owned()),
        ("GET", format!("/api/licenses/{id}")),
        ("PATCH", format!("/api/licenses/{id}")),
        ("DELETE", format!("/api/licenses/{id}")),
    ] {
        let answer = server.stranger().send(
            method,
            &path,
            &[("Content-Type", "application/json")],
            b"{}",
        );
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (
                401,
                r#"{"status":"error","message":"Authentication required"}"#
            )
        );
    }
}

#[test]
fn a_wrong_bearer_token_is_401_even_with_a_valid_cookie() {
    let server = Server::start();
    for value in ["Bearer nonsense", "Bearer ", "Bearer", "Basic YTpi", ""] {
        let answer = server
            .admin()
            .header("Authorization", value)
            .get("/api/licenses");
        refused(&answer, 401);
    }
}

#[test]
fn an_error_outside_the_api_is_a_page() {
    let server = Server::start();
    let answer = server.stranger().get("/nowhere");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (404, "text/html; charset=utf-8")
    );
    assert!(answer.body.contains("<h1"));
}
