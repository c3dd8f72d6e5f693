//! What an item of an order does to the codes of another order, and how it is taken back.

use time::{Date, Duration};

use super::{Extension, Item};
use crate::error::Problem;
use crate::model::activation_code::{CodeTerm, CodeValues};
use crate::model::date;
use crate::model::entitlements::Entitlements;

/// What a code had before a renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replaced {
    /// None for a renewal of a time when it was not kept.
    pub term: Option<CodeTerm>,
    /// Without data, which no order replaces.
    pub entitlements: Entitlements,
}

impl CodeValues {
    /// What a renewal may replace.
    pub fn replaceable(&self) -> Replaced {
        Replaced {
            term: Some(self.term),
            entitlements: self.entitlements.clone(),
        }
    }
}

impl Item {
    /// Why its seats cannot be added to that code, which is one for all its machines.
    pub fn fits(&self, code: &CodeValues) -> Result<(), Problem> {
        let own = &code.entitlements;
        let until = own.updates_until.map(date::format);
        let has_features = !self.features.is_empty();
        let others = [
            (
                "edition",
                "edition",
                self.edition.is_some() && self.edition != own.edition,
            ),
            (
                "features",
                "features",
                has_features && !same_names(&self.features, &own.features),
            ),
            (
                "updates_until",
                "updates",
                self.updates_until.is_some() && self.updates_until != until,
            ),
            ("updates_days", "updates", self.updates_days.is_some()),
        ];
        let Some((field, what, _)) = others.into_iter().find(|(.., is_other)| *is_other) else {
            return Ok(());
        };
        Err(Problem {
            field,
            message: format!(
                "The code to which seats are added keeps its {what}, which all its machines share. Leave out `{field}`, \
                 or sell a code of its own."
            ),
        })
    }

    /// A code of the other order after it. Neither the term nor the updates end earlier than before.
    pub fn on(&self, values: &CodeValues, today: Date) -> CodeValues {
        let mut after = values.clone();
        if self.adds_to.is_some() {
            after.seats += self.seats * self.quantity;
            return after;
        }
        if self.extends_term() {
            after.term = match self.term() {
                CodeTerm::Perpetual => CodeTerm::Perpetual,
                CodeTerm::Until(last) => Extension::Until(last).on(values.term, today),
                CodeTerm::Days(days) => Extension::Days(days).on(values.term, today),
            };
        }
        let entitlements = &mut after.entitlements;
        if self.edition.is_some() {
            entitlements.edition.clone_from(&self.edition);
        }
        if !self.features.is_empty() {
            entitlements.features.clone_from(&self.features);
        }
        if let Some(last) = entitlements.updates_until {
            let extended = self.updates(last.max(today)).map(|new| new.max(last));
            entitlements.updates_until = extended.or(Some(last));
        }
        after
    }

    /// The code once [`Item::on`] is taken back; none if nothing tells which term it had before. What was changed
    /// since, or paid for again by `later` renewals, stays.
    pub fn off(
        &self,
        values: &CodeValues,
        before: &Replaced,
        later: &[Item],
    ) -> Option<CodeValues> {
        let mut after = values.clone();
        if self.adds_to.is_some() {
            after.seats = (values.seats - self.seats * self.quantity).max(1);
            return Some(after);
        }
        after.term = self.term_off(values.term, before.term, later)?;
        let mut alone = self.clone();
        for item in later {
            if item.edition == alone.edition {
                alone.edition = None;
            }
            if item.features == alone.features {
                alone.features.clear();
            }
            if item.updates_until == alone.updates_until {
                alone.updates_until = None;
            }
        }
        after.entitlements = alone.entitlements_off(after.entitlements, &before.entitlements);
        if let Some(days) = self.updates_days {
            let less = |last: Date| last.saturating_sub(Duration::days(days));
            let until = &mut after.entitlements.updates_until;
            *until = until.map(less);
        }
        Some(after)
    }

    /// What a later renewal replaced, as if this one had never been.
    pub fn skipped(&self, replaced: Replaced, before: &Replaced) -> Replaced {
        let term = replaced.term;
        let earlier = term.and_then(|term| self.term_off(term, before.term, &[]));
        Replaced {
            term: earlier.or(term),
            entitlements: self.entitlements_off(replaced.entitlements, &before.entitlements),
        }
    }

