//! Settings, as PHP last told them.
//!
//! Values are taken as they are set: FPM applies a pool's `php_admin_value` in the worker, long after the module
//! started.

use ext_php_rs::ffi::{zend_ini_entry, zend_string};
use ext_php_rs::flags::IniEntryPermission;
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};
use parking_lot::RwLock;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Directory of the store; empty: the application names one.
static STORE: RwLock<Vec<u8>> = RwLock::new(Vec::new());
static TELEMETRY: AtomicBool = AtomicBool::new(true);
/// Milliseconds; 0 never.
static REFRESH: AtomicU64 = AtomicU64::new(1_000);
static MAP: AtomicU8 = AtomicU8::new(0);
/// 0 off, 1 on, 2 on for the CLI only.
static OVERRIDE: AtomicU8 = AtomicU8::new(2);

/// Calls `use_it` with `flagstone.store`, which is empty where php.ini names none.
pub(crate) fn with_store<T>(use_it: impl FnOnce(&[u8]) -> T) -> T {
    use_it(&STORE.read())
}

pub(crate) fn telemetry() -> bool {
    TELEMETRY.load(Ordering::Relaxed)
}

pub(crate) fn refresh_ms() -> u64 {
    REFRESH.load(Ordering::Relaxed)
}

pub(crate) fn map() -> engine::store::MapPolicy {
    use engine::store::MapPolicy;
    match MAP.load(Ordering::Relaxed) {
        1 => MapPolicy::Private,
        2 => MapPolicy::Shared,
        _ => MapPolicy::Auto,
    }
}

pub(crate) fn override_allowed() -> bool {
    match OVERRIDE.load(Ordering::Relaxed) {
        2 => crate::php::lives_long(),
        allowed => allowed == 1,
    }
}

static INI: IniEntryDefs<6> = IniEntryDefs::new([
    entry(c"flagstone.store", c"", set_store),
    entry(c"flagstone.telemetry", c"On", set_telemetry),
    entry(c"flagstone.refresh", c"1", set_refresh),
    entry(c"flagstone.map", c"auto", set_map),
    entry(c"flagstone.allow_override", c"cli", set_override),
    IniEntryDef::end(),
]);

type OnModify = unsafe extern "C" fn(
    *mut zend_ini_entry,
    *mut zend_string,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    c_int,
) -> c_int;

const fn entry(
    name: &'static std::ffi::CStr,
    value: &'static std::ffi::CStr,
    on_modify: OnModify,
) -> IniEntryDef {
    IniEntryDef { on_modify: Some(on_modify), ..IniEntryDef::new(name, value, IniEntryPermission::System) }
}

pub(crate) fn register(module: c_int) {
    IniEntryDef::register(INI.as_slice(), module);
}

const ACCEPTED: c_int = 0;
const REFUSED: c_int = -1;

macro_rules! on_modify {
    ($name:ident, |$value:ident| $body:expr) => {
        unsafe extern "C" fn $name(
            _: *mut zend_ini_entry,
            value: *mut zend_string,
            _: *mut c_void,
            _: *mut c_void,
            _: *mut c_void,
            _: c_int,
        ) -> c_int {
            let $value: &[u8] = if value.is_null() {
                b""
            } else {
                // SAFETY: PHP gives the new value, which lives through the call.
                unsafe { crate::php::bytes(value) }
            };
            let accepted = std::panic::catch_unwind(|| $body).unwrap_or(false);
            if accepted { ACCEPTED } else { REFUSED }
        }
    };
}

on_modify!(set_store, |value| {
    *STORE.write() = value.to_vec();
    true
});
on_modify!(set_telemetry, |value| switch(value).map(|on| TELEMETRY.store(on, Ordering::Relaxed)).is_some());
on_modify!(set_refresh, |value| {
    let seconds = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<f64>().ok());
    match seconds {
        Some(seconds) if (0.0..=86_400.0).contains(&seconds) => {
            REFRESH.store((seconds * 1000.0) as u64, Ordering::Relaxed);
            true
        }
        _ => false,
    }
});
on_modify!(set_map, |value| {
    let policy = match value {
        b"auto" | b"" => Some(0),
        b"private" => Some(1),
        b"shared" => Some(2),
        _ => None,
    };
    policy.map(|policy| MAP.store(policy, Ordering::Relaxed)).is_some()
});
on_modify!(set_override, |value| {
    let allowed = match value {
        b"cli" => Some(2),
        value => switch(value).map(u8::from),
    };
    allowed.map(|allowed| OVERRIDE.store(allowed, Ordering::Relaxed)).is_some()
});

/// As PHP reads booleans in php.ini.
fn switch(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"1" | b"on" | b"yes" | b"true" => Some(true),
        b"" | b"0" | b"off" | b"no" | b"false" | b"none" => Some(false),
        _ => None,
    }
}
