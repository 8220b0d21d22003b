//! Whoever can write a store's directory cannot lead those who change it out of it.
//!
//! The store is another user's, the process that changes it is root's, and what the links lead to is root's as well: were one followed,
//! it would be written, given away or removed.

mod support;

use flagstone::StoreError;
use flagstone::audit::Action;
use flagstone::guard::GuardState;
use flagstone::notify::Cursor;
use flagstone::plan::Verdict;
use flagstone::publish::{Store, Ticker};
use flagstone::store::{Reader, ReaderOptions};
use flagstone::transfer::Trusted;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, inotify, renameat_with};
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::stores::{change, definitions, new_store, numbered, portal, publish, snapshot_file};
use support::{NEEDS_ROOT, TrustedDir, as_root, trusted_dir};

const DEPLOY: u32 = 64_001;

/// Everything in a store that a command opens, folders first.
const NAMES: [&str; 14] = [
    "guard",
    "notify",
    "keys",
    "snapshots",
    "head",
    "lock",
    "head.lock",
    "audit.jsonl",
    "config.json",
    "guard/lock",
    "guard/state.json",
    "notify/daemon.lock",
    "notify/daemon.json",
    "keys/trusted",
];

/// A store of another user's, and beside it a directory of root's that looks like one.
struct Scene {
    _dir: TrustedDir,
    store: PathBuf,
    outside: PathBuf,
}

fn scene() -> Scene {
    assert_eq!(support::user(), 0, "{NEEDS_ROOT}");
    let dir = trusted_dir();
    let (home, outside) = (dir.join("home"), dir.join("outside"));
    for path in [&home, &outside] {
        std::fs::create_dir(path).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let store = home.join("store");
    for path in [&store, &outside] {
        let made = new_store(path);
        publish(&made, &portal(true));
        publish(&made, &numbered(2));
        made.make_export_key().unwrap();
        made.write_config(None, b"{\"confirm_above\":0.5}\n").unwrap();
        let _ = made.trust_key("hub", Some(key()), &change()).unwrap();
        made.guarding().unwrap().unwrap().keep(&GuardState::default()).unwrap();
        made.sender("daemon").unwrap().unwrap().save(&Cursor::default()).unwrap();
    }
    for name in ["snapshots/.important.tmp", ".head.tmp", "important"] {
        std::fs::write(outside.join(name), "root's").unwrap();
    }
    let given = as_root("chown").args(["-R", &DEPLOY.to_string()]).arg(&home).status();
    assert!(given.unwrap().success(), "{NEEDS_ROOT}");
    Scene { _dir: dir, store, outside }
}

fn key() -> Trusted {
    let key = flagstone::transfer::ExportKey::from_seed(&[7; 32]);
    Trusted::new("hub", &key.public()).unwrap()
}

/// What a command does, by its name. Each makes a change whenever it comes through.
type Command = (&'static str, fn(&Path, u64) -> Result<(), StoreError>);

const COMMANDS: [Command; 13] = [
    ("publish", |path, number| Store::open(path)?.publish(&numbered(number), change()).map(drop)),
    ("kill", |path, _| {
        let store = Store::open(path)?;
        store.kill("portal", change())?;
        store.revive("portal", change()).map(drop)
    }),
    ("rollback", |path, _| Store::open(path)?.rollback(None, change()).map(drop)),
    ("plan tick", |path, number| {
        let flags = format!(
            r#"{{"portal":{{"description":"{number}","enabled":true,"plan":{{"stages":[{{"percentage":1,"soak":"1s"}},{{"percentage":100}}]}}}}}}"#
        );
        let store = Store::open(path)?;
        store.publish(&definitions(&flags), change())?;
        Ticker::new(store).tick(&change(), None, false, |_, _| Verdict::Go).map(drop)
    }),
    ("guard", |path, _| match Store::open(path)?.guarding()? {
        Some(guarding) => guarding.keep(&GuardState::default()),
        None => Ok(()),
    }),
    ("notify", |path, _| match Store::open(path)?.sender("daemon")? {
        Some(sender) => sender.save(&Cursor::default()),
        None => Ok(()),
    }),
    ("key make", |path, _| {
        // By a descriptor: this test is not led out either.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        if let Ok(keys) = rustix::fs::open(path.join("keys"), flags, Mode::empty()) {
            let _ = rustix::fs::unlinkat(keys, "signing", AtFlags::empty());
        }
        Store::open(path)?.make_export_key().map(drop)
    }),
    ("key trust", |path, _| {
        let store = Store::open(path)?;
        let _ = store.trust_key("hub", None, &change())?;
        store.trust_key("hub", Some(key()), &change()).map(drop)
    }),
    ("config", |path, number| {
        let store = Store::open(path)?;
        let before = store.config_text()?;
        store.write_config(before.as_deref(), format!("{{\"confirm_above\":0.{number}}}").as_bytes())
    }),
    ("promote", |path, number| {
        let store = Store::open(path)?;
        let origin = store.origin()?;
        store.publish_arrival(&numbered(number), &origin, change()).map(drop)
    }),
    ("disable", |path, number| {
        let store = Store::open(path)?;
        store.publish_edit(&numbered(number), (Action::Disable, "portal"), change()).map(drop)
    }),
    ("status", |path, _| {
        let store = Store::open(path)?;
        store.status()?;
        store.history()?;
        store.config()?;
        store.verify_audit().map(drop)
    }),
    ("read", |path, _| Reader::open(path, ReaderOptions::default()).map(|reader| drop(reader.view()))),
];

/// All that can be seen of a directory and what is in it, without opening a file.
fn look(path: &Path) -> String {
    let mut text = String::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let found = std::fs::symlink_metadata(&path).unwrap();
        let times = (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
        let (mode, owner) = (found.mode(), (found.uid(), found.gid()));
        writeln!(text, "{} {mode:o} {owner:?} {} {} {times:?}", path.display(), found.len(), found.nlink())
            .unwrap();
        if found.is_dir() {
            let mut entries: Vec<_> =
                std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()).collect();
            entries.sort();
            pending.extend(entries);
        }
    }
    text
}

