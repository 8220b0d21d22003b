//! Functions that PHP exports and ext-php-rs does not bind, and the guard that keeps panics out of PHP.

use crate::globals::{GLOBALS, Globals};
use engine::telemetry::{Observation, Status};
use ext_php_rs::ffi::{
    ext_php_rs_executor_globals, ext_php_rs_process_globals, ext_php_rs_sapi_globals, sapi_header_struct,
    sapi_headers_struct, zend_string, zval,
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
    /// Converts as PHP does for `string|int`, strict_types and deprecations included; false if that is an error.
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
    fn zend_add_system_entropy(
        module: *const c_char,
        hook: *const c_char,
        data: *const c_void,
        size: usize,
    ) -> c_int;
}

/// `LOG_WARNING` of syslog.
const SEVERITY: c_int = 4;

/// Runs `body` with this thread's globals. It must not run PHP code, which may ask for them again.
#[inline(always)]
pub(crate) fn with_globals<T>(body: impl FnOnce(&mut Globals) -> T) -> T {
    // SAFETY: PHP runs one request per thread and each thread has its own globals. The reference ends with `body`, and no
    // caller's calls PHP code: objects among a question's attributes are asked between two calls.
    body(unsafe { GLOBALS.get_mut() })
}

/// Runs `body`; a panic becomes `otherwise` and a count, never an abort of the worker.
#[inline(always)]
pub(crate) fn guarded<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    // Drops the panic's payload before it is logged.
    match catch_unwind(AssertUnwindSafe(body)).ok() {
        Some(value) => value,
        None => {
            panicked();
            otherwise
        }
    }
}

/// Maximum panics that a process logs; all are counted.
const LOGGED_PANICS: u64 = 10;

/// Message and place of the last panic, until it is logged.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Makes `opcache.file_cache` keep what was compiled with this version of the extension in a directory of its own. PHP compiles calls of an
/// extension's functions into those files, and ends with a segmentation fault where it runs one without the extension. Call while the module
/// starts: later it has no effect.
pub(crate) fn keep_compiled_code_apart() {
    let version = env!("CARGO_PKG_VERSION");
    // SAFETY: two strings that end in a zero byte, and bytes with their length, which are only read.
    unsafe {
        zend_add_system_entropy(
            c"flagstone".as_ptr(),
            c"version".as_ptr(),
            version.as_ptr().cast(),
            version.len(),
        );
    }
}

/// Keeps panic messages for PHP's log: Rust would write them to the worker's standard error.
pub(crate) fn catch_words_of_panics() {
    std::panic::set_hook(Box::new(|panic| *LAST_PANIC.lock() = Some(panic.to_string())));
}

#[cold]
#[inline(never)]
fn panicked() {
    let panics = with_globals(|globals| {
        globals.panics += 1;
        globals.panics
    });
    let words = LAST_PANIC.try_lock().and_then(|mut words| words.take()).unwrap_or_default();
    let line =
        Text::line(format_args!("a defect was caught and answered with off; please report it: {words}"));
    drop(words);
    if panics <= LOGGED_PANICS {
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

/// Returns the value behind a reference, or the value itself.
#[inline(always)]
pub(crate) fn dereferenced(value: &Zval) -> &Zval {
    value.dereference()
}

/// Capacity of a [`Text`] in bytes, its NUL included.
const TEXT_SIZE: usize = 4096;

/// Text for a call into PHP, which may not return: a request that is out of memory leaves by a jump over every frame.
/// Therefore it lies on the stack and needs no drop. Text that does not fit is cut off.
pub(crate) struct Text {
    bytes: [u8; TEXT_SIZE],
    length: usize,
}

impl Text {
    pub(crate) fn new(text: fmt::Arguments<'_>) -> Text {
        let mut made = Text { bytes: [0; TEXT_SIZE], length: 0 };
        // Fails if a value cannot be shown; the text before it is kept.
        let _ = made.write_fmt(text);
        made
    }

    /// One line of a log: control characters cannot forge another.
    pub(crate) fn line(text: fmt::Arguments<'_>) -> Text {
        struct Printable<'a>(&'a mut Text);
        impl fmt::Write for Printable<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    self.0.write_char(if engine::text::deceives(c) { ' ' } else { c })?;
                }
                Ok(())
            }
        }
        let mut made = Text::new(format_args!("flagstone: "));
        let _ = Printable(&mut made).write_fmt(text);
        made
    }

    /// Copies the bytes unchanged; `None` if one is NUL, or they do not fit.
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

/// Name of a value's type as in PHP's errors: a class name, or the type's.
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

/// Writes a line to PHP's own error log, never to the output. May not come back.
pub(crate) fn log(line: &Text) {
    // SAFETY: a string that ends with NUL and outlives the call.
    unsafe { php_log_err_with_severity(line.as_ptr(), SEVERITY) };
}

