//! What becomes of a process whose files are cut short, overwritten, deleted or replaced under its mappings: it lives, and
//! nothing is on that was killed, stopped or denied.

mod support;

use flagstone::definition::Definitions;
use flagstone::publish::Store;
use flagstone::store::{MapPolicy, Reader, ReaderOptions, Source, View};
use flagstone::{BusHandler, Key, MapMode, Question, bus_handler, enabled};
use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::children::Child;
use support::damage::{epoch, later, replace, write_head};
use support::stores::{change, definitions, new_store, on, portal, publish, reader, snapshot_file};
use support::{TrustedDir, trusted_dir};

#[test]
fn a_child_process_does_what_its_parent_asks() {
    let path = PathBuf::from(std::env::var("FLAGSTONE_CHILD_STORE").unwrap_or_default());
    match std::env::var("FLAGSTONE_CHILD").as_deref() {
        Ok("a fault of others") => fault_of_others(&path),
        Ok("another handler") => another_handler(&path),
        Ok("fork, cut and ask") => fork_cut_and_ask(&path),
        Ok("block, map, cut and ask") => block_map_cut_and_ask(&path),
        Ok("take a signal, cut and ask") => take_a_signal_cut_and_ask(&path),
        _ => support::children::serve(),
    }
}

/// Answers the parent.
fn say(text: &str) {
    println!("=> {text}");
}

/// Touches a page beyond the end of a file that the engine did not map.
fn fault_of_others(store: &Path) {
    reader(store).view();
    say(bus_handler().as_str());
    let path = store.with_extension("others");
    std::fs::write(&path, [1; 8_192]).unwrap();
    let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    // SAFETY: nothing that Rust knows of points there; the fault is what is asked for.
    let mapped = unsafe { memmap2::Mmap::map(&file) }.unwrap();
    file.set_len(0).unwrap();
    say(&format!("went on with {}", std::hint::black_box(&mapped)[5_000]));
}

fn another_handler(store: &Path) {
    say(bus_handler().as_str());
    reader(store).view();
    say(bus_handler().as_str());
    // SAFETY: ignoring a signal that nobody sends here.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
    say(bus_handler().as_str());
    std::process::exit(0);
}

/// Blocks every signal of this thread.
fn block_signals() {
    // SAFETY: all zeros are a valid set.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is this function's own.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: changes this thread's mask alone, and asks for no old one.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) };
}

fn block_map_cut_and_ask(store: &Path) {
    block_signals();
    let first = shared(store);
    first.view();
    say(bus_handler().as_str());
    block_signals();
    say(bus_handler().as_str());
    flagstone::unblock_bus_errors();
    say(bus_handler().as_str());
    cut(&snapshot_file(store, 2), 0);
    cut(&store.join("head"), 0);
    let on = ask(&first, 3_000).0.unwrap_or(false);
    first.check_replaced(later());
    say(&format!("{on} {}", flagstone::lost_mappings() > 0));
    std::process::exit(0);
}

/// `DEFAULT` is set: nobody had the signal before. Otherwise Rust had.
fn take_a_signal_cut_and_ask(store: &Path) {
    if std::env::var("DEFAULT").is_ok() {
        // SAFETY: what the signal does without a handler.
        unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
    }
    let reader = shared(store);
    reader.view();
    for _ in 0..3 {
        // SAFETY: sends a signal to this thread.
        unsafe { libc::raise(libc::SIGBUS) };
        say(bus_handler().as_str());
    }
    cut(&snapshot_file(store, 2), 0);
    cut(&store.join("head"), 0);
    let on = ask(&reader, 3_000).0.unwrap_or(false);
    reader.check_replaced(later());
    say(&format!("{on} {}", flagstone::lost_mappings() > 0));
    std::process::exit(0);
}

fn fork_cut_and_ask(store: &Path) {
    let reader = shared(store);
    reader.view();
    let before = flagstone::lost_mappings();
    // SAFETY: the child has this one thread, which only asks, prints and ends.
    let child = unsafe { libc::fork() };
    let file = snapshot_file(store, 2);
    if child == 0 {
        cut(&file, 0);
        cut(&store.join("head"), 5_000);
        let on = ask(&reader, 3_000).0.unwrap_or(false);
        reader.check_replaced(later());
        say(&format!("child {} {on}", u8::from(flagstone::lost_mappings() == before)));
        std::process::exit(0);
    }
    let mut status = 0;
    // SAFETY: waits for a child of this process; the status has a place.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the child ended otherwise");
    say(&format!("parent {}", ask(&reader, 3_000).0.unwrap_or(false)));
    std::process::exit(0);
}

