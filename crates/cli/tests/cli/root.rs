//! Root's command on another user's store: it works as that user, and what root typed stays root's. Only root plays this;
//! whoever runs the tests otherwise needs `sudo -n`.

mod paths;
mod programs;

use crate::shop::{FLAGS, Ran, Shop, ran, until};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const OWNER: u32 = 64_010;
const STRANGER: u32 = 64_011;

/// A published store that belongs to [`OWNER`], where that user can get at it, and a directory that only root can enter.
struct Place {
    shop: Shop,
}

impl Place {
    fn new() -> Place {
        assert!(rustix::process::geteuid().is_root(), "only root may give files away: run the tests as root");
        let shop = Shop::passable();
        shop.write("flags.json", FLAGS);
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        shop.run(["publish", "flags.json"]).exits(0);
        let place = Place { shop };
        std::fs::create_dir(place.path("root")).unwrap();
        std::fs::create_dir(place.path("home")).unwrap();
        chmod(&place.path("root"), 0o700);
        place.give();
        place
    }

    /// Gives the store and `home` to the owner.
    fn give(&self) {
        let paths = [self.path("store"), self.path("home")];
        let status = Command::new("chown").arg("-hR").arg(OWNER.to_string()).args(paths).status().unwrap();
        assert!(status.success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shop.directory.join(name)
    }

    /// Writes a file that only root can read.
    fn secret(&self, name: &str, text: &str) -> String {
        let path = self.shop.write(&format!("root/{name}"), text);
        chmod(&path, 0o600);
        path.to_str().unwrap().to_owned()
    }

    /// Writes the store's config as its owner would.
    fn config(&self, config: &Value) {
        let path = self.shop.write("store/config.json", config.to_string());
        chown(path, Some(OWNER), None).unwrap();
    }

    fn run<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        self.shop.run(arguments)
    }