/// Tells of every open and change of a directory and what is in it, from now on.
struct Watch(std::os::fd::OwnedFd);

impl Watch {
    fn begin(path: &Path) -> Watch {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        use inotify::WatchFlags as On;
        // Not what is closed: a child process that the test makes closes what it got with its birth.
        let events =
            On::OPEN | On::MODIFY | On::ATTRIB | On::CREATE | On::DELETE | On::MOVED_FROM | On::MOVED_TO;
        for folder in ["", "guard", "notify", "keys", "snapshots"] {
            inotify::add_watch(&watch, path.join(folder), events).unwrap();
        }
        Watch(watch)
    }

    /// What was opened, written, given other permissions, made or removed.
    fn events(&self) -> Vec<String> {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 65_536];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut seen = Vec::new();
        while let Ok(event) = reader.next() {
            seen.push(format!("{:?} {:?}", event.events(), event.file_name()));
        }
        seen
    }
}

/// Puts links in the place of a store's files and takes them away again, one name after the other, until it is told to stop.
fn exchange(scene: &Scene, target: &AtomicUsize, stop: &AtomicBool, exchanges: &AtomicUsize) {
    let links: Vec<PathBuf> = NAMES
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let link = scene.store.parent().unwrap().join(format!("link-{number}"));
            symlink(scene.outside.join(name), &link).unwrap();
            link
        })
        .collect();
    while !stop.load(Ordering::Relaxed) {
        let number = target.load(Ordering::Relaxed);
        let (name, link) = (scene.store.join(NAMES[number]), &links[number]);
        let swap = || renameat_with(CWD, &name, CWD, link, RenameFlags::EXCHANGE).is_ok();
        // What a command replaced meanwhile is swapped back as it is: only the link goes out again.
        if swap() {
            let exchanges = exchanges.fetch_add(1, Ordering::Relaxed);
            (0..exchanges % 400).for_each(|_| std::hint::spin_loop());
            if std::fs::symlink_metadata(&name).is_ok_and(|found| found.is_symlink()) {
                swap();
            } else if std::fs::symlink_metadata(link).is_ok_and(|found| found.is_dir()) {
                // The command made a folder of its own where the link was removed.
                swap();
            }
        }
        if !std::fs::symlink_metadata(link).is_ok_and(|found| found.is_symlink()) {
            let _ = std::fs::remove_file(link);
            let _ = symlink(scene.outside.join(NAMES[number]), link);
        }
    }
}

