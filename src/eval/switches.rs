//! What the head says about one snapshot's flags: which are killed, and whether everything is stopped.

use crate::snapshot::{FlagId, Snapshot};

/// Kills as a bit per flag of one snapshot, and the stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    stopped: bool,
    killed: Box<[u64]>,
}

impl Switches {
    /// Nothing killed, nothing stopped.
    pub fn none() -> Switches {
        Switches::default()
    }

    /// For that snapshot: the killed flags by key, and whether everything is stopped. Keys that it does not hold
    /// are passed over.
    pub fn new<'a>(snapshot: &Snapshot, killed: impl Iterator<Item = &'a [u8]>, stopped: bool) -> Switches {
        let mut bits = Box::default();
        for flag in killed.filter_map(|key| snapshot.find(key)) {
            if <[u64]>::is_empty(&bits) {
                bits = vec![0; (snapshot.flag_count() as usize).div_ceil(64)].into_boxed_slice();
            }
            if let Some(word) = bits.get_mut(flag.0 as usize / 64) {
                *word |= 1 << (flag.0 % 64);
            }
        }
        Switches { stopped, killed: bits }
    }

    /// For that snapshot: every flag is killed, those included that a stop leaves on.
    pub(crate) fn all_killed(snapshot: &Snapshot) -> Switches {
        let words = (snapshot.flag_count() as usize).div_ceil(64);
        Switches { stopped: true, killed: vec![u64::MAX; words].into_boxed_slice() }
    }

    /// Whether anything at all is killed or stopped.
    #[inline(always)]
    pub fn any(&self) -> bool {
        self.stopped || !self.killed.is_empty()
    }

    /// Whether everything is stopped.
    #[inline(always)]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Whether the flag is killed.
    #[inline(always)]
    pub fn killed(&self, flag: FlagId) -> bool {
        self.killed.get(flag.0 as usize / 64).is_some_and(|word| word >> (flag.0 % 64) & 1 == 1)
    }
}
