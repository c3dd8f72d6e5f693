//! Every search strategy must find the same rows.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use rusqlite::Connection;
use time::macros::date;

use super::super::postgres::scratch::Scratch;
use super::super::{WRITE_WAIT, open};
use super::*;
use crate::model::license::{Draft, Values};
use crate::model::search::Word;

const TODAY: Date = date!(2026 - 06 - 15);

const DAYS: [&str; 6] = [
    "",
    "2026-04-01",
    "2026-06-01",
    "2026-06-14",
    "2026-06-15",
    "2027-01-01",
];

/// Few distinct values, so that everything happens within a few dozen rows.
fn database(seed: u64) -> Db {
    let mut connection = Connection::open_in_memory().unwrap();
    open::migrate(&mut connection, 0).unwrap();
    let db = Db::Sqlite(connection);
    fill(&db, seed);
    db
}

/// Begins without licenses.
fn fill(db: &Db, seed: u64) {
    for tool in ["A", "B", "B b"] {
        let sql = "insert into tools (name, created_at) values (?1, 0)";
        db.run(sql, &[&tool]).unwrap();
    }
    let mut random = seed;
    let mut one_of = |values: &[&str]| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        values[(random >> 33) as usize % values.len()].to_owned()
    };
    for n in 0_i64..80 {
        let mut draft = Draft::new()
            .with("tool_name", one_of(&["A", "B", "B b"]))
            .with("license_key", format!("key-{}-{n}", n * 37 % 80))
            .with(
                "status",
                one_of(&["activated", "activated", "suspended", "revoked"]),
            )
            .with("user_id", one_of(&["", "Anna", "anna", "Öle Łuk", "Groß"]))
            .with("expiration_date", one_of(&DAYS));
        draft.set("note", one_of(&["", "old laptop"]));
        let values = Values::parse(&draft).unwrap();
        let seen = one_of(&["", "2026-04-01", "2026-06-14", "2026-06-15"]);
        let refused = if one_of(&["", "x"]).is_empty() {
            ""
        } else {
            &seen
        };
        let expires = match values.expiration_date {
            Some(day) => date::format(day),
            None => NEVER.to_owned(),
        };
        let id: i64 = db
            .one(
                "insert into licenses (created_at, tool_name, license_key, status, user_id,
                     expiration_date, note, last_seen_on, refused_on, shared_on,
                     address_count, seen_version, trial)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) returning id",
                &[
                    &(n * 7 % 20),
                    &values.tool_name,
                    &values.license_key,
                    &values.status.as_str(),
                    &values.user_id.clone().unwrap_or_default(),
                    &expires,
                    &values.note.clone().unwrap_or_default(),
                    &seen,
                    &refused,
                    &one_of(&["", "", "2026-06-15"]),
                    &(n % 3),
                    &one_of(&["", "1.0", "2.0"]),
                    &one_of(&["", "", YES]),
                ],
                |row| row.get(0),
            )
            .unwrap();
        texts::insert(db, id, &values.search_text()).unwrap();
    }
    // IDs have gaps, and the index has had rows that were deleted.
    for id in [3, 40, 77] {
        let license = licenses::get(db, id).unwrap().unwrap();
        texts::remove(db, id, &license.search_text()).unwrap();
        db.run("delete from licenses where id = ?1", &[&id])
            .unwrap();
    }
}

fn filter() -> impl Strategy<Value = Filter> {
    let days = (
        select(vec![None, Some(date!(2026 - 06 - 14)), Some(TODAY)]),
        any::<bool>(),
    );
    let days = days.prop_map(|(from, is_open)| Days {
        from,
        until: (!is_open).then_some(date!(2026 - 06 - 30)),
    });
    let expires = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Expires::Never)),
        1 => Just(Some(Expires::NotBefore(TODAY))),
        2 => days.clone().prop_map(|days| Some(Expires::On(days)))
    ];
    let activity = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Activity::Never)),
        1 => days.prop_map(|days| Some(Activity::LastSeen(days))),
        1 => Just(Some(Activity::RefusedSince(date!(2026 - 06 - 14)))),
        1 => Just(Some(Activity::SharedSince(TODAY))),
        1 => Just(Some(Activity::AfterExpiration)),
    ];
    let words = select(vec![
        "",
        "",
        "",
        "key-1",
        "LAP",
        "k",
        "nn",
        "ö",
        "7",
        "Öl",
        "ole luk",
        "1- a",
        "zx",
        "gross key",
        "old an",
    ]);
    let kind = (
        select(vec![None, Some("B"), Some("C")]),
        select(vec![None, Some(Status::Revoked), Some(Status::Activated)]),
    );
    let customer = select(vec![None, None, Some("Anna")]);
    let version = select(vec![None, None, None, Some("1.0"), Some("3.0")]);
    let is_trial = select(vec![None, None, Some(true), Some(false)]);
    (
        kind,
        (customer, version, is_trial),
        words,
        expires,
        activity,
    )
        .prop_map(
            |((tool_name, status), (user_id, version, is_trial), words, expires, activity)| {
                Filter {
                    tool_name: tool_name.map(str::to_owned),
                    status,
                    user_id: user_id.map(str::to_owned),
                    words: Word::parse_all(words).unwrap(),
                    expires,
                    activity,
                    version: version.map(str::to_owned),
                    is_trial,
                }
            },
        )
}

