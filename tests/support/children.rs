//! Processes of their own, for what only another process can do: have another user, be killed, be refused its
//! system calls. A child is the test binary again, run for its test `a_child_process_does_what_its_parent_asks`,
//! which calls [`serve`].

use super::stores::{change, kept, numbered};
use flagstone::StoreError;
use flagstone::files::Trust;
use flagstone::publish::Store;
use flagstone::store::{Reader, ReaderOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a child is to be.
pub struct Child {
    binary: PathBuf,
    variables: Vec<(String, String)>,
    before: Vec<String>,
}

/// What came of it.
pub struct Ended {
    pub output: Output,
}

impl Ended {
    /// It did what it was asked to.
    pub fn done(&self) -> bool {
        self.output.status.code() == Some(0)
    }

    /// What it answered, a line an answer.
    pub fn answers(&self) -> Vec<String> {
        answers(&self.output.stdout)
    }

    pub fn text(&self) -> String {
        self.answers().join("\n")
    }
}

pub fn answers(stdout: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stdout).into_owned();
    text.lines().filter_map(|line| line.split_once("=> ")).map(|(_, answer)| answer.to_owned()).collect()
}

impl Child {
    pub fn new(what: &str) -> Child {
        let binary = std::env::current_exe().expect("a test binary");
        Child { binary, variables: vec![("FLAGSTONE_CHILD".into(), what.into())], before: Vec::new() }
    }

    pub fn set(mut self, name: &str, value: &str) -> Child {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub fn store(self, path: &Path) -> Child {
        let path = path.to_str().expect("a plain path").to_owned();
        self.set("FLAGSTONE_CHILD_STORE", &path)
    }

    /// Runs as another user and group, with further groups, from a copy of the binary that all can reach.
    pub fn by_user(mut self, user: u32, group: u32, groups: &[u32], passable: &Path) -> Child {
        assert!(super::user() == 0, "two users need root: run the tests as root (sudo make test)");
        let copy = passable.join("child");
        if !copy.exists() {
            copy_program(&self.binary, &copy);
        }
        self.binary = copy;
        let groups = match groups {
            [] => "--clear-groups".to_owned(),
            groups => format!("--groups={}", groups.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
        };
        self.under(&["setpriv", &format!("--reuid={user}"), &format!("--regid={group}"), &groups])
    }

    /// Runs under another command, which takes the child's as its last arguments.
    pub fn under(mut self, command: &[&str]) -> Child {
        self.before.splice(0..0, command.iter().map(|word| (*word).to_owned()));
        self
    }

    pub fn command(&self) -> Command {
        let mut words: Vec<String> = self.before.clone();
        words.push(self.binary.to_str().expect("a plain path").to_owned());
        words.extend(
            ["--exact", "a_child_process_does_what_its_parent_asks", "--nocapture", "--test-threads=1"]
                .map(str::to_owned),
        );
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/");
        command
    }

    pub fn run(self) -> Ended {
        let output = self.command().output().unwrap_or_else(|error| panic!("{:?}: {error}", self.before));
        Ended { output }
    }
}

fn answer(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(format!("=> {}\n", text.replace('\n', " ")).as_bytes());
    let _ = stdout.flush();
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Does what the parent asks, and ends the process: 0 done, 1 refused with an error.
pub fn serve() {
    let Ok(what) = std::env::var("FLAGSTONE_CHILD") else { return };
    let path = PathBuf::from(variable("FLAGSTONE_CHILD_STORE"));
    match act(&what, &path) {
        Ok(text) => {
            answer(&text);
            std::process::exit(0)
        }
        Err(error) => {
            answer(&error.to_string());
            std::process::exit(1)
        }
    }
}

fn act(what: &str, path: &Path) -> Result<String, StoreError> {
    let number = variable("NUMBER").parse().unwrap_or(1);
    match what {
        "init" => {
            if let Ok(umask) = u32::from_str_radix(&variable("UMASK"), 8) {
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
            }
            let readers = Some(variable("READERS")).filter(|readers| !readers.is_empty());
            Store::init(path, "production", readers.as_deref()).map(|_| "made".to_owned())
        }
        "publish" => {
            let published = Store::open(path)?.publish(&numbered(number), change())?;
            Ok(format!("published {} {:?}", published.generation, published.audit_warning))
        }
        "kill" => {
            let switched = Store::open(path)?.kill("portal", change())?;
            Ok(format!("killed {:?}", switched.audit_warning))
        }
        "read" => {
            let reader = Reader::open(path, ReaderOptions::default())?;
            let view = reader.view();
            let status = reader.status();
            let trust = if status.trust == Trust::Trusted { "trusted" } else { "warned" };
            Ok(format!("{} {trust} {:?} {:?}", view.generation, status.map, status.last_error))
        }
        "keep" => {
            let store = Store::open(path)?;
            store.guarding()?.expect("no other guard").keep(&Default::default())?;
            Ok("kept".to_owned())
        }
        "key" => {
            let store = Store::open(path)?;
            let key = store.make_export_key()?.public();
            let key = flagstone::transfer::Trusted::new("hub", &key).expect("a key");
            let _ = store.trust_key("hub", Some(key), &change())?;
            Ok("made".to_owned())
        }
        "migrate" => {
            let readers = Some(variable("READERS")).filter(|readers| !readers.is_empty());
            let migrated = Store::open(path)?.migrate(readers.as_deref(), &change())?;
            Ok(format!("migrated {migrated:?}"))
        }
        "judge" => {
            let options = ReaderOptions { owner: variable("OWNER").parse().ok(), ..ReaderOptions::default() };
            let reader = match Reader::open(path, options) {
                Ok(reader) => reader,
                Err(error) => return Ok(format!("refused: {error}")),
            };
            let answered = reader.view().snapshot.is_some();
            let status = reader.status();
            Ok(match (answered, status.trust.warning()) {
                (false, _) => format!("refused: {}", status.last_error.unwrap_or_default()),
                (true, None) => "trusted: ".to_owned(),
                (true, Some(warning)) => format!("warned: {warning}"),
            })
        }
        "change without end" => {
            let store = Store::open(path)?;
            answer("ready");
            for number in number.. {
                let published = store.publish(&kept(number), change())?;
                answer(&format!("published {}", published.generation));
                match number % 5 {
                    0 => store.kill("other", change()).map(|_| answer("killed"))?,
                    1 => store.revive("other", change()).map(|_| answer("revived"))?,
                    2 => store.stop_all(change()).map(|_| answer("stopped"))?,
                    3 => store.resume_all(change(), false).map(|_| answer("resumed"))?,
                    _ => store
                        .rollback(None, change())
                        .map(|rolled| answer(&format!("published {}", rolled.generation)))?,
                }
            }
            Ok(String::new())
        }
        what => panic!("no child does {what:?}"),
    }
}

/// Copies a program that is to be run, by another process: one that a test beside this forks meanwhile would have the
/// copy open for writing, and such a file cannot be run.
pub fn copy_program(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg(from).arg(to).status().expect("cp");
    assert!(copied.success(), "no room for a copy of {}", from.display());
}
