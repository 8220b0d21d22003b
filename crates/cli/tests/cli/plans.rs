//! `plan` and `run`: rollout plans, as people and cron move them.

use crate::shop::Shop;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A plan whose stages soak for a week, and one of seconds.
pub const PLANNED: &str = r#"{
  "flags": {
    "customer_portal": {
      "enabled": false,
      "rollout": { "percentage": 0 },
      "plan": { "stages": [
        { "companies": [15, 42], "soak": "7d" },
        { "percentage": 10, "soak": "7d" },
        { "percentage": 50, "soak": "7d" },
        { "percentage": 100 }
      ] }
    },
    "quick": {
      "enabled": false,
      "rollout": { "percentage": 0 },
      "plan": { "stages": [
        { "percentage": 20, "soak": "1s" }, { "percentage": 60, "soak": "1s" }, { "percentage": 100 }
      ] }
    },
    "search": true
  }
}
"#;

/// A store with [`PLANNED`].
pub fn planned() -> Shop {
    let shop = Shop::empty();
    shop.write("flags.json", PLANNED);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop
}

/// So many days after the plan of the portal was started, and some hours.
fn after(shop: &Shop, days: i64) -> String {
    let started = shown(shop)["stages"][0]["at"].as_str().unwrap().to_owned();
    let started = flagstone::time::parse_rfc3339(started.as_bytes()).unwrap();
    flagstone::time::format_rfc3339(started + (days * 24 + 1) * 3_600_000_000)
}

fn shown(shop: &Shop) -> serde_json::Value {
    shop.run(["plan", "show", "customer_portal", "--json"]).exits(0).json()
}

// It said to type `plan start`, which was refused.
#[test]
fn plan_show_offers_no_start_that_is_refused() {
    let shop = planned();
    assert!(shop.run(["plan", "show", "customer_portal"]).exits(0).out.contains("starts it"));
    shop.run(["kill", "customer_portal", "--reason", "totals"]).exits(0);
    let shown = shop.run(["plan", "show", "customer_portal"]).exits(0).out;
    assert!(shown.contains("it cannot be started: customer_portal is killed"), "{shown}");
    shop.run(["revive", "customer_portal"]).exits(0);
    shop.write("flags.json", r#"{ "flags": { "search": true } }"#);
    shop.run(["publish", "flags.json", "--yes"]).exits(0);
    let shown = shop.run(["plan", "show", "customer_portal"]).exits(0).out;
    assert!(
        shown.contains(
            "it cannot be started: customer_portal is not in the file any more; publish a file that has it"
        ),
        "{shown}"
    );
}

// It said that a killed flag was on, and to type `plan resume`, which is refused; while everything was stopped the list said
// "running" and when the next stage was due.
#[test]
fn plan_show_says_that_a_flag_is_killed_or_stopped_and_what_to_type() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["kill", "customer_portal", "--reason", "totals", "--actor", "ann"]).exits(0);
    shop.run(["plan", "tick"]).exits(0);
    let list = shop.run(["plan", "show"]).exits(0).out;
    let row = list.lines().find(|line| line.starts_with("customer_portal")).unwrap().to_owned();
    assert!(row.contains("KILLED (0 % + 2 companies)") && row.ends_with("after a revive"), "{row}");
    let one = shop.run(["plan", "show", "customer_portal"]).exits(0).out;
    assert!(one.starts_with("customer_portal KILLED (0 % + 2 companies): the plan is held"), "{one}");
    let killed = one.lines().find(|line| line.starts_with("killed since ")).unwrap();
    assert!(
        killed.contains(" by ann") && killed.contains(": totals; `flagstone revive customer_portal"),
        "{one}"
    );
    let revive = one.find("`flagstone revive").unwrap();
    assert!(revive < one.find("`flagstone plan resume").unwrap(), "what is typed first stands first: {one}");
    let json = shown(&shop);
    assert_eq!(json["kill"]["reason"], "totals");
    assert!(json["on"].as_str().unwrap().starts_with("KILLED"), "{json:#}");

    shop.run(["revive", "customer_portal"]).exits(0);
    shop.run(["plan", "resume", "customer_portal"]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let list = shop.run(["plan", "show"]).exits(0).out;
    let row = list.lines().find(|line| line.starts_with("customer_portal")).unwrap().to_owned();
    assert!(row.contains("STOPPED (0 % + 2 companies)") && row.ends_with("after the stop"), "{list}");
    assert!(
        list.contains("everything is stopped since ") && list.contains(": fire; `flagstone resume-all"),
        "{list}"
    );
    let one = shop.run(["plan", "show", "customer_portal"]).exits(0).out;
    assert!(one.contains("`flagstone resume-all --reason WHY` ends that"), "{one}");
    assert!(!one.contains("done about"), "{one}");
}

