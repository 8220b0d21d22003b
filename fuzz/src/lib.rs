//! What the targets share: asking a snapshot everything that can be asked, and making checksums right again.

use flagstone::{
    Attribute, Key, Question, Snapshot, Switches, Value, enabled, evaluate, missing, possible, rule_name,
    variant,
};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Most rules of a flag whose names are asked for.
const RULES: u32 = 32;

/// Asks everything of every flag. Where the snapshot is the compiler's, the quick path, the plain answer and the explained
/// one must agree.
pub fn ask_everything(snapshot: &Snapshot, compiled: bool) {
    let keys: Vec<&str> = snapshot.flag_ids().map(|flag| snapshot.flag_key(flag)).take(3).collect();
    let killed = Switches::new(snapshot, keys.iter().map(|key| key.as_bytes()), false);
    let stopped = Switches::new(snapshot, std::iter::empty(), true);
    let none = Switches::none();
    let context = [
        ("plan", Attribute::Text(b"pro")),
        ("country", Attribute::Text(b"DE")),
        ("seats", Attribute::Int(10)),
        ("share", Attribute::Float(0.5)),
        ("beta", Attribute::Bool(true)),
        ("v", Attribute::Text(b"1.2.3-rc.1")),
        ("at", Attribute::Text(b"2026-12-01T08:00:00Z")),
        ("user", Attribute::Int(7)),
    ];
    let companies = [None, Some(Key::Int(15)), Some(Key::Text(b"acme"))];
    for flag in snapshot.flag_ids().take(64) {
        for company in companies {
            for now in [0, 1_800_000_000_000_000] {
                let question = Question { company, context: context.as_slice(), now };
                for switches in [&none, &killed, &stopped] {
                    let answer = evaluate(snapshot, switches, flag, &question);
                    let on = enabled(snapshot, switches, flag, &question);
                    assert!(!compiled || answer.on == on, "{}", snapshot.flag_key(flag));
                    possible(snapshot, switches, flag, now);
                }
                if let Some(value) = variant(snapshot, flag, &question).and_then(|variant| variant.value) {
                    let whole = read(&snapshot.value(value), &mut 10_000);
                    assert!(!compiled || whole, "{}: a value larger than its text", snapshot.flag_key(flag));
                }
                assert!(missing(snapshot, flag, context.as_slice()).count() <= 1_000_000);
            }
        }
        assert!(snapshot.needs(flag).count() <= 1_000_000);
        assert!((0..RULES).filter_map(|rule| rule_name(snapshot, flag, rule)).count() <= 32);
        let key = snapshot.flag_key(flag);
        let quick = snapshot.quick(flagstone::key_hash(key.as_bytes()), key.as_bytes(), 15);
        if let (true, Some(quick)) = (compiled, quick) {
            let question = Question { company: Some(Key::Int(15)), context: &(), now: 0 };
            assert_eq!(quick.on() == 1, enabled(snapshot, &none, flag, &question), "{key}");
        }
    }
    assert!(!compiled || snapshot.find(b"\0").is_none());
    let _ = (snapshot.definitions_json(), snapshot.verify());
}

/// Reads a value, up to so many parts. False if it has more.
fn read(value: &Value<'_>, budget: &mut u32) -> bool {
    let Some(left) = budget.checked_sub(1) else { return false };
    *budget = left;
    match value {
        Value::List(items) => items.clone().all(|item| read(&item, budget)),
        Value::Map(entries) => entries.clone().all(|(_, value)| read(&value, budget)),
        _ => true,
    }
}

/// Makes a snapshot's checksums right, so that bytes get past them to the structural checks.
pub fn seal(bytes: &mut [u8]) {
    if bytes.len() < 512 {
        return;
    }
    for record in (64..64 + 14 * 24).step_by(24) {
        let (offset, size) = (number(bytes, record), number(bytes, record + 8));
        // A section of no bytes has a checksum wherever it begins.
        let part = match size {
            0 => Some(&[][..]),
            _ => offset.checked_add(size).and_then(|end| bytes.get(offset as usize..end as usize)),
        };
        if let Some(checksum) = part.map(xxh3_64) {
            put(bytes, record + 16, checksum);
        }
    }
    let size = bytes.len() as u64;
    put(bytes, 16, size);
    let mut hash = Xxh3::new();
    hash.update(&bytes[..40]);
    hash.update(&[0; 8]);
    hash.update(&bytes[48..512]);
    put(bytes, 40, hash.digest());
}

pub fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
