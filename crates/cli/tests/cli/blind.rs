//! A guard that sees nothing, or may change nothing, is no guard: it says so, and whatever relies on it waits.

use crate::doctor::{answer, page, pool};
use crate::guards::{Daemon, Site, healthy, now};
use crate::shop::{Shop, full_pipe, ran};
use flagstone::telemetry::Recorder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// A flag whose plan enters its second stage after a second.
const QUICK: &str = r#"{"flags": {"calm": true, "checkout": {"enabled": false, "rollout": {"percentage": 0}, "plan": {"stages": [
    {"percentage": 4, "soak": "1s"}, {"percentage": 10, "soak": "1h"}, {"percentage": 100}]}}}}"#;

fn started() -> Site {
    let mut site = Site::new(QUICK);
    site.shop.run(["plan", "start", "checkout"]).exits(0);
    site.reload();
    site
}

/// Has the counters written by others than their user, so that nobody believes them.
fn spoil(site: &Site) {
    std::fs::set_permissions(site.worker.path(), PermissionsExt::from_mode(0o666)).unwrap();
}

fn stage(site: &Site) -> Value {
    site.shop.run(["plan", "show", "checkout", "--json"]).exits(0).json()["stage"].clone()
}

fn health(site: &Site) -> Value {
    site.shop.run(["health", "--json", "--memory", "memory"]).json()
}

fn guard_check(site: &Site) -> Value {
    let doctor = site.shop.run(["doctor", "--json", "--php", "/bin/false", "--memory", "memory"]).json();
    check_named(&doctor, "guard")
}

fn check_named(doctor: &Value, name: &str) -> Value {
    let checks = doctor["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap().clone()
}

fn end(daemon: &mut Daemon, signal: Signal) {
    kill_process(Pid::from_raw(daemon.child.id().cast_signed()).unwrap(), signal).unwrap();
    daemon.child.wait().unwrap();
}

/// Plays healthy requests until something is so, for half a minute at most.
fn until(site: &mut Site, so: impl FnMut(&Site) -> bool) {
    assert!(site.play(30, healthy, so), "it did not come to pass");
}

#[test]
fn a_guard_without_counters_says_so_and_fails_once() {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    std::fs::create_dir(shop.directory.join("memory")).unwrap();
    for memory in ["memory", "gone"] {
        let ran = shop.run(["guard", "--once", "--memory", memory]).exits(2);
        assert!(ran.err.contains("nothing is watched: "), "{memory}: {}", ran.err);
        shop.run(["guard", "--once", "--dry-run", "--memory", memory]).exits(2);
    }
    let site = Site::new(QUICK);
    site.shop.run(["guard", "--once", "--memory", "memory"]).exits(0);
    spoil(&site);
    let ran = site.shop.run(["guard", "--once", "--memory", "memory"]).exits(2);
    assert!(ran.err.contains("nothing is watched: all counters are left out"), "{}", ran.err);
}

#[test]
fn a_blind_guard_degrades_health_fails_doctor_and_holds_up_plans() {
    let mut site = started();
    let daemon = Daemon::start(&site, ["run", "--interval", "1"]);
    spoil(&site);
    assert!(daemon.says("nothing is watched: all counters are left out").is_some());
    until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "blind");
    assert_eq!(health(&site)["status"], "degraded");
    let check = guard_check(&site);
    assert_eq!(check["state"], "failed", "{check}");
    assert!(check["mend"].is_string() && check["found"].to_string().contains("left out"), "{check}");
    site.play(3, healthy, |_| false);
    assert_eq!(stage(&site), 1, "{:?}", daemon.rest());
    let shown = site.shop.run(["plan", "show", "checkout"]).exits(0).out;
    assert!(shown.contains("no stage is entered meanwhile: the guard is blind"), "{shown}");
    let ticked = site.shop.run(["plan", "tick", "--json"]).exits(0).json();
    assert_eq!(ticked["plans"][0]["step"], "wait", "{ticked}");
    // It sees again, and goes on.
    std::fs::set_permissions(site.worker.path(), PermissionsExt::from_mode(0o600)).unwrap();
    until(&mut site, |site| stage(site) == 2);
    assert_eq!((&health(&site)["status"], &guard_check(&site)["state"]), (&"ok".into(), &"passed".into()));
}

