//! The architecture: imports point only downwards.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from top to bottom; `api` and `pages` stand side by side.
const ROOMS: [&[&str]; 11] = [
    &["commands"],
    &["server"],
    &["api", "pages"],
    &["auth"],
    &["request"],
    &["service"],
    &["store"],
    &["model"],
    &["log"],
    &["config", "clock"],
    &["error"],
];

fn height(room: &str) -> Option<usize> {
    ROOMS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that `source` names behind `crate::`, groups such as `use crate::{a, b::C}` included.
fn rooms_named(source: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for after in source.split("crate::").skip(1) {
        let (group, single) = match after.strip_prefix('{') {
            Some(group) => (
                group.split_once("};").map_or(group, |(group, _)| group),
                false,
            ),
            None => (after, true),
        };
        let mut depth = 0;
        let mut word = String::new();
        for c in group.chars().chain([',']) {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                _ if depth == 0 && !word.is_empty() => {
                    if height(&word).is_some() {
                        rooms.push(word.clone());
                    }
                    word.clear();
                    if single {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    rooms
}

fn forbidden(room: &str, source: &str) -> Vec<String> {
    let own = height(room).unwrap_or(0);
    let is_above =
        |named: &String| named != room && height(named).is_some_and(|other| other <= own);
    rooms_named(source).into_iter().filter(is_above).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Room, path and text of every file but `main.rs` and `lib.rs`.
fn house() -> Vec<(String, String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = |path: PathBuf| {
        let inner = path
            .strip_prefix(&src)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let room = inner.split(['/', '.']).next().unwrap().to_owned();
        height(&room)
            .is_some()
            .then(|| (room, inner, fs::read_to_string(&path).unwrap()))
    };
    sources(&src).into_iter().filter_map(inside).collect()
}

#[test]
fn imports_point_only_downwards() {
    let house = house();
    assert!(house.len() > 30);
    for (room, path, source) in house {
        assert_eq!(forbidden(&room, &source), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn an_import_that_points_up_is_found() {
    assert_eq!(
        forbidden("store", "use crate::service::Service;"),
        ["service"]
    );
    assert_eq!(
        forbidden("model", "use crate::{clock, store::{users, Store}, error};"),
        ["store"]
    );
    assert_eq!(
        forbidden("api", "fn f() { crate::pages::show() }"),
        ["pages"]
    );
    assert!(forbidden("api", "use crate::{api::Answer, auth::Reader, service};").is_empty());
}

#[test]
fn each_tool_is_named_in_its_room_only() {
    for (word, home) in [
        ("rusqlite", "store/"),
        ("askama", "pages/"),
        ("now_utc", "clock.rs"),
        ("env::var", "config.rs"),
        ("argon2", "service/passwords.rs"),
    ] {
        let elsewhere = |(_, path, source): &(String, String, String)| {
            !path.starts_with(home) && source.contains(word)
        };
        let found: Vec<String> = house()
            .into_iter()
            .filter(elsewhere)
            .map(|(_, path, _)| path)
            .collect();
        assert_eq!(found, Vec::<String>::new(), "{word}");
        assert!(
            house()
                .iter()
                .any(|(_, path, source)| path.starts_with(home) && source.contains(word)),
            "{word}"
        );
    }
}
