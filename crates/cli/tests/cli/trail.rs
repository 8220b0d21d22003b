//! The audit trail: who is named in it, how it is read, and that nobody forges a line of it.

use crate::shop::{FLAGS, Shop, ran};

fn account() -> String {
    ran(std::process::Command::new("id").arg("-un").output().unwrap()).out.trim().to_owned()
}

/// After the restore that operations.md shows, "the hashes made to fit" read like a forgery.
#[test]
fn a_trail_from_a_backup_is_told_from_a_forged_one_and_whole_without_the_newer_snapshots() {
    let shop = Shop::published();
    let shell = |line: &str| {
        let mut command = std::process::Command::new("sh");
        ran(command.args(["-ec", line]).current_dir(&shop.directory).output().unwrap()).exits(0)
    };
    shell("cp -a store restored");
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let set = |percentage: &str| shop.run(["rollout", "search", percentage, "--yes"]).exits(0);
    set("60");
    set("70");
    shell("cp -a restored/audit.jsonl store/audit.jsonl.new && mv store/audit.jsonl.new store/audit.jsonl");
    shell(
        "cp -a --sparse=never --reflink=never restored/head store/head.new && mv store/head.new store/head",
    );
    // The kill is off, silently.
    shop.run(["ask", "search", "--company", "2"]).exits(0);
    // What is changed now takes the numbers of records that the newer snapshots name otherwise.
    set("55");
    set("56");
    let found = shop.run(["audit", "--verify"]).exits(1);
    assert!(
        found.out.contains("; or the trail was restored from a backup that is older than that snapshot"),
        "{}",
        found.out
    );
    shell(
        "ls store/snapshots >&2; newer=$(ls store/snapshots | sed -n '2,3p'); cd store/snapshots && rm $newer",
    );
    let whole = shop.run(["audit", "--verify"]).exits(0);
    assert!(whole.first().starts_with("whole: "), "{}", whole.out);
}

#[test]
fn the_actor_is_who_was_named_first_and_the_account_is_recorded_beside_it() {
    let shop = Shop::published();
    let last = || shop.run(["history", "--json", "--limit", "1"]).json()["changes"][0]["actor"].clone();
    let kill = |options: &[&str], variables: &[(&str, &str)]| {
        let mut command = shop.command(["kill", "search", "--reason", "slow"]);
        ran(command.args(options).envs(variables.iter().copied()).output().unwrap()).exits(0);
        let actor = last();
        shop.run(["revive", "search"]).exits(0);
        actor
    };
    let (sudo, named) = (("SUDO_USER", "sam"), ("FLAGSTONE_ACTOR", "fay"));
    assert_eq!(kill(&["--actor", "alice"], &[named, sudo])["user"], "alice");
    assert_eq!(kill(&[], &[named, sudo])["user"], "fay");
    assert_eq!(kill(&[], &[("FLAGSTONE_ACTOR", " \n"), sudo])["user"], "sam");
    let actor = kill(&[], &[sudo]);
    assert_eq!((&actor["user"], &actor["account"]), (&"sam".into(), &account().into()));
    let actor = kill(&[], &[("SUDO_USER", &account())]);
    assert_eq!((&actor["user"], actor.get("account")), (&account().into(), None));
    shop.run(["kill", "search", "--reason", "slow", "--actor", "Alice"]).exits(0);
    let ran = shop.run(["history", "--limit", "1"]).exits(0);
    assert!(ran.out.contains(&format!("Alice ({}@", account())), "{}", ran.out);
    shop.run(["kill", "search", "--reason", "slow", "--actor", " "]).exits(2);
}

