//! A file and the switches that were turned since it was published: `publish`, `--reset`, `--check-drift`, `pull`.

use crate::shop::{FLAGS, Shop};
use serde_json::{Value, json};

fn generation(shop: &Shop) -> Value {
    shop.run(["status", "--json"]).exits(0).json()["store"]["generation"].clone()
}

fn definition(shop: &Shop, flag: &str) -> Value {
    shop.run(["show", flag, "--json"]).exits(0).json()["definition"].clone()
}

#[test]
fn a_percentage_edited_in_the_file_takes_effect() {
    let shop = Shop::published();
    shop.write("flags.json", FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 75 } }"));
    let ran = shop.run(["publish", "flags.json", "--dry-run"]).exits(0);
    assert!(ran.out.contains("would publish after generation 1: 1 flag (1 field)"), "{}", ran.out);
    let ran = shop.run(["publish", "flags.json", "--reason", "deploy"]).exits(0);
    assert!(ran.out.contains("rollout.percentage  50 → 75"), "{}", ran.out);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 75);
    // The switch too, which is what everybody tries first.
    shop.run(["ask", "billing_v2", "--company", "1"]).exits(0);
    shop.write("flags.json", FLAGS.replace("\"billing_v2\": true", "\"billing_v2\": false"));
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["ask", "billing_v2", "--company", "1"]).exits(1);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 50);
}

// `flagstone pull 'standard input'` was to be typed.
#[test]
fn lines_to_type_after_a_publish_from_standard_input_can_be_typed() {
    let shop = Shop::published();
    let publish = || {
        let mut command = shop.command(["publish", "-"]);
        command.stdin(std::fs::File::open(shop.directory.join("flags.json")).unwrap());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    shop.run(["rollout", "search", "75"]).exits(0);
    let kept = publish();
    shop.write("flags.json", FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 60 } }"));
    let told = format!("{kept}{}", publish());
    for line in [
        "flagstone publish - --reset search.percentage\n",
        "flagstone publish - --settle search.percentage\n",
        "flagstone publish - --keep\n",
        "flagstone pull FILE\n",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert!(!told.contains("'standard input'"), "{told}");
}

#[test]
fn a_file_that_says_what_it_said_changes_nothing_and_other_edits_go_out() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "75"]).exits(0);
    shop.run(["allow", "search", "7"]).exits(0);
    shop.run(["disable", "billing_v2"]).exits(0);
    shop.run(["forget", "customer_portal", "42"]).exits(0);
    shop.write("flags.json", FLAGS.replace("portal-team", "billing-team").replace("\"DE\", ", ""));
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    for line in [
        "published generation 6 after 5: 1 flag and the segments (2 fields)",
        "kept: 4 fields not as flags.json says. The file did not edit them, so what runs stays",
        "search: percentage is 75 %, the file says 50 %",
        "flagstone rollout search 50, or flagstone publish flags.json --reset search.percentage",
        "search: companies allowed besides the file's: 7",
        "billing_v2: enabled is false, the file says true",
        "flagstone enable billing_v2",
        "customer_portal: companies allowed only by the file: 42",
        "flagstone pull flags.json",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 75);
    let shown = shop.run(["show", "search"]).exits(0).out;
    assert!(shown.contains("  changed     percentage is 75 %, the file says 50 %\n"), "{shown}");
    assert_eq!(definition(&shop, "customer_portal")["owner"], "billing-team");
    shop.run(["ask", "billing_v2", "--company", "1"]).exits(1);
    let ran = shop.run(["publish", "flags.json", "--json"]).exits(0).json();
    assert_eq!((&ran["published"], ran["merge"]["drift"].as_array().unwrap().len()), (&false.into(), 4));
}

