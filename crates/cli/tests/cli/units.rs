//! The units for systemd, as they run: their user and groups, without capabilities, and refused what their filter refuses.

use crate::plans::PLANNED;
use crate::shop::{Ran, Shop, ran};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The number that the units' user and group get here.
const OWNER: u32 = 64_030;
/// `www-data`, which the owner is a member of by `usermod -aG`, as systemd finds it.
const READERS: u32 = 33;

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/systemd")
}

/// The settings of one unit, in the order that they are written in.
struct Unit(Vec<(String, String)>);

impl Unit {
    fn read(name: &str) -> Unit {
        let text = std::fs::read_to_string(units().join(name)).unwrap();
        let settings = text.lines().filter(|line| !line.starts_with(['#', '[']));
        Unit(
            settings
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    fn one<'a>(&'a self, name: &'a str) -> &'a str {
        let mut found = self.all(name);
        let value = found.next().unwrap_or_else(|| panic!("no {name}="));
        assert_eq!(found.next(), None, "{name}= is written twice");
        value
    }

    /// The system calls that the unit's filter refuses, by systemd's own lists.
    fn refused(&self) -> BTreeSet<String> {
        let listed = Command::new("systemd-analyze").arg("syscall-filter").output();
        let listed = String::from_utf8(listed.expect("systemd-analyze, of Debian's package systemd").stdout);
        let listed = listed.unwrap();
        let mut sets = BTreeMap::<&str, Vec<&str>>::new();
        let mut set = "";
        for line in listed.lines() {
            match line.strip_prefix("    ") {
                Some(call) if !call.starts_with('#') => sets.entry(set).or_default().push(call),
                None if line.starts_with('@') => set = line.trim(),
                _ => (),
            }
        }
        let every: BTreeSet<&str> =
            sets.values().flatten().copied().filter(|call| !call.starts_with('@')).collect();
        let mut allowed = calls(&sets, "@default");
        for (number, line) in self.all("SystemCallFilter").enumerate() {
            let (refuses, names) = line.strip_prefix('~').map_or((false, line), |names| (true, names));
            assert!(number > 0 || !refuses, "a list of what is refused allows all else");
            for name in names.split_whitespace() {
                for call in calls(&sets, name) {
                    if refuses {
                        allowed.remove(call)
                    } else {
                        allowed.insert(call)
                    };
                }
            }
        }
        assert!(allowed.contains("openat") && every.contains("ptrace"), "{allowed:?}");
        every.difference(&allowed).map(|call| (*call).to_owned()).collect()
    }

    /// Runs the command as the unit would: what its `ExecStart` says, or these arguments in its place. The calls that were refused or
    /// that give a file away are written to `trace`.
    fn command(&self, machine: &Machine, trace: &Path, arguments: Option<&[&str]>) -> Command {
        let start: Vec<&str> = self.one("ExecStart").split(' ').collect();
        assert_eq!(start[0], "/usr/local/bin/flagstone");
        assert_eq!((self.one("NoNewPrivileges"), self.one("CapabilityBoundingSet")), ("yes", ""));
        assert_eq!((self.one("User"), self.one("Group")), ("flagstone", "flagstone"));
        let (name, store) = self.one("Environment").split_once('=').unwrap();
        assert_eq!(name, "FLAGSTONE_STORE");
        // A mount of the store itself goes along with it when a restore moves it away: the unit's process could write no more.
        assert_eq!(Path::new(store).parent(), Some(Path::new(self.one("ReadWritePaths"))));
        let refused: Vec<String> = self.refused().into_iter().map(|call| format!("?{call}")).collect();
        let refused = refused.join(",");
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={OWNER}"))
            .arg(format!("--regid={OWNER}"))
            .arg(format!("--groups={OWNER},{READERS}"))
            .args(["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"])
            .args(["sh", "-c"])
            .arg(format!("umask {}; exec \"$@\"", self.one("UMask")))
            .args(["sh", "strace", "-f", "-qq", "--seccomp-bpf", "-o"])
            .arg(trace)
            .arg("-e")
            .arg(format!("trace=?chmod,fchmod,fchmodat,?fchmodat2,fchown,{refused}"))
            .arg("-e")
            .arg(format!("inject={refused}:error=EPERM"))
            .arg(machine.shop.directory.join("flagstone"))
            .args(arguments.unwrap_or(&start[1..]));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env(name, machine.shop.directory.join("store"))
            .current_dir("/")
            .stdin(Stdio::null());
        command
    }
}

fn calls<'a>(sets: &BTreeMap<&'a str, Vec<&'a str>>, name: &'a str) -> BTreeSet<&'a str> {
    match sets.get(name) {
        Some(names) => names.iter().flat_map(|name| calls(sets, name)).collect(),
        None => BTreeSet::from([name]),
    }
}

