//! Whose files a worker believes, and what several users of one machine can do to one store.

mod support;

use flagstone::StoreError;
use flagstone::files::Trust;
use flagstone::publish::Store;
use flagstone::store::{Reader, ReaderOptions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use support::children::{Child, Ended};
use support::stores::{change, new_store, portal, publish, publishers_store, reader, snapshot_file};
use support::{NEEDS_ROOT, TrustedDir, as_root, passable_dir, trusted_dir, user};

const DEPLOY: u32 = 64_001;
const WORKER: u32 = 64_002;
const STRANGER: u32 = 64_003;
const TEAM: u32 = 64_100;

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn refusal(path: &Path) -> String {
    let error = Reader::open(path, ReaderOptions::default()).expect_err("a refusal");
    assert!(matches!(error, StoreError::Untrusted { .. }) && error.is_refusal(), "{error}");
    assert_eq!(Store::open(path).expect_err("a refusal").to_string(), error.to_string());
    error.to_string()
}

/// Types what a refusal says.
fn type_it(refusal: &str) {
    let (_, commands) = refusal.split_once("Type: ").expect("commands to type");
    assert!(as_root("sh").args(["-c", commands]).status().unwrap().success(), "{commands}");
}

fn give(path: &Path, to: u32) {
    let status = as_root("chown").arg(to.to_string()).arg(path).status();
    assert!(status.is_ok_and(|status| status.success()), "chown {}: {NEEDS_ROOT}", path.display());
}

fn store_below(dir: &TrustedDir) -> std::path::PathBuf {
    let path = dir.join("app");
    std::fs::create_dir(&path).unwrap();
    chmod(&path, 0o755);
    let path = path.join("it's a store");
    publish(&new_store(&path), &portal(true));
    path
}

/// One question of `trust/cases.json`, which is put to the extension, the command and the polyfill as well.
#[derive(serde::Deserialize)]
struct Case {
    name: String,
    make: String,
    open: String,
    #[serde(rename = "as")]
    who: String,
    /// The command under which it is asked.
    #[serde(default)]
    within: String,
    /// `flagstone.owner`.
    #[serde(default)]
    owner: String,
    expect: String,
    says: Vec<String>,
}

#[test]
fn every_case_of_the_table_is_judged_as_it_says() {
    let base = passable_dir();
    let cases: Vec<Case> = serde_json::from_str(include_str!("trust/cases.json")).unwrap();
    let numbers = [("DEPLOY", DEPLOY), ("WORKER", WORKER), ("STRANGER", STRANGER), ("TEAM", TEAM)]
        .map(|(name, number)| (name, number.to_string()));
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let dir = base.join(&number.to_string());
        std::fs::create_dir_all(dir.join("app")).unwrap();
        chmod(&dir, 0o755);
        chmod(&dir.join("app"), 0o755);
        publish(&new_store(&dir.join("app/store")), &portal(true));
        let made = as_root("sh")
            .args(["-ec", &case.make])
            .env("D", &dir)
            .envs(numbers.clone())
            .current_dir(&dir)
            .status();
        assert!(made.unwrap().success(), "{}: {}", case.name, case.make);
        let path = dir.join(&case.open);
        let user = match case.who.as_str() {
            "root" => 0,
            "deploy" => DEPLOY,
            "worker" => WORKER,
            "stranger" => STRANGER,
            other => panic!("{}: nobody is {other:?}", case.name),
        };
        let within: Vec<&str> = case.within.split_whitespace().collect();
        let owner = numbers.iter().find(|(name, _)| case.owner == format!("${name}"));
        let owner = owner.map_or("", |(_, number)| number);
        let child = Child::new("judge").set("NUMBER", "0").set("OWNER", owner).store(&path).under(&within);
        let answer = child.by_user(user, user, &[], base.path()).run();
        let text = answer.text();
        let replaced = |text: &str| {
            let replace =
                |text: String, (name, number): &(&str, String)| text.replace(&format!("${name}"), number);
            numbers.iter().fold(text.to_owned(), replace).replace("$D", dir.to_str().unwrap())
        };
        let says = case.says.iter().all(|part| text.contains(&replaced(part)));
        if !text.starts_with(&format!("{}: ", case.expect)) || !says {
            wrong.push(format!(
                "{} (as {}): expected {} {:?}, found {text}",
                case.name, case.who, case.expect, case.says
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// A store below a directory that nothing is mounted on yet was not there, and every flag off after each boot.
#[test]
fn a_store_below_an_automount_is_found_and_judged_by_what_is_mounted() {
    let dir = passable_dir();
    let (automount, source) = (dir.join("automount"), dir.join("source"));
    for place in [&automount, &source] {
        std::fs::create_dir(place).unwrap();
        chmod(place, 0o755);
    }
    publish(&new_store(&source.join("store")), &portal(true));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/trust/automount.py");
    let unshare = ["unshare", "--mount", "--propagation", "private", "python3", script];
    let places = [automount.to_str().unwrap(), source.to_str().unwrap()];
    let ask = || {
        let child = Child::new("judge").set("NUMBER", "0").store(&automount.join("store"));
        child.under(&[&unshare[..], &places[..]].concat()).run()
    };
    let answer = ask();
    if answer.output.status.code() == Some(77) {
        return println!("this kernel has no autofs; `an_automount_is_known` looks at the decision alone");
    }
    assert_eq!(answer.text(), "trusted: ", "{}", String::from_utf8_lossy(&answer.output.stderr));
    give(&source, STRANGER);
    let answer = ask().text();
    assert!(answer.contains(&format!("automount belongs to user {STRANGER}")), "{answer}");
}

/// `/proc/PID/root` has the text `/`: a kill of a container's store from outside was one of the host's.
#[test]
fn a_store_of_another_mount_namespace_is_not_taken_for_one_here() {
    let dir = passable_dir();
    let app = dir.join("app");
    std::fs::create_dir(&app).unwrap();
    chmod(&app, 0o755);
    publish(&new_store(&app.join("store")), &portal(true));
    let script = "cp -a \"$1/store\" \"$2\" && mount -t tmpfs -o mode=0755 none \"$1\" && cp -a \"$2\" \"$1/store\" && echo ready && \
        exec sleep 60";
    let (here, copy) = (app.to_str().unwrap(), dir.join("copy"));
    let mut container = std::process::Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script, "sh", here, copy.to_str().unwrap()])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = String::new();
    let stdout = container.stdout.as_mut().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut ready).unwrap();
    assert_eq!(ready, "ready\n", "{NEEDS_ROOT}");
    let root = format!("/proc/{}/root{here}", container.id());
    let ask = |what: &str, store: &str| {
        let child = Child::new(what).set("NUMBER", "0").store(Path::new(store));
        child.under(&["sh", "-c", "cd \"$0\" && exec \"$@\"", &root]).run().text()
    };
    for what in ["judge", "kill"] {
        let answer = ask(what, "store");
        assert!(answer.contains("the working directory is not what "), "{what}: {answer}");
        assert!(
            answer.contains(
                "by an absolute path. Where the store is a container's, run the command there (docker exec"
            ),
            "{what}: {answer}"
        );
        let answer = ask(what, &format!("{root}/store"));
        assert!(
            answer.contains("Where the store is a container's, run the command there (docker exec"),
            "{what}: {answer}"
        );
        // Whoever enters the namespaces of another user's process as root runs that user's programs as root.
        assert!(!answer.contains("nsenter"), "{what}: {answer}");
        // Where it leads to the store, it is as good as any.
        let child = Child::new(what).set("NUMBER", "0").store(Path::new("store"));
        let answer = child.under(&["sh", "-c", "cd \"$0\" && exec \"$@\"", here]).run();
        assert!(answer.done(), "{what}: {}", answer.text());
    }
    container.kill().unwrap();
    container.wait().unwrap();
}

#[test]
fn what_everybody_can_write_is_refused_and_trusted_again_by_what_it_says_to_type() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    for place in [path.clone(), path.join("head")] {
        let before = support::mode(&place);
        chmod(&place, before | 0o002);
        let text = refusal(&path);
        assert!(text.contains("is writable by everybody (mode 0") && text.contains("chmod o-w "), "{text}");
        type_it(&text);
        assert_eq!(support::mode(&place), before);
        Reader::open(&path, ReaderOptions::default()).expect("trusted again");
    }
}

#[test]
fn a_store_is_made_and_changed_in_a_directory_that_everybody_can_write() {
    let dir = trusted_dir();
    for (name, mode) in [("sticky", 0o1777), ("volume", 0o2777), ("open", 0o777)] {
        let public = dir.join(name);
        std::fs::create_dir(&public).unwrap();
        chmod(&public, mode);
        let path = public.join("flagstone");
        let store = new_store(&path);
        publish(&store, &portal(true));
        store.kill("portal", change()).unwrap();
        let warning = store.trust().warning();
        assert_eq!(warning.is_some(), name != "sticky", "{name}: {warning:?}");
        if let Some(warning) = warning {
            type_it(&warning);
            assert_eq!(*Store::open(&path).unwrap().trust(), Trust::Trusted, "{name}: {warning}");
        }
    }
}

#[test]
fn a_directory_of_another_user_is_refused() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    let app = path.parent().unwrap();
    give(app, STRANGER);
    let text = refusal(&path);
    assert!(text.contains(&format!("belongs to user {STRANGER}, expected root")), "{text}");
    assert!(
        text.contains(&format!("Let user {STRANGER} own the store")) && !text.contains("chown"),
        "{text}"
    );
    give(app, user());
    Reader::open(&path, ReaderOptions::default()).expect("trusted again");
    // Their own store, all of it, is another matter.
    give(&path, STRANGER);
    give(app, STRANGER);
    Reader::open(&path, ReaderOptions::default()).expect("the store's owner may own the way to it");
    // Or it could not be removed.
    give(app, user());
    give(&path, user());
}

