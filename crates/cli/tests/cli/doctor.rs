//! `doctor`: each check seen passing and failing. PHP is played by a script; tests/doctor/run asks the real one.

use crate::shop::{FLAGS, Ran, Shop, ran};
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A store in which all is well, and a PHP that answers from it.
fn well() -> Shop {
    wells(Shop::empty())
}

fn wells(shop: Shop) -> Shop {
    let owned = FLAGS
        .replace("\"billing_v2\": true", "\"billing_v2\": {\"enabled\": true, \"owner\": \"billing\"}")
        .replace("\"old\": false", "\"old\": {\"enabled\": false, \"owner\": \"nobody\"}")
        .replace("\"search\": { ", "\"search\": { \"owner\": \"search\", ")
        .replace("\"by_user\": { ", "\"by_user\": { \"owner\": \"search\", ")
        .replace("\"payment_log\": { ", "\"payment_log\": { \"owner\": \"billing\", ");
    shop.write("flags.json", owned);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current"));
    shop
}

pub fn answer(shop: &Shop, version: &str, generation: u64, source: &str) -> String {
    let store = shop.directory.join("store").canonicalize().unwrap();
    let status = serde_json::json!({
        "version": version, "store": store, "environment": "production", "generation": generation, "source": source,
        "last_error": (source != "current").then_some("generation 2 was refused: \u{1b}[2J"),
    });
    let found = std::fs::metadata(&store).unwrap();
    let directory = [found.dev(), found.ino()];
    serde_json::json!({ "php": "8.2.29", "pid": 7, "named": "", "status": status, "directory": directory })
        .to_string()
}

/// A PHP that prints this answer.
fn php(shop: &Shop, answer: &str) {
    script(shop, &format!("cat <<'JSON'\n\nflagstone-doctor: {answer}\nJSON\n"));
}

/// A store as in [`well`], and an application of another user, since root asks none of its own.
fn deployed() -> Shop {
    let shop = wells(Shop::passable());
    std::fs::create_dir(shop.directory.join("code")).unwrap();
    shop.write("code/artisan", "");
    if rustix::process::geteuid().is_root() {
        for path in ["code", "code/artisan"] {
            std::os::unix::fs::chown(shop.directory.join(path), Some(64_012), Some(64_012)).unwrap();
        }
    }
    shop
}

/// Has the application's artisan tell these settings.
fn sets(shop: &Shop, environment: &str, store: Option<&Path>) {
    let settings = serde_json::json!({ "environment": environment, "store": store, "driver": "native" });
    shop.write("code/settings", format!("warning: the log cannot be written\n{settings}\n"));
}

