//! Bytes as a store's head: under a reader that has answered, they take no answer away; a fresh reader refuses or reads.
#![no_main]

use flagstone::audit::Actor;
use flagstone::definition::Definitions;
use flagstone::publish::{Change, Store};
use flagstone::store::{Reader, ReaderOptions};
use flagstone_fuzz::{ask_everything, number, put};
use libfuzzer_sys::fuzz_target;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use xxhash_rust::xxh3::xxh3_64;

const SIZE: usize = 65_536;
/// Up to the slots everything that means something stands in so many bytes.
const START: usize = 448;
const IDENTITY: usize = 248;
const POINTERS: [usize; 2] = [320, 384];
const SLOTS: usize = 4_096;
const SLOT: usize = 256;

struct Scene {
    path: PathBuf,
    head: File,
    good: Vec<u8>,
}

/// A store of two generations with a flag killed, below `FLAGSTONE_FUZZ_DIR`.
static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let base = std::env::var_os("FLAGSTONE_FUZZ_DIR").expect("FLAGSTONE_FUZZ_DIR: fuzz/run sets it");
    let path = PathBuf::from(base).join(format!("store-{}", std::process::id()));
    let store = Store::init(&path, "production", None).expect("a store");
    let actor =
        || Actor { user: "fuzz".to_owned(), account: None, uid: 0, claimed: false, host: "fuzz".to_owned() };
    let change = || Change { actor: actor(), reason: None, base: None };
    for on in [true, false] {
        let text = format!("{{\"flags\":{{\"portal\":{{\"enabled\":{on}}}}}}}");
        let definitions = Definitions::from_canonical_json(text.as_bytes()).expect("definitions");
        store.publish(&definitions, change()).expect("a publish");
    }
    store.kill("portal", change()).expect("a kill");
    let head = File::options().read(true).write(true).open(path.join("head")).expect("a head");
    let good = std::fs::read(path.join("head")).expect("a head");
    Scene { path, head, good }
});

/// Input: a byte that says which checksums are made right, then any number of a place (two bytes) and eight bytes to put
/// there. Even places are in what the head begins with, odd ones in the slots of flags killed.
fn head(input: &[u8], good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let Some((seals, writes)) = input.split_first() else { return bytes };
    for write in writes.chunks_exact(10) {
        let place = usize::from(u16::from_le_bytes([write[0], write[1]]));
        let at = if place.is_multiple_of(2) {
            place / 2 % (START - 7)
        } else {
            SLOTS + place % (SIZE - SLOTS - 7)
        };
        bytes[at..at + 8].copy_from_slice(&write[2..]);
    }
    if seals & 1 != 0 {
        let sum = xxh3_64(&bytes[..IDENTITY]);
        put(&mut bytes, IDENTITY, sum);
    }
    for (bit, at) in [2, 4].into_iter().zip(POINTERS) {
        if seals & bit != 0 {
            let sum = xxh3_64(&bytes[at..at + 56]);
            put(&mut bytes, at + 56, sum);
        }
    }
    if seals & 8 != 0 {
        for at in (SLOTS..SIZE).step_by(SLOT).filter(|at| seals & 16 != 0 || number(good, *at) != 0) {
            let sum = xxh3_64(&bytes[at + 8..at + 248]);
            put(&mut bytes, at + 248, sum);
        }
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let scene = &*SCENE;
    scene.head.write_all_at(&scene.good, 0).expect("writes");
    let before = Reader::open(&scene.path, ReaderOptions::default()).expect("a good head");
    assert_eq!(before.view().generation, 2);

    let mut bytes = head(input, &scene.good);
    let epoch = number(&bytes, 256);
    if epoch == number(&scene.good, 256) {
        put(&mut bytes, 256, epoch.wrapping_add(1));
    }
    scene.head.write_all_at(&bytes, 0).expect("writes");
    let view = before.view();
    assert!(view.snapshot.is_some() && view.generation >= 2, "generation {}", view.generation);
    let _ = (before.status(), before.take_notices(), before.check_replaced(1), before.view());

    if let Ok(fresh) = Reader::open(&scene.path, ReaderOptions::default()) {
        let view = fresh.view();
        if let Some(snapshot) = &view.snapshot {
            ask_everything(snapshot, true);
        }
        let _ = (fresh.status(), fresh.take_notices(), view.switches.any());
    }
});
