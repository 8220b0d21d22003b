//! The snapshots that the benchmarks of the engine make.

use flagstone::compile;
use flagstone::definition::Definitions;
use serde_json::{Value, json};

/// So many flags, of which the first four are asked about.
pub fn flags(count: usize) -> Value {
    let mut flags = json!({
        "everybody": {"enabled": true},
        "customer_portal": {"enabled": true, "rollout": {"percentage": 50}},
        "pilot_program": {"enabled": true, "rollout": {"percentage": 50}, "companies": {"allow": [15, 42, 103]}},
        "enterprise_only": {"enabled": true, "rollout": {"percentage": 0}, "rules": [{"when": {"all": [
            {"attribute": "plan", "eq": "enterprise"}, {"attribute": "seats", "gte": 10}
        ]}}]},
    });
    for n in 4..count {
        flags[format!("feature_number_{n}")] = json!({"enabled": true, "rollout": {"percentage": n % 101}});
    }
    flags
}

/// The bytes of a snapshot of these flags.
pub fn compiled(flags: Value) -> Vec<u8> {
    let json = json!({ "flags": flags }).to_string();
    let definitions = Definitions::from_canonical_json(json.as_bytes()).expect("definitions");
    compile(&definitions, "bench").expect("compiles")
}