#[test]
fn a_conflict_refuses_the_publish_and_says_who_turned_what_and_the_ways_out() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "5", "--actor", "alice", "--reason", "too slow"]).exits(0);
    let edited = FLAGS
        .replace("\"percentage\": 50 } }", "\"percentage\": 75 } }")
        .replace("\"old\": false", "\"old\": true");
    shop.write("flags.json", &edited);
    for arguments in [["publish", "flags.json", "--dry-run"], ["publish", "flags.json", "--reason=deploy"]] {
        let ran = shop.run(arguments).exits(1);
        for line in [
            "conflict: 1 field changed in flags.json and where the flag runs\n",
            "  search: percentage is 5 %, the file says 75 % and said 50 %\n",
            " by alice",
            ": rollout, \"too slow\"\n",
            "as the file says: flagstone publish flags.json --reset search.percentage\n",
            "as it runs: flagstone publish flags.json --settle search.percentage\n",
            "to publish all else, and decide later: flagstone publish flags.json --keep\n",
        ] {
            assert!(ran.out.contains(line), "{line}: {}", ran.out);
        }
    }
    // Without the store, such a line failed or changed the store that /etc/flagstone/store names.
    let ran = shop.run(["--store", "./store", "publish", "flags.json"]).exits(1);
    for line in [
        "as the file says: flagstone --store ./store publish flags.json --reset search.percentage\n",
        "as it runs: flagstone --store ./store publish flags.json --settle search.percentage\n",
        "decide later: flagstone --store ./store publish flags.json --keep\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert_eq!(generation(&shop), 2);
    assert_eq!(definition(&shop, "old")["enabled"], false);
    let json = shop.run(["publish", "flags.json", "--json"]).exits(1).json();
    assert_eq!(
        (&json["published"], &json["conflicts"][0]["turned"]["reason"]),
        (&false.into(), &"too slow".into())
    );
    shop.run(["publish", "flags.json", "--check-drift"]).exits(1);

    // All else goes out, and the conflict stays open, at each publish and wherever somebody looks.
    for _ in 0..2 {
        let ran = shop.run(["publish", "flags.json", "--keep"]).exits(0);
        assert!(
            ran.out.contains("search: percentage is 5 %, the file says 75 % and said 50 %"),
            "{}",
            ran.out
        );
    }
    assert_eq!(definition(&shop, "old")["enabled"], true);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 5);
    assert_eq!(generation(&shop), 3);
    let status = shop.run(["status"]).exits(0).out;
    assert!(status.contains("conflicts    search: percentage is 5 %, the file says 75 %"), "{status}");
    let status = shop.run(["status", "--json"]).exits(0).json();
    assert_eq!(status["conflicts"][0]["turned"]["reason"], "too slow");
    let metrics = shop.run(["metrics"]).exits(0).out;
    assert!(metrics.contains("flagstone_conflicts 1\n"), "{metrics}");
    let doctor = shop.run(["doctor", "--json"]).out;
    assert!(doctor.contains("search.percentage"), "{doctor}");
    shop.run(["publish", "flags.json"]).exits(1);

    // Settled, it is answered: the same file publishes again, and keeps what runs.
    shop.run(["publish", "flags.json", "--settle", "search.percentage"]).exits(0);
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("search: percentage is 5 %, the file says 75 %"), "{}", ran.out);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 5);
    assert_eq!(shop.run(["status", "--json"]).json()["conflicts"], json!([]));
    assert!(shop.run(["metrics"]).exits(0).out.contains("flagstone_conflicts 0\n"));
    shop.run(["publish", "flags.json", "--reset", "search.percentage"]).exits(0);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 75);
}

#[test]
fn a_publish_that_moves_only_the_base_says_that_no_answer_differs() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "75"]).exits(0);
    shop.write("flags.json", FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 75 } }"));
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(
        ran.out.contains(
            "published generation 3 after 2: no answer differs; it notes what the file says by now\n"
        ),
        "{}",
        ran.out
    );
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("nothing to publish"), "{}", ran.out);
    // Going back goes back to another answer.
    shop.run(["rollback"]).exits(0);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 50);
    // And an answer's history is known across it.
    let ran = shop.run(["history", "--company=1"]).exits(0);
    assert!(!ran.out.contains("not known"), "{}", ran.out);
}

