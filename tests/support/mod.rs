//! What tests of a store share.
//!
//! A store refuses a path that everybody can write, and `/tmp` is one: tests keep theirs below a directory that is not.

#![allow(dead_code, reason = "every test binary uses some of it")]

pub mod children;
pub mod damage;
pub mod random;
pub mod stores;

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Processor time of this thread: on a busy machine the clock goes on without it.
pub fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// A directory that is removed with everything in it when this goes.
pub struct TrustedDir(PathBuf);

impl TrustedDir {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TrustedDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A fresh directory below the first of cargo's own temporary directory, `$HOME` and `/var/lib` whose whole path only
/// root and this user can write. Set `FLAGSTONE_TEST_DIR` where none is.
pub fn trusted_dir() -> TrustedDir {
    trusted_dir_for(&|_| true)
}

/// The same, where every user of the machine can pass the whole path.
pub fn passable_dir() -> TrustedDir {
    trusted_dir_for(&|path| path.ancestors().all(|part| mode(part) & 0o001 != 0))
}

fn trusted_dir_for(suitable: &dyn Fn(&Path) -> bool) -> TrustedDir {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut candidates: Vec<PathBuf> =
        std::env::var_os("FLAGSTONE_TEST_DIR").map(PathBuf::from).into_iter().collect();
    candidates.push(env!("CARGO_TARGET_TMPDIR").into());
    candidates.extend(std::env::var_os("HOME").map(PathBuf::from));
    candidates.push("/var/lib".into());
    let name = format!("flagstone-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    for candidate in &candidates {
        let _ = std::fs::create_dir_all(candidate);
        let Ok(base) = candidate.canonicalize() else { continue };
        let path = base.join(&name);
        let trusted =
            base.ancestors().all(|part| mode(part) & 0o022 == 0 && [0, user()].contains(&owner(part)));
        if trusted && suitable(&base) && std::fs::DirBuilder::new().mode(0o755).create(&path).is_ok() {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its own directory");
            return TrustedDir(path);
        }
    }
    panic!(
        "none of {candidates:?} is writable by this user and root alone; set FLAGSTONE_TEST_DIR to one that is"
    );
}

pub fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).map_or(0, |metadata| metadata.mode() & 0o7777)
}

fn owner(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).map_or(u32::MAX, |metadata| metadata.uid())
}

/// This process's user.
pub fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// A program that only root may run so: by sudo, where this is somebody else.
pub fn as_root(program: &str) -> std::process::Command {
    if user() == 0 {
        return std::process::Command::new(program);
    }
    let mut command = std::process::Command::new("sudo");
    command.args(["-n", program]);
    command
}

/// What to say where [`as_root`] fails.
pub const NEEDS_ROOT: &str = "only root may do that: run the tests as root, or sudo -v before them";