/// Cuts a file off, or writes `bytes` over its beginning, in place.
fn write(path: &Path, length: Option<u64>, bytes: &[u8]) {
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, 0).unwrap();
    if let Some(length) = length {
        file.set_len(length).unwrap();
    }
}

fn cut(path: &Path, length: u64) {
    write(path, Some(length), &[]);
}

fn shared(path: &Path) -> Reader {
    Reader::open(path, ReaderOptions { map: MapPolicy::Shared, ..Default::default() }).unwrap()
}

/// Companies that `listed` keeps out: every third of them.
const COMPANIES: i64 = 60_000;

/// `listed` is on for everybody but those denied. Their numbers are far from each other, so that they are no bitmap: half a MiB.
fn denying(description: &str) -> Definitions {
    let denied: Vec<String> = (0..COMPANIES / 3).map(|number| (number * 3 * 1_000_003).to_string()).collect();
    definitions(&format!(
        "{{\"killed\":{{\"enabled\":true}},\"listed\":{{\"companies\":{{\"deny\":[{}]}},\"description\":\"{description}\",\"enabled\":true}}}}",
        denied.join(",")
    ))
}

/// A store of two generations that differ in a description.
fn listed_store(dir: &TrustedDir) -> (PathBuf, Store) {
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &denying("one"));
    publish(&store, &denying("two"));
    (path, store)
}

/// Whether the flag is on for that company, in a view that was there all the while; none where it was lost.
fn listed(view: &View, company: i64) -> Option<bool> {
    let snapshot = view.snapshot.as_ref()?;
    let question = Question { company: Some(Key::Int(company * 1_000_003)), context: &(), now: 0 };
    let flag = snapshot.find(b"listed");
    let answer = flag.is_some_and(|flag| enabled(snapshot, &view.switches, flag, &question));
    (!view.lost()).then_some(answer)
}

/// The same, asked as a worker asks.
fn ask(reader: &Reader, company: i64) -> (Option<bool>, u64) {
    loop {
        let view = reader.view();
        let answer = listed(&view, company);
        if view.snapshot.is_none() || answer.is_some() {
            return (answer, view.generation);
        }
    }
}

/// No company that is denied is let in, and those that are not denied are, by that generation.
fn answers(reader: &Reader, generation: u64, what: &str) {
    for company in 0..300 {
        assert_eq!(ask(reader, company), (Some(company % 3 != 0), generation), "{what}: company {company}");
    }
}

#[test]
fn kills_hold_wherever_the_head_is_cut() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    // The kill that counts is in the last slot of the last page.
    for number in 0..239 {
        store.kill(&format!("other-{number}"), change()).unwrap();
    }
    store.kill("portal", change()).unwrap();
    let good = std::fs::read(path.join("head")).unwrap();
    let pages = (0..65_536).step_by(4_096);
    for length in pages.chain([1, 255, 257, 300, 400, 4_095, 4_097, 5_000, 40_001, 65_400, 65_535]) {
        let reader = reader(&path);
        let view = reader.view();
        assert!(!on(&view, "portal") && view.generation == 1);
        cut(&path.join("head"), length);
        // With an epoch that moves where there is one, so that everything is read again.
        if length >= 264 {
            epoch(&path);
        }
        for look in 0..3 {
            let view = reader.view();
            assert!(!on(&view, "portal") && view.generation == 1, "cut to {length}, look {look}");
            assert!(view.switches.any(), "cut to {length}");
            let asked = view.epoch_cell().load(Ordering::Relaxed);
            assert!(asked == view.epoch || !reader.is_current(&view), "cut to {length}, look {look}");
            reader.check_replaced(later());
        }
        let status = reader.status();
        assert!(status.head_lost, "cut to {length}: {status:?}");
        let error = status.last_error.unwrap();
        assert!(error.contains(&format!("found {length} bytes")), "cut to {length}: {error}");
        assert_eq!(status.killed.len(), 240);
        assert!(Reader::open(&path, ReaderOptions::default()).is_err(), "cut to {length}");
        let refused = store.revive("portal", change()).unwrap_err().to_string();
        assert!(refused.contains("expected a file of 65536"), "{refused}");

        write_head(&path, 0, &good);
        assert!(reader.check_replaced(later()), "cut to {length}: mended");
        let view = reader.view();
        assert!(!on(&view, "portal") && view.generation == 1, "cut to {length}: mended");
        let status = reader.status();
        assert!(!status.head_lost && status.last_error.is_none(), "cut to {length}: {status:?}");
    }
    let reader = reader(&path);
    reader.view();
    cut(&path.join("head"), 0);
    reader.view();
    write_head(&path, 0, &good);
    reader.check_replaced(later());
    store.revive("portal", change()).unwrap();
    assert!(on(&reader.view(), "portal"), "a revive arrives at a head that was mended");
}

