//! `promote`, `export` and `import`: flags on their way between stores.

use crate::shop::{FLAGS, Ran, Shop};
use std::os::unix::fs::PermissionsExt;

/// Staging with everything on, and production with what `flags` says.
fn two(flags: &str) -> Shop {
    let shop = Shop::empty();
    shop.write("flags.json", FLAGS);
    shop.write("there.json", flags);
    shop.run(["init", "staging", "--environment", "staging"]).exits(0);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json", "--store", "staging"]).exits(0);
    shop.run(["publish", "there.json"]).exits(0);
    shop
}

const EMPTY: &str = r#"{"flags": {}}"#;

fn flag(shop: &Shop, key: &str) -> serde_json::Value {
    shop.run(["inspect", "--definitions"]).exits(0).json()["flags"][key].clone()
}

fn last(shop: &Shop) -> serde_json::Value {
    let trail = std::fs::read_to_string(shop.directory.join("store/audit.jsonl")).unwrap();
    serde_json::from_str(trail.lines().last().unwrap()).unwrap()
}

#[test]
fn what_is_on_in_staging_arrives_in_production_off_and_without_companies() {
    let shop = two(EMPTY);
    let ran = shop.run(["promote", "customer_portal", "--from", "staging", "--reason", "release"]).exits(0);
    assert!(
        ran.first().starts_with("production on ")
            && ran.first().ends_with(": promote customer_portal from staging")
    );
    let portal = flag(&shop, "customer_portal");
    assert_eq!(portal["enabled"], false);
    assert_eq!(portal["rollout"]["percentage"], 0);
    assert!(portal.get("companies").is_none() && portal.get("schedule").is_none(), "{portal}");
    assert_eq!(portal["rules"][0]["name"], "enterprise in DACH");
    // What it needs travels along, off as well.
    assert_eq!(flag(&shop, "billing_v2")["enabled"], false);
    assert!(flag(&shop, "search").is_null());
    let record = last(&shop);
    assert_eq!(record["action"], "promote");
    assert_eq!(
        (&record["origin"]["environment"], &record["origin"]["generation"]),
        (&"staging".into(), &1.into())
    );
    let again = shop.run(["promote", "customer_portal", "--from", "staging"]).exits(0);
    assert!(again.out.ends_with("all of it is there already; nothing was published\n"), "{}", again.out);
}

#[test]
fn a_flag_that_runs_in_production_stays_on_for_whom_it_was() {
    let there = r#"{"flags": {"billing_v2": true, "customer_portal": {"enabled": true, "rollout": {"percentage": 35},
        "companies": {"allow": [7]}, "description": "old words"}}}"#;
    let shop = two(there);
    shop.run(["promote", "customer_portal", "--from", "staging"]).exits(0);
    let portal = flag(&shop, "customer_portal");
    assert_eq!((&portal["enabled"], &portal["rollout"]["percentage"]), (&true.into(), &35.into()));
    assert_eq!(portal["companies"]["allow"], serde_json::json!([7]));
    assert_eq!(portal["description"], "Self-service portal for end customers");
    assert_eq!(flag(&shop, "billing_v2")["enabled"], true, "what is there already is not touched");
}

