//! What is counted of questions and requests, by threads and processes that come, go and are killed.

mod support;

use flagstone::guard::{Blindness, Sight};
use flagstone::telemetry::{AnsweredQuestion, Counts, Ending, FlagCounts, Recorder, Status, duration, read};
use flagstone::{Key, Question, Reason, Snapshot, Switches, compile, evaluate, key_hash};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{TrustedDir, children::copy_program, stores::definitions, trusted_dir};

/// 2026-11-21T12:00:00Z.
const NOON: i64 = 1_795_262_400_000_000;
const HOUR: i64 = 3_600_000_000;
/// Need not be there: nothing here opens it.
const STORE: &str = "/usr";

const FLAGS: &str = r#"{
    "off": {"enabled": false},
    "on": {"enabled": true},
    "half": {"enabled": true, "rollout": {"percentage": 50}},
    "lists": {"enabled": true, "rollout": {"percentage": 50}, "companies": {"allow": [1, 2], "deny": [3]}},
    "listed": {"enabled": true, "rollout": {"percentage": 100}, "companies": {"allow": [1], "deny": [3]}},
    "ruled": {"enabled": true, "rollout": {"percentage": 0}, "rules": [
        {"when": {"attribute": "company", "lt": 10}, "percentage": 50}]},
    "needy": {"enabled": true, "rollout": {"percentage": 100}, "requires": ["off"]}
}"#;

fn compiled(flags: &str) -> Snapshot {
    let bytes = compile(&definitions(flags), "testing").expect("compiles");
    Snapshot::from_bytes(&bytes).expect("opens")
}

fn recorder(directory: &Path, snapshot: &Snapshot) -> Recorder {
    Recorder::open(directory, Path::new(STORE), snapshot, NOON).expect("a recorder")
}

/// Asks as the extension does: the quick way where there is one.
fn ask(recorder: &mut Recorder, snapshot: &Snapshot, flag: &str, company: Option<i64>) -> bool {
    let quick = company.and_then(|company| {
        let quick = snapshot.quick(key_hash(flag.as_bytes()), flag.as_bytes(), company)?;
        recorder.quick(snapshot, quick, Some(Key::Int(company)));
        Some(quick.on() == 1)
    });
    quick.unwrap_or_else(|| ask_slowly(recorder, snapshot, flag, company))
}

fn ask_slowly(recorder: &mut Recorder, snapshot: &Snapshot, flag: &str, company: Option<i64>) -> bool {
    let Some(id) = snapshot.find(flag.as_bytes()) else {
        recorder.unknown();
        return false;
    };
    let company = company.map(Key::Int);
    let question = Question { company, context: &(), now: NOON };
    let answer = evaluate(snapshot, &Switches::none(), id, &question);
    let asked =
        AnsweredQuestion { flag: id, on: answer.on, reason: answer.reason, company, bucket: answer.bucket };
    recorder.answered(snapshot, &asked, true);
    answer.on
}

fn end(recorder: &mut Recorder, status: Status, began: u64, micros: u64) {
    recorder.end(&Ending { status, clock: began + micros * 1000, now: NOON });
}

fn counts(directory: &Path, now: i64) -> Counts {
    let counts = read(directory, Path::new(STORE), now, |_| true).expect("counts");
    assert!(counts.sources.iter().all(|source| source.left_out.is_none()), "{:?}", counts.sources);
    counts
}

fn flag(directory: &Path, key: &str) -> FlagCounts {
    counts(directory, NOON).flag(key).cloned().unwrap_or_default()
}

fn reasons(counts: &[u64]) -> Vec<(&'static str, u64)> {
    let named = Reason::ALL.iter().zip(counts).filter(|(_, count)| **count > 0);
    named.map(|(reason, count)| (reason.as_str(), *count)).collect()
}

/// All counters in a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = |directory: &Path| {
        let entries = std::fs::read_dir(directory).expect("a directory");
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let within = paths(directory).into_iter().filter(|path| path.is_dir()).flat_map(|path| paths(&path));
    within.filter(|path| path.extension().is_some_and(|found| found == "counters")).collect()
}

fn file(directory: &Path) -> PathBuf {
    files(directory).pop().expect("a file")
}

#[test]
fn answers_are_counted_by_reason_whichever_way_they_went() {
    for quickly in [true, false] {
        let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
        let mut recorder = recorder(directory.path(), &snapshot);
        recorder.begin(0);
        for key in ["off", "on", "half", "lists", "listed", "ruled", "needy"] {
            for company in 1..=1000 {
                if quickly {
                    ask(&mut recorder, &snapshot, key, Some(company));
                } else {
                    ask_slowly(&mut recorder, &snapshot, key, Some(company));
                }
            }
        }
        for (key, total) in [("off", 1000), ("on", 1000), ("half", 1000), ("lists", 1000), ("ruled", 1000)] {
            let (on, off) = flag(directory.path(), key).answers();
            assert_eq!(on + off, total, "{key}");
        }
        let expected = |key: &str| {
            let id = snapshot.find(key.as_bytes()).expect("the flag");
            let (mut on, mut off) = ([0_u64; Reason::ALL.len()], [0_u64; Reason::ALL.len()]);
            for company in 1..=1000 {
                let question = Question { company: Some(Key::Int(company)), context: &(), now: NOON };
                let answer = evaluate(&snapshot, &Switches::none(), id, &question);
                let counts = if answer.on { &mut on } else { &mut off };
                counts[answer.reason as usize] += 1;
            }
            (reasons(&on), reasons(&off))
        };
        for key in ["off", "on", "half", "lists", "listed", "ruled", "needy"] {
            let found = flag(directory.path(), key);
            assert_eq!((reasons(&found.on), reasons(&found.off)), expected(key), "{key}, quickly: {quickly}");
        }
    }
}

#[test]
fn questions_for_unknown_flags_are_counted_together() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "of", Some(1));
    ask(&mut recorder, &snapshot, "of", None);
    assert_eq!(counts(directory.path(), NOON).unknown, 2);
}

#[test]
fn a_request_counts_once_for_each_flag_that_it_asked_in_the_cohort_of_its_answer() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    for (status, micros) in
        [(Status::Http(200), 1_500), (Status::Http(503), 20_000), (Status::Failed, 90_000)]
    {
        recorder.begin(7_000);
        for _ in 0..3 {
            ask(&mut recorder, &snapshot, "on", Some(42));
            ask(&mut recorder, &snapshot, "off", None);
        }
        end(&mut recorder, status, 7_000, micros);
    }
    recorder.begin(0);
    end(&mut recorder, Status::Http(500), 0, 1);
    let (on, off) = (flag(directory.path(), "on"), flag(directory.path(), "off"));
    assert_eq!((on.exposure.on.requests, on.exposure.on.errors, on.exposure.off.requests), (3, 2, 0));
    assert_eq!((off.exposure.off.requests, off.exposure.off.errors, off.exposure.on.requests), (3, 2, 0));
    assert_eq!(on.classes[0], [0, 0, 1, 0, 0, 1, 1, 0]);
    for micros in [1_500, 20_000, 90_000] {
        assert_eq!(on.exposure.on.durations[duration::bucket(micros)], 1, "{micros} µs");
    }
    let groups: Vec<_> = on.exposure.on.groups.iter().filter(|group| group.requests > 0).collect();
    assert_eq!(groups.len(), 1, "one company is one group");
    assert_eq!((groups[0].requests, groups[0].errors, groups[0].time), (3, 2, 111_500));
    assert_eq!(on.answers(), (9, 0));
}

#[test]
fn a_request_that_got_both_answers_is_in_neither_cohort() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    let answers: Vec<bool> =
        (1..20).map(|company| ask(&mut recorder, &snapshot, "half", Some(company))).collect();
    assert!(answers.contains(&true) && answers.contains(&false));
    end(&mut recorder, Status::Http(500), 0, 10);
    let exposure = flag(directory.path(), "half").exposure;
    assert_eq!((exposure.mixed, exposure.on.requests, exposure.off.requests), (1, 0, 0));
}

#[test]
fn a_request_that_a_flag_ended_says_nothing_about_any_flag() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    ask(&mut recorder, &snapshot, "off", Some(1));
    recorder.gated(&snapshot, snapshot.find(b"off").expect("the flag"));
    end(&mut recorder, Status::Http(404), 0, 10);
    let (on, off) = (flag(directory.path(), "on").exposure, flag(directory.path(), "off").exposure);
    assert_eq!((off.gated, off.off.requests, on.gated, on.on.requests), (1, 0, 0, 0));
}

