//! Room for the next publish, on the file system of the store.

use super::{INODES, Report, SPACE};
use crate::display;
use std::path::Path;

/// Bytes that a publish needs beside the new snapshot, such as for a few lines of audit trail.
const OVERHEAD: u64 = 1 << 20;
/// Bytes below which a publish may still succeed, but the machine's operator should know.
const MIN_FREE_BYTES: u64 = 64 << 20;
/// The number of free files below which the operator should know.
const MIN_FREE_FILES: u64 = 1_000;
/// Files that a publish makes before it removes old ones.
const NEEDED: u64 = 10;

pub fn checks(directory: &Path, snapshot: u64, report: &mut Report) {
    let directory_name = directory.to_string_lossy();
    let (named, typed) = (display::plain(&directory_name), display::argument(&directory_name));
    let mend = || format!("make room, then look again: df -h {typed} && df -i {typed}");
    let found = match rustix::fs::statvfs(directory) {
        Ok(found) => found,
        Err(error) => {
            for kind in [SPACE, INODES] {
                report.unknown(kind, format!("statvfs of {named}: {error}"), Some(mend()));
            }
            return;
        }
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let text = format!("{} MiB free", display::thousands(free >> 20));
    match space(free, snapshot) {
        Room::Enough => report.passed(SPACE, text),
        Room::Little => report.warned(SPACE, text, mend()),
        Room::None => report.failed(SPACE, format!("{text}: the next publish may not fit"), mend()),
    }
    if found.f_files == 0 {
        return report.passed(INODES, "this file system has no fixed number of files");
    }
    let text = format!("{} files may be made", display::thousands(found.f_favail));
    match inodes(found.f_favail) {
        Room::Enough => report.passed(INODES, text),
        Room::Little => report.warned(INODES, text, mend()),
        Room::None => report.failed(INODES, format!("{text}: the next publish may not fit"), mend()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Room {
    Enough,
    Little,
    None,
}

fn space(free: u64, snapshot: u64) -> Room {
    let publish = snapshot.saturating_mul(2).saturating_add(OVERHEAD);
    match free {
        _ if free < publish => Room::None,
        _ if free < MIN_FREE_BYTES.max(publish.saturating_mul(5)) => Room::Little,
        _ => Room::Enough,
    }
}

fn inodes(free: u64) -> Room {
    match free {
        ..NEEDED => Room::None,
        NEEDED..MIN_FREE_FILES => Room::Little,
        _ => Room::Enough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_needs_room_for_the_snapshot_twice() {
        assert_eq!(space(0, 0), Room::None);
        assert_eq!(space(200 << 20, 100 << 20), Room::None);
        assert_eq!(space(300 << 20, 100 << 20), Room::Little);
        assert_eq!(space(32 << 20, 1_000), Room::Little);
        assert_eq!(space(64 << 20, 1_000), Room::Enough);
        assert_eq!(space(u64::MAX, u64::MAX), Room::Enough);
    }

    #[test]
    fn a_publish_needs_a_few_files() {
        assert_eq!(inodes(9), Room::None);
        assert_eq!(inodes(10), Room::Little);
        assert_eq!(inodes(1_000), Room::Enough);
    }
}
