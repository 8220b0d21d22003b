//! The watch over one flag.

use super::busy_hours::BusyHours;
use super::control::{Control, Rate, is_off_worse, is_trouble_of_both};
use super::counts::Counts;
use super::evidence::{Evidence, Late, Seen};
use super::finding::{Against, Finding, Ground, Harm, Share};
use super::hangs::{Earlier, Hung};
use super::kind::{self, Kind};
use super::mark::{CounterIncrease, Mark, Sum};
use super::memory::{Before, FlagMemory};
use super::pace::UsualPace;
use super::past::{CohortPast, Usual, p95_of_well};
use super::plausible::plausible;
use super::policy::Policy;
use super::stakes::{Stakes, TICK};
use crate::plan::Verdict;
use crate::telemetry::duration::{self, BUCKETS};
use crate::telemetry::{Cohort, Exposure, GROUPS};
use std::collections::VecDeque;

/// The chance that a flag which does no harm is found harmful, in 30 days of looking each second.
pub const FALSE_ALARMS: f64 = 0.01;

/// Shares of [`FALSE_ALARMS`]: errors compared, errors against the limit, slowness compared, slowness against the limit. The
/// rest is kept for the usual rates, which are estimates themselves.
const SHARES: [f64; 4] = [0.65, 0.1, 0.1, 0.1];

/// Share of a cohort's requests that are slower than its 95th percentile.
const SLOWEST: f64 = 0.05;

/// A limit as high as this is not used.
const HIGHEST_LIMIT: f64 = 0.9;

/// Beyond a limit, a flag is at fault only if its requests are this many times worse than the off-cohort's. Companies differ,
/// and an outage does not hit all of them alike.
const WORSE: f64 = 1.5;

/// Samples further apart than this, in microseconds, are not combined.
const GAP: i64 = 60_000_000;

/// Requests that are enough for the present rate.
const ENOUGH_NOW: u64 = 30;

/// Looks that the present rate is taken from, at most.
const RECENT: usize = 8;

/// Steps in a window.
const WINDOW: usize = 5;

/// A sample of one flag's counters.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Time of the sample, in microseconds since 1970.
    pub at: i64,
    /// Number of this run of the counters; it changes when they are reset.
    pub epoch: u64,
    /// Time of the flag's last change, in microseconds since 1970.
    pub changed_at: i64,
    /// Counters of the flag.
    pub exposure: &'a Exposure,
    /// True if the companies that have it were chosen, by a list or a rule: they differ from the others by themselves.
    pub chosen: bool,
    /// Number of flags that the same publish changed: they share the chance of a false alarm.
    pub together: u32,
    /// All requests of the store, at this sample and at the one before.
    pub totals: Option<(&'a Cohort, &'a Cohort)>,
    /// Requests found to hang since the sample before; `exposure` counts them as failed.
    pub hung: Option<&'a Hung>,
    /// Requests that ended since the sample before but began before the flag was changed: they are no evidence.
    pub earlier: Option<&'a Earlier>,
    /// Share of the requests that named no company, 0 to 1. One visitor cannot be told from many among them.
    pub unnamed: f64,
}

impl<'a> Reading<'a> {
    /// A sample of a flag that was changed alone and whose companies have it by their bucket.
    pub fn new(at: i64, epoch: u64, changed_at: i64, exposure: &'a Exposure) -> Self {
        Self {
            at,
            epoch,
            changed_at,
            exposure,
            chosen: false,
            together: 1,
            totals: None,
            hung: None,
            earlier: None,
            unnamed: 0.0,
        }
    }
}

/// Watches one flag.
#[derive(Debug, Clone)]
pub struct Detector {
    at: i64,
    epoch: u64,
    changed_at: i64,
    /// Time of the sample before this one.
    earlier: i64,
    latest: Mark,
    /// The last sample taken as evidence, if that is not the last sample.
    before: Option<Mark>,
    /// The counters at the last sample before the flag was changed.
    since: Mark,
    kind: Option<Kind>,
    /// Set until there is enough to be sure of the kind.
    unsettled: Option<Unsettled>,
    stakes: Stakes,
    busy: BusyHours,
    next_tick: i64,
    /// The steps of the window: when each began, and its counts.
    window: VecDeque<(i64, CounterIncrease)>,
    past_on: CohortPast,
    past_off: CohortPast,
    /// The usual rates before the last change; true if they were measured where the flag was on.
    usual: Option<(Usual, bool)>,
    /// True if off, before the last change, was a page that is not there.
    was_gate: bool,
    /// How quick the off-cohort usually is.
    pace: Option<UsualPace>,
    lines: [Line; 4],
    chosen: bool,
    unnamed: f64,
    together: u32,
    /// Requests that asked the flag since it was changed, and requests that did not.
    asked: (u64, Rate),
    /// Requests that did not ask it since the watch began.
    controls: Rate,
    /// The last looks: requests and errors where it is on, then those of the controls.
    recent: VecDeque<[u32; 4]>,
    /// Requests that ended since the flag was changed but began before; in all, and since evidence was last fed.
    begun_earlier: Option<Box<Earlier>>,
    earlier_unfed: Option<Box<Earlier>>,
}

