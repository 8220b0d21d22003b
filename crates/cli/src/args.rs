//! What was typed, and its help.

use crate::fastcgi::Address;
use crate::probe::read;
use crate::{relay, words};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueHint};
use flagstone::definition::{CompanyId, Percentage};
use flagstone::eval::time;
use flagstone::store::MachineName;
use std::path::PathBuf;

/// Feature flags answered from a memory-mapped snapshot: ask a store, or change it.
#[derive(Debug, Parser)]
#[command(name = "flagstone", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Arguments {
    /// The store's directory [env: FLAGSTONE_STORE]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,

    /// Print JSON, one document on one line
    #[arg(long, global = true)]
    pub json: bool,

    /// Another machine's command sent this, for that environment: nothing is sent on
    #[arg(long, global = true, value_name = "E", hide = true)]
    pub relayed: Option<String>,

    /// What to do.
    #[command(subcommand)]
    pub word: Word,
}

/// The words that only ask, those that change a store, and those that set up the machine.
#[derive(Debug, Subcommand)]
pub enum Word {
    /// Check definitions, without a store: every problem at once, with its place
    Check(Check),
    /// Show what the store serves, what is killed or stopped, and whether workers accept it
    Status,
    /// Show what workers answered, and what the requests that asked came to
    Stats(Stats),
    /// List the flags with their state
    List,
    /// Show all that one flag says
    Show(Show),
    /// Answer on or off, by the exit code too: 0 on, 1 off, 2 could not tell
    Ask(Ask),
    /// Say in a sentence, then step by step, why a flag is on or off
    Explain(Ask),
    /// List the flags whose answer for a company changed, when, by whom and why
    Why(Why),
    /// Verify a snapshot and print it field by field
    Inspect(Inspect),
    /// List the changes, newest first
    History(History),
    /// Show what differs between two generations or files, field by field
    Diff(Diff),
    /// Count who would be in, enter and leave at another percentage; publishes nothing
    Simulate(Simulate),
    /// Read the audit trail, oldest first and field by field, and verify its chain
    Audit(Audit),
    /// Say whether this machine is fit for a deployment, and how to mend what is not
    Doctor(Doctor),
    /// Find where PHP sources ask for flags
    Scan(Scan),
    /// Send HTTP probes, and say whether each company gets what it should
    Verify(Verify),

    /// Make an empty store for one environment
    Init(Init),
    /// Check, compile and publish definitions as a new generation
    Publish(Publish),
    /// Write the switches as they are turned now back into the file
    Pull(Pull),
    /// Turn a flag on: for everybody, for a percentage, or for companies
    Enable(Enable),
    /// Turn a flag off: for everybody, or for companies
    Disable(Disable),
    /// Give a flag another percentage
    Rollout(Rollout),
    /// Let companies in, whatever the percentage
    Allow(Companies),
    /// Keep companies out, whatever else the flag says
    Deny(Companies),
    /// Take companies out of both lists
    Forget(Companies),
    /// Add a flag to a file of definitions, off
    Add(Add),
    /// Publish again what an earlier generation held
    Rollback(Rollback),
    /// Move a flag's rollout plan, or show how far it is
    Plan(Plan),
    /// Move all plans when their time has come, as a daemon
    Run(Run),
    /// Send what webhooks were not told yet, once; `run` does so all the time
    Notify(Notify),
    /// Take flags from another store of this machine, off where they are new
    Promote(Promote),
    /// Write flags into a signed file for another machine, on standard output
    Export(Export),
    /// Take flags from such a file, off where they are new
    Import(Import),
    /// Show or make the key that signs exports, and say which keys are trusted
    Key(Key),
    /// Turn one flag off at once, whatever is published, until it is revived
    Kill(Kill),
    /// Let a killed flag answer again
    Revive(Revive),
    /// Turn every flag off at once, but those whose emergency is "keep"
    StopAll(StopAll),
    /// Let all flags answer again after a stop
    ResumeAll(ResumeAll),
    /// Show or set how changes of this store are made: companies, off_share, machines
    Config(Config),

