//! The audit trail tells everything, and shows where somebody changed it.

mod support;

use flagstone::audit::{Actor, diff};
use flagstone::definition::CompanyId;
use flagstone::publish::{BadRecord, Change, Store};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use support::damage::write_head;
use support::stores::{change, definitions, new_store, numbered, portal, publish};
use support::{TrustedDir, trusted_dir};

fn lines(store: &Path) -> Vec<String> {
    std::fs::read_to_string(store.join("audit.jsonl")).unwrap().lines().map(str::to_owned).collect()
}

fn write(store: &Path, lines: &[String]) {
    std::fs::write(store.join("audit.jsonl"), lines.iter().flat_map(|line| [line, "\n"]).collect::<String>())
        .unwrap();
}

/// A store with eight records: init, three publishes (two records each), a kill.
fn eight_records() -> (TrustedDir, PathBuf, Store) {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    for number in 1..=3 {
        publish(&store, &numbered(number));
    }
    store.kill("portal", change()).unwrap();
    let check = store.verify_audit().unwrap();
    assert_eq!((check.records, check.first_bad, check.torn_end), (8, None, false));
    assert_eq!(lines(&path).len(), 8);
    (dir, path, store)
}

fn first_bad(store: &Store) -> BadRecord {
    store.verify_audit().unwrap().first_bad.expect("something bad")
}

#[test]
fn a_record_says_who_when_why_what_and_field_by_field() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &portal(false));
    let record: Value = serde_json::from_str(&lines(&path)[3]).unwrap();
    assert_eq!(record["seq"], 4);
    assert_eq!(record["actor"], json!({"user": "alice", "uid": 1000, "host": "web1"}));
    assert_eq!(record["environment"], "production");
    assert_eq!((&record["action"], &record["outcome"]), (&json!("publish"), &json!("intended")));
    assert_eq!(record["reason"], "a test");
    assert_eq!((&record["from"], &record["to"]), (&json!(1), &json!(2)));
    assert_eq!(record["content"], store.status().unwrap().content_id.unwrap());
    let difference =
        json!([{"flag": "portal", "pointer": "/flags/portal/enabled", "before": true, "after": false}]);
    assert_eq!(record["differences"], difference);
    assert!(record["at"].as_str().unwrap().starts_with("20"));
    let outcome: Value = serde_json::from_str(&lines(&path)[4]).unwrap();
    assert_eq!((&outcome["outcome"], &outcome["intention"]), (&json!("done"), &json!(4)));
    assert_eq!(outcome["prev"], record["hash"]);
}

#[test]
fn a_record_s_hash_can_be_computed_with_the_tools_of_any_machine() {
    let (dir, path, _) = eight_records();
    let one = dir.join("one");
    std::fs::write(&one, &lines(&path)[4]).unwrap();
    let script = format!("sed 's/,\"hash\":.*//' {} | tr -d '\\n' | sha256sum", one.display());
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let record: Value = serde_json::from_str(&lines(&path)[4]).unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with(record["hash"].as_str().unwrap()));
}