/// The basis for the kind after a change, until a whole window has passed.
#[derive(Debug, Clone)]
struct Unsettled {
    /// The counters at the sample that holds the change: requests that ended by then were, or may have been, answered before it.
    from: Mark,
    /// True if all counts since the change are evidence: nothing was skipped.
    whole: bool,
}

impl Unsettled {
    fn new(exposure: &Exposure) -> Option<Self> {
        Some(Self { from: Mark::kind(exposure), whole: true })
    }
}

/// One question: evidence, and for a branch, evidence that the off-cohort is not as badly off.
#[derive(Debug, Clone, Default)]
struct Line {
    evidence: Option<Box<Evidence>>,
    control: Option<Box<Evidence>>,
    /// The bucket after which requests are slow; none for errors, and where there is nothing to compare with.
    slow: Option<usize>,
    limit: f64,
    /// Controls since evidence was last fed.
    controls: Rate,
}

impl Detector {
    /// A watch that starts with this sample.
    pub fn new(reading: &Reading) -> Self {
        let Reading { at, epoch, changed_at, exposure, .. } = *reading;
        Self {
            at,
            epoch,
            changed_at,
            earlier: at,
            latest: Mark::whole(exposure),
            before: None,
            since: Mark::whole(exposure),
            kind: None,
            unsettled: Unsettled::new(exposure),
            stakes: Stakes::new(at, changed_at),
            busy: BusyHours::default(),
            next_tick: at,
            window: VecDeque::from([(at, CounterIncrease::default())]),
            past_on: CohortPast::new(at, &exposure.on),
            past_off: CohortPast::new(at, &exposure.off),
            usual: None,
            was_gate: false,
            pace: None,
            lines: Default::default(),
            chosen: reading.chosen,
            unnamed: reading.unnamed,
            together: reading.together,
            asked: (0, Rate::default()),
            controls: Rate::default(),
            recent: VecDeque::new(),
            begun_earlier: None,
            earlier_unfed: None,
        }
    }

    /// Continues where another detector ended, as far as that is known. The next beginning of evidence is a tick away, so
    /// that guards that restart over and over stake no more than one that runs on.
    pub(super) fn resumed(reading: &Reading, kept: FlagMemory) -> Self {
        /// Changes that are no further apart are one: a running guard sees a change a little later than the audit trail says.
        const SAME: u64 = 10_000_000;
        let mut detector = Self::new(reading);
        let at = reading.at;
        let Some(stakes) = Stakes::restored(kept.stakes, at) else { return detector };
        detector.stakes = stakes;
        detector.next_tick = at + TICK;
        detector.busy = kept.busy;
        let bucket = |bucket: usize| bucket < BUCKETS;
        let usual = kept.usual.filter(|usual| bucket(usual.p95) && bucket(usual.median));
        detector.usual = usual.map(|Before { error_rate, p95, median, on }| {
            (Usual { error_rate: error_rate.clamp(0.0, 1.0), p95, median }, on)
        });
        (detector.was_gate, detector.pace) = (kept.was_gate, kept.pace);
        detector.past_on.remember(kept.on, at);
        detector.past_off.remember(kept.off, at);
        if kept.changed_at.abs_diff(reading.changed_at) > SAME {
            detector.changed_at = kept.changed_at;
        }
        detector
    }

    /// The state for the next guard.
    pub(super) fn kept(&self, verdict: Verdict, cooldown: Option<i64>, policy: &Policy) -> FlagMemory {
        FlagMemory {
            changed_at: self.changed_at,
            stakes: self.stakes.kept(),
            busy: self.busy.clone(),
            cooldown,
            usual: self.usual.map(|(usual, on)| Before {
                error_rate: usual.error_rate,
                p95: usual.p95,
                median: usual.median,
                on,
            }),
            was_gate: self.was_gate,
            pace: self.pace,
            on: self.past_on.hours(policy.min_requests),
            off: self.past_off.hours(policy.min_requests),
            kind: self.kind,
            evidence: self.suspicion(),
            doubt: false,
            spared: false,
            together: Vec::new(),
            verdict,
        }
    }

