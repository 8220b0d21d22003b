//! Checks of references between flags and segments.

use super::check::is_off_for_all;
use super::clip::clip;
use super::condition::Condition;
use super::json::Id;
use super::limits;
use super::links::{Link, Links};
use super::model::Definitions;
use super::report::Findings;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Checks references and cycles, then flags with their segments and prerequisites followed.
pub(super) fn check(definitions: &Definitions, links: &Links, today: i64, findings: &mut Findings) {
    let renamed = former_keys(links, findings);
    known(&links.requires, &links.flags, &renamed, "flag", findings);
    let none = HashMap::new();
    known(&links.nested, &links.segments, &none, "segment", findings);
    known(&links.used, &links.segments, &none, "segment", findings);

    let segments = Graph::new(&links.nested);
    if segments.cycles("uses", findings) == 0 {
        sizes(definitions, links, &segments, findings);
    }
    let flags = Graph::new(&links.requires);
    if flags.cycles("requires", findings) == 0 {
        closures(definitions, links, &flags, today, findings);
    }
}

/// Checks that no former key is a flag's, or that of two flags. Returns the current keys of renamed flags by the former ones.
fn former_keys<'l>(links: &'l Links, findings: &mut Findings) -> HashMap<&'l str, &'l str> {
    let mut renamed: HashMap<&str, &str> = HashMap::new();
    for Link { from, to, at } in &links.was {
        if **from == **to {
            let advice = "\"was\" names the key that the flag had before";
            findings.error_with(*at, format!("{from} was {}, its own key", clip(to)), advice.to_owned());
        } else if links.flags.contains_key(to) {
            let message = format!("{from} was {}, which is a flag as well", clip(to));
            findings.error_with(*at, message, "remove that flag, or \"was\" if both are meant".to_owned());
        } else if let Some(other) = renamed.insert(to, from) {
            findings.error(*at, format!("{from} and {other} both say that they were {}", clip(to)));
        }
    }
    renamed
}

/// Checks that every name that is used is defined.
fn known(
    links: &[Link],
    defined: &HashMap<String, Id>,
    renamed: &HashMap<&str, &str>,
    what: &str,
    findings: &mut Findings,
) {
    let mut unknown = links.iter().filter(|link| !defined.contains_key(&link.to)).peekable();
    if unknown.peek().is_none() {
        return;
    }
    let mut names: Vec<&str> = defined.keys().map(String::as_str).collect();
    names.sort_unstable();
    for link in unknown {
        let now = renamed.get(link.to.as_str()).map(|now| format!("it is called \"{now}\" now"));
        let hint = now.or_else(|| findings.suggestion(&link.to, names.iter().copied()));
        let message = format!("unknown {what} \"{}\"", clip(&link.to).escape_debug());
        findings.error_with(link.at, message, hint);
    }
}

/// References between names.
struct Graph<'d> {
    next: BTreeMap<&'d str, Vec<&'d Link>>,
}

impl<'d> Graph<'d> {
    fn new(links: &'d [Link]) -> Self {
        let mut next: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
        for link in links {
            next.entry(&link.from).or_default().push(link);
        }
        Self { next }
    }

    fn of(&self, name: &str) -> &[&'d Link] {
        self.next.get(name).map_or(&[], Vec::as_slice)
    }

    /// Reports every link that closes a cycle, with the whole cycle. Does not recurse: a chain may be as long as the document.
    fn cycles(&self, verb: &str, findings: &mut Findings) -> usize {
        let mut count = 0;
        let mut done: HashSet<&str> = HashSet::new();
        for &start in self.next.keys() {
            let mut path: Vec<(&str, std::slice::Iter<&Link>)> = Vec::new();
            let mut on_path: HashMap<&str, usize> = HashMap::new();
            if done.insert(start) {
                on_path.insert(start, 0);
                path.push((start, self.of(start).iter()));
            }
            while let Some((name, links)) = path.last_mut() {
                let Some(link) = links.next() else {
                    on_path.remove(name);
                    path.pop();
                    continue;
                };
                if let Some(&from) = on_path.get(link.to.as_str()) {
                    count += 1;
                    let way = path.iter().skip(from).map(|(name, _)| *name);
                    findings.error(link.at, circle(verb, way, path.len() - from, &link.to));
                } else if done.insert(&link.to) {
                    on_path.insert(&link.to, path.len());
                    path.push((&link.to, self.of(&link.to).iter()));
                }
            }
        }
        count
    }

