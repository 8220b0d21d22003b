//! The guard at work: counters that workers write, and what it does to the store.

use crate::shop::Shop;
use flagstone::telemetry::{AnsweredQuestion, Ending, Recorder, Status};
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

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

/// A store, and a worker that counts for it.
pub struct Site {
    pub shop: Shop,
    pub snapshot: Snapshot,
    pub worker: Recorder,
    requests: u64,
}

impl Site {
    pub fn new(flags: &str) -> Site {
        let shop = Shop::empty();
        shop.write("flags.json", flags);
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        shop.run(["publish", "flags.json"]).exits(0);
        std::fs::create_dir(shop.directory.join("memory")).unwrap();
        let (snapshot, worker) = worker(&shop);
        Site { shop, snapshot, worker, requests: 0 }
    }

    /// Goes on with what is published now.
    pub fn reload(&mut self) {
        let store = flagstone::publish::Store::open(&self.shop.directory.join("store")).unwrap();
        self.snapshot = store.snapshot(store.generation().unwrap()).unwrap();
        self.worker.bind(&self.snapshot).unwrap();
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
                let asked = AnsweredQuestion {
                    flag,
                    on,
                    reason: answer.reason,
                    company: Some(company),
                    bucket: None,
                };
                self.worker.answered(&self.snapshot, &asked, true);
            }
            let status = if fails(self.requests, on) { Status::Http(500) } else { Status::Http(200) };
            self.worker.end(&Ending { status, clock: 90_000_000, now: now() });
        }
    }

    /// Requests for so long, some 5,000 a second, or until `done`.
    pub fn play(
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
    let snapshot = flagstone::publish::Store::open(&store).unwrap();
    let snapshot = snapshot.snapshot(snapshot.generation().unwrap()).unwrap();
    let worker = Recorder::open(&shop.directory.join("memory"), &store, &snapshot, now()).unwrap();
    (snapshot, worker)
}

/// A guard that runs, ended with the value.
pub struct Daemon {
    pub child: Child,
    lines: Receiver<String>,
}

impl Daemon {
    pub fn start<const N: usize>(site: &Site, arguments: [&str; N]) -> Daemon {
        let daemon = Daemon::spawn(site, arguments);
        assert!(daemon.says("store").is_some(), "the first line");
        daemon
    }

