//! Any sequence of publishes, edits, rollbacks, promotions and older releases, against a model that is written from the design alone.

use flagstone::definition::{self, Companies, CompanyId, Definitions, Percentage};
use flagstone::flag_change::{Edit, change_published};
use flagstone::merge::{Merged, Options, keep_base, merge, open_conflicts};
use flagstone::transfer::{ImportOptions, import, pack};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// 2026-11-21.
const NOW: i64 = 1_795_219_200_000_000;
const TODAY: &str = "2026-11-21";
const KEYS: [&str; 3] = ["a", "b", "c"];

/// What a flag says: whether it is on, its percentage, and each company's list (1 allowed, 2 denied).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Says {
    enabled: bool,
    percentage: u32,
    companies: BTreeMap<i64, u8>,
}

/// Which fields a file writes: the percentage, and the lists of companies allowed and denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Writes {
    percentage: bool,
    lists: [bool; 2],
}

const ALL: [Writes; 3] = [Writes { percentage: true, lists: [true; 2] }; 3];

/// All flags.
type File = [Says; 3];

/// A file, and what of it is written.
type Text = (File, [Writes; 3]);

/// A store: what runs, and what the file said at its last publish.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    runs: File,
    base: File,
}

#[derive(Debug, Clone)]
enum Way {
    Plain,
    Keep,
    Settle(usize),
    Reset(usize),
    Older,
}

#[derive(Debug, Clone)]
enum Act {
    /// Of a file of which so many flags differ from the one before.
    Publish(Text, [bool; 3], Way),
    Edit(usize, Edit),
    Rollback(usize),
    Promote(File),
}

/// What is not written says nothing: on for everybody, and no company.
fn silenced((file, writes): &Text) -> File {
    let mut file = file.clone();
    for (says, writes) in file.iter_mut().zip(writes) {
        says.companies.retain(|_, list| writes.lists[usize::from(*list) - 1]);
        if !writes.percentage {
            says.percentage = 100;
        }
    }
    file
}

fn text(text: &Text) -> Definitions {
    let file = silenced(text);
    let flags = KEYS.iter().zip(&file).zip(&text.1).map(|((key, says), writes)| {
        let list = |wanted: u8| -> Vec<i64> {
            says.companies.iter().filter(|(_, list)| **list == wanted).map(|(id, _)| *id).collect()
        };
        let mut flag = serde_json::json!({ "enabled": says.enabled, "companies": {} });
        if writes.percentage {
            flag["rollout"] = serde_json::json!({ "percentage": says.percentage });
        }
        for (name, number) in [("allow", 1), ("deny", 2)] {
            if writes.lists[usize::from(number) - 1] {
                flag["companies"][name] = list(number).into();
            }
        }
        ((*key).to_owned(), flag)
    });
    let flags: serde_json::Map<String, serde_json::Value> = flags.collect();
    let text = serde_json::json!({ "flags": flags }).to_string();
    definition::load("f", text.as_bytes(), None, TODAY)
        .unwrap_or_else(|report| panic!("{report}"))
        .definitions
}

fn said(enabled: bool, percentage: Percentage, companies: &Companies) -> Says {
    let of = |list: &[CompanyId], mark: u8| -> Vec<(i64, u8)> {
        let int = |id: &CompanyId| match id {
            CompanyId::Int(int) => *int,
            CompanyId::Text(text) => panic!("{text}"),
        };
        list.iter().map(|id| (int(id), mark)).collect()
    };
    let companies = of(&companies.allow, 1).into_iter().chain(of(&companies.deny, 2)).collect();
    Says { enabled, percentage: percentage.thousandths() / 1000, companies }
}

fn read(definitions: &Definitions) -> Model {
    let of = |flag: &definition::Flag| {
        let percentage = flag.rollout.as_ref().map_or(Percentage::FULL, |rollout| rollout.percentage);
        said(flag.enabled, percentage, &flag.companies)
    };
    Model {
        runs: KEYS.map(|key| of(&definitions.flags[key])),
        base: KEYS.map(|key| of(definitions.flags[key].state.base().unwrap())),
    }
}

/// The table of the design. Whether the field is in conflict.
fn merged<T: Clone + PartialEq>(file: &T, base: &mut T, runs: &mut T, way: (bool, bool)) -> bool {
    let (settle, reset) = way;
    if reset {
        (*runs, *base) = (file.clone(), file.clone());
        return false;
    }
    if settle {
        *base = file.clone();
        return false;
    }
    if file != base && runs != base && runs != file {
        return true;
    }
    if file != base && runs == base {
        *runs = file.clone();
    }
    *base = file.clone();
    false
}