/// `guard` passed while the counters of a pool were left out, and blamed config.json where a worker could not count.
#[test]
fn doctor_tells_of_a_pool_that_is_not_seen_although_a_guard_watches() {
    let mut site = Site::new(QUICK);
    let _daemon = Daemon::start(&site, ["guard"]);
    until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "watching");
    assert_eq!(guard_check(&site)["state"], "passed");
    let counters = site.worker.path().to_owned();
    let other = counters.parent().unwrap().with_file_name("flagstone-4-1500");
    std::fs::create_dir(&other).unwrap();
    let copy = other.join(counters.file_name().unwrap());
    std::fs::copy(&counters, &copy).unwrap();
    for path in [&other, &copy] {
        std::os::unix::fs::chown(path, Some(1500), Some(1500)).expect("root, as sudo make test has");
    }
    let check = guard_check(&site);
    assert_eq!(check["state"], "warned", "{check}");
    let left_out = health(&site)["flagstone"]["telemetry_left_out"][0]["reason"].clone();
    assert!(
        left_out.to_string().contains("user 1500 (1500) is not one whose counters are believed"),
        "{left_out}"
    );
    assert!(check["found"].as_str().unwrap().contains(left_out.as_str().unwrap()), "{check}");
    std::fs::remove_dir_all(&other).unwrap();

    let mut answer: Value = serde_json::from_str(&answer(&site.shop, "0", 1, "current")).unwrap();
    answer["status"]["telemetry"]["error"] = "cannot make the counters: No space left on device".into();
    let socket = pool(&site.shop, move |worker, _| page(&answer.to_string(), worker));
    let socket = socket.to_str().unwrap();
    let doctor =
        site.shop.run(["doctor", "--json", "--skip", "php", "--fpm", socket, "--memory", "memory"]).json();
    let check = check_named(&doctor, "guard");
    assert_eq!(check["state"], "failed", "{check}");
    assert!(check["found"].to_string().contains("does not count: cannot make the counters"), "{check}");
    assert!(check["mend"].to_string().contains("docs/telemetry.md"), "{check}");
}

/// `guard` passed for a pool with flagstone.telemetry = Off, and only warned of one whose user is not believed.
#[test]
fn doctor_fails_for_a_pool_that_no_guard_sees() {
    let mut site = Site::new(QUICK);
    let _daemon = Daemon::start(&site, ["guard"]);
    until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "watching");
    let counters = site.worker.path().to_owned();
    let other = counters.parent().unwrap().with_file_name("flagstone-4-1500");
    std::fs::create_dir(&other).unwrap();
    let copy = other.join(counters.file_name().unwrap());
    std::fs::copy(&counters, &copy).unwrap();
    for path in [&other, &copy] {
        std::os::unix::fs::chown(path, Some(1500), Some(1500)).expect("root, as sudo make test has");
    }
    // A worker that was shut out of the store seemed to be one that is told not to count.
    let mut closed: Value = serde_json::from_str(&answer(&site.shop, "0", 0, "none")).unwrap();
    closed["status"]["telemetry"] = serde_json::json!({ "file": null, "error": null });
    let socket = pool(&site.shop, move |worker, _| page(&closed.to_string(), worker));
    let typed =
        ["doctor", "--json", "--skip", "php", "--fpm", socket.to_str().unwrap(), "--memory", "memory"];
    let check = check_named(&site.shop.run(typed).json(), "guard");
    assert!(!check.to_string().contains("flagstone.telemetry"), "{check}");
    std::fs::remove_file(&socket).unwrap();
    let mut answer: Value = serde_json::from_str(&answer(&site.shop, "0", 1, "current")).unwrap();
    for (file, state, texts) in [
        (Value::Null, "failed", ["does not count: flagstone.telemetry is off", "flagstone.telemetry = On"]),
        (copy.to_str().into(), "failed", ["is not believed", "user 1500 (1500)"]),
        (counters.to_str().into(), "warned", ["is left out", "user 1500 (1500)"]),
    ] {
        answer["status"]["telemetry"] = serde_json::json!({ "file": file, "error": null });
        let answer = answer.to_string();
        let socket = pool(&site.shop, move |worker, _| page(&answer, worker));
        let typed =
            ["doctor", "--json", "--skip", "php", "--fpm", socket.to_str().unwrap(), "--memory", "memory"];
        let check = check_named(&site.shop.run(typed).json(), "guard");
        assert_eq!(check["state"], state, "{check}");
        assert!(texts.iter().all(|text| check.to_string().contains(text)), "{check}");
        std::fs::remove_file(&socket).unwrap();
    }
}

