//! Commands that change one flag: `enable`, `disable`, `rollout`, `allow`, `deny`, `forget`, `add`.

use crate::shop::{FLAGS, Shop, ran};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn asked(shop: &Shop, flag: &str, company: &str) -> i32 {
    shop.run(["ask", flag, "--company", company]).code
}

fn machine() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

fn read(shop: &Shop, name: &str) -> String {
    std::fs::read_to_string(shop.directory.join(name)).unwrap()
}

#[test]
fn an_old_flag_is_turned_on_for_a_pilot_then_for_all_and_off_again() {
    let shop = Shop::published();
    assert_eq!(asked(&shop, "old", "15"), 1);
    let ran = shop.run(["enable", "old", "--company", "15", "--company", "acme"]).exits(0);
    assert_eq!(ran.first(), format!("production on {}, generation 1: enable old", machine()));
    assert!(ran.out.contains("old: off → 0 % + 2 companies"), "{}", ran.out);
    assert!(ran.out.contains("a pilot: on for 15, acme, and 0 % of the others"), "{}", ran.out);
    assert!(ran.out.contains("published generation 2 after 1"), "{}", ran.out);
    assert_eq!(
        [asked(&shop, "old", "15"), asked(&shop, "old", "acme"), asked(&shop, "old", "16")],
        [0, 0, 1]
    );
    let ran = shop.run(["enable", "old", "--percentage", "100", "--reason", "launch"]).exits(0);
    assert!(ran.out.contains("old: 0 % + 2 companies → on for everybody"), "{}", ran.out);
    assert_eq!(asked(&shop, "old", "16"), 0);
    shop.run(["disable", "old", "--company", "16"]).exits(0);
    assert_eq!([asked(&shop, "old", "15"), asked(&shop, "old", "16")], [0, 1]);
    shop.run(["forget", "old", "15", "16"]).exits(0);
    assert_eq!(asked(&shop, "old", "16"), 0);
    shop.run(["disable", "old"]).exits(0);
    assert_eq!([asked(&shop, "old", "15"), asked(&shop, "old", "16")], [1, 1]);
    let history = shop.run(["history"]).exits(0);
    for line in [
        "enable old, publish 2 (companies.allow added 15, acme and 2 fields more)",
        "enable old, publish 3 (rollout.percentage 0 → 100)",
        "launch",
        "forget old, publish 5",
    ] {
        assert!(history.out.contains(line), "{line} in {}", history.out);
    }
    shop.run(["audit"]).exits(0);
}

// `deny search 007` said nothing, and denied another company than 7.
#[test]
fn a_number_with_leading_zeros_is_told_to_be_another_company() {
    let shop = Shop::published();
    let ran = shop.run(["deny", "search", "007", "7", "acme"]).exits(0);
    assert!(ran.err.contains("007 is a text, and not the company 7"), "{}", ran.err);
    shop.write("list", "0042\n00\n");
    let ran = shop.run(["allow", "search", "--from-file", "list"]).exits(0);
    let told = "00 is a text, and not the company 0, 0042 is a text, and not the company 42";
    assert!(ran.err.contains(told), "{}", ran.err);
    let ran = shop.run(["forget", "search", "7"]).exits(0);
    assert!(!ran.err.contains("is a text"), "{}", ran.err);
}

#[test]
fn lists_and_percentages_change_by_their_own_words() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "0"]).exits(0);
    assert_eq!(asked(&shop, "search", "7"), 1);
    shop.run(["allow", "search", "7", "-5"]).exits(0);
    assert_eq!(
        [asked(&shop, "search", "7"), asked(&shop, "search", "-5"), asked(&shop, "search", "8")],
        [0, 0, 1]
    );
    let ran = shop.run(["deny", "search", "7"]).exits(0);
    assert!(ran.out.contains("allowed before: 7"), "{}", ran.out);
    assert_eq!(asked(&shop, "search", "7"), 1);
    let json = shop.run(["rollout", "search", "12.5", "--json"]).exits(0).json();
    assert_eq!(json["changed"], true);
    assert_eq!(json["generation"], 5);
    assert_eq!(json["base"], 4);
    assert_eq!(json["differences"][0]["after"], 12.5);
    let json = shop.run(["rollout", "search", "12.5", "--json"]).exits(0).json();
    assert_eq!((&json["changed"], &json["generation"]), (&false.into(), &5.into()));
}

