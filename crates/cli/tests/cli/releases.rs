//! Releases named by commits: which one is older is told by the history of the work tree, not by a clock.

use crate::shop::{Ran, Shop, ran};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A store, and a git work tree beside it that belongs to a user who is not root.
struct Site {
    shop: Shop,
    tree: PathBuf,
}

impl Site {
    fn new() -> Site {
        let shop = Shop::passable();
        let tree = shop.directory.join("tree");
        std::fs::create_dir(&tree).unwrap();
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        let site = Site { shop, tree };
        site.git(&["init", "--quiet", "--initial-branch=main"]);
        site
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "safe.directory=*", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]);
        command.args(arguments).current_dir(&self.tree).env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.output().expect("git");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits the file with that percentage; the commit.
    fn commit(&self, percentage: u32, code: &str) -> String {
        let flag = format!(r#"{{"enabled": true, "rollout": {{"percentage": {percentage}}}}}"#);
        std::fs::write(self.tree.join("flags.json"), format!(r#"{{"flags": {{"search": {flag}}}}}"#))
            .unwrap();
        std::fs::write(self.tree.join("code"), code).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", code]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn checkout(&self, commit: &str) {
        self.git(&["checkout", "--quiet", commit]);
    }

    fn publish(&self, release: &str) -> Ran {
        give_away(&self.tree);
        self.publish_file("tree/flags.json", release)
    }

    fn publish_file(&self, file: &str, release: &str) -> Ran {
        ran(self.shop.command(["publish", file, "--release", release]).output().unwrap())
    }

    #[track_caller]
    fn runs_at(&self, percentage: u32) {
        let json = self.shop.run(["show", "search", "--json"]).exits(0).json();
        assert_eq!(json["definition"]["rollout"]["percentage"], percentage);
    }
}

/// Root's work tree becomes another user's: git is not asked as root.
fn give_away(place: &Path) {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    give(place, 65_534);
}

fn give(place: &Path, user: u32) {
    for entry in std::fs::read_dir(place).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => give(&entry.path(), user),
            false => chown(entry.path(), Some(user), Some(user)).unwrap(),
        }
    }
    chown(place, Some(user), Some(user)).unwrap();
}

#[test]
fn a_commit_that_does_not_descend_from_the_last_one_turns_nothing() {
    let site = Site::new();
    let first = site.commit(10, "one");
    site.publish(&first).exits(0);
    let second = site.commit(100, "two");
    site.publish(&second[..12]).exits(0);
    site.runs_at(100);
    // A hotfix from the first release, made later than the second.
    site.checkout(&first);
    let hotfix = site.commit(10, "a hotfix");
    let told = site.publish(&hotfix).exits(0);
    assert!(
        told.out
            .contains(&format!("an older release than {second}, which was published: nothing was turned")),
        "{}",
        told.out
    );
    site.runs_at(100);
    // The first release again.
    site.checkout(&first);
    site.publish(&first).exits(0);
    site.runs_at(100);
    // The next release goes on from the second.
    site.checkout(&second);
    site.publish(&second).exits(0);
    let third = site.commit(25, "three");
    site.publish(&third).exits(0);
    site.runs_at(25);
    // One that changes no flag is the newest all the same.
    let fourth = site.commit(25, "four");
    site.publish(&fourth).exits(0);
    site.checkout(&third);
    let other = site.commit(90, "from three");
    site.publish(&other).exits(0);
    site.runs_at(25);
    // Unless it is said that it is meant.
    let newest = ran(site
        .shop
        .command(["publish", "tree/flags.json", "--release", &other, "--mark-newest"])
        .output()
        .unwrap());
    newest.exits(0);
    site.runs_at(90);
}