#[test]
fn drift_says_who_turned_each_switch_last_and_why() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "60", "--actor", "carol", "--reason", "first step"]).exits(0);
    shop.run(["rollout", "search", "75", "--actor", "alice", "--reason", "second step"]).exits(0);
    shop.run(["allow", "search", "7", "--actor", "bob", "--reason", "a pilot"]).exits(0);
    shop.run(["disable", "billing_v2", "--actor", "dave", "--reason", "totals are wrong"]).exits(0);
    shop.write("next.json", FLAGS);
    let ran = shop.run(["publish", "next.json", "--check-drift"]).exits(1);
    let lines: Vec<&str> = ran.out.lines().map(str::trim).collect();
    for (drift, who, why) in [
        ("search: percentage is 75 %", " by alice", ": rollout, \"second step\""),
        ("search: companies allowed besides the file's: 7", " by bob", ": allow, \"a pilot\""),
        ("billing_v2: enabled is false", " by dave", ": disable, \"totals are wrong\""),
    ] {
        let at = lines.iter().position(|line| line.starts_with(drift)).unwrap();
        let told = lines[at + 1];
        assert!(told.starts_with("turned 20") && told.contains(who) && told.ends_with(why), "{}", ran.out);
    }
    let ran = shop.run(["publish", "next.json", "--check-drift", "--json"]).exits(1).json();
    let drift = ran["merge"]["drift"].as_array().unwrap();
    let search =
        drift.iter().find(|drift| drift["field"] == "percentage" && drift["flag"] == "search").unwrap();
    assert_eq!(
        (&search["turned"]["action"], &search["turned"]["reason"]),
        (&"rollout".into(), &"second step".into())
    );
    // Without a trail it is drift all the same.
    std::fs::rename(shop.directory.join("store/audit.jsonl"), shop.directory.join("aside")).unwrap();
    let ran = shop.run(["publish", "next.json", "--check-drift"]).exits(1);
    assert!(ran.out.contains("search: percentage is 75 %") && !ran.out.contains("turned 20"), "{}", ran.out);
}

#[test]
fn drift_fails_the_nightly_job_until_it_is_pulled() {
    let shop = Shop::published();
    let ran = shop.run(["publish", "flags.json", "--check-drift"]).exits(0);
    assert!(ran.out.contains("no drift: flags.json says what runs"), "{}", ran.out);
    shop.run(["rollout", "search", "75"]).exits(0);
    let ran = shop.run(["publish", "flags.json", "--check-drift"]).exits(1);
    assert!(ran.out.contains("drift: 1 field not as flags.json says"), "{}", ran.out);
    let mut json = shop.run(["publish", "flags.json", "--check-drift", "--json"]).exits(1).json();
    let drift = json["merge"]["drift"][0].as_object_mut().unwrap();
    assert_eq!(drift.remove("turned").unwrap()["action"], "rollout");
    assert_eq!(
        json["merge"]["drift"],
        json!([{ "flag": "search", "field": "percentage", "running": 75, "file": 50 }])
    );
    assert_eq!(generation(&shop), 2);
    let ran = shop.run(["pull", "--dry-run"]).exits(0);
    assert!(ran.out.contains("search: percentage is 75 %, the file says 50 %"), "{}", ran.out);
    let read = || std::fs::read_to_string(shop.directory.join("flags.json")).unwrap();
    assert_eq!(read(), FLAGS);
    let ran = shop.run(["pull"]).exits(0);
    assert!(ran.out.contains("1 field into what it says for production"), "{}", ran.out);
    // Staging says 100 for itself; the document, and whoever else reads it, still 50.
    let production = "\"production\":{\"flags\":{\"search\":{\"rollout\":{\"percentage\":75}}}}";
    let compact = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(compact(&read()), compact(FLAGS).replace("\"production\":{}", production));
    shop.run(["publish", "flags.json", "--check-drift"]).exits(0);
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("no answer differs"), "{}", ran.out);
    let ran = shop.run(["pull"]).exits(0);
    assert!(ran.out.contains("flags.json says what runs already"), "{}", ran.out);
}

