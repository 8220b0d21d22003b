//! All flags under watch.

use super::aftermath::{Aftermath, Outcome};
use super::choose::{Held, SUSPECT, Suspect, choose};
use super::control::Rate;
use super::detector::{Detector, Reading};
use super::finding::{Finding, Ground, Harm};
use super::kind::Kind;
use super::memory::{Kept, Memory};
use super::policy::{Action, Policy};
use super::site::{Site, Trouble};
use super::stakes::TICK;
use crate::plan::Verdict;
use crate::telemetry::{Cohort, Exposure, duration};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// How long nothing is evidence after the guard acted, in microseconds: until workers know of it and what was under way is
/// over.
const SETTLING: i64 = 30_000_000;

/// A plan's stage is taken back on suspicion for so long after it was entered, in microseconds.
const YOUNG: i64 = 900_000_000;
/// Harm that a stage is suspected of begins within that time after it was entered.
const SOON: i64 = 600_000_000;
/// After a stage was taken back on suspicion, no other is for so long.
const ONE_STAGE: i64 = 300_000_000;
/// After so long without harm, acts on limits go on by themselves.
const QUIET: i64 = 6 * 3_600_000_000;
/// A flag that nobody asked for so long rests: it takes less than half of the memory of others, and no time.
const REST: i64 = 3_600_000_000;
/// A gate that more than this share of the askers have is not killed for less than [`OUTAGE`].
const MANY: f64 = 0.2;
/// Where off is an outage, the flag is killed only while more than this share of its own requests fail.
const OUTAGE: f64 = 0.5;
/// Errors that are enough to hold a plan at once, however few companies had them.
const PILOT_ERRORS: u64 = 10;

/// A flag's counters, and what it is held to.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The flag's key.
    pub flag: &'a str,
    /// The counters.
    pub reading: Reading<'a>,
    /// What it is held to.
    pub policy: &'a Policy,
    /// When its plan entered the present stage, if the plan is running; microseconds since 1970.
    pub stage: Option<i64>,
    /// Off is an outage: it says `"emergency": "keep"`, or an enabled flag requires it.
    pub essential: bool,
    /// The flag whose change was this one's last: one that it requires, as [`LastChange`](super::LastChange) has it.
    pub through: Option<&'a str>,
}

impl<'a> Sample<'a> {
    /// A flag without a plan, which may be off.
    pub fn new(flag: &'a str, reading: Reading<'a>, policy: &'a Policy) -> Self {
        Self { flag, reading, policy, stage: None, essential: false, through: None }
    }
}

/// Something to tell people that is no finding.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// What came of an act on limits.
    Outcome {
        /// The flag that was acted on.
        flag: String,
        /// What came of it.
        outcome: Outcome,
    },
    /// Acts on limits stop, because the last did not help.
    Stopped,
    /// They go on: six hours were quiet.
    Rearmed,
    /// Requests fail, or are slow, and nothing is taken back.
    Outage {
        /// Of all requests, where that is known.
        trouble: Option<Trouble>,
        /// When the evidence begins, in microseconds since 1970.
        since: i64,
    },
    /// An outage that was told of is over: all was well for five minutes.
    OutageOver {
        /// When it was told of, and when something was wrong last; microseconds since 1970.
        since: i64,
        #[allow(missing_docs, reason = "said of `since`")]
        until: i64,
    },
    /// Those who have a flag in its plan's stage fail, too few to turn it off.
    Pilots {
        /// The flag.
        flag: String,
        /// In a sentence.
        why: String,
    },
}

/// What the guard decides.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What to do now; [`Finding::action`] says what.
    pub act: Option<Finding>,
    /// What else was found, and why nothing is done about it. Each is named once, as long as it stands.
    pub held: Vec<(Finding, Held)>,
    /// What else there is to tell, each once.
    pub notices: Vec<Notice>,
}

