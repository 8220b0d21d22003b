//! The place of a release's commit in the history of the work tree around its file.
//!
//! git runs as the owner of the work tree, never as root: programs named in a repository's configuration run with its owner's rights. If
//! root became the store's owner, the part that stayed root runs git ([`privileged`]).

use crate::output::Failure;
use crate::process::{self, RunResult};
use crate::{display, identity, privileged};
use flagstone::files::{NOBODY, PROGRAM_PATH, owner_of};
use rustix::process::geteuid;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The way out if no release has been named by a commit.
const NUMBER: &str = "name the release by a number that grows, such as a build's: --release 42";

/// The way out if the last release was named by a commit.
const NUMBERS: &str = "name this release and all later ones by numbers that grow, such as a build's: --release 42 --mark-newest";

/// Timeout for git.
const GIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A commit compared with the last one published.
#[derive(Debug)]
pub struct Standing {
    /// The commit's full id.
    pub id: String,
    /// True if the commit is the last published one, or descends from it.
    pub descends: bool,
}

/// The reason that git cannot tell.
#[derive(Debug)]
pub struct Problem {
    pub text: String,
    /// True if the repository has the commit all the same.
    pub has_commit: bool,
}

impl Problem {
    /// The refusal of the publish, `last` being the last commit that was published.
    pub fn refusal(&self, last: Option<&str>) -> Failure {
        let instead = if last.is_some() { NUMBERS } else { NUMBER };
        Failure::Refused(format!(
            "cannot determine where the release stands: {}; nothing was changed. Or {instead}",
            self.text
        ))
    }
}

/// Compares the commit that was typed with the file.
///
/// # Errors
///
/// When git cannot tell.
pub fn standing(file: &Path, commit: &str, last: Option<&str>) -> Result<Standing, Problem> {
    privileged::standing(last).unwrap_or_else(|| ask(file, commit, last))
}

/// Compares the commit within this process.
///
/// # Errors
///
/// When git cannot tell.
pub fn ask(file: &Path, commit: &str, last: Option<&str>) -> Result<Standing, Problem> {
    let not_found = |text| Problem { text, has_commit: false };
    let tree = Tree::of(file).map_err(not_found)?;
    if tree.line(&["rev-parse", "--is-shallow-repository"]).map_err(not_found)?.as_deref() != Some("false") {
        let place = display::plain(&tree.place.to_string_lossy()).into_owned();
        let text = format!("{place} is a shallow clone, which does not tell what a commit descends from");
        return Err(Problem { text, has_commit: tree.commit(commit).is_ok() });
    }
    let id = tree.commit(commit).map_err(not_found)?;
    let descends = tree.descends(&id, last).map_err(|text| Problem { text, has_commit: true })?;
    Ok(Standing { id, descends })
}

struct Tree {
    place: PathBuf,
    owner: u32,
}

impl Tree {
    fn of(file: &Path) -> Result<Tree, String> {
        let missing = || format!("{} lies in no git work tree", display::plain(&file.to_string_lossy()));
        if file == Path::new("-") {
            return Err("standard input lies in no git work tree".to_owned());
        }
        let file = file.canonicalize().map_err(|_| missing())?;
        let place = file.ancestors().skip(1).find(|place| place.join(".git").exists()).ok_or_else(missing)?;
        let found = File::open(place).and_then(|open| Ok((open.metadata()?, open)));
        let (found, open) = found.map_err(|error| error.to_string())?;
        let (owner, user) = (owner_of(&open, found.dev(), found.uid()), geteuid());
        if owner == NOBODY || !(user.is_root() || owner == user.as_raw()) {
            let place = display::plain(&place.to_string_lossy()).into_owned();
            return Err(format!(
                "{place} belongs to user {owner}, and git is asked about one's own work tree only"
            ));
        }
        Ok(Tree { place: place.to_owned(), owner })
    }

    /// True if a commit is the last or descends from it, or if there is no last.
    fn descends(&self, id: &str, last: Option<&str>) -> Result<bool, String> {
        let Some(last) = last.filter(|last| *last != id) else { return Ok(true) };
        let last = self
            .commit(last)
            .map_err(|text| format!("{text}, the last release; add --mark-newest if this one is newer"))?;
        let output = self.run(&["merge-base", "--is-ancestor", &last, id])?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(output_text(&output)),
        }
    }

    /// The full id of a commit that the repository has.
    fn commit(&self, commit: &str) -> Result<String, String> {
        let name = format!("{commit}^{{commit}}");
        self.line(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?
            .ok_or_else(|| format!("the repository has no commit {}", display::plain(commit)))
    }

    /// The line that git prints; none if its answer is no.
    fn line(&self, arguments: &[&str]) -> Result<Option<String>, String> {
        let output = self.run(arguments)?;
        match output.status.code() {
            Some(0) => Ok(Some(output.out.trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(output_text(&output)),
        }
    }

    fn run(&self, arguments: &[&str]) -> Result<RunResult, String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.place).args(arguments).env_clear();
        command.env("PATH", PROGRAM_PATH).env("HOME", "/nonexistent").env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        if geteuid().is_root() && self.owner == 0 {
            return Err("the work tree is root's, and git is not asked as root".to_owned());
        }
        identity::run_as_owner(&mut command, self.owner);
        process::run(command, None, GIT_TIMEOUT)?
            .ok_or_else(|| format!("git took longer than {} s", GIT_TIMEOUT.as_secs()))
    }
}

fn output_text(output: &RunResult) -> String {
    display::plain(output.err.lines().next().unwrap_or("git gave no answer")).into_owned()
}