#[test]
fn what_was_turned_off_comes_back_as_it_was() {
    let shop = Shop::published();
    shop.run(["disable", "customer_portal"]).exits(0);
    assert_eq!(asked(&shop, "customer_portal", "15"), 1);
    let ran = shop.run(["disable", "customer_portal"]).exits(0);
    assert!(ran.out.contains("it says so already"), "{}", ran.out);
    shop.run(["enable", "customer_portal"]).exits(0);
    assert_eq!([asked(&shop, "customer_portal", "15"), asked(&shop, "customer_portal", "acme-eu")], [0, 1]);
    let ran = shop.run(["diff", "1", "3"]).exits(0);
    assert!(!ran.out.contains("customer_portal"), "{}", ran.out);
    let ran = shop.run(["enable", "search"]).exits(0);
    assert!(ran.out.contains("for everybody type `flagstone enable search --percentage 100`"), "{}", ran.out);
    shop.run(["enable", "customer_portal", "--keep"]).exits(2);
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let shop = Shop::published();
    let ran = shop.run(["enable", "serch"]).exits(1);
    assert!(ran.err.contains("there is no flag \"serch\" (did you mean \"search\"?)"), "{}", ran.err);
    let ran = shop.run(["rollout", "search", "101"]).exits(2);
    assert!(ran.err.contains("from 0 to 100"), "{}", ran.err);
    shop.run(["allow", "search"]).exits(2);
    let ran = shop.run(["enable", "search", "--expect-generation", "9"]).exits(1);
    assert!(ran.err.contains("decided on generation 9, and by 1, which is published now"), "{}", ran.err);
    let ran = shop.run(["enable", "search", "--percentage", "100", "--dry-run"]).exits(0);
    assert!(ran.out.contains("search: 50 % → on") && ran.out.contains("nothing was changed"), "{}", ran.out);
    let status = shop.run(["status", "--json"]).json();
    assert_eq!(status["store"]["generation"], 1);
    let empty = Shop::empty();
    empty.run(["init", "store", "--environment", "production"]).exits(0);
    let ran = empty.run(["enable", "search"]).exits(1);
    assert!(ran.err.contains("nothing is published yet"), "{}", ran.err);
}

#[test]
fn a_change_of_a_killed_flag_says_that_it_stays_off() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let ran = shop.run(["enable", "search", "--percentage", "100"]).exits(0);
    assert!(ran.out.contains("search is killed and stays off"), "{}", ran.out);
}