    /// The possible comparison, once that is known.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Evidence against the flag, from 0 (none) to 1 (enough).
    pub fn suspicion(&self) -> f64 {
        let far = |line: &Line| {
            let control = line.control.as_deref().map_or(1.0, Evidence::progress);
            let progress = line.evidence.as_deref().map_or(0.0, Evidence::progress).min(control);
            if progress > 0.0 && self.is_excused(line) { 0.0 } else { progress }
        };
        self.lines.iter().map(far).fold(0.0, f64::max)
    }

    /// Requests answered on since the flag was changed or the watch began, and groups of companies among them.
    pub fn seen(&self) -> (u64, usize) {
        let before = self.before.as_ref().unwrap_or(&self.latest).exposure();
        let counts = Counts::errors(&before.on, &self.since.exposure().on);
        (counts.requests, counts.groups.iter().filter(|part| part.requests > 0).count())
    }

    /// Takes in a sample. The finding is returned as long as it holds.
    pub fn observe(&mut self, reading: &Reading, policy: &Policy) -> Option<Finding> {
        self.observe_all(reading, policy).map(|(finding, _)| finding)
    }

    /// Like [`observe`](Self::observe), with true if the controls leave a doubt.
    pub(super) fn observe_all(&mut self, reading: &Reading, policy: &Policy) -> Option<(Finding, bool)> {
        let Reading { at, exposure, .. } = *reading;
        let latest = self.latest.exposure();
        let unlikely = || !plausible(exposure, &latest, at - self.at);
        if reading.epoch != self.epoch || at < self.at || shrank(exposure, &latest) || unlikely() {
            // Resetting the counters over and over gains no additional stakes.
            let (stakes, busy, next_tick) = (self.stakes.clone(), self.busy.clone(), at + TICK);
            *self = Self { stakes, busy, next_tick, ..Self::new(reading) };
            return None;
        }
        if at == self.at {
            return None;
        }
        let latest = match at - self.at > GAP {
            true => {
                self.skip(reading);
                exposure.clone()
            }
            false => latest,
        };
        (self.earlier, self.at) = (self.at, at);
        (self.chosen, self.together) = (reading.chosen, reading.together.max(1));
        self.unnamed = reading.unnamed;
        if reading.changed_at != self.changed_at {
            self.change(reading.changed_at, policy, &latest);
            self.unsettled = Unsettled::new(exposure);
        }
        if let Some(earlier) = reading.earlier {
            self.begun_earlier.get_or_insert_default().add(earlier);
            self.earlier_unfed.get_or_insert_default().add(earlier);
        }
        self.busy.add(at, asked(exposure).saturating_sub(asked(&latest)));
        self.weigh_controls(reading, &latest);
        let before = self.before.as_ref().map_or(latest, Mark::exposure);
        if self.kind.is_none() {
            self.kind = self.tell(exposure, policy);
            if self.kind.is_none() {
                self.before.get_or_insert_with(|| Mark::whole(&before));
                self.latest = Mark::whole(exposure);
                return None;
            }
        }
        if before != *exposure {
            self.latest = Mark::whole(exposure);
        }
        self.before = None;
        let mut evidence = None;
        if at >= self.next_tick {
            evidence = self.settle(exposure, policy);
            self.tick(policy, &before, evidence.as_ref().map_or(self.earlier, |(at, _)| *at));
        }
        let unfed = self.earlier_unfed.take();
        let earlier = if evidence.is_some() { self.begun_earlier.clone() } else { unfed };
        let since = evidence.as_ref().map_or(&before, |(_, since)| since);
        self.feed(exposure, since, reading.hung, earlier.as_deref());
        if let Some((_, step)) = self.window.back_mut() {
            step.extend(exposure, &before);
        }
        self.finding(policy)
    }

    /// Determines the kind from the requests after the change.
    fn tell(&self, exposure: &Exposure, policy: &Policy) -> Option<Kind> {
        let from = self.unsettled.as_ref().map_or(&self.since, |unsettled| &unsettled.from).exposure();
        Kind::tell(exposure, &from, policy.baseline)
    }

    /// Corrects a kind that few requests determined: with more requests, an off-cohort may turn out to be too small, or large
    /// enough. Evidence then restarts from the returned counters and time.
    fn settle(&mut self, exposure: &Exposure, policy: &Policy) -> Option<(i64, Exposure)> {
        let whole = self.unsettled.as_ref()?.whole;
        let told = self.tell(exposure, policy).filter(|told| Some(*told) != self.kind)?;
        // Only a whole window tells what an off-cohort is like.
        if told != Kind::Full && self.kind != Some(Kind::Full) {
            return None;
        }
        self.kind = Some(told);
        self.lines.iter_mut().for_each(|line| *line = Line::default());
        let (at, _) = self.window.front().filter(|_| whole)?;
        // The number of slow controls since then is unknown.
        self.lines.iter_mut().take(2).for_each(|line| line.controls = self.asked.1);
        Some((*at, self.since.exposure()))
    }

