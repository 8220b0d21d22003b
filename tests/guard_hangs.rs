//! Requests that do not end: what the guard makes of them, by counters that real recorders write and a clock that is played.

mod support;

use flagstone::guard::{
    Blindness, Decision, Guard, HANGS_AFTER, Hangs, Kind, Notice, Policy, Reading, Sample, Stuck,
};
use flagstone::telemetry::{AnsweredQuestion, Counts, Ending, Recorder, Status, read};
use flagstone::{Key, Question, Reason, Snapshot, Switches, compile, evaluate};
use std::collections::HashSet;
use std::path::Path;
use support::{TrustedDir, stores::definitions, trusted_dir};

const SECOND: i64 = 1_000_000;
/// 2026-11-21T12:00:00Z.
const NOON: i64 = 1_795_262_400 * SECOND;
/// One that is there: memory of stores that are gone is swept away.
const STORE: &str = "/usr";
const COMPANIES: u64 = 300;

/// How long a request takes: seconds, 0 for 20 ms; `None`: for ever.
type Lasts = Option<i64>;

/// A pool of workers, and the guard that watches it.
struct Pool {
    directory: TrustedDir,
    snapshot: Snapshot,
    workers: Vec<(Recorder, Option<i64>)>,
    guard: Guard,
    hangs: Hangs,
    compared: HashSet<u64>,
    killed: bool,
    /// How requests end that last.
    late: Status,
    changed_at: i64,
    stage: Option<i64>,
    second: i64,
    requests: u64,
    /// What was decided, and since when no request ends, by second.
    acts: Vec<(i64, Decision)>,
    stuck: Vec<(i64, Stuck)>,
    notices: Vec<Notice>,
    random: u64,
}

