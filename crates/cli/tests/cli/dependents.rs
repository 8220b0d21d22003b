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

// A flag whose emergency is "keep" went off with those that it requires, and nobody said so.
#[test]
fn stop_all_names_the_flags_to_be_kept_that_are_off_with_others() {
    let shop = shop();
    let stopped = shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let text = "off as well, although their emergency is \"keep\", since they require stopped flags: panel";
    assert!(stopped.out.contains(text), "{}", stopped.out);
    assert_eq!(blockers(&shop), [json!(["panel", "engine"])]);
}