#[test]
fn a_question_that_only_looks_is_counted_and_exposes_nothing() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    let flag_id = snapshot.find(b"on").expect("the flag");
    let asked = AnsweredQuestion {
        flag: flag_id,
        on: true,
        reason: Reason::Full,
        company: Some(Key::Int(1)),
        bucket: None,
    };
    recorder.answered(&snapshot, &asked, false);
    end(&mut recorder, Status::Http(500), 0, 10);
    let found = flag(directory.path(), "on");
    assert_eq!((found.answers(), found.exposure.on.requests), ((1, 0), 0));
}

#[test]
fn a_snapshot_that_takes_the_place_of_another_within_a_request_loses_no_answer() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let next =
        compiled(r#"{"added": {"enabled": true}, "half": {"enabled": true}, "on": {"enabled": false}}"#);
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    ask(&mut recorder, &snapshot, "off", Some(1));
    recorder.bind(&next).unwrap();
    ask(&mut recorder, &next, "on", Some(1));
    ask(&mut recorder, &next, "added", Some(1));
    end(&mut recorder, Status::Http(200), 0, 10);
    let exposure = |key: &str| flag(directory.path(), key).exposure;
    assert_eq!(exposure("on").mixed, 1, "on before, off after");
    assert_eq!((exposure("off").off.requests, exposure("added").on.requests), (1, 1));
}

#[test]
fn counts_go_on_with_their_flag_when_a_publish_moves_its_number() {
    let directory = trusted_dir();
    let (first, second) = (
        compiled(r#"{"b": {"enabled": true}, "c": {"enabled": false}}"#),
        compiled(r#"{"a": {"enabled": true}, "c": {"enabled": false}}"#),
    );
    let mut recorder = recorder(directory.path(), &first);
    recorder.begin(0);
    ask(&mut recorder, &first, "b", Some(1));
    ask(&mut recorder, &first, "c", Some(1));
    recorder.bind(&second).unwrap();
    ask(&mut recorder, &second, "a", Some(1));
    ask(&mut recorder, &second, "c", Some(1));
    let answers = |key: &str| flag(directory.path(), key).answers();
    assert_eq!((answers("a"), answers("b"), answers("c")), ((1, 0), (1, 0), (0, 2)));
}

#[test]
fn hours_tell_what_was_asked_in_each_and_hours_without_questions_are_empty() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    for (hour, questions) in [(0, 3), (1, 5), (4, 2), (30, 7)] {
        recorder.tick(NOON + hour * HOUR);
        recorder.begin(0);
        for _ in 0..questions {
            ask(&mut recorder, &snapshot, "on", Some(1));
            ask(&mut recorder, &snapshot, "off", Some(1));
        }
        if hour == 4 {
            let hours =
                counts(directory.path(), NOON + hour * HOUR).flag("on").expect("counts").hours.clone();
            let found: Vec<_> = hours.iter().rev().take(5).map(|hour| (hour.on, hour.off)).collect();
            assert_eq!(found, [(2, 0), (0, 0), (0, 0), (5, 0), (3, 0)]);
        }
    }
    let hours = counts(directory.path(), NOON + 30 * HOUR).flag("off").expect("counts").hours.clone();
    assert_eq!(hours.iter().map(|hour| hour.off).sum::<u64>(), 7, "the day before is over: {hours:?}");
}

#[test]
fn distinct_companies_are_estimated_and_forgotten_after_a_day() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    for company in 0..10_000 {
        ask(&mut recorder, &snapshot, "half", Some(company));
        ask_slowly(&mut recorder, &snapshot, "ruled", Some(company));
    }
    let at = |now: i64, key: &str| counts(directory.path(), now).flag(key).expect("counts").companies;
    for key in ["half", "ruled"] {
        let estimate = at(NOON, key);
        assert!((estimate - 10_000.0).abs() < 4.0 * 0.046 * 10_000.0, "{key}: {estimate}");
    }
    assert!(at(NOON + 23 * HOUR, "half") > 8_000.0);
    assert!(at(NOON + 28 * HOUR, "half") < 1.0, "nobody turned the hour meanwhile");
    recorder.tick(NOON + 28 * HOUR);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "half", Some(1));
    let estimate = at(NOON + 28 * HOUR, "half");
    assert!((0.9..1.1).contains(&estimate), "{estimate}");
    assert!(at(NOON + 28 * HOUR, "ruled") < 1.0);
}

#[test]
fn a_clock_that_goes_back_or_far_ahead_stops_no_counting() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    for now in [NOON + 20_000 * HOUR, NOON, NOON - 3 * HOUR, 0, -1, i64::MAX, NOON] {
        recorder.tick(now);
        recorder.begin(0);
        ask(&mut recorder, &snapshot, "on", Some(1));
        recorder.end(&Ending { status: Status::Http(200), clock: 0, now });
    }
    let found = flag(directory.path(), "on");
    assert_eq!((found.answers(), found.exposure.on.requests), ((7, 0), 7));
    assert_eq!(found.hours.last().map(|hour| hour.on), Some(1), "{:?}", found.hours);
}

#[test]
fn more_flags_than_there_is_room_for_are_counted_together() {
    let directory = trusted_dir();
    let many: Vec<String> = (0..3000).map(|flag| format!("\"f{flag}\": {{\"enabled\": true}}")).collect();
    let snapshot = compiled(&format!("{{{}}}", many.join(",")));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    for number in 0..3000 {
        ask(&mut recorder, &snapshot, &format!("f{number}"), Some(1));
        ask(&mut recorder, &snapshot, &format!("f{number}"), Some(1));
    }
    end(&mut recorder, Status::Http(200), 0, 10);
    let before = counts(directory.path(), NOON);
    ask(&mut recorder, &snapshot, "f2999", Some(1));
    // A guard was once content with such counters, and plans went on.
    let (mut sight, after) = (Sight::default(), counts(directory.path(), NOON));
    assert_eq!(sight.look(&before, NOON), None);
    assert_eq!(sight.look(&after, NOON + 1), Some(Blindness::Full(NOON + 1)));
    assert_eq!(sight.look(&after, NOON + 59_000_000), Some(Blindness::Full(NOON + 1)));
    assert_eq!(sight.look(&after, NOON + 61_000_000), None, "nobody asks those any more");
    let counts = before;
    assert_eq!(counts.others, 2 * (3000 - 2046));
    assert_eq!(counts.dropped_flags, 3000 - 2046);
    assert_eq!(counts.dropped_exposures, 2046 - 64);
    let exposed = (0..3000).filter(|number| {
        counts.flag(&format!("f{number}")).is_some_and(|flag| flag.exposure.on.requests == 1)
    });
    assert_eq!(exposed.count(), 64);
}

#[test]
fn threads_count_in_cells_of_their_own_and_then_in_shared_ones() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let (counted, read) = (std::sync::Barrier::new(301), std::sync::Barrier::new(301));
    std::thread::scope(|scope| {
        for _ in 0..300 {
            scope.spawn(|| {
                let mut recorder = recorder(directory.path(), &snapshot);
                recorder.begin(0);
                for company in 0..1000 {
                    ask(&mut recorder, &snapshot, "half", Some(company));
                    ask(&mut recorder, &snapshot, "on", None);
                }
                end(&mut recorder, Status::Http(200), 0, 10);
                // Held to the end, so that the last ones find no cells of their own.
                counted.wait();
                read.wait();
            });
        }
        counted.wait();
        let counts = counts(directory.path(), NOON);
        assert_eq!((counts.workers.len(), counts.without_cells), (256, 44));
        read.wait();
    });
    assert_eq!(counts(directory.path(), NOON).without_cells, 0);
    let (half, on) = (flag(directory.path(), "half"), flag(directory.path(), "on"));
    let (some, others) = half.answers();
    assert_eq!((some + others, on.answers(), on.exposure.on.requests), (300_000, (300_000, 0), 300));
    assert_eq!(counts(directory.path(), NOON).total().requests, 300);
}