    /// Print a shell's completions
    Completions(Completions),
    /// Print the manual page, or write the pages of all words
    Man(Man),
}

/// Headings of the help, and the words under each.
const GROUPS: [(&str, &[&str]); 3] = [
    (
        "Ask",
        &[
            "check", "status", "stats", "list", "show", "ask", "explain", "why", "inspect", "history",
            "diff", "simulate", "audit", "doctor", "scan", "verify",
        ],
    ),
    (
        "Change",
        &[
            "init",
            "publish",
            "pull",
            "enable",
            "disable",
            "rollout",
            "allow",
            "deny",
            "forget",
            "add",
            "rollback",
            "plan",
            "run",
            "notify",
            "promote",
            "export",
            "import",
            "key",
            "kill",
            "revive",
            "stop-all",
            "resume-all",
            "config",
        ],
    ),
    ("Set up", &["completions", "man"]),
];

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The definitions; `-` reads them from standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Merge this environment in; without it, the document and each environment that it names are checked
    #[arg(long, value_name = "E")]
    pub environment: Option<String>,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The flag's key
    pub flag: String,
}

/// Arguments of `ask` and `explain`.
#[derive(Debug, Args)]
pub struct Ask {
    /// The flag's key
    pub flag: String,
    /// For this company: `42` is the integer, `042` a string
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    pub company: Option<String>,
    /// Further attributes, as a JSON object: '{"plan": "pro", "user": 7}'
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
    /// As of this time instead of now: 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<i64>,
}

/// Arguments of `stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// One flag's key, to see its reasons
    pub flag: Option<String>,
    /// Draw so many hours, up to 24
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = hours)]
    pub hours: usize,
    /// Where workers count, if `flagstone.telemetry` names another directory
    #[arg(long, value_name = "DIR", default_value = flagstone::telemetry::DIRECTORY, value_hint = ValueHint::DirPath)]
    pub memory: PathBuf,
}

/// Arguments of `why`.
#[derive(Debug, Args)]
pub struct Why {
    /// The company: `42` is the integer, `042` a string
    #[arg(value_parser = company, allow_negative_numbers = true)]
    pub company: CompanyId,
    /// Before this time instead of now: 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<i64>,
    /// So many hours back, up to 8,784
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8784))]
    pub hours: u32,
    /// Further attributes, as a JSON object: '{"plan": "pro", "user": 7}'
    #[arg(long, value_name = "JSON")]
    pub context: Option<String>,
}

/// Arguments of `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// A snapshot's file, instead of the store's current one
    #[arg(conflicts_with = "generation", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Another generation that the store still holds
    #[arg(long, value_name = "N")]
    pub generation: Option<u64>,
    /// Print the definitions that the snapshot was compiled from, as `publish` takes them
    #[arg(long)]
    pub definitions: bool,
    /// With what the store keeps with each flag besides: how far its plan is, whether its file still has it
    #[arg(long, requires = "definitions")]
    pub state: bool,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct History {
    /// At most so many, 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    /// Only what concerns this flag
    #[arg(long, value_name = "FLAG")]
    pub flag: Option<String>,
    /// Only from then on: 2026-11-20, 2026-11-20T08:00:00Z, or 24h, 7d back
    #[arg(long, value_name = "T", value_parser = since)]
    pub since: Option<i64>,
    /// Verify and list nothing
    #[arg(long, conflicts_with_all = ["flag", "since"])]
    pub verify: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A generation of the store, or a file (definitions or a snapshot); `./7` is a file
    #[arg(value_hint = ValueHint::FilePath)]
    pub a: String,
    /// Likewise
    #[arg(value_hint = ValueHint::FilePath)]
    pub b: String,
    /// The environment to merge into a file of definitions; without it, the store's if one is named
    #[arg(long, value_name = "E")]
    pub environment: Option<String>,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// The flag's key
    pub flag: String,
    /// The percentage to try, with up to three decimals
    #[arg(long, value_name = "P", value_parser = percentage, allow_hyphen_values = true)]
    pub percentage: Percentage,
    /// The companies: one id a line, or a JSON array; `-` reads them from standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub companies: PathBuf,
    /// As of this time instead of now: 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<i64>,
    /// List at most so many of each (with --json all are listed)
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// No-go below this score, from 0 to 100
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub min_score: u32,
    /// The PHP of queue workers and artisan; without it, `php` as the PATH has it
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub php: Option<PathBuf>,
    /// What PHP-FPM's pool listens on: a socket's path, host:port, or a port
    #[arg(long, value_name = "SOCKET", value_parser = Address::parse)]
    pub fpm: Option<Address>,
    /// A copy of examples/doctor.php, named as the pool sees it, where the pool cannot read what doctor makes itself
    #[arg(long, value_name = "PATH", requires = "fpm", value_hint = ValueHint::FilePath)]
    pub fpm_script: Option<PathBuf>,
    /// The application's directory: are the flags that its code names published, and the other way round
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub code: Option<PathBuf>,
    /// A flag that was killed longer ago counts as forgotten, in days
    #[arg(long, value_name = "N", default_value_t = 14)]
    pub kill_days: u32,
}

