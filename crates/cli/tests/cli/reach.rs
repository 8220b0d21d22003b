//! Whom a change reaches, and what is asked before many lose a flag.

use crate::shop::{FLAGS, Ran, Shop, ran};
use std::io::Write;
use std::process::Stdio;

/// A shop with a thousand companies in `companies.txt`.
fn shop() -> Shop {
    let shop = Shop::published();
    shop.write("companies.txt", (1..=1_000).map(|id| format!("{id}\n")).collect::<String>());
    shop
}

fn fifo(path: &std::path::Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn generation(shop: &Shop) -> u64 {
    shop.run(["status", "--json"]).json()["store"]["generation"].as_u64().unwrap()
}

/// Runs the command on a terminal, with this typed.
fn typing(shop: &Shop, line: &str, typed: &str) -> Ran {
    let mut command = std::process::Command::new("script");
    command.args(["-qec", &format!("{} {line}", env!("CARGO_BIN_EXE_flagstone")), "/dev/null"]);
    command.current_dir(&shop.directory).env("FLAGSTONE_STORE", "store");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

#[test]
fn a_change_tells_how_many_it_turns_on_and_off_as_simulate_counts_them() {
    let shop = shop();
    let simulated = shop
        .run(["simulate", "search", "--percentage", "75", "--companies", "companies.txt", "--json"])
        .json();
    let arguments = ["rollout", "search", "75", "--count-for", "companies.txt", "--dry-run", "--json"];
    let json = shop.run(arguments).exits(0).json();
    let flag = &json["reach"]["flags"][0];
    assert_eq!(json["reach"]["companies"], 1_000);
    assert_eq!(flag["before"], simulated["in_now"]);
    assert_eq!(flag["after"], simulated["in"].as_array().unwrap().len());
    assert_eq!(flag["turns_on"], simulated["enters"].as_array().unwrap().len());
    assert_eq!(
        flag["turns_on_examples"].as_array().unwrap()[..],
        simulated["enters"].as_array().unwrap()[..10]
    );
    assert_eq!(flag["turns_off"], 0);
    assert_eq!(generation(&shop), 1);
    let ran = shop.run(["rollout", "search", "75", "--count-for", "companies.txt"]).exits(0);
    assert!(ran.out.contains("of 1,000 companies in companies.txt:\n  search: 510 → "), "{}", ran.out);
}

/// "510 → 1,000 have it", of a flag that is killed and stays off; and at its revive nobody was told of the change.
#[test]
fn a_flag_that_is_off_by_a_kill_or_the_stop_turns_on_for_nobody() {
    let shop = shop();
    shop.run(["kill", "search", "--reason", "test"]).exits(0);
    let up = ["rollout", "search", "100", "--count-for", "companies.txt", "--dry-run"];
    let ran = shop.run(up).exits(0);
    let told = "  search: nobody has it while it is killed; after `flagstone revive search` 1,000 have it, 510 without this change\n";
    assert!(ran.out.contains(told), "{}", ran.out);
    let json = shop.run([up[0], up[1], up[2], up[3], up[4], up[5], "--json"]).exits(0).json();
    let flag = &json["reach"]["flags"][0];
    assert_eq!((&flag["before"], &flag["after"], &flag["turns_on"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(flag["turns_on_examples"], serde_json::json!([]));
    let held = &flag["held"];
    assert_eq!((&held["by"], &held["before"], &held["after"]), (&"kill".into(), &510.into(), &1_000.into()));
    assert_eq!((&held["turns_on"], &held["turns_off"]), (&490.into(), &0.into()));
    // What it takes away is taken at the revive, which asks nothing.
    let asked = "nobody has search while it is killed; 510 of the 510 companies that `flagstone revive search` would give it back to do not get it, more than 20 %";
    let ran = shop.run(["rollout", "search", "0", "--count-for", "companies.txt"]).exits(1);
    assert!(ran.err.contains(asked), "{}", ran.err);

    shop.run(["revive", "search"]).exits(0);
    shop.run(["stop-all", "--reason", "test", "--yes"]).exits(0);
    let ran = shop.run(up).exits(0);
    let told = "  search: nobody has it while everything is stopped; after `flagstone resume-all` 1,000 have it, 510 without this change\n";
    assert!(ran.out.contains(told), "{}", ran.out);
    shop.run(["resume-all"]).exits(0);
    let ran = shop.run(up).exits(0);
    assert!(ran.out.contains("  search: 510 → 1,000 have it\n"), "{}", ran.out);
}

#[test]
fn a_flag_whose_required_flag_is_killed_turns_on_for_nobody() {
    let shop = shop();
    shop.run(["kill", "billing_v2", "--reason", "test"]).exits(0);
    let up = ["rollout", "customer_portal", "100", "--count-for", "companies.txt", "--dry-run"];
    let ran = shop.run(up).exits(0);
    let told = "  customer_portal: nobody has it while billing_v2, which it requires, is killed; after `flagstone revive billing_v2` 1,000 have it, 100 without this change\n";
    assert!(ran.out.contains(told), "{}", ran.out);
    // Once it no longer requires that one it is on at once.
    let flags = FLAGS.replace("\"requires\": [\"billing_v2\"]", "\"requires\": []");
    assert_ne!(flags, FLAGS);
    shop.write("free.json", flags);
    let ran = shop.run(["publish", "free.json", "--count-for", "companies.txt", "--dry-run"]).exits(0);
    assert!(ran.out.contains("  customer_portal: 0 → 100 have it\n"), "{}", ran.out);
}

/// `disable search --companies broken.txt` read as "for these two", and was for everybody.
#[test]
fn what_only_counts_is_not_named_as_if_it_chose() {
    let shop = shop();
    for arguments in
        [&["disable", "search"][..], &["rollout", "search", "75"], &["kill", "search", "--reason", "x"]]
    {
        let line = [arguments, &["--companies", "companies.txt"]].concat();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_flagstone"));
        command.args(&line).current_dir(&shop.directory).env("FLAGSTONE_STORE", "store");
        let refused = ran(command.output().unwrap()).exits(2);
        assert!(refused.err.contains("--companies") && refused.out.is_empty(), "{}", refused.err);
        let help = shop.run([arguments[0], "--help"]).exits(0);
        assert!(
            help.out.contains("--count-for") && help.out.contains("change nothing for them alone"),
            "{}",
            help.out
        );
    }
    assert_eq!(generation(&shop), 1);
    shop.run(["ask", "search", "--company", "2"]).exits(0);
}

#[test]
fn who_requires_a_changed_flag_is_reached_too() {
    let shop = shop();
    let arguments = ["disable", "billing_v2", "--count-for", "companies.txt", "--yes", "--json"];
    let json = shop.run(arguments).exits(0).json();
    let flags = json["reach"]["flags"].as_array().unwrap();
    assert_eq!(flags[0]["flag"], "billing_v2");
    assert_eq!((&flags[0]["before"], &flags[0]["after"]), (&1_000.into(), &0.into()));
    assert_eq!(flags[1]["flag"], "customer_portal");
    assert!(flags[1]["turns_off"].as_u64().unwrap() > 50, "{flags:?}");
    assert_eq!(flags[1]["counts_as_missing"], serde_json::json!(["country", "plan"]));
}

#[test]
fn turning_off_more_than_a_share_wants_yes_where_nobody_can_be_asked() {
    let shop = shop();
    for json in [None, Some("--json")] {
        let mut command = shop.command(["rollout", "search", "10", "--count-for", "companies.txt"]);
        let ran = ran(command.args(json).output().unwrap()).exits(1);
        assert!(
            ran.err.contains("more than 20 %; nothing was changed. With --yes it is done"),
            "{}",
            ran.err
        );
    }
    assert_eq!(generation(&shop), 1);
    // A dry run says what it would do, and that it would ask.
    let arguments = ["rollout", "search", "10", "--count-for", "companies.txt", "--dry-run", "--json"];
    assert_eq!(shop.run(arguments).exits(0).json()["reach"]["asks"], true);
    shop.run(["rollout", "search", "10", "--count-for", "companies.txt", "--yes"]).exits(0);
    assert_eq!(generation(&shop), 2);
    // Few may lose it unasked.
    shop.run(["rollout", "search", "9", "--count-for", "companies.txt"]).exits(0);
    assert_eq!(generation(&shop), 3);
}

#[test]
fn on_a_terminal_it_asks_and_does_what_is_answered() {
    let shop = shop();
    for (answer, generation_then) in [("\n", 1), ("n\n", 1), ("y\n", 2)] {
        let ran = typing(&shop, "disable search --count-for companies.txt", answer);
        assert!(ran.out.contains("more than 20 %. Go on? [y/N]"), "{}", ran.out);
        assert_eq!(ran.code, i32::from(generation_then == 1), "{}", ran.out);
        assert_eq!(generation(&shop), generation_then, "{answer:?}");
    }
}

#[test]
fn the_config_names_the_list_and_the_share() {
    let shop = shop();
    shop.run(["config", "companies", "companies.txt"]).exits(0);
    shop.run(["disable", "search"]).exits(1);
    shop.run(["config", "confirm_above", "1"]).exits(0);
    let json = shop.run(["disable", "search", "--json"]).exits(0).json();
    assert_eq!(json["reach"]["flags"][0]["turns_off"], 510);
    // Without the list nobody knows whom the change turns off: it asks.
    std::fs::remove_file(shop.directory.join("companies.txt")).unwrap();
    let told = "cannot determine which companies the change reaches";
    let ran = shop.run(["enable", "search"]).exits(1);
    assert!(ran.err.contains(told) && ran.err.contains("nothing was changed. With --yes"), "{}", ran.err);
    let json = shop.run(["enable", "search", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(json["reach"]["asks"], true, "{json:#}");
    assert_eq!(typing(&shop, "enable search", "n\n").exits(1).code, 1);
    let ran = shop.run(["enable", "search", "--yes"]).exits(0);
    assert!(ran.err.contains(told), "{}", ran.err);
    // A pipe that nobody writes to is no list, and is not waited for.
    fifo(&shop.directory.join("companies.txt"));
    let began = std::time::Instant::now();
    for arguments in [["disable", "search"], ["publish", "flags.json"]] {
        let ran = shop.run(arguments).exits(1);
        assert!(ran.err.contains(told), "{}", ran.err);
    }
    shop.run(["kill", "old", "--reason", "x"]).exits(0);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
    // One that was typed does.
    let before = generation(&shop);
    shop.run(["disable", "search", "--count-for", "gone.txt"]).exits(2);
    assert_eq!(generation(&shop), before);
}

#[test]
fn a_rollback_and_a_publish_are_weighed_as_every_change() {
    let shop = shop();
    shop.run(["config", "companies", "companies.txt"]).exits(0);
    shop.run(["enable", "search", "--percentage", "100"]).exits(0);
    let ran = shop.run(["rollback"]).exits(1);
    assert!(ran.out.contains("  search: 1,000 → 510 have it\n    -490  1, 3, 6,"), "{}", ran.out);
    assert_eq!(generation(&shop), 2);
    shop.run(["rollback", "--yes"]).exits(0);
    assert_eq!(generation(&shop), 3);
    shop.write("flags.json", FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 5 } }"));
    // A lower percentage that the file spells out was reviewed: it is told, and passes.
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("  search: 510 → "), "{}", ran.out);
    assert_eq!(generation(&shop), 4);
    shop.write(
        "flags.json",
        FLAGS
            .replace("\"percentage\": 50 } }", "\"percentage\": 5 } }")
            .replace("\"billing_v2\": true", "\"billing_v2\": false"),
    );
    shop.run(["publish", "flags.json"]).exits(1);
    // What it does to a flag that requires the one edited is a side effect.
    let json = shop.run(["publish", "flags.json", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(json["merge"]["reviewed"], serde_json::json!(["billing_v2"]));
    shop.run(["publish", "flags.json", "--yes"]).exits(0);
    assert_eq!(generation(&shop), 5);
}

#[test]
fn a_kill_never_asks_and_tells_whom_it_reached_when_it_is_done() {
    let shop = shop();
    shop.run(["config", "companies", "companies.txt"]).exits(0);
    let ran = shop.run(["kill", "billing_v2", "--reason", "wrong totals"]).exits(0);
    let done = ran.out.find("killed billing_v2: off").unwrap();
    assert!(ran.out.find("  billing_v2: 1,000 → 0 have it").unwrap() > done, "{}", ran.out);
    assert!(ran.out.contains("  customer_portal: "), "{}", ran.out);
    let json = shop.run(["revive", "billing_v2", "--json"]).exits(0).json();
    assert_eq!(json["reach"]["flags"][0]["turns_on"], 1_000);
    let json = shop.run(["stop-all", "--yes", "--reason", "fire", "--json"]).exits(0).json();
    let search = json["reach"]["flags"].as_array().unwrap().iter().find(|flag| flag["flag"] == "search");
    assert_eq!(search.unwrap()["turns_off"], 510);
    // A list that cannot be read is no reason to fail: it is done.
    shop.run(["resume-all"]).exits(0);
    let ran = shop.run(["kill", "search", "--reason", "slow", "--count-for", "gone.txt"]).exits(0);
    assert!(ran.err.contains("gone.txt"), "{}", ran.err);
    shop.run(["ask", "search", "--company", "2"]).exits(1);
}

#[test]
fn a_stop_wants_the_environment_named() {
    let shop = Shop::published();
    let ran = shop.run(["stop-all", "--reason", "it's wrong"]).exits(1);
    assert!(ran.out.contains("on for everybody, 1 flag: billing_v2\n"), "{}", ran.out);
    assert!(
        ran.err.contains(r"Type: flagstone stop-all --environment production --reason 'it'\''s wrong'"),
        "{}",
        ran.err
    );
    let ran = shop.run(["stop-all", "--environment", "staging", "--reason", "fire"]).exits(1);
    assert!(ran.err.contains("found the environment \"staging\", expected production"), "{}", ran.err);
    shop.run(["ask", "billing_v2"]).exits(0);
    for (typed, code) in [("\n", 1), ("yes\n", 1), ("production\n", 0)] {
        let ran = typing(&shop, "stop-all --reason fire", typed).exits(code);
        assert!(ran.out.contains("Type the environment's name: "), "{}", ran.out);
        shop.run(["ask", "billing_v2"]).exits(i32::from(code == 0));
    }
    shop.run(["resume-all"]).exits(0);
    shop.run(["stop-all", "--environment", "production", "--reason", "fire"]).exits(0);
    shop.run(["ask", "billing_v2"]).exits(1);
}

/// Killed flags were listed, and those that require a flag which few have; and all of them again by a second stop.
#[test]
fn a_stop_lists_what_is_on() {
    let shop = Shop::empty();
    shop.write(
        "flags.json",
        r#"{"flags": {
            "checkout": true, "old_ui": true,
            "portal": {"enabled": true, "rollout": {"percentage": 10}},
            "invoices": {"enabled": true, "requires": ["portal"]},
            "receipts": {"enabled": true, "requires": ["invoices", "checkout"]},
            "alarm": {"enabled": true, "emergency": "keep"}
        }}"#,
    );
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["kill", "checkout", "--reason", "wrong totals"]).exits(0);
    let ran = shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    assert!(ran.out.contains("on for everybody, 1 flag: old_ui\n"), "{}", ran.out);
    assert!(ran.out.contains("on for some, 2 flags: invoices, portal\n"), "{}", ran.out);
    let ran = shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    assert!(ran.out.contains("stopped already") && !ran.out.contains("on for"), "{}", ran.out);
}

/// Both said "on for everybody" of flags with denied companies, a rule that gives less, and required flags that are off.
#[test]
fn on_for_everybody_is_said_where_nobody_is_left_out() {
    let shop = Shop::empty();
    shop.write(
        "flags.json",
        r#"{"flags": {
            "b": false, "c": {"enabled": true, "requires": ["b"]}, "all": true,
            "denied": {"enabled": true, "companies": {"deny": [15, 16]}},
            "after": {"enabled": true, "requires": ["denied"]},
            "ruled": {"enabled": true, "rollout": {"percentage": 100}, "rules": [{"when": {"attribute": "plan", "in": ["basic"]}, "percentage": 0}]},
            "wide": {"enabled": true, "rollout": {"percentage": 100}, "companies": {"allow": [1]}}
        }}"#,
    );
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    let ran = shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    assert!(ran.out.contains("on for everybody, 2 flags: all, wide\n"), "{}", ran.out);
    assert!(ran.out.contains("on for some, 3 flags: after, denied, ruled\n"), "{}", ran.out);
    shop.run(["resume-all"]).exits(0);
    for (flag, said) in [
        ("c", ", off for everybody: it requires b, which is off\n"),
        ("b", ", off\n"),
        ("all", ", on for everybody\n"),
        ("denied", ", on, 2 denied\n"),
        ("after", ", on: it requires denied, which is not on for everybody\n"),
        ("ruled", ", on + 1 rule\n"),
        ("wide", ", on for everybody\n"),
    ] {
        shop.run(["kill", flag, "--reason", "x"]).exits(0);
        let ran = shop.run(["revive", flag]).exits(0);
        assert!(ran.out.contains(&format!("it answers again as published{said}")), "{flag}: {}", ran.out);
    }
}

/// It said that the flag is on for half, and nothing of the kill.
#[test]
fn enabling_what_is_on_already_tells_that_it_is_killed_or_stopped() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "wrong totals"]).exits(0);
    let ran = shop.run(["enable", "search"]).exits(0);
    assert!(ran.out.contains("wrong totals; `flagstone revive search"), "{}", ran.out);
    shop.run(["revive", "search"]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let ran = shop.run(["enable", "search"]).exits(0);
    assert!(ran.out.contains("everything is stopped") && ran.out.contains("fire"), "{}", ran.out);
    shop.run(["resume-all"]).exits(0);
    let ran = shop.run(["enable", "search"]).exits(0);
    assert!(!ran.out.contains("stopped") && !ran.out.contains("killed"), "{}", ran.out);
}

