//! A store whose publishers are killed, and whose disk is full or fails.

mod support;

use flagstone::publish::Store;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};
use support::children::{Child, answers};
use support::stores::{kept, new_store, numbered, on, publish, reader, snapshot_names, sound, temporaries};
use support::trusted_dir;

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}

/// How often to kill: `FLAGSTONE_TEST_KILLS`, or 300 times.
fn kills() -> u64 {
    std::env::var("FLAGSTONE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// Kills in one store: its audit trail is read from its beginning after each.
const LAP: u64 = 300;

#[derive(Debug, Default)]
struct Tally {
    generations: u64,
    orphans: usize,
    torn: usize,
}

#[test]
fn a_publisher_killed_at_any_moment_leaves_the_old_generation_or_the_new() {
    let mut tally = Tally::default();
    // What a change takes here, in microseconds, at the least.
    let mut span = 20_000;
    for from in (0..kills()).step_by(LAP as usize) {
        lap(from..kills().min(from + LAP), &mut span, &mut tally);
    }
    println!("{} kills of publish, rollback, kill, revive, stop and resume: {tally:?}", kills());
    assert!(tally.generations > kills() / 4, "too few changes for this to mean anything: {tally:?}");
}

fn lap(rounds: std::ops::Range<u64>, span: &mut u64, tally: &mut Tally) {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &kept(0));
    let watching = reader(&path);
    let (mut last, first) = (1, rounds.start);
    for round in rounds {
        let number = (round * 10_000 + 3).to_string();
        let mut child =
            Child::new("change without end").store(&path).set("NUMBER", &number).command().spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains("=> ready") {
            let mut bytes = [0; 64];
            let read = stdout.read(&mut bytes).unwrap();
            assert!(read > 0, "the child ended: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&bytes[..read]);
        }
        // Spread over the length of several changes, never the same twice. On a busy machine a change takes longer: the
        // children were killed before they had made any.
        if last < (round - first) / 3 {
            *span += *span / 4;
        }
        std::thread::sleep(Duration::from_micros(round * 7_919 % *span));
        child.kill().unwrap();
        stdout.read_to_end(&mut said).unwrap();
        child.wait().unwrap();

        let acknowledged =
            answers(&said).iter().filter_map(|answer| answer.strip_prefix("published ")?.parse().ok()).max();
        let now = sound(&path);
        assert!(
            now >= acknowledged.unwrap_or(last).max(last),
            "{now} after {acknowledged:?}, {last} before that"
        );
        let view = watching.view();
        assert!(!view.fallback && on(&view, "portal"));
        tally.orphans += temporaries(&path);
        tally.torn += usize::from(store.verify_audit().unwrap().torn_end);
        last = now;
    }
    tally.generations += last;
    publish(&store, &kept(1));
    assert_eq!(temporaries(&path), 0, "what the dead left is gone");
    // The last twenty, the one before the current, and those that ended an hour meanwhile.
    assert!(snapshot_names(&path).len() <= 24);
    sound(&path);
    assert_eq!(watching.view().generation, store.generation().unwrap());
}

/// The system calls that a change of the store makes after it has opened the lock, and how often.
fn calls(store: &Path, what: &str) -> BTreeMap<String, (u32, u32)> {
    let log = store.with_extension("trace");
    let traced = Child::new(what).store(store).set("NUMBER", "2");
    let traced =
        traced.under(&["strace", "-f", "-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]).run();
    assert!(traced.done(), "strace: {}", String::from_utf8_lossy(&traced.output.stderr));
    let log = std::fs::read_to_string(log).unwrap();
    let name = if what == "kill" { "\"head.lock\"" } else { "\"lock\"" };
    let lock = log.find(name).expect("the lock is opened");
    let from = log[..lock].rfind('\n').unwrap_or(0);
    let mut calls: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for (text, counts) in [(&log[..from], false), (&log[from..], true)] {
        for line in text.lines() {
            let Some(call) = line.split_whitespace().nth(1).and_then(|rest| rest.split_once('(')) else {
                continue;
            };
            let entry = calls.entry(call.0.to_owned()).or_default();
            if counts { entry.1 += 1 } else { entry.0 += 1 }
        }
    }
    calls.retain(|_, counts| counts.1 > 0);
    calls
}

const CALLS: &str =
    "openat,read,write,pread64,pwrite64,fsync,fdatasync,renameat,unlinkat,ftruncate,fchmod,msync,mmap,flock";

fn each_fault(what: &str, faults: &[&str], check: impl Fn(&Path, &str, bool, &str)) {
    let dir = trusted_dir();
    let path = dir.join("counted");
    publish(&new_store(&path), &numbered(1));
    let calls = calls(&path, what);
    for needed in ["write", "pwrite64", "fdatasync", "msync", "openat"] {
        assert!(calls.contains_key(needed), "no {needed} among {calls:?}");
    }
    let mut tried = 0;
    for (call, (before, during)) in &calls {
        for position in before + 1..=before + during {
            for fault in faults {
                let path = dir.join(&format!("{call}-{position}-{tried}"));
                publish(&new_store(&path), &numbered(1));
                let inject = format!("inject={call}:{}", fault.replace('#', &position.to_string()));
                let child = Child::new(what).store(&path).set("NUMBER", "2");
                let child = child.under(&["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject]).run();
                let stderr = String::from_utf8_lossy(&child.output.stderr);
                assert!(!stderr.contains("strace: "), "{inject}: {stderr}");
                check(&path, &inject, child.done(), &child.text());
                std::fs::remove_dir_all(&path).unwrap();
                tried += 1;
            }
        }
    }
    assert!(tried >= 20, "only {tried} faults were tried");
    println!("{tried} faults in {what}: {calls:?}");
}

#[test]
fn a_publish_that_any_system_call_fails_is_done_or_changes_nothing() {
    each_fault(
        "publish",
        &["error=EIO:when=#", "error=EIO:when=#+", "error=ENOSPC:when=#", "error=EINTR:when=#"],
        |path, fault, done, text| {
            let generation = sound(path);
            if done {
                assert!(text.starts_with("published 2"), "{fault}: {text}");
                assert_eq!(generation, 2, "{fault}: {text}");
            } else {
                // Once the head has moved a publish does not fail any more, whatever else goes wrong. What cannot be
                // known is what the harness itself did, of a child that could not even answer.
                assert!(generation == 1 || text.is_empty(), "{fault}: refused, but {generation}: {text}");
            }
            let unlinked = fault.contains("unlink") || fault.contains('+');
            assert!(unlinked || temporaries(path) == 0, "{fault}: {:?}", snapshot_names(path));
            let next = publish(&Store::open(path).unwrap(), &numbered(3));
            assert_eq!((sound(path), temporaries(path)), (next.generation, 0), "{fault}");
        },
    );
}

#[test]
fn a_publisher_killed_at_any_system_call_leaves_the_old_generation_or_the_new() {
    each_fault("publish", &["signal=KILL:when=#"], |path, fault, done, _| {
        let generation = sound(path);
        // Not every run makes as many calls: one that came to its end has published.
        assert!(generation == 2 || (generation == 1 && !done), "{fault}: {generation}");
        let next = publish(&Store::open(path).unwrap(), &numbered(3));
        assert_eq!((sound(path), temporaries(path)), (next.generation, 0), "{fault}");
    });
}

#[test]
fn a_kill_works_or_says_that_it_did_not_whatever_fails() {
    each_fault("kill", &["error=EIO:when=#", "error=ENOSPC:when=#+"], |path, fault, done, text| {
        let killed = !on(&reader(path).view(), "portal");
        assert!(killed == done || text.is_empty(), "{fault}: {text}");
        if fault.contains("write64") || fault.contains("sync") {
            assert!(killed, "{fault}: a kill needs no disk: {text}");
        }
    });
}

#[test]
fn the_audit_trail_is_on_the_disk_before_the_snapshot_gets_its_name_and_that_before_the_head_moves() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &numbered(1));
    let log = dir.join("trace");
    let traced = Child::new("publish").store(&path).set("NUMBER", "2");
    let traced =
        traced.under(&["strace", "-f", "-y", "-o", log.to_str().unwrap(), "-e", &format!("trace={CALLS}")]);
    assert!(traced.run().done());
    let log = std::fs::read_to_string(log).unwrap();
    let mut from = 0;
    for step in [
        "flock(",
        "audit.jsonl>, \"{",
        "fdatasync(",
        ".snapshot.tmp\", O_RDWR|O_CREAT|O_EXCL|",
        "\"\\x89FSNAP",
        "fchmod(",
        "0444",
        "fsync(",
        ".snapshot.tmp\", O_RDONLY",
        "renameat(",
        "fsync(",
        "snapshots>",
        "msync(",
        "audit.jsonl>, \"{",
        "fdatasync(",
    ] {
        let step = step.replace("\\x89", "\\211");
        let found =
            log[from..].find(&step).unwrap_or_else(|| panic!("no {step} after\n{}\nin\n{log}", &log[..from]));
        from += found + step.len();
    }
}

#[test]
fn a_snapshot_that_is_not_on_the_disk_as_it_was_written_never_becomes_current() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    // Where the disk lies, it has other bytes than were written: as its last step, before the snapshot is read back,
    // the publisher is stopped at its fsync until somebody has changed a byte of what no reader looks at.
    let child = Child::new("publish").store(&path).set("NUMBER", "2");
    let child =
        child.under(&["strace", "-f", "-o", "/dev/null", "-e", "inject=fsync:delay_exit=3000000:when=1"]);
    let running = child.command().spawn().unwrap();
    let since = Instant::now();
    let file = loop {
        let found = snapshot_names(&path).into_iter().find(|name| name.ends_with(".tmp"));
        let found = found.map(|name| path.join("snapshots").join(name));
        if let Some(found) = found.filter(|file| support::mode(file) == 0o444) {
            break found;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "no temporary file");
        std::thread::sleep(Duration::from_millis(5));
    };
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let open = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&open, &[bytes[bytes.len() - 1] ^ 1], bytes.len() as u64 - 1)
        .unwrap();
    let output = running.wait_with_output().unwrap();
    let text = answers(&output.stdout).join("\n");
    assert!(text.contains("checksum") && text.contains("generation 1 stays"), "{text}");
    assert_eq!((sound(&path), temporaries(&path)), (1, 0));
}