#[test]
fn a_store_opened_to_everybody_later_keeps_new_snapshots_out() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    let reader = reader(&path);
    assert_eq!(reader.view().generation, 1);
    let store = Store::open(&path).unwrap();
    publish(&store, &portal(false));
    chmod(&path, 0o777);
    let view = reader.view();
    assert_eq!((view.generation, view.fallback), (1, true));
    assert!(reader.status().last_error.unwrap().contains("chmod o-w"));
    assert!(store.publish(&portal(true), change()).unwrap_err().is_refusal());
}

/// It was reported only when another head came.
#[test]
fn a_store_opened_to_everybody_later_is_reported_at_the_next_look() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    let reader = reader(&path);
    assert_eq!(reader.view().generation, 1);
    let mut now = 0;
    let mut look = || {
        now += 10_000;
        reader.check_replaced(now);
        reader.view();
        reader.status().last_error
    };
    assert_eq!(look(), None);
    for (place, mode) in [(path.clone(), 0o755), (path.join("head"), 0o644)] {
        chmod(&place, mode | 0o022);
        for _ in 0..2 {
            let error = look().unwrap_or_else(|| panic!("{}", place.display()));
            assert!(error.contains("is writable by everybody"), "{error}");
        }
        // What it has stays, and so do kills.
        assert_eq!(reader.view().generation, 1);
        chmod(&place, mode);
        assert_eq!(look(), None);
    }
    chmod(&path, 0o750);
    assert_eq!(look(), None, "less than before is no matter");
}