#[test]
fn kills_hold_where_the_head_is_cut_and_filled_up_with_zeros() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    store.kill("portal", change()).unwrap();
    let reader = reader(&path);
    reader.view();
    cut(&path.join("head"), 4_096);
    cut(&path.join("head"), 65_536);
    for _ in 0..3 {
        assert!(!on(&reader.view(), "portal"), "the slot says nothing of a revive");
        reader.check_replaced(later());
    }
    assert!(store.kill("portal", change()).unwrap().changed, "the publisher sees no kill there");
    assert!(!on(&reader.view(), "portal"));
    store.revive("portal", change()).unwrap();
    assert!(on(&reader.view(), "portal"));
}

#[test]
fn a_kill_holds_until_its_slot_says_that_it_was_taken_back() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    store.kill("portal", change()).unwrap();
    let head = std::fs::read(path.join("head")).unwrap();
    let reader = reader(&path);
    assert!(!on(&reader.view(), "portal"));
    let mut noise = 0x2545_F491_4F6C_DD1D_u64;
    for round in 0..200 {
        let slot: Vec<u8> = (0..32)
            .flat_map(|_| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (noise ^ noise >> 29).to_le_bytes()
            })
            .collect();
        write_head(&path, 4_096, if round == 0 { &[0; 256] } else { &slot });
        epoch(&path);
        assert!(!on(&reader.view(), "portal"), "round {round}");
    }
    write_head(&path, 4_096, &head[4_096..4_352]);
    store.revive("portal", change()).unwrap();
    assert!(on(&reader.view(), "portal"));
    store.kill("another", change()).unwrap();
    assert!(on(&reader.view(), "portal"), "in the same slot");
    assert_eq!(reader.status().killed, ["another"]);
}

#[test]
fn a_worker_that_starts_has_everything_off_where_kill_slots_were_overwritten() {
    // It once took zeros for "nothing is killed", and what was killed was on again in each worker that php-fpm started.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(
        &store,
        &definitions(r#"{"portal":{"enabled":true},"other":{"emergency":"keep","enabled":true}}"#),
    );
    store.kill("portal", change()).unwrap();
    let running = reader(&path);
    running.view();
    type Harm = fn(&mut [u8]);
    let harms: [(usize, Harm); 5] = [
        (256, |slot| slot.fill(0)),
        (65_536 - 4_096, |slots| slots.fill(0)),
        (256, |slot| slot[100] ^= 1),
        // Noise, with an even sequence and with an odd one.
        (256, |slot| {
            slot.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at as u8).wrapping_mul(37) & 0xfe)
        }),
        (256, |slot| {
            slot.iter_mut().enumerate().for_each(|(at, byte)| *byte = (at as u8).wrapping_mul(41) | 1)
        }),
    ];
    for (length, harm) in harms {
        let mut slots = std::fs::read(path.join("head")).unwrap()[4_096..][..length].to_vec();
        harm(&mut slots);
        write_head(&path, 4_096, &slots);
        epoch(&path);
        let started = reader(&path);
        let asked = [&running, &started].map(|reader| {
            let view = reader.view();
            (on(&view, "portal"), on(&view, "other"))
        });
        assert_eq!(asked, [(false, true), (false, false)]);
        let said = started.status();
        // How many depends on where each kill found a slot: one that is refused the lock, which a child of another test's fork may
        // hold, takes an unused one.
        let error = said.last_error.clone().unwrap_or_default();
        assert!(said.stopped && error.contains(" of its kill slots are damaged"), "{said:?}");
        assert!(!running.status().stopped && running.status().last_error.is_some());
        assert!(store.status().unwrap().kills_unknown.is_some());

        // Another kill, its revive and one more do not take the place of the one that is not known any more.
        for flag in ["one", "two"] {
            assert!(store.kill(flag, change()).unwrap().changed);
            assert!(!on(&running.view(), "portal"), "{flag}");
            store.revive(flag, change()).unwrap();
            assert!(!on(&running.view(), "portal"), "{flag}");
        }
        assert!(store.kill("portal", change()).unwrap().changed);
        // A kill that was refused the lock took a slot that the trail cannot account for.
        assert!(store.resume_all(change(), true).unwrap().changed, "{:?}", store.status());
        let asked = |revived: bool| {
            let asked = [&running, &started, &reader(&path)].map(|reader| {
                let view = reader.view();
                (on(&view, "portal"), on(&view, "other"), reader.status().last_error)
            });
            assert_eq!(asked, [(); 3].map(|()| (revived, true, None)));
        };
        asked(false);
        store.revive("portal", change()).unwrap();
        asked(true);
        store.kill("portal", change()).unwrap();
        asked(false);
    }
    let store = new_store(&dir.join("before"));
    publish(&store, &portal(true));
    store.kill("portal", change()).unwrap();
    write_head(&dir.join("before"), 312, &[0; 8]);
    let started = reader(&dir.join("before"));
    started.view();
    assert!(started.status().last_error.is_none(), "a store from before the slots were counted");
}