/// It ended with 0, as if there were such a flag.
#[test]
fn reviving_a_flag_that_is_not_there_is_refused_also_where_nothing_is_killed() {
    let shop = Shop::published();
    let ran = shop.run(["revive", "serach"]).exits(1);
    assert!(ran.err.contains("did you mean \"search\"?"), "{}", ran.err);
    shop.run(["revive", "search"]).exits(0);
}

fn pilot() -> Shop {
    let shop = Shop::empty();
    shop.write(
        "flags.json",
        r#"{"flags": {
            "pilot": {"enabled": true, "rollout": {"percentage": 0}, "companies": {"allow": [15, 42]}},
            "half": {"enabled": true, "rollout": {"percentage": 50}, "companies": {"allow": [15]}}
        }}"#,
    );
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop
}

// "of 3 companies in c.csv: 0 have it, as before", and the pilot was off for everybody, unasked.
#[test]
fn a_pilot_is_weighed_by_the_companies_that_it_allows_whatever_the_list() {
    let shop = pilot();
    for list in [
        "15\n42\n",
        "\"15\"\n\"42\"\n",
        "company_id,name\n15,a\n42,b\n",
        "",
        "company_id\n",
        "16\n17\n",
        "15\n",
    ] {
        shop.write("list", list);
        let ran = shop.run(["disable", "pilot", "--count-for", "list"]).exits(1);
        assert!(
            ran.err.contains("pilot turns off for 2 of the 2 companies that have it"),
            "{list:?}: {}",
            ran.err
        );
    }
    // Standard input with nothing on it, and no list at all.
    shop.run(["disable", "pilot", "--count-for", "-"]).exits(1);
    let ran = shop.run(["disable", "pilot"]).exits(1);
    assert!(ran.err.contains("pilot turns off for 2 of the 2 companies that have it"), "{}", ran.err);
    assert_eq!(generation(&shop), 1);
    // One that is named loses it, and more may have it.
    shop.run(["forget", "pilot", "42"]).exits(0);
    shop.run(["allow", "pilot", "43"]).exits(0);
    shop.run(["rollout", "pilot", "5"]).exits(0);
    let json = shop.run(["disable", "pilot", "--yes", "--json"]).exits(0).json();
    assert_eq!(json["changed"], true);
}