#[test]
fn a_snapshot_that_everybody_can_write_is_refused() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    chmod(&snapshot_file(&path, 1), 0o646);
    let fresh = reader(&path);
    assert!(fresh.view().snapshot.is_none());
    assert!(fresh.status().last_error.unwrap().contains("chmod o-w"));
    chmod(&snapshot_file(&path, 1), 0o444);
    chmod(&path.join("snapshots"), 0o777);
    assert!(reader(&path).view().snapshot.is_none());
}

#[test]
fn a_snapshot_that_a_stranger_owns_is_refused() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    give(&snapshot_file(&path, 1), STRANGER);
    let reader = reader(&path);
    assert!(reader.view().snapshot.is_none());
    let error = reader.status().last_error.unwrap();
    assert!(error.contains(&format!("belongs to user {STRANGER}")), "{error}");
}

#[test]
fn a_directory_that_a_group_can_write_is_accepted_with_one_warning() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    chmod(path.parent().unwrap(), 0o775);
    let reader = reader(&path);
    let Trust::Warned(warning) = reader.status().trust else { panic!("no warning") };
    assert!(warning.contains("writable by a group (mode 0775)"), "{warning}");
    assert_eq!(reader.take_notices(), [warning]);
    for _ in 0..3 {
        reader.view();
        Store::open(&path).unwrap().kill("portal", change()).unwrap();
        Store::open(&path).unwrap().revive("portal", change()).unwrap();
    }
    assert!(reader.take_notices().is_empty());
    assert_eq!(reader.status().source, flagstone::store::Source::Current);
}

