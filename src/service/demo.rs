//! Invented licenses, for trying things out and for measuring.

use std::net::IpAddr;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use time::{Duration, OffsetDateTime, UtcOffset, Weekday};

use super::Service;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind};
use crate::model::license::{Status, Verdict};
use crate::model::new_license::NewLicense;
use crate::model::sighting::{Asked, Said, Sighting};
use crate::store::{Writing, audit, check_days, licenses, sightings, unknown_keys};

const AT_ONCE: u32 = 100_000;
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
/// The makers of network adapters.
const VENDORS: [&str; 4] = ["00:1b:21", "3c:52:82", "d8:bb:c1", "a4:bb:6d"];

impl Service {
    /// Adds `wanted` licenses of the last two years, oldest first, and returns how many were new.
    pub fn seed_demo(&self, wanted: u32) -> Result<u32, Error> {
        let mut invented = SmallRng::seed_from_u64(u64::from(wanted));
        let now = self.clock.now();
        let mut added = 0;
        self.store.expect_much()?;
        for begin in (0..wanted).step_by(AT_ONCE as usize) {
            self.store.write(|db| {
                for at in begin..wanted.min(begin + AT_ONCE) {
                    let age = Duration::DAY * 730 * f64::from(wanted - at) / f64::from(wanted);
                    let new = license(&mut invented, now);
                    match licenses::add(db, &new, now - age) {
                        Ok(id) => {
                            added += 1;
                            if let Some(seen) = sighting(&mut invented, id, &new, now, age) {
                                sightings::add(db, &[seen], self.utc_offset)?;
                            }
                        }
                        Err(Error::Duplicate) => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            })?;
        }
        self.store
            .write(|db| self.seed_checks(db, &mut invented, now, added))?;
        let event =
            Event::new(Kind::DemoSeeded, &Actor::command_line()).with(json!({"licenses": added}));
        self.store.write(|db| Ok(audit::append(db, &event, now)?))?;
        Ok(added)
    }
}

impl Service {
    /// The checks of the last days by verdict, fewer at weekends, and some unknown machines.
    fn seed_checks(
        &self,
        db: &Writing<'_>,
        invented: &mut SmallRng,
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
                    let number = usual * invented.random_range(0.8..1.2);
                    check_days::add(db, tool, day, verdict, number as u64)?;
                }
            }
        }
        for _ in 0..licenses.min(40) {
            let days: [f64; 2] = [20.0, 9.0].map(|most| invented.random_range(0.0..most));
            let [last_at, first_at] =
                [days[0], days[0] + days[1]].map(|days| now - Duration::DAY * days);
            let asked = Asked {
                first_at: first_at.unix_timestamp(),
                last_at: last_at.unix_timestamp(),
                count: invented.random_range(1..60),
                address: address(invented),
            };
            let tool = TOOLS.choose(invented).copied().unwrap_or_default();
            unknown_keys::add(db, tool, &machine_id(invented), &asked)?;
        }
        Ok(())
    }
}

fn address(invented: &mut SmallRng) -> IpAddr {
    let [a, b, ..] = invented.random::<u32>().to_be_bytes();
    IpAddr::from([203, 0, a % 114, b])
}

fn license(invented: &mut SmallRng, now: OffsetDateTime) -> NewLicense {
    let tool = TOOLS[..invented.random_range(1..=TOOLS.len())].choose(invented);
    NewLicense {
        tool_name: tool.copied().unwrap_or_default().to_owned(),
        license_key: machine_id(invented),
        status: match invented.random_range(0..100) {
            0..4 => Status::Suspended,
            4..9 => Status::Revoked,
            _ => Status::Activated,
        },
        user_id: invented.random_bool(0.9).then(|| customer(invented)),
        expiration_date: invented
            .random_bool(0.75)
            .then(|| (now + Duration::days(invented.random_range(-60..400))).date()),
        note: invented
            .random_bool(0.05)
            .then(|| "Bought with the workshop’s second machine.".to_owned()),
    }
}

/// The last check of most licenses, mostly of the last days.
fn sighting(
    invented: &mut SmallRng,
    license_id: i64,
    license: &NewLicense,
    now: OffsetDateTime,
    age: Duration,
) -> Option<Sighting> {
    let most = if invented.random_bool(0.8) {
        4.0
    } else {
        200.0
    };
    let before = Duration::DAY * invented.random_range(0.0..most);
    if before > age || invented.random_bool(0.05) {
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
    let version = ["2.4.1", "2.4.0", "2.3.7"].choose(invented).copied();
    let hostname = || format!("DESKTOP-{:07X}", license_id * 7_654_321 % 0x0fff_ffff);
    Some(Sighting {
        license_id,
        verdict,
        address: address(invented),
        said: invented.random_bool(0.5).then(|| {
            Box::new(Said {
                version: version.unwrap_or_default().to_owned(),
                hostname: hostname(),
                user: String::new(),
            })
        }),
        last_at: at.unix_timestamp(),
        count: invented.random_range(1..400),
    })
}

/// Mostly MAC addresses; some have the id of a mainboard.
fn machine_id(invented: &mut SmallRng) -> String {
    let number = invented.random::<u64>();
    if number % 10 == 0 {
        let [a, b] = [number >> 48, (number >> 16) & 0xffff_ffff];
        return format!("4c4c4544-{a:04x}-4a10-8051-b8c0{b:08x}");
    }
    let vendor = VENDORS.choose(invented).copied().unwrap_or_default();
    let [.., a, b, c] = number.to_be_bytes();
    format!("{vendor}:{a:02x}:{b:02x}:{c:02x}")
}

fn customer(invented: &mut SmallRng) -> String {
    let one_of = |invented: &mut SmallRng, words: &[&'static str]| {
        words.choose(invented).copied().unwrap_or_default()
    };
    let (first, last) = (one_of(invented, &FIRST), one_of(invented, &LAST));
    if invented.random_bool(0.4) {
        return format!("{first} {last}, {}", one_of(invented, &FIRMS));
    }
    format!("{first} {last}")
}