// Only disable, enable, rollout and delete asked; a publish or a rollback took a pilot from all of its companies.
#[test]
fn a_pilot_is_weighed_by_every_command_that_takes_from_it() {
    let shop = Shop::empty();
    let publish = |base: bool, key: &str, allow: &str| {
        let file = format!(
            r#"{{"flags": {{"base": {base}, "third": true, "{key}": {{"enabled": true, "rollout": {{"percentage": 0}}, "companies": {{"allow": [{allow}]}},
                "requires": ["base"], "plan": {{"stages": [{{"percentage": 10}}, {{"percentage": 100}}]}}}}}}}}"#
        );
        shop.write("flags.json", file.replace(r#""renamed": {"#, r#""renamed": {"was": "pilot", "#));
        shop.run(["publish", "flags.json"])
    };
    let asks = |ran: Ran, told: &str| {
        let ran = ran.exits(1);
        assert!(
            ran.err.contains(told) && ran.err.contains("With --yes it is done"),
            "{}{}",
            ran.out,
            ran.err
        );
    };
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    publish(true, "pilot", "15, 42").exits(0);
    // What the file or the command spells out passes, what follows from it for another flag does not.
    let both = "pilot turns off for 2 of the 2 companies that have it";
    asks(publish(false, "pilot", "15, 42"), both);
    asks(shop.run(["disable", "base"]), both);
    asks(shop.run(["deny", "base", "15", "42"]), both);
    shop.run(["deny", "base", "15", "42", "--dry-run"]).exits(0);
    assert_eq!(generation(&shop), 1);
    shop.run(["forget", "pilot", "42"]).exits(0);
    shop.run(["allow", "pilot", "42"]).exits(0);
    publish(true, "pilot", "15, 42, 43, 44").exits(0);
    asks(shop.run(["rollback"]), "pilot turns off for 2 of the 4 companies that have it");
    let json = shop.run(["rollback", "--yes", "--json"]).exits(0).json();
    assert_eq!(json["reach"]["asks"], true, "{json:#}");
    // Nobody loses it by another key, or by a plan that lets more in.
    publish(true, "renamed", "15, 42, 43, 44").exits(0);
    shop.run(["plan", "start", "renamed"]).exits(0);
}

