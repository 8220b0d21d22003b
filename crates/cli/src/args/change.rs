//! Commands that change what is on.

use super::ask::Memory;
use super::values::{Named, company, flag_key, name, percentage, reason, release, target, text};
use clap::{ArgGroup, Args, ValueHint};
use flagstone::definition::{CompanyId, Percentage};
use std::path::PathBuf;

/// Who makes a change, and how far it goes.
#[derive(Debug, Args)]
pub struct By {
    /// Who makes the change; without it FLAGSTONE_ACTOR, SUDO_USER or whoever signed in
    #[arg(long, value_name = "NAME", value_parser = name())]
    pub actor: Option<String>,
    /// On this machine only, not on those that the store's config declares
    #[arg(long)]
    pub local_only: bool,
}

/// Whom a change reaches.
#[derive(Debug, Args)]
pub struct Reach {
    /// Count which of these companies it turns on and off, and change nothing for them alone: one id a line, a column of a table, or a JSON
    /// array; `-` is standard input. Without it, the store's config says
    #[arg(long = "count-for", id = "list", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub list: Option<PathBuf>,
}

/// Whom a change reaches, and what if that is many.
#[derive(Debug, Args)]
pub struct WeighedChange {
    /// Whom.
    #[command(flatten)]
    pub reach: Reach,
    /// Do not ask, however many it turns off; of `publish`, take a file that lacks more than half of the flags
    #[arg(long)]
    pub yes: bool,
}

/// How a change that is weighed first is made.
#[derive(Debug, Args)]
pub struct ChangeTerms {
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "R", value_parser = text())]
    pub reason: Option<String>,
    /// Whom it reaches.
    #[command(flatten)]
    pub weighed: WeighedChange,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The directory to make the store in; without it, --store says where
    #[arg(value_name = "STORE", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
    /// Its environment, for good: a store answers for one
    #[arg(long, value_name = "E")]
    pub environment: String,
    /// Let only the members of this group read, such as www-data for PHP's workers
    #[arg(long, value_name = "G")]
    pub readers: Option<String>,
    /// Name it in /etc/flagstone/store, as the store of this machine where none is named; root is asked on a terminal
    #[arg(long)]
    pub default_store: bool,
    /// Make it although workers count for a store at this path: restore that one rather
    #[arg(long)]
    pub yes: bool,
    /// Where.
    #[command(flatten)]
    pub memory: Memory,
}

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Let only the members of this group read, such as www-data for PHP's workers
    #[arg(long, value_name = "G")]
    pub readers: Option<String>,
    /// Who makes the change; without it FLAGSTONE_ACTOR, SUDO_USER or whoever signed in
    #[arg(long, value_name = "NAME", value_parser = name())]
    pub actor: Option<String>,
}

/// Arguments of `publish`.
#[derive(Debug, Args)]
pub struct Publish {
    /// The definitions; `-` reads them from standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub expect_generation: Option<u64>,
    /// Publish nothing; fail if what runs is not what the file says, as a nightly job does
    #[arg(long, conflicts_with_all = ["expect_generation", "reset", "settle", "keep", "prune"])]
    pub check_drift: bool,
    /// Take this field from the file, overriding what was changed where it runs: FLAG.FIELD, FLAG or all (may be given again)
    #[arg(long, value_name = "WHAT")]
    pub reset: Vec<String>,
    /// Keep this field as it runs, which answers the file's edit of it: FLAG.FIELD, FLAG or all (may be given again)
    #[arg(long, value_name = "WHAT")]
    pub settle: Vec<String>,
    /// Publish everything but the fields in conflict, which stay as they run and stay listed until they are settled
    #[arg(long)]
    pub keep: bool,
    /// Remove flags that the file no longer has and that are off for everybody
    #[arg(long)]
    pub prune: bool,
    /// The release that the file belongs to: a commit, a number that grows, or a time; an older one turns nothing
    #[arg(long, value_name = "ID", value_parser = release)]
    pub release: Option<Named>,
    /// How that commit stands to the last that was published, as the machine that has the work tree found
    #[arg(long, value_name = "STANDING", hide = true, value_parser = ["descends", "older"])]
    pub lineage: Option<String>,
    /// That release is the newest, whatever was published before
    #[arg(long, requires = "release")]
    pub mark_newest: bool,
    /// How.
    #[command(flatten)]
    pub terms: ChangeTerms,
}

/// Arguments of `pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// The definitions
    #[arg(default_value = "flags.json", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// The arguments of all commands that change one flag's definition.
#[derive(Debug, Args)]
pub struct Changing {
    /// Change this file of definitions instead of the store, and publish nothing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["expect_generation", "reason", "list", "yes", "actor", "local_only"])]
    pub file: Option<PathBuf>,
    /// Of the file, change what this environment says, instead of what all of them do
    #[arg(long, value_name = "E", requires = "file")]
    pub environment: Option<String>,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub expect_generation: Option<u64>,
    /// How.
    #[command(flatten)]
    pub terms: ChangeTerms,
}

