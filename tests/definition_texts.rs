//! Texts that no person wrote, or that a person wrote in haste: a clear error or the right result, in bounded memory, never a
//! panic.

mod support;

use flagstone::definition::{self, Definitions, Report, Severity};
use proptest::prelude::*;
use std::fs;
use std::path::PathBuf;

const TODAY: &str = "2026-11-21";
const EXAMPLE: &str = include_str!("../examples/flags.json");

fn report(text: &[u8]) -> Result<Definitions, Report> {
    definition::load("f", text, None, TODAY).map(|checked| checked.definitions)
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>, expected: &str) {
    let text = text.as_ref();
    let shown = String::from_utf8_lossy(text.get(..80).unwrap_or(text)).into_owned();
    let said = report(text).expect_err(&shown).to_string();
    assert_eq!(said.trim_end(), format!("f:{expected}"), "{shown}");
}

#[test]
fn a_breach_of_the_grammar_says_where_what_and_what_instead() {
    for (text, expected) in [
        ("", "1:1: found the end of the file, expected a value"),
        (" \n ", "2:2: found the end of the file, expected a value"),
        ("{", "1:2: found the end of the file, expected a key in double quotes"),
        ("{\"flags\": {}", "1:13: found the end of the file, expected \",\" or \"}\""),
        ("{\"flags\": {}} x", "1:15: found \"x\", expected the end of the file: a file holds one document"),
        ("{\"flags\": {}\n\"segments\": {}}", "2:1: found a string, expected \",\" or \"}\": add the comma"),
        (
            "{\"flags\": {},}",
            "1:13: found a comma before \"}\", expected none after the last value: remove the comma",
        ),
        (
            "{\"flags\": {\"a\": [1,\n]}}",
            "1:19: /flags/a: found a comma before \"]\", expected none after the last value: remove the comma",
        ),
        ("{\"flags\" {}}", "1:10: /flags: found \"{\", expected \":\" after the key"),
        ("{flags: {}}", "1:2: found \"flags\", expected a key in double quotes"),
        (
            "{'flags': {}}",
            "1:2: found \"'\", expected a key in double quotes: strings stand in double quotes",
        ),
        (
            "{ // no\n}",
            "1:3: found \"/\", expected a key in double quotes: JSON has no comments; write a \"$comment\"",
        ),
        (
            "{\"a\": True}",
            "1:7: /a: found \"True\", expected a value: true, false and null are written in lower case",
        ),
        ("{\"a\": truely}", "1:7: /a: found \"truely\", expected a value"),
        ("{\"a\": NaN}", "1:7: /a: found \"NaN\", expected a value: JSON has no such value"),
        ("{\"a\": -Infinity}", "1:8: /a: found \"Infinity\", expected a digit: JSON has no such value"),
        (
            "{\"a\": 01}",
            "1:7: /a: found a number that starts with 0, expected none before other digits: write it without the zero, or as a string",
        ),
        ("{\"a\": 1.}", "1:9: /a: found \"}\", expected a digit"),
        ("{\"a\": 1e}", "1:9: /a: found \"}\", expected a digit"),
        ("{\"a\": -}", "1:8: /a: found \"}\", expected a digit"),
        ("{\"a\": +1}", "1:7: /a: found \"+1\", expected a value"),
        ("{\"a\": .5}", "1:7: /a: found \".5\", expected a value"),
        (
            "{\"a\": \"x\n\"}",
            "1:9: /a: found the end of the line (byte 10) in a string, expected it as an escape: close the string with a double quote, or write \\n, \\t or \\u00XX",
        ),
        (
            "{\"a\": \"\u{1}\"}",
            "1:8: /a: found a control character (byte 1) in a string, expected it as an escape: close the string with a double quote, or write \\n, \\t or \\u00XX",
        ),
        (
            "{\"a\": \"App\\Features\"}",
            "1:11: /a: found an unknown escape, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u: a backslash itself is written \\\\",
        ),
        (
            "{\"a\": \"\\ud800\"}",
            "1:8: /a: found an escape \\u that is no character, expected four hexadecimal digits: characters beyond U+FFFF take two: \\ud83d\\ude00",
        ),
        (
            "{\"a\": \"\\u12g4\"}",
            "1:8: /a: found an escape \\u that is no character, expected four hexadecimal digits: characters beyond U+FFFF take two: \\ud83d\\ude00",
        ),
        ("{\"a\": \"x", "1:7: /a: found the end of the file in a string, expected a double quote"),
        (
            "{\"a\": \"x\\",
            "1:9: /a: found an unknown escape, expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u: a backslash itself is written \\\\",
        ),
        ("{\"a\": [1}", "1:9: /a: found \"}\", expected \",\" or \"]\""),
        ("[1 2]", "1:4: found \"2\", expected \",\" or \"]\""),
        ("{\"ä😀\": [{\"b/c\": ?", "1:17: /ä😀/0/b~1c: found \"?\", expected a value"),
        ("\u{a0}{}", "1:1: found U+00A0, expected a value"),
    ] {
        refused(text, expected);
    }
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_place() {
    refused(
        b"{\n \"\xFFlags\": {}}",
        "2:3: found the byte 0xFF where it is not UTF-8, expected UTF-8: save the file as UTF-8",
    );
    refused(
        b"{\"\xC3\xA9\xE2\x82\": 1}",
        "1:4: found the byte 0xE2 where it is not UTF-8, expected UTF-8: save the file as UTF-8",
    );
    refused(
        b"{\"\xED\xA0\x80\": 1}",
        "1:3: found the byte 0xED where it is not UTF-8, expected UTF-8: save the file as UTF-8",
    );
    refused(b"\xFF\xFE{\0}\0", "1:1: found UTF-16, expected UTF-8: save the file as UTF-8");
}

#[test]
fn a_byte_order_mark_is_reported_and_the_rest_is_read() {
    refused(
        "\u{feff}{\"flags\": {}}",
        "1:1: found a byte order mark before the document, expected none: save the file as UTF-8 without it",
    );
    let both = report("\u{feff}{\"flags\": 1}".as_bytes()).unwrap_err();
    assert_eq!(both.errors(), 2);
    assert_eq!((both.problems[1].line, both.problems[1].column), (1, 11), "the mark is no column");
}

#[test]
fn a_key_that_is_there_twice_is_reported_wherever_it_is() {
    refused(
        r#"{"flags": {"a": true, "\u0061": false}}"#,
        "1:23: /flags/a: found the key \"a\" again, expected it once: merge the two, or remove one",
    );
    let flags: Vec<String> = (0..40).map(|n| format!("\"f{}\": true", n % 39)).collect();
    let report =
        report(format!("{{\"flags\": {{{}}}, \"flags\": {{}}}}", flags.join(",\n")).as_bytes()).unwrap_err();
    let told: Vec<_> = report.problems.iter().map(|p| (p.line, p.pointer.as_str())).collect();
    assert_eq!(told, [(40, "/flags/f0"), (40, "/flags")]);
}

#[test]
fn numbers_are_exact_or_an_error() {
    let company = |literal: &str| {
        format!("{{\"flags\": {{\"a\": {{\"companies\": {{\"deny\": [{literal}]}}, \"enabled\": true}}}}}}")
    };
    for literal in ["9223372036854775807", "-9223372036854775808", "9007199254740993", "-0"] {
        let definitions = report(company(literal).as_bytes()).unwrap();
        assert_eq!(
            definitions.flags["a"].companies.deny,
            [literal.parse::<i64>().unwrap().into()],
            "{literal}"
        );
    }
    for literal in ["9223372036854775808", "-9223372036854775809", &"9".repeat(60)] {
        refused(
            company(literal),
            &format!("1:41: /flags/a/companies/deny/0: found {literal}, expected an integer of 64 bits"),
        );
    }
    refused(
        company(&"9".repeat(100_000)),
        &format!(
            "1:41: /flags/a/companies/deny/0: found {}…, expected an integer of 64 bits",
            "9".repeat(60)
        ),
    );
    refused(
        company("-1e400"),
        "1:41: /flags/a/companies/deny/0: found -1e400, expected a number below 1.8e308",
    );
    refused(
        company("15.0"),
        "1:41: /flags/a/companies/deny/0: found 15.0, expected a company's id: an integer, or a string of 1 to 1024 bytes",
    );
    let huge = format!("{}.5", "9".repeat(400));
    assert!(
        report(company(&huge).as_bytes())
            .unwrap_err()
            .to_string()
            .contains("expected a number below 1.8e308")
    );
    let value = "{\"flags\": {\"a\": {\"enabled\": true, \"variants\": {\"x\": {\"weight\": 100, \"value\": [0.1, 1e-400, 5e-324, 1.7976931348623157e308, 123456789.12345679]}}}}}";
    let definitions = report(value.as_bytes()).unwrap();
    let again = Definitions::from_canonical_json(&definitions.to_canonical_json()).unwrap();
    assert_eq!(again, definitions, "floats survive the canonical form to the last bit");
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    let nested = |depth: usize| {
        format!("{{\"flags\": {{}}, \"$comment\": {}{}}}", "[".repeat(depth), "]".repeat(depth))
    };
    assert!(report(nested(63).as_bytes()).is_ok());
    let said = report(nested(64).as_bytes()).unwrap_err().to_string();
    assert!(said.contains("found more than 64 objects and lists in each other"), "{said}");
    for open in ["[", "{\"a\":", "[{\"a\":"] {
        assert!(report(open.repeat(1_000_000).as_bytes()).is_err());
    }
    let value = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        format!(
            "{{\"flags\": {{\"a\": {{\"enabled\": true, \"variants\": {{\"x\": {{\"weight\": 100, \"value\": {value}}}}}}}}}}}"
        )
    };
    assert!(report(value(32).as_bytes()).is_ok());
    let said = report(value(33).as_bytes()).unwrap_err().to_string();
    assert!(said.contains("found a value that nests deeper than 32"), "{said}");
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |count: usize| format!("{{\"$comment\": [{}1], \"flags\": {{}}}}", "1,".repeat(count - 1));
    assert!(report(list(4_194_304 - 3).as_bytes()).is_ok());
    let said = report(list(4_194_304 - 1).as_bytes()).unwrap_err().to_string();
    assert!(said.contains("found more than 4194304 values, expected at most that many"), "{said}");
}

