//! Points in time: RFC 3339 text to and from microseconds since 1970, without allocation.
//!
//! The format is `2026-12-01T08:00:00Z` with an offset always (`Z`, `+01:00`, `-00:00`), `t` and `z` in either case, years 0000 to 9999,
//! and up to nine digits of a second's fraction of which the first six count. There is no leap second (`:60`), no `24:00`, no space for
//! the `T`, no missing offset.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

const DAY: i64 = 86_400;

/// The instants of the years 0000 to 9999, in microseconds since 1970.
pub(crate) const FOUR_DIGIT_YEARS: Range<i64> = -62_167_219_200 * SECOND..253_402_300_800 * SECOND;

/// The current instant by the system's clock; 0 before 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// The instant as microseconds since 1970-01-01T00:00:00Z, or `None` if the text is not such a time.
pub fn parse_rfc3339(text: &[u8]) -> Option<i64> {
    let (day, rest) = split(text, 10)?;
    let days = parse_day(day)?;
    let (clock, rest) = split(rest, 9)?;
    let &[b'T' | b't', h1, h2, b':', m1, m2, b':', s1, s2] = clock else { return None };
    let seconds =
        i64::from(two(h1, h2, 23)?) * 3600 + i64::from(two(m1, m2, 59)?) * 60 + i64::from(two(s1, s2, 59)?);
    let (micros, rest) = fraction(rest)?;
    let offset = offset(rest)?;
    Some((days * DAY + seconds - offset) * SECOND + micros)
}

/// The days from 1970-01-01 to the day written as `YYYY-MM-DD`, or `None` if there is no such day.
pub fn parse_day(text: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let year = i64::from(two(y1, y2, 99)?) * 100 + i64::from(two(y3, y4, 99)?);
    let month = i64::from(two(m1, m2, 12)?);
    let day = i64::from(two(d1, d2, 31)?);
    if month == 0 || day == 0 || day > days_in(year, month) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// The day of an instant in UTC: `YYYY-MM-DD`.
pub fn format_day(micros: i64) -> String {
    format_rfc3339(micros).chars().take(10).collect()
}

/// Formats the instant as RFC 3339 in UTC, with a fraction only if it is not zero.
///
/// Instants outside the years 0000 to 9999 give text that [`parse_rfc3339`] does not read back.
pub fn format_rfc3339(micros: i64) -> String {
    use std::fmt::Write;

    let seconds = micros.div_euclid(SECOND);
    let fraction = micros.rem_euclid(SECOND);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let mut text =
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60);
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text.push('Z');
    text
}

/// The instant as RFC 3339 in UTC with all six digits of its fraction, `2026-12-01T08:00:00.000000Z`; `None` outside the years
/// 0000 to 9999.
pub fn rfc3339_micros(micros: i64) -> Option<[u8; 27]> {
    if !FOUR_DIGIT_YEARS.contains(&micros) {
        return None;
    }
    let seconds = micros.div_euclid(SECOND);
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    for (at, digits, number) in [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, clock / 3600),
        (14, 2, clock / 60 % 60),
        (17, 2, clock % 60),
        (20, 6, micros.rem_euclid(SECOND)),
    ] {
        let mut left = number;
        for byte in text.iter_mut().skip(at).take(digits).rev() {
            *byte = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }
    Some(text)
}

/// The first `at` bytes and the rest.
fn split(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    text.split_at_checked(at)
}

/// Parses two digits, at most `most`.
fn two(high: u8, low: u8, most: u8) -> Option<u8> {
    let value = digit(high)? * 10 + digit(low)?;
    (value <= most).then_some(value)
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

/// Parses an optional `.123456789` to microseconds, truncated; returns the rest too.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = text.strip_prefix(b".") else { return Some((0, text)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (digits, rest) = split(digits, count)?;
    let micros =
        digits.iter().chain([b'0'; 6].iter()).take(6).fold(0, |sum, byte| sum * 10 + i64::from(byte & 15));
    Some((micros, rest))
}

