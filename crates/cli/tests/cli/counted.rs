//! Commands that read what workers counted. What a worker would count is counted here, by the same code.

use crate::shop::Shop;
use flagstone::store::{Reader, ReaderOptions};
use flagstone::telemetry::{AnsweredQuestion, Ending, Recorder, Status};
use flagstone::{Key, Reason, Snapshot};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A worker of the shop's store, with memory beside it.
struct Worker {
    recorder: Recorder,
    snapshot: Arc<Snapshot>,
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

fn memory(shop: &Shop) -> PathBuf {
    let memory = shop.directory.join("memory");
    std::fs::create_dir_all(&memory).unwrap();
    memory
}

impl Worker {
    fn of(shop: &Shop) -> Worker {
        let store = shop.directory.join("store").canonicalize().unwrap();
        let reader = Reader::open(&store, ReaderOptions::default()).unwrap();
        let snapshot = reader.view().snapshot.clone().unwrap();
        let recorder = Recorder::open(&memory(shop), &store, &snapshot, now()).unwrap();
        recorder.serves(reader.view().generation, now());
        Worker { recorder, snapshot }
    }

    fn request(&mut self, flag: &str, on: bool, company: i64, status: Status, micros: u64) {
        self.recorder.begin(0);
        let reason = if on { Reason::RolloutIn } else { Reason::RolloutOut };
        let flag = self.snapshot.find(flag.as_bytes()).unwrap();
        let asked = AnsweredQuestion { flag, on, reason, company: Some(Key::Int(company)), bucket: None };
        self.recorder.answered(&self.snapshot, &asked, true);
        self.recorder.end(&Ending { status, clock: micros * 1000, now: now() });
    }
}

#[test]
fn init_asks_where_workers_count_for_a_store_that_is_gone() {
    let shop = Shop::published();
    let worker = Worker::of(&shop);
    std::fs::rename(shop.directory.join("store"), shop.directory.join("moved")).unwrap();
    let ran = shop.run(["kill", "search", "--reason", "x"]).exits(2);
    assert!(ran.err.contains("if there was a store, put it back first"), "{}", ran.err);
    let init = ["init", "store", "--environment", "production", "--memory", "memory"];
    let ran = shop.run(init).exits(1);
    assert!(ran.err.contains("1 worker counts for a store at store, so there was one"), "{}", ran.err);
    assert!(ran.err.contains("--yes") && !shop.directory.join("store").exists(), "{}", ran.err);
    let [init, store, environment, production, option, memory] = init;
    shop.run([init, store, environment, production, option, memory, "--yes"]).exits(0);
    std::fs::remove_dir_all(shop.directory.join("store")).unwrap();
    drop(worker);
    shop.run([init, store, environment, production, option, memory]).exits(0);
}

/// Those of Prometheus's format before OpenMetrics.
const KINDS: [&str; 5] = ["counter", "gauge", "histogram", "summary", "untyped"];

/// What the parser of Prometheus's own Python client makes of the text: each sample as `name{label=value,…} value`.
fn parsed(text: &str) -> Vec<String> {
    // One line of another kind, or a quote that is escaped in a help text, and node_exporter takes nothing of the file.
    for line in text.lines() {
        let kind = line.strip_prefix("# TYPE ").and_then(|line| line.split(' ').nth(1));
        assert!(kind.is_none_or(|kind| KINDS.contains(&kind)), "{line}");
        assert!(!line.starts_with("# HELP ") || !line.contains("\\\""), "{line}");
    }
    let program = "
import sys
from prometheus_client.openmetrics.parser import text_fd_to_metric_families
for family in text_fd_to_metric_families(sys.stdin):
    assert family.documentation, family.name
    for sample in family.samples:
        labels = ','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))
        print(f'{sample.name}{{{labels}}} {float(sample.value):g}')
