//! One flag under watch.

use super::busy_hours::BusyHours;
use super::control::{Control, Rate};
use super::counts::Counts;
use super::evidence::{Evidence, Seen};
use super::finding::{Against, Finding, Ground, Harm, Share};
use super::kind::{self, Kind};
use super::mark::{Mark, Step, Sum};
use super::memory::{Before, Kept};
use super::past::{Past, Usual};
use super::plausible::plausible;
use super::policy::Policy;
use super::stakes::{Stakes, TICK};
use crate::plan::Verdict;
use crate::telemetry::duration::{self, BUCKETS};
use crate::telemetry::{Cohort, Exposure};
use std::collections::VecDeque;

/// The chance that a flag which does no harm is found to do some, in 30 days of looking each second.
pub const FALSE_ALARMS: f64 = 0.01;

/// How that is divided: errors compared, errors against the limit, slowness compared, and against the limit. What is left
/// is for what was usual, which is an estimate itself.
const SHARES: [f64; 4] = [0.65, 0.1, 0.1, 0.1];

/// Of a cohort's requests so many are slower than its 95th percentile.
const SLOWEST: f64 = 0.05;

/// A limit as high as this says nothing.
const HIGHEST_LIMIT: f64 = 0.9;

/// Beyond a limit, a flag is at fault only if the off-cohort is not as badly off: it has to be so many times worse. Companies differ,
/// and an outage does not hit all of them alike.
const WORSE: f64 = 1.5;

/// Samples that lie further apart than this, in microseconds, are not one story.
const GAP: i64 = 60_000_000;

/// Requests that tell how it is now.
const ENOUGH_NOW: u64 = 30;

/// Looks that tell how it is now.
const RECENT: usize = 8;

/// Steps of which the window is made up.
const WINDOW: usize = 5;

/// A sample of one flag's counters.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// Microseconds since 1970.
    pub at: i64,
    /// Another number when the counters were begun anew.
    pub epoch: u64,
    /// When the flag was last changed, in microseconds since 1970.
    pub changed_at: i64,
    /// The counters.
    pub exposure: &'a Exposure,
    /// Whether the companies that have it were chosen, by a list or a rule: then they differ from the others by themselves.
    pub chosen: bool,
    /// How many flags the same publish changed: they share the chance of a false alarm.
    pub together: u32,
    /// All requests of the store, at this sample and at the one before.
    pub totals: Option<(&'a Cohort, &'a Cohort)>,
}

impl<'a> Reading<'a> {
    /// Of a flag that was changed alone, whose companies have it by their bucket.
    pub fn new(at: i64, epoch: u64, changed_at: i64, exposure: &'a Exposure) -> Self {
        Self { at, epoch, changed_at, exposure, chosen: false, together: 1, totals: None }
    }
}

/// Watches one flag.
#[derive(Debug, Clone)]
pub struct Detector {
    at: i64,
    epoch: u64,
    changed_at: i64,
    /// When the sample before this one was taken.
    earlier: i64,
    /// The last sample.
    latest: Mark,
    /// The last sample that was taken as evidence, where that is not the last.
    before: Option<Mark>,
    /// The counters when the flag was changed.
    since: Mark,
    kind: Option<Kind>,
    stakes: Stakes,
    busy: BusyHours,
    next_tick: i64,
    /// When each step of the window began, and what was counted in it.
    window: VecDeque<(i64, Step)>,
    past_on: Past,
    past_off: Past,
    /// What was usual before the last change, and whether it was so where the flag was on.
    usual: Option<(Usual, bool)>,
    lines: [Line; 4],
    chosen: bool,
    together: u32,
    /// Requests that asked the flag since it was changed, and those that did not.
    asked: (u64, u64),
    /// What those that did not came to since the watch began.
    controls: Rate,
    /// The last looks: requests and errors where it is on, and those of the controls.
    recent: VecDeque<[u32; 4]>,
}

/// One question: evidence, and where the flag is a branch, evidence that the off-cohort is not as badly off.
#[derive(Debug, Clone, Default)]
struct Line {
    evidence: Option<Box<Evidence>>,
    control: Option<Box<Evidence>>,
    /// Slow are requests of later buckets; none for errors, and where nothing is known to compare with.
    slow: Option<usize>,
    limit: f64,
    /// Requests with the flag on, and controls, of the same time.
    pair: (Rate, Rate),
}