#[test]
fn plans_go_by_time_alone_where_nobody_was_meant_to_watch() {
    let site = started();
    let shown = site.shop.run(["plan", "show", "checkout"]).exits(0).out;
    assert!(shown.contains("it goes by time alone: no guard watches this store"), "{shown}");
    spoil(&site);
    let _daemon = Daemon::start(&site, ["run", "--no-guard", "--interval", "1"]);
    let end = Instant::now() + Duration::from_secs(20);
    while stage(&site) == 1 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(stage(&site), 2);
    assert_eq!(health(&site)["flagstone"]["guard"]["state"], "none");
}

#[test]
fn a_guard_that_was_killed_is_missed_and_one_that_was_told_to_end_is_not() {
    for (signal, state, status) in [(Signal::KILL, "ended", "degraded"), (Signal::TERM, "none", "ok")] {
        let mut site = started();
        let mut daemon = Daemon::start(&site, ["guard"]);
        until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "watching");
        for command in ["status", "health"] {
            let said = site.shop.run([command]).out;
            assert!(
                said.contains("the guard watches since 20") && said.contains(" suspected\n"),
                "{command}: {said}"
            );
        }
        end(&mut daemon, signal);
        let found = health(&site);
        let missed = site.shop.run(["status"]).out.contains("the guard ended without being told to");
        assert_eq!(missed, signal == Signal::KILL);
        assert_eq!(
            (&found["flagstone"]["guard"]["state"], &found["status"]),
            (&state.into(), &status.into())
        );
        let at = flagstone::time::format_rfc3339(now() + 7_000_000);
        let ticked = site.shop.run(["plan", "tick", "--at", &at, "--dry-run", "--json"]).json();
        let step = if signal == Signal::KILL { "wait" } else { "enter" };
        assert_eq!(ticked["plans"][0]["step"], step, "{ticked}");
    }
}

#[test]
fn a_daemon_that_is_killed_again_and_again_enters_no_stage_and_says_so() {
    let mut site = Site::new(&QUICK.replace("\"1s\"", "\"4s\""));
    site.shop.run(["plan", "start", "checkout"]).exits(0);
    site.reload();
    let mut said = false;
    for _ in 0..6 {
        let mut daemon = Daemon::start(&site, ["run", "--interval", "1"]);
        site.play(2, healthy, |_| false);
        end(&mut daemon, Signal::KILL);
        said |= daemon.rest().iter().any(|line| line.contains("were started 5 times"));
    }
    assert_eq!(stage(&site), 1);
    assert!(said);
    let _daemon = Daemon::start(&site, ["run", "--interval", "1"]);
    until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "restarting");
    assert_eq!(guard_check(&site)["state"], "failed");
    // It is left alone now: it watches for as long as the stage soaks, and goes on.
    until(&mut site, |site| stage(site) == 2);
}