fn script(shop: &Shop, text: &str) {
    let artisan = "case \"$*\" in *feature:settings*) cat settings; exit;; esac";
    let path = shop.write("php", format!("#!/bin/sh\n{artisan}\n{text}"));
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// What doctor says with these options beside `--php` and `--json`.
fn doctor(shop: &Shop, options: &[&str]) -> Ran {
    let mut command = shop.command(["doctor", "--json", "--php", "./php"]);
    ran(command.env("PATH", "/usr/bin:/bin").args(options).output().unwrap())
}

#[track_caller]
fn check(ran: &Ran, name: &str) -> Value {
    let checks = ran.json()["checks"].clone();
    let found = checks.as_array().unwrap().iter().find(|check| check["check"] == name);
    found.unwrap_or_else(|| panic!("no check {name} in {checks:#}")).clone()
}

/// That the check came out so, with these words in what was found and how to mend it.
#[track_caller]
fn says(ran: &Ran, name: &str, state: &str, words: &[&str]) {
    let check = check(ran, name);
    assert_eq!(check["state"], state, "{check:#}");
    for word in words {
        let text = format!("{} {}", check["found"], check["mend"]);
        assert!(text.contains(word), "expected {word:?} in {check:#}");
    }
    let mended = !matches!(state, "failed" | "warned") || check["mend"].is_string();
    assert!(mended, "nothing tells how to mend {check:#}");
}

/// The owner of a store could name its directory so that a line which root was told to type had a command of the owner's in it.
#[test]
fn no_line_to_type_has_a_command_of_whoever_named_the_store() {
    let shop = Shop::published();
    let (store, named) = (shop.directory.join("store"), shop.directory.join("x;touch pwned;:"));
    std::fs::rename(&store, &named).unwrap();
    std::os::unix::fs::symlink(&named, &store).unwrap();
    let mut seen = 0;
    for (file, text) in [("config.json", "{"), ("head", "nothing"), ("audit.jsonl", "nothing")] {
        let path = named.join(file);
        let before = std::fs::read(&path).ok();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        for round in 0..2 {
            let ran = doctor(&shop, &["--memory", "memory"]);
            for check in ran.json()["checks"].as_array().unwrap() {
                let mend = check["mend"].as_str().unwrap_or("");
                // Every second part is within quotes.
                let open: String = mend.split('\'').step_by(2).collect();
                assert!(!open.contains("touch pwned"), "{check:#}");
                seen += usize::from(mend.contains("touch pwned"));
            }
            if round == 0 {
                std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
            }
        }
        match before {
            Some(before) => std::fs::write(&path, before).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
    }
    assert!(seen > 3, "{seen} lines name it");
}

fn snapshot(shop: &Shop, generation: u64) -> PathBuf {
    let begins = format!("{generation:020}-");
    let files = std::fs::read_dir(shop.directory.join("store/snapshots")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    files.find(|file| file.file_name().unwrap().to_str().unwrap().starts_with(&begins)).unwrap()
}

fn damage(path: &Path) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let at = bytes.len() - 9;
    bytes[at] ^= 0xff;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_machine_on_which_all_is_well_is_go() {
    let shop = well();
    let ran = doctor(&shop, &[]).exits(0);
    let json = ran.json();
    assert_eq!(json["verdict"], "go", "{json:#}");
    assert!(json["score"].as_u64() >= Some(95), "{json:#}");
    let checks = json["checks"].as_array().unwrap();
    assert!(checks.len() >= 15, "{json:#}");
    for check in checks {
        let expected = match check["check"].as_str().unwrap() {
            // A container does not tell.
            "time-sync" => continue,
            name if name.starts_with("fpm")
                || name.starts_with("code")
                || ["application", "guard"].contains(&name) =>
            {
                "not_asked"
            }
            _ => "passed",
        };
        assert_eq!(check["state"], expected, "{check:#}");
    }
}

#[test]
fn people_get_a_table_and_what_to_type() {
    let shop = well();
    shop.run(["stop-all", "--yes", "--reason", "test"]).exits(0);
    let mut command = shop.command(["doctor", "--php", "./php"]);
    let ran = ran(command.env("PATH", "/usr/bin:/bin").output().unwrap()).exits(1);
    assert!(ran.out.starts_with("production on "), "{}", ran.out);
    assert!(
        ran.out.contains("FAILED") && ran.out.contains("flagstone resume-all --reason WHY"),
        "{}",
        ran.out
    );
    assert!(ran.out.lines().last().unwrap().starts_with("no-go: stop failed"), "{}", ran.out);
    assert!(!ran.out.contains('\x1b'), "{:?}", ran.out);
}

#[test]
fn a_store_that_is_not_there_is_no_go_and_named() {
    let shop = Shop::empty();
    let ran = doctor(&shop, &[]).exits(1);
    says(&ran, "store", "failed", &["store"]);
    says(&ran, "snapshot", "unknown", &["could not be opened"]);
    std::fs::create_dir(shop.directory.join("store")).unwrap();
    says(&doctor(&shop, &[]).exits(1), "store", "failed", &["flagstone init store --environment NAME"]);
}

#[test]
fn a_store_that_everybody_can_write_is_no_go() {
    let shop = well();
    let store = shop.directory.join("store");
    std::fs::set_permissions(&store, PermissionsExt::from_mode(0o777)).unwrap();
    says(&doctor(&shop, &[]).exits(1), "store", "failed", &["writable by everybody", "chmod o-w "]);
}

#[test]
fn a_store_that_a_group_can_write_is_a_warning() {
    let shop = well();
    let store = shop.directory.join("store");
    std::fs::set_permissions(&store, PermissionsExt::from_mode(0o775)).unwrap();
    says(&doctor(&shop, &[]).exits(0), "permissions", "warned", &["writable by a group", "chmod -R g-w"]);
}

/// `permissions` passed what `key`, `guard` and `publish` refuse.
#[test]
fn whatever_a_command_refuses_for_its_owner_or_mode_is_no_go() {
    let shop = well();
    shop.run(["key", "make"]).exits(0);
    let store = shop.directory.join("store");
    for folder in ["guard", "notify"] {
        std::fs::DirBuilder::new().mode(0o755).create(store.join(folder)).unwrap();
    }
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(store.join("guard/lock"))
        .unwrap();
    let snapshot = snapshot(&shop, 1);
    let snapshot = snapshot.strip_prefix(&store).unwrap().to_str().unwrap().to_owned();
    let set = |name: &str, mode| {
        std::fs::set_permissions(store.join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    let mode = |name: &str| std::fs::metadata(store.join(name)).unwrap().permissions().mode() & 0o7777;
    for (name, exposed, mend) in [
        ("lock", 0o666, "chmod o-w "),
        ("audit.jsonl", 0o666, "chmod o-w "),
        ("keys", 0o777, "chmod o-w "),
        ("keys/signing", 0o644, "flagstone key make"),
        ("guard", 0o777, "chmod o-w "),
        ("guard/lock", 0o666, "chmod o-w "),
        ("notify", 0o777, "chmod o-w "),
        ("snapshots", 0o777, "chmod o-w "),
        (&snapshot, 0o666, "chmod o-w "),
    ] {
        let before = mode(name);
        set(name, exposed);
        let ran = doctor(&shop, &[]).exits(1);
        says(&ran, "permissions", "failed", &[name, mend]);
        set(name, before);
        says(&doctor(&shop, &[]).exits(0), "permissions", "passed", &["only root and its owner"]);
    }
    set("keys", 0o775);
    says(&doctor(&shop, &[]).exits(0), "permissions", "warned", &["a group can write", "chmod -R g-w "]);
    set("keys", 0o755);
    std::os::unix::fs::chown(store.join(&snapshot), Some(64_011), None).unwrap();
    says(&doctor(&shop, &[]).exits(1), "permissions", "failed", &["belongs to user 64011", "publish again"]);
}

#[test]
fn a_store_in_which_nothing_is_published_is_no_go() {
    let shop = Shop::empty();
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 0, "none"));
    says(
        &doctor(&shop, &[]).exits(1),
        "snapshot",
        "failed",
        &["nothing is published", "flagstone publish FILE"],
    );
}

#[test]
fn a_head_that_is_none_is_no_go() {
    let shop = well();
    std::fs::write(shop.directory.join("store/head"), vec![0; 4096]).unwrap();
    let ran = doctor(&shop, &[]).exits(1);
    says(&ran, "store", "failed", &["head", "Restore"]);
}

#[test]
fn a_damaged_snapshot_is_no_go_and_one_to_fall_back_to_is_not() {
    let shop = well();
    shop.republish("\"percentage\": 50 }", "\"percentage\": 60 }");
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 2, "current"));
    says(&doctor(&shop, &[]).exits(0), "fallback", "passed", &["generation 1 verifies"]);
    damage(&snapshot(&shop, 1));
    says(&doctor(&shop, &[]).exits(1), "fallback", "failed", &["could not fall back"]);
    damage(&snapshot(&shop, 2));
    let ran = doctor(&shop, &[]).exits(1);
    says(&ran, "snapshot", "failed", &["flagstone publish FILE"]);
    says(&ran, "owners", "unknown", &[]);
}

#[test]
fn a_trail_that_was_edited_fails() {
    let shop = well();
    let path = shop.directory.join("store/audit.jsonl");
    let trail = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, trail.replacen("\"publish\"", "\"publisH\"", 1)).unwrap();
    says(&doctor(&shop, &[]).exits(1), "audit", "failed", &["broken at record 2", "flagstone audit"]);
}

