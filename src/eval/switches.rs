//! The head's switches for one snapshot's flags: kills, and the stop of everything.

use crate::snapshot::{FlagId, Snapshot};

/// Kills, a bit per flag of one snapshot, and the stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    stopped: bool,
    killed: Box<[u64]>,
}

fn set(bits: &mut [u64], flag: FlagId) {
    if let Some(word) = bits.get_mut(flag.0 as usize / 64) {
        *word |= 1 << (flag.0 % 64);
    }
}

impl Switches {
    /// Switches without a kill or stop.
    pub fn none() -> Switches {
        Switches::default()
    }

    /// Builds the switches for that snapshot from the killed flags' keys and the stop. A flag that is killed under one of its keys is
    /// killed under all of them. Keys that the snapshot lacks are ignored.
    pub fn new<'a>(snapshot: &Snapshot, killed: impl Iterator<Item = &'a [u8]>, stopped: bool) -> Switches {
        let mut bits = Box::default();
        for flag in killed.filter_map(|key| snapshot.find(key)) {
            if <[u64]>::is_empty(&bits) {
                bits = vec![0; (snapshot.key_count() as usize).div_ceil(64)].into_boxed_slice();
            }
            set(&mut bits, snapshot.renamed_to(flag).unwrap_or(flag));
        }
        let mut switches = Switches { stopped, killed: bits };
        if !switches.killed.is_empty() {
            let former = |flag: &FlagId| snapshot.renamed_to(*flag).is_some_and(|to| switches.killed(to));
            let former: Vec<FlagId> = snapshot.flag_ids().filter(former).collect();
            former.into_iter().for_each(|flag| set(&mut switches.killed, flag));
        }
        switches
    }

    /// Kills every flag of that snapshot, those included that a stop leaves on.
    pub(crate) fn all_killed(snapshot: &Snapshot) -> Switches {
        let words = (snapshot.key_count() as usize).div_ceil(64);
        Switches { stopped: true, killed: vec![u64::MAX; words].into_boxed_slice() }
    }

    /// True if anything is killed or stopped.
    #[inline(always)]
    pub fn any(&self) -> bool {
        self.stopped || !self.killed.is_empty()
    }

    /// True if everything is stopped.
    #[inline(always)]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// True if the flag is killed.
    #[inline(always)]
    pub fn killed(&self, flag: FlagId) -> bool {
        self.killed.get(flag.0 as usize / 64).is_some_and(|word| word >> (flag.0 % 64) & 1 == 1)
    }
}