#[test]
fn the_trail_is_listed_by_flag_and_by_time() {
    let shop = Shop::published();
    shop.run(["disable", "search", "--reason", "wrong totals"]).exits(0);
    shop.run(["kill", "old", "--reason", "slow"]).exits(0);
    let ran = shop.run(["audit"]).exits(0);
    let first: Vec<&str> = ran
        .out
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|word| word.parse::<u64>().is_ok())
        .collect();
    assert_eq!(first, ["1", "2", "3", "4", "5", "6"], "oldest first: {}", ran.out);
    assert!(ran.out.contains("kill old done, generation 2, by "), "{}", ran.out);
    let seqs = |arguments: &[&str]| {
        let mut command = shop.command(["audit", "--json"]);
        let json = ran_json(command.args(arguments));
        json["trail"]
            .as_array()
            .unwrap()
            .iter()
            .map(|record| record["seq"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(seqs(&["--flag", "search"]), [2, 4, 5]);
    assert_eq!(seqs(&["--flag", "old", "--since", "1h"]), [2, 6]);
    assert_eq!(seqs(&["--since", "2099-01-01"]).len(), 0);
    assert_eq!(seqs(&["--since", "2020-01-01T00:00:00Z"]).len(), 6);
    let ran = shop.run(["audit", "--since", "yesterday"]).exits(2);
    assert!(ran.err.contains("7d"), "{}", ran.err);
    assert_eq!(shop.run(["audit", "--verify"]).exits(0).out.lines().count(), 1);
}

fn ran_json(command: &mut std::process::Command) -> serde_json::Value {
    ran(command.output().unwrap()).exits(0).json()
}

#[test]
fn a_line_that_was_edited_dropped_moved_or_cut_off_is_named_by_its_number() {
    let shop = Shop::published();
    for company in ["1", "2", "3"] {
        shop.run(["allow", "search", company]).exits(0);
    }
    let path = shop.directory.join("store/audit.jsonl");
    let lines: Vec<String> = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 9);
    let bad_line = |lines: &[String]| {
        std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        let ran = shop.run(["audit"]).exits(1);
        let last = ran.out.lines().rev().find(|line| line.starts_with("broken at line ")).expect("a verdict");
        last.strip_prefix("broken at line ").unwrap().split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    for number in 1..=9 {
        let mut edited = lines.clone();
        edited[number - 1] = edited[number - 1].replacen("production", "productiom", 1);
        assert_eq!(bad_line(&edited), number, "edited");
        let mut dropped = lines.clone();
        dropped.remove(number - 1);
        assert_eq!(bad_line(&dropped), number, "dropped");
        assert_eq!(bad_line(&lines[..number - 1]), number, "cut off");
        let mut half = lines[..number].to_vec();
        half[number - 1].truncate(40);
        assert_eq!(bad_line(&half), number, "cut in the middle");
        if number < 9 {
            let mut moved = lines.clone();
            moved.swap(number - 1, number);
            assert_eq!(bad_line(&moved), number, "moved");
        }
    }
    std::fs::write(&path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    shop.run(["audit"]).exits(0);
}

#[test]
fn no_text_from_people_forges_a_line_or_colours_a_terminal() {
    let evil = "x\n{\"seq\":99}\r\x1b[31mred\x1b[0m\u{202e}\u{200b}\u{85}\u{9b}";
    let shop = Shop::published();
    let harmless = |text: &str| {
        let bad = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{200b}\u{85}\u{9b}".contains(c);
        assert!(!text.contains(bad), "{text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("{\"seq\":99}") || line.starts_with("red")),
            "{text:?}"
        );
    };
    shop.write(&format!("{}.json", evil.replace('/', "")), crate::shop::FLAGS.replace("50 }", "51 }"));
    let file = format!("{}.json", evil.replace('/', ""));
    for arguments in [
        &["kill", "search", "--reason", evil, "--actor", evil][..],
        &["kill", evil, "--reason", "x", "--force"],
        &["revive", evil],
        &["enable", evil],
        &["disable", "search", "--reason", evil, "--actor", evil],
        &["stop-all", "--yes", "--reason", evil, "--actor", evil],
        &["stop-all", "--environment", evil, "--reason", evil],
        &["resume-all", "--reason", evil],
        &["rollback", "--reason", evil],
        &["publish", &file, "--reason", evil],
        &["publish", "no\x1b[31m.json"],
        &["enable", "old", "--count-for", "no\x1b[31m.txt"],
        &["config", evil, evil],
        &["config", "companies", evil],
        &["config"],
        &["status"],
        &["history"],
        &["audit"],
        &["audit", "--flag", evil],
        &["list"],
    ] {
        let ran = ran(shop.command([]).args(arguments).output().unwrap());
        harmless(&ran.out);
        harmless(&ran.err);
    }
    let trail = std::fs::read_to_string(shop.directory.join("store/audit.jsonl")).unwrap();
    harmless(&trail);
    assert!(trail.lines().all(|line| line.starts_with("{\"seq\":")));
    shop.run(["audit", "--verify"]).exits(0);
    let ran = shop.run(["audit", "--json"]).exits(0);
    assert_eq!(ran.out.lines().count(), 1);
}

/// `resume-all` revived flags whose kill neither the head's damaged slots nor the trail had, and warned afterwards.
/// `status` gave the reason of an earlier kill, which had been revived.
#[test]
fn a_kill_without_a_record_has_no_reason_of_an_earlier_one() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "earlier"]).exits(0);
    shop.run(["revive", "search"]).exits(0);
    let path = |name: &str| shop.directory.join("store").join(name);
    std::fs::rename(path("audit.jsonl"), path("aside")).unwrap();
    std::fs::create_dir(path("audit.jsonl")).unwrap();
    shop.run(["kill", "search", "--reason", "now"]).exits(0);
    std::fs::remove_dir(path("audit.jsonl")).unwrap();
    std::fs::rename(path("aside"), path("audit.jsonl")).unwrap();
    let status = shop.run(["status"]).out;
    assert!(status.contains("search, since 20") && !status.contains("earlier"), "{status}");
}

