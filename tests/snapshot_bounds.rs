//! What bounds the time to open a snapshot and to ask it, whatever its bytes say: every entry has one user, and counts have
//! limits. Opening was quadratic where rules shared tests, flags shared rules or links, or records shared a long text.

use flagstone::definition::Definitions;
use flagstone::{CompileError, MapMode, Snapshot, SnapshotError, Value, compile, variant_named};
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const STRINGS: usize = 0;
const INDEX: usize = 1;
const FLAGS: usize = 2;
const ATTRIBUTES: usize = 3;
const RULES: usize = 5;
const TESTS: usize = 6;
const CELLS: usize = 9;
const LISTS: usize = 10;
const DEFINITIONS: usize = 13;
/// Sizes of an entry, by section.
const ENTRY: [usize; 14] = [1, 16, 128, 16, 4, 32, 32, 16, 32, 16, 64, 8, 1, 1];

/// Two flags that have some of everything, and that require a third.
fn definitions() -> Definitions {
    let flag = json!({
        "enabled": true,
        "rollout": {"percentage": 10, "by": "user"},
        "requires": ["base"],
        "rules": [
            {"when": {"all": [{"attribute": "plan", "eq": "pro"}, {"attribute": "seats", "gt": 5}]}},
            {"when": {"any": [{"attribute": "plan", "eq": "free"}, {"attribute": "näme", "contains": "ä"}]}}
        ],
        "schedule": [{"at": "2026-12-01T08:00:00Z", "percentage": 50}],
        "variants": {"a": {"weight": 50, "value": [1, [2, 3], {"x": [4]}]}, "b": {"weight": 50}}
    });
    parsed(&json!({"flags": {"base": {"enabled": true}, "first": flag, "second": flag}}))
}

fn parsed(json: &Json) -> Definitions {
    Definitions::from_canonical_json(json.to_string().as_bytes()).expect("definitions")
}

fn compiled() -> Vec<u8> {
    compile(&definitions(), "production").expect("compiles")
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The offset in the file of an entry's byte.
fn place(bytes: &[u8], section: usize, entry: usize, at: usize) -> usize {
    number(bytes, 64 + section * 24) as usize + entry * ENTRY[section] + at
}

fn get(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

/// Lets a test go to the ends alone.
fn end(bytes: &mut [u8], test: usize) {
    let at = place(bytes, TESTS, test, 8);
    put(bytes, at, 0xFFFF_FFFF);
    put(bytes, at + 4, 0xFFFF_FFFE);
}

/// Makes the checksums right.
fn seal(bytes: &mut [u8]) {
    for record in (64..64 + 14 * 24).step_by(24) {
        let (offset, size) = (number(bytes, record) as usize, number(bytes, record + 8) as usize);
        let checksum = xxh3_64(&bytes[offset..offset + size]);
        bytes[record + 16..record + 24].copy_from_slice(&checksum.to_le_bytes());
    }
    let size = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&size.to_le_bytes());
    let checksum = header_checksum(bytes);
    bytes[40..48].copy_from_slice(&checksum.to_le_bytes());
}

fn header_checksum(bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&bytes[..40]);
    hash.update(&[0; 8]);
    hash.update(&bytes[48..512]);
    hash.digest()
}

/// With other bytes in place of a section's.
fn with_section(bytes: &[u8], section: usize, content: &[u8]) -> Vec<u8> {
    let mut whole = bytes[..512].to_vec();
    for number_of in 0..14 {
        let record = 64 + number_of * 24;
        let (offset, size) = (number(bytes, record) as usize, number(bytes, record + 8) as usize);
        let part = if number_of == section { content } else { &bytes[offset..offset + size] };
        whole.resize(whole.len().next_multiple_of(64), 0);
        let at = whole.len() as u64;
        whole[record..record + 8].copy_from_slice(&at.to_le_bytes());
        whole[record + 8..record + 16].copy_from_slice(&(part.len() as u64).to_le_bytes());
        whole.extend_from_slice(part);
    }
    whole.resize(whole.len().next_multiple_of(64), 0);
    let at = whole.len() as u64;
    whole[400..408].copy_from_slice(&at.to_le_bytes());
    whole.extend_from_slice(&bytes[bytes.len() - 48..]);
    whole
}

