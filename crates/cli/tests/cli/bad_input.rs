//! What users get wrong, and what machines do to them.

use crate::shop::{FLAGS, Shop, ran};
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_typo_in_the_word_is_answered_with_the_nearest() {
    let shop = Shop::empty();
    let ran = shop.run(["expalin", "search"]).exits(2);
    assert!(ran.err.contains("'explain'"), "{}", ran.err);
    shop.run(["ask", "search", "--comapny", "1"]).exits(2);
    shop.run([]).exits(2);
}

// With --json nothing stood on standard output, where the documentation promises {"error"}.
#[test]
fn a_mistake_in_the_arguments_is_json_where_that_is_asked_for() {
    let shop = Shop::empty();
    for (arguments, text) in [
        (&["--json", "rollout", "f", "101"][..], "from 0 to 100"),
        (&["kill", "f", "--json"], "--reason"),
        (&["expalin", "--json"], "'explain'"),
        (&["enable", "f", "--json", "--store"], "--store"),
    ] {
        let mut command = shop.command([]);
        let ran = ran(command.args(arguments).output().unwrap()).exits(2);
        let json = ran.json();
        let error = json["error"].as_str().unwrap();
        assert!(error.contains(text) && !error.contains("For more information"), "{error}");
        assert!(ran.err.contains(text), "{}", ran.err);
    }
    let ran = shop.run(["--json", "--help"]).exits(0);
    assert!(ran.out.contains("Options:"), "{}", ran.out);
    // Behind `--` it is a value.
    assert_eq!(shop.run(["rollout", "f", "101", "--", "--json"]).exits(2).out, "");
}

// They took --json and printed text.
#[test]
fn commands_that_print_text_only_refuse_json() {
    let shop = Shop::published();
    for arguments in [&["metrics"][..], &["completions", "bash"], &["man"], &["help"]] {
        let mut command = shop.command(["--json"]);
        let ran = ran(command.args(arguments).output().unwrap()).exits(2);
        assert!(ran.json()["error"].as_str().unwrap().contains("prints no JSON"), "{}", ran.out);
    }
}

// `probe --json` kept "1 error: nothing was sent", and lost the places.
#[test]
fn problems_of_a_file_keep_their_places_in_json() {
    let shop = Shop::published();
    shop.write("probes.json", "{\"probes\": [{\"url\": \"/\", \"expct\": {}}]}");
    shop.write("broken.json", "{\"flags\": {\"a\": {\"enabld\": true}}}");
    for arguments in [&["probe", "probes.json"][..], &["diff", "1", "broken.json"]] {
        let mut command = shop.command(["--json"]);
        let json = ran(command.args(arguments).output().unwrap()).exits(2).json();
        assert!(json["error"].as_str().unwrap().contains(" error"), "{json:#}");
        assert_eq!(json["problems"][0]["line"], 1, "{json:#}");
        assert!(json["problems"][0]["column"].is_u64(), "{json:#}");
    }
}