/// A child of `a_limit_of_file_sizes_ends_nobody`.
#[test]
fn a_child_process_counts_as_much_as_it_may() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_LIMITED") else { return };
    let directory = Path::new(&directory);
    let many: Vec<String> = (0..2000).map(|flag| format!("\"f{flag}\": {{\"enabled\": true}}")).collect();
    let snapshot = compiled(&format!("{{{}}}", many.join(",")));
    match Recorder::open(directory, Path::new(STORE), &snapshot, NOON) {
        Err(error) => println!("=> {error}"),
        Ok(mut recorder) => {
            recorder.begin(0);
            for number in 0..2000 {
                ask(&mut recorder, &snapshot, &format!("f{number}"), Some(1));
            }
            end(&mut recorder, Status::Http(200), 0, 10);
            println!("=> counted, {} without room", counts(directory, NOON).others);
        }
    }
}

#[test]
fn a_limit_of_file_sizes_ends_nobody() {
    // SIGXFSZ once ended a worker at its first question, or where its counters grew.
    let binary = std::env::current_exe().expect("a test binary");
    let within = |kilobytes: &str| {
        let directory = trusted_dir();
        let child = Command::new("bash")
            .args(["-c", &format!("ulimit -f {kilobytes}; exec \"$0\" \"$@\"")])
            .arg(&binary)
            .args(["--exact", "a_child_process_counts_as_much_as_it_may", "--nocapture"])
            .env("FLAGSTONE_TELEMETRY_LIMITED", directory.path())
            .output()
            .expect("a child");
        assert_eq!(child.status.code(), Some(0), "{kilobytes}: {child:?}");
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        said.lines().find_map(|line| Some(line.split_once("=> ")?.1.to_owned())).expect("an answer")
    };
    assert!(within("100").contains("raise the limit of file sizes"), "{}", within("100"));
    assert_eq!(within("unlimited"), "counted, 0 without room");
    let least = (1..)
        .map(|tries| (tries * 1_000).to_string())
        .map(|limit| within(&limit))
        .find(|said| said.starts_with("counted"));
    let without: u64 = least.and_then(|said| said.split(' ').nth(1)?.parse().ok()).expect("a number");
    assert!(without > 0, "or it never grew");
}

#[test]
fn a_limit_of_file_sizes_that_cannot_be_asked_for_is_none() {
    // Where a seccomp filter refused getrlimit(2), nothing was counted, and a limit that there was not was to be raised.
    let directory = trusted_dir();
    let child = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=prlimit64", "-e", "inject=prlimit64:error=EPERM"])
        .arg(std::env::current_exe().expect("a test binary"))
        .args(["--exact", "a_child_process_counts_as_much_as_it_may", "--nocapture"])
        .env("FLAGSTONE_TELEMETRY_LIMITED", directory.path())
        .output()
        .expect("strace");
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(told.contains("=> counted, 0 without room"), "{child:?}");
}

/// A child of `killed_processes_lose_no_count_that_they_acknowledged`.
#[test]
fn a_child_process_counts_until_it_is_killed() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_CHILD") else { return };
    let snapshot = compiled(FLAGS);
    let mut recorder = recorder(Path::new(&directory), &snapshot);
    recorder.begin(0);
    for acknowledged in 1_u64.. {
        ask(&mut recorder, &snapshot, "half", Some(acknowledged as i64));
        if acknowledged.is_multiple_of(64) {
            println!("=> {acknowledged}");
        }
    }
}

#[test]
fn killed_processes_lose_no_count_that_they_acknowledged() {
    let directory = trusted_dir();
    let kills = 40;
    let mut acknowledged = 0;
    let binary = std::env::current_exe().expect("a test binary");
    for round in 0..kills / 4 {
        let children: Vec<_> = (0..4)
            .map(|_| {
                Command::new(&binary)
                    .args(["--exact", "a_child_process_counts_until_it_is_killed", "--nocapture"])
                    .env("FLAGSTONE_TELEMETRY_CHILD", directory.path())
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("a child")
            })
            .collect();
        std::thread::sleep(std::time::Duration::from_millis(20 + round * 7));
        for mut child in children {
            let output = BufReader::new(child.stdout.take().expect("its output"));
            let reading = std::thread::spawn(move || {
                let lines = output.lines().map_while(Result::ok);
                lines.filter_map(|line| line.split_once("=> ")?.1.parse().ok()).last().unwrap_or(0_u64)
            });
            child.kill().expect("a kill");
            child.wait().expect("its end");
            acknowledged += reading.join().expect("what it acknowledged");
        }
    }
    let (on, off) = flag(directory.path(), "half").answers();
    let total = on + off;
    // One acknowledges every 64th, and may have counted up to 64 more and the one that it was at.
    assert!(acknowledged > 0 && acknowledged <= total, "{acknowledged} acknowledged, {total} counted");
    assert!(total <= acknowledged + kills * 65, "{acknowledged} acknowledged, {total} counted");
    assert_eq!(files(directory.path()).len(), 1, "one file for all of them");
}

#[test]
fn random_bytes_in_the_memory_are_wrong_numbers_and_nothing_else() {
    use std::os::unix::fs::FileExt;
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    let mut state = 88_172_645_463_325_252_u64;
    for round in 0..8 {
        let handle = std::fs::OpenOptions::new().write(true).open(file(directory.path())).expect("the file");
        let size = handle.metadata().expect("its size").len() as usize;
        let mut bytes = vec![0_u8; size];
        for chunk in bytes.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let word = if round == 0 { u64::MAX } else { state };
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
        handle.write_all_at(&bytes, 0).expect("a write");
        recorder.bind(&snapshot).unwrap();
        recorder.begin(0);
        for key in ["off", "on", "half", "lists", "ruled", "needy", "no"] {
            for company in 1..50 {
                let quick = snapshot.quick(key_hash(key.as_bytes()), key.as_bytes(), company);
                let on = ask(&mut recorder, &snapshot, key, Some(company));
                assert!(quick.is_none_or(|quick| (quick.on() == 1) == on));
            }
        }
        recorder.end(&Ending { status: Status::Http(500), clock: 10, now: NOON + round * HOUR });
        recorder.tick(NOON + round * HOUR);
        // Its first word says now that it is no such file; with it, everything else is read.
        let left_out = read(directory.path(), Path::new(STORE), NOON, |_| true).expect("a reading");
        assert!(left_out.sources[0].left_out.is_some());
        handle.write_all_at(b"flagcnt4", 0).expect("a write");
        let found = read(directory.path(), Path::new(STORE), NOON, |_| true).expect("a reading");
        assert_eq!(found.sources[0].left_out, None);
    }
}

#[test]
fn a_file_that_is_not_wholly_ours_is_not_counted_in() {
    let snapshot = compiled(FLAGS);
    let refused = |prepare: &dyn Fn(&Path)| {
        let directory = trusted_dir();
        drop(recorder(directory.path(), &snapshot));
        prepare(&file(directory.path()));
        let error = Recorder::open(directory.path(), Path::new(STORE), &snapshot, NOON).expect_err("refused");
        error.to_string()
    };
    let mode = |mode: u32| {
        move |file: &Path| {
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("a mode");
        }
    };
    assert!(refused(&mode(0o666)).contains("mode 0666"));
    assert!(refused(&mode(0o660)).contains("mode 0660"));
    let shorter_and_not_ours = |file: &Path| {
        truncate(file, 4096);
        mode(0o666)(file);
    };
    assert!(refused(&shorter_and_not_ours).contains("4096 bytes"));
    let linked = |file: &Path| {
        let target = file.with_file_name("elsewhere");
        std::fs::rename(file, &target).expect("a rename");
        std::os::unix::fs::symlink(&target, file).expect("a link");
    };
    assert!(refused(&linked).contains("cannot open"));
    let named_twice = |file: &Path| std::fs::hard_link(file, file.with_file_name("twice")).expect("a link");
    assert!(refused(&named_twice).contains("no regular file of one name"));
    let missing = Recorder::open(Path::new("/nonexistent/x"), Path::new(STORE), &snapshot, NOON);
    let message = missing.expect_err("no directory").to_string();
    assert!(message.contains("name another directory in flagstone.telemetry"), "{message}");
}

