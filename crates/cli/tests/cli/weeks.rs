//! Weeks of a team with a file, a dashboard and an incident: what each of them expects of a publish.

use crate::documents::root;
use crate::shop::{Ran, Shop};
use flagstone::publish::Store;
use flagstone::{Key, Question, Switches, evaluate};
use serde_json::{Value, json};

/// A store, and a file that the team edits.
struct Team {
    shop: Shop,
}

impl Team {
    /// With a file of those flags, published.
    fn of(flags: &str) -> Team {
        let shop = Shop::empty();
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        let team = Team { shop };
        team.publish(flags).exits(0);
        team
    }

    /// With one flag at that percentage, among others.
    fn at(percentage: u32) -> Team {
        Team::of(&search(percentage))
    }

    fn publish(&self, flags: &str) -> Ran {
        self.publish_with(flags, [])
    }

    fn publish_with<const N: usize>(&self, flags: &str, options: [&str; N]) -> Ran {
        self.shop.write("flags.json", format!("{{\"flags\": {{{flags}}}}}"));
        self.again(options)
    }

    /// Publishes the file that is there.
    fn again<const N: usize>(&self, options: [&str; N]) -> Ran {
        let mut command = self.shop.command(["publish", "flags.json"]);
        command.args(options);
        crate::shop::ran(command.output().unwrap())
    }

    fn turn<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        self.shop.run(arguments).exits(0)
    }

    fn flag(&self, key: &str) -> Value {
        self.turn(["show", key, "--json"]).json()["definition"].clone()
    }

    #[track_caller]
    fn runs_at(&self, percentage: u32) {
        let flag = self.flag("search");
        assert_eq!((&flag["enabled"], &flag["rollout"]["percentage"]), (&json!(true), &json!(percentage)));
    }

    /// Which of 10,000 companies have the flag.
    fn who(&self, key: &str) -> Vec<i64> {
        let store = Store::open(&self.shop.directory.join("store")).unwrap();
        let snapshot = store.snapshot(store.generation().unwrap()).unwrap();
        let id = snapshot.find(key.as_bytes()).unwrap();
        let now = 1_795_219_200_000_000;
        let has = |company: &i64| {
            let question = Question { company: Some(Key::Int(*company)), context: &(), now };
            evaluate(&snapshot, &Switches::none(), id, &question).on
        };
        (0..10_000).filter(has).collect()
    }
}

fn search(percentage: u32) -> String {
    search_and(percentage, "")
}

fn search_and(percentage: u32, more: &str) -> String {
    format!(
        r#""search": {{"enabled": true, "rollout": {{"percentage": {percentage}}}}}, "other": true, "third": true{more}"#
    )
}

#[test]
fn week_1_an_edit_that_is_deployed_takes_effect() {
    let team = Team::at(10);
    team.publish(&search(25)).exits(0);
    team.runs_at(25);
}

#[test]
fn week_2_what_product_lowered_stays_at_the_next_deploy_of_the_same_file() {
    let team = Team::at(25);
    team.turn(["rollout", "search", "5"]);
    let ran = team.again([]).exits(0);
    team.runs_at(5);
    assert!(ran.out.contains("search: percentage is 5 %, the file says 25 %"), "{}", ran.out);
}