#[test]
fn what_the_trail_says_is_killed_stays_killed_when_damaged_slots_are_settled() {
    // `resume-all` turned it on, and told nobody.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &definitions(r#"{"portal":{"enabled":true},"other":{"enabled":true}}"#));
    store.kill("portal", change()).unwrap();
    store.kill("other", change()).unwrap();
    store.revive("other", change()).unwrap();
    write_head(&path, 4_096, &[0; 256]);
    epoch(&path);
    let refused = store.resume_all(change(), false).unwrap_err().to_string();
    assert!(refused.contains("By the audit trail portal is killed; "), "{refused}");
    assert!(store.resume_all(change(), true).unwrap().changed);
    let view = reader(&path);
    let view = view.view();
    assert_eq!((on(&view, "portal"), on(&view, "other")), (false, true));
    let status = store.status().unwrap();
    assert_eq!((status.killed.len(), status.kills_unknown), (1, None));
}

#[test]
fn a_sequence_that_does_not_go_with_its_slot_revives_nothing() {
    // One bit of it, 3 to 2, was a revive for every worker.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    for _ in 0..2 {
        store.kill("portal", change()).unwrap();
        let running = reader(&path);
        running.view();
        let good = std::fs::read(path.join("head")).unwrap();
        let sequence = u64::from_le_bytes(good[4_096..4_104].try_into().unwrap());
        for bit in 0..64 {
            write_head(&path, 4_096, &(sequence ^ 1 << bit).to_le_bytes());
            epoch(&path);
            assert!(!on(&running.view(), "portal"), "bit {bit}");
            assert!(!on(&reader(&path).view(), "portal"), "bit {bit}, a worker that starts");
        }
        write_head(&path, 0, &good);
        store.revive("portal", change()).unwrap();
        assert!(on(&running.view(), "portal"));
    }
    // An older copy written over the head, and the stop's words.
    let older = std::fs::read(path.join("head")).unwrap();
    publish(&store, &definitions(r#"{"portal":{"description":"2","enabled":true}}"#));
    store.kill("portal", change()).unwrap();
    let newer = std::fs::read(path.join("head")).unwrap();
    let running = reader(&path);
    running.view();
    write_head(&path, 0, &older);
    epoch(&path);
    assert!(!on(&running.view(), "portal"), "it goes on with what it has");
    write_head(&path, 0, &newer);
    write_head(&path, 272, &2_u64.to_le_bytes());
    epoch(&path);
    assert!(store.stop_all(change()).unwrap().changed, "nothing was stopped yet");
    assert!(reader(&path).status().last_error.is_none());
}

#[test]
fn each_kill_has_a_slot_of_its_own_and_none_takes_one_that_was_damaged() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    for number in 0..240 {
        store.kill(&format!("f{number}"), change()).unwrap();
    }
    write_head(&path, 4_096, &[0x24; 256]);
    let refused = store.kill("portal", change()).unwrap_err().to_string();
    assert!(refused.contains("240 flags are killed already"), "{refused}");
    assert!(!on(&reader(&path).view(), "portal"), "nobody knows what is killed");
}