impl Detector {
    /// Begins to watch.
    pub fn new(reading: &Reading) -> Self {
        let Reading { at, epoch, changed_at, exposure, .. } = *reading;
        Self {
            at,
            epoch,
            changed_at,
            earlier: at,
            latest: Mark::whole(exposure),
            before: None,
            since: Mark::change(exposure, false),
            kind: None,
            stakes: Stakes::new(at, changed_at),
            busy: BusyHours::default(),
            next_tick: at,
            window: VecDeque::from([(at, Step::default())]),
            past_on: Past::new(at, &exposure.on),
            past_off: Past::new(at, &exposure.off),
            usual: None,
            lines: Default::default(),
            chosen: reading.chosen,
            together: reading.together,
            asked: (0, 0),
            controls: Rate::default(),
            recent: VecDeque::new(),
        }
    }

    /// Goes on where another one ended, as far as that is known. Its next beginning is a tick away, so that guards which are
    /// started over and over stake no more than one that runs on.
    pub(super) fn resumed(reading: &Reading, kept: Kept) -> Self {
        /// Changes that are no further apart are one: a guard that runs sees it a little later than the audit trail tells.
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
        let sound = |hours: Vec<super::memory::Hour>| {
            hours.into_iter().filter(|hour| bucket(hour.p95) && bucket(hour.median)).collect()
        };
        detector.past_on.remember(sound(kept.on), at);
        detector.past_off.remember(sound(kept.off), at);
        if kept.changed_at.abs_diff(reading.changed_at) > SAME {
            detector.changed_at = kept.changed_at;
        }
        detector
    }

    /// What the next one is to know.
    pub(super) fn kept(&self, verdict: Verdict, cooldown: Option<i64>) -> Kept {
        Kept {
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
            on: self.past_on.hours(),
            off: self.past_off.hours(),
            kind: self.kind,
            evidence: self.suspicion(),
            verdict,
        }
    }

    /// What the flag can be compared with, once that is known.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// How far evidence against the flag has come: 0, none, to 1, enough.
    pub fn suspicion(&self) -> f64 {
        let far = |line: &Line| {
            let control = line.control.as_deref().map_or(1.0, Evidence::progress);
            line.evidence.as_deref().map_or(0.0, Evidence::progress).min(control)
        };
        self.lines.iter().map(far).fold(0.0, f64::max)
    }

    /// Requests answered on since the flag was changed or the watch began, and groups of companies among them.
    pub fn seen(&self) -> (u64, usize) {
        let before = self.before.as_ref().unwrap_or(&self.latest).exposure();
        let counts = Counts::errors(&before.on, &self.since.exposure().on);
        (counts.requests, counts.groups.iter().filter(|part| part.requests > 0).count())
    }

    /// Takes in a sample. The finding is there as long as it holds.
    pub fn observe(&mut self, reading: &Reading, policy: &Policy) -> Option<Finding> {
        self.observe_all(reading, policy).map(|(finding, _)| finding)
    }

