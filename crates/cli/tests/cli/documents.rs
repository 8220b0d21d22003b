//! What the documents show of the command is what it does: every `$ flagstone …` is run, and what follows it compared.

use crate::shop::{FLAGS, Ran, Shop, ran};
use flagstone::time;
use std::path::{Path, PathBuf};

/// When the documents' questions were asked.
const AT: &str = "2026-11-21T11:34:29Z";

const DOCUMENTS: [&str; 9] = [
    "README.md",
    "docs/command.md",
    "docs/definitions.md",
    "docs/evaluation.md",
    "docs/operations.md",
    "docs/plans.md",
    "docs/promoting.md",
    "docs/snapshot-format.md",
    "docs/store-format.md",
];

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap_or_else(|error| panic!("{document}: {error}"))
}

/// What a shell makes of a line without substitutions.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (character, quote) {
            ('"' | '\'', None) => quote = Some(character),
            (_, Some(open)) if open == character => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// The command that a document shows, run on what it speaks of.
fn shown(line: &str) -> Ran {
    let shop = match line {
        _ if line.starts_with("explain customer_portal ") => {
            let shop = Shop::published();
            let example = root().join("examples/flags.json");
            shop.run(["publish", example.to_str().unwrap(), "--reset", "all", "--yes"]).exits(0);
            shop
        }
        "kill checkout --reason \"wrong totals\"" => published(&FLAGS.replace("\"old\"", "\"checkout\"")),
        "check flags.json" => {
            let shop = Shop::empty();
            shop.write("flags.json", FLAGS.replace("\"percentage\": 50 }", "\"percentage\": 150 }"));
            shop
        }
        "publish flags.json" | "publish edited.json" | "pull flags.json" => {
            let shop = Shop::published();
            shop.write("edited.json", FLAGS.replace("\"percentage\": 50 } }", "\"percentage\": 25 } }"));
            shop.run(["rollout", "search", "75"]).exits(0);
            shop
        }
        "disable search --count-for companies.txt" => {
            let shop = Shop::published();
            shop.write("companies.txt", (1..=1_000).map(|id| format!("{id}\n")).collect::<String>());
            shop
        }
        "audit --flag search --since 24h" => {
            let shop = Shop::published();
            shop.run(["disable", "search", "--reason", "wrong totals"]).exits(0);
            shop
        }
        "stop-all --environment production --reason \"totals are wrong\"" | "enable old --company 15" => {
            Shop::published()
        }
        "plan show customer_portal" => {
            let shop = published(&plan_of_the_document());
            shop.run(["plan", "start", "customer_portal"]).exits(0);
            shop.run(["plan", "advance", "customer_portal", "--reason", "to show more"]).exits(0);
            shop
        }
        "key make" => Shop::published(),
        "history --company 42" => {
            let shop = Shop::published();
            shop.run(["kill", "search", "--reason", "wrong totals"]).exits(0);
            shop
        }
        "simulate search --percentage 50 --companies companies.txt" => {
            let shop = published(&FLAGS.replace("\"percentage\": 50 }", "\"percentage\": 10 }"));
            shop.write("companies.txt", (1..=1_000_000).map(|id| format!("{id}\n")).collect::<String>());
            shop
        }
        _ => panic!("a document shows `flagstone {line}`, which nothing is prepared for here"),
    };
    let mut command = shop.command([]);
    command.args(words(line));
    if line.starts_with("explain") {
        command.args(["--at", AT]);
    }
    if line.starts_with("history --company") {
        command.args(["--at", &a_day_after_the_last_change(&shop)]);
    }
    ran(command.output().unwrap())
}

