//! What a reader does when snapshots are not what they should be, and beside others: it serves what was good last.

mod support;

use flagstone::MapMode;
use flagstone::publish::Store;
use flagstone::store::{MapPolicy, Reader, ReaderOptions, Source};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use support::children::Child;
use support::damage::{epoch, later, replace, write_head};
use support::stores::{change, new_store, numbered, on, portal, publish, reader, snapshot_file};
use support::trusted_dir;

#[test]
fn every_prefix_and_every_flipped_bit_of_the_current_snapshot_leaves_the_one_before_in_place() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &portal(false));
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    let sections = store.snapshot(2).unwrap().layout().unwrap().sections;
    let definitions = sections.iter().find(|section| section.name == "definitions").unwrap();
    let definitions = definitions.offset as usize..(definitions.offset + definitions.size) as usize;
    // The record of the audit trail is last; the bytes between the two are zeros, or it is no snapshot.
    let audited = good.len() - 48;
    assert!(definitions.end <= audited);

    let mut refused = 0;
    for length in 0..good.len() {
        replace(&file, &good[..length]);
        let reader = reader(&path);
        let view = reader.view();
        assert_eq!((view.generation, view.fallback), (1, true), "cut off after {length} bytes");
        assert_eq!(reader.status().source, Source::Previous);
        refused += 1;
    }
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        replace(&file, &bytes);
        let view = reader(&path).view();
        if definitions.contains(&(bit / 8)) || bit / 8 >= audited {
            // Not read by a reader that only answers: checked when it is asked for.
            assert_eq!(view.generation, 2);
            assert!(view.snapshot.as_ref().unwrap().verify().is_err(), "bit {bit}");
            assert!(store.snapshot(2).is_err());
        } else {
            assert_eq!((view.generation, view.fallback), (1, true), "bit {bit} flipped");
        }
        refused += 1;
    }
    assert_eq!(refused, good.len() * 9);
    replace(&file, &good);
    assert_eq!(reader(&path).view().generation, 2);
}

#[test]
fn a_bad_new_snapshot_is_refused_once_counted_and_told_once() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    reader.view();
    publish(&store, &portal(false));
    replace(&snapshot_file(&path, 2), b"nothing of the kind");
    for _ in 0..5 {
        let view = reader.view();
        assert!(on(&view, "portal") && view.fallback && view.generation == 1);
        assert!(reader.is_current(&view), "no further look before the next change or attempt");
        epoch(&path);
    }
    let status = reader.status();
    assert_eq!(
        (status.refused, status.source, status.generation, status.head_generation),
        (1, Source::LastGood, 1, 2)
    );
    assert_eq!(status.retries, 0, "a kill or a stop is no reason to try again");
    assert!(status.last_error.unwrap().contains("generation 2 was refused"));
    let notices = reader.take_notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(reader.take_notices().is_empty());
}

#[test]
fn kills_reach_a_reader_whose_new_snapshot_is_bad() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    let reader = reader(&path);
    reader.view();
    publish(&store, &numbered(2));
    std::fs::remove_file(snapshot_file(&path, 2)).unwrap();
    assert!(on(&reader.view(), "portal"));
    store.kill("portal", change()).unwrap();
    assert!(!on(&reader.view(), "portal"));
}

#[test]
fn a_refused_snapshot_is_tried_again_after_a_pause() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    reader.view();
    publish(&store, &portal(false));
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    replace(&file, b"bad");
    reader.view();
    replace(&file, &good);
    assert!(!reader.check_replaced(later()), "not yet");
    let since = Instant::now();
    while !reader.check_replaced(later()) {
        assert!(since.elapsed() < Duration::from_secs(60), "no further attempt");
        std::thread::sleep(Duration::from_millis(50));
    }
    let view = reader.view();
    assert_eq!((view.generation, view.fallback), (2, false));
    let status = reader.status();
    assert_eq!((status.retries, status.source, status.last_error), (1, Source::Current, None));
}

#[test]
fn the_pauses_grow_while_a_snapshot_stays_bad() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    reader.view();
    publish(&store, &portal(false));
    replace(&snapshot_file(&path, 2), b"bad");
    let until = Instant::now() + Duration::from_millis(4_500);
    while Instant::now() < until {
        reader.check_replaced(later());
        reader.view();
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(reader.status().retries, 2, "after one second and after two more");
    assert_eq!(reader.status().refused, 1);
}