#[test]
fn a_resume_that_may_revive_killed_flags_is_refused_and_told_of_everywhere() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let head = std::fs::OpenOptions::new().write(true).open(shop.directory.join("store/head")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&head, &[0; 61_440], 4_096).unwrap();
    let told = |text: &str| {
        let said =
            "1 of its kill slots are damaged, so which flags are killed is not known. By the audit trail ";
        assert!(text.contains(said) && text.contains("flagstone resume-all --force"), "{text}");
    };
    let whole = shop.run(["status"]).exits(1).out;
    told(&whole);
    assert!(whole.contains("search is killed"), "{whole}");
    std::fs::write(shop.directory.join("store/audit.jsonl"), "").unwrap();
    told(&shop.run(["status"]).exits(1).out);
    told(&shop.run(["health"]).out);
    told(&shop.run(["incident"]).exits(0).out);
    told(&shop.run(["doctor", "--skip", "php"]).exits(1).out);
    told(&shop.run(["revive", "search"]).exits(0).err);
    told(&shop.run(["resume-all"]).exits(1).err);
    shop.run(["ask", "search", "--company", "2"]).exits(1);
    let forced = shop.run(["resume-all", "--force"]).exits(0);
    assert!(forced.err.contains("the audit trail cannot be relied on"), "{}", forced.err);
    shop.run(["ask", "search", "--company", "2"]).exits(0);
}

/// The line that every error named was refused.
#[test]
fn the_head_of_a_new_store_put_back_is_mended_by_the_line_that_errors_name() {
    let shop = Shop::empty();
    shop.write("flags.json", FLAGS);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    let new = std::fs::read(shop.directory.join("store/head")).unwrap();
    shop.run(["publish", "flags.json"]).exits(0);
    shop.run(["disable", "search", "--reason", "wrong totals"]).exits(0);
    let head = std::fs::OpenOptions::new().write(true).open(shop.directory.join("store/head")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&head, &new, 0).unwrap();
    for refused in [shop.run(["rollback", "--yes"]), shop.run(["publish", "flags.json"])] {
        let refused = refused.exits(1);
        assert!(refused.err.contains("flagstone rollback --to 2"), "{}", refused.err);
    }
    shop.run(["rollback", "--to", "2", "--yes"]).exits(0);
    shop.run(["ask", "search", "--company", "2"]).exits(1);
    assert!(!shop.run(["status"]).exits(0).out.contains("trouble"));
}

