//! `kill` and `stop-all` where something is in the way: they work, or their last line says that nothing was stopped.

use crate::shop::{FLAGS, Shop, full_pipe, ran, until};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::io::BufRead;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A file system mounted read-only, until dropped.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn mount(shop: &Shop) -> ReadOnly {
        let path = shop.directory.join("store").canonicalize().unwrap();
        for arguments in [["--bind", path.to_str().unwrap()], ["-o", "remount,bind,ro"]] {
            let mounted = Command::new("mount").args(arguments).arg(&path).status();
            assert!(mounted.is_ok_and(|status| status.success()), "only root can mount: sudo make test");
        }
        ReadOnly(path)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A file system of 1 MiB in memory, until dropped.
struct Small(PathBuf);

impl Small {
    fn mount(shop: &Shop) -> Small {
        let path = shop.directory.join("small");
        std::fs::create_dir(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=755", "none"]).arg(&path).status();
        assert!(mounted.is_ok_and(|status| status.success()), "only root can mount: sudo make test");
        Small(path)
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let filler = std::fs::File::create(self.0.join("filler")).unwrap();
        let written = (0..).try_for_each(|page| filler.write_all_at(&[1; 4096], page * 4096));
        assert_eq!(written.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Types it; it fails and says that nothing was changed, once.
#[track_caller]
fn fails(shop: &Shop, typed: &[&str]) {
    let ran = ran(shop.command([]).args(typed).output().unwrap());
    assert_ne!(ran.code, 0, "{typed:?}: {}", ran.out);
    let said = ["nothing was changed", "NOTHING WAS STOPPED"].map(|text| ran.err.matches(text).count());
    assert!(said == [1, 0] || said[1] == 1, "{typed:?}: {}", ran.err);
}

// `publish` said "cannot open the lock", and nothing of what that meant for the flags.
#[test]
fn a_change_that_fails_at_its_lock_says_that_nothing_was_changed() {
    let shop = Shop::published();
    let lock = |name: &str| shop.directory.join("store").join(name);
    std::fs::remove_file(lock("lock")).unwrap();
    std::fs::create_dir(lock("lock")).unwrap();
    fails(&shop, &["publish", "flags.json"]);
    for typed in [
        &["enable", "old", "--yes"][..],
        &["rollout", "search", "5"],
        &["allow", "search", "15"],
        &["rollback"],
        &["config", "confirm_above", "0.5"],
        &["key", "make"],
    ] {
        fails(&shop, typed);
    }
    // disable did not say so as kill does.
    let disabled = shop.run(["disable", "search", "--yes"]);
    assert!(disabled.err.ends_with("NOTHING WAS STOPPED: search answers as before\n"), "{}", disabled.err);
    let _mounted = ReadOnly::mount(&shop);
    for typed in [
        &["publish", "flags.json"][..],
        &["enable", "old", "--yes"],
        &["kill", "search", "--reason", "slow"],
        &["stop-all", "--yes", "--reason", "fire"],
        &["revive", "search"],
        &["resume-all"],
    ] {
        fails(&shop, typed);
    }
}

/// Takes a lease on each file, as an NFS server does whose clients read it, and gives it back a fifth of a second after somebody wants it.
const LEASES: &str = "
import fcntl, os, signal, sys, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
files = [os.open(name, os.O_RDONLY) for name in sys.argv[1:]]
for file in files: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print('held', flush=True)
while True:
    signal.sigwait([signal.SIGIO])
    time.sleep(0.2)
    for file in files: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
";

// kill failed at once with "Resource temporarily unavailable".
#[test]
fn a_change_waits_for_whoever_has_a_lease_on_a_file_of_the_store() {
    let shop = Shop::published();
    let store = shop.directory.join("store");
    for typed in [
        &["kill", "search", "--reason", "slow"][..],
        &["stop-all", "--yes", "--reason", "fire"],
        &["resume-all"],
        &["revive", "search"],
        &["enable", "old", "--yes"],
    ] {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", LEASES]);
        command.args(["head", "audit.jsonl", "lock", "head.lock"].map(|name| store.join(name)));
        let mut holder = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ran = ran(shop.command([]).args(typed).output().unwrap());
        holder.kill().and_then(|()| holder.wait()).unwrap();
        assert_eq!((line.as_str(), ran.err.as_str()), ("held\n", ""), "{typed:?}");
        ran.exits(0);
    }
    shop.run(["ask", "old"]).exits(0);
}

#[test]
fn a_restored_head_with_holes_takes_its_room_at_the_next_look_of_doctor_and_else_says_what_is_missing() {
    // Nothing could be stopped on a full disk after a restore by cp --sparse, rsync -S, tar -S or a reflink, and doctor had said ok.
    let restored = |shop: &Shop| {
        let small = Small::mount(shop);
        let copied = Command::new("cp")
            .args(["-a", "--sparse=always"])
            .args([shop.directory.join("store"), small.0.join("store")])
            .status();
        assert!(copied.is_ok_and(|status| status.success()));
        let store = small.0.join("store").to_str().unwrap().to_owned();
        (small, store)
    };
    let shop = Shop::published();
    let (small, store) = restored(&shop);
    let doctor = shop.run(["doctor", "--store", &store]).out;
    assert!(doctor.contains("kill and stop-all can change the head"), "{doctor}");
    small.fill();
    shop.run(["kill", "search", "--reason", "burning", "--store", &store]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "burning", "--store", &store]).exits(0);
    // It was ok.
    let health = shop.run(["health", "--store", &store]).exits(0).out;
    assert!(health.starts_with("degraded: ") && health.contains("is full"), "{health}");

    let shop = Shop::published();
    let (small, store) = restored(&shop);
    small.fill();
    let doctor = shop.run(["doctor", "--store", &store]).exits(1).out;
    assert!(doctor.contains("kill and stop-all would stop nothing"), "{doctor}");
    let status = shop.run(["status", "--store", &store]).exits(1);
    assert!(status.out.contains("its file system has no room"), "{}", status.out);
    let killed = shop.run(["kill", "search", "--reason", "burning", "--store", &store]).exits(2);
    assert!(
        killed.err.contains("Make room there") && killed.err.contains("NOTHING WAS STOPPED"),
        "{}",
        killed.err
    );
}

#[test]
fn a_read_only_store_says_beforehand_and_at_the_end_that_nothing_is_stopped() {
    let shop = Shop::published();
    assert!(!shop.run(["status"]).exits(0).out.contains("read-only"));
    let mounted = ReadOnly::mount(&shop);
    let health = shop.run(["health"]).exits(0).out;
    assert!(health.starts_with("degraded: ") && health.contains("stop-all would stop nothing"), "{health}");
    let health = shop.run(["health", "--json"]).exits(0).json();
    assert_eq!(
        (&health["flagstone"]["read_only"], &health["flagstone"]["writable"]),
        (&true.into(), &false.into())
    );
    assert!(shop.run(["metrics"]).exits(0).out.contains("\nflagstone_store_writable 0\n"));
    assert!(shop.run(["status"]).exits(0).out.contains("kill and stop-all would stop nothing"));
    let doctor = shop.run(["doctor"]).exits(1).out;
    assert!(doctor.contains("kill and stop-all would stop nothing"), "{doctor}");
    for (typed, unchanged) in [
        (["kill", "search", "--reason", "burning"], "search answers as before"),
        (["stop-all", "--yes", "--reason", "burning"], "every flag answers as before"),
    ] {
        let ran = shop.run(typed).exits(2);
        assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
        let last = ran.err.lines().last().unwrap();
        assert_eq!(last, format!("NOTHING WAS STOPPED: {unchanged}"));
        assert!(!ran.out.contains("until now") && !ran.out.contains("stopped everything"), "{}", ran.out);
        let json = shop.run([typed[0], typed[1], typed[2], typed[3], "--json"]).exits(2).json();
        assert!(json["error"].as_str().unwrap().contains("NOTHING WAS STOPPED"), "{json}");
    }
    drop(mounted);
    shop.run(["kill", "search", "--reason", "burning"]).exits(0);
}

#[test]
fn an_emergency_that_is_typed_wrongly_says_at_the_end_that_nothing_is_stopped() {
    // Clap's text ends with a usage and a tip, which reads like help at 3 a.m.
    let shop = Shop::published();
    let typed: [&[&[u8]]; 9] = [
        &[b"kill", b"search"],
        &[b"kill", b"s\xfcarch", b"--reason", b"slow"],
        &[b"--store", b"store", b"kill", b"search", b"--reson", b"x"],
        &[b"stop-all", b"--yes"],
        &[b"stop-all", b"--reason", b""],
        // Commands that there are not.
        &[b"kil", b"search"],
        &[b"KILL", b"search"],
        &[b"stopall"],
        &[b"--store", b"store", b"stop-al"],
    ];
    for words in typed {
        let run = |end: &[&str]| {
            let words = words.iter().copied().map(OsStr::from_bytes);
            ran(shop.command([]).args(words).args(end).output().unwrap()).exits(2)
        };
        let last = "NOTHING WAS STOPPED: the command was not understood";
        let err = run(&[]).err;
        assert_eq!(err.lines().last().unwrap(), last, "{err}");
        let json = run(&["--json"]).json();
        assert!(json["error"].as_str().unwrap().ends_with(last), "{json}");
    }
    assert!(!shop.run(["kill", "--help"]).exits(0).out.contains("NOTHING"));
    for other in ["revive", "lits", "statu"] {
        assert!(!shop.run([other]).exits(2).err.contains("NOTHING"), "{other}");
    }
}

// A kill was refused for a reason that a terminal in Latin-1 had sent.
#[test]
fn a_reason_that_is_not_utf_8_stops_what_it_is_given_for() {
    let shop = Shop::published();
    for typed in [&["kill", "search"][..], &["stop-all", "--yes"], &["disable", "billing_v2", "--yes"]] {
        let reason = [
            OsStr::new("--reason"),
            OsStr::from_bytes(b"br\xfcnnt"),
            OsStr::new("--actor"),
            OsStr::from_bytes(b"J\xfcrgen"),
        ];
        ran(shop.command([]).args(typed).args(reason).output().unwrap()).exits(0);
        let change = &shop.run(["history", "--limit", "1", "--json"]).json()["changes"][0];
        assert_eq!(
            [&change["reason"], &change["actor"]["user"]],
            ["br\u{fffd}nnt", "J\u{fffd}rgen"],
            "{change}"
        );
    }
}

/// A file with an attribute of chattr(1), until dropped.
struct Attribute(PathBuf, char);

impl Attribute {
    /// None where the file system knows no attributes.
    fn set(file: PathBuf, letter: char) -> Option<Attribute> {
        if !Command::new("lsattr").arg(&file).output().is_ok_and(|ran| ran.status.success()) {
            return None;
        }
        let set = Command::new("chattr").arg(format!("+{letter}")).arg(&file).status();
        assert!(set.is_ok_and(|status| status.success()), "only root can do that: sudo make test");
        Some(Attribute(file, letter))
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg(format!("-{}", self.1)).arg(&self.0).status();
    }
}

// Only doctor said beforehand that nothing could be stopped.
#[test]
fn a_head_that_nobody_can_write_says_beforehand_that_nothing_would_be_stopped() {
    const OWNER: &str = "64075";
    let shop = Shop::passable();
    shop.write("flags.json", FLAGS);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    let head = shop.directory.join("store/head");
    let given = Command::new("chown").args(["-hR", OWNER]).arg(shop.directory.join("store")).status();
    assert!(given.unwrap().success());
    let run = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", OWNER, "--regid", OWNER, "--clear-groups", env!("CARGO_BIN_EXE_flagstone")]);
        command.args(arguments).current_dir(&shop.directory).env_clear().env("PATH", "/usr/bin:/bin");
        ran(command.env("FLAGSTONE_STORE", "store").output().unwrap())
    };
    let said = || {
        let [status, health] = [["status"], ["health"]].map(|command| run(&command).exits(0).out);
        let json = run(&["status", "--json"]).exits(0).json()["emergency_error"].clone();
        assert_eq!(run(&["health", "--json"]).exits(0).json()["flagstone"]["emergency_error"], json);
        (status, health, json.as_str().unwrap_or("none").to_owned())
    };
    let beforehand = |why: &str| {
        let (status, health, json) = said();
        assert!(json.starts_with(why), "{json}");
        assert!(status.contains(&format!("kill and stop-all would stop nothing: {json}")), "{status}");
        assert!(health.starts_with("degraded: ") && health.contains(&json), "{health}");
        let doctor = run(&["doctor", "--skip", "php"]).exits(1).out;
        assert!(doctor.contains("kill and stop-all would stop nothing"), "{doctor}");
        let killed = run(&["kill", "search", "--reason", "burning"]).exits(2);
        assert!(killed.err.contains("NOTHING WAS STOPPED"), "{}", killed.err);
    };
    assert_eq!(said().2, "none");
    std::fs::set_permissions(&head, PermissionsExt::from_mode(0o444)).unwrap();
    beforehand("cannot open the head ");
    std::fs::set_permissions(&head, PermissionsExt::from_mode(0o644)).unwrap();
    for (letter, kind) in [('i', "immutable"), ('a', "append-only")] {
        if let Some(_attribute) = Attribute::set(head.clone(), letter) {
            beforehand(&format!("the head is {kind}; type: chattr -{letter} "));
        }
    }
    assert_eq!(said().2, "none");
    run(&["kill", "search", "--reason", "burning"]).exits(0);
}

#[test]
fn a_kill_that_is_refused_says_at_the_end_that_nothing_is_stopped() {
    let shop = Shop::published();
    let ran = shop.run(["kill", "serch", "--reason", "slow"]).exits(1);
    assert!(ran.err.contains("? With --force"), "{}", ran.err);
    assert_eq!(ran.err.lines().last(), Some("NOTHING WAS STOPPED: serch answers as before"));
    let ran = shop.run(["stop-all", "--environment", "staging", "--reason", "slow"]).exits(1);
    assert_eq!(ran.err.lines().last(), Some("NOTHING WAS STOPPED: every flag answers as before"));
}

/// A terminal that was stopped (Ctrl-S), or a full pipe, kept the flag on: the first line was written before the head.
#[test]
fn a_kill_does_not_wait_for_whoever_reads_what_it_prints() {
    let shop = Shop::published();
    let (read, write) = full_pipe();
    let mut kill = shop.command(["kill", "billing_v2", "--reason", "slow"]).stdout(write).spawn().unwrap();
    until(|| shop.run(["ask", "billing_v2", "--company", "1"]).out == "off\n");
    drop(read);
    kill.wait().unwrap();
}

#[test]
fn a_backup_that_holds_the_lock_stops_no_kill() {
    let shop = Shop::published();
    let mut backup = Command::new("flock");
    let backup = backup.arg(shop.directory.join("store/lock")).args(["sh", "-c", "echo held; cat"]);
    let backup = backup.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut backup = backup.spawn().unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(backup.stdout.as_mut().unwrap(), &mut held).unwrap();
    shop.run(["kill", "search", "--reason", "slow"]).exits(0);
    shop.run(["stop-all", "--yes", "--reason", "slow"]).exits(0);
    let doctor = shop.run(["doctor"]).out;
    assert!(doctor.contains("kill and stop-all work, a publish does not"), "{doctor}");
    drop(backup.stdin.take());
    assert!(backup.wait().unwrap().success());
}

/// A slow disk was blamed where another process held both locks.
#[test]
fn a_kill_that_waits_for_locks_says_so() {
    let shop = Shop::published();
    let mut holder = Command::new("flock");
    holder.arg(shop.directory.join("store/lock")).arg("flock").arg(shop.directory.join("store/head.lock"));
    let holder = holder.args(["sh", "-c", "echo held; cat"]);
    let holder = holder.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    let ran = shop.run(["kill", "search", "--reason", "burning"]).exits(0);
    assert!(ran.err.contains("another process holds the store's lock"), "{}", ran.err);
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}

/// What comes before the kill is in force: the wait for a lock that another has took 10 ms, and looking for its holder as long again.
#[test]
fn a_kill_is_in_force_before_anybody_asks_who_holds_the_lock() {
    let shop = Shop::published();
    let mut holder = Command::new("flock");
    let holder = holder.arg(shop.directory.join("store/head.lock")).args(["sh", "-c", "echo held; cat"]);
    let holder = holder.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut holder = holder.spawn().unwrap();
    let mut held = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut held).unwrap();
    for command in [&["kill", "search"][..], &["stop-all", "--yes"]] {
        let traced = shop.directory.join("trace");
        let status = Command::new("strace")
            .args(["-f", "-e", "trace=openat,clock_nanosleep,msync", "-o"])
            .arg(&traced)
            .arg(env!("CARGO_BIN_EXE_flagstone"))
            .args(command)
            .args(["--reason", "burning"])
            .env("FLAGSTONE_STORE", "store")
            .current_dir(&shop.directory)
            .output();
        assert!(status.unwrap().status.success());
        let trace = std::fs::read_to_string(traced).unwrap();
        let (before, after) = trace.split_once("msync").expect("the head is written");
        assert!(!before.contains("clock_nanosleep"), "{before}");
        assert!(!before.contains("/proc/locks") && after.contains("/proc/locks"), "{before}");
    }
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
}

/// With `chattr +a` on the trail no change could be made: the file lets nobody write it who does not say that he appends.
#[test]
fn the_trail_is_opened_to_append() {
    let shop = Shop::published();
    for command in [&["disable", "search", "--yes"][..], &["kill", "search", "--reason", "a"], &["doctor"]] {
        let traced = shop.directory.join("trace");
        let mut strace = Command::new("strace");
        strace.args(["-f", "-e", "trace=openat", "-o"]).arg(&traced).arg(env!("CARGO_BIN_EXE_flagstone"));
        strace.args(command).env("FLAGSTONE_STORE", "store").current_dir(&shop.directory);
        strace.output().unwrap();
        let trace = std::fs::read_to_string(traced).unwrap();
        let opened = trace.lines().filter(|line| line.contains("audit.jsonl") && line.contains("O_RDWR"));
        let opened: Vec<_> = opened.collect();
        assert!(!opened.is_empty() && opened.iter().all(|line| line.contains("O_APPEND")), "{opened:#?}");
    }
}

/// The signal that a write past the limit raises ended the command in the middle, before the head was written.
#[test]
fn a_limit_on_the_size_of_files_ends_no_kill() {
    let shop = Shop::published();
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    let limited = |command: &str| {
        let line = format!("ulimit -f 0; exec {flagstone} {command} --reason burning >&2");
        ran(Command::new("sh")
            .args(["-c", &line])
            .current_dir(&shop.directory)
            .env("FLAGSTONE_STORE", "store")
            .output()
            .unwrap())
    };
    for (command, before) in
        [("kill search", "killed       none"), ("stop-all --environment production", "stopped      no\n")]
    {
        assert!(shop.run(["status"]).out.contains(before));
        let ran = limited(command);
        assert_eq!(ran.code, 0, "{command}: {}", ran.err);
        let status = shop.run(["status"]).out;
        assert!(!status.contains(before), "{command}: {status}");
    }
}

/// A publisher that was stopped, and whose lock was removed, moved the head back under those who had published meanwhile.
#[test]
fn a_publisher_without_its_lock_moves_no_head_that_somebody_else_moved() {
    let shop = Shop::published();
    shop.write("next.json", r#"{"flags": {"search": true}}"#);
    let mut traced = Command::new("strace");
    traced.args(["-f", "-o", "/dev/null", "-e", "trace=renameat,renameat2,rename"]);
    traced.args([
        "-e",
        "inject=renameat,renameat2,rename:signal=SIGSTOP:when=1",
        env!("CARGO_BIN_EXE_flagstone"),
    ]);
    traced.args(["publish", "next.json", "--yes", "--store", "store"]).current_dir(&shop.directory);
    let traced = traced.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stopped = || {
        let of = format!("/proc/{0}/task/{0}/children", traced.id());
        let child = std::fs::read_to_string(of).unwrap_or_default().trim().parse::<i32>().ok()?;
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        state.rsplit(')').next()?.trim_start().starts_with(['T', 't']).then_some(child)
    };
    until(|| stopped().is_some() && shop.directory.join("store/snapshots").read_dir().unwrap().count() > 1);
    let child = stopped().unwrap();
    std::fs::remove_file(shop.directory.join("store/lock")).unwrap();
    shop.run(["rollout", "search", "70", "--yes"]).exits(0);
    shop.run(["rollout", "search", "80", "--yes"]).exits(0);
    let before = shop.run(["status", "--json"]).json()["generation"].clone();
    kill_process(Pid::from_raw(child).unwrap(), Signal::CONT).unwrap();
    let ran = ran(traced.wait_with_output().unwrap()).exits(1);
    assert!(ran.err.contains("is published by now; nothing was changed"), "{}", ran.err);
    assert_eq!(shop.run(["status", "--json"]).json()["generation"], before);
    assert_eq!(shop.run(["show", "search", "--json"]).json()["definition"]["rollout"]["percentage"], 80);
}

/// Runs a command in a terminal, interrupts it at its question, and prints what it wrote.
const INTERRUPTED: &str = r#"
import os, pty, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
wrote = b''
def read():
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b''
while b'name: ' not in wrote:
    more = read()
    if not more: break
    wrote += more
if b'name: ' in wrote:
    os.write(terminal, b'\x03')
while True:
    more = read()
    if not more: break
    wrote += more
os.waitpid(child, 0)
print(wrote.decode().replace('\r', ''))
"#;

#[test]
fn a_stop_that_is_interrupted_at_its_question_says_that_nothing_is_stopped() {
    let shop = Shop::published();
    let mut command = Command::new("python3");
    command.current_dir(&shop.directory).args(["-c", INTERRUPTED, env!("CARGO_BIN_EXE_flagstone")]);
    let ran =
        ran(command.args(["stop-all", "--store", "store", "--reason", "fire"]).output().unwrap()).exits(0);
    assert_eq!(
        ran.out.trim_end().lines().last(),
        Some("NOTHING WAS STOPPED: every flag answers as before"),
        "{}",
        ran.out
    );
    shop.run(["ask", "billing_v2"]).exits(0);
}

/// Runs a command in the background of a terminal that stops whoever writes to it from there, and prints what it wrote and its exit code.
const IN_THE_BACKGROUND: &str = r#"
import os, pty, select, signal, sys, termios, time
ours, theirs = pty.openpty()
set = termios.tcgetattr(theirs)
set[3] |= termios.TOSTOP
termios.tcsetattr(theirs, termios.TCSANOW, set)
shell = os.fork()
if shell == 0:
    import fcntl
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        for fd in range(3): os.dup2(theirs, fd)
        os.execv(sys.argv[1], sys.argv[1:])
    _, status = os.waitpid(job, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(job, signal.SIGKILL)
        os._exit(99)
    os._exit(os.waitstatus_to_exitcode(status))
_, status = os.waitpid(shell, 0)
wrote = os.read(ours, 65536) if select.select([ours], [], [], 1)[0] else b''
print(wrote.decode().replace('\r', ''))
sys.exit(os.waitstatus_to_exitcode(status))
"#;

#[test]
fn a_kill_in_the_background_of_a_terminal_that_stops_writers_is_made() {
    // It was stopped at its first word, before the kill, and the prompt came back as if it went on.
    let shop = Shop::published();
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    let mut command = Command::new("/usr/bin/python3");
    command.args([
        "-c",
        IN_THE_BACKGROUND,
        flagstone,
        "kill",
        "search",
        "--reason",
        "burning",
        "--store",
        "store",
    ]);
    let ran = ran(command.current_dir(&shop.directory).output().unwrap()).exits(0);
    assert!(ran.out.contains("search"), "{}", ran.out);
    assert_eq!(shop.run(["status", "--json"]).exits(0).json()["killed"][0]["flag"], "search");
}

// Nothing said beforehand that the head was nearly full, and then full: the next kill was refused.
#[test]
fn health_and_doctor_say_beforehand_that_the_places_for_kills_are_taken() {
    let shop = Shop::empty();
    let flags: serde_json::Map<_, _> = (0..241).map(|flag| (format!("f{flag}"), true.into())).collect();
    shop.write("flags.json", serde_json::json!({ "flags": flags }).to_string());
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    let store = flagstone::publish::Store::open(&shop.directory.join("store")).unwrap();
    let fill = |flags: std::ops::Range<u32>| {
        for flag in flags {
            store.kill(&format!("f{flag}"), flagstone::publish::Change::by_me(Some("x"))).unwrap();
        }
    };
    let health = || shop.run(["health", "--json"]).exits(0).json();
    let doctor = || {
        let checks = shop.run(["doctor", "--skip", "php", "--json"]).json()["checks"].clone();
        let kills =
            checks.as_array().unwrap().iter().find(|check| check["check"] == "kills").unwrap().clone();
        (kills["state"].as_str().unwrap().to_owned(), kills["found"].as_str().unwrap().to_owned())
    };
    fill(0..199);
    assert_eq!((health()["status"].as_str(), doctor().0.as_str()), (Some("ok"), "passed"));
    fill(199..200);
    assert_eq!((health()["status"].as_str(), doctor().0.as_str()), (Some("ok"), "warned"));
    for text in [shop.run(["health"]).out, doctor().1] {
        assert!(text.contains("200 of 240 places for kills are taken"), "{text}");
    }
    fill(200..240);
    assert_eq!((health()["status"].as_str(), doctor().0.as_str()), (Some("degraded"), "failed"));
    assert_eq!(health()["flagstone"]["kills_left"], 0);
    let refused = shop.run(["kill", "f240", "--reason", "x"]).err;
    let way_out = "To turn it off now: `flagstone disable f240`, or everything: `flagstone stop-all`";
    assert!(refused.contains("240 flags are killed already") && refused.contains(way_out), "{refused}");
}

// The question came first, and then that this user may stop nothing.
#[test]
fn a_stop_that_cannot_be_made_asks_nothing() {
    let shop = Shop::published();
    let _mounted = ReadOnly::mount(&shop);
    let mut command = Command::new("python3");
    command.current_dir(&shop.directory).args(["-c", INTERRUPTED, env!("CARGO_BIN_EXE_flagstone")]);
    let ran =
        ran(command.args(["stop-all", "--store", "store", "--reason", "fire"]).output().unwrap()).exits(0);
    assert!(!ran.out.contains("Type the environment's name"), "{}", ran.out);
    assert!(ran.out.contains("Read-only file system"), "{}", ran.out);
    assert!(ran.out.trim_end().ends_with("NOTHING WAS STOPPED: every flag answers as before"), "{}", ran.out);
}
