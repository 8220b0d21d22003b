//! Settings, with the values that PHP set last.
//!
//! A value takes effect when it is set: FPM applies a pool's `php_admin_value` in the worker, long after the module started.
//! FPM sets the values that a web server sends with a request (`PHP_VALUE`, `PHP_ADMIN_VALUE`) in the same way, and never
//! takes them back; here they hold for that request alone.

use crate::globals::Globals;
use crate::php;
use engine::files::local_user;
use engine::session;
use engine::store::MapPolicy;
use engine::telemetry::DIRECTORY;
use ext_php_rs::ffi::{ext_php_rs_zend_string_release, zend_ini_entry, zend_string};
use ext_php_rs::flags::IniEntryPermission;
use ext_php_rs::zend::{IniEntryDef, IniEntryDefs};
use parking_lot::Mutex;
use std::ffi::{OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Settings of one thread. Each thread has its own, since PHP may set them for a host, a directory or a script alone.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) session: session::Settings,
    /// `None`: for the CLI only.
    allow_override: Option<bool>,
    /// Values that are not valid.
    pub(crate) refused: Vec<RefusedValue>,
}

/// A value that is not valid, and so is ignored.
#[derive(Clone)]
pub(crate) struct RefusedValue {
    setting: &'static str,
    /// The value found, and the expected one.
    pub(crate) text: String,
}

/// Default of `flagstone.refresh`.
const REFRESH_MS: u64 = 1_000;
/// Refused values of php.ini, with which each thread starts.
static REFUSED_BY_PHP_INI: Mutex<Vec<RefusedValue>> = Mutex::new(Vec::new());
/// True once the log has them.
static LOGGED: AtomicBool = AtomicBool::new(false);
/// Maximum bytes that are shown of a refused value.
const MAX_SHOWN_BYTES: usize = 100;
/// Maximum lines that a process logs about values of pools, hosts and directories; each line is different.
const MAX_LINES: usize = 16;

impl Settings {
    /// Settings before PHP has set any: next it sets the defaults below, or php.ini's values.
    pub(crate) fn new() -> Self {
        Self {
            session: session::Settings {
                store: Vec::new(),
                telemetry: Some(DIRECTORY.into()),
                refresh_ms: REFRESH_MS,
                map: MapPolicy::Auto,
                owner: None,
            },
            allow_override: None,
            refused: REFUSED_BY_PHP_INI.lock().clone(),
        }
    }

    pub(crate) fn override_allowed(&self) -> bool {
        self.allow_override.unwrap_or_else(php::is_long_lived)
    }
}

/// Settings of the pool, while a request has brought other values.
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

    /// Restores the directives' values, the one set last first.
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

static INI: IniEntryDefs<7> = IniEntryDefs::new([
    entry(c"flagstone.store", c"", set_store),
    entry(c"flagstone.owner", c"", set_owner),
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
    // A server may start its modules again in the same process.
    REFUSED_BY_PHP_INI.lock().clear();
    php::with_globals(|globals| globals.settings().refused.clear());
    LOGGED.store(false, Ordering::Relaxed);
    IniEntryDef::register(INI.as_slice(), module);
}

unsafe extern "C" {
    /// `UNREGISTER_INI_ENTRIES()`, which the bindings lack.
    fn zend_unregister_ini_entries_ex(module: c_int, kind: c_int);
}

/// Removes the settings: a module loaded by dl() lies in a request's memory, which ends before PHP's table of settings does.
pub(crate) fn unregister(module: c_int, kind: c_int) {
    // SAFETY: called while PHP's modules shut down, with the numbers that PHP gave this one.
    unsafe { zend_unregister_ini_entries_ex(module, kind) };
}

const ACCEPTED: c_int = 0;
const REFUSED: c_int = -1;

/// `ZEND_INI_STAGE_STARTUP`.
const STAGE_STARTUP: c_int = 1;
/// `ZEND_INI_STAGE_ACTIVATE`.
const STAGE_ACTIVATE: c_int = 1 << 2;

/// True if FPM sets a value that came with a request. A pool's own are set before there is a request; values from php.ini's
/// sections for a host or a directory are marked as modified first, and PHP takes them back when the request ends.
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
    ($name:ident, $setting:literal, $expected:literal, |$settings:ident, $value:ident| $body:expr) => {
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
            let set = |globals: &mut Globals| {
                let before = came_with_request.then(|| globals.settings().clone());
                // A closure of its own, which returns at a value that is not valid.
                let take = |$settings: &mut Settings| $body;
                let accepted = take(globals.settings());
                if accepted.is_none() {
                    refused(globals, ($setting, $expected), $value, stage, came_with_request);
                } else if let Some(before) = before {
                    // SAFETY: PHP gives the directive that it sets, of this thread's table.
                    unsafe { globals.set_for_request(entry, before) };
                } else if stage != STAGE_STARTUP {
                    taken(globals, $setting, stage);
                }
                accepted
            };
            let accepted = php::guarded(None, || php::with_globals(set));
            if accepted.is_some() { ACCEPTED } else { REFUSED }
        }
    };
}

