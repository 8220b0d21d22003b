//! Programs that are started once root has become a store's owner, who can look into whatever runs as that user.

use super::{OWNER, Place, STRANGER, chmod};
use crate::shop::ran;
use serde_json::json;
use std::collections::BTreeSet;
use std::os::unix::fs::chown;
use std::process::Command;

impl Place {
    /// Runs a command under `strace`; the programs that it started after it became the owner, and what is wrong with them.
    fn trace(&self, arguments: &[&str]) -> (Vec<String>, Vec<String>) {
        let log = self.path("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-e", "trace=setresuid,setsid,close_range,execve", "-o"]).arg(&log);
        command.arg(env!("CARGO_BIN_EXE_flagstone")).args(arguments).current_dir(&self.shop.directory);
        command.env_clear().env("PATH", "/usr/bin:/bin").env("FLAGSTONE_STORE", "store");
        let ran = ran(command.output().unwrap());
        let text = std::fs::read_to_string(&log).unwrap_or_else(|error| panic!("{error}: {}", ran.err));
        let (mut is_owner, mut apart, mut closed) = (false, BTreeSet::new(), BTreeSet::new());
        let (mut started, mut problems) = (Vec::new(), Vec::new());
        for line in text.lines() {
            let (process, call) = line.split_once(' ').unwrap();
            let call = call.trim_start();
            match call.split(['(', ' ']).next().unwrap() {
                "setresuid" => {
                    let became = call.starts_with(&format!("setresuid({OWNER}, {OWNER}, {OWNER})"));
                    is_owner |= became && call.ends_with("= 0");
                }
                "setsid" => _ = apart.insert(process),
                "close_range" if call.contains("CLOSE_RANGE_CLOEXEC") => _ = closed.insert(process),
                "execve" if is_owner => {
                    started.push(call.to_owned());
                    if !apart.contains(process) || !closed.contains(process) {
                        problems.push(call.to_owned());
                    }
                }
                _ => {}
            }
        }
        assert!(is_owner, "{}{}", ran.out, ran.err);
        (started, problems)
    }
}

/// The owner could look into `getent`, which ran in root's session with root's descriptors.
#[test]
fn whatever_runs_as_the_owner_runs_apart_from_root() {
    let place = Place::new();
    place.config(&json!({ "machines": { "web-2": { "run": ["true"] } } }));
    let (started, problems) = place.trace(&["kill", "search", "--reason", "test"]);
    assert_eq!(problems, Vec::<String>::new());
    assert!(started.iter().any(|call| call.contains("\"true\"")), "{started:?}");
    let (_, problems) = place.trace(&["doctor"]);
    assert_eq!(problems, Vec::<String>::new());
    // A store of the former kind, whose group no file lists.
    chown(place.path("store"), Some(OWNER), Some(STRANGER)).unwrap();
    chmod(&place.path("store"), 0o2770);
    let (_, problems) = place.trace(&["doctor"]);
    assert_eq!(problems, Vec::<String>::new());
    let (_, problems) = place.trace(&["migrate"]);
    assert_eq!(problems, Vec::<String>::new());
    place.run(["init", "new", "--environment", "staging", "--readers", "nobody-knows-them"]).exits(1);
}
