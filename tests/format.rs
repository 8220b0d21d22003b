//! The snapshot format, as `docs/snapshot-format.md` fixes it: the numbers literally, a golden file, and every way in
//! which bytes can be wrong.

use flagstone::Key;
use flagstone::definition::Definitions;
use flagstone::eval::{Question, Switches, evaluate, possible, variant};
use flagstone::{Attribute, MapMode, Snapshot, SnapshotError, Value, compile, key_hash};
use proptest::prelude::*;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Something of everything, small.
fn definitions() -> Definitions {
    let json = json!({
        "flags": {
            "all": {"enabled": true},
            "off": {"enabled": false},
            "tenth": {"enabled": true, "rollout": {"percentage": 10}},
            "rich": {
                "enabled": true,
                "rollout": {"percentage": 12.5, "by": "user", "salt": "s"},
                "companies": {"allow": [15, 42, 103, "acme"], "deny": [-7, 9_000_000_000_000_i64, "042"]},
                "requires": ["all"],
                "rules": [{"name": "r", "when": {"any": [
                    {"attribute": "plan", "in": ["pro", 7, 1.5, true]},
                    {"all": [{"segment": "dach"}, {"attribute": "v", "semver_gte": "1.2.3"}]}
                ]}, "percentage": 50}],
                "schedule": [{"at": "2026-12-01T08:00:00Z", "percentage": 50}],
                "variants": {"a": {"weight": 50}, "b": {"weight": 50, "value": {"columns": [1, {"x": null}], "y": "z"}}},
                "emergency": "keep"
            }
        },
        "segments": {"dach": {"attribute": "country", "in": ["AT", "CH", "DE"]}}
    });
    Definitions::from_canonical_json(json.to_string().as_bytes()).expect("definitions")
}

fn compiled() -> Vec<u8> {
    compile(&definitions(), "production").expect("compiles")
}

/// Makes the checksums right again, so that what is wrong with the bytes is left to the structural checks.
fn seal(bytes: &mut [u8]) {
    for section in 0..14 {
        let record = 64 + section * 24;
        let number =
            |at: usize| bytes.get(at..at + 8).map(|b| u64::from_le_bytes(b.try_into().expect("eight")));
        let (offset, size) = (number(record).unwrap_or(0) as usize, number(record + 8).unwrap_or(0) as usize);
        if let Some(part) = offset.checked_add(size).and_then(|end| bytes.get(offset..end)) {
            let checksum = xxh3_64(part).to_le_bytes();
            bytes[record + 16..record + 24].copy_from_slice(&checksum);
        }
    }
    let mut hash = Xxh3::new();
    hash.update(&bytes[..40]);
    hash.update(&[0; 8]);
    hash.update(&bytes[48..512]);
    bytes[40..48].copy_from_slice(&hash.digest().to_le_bytes());
}

/// Reads all there is to read; the only promise is to come back.
fn ask_everything(snapshot: &Snapshot) {
    let switches = Switches::new(snapshot, [b"all".as_slice()].into_iter(), false);
    for id in snapshot.flag_ids() {
        assert!(snapshot.needs(id).count() <= 1_000_000);
        for company in
            [None, Some(Key::Int(15)), Some(Key::Int(-7)), Some(Key::Text(b"acme")), Some(Key::Text(b"042"))]
        {
            let context = [
                ("plan", Attribute::Int(7)),
                ("country", Attribute::Text(b"DE")),
                ("v", Attribute::Text(b"1.2.4")),
                ("user", Attribute::Int(3)),
            ];
            let question = Question { company, context: &context, now: 1_800_000_000_000_000 };
            for switches in [&switches, &Switches::none()] {
                evaluate(snapshot, switches, id, &question);
                possible(snapshot, switches, id, question.now);
            }
            if let Some(value) = variant(snapshot, id, &question).and_then(|variant| variant.value) {
                let mut budget = 10_000;
                read(&snapshot.value(value), &mut budget);
            }
        }
    }
    let _ = snapshot.definitions_json();
}

fn read(value: &Value<'_>, budget: &mut u32) {
    *budget = budget.checked_sub(1).expect("a value is a tree no larger than the file");
    match value {
        Value::List(items) => items.clone().for_each(|item| read(&item, budget)),
        Value::Map(entries) => entries.clone().for_each(|(_, value)| read(&value, budget)),
        _ => {}
    }
}

