//! One owner publishes, others read: in a pod without root, and out of a group that published. Only root plays several users.

use crate::shop::{FLAGS, Ran, Shop, ran};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// As OpenShift numbers a pod's user; the machine knows no such user, and the process has no home.
const POD: u32 = 1_000_620_000;
const FS_GROUP: u32 = 2_000;
/// The user `games`.
const GAMES: u32 = 5;
const OWNER: u32 = 64_020;
const MEMBER: u32 = 64_021;

/// A directory that all users can pass, with a copy of the command in it.
struct Machine {
    shop: Shop,
}

impl Machine {
    fn new() -> Machine {
        assert!(
            rustix::process::geteuid().is_root(),
            "only root may play other users: run the tests as root"
        );
        let shop = Shop::with_command();
        shop.write("flags.json", FLAGS);
        Machine { shop }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.shop.directory.join(name)
    }

    /// A program as that user, of that group and these further ones.
    fn run<const N: usize>(&self, who: (u32, u32, &str), program: &str, arguments: [&str; N]) -> Ran {
        let (user, group, groups) = who;
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={user}")).arg(format!("--regid={group}"));
        match groups {
            "" => command.arg("--clear-groups"),
            groups => command.arg(format!("--groups={groups}")),
        };
        command.args(["--no-new-privs", program]).args(arguments);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(&self.shop.directory)
            .stdin(Stdio::null());
        ran(command.output().unwrap())
    }

    /// What `init --group www-data` made, with flags and a key.
    fn makes_a_store_of_a_group(&self) {
        std::fs::create_dir(self.path("store")).unwrap();
        chown(self.path("store"), Some(OWNER), Some(OWNER)).unwrap();
        let flagstone = self.path("flagstone");
        let flagstone = flagstone.to_str().unwrap();
        let owner = (OWNER, OWNER, "33");
        self.run(owner, flagstone, ["init", "store", "--environment", "production"]).exits(0);
        self.run(owner, flagstone, ["publish", "flags.json", "--store", "store"]).exits(0);
        self.run(owner, flagstone, ["key", "make", "--store", "store"]).exits(0);
        let made = "chgrp -R 33 . && chmod 2770 . snapshots keys && chmod 0660 head lock audit.jsonl && chmod 0640 head.lock && chmod 0440 snapshots/* && chmod 0640 keys/*";
        let made = Command::new("sh").args(["-ec", made]).current_dir(self.path("store")).status().unwrap();
        assert!(made.success());
    }
}

#[test]
fn a_store_below_a_directory_of_everybodys_is_told_to_be_its_owners_alone() {
    // init said that everybody reads it and doctor that all was well, and each worker of another user refused it.
    let machine = Machine::new();
    std::fs::create_dir(machine.path("pod")).unwrap();
    std::fs::set_permissions(machine.path("pod"), PermissionsExt::from_mode(0o1777)).unwrap();
    let flagstone = machine.path("flagstone");
    let flagstone = flagstone.to_str().unwrap();
    let owner = (POD, 0, "");
    let made = machine.run(owner, flagstone, ["init", "pod/store", "--environment", "production"]).exits(0);
    assert!(made.out.contains("only its owner's processes read it: everybody can write"), "{}", made.out);
    machine.run(owner, flagstone, ["publish", "flags.json", "--store", "pod/store", "--yes"]).exits(0);
    let doctor = machine.run(owner, flagstone, ["doctor", "--store", "pod/store"]).out;
    assert!(
        doctor.contains("only its owner's processes read it") && doctor.contains("moving.md"),
        "{doctor}"
    );
    let other = machine.run((OWNER, OWNER, ""), flagstone, ["status", "--store", "pod/store"]);
    assert_ne!(other.code, 0, "{}", other.out);

    std::fs::create_dir(machine.path("own")).unwrap();
    chown(machine.path("own"), Some(POD), Some(0)).unwrap();
    let made = machine.run(owner, flagstone, ["init", "own/store", "--environment", "production"]).exits(0);
    assert!(made.out.contains("every user of this machine reads it"), "{}", made.out);
}

#[test]
fn a_daemon_or_guard_that_may_not_write_ends_with_2() {
    let machine = Machine::new();
    machine.shop.run(["init", "store", "--environment", "production"]).exits(0);
    machine.shop.run(["publish", "flags.json"]).exits(0);
    let flagstone = machine.path("flagstone");
    for name in ["run", "guard"] {
        let arguments = [name, "--store", "store", "--memory", "/dev/shm"];
        let ran = machine.run((MEMBER, MEMBER, ""), flagstone.to_str().unwrap(), arguments).exits(2);
        assert!(ran.err.contains("Permission denied"), "{name}: {}", ran.err);
    }
}

