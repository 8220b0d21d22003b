//! Maps a key to its bucket in a rollout. Frozen: a change here moves companies in and out of features.

use crate::key::Key;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

/// Number of buckets.
pub const BUCKETS: u32 = 100_000;

/// The seed of a rollout: XXH3-64 of its salt.
pub fn seed(salt: &[u8]) -> u64 {
    xxh3_64(salt)
}

/// The seed for drawing variants: XXH3-64 of the salt followed by `:variant`.
pub fn variant_seed(salt: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(salt);
    hash.update(b":variant");
    hash.digest()
}

/// The bucket of a key, 0 to 99,999: an int is hashed as 8 bytes, little-endian two's complement.
#[inline(always)]
pub fn bucket(key: Key<'_>, seed: u64) -> u32 {
    let hash = match key {
        Key::Int(int) => xxh3_64_of_int(int, seed),
        Key::Text(text) => xxh3_64_with_seed(text, seed),
    };
    (((hash >> 32) * u64::from(BUCKETS)) >> 32) as u32
}

/// The bucket of a key by `crc32(key) % 100`, in thousandths of a percent: 0, 1,000 … 99,000. An int is hashed as its
/// decimal digits.
pub fn crc32_bucket(key: Key<'_>) -> u32 {
    let mut digits = [0; 20];
    let bytes = match key {
        Key::Int(int) => decimal(int, &mut digits),
        Key::Text(text) => text,
    };
    crc32fast::hash(bytes) % 100 * 1000
}

/// XXH3-64 of the eight little-endian bytes of `int`: the branch of the algorithm for 4 to 8 bytes (`XXH3_len_4to8_64b` in xxHash 0.8),
/// written out because the general function costs as much as the rest of a call.
#[inline(always)]
fn xxh3_64_of_int(int: i64, seed: u64) -> u64 {
    // Bytes 8 to 15 of XXH3's default secret, XORed with bytes 16 to 23.
    const SECRET: u64 = 0x1cad21f72c81017c ^ 0xdb979083e96dd4de;
    const PRIME_MX2: u64 = 0x9FB2_1C65_1E98_DF25;
    let seed = seed ^ (u64::from((seed as u32).swap_bytes()) << 32);
    let word = int as u64;
    let flip = SECRET.wrapping_sub(seed);
    let mut hash = word.rotate_left(32) ^ flip;
    hash ^= hash.rotate_left(49) ^ hash.rotate_left(24);
    hash = hash.wrapping_mul(PRIME_MX2);
    hash ^= (hash >> 35).wrapping_add(8);
    hash = hash.wrapping_mul(PRIME_MX2);
    hash ^ (hash >> 28)
}

fn decimal(int: i64, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = int.unsigned_abs();
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        start -= 1;
        if rest == 0 {
            break;
        }
    }
    if int < 0 {
        start = start.saturating_sub(1);
        if let Some(sign) = digits.get_mut(start) {
            *sign = b'-';
        }
    }
    digits.get(start..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_int_hashes_as_its_eight_little_endian_bytes(int: i64, seed: u64) {
            prop_assert_eq!(xxh3_64_of_int(int, seed), xxh3_64_with_seed(&int.to_le_bytes(), seed));
        }

        #[test]
        fn an_int_has_its_decimal_digits(int: i64) {
            let (mut digits, expected) = ([0; 20], int.to_string());
            prop_assert_eq!(decimal(int, &mut digits), expected.as_bytes());
        }
    }

    #[test]
    fn the_ends_of_the_range_have_their_decimal_digits() {
        for int in [0, 9, 10, -1, i64::MAX, i64::MIN] {
            assert_eq!(decimal(int, &mut [0; 20]), int.to_string().as_bytes());
        }
    }
}