    fn spawn<const N: usize>(site: &Site, arguments: [&str; N]) -> Daemon {
        // One pipe for both, so that the lines come in the order in which it printed them.
        let (out, into) = std::io::pipe().unwrap();
        let mut command = site.shop.command(arguments);
        command.args(["--memory", "memory"]).stdout(into.try_clone().unwrap()).stderr(into);
        let child = command.spawn().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).all(|line| send.send(line).is_ok())
        });
        Daemon { child, lines }
    }

    /// The next line with that text, within ten seconds.
    pub fn says(&self, text: &str) -> Option<String> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let line = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?;
            if line.contains(text) {
                return Some(line);
            }
        }
    }

    pub fn rest(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn healthy(_: u64, _: bool) -> bool {
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

// After the restore of a backup, as the runbook has it, doctor took the guard that ran for a dead one until it was started again.
#[test]
fn a_guard_watches_the_store_that_was_restored_in_the_place_of_its_own() {
    let mut site = Site::new(FLAGS);
    let daemon = Daemon::start(&site, ["guard"]);
    let state = |site: &Site| {
        let mut command = site.shop.command(["health", "--memory", "memory", "--json"]);
        let health = crate::shop::ran(command.output().unwrap()).json();
        health["flagstone"]["guard"]["state"].as_str().unwrap_or("none").to_owned()
    };
    assert!(site.play(30, healthy, |site| state(site) == "watching"), "{:?}", daemon.rest());
    let path = |name: &str| site.shop.directory.join(name);
    let copied = std::process::Command::new("cp").arg("-a").args([path("store"), path("restored")]).status();
    assert!(copied.unwrap().success());
    // As the backup has it: of a guard that watched hours ago.
    let kept = path("restored/guard/state.json");
    let mut memory: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    memory["at"] = (now() - 3_600_000_000).into();
    std::fs::write(&kept, memory.to_string()).unwrap();
    std::fs::rename(path("store"), path("damaged")).unwrap();
    let (restored, kept) = (now(), path("store/guard/state.json"));
    std::fs::rename(path("restored"), path("store")).unwrap();
    assert!(site.play(30, healthy, |site| state(site) == "watching"), "{:?}", daemon.rest());
    // It has not watched this one before, so that plans wait.
    let memory: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert!(memory["began"].as_i64() >= Some(restored), "{}", memory["began"]);
    daemon.says("another store is in the place").expect("a line");
    let doctor = site.shop.run(["doctor", "--skip", "php", "--memory", "memory", "--json"]).json();
    let checks = doctor["checks"].as_array().unwrap();
    let guard = checks.iter().find(|check| check["check"] == "guard").unwrap();
    assert_eq!(guard["state"], "passed", "{guard}");
    // It said first that it watches.
    let first = Daemon::spawn(&site, ["guard"]).says("store").expect("one guard alone");
    assert!(first.contains("another guard watches this store"), "{first}");
    // It acts on what is there now.
    assert!(site.play(30, harmful, |site| !site.killed().is_empty()), "{:?}", daemon.rest());
}

// The guard watched none of the flags that workers answered, and said that it watches; health said that every flag is off.
#[test]
fn a_guard_whose_store_was_replaced_by_an_empty_one_is_blind_and_health_says_why() {
    let mut site = Site::new(FLAGS);
    let _daemon = Daemon::start(&site, ["guard"]);
    let health = |site: &Site| {
        let mut command = site.shop.command(["health", "--memory", "memory"]);
        crate::shop::ran(command.output().unwrap()).out
    };
    assert!(site.play(30, healthy, |site| health(site).contains("the guard watches")), "{}", health(&site));
    site.worker.serves(1, now());
    std::fs::rename(site.shop.directory.join("store"), site.shop.directory.join("former")).unwrap();
    site.shop.run(["init", "store", "--environment", "production"]).exits(0);
    let blind = "the guard is blind: workers answer from generation 1, and this store has published nothing";
    assert!(site.play(30, healthy, |site| health(site).contains(blind)), "{}", health(&site));
    let said = health(&site);
    assert!(said.contains("1 worker still answers from the store that was in this place"), "{said}");
    assert!(!said.contains("every flag is off:"), "{said}");
    std::fs::remove_dir_all(site.shop.directory.join("store")).unwrap();
    std::fs::rename(site.shop.directory.join("former"), site.shop.directory.join("store")).unwrap();
    assert!(site.play(30, healthy, |site| health(site).contains("the guard watches")), "{}", health(&site));
}

// After a revive the guard left the flag alone for an hour: 42 % of its requests failed, and only a line of the daemon said so.
#[test]
fn a_revive_says_how_long_the_guard_leaves_the_flag_alone_and_harm_until_then_is_told() {
    let mut site = Site::new(FLAGS);
    let daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    assert!(site.play(30, harmful, |site| !site.killed().is_empty()), "{:?}", daemon.rest());
    daemon.says("checkout is killed").expect("a line");
    let ran = site.shop.run(["revive", "checkout", "--reason", "mended"]).exits(0);
    let said = ran.out.lines().find(|line| line.contains("leaves it alone until ")).expect("a line");
    assert!(said.contains("flagstone kill checkout --reason WHY"), "{said}");
    // For 30 seconds after a kill nothing is evidence.
    assert!(site.play(120, harmful, |site| site.trail().len() > 1), "{:?}", daemon.rest());
    site.play(2, harmful, |_| false);
    let trail = site.trail();
    assert_eq!((trail.len(), site.killed().len()), (2, 0), "told once, not acted on: {trail:?}");
    assert_eq!((&trail[1]["action"], &trail[1]["flag"]), (&"guard".into(), &"checkout".into()));
    // A person's kill starts no cooldown.
    site.shop.run(["kill", "calm", "--reason", "x"]).exits(0);
    let json = site.shop.run(["revive", "calm", "--json"]).exits(0).json();
    assert_eq!(json["guard_cooldown_until"], Value::Null, "{json:#}");
}

#[test]
fn an_incident_is_told_on_one_page() {
    let mut site = Site::new(FLAGS);
    let daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    site.shop.run(["rollout", "checkout", "20", "--reason", "wider", "--actor", "ann"]).exits(0);
    site.reload();
    assert!(site.play(40, harmful, |site| !site.killed().is_empty()), "{:?}", daemon.rest());
    site.shop.run(["note", "nginx reloaded"]).exits(0);
    let told = |site: &mut Site, arguments: &[&str]| {
        let mut command = site.shop.command(["incident", "--memory", "memory"]);
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        site.play(2, harmful, |_| false);
        crate::shop::ran(child.wait_with_output().unwrap()).exits(0)
    };
    let json = told(&mut site, &["--json"]).json();
    assert_eq!(
        (&json["guard"]["state"], &json["killed"][0]["flag"]),
        (&"watching".into(), &"checkout".into())
    );
    assert_eq!(json["killed"][0]["back"], "flagstone revive checkout --reason WHY");
    assert!(json["requests"]["requests"].as_u64().unwrap() > 100, "{json:#}");
    assert_eq!(json["notices"][0]["finding"]["flag"], "checkout");
    let changes = json["changes"].as_array().unwrap();
    let actions: Vec<_> = changes.iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["note", "kill", "rollout", "publish", "init"]);
    // It is killed: there is nothing to take back, and the guard's kill is no mistake to undo.
    assert_eq!((&changes[1]["back"], &changes[2]["back"]), (&Value::Null, &Value::Null));
    assert_eq!(changes[2]["outcome"], "done");
    let seconds = |change: usize| changes[change]["seconds_before_harm"].as_i64().unwrap();
    // Evidence may begin up to ten seconds before the harm does.
    assert!((-1..30).contains(&(seconds(2) + 10)) && seconds(1) < 0, "{changes:#?}");
    let page = told(&mut site, &[]).out;
    assert!(page.lines().count() <= 24, "{page}");
    for text in [
        "production on ",
        "  guard    watches since ",
        "failed in the last second",
        "  off      checkout since ",
        "5 changes, the newest first; harm began at ",
        "rollout checkout, percentage 10 → 20, by ann",
        ": \"wider\"",
        "`flagstone revive checkout --reason WHY`",
    ] {
        assert!(page.contains(text), "no {text:?} in\n{page}");
    }
    let none = told(&mut site, &["--since", "2100-01-01"]).out;
    assert!(none.contains("nothing was changed in that time"), "{none}");
}

// A flag with 32 % of the evidence was under suspicion in `guard status` and `incident`, and not in `status` and `health`.
#[test]
fn every_command_counts_the_same_flags_as_suspects() {
    let site = Site::new(FLAGS);
    let store = flagstone::publish::Store::open(&site.shop.directory.join("store")).unwrap();
    let lock = store.guarding().unwrap().expect("no other guard");
    let kept = |evidence| serde_json::json!({ "changed_at": 0, "stakes": [0, 0, 0], "evidence": evidence, "verdict": "go" });
    let flags = serde_json::json!({ "calm": kept(0.32), "checkout": kept(0.34) });
    let memory = serde_json::json!({ "at": now(), "began": now(), "flags": flags });
    lock.keep(&serde_json::from_value(memory).unwrap()).unwrap();
    for (command, text) in [
        (&["guard", "status"][..], "1 under suspicion"),
        (&["incident", "--memory", "memory"], "1 under suspicion"),
        (&["status"], "1 suspected"),
        (&["health"], "1 suspected"),
    ] {
        let out = crate::shop::ran(site.shop.command([]).args(command).output().unwrap()).out;
        assert!(out.contains(text), "{command:?}: {out}");
    }
}

// "take it back" was said where nothing is done, and plain `rollback` where it takes back another change that came later.
#[test]
fn guard_status_says_what_is_done_about_flags_that_the_requests_do_not_tell_apart() {
    let site = Site::new(FLAGS);
    let store = flagstone::publish::Store::open(&site.shop.directory.join("store")).unwrap();
    let lock = store.guarding().unwrap().expect("no other guard");
    let at = now();
    let kept = |other| {
        serde_json::json!({
            "changed_at": at, "stakes": [0, 0, 0], "kind": "full", "evidence": 1.0, "together": [other], "verdict": "go"
        })
    };
    let flags = serde_json::json!({ "calm": kept("checkout"), "checkout": kept("calm") });
    let memory = serde_json::json!({ "at": at, "began": at, "flags": flags });
    lock.keep(&serde_json::from_value(memory).unwrap()).unwrap();
    let out = site.shop.run(["guard", "status"]).out;
    assert!(out.contains("tell: one publish changed it and checkout"), "{out}");
    assert!(
        out.contains("calm, checkout were changed at once") && out.contains("rollback --to GENERATION"),
        "{out}"
    );
    assert!(!out.contains("take it back"), "{out}");
}

#[test]
fn an_outage_that_hits_both_cohorts_kills_nothing_nor_does_a_dry_run() {
    let mut site = Site::new(FLAGS);
    let daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    site.play(6, outage, |_| false);
    assert_eq!(site.killed(), Vec::<String>::new(), "{:?}", daemon.rest());
    drop(daemon);
    // People are told, once.
    let trail = site.trail();
    let told: Vec<_> = trail.iter().map(|record| (&record["action"], &record["notice"])).collect();
    assert_eq!(told, [(&Value::from("guard"), &Value::from("outage"))]);
    let reason = trail[0]["reason"].as_str().unwrap();
    assert!(reason.contains("nothing was turned off. Changed in the hour before: "), "{reason}");
    // incident dated the beginning by the notice, seconds after it.
    let incident = site.shop.run(["incident", "--memory", "memory", "--json"]).exits(0).json();
    let began = incident["harm_began"].as_str().unwrap();
    assert!(reason.contains(&format!(" since {began}, and ")), "{began}: {reason}");
    let dry = Daemon::start(&site, ["guard", "--dry-run"]);
    let mut said = Vec::new();
    site.play(30, harmful, |_| {
        said.extend(dry.rest());
        said.iter().any(|line| line.contains("checkout: would be taken back, nothing was changed"))
    });
    assert!(said.iter().any(|line| line.contains("would be taken back")), "{said:?}");
    assert_eq!((site.killed(), site.trail()), (vec![], trail));
}

/// A flag that is in its plan's second stage, at 10 %.
fn in_its_second_stage(guard: &str) -> Site {
    let flags = format!(
        r#"{{"flags": {{"calm": true, "checkout": {{"enabled": false, "rollout": {{"percentage": 0}}, "guard": {guard}, "plan": {{"stages": [
            {{"percentage": 4, "soak": "1h"}}, {{"percentage": 10, "soak": "1h"}}, {{"percentage": 100}}]}}}}}}}}"#
    );
    let mut site = Site::new(&flags);
    site.shop.run(["plan", "start", "checkout"]).exits(0);
    site.shop.run(["plan", "advance", "checkout", "--reason", "to the second"]).exits(0);
    site.reload();
    site
}