/// With the last change in those 24 hours, and no other.
fn a_day_after_the_last_change(shop: &Shop) -> String {
    let trail = std::fs::read_to_string(shop.directory.join("store/audit.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(trail.lines().last().unwrap()).unwrap();
    let at = time::parse_rfc3339(last["at"].as_str().unwrap().as_bytes()).unwrap();
    time::format_rfc3339(at + 24 * 3_600 * 1_000_000 - 1)
}

fn plan_of_the_document() -> String {
    let text = read("docs/plans.md");
    let flag = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    format!("{{\"flags\": {{{flag}}}}}")
}

fn published(flags: &str) -> Shop {
    let shop = Shop::empty();
    shop.write("flags.json", flags);
    shop.run(["init", "store", "--environment", "production"]).exits(0);
    shop.run(["publish", "flags.json"]).exits(0);
    shop
}

/// Without what is another's each time: the machine, who, when, and the generation that an answer is of.
pub fn plain(text: &str) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let word = |word: &str| {
        if let Some((before, _)) = word.split_once('@') {
            let bracket = if before.starts_with('(') { "(" } else { "" };
            format!("{bracket}WHO@MACHINE,")
        } else if word.trim_end_matches([',', ')', ':']) == machine.trim()
            || word == "web-1:"
            || word == "web-1,"
        {
            "MACHINE".to_owned()
        } else if word.starts_with("flagstone-ed25519:") {
            "KEY".to_owned()
        } else if word.contains('T') && word.starts_with("20") && !word.starts_with("2027-") {
            "WHEN".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| {
        let line = line.split(", by generation").next().unwrap_or("");
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    text.trim().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_output_that_a_document_shows_is_what_the_command_prints() {
    let mut found = 0;
    for document in DOCUMENTS {
        let text = read(document);
        for block in text.split("    $ flagstone ").skip(1) {
            let (line, rest) = block.split_once('\n').unwrap();
            let expected: Vec<&str> = rest
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with("    "))
                .map(|line| line.strip_prefix("    ").unwrap_or(line))
                .collect();
            let ran = shown(line);
            let printed = format!("{}{}", ran.out, ran.err);
            assert_eq!(plain(&printed), plain(&expected.join("\n")), "{document}: flagstone {line}");
            found += 1;
        }
    }
    assert!(found >= 7, "only {found} commands were found in the documents");
}

#[test]
fn the_problems_that_the_definitions_document_shows_are_what_check_says() {
    let shop = Shop::empty();
    shop.write(
        "flags.json",
        r#"{"flags": {
            "customer_portal": {"companies": {"allow": [15, 42, 103]}},
            "beta": {"rollout": {"percentage": 0}, "rules": [{"when": {"segment": "beta-usres"}}]}
        }, "segments": {"beta-users": {"attribute": "beta", "eq": true}}}"#,
    );
    let said = shop.run(["check", "flags.json"]).exits(1).out;
    let problem = |line: &str| line.split_once(": ").map(|(_, problem)| problem.to_owned());
    let said: Vec<String> = said.lines().filter_map(problem).collect();
    let text = read("docs/definitions.md");
    let shown: Vec<String> =
        text.lines().filter(|line| line.starts_with("flags.json:")).filter_map(problem).collect();
    assert_eq!(shown.len(), 2);
    for problem in shown {
        assert!(said.contains(&problem), "expected {problem:?} in {said:#?}");
    }
}

#[test]
fn the_commands_of_the_readme_work_in_their_order_on_its_definition() {
    let text = read("README.md");
    let definition = text.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let shop = Shop::empty();
    shop.write("flags.json", definition);
    let mut found = 0;
    for line in text.lines() {
        let typed = line.strip_prefix("sudo ").unwrap_or(line);
        let typed = typed.strip_prefix("-E ").or(typed.strip_prefix("-u flagstone ")).unwrap_or(typed);
        if let Some(typed) = typed.strip_prefix("flagstone ") {
            let typed = words(typed).into_iter().map(|word| word.replace("/var/lib/flagstone/shop", "store"));
            let mut command = shop.command([]);
            ran(command.args(typed).output().unwrap()).exits(0);
            found += 1;
        }
    }
    assert!(found >= 6, "only {found} commands were found in the README");
    shop.run(["ask", "customer_portal", "--company", "42"]).exits(0);
}