    /// The same, and whether the controls leave a doubt.
    pub(super) fn observe_all(&mut self, reading: &Reading, policy: &Policy) -> Option<(Finding, bool)> {
        let Reading { at, exposure, .. } = *reading;
        let latest = self.latest.exposure();
        let unlikely = || !plausible(exposure, &latest, at - self.at);
        if reading.epoch != self.epoch || at < self.at || shrank(exposure, &latest) || unlikely() {
            // Whoever has it begin over and over gets no more stakes for that.
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
        if reading.changed_at != self.changed_at {
            self.change(reading.changed_at, policy, &latest);
        }
        self.busy.add(at, asked(exposure).saturating_sub(asked(&latest)));
        self.weigh_controls(reading, &latest);
        let before = self.before.as_ref().map_or(latest, Mark::exposure);
        if self.kind.is_none() {
            let since = self.since.exposure();
            self.kind = Kind::tell(exposure, &since, policy.baseline);
            if self.kind.is_none() {
                self.before.get_or_insert_with(|| Mark::whole(&before));
                self.latest = Mark::whole(exposure);
                return None;
            }
            self.since = Mark::change(&since, true);
        }
        if before != *exposure {
            self.latest = Mark::whole(exposure);
        }
        self.before = None;
        if at >= self.next_tick {
            self.tick(policy, &before);
        }
        self.feed(exposure, &before);
        if let Some((_, step)) = self.window.back_mut() {
            step.extend(exposure, &before);
        }
        self.finding(policy)
    }

    /// Gives up what only a flag that is asked needs. It goes on with what it was counted as, what was usual, and its stakes.
    pub(super) fn rest(&mut self) {
        self.window = VecDeque::from([(self.at, Step::default())]);
        self.recent = VecDeque::new();
        self.lines = Default::default();
        self.past_on.rest(self.at);
        self.past_off.rest(self.at);
    }

    /// Nothing was counted since the last sample.
    pub(super) fn pass(&mut self, at: i64) {
        (self.earlier, self.at) = (at, at);
    }

    /// Looks away: what happened since the last sample is no evidence, and what there was is none any more.
    pub fn skip(&mut self, reading: &Reading) {
        (self.earlier, self.at) = (reading.at, reading.at);
        (self.latest, self.before) = (Mark::whole(reading.exposure), None);
        self.window.clear();
        self.window.push_back((reading.at, Step::default()));
        self.past_on.discard(reading.at, &reading.exposure.on);
        self.past_off.discard(reading.at, &reading.exposure.off);
        self.lines.iter_mut().for_each(|line| *line = Line::default());
    }

    /// Takes in the requests that did not ask the flag, as of the last two samples.
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
        for (line, (on, controls)) in self.lines.iter_mut().zip(pairs) {
            line.pair.0.add(on);
            line.pair.1.add(controls);
        }
        self.asked.0 = self.asked.0.saturating_add(errors.0.requests);
        self.asked.1 = self.asked.1.saturating_add(errors.1.requests);
        self.controls.add(errors.1);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let (on, controls) = errors;
        self.recent.reserve_exact(RECENT - self.recent.len());
        self.recent.push_back([on.requests, on.hits, controls.requests, controls.hits].map(number));
    }

    /// The rates of errors now: of the last requests where the flag is on, and of the controls of the last looks.
    pub(super) fn recent(&self) -> (Rate, Rate) {
        let mut sums = (Rate::default(), Rate::default());
        for [requests, hits, of_controls, hits_of_controls] in self.recent.iter().rev() {
            let rate =
                |requests: &u32, hits: &u32| Rate { requests: (*requests).into(), hits: (*hits).into() };
            // No more looks than it takes: those before may be from before the harm.
            if sums.0.requests < ENOUGH_NOW {
                sums.0.add(rate(requests, hits));
            }
            sums.1.add(rate(of_controls, hits_of_controls));
        }
        sums
    }

    /// Controls that were slow, since evidence began.
    pub(super) fn controls_of_slow(&self) -> Rate {
        let slow = self.lines.iter().find(|line| line.slow.is_some());
        slow.map(|line| line.pair.1).unwrap_or_default()
    }

    /// Whether a flag that was changed then may be acted on by limits still.
    pub(super) fn is_watched(&self, now: i64, changed_at: i64, policy: &Policy) -> bool {
        self.busy.is_watched(now, changed_at, policy)
    }

    /// The share of the requests that asked the flag which were answered on, since it was changed; 0 to 1.
    pub(super) fn share_on(&self) -> f64 {
        let since = |now: u64, before: u64| now.saturating_sub(before);
        let (latest, changed) = (self.latest.exposure(), self.since.exposure());
        let on = since(latest.on.requests, changed.on.requests);
        let off = since(latest.off.requests, changed.off.requests);
        let gated = since(latest.gated, changed.gated);
        on as f64 / on.saturating_add(off).saturating_add(gated).max(1) as f64
    }

    /// Requests answered on since the flag was changed, and those that failed.
    pub(super) fn own(&self) -> Rate {
        let (latest, since) = (self.latest.exposure(), self.since.exposure());
        Rate::of(&latest.on, None).since(Rate::of(&since.on, None))
    }