/// Whoever read its output and stopped (a frozen log, Ctrl-S) stopped the guard: it said that it watched, and took nothing back.
#[test]
fn a_guard_whose_lines_nobody_reads_watches_on_and_ends_when_it_is_told_to() {
    for command in ["guard", "run"] {
        let mut site = started();
        let (_read, write) = full_pipe();
        let child = site
            .shop
            .command([command, "--memory", "memory"])
            .stderr(write.try_clone().unwrap())
            .stdout(write)
            .spawn();
        let mut child = child.unwrap();
        until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "watching");
        kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
        child.wait().unwrap();
        assert_eq!(site.shop.run(["guard", "status", "--json"]).json()["state"], "none", "{command}");
    }
}

/// A site whose counters are www-data's.
fn of_www_data() -> Site {
    let site = Site::new(QUICK);
    let own = site.worker.path().parent().unwrap().to_owned();
    for path in [&own, &site.worker.path().to_owned(), &site.worker.path().with_extension("claims")] {
        std::os::unix::fs::chown(path, Some(33), Some(33)).expect("root, as sudo make test has");
    }
    let store = flagstone::publish::Store::open(&site.shop.directory.join("store")).unwrap();
    site.worker.note_store(store.directory(), &store.id());
    site
}

/// Runs a line beside the site's counters, where commands without `--memory` look for them.
fn beside_counters(site: &Site, typed: &str) -> crate::shop::Ran {
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    let line = format!("mount --bind memory /dev/shm && {flagstone} {typed} --store store");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &line]).current_dir(&site.shop.directory);
    ran(command.output().unwrap()).exits(0)
}

/// `health` said "ok" above the users that it named, and `status` did not name them.
#[test]
fn users_who_cannot_read_the_store_degrade_health_and_are_in_status() {
    let site = of_www_data();
    let head = site.shop.directory.join("store/head");
    let metric = |site: &Site| site.shop.run(["metrics", "--memory", "memory"]).exits(0).out;
    assert!(metric(&site).contains("\nflagstone_users_shut_out 0\n"));
    assert_eq!(beside_counters(&site, "status --json").json()["shut_out"], serde_json::json!([]));
    std::fs::set_permissions(&head, PermissionsExt::from_mode(0o640)).unwrap();
    let found = health(&site);
    assert_eq!(found["status"], "degraded", "{found}");
    assert_eq!(found["flagstone"]["shut_out"].as_array().unwrap().len(), 1, "{found}");
    assert!(metric(&site).contains("\nflagstone_users_shut_out 1\n"));
    let status = beside_counters(&site, "status").out;
    assert!(status.contains("\n  shut out     by owners, groups and modes user www-data cannot"), "{status}");
}

/// Health said "ok", and doctor "go", where workers could read the head but not the snapshot that it names.
#[test]
fn a_user_whose_workers_cannot_read_the_current_snapshot_is_named() {
    let site = of_www_data();
    let snapshots = site.shop.directory.join("store/snapshots");
    for snapshot in std::fs::read_dir(&snapshots).unwrap() {
        std::fs::set_permissions(snapshot.unwrap().path(), PermissionsExt::from_mode(0o640)).unwrap();
    }
    let found = health(&site);
    let shut_out = found["flagstone"]["shut_out"][0].as_str().unwrap_or_default();
    assert!(shut_out.contains("user www-data cannot read") && shut_out.contains("/snapshots/"), "{found}");
    assert_eq!(found["status"], "degraded");
}

/// A pool's group that its user is no member of: its workers were taken for ones that cannot read the store.
#[test]
fn workers_have_the_group_of_their_counters() {
    let site = of_www_data();
    let head = site.shop.directory.join("store/head");
    std::fs::set_permissions(&head, PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&head, None, Some(64_120)).unwrap();
    assert_eq!(health(&site)["status"], "degraded");
    std::os::unix::fs::chown(site.worker.path(), None, Some(64_120)).unwrap();
    let found = health(&site);
    assert_eq!((&found["status"], &found["flagstone"]["shut_out"]), (&"ok".into(), &serde_json::json!([])));
    // A file below a setgid directory has the directory's group, whoever made it.
    let own = site.worker.path().parent().unwrap();
    std::fs::set_permissions(own, PermissionsExt::from_mode(0o2755)).unwrap();
    assert_eq!(health(&site)["status"], "degraded");
}