#[test]
fn an_edited_record_is_found() {
    let (_dir, path, store) = eight_records();
    let good = lines(&path);
    for number in 0..8 {
        let mut bad = good.clone();
        bad[number] = bad[number].replace(r#""action":"#, r#""action": "#);
        write(&path, &bad);
        assert_eq!(first_bad(&store).seq, number as u64 + 1);
    }
    // With a hash that fits the edit, the next record does not; at the end, the head does not.
    for number in 0..8 {
        let mut bad = good.clone();
        bad[number] =
            forged(&bad[number].replacen(r#""reason":"a test""#, r#""reason":"a lie""#, 1).replacen(
                "production",
                "prod",
                1,
            ));
        write(&path, &bad);
        let found = first_bad(&store);
        // Where a snapshot names the record, that one already shows it.
        let shown = if [1, 3, 5].contains(&number) { number + 1 } else { (number + 2).min(9) };
        assert_eq!(found.seq, shown as u64, "{found:?}");
    }
}

/// The line with a hash that fits what it says now.
fn forged(line: &str) -> String {
    use std::io::Write;
    let body = line.rsplit_once(",\"hash\":").unwrap().0;
    let mut sum = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    sum.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let hash = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    format!("{body},\"hash\":\"{}\"}}", &hash[..64])
}

#[test]
fn a_dropped_record_is_found() {
    let (_dir, path, store) = eight_records();
    let good = lines(&path);
    for number in 0..8 {
        let mut bad = good.clone();
        bad.remove(number);
        write(&path, &bad);
        assert_eq!(first_bad(&store).seq, number as u64 + 1);
    }
}

#[test]
fn records_in_another_order_are_found() {
    let (_dir, path, store) = eight_records();
    let good = lines(&path);
    for number in 0..7 {
        let mut bad = good.clone();
        bad.swap(number, number + 1);
        write(&path, &bad);
        assert_eq!(first_bad(&store).seq, number as u64 + 1);
    }
}

#[test]
fn an_end_cut_off_is_found_and_stays_found() {
    let (_dir, path, store) = eight_records();
    let good = lines(&path);
    for kept in 0..8 {
        write(&path, &good[..kept]);
        let found = first_bad(&store);
        assert_eq!(found.seq, kept as u64 + 1);
        assert!(found.problem.contains(&format!("{} records", 8 - kept)), "{found:?}");
    }
    std::fs::remove_file(path.join("audit.jsonl")).unwrap();
    assert_eq!(first_bad(&store).seq, 1);
    // Nothing that is written afterwards closes the gap.
    write(&path, &good[..5]);
    store.revive("portal", change()).unwrap();
    publish(&store, &numbered(9));
    assert_eq!(first_bad(&store).seq, 6);
    // Nor where the last record was made into noise, which looks like a line torn by a death.
    let mut noise = good.clone();
    noise[7] = "noise".to_owned();
    write(&path, &noise);
    store.revive("portal", change()).unwrap();
    store.kill("portal", change()).unwrap();
    assert_eq!(first_bad(&store).seq, 8);
}

#[test]
fn an_end_cut_off_together_with_an_older_head_is_shown_by_the_snapshots_that_are_there() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    let (head, trail) = (std::fs::read(path.join("head")).unwrap(), lines(&path));
    publish(&store, &numbered(2));
    write(&path, &trail);
    std::fs::write(path.join("head.old"), head).unwrap();
    std::fs::rename(path.join("head.old"), path.join("head")).unwrap();
    let bad = first_bad(&store);
    assert_eq!(bad.seq, 4);
    // After a restore as docs/operations.md has it, a reader took the backup for a forgery.
    for text in [
        "no record tells of generation 2, whose snapshot is there",
        "; or the trail was restored from a backup that is older than that snapshot",
    ] {
        assert!(bad.problem.contains(text), "{}", bad.problem);
    }
}

/// The trail with the chain computed anew from that line on, and the head's words for it: what somebody does who may write
/// both and knows how they fit together.
fn rewrite(store: &Path, mut lines: Vec<String>, from: usize) {
    let hash = |line: &str| line.rsplit_once(",\"hash\":\"").unwrap().1[..64].to_owned();
    for number in from..lines.len() {
        let body = lines[number].rsplit_once(",\"prev\":\"").unwrap().0;
        let before = if number == 0 { "0".repeat(64) } else { hash(&lines[number - 1]) };
        lines[number] = forged(&format!("{body},\"prev\":\"{before}\",\"hash\":\"\"}}"));
    }
    write(store, &lines);
    let trail = std::fs::read(store.join("audit.jsonl")).unwrap();
    write_head(store, 288, &anchor(&trail));
}

#[test]
fn a_snapshot_names_the_record_that_intends_its_publish() {
    let (_dir, path, store) = eight_records();
    let check = store.verify_audit().unwrap();
    assert_eq!(check.snapshots, 3);
    for generation in 1..=3 {
        let snapshot = store.snapshot(generation).unwrap();
        let audited = snapshot.audited().unwrap().unwrap();
        let record: Value = serde_json::from_str(&lines(&path)[audited.record as usize - 1]).unwrap();
        assert_eq!((&record["outcome"], &record["to"]), (&json!("intended"), &json!(generation)));
        assert_eq!(record["hash"], audited.hash);
        assert_eq!(record["content"], snapshot.content_id().to_string());
    }
    // A rollback's snapshot has the content of then, and names the record of now.
    let back = store.rollback(Some(1), change()).unwrap();
    let (first, again) = (store.snapshot(1).unwrap(), store.snapshot(back.generation).unwrap());
    assert_eq!(first.content_id(), again.content_id());
    assert_eq!(again.audited().unwrap().unwrap().record, 9);
}