#[test]
fn a_list_that_tells_nothing_of_a_flag_asks() {
    let shop = pilot();
    for (list, told) in [
        ("", "list names no company: cannot determine how many companies lose half"),
        ("company_id\n", "list names no company"),
        (
            "1000001\n",
            "list has none of the companies that the flag allows: cannot determine how many companies lose half",
        ),
    ] {
        shop.write("list", list);
        let ran = shop.run(["rollout", "half", "49.999", "--count-for", "list"]).exits(1);
        assert!(ran.err.contains(told) && ran.err.contains("With --yes it is done"), "{list:?}: {}", ran.err);
        let json = shop
            .run(["rollout", "half", "49.999", "--count-for", "list", "--dry-run", "--json"])
            .exits(0)
            .json();
        assert_eq!(json["reach"]["asks"], true, "{json:#}");
    }
    assert_eq!(generation(&shop), 1);
    // What lets more in asks nothing.
    shop.run(["rollout", "half", "60", "--count-for", "list"]).exits(0);
    shop.run(["allow", "half", "7", "--count-for", "list"]).exits(0);
    shop.run(["rollout", "half", "1", "--count-for", "list", "--yes"]).exits(0);
}

// A mistyped company was denied without a word.
#[test]
fn denied_companies_that_the_list_lacks_are_named() {
    let shop = shop();
    let ran = shop.run(["deny", "search", "5000", "7", "--count-for", "companies.txt"]).exits(0);
    assert!(ran.out.contains("search denies what companies.txt lacks: 5000"), "{}", ran.out);
    let ran = shop.run(["deny", "search", "8", "--count-for", "companies.txt"]).exits(0);
    assert!(!ran.out.contains("lacks"), "{}", ran.out);
    let json = shop.run(["deny", "search", "6000", "--count-for", "companies.txt", "--dry-run", "--json"]);
    assert_eq!(
        json.exits(0).json()["reach"]["flags"][0]["denied_unlisted_examples"],
        serde_json::json!(["6000"])
    );
}

