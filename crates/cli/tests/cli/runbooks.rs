//! Each runbook is played from its first command to its last, in a shell, on a store as it speaks of. What it shows is what is printed;
//! `…` stands for any lines. systemctl, make and php are played by programs that only take note.

use crate::documents::{plain, read, root};
use crate::shop::Shop;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

const PAGES: [&str; 6] = ["rollout", "rollback", "emergency", "restore", "moving", "upgrading"];

const FLAGS: &str = r#"{
  "flags": {
    "checkout": true,
    "checkout_v2": {
      "enabled": false,
      "rollout": { "percentage": 0 },
      "plan": { "stages": [
        { "companies": [15, 42], "soak": "1d" },
        { "percentage": 10, "soak": "1d" },
        { "percentage": 100 }
      ] }
    },
    "search": { "enabled": true, "rollout": { "percentage": 50 } },
    "payment_log": { "enabled": true, "emergency": "keep" }
  }
}
"#;

/// A line that is typed, and what the page shows for it.
struct Typed {
    line: String,
    shown: Vec<String>,
    exits: Vec<i32>,
}

fn typed(page: &str) -> Vec<Typed> {
    let text = read(&format!("docs/runbooks/{page}.md"));
    let blocks = text.split("\n    $ ").skip(1);
    let typed = blocks.map(|block| {
        let (line, rest) = block.split_once('\n').unwrap_or((block, ""));
        let shown = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
        let mut shown: Vec<String> =
            shown.map(|line| line.strip_prefix("    ").unwrap_or(line).to_owned()).collect();
        while shown.last().is_some_and(String::is_empty) {
            shown.pop();
        }
        let exits = line.split_once("# exit ").map_or("0", |(_, codes)| codes);
        let exits = exits.split([',', ' ']).filter_map(|code| code.parse().ok()).collect();
        Typed { line: line.to_owned(), shown, exits }
    });
    typed.collect()
}

/// What has been before the page is opened, and what happens in front of one of its lines.
fn before(page: &str) -> (&'static str, Option<(&'static str, &'static str)>) {
    let second = "flagstone rollout search 90 --reason 'black friday' --store var/lib/flagstone/shop";
    match page {
        "rollback" | "moving" | "upgrading" => (second, None),
        "restore" => (
            second,
            Some((
                "status --store shop   #",
                "flagstone rollout search 70 --store shop; rm shop/head; echo x >shop/head",
            )),
        ),
        _ => ("", None),
    }
}

