//! Properties of the parsers, each with a thousand values.

use license_server::config::Config;
use license_server::error::Error;
use license_server::model::audit::{
    Detail, Details, Event, HashLength, Kind, Nameless, Personal, link,
};
use license_server::model::date;
use license_server::model::fold::folded;
use license_server::model::license::{Draft, Status, Values};
use license_server::model::mac::{canonical_key, fragment_spellings};
use license_server::model::question::Question;
use license_server::model::search::{SEARCH_LENGTH, Word};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value};
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// Properties are tested with the same values each time, so that a failure can be repeated.
pub fn cases(number: u32) -> ProptestConfig {
    ProptestConfig {
        cases: number,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(15_062_026),
        ..ProptestConfig::default()
    }
}

/// What a person, a script or an attacker may send.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        any::<String>(),
        "[ \\t\\n\\x00-\\x1f\\x7f\\u{85}\\u{a0}\\u{feff}aZ]{0,8}",
        "[\\u{200b}\\u{202e}\\u{2028} aZ]{0,4}",
        "[ä ]{98,103}",
        "[k ]{253,258}",
        mac().prop_map(|digits| spellings(&digits)[1].clone()),
    ]
}

/// Twelve hexadecimal digits in both cases.
fn mac() -> impl Strategy<Value = String> {
    "[0-9a-fA-F]{12}"
}

/// The common spellings of these digits.
fn spellings(digits: &str) -> [String; 4] {
    let in_groups = |size: usize, separator: &str| {
        let groups = digits.as_bytes().chunks(size);
        let groups: Vec<_> = groups.map(String::from_utf8_lossy).collect();
        groups.join(separator)
    };
    [
        in_groups(2, ":"),
        in_groups(2, "-"),
        in_groups(4, "."),
        digits.to_owned(),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let status = prop_oneof![3 => "(activated|suspended|revoked) ?", 1 => text()];
    let date =
        prop_oneof![1 => Just(String::new()), 2 => "20[0-9]{2}-[01][0-9]-[0-3][0-9]", 1 => text()];
    (text(), text(), status, text(), date).prop_map(
        |(tool_name, license_key, status, user_id, expiration_date)| {
            Draft::new()
                .with("tool_name", tool_name)
                .with("license_key", license_key)
                .with("status", status)
                .with("user_id", user_id)
                .with("expiration_date", expiration_date)
        },
    )
}

fn is_plain(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.chars().count()) && !text.contains(char::is_control)
}

/// Unicode 16, categories Cf, Zl and Zp.
const INVISIBLE: [(u32, u32); 21] = [
    (0xad, 0xad),
    (0x600, 0x605),
    (0x61c, 0x61c),
    (0x6dd, 0x6dd),
    (0x70f, 0x70f),
    (0x890, 0x891),
    (0x8e2, 0x8e2),
    (0x180e, 0x180e),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x2064),
    (0x2066, 0x206f),
    (0xfeff, 0xfeff),
    (0xfff9, 0xfffb),
    (0x110bd, 0x110bd),
    (0x110cd, 0x110cd),
    (0x13430, 0x1343f),
    (0x1bca0, 0x1bca3),
    (0x1d173, 0x1d17a),
    (0xe0001, 0xe0001),
    (0xe0020, 0xe007f),
];

fn is_invisible(c: char) -> bool {
    let c = u32::from(c);
    INVISIBLE
        .iter()
        .any(|(from, to)| (*from..=*to).contains(&c))
}

fn seen(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c))
}