/// True if `open_basedir` lets PHP code use that path.
pub(crate) fn allowed_by_open_basedir(path: &Text) -> bool {
    // SAFETY: a string that ends with NUL; 0 asks for no warning.
    unsafe { php_check_open_basedir_ex(path.as_ptr(), 0) == 0 }
}

/// Makes a path of PHP code absolute: a relative one starts at the working directory of its thread.
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

/// True for a SAPI whose process is one long request.
pub(crate) fn is_long_lived() -> bool {
    matches!(sapi(), b"cli" | b"phpdbg" | b"embed" | b"micro")
}

/// True for a SAPI whose workers serve many requests in one script.
pub(crate) fn keeps_workers() -> bool {
    sapi() == b"frankenphp"
}

/// True in a worker of PHP-FPM.
pub(crate) fn is_fpm() -> bool {
    sapi() == b"fpm-fcgi"
}

/// True if the SAPI has a current request.
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

/// True if PHP runs requests on several threads of a process.
pub(crate) const HAS_THREADS: bool = ext_php_rs::PHP_ZTS;

/// Number of forks between the process that loaded the extension and this one.
static FORKS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// True if this thread serves requests, and so has globals.
    static SERVES: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that serves requests.
pub(crate) fn serves() {
    SERVES.set(true);
}

/// Number of forks between the process that loaded the extension and this one, counted from the first store that was opened.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Registers a handler by which every child forked from now on knows that it is one.
pub(crate) fn watch_forks() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function lives as long as this module, which PHP unloads when it ends. If memory is too short for the
        // registration, children count in their parent's cells, which is a wrong number at worst.
        unsafe { pthread_atfork(None, None, Some(forked)) };
    });
}

/// Runs in the child, on the thread that forked: perhaps one of another module, without globals and with locks that are
/// never released. Therefore it opens, frees and waits for nothing.
extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    engine::telemetry::let_go_in_child();
    if SERVES.get() {
        with_globals(|globals| globals.session.unpin());
    }
}

thread_local! {
    /// Types of the errors that this thread's request raised without a handler of the script being asked.
    static RAISED: Cell<c_int> = const { Cell::new(0) };
}

/// Registers an observer of every error. To be called once, while the module starts.
pub(crate) fn observe_errors() {
    // SAFETY: the function lives as long as this module, which PHP unloads when it ends.
    unsafe { zend_observer_error_register(raised) };
}

/// `E_USER_ERROR`, `E_RECOVERABLE_ERROR`: the fatal errors that a handler can take.
const HANDLED: c_int = 256 | 4096;

/// Notes an error before any handler is asked. Allocates nothing: the request may be out of memory.
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

/// Forgets the errors of the previous request, as a new one begins.
pub(crate) fn forget_errors() {
    RAISED.set(0);
}

/// Status that a CGI response names in a header (RFC 3875, section 6.3.3), which PHP sends instead of its own. A status line
/// set by a script comes before it, and is forgotten once it is sent.
fn status_header(headers: &sapi_headers_struct) -> Option<u16> {
    let has_line = !headers.http_status_line.is_null() && headers.http_response_code != 200;
    if has_line || !matches!(sapi(), b"fpm-fcgi" | b"cgi-fcgi") {
        return None;
    }
    let mut at = headers.headers.head;
    loop {
        // SAFETY: null, or an element of PHP's list, which does not change meanwhile.
        let element = unsafe { at.as_ref() }?;
        // SAFETY: an element of this list holds a header.
        let header = unsafe { (&raw const element.data).cast::<sapi_header_struct>().read_unaligned() };
        // SAFETY: a header has that many bytes.
        let line = unsafe { std::slice::from_raw_parts(header.header.cast::<u8>(), header.header_len) };
        if let Some((name, value)) = line.split_at_checked(7)
            && name.eq_ignore_ascii_case(b"Status:")
        {
            let digits = value.trim_ascii_start().first_chunk::<3>()?;
            return std::str::from_utf8(digits)
                .ok()?
                .parse()
                .ok()
                .filter(|status| (100..600).contains(status));
        }
        at = element.next;
    }
}

/// Outcome of PHP's own request; to be asked while modules shut down a request, not later.
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
    let headers = unsafe { &(*sapi).sapi_headers };
    let response = status_header(headers).unwrap_or(u16::try_from(headers.http_response_code).unwrap_or(0));
    let observed = Observation {
        raised: RAISED.get(),
        // PHP keeps the type after it frees the message at the end of a request.
        last_error: if message.is_null() { 0 } else { last_error },
        exit_status,
        response: (!is_long_lived()).then_some(response),
    };
    observed.status()
}
