//! One change, told to others.

use super::config::Format;
use super::severity::{Severity, incident};
use crate::guard::{Finding, NoticeKind};
use crate::store::{Action, Actor, Difference, Settled};
use serde::Serialize;
use std::collections::BTreeSet;

/// Differences sent along.
const DIFFERENCES: usize = 20;
/// Flags named in a sentence.
const FLAGS: usize = 5;
/// Characters of a reason in a sentence.
const REASON: usize = 500;

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The same whenever it is sent: the store's id, a hyphen, and the audit record's number.
    pub id: String,
    /// The audit record's number.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// The store's.
    pub environment: String,
    /// What was done.
    pub action: Action,
    /// The flag of a word.
    pub flag: Option<String>,
    /// The flags that it changed, up to 20 differences' worth.
    pub flags: Vec<String>,
    /// Who.
    pub actor: Actor,
    /// Why.
    pub reason: Option<String>,
    /// What the guard found, where it made the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<Finding>,
    /// What it tells where nothing was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<NoticeKind>,
    /// How urgent it is.
    pub severity: Severity,
    /// The same for all events of one incident: what PagerDuty calls a deduplication key, Opsgenie an alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// It ends that incident.
    pub resolves: bool,
    /// The generation before.
    pub from: u64,
    /// The generation after.
    pub generation: u64,
    /// What differs, the first 20 fields.
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more_differences: u64,
}

impl Event {
    /// Of a change that was made in the store of that id.
    pub fn new(store: &str, settled: &Settled) -> Event {
        let record = &settled.record;
        let shown = record.differences.len().min(DIFFERENCES);
        let flags: BTreeSet<&String> = record
            .differences
            .iter()
            .filter_map(|difference| difference.flag.as_ref())
            .chain(&record.flag)
            .collect();
        let (incident, resolves) = incident(store, record).unzip();
        Event {
            id: format!("{store}-{}", record.seq),
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
            from: record.from,
            generation: record.to,
            differences: record.differences.iter().take(shown).cloned().collect(),
            more_differences: record.more_differences + (record.differences.len() - shown) as u64,
        }
    }

    /// What is sent.
    pub fn body(&self, format: Format) -> String {
        let body = match format {
            Format::Json => serde_json::to_string(self),
            Format::Slack => serde_json::to_string(&serde_json::json!({ "text": self.text() })),
        };
        body.unwrap_or_default()
    }

    /// `*production*: kill search by alice@web-1: wrong totals`. Text from people cannot call a channel or a person, and makes no link.
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
        let word = self.notice.map_or(self.action.word(), NoticeKind::as_str);
        let (environment, user, host) =
            (escaped(&self.environment), escaped(&self.actor.user), escaped(&self.actor.host));
        format!("*{environment}*: {word}{named}{generation} by {user}@{host}{why}")
    }
}

/// Text in which nothing means anything to Slack: `<!channel>` and links need `<`, and an `@` that stands by itself is set apart.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            // With a word joiner no client takes the word behind it for a name.
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