    /// Leaves the kind to the window alone from here on.
    fn settled(&mut self) {
        if self.kind.is_some() && self.unsettled.take().is_some() {
            self.since = Mark::change(&self.since.exposure());
        }
    }

    /// Frees the state that only an asked flag needs. The kind, the usual rates and the stakes stay.
    pub(super) fn rest(&mut self, policy: &Policy) {
        self.settled();
        self.window = VecDeque::from([(self.at, CounterIncrease::default())]);
        self.recent = VecDeque::new();
        self.lines = Default::default();
        self.past_on.rest(self.at, policy.min_requests);
        self.past_off.rest(self.at, policy.min_requests);
    }

    /// Takes in a sample in which nothing was counted.
    pub(super) fn pass(&mut self, at: i64) {
        (self.earlier, self.at) = (at, at);
    }

    /// Skips a sample in which a kill or a stop answered off for everybody: those answers are neither an off-cohort nor a past, and
    /// tell nothing of the kind.
    pub(super) fn skip_off_for_all(&mut self, reading: &Reading) {
        self.busy.add(reading.at, asked(reading.exposure).saturating_sub(asked(&self.latest.exposure())));
        self.skip(reading);
        self.unsettled =
            self.unsettled.is_some().then(|| Unsettled { from: Mark::kind(reading.exposure), whole: false });
    }

    /// Skips a sample: counts since the last one are no evidence, and earlier evidence is dropped.
    pub fn skip(&mut self, reading: &Reading) {
        (self.earlier, self.at) = (reading.at, reading.at);
        // The clock may have gone back: no evidence would begin until the time that it showed before.
        self.next_tick = self.next_tick.min(reading.at + TICK);
        (self.latest, self.before) = (Mark::whole(reading.exposure), None);
        if let Some(unsettled) = &mut self.unsettled {
            unsettled.whole = false;
        }
        self.window.clear();
        self.window.push_back((reading.at, CounterIncrease::default()));
        self.past_on.discard(reading.at, &reading.exposure.on);
        self.past_off.discard(reading.at, &reading.exposure.off);
        self.lines.iter_mut().for_each(|line| *line = Line::default());
        self.earlier_unfed = None;
    }

    /// Takes in the requests that did not ask the flag, from the last two samples.
    fn weigh_controls(&mut self, reading: &Reading, latest: &Exposure) {
        let Some((now, before)) = reading.totals else { return };
        let exposure = reading.exposure;
        let of = |slow: Option<usize>| {
            let on = Rate::of(&exposure.on, slow).since(Rate::of(&latest.on, slow));
            let controls = Rate::of_controls(now, exposure, slow);
            (on, controls.since(Rate::of_controls(before, latest, slow)))
        };
        let errors = of(None);
        let pairs = self.lines.each_ref().map(|line| line.slow.map_or(errors, |bucket| of(Some(bucket))));
        for (line, (_, controls)) in self.lines.iter_mut().zip(pairs) {
            line.controls.add(controls);
        }
        self.asked.0 = self.asked.0.saturating_add(errors.0.requests);
        self.asked.1.add(errors.1);
        self.controls.add(errors.1);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let (on, controls) = errors;
        self.recent.reserve_exact(RECENT - self.recent.len());
        self.recent.push_back([on.requests, on.hits, controls.requests, controls.hits].map(number));
    }

    /// The present error rates: of the last requests where the flag is on, and of the controls in the last looks.
    pub(super) fn recent(&self) -> (Rate, Rate) {
        let mut sums = (Rate::default(), Rate::default());
        for (on, controls) in self.looks() {
            // No more looks than needed: earlier ones may be from before the harm.
            if sums.0.requests < ENOUGH_NOW {
                sums.0.add(on);
            }
            sums.1.add(controls);
        }
        sums
    }

    /// True if clearly more than this share of the last requests where the flag is on failed, in as many looks as tell it.
    pub(super) fn fails_beyond(&self, share: f64) -> bool {
        let mut sum = Rate::default();
        self.looks().any(|(on, _)| {
            sum.add(on);
            sum.is_clearly_above(share)
        })
    }