#[test]
fn readers_believe_only_the_users_they_are_told_to_and_files_that_are_what_they_say() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    let path = file(directory.path());
    let user = std::fs::metadata(&path).expect("the file").uid();
    let found = read(directory.path(), Path::new(STORE), NOON, |_| false).expect("a reading");
    assert!(found.flag("on").is_none());
    assert!(found.sources[0].left_out.as_deref().is_some_and(|why| why.contains("not one whose counters")));
    // Whose counters they are follows from the owner of the directory, whatever its name says.
    let forged = directory.join(&format!("flagstone-4-{}", user + 1));
    std::fs::create_dir(&forged).expect("a directory");
    let copy = forged.join(path.file_name().expect("a name"));
    std::fs::copy(&path, &copy).expect("a copy");
    let found = read(directory.path(), Path::new(STORE), NOON, |_| true).expect("a reading");
    assert!(found.sources.iter().all(|source| source.user == user), "{:?}", found.sources);
    // One that others can write is nobody's.
    std::fs::set_permissions(&forged, std::fs::Permissions::from_mode(0o777)).expect("a mode");
    let found = read(directory.path(), Path::new(STORE), NOON, |_| true).expect("a reading");
    assert_eq!(found.flag("on").map(FlagCounts::answers), Some((1, 0)));
    std::fs::remove_dir_all(&forged).expect("a removal");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("a mode");
    let found = read(directory.path(), Path::new(STORE), NOON, |_| true).expect("a reading");
    assert!(found.sources[0].left_out.as_deref().is_some_and(|why| why.contains("others can write it")));
}

/// A hundred thousand directories of another user's cost each new worker half a second.
#[test]
fn a_worker_looks_at_some_thousand_directories_for_its_own() {
    let (directory, snapshot): (TrustedDir, Snapshot) = (trusted_dir(), compiled(FLAGS));
    let user = std::fs::metadata(directory.path()).expect("it").uid();
    let forge = |end: &str| {
        let forged = directory.join(&format!("flagstone-4-{user}{end}"));
        std::fs::create_dir(&forged).expect("a directory");
        std::fs::set_permissions(&forged, std::fs::Permissions::from_mode(0o777)).expect("a mode");
    };
    forge("");
    (0..4_000).for_each(|number| forge(&format!("-{number}")));
    for _ in 0..2 {
        let mut recorder = recorder(directory.path(), &snapshot);
        recorder.begin(0);
        ask(&mut recorder, &snapshot, "on", Some(1));
    }
    assert_eq!(flag(directory.path(), "on").answers(), (2, 0));
    (4_000..4_100).for_each(|number| forge(&format!("-{number}")));
    let problem =
        Recorder::open(directory.path(), Path::new(STORE), &snapshot, NOON).expect_err("a flood").to_string();
    assert!(problem.contains("have root remove them and make that one for this user"), "{problem}");
}

/// Each of them made a directory of its own, readers read the first four that the file system listed, and said nothing of the others.
#[test]
fn workers_that_begin_at_once_share_a_directory_and_what_is_not_read_is_said() {
    let (directory, snapshot): (TrustedDir, Snapshot) = (trusted_dir(), compiled(FLAGS));
    let user = std::fs::metadata(directory.path()).expect("it").uid();
    let make = |end: &str, mode: u32| {
        let made = directory.join(&format!("flagstone-4-{user}{end}"));
        std::fs::create_dir(&made).expect("a directory");
        std::fs::set_permissions(&made, std::fs::Permissions::from_mode(mode)).expect("a mode");
        made
    };
    make("", 0o777);
    (0..1_500).for_each(|number| _ = make(&format!("-{number}"), 0o777));
    make("-0001", 0o777);
    let together = std::sync::Barrier::new(12);
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                together.wait();
                let mut recorder = recorder(directory.path(), &snapshot);
                recorder.begin(0);
                ask(&mut recorder, &snapshot, "on", Some(1));
                end(&mut recorder, Status::Http(200), 0, 10);
            });
        }
    });
    let made = files(directory.path());
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(
        made[0].parent().is_some_and(|own| own.ends_with(format!("flagstone-4-{user}-0002"))),
        "{made:?}"
    );
    assert_eq!(on(directory.path(), "on"), (12, 0));
    for number in 0..10 {
        let further = make(&format!("-99{number}0"), 0o755);
        std::fs::copy(&made[0], further.join(made[0].file_name().expect("a name"))).expect("a copy");
    }
    let found = read(directory.path(), Path::new(STORE), NOON, |_| true).expect("a reading");
    let left_out: Vec<&str> = found.sources.iter().filter_map(|source| source.left_out.as_deref()).collect();
    let said = format!(
        "7 directories of user {user} that hold counters of this store are not read, of 11: workers count in the first; have root remove the others"
    );
    assert_eq!(left_out, [said]);
    assert!(found.sources.iter().any(|source| source.path == made[0] && source.left_out.is_none()));
}

/// A file system of the user's own, mounted there, whose process never answered, stopped every command that reads counters.
#[test]
fn a_directory_on_which_a_file_system_is_mounted_is_nobodys() {
    let (directory, snapshot): (TrustedDir, Snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    drop(recorder);
    let own = file(directory.path()).parent().expect("a directory").to_owned();
    let copy = directory.join("copy");
    let script = "cp -a \"$1\" \"$2\" && mount -t tmpfs -o mode=0755 none \"$1\" && cp -a \"$2\"/. \"$1\" && exec \"$3\" --exact \
        a_child_process_reads_the_counters_that_it_sees --nocapture";
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .args([&own, &copy])
        .arg(std::env::current_exe().expect("a test binary"))
        .env("FLAGSTONE_TELEMETRY_READ", directory.path())
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("=> None in 0 files"), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert_eq!(flag(directory.path(), "on").answers(), (1, 0));
}

/// Most workers were not counted, and the guard said that it watches.
#[test]
fn a_guard_is_blind_where_the_file_system_of_the_counters_is_full() {
    let directory: TrustedDir = trusted_dir();
    let script = "mount -t tmpfs -o mode=0755,size=1m none \"$1\" && exec \"$2\" --exact \
        a_child_process_reads_the_counters_that_it_sees --nocapture";
    let child = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().expect("a test binary"))
        .env("FLAGSTONE_TELEMETRY_READ", directory.path())
        .env("FLAGSTONE_TELEMETRY_FULL", "1")
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("=> blind while it was full"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

#[test]
fn a_child_process_reads_the_counters_that_it_sees() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_READ") else { return };
    let found = read(Path::new(&directory), Path::new(STORE), NOON, |_| true).expect("a reading");
    println!("=> {:?} in {} files", found.flag("on").map(FlagCounts::answers), found.sources.len());
    if std::env::var_os("FLAGSTONE_TELEMETRY_FULL").is_some() {
        let snapshot = compiled(FLAGS);
        let mut recorder = recorder(Path::new(&directory), &snapshot);
        recorder.begin(0);
        ask(&mut recorder, &snapshot, "on", Some(1));
        let blindness = || {
            let found = read(Path::new(&directory), Path::new(STORE), NOON, |_| true).expect("a reading");
            Sight::default().look(&found, NOON)
        };
        assert_eq!(blindness(), None);
        let filling = Path::new(&directory).join("filling");
        let mut file = std::fs::File::create(&filling).expect("a file");
        while std::io::Write::write(&mut file, &[1; 4096]).is_ok_and(|written| written > 0) {}
        assert!(Recorder::open(Path::new(&directory), Path::new("/another"), &snapshot, NOON).is_err());
        let why = blindness().expect("it is blind").to_string();
        let full = format!("workers that start now cannot be counted: {} is full", directory.display());
        assert!(why.starts_with(&full), "{why}");
        drop(file);
        std::fs::remove_file(&filling).expect("a removal");
        assert_eq!(blindness(), None);
        println!("=> blind while it was full");
    }
}

#[test]
fn a_file_that_was_removed_is_noticed_and_another_made() {
    let (directory, snapshot): (TrustedDir, Snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    assert!(recorder.is_sound());
    std::fs::remove_file(file(directory.path())).expect("a removal");
    assert!(!recorder.is_sound());
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    drop(recorder);
    let mut again = self::recorder(directory.path(), &snapshot);
    again.begin(0);
    ask(&mut again, &snapshot, "on", Some(1));
    assert_eq!(flag(directory.path(), "on").answers(), (1, 0));
}

/// Thirty days and an hour after `NOON`.
const LATER: i64 = NOON + (30 * 24 + 1) * HOUR;

/// Brings the file's own time back to `NOON`, which these tests count at.
fn lie_unused(file: &Path) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_micros(NOON as u64);
    std::fs::File::options().write(true).open(file).and_then(|file| file.set_modified(time)).expect("a time");
}

/// Their stores' paths were asked for instead: where one lay on a mount that hung, so did each worker of another store.
#[test]
fn counters_that_nobody_used_for_30_days_go_when_others_are_made() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let memory = directory.join("memory");
    std::fs::create_dir(&memory).expect("a directory");
    let store = |name: &str| {
        let path = directory.join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        path
    };
    let make = |store: &Path, now: i64| Recorder::open(&memory, store, &snapshot, now).expect("a recorder");
    let made = |store: &Path| {
        let path = make(store, NOON).path().to_owned();
        lie_unused(&path);
        path
    };
    let (gone, there, held, fresh, elsewhere) =
        (store("gone"), store("there"), store("held"), store("fresh"), store("elsewhere"));
    let (gone_file, there_file, elsewhere_file) = (made(&gone), made(&there), made(&elsewhere));
    let held_recorder = make(&held, NOON);
    lie_unused(held_recorder.path());
    let fresh_recorder = make(&fresh, NOON);
    // What is stored through a mapping moves no time of the file: what the header says counts.
    fresh_recorder.serves(1, LATER - HOUR);
    let fresh_file = fresh_recorder.path().to_owned();
    drop(fresh_recorder);
    lie_unused(&fresh_file);
    // Of another mount namespace, whose processes cannot be seen from here.
    let namespace = std::fs::metadata("/proc/self/ns/mnt").expect("a namespace").ino();
    let file = std::fs::File::options().read(true).write(true).open(&elsewhere_file).expect("a file");
    let mut word = [0; 8];
    file.read_exact_at(&mut word, 56).expect("a word");
    assert_eq!(u64::from_ne_bytes(word), namespace);
    file.write_all_at(&(namespace + 1).to_ne_bytes(), 56).expect("a word");
    lie_unused(&elsewhere_file);
    std::fs::write(memory.join("flagstone-4-of-somebody"), "else").expect("a file");
    for store in [&gone, &held, &fresh, &elsewhere] {
        std::fs::remove_dir(store).expect("a removal");
    }

    make(&store("early"), LATER - 2 * HOUR);
    assert!(gone_file.exists() && there_file.exists(), "30 days have not passed");
    make(&store("later"), LATER);
    for (file, store) in [(gone_file, "gone"), (there_file, "there, which tells nothing")] {
        assert!(!file.exists(), "nobody counts for it, and nobody did for 30 days; its store is {store}");
        assert!(!file.with_extension("claims").exists());
    }
    assert!(held_recorder.is_sound(), "somebody counts");
    assert!(fresh_file.exists(), "somebody counted in the last hour");
    assert!(elsewhere_file.exists(), "its workers cannot be seen from here");
    assert!(memory.join("flagstone-4-of-somebody").exists());
}

