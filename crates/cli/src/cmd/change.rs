//! What every word that changes a store has in common: who does it, where, and what differs.

use crate::args::{self, Arguments, By, Weighed};
use crate::machines::{self, Sent, Word};
use crate::output::{BAD, BOLD, DIM, Failure, GOOD, Output};
use crate::reach::{self, Listed};
use crate::{identity, place, words};
use flagstone::Snapshot;
use flagstone::definition::{CompanyId, Definitions};
use flagstone::merge::Merged;
use flagstone::store::{Actor, Change, Config, Difference, Store};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fields shown.
const FIELDS: usize = 100;

/// A change that begins: its store, how it is made, and who makes it.
pub struct Begun {
    pub store: Store,
    pub config: Config,
    /// Why the config is not known; only of a change that cannot wait for somebody to mend it.
    pub config_problem: Option<String>,
    pub change: Change,
    /// Published as it begins; 0 if nothing is.
    pub generation: u64,
    /// It is made on this machine only.
    here: bool,
    /// Another machine sent it, and has told whom it reaches.
    relayed: bool,
}

/// Opens the store, and says in the first line of output which environment is changed, from which machine, on which
/// generation.
pub fn begin(
    arguments: &Arguments,
    by: &By,
    what: &str,
    reason: Option<&str>,
    output: &mut Output,
) -> Result<Begun, Failure> {
    let begun = begin_at_once(arguments, by, what, reason, output)?;
    match &begun.config_problem {
        None => Ok(begun),
        Some(problem) => Err(Failure::Refused(format!("{}; nothing was changed", words::plain(problem)))),
    }
}

/// As [`begin`], for what cannot wait: a config that cannot be read keeps nobody from it.
pub fn begin_at_once(
    arguments: &Arguments,
    by: &By,
    what: &str,
    reason: Option<&str>,
    output: &mut Output,
) -> Result<Begun, Failure> {
    let store = identity::open(&place::directory(arguments)?).map_err(Failure::changing)?;
    let reason = reason.filter(|reason| !reason.trim().is_empty()).map(str::to_owned);
    let change = Change { actor: Actor::named(by.actor.as_deref()), reason, base: None };
    let generation = store.generation().map_err(Failure::changing)?;
    announce(&store, &change, generation, what, output);
    if let Some(environment) = arguments.relayed.as_deref().filter(|name| *name != store.environment()) {
        return Err(Failure::Refused(format!(
            "the change was sent for {}, and this store is for {}; nothing was changed",
            words::plain(environment),
            store.environment()
        )));
    }
    let (config, config_problem) = match store.config() {
        Ok(config) => (config, None),
        Err(error) => (Config::default(), Some(error.to_string())),
    };
    let relayed = arguments.relayed.is_some();
    let here = by.here || relayed;
    Ok(Begun { store, config, config_problem, change, generation, here, relayed })
}

impl Begun {
    /// Sends the word to the machines that the config declares.
    pub fn send(&self, arguments: Vec<String>, input: Option<Vec<u8>>) -> Sent {
        let mut all = arguments;
        let more = [format!("--actor={}", self.change.actor.user), "--json".to_owned()];
        let reason = self.change.reason.iter().map(|reason| format!("--reason={reason}"));
        let end = all.iter().position(|argument| argument == "--").unwrap_or(all.len());
        all.splice(end..end, more.into_iter().chain(reason));
        match self.config_problem.as_ref().or(self.config.ignored.as_ref()) {
            _ if self.here => Sent::default(),
            Some(problem) => machines::unknown(words::plain(problem).into_owned()),
            None => machines::send(&self.config, self.store.environment(), Word { arguments: all, input }),
        }
    }

    /// The companies to ask about.
    pub fn companies(&self, reach: &args::Reach) -> Result<Listed, Failure> {
        if self.relayed {
            return Ok(Listed::None);
        }
        reach::list(reach.list.as_deref(), &self.store, &self.config)
    }

    /// Tells whom another content than that of `before` reaches, and asks where that is called for. The answer for `--json`.
    pub fn weigh(
        &self,
        word: &Weighed,
        before: Option<&Snapshot>,
        definitions: (&Definitions, &Definitions),
        dry_run: bool,
        output: &mut Output,
    ) -> Result<Value, Failure> {
        self.weigh_edits(word, before, (definitions, &[]), dry_run, output)
    }

    /// The same, of what a file edits: flags of which it spells out who loses them ask nothing.
    fn weigh_edits(
        &self,
        word: &Weighed,
        before: Option<&Snapshot>,
        (definitions, reviewed): ((&Definitions, &Definitions), &[String]),
        dry_run: bool,
        output: &mut Output,
    ) -> Result<Value, Failure> {
        let list = match self.companies(&word.reach)? {
            Listed::None => return Ok(Value::Null),
            Listed::List(list) => list,
            Listed::Unreadable(problem) => {
                reach::agreed_unknown(&problem, word.yes || dry_run, output)?;
                return Ok(json!({ "asks": true, "problem": problem }));
            }
        };
        let share = self.config.off_share();
        let reach = reach::of_definitions(&list, share, before, definitions, self.store.environment())?
            .with_reviewed(reviewed);
        reach.tell(output);
        reach.agreed(word.yes || dry_run, output)?;
        Ok(reach.json())
    }

