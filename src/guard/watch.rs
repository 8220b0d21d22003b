//! All flags under watch.

use super::choose::{Held, SUSPECT, Suspect, choose};
use super::detector::{Detector, Reading};
use super::finding::Finding;
use super::policy::{Action, Policy};
use crate::plan::Verdict;
use std::collections::BTreeMap;

/// How long nothing is evidence after the guard acted, in microseconds: until workers know of it and what was under way is
/// over.
const SETTLING: i64 = 30_000_000;

/// A flag's counters, and what it is held to.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The flag's key.
    pub flag: &'a str,
    /// The counters.
    pub reading: Reading<'a>,
    /// What it is held to.
    pub policy: &'a Policy,
}

/// What the guard decides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What to do now; [`Finding::action`] says what.
    pub act: Option<Finding>,
    /// What else was found, and why nothing is done about it. Each is named once, as long as it stands.
    pub held: Vec<(Finding, Held)>,
}

/// All flags under watch.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    flags: BTreeMap<String, Watched>,
    /// Until when nothing is evidence.
    settling: i64,
}

#[derive(Debug, Clone)]
struct Watched {
    detector: Detector,
    changed_at: i64,
    finding: Option<(Finding, i64)>,
    named: Option<Held>,
    /// Until when the flag is left alone.
    cooldown: Option<i64>,
}

impl Guard {
    /// Nothing is under watch yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what was done before this guard began, so that it keeps to the cooldown: until when the flag is left alone, in
    /// microseconds since 1970. The flag has to be under watch.
    pub fn leave_alone(&mut self, flag: &str, until: i64) {
        if let Some(watched) = self.flags.get_mut(flag) {
            watched.cooldown = Some(until);
        }
    }

    /// Takes in one sample of each flag, and decides. Flags that are not among them are watched no longer.
    pub fn watch(&mut self, now: i64, samples: &[Sample]) -> Decision {
        let sampled: BTreeMap<&str, &Sample> = samples.iter().map(|sample| (sample.flag, sample)).collect();
        self.flags.retain(|flag, _| sampled.contains_key(flag.as_str()));
        for (flag, sample) in &sampled {
            match self.flags.get_mut(*flag) {
                Some(watched) => watched.observe(sample, now < self.settling),
                None => {
                    self.flags.insert((*flag).to_owned(), Watched::new(sample));
                }
            }
        }
        let suspects = self.flags.iter().map(|(flag, watched)| watched.suspect(flag)).collect();
        let (act, others) = choose(now, suspects);
        let mut decision = Decision { act: None, held: Vec::new() };
        for (finding, held) in others {
            if let Some(watched) = self.flags.get_mut(&finding.flag)
                && watched.named.as_ref() != Some(&held)
            {
                watched.named = Some(held.clone());
                decision.held.push((finding, held));
            }
        }
        if let Some(finding) = act {
            self.acted(now, &finding, &sampled);
            decision.act = Some(finding);
        }
        decision
    }

    /// What is wrong was looked at and something done: from here on it is looked at afresh.
    fn acted(&mut self, now: i64, finding: &Finding, sampled: &BTreeMap<&str, &Sample>) {
        let Some(sample) = sampled.get(finding.flag.as_str()) else { return };
        if let Some(watched) = self.flags.get_mut(&finding.flag) {
            watched.cooldown = Some(now.saturating_add(sample.policy.cooldown));
        }
        // Telling people changes nothing, so that what speaks against other flags still does.
        if finding.action == Action::Rollback {
            self.settling = now + SETTLING;
        }
    }

    /// What was decided was not done, or only in part: the flag is looked at afresh, and no cooldown holds it.
    pub fn not_done(&mut self, flag: &str) {
        if let Some(watched) = self.flags.get_mut(flag) {
            watched.cooldown = None;
        }
    }

    /// What a plan is told of a flag: whether to go on to the next stage.
    pub fn verdict(&self, flag: &str, policy: &Policy) -> Verdict {
        let Some(watched) = self.flags.get(flag) else {
            return Verdict::Wait("the guard does not watch it yet".to_owned());
        };
        if let Some((finding, _)) = &watched.finding {
            return Verdict::Trip(finding.to_string());
        }
        let (requests, groups) = watched.detector.seen();
        if requests < policy.min_requests {
            return Verdict::Wait(format!(
                "{requests} of {} requests were seen with it on",
                policy.min_requests
            ));
        }
        if groups < policy.min_companies {
            return Verdict::Wait(format!(
                "{groups} of {} companies were seen with it on",
                policy.min_companies
            ));
        }
        match watched.detector.suspicion() {
            suspicion if suspicion >= SUSPECT => Verdict::Wait(format!(
                "{:.0} % of the evidence that it does harm is there",
                suspicion * 100.0
            )),
            _ => Verdict::Go,
        }
    }
}

impl Watched {
    fn new(sample: &Sample) -> Self {
        Self {
            detector: Detector::new(&sample.reading),
            changed_at: sample.reading.changed_at,
            finding: None,
            named: None,
            cooldown: None,
        }
    }

    fn observe(&mut self, sample: &Sample, settling: bool) {
        self.changed_at = sample.reading.changed_at;
        if settling {
            self.detector.skip(&sample.reading);
            self.finding = None;
        } else {
            let found = self.detector.observe(&sample.reading, sample.policy);
            let since = self.finding.as_ref().map_or(sample.reading.at, |(_, since)| *since);
            self.finding = found.map(|finding| (Finding { flag: sample.flag.to_owned(), ..finding }, since));
        }
        if self.finding.is_none() {
            self.named = None;
        }
    }

    fn suspect(&self, flag: &str) -> Suspect {
        Suspect {
            flag: flag.to_owned(),
            changed_at: self.changed_at,
            suspicion: self.detector.suspicion(),
            finding: self.finding.clone(),
            cooldown: self.cooldown,
        }
    }
}