// The plan went on where the backup had it, although a person had aborted it since.
#[test]
fn a_plan_of_a_restored_backup_is_held_until_a_person_has_looked() {
    let shop = planned();
    let path = |name: &str| shop.directory.join(name);
    shop.run(["plan", "start", "quick"]).exits(0);
    let copied = std::process::Command::new("cp").arg("-a").args([path("store"), path("backup")]).status();
    assert!(copied.unwrap().success());
    shop.run(["plan", "abort", "quick", "--yes", "--reason", "charges twice"]).exits(0);
    std::thread::sleep(Duration::from_millis(1_100));
    std::fs::rename(path("store"), path("damaged")).unwrap();
    std::fs::rename(path("backup"), path("store")).unwrap();
    let shown = shop.run(["plan", "show", "quick"]).exits(0).out;
    assert!(shown.contains("the next tick holds it: the store was restored from a backup"), "{shown}");
    shop.run(["plan", "tick"]).exits(0);
    let shown = shop.run(["plan", "show", "quick"]).exits(0).out;
    assert!(shown.starts_with("quick 20 %: the plan is held"), "{shown}");
    assert!(shown.contains("the stage's soak is of another time"), "{shown}");
    shop.run(["plan", "resume", "quick", "--reason", "it was well"]).exits(0);
    shop.run(["plan", "tick"]).exits(0);
    let shown = shop.run(["plan", "show", "quick"]).exits(0).out;
    assert!(shown.starts_with("quick 60 %: the plan is running"), "{shown}");
}

fn generation(shop: &Shop) -> u64 {
    shop.run(["status", "--json"]).json()["store"]["generation"].as_u64().unwrap()
}

// A tick once entered the next stage of a flag that was killed and revived since the last one.
#[test]
fn a_revived_flags_plan_waits_for_a_resume() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["kill", "customer_portal", "--reason", "500s"]).exits(0);
    let ran = shop.run(["revive", "customer_portal"]).exits(0);
    assert!(ran.out.contains("`flagstone plan resume customer_portal`"), "{}", ran.out);
    assert!(
        shop.run(["plan", "show", "customer_portal"]).exits(0).out.contains("and revived: resume the plan")
    );
    shop.run(["plan", "tick", "--at", &after(&shop, 7)]).exits(0);
    assert!(shown(&shop)["held"]["reason"].as_str().unwrap().contains("and revived"));
    shop.run(["plan", "resume", "customer_portal"]).exits(0);
    shop.run(["plan", "tick", "--at", &after(&shop, 30)]).exits(0);
    assert_eq!(shown(&shop)["held"], serde_json::Value::Null);
}