/// What a tool name or a license key may be.
fn is_seen(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    is_plain(text, lengths) && !text.contains(is_invisible)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let name = prop_oneof![
            "tool_name|license_key|status|user_id|expiration_date|note",
            text()
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Short values, so that a hash over ambiguous boundaries would collide. Of a personal value the chain
/// has the commitment only.
fn event() -> impl Strategy<Value = Event> {
    let word = || "[a,\"\\[\\]n]{0,3}";
    let personal = || {
        word().prop_map(|commitment| Personal {
            text: None,
            id: 0,
            commitment,
        })
    };
    let detail = prop_oneof![
        word().prop_map(Detail::Text),
        (0..2i64).prop_map(Detail::Number),
        personal().prop_map(Detail::Personal),
    ];
    let details = prop::collection::btree_map(word(), detail, 0..3).prop_map(Details);
    let license_id = prop::option::of(0..2i64);
    (
        0..Kind::ALL.len(),
        personal(),
        personal(),
        license_id,
        details.clone(),
        details,
    )
        .prop_map(|(kind, who, address, license_id, before, after)| Event {
            kind: Kind::ALL[kind],
            who,
            address,
            license_id,
            code_id: None,
            before,
            after,
            told: None,
            nameless: Nameless::default(),
        })
}

fn setting(name: &str, value: &str) -> Result<Config, String> {
    let variable = format!("LICENSE_SERVER_{}", name.to_uppercase());
    Config::load(None, std::iter::once((variable, value.to_owned()))).map_err(|refusal| refusal.0)
}

const SETTINGS: [&str; 10] = [
    "address",
    "port",
    "data_dir",
    "public_url",
    "utc_offset",
    "trusted_proxies",
    "session_idle_minutes",
    "session_hours",
    "log_format",
    "log_checks",
];

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_check_accepts_exactly_the_values_of_a_license(tool in text(), key in text()) {
        let (row_tool, row_key) = (seen(&tool), seen(&key));
        let good = is_seen(row_tool, 1..=100) && is_seen(row_key, 1..=255);
        match Question::parse(&tool, &key) {
            Ok(question) => {
                prop_assert!(good);
                prop_assert_eq!(question.tool_name, row_tool);
                prop_assert_eq!(question.license_key, canonical_key(row_key));
            }
            Err(error) => prop_assert!(!good && error.status() == 422, "{:?}", error),
        }
    }

    #[test]
    fn a_license_is_accepted_when_every_field_is_valid(draft in draft()) {
        let typed = |name: &str| draft.get(name).trim();
        let day = typed("expiration_date");
        let overrides = ['\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}'];
        let good = is_seen(seen(draft.get("tool_name")), 1..=100)
            && is_seen(seen(draft.get("license_key")), 1..=255)
            && is_plain(typed("user_id"), 0..=255)
            && !typed("user_id").contains(overrides)
            && Status::from_word(typed("status")).is_some()
            && (day.is_empty() || date::read(day).is_some());
        match Values::parse(&draft) {
            Ok(_) => prop_assert!(good),
            Err(Error::Invalid(problems)) => prop_assert!(!good && !problems.is_empty()),
            Err(other) => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_stored_license_is_found_and_can_be_saved_unchanged(draft in draft()) {
        let Ok(new) = Values::parse(&draft) else { return Ok(()) };
        let found = Question::parse(&new.tool_name, &new.license_key).unwrap();
        prop_assert_eq!((found.tool_name, &*found.license_key), (&*new.tool_name, &*new.license_key));
        prop_assert_eq!(Values::parse(&Draft::from(&new)).unwrap(), new);
    }

    #[test]
    fn a_change_is_read_from_json_or_rejected(value in json()) {
        let text = value.to_string();
        let read = serde_json::from_str::<Draft>(&text);
        if let Value::Object(fields) = &value {
            prop_assert_eq!(read.is_ok(), fields_are_texts(fields), "{}", text);
        }
        if let Ok(change) = read {
            let new = change.over(Draft::new().with("user_id", "old"));
            let expected = match value.get("user_id") {
                None if value.is_object() => "old",
                Some(Value::String(text)) => text,
                _ if value.is_object() => "",
                _ => return Ok(()),
            };
            prop_assert_eq!(new.get("user_id"), expected);
        }
    }

    #[test]
    fn a_canonical_key_stays_the_same(key in text()) {
        let once = canonical_key(&key).into_owned();
        prop_assert_eq!(canonical_key(&once), once.as_str());
    }

    #[test]
    fn the_four_spellings_of_a_mac_address_are_one_key(digits in mac()) {
        let [colons, others @ ..] = spellings(&digits);
        let stored = colons.to_ascii_lowercase();
        prop_assert_eq!(canonical_key(&colons), stored.as_str());
        for other in others {
            prop_assert_eq!(canonical_key(&other), stored.as_str());
        }
    }

    #[test]
    fn only_a_mac_address_is_read_as_one(key in "[0-9a-fA-FgG:.\\- ä]{10,18}") {
        let digits: String = key.chars().filter(char::is_ascii_hexdigit).collect();
        let is_mac = digits.len() == 12 && spellings(&digits).contains(&key);
        prop_assert_eq!(is_mac, canonical_key(&key) == spellings(&digits.to_ascii_lowercase())[0], "{}", key);
    }

    #[test]
    fn any_part_of_any_spelling_finds_the_stored_key(
        digits in mac(), spelling in 0..4usize, from in 0..17usize, length in 1..=17usize,
    ) {
        let stored = canonical_key(&digits).into_owned();
        let piece: String = spellings(&digits)[spelling].chars().skip(from).take(length).collect();
        if piece.contains(|c: char| c.is_ascii_hexdigit()) {
            let found = fragment_spellings(&piece).iter().any(|s| stored.contains(s.as_str()));
            prop_assert!(found, "{} in {}: {:?}", piece, stored, fragment_spellings(&piece));
        }
    }

    #[test]
    fn a_search_has_no_empty_word_and_none_with_a_control_character(typed in text()) {
        let visible = typed.replace(char::is_control, " ");
        match Word::parse_all(&typed) {
            Err(problem) => {
                let is_long = typed.trim().chars().count() > SEARCH_LENGTH;
                let has_many = visible.split_whitespace().count() > 10;
                prop_assert!(problem.field == "q" && (is_long || has_many), "{}", problem.message);
            }
            Ok(words) => {
                let is_accents = |word: &str| folded(word).is_empty();
                prop_assert_eq!(words.is_empty(), visible.split_whitespace().all(is_accents));
                let fits = |s: &String| !s.is_empty() && !s.contains(char::is_control) && !s.contains(' ');
                prop_assert!(words.iter().all(|word| !word.spellings.is_empty() && word.spellings.iter().all(fits)));
            }
        }
    }

    #[test]
    fn a_date_is_a_calendar_day(typed in "[0-9]{4}-([01][0-9]|[0-9]{2})-([0-3][0-9]|[0-9]{2})") {
        let calendar = Date::parse(&typed, format_description!("[year]-[month]-[day]"));
        let calendar = calendar.ok().filter(|date| date.year() >= 1);
        prop_assert_eq!(date::read(&typed), calendar);
    }

    #[test]
    fn every_date_is_read_as_it_is_written(day in 1_721_426..=5_373_484i32) {
        let date = Date::from_julian_day(day).unwrap();
        prop_assert_eq!(date::read(&date::format(date)), Some(date));
    }

    #[test]
    fn no_other_text_is_a_date(typed in prop_oneof![text(), "[-+0-9０/ T]{8,11}"]) {
        if let Some(date) = date::read(&typed) {
            prop_assert_eq!(date::format(date), typed);
        }
    }

    #[test]
    fn an_invalid_setting_is_named_with_its_source(at in 0..SETTINGS.len(), value in text()) {
        let name = SETTINGS[at];
        if let Err(refusal) = setting(name, &value) {
            prop_assert!(refusal.contains(&format!("`{name}`")), "{}", refusal);
            prop_assert!(refusal.contains("LICENSE_SERVER_"), "{}", refusal);
        }
    }

    #[test]
    fn any_offset_is_read_to_the_minute(west in any::<bool>(), hours in 0..=11i32, minutes in 0..=59i32) {
        let sign = if west { '-' } else { '+' };
        let config = setting("utc_offset", &format!("{sign}{hours:02}:{minutes:02}")).unwrap();
        let seconds = (hours * 60 + minutes) * 60;
        prop_assert_eq!(config.utc_offset.whole_seconds(), if west { -seconds } else { seconds });
    }

    #[test]
    fn a_public_url_is_an_origin_and_a_path_without_a_trailing_slash(
        url in prop_oneof!["(http|HTTPS|ftp)://[a-zA-Z0-9.:@\\[\\]?#%/_~-]{0,20}", text()],
    ) {
        if let Ok(config) = setting("public_url", &url) {
            let (origin, path) = (config.origin(0), config.base_path());
            let host = origin.strip_prefix("http://").or(origin.strip_prefix("https://")).unwrap();
            prop_assert!(!host.is_empty() && !host.contains(['/', '@', '?', '#', '%']), "{}", origin);
            prop_assert!(path.is_empty() || path.starts_with('/') && !path.ends_with('/'), "{}", path);
            prop_assert!(!path.contains("//") && !path.contains("/."), "{}", path);
            prop_assert_eq!(config.is_https(), origin.starts_with("https:"));
        }
    }

    #[test]
    fn a_hash_differs_when_anything_differs(
        (one, two) in (event(), event()),
        (first, second) in ("[a\"]{0,2}", "[a\"]{0,2}"),
        ids in (0..3i64, 0..3i64),
    ) {
        let at = OffsetDateTime::UNIX_EPOCH;
        let same = (&first, ids.0, &one) == (&second, ids.1, &two);
        let link = |previous, id, event| link(HashLength::Whole, previous, id, at, event);
        prop_assert_eq!(link(&first, ids.0, &one) == link(&second, ids.1, &two), same);
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn an_invalid_settings_file_is_named(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "([a-z_]{1,9} = ['\"\\[{0-9ä]{0,4}\n){0,4}".prop_map(String::into_bytes),
        ],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, bytes).unwrap();
        if let Err(refusal) = Config::load(Some(&file), std::iter::empty()) {
            prop_assert!(refusal.0.contains("settings.toml"), "{}", refusal.0);
        }
    }
}

fn fields_are_texts(fields: &Map<String, Value>) -> bool {
    let names = [
        "tool_name",
        "license_key",
        "status",
        "user_id",
        "expiration_date",
        "note",
    ];
    let values = names.iter().filter_map(|name| fields.get(*name));
    values
        .into_iter()
        .all(|value| value.is_null() || value.is_string())
}