    /// The last looks, the newest first: errors where the flag is on, and those of the controls.
    fn looks(&self) -> impl Iterator<Item = (Rate, Rate)> {
        let rate = |requests: u32, hits: u32| Rate { requests: requests.into(), hits: hits.into() };
        let looks = self.recent.iter().rev();
        looks.map(move |[on, failed, others, of_others]| (rate(*on, *failed), rate(*others, *of_others)))
    }

    /// Controls of the time in which this kind of harm was found.
    pub(super) fn controls_beside(&self, harm: Harm) -> Rate {
        let of_kind = |line: &&Line| line.slow.is_some() == (harm == Harm::Slow);
        let found = |line: &Line| line.evidence.as_deref().and_then(Evidence::found);
        let seen = self.lines.iter().filter(of_kind).find_map(found);
        seen.map(|seen| rate(seen.off)).unwrap_or_default()
    }

    /// True if a flag that was changed at `changed_at` may still be acted on by limits.
    pub(super) fn is_watched(&self, now: i64, changed_at: i64, policy: &Policy) -> bool {
        self.busy.is_watched(now, changed_at, policy)
    }

    /// Share of the requests that asked the flag and had it on, since it was changed; 0 to 1.
    pub(super) fn share_on(&self) -> f64 {
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let (latest, changed) = (self.latest.exposure(), self.since.exposure());
        let on = since(latest.on.requests, changed.on.requests);
        let off = since(latest.off.requests, changed.off.requests);
        let gated = since(latest.gated, changed.gated);
        on as f64 / on.saturating_add(off).saturating_add(gated).max(1) as f64
    }

    /// Requests since the flag was changed that had it on for one company and off for another.
    pub(super) fn mixed(&self) -> u64 {
        self.latest.exposure().mixed.saturating_sub(self.since.exposure().mixed)
    }

    /// Requests answered on since the flag was changed, and those that failed.
    pub(super) fn own(&self) -> Rate {
        let (latest, since) = (self.latest.exposure(), self.since.exposure());
        let sum = |groups: [u64; GROUPS]| groups.iter().fold(0, |sum: u64, group| sum.saturating_add(*group));
        let earlier = self.begun_earlier.as_ref().map_or_else(Rate::default, |earlier| Rate {
            requests: sum(earlier.ended),
            hits: sum(earlier.failed),
        });
        Rate::of(&latest.on, None).since(Rate::of(&since.on, None)).since(earlier)
    }

    /// The flag was changed since the last sample: the rates until then become the usual ones.
    fn change(&mut self, changed_at: i64, policy: &Policy, before: &Exposure) {
        self.before = None;
        let at = self.earlier;
        self.past_on.record(at, &before.on, policy.min_requests);
        self.past_off.record(at, &before.off, policy.min_requests);
        self.was_gate = self.kind == Some(Kind::Gate) || before.gated > before.off.requests;
        let off = || self.past_off.usual(at, policy.min_requests).filter(|_| !self.was_gate);
        let on = self.past_on.usual(at, policy.min_requests);
        self.usual = on.map(|usual| (usual, true)).or_else(|| off().map(|usual| (usual, false)));
        self.changed_at = changed_at;
        self.stakes.change(self.at);
        self.busy.change();
        self.asked = (0, Rate::default());
        self.recent.clear();
        (self.begun_earlier, self.earlier_unfed) = (None, None);
        self.kind = None;
        self.next_tick = self.at;
        self.since = Mark::whole(before);
        self.window.clear();
        self.window.push_back((at, CounterIncrease::default()));
        self.lines.iter_mut().for_each(|line| *line = Line::default());
    }

    /// Runs every ten seconds: restarts bets that came to nothing and updates the usual rates. The sample that follows takes
    /// no part in it. `since` is when the evidence that is fed next begins.
    fn tick(&mut self, policy: &Policy, before: &Exposure, since: i64) {
        self.next_tick = self.at + TICK;
        self.past_on.record(self.at, &before.on, policy.min_requests);
        self.past_off.record(self.at, &before.off, policy.min_requests);
        let span = policy.window / WINDOW as i64;
        if self.window.back().is_none_or(|(at, _)| self.at - at >= span) {
            if self.window.len() > WINDOW {
                self.window.pop_front();
                self.settled();
                self.tell_again(policy);
            }
            self.window.push_back((self.at, CounterIncrease::default()));
        }
        let p95_off = self.p95_off(policy.min_requests);
        if let Some(p95) = p95_off.filter(|_| self.kind == Some(Kind::Branch)) {
            self.pace = Some(UsualPace::after(self.pace, self.at, p95));
        }
        let limits = self.limits(policy, before, p95_off);
        let stake = self.stakes.stake(self.at) / f64::from(self.together);
        let branch = self.kind == Some(Kind::Branch);
        for (index, ((line, (slow, limit)), share)) in
            self.lines.iter_mut().zip(limits).zip(SHARES).enumerate()
        {
            let compared = branch && index == 0;
            if line.slow != slow {
                line.controls = Rate::default();
            }
            line.slow = slow;
            line.limit = limit;
            let chance = FALSE_ALARMS * share * stake;
            let renew = |evidence: &mut Option<Box<Evidence>>| match evidence {
                Some(evidence) => evidence.renew(since, chance),
                None => *evidence = Some(Box::new(Evidence::new(since, chance, policy.left_out()))),
            };
            renew(&mut line.evidence);
            if branch && !compared {
                renew(&mut line.control);
            }
            if limit <= 0.0 || (!compared && limit >= HIGHEST_LIMIT) {
                *line = Line::default();
            }
        }
    }

