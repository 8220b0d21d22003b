//! What a thread's requests are answered from, with a clock and a process that the test hands in.

mod support;

use flagstone::publish::Store;
use flagstone::session::{Attempts, Host, Pin, Session, Settings};
use flagstone::store::MapPolicy;
use flagstone::telemetry::{Status, StoreCopy, copies, read};
use flagstone::{Key, Question, enabled, key_hash};
use std::cell::{Cell, RefCell};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::damage::replace;
use support::stores::{change, definitions, new_store, portal, publish, snapshot_file};
use support::{TrustedDir, trusted_dir};

/// A process of which the test says what it is. Its clocks stand still but when they are moved.
struct Process {
    settings: Settings,
    long_lived: bool,
    clock: Cell<u64>,
    clock_readings: Cell<u64>,
    forks: Cell<u32>,
    allowed: Cell<bool>,
    log: RefCell<Vec<String>>,
}

impl Host for Process {
    const HAS_THREADS: bool = true;

    fn settings(&self) -> &Settings {
        &self.settings
    }
    fn coarse_ms(&self) -> u64 {
        self.clock_readings.set(self.clock_readings.get() + 1);
        self.clock.get()
    }
    fn precise_ns(&self) -> u64 {
        self.clock.get() * 1_000_000
    }
    fn wall_clock(&self) -> i64 {
        NOON + self.clock.get().cast_signed() * 1000
    }
    fn is_long_lived(&self) -> bool {
        self.long_lived
    }
    fn forks(&self) -> u32 {
        self.forks.get()
    }
    fn watch_forks(&self) {}
    fn allows(&self, _: &Path) -> bool {
        self.allowed.get()
    }
    fn log(&self, lines: &mut Vec<String>) {
        self.log.borrow_mut().append(lines);
    }
}

/// 2026-11-21T12:00:00Z.
const NOON: i64 = 1_795_262_400_000_000;
const SECOND: u64 = 1_000;

fn session(store: &Path, long_lived: bool) -> Session<Process> {
    let settings = Settings {
        store: store.as_os_str().as_bytes().to_vec(),
        telemetry: None,
        refresh_ms: SECOND,
        map: MapPolicy::Auto,
        owner: None,
    };
    let mut session = Session::new(Process {
        settings,
        long_lived,
        clock: Cell::new(5 * SECOND),
        clock_readings: Cell::new(0),
        forks: Cell::new(0),
        allowed: Cell::new(true),
        log: RefCell::default(),
    });
    session.request_starts();
    session
}

/// A server's thread, which serves one request after the other.
fn worker(store: &Path) -> Session<Process> {
    session(store, false)
}

/// A process that is one long request.
fn console(store: &Path) -> Session<Process> {
    session(store, true)
}

fn pass(session: &mut Session<Process>, milliseconds: u64) {
    let clock = &session.host().clock;
    clock.set(clock.get() + milliseconds);
}

fn next_request(session: &mut Session<Process>) {
    session.request_is_over();
    session.request_starts();
}

/// Asks as the extension does: the quick way where there is one.
fn ask(session: &mut Session<Process>, flag: &str) -> bool {
    let (hash, key) = (key_hash(flag.as_bytes()), flag.as_bytes());
    let quick = session.quick_int(hash, key, 7);
    if let Some(on) = quick.or_else(|| session.quick_key(hash, key, &Some(Key::Int(7))).ok()) {
        return on == 1;
    }
    let mut attempts = Attempts::default();
    loop {
        let now = session.instant();
        let question = Question { company: Some(Key::Int(7)), context: &(), now };
        let answer = session.pin().is_some_and(|Pin { snapshot, switches }| {
            snapshot.find(flag.as_bytes()).is_some_and(|flag| enabled(snapshot, switches, flag, &question))
        });
        if attempts.is_answered(session) {
            return answer;
        }
    }
}