/// An older copy of the head was taken for the newest, and rollbacks led further back.
#[test]
fn a_head_that_went_back_is_told_of_everywhere_and_mended_by_the_line_that_they_name() {
    let shop = Shop::published();
    let older = std::fs::read(shop.directory.join("store/head")).unwrap();
    shop.run(["disable", "search", "--reason", "wrong totals"]).exits(0);
    shop.run(["kill", "billing_v2", "--reason", "slow"]).exits(0);
    let head = std::fs::OpenOptions::new().write(true).open(shop.directory.join("store/head")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&head, &older, 0).unwrap();
    let told = |text: &str| {
        let said = "by the audit trail it lacks generation 2, type: flagstone rollback --to 2";
        assert!(text.contains(said) && text.contains("the kill of billing_v2"), "{text}");
    };
    told(&shop.run(["status"]).out);
    told(&shop.run(["health"]).out);
    told(&shop.run(["doctor", "--skip", "php"]).exits(1).out);
    let refused = [
        shop.run(["rollback", "--yes"]).exits(1),
        shop.run(["rollout", "search", "70", "--reason", "more"]).exits(1),
    ];
    for refused in refused {
        assert!(refused.err.contains("flagstone rollback --to 2"), "{}", refused.err);
    }
    let mended = shop.run(["rollback", "--to", "2", "--yes"]).exits(0);
    assert!(mended.err.contains("made again by the audit trail: the kill of billing_v2"), "{}", mended.err);
    shop.run(["ask", "search", "--company", "2"]).exits(1);
    shop.run(["ask", "billing_v2", "--company", "2"]).exits(1);
    assert!(!shop.run(["status"]).exits(0).out.contains("trouble"));
}

// Author and reason of a kill became those of whoever typed it again, and history read as if it had killed the flag twice.
#[test]
fn a_kill_or_a_stop_that_is_typed_again_keeps_the_author_and_the_reason_of_the_first() {
    let shop = Shop::published();
    let type_as = |who: &str, typed: &[&str]| {
        ran(shop.command([]).args(typed).args(["--actor", who]).output().unwrap()).exits(0)
    };
    type_as("ann", &["kill", "billing_v2", "--reason", "wrong totals"]);
    type_as("bob", &["kill", "billing_v2", "--reason", "still wrong"]);
    let company = shop.run(["history", "--company", "15", "--json"]).exits(0).json();
    let off = |turn: &&serde_json::Value| turn["flag"] == "billing_v2" && turn["after"]["on"] == false;
    let turns: Vec<_> = company["turns"].as_array().unwrap().iter().filter(off).collect();
    assert_eq!((turns.len(), &company["untold"]), (1, &serde_json::json!([])), "{company:#}");
    assert_eq!(turns[0]["cause"]["reason"], "wrong totals");
    type_as("ann", &["stop-all", "--yes", "--reason", "fire"]);
    type_as("bob", &["stop-all", "--yes", "--reason", "smoke"]);
    for asked in [&["status"][..], &["show", "billing_v2"], &["incident"]] {
        let lines = ran(shop.command([]).args(asked).output().unwrap()).exits(0).out;
        for reason in ["wrong totals", "fire"] {
            let since =
                |line: &str| line.contains(" since ") && line.contains("by ann") && line.contains(reason);
            assert!(lines.lines().any(since), "{reason}: {lines}");
        }
    }
    assert!(shop.run(["list"]).out.contains(": fire; "));
    let history = shop.run(["history"]).exits(0).out;
    for (what, why) in
        [("kill billing_v2 (it was already)", "still wrong"), ("stop-all (it was already)", "smoke")]
    {
        assert!(history.lines().any(|line| line.contains(what) && line.contains(why)), "{history}");
    }
    let incident = shop.run(["incident", "--json"]).json();
    let again =
        incident["changes"].as_array().unwrap().iter().find(|change| change["reason"] == "still wrong");
    assert_eq!(again.unwrap()["back"], serde_json::Value::Null);
}
