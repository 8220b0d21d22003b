//! Paths that root types below a directory that another user can change: links, other people's files, pipes, and races.

use super::{OWNER, Place, STRANGER, chmod};
use crate::shop::{FLAGS, Ran, ran};
use rustix::fs::{CWD, Mode, RenameFlags, mkfifoat, renameat_with};
use serde_json::Value;
use std::os::unix::fs::{MetadataExt, chown, lchown, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One command for each way of opening a typed path.
const COMMANDS: [&[&str]; 12] = [
    &["pull", "FILE"],
    &["enable", "old", "--file", "FILE"],
    &["add", "new", "--file", "FILE"],
    &["publish", "FILE", "--reset", "all"],
    &["diff", "1", "FILE"],
    &["simulate", "search", "--percentage", "75", "--companies", "FILE"],
    &["rollout", "search", "75", "--count-for", "FILE"],
    &["kill", "search", "--count-for", "FILE", "--reason", "test"],
    &["import", "FILE", "--yes"],
    &["check", "FILE"],
    &["inspect", "FILE"],
    &["probe", "FILE"],
];
/// Definitions with a text that only root may read.
const PRIVATE: &str = "hunter2-4711";

fn private_flags() -> String {
    FLAGS.replace("Self-service portal for end customers", PRIVATE)
}

impl Place {
    fn run_with(&self, command: &[&str], file: &Path) -> Ran {
        let file = file.to_str().unwrap();
        let arguments = command.iter().map(|part| if *part == "FILE" { file } else { part });
        ran(self.shop.command([]).args(arguments).output().unwrap())
    }

    /// Every command refuses that path, says so, and leaves root's file alone.
    #[track_caller]
    fn all_refuse(&self, file: &str, expected: &str) {
        let secret = self.path("root/flags.json");
        let before = std::fs::metadata(&secret).unwrap();
        for command in COMMANDS {
            let started = Instant::now();
            let ran = self.run_with(command, &self.path(file));
            let all = format!("{}{}", ran.out, ran.err);
            assert!(started.elapsed() < Duration::from_secs(20), "{command:?} waits");
            assert!(all.contains(expected), "{command:?} {file}: {all}");
            assert!(!all.contains(PRIVATE), "{command:?}: {all}");
            assert_eq!(std::fs::read_to_string(&secret).unwrap(), private_flags(), "{command:?}");
            let after = std::fs::metadata(&secret).unwrap();
            assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()), "{command:?}");
        }
        // A kill does not wait for its reach.
        self.run(["revive", "search"]);
        assert!(!self.publishes_the_secret(), "{file}");
    }

    fn publishes_the_secret(&self) -> bool {
        let shown = self.run(["inspect", "--definitions"]).exits(0);
        shown.out.contains(PRIVATE)
    }
}

#[test]
fn root_follows_no_link_of_another_user() {
    let place = Place::new();
    place.run(["disable", "search"]).exits(0);
    place.secret("flags.json", &private_flags());
    symlink(place.path("root/flags.json"), place.path("home/link.json")).unwrap();
    symlink(place.path("root"), place.path("home/folder")).unwrap();
    for link in ["home/link.json", "home/folder"] {
        lchown(place.path(link), Some(OWNER), Some(OWNER)).unwrap();
    }
    place.all_refuse("home/link.json", &format!("is a symbolic link of user {OWNER}"));
    place.all_refuse("home/folder/flags.json", &format!("is a symbolic link of user {OWNER}"));
    // One that root made, and that its directory's owner can give another name.
    lchown(place.path("home/link.json"), Some(0), Some(0)).unwrap();
    place.all_refuse("home/link.json", "is a symbolic link in a directory that others can change");
}

