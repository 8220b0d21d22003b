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
pub mod edit;
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

pub use history::{WRONG_CLOCK, second, wrong_clocks};

use crate::args::{Arguments, Command, Guard};
use crate::output::{Outcome, Output};

/// Asks a store, or changes it.
pub fn ask_or_change(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.command {
        Command::Check(command) => check::run(arguments, command, output),
        Command::Status => status::run(arguments, output),
        Command::Stats(command) => stats::run(arguments, command, output),
        Command::Experiment(command) => experiment::run(arguments, command, output),
        Command::Metrics(command) => metrics::run(arguments, command, output),
        Command::Health(command) => health::run(arguments, command, output),
        Command::List => list::run(arguments, output),
        Command::Show(command) => show::run(arguments, command, output),
        Command::Ask(command) => ask::run(arguments, command, output),
        Command::Explain(command) => explain::run(arguments, command, output),
        Command::Inspect(command) => inspect::run(arguments, command, output),
        Command::History(command) => history::run(arguments, command, output),
        Command::Incident(command) => incident::run(arguments, command, output),
        Command::Diff(command) => diff::run(arguments, command, output),
        Command::Simulate(command) => simulate::run(arguments, command, output),
        Command::Audit(command) => audit::run(arguments, command, output),
        Command::Init(command) => init::run(arguments, command, output),
        Command::Migrate(command) => migrate::run(arguments, command, output),
        Command::Publish(command) => publish::run(arguments, command, output),
        Command::Pull(command) => pull::run(arguments, command, output),
        Command::Enable(command) => edit::enable(arguments, command, output),
        Command::Disable(command) => edit::disable(arguments, command, output),
        Command::Rollout(command) => edit::rollout(arguments, command, output),
        Command::Allow(command) => edit::allow(arguments, command, output),
        Command::Deny(command) => edit::deny(arguments, command, output),
        Command::Forget(command) => edit::forget(arguments, command, output),
        Command::Delete(command) => edit::delete(arguments, command, output),
        Command::Add(command) => edit::add(command, output),
        Command::Rollback(command) => rollback::run(arguments, command, output),
        Command::Plan(command) => plan::run(arguments, command, output),
        Command::Guard(Guard { command: Some(command), .. }) => guard_status::run(arguments, command, output),
        Command::Note(command) => guard_status::note(arguments, command, output),
        Command::Promote(command) => promote::run(arguments, command, output),
        Command::Export(command) => export::export(arguments, command, output),
        Command::Import(command) => export::import(arguments, command, output),
        Command::Key(command) => export::key(arguments, command, output),
        Command::Kill(command) => kill::kill(arguments, command, output),
        Command::Revive(command) => kill::revive(arguments, command, output),
        Command::StopAll(command) => stop::stop(arguments, command, output),
        Command::ResumeAll(command) => stop::resume(arguments, command, output),
        Command::Config(command) => config::run(arguments, command, output),
        Command::Help(command) => help::run(command, output),
        Command::Completions(command) => setup::completions(command, output),
        Command::Man(command) => setup::man(command, output),
        _ => unreachable!("another binary's"),
    }
}

/// Runs beside a store: plans, the guard, notifications.
pub fn serve(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.command {
        Command::Run(command) => run::run(arguments, command, output),
        Command::Guard(command) => guard::run(arguments, command, output),
        Command::Notify(command) => notify::run(arguments, command, output),
        _ => unreachable!("another binary's"),
    }
}

/// Looks at the machine, at sources, and at a running application.
pub fn diagnose(arguments: &Arguments, output: &mut Output) -> Outcome {
    match &arguments.command {
        Command::Probe(command) => probe::run(command, output),
        Command::Scan(command) => scan::run(command, output),
        Command::Doctor(command) => doctor::run(arguments, command, output),
        _ => unreachable!("another binary's"),
    }
}
