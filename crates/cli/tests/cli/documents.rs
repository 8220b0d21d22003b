//! What the documents show of the command's output is what it prints.

use crate::shop::{Shop, ran};
use std::path::Path;

/// When the documents' answers were asked for.
const AT: &str = "2026-11-21T11:34:29Z";

#[test]
fn explanations_in_the_documents_are_what_is_printed_of_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shop = Shop::published();
    let example = root.join("examples/flags.json");
    shop.run(["publish", example.to_str().unwrap()]).exits(0);
    let mut shown = 0;
    for document in ["docs/evaluation.md", "docs/command.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        for block in text.split("\n    $ flagstone explain ").skip(1) {
            let (arguments, rest) = block.split_once('\n').unwrap();
            let expected: Vec<&str> = rest
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with("    "))
                .map(|line| line.strip_prefix("    ").unwrap_or(line))
                .collect();
            let arguments = arguments.replace('\'', "").replace(": ", ":");
            let explain = shop.command(["explain", "--at", AT]).args(arguments.split(' ')).output().unwrap();
            let ran = ran(explain).exits(0);
            // When and as what generation it was published is this test's own.
            let told = |text: &str| text.split(", by generation").next().unwrap().trim().to_owned();
            assert_eq!(told(&ran.out), told(&expected.join("\n")), "{document}: {arguments}");
            shown += 1;
        }
    }
    assert_eq!(shown, 2);
}
