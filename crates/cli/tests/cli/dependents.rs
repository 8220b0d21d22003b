//! Flags that are off because another one is, which they require.

use crate::shop::Shop;
use serde_json::{Value, json};

fn shop() -> Shop {
    let shop = Shop::empty();
    let on = json!({ "enabled": true });
    let flags = json!({ "flags": {
        "engine": on, "other": on,
        "page": { "enabled": true, "requires": ["engine"] },
        "panel": { "enabled": true, "requires": ["page"], "emergency": "keep" },
        "draft": { "enabled": false, "requires": ["engine"] },
    } });
    shop.write("flags.json", flags.to_string());
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop
}

const ALSO: &str = "off as well, since they require it: page, panel";

fn blockers(shop: &Shop) -> Vec<Value> {
    let list = shop.run(["list", "--json"]).exits(0).json();
    let flags = list["flags"].as_array().unwrap().iter();
    flags
        .filter(|flag| !flag["blocker"].is_null())
        .map(|flag| json!([flag["flag"], flag["blocker"]]))
        .collect()
}

// kill of a flag that others require said nothing of them, and list showed them as on.
#[test]
fn flags_that_are_off_because_of_a_killed_one_are_named_everywhere() {
    let shop = shop();
    assert!(blockers(&shop).is_empty());
    let killed = shop.run(["kill", "engine", "--reason", "slow"]).exits(0);
    assert!(killed.out.contains(ALSO), "{}", killed.out);
    for shown in [&["status"][..], &["incident"], &["show", "engine"]] {
        let ran = crate::shop::ran(shop.command([]).args(shown).output().unwrap());
        assert!(ran.out.contains(ALSO), "{shown:?}: {}", ran.out);
    }
    assert_eq!(blockers(&shop), [json!(["page", "engine"]), json!(["panel", "engine"])]);
    let list = shop.run(["list"]).exits(0).out;
    assert_eq!(list.matches("off, as engine is (on)").count(), 2, "{list}");
    let page = shop.run(["show", "panel"]).exits(0).out;
    assert!(page.contains("it requires engine, which is off for everybody: so is this one"), "{page}");
    assert!(!shop.run(["show", "other"]).exits(0).out.contains("require"));
    shop.run(["revive", "engine"]).exits(0);
    assert!(blockers(&shop).is_empty());
}

// disable said nothing either.
#[test]
fn disable_names_the_flags_that_are_off_with_it() {
    let shop = shop();
    let dry = shop.run(["disable", "engine", "--dry-run"]).exits(0);
    assert!(dry.out.contains(ALSO), "{}", dry.out);
    let done = shop.run(["disable", "engine", "--json", "--yes"]).exits(0).json();
    assert_eq!(done["dependents"], json!(["page", "panel"]));
    assert_eq!(blockers(&shop), [json!(["page", "engine"]), json!(["panel", "engine"])]);
    assert!(shop.run(["show", "engine"]).exits(0).out.contains(ALSO));
}

// rollout to 0 %, the last company denied, an aborted plan and a rollback said nothing of them.
#[test]
fn whatever_takes_a_flag_to_nobody_names_the_flags_that_are_off_with_it() {
    let shop = shop();
    let named = |typed: &[&str]| {
        let ran = crate::shop::ran(shop.command([]).args(typed).output().unwrap()).exits(0);
        ran.out.contains(ALSO)
    };
    assert!(!named(&["rollout", "engine", "50"]));
    assert!(named(&["rollout", "engine", "0", "--dry-run"]));
    let json = shop.run(["rollout", "engine", "0", "--json"]).exits(0).json();
    assert_eq!(json["dependents"], json!(["page", "panel"]));
    assert!(!named(&["rollout", "engine", "100"]));
    let json = shop.run(["rollback", "--json", "--yes"]).exits(0).json();
    assert_eq!(json["dependents"], json!(["page", "panel"]));
    assert!(!named(&["allow", "engine", "15"]));
    assert!(named(&["deny", "engine", "15", "--yes"]));
    assert!(!named(&["disable", "engine"]), "it was off already");
}

#[test]
fn an_aborted_plan_names_the_flags_that_are_off_with_its_flag() {
    let shop = Shop::empty();
    let flags = json!({ "flags": {
        "engine": { "enabled": false, "rollout": { "percentage": 0 }, "plan": { "stages": [
            { "percentage": 20, "soak": "7d" }, { "percentage": 100 } ] } },
        "page": { "enabled": true, "requires": ["engine"] },
    } });
    shop.write("flags.json", flags.to_string());
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    let started = shop.run(["plan", "start", "engine", "--json"]).exits(0).json();
    assert_eq!(started["dependents"], json!([]));
    let dry = shop.run(["plan", "abort", "engine", "--dry-run"]).exits(0).out;
    assert!(dry.contains("off as well, since they require it: page"), "{dry}");
    let aborted = shop.run(["plan", "abort", "engine", "--json"]).exits(0).json();
    assert_eq!(aborted["dependents"], json!(["page"]));
}

// A flag whose emergency is "keep" went off with those that it requires, and nobody said so.
#[test]
fn stop_all_names_the_flags_to_be_kept_that_are_off_with_others() {
    let shop = shop();
    let stopped = shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let text = "off as well, although their emergency is \"keep\", since they require stopped flags: panel";
    assert!(stopped.out.contains(text), "{}", stopped.out);
    assert_eq!(blockers(&shop), [json!(["panel", "engine"])]);
}

// status and incident said that everything is stopped but flags to be kept, of which one was off.
#[test]
fn status_and_incident_name_the_flags_to_be_kept_that_are_off_with_stopped_ones() {
    let shop = shop();
    let text = "off as well, although their emergency is \"keep\", since they require stopped flags: panel";
    assert!(!shop.run(["status"]).out.contains("off as well"));
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    for asked in ["status", "incident"] {
        assert!(shop.run([asked]).exits(0).out.contains(text), "{asked}");
    }
    assert_eq!(shop.run(["status", "--json"]).json()["stopped"]["dependents"], json!(["panel"]));
    assert_eq!(shop.run(["incident", "--json"]).json()["stop"]["dependents"], json!(["panel"]));
}
