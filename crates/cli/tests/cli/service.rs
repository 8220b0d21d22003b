//! The daemon as a service: what it tells a service manager, the sockets that it takes from one, its log, and one turn of it for cron.

use crate::plans::planned;
use crate::shop::{Shop, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A daemon whose log is the file `log`.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Daemon {
    fn start(shop: &Shop, command: &mut Command) -> Daemon {
        let log = std::fs::File::create(shop.directory.join("log")).unwrap();
        Daemon(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_raw(self.0.id().cast_signed()).unwrap();
        rustix::process::kill_process(id, signal).unwrap();
    }
}

fn log(shop: &Shop) -> String {
    std::fs::read_to_string(shop.directory.join("log")).unwrap()
}

/// Reads states until one has that text.
#[track_caller]
fn state(socket: &UnixDatagram, text: &str) -> String {
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{text}: {error}"));
        let state = std::str::from_utf8(&bytes[..length]).unwrap();
        if state.contains(text) {
            return state.to_owned();
        }
    }
}

#[test]
fn a_service_manager_is_told_when_the_daemon_is_ready_lives_reloads_and_stops() {
    for is_abstract in [false, true] {
        let shop = Shop::published();
        let path = shop.directory.join("notify");
        let name = shop.directory.file_name().unwrap().to_str().unwrap();
        let (address, variable) = match is_abstract {
            true => (SocketAddr::from_abstract_name(name), format!("@{name}")),
            false => (SocketAddr::from_pathname(&path), path.to_str().unwrap().to_owned()),
        };
        let manager = UnixDatagram::bind_addr(&address.unwrap()).unwrap();
        manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut command = shop.command(["run", "--interval", "600", "--memory", "."]);
        command.env("NOTIFY_SOCKET", variable).env("WATCHDOG_USEC", "4000000");
        let mut daemon = Daemon::start(&shop, &mut command);
        assert_eq!(state(&manager, "READY"), "READY=1");
        assert!(state(&manager, "STATUS=").starts_with("STATUS=plans are moved every 600 seconds; requests"));
        for _ in 0..2 {
            assert_eq!(state(&manager, "WATCHDOG"), "WATCHDOG=1");
        }
        shop.write("store/config.json", r#"{"notify": {}}"#);
        daemon.signal(rustix::process::Signal::HUP);
        let reloading = state(&manager, "RELOADING");
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::parse::<u64>);
        assert!(since.is_some_and(|since| since.is_ok_and(|since| since > 0)), "{reloading}");
        assert_eq!(state(&manager, "READY"), "READY=1");
        assert!(log(&shop).contains("config.json is read again"), "{}", log(&shop));
        daemon.signal(rustix::process::Signal::TERM);
        assert_eq!(state(&manager, "STOPPING"), "STOPPING=1");
        assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    }
}

/// A hangup ended the daemon.
#[test]
fn a_broken_config_is_told_at_a_reload_and_ends_nothing() {
    let shop = Shop::published();
    let mut daemon = Daemon::start(&shop, &mut shop.command(["run", "--no-guard"]));
    until(|| log(&shop).contains("plans are moved"));
    shop.write("store/config.json", "{\n\"agent\": 1}");
    daemon.signal(rustix::process::Signal::HUP);
    until(|| log(&shop).contains("config.json:2:"));
    shop.write("store/config.json", "{}");
    daemon.signal(rustix::process::Signal::HUP);
    until(|| log(&shop).contains("config.json is read again"));
    assert!(daemon.0.try_wait().unwrap().is_none());
}

#[test]
fn a_socket_that_the_service_manager_made_is_served() {
    let shop = Shop::published();
    let path = shop.directory.join("shop.sock");
    // It starts the command at the first connection.
    let mut command = Command::new("systemd-socket-activate");
    command.arg("--listen").arg(&path).arg("--setenv=FLAGSTONE_STORE=store");
    command.args([env!("CARGO_BIN_EXE_flagstone"), "run", "--no-guard"]).current_dir(&shop.directory);
    let _daemon = Daemon::start(&shop, command.stdin(Stdio::null()));
    until(|| UnixStream::connect(&path).is_ok());
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /v1/token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("{\"token\":\"1-1\"}\n"), "{answer}");
    assert!(log(&shop).contains(&format!("requests are taken at {}", path.display())), "{}", log(&shop));
    assert!(!shop.directory.join("store/agent.sock").exists());
}

#[test]
fn something_else_than_a_listening_socket_is_not_taken_for_one() {
    let shop = Shop::published();
    let line = "exec 3<\"$0\"; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", line, "flags.json", env!("CARGO_BIN_EXE_flagstone"), "run", "--store", "store"]);
    let ended = command.current_dir(&shop.directory).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("something else than a Unix socket that listens"), "{told}");
}

#[test]
fn the_log_has_times_and_levels_in_the_format_that_is_read() {
    let shop = Shop::published();
    shop.write("store/config.json", "{");
    let lines = |format: &str, is_journal: bool| {
        let log = std::fs::File::create(shop.directory.join("log")).unwrap();
        let found = log.metadata().unwrap();
        let inode = if is_journal { found.ino() } else { 1 };
        let mut command = shop.command(["run", "--no-guard", "--log-format", format]);
        command.env("JOURNAL_STREAM", format!("{}:{inode}", found.dev()));
        let _daemon = Daemon(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        until(|| self::log(&shop).contains("notify: "));
        self::log(&shop)
    };
    let text = lines("text", false);
    assert!(text.starts_with("20") && text.contains("Z info store on "), "{text}");
    assert!(text.contains("Z warning notify: "), "{text}");
    let journal = lines("text", true);
    assert!(journal.contains("<6>store on ") && journal.contains("\n<4>notify: "), "{journal}");
    let documents = lines("json", true);
    let documents: Vec<Value> = documents
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    for (level, text) in [("info", "store on "), ("warning", "notify: ")] {
        let is_it = |line: &Value| line["level"] == level && line["text"].as_str().unwrap().starts_with(text);
        assert!(documents.iter().any(is_it), "{documents:?}");
    }
}

#[test]
fn one_turn_moves_plans_looks_sends_and_says_whether_all_could_be_done() {
    let shop = planned();
    shop.run(["plan", "start", "quick"]).exits(0);
    // Each stage soaks for a second.
    let once = || shop.run(["run", "--once", "--no-guard"]).exits(0).out;
    until(|| once().contains("quick: stage 2 of 3, 60 %"));
    until(|| once().contains("quick: done"));
    // No worker counts here.
    let ran = shop.run(["run", "--once", "--memory", "."]).exits(2);
    assert!(ran.err.contains("nothing is watched"), "{}", ran.err);
    let config = json!({ "notify": { "ops": { "url": "http://127.0.0.1:9/", "format": "slack" } } });
    shop.write("store/config.json", config.to_string());
    shop.run(["run", "--once", "--no-guard"]).exits(0);
    shop.run(["note", "deployed"]).exits(0);
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    let ran = shop.run(["run", "--once", "--no-guard"]).exits(1);
    assert!(ran.out.contains("ops: 0 sent; "), "{}", ran.out);
    shop.write("store/config.json", "{");
    let ran = shop.run(["run", "--once", "--no-guard"]).exits(2);
    assert!(ran.err.contains("notify: ") && ran.err.contains("config.json:1:"), "{}", ran.err);
}