/// Section and field that the refusal names.
fn refused(mut bytes: Vec<u8>) -> (&'static str, &'static str) {
    seal(&mut bytes);
    match Snapshot::from_bytes(&bytes) {
        Err(SnapshotError::Structure { section, field, .. }) => (section, field),
        Err(error) => panic!("refused for another reason: {error}"),
        Ok(_) => panic!("opened"),
    }
}

#[test]
fn rules_that_share_tests_are_refused() {
    let mut bytes = compiled();
    let (first, second) = (place(&bytes, RULES, 0, 8), place(&bytes, RULES, 1, 8));
    let tests = get(&bytes, first);
    put(&mut bytes, second, tests);
    assert_eq!(refused(bytes), ("rules", "tests"));

    let mut bytes = compiled();
    let count = get(&bytes, first + 4);
    put(&mut bytes, first + 4, count + 1);
    for test in 0..4 {
        end(&mut bytes, test);
    }
    assert_eq!(refused(bytes), ("rules", "tests"), "overlapping by one");
}

#[test]
fn flags_that_share_entries_are_refused() {
    let shared = [("requires", 40), ("needs", 48), ("rules", 56), ("steps", 64), ("variants", 72)];
    for (field, at) in shared {
        let mut bytes = compiled();
        let (first, second) = (place(&bytes, FLAGS, 1, at), place(&bytes, FLAGS, 2, at));
        assert_ne!(get(&bytes, first + 4), 0, "{field}: there is nothing to share");
        let range = get(&bytes, first);
        put(&mut bytes, second, range);
        assert_eq!(refused(bytes), ("flags", field));
    }
}

#[test]
fn requirements_and_attributes_of_one_flag_do_not_overlap() {
    let mut bytes = compiled();
    let (requires, needs) = (place(&bytes, FLAGS, 1, 40), place(&bytes, FLAGS, 1, 48));
    let range = get(&bytes, requires);
    put(&mut bytes, needs, range);
    assert_eq!(refused(bytes), ("flags", "needs"));
}

#[test]
fn a_key_longer_than_191_bytes_is_refused() {
    let mut bytes = compiled();
    let strings = vec![b'x'; 70_000];
    bytes = with_section(&bytes, STRINGS, &strings);
    let key = place(&bytes, FLAGS, 0, 8);
    put(&mut bytes, key, 0);
    bytes[key + 4..key + 6].copy_from_slice(&192u16.to_le_bytes());
    assert_eq!(refused(bytes), ("flags", "key's length"));
}

#[test]
fn an_operand_longer_than_1024_bytes_is_refused() {
    let mut bytes = with_section(&compiled(), STRINGS, &[b'x'; 2_000]);
    let text = (0..4)
        .map(|test| place(&bytes, TESTS, test, 0))
        .find(|test| bytes[*test + 1] == 3)
        .expect("a test with a string");
    for flag in 0..3 {
        let key = place(&bytes, FLAGS, flag, 8);
        put(&mut bytes, key, 0);
        bytes[key + 4..key + 6].copy_from_slice(&(flag as u16 + 1).to_le_bytes());
    }
    put(&mut bytes, text + 16, 0);
    put(&mut bytes, text + 20, 1_025);
    assert_eq!(refused(bytes.clone()), ("tests", "operand's length"));
    put(&mut bytes, text + 20, 1_024);
    seal(&mut bytes);
    Snapshot::from_bytes(&bytes).expect("1,024 bytes are within the limit");
}

#[test]
fn counts_above_the_limits_are_refused() {
    let limits = [(44, "requires' count", 65), (52, "needs' count", 5), (60, "rules' count", 1_001)];
    for (at, field, count) in limits {
        let mut bytes = compiled();
        let count_at = place(&bytes, FLAGS, 1, at);
        put(&mut bytes, count_at, count);
        assert_eq!(refused(bytes), ("flags", field));
    }
    // 10,001 tests in two rules of one flag.
    let bytes = compiled();
    let test = place(&bytes, TESTS, 0, 0);
    let tests = bytes[test..test + 32].repeat(20_000);
    let mut bytes = with_section(&bytes, TESTS, &tests);
    for (rule, (first, count)) in
        [(0, 5_000), (5_000, 5_001), (10_001, 1), (10_002, 1)].into_iter().enumerate()
    {
        let at = place(&bytes, RULES, rule, 8);
        put(&mut bytes, at, first);
        put(&mut bytes, at + 4, count);
    }
    assert_eq!(refused(bytes), ("flags", "rules' tests"));
}