/// This test's binary, run for one of its children under another command.
fn child_under(command: &[&str], binary: &Path, child: &str) -> Command {
    let mut under = Command::new(command[0]);
    under.args(&command[1..]).arg(binary).args(["--exact", child, "--nocapture", "--test-threads=1"]);
    under
}

#[test]
fn a_child_process_makes_counters_later() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_LATER") else { return };
    let directory = Path::new(&directory);
    let recorder = Recorder::open(&directory.join("memory"), &directory.join("new"), &compiled(FLAGS), LATER);
    println!("=> {}", recorder.expect("a recorder").path().display());
}

#[test]
fn no_worker_asks_for_the_path_of_another_store() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let memory = directory.join("memory");
    std::fs::create_dir(&memory).expect("a directory");
    let counts = Recorder::open(&memory, &directory.join("hung/store"), &snapshot, NOON).expect("a recorder");
    let idle = counts.path().to_owned();
    drop(counts);
    lie_unused(&idle);
    let trace = directory.join("trace");
    let strace = ["strace", "-f", "-e", "trace=%file", "-o", trace.to_str().expect("a plain path")];
    let binary = std::env::current_exe().expect("a test binary");
    let child = child_under(&strace, &binary, "a_child_process_makes_counters_later")
        .env("FLAGSTONE_TELEMETRY_LATER", directory.path())
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("=> "), "{said}{}", String::from_utf8_lossy(&child.stderr));
    let trace = std::fs::read_to_string(&trace).expect("a trace");
    assert!(!trace.contains("hung"), "{trace}");
    let name = idle.file_name().and_then(|name| name.to_str()).expect("a name");
    let opened = trace.lines().filter(|line| line.contains("open") && line.contains(name)).count();
    assert_eq!(opened, 1, "{trace}");
    let new = said.lines().find_map(|line| line.split_once("=> ")).expect("its counters").1.trim();
    let at = |what: &str| trace.lines().position(|line| line.contains(what));
    assert!(at("rename") < at(name), "its own file is made first: {new} {trace}");
    assert!(!idle.exists());
}

/// The first question of a worker opened each of 6,047 files twice.
#[test]
fn a_worker_looks_at_64_other_counters_at_a_time() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let make = |store: usize, now: i64| {
        let store = format!("/nonexistent/{store}");
        let recorder = Recorder::open(directory.path(), Path::new(&store), &snapshot, now);
        recorder.expect("a recorder").path().to_owned()
    };
    let copies = |store: usize, now: i64, name: &str| -> Vec<PathBuf> {
        let file = make(store, now);
        let copy = |number: usize| {
            let copy = file.with_file_name(format!("{name}-{number}.counters"));
            std::fs::copy(&file, &copy).expect("a copy");
            lie_unused(&copy);
            copy
        };
        (0..100).map(copy).collect()
    };
    let idle = copies(1, NOON, "idle");
    let fresh = copies(2, NOON + 24 * HOUR, "fresh");
    let (mut left, mut store) = (idle.len(), 3);
    while left > 0 && store < 100 {
        make(store, LATER);
        let now = idle.iter().filter(|file| file.exists()).count();
        assert!(left - now <= 64, "{} files at once", left - now);
        (left, store) = (now, store + 1);
    }
    assert!(fresh.iter().all(|file| file.exists()), "somebody counted in them");
    assert_eq!(left, 0, "each has its turn");
}

/// A copy of this test's binary that another user can start, and a directory of that user's.
fn as_somebody(directory: &TrustedDir) -> (PathBuf, PathBuf, [&'static str; 4]) {
    let (binary, memory) = (directory.join("child"), directory.join("memory"));
    copy_program(&std::env::current_exe().expect("a test binary"), &binary);
    std::fs::create_dir(&memory).expect("a directory");
    std::os::unix::fs::chown(&memory, Some(64_001), Some(64_001))
        .expect("two users need root: sudo make test");
    (binary, memory, ["setpriv", "--reuid=64001", "--regid=64001", "--clear-groups"])
}

/// Counts by a worker, harms the files as named, and counts by the next, as long as that goes well.
#[test]
fn a_child_process_counts_with_files_of_any_mode() {
    let Some(memory) = std::env::var_os("FLAGSTONE_TELEMETRY_MODES") else { return };
    let (memory, snapshot) = (Path::new(&memory), compiled(FLAGS));
    let mode = |name: &str| u32::from_str_radix(&std::env::var(name).unwrap_or_default(), 8).ok();
    if let Some(umask) = mode("UMASK") {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
    }
    for _ in 0..2 {
        match Recorder::open(memory, Path::new(STORE), &snapshot, NOON) {
            Ok(mut recorder) => {
                recorder.begin(0);
                ask(&mut recorder, &snapshot, "on", Some(1));
                end(&mut recorder, Status::Http(200), 0, 10);
            }
            Err(error) => return println!("=> {error}"),
        }
        let path = file(memory);
        for (name, path) in [("CLAIMS", path.with_extension("claims")), ("COUNTERS", path)] {
            if let Some(mode) = mode(name) {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
            }
        }
    }
    println!("=> counted");
}

/// Under a umask that takes the owner's rights, the next worker could not open what the first had made, and nothing was counted for good.
#[test]
fn files_of_any_mode_are_mended_or_replaced() {
    let rows = [
        ("UMASK", "0777", 2),
        ("UMASK", "0600", 2),
        ("UMASK", "0400", 2),
        ("UMASK", "0277", 2),
        ("CLAIMS", "0000", 2),
        ("CLAIMS", "0400", 2),
        ("COUNTERS", "0000", 2),
        ("COUNTERS", "0444", 2),
        // Whoever may open it may hold locks in it: it is not used any more, nor what was counted with it.
        ("CLAIMS", "0666", 1),
        ("CLAIMS", "0640", 1),
    ];
    let directory = support::passable_dir();
    let (binary, memory, somebody) = as_somebody(&directory);
    for (what, mode, counted) in rows {
        let child = child_under(&somebody, &binary, "a_child_process_counts_with_files_of_any_mode")
            .env("FLAGSTONE_TELEMETRY_MODES", &memory)
            .env(what, mode)
            .output()
            .expect("a child");
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(said.contains("=> counted"), "{what} {mode}: {said}");
        if what == "UMASK" {
            let claims = file(&memory).with_extension("claims");
            assert_eq!(support::mode(&claims), 0o600, "{what} {mode}");
            assert_eq!(support::mode(&file(&memory)), 0o644, "{what} {mode}");
        }
        let found = read(&memory, Path::new(STORE), NOON, |_| true).expect("a reading");
        assert_eq!(found.flag("on").map(FlagCounts::answers), Some((counted, 0)), "{what} {mode}");
        std::fs::remove_dir_all(file(&memory).parent().expect("a directory")).expect("a removal");
    }
}

#[test]
fn what_is_wrong_with_the_claims_is_said_of_them() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    drop(recorder(directory.path(), &snapshot));
    let claims = file(directory.path()).with_extension("claims");
    std::fs::remove_file(&claims).expect("a removal");
    std::fs::create_dir(&claims).expect("a directory");
    let error = Recorder::open(directory.path(), Path::new(STORE), &snapshot, NOON).expect_err("no claims");
    assert!(error.to_string().contains(claims.to_str().expect("a plain path")), "{error}");
}