    /// Every file of the store belongs to its owner.
    #[track_caller]
    fn is_the_owners(&self) {
        let mut pending = vec![self.path("store")];
        while let Some(path) = pending.pop() {
            let found = std::fs::symlink_metadata(&path).unwrap();
            assert_eq!(found.uid(), OWNER, "{}", path.display());
            if found.is_dir() {
                pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn root_changes_another_users_store_as_that_user() {
    let place = Place::new();
    let flags = place.secret("flags.json", &FLAGS.replace("\"old\": false", "\"new\": true, \"old\": false"));
    let ran =
        ran(place.shop.command(["publish", &flags]).env("SUDO_USER", "alice").output().unwrap()).exits(0);
    assert!(ran.out.contains("published generation 2"), "{}", ran.out);
    place.run(["kill", "search", "--reason", "slow"]).exits(0);
    place.run(["revive", "search"]).exits(0);
    place.run(["key", "make"]).exits(0);
    place.run(["plan", "tick"]).exits(0);
    place.run(["guard", "--once"]).exits(2);
    place.run(["config", "confirm_above", "0.5"]).exits(0);
    place.run(["rollback"]).exits(0);
    place.is_the_owners();
    let trail = std::fs::read_to_string(place.path("store/audit.jsonl")).unwrap();
    let actors: Vec<Value> =
        trail.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["actor"].clone()).collect();
    let published = actors.iter().find(|actor| actor["user"] == "alice").expect("who typed it");
    assert_eq!((&published["account"], &published["uid"]), (&json!(OWNER.to_string()), &json!(OWNER)));
    let killed = actors.last().unwrap();
    assert_eq!((&killed["account"], &killed["uid"]), (&json!(OWNER.to_string()), &json!(OWNER)));
    assert_ne!(killed["user"], json!(OWNER.to_string()), "root typed it");
    place.run(["audit", "--verify"]).exits(0);
}

#[test]
fn what_root_typed_is_read_as_root_and_what_the_config_names_is_not() {
    let place = Place::new();
    let companies =
        place.secret("companies.txt", &(1..=1_000).map(|id| format!("{id}\n")).collect::<String>());
    let arguments = ["rollout", "search", "75", "--count-for", &companies, "--json"];
    assert_eq!(place.run(arguments).exits(0).json()["reach"]["companies"], 1_000);
    place.run(["simulate", "search", "--percentage", "75", "--companies", &companies]).exits(0);
    let flags = place.secret("flags.json", FLAGS);
    place.run(["diff", "1", &flags]).exits(0);
    // The same list, named by the owner.
    place.config(&json!({ "companies": companies }));
    for arguments in [["rollout", "search", "0"], ["rollout", "search", "100"]] {
        let ran = place.run(arguments);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(!all.contains("1, 2, 3") && !all.contains("of 1,000 companies"), "{all}");
        assert!(all.contains("companies.txt"), "{all}");
    }
}

/// Root was told to type `chmod o-w PATH`, and the owner put a link there meanwhile.
#[test]
fn what_root_is_told_to_type_in_another_users_store_is_typed_as_that_user() {
    let place = Place::new();
    chmod(&place.path("store"), 0o777);
    let told = place.run(["kill", "search", "--reason", "x"]).exits(1).err;
    assert!(told.contains(&format!("Type: sudo -u '#{OWNER}' chmod o-w ")), "{told}");
}

#[test]
fn pull_writes_the_file_that_root_typed_as_root() {
    let place = Place::new();
    let flags = place.secret("flags.json", FLAGS);
    place.run(["enable", "old"]).exits(0);
    let ran = place.run(["pull", &flags]).exits(0);
    assert!(ran.out.contains("changed"), "{}", ran.out);
    let text = std::fs::read_to_string(&flags).unwrap();
    assert!(text.contains("\"old\": true"), "{text}");
    let found = std::fs::metadata(&flags).unwrap();
    assert_eq!((found.uid(), found.mode() & 0o777), (0, 0o600));
    place.run(["pull", &flags]).exits(0);
    place.run(["disable", "old"]).exits(0);
    place.run(["pull", &flags, "--dry-run"]).exits(0);
    assert_eq!(std::fs::read_to_string(&flags).unwrap(), text);
    let ran = place.run(["pull", place.path("root/gone.json").to_str().unwrap()]).exits(2);
    assert!(ran.err.contains("gone.json"), "{}", ran.err);
}

#[test]
fn the_owner_cannot_get_back_to_root_nor_look_into_the_process() {
    let place = Place::new();
    let mut daemon = place.shop.command(["run"]);
    let mut daemon =
        daemon.env("TOKEN", "hunter2").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/{}/status", daemon.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        line.unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let uid = OWNER.to_string();
    until(|| status("Uid:") == [&*uid; 4].join(" "));
    until(|| place.path("store/guard/lock").exists());
    assert!(!status("Gid:").split(' ').any(|group| group == "0"), "{}", status("Gid:"));
    assert!(!status("Groups:").split(' ').any(|group| group == "0"), "{}", status("Groups:"));
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(status(set).trim_start_matches('0'), "", "{set}");
    }
    let threads = std::fs::read_dir(format!("/proc/{}/task", daemon.id())).unwrap();
    for thread in threads {
        let text = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(text.contains(&format!("Uid:\t{OWNER}\t{OWNER}\t{OWNER}\t{OWNER}")), "{text}");
    }
    for file in ["environ", "mem", "maps", "fd/0"] {
        let path = format!("/proc/{}/{file}", daemon.id());
        let mut read = Command::new("setpriv");
        read.args([
            &format!("--reuid={OWNER}"),
            &format!("--regid={OWNER}"),
            "--clear-groups",
            "head",
            "-c",
            "1",
            &path,
        ]);
        let read = read.output().unwrap();
        assert!(!read.status.success(), "{file} can be read");
        assert!(String::from_utf8_lossy(&read.stderr).contains("Permission denied"), "{file}: {read:?}");
    }
    let pid = rustix::process::Pid::from_raw(daemon.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
    place.is_the_owners();
}

/// A program of Perl's, which every Debian has: what a program that the config names finds out about where it runs.
const SPY: &str = r#"
open(STDERR, ">&", STDOUT) if open(STDOUT, ">", shift);
print "user: $< $> $( $)\n";
print "environment: @{[sort keys %ENV]}\n";
print "home: $ENV{HOME}\n";
print "directory: @{[readlink '/proc/self/cwd']}\n";
print "descriptors: @{[grep { readlink \"/proc/self/fd/$_\" } 3 .. 255]}\n";
open(my $stat, "<", "/proc/self/stat"); my @stat = split / /, <$stat>; close $stat;
print "session: @{[$stat[5] == $$ ? 'own' : 'another']}\n";
for my $typed (0, 1, 2) {
    my $key = "x";
    open(my $file, "<&=", $typed) or next;
    print "typed into $typed\n" if ioctl($file, 0x5412, $key);
}
print open(my $tty, "+<", "/dev/tty") ? "terminal: one\n" : "terminal: none\n";
my $parent = getppid;
print "read $_\n" for grep { open(my $file, "<", "/proc/$parent/$_") and read($file, my $byte, 1) } "environ", "mem", "maps";
exit 9;
"#;

#[test]
fn a_program_of_the_config_has_nothing_of_roots() {
    let place = Place::new();
    let spied = place.path("home/spied");
    place.config(&json!({ "machines": { "web-2": { "run": ["perl", "-e", SPY, spied] } } }));
    // The owner is in no file of users. The store has the group of the setgid directory that it was made in: that was the program's.
    std::os::unix::fs::chown(place.path("store"), None, Some(STRANGER)).unwrap();
    // On a terminal, with a variable and a descriptor that root's shell has.
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    let line = format!("exec 7</etc/shadow; TOKEN=hunter2 {flagstone} kill search --reason test");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(&place.shop.directory);
    command.env("FLAGSTONE_STORE", "store").env("SHELL", "/bin/bash").stdin(Stdio::null());
    let ran = ran(command.output().unwrap()).exits(3);
    assert!(ran.out.contains("off for everybody at once") && ran.out.contains("(exit 9)"), "{}", ran.out);
    let found = std::fs::read_to_string(spied).unwrap();
    let expected = [
        &*format!("user: {OWNER} {OWNER} 65534 65534"),
        "environment: HOME LANG LOGNAME PATH USER",
        "home: /",
        "directory: /",
        "descriptors: ",
        "session: own",
        "terminal: none",
        "",
    ];
    assert_eq!(found, expected.join("\n"));
}

#[test]
fn the_keys_of_roots_session_stay_roots() {
    let place = Place::new();
    let (keyctl, add_key) = (libc::SYS_keyctl, libc::SYS_add_key);
    let spied = place.path("home/spied");
    // KEYCTL_SEARCH in the session's ring.
    let search = format!(
        "open(STDOUT, '>', shift); my ($type, $name) = ('user', 'flagstone-test'); my $key = syscall({keyctl}, 10, -3, $type, $name, 0); print $key > 0 ? 'found' : 'none'"
    );
    place.config(&json!({ "machines": { "web-2": { "run": ["perl", "-e", search, spied] } } }));
    // A session with a key, as a login makes it; root finds it.
    let session = format!(
        "my ($type, $name, $value) = ('user', 'flagstone-test', 'hunter2'); syscall({keyctl}, 1, 0); \
         syscall({add_key}, $type, $name, $value, 7, -3) > 0 or die; system @ARGV; my $code = $? >> 8; \
         syscall({keyctl}, 10, -3, $type, $name, 0) > 0 or die; exit $code"
    );
    let mut command = Command::new("perl");
    command.args(["-e", &session, env!("CARGO_BIN_EXE_flagstone"), "kill", "search", "--reason", "test"]);
    command.current_dir(&place.shop.directory).env("FLAGSTONE_STORE", "store").stdin(Stdio::null());
    ran(command.output().unwrap()).exits(3);
    assert_eq!(std::fs::read_to_string(spied).unwrap(), "none");
}

/// A FUSE file system of another user's that answers no statfs passed for one of the disk's, whose owners are to be believed: root stayed root there.
#[test]
fn a_file_system_that_does_not_say_what_it_is_is_nobodys() {
    let place = Place::new();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o", "/dev/null", "-e", "trace=fstatfs", "-e", "inject=fstatfs:error=EIO"]);
    strace
        .arg(env!("CARGO_BIN_EXE_flagstone"))
        .args(["kill", "search", "--reason", "x", "--store"])
        .arg(place.path("store"));
    let ran = ran(strace.output().unwrap()).exits(1);
    assert!(ran.err.contains("is not trusted") && ran.err.contains("NOTHING WAS STOPPED"), "{}", ran.err);
}

#[test]
fn a_program_of_ones_own_config_has_no_terminal_either() {
    let place = Place::new();
    let spied = place.path("root/spied");
    place.run(["init", "mine", "--environment", "production"]).exits(0);
    place.run(["publish", "flags.json", "--store", "mine"]).exits(0);
    let run = json!(["perl", "-e", SPY, spied]).to_string();
    place.run(["config", "machines.web-2", &run, "--store", "mine"]).exits(0);
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    let line =
        format!("exec 7</etc/shadow; TOKEN=hunter2 {flagstone} kill search --reason test --store mine");
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(&place.shop.directory);
    ran(command.env("SHELL", "/bin/bash").stdin(Stdio::null()).output().unwrap()).exits(3);
    let found = std::fs::read_to_string(spied).unwrap();
    for line in [
        "environment: HOME LANG LOGNAME PATH USER",
        "home: /root",
        "directory: /",
        "descriptors: ",
        "session: own",
        "terminal: none",
    ] {
        assert!(found.lines().any(|found| found == line), "{line} in {found}");
    }
    assert!(!found.contains("typed"), "{found}");
}

#[test]
fn a_secret_of_roots_signs_nothing_for_another_user() {
    let place = Place::new();
    let secret = place.secret("pin", "root-only-pin-4711");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    place.config(&json!({ "notify": { "mine": { "url": url, "secret_file": secret } } }));
    // The first round notes where the endpoint begins.
    place.run(["notify"]);
    place.run(["kill", "search", "--reason", "test"]).exits(0);
    let ran = place.run(["notify"]).exits(1);
    assert!(ran.out.contains("pin"), "{}", ran.out);
    assert!(listener.accept().is_err(), "an event was sent under a secret that is not the owner's");
}

#[test]
fn doctor_asks_what_root_named_as_root() {
    let place = Place::new();
    let store = place.path("store").canonicalize().unwrap();
    let status = json!({ "version": env!("CARGO_PKG_VERSION"), "store": store, "environment": "production",
        "generation": 1, "source": "current", "last_error": null });
    let found = std::fs::metadata(&store).unwrap();
    let directory = [found.dev(), found.ino()];
    let answer = json!({ "php": "8.2.29", "pid": 7, "named": "", "status": status, "directory": directory })
        .to_string();
    let php = place.path("root/php");
    std::fs::write(
        &php,
        format!("#!/bin/sh\ntest \"$(id -u)\" = 0 && cat <<'JSON'\nflagstone-doctor: {answer}\nJSON\n"),
    )
    .unwrap();
    chmod(&php, 0o700);
    std::fs::create_dir(place.path("root/app")).unwrap();
    place.secret("app/index.php", "<?php feature_enabled('search');");
    place.secret("app/artisan", "<?php");
    let socket = place.path("root/fpm.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    chmod(&socket, 0o600);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || fpm(stream, &answer));
        }
    });
    let [php, socket, code] =
        [php, socket, place.path("root/app")].map(|path| path.to_str().unwrap().to_owned());
    let ran = place.run(["doctor", "--json", "--php", &php, "--fpm", &socket, "--code", &code]);
    let checks = ran.json()["checks"].clone();
    let state = |name: &str| {
        let check = checks.as_array().unwrap().iter().find(|check| check["check"] == name).unwrap();
        format!("{}: {}", check["state"].as_str().unwrap(), check["found"].as_str().unwrap())
    };
    for name in ["php", "php-answers", "fpm", "fpm-answers", "fpm-workers", "code-undefined"] {
        assert!(state(name).starts_with("passed"), "{name}: {}", state(name));
    }
    let found = state("application");
    assert!(found.starts_with("unknown") && found.contains("no application is run as root"), "{found}");
    let left = std::fs::read_dir("/run").unwrap().flatten();
    let left = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("flagstone-doctor-"));
    let mine = left.filter(|entry| entry.metadata().is_ok_and(|found| found.uid() == OWNER)).count();
    assert_eq!(mine, 0, "the pool's script is root's");
}