#[test]
fn a_resume_refuses_where_slots_are_damaged_since_the_trail_may_lack_kills() {
    // Kill slots were overwritten, and the trail did not have all that they held, as after a kill on a full disk: `resume-all` turned killed flags on.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &definitions(r#"{"portal":{"enabled":true},"other":{"enabled":true}}"#));
    store.kill("other", change()).unwrap();
    let trail = path.join("audit.jsonl");
    let (head_before, cut) = (std::fs::read(path.join("head")).unwrap(), std::fs::read(&trail).unwrap());
    store.kill("portal", change()).unwrap();
    let (head, whole) = (std::fs::read(path.join("head")).unwrap(), std::fs::read(&trail).unwrap());
    let torn = [&whole[..], b"{\"seq\":"].concat();
    // A kill on a full disk has a slot and no record.
    for (bytes, audited, gap) in [
        (&b""[..], &head, "record 1"),
        (&cut[..], &head, "the end is missing"),
        (&torn[..], &head, "its last line was cut off"),
        (&cut[..], &head_before, ""),
    ] {
        std::fs::write(&trail, bytes).unwrap();
        write_head(&path, 0, &head);
        write_head(&path, 288, &audited[288..304]);
        write_head(&path, 4_096, &[0; 61_440]);
        epoch(&path);
        let before = std::fs::read(path.join("head")).unwrap();
        let refused = store.resume_all(change(), false).unwrap_err().to_string();
        assert!(refused.contains(gap) && refused.contains("resume-all --force"), "{gap}: {refused}");
        assert_eq!(std::fs::read(path.join("head")).unwrap(), before, "nothing was changed");
        assert!(!on(&reader(&path).view(), "portal"), "{gap}");
        let told = store.kills_unknown().unwrap().unwrap();
        assert!(refused.contains(&told) && store.status().unwrap().kills_unknown == Some(told.clone()));
        let warning = store.revive("nothing", change()).unwrap().audit_warning.unwrap();
        assert!(warning.contains(&told), "{warning}");

        let forced = store.resume_all(change(), true).unwrap();
        assert!(gap.is_empty() || forced.audit_warning.unwrap().contains(gap));
        assert_eq!(store.kills_unknown().unwrap(), None);
        assert_eq!(
            store.resume_all(change(), false).unwrap().audit_warning,
            None,
            "the slots are sound again"
        );
    }
}