#[test]
fn a_snapshot_that_is_no_file_is_refused_without_waiting_for_it() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &portal(false));
    let file = snapshot_file(&path, 2);
    let good = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(reader(&path).view().generation, 1, "missing");
    std::fs::create_dir(&file).unwrap();
    assert_eq!(reader(&path).view().generation, 1, "a directory");
    std::fs::remove_dir(&file).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o444),
        0,
    )
    .unwrap();
    assert_eq!(reader(&path).view().generation, 1, "a pipe");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(dir.join("elsewhere"), good).unwrap();
    std::os::unix::fs::symlink(dir.join("elsewhere"), &file).unwrap();
    assert_eq!(reader(&path).view().generation, 1, "a symbolic link");
    assert!(reader(&path).view().fallback);
}

#[test]
fn a_good_snapshot_under_another_name_is_refused() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &portal(false));
    std::fs::copy(snapshot_file(&path, 1), dir.join("first")).unwrap();
    std::fs::rename(dir.join("first"), snapshot_file(&path, 2)).unwrap();
    let reader = reader(&path);
    assert_eq!(reader.view().generation, 1);
    assert!(reader.status().last_error.unwrap().contains("another snapshot under this name"));
}

#[test]
fn a_snapshot_for_another_environment_is_refused() {
    let dir = trusted_dir();
    let (path, other) = (dir.join("store"), dir.join("other"));
    let store = new_store(&path);
    publish(&store, &portal(true));
    let staging = Store::init(&other, "staging", None).unwrap();
    publish(&staging, &portal(true));
    publish(&staging, &portal(false));
    // A head that names what is there, made by whoever copied files from one store to another.
    for entry in std::fs::read_dir(other.join("snapshots")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), path.join("snapshots").join(entry.file_name())).unwrap();
    }
    let head = std::fs::read(other.join("head")).unwrap();
    let watching = reader(&path);
    watching.view();
    write_head(&path, 256, &head[256..448]);
    epoch(&path);
    let view = watching.view();
    assert_eq!(view.generation, 1);
    assert!(on(&view, "portal"));
    assert!(
        watching.status().last_error.unwrap().contains("environment \"staging\", expected \"production\"")
    );
    assert!(reader(&path).view().snapshot.is_none(), "the one before is of that environment as well");
}

#[test]
fn a_store_that_is_taken_away_goes_on_answering() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    reader.view();
    std::fs::remove_dir_all(&path).unwrap();
    assert!(!reader.check_replaced(later()));
    assert!(on(&reader.view(), "portal"));
    assert!(reader.status().last_error.unwrap().contains("look at the head"));
    // And one that comes back is followed.
    let store = new_store(&path);
    publish(&store, &portal(false));
    assert!(reader.check_replaced(later()));
    assert!(!on(&reader.view(), "portal"));
    assert_eq!(reader.status().last_error, None);
}

/// Two stores whose second generation turns `portal` off, which the first one had on: copies of one store that went different ways.
fn two_that_deny(path: &Path, other: &Path) {
    let store = new_store(path);
    publish(&store, &portal(true));
    assert!(std::process::Command::new("cp").arg("-a").args([path, other]).status().unwrap().success());
    publish(&store, &portal(false));
    let mut different = portal(false);
    different.flags.values_mut().for_each(|flag| flag.description = Some("another".to_owned()));
    publish(&Store::open(other).unwrap(), &different);
}

#[test]
fn a_store_that_takes_the_place_of_another_while_a_worker_starts_answers() {
    // The snapshot named by the head of the first was looked for in the second. It was not there, so the generation before answered, in
    // which the flag was on.
    let dir = trusted_dir();
    let [path, other, aside] = ["store", "other", "aside"].map(|name| dir.join(name));
    two_that_deny(&path, &other);
    let starting = reader(&path);
    std::fs::rename(&path, &aside).unwrap();
    std::fs::rename(&other, &path).unwrap();
    let view = starting.view();
    assert_eq!((on(&view, "portal"), view.generation, view.fallback), (false, 2, false));
    let status = starting.status();
    assert_eq!((status.source, status.last_error, status.heads_replaced), (Source::Current, None, 1));
}

