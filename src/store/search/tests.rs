//! Whichever way is gone, the same rows are found.

use std::collections::BTreeMap;

use super::*;
use crate::model::fold::folded;
use crate::model::license::Status;
use crate::model::search::{Days, Ends, Fragment};
use proptest::prelude::*;
use proptest::sample::select;
use time::Date;
use time::macros::date;

const TODAY: Date = date!(2026 - 06 - 15);

/// Few different values, so that everything happens among some dozens of rows.
fn database(seed: u64) -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("../../../schema.sql"))
        .unwrap();
    add_functions(&db).unwrap();
    for tool in ["A", "B", "B b"] {
        db.execute(
            "insert into tools (name, created_at) values (?1, 0)",
            [tool],
        )
        .unwrap();
    }
    let mut random = seed;
    let mut one_of = |values: &[&str]| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        values[(random >> 33) as usize % values.len()].to_owned()
    };
    for n in 0..80 {
        let days = [
            "2026-06-01",
            "2026-06-14",
            "2026-06-15",
            "2026-06-20",
            "2027-01-01",
        ];
        let end = one_of(&[&days[..], &[""]].concat());
        let seen = one_of(&["", "2026-04-01", "2026-06-14", "2026-06-15"]);
        let refused = if one_of(&["", "x"]).is_empty() {
            ""
        } else {
            &seen
        };
        db.execute(
            "insert into licenses (created_at, tool_name, license_key, status, user_id,
                 expiration_date, last_seen_on, refused_on, shared_on, note)
             values (0, ?1, ?2, ?3, nullif(?4, ''), nullif(?5, ''), ?6, ?7, ?8, nullif(?9, ''))",
            [
                one_of(&["A", "B", "B b"]),
                format!("key-{}-{n}", n * 37 % 80),
                one_of(&["activated", "activated", "suspended", "revoked"]),
                one_of(&["", "Anna", "anna", "Öle"]),
                end,
                seen.clone(),
                refused.to_owned(),
                one_of(&["", "", "2026-06-15"]),
                one_of(&["", "old laptop"]),
            ],
        )
        .unwrap();
    }
    db
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
    let ends = prop_oneof![
        Just(None),
        Just(Some(Ends::Never)),
        Just(Some(Ends::NotBefore(TODAY))),
        days.clone().prop_map(|days| Some(Ends::On(days)))
    ];
    let activity = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Activity::Never)),
        1 => days.prop_map(|days| Some(Activity::LastSeen(days))),
        1 => Just(Some(Activity::RefusedSince(date!(2026 - 06 - 14)))),
        1 => Just(Some(Activity::SharedSince(TODAY))),
        1 => Just(Some(Activity::SinceEnd)),
    ];
    let fragment = select(vec![
        "", "", "key-1", "LAP", "k", "nn", "ö", "7", "Öl", "ÖLE", "1-", "zx",
    ]);
    let kind = (
        select(vec![None, Some("B"), Some("C")]),
        select(vec![None, Some(Status::Revoked)]),
    );
    let customer = select(vec![None, None, Some("Anna")]);
    (kind, customer, fragment, ends, activity).prop_map(
        |((tool_name, status), user_id, fragment, ends, activity)| Filter {
            tool_name: tool_name.map(str::to_owned),
            status,
            user_id: user_id.map(str::to_owned),
            fragment: Fragment::parse(fragment),
            ends,
            activity,
        },
    )
}

/// The same, row by row.
fn fits(db: &Connection, filter: &Filter, listed: &Listed) -> bool {
    let license = &listed.license;
    let within = |days: Days, day: Date| {
        days.from.is_none_or(|from| from <= day) && days.until.is_none_or(|until| day <= until)
    };
    let column = |name: &str| -> String {
        let sql = format!("select {name} from licenses where id = ?1");
        db.query_row(&sql, [license.id], |row| row.get(0)).unwrap()
    };
    let texts = [
        Some(&license.tool_name),
        Some(&license.license_key),
        license.user_id.as_ref(),
        license.note.as_ref(),
    ];
    let small = |text: &str| text.to_lowercase().replace('ö', "o");
    let holds = |fragment: &Fragment| {
        let part = small(&fragment.typed);
        texts
            .into_iter()
            .flatten()
            .any(|text| small(text).contains(&part))
    };
    let seen = crate::model::new_license::read_date(&listed.last_seen_on);
    filter
        .tool_name
        .as_ref()
        .is_none_or(|tool| *tool == license.tool_name)
        && filter.status.is_none_or(|status| status == license.status)
        && (filter.user_id.is_none() || filter.user_id == license.user_id)
        && filter.fragment.as_ref().is_none_or(holds)
        && match filter.ends {
            None => true,
            Some(Ends::Never) => license.expiration_date.is_none(),
            Some(Ends::NotBefore(first)) => license.expiration_date.is_none_or(|day| day >= first),
            Some(Ends::On(days)) => license.expiration_date.is_some_and(|day| within(days, day)),
        }
        && match filter.activity {
            None => true,
            Some(Activity::Never) => seen.is_none(),
            Some(Activity::LastSeen(days)) => seen.is_some_and(|day| within(days, day)),
            Some(Activity::RefusedSince(day)) => column("refused_on") >= format_date(day),
            Some(Activity::SharedSince(day)) => column("shared_on") >= format_date(day),
            Some(Activity::SinceEnd) => seen > license.expiration_date.or(Some(Date::MAX)),
        }
}

