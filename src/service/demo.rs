//! Sample licenses, for trials and benchmarks.

use std::net::IpAddr;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use time::{Duration, OffsetDateTime, UtcOffset, Weekday};

use super::Service;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::check::{CheckRecord, ClientInfo, UnlicensedCheck};
use crate::model::date;
use crate::model::license::{Draft, Status, Values, Verdict};
use crate::store::{WriteTx, audit, check_days, checks, licenses, unlicensed_machines};

const AT_ONCE: u32 = 20_000;
const TOOLS: [&str; 6] = [
    "PdfBatchPro",
    "LabelPrinter",
    "ShiftPlanner",
    "CncPostprocessor",
    "InvoiceMail",
    "TurnAssist",
];
const FIRST: [&str; 12] = [
    "Anna", "Jürgen", "Marta", "Tom", "Li", "Priya", "Ole", "Sofia", "Ivan", "Chloé", "Kemal",
    "Ruth",
];
const LAST: [&str; 12] = [
    "Müller", "Novák", "Smith", "Olsen", "Rossi", "García", "Wang", "Dubois", "Kowalski", "Patel",
    "Yılmaz", "Baker",
];
const FIRMS: [&str; 6] = [
    "Schreinerei Huber",
    "Nordic Print AB",
    "Mill & Turn Ltd",
    "Atelier Rossi",
    "Praxis Dr. Wolf",
    "Stahlbau Nord",
];
/// Address prefixes of network adapter makers.
const VENDORS: [&str; 4] = ["00:1b:21", "3c:52:82", "d8:bb:c1", "a4:bb:6d"];

