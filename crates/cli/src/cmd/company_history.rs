//! `history --company C`: lists the changes of a company's answers: their times, authors and reasons.

use super::history::second;
use crate::args::{Arguments, History};
use crate::output::{BAD, Cell, Exit, Failure, GOOD, Outcome, Output, WARN};
use crate::question::Attributes;
use crate::{display, store_view};
use flagstone::answer_history::{AnswerChange, Cause, Gap, HistoryQuery, PastAnswer};
use flagstone::audit::Actor;
use flagstone::definition::CompanyId;
use flagstone::{Reason, answer_history};
use serde_json::json;

const HOUR: i64 = 3_600 * 1_000_000;
/// The most flags that are named together.
const NAMED: usize = 5;

pub fn run(arguments: &Arguments, command: &History, company: &CompanyId, output: &mut Output) -> Outcome {
    let attributes = Attributes::read(command.context.as_deref())?;
    let store = store_view::store(arguments)?;
    let to = command.at.unwrap_or_else(flagstone::time::now);
    let from = to.saturating_sub(i64::from(command.hours) * HOUR);
    let asked = HistoryQuery { company, context: &attributes, from, to: command.at };
    let found = store.trace_answers(asked).map_err(Failure::asking)?;

    output.line(sentence(command, company, &found, to, output));
    if found.turns.len() > 1 {
        output.line("");
        let rows: Vec<Vec<Cell>> = found.turns.iter().map(row).collect();
        output.table(&["WHEN", "FLAG", "WAS", "IS", "BY", "WHY", "WHO"], &rows);
    }
    let is_more = !found.untold.is_empty() || !found.lacking.is_empty() || !found.wrong_clocks.is_empty();
    if is_more || !found.renamed.is_empty() {
        output.line("");
    }
    for renamed in found.renamed.iter().take(NAMED) {
        let (flag, was) = (display::plain(&renamed.flag), display::plain(&renamed.was));
        output.line(format!("{flag} was called {was} until {}", second(&renamed.at)));
    }
    if found.renamed.len() > NAMED {
        output.line(format!("… and {} more flags that were renamed", found.renamed.len() - NAMED));
    }
    for wrong in found.wrong_clocks.iter().take(NAMED) {
        let text = format!(
            "a clock was wrong: record {} is dated {}, which does not fit its place in the trail; taken for {}",
            wrong.seq,
            second(&wrong.dated),
            second(&wrong.taken_for)
        );
        output.line(output.paint(WARN, text));
    }
    if found.wrong_clocks.len() > NAMED {
        output.line(format!("… and {} more such records", found.wrong_clocks.len() - NAMED));
    }
    for untold in &found.untold {
        output.line(output.paint(WARN, self::untold(untold)));
    }
    for (flag, names) in found.lacking.iter().take(NAMED) {
        let names = display::plain(&names.join(", ")).into_owned();
        output.line(format!("{flag} was changed too, and reads {names}: ask with --context"));
    }
    if found.lacking.len() > NAMED {
        output.line(format!("… and {} more such flags", found.lacking.len() - NAMED));
    }
    output.json(&json!({
        "environment": store.environment(),
        "company": found.company,
        "from": found.from,
        "to": found.to,
        "changes": found.changes,
        "turns": found.turns,
        "untold": found.untold,
        "renamed": found.renamed,
        "wrong_clocks": found.wrong_clocks,
        "lacking": found.lacking,
    }));
    Ok(Exit::Yes)
}

/// The answer as a sentence.
fn sentence(
    command: &History,
    company: &CompanyId,
    found: &answer_history::AnswerHistory,
    to: i64,
    output: &Output,
) -> String {
    let company = display::company(company);
    let span = match command.at {
        Some(_) => format!("in the {} before {}", hours(command), display::at(to)),
        None => format!("in the last {}", hours(command)),
    };
    let part = if found.untold.is_empty() { "" } else { ", as far as can be told" };
    match found.turns.as_slice() {
        [] => {
            let changes = match found.changes {
                0 => "nobody changed anything".to_owned(),
                changes => format!("{} reached others only", display::counted(changes, "change")),
            };
            format!("nothing changed for company {company} {span}{part}: {changes}")
        }
        [last, ..] => {
            let alike = |turn: &&AnswerChange| {
                turn.at == last.at && turn.after.on == last.after.on && turn.before.on == last.before.on
            };
            let flags: Vec<&str> = found.turns.iter().filter(alike).map(|turn| turn.flag.as_str()).collect();
            let all = match found.turns.len() - flags.len() {
                0 => String::new(),
                others => format!("; {} before that {span}", display::counted(others as u64, "change")),
            };
            format!("{}{all}{part}", sentence_of_change(&company, &flags, last, output))
        }
    }
}