    /// Whether there is a list to weigh a change with.
    pub fn weighs(&self, word: &Weighed) -> bool {
        let config = &self.config;
        let none = word.reach.list.is_none() && config.companies.is_none() && config.ignored.is_none();
        !self.relayed && !none
    }

    /// As [`weigh`](Self::weigh), of a file's merge that is to replace all that is published; and the generation that it was weighed
    /// against. What is published may be unreadable: that is no reason to stay on it.
    pub fn weigh_all(
        &self,
        word: &Weighed,
        merged: &Merged,
        dry_run: bool,
        output: &mut Output,
    ) -> Result<(Value, Option<u64>), Failure> {
        if !self.weighs(word) {
            return Ok((Value::Null, None));
        }
        let snapshot = self.store.snapshot(self.generation).ok();
        let before =
            snapshot.as_ref().and_then(|snapshot| place::definitions(snapshot).ok()).unwrap_or_default();
        let edits = ((&before, &merged.definitions), merged.reviewed.as_slice());
        let told = self.weigh_edits(word, snapshot.as_ref(), edits, dry_run, output)?;
        Ok((told, Some(self.generation)))
    }
}

/// The first line of a change.
pub fn announce(store: &Store, change: &Change, generation: u64, what: &str, output: &mut Output) {
    let generation = match generation {
        0 => "nothing published".to_owned(),
        generation => format!("generation {generation}"),
    };
    output.line_now(format!(
        "{} on {}, {generation}: {}",
        output.paint(BOLD, store.environment()),
        words::plain(&change.actor.host),
        words::plain(what)
    ));
}

/// What differs, by flag and field.
pub fn differences(differences: &[Difference], output: &mut Output) {
    let mut of: Option<&Option<String>> = None;
    let mut kept: Option<&Option<String>> = None;
    for difference in differences.iter().take(FIELDS) {
        let (field, whole) = field(difference);
        let state = difference.flag.is_some() && (field == "state" || field.starts_with("state."));
        if state && kept.replace(&difference.flag) == Some(&difference.flag) {
            continue;
        }
        if whole && difference.flag.is_some() {
            let (style, sign, word) = match difference.after {
                Some(_) => (GOOD, "+", "new"),
                None => (BAD, "-", "gone"),
            };
            let flag = difference.flag.as_deref().unwrap_or_default();
            output.line(format!(
                "  {} {}",
                output.paint(style, format!("{sign} {flag}")),
                output.paint(DIM, word)
            ));
            of = None;
            continue;
        }
        if of != Some(&difference.flag) {
            of = Some(&difference.flag);
            output
                .line(format!("  {}", output.paint(BOLD, difference.flag.as_deref().unwrap_or("segments"))));
        }
        match state {
            true => output
                .line(output.paint(DIM, "    what the store keeps with it, such as how far its plan is")),
            false => output.line(format!("    {}  {}", words::plain(&field), values(difference))),
        }
    }
    if differences.len() > FIELDS {
        let more = words::thousands((differences.len() - FIELDS) as u64);
        output.line(format!("  … and {more} more fields (--json shows all)"));
    }
}

/// `2 flags (3 fields)`.
pub fn counted(differences: &[Difference]) -> String {
    let flags: BTreeSet<_> = differences.iter().filter_map(|difference| difference.flag.as_deref()).collect();
    let segments = differences.iter().any(|difference| difference.flag.is_none());
    let fields = words::counted(differences.len() as u64, "field");
    let and = if segments { " and the segments" } else { "" };
    format!("{}{and} ({fields})", words::counted(flags.len() as u64, "flag"))
}

/// The field without its flag, and whether it is the whole flag.
fn field(difference: &Difference) -> (String, bool) {
    let depth = if difference.flag.is_some() { 3 } else { 2 };
    match difference.pointer.splitn(depth + 1, '/').nth(depth) {
        Some(field) => (field.replace('/', "."), false),
        None => (difference.pointer.clone(), true),
    }
}

/// `10 → 50`; companies added and removed.
pub fn values(difference: &Difference) -> String {
    if let Some(list) = &difference.list {
        let side = |sign, count: u64, first: &[CompanyId]| {
            let shown = first.iter().map(words::company).collect::<Vec<_>>().join(", ");
            let more = count.saturating_sub(first.len() as u64);
            let more =
                if more > 0 { format!(" … and {} more", words::thousands(more)) } else { String::new() };
            format!("{sign} {shown}{more}")
        };
        let added = (list.added > 0).then(|| side("added", list.added, &list.first_added));
        let removed = (list.removed > 0).then(|| side("removed", list.removed, &list.first_removed));
        return added.into_iter().chain(removed).collect::<Vec<_>>().join("; ");
    }
    let side =
        |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), |value| words::short(value, 60));
    format!("{} → {}", side(&difference.before), side(&difference.after))
}

/// The differences of a change that was made or would be.
pub fn flags(differences: &[Difference]) -> BTreeSet<&str> {
    differences.iter().filter_map(|difference| difference.flag.as_deref()).collect()
}