#[test]
fn links_that_are_exchanged_while_a_store_is_changed_lead_nobody_out_of_it() {
    for (name, command) in COMMANDS {
        let scene = scene();
        let (target, stop, exchanged) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicUsize::new(0));
        let before = look(&scene.outside);
        let watch = Watch::begin(&scene.outside);
        let (mut done, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| exchange(&scene, &target, &stop, &exchanged));
            let since = Instant::now();
            let mut number = 0;
            // On a busy machine the other thread waits for its turn.
            let enough = || exchanged.load(Ordering::Relaxed) >= 100;
            let over = |since: Instant| since.elapsed() > Duration::from_secs(60);
            while since.elapsed() < Duration::from_millis(400) || done == 0 || !(enough() || over(since)) {
                number += 1;
                target.store(number as usize % NAMES.len(), Ordering::Relaxed);
                match command(&scene.store, number) {
                    Ok(()) => done += 1,
                    Err(_) => refused += 1,
                }
            }
            stop.store(true, Ordering::Relaxed);
            thread.join().unwrap();
        });
        let exchanges = exchanged.into_inner();
        assert_eq!(watch.events(), [] as [String; 0], "{name}: opened outside of the store");
        assert_eq!(look(&scene.outside), before, "{name}");
        println!("{name}: {done} done, {refused} refused, {exchanges} exchanges");
        assert!(
            exchanges >= 100 && done > 0,
            "{name}: {done} done, {refused} refused, {exchanges} exchanges"
        );
    }
}

/// What is put in the place of a file of the store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Link,
    BrokenLink,
    HardLink,
    Pipe,
    Device,
    Directory,
    Foreign,
}

const KINDS: [Kind; 7] =
    [Kind::Link, Kind::BrokenLink, Kind::HardLink, Kind::Pipe, Kind::Device, Kind::Directory, Kind::Foreign];

#[test]
fn whatever_lies_in_the_place_of_a_file_nothing_outside_is_opened_and_nobody_is_waited_for() {
    let scene = scene();
    let before = look(&scene.outside);
    let watch = Watch::begin(&scene.outside);
    let good = scene.store.with_file_name("good");
    let run = |program: &str, arguments: &[&str]| {
        let status = as_root(program).args(arguments).status();
        assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
    };
    run("cp", &["-a", scene.store.to_str().unwrap(), good.to_str().unwrap()]);
    let snapshot = snapshot_file(&scene.store, 2);
    let snapshot = snapshot.strip_prefix(&scene.store).unwrap().to_str().unwrap();
    for name in NAMES.iter().copied().chain(["keys/signing", snapshot]) {
        for kind in KINDS {
            let path = scene.store.join(name);
            let is_folder = path.is_dir();
            // A directory has one name; and what is somebody else's directory here is a directory.
            if is_folder && matches!(kind, Kind::HardLink | Kind::Directory) {
                continue;
            }
            run("rm", &["-rf", path.to_str().unwrap()]);
            let outside = scene.outside.join(if name == snapshot { "important" } else { name });
            match kind {
                Kind::Link => symlink(&outside, &path).unwrap(),
                Kind::BrokenLink => symlink(scene.outside.join("new"), &path).unwrap(),
                // Of a file of root's beside: that of the outside would show its second name.
                Kind::HardLink => {
                    let other = scene.store.with_file_name("roots");
                    let _ = std::fs::remove_file(&other);
                    std::fs::copy(good.join(name), &other).unwrap();
                    std::fs::hard_link(&other, &path).unwrap();
                }
                Kind::Pipe => run("mkfifo", &[path.to_str().unwrap()]),
                Kind::Device => run("mknod", &[path.to_str().unwrap(), "c", "1", "5"]),
                Kind::Directory => std::fs::create_dir(&path).unwrap(),
                Kind::Foreign => {
                    run("cp", &["-a", good.join(name).to_str().unwrap(), path.to_str().unwrap()]);
                    chown(&path, Some(64_003), None).unwrap();
                }
            }
            let roots = scene.store.with_file_name("roots");
            let beside = (kind == Kind::HardLink).then(|| (look(&roots), std::fs::read(&roots).unwrap()));
            for (number, (word, command)) in COMMANDS.iter().enumerate() {
                // One of each way in which files are opened.
                if ["plan tick", "promote", "disable", "key make"].contains(word) {
                    continue;
                }
                let since = Instant::now();
                let _ = command(&scene.store, number as u64 + 10);
                let waited = since.elapsed();
                assert!(waited < Duration::from_secs(5), "{word}, {kind:?} as {name}: waited {waited:?}");
                // The first command that may replace the file has done so: the next finds the same again.
                if let (Some((seen, bytes)), Ok(found)) = (&beside, std::fs::symlink_metadata(&path))
                    && found.nlink() > 1
                {
                    assert_eq!(
                        (&look(&roots), &std::fs::read(&roots).unwrap()),
                        (seen, bytes),
                        "{word} as {name}"
                    );
                }
            }
            assert_eq!(watch.events(), [] as [String; 0], "{kind:?} as {name}: opened outside of the store");
            run("rm", &["-rf", scene.store.to_str().unwrap()]);
            run("cp", &["-a", good.to_str().unwrap(), scene.store.to_str().unwrap()]);
        }
    }
    assert_eq!(look(&scene.outside), before);
}

