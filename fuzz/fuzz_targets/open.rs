//! Bytes as a snapshot: refused, or answered safely, with the checksums as they are and with right ones.
#![no_main]

use flagstone::Snapshot;
use flagstone_fuzz::{ask_everything, seal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut sealed = bytes.to_vec();
    seal(&mut sealed);
    for bytes in [bytes, &sealed] {
        if let Ok(snapshot) = Snapshot::from_bytes(bytes) {
            ask_everything(&snapshot, false);
        }
    }
});
