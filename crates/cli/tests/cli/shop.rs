//! A store to try commands on, in a directory that nobody else can change, gone afterwards.

use std::hash::{BuildHasher, RandomState};
use std::io::{PipeReader, PipeWriter};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Definitions with something of everything.
pub const FLAGS: &str = r#"{
  "flags": {
    "customer_portal": {
      "description": "Self-service portal for end customers",
      "owner": "portal-team",
      "enabled": true,
      "rollout": { "percentage": 10 },
      "companies": { "allow": [15, 42, 103], "deny": ["acme-eu"] },
      "requires": ["billing_v2"],
      "rules": [
        { "name": "enterprise in DACH", "when": { "all": [
            { "attribute": "plan", "in": ["enterprise"] }, { "segment": "dach" } ] } }
      ],
      "schedule": [ { "at": "2030-12-01T08:00:00Z", "percentage": 100 } ],
      "variants": { "classic": { "weight": 50 }, "compact": { "weight": 50, "value": { "columns": 2 } } },
      "expires": "2099-03-31"
    },
    "billing_v2": true,
    "search": { "enabled": true, "rollout": { "percentage": 50 } },
    "by_user": { "enabled": true, "rollout": { "percentage": 30, "by": "user" } },
    "payment_log": { "enabled": true, "emergency": "keep" },
    "old": false
  },
  "segments": { "dach": { "attribute": "country", "in": ["DE", "AT", "CH"] } },
  "environments": { "production": {}, "staging": { "flags": { "search": { "rollout": { "percentage": 100 } } } } }
}
"#;

/// What a run of the command gave.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn first(&self) -> &str {
        self.out.lines().next().unwrap_or("")
    }

    /// The JSON printed; fails if it is not exactly one document and a newline.
    pub fn json(&self) -> serde_json::Value {
        assert!(self.out.ends_with('\n'), "no newline at the end of {:?}", self.out);
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in {:?}, {}", self.out, self.err))
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

/// A directory of its own, with a store named `store` when [`published`](Self::published).
pub struct Shop {
    pub directory: PathBuf,
}

impl Shop {
    /// An empty directory.
    pub fn empty() -> Shop {
        Shop::within(&|_| true)
    }

    /// An empty directory that other users can get to.
    pub fn passable() -> Shop {
        Shop::within(&|place| {
            let Ok(place) = place.canonicalize() else { return false };
            place.ancestors().all(|part| part.metadata().is_ok_and(|found| found.mode() & 0o001 != 0))
        })
    }

    fn within(suitable: &dyn Fn(&Path) -> bool) -> Shop {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let places = [Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR"))), home, Some("/var/lib".into())];
        let place = places
            .into_iter()
            .flatten()
            .find(|place| trusted(place) && suitable(place))
            .expect("a trusted directory");
        // The system gives the number of a process that was killed to another one.
        let random = RandomState::new().hash_one(number);
        let directory = place.join(format!("flagstone-cli-{random:016x}-{number}"));
        std::fs::DirBuilder::new().mode(0o755).create(&directory).unwrap();
        Shop { directory }
    }

    /// A directory that every user can reach, with the command's binaries in it. Another process copies them: one that a test
    /// beside this forks meanwhile would have a copy open for writing, and such a file cannot be run.
    pub fn with_command() -> Shop {
        let shop = Shop::passable();
        let binaries = [
            env!("CARGO_BIN_EXE_flagstone"),
            env!("CARGO_BIN_EXE_flagstone-agent"),
            env!("CARGO_BIN_EXE_flagstone-doctor"),
        ];
        let copied = Command::new("cp").args(binaries).arg(&shop.directory).status();
        assert!(copied.unwrap().success(), "no room for a copy of the command");
        shop
    }

    /// With a store in which [`FLAGS`] is generation 1 of production.
    pub fn published() -> Shop {
        let shop = Shop::empty();
        shop.write("flags.json", FLAGS);
        shop.run(["init", "store", "--environment", "production"]).exits(0);
        shop.run(["publish", "flags.json"]).exits(0);
        shop
    }

    /// Publishes [`FLAGS`] with one text replaced, and has all switches be as it says.
    pub fn republish(&self, from: &str, to: &str) -> Ran {
        let flags = std::fs::read_to_string(self.directory.join("flags.json")).unwrap();
        assert!(flags.contains(from), "{from}");
        self.write("flags.json", flags.replace(from, to));
        self.run(["publish", "flags.json", "--reset", "all"]).exits(0)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The command, in this directory, on its store, with nothing else in its environment.
    pub fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flagstone"));
        command.args(arguments).current_dir(&self.directory).env_clear();
        command.env("FLAGSTONE_STORE", "store").stdin(Stdio::null());
        command
    }

    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran {
        code: output.status.code().expect("an exit code"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Whether a store below it would be trusted.
fn trusted(place: &Path) -> bool {
    let Ok(place) = place.canonicalize() else { return false };
    place.ancestors().all(|part| part.metadata().is_ok_and(|found| found.mode() & 0o002 == 0))
        && std::fs::metadata(&place).is_ok_and(|found| found.mode() & 0o200 != 0)
}

/// Waits until that is so.
#[track_caller]
pub fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < end, "it did not come to pass");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The ends of a pipe that is full, and that nobody reads.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (read, mut write) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&write, true).unwrap();
    while std::io::Write::write(&mut write, &[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&write, false).unwrap();
    (read, write)
}