#[test]
fn a_file_is_edited_in_place_and_nothing_is_published() {
    let shop = Shop::published();
    let path = shop.directory.join("flags.json");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("flags.json", shop.directory.join("link.json")).unwrap();
    let ran = shop.run(["rollout", "search", "75", "--file", "link.json"]).exits(0);
    assert_eq!(ran.first(), format!("link.json on {}: rollout search", machine()));
    assert!(ran.out.contains("staging says rollout for itself, and keeps that"), "{}", ran.out);
    assert_eq!(read(&shop, "flags.json"), FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 75 } }"));
    assert!(std::fs::symlink_metadata(shop.directory.join("link.json")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["generation"], 1);
    let left: Vec<_> =
        std::fs::read_dir(&shop.directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");

    shop.run(["rollout", "search", "5", "--file", "flags.json", "--environment", "staging"]).exits(0);
    assert!(
        read(&shop, "flags.json")
            .contains(r#""staging": { "flags": { "search": { "rollout": { "percentage": 5 } } } }"#)
    );
    shop.run(["enable", "old", "--file", "flags.json", "--environment", "production", "--dry-run"]).exits(0);
    assert!(!read(&shop, "flags.json").contains("\"production\": { \"flags\""));
    shop.run(["enable", "old", "--file", "flags.json", "--expect-generation", "1"]).exits(2);
    shop.run(["enable", "old", "--file", "-"]).exits(2);
    shop.run(["enable", "old", "--file", "none.json"]).exits(2);
}

// "Device or resource busy" was all that was said: a container often has the file alone mounted.
#[test]
fn a_file_that_is_a_mount_point_is_named_as_one() {
    let shop = Shop::published();
    shop.run(["rollout", "search", "75"]).exits(0);
    let text = r#"mount --bind flags.json flags.json && exec "$0" "$@""#;
    for arguments in [
        ["pull", "flags.json"].as_slice(),
        &["enable", "old", "--file", "flags.json"],
        &["add", "new", "--file", "flags.json"],
    ] {
        let mut shell = Command::new("unshare");
        shell.args(["--mount", "sh", "-c", text, env!("CARGO_BIN_EXE_flagstone")]).args(arguments);
        let ran = ran(shell.env("FLAGSTONE_STORE", "store").current_dir(&shop.directory).output().unwrap());
        let ran = ran.exits(2);
        assert!(
            ran.err.contains("cannot write flags.json: it is a mount point, and no other file can take its place: mount its directory instead; nothing was changed"),
            "{}",
            ran.err
        );
    }
    assert_eq!(read(&shop, "flags.json"), FLAGS);
}

#[test]
fn a_flag_is_added_to_a_file_off() {
    let shop = Shop::published();
    shop.run(["add", "new_search", "--file", "flags.json", "--owner", "search", "--expires", "2099-01-01"])
        .exits(0);
    let text = read(&shop, "flags.json");
    assert!(
        text.contains("\"old\": false,\n    \"new_search\": { \"enabled\": false, \"owner\": \"search\", \"expires\": \"2099-01-01\" }\n"),
        "{text}"
    );
    shop.run(["check", "flags.json"]).exits(0);
    let ran = shop.run(["add", "new_search", "--file", "flags.json"]).exits(1);
    assert!(ran.err.contains("there is a flag \"new_search\" already"), "{}", ran.err);
    let ran = shop.run(["add", "x", "--file", "flags.json", "--expires", "soon"]).exits(1);
    assert!(ran.err.contains("with that change there would be an error"), "{}", ran.err);
}

#[test]
fn a_word_names_a_hundred_companies_at_most() {
    let shop = Shop::published();
    let mut command = shop.command(["allow", "search"]);
    let companies: Vec<String> = (0..100).map(|number| format!("{}{number}", "x".repeat(1_000))).collect();
    ran(command.args(&companies).output().unwrap()).exits(0);
    let shown = shop.run(["show", "search", "--json"]).exits(0).json();
    assert_eq!(shown["definition"]["companies"]["allow"].as_array().unwrap().len(), 100);
    let ran = ran(shop.command(["deny", "search"]).args(&companies).arg("one").output().unwrap()).exits(1);
    assert!(ran.err.contains("found 101 companies, expected at most 100 at once"), "{}", ran.err);
}

#[test]
fn people_at_flags_of_their_own_do_not_get_in_each_others_way() {
    // 44 of 120 such changes were refused once.
    let shop = Shop::published();
    let flags = ["search", "by_user", "old"];
    std::thread::scope(|scope| {
        for flag in flags {
            let shop = &shop;
            scope.spawn(move || {
                for percentage in 1..=10 {
                    shop.run(["rollout", flag, &percentage.to_string(), "--yes"]).exits(0);
                }
            });
        }
    });
    for flag in flags {
        let shown = shop.run(["show", flag, "--json"]).exits(0).json();
        assert_eq!(shown["definition"]["rollout"]["percentage"], 10, "{flag}");
    }
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["generation"], 31);
    assert_eq!(shop.run(["audit", "--json"]).exits(0).json()["ok"], true);
}

#[test]
fn of_changes_made_at_once_each_is_there_or_was_refused() {
    let shop = Shop::published();
    let runs: Vec<_> = (100..112)
        .map(|company: i32| {
            let company = company.to_string();
            let child = shop
                .command(["allow", "search", &company])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            (company, child)
        })
        .collect();
    let mut done = Vec::new();
    for (company, child) in runs {
        let ran = ran(child.wait_with_output().unwrap());
        match ran.code {
            0 => done.push(company.parse::<i64>().unwrap()),
            _ => assert!(
                ran.code == 1 && ran.err.contains("the flag was changed; nothing was changed"),
                "{} {}",
                ran.out,
                ran.err
            ),
        }
    }
    let shown = shop.run(["show", "search", "--json"]).exits(0).json();
    assert!(!done.is_empty());
    assert_eq!(shown["definition"]["companies"]["allow"], serde_json::json!(done));
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["generation"], 1 + done.len());
}

