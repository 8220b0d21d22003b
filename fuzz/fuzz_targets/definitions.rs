//! Any text as definitions: refused with a report, or compiled to a snapshot that opens, verifies and holds them whole.
#![no_main]

use flagstone::definition::{Definitions, parse};
use flagstone::{Snapshot, compile};
use flagstone_fuzz::ask_everything;
use libfuzzer_sys::fuzz_target;

const TODAY: &str = "2026-11-21";

fuzz_target!(|text: &[u8]| {
    let document = match parse("flags.json", text) {
        Ok(document) => document,
        Err(report) => {
            assert!(report.has_errors() && !report.to_string().is_empty());
            return;
        }
    };
    let report = document.check(TODAY).to_string();
    assert!(report.is_empty() || report.ends_with('\n'));
    let named: Vec<&str> = document.environments();
    for environment in [None, Some("production")].into_iter().chain(named.into_iter().take(3).map(Some)) {
        let Ok((definitions, _)) = document.resolve(environment, TODAY) else { continue };
        let canonical = definitions.to_canonical_json();
        let back = Definitions::from_canonical_json(&canonical).expect("canonical text reads back");
        assert_eq!(back, definitions);
        assert_eq!(back.to_canonical_json(), canonical);
        // What check lets through and a snapshot cannot hold is an error with words.
        let bytes = match compile(&definitions, "production") {
            Ok(bytes) => bytes,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        let snapshot = Snapshot::from_bytes(&bytes).expect("a compiled snapshot opens");
        snapshot.verify().expect("a compiled snapshot verifies");
        assert_eq!(snapshot.definitions_json().expect("definitions"), canonical);
        ask_everything(&snapshot, true);
    }
});