impl Model {
    /// The fields in conflict. Those that are refused change nothing.
    fn publish(&mut self, text: &Text, way: &Way) -> Vec<(&'static str, &'static str)> {
        let (file, writes) = (silenced(text), &text.1);
        if matches!(way, Way::Older) {
            return Vec::new();
        }
        let before = self.clone();
        let mut conflicts = Vec::new();
        for number in 0..KEYS.len() {
            let answers = (
                matches!(way, Way::Settle(flag) if *flag == number),
                matches!(way, Way::Reset(flag) if *flag == number),
            );
            let (key, says) = (KEYS[number], &file[number]);
            let (base, runs) = (&mut self.base[number], &mut self.runs[number]);
            // What is not written is no edit, and says what holds without it once that is what runs.
            let silent = |written: bool, says_what_runs: bool| !written && !says_what_runs && !answers.1;
            if merged(&says.enabled, &mut base.enabled, &mut runs.enabled, answers) {
                conflicts.push((key, "enabled"));
            }
            if !silent(writes[number].percentage, says.percentage == runs.percentage)
                && merged(&says.percentage, &mut base.percentage, &mut runs.percentage, answers)
            {
                conflicts.push((key, "percentage"));
            }
            let mut in_conflict = false;
            for company in 0..6 {
                let list = |says: &Says| says.companies.get(&company).copied().unwrap_or(0);
                let (mut was, mut is) = (list(base), list(runs));
                let written = was == 0 || list(says) != 0 || writes[number].lists[usize::from(was) - 1];
                if silent(written, is == 0) {
                    continue;
                }
                in_conflict |= merged(&list(says), &mut was, &mut is, answers);
                for (says, list) in [(&mut *base, was), (&mut *runs, is)] {
                    match list {
                        0 => _ = says.companies.remove(&company),
                        list => _ = says.companies.insert(company, list),
                    }
                }
            }
            if in_conflict {
                conflicts.push((key, "companies"));
            }
        }
        if !conflicts.is_empty() && !matches!(way, Way::Keep) {
            *self = before;
        }
        conflicts
    }

    fn edit(&mut self, flag: usize, edit: &Edit) {
        let runs = &mut self.runs[flag];
        let mut put = |companies: &[CompanyId], list: u8| {
            for id in companies {
                let CompanyId::Int(id) = id else { panic!("{id}") };
                match list {
                    0 => _ = runs.companies.remove(id),
                    list => _ = runs.companies.insert(*id, list),
                }
            }
        };
        match edit {
            Edit::Allow(companies) => put(companies, 1),
            Edit::Deny(companies) => put(companies, 2),
            Edit::Forget(companies) => put(companies, 0),
            Edit::Restore => runs.enabled = true,
            Edit::Disable => runs.enabled = false,
            Edit::Rollout(percentage) => runs.percentage = percentage.thousandths() / 1000,
            other => panic!("{other:?}"),
        }
    }

    fn promote(&mut self, there: &File) {
        for (runs, arrives) in self.runs.iter_mut().zip(there) {
            let companies = std::mem::take(&mut runs.companies);
            *runs = arrives.clone();
            for (company, list) in companies {
                runs.companies.entry(company).or_insert(list);
            }
        }
    }
}

fn says() -> impl Strategy<Value = Says> {
    let companies = proptest::collection::btree_map(0..6i64, 1..3u8, 0..4);
    (any::<bool>(), prop_oneof![Just(0), Just(10), Just(50), Just(100)], companies)
        .prop_map(|(enabled, percentage, companies)| Says { enabled, percentage, companies })
}

fn files() -> impl Strategy<Value = File> {
    [says(), says(), says()]
}

fn texts() -> impl Strategy<Value = Text> {
    let writes =
        || (proptest::bool::weighted(0.7), [proptest::bool::weighted(0.7), proptest::bool::weighted(0.7)]);
    (files(), [writes(), writes(), writes()]).prop_map(|(file, writes)| {
        let mut number = 0;
        let writes = writes.map(|(percentage, lists)| {
            // A flag that allows companies has to say what the others get.
            let allows = lists[0] && file[number].companies.values().any(|list| *list == 1);
            number += 1;
            Writes { percentage: percentage || allows, lists }
        });
        (file, writes)
    })
}

fn acts() -> impl Strategy<Value = Act> {
    let way = prop_oneof![
        3 => Just(Way::Plain),
        3 => Just(Way::Keep),
        1 => (0..3usize).prop_map(Way::Settle),
        1 => (0..3usize).prop_map(Way::Reset),
        1 => Just(Way::Older),
    ];
    let companies = || proptest::collection::vec((0..6i64).prop_map(CompanyId::Int), 1..3);
    let edit = prop_oneof![
        companies().prop_map(Edit::Allow),
        companies().prop_map(Edit::Deny),
        companies().prop_map(Edit::Forget),
        Just(Edit::Restore),
        Just(Edit::Disable),
        prop_oneof![Just(0), Just(10), Just(25), Just(100)]
            .prop_map(|share: u32| Edit::Rollout(Percentage::from_thousandths(share * 1000).unwrap())),
    ];
    prop_oneof![
        4 => (texts(), any::<[bool; 3]>(), way).prop_map(|(file, new, way)| Act::Publish(file, new, way)),
        4 => (0..3usize, edit).prop_map(|(flag, edit)| Act::Edit(flag, edit)),
        1 => (0..8usize).prop_map(Act::Rollback),
        1 => files().prop_map(Act::Promote),
    ]
}

