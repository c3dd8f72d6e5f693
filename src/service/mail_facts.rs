//! What mails tell, read when it is needed.

use time::Date;

use crate::model::activation_code::ActivationCode;
use crate::model::check::ListedLicense;
use crate::model::customer::Customer;
use crate::model::date;
use crate::model::license::{License, Status};
use crate::model::mail::{MailEvent, Topic};
use crate::model::mail_text::{CodeFacts, Facts, LicenseFacts};
use crate::store::{Db, Read, activation_codes, customers, licenses};

/// Codes or licenses that a mail lists.
const LISTED: usize = 50;

/// What still holds of the topics; none if that is nothing.
pub(super) fn facts(
    db: &Db,
    event: MailEvent,
    customer: &Customer,
    topics: &[Topic],
    today: Date,
) -> Read<Option<Facts>> {
    let facts = match event {
        MailEvent::Codes => of_codes(db, customer, topics, today)?,
        MailEvent::Reminder => of_licenses(db, customer, topics, today)?,
        MailEvent::Moved => of_move(db, customer, topics)?,
        MailEvent::MyPage => Some(of_page(db, customer)?),
        MailEvent::Digest | MailEvent::Invitation | MailEvent::Alert | MailEvent::Test => None,
    };
    Ok(facts.map(|facts| Facts {
        customer: called(&customer.name).to_owned(),
        ..facts
    }))
}

/// The tool that everything is about; empty if there are several.
pub(super) fn lead(facts: &Facts) -> &str {
    let tools = facts.codes.iter().map(|code| &code.tool_name);
    let mut tools = tools.chain(facts.licenses.iter().map(|license| &license.tool_name));
    match tools.all(|tool| *tool == facts.tool_name) {
        true => &facts.tool_name,
        false => "",
    }
}

/// Nobody is greeted with an address.
fn called(name: &str) -> &str {
    if name.contains('@') { "" } else { name }
}

fn of_codes(db: &Db, customer: &Customer, topics: &[Topic], today: Date) -> Read<Option<Facts>> {
    let ids = topics.iter().filter_map(|topic| topic.code_id);
    let mut codes = vec![];
    for id in ids {
        let holds = |code: &ActivationCode| {
            code.values.status == Status::Activated
                && code.values.customer == customer.name
                && !code.is_expired(today)
        };
        codes.extend(activation_codes::get(db, id)?.filter(holds));
    }
    Ok(codes.first().map(|first| Facts {
        tool_name: first.tool_name.clone(),
        order_ref: first.values.order_ref.clone(),
        more: codes.len().saturating_sub(LISTED),
        codes: codes
            .iter()
            .take(LISTED)
            .map(|code| CodeFacts {
                tool_name: code.tool_name.clone(),
                activation_code: code.shown(),
                seats: code.values.seats,
                expiration_date: code
                    .values
                    .term
                    .expiration_date()
                    .map(date::format)
                    .unwrap_or_default(),
                days: code.values.term.days().unwrap_or(0),
            })
            .collect(),
        ..Facts::default()
    }))
}

/// Those that expire on the day that the reminder was about.
fn of_licenses(db: &Db, customer: &Customer, topics: &[Topic], today: Date) -> Read<Option<Facts>> {
    let mut all = vec![];
    for topic in topics {
        let (Some(id), Some(last)) = (topic.license_id, topic.expiration_date) else {
            continue;
        };
        let found = licenses::listed(db, id)?.filter(|listed| {
            let license = &listed.license;
            is_of(license, customer) && !license.is_trial && license.expiration_date == Some(last)
        });
        if let Some(listed) = found.filter(|_| last >= today) {
            all.push(license_facts(listed, last, today));
        }
    }
    all.sort_by(|one, other| one.expiration_date.cmp(&other.expiration_date));
    let Some(first) = all.first() else {
        return Ok(None);
    };
    let (tool_name, days) = (first.tool_name.clone(), first.days);
    let more = all.len().saturating_sub(LISTED);
    all.truncate(LISTED);
    Ok(Some(Facts {
        tool_name,
        days,
        more,
        licenses: all,
        ..Facts::default()
    }))
}

/// The tool, if the customer has only one.
fn of_page(db: &Db, customer: &Customer) -> Read<Facts> {
    let mut tools = customers::tools(db, &customer.name, 2)?;
    let tool_name = match tools.len() {
        1 => tools.remove(0),
        _ => String::new(),
    };
    Ok(Facts {
        tool_name,
        ..Facts::default()
    })
}

pub(super) fn license_facts(listed: ListedLicense, last: Date, today: Date) -> LicenseFacts {
    let client = listed.last_check.map(|check| check.client.hostname);
    let values = listed.license.values;
    LicenseFacts {
        tool_name: values.tool_name,
        license_key: values.license_key,
        hostname: client.unwrap_or_default(),
        customer: values.user_id.unwrap_or_default(),
        expiration_date: date::format(last),
        days: (last - today).whole_days(),
    }
}

/// The old license and the new one.
fn of_move(db: &Db, customer: &Customer, topics: &[Topic]) -> Read<Option<Facts>> {
    let [old, new] = topics else {
        return Ok(None);
    };
    let get = |topic: &Topic| match topic.license_id {
        Some(id) => licenses::get(db, id),
        None => Ok(None),
    };
    let (Some(old), Some(new)) = (get(old)?, get(new)?) else {
        return Ok(None);
    };
    let holds = is_of(&new, customer) && old.moved_to == Some(new.id);
    Ok(holds.then(|| Facts {
        tool_name: new.values.tool_name,
        old_key: old.values.license_key,
        new_key: new.values.license_key,
        ..Facts::default()
    }))
}

fn is_of(license: &License, customer: &Customer) -> bool {
    license.status == Status::Activated && license.user_id.as_deref() == Some(&*customer.name)
}