/// After a restore that had lost the readers' group, kills said that the flag was off for everybody, and running workers went on with it.
#[test]
fn a_user_whose_workers_cannot_read_the_store_is_named() {
    let site = of_www_data();
    let store = site.shop.directory.join("store");
    let chmod = |path: &str, mode| {
        std::fs::set_permissions(store.join(path), PermissionsExt::from_mode(mode)).unwrap()
    };
    chmod("", 0o750);
    let told = site.shop.run(["health", "--memory", "memory"]).out;
    assert!(told.starts_with("degraded") && told.contains("user www-data cannot read"), "{told}");
    let doctor = site.shop.run(["doctor", "--php", "/bin/false", "--memory", "memory"]).out;
    assert!(doctor.contains("user www-data cannot read"), "{doctor}");
    // As a restore with a narrow umask left them.
    chmod("", 0o755);
    chmod("head", 0o600);
    let doctor = site.shop.run(["doctor", "--php", "/bin/false", "--memory", "memory"]).exits(1).out;
    assert!(
        doctor.contains("not everybody who can enter the store can read") && doctor.contains("/head"),
        "{doctor}"
    );
}

/// A kill warned of users who cannot read the head, and ended with "off for everybody at once".
#[test]
fn a_kill_that_does_not_reach_every_worker_does_not_say_so() {
    let site = of_www_data();
    let head = site.shop.directory.join("store/head");
    std::fs::set_permissions(head, PermissionsExt::from_mode(0o600)).unwrap();
    for (typed, said) in [
        (
            "kill checkout",
            "killed checkout: off except in workers that do not read this store (see the warning), ",
        ),
        (
            "stop-all --yes",
            "stopped everything except in workers that do not read this store (see the warning): ",
        ),
    ] {
        let ran = beside_counters(&site, &format!("{typed} --reason test"));
        assert!(ran.out.contains(said) && !ran.out.contains("everybody at once"), "{}", ran.out);
        assert!(ran.err.contains("user www-data cannot read"), "{}", ran.err);
    }
}

/// A store that was moved while a queue worker went on with the old one: kills said "for everybody at once", health "ok", doctor "go".
#[test]
fn workers_of_a_store_left_behind_by_a_move_are_told_of() {
    let site = Site::new(QUICK);
    let (old, new) = (site.shop.directory.join("old"), site.shop.directory.join("store"));
    std::fs::rename(&new, &old).unwrap();
    assert!(Command::new("cp").arg("-a").args([&old, &new]).status().unwrap().success());
    let old = old.canonicalize().unwrap();
    let id = flagstone::publish::Store::open(&old).unwrap().id();
    let memory = site.shop.directory.join("memory");
    let worker = Recorder::open(&memory, &old, &site.snapshot, now()).unwrap();
    worker.note_store(&old, &id);
    std::fs::rename(&old, site.shop.directory.join("store.moved")).unwrap();
    let told = health(&site);
    assert_eq!(told["status"], "degraded", "{told}");
    let copy = told["flagstone"]["copies_read"][0].as_str().unwrap();
    assert!(copy.starts_with("1 worker of user ") && copy.contains(old.to_str().unwrap()), "{copy}");
    let doctor = site.shop.run(["doctor", "--json", "--php", "/bin/false", "--memory", "memory"]).json();
    let check = check_named(&doctor, "store");
    assert_eq!(check["state"], "warned", "{check}");
    assert!(check["found"].to_string().contains("1 worker of user "), "{check}");
    for typed in ["kill checkout", "stop-all --yes"] {
        let ran = beside_counters(&site, &format!("{typed} --reason test"));
        assert!(ran.out.contains("except in workers that do not read this store"), "{}", ran.out);
        assert!(ran.err.contains("1 worker of user ") && !ran.out.contains("at once"), "{}", ran.err);
    }
    drop(worker);
    assert_eq!(health(&site)["flagstone"]["copies_read"], serde_json::json!([]));
}