    /// Determines the kind of a flag whose companies' traffic has changed: a branch may have become full without a change.
    fn tell_again(&mut self, policy: &Policy) {
        let kind = Kind::tell(&self.windowed(), &Exposure::default(), policy.baseline);
        if kind.is_some() && kind != self.kind {
            self.kind = kind;
            self.lines.iter_mut().for_each(|line| *line = Line::default());
        }
    }

    /// For each line, the bucket after which requests are slow and the highest rate allowed; 0 for none.
    fn limits(
        &self,
        policy: &Policy,
        before: &Exposure,
        p95_off: Option<usize>,
    ) -> [(Option<usize>, f64); 4] {
        let times = |bucket: usize| {
            let longest = duration::upper(bucket) as f64 * policy.relative_p95;
            Some(duration::bucket(longest as u64))
        };
        let (errors, slow) = match self.kind {
            None => (0.0, None),
            Some(Kind::Branch) if self.chosen => match self.difference() {
                None => (0.0, None),
                Some((errors, slower)) => {
                    let bucket = |off: usize| {
                        let longest = duration::upper(off) as f64 * policy.relative_p95 * slower;
                        duration::bucket(longest as u64)
                    };
                    let slow = p95_off.map(bucket);
                    (policy.relative_errors * errors, slow)
                }
            },
            Some(Kind::Branch) => (policy.relative_errors, p95_off.and_then(times)),
            Some(Kind::Gate | Kind::Full) => match self.usual_here(before) {
                None => (0.0, None),
                Some(usual) => {
                    // Where most requests failed, nothing tells how long they take when they are well.
                    let p95 = Some(usual.p95).filter(|_| usual.error_rate <= 0.5);
                    (usual.error_rate * policy.relative_errors, p95.and_then(times))
                }
            },
        };
        let longest = duration::bucket(policy.p95_ms.saturating_mul(1000));
        let or_none = |slow: Option<usize>| if slow.is_some() { SLOWEST } else { 0.0 };
        [(None, errors), (None, policy.error_rate), (slow, or_none(slow)), (Some(longest), SLOWEST)]
    }

    /// The usual rates, unless they are from where the flag was off and did nothing.
    fn usual_here(&self, before: &Exposure) -> Option<Usual> {
        let (usual, on) = self.usual_now()?;
        let since = kind::durations(&before.on, &self.since.exposure().on);
        let median = duration::quantile(&since, 0.5)?;
        (on || !kind::nothing_is_done(median, usual.median, usual.p95)).then_some(usual)
    }

    /// The usual rates in the hours before the last change, or around this hour of the week before where those are known and
    /// worse; true if they were measured where the flag was on.
    fn usual_now(&self) -> Option<(Usual, bool)> {
        let on = self.past_on.usual_a_week_ago(self.at, self.changed_at);
        // The flag's own past comes before the past of those who did not have it.
        let off = || match self.usual {
            Some((_, true)) => None,
            _ if self.was_gate => None,
            _ => self.past_off.usual_a_week_ago(self.at, self.changed_at),
        };
        let week = on.map(|usual| (usual, true)).or_else(|| off().map(|usual| (usual, false)));
        match (week, self.usual) {
            // The week before can only raise the limit: days differ, and the least of several would accept too little.
            (Some((week, on)), Some((usual, before))) if on == before => Some((week.or_worse(usual), on)),
            (week, usual) => week.or(usual),
        }
    }

    /// Ratios of those who have it to the others, in error rate and in duration, over the hours before this one; at least 1.
    fn difference(&self) -> Option<(f64, f64)> {
        let on = self.past_on.usual_until_now(self.at)?;
        let off = self.past_off.usual_until_now(self.at)?;
        let slower = duration::upper(on.p95) as f64 / duration::upper(off.p95) as f64;
        Some(((on.error_rate / off.error_rate.max(1e-6)).max(1.0), slower.max(1.0)))
    }