/// One question took nine seconds where a hostile list's table was full.
#[test]
fn a_table_whose_probe_is_longer_than_10_000_slots_is_refused() {
    let companies: Vec<i64> = (0..8_000).map(|n| n * 1_000_003).collect();
    let texts = (0..8_000).map(|n| format!("acme-{n}"));
    let allow: Vec<Json> = companies.into_iter().map(Json::from).chain(texts.map(Json::from)).collect();
    let json = json!({"flags": {"listed": {"enabled": true, "companies": {"allow": allow}}}});
    let good = compile(&parsed(&json), "production").expect("compiles");
    for (at, probe) in [(4, 10_001), (56, 10_001), (4, u32::MAX)] {
        let mut bytes = good.clone();
        let probe_at = place(&bytes, LISTS, 0, at);
        put(&mut bytes, probe_at, probe);
        assert_eq!(refused(bytes), ("lists", "longest probe"));
    }
    let mut bytes = with_section(&good, INDEX, &[0; 16 * 16_384]);
    put(&mut bytes, 52, 10_001);
    assert_eq!(refused(bytes), ("index", "longest probe"));
}

/// A file of 28 KB on disk, with a hole for its definitions, cost each reader that copies it 1.5 GB.
#[test]
fn definitions_of_more_than_256_mib_are_refused() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("holes-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
    std::fs::remove_file(&path).expect("its own file");
    let size = (256 << 20) + 64_u64;
    let mut bytes = compiled();
    let record = 64 + DEFINITIONS * 24;
    let audit = number(&bytes, record) + size;
    bytes[record + 8..record + 16].copy_from_slice(&size.to_le_bytes());
    bytes[400..408].copy_from_slice(&audit.to_le_bytes());
    bytes[16..24].copy_from_slice(&(audit + 48).to_le_bytes());
    let checksum = header_checksum(&bytes);
    bytes[40..48].copy_from_slice(&checksum.to_le_bytes());
    file.write_all_at(&bytes, 0).expect("writes");
    file.set_len(audit + 48).expect("holes");
    match Snapshot::open(&file, MapMode::Shared, 1 << 30) {
        Err(SnapshotError::Structure { section: "definitions", field: "size", .. }) => {}
        other => panic!("{:?}", other.map(|_| "opened")),
    }
}

/// 2.4 s for each megabyte of this, before.
#[test]
fn many_rules_over_the_same_tests_are_refused() {
    let mut bytes = compiled();
    end(&mut bytes, 0);
    let (rule, test) = (place(&bytes, RULES, 0, 0), place(&bytes, TESTS, 0, 0));
    let mut record = bytes[rule..rule + 32].to_vec();
    put(&mut record, 8, 0);
    put(&mut record, 12, 10_000);
    let bytes = with_section(&bytes, TESTS, &bytes[test..test + 32].repeat(10_000));
    let mut bytes = with_section(&bytes, RULES, &record.repeat(16_000));
    for flag in 1..3 {
        let at = place(&bytes, FLAGS, flag, 60);
        put(&mut bytes, at, 0);
    }
    assert_eq!(refused(bytes), ("rules", "tests"));
}

#[test]
fn a_text_that_cuts_a_character_is_refused() {
    let name = |bytes: &[u8], attribute: usize| place(bytes, ATTRIBUTES, attribute, 8);
    let bytes = compiled();
    let strings = number(&bytes, 64) as usize;
    let attribute = (0..4)
        .find(|attribute| {
            let at = strings + get(&bytes, name(&bytes, *attribute)) as usize;
            bytes[at..].starts_with("näme".as_bytes())
        })
        .expect("the attribute");
    let at = name(&bytes, attribute);
    let offset = get(&bytes, at);
    for (offset, length) in [(offset + 2, 3), (offset, 2)] {
        let mut bytes = bytes.clone();
        put(&mut bytes, at, offset);
        put(&mut bytes, at + 4, length);
        assert_eq!(refused(bytes), ("attributes", "name"), "{length} bytes");
    }
    let mut broken = bytes;
    broken[strings] = 0xff;
    assert_eq!(refused(broken), ("strings", "byte"));
}

