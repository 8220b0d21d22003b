//! Places where PHP changes the mask of a thread's signals.
//!
//! pcntl blocks every signal while PHP code handles one, and restores the old mask afterwards. A fault whose signal is blocked
//! ends the process, and reading a mapped file can raise one. Therefore everything that starts PHP's handlers (an interrupt of
//! the virtual machine, `pcntl_signal_dispatch()`, a tick) and `pcntl_sigprocmask()` are wrapped: the next question looks at the
//! mask. Without pcntl nothing is wrapped.

use crate::php::with_globals;
use ext_php_rs::ffi::{
    _zend_module_dep, ext_php_rs_compiler_globals, zend_execute_data, zend_hash_str_find,
    zend_internal_function, zend_interrupt_function, zval,
};
use ext_php_rs::zend::ModuleEntry;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ptr::{fn_addr_eq, null, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

type Interrupt = unsafe extern "C" fn(*mut zend_execute_data);
type Ticks = unsafe extern "C" fn(c_int);
pub(crate) type Handler = unsafe extern "C" fn(*mut zend_execute_data, *mut zval);

unsafe extern "C" {
    /// Called in a script with `declare(ticks=…)`.
    static mut zend_ticks_function: Option<Ticks>;
}

/// `MODULE_DEP_OPTIONAL`.
const OPTIONAL: u8 = 3;

/// Modules that PHP starts before this one, if they are loaded.
struct Dependencies([_zend_module_dep; 2]);

// SAFETY: never written, and it points to constants.
unsafe impl Sync for Dependencies {}

static DEPENDENCIES: Dependencies = Dependencies([
    _zend_module_dep { name: c"pcntl".as_ptr(), rel: null(), version: null(), type_: OPTIONAL },
    _zend_module_dep { name: null(), rel: null(), version: null(), type_: 0 },
]);

/// Makes PHP start this module after pcntl, so that pcntl's functions are the ones wrapped.
pub(crate) fn start_after_pcntl(entry: &mut ModuleEntry) {
    entry.deps = DEPENDENCIES.0.as_ptr();
}

/// The original of a wrapped function; it differs each time that a server starts PHP in its process.
pub(crate) struct Before<F>(AtomicPtr<()>, PhantomData<F>);

impl<F: Copy> Before<F> {
    pub(crate) const fn none() -> Before<F> {
        Before(AtomicPtr::new(null_mut()), PhantomData)
    }

    fn set(&self, before: F) {
        const { assert!(size_of::<F>() == size_of::<*mut ()>()) };
        // SAFETY: a pointer to a function, which is as large as any other.
        self.0.store(unsafe { std::mem::transmute_copy(&before) }, Ordering::Release);
    }

    pub(crate) fn get(&self) -> Option<F> {
        let before = self.0.load(Ordering::Acquire);
        // SAFETY: the pointer that `set` stored.
        (!before.is_null()).then(|| unsafe { std::mem::transmute_copy(&before) })
    }
}

static INTERRUPT: Before<Interrupt> = Before::none();
static TICKS: Before<Ticks> = Before::none();
static DISPATCH: Before<Handler> = Before::none();
static SET_MASK: Before<Handler> = Before::none();

/// Wraps the functions that change masks. To be called once, while the module starts.
pub(crate) fn watch_masks() {
    if !wrap("pcntl_signal_dispatch", &DISPATCH, dispatch) {
        return;
    }
    wrap("pcntl_sigprocmask", &SET_MASK, set_mask);
    // SAFETY: PHP sets it while modules start, on one thread.
    if let Some(before) = unsafe { zend_interrupt_function }
        && !fn_addr_eq(before, interrupt as Interrupt)
    {
        INTERRUPT.set(before);
        // SAFETY: as above; the function lives as long as this module, which PHP unloads when it ends.
        unsafe { zend_interrupt_function = Some(interrupt) };
    }
    // SAFETY: as above.
    if let Some(before) = unsafe { zend_ticks_function }
        && !fn_addr_eq(before, tick as Ticks)
    {
        TICKS.set(before);
        // SAFETY: as above.
        unsafe { zend_ticks_function = Some(tick) };
    }
}

/// Restores wrapped pointers that outlive the modules: PHP ends, and may start again in this process with pcntl at another place.
pub(crate) fn give_back() {
    // SAFETY: PHP sets it while modules start and end, on one thread.
    let now = unsafe { zend_interrupt_function };
    if now.is_some_and(|now| fn_addr_eq(now, interrupt as Interrupt)) {
        // SAFETY: as above.
        unsafe { zend_interrupt_function = INTERRUPT.get() };
    }
    // SAFETY: as above.
    let now = unsafe { zend_ticks_function };
    if now.is_some_and(|now| fn_addr_eq(now, tick as Ticks)) {
        // SAFETY: as above.
        unsafe { zend_ticks_function = TICKS.get() };
    }
}

/// Replaces a function's handler by `handler`, and stores the original in `before`; false if there is no such function.
pub(crate) fn wrap(name: &str, before: &Before<Handler>, handler: Handler) -> bool {
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
        && !fn_addr_eq(own, handler)
    {
        before.set(own);
        function.handler = Some(handler);
    }
    true
}

/// Runs `body`, which changes the mask and, mostly, restores it. PHP's code may leave it by a jump: then the mask stays as it
/// is, and the next question has to look at it anyway.
fn with_another_mask(body: impl FnOnce()) {
    with_globals(|globals| globals.session.suspect_mask());
    body();
    with_globals(|globals| globals.session.suspect_mask());
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