";
    let mut parser = Command::new("/usr/bin/python3")
        .args(["-c", program])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3, of Debian: scripts/setup");
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let parsed = parser.wait_with_output().unwrap();
    assert!(parsed.status.success(), "{}\n{text}", String::from_utf8_lossy(&parsed.stderr));
    String::from_utf8(parsed.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn metrics_are_open_metrics_text_that_another_parser_reads() {
    let shop = Shop::published();
    let mut worker = Worker::of(&shop);
    for company in 0..20 {
        worker.request("search", true, company, Status::Http(200), 1_000);
        worker.request("search", false, company, Status::Http(503), 600_000);
    }
    worker.recorder.unknown();
    let ran = shop.run(["metrics", "--memory", "memory"]).exits(0);
    assert!(ran.out.ends_with("\n# EOF\n"));
    let samples = parsed(&ran.out);
    let histogram = "flagstone_request_duration_seconds";
    for expected in [
        "flagstone_store_info{environment=production,source=current,version=0.1.0} 1".to_owned(),
        "flagstone_generation{} 1".to_owned(),
        "flagstone_degraded{} 0".to_owned(),
        "flagstone_workers{} 1".to_owned(),
        "flagstone_workers_behind{} 0".to_owned(),
        "flagstone_unknown_flag_questions_total{} 1".to_owned(),
        "flagstone_answers_total{answer=on,flag=search,reason=rollout_in} 20".to_owned(),
        "flagstone_answers_total{answer=off,flag=search,reason=rollout_out} 20".to_owned(),
        "flagstone_companies{flag=search} 20".to_owned(),
        "flagstone_requests_total{cohort=on,flag=search,status=2xx} 20".to_owned(),
        "flagstone_requests_total{cohort=off,flag=search,status=5xx} 20".to_owned(),
        "flagstone_gated_requests_total{flag=search} 0".to_owned(),
        format!("{histogram}_bucket{{cohort=on,flag=search,le=0.000512}} 0"),
        format!("{histogram}_bucket{{cohort=on,flag=search,le=0.001024}} 20"),
        format!("{histogram}_bucket{{cohort=off,flag=search,le=0.524288}} 0"),
        format!("{histogram}_bucket{{cohort=off,flag=search,le=1.048576}} 20"),
        format!("{histogram}_bucket{{cohort=off,flag=search,le=+Inf}} 20"),
        format!("{histogram}_sum{{cohort=off,flag=search}} 12"),
        format!("{histogram}_count{{cohort=off,flag=search}} 20"),
    ] {
        assert!(samples.contains(&expected), "{expected} is not in {samples:#?}");
    }
}

#[test]
fn metrics_tell_what_answers_where_the_newest_definitions_are_damaged() {
    let shop = Shop::published();
    shop.republish("\"old\": false", "\"old\": true");
    let snapshots = std::fs::read_dir(shop.directory.join("store/snapshots")).unwrap();
    let newest = snapshots.map(|entry| entry.unwrap().path()).max().unwrap();
    let length = std::fs::metadata(&newest).unwrap().len();
    std::fs::remove_file(&newest).unwrap();
    std::fs::write(&newest, vec![b'"'; length as usize]).unwrap();
    memory(&shop);
    let samples = parsed(&shop.run(["metrics", "--memory", "memory"]).exits(0).out);
    for expected in ["flagstone_generation{} 1", "flagstone_head_generation{} 2", "flagstone_degraded{} 1"] {
        assert!(samples.iter().any(|sample| sample == expected), "{expected} is not in {samples:#?}");
    }
    let error = samples.iter().find(|sample| sample.starts_with("flagstone_last_error_info{error="));
    assert!(error.is_some(), "{samples:#?}");
    let health = shop.run(["health", "--memory", "memory", "--json"]).exits(0).json();
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["flagstone"]["source_state"], "previous");
    assert!(health["flagstone"]["last_error"].is_string());
}

/// Of more than four directories of one user, readers took any four and said nothing of the others.
#[test]
fn health_lists_counters_that_are_not_read() {
    let shop = Shop::published();
    let memory = memory(&shop);
    let worker = Worker::of(&shop);
    let made = worker.recorder.path().to_owned();
    let user = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&made).unwrap());
    for number in 1..=5 {
        let further = memory.join(format!("flagstone-4-{user}-000{number}"));
        std::fs::create_dir(&further).unwrap();
        std::fs::copy(&made, further.join(made.file_name().unwrap())).unwrap();
    }
    let health = shop.run(["health", "--memory", "memory", "--json"]).exits(0);
    assert!(health.err.contains("directories of user"), "{}", health.err);
    let left_out = health.json()["flagstone"]["telemetry_left_out"].clone();
    let reason = left_out[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("2 directories of user {user} that hold counters")), "{left_out}");
    assert_eq!(left_out.as_array().map(Vec::len), Some(1), "{left_out}");
}

