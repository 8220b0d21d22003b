//! Exactness where processes are killed: eight workers of a million questions each, killed at random and begun again.

mod support;

use flagstone::telemetry::{Ending, Recorder, Status, read};
use flagstone::{Key, Snapshot, compile, key_hash};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{stores::definitions, trusted_dir};

/// 2026-11-21T12:00:00Z.
const NOON: i64 = 1_795_262_400_000_000;
/// One that is there: memory of stores that are gone is swept away.
const STORE: &str = "/usr";
const WORKERS: usize = 8;
const CALLS: u64 = 1_000_000;
/// Questions of one request.
const OF_A_REQUEST: u64 = 100;

fn snapshot() -> Snapshot {
    let flags = r#"{"half": {"enabled": true, "rollout": {"percentage": 50}}}"#;
    Snapshot::from_bytes(&compile(&definitions(flags), "testing").expect("compiles")).expect("opens")
}

/// What a worker acknowledged, in a file that outlives it: questions, requests that ended, and requests that asked.
struct Acknowledged(File);

impl Acknowledged {
    fn of(directory: &Path, worker: usize) -> Acknowledged {
        let path = directory.join(format!("worker-{worker}"));
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        Acknowledged(file.expect("a file"))
    }

    fn get(&self, number: u64) -> u64 {
        let mut bytes = [0; 8];
        match self.0.read_at(&mut bytes, number * 8).expect("a reading") {
            8 => u64::from_le_bytes(bytes),
            _ => 0,
        }
    }

    fn set(&self, number: u64, count: u64) {
        self.0.write_all_at(&count.to_le_bytes(), number * 8).expect("a write");
    }
}

/// A worker: goes on after what it acknowledged before, up to a million.
#[test]
fn a_worker_counts_a_million_questions_or_is_killed() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_WORKER_IN") else { return };
    let worker = std::env::var("FLAGSTONE_TELEMETRY_WORKER").expect("a number").parse().expect("a number");
    let directory = Path::new(&directory);
    let acknowledged = Acknowledged::of(&directory.join("acknowledged"), worker);
    let snapshot = snapshot();
    let memory = directory.join("memory");
    let mut recorder = Recorder::open(&memory, Path::new(STORE), &snapshot, NOON).expect("a recorder");
    let hash = key_hash(b"half");
    let (first, mut requests, mut asked) = (acknowledged.get(0), acknowledged.get(1), acknowledged.get(2));
    let mut asks = true;
    recorder.begin(0);
    for call in first + 1..=CALLS {
        // Companies below 10,000 are half on and half off within a request: each request asks for one.
        let company = (call / OF_A_REQUEST) as i64;
        let quick = snapshot.quick(hash, b"half", company).expect("a quick answer");
        recorder.quick(&snapshot, quick, Some(Key::Int(company)));
        acknowledged.set(0, call);
        if std::mem::take(&mut asks) {
            asked += 1;
            acknowledged.set(2, asked);
        }
        if call.is_multiple_of(OF_A_REQUEST) {
            recorder.end(&Ending { status: Status::Http(200), clock: 1_000_000, now: NOON });
            requests += 1;
            acknowledged.set(1, requests);
            recorder.begin(0);
            asks = true;
        }
    }
}

fn start(directory: &Path, worker: usize) -> Child {
    Command::new(std::env::current_exe().expect("a test binary"))
        .args(["--exact", "a_worker_counts_a_million_questions_or_is_killed"])
        .env("FLAGSTONE_TELEMETRY_WORKER_IN", directory)
        .env("FLAGSTONE_TELEMETRY_WORKER", worker.to_string())
        .stdout(Stdio::null())
        .spawn()
        .expect("a worker")
}

#[test]
fn eight_workers_of_a_million_questions_that_are_killed_at_random_are_counted_exactly() {
    let directory = trusted_dir();
    for made in ["memory", "acknowledged"] {
        std::fs::create_dir(directory.join(made)).expect("a directory");
    }
    let mut workers: Vec<Child> = (0..WORKERS).map(|worker| start(directory.path(), worker)).collect();
    let (mut state, mut kills, mut finished) = (88_172_645_463_325_252_u64, 0_u64, 0);
    let began = Instant::now();
    while finished < WORKERS {
        assert!(began.elapsed() < Duration::from_secs(300), "{kills} kills, and {finished} are done");
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::thread::sleep(Duration::from_micros(1_000 + state % 60_000));
        let victim = (state >> 32) as usize % WORKERS;
        let asked = Acknowledged::of(&directory.join("acknowledged"), victim).get(0);
        // One that had no time yet to ask anything is let be: it would never get anywhere.
        if asked < CALLS && asked > 0 && workers[victim].try_wait().expect("a state").is_none() {
            workers[victim].kill().expect("a kill");
            kills += u64::from(!workers[victim].wait().expect("its end").success());
            workers[victim] = start(directory.path(), victim);
        }
        finished = 0;
        for worker in &mut workers {
            if let Some(status) = worker.try_wait().expect("a state") {
                assert!(status.success(), "{status}");
                finished += 1;
            }
        }
    }
    let sum = |number| {
        let of = |worker| Acknowledged::of(&directory.join("acknowledged"), worker).get(number);
        (0..WORKERS).map(of).sum::<u64>()
    };
    let counts = read(&directory.join("memory"), Path::new(STORE), NOON, |_| true).expect("counts");
    let half = counts.flag("half").expect("the flag");
    let (on, off) = half.answers();
    let (acknowledged, total) = (sum(0), on + off);
    assert_eq!(acknowledged, WORKERS as u64 * CALLS);
    assert!(acknowledged <= total && total <= acknowledged + kills, "{acknowledged}, {total}, {kills} kills");
    let exposure = &half.exposure;
    let (acknowledged, requests) = (sum(1), exposure.on.requests + exposure.off.requests + exposure.mixed);
    assert!(
        acknowledged <= requests && requests <= acknowledged + kills,
        "{acknowledged} requests acknowledged, {requests} counted, {kills} kills"
    );
    // Every request that asked is counted once, those whose worker was killed too: as failed ones.
    let (asked, failed) = (sum(2), exposure.on.errors + exposure.off.errors);
    assert!(
        asked <= requests && requests <= asked + kills,
        "{asked} requests asked, {requests} counted, {kills} kills"
    );
    let all = counts.total();
    assert!(failed <= all.errors && all.errors <= kills, "{failed} and {} of {kills} kills", all.errors);
    assert!(kills >= 20, "only {kills} kills");
    println!("{kills} kills: {total} of {} questions, {requests} of {acknowledged} requests", sum(0));
}
