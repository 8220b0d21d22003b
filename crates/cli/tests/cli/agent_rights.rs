//! What a user may do by the agent holds at each moment, and no user takes what another one's kill needs.

use crate::api::{Api, ROOT, user};
use crate::shop::until;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

const HOLDER: u32 = 33;

/// Kills a flag as each of these users, all at once; the statuses.
fn kill_at_once(api: &Api, users: &[u32], flag: impl Fn(usize) -> String + Sync) -> Vec<u16> {
    let (barrier, flag) = (Barrier::new(users.len()), &flag);
    thread::scope(|scope| {
        let kill = |(number, uid): (usize, &u32)| {
            let (barrier, uid) = (&barrier, *uid);
            scope.spawn(move || {
                barrier.wait();
                let body = json!({ "reason": "slow", "force": true });
                api.ask(user(uid), "POST", &format!("/v1/flags/{}/kill", flag(number)), &body).status
            })
        };
        let running: Vec<_> = users.iter().enumerate().map(kill).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

// The first of several requests read the policy, and the others were judged by the one before, whatever its age.
#[test]
fn a_right_that_was_taken_away_holds_for_none_of_many_requests_at_once() {
    let api = Api::with_policy(&json!({ "kill": [HOLDER] }));
    let kill = |users: &[u32]| kill_at_once(&api, users, |_| "search".to_owned());
    assert_eq!(kill(&[HOLDER]), [200]);
    // Names that nobody knows are looked up, so that reading takes a while.
    let set = |holder: u32| {
        let mut view: Vec<Value> = (0..20).map(|number| json!(format!("nobody-{holder}-{number}"))).collect();
        view.push(json!("*"));
        let policy = json!({ "kill": [holder], "view": view });
        api.shop.write("store/config.json", json!({ "agent": { "policy": policy } }).to_string());
        // A change of the policy holds after a second.
        thread::sleep(Duration::from_millis(1_100));
    };
    set(HOLDER + 1);
    assert_eq!(kill(&[HOLDER; 8]), [403; 8]);
    set(HOLDER);
    assert_eq!(kill(&[HOLDER; 8]), [200; 8]);
}

// A config that others can write is ignored, and the policy was that of a store without a config.
#[test]
fn a_config_that_others_can_write_changes_no_policy() {
    let api = Api::with_policy(&json!({ "kill": [HOLDER], "view": [HOLDER] }));
    let path = api.shop.directory.join("store/config.json");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o664)).unwrap();
    until(|| {
        assert_eq!(api.ask(user(HOLDER + 1), "GET", "/v1/token", &Value::Null).status, 403);
        assert_eq!(kill_at_once(&api, &[HOLDER], |_| "search".to_owned()), [200]);
        api.log().contains("the policy before holds: nothing in ")
    });
}

// Four kills that waited for a machine without an answer kept every other kill out, also that of root.
#[test]
fn kills_that_wait_for_another_machine_keep_no_other_kill_out() {
    let api = Api::with_policy(&json!({ "kill": ["*"], "change": ["*"] }));
    let answers = api.shop.directory.join("answers");
    let wait = format!("until [ -e {} ]; do sleep 0.1; done", answers.display());
    let machines = json!({ "web-2": { "run": ["sh", "-c", wait], "timeout": 300 } });
    let agent = json!({ "policy": { "kill": ["*"], "change": ["*"] } });
    api.shop.write("store/config.json", json!({ "machines": machines, "agent": agent }).to_string());
    let users: Vec<u32> = (0..18).map(|number| 64_100 + number / 3).collect();
    let stop = json!({ "reason": "fire", "yes": true });
    thread::scope(|scope| {
        let kills = scope.spawn(|| kill_at_once(&api, &users, |number| format!("key-{number}")));
        let killed = || {
            let status = api.shop.run(["status", "--json"]).json();
            status["killed"].as_array().unwrap().len()
        };
        until(|| killed() == users.len());
        let stopped = scope.spawn(|| api.ask(ROOT, "POST", "/v1/stop-all", &stop).status);
        until(|| !api.is_on("billing_v2"));
        std::fs::write(&answers, "").unwrap();
        assert_eq!((kills.join().unwrap(), stopped.join().unwrap()), (vec![200; users.len()], 200));
    });
}

// Whoever held `kill` alone could take all places for kills with keys that no flag has.
#[test]
fn a_kill_of_a_key_that_is_not_published_needs_the_right_to_change() {
    let api = Api::with_policy(&json!({ "kill": [HOLDER, HOLDER + 1], "change": [HOLDER + 1] }));
    let kill = |uid, flag: &str| {
        let path = format!("/v1/flags/{flag}/kill");
        api.ask(user(uid), "POST", &path, &json!({ "reason": "slow", "force": true }))
    };
    let refused = kill(HOLDER, "invented").gives(403).json();
    assert_eq!((&refused["right"], &refused["uid"]), (&json!("change"), &json!(HOLDER)));
    kill(HOLDER, "search").gives(200);
    kill(HOLDER + 1, "invented").gives(200);
}