#[test]
fn the_numbers_are_those_of_the_document() {
    let bytes = compiled();
    assert_eq!(&bytes[..8], b"\x89FSNAP\r\n");
    assert_eq!(bytes[8..16], [1, 0, 1, 0, 0, 2, 0, 0]);
    assert_eq!(u64::from_le_bytes(bytes[16..24].try_into().expect("eight")), bytes.len() as u64);
    assert_eq!(u32::from_le_bytes(bytes[48..52].try_into().expect("four")), 4);
    let entries = [1, 16, 128, 16, 4, 32, 32, 16, 32, 16, 64, 8, 1, 1];
    let mut end = 512;
    for (section, entry) in entries.iter().enumerate() {
        let record = 64 + section * 24;
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
        assert_eq!(number(record), u64::next_multiple_of(end, 64), "section {section}");
        assert_eq!(number(record + 8) % entry, 0, "section {section}");
        end = number(record) + number(record + 8);
    }
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
    assert_eq!([number(400), number(408), number(416)], [end.next_multiple_of(64), 48, 0]);
    assert_eq!(number(400) + 48, bytes.len() as u64);
    let audit = &bytes[bytes.len() - 48..];
    assert_eq!(audit[..40], [0; 40]);
    assert_eq!(audit[40..], xxh3_64(&[0; 40]).to_le_bytes());
}

#[test]
fn the_example_of_the_document_is_what_is_compiled() {
    let document = std::fs::read_to_string("docs/snapshot-format.md").expect("the document");
    let example = document.split("## An example").nth(1).expect("the example");
    let json = example.split('`').nth(1).expect("its definitions");
    let bytes =
        compile(&Definitions::from_canonical_json(json.as_bytes()).expect("definitions"), "dev").unwrap();
    let mut dump = Vec::new();
    for (row, found) in bytes.chunks(16).enumerate() {
        if found.iter().all(|byte| *byte == 0) {
            if dump.last().is_some_and(|last| last != "*") {
                dump.push("*".to_owned());
            }
            continue;
        }
        let hex: Vec<String> = found.iter().map(|byte| format!("{byte:02x}")).collect();
        let printed = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
        let text: String = found.iter().map(printed).collect();
        dump.push(format!("{:04x}  {:<47}  {text}", row * 16, hex.join(" ")));
    }
    let written: Vec<&str> = example.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(written, dump);
    let question = Question { company: Some(Key::Int(43)), context: &(), now: 0 };
    let snapshot = Snapshot::from_bytes(&bytes).unwrap();
    let answer = evaluate(&snapshot, &Switches::none(), snapshot.find(b"beta").unwrap(), &question);
    let bucket = answer.bucket.unwrap();
    let said =
        format!("{},{:03}, {}", bucket / 1000, bucket % 1000, if answer.on { "below" } else { "not below" });
    assert!(example.contains(&said), "{said}");
}

#[test]
fn the_hash_of_a_key_is_the_one_that_php_caches() {
    // From PHP: zend_string_hash_val of these strings.
    assert_eq!(key_hash(b""), 5381 | 1 << 63);
    assert_eq!(key_hash(b"a"), 177_670 | 1 << 63);
    assert_eq!(key_hash(b"Ez"), key_hash(b"FY"));
}

#[test]
fn two_compilations_give_the_same_bytes_and_embed_what_they_were_made_of() {
    let bytes = compiled();
    assert_eq!(bytes, compiled());
    let snapshot = Snapshot::from_bytes(&bytes).expect("opens");
    let embedded = snapshot.definitions_json().expect("definitions");
    assert_eq!(Definitions::from_canonical_json(embedded).expect("reads"), definitions());
    assert_eq!(snapshot.environment(), "production");
}

/// Written by each version of the format, and never again: a reader that cannot read one has broken the format.
#[test]
fn the_golden_files_are_read_and_the_newest_is_still_written() {
    let golden = |version: &str| {
        let name = format!("tests/fixtures/everything-{version}.snapshot");
        let golden = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&name)).expect(&name);
        let snapshot = Snapshot::from_bytes(&golden).expect("opens");
        snapshot.verify().expect("verifies");
        assert_eq!(snapshot.audited().expect("nothing is damaged"), None);
        ask_everything(&snapshot);
        golden
    };
    golden("1.0");
    assert!(golden("1.1") == compiled(), "the compiler writes other bytes than the golden file has");
}