/// All flags under watch.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    flags: BTreeMap<String, Box<Watched>>,
    /// Flags whose answers each flag changed last because they require it, and what those are held to.
    dependents: BTreeMap<String, Vec<(String, Policy)>>,
    /// What another guard knew of flags that were not sampled yet.
    kept: BTreeMap<String, Kept>,
    /// Until when nothing is evidence.
    settling: i64,
    /// Hashes of the flags that nobody asked until the last look, and that look's time and epoch.
    idle: BTreeSet<u64>,
    looked: Option<(i64, u64)>,
    /// All requests.
    site: Option<Site>,
    /// All requests as of the last look.
    total: Option<Cohort>,
    /// The last act on limits, while it is looked after.
    after: Option<Aftermath>,
    /// Since when acts on limits have stopped.
    stopped: Option<i64>,
    /// When something was wrong last, while they have.
    troubled: i64,
    /// When a stage was taken back on suspicion last.
    stage_taken: i64,
    paused: Option<i64>,
    /// When the evidence of an outage that was told of begins, and when requests failed last.
    outage: Option<(i64, i64)>,
}

/// How one flag stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What it can be compared with, once that is known.
    pub kind: Option<Kind>,
    /// 0, nothing speaks against it, to 1, enough does.
    pub evidence: f64,
    /// What was found.
    pub finding: Option<Finding>,
    /// Until when it is left alone, in microseconds since 1970.
    pub cooldown: Option<i64>,
    /// Requests answered on since it was changed, or the watch began.
    pub requests: u64,
    /// Companies among them at least, 16 at most.
    pub companies: usize,
}

#[derive(Debug, Clone)]
struct Watched {
    detector: Detector,
    changed_at: i64,
    finding: Option<(Finding, i64)>,
    named: Option<Held>,
    /// Until when the flag is left alone.
    cooldown: Option<i64>,
    /// The controls leave a doubt about the finding.
    doubt: bool,
    /// Its plan was held or people were told, since off would be an outage.
    spared: bool,
    /// It was told that those who have it fail.
    pilots: bool,
    /// Requests that were counted as of the last sample, its epoch, and when that was another number.
    counted: (u64, u64),
    asked_at: i64,
    /// It rests, and has for a day.
    rests: bool,
    day: bool,
}

/// How many requests were counted, whatever they came to.
fn counted(exposure: &Exposure) -> u64 {
    let counts = [exposure.on.requests, exposure.off.requests, exposure.gated, exposure.mixed];
    counts.into_iter().fold(0, u64::wrapping_add)
}

impl Guard {
    /// Nothing is under watch yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on where another guard ended. What is wrong in its memory is forgotten; what it does not hold begins anew.
    pub fn resumed(memory: Memory) -> Self {
        Self {
            kept: memory.flags,
            stopped: memory.stopped,
            stage_taken: memory.stage_taken,
            ..Self::default()
        }
    }

    /// Takes in one sample of each flag, and of all requests where they are counted, and decides. Flags that are not among them are
    /// watched no longer.
    pub fn watch(&mut self, now: i64, samples: &[Sample], total: Option<&Cohort>) -> Decision {
        // A clock that was set back does not lengthen what was to last so long.
        self.settling = self.settling.min(now.saturating_add(SETTLING));
        self.stage_taken = self.stage_taken.min(now);
        let settles = now < self.settling;
        let trouble = self.observe_all(now, samples, total, settles);
        let mut decision = Decision::default();
        self.look_after(now, samples, total, &mut decision);
        self.rearm(now, trouble.is_some(), &mut decision);
        let mut suspects = Vec::new();
        let mut held: Vec<(Finding, Held)> = Vec::new();
        for sample in samples {
            let Some(watched) = self.flags.get(sample.flag) else { continue };
            let mut suspect = watched.suspect(sample);
            if let Some((mut finding, since)) = suspect.finding.take() {
                match self.holds(now, watched, sample, &mut finding, samples) {
                    Some(why) => held.push((finding, why)),
                    None => suspect.finding = Some((finding, since)),
                }
            }
            suspects.push(suspect);
        }
        let (mut act, others) = choose(now, suspects);
        held.extend(others);
        if act.is_none() {
            act = self.suspected_stage(now, trouble, samples);
        }
        let everywhere = held
            .iter()
            .filter(|(_, why)| matches!(why, Held::Everywhere | Held::Unwatched | Held::Stopped(_)));
        let since = everywhere.clone().map(|(finding, _)| finding.since).min();
        let since = since.or(trouble.map(|trouble| trouble.since));
        // What was found stands for the policy's window after it is over.
        let goes_on = trouble.is_some()
            || everywhere.clone().any(|(finding, _)| {
                let own = self.flags.get(&finding.flag).map(|watched| watched.detector.recent().0);
                finding.harm == Harm::Slow || own.is_some_and(|own| own.share() > finding.limit)
            });
        match (self.outage, since) {
            (None, Some(since)) if act.is_none() && !settles && self.after.is_none() && goes_on => {
                self.outage = Some((since, now));
                decision.notices.push(Notice::Outage { trouble, since });
            }
            (Some((since, _)), _) if goes_on => self.outage = Some((since, now)),
            (Some((since, until)), _) if now - until > ONE_STAGE => {
                self.outage = None;
                decision.notices.push(Notice::OutageOver { since, until });
            }
            _ => {}
        }
        for (finding, held) in held {
            if let Some(watched) = self.flags.get_mut(&finding.flag)
                && watched.named.as_ref() != Some(&held)
            {
                watched.named = Some(held.clone());
                decision.held.push((finding, held));
            }
        }
        self.pilots(samples, &mut decision);
        if let Some(finding) = act {
            self.acted(now, &finding, samples);
            decision.act = Some(finding);
        }
        decision
    }