/// Parses an offset to seconds east of UTC; the text must end here.
fn offset(text: &[u8]) -> Option<i64> {
    match *text {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = i64::from(two(h1, h2, 23)?) * 3600 + i64::from(two(m1, m2, 59)?) * 60;
            Some(if sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. The year is counted from March, so that
/// the leap day is its last, in eras of 400 years or 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse: year, month, day.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Option<i64> {
        parse_rfc3339(text.as_bytes())
    }

    #[test]
    fn known_instants_are_read() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-12-01T08:00:00Z", 1_796_112_000),
            ("2026-12-01T09:30:00+01:30", 1_796_112_000),
            ("2026-12-01t00:00:00-08:00", 1_796_112_000),
            ("2026-12-01T08:00:00-00:00", 1_796_112_000),
            ("2026-12-01T08:00:00z", 1_796_112_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
            ("1900-03-01T00:00:00Z", -2_203_891_200),
        ] {
            assert_eq!(parse(text), Some(seconds * SECOND), "{text}");
        }
    }

    #[test]
    fn a_fraction_keeps_its_microseconds_and_drops_the_rest() {
        assert_eq!(parse("1970-01-01T00:00:00.5Z"), Some(500_000));
        assert_eq!(parse("1970-01-01T00:00:00.000001Z"), Some(1));
        assert_eq!(parse("1970-01-01T00:00:00.123456789Z"), Some(123_456));
        assert_eq!(parse("1969-12-31T23:59:59.999999999Z"), Some(-1));
        assert_eq!(parse("1970-01-01T00:00:00.1234567890Z"), None, "ten digits");
        assert_eq!(parse("1970-01-01T00:00:00.Z"), None);
    }

    #[test]
    fn what_is_no_such_time_is_refused() {
        for text in [
            "",
            "2026-12-01",
            "2026-12-01T08:00:00",
            "2026-12-01 08:00:00Z",
            "2026-12-01T08:00Z",
            "2026-13-01T08:00:00Z",
            "2026-00-01T08:00:00Z",
            "2026-12-00T08:00:00Z",
            "2026-11-31T08:00:00Z",
            "2026-02-29T08:00:00Z",
            "1900-02-29T08:00:00Z",
            "2026-12-01T24:00:00Z",
            "2026-12-01T23:60:00Z",
            "2026-12-31T23:59:60Z",
            "2026-12-01T08:00:00+24:00",
            "2026-12-01T08:00:00+01:60",
            "2026-12-01T08:00:00+0100",
            "2026-12-01T08:00:00+01",
            "2026-12-01T08:00:00ZZ",
            "2026-12-01T08:00:00Z ",
            "+026-12-01T08:00:00Z",
            "12026-12-01T08:00:00Z",
            "2026-1-01T08:00:00Z",
            "2026-12-01T8:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_written_in_utc_without_idle_digits() {
        assert_eq!(format_rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(format_rfc3339(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(format_rfc3339(1_796_112_000_500_000), "2026-12-01T08:00:00.5Z");
        assert_eq!(format_rfc3339(-62_167_219_200 * SECOND), "0000-01-01T00:00:00Z");
        for extreme in [i64::MIN, i64::MAX] {
            assert!(format_rfc3339(extreme).ends_with('Z'));
        }
    }

    #[test]
    fn a_time_with_all_its_digits_is_one_of_four_digit_years() {
        let text =
            |micros| rfc3339_micros(micros).map(|text| String::from_utf8(text.to_vec()).expect("ASCII"));
        assert_eq!(text(0).as_deref(), Some("1970-01-01T00:00:00.000000Z"));
        assert_eq!(text(-1).as_deref(), Some("1969-12-31T23:59:59.999999Z"));
        assert_eq!(text(1_796_112_000_500_000).as_deref(), Some("2026-12-01T08:00:00.500000Z"));
        assert_eq!(text(-62_167_219_200 * SECOND).as_deref(), Some("0000-01-01T00:00:00.000000Z"));
        assert_eq!(text(253_402_300_800 * SECOND - 1).as_deref(), Some("9999-12-31T23:59:59.999999Z"));
        for outside in [i64::MIN, -62_167_219_200 * SECOND - 1, 253_402_300_800 * SECOND, i64::MAX] {
            assert_eq!(text(outside), None, "{outside}");
        }
    }

    #[test]
    fn days_follow_each_other_for_ten_thousand_years() {
        let mut next = days_from_civil(0, 1, 1);
        for year in 0..10_000 {
            for month in 1..=12 {
                for day in 1..=days_in(year, month) {
                    assert_eq!(parse_day(format!("{year:04}-{month:02}-{day:02}").as_bytes()), Some(next));
                    assert_eq!(civil_from_days(next), (year, month, day));
                    next += 1;
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in -62_167_219_200_000_000_i64..253_402_300_800_000_000) {
            prop_assert_eq!(parse(&format_rfc3339(micros)), Some(micros));
            prop_assert_eq!(rfc3339_micros(micros).and_then(|text| parse_rfc3339(&text)), Some(micros));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse_rfc3339(&bytes);
            let _ = parse_day(&bytes);
        }

        #[test]
        fn nearly_right_text_makes_it_neither_panic_nor_lose_its_range(
            text in "[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,10})?(Z|[+-][0-2][0-9]:[0-6][0-9])"
        ) {
            if let Some(micros) = parse(&text) {
                prop_assert!((-62_253_705_600_000_000..=253_488_700_800_000_000).contains(&micros));
            }
        }
    }
}