#[test]
fn a_trail_rewritten_from_any_line_on_is_shown_by_what_snapshots_name() {
    let (_dir, path, store) = eight_records();
    let good = lines(&path);
    // The publishes are intended in records 2, 4 and 6: whatever is rewritten up to there shows at the next of them.
    for (number, found_at) in [(0, 2), (1, 2), (2, 4), (3, 4), (4, 6), (5, 6)] {
        let mut bad = good.clone();
        bad[number] = bad[number].replacen("production", "staging", 1);
        rewrite(&path, bad, number);
        let found = first_bad(&store);
        assert_eq!((found.line, found.seq), (found_at, found_at), "{found:?}");
        let generation = found_at / 2;
        let told = format!("is not the one that the snapshot of generation {generation} names");
        assert!(found.problem.contains(&told), "{found:?}");
        let lines = format!("something in lines {} to {found_at} was written over", found_at - 1);
        assert!(found.problem.contains(&lines), "{found:?}");
    }
    rewrite(&path, good.clone(), 0);
    assert_eq!(store.verify_audit().unwrap().first_bad, None, "rewritten as it was");
    // Behind the last publish no snapshot knows of anything yet; the next one does.
    let mut bad = good.clone();
    bad[7] = bad[7].replacen("production", "staging", 1);
    rewrite(&path, bad, 7);
    assert_eq!(store.verify_audit().unwrap().first_bad, None);
    rewrite(&path, good.clone(), 7);
    publish(&store, &numbered(4));
    let mut bad = lines(&path);
    bad[7] = bad[7].replacen("production", "staging", 1);
    rewrite(&path, bad, 7);
    assert_eq!(first_bad(&store).line, 9);
}

#[test]
fn an_end_cut_off_is_shown_although_the_head_was_made_to_fit_and_the_trail_went_on() {
    let (_dir, path, store) = eight_records();
    let good = lines(&path);
    // A record taken out and the chain closed over it: the numbers are right again, the hashes are not those of then.
    let renumber = |line: &str, from: u64, to: u64| {
        line.replacen(&format!("\"seq\":{from},"), &format!("\"seq\":{to},"), 1).replacen(
            &format!("\"intention\":{}", from - 1),
            &format!("\"intention\":{}", to - 1),
            1,
        )
    };
    let mut bad = good[..3].to_vec();
    bad.extend((5..8).map(|number| renumber(&good[number], number as u64 + 1, number as u64 - 1)));
    rewrite(&path, bad, 3);
    let found = first_bad(&store);
    assert_eq!(found.line, 4, "{found:?}");
    // The end cut off, the head made to fit, and other changes made since.
    rewrite(&path, good[..5].to_vec(), 5);
    store.revive("portal", change()).unwrap();
    store.kill("portal", change()).unwrap();
    let found = first_bad(&store);
    assert_eq!((found.line, found.seq), (6, 6), "{found:?}");
    assert!(found.problem.contains("lines 5 to 6"), "{found:?}");
}

#[test]
fn a_line_torn_by_a_death_is_borne_and_closed_over_by_the_next_change() {
    let (_dir, path, store) = eight_records();
    let whole = std::fs::read(path.join("audit.jsonl")).unwrap();
    store.revive("portal", change()).unwrap();
    let more = std::fs::read(path.join("audit.jsonl")).unwrap();
    let line = &more[whole.len()..];
    for length in 1..line.len() {
        // The head as it was before that change as well: it is told after the line is written.
        let dir = trusted_dir();
        let torn_path = dir.join("store");
        copy(&path, &torn_path);
        let mut torn = whole.clone();
        torn.extend_from_slice(&line[..length]);
        std::fs::write(torn_path.join("audit.jsonl"), &torn).unwrap();
        let head = std::fs::OpenOptions::new().write(true).open(torn_path.join("head")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&head, &anchor(&whole), 288).unwrap();

        // No worker has another head in this one's place.
        let store = Store::open(&torn_path).unwrap().with_lock_timeout(std::time::Duration::ZERO);
        let check = store.verify_audit().unwrap();
        let complete = length == line.len() - 1;
        assert_eq!((check.first_bad, check.torn_end), (None, !complete), "{length} bytes");
        store.stop_all(change()).unwrap();
        let check = store.verify_audit().unwrap();
        let records = if complete { 10 } else { 9 };
        assert_eq!(
            (check.records, check.first_bad, check.torn_end),
            (records, None, false),
            "{length} bytes"
        );
        let last: Value = serde_json::from_str(lines(&torn_path).last().unwrap()).unwrap();
        assert_eq!(last["torn"]["bytes"].as_u64(), (!complete).then_some(length as u64));

        if length % 100 == 0 {
            // What was closed over cannot be taken out or changed any more.
            let good = lines(&torn_path);
            let mut bad = good.clone();
            bad.remove(8);
            write(&torn_path, &bad);
            assert_eq!(first_bad(&store).seq, 9);
            let mut bad = good.clone();
            bad[8].replace_range(0..1, "[");
            write(&torn_path, &bad);
            assert_eq!(first_bad(&store).seq, 9);
        }
    }
}