fn plan(site: &Site) -> Value {
    site.shop.run(["plan", "show", "checkout", "--json"]).exits(0).json()
}

fn percentage(site: &Site) -> Value {
    site.shop.run(["show", "checkout", "--json"]).json()["percentage"].clone()
}

#[test]
fn a_plan_goes_one_stage_back_is_held_there_and_killed_if_that_is_as_bad() {
    let mut site = in_its_second_stage("true");
    let _daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    assert!(site.play(40, harmful, |site| !site.trail().is_empty()));
    let done = |site: &Site| {
        site.trail().into_iter().filter(|record| record["outcome"] == "done").collect::<Vec<_>>()
    };
    let trail = done(&site);
    assert_eq!((&trail[0]["action"], &trail[0]["stage"]), (&"plan_back".into(), &1.into()), "{trail:?}");
    assert_eq!(trail[0]["guard"]["flag"], "checkout");
    let plan = plan(&site);
    assert_eq!((&plan["state"], &plan["stages"][0]["state"]), (&"held".into(), &"present".into()), "{plan}");
    assert!(plan["held"]["reason"].as_str().unwrap().contains("the guard: "), "{plan}");
    assert_eq!((percentage(&site), site.killed()), (4.into(), vec![]));
    // Workers follow; those that are left fail as well, and no cooldown is in the way.
    site.reload();
    assert!(site.play(90, harmful, |site| !site.killed().is_empty()), "{:?}", site.trail());
    assert_eq!(done(&site).len(), 2);
}

