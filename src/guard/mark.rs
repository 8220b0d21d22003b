//! Counters at one moment, and increases between two, in a fraction of their size.
//!
//! Most numbers are zero or small: they are stored as LEB128, and runs of zeros by their length.

use crate::telemetry::duration::BUCKETS;
use crate::telemetry::{Cohort, Exposure, GROUPS};

/// Numbers of a cohort: requests, errors, durations; then by group the requests, errors and times.
const COHORT: usize = 2 + BUCKETS + 3 * GROUPS;
/// Numbers of a flag: gated, mixed, and both cohorts.
const FLAG: usize = 2 + 2 * COHORT;

/// One flag's counters at one moment.
#[derive(Debug, Clone)]
pub(super) struct Mark(Packed);

/// One cohort's counters at one moment, without groups.
#[derive(Debug, Clone)]
pub(super) struct CohortMark(Packed);

/// Increases between two moments. Groups are kept only as a sum, in the first group.
#[derive(Debug, Clone, Default)]
pub(super) struct CounterIncrease(Packed);

/// Steps added up.
pub(super) struct Sum([u64; FLAG]);

impl Mark {
    /// Packs all counters.
    pub(super) fn whole(exposure: &Exposure) -> Self {
        Self(Packed::of(&flat(exposure)))
    }

    /// The counters at a change, without those that are not needed once the kind is known: groups are only counted where the
    /// flag is on.
    pub(super) fn change(exposure: &Exposure) -> Self {
        let mut kept = exposure.clone();
        kept.off.groups = Default::default();
        for group in &mut kept.on.groups {
            (group.errors, group.time) = (0, 0);
        }
        kept.off.durations = [0; BUCKETS];
        Self::whole(&kept)
    }

    /// The counters that tell a flag's kind.
    pub(super) fn kind(exposure: &Exposure) -> Self {
        let mut kept = exposure.clone();
        (kept.on.groups, kept.off.groups) = Default::default();
        Self::whole(&kept)
    }

    /// Unpacks the counters.
    pub(super) fn exposure(&self) -> Exposure {
        let mut numbers = [0; FLAG];
        self.0.each(|place, value| put(&mut numbers, place, value));
        exposure(&numbers)
    }
}

impl CohortMark {
    pub(super) fn of(cohort: &Cohort) -> Self {
        let mut numbers = [0; COHORT];
        lay(&Cohort { groups: Default::default(), ..cohort.clone() }, &mut numbers);
        Self(Packed::of(&numbers))
    }

    /// Unpacks the counters; the groups are empty.
    pub(super) fn cohort(&self) -> Cohort {
        let mut numbers = [0; COHORT];
        self.0.each(|place, value| put(&mut numbers, place, value));
        cohort(&numbers)
    }
}

impl CounterIncrease {
    /// Adds the counts between two samples.
    pub(super) fn extend(&mut self, now: &Exposure, before: &Exposure) {
        if now == before {
            return;
        }
        let added = Exposure {
            on: added(&now.on, &before.on),
            off: added(&now.off, &before.off),
            gated: now.gated.saturating_sub(before.gated),
            mixed: now.mixed.saturating_sub(before.mixed),
        };
        let mut sum = Sum(flat(&added));
        sum.add(self);
        self.0 = Packed::of(&sum.0);
    }
}

impl Sum {
    /// The empty sum.
    pub(super) fn new() -> Self {
        Self([0; FLAG])
    }

    pub(super) fn add(&mut self, step: &CounterIncrease) {
        step.0.each(|place, value| {
            if let Some(sum) = self.0.get_mut(place) {
                *sum = sum.saturating_add(value);
            }
        });
    }

    /// The sum as counters.
    pub(super) fn exposure(&self) -> Exposure {
        exposure(&self.0)
    }
}

/// The increase of a cohort.
fn added(now: &Cohort, before: &Cohort) -> Cohort {
    let mut cohort = Cohort {
        requests: now.requests.saturating_sub(before.requests),
        errors: now.errors.saturating_sub(before.errors),
        ..Cohort::default()
    };
    for ((added, now), before) in cohort.durations.iter_mut().zip(&now.durations).zip(&before.durations) {
        *added = now.saturating_sub(*before);
    }
    let [all, ..] = &mut cohort.groups;
    for (now, before) in now.groups.iter().zip(&before.groups) {
        all.requests = all.requests.saturating_add(now.requests.saturating_sub(before.requests));
        all.errors = all.errors.saturating_add(now.errors.saturating_sub(before.errors));
    }
    cohort
}

/// All counters of a flag in one row.
fn flat(exposure: &Exposure) -> [u64; FLAG] {
    let mut numbers = [0; FLAG];
    let [gated, mixed, cohorts @ ..] = &mut numbers;
    (*gated, *mixed) = (exposure.gated, exposure.mixed);
    let (on, off) = cohorts.split_at_mut(COHORT);
    lay(&exposure.on, on);
    lay(&exposure.off, off);
    numbers
}