    /// Takes in the samples; requests anywhere that left their range.
    fn observe_all(
        &mut self,
        now: i64,
        samples: &[Sample],
        total: Option<&Cohort>,
        settles: bool,
    ) -> Option<Trouble> {
        let before = self.total.take();
        let totals = total.zip(before.as_ref());
        self.dependents.clear();
        for sample in samples {
            if let Some(through) = sample.through {
                let dependent = (sample.flag.to_owned(), sample.policy.clone());
                self.dependents.entry(through.to_owned()).or_default().push(dependent);
            }
        }
        let sampled: BTreeSet<&str> = samples.iter().map(|sample| sample.flag).collect();
        self.flags.retain(|flag, _| sampled.contains(flag.as_str()));
        let (nothing, mut idle) = (Exposure::default(), BTreeSet::new());
        let mut changes: BTreeMap<i64, u32> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| now - sample.reading.changed_at < sample.policy.watch) {
            *changes.entry(sample.reading.changed_at).or_default() += 1;
        }
        for sample in samples {
            let together = changes.get(&sample.reading.changed_at).copied().unwrap_or(1);
            let sample = Sample { reading: Reading { totals, together, ..sample.reading }, ..*sample };
            match self.flags.get_mut(sample.flag) {
                Some(watched) => watched.observe(&sample, settles),
                // Nobody asked it: there is nothing to remember but that.
                None if *sample.reading.exposure == nothing => _ = idle.insert(hash(sample.flag)),
                None => {
                    let kept = self.kept.remove(sample.flag);
                    let mut watched = Watched::new(&sample, kept.clone());
                    // At the last look nobody had.
                    if let Some((at, epoch)) = self.looked
                        && epoch == sample.reading.epoch
                        && self.idle.contains(&hash(sample.flag))
                    {
                        let reading = Reading { at, exposure: &nothing, ..sample.reading };
                        watched = Watched::new(&Sample { reading, ..sample }, kept);
                        watched.observe(&sample, settles);
                    }
                    self.flags.insert(sample.flag.to_owned(), Box::new(watched));
                }
            }
        }
        self.idle = idle;
        self.looked = samples.first().map(|sample| (now, sample.reading.epoch));
        let trouble = match (total, &mut self.site) {
            (Some(total), Some(site)) if settles => {
                site.skip(now, total);
                None
            }
            (Some(total), Some(site)) => site.observe(now, total),
            (Some(total), none) => {
                *none = Some(Site::new(now, total));
                None
            }
            (None, _) => None,
        };
        self.total = total.cloned();
        trouble
    }

    /// Why nothing is done about a finding on limits, if so. How sure the guard must be follows from what it takes.
    fn holds(
        &self,
        now: i64,
        watched: &Watched,
        sample: &Sample,
        finding: &mut Finding,
        samples: &[Sample],
    ) -> Option<Held> {
        if let Some(until) = self.paused.filter(|until| *until > now) {
            return Some(Held::Paused(until));
        }
        if finding.action == Action::Notify {
            return None;
        }
        let many = watched.detector.kind() == Some(Kind::Gate) && watched.detector.share_on() > MANY;
        if (sample.essential || many) && !watched.fails_mostly(finding) {
            finding.action = Action::Hold;
        }
        if finding.ground == Ground::Cohorts {
            return None;
        }
        // Nobody got used to a stage that is minutes old.
        let young = sample.stage.is_some_and(|stage| (0..YOUNG).contains(&now.saturating_sub(stage)));
        if young && watched.doubt {
            finding.ground = Ground::Stage;
            return (now - self.stage_taken < ONE_STAGE).then_some(Held::Everywhere);
        }
        if young {
            return None;
        }
        if !watched.is_watched(now, sample) {
            return Some(Held::Unwatched);
        }
        if let Some(since) = self.stopped {
            return Some(Held::Stopped(since));
        }
        if let Some(after) = &self.after {
            return Some(Held::After(after.flag.clone()));
        }
        if watched.doubt {
            return Some(Held::Everywhere);
        }
        let related =
            |other: &Sample| other.through == Some(sample.flag) || sample.through == Some(other.flag);
        let together = |other: &&Sample| {
            other.flag != sample.flag
                && !related(other)
                && other.reading.changed_at == sample.reading.changed_at
                && self.flags.get(other.flag).is_some_and(|watched| watched.is_on_limits())
        };
        let together: Vec<String> =
            samples.iter().filter(together).map(|other| other.flag.to_owned()).collect();
        (!together.is_empty()).then_some(Held::Together(together))
    }

    /// The stage that was entered last, if requests anywhere left their range minutes after it was.
    fn suspected_stage(&self, now: i64, trouble: Option<Trouble>, samples: &[Sample]) -> Option<Finding> {
        let trouble = trouble?;
        if self.paused.is_some_and(|until| until > now) || now - self.stage_taken < ONE_STAGE {
            return None;
        }
        let entered = |sample: &&Sample| {
            let stage = sample.stage.unwrap_or(i64::MIN);
            let began = trouble.since.saturating_sub(stage);
            // Evidence begins up to a tick before the harm does.
            now.saturating_sub(stage) < YOUNG && (-TICK..SOON).contains(&began)
        };
        let acts = |sample: &&Sample| sample.policy.action != Action::Notify;
        let sample = samples.iter().filter(entered).filter(acts).max_by_key(|sample| sample.stage)?;
        Some(trouble.finding(sample.flag, now, sample.reading.changed_at, sample.policy))
    }

    /// Whether the last act on limits helped.
    fn look_after(&mut self, now: i64, samples: &[Sample], total: Option<&Cohort>, decision: &mut Decision) {
        let Some(after) = &mut self.after else { return };
        let sample = samples.iter().find(|sample| sample.flag == after.flag);
        let outcome = match sample {
            Some(sample) => {
                let exposure = sample.reading.exposure;
                let mut page = Rate::of(&exposure.on, after.slow);
                page.add(Rate::of(&exposure.off, after.slow));
                let controls =
                    total.map(|total| Rate::of_controls(total, exposure, after.slow)).unwrap_or_default();
                after.observe(now, page, controls)
            }
            None => Some(Outcome::CannotTell),
        };
        let Some(outcome) = outcome else { return };
        decision.notices.push(Notice::Outcome { flag: after.flag.clone(), outcome });
        self.after = None;
        if outcome.is_useless() {
            self.stopped = Some(now);
            decision.notices.push(Notice::Stopped);
        }
    }

    /// Lets acts on limits go on once six hours were quiet.
    fn rearm(&mut self, now: i64, trouble: bool, decision: &mut Decision) {
        let Some(stopped) = self.stopped else { return };
        if trouble || self.flags.values().any(|watched| watched.is_on_limits()) {
            self.troubled = now;
        }
        if now - stopped.max(self.troubled) >= QUIET {
            self.stopped = None;
            decision.notices.push(Notice::Rearmed);
        }
    }

    /// Names those whose few requests fail, once.
    fn pilots(&mut self, samples: &[Sample], decision: &mut Decision) {
        for sample in samples.iter().filter(|sample| sample.stage.is_some()) {
            let Some(watched) = self.flags.get_mut(sample.flag) else { continue };
            let why = match watched.verdict(sample.policy) {
                Verdict::Trip(why) | Verdict::Failing(why) if watched.finding.is_none() => Some(why),
                _ => None,
            };
            if why.is_some() && !watched.pilots {
                decision.notices.push(Notice::Pilots {
                    flag: sample.flag.to_owned(),
                    why: why.clone().unwrap_or_default(),
                });
            }
            watched.pilots = why.is_some();
        }
    }

    /// What is wrong was looked at and something done: from here on it is looked at afresh.
    fn acted(&mut self, now: i64, finding: &Finding, samples: &[Sample]) {
        let Some(sample) = samples.iter().find(|sample| sample.flag == finding.flag) else { return };
        if finding.ground == Ground::Stage {
            self.stage_taken = now;
        }
        if let Some(watched) = self.flags.get_mut(&finding.flag) {
            watched.cooldown = Some(now.saturating_add(sample.policy.cooldown));
            watched.spared = finding.action == Action::Hold && sample.policy.action == Action::Rollback;
            let limits = matches!(finding.ground, Ground::Controls | Ground::Alone);
            if limits && finding.action == Action::Rollback {
                let gate = watched.detector.kind() == Some(Kind::Gate);
                let slow = (finding.slower > 0).then(|| duration::bucket(finding.slower.saturating_sub(1)));
                let before = match slow {
                    None => watched.detector.recent(),
                    Some(_) => (
                        Rate { requests: finding.on.requests, hits: finding.on.hits },
                        watched.detector.controls_of_slow(),
                    ),
                };
                let compared = finding.ground == Ground::Controls;
                self.after = Some(Aftermath::new(&finding.flag, now, gate, before, compared, slow));
            }
        }
        // Telling people changes nothing, so that what speaks against other flags still does.
        if finding.action == Action::Rollback {
            self.settling = now + SETTLING;
        }
    }

    /// Has the guard do nothing until then; microseconds since 1970. None: it goes on.
    pub fn pause(&mut self, until: Option<i64>) {
        self.paused = until;
    }

    /// Lets acts on limits go on after one that did not help.
    pub fn resume(&mut self) {
        (self.stopped, self.after) = (None, None);
    }

    /// Since when acts on limits have stopped; microseconds since 1970.
    pub fn stopped(&self) -> Option<i64> {
        self.stopped
    }

    /// Each flag that is watched, for people: its kind, how far evidence has come, what was found, and the cooldown.
    pub fn standings(&self) -> impl Iterator<Item = (&str, Standing)> {
        self.flags.iter().map(|(flag, watched)| {
            let (requests, companies) = watched.detector.seen();
            let standing = Standing {
                kind: watched.detector.kind(),
                evidence: watched.detector.suspicion(),
                finding: watched.finding.as_ref().map(|(finding, _)| finding.clone()),
                cooldown: watched.cooldown,
                requests,
                companies,
            };
            (flag.as_str(), standing)
        })
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
            let flag = sample.flag.to_owned();
            let verdict = self.verdict(sample.flag, sample.policy);
            let Some(watched) = self.flags.get(sample.flag) else {
                // Nobody asked it since: what another guard knew still holds, and what others say that require it.
                let kept = self.kept.get(sample.flag).cloned();
                let kept = match self.verdict_of_dependents(sample.flag) {
                    Some(_) => {
                        Kept { verdict, ..kept.unwrap_or_else(|| Kept::unasked(sample.reading.changed_at)) }
                    }
                    None => kept?,
                };
                return Some((flag, kept));
            };
            Some((flag, watched.detector.kept(verdict, watched.cooldown)))
        };
        Memory {
            at: now,
            flags: samples.iter().filter_map(kept).collect(),
            stopped: self.stopped,
            stage_taken: self.stage_taken,
            ..Memory::default()
        }
    }

    /// What a plan is told of a flag: whether to go on to the next stage.
    pub fn verdict(&self, flag: &str, policy: &Policy) -> Verdict {
        let own = match self.flags.get(flag) {
            Some(watched) => watched.verdict(policy),
            None if self.idle.contains(&hash(flag)) => Verdict::Few("it was not asked yet".to_owned()),
            None => Verdict::Wait("the guard does not watch it yet".to_owned()),
        };
        match own {
            Verdict::Go | Verdict::Few(_) if policy.action != Action::Notify => {
                self.verdict_of_dependents(flag).unwrap_or(own)
            }
            own => own,
        }
    }

    /// What speaks against a flag in those whose answers it changed.
    fn verdict_of_dependents(&self, flag: &str) -> Option<Verdict> {
        let dependents = self.dependents.get(flag)?;
        dependents.iter().find_map(|(dependent, policy)| {
            let says = |why| format!("{dependent}, which requires it: {why}");
            match self.flags.get(dependent)?.verdict(policy) {
                Verdict::Wait(why) => Some(Verdict::Wait(says(why))),
                Verdict::Trip(why) => Some(Verdict::Trip(says(why))),
                Verdict::Failing(why) => Some(Verdict::Failing(says(why))),
                Verdict::Go | Verdict::Few(_) => None,
            }
        })
    }
}