    /// All names reached from a name, without itself, in the order of the links; at most `most`.
    fn reached(&self, name: &'d str, most: usize) -> Vec<&'d str> {
        let mut seen: HashSet<&str> = HashSet::from([name]);
        let mut reached: Vec<&str> = Vec::new();
        let mut from = Some(name);
        let mut turn = 0;
        while let Some(name) = from {
            for link in self.of(name) {
                if reached.len() < most && seen.insert(&link.to) {
                    reached.push(&link.to);
                }
            }
            from = reached.get(turn).copied();
            turn += 1;
        }
        reached
    }
}

/// Describes a cycle: "a requires itself: a → b → a".
fn circle<'a>(verb: &str, way: impl Iterator<Item = &'a str>, length: usize, first: &str) -> String {
    const MAX_SHOWN_FLAGS: usize = 12;
    let mut names: Vec<_> = way.take(MAX_SHOWN_FLAGS).map(clip).collect();
    if length > MAX_SHOWN_FLAGS {
        names.push("…".into());
    }
    names.push(clip(first));
    format!("{} {verb} itself: {}", clip(first), names.join(" → "))
}

/// The size of a condition with every segment inlined.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    comparisons: usize,
    nesting: usize,
}

impl Size {
    /// Recurses as deep as the document nests.
    fn of(condition: &Condition, segments: &HashMap<&str, Size>) -> Self {
        let inner = match condition {
            Condition::All { all: parts } | Condition::Any { any: parts } => {
                parts.iter().map(|part| Self::of(part, segments)).fold(Self::default(), Self::beside)
            }
            Condition::Not { not } => Self::of(not, segments),
            Condition::Segment { segment } => segments.get(segment.as_str()).copied().unwrap_or_default(),
            Condition::Test { .. } => Self { comparisons: 1, nesting: 0 },
        };
        Self { comparisons: inner.comparisons, nesting: inner.nesting.saturating_add(1) }
    }

    fn beside(self, other: Self) -> Self {
        let comparisons = self.comparisons.saturating_add(other.comparisons);
        Self { comparisons, nesting: self.nesting.max(other.nesting) }
    }
}

/// Checks that no flag's rules exceed the limits, which segments that name each other reach quickly.
fn sizes(definitions: &Definitions, links: &Links, graph: &Graph, findings: &mut Findings) {
    let mut sizes: HashMap<&str, Size> = HashMap::new();
    for start in definitions.segments.keys() {
        // A segment is measured after those that it uses. There are no cycles, so this ends.
        let mut due = vec![(start.as_str(), false)];
        while let Some((name, ready)) = due.pop() {
            if sizes.contains_key(name) {
                continue;
            }
            if ready {
                let size = definitions.segments.get(name).map(|condition| Size::of(condition, &sizes));
                sizes.insert(name, size.unwrap_or_default());
            } else {
                due.push((name, true));
                due.extend(graph.of(name).iter().map(|link| (link.to.as_str(), false)));
            }
        }
    }
    for (key, flag) in &definitions.flags {
        let size =
            flag.rules.iter().map(|rule| Size::of(&rule.when, &sizes)).fold(Size::default(), Size::beside);
        let Some(&at) = links.flags.get(key) else { continue };
        if size.comparisons > limits::COMPARISONS {
            let message = format!(
                "the rules of {key} make {} comparisons with their segments, expected at most {}",
                size.comparisons,
                limits::COMPARISONS
            );
            findings.error_with(
                at,
                message,
                "use one \"in\" with a list instead of many comparisons".to_owned(),
            );
        }
        if size.nesting > limits::CONDITION_NESTING {
            let message = format!(
                "the conditions of {key} nest {} deep with their segments, expected at most {}",
                size.nesting,
                limits::CONDITION_NESTING
            );
            findings.error(at, message);
        }
    }
}

/// Checks that no flag requires too many others, and that no enabled flag is off for every company.
fn closures(definitions: &Definitions, links: &Links, graph: &Graph, today: i64, findings: &mut Findings) {
    let off: HashSet<&str> = definitions
        .flags
        .iter()
        .filter(|(_, flag)| is_off_for_all(flag, today))
        .map(|(key, _)| key.as_str())
        .collect();
    for (key, flag) in &definitions.flags {
        let Some(&at) = links.flags.get(key) else { continue };
        let required =
            if flag.requires.is_empty() { Vec::new() } else { graph.reached(key, limits::REQUIRED + 1) };
        if required.len() > limits::REQUIRED {
            let most = limits::REQUIRED;
            findings.error(
                at,
                format!("{key} requires more than {most} flags through others, expected at most {most}"),
            );
        }
        if !flag.enabled {
            continue;
        }
        // A flag with a plan is on for some companies as soon as the plan is started.
        if off.contains(key.as_str()) && flag.plan.is_none() {
            let advice = "raise its percentage, allow a company, or disable it".to_owned();
            findings.warning(at, format!("{key} is enabled, but on for nobody"), advice);
        } else if let Some(blocker) = required.iter().find(|name| off.contains(*name)) {
            let message = format!(
                "{key} is enabled, but on for nobody: it requires {blocker}, which is off for everybody"
            );
            findings.warning(at, message, None);
        }
    }
}
