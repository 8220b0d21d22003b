//! Requests that do not end.
//!
//! A worker that waits for a lock, or for a socket without a timeout, counts nothing, since its request never ends. The flags
//! that it asked are open in the counters. Once a guard has seen the same request open for [`HANGS_AFTER`] it counts it once,
//! as a failed request of its cohorts and of all requests. It keeps these additions: no sum goes back.
//!
//! **Long requests that are well** hang in both cohorts, and end. Requests count once a larger share hangs where the flag is
//! on; and in each cohort only the excess over the requests that ended after as long a time.
//!
//! **Time** is the guard's own. A request's beginning only identifies it, so that clocks of containers need not agree.

use super::sight::Stuck;
use crate::telemetry::duration::{self, BUCKETS};
use crate::telemetry::{Cohort, Counts, GROUPS, OpenExposure, OpenRequest, Total};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Microseconds after which an open request hangs.
pub const HANGS_AFTER: i64 = 30_000_000;

/// Duration above which an ended request had been seen to hang, in microseconds: [`HANGS_AFTER`] and the longest time between
/// two looks.
const LONG: u64 = 36_000_000;

/// A flag's requests count once the share that hangs is this many times larger where it is on than where it is off.
const WORSE: f64 = 1.5;

/// Requests that would usually have ended before a silence means anything.
const EXPECTED: i64 = 10;
/// Microseconds over which the usual rate of ending requests is taken.
const USUAL_FOR: i64 = 600_000_000;

/// Requests of one flag that were found to hang since the last look, by group of companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hung {
    /// Requests for which it was on.
    pub on: [u64; GROUPS],
    /// Requests for which it was off.
    pub off: [u64; GROUPS],
}

/// Requests of one flag, where it is on, that ended since the last look and began before the flag was changed; by group of
/// companies. They tell nothing about the change, such as a revive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Earlier {
    /// Requests that ended.
    pub ended: [u64; GROUPS],
    /// Those that may have failed and were not counted while open.
    pub failed: [u64; GROUPS],
}

impl Earlier {
    pub(super) fn add(&mut self, other: &Self) {
        let sums = self.ended.iter_mut().chain(&mut self.failed);
        for (sum, more) in sums.zip(other.ended.iter().chain(&other.failed)) {
            *sum = sum.saturating_add(*more);
        }
    }
}

/// The requests that a guard sees open, and its counts of them.
#[derive(Debug, Clone, Default)]
pub struct Hangs {
    epoch: u64,
    /// True after the first look. Requests open at the first look began at an unknown time.
    looked: bool,
    /// Requests that ended since the last look, by the hash of the flag's key.
    earlier: BTreeMap<u64, Earlier>,
    open: HashMap<Name, Watched>,
    cohorts: BTreeMap<(u64, bool), Counted>,
    /// Counts added to all requests.
    total: Cohort,
    /// Requests found since the last look, by the hash of the flag's key.
    found: BTreeMap<u64, Hung>,
    ended: Ended,
}

/// A request by its file, its thread's cells, how often these were taken, and its beginning.
type Name = (u64, usize, u64, u64);

#[derive(Debug, Clone)]
struct Watched {
    /// Time at which it was first seen, in microseconds since 1970.
    since: i64,
    /// Beginning, in microseconds since 1970; `i64::MIN` if it was open at the first look.
    began: i64,
    /// Flags that it had asked at the last look.
    asked: Vec<OpenExposure>,
    /// True if it was weighed against long requests that are well.
    weighed: bool,
    /// Group in which it was added to all requests, if it was: none ended while it hung.
    in_total: Option<usize>,
    counted: Vec<OpenExposure>,
}

/// One flag's cohort.
#[derive(Debug, Clone)]
struct Counted {
    /// Requests that were seen to hang, and those of them that are counted.
    seen: u64,
    counted: u64,
    /// Requests that had ended after as long a time before.
    long: u64,
    /// Errors as of the last look, by group.
    errors: [u64; GROUPS],
    more: Cohort,
}

