//! Room for small allocations that cannot fail: if the address space is limited (`RLIMIT_AS`), Rust ends the process when they exhaust
//! it.

use memmap2::MmapMut;
use std::hint::black_box;
use std::sync::Mutex;

/// Bytes that opening a store, loading a snapshot and starting to count allocate besides their mappings, with a wide margin.
const ROOM_BYTES: usize = 256 << 10;
/// Bytes released when there is no room, so that reporting it has some.
const RESERVE_BYTES: usize = 64 << 10;

static KEPT_ROOM: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Keeps some room for the time when there is no other.
pub fn keep_room() {
    if let Ok(mut kept) = KEPT_ROOM.try_lock()
        && kept.capacity() == 0
    {
        // Never written, so it takes no memory.
        let _ = black_box(&mut *kept).try_reserve_exact(RESERVE_BYTES);
    }
}

/// True if there is room. Slow, for use before slow operations: it maps pages and unmaps them.
pub fn has_room() -> bool {
    // Tested by a mapping, not on the heap, whose thresholds it would move.
    let has = MmapMut::map_anon(ROOM_BYTES).is_ok();
    match has {
        true => keep_room(),
        false => {
            if let Ok(mut kept) = KEPT_ROOM.try_lock() {
                drop(std::mem::take(&mut *kept));
            }
        }
    }
    has
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_and_some_is_kept() {
        assert!(has_room());
        keep_room();
        assert!(KEPT_ROOM.lock().is_ok_and(|kept| kept.capacity() >= RESERVE_BYTES));
    }
}
