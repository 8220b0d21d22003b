//! Commands that ask.

use crate::shop::{FLAGS, Shop, ran};

#[test]
fn ask_answers_by_its_exit_code() {
    let shop = Shop::published();
    let on = shop.run(["ask", "customer_portal", "--company", "42"]).exits(0);
    assert_eq!(on.out, "on\n");
    let off = shop.run(["ask", "customer_portal", "--company", "acme-eu"]).exits(1);
    assert_eq!(off.out, "off\n");
    let unknown = shop.run(["ask", "customer_prtal", "--company", "42"]).exits(2);
    assert_eq!(unknown.out, "");
    assert!(unknown.err.contains("did you mean \"customer_portal\"?"), "{}", unknown.err);
}

#[test]
fn ask_takes_the_time_and_the_context_as_given() {
    let shop = Shop::published();
    let asked = ["ask", "customer_portal", "--company", "7"];
    shop.run(asked).exits(1);
    shop.run(["ask", "customer_portal", "--company", "7", "--at", "2031-01-01T00:00:00Z"]).exits(0);
    let dach = r#"{"plan": "enterprise", "country": "CH"}"#;
    shop.run(["ask", "customer_portal", "--company", "7", "--context", dach]).exits(0);
    let json = shop.run(["ask", "by_user", "--context", r#"{"user": 3}"#, "--json"]).json();
    assert_eq!(json["company"], serde_json::Value::Null);
    assert_eq!(json["generation"], 1);
}

#[test]
fn a_company_on_the_command_line_is_normalised_as_php_does() {
    let shop = Shop::published();
    shop.run(["ask", "customer_portal", "--company", "42"]).exits(0);
    let json = shop.run(["ask", "customer_portal", "--company", "042", "--json"]).json();
    assert_eq!(json["company"], "042");
    let json = shop.run(["ask", "customer_portal", "--company", "-5", "--json"]).json();
    assert_eq!(json["company"], -5);
    let json = shop.run(["ask", "customer_portal", "--json"]).json();
    assert_eq!(json["reason"], "no_company");
    // A variable of the shell's that was empty is no company, and not meant for none.
    shop.run(["ask", "customer_portal", "--company", ""]).exits(2);
}

#[test]
fn explain_begins_with_one_sentence_for_people() {
    let shop = Shop::published();
    let told = |company| shop.run(["explain", "customer_portal", "--company", company]).exits(0);
    // The bucket is one of vectors/buckets.json.
    assert_eq!(told("-5").first(), "OFF for company -5: rollout_out, bucket 10,979 of 100,000, 10 %");
    assert_eq!(told("acme-eu").first(), "OFF for company acme-eu: denied");
    assert!(told("42").first().starts_with("ON for company 42: allowed, variant "), "{}", told("42").first());
    let none = shop.run(["explain", "customer_portal"]).exits(0);
    assert_eq!(none.first(), "OFF without a company: no_company, the question names no company, 10 %");
    let by_user = shop.run(["explain", "by_user", "--company", "7"]).exits(0);
    assert_eq!(by_user.first(), "OFF for company 7: no_key, attribute \"user\" is missing, 30 %");
}

#[test]
fn explain_goes_through_the_steps_up_to_the_one_that_decided() {
    let shop = Shop::published();
    let steps = |ran: crate::shop::Ran| {
        let json = ran.json();
        let steps: Vec<String> = json["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| format!("{}: {}", step["step"].as_str().unwrap(), step["found"].as_str().unwrap()))
            .collect();
        steps
    };
    let context = r#"{"plan": "enterprise", "country": "FR"}"#;
    let out = ["explain", "customer_portal", "--company", "7", "--context", context, "--json"];
    assert_eq!(
        steps(shop.run(out)),
        [
            "killed: no",
            "everything stopped: no",
            "enabled: yes",
            "requires: billing_v2, all on",
            "denied: no, of 1 company listed",
            "allowed: no, of 3 companies listed",
            "rule 1 \"enterprise in DACH\": does not hold",
            "percentage: 10 %, the rollout's; 100 % from 2030-12-01T08:00:00Z",
            "bucket: 38,478 of 100,000 for company 7 by xxh3 with salt \"customer_portal\": not below 10,000",
        ]
    );
    let denied = shop.run(["explain", "customer_portal", "--company", "acme-eu", "--json"]);
    assert_eq!(steps(denied).last().unwrap(), "denied: yes, of 1 company listed");
    assert_eq!(steps(shop.run(["explain", "old", "--json"])).last().unwrap(), "enabled: no");
}

#[test]
fn explain_says_of_each_comparison_whether_it_matches_and_what_the_question_lacks() {
    let shop = Shop::published();
    let context = r#"{"plan": "enterprise"}"#;
    let ran = shop.run(["explain", "customer_portal", "--company", "7", "--context", context]).exits(0);
    assert!(ran.out.contains(r#"plan in ["enterprise"]: matches, it is "enterprise""#), "{}", ran.out);
    assert!(
        ran.out.contains(r#"segment dach: country in ["DE", "AT", "CH"]: is unknown, the question lacks it"#),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("The question lacks: country\n"), "{}", ran.out);
    let list = r#"{"plan": ["enterprise"]}"#;
    let ran = shop.run(["explain", "customer_portal", "--company", "7", "--context", list]).exits(0);
    assert!(ran.out.contains(r#"is unknown, it is ["enterprise"]"#), "{}", ran.out);
    let said = "Cannot be compared, so that conditions are unknown: plan is an array, expected a string\n";
    assert!(ran.out.contains(said), "{}", ran.out);
    assert!(ran.out.contains("The question lacks: country\n"), "{}", ran.out);
    let json = shop
        .run(["explain", "customer_portal", "--company", "7", "--context", list, "--json"])
        .exits(0)
        .json();
    let plan = serde_json::json!([{"attribute": "plan", "type": "an array", "expected": "a string"}]);
    assert_eq!((&json["missing"], &json["unknown"]), (&serde_json::json!(["country"]), &plan));
}

#[test]
fn explain_names_the_prerequisite_and_why_it_is_off() {
    let shop = Shop::published();
    shop.run(["kill", "billing_v2", "--reason", "wrong totals"]).exits(0);
    let ran = shop.run(["explain", "customer_portal", "--company", "42"]).exits(0);
    assert_eq!(ran.first(), "OFF for company 42: prerequisite, billing_v2 is off");
    assert!(ran.out.contains("billing_v2 is off: killed"), "{}", ran.out);
    let ran = shop.run(["explain", "billing_v2"]).exits(0);
    assert_eq!(ran.first(), "OFF without a company: killed");
    assert!(ran.out.contains("wrong totals"), "{}", ran.out);
}

#[test]
fn list_shows_where_each_flag_stands() {
    let shop = Shop::published();
    let state = |flag: &str| {
        let ran = shop.run(["list"]).exits(0);
        let line = ran.out.lines().find(|line| line.starts_with(&format!("{flag} "))).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{flag} in {}", ran.out))
    };
    assert!(state("customer_portal").contains("10 % + 3 companies + 1 rule"));
    assert!(state("customer_portal").ends_with("portal-team  2099-03-31  classic, compact"));
    assert!(state("old").ends_with(" off"));
    assert!(state("search").ends_with(" 50 %"));
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    assert!(state("search").ends_with(" KILLED (50 %)"));
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    assert!(state("billing_v2").ends_with(" STOPPED (on)"));
    assert!(state("payment_log").ends_with(" on"));
    let ran = shop.run(["list"]).exits(0);
    let stop = ran.out.lines().find(|line| line.starts_with("everything is stopped since ")).unwrap();
    assert!(stop.ends_with(": fire; `flagstone resume-all --reason WHY` ends that"), "{stop}");
    let json = shop.run(["list", "--json"]).exits(0).json();
    assert_eq!(json["stop"]["reason"], "fire");
}

// `show` said KILLED, but not since when, by whom and why.
#[test]
fn show_says_who_killed_a_flag_and_what_revives_it() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "slow", "--actor", "ann"]).exits(0);
    let ran = shop.run(["show", "search"]).exits(0);
    assert!(ran.first().ends_with("KILLED (50 %)"), "{}", ran.out);
    let line = ran.out.lines().nth(1).unwrap();
    assert!(line.starts_with("killed since 20") && line.contains(" by ann"), "{line}");
    assert!(line.ends_with(": slow; `flagstone revive search --reason WHY` lets it answer again"), "{line}");
    let json = shop.run(["show", "search", "--json"]).exits(0).json();
    assert_eq!(json["kill"]["reason"], "slow");
    assert!(json["kill"]["by"].as_str().unwrap().starts_with("ann"), "{json:#}");
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let ran = shop.run(["show", "billing_v2"]).exits(0);
    assert!(ran.out.contains(": fire; `flagstone resume-all --reason WHY` ends that"), "{}", ran.out);
    let ran = shop.run(["show", "payment_log"]).exits(0);
    assert!(!ran.out.contains("resume-all"), "{}", ran.out);
}

#[test]
fn show_tells_all_that_a_flag_says() {
    let shop = Shop::published();
    let ran = shop.run(["show", "customer_portal"]).exits(0);
    for text in [
        "Self-service portal for end customers",
        "owner       portal-team",
        "requires    billing_v2",
        "allowed     15, 42, 103",
        "rule 1 \"enterprise in DACH\": 100 % where plan in [\"enterprise\"] and segment dach",
        "100 % from 2030-12-01T08:00:00Z",
        "compact 50 % = {\"columns\":2}",
        "reads       country, plan",
    ] {
        assert!(ran.out.contains(text), "{text:?} in\n{}", ran.out);
    }
    let json = shop.run(["show", "customer_portal", "--json"]).json();
    assert_eq!(json["definition"]["companies"]["allow"], serde_json::json!([15, 42, 103]));
}

#[test]
fn what_inspect_gives_back_publishes_to_the_same_content() {
    let shop = Shop::published();
    let definitions = shop.run(["inspect", "--definitions"]).exits(0);
    shop.write("back.json", &definitions.out);
    let ran = shop.run(["publish", "back.json"]).exits(0);
    assert!(ran.out.contains("generation 1 holds just that already"), "{}", ran.out);
    let json = shop.run(["inspect", "--json"]).json();
    assert_eq!(json["environment"], "production");
    assert_eq!(json["flags"].as_array().unwrap().len(), 6);
    assert_eq!(json["layout"]["sections"].as_array().unwrap().len(), 14);
}

// Characters that deceive were escaped as in Rust, so that the definitions were no JSON.
#[test]
fn inspected_definitions_are_json_whatever_text_they_hold() {
    let shop = Shop::published();
    let text = "team \u{1f469}\u{200d}\u{1f4bb}, a soft\u{ad}hyphen, \u{202e}turned, tags \u{e0041}";
    shop.write(
        "odd.json",
        serde_json::json!({ "flags": { "p": { "enabled": true, "description": text } } }).to_string(),
    );
    shop.run(["publish", "odd.json", "--yes"]).exits(0);
    for locale in ["C.UTF-8", "C"] {
        let ran =
            ran(shop.command(["inspect", "--definitions"]).env("LC_ALL", locale).output().unwrap()).exits(0);
        assert_eq!(ran.json()["flags"]["p"]["description"], text);
        assert!(!ran.out.contains(['\u{200d}', '\u{202e}', '\u{e0041}']), "{}", ran.out);
        assert!(ran.out.contains("\\u200d") && ran.out.contains("\\udb40\\udc41"), "{}", ran.out);
        shop.write("back.json", &ran.out);
        shop.run(["check", "back.json"]).exits(0);
    }
}

#[test]
fn inspect_takes_a_file_and_refuses_a_damaged_one() {
    let shop = Shop::published();
    let folder = shop.directory.join("store/snapshots");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(file).unwrap();
    shop.write("good.snapshot", &bytes);
    let good = shop.run(["inspect", "good.snapshot"]).exits(0);
    assert!(good.out.contains("audit        record 2, "), "{}", good.out);
    let definitions = bytes.windows(9).position(|found| found == b"{\"flags\":").unwrap();
    for (section, at) in [("definitions", definitions), ("audit", bytes.len() - 1)] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        shop.write("bad.snapshot", &bytes);
        let bad = shop.run(["inspect", "bad.snapshot"]).exits(1);
        assert!(bad.err.contains(&format!("bad.snapshot: {section}: checksum")), "{}", bad.err);
    }
    shop.run(["inspect", "--generation", "7"]).exits(2);
}

#[test]
fn diff_compares_generations_and_files() {
    let shop = Shop::published();
    shop.republish("\"percentage\": 50 }", "\"percentage\": 75 }");
    let ran = shop.run(["diff", "1", "2"]).exits(0);
    assert!(ran.out.contains("rollout.percentage  50 → 75"), "{}", ran.out);
    let ran = shop.run(["diff", "2", "flags.json"]).exits(0);
    assert!(ran.out.contains("say the same"), "{}", ran.out);
    let ran = shop.run(["diff", "2", "flags.json", "--environment", "staging"]).exits(0);
    assert!(ran.out.contains("rollout.percentage  75 → 100"), "{}", ran.out);
    let json = shop.run(["diff", "1", "2", "--json"]).json();
    assert_eq!(json["differences"][0]["pointer"], "/flags/search/rollout/percentage");
}

#[test]
fn diff_of_two_files_needs_no_store() {
    let shop = Shop::empty();
    shop.write("a.json", FLAGS);
    shop.write("b.json", FLAGS.replace("\"old\": false", "\"new\": true"));
    let mut command = shop.command(["diff", "a.json", "b.json"]);
    let ran = crate::shop::ran(command.env_remove("FLAGSTONE_STORE").output().unwrap()).exits(0);
    assert!(ran.out.contains("+ new new") && ran.out.contains("- old gone"), "{}", ran.out);
}

#[test]
fn history_lists_the_newest_first() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let ran = shop.run(["history"]).exits(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[1].contains("kill search") && lines[1].contains("  slow  "), "{}", ran.out);
    assert!(lines[2].contains("publish 1") && lines[2].contains("current"), "{}", ran.out);
    assert!(lines[3].contains("init"), "{}", ran.out);
    let json = shop.run(["history", "--limit", "1", "--json"]).json();
    assert_eq!(json["total"], 3);
    assert_eq!(json["changes"].as_array().unwrap().len(), 1);
}

#[test]
fn simulate_agrees_with_what_a_publish_then_answers() {
    let shop = Shop::published();
    let ids: Vec<String> = (1..=500).map(|id| id.to_string()).chain(["acme-eu".to_owned()]).collect();
    shop.write("ids", ids.join("\n"));
    let json =
        shop.run(["simulate", "search", "--percentage", "62.5", "--companies", "ids", "--json"]).json();
    let inside: Vec<String> =
        json["in"].as_array().unwrap().iter().map(|id| id.to_string().trim_matches('"').to_owned()).collect();
    assert_eq!(json["leaves"], serde_json::json!([]));
    assert_eq!(
        json["in_now"].as_u64().unwrap() as usize + json["enters"].as_array().unwrap().len(),
        inside.len()
    );
    shop.republish("\"percentage\": 50 }", "\"percentage\": 62.5 }");
    for id in ids.iter().step_by(7) {
        let on = shop.run(["ask", "search", "--company", id]).code == 0;
        assert_eq!(on, inside.contains(id), "{id}");
    }
}

#[test]
fn simulate_reads_lines_arrays_and_standard_input_and_counts_each_company_once() {
    let shop = Shop::published();
    shop.write("lines", b"\xef\xbb\xbf1\r\n2\r\n\r\n2\r\n");
    shop.write("array", "[1, \"2\", 2]");
    for file in ["lines", "array"] {
        let json =
            shop.run(["simulate", "search", "--percentage", "100", "--companies", file, "--json"]).json();
        assert_eq!((&json["companies"], &json["repeated"]), (&2.into(), &1.into()), "{file}");
        assert_eq!(json["in"], serde_json::json!([1, 2]));
    }
    let mut command = shop.command(["simulate", "search", "--percentage", "0", "--companies", "-", "--json"]);
    let file = std::fs::File::open(shop.directory.join("lines")).unwrap();
    let json = crate::shop::ran(command.stdin(file).output().unwrap()).exits(0).json();
    assert_eq!(json["in"], serde_json::json!([]));
}

#[test]
fn simulate_says_what_keeps_its_numbers_from_being_the_workers_answers() {
    let shop = Shop::published();
    shop.write("ids", "1\n2\n");
    let remarks = |flag| {
        let ran = shop.run(["simulate", flag, "--percentage", "20", "--companies", "ids"]).exits(0);
        assert!(ran.out.contains("Only the percentage is another"), "{}", ran.out);
        ran.out
    };
    assert!(remarks("customer_portal").contains("reads country, plan, which counts as missing"));
    assert!(remarks("customer_portal").contains("schedule is left out"));
    assert!(remarks("by_user").contains("goes by user"));
    assert!(remarks("old").contains("not enabled"));
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    assert!(remarks("search").contains("search is killed"));
}

#[test]
fn audit_verifies_the_trail_and_names_the_first_bad_record() {
    let shop = Shop::published();
    let ran = shop.run(["audit", "--verify"]).exits(0);
    assert!(ran.first().starts_with("whole: "), "{}", ran.out);
    let path = shop.directory.join("store/audit.jsonl");
    let trail = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, trail.replacen("\"publish\"", "\"publisH\"", 1)).unwrap();
    let ran = shop.run(["audit", "--verify"]).exits(1);
    assert!(ran.first().starts_with("broken at line 2 (record 2)"), "{}", ran.out);
    assert_eq!(shop.run(["audit", "--json"]).json()["first_bad"]["seq"], 2);
}

#[test]
fn status_tells_what_is_served_killed_and_stopped_and_why() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let ran = shop.run(["status"]).exits(0);
    assert!(ran.first().starts_with("production on "), "{}", ran.out);
    for text in
        ["generation   1, published", "current (generation 1)", "kept         generation 1", "only root"]
    {
        assert!(ran.out.contains(text), "{text:?} in\n{}", ran.out);
    }
    let line = |name: &str| ran.out.lines().find(|line| line.starts_with(name)).unwrap_or("").to_owned();
    assert!(line("  stopped").ends_with(": fire"), "{}", ran.out);
    assert!(line("  killed       search, since").ends_with(": slow"), "{}", ran.out);
    assert!(line("  last change").contains("stop-all"), "{}", ran.out);
    let json = shop.run(["status", "--json"]).json();
    assert_eq!(json["killed"][0]["reason"], "slow");
    assert_eq!(json["stopped"]["reason"], "fire");
    assert_eq!(json["served"]["source"], "current");
}

#[test]
fn status_says_when_workers_answer_from_something_older() {
    let shop = Shop::published();
    shop.republish("\"percentage\": 50 }", "\"percentage\": 75 }");
    let folder = shop.directory.join("store/snapshots");
    let newest = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    std::fs::remove_file(newest).unwrap();
    let ran = shop.run(["status"]).exits(1);
    assert!(ran.out.contains("previous (generation 1)"), "{}", ran.out);
    assert!(ran.out.contains("  trouble"), "{}", ran.out);
    let ran = shop.run(["ask", "billing_v2"]).exits(0);
    assert!(ran.err.contains("warning:"), "{}", ran.err);
}

#[test]
fn check_looks_at_every_environment_that_the_document_names() {
    let shop = Shop::empty();
    shop.write("flags.json", FLAGS);
    let ran = shop.run(["check", "flags.json"]).exits(0);
    assert_eq!(ran.out, "flags.json: fine, 6 flags as it is and for production, staging\n");
    shop.write("bad.json", FLAGS.replace("\"percentage\": 100 } } } }", "\"percentage\": 101 } } } }"));
    let ran = shop.run(["check", "bad.json"]).exits(1);
    assert!(ran.first().starts_with("bad.json:"), "{}", ran.out);
    assert!(ran.out.contains("101"), "{}", ran.out);
    shop.run(["check", "bad.json", "--environment", "production"]).exits(0);
    let json = shop.run(["check", "bad.json", "--environment", "staging", "--json"]).exits(1).json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["problems"][0]["severity"], "error");
}

#[test]
fn every_word_that_asks_prints_one_json_document() {
    let shop = Shop::published();
    shop.write("ids", "1\n");
    for arguments in [
        &["check", "flags.json"][..],
        &["status"],
        &["list"],
        &["show", "search"],
        &["ask", "search", "--company", "1"],
        &["explain", "search", "--company", "1"],
        &["inspect"],
        &["inspect", "--definitions"],
        &["history"],
        &["diff", "1", "1"],
        &["simulate", "search", "--percentage", "1", "--companies", "ids"],
        &["audit"],
    ] {
        let mut command = shop.command(["--json"]);
        let ran = crate::shop::ran(command.args(arguments).output().unwrap());
        assert!(ran.json().is_object(), "{arguments:?}");
        assert_eq!(ran.out.lines().count(), 1, "{arguments:?}");
    }
    // And what went wrong, too.
    let json = shop.run(["show", "serch", "--json"]).exits(2).json();
    assert!(json["error"].as_str().unwrap().contains("did you mean \"search\"?"));
}

// Bash offered the hidden --relayed, and no flags and no generations.
#[test]
fn completions_offer_flags_and_generations() {
    let shop = published_with(r#"{"flags": {"search": true, "seat:map": true, "old": false}}"#);
    shop.run(["rollout", "search", "50"]).exits(0);
    shop.run(["kill", "old", "--reason", "x"]).exits(0);
    let script = shop.run(["completions", "bash"]).exits(0).out;
    shop.write("completions.bash", &script);
    let offered = |typed: &str| {
        let words: Vec<String> = typed.split(' ').map(|word| format!("'{word}'")).collect();
        let last = words.len();
        let text = format!(
            ". ./completions.bash; COMP_WORDS=(\"$FLAGSTONE\" {}); COMP_CWORD={last}; \
             _flagstone_candidates \"$FLAGSTONE\" {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words[last - 1],
            if last > 1 { &words[last - 2] } else { "flagstone" },
        );
        let mut bash = std::process::Command::new("bash");
        bash.args(["--norc", "-c", &text]).current_dir(&shop.directory).env_clear();
        bash.env("FLAGSTONE_STORE", "store").env("FLAGSTONE", env!("CARGO_BIN_EXE_flagstone"));
        let ran = crate::shop::ran(bash.output().unwrap());
        assert_eq!(ran.err, "", "{typed}");
        ran.out.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered("kill s"), ["search", "seat:map"]);
    assert_eq!(offered("kill seat : m"), ["map"], "bash takes the word apart");
    assert_eq!(offered("plan advance --stage 2 o"), ["old"]);
    assert_eq!(offered("revive "), ["old"], "killed flags alone");
    assert_eq!(offered("rollback --to "), ["1", "2"]);
    assert_eq!(offered("rollout search 5 --expect-generation = "), ["1", "2"]);
    assert_eq!(offered("--store store show se"), ["search", "seat:map"]);
    let options = offered("kill --re");
    assert_eq!(options, ["--reason"], "what the script offers by itself stays");
    assert!(offered("kill search -").iter().all(|option| option != "--relayed"));
    assert!(offered("--store /nowhere kill s").iter().all(|word| word != "search"));
    for shell in ["zsh", "fish"] {
        let script = shop.run(["completions", shell]).exits(0).out;
        assert!(script.contains("--candidates") && !script.contains("relayed"), "{shell}");
    }
}

// `flagstone help kill` was no command, "similar: health".
#[test]
fn help_is_a_page_by_task_or_one_commands() {
    let shop = Shop::empty();
    let ran = shop.run(["help"]).exits(0);
    assert!(
        ran.out.lines().count() <= 45 && ran.out.lines().all(|line| line.chars().count() <= 90),
        "{}",
        ran.out
    );
    let first = ran.out.lines().position(|line| line.contains("kill FLAG")).unwrap();
    assert!(first < 5, "the emergency stands first");
    for command in [&["kill"][..], &["plan", "advance"], &["help"]] {
        let mut help = shop.command(["help"]);
        let mut long = shop.command([]);
        let help = crate::shop::ran(help.args(command).output().unwrap()).exits(0).out;
        let long = crate::shop::ran(long.args(command).arg("--help").output().unwrap()).exits(0).out;
        assert_eq!(help.trim(), long.trim(), "{command:?}");
    }
    let ran = shop.run(["help", "kil"]).exits(2);
    assert!(ran.err.contains("did you mean \"kill\"?"), "{}", ran.err);
}

fn published_with(flags: &str) -> Shop {
    let shop = Shop::empty();
    shop.write("flags.json", flags);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop
}
