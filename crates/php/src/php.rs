//! What PHP exports and ext-php-rs does not bind, and what keeps panics out of PHP.

use crate::pin::{GLOBALS, Globals};
use engine::telemetry::{Observation, Status};
use ext_php_rs::ffi::{
    ext_php_rs_executor_globals, ext_php_rs_process_globals, ext_php_rs_sapi_globals, zend_string, zval,
};
use ext_php_rs::types::Zval;
use parking_lot::Mutex;
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

unsafe extern "C" {
    /// Throws PHP's own errors for the arguments of the function being called.
    pub(crate) fn zend_parse_parameters(arguments: u32, spec: *const c_char, ...) -> c_int;
    /// Converts as PHP does for `string|int`, strict_types and deprecations included; false where that is an error.
    pub(crate) fn zend_parse_arg_str_or_long_slow(
        argument: *mut zval,
        string: *mut *mut zend_string,
        long: *mut i64,
        number: u32,
    ) -> bool;
    pub(crate) fn zend_argument_type_error(number: u32, format: *const c_char, ...);
    fn zend_argument_value_error(number: u32, format: *const c_char, ...);
    fn pthread_atfork(
        before: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
    pub(crate) fn zend_throw_error(class: *mut c_void, format: *const c_char, ...);
    fn zend_observer_error_register(callback: extern "C" fn(c_int, *mut zend_string, u32, *mut zend_string));
    fn zend_get_type_by_const(kind: c_int) -> *const c_char;
    pub(crate) fn zend_string_hash_func(string: *mut zend_string) -> u64;
    pub(crate) fn display_ini_entries(module: *mut ext_php_rs::zend::ModuleEntry);
    fn php_log_err_with_severity(message: *const c_char, severity: c_int);
    fn expand_filepath(path: *const c_char, place: *mut c_char) -> *mut c_char;
    fn php_check_open_basedir_ex(path: *const c_char, warn: c_int) -> c_int;
}

/// `LOG_WARNING` of syslog.
const SEVERITY: c_int = 4;

/// This thread's globals.
#[inline(always)]
pub(crate) fn globals() -> &'static mut Globals {
    // SAFETY: PHP runs one request per thread, each thread has its own globals, and no handler calls back into PHP
    // code while it holds this reference across the call.
    unsafe { GLOBALS.get_mut() }
}

/// Runs `body`; a panic becomes `otherwise` and a count, never an abort of the worker.
#[inline(always)]
pub(crate) fn guarded<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    // What a panic carries is dropped before it is logged.
    match catch_unwind(AssertUnwindSafe(body)).ok() {
        Some(value) => value,
        None => {
            panicked();
            otherwise
        }
    }
}

/// Most panics of a process that are logged; all are counted.
const LOGGED_PANICS: u64 = 10;

/// What the last panic said and where, until it is logged.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps panics' words for PHP's log: Rust would write them to the worker's standard error.
pub(crate) fn catch_words_of_panics() {
    std::panic::set_hook(Box::new(|panic| *LAST_PANIC.lock() = Some(panic.to_string())));
}

#[cold]
#[inline(never)]
fn panicked() {
    let counters = &mut globals().counters;
    counters.panics += 1;
    let words = LAST_PANIC.try_lock().and_then(|mut words| words.take()).unwrap_or_default();
    let line =
        Text::line(format_args!("a defect was caught and answered with off; please report it: {words}"));
    drop(words);
    if counters.panics <= LOGGED_PANICS {
        log(&line);
    }
}

/// The bytes of a PHP string.
///
/// # Safety
///
/// `string` must be a live zend_string, and stay so for as long as the bytes are used.
#[inline(always)]
pub(crate) unsafe fn bytes<'a>(string: *const zend_string) -> &'a [u8] {
    // SAFETY: the caller's promise.
    let length = unsafe { (*string).len };
    // SAFETY: as above; the field is the first of `len` bytes that follow.
    let first = unsafe { (&raw const (*string).val).cast::<u8>() };
    // SAFETY: a zend_string has `len` bytes from `val` on.
    unsafe { std::slice::from_raw_parts(first, length) }
}

/// The value behind a reference, or the value itself.
#[inline(always)]
pub(crate) fn dereferenced(value: &Zval) -> &Zval {
    value.dereference()
}

/// Bytes that a [`Text`] has room for, its NUL included.
const TEXT_SIZE: usize = 4096;

/// Text for a call into PHP, which may not come back: a request that is out of memory is left by a jump over every frame.
/// So it lies on the stack, and nothing of it has to be dropped. What does not fit is cut off.
pub(crate) struct Text {
    bytes: [u8; TEXT_SIZE],
    length: usize,
}

impl Text {
    pub(crate) fn new(text: fmt::Arguments<'_>) -> Text {
        let mut made = Text { bytes: [0; TEXT_SIZE], length: 0 };
        // Fails where a value cannot be shown; what came before it is there.
        let _ = made.write_fmt(text);
        made
    }