/// The two words of the head for an audit trail that ends there.
fn anchor(audit: &[u8]) -> Vec<u8> {
    let last: Value =
        serde_json::from_slice(audit.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let hash = u64::from_str_radix(&last["hash"].as_str().unwrap()[..16], 16).unwrap();
    [last["seq"].as_u64().unwrap().to_le_bytes(), hash.to_le_bytes()].concat()
}

fn copy(from: &Path, to: &Path) {
    assert!(std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn no_text_forges_a_line_or_moves_a_cursor() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let evil = "a\nb\r{\"seq\":9}\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{2028}\u{200b}\u{feff}\u{e0041}\u{0}\",\"hash\":\"";
    let actor = Actor {
        user: evil.to_owned(),
        account: Some(evil.to_owned()),
        uid: 1,
        host: evil.to_owned(),
        claimed: false,
    };
    publish(&store, &definitions(r#"{"a":{"enabled":true}}"#));
    let change = Change { actor, reason: Some(evil.to_owned()), base: None };
    store
        .publish(&definitions(&json!({"a": {"description": evil, "enabled": true}}).to_string()), change)
        .unwrap();
    let text = std::fs::read_to_string(path.join("audit.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 5);
    assert!(
        text.chars().all(|c| c == '\n' || (!c.is_control() && c < '\u{2000}' && c != '\u{ad}')),
        "{text:?}"
    );
    let check = store.verify_audit().unwrap();
    assert_eq!((check.records, check.first_bad), (5, None));
    let history = store.history().unwrap();
    let last = history.last().unwrap();
    assert_eq!(last.reason.as_deref(), Some(evil), "and nothing is lost");
    assert_eq!(last.actor.as_ref().unwrap().user, evil);
}

#[test]
fn a_record_holds_the_first_differences_and_counts_the_others() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    let flags: Vec<String> = (0..1_000)
        .map(|n| format!("\"f{n:04}\":{{\"description\":\"{}\",\"enabled\":true}}", "d".repeat(900)))
        .collect();
    let published = publish(&store, &definitions(&format!("{{{}}}", flags.join(","))));
    assert_eq!(published.differences.len(), 1_000);
    let record: Value = serde_json::from_str(&lines(&path)[1]).unwrap();
    assert_eq!(record["differences"].as_array().unwrap().len(), 200);
    assert_eq!(record["more_differences"], 800);
    assert!(record["differences"][0]["after"].as_str().unwrap().contains("bytes of JSON"));
    assert!(lines(&path)[1].len() < 100_000);
    assert_eq!(store.history().unwrap()[1].differences, 1_000);
    let change = Change { reason: Some("ä".repeat(100_000)), ..change() };
    store.kill("f0001", change).unwrap();
    assert!(lines(&path).last().unwrap().len() < 10_000);
    assert_eq!(store.verify_audit().unwrap().first_bad, None);
}

#[test]
fn a_publish_that_fails_after_its_intention_says_so_in_the_trail() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    std::fs::rename(path.join("snapshots"), path.join("aside")).unwrap();
    std::fs::create_dir(path.join("snapshots")).unwrap();
    // A directory in the way of the file that it would write.
    let published = store.publish(&portal(false), change()).expect("an empty folder is no obstacle");
    let name = format!("{:020}-{}.snapshot", 3, published.content_id);
    assert_eq!(published.generation, 2);
    std::fs::remove_dir_all(path.join("snapshots")).unwrap();
    std::fs::rename(path.join("aside"), path.join("snapshots")).unwrap();
    std::fs::create_dir(path.join("snapshots").join(format!(".{name}.tmp"))).unwrap();
    let error = store.publish(&portal(false), change()).unwrap_err().to_string();
    assert!(error.contains("nothing was changed, generation 2 stays"), "{error}");
    let last: Value = serde_json::from_str(lines(&path).last().unwrap()).unwrap();
    assert_eq!((&last["outcome"], &last["to"]), (&json!("failed"), &json!(2)));
    assert!(last["error"].as_str().unwrap().contains("cannot create"));
    let history = store.history().unwrap();
    assert_eq!(history.last().unwrap().outcome, flagstone::audit::Outcome::Failed);
}

#[test]
fn differences_are_told_field_by_field() {
    let a = definitions(
        r#"{"gone":{"enabled":true},"portal":{"enabled":true,"rollout":{"percentage":10},"companies":{"allow":[1,2,"x"]},"requires":["gone"]}}"#,
    );
    let b = definitions(
        r#"{"new/~":{"enabled":false},"portal":{"description":"d","enabled":true,"rollout":{"percentage":12.5,"salt":"s"},"companies":{"allow":[2,3,"x"],"deny":[9]}}}"#,
    );
    let found: Vec<Value> =
        diff(&a, &b).iter().map(|difference| serde_json::to_value(difference).unwrap()).collect();
    assert_eq!(
        Value::Array(found),
        json!([
            {"flag": "gone", "pointer": "/flags/gone", "before": {"enabled": true}},
            {"flag": "new/~", "pointer": "/flags/new~1~0", "after": {"enabled": false}},
            {"flag": "portal", "pointer": "/flags/portal/companies/allow", "before": [1, 2, "x"], "after": [2, 3, "x"],
                "list": {"added": 1, "removed": 1, "first_added": [3], "first_removed": [1]}},
            {"flag": "portal", "pointer": "/flags/portal/companies/deny", "after": [9],
                "list": {"added": 1, "removed": 0, "first_added": [9], "first_removed": []}},
            {"flag": "portal", "pointer": "/flags/portal/description", "after": "d"},
            {"flag": "portal", "pointer": "/flags/portal/requires", "before": ["gone"]},
            {"flag": "portal", "pointer": "/flags/portal/rollout/percentage", "before": 10, "after": 12.5},
            {"flag": "portal", "pointer": "/flags/portal/rollout/salt", "after": "s"},
        ])
    );
    assert!(diff(&a, &a).is_empty());
    assert_eq!(diff(&b, &a).len(), 8);
}

#[test]
fn a_long_list_is_told_as_numbers_and_the_first_few() {
    let list = |from: u32, to: u32| (from..to).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let flag = |list: &str| {
        definitions(&format!("{{\"p\":{{\"enabled\":true,\"companies\":{{\"allow\":[{list}]}}}}}}"))
    };
    let found = diff(&flag(&list(0, 200_000)), &flag(&list(100, 200_050)));
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].before.as_ref(), found[0].after.as_ref()),
        (Some(&json!({"count": 200_000})), Some(&json!({"count": 199_950})))
    );
    let list = found[0].list.as_ref().unwrap();
    assert_eq!((list.added, list.removed), (50, 100));
    assert_eq!(list.first_removed, (0..10).map(CompanyId::Int).collect::<Vec<_>>());
    assert_eq!(list.first_added, (200_000..200_010).map(CompanyId::Int).collect::<Vec<_>>());
}

#[test]
fn segments_and_rules_are_told_by_their_place() {
    let with = |country: &str| {
        let json = format!(
            r#"{{"flags":{{"p":{{"enabled":true,"rules":[{{"when":{{"segment":"s"}},"percentage":{}}}]}}}},"segments":{{"s":{{"attribute":"country","in":["{country}"]}}}}}}"#,
            country.len()
        );
        flagstone::definition::Definitions::from_canonical_json(json.as_bytes()).unwrap()
    };
    let found: Vec<_> =
        diff(&with("DE"), &with("AUT")).into_iter().map(|found| (found.flag, found.pointer)).collect();
    assert_eq!(
        found,
        [(Some("p".into()), "/flags/p/rules/0/percentage".into()), (None, "/segments/s/in/0".to_owned())]
    );
}

/// An edit of any segment was the last change of every flag.
#[test]
fn the_trail_tells_which_segments_were_edited_and_when() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    let with = |plan: &str| -> flagstone::definition::Definitions {
        let text = json!({
            "flags": { "portal": { "enabled": true, "rules": [{ "when": { "segment": "a/plan" } }] } },
            "segments": { "a/plan": { "attribute": "plan", "eq": plan }, "other": { "attribute": "x", "eq": 1 } },
        });
        serde_json::from_value(text).unwrap()
    };
    publish(&store, &with("pro"));
    std::thread::sleep(std::time::Duration::from_millis(2));
    publish(&store, &with("team"));
    let changed = store.changed(i64::MAX).unwrap();
    let first = changed.at("portal", []);
    assert!(first > 0);
    assert_eq!(changed.at("portal", ["other"]), first);
    assert!(changed.at("portal", ["a/plan", "other"]) > first);
}

