//! Counters as they were at one moment, and what was added between two, in a fraction of the room that they take.
//!
//! Most numbers are zero or small: they are kept as LEB128, and runs of zeros by their length.

use crate::telemetry::duration::BUCKETS;
use crate::telemetry::{Cohort, Exposure};

/// One flag's counters at one moment.
#[derive(Debug, Clone)]
pub(super) struct Mark(Packed);

/// One cohort's counters at one moment, without groups.
#[derive(Debug, Clone)]
pub(super) struct CohortMark(Packed);

/// What was added between two moments. Of the groups only their sum is kept, in the first one.
#[derive(Debug, Clone, Default)]
pub(super) struct Step(Packed);

impl Mark {
    /// All counters.
    pub(super) fn whole(exposure: &Exposure) -> Self {
        let mut packer = Packer::default();
        each(exposure, |value| packer.push(value));
        Self(packer.finish())
    }

    /// The counters at a change: groups are only counted where the flag is on, and durations off are needed until
    /// its kind is known.
    pub(super) fn change(exposure: &Exposure, kind_is_known: bool) -> Self {
        let mut kept = exposure.clone();
        kept.off.groups = Default::default();
        for group in &mut kept.on.groups {
            (group.errors, group.time) = (0, 0);
        }
        if kind_is_known {
            kept.off.durations = [0; BUCKETS];
        }
        Self::whole(&kept)
    }

    /// The counters.
    pub(super) fn exposure(&self) -> Exposure {
        let (mut exposure, mut values) = (Exposure::default(), self.0.values());
        each_mut(&mut exposure, |value| *value = values.next());
        exposure
    }
}

impl CohortMark {
    pub(super) fn of(cohort: &Cohort) -> Self {
        let mut packer = Packer::default();
        let sums = [cohort.requests, cohort.errors];
        sums.iter().chain(&cohort.durations).for_each(|value| packer.push(*value));
        Self(packer.finish())
    }

    /// The counters; the groups are empty.
    pub(super) fn cohort(&self) -> Cohort {
        let (mut cohort, mut values) = (Cohort::default(), self.0.values());
        (cohort.requests, cohort.errors) = (values.next(), values.next());
        cohort.durations.iter_mut().for_each(|value| *value = values.next());
        cohort
    }
}

impl Step {
    /// Adds what was counted between two samples.
    pub(super) fn extend(&mut self, now: &Exposure, before: &Exposure) {
        if now == before {
            return;
        }
        let mut sum = Exposure::default();
        self.add_to(&mut sum);
        sum.gated = sum.gated.saturating_add(now.gated.saturating_sub(before.gated));
        sum.mixed = sum.mixed.saturating_add(now.mixed.saturating_sub(before.mixed));
        extend(&mut sum.on, &now.on, &before.on);
        extend(&mut sum.off, &now.off, &before.off);
        *self = Self(Mark::whole(&sum).0);
    }

    /// Adds it to a sum of steps.
    pub(super) fn add_to(&self, sum: &mut Exposure) {
        let mut values = self.0.values();
        each_mut(sum, |value| *value = value.saturating_add(values.next()));
    }
}

fn extend(sum: &mut Cohort, now: &Cohort, before: &Cohort) {
    let add = |sum: &mut u64, now: u64, before: u64| *sum = sum.saturating_add(now.saturating_sub(before));
    add(&mut sum.requests, now.requests, before.requests);
    add(&mut sum.errors, now.errors, before.errors);
    for ((sum, now), before) in sum.durations.iter_mut().zip(&now.durations).zip(&before.durations) {
        add(sum, *now, *before);
    }
    let [all, ..] = &mut sum.groups;
    for (now, before) in now.groups.iter().zip(&before.groups) {
        add(&mut all.requests, now.requests, before.requests);
        add(&mut all.errors, now.errors, before.errors);
    }
}