#[test]
fn doctor_tells_another_user_that_the_config_is_for_its_owner() {
    // It failed, and told root to move the owner's valid file aside.
    let machine = Machine::new();
    let flagstone = machine.path("flagstone");
    let flagstone = flagstone.to_str().unwrap();
    let store = machine.path("store");
    std::fs::create_dir(&store).unwrap();
    chown(&store, Some(OWNER), Some(OWNER)).unwrap();
    let owner = (OWNER, OWNER, "");
    machine.run(owner, flagstone, ["init", "store", "--environment", "production"]).exits(0);
    machine.run(owner, flagstone, ["publish", "flags.json", "--store", "store"]).exits(0);
    machine.run(owner, flagstone, ["config", "telemetry.users", "[1500]", "--store", "store"]).exits(0);
    let said = machine.run((MEMBER, MEMBER, ""), flagstone, ["doctor", "--store", "store"]);
    let line =
        said.out.lines().find(|line| line.contains("config.json")).unwrap_or_else(|| panic!("{}", said.out));
    assert!(
        line.contains(&format!("is for its owner, user {OWNER}")) && !said.out.contains("mv "),
        "{}",
        said.out
    );
    assert!(!line.contains("FAILED"), "{line}");
}

#[test]
fn an_unprivileged_pod_has_a_store_in_an_empty_dir() {
    let machine = Machine::new();
    // As Kubernetes makes an emptyDir where fsGroup is set.
    let volume = machine.path("volume");
    std::fs::create_dir(&volume).unwrap();
    chown(&volume, None, Some(FS_GROUP)).unwrap();
    std::fs::set_permissions(&volume, PermissionsExt::from_mode(0o2777)).unwrap();
    let pod = (POD, 0, "2000");
    let store = volume.join("shop");
    let store = store.to_str().unwrap();
    let flagstone = machine.path("flagstone");
    let flagstone = flagstone.to_str().unwrap();
    let run = |arguments: [&str; 4]| machine.run(pod, flagstone, arguments);
    run(["init", store, "--environment", "production"]).exits(0);
    run(["publish", "flags.json", "--store", store]).exits(0);
    let status = run(["status", "--json", "--store", store]).exits(0).json();
    assert_eq!(status["warning"], serde_json::Value::Null);
    run(["ask", "billing_v2", "--store", store]).exits(0);
    machine.run(pod, flagstone, ["kill", "billing_v2", "--reason", "slow", "--store", store]).exits(0);
    run(["ask", "billing_v2", "--store", store]).exits(1);

    // Another user takes no store of theirs for their own, and is told what to type.
    let other = (POD + 1, 0, "2000");
    let refused = machine.run(other, flagstone, ["status", "--store", store]).exits(2);
    let (_, line) = refused.err.trim_end().split_once("Type: ").unwrap_or_else(|| panic!("{}", refused.err));
    assert_eq!(line, format!("mkdir -m 0755 {}/flagstone", volume.display()));
    machine.run(other, "sh", ["-c", line]).exits(0);
    let own = format!("{}/flagstone/shop", volume.display());
    machine.run(other, flagstone, ["init", &own, "--environment", "production"]).exits(0);
}

#[test]
fn doctor_names_a_store_whose_group_publishes_and_one_command_gives_it_to_its_owner() {
    let machine = Machine::new();
    machine.makes_a_store_of_a_group();
    let flagstone = machine.path("flagstone");
    let flagstone = flagstone.to_str().unwrap();
    let (owner, member) = ((OWNER, OWNER, "33"), (MEMBER, MEMBER, "33"));
    let killed = machine.run(member, flagstone, ["kill", "search", "--reason", "slow", "--store", "store"]);
    killed.exits(0);

    let report = machine.run(owner, flagstone, ["doctor", "--json", "--store", "store"]).json();
    let checks = report["checks"].as_array().unwrap();
    let found =
        checks.iter().find(|check| check["check"] == "permissions").unwrap_or_else(|| panic!("{report}"));
    let store = machine.path("store");
    let line = format!("flagstone migrate --readers 'www-data' --store '{}'", store.display());
    assert!(found.to_string().contains("every member of the group www-data publishes"), "{found}");
    assert!(found.to_string().contains(&line), "{found}");

    let refused =
        machine.run(member, flagstone, ["migrate", "--readers", "www-data", "--store", "store"]).exits(1);
    assert!(refused.err.contains("only its owner, user 64020, or root can migrate"), "{}", refused.err);
    let inodes = || {
        ["head", "head.lock", "lock", "audit.jsonl"]
            .map(|name| std::fs::metadata(store.join(name)).unwrap().ino())
    };
    let before = inodes();
    let migrated =
        machine.run(owner, flagstone, ["migrate", "--readers", "www-data", "--store", "store"]).exits(0);
    // What a worker of the group had open went on being the store's: it could revive a flag, and hold the locks.
    let after = inodes();
    assert!(before.iter().zip(after).all(|(before, after)| *before != after), "{before:?} {after:?}");
    assert!(migrated.out.contains("the members of www-data read"), "{}", migrated.out);
    assert!(migrated.err.contains("could read the key for exports"), "{}", migrated.err);
    machine.run(member, flagstone, ["kill", "old", "--reason", "slow", "--store", "store"]).exits(2);
    machine.run(member, flagstone, ["ask", "search", "--store", "store"]).exits(1);
    machine.run(owner, flagstone, ["revive", "search", "--store", "store"]).exits(0);
    assert_eq!(std::fs::metadata(&store).unwrap().mode() & 0o7777, 0o750);
    let report = machine.run(owner, flagstone, ["doctor", "--json", "--store", "store"]).json();
    assert!(!report.to_string().contains("migrate"), "{report}");
}

