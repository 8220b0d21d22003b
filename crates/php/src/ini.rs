//! Settings, as PHP last told them.
//!
//! Values are taken as they are set: FPM applies a pool's `php_admin_value` in the worker, long after the module
//! started. What a web server sends with a request (`PHP_VALUE`, `PHP_ADMIN_VALUE`) FPM sets in the same way, and never
//! takes back; here it holds for that request alone.

use crate::php;
use engine::store::MapPolicy;
use engine::telemetry::DIRECTORY;
use ext_php_rs::ffi::{ext_php_rs_zend_string_release, zend_ini_entry, zend_string};
use ext_php_rs::flags::IniEntryPermission;
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};
use std::ffi::{OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The settings of a thread: each has its own, since PHP may set them for a host, a directory or a script alone.
#[derive(Clone)]
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

/// What a pool set, while a request has brought other values.
pub(crate) struct PoolSettings {
    settings: Settings,
    directives: Vec<Directive>,
}

impl PoolSettings {
    pub(crate) fn new(settings: Settings) -> PoolSettings {
        PoolSettings { settings, directives: Vec::new() }
    }

    /// Keeps a directive as it is, before FPM gives it another value.
    ///
    /// # Safety
    ///
    /// `entry` must point to a directive of this thread's table.
    pub(crate) unsafe fn keep(&mut self, entry: *mut zend_ini_entry) {
        // SAFETY: the caller's promise.
        let value = unsafe { (*entry).value };
        // SAFETY: as above.
        let modifiable = unsafe { (*entry).modifiable };
        self.directives.push(Directive { entry, value, modifiable });
    }

    /// Gives the directives back their values, the one set last first.
    pub(crate) fn restore(self) -> Settings {
        for Directive { entry, value, modifiable } in self.directives.into_iter().rev() {
            // SAFETY: the table of directives is there as long as this thread serves requests.
            let entry = unsafe { &mut *entry };
            entry.modifiable = modifiable;
            let brought = std::mem::replace(&mut entry.value, value);
            if brought != value && !brought.is_null() {
                // SAFETY: FPM made the string for this directive, and nothing else holds it.
                unsafe { ext_php_rs_zend_string_release(brought) };
            }
        }
        self.settings
    }
}

struct Directive {
    entry: *mut zend_ini_entry,
    value: *mut zend_string,
    modifiable: u8,
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

/// `ZEND_INI_STAGE_ACTIVATE`.
const STAGE_ACTIVATE: c_int = 1 << 2;

/// Whether FPM sets a value that came with a request. A pool's own are set before there is a request; php.ini's sections for
/// a host or a directory are marked as modified first, and PHP takes them back when the request ends.
///
/// # Safety
///
/// `entry` must point to a live directive.
unsafe fn came_with_request(entry: *const zend_ini_entry, stage: c_int) -> bool {
    // SAFETY: the caller's promise.
    let modified = unsafe { (*entry).modified } != 0;
    stage == STAGE_ACTIVATE && !modified && php::is_fpm() && php::has_request()
}

macro_rules! on_modify {
    ($name:ident, |$settings:ident, $value:ident| $body:expr) => {
        unsafe extern "C" fn $name(
            entry: *mut zend_ini_entry,
            value: *mut zend_string,
            _: *mut c_void,
            _: *mut c_void,
            _: *mut c_void,
            stage: c_int,
        ) -> c_int {
            // SAFETY: PHP gives the directive that it sets.
            let came_with_request = unsafe { came_with_request(entry, stage) };
            let $value: &[u8] = if value.is_null() {
                b""
            } else {
                // SAFETY: PHP gives the new value, which lives through the call.
                unsafe { php::bytes(value) }
            };
            let accepted = php::guarded(None, || {
                let globals = php::globals();
                let before = came_with_request.then(|| globals.settings.clone());
                let $settings = &mut globals.settings;
                let accepted = $body;
                if let (Some(()), Some(before)) = (accepted, before) {
                    // SAFETY: PHP gives the directive that it sets, of this thread's table.
                    unsafe { globals.set_for_request(entry, before) };
                }
                accepted
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
