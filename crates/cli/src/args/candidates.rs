//! What a shell offers to complete: flags, killed flags and generations, which its script alone cannot know.
//!
//! The scripts of `flagstone completions` run `flagstone --candidates` with what stands before the cursor. Nothing is printed
//! where their own offers will do.

use super::Arguments;
use crate::{identity, store_view};
use clap::{ArgAction, Command};
use flagstone::publish::Store;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Marks a call by a shell; the first argument.
const MARK: &str = "--candidates";

/// What the argument at the cursor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Flag,
    KilledFlag,
    Generation,
}

/// Answers a shell, where one asks: candidates, one a line. Every problem is silence.
pub fn answer(typed: &[OsString]) -> Option<ExitCode> {
    let [_, mark, words @ ..] = typed else { return None };
    if mark != MARK {
        return None;
    }
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (kind, store) = at_cursor(&words);
    let arguments =
        Arguments { store, json: false, relayed: None, asking: None, command: super::Command::List };
    let found = kind.and_then(|kind| candidates(kind, &arguments)).unwrap_or_default();
    // What is offered becomes a part of a command. A damaged head may say anything.
    let found: Vec<String> =
        found.into_iter().filter(|word| flagstone::is_flag_key(word.as_bytes())).collect();
    let mut text = found.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    let mut output = crate::output::Output::new(false);
    output.bytes(text.as_bytes());
    Some(output.finish(Ok(crate::output::Exit::Yes)))
}

fn candidates(kind: Kind, arguments: &Arguments) -> Option<Vec<String>> {
    identity::assume(arguments, |_, _| ()).ok()?;
    let directory = store_view::directory(arguments).ok()?;
    let store = identity::open(&directory).ok()?;
    match kind {
        Kind::Flag => flags(&store),
        Kind::KilledFlag => Some(store.status().ok()?.killed.into_iter().map(|killed| killed.flag).collect()),
        Kind::Generation => Some(store.status().ok()?.retained.iter().map(u64::to_string).collect()),
    }
}

fn flags(store: &Store) -> Option<Vec<String>> {
    let snapshot = store.snapshot(store.generation().ok()?).ok()?;
    Some(snapshot.flag_ids().map(|flag| snapshot.flag_key(flag).to_owned()).collect())
}

/// What the last of these words is to be, and the store that was named before it.
fn at_cursor(words: &[String]) -> (Option<Kind>, Option<PathBuf>) {
    let mut root = super::command();
    root.build();
    let Some((last, before)) = words.split_last() else { return (None, None) };
    let (mut command, mut positional, mut options) = (&root, 0, true);
    let (mut awaited, mut store) = (None, None);
    for word in before {
        if let Some(option) = awaited.take() {
            if option == "store" {
                store = Some(PathBuf::from(word));
            }
        } else if options && word == "--" {
            options = false;
        } else if let Some(long) = word.strip_prefix("--").filter(|_| options) {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            match value {
                Some(value) if name == "store" => store = Some(PathBuf::from(value)),
                Some(_) => {}
                None => awaited = valued(command, name),
            }
        } else if let Some(next) = command.find_subcommand(word).filter(|_| positional == 0 && options) {
            command = next;
        } else {
            positional += 1;
        }
    }
    let kind = match awaited {
        Some(option) => of_option(command.get_name(), &option),
        None if last.starts_with('-') && options => {
            let option = last.strip_prefix("--").and_then(|option| option.split_once('='));
            option.and_then(|(option, _)| of_option(command.get_name(), option))
        }
        None => {
            let positionals: Vec<_> = command.get_positionals().collect();
            let at = positionals.get(positional).or(positionals.last());
            at.and_then(|argument| of_positional(command.get_name(), argument.get_id().as_str(), positional))
        }
    };
    (kind, store)
}

/// The option's name, where its value is the next word.
fn valued(command: &Command, name: &str) -> Option<String> {
    let option = command.get_arguments().find(|argument| argument.get_long() == Some(name))?;
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append).then(|| name.to_owned())
}

fn of_option(command: &str, option: &str) -> Option<Kind> {
    match (command, option) {
        ("rollback", "to") | (_, "expect-generation" | "generation") => Some(Kind::Generation),
        ("audit", "flag") => Some(Kind::Flag),
        _ => None,
    }
}

fn of_positional(command: &str, id: &str, number: usize) -> Option<Kind> {
    match (command, id) {
        ("revive", "flag") => Some(Kind::KilledFlag),
        // A new one.
        ("add", _) => None,
        (_, "flag") if number == 0 => Some(Kind::Flag),
        (_, "flags") => Some(Kind::Flag),
        ("diff", _) => Some(Kind::Generation),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(typed: &str) -> Option<Kind> {
        at_cursor(&typed.split(' ').map(str::to_owned).collect::<Vec<_>>()).0
    }

    #[test]
    fn the_argument_at_the_cursor_is_found() {
        for (typed, expected) in [
            ("kill ", Some(Kind::Flag)),
            ("kill sea", Some(Kind::Flag)),
            ("--json kill --reason why --local-only sea", Some(Kind::Flag)),
            ("plan advance --stage 2 ", Some(Kind::Flag)),
            ("enable -- ", Some(Kind::Flag)),
            ("revive ", Some(Kind::KilledFlag)),
            ("rollback --to ", Some(Kind::Generation)),
            ("rollout search 50 --expect-generation 1", Some(Kind::Generation)),
            ("diff 1 ", Some(Kind::Generation)),
            ("promote a b", Some(Kind::Flag)),
            ("audit --flag ", Some(Kind::Flag)),
            ("", None),
            ("plan ", None),
            ("rollout search 50 --expect-generation=1", Some(Kind::Generation)),
            ("kill --rea", None),
            ("kill --reason ", None),
            ("kill search x", None),
            ("allow search ", None),
            ("add ", None),
            ("publish ", None),
        ] {
            assert_eq!(kind(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn the_store_is_the_one_that_was_typed() {
        let store = |typed: &str| at_cursor(&typed.split(' ').map(str::to_owned).collect::<Vec<_>>()).1;
        assert_eq!(store("--store /a kill "), Some("/a".into()));
        assert_eq!(store("kill --store=/b "), Some("/b".into()));
        assert_eq!(store("kill --reason --store=/b "), None);
    }
}
