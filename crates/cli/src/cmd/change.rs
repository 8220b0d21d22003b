//! Common parts of all commands that change a store: the person, the place, and the differences.

use crate::args::{self, Arguments, By, WeighedChange};
use crate::impact::{self, Holds, Listed};
use crate::machines::{self, Relay, RemoteCommand};
use crate::output::{BAD, BOLD, DIM, Failure, GOOD, Output, WARN};
use crate::{display, identity, signals, store_view};
use flagstone::Snapshot;
use flagstone::audit::Difference;
use flagstone::definition::{CompanyId, Definitions};
use flagstone::merge::Merged;
use flagstone::publish::{Change, Config, Store, dependents_text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The most fields that are printed.
const FIELDS: usize = 100;

/// A change as it begins: its store, its settings, and its author.
pub struct ChangeContext {
    pub store: Store,
    pub config: Config,
    /// The reason that the config is unknown; only for a change that cannot wait for it to be mended.
    pub config_problem: Option<String>,
    pub change: Change,
    /// The published generation; 0 if there is none.
    pub generation: u64,
    /// True if the change is made on this machine only.
    local_only: bool,
    /// True if another machine sent the change, and told its reach.
    relayed: bool,
    /// True if this process was started for the change alone, as it is not for a request.
    pub is_typed: bool,
}

/// Opens the store, and names in the first line of output the environment, the machine, and the generation to be changed.
pub fn begin(
    arguments: &Arguments,
    by: &By,
    what: &str,
    reason: Option<&str>,
    output: &mut Output,
) -> Result<ChangeContext, Failure> {
    let begun = begin_at_once(arguments, by, what, reason, output)?;
    match &begun.config_problem {
        None => Ok(begun),
        Some(problem) => Err(Failure::Refused(format!("{}; nothing was changed", display::plain(problem)))),
    }
}

/// Begins as [`begin`] does, for a change that cannot wait: an unreadable config does not prevent it.
pub fn begin_at_once(
    arguments: &Arguments,
    by: &By,
    what: &str,
    reason: Option<&str>,
    output: &mut Output,
) -> Result<ChangeContext, Failure> {
    let store = identity::open(&store_view::directory(arguments)?).map_err(Failure::changing)?;
    let reason = reason.filter(|reason| !reason.trim().is_empty()).map(str::to_owned);
    let actor = arguments.actor(by.actor.as_deref());
    let change = Change { actor, reason, base: None };
    let generation = store.generation().map_err(Failure::changing)?;
    announce(&store, &change, generation, what, output);
    if let Some(environment) = arguments.relayed.as_deref().filter(|name| *name != store.environment()) {
        return Err(Failure::Refused(format!(
            "the change was sent for {}, and this store is for {}; nothing was changed",
            display::plain(environment),
            store.environment()
        )));
    }
    let (config, config_problem) = match store.config() {
        Ok(config) => (config, None),
        Err(error) => (Config::default(), Some(error.to_string())),
    };
    let relayed = arguments.relayed.is_some();
    let local_only = by.local_only || relayed;
    let is_typed = arguments.asking.is_none();
    Ok(ChangeContext { store, config, config_problem, change, generation, local_only, relayed, is_typed })
}

impl ChangeContext {
    /// True if the change is made on other machines as well.
    pub fn reaches_others(&self) -> bool {
        !self.local_only && !self.config.machines.is_empty()
    }

    /// Sends the command to the machines that the config declares.
    pub fn send(&self, arguments: Vec<String>, input: Option<Vec<u8>>) -> Relay {
        signals::outlive_terminal();
        let mut all = arguments;
        let more = [format!("--actor={}", self.change.actor.name_elsewhere()), "--json".to_owned()];
        let reason = self.change.reason.iter().map(|reason| format!("--reason={reason}"));
        let end = all.iter().position(|argument| argument == "--").unwrap_or(all.len());
        all.splice(end..end, more.into_iter().chain(reason));
        match self.config_problem.as_ref().or(self.config.ignored.as_ref()) {
            _ if self.local_only => Relay::default(),
            Some(problem) => machines::unknown(display::plain(problem).into_owned()),
            None => machines::send(
                &self.config,
                self.store.environment(),
                RemoteCommand { arguments: all, input },
            ),
        }
    }

    /// The present key of the flag with that key or former key; printed if it is another.
    pub fn current_key(&self, key: &str, output: &mut Output) -> String {
        let Ok(snapshot) = self.store.snapshot(self.generation) else { return key.to_owned() };
        let current = store_view::current_key(&snapshot, key);
        store_view::tell_current_key(key, current, output);
        current.to_owned()
    }

    /// The companies to ask about.
    pub fn companies(&self, reach: &args::Reach) -> Result<Listed, Failure> {
        if self.relayed {
            return Ok(Listed::None);
        }
        impact::list(reach.list.as_deref(), &self.store, &self.config)
    }

    /// Prints the reach of the change from `before`, and asks if it must be confirmed. Returns the reach for `--json`.
    pub fn weigh(
        &self,
        command: &WeighedChange,
        before: Option<&Snapshot>,
        definitions: (&Definitions, &Definitions),
        dry_run: bool,
        output: &mut Output,
    ) -> Result<Value, Failure> {
        self.weigh_edits(command, before, (definitions, &[]), dry_run, output)
    }

    /// Weighs the edits of a file; those in `reviewed`, where the file spells out who loses the flag, ask nothing.
    pub fn weigh_edits(
        &self,
        command: &WeighedChange,
        before: Option<&Snapshot>,
        (definitions, reviewed): ((&Definitions, &Definitions), &[String]),
        dry_run: bool,
        output: &mut Output,
    ) -> Result<Value, Failure> {
        let list = match self.companies(&command.reach)? {
            Listed::None => {
                return self.weigh_pilots(command, before, (definitions, reviewed), dry_run, output);
            }
            Listed::List(list) => list,
            Listed::Unreadable(problem) => {
                impact::agreed_unknown(&problem, command.yes || dry_run, output)?;
                return Ok(json!({ "asks": true, "problem": problem }));
            }
        };
        let share = self.config.confirm_above();
        let (holds, environment) = (Holds::of(&self.store), self.store.environment());
        let reach = impact::of_definitions(&list, share, before, definitions, &holds, environment)?
            .with_reviewed(reviewed);
        reach.tell(output);
        reach.agreed(command.yes || dry_run, output)?;
        Ok(reach.json())
    }

    /// Weighs the effect on pilots without a list: their companies are known.
    fn weigh_pilots(
        &self,
        command: &WeighedChange,
        before: Option<&Snapshot>,
        (definitions, reviewed): ((&Definitions, &Definitions), &[String]),
        dry_run: bool,
        output: &mut Output,
    ) -> Result<Value, Failure> {
        if self.relayed {
            return Ok(Value::Null);
        }
        let (share, environment) = (self.config.confirm_above(), self.store.environment());
        let holds = Holds::of(&self.store);
        let edits = (definitions, reviewed);
        let Some(reach) = impact::of_pilots(share, before, edits, &holds, environment)? else {
            return Ok(Value::Null);
        };
        reach.tell(output);
        reach.agreed(command.yes || dry_run, output)?;
        Ok(reach.json())
    }

    /// Prints the flags that are off with those that the change turns off for everybody, and returns their keys.
    pub fn tell_dependents(
        &self,
        (before, after): (&Definitions, &Definitions),
        output: &mut Output,
    ) -> BTreeSet<String> {
        let now = flagstone::time::now();
        let is_off = |definitions: &Definitions, key: &str| {
            definitions.flags.get(definitions.current_key(key)).is_none_or(|flag| flag.is_off_at(now))
        };
        let required: BTreeSet<&String> = before.flags.values().flat_map(|flag| &flag.requires).collect();
        let mut all = BTreeSet::new();
        for key in required.into_iter().filter(|key| is_off(after, key) && !is_off(before, key)) {
            let mut dependents = self.store.dependents(key);
            dependents.retain(|dependent| !is_off(after, dependent));
            if let Some(text) = dependents_text(&dependents) {
                output.line(output.paint(WARN, format!("{key}: {text}")));
            }
            all.extend(dependents);
        }
        all
    }

    /// True if there is a list to weigh a change with.
    pub fn weighs(&self, command: &WeighedChange) -> bool {
        let config = &self.config;
        let none = command.reach.list.is_none() && config.companies.is_none() && config.ignored.is_none();
        !self.relayed && !none
    }

    /// True if a publish of all flags is weighed: with a list, or if some flags are pilots.
    pub fn weighs_all(&self, command: &WeighedChange) -> bool {
        let has_pilots = || impact::has_pilots(&self.store.definitions(self.generation).unwrap_or_default());
        self.weighs(command) || (!self.relayed && self.generation > 0 && has_pilots())
    }

    /// Weighs, as [`weigh`](Self::weigh), a file's merge that is to replace all that is published. Returns the generation that it was
    /// weighed against, too. An unreadable published generation is no reason to keep it.
    pub fn weigh_all(
        &self,
        command: &WeighedChange,
        merged: &Merged,
        dry_run: bool,
        output: &mut Output,
    ) -> Result<(Value, Option<u64>), Failure> {
        if !self.weighs_all(command) {
            return Ok((Value::Null, None));
        }
        let snapshot = self.store.snapshot(self.generation).ok();
        let before =
            snapshot.as_ref().and_then(|snapshot| store_view::definitions(snapshot).ok()).unwrap_or_default();
        let edits = ((&before, &merged.definitions), merged.reviewed.as_slice());
        let told = self.weigh_edits(command, snapshot.as_ref(), edits, dry_run, output)?;
        // A merge that asks nothing is made again if another publish was quicker.
        let base = (!told.is_null()).then_some(self.generation);
        Ok((told, base))
    }
}

/// Prints the warning of a change that was made.
pub fn warn(warning: Option<&str>, output: &mut Output) {
    if let Some(warning) = warning {
        output.warn(display::plain(warning));
    }
}

/// Prints the first line of a change.
pub fn announce(store: &Store, change: &Change, generation: u64, what: &str, output: &mut Output) {
    let generation = match generation {
        0 => "nothing published".to_owned(),
        generation => format!("generation {generation}"),
    };
    output.line_now(format!(
        "{} on {}, {generation}: {}",
        output.paint(BOLD, store.environment()),
        display::plain(&change.actor.host),
        display::plain(what)
    ));
}

/// Prints the differences, by flag and field.
pub fn differences(differences: &[Difference], output: &mut Output) {
    let mut of: Option<&Option<String>> = None;
    let mut kept: Option<&Option<String>> = None;
    for difference in differences.iter().take(FIELDS) {
        let (field, whole) = field(difference);
        let state = is_state(difference);
        if state && kept.replace(&difference.flag) == Some(&difference.flag) {
            continue;
        }
        if whole && difference.flag.is_some() {
            let (style, sign, note) = match difference.after {
                Some(_) => (GOOD, "+", "new"),
                None => (BAD, "-", "gone"),
            };
            let flag = difference.flag.as_deref().unwrap_or_default();
            output.line(format!(
                "  {} {}",
                output.paint(style, format!("{sign} {flag}")),
                output.paint(DIM, note)
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
            false => output.line(format!("    {}  {}", display::plain(&field), values(difference))),
        }
    }
    if differences.len() > FIELDS {
        let more = display::thousands((differences.len() - FIELDS) as u64);
        output.line(format!("  … and {more} more fields (--json shows all)"));
    }
}

/// The number of flags and fields: `2 flags (3 fields)`.
pub fn counted(differences: &[Difference]) -> String {
    let flags: BTreeSet<_> = differences.iter().filter_map(|difference| difference.flag.as_deref()).collect();
    let segments = differences.iter().any(|difference| difference.flag.is_none());
    let fields = display::counted(differences.len() as u64, "field");
    let and = if segments { " and the segments" } else { "" };
    format!("{}{and} ({fields})", display::counted(flags.len() as u64, "flag"))
}

/// The field without its flag; true if it is the whole flag.
pub fn field(difference: &Difference) -> (String, bool) {
    let depth = if difference.flag.is_some() { 3 } else { 2 };
    match difference.pointer.splitn(depth + 1, '/').nth(depth) {
        Some(field) => (field.replace('/', "."), false),
        None => (difference.pointer.clone(), true),
    }
}

/// True for what the store keeps with a flag, such as how far its plan is.
pub fn is_state(difference: &Difference) -> bool {
    difference.flag.is_some() && difference.pointer.split('/').nth(3) == Some("state")
}

/// Both values, as in `10 → 50`; for lists, companies added and removed.
pub fn values(difference: &Difference) -> String {
    if let Some(list) = &difference.list {
        let side = |sign, count: u64, first: &[CompanyId]| {
            let shown = first.iter().map(display::company).collect::<Vec<_>>().join(", ");
            let more = count.saturating_sub(first.len() as u64);
            let more =
                if more > 0 { format!(" … and {} more", display::thousands(more)) } else { String::new() };
            format!("{sign} {shown}{more}")
        };
        let added = (list.added > 0).then(|| side("added", list.added, &list.first_added));
        let removed = (list.removed > 0).then(|| side("removed", list.removed, &list.first_removed));
        return added.into_iter().chain(removed).collect::<Vec<_>>().join("; ");
    }
    let side = |value: &Option<Value>| match value {
        None => "nothing".to_owned(),
        Some(value) => stages(difference, value).unwrap_or_else(|| display::short(value, 60)),
    };
    format!("{} → {}", side(&difference.before), side(&difference.after))
}

/// A plan's stages, or the plan, as in `3 stages`.
fn stages(difference: &Difference, value: &Value) -> Option<String> {
    let stages = match difference.pointer.splitn(4, '/').nth(3)? {
        "plan" => value.get("stages")?,
        "plan/stages" => value,
        _ => return None,
    };
    Some(display::counted(stages.as_array()?.len() as u64, "stage"))
}

/// The flags in the differences of a change that was made or would be.
pub fn flags(differences: &[Difference]) -> BTreeSet<&str> {
    differences.iter().filter_map(|difference| difference.flag.as_deref()).collect()
}
