//! Plans whose ticks are killed at any moment, by two at once and on clocks that jump: each stage happens exactly once, in order.

use crate::shop::Shop;
use flagstone::eval::time;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often to kill: `FLAGSTONE_TEST_KILLS`, or 200 times.
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
    json!({ "flags": FLAGS.iter().map(|key| (*key, flag.clone())).collect::<HashMap<_, _>>() }).to_string()
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

#[test]
fn ticks_killed_at_any_moment_enter_each_stage_once_and_in_order() {
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
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    // The clock of this test, which goes on by an hour or so a round, jumps, and goes back.
    let mut now = 4_000_000_000 * SECOND;
    let mut longest = Duration::from_millis(20);
    for round in 0..kills() {
        now += SECOND
            * match random.below(10) {
                0 => -(random.below(40_000) as i64),
                1 => random.below(40_000_000) as i64,
                _ => 3_700,
            };
        let at = time::format_rfc3339(now);
        let tick = || shop.command(["plan", "tick", "--at", &at]);
        let since = Instant::now();
        let mut ticks: Vec<Child> = (0..=random.below(2)).map(|_| quiet(tick())).collect();
        if round % 8 == 7 {
            // Nobody kills these; how long they take says when to kill the others.
            wait(&mut ticks);
            longest = since.elapsed();
        } else {
            std::thread::sleep(longest * u32::try_from(random.below(1_000)).unwrap() / 1_000);
            ticks.iter_mut().for_each(|tick| tick.kill().unwrap());
            wait(&mut ticks);
        }
        shop.run(["status"]).exits(0);
        if round % 20 == 19 {
            let (_, at) = once_and_in_order(&shop);
            for flag in FLAGS {
                assert_eq!(stage(&shop, flag).1, at[flag], "{flag}");
            }
            if at.values().all(|stage| *stage == STAGES) {
                // What was done by a clock ahead of this machine's is over; the next ones begin there again.
                start();
                once_and_in_order(&shop);
            }
        }
    }
    shop.run(["audit"]).exits(0);
    let (entered, _) = once_and_in_order(&shop);
    println!("{} kills, {entered} stages entered", kills());
    assert!(entered > kills() / 8, "too few stages for this to mean anything: {entered}");
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
    let daemon = || quiet(shop.command(["run", "--interval", "1"]));
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
