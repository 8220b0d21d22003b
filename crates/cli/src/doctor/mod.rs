//! The checks of `doctor`, their results, and the verdict.
//!
//! A check that failed is no-go. Each check has a weight, for the score, and some are critical: if one of those could not be made, doctor
//! cannot tell. A check that could not be made does not count as passed. One that was not asked for, or that `--skip` names, does not
//! count at all.

pub mod answer;
pub mod application;
pub mod code;
pub mod config;
pub mod flags;
pub mod fpm;
pub mod guard;
pub mod php;
pub mod space;
pub mod store;
pub mod time;

use crate::args::{Arguments, Command};
use serde::Serialize;
use std::path::Path;

/// Reads the directory and asks the PHP named on the command line, before this process changes its user.
pub fn ahead(arguments: &Arguments, store: &Path) {
    let Command::Doctor(command) = &arguments.command else { return };
    let store = store.canonicalize().unwrap_or_else(|_| store.to_owned());
    if let Some(program) = command.php.as_ref().filter(|_| !command.skips(PHP)) {
        php::ahead(program, &store);
    }
    if let Some(directory) = &command.code {
        code::ahead(directory, command.php.as_deref());
    }
}

/// One check that doctor can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its name, in the table, in JSON, and in docs/deploying.md.
    pub name: &'static str,
    /// Its part in the score; 0: for information.
    pub weight: u32,
    /// True if the verdict is unknown when this check could not be made.
    pub critical: bool,
}

const fn critical(name: &'static str, weight: u32) -> Kind {
    Kind { name, weight, critical: true }
}

const fn kind(name: &'static str, weight: u32) -> Kind {
    Kind { name, weight, critical: false }
}

pub const STORE: Kind = critical("store", 10);
pub const PERMISSIONS: Kind = critical("permissions", 3);
pub const HEAD: Kind = critical("head", 10);
pub const EMERGENCY: Kind = critical("emergency", 6);
pub const SNAPSHOT: Kind = critical("snapshot", 10);
pub const FALLBACK: Kind = kind("fallback", 4);
pub const AGE: Kind = kind("age", 0);
pub const SPACE: Kind = kind("space", 6);
pub const INODES: Kind = kind("inodes", 3);
pub const AUDIT: Kind = kind("audit", 6);
pub const CLOCK: Kind = kind("clock", 5);
pub const TIME_SYNC: Kind = kind("time-sync", 2);
pub const CONFIG: Kind = kind("config", 4);
pub const STOP: Kind = kind("stop", 5);
pub const KILLS: Kind = kind("kills", 2);
pub const ENVIRONMENT: Kind = critical("environment", 5);
pub const PHP: Kind = critical("php", 8);
pub const PHP_VERSION: Kind = kind("php-version", 4);
pub const PHP_ANSWERS: Kind = critical("php-answers", 8);
pub const FPM: Kind = critical("fpm", 8);
pub const FPM_VERSION: Kind = kind("fpm-version", 4);
pub const FPM_ANSWERS: Kind = critical("fpm-answers", 8);
pub const FPM_WORKERS: Kind = critical("fpm-workers", 8);
pub const EXPIRED: Kind = kind("expired", 2);
pub const OWNERS: Kind = kind("owners", 2);
pub const BORN_ON: Kind = kind("born-on", 3);
pub const PLANS: Kind = kind("plans", 2);
pub const CONFLICTS: Kind = kind("conflicts", 3);
pub const GUARD: Kind = critical("guard", 8);
pub const APPLICATION: Kind = kind("application", 4);
pub const CODE_UNDEFINED: Kind = kind("code-undefined", 6);
pub const CODE_UNUSED: Kind = kind("code-unused", 2);

/// All checks, in the order of the report.
pub const KINDS: [Kind; 32] = [
    STORE,
    PERMISSIONS,
    HEAD,
    EMERGENCY,
    SNAPSHOT,
    FALLBACK,
    AGE,
    SPACE,
    INODES,
    AUDIT,
    CLOCK,
    TIME_SYNC,
    CONFIG,
    ENVIRONMENT,
    STOP,
    KILLS,
    PHP,
    PHP_VERSION,
    PHP_ANSWERS,
    FPM,
    FPM_VERSION,
    FPM_ANSWERS,
    FPM_WORKERS,
    EXPIRED,
    OWNERS,
    BORN_ON,
    PLANS,
    CONFLICTS,
    GUARD,
    APPLICATION,
    CODE_UNDEFINED,
    CODE_UNUSED,
];

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The finding is as expected.
    Passed,
    /// To be reviewed: half of the weight.
    Warned,
    /// The finding is not as expected.
    Failed,
    /// The check could not be made: nothing of the weight.
    Unknown,
    /// Not asked for: left out of the score.
    NotAsked,
}

impl State {
    /// The state as the table has it.
    pub fn name(self) -> &'static str {
        match self {
            State::Passed => "ok",
            State::Warned => "warning",
            State::Failed => "FAILED",
            State::Unknown => "unknown",
            State::NotAsked => "not asked",
        }
    }
}

/// One check that was made, or not.
#[derive(Debug, Clone)]
pub struct Check {
    pub kind: Kind,
    pub state: State,
    /// The finding, or the reason that there is none.
    pub found: String,
    /// The way to mend it, with the line to type.
    pub mend: Option<String>,
}

/// Go, no-go, or could not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Go,
    NoGo,
    Unknown,
}

/// The results of all checks.
#[derive(Debug, Default)]
pub struct Report {
    checks: Vec<Check>,
    /// Checks that do not count, by name.
    skipped: Vec<String>,
}

impl Report {
    /// An empty report, in which the checks of these names do not count.
    pub fn skipping(skipped: &[String]) -> Report {
        Report { checks: Vec::new(), skipped: skipped.to_vec() }
    }

