//! Which files the counters come from: others than before are another beginning.

use flagstone::telemetry::Counts;
use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The files, by path and inode.
#[derive(Default)]
pub struct Sources {
    known: Option<BTreeSet<(PathBuf, u64)>>,
    epoch: u64,
}

impl Sources {
    /// The number of the beginning that these counters belong to. A file more, less, or in the place of another begins anew:
    /// what it holds was not counted since the last look.
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

    /// They could not be read.
    pub fn lost(&mut self) {
        self.known = None;
    }
}
