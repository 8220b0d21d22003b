//! A change, as notifications describe it.

use super::config::Format;
use super::severity::{Severity, also_ended, flag_incident, incident};
use crate::audit::{Action, Actor, Difference, SettledChange};
use crate::guard::{Finding, NoticeKind};
use serde::Serialize;
use std::collections::BTreeSet;

/// Maximum number of differences in an event.
const DIFFERENCES: usize = 20;
/// Maximum number of flags named in a sentence.
const FLAGS: usize = 5;
/// Maximum length of a reason in a sentence, in characters.
const REASON: usize = 500;

/// The content of a notification.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// Identical whenever the event is sent, and unique: the store's id, the audit record's number and the digits of its time, since a
    /// restored trail counts on from where it was; for a change in no trail, the moment.
    pub id: String,
    /// The audit record's number; 0 for a change in no trail.
    pub seq: u64,
    /// Time as RFC 3339.
    pub at: String,
    /// The store's environment.
    pub environment: String,
    /// The kind of change.
    pub action: Action,
    /// The flag named by the command.
    pub flag: Option<String>,
    /// The flags changed, from up to 20 differences.
    pub flags: Vec<String>,
    /// The author of the change.
    pub actor: Actor,
    /// The stated reason.
    pub reason: Option<String>,
    /// The guard's finding, if it made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Finding>,
    /// The kind of notice, if nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeKind>,
    /// Urgency of the event.
    pub severity: Severity,
    /// Identical in all events of one incident: PagerDuty's deduplication key, Opsgenie's alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// True if it ends that incident.
    pub resolves: bool,
    /// All incidents that it ends: that one, and those of the flags that a publish or a rollback changed.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub ends: BTreeSet<String>,
    /// The generation before.
    pub from: u64,
    /// The generation after.
    pub generation: u64,
    /// The first 20 differences.
    pub differences: Vec<Difference>,
    /// Number of further differences.
    pub more_differences: u64,
}

impl Event {
    /// Describes a change made in the store of that id.
    pub fn new(store: &str, settled: &SettledChange) -> Event {
        let record = &settled.record;
        let shown = record.differences.len().min(DIFFERENCES);
        let flags: BTreeSet<&String> = record
            .differences
            .iter()
            .filter_map(|difference| difference.flag.as_ref())
            .chain(&record.flag)
            .collect();
        let mut ends: BTreeSet<String> = settled
            .ends
            .iter()
            .map(|flag| flag_incident(store, flag))
            .chain(also_ended(store, record))
            .collect();
        let (mut incident, mut resolves) = incident(store, record).unzip();
        match (&incident, resolves) {
            (Some(incident), Some(true)) => _ = ends.insert(incident.clone()),
            // An event that ends one incident belongs to that one.
            (None, _) if ends.len() == 1 => (incident, resolves) = (ends.first().cloned(), Some(true)),
            _ => {}
        }
        let digits = || record.at.chars().filter(char::is_ascii_digit).collect::<String>();
        let number = if record.seq > 0 {
            format!("{}-{}", record.seq, digits())
        } else {
            format!("at-{}", settled.at)
        };
        Event {
            id: format!("{store}-{number}"),
            seq: record.seq,
            at: record.at.clone(),
            environment: record.environment.clone(),
            action: record.action,
            flag: record.flag.clone(),
            flags: flags.into_iter().take(DIFFERENCES).cloned().collect(),
            actor: record.actor.clone(),
            reason: record.reason.clone(),
            guard: record.guard.clone(),
            notice: record.notice,
            severity: Severity::of(record),
            incident,
            resolves: resolves.unwrap_or(false),
            ends,
            from: record.from,
            generation: record.to,
            differences: record.differences.iter().take(shown).cloned().collect(),
            more_differences: record.more_differences + (record.differences.len() - shown) as u64,
        }
    }

    /// The text to send.
    pub fn body(&self, format: Format) -> String {
        let body = match format {
            Format::Json => serde_json::to_string(self),
            Format::Slack => serde_json::to_string(&serde_json::json!({ "text": self.text() })),
        };
        body.unwrap_or_default()
    }

    /// A sentence: `*production*: kill search by alice@web-1: wrong totals`. Text from people cannot mention a channel or a person, and
    /// makes no link.
    fn text(&self) -> String {
        let named = match (&self.flag, self.flags.as_slice()) {
            (Some(flag), _) => format!(" {}", escaped(flag)),
            (None, []) => String::new(),
            (None, flags) => {
                let shown: Vec<String> = flags.iter().take(FLAGS).map(|flag| escaped(flag)).collect();
                let more = flags.len().saturating_sub(FLAGS);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!(": {}{more}", shown.join(", "))
            }
        };
        let generation =
            if self.action.publishes() { format!(", generation {}", self.generation) } else { String::new() };
        let why = self.reason.as_ref().map_or(String::new(), |reason| {
            let cut: String = reason.chars().take(REASON).collect();
            format!(": {}", escaped(&cut))
        });
        let name = self.notice.map_or(self.action.name(), NoticeKind::as_str);
        let Actor { user, host, account, .. } = &self.actor;
        let user = match account.as_ref().filter(|_| self.actor.claimed) {
            Some(account) => format!("{user}, claimed by {account}"),
            None => user.clone(),
        };
        let (environment, user, host) = (escaped(&self.environment), escaped(&user), escaped(host));
        format!("*{environment}*: {name}{named}{generation} by {user}@{host}{why}")
    }
}

/// Text without a meaning to Slack: `<!channel>` and links need `<`, and an `@` that stands by itself is set apart.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // A word joiner keeps clients from taking the next word for a name.
            '@' => safe.push_str("@\u{2060}"),
            '*' | '_' | '~' | '`' => {
                safe.push('\u{2060}');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An endpoint that takes each id once dropped the second kill.
    #[test]
    fn two_events_of_one_number_have_two_ids() {
        let id = |at: i64| {
            let mut settled = SettledChange::unrecorded(NoticeKind::Dead, "production", String::new(), at);
            settled.record.seq = 86;
            Event::new("5f3c", &settled).id
        };
        assert_eq!(id(1_767_571_200_000_001), "5f3c-86-20260105000000000001");
        assert_ne!(id(1_767_571_200_000_001), id(1_767_571_200_000_002));
        assert_eq!(id(7), id(7));
    }
}
