//! `"was"`: one flag under two keys.

use flagstone::audit::diff;
use flagstone::definition::{self, Definitions, Percentage};
use flagstone::flag_change::{Edit, change_published};
use flagstone::merge::{Merged, Options, keep_base, merge, open_conflicts, pull};
use flagstone::{Key, Question, Snapshot, Switches, compile, evaluate};

/// 2026-11-21.
const NOW: i64 = 1_795_219_200_000_000;
const TODAY: &str = "2026-11-21";

#[track_caller]
fn file(flags: &str) -> Definitions {
    let text = format!(r#"{{"flags": {{{flags}}}}}"#);
    let checked = definition::load("f", text.as_bytes(), None, TODAY);
    checked.unwrap_or_else(|report| panic!("{report}{text}")).definitions
}

fn problems(flags: &str) -> String {
    let text = format!(r#"{{"flags": {{{flags}}}}}"#);
    definition::load("f", text.as_bytes(), None, TODAY)
        .err()
        .map_or(String::new(), |report| report.to_string())
}

fn options() -> Options {
    Options { now: NOW, lossy: true, ..Options::default() }
}

#[track_caller]
fn merged(running: &Definitions, file: &Definitions, options: &Options) -> Merged {
    let merged = merge(Some(running), file, options).unwrap_or_else(|error| panic!("{error}"));
    // What the next command reads from a snapshot.
    let json = merged.definitions.to_canonical_json();
    assert_eq!(Definitions::from_canonical_json(&json).unwrap(), merged.definitions);
    merged
}

fn first(flags: &str) -> Definitions {
    merge(None, &file(flags), &options()).unwrap().definitions
}

fn snapshot(definitions: &Definitions) -> Snapshot {
    let snapshot = Snapshot::from_bytes(&compile(definitions, "test").unwrap()).unwrap();
    snapshot.verify().unwrap();
    snapshot
}

/// Which of 2,000 companies have the flag, and in which variant.
fn who(definitions: &Definitions, key: &str) -> Vec<(i64, Option<String>)> {
    let snapshot = snapshot(definitions);
    let Some(id) = snapshot.find(key.as_bytes()) else { return Vec::new() };
    let has = |company: i64| {
        let question = Question { company: Some(Key::Int(company)), context: &(), now: NOW };
        let variant = flagstone::variant(&snapshot, id, &question).map(|variant| variant.name.to_owned());
        evaluate(&snapshot, &Switches::none(), id, &question).on.then_some((company, variant))
    };
    (0..2_000).filter_map(has).collect()
}

fn share(percentage: u32) -> Edit {
    Edit::Rollout(Percentage::from_thousandths(percentage * 1000).unwrap())
}

#[track_caller]
fn turned(running: &Definitions, flag: &str, edit: &Edit) -> Definitions {
    change_published("running", running, flag, edit, NOW)
        .unwrap_or_else(|error| panic!("{error}"))
        .definitions
}

const OLD: &str = r#""old": {"enabled": true, "rollout": {"percentage": 30}, "variants": {"a": {"weight": 50}, "b": {"weight": 50}}}"#;
const NEW: &str = r#""new": {"was": "old", "enabled": true, "rollout": {"percentage": 30}, "variants": {"a": {"weight": 50}, "b": {"weight": 50}}}"#;
const NEW_ALONE: &str = r#""new": {"enabled": true, "rollout": {"percentage": 30}, "variants": {"a": {"weight": 50}, "b": {"weight": 50}}}"#;

#[test]
fn a_former_key_answers_as_the_flag_does_and_draws_the_same_companies() {
    let (before, after) = (file(OLD), file(NEW));
    assert_eq!(who(&before, "old"), who(&after, "new"));
    assert_eq!(who(&after, "old"), who(&after, "new"));
    assert!(who(&before, "old").len() > 400);
    let snapshot = snapshot(&after);
    let [old, new] = ["old", "new"].map(|key| snapshot.find(key.as_bytes()).unwrap());
    assert_eq!((snapshot.renamed_to(old), snapshot.renamed_to(new)), (Some(new), None));
    assert_eq!((snapshot.keys_of("old"), snapshot.keys_of("new")), (vec!["old", "new"], vec!["new", "old"]));
    assert_eq!(snapshot.flag_fields(old).unwrap().renamed_to.as_deref(), Some("new"));
    // A salt that is written counts, as ever.
    let salted =
        file(r#""new": {"was": "old", "enabled": true, "rollout": {"percentage": 30, "salt": "s"}}"#);
    assert_ne!(who(&salted, "new").len(), who(&after, "new").len());
}

#[test]
fn check_refuses_a_former_key_that_is_a_flag_or_that_of_two() {
    for (flags, expected) in [
        (r#""a": {"was": "b", "enabled": true}, "b": true"#, "a was b, which is a flag as well"),
        (r#""a": {"was": "a", "enabled": true}"#, "a was a, its own key"),
        (
            r#""a": {"was": "c", "enabled": true}, "b": {"was": "c", "enabled": true}"#,
            "b and a both say that they were c",
        ),
        (r#""a": {"was": "", "enabled": true}"#, "expected the key that the flag had"),
        (r#""a": {"was": 5, "enabled": true}"#, "expected the key that the flag had"),
        (
            r#""a": {"was": "b", "enabled": true}, "c": {"enabled": true, "requires": ["b"]}"#,
            "unknown flag \"b\": it is called \"a\" now",
        ),
    ] {
        let found = problems(flags);
        assert!(found.contains(expected), "{flags}: {found}");
    }
}

#[test]
fn a_rename_takes_along_who_turned_it_its_base_and_its_companies() {
    let running = turned(&first(OLD), "old", &share(5));
    let before = who(&running, "old");
    let renamed = merged(&running, &file(NEW), &options());
    assert_eq!((renamed.renamed.len(), renamed.conflicts.len()), (1, 0));
    assert!(renamed.orphans.is_empty() && renamed.lookalikes.is_empty() && renamed.unsaid.is_empty());
    let definitions = &renamed.definitions;
    assert_eq!(definitions.flags.keys().collect::<Vec<_>>(), ["new"]);
    assert_eq!((who(definitions, "new"), who(definitions, "old")), (before.clone(), before.clone()));
    // The base came along: 5 % was turned, the file says what it said.
    assert_eq!(renamed.drift[0].to_string(), "new: percentage is 5 %, the file says 30 %");
    let edit = file(&NEW.replace("30", "60"));
    assert_eq!(merged(definitions, &edit, &options()).conflicts.len(), 1);
    // Again is nothing, and what is turned by the former key is the flag.
    assert_eq!(&merged(definitions, &file(NEW), &options()).definitions, definitions);
    let by_hand = turned(definitions, definitions.current_key("old"), &share(50));
    assert_eq!(merged(&by_hand, &file(NEW), &options()).definitions, by_hand);
    let told = diff(&running, definitions);
    assert_eq!(
        told.iter().map(|difference| difference.pointer.as_str()).collect::<Vec<_>>(),
        ["/flags/new/was"]
    );
}

#[test]
fn who_requires_a_renamed_flag_requires_it_by_its_new_key() {
    let others = r#", "page": {"enabled": true, "requires": ["old"]}"#;
    let running = first(&format!("{OLD}{others}, \"more\": true"));
    let before = who(&running, "page");
    let file = file(&format!("{NEW}{}, \"more\": true", others.replace("old", "new")));
    let renamed = merged(&running, &file, &options());
    assert_eq!((renamed.conflicts.len(), renamed.drift.len()), (0, 0));
    assert_eq!(who(&renamed.definitions, "page").len(), before.len());
    assert_eq!(renamed.definitions.flags["page"].requires, ["new"]);
    // One that the file does not have requires it as well, and stays.
    let orphan = merged(&running, &self::file(&format!("{NEW}, \"more\": true")), &options());
    assert_eq!(orphan.definitions.flags["page"].requires, ["new"]);
}

#[test]
fn a_former_key_that_the_file_no_longer_has_answers_until_it_is_pruned() {
    let renamed = merged(&first(OLD), &file(NEW), &options()).definitions;
    let before = who(&renamed, "new");
    let kept = merged(&renamed, &file(NEW_ALONE), &options());
    assert_eq!(kept.definitions, renamed);
    assert_eq!(kept.unsaid.iter().map(|unsaid| unsaid.field).collect::<Vec<_>>(), ["was"]);
    let pruned = merged(&renamed, &file(NEW_ALONE), &Options { prune: true, ..options() });
    assert_eq!((who(&pruned.definitions, "new"), who(&pruned.definitions, "old").len()), (before, 0));
    assert_eq!((pruned.ended[0].from.as_str(), pruned.ended[0].to.as_str()), ("old", "new"));
    assert_eq!(pruned.definitions.flags["new"].rollout.as_ref().unwrap().salt.as_deref(), Some("old"));
    // A flag of that name later is another one.
    let again = merged(&renamed, &file(&format!("{NEW_ALONE}, \"old\": false")), &options());
    assert_eq!((who(&again.definitions, "new").len() > 400, who(&again.definitions, "old").len()), (true, 0));
}

#[test]
fn a_rename_that_is_taken_back_is_the_same_flag_still() {
    let running = turned(&first(OLD), "old", &share(5));
    let before = who(&running, "old");
    let renamed = merged(&running, &file(NEW), &options()).definitions;
    let back = merged(&renamed, &file(OLD), &options());
    assert_eq!((who(&back.definitions, "old"), who(&back.definitions, "new")), (before.clone(), before));
    let drift: Vec<_> = back.drift.iter().map(ToString::to_string).collect();
    assert_eq!(drift, ["old: percentage is 5 %, the file says 30 %"]);
    assert!(back.unsaid.is_empty() && back.conflicts.is_empty());
    assert_eq!(merged(&back.definitions, &file(OLD), &options()).definitions, back.definitions);
    let on = merged(&back.definitions, &file(NEW), &options()).definitions;
    assert_eq!(on.flags["new"].was.as_deref(), Some("old"));
}

#[test]
fn an_older_release_that_has_the_former_key_turns_nothing() {
    let renamed = merged(&first(OLD), &file(NEW), &options()).definitions;
    let older = Options { older: Some("2".to_owned()), ..options() };
    assert_eq!(merged(&renamed, &file(OLD), &older).definitions, renamed);
    // A hotfix that renames: both keys answer as before.
    let hotfix = merged(&first(OLD), &file(NEW), &older).definitions;
    assert_eq!(who(&hotfix, "new"), who(&hotfix, "old"));
    assert_eq!(who(&hotfix, "old"), who(&first(OLD), "old"));
}

#[test]
fn a_rollback_before_the_rename_takes_back_what_the_flag_said_and_not_its_key() {
    let before = first(OLD);
    let renamed = merged(&before, &file(&NEW.replace("30", "80")), &options()).definitions;
    let mut back = before.clone();
    keep_base(&renamed, &mut back, TODAY);
    assert_eq!((who(&back, "new"), who(&back, "old")), (who(&before, "old"), who(&before, "old")));
    assert_eq!(back.flags.len(), 1);
    // What was rolled back stays back until somebody edits it.
    assert_eq!(merged(&back, &file(&NEW.replace("30", "80")), &options()).definitions, back);
    // And forth again.
    let mut forth = renamed.clone();
    keep_base(&back, &mut forth, TODAY);
    assert_eq!(who(&forth, "new"), who(&renamed, "new"));
}

#[test]
fn a_rename_of_a_rename_keeps_the_companies() {
    let before = who(&first(OLD), "old");
    let second = merged(&first(OLD), &file(NEW), &options()).definitions;
    let third = NEW.replace(r#""new": {"was": "old""#, r#""newest": {"was": "new""#);
    let third = merged(&second, &file(&third), &options());
    assert_eq!((who(&third.definitions, "newest"), who(&third.definitions, "new")), (before.clone(), before));
    assert_eq!(third.ended[0].from, "old");
}

#[test]
fn was_that_comes_after_the_flag_was_published_anew_unites_the_two_where_they_answer_alike() {
    let apart = merged(&first(OLD), &file(&NEW_ALONE.replace("30}", r#"30, "salt": "old"}"#)), &options());
    assert_eq!((apart.lookalikes.len(), apart.lookalikes[0].from.as_str()), (1, "old"));
    let united = merged(&apart.definitions, &file(&NEW.replace("30}", r#"30, "salt": "old"}"#)), &options());
    assert_eq!((united.conflicts.len(), united.definitions.flags.len()), (0, 1));
    assert_eq!(who(&united.definitions, "old"), who(&first(OLD), "old"));
}

#[test]
fn was_of_two_flags_that_answer_differently_is_a_conflict() {
    let apart = merged(&first(OLD), &file(NEW_ALONE), &options()).definitions;
    let conflict = merged(&apart, &file(NEW), &options());
    let told: Vec<_> = conflict.conflicts.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["new: was is nothing, the file says \"old\" and said nothing"]);
    assert_eq!(who(&conflict.definitions, "new"), who(&apart, "new"));
    assert_eq!(open_conflicts(&conflict.definitions).len(), 1);
    let settled = Options { settle: vec!["new.was".to_owned()], ..options() };
    let settled = merged(&conflict.definitions, &file(NEW), &settled);
    assert_eq!((settled.conflicts.len(), settled.definitions.flags.len()), (0, 2));
    assert_eq!(merged(&settled.definitions, &file(NEW), &options()).definitions, settled.definitions);
    let reset = Options { reset: vec!["new.was".to_owned()], ..options() };
    let reset = merged(&conflict.definitions, &file(NEW), &reset);
    assert_eq!((reset.definitions.flags.len(), who(&reset.definitions, "old")), (1, who(&apart, "new")));
    assert!(open_conflicts(&reset.definitions).is_empty());
}

#[test]
fn what_is_pulled_after_a_rename_is_no_drift() {
    let running = merged(&turned(&first(OLD), "old", &share(5)), &file(NEW), &options()).definitions;
    let text = format!("{{\"flags\": {{{NEW}}}}}");
    let target =
        flagstone::flag_change::Target { file: "f", text: &text, environment: Some("test"), now: NOW };
    let pulled = pull(target, &running).unwrap();
    assert!(pulled.orphans.is_empty());
    let says = definition::load("f", pulled.text.as_bytes(), None, TODAY).unwrap().definitions;
    assert_eq!(merged(&running, &says, &options()).drift.len(), 0);
}
