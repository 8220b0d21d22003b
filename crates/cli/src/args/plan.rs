//! Rollout plans, and what a daemon does.

use super::values::{flag_key, instant, text};
use super::{By, FlagArguments};
use crate::log::LogFormat;
use clap::{Args, Subcommand, ValueHint};
use flagstone::definition::Soak;
use flagstone::publish::Orders;
use std::path::PathBuf;

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// What to do with it.
    #[command(subcommand)]
    pub command: PlanSubcommand,
}

/// What there is to do with plans.
#[derive(Debug, Subcommand)]
pub enum PlanSubcommand {
    /// Show how far a flag's plan is, with dates; without a flag, all plans
    Show(PlanShow),
    /// Enter the first stage
    Start(PlanStart),
    /// Stop where it is: what is on stays on
    Hold(FlagArguments),
    /// Go on with a plan that is held
    Resume(PlanStage),
    /// Enter the next stage now, without the rest of the soak
    Advance(PlanStage),
    /// Return to what the flag said before the plan was started
    Abort(FlagArguments),
    /// Move all plans whose time has come, once; for cron
    Tick(PlanTick),
}

/// Arguments of `plan show`.
#[derive(Debug, Args)]
pub struct PlanShow {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: Option<String>,
}

/// Whether to stay until the plan ends.
#[derive(Debug, Args)]
pub struct Waiting {
    /// Wait until the plan is through (exit 0) or held (1), for this long at most (2); without a length, a day
    #[arg(long, value_name = "LENGTH", num_args = 0..=1, require_equals = true, default_missing_value = "24h", value_parser = length, conflicts_with = "dry_run")]
    pub wait: Option<Soak>,
}

/// Arguments of `plan start`.
#[derive(Debug, Args)]
pub struct PlanStart {
    /// What they have in common.
    #[command(flatten)]
    pub typed: FlagArguments,
    /// Whether to wait.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// Arguments of `plan resume` and `plan advance`.
#[derive(Debug, Args)]
pub struct PlanStage {
    /// What they have in common.
    #[command(flatten)]
    pub typed: FlagArguments,
    /// Enter this stage. Without it, `resume` goes on from what is on now, and `advance` enters the next
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stage: Option<u32>,
    /// Whether to wait.
    #[command(flatten)]
    pub waiting: Waiting,
}

/// Arguments of `plan tick`.
#[derive(Debug, Args)]
pub struct PlanTick {
    /// As of this time instead of now, to try a plan out: 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<i64>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `guard`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Guard {
    #[command(subcommand)]
    pub command: Option<GuardSubcommand>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// End after a second, with its second look
    #[arg(long)]
    pub once: bool,
    /// Where workers count, if `flagstone.telemetry` names another directory
    #[arg(long, value_name = "DIR", default_value = flagstone::telemetry::DIRECTORY, value_hint = ValueHint::DirPath)]
    pub memory: PathBuf,
}

/// Commands about the guard.
#[derive(Debug, Subcommand)]
pub enum GuardSubcommand {
    /// Show who watches, since when, each flag's evidence, and what would be done
    Status,
    /// Have the guard do nothing for a while: it counts, and plans wait
    Pause(GuardPause),
    /// End a pause, and let flags be turned off on limits again after a time that did not help
    Resume(GuardResume),
}

/// Arguments of `guard pause`.
#[derive(Debug, Args)]
pub struct GuardPause {
    /// How long, such as 30m; 8 hours at most
    #[arg(long = "for", value_name = "LENGTH", value_parser = pause)]
    pub length: Soak,
    /// Why; whoever finds the guard paused will read it
    #[arg(long, value_name = "WHY", value_parser = text())]
    pub reason: String,
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `guard resume`.
#[derive(Debug, Args)]
pub struct GuardResume {
    /// Why
    #[arg(long, value_name = "WHY", value_parser = text())]
    pub reason: Option<String>,
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `note`.
#[derive(Debug, Args)]
pub struct Note {
    /// What was changed: "deploy 42", "index on orders"
    #[arg(value_parser = text())]
    pub text: String,
    #[command(flatten)]
    pub by: By,
}

fn length(text: &str) -> Result<Soak, String> {
    let length = Soak::from_text(text).filter(|length| length.micros() > 0);
    length.ok_or_else(|| "expected a length of time such as 30m or 2h".to_owned())
}

/// A length of time that the guard may be paused for.
fn pause(text: &str) -> Result<Soak, String> {
    let length = length(text)?;
    match length.micros() {
        1..=Orders::LONGEST_PAUSE => Ok(length),
        _ => Err("expected 8 hours at most".to_owned()),
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub interval: u64,
    /// Move plans only: be no guard
    #[arg(long)]
    pub no_guard: bool,
    /// Take one turn and end, for cron
    #[arg(long, conflicts_with_all = ["interval", "log_format"])]
    pub once: bool,
    /// Format of the log on standard error
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Where workers count, if `flagstone.telemetry` names another directory
    #[arg(long, value_name = "DIR", default_value = flagstone::telemetry::DIRECTORY, value_hint = ValueHint::DirPath)]
    pub memory: PathBuf,
}

/// Arguments of `notify`.
#[derive(Debug, Args)]
pub struct Notify {
    /// Say how far each endpoint is and what was given up, and send nothing
    #[arg(long)]
    pub status: bool,
}
