//! The guard over all flags of a store.

use super::aftermath::{Aftermath, Doubt, Grounds, Outcome};
use super::choose::{NoActionReason, SUSPECT, Suspect, choose};
use super::control::{Rate, slow_after};
use super::detector::{Detector, Reading};
use super::finding::{Against, Finding, Ground, Harm, Protection, Share};
use super::kind::Kind;
use super::memory::{FlagMemory, GuardState, KeptOutage};
use super::past_hours::PastHours;
use super::policy::{Action, Policy};
use super::sight::Stuck;
use super::site::{Site, Trouble};
use super::stage_suspicion::{Judgement, TroubleMark};
use super::stakes::TICK;
use crate::plan::Verdict;
use crate::telemetry::{Cohort, Exposure, duration};
use std::collections::{BTreeMap, BTreeSet};
use xxhash_rust::xxh3::xxh3_64;

/// Microseconds after an act in which nothing is evidence: workers still learn of the act, and open requests end.
const SETTLING: i64 = 30_000_000;

/// Age up to which a plan's stage may be taken back on suspicion, in microseconds.
const YOUNG: i64 = 900_000_000;
/// Harm that a stage is suspected of begins within this time after the stage was entered, in microseconds.
const STAGE_SUSPICION_MICROS: i64 = 600_000_000;
/// Microseconds after a start, or after requests that are no evidence, in which no stage is suspected: evidence against flags begins within
/// a tick, and needs as long again.
const FLAGS_FIRST: i64 = 2 * TICK;
/// Microseconds after a stage was taken back on suspicion in which no other stage is.
const ONE_STAGE: i64 = 300_000_000;
/// Microseconds without harm after which an act whose effect was not found out no longer keeps others from being made.
const WELL: i64 = 300_000_000;
/// Microseconds without harm after which acts on limits resume by themselves.
const QUIET: i64 = 6 * 3_600_000_000;
/// Harm that begins within this many microseconds of a change began with it.
const WITH_CHANGE: i64 = 60_000_000;
/// The longest time between two looks that counts as time, in microseconds: more is a clock that was set, or a guard that was stopped.
const LONGEST_STEP: i64 = 60_000_000;
/// Microseconds without a question after which a flag rests: it takes less than half of the memory of others, and no time.
const REST: i64 = 3_600_000_000;
/// A gate that more than this share of the askers have is not killed for less than [`OUTAGE`].
const MANY: f64 = 0.2;
/// A flag for which off is an outage is killed only while more than this share of its own requests fail.
const OUTAGE: f64 = 0.5;
/// Errors that are enough to hold a plan at once, however few companies had them.
const PILOT_ERRORS: u64 = 10;
/// Microseconds after an act within which the act's own change, one stage back, is published.
const OWN_CHANGE: i64 = 10_000_000;
/// An outage is over once so many requests ended well since, and as many as would have had so many hits if it went on.
const MIN_REQUESTS_AFTER_OUTAGE: f64 = 50.0;
const EXPECTED_HITS_OF_OUTAGE: f64 = 8.0;
/// Harm is over once this many hits are expected in the last requests and their rate is within the limit.
const EXPECTED_HITS: f64 = 3.0;

/// A flag's counters and the policy that it is held to.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    /// The flag's key.
    pub flag: &'a str,
    /// The counters at the time of the look.
    pub reading: Reading<'a>,
    /// The limits, and the action on a finding.
    pub policy: &'a Policy,
    /// Time at which its plan entered the present stage, if the plan is running; microseconds since 1970.
    pub stage: Option<i64>,
    /// The reason why off is an outage, if the definition of this flag or another says so.
    pub protection: Option<Protection>,
    /// The flag whose change was this one's last: one that it requires, as [`LastChange`](super::LastChange) has it.
    pub through: Option<&'a str>,
    /// True if it is killed: nothing is found or done until it is revived.
    pub killed: bool,
    /// True if everything is stopped. Answers of a stop or a kill are off for everybody, and no cohort.
    pub stopped: bool,
}

impl<'a> Sample<'a> {
    /// A flag without a plan, which may be off.
    pub fn new(flag: &'a str, reading: Reading<'a>, policy: &'a Policy) -> Self {
        Self {
            flag,
            reading,
            policy,
            stage: None,
            protection: None,
            through: None,
            killed: false,
            stopped: false,
        }
    }
}

/// A message for people other than a finding.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// The result of an act on limits.
    Outcome {
        /// The flag that was acted on.
        flag: String,
        /// Its effect on errors or slowness.
        outcome: Outcome,
        /// Requests with it on that the act rested on, and those that failed or were slow.
        on: Share,
    },
    /// Acts on limits stop, because the last did not help.
    Stopped,
    /// They go on: six hours were quiet.
    Rearmed,
    /// Requests fail, or are slow, and nothing is taken back.
    Outage {
        /// The trouble of all requests, if that is known.
        trouble: Option<Trouble>,
        /// Beginning of the evidence, in microseconds since 1970.
        since: i64,
        /// Flags that evidence speaks against: found harmful, and left alone for a reason that does not excuse them, or suspected by their
        /// off-cohort.
        suspected: Vec<String>,
    },
    /// An outage that was reported is over: all was well for five minutes, and enough requests ended well since.
    OutageOver {
        /// Beginning of the evidence, and the last time that something was wrong; microseconds since 1970.
        since: i64,
        #[allow(missing_docs, reason = "said of `since`")]
        until: i64,
        /// Errors or slowness.
        harm: Harm,
        /// The requests meanwhile that it is known by, and those that failed or were slow; none where nothing counts them.
        all: Option<Share>,
    },
    /// Requests of the companies in a plan's stage fail: too few to turn the flag off.
    Pilots {
        /// The flag's key.
        flag: String,
        /// The reason, as a sentence.
        why: String,
    },
}

