//! The aftermath of an act on limits: whether it helped.

use super::control::{Rate, nats};
use super::finding::Share;
use crate::telemetry::duration;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Microseconds until workers follow an act and earlier requests have ended.
const FOLLOWED: i64 = 5_000_000;
/// Microseconds after which an act can have helped. A fall seen only later did not come at once.
const EARLIEST_HELP_MICROS: i64 = 20_000_000;
/// Microseconds after which the look ends.
pub(super) const LAST: i64 = 300_000_000;
/// Microseconds over which the compared rates are taken.
const SPAN: i64 = 20_000_000;
/// Requests that are enough to tell.
const MIN_REQUESTS: u64 = 20;
/// Minimum errors expected among them if nothing has changed.
const EXPECTED: f64 = 8.0;
/// Nats of a likelihood ratio that count as certain.
const DOUBTLESS: f64 = 5.0;

/// The result of an act on limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Errors fell to half or less at once, and not those of the controls; or they fell later, but had begun with the change.
    Helped,
    /// Twice as many requests fail: off is broken too.
    Worse,
    /// No fall within five minutes.
    NotYet,
    /// Unknown, for this reason.
    CannotTell(Doubt),
}

/// The reason why it is unknown whether an act helped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Errors fell only this many seconds after the act: a backlog that drained and an outage that ended look the same.
    Late(i64),
    /// Errors of the controls fell too.
    ControlsFell,
    /// Every request asked the flag: there are no controls.
    NoControls,
    /// Off is a page that is not there.
    Gate,
    /// Too few requests came afterwards, or the flag is gone.
    NoTraffic,
}

impl Outcome {
    /// True if it showed that the flag was not the cause, or that off is no better.
    pub fn is_useless(self) -> bool {
        matches!(self, Self::Worse | Self::NotYet)
    }
}

/// An act whose effect is watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aftermath {
    pub(super) flag: String,
    /// Time of the act, in microseconds since 1970.
    pub(super) at: i64,
    /// The same as the trail has it, whatever the clock was set to since.
    #[serde(default)]
    pub(super) recorded_at: i64,
    /// True if it was killed at the last look.
    pub(super) is_killed: bool,
    /// Requests with it on that the act rested on.
    pub(super) on: Share,
    /// True if off is a page that is not there, which proves nothing.
    gate: bool,
    /// The rates before the act, of the flag's requests and of the controls.
    before: (Rate, Rate),
    /// Of an act on slowness: the flag's requests before it, and those that failed.
    #[serde(default)]
    failed_before: Rate,
    /// True if there were controls.
    compared: bool,
    /// True if harm began when the flag was changed: then the act is what ends it.
    began_with_change: bool,
    /// The bucket after which requests are slow; none for errors.
    pub(super) slow: Option<usize>,
    /// Time, rate of the flag's requests and rate of the controls, at looks since the act.
    #[serde(skip)]
    looks: VecDeque<(i64, Rate, Rate)>,
    /// The counters of all requests that asked the flag, once workers followed the act, and whether errors had fallen then.
    #[serde(skip)]
    first: Option<Rate>,
    /// The same, and those that failed.
    #[serde(skip)]
    first_failed: Option<Rate>,
    fell_at_once: Option<bool>,
}

/// The basis of an act.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grounds {
    /// Requests with the flag on, and those that failed or were slow.
    pub on: Share,
    /// True if off is a page that is not there, which proves nothing.
    pub gate: bool,
    /// The rates before the act, of the flag's requests and of the controls.
    pub before: (Rate, Rate),
    /// The flag's requests before the act, and those that failed.
    pub failed: Rate,
    /// True if there were controls.
    pub compared: bool,
    /// True if harm began when the flag was changed.
    pub began_with_change: bool,
    /// The bucket after which requests are slow; none for errors.
    pub slow: Option<usize>,
}

impl Aftermath {
    pub(super) fn new(flag: &str, at: i64, grounds: Grounds) -> Self {
        let Grounds { on, gate, before, failed, compared, began_with_change, slow } = grounds;
        let (flag, looks) = (flag.to_owned(), VecDeque::new());
        let (first, fell_at_once) = (None, None);
        let is_killed = false;
        Self {
            flag,
            at,
            recorded_at: at,
            is_killed,
            on,
            gate,
            before,
            failed_before: failed,
            compared,
            began_with_change,
            slow,
            looks,
            first,
            first_failed: None,
            fell_at_once,
        }
    }