#[test]
fn a_trail_cut_short_is_a_warning() {
    let shop = well();
    let path = shop.directory.join("store/audit.jsonl");
    let mut trail = std::fs::read(&path).unwrap();
    trail.extend_from_slice(b"{\"seq\":");
    std::fs::write(&path, trail).unwrap();
    says(&doctor(&shop, &[]).exits(0), "audit", "warned", &["cut off"]);
}

#[test]
fn a_stop_and_old_kills_are_told() {
    let shop = well();
    shop.run(["kill", "search", "--reason", "test"]).exits(0);
    says(&doctor(&shop, &[]).exits(0), "kills", "passed", &["1 flag killed"]);
    says(
        &doctor(&shop, &["--kill-days", "0"]).exits(0),
        "kills",
        "warned",
        &["search", "flagstone revive search"],
    );
    shop.run(["revive", "search"]).exits(0);
    shop.run(["kill", "gone", "--force", "--reason", "test"]).exits(0);
    says(&doctor(&shop, &[]).exits(0), "kills", "warned", &["gone", "no such flag"]);
    shop.run(["stop-all", "--yes", "--reason", "test"]).exits(0);
    says(&doctor(&shop, &[]).exits(1), "stop", "failed", &["resume-all"]);
}

#[test]
fn settings_of_the_store_that_are_no_json_fail() {
    let shop = well();
    shop.write("store/config.json", "{}");
    says(&doctor(&shop, &[]).exits(0), "config", "passed", &["config.json"]);
    shop.write("store/config.json", "{\n  \"confirm_above\": \n}");
    says(&doctor(&shop, &[]).exits(1), "config", "failed", &["config.json:3:1"]);
    shop.write("store/config.json", "{\"off_shar\": 1}");
    says(&doctor(&shop, &[]).exits(1), "config", "failed", &["off_shar", "flagstone config"]);
    shop.write("store/config.json", "{\"companies\": \"companies.txt\"}");
    says(
        &doctor(&shop, &[]).exits(1),
        "config",
        "failed",
        &["companies.txt", "flagstone config companies FILE"],
    );
    shop.write("store/companies.txt", "15\n16\n");
    says(&doctor(&shop, &[]).exits(0), "config", "passed", &["2 companies"]);
}

