//! Conflicts that a publish with `--keep` leaves open: listed until they are settled, and told once.

use crate::shop::{Ran, Shop};
use flagstone::publish::{Change, Store};
use std::sync::Arc;

fn flags(percentage: u32, plan: &str) -> String {
    format!(
        r#"{{"flags": {{
            "conflicts": {{"description": "{{\"conflicts\":[1]}}", "enabled": true, "rollout": {{"percentage": {percentage}}},
                "rules": [{{"when": {{"segment": "pro"}}, "percentage": 5}}]}},
            "other": true, "third": true
        }}, "segments": {{"pro": {{"attribute": "plan", "in": ["{plan}"]}}}}}}"#
    )
}

fn publish(shop: &Shop, text: &str, options: &[&str]) -> Ran {
    shop.write("flags.json", text);
    let mut command = shop.command(["publish", "flags.json"]);
    command.args(options);
    crate::shop::ran(command.output().unwrap())
}

fn open(shop: &Shop) -> Vec<(String, String)> {
    let lists = ["status", "health"].map(|command| {
        let json = shop.run([command, "--json"]).json();
        let list =
            json["conflicts"].as_array().or(json["flagstone"]["conflicts"].as_array()).unwrap().clone();
        list.iter()
            .map(|conflict| ["flag", "field"].map(|name| conflict[name].as_str().unwrap().to_owned()).into())
            .collect::<Vec<(String, String)>>()
    });
    assert_eq!(lists[0], lists[1]);
    lists[0].clone()
}

fn shop() -> Shop {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    publish(&shop, &flags(10, "pro"), &[]).exits(0);
    shop
}

#[test]
fn an_open_conflict_is_listed_in_status_and_health_and_noted_once() {
    let shop = shop();
    // A flag of that key, and the word in a text, are no conflict.
    assert_eq!(open(&shop), []);
    shop.run(["rollout", "conflicts", "5", "--reason", "slow"]).exits(0);
    publish(&shop, &flags(50, "pro"), &["--keep"]).exits(0);
    assert_eq!(open(&shop), [("conflicts".to_owned(), "percentage".to_owned())]);
    let ran = shop.run(["health"]).exits(0);
    assert!(ran.out.contains("1 field in conflict between the file and what runs"), "{}", ran.out);
    publish(&shop, &flags(50, "pro"), &["--keep"]).exits(0);
    let trail = shop.run(["audit", "--json"]).exits(0).json();
    let noted = trail["trail"].as_array().unwrap().iter().filter(|record| record["notice"] == "conflict");
    let noted: Vec<_> = noted.map(|record| record["reason"].as_str().unwrap()).collect();
    assert_eq!(noted, ["conflicts: percentage is 5 %, the file says 50 % and said 10 %"]);
    publish(&shop, &flags(50, "pro"), &["--settle", "conflicts.percentage"]).exits(0);
    assert_eq!(open(&shop), []);
}

#[test]
fn a_conflict_about_a_segment_stays_open_as_well() {
    let shop = shop();
    // What a rollback brought back is another segment than the file said.
    publish(&shop, &flags(10, "max"), &[]).exits(0);
    shop.run(["rollback", "--yes"]).exits(0);
    publish(&shop, &flags(10, "free"), &[]).exits(1);
    publish(&shop, &flags(10, "free"), &["--keep"]).exits(0);
    assert_eq!(open(&shop), [("segments".to_owned(), "pro".to_owned())]);
    shop.run(["rollout", "other", "100"]).exits(0);
    assert_eq!(open(&shop), [("segments".to_owned(), "pro".to_owned())]);
    publish(&shop, &flags(10, "free"), &["--settle", "all"]).exits(0);
    assert_eq!(open(&shop), []);
}

#[test]
fn a_conflict_that_is_open_for_more_than_a_day_degrades_health() {
    let shop = shop();
    let well = |shop: &Shop| shop.run(["health", "--json"]).exits(0).json()["status"].clone();
    shop.run(["rollout", "conflicts", "5"]).exits(0);
    publish(&shop, &flags(50, "pro"), &["--keep"]).exits(0);
    assert_eq!(well(&shop), "ok");
    // As if it had been published two days ago.
    let store = Store::open(&shop.directory.join("store")).unwrap();
    let mut running = store.definitions(store.generation().unwrap()).unwrap();
    let state = &mut running.flags.get_mut("conflicts").unwrap().state;
    let kept = &mut Arc::make_mut(state.file.as_mut().unwrap()).conflicts[0];
    kept.since -= 2 * 24 * 3_600 * 1_000_000;
    store.publish(&running, Change::by_me(None)).unwrap();
    let ran = shop.run(["health"]).exits(0);
    assert!(
        ran.out.contains("1 field in conflict between the file and what runs, 1 for more than a day"),
        "{}",
        ran.out
    );
    assert_eq!(well(&shop), "degraded");
    // Kept once more it is as old; edited it is another.
    publish(&shop, &flags(50, "pro"), &["--keep"]).exits(0);
    assert_eq!(well(&shop), "degraded");
    publish(&shop, &flags(60, "pro"), &["--keep"]).exits(0);
    assert_eq!(well(&shop), "ok");
    publish(&shop, &flags(60, "pro"), &["--settle", "conflicts.percentage"]).exits(0);
    assert_eq!(well(&shop), "ok");
}

#[test]
fn a_refused_flag_that_git_manages_names_its_file() {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    let text = r#"{"flags": {"search": {"managed": "git", "enabled": true, "rollout": {"percentage": 10}}}}"#;
    publish(&shop, text, &[]).exits(0);
    let file = shop.directory.join("flags.json").display().to_string();
    let ran = shop.run(["rollout", "search", "20"]).exits(1);
    assert!(
        ran.err.contains(&format!("search is managed in git: change it in {file} and publish that")),
        "{}",
        ran.err
    );
    let ran = shop.run(["plan", "start", "search"]).exits(1);
    assert!(ran.err.contains(&file), "{}", ran.err);
    shop.run(["kill", "search", "--reason", "errors"]).exits(0);
    // By standard input nobody knows.
    let mut command = shop.command(["publish", "-", "--reset", "all"]);
    command.stdin(std::fs::File::open(shop.directory.join("flags.json")).unwrap());
    assert!(command.output().unwrap().status.success());
}