/// The rate at which requests end.
#[derive(Debug, Clone, Copy, Default)]
struct Ended {
    /// Number that had ended by the last look.
    requests: Option<u64>,
    /// Time of the last end, in microseconds since 1970.
    last: i64,
    /// Beginning of the usual rate's count, in microseconds since 1970, and the requests that ended since.
    usual: (i64, u64),
}

impl Hangs {
    /// The state before the first look.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one reading, and adds the requests that hang to it. `epoch` changes when the counters are reset.
    /// `has_off_cohort` tells by the hash of a flag's key whether the flag is compared with its off-cohort; requests of other
    /// flags count only while no request ends. `changed` is the time of a flag's last change: requests that began before it
    /// do not count. Returns the stuck requests while no request ends.
    pub fn look(
        &mut self,
        counts: &mut Counts,
        epoch: u64,
        now: i64,
        has_off_cohort: impl Fn(u64) -> bool,
        changed: impl Fn(u64) -> i64,
    ) -> Option<Stuck> {
        if self.epoch != epoch {
            *self = Self { epoch, open: std::mem::take(&mut self.open), ..Self::default() };
            self.open.values_mut().for_each(|watched| {
                watched.counted.clear();
                watched.in_total = None;
            });
        }
        self.found.clear();
        self.ended.look(counts.total().requests, now);
        self.forget_ended(counts, &changed);
        let first = !std::mem::replace(&mut self.looked, true);
        for request in &counts.open {
            let watched = self.open.entry(name(request)).or_insert_with(|| Watched::new(now, first));
            watched.since = watched.since.min(now);
            watched.began = watched.began.min(now);
            // Most end before another look.
            if watched.since < now || first {
                watched.asked.clone_from(&request.asked);
            }
        }
        let hanging: Vec<(OpenRequest, i64)> = counts
            .open
            .iter()
            .filter_map(|request| {
                let since = self.open.get(&name(request))?.since;
                (now - since >= HANGS_AFTER).then(|| (request.clone(), since))
            })
            .collect();
        let stuck = !hanging.is_empty() && self.ended.is_silent(now);
        hanging.iter().for_each(|(request, _)| self.weigh(request, counts));
        for (request, _) in &hanging {
            self.count(request, counts, stuck, &has_off_cohort, &changed);
        }
        self.add_to(counts);
        stuck.then(|| stuck_in(&hanging, counts))
    }

    /// Requests found at this look to hang, of the flag whose key has this hash.
    pub fn found(&self, flag: u64) -> Option<&Hung> {
        self.found.get(&flag)
    }

    /// Requests of the flag whose key has this hash that ended since the last look and began before it was changed.
    pub fn earlier(&self, flag: u64) -> Option<&Earlier> {
        self.earlier.get(&flag)
    }

    /// Forgets requests that ended. One that failed is now counted by its thread, or for it, and no longer by the guard.
    fn forget_ended(&mut self, counts: &mut Counts, changed: impl Fn(u64) -> i64) {
        self.earlier.clear();
        let open: HashSet<Name> = counts.open.iter().map(name).collect();
        let over: Vec<Watched> =
            self.open.extract_if(|name, _| !open.contains(name)).map(|(_, watched)| watched).collect();
        let mut failed = HashMap::new();
        for (key, cohort) in &mut self.cohorts {
            let errors = errors(counts, *key);
            let grown: [u64; GROUPS] =
                std::array::from_fn(|group| part(&errors, group).saturating_sub(part(&cohort.errors, group)));
            cohort.errors = errors;
            failed.insert(*key, grown);
        }
        for watched in over {
            let mut was_counted = false;
            let mut taken_back = Vec::new();
            for asked in &watched.counted {
                let key = (asked.flag, asked.on);
                let Some(left) = failed.get_mut(&key).and_then(|groups| groups.get_mut(asked.group)) else {
                    continue;
                };
                if let (1.., Some(cohort)) = (*left, self.cohorts.get_mut(&key)) {
                    *left -= 1;
                    take_back(&mut cohort.more, asked.group);
                    was_counted = true;
                    taken_back.push(asked.flag);
                }
            }
            let earlier =
                watched.asked.iter().filter(|asked| asked.on && watched.began < changed(asked.flag));
            for asked in earlier {
                let Earlier { ended, failed } = self.earlier.entry(asked.flag).or_default();
                ended.iter_mut().skip(asked.group).take(1).for_each(|group| *group += 1);
                if !taken_back.contains(&asked.flag) {
                    failed.iter_mut().skip(asked.group).take(1).for_each(|group| *group += 1);
                }
            }
            if let (true, Some(group)) = (was_counted, watched.in_total) {
                take_back(&mut self.total, group);
            }
        }
    }

