//! Suggests the known name nearest to an unknown one.

/// The known name nearest to a misspelled one, if any is near enough.
///
/// Near means at most one edit in three characters, three at most, where an edit inserts, drops or replaces a character or swaps two
/// neighbors; case is ignored. The first of equally near names wins.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = name.chars().take(MAX_NAME_CHARACTERS + 1).flat_map(char::to_lowercase).collect();
    if name.is_empty() || name.len() > MAX_NAME_CHARACTERS {
        return None;
    }
    let bound = (name.len() / 3).clamp(1, 3);
    let mut best = None;
    let mut bound_left = bound + 1;
    for candidate in known {
        // A character has one to four bytes.
        if candidate.len() + bound < name.len() || candidate.len() > (name.len() + bound) * 4 {
            continue;
        }
        let letters: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        if letters.len().abs_diff(name.len()) > bound || letters.is_empty() {
            continue;
        }
        let distance = edits(&name, &letters);
        if distance < bound_left {
            bound_left = distance;
            best = Some(candidate);
        }
    }
    best
}

/// Formats ` (did you mean "near"?)` for the end of a message; empty without a nearest name.
pub fn did_you_mean(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!(" (did you mean \"{near}\"?)"))
}

/// Longest name, in characters, for which a near one is sought.
const MAX_NAME_CHARACTERS: usize = 200;

/// Optimal string alignment: Levenshtein's distance with swaps of neighbors.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut row = vec![0; b.len() + 1];
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_the_name_that_was_meant() {
        let known = ["percentage", "by", "salt", "bucketing"];
        for (written, meant) in [
            ("percentge", Some("percentage")),
            ("precentage", Some("percentage")),
            ("Percentage", Some("percentage")),
            ("slat", Some("salt")),
            ("buketing", Some("bucketing")),
            ("on", None),
            ("yb", Some("by")),
            ("", None),
            ("something else altogether", None),
        ] {
            assert_eq!(nearest(written, known.into_iter()), meant, "{written}");
        }
    }

    #[test]
    fn the_nearest_of_several_wins_and_the_first_of_equals() {
        assert_eq!(
            nearest("beta-usres", ["beta-user", "beta-users", "beta-uses"].into_iter()),
            Some("beta-users")
        );
        assert_eq!(nearest("cat", ["bat", "hat"].into_iter()), Some("bat"));
    }

    #[test]
    fn a_name_of_any_length_is_no_burden() {
        assert_eq!(nearest(&"x".repeat(1_000_000), ["xx"].into_iter()), None);
        assert_eq!(nearest("x", ["é", "x".repeat(1_000_000).as_str()].into_iter()), Some("é"));
    }
}