/// The guard's decision after one look.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// The finding to act on now; [`Finding::action`] says how. It is decided anew at each look until
    /// [`record_act`](Guard::record_act) says that the act was made.
    pub act: Option<Finding>,
    /// Other findings, with the reason why nothing is done about them. Each is reported once, as long as it stands.
    pub held: Vec<(Finding, NoActionReason)>,
    /// Other messages, each once.
    pub notices: Vec<Notice>,
}

/// Watches all flags of a store.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    flags: BTreeMap<String, Box<Watched>>,
    /// For each flag, the flags that require it and whose answers it changed last, with their policies.
    dependents: BTreeMap<String, Vec<(String, Policy)>>,
    /// Memory of an earlier guard for flags that were not sampled yet.
    kept: BTreeMap<String, FlagMemory>,
    /// Nothing is evidence before this time.
    settling: i64,
    /// Hashes of the flags that no request had asked by the last look, and that look's time and epoch.
    idle: BTreeSet<u64>,
    looked: Option<(i64, u64)>,
    /// The clock at the last look.
    clock: Option<i64>,
    /// The watch over all requests together.
    site: Option<Site>,
    /// The hours of all requests that an earlier guard saw.
    kept_site: PastHours,
    /// All requests as of the last look.
    total: Option<Cohort>,
    /// The last act on limits, while its effect is watched.
    after: Option<Aftermath>,
    /// Time at which acts on limits stopped.
    stopped: Option<i64>,
    /// The flag of the last act on limits, if its effect was not found out: until requests were well for five minutes.
    unresolved: Option<String>,
    /// Time of the last trouble of all requests, or finding on limits.
    troubled: i64,
    /// Time at which a stage was last taken back on suspicion.
    stage_taken: i64,
    /// No stage is suspected before this time.
    stages_from: i64,
    /// The counters at an early look at the present trouble of all requests.
    trouble_mark: Option<TroubleMark>,
    /// The flag whose plan could not be held, or harm not told, at the last look.
    failed: Option<String>,
    paused: Option<i64>,
    /// True if it was paused at the last look.
    was_paused: bool,
    /// True if acts on limits resume: findings from the time in which they were stopped were reported then.
    limits_resume: bool,
    /// Set while no request ends.
    stuck: Option<Trouble>,
    /// True if all requests were out of their range at the last look.
    troubled_now: bool,
    outage: Option<Outage>,
    /// Beginning of the harm that the last act was on. Harm whose evidence begins again as soon as it may is the same.
    acted_since: Option<i64>,
    /// True if requests ask more flags than are counted.
    overflows: bool,
}

/// An outage that was reported and is not over.
#[derive(Debug, Clone)]
struct Outage {
    /// Beginning of the evidence, and the last time that requests failed; microseconds since 1970.
    since: i64,
    until: i64,
    /// The bucket after which requests are slow; none for errors.
    slow: Option<usize>,
    /// The flag whose requests it is known by; none where those are all requests.
    flag: Option<String>,
    /// These requests as of the last look.
    counted: Option<Rate>,
    /// Requests of the outage, and requests since it was last seen.
    during: Rate,
    lately: Rate,
}

impl Outage {
    /// An outage that is reported now, with the requests that it is known by.
    fn new(since: i64, now: i64, known: Share, slower: u64, flag: Option<String>) -> Self {
        let during = Rate { requests: known.requests, hits: known.hits };
        let slow = slow_after(slower);
        Self { since, until: now, slow, flag, counted: None, during, lately: Rate::default() }
    }

    /// Counts the requests since the last look.
    fn count(&mut self, total: Option<&Cohort>, samples: &[Sample]) {
        let sample = samples.iter().find(|sample| Some(sample.flag) == self.flag.as_deref());
        if sample.is_none() && self.flag.take().is_some() {
            // The flag is gone.
            self.counted = None;
        }
        let now = match sample {
            Some(Sample { reading, .. }) => Some(Rate::of_page(reading.exposure, self.slow)),
            None => total.map(|total| Rate::of(total, self.slow)),
        };
        if let (Some(now), Some(before)) = (now, self.counted) {
            self.lately.add(now.since(before));
        }
        self.counted = now;
    }

    /// The outage is still there.
    fn goes_on(&mut self, now: i64) {
        self.until = now;
        self.during.add(std::mem::take(&mut self.lately));
    }

    /// True if as many requests ended well since it was last seen as would have shown that it goes on.
    fn is_disproved(&self) -> bool {
        let shown = EXPECTED_HITS_OF_OUTAGE / self.during.share().max(f64::MIN_POSITIVE);
        (self.lately.requests - self.lately.hits) as f64 >= shown.max(MIN_REQUESTS_AFTER_OUTAGE)
    }

    fn kept(&self) -> KeptOutage {
        let Rate { requests, hits } = self.during;
        let Self { since, until, slow, ref flag, .. } = *self;
        KeptOutage { since, until, slow, flag: flag.clone(), all: Share { requests, hits } }
    }

    /// An outage that another guard reported. Requests counted while no guard ran are not part of it.
    fn resumed(kept: KeptOutage) -> Self {
        let KeptOutage { since, until, slow, flag, all: Share { requests, hits } } = kept;
        let during = Rate { requests, hits: hits.min(requests) };
        let slow = slow.filter(|bucket| *bucket < duration::BUCKETS);
        Self { since, until, slow, flag, counted: None, during, lately: Rate::default() }
    }

    fn over(&self) -> Notice {
        let Rate { requests, hits } = self.during;
        Notice::OutageOver {
            since: self.since,
            until: self.until,
            harm: if self.slow.is_some() { Harm::Slow } else { Harm::Errors },
            all: self.counted.map(|_| Share { requests, hits }),
        }
    }
}

