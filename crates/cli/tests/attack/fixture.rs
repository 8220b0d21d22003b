//! A store with something of everything, made once and laid out anew for each run with one file replaced.

use crate::trace::{self, Allowed};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

/// The store's owner.
const OWNER: u32 = 64_020;
/// A member of the group that publishes into a store of the former kind.
const MEMBER: u32 = 64_021;
/// A member of the group that reads.
const READER: u32 = 64_022;
/// Any user of the machine.
const STRANGER: u32 = 64_023;
/// Whose file stands in for one of the store.
const FOREIGN: u32 = 64_024;
const GROUP: u32 = 64_120;
/// A command takes no longer, in seconds: the lock alone would be waited for ten.
const LIMIT: &str = "8";
const KEY: &str = "flagstone-ed25519:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

const FLAGS: &str = r#"{ "flags": {
  "search": { "enabled": true, "rollout": { "percentage": 50 } },
  "old": false,
  "killed": true,
  "planned": { "enabled": false, "rollout": { "percentage": 0 }, "plan": { "stages": [ { "companies": [1] }, { "percentage": 100 } ] } },
  "running": { "enabled": false, "rollout": { "percentage": 0 }, "plan": { "stages": [ { "companies": [1] }, { "percentage": 100 } ] } }
} }"#;

/// What a file is replaced by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Link,
    Foreign,
    Pipe,
    Directory,
    Device,
    HardLink,
}

pub const KINDS: [Kind; 6] =
    [Kind::Link, Kind::Foreign, Kind::Pipe, Kind::Directory, Kind::Device, Kind::HardLink];

/// Who types the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    Root,
    Owner,
    Member,
    Reader,
    Stranger,
}

pub const USERS: [User; 5] = [User::Root, User::Owner, User::Member, User::Reader, User::Stranger];

/// A file or folder of the store that was made, below its directory.
struct Entry {
    name: String,
    /// None: a folder.
    content: Option<Vec<u8>>,
}

pub struct Fixture {
    directory: PathBuf,
    program: PathBuf,
    entries: Vec<Entry>,
    /// Those that are replaced.
    files: Vec<String>,
    /// Files that are typed, by name.
    typed: BTreeMap<String, Vec<u8>>,
    runs: AtomicUsize,
}