#[test]
fn flags_past_their_day_or_without_an_owner_are_named() {
    let shop = well();
    shop.republish("2099-03-31", "2020-03-31");
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 2, "current"));
    says(&doctor(&shop, &[]).exits(0), "expired", "warned", &["customer_portal (2020-03-31)"]);
    shop.republish("\"owner\": \"portal-team\",", "");
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 3, "current"));
    says(&doctor(&shop, &[]).exits(0), "owners", "warned", &["1 flag without an owner: customer_portal"]);
}

#[test]
fn a_flag_that_came_into_production_on_for_everybody_is_named() {
    let shop = well();
    shop.republish(
        "\"old\":",
        "\"sudden\": {\"enabled\": true, \"owner\": \"x\"}, \"slow\": false, \"old\":",
    );
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 2, "current"));
    says(&doctor(&shop, &[]).exits(0), "born-on", "warned", &["1 flag came", "sudden (generation 2)"]);
    // Turned on later by somebody: that is how it should be.
    shop.run(["enable", "slow"]).exits(0);
    shop.run(["rollout", "sudden", "50"]).exits(0);
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 4, "current"));
    says(&doctor(&shop, &[]).exits(0), "born-on", "passed", &[]);
}

#[test]
fn flags_may_start_on_where_it_is_not_production() {
    let shop = Shop::empty();
    shop.write("flags.json", FLAGS);
    shop.run(["init", "store", "--environment", "staging"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current").replace("production", "staging"));
    says(&doctor(&shop, &[]).exits(0), "born-on", "not_asked", &["staging"]);
}

#[test]
fn a_php_without_the_extension_is_no_go_with_its_own_words() {
    let shop = well();
    script(
        &shop,
        "echo \"Warning: PHP Startup: Unable to load dynamic library 'flagstone.so'\"\n\
         echo 'flagstone-doctor: {\"php\": \"8.2.29\", \"pid\": 7, \"named\": \"\", \"status\": null}'\n",
    );
    let ran = doctor(&shop, &[]).exits(1);
    says(&ran, "php", "failed", &["Unable to load dynamic library", "make install"]);
    says(&ran, "php-answers", "unknown", &[]);
}

#[test]
fn a_php_that_does_not_answer_leaves_the_question_open() {
    let shop = well();
    script(&shop, "echo 'Segmentation fault' >&2; exit 139\n");
    says(&doctor(&shop, &[]).exits(2), "php", "unknown", &["Segmentation fault", "--php PATH"]);
    std::fs::remove_file(shop.directory.join("php")).unwrap();
    let ran = doctor(&shop, &[]).exits(2);
    says(&ran, "php", "unknown", &["cannot run ./php"]);
    assert_eq!(ran.json()["verdict"], "unknown");
}

#[test]
fn a_php_of_another_version_fails() {
    let shop = well();
    php(&shop, &answer(&shop, "0.0.1", 1, "current"));
    says(&doctor(&shop, &[]).exits(1), "php-version", "failed", &["0.0.1", "make install"]);
}

#[test]
fn a_php_that_answers_from_elsewhere_is_no_go() {
    let shop = well();
    let right = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    php(&shop, &elsewhere(&right.replace("/store\"", "/other\"")));
    says(&doctor(&shop, &[]).exits(1), "php-answers", "failed", &["/other, not from ", "flagstone.store = "]);
    php(&shop, &right.replace("production", "staging"));
    says(&doctor(&shop, &[]).exits(1), "php-answers", "failed", &["staging"]);
    shop.republish("\"percentage\": 50 }", "\"percentage\": 60 }");
    php(&shop, &right);
    says(&doctor(&shop, &[]).exits(1), "php-answers", "failed", &["generation 1", "the head names 2"]);
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 1, "last_good"));
    says(&doctor(&shop, &[]).exits(1), "php-answers", "failed", &["generation 1 (last_good)", "\\u{1b}[2J"]);
}

#[test]
fn a_plan_without_a_guard_is_named() {
    let shop = well();
    says(&doctor(&shop, &[]).exits(0), "plans", "passed", &["no flag has a plan"]);
    shop.republish(
        "\"old\":",
        "\"planned\": {\"enabled\": false, \"rollout\": {\"percentage\": 0}, \"plan\": {\"stages\": [{\"percentage\": 10, \"soak\": \"1h\"}, {\"percentage\": 100}]}}, \"old\":",
    );
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 2, "current"));
    says(
        &doctor(&shop, &[]).exits(0),
        "plans",
        "warned",
        &["1 flag with a plan, and no guard watches: planned"],
    );
}