/// Production's requirement was dropped without a word, and salt, key and bucketing of staging gave its companies to others.
#[test]
fn a_promotion_keeps_who_is_drawn_and_asks_before_it_requires_less() {
    let drawn = r#""by": "user", "salt": "old", "bucketing": "crc32""#;
    let there = format!(
        r#"{{"flags": {{"gate": false, "billing_v2": true, "search": {{"enabled": true, "requires": ["gate"],
        "rollout": {{"percentage": 100, {drawn}}}}}}}}}"#
    );
    let shop = two(&there);
    let refused = shop.run(["promote", "search", "--from", "staging"]).exits(1);
    for told in ["search no longer requires gate", "nothing was changed", "--yes"] {
        assert!(refused.err.contains(told), "{told}: {}", refused.err);
    }
    assert_eq!(flag(&shop, "search")["requires"], serde_json::json!(["gate"]));
    shop.run(["ask", "search", "--company", "7", "--context", r#"{"user": 7}"#]).exits(1);
    let dry = shop.run(["promote", "search", "--from", "staging", "--dry-run", "--json"]).exits(1).json();
    assert_eq!(dry["loosened"], serde_json::json!([{ "flag": "search", "requires": ["gate"] }]));
    let ran = shop.run(["promote", "search", "--from", "staging", "--yes"]).exits(0);
    assert!(ran.err.contains("search no longer requires gate"), "{}", ran.err);
    let search = flag(&shop, "search");
    assert!(search.get("requires").is_none(), "{search}");
    let rollout = serde_json::json!({ "percentage": 100, "by": "user", "salt": "old", "bucketing": "crc32" });
    assert_eq!(search["rollout"], rollout);
    // With what they were on for there, they are drawn as there.
    shop.run(["promote", "search", "--from", "staging", "--keep-state"]).exits(0);
    assert_ne!(flag(&shop, "search")["rollout"], rollout);
}

#[test]
fn state_and_companies_travel_when_told_to() {
    let shop = two(EMPTY);
    shop.run(["promote", "--all", "--from", "staging", "--keep-state", "--with-companies"]).exits(0);
    let portal = flag(&shop, "customer_portal");
    assert_eq!((&portal["enabled"], &portal["rollout"]["percentage"]), (&true.into(), &10.into()));
    assert_eq!(portal["companies"]["allow"], serde_json::json!([15, 42, 103]));
    assert_eq!(flag(&shop, "search")["rollout"]["percentage"], 100);
}

#[test]
fn a_dry_run_of_a_promotion_changes_nothing() {
    let shop = two(EMPTY);
    let ran = shop.run(["promote", "--all", "--from", "staging", "--dry-run"]).exits(0);
    assert!(ran.out.contains("+ search new") && ran.out.ends_with("nothing was changed\n"), "{}", ran.out);
    assert!(flag(&shop, "search").is_null());
}

#[test]
fn rules_that_name_companies_travel_only_with_companies() {
    let shop = two(EMPTY);
    let rule = r#"{"flags": {"a": {"rollout": {"percentage": 0}, "rules": [{"when": {"attribute": "company", "in": [15]}}]}}}"#;
    shop.write("flags.json", rule);
    shop.run(["publish", "flags.json", "--yes", "--store", "staging"]).exits(0);
    let ran = shop.run(["promote", "a", "--from", "staging"]).exits(1);
    assert!(ran.err.contains("rule 1 of a: these name companies by their ids"), "{}", ran.err);
    shop.run(["promote", "a", "--from", "staging", "--with-companies"]).exits(0);
}

#[test]
fn a_segment_that_others_use_is_not_changed_under_them() {
    let shop = two(
        r#"{"flags": {"other": {"rollout": {"percentage": 0}, "rules": [{"when": {"segment": "dach"}}]}},
        "segments": {"dach": {"attribute": "country", "in": ["DE"]}}}"#,
    );
    let ran = shop.run(["promote", "customer_portal", "--from", "staging"]).exits(1);
    assert!(
        ran.err.contains("segment dach says something else there, where other uses it too"),
        "{}",
        ran.err
    );
}

/// One flag that was refused kept all others of the file out.
#[test]
fn a_flag_that_is_skipped_stays_behind_with_what_only_it_needs() {
    let shop = two(
        r#"{"flags": {"other": {"rollout": {"percentage": 0}, "rules": [{"when": {"segment": "dach"}}]}},
        "segments": {"dach": {"attribute": "country", "in": ["DE"]}}}"#,
    );
    exported(&shop);
    let ran = shop.run(["import", "search.export"]).exits(1);
    assert!(ran.err.contains("segment dach says something else there"), "{}", ran.err);
    let ran = shop.run(["import", "search.export", "--skip", "customer_porta"]).exits(1);
    assert!(ran.err.contains("--skip: there is no flag \"customer_porta\" (did you mean"), "{}", ran.err);
    let ran = shop.run(["import", "search.export", "--skip", "customer_portal"]).exits(0);
    assert!(ran.out.contains("new: search\nleft out: customer_portal\n"), "{}", ran.out);
    assert_eq!(flag(&shop, "search")["enabled"], false);
    assert!(flag(&shop, "customer_portal").is_null() && flag(&shop, "billing_v2").is_null());

    let skipping =
        ["promote", "--all", "--from", "staging", "--skip", "customer_portal", "--skip", "by_user", "--json"];
    let json = shop.run(skipping).exits(0).json();
    assert_eq!(json["skipped"], serde_json::json!(["customer_portal", "by_user"]));
    assert_eq!(flag(&shop, "billing_v2")["enabled"], false);
    assert!(flag(&shop, "by_user").is_null());
    // What another flag needs has to be there.
    let ran =
        two(EMPTY).run(["promote", "customer_portal", "--from", "staging", "--skip", "billing_v2"]).exits(1);
    assert!(
        ran.err.contains("customer_portal needs flag billing_v2: neither travels along nor is there"),
        "{}",
        ran.err
    );
}

