//! Definitions as people write them: what is read, and what is said of what cannot be.

use flagstone::definition::{self, Definitions, Report};

const TODAY: &str = "2026-11-21";

#[test]
fn the_example_checks_clean_in_every_environment() {
    let document = definition::parse("flags.json", include_bytes!("../examples/flags.json")).unwrap();
    assert_eq!(document.environments(), ["staging", "production"]);
    assert_eq!(document.check(TODAY), Report::default(), "{}", document.check(TODAY));
    for environment in [None, Some("staging"), Some("production"), Some("another")] {
        let (definitions, warnings) = document.resolve(environment, TODAY).unwrap();
        assert!(warnings.is_empty(), "{warnings}");
        flagstone::compile(&definitions, environment.unwrap_or("production")).unwrap();
        let json = definitions.to_canonical_json();
        assert_eq!(Definitions::from_canonical_json(&json).unwrap(), definitions);
    }
}