/// The state of one flag, for display.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The comparison that is possible, once that is known.
    pub kind: Option<Kind>,
    /// Evidence against the flag, from 0 (none) to 1 (enough).
    pub evidence: f64,
    /// The finding that stands.
    pub finding: Option<Finding>,
    /// End of the cooldown, in microseconds since 1970.
    pub cooldown: Option<i64>,
    /// Requests answered on since it was changed, or the watch began.
    pub requests: u64,
    /// Lower bound of the companies among them, 16 at most.
    pub companies: usize,
}

#[derive(Debug, Clone)]
struct Watched {
    detector: Detector,
    changed_at: i64,
    finding: Option<(Finding, i64)>,
    named: Option<NoActionReason>,
    /// End of the cooldown, and the time at which it was seen to be over.
    cooldown: Option<i64>,
    cooled_at: Option<i64>,
    /// True if the controls leave a doubt about the finding.
    doubt: bool,
    /// Until this time requests without it are taken for as slow as its own, in microseconds since 1970.
    elsewhere_until: i64,
    /// True if its plan was held or people were told instead of killing it, since off would be an outage.
    spared: bool,
    /// True if it was reported that those who have it fail.
    pilots: bool,
    /// True if it was killed at the last sample.
    killed: bool,
    /// True if it was off for everybody at the last sample, by a kill or a stop.
    off_for_all: bool,
    /// Requests counted by the last sample, that sample's epoch, and when either last changed.
    counted: (u64, u64),
    asked_at: i64,
    /// True while it rests, and once it has for a week.
    rests: bool,
    week: bool,
}

/// Requests counted, whatever their result.
fn counted(exposure: &Exposure) -> u64 {
    let counts = [exposure.on.requests, exposure.off.requests, exposure.gated, exposure.mixed];
    counts.into_iter().fold(0, u64::wrapping_add)
}

/// The flag, and the requests that had it on.
fn with_it_on<'a>(sample: &Sample<'a>) -> (&'a str, &'a Cohort) {
    (sample.flag, &sample.reading.exposure.on)
}

impl Guard {
    /// A guard that watches nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues where another guard ended. Invalid memory is dropped; flags that are missing from it begin as new ones.
    pub fn resumed(memory: GuardState) -> Self {
        Self {
            kept: memory.flags,
            stopped: memory.stopped,
            stage_taken: memory.stage_taken,
            settling: memory.settling,
            kept_site: memory.site,
            after: memory.after.map(Aftermath::resumed),
            unresolved: memory.unresolved,
            troubled: memory.troubled,
            outage: memory.outage.map(Outage::resumed),
            ..Self::default()
        }
    }