/// Arguments of `scan`.
#[derive(Debug, Args)]
pub struct Scan {
    /// The application's directory
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: PathBuf,
    /// What others made as well: vendor, node_modules, storage, bootstrap/cache, hidden directories
    #[arg(long)]
    pub all: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The probes; `-` reads them from standard input
    #[arg(value_name = "PROBES", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where paths are asked for, instead of the file's base_url: https://shop.example
    #[arg(long, value_name = "U", value_parser = base_url, value_hint = ValueHint::Url)]
    pub base_url: Option<String>,
    /// Send each probe so often, from 1 to 10,000
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = between::<10_000>)]
    pub repeat: usize,
    /// So many requests at a time, from 1 to 256
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = between::<256>)]
    pub parallel: usize,
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
    /// Let this group publish too, such as www-data for a dashboard beside a deploy user
    #[arg(long, value_name = "G")]
    pub group: Option<String>,
}

/// Who makes a change, and how far it goes.
#[derive(Debug, Args)]
pub struct By {
    /// Who makes the change; without it FLAGSTONE_ACTOR, SUDO_USER or whoever signed in
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub actor: Option<String>,
    /// On this machine only, not on those that the store's config declares
    #[arg(long)]
    pub here: bool,
}

/// Whom a change reaches.
#[derive(Debug, Args)]
pub struct Reach {
    /// Tell which of these companies it turns on and off: one id a line, or a JSON array; `-` is standard input. Without it, the
    /// store's config says
    #[arg(long = "companies", id = "list", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub list: Option<PathBuf>,
}