#[test]
fn a_plan_is_started_ticked_advanced_and_done() {
    let shop = planned();
    let ran = shop.run(["plan", "start", "customer_portal", "--dry-run"]).exits(0);
    assert!(
        ran.out.contains("off → 0 % + 2 companies; its plan: stage 1 of 4, companies 15, 42"),
        "{}",
        ran.out
    );
    assert_eq!(generation(&shop), 1);
    shop.run(["plan", "start", "customer_portal", "--reason", "pilots agreed"]).exits(0);
    shop.run(["ask", "customer_portal", "--company", "15"]).exits(0);
    shop.run(["ask", "customer_portal", "--company", "16"]).exits(1);
    let ran = shop.run(["plan", "tick"]).exits(0);
    assert_eq!((ran.out.as_str(), generation(&shop)), ("", 2), "cron would send a mail");
    let ran = shop.run(["plan", "tick", "--at", &after(&shop, 7), "--dry-run"]).exits(0);
    assert!(ran.out.contains("customer_portal: stage 2 of 4, 10 %; would be published"), "{}", ran.out);
    let ran = shop.run(["plan", "tick", "--at", &after(&shop, 7)]).exits(0);
    assert!(
        ran.out.contains("customer_portal: stage 2 of 4, 10 %; published generation 3 after 2"),
        "{}",
        ran.out
    );
    shop.run(["plan", "tick", "--at", &after(&shop, 7)]).exits(0);
    assert_eq!(generation(&shop), 3);
    let ran = shop.run(["plan", "advance", "customer_portal"]).exits(2);
    assert!(ran.err.contains("wants --reason"), "{}", ran.err);
    shop.run(["plan", "advance", "customer_portal", "--reason", "all is well"]).exits(0);
    let ran = shop.run(["plan", "advance", "customer_portal", "--reason", "all is well"]).exits(0);
    assert!(ran.out.contains("done, stage 4 of 4, 100 %"), "{}", ran.out);
    let json = shown(&shop);
    assert_eq!((&json["state"], &json["stages"][3]["state"]), (&"done".into(), &"passed".into()));
    let ran = shop.run(["plan", "abort", "customer_portal"]).exits(1);
    assert!(ran.err.contains("the plan of customer_portal is done"), "{}", ran.err);
    let history = shop.run(["history"]).exits(0).out;
    for line in [
        "plan start customer_portal, stage 1, publish 2",
        "pilots agreed",
        "plan stage customer_portal, stage 2, publish 3",
        "plan advance customer_portal, stage 3, publish 4",
        "all is well",
    ] {
        assert!(history.contains(line), "{line} in {history}");
    }
    shop.run(["audit"]).exits(0);
}

#[test]
fn a_change_by_hand_holds_the_plan_in_the_same_publish_and_resume_goes_on_from_it() {
    for (command, value) in [("rollout", "5"), ("allow", "99"), ("deny", "15"), ("forget", "15")] {
        let shop = planned();
        shop.run(["plan", "start", "customer_portal"]).exits(0);
        let ran = shop.run([command, "customer_portal", value, "--reason", "a wish"]).exits(0);
        assert!(ran.out.contains("its plan is held with this, in stage 1 of 4"), "{}", ran.out);
        assert_eq!(generation(&shop), 3, "{command}");
        let held = &shown(&shop)["held"];
        assert_eq!(held["reason"], format!("`{command}` changed the flag: a wish"));
        shop.run(["plan", "tick", "--at", &after(&shop, 400)]).exits(0);
        assert_eq!(generation(&shop), 3, "{command}");
    }
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["disable", "customer_portal", "--yes"]).exits(0);
    shop.run(["ask", "customer_portal", "--company", "15"]).exits(1);
    let ran = shop.run(["plan", "resume", "customer_portal"]).exits(0);
    assert!(ran.out.contains("off → 0 % + 2 companies"), "{}", ran.out);
    shop.run(["rollout", "customer_portal", "60"]).exits(0);
    let ran = shop.run(["plan", "resume", "customer_portal"]).exits(0);
    assert!(ran.out.contains("it goes on after stage 3, which is on by now"), "{}", ran.out);
    assert_eq!(shown(&shop)["on"], "60 % + 2 companies");
}

#[test]
fn an_abort_returns_to_what_was_and_asks_before_it_takes_back_what_people_did() {
    let shop = planned();
    shop.run(["deny", "customer_portal", "7"]).exits(0);
    let before = shop.run(["inspect", "--definitions"]).exits(0).out;
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["plan", "tick", "--at", &after(&shop, 7)]).exits(0);
    shop.run(["allow", "customer_portal", "99"]).exits(0);
    let ran = shop.run(["plan", "abort", "customer_portal"]).exits(1);
    assert!(ran.out.contains("allowed by hand since `start`, and taken back: 99"), "{}", ran.out);
    assert!(ran.err.contains("With --yes it does"), "{}", ran.err);
    shop.run(["plan", "abort", "customer_portal", "--yes", "--reason", "not now"]).exits(0);
    assert_eq!(shop.run(["inspect", "--definitions"]).exits(0).out, before);
    assert_eq!(shown(&shop)["state"], "not started");
}

