//! A page that asks twenty flags, one of which does harm.

use super::chance::Chance;
use super::world::{Companies, Company, companies};
use flagstone::guard::{Guard, Policy, Reading, Sample};
use flagstone::telemetry::{Exposure, GROUPS, duration};

const FLAGS: usize = 20;
const SECOND: i64 = 1_000_000;
const BEGIN: i64 = 1_767_571_200 * SECOND;

/// The number of each flag that was acted on within half an hour, in that order; the harmful one is number 0, which is
/// rolled out last, to 10 %, and fails ten times as often. A flag that was acted on does no harm any more.
pub fn play(seed: u64) -> Vec<usize> {
    let mut chance = Chance::new(seed);
    let all = companies(Companies::Alike(300), &mut chance);
    // Each flag has companies of its own, from 5 % to all of them, and was rolled out in the hour before.
    let shares: Vec<f64> =
        (0..FLAGS).map(|flag| if flag == 0 { 0.1 } else { (0.05 + 1.2 * chance.unit()).min(1.0) }).collect();
    let has: Vec<Vec<bool>> =
        shares.iter().map(|share| all.iter().map(|_| chance.unit() < *share).collect()).collect();
    let keys: Vec<String> = (0..FLAGS).map(|flag| format!("flag-{flag}")).collect();
    let rolled_out: Vec<i64> =
        (0..FLAGS).map(|flag| if flag == 0 { 3600 } else { 180 * flag as i64 }).collect();
    let (mut guard, policy) = (Guard::new(), Policy::default());
    let mut counters: Vec<Exposure> = vec![Exposure::default(); FLAGS];
    let mut due: Vec<f64> = all.iter().map(|_| chance.unit()).collect();
    let mut acted = Vec::new();
    for second in 0..5400_i64 {
        for (index, company) in all.iter().enumerate() {
            due[index] += 200.0 * company.share;
            let requests = due[index] as u64;
            due[index] -= requests as f64;
            let on = |flag: usize| second >= rolled_out[flag] && has[flag][index] && !acted.contains(&flag);
            let rate = 0.01 * company.frailty * if on(0) { 10.0 } else { 1.0 };
            let errors = (0..requests).filter(|_| chance.unit() < rate).count() as u64;
            for (flag, counters) in counters.iter_mut().enumerate() {
                count(counters, on(flag), company, requests, errors);
            }
        }
        let at = BEGIN + second * SECOND;
        let samples: Vec<Sample> = (0..FLAGS)
            .map(|flag| {
                let changed_at =
                    if second >= rolled_out[flag] { BEGIN + rolled_out[flag] * SECOND } else { BEGIN };
                let reading = Reading::new(at, 1, changed_at, &counters[flag]);
                Sample::new(&keys[flag], reading, &policy)
            })
            .collect();
        let found = guard.watch(at, &samples, None).act;
        if let Some(finding) = &found {
            guard.record_act(at, finding, &policy);
        }
        acted.extend(found.and_then(|finding| keys.iter().position(|key| *key == finding.flag)));
    }
    acted
}

fn count(counters: &mut Exposure, on: bool, company: &Company, requests: u64, errors: u64) {
    let cohort = if on { &mut counters.on } else { &mut counters.off };
    cohort.requests += requests;
    cohort.errors += errors;
    cohort.durations[duration::bucket(120_000)] += requests;
    let group = &mut cohort.groups[company.group % GROUPS];
    group.requests += requests;
    group.errors += errors;
    group.time += requests * 120_000;
}
