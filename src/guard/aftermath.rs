//! What came of an act that rested on limits: whether it helped.

use super::control::{Rate, nats};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Microseconds until workers follow an act and what was under way is over.
const FOLLOWED: i64 = 5_000_000;
/// Microseconds after which it can have helped.
const FIRST: i64 = 20_000_000;
/// Microseconds after which the look is over.
pub(super) const LAST: i64 = 300_000_000;
/// Microseconds of the rates that are compared.
const SPAN: i64 = 20_000_000;
/// Requests that tell something.
const ENOUGH: u64 = 20;
/// Errors that are expected in them at least, if nothing has changed.
const EXPECTED: f64 = 8.0;
/// Nats of a likelihood ratio that are beyond doubt.
const DOUBTLESS: f64 = 5.0;

/// What came of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Errors fell to half or less, and not those of the controls.
    Helped,
    /// Twice as many requests fail: off is broken as well.
    Worse,
    /// No fall within five minutes.
    NotYet,
    /// The controls fell with them, there are none, off is another page, or traffic ended.
    CannotTell,
}

impl Outcome {
    /// Whether it showed that the flag was not the cause, or that off is no better.
    pub fn is_useless(self) -> bool {
        matches!(self, Self::Worse | Self::NotYet)
    }
}

/// An act that is looked after.
#[derive(Debug, Clone)]
pub(super) struct Aftermath {
    pub flag: String,
    pub at: i64,
    /// Off is a page that is not there, which proves nothing.
    gate: bool,
    /// How it was before, of the flag's requests and of the controls.
    before: (Rate, Rate),
    /// Whether there were controls.
    compared: bool,
    /// Slow are requests of later buckets; none for errors.
    pub slow: Option<usize>,
    /// Counters since the act.
    looks: VecDeque<(i64, Rate, Rate)>,
}

impl Aftermath {
    pub(super) fn new(
        flag: &str,
        at: i64,
        gate: bool,
        before: (Rate, Rate),
        compared: bool,
        slow: Option<usize>,
    ) -> Self {
        Self { flag: flag.to_owned(), at, gate, before, compared, slow, looks: VecDeque::new() }
    }

    /// Takes in the counters of all that asked the flag, and of the controls; says what came of the act, once that is known.
    pub(super) fn observe(&mut self, now: i64, page: Rate, controls: Rate) -> Option<Outcome> {
        let since = now - self.at;
        if since < FOLLOWED {
            return None;
        }
        let start = now - SPAN;
        while self.looks.get(1).is_some_and(|(at, ..)| *at <= start) && self.looks.len() > 1 {
            // Few requests need longer to tell.
            let few = self.looks.get(1).is_some_and(|(_, before, _)| {
                page.since(*before).requests < ENOUGH || self.expected(page.since(*before)) < EXPECTED
            });
            if few {
                break;
            }
            self.looks.pop_front();
        }
        self.looks.push_back((now, page, controls));
        if since < FIRST {
            return None;
        }
        if self.gate {
            return Some(Outcome::CannotTell);
        }
        let (_, page_then, controls_then) = self.looks.front()?;
        let (page, controls) = (page.since(*page_then), controls.since(*controls_then));
        let told = self.tell(page, controls);
        match told {
            None if since >= LAST && page.requests < ENOUGH => Some(Outcome::CannotTell),
            None if since >= LAST => Some(Outcome::NotYet),
            told => told,
        }
    }

    /// Errors that are to be expected if nothing has changed.
    fn expected(&self, page: Rate) -> f64 {
        page.requests as f64 * self.before.0.share()
    }

    fn tell(&self, page: Rate, controls: Rate) -> Option<Outcome> {
        let (was, was_controls) = self.before;
        if page.requests < ENOUGH || self.expected(page) < EXPECTED {
            return None;
        }
        let worse = (was.share() * 2.0).min(0.97);
        if page.share() >= worse && nats(page, was, 1.2) >= DOUBTLESS {
            return Some(Outcome::Worse);
        }
        if page.share() * 2.0 > was.share() {
            return None;
        }
        let fell = was_controls.hits as f64 >= EXPECTED && controls.share() * 2.0 <= was_controls.share();
        match self.compared && !fell {
            true => Some(Outcome::Helped),
            false => Some(Outcome::CannotTell),
        }
    }
}
