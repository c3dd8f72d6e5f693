//! Whichever way is gone, the same rows are found.

use super::*;
use crate::model::search::Days;
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
        "", "", "key-1", "LAP", "k", "nn", "ö", "7", "Öl", "zx",
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
    let holds = |fragment: &Fragment| {
        let is_short = fragment.typed.chars().count() < 3;
        texts.into_iter().flatten().any(|text| {
            // SQLite's `like` knows the two cases of ASCII only.
            let lower = |text: &str| match is_short {
                true => text.to_ascii_lowercase(),
                false => text.to_lowercase(),
            };
            lower(text).contains(&lower(&fragment.typed))
        })
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
                let tried = tried(&db, &filter, &piece, most).unwrap();
                let listed: Vec<Mark> = rows.iter().map(mark).collect();
                prop_assert!(tried.is_none_or(|tried| tried == listed));
                if is_indexed(&filter) {
                    let met = of_ids(&db, &met(&db, &filter).unwrap(), &piece).unwrap();
                    prop_assert_eq!(&met, &rows);
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

/// A short fragment is looked for among those that a trigram leads to: none may be missing there.
#[test]
fn a_letter_of_any_script_is_found_by_its_trigrams() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("../../../schema.sql"))
        .unwrap();
    let letters: Vec<char> = ('\u{21}'..'\u{600}')
        .chain('\u{1e00}'..'\u{2000}')
        .chain(['が', '李', '한', '\u{10400}', '😀'])
        .filter(|c| !c.is_control())
        .collect();
    db.execute_batch("insert into tools (name, created_at) values ('T', 0)")
        .unwrap();
    for letter in &letters {
        db.execute(
            "insert into licenses (created_at, tool_name, license_key, status, user_id)
             values (0, 'T', ?1, 'activated', ?2)",
            [format!("{:x}", u32::from(*letter)), format!("{letter}")],
        )
        .unwrap();
    }
    for (letter, id) in letters.iter().zip(1..) {
        let fragment = Fragment::parse(&letter.to_string());
        let Some(fragment) = fragment else { continue };
        let query = Query::short(&fragment).unwrap();
        let ids: Vec<i64> = query.run(&db, "doc", "", |row| row.get(0)).unwrap();
        assert!(ids.contains(&id), "{letter:?} {:x}", u32::from(*letter));
    }
}