    /// Since the last sample the flag is another: what was usual is what was so until then.
    fn change(&mut self, changed_at: i64, policy: &Policy, before: &Exposure) {
        self.before = None;
        let at = self.earlier;
        self.past_on.record(at, &before.on);
        self.past_off.record(at, &before.off);
        let gate = self.kind == Some(Kind::Gate) || before.gated > before.off.requests;
        let off = || self.past_off.usual(at, policy.min_requests).filter(|_| !gate);
        let on = self.past_on.usual(at, policy.min_requests);
        self.usual = on.map(|usual| (usual, true)).or_else(|| off().map(|usual| (usual, false)));
        self.changed_at = changed_at;
        self.stakes.change(self.at);
        self.busy.change();
        self.asked = (0, 0);
        self.recent.clear();
        self.kind = None;
        self.next_tick = self.at;
        self.since = Mark::change(before, false);
        self.window.clear();
        self.window.push_back((at, Step::default()));
        self.lines.iter_mut().for_each(|line| *line = Line::default());
    }

    /// Every ten seconds: what came to nothing begins anew, and what is compared with is brought up to date. Nothing of
    /// the sample that follows takes part in it.
    fn tick(&mut self, policy: &Policy, before: &Exposure) {
        self.next_tick = self.at + TICK;
        self.past_on.record(self.at, &before.on);
        self.past_off.record(self.at, &before.off);
        let span = policy.window / WINDOW as i64;
        if self.window.back().is_none_or(|(at, _)| self.at - at >= span) {
            if self.window.len() > WINDOW {
                self.window.pop_front();
                self.tell_again(policy);
            }
            self.window.push_back((self.at, Step::default()));
        }
        let limits = self.limits(policy, before);
        let stake = self.stakes.stake(self.at) / f64::from(self.together);
        let branch = self.kind == Some(Kind::Branch);
        for (index, ((line, (slow, limit)), share)) in
            self.lines.iter_mut().zip(limits).zip(SHARES).enumerate()
        {
            let compared = branch && index == 0;
            line.slow = slow;
            line.limit = limit;
            let chance = FALSE_ALARMS * share * stake;
            if line.evidence.as_ref().is_none_or(|evidence| evidence.progress() == 0.0) {
                line.pair = Default::default();
            }
            let renew = |evidence: &mut Option<Box<Evidence>>| match evidence {
                Some(evidence) => evidence.renew(self.earlier, chance),
                None => *evidence = Some(Box::new(Evidence::new(self.earlier, chance, policy.left_out()))),
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

    /// A branch may have become full otherwise than by a change: by its companies' traffic.
    fn tell_again(&mut self, policy: &Policy) {
        let kind = Kind::tell(&self.windowed(), &Exposure::default(), policy.baseline);
        if kind.is_some() && kind != self.kind {
            self.kind = kind;
            self.lines.iter_mut().for_each(|line| *line = Line::default());
        }
    }

    /// For each line the bucket after which requests are slow, and the rate that must not be exceeded; 0 for none.
    fn limits(&self, policy: &Policy, before: &Exposure) -> [(Option<usize>, f64); 4] {
        let times = |bucket: usize| {
            let longest = duration::upper(bucket) as f64 * policy.relative_p95;
            Some(duration::bucket(longest as u64))
        };
        let (errors, slow) = match self.kind {
            None => (0.0, None),
            Some(Kind::Branch) if self.chosen => match self.difference(policy.min_requests) {
                None => (0.0, None),
                Some((errors, slower)) => {
                    let bucket = |off: usize| {
                        let longest = duration::upper(off) as f64 * policy.relative_p95 * slower;
                        duration::bucket(longest as u64)
                    };
                    let slow = self.p95_off(policy.min_requests).map(bucket);
                    (policy.relative_errors * errors, slow)
                }
            },
            Some(Kind::Branch) => (policy.relative_errors, self.p95_off(policy.min_requests).and_then(times)),
            Some(Kind::Gate | Kind::Full) => match self.usual_here(before) {
                None => (0.0, None),
                Some(usual) => (usual.error_rate * policy.relative_errors, times(usual.p95)),
            },
        };
        let longest = duration::bucket(policy.p95_ms.saturating_mul(1000));
        let or_none = |slow: Option<usize>| if slow.is_some() { SLOWEST } else { 0.0 };
        [(None, errors), (None, policy.error_rate), (slow, or_none(slow)), (Some(longest), SLOWEST)]
    }

    /// What was usual, unless that was where the flag was off and did nothing.
    fn usual_here(&self, before: &Exposure) -> Option<Usual> {
        let (usual, on) = self.usual?;
        let since = kind::durations(&before.on, &self.since.exposure().on);
        let median = duration::quantile(&since, 0.5)?;
        (on || !kind::nothing_is_done(median, usual.median, usual.p95)).then_some(usual)
    }

    /// How many times as often as the others those who have it fail, and how many times as long their requests take, by the hours
    /// before this one; at least once.
    fn difference(&self, enough: u64) -> Option<(f64, f64)> {
        let on = self.past_on.usual_until_now(self.at, enough)?;
        let off = self.past_off.usual_until_now(self.at, enough)?;
        let slower = duration::upper(on.p95) as f64 / duration::upper(off.p95) as f64;
        Some(((on.error_rate / off.error_rate.max(1e-6)).max(1.0), slower.max(1.0)))
    }

    /// The bucket of the off-cohort's 95th percentile within the window.
    fn p95_off(&self, enough: u64) -> Option<usize> {
        let durations = self.windowed().off.durations;
        (duration::all(&durations) >= enough).then(|| duration::quantile(&durations, 0.95))?
    }

    /// What was counted within the window.
    fn windowed(&self) -> Exposure {
        let mut sum = Sum::new();
        self.window.iter().for_each(|(_, step)| sum.add(step));
        sum.exposure()
    }

    fn feed(&mut self, now: &Exposure, before: &Exposure) {
        let errors = (Counts::errors(&now.on, &before.on), Counts::errors(&now.off, &before.off));
        let branch = self.kind == Some(Kind::Branch);
        for (index, line) in self.lines.iter_mut().enumerate() {
            let Some(evidence) = &mut line.evidence else { continue };
            let slow = line.slow.map(|bucket| {
                (Counts::slow(&now.on, &before.on, bucket), Counts::slow(&now.off, &before.off, bucket))
            });
            let (on, off) = slow.as_ref().unwrap_or(&errors);
            match branch {
                true if index == 0 => evidence.compare(on, off, line.limit),
                _ => evidence.exceed(on, line.limit),
            }
            if let Some(control) = &mut line.control {
                control.compare(on, off, WORSE);
            }
        }
    }

    /// What was found, and whether the controls leave a doubt: what they confirm comes first.
    fn finding(&self, policy: &Policy) -> Option<(Finding, bool)> {
        let found = |(index, line): (usize, &Line)| {
            let finding = self.found(index, line, policy)?;
            if finding.ground == Ground::Cohorts {
                return Some((finding, false));
            }
            let (on, control) = line.pair;
            // How many are usually slow is what the bucket stands for.
            let usual = line.slow.map_or_else(|| self.controls.since(control).share(), |_| SLOWEST);
            let (ground, doubt) = match Control::tell(on, control, self.asked, usual) {
                Control::Absent => (Ground::Alone, false),
                Control::Clear => (Ground::Controls, false),
                Control::Doubtful => (Ground::Controls, true),
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
        let seen = self.lately(seen, line, policy);
        let (on, off) = (share(seen.on), share(seen.off));
        let compared = branch && index == 0;
        let limit = if compared { (off.rate() * line.limit).min(1.0) } else { line.limit };
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
            companies,
            since: seen.since,
            at: self.at,
            changed_at: self.changed_at,
            through: None,
            action: policy.action,
        })
    }

    /// The last window's numbers where evidence goes back further: what was, but is over, is no reason to act.
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
        // Companies count that evidence names, however long ago.
        Seen { groups: seen.groups, ..lately }
    }
}

/// All requests that asked a flag.
fn asked(exposure: &Exposure) -> u64 {
    let counts = [exposure.on.requests, exposure.off.requests, exposure.gated, exposure.mixed];
    counts.into_iter().fold(0, u64::wrapping_add)
}

fn share((requests, hits): (u64, u64)) -> Share {
    Share { requests, hits }
}

/// Whether the counters were begun anew although nobody said so.
fn shrank(now: &Exposure, before: &Exposure) -> bool {
    let fewer = |now: &Cohort, before: &Cohort| now.requests < before.requests || now.errors < before.errors;
    now.gated < before.gated || fewer(&now.on, &before.on) || fewer(&now.off, &before.off)
}
