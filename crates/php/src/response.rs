//! Responses that PHP's own functions send before the script ends, and processes that become another program.

use crate::php::{self, guarded, with_globals};
use crate::signals::{Before, Handler, wrap};
use ext_php_rs::ffi::{zend_execute_data, zval};
use ext_php_rs::types::Zval;

static FASTCGI: Before<Handler> = Before::none();
static LITESPEED: Before<Handler> = Before::none();
static FRANKENPHP: Before<Handler> = Before::none();
static EXEC: Before<Handler> = Before::none();

/// Wraps the functions that send a response and let the script go on. To be called once, while the module starts.
pub(crate) fn watch_ends() {
    wrap("fastcgi_finish_request", &FASTCGI, fastcgi);
    wrap("litespeed_finish_request", &LITESPEED, litespeed);
    wrap("frankenphp_finish_request", &FRANKENPHP, frankenphp);
    wrap("pcntl_exec", &EXEC, exec);
}

/// Ends the request, since another program replaces this one. If it cannot be started, the script goes on, and its questions
/// belong to another request.
unsafe extern "C" fn exec(frame: *mut zend_execute_data, result: *mut zval) {
    guarded((), || with_globals(|globals| globals.session.process_ends(php::outcome)));
    if let Some(before) = EXEC.get() {
        // SAFETY: the call that PHP would have made, with its arguments. If it leaves by a jump, nothing here needs dropping.
        unsafe { before(frame, result) };
    }
    guarded((), || with_globals(|globals| globals.session.process_goes_on()));
}

unsafe extern "C" fn fastcgi(frame: *mut zend_execute_data, result: *mut zval) {
    // SAFETY: the arguments that PHP hands to a function's handler.
    unsafe { finish(&FASTCGI, frame, result) };
}

unsafe extern "C" fn litespeed(frame: *mut zend_execute_data, result: *mut zval) {
    // SAFETY: as above.
    unsafe { finish(&LITESPEED, frame, result) };
}

unsafe extern "C" fn frankenphp(frame: *mut zend_execute_data, result: *mut zval) {
    // SAFETY: as above.
    unsafe { finish(&FRANKENPHP, frame, result) };
}

/// Sends the response as PHP does, and ends the request with it.
///
/// # Safety
///
/// The frame and the result are those that PHP hands to a function's handler.
unsafe fn finish(before: &Before<Handler>, frame: *mut zend_execute_data, result: *mut zval) {
    let Some(before) = before.get() else { return };
    // SAFETY: the call that PHP would have made, with its arguments. If it leaves by a jump, nothing here needs dropping.
    unsafe { before(frame, result) };
    // SAFETY: the result's place is PHP's, and was just written.
    let sent = unsafe { result.cast::<Zval>().as_ref() }.is_some_and(Zval::is_true);
    if sent {
        guarded((), || with_globals(|globals| globals.session.response_ends(php::outcome())));
    }
}
