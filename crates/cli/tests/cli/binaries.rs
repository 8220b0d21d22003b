use crate::shop::{FLAGS, Shop};
use std::path::PathBuf;
use std::process::{Command, Output};

/// A directory with `flagstone` alone, copied to that name by another process, as `Shop::with_command` says why.
fn copied(name: &str) -> (Shop, PathBuf) {
    let shop = Shop::passable();
    for name in ["flagstone", name] {
        let to = shop.directory.join(name);
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_flagstone")).arg(to).status();
        assert!(copied.unwrap().success(), "no room for a copy of the command");
    }
    let program = shop.directory.join("flagstone");
    (shop, program)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_missing_binary_is_named_and_the_others_commands_work() {
    let (shop, program) = copied("flagstone");
    let run = |arguments: &[&str]| {
        Command::new(&program).args(arguments).current_dir(&shop.directory).output().unwrap()
    };
    for (line, missing) in [
        (&["doctor"] as &[_], "flagstone-doctor"),
        (&["scan", "."], "flagstone-doctor"),
        (&["probe", "probes.json", "--base-url", "http://127.0.0.1:9"], "flagstone-doctor"),
        (&["run"], "flagstone-agent"),
        (&["guard", "--once"], "flagstone-agent"),
        (&["notify"], "flagstone-agent"),
    ] {
        let output = run(line);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {}", said(&output));
        let expected = format!("cannot run {}: ", shop.directory.join(missing).display());
        assert!(said(&output).contains(&expected), "{line:?}: {}", said(&output));
    }
    shop.write("flags.json", FLAGS);
    for line in [
        "init store --environment production",
        "publish flags.json --store store",
        "guard status --store store",
        "kill search --store store --reason slow",
        "stop-all --yes --store store --reason slow",
    ] {
        let output = run(&line.split(' ').collect::<Vec<_>>());
        assert!(output.status.success(), "{line}: {}", said(&output));
    }
}

#[test]
fn a_copy_of_the_command_under_anothers_name_ends_with_an_error() {
    let (shop, program) = copied("flagstone-doctor");
    let output = Command::new(program).arg("doctor").current_dir(&shop.directory).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("it is flagstone under that name"), "{}", said(&output));
}

#[test]
fn another_binary_runs_its_own_commands_alone() {
    let output = Command::new(env!("CARGO_BIN_EXE_flagstone-agent"))
        .args(["kill", "search", "--reason", "slow"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("flagstone-agent runs other commands; type the same to flagstone"),
        "{}",
        said(&output)
    );
}

/// In /tmp, root's flagstone ran another user's flagstone-doctor as root; and a cut-off one was given to a shell, and ended with 0.
#[test]
fn no_program_of_others_and_no_broken_one_is_run() {
    use std::os::unix::fs::{PermissionsExt, chown};
    let (shop, program) = copied("flagstone");
    let other = shop.directory.join("flagstone-doctor");
    let run =
        || Command::new(&program).args(["doctor", "--json"]).current_dir(&shop.directory).output().unwrap();
    for (text, owner, mode, expected) in [
        ("#!/bin/sh\necho go\n", 64_020, 0o755, "it belongs to user 64020"),
        ("#!/bin/sh\necho go\n", 0, 0o757, "it is writable by others (mode 0757)"),
        ("", 0, 0o755, "Exec format error"),
        ("cut off", 0, 0o755, "Exec format error"),
    ] {
        std::fs::write(&other, text).unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(mode)).unwrap();
        chown(&other, Some(owner), None).unwrap();
        let output = run();
        assert_eq!(output.status.code(), Some(2), "{expected}: {}", said(&output));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &said(&output);
        assert!(printed.contains(expected) && !printed.contains("go\n"), "{expected}: {printed}");
    }
}
