//! Commands that change a store.

use crate::shop::{FLAGS, Ran, Shop, ran};
use std::process::{Command, Stdio};

fn generation(shop: &Shop) -> serde_json::Value {
    shop.run(["status", "--json"]).json()["store"]["generation"].clone()
}

#[test]
fn the_first_line_of_every_change_names_the_environment_and_the_machine() {
    let shop = Shop::empty();
    shop.write("flags.json", FLAGS);
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let check = |ran: Ran, generation: &str| {
        let named = format!("production on {}, {generation}: ", machine.trim());
        assert!(ran.first().starts_with(&named), "{named:?} in {:?}", ran.out);
    };
    check(shop.run(["init", "store", "--environment", "production"]).exits(0), "nothing published");
    check(shop.run(["publish", "flags.json", "--dry-run"]).exits(0), "nothing published");
    check(shop.run(["publish", "flags.json"]).exits(0), "nothing published");
    check(shop.run(["publish", "flags.json", "--expect-generation", "9"]).exits(1), "generation 1");
    check(shop.run(["kill", "search", "--reason", "slow"]).exits(0), "generation 1");
    check(shop.run(["kill", "nothing", "--reason", "slow"]).exits(1), "generation 1");
    check(shop.run(["revive", "search"]).exits(0), "generation 1");
    check(shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0), "generation 1");
    check(shop.run(["resume-all"]).exits(0), "generation 1");
    check(shop.run(["rollback"]).exits(1), "generation 1");
    let json = shop.run(["revive", "search", "--json"]).exits(0).json();
    assert_eq!((&json["environment"], &json["machine"]), (&"production".into(), &machine.trim().into()));
}

#[test]
fn a_dry_run_changes_nothing() {
    let shop = Shop::published();
    shop.write("flags.json", FLAGS.replace("\"percentage\": 50 }", "\"percentage\": 75 }"));
    let ran = shop.run(["publish", "flags.json", "--dry-run", "--reset", "search"]).exits(0);
    assert!(ran.out.contains("rollout.percentage  50 → 75"), "{}", ran.out);
    assert_eq!(generation(&shop), 1);
    shop.run(["publish", "flags.json", "--reset", "search"]).exits(0);
    let ran = shop.run(["rollback", "--dry-run"]).exits(0);
    assert!(ran.out.contains("75 → 50"), "{}", ran.out);
    assert_eq!(generation(&shop), 2);
}

