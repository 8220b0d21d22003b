//! A good snapshot, mapped shared, whose file is overwritten after it was opened: answers may be any, memory stays safe.
#![no_main]

use flagstone::{MapMode, Snapshot};
use flagstone_fuzz::ask_everything;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;

const GOOD: &[u8] = include_bytes!("../../tests/fixtures/everything-1.1.snapshot");

thread_local! {
    static FILE: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Input: any number of an offset (two bytes) and eight bytes to put there.
fn change(bytes: &[u8], file: &File) {
    for write in bytes.chunks_exact(10) {
        let at = usize::from(u16::from_le_bytes([write[0], write[1]])) % (GOOD.len() - 8);
        file.write_all_at(&write[2..], at as u64).expect("writes");
    }
}

fuzz_target!(|bytes: &[u8]| {
    FILE.with_borrow_mut(|file| {
        let file = file.get_or_insert_with(|| {
            let path = std::env::temp_dir().join(format!("flagstone-fuzz-{}", std::process::id()));
            let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a file");
            std::fs::remove_file(path).expect("its own file");
            file
        });
        file.write_all_at(GOOD, 0).expect("writes");
        let snapshot = Snapshot::open(file, MapMode::Shared, 1 << 20).expect("a good snapshot");
        change(bytes, file);
        ask_everything(&snapshot, false);
    });
});