/// Such a commit was taken for a number, and a number after a commit for newer: the file of an old release turned flags.
#[test]
fn a_commit_of_digits_alone_is_a_commit() {
    let site = Site::new();
    let first = site.commit(0, "one");
    let is_number = |commit: &str| commit.bytes().all(|byte| byte.is_ascii_digit());
    let find = |code: &str| {
        (0..).map(|at| format!("{code}{at}")).find_map(|message| {
            site.git(&["commit", "--quiet", "--amend", "--message", &message]);
            let id = site.git(&["rev-parse", "HEAD"]);
            is_number(&id[..7]).then_some(id)
        })
    };
    site.commit(10, "two");
    let second = find("two").unwrap();
    let third = site.commit(20, "three");
    site.publish(&third).exits(0);
    site.checkout(&second);
    let older = site.publish(&second[..7]).exits(0);
    assert!(older.out.contains("an older release than"), "{}", older.out);
    site.runs_at(20);
    site.checkout(&first);
    site.publish(&first).exits(0);
    site.runs_at(20);
    // No commit: refused after one, with what to type.
    for number in ["42", "1234567", "2026-12-01T08:00:00Z"] {
        for option in ["--keep", "--dry-run"] {
            let ran = ["publish", "tree/flags.json", "--release", number, option];
            let ran = ran_as(&site, ran).exits(1);
            for told in ["cannot determine whether the number", &third, "git rev-parse HEAD", "--mark-newest"]
            {
                assert!(ran.err.contains(told), "{told}: {}", ran.err);
            }
        }
    }
    site.runs_at(20);
    // Numbers from now on: a commit after one is refused as well.
    ran_as(&site, ["publish", "tree/flags.json", "--release", "1234567", "--mark-newest"]).exits(0);
    site.runs_at(0);
    site.publish("1234568").exits(0);
    let ran = site.publish(&third).exits(1);
    assert!(
        ran.err.contains("published by a number, 1234568") && ran.err.contains("--mark-newest"),
        "{}",
        ran.err
    );
    // And commits again.
    site.checkout(&third);
    ran_as(&site, ["publish", "tree/flags.json", "--release", &third, "--mark-newest"]).exits(0);
    site.runs_at(20);
    site.publish("1234569").exits(1);
    site.publish(&third).exits(0);
}

/// Where git knows no commit of that name, a number of many digits is a number.
#[test]
fn a_number_of_seven_digits_is_a_number_where_git_knows_no_such_commit() {
    let site = Site::new();
    site.commit(10, "one");
    site.publish("20261201").exits(0);
    site.commit(20, "two");
    let older = site.publish("20261130").exits(0);
    assert!(older.out.contains("an older release than 20261201"), "{}", older.out);
    site.runs_at(10);
    site.publish("20261202").exits(0);
    site.runs_at(20);
}

fn ran_as<const N: usize>(site: &Site, arguments: [&str; N]) -> Ran {
    give_away(&site.tree);
    ran(site.shop.command(arguments).output().unwrap())
}

#[test]
fn where_git_cannot_tell_a_number_is_asked_for() {
    let site = Site::new();
    let first = site.commit(10, "one");
    site.commit(20, "two");
    let url = format!("file://{}", site.tree.display());
    site.git(&["clone", "--quiet", "--depth", "1", &url, "../shallow"]);
    give_away(&site.shop.directory.join("shallow"));
    site.checkout(&first);
    site.publish(&first).exits(0);
    let refused = |ran: Ran, told: &str| {
        let ran = ran.exits(1);
        for told in
            ["cannot determine where the release stands: ", told, "nothing was changed", "--release 42"]
        {
            assert!(ran.err.contains(told), "{told}: {}", ran.err);
        }
    };
    refused(site.publish("0123456789abcdef"), "the repository has no commit 0123456789abcdef");
    let text = std::fs::read(site.tree.join("flags.json")).unwrap();
    let alone = site.shop.write("alone.json", &text);
    let mut piped = site.shop.command(["publish", "-", "--release", &first]);
    piped.stdin(std::fs::File::open(alone).unwrap());
    refused(ran(piped.output().unwrap()), "standard input lies in no git work tree");
    refused(site.publish_file("shallow/flags.json", &first), "is a shallow clone");
    if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
        let root = site.shop.directory.join("roots");
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::write(root.join("flags.json"), &text).unwrap();
        refused(site.publish_file("roots/flags.json", &first), "git is not asked as root");
    }
    // A number does not tell whether it is newer than a commit.
    site.publish_file("alone.json", "42").exits(1);
    ran_as(&site, ["publish", "alone.json", "--release", "42", "--mark-newest"]).exits(0);
    site.publish_file("alone.json", "43").exits(0);
    for release in ["", "soon", "HEAD", "--", "abc"] {
        site.publish_file("alone.json", release).exits(2);
    }
}

