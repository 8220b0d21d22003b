//! The rule of a three-way merge, for every field and every company alike.

/// Effect of a publish on one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The file is unchanged: the running value stays.
    Keep,
    /// Only the file was changed: the edit takes effect.
    Take,
    /// Both were changed to the same value.
    Agree,
    /// Both were changed, to different values.
    Conflict,
}

impl Outcome {
    /// Compares the file's value, its value at the last publish (the base), and the running value.
    pub fn of<T: PartialEq + ?Sized>(file: &T, base: &T, runs: &T) -> Outcome {
        Outcome::compared(file == base, runs == base, file == runs)
    }

    /// Takes the results of the comparisons: file with base, running with base, file with running.
    pub(super) fn compared(file_is_base: bool, runs_is_base: bool, file_is_running: bool) -> Outcome {
        match (file_is_base, runs_is_base, file_is_running) {
            (true, _, _) => Outcome::Keep,
            (false, true, _) => Outcome::Take,
            (false, false, true) => Outcome::Agree,
            (false, false, false) => Outcome::Conflict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{self, Agree, Conflict, Keep, Take};

    #[test]
    fn the_table_of_the_design_holds_for_all_triples() {
        // Base, file, running; outcome.
        let rows = [
            (10, 10, 10, Keep),
            (10, 10, 5, Keep),
            (10, 25, 10, Take),
            (10, 25, 25, Agree),
            (10, 25, 5, Conflict),
        ];
        for (base, file, runs, expected) in rows {
            assert_eq!(Outcome::of(&file, &base, &runs), expected, "{base} {file} {runs}");
        }
        for (base, file, runs) in (0..64).map(|n| (n % 4, n / 4 % 4, n / 16)) {
            let outcome = Outcome::of(&file, &base, &runs);
            assert_eq!(outcome == Keep, file == base);
            assert_eq!(outcome == Conflict, file != base && runs != base && file != runs);
            let after = if outcome == Take { file } else { runs };
            // A file that is published again changes nothing.
            if outcome != Conflict {
                assert_eq!(Outcome::of(&file, &file, &after), Keep);
            }
            // The running value changes only if the file alone was changed.
            assert!(after == runs || (file != base && runs == base));
        }
    }
}