/// Whether some of a few questions are answered from the snapshot alone: some are looks, more of the first than of the later.
fn asks_quickly(session: &mut Session<Process>) -> bool {
    (0..4).any(|_| {
        let quick = session.quick_int(key_hash(b"portal"), b"portal", 7).is_some();
        ask(session, "portal");
        quick
    })
}

fn generation(session: &mut Session<Process>) -> u64 {
    session.pin();
    session.view().map_or(0, |view| view.generation)
}

fn log(session: &mut Session<Process>) -> Vec<String> {
    std::mem::take(&mut *session.host().log.borrow_mut())
}

/// A store in which `portal` is on, and another directory beside it.
fn shop() -> (TrustedDir, PathBuf, Store) {
    let directory = trusted_dir();
    let path = directory.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    (directory, path, store)
}

#[test]
fn a_request_is_answered_from_the_generation_that_its_first_question_chose() {
    let (_directory, path, store) = shop();
    let mut worker = worker(&path);
    assert!(ask(&mut worker, "portal"));
    publish(&store, &portal(false));
    for _ in 0..1000 {
        pass(&mut worker, SECOND);
        assert!(ask(&mut worker, "portal"));
    }
    next_request(&mut worker);
    assert!(!ask(&mut worker, "portal"));
    assert_eq!((generation(&mut worker), log(&mut worker)), (2, vec![]));
}

#[test]
fn a_request_ends_with_the_kills_of_its_first_question() {
    let (_directory, path, store) = shop();
    let mut worker = worker(&path);
    assert!(!ask(&mut worker, "other"));
    store.kill("portal", change()).unwrap();
    pass(&mut worker, 10 * SECOND);
    assert!(ask(&mut worker, "portal"), "asked for the first time after the kill");
    next_request(&mut worker);
    assert!(!ask(&mut worker, "portal"));
}

#[test]
fn a_long_lived_process_moves_on_once_its_refresh_interval_is_over() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    assert!(ask(&mut console, "portal"));
    publish(&store, &portal(false));
    pass(&mut console, SECOND - 1);
    assert!(ask(&mut console, "portal"));
    pass(&mut console, 1);
    assert!(!ask(&mut console, "portal"));
}

#[test]
fn without_a_refresh_interval_a_long_lived_process_moves_on_when_it_says_so() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    console.host().settings.refresh_ms = 0;
    assert!(ask(&mut console, "portal"));
    publish(&store, &portal(false));
    pass(&mut console, 1000 * SECOND);
    assert!(ask(&mut console, "portal"));
    assert!(console.refresh());
    assert!(!ask(&mut console, "portal"));
    assert!(!console.refresh());
}

#[test]
fn a_clock_is_read_when_the_head_moved_and_at_every_16th_question_of_many() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    let mut ask_often = |times: u64| {
        let before = console.host().clock_readings.get();
        (0..times).for_each(|_| assert!(ask(&mut console, "portal")));
        console.host().clock_readings.get() - before
    };
    // It comes to 16 step by step.
    ask_often(1000);
    assert_eq!(ask_often(6_400), 400);
    store.kill("other", change()).unwrap();
    assert!(ask_often(1) == 1, "the head moved");

    let mut worker = worker(&path);
    ask(&mut worker, "portal");
    let before = worker.host().clock_readings.get();
    store.kill("another", change()).unwrap();
    (0..6_400).for_each(|_| assert!(ask(&mut worker, "portal")));
    assert!(worker.host().clock_readings.get() - before <= 200, "a request of a server's does not move");
}

#[test]
fn the_instant_of_a_request_stays_and_that_of_a_long_lived_process_moves_by_its_interval() {
    let (_directory, path, _store) = shop();
    let (mut worker, mut console) = (worker(&path), console(&path));
    let began = [worker.instant(), console.instant()];
    for session in [&mut worker, &mut console] {
        pass(session, SECOND - 1);
    }
    assert_eq!([worker.instant(), console.instant()], began);
    for session in [&mut worker, &mut console] {
        pass(session, 1);
    }
    assert_eq!([worker.instant(), console.instant()], [began[0], began[1] + 1_000_000]);
    next_request(&mut worker);
    assert_eq!(worker.instant(), began[0] + 1_000_000);
}

