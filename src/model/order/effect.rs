//! What an item of an order does to the codes of another order, and how it is taken back.

use time::{Date, Duration};

use super::{Extension, Item};
use crate::error::Problem;
use crate::model::activation_code::{CodeTerm, CodeValues};
use crate::model::date;
use crate::model::entitlements::Entitlements;

/// A renewal as it was sold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewal {
    pub item: Item,
    /// When it was sold; its days count from here at the earliest.
    pub day: Date,
    /// False once it is taken back.
    pub is_active: bool,
}

/// The renewals of a code, oldest first, and what it had before them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewals {
    /// None if the code was renewed before terms were recorded.
    pub term: Option<CodeTerm>,
    /// Without data, which no order replaces.
    pub entitlements: Entitlements,
    pub steps: Vec<Renewal>,
    /// Which of the steps is taken back or restored.
    pub own: Option<usize>,
}

impl Renewals {
    /// The values of a code once its own step is taken back or counts again: as if it never had, or always had, in its
    /// place among the others. What people changed by hand stays changed by as much. None if nothing tells which term
    /// the code had.
    pub fn turned(&self, now: &CodeValues, is_active: bool) -> Option<CodeValues> {
        let own = &self.steps[self.own?];
        if own.is_active == is_active {
            return Some(now.clone());
        }
        let before = CodeValues {
            term: self.term.unwrap_or(now.term),
            entitlements: self.entitlements.clone(),
            ..now.clone()
        };
        let all = |is_active: bool| {
            let steps = self.steps.iter().enumerate();
            let counted = steps.filter(|(at, step)| match Some(*at) == self.own {
                true => is_active,
                false => step.is_active,
            });
            counted.fold(before.clone(), |code, (_, step)| {
                step.item.on(&code, step.day)
            })
        };
        let mut turned = moved(now, &all(own.is_active), &all(is_active));
        if self.term.is_none() {
            turned.term = match is_active {
                true => own.item.on(now, own.day).term,
                false => own.item.term_off(now.term)?,
            };
        }
        Some(turned)
    }
}

/// Applies the difference between `from` and `to` to the current values.
fn moved(now: &CodeValues, from: &CodeValues, to: &CodeValues) -> CodeValues {
    let day = |now: Date, from: Date, to: Date| match now == from {
        true => to,
        false => now.saturating_add(to - from),
    };
    let mut moved = now.clone();
    moved.term = match (now.term, from.term, to.term) {
        (now, from, to) if now == from => to,
        (CodeTerm::Until(now), CodeTerm::Until(from), CodeTerm::Until(to)) => {
            CodeTerm::Until(day(now, from, to))
        }
        (CodeTerm::Days(now), CodeTerm::Days(from), CodeTerm::Days(to)) => {
            CodeTerm::Days((now + to - from).max(1))
        }
        (now, ..) => now,
    };
    let (from, to, own) = (
        &from.entitlements,
        &to.entitlements,
        &mut moved.entitlements,
    );
    if own.edition == from.edition {
        own.edition.clone_from(&to.edition);
    }
    if own.features == from.features {
        own.features.clone_from(&to.features);
    }
    own.updates_until = match (own.updates_until, from.updates_until, to.updates_until) {
        (now, from, to) if now == from => to,
        (Some(now), Some(from), Some(to)) => Some(day(now, from, to)),
        (now, ..) => now,
    };
    moved
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

    /// [`Item::on`] taken back from a code without a record of it; none if nothing tells which term it had.
    pub fn off(&self, values: &CodeValues) -> Option<CodeValues> {
        let mut after = values.clone();
        match self.adds_to.is_some() {
            true => after.seats = (values.seats - self.seats * self.quantity).max(1),
            false => after.term = self.term_off(values.term)?,
        }
        Some(after)
    }

    fn term_off(&self, term: CodeTerm) -> Option<CodeTerm> {
        match self.days {
            _ if !self.extends_term() => Some(term),
            None => None,
            Some(more) => Some(match term {
                CodeTerm::Perpetual => CodeTerm::Perpetual,
                CodeTerm::Days(days) => CodeTerm::Days((days - more).max(1)),
                CodeTerm::Until(last) => CodeTerm::Until(last.saturating_sub(Duration::days(more))),
            }),
        }
    }
}