impl Service {
    /// Adds `wanted` licenses from the last two years, oldest first, and returns how many were new.
    pub fn seed_demo(&self, wanted: u32) -> Result<u32, Error> {
        let mut random = SmallRng::seed_from_u64(u64::from(wanted));
        let now = self.clock.now().to_offset(self.utc_offset);
        let mut added = 0;
        self.store.with_large_cache(|| {
            for begin in (0..wanted).step_by(AT_ONCE as usize) {
                self.store.write(|db| {
                    for at in begin..wanted.min(begin + AT_ONCE) {
                        let age = Duration::DAY * 730 * f64::from(wanted - at) / f64::from(wanted);
                        let new = license(&mut random, now)?;
                        match licenses::add(db, &new, now - age) {
                            Ok(id) => {
                                added += 1;
                                if let Some(record) = check_record(&mut random, id, &new, now, age)
                                {
                                    checks::add(db, &[record], self.utc_offset)?;
                                }
                            }
                            Err(Error::Duplicate) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        self.store
            .write(|db| self.seed_checks(db, &mut random, now, added))?;
        let event =
            Event::new(Kind::DemoSeeded, &Actor::command_line()).with("licenses", i64::from(added));
        self.store.write(|db| audit::append(db, event, now))?;
        Ok(added)
    }
}

impl Service {
    /// Recent checks by verdict, fewer on weekends, and some unlicensed machines.
    fn seed_checks(
        &self,
        db: &WriteTx<'_>,
        random: &mut SmallRng,
        now: OffsetDateTime,
        licenses: u32,
    ) -> Result<(), Error> {
        let today = now.to_offset(self.utc_offset).date();
        for ago in 0..35 {
            let day = today - Duration::days(ago);
            let at_work = match day.weekday() {
                Weekday::Saturday | Weekday::Sunday => 0.3,
                _ => 1.0,
            };
            for tool in TOOLS {
                for (verdict, share) in [
                    (Verdict::Valid, 0.25),
                    (Verdict::Expired, 0.02),
                    (Verdict::Suspended, 0.004),
                    (Verdict::Revoked, 0.004),
                    (Verdict::NotFound, 0.008),
                ] {
                    let usual = f64::from(licenses) * share * at_work;
                    let number = usual * random.random_range(0.8..1.2);
                    check_days::add(db, tool, day, verdict, number as u64)?;
                }
            }
        }
        for _ in 0..licenses.min(40) {
            let days: [f64; 2] = [20.0, 9.0].map(|most| random.random_range(0.0..most));
            let [last_at, first_at] =
                [days[0], days[0] + days[1]].map(|days| now - Duration::DAY * days);
            let asked = UnlicensedCheck {
                first_at: first_at.unix_timestamp(),
                last_at: last_at.unix_timestamp(),
                count: random.random_range(1..60),
                address: address(random),
                previous_license_key: None,
                client: client(random).map(|client| (last_at.unix_timestamp(), client)),
                customer: None,
            };
            let tool = TOOLS.choose(random).copied().unwrap_or_default();
            unlicensed_machines::add(db, tool, &machine_id(random), &asked)?;
        }
        Ok(())
    }
}

fn address(random: &mut SmallRng) -> IpAddr {
    let [a, b, ..] = random.random::<u32>().to_be_bytes();
    IpAddr::from([203, 0, a % 114, b])
}

fn license(random: &mut SmallRng, now: OffsetDateTime) -> Result<Values, Error> {
    let tool = TOOLS[..random.random_range(1..=TOOLS.len())].choose(random);
    let mut draft = Draft::new()
        .with("tool_name", tool.copied().unwrap_or_default())
        .with("license_key", machine_id(random))
        .with(
            "status",
            match random.random_range(0..100) {
                0..4 => Status::Suspended.as_str(),
                4..9 => Status::Revoked.as_str(),
                _ => Status::Activated.as_str(),
            },
        );
    if random.random_bool(0.9) {
        draft = draft.with("user_id", customer(random));
    }
    if random.random_bool(0.75) {
        let expires = (now + Duration::days(random.random_range(-60..400))).date();
        draft = draft.with("expiration_date", date::format(expires));
    }
    if random.random_bool(0.05) {
        draft = draft.with("note", "Bought with the workshop’s second machine.");
    }
    Values::parse(&draft)
}

/// The last check of most licenses, usually within the last few days.
fn check_record(
    random: &mut SmallRng,
    license_id: i64,
    license: &Values,
    now: OffsetDateTime,
    age: Duration,
) -> Option<CheckRecord> {
    let most = if random.random_bool(0.8) { 4.0 } else { 200.0 };
    let before = Duration::DAY * random.random_range(0.0..most);
    if before > age || random.random_bool(0.05) {
        return None;
    }
    let at = now - before;
    let verdict = Verdict::on(
        license.status,
        license.expiration_date,
        0,
        at,
        UtcOffset::UTC,
    );
    Some(CheckRecord {
        license_id,
        day: at.date(),
        verdict,
        address: address(random),
        client: client(random),
        first_at: at.unix_timestamp(),
        last_at: at.unix_timestamp(),
        count: random.random_range(1..400),
    })
}

/// Half of the programs report something.
fn client(random: &mut SmallRng) -> Option<Box<ClientInfo>> {
    let version = ["2.4.1", "2.4.0", "2.3.7"].choose(random).copied();
    let user = FIRST.choose(random).copied().unwrap_or_default();
    random.random_bool(0.5).then(|| {
        Box::new(ClientInfo {
            version: version.unwrap_or_default().to_owned(),
            hostname: format!("DESKTOP-{:07X}", random.random::<u32>() >> 4),
            user: user.to_lowercase(),
        })
    })
}

/// Mostly MAC addresses; some mainboard IDs.
fn machine_id(random: &mut SmallRng) -> String {
    let number = random.random::<u64>();
    if number % 10 == 0 {
        let [a, b] = [number >> 48, (number >> 16) & 0xffff_ffff];
        return format!("4c4c4544-{a:04x}-4a10-8051-b8c0{b:08x}");
    }
    let vendor = VENDORS.choose(random).copied().unwrap_or_default();
    let [.., a, b, c] = number.to_be_bytes();
    format!("{vendor}:{a:02x}:{b:02x}:{c:02x}")
}

fn customer(random: &mut SmallRng) -> String {
    let one_of = |random: &mut SmallRng, words: &[&'static str]| {
        words.choose(random).copied().unwrap_or_default()
    };
    let (first, last) = (one_of(random, &FIRST), one_of(random, &LAST));
    if random.random_bool(0.4) {
        return format!("{first} {last}, {}", one_of(random, &FIRMS));
    }
    format!("{first} {last}")
}