/// Rounds of twenty: `FLAGSTONE_TEST_ROUNDS`, or 2.
fn rounds() -> u64 {
    std::env::var("FLAGSTONE_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2)
}

#[test]
fn of_twenty_publishers_at_once_on_one_base_one_wins_and_nineteen_are_told() {
    const PUBLISHERS: u64 = 20;
    let shop = Shop::published();
    for round in 1..=rounds() {
        let base = round.to_string();
        let children: Vec<_> = (0..PUBLISHERS)
            .map(|number| {
                let name = format!("by-{number}.json");
                let told = format!("\"description\": \"by {number} in {round}\"");
                shop.write(
                    &name,
                    FLAGS.replace("\"description\": \"Self-service portal for end customers\"", &told),
                );
                let (actor, reason) =
                    (format!("--actor=publisher-{number}"), format!("--reason=round {round}"));
                let mut command =
                    shop.command(["publish", &name, "--expect-generation", &base, &actor, &reason]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        let runs: Vec<_> = children.into_iter().map(|child| ran(child.wait_with_output().unwrap())).collect();
        let winners: Vec<usize> = (0..runs.len()).filter(|number| runs[*number].code == 0).collect();
        let [winner] = winners[..] else { panic!("{winners:?} of round {round} were told that they won") };
        for run in runs.iter().filter(|run| run.code != 0) {
            let told = format!("made on generation {round}, but {} is published by now", round + 1);
            assert!(run.code == 1 && run.err.contains(&told), "{} {} {}", run.code, run.out, run.err);
        }
        // The audit trail tells of the winner and of nobody else, and the flags are the winner's.
        let status = shop.run(["status", "--json"]).exits(0).json();
        assert_eq!(status["store"]["generation"], round + 1);
        let shown = shop.run(["show", "customer_portal", "--json"]).exits(0).json();
        assert_eq!(shown["definition"]["description"], format!("by {winner} in {round}"));
        let trail = shop.run(["audit", "--json"]).exits(0).json();
        let trail = trail["trail"].as_array().unwrap();
        assert_eq!(trail.len() as u64, 3 + 2 * round);
        for (record, outcome) in trail[trail.len() - 2..].iter().zip(["intended", "done"]) {
            assert_eq!((&record["outcome"], &record["to"]), (&outcome.into(), &(round + 1).into()));
            assert_eq!(record["actor"]["user"], format!("publisher-{winner}"));
            assert_eq!(record["reason"], format!("round {round}"));
        }
    }
    println!("{} rounds of {PUBLISHERS} publishers: one won each", rounds());
}

#[test]
fn a_stale_base_is_refused() {
    let shop = Shop::published();
    shop.republish("\"percentage\": 50 }", "\"percentage\": 75 }");
    // What is published already may be typed again, as where another machine did not answer.
    let ran = shop.run(["publish", "flags.json", "--expect-generation", "1"]).exits(0);
    assert!(ran.out.contains("nothing to publish"), "{}", ran.out);
    shop.write("flags.json", FLAGS.replace("\"percentage\": 50 }", "\"percentage\": 80 }"));
    for dry in ["--dry-run", "--reason=x"] {
        for base in ["1", "3"] {
            let ran = shop.run(["publish", "flags.json", "--expect-generation", base, dry]).exits(1);
            let told = format!("made on generation {base}, but 2 is published by now");
            assert!(ran.err.contains(&told), "{}", ran.err);
        }
    }
    shop.run(["publish", "flags.json", "--expect-generation", "2"]).exits(0);
}

#[test]
fn definitions_with_errors_are_not_published() {
    let shop = Shop::published();
    shop.write("flags.json", FLAGS.replace("billing_v2\"]", "billing_v3\"]"));
    let ran = shop.run(["publish", "flags.json"]).exits(1);
    assert!(ran.out.contains("billing_v3") && ran.out.contains("nothing was published"), "{}", ran.out);
    let json = shop.run(["publish", "flags.json", "--json"]).exits(1).json();
    assert_eq!(json["published"], false);
    assert!(!json["problems"].as_array().unwrap().is_empty());
    assert_eq!(generation(&shop), 1);
}

#[test]
fn a_publish_says_that_a_flag_it_changes_stays_killed() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let ran = shop.republish("\"percentage\": 50 }", "\"percentage\": 75 }");
    assert!(
        ran.out.contains("search is killed and stays off until `flagstone revive search`"),
        "{}",
        ran.out
    );
}

// It named a publish that only noted that the file has the flag no more.
#[test]
fn a_rollback_names_the_generation_that_changed_a_flag() {
    let shop = Shop::published();
    shop.run(["enable", "old", "--yes"]).exits(0);
    shop.write(
        "flags.json",
        r#"{ "flags": { "search": { "enabled": true, "rollout": { "percentage": 75 } } } }"#,
    );
    shop.run(["publish", "flags.json", "--yes"]).exits(0);
    shop.run(["disable", "search", "--yes"]).exits(0);
    let ran = shop.run(["rollback", "--to", "1", "--yes"]).exits(0);
    assert!(ran.out.contains("that reverts more than the last publish: old (changed by 2)\n"), "{}", ran.out);
}

#[test]
fn a_rollback_shows_which_other_flags_it_reverts() {
    let shop = Shop::published();
    shop.republish("\"old\": false", "\"old\": true");
    shop.republish("\"percentage\": 50 }", "\"percentage\": 75 }");
    let ran = shop.run(["rollback", "--to", "1"]).exits(0);
    assert!(ran.out.contains("that reverts more than the last publish: old (changed by 2)"), "{}", ran.out);
    assert!(ran.out.contains("published generation 4 with what 1 held"), "{}", ran.out);
    shop.run(["ask", "old"]).exits(1);
    let json = shop.run(["rollback", "--to", "3", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(json["reverts"], serde_json::json!({ "old": 4, "search": 4 }));
}

// A page's line for a colleague's publish turned on what another one had turned off since, unasked.
#[test]
fn a_rollback_that_turns_on_what_others_turned_off_asks() {
    let shop = Shop::published();
    shop.republish("\"old\": false", "\"old\": true");
    shop.run(["disable", "search", "--reason", "corrupts invoices", "--actor", "bob", "--yes"]).exits(0);
    let ran = shop.run(["rollback", "--to", "1", "--reason", "old harms"]).exits(1);
    assert!(ran.err.contains("turns on for more companies: search (disable by bob"), "{}", ran.err);
    assert!(ran.err.contains("\"corrupts invoices\"") && ran.err.contains("--yes"), "{}", ran.err);
    shop.run(["ask", "old"]).exits(0);
    let json = shop.run(["rollback", "--to", "1", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(json["widens"], serde_json::json!(["search"]));
    // The disable alone is the last change, and whoever takes it back knows it.
    shop.run(["rollback", "--dry-run"]).exits(0);
    shop.run(["enable", "search"]).exits(0);
    shop.run(["deny", "search", "7", "--reason", "leaks", "--yes"]).exits(0);
    let ran = shop.run(["rollback", "--to", "1"]).exits(1);
    assert!(ran.err.contains("search (deny"), "{}", ran.err);
    shop.run(["rollback", "--to", "1", "--yes"]).exits(0);
}

#[test]
fn a_rollback_without_a_target_goes_to_the_content_before() {
    let shop = Shop::published();
    shop.republish("\"old\": false", "\"old\": true");
    shop.run(["rollback"]).exits(0);
    shop.run(["ask", "old"]).exits(1);
    // There is nothing before generation 1. It once went forth again to the content that was taken back.
    let ran = shop.run(["rollback"]).exits(1);
    assert!(ran.err.contains("no earlier content"), "{}", ran.err);
    shop.run(["ask", "old"]).exits(1);
    shop.run(["rollback", "--to", "99"]).exits(1);
}

#[test]
fn a_rollback_typed_twice_goes_back_twice() {
    let shop = Shop::published();
    for percentage in ["60", "70", "80"] {
        shop.run(["rollout", "search", percentage]).exits(0);
    }
    let percentage = || {
        let shown = shop.run(["show", "search", "--json"]).exits(0).json();
        shown["definition"]["rollout"]["percentage"].as_f64().unwrap()
    };
    for expected in [70.0, 60.0, 50.0] {
        shop.run(["rollback", "--yes"]).exits(0);
        assert_eq!(percentage(), expected);
    }
    shop.run(["rollback", "--yes"]).exits(1);
    // A change after it is taken back first.
    shop.run(["rollout", "search", "90"]).exits(0);
    shop.run(["rollback", "--yes"]).exits(0);
    assert_eq!(percentage(), 50.0);
}

// The agent compared the generation before the rollback began, and a publish in between was taken back unseen.
#[test]
fn of_eight_rollbacks_at_once_on_one_generation_one_is_made() {
    let shop = Shop::published();
    for percentage in ["60", "70"] {
        shop.run(["rollout", "search", percentage]).exits(0);
    }
    for arguments in
        [["rollback", "--expect-generation=2", "--yes"], ["rollback", "--expect-generation=2", "--dry-run"]]
    {
        let ran = shop.run(arguments).exits(1);
        assert!(
            ran.err.contains("made on generation 2, but 3 is published by now; nothing was changed"),
            "{}",
            ran.err
        );
    }
    let children: Vec<_> = (0..8)
        .map(|_| {
            let mut command = shop.command([]);
            command.args(["rollback", "--expect-generation=3", "--yes"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let codes: Vec<_> =
        children.into_iter().map(|child| ran(child.wait_with_output().unwrap()).code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(generation(&shop), 4);
}

#[test]
fn what_a_rollback_says_to_type_again_changes_nothing_more() {
    let shop = Shop::published();
    shop.run(["config", "machines.web-2", "[\"/bin/false\"]"]).exits(0);
    shop.run(["rollout", "search", "60"]).exits(3);
    shop.run(["rollout", "search", "70"]).exits(3);
    let ran = shop.run(["rollback", "--yes"]).exits(3);
    let again = ran.err.split_once("once they answer, type: flagstone ").unwrap().1.trim();
    let typed: Vec<&str> = again.split(' ').collect();
    let [rollback, to, yes] = typed[..] else { panic!("{again}") };
    for _ in 0..2 {
        let ran = shop.run([rollback, to, yes]).exits(3);
        assert!(ran.out.contains("nothing was published"), "{}", ran.out);
    }
    let shown = shop.run(["show", "search", "--json"]).exits(0).json();
    assert_eq!(shown["definition"]["rollout"]["percentage"], 60);
}

#[test]
fn killing_an_unknown_flag_is_refused_unless_forced() {
    let shop = Shop::published();
    let ran = shop.run(["kill", "serch", "--reason", "slow"]).exits(1);
    assert!(ran.err.contains("did you mean \"search\"?") && ran.err.contains("--force"), "{}", ran.err);
    shop.run(["kill", "serch", "--reason", "slow", "--force"]).exits(0);
    let ran = shop.run(["status"]).exits(0);
    assert!(ran.out.contains("serch (no such flag is published)"), "{}", ran.out);
    let ran = shop.run(["revive", "sarch"]).exits(1);
    assert!(ran.err.contains("did you mean \"serch\"?"), "{}", ran.err);
    shop.run(["revive", "serch"]).exits(0);
}

#[test]
fn kill_and_stop_work_without_an_audit_trail_and_say_so() {
    let shop = Shop::published();
    std::fs::remove_file(shop.directory.join("store/audit.jsonl")).unwrap();
    std::fs::create_dir(shop.directory.join("store/audit.jsonl")).unwrap();
    for arguments in
        [["kill", "search", "--reason=slow", "--json"], ["stop-all", "--yes", "--reason=fire", "--json"]]
    {
        let ran = shop.run(arguments).exits(0);
        assert!(ran.err.contains("warning: it is done, but not in the audit trail"), "{}", ran.err);
    }
    let json = shop.run(["ask", "search", "--company", "1", "--json"]).exits(1).json();
    assert_eq!(json["reason"], "killed");
}

#[test]
fn kill_works_when_no_file_can_grow() {
    let shop = Shop::published();
    // With the signal ignored, every write that would make a file longer fails, as on a full disk.
    let script = r#"trap "" XFSZ; ulimit -f 0; exec "$0" kill search --reason slow"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_flagstone")]).current_dir(&shop.directory);
    let killed = ran(shell.env("FLAGSTONE_STORE", "store").output().unwrap()).exits(0);
    assert!(killed.err.contains("warning:"), "{}", killed.err);
    let json = shop.run(["ask", "search", "--company", "1", "--json"]).exits(1).json();
    assert_eq!(json["reason"], "killed");
}

#[test]
fn kill_works_when_the_current_snapshot_cannot_be_read() {
    let shop = Shop::published();
    let folder = shop.directory.join("store/snapshots");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(file).unwrap();
    let ran = shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    assert!(ran.err.contains("killed without knowing whether the flag is there"), "{}", ran.err);
    // It said "off for everybody at once" of a key that another one may stand for.
    let said = "killed search: off where it is asked by this key; whether the flag has another key cannot be read (see the warning), whatever";
    assert!(ran.out.contains(said), "{}", ran.out);
    let ran = Shop::published().run(["kill", "nope", "--force", "--reason", "slow"]).exits(0);
    let said = "killed nope: off where it is asked by this key; no such flag is published (see the warning), whatever";
    assert!(ran.out.contains(said), "{}", ran.out);
}

#[test]
fn stop_all_spares_what_keeps_and_resume_all_ends_it() {
    let shop = Shop::published();
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    shop.run(["ask", "billing_v2"]).exits(1);
    shop.run(["ask", "payment_log"]).exits(0);
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let ran = shop.run(["resume-all"]).exits(0);
    assert!(ran.out.contains("still killed one by one: search"), "{}", ran.out);
    shop.run(["ask", "billing_v2"]).exits(0);
    let ran = shop.run(["resume-all"]).exits(0);
    assert!(ran.out.contains("nothing was stopped"), "{}", ran.out);
}

#[test]
fn init_makes_one_store_and_leaves_an_existing_one_alone() {
    let shop = Shop::published();
    shop.run(["init", "store", "--environment", "staging"]).exits(1);
    assert_eq!(generation(&shop), 1);
    let ran = shop.run(["init", "a", "--store", "b", "--environment", "staging"]).exits(1);
    assert!(ran.err.contains("two directories are named"), "{}", ran.err);
    shop.run(["init", "--store", "other", "--environment", "staging"]).exits(0);
    shop.run(["init", "third", "--environment", "Not A Name"]).exits(1);
}

#[test]
fn a_change_is_made_though_nobody_reads_what_it_says() {
    let shop = Shop::published();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = shop.command(["kill", "search", "--reason", "slow"]).stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let json = shop.run(["ask", "search", "--company", "1", "--json"]).exits(1).json();
    assert_eq!(json["reason"], "killed");
}

#[test]
fn what_is_published_can_be_left_though_it_cannot_be_read() {
    let shop = Shop::published();
    shop.republish("\"old\": false", "\"old\": true");
    let folder = shop.directory.join("store/snapshots");
    let newest = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    // Only root may write over it.
    std::fs::remove_file(&newest).unwrap();
    std::fs::write(newest, "broken").unwrap();
    let ran = shop.run(["publish", "flags.json", "--dry-run"]).exits(1);
    assert!(ran.err.contains("it is not known which switches were turned"), "{}", ran.err);
    assert!(ran.err.contains("`flagstone rollback`") && ran.err.contains("--reset all"), "{}", ran.err);
    let ran = shop.run(["publish", "flags.json", "--dry-run", "--reset", "all"]).exits(0);
    assert!(ran.err.contains("compared with nothing"), "{}", ran.err);
    let ran = shop.run(["rollback"]).exits(0);
    assert!(ran.err.contains("what is reverted cannot be told"), "{}", ran.err);
    shop.run(["status"]).exits(0);
    shop.run(["ask", "old"]).exits(1);
}