#[test]
fn flags_whose_keys_share_a_hash_are_told_apart() {
    let json = json!({"flags": {
        "EzEz": {"enabled": true}, "EzFY": {"enabled": false}, "FYEz": {"enabled": true}, "FYFY": {"enabled": false}
    }});
    let definitions = Definitions::from_canonical_json(json.to_string().as_bytes()).expect("definitions");
    let snapshot = Snapshot::from_bytes(&compile(&definitions, "t").expect("compiles")).expect("opens");
    snapshot.verify().expect("every flag is found by its own key");
    assert!(snapshot.find(b"EzXX").is_none());
}

#[test]
fn every_prefix_is_refused() {
    let bytes = compiled();
    for length in 0..bytes.len() {
        assert!(Snapshot::from_bytes(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = compiled();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let verdict = Snapshot::from_bytes(&bytes).and_then(|snapshot| snapshot.verify());
        assert!(verdict.is_err(), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn a_flipped_bit_under_a_right_checksum_is_refused_or_answered_safely() {
    let bytes = compiled();
    let mut opened = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        seal(&mut bytes);
        if let Ok(snapshot) = Snapshot::from_bytes(&bytes) {
            opened += 1;
            ask_everything(&snapshot);
        }
    }
    assert!(opened > 0, "the checksums were not made right, so nothing was tried");
}

/// A good snapshot, mapped shared, and its file, which has no name any more.
fn mapped() -> (Snapshot, File) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "mapped-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
    std::fs::remove_file(&path).expect("its own file");
    file.write_all_at(&compiled(), 0).expect("writes");
    (Snapshot::open(&file, MapMode::Shared, 1 << 20).expect("opens"), file)
}

/// Asks each flag for what lists hold; whatever the answer.
fn ask_lists(snapshot: &Snapshot) {
    for id in snapshot.flag_ids() {
        for company in [Key::Int(15), Key::Int(-7), Key::Text(b"acme"), Key::Text(b"042")] {
            let question = Question { company: Some(company), context: &(), now: 0 };
            evaluate(snapshot, &Switches::none(), id, &question);
        }
    }
}

/// The size of a list's table was added to and taken from as it stood in the file: written over under a shared mapping, the
/// sum overflowed. Found by fuzzing (`changed`).
#[test]
fn bytes_written_under_a_shared_mapping_are_answered_safely() {
    let good = compiled();
    let (snapshot, file) = mapped();
    for at in 0..good.len() - 8 {
        for bytes in [[0; 8], [0xff; 8]] {
            file.write_all_at(&bytes, at as u64).expect("writes");
            ask_lists(&snapshot);
        }
        file.write_all_at(&good[at..at + 8], at as u64).expect("writes");
    }
}

/// A list's longest probe was believed as it stood in the file, so that four billion steps could follow one write.
#[test]
fn a_probe_written_under_a_shared_mapping_is_no_longer_than_the_words() {
    let good = compiled();
    let (snapshot, file) = mapped();
    let lists = 64 + 10 * 24;
    let [first, size] =
        [lists, lists + 8].map(|at| u64::from_le_bytes(good[at..at + 8].try_into().expect("eight")));
    for list in (first..first + size).step_by(64) {
        file.write_all_at(&[0xff; 4], list + 4).expect("writes");
        file.write_all_at(&[0xff; 8], list + 16).expect("writes");
    }
    let start = Instant::now();
    ask_lists(&snapshot);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn each_reason_to_refuse_is_told_apart() {
    let change = |at: usize, with: &[u8], sealed: bool| {
        let mut bytes = compiled();
        bytes[at..at + with.len()].copy_from_slice(with);
        if sealed {
            seal(&mut bytes);
        }
        Snapshot::from_bytes(&bytes).expect_err("must be refused")
    };
    assert!(matches!(change(0, b"x", true), SnapshotError::Magic { .. }));
    assert!(matches!(change(8, &[2], true), SnapshotError::Major { found: 2 }));
    assert!(matches!(change(24, &[1], true), SnapshotError::Feature { unknown: 1 }));
    assert!(matches!(change(40, &[0; 8], false), SnapshotError::Checksum { section: "header", .. }));
    assert!(matches!(change(520, b"\xff", false), SnapshotError::Checksum { section: "strings", .. }));
    assert!(matches!(change(52, &[0xff; 4], true), SnapshotError::Structure { section: "index", .. }));
    assert!(matches!(Snapshot::from_bytes(b"short"), Err(SnapshotError::TooShort { found: 5 })));
    let text = change(8, &[9], true).to_string();
    assert_eq!(text, "format 9, this build reads 1; publish again with this version, or upgrade the reader");
}

/// As a later minor version would write it: a section after the last, in the reserved bytes of the header's table.
fn with_a_section_more(minor: u8) -> Vec<u8> {
    let mut bytes = compiled();
    bytes.resize(bytes.len().next_multiple_of(64), 0);
    let offset = bytes.len() as u64;
    bytes.extend([7; 40]);
    bytes[10] = minor;
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    for (at, number) in [(424, offset), (432, 40), (440, xxh3_64(&[7; 40]))] {
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    seal(&mut bytes);
    bytes
}

#[test]
fn a_later_minor_version_with_a_section_more_is_answered_from() {
    let snapshot = Snapshot::from_bytes(&with_a_section_more(2)).expect("opens");
    snapshot.verify().expect("verifies");
    ask_everything(&snapshot);
    let (first, all) = (Snapshot::from_bytes(&compiled()).expect("opens"), snapshot.flag_ids());
    assert_eq!(first.flag_ids().count(), all.count());
    for minor in [0, 1] {
        let refused =
            Snapshot::from_bytes(&with_a_section_more(minor)).expect_err("bytes that it knows nothing of");
        assert!(matches!(refused, SnapshotError::Structure { section: "header", field: "file_size", .. }));
    }
}

#[test]
fn an_empty_section_that_would_begin_past_the_end_is_refused() {
    let mut bytes = compiled();
    let definitions = 64 + 13 * 24;
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
    let keys_end = (number(definitions - 24) + number(definitions - 16)) as usize;
    assert_ne!(keys_end % 64, 0, "the file would end where the section begins");
    bytes.truncate(keys_end);
    bytes[16..24].copy_from_slice(&(keys_end as u64).to_le_bytes());
    bytes[definitions + 8..definitions + 16].fill(0);
    seal(&mut bytes);
    let refused = Snapshot::from_bytes(&bytes).expect_err("must be refused");
    assert!(matches!(refused, SnapshotError::Structure { section: "definitions", field: "offset", .. }));
}

/// Whom it matters to, those who publish and who check the audit trail, find the damage; a worker answers all the same.
#[test]
fn what_a_snapshot_says_of_the_audit_trail_is_no_part_of_its_content() {
    let (first, mut bytes) = (Snapshot::from_bytes(&compiled()).expect("opens"), compiled());
    let at = bytes.len() - 48;
    bytes[at] = 7;
    bytes[at + 8..at + 40].fill(0xab);
    let unsealed = Snapshot::from_bytes(&bytes).expect("opens");
    assert_eq!(unsealed.content_id(), first.content_id());
    assert!(matches!(unsealed.verify(), Err(SnapshotError::Checksum { section: "audit", .. })));
    let checksum = xxh3_64(&bytes[at..at + 40]);
    bytes[at + 40..].copy_from_slice(&checksum.to_le_bytes());
    let snapshot = Snapshot::from_bytes(&bytes).expect("opens");
    snapshot.verify().expect("verifies");
    let audited = snapshot.audited().expect("its checksum agrees").expect("it names a record");
    assert_eq!((audited.record, audited.hash), (7, "ab".repeat(32)));
    assert_eq!(snapshot.content_id(), first.content_id());
}

#[test]
fn an_audit_section_that_is_elsewhere_or_of_another_size_is_refused() {
    for (at, field) in [(400, "offset"), (408, "size"), (416, "checksum")] {
        let mut bytes = compiled();
        bytes[at] ^= 64;
        seal(&mut bytes);
        let refused = Snapshot::from_bytes(&bytes).expect_err("must be refused");
        let SnapshotError::Structure { section: "audit", field: found, .. } = refused else {
            panic!("{refused}")
        };
        assert_eq!(found, field);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_bytes_are_refused_or_answered_safely(
        writes in prop::collection::vec((0usize..8192, prop::array::uniform4(any::<u8>())), 1..8)
    ) {
        let mut bytes = compiled();
        for (at, with) in writes {
            let at = at % (bytes.len() - 4);
            bytes[at..at + 4].copy_from_slice(&with);
        }
        seal(&mut bytes);
        if let Ok(snapshot) = Snapshot::from_bytes(&bytes) {
            ask_everything(&snapshot);
        }
    }
}