/// Seventy directories of another user's, or counters of as many stores that are gone, hid the workers that read a copy.
#[test]
fn counters_of_others_hide_no_worker_that_reads_a_copy() {
    let site = Site::new(QUICK);
    let (memory, store) = (site.shop.directory.join("memory"), site.shop.directory.join("store"));
    let id = flagstone::publish::Store::open(&store).unwrap().id();
    let copy = site.shop.directory.join("copy");
    assert!(Command::new("cp").arg("-a").args([&store, &copy]).status().unwrap().success());
    let worker = Recorder::open(&memory, &copy, &site.snapshot, now()).unwrap();
    worker.note_store(&copy, &id);
    let own = worker.path().parent().unwrap();
    for stale in 0..70 {
        std::fs::write(own.join(format!("{stale:016x}.counters")), []).unwrap();
        let another = memory.join(format!("flagstone-4-1001-{stale:02}"));
        std::fs::create_dir(&another).unwrap();
        std::os::unix::fs::chown(another, Some(1001), None).expect("root, as sudo make test has");
    }
    for path in std::fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path()).chain([own.to_owned()]) {
        std::os::unix::fs::chown(path, Some(33), None).unwrap();
    }
    let ran = beside_counters(&site, "kill checkout --reason test --json");
    assert!(ran.err.contains("1 worker of user www-data opened a copy"), "{}", ran.err);
    assert!(ran.json()["unreached"][0].as_str().unwrap().contains("opened a copy"), "{}", ran.out);
}

/// An empty file of any user's, named as the store's counters, made each kill "off except in workers that do not read this store"; one of
/// a system's user degraded health, and the readers' group was advised for that user.
#[test]
fn a_file_that_anybody_can_make_is_no_worker_without_access() {
    let site = Site::new(QUICK);
    for user in [1001, 5] {
        let own = site.shop.directory.join(format!("memory/flagstone-4-{user}"));
        let file = own.join(site.worker.path().file_name().unwrap());
        std::fs::create_dir(&own).unwrap();
        std::fs::write(&file, []).unwrap();
        for path in [&own, &file] {
            std::os::unix::fs::chown(path, Some(user), Some(user)).expect("root, as sudo make test has");
        }
    }
    std::fs::set_permissions(site.shop.directory.join("store"), PermissionsExt::from_mode(0o750)).unwrap();
    assert_eq!(health(&site)["flagstone"]["shut_out"], serde_json::json!([]));
    let ran = beside_counters(&site, "kill checkout --reason test");
    assert!(ran.out.contains("off for everybody at once"), "{}", ran.out);
    assert_eq!(ran.err, "");
}