// A command took 100 ids or so, and denying a list of companies took a loop around it.
#[test]
fn companies_come_from_a_file() {
    let shop = Shop::published();
    let ids: String = (1..=20_000).map(|id| format!("{id}\n")).collect();
    shop.write("broken.txt", format!("{ids}acme-eu\r\n7\n"));
    let ran = shop.run(["deny", "search", "--from-file", "broken.txt"]).exits(0);
    assert!(
        ran.out.contains("search: 50 %, as before but that 20,001 companies more are denied"),
        "{}",
        ran.out
    );
    for company in ["1", "20000", "acme-eu"] {
        let json = shop.run(["explain", "search", "--company", company, "--json"]).exits(0).json();
        assert_eq!(json["reason"], "denied", "{company}");
    }
    shop.write("two.json", r#"[15, "a, b"]"#);
    shop.run(["allow", "search", "--from-file", "two.json", "16"]).exits(0);
    for company in ["15", "16", "a, b"] {
        shop.run(["ask", "search", "--literal", "--company", company]).exits(0);
    }
    let mut command = shop.command(["forget", "search", "--from-file", "-", "--dry-run"]);
    command.stdin(std::fs::File::open(shop.directory.join("two.json")).unwrap());
    let ran = crate::shop::ran(command.output().unwrap()).exits(0);
    assert!(ran.out.contains("nothing was changed"), "{}", ran.out);
    // In a file of definitions as well.
    shop.run(["deny", "billing_v2", "--from-file", "two.json", "--file", "flags.json"]).exits(0);
    let flags = std::fs::read_to_string(shop.directory.join("flags.json")).unwrap();
    assert!(flags.contains("\"a, b\""), "{flags}");
    let ran = shop.run(["deny", "search"]).exits(2);
    assert!(ran.err.contains("--from-file"), "{}", ran.err);
}

// "id,name" and "1,acme" counted as companies.
#[test]
fn a_table_whose_companies_nothing_names_is_refused_as_a_list() {
    let shop = Shop::published();
    let before = shop.run(["status", "--json"]).json()["store"]["generation"].clone();
    for (text, problem) in [
        ("1,acme\n", "list:1: found columns"),
        ("id,company_id\n1,2\n", "list:1: found columns"),
        ("1\n2\n3;acme\n", "list:3: found columns"),
        ("1\tacme\n", "list:1: found columns"),
        ("'1'\n'2'\n", "list:1: found quotes"),
        ("firma\n1\n2\n", "list:1: found \"firma\""),
        ("1.0\n", "list:1: found \"1.0\", a number as a spreadsheet writes it; write 1"),
        ("company_id\n", "list: found no company"),
        ("\n \n", "list: found no company"),
        ("1\n2\n\0\n", "list:3: found"),
    ] {
        shop.write("list", text);
        for arguments in [
            ["deny", "search", "--from-file", "list"],
            ["rollout", "search", "1", "--count-for=list"],
            ["simulate", "search", "--percentage=1", "--companies=list"],
        ] {
            if problem.contains("no company") && arguments[0] != "deny" {
                continue;
            }
            let ran = shop.run(arguments).exits(2);
            assert!(ran.err.contains(problem), "{arguments:?} {text:?}: {}", ran.err);
        }
    }
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["generation"], before);
    // One that the store's config names is asked about, as one that cannot be read.
    shop.write("list", "1,acme\n");
    shop.run(["config", "companies", "list"]).exits(0);
    let ran = shop.run(["rollout", "search", "1"]).exits(1);
    assert!(ran.err.contains("found columns") && ran.err.contains("With --yes"), "{}", ran.err);
    shop.run(["rollout", "search", "1", "--yes"]).exits(0);
}

