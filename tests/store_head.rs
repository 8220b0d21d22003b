//! What a reader does when the head is not what it should be: restored from a backup, damaged, torn, another store's.

mod support;

use flagstone::publish::Store;
use flagstone::store::{Reader, ReaderOptions, Source};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use support::damage::{epoch, later, replace, write_head};
use support::stores::{change, new_store, numbered, on, portal, publish, reader};
use support::trusted_dir;

#[test]
fn a_head_restored_from_a_backup_is_followed_though_it_is_older() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    let before = reader.view();
    std::fs::copy(path.join("head"), dir.join("backup")).unwrap();
    publish(&store, &portal(false));
    assert!(!on(&reader.view(), "portal"));
    std::fs::rename(dir.join("backup"), path.join("head")).unwrap();
    assert!(reader.check_replaced(later()));
    let view = reader.view();
    assert_eq!((view.generation, view.fallback), (1, false));
    assert!(on(&view, "portal"));
    assert_ne!(
        before.epoch_cell().load(Ordering::Relaxed),
        before.epoch,
        "an old view's word stays readable"
    );
    assert_eq!(reader.status().heads_replaced, 1);
    let next = store.rollback(Some(1), change()).unwrap();
    assert_eq!(next.generation % 2, 0, "the pointer in use is not overwritten");
    assert!(next.generation > 2, "numbers are never used again");
    assert_eq!(reader.view().generation, next.generation);
}

#[test]
fn a_restored_head_is_noticed_even_with_the_same_epoch() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    std::fs::copy(path.join("head"), dir.join("backup")).unwrap();
    store.kill("portal", change()).unwrap();
    let reader = reader(&path);
    let view = reader.view();
    assert!(!on(&view, "portal"));
    // The backup, brought to the very epoch at which this reader looked.
    let backup = std::fs::OpenOptions::new().write(true).open(dir.join("backup")).unwrap();
    backup.write_all_at(&view.epoch.to_le_bytes(), 256).unwrap();
    std::fs::rename(dir.join("backup"), path.join("head")).unwrap();
    assert!(reader.check_replaced(later()));
    assert!(!reader.is_current(&view));
    assert!(on(&reader.view(), "portal"));
}

#[test]
fn a_head_replaced_again_and_again_is_noticed_each_time() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &numbered(1));
    publish(&store, &numbered(2));
    let reader = reader(&path);
    reader.view();
    // A file system may use an inode's number again at once: the one mapped is in use, so that it cannot be that.
    let mut inodes = std::collections::HashSet::new();
    for round in 1..=200 {
        std::fs::copy(path.join("head"), dir.join("copy")).unwrap();
        inodes.insert(std::fs::metadata(dir.join("copy")).unwrap().ino());
        std::fs::rename(dir.join("copy"), path.join("head")).unwrap();
        assert!(reader.check_replaced(later()), "round {round}");
        assert_eq!(reader.view().generation, 2);
        assert_eq!(reader.status().heads_replaced, round);
    }
    assert!(inodes.len() < 200, "inode numbers were used again, or this shows nothing");
}

#[test]
fn the_file_of_the_head_is_looked_at_once_a_second() {
    let dir = trusted_dir();
    let path = dir.join("store");
    new_store(&path);
    let reader = reader(&path);
    let mut found = 0;
    for now in 20_000..23_000 {
        if now % 100 == 0 {
            std::fs::copy(path.join("head"), dir.join("copy")).unwrap();
            std::fs::rename(dir.join("copy"), path.join("head")).unwrap();
        }
        reader.check_replaced(now);
        found = reader.status().heads_replaced;
    }
    assert_eq!(found, 3);
}

#[test]
fn a_head_that_is_none_or_for_another_environment_is_not_followed() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    reader.view();
    let staging = Store::init(&dir.join("staging"), "staging", None).unwrap();
    publish(&staging, &portal(false));
    let other = std::fs::read(dir.join("staging/head")).unwrap();
    for (bytes, expected) in [
        (other.as_slice(), "environment \"staging\", expected \"production\""),
        (&other[..4_096], "found 4096 bytes"),
        (&[0; 65_536], "no head does"),
        (b"", "found 0 bytes"),
    ] {
        replace(&path.join("head"), bytes);
        assert!(!reader.check_replaced(later()));
        assert!(on(&reader.view(), "portal"));
        let error = reader.status().last_error.unwrap();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_head_that_goes_back_in_place_is_refused() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let old = std::fs::read(path.join("head")).unwrap();
    publish(&store, &portal(false));
    let reader = reader(&path);
    assert!(!on(&reader.view(), "portal"));
    write_head(&path, 264, &old[264..448]);
    epoch(&path);
    let view = reader.view();
    assert!(!on(&view, "portal") && view.generation == 2);
    let error = reader.status().last_error.unwrap();
    assert!(
        error.contains("went back in place from generation 2 to 1") && error.contains("--to 2"),
        "{error}"
    );
    write_head(&path, 264, &[0; 184]);
    epoch(&path);
    assert_eq!(reader.view().generation, 2);
    assert!(reader.status().last_error.unwrap().contains("from generation 2 to none"));
}

#[test]
fn kills_outlast_a_head_that_was_overwritten_with_zeros() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    store.kill("portal", change()).unwrap();
    let reader = reader(&path);
    assert!(!on(&reader.view(), "portal"));
    write_head(&path, 0, &[0; 65_536]);
    assert!(!on(&reader.view(), "portal"));
    assert!(reader.status().last_error.is_some());
}