    /// Records that a request hangs, once.
    fn weigh(&mut self, request: &OpenRequest, counts: &Counts) {
        let watched = self.open.get_mut(&name(request));
        if watched.is_none_or(|watched| std::mem::replace(&mut watched.weighed, true)) {
            return;
        }
        for asked in &request.asked {
            let key = (asked.flag, asked.on);
            let new = || Counted::new(long(counts, key), errors(counts, key));
            self.cohorts.entry(key).or_insert_with(new).seen += 1;
        }
    }

    /// Share of a cohort's requests that were seen to hang, without those that end after as long.
    fn share(&self, counts: &Counts, key: (u64, bool)) -> f64 {
        let seen = self.cohorts.get(&key).map_or(0, |cohort| cohort.seen) as f64;
        let requests = cohort(counts, key).map_or(0, |cohort| cohort.requests);
        seen / (seen + requests.saturating_sub(long(counts, key)) as f64).max(1.0)
    }

    /// Counts a request that hangs, once.
    fn count(
        &mut self,
        request: &OpenRequest,
        counts: &Counts,
        stuck: bool,
        has_off_cohort: impl Fn(u64) -> bool,
        changed: impl Fn(u64) -> i64,
    ) {
        for asked in &request.asked {
            let key = (asked.flag, asked.on);
            let worse =
                || self.share(counts, (asked.flag, true)) > self.share(counts, (asked.flag, false)) * WORSE;
            let judges = stuck || (has_off_cohort(asked.flag) && worse());
            let Some(watched) = self.open.get_mut(&name(request)) else { return };
            let Some(cohort) = self.cohorts.get_mut(&key) else { continue };
            let well = long(counts, key).saturating_sub(cohort.long);
            let is_counted = watched.counted.iter().any(|counted| counted.flag == asked.flag);
            if is_counted
                || !judges
                || watched.began < changed(asked.flag)
                || cohort.seen.saturating_sub(well) <= cohort.counted
            {
                continue;
            }
            watched.counted.push(*asked);
            cohort.counted += 1;
            cohort.more.add_died(asked.group as u32);
            let found = self.found.entry(asked.flag).or_default();
            let groups = if asked.on { &mut found.on } else { &mut found.off };
            groups.iter_mut().skip(asked.group).take(1).for_each(|group| *group += 1);
        }
        if let Some(watched) =
            self.open.get_mut(&name(request)).filter(|watched| stuck && watched.in_total.is_none())
        {
            let group = request.asked.first().map_or(0, |first| first.group);
            watched.in_total = Some(group);
            self.total.add_died(group as u32);
        }
    }

    fn add_to(&self, counts: &mut Counts) {
        for ((flag, on), cohort) in &self.cohorts {
            let exposure = &mut counts.flag_mut(*flag).exposure;
            let held = if *on { &mut exposure.on } else { &mut exposure.off };
            held.add(&cohort.more);
        }
        if counts.totals.is_empty() {
            counts.totals.push(Total { user: 0, all: Cohort::default() });
        }
        if let Some(total) = counts.totals.first_mut() {
            total.all.add(&self.total);
        }
    }
}