fn flags_at(rollouts: &[(String, u32)]) -> flagstone::definition::Definitions {
    let flag = |(key, percentage): &(String, u32)| {
        (key.clone(), json!({ "enabled": true, "rollout": { "percentage": percentage } }))
    };
    let flags: serde_json::Map<String, serde_json::Value> = rollouts.iter().map(flag).collect();
    serde_json::from_value(json!({ "flags": flags })).unwrap()
}

/// An innocent flag was killed: a publish that had failed counted as its last change.
#[test]
fn a_publish_that_failed_is_no_change_of_a_flag() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    let full = |percentage| flags_at(&[("full".to_owned(), percentage), ("other".to_owned(), 1)]);
    publish(&store, &full(100));
    let before = store.changed(i64::MAX).unwrap().at("full", []);
    assert!(before > 0);
    // What it writes is known from a store where it did not fail.
    let (trail, copy) = (dir.join("store/audit.jsonl"), dir.join("copy"));
    let copied = std::process::Command::new("cp").arg("-a").args([&dir.join("store"), &copy]).status();
    assert!(copied.unwrap().success());
    std::thread::sleep(std::time::Duration::from_millis(2));
    publish(&flagstone::publish::Store::open(&copy).unwrap(), &full(50));
    let (before_it, with_it) = (
        std::fs::read_to_string(&trail).unwrap(),
        std::fs::read_to_string(copy.join("audit.jsonl")).unwrap(),
    );
    let [intended, done] = with_it[before_it.len()..].lines().collect::<Vec<_>>()[..] else {
        panic!("{with_it}")
    };
    assert!(intended.contains("\"intended\"") && intended.contains("\"differences\""), "{intended}");
    let failed = done.replace("\"outcome\":\"done\"", "\"outcome\":\"failed\"");
    assert_ne!(done, failed);
    for end in [vec![intended], vec![intended, &failed]] {
        std::fs::write(&trail, format!("{before_it}{}\n", end.join("\n"))).unwrap();
        assert_eq!(store.changed(i64::MAX).unwrap().at("full", []), before, "{end:?}");
    }
}