#[test]
fn a_million_problems_make_a_short_report() {
    let text = format!(
        "{{\"flags\": {{\"a\": {{\"companies\": {{\"deny\": [{}\"\"]}}, \"enabled\": true}}}}}}",
        "\"\",".repeat(999_999)
    );
    let report = report(text.as_bytes()).unwrap_err();
    assert_eq!((report.problems.len(), report.omitted), (1_000, 999_000));
    assert_eq!(report.problems[999].pointer, "/flags/a/companies/deny/999");
    let shown = report.to_string();
    assert_eq!(shown.lines().count(), 101);
    assert!(shown.ends_with("… and 999900 more\n"), "{shown}");
}

#[test]
fn more_flags_or_environments_than_the_limit_are_refused() {
    let flags = |count: usize| (0..count).map(|n| format!("\"f{n}\":true")).collect::<Vec<_>>().join(",");
    assert!(report(format!("{{\"flags\":{{{}}}}}", flags(100_000)).as_bytes()).is_ok());
    refused(
        format!("{{\"flags\":{{{}}}}}", flags(100_001)),
        "1:10: /flags: found 100001 flags, expected at most 100000",
    );
    let patches = |count: usize| (0..count).map(|n| format!("\"e{n}\":{{}}")).collect::<Vec<_>>().join(",");
    assert!(report(format!("{{\"flags\":{{}},\"environments\":{{{}}}}}", patches(100)).as_bytes()).is_ok());
    refused(
        format!("{{\"flags\":{{}},\"environments\":{{{}}}}}", patches(101)),
        "1:29: /environments/e0: found 101 environments, expected at most 100",
    );
}

