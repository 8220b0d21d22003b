//! `history --company`: what changed for one company.

use crate::shop::Shop;

#[test]
fn the_first_line_says_what_went_off_when_by_whom_and_why() {
    let shop = Shop::published();
    shop.run(["enable", "search", "--percentage", "100"]).exits(0);
    let ran = shop.run(["history", "--company=42", "--hours", "1"]).exits(0);
    assert!(ran.first().contains("search went ON for company 42 at 20"), "{}", ran.out);
    shop.run(["kill", "search", "--reason", "wrong totals"]).exits(0);
    let ran = shop.run(["history", "--company=42"]).exits(0);
    let first = ran.first();
    assert!(first.starts_with("search went OFF for company 42 at 20"), "{first}");
    assert!(first.contains(": kill by ") && first.contains(", \"wrong totals\"; "), "{first}");
    assert!(ran.out.contains("killed"), "{}", ran.out);
}

#[test]
fn a_change_that_reached_others_only_is_said_to_have() {
    let shop = Shop::published();
    let before = shop.run(["history", "--company=7", "--json"]).exits(0).json();
    shop.run(["allow", "old", "15"]).exits(0);
    let after = shop.run(["history", "--company=7", "--json"]).exits(0).json();
    assert_eq!(before["turns"], after["turns"]);
    assert_eq!(after["changes"].as_u64(), before["changes"].as_u64().map(|changes| changes + 1));
}

#[test]
fn what_a_required_flag_took_along_is_told_with_the_flag_that_was_changed() {
    let shop = Shop::published();
    shop.run(["kill", "billing_v2", "--reason", "double entries"]).exits(0);
    let told = shop.run(["history", "--company=15", "--json"]).exits(0).json();
    let turn =
        told["turns"].as_array().unwrap().iter().find(|turn| turn["flag"] == "customer_portal").unwrap();
    assert_eq!(turn["before"]["on"], true);
    assert_eq!(turn["after"]["on"], false);
    assert_eq!(turn["after"]["prerequisite"], "billing_v2");
    assert_eq!(turn["cause"]["action"], "kill");
    assert_eq!(turn["cause"]["flag"], "billing_v2");
    assert_eq!(turn["cause"]["reason"], "double entries");
    assert_eq!(told["untold"].as_array().unwrap().len(), 0);
}

#[test]
fn a_step_of_a_schedule_is_a_change_by_time_alone() {
    let shop = Shop::published();
    let told =
        shop.run(["history", "--company=-5", "--at", "2030-12-01T09:00:00Z", "--json"]).exits(0).json();
    let turns = told["turns"].as_array().unwrap();
    assert_eq!(turns.len(), 1, "{told}");
    assert_eq!(turns[0]["flag"], "customer_portal");
    assert_eq!(turns[0]["at"], "2030-12-01T08:00:00Z");
    assert_eq!(turns[0]["cause"]["kind"], "time");
}

#[test]
fn text_from_people_cannot_reach_the_terminal_raw() {
    let shop = Shop::published();
    shop.run(["kill", "search", "--reason", "\u{1b}[2Jgone"]).exits(0);
    shop.run(["revive", "search", "--reason", "\u{1b}[2Jback"]).exits(0);
    let ran = shop.run(["history", "--company=42"]).exits(0);
    assert!(!ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn what_is_asked_wrongly_is_refused() {
    let shop = Shop::published();
    shop.run(["history", "--company=42", "--hours", "0"]).exits(2);
    shop.run(["history", "--company=42", "--at", "yesterday"]).exits(2);
    shop.run(["history", "--company="]).exits(2);
}