#[test]
fn week_3_in_a_conflict_the_switch_waits_and_a_colleague_s_flag_goes_out() {
    let team = Team::at(25);
    team.turn(["rollout", "search", "5"]);
    let new = search_and(50, r#", "colleague": true"#);
    // Before the release is activated the deployment stops.
    team.publish_with(&new, ["--dry-run"]).exits(1);
    team.again([]).exits(1);
    team.shop.run(["ask", "colleague", "--company", "1"]).exits(2);
    // After it, all else goes out.
    team.again(["--keep"]).exits(0);
    team.runs_at(5);
    team.shop.run(["ask", "colleague", "--company", "1"]).exits(0);
}

#[test]
fn week_4_a_revert_against_a_hand_is_a_conflict_with_its_way_out() {
    let team = Team::at(50);
    team.turn(["rollout", "search", "20"]);
    let ran = team.publish(&search(10)).exits(1);
    assert!(ran.out.contains("flagstone publish flags.json --reset search.percentage"), "{}", ran.out);
    team.again(["--reset", "search.percentage"]).exits(0);
    team.runs_at(10);
}

#[test]
fn week_5_staging_follows_the_branch_that_is_deployed() {
    let team = Team::at(10);
    let branch = search_and(100, r#", "of_the_branch": true"#);
    for _ in 0..2 {
        team.publish(&branch).exits(0);
        team.runs_at(100);
        team.shop.run(["ask", "of_the_branch", "--company", "1"]).exits(0);
        team.publish(&search(10)).exits(0);
        team.runs_at(10);
    }
    // Where quality assurance turned the switch, a job that must not fail keeps that.
    team.turn(["rollout", "search", "30"]);
    team.publish_with(&branch, ["--keep"]).exits(0);
    team.runs_at(30);
}

#[test]
fn week_6_a_hotfix_from_an_older_release_changes_code_only() {
    let team = Team::at(10);
    team.publish_with(&search(100), ["--release", "2"]).exits(0);
    team.publish_with(&search(10), ["--release", "1"]).exits(0);
    team.runs_at(100);
    // And the next release is not in conflict with it.
    team.publish_with(&search(80), ["--release", "3"]).exits(0);
    team.runs_at(80);
}

#[test]
fn week_7_an_older_release_that_is_deployed_again_turns_nothing() {
    let team = Team::at(10);
    team.publish_with(&search(100), ["--release", "2"]).exits(0);
    for _ in 0..2 {
        team.publish_with(&search(10), ["--release", "1"]).exits(0);
    }
    team.runs_at(100);
    team.publish_with(&search(25), ["--release", "3"]).exits(0);
    team.runs_at(25);
    team.publish_with(&search(10), ["--release="]).exits(2);
}

#[test]
fn week_7b_what_was_rolled_back_stays_back_until_somebody_edits_it() {
    let rules = r#", "portal": {"rollout": {"percentage": 0}, "rules": [{"when": {"attribute": "plan", "eq": "PLAN"}}]}"#;
    let of = |percentage, plan: &str| search_and(percentage, &rules.replace("PLAN", plan));
    let team = Team::of(&of(10, "trial"));
    let second = format!("{}, \"fresh\": true", of(50, "free"));
    team.publish(&second).exits(0);
    team.turn(["rollback", "--reason", "harm at three in the morning"]);
    team.runs_at(10);
    let ran = team.publish(&second).exits(0);
    team.runs_at(10);
    assert_eq!(team.flag("portal")["rules"][0]["when"]["eq"], "trial");
    team.shop.run(["ask", "fresh", "--company", "1"]).exits(1);
    assert!(ran.out.contains("rollback, \"harm at three in the morning\""), "{}", ran.out);
    // The file that is mended takes effect where nobody else changed the field since.
    team.publish_with(&second.replace("50", "20").replace("\"free\"", "\"paid\""), ["--reset", "all"])
        .exits(0);
    team.runs_at(20);
    assert_eq!(team.flag("portal")["rules"][0]["when"]["eq"], "paid");
}

#[test]
fn week_9_a_flag_that_the_file_drops_stays_until_it_is_off() {
    let team = Team::at(100);
    let ran = team.publish(r#""other": true, "third": true"#).exits(0);
    assert!(ran.out.contains("search: not in the file any more"), "{}", ran.out);
    team.runs_at(100);
    team.turn(["disable", "search"]);
    team.again(["--prune"]).exits(0);
    team.shop.run(["show", "search"]).exits(2);
}

#[test]
fn week_10_a_name_that_comes_back_is_never_wider_than_its_file() {
    for hand in [false, true] {
        let team = Team::at(50);
        team.publish(r#""other": true, "third": true"#).exits(0);
        if hand {
            team.turn(["rollout", "search", "100"]);
        }
        team.publish_with(&search(0), ["--keep"]).exits(0);
        team.runs_at(0);
    }
}

#[test]
fn week_11_the_file_of_another_service_is_refused() {
    let team = Team::of(r#""a": true, "b": true, "c": true"#);
    let ran = team.publish(r#""x": true, "y": true"#).exits(1);
    assert!(
        ran.err.contains("the file lacks 3 of the 3 flags that run; if that is meant, say --yes"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);
    team.again(["--yes"]).exits(0);
    team.shop.run(["ask", "a", "--company", "1"]).exits(0);
}

/// A file whose overlay for production says a percentage, a list and a segment of its own.
fn with_overlay(shared: u32, overlay: u32, more: &str) -> String {
    format!(
        r#"{{"flags": {{
            "search": {{"enabled": true, "rollout": {{"percentage": {shared}}}, "companies": {{"allow": [15{more}]}}}},
            "other": true,
            "third": true
        }},
        "segments": {{"dach": {{"attribute": "country", "in": ["DE"{more}]}}}},
        "environments": {{"production": {{
            "flags": {{
                "search": {{"rollout": {{"percentage": {overlay}}}, "companies": {{"allow": [15, 7]}}}}
            }},
            "segments": {{"dach": {{"in": ["AT", "DE"]}}}}
        }}}}}}"#
    )
}

#[test]
fn week_12_an_edit_that_an_overlay_replaces_is_told_with_both_lines() {
    // The edit of the shared value was published without a word, and changed nothing.
    let team = Team::of(&search(10));
    let publish = |text: String| {
        team.shop.write("flags.json", text);
        team.again([])
    };
    let told = |ran: Ran| {
        let ran = ran.exits(0);
        let lines = ran.out.lines().filter(|line| line.contains("does not reach production"));
        lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    // What it said before is not known, then nothing is edited.
    assert_eq!(told(publish(with_overlay(10, 75, ""))), [""; 0]);
    assert_eq!(told(publish(with_overlay(10, 75, ""))), [""; 0]);
    let search =
        "search: rollout.percentage: 50 % on line 2 does not reach production, which says 75 % on line 9";
    team.shop.write("flags.json", with_overlay(50, 75, ""));
    assert_eq!(told(team.again(["--dry-run"])), [search]);
    assert_eq!(told(team.again([])), [search]);
    team.runs_at(75);
    assert_eq!(told(team.again([])), [""; 0]);
    // Lists and segments alike; the overlay's own edit takes effect.
    let ran = publish(with_overlay(50, 80, ", 42"));
    let json = team.shop.run(["show", "search", "--json"]).exits(0).json();
    assert_eq!(json["definition"]["rollout"]["percentage"], json!(80));
    assert_eq!(
        told(ran),
        [
            "search: companies.allow: a list of 2 on line 2 does not reach production, which says a list of 2 on line 9",
            "segments: dach.in: a list of 2 on line 6 does not reach production, which says a list of 2 on line 11",
        ]
    );
    // A flag that is renamed keeps what is known; a rollback moves nothing of it.
    team.shop.run(["rollback", "--yes"]).exits(0);
    let renamed = with_overlay(60, 80, ", 42")
        .replace("\"search\": {\"rollout", "\"find\": {\"rollout")
        .replace("\"search\": {\"enabled", "\"find\": {\"was\": \"search\", \"enabled");
    let ran = publish(renamed.clone());
    assert_eq!(
        told(ran),
        ["find: rollout.percentage: 60 % on line 2 does not reach production, which says 80 % on line 9"]
    );
    // Of equal values nothing is to be told.
    assert_eq!(told(publish(renamed.replace(": 60", ": 80"))), [""; 0]);
    team.shop.write("flags.json", renamed.replace(": 60", ": 90"));
    let json = {
        let mut command = team.shop.command(["publish", "flags.json", "--json"]);
        crate::shop::ran(command.output().unwrap()).exits(0).json()
    };
    assert_eq!(
        json["merge"]["shadowed"],
        json!([{
            "flag": "find", "path": "rollout/percentage", "shared": "90 %", "shared_line": 2,
            "environment": "production", "overlay": "80 %", "overlay_line": 9,
        }])
    );
}

#[test]
fn week_13_a_plan_that_moves_a_flag_is_named_and_is_no_drift_when_it_is_through() {
    let planned = |percentage: u32| {
        format!(
            r#""search": {{"enabled": true, "rollout": {{"percentage": {percentage}}},
            "plan": {{"stages": [{{"percentage": 10, "soak": "1m"}}, {{"percentage": 100}}]}}}}, "other": true, "third": true"#
        )
    };
    let team = Team::of(&planned(0));
    team.turn(["plan", "start", "search"]);
    team.again([]).exits(0);
    team.runs_at(10);
    let ran = team.publish(&planned(30)).exits(1);
    assert!(ran.out.contains("its plan moves it just now; `flagstone plan abort search`"), "{}", ran.out);
    team.publish(&planned(0)).exits(0);
    team.turn(["plan", "advance", "search", "--reason", "in a hurry"]);
    team.runs_at(100);
    team.again(["--check-drift"]).exits(0);
}

#[test]
fn week_14_a_pull_that_is_merged_late_is_a_record_and_no_edit() {
    let team = Team::at(50);
    team.turn(["rollout", "search", "75"]);
    team.turn(["pull"]);
    team.turn(["rollout", "search", "90"]);
    let ran = team.again([]).exits(0);
    team.runs_at(90);
    assert!(ran.out.contains("search: percentage is 90 %, the file says 75 %"), "{}", ran.out);
    // An edit is one, and what was handed out before it is no record any more.
    team.publish(&search(60)).exits(1);
    team.again(["--reset", "search"]).exits(0);
    team.turn(["rollout", "search", "10"]);
    team.publish(&search(75)).exits(1);
}

#[test]
fn week_15_a_conflict_that_ci_keeps_is_not_forgotten() {
    let team = Team::at(10);
    team.turn(["rollout", "search", "20"]);
    team.publish_with(&search(50), ["--keep"]).exits(0);
    for new in ["", r#", "a": true"#, r#", "a": true, "b": true"#] {
        let ran = team.publish_with(&search_and(50, new), ["--keep"]).exits(0);
        assert!(
            ran.out.contains("search: percentage is 20 %, the file says 50 % and said 10 %"),
            "{}",
            ran.out
        );
        team.runs_at(20);
    }
    team.again([]).exits(1);
    let status = team.turn(["status", "--json"]).json();
    assert_eq!(status["conflicts"].as_array().unwrap().len(), 1);
}

#[test]
fn week_16_a_killed_flag_stays_off_and_the_deploy_says_so() {
    let team = Team::at(50);
    team.turn(["kill", "search", "--reason", "harm"]);
    let ran = team.publish(&search(5)).exits(0);
    team.runs_at(5);
    assert!(
        ran.out.contains("search is killed and stays off until `flagstone revive search`"),
        "{}",
        ran.out
    );
    team.shop.run(["ask", "search", "--company", "1"]).exits(1);
}

#[test]
fn week_17_a_plan_that_was_taken_back_stays_there_at_a_deploy_of_the_same_file() {
    let file = r#""search": {"enabled": true, "rollout": {"percentage": 0},
        "plan": {"stages": [{"percentage": 10, "soak": "1m"}, {"percentage": 50, "soak": "1m"}, {"percentage": 100}]}}, "other": true, "third": true"#;
    let team = Team::of(file);
    team.turn(["plan", "start", "search"]);
    team.turn(["plan", "advance", "search", "--reason", "in a hurry"]);
    team.runs_at(50);
    team.turn(["rollout", "search", "10"]);
    let ran = team.again([]).exits(0);
    team.runs_at(10);
    assert!(team.turn(["plan", "show", "search"]).out.contains("held"), "{}", ran.out);
}

#[test]
fn week_18_the_first_publish_into_a_store_of_an_older_version_turns_nothing() {
    let shop = Shop::empty();
    let fixture = root().join("tests/fixtures/store-without-base");
    let store = shop.directory.join("store");
    std::fs::create_dir_all(store.join("snapshots")).unwrap();
    for name in ["head", "audit.jsonl"] {
        std::fs::copy(fixture.join(name), store.join(name)).unwrap();
    }
    for entry in std::fs::read_dir(fixture.join("snapshots")).unwrap() {
        let name = entry.unwrap().file_name();
        std::fs::copy(fixture.join("snapshots").join(&name), store.join("snapshots").join(&name)).unwrap();
    }
    std::fs::copy(fixture.join("flags.json"), shop.directory.join("flags.json")).unwrap();
    let team = Team { shop };
    let flags = ["companies", "enabled", "everybody", "off", "percentage", "schedule"];
    let before = flags.map(|key| team.who(key));
    for _ in 0..2 {
        let ran = team.again([]).exits(0);
        for line in [
            "enabled: enabled is true, the file says false",
            "percentage: percentage is 70 %, the file says 10 %",
            "everybody: percentage is 15 %",
        ] {
            assert!(ran.out.contains(line), "{line}: {}", ran.out);
        }
        assert_eq!(flags.map(|key| team.who(key)), before);
    }
    // From then on an edit counts.
    let text = std::fs::read_to_string(team.shop.directory.join("flags.json")).unwrap();
    team.shop
        .write("flags.json", text.replace("\"everybody\": true", "\"everybody\": { \"enabled\": false }"));
    team.again([]).exits(0);
    assert_eq!(team.who("everybody"), [0; 0]);
}

#[test]
fn week_19_a_field_that_the_file_drops_keeps_what_runs() {
    let team = Team::at(10);
    let ran = team.publish(r#""search": {"enabled": true}, "other": true, "third": true"#).exits(0);
    team.runs_at(10);
    assert!(
        ran.out.contains("flags.json does not say 1 field; what runs stays:\n  search: percentage"),
        "{}",
        ran.out
    );
    // Both said that the file says what runs: published into a new store, it is on for everybody.
    let drift = team.shop.run(["publish", "flags.json", "--check-drift"]).exits(1);
    assert!(drift.out.contains("drift: flags.json does not say 1 field"), "{}", drift.out);
    assert!(!drift.out.contains("no drift"), "{}", drift.out);
    let pulled = team.shop.run(["pull", "flags.json"]).exits(0);
    assert!(
        pulled.out.contains("but for what it does not say any more\nsearch: percentage: not in the file"),
        "{}",
        pulled.out
    );
    let json = team.shop.run(["pull", "flags.json", "--json"]).exits(0).json();
    assert_eq!((&json["unsaid"][0]["field"], &json["changed"]), (&"percentage".into(), &false.into()));
    team.shop.run(["publish", "flags.json", "--reset", "search.percentage"]).exits(0);
    team.shop.run(["publish", "flags.json", "--check-drift"]).exits(0);
}

#[test]
fn week_20_a_company_that_the_file_allows_and_support_denied_is_a_conflict_about_that_company() {
    let of = |allow: &str| {
        format!(
            r#""search": {{"enabled": true, "rollout": {{"percentage": 0}}, "companies": {{"allow": [{allow}]}}}}, "other": true"#
        )
    };
    let team = Team::of(&of("1"));
    team.turn(["deny", "search", "acme"]);
    let ran = team.publish(&of("1, 2, \"acme\"")).exits(1);
    assert!(ran.out.contains("search: companies acme is in deny, the file says allow"), "{}", ran.out);
    team.again(["--keep"]).exits(0);
    let companies = &team.flag("search")["companies"];
    assert_eq!((&companies["allow"], &companies["deny"]), (&json!([1, 2]), &json!(["acme"])));
}

#[test]
fn week_21_whoever_lowered_a_percentage_has_not_agreed_to_a_schedule() {
    let team = Team::at(50);
    team.turn(["rollout", "search", "5"]);
    let ran = team
        .publish(r#""search": {"enabled": true, "rollout": {"percentage": 50}, "schedule": [{"at": "2030-12-01T00:00:00Z", "percentage": 100}]}, "other": true, "third": true"#)
        .exits(1);
    assert!(
        ran.out.contains(
            "search: percentage is 5 %, the file says 50 %, 100 % from 2030-12-01T00:00:00Z and said 50 %"
        ),
        "{}",
        ran.out
    );
    assert_eq!(team.flag("search").get("schedule"), None);
}

#[test]
fn week_22_a_reviewed_edit_passes_and_a_side_effect_asks() {
    let of = |enabled: bool| {
        format!(
            r#""search": {{"enabled": {enabled}}}, "needs": {{"enabled": true, "requires": ["base"]}}, "base": true, "third": true"#
        )
    };
    let team = Team::of(&of(true));
    team.shop.write("companies.txt", (1..=100).map(|id| format!("{id}\n")).collect::<String>());
    team.turn(["config", "companies", "companies.txt"]);
    let ran = team.publish(&of(false)).exits(0);
    assert!(ran.out.contains("  search: 100 → 0 have it"), "{}", ran.out);
    let ran = team.publish(&of(false).replace("\"base\": true", "\"base\": false")).exits(1);
    assert!(ran.err.contains("needs turns off for 100 of the 100 companies that have it"), "{}", ran.err);
}