#[test]
fn a_plan_is_held_where_the_policy_says_so_and_people_are_told_where_it_says_that() {
    let mut held = in_its_second_stage(r#"{"action": "hold"}"#);
    let mut told = in_its_second_stage(r#"{"action": "notify"}"#);
    let _daemons = [Daemon::start(&held, ["guard"]), Daemon::start(&told, ["guard"])];
    for site in [&mut held, &mut told] {
        site.play(2, healthy, |_| false);
        assert!(site.play(40, harmful, |site| !site.trail().is_empty()));
        assert_eq!((percentage(site), site.killed()), (10.into(), vec![]));
    }
    assert_eq!((&held.trail()[0]["action"], &plan(&held)["state"]), (&"plan_hold".into(), &"held".into()));
    assert_eq!((&told.trail()[0]["action"], &plan(&told)["state"]), (&"guard".into(), &"running".into()));
    assert!(told.trail()[0]["guard"]["on"]["hits"].as_u64() > Some(0));
}

#[test]
fn a_flag_whose_guard_is_off_is_left_alone() {
    let mut site = Site::new(&FLAGS.replace("\"percentage\": 10}", "\"percentage\": 10}, \"guard\": false"));
    let _daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    site.play(6, harmful, |_| false);
    assert_eq!((site.killed(), site.trail()), (vec![], vec![]));
}

#[test]
fn of_two_guards_one_acts_and_the_other_takes_over_when_it_ends() {
    let mut site = Site::new(FLAGS);
    let first = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    let second = Daemon::start(&site, ["run"]);
    assert!(second.says("another guard watches this store").is_some());
    // Killed, as by the kernel: what it knew is taken over.
    drop(first);
    site.play(3, healthy, |_| false);
    assert!(site.play(60, harmful, |site| !site.killed().is_empty()), "{:?}", second.rest());
    assert_eq!(site.trail().len(), 1);
}

#[test]
fn counters_that_are_cut_short_or_overwritten_do_nothing_and_are_told_of_once() {
    let mut site = Site::new(FLAGS);
    let file = site.worker.path().to_owned();
    let daemon = Daemon::start(&site, ["guard"]);
    site.play(2, healthy, |_| false);
    // What random bytes make of the counters behind the first page, again and again.
    let size = std::fs::metadata(&file).unwrap().len() as usize;
    let mut seed = 88_172_645_463_325_252_u64;
    for round in 0..4 {
        let mut bytes = Vec::with_capacity(size);
        while bytes.len() < size - 4096 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.extend_from_slice(&(seed >> (round * 16)).to_le_bytes());
        }
        bytes.truncate(size - 4096);
        let memory = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&memory, &bytes, 4096).unwrap();
        site.play(2, healthy, |_| false);
    }
    assert_eq!((site.killed(), site.trail()), (vec![], vec![]), "{:?}", daemon.rest());
    // A new one, as another worker would make, that somebody cuts short.
    let cut = file.with_extension("cut");
    std::fs::copy(&file, &cut).unwrap();
    std::fs::OpenOptions::new().write(true).open(&cut).unwrap().set_len(5000).unwrap();
    std::fs::rename(&cut, &file).unwrap();
    assert!(daemon.says("is left out: it has 5000 bytes").is_some());
    std::thread::sleep(Duration::from_secs(3));
    assert!(daemon.rest().iter().all(|line| !line.contains("is left out")), "said once");
    assert_eq!((site.killed(), site.trail()), (vec![], vec![]));
}