fn options(way: &Way) -> Options {
    let named = |flag: &usize| vec![KEYS[*flag].to_owned()];
    let mut options = Options { now: NOW, ..Options::default() };
    match way {
        Way::Plain | Way::Keep => {}
        Way::Settle(flag) => options.settle = named(flag),
        Way::Reset(flag) => options.reset = named(flag),
        Way::Older => options.older = Some("2".to_owned()),
    }
    options
}

fn publish(running: &Definitions, file: &Definitions, way: &Way) -> Merged {
    merge(Some(running), file, &options(way)).unwrap_or_else(|error| panic!("{error}"))
}

fn fields(merged: &[flagstone::merge::Conflict]) -> Vec<(&str, &str)> {
    merged.iter().map(|conflict| (conflict.flag.as_str(), conflict.field.as_str())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_does_what_the_design_says(first in texts(), acts in proptest::collection::vec(acts(), 1..14)) {
        let mut file = first.clone();
        let mut store = merge(None, &text(&first), &options(&Way::Plain)).unwrap().definitions;
        let says = silenced(&first);
        let mut model = Model { runs: says.clone(), base: says };
        let mut history = vec![(store.clone(), model.clone())];
        for act in acts {
            match &act {
                Act::Publish(next, new, way) => {
                    // Most files of an older release, and of a team, differ in little.
                    for (flag, new) in new.iter().enumerate() {
                        if *new {
                            (file.0[flag], file.1[flag]) = (next.0[flag].clone(), next.1[flag]);
                        }
                    }
                    let says = text(&file);
                    let merged = publish(&store, &says, way);
                    let expected = model.publish(&file, way);
                    prop_assert_eq!(fields(&merged.conflicts), expected.clone(), "{:?}", &act);
                    if expected.is_empty() || matches!(way, Way::Keep) {
                        store = merged.definitions;
                        if !matches!(way, Way::Older) {
                            let open = open_conflicts(&store);
                            prop_assert_eq!(fields(&open), expected);
                            // The same file again changes nothing.
                            let again = publish(&store, &says, &Way::Keep);
                            prop_assert_eq!(&again.definitions, &store);
                            prop_assert!(again.opened.is_empty());
                        }
                    }
                }
                Act::Edit(flag, edit) => {
                    // Refused for nobody.
                    if let Ok(changed) = change_published("running", &store, KEYS[*flag], edit, NOW) {
                        store = changed.definitions;
                        model.edit(*flag, edit);
                    }
                }
                Act::Rollback(back) => {
                    let (target, ran) = &history[*back % history.len()];
                    let mut after = target.clone();
                    keep_base(&store, &mut after, TODAY);
                    store = after;
                    model.runs = ran.runs.clone();
                }
                Act::Promote(there) => {
                    let bundle = pack(&text(&(there.clone(), ALL)), &[]).unwrap();
                    let how = ImportOptions { keep_state: true, with_companies: true };
                    store = import(&store, &bundle, how, TODAY).unwrap().definitions;
                    model.promote(there);
                }
            }
            prop_assert_eq!(read(&store), model.clone(), "{:?}", act);
            prop_assert!(store.check("store", TODAY).is_ok());
            let json = store.to_canonical_json();
            prop_assert_eq!(&Definitions::from_canonical_json(&json).unwrap(), &store);
            flagstone::compile(&store, "test").unwrap();
            history.push((store.clone(), model.clone()));
        }
    }

    // Of two who change different flags it does not matter who is first.
    #[test]
    fn edits_of_one_flag_and_a_file_s_of_another_commute(first in files(), next in files(), flag in 0..3usize, share in 0..101u32) {
        let mut file = next;
        file[flag] = first[flag].clone();
        let store = merge(None, &text(&(first, ALL)), &options(&Way::Plain)).unwrap().definitions;
        let edit = Edit::Rollout(Percentage::from_thousandths(share * 1000).unwrap());
        let edited = |store: &Definitions| change_published("running", store, KEYS[flag], &edit, NOW).unwrap().definitions;
        let published = |store: &Definitions| {
            let merged = publish(store, &text(&(file.clone(), ALL)), &Way::Plain);
            assert_eq!(merged.conflicts, []);
            merged.definitions
        };
        prop_assert_eq!(published(&edited(&store)), edited(&published(&store)));
    }
}