#[test]
fn health_fails_only_where_no_flag_is_answered() {
    let shop = Shop::published();
    memory(&shop);
    let health = shop.run(["health", "--memory", "memory", "--json"]).exits(0).json();
    assert_eq!((&health["status"], &health["environment"]), (&"ok".into(), &"production".into()));
    assert_eq!(health["flagstone"]["generation"], 1);
    assert!(health["flagstone"]["age"].as_f64().is_some_and(|age| (0.0..600.0).contains(&age)));
    let uncounted = shop.run(["health", "--memory", "none", "--json"]).exits(0).json();
    assert_eq!(uncounted["status"], "ok", "flags answer where nothing is counted");
    assert!(uncounted["flagstone"]["telemetry_error"].is_string());
    let empty = Shop::empty();
    empty.run(["init", "store", "--environment", "production"]).exits(0);
    assert_eq!(empty.run(["health", "--json"]).exits(1).json()["status"], "failing");
    let none = Shop::empty().run(["health", "--json"]).exits(1).json();
    assert_eq!((&none["status"], &none["flagstone"]["source_state"]), (&"failing".into(), &"none".into()));
    assert!(none["flagstone"]["last_error"].is_string());
}

#[test]
fn a_worker_is_behind_once_it_answered_from_another_generation_long_after_a_publish() {
    let shop = Shop::published();
    let worker = Worker::of(&shop);
    let behind = |health: serde_json::Value| {
        let told = &health["flagstone"];
        (told["workers"].as_u64().unwrap(), told["workers_behind"].as_u64().unwrap())
    };
    let health = || shop.run(["health", "--memory", "memory", "--json"]).exits(0).json();
    assert_eq!(behind(health()), (1, 0));
    shop.republish("\"old\": false", "\"old\": true");
    worker.recorder.serves(1, now() + 5_000_000);
    assert_eq!(behind(health()), (1, 0), "it has 10 seconds");
    worker.recorder.serves(1, now() + 20_000_000);
    assert_eq!(behind(health()), (1, 1));
    assert_eq!(health()["status"], "degraded");
    worker.recorder.serves(2, now() + 20_000_000);
    assert_eq!(behind(health()), (1, 0));
    drop(worker);
    assert_eq!(behind(health()), (0, 0), "who is gone is not counted");
}

// The command compared workers with what it fell back to itself: with the newest snapshot gone, those that still answered from it
// counted as behind, and those that had fallen back did not.
#[test]
fn workers_are_compared_with_the_generation_that_the_head_names() {
    let shop = Shop::published();
    shop.republish("\"old\": false", "\"old\": true");
    let worker = Worker::of(&shop);
    for entry in std::fs::read_dir(shop.directory.join("store/snapshots")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().contains("0002-") {
            std::fs::remove_file(path).unwrap();
        }
    }
    for (generation, behind) in [(2, 0), (1, 1)] {
        worker.recorder.serves(generation, now() + 20_000_000);
        let told = shop.run(["health", "--json", "--memory", "memory"]).exits(0).json()["flagstone"].clone();
        assert_eq!((&told["generation"], &told["head_generation"]), (&1.into(), &2.into()), "{told}");
        assert_eq!(told["workers_behind"], behind, "{told}");
        let metrics = shop.run(["metrics", "--memory", "memory"]).exits(0).out;
        assert!(metrics.contains(&format!("\nflagstone_workers_behind {behind}\n")), "{metrics}");
    }
}

// Every worker that was not asked since a restore was said to be behind.
#[test]
fn a_worker_that_nobody_asked_since_a_restore_is_not_behind() {
    let shop = Shop::published();
    let worker = Worker::of(&shop);
    shop.republish("\"old\": false", "\"old\": true");
    worker.recorder.serves(1, now() + 11_000_000);
    let behind = || {
        let told = shop.run(["health", "--memory", "memory", "--json"]).exits(0).json();
        told["flagstone"]["workers_behind"].as_u64().unwrap()
    };
    assert_eq!(behind(), 1);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let head = shop.directory.join("store/head");
    std::fs::copy(&head, shop.directory.join("store/restored")).unwrap();
    std::fs::rename(shop.directory.join("store/restored"), &head).unwrap();
    assert_eq!(behind(), 0);
}