#[test]
fn what_is_pulled_keeps_order_spaces_and_comments() {
    let shop = Shop::empty();
    let text = "{\n  \"flags\": {\n    \"b\": {\n      \"$comment\": \"ask Ada\",\n      \"rollout\": { \"salt\": \"s\",   \"percentage\": 10 },\n      \
                \"companies\": { \"allow\": [3, 1,  2] },\n      \"schedule\": [ { \"at\": \"2099-01-01T00:00:00Z\", \"percentage\": 50 } ]\n    },\n    \"a\": true,\n    \"keeps\": false\n  }\n}\n";
    shop.write("flags.json", text);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["rollout", "b", "0.5"]).exits(0);
    shop.run(["allow", "b", "9"]).exits(0);
    shop.run(["forget", "b", "1"]).exits(0);
    shop.run(["rollout", "a", "5"]).exits(0);
    shop.run(["enable", "keeps"]).exits(0);
    shop.run(["pull", "flags.json"]).exits(0);
    let expected = text
        .replace("\"percentage\": 10 }", "\"percentage\": 0.5 }")
        .replace("[3, 1,  2]", "[3,  2, 9]")
        .replace(",\n      \"schedule\": [ { \"at\": \"2099-01-01T00:00:00Z\", \"percentage\": 50 } ]", "")
        .replace("\"a\": true", "\"a\": { \"enabled\": true, \"rollout\": { \"percentage\": 5 } }")
        .replace("\"keeps\": false", "\"keeps\": true");
    assert_eq!(std::fs::read_to_string(shop.directory.join("flags.json")).unwrap(), expected);
    shop.run(["publish", "flags.json", "--check-drift"]).exits(0);
}

#[test]
fn a_flag_managed_in_git_is_as_the_file_says_at_every_publish() {
    let shop = Shop::published();
    let managed = FLAGS.replace(
        "\"search\": { \"enabled\": true,",
        "\"search\": { \"managed\": \"git\", \"enabled\": true,",
    );
    shop.write("flags.json", &managed);
    shop.run(["publish", "flags.json"]).exits(0);
    let ran = shop.run(["rollout", "search", "75"]).exits(1);
    assert!(ran.err.contains("flags.json and publish that"), "{}", ran.err);
    assert!(ran.err.contains("flagstone kill search"), "{}", ran.err);
    shop.run(["kill", "search", "--reason", "harm"]).exits(0);
    shop.run(["publish", "flags.json", "--check-drift"]).exits(0);
    let ran = shop.run(["pull"]).exits(0);
    assert!(ran.out.contains("says what runs already"), "{}", ran.out);
    // What a rollback takes back of it comes again: the file wins.
    shop.write("flags.json", managed.replace("\"percentage\": 50 } }", "\"percentage\": 60 } }"));
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["rollback"]).exits(0);
    assert_eq!(definition(&shop, "search")["rollout"]["percentage"], 50);
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("rollout.percentage  50 → 60"), "{}", ran.out);
}

#[test]
fn a_flag_that_the_file_drops_stays_marked_and_is_pruned_once_it_is_off() {
    let shop = Shop::published();
    shop.write("flags.json", FLAGS.replace("    \"by_user\": { \"enabled\": true, \"rollout\": { \"percentage\": 30, \"by\": \"user\" } },\n", "").replace(",\n    \"old\": false", ""));
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("by_user, old: not in the file any more; stays as it is"), "{}", ran.out);
    assert_eq!(definition(&shop, "by_user")["rollout"]["percentage"], 30);
    let ran = shop.run(["publish", "flags.json", "--prune"]).exits(0);
    assert!(ran.out.contains("old: removed: not in the file, and off for everybody"), "{}", ran.out);
    assert!(ran.out.contains("by_user: not in the file since an earlier publish"), "{}", ran.out);
    shop.run(["show", "old"]).exits(2);
    // It comes back, on for no more than the file says and what ran.
    shop.run(["rollout", "by_user", "35"]).exits(0);
    shop.write("flags.json", FLAGS);
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("by_user: in the file again"), "{}", ran.out);
    assert_eq!(definition(&shop, "by_user")["rollout"]["percentage"], 30);
    let state = shop.run(["inspect", "--definitions", "--state"]).exits(0).json();
    assert_eq!(state["flags"]["by_user"]["state"], json!({ "file": {} }));
}

