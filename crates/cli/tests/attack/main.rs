//! Every command on a store in which a file was replaced, traced: nothing outside of the store is opened, written, or waited for.
//!
//! A file becomes a link to one outside, which everybody may read and write, another user's file, a pipe, a directory, a device, or a
//! hard link to one of root's. Only the command's own care keeps it out. What counts is what the command opens, by
//! `strace`, and what lies outside afterwards; not whether it did its work. Here every file meets every kind for a command of each
//! way of opening, and every command meets every link; `FLAGSTONE_TEST_MATRIX=whole` plays everything for all five users, as `make
//! test-proofs` does.

mod fixture;
mod trace;

use fixture::{Fixture, KINDS, Kind, USERS, User};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The commands, as typed in the fixture's directory.
const COMMANDS: &[&str] = &[
    "status",
    "stats",
    "experiment search",
    "metrics",
    "health",
    "list",
    "show search",
    "ask search --company 1",
    "explain search --company 1",
    "history --company 1",
    "inspect",
    "history",
    "audit",
    "audit --verify",
    "diff 1 2",
    "simulate search --percentage 5 --companies companies.txt",
    "doctor --php /bin/true",
    "init store --environment production",
    "migrate",
    "publish flags.json --yes",
    "publish flags.json --dry-run",
    "pull flags.json",
    "enable old --yes",
    "disable search --yes",
    "rollout search 60 --yes",
    "allow search 7 --yes",
    "deny search 8 --yes",
    "forget search 9 --yes",
    "rollback --yes",
    "plan show",
    "plan start planned --yes",
    "plan hold running --yes",
    "plan advance running --reason now --yes",
    "plan abort running --yes",
    "plan tick",
    "run --interval 1",
    "guard --once",
    "notify",
    "notify --status",
    "promote --all --from other --to store --yes",
    "export --all",
    "import flags.export --yes",
    "key",
    "key make",
    "key trust new flagstone-ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "key forget there",
    "kill search --reason test",
    "revive killed",
    "stop-all --reason test --yes",
    "resume-all",
    "config",
    "config confirm_above 0.5",
];

/// One of each way of opening: a reader's, a publisher's, a switch, each folder's, the trail's, the config's.
const WAYS: &[&str] = &[
    "status",
    "publish flags.json --yes",
    "kill search --reason test",
    "guard --once",
    "notify",
    "key trust new flagstone-ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "config confirm_above 0.5",
];

struct Run {
    command: &'static str,
    file: usize,
    kind: Kind,
    user: User,
}

#[test]
fn no_command_leaves_a_store_in_which_a_file_was_replaced() {
    let fixture = Fixture::new();
    let files = fixture.files().len();
    let mut runs = Vec::new();
    if std::env::var("FLAGSTONE_TEST_MATRIX").is_ok_and(|part| part == "whole") {
        for command in COMMANDS {
            for file in 0..files {
                for kind in KINDS {
                    runs.extend(USERS.map(|user| Run { command, file, kind, user }));
                }
            }
        }
    } else {
        for command in WAYS {
            for file in 0..files {
                for kind in KINDS {
                    let user = USERS[runs.len() % USERS.len()];
                    runs.push(Run { command, file, kind, user });
                }
            }
        }
        for command in COMMANDS {
            runs.extend((0..files).map(|file| Run { command, file, kind: Kind::Link, user: User::Root }));
        }
    }
    let (next, problems) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(found) = fixture.run(run.command, run.file, run.kind, run.user) {
                        let file = &fixture.files()[run.file];
                        let what = format!("{:?}: {} with {file} as {:?}", run.user, run.command, run.kind);
                        let problem = format!("{what}:\n    {}", found.join("\n    "));
                        // A whole run takes long.
                        eprintln!("{problem}");
                        problems.lock().unwrap().push(problem);
                    }
                }
            });
        }
    });
    let problems = problems.into_inner().unwrap();
    assert!(problems.is_empty(), "{} of {} runs:\n{}", problems.len(), runs.len(), problems.join("\n"));
}

/// The trace sees what it is there for.
#[test]
fn a_program_that_follows_a_link_out_of_the_store_is_caught() {
    let fixture = Fixture::new();
    let found = fixture.trace_reading("audit.jsonl").expect_err("it opens the file outside");
    assert!(found.iter().any(|line| line.contains("outside/audit.jsonl")), "{found:?}");
}