/// Runs `stats --watch` on a terminal of its own, resizes it, ends it with `end` (a key, or a signal's name), and prints what was
/// drawn on the first screen, whether the terminal is as it was, and the exit code.
const ON_A_TERMINAL: &str = r#"
import fcntl, os, pty, re, select, signal, struct, sys, termios, time
end, command = sys.argv[1], sys.argv[2:]
size = lambda rows, columns: struct.pack('HHHH', rows, columns, 0, 0)
ours, theirs = pty.openpty()
fcntl.ioctl(ours, termios.TIOCSWINSZ, size(24, 80))
before = termios.tcgetattr(theirs)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    for fd in range(3): os.dup2(theirs, fd)
    os.execv(command[0], command)
drawn = b''
def until(text, seconds=20):
    global drawn
    limit = time.time() + seconds
    while text not in drawn:
        assert time.time() < limit, drawn
        if select.select([ours], [], [], 0.1)[0]: drawn += os.read(ours, 65536)
until(b'\x1b[J')
first, drawn = drawn, b''
fcntl.ioctl(ours, termios.TIOCSWINSZ, size(6, 40))
until(b'\x1b[J', 3)
plain = lambda text: re.sub(r'\x1b\[[?0-9;]*[A-Za-z]', '', text.decode()).replace('\r', '')
small = plain(drawn.split(b'\x1b[J')[0]).split('\n')
assert len(small) <= 6 and max(map(len, small)) <= 40, small
drawn = b''
if len(end) == 1: os.write(ours, end.encode())
else: os.kill(child, getattr(signal, end))
until(b'\x1b[?1049l')
_, status = os.waitpid(child, 0)
lines = plain(first).split('\n')
assert len(lines) <= 24 and max(map(len, lines)) <= 80, lines
print('\n'.join(lines))
print('as it was' if termios.tcgetattr(theirs) == before else 'not as it was', os.waitstatus_to_exitcode(status))
"#;

#[test]
fn watching_draws_within_the_terminal_and_gives_it_back_as_it_was() {
    let shop = Shop::published();
    let mut worker = Worker::of(&shop);
    for company in 0..10 {
        worker.request("search", company < 5, company, Status::Http(200), 1_000);
    }
    worker.request("billing_v2", true, 1, Status::Http(200), 1_000);
    for end in ["q", "\u{3}", "SIGTERM"] {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", ON_A_TERMINAL, end, env!("CARGO_BIN_EXE_flagstone"), "stats", "--watch"]);
        command.args(["--memory", "memory", "--store", "store"]).current_dir(&shop.directory);
        let ran = crate::shop::ran(command.env("TERM", "xterm").output().unwrap()).exits(0);
        let lines: Vec<&str> = ran.out.lines().collect();
        assert!(lines[0].starts_with("production generation 1 published "), "{}", ran.out);
        assert!(lines[0].ends_with("2 flags asked, 1 worker"), "{}", ran.out);
        let at = |flag: &str| lines.iter().position(|line| line.starts_with(flag)).expect(flag);
        assert!(at("FLAG") < at("search") && at("search") < at("billing_v2"), "{}", ran.out);
        assert_eq!(lines.last(), Some(&"as it was 0"), "{end:?}");
    }
}

// Whoever started a daemon with the signals blocked could end it by SIGKILL alone.
#[test]
fn daemons_end_by_signals_that_were_blocked_when_they_began() {
    const BLOCKED: &str = r#"
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
os.execv(sys.argv[1], sys.argv[1:])
"#;
    let shop = Shop::published();
    std::fs::create_dir(shop.directory.join("memory")).unwrap();
    for name in ["run", "guard"] {
        for signal in [libc::SIGTERM, libc::SIGINT] {
            let mut command = Command::new("/usr/bin/python3");
            command.args(["-c", BLOCKED, env!("CARGO_BIN_EXE_flagstone"), name, "--memory", "memory"]);
            command.current_dir(&shop.directory).env_clear().env("FLAGSTONE_STORE", "store");
            let (lines, into) = std::io::pipe().unwrap();
            command.stdout(into.try_clone().unwrap()).stderr(into);
            let mut daemon = command.spawn().unwrap();
            drop(command);
            let (mut first, mut lines) = (String::new(), BufReader::new(lines));
            lines.read_line(&mut first).unwrap();
            let sent = Command::new("kill").args([&format!("-{signal}"), &daemon.id().to_string()]).status();
            assert!(sent.unwrap().success());
            let until = Instant::now() + Duration::from_secs(60);
            let ended = loop {
                if let Some(status) = daemon.try_wait().unwrap() {
                    break Some(status);
                }
                if Instant::now() >= until {
                    daemon.kill().unwrap();
                    daemon.wait().unwrap();
                    break None;
                }
                std::thread::sleep(Duration::from_millis(20));
            };
            assert_eq!(ended.and_then(|status| status.code()), Some(0), "{name}, signal {signal}: {first}");
        }
    }
}

