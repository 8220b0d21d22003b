//! `guard status`, `guard pause`, `guard resume`, and `note`.

use super::change::{self, ChangeContext};
use crate::args::{Arguments, GuardPause, GuardResume, GuardSubcommand, Note};
use crate::guard::GuardReport;
use crate::output::{Cell, DIM, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::{display, store_view};
use flagstone::definition::{Definitions, Emergency, Flag};
use flagstone::guard::{Action, FlagMemory, GuardState, Kind, Policy, Verdict};
use flagstone::publish::RecordOutcome;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Runs one of the commands about the guard.
pub fn run(arguments: &Arguments, command: &GuardSubcommand, output: &mut Output) -> Outcome {
    match command {
        GuardSubcommand::Status => status(arguments, output),
        GuardSubcommand::Pause(command) => pause(arguments, command, output),
        GuardSubcommand::Resume(command) => resume(arguments, command, output),
    }
}

fn status(arguments: &Arguments, output: &mut Output) -> Outcome {
    let store = store_view::store(arguments)?;
    let now = flagstone::time::now();
    let report = GuardReport::of(&store, now);
    let generation = store.generation().map_err(Failure::asking)?;
    let definitions = match generation {
        0 => Definitions::default(),
        generation => store.definitions(generation).map_err(Failure::asking)?,
    };
    let (state, style) = match report.state {
        "watching" => ("watches", GOOD),
        "none" => ("nobody watches", DIM),
        state => (state, WARN),
    };
    // In other states the problem gives the time.
    let since = report.since.filter(|_| report.state == "watching");
    let since = since.map_or(String::new(), |since| format!(" since {}", display::at(since)));
    let memory = report.memory.as_ref();
    let by = memory.map_or(String::new(), |memory| match memory.by.as_str() {
        "" => String::new(),
        by => format!(", {}", display::plain(by)),
    });
    output.line(format!("guard of {}: {}{since}{by}", store.environment(), output.paint(style, state)));
    if let Some(problem) = &report.problem {
        output.line(output.paint(WARN, display::plain(problem)));
    }
    if memory.is_some_and(|memory| memory.overflows) {
        output.line(output.paint(
            WARN,
            "requests ask more than 64 flags: those that each asks after that are not watched, and the plan of a flag that nobody else asks waits",
        ));
    }
    let killed = store.killed().map_err(Failure::asking)?;
    let flags = memory.map(|memory| memory.flags.iter());
    let rows = flags.into_iter().flatten().filter_map(|(key, kept)| {
        let row = Row::of(key, kept, &definitions, now)?.restrained(memory?, definitions.flags.get(key)?);
        Some(if killed.contains(key) { row.killed() } else { row })
    });
    let rows: Vec<Row> = rows.collect();
    if let Some(memory) = memory {
        let watched = rows.iter().filter(|row| row.acts).count();
        let suspects = rows.iter().filter(|row| row.kept.is_suspected()).count();
        output.line(format!(
            "as of {}: {} asked, of which {watched} can be acted on, {} under suspicion",
            display::at(memory.at),
            display::counted(rows.len() as u64, "flag"),
            suspects
        ));
    }
    for flags in changed_together(&rows) {
        let text = format!(
            "{} were changed at once, and the requests do not tell them apart: none is turned off; `flagstone rollback --to GENERATION`, with the one \
             before, takes the publish back",
            flags.join(", ")
        );
        output.line(output.paint(WARN, text));
    }
    let table: Vec<Vec<Cell>> = rows.iter().map(Row::cells).collect();
    if !table.is_empty() {
        output.table(&["FLAG", "COMPARED WITH", "EVIDENCE", "LEFT ALONE UNTIL", "WOULD"], &table);
    }
    output.json(&json!({
        "environment": store.environment(),
        "state": report.state,
        "since": report.since.map(display::at),
        "by": memory.map(|memory| &memory.by),
        "at": memory.map(|memory| display::at(memory.at)),
        "problem": report.problem,
        "paused_until": memory.map(|memory| memory.paused_until).filter(|until| *until > now).map(display::at),
        "more_than_64_flags_asked": memory.is_some_and(|memory| memory.overflows),
        "stopped_since": memory.and_then(|memory| memory.stopped).map(display::at),
        "flags": rows.iter().map(Row::json).collect::<Vec<_>>(),
    }));
    Ok(if report.problem.is_none() { Exit::Yes } else { Exit::No })
}

/// The keys of harmful flags that are not told apart, for each change of several.
fn changed_together(rows: &[Row]) -> Vec<Vec<String>> {
    let mut changes: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.kept.together.is_empty()) {
        changes.entry(row.kept.changed_at).or_default().push(display::plain(row.key).into_owned());
    }
    changes.into_values().collect()
}

/// A watched flag, as a row of the table.
struct Row<'a> {
    key: &'a str,
    kept: &'a FlagMemory,
    /// True if the guard may turn it off or take it back.
    acts: bool,
    would: String,
    now: i64,
}

