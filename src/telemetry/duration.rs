//! Buckets of durations: log-linear, eight to each doubling from 64 µs to 67 s.
//!
//! A bucket is at most an eighth of its lower end wide, so that a quantile read from the buckets is off by 12.5 % at most.

/// Buckets of a histogram: one for what is shorter, 20 doublings of eight, and one for what is longer.
pub const BUCKETS: usize = 2 + (LAST - FIRST) as usize * SUB;

/// The shortest duration of the second bucket is 2^FIRST µs, and of the last 2^LAST µs.
const FIRST: u32 = 6;
const LAST: u32 = 26;
/// Buckets to each doubling, 2^SUB_BITS.
const SUB: usize = 1 << SUB_BITS;
const SUB_BITS: u32 = 3;

/// The bucket of a duration in microseconds, always below [`BUCKETS`].
#[inline]
pub const fn bucket(micros: u64) -> usize {
    if micros < 1 << FIRST {
        return 0;
    }
    if micros >= 1 << LAST {
        return BUCKETS - 1;
    }
    let octave = micros.ilog2();
    let within = (micros >> (octave - SUB_BITS)) as usize & (SUB - 1);
    1 + (octave - FIRST) as usize * SUB + within
}

/// The shortest duration of a bucket in microseconds. Buckets past the last have that of the last.
pub const fn lower(bucket: usize) -> u64 {
    if bucket == 0 {
        return 0;
    }
    let bucket = if bucket < BUCKETS { bucket - 1 } else { BUCKETS - 2 };
    let octave = FIRST + (bucket / SUB) as u32;
    (SUB as u64 + (bucket % SUB) as u64) << (octave - SUB_BITS)
}

/// The first duration in microseconds that is too long for a bucket; `u64::MAX` for the last.
pub const fn upper(bucket: usize) -> u64 {
    if bucket + 1 < BUCKETS { lower(bucket + 1) } else { u64::MAX }
}

/// The bucket that holds the quantile, `share` from 0 to 1; none for an empty histogram.
pub fn quantile(durations: &[u64; BUCKETS], share: f64) -> Option<usize> {
    let all = all(durations);
    let rank = ((all as f64 * share).ceil() as u64).clamp(1, all.max(1));
    let mut below = 0;
    durations.iter().position(|count| {
        below = u64::saturating_add(below, *count);
        below >= rank && all > 0
    })
}

/// Like [`quantile`], of all durations but this number of the shortest.
pub fn quantile_of_longest(durations: &[u64; BUCKETS], shortest: u64, share: f64) -> Option<usize> {
    let (mut rest, mut left) = (*durations, shortest);
    for count in &mut rest {
        let taken = left.min(*count);
        (*count, left) = (*count - taken, left - taken);
    }
    quantile(&rest, share)
}

/// Total number of durations.
pub fn all(durations: &[u64; BUCKETS]) -> u64 {
    durations.iter().fold(0, |sum, count| sum.saturating_add(*count))
}

/// Number of durations in buckets after this one.
#[inline]
pub fn above(durations: &[u64; BUCKETS], bucket: usize) -> u64 {
    durations.iter().skip(bucket + 1).fold(0, |sum, count| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_are_where_the_documentation_says() {
        assert_eq!(BUCKETS, 162);
        for (micros, expected) in [
            (0, 0),
            (63, 0),
            (64, 1),
            (71, 1),
            (72, 2),
            (127, 8),
            (128, 9),
            (1_000, 32),
            (67_108_863, 160),
            (67_108_864, 161),
            (u64::MAX, 161),
        ] {
            assert_eq!(bucket(micros), expected, "{micros} µs");
        }
    }

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        for index in 0..BUCKETS {
            assert_eq!(bucket(lower(index)), index);
            assert_eq!(bucket(upper(index) - 1), index);
        }
        assert_eq!((lower(0), lower(1), lower(BUCKETS - 1), upper(BUCKETS - 1)), (0, 64, 1 << 26, u64::MAX));
        assert_eq!((lower(BUCKETS), lower(usize::MAX)), (1 << 26, 1 << 26));
    }

    #[test]
    fn no_bucket_is_wider_than_an_eighth_of_its_lower_end() {
        for index in 1..BUCKETS - 1 {
            assert!((upper(index) - lower(index)) * 8 <= lower(index), "bucket {index}");
        }
    }

    #[test]
    fn a_quantile_is_the_bucket_that_the_share_is_reached_in() {
        let mut durations = [0; BUCKETS];
        assert_eq!(quantile(&durations, 0.95), None);
        durations[10] = 95;
        durations[90] = 5;
        for (share, expected) in [(0.0, 10), (0.5, 10), (0.95, 10), (0.951, 90), (1.0, 90)] {
            assert_eq!(quantile(&durations, share), Some(expected), "{share}");
        }
        assert_eq!((above(&durations, 9), above(&durations, 10), above(&durations, 90)), (100, 5, 0));
        assert_eq!(above(&durations, usize::MAX - 1), 0);
        let longest = |shortest| quantile_of_longest(&durations, shortest, 0.9);
        assert_eq!(
            [0, 50, 51, 99, 100, 101].map(longest),
            [Some(10), Some(10), Some(90), Some(90), None, None]
        );
    }

    proptest! {
        #[test]
        fn longer_durations_never_fall_into_earlier_buckets(a: u64, b: u64) {
            prop_assert!(bucket(a.min(b)) <= bucket(a.max(b)));
            prop_assert!(lower(bucket(a)) <= a && (a < upper(bucket(a)) || a == u64::MAX));
        }
    }
}
