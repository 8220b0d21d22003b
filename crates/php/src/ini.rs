//! Settings, as PHP last told them.
//!
//! Values are taken as they are set: FPM applies a pool's `php_admin_value` in the worker, long after the module
//! started.

use crate::php;
use engine::store::MapPolicy;
use engine::telemetry::DIRECTORY;
use ext_php_rs::ffi::{zend_ini_entry, zend_string};
use ext_php_rs::flags::IniEntryPermission;
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};
use std::ffi::{OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The settings of a thread: each has its own, since PHP may set them for a host, a directory or a script alone.
pub(crate) struct Settings {
    /// Directory of the store; empty: the application names one.
    pub(crate) store: Vec<u8>,
    /// Where the memory is that is counted in; none: nothing is counted.
    pub(crate) telemetry: Option<PathBuf>,
    /// Milliseconds; 0 never.
    pub(crate) refresh_ms: u64,
    pub(crate) map: MapPolicy,
    /// None: for the CLI only.
    allow_override: Option<bool>,
}

impl Settings {
    /// Before PHP has told any: what it tells next are the defaults below, or php.ini's words.
    pub(crate) fn new() -> Self {
        Self {
            store: Vec::new(),
            telemetry: Some(DIRECTORY.into()),
            refresh_ms: 1_000,
            map: MapPolicy::Auto,
            allow_override: None,
        }
    }

    pub(crate) fn override_allowed(&self) -> bool {
        self.allow_override.unwrap_or_else(php::lives_long)
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
    ($name:ident, |$settings:ident, $value:ident| $body:expr) => {
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
                unsafe { php::bytes(value) }
            };
            let accepted = php::guarded(None, || {
                let $settings = &mut php::globals().settings;
                $body
            });
            if accepted.is_some() { ACCEPTED } else { REFUSED }
        }
    };
}

on_modify!(set_store, |settings, value| {
    settings.store = value.to_vec();
    Some(())
});
on_modify!(set_telemetry, |settings, value| {
    settings.telemetry = match value {
        [b'/', ..] => Some(Path::new(OsStr::from_bytes(value)).to_owned()),
        _ => switch(value)?.then(|| DIRECTORY.into()),
    };
    Some(())
});
on_modify!(set_refresh, |settings, value| {
    let seconds: f64 = std::str::from_utf8(value).ok()?.trim().parse().ok()?;
    settings.refresh_ms = (0.0..=86_400.0).contains(&seconds).then_some((seconds * 1000.0) as u64)?;
    Some(())
});
on_modify!(set_map, |settings, value| {
    settings.map = match value {
        b"auto" | b"" => MapPolicy::Auto,
        b"private" => MapPolicy::Private,
        b"shared" => MapPolicy::Shared,
        _ => return None,
    };
    Some(())
});
on_modify!(set_override, |settings, value| {
    settings.allow_override = if value == b"cli" { None } else { Some(switch(value)?) };
    Some(())
});

/// As PHP reads booleans in php.ini.
fn switch(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"1" | b"on" | b"yes" | b"true" => Some(true),
        b"" | b"0" | b"off" | b"no" | b"false" | b"none" => Some(false),
        _ => None,
    }
}