/// A FastCGI server that plays a pool of two workers, and answers as `body` says for the worker and the script.
pub fn pool(shop: &Shop, body: impl Fn(usize, &str) -> String + Send + 'static) -> PathBuf {
    let socket = shop.directory.join("fpm.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut sent, mut chunk) = (Vec::new(), [0; 4096]);
            // The record that ends the input.
            while !sent.ends_with(&[1, 5, 0, 1, 0, 0, 0, 0]) {
                let read = stream.read(&mut chunk).unwrap();
                assert!(read > 0, "the request ends before its end");
                sent.extend_from_slice(&chunk[..read]);
            }
            let answer = body(number % 2, &String::from_utf8_lossy(&sent));
            for (kind, content) in [(6, answer.as_bytes()), (3, &[0; 8][..])] {
                let length = u16::try_from(content.len()).unwrap().to_be_bytes();
                stream.write_all(&[1, kind, 0, 1, length[0], length[1], 0, 0]).unwrap();
                stream.write_all(content).unwrap();
            }
        }
    });
    socket
}

/// What a worker prints.
pub fn page(answer: &str, worker: usize) -> String {
    let answer = answer.replace("\"pid\":7", &format!("\"pid\":{}", 100 + worker));
    format!("X-Powered-By: PHP\r\n\r\n\nflagstone-doctor: {answer}\n")
}

#[test]
fn the_workers_behind_a_socket_are_asked() {
    let shop = well();
    let right = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    let socket = pool(&shop, move |worker, request| {
        assert!(
            request.contains("SCRIPT_FILENAME/") && request.contains("FLAGSTONE_DOCTOR_STORE/"),
            "{request}"
        );
        page(&right, worker)
    });
    let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(0);
    for check in ["fpm", "fpm-version", "fpm-answers"] {
        says(&ran, check, "passed", &[]);
    }
    says(&ran, "fpm-workers", "passed", &["2 workers met in 40 requests, all on the newest generation"]);
}

#[test]
fn one_worker_that_is_behind_is_no_go() {
    let shop = well();
    shop.republish("\"percentage\": 50 }", "\"percentage\": 60 }");
    php(&shop, &answer(&shop, env!("CARGO_PKG_VERSION"), 2, "current"));
    let newest = answer(&shop, env!("CARGO_PKG_VERSION"), 2, "current");
    let behind = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "last_good");
    let socket = pool(&shop, move |worker, _| page(if worker == 0 { &newest } else { &behind }, worker));
    let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(1);
    says(&ran, "fpm-answers", "passed", &["from generation 2"]);
    says(
        &ran,
        "fpm-workers",
        "failed",
        &["1 not on the newest generation: worker 101 answers from generation 1 (last_good)"],
    );
}

/// A worker that could not open a replaced head passed as long as nothing was killed: the next kill reached nobody.
#[test]
fn a_worker_that_cannot_follow_the_head_is_no_go() {
    let shop = well();
    shop.run(["kill", "old", "--reason", "burning"]).exits(0);
    let sees = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current")
        .replace("\"last_error\":", "\"killed\":[\"old\"],\"last_error\":");
    php(&shop, &sees);
    let head = shop.directory.join("store").canonicalize().unwrap().join("head");
    let denied = format!("cannot open the head {}: Permission denied (os error 13)", head.display());
    let denied = denied.as_str();
    for (killed, error, mend) in [
        ("[]", denied, "chmod u=rw,go=r "),
        ("[\"other\",\"old\"]", denied, "chmod u=rw,go=r "),
        ("[\"old\"]", "its head was cut short", "mend what that names"),
    ] {
        let lost = sees
            .replace("[\"old\"]", killed)
            .replace("\"last_error\":null", &format!("\"last_error\":\"{error}\""));
        let socket = pool(&shop, move |worker, _| page(&lost, worker));
        let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(1);
        for check in ["fpm-answers", "fpm-workers"] {
            says(&ran, check, "failed", &["cannot follow the store", error, mend]);
            let mend = self::check(&ran, check)["mend"].to_string();
            assert!(!mend.contains("doctor --fpm"), "{mend}");
        }
        std::fs::remove_file(&socket).unwrap();
    }
}

/// A pool whose code could not call `feature_enabled()` passed: each request that asked died.
#[test]
fn a_pool_that_lacks_functions_of_the_extension_is_no_go() {
    let shop = well();
    let stub = include_str!("../../../../php-stubs/flagstone.stub.php");
    let declared = stub.lines().filter_map(|line| Some(line.strip_prefix("function ")?.split_once('(')?.0));
    let all: Vec<_> = declared.collect();
    let right: Value = serde_json::from_str(&answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current")).unwrap();
    for (disabled, failed, others) in [
        (vec![], None, "passed"),
        (vec!["feature_enabled"], Some("fpm-answers"), "passed"),
        (vec!["feature_all", "flagstone_status"], Some("fpm"), "unknown"),
    ] {
        let mut answer = right.clone();
        answer["functions"] = all.iter().filter(|name| !disabled.contains(*name)).copied().collect();
        if disabled.contains(&"flagstone_status") {
            answer["status"] = Value::Null;
        }
        let socket = pool(&shop, move |worker, _| page(&answer.to_string(), worker));
        let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]);
        assert_eq!(ran.code, i32::from(failed.is_some()), "{}", ran.out);
        says(&ran, "fpm-version", others, &[]);
        if let Some(check) = failed {
            let named = format!("cannot call {}()", disabled.join("(), "));
            says(&ran, check, "failed", &[&named, "disable_functions", "systemctl restart php8.2-fpm"]);
        }
        std::fs::remove_file(&socket).unwrap();
    }
}