/// An innocent flag was killed: a publish that changed more than its record lists counted as a change of all flags.
#[test]
fn a_large_publish_changes_what_it_changed_and_nothing_else() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    let mut all: Vec<(String, u32)> = (0..600).map(|number| (format!("f{number:03}"), 10)).collect();
    publish(&store, &flags_at(&all));
    let first = store.changed(i64::MAX).unwrap();
    assert!(all.iter().all(|(key, _)| first.at(key, []) > 0));
    std::thread::sleep(std::time::Duration::from_millis(2));
    all.iter_mut().take(300).for_each(|(_, percentage)| *percentage = 20);
    publish(&store, &flags_at(&all));
    let changed = store.changed(i64::MAX).unwrap();
    for (number, (key, _)) in all.iter().enumerate() {
        assert_eq!(changed.at(key, []) > first.at(key, []), number < 300, "{key}");
    }
    // Where what was before is gone, only what is listed was changed.
    let snapshots = std::fs::read_dir(dir.join("store/snapshots")).unwrap();
    let mut paths: Vec<_> = snapshots.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    std::fs::remove_file(&paths[0]).unwrap();
    let changed = store.changed(i64::MAX).unwrap();
    let later = all.iter().filter(|(key, _)| changed.at(key, []) > first.at("f000", [])).count();
    assert!((1..300).contains(&later), "{later}");
}

/// The order was that of clocks: what a clock that was ahead had dated came last.
#[test]
fn changes_are_in_the_order_of_the_trail() {
    let dir = trusted_dir();
    let store = new_store(&dir.join("store"));
    let of = |a, b| flags_at(&[("a".to_owned(), a), ("b".to_owned(), b)]);
    for (a, b) in [(0, 0), (100, 0), (100, 100)] {
        publish(&store, &of(a, b));
    }
    let changed = store.changed(i64::MAX).unwrap();
    assert!(changed.at("a", []) < changed.at("b", []), "two publishes within one second are two");
    let now = changed.at("a", []) - 3_600_000_000;
    let back = store.changed(now).unwrap();
    assert_eq!(back.at("b", []), now);
    assert!(back.at("a", []) < now);
    let told = store.changes_since(now - 60_000_000, now).unwrap();
    assert_eq!(told[0], (now, "publish of generation 3".to_owned()));
    assert!(told.iter().all(|(at, _)| *at <= now) && told.len() == 4, "{told:?}");
}