#[test]
fn a_kill_holds_the_plan_at_the_next_tick_and_a_stop_makes_it_wait() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    let later = after(&shop, 8);
    shop.run(["stop-all", "--yes", "--reason", "fire"]).exits(0);
    let ticked = shop.run(["plan", "tick", "--at", &later, "--json"]).exits(0).json();
    assert_eq!(
        (&ticked["plans"][0]["step"], &ticked["plans"][0]["why"]),
        (&"wait".into(), &"everything is stopped".into())
    );
    shop.run(["resume-all"]).exits(0);
    shop.run(["kill", "customer_portal", "--reason", "wrong totals"]).exits(0);
    let ticked = shop.run(["plan", "tick", "--json"]).exits(0).json();
    assert_eq!(ticked["plans"][0]["step"], "hold");
    let ran = shop.run(["plan", "resume", "customer_portal"]).exits(1);
    assert!(ran.err.contains("is killed; `flagstone revive customer_portal` first"), "{}", ran.err);
    shop.run(["revive", "customer_portal"]).exits(0);
    shop.run(["plan", "resume", "customer_portal"]).exits(0);
}

#[test]
fn a_rollback_holds_the_plans_that_it_brings_back() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["plan", "tick", "--at", &after(&shop, 7)]).exits(0);
    let later = after(&shop, 30);
    shop.run(["rollback", "--to", "2", "--reason", "slow"]).exits(0);
    assert_eq!(shown(&shop)["held"]["reason"], "`rollback` to generation 2: slow");
    assert_eq!(shown(&shop)["on"], "0 % + 2 companies");
    shop.run(["plan", "tick", "--at", &later]).exits(0);
    assert_eq!(generation(&shop), 4);
}

#[test]
fn a_rollback_goes_back_over_what_changed_nothing_for_anybody() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["plan", "advance", "customer_portal", "--reason", "fine"]).exits(0);
    shop.run(["plan", "hold", "customer_portal"]).exits(0);
    let ran = shop.run(["rollback"]).exits(0);
    assert!(ran.out.contains("from generation 4 back to what 2 held"), "{}", ran.out);
    assert!(ran.out.contains("what the store keeps with it") && !ran.out.contains("state."), "{}", ran.out);
    assert_eq!(shown(&shop)["on"], "0 % + 2 companies");
}

#[test]
fn what_cannot_be_done_with_a_plan_is_refused_with_a_reason() {
    let shop = planned();
    for (command, with) in [
        ("hold", "was not started"),
        ("resume", "`flagstone plan start customer_portal` does"),
        ("abort", "was not started"),
    ] {
        let ran = shop.run(["plan", command, "customer_portal"]).exits(1);
        assert!(ran.err.contains(with), "{}", ran.err);
    }
    let ran = shop.run(["plan", "start", "search"]).exits(1);
    assert!(ran.err.contains("search has no plan"), "{}", ran.err);
    let ran = shop.run(["plan", "start", "serch"]).exits(1);
    assert!(ran.err.contains("did you mean \"search\"?"), "{}", ran.err);
    shop.run(["plan", "show", "search"]).exits(2);
    shop.run(["plan", "show", "serch"]).exits(2);
    shop.run(["plan", "resume", "customer_portal", "--stage", "0"]).exits(2);
    let all = shop.run(["plan", "show", "--json"]).exits(0).json();
    assert_eq!(all["plans"].as_array().unwrap().len(), 2);
    let empty = Shop::empty();
    empty.run(["init", "store", "--environment", "production"]).exits(0);
    let ran = empty.run(["plan", "start", "search"]).exits(1);
    assert!(ran.err.contains("nothing is published yet"), "{}", ran.err);
    empty.run(["plan", "tick"]).exits(0);
}

/// RFC 3339, in UTC.
fn is_time(text: &str) -> bool {
    flagstone::time::parse_rfc3339(text.as_bytes()).is_some() && text.ends_with('Z')
}