#[test]
fn a_child_process_runs_out_of_descriptors() {
    let Some(memory) = std::env::var_os("FLAGSTONE_TELEMETRY_FULL") else { return };
    let (memory, snapshot) = (Path::new(&memory), compiled(FLAGS));
    let limit = rustix::process::Rlimit { current: Some(64), maximum: Some(64) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).expect("a limit");
    let mut others: Vec<std::fs::File> = Vec::new();
    while let Ok(file) = std::fs::File::open("/dev/null") {
        others.push(file);
    }
    for _ in 0..12 {
        let opened = Recorder::open(memory, Path::new(STORE), &snapshot, NOON).is_ok();
        println!("=> {opened}");
        others.pop();
    }
}

/// Where the claims could not be opened for want of a descriptor, the counters of all workers were removed.
#[test]
fn no_want_of_descriptors_takes_counters_away() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    let binary = std::env::current_exe().expect("a test binary");
    let child = child_under(&["env"], &binary, "a_child_process_runs_out_of_descriptors")
        .env("FLAGSTONE_TELEMETRY_FULL", directory.path())
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("=> false") && said.contains("=> true"), "{said}");
    assert!(recorder.is_sound());
    assert_eq!(flag(directory.path(), "on").answers(), (1, 0));
}

/// A child of `memory_of_a_store_in_another_mount_namespace_stays`.
#[test]
fn a_child_process_counts_for_a_store_that_only_it_sees() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_ELSEWHERE") else { return };
    let directory = Path::new(&directory);
    let recorder =
        Recorder::open(&directory.join("memory"), &directory.join("store"), &compiled(FLAGS), NOON);
    println!("=> {}", recorder.expect("a recorder").path().display());
}

/// Workers of one user in two containers, which share a directory of counters, deleted each other's.
#[test]
fn memory_of_a_store_in_another_mount_namespace_stays() {
    for (namespace, stays) in [(["unshare", "--mount"].as_slice(), true), (&["env"], false)] {
        let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
        let memory = directory.join("memory");
        std::fs::create_dir(&memory).expect("a directory");
        let child = Command::new(namespace[0])
            .args(&namespace[1..])
            .arg(std::env::current_exe().expect("a test binary"))
            .args(["--exact", "a_child_process_counts_for_a_store_that_only_it_sees", "--nocapture"])
            .env("FLAGSTONE_TELEMETRY_ELSEWHERE", directory.path())
            .output()
            .expect("a child");
        let said = String::from_utf8_lossy(&child.stdout);
        let path = said.lines().find_map(|line| line.split_once("=> "));
        let (_, path) = path.unwrap_or_else(|| panic!("{said}; only root has namespaces: sudo make test"));
        lie_unused(Path::new(path));
        Recorder::open(&memory, Path::new(STORE), &snapshot, LATER).expect("a recorder");
        assert_eq!(Path::new(path).exists(), stays, "{namespace:?}");
    }
}

#[test]
fn counting_goes_on_whatever_is_done_to_its_file() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 8] = [
        ("cut to nothing", |file| truncate(file, 0)),
        ("cut in the header", |file| truncate(file, 100)),
        ("cut at a page", |file| truncate(file, 4_096)),
        ("cut in the middle", |file| truncate(file, 700_001)),
        ("longer", |file| truncate(file, 100_000_000)),
        ("zeros", |file| {
            std::fs::write(file, vec![0; std::fs::metadata(file).expect("a file").len() as usize])
                .expect("a write")
        }),
        ("deleted", |file| std::fs::remove_file(file).expect("a removal")),
        ("moved away", |file| std::fs::rename(file, file.with_extension("away")).expect("a move")),
    ];
    for (what, harm) in harms {
        let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
        let mut first = recorder(directory.path(), &snapshot);
        let mut second = recorder(directory.path(), &snapshot);
        harm(first.path());
        // Nobody dies of counting there.
        for counting in [&mut first, &mut second] {
            counting.begin(0);
            for company in 0..50 {
                ask(counting, &snapshot, "half", Some(company));
                ask(counting, &snapshot, "ruled", Some(company));
            }
            end(counting, Status::Http(200), 0, 10);
            assert!(!counting.is_sound(), "{what}");
        }
        // As the extension does it where that is so.
        let mut again = recorder(directory.path(), &snapshot);
        let mut other = recorder(directory.path(), &snapshot);
        for counting in [&mut again, &mut other] {
            assert!(counting.is_sound(), "{what}");
            counting.begin(0);
            ask(counting, &snapshot, "on", Some(1));
            end(counting, Status::Http(200), 0, 10);
        }
        assert_eq!(flag(directory.path(), "on").answers(), (2, 0), "{what}");
    }
}

/// A child of `counters_that_are_cut_use_up_no_limit_of_data`.
#[test]
fn a_child_process_counts_with_little_data() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_DATA") else { return };
    let many: Vec<String> = (0..40).map(|flag| format!("\"f{flag}\": {{\"enabled\": true}}")).collect();
    let snapshot = compiled(&format!("{{{}}}", many.join(",")));
    let mut recorder = recorder(Path::new(&directory), &snapshot);
    let mut round = || {
        recorder.begin(0);
        for flag in 0..40 {
            ask(&mut recorder, &snapshot, &format!("f{flag}"), Some(1));
        }
        end(&mut recorder, Status::Http(200), 0, 10);
        recorder.is_sound()
    };
    assert!(round());
    let limit = (data() + 8 * 1024) * 1024;
    let limit = rustix::process::Rlimit { current: Some(limit), maximum: Some(limit) };
    rustix::process::setrlimit(rustix::process::Resource::Data, limit).expect("a limit");
    let before = data();
    for length in [8192, 0] {
        truncate(&file(Path::new(&directory)), length);
        assert!(!round());
    }
    let grown = data() - before;
    // As a request takes it: PHP ended here.
    let mut request: Vec<u8> = Vec::new();
    let taken = request.try_reserve_exact(4 * 1024 * 1024);
    println!("=> {grown} KiB more, {taken:?}");
}

/// Private writable memory of this process, in KiB.
fn data() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc(5)");
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// One cut of the counters took 160 MB of data in each worker: under `ulimit -d` the next thing that PHP allocated ended it.
#[test]
fn counters_that_are_cut_use_up_no_limit_of_data() {
    let directory = trusted_dir();
    let binary = std::env::current_exe().expect("a test binary");
    let child = child_under(&["env"], &binary, "a_child_process_counts_with_little_data")
        .env("FLAGSTONE_TELEMETRY_DATA", directory.path())
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(said.contains("=> 0 KiB more, Ok(())"), "{said}{}", String::from_utf8_lossy(&child.stderr));
}