/// Answers one request as PHP-FPM does, if the script that it names is root's.
fn fpm(mut stream: std::os::unix::net::UnixStream, answer: &str) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The last record is an empty standard input.
    while !request.ends_with(&[1, 5, 0, 1, 0, 0, 0, 0]) {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request);
    let script = text.split("SCRIPT_FILENAME").nth(1).and_then(|rest| rest.split(".php").next()).unwrap();
    let script = format!("{script}.php");
    let owner = std::fs::metadata(&script).map(|found| found.uid());
    let body = match owner {
        Ok(0) => format!("Content-Type: text/plain\r\n\r\nflagstone-doctor: {answer}\n"),
        owner => format!("Status: 404\r\n\r\n{script} {owner:?}"),
    };
    std::thread::sleep(Duration::from_millis(5));
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let mut response = vec![1, 6, 0, 1, length[0], length[1], 0, 0];
    response.extend_from_slice(body.as_bytes());
    response.extend_from_slice(&[1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let _ = stream.write_all(&response);
}

#[test]
fn root_takes_nothing_out_of_another_users_store_into_its_own() {
    let place = Place::new();
    place.run(["init", "mine", "--environment", "production"]).exits(0);
    let ran = place.run(["promote", "--all", "--from", "store", "--to", "mine"]).exits(1);
    assert!(ran.err.contains(&format!("belongs to user {OWNER}")), "{}", ran.err);
    // The other way round the owner reads what everybody may read.
    place.run(["publish", "flags.json", "--store", "mine"]).exits(0);
    place.run(["promote", "--all", "--from", "mine", "--to", "store"]).exits(0);
    place.is_the_owners();
}

#[test]
fn a_store_is_made_for_whom_the_directory_belongs_to() {
    let place = Place::new();
    std::fs::create_dir(place.path("new")).unwrap();
    chown(place.path("new"), Some(OWNER), Some(OWNER)).unwrap();
    place.run(["init", "new", "--environment", "staging"]).exits(0);
    for name in ["new", "new/head", "new/lock", "new/audit.jsonl"] {
        assert_eq!(std::fs::metadata(place.path(name)).unwrap().uid(), OWNER, "{name}");
    }
    // Where nothing is, the store is root's.
    place.run(["init", "roots", "--environment", "staging"]).exits(0);
    assert_eq!(std::fs::metadata(place.path("roots/head")).unwrap().uid(), 0);
}

#[test]
fn questions_on_a_terminal_and_exit_codes_are_as_ever() {
    let place = Place::new();
    place.run(["ask", "billing_v2"]).exits(0);
    place.run(["ask", "old"]).exits(1);
    place.run(["ask", "nothing"]).exits(2);
    let companies = place.secret("companies.txt", "1\n2\n3\n");
    for (typed, code) in [("n\n", 1), ("y\n", 0)] {
        let line = format!("{} disable billing_v2 --count-for {companies}", env!("CARGO_BIN_EXE_flagstone"));
        let mut command = Command::new("script");
        command
            .args(["-qec", &line, "/dev/null"])
            .current_dir(&place.shop.directory)
            .env("FLAGSTONE_STORE", "store");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(typed.as_bytes()).unwrap();
        let ran = ran(child.wait_with_output().unwrap()).exits(code);
        assert!(ran.out.contains("Go on? [y/N]"), "{}", ran.out);
    }
    place.is_the_owners();
}

#[test]
fn definitions_come_from_standard_input_and_from_a_pipe_of_the_shell() {
    let place = Place::new();
    let flags = place.secret("flags.json", &FLAGS.replace("\"old\": false", "\"new\": true, \"old\": false"));
    let flagstone = env!("CARGO_BIN_EXE_flagstone");
    for line in [
        format!("{flagstone} publish - <{flags}"),
        format!("{flagstone} publish <(cat {flags}) --reset all"),
        format!("cat {flags} | {flagstone} publish /dev/stdin --reset all"),
    ] {
        let mut command = Command::new("bash");
        command.args(["-c", &line]).current_dir(&place.shop.directory).env("FLAGSTONE_STORE", "store");
        ran(command.output().unwrap()).exits(0);
    }
    place.run(["ask", "new"]).exits(0);
}

#[test]
fn a_stranger_gets_no_further_than_before() {
    let place = Place::new();
    let mut command = Command::new("setpriv");
    let uid = STRANGER.to_string();
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups", env!("CARGO_BIN_EXE_flagstone")]);
    command
        .args(["kill", "search", "--reason", "x"])
        .current_dir(&place.shop.directory)
        .env("FLAGSTONE_STORE", "store");
    let ran = ran(command.output().unwrap());
    assert_ne!(ran.code, 0, "{}", ran.out);
    place.run(["ask", "search", "--company", "2"]).exits(0);
}

#[test]
fn root_runs_no_command_that_another_user_put_into_its_store() {
    let place = Place::new();
    let spied = place.path("home/spied");
    place.run(["init", "mine", "--environment", "production"]).exits(0);
    place.run(["publish", "flags.json", "--store", "mine"]).exits(0);
    let config = json!({ "machines": { "web-2": { "run": ["touch", spied] } } });
    let config = place.shop.write("mine/config.json", config.to_string());
    chown(config, Some(OWNER), None).unwrap();
    let ran = place.run(["kill", "search", "--reason", "test", "--store", "mine"]).exits(3);
    // What it says to type must not make it root's.
    let told = format!("{}{}", ran.out, ran.err);
    assert!(
        told.contains("Type: mv ")
            && told.contains("config.json.aside")
            && told.contains("ead it before you write any of it anew"),
        "{told}"
    );
    let ran = place.run(["doctor", "--store", "mine"]);
    let told = format!("{told}{}{}", ran.out, ran.err);
    assert!(told.contains("mv ") && !told.contains("chown"), "{told}");
    assert!(!spied.exists());
}

/// Runs lines of a shell where `/etc` is a copy of a few files.
fn with_own_etc(shop: &Shop, lines: &str) -> Ran {
    let etc = shop.directory.join("etc");
    if !etc.exists() {
        std::fs::create_dir(&etc).unwrap();
        for name in ["passwd", "group", "nsswitch.conf"] {
            let _ = std::fs::copy(format!("/etc/{name}"), etc.join(name));
        }
    }
    let text = format!("mount --bind etc /etc && {lines}");
    let mut shell = Command::new("unshare");
    shell.args(["--mount", "sh", "-c", &text]).current_dir(&shop.directory).env_clear();
    shell.env(
        "PATH",
        format!("{}:/usr/bin:/bin", Path::new(env!("CARGO_BIN_EXE_flagstone")).parent().unwrap().display()),
    );
    ran(shell.stdin(Stdio::null()).output().unwrap())
}

// `sudo flagstone kill` loses FLAGSTONE_STORE, and asked "which store?".
#[test]
fn init_names_the_machines_store_where_root_says_so() {
    let shop = Shop::passable();
    let store = shop.directory.canonicalize().unwrap().join("store");
    let named = || std::fs::read_to_string(shop.directory.join("etc/flagstone/store"));
    // Without a terminal it is not offered.
    with_own_etc(&shop, "flagstone init other --environment production").exits(0);
    assert!(named().is_err());
    let ran = with_own_etc(
        &shop,
        "umask 077; flagstone init store --environment production --default-store && flagstone status",
    )
    .exits(0);
    assert!(
        ran.out.contains("this machine's store") && ran.out.contains("  generation   none"),
        "{}",
        ran.out
    );
    assert_eq!(named().unwrap(), format!("{}\n", store.display()));
    let mode = shop.directory.join("etc/flagstone/store").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "whoever asks reads it");
    // What is named there is not replaced, and nothing is made.
    let ran = with_own_etc(&shop, "flagstone init third --environment production --default-store").exits(1);
    assert!(ran.err.contains("names") && ran.err.contains("rm /etc/flagstone/store"), "{}", ran.err);
    assert!(!shop.directory.join("third").exists());
    // Only root writes there.
    std::fs::create_dir(shop.directory.join("home")).unwrap();
    chown(shop.directory.join("home"), Some(OWNER), None).unwrap();
    let ran = with_own_etc(
        &shop,
        &format!("rm etc/flagstone/store; setpriv --reuid {OWNER} --clear-groups flagstone init home/shop --environment production --default-store"),
    )
    .exits(1);
    assert!(ran.err.contains("only root"), "{}", ran.err);
    assert!(!shop.directory.join("home/shop").exists());
}