impl Fixture {
    pub fn new() -> Fixture {
        assert!(rustix::process::geteuid().is_root(), "only root plays other users: run the tests as root");
        let directory = place();
        let program = directory.join("flagstone");
        // By another process: a program that is open for writing cannot be started, and a fork of another thread keeps it open.
        for binary in [
            env!("CARGO_BIN_EXE_flagstone"),
            env!("CARGO_BIN_EXE_flagstone-agent"),
            env!("CARGO_BIN_EXE_flagstone-doctor"),
        ] {
            let copied = Command::new("cp").arg(binary).arg(&directory).status().unwrap();
            assert!(copied.success());
            mode(&directory.join(Path::new(binary).file_name().unwrap()), 0o755);
        }
        let made = directory.join("made");
        folder(&made, 0o755);
        let said = |line: &str| {
            let arguments = line.split(' ').map(str::to_owned);
            let output = Command::new(&program).args(arguments).current_dir(&made).output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            // The guard watches nothing here: no worker has counted.
            let codes = if line.starts_with("guard ") { 0..=2 } else { 0..=1 };
            assert!(output.status.code().is_some_and(|code| codes.contains(&code)), "{line}: {error}");
            String::from_utf8(output.stdout).unwrap()
        };
        std::fs::write(made.join("flags.json"), FLAGS).unwrap();
        for store in ["store", "other"] {
            said(&format!("init {store} --environment production"));
            said(&format!("publish flags.json --store {store}"));
            said(&format!("key make --store {store}"));
        }
        let keys = said("key --store other --json");
        let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
        said(&format!("key trust other {} --store store", keys["key"].as_str().unwrap()));
        said(&format!("key trust there {KEY} --store store"));
        said("enable old --store other");
        let export = said("export --all --store other");
        said("plan start running --store store --yes");
        let config = r#"{"notify": {"ops": {"url": "http://127.0.0.1:9/", "format": "slack"}}}"#;
        std::fs::write(made.join("store/config.json"), config).unwrap();
        for line in ["notify", "kill killed --reason test", "notify", "guard --once"] {
            said(&format!("{line} --store store"));
        }
        let mut entries = Vec::new();
        collect(&made.join("store"), "", &mut entries);
        let old = |name: &str| name.starts_with("snapshots/") && !name.contains("/00000000000000000002-");
        let files: Vec<String> =
            entries.iter().map(|entry| entry.name.clone()).filter(|name| !old(name)).collect();
        for expected in [
            "head",
            "lock",
            "head.lock",
            "audit.jsonl",
            "config.json",
            "snapshots",
            "guard/state.json",
            "notify/ops.json",
            "keys/signing",
        ] {
            assert!(files.iter().any(|name| name == expected), "{expected} in {files:?}");
        }
        let typed = [
            ("flags.json", FLAGS.replace("\"percentage\": 50", "\"percentage\": 40").into_bytes()),
            ("companies.txt", b"1\n2\n3\n".to_vec()),
            ("flags.export", export.into_bytes()),
        ];
        let typed = typed.map(|(name, content)| (name.to_owned(), content)).into();
        Fixture { directory, program, entries, files, typed, runs: AtomicUsize::new(0) }
    }

    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Runs a command on a store in which that file is replaced; what it did that it must not do.
    pub fn run(&self, command: &str, file: usize, kind: Kind, user: User) -> Result<(), Vec<String>> {
        let run = self.lay_out(&self.files[file], kind, user);
        let other = self.directory.join("made/other");
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let arguments = command.split(' ').map(|part| match part {
            "store" => path(&run.join("store")),
            "other" => path(&other),
            part => part.to_owned(),
        });
        let limit = if command.starts_with("run ") { ["TERM", "1"] } else { ["KILL", LIMIT] };
        let arguments: Vec<String> = arguments.collect();
        let found = self.trace(&run, &self.program, &arguments, limit, user);
        let _ = std::fs::remove_dir_all(&run);
        found
    }

    /// Has a program that takes no care read that file where it is a link.
    pub fn trace_reading(&self, file: &str) -> Result<(), Vec<String>> {
        let run = self.lay_out(file, Kind::Link, User::Root);
        let path = run.join("store").join(file).to_str().unwrap().to_owned();
        self.trace(&run, Path::new("/bin/cat"), &[path], ["KILL", LIMIT], User::Root)
    }