    /// Its days are subtracted. A fixed end that it gave becomes what was before it, or as much earlier.
    fn term_off(
        &self,
        term: CodeTerm,
        before: Option<CodeTerm>,
        later: &[Item],
    ) -> Option<CodeTerm> {
        if !self.extends_term() {
            return Some(term);
        }
        let is_fixed = |item: &&Item| item.extends_term() && item.days.is_none();
        let later: Vec<CodeTerm> = later.iter().filter(is_fixed).map(Item::term).collect();
        let given = self.term();
        let is_longer = |later: &CodeTerm| match (later, given) {
            (CodeTerm::Until(later), CodeTerm::Until(given)) => *later > given,
            (CodeTerm::Perpetual, _) => true,
            (_, given) => given != CodeTerm::Perpetual,
        };
        if later.iter().any(is_longer) {
            return Some(term);
        }
        let off = match (self.days, term) {
            (Some(more), CodeTerm::Days(days)) => CodeTerm::Days((days - more).max(1)),
            (Some(more), CodeTerm::Until(last)) => {
                CodeTerm::Until(last.saturating_sub(Duration::days(more)))
            }
            (Some(_), CodeTerm::Perpetual) => term,
            (None, term) => match (before?, given, term) {
                (before, given, term) if term == given => before,
                (CodeTerm::Until(before), CodeTerm::Until(given), CodeTerm::Until(last)) => {
                    CodeTerm::Until(last.saturating_sub((given - before).max(Duration::ZERO)))
                }
                (.., term) => term,
            },
        };
        let paid = later.into_iter().filter_map(CodeTerm::expiration_date);
        Some(match off {
            CodeTerm::Until(last) => CodeTerm::Until(paid.fold(last, Date::max)),
            off => off,
        })
    }

    fn entitlements_off(&self, now: Entitlements, before: &Entitlements) -> Entitlements {
        let mut all = now;
        if self.edition.is_some() && all.edition == self.edition {
            all.edition.clone_from(&before.edition);
        }
        if !self.features.is_empty() && all.features == self.features {
            all.features.clone_from(&before.features);
        }
        if self.updates_until.is_some() && all.updates_until.map(date::format) == self.updates_until
        {
            all.updates_until = before.updates_until;
        }
        all
    }
}

