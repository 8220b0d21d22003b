//! Busy hours of a flag: a change is watched until it has seen an hour as busy as the busiest of the week before.

use super::policy::Policy;
use serde::{Deserialize, Serialize};

const HOUR: i64 = 3_600_000_000;
/// Maximum time that a flag is watched after a change, in microseconds.
const LONGEST_WATCH: i64 = 8 * 86_400_000_000;
/// Days that are kept: today, and seven before.
const DAYS: usize = 8;
/// Hours in a day.
const DAY: u32 = 24;
/// Share of another hour's requests that makes an hour as busy: no two hours have the same number.
const AS_BUSY: f64 = 0.9;

/// The busiest hours of a flag's last days, by all requests that asked it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BusyHours {
    /// The most requests in an hour of each day; a day's index is its number modulo 8.
    days: [u32; DAYS],
    /// The current hour, since 1970, and its requests.
    hour: u32,
    requests: u32,
    /// Requests of the busiest hour before the last change, and since.
    before: u32,
    since: u32,
}

impl BusyHours {
    /// Adds requests that asked the flag.
    pub(super) fn add(&mut self, at: i64, requests: u64) {
        let hour = u32::try_from(at.div_euclid(HOUR)).unwrap_or(0);
        if hour != self.hour {
            let (today, last) = (hour / DAY, self.hour / DAY);
            // Clear the days since then, whose entries are a week old or more.
            let passed = today.saturating_sub(last).min(DAYS as u32);
            for day in (today.saturating_sub(passed) + 1)..=today {
                self.days[day as usize % DAYS] = 0;
            }
            (self.hour, self.requests) = (hour, 0);
        }
        self.requests = self.requests.saturating_add(u32::try_from(requests).unwrap_or(u32::MAX));
        let day = &mut self.days[(hour / DAY) as usize % DAYS];
        *day = self.requests.max(*day);
        self.since = self.since.max(self.requests);
    }

    /// Starts over after a change of the flag.
    pub(super) fn change(&mut self) {
        (self.before, self.since) = (self.days.into_iter().max().unwrap_or(0), 0);
        // The current hour counts from the change on.
        self.requests = 0;
    }

    /// True if a flag that was changed at `changed_at` may still be acted on by limits.
    pub(super) fn is_watched(&self, now: i64, changed_at: i64, policy: &Policy) -> bool {
        let since = now.saturating_sub(changed_at);
        since < policy.watch || (since < LONGEST_WATCH && !self.saw_busiest())
    }

    /// True if an hour since the change was as busy as the busiest of the seven days before.
    fn saw_busiest(&self) -> bool {
        f64::from(self.since) >= f64::from(self.before) * AS_BUSY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_has_seen_the_busiest_hour_when_one_as_busy_came() {
        let mut busy = BusyHours::default();
        let begin = 490_000 * HOUR;
        assert!(busy.saw_busiest(), "nothing is known");
        // A week whose third day is the busiest.
        for hour in 0..7 * 24 {
            busy.add(begin + hour * HOUR, if hour == 60 { 1_000 } else { 100 });
        }
        busy.change();
        for hour in 7 * 24..9 * 24 {
            busy.add(begin + hour * HOUR, 400);
            busy.add(begin + hour * HOUR + HOUR / 2, 400);
            assert!(!busy.saw_busiest(), "{hour}");
        }
        busy.add(begin + 9 * 24 * HOUR, 950);
        assert!(busy.saw_busiest());
        // Hours older than a week are forgotten.
        let mut quiet = busy.clone();
        for hour in 9 * 24 + 1..18 * 24 {
            quiet.add(begin + hour * HOUR, 10);
        }
        quiet.change();
        assert_eq!(quiet.before, 10);
        let mut rested = busy;
        rested.add(begin + 60 * 24 * HOUR, 1);
        assert_eq!(rested.days.into_iter().max(), Some(1));
    }
}
