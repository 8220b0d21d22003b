//! Retention of old generations.

use crate::time::SECOND;

/// Generations kept whatever their size, besides the current one and the one before it.
const NEWEST: usize = 10;
/// Latest generations kept as long as there is room.
const LAST: usize = 20;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;
/// Microseconds for which one generation of each hour is kept.
const HOURLY_FOR: i64 = 2 * DAY;
/// Microseconds for which one generation of each day is kept.
const DAILY_FOR: i64 = 30 * DAY;
/// Total bytes of the kept generations, unless the config says more.
pub(crate) const SIZE_LIMIT: u64 = 256 << 20;

/// A retained generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub generation: u64,
    /// Time of the publish, in microseconds since 1970.
    pub at: i64,
    /// Bytes of its snapshot.
    pub size: u64,
}

/// The generations to remove. `candidates` is ascending, the last being the current one.
pub(crate) fn surplus(candidates: &[Candidate], now: i64, limit: u64) -> Vec<u64> {
    let mut surplus = Vec::new();
    let (mut size, mut hour, mut day) = (0_u64, None, None);
    for (place, candidate) in candidates.iter().rev().enumerate() {
        let age = now.saturating_sub(candidate.at);
        // The newest of its hour and of its day: they come first.
        let of_hour = hour.replace(candidate.at.div_euclid(HOUR)) != Some(candidate.at.div_euclid(HOUR));
        let of_day = day.replace(candidate.at.div_euclid(DAY)) != Some(candidate.at.div_euclid(DAY));
        let wanted = place < LAST || (of_hour && age < HOURLY_FOR) || (of_day && age < DAILY_FOR);
        let fits = size.saturating_add(candidate.size) <= limit;
        if place < NEWEST || (wanted && fits) {
            size = size.saturating_add(candidate.size);
        } else {
            surplus.push(candidate.generation);
        }
    }
    surplus
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_219_200_000_000;

    /// A generation of each age, the oldest first.
    fn aged(ages: impl IntoIterator<Item = i64>, size: u64) -> Vec<Candidate> {
        let of = |(generation, age): (usize, i64)| Candidate {
            generation: generation as u64 + 1,
            at: NOW - age,
            size,
        };
        ages.into_iter().enumerate().map(of).collect()
    }

    fn kept(candidates: &[Candidate], limit: u64) -> Vec<u64> {
        let surplus = surplus(candidates, NOW, limit);
        let all = candidates.iter().map(|candidate| candidate.generation);
        all.filter(|generation| !surplus.contains(generation)).collect()
    }

    #[test]
    fn the_last_twenty_are_kept_and_more_of_one_hour_go() {
        let busy = aged((0..100).rev().map(|second| second * SECOND), 1);
        assert_eq!(kept(&busy, SIZE_LIMIT), (81..=100).collect::<Vec<_>>());
    }

    #[test]
    fn one_an_hour_is_kept_for_two_days_and_one_a_day_for_thirty() {
        // Every ten minutes for 40 days.
        let ages = (0..40 * 144).rev().map(|step| step * 600 * SECOND + SECOND);
        let all = aged(ages, 1);
        let kept = kept(&all, SIZE_LIMIT);
        let age = |generation: &u64| NOW - all[*generation as usize - 1].at;
        let within =
            |from: i64, to: i64| kept.iter().filter(|found| (from..to).contains(&age(found))).count();
        assert_eq!(within(0, 20 * 600 * SECOND), 20);
        // The newest of each hour, of each day.
        assert_eq!(within(4 * HOUR, HOURLY_FOR), 44);
        assert_eq!(within(HOURLY_FOR, DAILY_FOR), 28);
        assert_eq!(within(DAILY_FOR, 100 * DAY), 0);
    }

    #[test]
    fn a_size_is_not_passed_but_by_the_newest_ten() {
        let large = aged((0..30).rev().map(|day| day * DAY), 100);
        assert_eq!(kept(&large, 1_500), (16..=30).collect::<Vec<_>>());
        assert_eq!(kept(&large, 100), (21..=30).collect::<Vec<_>>());
        assert_eq!(kept(&large, 10_000).len(), 30);
    }

    #[test]
    fn a_clock_that_went_back_removes_none_of_the_last() {
        let ahead = aged((0..15).rev().map(|day| -day * DAY), 1);
        assert_eq!(kept(&ahead, SIZE_LIMIT).len(), 15);
    }
}