/// Whatever their order.
fn same_names(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::model::order::SentItem;

    const TODAY: Date = date!(2026 - 06 - 15);

    fn item(change: impl FnOnce(&mut SentItem)) -> Item {
        let mut sent = SentItem {
            tool_name: Some("Tool_A".into()),
            ..SentItem::default()
        };
        change(&mut sent);
        Item::parse(sent).unwrap()
    }

    fn renewal(change: impl FnOnce(&mut SentItem)) -> Item {
        item(|sent| {
            sent.renews = Some("17".into());
            change(sent);
        })
    }

    fn code(updates_until: Option<Date>) -> CodeValues {
        CodeValues {
            entitlements: Entitlements {
                edition: Some("Basic".into()),
                updates_until,
                ..Entitlements::default()
            },
            ..CodeValues::new(1, CodeTerm::Until(date!(2027 - 06 - 15)))
        }
    }

    #[test]
    fn a_renewal_of_the_updates_leaves_the_term_and_what_has_no_limit() {
        let year = renewal(|sent| sent.updates_days = Some(365));
        for (before, after) in [
            (Some(date!(2026 - 12 - 31)), Some(date!(2027 - 12 - 31))),
            (Some(date!(2020 - 01 - 01)), Some(date!(2027 - 06 - 15))),
            (None, None),
        ] {
            let renewed = year.on(&code(before), TODAY);
            assert_eq!(renewed.entitlements.updates_until, after);
            assert_eq!(renewed.term, code(before).term);
        }
        let earlier = renewal(|sent| sent.updates_until = Some("2026-07-01".into()));
        let later = code(Some(date!(2026 - 12 - 31)));
        assert_eq!(earlier.on(&later, TODAY), later);
        assert!(item(|sent| sent.edition = Some("Pro".into())).extends_term());
        // Without anything else it is for ever.
        let forever = renewal(|_| {}).on(&later, TODAY);
        assert_eq!(forever.term, CodeTerm::Perpetual);
    }

    #[test]
    fn what_a_renewal_replaced_comes_back_unless_it_was_changed_since() {
        let better = renewal(|sent| {
            sent.days = Some(30);
            sent.edition = Some("Pro".into());
            sent.features = Some(vec!["ocr".into()]);
            sent.updates_until = Some("2028-01-01".into());
        });
        let before = code(Some(date!(2026 - 12 - 31)));
        let after = better.on(&before, TODAY);
        assert_eq!(after.entitlements.edition.as_deref(), Some("Pro"));
        let replaced = Replaced {
            term: None,
            entitlements: before.entitlements.clone(),
        };
        let back = better.off(&after, &replaced, &[]);
        assert_eq!(back.as_ref(), Some(&before));
        let mut changed = after;
        changed.entitlements.edition = Some("Max".into());
        let back = better.off(&changed, &replaced, &[]).unwrap();
        assert_eq!(back.entitlements.edition.as_deref(), Some("Max"));
        assert_eq!(back.term, before.term);
    }

    #[test]
    fn a_fixed_end_is_taken_back_to_what_was_before() {
        let until = |day: &str| renewal(|sent| sent.expiration_date = Some(day.to_owned()));
        let year = renewal(|sent| sent.days = Some(365));
        let forever = renewal(|_| {});
        let first = code(None);
        // The renewals, the one taken back, and the end after that.
        for (renewals, taken, end) in [
            (vec![until("2028-06-15")], 0, "2027-06-15"),
            (vec![forever.clone()], 0, "2027-06-15"),
            (vec![until("2020-01-01")], 0, "2027-06-15"),
            (vec![until("2028-06-15"), year.clone()], 0, "2028-06-14"),
            (
                vec![until("2028-06-15"), until("2029-06-15")],
                0,
                "2029-06-15",
            ),
            (
                vec![until("2030-06-15"), until("2029-06-15")],
                0,
                "2029-06-15",
            ),
            (vec![year.clone(), until("2029-06-15")], 0, "2029-06-15"),
            (vec![year, until("2029-06-15")], 1, "2028-06-14"),
        ] {
            let (mut now, mut replaced) = (first.clone(), vec![]);
            for renewal in &renewals {
                replaced.push(now.replaceable());
                now = renewal.on(&now, TODAY);
            }
            let later = &renewals[taken + 1..];
            let back = renewals[taken].off(&now, &replaced[taken], later).unwrap();
            let end = date::read(end).unwrap();
            assert_eq!(back.term, CodeTerm::Until(end), "{renewals:?}");
        }
        // It was not kept.
        let renewed = forever.on(&first, TODAY);
        assert_eq!(forever.off(&renewed, &Replaced::default(), &[]), None);
        // Both are refunded, in any order.
        let [early, late] = ["2028-06-15", "2029-06-15"].map(until);
        let middle = early.on(&first, TODAY);
        let end = late.on(&middle, TODAY);
        let replaced = early.skipped(middle.replaceable(), &first.replaceable());
        let end = early
            .off(&end, &first.replaceable(), std::slice::from_ref(&late))
            .unwrap();
        assert_eq!(late.off(&end, &replaced, &[]), Some(first));
    }

    #[test]
    fn seats_are_added_to_a_code_as_it_is() {
        let more = |change: fn(&mut SentItem)| {
            let more = item(|sent| {
                sent.adds_to = Some("17".into());
                change(sent);
            });
            let fits = more.fits(&code(Some(date!(2026 - 12 - 31))));
            fits.err().map(|problem| problem.field)
        };
        assert_eq!(more(|sent| sent.edition = Some("Basic".into())), None);
        assert_eq!(
            more(|sent| sent.updates_until = Some("2026-12-31".into())),
            None
        );
        assert_eq!(
            more(|sent| sent.edition = Some("Pro".into())),
            Some("edition")
        );
        assert_eq!(
            more(|sent| sent.features = Some(vec!["ocr".into()])),
            Some("features")
        );
        assert_eq!(
            more(|sent| sent.updates_days = Some(1)),
            Some("updates_days")
        );
    }
}