/// A directory with a copy of the command, and a store with a plan whose stages last a second, as README's install makes it.
struct Machine {
    shop: Shop,
}

impl Machine {
    fn new(init: &[&str]) -> Machine {
        assert!(
            rustix::process::geteuid().is_root(),
            "only root may play other users: run the tests as root"
        );
        let shop = Shop::with_command();
        shop.write("flags.json", PLANNED);
        for name in ["store", "trace"] {
            std::fs::create_dir(shop.directory.join(name)).unwrap();
            chown(shop.directory.join(name), Some(OWNER), Some(OWNER)).unwrap();
        }
        let machine = Machine { shop };
        machine.owner(&[&["init", "store", "--environment", "production"], init].concat()).exits(0);
        machine.owner(&["publish", "flags.json"]).exits(0);
        machine.owner(&["plan", "start", "quick"]).exits(0);
        machine
    }

    /// As `sudo -u flagstone flagstone …` does.
    fn owner(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("setpriv");
        command
            .args([format!("--reuid={OWNER}"), format!("--regid={OWNER}")])
            .arg(format!("--groups={OWNER},{READERS}"))
            .arg(self.shop.directory.join("flagstone"))
            .args(arguments)
            .env_clear()
            .env("FLAGSTONE_STORE", "store")
            .current_dir(&self.shop.directory)
            .stdin(Stdio::null());
        ran(command.output().unwrap())
    }

    fn generation(&self) -> u64 {
        let status = self.owner(&["status", "--json"]);
        status.json()["store"]["generation"].as_u64().unwrap()
    }

    fn trace(&self) -> PathBuf {
        self.shop.directory.join("trace/calls")
    }

    /// Fails where a call was refused, or a mode was set that `RestrictSUIDSGID` refuses.
    fn check_trace(&self) -> String {
        let trace = std::fs::read_to_string(self.trace()).unwrap();
        let refused: Vec<&str> =
            trace.lines().filter(|line| line.contains("(INJECTED)") || line.contains("EPERM")).collect();
        assert_eq!(refused, Vec::<&str>::new());
        let special: Vec<&str> = trace
            .lines()
            .filter(|line| {
                let call = line.split_once("chmod").and_then(|(_, call)| call.split_once(')'));
                let mode = call.and_then(|(arguments, _)| {
                    arguments.split(", ").skip(1).find_map(|part| u32::from_str_radix(part, 8).ok())
                });
                mode.is_some_and(|mode| mode & 0o6000 != 0)
            })
            .collect();
        assert_eq!(special, Vec::<&str>::new());
        trace
    }

    fn check_readers(&self) {
        let store = self.shop.directory.join("store");
        let mut files: Vec<PathBuf> = Vec::new();
        for place in [store.clone(), store.join("snapshots")] {
            files.extend(std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()));
        }
        assert!(files.len() > 6, "{files:?}");
        // The socket of the daemon, which everybody may connect to who can enter the store, and its lock.
        files.retain(|file| !file.file_name().unwrap().to_string_lossy().starts_with("agent.sock"));
        for file in files {
            let found = std::fs::metadata(&file).unwrap();
            let mode = found.permissions().mode();
            assert_eq!(found.gid(), READERS, "{}", file.display());
            let is_owners = ["keys", "lock", "head.lock"].iter().any(|name| file.ends_with(name));
            assert!(mode & 0o040 != 0 || is_owners, "{mode:o} {}", file.display());
        }
    }
}

