//! Where a release's commit stands in the history of the work tree that its file lies in.
//!
//! git runs as the owner of the work tree, never as root: what a repository's configuration names runs with the rights of whoever owns it.

use crate::output::Failure;
use crate::process::{self, Ran};
use crate::words;
use flagstone::store::PROGRAM_PATH;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What to type instead.
const NUMBER: &str = "name the release by a number that grows, such as a build's: --release 42";

/// How long git may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The full id of a commit, and whether it is the last that was published or descends from it.
pub fn lineage(file: &Path, commit: &str, last: Option<&str>) -> Result<(String, bool), Failure> {
    let tree = Tree::of(file)?;
    if tree.ask(&["rev-parse", "--is-shallow-repository"])?.as_deref() != Some("false") {
        let place = words::plain(&tree.place.to_string_lossy()).into_owned();
        return Err(refused(&format!(
            "{place} is a shallow clone, which does not tell what a commit descends from"
        )));
    }
    let id = tree.commit(commit)?;
    let Some(last) = last.filter(|last| *last != id) else { return Ok((id, true)) };
    let last = tree.commit(last)?;
    let output = tree.run(&["merge-base", "--is-ancestor", &last, &id])?;
    match output.status.code() {
        Some(0) => Ok((id, true)),
        Some(1) => Ok((id, false)),
        _ => Err(refused(&told(&output))),
    }
}

struct Tree {
    place: PathBuf,
    owner: u32,
    group: u32,
}

impl Tree {
    fn of(file: &Path) -> Result<Tree, Failure> {
        let missing =
            || refused(&format!("{} lies in no git work tree", words::plain(&file.to_string_lossy())));
        if file == Path::new("-") {
            return Err(refused("standard input lies in no git work tree"));
        }
        let file = file.canonicalize().map_err(|_| missing())?;
        let place = file.ancestors().skip(1).find(|place| place.join(".git").exists()).ok_or_else(missing)?;
        let found = place.metadata().map_err(|error| refused(&error.to_string()))?;
        Ok(Tree { place: place.to_owned(), owner: found.uid(), group: found.gid() })
    }

    /// The full id of a commit that the repository has.
    fn commit(&self, commit: &str) -> Result<String, Failure> {
        let name = format!("{commit}^{{commit}}");
        self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &name])?
            .ok_or_else(|| refused(&format!("the repository has no commit {}", words::plain(commit))))
    }

    /// The line that git answers; none where its answer is no.
    fn ask(&self, arguments: &[&str]) -> Result<Option<String>, Failure> {
        let output = self.run(arguments)?;
        match output.status.code() {
            Some(0) => Ok(Some(output.out.trim().to_owned())),
            Some(1) => Ok(None),
            _ => Err(refused(&told(&output))),
        }
    }

    fn run(&self, arguments: &[&str]) -> Result<Ran, Failure> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.place).args(arguments).env_clear();
        command.env("PATH", PROGRAM_PATH).env("HOME", "/nonexistent").env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        if rustix::process::geteuid().is_root() {
            if self.owner == 0 {
                return Err(refused("the work tree is root's, and git is not asked as root"));
            }
            command.uid(self.owner).gid(self.group);
        }
        process::run(command, None, PATIENCE)
            .map_err(|error| refused(&error))?
            .ok_or_else(|| refused(&format!("git took longer than {} s", PATIENCE.as_secs())))
    }
}

fn told(output: &Ran) -> String {
    words::plain(output.err.lines().next().unwrap_or("git gave no answer")).into_owned()
}

fn refused(problem: &str) -> Failure {
    Failure::Refused(format!(
        "cannot determine where the release stands: {problem}; nothing was changed. Or {NUMBER}"
    ))
}