impl Pool {
    fn new(workers: usize, percentage: u8) -> Pool {
        let flags =
            format!(r#"{{"checkout": {{"enabled": true, "rollout": {{"percentage": {percentage}}}}}}}"#);
        let bytes = compile(&definitions(&flags), "testing").expect("compiles");
        let (directory, snapshot) = (trusted_dir(), Snapshot::from_bytes(&bytes).expect("opens"));
        let worker =
            |_| (Recorder::open(directory.path(), Path::new(STORE), &snapshot, NOON).expect("one"), None);
        let workers = (0..workers).map(worker).collect();
        Pool {
            directory,
            workers,
            snapshot,
            guard: Guard::new(),
            hangs: Hangs::new(),
            compared: HashSet::new(),
            killed: false,
            late: Status::Http(200),
            changed_at: NOON - 600 * SECOND,
            stage: None,
            second: 0,
            requests: 0,
            acts: Vec::new(),
            stuck: Vec::new(),
            notices: Vec::new(),
            random: 7,
        }
    }

    fn random(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    fn now(&self) -> i64 {
        NOON + self.second * SECOND
    }

    fn clock(&self) -> u64 {
        (self.second as u64 + 1) * 1_000_000_000 + self.requests
    }

    /// A second of requests, every second one of which asks the flag; then the guard looks.
    fn second(&mut self, requests: usize, lasts: impl Fn(u64, bool) -> Lasts) {
        self.second += 1;
        self.end_those_over(self.late);
        for number in 0..requests {
            self.requests += 1;
            let (clock, drawn) = (self.clock(), self.random());
            let company = 1 + (self.random() % COMPANIES) as i64;
            let now = self.now();
            let Some((worker, until)) = self.workers.iter_mut().find(|(_, until)| until.is_none()) else {
                break;
            };
            worker.begin_awaited(clock);
            let mut lasting = Some(0);
            if number % 2 == 0 {
                let flag = self.snapshot.find(b"checkout").expect("a flag");
                let question = Question { company: Some(Key::Int(company)), context: &(), now };
                let mut answer = evaluate(&self.snapshot, &Switches::none(), flag, &question);
                if self.killed {
                    (answer.on, answer.reason) = (false, Reason::Killed);
                }
                let asked = AnsweredQuestion {
                    flag,
                    on: answer.on,
                    reason: answer.reason,
                    company: question.company,
                    bucket: answer.bucket,
                };
                worker.answered(&self.snapshot, &asked, true);
                lasting = lasts(drawn, answer.on);
            }
            match lasting {
                Some(0) => worker.end(&Ending { status: Status::Http(200), clock: clock + 20_000_000, now }),
                Some(seconds) => *until = Some(self.second + seconds),
                None => *until = Some(i64::MAX),
            }
        }
        self.look();
    }

    fn end_those_over(&mut self, status: Status) {
        let (second, clock, now) = (self.second, self.clock(), self.now());
        for (worker, until) in &mut self.workers {
            if until.is_some_and(|until| until <= second) {
                worker.end(&Ending { status, clock, now });
                *until = None;
            }
        }
    }

    fn counts(&mut self) -> (Counts, Option<Stuck>) {
        let now = self.now();
        let mut counts = read(self.directory.path(), Path::new(STORE), now, |_| true).expect("counts");
        let changed_at = self.changed_at;
        let compared = |flag| self.compared.contains(&flag);
        let stuck = self.hangs.look(&mut counts, 1, now, compared, |_| changed_at);
        (counts, stuck)
    }

    fn look(&mut self) {
        let (now, second) = (self.now(), self.second);
        let (counts, stuck) = self.counts();
        self.guard.stuck(stuck.as_ref());
        self.stuck.extend(stuck.map(|stuck| (second, stuck)));
        let Some(counted) = counts.flag("checkout") else { return };
        let hung = self.hangs.found(Counts::flag_hash("checkout"));
        let earlier = self.hangs.earlier(Counts::flag_hash("checkout"));
        let reading = Reading { hung, earlier, ..Reading::new(now, 1, self.changed_at, &counted.exposure) };
        let policy = Policy::default();
        let sample =
            Sample { stage: self.stage, killed: self.killed, ..Sample::new("checkout", reading, &policy) };
        let decision = self.guard.watch(now, &[sample], Some((&counts.total(), 1)));
        self.notices.extend(decision.notices.iter().cloned());
        if let Some(act) = &decision.act {
            self.guard.record_act(now, act, &policy);
            self.acts.push((second, decision));
        }
        let branches = self.guard.standings().filter(|(_, standing)| standing.kind == Some(Kind::Branch));
        self.compared = branches.map(|(flag, _)| Counts::flag_hash(flag)).collect();
    }

    fn errors(&mut self) -> (u64, u64) {
        let (counts, _) = self.counts();
        let errors = counts.flag("checkout").map_or(0, |counted| counted.exposure.on.errors);
        (errors, counts.total().errors)
    }
}

/// A feature that hung took the site down while the guard said that it watched.
#[test]
fn a_feature_that_hangs_is_found_and_a_site_that_is_down_is_told() {
    // Eight workers are too few for the comparison alone: a young stage goes back all the same.
    for (workers, stage) in [(24, None), (8, Some(NOON + 60 * SECOND))] {
        let mut pool = Pool::new(workers, 10);
        (pool.changed_at, pool.stage) = (NOON + 60 * SECOND, stage);
        for _ in 0..120 {
            pool.second(20, |_, _| Some(0));
        }
        assert!(pool.acts.is_empty() && pool.stuck.is_empty());
        for _ in 0..100 {
            pool.second(20, |drawn, on| if on && drawn % 2 == 0 { None } else { Some(0) });
        }
        let (at, decision) = pool.acts.first().expect("an act");
        let finding = decision.act.as_ref().expect("a finding");
        let (told, stuck) = pool.stuck.first().expect("told");
        println!("{workers} workers: acted after {} s, told after {} s: {finding}", at - 120, told - 120);
        assert!(*at - 120 <= 90 && finding.flag == "checkout", "{at} {finding}");
        assert_eq!(stuck.threads, workers);
        let blindness = stuck.blindness(["other", "checkout"].into_iter());
        assert!(
            matches!(&blindness, Blindness::Stuck { flags, .. } if *flags == ["checkout"]),
            "{blindness:?}"
        );
        assert!(blindness.to_string().contains(&format!("{workers} threads are in requests")), "{blindness}");
    }
}

/// The pool is larger than what hangs: no one is stuck, and the flag is found all the same.
#[test]
fn a_feature_that_hangs_is_found_while_others_are_served() {
    let mut pool = Pool::new(120, 20);
    for _ in 0..60 {
        pool.second(20, |_, _| Some(0));
    }
    for _ in 0..60 {
        pool.second(20, |drawn, on| if on && drawn % 2 == 0 { None } else { Some(0) });
    }
    let (at, decision) = pool.acts.first().expect("an act");
    println!("acted {} s after it began: {}", at - 60, decision.act.as_ref().expect("a finding"));
    assert!(*at - 60 <= 60 && pool.stuck.is_empty(), "{at} {:?}", pool.stuck);
}

#[test]
fn a_page_whose_requests_all_take_a_minute_convicts_nobody() {
    // One that is on for everybody and was changed lately, or entered a stage, has to be quicker than p95_ms.
    let long_ago = NOON - 40 * 86_400 * SECOND;
    let lately = NOON - 600 * SECOND;
    for (percentage, changed_at, stage) in
        [(10, lately, None), (10, lately, Some(NOON + 130 * SECOND)), (100, long_ago, None)]
    {
        let mut pool = Pool::new(125, percentage);
        (pool.changed_at, pool.stage) = (changed_at, stage);
        for _ in 0..200 {
            pool.second(4, |_, _| Some(60));
        }
        let acts: Vec<String> = pool.acts.iter().map(|(at, act)| format!("{at}: {:?}", act.act)).collect();
        let of = format!("{percentage} % {stage:?}");
        assert!(acts.is_empty() && pool.stuck.is_empty(), "{of}: {acts:?} {:?}", pool.stuck);
        // By their durations they are an outage, after a minute without such requests.
        let slow = |notice: &Notice| matches!(notice, Notice::Outage { trouble: Some(found), .. } if found.slower > 0);
        assert!(pool.notices.iter().all(slow), "{of}: {:?}", pool.notices);
    }
}

/// A flag whose requests hung, and that a person killed, mended and revived, was killed again within a minute: for the requests that had
/// begun before.
#[test]
fn what_began_before_a_revive_is_no_evidence_against_the_flag() {
    for (length, late) in [(45, 500), (80, 200), (60, 0)] {
        let mut pool = Pool::new(100, 20);
        for _ in 0..60 {
            pool.second(20, |_, _| Some(0));
        }
        pool.late = Status::Http(late.max(200));
        let hangs = |drawn: u64, on: bool| if on && drawn.is_multiple_of(2) { Some(length) } else { Some(0) };
        for _ in 0..28 {
            pool.second(20, hangs);
        }
        assert!(pool.acts.is_empty(), "{length} s: {:?}", pool.acts);
        pool.killed = true;
        for _ in 0..4 {
            pool.second(20, |_, _| Some(0));
        }
        (pool.killed, pool.changed_at) = (false, pool.now());
        let revived = pool.second;
        for _ in 0..120 {
            // Some end by the death of their worker.
            let over = pool.second + 1;
            while let Some(dies) =
                pool.workers.iter().position(|(_, until)| late == 0 && *until == Some(over))
            {
                pool.workers.remove(dies).0.abandon();
            }
            pool.second(20, |_, _| Some(0));
        }
        let acts: Vec<String> = pool
            .acts
            .iter()
            .map(|(at, act)| format!("{} s after the revive: {}", at - revived, act.act.as_ref().unwrap()))
            .collect();
        assert!(acts.is_empty(), "{length} s, {late}: {acts:?}");
        // What hangs afterwards counts.
        for _ in 0..90 {
            pool.second(20, |drawn, on| if on && drawn % 2 == 0 { None } else { Some(0) });
        }
        assert!(!pool.acts.is_empty(), "{length} s, {late}");
    }
}

#[test]
fn one_that_hangs_counts_once_and_no_sum_goes_back() {
    let mut pool = Pool::new(4, 50);
    let mut sums = Vec::new();
    for _ in 0..70 {
        pool.second(8, |_, _| Some(0));
    }
    let before = pool.errors();
    // Three hang where it is on; of these one fails in the end, and one's thread dies.
    let mut left = 3;
    while left > 0 {
        let free = pool.workers.iter().filter(|(_, until)| until.is_none()).count();
        pool.second(1, |_, on| if on { None } else { Some(0) });
        left -= free - pool.workers.iter().filter(|(_, until)| until.is_none()).count();
    }
    for _ in 0..HANGS_AFTER / SECOND + 5 {
        pool.second(2, |_, _| Some(0));
        sums.push(pool.errors());
    }
    let hung = pool.errors();
    assert_eq!((hung.0 - before.0, hung.1 - before.1), (3, 0));
    let mut hanging = pool.workers.iter().enumerate().filter(|(_, (_, until))| until.is_some());
    let (fails, dies) = (hanging.next().expect("one").0, hanging.next().expect("one").0);
    pool.workers[fails].1 = Some(0);
    pool.end_those_over(Status::Http(504));
    sums.push(pool.errors());
    pool.workers.remove(dies).0.abandon();
    for _ in 0..5 {
        pool.second(2, |_, _| Some(0));
        sums.push(pool.errors());
    }
    // Of all requests a hang counts only where none ends, and these have failed since.
    assert_eq!(pool.errors(), (hung.0, hung.1 + 2), "counted twice");
    assert!(sums.is_sorted(), "{sums:?}");
}

#[test]
fn jobs_commands_and_a_long_download_at_night_are_no_hangs() {
    let mut pool = Pool::new(3, 50);
    pool.workers[2].0.begin(5);
    for _ in 0..90 {
        pool.second(0, |_, _| None);
    }
    assert!(pool.stuck.is_empty(), "a job: {:?}", pool.stuck);
    // One request in a minute, and one that takes two.
    for _ in 0..5 {
        pool.second(1, |_, _| Some(0));
        for _ in 0..59 {
            pool.second(0, |_, _| None);
        }
    }
    pool.second(1, |_, _| Some(120));
    for _ in 0..120 {
        pool.second(0, |_, _| None);
    }
    assert!(pool.stuck.is_empty(), "{:?}", pool.stuck);
}