#[test]
fn watching_without_a_terminal_is_refused() {
    let shop = Shop::published();
    let refused = shop.run(["stats", "--watch"]).exits(2);
    assert!(refused.err.contains("prints once"), "{}", refused.err);
}

#[test]
fn stats_draw_as_many_hours_as_they_are_told() {
    let shop = Shop::published();
    let mut worker = Worker::of(&shop);
    worker.request("search", true, 1, Status::Http(200), 1_000);
    for hours in ["1", "24"] {
        let told = shop.run(["stats", "--hours", hours, "--memory", "memory"]).exits(0);
        assert!(told.out.contains('█'), "{}", told.out);
    }
    for hours in ["0", "25", "x"] {
        shop.run(["stats", "--hours", hours, "--memory", "memory"]).exits(2);
    }
}

/// Requests that asked `customer_portal`, were shown one of its variants, and ordered or not.
fn orders(worker: &mut Worker, variant: &str, requests: i64, one_in: i64) {
    let flag = worker.snapshot.find(b"customer_portal").unwrap();
    for request in 0..requests {
        worker.recorder.begin(0);
        let asked = AnsweredQuestion {
            flag,
            on: true,
            reason: Reason::RolloutIn,
            company: Some(Key::Int(request % 211)),
            bucket: None,
        };
        worker.recorder.answered(&worker.snapshot, &asked, true);
        worker.recorder.shows(&worker.snapshot, flag, variant);
        if request % one_in == 0 {
            // Twice in a request is one order, of both values.
            worker.recorder.track(b"order", 10.0);
            worker.recorder.track(b"order", 5.0);
        }
        worker.recorder.end(&Ending { status: Status::Http(200), clock: 1_000, now: now() });
    }
}