#[test]
fn whose_exports_are_taken_and_no_longer_is_in_the_audit_trail() {
    let shop = two(EMPTY);
    let made = shop.run(["key", "make", "--store", "staging", "--json"]).exits(0).json();
    let key = made["key"].as_str().unwrap();
    shop.run(["key", "trust", "staging", key, "--reason", "new staging", "--actor", "alice"]).exits(0);
    shop.run(["key", "trust", "staging", key]).exits(0);
    shop.run(["key", "forget", "staging", "--reason", "it was broken into", "--actor", "bob"]).exits(0);
    shop.run(["key", "forget", "staging"]).exits(1);
    let trail = shop.run(["audit", "--json"]).exits(0).json();
    let told: Vec<_> = trail["trail"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["action"] == "key_trust" || record["action"] == "key_forget")
        .collect();
    let [trust, trusted, forget, forgotten] = told[..] else { panic!("{told:#?}") };
    assert_eq!((&trust["outcome"], &trusted["outcome"]), (&"intended".into(), &"done".into()));
    assert_eq!((&trust["reason"], &trust["actor"]["user"]), (&"new staging".into(), &"alice".into()));
    assert_eq!(trust["differences"], serde_json::json!([{ "pointer": "/keys/staging", "after": key }]));
    assert_eq!((&forget["outcome"], &forgotten["outcome"]), (&"intended".into(), &"done".into()));
    assert_eq!((&forget["reason"], &forget["actor"]["user"]), (&"it was broken into".into(), &"bob".into()));
    assert_eq!(forget["differences"], serde_json::json!([{ "pointer": "/keys/staging", "before": key }]));
    // Where the trail cannot be written, nobody is trusted.
    let audit = shop.directory.join("store/audit.jsonl");
    std::fs::rename(&audit, shop.directory.join("aside")).unwrap();
    std::fs::create_dir(&audit).unwrap();
    shop.run(["key", "trust", "staging", key]).exits(2);
    assert_eq!(shop.run(["key", "--json"]).exits(0).json()["trusted"], serde_json::json!([]));
}

#[test]
fn wrong_names_of_what_is_to_travel_are_refused() {
    let shop = two(EMPTY);
    let ran = shop.run(["promote", "serch", "--from", "staging"]).exits(1);
    assert!(ran.err.contains("there is no flag \"serch\" (did you mean \"search\"?)"), "{}", ran.err);
    shop.run(["promote", "--from", "staging"]).exits(2);
    shop.run(["promote", "search", "--all", "--from", "staging"]).exits(2);
    shop.run(["promote", "search", "--from", "store"]).exits(1);
    shop.run(["promote", "search", "--from", "nowhere"]).exits(2);
}

/// An export of search by staging, which production trusts.
fn exported(shop: &Shop) -> Ran {
    let made = shop.run(["key", "make", "--store", "staging", "--json"]).exits(0).json();
    shop.run(["key", "trust", "staging", made["key"].as_str().unwrap()]).exits(0);
    let ran = shop.run(["export", "search", "customer_portal", "--store", "staging"]).exits(0);
    shop.write("search.export", &ran.out);
    ran
}

#[test]
fn an_export_arrives_once_and_the_trail_says_where_from() {
    let shop = two(EMPTY);
    let export = exported(&shop);
    // The whole file once was looked through, and now and then a signature has these digits.
    let parcel = export.json()["export"]["parcel"].to_string();
    assert!(
        parcel.contains("customer_portal") && !parcel.contains("103"),
        "companies are not even written: {parcel}"
    );
    shop.run(["import", "search.export", "--dry-run"]).exits(0);
    shop.run(["import", "search.export", "--reason", "release"]).exits(0);
    assert_eq!(flag(&shop, "search")["enabled"], false);
    let record = last(&shop);
    assert_eq!((&record["action"], &record["origin"]["environment"]), (&"import".into(), &"staging".into()));
    assert_eq!(record["origin"]["export"].as_str().unwrap().len(), 32);
    let ran = shop.run(["import", "search.export"]).exits(1);
    assert!(ran.err.contains("this export arrived here already"), "{}", ran.err);
}