    /// Renames flags, given each former key with the present one. All that is known of a flag, its cooldown too, goes along.
    pub fn rename<'a>(&mut self, keys: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (former, key) in keys {
            if !self.flags.contains_key(key)
                && let Some(watched) = self.flags.remove(former)
            {
                self.flags.insert(key.to_owned(), watched);
            }
            if let Some(kept) = self.kept.remove(former) {
                self.kept.entry(key.to_owned()).or_insert(kept);
            }
            if let Some(after) = self.after.as_mut().filter(|after| after.flag == former) {
                after.flag = key.to_owned();
            }
            if let Some(unresolved) = self.unresolved.as_mut().filter(|flag| *flag == former) {
                *unresolved = key.to_owned();
            }
            let outage = self.outage.as_mut().and_then(|outage| outage.flag.as_mut());
            if let Some(flag) = outage.filter(|flag| *flag == former) {
                *flag = key.to_owned();
            }
            if self.idle.remove(&hash(former)) {
                self.idle.insert(hash(key));
            }
        }
    }

    /// Takes in one sample of each flag, and of all requests with their epoch where they are counted, and decides. Flags without a sample are
    /// no longer watched.
    pub fn watch(&mut self, now: i64, samples: &[Sample], total: Option<(&Cohort, u64)>) -> Decision {
        self.leave_out_jumps(now);
        let epoch = total.map(|(_, epoch)| epoch).or(samples.first().map(|sample| sample.reading.epoch));
        let total = total.map(|(total, _)| total);
        // A clock that was set back does not lengthen these periods.
        self.settling = self.settling.min(now.saturating_add(SETTLING));
        self.stage_taken = self.stage_taken.min(now);
        self.stages_from = self.stages_from.min(now.saturating_add(FLAGS_FIRST));
        let paused = self.paused.is_some_and(|until| until > now);
        // Findings of a pause were reported then: the guard acts on what happens from its end on.
        let resumes = std::mem::replace(&mut self.was_paused, paused) && !paused;
        let settles = now < self.settling || resumes;
        let trouble = self.observe_all(now, samples, (total, epoch), settles);
        self.troubled_now = trouble.is_some();
        let mut decision = Decision::default();
        self.look_after(now, samples, total, &mut decision);
        self.rearm(now, trouble.is_some(), &mut decision);
        if std::mem::take(&mut self.limits_resume) {
            self.forget_on_limits(samples);
        }
        let mark = self.trouble_mark.take().filter(|mark| mark.is_recent(now));
        self.trouble_mark = trouble.zip(total).map(|(_, total)| {
            mark.unwrap_or_else(|| TroubleMark::new(now, total, samples.iter().map(with_it_on)))
        });
        let failed = self.failed.take();
        if let Some(((trouble, total), mark)) = trouble.zip(total).zip(self.trouble_mark.as_ref()) {
            for sample in samples {
                let Some(watched) = self.flags.get_mut(sample.flag) else { continue };
                if watched.is_slow_beside_controls() {
                    let elsewhere = mark.is_elsewhere(total, with_it_on(sample), &trouble);
                    watched.trouble_of_all(now, elsewhere, sample.policy);
                }
            }
        }
        let mut suspects = Vec::new();
        let mut held: Vec<(Finding, NoActionReason)> = Vec::new();
        for sample in samples {
            let Some(watched) = self.flags.get(sample.flag) else { continue };
            let mut suspect = watched.suspect(sample);
            suspect.failed = failed.as_deref() == Some(sample.flag);
            if suspect.finding.as_ref().is_some_and(|(finding, _)| watched.is_over(finding)) {
                (suspect.finding, suspect.suspicion) = (None, 0.0);
            }
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
        let stage = act.is_none().then(|| self.suspected_stage(now, trouble.zip(total), samples)).flatten();
        let open = matches!(stage, Some((_, Judgement::Open)));
        act = act.or(stage.filter(|_| !open).map(|(finding, _)| finding));
        let everywhere = held.iter().filter(|(_, why)| {
            matches!(why, NoActionReason::Everywhere | NoActionReason::Unwatched | NoActionReason::Stopped(_))
        });
        let first = everywhere.clone().map(|(finding, _)| finding).min_by_key(|finding| finding.since);
        let first = first.map(|finding| (finding.flag.clone(), finding.since, finding.on, finding.slower));
        // All requests say more than those of one flag.
        let known = trouble.map(|trouble| (trouble.since, trouble.all, trouble.slower));
        let known = known
            .or(first.as_ref().map(|(_, since, on, slower)| (*since, *on, *slower)))
            .map(|(since, all, slower)| (first.as_ref().map_or(since, |(_, since, ..)| *since), all, slower));
        // A finding stands for the policy's window after the harm is over.
        let goes_on = trouble.is_some()
            || everywhere.clone().any(|(finding, _)| {
                let own = self.flags.get(&finding.flag).map(|watched| watched.detector.recent().0);
                finding.harm == Harm::Slow || own.is_some_and(|own| own.share() > finding.limit)
            });
        if let Some(outage) = &mut self.outage {
            outage.count(total, samples);
        }
        match (&mut self.outage, known) {
            (None, Some((since, all, slower)))
                if act.is_none() && !open && !settles && self.after.is_none() && goes_on =>
            {
                let since = began(since, self.settling, self.acted_since);
                let flag = first.filter(|_| trouble.is_none()).map(|(flag, ..)| flag);
                let mut outage = Outage::new(since, now, all, slower, flag);
                outage.count(total, samples);
                self.outage = Some(outage);
                let guilty = |why: &NoActionReason| {
                    use NoActionReason::{Cooldown, Later, Paused, Together};
                    matches!(why, Paused(_) | Cooldown(_) | Later(_) | Together(_))
                };
                let found = held.iter().filter(|(_, why)| guilty(why)).map(|(finding, _)| &finding.flag);
                let compared = self.flags.iter().filter(|(_, watched)| watched.is_suspected_by_cohorts());
                let suspected: BTreeSet<&String> = found.chain(compared.map(|(flag, _)| flag)).collect();
                let suspected = suspected.into_iter().cloned().collect();
                decision.notices.push(Notice::Outage { trouble, since, suspected });
            }
            (Some(outage), _) if goes_on => outage.goes_on(now),
            (Some(outage), _) if now - outage.until > ONE_STAGE && outage.is_disproved() => {
                decision.notices.push(outage.over());
                self.outage = None;
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
        self.pilots(now, samples, act.as_ref(), &mut decision);
        decision.act = act;
        decision
    }

    /// Moves the times that periods are counted from where the clock jumped, or nobody looked: such time is no part of a period.
    fn leave_out_jumps(&mut self, now: i64) {
        let passed = self.clock.replace(now).map_or(0, |before| now.saturating_sub(before));
        if (0..=LONGEST_STEP).contains(&passed) {
            return;
        }
        let outage = self.outage.iter_mut().flat_map(|outage| [&mut outage.since, &mut outage.until]);
        let own = [&mut self.settling, &mut self.stage_taken, &mut self.troubled];
        for at in own.into_iter().chain(&mut self.stopped).chain(&mut self.acted_since).chain(outage) {
            *at = at.saturating_add(passed);
        }
        if let Some(after) = &mut self.after {
            after.shift(passed);
        }
    }

    /// Takes in the samples; returns the trouble if requests anywhere left their range.
    fn observe_all(
        &mut self,
        now: i64,
        samples: &[Sample],
        (total, epoch): (Option<&Cohort>, Option<u64>),
        settles: bool,
    ) -> Option<Trouble> {
        // Counters that joined, or that were reset, counted requests of long ago.
        let recounts = self.looked.zip(epoch).is_some_and(|((_, before), epoch)| before != epoch);
        let before = self.total.take().filter(|_| !recounts);
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
                // No request has asked it: the guard remembers only that.
                None if *sample.reading.exposure == nothing => _ = idle.insert(hash(sample.flag)),
                None => {
                    let kept = self.kept.remove(sample.flag);
                    let mut watched = Watched::new(&sample, kept.clone());
                    // No request had by the last look.
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
        self.looked = epoch.map(|epoch| (now, epoch));
        if recounts || settles || self.site.is_none() {
            self.stages_from = now.saturating_add(FLAGS_FIRST);
        }
        let trouble = match (total, &mut self.site) {
            (Some(total), Some(site)) if recounts => {
                site.recount(now, total);
                None
            }
            (Some(total), Some(site)) if settles => {
                site.skip(now, total);
                None
            }
            (Some(total), Some(site)) => site.observe(now, total),
            (Some(total), none) => {
                *none = Some(Site::resumed(now, total, std::mem::take(&mut self.kept_site)));
                None
            }
            (None, _) => None,
        };
        if recounts {
            if let Some(outage) = &mut self.outage {
                outage.counted = None;
            }
            if let Some(after) = &mut self.after {
                after.recount();
            }
        }
        self.total = total.cloned();
        trouble
    }

    /// The reason why nothing is done about a finding, if any. What would not be acted on anyway is not held by a pause.
    fn holds(
        &self,
        now: i64,
        watched: &Watched,
        sample: &Sample,
        finding: &mut Finding,
        samples: &[Sample],
    ) -> Option<NoActionReason> {
        let paused = self.paused.filter(|until| *until > now).map(NoActionReason::Paused);
        self.doubts(now, watched, sample, finding, samples).or(paused)
    }

    /// The reason why nothing is done about a finding on limits, if any. The more an act takes away, the surer the guard must be.
    fn doubts(
        &self,
        now: i64,
        watched: &Watched,
        sample: &Sample,
        finding: &mut Finding,
        samples: &[Sample],
    ) -> Option<NoActionReason> {
        if finding.action == Action::Notify {
            return None;
        }
        let many = watched.detector.kind() == Some(Kind::Gate) && watched.detector.share_on() > MANY;
        let protection = sample.protection.or(many.then_some(Protection::Gate));
        if protection.is_some() && finding.action == Action::Rollback && !watched.fails_mostly(finding) {
            (finding.action, finding.protection) = (Action::Hold, protection);
        }
        if finding.ground == Ground::Cohorts {
            return None;
        }
        // No company got used to a stage that is minutes old.
        let young = sample.stage.is_some_and(|stage| is_suspected(now, stage, finding.since));
        let elsewhere = watched.is_slow_beside_controls()
            && (1..=elsewhere_for(sample.policy)).contains(&(watched.elsewhere_until - now));
        if elsewhere {
            finding.ground = Ground::Unconfirmed;
        }
        let doubt = watched.doubt || elsewhere;
        if young && doubt {
            finding.ground = Ground::Stage;
            return (now - self.stage_taken < ONE_STAGE).then_some(NoActionReason::Everywhere);
        }
        if young {
            return None;
        }
        if !watched.is_watched(now, sample) {
            return Some(NoActionReason::Unwatched);
        }
        if let Some(until) = watched.cooldown.filter(|until| *until > now && !doubt) {
            return Some(NoActionReason::Cooldown(until));
        }
        if let Some(since) = self.stopped {
            return Some(NoActionReason::Stopped(since));
        }
        if let Some(after) = &self.after {
            return Some(NoActionReason::After(after.flag.clone()));
        }
        if let Some(flag) = self.unresolved.as_ref().filter(|flag| *flag != sample.flag) {
            return Some(NoActionReason::Unresolved(flag.clone()));
        }
        if doubt {
            return Some(NoActionReason::Everywhere);
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
        (!together.is_empty()).then_some(NoActionReason::Together(together))
    }

    /// The stage that was entered last of those to suspect, if requests anywhere left their range minutes after it was. The judgement is
    /// never that it is innocent.
    fn suspected_stage(
        &self,
        now: i64,
        trouble: Option<(Trouble, &Cohort)>,
        samples: &[Sample],
    ) -> Option<(Finding, Judgement)> {
        let found = trouble.map(|(trouble, _)| trouble).or(self.stuck)?;
        if self.paused.is_some_and(|until| until > now) || now - self.stage_taken < ONE_STAGE {
            return None;
        }
        let entered =
            |sample: &&Sample| sample.stage.is_some_and(|stage| is_suspected(now, stage, found.since));
        let acts = |sample: &&Sample| {
            let cooldown = self.flags.get(sample.flag).and_then(|watched| watched.cooldown);
            sample.policy.action != Action::Notify && cooldown.is_none_or(|until| until <= now)
        };
        let judge = |sample| (sample, self.judge_stage(now, trouble, sample, samples));
        let stages = samples.iter().filter(entered).filter(acts).map(judge);
        let stages = stages.filter(|(_, judgement)| *judgement != Judgement::Innocent);
        let (sample, judgement) = stages.max_by_key(|(sample, _)| sample.stage)?;
        Some((found.finding(sample.flag, now, sample.reading.changed_at, sample.policy), judgement))
    }

    /// Judges one of the stages that may be suspected. Where no request ends, nothing speaks for it.
    fn judge_stage(
        &self,
        now: i64,
        trouble: Option<(Trouble, &Cohort)>,
        sample: &Sample,
        samples: &[Sample],
    ) -> Judgement {
        let Some(((trouble, total), mark)) = trouble.zip(self.trouble_mark.as_ref()) else {
            return Judgement::Suspected;
        };
        let explains = |other: &Sample| {
            other.flag != sample.flag
                && other.through != Some(sample.flag)
                && self.flags.get(other.flag).is_some_and(|watched| watched.is_suspected_by_cohorts())
                && mark.is_explained_by(total, with_it_on(other), &trouble)
        };
        match mark.judge(now, total, with_it_on(sample), &trouble) {
            Judgement::Innocent => Judgement::Innocent,
            _ if samples.iter().any(explains) => Judgement::Innocent,
            _ if now < self.stages_from => Judgement::Open,
            judgement => judgement,
        }
    }

    /// Checks whether the last act on limits helped.
    fn look_after(&mut self, now: i64, samples: &[Sample], total: Option<&Cohort>, decision: &mut Decision) {
        let Some(after) = &mut self.after else { return };
        let sample = samples.iter().find(|sample| sample.flag == after.flag);
        if let Some(sample) = sample {
            // A person who turned it on again, or changed it, knows better: what comes now is not the act's doing.
            let revived = std::mem::replace(&mut after.is_killed, sample.killed) && !sample.killed;
            if revived || sample.reading.changed_at > after.recorded_at + OWN_CHANGE {
                self.leave_unresolved(now);
                return;
            }
        }
        let outcome = match sample {
            Some(sample) => {
                let exposure = sample.reading.exposure;
                let [page, failed] = [after.slow, None].map(|slow| Rate::of_page(exposure, slow));
                let controls =
                    total.map(|total| Rate::of_controls(total, exposure, after.slow)).unwrap_or_default();
                after.observe(now, page, failed, controls)
            }
            None => Some(Outcome::CannotTell(Doubt::NoTraffic)),
        };
        let Some(outcome) = outcome else { return };
        decision.notices.push(Notice::Outcome { flag: after.flag.clone(), outcome, on: after.on });
        // Nothing tells whether requests still fail.
        if matches!(outcome, Outcome::CannotTell(Doubt::Gate | Doubt::NoTraffic)) {
            self.leave_unresolved(now);
        }
        self.after = None;
        if outcome.is_useless() {
            self.stopped = Some(now);
            decision.notices.push(Notice::Stopped);
        }
    }

    /// Ends the look after an act. Until requests are well, no other flag is killed on limits.
    fn leave_unresolved(&mut self, now: i64) {
        self.unresolved = self.after.take().map(|after| after.flag);
        self.troubled = now;
    }

    /// Restarts the evidence of flags with findings on limits.
    fn forget_on_limits(&mut self, samples: &[Sample]) {
        for sample in samples {
            if let Some(watched) = self.flags.get_mut(sample.flag).filter(|watched| watched.is_on_limits()) {
                watched.detector.skip(&sample.reading);
                (watched.finding, watched.named, watched.doubt) = (None, None, false);
            }
        }
    }

    /// Resumes acts on limits after six quiet hours.
    fn rearm(&mut self, now: i64, trouble: bool, decision: &mut Decision) {
        self.troubled = self.troubled.min(now);
        let watched = self.stopped.is_some() || self.unresolved.is_some();
        if watched && (trouble || self.flags.values().any(|watched| watched.is_on_limits())) {
            self.troubled = now;
        }
        if now - self.troubled > WELL {
            self.unresolved = None;
        }
        let Some(stopped) = self.stopped else { return };
        if now - stopped.max(self.troubled) >= QUIET {
            self.stopped = None;
            decision.notices.push(Notice::Rearmed);
        }
    }

    /// Reports flags whose few requests fail, once. A flag that was just acted on is left out: the act is reported.
    fn pilots(&mut self, now: i64, samples: &[Sample], act: Option<&Finding>, decision: &mut Decision) {
        for sample in samples.iter().filter(|sample| sample.stage.is_some()) {
            let Some(watched) = self.flags.get_mut(sample.flag) else { continue };
            let acted = watched.cooldown.is_some_and(|until| until > now)
                || act.is_some_and(|act| act.flag == sample.flag);
            if acted {
                continue;
            }
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

    /// Records that a decision was carried out: begins the cooldown, restarts the evidence, and looks whether an act on limits
    /// helped. `policy` is the flag's.
    pub fn record_act(&mut self, now: i64, finding: &Finding, policy: &Policy) {
        if finding.ground == Ground::Stage {
            self.stage_taken = now;
        }
        if let Some(watched) = self.flags.get_mut(&finding.flag) {
            watched.cooldown = Some(now.saturating_add(policy.cooldown));
            watched.spared = finding.action == Action::Hold && policy.action == Action::Rollback;
            let limits = matches!(finding.ground, Ground::Controls | Ground::Alone);
            if limits && finding.action == Action::Rollback {
                let gate = watched.detector.kind() == Some(Kind::Gate);
                let slow = slow_after(finding.slower);
                let recent = watched.detector.recent();
                let before = match slow {
                    None if recent.0.share() > finding.limit => recent,
                    _ => (
                        Rate { requests: finding.on.requests, hits: finding.on.hits },
                        watched.detector.controls_beside(finding.harm),
                    ),
                };
                let compared = finding.ground == Ground::Controls;
                let began_with_change = finding.since - finding.changed_at < WITH_CHANGE;
                let failed = recent.0;
                let grounds =
                    Grounds { gate, on: finding.on, before, failed, compared, began_with_change, slow };
                self.after = Some(Aftermath::new(&finding.flag, now, grounds));
                self.unresolved = None;
            }
        }
        // A notification changes nothing, so evidence against other flags still holds.
        if finding.action == Action::Rollback {
            self.acted_since = Some(began(finding.since, self.settling, self.acted_since));
            self.settling = now + SETTLING;
        }
    }

    /// Sets the trouble that no request ends, as of the next sample; none if requests end.
    pub fn stuck(&mut self, stuck: Option<&Stuck>) {
        let policy = Policy::default();
        let stuck = stuck.filter(|stuck| stuck.companies >= policy.min_companies);
        self.stuck = stuck.map(|stuck| Trouble {
            harm: Harm::Errors,
            against: Against::Limit,
            all: Share { requests: stuck.threads as u64, hits: stuck.hanging as u64 },
            limit: policy.error_rate,
            slower: 0,
            companies: stuck.companies,
            since: stuck.since,
        });
    }

    /// Pauses the guard until this time, in microseconds since 1970; none ends the pause.
    pub fn pause(&mut self, until: Option<i64>) {
        self.paused = until;
    }

    /// Resumes acts on limits after one that did not help.
    pub fn resume(&mut self) {
        (self.stopped, self.after, self.unresolved) = (None, None, None);
        self.limits_resume = true;
    }

    /// The outage that was reported and is not over.
    pub fn outage(&self) -> Option<KeptOutage> {
        self.outage.as_ref().map(Outage::kept)
    }

    /// Tells the guard whether requests ask more flags than are counted: a flag that appears unasked may then be asked.
    pub fn overflows(&mut self, overflows: bool) {
        self.overflows = overflows;
    }

    /// True while the effect of an act on limits is watched.
    pub fn looks_after(&self) -> bool {
        self.after.is_some()
    }

    /// Time at which acts on limits stopped, in microseconds since 1970.
    pub fn stopped(&self) -> Option<i64> {
        self.stopped
    }

    /// Each watched flag for display: its kind, evidence, finding and cooldown.
    pub fn standings(&self) -> impl Iterator<Item = (&str, Standing)> {
        self.flags.iter().map(|(flag, watched)| {
            let (requests, companies) = watched.detector.seen();
            let standing = Standing {
                kind: watched.detector.kind(),
                evidence: watched.detector.suspicion(),
                finding: watched.finding.as_ref().map(|(finding, _)| finding.clone()),
                cooldown: watched.cooldown.filter(|_| watched.cooled_at.is_none()),
                requests,
                companies,
            };
            (flag.as_str(), standing)
        })
    }

    /// Records that a decision could not be carried out. At the next look, an act that only holds a plan or tells lets acts on
    /// other flags pass: what prevents it may not prevent a kill.
    pub fn record_failure(&mut self, finding: &Finding) {
        self.failed = (finding.action != Action::Rollback).then(|| finding.flag.clone());
    }

    /// Ends the cooldown of a flag: the act left part of the harm on, or a person had acted already.
    pub fn end_cooldown(&mut self, flag: &str) {
        if let Some(watched) = self.flags.get_mut(flag) {
            watched.cooldown = None;
        }
        if let Some(kept) = self.kept.get_mut(flag) {
            kept.cooldown = None;
        }
    }

    /// Everything that the next guard has to know, and the verdicts for plans.
    pub fn memory(&self, now: i64, samples: &[Sample]) -> GuardState {
        let kept = |sample: &Sample| {
            let flag = sample.flag.to_owned();
            let verdict = self.verdict(sample.flag, sample.policy);
            let Some(watched) = self.flags.get(sample.flag) else {
                // No request has asked it since: an earlier guard's memory still holds, and so do verdicts of flags that require it.
                let kept = self.kept.get(sample.flag).cloned();
                let waits = (self.overflows || self.is_in_outage()) && sample.stage.is_some();
                let kept = match self.verdict_of_dependents(sample.flag).is_some() || waits {
                    true => FlagMemory {
                        verdict,
                        ..kept.unwrap_or_else(|| FlagMemory::unasked(sample.reading.changed_at))
                    },
                    false => kept?,
                };
                return Some((flag, kept));
            };
            let kept = watched.detector.kept(verdict, watched.cooldown, sample.policy);
            let together = match &watched.named {
                Some(NoActionReason::Together(others)) => others.clone(),
                _ => Vec::new(),
            };
            Some((flag, FlagMemory { doubt: watched.doubt, spared: watched.spared, together, ..kept }))
        };
        GuardState {
            at: now,
            flags: samples.iter().filter_map(kept).collect(),
            stopped: self.stopped,
            stage_taken: self.stage_taken,
            settling: self.settling,
            site: self.site.as_ref().map_or_else(|| self.kept_site.clone(), Site::hours),
            after: self.after.clone(),
            unresolved: self.unresolved.clone(),
            troubled: self.troubled,
            outage: self.outage(),
            overflows: self.overflows,
            ..GuardState::default()
        }
    }

    /// The verdict for a flag's plan: whether to go on to the next stage.
    pub fn verdict(&self, flag: &str, policy: &Policy) -> Verdict {
        let own = match self.flags.get(flag) {
            Some(watched) => watched.verdict(policy),
            None if self.overflows && self.idle.contains(&hash(flag)) => Verdict::Wait(
                "nobody was seen asking it, and requests ask more flags than are counted: those asked after the first 64 are not watched"
                    .to_owned(),
            ),
            None if self.idle.contains(&hash(flag)) => Verdict::Few("it was not asked yet".to_owned()),
            None => Verdict::Wait("the guard does not watch it yet".to_owned()),
        };
        match own {
            Verdict::Go | Verdict::Few(_) if policy.action != Action::Notify => {
                let outage = || {
                    let why = "too many of all requests fail or are slow: no stage is entered in an outage, nor in the five minutes after it";
                    self.is_in_outage().then(|| Verdict::Wait(why.to_owned()))
                };
                self.verdict_of_dependents(flag).or_else(outage).unwrap_or(own)
            }
            own => own,
        }
    }

    /// True if all requests are out of their range, or an outage was reported that is not over.
    fn is_in_outage(&self) -> bool {
        self.troubled_now || self.outage.is_some()
    }

    /// The verdict against a flag from flags whose answers it changed.
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

/// True if harm that began at `since` casts suspicion on a stage that was entered at `stage`, in microseconds since 1970.
fn is_suspected(now: i64, stage: i64, since: i64) -> bool {
    // Evidence begins up to a tick before the harm does.
    let began = (-TICK..STAGE_SUSPICION_MICROS).contains(&since.saturating_sub(stage));
    (0..YOUNG).contains(&now.saturating_sub(stage)) && began
}

/// Beginning of harm whose evidence begins at `since`: that of the harm before the last act, where evidence begins as soon after the act
/// as it may: at `settled`, or at the look before.
fn began(since: i64, settled: i64, before: Option<i64>) -> i64 {
    let goes_on = since.abs_diff(settled) <= TICK.unsigned_abs();
    before.filter(|_| goes_on).map_or(since, |before| before.min(since))
}

/// Microseconds for which trouble elsewhere excuses a slow flag: a finding stands for the policy's window, and a step of it, after the harm
/// is over.
fn elsewhere_for(policy: &Policy) -> i64 {
    policy.window / 2 * 3
}

fn hash(flag: &str) -> u64 {
    xxh3_64(flag.as_bytes())
}

impl Watched {
    fn new(sample: &Sample, kept: Option<FlagMemory>) -> Self {
        let longest = sample.reading.at.saturating_add(sample.policy.cooldown);
        let cooldown = kept.as_ref().and_then(|kept| kept.cooldown).map(|until| until.min(longest));
        let spared = kept.as_ref().is_some_and(|kept| kept.spared);
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
            cooled_at: None,
            doubt: false,
            elsewhere_until: 0,
            spared,
            pilots: false,
            killed: sample.killed,
            off_for_all: sample.killed || sample.stopped,
            counted: (counted(sample.reading.exposure), sample.reading.epoch),
            asked_at: sample.reading.at,
            rests: false,
            week: false,
        }
    }

    fn observe(&mut self, sample: &Sample, settling: bool) {
        let changed = std::mem::replace(&mut self.changed_at, sample.reading.changed_at) != self.changed_at;
        let longest = sample.reading.at.saturating_add(sample.policy.cooldown);
        self.cooldown = self.cooldown.map(|until| until.min(longest));
        let at = sample.reading.at;
        let over = self.cooldown.is_some_and(|until| until <= at);
        // A clock that was ahead goes back: a cooldown that is over is kept for as long again.
        let cooled = over && self.cooled_at.is_none();
        self.cooled_at = over.then(|| self.cooled_at.unwrap_or(at));
        if self.cooled_at.is_some_and(|cooled| at - cooled >= sample.policy.cooldown) {
            (self.cooldown, self.cooled_at) = (None, None);
        }
        self.killed = sample.killed;
        let counted = (counted(sample.reading.exposure), sample.reading.epoch);
        let asked = std::mem::replace(&mut self.counted, counted) != counted;
        if asked || changed || at < self.asked_at {
            (self.asked_at, self.rests) = (at, false);
        } else if at - self.asked_at >= REST {
            // Rest once at first, and once more when its hours have left the last week.
            let week = at - self.asked_at >= 170 * REST;
            if !self.rests || week != self.week {
                self.detector.rest(sample.policy);
                (self.rests, self.week) = (true, week);
                (self.finding, self.named, self.doubt) = (None, None, false);
            }
            return self.detector.pass(at);
        }
        let off_for_all = sample.killed || sample.stopped;
        let was_off = std::mem::replace(&mut self.off_for_all, off_for_all);
        // A revive is a change, from which on requests are compared. The end of a stop is none.
        if off_for_all || (was_off && !changed) {
            self.detector.skip_off_for_all(&sample.reading);
            (self.finding, self.doubt) = (None, false);
        // Findings of a cooldown were reported then.
        } else if settling || cooled {
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
        // A flag that was spared is killed once on has become worse than off.
        if self.spared && self.finding.as_ref().is_some_and(|(finding, _)| self.fails_mostly(finding)) {
            (self.spared, self.cooldown) = (false, None);
        }
        if self.finding.is_none() {
            self.named = None;
        }
    }

    /// True if most of its own requests fail now, by more than chance: in the last looks or, where those have few, since harm began.
    fn fails_mostly(&self, finding: &Finding) -> bool {
        let (now, _) = self.detector.recent();
        let Share { requests, hits } = finding.on;
        let longer = Rate { requests, hits }.is_clearly_above(OUTAGE);
        finding.harm == Harm::Errors
            && (self.detector.fails_beyond(OUTAGE) || longer && (now.requests == 0 || now.share() > OUTAGE))
    }

    /// True if the last requests show that the harm is over.
    fn is_over(&self, finding: &Finding) -> bool {
        let (now, _) = self.detector.recent();
        let expected = now.requests as f64 * finding.on.rate();
        finding.harm == Harm::Errors && expected >= EXPECTED_HITS && now.share() <= finding.limit
    }

    /// True if there is a finding that no off-cohort confirms.
    fn is_on_limits(&self) -> bool {
        self.finding.as_ref().is_some_and(|(finding, _)| finding.ground != Ground::Cohorts)
    }

    /// True if there is a finding on limits that its requests are slow, and there are controls.
    fn is_slow_beside_controls(&self) -> bool {
        let controls = |ground| matches!(ground, Ground::Controls | Ground::Unconfirmed);
        let finding = self.finding.as_ref().map(|(finding, _)| finding);
        finding.is_some_and(|finding| finding.harm == Harm::Slow && controls(finding.ground))
    }

    /// Takes in whether requests without it are in trouble as well, if that can be told. What is down slows those pages most that call it
    /// most.
    fn trouble_of_all(&mut self, now: i64, elsewhere: Option<bool>, policy: &Policy) {
        let until = match elsewhere {
            Some(false) => return,
            Some(true) => now.saturating_add(elsewhere_for(policy)),
            None => now.saturating_add(1),
        };
        self.elsewhere_until = self.elsewhere_until.max(until);
    }

    /// True if requests that have it on are worse than those of its off-cohort: for sure, or by enough that its plan waits.
    fn is_suspected_by_cohorts(&self) -> bool {
        !self.killed && self.detector.kind() == Some(Kind::Branch) && self.detector.suspicion() >= SUSPECT
    }

    /// True if it may be acted on by limits: within the policy's time after a change, and until it has seen an hour as busy
    /// as the busiest of the last seven days.
    fn is_watched(&self, now: i64, sample: &Sample) -> bool {
        self.detector.is_watched(now, sample.reading.changed_at, sample.policy)
    }

    fn verdict(&self, policy: &Policy) -> Verdict {
        if policy.action == Action::Notify {
            return Verdict::Go;
        }
        if self.killed {
            return Verdict::Wait("it is killed".to_owned());
        }
        if let Some((finding, _)) = &self.finding {
            return match policy.action {
                // It goes one stage back, which is impossible once its plan is held.
                Action::Rollback => Verdict::Wait(finding.to_string()),
                _ => Verdict::Trip(finding.to_string()),
            };
        }
        let (requests, groups) = self.detector.seen();
        let mixed = self.detector.mixed();
        if requests < policy.min_requests
            && mixed.saturating_mul(10) >= mixed.saturating_add(requests).saturating_mul(9)
            && mixed > 0
        {
            return Verdict::Wait(format!(
                "{mixed} requests that had it on had it off as well, for another company, and only {requests} had it on alone: nothing tells \
                 whether it does harm; a person has to advance it"
            ));
        }
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
            suspicion: if self.killed { 0.0 } else { self.detector.suspicion() },
            finding: self.finding.clone(),
            cooldown: self.cooldown,
            failed: false,
        }
    }
}