#[test]
fn a_machines_command_that_is_text_is_told_what_to_type() {
    let shop = Shop::published();
    let ran = shop.run(["config", "machines.web-2", "ssh web-2 flagstone"]).exits(1);
    assert!(ran.err.contains(r#"'["ssh", "web-2", "flagstone"]'"#), "{}", ran.err);
}

// A flag copied from a message in Slack: it has no such flag, "customer\u{2060}_portal".
#[test]
fn a_flag_copied_from_a_chat_is_found() {
    let shop = Shop::published();
    shop.run(["kill", "customer\u{2060}_portal", "--reason", "x"]).exits(0);
    shop.run(["explain", "customer\u{2060}_portal", "--company", "1"]).exits(0);
    let ran = shop.run(["revive", "customer\u{2060}_portal"]).exits(0);
    assert!(ran.out.contains("revived customer_portal"), "{}", ran.out);
}

#[test]
fn a_snapshot_that_was_cut_off_says_so() {
    let shop = Shop::published();
    let snapshots = std::fs::read_dir(shop.directory.join("store/snapshots")).unwrap();
    let path = snapshots.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some()).unwrap();
    let bytes = std::fs::read(path).unwrap();
    shop.write("cut.snap", &bytes[..600]);
    let ran = shop.run(["inspect", "cut.snap"]).exits(1);
    assert!(ran.err.contains("it was cut off"), "{}", ran.err);
}

#[test]
fn without_a_store_named_the_command_asks_which() {
    let shop = Shop::empty();
    for store in [None, Some("")] {
        let mut command = shop.command(["status"]);
        command.env_remove("FLAGSTONE_STORE");
        store.map(|store| command.env("FLAGSTONE_STORE", store));
        let ran = ran(command.output().unwrap()).exits(2);
        assert!(ran.err.contains("--store DIR") && ran.err.contains("FLAGSTONE_STORE"), "{}", ran.err);
    }
}

#[test]
fn a_store_that_is_not_there_cannot_be_told() {
    let shop = Shop::empty();
    for command in [["status"], ["list"], ["history"], ["audit"], ["inspect"]] {
        let ran = shop.run(command).exits(2);
        assert!(ran.err.contains("make one with `flagstone init "), "{command:?}: {}", ran.err);
    }
    // A deployment's first publish, or an incident's kill, on a machine whose store nobody has made.
    shop.write("flags.json", r#"{"flags": {}}"#);
    for command in [["publish", "flags.json"], ["enable", "search"], ["revive", "search"], ["plan", "tick"]] {
        let ran = shop.run(command);
        assert!(ran.err.contains("make one with `flagstone init "), "{command:?}: {}", ran.err);
    }
    std::fs::create_dir(shop.directory.join("store")).unwrap();
    let ran = shop.run(["status"]).exits(2);
    assert!(ran.err.contains("put it back first"), "{}", ran.err);
}

#[test]
fn an_empty_store_says_that_nothing_is_published() {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    for arguments in [["ask", "search"], ["explain", "search"], ["show", "search"]] {
        let ran = shop.run(arguments).exits(2);
        assert!(ran.err.contains("nothing is published"), "{}", ran.err);
    }
    shop.run(["status"]).exits(0);
    shop.run(["kill", "search", "--reason", "x"]).exits(1);
    shop.run(["rollback"]).exits(1);
}

#[test]
fn a_store_that_others_could_change_is_refused_with_what_to_type() {
    let shop = Shop::published();
    let store = shop.directory.join("store");
    std::fs::set_permissions(&store, Permissions::from_mode(0o777)).unwrap();
    for (arguments, code) in
        [(&["ask", "search"][..], 2), (&["status"], 2), (&["kill", "search", "--reason=x"], 1)]
    {
        let ran = ran(shop.command([]).args(arguments).output().unwrap()).exits(code);
        assert!(ran.err.contains("chmod") && ran.err.contains(store.to_str().unwrap()), "{}", ran.err);
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let shop = Shop::published();
    for arguments in [&["check", "no.json"][..], &["publish", "no.json"], &["diff", "1", "no.json"]] {
        let ran = ran(shop.command([]).args(arguments).output().unwrap()).exits(2);
        assert!(ran.err.contains("no.json: No such file"), "{}", ran.err);
    }
    shop.run(["check", "."]).exits(2);
    shop.run(["simulate", "search", "--percentage", "1", "--companies", "no.ids"]).exits(2);
    shop.run(["inspect", "no.snapshot"]).exits(2);
    shop.run(["inspect", "flags.json"]).exits(1);
}

#[test]
fn what_is_no_number_no_time_and_no_context_is_refused_in_words() {
    let shop = Shop::published();
    shop.write("ids", "1\n");
    for percentage in ["ten", "101", "-1", "0.1234", ""] {
        let ran = shop.run(["simulate", "search", "--companies", "ids", "--percentage", percentage]).exits(2);
        assert!(ran.err.contains("from 0 to 100 with up to three decimals"), "{percentage}: {}", ran.err);
    }
    let ran = shop.run(["ask", "search", "--at", "tomorrow"]).exits(2);
    assert!(ran.err.contains("2026-12-01T08:00:00Z"), "{}", ran.err);
    let ran = shop.run(["ask", "search", "--context", ""]).exits(2);
    assert!(ran.err.contains("--context: found an empty value"), "{}", ran.err);
    for context in ["[1]", "7", "{", "{'a': 1}"] {
        let ran = shop.run(["ask", "search", "--context", context]).exits(2);
        assert!(ran.err.contains("expected a JSON object such as"), "{context}: {}", ran.err);
    }
    shop.run(["rollback", "--to", "one"]).exits(2);
    shop.run(["kill", "search"]).exits(2);
    shop.run(["kill", "search", "--reason", " "]).exits(2);
}

#[test]
fn what_is_no_company_is_named_with_its_place() {
    let shop = Shop::published();
    let simulate = |text: &str| {
        shop.write("ids", text);
        shop.run(["simulate", "search", "--percentage", "1", "--companies", "ids"])
    };
    assert!(simulate("[1,\n true]").exits(2).err.contains("ids:2:5:"));
    assert!(simulate(&format!("1\n{}\n", "x".repeat(2000))).exits(2).err.contains("ids:2:"));
    simulate("").exits(0);
}

#[test]
fn duplicates_marks_and_broken_text_are_told_with_their_place() {
    let shop = Shop::empty();
    let check = |bytes: &[u8]| {
        shop.write("flags.json", bytes);
        shop.run(["check", "flags.json"])
    };
    let twice = check(br#"{"flags": {"a": true, "a": false}}"#).exits(1);
    assert!(twice.out.contains("flags.json:1:23: "), "{}", twice.out);
    let marked = check(&[b"\xef\xbb\xbf", FLAGS.as_bytes()].concat());
    assert!(marked.code == 0 || marked.out.contains("byte order mark"), "{}", marked.out);
    let broken = check(b"{\"flags\": {\"a\xff\": true}}").exits(1);
    assert!(broken.out.contains("UTF-8"), "{}", broken.out);
    check(b"").exits(1);
    check(&b"[".repeat(1_000_000)).exits(1);
}

#[test]
fn a_file_of_200_mb_is_refused_by_its_size() {
    let shop = Shop::published();
    File::create(shop.directory.join("huge.json")).unwrap().set_len(200_000_000).unwrap();
    for command in [["check", "huge.json"], ["publish", "huge.json"]] {
        let ran = shop.run(command).exits(1);
        assert!(ran.err.contains("64 MiB"), "{}", ran.err);
    }
    let mut command = shop.command(["check", "-"]);
    let huge = File::open(shop.directory.join("huge.json")).unwrap();
    let ran = ran(command.stdin(huge).output().unwrap()).exits(1);
    assert!(ran.err.contains("64 MiB"), "{}", ran.err);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let shop = Shop::published();
    for arguments in
        [&["list"][..], &["status"], &["inspect"], &["history", "--json"], &["completions", "bash"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = ran(shop.command([]).args(arguments).stdout(writer).output().unwrap()).exits(0);
        assert_eq!(ran.err, "", "{arguments:?}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_told() {
    let shop = Shop::published();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ran = ran(shop.command(["list"]).stdout(full).output().unwrap()).exits(2);
    assert!(ran.err.contains("standard output"), "{}", ran.err);
}

#[test]
fn a_kill_is_made_although_standard_output_is_full_and_says_so() {
    let shop = Shop::published();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let kill = shop.command(["kill", "billing_v2", "--reason", "slow"]).stdout(full).output().unwrap();
    let ran = ran(kill).exits(2);
    assert!(ran.err.contains("a change that was asked for is made"), "{}", ran.err);
    shop.run(["ask", "billing_v2"]).exits(1);
}

#[test]
fn an_environment_that_the_file_does_not_name_is_an_error_that_names_the_known_ones() {
    let shop = Shop::published();
    let said = "found the environment \"prodction\", expected one that the document names: production, staging (did you mean \"production\"?)";
    let ran = shop.run(["check", "flags.json", "--environment", "prodction"]).exits(1);
    assert!(ran.out.contains(said), "{}", ran.out);
    let ran = shop.run(["diff", "1", "flags.json", "--environment", "prodction"]).exits(2);
    assert!(ran.out.contains(said), "{}", ran.out);
    shop.run(["init", "other", "--environment", "prodction"]).exits(0);
    let ran = shop.run(["publish", "flags.json", "--store", "other"]).exits(1);
    assert!(ran.out.contains(said) && ran.out.contains("nothing was published"), "{}", ran.out);
    shop.write("flags.json", r#"{"flags": {"a": true}}"#);
    shop.run(["publish", "flags.json", "--store", "other"]).exits(0);
}

// A hundred such lines stood before the one that matters.
#[test]
fn a_publish_shows_a_few_warnings_and_counts_the_rest() {
    let shop = Shop::empty();
    let flags: Vec<String> = (0..50)
        .map(|number| format!("\"f{number}\": {{\"enabled\": true, \"rollout\": {{\"percentage\": 0}}}}"))
        .collect();
    shop.write("flags.json", format!("{{\"flags\": {{{}}}}}", flags.join(", ")));
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    let warned = |ran: &crate::shop::Ran| ran.out.lines().filter(|line| line.contains("warning:")).count();
    let ran = shop.run(["check", "flags.json"]).exits(0);
    assert_eq!(warned(&ran), 50, "{}", ran.out);
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert_eq!(warned(&ran), 5, "{}", ran.out);
    assert!(
        ran.out.contains("… and 45 more warnings: `flagstone check flags.json` shows them"),
        "{}",
        ran.out
    );
}

/// It was read to the end, up to 4 GiB, since it might have been a snapshot.
#[test]
fn a_file_of_holes_is_no_definitions_for_diff() {
    let shop = Shop::published();
    let file = std::fs::File::create(shop.directory.join("holes.json")).unwrap();
    file.set_len(3 << 30).unwrap();
    let ran = shop.run(["diff", "1", "holes.json"]).exits(1);
    assert!(ran.err.contains("found more than 64 MiB, expected at most that"), "{}", ran.err);
}