#[test]
fn a_pool_with_another_store_is_told_a_line_that_can_be_typed() {
    let shop = well();
    let other = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current").replace("/store\"", "/other\"");
    let other = elsewhere(&other);
    let socket = pool(&shop, move |worker, _| page(&other, worker));
    let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(1);
    let store = shop.directory.join("store").canonicalize().unwrap();
    let line = format!("php_admin_value[flagstone.store] = {}", store.display());
    for check in ["fpm-answers", "fpm-workers"] {
        says(&ran, check, "failed", &[&line]);
        let mend = self::check(&ran, check)["mend"].to_string();
        assert!(!mend.contains("publish the same definitions"), "another store cannot be mended so: {mend}");
    }
}

/// The answer of a worker that has another directory.
fn elsewhere(answer: &str) -> String {
    let mut answer: serde_json::Value = serde_json::from_str(answer).unwrap();
    answer["directory"][1] = serde_json::json!(answer["directory"][1].as_u64().unwrap() + 1);
    answer.to_string()
}

/// A mount goes along with a store that is moved away: workers behind it answered on from the store before under the same path, no kill
/// reached them, and doctor said go.
#[test]
fn a_worker_with_another_directory_under_the_stores_path_is_no_go() {
    let shop = well();
    let here = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    let there = elsewhere(&here);
    let socket = pool(&shop, move |worker, _| page(if worker == 0 { &here } else { &there }, worker));
    let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(1);
    let above = shop.directory.canonicalize().unwrap();
    says(
        &ran,
        "fpm-workers",
        "failed",
        &[
            "worker 101 answers from another directory under the path",
            "systemctl restart php8.2-fpm",
            &format!("mount the directory above the store, {}", above.display()),
        ],
    );
}

#[test]
fn a_worker_that_cannot_look_at_its_directory_is_warned_of() {
    let shop = well();
    let unseen = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    let mut unseen: serde_json::Value = serde_json::from_str(&unseen).unwrap();
    unseen["directory"] = serde_json::Value::Null;
    let unseen = unseen.to_string();
    let socket = pool(&shop, move |worker, _| page(&unseen, worker));
    let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(0);
    says(&ran, "fpm-answers", "warned", &["cannot be determined", "open_basedir"]);
}

#[test]
fn settings_that_a_web_server_sends_are_told() {
    let shop = well();
    let right = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    let warned = right.replace(
        "\"last_error\":",
        "\"warning\":\"the web server sends settings (PHP_VALUE or PHP_ADMIN_VALUE)\",\"last_error\":",
    );
    let socket = pool(&shop, move |worker, _| page(if worker == 0 { &right } else { &warned }, worker));
    let ran = doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(0);
    says(&ran, "fpm-workers", "warned", &["worker 101: the web server sends", "a pool of its own"]);
}

#[test]
fn workers_without_the_extension_or_of_another_version_fail() {
    let shop = well();
    let none = "{\"php\": \"8.4.1\", \"pid\":7, \"named\": \"\", \"status\": null}";
    let socket = pool(&shop, move |worker, _| page(none, worker));
    says(
        &doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(1),
        "fpm",
        "failed",
        &["systemctl restart php8.4-fpm"],
    );
    std::fs::remove_file(&socket).unwrap();
    let old = answer(&shop, "0.0.1", 1, "current");
    let socket = pool(&shop, move |worker, _| page(&old, worker));
    says(&doctor(&shop, &["--fpm", socket.to_str().unwrap()]).exits(1), "fpm-version", "failed", &["0.0.1"]);
}

#[test]
fn a_pool_that_cannot_read_the_script_leaves_the_question_open() {
    let shop = well();
    let right = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    let socket = pool(&shop, move |worker, request| match request.contains("/srv/doctor.php") {
        true => page(&right, worker),
        false => "Status: 404 Not Found\r\n\r\nFile not found.\n".to_owned(),
    });
    let socket = socket.to_str().unwrap();
    says(
        &doctor(&shop, &["--fpm", socket]).exits(2),
        "fpm",
        "unknown",
        &["File not found.", "--fpm-script PATH"],
    );
    let ran = doctor(&shop, &["--fpm", socket, "--fpm-script", "/srv/doctor.php"]).exits(0);
    says(&ran, "fpm-workers", "passed", &[]);
}

