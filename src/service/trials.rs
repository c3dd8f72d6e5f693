//! A machine's one trial of a tool.

use std::collections::HashMap;
use std::net::IpAddr;

use time::{Date, Duration};

use super::Service;
use super::bulk::record;
use super::throttle::{network, subscriber};
use crate::error::{Error, Refused};
use crate::model::audit::Actor;
use crate::model::date;
use crate::model::license::fields::YES;
use crate::model::license::{Draft, Values};
use crate::model::question::Question;
use crate::store::{Db, Read, licenses, trials, unlicensed_machines};

/// New trials a day of one address, and of one IPv6 network.
const PER_ADDRESS: u32 = 20;
const PER_NETWORK: u32 = 100;

/// The machine that begins a trial, in the words of its client.
pub struct TrialRequest {
    pub tool_name: String,
    pub license_key: String,
    pub previous_license_key: Option<String>,
    pub address: IpAddr,
}

/// New trials of the day by address. Each has a row in the database, so there are not many.
#[derive(Default)]
pub(super) struct TrialsToday {
    day: Option<Date>,
    by_address: HashMap<(bool, u64), u32>,
    by_network: HashMap<(u8, u64), u32>,
}

impl TrialsToday {
    /// Counts one; false if the address had its share.
    fn take(&mut self, address: IpAddr, day: Date) -> bool {
        if self.day != Some(day) {
            *self = TrialsToday {
                day: Some(day),
                ..TrialsToday::default()
            };
        }
        let network = network(address);
        let is_open = self
            .by_address
            .get(&subscriber(address))
            .is_none_or(|n| *n < PER_ADDRESS)
            && network.is_none_or(|net| self.by_network.get(&net).is_none_or(|n| *n < PER_NETWORK));
        if is_open {
            *self.by_address.entry(subscriber(address)).or_default() += 1;
            if let Some(network) = network {
                *self.by_network.entry(network).or_default() += 1;
            }
        }
        is_open
    }

    fn give_back(&mut self, address: IpAddr) {
        let network = network(address).and_then(|network| self.by_network.get_mut(&network));
        for number in self
            .by_address
            .get_mut(&subscriber(address))
            .into_iter()
            .chain(network)
        {
            *number = number.saturating_sub(1);
        }
    }
}

impl Service {
    /// Whether a check should begin a trial first: the tool offers one, and the machine has no license.
    pub fn may_begin_trial(&self, question: &Question<'_>) -> Result<bool, Error> {
        let rules = self.rules.load();
        let offers = rules
            .get(question.tool_name)
            .is_some_and(|tool| tool.trial_days > 0);
        Ok(offers
            && !self.restored.is_active(self.clock.now())
            && self.checked(question)?.is_none())
    }

    /// Gives the machine its trial, durably; changes nothing if it had one, or ever had a license.
    pub fn begin_trial(&self, request: &TrialRequest) -> Result<(), Error> {
        let question = Question::parse(&request.tool_name, &request.license_key)?;
        let previous = request.previous_license_key.as_deref();
        // One that cannot be a license key has no license.
        let previous = previous.and_then(|key| Question::parse(&request.tool_name, key).ok());
        let tool = self.tool(question.tool_name);
        let (now, today) = (self.clock.now(), self.today());
        let had = |db: &Db| -> Read<bool> {
            for asked in std::iter::once(&question).chain(&previous) {
                if trials::is_used(db, asked.tool_name, &asked.license_key)? {
                    return Ok(true);
                }
            }
            unlicensed_machines::is_blocked(db, question.tool_name, &question.license_key)
        };
        // A machine that asks again and again need not wait for other writes.
        if self.store.read_tx(had)? {
            return Ok(());
        }
        if !self.trials_today.lock().take(request.address, today) {
            let message = "Too many machines at this address began a trial today.";
            return Err(self.try_later(message.to_owned()));
        }
        let began = self.store.write(|db| {
            if had(db)? {
                return Ok(false);
            }
            let most = i64::from(tool.trials_per_day);
            if most > 0 && trials::begun_on(db, question.tool_name, today)? >= most {
                let message = format!("{} has no more trials for today.", question.tool_name);
                return Err(self.try_later(message));
            }
            let last = today.saturating_add(Duration::days(tool.trial_days.into()));
            let draft = Draft::new()
                .with("tool_name", question.tool_name)
                .with("license_key", &*question.license_key)
                .with("expiration_date", date::format(last))
                .with("trial", YES);
            let values = Values::parse(&draft)?;
            let id = licenses::add(db, &values, now)?;
            trials::add(db, question.tool_name, &question.license_key, today)?;
            let actor = Actor::new("trial", request.address.to_string());
            record(db, &actor, None, licenses::get(db, id)?.as_ref(), now)?;
            Ok(true)
        });
        if !matches!(began, Ok(true)) {
            self.trials_today.lock().give_back(request.address);
        }
        began.map(drop)
    }

    /// Refused until tomorrow.
    fn try_later(&self, message: String) -> Error {
        let now = self.clock.now().to_offset(self.utc_offset);
        let tomorrow = now.date().next_day().unwrap_or(now.date()).midnight();
        let wait = tomorrow.assume_offset(self.utc_offset) - now;
        Error::Refused(Box::new(Refused {
            http: 429,
            reason: "TRY_LATER",
            field: "license_key",
            message: format!("{message} Try again tomorrow."),
            value: String::new(),
            seats: None,
            retry_after: Some(wait.whole_seconds().max(1).unsigned_abs()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn an_address_has_its_share_of_each_day_and_a_network_too() {
        let mut trials = TrialsToday::default();
        let day = date!(2026 - 06 - 15);
        let of = |text: &str| text.parse().unwrap();
        let mut take = |address: &str, day| trials.take(of(address), day);
        assert_eq!((0..30).filter(|_| take("192.0.2.1", day)).count(), 20);
        assert!(take("192.0.2.2", day) && take("192.0.2.1", date!(2026 - 06 - 16)));
        let neighbors =
            (0..9_u32).flat_map(|net| (0..30).map(move |_| format!("2001:db8:1:{net}::1")));
        assert_eq!(neighbors.filter(|address| take(address, day)).count(), 100);
        assert!(take("2001:db8:2::1", day));
    }
}