#[test]
fn nothing_is_published_while_kill_slots_are_damaged() {
    // A rename turned the killed flag on, since the slot that could not be read was not carried over to the new key; plans went on.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    store.kill("portal", change()).unwrap();
    let running = reader(&path);
    assert!(!on(&running.view(), "portal"));
    write_head(&path, 4_104, &[0xff; 8]);
    epoch(&path);
    let renamed = definitions(r#"{"door":{"was":"portal","enabled":true}}"#);
    let refused = store.publish(&renamed, change()).unwrap_err().to_string();
    assert!(
        refused.contains("kill slots are damaged") && refused.contains("nothing was changed"),
        "{refused}"
    );
    store.resume_all(change(), true).unwrap();
    publish(&store, &renamed);
    let view = running.view();
    assert_eq!((view.generation, on(&view, "portal"), on(&view, "door")), (2, false, false));
}

#[test]
fn a_kill_by_one_key_holds_for_all_keys_though_the_command_cannot_read_the_snapshot() {
    // It said that the flag was off for everybody; whoever asked by the other key had it on.
    for (key, other) in [("door", "portal"), ("portal", "door")] {
        let dir = trusted_dir();
        let path = dir.join("store");
        let store = new_store(&path);
        publish(&store, &definitions(r#"{"door":{"was":"portal","enabled":true}}"#));
        let running = reader(&path);
        assert!(on(&running.view(), key) && on(&running.view(), other));
        let (file, kept) = (snapshot_file(&path, 1), path.join("kept"));
        std::fs::rename(&file, &kept).unwrap();
        store.kill(key, change()).unwrap();
        let view = running.view();
        assert_eq!((on(&view, key), on(&view, other)), (false, false), "{key}");
        std::fs::rename(&kept, &file).unwrap();
        assert!(!on(&reader(&path).view(), other), "a worker that starts");
    }
}

#[test]
fn a_kill_that_is_typed_again_is_in_the_trail() {
    // The first found no room there; the second said that the flag was killed already, and wrote nothing.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let (trail, aside) = (path.join("audit.jsonl"), path.join("aside"));
    std::fs::rename(&trail, &aside).unwrap();
    std::fs::create_dir(&trail).unwrap();
    assert!(store.kill("portal", change()).unwrap().audit_warning.is_some());
    std::fs::remove_dir(&trail).unwrap();
    std::fs::rename(&aside, &trail).unwrap();
    let again = store.kill("portal", change()).unwrap();
    assert_eq!((again.changed, again.audit_warning), (false, None));
    let kills = std::fs::read_to_string(&trail).unwrap().matches("\"kill\"").count();
    assert_eq!(kills, 1);
}

#[test]
fn the_stop_holds_until_its_words_say_that_everything_goes_on() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    store.stop_all(change()).unwrap();
    let running = reader(&path);
    assert!(!on(&running.view(), "portal"));
    for word in [2, u64::MAX, 0x0100] {
        write_head(&path, 272, &word.to_le_bytes());
        epoch(&path);
        assert!(!on(&running.view(), "portal"), "{word:#x}");
        assert!(!on(&reader(&path).view(), "portal"), "{word:#x}, a worker that starts");
        assert!(store.status().unwrap().stopped.is_some(), "{word:#x}");
    }
    write_head(&path, 272, &0_u64.to_le_bytes());
    epoch(&path);
    assert!(!on(&running.view(), "portal"), "half of a resume");
    store.stop_all(change()).unwrap();
    store.resume_all(change(), false).unwrap();
    assert!(on(&running.view(), "portal"));
}

#[test]
fn a_denied_company_stays_out_wherever_the_snapshot_is_cut() {
    let dir = trusted_dir();
    let (path, store) = listed_store(&dir);
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    let sections = store.snapshot(2).unwrap().layout().unwrap().sections;
    let mut lengths: Vec<u64> = (0..good.len() as u64).step_by(65_536).collect();
    for section in &sections {
        lengths.extend([section.offset, section.offset + 1, section.offset + section.size / 2]);
    }
    lengths.sort_unstable();
    lengths.dedup();
    lengths.retain(|length| (*length as usize) < good.len());
    assert!(lengths.len() > 20, "{lengths:?}");
    for length in lengths {
        let what = format!("cut to {length} of {}", good.len());
        let reader = shared(&path);
        let pinned = reader.view();
        assert_eq!((listed(&pinned, 0), listed(&pinned, 1)), (Some(false), Some(true)));
        assert_eq!(reader.status().map, Some(MapMode::Shared));
        cut(&file, length);
        for company in (0..COMPANIES).step_by(3).take(3_000) {
            assert_ne!(listed(&pinned, company), Some(true), "{what}: company {company} by a pinned view");
            assert_ne!(ask(&reader, company).0, Some(true), "{what}: company {company}");
        }
        assert!(reader.check_replaced(later()) || reader.view().generation == 1, "{what}");
        answers(&reader, 1, &what);
        assert!(!reader.is_current(&pinned), "{what}");
        let status = reader.status();
        assert_eq!((status.source, status.map), (Source::Previous, Some(MapMode::Private)), "{what}");
        assert!(status.last_error.unwrap().contains("generation 2"), "{what}");
        write(&file, None, &good);
    }
    let reader = shared(&path);
    reader.view();
    let one = std::fs::read(snapshot_file(&path, 1)).unwrap();
    cut(&file, 0);
    cut(&snapshot_file(&path, 1), 0);
    reader.check_replaced(later());
    assert_eq!(ask(&reader, 1), (None, 0), "off, for want of any snapshot");
    assert_eq!(reader.status().source, Source::None);
    write(&snapshot_file(&path, 1), None, &one);
    let since = Instant::now();
    while ask(&reader, 1) != (Some(true), 1) {
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", reader.status());
        reader.check_replaced(later());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn bytes_written_over_a_mapped_snapshot_are_found_by_the_next_look() {
    let dir = trusted_dir();
    let (path, _) = listed_store(&dir);
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    let noise: Vec<u8> =
        (0..good.len()).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    for (what, bytes) in
        [("zeros", &vec![0; good.len()]), ("ones", &vec![0xff; good.len()]), ("noise", &noise)]
    {
        let reader = shared(&path);
        let pinned = reader.view();
        write(&file, None, bytes);
        for company in 0..3_000 {
            // Whatever it says: nothing outside is read.
            listed(&pinned, company);
        }
        assert!(reader.check_replaced(later()), "{what}");
        assert_eq!(listed(&pinned, 0), None, "{what}: nobody believes it any more");
        answers(&reader, 1, what);
        write(&file, None, &good);
    }
    // Changed and changed back: the content is what it was.
    let reader = shared(&path);
    reader.view();
    write(&file, None, &noise);
    write(&file, None, &good);
    assert!(reader.check_replaced(later()));
    answers(&reader, 2, "changed back");
    assert_eq!((reader.status().source, reader.status().map), (Source::Current, Some(MapMode::Private)));
}

#[test]
fn a_mapped_snapshot_that_is_deleted_or_replaced_goes_on_answering() {
    let dir = trusted_dir();
    let (path, store) = listed_store(&dir);
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    let reader = shared(&path);
    reader.view();
    replace(&file, b"nothing of the kind");
    for _ in 0..3 {
        reader.check_replaced(later());
        answers(&reader, 2, "replaced");
    }
    std::fs::remove_file(&file).unwrap();
    reader.check_replaced(later());
    answers(&reader, 2, "deleted");
    assert_eq!((reader.status().source, reader.status().last_error), (Source::Current, None));
    replace(&file, &good);
    // The next generation is shared again.
    publish(&store, &definitions("{\"listed\":{\"enabled\":true}}"));
    assert_eq!(ask(&reader, 0), (Some(true), 3));
    assert_eq!(reader.status().map, Some(MapMode::Shared));
}

#[test]
fn a_snapshot_cut_under_its_mapping_and_replaced_by_a_good_one_is_read_again() {
    let dir = trusted_dir();
    let (path, _) = listed_store(&dir);
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    let reader = shared(&path);
    let pinned = reader.view();
    let held = OpenOptions::new().write(true).open({
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        &file
    });
    replace(&file, &good);
    held.unwrap().set_len(0).unwrap();
    assert_eq!(listed(&pinned, 1), None, "lost, and nothing died of it");
    answers(&reader, 2, "read again");
    assert_eq!((reader.status().source, reader.status().map), (Source::Current, Some(MapMode::Private)));
    assert_eq!(bus_handler(), BusHandler::InPlace);
}

/// Does it also where an assertion fails.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn threads_answer_while_everything_that_they_map_is_cut_and_mended() {
    let dir = trusted_dir();
    let (path, store) = listed_store(&dir);
    store.kill("killed", change()).unwrap();
    let reader = shared(&path);
    reader.view();
    let (ended, before) = (AtomicBool::new(false), flagstone::lost_mappings());
    let good: Vec<(PathBuf, Vec<u8>)> = [path.join("head"), snapshot_file(&path, 1), snapshot_file(&path, 2)]
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .into();
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let (mut asked, mut company) = (0_u64, 0);
                    while !ended.load(Ordering::Relaxed) {
                        company = (company + 3) % COMPANIES;
                        assert_ne!(ask(&reader, company).0, Some(true), "company {company} is denied");
                        reader.check_replaced(later());
                        let view = reader.view();
                        assert!(view.lost() || !on(&view, "killed"), "a kill was forgotten");
                        asked += 1;
                    }
                    asked
                })
            })
            .collect();
        let end = OnDrop(|| ended.store(true, Ordering::Relaxed));
        let until = Instant::now() + Duration::from_secs(4);
        let mut round = 0_u64;
        while Instant::now() < until {
            let (file, bytes) = &good[(round % 3) as usize];
            // Ten publishes may have removed it as too old.
            if file.exists() {
                cut(file, round.wrapping_mul(7_919) % bytes.len() as u64);
                std::thread::sleep(Duration::from_millis(2));
                write(file, None, bytes);
            }
            if round % 10 == 9 {
                // Or every mapping is a copy by now.
                let _ = store.publish(&denying(&round.to_string()), change());
            }
            round += 1;
        }
        drop(end);
        for thread in asking {
            assert!(thread.join().unwrap() > 0);
        }
        println!("{round} rounds, {} mappings lost", flagstone::lost_mappings() - before);
    });
    assert!(flagstone::lost_mappings() > before, "or this shows nothing");
}