#[test]
fn the_units_for_systemd_are_sound() {
    let shop = Shop::empty();
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify");
    for unit in ["flagstone.service", "flagstone-tick.service", "flagstone-tick.timer"] {
        let text = std::fs::read_to_string(units().join(unit)).unwrap();
        // Where the command is installed is not where it is built.
        let text = text.replace("/usr/local/bin/flagstone", env!("CARGO_BIN_EXE_flagstone"));
        verify.arg(shop.write(unit, text));
    }
    let ran = verify.output().expect("systemd-analyze, of Debian's package systemd");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(String::from_utf8_lossy(&ran.stderr), "");
    for unit in ["flagstone.service", "flagstone-tick.service"] {
        // The exposure is at most 2 of 10.
        let mut judge = Command::new("systemd-analyze");
        judge.args(["security", "--offline=true", "--threshold=20"]).arg(units().join(unit));
        let judged = judge.output().unwrap();
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    }
}

/// The daemon's unit refused `fchown()`, so that it could not publish into a store that a group reads.
#[test]
fn the_daemon_publishes_under_its_unit_into_a_store_with_readers() {
    let machine = Machine::new(&["--readers", "www-data"]);
    let unit = Unit::read("flagstone.service");
    let mut command = unit.command(&machine, &machine.trace(), None);
    let errors = std::fs::File::create(machine.shop.directory.join("errors")).unwrap();
    let mut daemon =
        command.args(["--no-guard", "--interval", "1"]).stdout(Stdio::null()).stderr(errors).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let errors = || std::fs::read_to_string(machine.shop.directory.join("errors")).unwrap();
    while machine.generation() < 4 && Instant::now() < deadline && !errors().contains("warning") {
        std::thread::sleep(Duration::from_millis(50));
    }
    // `strace`, which `setpriv` and `sh` became, ends with the process that it traces.
    let traced = format!("/proc/{0}/task/{0}/children", daemon.id());
    for child in std::fs::read_to_string(traced).unwrap().split_whitespace() {
        let child = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
        rustix::process::kill_process(child, rustix::process::Signal::TERM).unwrap();
    }
    daemon.wait().unwrap();
    assert!(!errors().contains("warning"), "{}", errors());
    assert_eq!(machine.generation(), 4);
    assert!(machine.check_trace().contains("fchown("));
    machine.check_readers();
}

#[test]
fn every_change_works_under_the_units_with_readers_and_without() {
    for init in [&["--readers", "www-data"][..], &[]] {
        let machine = Machine::new(init);
        let unit = Unit::read("flagstone-tick.service");
        let before = machine.generation();
        std::thread::sleep(Duration::from_millis(1_100));
        ran(unit.command(&machine, &machine.trace(), None).output().unwrap()).exits(0);
        machine.check_trace();
        assert!(machine.generation() > before);
        for name in ["flagstone.service", "flagstone-tick.service"] {
            let unit = Unit::read(name);
            let run = |arguments: &[&str]| {
                ran(unit.command(&machine, &machine.trace(), Some(arguments)).output().unwrap()).exits(0);
                machine.check_trace()
            };
            let percentage = if name.contains("tick") { "50" } else { "40" };
            let trace = run(&["rollout", "search", percentage, "--reason", "slow"]);
            assert!(trace.contains("fchmod("), "{trace}");
            run(&["kill", "search", "--reason", "slow"]);
            run(&["revive", "search", "--reason", "fast"]);
            run(&["config", "confirm_above", "0.3"]);
            // It sees no counters here, and says so; its folder is made all the same.
            ran(unit.command(&machine, &machine.trace(), Some(&["guard", "--once"])).output().unwrap());
            machine.check_trace();
        }
        if !init.is_empty() {
            machine.check_readers();
        }
    }
}