    fn trace(
        &self,
        run: &Path,
        program: &Path,
        arguments: &[String],
        [signal, limit]: [&str; 2],
        user: User,
    ) -> Result<(), Vec<String>> {
        let (outside, log) = (run.join("outside"), run.join("log/trace"));
        let before = state(&outside);
        let mut words: Vec<String> = Vec::new();
        if let Some(uid) = user.number() {
            let group = if matches!(user, User::Member | User::Reader) { GROUP } else { uid };
            let user = [format!("--reuid={uid}"), format!("--regid={uid}"), format!("--groups={group}")];
            words.push("setpriv".to_owned());
            words.extend(user);
        }
        words.extend(
            ["strace", "-f", "-y", "--seccomp-bpf", "-e", "trace=%file,%process", "-o"].map(str::to_owned),
        );
        words.push(log.to_str().unwrap().to_owned());
        words.extend(["timeout", "-s", signal, limit].map(str::to_owned));
        words.push(program.to_str().unwrap().to_owned());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(arguments).current_dir(run.join("typed")).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("FLAGSTONE_STORE", run.join("store"));
        let output = command.stdin(Stdio::null()).output().unwrap();
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let mut found = Vec::new();
        if !text.contains("execve(") {
            found.push(format!("strace: {}", String::from_utf8_lossy(&output.stderr)));
        }
        if signal == "KILL" && matches!(output.status.code(), Some(124 | 137) | None) {
            found.push(format!("waits: {:?}, {}", output.status, String::from_utf8_lossy(&output.stderr)));
        }
        let other = self.directory.join("made/other");
        let (store, typed) = (run.join("store"), run.join("typed"));
        let allowed = Allowed { program, store: &store, typed: &[&typed, &other] };
        found.extend(trace::problems(&text, &allowed));
        let after = state(&outside);
        for (path, state) in &before {
            if after.get(path) != Some(state) {
                let shown = |state: &State| {
                    (state.0, state.1, format!("{:o}", state.2), state.3, state.4.as_ref().map(Vec::len))
                };
                found.push(format!("{path} was {:?}, is {:?}", shown(state), after.get(path).map(shown)));
            }
        }
        found.extend(
            after.keys().filter(|path| !before.contains_key(*path)).map(|path| format!("makes {path}")),
        );
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// A store of the user's kind with that file replaced, what it leads to outside, and the files that are typed.
    fn lay_out(&self, file: &str, kind: Kind, user: User) -> PathBuf {
        let run = self.directory.join(self.runs.fetch_add(1, Ordering::Relaxed).to_string());
        folder(&run, 0o755);
        for (name, permissions) in [("typed", 0o755), ("log", 0o777), ("outside", 0o777)] {
            folder(&run.join(name), permissions);
        }
        for (name, content) in &self.typed {
            let path = run.join("typed").join(name);
            std::fs::write(&path, content).unwrap();
            mode(&path, 0o644);
        }
        if let Some(uid) = user.number() {
            chown(run.join("typed"), Some(uid), None).unwrap();
            for name in self.typed.keys() {
                chown(run.join("typed").join(name), Some(uid), None).unwrap();
            }
        }
        let store = run.join("store");
        let group = matches!(user, User::Member | User::Reader).then_some(GROUP);
        folder(&store, 0o700);
        for entry in &self.entries {
            if entry.name == file || entry.name.starts_with(&format!("{file}/")) {
                continue;
            }
            self.write(&store.join(&entry.name), entry, OWNER, group, user.mode(entry));
        }
        self.replace(&run, file, kind, user);
        chown(&store, Some(OWNER), Some(group.unwrap_or(OWNER))).unwrap();
        mode(&store, user.folder_mode());
        run
    }

    fn write(&self, path: &Path, entry: &Entry, owner: u32, group: Option<u32>, permissions: u32) {
        match &entry.content {
            None => folder(path, permissions),
            Some(content) => std::fs::write(path, content).unwrap(),
        }
        chown(path, Some(owner), Some(group.unwrap_or(owner))).unwrap();
        mode(path, permissions);
    }

    /// The file and what lies in it, as `owner`'s.
    fn copy(&self, file: &str, to: &Path, owner: u32, permissions: [u32; 2]) {
        for entry in &self.entries {
            let Some(rest) = entry.name.strip_prefix(file) else { continue };
            if !rest.is_empty() && !rest.starts_with('/') {
                continue;
            }
            let path = PathBuf::from(format!("{}{rest}", to.display()));
            self.write(&path, entry, owner, None, permissions[usize::from(entry.content.is_none())]);
        }
    }

    fn replace(&self, run: &Path, file: &str, kind: Kind, user: User) {
        let path = run.join("store").join(file);
        let outside = run.join("outside").join(file.replace('/', "-"));
        let is_folder = self.entries.iter().any(|entry| entry.name == file && entry.content.is_none());
        let made = |program: &str, rest: &[&str]| {
            let status = Command::new(program).arg("-m").arg("0666").arg(&path).args(rest).status().unwrap();
            assert!(status.success(), "{program}");
        };
        match kind {
            Kind::Link => {
                self.copy(file, &outside, 0, [0o666, 0o777]);
                symlink(&outside, &path).unwrap();
            }
            Kind::Foreign => return self.copy(file, &path, FOREIGN, [0o644, 0o755]),
            Kind::Pipe => made("mkfifo", &[]),
            Kind::Directory if is_folder => std::fs::write(&path, "no folder").unwrap(),
            Kind::Directory => folder(&path, 0o755),
            Kind::Device => made("mknod", &["c", "1", "5"]),
            Kind::HardLink => {
                let entry = self.entries.iter().find(|entry| entry.name == file).unwrap();
                std::fs::write(&outside, entry.content.as_deref().unwrap_or(b"no folder")).unwrap();
                // Root's; where a group publishes, one that its members may write.
                let group = user == User::Member;
                chown(&outside, Some(0), Some(if group { GROUP } else { 0 })).unwrap();
                mode(&outside, if group { 0o664 } else { 0o644 });
                return std::fs::hard_link(&outside, &path).unwrap();
            }
        }
        lchown(&path, Some(OWNER), Some(OWNER)).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl User {
    /// None: root.
    fn number(self) -> Option<u32> {
        match self {
            User::Root => None,
            User::Owner => Some(OWNER),
            User::Member => Some(MEMBER),
            User::Reader => Some(READER),
            User::Stranger => Some(STRANGER),
        }
    }

    fn folder_mode(self) -> u32 {
        match self {
            User::Member => 0o2770,
            User::Reader => 0o750,
            _ => 0o755,
        }
    }

    fn mode(self, entry: &Entry) -> u32 {
        let modes = match (&*entry.name, &entry.content) {
            ("keys", None) => [0o755, 0o700, 0o2770],
            (_, None) => [0o755, 0o750, 0o2770],
            (name, _) if name.ends_with("lock") => [0o600, 0o600, 0o660],
            ("keys/signing", _) => [0o600, 0o600, 0o640],
            ("keys/trusted", _) => [0o644, 0o600, 0o640],
            ("config.json", _) => [0o644, 0o640, 0o640],
            (name, _) if name.starts_with("snapshots/") => [0o444, 0o440, 0o440],
            _ => [0o644, 0o640, 0o660],
        };
        modes[match self {
            User::Member => 2,
            User::Reader => 1,
            _ => 0,
        }]
    }
}

/// A directory that every user can get to and only root can write.
fn place() -> PathBuf {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("flagstone-attack-{:016x}-{number}", RandomState::new().hash_one(number));
    let suitable = |place: &Path| {
        let Ok(place) = place.canonicalize() else { return false };
        place
            .ancestors()
            .all(|part| part.metadata().is_ok_and(|found| found.mode() & 0o023 == 0o001 && found.uid() == 0))
    };
    let places = [env!("CARGO_TARGET_TMPDIR"), "/var/lib"];
    let place = places
        .into_iter()
        .map(Path::new)
        .find(|place| suitable(place))
        .expect("a directory that all can reach");
    let directory = place.canonicalize().unwrap().join(name);
    folder(&directory, 0o755);
    directory
}

fn folder(path: &Path, permissions: u32) {
    std::fs::DirBuilder::new().mode(0o700).create(path).unwrap();
    mode(path, permissions);
}

fn mode(path: &Path, permissions: u32) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(permissions)).unwrap();
}

fn collect(directory: &Path, below: &str, entries: &mut Vec<Entry>) {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = format!("{below}{}", path.file_name().unwrap().to_str().unwrap());
        let content = path.is_file().then(|| std::fs::read(&path).unwrap());
        let is_folder = content.is_none();
        entries.push(Entry { name: name.clone(), content });
        if is_folder {
            collect(&path, &format!("{name}/"), entries);
        }
    }
}

/// What lies there: owner, group, mode, time and content.
type State = (u32, u32, u32, SystemTime, Option<Vec<u8>>);

fn state(directory: &Path) -> BTreeMap<String, State> {
    let mut found = BTreeMap::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let content = metadata.is_file().then(|| std::fs::read(&path).unwrap());
        let name = path.to_str().unwrap().to_owned();
        found.insert(
            name,
            (metadata.uid(), metadata.gid(), metadata.mode(), metadata.modified().unwrap(), content),
        );
    }
    found
}