#[test]
fn an_older_release_turns_nothing() {
    let shop = Shop::published();
    shop.run(["publish", "flags.json", "--release", "200"]).exits(0);
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["release"], 200);
    let older =
        FLAGS.replace("portal-team", "old-team").replace("\"old\": false", "\"older\": true").replace(
            "\"search\": { \"enabled\": true,",
            "\"search\": { \"managed\": \"git\", \"enabled\": false,",
        );
    shop.write("older.json", older);
    let ran = shop.run(["publish", "older.json", "--release", "1970-01-01T00:02:00Z"]).exits(0);
    assert!(
        ran.out.contains("an older release than 200, which was published: nothing was turned"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("older: brought back by an older release: disabled"), "{}", ran.out);
    assert_eq!(definition(&shop, "search")["enabled"], true);
    assert_eq!(definition(&shop, "older")["enabled"], false);
    assert_eq!(definition(&shop, "customer_portal")["owner"], "portal-team");
    shop.run(["ask", "old"]).exits(1);
    for option in ["--prune", "--reset=all", "--settle=all"] {
        let ran = shop.run(["publish", "older.json", "--release", "199", option]).exits(1);
        assert!(ran.err.contains("with a release older than one that was published"), "{}", ran.err);
    }
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["release"], 200);
    // The newest file goes on where it was.
    let ran = shop.run(["publish", "flags.json", "--release", "201"]).exits(0);
    assert!(!ran.out.contains("conflict"), "{}", ran.out);
    // A number typed wrong is not for ever.
    shop.run(["publish", "older.json", "--release", "150", "--mark-newest"]).exits(0);
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["release"], 150);
    assert_eq!(definition(&shop, "search")["enabled"], false);
    for id in ["0", "soon", "-1"] {
        shop.run(["publish", "flags.json", &format!("--release={id}")]).exits(2);
    }
}

/// The last change of any company was named, such as a publish that let in another one.
#[test]
fn companies_that_are_kept_name_who_turned_those() {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    let file = |allow: &str| {
        let text = r#"{"flags": {"search": {"enabled": true, "rollout": {"percentage": 0}, "companies": {"allow": [ALLOW]}}}}"#;
        shop.write("flags.json", text.replace("ALLOW", allow));
    };
    file("1");
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["enable", "search", "--company", "7", "--reason", "ticket 7"]).exits(0);
    file("1, 10");
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("besides the file's: 7"), "{}", ran.out);
    let again = shop.run(["publish", "flags.json", "--dry-run"]).exits(0);
    for ran in [ran, again] {
        let turned = ran.out.lines().find(|line| line.contains("    turned ")).unwrap_or_default();
        assert!(turned.contains(": enable, \"ticket 7\""), "{}", ran.out);
    }
    // The last change of it, if there are several.
    shop.run(["forget", "search", "7", "--reason", "ticket 8"]).exits(0);
    shop.run(["allow", "search", "7", "8", "--reason", "ticket 9"]).exits(0);
    let json = shop.run(["publish", "flags.json", "--dry-run", "--json"]).exits(0).json();
    assert_eq!(json["merge"]["drift"][0]["turned"]["reason"], "ticket 9", "{json}");
}

#[test]
fn a_dry_run_of_a_conflict_says_first_that_it_would_be_refused() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "5"]).exits(0);
    shop.write("edited.json", FLAGS.replace(r#""percentage": 50"#, r#""percentage": 90"#));
    let ran = shop.run(["publish", "edited.json", "--dry-run"]).exits(1);
    let first = ran.out.lines().find(|line| line.contains("publish after generation")).unwrap_or_default();
    assert!(first.starts_with("would be refused, and with --keep publish after generation"), "{}", ran.out);
}

#[test]
fn what_cannot_be_reset_is_told_with_what_can() {
    let shop = Shop::published();
    for (what, told) in [
        ("serch.percentage", "the file has no flag \"serch\" (did you mean \"search\"?)"),
        (
            "search.percentge",
            "expected one of enabled, percentage, companies, emergency, by, salt, bucketing, requires, rules, variants, plan, guard, managed, \
             was, expires, description, owner (did you mean \"percentage\"?)",
        ),
        ("gone", "the file has no flag \"gone\""),
    ] {
        let ran = shop.run(["publish", "flags.json", "--reset", what]).exits(1);
        assert!(ran.err.contains(told) && ran.err.contains("nothing was changed"), "{what}: {}", ran.err);
    }
    shop.run(["publish", "flags.json", "--reset", "search.rollout.percentage"]).exits(0);
}

#[test]
fn the_document_names_each_field() {
    let text = include_str!("../../../../docs/operations.md");
    let line = text.lines().find(|line| line.starts_with("Fields are ")).unwrap_or_default();
    let named: Vec<_> = line.split('`').skip(1).step_by(2).collect();
    let fields: Vec<_> = flagstone::merge::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(named, fields);
}
