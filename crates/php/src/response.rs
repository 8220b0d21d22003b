//! The end of a response that PHP's own functions send before the script ends.

use crate::php::{self, globals, guarded};
use crate::signals::{Handler, wrap};
use crate::telemetry;
use ext_php_rs::ffi::{zend_execute_data, zval};
use ext_php_rs::types::Zval;
use std::sync::OnceLock;

static FASTCGI: OnceLock<Handler> = OnceLock::new();
static LITESPEED: OnceLock<Handler> = OnceLock::new();
static FRANKENPHP: OnceLock<Handler> = OnceLock::new();

/// Wraps what sends a response and lets the script go on. To be called once, while the module starts.
pub(crate) fn watch_ends() {
    wrap("fastcgi_finish_request", &FASTCGI, fastcgi);
    wrap("litespeed_finish_request", &LITESPEED, litespeed);
    wrap("frankenphp_finish_request", &FRANKENPHP, frankenphp);
}

unsafe extern "C" fn fastcgi(frame: *mut zend_execute_data, result: *mut zval) {
    // SAFETY: what PHP hands to a function's handler.
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
unsafe fn finish(before: &OnceLock<Handler>, frame: *mut zend_execute_data, result: *mut zval) {
    let Some(before) = before.get() else { return };
    // SAFETY: what PHP would have called, with what it was given. What it leaves by a jump drops nothing here.
    unsafe { before(frame, result) };
    // SAFETY: the result's place is PHP's, and was just written.
    let sent = unsafe { result.cast::<Zval>().as_ref() }.is_some_and(Zval::is_true);
    if sent {
        guarded((), || telemetry::response_ends(globals(), php::outcome()));
    }
}