#[test]
fn nobody_behind_the_socket_leaves_the_question_open() {
    let shop = well();
    let ran = doctor(&shop, &["--fpm", "./none.sock"]).exits(2);
    says(&ran, "fpm", "unknown", &["none.sock does not answer", "listen"]);
    doctor(&shop, &["--fpm", "nowhere"]).exits(2);
}

// It said go, with 91 of 100, over FAILED lines of an application for another environment and of flags that are not published.
#[test]
fn a_failed_check_is_no_go_unless_it_is_skipped() {
    let shop = deployed();
    sets(&shop, "staging", None);
    shop.write("code/a.php", "<?php feature_enabled('nowhere');");
    let ran = doctor(&shop, &["--code", "code"]).exits(1);
    assert_eq!(ran.json()["verdict"], "no-go");
    let skipped = ["--code", "code", "--skip", "application", "--skip", "code-undefined"];
    let ran = doctor(&shop, &skipped).exits(0);
    says(&ran, "application", "not_asked", &["--skip", "is for staging"]);
    says(&ran, "code-undefined", "not_asked", &["--skip", "nowhere"]);
    assert_eq!(ran.json()["verdict"], "go");
    let ran = doctor(&shop, &["--skip", "aplication"]).exits(2);
    assert!(ran.err.contains("application"), "{}", ran.err);
}

// A host whose command line has no extension was no-go for ever.
#[test]
fn the_php_of_the_command_line_can_be_left_out() {
    let shop = well();
    script(&shop, "echo ran >> php.ran\nkill -SEGV $$\n");
    let right = answer(&shop, env!("CARGO_PKG_VERSION"), 1, "current");
    let socket = pool(&shop, move |worker, _| page(&right, worker));
    let ran = doctor(&shop, &["--skip", "php", "--fpm", socket.to_str().unwrap()]).exits(0);
    for name in ["php", "php-version", "php-answers"] {
        says(&ran, name, "not_asked", &["--skip php"]);
    }
    assert!(!shop.directory.join("php.ran").exists());
}

