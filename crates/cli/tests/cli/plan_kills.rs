//! Plans whose ticks are killed at any moment, by two at once, beside other changes that are killed too, and on clocks that jump: each
//! stage happens exactly once, in order, and the audit trail is whole.

use crate::shop::Shop;
use flagstone::time;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How many processes to kill: `FLAGSTONE_TEST_KILLS`, or 200.
fn kills() -> u64 {
    std::env::var("FLAGSTONE_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(200)
}

const FLAGS: [&str; 3] = ["first", "second", "third"];
const STAGES: u64 = 20;
const SECOND: i64 = 1_000_000;

fn definitions() -> String {
    let stages: Vec<Value> = (1..=STAGES)
        .map(|stage| match stage {
            STAGES => json!({ "percentage": 100 }),
            stage => json!({ "percentage": stage * 5, "companies": [stage], "soak": "1h" }),
        })
        .collect();
    let flag = json!({ "enabled": false, "rollout": { "percentage": 0 }, "plan": { "stages": stages } });
    let mut flags: HashMap<_, _> = FLAGS.iter().map(|key| (*key, flag.clone())).collect();
    flags.insert("other", json!({ "enabled": true, "description": "release 0" }));
    json!({ "flags": flags }).to_string()
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

fn quiet(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn wait(children: &mut [Child]) {
    for child in children {
        child.wait().unwrap();
    }
}

/// A step of a plan that took effect.
#[derive(Debug)]
struct Step {
    flag: String,
    action: String,
    stage: u64,
}

/// The steps of plans that the audit trail tells of. An intention without an outcome took effect if the next change began where it
/// led to.
fn steps(shop: &Shop) -> Vec<Step> {
    let trail = std::fs::read_to_string(shop.directory.join("store/audit.jsonl")).unwrap();
    let records: Vec<Value> = trail.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let current = shop.run(["status", "--json"]).exits(0).json()["store"]["generation"].clone();
    let outcomes: HashMap<u64, &str> = records
        .iter()
        .filter_map(|record| Some((record["intention"].as_u64()?, record["outcome"].as_str()?)))
        .collect();
    let mut steps = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let action = record["action"].as_str().unwrap();
        if !action.starts_with("plan_") || record["outcome"] != "intended" {
            continue;
        }
        let next = records.iter().skip(place + 1).find(|next| next["outcome"] == "intended");
        let took_effect = match outcomes.get(&record["seq"].as_u64().unwrap()) {
            Some(outcome) => *outcome == "done",
            None => next.map_or(&current, |next| &next["from"]) == &record["to"],
        };
        if took_effect {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let stage = record["stage"].as_u64().unwrap();
            steps.push(Step { flag: text(&record["flag"]), action: action.to_owned(), stage });
        }
    }
    steps
}

/// Fails unless every flag's plan went through its stages one by one, each time that it was started. Returns how many stages were
/// entered, and at which each flag is.
#[track_caller]
fn once_and_in_order(shop: &Shop) -> (u64, HashMap<String, u64>) {
    let (mut entered, mut at) = (0, HashMap::new());
    for step in steps(shop) {
        let expected = match (step.action.as_str(), at.get(&step.flag)) {
            ("plan_start", None | Some(&STAGES)) => 1,
            ("plan_stage", Some(last)) => last + 1,
            (_, last) => panic!("{step:?} after stage {last:?}"),
        };
        assert_eq!(step.stage, expected, "{step:?} after stage {:?}", at.get(&step.flag));
        at.insert(step.flag, step.stage);
        entered += 1;
    }
    (entered, at)
}

fn stage(shop: &Shop, flag: &str) -> (String, u64) {
    let shown = shop.run(["plan", "show", flag, "--json"]).exits(0).json();
    (shown["state"].as_str().unwrap().to_owned(), shown["stage"].as_u64().unwrap_or(0))
}

/// Kills in one store: its audit trail is read from its beginning time and again.
const LAP: u64 = 200;

#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    killed: u64,
    finished: u64,
    stages: u64,
    generations: u64,
    torn: u64,
}

#[test]
fn ticks_killed_at_any_moment_enter_each_stage_once_and_in_order() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut tally = Tally::default();
    while tally.killed < kills() {
        lap(LAP.min(kills() - tally.killed), &mut random, &mut tally);
    }
    println!("kill -9 of plan tick, publish, kill, revive, stop-all and resume-all: {tally:?}");
    assert!(tally.stages > tally.rounds / 10, "too few stages for this to mean anything: {tally:?}");
}