    /// The bucket of the 95th percentile of the off-cohort's requests that ended well within the window.
    fn p95_off(&self, enough: u64) -> Option<usize> {
        let off = self.windowed().off;
        let well = duration::all(&off.durations).saturating_sub(off.errors);
        (well >= enough).then(|| p95_of_well(&off.durations, off.errors))?
    }

    /// The counts of the window.
    fn windowed(&self) -> Exposure {
        let mut sum = Sum::new();
        self.window.iter().for_each(|(_, step)| sum.add(step));
        sum.exposure()
    }

    fn feed(&mut self, now: &Exposure, before: &Exposure, hung: Option<&Hung>, earlier: Option<&Earlier>) {
        let mut errors = (Counts::errors(&now.on, &before.on), Counts::errors(&now.off, &before.off));
        if let Some(earlier) = earlier {
            errors.0 = errors.0.without(&Counts::failed(&earlier.failed));
        }
        let hung = hung.map(|hung| (Counts::failed(&hung.on), Counts::failed(&hung.off)));
        // Other requests that began with them ended long ago: hung ones are compared with those of the window.
        let hung = hung.map(|(on, off)| {
            (errors.0, errors.1) = (errors.0.without(&on), errors.1.without(&off));
            let among = self.windowed();
            let since = self.window.front().map_or(self.at, |(since, _)| *since);
            let rates = (Rate::of(&among.on, None), Rate::of(&among.off, None));
            Late { on, off, since, among: rates }
        });
        let branch = self.kind == Some(Kind::Branch);
        let usual = self.pace.map(UsualPace::slow);
        for (index, line) in self.lines.iter_mut().enumerate() {
            let controls = std::mem::take(&mut line.controls);
            let Some(evidence) = &mut line.evidence else { continue };
            let slow = line.slow.map(|bucket| {
                let on = Counts::slow(&now.on, &before.on, bucket);
                let on = earlier.map_or(on, |earlier| on.without(&Counts::failed(&earlier.ended)));
                let mut off = Counts::slow(&now.off, &before.off, bucket);
                // A request that fails at once is no quick one.
                off.hits = off.hits.saturating_add(errors.1.hits).min(off.requests);
                (on, off)
            });
            let (on, off) = slow.as_ref().unwrap_or(&errors);
            let compared = branch && index == 0;
            match compared {
                true => evidence.compare(on, off, line.limit),
                false if branch => {
                    let unusual = usual.filter(|_| line.slow.is_some()).map(|bucket| {
                        Rate::of(&now.off, Some(bucket)).since(Rate::of(&before.off, Some(bucket)))
                    });
                    evidence.exceed_beside(on, unusual.unwrap_or_default(), line.limit);
                }
                false => evidence.exceed_beside(on, controls, line.limit),
            }
            if let Some(control) = &mut line.control {
                control.compare(on, off, WORSE);
            }
            if let Some(late) = hung.as_ref().filter(|_| line.slow.is_none()) {
                match compared {
                    true => evidence.compare_late(late, line.limit),
                    false => evidence.exceed(&late.on, line.limit),
                }
                if let Some(control) = &mut line.control {
                    control.compare_late(late, WORSE);
                }
            }
        }
    }

    /// The finding, and true if the controls leave a doubt. A finding that they confirm comes first.
    fn finding(&self, policy: &Policy) -> Option<(Finding, bool)> {
        let found = |(index, line): (usize, &Line)| {
            let finding = self.found(index, line, policy)?;
            if finding.ground == Ground::Cohorts {
                return Some((finding, false));
            }
            // Requests of the bet that came furthest, and the controls of its time.
            let seen = line.evidence.as_deref().and_then(Evidence::found).unwrap_or_default();
            let (on, control) = (rate(seen.on), rate(seen.off));
            // The bucket itself defines how many are usually slow.
            let usual = line.slow.map_or_else(|| self.controls.since(control).share(), |_| SLOWEST);
            let (ground, doubt) = match Control::tell(
                on,
                control,
                rate(seen.during),
                (self.asked.0, self.asked.1.requests),
                usual,
            ) {
                Control::Absent => (Ground::Alone, false),
                Control::Clear => (Ground::Controls, false),
                Control::Doubtful => (Ground::Unconfirmed, true),
            };
            Some((Finding { ground, ..finding }, doubt))
        };
        let mut all: Vec<_> = self.lines.iter().enumerate().filter_map(found).collect();
        let confirmed = all.iter().position(|(_, doubt)| !doubt).unwrap_or(0);
        (!all.is_empty()).then(|| all.swap_remove(confirmed))
    }