#[test]
fn any_bytes_in_the_head_are_borne() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let good = std::fs::read(path.join("head")).unwrap();
    let reader = reader(&path);
    reader.view();
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..300 {
        // Everything, or all but what is written once.
        let from = if round % 2 == 0 { 0 } else { 256 };
        let noise: Vec<u8> =
            (from..65_536 / 8).flat_map(|_| random().to_le_bytes()).take(65_536 - from).collect();
        write_head(&path, from as u64, &noise);
        let since = Instant::now();
        let view = reader.view();
        assert!(since.elapsed() < Duration::from_secs(20));
        assert_eq!(view.generation, 1, "round {round}");
        assert!(on(&view, "portal"), "no kill comes of noise");
        if from == 0 {
            assert!(Reader::open(&path, ReaderOptions::default()).is_err());
        }
        write_head(&path, 0, &good);
        epoch(&path);
    }
    assert!(on(&reader.view(), "portal"));
    assert_eq!(reader.status().source, Source::Current);
}

#[test]
fn no_kill_is_invented_by_a_torn_slot_and_none_is_lost() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    store.kill("portal", change()).unwrap();
    let slot = std::fs::read(path.join("head")).unwrap()[4_096..4_352].to_vec();
    store.revive("portal", change()).unwrap();
    let reader = reader(&path);
    reader.view();
    // The same kill with each of its bytes wrong, and its sequence odd.
    for byte in 8..256 {
        let mut torn = slot.clone();
        torn[byte] ^= 0x5a;
        write_head(&path, 4_096, &torn);
        epoch(&path);
        assert!(on(&reader.view(), "portal"), "byte {byte}");
    }
    assert!(store.status().unwrap().killed.is_empty());
    assert!(store.kill("portal", change()).unwrap().changed, "the torn slot is free");
    assert!(!on(&reader.view(), "portal"));
    assert!(store.revive("portal", change()).unwrap().changed);
    assert!(on(&reader.view(), "portal"));
}

#[test]
fn a_torn_pointer_leaves_its_snapshot_and_the_next_publish_mends_it() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    publish(&store, &portal(false));
    let serving = reader(&path);
    serving.view();
    // Even generations: the pointer at 320.
    write_head(&path, 330, &[0xff; 3]);
    epoch(&path);
    assert_eq!(serving.view().generation, 2, "last good");
    let fresh = reader(&path);
    let view = fresh.view();
    assert_eq!((view.generation, view.fallback), (2, true));
    assert_eq!(fresh.status().source, Source::LastGood);
    assert!(store.status().unwrap().head_error.unwrap().contains("generation 2 is not valid"));
    let next = publish(&store, &numbered(3));
    assert_eq!((next.generation, next.previous), (4, 2), "the good pointer is not the one written");
    assert_eq!((serving.view().generation, fresh.view().generation), (4, 4));
}

#[test]
fn bytes_written_once_that_change_in_the_head_are_noticed() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    let reader = reader(&path);
    reader.view();
    let good = std::fs::read(path.join("head")).unwrap();
    for byte in 0..256 {
        write_head(&path, byte, &[good[byte as usize] ^ 1]);
        let fresh = Reader::open(&path, ReaderOptions::default());
        assert!(fresh.is_err(), "byte {byte}");
        epoch(&path);
        assert!(on(&reader.view(), "portal") && reader.status().last_error.is_some(), "byte {byte}");
        write_head(&path, byte, &[good[byte as usize]]);
    }
}

#[test]
fn the_head_of_another_store_in_place_is_refused() {
    let dir = trusted_dir();
    let path = dir.join("store");
    publish(&new_store(&path), &portal(true));
    let reader = reader(&path);
    reader.view();
    let other = Store::init(&dir.join("other"), "production", None).unwrap();
    publish(&other, &portal(false));
    publish(&other, &portal(true));
    other.kill("portal", change()).unwrap();
    write_head(&path, 0, &std::fs::read(dir.join("other/head")).unwrap());
    let view = reader.view();
    assert!(on(&view, "portal") && view.generation == 1);
    assert!(reader.status().last_error.unwrap().contains("head of another store"));
}

/// A child of `a_worker_without_a_free_descriptor_tells_of_it_and_keeps_kills`.
#[test]
fn a_child_process_has_no_free_descriptor() {
    let Some(path) = std::env::var_os("FLAGSTONE_STORE_FULL") else { return };
    let path = Path::new(&path);
    let reader = reader(path);
    assert!(!on(&reader.view(), "portal"));
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    std::fs::rename(path.join("backup"), path.join("head")).unwrap();
    let mut others: Vec<File> = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        others.push(file);
    }
    let refused = Reader::open(path, ReaderOptions::default()).unwrap_err().to_string();
    assert!(refused.contains("no free descriptor (`ulimit -n`") && !refused.contains("init"), "{refused}");
    let look = || {
        reader.check_replaced(later());
        on(&reader.view(), "portal")
    };
    for _ in 0..3 {
        assert!(!look(), "the kill that it knows holds");
        let error = reader.status().last_error.unwrap();
        assert!(error.contains("no free descriptor") && error.contains("answers and kills stay"), "{error}");
    }
    let told = reader.take_notices();
    assert!(told.len() == 1 && told[0].contains("no free descriptor"), "{told:?}");
    drop(others);
    assert!(look(), "the head that took its place says that nothing is killed");
    assert_eq!((reader.status().last_error, reader.status().heads_replaced), (None, 1));
}

/// It did not say that it stays on a head that was replaced, and told of it once, to a log that may have lacked the descriptor as well.
#[test]
fn a_worker_without_a_free_descriptor_tells_of_it_and_keeps_kills() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &portal(true));
    std::fs::copy(path.join("head"), path.join("backup")).unwrap();
    store.kill("portal", change()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "a_child_process_has_no_free_descriptor", "--nocapture"]);
    let ran = child.env("FLAGSTONE_STORE_FULL", &path).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