#[test]
fn names_as_long_as_the_file_do_not_fill_messages() {
    let long = "x".repeat(5_000_000);
    let steps = "{\"at\": 1},".repeat(2_000);
    let text = format!(
        "{{\"flags\": {{\"{long}\": {{\"rollout\": {{\"percentage\": 1}}, \"requires\": [\"{long}\"], \"schedule\": [{steps}{{}}]}}}},
          \"segments\": {{\"{long}\": {{\"segment\": \"{long}\"}}}}, \"environments\": {{\"{long}\": {{\"{long}\": null}}}}}}"
    );
    let report = definition::parse("f", text.as_bytes()).unwrap().check(TODAY);
    assert!(report.errors() > 900);
    let longest = report.problems.iter().map(|problem| problem.to_string().len()).max().unwrap();
    assert!(longest < 4_000, "{longest}");
    let said = definition::parse("f", &text.as_bytes()[..text.len() / 5 * 3]).unwrap_err().to_string();
    assert!(said.len() < 4_000, "{}", said.len());
}

#[test]
fn the_nearest_name_is_not_looked_for_for_ever() {
    let flags: Vec<String> = (0..20_000)
        .map(|n| format!("\"flag_{n}\": {{\"enabled\": true, \"requires\": [\"falg_{n}\"]}}"))
        .collect();
    let start = support::worked();
    let report = report(format!("{{\"flags\": {{{}}}}}", flags.join(",")).as_bytes()).unwrap_err();
    assert_eq!(report.problems[0].hint.as_deref(), Some("did you mean \"flag_0\"?"));
    assert_eq!(report.problems[999].hint, None);
    let took = support::worked() - start;
    assert!(took.as_secs() < 60, "{took:?}");
}

