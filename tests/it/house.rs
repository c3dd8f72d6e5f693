//! The architecture: imports point only downwards, and inside a room never in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from top to bottom; `api` and `pages` are side by side.
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

/// The rooms that `source` names after `crate::`, groups such as `use crate::{a, b::C}` included.
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

/// Room, path and text of every Rust file but `main.rs` and `lib.rs`.
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
    let files = sources(&src).into_iter();
    files
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .filter_map(inside)
        .collect()
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

/// The path of a module, such as `["store", "search"]` for `store/search.rs` or `store/search/mod.rs`.
type ModulePath = Vec<String>;

/// The tokens that a path may have, without comments and unit tests; everything else is one `.`.
fn tokens(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let code = source.lines().map(|line| line.split("//").next().unwrap());
    let code = code.collect::<Vec<_>>().join("\n").replace("::", "\u{1}");
    let mut tokens: Vec<String> = vec![];
    let mut was_word = false;
    for c in code.chars() {
        let is_word = c.is_alphanumeric() || c == '_';
        match c {
            _ if is_word && was_word => tokens.last_mut().unwrap().push(c),
            _ if is_word || "{},\u{1}".contains(c) => tokens.push(c.to_string()),
            _ if c.is_whitespace() => {}
            _ => tokens.push(".".to_owned()),
        }
        was_word = is_word;
    }
    tokens
}

/// The paths in a group or a path from token `at` on, all with that prefix; returns where it ends.
fn paths_from(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<ModulePath>,
) -> usize {
    let token = |at: usize| tokens.get(at).map_or(".", |token| token);
    let mut path = prefix.to_vec();
    if token(at) == "{" {
        at += 1;
        while !["}", "."].contains(&token(at)) {
            at = match token(at) {
                "," => at + 1,
                _ => paths_from(tokens, at, prefix, paths),
            };
        }
        return at + 1;
    }
    loop {
        path.push(token(at).to_owned());
        match (token(at + 1), token(at + 2)) {
            ("\u{1}", "{") => return paths_from(tokens, at + 2, &path, paths),
            ("\u{1}", _) => at += 2,
            ("as", _) => {
                paths.push(path);
                return at + 3;
            }
            _ => {
                paths.push(path);
                return at + 1;
            }
        }
    }
}

/// Every path that begins with `crate`, `super` or `self`, and in `use` declarations any other too.
fn paths(source: &str) -> Vec<ModulePath> {
    let tokens = tokens(source);
    let mut paths = vec![];
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or(".", |at| &tokens[at]);
        let is_path = tokens.get(at + 1).is_some_and(|next| next == "\u{1}");
        let is_start = ["crate", "super", "self"].contains(&token.as_str()) && before != "\u{1}";
        if is_path && (is_start || before == "use") {
            paths_from(&tokens, at, &[], &mut paths);
        }
    }
    paths
}

/// The modules of a house and what each names.
struct Modules(BTreeMap<ModulePath, Vec<ModulePath>>);

impl Modules {
    fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Modules {
        let module = |(path, source): (&str, &str)| {
            let path = path.strip_suffix(".rs").unwrap();
            let path = path.strip_suffix("/mod").unwrap_or(path);
            let path: ModulePath = path.split('/').map(str::to_owned).collect();
            (path.last().unwrap() != "tests").then(|| (path, paths(source)))
        };
        let mut modules: BTreeMap<_, _> = files.into_iter().filter_map(module).collect();
        // Folders are modules as well, even without anything of their own.
        let paths: Vec<ModulePath> = modules.keys().cloned().collect();
        for path in paths {
            for length in 1..path.len() {
                modules.entry(path[..length].to_vec()).or_default();
            }
        }
        Modules(modules)
    }

    /// The module that a path in the module `from` leads to, through names that a parent takes from
    /// its children.
    fn find(&self, from: &ModulePath, path: &[String]) -> Option<ModulePath> {
        let mut found = match path[0].as_str() {
            "crate" => vec![],
            "self" | "super" => from.clone(),
            child => {
                let found = [&from[..], &[child.to_owned()]].concat();
                self.0.contains_key(&found).then_some(found)?
            }
        };
        for (at, name) in path.iter().enumerate() {
            let inner = [&found[..], std::slice::from_ref(name)].concat();
            match name.as_str() {
                "super" => drop(found.pop()),
                "self" | "crate" => {}
                _ if at == 0 => {}
                _ if self.0.contains_key(&inner) => found = inner,
                _ => {
                    let is_childs = |other: &&ModulePath| {
                        let child = [&found[..], &other[..1]].concat();
                        other.last() == Some(name) && self.0.contains_key(&child)
                    };
                    let taken = self.0.get(&found)?.iter().find(is_childs);
                    return match taken {
                        Some(taken) => self.find(&found, taken),
                        None => Some(found),
                    };
                }
            }
        }
        Some(found)
    }

