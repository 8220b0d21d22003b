//! Values that nobody means: empty ones, options taken for values, lists taken for one company.
//!
//! One place for every option and argument of every command, so that none is forgotten.

use super::LITERAL;
use crate::display;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error, ValueHint};
use flagstone::definition::{CompanyId, meaning};
use std::any::TypeId;

/// Refuses them. What another machine sent was checked there.
pub(super) fn check(command: &mut Command, matches: &ArgMatches, relayed: bool) -> Result<(), Error> {
    let literal = relayed || matches!(matches.try_get_one::<bool>(LITERAL), Ok(Some(true)));
    let mut problem = None;
    let mut from_stdin = Vec::new();
    for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
        let id = argument.get_id().as_str();
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values = matches.get_raw(id).into_iter().flatten();
        if argument.get_value_hint() == ValueHint::FilePath {
            from_stdin.extend(values.clone().filter(|value| *value == "-").map(|_| name(argument)));
        }
        problem = problem.or_else(|| {
            values.filter_map(|value| refusal(argument, &value.to_string_lossy(), literal)).next()
        });
    }
    if let [first, second, ..] = from_stdin.as_slice() {
        let twice = format!("{first} and {second}: both are -, expected one that reads standard input");
        problem = problem.or(Some(twice));
    }
    if let Some(problem) = problem {
        return Err(command.error(ErrorKind::InvalidValue, problem));
    }
    match matches.subcommand() {
        Some((name, matches)) => match command.find_subcommand_mut(name) {
            Some(command) => check(command, matches, relayed),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// Whether an argument takes companies by their ids.
pub(super) fn takes_companies(argument: &Arg) -> bool {
    argument.get_id() == "company" || argument.get_value_parser().type_id() == TypeId::of::<CompanyId>()
}

/// As it is typed.
fn name(argument: &Arg) -> String {
    let positional = || argument.get_value_names().and_then(|names| names.first());
    match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => positional().map_or_else(String::new, |name| format!("<{name}>")),
    }
}

fn refusal(argument: &Arg, value: &str, literal: bool) -> Option<String> {
    let name = name(argument);
    if value.trim().is_empty() {
        let out = if argument.is_required_set() { "" } else { ", or leave it out" };
        return Some(format!("{name}: found an empty value, expected one{out}"));
    }
    if literal || !takes_companies(argument) {
        return None;
    }
    let option = |id: &str| match argument.get_long() {
        Some(long) => format!("--{long} {id}"),
        None => id.to_owned(),
    };
    meaning(value).map(|meant| {
        let meant = meant.explain(|id| option(&display::plain(id)));
        format!("{name}: found {}, {meant}. With --literal it is one company's id", display::quoted(value))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{command, read, relayed};
    use super::takes_companies;
    use clap::error::{ContextKind, ContextValue};
    use clap::{Arg, Command, Error};

    /// Of each kind of value one that is sound.
    const SOUND: [&str; 13] = [
        "search",
        "10",
        "7",
        "2026-12-01T08:00:00Z",
        "2099-01-01",
        "1h",
        "7d",
        "bash",
        "descends",
        "https://shop.example",
        "kill",
        "abcdef1234567890",
        "ed25519:x",
    ];

    /// Each command that does something, by its name.
    fn leaves(command: &Command, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Vec<Arg>)>) {
        let own: Vec<Arg> = command.get_arguments().cloned().collect();
        if !command.is_subcommand_required_set() {
            found.push((path.clone(), own));
        }
        for subcommand in command.get_subcommands() {
            path.push(subcommand.get_name().to_owned());
            leaves(subcommand, path, found);
            path.pop();
        }
    }

    fn typed(path: &[String], values: &[(Arg, Vec<String>)]) -> Vec<String> {
        let mut typed: Vec<String> = vec!["flagstone".to_owned()];
        typed.extend(path.iter().cloned());
        let options = values.iter().filter(|(argument, _)| !argument.is_positional());
        typed.extend(options.flat_map(|(_, words)| words.clone()));
        let mut positionals: Vec<_> =
            values.iter().filter(|(argument, _)| argument.is_positional()).collect();
        positionals.sort_by_key(|(argument, _)| argument.get_index());
        typed.extend(positionals.into_iter().flat_map(|(_, words)| words.clone()));
        typed
    }

    fn parse(typed: &[String]) -> Result<(), Error> {
        read(typed.iter().map(Into::into).collect()).map(drop)
    }

    fn written(argument: &Arg, value: &str) -> Vec<String> {
        match argument.get_long() {
            Some(long) if argument.get_action().takes_values() => vec![format!("--{long}={value}")],
            Some(long) => vec![format!("--{long}")],
            None => vec![value.to_owned()],
        }
    }

    fn sample(argument: &Arg, number: usize) -> String {
        let possible = argument.get_possible_values();
        possible.first().map_or_else(|| SOUND[number].to_owned(), |value| value.get_name().to_owned())
    }

    /// Arguments with which the command can be typed, that one among them.
    fn sound(path: &[String], all: &[Arg], argument: &Arg) -> Vec<(Arg, Vec<String>)> {
        let mut chosen: Vec<(Arg, usize)> = vec![(argument.clone(), 0)];
        let named = |text: &str| {
            let text = text.trim_start_matches(['<', '[', '-']);
            let name = text.split(['>', ']', '[', '=', ' ', '<', '|']).next().unwrap_or_default().to_owned();
            all.iter()
                .find(|known| {
                    known.get_long() == Some(name.as_str())
                        || known.get_value_names().is_some_and(|names| names[0] == name.as_str())
                        || known.get_id() == name.to_lowercase().as_str()
                })
                .unwrap_or_else(|| panic!("{path:?}: {text}"))
                .clone()
        };
        for _ in 0..100 {
            // Words before a positional one, which would be taken for it.
            let last = chosen.iter().filter_map(|(argument, _)| argument.get_index()).max();
            let before = all.iter().filter(|other| other.is_positional() && other.get_index() < last);
            let new: Vec<_> = before
                .filter(|other| chosen.iter().all(|(known, _)| known.get_id() != other.get_id()))
                .map(|other| (other.clone(), 0))
                .collect();
            chosen.extend(new);
            let values: Vec<_> = chosen
                .iter()
                .map(|(argument, number)| (argument.clone(), written(argument, &sample(argument, *number))))
                .collect();
            let Err(error) = parse(&typed(path, &values)) else { return values };
            let of = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let missing = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::Strings(names)) => names.clone(),
                _ => Vec::new(),
            };
            if error.kind() == clap::error::ErrorKind::MissingRequiredArgument {
                let known: Vec<Arg> = missing.iter().map(|name| named(name)).collect();
                let new = known
                    .into_iter()
                    .find(|new| chosen.iter().all(|(known, _)| known.get_id() != new.get_id()));
                chosen.push((new.unwrap_or_else(|| panic!("{path:?}: {error}")), 0));
                continue;
            }
            let wrong = named(&of.unwrap_or_else(|| panic!("{path:?} {argument}: {error}")));
            let choice = chosen.iter_mut().find(|(known, _)| known.get_id() == wrong.get_id());
            let (_, number) = choice.unwrap_or_else(|| panic!("{path:?}: {error}"));
            *number += 1;
            assert!(*number < SOUND.len(), "{path:?} {argument}: no sound value is known: {error}");
        }
        panic!("{path:?} {argument}: nothing is sound");
    }

    // An empty or forgotten value made a change wider, or was taken for a company.
    #[test]
    fn no_option_of_any_command_takes_a_value_that_nobody_means() {
        let mut command = command().arg(relayed());
        command.build();
        let mut found = Vec::new();
        leaves(&command, &mut Vec::new(), &mut found);
        let (mut options, mut lists) = (0, 0);
        for (path, all) in &found {
            let values = all.iter().filter(|argument| argument.get_action().takes_values());
            for argument in
                values.filter(|argument| !matches!(argument.get_id().as_str(), "relayed" | "lineage"))
            {
                if path.first().is_some_and(|word| word == "help") {
                    continue;
                }
                options += 1;
                let base = sound(path, all, argument);
                let rest = || base.iter().filter(|(known, _)| known.get_id() != argument.get_id()).cloned();
                let with = |words: Vec<String>| {
                    let mut values: Vec<_> = rest().collect();
                    values.push((argument.clone(), words));
                    parse(&typed(path, &values))
                };
                let refused = |words: Vec<String>| {
                    let shown = format!("{path:?} {words:?}");
                    match with(words) {
                        Ok(()) => panic!("{shown} is taken"),
                        Err(error) => error.to_string(),
                    }
                };
                for blank in ["", " ", "\t", "\u{a0}"] {
                    refused(written(argument, blank));
                }
                if let Some(long) = argument.get_long().map(|long| format!("--{long}")) {
                    let default = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
                    if !default {
                        // Last on the line, whatever is typed before.
                        let mut missing = typed(path, &rest().collect::<Vec<_>>());
                        missing.push(long.clone());
                        assert!(parse(&missing).is_err(), "{missing:?} is taken");
                        refused(vec![long.clone(), "--json".to_owned()]);
                        refused(vec![long.clone(), "--yes".to_owned()]);
                    }
                }
                if !takes_companies(argument) {
                    continue;
                }
                lists += 1;
                for list in [
                    "15,42",
                    "15;42",
                    "15|42",
                    "[15,42]",
                    "[15]",
                    "\"15\"",
                    "'15'",
                    "(15)",
                    "15 ,42",
                    " 15",
                    "15\n42",
                    "15 42",
                    "15 -42 7",
                    "* 15",
                    "(2 rows)",
                    "15.0",
                    "1.5E+3",
                    "1 500",
                    "15\u{200b}",
                    "\u{202a}15\u{202c}",
                    "1\u{ad}5",
                    "a\u{feff}b",
                    "15\u{fe0f}",
                    "\u{ff11}\u{ff15}",
                ] {
                    let told = refused(written(argument, list));
                    assert!(told.contains("--literal"), "{path:?} {list}: {told}");
                    let mut words = written(argument, list);
                    words.insert(0, "--literal".to_owned());
                    with(words).unwrap_or_else(|error| panic!("{path:?} {list:?} with --literal: {error}"));
                }
                for id in ["-5", "15", "042", "acme-eu", "acme eu", "12e5", "a.b"] {
                    let words = written(argument, id);
                    with(words).unwrap_or_else(|error| panic!("{path:?} {id}: {error}"));
                }
            }
        }
        assert!(options > 150 && lists >= 8, "{options} options, {lists} of companies");
    }

    #[test]
    fn what_is_meant_is_said() {
        let told = |words: &[&str]| {
            let typed: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            parse(&typed).map_or_else(|error| error.to_string(), |()| "taken".to_owned())
        };
        for (words, expected) in [
            (
                &["flagstone", "enable", "search", "--company", "15,42"][..],
                "each of its own: --company 15 --company 42",
            ),
            (&["flagstone", "allow", "search", "15,42"][..], "each of its own: 15 42"),
            (
                &["flagstone", "enable", "search", "--company", "--yes"][..],
                "found \"--yes\", an option, expected a company's id",
            ),
            (
                &["flagstone", "disable", "search", "--company="][..],
                "expected a company's id of 1 to 1,024 bytes",
            ),
            (&["flagstone", "allow", "search", "15.0"][..], "write 15 if that is the company"),
            (
                &["flagstone", "allow", "search", "--from-file", "-", "--count-for", "-"][..],
                "--from-file and --count-for: both are -",
            ),
            (
                &["flagstone", "deny", "search", "15\u{200b}"],
                "found \"15\\u200b\", with the invisible character U+200B, expected an id without it: 15",
            ),
            (
                &["flagstone", "ask", "search", "--company", "\u{ff11}\u{ff15}"],
                "characters that are not ASCII's; write --company 15 if that is the company",
            ),
            (&["flagstone", "publish", "-", "--count-for=-"][..], "<FILE> and --count-for: both are -"),
            (
                &["flagstone", "import", "-", "--count-for=-"][..],
                "both are -, expected one that reads standard input",
            ),
            (
                &["flagstone", "ask", "search", "--company", "[15]"][..],
                "without brackets, quotes, bullets and spaces: --company 15",
            ),
        ] {
            let found = told(words);
            assert!(found.contains(expected), "{words:?}: {found}");
        }
        assert_eq!(told(&["flagstone", "enable", "search", "--company", "-5"]), "taken");
        // What another machine sends was typed there.
        assert_eq!(
            told(&["flagstone", "--relayed=production", "enable", "search", "--company=15,42"]),
            "taken"
        );
    }
}
