//! What the benchmarks of the engine ask, and of which snapshots: the same questions for time and for instructions.

use crate::snapshots::{compiled, flags};
use flagstone::{Attribute, Context, Key, Question, Snapshot, Switches, enabled, key_hash};
use serde_json::json;

/// The snapshots that the questions are about.
pub struct Snapshots {
    pub few: Snapshot,
    pub many: Snapshot,
    pub overrides: Snapshot,
}

impl Snapshots {
    /// Of snapshots' bytes as [`few`], [`many`] and [`overrides`] give them, in that order.
    pub fn open([few, many, overrides]: &[Vec<u8>; 3]) -> Snapshots {
        let open = |bytes: &[u8]| Snapshot::from_bytes(bytes).expect("opens");
        Snapshots { few: open(few), many: open(many), overrides: open(overrides) }
    }
}

/// What is done with each question.
pub trait Visitor {
    /// `ask` answers the question for the n-th company.
    fn question(&mut self, name: &str, ask: impl Fn(u64) -> bool);
}

/// Shows every question to the visitor.
pub fn visit(snapshots: &Snapshots, visitor: &mut impl Visitor) {
    let Snapshots { few, many, overrides } = snapshots;
    visitor.question("full", |n| ask(few, "everybody", int(n), &()));
    visitor.question("50 %", |n| ask(few, "customer_portal", int(n), &()));
    visitor.question("50 %, 10,000 flags", |n| ask(many, "customer_portal", int(n), &()));
    let names: Vec<String> = (0..1024).map(|n| format!("company-{n}")).collect();
    visitor.question("50 %, string company", |n| {
        let name = names.get(n as usize % 1024).map_or("", String::as_str);
        ask(few, "customer_portal", Key::from_bytes(name.as_bytes()), &())
    });
    visitor.question("allow list of 3", |n| ask(few, "pilot_program", int(n), &()));
    visitor.question("a million overrides", |n| ask(overrides, "listed", int(n * 7), &()));
    let context = [("plan", Attribute::Text(b"enterprise")), ("seats", Attribute::Int(25))];
    visitor.question("a rule of two conditions", |n| ask(few, "enterprise_only", int(n), &context));
    visitor.question("unknown flag", |n| ask(few, "no_such_flag", int(n), &()));
}

fn int(n: u64) -> Option<Key<'static>> {
    Some(Key::Int(n as i64))
}

/// As the extension asks: PHP has hashed the flag's name already, which the compiler does here.
#[inline(always)]
fn ask<C: Context + ?Sized>(snapshot: &Snapshot, flag: &str, company: Option<Key<'_>>, context: &C) -> bool {
    let (hash, key) = (key_hash(flag.as_bytes()), flag.as_bytes());
    if let Some(Key::Int(company)) = company
        && let Some(quick) = snapshot.quick(hash, key, company)
    {
        return quick.on() == 1;
    }
    let Some(flag) = snapshot.find_hashed(hash, key) else { return false };
    enabled(snapshot, &Switches::none(), flag, &Question { company, context, now: 0 })
}

/// Ten flags.
pub fn few() -> Vec<u8> {
    compiled(flags(10))
}

/// Ten thousand flags.
pub fn many() -> Vec<u8> {
    compiled(flags(10_000))
}

/// A flag that a million companies are on the allow list of, their ids out of a sequence.
pub fn overrides() -> Vec<u8> {
    let companies: Vec<u32> = (0..1_000_000).map(|n| 1 + n * 10).collect();
    let mut flags = flags(10);
    flags["listed"] = json!({
        "enabled": true, "rollout": {"percentage": 50}, "companies": {"allow": companies}
    });
    compiled(flags)
}