#[test]
fn what_readers_refuse_is_not_compiled() {
    let when = json!({"attribute": "plan", "eq": "pro"});
    let flag = |rules: Json| json!({"flags": {"f": {"enabled": true, "rollout": {"percentage": 0}, "rules": rules}}});
    let chain: serde_json::Map<String, Json> = (0..66)
        .map(|n| (format!("f{n:02}"), json!({"enabled": true, "requires": if n == 0 { vec![] } else { vec![format!("f{:02}", n - 1)] }})))
        .collect();
    let many = vec![when.clone(); 5_001];
    // The inverse of the hash's multiplier: all of these begin at the first slot.
    let colliding: Vec<i64> =
        (1..=10_001_u64).map(|n| n.wrapping_mul(0xF1DE_83E1_9937_733D).cast_signed()).collect();
    let cases = [
        ("rules of a flag", flag(json!(vec![json!({"when": when}); 1_001]))),
        ("comparisons of a flag", flag(json!(vec![json!({"when": {"any": many}}); 2]))),
        ("flags that a flag requires", json!({"flags": chain})),
        (
            "companies of a list whose hashes lie together",
            json!({"flags": {"f": {"enabled": true, "companies": {"deny": colliding}}}}),
        ),
        (
            "bytes of a string to compare with",
            flag(json!([{"when": {"attribute": "plan", "eq": "x".repeat(1_025)}}])),
        ),
    ];
    for (expected, json) in cases {
        match compile(&parsed(&json), "t").map(|bytes| bytes.len()) {
            Err(CompileError::TooMany { what, .. }) => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

/// A count of 4,000,000,000 was believed when the value was read, and PHP ran out of memory.
#[test]
fn a_count_written_under_a_shared_mapping_is_no_longer_than_the_cells() {
    let mut name = format!("bounds-{}", std::process::id());
    write!(name, "-{:?}", std::thread::current().id()).expect("a name");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
    std::fs::remove_file(&path).expect("its own file");
    let bytes = compiled();
    file.write_all_at(&bytes, 0).expect("writes");
    let snapshot = Snapshot::open(&file, MapMode::Shared, 1 << 20).expect("opens");
    let cells = number(&bytes, 64 + CELLS * 24 + 8) as usize / ENTRY[CELLS];
    let flag = snapshot.find(b"first").expect("the flag");
    let value = variant_named(&snapshot, flag, b"a").and_then(|variant| variant.value).expect("its value");
    let length = || match snapshot.value(value) {
        Value::List(items) => (items.len(), items.count()),
        Value::Map(entries) => (entries.len(), entries.count()),
        other => panic!("{other:?}"),
    };
    assert_eq!(length(), (3, 3));
    let cell = (0..cells).find(|cell| get(&bytes, place(&bytes, CELLS, *cell, 0)) == 5).expect("a list");
    let at = place(&bytes, CELLS, cell, 0) as u64;
    for tag in [5u32, 6] {
        file.write_all_at(&tag.to_le_bytes(), at).expect("writes");
        for count in [u32::MAX, u32::MAX / 2, cells as u32 + 1] {
            file.write_all_at(&count.to_le_bytes(), at + 4).expect("writes");
            for payload in [0, 1, cells as u64 - 1, cells as u64, u64::from(u32::MAX), u64::MAX] {
                file.write_all_at(&payload.to_le_bytes(), at + 8).expect("writes");
                let (told, read) = length();
                assert!(told == read && told <= cells, "{told} told, {read} read of {cells} cells");
            }
        }
    }
}

/// Whatever the cells say, so many parts of a value are read and no more.
#[test]
fn a_value_has_no_more_parts_than_there_are_cells() {
    let snapshot = Snapshot::from_bytes(&compiled()).expect("opens");
    let cells = number(&compiled(), 64 + CELLS * 24 + 8) / ENTRY[CELLS] as u64;
    assert_eq!(u64::from(snapshot.value_parts()), cells);
}