/// The matching licenses, found row by row, with the place of each in the order.
fn expected(db: &Db, filter: &Filter, order: Order) -> Vec<Cursor> {
    let sql = format!("select {} from licenses", columns(order));
    let mut found = Vec::new();
    db.each(&sql, &[], |row| {
        if matches(filter, row)? {
            found.push(cursor_in(row, order)?);
        }
        Ok(true)
    })
    .unwrap();
    found.sort();
    found
}

/// What is looked for in which rows, and how.
type Case = (u64, Filter, (Order, &'static str), bool, usize, usize);

fn case() -> impl Strategy<Value = Case> {
    (
        0u64..20,
        filter(),
        select(Order::ALL.to_vec()),
        any::<bool>(),
        1usize..30,
        0usize..90,
    )
}

/// In a database with the rows of that case.
fn every_way_agrees(db: &Db, case: &Case) -> Result<(), TestCaseError> {
    let (_, filter, (order, _), is_descending, limit, max) = case;
    let (order, is_descending, limit, max) = (*order, *is_descending, *limit, *max);
    let mut all = expected(db, filter, order);
    let conditions = conditions(db, filter);
    let gathered = match gather(db, filter, &conditions, order, max).unwrap() {
        Found::All(found) => found,
        Found::More(_) => {
            prop_assert!(all.len() > max);
            all.clone()
        }
    };
    prop_assert_eq!(&gathered, &all);
    let common = common_ids(db, filter, &conditions).unwrap();
    let candidates = common_ids(db, filter, &conditions).unwrap();
    match compare(db, filter, candidates, false, order, usize::MAX).unwrap() {
        Found::All(mut found) => {
            found.sort();
            prop_assert_eq!(&found, &all);
        }
        Found::More(_) => prop_assert!(false),
    }
    let mut ids: Vec<i64> = all.iter().map(|cursor| cursor.id).collect();
    ids.sort_unstable();
    prop_assert_eq!(super::ids(db, filter, 1_000).unwrap(), Some(ids.clone()));
    let mut in_order: Vec<i64> = all.iter().map(|cursor| cursor.id).collect();
    if is_descending {
        in_order.reverse();
    }
    let found = ids_in_order(db, filter, order, is_descending, 1_000).unwrap();
    prop_assert_eq!(found, Some(in_order));
    prop_assert_eq!(count(db, filter).unwrap(), Count::Exactly(all.len() as i64));
    let (mut walked, mut next) = (Vec::new(), Some(0));
    while let Some(after) = next {
        let rows;
        (rows, next) = walk_by_id(db, filter, after, limit).unwrap();
        walked.extend(rows.into_iter().map(|row| row.license.id));
    }
    prop_assert_eq!(&walked, &ids);
    if is_descending {
        all.reverse();
    }
    let mut after: Option<Cursor> = None;
    let mut rest = &all[..];
    loop {
        let wanted = Page {
            order,
            is_descending,
            after: after.clone(),
            limit,
        };
        let (here, later) = rest.split_at(limit.min(rest.len()));
        let ids: Vec<i64> = here.iter().map(|cursor| cursor.id).collect();
        let of_page = |rows: Vec<ListedLicense>| -> Vec<Cursor> {
            rows.iter().map(|row| order.cursor(row)).collect()
        };
        prop_assert_eq!(of_page(list(db, filter, &wanted).unwrap()), here);
        let along = walk(db, filter, &conditions, &wanted).unwrap();
        prop_assert_eq!(along.map(of_page), Some(here.to_vec()));
        let past = walk_past(db, filter, &common, &wanted).unwrap();
        prop_assert_eq!(of_page(past), here);
        let Some(last) = here.last() else {
            break;
        };
        let text = last.in_address();
        after = order.read_cursor(&text);
        prop_assert_eq!(after.as_ref(), Some(last));
        prop_assert!(!ids.is_empty());
        rest = later;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_way_finds_the_rows_that_match(case in case()) {
        every_way_agrees(&database(case.0), &case)?;
    }
}

#[test]
fn every_way_finds_them_on_postgres() {
    let Some(scratch) = Scratch::new("search") else {
        return;
    };
    let db = &scratch.db;
    let looked_for = |case: Case| {
        // Rolled back afterwards, which takes less time than another database.
        db.begin_write(WRITE_WAIT).unwrap();
        db.run("alter sequence licenses_id_seq restart", &[])
            .unwrap();
        fill(db, case.0);
        let agreed = every_way_agrees(db, &case);
        db.roll_back();
        agreed
    };
    // Fewer, because each row is asked for over a connection.
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(60)
    };
    let mut runner = TestRunner::new(config);
    runner.run(&case(), looked_for).unwrap();
}

#[test]
fn letters_that_people_write_differently_are_found() {
    let scratch = Scratch::new("letters");
    if let Some(Scratch { db, .. }) = &scratch {
        fill(db, 1);
        people_find_letters(db);
    }
    people_find_letters(&database(1));
}

fn people_find_letters(db: &Db) {
    let values = Values::parse(
        &Draft::new()
            .with("tool_name", "A")
            .with("license_key", "k")
            .with("user_id", "Yılmaz Straße Søren Łódź"),
    );
    texts::insert(db, 1, &values.unwrap().search_text()).unwrap();
    for word in [
        "yilmaz", "YILMAZ", "strasse", "Straße", "soren", "lodz", "ß", "ł",
    ] {
        let words = Word::parse_all(word).unwrap();
        let found = texts::having_word(db, &words[0]);
        let ids = db.all(&found.sql, &refs(&found.values), |row| row.get(0));
        let ids: Vec<i64> = ids.unwrap();
        assert!(ids.contains(&1), "{word}");
    }
}