    /// The same for the next guard, without impossible values.
    pub(super) fn resumed(mut self) -> Self {
        for rate in [&mut self.before.0, &mut self.before.1] {
            rate.hits = rate.hits.min(rate.requests);
        }
        self.slow = self.slow.filter(|bucket| *bucket < duration::BUCKETS);
        self.recorded_at = self.recorded_at.max(self.at);
        self
    }

    /// Moves its times, in microseconds: the clock was set.
    pub(super) fn shift(&mut self, by: i64) {
        for at in self.looks.iter_mut().map(|(at, ..)| at).chain([&mut self.at]) {
            *at = at.saturating_add(by);
        }
    }

    /// Compares no counters with those before, which were others.
    pub(super) fn recount(&mut self) {
        self.looks.clear();
        (self.first, self.first_failed) = (None, None);
    }

    /// Takes in the counters of all requests that asked the flag, by the harm of the act and by errors, and of the controls. Returns the
    /// result once it is known.
    pub(super) fn observe(&mut self, now: i64, page: Rate, failed: Rate, controls: Rate) -> Option<Outcome> {
        let since = now - self.at;
        if since < FOLLOWED {
            return None;
        }
        let start = now - SPAN;
        while self.looks.get(1).is_some_and(|(at, ..)| *at <= start) && self.looks.len() > 1 {
            // Fewer requests take longer to tell.
            let few = self.looks.get(1).is_some_and(|(_, before, _)| !self.is_enough(page.since(*before)));
            if few {
                break;
            }
            self.looks.pop_front();
        }
        self.looks.push_back((now, page, controls));
        let first = page.since(*self.first.get_or_insert(page));
        let failed = failed.since(*self.first_failed.get_or_insert(failed));
        if self.fell_at_once.is_none() && self.is_enough(first) {
            self.fell_at_once = Some(self.fell(first));
        }
        if since < EARLIEST_HELP_MICROS {
            return None;
        }
        // If that took longer to see, an outage had time to end.
        self.fell_at_once.get_or_insert(false);
        if self.gate {
            return Some(Outcome::CannotTell(Doubt::Gate));
        }
        // What fails at once is quick.
        if self.slow.is_some() && is_worse(failed, self.failed_before) {
            return Some(Outcome::Worse);
        }
        let (_, page_then, controls_then) = self.looks.front()?;
        let (page, controls) = (page.since(*page_then), controls.since(*controls_then));
        let told = self.tell(since, page, controls);
        match told {
            None if since >= LAST && page.requests < MIN_REQUESTS => {
                Some(Outcome::CannotTell(Doubt::NoTraffic))
            }
            None if since >= LAST => Some(Outcome::NotYet),
            told => told,
        }
    }

    /// Errors that are expected if nothing has changed.
    fn expected(&self, page: Rate) -> f64 {
        page.requests as f64 * self.before.0.share()
    }

    fn is_enough(&self, page: Rate) -> bool {
        page.requests >= MIN_REQUESTS && self.expected(page) >= EXPECTED
    }

    /// True if at most half as many fail as before.
    fn fell(&self, page: Rate) -> bool {
        page.share() * 2.0 <= self.before.0.share()
    }

    fn tell(&self, since: i64, page: Rate, controls: Rate) -> Option<Outcome> {
        let (was, was_controls) = self.before;
        if !self.is_enough(page) {
            return None;
        }
        if is_worse(page, was) {
            return Some(Outcome::Worse);
        }
        if !self.fell(page) {
            return None;
        }
        let fell = was_controls.hits as f64 >= EXPECTED && controls.share() * 2.0 <= was_controls.share();
        Some(if !self.compared {
            Outcome::CannotTell(Doubt::NoControls)
        } else if fell {
            Outcome::CannotTell(Doubt::ControlsFell)
        } else if self.fell_at_once == Some(true) || self.began_with_change {
            Outcome::Helped
        } else {
            Outcome::CannotTell(Doubt::Late(since / 1_000_000))
        })
    }
}

/// True if beyond doubt twice as many fail as before, or nearly all.
fn is_worse(now: Rate, was: Rate) -> bool {
    now.share() >= (was.share() * 2.0).min(0.97) && nats(now, was, 1.2) >= DOUBTLESS
}
