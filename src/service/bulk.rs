//! Changing many licenses at once: first a plan that is looked at, then the change, then perhaps back.

use serde_json::json;
use sha2::{Digest, Sha256};
use time::{Date, OffsetDateTime};

use super::Service;
use crate::error::Error;
use crate::model::audit::{Actor, Event, Kind, values};
use crate::model::bulk::{Action, Done, Outcome, Selection, Start, Term, UNDO_FOR};
use crate::model::license::License;
use crate::model::new_license::{Change, Draft, NewLicense};
use crate::store::bulk::Kept;
use crate::store::{Writing, audit, bulk, licenses, search};

/// Licenses that one change may have: it is one transaction, for which other writes wait.
pub const MOST_AT_ONCE: usize = 50_000;

/// Licenses that stayed as they are are named up to this number.
const NAMED: usize = 20;

const NO_SUCH_CHANGE: Error = Error::NotFound("Change not found.");

/// Licenses as they are now, before a change.
#[derive(Debug)]
pub struct Plan {
    /// By their numbers.
    pub licenses: Vec<License>,
    /// Of these licenses and all their values: nothing else is changed than what was looked at.
    pub fingerprint: String,
    /// The day on which the change is counted.
    pub today: Date,
}

impl Plan {
    fn of(licenses: Vec<License>, today: Date) -> Plan {
        let mut hasher = Sha256::new();
        for license in &licenses {
            hasher.update(license.id.to_be_bytes());
            hasher.update(values(license));
        }
        hasher.update(today.to_string());
        let hash: [u8; 32] = hasher.finalize().into();
        Plan {
            fingerprint: hash[..16]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
            licenses,
            today,
        }
    }
}

impl Service {
    /// What a selection holds now; too many are refused.
    pub fn plan(&self, selection: &Selection) -> Result<Plan, Error> {
        let licenses = self
            .store
            .read_at_once(|db| search::selected(db, selection, MOST_AT_ONCE + 1))?;
        few_enough(&licenses)?;
        Ok(Plan::of(licenses, self.today()))
    }

    /// Does it to all of them, in one transaction, and returns the number of the change; none where
    /// they are not as they were looked at. A form that is sent twice has one change.
    pub fn change_many(
        &self,
        actor: &Actor,
        selection: &Selection,
        action: &Action,
        fingerprint: &str,
    ) -> Result<Option<i64>, Error> {
        let (now, what) = (self.clock.now(), action.in_words());
        self.store.write(|db| {
            let licenses = search::selected(db, selection, MOST_AT_ONCE + 1)?;
            few_enough(&licenses)?;
            let plan = Plan::of(licenses, self.today());
            if fingerprint != plan.fingerprint {
                let since = now - UNDO_FOR;
                return Ok(bulk::same(db, &actor.who, &what, fingerprint, since)?);
            }
            bulk::prune(db, now - UNDO_FOR)?;
            let id = bulk::add(db, &actor.who, &what, fingerprint, now)?;
            let mut number = 0;
            for before in &plan.licenses {
                let after = match action.on(before, plan.today) {
                    Outcome::Same => continue,
                    Outcome::Deleted => {
                        bulk::keep_whole(db, id, before.id)?;
                        licenses::delete(db, before)?;
                        None
                    }
                    Outcome::Changed(new) => {
                        licenses::update(db, before, &new, now)?;
                        Some(changed(before, new))
                    }
                };
                number += 1;
                bulk::keep(
                    db,
                    id,
                    before.id,
                    &values(before),
                    after.as_ref().map(values).as_deref(),
                )?;
                audit::append(
                    db,
                    &Event::license(actor, Some(before), after.as_ref()),
                    now,
                )?;
            }
            bulk::set_number(db, id, number)?;
            if number > 1 {
                let details = json!({"what": what, "licenses": number});
                audit::append(db, &Event::new(Kind::ManyChanged, actor).with(details), now)?;
            }
            Ok(Some(id))
        })
    }

    /// Extends one license by a year if it still ends on the day that was seen; returns it as it is
    /// now, and the number of the change.
    pub fn renew(
        &self,
        actor: &Actor,
        id: i64,
        seen: Option<Date>,
    ) -> Result<(License, Option<i64>), Error> {
        let license = self.license(id)?;
        if license.expiration_date != seen {
            return Ok((license, None));
        }
        let action = Action::Extend(Term::Months(12), Start::Later);
        let selection = Selection::Ids(vec![id]);
        let plan = self.plan(&selection)?;
        let bulk = self.change_many(actor, &selection, &action, &plan.fingerprint)?;
        Ok((self.license(id)?, bulk))
    }

