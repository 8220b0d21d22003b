//! Commands of users who may not write the store: its agent runs them, and they print what the owner's print.

use crate::api::Api;
use crate::documents::plain;
use crate::shop::{FLAGS, Ran, Shop, ran};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;

/// www-data.
const WORKER: u32 = 33;
const STRANGER: u32 = 64_021;

/// A store with its agent, and the command where every user can run it.
fn agent(policy: &serde_json::Value) -> Api {
    let api = Api::with_policy(policy);
    // Another process copies it: see `Shop::with_command`.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_flagstone")).arg(&api.shop.directory).status();
    assert!(copied.unwrap().success(), "no room for a copy of the command");
    api
}

/// Types the command in a shop's directory.
fn typed(mut command: Command, arguments: &[&str], input: &str) -> Ran {
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads none may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    ran(child.wait_with_output().unwrap())
}

fn as_user(api: &Api, user: u32, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(api.shop.directory.join("flagstone"));
    command.uid(user).gid(user).current_dir(&api.shop.directory).env_clear().env("FLAGSTONE_STORE", "store");
    typed(command, arguments, input)
}

#[test]
fn a_command_that_the_agent_runs_prints_what_its_owners_prints() {
    let edited = FLAGS.replace("\"old\": false", "\"old\": true");
    for json in [false, true] {
        let everybody = json!(["*"]);
        let api = agent(&json!({ "change": everybody, "kill": everybody, "stop": everybody }));
        let owners = Shop::published();
        for shop in [&api.shop, &owners] {
            shop.write("companies.txt", "1\n2\nacme\n");
        }
        let lines: [(&[&str], &str); 25] = [
            (&["rollout", "search", "75", "--reason", "more, \"now\""], ""),
            (&["rollout", "search", "75"], ""),
            (&["enable", "old", "--company", "15", "--company=042"], ""),
            (&["disable", "billing_v2", "--count-for", "-"], "5\n6\n"),
            (&["disable", "billing_v2", "--count-for", "-", "--yes"], "5\n6\n"),
            (&["deny", "search", "5", "--count-for", "-"], "5\n6\n"),
            (&["enable", "billing_v2"], ""),
            (&["allow", "search", "7", "x"], ""),
            (&["deny", "search", "--from-file", "companies.txt"], ""),
            (&["forget", "search", "9", "--from-file", "-"], "[1, \"acme\"]"),
            (&["forget", "search", "--from-file", "none.txt"], ""),
            (&["rollout", "serach", "5"], ""),
            (&["rollout", "search", "150"], ""),
            (&["rollout", "search", "10", "--expect-generation", "1"], ""),
            (&["publish", "-", "--yes", "--keep"], &edited),
            (&["publish", "-"], "{\"flags\": {\"a\": {\"on\": 1}}}"),
            (&["rollback", "--yes"], ""),
            (&["kill", "search", "--reason", "slow"], ""),
            (&["kill", "serach", "--reason", "slow"], ""),
            (&["revive", "search"], ""),
            (&["plan", "start", "search"], ""),
            (&["delete", "search"], ""),
            (&["note", "deploy 42"], ""),
            (&["stop-all", "--reason", "fire"], ""),
            (&["stop-all", "--reason", "fire", "--environment", "production"], ""),
        ];
        // A user makes ten changes a minute: each line has another user.
        for (number, (line, input)) in (0..).zip(lines) {
            let mut arguments = line.to_vec();
            arguments.extend(json.then_some("--json"));
            let asked = as_user(&api, 64_100 + number, &arguments, input);
            let own = typed(owners.command([]), &arguments, input);
            assert_eq!(asked.code, own.code, "{line:?}\n{}{}\n{}{}", asked.out, asked.err, own.out, own.err);
            // The agent knows no name of the list.
            let named = |text: &str| plain(&text.replace("count_for", "standard input"));
            assert_eq!(named(&asked.out), plain(&own.out), "{line:?}");
            assert_eq!(named(&asked.err), plain(&own.err), "{line:?}");
        }
    }
}