/// Whatever their order.
fn same_names(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && one.iter().all(|name| other.contains(name))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
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

    /// A code and what was sold for it.
    struct Sold {
        code: CodeValues,
        renewals: Renewals,
    }

    impl Sold {
        fn new(code: CodeValues) -> Sold {
            Sold {
                renewals: Renewals {
                    term: Some(code.term),
                    entitlements: code.entitlements.clone(),
                    ..Renewals::default()
                },
                code,
            }
        }

        fn renew(&mut self, item: Item) {
            self.code = item.on(&self.code, TODAY);
            self.renewals.steps.push(Renewal {
                item,
                day: TODAY,
                is_active: true,
            });
        }

        fn turn(&mut self, at: usize, is_active: bool) {
            self.renewals.own = Some(at);
            self.code = self.renewals.turned(&self.code, is_active).unwrap();
            self.renewals.steps[at].is_active = is_active;
        }

        /// What the renewals that count give.
        fn expected(&self, first: &CodeValues) -> CodeValues {
            let steps = self.renewals.steps.iter().filter(|step| step.is_active);
            steps.fold(first.clone(), |code, step| step.item.on(&code, TODAY))
        }
    }

    fn renewals() -> Vec<Item> {
        let until = |day: &str| renewal(|sent| sent.expiration_date = Some(day.to_owned()));
        let updates = |day: &str| renewal(|sent| sent.updates_until = Some(day.to_owned()));
        let edition = |name: &str| renewal(|sent| sent.edition = Some(name.to_owned()));
        vec![
            renewal(|sent| sent.days = Some(365)),
            renewal(|sent| sent.days = Some(30)),
            until("2026-06-20"),
            until("2028-06-15"),
            until("2029-12-31"),
            renewal(|_| {}),
            edition("Pro"),
            edition("Max"),
            renewal(|sent| sent.features = Some(vec!["ocr".into()])),
            renewal(|sent| sent.updates_days = Some(365)),
            updates("2028-01-01"),
            updates("2029-01-01"),
        ]
    }

    proptest! {
        #[test]
        fn what_counts_is_what_the_code_has_whatever_was_taken_back_and_restored(
            sold in vec(select(renewals()), 1..6),
            turns in vec((0usize..6, any::<bool>()), 0..12),
            term in select(vec![
                CodeTerm::Days(365),
                CodeTerm::Perpetual,
                CodeTerm::Until(date!(2026 - 06 - 01)),
                CodeTerm::Until(date!(2027 - 06 - 15)),
            ]),
            updates_until in select(vec![None, Some(date!(2026 - 12 - 31))]),
        ) {
            let first = CodeValues { term, ..code(updates_until) };
            let mut all = Sold::new(first.clone());
            let number = sold.len();
            sold.into_iter().for_each(|item| all.renew(item));
            for (at, is_active) in turns {
                all.turn(at % number, is_active);
                prop_assert_eq!(&all.code, &all.expected(&first));
            }
        }
    }

    #[test]
    fn what_people_changed_by_hand_stays_changed() {
        let mut all = Sold::new(code(None));
        all.renew(renewal(|sent| {
            sent.expiration_date = Some("2028-06-15".into());
            sent.edition = Some("Pro".into());
        }));
        all.code.term = CodeTerm::Until(date!(2028 - 06 - 25));
        all.code.entitlements.edition = Some("Max".into());
        all.turn(0, false);
        assert_eq!(all.code.term, CodeTerm::Until(date!(2027 - 06 - 25)));
        assert_eq!(all.code.entitlements.edition.as_deref(), Some("Max"));
        all.turn(0, true);
        assert_eq!(all.code.term, CodeTerm::Until(date!(2028 - 06 - 25)));
    }

    #[test]
    fn a_code_that_was_not_used_yet_never_ends_earlier() {
        let unused = |item: Item| {
            item.on(&CodeValues::new(1, CodeTerm::Days(730)), TODAY)
                .term
        };
        let until = |day: &str| renewal(|sent| sent.expiration_date = Some(day.to_owned()));
        assert_eq!(unused(until("2027-01-15")), CodeTerm::Days(730));
        assert_eq!(
            unused(until("2029-01-15")),
            CodeTerm::Until(date!(2029 - 01 - 15))
        );
    }

    #[test]
    fn without_a_record_only_days_can_be_taken_back() {
        let days = renewal(|sent| sent.days = Some(30));
        let end = |item: &Item| item.off(&code(None)).map(|code| code.term);
        assert_eq!(end(&days), Some(CodeTerm::Until(date!(2027 - 05 - 16))));
        assert_eq!(end(&renewal(|_| {})), None);
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