#[test]
fn changes_beside_somebody_who_cuts_the_head_are_made_or_refused() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let good = std::fs::read(path.join("head")).unwrap();
    let ended = AtomicBool::new(false);
    let (mut done, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let head = OpenOptions::new().write(true).open(path.join("head")).unwrap();
            while !ended.load(Ordering::Relaxed) {
                head.set_len(8_192).unwrap();
                std::thread::yield_now();
                head.write_all_at(&good, 0).unwrap();
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let _end = OnDrop(|| ended.store(true, Ordering::Relaxed));
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            for switched in [store.kill("portal", change()), store.revive("portal", change())] {
                match switched {
                    Ok(_) => done += 1,
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.contains("/head"), "{text}");
                        refused += 1;
                    }
                }
            }
            let _ = store.status();
        }
    });
    assert!(done > 0 && refused > 0, "{done} made, {refused} refused");
}

#[test]
fn a_fault_in_a_file_of_others_ends_the_process_as_before() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let ended = Child::new("a fault of others").store(&path).run();
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(ended.output.status.signal(), Some(7), "{}", String::from_utf8_lossy(&ended.output.stderr));
    assert_eq!(ended.answers(), ["in_place"]);
}

#[test]
fn a_handler_that_comes_later_is_told() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let ended = Child::new("another handler").store(&path).run();
    assert_eq!(ended.answers(), ["unused", "in_place", "replaced"]);
}