impl<'a> Row<'a> {
    fn of(key: &'a str, kept: &'a FlagMemory, definitions: &Definitions, now: i64) -> Option<Row<'a>> {
        let policy = Policy::of(definitions.flags.get(key)?.guard.as_ref())?;
        let watched = kept.kind == Some(Kind::Branch) || kept.is_watched(now, &policy);
        let acts = watched && policy.action != Action::Notify;
        let would = match (&kept.verdict, policy.action, watched) {
            (_, Action::Notify, _) => "tell",
            (_, _, false) => "tell: it was not changed for long",
            (_, _, true) if kept.doubt => {
                "nothing: requests that did not ask it are as badly off, or too few to tell"
            }
            (_, Action::Hold, true) => "hold its plan",
            (_, Action::Rollback, true) => "take it back",
        };
        let row = Row { key, kept, acts, would: would.to_owned(), now };
        let would = format!("{}{}", row.would, row.why());
        Some(Row { would, ..row })
    }

    /// The row of a flag that the guard would act on, if nothing kept it from that.
    fn restrained(self, memory: &GuardState, flag: &Flag) -> Self {
        if !self.acts {
            return self;
        }
        let until = |until: i64| (until > self.now).then(|| display::at(until));
        let on_limits = self.kept.kind != Some(Kind::Branch);
        let would = if let Some(until) = until(memory.paused_until) {
            format!("tell: the guard is paused until {until}")
        } else if let Some(until) = self.cooldown().and_then(until) {
            format!("tell: it was acted on lately, and is left alone until {until}")
        } else if let Some(since) = memory.stopped.filter(|_| on_limits) {
            format!("tell: acts on limits have stopped since {}", display::at(since))
        } else if !self.kept.together.is_empty() {
            let others = display::some(self.kept.together.iter().map(|flag| display::plain(flag)), 3);
            format!("tell: one publish changed it and {others}, and the requests do not tell them apart")
        } else if flag.emergency == Emergency::Keep {
            let would =
                "tell, as its emergency is \"keep\"; kill it while more than half of its requests fail";
            return Self { would: format!("{would}{}", self.why()), ..self };
        } else {
            return self;
        };
        Self { acts: false, would: format!("{would}{}", self.why()), ..self }
    }

    /// What the verdict for a plan adds.
    fn why(&self) -> String {
        match &self.kept.verdict {
            Verdict::Go => String::new(),
            Verdict::Few(why) | Verdict::Failing(why) | Verdict::Wait(why) | Verdict::Trip(why) => {
                format!("; {}", display::plain(why))
            }
        }
    }

    fn killed(self) -> Self {
        let would =
            format!("nothing: it is killed, until `flagstone revive {}`", display::argument(self.key));
        Self { acts: false, would, ..self }
    }

    fn kind(&self) -> &'static str {
        match self.kept.kind {
            Some(Kind::Branch) => "off-cohort",
            Some(Kind::Gate) => "past, controls (gate)",
            Some(Kind::Full) => "past, controls",
            None => "not known yet",
        }
    }

    fn cooldown(&self) -> Option<i64> {
        self.kept.cooldown.filter(|until| *until > self.now)
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.key),
            Cell::of(self.kind()),
            Cell::of(format!("{:.0} %", self.kept.evidence * 100.0)),
            Cell::of(self.cooldown().map_or(String::new(), display::at)),
            Cell::of(self.would.as_str()),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "flag": self.key,
            "kind": self.kept.kind.map(Kind::as_str),
            "evidence": self.kept.evidence,
            "changed_at": display::at(self.kept.changed_at),
            "cooldown_until": self.cooldown().map(display::at),
            "acts": self.acts,
            "would": self.would,
        })
    }
}

fn pause(arguments: &Arguments, command: &GuardPause, output: &mut Output) -> Outcome {
    let until = flagstone::time::now().saturating_add(command.length.micros());
    let begun =
        change::begin_at_once(arguments, &command.by, "pause the guard", Some(&command.reason), output)?;
    let recorded = begun.store.pause_guard(until, &begun.change).map_err(Failure::changing)?;
    let until = display::at(until);
    output.line(format!(
        "the guard does nothing until {until}, and plans wait; `flagstone guard resume` ends that"
    ));
    let sent = vec!["guard".to_owned(), "pause".to_owned(), format!("--for={}", command.length)];
    finish(&begun, (recorded, sent), ("paused_until", until.into()), output)
}

fn resume(arguments: &Arguments, command: &GuardResume, output: &mut Output) -> Outcome {
    let begun = change::begin_at_once(
        arguments,
        &command.by,
        "let the guard go on",
        command.reason.as_deref(),
        output,
    )?;
    let recorded = begun.store.resume_guard(&begun.change).map_err(Failure::changing)?;
    output.line("the guard goes on");
    let sent = vec!["guard".to_owned(), "resume".to_owned()];
    finish(&begun, (recorded, sent), ("paused_until", Value::Null), output)
}

/// Writes a note into the audit trail.
pub fn note(arguments: &Arguments, command: &Note, output: &mut Output) -> Outcome {
    let mut begun = change::begin_at_once(arguments, &command.by, "note", Some(&command.text), output)?;
    let recorded = begun.store.note(&begun.change).map_err(Failure::changing)?;
    output.line(format!("noted: {}", display::plain(&command.text)));
    // It is no option there.
    begun.change.reason = None;
    let sent = vec!["note".to_owned(), "--".to_owned(), command.text.clone()];
    finish(&begun, (recorded, sent), ("note", command.text.as_str().into()), output)
}

/// Sends the command that was carried out here to the other machines, and prints the answer with one more member.
fn finish(
    begun: &ChangeContext,
    (recorded, sent): (RecordOutcome, Vec<String>),
    (name, value): (&str, Value),
    output: &mut Output,
) -> Outcome {
    let arrived = begun.send(sent, None).tell(None, output);
    change::warn(recorded.audit_warning.as_deref(), output);
    output.json(&json!({
        "environment": begun.store.environment(),
        "machine": begun.change.actor.host,
        "generation": begun.generation,
        name: value,
        "machines": arrived.json(),
        "warning": recorded.audit_warning,
    }));
    Ok(arrived.exit())
}
