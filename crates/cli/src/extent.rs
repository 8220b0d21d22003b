//! The companies that a flag is on for, as far as its snapshot tells without a list of companies.

use crate::impact::Side;
use flagstone::FlagId;
use std::collections::BTreeMap;

/// 100 %, in thousandths.
const EVERYBODY: u32 = 100_000;

/// The companies that a flag is on for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    Nobody,
    Some,
    /// No company is denied, and no rule gives less.
    Everybody,
}

/// The extent of a flag, with killed flags and required ones taken into account. `known`: earlier results.
pub fn extent(side: &Side, id: FlagId, now: i64, known: &mut BTreeMap<String, Extent>) -> Extent {
    let Some(flag) = side.snapshot.flag_fields(id) else { return Extent::Nobody };
    if let Some(known) = known.get(&flag.flag) {
        return *known;
    }
    // No flag requires itself, but the bytes may say so.
    known.insert(flag.flag.clone(), Extent::Nobody);
    let has = |bit| flag.bits.contains(&bit);
    let step = flag.steps.iter().rev().find(|(at, _)| *at <= now);
    let threshold = step.map_or(flag.threshold, |(_, threshold)| *threshold);
    let is_full = threshold >= EVERYBODY || (step.is_none() && !has("rollout"));
    let narrows = flag.deny.is_some() || flag.rules.iter().any(|rule| rule.threshold < EVERYBODY);
    let own = if !has("enabled") || side.switches.killed(id) {
        Extent::Nobody
    } else if is_full && !narrows {
        Extent::Everybody
    } else if is_full || threshold > 0 || flag.allow.is_some() || !flag.rules.is_empty() {
        Extent::Some
    } else {
        Extent::Nobody
    };
    let required = flag.requires.iter().map(|key| match side.snapshot.find(key.as_bytes()) {
        Some(required) => extent(side, required, now, known),
        None => Extent::Nobody,
    });
    let all = required.fold(own, Extent::min);
    known.insert(flag.flag, all);
    all
}
