//! Descriptors of a store that an application closed by mistake. A process of its own, so that no other test takes the numbers.

mod support;

use flagstone::store::{MapPolicy, Reader, ReaderOptions};
use std::fs::File;
use std::os::fd::AsRawFd;
use support::stores::{definitions, new_store, publish, snapshot_file};
use support::trusted_dir;

/// Code that closed all descriptors of its process lost files of its own that got the numbers, such as a socket to a database, once the head was
/// replaced; and the log told of a snapshot that had been changed.
#[test]
fn files_that_have_the_numbers_of_closed_descriptors_are_not_closed() {
    let dir = trusted_dir();
    let path = dir.join("store");
    let store = new_store(&path);
    publish(&store, &definitions("{\"portal\":{\"enabled\":true}}"));
    drop(store);
    let options = ReaderOptions { map: MapPolicy::Shared, ..Default::default() };
    let reader = Reader::open(&path, options).expect("a reader");
    assert_eq!(reader.view().generation, 1);
    let is_of_store = |number: &i32| {
        std::fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| target.starts_with(&path))
    };
    let numbers: Vec<i32> = (3..256).filter(is_of_store).collect();
    assert_eq!(numbers.len(), 2, "the head and the mapped snapshot");
    for number in &numbers {
        // SAFETY: a number. The reader has it still, which is the mistake.
        assert_eq!(unsafe { libc::close(*number) }, 0);
    }
    let mine: Vec<File> =
        (0..64).map(|number| File::create(dir.join(&format!("mine-{number}"))).expect("a file")).collect();
    assert!(numbers.iter().all(|number| mine.iter().any(|file| file.as_raw_fd() == *number)));
    let second = |number: u64| {
        reader.check_replaced(1_000_000_000 + number * 2_000);
        reader.view();
    };
    second(1);
    assert_eq!(reader.take_notices(), Vec::<String>::new(), "nothing was changed");
    // As a restore does it; and another snapshot in the place of the one that is mapped.
    let head = path.join("head");
    std::fs::copy(&head, path.join("head.new"))
        .and_then(|_| std::fs::rename(path.join("head.new"), &head))
        .expect("a head");
    second(2);
    publish(
        &flagstone::publish::Store::open(&path).expect("a store"),
        &definitions("{\"portal\":{\"enabled\":false}}"),
    );
    second(3);
    assert_eq!(reader.view().generation, 2);
    // What changes in the file is noticed as before.
    let bytes = std::fs::read(snapshot_file(&path, 2)).expect("a snapshot");
    drop(reader);
    assert!(!bytes.is_empty());
    for (number, file) in mine.iter().enumerate() {
        let found = file.metadata().unwrap_or_else(|error| panic!("file {number}: {error}"));
        assert!(found.is_file());
    }
}