    /// A change of many.
    pub fn done(&self, id: i64) -> Result<Done, Error> {
        self.store
            .read(|db| bulk::get(db, id))?
            .ok_or(NO_SUCH_CHANGE)
    }

    /// Makes every license of the change what it was, but for those that were changed since.
    pub fn undo(&self, actor: &Actor, id: i64) -> Result<(), Error> {
        let now = self.clock.now();
        self.store.write(|db| {
            let done = bulk::get(db, id)?.ok_or(NO_SUCH_CHANGE)?;
            if !done.can_be_undone(now) {
                return Err(Error::Conflict(format!(
                    "“{}” can no longer be undone: that is possible once, for {} minutes.",
                    done.what,
                    UNDO_FOR.whole_minutes()
                )));
            }
            let (mut number, mut others) = (0, Vec::new());
            for kept in bulk::kept(db, id)? {
                match take_back(db, id, &kept, actor, now)? {
                    None => number += 1,
                    Some(other) => others.push(other),
                }
            }
            let undone = undone(number, &others);
            if number == 0 && !others.is_empty() {
                return Err(Error::Conflict(undone));
            }
            bulk::set_undone(db, id, &undone)?;
            if number > 1 {
                let details = json!({"what": format!("Undo: {}", done.what), "licenses": number});
                audit::append(db, &Event::new(Kind::ManyChanged, actor).with(details), now)?;
            }
            Ok(())
        })
    }
}

fn few_enough(licenses: &[License]) -> Result<(), Error> {
    if licenses.len() <= MOST_AT_ONCE {
        return Ok(());
    }
    Err(Error::Conflict(format!(
        "These are more than {MOST_AT_ONCE} licenses, and one change may have no more. Narrow the \
         filter down, by tool or by date, and change them in parts."
    )))
}

/// The row with these values in it.
pub(super) fn changed(before: &License, new: NewLicense) -> License {
    License {
        id: before.id,
        created_at: before.created_at,
        moved_to: before.moved_to,
        tool_name: new.tool_name,
        license_key: new.license_key,
        status: new.status,
        user_id: new.user_id,
        expiration_date: new.expiration_date,
        note: new.note,
    }
}

/// Makes one license what it was; where it cannot, says why.
fn take_back(
    db: &Writing<'_>,
    id: i64,
    kept: &Kept,
    actor: &Actor,
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let before: Change = serde_json::from_str(&kept.before)
        .map_err(|e| Error::Unavailable(format!("a change that was kept: {e}")))?;
    let new = NewLicense::parse(&before.apply(Draft::new()))?;
    let name = format!("{} for {}", new.license_key, new.tool_name);
    let present = licenses::get(db, kept.license_id)?;
    let restored = match (&present, &kept.after) {
        (None, Some(_)) => return Ok(Some(format!("{name} was deleted since"))),
        (Some(_), None) => return Ok(Some(format!("{name} is there again"))),
        (Some(present), Some(after)) => {
            if values(present) != *after {
                return Ok(Some(format!("{name} was changed since")));
            }
            licenses::update(db, present, &new, now)?;
            Some(changed(present, new))
        }
        (None, None) => match bulk::restore(db, id, kept.license_id) {
            Err(Error::Duplicate) => return Ok(Some(format!("{name} was added again since"))),
            restored => restored?,
        },
    };
    audit::append(
        db,
        &Event::license(actor, present.as_ref(), restored.as_ref()),
        now,
    )?;
    Ok(None)
}

fn undone(number: usize, others: &[String]) -> String {
    let are = |number: usize| match number {
        1 => "1 license is".to_owned(),
        _ => format!("{number} licenses are"),
    };
    let mut words = format!("{} as before.", are(number));
    if !others.is_empty() {
        let named = others[..others.len().min(NAMED)].join("; ");
        let more = if others.len() > NAMED { "; …" } else { "" };
        let stay = if others.len() == 1 { "stays" } else { "stay" };
        words += &format!(
            " {} not touched and {stay}: {named}{more}.",
            are(others.len())
        );
    }
    words
}