#[test]
fn an_export_that_is_older_than_one_that_arrived_is_refused() {
    let shop = two(EMPTY);
    exported(&shop);
    shop.run(["rollout", "search", "3", "--store", "staging"]).exits(0);
    let newer = shop.run(["export", "search", "--store", "staging"]).exits(0);
    shop.write("newer.export", &newer.out);
    shop.run(["import", "newer.export"]).exits(0);
    let ran = shop.run(["import", "search.export"]).exits(1);
    assert!(ran.err.contains("this export is of generation 1 of staging"), "{}", ran.err);
}

#[test]
fn an_export_that_somebody_changed_is_refused_wherever_it_was_changed() {
    let shop = two(EMPTY);
    let export = exported(&shop).out;
    for (from, to) in [
        ("\"percentage\":100", "\"percentage\":10"),
        ("\"generation\":1", "\"generation\":9"),
        ("\"asked\":[", "\"asked\": ["),
    ] {
        assert!(export.contains(from), "{from} in {export}");
        shop.write("changed.export", export.replacen(from, to, 1));
        let ran = shop.run(["import", "changed.export"]).exits(1);
        assert!(ran.err.contains("the signature does not hold"), "{}", ran.err);
    }
    let digit = export.rfind(|c: char| c.is_ascii_hexdigit()).unwrap();
    let other = if export.as_bytes()[digit] == b'0' { "1" } else { "0" };
    let mut forged = export.clone();
    forged.replace_range(digit..=digit, other);
    shop.write("forged.export", forged);
    shop.run(["import", "forged.export"]).exits(1);
    shop.write("cut.export", &export[..export.len() / 2]);
    assert!(shop.run(["import", "cut.export"]).exits(1).err.contains("this is no export"));
    assert!(flag(&shop, "search").is_null());
}

#[test]
fn an_export_by_a_key_that_is_not_trusted_is_refused_with_what_to_type() {
    let shop = two(EMPTY);
    assert!(
        shop.run(["export", "search", "--store", "staging"])
            .exits(1)
            .err
            .contains("`flagstone --store staging key make`")
    );
    exported(&shop);
    shop.run(["key", "forget", "staging"]).exits(0);
    let ran = shop.run(["import", "search.export"]).exits(1);
    assert!(ran.err.contains("flagstone key trust NAME flagstone-ed25519:"), "{}", ran.err);
    shop.run(["key", "forget", "staging"]).exits(1);
    shop.run(["key", "trust", "staging", "flagstone-ed25519:00"]).exits(2);
    shop.run(["key", "trust", "a b", "flagstone-ed25519:00"]).exits(2);
}

#[test]
fn the_key_is_read_by_its_owner_only_and_one_that_is_not_signs_nothing() {
    let shop = two(EMPTY);
    exported(&shop);
    let key = shop.directory.join("staging/keys/signing");
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    mode(0o644);
    let ran = shop.run(["export", "search", "--store", "staging"]).exits(1);
    assert!(ran.err.contains("can be read by everybody"), "{}", ran.err);
}

// It exited with 0 where the import was refused for lack of --yes.
#[test]
fn a_dry_run_exits_as_the_import_would() {
    let there = r#"{"flags": {"billing_v2": true, "search": {"enabled": true, "requires": ["billing_v2"]}}}"#;
    let shop = two(there);
    exported(&shop);
    for line in [["import", "search.export"], ["promote", "search"]] {
        let mut command = shop.command(line);
        command.args(if line[0] == "promote" { &["--from", "staging"][..] } else { &[] });
        let mut run = |more: &[&str]| crate::shop::ran(command.args(more).output().unwrap());
        assert!(run(&[]).exits(1).err.contains("search no longer requires billing_v2"));
        let ran = run(&["--dry-run"]).exits(1);
        assert!(ran.out.contains("nothing was changed; without --yes it would be refused"), "{}", ran.out);
        run(&["--yes"]).exits(0);
    }
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["generation"], 1);
}