#[test]
fn a_symbolic_link_is_as_good_as_the_directories_it_lies_in_and_leads_to() {
    let dir = trusted_dir();
    let path = store_below(&dir);
    let (good, bad) = (dir.join("good"), dir.join("bad"));
    for (place, mode) in [(&good, 0o755), (&bad, 0o777)] {
        std::fs::create_dir(place).unwrap();
        chmod(place, mode);
        symlink(&path, place.join("link")).unwrap();
    }
    let through = reader(&good.join("link"));
    assert_eq!(through.status().directory, path.canonicalize().unwrap(), "known by its canonical path");
    // Root's link, or one's own, is as good where everybody could have put another.
    reader(&bad.join("link"));
    assert!(
        as_root("chown")
            .args(["-h", &STRANGER.to_string()])
            .arg(bad.join("link"))
            .status()
            .unwrap()
            .success(),
        "{NEEDS_ROOT}"
    );
    assert!(
        refusal(&bad.join("link"))
            .contains(&format!("bad/link belongs to user {STRANGER}, and everybody can write"))
    );
    // A link that leads through the bad directory, relative, and out of it again.
    symlink("../bad/link", good.join("detour")).unwrap();
    assert!(refusal(&good.join("detour")).contains("bad/link belongs to user"));
    reader(&bad.join("../good/link"));
    symlink("loop", good.join("loop")).unwrap();
    assert!(
        Reader::open(&good.join("loop"), ReaderOptions::default())
            .unwrap_err()
            .to_string()
            .contains("symbolic links")
    );
    chmod(&path, 0o777);
    assert!(refusal(&good.join("link")).contains("store is writable by everybody"));
}

#[test]
fn the_kubernetes_way_of_switching_a_link_is_followed() {
    let dir = trusted_dir();
    let (one, two) = (dir.join("one"), dir.join("two"));
    publish(&new_store(&one), &portal(true));
    publish(&new_store(&two), &portal(false));
    symlink("one", dir.join("..data")).unwrap();
    assert_eq!(reader(&dir.join("..data")).view().generation, 1);
}

#[test]
fn what_is_no_store_says_how_to_make_one() {
    let dir = trusted_dir();
    let text = Reader::open(dir.path(), ReaderOptions::default()).unwrap_err().to_string();
    assert!(text.contains("is not a store") && text.contains("flagstone init"), "{text}");
    let text = Reader::open(&dir.join("missing"), ReaderOptions::default()).unwrap_err().to_string();
    assert!(text.contains("cannot open the directory"), "{text}");
    std::fs::write(dir.join("file"), "").unwrap();
    assert!(Reader::open(&dir.join("file"), ReaderOptions::default()).is_err());
    let error = Store::open(&dir.join("a\nb")).unwrap_err().to_string();
    assert!(!error.contains('\n'), "a path cannot forge a line: {error}");
}

fn ask(what: &str, number: u64, path: &Path, who: (u32, u32, &[u32]), passable: &Path) -> Ended {
    let (user, group, groups) = who;
    Child::new(what)
        .set("NUMBER", &number.to_string())
        .store(path)
        .by_user(user, group, groups, passable)
        .run()
}

#[test]
fn a_worker_reads_what_another_user_publishes_and_cannot_change_it() {
    let dir = passable_dir();
    let path = dir.join("store");
    std::fs::create_dir(&path).unwrap();
    chown(&path, Some(DEPLOY), Some(DEPLOY))
        .unwrap_or_else(|_| panic!("two users need root: sudo make test"));
    let (deploy, worker) = ((DEPLOY, DEPLOY, &[] as &[u32]), (WORKER, WORKER, &[] as &[u32]));
    assert_eq!(ask("init", 0, &path, deploy, dir.path()).text(), "made");
    assert_eq!(ask("publish", 1, &path, deploy, dir.path()).text(), "published 1 None");
    assert_eq!(ask("read", 0, &path, worker, dir.path()).text(), "1 trusted Some(Private) None");
    for what in ["publish", "kill"] {
        let refused = ask(what, 2, &path, worker, dir.path());
        assert!(!refused.done());
        assert!(refused.text().contains("Run it as the store's owner"), "{}", refused.text());
    }
    assert_eq!(Store::open(&path).unwrap().generation().unwrap(), 1);
    // Root publishes, and the owner goes on afterwards.
    publish(&Store::open(&path).unwrap(), &portal(true));
    std::fs::remove_file(path.join("audit.jsonl")).unwrap();
    Store::open(&path).unwrap().kill("portal", change()).unwrap();
    assert_eq!(ask("publish", 3, &path, deploy, dir.path()).text(), "published 3 None");
    assert_eq!(ask("read", 0, &path, worker, dir.path()).text(), "3 trusted Some(Private) None");
}