    fn found(&self, index: usize, line: &Line, policy: &Policy) -> Option<Finding> {
        let branch = self.kind == Some(Kind::Branch);
        let seen = line.evidence.as_ref()?.found()?;
        if line.control.as_ref().is_some_and(|control| control.found().is_none()) {
            return None;
        }
        if self.is_excused(line) {
            return None;
        }
        let compared = branch && index == 0;
        let seen = self.lately(seen, line, policy);
        let on = share(seen.on);
        let off = if compared { share(seen.off) } else { Share::default() };
        let limit = if compared { (off.rate() * line.limit).min(1.0) } else { line.limit };
        // One visitor with a broken browser is a small share of all, and at most the share of those that name no company.
        let limit = if line.slow.is_none() { limit.max(policy.error_rate.min(self.unnamed)) } else { limit };
        let companies = seen.groups;
        // A limit of a branch is confirmed by its off-cohort: it rests on both.
        let confirming = line.control.as_deref().and_then(Evidence::found).map_or(0, |control| control.off.0);
        let both = on.requests.saturating_add(off.requests.max(confirming));
        let enough = both >= policy.min_requests && companies >= policy.min_companies;
        (enough && on.rate() > limit).then(|| Finding {
            flag: String::new(),
            harm: if line.slow.is_some() { Harm::Slow } else { Harm::Errors },
            against: match (index, branch) {
                (0 | 2, true) => Against::Off,
                (0 | 2, false) => Against::Past,
                _ => Against::Limit,
            },
            ground: if branch { Ground::Cohorts } else { Ground::Controls },
            on,
            off,
            limit,
            slower: line.slow.map_or(0, duration::upper),
            failed: line.slow.filter(|_| branch).map(|_| {
                Box::new(self.failed_lately().map(|Rate { requests, hits }| Share { requests, hits }))
            }),
            companies,
            since: seen.since,
            at: self.at,
            changed_at: self.changed_at,
            through: None,
            protection: None,
            action: policy.action,
        })
    }

    /// Requests on and off in the window, and those that failed.
    fn failed_lately(&self) -> [Rate; 2] {
        let sum = self.windowed();
        [&sum.on, &sum.off].map(|cohort| Rate::of(cohort, None))
    }

    /// True if slowness is no reason to turn the flag off: its off-cohort is slower than it usually is, or fails more.
    fn is_excused(&self, line: &Line) -> bool {
        let Some(evidence) = line.evidence.as_deref().filter(|_| line.slow.is_some()) else { return false };
        let seen = evidence.seen();
        if self.kind != Some(Kind::Branch) {
            return false;
        }
        let [on, off] = self.failed_lately();
        is_off_worse(on, off) || is_trouble_of_both(rate(seen.on), rate(seen.off), rate(seen.during), SLOWEST)
    }

    /// The last window's counts if the evidence goes back further: past harm is no reason to act.
    fn lately(&self, seen: Seen, line: &Line, policy: &Policy) -> Seen {
        let Some((since, _)) = self.window.front().filter(|_| self.at - seen.since > policy.window) else {
            return seen;
        };
        let (sum, none) = (self.windowed(), Cohort::default());
        let counts = |on: bool| {
            let cohort = if on { &sum.on } else { &sum.off };
            line.slow
                .map_or_else(|| Counts::errors(cohort, &none), |bucket| Counts::slow(cohort, &none, bucket))
        };
        let mut lately = Seen { since: *since, ..Seen::default() };
        lately.add(&counts(true), &counts(false));
        // Companies count if evidence names them, however long ago.
        Seen { groups: seen.groups, ..lately }
    }
}

/// All requests that asked a flag.
fn asked(exposure: &Exposure) -> u64 {
    let counts = [exposure.on.requests, exposure.off.requests, exposure.gated, exposure.mixed];
    counts.into_iter().fold(0, u64::wrapping_add)
}

fn rate((requests, hits): (u64, u64)) -> Rate {
    Rate { requests, hits }
}

fn share((requests, hits): (u64, u64)) -> Share {
    Share { requests, hits }
}

/// True if the counters were reset without a new epoch.
fn shrank(now: &Exposure, before: &Exposure) -> bool {
    let fewer = |now: &Cohort, before: &Cohort| now.requests < before.requests || now.errors < before.errors;
    now.gated < before.gated || fewer(&now.on, &before.on) || fewer(&now.off, &before.off)
}