/// A shop whose directory is taken for the root of the paths that pages name.
fn prepared(page: &str) -> Shop {
    let shop = Shop::empty();
    shop.write("flags.json", FLAGS);
    for path in ["bin", "var/lib/flagstone", "var/backups", "mnt/flags"] {
        std::fs::create_dir_all(shop.directory.join(path)).unwrap();
    }
    // The test has no user of that name.
    let as_owner = "shift 3; exec \"$@\"\n";
    let install = "shift 3; exec /usr/bin/install -d \"$@\"\n";
    let php = "echo 'Flagstone support => enabled'\n";
    for (program, says) in
        [("systemctl", ""), ("make", ""), ("php", php), ("runuser", as_owner), ("install", install)]
    {
        let path = shop.write(
            &format!("bin/{program}"),
            format!("#!/bin/sh\necho \"{program} $*\" >>'{}/played'\n{says}", shop.directory.display()),
        );
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flagstone"), shop.directory.join("bin/flagstone"))
        .unwrap();
    let store = "var/lib/flagstone/shop";
    shop.run(["init", store, "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json", "--store", store, "--reason", "release 41"]).exits(0);
    let begin = before(page).0;
    assert!(shell(&shop).args(["-c", begin]).status().unwrap().success(), "{page}: {begin}");
    shop
}

fn shell(shop: &Shop) -> Command {
    let mut command = Command::new("/bin/bash");
    let path = format!("{}/bin:/usr/bin:/bin", shop.directory.display());
    command.current_dir(&shop.directory).env_clear().env("PATH", path).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Whether the lines are those that are shown.
fn agree(shown: &[&str], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((&"…", rest)) => (0..=lines.len()).any(|skipped| agree(rest, &lines[skipped..])),
        Some((first, rest)) => lines.first() == Some(first) && agree(rest, &lines[1..]),
    }
}

fn play(page: &str) {
    let shop = prepared(page);
    let root = shop.directory.to_str().unwrap();
    let lines = typed(page);
    assert!(lines.len() >= 6, "{page}: only {} commands were found", lines.len());
    // One shell, as for whoever types it: where `cd` and `export` led stays.
    let mut script = String::new();
    for (number, typed) in lines.iter().enumerate() {
        if let Some((at, happens)) = before(page).1
            && typed.line.contains(at)
        {
            let _ = writeln!(script, "{happens}");
        }
        let line =
            typed.line.replace("/var/", &format!("{root}/var/")).replace("/mnt/", &format!("{root}/mnt/"));
        let _ =
            writeln!(script, "{{ {line}\n}} >'{root}/{number}.out' 2>&1; echo $? >'{root}/{number}.code'");
    }
    assert!(shell(&shop).args(["-c", &script]).status().unwrap().success(), "{page}");
    for (number, typed) in lines.iter().enumerate() {
        let file =
            |kind: &str| std::fs::read_to_string(shop.directory.join(format!("{number}.{kind}"))).unwrap();
        let (printed, code) = (file("out").replace(root, ""), file("code").trim().parse::<i32>().unwrap());
        let at = format!("docs/runbooks/{page}.md: {}", typed.line);
        assert!(typed.exits.contains(&code), "{at}: exit {code}\n{printed}");
        let (shown, printed) = (plain(&typed.shown.join("\n")), plain(&printed));
        let (shown, printed): (Vec<_>, Vec<_>) = (shown.lines().collect(), printed.lines().collect());
        assert!(agree(&shown, &printed), "{at}\nshown:   {shown:#?}\nprinted: {printed:#?}");
    }
    if page == "upgrading" {
        let played = std::fs::read_to_string(shop.directory.join("played")).unwrap();
        let played = played.lines().filter(|line| !line.contains("flagstone -"));
        let played: Vec<&str> = played.take(5).collect();
        let order = [
            "stop flagstone.service",
            "install",
            "restart php8.2-fpm",
            "start flagstone.service",
            "--ri flagstone",
        ];
        assert!(played.iter().zip(order).all(|(line, what)| line.ends_with(what)), "{played:#?}");
    }
}

#[test]
fn the_runbook_of_a_rollout_works_as_it_is_written() {
    play("rollout");
}

#[test]
fn the_runbook_of_a_rollback_works_as_it_is_written() {
    play("rollback");
}

#[test]
fn the_runbook_for_an_emergency_works_as_it_is_written() {
    play("emergency");
}

#[test]
fn the_runbook_to_restore_a_backup_works_as_it_is_written() {
    play("restore");
}

#[test]
fn the_runbook_to_move_a_store_works_as_it_is_written() {
    play("moving");
}

#[test]
fn the_runbook_to_upgrade_works_as_it_is_written() {
    play("upgrading");
}

/// The lines left a damaged snapshot and a lost config as they were, and files with the owner's group, which readers could not read.
#[test]
fn the_lines_to_restore_file_by_file_mend_snapshot_head_config_and_group() {
    let shop = prepared("restore");
    let page = read("docs/operations.md");
    let restore = page.split("\n## Restore\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let lines: Vec<&str> = restore.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert!(lines.len() > 6, "{lines:?}");
    let root = shop.directory.to_str().unwrap();
    let lines = lines.join("\n").replace("/var/", &format!("{root}/var/"));
    // As for an owner, for whom tar gives no group back.
    let before = format!(
        "tar() {{ command tar --no-same-owner \"$@\"; }}; mkdir {root}/var/backups/flagstone; cd {root}/var/lib/flagstone; chgrp -R 33 shop
        flagstone config confirm_above 0.4 --store shop
        command tar -czf {root}/var/backups/flagstone/shop.tar.gz shop
        newest=$(ls shop/snapshots | tail -n 1); truncate -s 100 shop/snapshots/$newest; rm shop/config.json; echo x >shop/head"
    );
    let after = "flagstone status --store shop; flagstone config confirm_above --store shop; stat -c %g shop/head shop/snapshots/*";
    let ran =
        shell(&shop).args(["-ec", &format!("{before}\n{lines}\n{after}")]).stdout(Stdio::piped()).output();
    let printed = crate::shop::ran(ran.unwrap()).exits(0).out;
    assert!(printed.contains("current (generation 2)"), "{printed}");
    assert!(printed.contains("\n0.4\n33\n33\n33\n"), "{printed}");
}

#[test]
fn every_runbook_is_played_and_linked() {
    let folder = Path::new(&root()).join("docs/runbooks");
    let mut pages: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    pages.sort();
    let mut played = PAGES;
    played.sort_unstable();
    assert_eq!(pages, played);
    for page in PAGES {
        assert!(read("docs/operations.md").contains(&format!("(runbooks/{page}.md)")), "{page}");
        assert!(read("README.md").contains(&format!("(docs/runbooks/{page}.md)")), "{page}");
    }
}