#[test]
fn a_thread_that_maps_outlives_a_cut_whatever_signals_it_blocked() {
    let dir = trusted_dir();
    let (path, _) = listed_store(&dir);
    let ended = Child::new("block, map, cut and ask").store(&path).run();
    assert_eq!(
        ended.answers(),
        ["in_place", "blocked", "in_place", "false true"],
        "{}",
        String::from_utf8_lossy(&ended.output.stderr)
    );
}

#[test]
fn a_signal_that_is_sent_leaves_the_handler_in_place_where_the_process_lives() {
    assert_eq!(support::user(), 0, "a PID namespace needs root: run the tests as root (sudo make test)");
    let dir = trusted_dir();
    // The first process of a PID namespace lives, as one whose earlier handler was Rust's.
    for (name, before) in [("DEFAULT", ["unshare", "--pid", "--fork"].as_slice()), ("RUST", &[])] {
        let path = dir.join(name);
        let store = new_store(&path);
        publish(&store, &denying("one"));
        publish(&store, &denying("two"));
        let ended = Child::new("take a signal, cut and ask").store(&path).set(name, "1").under(before).run();
        assert_eq!(
            ended.answers(),
            ["in_place", "in_place", "in_place", "false true"],
            "{name}: {}",
            String::from_utf8_lossy(&ended.output.stderr)
        );
    }
    use std::os::unix::process::ExitStatusExt;
    let (path, _) = listed_store(&dir);
    let ended = Child::new("take a signal, cut and ask").store(&path).set("DEFAULT", "1").run();
    assert_eq!((ended.output.status.signal(), ended.answers().len()), (Some(7), 0));
}

#[test]
fn a_child_of_fork_outlives_a_cut_as_its_parent_does() {
    let dir = trusted_dir();
    let (path, _) = listed_store(&dir);
    let ended = Child::new("fork, cut and ask").store(&path).run();
    assert_eq!(
        ended.answers(),
        ["child 0 false", "parent false"],
        "{}",
        String::from_utf8_lossy(&ended.output.stderr)
    );
}

#[test]
fn whoever_writes_the_head_writes_one_line_a_minute_into_the_log() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let reader = reader(&path);
    reader.view();
    let mut notices = Vec::new();
    for round in 0_u8..200 {
        write_head(&path, 0, &[round; 8]);
        epoch(&path);
        reader.view();
        reader.check_replaced(later());
        notices.extend(reader.take_notices());
    }
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(reader.status().refused > 100, "each is counted");
}