// Under umask 077, the line that `init` printed made a file that only root could read: no line of another user's without --store worked,
// nor root's in another user's store, `kill` included.
#[test]
fn the_machines_store_is_found_whatever_umask_root_has() {
    let shop = Shop::passable();
    shop.write("flags.json", FLAGS);
    std::fs::create_dir(shop.directory.join("home")).unwrap();
    chown(shop.directory.join("home"), Some(OWNER), None).unwrap();
    let owner = format!("setpriv --reuid {OWNER} --regid {OWNER} --clear-groups flagstone");
    let init = format!("{owner} init home/shop --environment production");
    let printed =
        with_own_etc(&shop, &format!("{init} && {owner} publish flags.json --store home/shop")).exits(0);
    let line = printed.out.lines().find_map(|line| line.split_once("none, with: ")).unwrap().1;
    with_own_etc(&shop, &format!("umask 077; {}", line.replace("sudo ", ""))).exits(0);
    let stranger = format!("setpriv --reuid {STRANGER} --regid {STRANGER} --clear-groups flagstone status");
    with_own_etc(&shop, &stranger).exits(0);

    chmod(&shop.directory.join("etc/flagstone"), 0o700);
    chmod(&shop.directory.join("etc/flagstone/store"), 0o600);
    let ran = with_own_etc(&shop, "flagstone kill search --reason slow").exits(0);
    assert!(ran.out.contains("killed search"), "{} {}", ran.out, ran.err);
    let ran = with_own_etc(&shop, &stranger).exits(2);
    let line = ran.err.trim().split_once("type: sudo ").unwrap_or_else(|| panic!("{}", ran.err)).1;
    with_own_etc(&shop, line).exits(0);
    with_own_etc(&shop, &stranger).exits(0);
}