#[test]
fn an_experiment_tells_since_when_it_counts() {
    let shop = Shop::published();
    let ask = ["experiment", "customer_portal", "--memory", "memory", "--json"];
    let mut worker = Worker::of(&shop);
    orders(&mut worker, "classic", 30, 3);
    let before = shop.run(ask).exits(0).json();
    assert_eq!(before["events"][0]["arms"][0]["requests"], 30);
    // As logind's RemoveIPC, a reboot or a new container does.
    for directory in std::fs::read_dir(shop.directory.join("memory")).unwrap() {
        std::fs::remove_dir_all(directory.unwrap().path()).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let mut worker = Worker::of(&shop);
    orders(&mut worker, "classic", 10, 3);
    let after = shop.run(ask).exits(0).json();
    assert_eq!(after["events"][0]["arms"][0]["requests"], 10, "the rest is lost");
    assert!(after["since"].as_str() > before["since"].as_str(), "{after}, and before {before}");
}

#[test]
fn an_experiment_tells_what_each_variant_came_to_and_who_is_ahead() {
    let shop = Shop::published();
    let mut worker = Worker::of(&shop);
    let told = |arguments: [&str; 4]| shop.run(arguments);
    let ask = ["experiment", "customer_portal", "--memory", "memory"];
    assert!(told(ask).exits(0).out.contains("no event was tracked"));
    orders(&mut worker, "classic", 3_000, 10);
    orders(&mut worker, "compact", 3_000, 9);
    let even = told(ask).exits(0).out;
    assert!(even.contains("no winner yet") && even.contains("\ncounted since 20"), "{even}");
    orders(&mut worker, "classic", 3_000, 40);
    orders(&mut worker, "compact", 3_000, 3);
    let decided = told(ask).exits(0).out;
    assert!(decided.contains("variant compact is ahead"), "{decided}");
    assert!(decided.lines().any(|line| line.starts_with("variant classic  6,000     375")), "{decided}");

    let mut command = shop.command(["experiment", "customer_portal", "--event", "order", "--json"]);
    let json = crate::shop::ran(command.args(["--memory", "memory"]).output().unwrap()).exits(0).json();
    let event = &json["events"][0];
    assert_eq!(event["winner"], serde_json::json!({"arm": "variant", "variant": "compact"}));
    assert_eq!(event["arms"][1]["requests"], 6_000);
    assert_eq!(event["arms"][1]["converted"], 334 + 1_000);
    assert_eq!(event["arms"][1]["sum"], 15.0 * 1_334.0);
    let rate = |end: &str| event["arms"][1]["rate"][end].as_f64().unwrap();
    assert!(rate("low") < rate("mean") && rate("mean") < rate("high"), "{event}");
    let value = event["arms"][1]["value"]["mean"].as_f64().unwrap();
    assert!((value - 15.0 * 1_334.0 / 6_000.0).abs() < 1e-9, "{value}");

    let mut command = shop.command(["experiment", "customer_portal", "--event", "orders"]);
    let unknown = crate::shop::ran(command.args(["--memory", "memory"]).output().unwrap()).exits(2);
    assert!(unknown.err.contains("those that were: order"), "{}", unknown.err);
    let stats = shop.run(["stats", "customer_portal", "--memory", "memory", "--json"]).exits(0).json();
    assert_eq!(stats["flags"][0]["cohorts"]["on"]["requests"], 12_000);
}

#[test]
fn the_owner_of_a_store_says_whose_counters_are_believed() {
    assert!(rustix::process::geteuid().is_root(), "only root may give files away: run the tests as root");
    let shop = Shop::published();
    let mut worker = Worker::of(&shop);
    worker.request("customer_portal", true, 42, Status::Http(200), 10);
    let file = worker.recorder.path().to_owned();
    drop(worker);
    let give = |user: u32| {
        for path in [file.as_path(), &file.with_extension("claims"), file.parent().unwrap()] {
            std::os::unix::fs::chown(path, Some(user), Some(user)).unwrap();
        }
    };
    let told = || shop.run(["stats", "--memory", "memory", "--json"]).exits(0);
    let counted = || told().json()["flags"].as_array().unwrap().len() == 1;
    // The system's own users are believed, as whom web servers run; a pool's user above 1000 is named by the owner.
    give(33);
    assert!(counted());
    give(1500);
    assert!(!counted());
    let err = told().err;
    let typed = "flagstone config telemetry.users '[\"1500\"]'";
    assert!(
        err.contains("user 1500 (1500) is not one whose counters are believed") && err.contains(typed),
        "{err}"
    );
    shop.run(["config", "telemetry.users", r#"["1500"]"#]).exits(0);
    assert!(counted());
    // Then nobody else is, but root and the owner.
    give(33);
    assert!(!counted());
    shop.run(["config", "telemetry.users", r#"[1500, "www-data-of-nowhere"]"#]).exits(0);
    assert!(told().err.contains("whom this machine does not know"), "{}", told().err);
    give(0);
    assert!(counted());
    shop.run(["config", "telemetry.users", r#"{"a": 1}"#]).exits(1);
    // A user that no machine has was taken, and nobody's counters were believed then.
    let before = std::fs::read(shop.directory.join("store/config.json")).unwrap();
    for nobody in [
        "-1",
        "\"-1\"",
        "\"#33\"",
        "\"\"",
        "\" \"",
        "\"www-data,app\"",
        "\"app:x\"",
        "4294967295",
        "\"4294967295\"",
        "1.5",
    ] {
        let err = shop.run(["config", "telemetry.users", &format!("[{nobody}]")]).exits(1).err;
        assert!(err.contains("expected a"), "{nobody}: {err}");
        assert_eq!(std::fs::read(shop.directory.join("store/config.json")).unwrap(), before, "{nobody}");
    }
    shop.run(["config", "telemetry.users", r#"["ACME\\first.last", "app@acme", "_apt"]"#]).exits(0);
    shop.run(["config", "telemetry.user", "[]"]).exits(1);
    shop.run(["config", "telemetry.users", "--unset"]).exits(0);
    give(33);
    assert!(counted());
}