fn truncate(file: &Path, length: u64) {
    std::fs::File::options().write(true).open(file).and_then(|file| file.set_len(length)).expect("a length");
}

/// What a cohort holds: requests, and of these those that failed.
fn on(directory: &Path, key: &str) -> (u64, u64) {
    let on = flag(directory, key).exposure.on;
    (on.requests, on.errors)
}

#[test]
fn a_request_whose_thread_dies_is_counted_as_failed_once() {
    // Such requests were counted as answers alone: what kills its worker harmed no cohort.
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut first = recorder(directory.path(), &snapshot);
    first.begin(0);
    ask(&mut first, &snapshot, "on", Some(42));
    end(&mut first, Status::Http(200), 0, 1_000);
    first.begin(0);
    ask(&mut first, &snapshot, "on", Some(42));
    ask(&mut first, &snapshot, "off", Some(42));
    assert_eq!(on(directory.path(), "on"), (1, 0), "it goes on");
    first.abandon();
    // The reader adds what nobody has written down.
    let seen = |when: &str| {
        let counts = counts(directory.path(), NOON);
        let on = counts.flag("on").expect("counts");
        assert_eq!((on.exposure.on.requests, on.exposure.on.errors), (2, 1), "{when}");
        assert_eq!((on.classes[0][2], on.classes[0][6]), (1, 1), "{when}");
        assert_eq!(on.exposure.on.durations.iter().sum::<u64>(), 1, "{when}: it has no duration");
        let group = on.exposure.on.groups.iter().find(|group| group.requests > 0).expect("a group");
        assert_eq!((group.requests, group.errors, group.time), (2, 1, 1_000), "{when}");
        let off = &counts.flag("off").expect("counts").exposure.off;
        assert_eq!((off.requests, off.errors), (1, 1), "{when}");
        assert_eq!((counts.total().requests, counts.total().errors), (2, 1), "{when}");
    };
    seen("nobody holds its cells");
    let second = recorder(directory.path(), &snapshot);
    seen("another thread holds them");
    drop(second);
    seen("nobody holds them again");
    // A process that another test starts just now holds them until its program runs.
    while !counts(directory.path(), NOON).workers.is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn cells_of_threads_that_died_are_settled_whichever_cells_the_next_thread_takes() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let dying: Vec<Recorder> = (0..5)
        .map(|_| {
            let mut recorder = recorder(directory.path(), &snapshot);
            recorder.begin(0);
            ask(&mut recorder, &snapshot, "on", Some(1));
            recorder
        })
        .collect();
    dying.into_iter().for_each(Recorder::abandon);
    assert_eq!(on(directory.path(), "on"), (5, 5));
    let mut next = recorder(directory.path(), &snapshot);
    next.begin(0);
    ask(&mut next, &snapshot, "on", Some(1));
    end(&mut next, Status::Http(200), 0, 10);
    assert_eq!(on(directory.path(), "on"), (6, 5));
    assert_eq!(counts(directory.path(), NOON).total().requests, 6);
}

#[test]
fn a_thread_that_gives_up_or_ends_its_request_leaves_nothing_open() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    // It moves to another store, say.
    drop(recorder);
    assert_eq!(on(directory.path(), "on"), (0, 0));
    let mut recorder = self::recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    end(&mut recorder, Status::Http(200), 0, 10);
    // What is asked after the end of a request is in no request.
    ask(&mut recorder, &snapshot, "off", Some(1));
    end(&mut recorder, Status::Http(500), 0, 10);
    recorder.abandon();
    assert_eq!(on(directory.path(), "on"), (1, 0));
    assert_eq!(flag(directory.path(), "off").exposure.off.requests, 0);
    assert_eq!(flag(directory.path(), "off").answers(), (0, 1));
}

#[test]
fn no_sum_goes_back_while_threads_die_and_others_take_their_cells() {
    // Where every reading meets another owner, the last is taken as it is: threads that died without a pause failed this test.
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let (over, deaths) = (AtomicBool::new(false), AtomicUsize::new(0));
    let rounds = 400;
    let may_die = || deaths.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for round in 0..rounds {
                        while !may_die() && !over.load(Relaxed) {
                            std::thread::yield_now();
                        }
                        let mut recorder = recorder(directory.path(), &snapshot);
                        for _ in 0..round % 3 {
                            recorder.begin(0);
                            ask(&mut recorder, &snapshot, "on", Some(1));
                            end(&mut recorder, Status::Http(200), 0, 10);
                        }
                        recorder.begin(0);
                        ask(&mut recorder, &snapshot, "on", Some(1));
                        recorder.abandon();
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut last = (0, 0);
            while !over.load(Relaxed) {
                deaths.store(2, Relaxed);
                let found = on(directory.path(), "on");
                if found.0 < last.0 || found.1 < last.1 {
                    over.store(true, Relaxed);
                    panic!("{last:?} became {found:?}");
                }
                last = found;
            }
        });
        threads.into_iter().for_each(|thread| thread.join().expect("its end"));
        over.store(true, Relaxed);
        reader.join().expect("its end");
    });
    let good: u64 = (0..rounds).map(|round| round % 3).sum();
    assert_eq!(on(directory.path(), "on"), (4 * (good + rounds), 4 * rounds));
    let total = counts(directory.path(), NOON).total();
    assert_eq!((total.requests, total.errors), (4 * (good + rounds), 4 * rounds));
}

#[test]
fn all_requests_are_counted_those_that_asked_no_flag_included() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    for (status, asks) in [(200, true), (500, true), (200, false), (503, false), (404, false)] {
        recorder.begin(0);
        if asks {
            ask(&mut recorder, &snapshot, "on", Some(42));
            ask(&mut recorder, &snapshot, "half", Some(42));
        }
        end(&mut recorder, Status::Http(status), 0, 2_000);
    }
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "off", Some(1));
    recorder.gated(&snapshot, snapshot.find(b"off").expect("the flag"));
    end(&mut recorder, Status::Http(404), 0, 10);
    let counts = counts(directory.path(), NOON);
    let total = counts.total();
    assert_eq!((total.requests, total.errors), (6, 2));
    assert_eq!(total.durations[duration::bucket(2_000)], 5);
    assert_eq!(total.groups.iter().map(|group| group.requests).sum::<u64>(), 6);
    assert_eq!(counts.totals.len(), 1);
}

#[test]
fn who_may_only_read_the_counters_keeps_no_thread_out() {
    // A read lock on the bytes of the cells kept every worker out of them.
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    drop(recorder(directory.path(), &snapshot));
    let reader = std::fs::File::open(file(directory.path())).expect("the file");
    rustix::fs::fcntl_lock(&reader, rustix::fs::FlockOperation::NonBlockingLockShared).expect("a lock");
    let recorder = recorder(directory.path(), &snapshot);
    assert!(recorder.has_cells());
    let claims = std::fs::metadata(file(directory.path()).with_extension("claims")).expect("the claims");
    assert_eq!(claims.permissions().mode() & 0o777, 0o600);
}

/// A child of `no_lock_of_another_user_makes_a_thread_look_alive_or_dead`: a user who may only read what lies beside the counters. Takes
/// every lock that it can, by each file's path and until it ends, and says what a reader of the same user finds.
#[test]
fn a_child_process_locks_all_that_it_can_read() {
    let Some(directory) = std::env::var_os("FLAGSTONE_TELEMETRY_LOCKED") else { return };
    let found = || {
        let found = read(Path::new(&directory), Path::new(STORE), NOON, |_| true).expect("a reading");
        let on = found.flag("on").map(|flag| (flag.exposure.on.requests, flag.exposure.on.errors));
        format!("{} workers, {} without cells, {on:?}", found.workers.len(), found.without_cells)
    };
    let before = found();
    let beside = file(Path::new(&directory)).parent().expect("a directory").to_owned();
    let files: Vec<std::fs::File> = std::fs::read_dir(beside)
        .expect("a directory")
        .filter_map(|entry| std::fs::File::open(entry.expect("an entry").path()).ok())
        .collect();
    for file in &files {
        let _ = rustix::fs::fcntl_lock(file, rustix::fs::FlockOperation::NonBlockingLockShared);
        // SAFETY: all zeros are a valid lock.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_RDLCK as libc::c_short;
        // SAFETY: the file is open, and the kernel only reads the lock's description.
        unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(file), libc::F_OFD_SETLK, &raw const lock) };
    }
    println!("=> {} files; {before}; {}", files.len(), found());
    // The parent looks, and closes the pipe.
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

