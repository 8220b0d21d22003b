//! `memory_limit`, for functions that build large results.
//!
//! Since 8.2.35, PHP reports that a function exceeds the limit once the function returns, and ends the process at twice the limit, without
//! shutdown functions. A function that stops building when the limit is exceeded loses nothing: PHP drops its result for the error.

use ext_php_rs::ffi::ext_php_rs_process_globals;

unsafe extern "C" {
    fn zend_memory_usage(real: bool) -> usize;
    fn zend_memory_peak_usage(real: bool) -> usize;
}

/// Lowest limit that PHP applies in bytes, `ZEND_MM_CHUNK_SIZE`.
const MIN_LIMIT: usize = 2 << 20;
/// Bytes built between two looks at the use of memory, and those counted for a part beside its text.
const LOOK_BYTES: usize = 16 << 10;
const PART_BYTES: usize = 64;

/// Watches the use of memory while a function builds its result.
pub(crate) struct MemoryWatch {
    /// Uses and peaks above this exceed the limit.
    use_limit: usize,
    peak_limit: usize,
    /// Bytes built since the last look.
    built: usize,
}

impl MemoryWatch {
    /// Starts before anything is built. The limit may be exceeded already: in functions that run at shutdown.
    pub(crate) fn start() -> MemoryWatch {
        // SAFETY: only finds where this thread's globals are.
        let process = unsafe { ext_php_rs_process_globals() };
        // SAFETY: PHP's globals of this thread, which are there as long as any request is.
        let limit = unsafe { (*process).memory_limit };
        // The limit -1 is none.
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).max(MIN_LIMIT);
        MemoryWatch { use_limit: limit.max(used()), peak_limit: limit.max(peak()), built: 0 }
    }

    /// True if the limit was exceeded, also for a moment: then PHP raises its error when the function returns. To be asked for each part,
    /// with the length of its text.
    pub(crate) fn exceeded(&mut self, text: usize) -> bool {
        self.built += PART_BYTES + text;
        if self.built < LOOK_BYTES {
            return false;
        }
        let exceeded = used() > self.use_limit || peak() > self.peak_limit;
        if !exceeded {
            self.built = 0;
        }
        exceeded
    }
}

fn used() -> usize {
    // SAFETY: reads a number of this thread's heap.
    unsafe { zend_memory_usage(true) }
}

fn peak() -> usize {
    // SAFETY: reads a number of this thread's heap.
    unsafe { zend_memory_peak_usage(true) }
}