/// Records a refused value. After one of php.ini's, PHP sets the default.
fn refused(
    globals: &mut Globals,
    (setting, expected): (&'static str, &str),
    value: &[u8],
    stage: c_int,
    came_with_request: bool,
) {
    let shown = String::from_utf8_lossy(value.get(..MAX_SHOWN_BYTES).unwrap_or(value));
    let text = format!("{setting} is {shown:?}, expected {expected}; it is ignored");
    let refusal = RefusedValue { setting, text };
    if stage == STAGE_STARTUP {
        REFUSED_BY_PHP_INI.lock().push(refusal.clone());
    } else if globals.refused_settings.len() < MAX_LINES && !globals.refused_settings.contains(&refusal.text)
    {
        globals.refused_settings.push(refusal.text.clone());
        globals.session.notice(refusal.text.clone());
    }
    if !came_with_request {
        globals.settings().refused.retain(|known| known.setting != setting);
        globals.settings().refused.push(refusal);
    }
}

/// Clears a setting's refused value. At the end of a request, php.ini's is back.
fn taken(globals: &mut Globals, setting: &str, stage: c_int) {
    globals.settings().refused.retain(|known| known.setting != setting);
    if stage != STAGE_ACTIVATE {
        let php_ini = REFUSED_BY_PHP_INI.lock();
        let again = php_ini.iter().filter(|known| known.setting == setting).cloned();
        globals.settings().refused.extend(again);
    }
}

/// Logs, once in a process, the values of php.ini that were refused.
pub(crate) fn notice_refused(globals: &mut Globals) {
    if LOGGED.load(Ordering::Relaxed) || LOGGED.swap(true, Ordering::Relaxed) {
        return;
    }
    let php_ini = REFUSED_BY_PHP_INI.lock();
    php_ini.iter().for_each(|refusal| globals.session.notice(refusal.text.clone()));
}

on_modify!(set_store, "flagstone.store", "an absolute path", |settings, value| {
    // A relative path is refused where it is opened.
    settings.session.store = if value.trim_ascii().is_empty() { Vec::new() } else { value.to_vec() };
    Some(())
});
on_modify!(set_owner, "flagstone.owner", "a user's number, or a name of /etc/passwd", |settings, value| {
    settings.session.owner = match value.trim_ascii() {
        b"" => None,
        name => Some(local_user(std::str::from_utf8(name).ok()?)?),
    };
    Some(())
});
on_modify!(
    set_telemetry,
    "flagstone.telemetry",
    "On, Off, or a directory's absolute path",
    |settings, value| {
        settings.session.telemetry = match value.trim_ascii() {
            path @ [b'/', ..] => Some(Path::new(OsStr::from_bytes(path)).to_owned()),
            word => switch(word)?.then(|| DIRECTORY.into()),
        };
        Some(())
    }
);
on_modify!(set_refresh, "flagstone.refresh", "seconds from 0 to 86400", |settings, value| {
    settings.session.refresh_ms = match value.trim_ascii() {
        b"" => REFRESH_MS,
        text => {
            let seconds: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
            // Rounds up: a small interval must not become 0, which means never.
            (0.0..=86_400.0).contains(&seconds).then_some((seconds * 1000.0).ceil() as u64)?
        }
    };
    Some(())
});
on_modify!(set_map, "flagstone.map", "auto, private or shared", |settings, value| {
    settings.session.map = match value.trim_ascii().to_ascii_lowercase().as_slice() {
        b"auto" | b"" => MapPolicy::Auto,
        b"private" => MapPolicy::Private,
        b"shared" => MapPolicy::Shared,
        _ => return None,
    };
    Some(())
});
on_modify!(set_override, "flagstone.allow_override", "On, Off or cli", |settings, value| {
    let word = value.trim_ascii();
    settings.allow_override = if word.eq_ignore_ascii_case(b"cli") { None } else { Some(switch(word)?) };
    Some(())
});

/// Reads a boolean as PHP does in php.ini, where an empty value is off.
fn switch(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"1" | b"on" | b"yes" | b"true" => Some(true),
        b"" | b"0" | b"off" | b"no" | b"false" | b"none" => Some(false),
        _ => None,
    }
}