/// All counters of a flag, in one order.
fn each(exposure: &Exposure, mut take: impl FnMut(u64)) {
    take(exposure.gated);
    take(exposure.mixed);
    for cohort in [&exposure.on, &exposure.off] {
        take(cohort.requests);
        take(cohort.errors);
        cohort.durations.iter().for_each(|value| take(*value));
        cohort.groups.iter().for_each(|group| take(group.requests));
        cohort.groups.iter().for_each(|group| take(group.errors));
        cohort.groups.iter().for_each(|group| take(group.time));
    }
}

/// The same, to change them.
fn each_mut(exposure: &mut Exposure, mut change: impl FnMut(&mut u64)) {
    change(&mut exposure.gated);
    change(&mut exposure.mixed);
    for cohort in [&mut exposure.on, &mut exposure.off] {
        change(&mut cohort.requests);
        change(&mut cohort.errors);
        cohort.durations.iter_mut().for_each(&mut change);
        cohort.groups.iter_mut().for_each(|group| change(&mut group.requests));
        cohort.groups.iter_mut().for_each(|group| change(&mut group.errors));
        cohort.groups.iter_mut().for_each(|group| change(&mut group.time));
    }
}

/// Numbers in LEB128; a zero byte, and how many more follow, for zeros. Zeros at the end are left out.
#[derive(Debug, Clone, Default)]
struct Packed(Box<[u8]>);

#[derive(Default)]
struct Packer {
    bytes: Vec<u8>,
    zeros: u64,
}

impl Packer {
    fn push(&mut self, value: u64) {
        if value == 0 {
            self.zeros += 1;
            return;
        }
        if self.zeros > 0 {
            self.bytes.push(0);
            let more = self.zeros - 1;
            self.zeros = 0;
            self.number(more);
        }
        self.number(value);
    }

    fn number(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn finish(self) -> Packed {
        Packed(self.bytes.into_boxed_slice())
    }
}

impl Packed {
    fn values(&self) -> Values<'_> {
        Values { bytes: self.0.iter(), zeros: 0 }
    }
}

struct Values<'a> {
    bytes: std::slice::Iter<'a, u8>,
    zeros: u64,
}

impl Values<'_> {
    /// The next number; zero after the last.
    fn next(&mut self) -> u64 {
        if self.zeros > 0 {
            self.zeros -= 1;
            return 0;
        }
        match self.number() {
            Some(0) => {
                self.zeros = self.number().unwrap_or(0);
                0
            }
            value => value.unwrap_or(0),
        }
    }

    fn number(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = *self.bytes.next()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(values: &[u64]) -> Exposure {
        let (mut exposure, mut values) = (Exposure::default(), values.iter());
        each_mut(&mut exposure, |value| *value = values.next().copied().unwrap_or(0));
        exposure
    }

    /// Most are zero.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![4 => Just(0), 2 => 0..300_u64, 1 => any::<u64>()];
        proptest::collection::vec(value, 0..430)
    }

    proptest! {
        #[test]
        fn counters_come_back_as_they_were(values in values()) {
            let exposure = counted(&values);
            prop_assert_eq!(Mark::whole(&exposure).exposure(), exposure.clone());
            let cohort = CohortMark::of(&exposure.on).cohort();
            prop_assert_eq!((cohort.requests, cohort.durations), (exposure.on.requests, exposure.on.durations));
        }

        #[test]
        fn steps_add_up_to_what_was_counted(first in values(), then in values()) {
            let (mut first, mut then) = (counted(&first), counted(&then));
            each_mut(&mut first, |value| *value >>= 8);
            each_mut(&mut then, |value| *value >>= 8);
            let mut sum = Exposure::default();
            let mut step = Step::default();
            step.extend(&first, &sum);
            let mut both = first.clone();
            let mut added = Vec::new();
            each(&then, |value| added.push(value));
            let mut added = added.into_iter();
            each_mut(&mut both, |value| *value += added.next().unwrap_or(0));
            step.extend(&both, &first);
            step.add_to(&mut sum);
            prop_assert_eq!(sum.on.durations, both.on.durations);
            let requests: u64 = both.off.groups.iter().map(|group| group.requests).sum();
            prop_assert_eq!((sum.off.groups[0].requests, sum.gated), (requests, both.gated));
        }
    }
}