#[test]
fn a_command_that_the_agent_runs_is_recorded_under_the_account_that_the_kernel_saw() {
    let api = agent(&json!({ "kill": ["www-data"], "export": ["www-data"] }));
    let kill = ["kill", "search", "--reason", "slow", "--actor", "Alice", "--count-for", "none.txt"];
    let killed = as_user(&api, WORKER, &kill, "").exits(0);
    assert!(killed.err.contains("its own list of companies, not for --count-for"), "{}", killed.err);
    let audit = api.shop.run(["audit"]).exits(0).out;
    assert!(audit.contains("by Alice, claimed (www-data@"), "{audit}");
    api.shop.run(["key", "make"]).exits(0);
    let export = as_user(&api, WORKER, &["export", "search", "old"], "").exits(0).out;
    api.shop.write("a.export", export);
    let key = api.shop.run(["key", "--json"]).json()["key"].as_str().unwrap().to_owned();
    let other = |arguments: &[&str]| {
        let mut command = api.shop.command([]);
        command.env("FLAGSTONE_STORE", "other");
        typed(command, arguments, "").exits(0)
    };
    other(&["init", "other", "--environment", "staging"]);
    other(&["key", "trust", "shop", &key]);
    other(&["import", "a.export", "--yes"]);
}

#[test]
fn a_command_that_the_policy_forbids_says_so_and_a_kill_that_nothing_was_stopped() {
    let api = agent(&json!({ "change": ["www-data"] }));
    let refused = as_user(&api, STRANGER, &["rollout", "search", "5"], "").exits(1);
    assert!(refused.err.contains("the store's policy gives 64021 no right to change"), "{}", refused.err);
    let refused = as_user(&api, WORKER, &["kill", "search", "--reason", "slow"], "").exits(1);
    let last = refused.err.lines().last().unwrap();
    assert!(refused.err.contains("no right to kill"), "{}", refused.err);
    assert_eq!(last, "NOTHING WAS STOPPED: search answers as before");
    let document =
        as_user(&api, WORKER, &["kill", "search", "--reason", "slow", "--json"], "").exits(1).json();
    assert_eq!((&document["right"], &document["uid"]), (&json!("kill"), &json!(WORKER)));
    let refused = as_user(&api, WORKER, &["publish", "-", "--release", "5"], FLAGS).exits(1);
    assert!(refused.err.contains("takes no --release in a request; nothing was changed"), "{}", refused.err);
    // What only reads, and what no route has, runs as before.
    as_user(&api, STRANGER, &["show", "search"], "").exits(0);
    as_user(&api, STRANGER, &["rollout", "search", "5", "--dry-run"], "").exits(0);
    let refused = as_user(&api, WORKER, &["config", "confirm_above", "0.5"], "");
    assert!(refused.code != 0 && refused.err.contains("ermission denied"), "{}", refused.err);
    assert_eq!(api.shop.run(["status", "--json"]).json()["store"]["generation"], 1);
}

// Another user's socket in the agent's place would have learned of changes, and said that kills are made.
#[test]
fn nothing_is_sent_to_an_agent_of_another_user_than_root_and_the_owner() {
    let api = agent(&json!({}));
    let place = api.shop.directory.join("theirs");
    std::fs::create_dir(&place).unwrap();
    chown(&place, Some(STRANGER), None).unwrap();
    let socket = place.join("a.sock");
    api.shop.write("store/config.json", json!({ "agent": { "socket": socket } }).to_string());
    let line = ["kill", "search", "--reason", "slow"];
    // Nobody serves it: as where no agent runs.
    let without = as_user(&api, WORKER, &line, "");
    assert!(without.code != 0 && without.err.contains("ermission denied"), "{}", without.err);
    let listener = crate::api::acting(crate::api::user(STRANGER), || UnixListener::bind(&socket).unwrap());
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666)).unwrap();
    let received = thread::spawn(move || {
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        received
    });
    let refused = as_user(&api, WORKER, &line, "").exits(1);
    assert!(refused.err.contains("served by user 64021, expected root or user 64020"), "{}", refused.err);
    assert!(refused.err.ends_with("NOTHING WAS STOPPED: search answers as before\n"), "{}", refused.err);
    assert_eq!(received.join().unwrap(), b"");
}