    /// One line of a log: control characters cannot forge another.
    pub(crate) fn line(text: fmt::Arguments<'_>) -> Text {
        struct Printable<'a>(&'a mut Text);
        impl fmt::Write for Printable<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    let hidden =
                        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
                    self.0.write_char(if hidden { ' ' } else { c })?;
                }
                Ok(())
            }
        }
        let mut made = Text::new(format_args!("flagstone: "));
        let _ = Printable(&mut made).write_fmt(text);
        made
    }

    /// The bytes as they are; none where one is NUL, or they are too many.
    pub(crate) fn of(bytes: &[u8]) -> Option<Text> {
        if bytes.len() >= TEXT_SIZE || bytes.contains(&0) {
            return None;
        }
        let mut made = Text { bytes: [0; TEXT_SIZE], length: bytes.len() };
        made.bytes[..bytes.len()].copy_from_slice(bytes);
        Some(made)
    }

    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.bytes.as_ptr().cast()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let c = if c == '\0' { ' ' } else { c };
            // The last byte stays NUL.
            if self.length + c.len_utf8() >= TEXT_SIZE {
                return Err(fmt::Error);
            }
            self.length += c.encode_utf8(&mut self.bytes[self.length..]).len();
        }
        Ok(())
    }
}

/// How PHP's errors name the type of a value: a class name, or the type's.
pub(crate) fn type_name(value: &Zval) -> Text {
    if let Some(object) = value.object()
        && let Ok(class) = object.get_class_name()
    {
        return Text::new(format_args!("{}", class.split('\0').next().unwrap_or_default()));
    }
    // SAFETY: the function takes any type number and returns a static string.
    let name = unsafe { zend_get_type_by_const(value.u1_type()) };
    // SAFETY: that string ends with NUL.
    let name = unsafe { CStr::from_ptr(name) };
    Text::new(format_args!("{}", name.to_string_lossy()))
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.bytes[..self.length]).unwrap_or_default())
    }
}

trait TypeNumber {
    fn u1_type(&self) -> c_int;
}

impl TypeNumber for Zval {
    fn u1_type(&self) -> c_int {
        // SAFETY: every bit pattern of the union is a valid u32; its low byte is the type.
        (unsafe { self.u1.type_info } & 0xff) as c_int
    }
}

/// Writes a line to where PHP logs its own errors, never to the output. May not come back.
pub(crate) fn log(line: &Text) {
    // SAFETY: a string that ends with NUL and outlives the call.
    unsafe { php_log_err_with_severity(line.as_ptr(), SEVERITY) };
}

/// Whether `open_basedir` lets PHP code use that path.
pub(crate) fn allowed_by_open_basedir(path: &Text) -> bool {
    // SAFETY: a string that ends with NUL; 0 asks for no warning.
    unsafe { php_check_open_basedir_ex(path.as_ptr(), 0) == 0 }
}

/// A path as PHP code means it: from the working directory of its thread, if it is not absolute.
pub(crate) fn absolute(path: &Text) -> Vec<u8> {
    let given = &path.bytes[..path.length];
    if given.starts_with(b"/") {
        return given.to_vec();
    }
    // SAFETY: a string that ends with NUL; null asks for a new one in PHP's memory.
    let expanded = unsafe { expand_filepath(path.as_ptr(), std::ptr::null_mut()) };
    if expanded.is_null() {
        return given.to_vec();
    }
    // SAFETY: PHP returns a string that ends with NUL.
    let absolute = unsafe { CStr::from_ptr(expanded) }.to_bytes().to_vec();
    // SAFETY: it was made for this call, and nothing refers to it any more.
    unsafe { ext_php_rs::alloc::efree(expanded.cast()) };
    absolute
}

/// Whether this is a SAPI whose process is one long request.
pub(crate) fn lives_long() -> bool {
    matches!(sapi(), b"cli" | b"phpdbg" | b"embed" | b"micro")
}

/// Whether this is a SAPI whose workers serve many requests in one script.
pub(crate) fn keeps_workers() -> bool {
    sapi() == b"frankenphp"
}

/// Whether this is a worker of PHP-FPM.
pub(crate) fn is_fpm() -> bool {
    sapi() == b"fpm-fcgi"
}

/// Whether the SAPI has a request at hand.
pub(crate) fn has_request() -> bool {
    // SAFETY: only finds where this thread's globals are.
    let sapi = unsafe { ext_php_rs_sapi_globals() };
    // SAFETY: PHP's globals of this thread, which are there before any module starts.
    !unsafe { (*sapi).server_context }.is_null()
}