    /// In each folder, which of its files and folders name which others. A folder is one with all
    /// that is in it; what a file has from the `mod.rs` above it, or that one from the file, counts
    /// only if it is of another file in the end.
    fn neighbors(&self) -> BTreeMap<ModulePath, BTreeMap<&str, BTreeSet<String>>> {
        let mut folders: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
        for (module, paths) in &self.0 {
            for named in paths.iter().filter_map(|path| self.find(module, path)) {
                let both = module.iter().zip(&named);
                let shared = both.take_while(|(a, b)| a == b).count();
                // Imports between rooms are the business of the other test.
                if shared > 0 && shared < module.len().min(named.len()) {
                    let folder = folders.entry(module[..shared].to_vec()).or_default();
                    let names = folder.entry(module[shared].as_str()).or_default();
                    names.insert(named[shared].clone());
                }
            }
        }
        folders
    }

    /// The files and folders that name each other in a circle.
    fn circles(&self) -> Vec<String> {
        let mut circles = vec![];
        for (folder, names) in self.neighbors() {
            let reached = |from: &str| {
                let mut reached = BTreeSet::new();
                let mut next = vec![from.to_owned()];
                while let Some(name) = next.pop() {
                    let named = names.get(name.as_str()).into_iter().flatten();
                    next.extend(
                        named
                            .filter(|name| reached.insert((*name).clone()))
                            .cloned(),
                    );
                }
                reached
            };
            let reached: BTreeMap<&str, _> =
                names.keys().map(|name| (*name, reached(name))).collect();
            let mut seen = BTreeSet::new();
            for (name, others) in &reached {
                let is_back = |other: &&String| {
                    let back = reached.get(other.as_str());
                    back.is_some_and(|back| back.contains(*name))
                };
                let circle: Vec<String> = others.iter().filter(is_back).cloned().collect();
                if others.contains(*name) && seen.insert(circle.clone()) {
                    circles.push(format!("{}: {}", folder.join("/"), circle.join(", ")));
                }
            }
        }
        circles
    }
}

#[test]
fn no_files_of_a_room_import_each_other() {
    let house = house();
    let files = house.iter().map(|(_, path, source)| (&**path, &**source));
    let modules = Modules::new(files);
    let number: usize = modules
        .neighbors()
        .values()
        .flat_map(BTreeMap::values)
        .map(BTreeSet::len)
        .sum();
    assert!(number > 100, "{number}");
    assert_eq!(modules.circles(), Vec::<String>::new());
}

#[test]
fn files_that_import_each_other_are_found() {
    let circles = |files: &[(&str, &str)]| Modules::new(files.iter().copied()).circles();
    let (license, query, parent) = ("model/license.rs", "store/search/query.rs", "store/mod.rs");
    assert_eq!(
        circles(&[
            (license, "use super::{fold, sighting::Sighting};"),
            ("model/sighting.rs", "use crate::model::license::License;"),
            ("model/fold.rs", ""),
        ]),
        ["model: license, sighting"]
    );
    // By a folder, by a name of the parent, and in the middle of a function.
    assert_eq!(
        circles(&[
            ("model/license/mod.rs", "mod fields;"),
            (
                "model/license/fields.rs",
                "use crate::model::{date, check::Check};"
            ),
            ("model/check.rs", "fn f() { super::license::valid() }"),
            ("model/date.rs", "/// See [`super::license`].\nfn day() {}"),
        ]),
        ["model: check, license"]
    );
    assert_eq!(
        circles(&[
            (parent, "mod search;"),
            (
                "store/search/mod.rs",
                "mod query; mod ways; pub use query::{Query as Q, Ask};"
            ),
            (query, "use super::ways::{self, Way};"),
            ("store/search/ways.rs", "use super::Ask;"),
        ]),
        ["store/search: query, ways"]
    );
    assert_eq!(
        circles(&[
            ("store/a.rs", "use super::b;"),
            ("store/b.rs", "use super::c;"),
            ("store/c.rs", "use super::a;"),
            ("store/d.rs", "use super::a;"),
        ]),
        ["store: a, b, c"]
    );
    // A parent and its child belong together, and a test may name what it tests.
    let apart = circles(&[
        (parent, "mod open; use open::open; pub struct Tx;"),
        ("store/open.rs", "use super::{Tx, users};"),
        (
            "store/users.rs",
            "use super::Tx;\n#[cfg(test)]\nmod tests { use crate::store::open; }",
        ),
        ("service/users.rs", "use crate::store::users;"),
    ]);
    assert_eq!(apart, Vec::<String>::new());
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