// While everything was stopped, revive said "it answers again as published, on for everybody", and rollback said nothing of the stop.
#[test]
fn a_change_while_everything_is_stopped_says_that_it_shows_once_that_ends() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "60"]).exits(0);
    for flag in ["billing_v2", "payment_log"] {
        shop.run(["kill", flag, "--reason", "x"]).exits(0);
    }
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let ran = shop.run(["revive", "billing_v2"]).exits(0);
    let said = "revived billing_v2: everything is stopped until `flagstone resume-all`; then it answers as published, on for everybody\n";
    assert!(ran.out.contains(said), "{}", ran.out);
    // A stop leaves it on.
    let ran = shop.run(["revive", "payment_log"]).exits(0);
    assert!(ran.out.contains("it answers again as published, on for everybody\n"), "{}", ran.out);
    let ran = shop.run(["rollback", "--yes"]).exits(0);
    assert!(ran.out.contains("everything is stopped, until `flagstone resume-all`"), "{}", ran.out);
}

// "it answers again as published", of a key that no flag has.
#[test]
fn reviving_a_killed_key_that_no_flag_has_says_so() {
    let shop = Shop::published();
    shop.run(["kill", "gone", "--force", "--reason", "x"]).exits(0);
    let ran = shop.run(["revive", "gone"]).exits(0);
    assert!(ran.out.contains("revived gone: no such flag is published\n"), "{}", ran.out);
}
