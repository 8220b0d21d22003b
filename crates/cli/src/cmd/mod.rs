//! Subcommands, one per file.

mod ask;
mod audit;
mod change;
mod check;
mod company_history;
mod config;
mod diff;
mod doctor;
mod drift;
mod edit;
mod experiment;
mod explain;
mod export;
mod guard;
mod guard_status;
mod health;
mod help;
mod history;
mod incident;
mod init;
mod inspect;
pub mod kill;
mod list;
mod metrics;
mod migrate;
mod notify;
mod plan;
mod plan_show;
mod plan_wait;
mod probe;
mod promote;
mod publish;
mod pull;
mod rollback;
mod run;
mod scan;
mod setup;
mod show;
mod simulate;
mod stats;
mod status;
mod stop;
mod watch;

pub use history::second;

use crate::args::{Arguments, Guard, Word};
use crate::output::{Outcome, Output};

/// Asks a store, or changes it.
pub fn ask_or_change(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.word {
        Word::Check(word) => check::run(arguments, word, output),
        Word::Status => status::run(arguments, output),
        Word::Stats(word) => stats::run(arguments, word, output),
        Word::Experiment(word) => experiment::run(arguments, word, output),
        Word::Metrics(word) => metrics::run(arguments, word, output),
        Word::Health(word) => health::run(arguments, word, output),
        Word::List => list::run(arguments, output),
        Word::Show(word) => show::run(arguments, word, output),
        Word::Ask(word) => ask::run(arguments, word, output),
        Word::Explain(word) => explain::run(arguments, word, output),
        Word::Inspect(word) => inspect::run(arguments, word, output),
        Word::History(word) => history::run(arguments, word, output),
        Word::Incident(word) => incident::run(arguments, word, output),
        Word::Diff(word) => diff::run(arguments, word, output),
        Word::Simulate(word) => simulate::run(arguments, word, output),
        Word::Audit(word) => audit::run(arguments, word, output),
        Word::Init(word) => init::run(arguments, word, output),
        Word::Migrate(word) => migrate::run(arguments, word, output),
        Word::Publish(word) => publish::run(arguments, word, output),
        Word::Pull(word) => pull::run(arguments, word, output),
        Word::Enable(word) => edit::enable(arguments, word, output),
        Word::Disable(word) => edit::disable(arguments, word, output),
        Word::Rollout(word) => edit::rollout(arguments, word, output),
        Word::Allow(word) => edit::allow(arguments, word, output),
        Word::Deny(word) => edit::deny(arguments, word, output),
        Word::Forget(word) => edit::forget(arguments, word, output),
        Word::Delete(word) => edit::delete(arguments, word, output),
        Word::Add(word) => edit::add(word, output),
        Word::Rollback(word) => rollback::run(arguments, word, output),
        Word::Plan(word) => plan::run(arguments, word, output),
        Word::Guard(Guard { word: Some(word), .. }) => guard_status::run(arguments, word, output),
        Word::Note(word) => guard_status::note(arguments, word, output),
        Word::Promote(word) => promote::run(arguments, word, output),
        Word::Export(word) => export::export(arguments, word, output),
        Word::Import(word) => export::import(arguments, word, output),
        Word::Key(word) => export::key(arguments, word, output),
        Word::Kill(word) => kill::kill(arguments, word, output),
        Word::Revive(word) => kill::revive(arguments, word, output),
        Word::StopAll(word) => stop::stop(arguments, word, output),
        Word::ResumeAll(word) => stop::resume(arguments, word, output),
        Word::Config(word) => config::run(arguments, word, output),
        Word::Help(word) => help::run(word, output),
        Word::Completions(word) => setup::completions(word, output),
        Word::Man(word) => setup::man(word, output),
        _ => unreachable!("another binary's"),
    }
}

/// Runs beside a store: plans, the guard, notifications.
pub fn serve(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.word {
        Word::Run(word) => run::run(arguments, word, output),
        Word::Guard(word) => guard::run(arguments, word, output),
        Word::Notify(word) => notify::run(arguments, word, output),
        _ => unreachable!("another binary's"),
    }
}

/// Looks at the machine, at sources, and at a running application.
pub fn diagnose(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.word {
        Word::Probe(word) => probe::run(word, output),
        Word::Scan(word) => scan::run(word, output),
        Word::Doctor(word) => doctor::run(arguments, word, output),
        _ => unreachable!("another binary's"),
    }
}