fn hash(flag: &str) -> u64 {
    xxh3_64(flag.as_bytes())
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
        Self {
            detector,
            changed_at,
            finding: None,
            named: None,
            cooldown,
            doubt: false,
            spared: false,
            pilots: false,
            counted: (counted(sample.reading.exposure), sample.reading.epoch),
            asked_at: sample.reading.at,
            rests: false,
            day: false,
        }
    }

    fn observe(&mut self, sample: &Sample, settling: bool) {
        let changed = std::mem::replace(&mut self.changed_at, sample.reading.changed_at) != self.changed_at;
        let longest = sample.reading.at.saturating_add(sample.policy.cooldown);
        self.cooldown = self.cooldown.map(|until| until.min(longest));
        let at = sample.reading.at;
        let counted = (counted(sample.reading.exposure), sample.reading.epoch);
        let asked = std::mem::replace(&mut self.counted, counted) != counted;
        if asked || changed || at < self.asked_at {
            (self.asked_at, self.rests) = (at, false);
        } else if at - self.asked_at >= REST {
            // Once at first, and once when its hours are no longer of the last day.
            let day = at - self.asked_at >= 25 * REST;
            if !self.rests || day != self.day {
                self.detector.rest();
                (self.rests, self.day) = (true, day);
                (self.finding, self.named, self.doubt) = (None, None, false);
            }
            return self.detector.pass(at);
        }
        if settling {
            self.detector.skip(&sample.reading);
            self.finding = None;
        } else {
            let found = self.detector.observe_all(&sample.reading, sample.policy);
            let since = self.finding.as_ref().map_or(sample.reading.at, |(_, since)| *since);
            self.doubt = found.as_ref().is_some_and(|(_, doubt)| *doubt);
            self.finding = found.map(|(finding, _)| {
                let through = sample.through.map(str::to_owned);
                (Finding { flag: sample.flag.to_owned(), through, ..finding }, since)
            });
        }
        // What was spared is killed where it has become the worse state.
        if self.spared && self.finding.as_ref().is_some_and(|(finding, _)| self.fails_mostly(finding)) {
            (self.spared, self.cooldown) = (false, None);
        }
        if self.finding.is_none() {
            self.named = None;
        }
    }

    /// Whether most of its own requests fail now.
    fn fails_mostly(&self, finding: &Finding) -> bool {
        let (now, _) = self.detector.recent();
        let share = if now.requests == 0 { finding.on.rate() } else { now.share() };
        finding.harm == Harm::Errors && share > OUTAGE
    }

    /// Whether something was found that no off-cohort confirms.
    fn is_on_limits(&self) -> bool {
        self.finding.as_ref().is_some_and(|(finding, _)| finding.ground != Ground::Cohorts)
    }

    /// Whether it may be acted on by limits: within the policy's time after a change, and until it has seen an hour as busy as the
    /// busiest of the last seven days.
    fn is_watched(&self, now: i64, sample: &Sample) -> bool {
        self.detector.is_watched(now, sample.reading.changed_at, sample.policy)
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
        let (requests, groups) = self.detector.seen();
        if requests < policy.min_requests || groups < policy.min_companies {
            let own = self.detector.own();
            if own.share() > policy.error_rate {
                let why = format!(
                    "{} of {} requests with it on failed, of {groups} companies or more; too few to turn it off, and not advanced",
                    own.hits, own.requests
                );
                return if own.hits >= PILOT_ERRORS { Verdict::Trip(why) } else { Verdict::Failing(why) };
            }
        }
        let suspicion = self.detector.suspicion();
        if suspicion >= SUSPECT {
            let percent = suspicion * 100.0;
            return Verdict::Wait(format!("{percent:.0} % of the evidence that it does harm is there"));
        }
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

    fn suspect(&self, sample: &Sample) -> Suspect {
        Suspect {
            flag: sample.flag.to_owned(),
            changed_at: self.changed_at,
            inherited: sample.through.is_some(),
            suspicion: self.detector.suspicion(),
            finding: self.finding.clone(),
            cooldown: self.cooldown,
        }
    }
}