#[test]
fn a_worker_that_starts_while_its_store_is_moved_away_has_everything_off_until_it_is_back() {
    let dir = trusted_dir();
    let [path, other, aside] = ["store", "other", "aside"].map(|name| dir.join(name));
    two_that_deny(&path, &other);
    let starting = reader(&path);
    std::fs::rename(&path, &aside).unwrap();
    assert!(starting.view().snapshot.is_none());
    // A copy without the newest snapshot: that one is still in the store that was moved away.
    std::fs::remove_file(snapshot_file(&other, 2)).unwrap();
    std::fs::rename(&other, &path).unwrap();
    std::fs::rename(&path, &other).unwrap();
    std::fs::rename(&aside, &path).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(starting.check_replaced(later()));
    let view = starting.view();
    assert_eq!((on(&view, "portal"), view.generation, view.fallback), (false, 2, false));
}

#[test]
fn workers_that_start_while_two_stores_change_places_turn_nothing_on() {
    let dir = trusted_dir();
    let [path, other, aside] = ["store", "other", "aside"].map(|name| dir.join(name));
    two_that_deny(&path, &other);
    let (stop, mut starts) = (AtomicBool::new(false), 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (from, to) in [(&path, &aside), (&other, &path), (&aside, &other)] {
                    std::fs::rename(from, to).unwrap();
                }
            }
        });
        let began = Instant::now();
        let mut wrong = None;
        while began.elapsed() < Duration::from_secs(2) && wrong.is_none() {
            let Ok(starting) = Reader::open(&path, ReaderOptions::default()) else { continue };
            let view = starting.view();
            wrong = (on(&view, "portal") || view.fallback).then(|| starting.status());
            starts += 1;
        }
        stop.store(true, Ordering::Relaxed);
        assert!(wrong.is_none(), "after {starts} starts: {wrong:?}");
    });
    assert!(starts > 10, "{starts}");
}

#[test]
fn a_snapshot_that_cannot_be_read_for_now_is_not_answered_for_by_the_one_before() {
    // Whatever it denies stays denied.
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &portal(false));
    let log = dir.join("trace");
    // Of the snapshot alone, and of the second walk to the store, which is the snapshot's.
    let (folder, above) = (path.join("snapshots"), dir.path().to_owned());
    let faults = [
        (&folder, "openat:error=EACCES"),
        (&folder, "openat:error=EIO"),
        (&folder, "openat:error=ENFILE"),
        (&folder, "newfstatat:error=EIO"),
        (&above, "openat:error=ENOENT:when=2"),
        (&above, "openat:error=EACCES:when=2"),
        (&path, "fstatfs:error=ENOMEM:when=2"),
    ];
    for (place, fault) in faults {
        let inject = format!("inject={fault}");
        let place = place.to_str().unwrap();
        let words = ["strace", "-f", "-o", log.to_str().unwrap(), "-e", &inject, "-P", place];
        let read = Child::new("read").store(&path).under(&words).run();
        let answer = read.answers().concat();
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("INJECTED"), "{fault}: {log}");
        assert!(answer.starts_with("0 "), "{place}: {fault}: {answer}");
    }
}

#[test]
fn an_empty_store_in_a_stores_place_turns_no_killed_flag_on() {
    for stop in [false, true] {
        let dir = trusted_dir();
        let path = dir.join("store");
        let store = new_store(&path);
        publish(&store, &portal(true));
        match stop {
            true => _ = store.stop_all(change()).unwrap(),
            false => _ = store.kill("portal", change()).unwrap(),
        }
        let reader = reader(&path);
        assert!(!on(&reader.view(), "portal"));
        std::fs::rename(&path, dir.join("moved")).unwrap();
        let empty = new_store(&path);
        assert!(reader.check_replaced(later()));
        let view = reader.view();
        assert_eq!(view.generation, 1);
        assert!(!on(&view, "portal"), "stop: {stop}");
        assert!(!on(&reader.switched(&view).unwrap(), "portal"), "stop: {stop}");
        assert!(reader.status().last_error.unwrap().contains("it names no generation"));
        // Its first content goes with its own kills.
        publish(&empty, &portal(true));
        assert!(on(&reader.view(), "portal"));
        assert_eq!((reader.status().last_error, reader.status().killed), (None, Vec::new()));
    }
}