/// Whom a change reaches, and what if that is many.
#[derive(Debug, Args)]
pub struct Weighed {
    /// Whom.
    #[command(flatten)]
    pub reach: Reach,
    /// Do not ask, however many it turns off
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `publish`.
#[derive(Debug, Args)]
pub struct Publish {
    /// The definitions; `-` reads them from standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub base: Option<u64>,
    /// Check, compile and show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Publish nothing; fail if a switch is not as the file says, as a nightly job does
    #[arg(long, conflicts_with_all = ["base", "reset", "prune"])]
    pub check_drift: bool,
    /// Have the file decide this switch, which is turned where it runs otherwise: FLAG.FIELD, FLAG or all (may be given again)
    #[arg(long, value_name = "WHAT")]
    pub reset: Vec<String>,
    /// Remove flags that the file no longer has and that are off for everybody
    #[arg(long)]
    pub prune: bool,
    /// The release that the file belongs to: a number that grows, or a time; of an older one no switch is turned
    #[arg(long, value_name = "ID", value_parser = release)]
    pub release: Option<u64>,
    /// That release is the newest, whatever was published before
    #[arg(long, requires = "release")]
    pub newest: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Whom it reaches.
    #[command(flatten)]
    pub weighed: Weighed,
    /// Who.
    #[command(flatten)]
    pub by: By,
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

/// What all words that change one flag's definition have in common.
#[derive(Debug, Args)]
pub struct Changing {
    /// Change this file of definitions instead of the store, and publish nothing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["base", "reason", "list", "yes", "actor", "here"])]
    pub file: Option<PathBuf>,
    /// Of the file, change what this environment says, instead of what all of them do
    #[arg(long, value_name = "E", requires = "file")]
    pub environment: Option<String>,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub base: Option<u64>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Whom it reaches.
    #[command(flatten)]
    pub weighed: Weighed,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `enable`.
#[derive(Debug, Args)]
pub struct Enable {
    /// The flag's key
    pub flag: String,
    /// For so many, drawn by the rollout's rules
    #[arg(long, value_name = "P", value_parser = percentage, allow_hyphen_values = true)]
    pub percentage: Option<Percentage>,
    /// For this company (may be given again); of a flag that is off it makes a pilot: nobody else
    #[arg(long = "company", value_name = "C", value_parser = company, allow_hyphen_values = true)]
    pub companies: Vec<CompanyId>,
    /// For whom it says: its percentage, schedule and companies stay as they are
    #[arg(long, conflicts_with_all = ["percentage", "companies"])]
    pub keep: bool,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of `disable`.
#[derive(Debug, Args)]
pub struct Disable {
    /// The flag's key
    pub flag: String,
    /// For this company only, as `deny` does (may be given again)
    #[arg(long = "company", value_name = "C", value_parser = company, allow_hyphen_values = true)]
    pub companies: Vec<CompanyId>,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of `rollout`.
#[derive(Debug, Args)]
pub struct Rollout {
    /// The flag's key
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
pub struct Companies {
    /// The flag's key
    pub flag: String,
    /// The companies: `42` is the integer, `042` a string
    #[arg(value_name = "COMPANY", required = true, value_parser = company, allow_negative_numbers = true)]
    pub companies: Vec<CompanyId>,
    /// Where and how.
    #[command(flatten)]
    pub changing: Changing,
}

/// Arguments of `add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The new flag's key
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
    /// Show what would be reverted, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Whom it reaches.
    #[command(flatten)]
    pub weighed: Weighed,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// A generation to go back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// By its number.
    Generation(u64),
    /// By its content's id: what other machines call it.
    Content(String),
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// What to do with it.
    #[command(subcommand)]
    pub word: PlanWord,
}

/// What there is to do with plans.
#[derive(Debug, Subcommand)]
pub enum PlanWord {
    /// Show how far a flag's plan is, with dates; without a flag, all plans
    Show(PlanShow),
    /// Enter the first stage
    Start(PlanTyped),
    /// Stop where it is: what is on stays on
    Hold(PlanTyped),
    /// Go on with a plan that is held
    Resume(PlanStage),
    /// Enter the next stage now, without the rest of the soak
    Advance(PlanTyped),
    /// Return to what the flag said before the plan was started
    Abort(PlanTyped),
    /// Move all plans whose time has come, once; for cron
    Tick(PlanTick),
}

/// Arguments of `plan show`.
#[derive(Debug, Args)]
pub struct PlanShow {
    /// The flag's key
    pub flag: Option<String>,
}

/// Arguments of what people say of a plan.
#[derive(Debug, Args)]
pub struct PlanTyped {
    /// The flag's key
    pub flag: String,
    /// Why, for the audit trail
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Refuse unless this generation is still the current one
    #[arg(long, value_name = "N")]
    pub base: Option<u64>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Whom it reaches.
    #[command(flatten)]
    pub weighed: Weighed,
    /// Who makes it.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `plan resume`.
#[derive(Debug, Args)]
pub struct PlanStage {
    /// What they have in common.
    #[command(flatten)]
    pub typed: PlanTyped,
    /// Enter this stage, instead of going on from what is on now
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub stage: Option<u32>,
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

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Seconds between two looks
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub interval: u64,
}

/// Arguments of `notify`.
#[derive(Debug, Args)]
pub struct Notify {
    /// Say how far each endpoint is and what was given up, and send nothing
    #[arg(long)]
    pub status: bool,
}

/// Which flags travel.
#[derive(Debug, Args)]
#[group(id = "which", required = true, multiple = false)]
pub struct What {
    /// The flags' keys
    #[arg(value_name = "FLAG")]
    pub flags: Vec<String>,
    /// All flags
    #[arg(long)]
    pub all: bool,
}

/// How flags arrive.
#[derive(Debug, Args)]
pub struct Travelling {
    /// On for whom they are on where they come from, instead of off or as they are here
    #[arg(long)]
    pub keep_state: bool,
    /// With the companies that they name, whose ids must mean the same here
    #[arg(long)]
    pub with_companies: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Why, for the audit trail
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
    /// Whom it reaches.
    #[command(flatten)]
    pub weighed: Weighed,
    /// Who.
    #[command(flatten)]
    pub by: By,
}

/// Arguments of `promote`.
#[derive(Debug, Args)]
pub struct Promote {
    /// Which.
    #[command(flatten)]
    pub what: What,
    /// The store that they come from
    #[arg(long, value_name = "STORE", value_hint = ValueHint::DirPath)]
    pub from: PathBuf,
    /// The store that they go to; without it, --store says which
    #[arg(long, value_name = "STORE", value_hint = ValueHint::DirPath)]
    pub to: Option<PathBuf>,
    /// How.
    #[command(flatten)]
    pub how: Travelling,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Which.
    #[command(flatten)]
    pub what: What,
    /// With the companies that they list, which otherwise are not even written
    #[arg(long)]
    pub with_companies: bool,
    /// Who exports; without it FLAGSTONE_ACTOR, SUDO_USER or whoever signed in
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub actor: Option<String>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct Import {
    /// The file; `-` reads standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// How.
    #[command(flatten)]
    pub how: Travelling,
}

/// Arguments of `key`.
#[derive(Debug, Args)]
pub struct Key {
    /// What to do; without it, show the keys.
    #[command(subcommand)]
    pub word: Option<KeyWord>,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub enum KeyWord {
    /// Make this store's key, if it has none
    Make,
    /// Take exports that this key has signed
    Trust {
        /// What to call it: 1 to 64 letters, digits, . _ and -
        #[arg(value_parser = key_name)]
        name: String,
        /// As `flagstone key` prints it where they come from
        key: String,
    },
    /// Take no more exports by the key of that name
    Forget {
        /// As it was called
        name: String,
    },
}

/// Arguments of `kill`.
#[derive(Debug, Args)]
pub struct Kill {
    /// The flag's key
    pub flag: String,
    /// Why, for the audit trail and for whoever asks what happened
    #[arg(long, value_name = "R", value_parser = reason)]
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
    pub flag: String,
    /// Why, for the audit trail
    #[arg(long, value_name = "R")]
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
    #[arg(long, value_name = "R", value_parser = reason)]
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
    #[arg(long, value_name = "R")]
    pub reason: Option<String>,
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
    /// What: companies, off_share, machines, machines.NAME; without it, all
    pub key: Option<String>,
    /// The value to set: JSON, or plain text
    #[arg(conflicts_with = "unset")]
    pub value: Option<String>,
    /// Take the key out
    #[arg(long, requires = "key")]
    pub unset: bool,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell's
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write flagstone.1 and a page of each word into this directory
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub to: Option<PathBuf>,
}

/// Reads the process's arguments; prints help, version or what is wrong with them, and ends the process, where
/// that is all there is to do.
pub fn parse() -> Arguments {
    let matches = command().get_matches_from(relay::decoded(std::env::args_os()));
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command, its help grouped into words that ask and words that change.
pub fn command() -> clap::Command {
    let command = Arguments::command();
    let style = command.get_styles().clone();
    let (heading, word) = (*style.get_header(), *style.get_literal());
    let mut help = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (title, words) in GROUPS {
        help.push_str(&format!("\n{heading}{title}:{heading:#}\n"));
        for name in words {
            let about =
                command.find_subcommand(name).and_then(|word| word.get_about()).cloned().unwrap_or_default();
            help.push_str(&format!("  {word}{name:<12}{word:#} {about}\n"));
        }
    }
    help.push_str(&format!("\n{heading}Options:{heading:#}\n{{options}}\n\n"));
    help.push_str(
        "Exit: 0 yes or done, 1 no or refused, 2 could not tell, 3 done here, not everywhere.\n`flagstone WORD --help` tells more.\n",
    );
    command.help_template(help)
}

fn instant(text: &str) -> Result<i64, String> {
    time::parse_rfc3339(text.as_bytes())
        .ok_or_else(|| "expected a date and time with an offset, such as 2026-12-01T08:00:00Z".to_owned())
}

/// A time, a day's beginning in UTC, or so many minutes, hours, days or weeks back.
fn since(text: &str) -> Result<i64, String> {
    let back = || {
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        let count = count.bytes().all(|byte| byte.is_ascii_digit()).then(|| count.parse::<i64>().ok())??;
        Some(words::now().saturating_sub(count.checked_mul(seconds)?.checked_mul(1_000_000)?))
    };
    back()
        .or_else(|| time::parse_rfc3339(text.as_bytes()))
        .or_else(|| time::parse_rfc3339(format!("{text}T00:00:00Z").as_bytes()))
        .ok_or_else(|| {
            "expected a time (2026-11-20T08:00:00Z), a day (2026-11-20), or 30m, 24h, 7d or 2w back"
                .to_owned()
        })
}

fn target(text: &str) -> Result<Target, String> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Target::Content(text.to_ascii_lowercase()));
    }
    text.parse()
        .map(Target::Generation)
        .map_err(|_| "expected a generation's number, or its content's 32 hex digits".to_owned())
}

fn name(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a person's name".to_owned()),
        text => Ok(text.to_owned()),
    }
}

/// A release: its number, or its time in seconds since 1970.
fn release(text: &str) -> Result<u64, String> {
    let seconds = || time::parse_rfc3339(text.as_bytes()).map(|micros| micros.div_euclid(time::SECOND));
    let number = text.parse().ok().or_else(|| u64::try_from(seconds()?).ok());
    number.filter(|number| *number > 0).ok_or_else(|| {
        "expected a whole number above 0 that grows from release to release, such as `git show -s --format=%ct` prints, or a \
         time such as 2026-12-01T08:00:00Z"
            .to_owned()
    })
}

fn percentage(text: &str) -> Result<Percentage, String> {
    words::parse_percentage(text)
        .ok_or_else(|| "expected a number from 0 to 100 with up to three decimals".to_owned())
}

fn company(text: &str) -> Result<CompanyId, String> {
    CompanyId::from_text(text).ok_or_else(|| "expected a company's id of 1 to 1,024 bytes".to_owned())
}

fn base_url(text: &str) -> Result<String, String> {
    let url = text.parse::<ureq::http::Uri>().ok().filter(|url| url.host().is_some());
    match url.is_some() && read::absolute(text) {
        true => Ok(text.to_owned()),
        false => Err("expected an address such as https://shop.example".to_owned()),
    }
}

fn between<const MOST: usize>(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("expected a number from 1 to {}", words::thousands(MOST as u64)))
}

fn key_name(text: &str) -> Result<String, String> {
    match MachineName::try_from(text.to_owned()) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected 1 to 64 letters, digits, . _ and -".to_owned()),
    }
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected a reason; whoever finds the flag off will read it".to_owned()),
        text => Ok(text.to_owned()),
    }
}

fn hours(text: &str) -> Result<usize, String> {
    let hours = text.parse().ok().filter(|hours| (1..=24).contains(hours));
    hours.ok_or_else(|| format!("found \"{text}\", expected hours from 1 to 24"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_hold_together() {
        command().debug_assert();
    }

    #[test]
    fn the_help_shows_every_word_under_one_heading() {
        let mut shown: Vec<_> = GROUPS.iter().flat_map(|(_, words)| words.iter().copied()).collect();
        let command = command();
        let mut known: Vec<_> = command.get_subcommands().map(|word| word.get_name()).collect();
        shown.sort_unstable();
        known.sort_unstable();
        assert_eq!(shown, known);
    }
}
