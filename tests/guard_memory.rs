//! What the guard holds in memory for each flag, and while it reads the counters, by an allocator that counts. It has a process of its own.

mod support;

use flagstone::guard::{
    BusyHours, Decision, FlagMemory, Guard, GuardState, Hour, Policy, Reading, Sample, Verdict,
};
use flagstone::telemetry::{
    AnsweredQuestion, Cohort, Ending, Exposure, GROUPS, Recorder, Status, duration, read,
};
use flagstone::{Reason, Snapshot, compile};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use support::{stores::definitions, trusted_dir};

thread_local! {
    /// Bytes that this thread has allocated, and the most of them.
    static HELD: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

/// What glibc takes for an allocation: its size, 8 bytes more, in steps of 16.
fn taken(size: usize) -> usize {
    (size + 8).next_multiple_of(16).max(32)
}

// SAFETY: it does what `System` does, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add(taken(layout.size())));
        PEAK.set(PEAK.get().max(HELD.get()));
        // SAFETY: the caller keeps to what `System` asks for, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(taken(layout.size())));
        // SAFETY: `pointer` came from `alloc` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SECOND: i64 = 1_000_000;
const HOUR: i64 = 3600 * SECOND;
const BEGIN: i64 = 1_767_571_200 * SECOND;

/// Traffic of one flag.
#[derive(Clone, Copy)]
struct Traffic {
    /// Requests a second on, and off.
    on: u64,
    off: u64,
    /// Requests a second that the flag ends.
    gated: u64,
    /// How many times as long as the shortest the longest take; half a dozen doublings are usual.
    doublings: u64,
}

const BUSY: Traffic = Traffic { on: 100, off: 900, gated: 0, doublings: 7 };

/// What so many requests come to, spread over the durations and the groups; one of 200 fails.
fn cohort(requests: u64, doublings: u64) -> Cohort {
    let (mut cohort, mut seed) = (Cohort::default(), 7_u64);
    for _ in 0..requests {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = seed >> 33;
        let exponent = 13.0 + (random % 1000) as f64 / 1000.0 * doublings as f64;
        let micros = exponent.exp2() as u64;
        let failed = random % 200 == 0;
        let group = &mut cohort.groups[(random / 1000) as usize % GROUPS];
        group.requests += 1;
        group.errors += u64::from(failed);
        group.time += micros;
        cohort.requests += 1;
        cohort.errors += u64::from(failed);
        cohort.durations[duration::bucket(micros)] += 1;
    }
    cohort
}

/// So many flags of one kind of traffic.
struct Flags {
    keys: Vec<String>,
    exposures: Vec<Exposure>,
    now: i64,
}

impl Flags {
    fn new(count: usize) -> Self {
        let keys = (0..count).map(|number| format!("a-flag-of-the-usual-length-{number}")).collect();
        Self { keys, exposures: vec![Exposure::default(); count], now: BEGIN }
    }

    /// What another guard knew of the week before.
    fn week(&self) -> GuardState {
        let hours = || {
            // As the traffic is: one of 200 fails, and the longest of all durations is usual.
            let (requests, errors, p95) = (3_600_000, 18_000, duration::BUCKETS - 2);
            let hour = move |ago| Hour { hour: BEGIN / HOUR - ago, requests, errors, p95, median: p95 / 2 };
            (1..200).rev().map(hour)
        };
        let kept = |key: &String| {
            let kept = FlagMemory {
                busy: BusyHours::default(),
                changed_at: BEGIN,
                stakes: (BEGIN, BEGIN, 1),
                cooldown: None,
                usual: None,
                was_gate: false,
                pace: None,
                on: hours().collect(),
                off: hours().collect(),
                kind: None,
                evidence: 0.0,
                doubt: true,
                spared: false,
                together: Vec::new(),
                verdict: Verdict::Go,
            };
            (key.clone(), kept)
        };
        GuardState { at: BEGIN, flags: self.keys.iter().map(kept).collect(), ..GuardState::default() }
    }

    /// Lets so many seconds pass, in which each flag is asked in these requests.
    fn pass(&mut self, seconds: i64, added: &Exposure, guard: &mut Guard) {
        let decision = self.look(seconds, added, guard);
        assert_eq!((decision.act, decision.held.len()), (None, 0), "the traffic is harmless");
    }

    /// The same, and what the guard decides.
    fn look(&mut self, seconds: i64, added: &Exposure, guard: &mut Guard) -> Decision {
        self.now += seconds * SECOND;
        for exposure in &mut self.exposures {
            exposure.on.add(&added.on);
            exposure.off.add(&added.off);
            exposure.gated += added.gated;
        }
        let policy = Policy::default();
        let sample = |(key, exposure)| Sample::new(key, Reading::new(self.now, 1, BEGIN, exposure), &policy);
        let keys = self.keys.iter().map(String::as_str);
        let samples: Vec<Sample> = keys.zip(&self.exposures).map(sample).collect();
        let mut total = Cohort::default();
        for exposure in &self.exposures {
            total.add(&exposure.on);
            total.add(&exposure.off);
        }
        guard.watch(self.now, &samples, Some((&total, 1)))
    }
}

impl Traffic {
    /// What it comes to in so many seconds.
    fn of(self, seconds: u64) -> Exposure {
        Exposure {
            on: cohort(self.on * seconds, self.doublings),
            off: cohort(self.off * seconds, self.doublings),
            gated: self.gated * seconds,
            mixed: 0,
        }
    }
}

/// Bytes a flag that a guard holds after a week and two hours of such traffic.
fn held(traffic: Traffic) -> (usize, Flags, Guard) {
    const COUNT: usize = 20;
    let (sparse, dense) = (traffic.of(1), traffic.of(20));
    let mut flags = Flags::new(COUNT);
    let before = HELD.get();
    let mut guard = Guard::resumed(flags.week());
    while flags.now < BEGIN + 2 * HOUR {
        flags.pass(50, &sparse, &mut guard);
    }
    // Each step of the window holds as much as it does where the guard looks each second.
    for _ in 0..21 {
        flags.pass(20, &dense, &mut guard);
    }
    let held = HELD.get() - before;
    (held / COUNT, flags, guard)
}

#[test]
fn a_flag_that_nobody_asks_for_an_hour_takes_less_than_half() {
    let (busy, mut flags, mut guard) = held(BUSY);
    let begun = HELD.get();
    let mut after = |looks: u32, seconds: i64| {
        (0..looks).for_each(|_| flags.pass(seconds, &Exposure::default(), &mut guard));
        busy - (begun - HELD.get()) / flags.keys.len()
    };
    let (hour, week) = (after(80, 50), after(8 * 24, 3600));
    println!("asked: {busy} bytes, not asked for an hour: {hour}, for eight days: {week}");
    assert!(hour <= 3 << 10 && week < hour, "{hour} and {week} bytes");
}

#[test]
fn a_flag_that_is_asked_again_is_judged_from_its_first_request() {
    let (_, mut flags, mut guard) = held(BUSY);
    let requests = |guard: &Guard| guard.standings().next().map(|(_, standing)| standing.requests);
    let before = requests(&guard);
    (0..80).for_each(|_| flags.pass(50, &Exposure::default(), &mut guard));
    assert_eq!(requests(&guard), before);
    let mut harm = BUSY.of(1);
    for group in &mut harm.on.groups {
        group.errors = group.requests / 2;
    }
    harm.on.errors = harm.on.groups.iter().map(|group| group.errors).sum();
    let harmed = (1..=30).find(|_| flags.look(1, &harm, &mut guard).act.is_some());
    assert!(harmed.is_some_and(|seconds| seconds <= 15), "{harmed:?} s");
    assert_eq!(requests(&guard), before.zip(harmed).map(|(before, seconds)| before + 100 * seconds));
}

#[test]
fn a_flag_that_nobody_ever_asked_takes_16_bytes() {
    const COUNT: usize = 1000;
    let mut flags = Flags::new(COUNT);
    let before = HELD.get();
    let mut guard = Guard::new();
    let nothing = Exposure::default();
    for _ in 0..10 {
        flags.pass(1, &nothing, &mut guard);
    }
    // The guard's own, with all requests of the store, is not of one flag.
    let held = (HELD.get() - before).saturating_sub(8 << 10);
    assert!(held / COUNT <= 16, "{held} bytes");
}

#[test]
fn a_flag_takes_no_more_than_8_kib() {
    for (name, traffic) in [
        ("1,000 requests a second, at 10 %", BUSY),
        ("20 requests a second, at half", Traffic { on: 10, off: 10, ..BUSY }),
        ("200 requests a second, at 100 %", Traffic { on: 200, off: 0, ..BUSY }),
        ("a gate", Traffic { on: 50, off: 1, gated: 100, ..BUSY }),
        ("1,000 requests a second, with durations of all lengths", Traffic { doublings: 13, ..BUSY }),
    ] {
        let (held, ..) = held(traffic);
        println!("{name}: {held} bytes");
        assert!(held <= 8 << 10, "{name}: {held} bytes");
    }
}

/// A file was read as a whole: with eight threads 13 KiB for each flag, each second.
#[test]
fn reading_the_counters_takes_little_more_than_what_is_read() {
    const FLAGS: usize = 2000;
    let directory = trusted_dir();
    let flags: Vec<String> = (0..FLAGS).map(|flag| format!("\"f{flag}\": {{\"enabled\": true}}")).collect();
    let bytes = compile(&definitions(&format!("{{{}}}", flags.join(","))), "testing").unwrap();
    let snapshot = Snapshot::from_bytes(&bytes).unwrap();
    let store = Path::new("/usr");
    let mut recorders: Vec<Recorder> = (0..8)
        .map(|_| Recorder::open(directory.path(), store, &snapshot, BEGIN).expect("a recorder"))
        .collect();
    for recorder in &mut recorders {
        recorder.begin(0);
        for flag in snapshot.flag_ids() {
            let asked =
                AnsweredQuestion { flag, on: true, reason: Reason::Full, company: None, bucket: None };
            recorder.answered(&snapshot, &asked, true);
        }
        recorder.end(&Ending { status: Status::Http(200), clock: 1000, now: BEGIN });
    }
    let before = HELD.get();
    PEAK.set(before);
    let counts = read(directory.path(), store, BEGIN, |_| true).unwrap();
    let (held, peak) = (HELD.get() - before, PEAK.get() - before);
    assert_eq!(counts.flag("f1999").map(|flag| flag.answers()), Some((8, 0)));
    println!("{held} bytes of {FLAGS} flags, {peak} while they are read");
    assert!(held / FLAGS < 6 << 10, "{held} bytes");
    assert!(peak - held < 2 << 20, "{peak} bytes at most, {held} of them kept");
}