fn sapi() -> &'static [u8] {
    // SAFETY: set before any module starts, and never changed.
    let name = unsafe { ext_php_rs::ffi::sapi_module.name };
    // SAFETY: the SAPI's name ends with NUL, and outlives every module.
    unsafe { CStr::from_ptr(name) }.to_bytes()
}

/// Throws an `Error`.
pub(crate) fn throw(text: &CStr) {
    // SAFETY: the format has one `%s`, and the text ends with NUL; null is PHP's `Error`.
    unsafe { zend_throw_error(std::ptr::null_mut(), c"%s".as_ptr(), text.as_ptr()) };
}

/// Throws a `TypeError` about an argument. May not come back.
pub(crate) fn throw_argument(number: u32, text: &Text) {
    // SAFETY: the format has one `%s`, and the text ends with NUL.
    unsafe { zend_argument_type_error(number, c"%s".as_ptr(), text.as_ptr()) };
}

/// Throws a `ValueError` about an argument. May not come back.
pub(crate) fn throw_value(number: u32, text: &Text) {
    // SAFETY: the format has one `%s`, and the text ends with NUL.
    unsafe { zend_argument_value_error(number, c"%s".as_ptr(), text.as_ptr()) };
}

/// Whether PHP runs requests on several threads of a process.
pub(crate) const HAS_THREADS: bool = ext_php_rs::PHP_ZTS;

/// Forks that lead to this process.
static FORKS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// This thread serves requests, so that it has globals.
    static SERVES: Cell<bool> = const { Cell::new(false) };
}

/// This thread serves requests from now on.
pub(crate) fn serves() {
    SERVES.set(true);
}

/// How many forks led from the process that loaded the extension to this one, counted from the first store that was opened.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Has every child that this process forks from now on know that it is one.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function lives as long as this module, which PHP unloads when it ends; where memory is short for the
        // registration, children count in cells of their parent's, which is a wrong number at worst.
        unsafe { pthread_atfork(None, None, Some(forked)) };
    });
}

/// Runs in the child, on the thread that forked: one that another module made, perhaps, with no globals and with locks that
/// nobody will give back. So it opens, frees and waits for nothing.
extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    if SERVES.get() {
        globals().unpin();
    }
}

thread_local! {
    /// Types of the errors that this thread's request raised and no handler of the script is asked about.
    static RAISED: Cell<c_int> = const { Cell::new(0) };
}

/// Has PHP tell of each error. To be called once, while the module starts.
pub(crate) fn observe_errors() {
    // SAFETY: the function lives as long as this module, which PHP unloads when it ends.
    unsafe { zend_observer_error_register(raised) };
}

/// `E_USER_ERROR`, `E_RECOVERABLE_ERROR`: of the fatal errors those that a handler can take.
const HANDLED: c_int = 256 | 4096;

/// An error is raised, before any handler is asked. Allocates nothing: the request may be out of memory.
extern "C" fn raised(kind: c_int, _: *mut zend_string, _: u32, _: *mut zend_string) {
    if kind & HANDLED != 0 {
        // SAFETY: only finds where this thread's globals are.
        let executor = unsafe { ext_php_rs_executor_globals() };
        // SAFETY: PHP's globals of this thread, which are there when an error is raised.
        let asked = unsafe { (*executor).user_error_handler_error_reporting };
        // SAFETY: as above.
        let handler = unsafe { &(*executor).user_error_handler };
        // 0: no handler, or the error is the handler's own.
        if handler.u1_type() != 0 && asked & kind != 0 {
            return;
        }
    }
    RAISED.set(RAISED.get() | kind);
}

/// A request begins: no error of another one is its own.
pub(crate) fn forget_errors() {
    RAISED.set(0);
}

/// What PHP's own request came to: to be asked while modules shut down a request, not later.
pub(crate) fn outcome() -> Status {
    // SAFETY: only finds where this thread's globals are.
    let process = unsafe { ext_php_rs_process_globals() };
    // SAFETY: PHP's globals of this thread, which are there as long as any request is.
    let message = unsafe { (*process).last_error_message };
    // SAFETY: as above.
    let last_error = unsafe { (*process).last_error_type };
    // SAFETY: only finds where this thread's globals are.
    let executor = unsafe { ext_php_rs_executor_globals() };
    // SAFETY: as PHP's globals above.
    let exit_status = unsafe { (*executor).exit_status };
    // SAFETY: only finds where this thread's globals are.
    let sapi = unsafe { ext_php_rs_sapi_globals() };
    // SAFETY: as PHP's globals above.
    let response = unsafe { (*sapi).sapi_headers.http_response_code };
    let observed = Observation {
        raised: RAISED.get(),
        // PHP keeps the type when it lets go of the message at the end of a request.
        last_error: if message.is_null() { 0 } else { last_error },
        exit_status,
        response: (!lives_long()).then(|| u16::try_from(response).unwrap_or(0)),
    };
    observed.status()
}
