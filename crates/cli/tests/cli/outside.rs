//! How the command meets the world: help, colours, completions, manual pages.

use crate::shop::{FLAGS, Shop, ran};
use std::collections::BTreeSet;

#[test]
fn the_help_sets_words_that_ask_apart_from_words_that_change() {
    let shop = Shop::empty();
    let help = shop.run(["--help"]).exits(0).out;
    let (ask, change) = (help.find("\nAsk:\n").unwrap(), help.find("\nChange:\n").unwrap());
    for command in ["check", "status", "explain", "simulate"] {
        let at = help.find(&format!("\n  {command} ")).unwrap();
        assert!(ask < at && at < change, "{command}");
    }
    for command in ["publish", "rollback", "kill", "stop-all"] {
        assert!(help.find(&format!("\n  {command} ")).unwrap() > change, "{command}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[test]
fn every_word_has_a_help_of_its_own() {
    let shop = Shop::empty();
    for command in ["check", "ask", "explain", "simulate", "init", "publish", "rollback", "kill", "man"] {
        let help = shop.run([command, "--help"]).exits(0);
        assert!(help.out.contains(&format!("Usage: flagstone {command}")), "{}", help.out);
    }
}

#[test]
fn colours_are_for_terminals_and_whoever_forces_them() {
    let shop = Shop::published();
    assert!(!shop.run(["list"]).out.contains('\x1b'));
    let mut command = shop.command(["list"]);
    let forced = ran(command.env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(forced.out.contains('\x1b'), "{:?}", forced.out);
    let refused = ran(command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE").output().unwrap());
    assert!(!refused.out.contains('\x1b'), "{:?}", refused.out);
}

#[test]
fn text_of_others_cannot_reach_the_terminal_as_commands() {
    let shop = Shop::published();
    let evil =
        FLAGS.replace("Self-service portal", "\\u001b[2J\\u202eevil").replace("portal-team", "\\u001b]0;x");
    shop.write("flags.json", evil);
    shop.run(["publish", "flags.json", "--reason", "\x1b[2J"]).exits(0);
    for arguments in
        [&["show", "customer_portal"][..], &["list"], &["history"], &["status"], &["diff", "1", "2"]]
    {
        let ran = ran(shop.command([]).args(arguments).output().unwrap()).exits(0);
        assert!(!ran.out.contains(['\x1b', '\u{202e}']), "{arguments:?}: {:?}", ran.out);
    }
    let ran = shop.run(["ask", "\x1b[2J"]).exits(2);
    assert!(!ran.err.contains('\x1b'), "{:?}", ran.err);
}

#[test]
fn completions_exist_for_the_common_shells() {
    let shop = Shop::empty();
    for shell in ["bash", "zsh", "fish"] {
        let ran = shop.run(["completions", shell]).exits(0);
        assert!(ran.out.contains("flagstone") && ran.out.contains("stop-all"), "{shell}");
    }
    shop.run(["completions", "basic"]).exits(2);
}

#[test]
fn man_writes_a_page_for_the_command_and_for_each_word() {
    let shop = Shop::empty();
    let page = shop.run(["man"]).exits(0);
    assert!(page.out.contains(".TH flagstone 1"), "{}", page.out);
    shop.run(["man", "--to", "."]).exits(0);
    let read = |name: &str| std::fs::read_to_string(shop.directory.join(name)).unwrap();
    assert_eq!(read("flagstone.1"), page.out);
    for command in ["ask", "kill", "stop-all", "simulate"] {
        let page = read(&format!("flagstone-{command}.1"));
        assert!(
            page.contains(&format!("flagstone\\-{}", command.replace('-', "\\-"))) || page.contains(command),
            "{page}"
        );
        assert!(page.contains("FLAGSTONE_STORE"), "{page}");
    }
    let help = shop.run(["--help"]).exits(0).out;
    let commands =
        help.lines().filter(|line| line.starts_with("  ") && line.as_bytes()[2].is_ascii_lowercase());
    let pages: BTreeSet<String> = std::fs::read_dir(&shop.directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(pages.len() > commands.count() + 1, "{pages:?}");
    // flagstone-plan(1) referred to flagstone-plan-start(1), which was not written.
    let mut named = BTreeSet::from(["flagstone.1".to_owned()]);
    for page in &pages {
        let text = read(page).replace("\\-", "-");
        named.extend(
            text.split_whitespace().filter_map(|command| Some(format!("{}.1", command.strip_suffix("(1)")?))),
        );
        for section in ["EXIT STATUS", "ENVIRONMENT", "FILES"] {
            assert!(text.contains(section), "{page} has no {section}");
        }
    }
    assert_eq!(named, pages);
    shop.run(["man", "--to", "nowhere"]).exits(2);
}

#[test]
fn the_document_tells_of_every_word_and_every_option() {
    let shop = Shop::empty();
    let document = include_str!("../../../../docs/command.md");
    let help = shop.run(["--help"]).exits(0).out;
    let commands: Vec<&str> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|command| !command.is_empty())
        .collect();
    assert!(commands.contains(&"resume-all") && commands.contains(&"man"), "{help}");
    for command in commands.iter().filter(|command| !command.starts_with('-')) {
        assert!(
            document.contains(&format!("`{command}"))
                || document.contains(&format!("### {command}"))
                || document.contains(&format!("`flagstone {command}")),
            "{command}"
        );
        let help = shop.run([command, "--help"]).exits(0).out;
        for option in
            help.split([' ', '\n', '[', ']']).filter(|part| part.starts_with("--") && *part != "--help")
        {
            assert!(document.contains(option), "{command} {option}");
        }
    }
}
