//! Places where PHP changes the mask of a thread's signals.
//!
//! pcntl blocks every signal while PHP code handles one, and gives the old mask back afterwards. A fault whose signal is blocked
//! ends the process, and reading a file that is mapped can raise one. So whatever starts PHP's handlers (an interrupt of the
//! virtual machine, `pcntl_signal_dispatch()`, a tick) and `pcntl_sigprocmask()` are wrapped: the question that comes next looks
//! at the mask. Where pcntl is not loaded nothing is wrapped.

use crate::php::globals;
use ext_php_rs::ffi::{
    _zend_module_dep, ext_php_rs_compiler_globals, zend_execute_data, zend_hash_str_find,
    zend_internal_function, zend_interrupt_function, zval,
};
use ext_php_rs::zend::ModuleEntry;
use std::ffi::c_int;
use std::ptr::null;
use std::sync::OnceLock;

type Interrupt = unsafe extern "C" fn(*mut zend_execute_data);
type Ticks = unsafe extern "C" fn(c_int);
pub(crate) type Handler = unsafe extern "C" fn(*mut zend_execute_data, *mut zval);

unsafe extern "C" {
    /// Called where a script said `declare(ticks=…)`.
    static mut zend_ticks_function: Option<Ticks>;
}

/// `MODULE_DEP_OPTIONAL`.
const OPTIONAL: u8 = 3;

/// A list of modules that PHP starts before this one, where they are loaded.
struct Dependencies([_zend_module_dep; 2]);

// SAFETY: never written, and it points to constants.
unsafe impl Sync for Dependencies {}

static DEPENDENCIES: Dependencies = Dependencies([
    _zend_module_dep { name: c"pcntl".as_ptr(), rel: null(), version: null(), type_: OPTIONAL },
    _zend_module_dep { name: null(), rel: null(), version: null(), type_: 0 },
]);

/// Has PHP start this module after pcntl, so that what is wrapped is pcntl's.
pub(crate) fn start_after_pcntl(entry: &mut ModuleEntry) {
    entry.deps = DEPENDENCIES.0.as_ptr();
}

static INTERRUPT: OnceLock<Interrupt> = OnceLock::new();
static TICKS: OnceLock<Ticks> = OnceLock::new();
static DISPATCH: OnceLock<Handler> = OnceLock::new();
static SET_MASK: OnceLock<Handler> = OnceLock::new();

/// Wraps what changes masks. To be called once, while the module starts.
pub(crate) fn watch_masks() {
    if !wrap("pcntl_signal_dispatch", &DISPATCH, dispatch) {
        return;
    }
    wrap("pcntl_sigprocmask", &SET_MASK, set_mask);
    // SAFETY: PHP sets it while modules start, on one thread.
    if let Some(before) = unsafe { zend_interrupt_function }
        && INTERRUPT.set(before).is_ok()
    {
        // SAFETY: as above; the function lives as long as this module, which PHP unloads when it ends.
        unsafe { zend_interrupt_function = Some(interrupt) };
    }
    // SAFETY: as above.
    if let Some(before) = unsafe { zend_ticks_function }
        && TICKS.set(before).is_ok()
    {
        // SAFETY: as above.
        unsafe { zend_ticks_function = Some(tick) };
    }
}

/// Puts `handler` in the place of a function's own, which goes to `before`; false where there is no such function.
pub(crate) fn wrap(name: &str, before: &OnceLock<Handler>, handler: Handler) -> bool {
    // SAFETY: only finds where this thread's globals are.
    let compiler = unsafe { ext_php_rs_compiler_globals() };
    // SAFETY: PHP's globals of this thread, which are there when modules start.
    let functions = unsafe { (*compiler).function_table };
    // SAFETY: the table of functions, which holds those of all modules when the first one starts.
    let found = unsafe { zend_hash_str_find(functions, name.as_ptr().cast(), name.len()) };
    // SAFETY: null, or a value of that table.
    let Some(found) = (unsafe { found.as_ref() }) else { return false };
    // SAFETY: the values of a table of functions are pointers to them.
    let function: *mut zend_internal_function = unsafe { found.value.ptr }.cast();
    // SAFETY: a function that a module registered is an internal one, and lives as long as the table.
    let function = unsafe { &mut *function };
    if let Some(own) = function.handler
        && before.set(own).is_ok()
    {
        function.handler = Some(handler);
    }
    true
}

/// Runs `body`, in which the mask changes and, mostly, changes back. What PHP's code may leave by a jump: then the mask stays
/// as it is, and the next question has to look at it anyway.
fn with_another_mask(body: impl FnOnce()) {
    globals().suspect_mask();
    body();
    globals().suspect_mask();
}

unsafe extern "C" fn interrupt(frame: *mut zend_execute_data) {
    if let Some(before) = INTERRUPT.get() {
        // SAFETY: what PHP would have called, with what it was given.
        with_another_mask(|| unsafe { before(frame) });
    }
}

unsafe extern "C" fn tick(ticks: c_int) {
    if let Some(before) = TICKS.get() {
        // SAFETY: as above.
        with_another_mask(|| unsafe { before(ticks) });
    }
}

unsafe extern "C" fn dispatch(frame: *mut zend_execute_data, result: *mut zval) {
    if let Some(before) = DISPATCH.get() {
        // SAFETY: as above.
        with_another_mask(|| unsafe { before(frame, result) });
    }
}

unsafe extern "C" fn set_mask(frame: *mut zend_execute_data, result: *mut zval) {
    if let Some(before) = SET_MASK.get() {
        // SAFETY: as above.
        with_another_mask(|| unsafe { before(frame, result) });
    }
}