    pub fn passed(&mut self, kind: Kind, found: impl Into<String>) {
        self.add(kind, State::Passed, found.into(), None);
    }

    pub fn warned(&mut self, kind: Kind, found: impl Into<String>, mend: impl Into<String>) {
        self.add(kind, State::Warned, found.into(), Some(mend.into()));
    }

    pub fn failed(&mut self, kind: Kind, found: impl Into<String>, mend: impl Into<String>) {
        self.add(kind, State::Failed, found.into(), Some(mend.into()));
    }

    pub fn unknown(&mut self, kind: Kind, why: impl Into<String>, mend: Option<String>) {
        self.add(kind, State::Unknown, why.into(), mend);
    }

    pub fn not_asked(&mut self, kind: Kind, why: impl Into<String>) {
        self.add(kind, State::NotAsked, why.into(), None);
    }

    fn add(&mut self, kind: Kind, state: State, found: String, mend: Option<String>) {
        debug_assert!(self.checks.iter().all(|check| check.kind != kind), "{} twice", kind.name);
        if state != State::NotAsked && self.skipped.iter().any(|name| name == kind.name) {
            let found = format!("left out (--skip {}); {}: {found}", kind.name, state.name());
            self.checks.push(Check { kind, state: State::NotAsked, found, mend: None });
            return;
        }
        self.checks.push(Check { kind, state, found, mend });
    }

    /// Puts the checks in the order of [`KINDS`]. Those that were not reached are `unknown`, for this reason.
    pub fn finish(&mut self, why: &str) {
        for kind in KINDS {
            if !self.checks.iter().any(|check| check.kind == kind) {
                self.unknown(kind, why, None);
            }
        }
        let place = |check: &Check| KINDS.iter().position(|kind| *kind == check.kind);
        self.checks.sort_by_key(place);
    }

    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The score from 0 to 100, rounded down: the share that passed of all checks asked for, by weight.
    pub fn score(&self) -> u32 {
        let asked = self.checks.iter().filter(|check| check.state != State::NotAsked);
        let (mut of, mut got) = (0, 0);
        for check in asked {
            of += check.kind.weight * 2;
            got += match check.state {
                State::Passed => check.kind.weight * 2,
                State::Warned => check.kind.weight,
                _ => 0,
            };
        }
        (got * 100).checked_div(of).unwrap_or(0)
    }

    /// No-go if a check failed; otherwise unknown if a critical one could not be made; otherwise no-go if the score is below `least`.
    pub fn verdict(&self, least: u32) -> Verdict {
        let any = |state, all: bool| {
            self.checks.iter().any(|check| (all || check.kind.critical) && check.state == state)
        };
        match () {
            () if any(State::Failed, true) => Verdict::NoGo,
            () if any(State::Unknown, false) => Verdict::Unknown,
            () if self.score() < least => Verdict::NoGo,
            () => Verdict::Go,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(state: State) -> Report {
        let mut report = Report::default();
        for kind in KINDS {
            report.add(kind, state, String::new(), None);
        }
        report
    }

    fn but(kind: Kind, state: State) -> Report {
        let mut report = all(State::Passed);
        for check in &mut report.checks {
            if check.kind == kind {
                check.state = state;
            }
        }
        report
    }

    #[test]
    fn any_failed_check_is_no_go_whatever_the_score() {
        for kind in KINDS {
            let report = but(kind, State::Failed);
            assert!(report.score() >= 90, "{}", kind.name);
            assert_eq!(report.verdict(0), Verdict::NoGo, "{}", kind.name);
            assert_eq!(but(kind, State::Warned).verdict(0), Verdict::Go, "{}", kind.name);
        }
    }

    #[test]
    fn a_skipped_check_does_not_count() {
        let mut report = Report::skipping(&["stop".to_owned()]);
        report.failed(STOP, "every flag is off", "");
        report.passed(HEAD, "");
        assert_eq!((report.score(), report.verdict(100)), (100, Verdict::Go));
        assert_eq!(report.checks()[0].state, State::NotAsked);
    }

    #[test]
    fn a_critical_check_that_could_not_be_made_is_no_go_ahead() {
        assert_eq!(but(FPM, State::Unknown).verdict(0), Verdict::Unknown);
        assert_eq!(but(TIME_SYNC, State::Unknown).verdict(0), Verdict::Go);
        let mut both = but(FPM, State::Unknown);
        both.checks[0].state = State::Failed;
        assert_eq!(both.verdict(0), Verdict::NoGo);
    }

    #[test]
    fn the_score_counts_what_passed_of_what_was_asked() {
        assert_eq!(all(State::Passed).score(), 100);
        assert_eq!(all(State::Warned).score(), 50);
        assert_eq!(all(State::Failed).score(), 0);
        assert_eq!(all(State::Unknown).score(), 0, "not made is not passed");
        assert_eq!(all(State::NotAsked).score(), 0);
        assert_eq!(but(FPM, State::NotAsked).score(), 100);
        assert!(but(FPM, State::Unknown).score() < 100);
    }

    #[test]
    fn a_score_below_the_least_is_no_go() {
        let report = but(SPACE, State::Warned);
        assert_eq!(report.verdict(report.score()), Verdict::Go);
        assert_eq!(report.verdict(report.score() + 1), Verdict::NoGo);
    }

    #[test]
    fn what_nobody_came_to_is_unknown() {
        let mut report = Report::default();
        report.passed(PLANS, "");
        report.finish("the store could not be opened");
        assert_eq!(report.checks().len(), KINDS.len());
        assert_eq!(report.checks()[0].state, State::Unknown);
        assert_eq!(report.checks().iter().filter(|check| check.state == State::Passed).count(), 1);
    }
}