fn hours(command: &History) -> String {
    display::counted(command.hours.into(), "hour")
}

/// The change as a sentence: `customer_portal went OFF for company 42 at …: kill by alice@web-1, "wrong totals"`.
fn sentence_of_change(company: &str, flags: &[&str], turn: &AnswerChange, output: &Output) -> String {
    let state = match (turn.before.on, turn.after.on) {
        (false, true) => format!("went {}", output.paint(GOOD.bold(), "ON")),
        (true, false) => format!("went {}", output.paint(BAD, "OFF")),
        _ => format!("changed to {}", answer(&turn.after)),
    };
    let why = match reason(turn) {
        Some(reason) => format!(", {}", display::quoted(reason)),
        None => String::new(),
    };
    let who = who(turn).map_or(String::new(), |who| format!(" by {who}"));
    let flags = display::some(flags.iter().map(|flag| display::plain(flag)), NAMED);
    let (at, by) = (second(&turn.at), author(turn));
    format!("{flags} {state} for company {company} at {at}: {by}{who}{why}")
}

fn row(turn: &AnswerChange) -> Vec<Cell> {
    let style = if turn.after.on { GOOD } else { BAD };
    vec![
        Cell::of(second(&turn.at)),
        Cell::of(display::plain(&turn.flag)),
        Cell::of(answer(&turn.before)),
        Cell { text: answer(&turn.after), style },
        Cell::of(author(turn)),
        Cell::of(reason(turn).map(display::plain).unwrap_or_default()),
        Cell::of(who(turn).unwrap_or_default()),
    ]
}

/// An answer as text: `on (rollout_in 50 %)`.
fn answer(said: &PastAnswer) -> String {
    let state = if said.on { "on" } else { "off" };
    let more = match (&said.prerequisite, said.thousandths, said.reason) {
        (Some(flag), _, _) => format!(" {} is off", display::plain(flag)),
        (None, Some(thousandths), Reason::RolloutIn | Reason::RolloutOut | Reason::Rule) => {
            format!(" {}", display::percent(thousandths))
        }
        _ => String::new(),
    };
    let variant = said.variant.as_ref().map_or(String::new(), |name| format!(", {}", display::plain(name)));
    format!("{state} ({}{more}{variant})", said.reason.as_str())
}

/// The cause as text: `kill`, `publish 13`, `the schedule`.
fn author(turn: &AnswerChange) -> String {
    match &turn.cause {
        Cause::Time => "by time alone, a schedule or a rule".to_owned(),
        Cause::Untold { from, to } => {
            format!("generations {from} to {to}, of which the audit trail does not tell")
        }
        Cause::Change { seq: None, action, .. } => format!("{}, not in the audit trail", action.name()),
        Cause::Change { action, flag, generation, .. } => {
            let other = flag.as_ref().filter(|flag| **flag != turn.flag);
            let of = other.map_or(String::new(), |flag| format!(" {}", display::plain(flag)));
            match action.publishes() {
                true => format!("{}{of}, generation {generation}", action.name()),
                false => format!("{}{of}", action.name()),
            }
        }
    }
}

fn reason(turn: &AnswerChange) -> Option<&str> {
    match &turn.cause {
        Cause::Change { reason, .. } => reason.as_deref(),
        Cause::Time | Cause::Untold { .. } => None,
    }
}

fn who(turn: &AnswerChange) -> Option<String> {
    let name = |actor: &Actor| display::plain(&actor.to_string()).into_owned();
    match &turn.cause {
        Cause::Change { actor, .. } => actor.as_ref().map(name),
        Cause::Time | Cause::Untold { .. } => None,
    }
}

fn untold(untold: &Gap) -> String {
    let of = match &untold.flags {
        None => "of no flag".to_owned(),
        Some(flags) => {
            format!("not of {}", display::some(flags.iter().map(|flag| display::plain(flag)), NAMED))
        }
    };
    format!("before {} the answer can be told {of}: {}", second(&untold.before), display::plain(&untold.why))
}
