//! A flag that is renamed in the file while it runs.

use crate::shop::{Ran, Shop};
use serde_json::json;

trait Says {
    fn says(self, text: &str) -> Self;
}

impl Says for Ran {
    #[track_caller]
    fn says(self, text: &str) -> Ran {
        assert!(
            self.out.contains(text) || self.err.contains(text),
            "{text:?} is not in\n{}{}",
            self.out,
            self.err
        );
        self
    }
}

struct Renamed {
    shop: Shop,
}

fn flag(key: &str, was: &str) -> String {
    let was = if was.is_empty() { String::new() } else { format!(r#""was": "{was}", "#) };
    format!(
        r#""{key}": {{{was}"enabled": true, "rollout": {{"percentage": 50}}, "companies": {{"allow": [5]}}}}, "other": true, "third": true"#
    )
}

impl Renamed {
    /// A store in which `old` runs.
    fn new() -> Renamed {
        let shop = Shop::empty();
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        let renamed = Renamed { shop };
        renamed.publish(&flag("old", ""), &[]).exits(0);
        renamed
    }

    fn publish(&self, flags: &str, options: &[&str]) -> Ran {
        self.shop.write("flags.json", format!("{{\"flags\": {{{flags}}}}}"));
        let mut command = self.shop.command(["publish", "flags.json"]);
        command.args(options);
        crate::shop::ran(command.output().unwrap())
    }

    fn run<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        self.shop.run(arguments)
    }

    /// Company 5's answers under both keys.
    fn answers(&self) -> [bool; 2] {
        ["old", "new"].map(|key| {
            let ran = self.run(["ask", key, "--company", "5", "--json"]);
            ran.json()["enabled"].as_bool().unwrap_or_else(|| panic!("{}", ran.out))
        })
    }

    fn killed(&self) -> Vec<String> {
        let status = self.run(["status", "--json"]).exits(0).json();
        let mut killed: Vec<String> = status["killed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|killed| killed["flag"].as_str().unwrap().to_owned())
            .collect();
        killed.sort();
        killed
    }
}

#[test]
fn the_kill_of_a_renamed_flag_goes_along() {
    let store = Renamed::new();
    store.run(["kill", "old", "--reason", "wrong totals"]).exits(0);
    // By find and replace, the flag came on again under its new key.
    let published = store.publish(&flag("new", "old"), &[]).exits(0);
    let published = published.says("new: called old until now, and answers to that as well");
    published.says("new is killed and stays off");
    assert_eq!((store.killed(), store.answers()), (vec!["new".to_owned(), "old".to_owned()], [false, false]));
    store.run(["audit", "--verify"]).exits(0);
    store.run(["audit", "--flag", "new"]).exits(0).says("old is killed, which is the same flag");
    // One command revives both, by either key.
    store.run(["revive", "old"]).exits(0);
    assert_eq!((store.killed(), store.answers()), (Vec::new(), [true, true]));
}

#[test]
fn a_kill_by_either_key_takes_both() {
    let store = Renamed::new();
    store.publish(&flag("new", "old"), &[]).exits(0);
    for (kill, revive) in [("new", "old"), ("old", "new")] {
        store.run(["kill", kill, "--reason", "errors"]).exits(0);
        assert_eq!((store.killed().len(), store.answers()), (2, [false, false]), "{kill}");
        store.run(["revive", revive]).exits(0);
        assert_eq!((store.killed().len(), store.answers()), (0, [true, true]), "{revive}");
    }
}

/// A request that was open since the generation before last asked by a key of then, and was not reached.
#[test]
fn a_kill_takes_the_keys_that_kept_generations_know_the_flag_by() {
    let store = Renamed::new();
    store.publish(&flag("new", "old"), &[]).exits(0);
    store.publish(&flag("newest", "new"), &[]).exits(0);
    store.run(["kill", "newest", "--reason", "errors"]).exits(0);
    assert_eq!(store.killed(), ["new", "newest", "old"]);
    store.run(["revive", "newest"]).exits(0);
    assert_eq!(store.killed(), [""; 0]);
    // Another flag has the first key by now.
    let another = format!("{}, \"old\": true", flag("newest", "new"));
    store.publish(&another, &[]).exits(0);
    store.run(["kill", "newest", "--reason", "errors"]).exits(0);
    assert_eq!(store.killed(), ["new", "newest"]);
}

#[test]
fn a_renamed_flag_is_one_flag_for_why_and_for_every_count() {
    // One gone and one new; and "4 flags" where there are three.
    let store = Renamed::new();
    let counts = || {
        let status = store.run(["status", "--json"]).exits(0).json();
        let health = store.run(["health", "--json"]).exits(0).json();
        [status["store"]["flags"].clone(), health["flagstone"]["flags"].clone()]
    };
    assert_eq!(counts(), [json!(3), json!(3)]);
    store.run(["rollout", "old", "0"]).exits(0);
    store.publish(&flag("new", "old"), &[]).exits(0);
    assert_eq!(store.answers(), [true, true]);
    assert_eq!(counts(), [json!(3), json!(3)]);
    let ran = store.run(["history", "--company=5"]).exits(0).says("new was called old until 20");
    assert!(!ran.out.contains("unknown_flag") || !ran.out.contains("new    "), "{}", ran.out);
    let json = store.run(["history", "--company=5", "--json"]).exits(0).json();
    let turns = |json: &serde_json::Value| -> Vec<String> {
        let turns = json["turns"].as_array().unwrap().iter();
        turns.map(|turn| format!("{} {}", turn["flag"].as_str().unwrap(), turn["after"]["on"])).collect()
    };
    assert!(turns(&json).iter().all(|turn| !turn.starts_with("new")), "{json:#}");
    assert_eq!((&json["renamed"][0]["flag"], &json["renamed"][0]["was"]), (&json!("new"), &json!("old")));
    // What the publish that renames it changes besides is the flag's, as what is switched later.
    store.run(["kill", "new", "--reason", "wrong"]).exits(0);
    let ran = store.run(["stop-all", "--environment", "production", "--reason", "fire"]).exits(0);
    assert!(!ran.out.contains("old"), "{}", ran.out);
    let json = store.run(["history", "--company=5", "--json"]).exits(0).json();
    assert_eq!(turns(&json).iter().filter(|turn| *turn == "new false").count(), 1, "{json:#}");
    // The code may ask for either.
    std::fs::create_dir_all(store.shop.directory.join("app/routes")).unwrap();
    store.shop.write(
        "app/routes/web.php",
        "<?php feature_enabled('old'); feature_enabled('other'); feature_enabled('third');",
    );
    let ran = store.run(["doctor", "--code", "app", "--json"]);
    let checks = ran.json()["checks"].as_array().unwrap().clone();
    for check in ["code-undefined", "code-unused"] {
        let found = checks.iter().find(|found| found["check"] == check).unwrap();
        assert_eq!(found["state"], "passed", "{found:#}");
    }
}

#[test]
fn a_kill_holds_through_a_rollback_of_the_rename() {
    let store = Renamed::new();
    store.publish(&flag("new", "old"), &[]).exits(0);
    store.run(["kill", "new", "--reason", "errors"]).exits(0);
    store.run(["rollback", "--to", "1", "--yes", "--reason", "errors"]).exits(0);
    assert_eq!(store.answers(), [false, false]);
    store.run(["revive", "new"]).exits(0);
    assert_eq!(store.answers(), [true, true]);
}

#[test]
fn commands_take_the_former_key_and_say_so() {
    let store = Renamed::new();
    store.publish(&flag("new", "old"), &[]).exits(0);
    store.run(["list"]).exits(0).says("new (was old)");
    store.run(["show", "old"]).exits(0).says("old is called new now").says("and answers to that as well");
    store.run(["explain", "old", "--company", "5"]).exits(0).says("old is called new now");
    store
        .run(["rollout", "old", "20"])
        .exits(0)
        .says("old is called new now")
        .says("new: 50 % + 1 company → 20 % + 1 company");
    let shown = store.run(["show", "new", "--json"]).exits(0).json();
    assert_eq!(shown["definition"]["rollout"]["percentage"], json!(20));
    assert_eq!(shown["definition"]["was"], json!("old"));
    store.run(["audit", "--flag", "old"]).exits(0).says("rollout new");
    store.run(["stats", "old"]).exits(0);
    store.shop.write("ids.txt", "5\n6\n7\n");
    store.run(["simulate", "old", "--percentage", "100", "--companies", "ids.txt"]).exits(0);
    store.run(["disable", "old", "--yes"]).exits(0);
    assert_eq!(store.answers(), [false, false]);
    // An export has the flag under its key.
    store.run(["key", "make"]).exits(0);
    store.run(["export", "old"]).exits(0).says(r#""asked":["new"]"#);
    store.run(["check", "flags.json"]).exits(0);
}

#[test]
fn what_looks_like_a_rename_without_was_is_told() {
    let store = Renamed::new();
    let published = store.publish(&flag("new", ""), &["--dry-run"]).exits(0);
    published.says("write \"was\": \"old\" into new");
    store.run(["check", "flags.json"]).exits(0).says("write \"was\": \"old\" into new");
    store.run(["kill", "old", "--reason", "wrong totals"]).exits(0);
    let refused = store.publish(&flag("new", ""), &[]).exits(1);
    refused.says("old is killed, and the file has all that it says under the key new");
    assert!(store.run(["show", "new"]).code != 0);
    store.publish(&flag("new", ""), &["--yes"]).exits(0);
    assert_eq!(store.run(["ask", "new", "--company", "5", "--json"]).json()["enabled"], json!(true));
}

// "the file lacks 2 of the 3 flags that run", of a file that renamed them.
#[test]
fn a_file_that_renames_most_flags_lacks_none() {
    let store = Renamed::new();
    let renamed =
        flag("new", "old").replace("\"other\": true", "\"another\": {\"was\": \"other\", \"enabled\": true}");
    store.publish(&renamed, &[]).exits(0).says("another: called other until now");
    // Renamed once more, from the first key; the others are gone.
    let ran = store.publish(r#""newest": {"was": "old", "enabled": true}"#, &[]).exits(1);
    ran.says("the file lacks 2 of the 3 flags that run");
}

// A rollback keeps the keys: to the content from before a publish that only renamed, it "reverts 0 flags", each time it was typed.
#[test]
fn a_rollback_passes_a_publish_that_only_renamed() {
    let store = Renamed::new();
    store.run(["rollout", "old", "60"]).exits(0);
    store.publish(&flag("new", "old"), &[]).exits(0);
    let ran = store.run(["rollback"]).exits(0).says("reverts 1 flag");
    assert!(ran.out.contains("60") && ran.out.contains("50"), "{}", ran.out);
    let shown = store.run(["show", "new", "--json"]).exits(0).json();
    assert_eq!(shown["definition"]["rollout"]["percentage"], json!(50), "{shown}");
    store.run(["rollback"]).exits(1).says("there is no earlier content to go back to; nothing was changed");
}