#[test]
fn a_file_of_200_mb_is_refused_by_its_size() {
    let directory =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("definitions-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("flags.json");
    fs::write(&path, EXAMPLE).unwrap();
    let read = definition::read_file(&path).unwrap();
    assert_eq!(read, EXAMPLE.as_bytes());

    // Sparse: nothing of it is on the disk, and nothing of it is read.
    fs::File::options().write(true).open(&path).unwrap().set_len(200 << 20).unwrap();
    let said = definition::read_file(&path).unwrap_err().to_string();
    let missing = definition::read_file(&directory.join("missing")).unwrap_err();
    fs::remove_dir_all(&directory).unwrap();
    assert!(said.contains("found 209715200 bytes, expected at most 67108864 (64 MiB)"), "{said}");
    let large = vec![b' '; (64 << 20) + 1];
    refused(&large, "1:1: found 67108865 bytes, expected at most 67108864 (64 MiB)");
    let said = report(&large[1..]).unwrap_err().to_string();
    assert!(said.contains("found the end of the file, expected a value"), "{said}");

    assert!(matches!(missing, definition::ReadError::Io { .. }), "{missing}");
}

/// Every place must lie in the text, and every pointer lead to a value of it.
fn is_sound(text: &str, report: &Report) {
    let lines: Vec<&str> = text.split('\n').collect();
    let document: Option<serde_json::Value> = serde_json::from_str(text).ok();
    for problem in &report.problems {
        let line = lines.get(problem.line - 1).unwrap_or_else(|| panic!("{problem}"));
        assert!(problem.column <= line.chars().count() + 1, "{problem}");
        assert!(!problem.message.is_empty());
        if let Some(document) = &document
            && !problem.message.contains("again, expected it once")
        {
            assert!(document.pointer(&problem.pointer).is_some(), "{problem}");
        }
    }
}

fn check(text: &str) {
    match definition::parse("f", text.as_bytes()) {
        Ok(document) => {
            let whole = document.check(TODAY);
            is_sound(text, &whole);
            for environment in document.environments().into_iter().map(Some).chain([None]) {
                match document.resolve(environment, TODAY) {
                    Err(report) => assert!(report.has_errors()),
                    Ok((definitions, warnings)) => {
                        assert!(
                            warnings.problems.iter().all(|problem| problem.severity == Severity::Warning)
                        );
                        let canonical = definitions.to_canonical_json();
                        assert_eq!(Definitions::from_canonical_json(&canonical).unwrap(), definitions);
                        assert_eq!(report(&canonical).unwrap(), definitions);
                        flagstone::compile(&definitions, "production").unwrap();
                    }
                }
            }
        }
        Err(report) => {
            assert!(
                serde_json::from_str::<serde_json::Value>(text).is_err() || text.contains("999"),
                "{report}\n{text}"
            );
            is_sound(text, &report);
        }
    }
}

/// A random text once had a number that only serde_json takes for a breach of the grammar.
#[test]
fn a_number_out_of_range_is_refused_as_a_value() {
    for text in ["{\"a\": 0.1e310}", "[1e999]", "-1e999", "[1e999 1]", "[1e999, 0.1e310"] {
        reads_as_serde_json(text);
    }
}

fn reads_as_serde_json(text: &str) {
    let ours = definition::parse("f", text.as_bytes());
    match serde_json::from_str::<serde_json::Value>(text) {
        // serde_json calls 1e309 a breach of the grammar and stops there; here it is a value out of its range.
        Err(error) if error.to_string().starts_with("number out of range") => {
            let grammar = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            assert_eq!(ours.is_ok(), grammar, "{text}");
            let said = report(text.as_bytes()).unwrap_err().to_string();
            assert!(!grammar || said.contains("expected a number below 1.8e308"), "{said}\n{text}");
        }
        theirs => assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = report(&bytes);
    }

    #[test]
    fn no_json_like_text_makes_it_panic(text in "[\\[\\]{},:\"\\\\ae0-9.u \\n$-]{0,60}") {
        check(&text);
    }

    #[test]
    fn it_reads_what_serde_json_reads(text in "(\\{\"a\": )?[\\[ ]{0,2}(-?[0-9]{1,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?|\"[a\\\\nu0-9\"é]{0,8}\"|true|null|[{}\\],]){0,3}[\\]} ]{0,3}") {
        reads_as_serde_json(&text);
    }

    #[test]
    fn the_example_with_some_bytes_changed_gives_a_result_or_sound_places(
        edits in prop::collection::vec((0..EXAMPLE.len(), 0..6_usize, "[\\[\\]{},:\"\\\\a-z0-9.é$ \\n-]{0,3}"), 1..4)
    ) {
        let mut text = EXAMPLE.to_owned();
        for (at, length, insert) in edits {
            let boundary = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (from, to) = (boundary(at), boundary(at + length));
            text.replace_range(from..to, &insert);
        }
        check(&text);
    }

    #[test]
    fn the_example_with_tokens_moved_gives_a_result_or_sound_places(
        swaps in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4)
    ) {
        let mut tokens: Vec<&str> = EXAMPLE.split_inclusive([' ', ',']).collect();
        for (a, b) in swaps {
            let (a, b) = (a.index(tokens.len()), b.index(tokens.len()));
            tokens.swap(a, b);
        }
        check(&tokens.concat());
    }
}
