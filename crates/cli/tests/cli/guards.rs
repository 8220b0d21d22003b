//! The guard at work: counters that workers write, and what it does to the store.

use crate::shop::Shop;
use flagstone::telemetry::{Asked, Ending, Recorder, Status};
use flagstone::{Key, Question, Snapshot, Switches, evaluate};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FLAGS: &str = r#"{"flags": {
  "checkout": {"enabled": true, "rollout": {"percentage": 10}},
  "calm": {"enabled": true, "rollout": {"percentage": 50}}
}}"#;

/// Companies that ask, as often as each other.
const COMPANIES: i64 = 400;

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

/// A store, and a worker that counts for it.
struct Site {
    shop: Shop,
    snapshot: Snapshot,
    worker: Recorder,
    requests: u64,
}

impl Site {
    fn new(flags: &str) -> Site {
        let shop = Shop::empty();
        shop.write("flags.json", flags);
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        shop.run(["publish", "flags.json"]).exits(0);
        std::fs::create_dir(shop.directory.join("memory")).unwrap();
        let (snapshot, worker) = worker(&shop);
        Site { shop, snapshot, worker, requests: 0 }
    }

    /// So many requests that ask both flags; `fails`: whether the one of that number does, with `checkout` on or off.
    fn requests(&mut self, count: u64, fails: impl Fn(u64, bool) -> bool) {
        for _ in 0..count {
            self.requests += 1;
            let company = Key::Int((self.requests as i64 * 7) % COMPANIES);
            self.worker.begin(0);
            let mut on = false;
            for key in ["calm", "checkout"] {
                let flag = self.snapshot.find(key.as_bytes()).unwrap();
                let question = Question { company: Some(company), context: &(), now: now() };
                let answer = evaluate(&self.snapshot, &Switches::none(), flag, &question);
                on = answer.on;
                let asked = Asked { flag, on, reason: answer.reason, company: Some(company) };
                self.worker.answered(&self.snapshot, &asked, true);
            }
            let status = if fails(self.requests, on) { Status::Http(500) } else { Status::Http(200) };
            self.worker.end(&Ending { status, clock: 90_000_000, now: now() });
        }
    }

    /// Requests for so long, some 5,000 a second, or until `done`.
    fn play(
        &mut self,
        seconds: u64,
        fails: impl Fn(u64, bool) -> bool,
        mut done: impl FnMut(&Site) -> bool,
    ) -> bool {
        let until = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < until {
            self.requests(500, &fails);
            std::thread::sleep(Duration::from_millis(100));
            if done(self) {
                return true;
            }
        }
        false
    }

    fn killed(&self) -> Vec<String> {
        let status = self.shop.run(["status", "--json"]).json();
        let killed = status["killed"].as_array().unwrap().iter();
        killed.map(|killed| killed["flag"].as_str().unwrap().to_owned()).collect()
    }

    /// The records of the audit trail that the guard made.
    fn trail(&self) -> Vec<Value> {
        let audit = self.shop.run(["audit", "--json"]).json();
        let records = audit["trail"].as_array().unwrap().iter();
        records.filter(|record| record["actor"]["user"] == "guard").cloned().collect()
    }
}

fn worker(shop: &Shop) -> (Snapshot, Recorder) {
    let store = shop.directory.join("store").canonicalize().unwrap();
    let snapshot = flagstone::store::Store::open(&store).unwrap();
    let snapshot = snapshot.snapshot(snapshot.generation().unwrap()).unwrap();
    let worker = Recorder::open(&shop.directory.join("memory"), &store, &snapshot, now()).unwrap();
    (snapshot, worker)
}

/// A guard that runs, ended with the value.
struct Daemon {
    child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    fn start<const N: usize>(site: &Site, arguments: [&str; N]) -> Daemon {
        let mut command = site.shop.command(arguments);
        command.args(["--memory", "memory"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let more = send.clone();
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
        });
        std::thread::spawn(move || {
            BufReader::new(err).lines().map_while(Result::ok).all(|line| more.send(line).is_ok())
        });
        let daemon = Daemon { child, lines };
        assert!(daemon.says("production").is_some(), "the first line");
        daemon
    }

    /// The next line with that text, within ten seconds.
    fn says(&self, text: &str) -> Option<String> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let line = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
            if line.contains(text) {
                return Some(line);
            }
        }
    }

    fn rest(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn healthy(_: u64, _: bool) -> bool {
    false
}

fn harmful(request: u64, on: bool) -> bool {
    if on { request % 10 < 3 } else { request.is_multiple_of(1000) }
}

fn outage(request: u64, _: bool) -> bool {
    request % 10 < 3
}

#[test]
fn a_flag_whose_requests_fail_is_killed_and_audited_with_the_numbers() {
    let mut site = Site::new(FLAGS);
    let daemon = Daemon::start(&site, ["guard"]);
    site.play(3, healthy, |_| false);
    assert!(site.play(30, harmful, |site| !site.killed().is_empty()), "{:?}", daemon.rest());
    assert_eq!(site.killed(), ["checkout"]);
    let said = daemon.says("checkout is killed").expect("a line");
    assert!(said.contains("% of") && said.contains("flagstone revive checkout"), "{said}");
    let trail = site.trail();
    assert_eq!(trail.len(), 1, "{trail:?}");
    let (record, finding) = (&trail[0], &trail[0]["guard"]);
    assert_eq!((&record["action"], &record["flag"]), (&"kill".into(), &"checkout".into()));
    assert_eq!((&finding["harm"], &finding["against"]), (&"errors".into(), &"off".into()));
    assert!(
        finding["on"]["requests"].as_u64() >= Some(20) && finding["on"]["hits"].as_u64() > Some(5),
        "{finding}"
    );
    assert!(finding["companies"].as_u64() >= Some(3), "{finding}");
    assert!(record["reason"].as_str().unwrap().contains("with checkout on failed"), "{record}");
    // It is not undone by the guard, and nothing is done twice.
    site.play(2, healthy, |_| false);
    assert_eq!((site.killed().len(), site.trail().len()), (1, 1));
}

#[test]
fn an_outage_that_hits_both_cohorts_kills_nothing_nor_does_a_dry_run() {
    let mut site = Site::new(FLAGS);
    let daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    site.play(6, outage, |_| false);
    assert_eq!((site.killed(), site.trail()), (vec![], vec![]), "{:?}", daemon.rest());
    drop(daemon);
    let dry = Daemon::start(&site, ["guard", "--dry-run"]);
    let mut said = Vec::new();
    site.play(30, harmful, |_| {
        said.extend(dry.rest());
        said.iter().any(|line| line.contains("checkout: would be taken back, nothing was changed"))
    });
    assert!(said.iter().any(|line| line.contains("would be taken back")), "{said:?}");
    assert_eq!((site.killed(), site.trail()), (vec![], vec![]));
}