/// A plan that is held stood among the others, in lines without time and level.
#[test]
fn the_daemon_warns_of_a_plan_that_is_held() {
    let shop = planned();
    shop.run(["plan", "start", "quick"]).exits(0);
    shop.run(["kill", "quick", "--reason", "slow"]).exits(0);
    let mut daemon = shop
        .command(["run", "--no-guard", "--interval", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains(" warning ")).unwrap();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let told = line.split_once(" warning plan: production on ");
    let told = told.filter(|(at, told)| is_time(at) && told.contains("quick: ") && told.contains("held"));
    assert!(told.is_some(), "{line}");
}

#[test]
fn the_daemon_moves_plans_and_ends_at_once_when_it_is_told_to() {
    let shop = planned();
    shop.run(["plan", "start", "quick"]).exits(0);
    let mut daemon =
        shop.command(["run", "--no-guard", "--interval", "1"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(
        first.contains("plans are moved every 1 second") && is_time(first.split(' ').next().unwrap()),
        "{first}"
    );
    for stage in ["quick: stage 2 of 3, 60 %", "quick: done, stage 3 of 3, 100 %"] {
        let line = lines.next().unwrap();
        let told = line.split_once(" info plan: production on ").filter(|(at, _)| is_time(at));
        assert!(told.is_some_and(|(_, told)| told.contains(stage)), "{line}");
    }
    let id = rustix::process::Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    let history = shop.run(["history", "--json"]).exits(0).json();
    let last = &history["changes"][0];
    assert_eq!(
        (&last["action"], &last["stage"], &last["actor"]["user"]),
        (&"plan_stage".into(), &3.into(), &"plan".into())
    );
}

#[test]
fn a_daemon_without_a_store_says_so_once_and_finds_it_when_it_is_there() {
    let shop = Shop::empty();
    shop.write("flags.json", PLANNED);
    let mut daemon =
        shop.command(["run", "--no-guard", "--interval", "1"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.next().unwrap();
    let problem = lines.next().unwrap();
    let told = problem.split_once(" warning plan: ");
    let told = told.filter(|(at, told)| is_time(at) && told.ends_with("tried again until it works"));
    assert!(told.is_some(), "{problem}");
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    let rest: Vec<String> =
        lines.by_ref().take_while(|line| !line.contains(" plan: it works again")).collect();
    assert!(!rest.iter().any(|line| line.contains(" warning plan: ")), "{rest:?}");
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn what_an_advance_says_to_type_again_enters_no_further_stage() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["config", "machines.web-2", "[\"/bin/false\"]"]).exits(0);
    let ran = shop.run(["plan", "advance", "customer_portal", "--reason", "pilots agreed"]).exits(3);
    let again = ran.err.split_once("once they answer, type: flagstone ").unwrap().1.trim();
    assert_eq!(again, "plan advance customer_portal --stage=2 --reason 'pilots agreed'");
    for _ in 0..2 {
        let ran = shop
            .run(["plan", "advance", "customer_portal", "--stage=2", "--reason", "pilots agreed"])
            .exits(3);
        assert!(ran.out.contains("has entered stage 2 already; nothing was changed"), "{}", ran.out);
    }
    assert_eq!(shop.run(["status", "--json"]).json()["store"]["generation"], 3);
    let ran = shop.run(["plan", "advance", "customer_portal", "--stage", "4", "--reason", "x"]).exits(1);
    assert!(ran.err.contains("so that the next is 3, not 4"), "{}", ran.err);
}

// A pipeline had to poll `plan show` in a loop of its own.
#[test]
fn wait_ends_with_the_plan_and_says_how_by_its_exit_code() {
    let shop = planned();
    let start = |arguments: &[&str]| {
        let mut command = shop.command(["plan"]);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let ended = |child: std::process::Child| crate::shop::ran(child.wait_with_output().unwrap());
    let until = |ready: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !ready() {
            assert!(began.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    let state =
        |flag: &str| shop.run(["plan", "show", flag, "--json"]).json()["state"].as_str().unwrap().to_owned();
    let waits = start(&["start", "quick", "--wait"]);
    until(&|| {
        shop.run(["plan", "tick"]).exits(0);
        state("quick") == "done"
    });
    let ran = ended(waits).exits(0);
    assert!(
        ran.out.contains("stage 2 of 3, 60 %") && ran.out.trim_end().ends_with("done, stage 3 of 3, 100 %"),
        "{}",
        ran.out
    );

    let waits = start(&["start", "customer_portal", "--wait=1h", "--json"]);
    until(&|| state("customer_portal") == "running");
    shop.run(["plan", "hold", "customer_portal", "--reason", "doubts"]).exits(0);
    let json = ended(waits).exits(1).json();
    assert_eq!((&json["wait"]["ended"], &json["stage"]), (&"held".into(), &1.into()), "{json:#}");
    assert!(json["wait"]["why"].as_str().unwrap().contains("doubts"), "{json:#}");

    let waits = start(&["resume", "customer_portal", "--wait=1h"]);
    until(&|| state("customer_portal") == "running");
    shop.run(["kill", "customer_portal", "--reason", "fire"]).exits(0);
    let ran = ended(waits).exits(1);
    assert!(ran.err.contains("killed since ") && ran.err.contains(": fire"), "{}", ran.err);
    shop.run(["revive", "customer_portal"]).exits(0);
    let ran = shop.run(["plan", "advance", "customer_portal", "--reason", "x", "--wait=1s"]).exits(2);
    assert!(ran.err.contains("after 1s") && ran.err.contains("stage 2 of 4"), "{}", ran.err);
    shop.run(["plan", "hold", "customer_portal", "--wait"]).exits(2);
    shop.run(["plan", "advance", "customer_portal", "--reason", "x", "--wait=1s", "--dry-run"]).exits(2);
    shop.run(["plan", "advance", "customer_portal", "--reason", "x", "--wait=soon"]).exits(2);
}

// Arrows and bars were printed in any locale, and colours with TERM="".
#[test]
fn a_terminal_that_has_no_such_signs_gets_ascii_and_no_colours() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    let shown = |environment: &[(&str, &str)]| {
        let mut script = std::process::Command::new("script");
        let typed = format!("{} plan show customer_portal", env!("CARGO_BIN_EXE_flagstone"));
        script.args(["-qec", &typed, "/dev/null"]).current_dir(&shop.directory).env_clear();
        script.env("PATH", "/usr/bin:/bin").env("FLAGSTONE_STORE", "store").envs(environment.iter().copied());
        crate::shop::ran(script.stdin(Stdio::null()).output().unwrap()).exits(0).out
    };
    let utf8 = shown(&[("LANG", "C.UTF-8"), ("TERM", "xterm")]);
    assert!(utf8.contains('○') && utf8.contains('\x1b'), "{utf8}");
    let ascii = shown(&[("LC_ALL", "C"), ("TERM", "")]);
    assert!(ascii.is_ascii() && !ascii.contains('\x1b'), "{ascii:?}");
}

// "Type it again" entered a stage more, where another person's advance had come between.
#[test]
fn an_advance_that_came_second_says_which_stage_to_name() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    let list = shop.directory.join("list");
    assert!(std::process::Command::new("mkfifo").arg(&list).status().unwrap().success());
    let mut advance = shop.command(["plan", "advance", "customer_portal", "--reason", "it's fine"]);
    let advance =
        advance.args(["--yes", "--count-for", "list"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let advance = advance.spawn().unwrap();
    // It has decided by the time that it reads the list.
    let write = std::fs::OpenOptions::new().write(true).open(&list).unwrap();
    shop.run(["plan", "advance", "customer_portal", "--reason", "fine"]).exits(0);
    std::io::Write::write_all(&mut &write, b"1\n").unwrap();
    drop(write);
    let ran = crate::shop::ran(advance.wait_with_output().unwrap()).exits(1);
    let line = "Type: flagstone plan advance customer_portal --stage=2 --reason 'it'\\''s fine'\n";
    assert!(ran.err.ends_with(line), "{}", ran.err);
    let again = ["plan", "advance", "customer_portal", "--stage=2", "--reason", "it's fine"];
    assert!(shop.run(again).exits(0).out.contains("has entered stage 2 already"));
}

// History, status and incident printed what the store keeps with a plan as JSON: `state.plan.held nothing → {"at":1796083322832560,…`.
#[test]
fn no_line_of_a_plan_is_json() {
    let shop = planned();
    shop.run(["plan", "start", "customer_portal"]).exits(0);
    shop.run(["plan", "hold", "customer_portal", "--reason", "x"]).exits(0);
    let asked = || ["history", "status", "incident"].map(|asked| shop.run([asked]).exits(0).out).concat();
    let lines = asked();
    assert!(
        lines.contains("plan hold customer_portal, stage 1, publish 3") && !lines.contains("{\""),
        "{lines}"
    );
    shop.write("flags.json", PLANNED.replace("\"search\": true", PLAN_OF_SEARCH));
    let ran = shop.run(["publish", "flags.json"]).exits(0);
    assert!(ran.out.contains("    plan  nothing → 1 stage\n"), "{}", ran.out);
    let lines = asked();
    assert!(lines.contains("search.plan nothing → 1 stage") && !lines.contains("{\""), "{lines}");
}

const PLAN_OF_SEARCH: &str = r#""search": { "enabled": true, "rollout": { "percentage": 0 }, "plan": { "stages": [{ "percentage": 100 }] } }"#;