#[test]
fn root_opens_no_private_file_or_pipe_in_a_directory_of_another_user() {
    let place = Place::new();
    place.run(["disable", "search"]).exits(0);
    place.secret("flags.json", &private_flags());
    std::fs::hard_link(place.path("root/flags.json"), place.path("home/hard.json")).unwrap();
    place.all_refuse("home/hard.json", "2 names");
    // Moved there by the directory's owner, from another of its directories.
    place.shop.write("home/moved.json", private_flags());
    chmod(&place.path("home/moved.json"), 0o600);
    place.all_refuse("home/moved.json", "private");
    mkfifoat(CWD, place.path("home/pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    chown(place.path("home/pipe"), Some(OWNER), None).unwrap();
    place.all_refuse("home/pipe", "found a pipe, expected a file");
    // Below a directory that everybody can write it is the same, as long as it is another user's.
    std::fs::create_dir(place.path("public")).unwrap();
    chmod(&place.path("public"), 0o1777);
    symlink(place.path("root/flags.json"), place.path("public/link.json")).unwrap();
    lchown(place.path("public/link.json"), Some(STRANGER), None).unwrap();
    place.all_refuse("public/link.json", &format!("is a symbolic link of user {STRANGER}"));
}

/// The list was opened before root became the owner, and so a pipe in its place held the kill up for ever.
#[test]
fn a_kill_waits_for_no_list_of_companies() {
    let place = Place::new();
    mkfifoat(CWD, place.path("root/pipe"), Mode::RUSR | Mode::WUSR).unwrap();
    let commands: [&[&str]; 4] = [
        &["kill", "search", "--count-for", "FILE", "--reason", "test"],
        &["stop-all", "--environment", "production", "--count-for", "FILE", "--reason", "test"],
        &["resume-all", "--count-for", "FILE"],
        &["revive", "search", "--count-for", "FILE"],
    ];
    for command in commands {
        let started = Instant::now();
        let ran = place.run_with(command, &place.path("root/pipe"));
        assert!(started.elapsed() < Duration::from_secs(20), "{command:?} waits");
        assert_eq!(ran.code, 0, "{command:?}: {}{}", ran.out, ran.err);
        let status = place.run(["status"]).out;
        assert_eq!(
            status.contains("killed       none"),
            command.contains(&"revive"),
            "{command:?}: {status}"
        );
    }
}

#[test]
fn root_follows_its_own_links_and_those_of_who_typed() {
    let place = Place::new();
    let roots = place.secret("flags.json", FLAGS);
    symlink("flags.json", place.path("root/link.json")).unwrap();
    symlink(place.path("root"), place.path("way")).unwrap();
    place.run(["enable", "old"]).exits(0);
    place.run_with(COMMANDS[0], &place.path("way/link.json")).exits(0);
    let text = std::fs::read_to_string(roots).unwrap();
    assert!(text.contains("\"old\": true"), "{text}");
    assert!(std::fs::symlink_metadata(place.path("root/link.json")).unwrap().is_symlink());
    place.run_with(COMMANDS[3], &place.path("root/link.json")).exits(0);
    // A relative path, in the directory where it is typed.
    let mut here = place.shop.command(["check", "link.json"]);
    ran(here.current_dir(place.path("root")).output().unwrap()).exits(0);
    // `sudo` says who typed.
    std::fs::create_dir(place.path("alice")).unwrap();
    place.shop.write("alice/flags.json", FLAGS);
    symlink("flags.json", place.path("alice/link.json")).unwrap();
    for name in ["alice", "alice/flags.json", "alice/link.json"] {
        lchown(place.path(name), Some(STRANGER), Some(STRANGER)).unwrap();
    }
    let link = place.path("alice/link.json");
    let mut as_root = place.shop.command(["check", link.to_str().unwrap()]);
    ran(as_root.output().unwrap()).exits(2);
    let mut by_alice = place.shop.command(["check", link.to_str().unwrap()]);
    ran(by_alice.env("SUDO_UID", STRANGER.to_string()).output().unwrap()).exits(0);
}

#[test]
fn what_root_writes_keeps_its_owner_group_and_mode() {
    let place = Place::new();
    let file = place.shop.write("home/flags.json", FLAGS);
    place.run(["enable", "old"]).exits(0);
    for command in [COMMANDS[0], COMMANDS[2]] {
        chown(&file, Some(OWNER), Some(STRANGER)).unwrap();
        chmod(&file, 0o640);
        let before = std::fs::read_to_string(&file).unwrap();
        place.run_with(command, &file).exits(0);
        let found = std::fs::metadata(&file).unwrap();
        assert_eq!(
            (found.uid(), found.gid(), found.mode() & 0o7777),
            (OWNER, STRANGER, 0o640),
            "{command:?}"
        );
        assert_ne!(std::fs::read_to_string(&file).unwrap(), before, "{command:?}");
    }
    assert_eq!(std::fs::read_dir(place.path("home")).unwrap().count(), 1, "nothing is left behind");
}

/// `pull` compared by one path and wrote by another look at it: exchanged in between, it replaced root's file.
#[test]
fn a_link_that_is_exchanged_meanwhile_leads_root_nowhere() {
    let place = Place::new();
    place.secret("flags.json", &private_flags());
    chmod(&place.path("root/flags.json"), 0o440);
    place.run(["enable", "old"]).exits(0);
    let (file, link) = (place.path("home/flags.json"), place.path("home/link.json"));
    let over = AtomicBool::new(false);
    let mut written = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &file, CWD, &link, RenameFlags::EXCHANGE);
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        for round in 0..40 {
            for name in ["flags.json", "link.json"] {
                let _ = std::fs::remove_file(place.path("home").join(name));
            }
            let _ = symlink(place.path("root/flags.json"), &link);
            let _ = lchown(&link, Some(OWNER), Some(OWNER));
            let made = place.path("home/made");
            std::fs::write(&made, FLAGS).unwrap();
            chown(&made, Some(OWNER), Some(OWNER)).unwrap();
            std::fs::rename(&made, &file).unwrap();
            let command = if round % 2 == 0 { COMMANDS[0] } else { COMMANDS[2] };
            let ran = place.run_with(command, &file);
            written += usize::from(ran.code == 0);
            assert!(matches!(ran.code, 0..=2), "{}", ran.err);
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(std::fs::read_to_string(place.path("root/flags.json")).unwrap(), private_flags());
    let found = std::fs::metadata(place.path("root/flags.json")).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o440));
    eprintln!("{written} of 40 were written");
}

