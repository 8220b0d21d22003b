//! All flags under watch.

use super::choose::{Held, SUSPECT, Suspect, choose};
use super::detector::{Detector, Reading};
use super::finding::Finding;
use super::memory::{Kept, Memory};
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
    /// What another guard knew of flags that were not sampled yet.
    kept: BTreeMap<String, Kept>,
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

    /// Goes on where another guard ended. What is wrong in its memory is forgotten; what it does not hold begins anew.
    pub fn resumed(memory: Memory) -> Self {
        Self { kept: memory.flags, ..Self::default() }
    }

    /// Takes in one sample of each flag, and decides. Flags that are not among them are watched no longer.
    pub fn watch(&mut self, now: i64, samples: &[Sample]) -> Decision {
        // A clock that was set back does not lengthen what was to last so long.
        self.settling = self.settling.min(now.saturating_add(SETTLING));
        let sampled: BTreeMap<&str, &Sample> = samples.iter().map(|sample| (sample.flag, sample)).collect();
        self.flags.retain(|flag, _| sampled.contains_key(flag.as_str()));
        for (flag, sample) in &sampled {
            match self.flags.get_mut(*flag) {
                Some(watched) => watched.observe(sample, now < self.settling),
                None => {
                    let watched = Watched::new(sample, self.kept.remove(*flag));
                    self.flags.insert((*flag).to_owned(), watched);
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

    /// What the next guard is to know, and what plans are told.
    pub fn memory(&self, now: i64, samples: &[Sample]) -> Memory {
        let kept = |sample: &Sample| {
            let watched = self.flags.get(sample.flag)?;
            let verdict = watched.verdict(sample.policy);
            Some((sample.flag.to_owned(), watched.detector.kept(verdict, watched.cooldown)))
        };
        Memory { at: now, flags: samples.iter().filter_map(kept).collect(), ..Memory::default() }
    }

    /// What a plan is told of a flag: whether to go on to the next stage.
    pub fn verdict(&self, flag: &str, policy: &Policy) -> Verdict {
        match self.flags.get(flag) {
            Some(watched) => watched.verdict(policy),
            None => Verdict::Wait("the guard does not watch it yet".to_owned()),
        }
    }
}

impl Watched {
    fn new(sample: &Sample, kept: Option<Kept>) -> Self {
        let longest = sample.reading.at.saturating_add(sample.policy.cooldown);
        let cooldown = kept.as_ref().and_then(|kept| kept.cooldown).map(|until| until.min(longest));
        let detector = match kept {
            Some(kept) => Detector::resumed(&sample.reading, kept),
            None => Detector::new(&sample.reading),
        };
        let changed_at = sample.reading.changed_at;
        Self { detector, changed_at, finding: None, named: None, cooldown }
    }

    fn observe(&mut self, sample: &Sample, settling: bool) {
        self.changed_at = sample.reading.changed_at;
        let longest = sample.reading.at.saturating_add(sample.policy.cooldown);
        self.cooldown = self.cooldown.map(|until| until.min(longest));
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

    fn verdict(&self, policy: &Policy) -> Verdict {
        if policy.action == Action::Notify {
            return Verdict::Go;
        }
        if let Some((finding, _)) = &self.finding {
            return match policy.action {
                // It goes a stage back, which it could not from a plan that is held.
                Action::Rollback => Verdict::Wait(finding.to_string()),
                _ => Verdict::Trip(finding.to_string()),
            };
        }
        let suspicion = self.detector.suspicion();
        if suspicion >= SUSPECT {
            let percent = suspicion * 100.0;
            return Verdict::Wait(format!("{percent:.0} % of the evidence that it does harm is there"));
        }
        let (requests, groups) = self.detector.seen();
        if requests < policy.min_requests {
            let least = policy.min_requests;
            return Verdict::Few(format!("{requests} of {least} requests were seen with it on"));
        }
        if groups < policy.min_companies {
            let least = policy.min_companies;
            return Verdict::Few(format!("{groups} of {least} companies were seen with it on"));
        }
        Verdict::Go
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