#[test]
fn init_changes_nothing_where_somebody_elses_link_leads() {
    let scene = scene();
    let empty = scene.outside.join("empty");
    std::fs::create_dir(&empty).unwrap();
    let link = scene.store.with_file_name("link");
    symlink(&empty, &link).unwrap();
    let before = look(&scene.outside);
    for readers in [None, Some("64001")] {
        let error = Store::init(&link, "production", readers).unwrap_err();
        assert!(error.is_refusal() && error.to_string().contains("belongs to user 64001"), "{error}");
        let error = Store::init(&link.join("new"), "production", readers).unwrap_err();
        assert!(error.is_refusal(), "{error}");
    }
    assert_eq!(look(&scene.outside), before);
}

#[test]
fn a_file_of_holes_is_refused_before_it_is_read() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &numbered(2));
    store.guarding().unwrap().unwrap().keep(&GuardState::default()).unwrap();
    store.write_config(None, b"{}\n").unwrap();
    let _ = store.trust_key("hub", Some(key()), &change()).unwrap();
    let enlarge = |path: &Path, size: u64| {
        let before = support::mode(path);
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
        std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(size).unwrap();
        std::fs::set_permissions(path, PermissionsExt::from_mode(before)).unwrap();
    };
    let since = support::worked();
    for (name, size) in [
        ("config.json", 3 << 30),
        ("keys/trusted", 3 << 30),
        ("guard/state.json", 3 << 30),
        ("audit.jsonl", 17 << 30),
    ] {
        enlarge(&path.join(name), size);
    }
    for size in [3 << 30, 5 << 30] {
        enlarge(&snapshot_file(&path, 1), size);
        store.rollback(Some(1), change()).expect_err("no snapshot");
        store.snapshot(1).expect_err("no snapshot");
    }
    let large = "expected at most";
    assert!(store.config().unwrap_err().to_string().contains(large));
    assert!(store.trusted_keys().unwrap_err().to_string().contains(large));
    assert!(store.guards_memory().unwrap_err().to_string().contains(large));
    assert!(store.history().unwrap_err().to_string().contains(large));
    assert!(store.verify_audit().unwrap_err().to_string().contains(large));
    let took = support::worked() - since;
    assert!(took < Duration::from_secs(5), "{took:?}");
    // A kill reads the trail's end alone.
    assert!(store.kill("portal", change()).unwrap().changed);
}

#[test]
fn no_file_of_a_store_is_opened_by_its_path() {
    // Those open what is no part of a store: what the system knows of users and mounts, files that the config names; `load` looks whether the
    // head's path leads to another file, `shut_out` at the modes on the way, `own_file` whether a path still leads to its file, and they open nothing.
    let others = [
        "actor.rs",
        "users.rs",
        "local_users.rs",
        "named_file.rs",
        "load.rs",
        "fuse.rs",
        "namespace.rs",
        "shut_out.rs",
        "own_file.rs",
    ];
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms =
        ["files", "store", "audit", "publish"].map(|room| std::fs::read_dir(source.join(room)).unwrap());
    let mut looked = 0;
    for entry in rooms.into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if others.contains(&name.as_str()) {
            continue;
        }
        looked += 1;
        // Unit tests, at the end, open what they like.
        let code = std::fs::read_to_string(&path).unwrap();
        let code = code.split("\nmod tests {").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let code =
                line.split("//").next().unwrap_or_default().replace("File::open(\"/dev/urandom\")", "");
            let code = code.replace("std::fs::read_to_string(\"/proc/locks\")", "");
            let code = code.replace("std::fs::read(\"/proc/self/mountinfo\")", "");
            let code = code.replace("std::fs::read_to_string(\"/proc/sys/fs/lease-break-time\")", "");
            let opens = [
                "File::open",
                "File::create",
                "OpenOptions",
                "DirBuilder",
                "open_plain(",
                "std::fs::read",
                "std::fs::write",
                "fs::rename",
                "fs::remove",
                "fs::metadata(",
                "symlink_metadata(",
                "create_dir",
                "fs::copy",
                "fs::hard_link",
                "set_permissions",
                "CWD, \"",
            ];
            let found: Vec<_> = opens.iter().filter(|opens| code.contains(*opens)).collect();
            assert!(found.is_empty(), "{name}:{}: {found:?} opens by a path: {line}", number + 1);
        }
    }
    assert!(looked > 40, "{looked}");
}