/// A check of doctor, after a line of a shell and with this store named, where `/etc` is a copy.
fn check_with_own_etc(shop: &Shop, line: &str, store: &str, check: &str) -> serde_json::Value {
    let line = format!("{line} FLAGSTONE_STORE={store} flagstone doctor --php ./php --json");
    let checks = with_own_etc(shop, &line).json()["checks"].clone();
    checks.as_array().unwrap().iter().find(|found| found["check"] == check).unwrap().clone()
}

/// After a move the machine's file named the old store still: a kill that named none reached nobody, and doctor found all well.
#[test]
fn doctor_warns_of_another_store_that_lines_without_one_reach() {
    let shop = Shop::passable();
    let directory = shop.directory.canonicalize().unwrap();
    let made = "flagstone init store --environment production --default-store && cp -a store moved";
    with_own_etc(&shop, made).exits(0);
    let check = |line, store| check_with_own_etc(&shop, line, store, "store");
    assert_eq!(check("", "store")["state"], "passed");
    for line in ["", "mv store away;"] {
        let found = check(line, "moved");
        let told = found.to_string();
        assert_eq!(found["state"], "warned", "{told}");
        for name in ["store", "moved"] {
            assert!(told.contains(&format!("{}", directory.join(name).display())), "{told}");
        }
        assert!(told.contains("/etc/flagstone/store names"), "{told}");
    }
    // Another application's store is no remnant.
    with_own_etc(&shop, "mv away store; flagstone init third --environment production").exits(0);
    let found = check("", "third");
    assert_eq!(found["state"], "passed", "{found}");
    let told = format!("may reach another one, {}", directory.join("store").display());
    assert!(found["found"].to_string().contains(&told), "{found}");
}