/// With `telemetry.users` set, every system's user who had counted degraded health, and made a kill "off except in workers …".
#[test]
fn users_who_are_not_listed_shut_nobody_out() {
    let site = of_www_data();
    std::fs::set_permissions(site.shop.directory.join("store/head"), PermissionsExt::from_mode(0o640))
        .unwrap();
    for path in std::fs::read_dir(site.worker.path().parent().unwrap()).unwrap() {
        std::os::unix::fs::chown(path.unwrap().path(), Some(33), Some(33)).unwrap();
    }
    assert_eq!(health(&site)["status"], "degraded");
    site.shop.run(["config", "telemetry.users", r#"["games"]"#]).exits(0);
    assert_eq!(health(&site)["flagstone"]["shut_out"], serde_json::json!([]));
    let ran = beside_counters(&site, "kill checkout --reason test");
    assert!(ran.out.contains("off for everybody at once"), "{}", ran.out);
    assert!(ran.err.contains("1 user whose counters are not believed"), "{}", ran.err);
}

/// Any user's 900 counters were 900 warnings of root's kill, with that user's text, before what other machines had answered.
#[test]
fn counters_of_many_copies_are_one_warning() {
    let site = Site::new(QUICK);
    let (memory, store) = (site.shop.directory.join("memory"), site.shop.directory.join("store"));
    let id = flagstone::publish::Store::open(&store).unwrap().id();
    let copy = site.shop.directory.join("copy");
    assert!(Command::new("cp").arg("-a").args([&store, &copy]).status().unwrap().success());
    let worker = Recorder::open(&memory, &copy, &site.snapshot, now()).unwrap();
    worker.note_store(&copy, &id);
    let own = worker.path().parent().unwrap();
    let sign = std::fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path());
    let stem = worker.path().file_stem().unwrap().to_str().unwrap();
    let is_sign = |path: &std::path::PathBuf| {
        path.to_str().is_some_and(|path| path.contains(&format!("{stem}.thread-")))
    };
    let sign = { sign }.find(is_sign).unwrap();
    let mut counters = std::fs::read(worker.path()).unwrap();
    for number in 0..900 {
        let text = format!("/copy {number}: type rm -rf{}\0", " ".repeat(500));
        counters[512..512 + text.len()].copy_from_slice(text.as_bytes());
        std::fs::write(own.join(format!("{number:016x}.counters")), &counters[..4096]).unwrap();
        std::fs::hard_link(
            &sign,
            own.join(format!("{number:016x}.{}", sign.extension().unwrap().to_str().unwrap())),
        )
        .unwrap();
    }
    let owned_by = |user| {
        for path in std::fs::read_dir(own).unwrap().map(|entry| entry.unwrap().path()).chain([own.to_owned()])
        {
            std::os::unix::fs::chown(path, Some(user), None).expect("root, as sudo make test has");
        }
    };
    owned_by(1001);
    let ran = beside_counters(&site, "kill checkout --reason test");
    assert!(ran.out.contains("off for everybody at once"), "{}", ran.out);
    assert!(ran.err.contains("1 user whose counters are not believed"), "{}", ran.err);
    assert!(ran.err.lines().count() == 1 && !ran.err.contains("rm -rf"), "{}", ran.err);
    owned_by(33);
    let ran = beside_counters(&site, "stop-all --yes --reason test");
    assert!(ran.out.contains("except in workers that do not read this store"), "{}", ran.out);
    assert!(ran.err.lines().count() == 1 && ran.err.len() < 2_000, "{}", ran.err);
    assert!(ran.err.contains("901 workers of user www-data opened copies of this store, '"), "{}", ran.err);
    assert!(ran.err.contains(" … and 898 more, and see no change"), "{}", ran.err);
}

/// `chgrp -hR GROUP STORE` was advised whatever kept the readers out.
#[test]
fn what_keeps_readers_out_is_named_with_the_line_that_lets_them_in() {
    let site = of_www_data();
    let store = site.shop.directory.join("store").canonicalize().unwrap();
    let parent = store.parent().unwrap();
    for (path, closed, open, line) in [
        (parent.to_owned(), 0o700, 0o755, "chmod o+x "),
        (store.clone(), 0o750, 0o755, "chgrp -hR GROUP "),
        (store.clone(), 0o700, 0o755, "flagstone migrate --readers GROUP --store "),
        (store.join("snapshots"), 0o700, 0o755, "chmod u=rwx,go=rx "),
        (store.join("head"), 0o600, 0o644, "chmod u=rw,go=r "),
    ] {
        std::fs::set_permissions(&path, PermissionsExt::from_mode(closed)).unwrap();
        let told = health(&site)["flagstone"]["shut_out"].to_string();
        assert!(told.contains(&format!("{line}{}", path.display())), "{line}: {told}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(open)).unwrap();
    }
    assert_eq!(health(&site)["flagstone"]["shut_out"], serde_json::json!([]));
}

/// Beside a daemon that was blind it ended well.
#[test]
fn a_guard_that_looks_once_beside_one_that_is_blind_fails() {
    let site = Site::new(QUICK);
    spoil(&site);
    let daemon = Daemon::start(&site, ["guard"]);
    assert!(daemon.says("nothing is watched").is_some());
    let ran = site.shop.run(["guard", "--once", "--memory", "memory"]).exits(2);
    assert!(ran.err.contains("another guard") && ran.err.contains("the guard is blind: "), "{}", ran.err);
    assert!(!ran.out.contains("watches"), "{}", ran.out);
}

/// A guard that looked once, from cron, seemed to have been killed: plans waited, and doctor failed.
#[test]
fn a_guard_that_looks_once_ends_well() {
    let mut site = started();
    site.play(1, healthy, |_| false);
    site.shop.run(["guard", "--once", "--memory", "memory"]).exits(0);
    assert_eq!(site.shop.run(["guard", "status", "--json"]).json()["state"], "none");
}

#[test]
fn a_guard_whose_clock_is_behind_the_workers_is_blind() {
    let mut site = started();
    site.play(1, healthy, |_| false);
    let counts = flagstone::telemetry::read(
        &site.shop.directory.join("memory"),
        &site.shop.directory.join("store").canonicalize().unwrap(),
        now(),
        |_| true,
    );
    let counts = counts.unwrap();
    let of = |at| flagstone::guard::Blindness::of(&counts, at);
    assert_eq!(of(now()), None);
    let newest = counts.workers.iter().map(|worker| worker.seen).max().unwrap();
    assert_eq!(of(newest - 3_600_000_000), Some(flagstone::guard::Blindness::Clock(newest)));
}

#[test]
fn nobody_but_the_owner_can_open_the_guards_lock() {
    let mut site = started();
    let _daemon = Daemon::start(&site, ["guard"]);
    until(&mut site, |site| health(site)["flagstone"]["guard"]["state"] == "watching");
    let lock = site.shop.directory.join("store/guard/lock");
    assert_eq!(std::fs::metadata(&lock).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_state_of_the_guard_is_shown_paused_and_resumed() {
    let mut site = started();
    let none = site.shop.run(["guard", "status", "--json"]).exits(0).json();
    assert_eq!(none["state"], "none");
    let daemon = Daemon::start(&site, ["run", "--interval", "1"]);
    let status = |site: &Site| site.shop.run(["guard", "status", "--json"]).json();
    until(&mut site, |site| status(site)["flags"].as_array().is_some_and(|flags| flags.len() == 2));
    let found = status(&site);
    assert_eq!(
        (&found["state"], &found["flags"][1]["flag"]),
        (&"watching".into(), &"checkout".into()),
        "{found}"
    );
    assert!(found["by"].to_string().contains("process "), "{found}");
    site.shop.run(["guard", "pause", "--for", "9h", "--reason", "load test"]).exits(2);
    site.shop.run(["guard", "pause", "--for", "30m", "--reason", "load test"]).exits(0);
    assert!(daemon.says("paused until").is_some());
    until(&mut site, |site| status(site)["state"] == "paused");
    assert_eq!(health(&site)["status"], "degraded");
    let stage_before = stage(&site);
    site.play(3, healthy, |_| false);
    assert_eq!(stage(&site), stage_before);
    let metrics = site.shop.run(["metrics", "--memory", "memory"]).exits(0).out;
    for line in [
        "flagstone_guard_watching 0",
        "flagstone_guard_expected 1",
        "flagstone_guard_state{state=\"paused\"} 1",
        "flagstone_daemon_up 1",
        "flagstone_plan_held{flag=\"checkout\"} 0",
        "flagstone_audit_readable 1",
        "flagstone_guard_acts_total{action=\"kill\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    site.shop.run(["guard", "resume"]).exits(0);
    until(&mut site, |site| status(site)["state"] == "watching");
    site.shop.run(["note", "deploy 42"]).exits(0);
    let trail = site.shop.run(["audit", "--json"]).exits(0).json()["trail"].clone();
    let actions: Vec<&Value> = trail.as_array().unwrap().iter().map(|record| &record["action"]).collect();
    for action in ["guard_pause", "guard_resume", "note"] {
        assert!(actions.iter().any(|found| **found == action), "{actions:?}");
    }
}