fn lay(cohort: &Cohort, row: &mut [u64]) {
    let [requests, errors, row @ ..] = row else { return };
    (*requests, *errors) = (cohort.requests, cohort.errors);
    let Some((durations, row)) = row.split_first_chunk_mut() else { return };
    *durations = cohort.durations;
    let Some((requests, row)) = row.split_first_chunk_mut::<GROUPS>() else { return };
    let Some((errors, row)) = row.split_first_chunk_mut::<GROUPS>() else { return };
    let Some((times, _)) = row.split_first_chunk_mut::<GROUPS>() else { return };
    for (((group, requests), errors), time) in cohort.groups.iter().zip(requests).zip(errors).zip(times) {
        (*requests, *errors, *time) = (group.requests, group.errors, group.time);
    }
}

fn exposure(numbers: &[u64; FLAG]) -> Exposure {
    let [gated, mixed, cohorts @ ..] = numbers;
    let (on, off) = cohorts.split_at(COHORT);
    Exposure { on: cohort(on), off: cohort(off), gated: *gated, mixed: *mixed }
}

fn cohort(row: &[u64]) -> Cohort {
    let mut cohort = Cohort::default();
    let [requests, errors, row @ ..] = row else { return cohort };
    (cohort.requests, cohort.errors) = (*requests, *errors);
    let Some((durations, row)) = row.split_first_chunk() else { return cohort };
    cohort.durations = *durations;
    let (requests, row) = row.split_at(GROUPS.min(row.len()));
    let (errors, times) = row.split_at(GROUPS.min(row.len()));
    for (((group, requests), errors), time) in cohort.groups.iter_mut().zip(requests).zip(errors).zip(times) {
        (group.requests, group.errors, group.time) = (*requests, *errors, *time);
    }
    cohort
}

#[inline]
fn put(numbers: &mut [u64], place: usize, value: u64) {
    if let Some(number) = numbers.get_mut(place) {
        *number = value;
    }
}

/// Numbers in LEB128; zeros as a zero byte and the number of further zeros. Zeros at the end are left out.
#[derive(Debug, Clone, Default)]
struct Packed(Box<[u8]>);

impl Packed {
    fn of(numbers: &[u64]) -> Self {
        let mut bytes = Vec::with_capacity(1024);
        let mut rest = numbers;
        while let Some(zeros) = rest.iter().position(|number| *number != 0) {
            if zeros > 0 {
                bytes.push(0);
                pack(&mut bytes, zeros as u64 - 1);
            }
            let Some((number, further)) = rest.get(zeros..).and_then(<[u64]>::split_first) else { break };
            pack(&mut bytes, *number);
            rest = further;
        }
        Self(bytes.into())
    }

    /// Calls `take` with the place and value of each number that is not zero.
    fn each(&self, mut take: impl FnMut(usize, u64)) {
        let mut bytes = self.0.iter();
        let mut place = 0;
        while let Some(number) = unpack(&mut bytes) {
            if number == 0 {
                place += 1 + unpack(&mut bytes).unwrap_or(0) as usize;
                continue;
            }
            take(place, number);
            place += 1;
        }
    }
}

#[inline]
fn pack(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[inline]
fn unpack(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    let first = *bytes.next()?;
    if first < 0x80 {
        return Some(first.into());
    }
    let (mut number, mut shift) = (u64::from(first & 0x7f), 7);
    loop {
        let byte = *bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counted(values: &[u64], shift: u32) -> Exposure {
        let mut numbers = [0; FLAG];
        numbers.iter_mut().zip(values).for_each(|(number, value)| *number = value >> shift);
        exposure(&numbers)
    }

    /// Most are zero.
    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![4 => Just(0), 2 => 0..300_u64, 1 => any::<u64>()];
        proptest::collection::vec(value, 0..FLAG)
    }

    proptest! {
        #[test]
        fn counters_come_back_as_they_were(values in values()) {
            let exposure = counted(&values, 0);
            prop_assert_eq!(Mark::whole(&exposure).exposure(), exposure.clone());
            let cohort = CohortMark::of(&exposure.on).cohort();
            prop_assert_eq!((cohort.requests, cohort.durations), (exposure.on.requests, exposure.on.durations));
            prop_assert_eq!(cohort.groups, <[crate::telemetry::Group; GROUPS]>::default());
        }

        #[test]
        fn steps_add_up_to_what_was_counted(first in values(), then in values()) {
            let first = counted(&first, 8);
            let mut both = counted(&then, 8);
            both.on.add(&first.on);
            both.off.add(&first.off);
            (both.gated, both.mixed) = (both.gated + first.gated, both.mixed + first.mixed);
            let mut step = CounterIncrease::default();
            step.extend(&first, &Exposure::default());
            step.extend(&both, &first);
            let mut sum = Sum::new();
            sum.add(&step);
            let sum = sum.exposure();
            prop_assert_eq!(sum.on.durations, both.on.durations);
            let requests: u64 = both.off.groups.iter().map(|group| group.requests).sum();
            prop_assert_eq!((sum.off.groups[0].requests, sum.gated), (requests, both.gated));
        }
    }
}