/// One store: kills that many processes or a few more.
fn lap(kills: u64, random: &mut Random, tally: &mut Tally) {
    let shop = Shop::empty();
    shop.write("flags.json", definitions());
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    let start = || {
        for flag in FLAGS {
            shop.run(["disable", flag]).exits(0);
            shop.run(["plan", "start", flag]).exits(0);
        }
    };
    start();
    // The clock of this test, which goes on by an hour or so a round, jumps, and goes back.
    let mut now = 4_000_000_000 * SECOND;
    let mut longest = Duration::from_millis(20);
    let (mut killed, mut generation, mut stopped) = (0, 0, false);
    for round in 0.. {
        now += SECOND
            * match random.below(10) {
                0 => -(random.below(40_000) as i64),
                1 => random.below(40_000_000) as i64,
                _ => 3_700,
            };
        let at = time::format_rfc3339(now);
        let tick = || shop.command(["plan", "tick", "--at", &at]);
        let since = Instant::now();
        let mut children: Vec<Child> = (0..=random.below(2)).map(|_| quiet(tick())).collect();
        if stopped || random.below(3) == 0 {
            children.push(quiet(other(&shop, round, random, stopped)));
        }
        if round % 8 == 7 {
            // Nobody kills these; how long they take says when to kill the others.
            wait(&mut children);
            longest = since.elapsed();
        } else {
            std::thread::sleep(longest * u32::try_from(random.below(1_000)).unwrap() / 1_000);
            children.iter_mut().for_each(|child| child.kill().unwrap());
            for mut child in children {
                match child.wait().unwrap().signal() {
                    Some(_) => killed += 1,
                    None => tally.finished += 1,
                }
            }
        }
        let status = shop.run(["status", "--json"]).exits(0).json()["store"].clone();
        assert!(status["error"].is_null(), "{status}");
        assert!(status["generation"].as_u64() >= Some(generation), "{status} after {generation}");
        generation = status["generation"].as_u64().unwrap();
        stopped = !status["stopped"].is_null();
        let enough = killed >= kills;
        if round % 20 == 19 || enough {
            let verified = shop.run(["audit", "--verify", "--json"]).exits(0).json();
            tally.torn += u64::from(verified["torn_end"] == true);
            let (_, at) = once_and_in_order(&shop);
            for flag in FLAGS {
                assert_eq!(stage(&shop, flag).1, at[flag], "{flag}");
            }
            if at.values().all(|stage| *stage == STAGES) && !enough {
                // What was done by a clock ahead of this machine's is over; the next ones begin there again.
                shop.run(["resume-all"]).exits(0);
                stopped = false;
                start();
                once_and_in_order(&shop);
            }
        }
        if enough {
            tally.rounds += round + 1;
            break;
        }
    }
    shop.run(["audit"]).exits(0);
    tally.stages += once_and_in_order(&shop).0;
    tally.killed += killed;
    tally.generations += generation;
}

/// A change that is none of a plan's: of a file, or of the head.
fn other(shop: &Shop, round: u64, random: &mut Random, stopped: bool) -> Command {
    if stopped {
        return shop.command(["resume-all"]);
    }
    match random.below(5) {
        0 | 1 => {
            shop.write("next.json", definitions().replace("release 0", &format!("release {round}")));
            shop.command(["publish", "next.json"])
        }
        2 => shop.command(["kill", "other"]),
        3 => shop.command(["revive", "other"]),
        _ => shop.command(["stop-all", "--environment", "production", "--yes"]),
    }
}

#[test]
fn two_daemons_of_which_one_is_killed_again_and_again_enter_each_stage_once() {
    let shop = Shop::empty();
    let text = definitions().replace("1h", "1s");
    shop.write("flags.json", text);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    for flag in FLAGS {
        shop.run(["plan", "start", flag]).exits(0);
    }
    let daemon = || quiet(shop.command(["run", "--no-guard", "--interval", "1"]));
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    let (mut steady, mut killed) = (daemon(), daemon());
    let until = Instant::now() + Duration::from_secs(12);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(700 + random.below(800)));
        killed.kill().unwrap();
        killed.wait().unwrap();
        killed = daemon();
    }
    for daemon in [&mut steady, &mut killed] {
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }
    let (entered, at) = once_and_in_order(&shop);
    assert!(entered >= 15, "too few stages for this to mean anything: {entered}");
    for flag in FLAGS {
        assert_eq!(stage(&shop, flag), ("running".to_owned(), at[flag]), "{flag}");
    }
    shop.run(["audit"]).exits(0);
}