#[test]
fn the_instant_stays_within_a_mark() {
    // A step of a schedule came in the middle of a job, so that its two halves had two answers.
    let (_directory, path, _store) = shop();
    let mut console = console(&path);
    let mark = console.mark_begin(1);
    let began = console.instant();
    pass(&mut console, 5 * SECOND);
    assert_eq!(console.instant(), began);
    console.mark_end(Status::Done, Some(mark.token), || Status::Done);
    assert_eq!(console.instant(), began + 5_000_000);
    pass(&mut console, SECOND / 2);
    console.mark_begin(1);
    assert_eq!(console.instant(), began + 5_500_000, "the next one begins with its own");
}

#[test]
fn kills_reach_through_a_mark_and_content_does_not() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    let mark = console.mark_begin(1);
    assert!(mark.outermost && ask(&mut console, "portal"));
    publish(&store, &definitions(r#"{"new":{"enabled":true},"portal":{"enabled":true}}"#));
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "new"), generation(&mut console)), (false, 1));
    store.kill("portal", change()).unwrap();
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "portal"), generation(&mut console)), (false, 1));
    assert!(!console.mark_begin(2).outermost, "a part of the request");
    assert_eq!(generation(&mut console), 1);
    console.mark_end(Status::Done, Some(mark.token), || Status::Done);
    let next = console.mark_begin(1);
    assert_eq!((ask(&mut console, "new"), generation(&mut console)), (true, 2));
    // One that nobody ends does not hold the content for ever.
    publish(&store, &portal(false));
    pass(&mut console, 3_600 * SECOND);
    assert_eq!((next.outermost, generation(&mut console)), (true, 3));
}

/// With refresh = 0 a kill never reached a process that ran already.
#[test]
fn kills_and_the_stop_reach_a_process_that_never_moves_on_by_itself() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    console.host().settings.refresh_ms = 0;
    assert!(ask(&mut console, "portal"));
    publish(&store, &definitions(r#"{"new":{"enabled":true},"portal":{"enabled":true}}"#));
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "new"), generation(&mut console)), (false, 1));
    store.kill("portal", change()).unwrap();
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "portal"), generation(&mut console)), (false, 1));
    store.revive("portal", change()).unwrap();
    pass(&mut console, SECOND);
    assert!(ask(&mut console, "portal"));
    store.stop_all(change()).unwrap();
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "portal"), generation(&mut console)), (false, 1));
    store.resume_all(change(), false).unwrap();
    assert!(console.refresh() && ask(&mut console, "new"));
}

/// With refresh = 15 a kill reached a process that ran already after fifteen seconds.
#[test]
fn kills_reach_a_process_within_a_second_however_long_its_refresh_interval() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    console.host().settings.refresh_ms = 15 * SECOND;
    assert!(ask(&mut console, "portal"));
    publish(&store, &definitions(r#"{"new":{"enabled":true},"portal":{"enabled":true}}"#));
    store.kill("portal", change()).unwrap();
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "portal"), generation(&mut console)), (false, 1));
    store.revive("portal", change()).unwrap();
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "portal"), generation(&mut console)), (true, 1));
    pass(&mut console, 12 * SECOND);
    assert!(!ask(&mut console, "new"));
    pass(&mut console, SECOND);
    assert_eq!((ask(&mut console, "new"), generation(&mut console)), (true, 2));
}