/// Where root had made the directory for another user, git ran as that user in root's group, and in root's session of keys.
#[test]
fn git_has_no_group_and_no_keys_of_root() {
    let site = Site::new();
    let commit = site.commit(10, "one");
    give_away(&site.tree);
    chown(&site.tree, Some(65_534), Some(0)).expect("root, as sudo make test has");
    let traced = site.shop.directory.join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-e", "trace=setgid,setgroups,keyctl,capset,execve", "-o"])
        .arg(&traced)
        .arg(env!("CARGO_BIN_EXE_flagstone"));
    strace.args(["publish", "tree/flags.json", "--release", &commit, "--store", "store"]);
    let output = strace.current_dir(&site.shop.directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = std::fs::read_to_string(traced).unwrap();
    let git = trace.lines().find(|line| line.contains("/git\"") && line.contains("= 0")).expect("git");
    let process = git.split(' ').next().unwrap();
    let none = "{effective=0, permitted=0, inheritable=0}";
    for call in ["setgroups(0, NULL)", "setgid(65534)", "keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL)", none] {
        assert!(
            trace.lines().any(|line| line.starts_with(process) && line.contains(call)),
            "{call}: {trace}"
        );
    }
}

/// The store's owner asked git about another user's work tree, which git refuses.
#[test]
fn root_publishes_a_commit_of_one_user_in_the_store_of_another() {
    let site = Site::new();
    let (first, second) = (site.commit(10, "one"), site.commit(20, "two"));
    give_away(&site.tree);
    give(&site.shop.directory.join("store"), 64_010);
    site.publish(&second).exits(0);
    site.runs_at(20);
    site.checkout(&first);
    let older = site.publish(&first).exits(0);
    assert!(older.out.contains("an older release than"), "{}", older.out);
    site.runs_at(20);
}

/// Git had the session of who typed, so that a program that the work tree's owner configures could type into root's terminal.
#[test]
fn git_has_a_session_of_its_own() {
    let site = Site::new();
    let commit = site.commit(10, "one");
    give_away(&site.tree);
    let traced = site.shop.directory.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=setsid,execve", "-o"]).arg(&traced).arg(env!("CARGO_BIN_EXE_flagstone"));
    strace.args(["publish", "tree/flags.json", "--release", &commit, "--store", "store"]);
    let output = strace.current_dir(&site.shop.directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = std::fs::read_to_string(traced).unwrap();
    let process = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let lines: Vec<&str> = trace.lines().collect();
    let begun: Vec<usize> =
        (0..lines.len()).filter(|at| lines[*at].contains("/git\"") && lines[*at].contains("= 0")).collect();
    assert!(!begun.is_empty(), "{trace}");
    for at in begun {
        let of = process(lines[at]);
        let own = lines[..at].iter().any(|line| process(line) == of && line.contains("setsid()"));
        assert!(own, "{trace}");
    }
}

// A squash, a rebase or a fresh clone lost the last release's commit, and no later release could be named by a commit.
#[test]
fn a_release_goes_on_after_the_last_ones_commit_is_gone() {
    let site = Site::new();
    let first = site.commit(10, "first");
    site.publish(&first).exits(0);
    site.git(&["checkout", "--quiet", "-b", "hotfix"]);
    let hotfix = site.commit(20, "hotfix");
    site.publish(&hotfix).exits(0);
    site.git(&["checkout", "--quiet", "main"]);
    site.git(&["branch", "--quiet", "-D", "hotfix"]);
    site.git(&["reflog", "expire", "--expire=now", "--all"]);
    site.git(&["gc", "--quiet", "--prune=now"]);
    let merged = site.commit(30, "squashed");
    let refused = site.publish(&merged).exits(1);
    let told = format!(
        "the repository has no commit {hotfix}, the last release; add --mark-newest if this one is newer"
    );
    assert!(refused.err.contains(&told), "{}", refused.err);
    site.runs_at(20);
    let publish = |file: &str, release: &str| {
        give_away(&site.tree);
        ran(site.shop.command(["publish", file, "--release", release, "--mark-newest"]).output().unwrap())
    };
    publish("tree/flags.json", "42").exits(0);
    publish("tree/flags.json", &merged).exits(0);
    site.runs_at(30);
    let next = site.commit(40, "next");
    site.publish(&next).exits(0);
    site.runs_at(40);
    site.publish(&merged).exits(0);
    site.runs_at(40);
}
