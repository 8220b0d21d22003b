//! Users in a user namespace: all users that it does not map look like one.

/// True if that user stands for the users that the namespace does not map. Called only when a path is refused already.
pub fn is_unmapped(user: u32) -> bool {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    read("/proc/sys/fs/overflowuid").trim().parse() == Ok(user) && !maps(&read("/proc/self/uid_map"), user)
}

/// True if a map of users maps that user. A line holds the first user inside, the first outside, and their number. An unreadable map maps
/// all.
fn maps(map: &str, user: u32) -> bool {
    let ranges = map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u64>().ok());
        let (first, _, count) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(first..first.saturating_add(count))
    });
    let mut ranges = ranges.peekable();
    ranges.peek().is_none() || ranges.any(|range| range.contains(&u64::from(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_looked_for_in_all_ranges() {
        let rootless = "         0       1000          1\n         1     100000      65536\n";
        assert!(maps(rootless, 65_534));
        assert!(maps("         0          0 4294967295\n", 65_534));
        assert!(!maps("      1000       1000          1\n", 65_534));
        assert!(maps("", 65_534));
        assert!(!is_unmapped(0));
    }
}