/// One kill anywhere made each question of each flag 2.6 times as dear.
#[test]
fn the_record_of_a_flag_decides_alone_while_another_is_killed() {
    let (_directory, path, store) = shop();
    publish(&store, &definitions(r#"{"new":{"enabled":true},"portal":{"enabled":true}}"#));
    store.kill("new", change()).unwrap();
    let mut worker = worker(&path);
    let mut by_its_record =
        |flag: &str| worker.quick_key(key_hash(flag.as_bytes()), flag.as_bytes(), &Some(Key::Int(7))).ok();
    assert_eq!((by_its_record("portal"), by_its_record("new")), (Some(1), None));
    assert_eq!((ask(&mut worker, "portal"), ask(&mut worker, "new")), (true, false));
}

#[test]
fn another_store_in_the_place_of_the_one_that_is_open_is_followed() {
    let (directory, path, _store) = shop();
    for long_lived in [false, true] {
        let mut session = session(&path, long_lived);
        assert!(ask(&mut session, "portal"));
        let restored = directory.join("restored");
        publish(&new_store(&restored), &portal(false));
        std::fs::rename(&path, directory.join(if long_lived { "second" } else { "first" })).unwrap();
        std::fs::rename(&restored, &path).unwrap();
        pass(&mut session, SECOND);
        if !long_lived {
            assert!(ask(&mut session, "portal"));
            next_request(&mut session);
        }
        let mut asked = (0..64).map(|_| ask(&mut session, "portal"));
        assert!(asked.any(|on| !on), "long-lived: {long_lived}");
        let log = log(&mut session);
        assert!(log.len() == 1 && log[0].contains("was replaced by another file"), "{log:?}");
        // For the next of the two.
        std::fs::rename(&path, directory.join(if long_lived { "fourth" } else { "third" })).unwrap();
        publish(&new_store(&path), &portal(true));
    }
}

/// It looked for another head at its 64th question from then on, so that kills in a restored store were missed for a minute and more.
#[test]
fn a_process_that_asked_often_and_then_seldom_follows_a_restored_head_before_long() {
    let (directory, path, store) = shop();
    let mut console = console(&path);
    for _ in 0..1_000 {
        assert!(ask(&mut console, "portal"));
    }
    for round in 0..2 {
        let before = directory.join(&format!("before-{round}"));
        std::fs::rename(&path, &before).unwrap();
        assert!(Command::new("cp").arg("-a").args([&before, &path]).status().unwrap().success());
        if round == 0 { store.kill("portal", change()) } else { store.revive("portal", change()) }.unwrap();
        let misses = (0..64).take_while(|_| {
            pass(&mut console, 2 * SECOND);
            ask(&mut console, "portal") != (round == 1)
        });
        // Once it is known to ask seldom, each question looks.
        let most = if round == 0 { 15 } else { 0 };
        assert!(misses.count() <= most, "round {round}");
    }
}

/// After a restore the counters named the directory that had lain there, so that kills told of workers that follow as if they did not.
#[test]
fn counters_name_the_directory_of_the_head_that_is_followed() {
    let (directory, path, store) = shop();
    let [memory, before, elsewhere] = ["memory", "before", "elsewhere"].map(|name| directory.join(name));
    std::fs::create_dir(&memory).unwrap();
    let mut worker = worker(&path);
    worker.host().settings.telemetry = Some(memory.clone());
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal"));
    std::fs::rename(&path, &before).unwrap();
    assert!(Command::new("cp").arg("-a").args([&before, &path]).status().unwrap().success());
    pass(&mut worker, SECOND);
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal"));
    // Where the store lies now has counters of another name, so that the worker's are looked at.
    std::fs::rename(&path, &elsewhere).unwrap();
    let counted_in = |there| copies(&memory, there, &store.id(), |_| true).unwrap().found.len();
    assert_eq!((counted_in(&elsewhere), counted_in(&before)), (0, 1));
}

#[test]
fn a_link_is_followed_after_a_second_to_a_store_of_the_same_environment() {
    let (directory, path, _store) = shop();
    let (link, other, staging) = (directory.join("link"), directory.join("other"), directory.join("staging"));
    publish(&new_store(&other), &portal(false));
    publish(&Store::init(&staging, "staging", None).unwrap(), &portal(true));
    let leads_to = |target: &Path| {
        let next = directory.join("next");
        symlink(target, &next).unwrap();
        std::fs::rename(next, &link).unwrap();
    };
    leads_to(&path);
    let mut worker = worker(&link);
    assert!(ask(&mut worker, "portal"));
    leads_to(&other);
    pass(&mut worker, SECOND - 1);
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal"));
    pass(&mut worker, 1);
    next_request(&mut worker);
    assert!(!ask(&mut worker, "portal"));
    for (target, said) in
        [(&staging, "expected \"production\""), (&directory.join("none"), "cannot open the store")]
    {
        leads_to(target);
        for _ in 0..2 {
            pass(&mut worker, SECOND);
            next_request(&mut worker);
            assert!(!ask(&mut worker, "portal"), "as before");
        }
        assert!(worker.error().unwrap().contains(said), "{:?}", worker.error());
        let log = log(&mut worker);
        assert!(log.len() == 1 && log[0].contains(said), "said once: {log:?}");
    }
    leads_to(&path);
    pass(&mut worker, SECOND);
    next_request(&mut worker);
    assert_eq!((ask(&mut worker, "portal"), worker.error()), (true, None));
}

#[test]
fn a_store_that_cannot_be_opened_is_tried_again_after_a_second() {
    let directory = trusted_dir();
    let path = directory.join("store");
    let mut worker = worker(&path);
    assert!(!ask(&mut worker, "portal") && worker.error().is_some());
    publish(&new_store(&path), &portal(true));
    pass(&mut worker, SECOND - 1);
    next_request(&mut worker);
    assert!(!ask(&mut worker, "portal"));
    pass(&mut worker, 1);
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal") && worker.error().is_none());
    assert_eq!(log(&mut worker).len(), 1);
}

#[test]
fn no_store_and_a_relative_one_are_told_and_off() {
    for (store, said) in [("", "no store: set flagstone.store"), ("store", "expected an absolute path")] {
        let mut worker = worker(Path::new(store));
        assert!(!ask(&mut worker, "portal"));
        assert!(worker.error().unwrap().contains(said), "{:?}", worker.error());
    }
}

#[test]
fn a_store_that_a_request_names_lies_where_its_code_may_go_and_goes_with_it() {
    let (_directory, path, _store) = shop();
    let name = path.as_os_str().as_bytes();
    let mut worker = worker(Path::new(""));
    worker.name_store(Some(name.to_vec()));
    assert!(worker.has_named(name) && ask(&mut worker, "portal"));
    next_request(&mut worker);
    assert!(!worker.has_named(name) && !ask(&mut worker, "portal"));
    worker.host().allowed.set(false);
    worker.name_store(Some(name.to_vec()));
    assert!(!ask(&mut worker, "portal"));
    assert!(worker.error().unwrap().starts_with("open_basedir does not allow"), "{:?}", worker.error());
    // Who may write the settings may name any.
    worker.host().settings.store = name.to_vec();
    pass(&mut worker, SECOND);
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal"));
}

// The ninth store that a process asked threw out the one that was opened first: a company that its newest generation denies was on
// again once that generation's file was gone.
// Content moved in the middle of a request whose code named the store of php.ini.
#[test]
fn a_name_that_the_settings_overrule_moves_no_content() {
    let (_directory, path, store) = shop();
    let mut worker = worker(&path);
    assert!(ask(&mut worker, "portal"));
    publish(&store, &portal(false));
    for name in [Some(path.as_os_str().as_bytes().to_vec()), None] {
        worker.name_store(name);
        assert!(ask(&mut worker, "portal"));
    }
}

#[test]
fn a_store_among_twenty_keeps_its_last_good_content() {
    let directory = trusted_dir();
    let paths: Vec<PathBuf> = (0..20).map(|number| directory.join(&format!("store-{number}"))).collect();
    for path in &paths {
        let store = new_store(path);
        publish(&store, &portal(true));
        publish(&store, &portal(false));
    }
    let mut console = console(Path::new(""));
    let ask_all = |console: &mut Session<Process>| {
        let mut asked = |path: &&PathBuf| {
            console.name_store(Some(path.as_os_str().as_bytes().to_vec()));
            ask(console, "portal")
        };
        paths.iter().filter(&mut asked).count()
    };
    assert_eq!(ask_all(&mut console), 0);
    std::fs::remove_file(snapshot_file(&paths[0], 2)).unwrap();
    for _ in 0..3 {
        pass(&mut console, 2 * SECOND);
        assert_eq!(ask_all(&mut console), 0);
    }
}

#[test]
fn a_child_of_fork_reads_by_a_reader_of_its_own_where_there_are_threads() {
    let (_directory, path, store) = shop();
    let mut console = console(&path);
    assert!(ask(&mut console, "portal"));
    let parents = console.reader().unwrap().clone();
    console.host().forks.set(1);
    publish(&store, &portal(false));
    pass(&mut console, SECOND);
    assert!(!ask(&mut console, "portal"));
    assert!(!std::sync::Arc::ptr_eq(console.reader().unwrap(), &parents));
}

#[test]
fn the_quick_way_is_closed_where_something_else_answers_and_after_a_change_of_the_signal_mask() {
    let (_directory, path, store) = shop();
    let mut worker = worker(&path);
    assert!(worker.quick_int(key_hash(b"portal"), b"portal", 7).is_none(), "nothing is pinned");
    assert!(ask(&mut worker, "portal") && asks_quickly(&mut worker));
    worker.override_answers(true);
    assert!(!asks_quickly(&mut worker) && ask(&mut worker, "portal") && !asks_quickly(&mut worker));
    worker.override_answers(false);
    assert!(asks_quickly(&mut worker));
    worker.suspect_mask();
    assert!(worker.quick_int(key_hash(b"portal"), b"portal", 7).is_none());
    assert!(ask(&mut worker, "portal") && asks_quickly(&mut worker));
    worker.override_answers(true);
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal") && asks_quickly(&mut worker), "it goes with the request");
    store.kill("portal", change()).unwrap();
    next_request(&mut worker);
    assert!(!ask(&mut worker, "portal") && !asks_quickly(&mut worker));
}

#[test]
fn a_snapshot_that_is_cut_short_under_a_request_is_read_again() {
    let (_directory, path, store) = shop();
    publish(&store, &definitions(r#"{"portal":{"description":"second","enabled":true}}"#));
    let mut worker = worker(&path);
    worker.host().settings.map = MapPolicy::Shared;
    assert!(ask(&mut worker, "portal") && asks_quickly(&mut worker));
    let file = snapshot_file(&path, 2);
    let bytes = std::fs::read(&file).unwrap();
    let cut = std::fs::OpenOptions::new().write(true).open(&file);
    let cut = cut.or_else(|_| {
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        std::fs::OpenOptions::new().write(true).open(&file)
    });
    cut.unwrap().set_len(0).unwrap();
    assert!(ask(&mut worker, "portal"), "the generation before answers");
    assert_eq!(generation(&mut worker), 1);
    replace(&file, &bytes);
    next_request(&mut worker);
    assert!(ask(&mut worker, "portal"));
}

// After a move, workers that still read the old store were counted nowhere that a command looks.
#[test]
fn workers_of_a_copy_are_found_by_its_id() {
    let directory = trusted_dir();
    let memory = directory.join("memory");
    std::fs::create_dir(&memory).unwrap();
    let (old, new) = (directory.join("old"), directory.join("new"));
    publish(&new_store(&old), &portal(true));
    publish(&new_store(&directory.join("other")), &portal(true));
    assert!(Command::new("cp").arg("-a").args([&old, &new]).status().unwrap().success());
    let mut workers = [&old, &new, &directory.join("other")].map(|store| {
        let mut worker = worker(store);
        worker.host().settings.telemetry = Some(memory.clone());
        next_request(&mut worker);
        worker.count_request(true, true);
        ask(&mut worker, "portal");
        worker
    });
    let id = Store::open(&new).unwrap().id();
    let found = || copies(&memory, &new, &id, |_| true).unwrap().found;
    let user = std::fs::metadata(&new).unwrap().uid();
    std::fs::rename(&old, directory.join("moved")).unwrap();
    assert_eq!(found(), [StoreCopy { path: old.clone(), user, workers: 1 }]);
    // The same directory at another path is no copy.
    assert_eq!(copies(&memory, &directory.join("moved"), &id, |_| true).unwrap().found.len(), 1);
    workers[0].host().settings.store = new.as_os_str().as_bytes().to_vec();
    next_request(&mut workers[0]);
    workers[0].count_request(true, true);
    ask(&mut workers[0], "portal");
    assert_eq!(found(), []);
}

// Apache's virtual hosts have a store each: requests to a page that asks nothing were counted for the one that was asked before.
#[test]
fn a_request_is_counted_for_its_own_store_or_for_none() {
    let directory = trusted_dir();
    let memory = directory.join("memory");
    std::fs::create_dir(&memory).unwrap();
    let stores = ["one", "two"].map(|name| {
        let path = directory.join(name);
        publish(&new_store(&path), &portal(true));
        path
    });
    let mut worker = worker(&stores[0]);
    worker.host().settings.telemetry = Some(memory.clone());
    let serve = |worker: &mut Session<Process>, store: &Path, asks: bool, status: u16| {
        worker.host().settings.store = store.as_os_str().as_bytes().to_vec();
        next_request(worker);
        worker.count_request(true, true);
        if asks {
            ask(worker, "portal");
        }
        worker.request_ends(|| Status::Http(status));
    };
    let counts = |worker: &mut Session<Process>| {
        let now = worker.host().wall_clock();
        [0, 1].map(|store| {
            let total = read(&memory, &stores[store], now, |_| true).unwrap().total();
            (total.requests, total.errors)
        })
    };
    serve(&mut worker, &stores[0], true, 200);
    serve(&mut worker, &stores[1], false, 500);
    assert_eq!(counts(&mut worker), [(1, 0), (1, 1)]);
    serve(&mut worker, &stores[1], true, 500);
    serve(&mut worker, Path::new(""), false, 500);
    serve(&mut worker, Path::new(""), true, 500);
    assert_eq!(counts(&mut worker), [(1, 0), (2, 2)]);
    serve(&mut worker, &stores[1], false, 200);
    serve(&mut worker, &stores[0], true, 200);
    serve(&mut worker, &stores[0], false, 200);
    assert_eq!(counts(&mut worker), [(3, 0), (3, 2)]);
    // Code that names a store in each request.
    for _ in 0..3 {
        worker.host().settings.store = Vec::new();
        next_request(&mut worker);
        worker.count_request(true, true);
        worker.name_store(Some(stores[0].as_os_str().as_bytes().to_vec()));
        ask(&mut worker, "portal");
        worker.request_ends(|| Status::Http(200));
    }
    assert_eq!(counts(&mut worker), [(6, 0), (3, 2)]);
}

// The directory for counters that a host's settings or the web server named for one request held for the worker's life.
#[test]
fn a_request_is_counted_in_the_directory_of_its_own_settings() {
    let (directory, path, _store) = shop();
    let memories = ["one", "two"].map(|name| directory.join(name));
    memories.iter().for_each(|memory| std::fs::create_dir(memory).unwrap());
    let file = directory.join("file");
    std::fs::write(&file, "").unwrap();
    let mut worker = worker(&path);
    let serve = |worker: &mut Session<Process>, memory: Option<&PathBuf>, asks: bool, status: u16| {
        worker.host().settings.telemetry = memory.cloned();
        next_request(worker);
        worker.count_request(true, true);
        if asks {
            ask(worker, "portal");
        }
        worker.request_ends(|| Status::Http(status));
    };
    let counts = |worker: &mut Session<Process>| {
        let now = worker.host().wall_clock();
        memories.each_ref().map(|memory| {
            let total = read(memory, &path, now, |_| true).unwrap().total();
            (total.requests, total.errors)
        })
    };
    let [one, two] = memories.each_ref();
    serve(&mut worker, Some(one), true, 200);
    serve(&mut worker, Some(two), true, 500);
    serve(&mut worker, Some(one), true, 200);
    assert_eq!(counts(&mut worker), [(2, 0), (1, 1)]);
    // Requests that ask nothing, and such as are not counted.
    serve(&mut worker, Some(two), false, 200);
    serve(&mut worker, None, false, 500);
    serve(&mut worker, None, true, 500);
    assert_eq!(counts(&mut worker), [(2, 0), (2, 1)]);
    // A directory that cannot be used keeps no other from being counted in.
    for _ in 0..2 {
        serve(&mut worker, Some(&file), true, 500);
        assert!(worker.counted_in().1.is_some());
        serve(&mut worker, Some(one), true, 200);
    }
    assert_eq!(counts(&mut worker), [(4, 0), (2, 1)]);
}

// Each request of a worker with two stores logged what is wrong with one of them.
#[test]
fn what_is_wrong_with_one_of_two_stores_is_logged_once_a_minute() {
    let (directory, path, _store) = shop();
    let missing = directory.join("missing");
    let mut worker = worker(&path);
    let mut lines = Vec::new();
    for _ in 0..90 {
        for store in [&missing, &path] {
            worker.host().settings.store = store.as_os_str().as_bytes().to_vec();
            next_request(&mut worker);
            ask(&mut worker, "portal");
            lines.append(&mut log(&mut worker));
        }
        pass(&mut worker, SECOND);
    }
    assert_eq!(lines.len(), 2, "{lines:?}");
}

#[test]
fn requests_are_counted_by_themselves_or_by_their_marks() {
    let (directory, path, _store) = shop();
    let memory = directory.join("memory");
    std::fs::create_dir(&memory).unwrap();
    let counts = |session: &mut Session<Process>| {
        let now = session.host().wall_clock();
        let counts = read(&memory, &path, now, |_| true).unwrap();
        let on = counts.flag("portal").map_or(0, |flag| flag.exposure.on.requests);
        (on, counts.total().requests)
    };
    let mut worker = worker(&path);
    worker.host().settings.telemetry = Some(memory.clone());
    next_request(&mut worker);
    worker.count_request(true, true);
    assert!(ask(&mut worker, "portal"));
    worker.request_ends(|| Status::Http(200));
    assert_eq!(counts(&mut worker), (1, 1));
    // What is asked after the response belongs to nobody.
    worker.count_request(true, true);
    ask(&mut worker, "portal");
    worker.response_ends(Status::Http(200));
    ask(&mut worker, "portal");
    worker.request_ends(|| Status::Failed);
    assert_eq!(counts(&mut worker), (2, 2));
    // In a long-lived process the marks count, the outermost alone.
    let mut console = console(&path);
    console.host().settings.telemetry = Some(memory.clone());
    console.count_request(true, false);
    for company in 0..3 {
        let mark = console.mark_begin(1);
        assert!(ask(&mut console, "portal"), "{company}");
        let within = console.mark_begin(2);
        assert!(!console.mark_end(Status::Failed, Some(within.token), || Status::Done));
        console.override_within_mark();
        assert!(
            console.mark_end(Status::Done, Some(mark.token), || Status::Done),
            "what was overridden goes"
        );
    }
    console.request_ends(|| panic!("it does not count by itself any more"));
    assert_eq!(counts(&mut console), (5, 5));
}