/// Root became an owner who is in no group, could not open what a member had written, and stopped half-way.
#[test]
fn root_migrates_a_store_whose_owner_is_not_in_its_group() {
    let machine = Machine::new();
    machine.makes_a_store_of_a_group();
    machine.shop.write("store/config.json", "{}");
    // A user of every Debian, whose own group is another one.
    let made = format!(
        "chown -R games:33 . && chown {MEMBER}:33 config.json head snapshots/* && chmod 0640 config.json"
    );
    let made = Command::new("sh").args(["-ec", &made]).current_dir(machine.path("store")).status().unwrap();
    assert!(made.success());
    // It could not give that group what it publishes afterwards.
    let refused = machine.shop.run(["migrate", "--readers", "www-data"]).exits(1);
    assert!(refused.err.contains("usermod -aG \"www-data\" games"), "{}", refused.err);
    assert_eq!(std::fs::metadata(machine.path("store")).unwrap().mode() & 0o7777, 0o2770);
    machine.shop.run(["migrate"]).exits(0);
    for (name, mode) in [("", 0o755), ("head", 0o644), ("snapshots", 0o755), ("keys", 0o755)] {
        let found = std::fs::metadata(machine.path("store").join(name)).unwrap();
        assert_eq!((found.uid(), found.mode() & 0o7777), (GAMES, mode), "{name}");
    }
    machine.shop.run(["disable", "search", "--yes", "--reason", "slow"]).exits(0);
}

// It said to type `sudo -u nobody`, which is nobody's store either.
#[test]
fn a_user_namespace_that_does_not_map_an_owner_is_named() {
    let shop = Shop::passable();
    shop.write("flags.json", FLAGS);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    let within = |options: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command
            .args(["--reuid", "64074", "--regid", "64074", "--clear-groups", "unshare", "-U"])
            .args(options);
        command.args([env!("CARGO_BIN_EXE_flagstone"), "status"]).current_dir(&shop.directory).env_clear();
        crate::shop::ran(
            command.env("PATH", "/usr/bin:/bin").env("FLAGSTONE_STORE", "store").output().unwrap(),
        )
    };
    let ran = within(&["-r"]).exits(2);
    let said =
        "belongs to a user that this user namespace does not map, and root works in no store but its own";
    assert!(ran.err.contains(said) && !ran.err.contains("sudo"), "{}", ran.err);
    let given = Command::new("chown").args(["-hR", "64074"]).arg(&shop.directory).status();
    assert!(given.unwrap().success());
    for options in [&["-r"][..], &["--map-current-user"]] {
        let ran = within(options).exits(2);
        let said = "/ belongs to a user that this user namespace does not map, and all of those look like user 65534";
        assert!(ran.err.contains(said) && !ran.err.contains("Let user"), "{options:?}: {}", ran.err);
    }
}

/// An owner who was taken out of the readers' group read "Operation not permitted", and the advice to run it as the owner.
#[test]
fn an_owner_who_left_the_group_of_the_readers_is_told_of_it() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("store")).unwrap();
    chown(machine.path("store"), Some(GAMES), Some(GAMES)).unwrap();
    let flagstone = machine.path("flagstone");
    let flagstone = flagstone.to_str().unwrap();
    let init = ["init", "store", "--environment", "production", "--readers", "www-data"];
    machine.run((GAMES, GAMES, "33"), flagstone, init).exits(0);
    let publish = ["publish", "flags.json", "--store", "store"];
    let refused = machine.run((GAMES, GAMES, ""), flagstone, publish);
    assert_ne!(refused.code, 0);
    for text in ["user games", "group www-data", "usermod -aG www-data games", "nothing was changed"] {
        assert!(refused.err.contains(text), "{text}: {}", refused.err);
    }
    machine.run((GAMES, GAMES, "33"), flagstone, publish).exits(0);
}