#[test]
fn pages_and_scans_follow_no_link_of_another_user() {
    let place = Place::new();
    place.secret("flags.json", &private_flags());
    for name in ["flagstone.1", "index.php"] {
        symlink(place.path("root/flags.json"), place.path("home").join(name)).unwrap();
        lchown(place.path("home").join(name), Some(OWNER), None).unwrap();
    }
    let home = place.path("home").to_str().unwrap().to_owned();
    let ran = place.run(["man", "--to", &home]).exits(2);
    assert!(ran.err.contains("symbolic link"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(place.path("root/flags.json")).unwrap(), private_flags());
    std::fs::remove_file(place.path("home/flagstone.1")).unwrap();
    // What is a link to root's file is told, not read.
    place.secret("index.php", "<?php feature_enabled('of_root_4711');");
    std::fs::remove_file(place.path("home/index.php")).unwrap();
    symlink(place.path("root/index.php"), place.path("home/index.php")).unwrap();
    lchown(place.path("home/index.php"), Some(OWNER), None).unwrap();
    let ran = place.run(["scan", &home]);
    let all = format!("{}{}", ran.out, ran.err);
    assert!(!all.contains("of_root_4711") && all.contains("symbolic link"), "{all}");
}

#[test]
fn doctor_reads_and_runs_nothing_that_another_user_put_in_its_way() {
    let place = Place::new();
    std::fs::create_dir(place.path("home/app")).unwrap();
    place.shop.write("home/app/index.php", "<?php feature_enabled('search');");
    place.secret("artisan", "of_root_4711");
    symlink(place.path("root/artisan"), place.path("home/app/artisan")).unwrap();
    let php = place.shop.write("home/php", "#!/bin/sh\nid -u >\"$(dirname \"$0\")/ran\"\n");
    chmod(&php, 0o755);
    place.give();
    let (code, php) = (place.path("home/app"), php.to_str().unwrap().to_owned());
    let code = code.to_str().unwrap();
    let state = |name: &str| {
        let ran = place.run(["doctor", "--json", "--php", &php, "--code", code]);
        let checks: Value = ran.json()["checks"].clone();
        let check = checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone();
        format!("{}: {}", check["state"].as_str().unwrap(), check["found"].as_str().unwrap())
    };
    let found = state("application");
    assert!(found.starts_with("unknown") && found.contains("symbolic link"), "{found}");
    let found = state("php");
    assert!(found.starts_with("unknown") && found.contains(&format!("user {OWNER}")), "{found}");
    assert!(!place.path("home/ran").exists(), "root ran another user's program");
    std::fs::remove_file(place.path("home/app/artisan")).unwrap();
    let made = Command::new("mkfifo").arg(place.path("home/app/artisan")).status().unwrap();
    assert!(made.success());
    let found = state("application");
    assert!(found.contains("found a pipe, expected a file"), "{found}");
}

/// Root typed what doctor said, and followed the owner's links, or ran the application's code as root.
#[test]
fn what_doctor_has_root_type_runs_as_the_owner() {
    let place = Place::new();
    std::fs::create_dir(place.path("home/app")).unwrap();
    place.shop.write("home/app/artisan", "<?php");
    let php = place.shop.write("a php", "#!/bin/sh\n");
    chmod(&php, 0o755);
    place.give();
    chmod(&place.path("store/head"), 0o600);
    let (code, php) = (place.path("home/app"), php.to_str().unwrap().to_owned());
    let ran = place.run(["doctor", "--json", "--php", &php, "--code", code.to_str().unwrap()]);
    let checks = ran.json()["checks"].clone();
    let mend = |name: &str| {
        let check = checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone();
        check["mend"].as_str().unwrap().to_owned()
    };
    let sudo = format!("sudo -u '#{OWNER}' ");
    assert_eq!(mend("application"), format!("look at: {sudo}'{php}' artisan feature:settings"));
    let commands = mend("permissions").replace("give each file its directory's readers: ", "");
    let (enter, commands) = commands.split_once(" && ").unwrap();
    assert_eq!(enter, format!("cd {}", place.path("store").display()));
    assert!(
        commands.split(" && ").all(|command| command.starts_with(&format!("{sudo}chmod "))),
        "{commands}"
    );
}

#[test]
fn doctor_asks_an_application_as_its_owner() {
    let place = Place::new();
    std::fs::create_dir(place.path("home/app")).unwrap();
    place.shop.write("home/app/artisan", "<?php");
    let php = place.shop.write(
        "php",
        "#!/bin/sh\ncase \"$*\" in *feature:settings*) echo \"{\\\"environment\\\":\\\"$(id -u):$(id -g):$(id -G):$HOME\\\"}\";; esac\n",
    );
    chmod(&php, 0o755);
    place.give();
    let (code, php) = (place.path("home/app"), php.to_str().unwrap().to_owned());
    let asked = || {
        let ran = place.run(["doctor", "--json", "--php", &php, "--code", code.to_str().unwrap()]);
        let checks: Value = ran.json()["checks"].clone();
        let check =
            checks.as_array().unwrap().iter().find(|check| check["check"] == "application").unwrap().clone();
        check["found"].as_str().unwrap().to_owned()
    };
    // The file's group is root's, which nobody is given.
    assert_eq!(std::fs::metadata(place.path("home/app/artisan")).unwrap().gid(), 0);
    let found = asked();
    assert!(found.contains(&format!("is for {OWNER}:65534:65534:/nonexistent")), "{found}");
    // Another user's file under a name in a directory of one's own would run what one wrote as that user.
    lchown(place.path("home/app/artisan"), Some(STRANGER), None).unwrap();
    let found = asked();
    assert!(found.contains("others than its owner could have put it there"), "{found}");
}