#[test]
fn a_store_made_for_publishers_of_one_group_works_as_before() {
    let dir = passable_dir();
    let parent = dir.join("parent");
    std::fs::create_dir(&parent).unwrap();
    chown(&parent, Some(DEPLOY), Some(DEPLOY))
        .unwrap_or_else(|_| panic!("two users need root: sudo make test"));
    let path = parent.join("store");
    let (deploy, worker, third) = (
        (DEPLOY, DEPLOY, &[TEAM] as &[u32]),
        (WORKER, WORKER, &[TEAM] as &[u32]),
        (STRANGER, TEAM, &[TEAM] as &[u32]),
    );
    assert_eq!(ask("init", 0, &path, deploy, dir.path()).text(), "made");
    publishers_store(&path, TEAM);
    for round in 0..3 {
        let next = round * 2 + 1;
        assert_eq!(ask("publish", next, &path, deploy, dir.path()).text(), format!("published {next} None"));
        let next = next + 1;
        assert_eq!(ask("publish", next, &path, worker, dir.path()).text(), format!("published {next} None"));
        for who in [deploy, worker, third] {
            let text = ask("read", 0, &path, who, dir.path()).text();
            assert_eq!(text, format!("{next} warned Some(Private) None"));
        }
    }
    assert_eq!(ask("kill", 0, &path, third, dir.path()).text(), "killed None");
    assert_eq!(Store::open(&path).unwrap().verify_audit().unwrap().first_bad, None);
    let stranger = ask("read", 0, &path, (STRANGER, STRANGER, &[]), dir.path());
    assert!(!stranger.done() && stranger.text().contains("Permission denied"), "{}", stranger.text());
}

#[test]
fn a_group_that_one_is_not_in_cannot_be_the_readers() {
    let dir = passable_dir();
    let parent = dir.join("parent");
    std::fs::create_dir(&parent).unwrap();
    chown(&parent, Some(DEPLOY), Some(DEPLOY))
        .unwrap_or_else(|_| panic!("two users need root: sudo make test"));
    let made = Child::new("init").store(&parent.join("store")).set("READERS", &TEAM.to_string());
    let made = made.by_user(DEPLOY, DEPLOY, &[], dir.path()).run();
    assert!(!made.done() && made.text().contains("usermod -aG"), "{}", made.text());
    assert!(!parent.join("store").exists());
}

#[test]
fn a_store_for_readers_is_read_by_them_and_changed_by_its_owner_alone() {
    let dir = passable_dir();
    let path = dir.join("store");
    std::fs::create_dir(&path).unwrap();
    chown(&path, Some(DEPLOY), Some(DEPLOY))
        .unwrap_or_else(|_| panic!("two users need root: sudo make test"));
    let deploy = (DEPLOY, DEPLOY, &[TEAM] as &[u32]);
    let made = Child::new("init").store(&path).set("READERS", &TEAM.to_string());
    assert_eq!(made.by_user(DEPLOY, DEPLOY, &[TEAM], dir.path()).run().text(), "made");
    assert_eq!(ask("publish", 1, &path, deploy, dir.path()).text(), "published 1 None");
    let worker = (WORKER, WORKER, &[TEAM] as &[u32]);
    assert_eq!(ask("read", 0, &path, worker, dir.path()).text(), "1 trusted Some(Private) None");
    for what in ["publish", "kill"] {
        let refused = ask(what, 2, &path, worker, dir.path());
        assert!(!refused.done() && refused.text().contains("Permission denied"), "{}", refused.text());
    }
    let stranger = ask("read", 0, &path, (STRANGER, STRANGER, &[]), dir.path());
    assert!(!stranger.done() && stranger.text().contains("Permission denied"), "{}", stranger.text());
    // Root's change gives nothing to anybody else.
    let store = Store::open(&path).unwrap();
    publish(&store, &portal(true));
    store.make_export_key().unwrap();
    for (name, mode) in [
        ("", 0o750),
        ("snapshots", 0o750),
        ("head", 0o640),
        ("lock", 0o600),
        ("head.lock", 0o600),
        ("audit.jsonl", 0o640),
        ("keys", 0o700),
        ("keys/signing", 0o600),
    ] {
        let found = std::fs::metadata(path.join(name)).unwrap();
        assert_eq!(
            (found.permissions().mode() & 0o7777, found.uid(), found.gid()),
            (mode, DEPLOY, TEAM),
            "{name}"
        );
    }
    assert_eq!(support::mode(&snapshot_file(&path, 2)), 0o440);
}