#[test]
fn small_snapshots_are_copied_and_large_ones_mapped_unless_told_otherwise() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let with = |map| Reader::open(&path, ReaderOptions { map, ..Default::default() }).unwrap();
    let mode = |map| {
        let reader = with(map);
        reader.view();
        reader.status().map
    };
    assert_eq!(mode(MapPolicy::Auto), Some(MapMode::Private));
    assert_eq!(mode(MapPolicy::Shared), Some(MapMode::Shared));
    let many: Vec<String> = (0..300_000).map(|n| (n * 1_000).to_string()).collect();
    let large = support::stores::definitions(&format!(
        "{{\"portal\":{{\"enabled\":true,\"companies\":{{\"allow\":[{}]}}}}}}",
        many.join(",")
    ));
    publish(&store, &large);
    assert_eq!(mode(MapPolicy::Auto), Some(MapMode::Shared));
    assert_eq!(mode(MapPolicy::Private), Some(MapMode::Private));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o775)).unwrap();
    assert_eq!(mode(MapPolicy::Auto), Some(MapMode::Private), "a group can write the directory");
}

#[test]
fn a_snapshot_larger_than_the_limit_is_refused() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let reader = Reader::open(&path, ReaderOptions { size_limit: 500, ..Default::default() }).unwrap();
    assert!(reader.view().snapshot.is_none());
    assert!(reader.status().last_error.unwrap().contains("more than the limit of 500"));
}

#[test]
fn a_private_copy_outlives_its_file_being_cut_off() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let reader = reader(&path);
    let view = reader.view();
    let mut file =
        std::fs::OpenOptions::new().write(true).open(snapshot_file(&path, 1)).unwrap_or_else(|_| {
            // Not root: the file is read-only, for its owner too.
            let file = snapshot_file(&path, 1);
            std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            std::fs::OpenOptions::new().write(true).open(file).unwrap()
        });
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(&[0xff; 100]).unwrap();
    assert!(on(&view, "portal") && on(&reader.view(), "portal"));
}

#[test]
fn many_threads_see_every_generation_rise_and_none_twice_half_done() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    let reader = reader(&path);
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let view = reader.view();
                    assert!(view.generation >= last, "{} after {last}", view.generation);
                    assert!(on(&view, "portal") && !view.fallback);
                    last = view.generation;
                }
                assert_eq!(reader.view().generation, 200);
            });
        }
        for number in 2..=200 {
            publish(&store, &numbered(number));
        }
        // Nobody is loading any more when the last one has been seen here.
        while reader.view().generation != 200 {}
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(reader.status().refused, 0);
}

#[test]
fn no_thread_is_told_that_there_is_no_snapshot_while_another_loads_the_first() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let many: Vec<String> = (0..100_000).map(|n| (n * 1_000).to_string()).collect();
    let flags =
        format!("{{\"portal\":{{\"enabled\":true,\"companies\":{{\"deny\":[{}]}}}}}}", many.join(","));
    publish(&new_store(&path), &support::stores::definitions(&flags));
    for _ in 0..20 {
        let reader = reader(&path);
        let together = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    assert_eq!(reader.view().generation, 1);
                });
            }
        });
        assert_eq!(reader.status().loads, 1);
    }
}

#[test]
fn a_reader_slower_than_all_that_is_kept_takes_the_newest() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    // It is held back as it opens the first generation.
    let file = snapshot_file(&path, 1);
    let slow = Child::new("read").store(&path);
    let log = dir.join("trace");
    let folder = path.join("snapshots");
    let words = ["-e", "inject=openat:delay_enter=4000000", "-P", folder.to_str().unwrap()];
    let slow = slow.under(&[&["strace", "-f", "-o", log.to_str().unwrap()], &words[..]].concat());
    let running = slow.command().spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1_000));
    for number in 2..=24 {
        publish(&store, &numbered(number));
    }
    assert!(!file.exists());
    let output = running.wait_with_output().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("ENOENT"), "it was not held back: {log}");
    assert_eq!(support::children::answers(&output.stdout), ["24 trusted Some(Private) None"]);
}

#[test]
fn a_child_process_does_what_its_parent_asks() {
    support::children::serve();
}