#[test]
fn a_plan_waits_for_enough_requests_for_as_long_as_its_soak_again_where_a_guard_watches() {
    let mut site = in_its_second_stage(r#"{"min_requests": 1000000}"#);
    let tick = |site: &Site, minutes: i64| {
        let at = flagstone::time::format_rfc3339(now() + minutes * 60_000_000);
        site.shop.run(["plan", "tick", "--at", &at, "--dry-run", "--json"]).json()["plans"][0].clone()
    };
    assert_eq!(tick(&site, 90)["step"], "enter", "nobody watches");
    let _daemon = Daemon::start(&site, ["guard"]);
    let mut why = String::new();
    site.play(20, healthy, |site| {
        why = tick(site, 90)["why"].to_string();
        why.contains("of 1000000 requests were seen with it on")
    });
    assert!(why.contains("the guard waits: ") && why.contains("requests were seen"), "{why}");
    assert_eq!(tick(&site, 150)["step"], "enter", "not for ever");
}

// "0.0 % of 500 failed in the last second", in green, in an outage of slow requests.
#[test]
fn an_incident_in_an_outage_of_slow_requests_counts_the_slow_ones() {
    let mut site = Site::new(FLAGS);
    let store = flagstone::publish::Store::open(&site.shop.directory.join("store")).unwrap();
    let lock = store.guarding().unwrap().expect("no other guard");
    let all = serde_json::json!({ "requests": 100, "hits": 90 });
    let outage = serde_json::json!({ "since": now(), "until": now(), "slow": 32, "all": all });
    let memory = serde_json::json!({ "at": now(), "began": now(), "flags": {}, "outage": outage });
    lock.keep(&serde_json::from_value(memory).unwrap()).unwrap();
    let mut told = |arguments: &[&str]| {
        let mut command = site.shop.command(["incident", "--memory", "memory"]);
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        site.play(2, healthy, |_| false);
        crate::shop::ran(child.wait_with_output().unwrap()).exits(0)
    };
    let requests = told(&["--json"]).json()["requests"].clone();
    assert_eq!((&requests["errors"], &requests["slow"]["longer_than_ms"]), (&0.into(), &2.into()));
    assert_eq!(requests["slow"]["requests"], requests["requests"]);
    let page = told(&[]).out;
    assert!(page.contains(" failed in the last second, 100.0 % took longer than 2 ms\n"), "{page}");
}