/// What of a store belongs to whom, with which mode.
fn owners(path: &Path) -> Vec<(String, u32, u32, u32)> {
    let names = [
        "",
        "head",
        "lock",
        "audit.jsonl",
        "config.json",
        "snapshots",
        "guard",
        "guard/lock",
        "guard/state.json",
        "keys",
        "keys/signing",
        "keys/trusted",
    ];
    let found = names.iter().map(|name| {
        let found =
            std::fs::symlink_metadata(path.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        ((*name).to_owned(), found.mode() & 0o7777, found.uid(), found.gid())
    });
    found.collect()
}

#[test]
fn a_store_with_a_publishing_group_is_given_to_its_owner_without_root() {
    let dir = passable_dir();
    let path = dir.join("store");
    std::fs::create_dir(&path).unwrap();
    chown(&path, Some(DEPLOY), Some(DEPLOY))
        .unwrap_or_else(|_| panic!("two users need root: sudo make test"));
    let (deploy, worker) = ((DEPLOY, DEPLOY, &[TEAM] as &[u32]), (WORKER, WORKER, &[TEAM] as &[u32]));
    assert_eq!(ask("init", 0, &path, deploy, dir.path()).text(), "made");
    publishers_store(&path, TEAM);
    // A member of the group has made files of its own, a folder among them, and a link.
    for (what, expected) in
        [("publish", "published 1 None"), ("kill", "killed None"), ("keep", "kept"), ("key", "made")]
    {
        assert_eq!(ask(what, 1, &path, worker, dir.path()).text(), expected);
    }
    std::fs::write(path.join("config.json"), "{\"machines\":{\"web-2\":{\"run\":[\"evil\"]}}}").unwrap();
    chown(path.join("config.json"), Some(WORKER), Some(TEAM)).unwrap();
    std::fs::hard_link(path.join("audit.jsonl"), path.join("again")).unwrap();
    let watching = reader(&path);
    assert!(watching.view().snapshot.is_some());

    let refused = ask("migrate", 0, &path, worker, dir.path());
    assert!(
        !refused.done() && refused.text().contains("only its owner, user 64001, or root"),
        "{}",
        refused.text()
    );
    let migrated = Child::new("migrate").store(&path).set("READERS", &TEAM.to_string());
    let migrated = migrated.by_user(DEPLOY, DEPLOY, &[TEAM], dir.path()).run();
    assert!(migrated.done(), "{}", migrated.text());
    assert!(migrated.text().contains("config.json.aside"), "{}", migrated.text());
    assert!(!path.join("config.json").exists(), "what a member wrote is not the owner's now");

    let store = Store::open(&path).unwrap();
    assert_eq!((store.trust(), store.publishers().unwrap()), (&Trust::Trusted, None));
    store.write_config(None, b"{}\n").unwrap();
    let expected = [0o750, 0o640, 0o600, 0o640, 0o640, 0o750, 0o750, 0o600, 0o640, 0o700, 0o600, 0o600];
    for ((name, mode, user, group), expected) in owners(&path).into_iter().zip(expected) {
        assert_eq!((mode, user, group), (expected, DEPLOY, TEAM), "{name}: {mode:o}");
    }
    assert_eq!(support::mode(&snapshot_file(&path, 1)), 0o440);
    // Workers go on, the kill holds, the trail is whole and tells of it; its members only read.
    watching.check_replaced(1_000_000);
    assert_eq!((watching.view().generation, watching.status().killed), (1, vec!["portal".to_owned()]));
    assert_eq!(store.verify_audit().unwrap().first_bad, None);
    assert_eq!(store.history().unwrap().last().unwrap().action, Some(flagstone::audit::Action::Migrate));
    assert_eq!(ask("publish", 2, &path, deploy, dir.path()).text(), "published 2 None");
    assert!(!ask("publish", 3, &path, worker, dir.path()).done());
    assert_eq!(ask("read", 0, &path, worker, dir.path()).text(), "2 trusted Some(Private) None");
}

#[test]
fn a_migration_that_meets_a_link_says_how_it_goes_on() {
    // It ended half-way and named neither what was to be done with the link nor that it can be typed again.
    let dir = trusted_dir();
    let path = store_below(&dir);
    std::fs::create_dir_all(path.join("notify")).unwrap();
    let link = path.join("notify/x.json");
    std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
    let store = Store::open(&path).unwrap();
    let text = store.migrate(None, &change()).unwrap_err().to_string();
    assert!(text.contains("found a symbolic link") && text.contains("type the same again"), "{text}");
    type_it(&text);
    store.migrate(None, &change()).unwrap();
}