fn all(db: &Connection) -> Vec<Listed> {
    list_by(db, &Filter::default(), &Piece::after(0, 1_000), Way::Order).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whichever_way_is_gone_every_page_has_the_rows_that_fit(
        seed in 0u64..20, filter in filter(), order in select(Order::ALL.to_vec()),
        is_descending in any::<bool>(), limit in 1i64..30, most in 0i64..60,
    ) {
        let db = database(seed);
        let mut expected: Vec<Listed> =
            all(&db).into_iter().filter(|listed| fits(&db, &filter, listed)).collect();
        let mark = |listed: &Listed| Mark { value: order.0.value(listed), id: listed.license.id };
        expected.sort_by_key(mark);
        if is_descending {
            expected.reverse();
        }
        for way in ways(&filter).chain([Way::Order]) {
            let mut found: Vec<Listed> = Vec::new();
            loop {
                let piece = Piece {
                    order: order.0,
                    is_descending,
                    beyond: found.last().map(mark),
                    limit,
                };
                let rows = list_by(&db, &filter, &piece, way).unwrap();
                if rows.is_empty() {
                    break;
                }
                let of_page = page(&db, &filter, &piece).unwrap();
                let number = Count::Exactly(expected.len() as i64);
                prop_assert_eq!(of_page, (rows.clone(), number));
                let tried = tried(&db, &filter, &piece, most).unwrap();
                let listed: Vec<Mark> = rows.iter().map(mark).collect();
                prop_assert!(tried.is_none_or(|tried| tried == listed));
                if let Some(ids) = met(&db, &filter).unwrap() {
                    prop_assert_eq!(&of_ids(&db, &ids, &piece).unwrap(), &rows);
                }
                found.extend(rows);
            }
            let ids = |rows: &[Listed]| rows.iter().map(|row| row.license.id).collect::<Vec<_>>();
            prop_assert_eq!(ids(&found), ids(&expected), "{:?}", way);
        }
        prop_assert_eq!(count(&db, &filter).unwrap(), Count::Exactly(expected.len() as i64));
        let mut numbers: Vec<i64> = expected.iter().map(|row| row.license.id).collect();
        numbers.sort_unstable();
        prop_assert_eq!(ids(&db, &filter, 1_000).unwrap(), numbers);
    }
}

/// What a short fragment begins is found by our own rule, what a longer one finds by SQLite's.
#[test]
fn letters_are_folded_as_sqlite_folds_them() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "create virtual table texts using fts5 (text, tokenize = 'trigram remove_diacritics 1');
         create virtual table terms using fts5vocab (texts, instance)",
    )
    .unwrap();
    // SQLite knows the letters of Unicode 6.1, and leaves one of them as it is.
    let is_younger = |c: char| {
        matches!(c, 'Ǡ' | 'ǡ' | '\u{37f}' | '\u{528}'..='\u{52f}' | '\u{13a0}'..='\u{13ff}'
            | '\u{1c80}'..='\u{1cbf}' | '\u{2c2f}' | '\u{a698}'..='\u{a69b}' | '\u{a796}'..='\u{a7ff}'
            | '\u{fffe}'..='\u{ffff}' | '\u{104b0}'..)
    };
    let letters = ('\u{20}'..'\u{10500}').filter(|c| !is_younger(*c));
    for letter in letters.clone() {
        db.prepare_cached("insert into texts (rowid, text) values (?1, ?2 || char(3, 3))")
            .unwrap()
            .execute((u32::from(letter), letter.to_string()))
            .unwrap();
    }
    let mut statement = db
        .prepare("select doc, term from terms where offset = 0")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let terms: BTreeMap<u32, String> = rows.unwrap().map(Result::unwrap).collect();
    for letter in letters {
        let theirs = terms.get(&u32::from(letter)).map_or("", String::as_str);
        let ours = folded(&letter.to_string());
        assert_eq!(ours, theirs.trim_end_matches('\u{3}'), "{letter:?}");
    }
}