#[test]
fn a_score_below_the_least_is_no_go() {
    let shop = well();
    shop.run(["kill", "gone", "--force", "--reason", "test"]).exits(0);
    let ran = doctor(&shop, &["--min-score", "100"]).exits(1);
    assert_eq!(ran.json()["verdict"], "no-go");
    doctor(&shop, &["--min-score", "0"]).exits(0);
    let mut command = shop.command(["doctor", "--min-score", "101"]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

#[test]
fn the_document_has_every_check_with_its_weight() {
    let document = include_str!("../../../../docs/deploying.md");
    let shop = well();
    let checks = doctor(&shop, &[]).json()["checks"].clone();
    let weight = |line: &str| line.strip_prefix("| `")?.split(" | ").nth(1)?.parse::<u32>().ok();
    let rows = document.lines().filter_map(weight).count();
    assert_eq!(rows, checks.as_array().unwrap().len());
    for check in checks.as_array().unwrap() {
        let critical = if check["critical"] == true { "yes" } else { "" };
        let row = format!("| `{}` | {} | {critical}", check["check"].as_str().unwrap(), check["weight"]);
        assert!(document.contains(&row), "{row}");
    }
}

#[test]
fn flags_in_the_code_are_compared_with_those_published() {
    let shop = well();
    let code = shop.directory.join("code");
    std::fs::create_dir_all(code.join("app")).unwrap();
    std::fs::create_dir_all(code.join("tests")).unwrap();
    says(
        &doctor(&shop, &["--code", "nowhere"]).exits(0),
        "code-undefined",
        "unknown",
        &["cannot read nowhere"],
    );
    says(&doctor(&shop, &["--code", "code"]).exits(0), "code-undefined", "unknown", &["no files of PHP"]);
    let asks =
        "<?php feature_enabled('customer_portal'); feature_value('search'); feature_needs('by_user');\n";
    std::fs::write(code.join("app/a.php"), format!("{asks}feature_enabled('payment_log');")).unwrap();
    std::fs::write(code.join("tests/a.php"), "<?php feature_enabled('only_in_tests');").unwrap();
    let ran = doctor(&shop, &["--code", "code"]).exits(0);
    says(&ran, "code-undefined", "passed", &["each published"]);
    // A flag of that name would answer in Pennant's place: to add it was the advice.
    let pennants = "<?php use Laravel\\Pennant\\Feature;\nFeature::active('pennants');";
    std::fs::write(code.join("app/p.php"), pennants).unwrap();
    let ran = doctor(&shop, &["--code", "code"]).exits(0);
    says(
        &ran,
        "code-undefined",
        "passed",
        &["each published, but 1 flag that only Pennant is asked for: pennants"],
    );
    // Required by another flag is named as well.
    says(&ran, "code-unused", "warned", &["1 flag published", ": old"]);
    says(&ran, "application", "not_asked", &["there is no code/artisan"]);
    std::fs::write(
        code.join("app/b.php"),
        "<?php\nfeature_enabled('old'); feature_enabled('serach'); feature_enabled($x);",
    )
    .unwrap();
    let ran = doctor(&shop, &["--code", "code"]).exits(1);
    says(
        &ran,
        "code-undefined",
        "failed",
        &["serach (app/b.php:2, did you mean search?)", "flagstone add serach"],
    );
    says(&ran, "code-unused", "passed", &[]);
}

/// php.ini, which several applications share, wins over `.env`: the advice was to write into `.env` what stood there already.
#[test]
fn a_store_that_php_ini_overrides_is_told_with_both() {
    let shop = deployed();
    let store = shop.directory.join("store").canonicalize().unwrap();
    let settings = serde_json::json!({ "environment": "production", "store": "/srv/first/flags", "overridden_store": store });
    shop.write("code/settings", settings.to_string());
    let ran = doctor(&shop, &["--code", "code"]).exits(1);
    let own = format!("php -d flagstone.store={} artisan", store.display());
    says(&ran, "application", "failed", &["php.ini names the store /srv/first/flags, which wins", &own]);
}

#[test]
fn the_settings_of_an_application_for_another_environment_or_store_fail() {
    let shop = deployed();
    let store = shop.directory.join("store").canonicalize().unwrap();
    for (environment, store, state, words) in [
        ("staging", Some(&*store), "failed", "is for staging, the store for production"),
        ("production", Some(Path::new("/srv/other")), "failed", "names the store /srv/other"),
        ("production", None, "failed", "answers from flags.json"),
        ("production", Some(&*store), "passed", "answers from this store"),
    ] {
        sets(&shop, environment, store);
        let code = i32::from(state == "failed");
        says(&doctor(&shop, &["--code", "code"]).exits(code), "application", state, &[words]);
    }
}

/// Where root had made the directory for another user, artisan ran as that user in root's group.
#[test]
fn an_application_is_asked_in_no_group_of_roots() {
    let shop = deployed();
    sets(&shop, "production", None);
    script(&shop, "");
    let php = shop.directory.join("php");
    let text =
        std::fs::read_to_string(&php).unwrap().replace("cat settings;", "id -G >groups; cat settings;");
    std::fs::write(&php, text).unwrap();
    for path in ["code", "code/artisan"] {
        std::os::unix::fs::chown(shop.directory.join(path), None, Some(0))
            .expect("root, as sudo make test has");
    }
    doctor(&shop, &["--code", "code"]);
    // The user has no account, so its group is nobody's.
    assert_eq!(std::fs::read_to_string(shop.directory.join("code/groups")).unwrap().trim(), "65534");
}

/// Where root's capabilities stay when it becomes another user (SecureBits= and AmbientCapabilities= of a unit), artisan could read every file.
#[test]
fn an_application_is_asked_without_capabilities() {
    let shop = deployed();
    sets(&shop, "production", None);
    script(&shop, "");
    let php = shop.directory.join("php");
    let told = "grep ^Cap /proc/self/status >capabilities; cat settings;";
    let text = std::fs::read_to_string(&php).unwrap().replace("cat settings;", told);
    std::fs::write(&php, text).unwrap();
    let mut command = Command::new("setpriv");
    command
        .args(["--inh-caps", "+dac_override,+setuid", "--ambient-caps", "+dac_override,+setuid"])
        .args(["--securebits", "+no_setuid_fixup", env!("CARGO_BIN_EXE_flagstone"), "doctor", "--json"])
        .args(["--php", "./php", "--code", "code", "--store", "store"])
        .current_dir(&shop.directory)
        .env("PATH", "/usr/bin:/bin");
    let ran = ran(command.output().unwrap());
    let path = shop.directory.join("code/capabilities");
    let found =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{error}: {}{}", ran.out, ran.err));
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(found.contains(&format!("{set}:\t0000000000000000")), "{found}");
    }
}

#[test]
fn an_application_that_gives_no_answer_is_not_judged() {
    let shop = deployed();
    for (settings, words) in [
        ("", "no answer"),
        ("{}", "not understood"),
        ("Command \"feature:settings\" is not defined.", "is not defined"),
    ] {
        shop.write("code/settings", settings);
        says(&doctor(&shop, &["--code", "code"]), "application", "unknown", &[words]);
    }
    std::fs::set_permissions(shop.directory.join("code"), PermissionsExt::from_mode(0o777)).unwrap();
    says(&doctor(&shop, &["--code", "code"]), "application", "unknown", &["others than its owner"]);
}
