//! Flags between stores.

use super::ChangeTerms;
use super::values::{flag_key, key_name, name, text};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

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
    /// A flag that stays behind, and what only it needs; may be given several times
    #[arg(long, value_name = "FLAG", value_parser = flag_key)]
    pub skip: Vec<String>,
    /// How.
    #[command(flatten)]
    pub terms: ChangeTerms,
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
    #[arg(long, value_name = "NAME", value_parser = name())]
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
    pub command: Option<KeySubcommand>,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub enum KeySubcommand {
    /// Make this store's key, if it has none
    Make,
    /// Take exports that this key has signed
    Trust {
        /// What to call it: 1 to 64 letters, digits, . _ and -
        #[arg(value_parser = key_name)]
        name: String,
        /// As `flagstone key` prints it where they come from
        key: String,
        #[command(flatten)]
        told: ReasonAndActor,
    },
    /// Take no more exports by the key of that name
    Forget {
        /// As it was called
        name: String,
        #[command(flatten)]
        told: ReasonAndActor,
    },
}

/// What the audit trail is told besides.
#[derive(Debug, Args)]
pub struct ReasonAndActor {
    /// Why, for the audit trail
    #[arg(long, value_name = "R", value_parser = text())]
    pub reason: Option<String>,
    /// Who makes the change; without it FLAGSTONE_ACTOR, SUDO_USER or whoever signed in
    #[arg(long, value_name = "NAME", value_parser = name())]
    pub actor: Option<String>,
}
