//! Commands that only ask.

use super::values::{base_url, between, company, flag_key, hours, instant, percentage, since};
use crate::doctor::{KINDS, Kind};
use crate::fastcgi::Address;
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use flagstone::definition::{CompanyId, Percentage};
use std::path::PathBuf;

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
    #[arg(value_parser = flag_key)]
    pub flag: String,
}

/// Arguments of `ask` and `explain`.
#[derive(Debug, Args)]
pub struct Ask {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// For this company: `42` is the integer, `042` a string
    #[arg(long, value_name = "C", allow_hyphen_values = true)]
    pub company: Option<String>,
    /// Take a company's id as it is typed, although it looks like a list, an option or a spreadsheet's number
    #[arg(long)]
    pub literal: bool,
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
    #[arg(value_parser = flag_key)]
    pub flag: Option<String>,
    /// Draw so many hours, up to 24
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = hours)]
    pub hours: usize,
    /// Draw what is asked now, each second, until `q` or Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Where.
    #[command(flatten)]
    pub memory: Memory,
}

/// Arguments of `experiment`.
#[derive(Debug, Args)]
pub struct Experiment {
    /// The flag's key
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// This event only
    #[arg(long, value_name = "E")]
    pub event: Option<String>,
    /// Where.
    #[command(flatten)]
    pub memory: Memory,
}

/// Where workers count.
#[derive(Debug, Args)]
pub struct Memory {
    /// Where workers count, if `flagstone.telemetry` names another directory
    #[arg(long, value_name = "DIR", default_value = flagstone::telemetry::DIRECTORY, value_hint = ValueHint::DirPath)]
    pub memory: PathBuf,
}

/// Arguments of `incident`.
#[derive(Debug, Args)]
pub struct Incident {
    /// From then on instead of an hour ago: a time (2026-12-01T02:00:00Z), or 20m, 2h back
    #[arg(long, value_name = "T", value_parser = since)]
    pub since: Option<i64>,
    #[command(flatten)]
    pub memory: Memory,
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
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "company")]
    pub limit: usize,
    /// List the flags whose answer for this company changed, when, by whom and why: `42` is the integer, `042` a string
    #[arg(long, value_name = "C", value_parser = company, allow_hyphen_values = true)]
    pub company: Option<CompanyId>,
    /// Take a company's id as it is typed, although it looks like a list, an option or a spreadsheet's number
    #[arg(long, requires = "company")]
    pub literal: bool,
    /// Of a company, before this time instead of now: 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "company")]
    pub at: Option<i64>,
    /// Of a company, so many hours back, up to 8,784
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8784), requires = "company")]
    pub hours: u32,
    /// Of a company, further attributes, as a JSON object: '{"plan": "pro", "user": 7}'
    #[arg(long, value_name = "JSON", requires = "company")]
    pub context: Option<String>,
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
    /// Only the newest N of these
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Verify and list nothing
    #[arg(long, conflicts_with_all = ["flag", "since", "limit"])]
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
    #[arg(value_parser = flag_key)]
    pub flag: String,
    /// The percentage to try, with up to three decimals
    #[arg(long, value_name = "P", value_parser = percentage, allow_hyphen_values = true)]
    pub percentage: Percentage,
    /// The companies: one id a line, a column of a table, or a JSON array; `-` reads them from standard input
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
    /// Leave this check out, such as php on a host without the extension on its command line (may be given again)
    #[arg(long, value_name = "CHECK", value_parser = check_names(), hide_possible_values = true)]
    pub skip: Vec<String>,
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
    /// Where workers count, if `flagstone.telemetry` names another directory
    #[arg(long, value_name = "DIR", default_value = flagstone::telemetry::DIRECTORY, value_hint = ValueHint::DirPath)]
    pub memory: PathBuf,
}

fn check_names() -> PossibleValuesParser {
    PossibleValuesParser::new(KINDS.map(|kind| kind.name))
}

impl Doctor {
    /// Whether that check is left out.
    pub fn skips(&self, kind: Kind) -> bool {
        self.skip.iter().any(|name| name == kind.name)
    }
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

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub struct ProbeArguments {
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
