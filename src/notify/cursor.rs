//! Position of an endpoint in the audit trail, and the time of its next try.

use serde::{Deserialize, Serialize};

/// Time after which an unacknowledged event is given up: three days, in microseconds.
pub const GIVE_UP: i64 = 3 * 24 * 3_600 * 1_000_000;
/// First pause between two tries, in microseconds.
const FIRST_PAUSE: i64 = 5 * 1_000_000;
/// Longest pause between two tries, in microseconds.
const MAX_PAUSE: i64 = 3_600 * 1_000_000;
/// Maximum number of given-up events that are kept.
const DEAD: usize = 1_000;

/// State of one endpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Records up to this number are acknowledged, given up, or not for this endpoint.
    pub seq: u64,
    /// Time of that record, RFC 3339; a trail with another time there is another trail.
    pub at: String,
    /// The trail's last record when there was nothing left to send; 0 if not known.
    #[serde(default)]
    pub seen: u64,
    /// Acknowledged records after `seq`: kills in the middle of a publish.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<u64>,
    /// The event being tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Events given up, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<Dead>,
}

/// An event that is not acknowledged yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Number of its audit record.
    pub seq: u64,
    /// Number of tries so far.
    pub tries: u32,
    /// Time of the first try, in microseconds since 1970.
    pub since: i64,
    /// Earliest time of the next try.
    pub next: i64,
    /// Error of the last try.
    pub problem: String,
}

/// An event that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dead {
    /// Number of its audit record.
    pub seq: u64,
    /// Number of tries.
    pub tries: u32,
    /// Error of the last try.
    pub problem: String,
}

impl Cursor {
    /// True if an event may be tried now. A clock that went back delays it no longer than the longest pause may last.
    pub fn due(&self, now: i64) -> bool {
        self.pending.as_ref().is_none_or(|pending| {
            now >= pending.next || now < pending.since || pending.next - now > 2 * MAX_PAUSE
        })
    }

    /// Moves past a record that is acknowledged, given up, or not for this endpoint. `open` is a record of a publish that may still be
    /// made: the cursor does not pass it.
    pub fn pass(&mut self, seq: u64, at: &str, open: Option<u64>) {
        if open.is_some_and(|open| seq > open) {
            self.ahead.push(seq);
            return;
        }
        (self.seq, self.at) = (seq, at.to_owned());
        self.ahead.retain(|ahead| *ahead > seq);
    }

    /// Records a failed try. `jitter` is from 0 to 1: it spreads out senders that failed together. Returns true if the event is given
    /// up, by age or because the endpoint will never take it.
    pub fn failed(&mut self, seq: u64, problem: String, never: bool, now: i64, jitter: f64) -> bool {
        let (tries, since) = match &self.pending {
            Some(pending) if pending.seq == seq => (pending.tries.saturating_add(1), pending.since.min(now)),
            _ => (1, now),
        };
        if never || now - since >= GIVE_UP {
            self.dead.push(Dead { seq, tries, problem });
            let surplus = self.dead.len().saturating_sub(DEAD);
            self.dead.drain(..surplus);
            self.pending = None;
            return true;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (tries - 1).min(20)).min(MAX_PAUSE);
        let pause = pause / 2 + (pause as f64 / 2.0 * jitter.clamp(0.0, 1.0)) as i64;
        self.pending = Some(Pending { seq, tries, since, next: now + pause, problem });
        false
    }

    /// Delays the next try by the pause that the endpoint asked for, in microseconds; an hour at most.
    pub fn wait(&mut self, pause: i64, now: i64) {
        if let Some(pending) = &mut self.pending {
            pending.next = pending.next.max(now.saturating_add(pause.clamp(0, MAX_PAUSE)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_three_days_of_failures_are_given_up() {
        let mut cursor = Cursor::default();
        let (mut now, mut pauses) = (1_000_000, Vec::new());
        while !cursor.failed(7, "no answer".to_owned(), false, now, 1.0) {
            let next = cursor.pending.as_ref().unwrap().next;
            assert!(!cursor.due(next - 1) && cursor.due(next));
            pauses.push((next - now) / 1_000_000);
            now = next;
        }
        assert_eq!(pauses.get(..4), Some([5, 10, 20, 40].as_slice()));
        assert_eq!(pauses.last(), Some(&3_600));
        assert!((72..100).contains(&pauses.len()), "{}", pauses.len());
        assert_eq!((cursor.dead.len(), cursor.pending), (1, None));
    }

    #[test]
    fn what_an_endpoint_never_takes_is_given_up_at_once() {
        let mut cursor = Cursor::default();
        assert!(cursor.failed(7, "status 404".to_owned(), true, 0, 0.5));
        assert_eq!(cursor.dead.first().map(|dead| dead.seq), Some(7));
    }

    #[test]
    fn a_kill_in_the_middle_of_a_publish_is_passed_once_and_the_publish_waited_for() {
        let mut cursor = Cursor { seq: 4, ..Cursor::default() };
        cursor.pass(6, "later", Some(5));
        assert_eq!((cursor.seq, cursor.ahead.as_slice()), (4, [6].as_slice()));
        cursor.pass(5, "publish", None);
        assert_eq!((cursor.seq, cursor.ahead.as_slice()), (5, [6].as_slice()));
        cursor.pass(8, "next", None);
        assert_eq!((cursor.seq, cursor.ahead.is_empty()), (8, true));
    }

    #[test]
    fn a_clock_that_went_back_a_year_does_not_silence_an_endpoint() {
        let mut cursor = Cursor::default();
        let year = 365 * 24 * 3_600 * 1_000_000;
        cursor.failed(7, "no answer".to_owned(), false, year, 0.5);
        assert!(cursor.due(0));
        // A page waited for up to two hours after a clock that had been an hour ahead was corrected.
        assert!(cursor.due(year - 3_600 * 1_000_000));
        assert!(!cursor.due(year));
    }
}