/// A read lock on the counters made cells of dead threads look held to readers that could not open the claims: the request that they died
/// in was not counted, the guard was blind, and health told of a thousand threads without cells.
#[test]
fn no_lock_of_another_user_makes_a_thread_look_alive_or_dead() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let (binary, memory, other) = as_somebody(&directory);
    // The counters are root's here, and the child's user is another.
    std::os::unix::fs::chown(&memory, Some(0), Some(0)).expect("root");
    let start = || {
        let mut recorder = recorder(&memory, &snapshot);
        recorder.begin_awaited(0);
        ask(&mut recorder, &snapshot, "on", Some(1));
        recorder
    };
    let alive = start();
    start().abandon();
    let mut child = child_under(&other, &binary, "a_child_process_locks_all_that_it_can_read")
        .env("FLAGSTONE_TELEMETRY_LOCKED", &memory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let said = lines.find_map(|line| Some(line.split_once("=> ")?.1.to_owned())).expect("an answer");
    let one = "1 workers, 0 without cells, Some((1, 1))";
    assert_eq!(said, format!("3 files; {one}; {one}"));
    // Threads that come now have cells, and are seen.
    let late = recorder(&memory, &snapshot);
    assert!(late.has_cells() && alive.is_sound());
    assert_eq!(counts(&memory, NOON).workers.len(), 2);
    drop(child.stdin.take());
    child.wait().expect("its end");
}

#[test]
fn a_request_left_open_counts_while_the_next_owner_of_its_cells_has_yet_to_settle_it() {
    // Between the next owner's claim and the first word that it wrote, the request counted nowhere: a sum went back.
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let mut recorder = recorder(directory.path(), &snapshot);
    recorder.begin(0);
    ask(&mut recorder, &snapshot, "on", Some(1));
    recorder.abandon();
    let claims = file(directory.path()).with_extension("claims");
    let claims = std::fs::File::options().read(true).write(true).open(claims).expect("the claims");
    rustix::fs::fcntl_lock(&claims, rustix::fs::FlockOperation::NonBlockingLockExclusive).expect("a lock");
    assert_eq!(on(directory.path(), "on"), (1, 1));
    assert_eq!(counts(directory.path(), NOON).workers.len(), 0);
}

#[test]
fn something_else_of_the_directorys_name_keeps_nobody_from_counting() {
    // Whoever made a file of that name first in /dev/shm blinded all counters of that user.
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let user = std::fs::metadata(directory.path()).expect("a directory").uid();
    std::fs::write(directory.join(&format!("flagstone-4-{user}")), "first").expect("a file");
    for _ in 0..2 {
        let mut recorder = recorder(directory.path(), &snapshot);
        recorder.begin(0);
        ask(&mut recorder, &snapshot, "on", Some(1));
        end(&mut recorder, Status::Http(200), 0, 10);
    }
    assert_eq!(on(directory.path(), "on"), (2, 0));
    assert_eq!(files(directory.path()).len(), 1, "both count in one file");
}

/// Root's PHP made its directory by its path, where the owner of the memory put a link in between: a file of root's became readable.
#[test]
fn nothing_is_made_where_others_could_put_links_in_its_place() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let user = std::fs::metadata(directory.path()).expect("it").uid();
    for (owner, mode, is_counted) in [
        (user, 0o755, true),
        (user, 0o1777, true),
        (user, 0o2755, true),
        (user, 0o777, false),
        (user, 0o2777, false),
        (user, 0o775, false),
        (64_001, 0o755, false),
        (64_001, 0o1777, false),
    ] {
        // The directory itself, and one that lies in it.
        let above = directory.join(&format!("{owner}-{mode:o}"));
        let below = above.join("below");
        for memory in [&above, &below] {
            std::fs::create_dir(memory).expect("a directory");
        }
        std::fs::set_permissions(&below, std::fs::Permissions::from_mode(0o1777)).expect("a mode");
        std::os::unix::fs::chown(&above, Some(owner), None).expect("two users need root: sudo make test");
        std::fs::set_permissions(&above, std::fs::Permissions::from_mode(mode)).expect("a mode");
        for memory in [&below, &above] {
            let opened = Recorder::open(memory, Path::new(STORE), &snapshot, NOON);
            let said = opened.map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(said.is_empty(), is_counted, "{}: {said}", memory.display());
            assert_eq!(files(memory).len(), usize::from(is_counted), "{}", memory.display());
            let words = match (is_counted, owner == user) {
                (true, _) => String::new(),
                (_, true) => format!("{} is writable by others and not sticky (mode ", above.display()),
                (_, false) => format!("{} belongs to user 64001, expected root or user ", above.display()),
            };
            assert!(said.contains(&words), "{}: {said}", memory.display());
        }
    }
    let memory = directory.join(&format!("{user}-777"));
    std::fs::set_permissions(&memory, std::fs::Permissions::from_mode(0o1777)).expect("as it is told");
    drop(recorder(&memory, &snapshot));
    let link = directory.join("link");
    std::os::unix::fs::symlink(&memory, &link).expect("a link");
    drop(recorder(&link, &snapshot));
}

/// A directory that goes when this does.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn links_that_take_the_place_of_a_directory_lead_nowhere() {
    let (directory, snapshot) = (trusted_dir(), compiled(FLAGS));
    let user = std::fs::metadata(directory.path()).expect("it").uid();
    let secret = directory.join("secret");
    std::fs::write(&secret, "secret").expect("a file");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    for sticky in [0o755, 0o1777] {
        // In memory, where the race is won within a hundred rounds.
        let shared = Removed(format!("/dev/shm/flagstone-test-{}-{sticky:o}", std::process::id()).into());
        let memory = &shared.0;
        std::fs::create_dir(memory).expect("a directory");
        std::fs::set_permissions(memory, std::fs::Permissions::from_mode(sticky)).expect("a mode");
        let (own, link) = (memory.join(format!("flagstone-4-{user}")), memory.join("link"));
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                use rustix::fs::{CWD, RenameFlags, renameat_with};
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = std::os::unix::fs::symlink(&secret, &link);
                    if renameat_with(CWD, &link, CWD, &own, RenameFlags::EXCHANGE).is_ok() {
                        let _ = std::fs::remove_file(&own);
                        let _ = std::fs::remove_dir_all(&link);
                    }
                }
            });
            for _ in 0..2_000 {
                let _ = Recorder::open(memory, Path::new(STORE), &snapshot, NOON);
            }
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        assert_eq!(support::mode(&secret), 0o600, "{sticky:o}");
    }
    assert_eq!(std::fs::read_to_string(&secret).expect("it"), "secret");
}

#[test]
fn room_grows_with_what_is_asked() {
    let directory = trusted_dir();
    let flags = |count: usize| {
        let flags: Vec<String> =
            (0..count).map(|flag| format!("\"f{flag}\": {{\"enabled\": true}}")).collect();
        compiled(&format!("{{{}}}", flags.join(",")))
    };
    let snapshot = flags(2_000);
    let mut threads: Vec<Recorder> = (0..8).map(|_| recorder(directory.path(), &snapshot)).collect();
    let taken = || std::fs::metadata(file(directory.path())).expect("the file").blocks() * 512;
    let nothing = taken();
    assert!(nothing <= 128 * 1024, "{nothing} bytes where nobody asked");
    let mut ask_all = |range: std::ops::Range<usize>| {
        for recorder in &mut threads {
            recorder.begin(0);
            for flag in range.clone() {
                ask(recorder, &snapshot, &format!("f{flag}"), Some(1));
            }
            end(recorder, Status::Http(200), 0, 10);
        }
    };
    ask_all(0..900);
    let each = (taken() - nothing) as f64 / 900.0;
    assert!(each <= 11.0 * 1024.0, "{each} bytes a flag");
    let before = taken();
    ask_all(0..900);
    assert_eq!(taken(), before, "asked again");
}
