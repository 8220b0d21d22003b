//! A head that went back, as an older copy that is written over it does: each command says which switches it made again.

use crate::shop::{Shop, ran};
use flagstone::transfer::ExportKey;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// A shop where the file does not say what runs, and the head lacks the kill of `search`, which the audit trail has.
fn went_back() -> Shop {
    let shop = Shop::published();
    shop.run(["rollout", "search", "40"]).exits(0);
    let head = shop.directory.join("store/head");
    let older = std::fs::read(&head).unwrap();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    File::options().write(true).open(head).unwrap().write_all_at(&older, 0).unwrap();
    shop
}

const MADE_AGAIN: &str = "made again by the audit trail: the kill of search";

// Commands that only add a record made the kill again, and did not say so.
#[test]
fn a_command_that_only_adds_a_record_says_which_kill_it_made_again() {
    let key = ExportKey::from_seed(&[7; 32]).public();
    for typed in [
        &["note", "a deploy"][..],
        &["guard", "pause", "--for", "1m", "--reason", "load test"],
        &["guard", "resume"],
        &["key", "trust", "hub", &key],
        &["pull", "flags.json"],
    ] {
        let shop = went_back();
        let ran = ran(shop.command([]).args(typed).arg("--json").output().unwrap()).exits(0);
        assert_eq!(ran.err.matches(MADE_AGAIN).count(), 1, "{typed:?}: {}", ran.err);
        assert!(ran.json()["warning"].as_str().unwrap().contains(MADE_AGAIN), "{typed:?}: {}", ran.out);
        assert!(shop.run(["show", "search"]).exits(0).out.contains("killed since"), "{typed:?}");
        let again = shop.command([]).args(typed).output().unwrap();
        assert!(again.status.success() && again.stderr.is_empty(), "{typed:?}: {again:?}");
    }
}

// The last line said that the flag answers as before, while its kill was made again.
#[test]
fn a_disable_that_fails_after_a_kill_was_made_again_does_not_say_that_nothing_was_stopped() {
    let shop = went_back();
    let snapshots = shop.directory.join("store/snapshots");
    let chattr = |flag: &str| Command::new("chattr").arg(flag).arg(&snapshots).status().unwrap();
    assert!(chattr("+i").success(), "only root can do that: sudo make test");
    let ran = shop.run(["disable", "search", "--yes"]);
    chattr("-i");
    let ran = ran.exits(2);
    assert!(ran.err.contains(MADE_AGAIN) && ran.err.contains("nothing else was changed"), "{}", ran.err);
    assert_eq!(ran.err.lines().last(), Some("PERHAPS NOT STOPPED: search may answer as before"));
    assert_eq!(shop.run(["ask", "search", "--company", "2"]).code, 1);
}

// `status` said that nothing is published yet.
#[test]
fn the_status_of_a_damaged_pointer_names_the_generation_that_answers() {
    let shop = Shop::published();
    let head = File::options().write(true).open(shop.directory.join("store/head")).unwrap();
    head.write_all_at(&[0xff], 409).unwrap();
    let status = shop.run(["status"]).out;
    assert!(status.contains("  generation   1\n") && status.contains("the next publish"), "{status}");
    shop.run(["disable", "old", "--yes"]).exits(0);
    shop.run(["rollback", "--to", "1", "--yes"]).exits(0);
}