#[test]
fn the_kill_of_a_deleted_flag_holds_until_it_is_revived() {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.write("flags.json", r#"{"flags": {"gone": true, "other": true, "third": true}}"#);
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["kill", "gone", "--reason", "errors"]).exits(0);
    shop.write("flags.json", r#"{"flags": {"other": true, "third": true}}"#);
    shop.run(["publish", "flags.json"]).exits(0);
    let ran = shop.run(["delete", "gone"]).exits(0);
    let told = "the kill of gone holds in case a rollback brings it back; `flagstone revive gone` ends it, and frees its place";
    assert!(ran.out.contains(told), "{}", ran.out);
    // What was killed does not come on because it was deleted in between.
    shop.run(["rollback", "--yes"]).exits(0);
    assert_eq!(shop.run(["ask", "gone", "--json"]).exits(1).json()["reason"], "killed");
    shop.run(["delete", "gone"]).exits(0);
    shop.run(["revive", "gone"]).exits(0);
    assert_eq!(shop.run(["status", "--json"]).exits(0).json()["killed"], serde_json::json!([]));
}

#[test]
fn a_flag_is_deleted_once_its_file_no_longer_has_it() {
    let shop = Shop::published();
    let ran = shop.run(["delete", "old"]).exits(1);
    assert!(ran.err.contains("old is in the file of definitions: take it out there"), "{}", ran.err);
    let mut file: serde_json::Value = serde_json::from_str(FLAGS).unwrap();
    let flags = file["flags"].as_object_mut().unwrap();
    flags.remove("old");
    flags.remove("billing_v2");
    for flag in flags.values_mut().filter_map(|flag| flag.as_object_mut()) {
        flag.remove("requires");
    }
    shop.write("flags.json", file.to_string());
    shop.run(["publish", "flags.json", "--yes"]).exits(0);
    let ran = shop.run(["delete", "old", "--dry-run"]).exits(0);
    assert!(ran.out.contains("old: off → deleted") && ran.out.contains("nothing was changed"), "{}", ran.out);
    shop.run(["show", "old"]).exits(0);
    shop.run(["delete", "old", "--expect-generation", "1"]).exits(1);
    shop.run(["delete", "old", "--reason", "done"]).exits(0);
    shop.run(["show", "old"]).exits(2);
    let ran = shop.run(["delete", "old"]).exits(0);
    assert!(ran.out.contains("old: deleted already; nothing was changed"), "{}", ran.out);
    let ran = shop.run(["delete", "older"]).exits(1);
    assert!(ran.err.contains("there is no flag \"older\""), "{}", ran.err);
    assert!(shop.run(["history"]).exits(0).out.contains("delete old, publish 3"));
    shop.run(["audit", "--verify"]).exits(0);
    // The file that is published brings nothing back.
    assert!(shop.run(["publish", "flags.json"]).exits(0).out.contains("nothing to publish"));
    // What the file no longer says of a flag it has is kept: the flag is required all the same.
    let ran = shop.run(["delete", "billing_v2", "--yes"]).exits(1);
    assert!(ran.err.contains("customer_portal requires billing_v2"), "{}", ran.err);
}

// `search: 50 % → on` was all that a dry run said, by which artisan asks as well.
#[test]
fn a_dry_run_says_that_the_flag_is_killed() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "x"]).exits(0);
    let line = ["enable", "search", "--percentage", "100", "--dry-run"];
    let ran = shop.run(line).exits(0);
    assert!(ran.out.contains("killed since ") && ran.out.contains("`flagstone revive search"), "{}", ran.out);
    let [enable, search, percentage, full, dry] = line;
    let notes =
        shop.run([enable, search, percentage, full, dry, "--json"]).exits(0).json()["notes"].to_string();
    assert!(notes.contains("killed since "), "{notes}");
    shop.write("more.json", FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 100 } }"));
    let ran = shop.run(["publish", "more.json", "--dry-run"]).exits(0);
    assert!(ran.out.contains("search is killed and stays off"), "{}", ran.out);
}

// It was listed as `on`.
#[test]
fn a_flag_that_some_are_denied_is_not_listed_as_on_alone() {
    let shop = Shop::published();
    let ran = shop.run(["deny", "billing_v2", "7"]).exits(0);
    assert!(ran.out.contains("billing_v2: on, as before but that 1 company more is denied"), "{}", ran.out);
    for ran in [shop.run(["list"]), shop.run(["show", "billing_v2"])] {
        assert!(ran.out.contains("on, 1 denied"), "{}", ran.out);
    }
}

// The line went to the store of FLAGSTONE_STORE, or to none.
#[test]
fn a_line_to_type_names_the_store_that_was_named() {
    let shop = Shop::published();
    let said = |mut command: std::process::Command| crate::shop::ran(command.output().unwrap()).exits(0).out;
    let named = ["kill", "search", "--reason", "x", "--store", "store"];
    assert!(
        said(shop.command(named)).contains("until `flagstone revive search`"),
        "the default, named again"
    );
    let mut command = shop.command(["kill", "by_user", "--reason", "x", "--store", "store"]);
    command.env_remove("FLAGSTONE_STORE");
    assert!(said(command).contains("until `flagstone --store store revive by_user`"));
    let mut command = shop.command(["show", "search", "--store", "./store"]);
    command.env("FLAGSTONE_STORE", "other");
    assert!(said(command).contains("`flagstone --store ./store revive search --reason WHY`"));
}
