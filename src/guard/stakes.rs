//! The distribution of the chance of a false alarm over the moments at which evidence begins.
//!
//! Evidence that began when all was well would have to make up for all that spoke for the flag since. So it restarts every
//! ten seconds if it came to nothing, and each beginning gets a stake: a share of the chance of a false alarm. All stakes of
//! 30 days add up to 1 at most. Most harm comes with a change, so four fifths of them lie right after changes.

/// Time between restarts of evidence, in microseconds.
pub(super) const TICK: i64 = 10_000_000;

/// Time over which the stakes add up to 1, in microseconds.
pub(super) const PERIOD: i64 = 30 * 86_400 * 1_000_000;

/// Share given to times after changes; the rest is spread evenly.
const AFTER_CHANGES: f64 = 0.8;

/// 1, 1/4, 1/9 and so on add up to π²/6; this factor makes it 1.
const SQUARES: f64 = 6.0 / (std::f64::consts::PI * std::f64::consts::PI);

/// Age in microseconds up to which a change before the watch counts as a change of the watch.
const RECENT: i64 = 3_600_000_000;

/// The stakes of one flag.
#[derive(Debug, Clone)]
pub(super) struct Stakes {
    began: i64,
    changed: i64,
    changes: u32,
}

impl Stakes {
    /// Stakes from now on. If the last change is long past, the share right after the first change is kept for the next.
    pub(super) fn new(now: i64, changed: i64) -> Self {
        Self { began: now, changed, changes: u32::from(now - changed < RECENT) }
    }

    /// The values that [`restored`](Self::restored) takes.
    pub(super) fn kept(&self) -> (i64, i64, u32) {
        (self.began, self.changed, self.changes)
    }

    /// The stakes of a guard that ended; none if the values are impossible.
    pub(super) fn restored((began, changed, changes): (i64, i64, u32), now: i64) -> Option<Self> {
        (began <= now && changed <= now && now - began < PERIOD).then_some(Self { began, changed, changes })
    }

    /// Records a change of the flag.
    pub(super) fn change(&mut self, at: i64) {
        self.changed = at;
        self.changes = self.changes.saturating_add(1);
    }

    /// The stake of evidence that begins now. Called once a tick at most, and once more where the flag was changed.
    pub(super) fn stake(&mut self, now: i64) -> f64 {
        if now - self.began >= PERIOD {
            *self = Self::new(now, self.changed);
        }
        let change = f64::from(self.changes);
        let tick = ((now - self.changed).max(0) / TICK + 1) as f64;
        let after = match self.changes {
            0 => 0.0,
            _ => AFTER_CHANGES * (SQUARES * SQUARES) / (change * tick).powi(2),
        };
        // The beginning at a change is not one of those spread evenly: two could fall into one tick.
        let even = if now > self.changed { (1.0 - AFTER_CHANGES) * TICK as f64 / PERIOD as f64 } else { 0.0 };
        after + even
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_most_lies_right_after_the_first_change() {
        let mut stakes = Stakes::new(0, 0);
        let first = stakes.stake(0);
        assert!((0.29..0.3).contains(&first), "{first}");
        let (second, later) = (stakes.stake(TICK), stakes.stake(20 * TICK));
        assert!(later < second && second < first);
        assert!(stakes.stake(PERIOD - 1) > 0.7e-6, "something is left for every moment");
    }

    #[test]
    fn a_change_of_long_ago_leaves_what_is_spread_evenly() {
        let day = 86_400 * 1_000_000;
        assert!(Stakes::new(0, -day).stake(1) < 1.5e-6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn all_stakes_of_a_period_add_up_to_one_at_most(changes in proptest::collection::vec(0..PERIOD / TICK, 0..30)) {
            let mut changes = changes;
            changes.sort_unstable();
            changes.dedup();
            let mut stakes = Stakes::new(0, 0);
            let (mut now, mut sum) = (0, 0.0);
            let mut changes = changes.into_iter().map(|tick| tick * TICK + TICK / 2).peekable();
            while now < PERIOD {
                match changes.next_if(|at| *at <= now) {
                    Some(at) => { stakes.change(at); sum += stakes.stake(at); now = at + TICK; }
                    None => { sum += stakes.stake(now); now += TICK; }
                }
            }
            prop_assert!(sum <= 1.0, "{}", sum);
        }
    }
}