impl Watched {
    fn new(now: i64, first: bool) -> Self {
        let began = if first { i64::MIN } else { now };
        Self { since: now, began, asked: Vec::new(), weighed: false, in_total: None, counted: Vec::new() }
    }
}

impl Counted {
    fn new(long: u64, errors: [u64; GROUPS]) -> Self {
        Self { seen: 0, counted: 0, long, errors, more: Cohort::default() }
    }
}

impl Ended {
    fn look(&mut self, requests: u64, now: i64) {
        let Some(before) = self.requests.replace(requests) else {
            (self.last, self.usual) = (now, (now, 0));
            return;
        };
        // The clock may have gone back.
        (self.last, self.usual.0) = (self.last.min(now), self.usual.0.min(now));
        if requests != before {
            self.last = now;
            self.usual.1 = self.usual.1.saturating_add(requests.saturating_sub(before));
        }
        if now - self.usual.0 > USUAL_FOR {
            self.usual = (self.usual.0 + (now - self.usual.0) / 2, self.usual.1 / 2);
        }
    }

    /// True if no request ended for so long that it means something: if one a minute ends, half a minute without one does not.
    fn is_silent(&self, now: i64) -> bool {
        let (since, requests) = self.usual;
        let requests = i64::try_from(requests).unwrap_or(i64::MAX);
        let each = if requests == 0 { 0 } else { (self.last - since) / requests };
        now - self.last >= HANGS_AFTER.max(each.saturating_mul(EXPECTED))
    }
}

fn name(request: &OpenRequest) -> Name {
    (request.file, request.thread.0, request.thread.1, request.began)
}

fn cohort(counts: &Counts, (flag, on): (u64, bool)) -> Option<&Cohort> {
    let exposure = &counts.flag_of_hash(flag)?.exposure;
    Some(if on { &exposure.on } else { &exposure.off })
}

/// Requests of a cohort that ended after as long a time as those that hang.
fn long(counts: &Counts, key: (u64, bool)) -> u64 {
    let after = duration::bucket(LONG).min(BUCKETS - 1);
    cohort(counts, key).map_or(0, |cohort| duration::above(&cohort.durations, after))
}

fn errors(counts: &Counts, key: (u64, bool)) -> [u64; GROUPS] {
    cohort(counts, key).map_or([0; GROUPS], |cohort| cohort.groups.map(|group| group.errors))
}

fn part(groups: &[u64; GROUPS], group: usize) -> u64 {
    groups.get(group).copied().unwrap_or(0)
}

fn take_back(cohort: &mut Cohort, group: usize) {
    cohort.requests = cohort.requests.saturating_sub(1);
    cohort.errors = cohort.errors.saturating_sub(1);
    if let Some(group) = cohort.groups.get_mut(group) {
        (group.requests, group.errors) = (group.requests.saturating_sub(1), group.errors.saturating_sub(1));
    }
}

fn stuck_in(hanging: &[(OpenRequest, i64)], counts: &Counts) -> Stuck {
    let mut on: HashMap<u64, usize> = HashMap::new();
    let asked = hanging.iter().flat_map(|(request, _)| &request.asked);
    asked.filter(|asked| asked.on).for_each(|asked| *on.entry(asked.flag).or_default() += 1);
    let mut on: Vec<(u64, usize)> = on.into_iter().collect();
    on.sort_unstable_by_key(|(flag, threads)| (std::cmp::Reverse(*threads), *flag));
    let groups = hanging.iter().map(|(request, _)| request.asked.first().map_or(0, |first| first.group));
    Stuck {
        threads: counts.open.len(),
        hanging: hanging.len(),
        companies: groups.collect::<HashSet<_>>().len(),
        since: hanging.iter().map(|(_, since)| *since).min().unwrap_or(0),
        on: on.into_iter().map(|(flag, _)| flag).collect(),
    }
}
