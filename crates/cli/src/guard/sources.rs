//! The files behind the counters: when they change, counting begins again.

use flagstone::telemetry::Counts;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The files, by path and inode, and the number of times that they changed.
#[derive(Default)]
pub struct Sources {
    known: Option<BTreeSet<(PathBuf, u64)>>,
    epoch: u64,
}

impl Sources {
    /// The number of the set of files that these counters come from. A file that is added, removed or replaced makes a new one: what it
    /// holds was not counted since the last look.
    pub fn epoch(&mut self, counts: &Counts) -> u64 {
        let believed = counts.sources.iter().filter(|source| source.left_out.is_none());
        let inode = |path: &PathBuf| std::fs::symlink_metadata(path).map_or(0, |found| found.ino());
        let files = believed.map(|source| (source.path.clone(), inode(&source.path))).collect();
        if self.known.as_ref() != Some(&files) {
            self.epoch += 1;
            self.known = Some(files);
        }
        self.epoch
    }

    /// Forgets the files, which could not be read.
    pub fn lost(&mut self) {
        self.known = None;
    }
}