/// Arguments of `enable`.
#[derive(Debug, Args)]
pub struct Enable {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// For so many, drawn by the rollout's rules; 100 is everybody
    #[arg(long, value_name = "P", value_parser = percentage, allow_hyphen_values = true)]
    pub percentage: Option<Percentage>,
    /// For this company (may be given again); of a flag that is off it makes a pilot: nobody else
    #[arg(long = "company", value_name = "C", value_parser = company, allow_hyphen_values = true)]
    pub companies: Vec<CompanyId>,
    /// Take a company's id as it is typed, although it looks like a list, an option or a spreadsheet's number
    #[arg(long)]
    pub literal: bool,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of `disable`.
#[derive(Debug, Args)]
pub struct Disable {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// For this company only, as `deny` does (may be given again)
    #[arg(long = "company", value_name = "C", value_parser = company, allow_hyphen_values = true)]
    pub companies: Vec<CompanyId>,
    /// Take a company's id as it is typed, although it looks like a list, an option or a spreadsheet's number
    #[arg(long)]
    pub literal: bool,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of a change that needs no more than the flag: `delete`, and what people say of a plan.
#[derive(Debug, Args)]
pub struct FlagArguments {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub expect_generation: Option<u64>,
    /// How.
    #[command(flatten)]
    pub terms: ChangeTerms,
}

/// Arguments of `rollout`.
#[derive(Debug, Args)]
pub struct Rollout {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// From 0 to 100, with up to three decimals
    #[arg(value_parser = percentage, allow_negative_numbers = true)]
    pub percentage: Percentage,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of `allow`, `deny` and `forget`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whom").args(["companies", "from_file"]).required(true).multiple(true))]
pub struct Companies {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// The companies: `42` is the integer, `042` a string
    #[arg(value_name = "COMPANY", value_parser = company, allow_negative_numbers = true)]
    pub companies: Vec<CompanyId>,
    /// Take a company's id as it is typed, although it looks like a list, an option or a spreadsheet's number
    #[arg(long)]
    pub literal: bool,
    /// The companies of this file too: one id a line, a column of a table, or a JSON array; `-` is standard input
    #[arg(long, value_name = "LIST", value_hint = ValueHint::FilePath)]
    pub from_file: Option<PathBuf>,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of `add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The new flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// The file of definitions
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// What it is, for people
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Whom to ask about it
    #[arg(long, value_name = "NAME")]
    pub owner: Option<String>,
    /// The day after which `check` warns that it should be gone: 2027-03-31
    #[arg(long, value_name = "DAY")]
    pub expires: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// To what this generation held, by its number or its content's 32 hex digits; without it, the one before the current
    #[arg(long, value_name = "N", value_parser = target)]
    pub to: Option<Target>,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub expect_generation: Option<u64>,
    /// How.
    #[command(flatten)]
    pub terms: ChangeTerms,
}

/// A generation to go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// By its number.
    Generation(u64),
    /// By its content's id: what other machines call it.
    Content(String),
}

/// Arguments of `kill`.
#[derive(Debug, Args)]
pub struct Kill {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// Why, for the audit trail and for whoever asks what happened
    #[arg(long, value_name = "R", value_parser = reason())]
    pub reason: String,
    /// Kill it although the current generation has no such flag
    #[arg(long)]
    pub force: bool,
    /// Whom it reaches.
    #[command(flatten)]
    pub reach: Reach,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `revive`.
#[derive(Debug, Args)]
pub struct Revive {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// Why, for the audit trail
    #[arg(long, value_name = "R", value_parser = text())]
    pub reason: Option<String>,
    /// Whom it reaches.
    #[command(flatten)]
    pub reach: Reach,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `stop-all`.
#[derive(Debug, Args)]
pub struct StopAll {
    /// Why, for the audit trail and for whoever asks what happened
    #[arg(long, value_name = "R", value_parser = reason())]
    pub reason: String,
    /// The store's environment, instead of typing it when asked
    #[arg(long, value_name = "E")]
    pub environment: Option<String>,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Whom it reaches.
    #[command(flatten)]
    pub reach: Reach,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `resume-all`.
#[derive(Debug, Args)]
pub struct ResumeAll {
    /// Why, for the audit trail
    #[arg(long, value_name = "R", value_parser = text())]
    pub reason: Option<String>,
    /// Although kill slots are damaged, and the audit trail may lack kills
    #[arg(long)]
    pub force: bool,
    /// Whom it reaches.
    #[command(flatten)]
    pub reach: Reach,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct Config {
    /// What: companies, confirm_above, retained_mib, machines, machines.NAME, telemetry.users; without it, all
    pub key: Option<String>,
    /// The value to set: JSON, or plain text
    #[arg(conflicts_with = "unset")]
    pub value: Option<String>,
    /// Take the key out
    #[arg(long, requires = "key")]
    pub unset: bool,
}