/// A php-fpm that was installed after `make install` answered off, and nothing said why.
#[test]
fn doctor_names_a_kind_of_php_that_lacks_the_extension() {
    let shop = Shop::passable();
    with_own_etc(&shop, "flagstone init store --environment production").exits(0);
    let status =
        r#"{"version":"","store":null,"environment":null,"generation":0,"source":"none","last_error":null}"#;
    let answer = format!(r#"{{"php":"8.2.29","pid":7,"named":"","status":{status}}}"#);
    let php = shop.write("php", format!("#!/bin/sh\necho 'flagstone-doctor: {answer}'\n"));
    std::fs::set_permissions(php, PermissionsExt::from_mode(0o755)).unwrap();
    let settings = shop.directory.join("etc/php");
    for interface in ["8.2/cli", "8.2/fpm", "8.3/fpm"] {
        std::fs::create_dir_all(settings.join(interface).join("conf.d")).unwrap();
    }
    let check = || check_with_own_etc(&shop, "", "store", "php");
    assert_eq!(check()["state"], "passed", "enabled where nobody can tell");
    std::fs::write(settings.join("8.2/cli/conf.d/20-flagstone.ini"), "").unwrap();
    let found = check();
    assert_eq!(found["state"], "warned", "{found}");
    assert!(found["found"].to_string().contains("/etc/php/8.2/fpm/conf.d lacks flagstone.ini"), "{found}");
    assert_eq!(found["mend"], "sudo phpenmod -v 8.2 -s fpm flagstone && sudo systemctl restart php8.2-fpm");
    std::fs::write(settings.join("8.2/fpm/conf.d/20-flagstone.ini"), "").unwrap();
    assert_eq!(check()["state"], "passed");
}

#[test]
fn check_knows_of_a_rename_by_the_machines_store() {
    let shop = Shop::passable();
    let flags = |key: &str| {
        format!(
            r#"{{"flags": {{"{key}": {{"enabled": true, "rollout": {{"percentage": 50}}}}, "b": true}}}}"#
        )
    };
    shop.write("old.json", flags("old"));
    shop.write("new.json", flags("new"));
    let ran = with_own_etc(&shop, "flagstone check new.json").exits(0);
    assert!(ran.out.contains("fine, 2 flags\n") && ran.err.is_empty(), "{}{}", ran.out, ran.err);
    let lines = "flagstone init store --environment production --default-store && flagstone publish old.json && flagstone check new.json";
    let ran = with_own_etc(&shop, lines).exits(0);
    assert!(ran.out.contains("write \"was\": \"old\" into new if it was renamed"), "{}", ran.out);
}

#[test]
fn init_offers_to_name_the_machines_store_on_a_terminal() {
    let shop = Shop::passable();
    for (answer, named) in [("n", false), ("y", true)] {
        let script = format!(
            "(sleep 1; echo {answer}; sleep 1) | script -qec 'flagstone init store-{answer} --environment production' /dev/null"
        );
        let ran = with_own_etc(&shop, &script);
        assert!(ran.out.contains("/etc/flagstone/store? [y/N]"), "{} {}", ran.out, ran.err);
        assert_eq!(shop.directory.join("etc/flagstone/store").exists(), named, "{}", ran.out);
    }
}

/// Under a umask that takes the owner's own rights, `init` and `key make` failed and left a directory behind that nobody could enter.
#[test]
fn a_store_is_made_under_any_umask() {
    let place = Place::new();
    let shop = Shop::with_command();
    let flagstone = shop.directory.join("flagstone");
    for umask in ["0177", "0300", "0777"] {
        let store = place.path("home").join(umask);
        let line = format!(
            "umask {umask}; '{0}' init '{1}' --environment production && '{0}' key make --store '{1}'",
            flagstone.display(),
            store.display()
        );
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={OWNER}"), "--clear-groups", "sh", "-c", &line]);
        ran(command.current_dir("/").output().unwrap()).exits(0);
        assert_eq!(store.metadata().unwrap().mode() & 0o777, 0o755, "{umask}");
    }
}
