//! State of each thread of PHP, and the session's view of PHP.

use crate::ini::{PoolSettings, Settings};
use crate::overrides::Overrides;
use crate::php::{self, Text};
use engine::session::{self, Attempts, Host, Session};
use engine::store::ReaderStatus;
use ext_php_rs::ffi::zend_ini_entry;
use ext_php_rs::zend::{ModuleGlobal, ModuleGlobals};
use rustix::time::{ClockId, clock_gettime};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) static GLOBALS: ModuleGlobals<Globals> = ModuleGlobals::new();

/// Warning for a process that received settings with a request.
pub(crate) const REQUEST_SETTINGS: &str = "the web server sends settings of flagstone with a request (PHP_VALUE or \
     PHP_ADMIN_VALUE); each holds for that request alone. Give each application a pool of its own, and set \
     php_admin_value[flagstone.store] there";

/// State of one thread. The session comes first: it is all that the hot path reads.
pub(crate) struct Globals {
    pub(crate) session: Session<Php>,
    /// Panics that were turned into an answer.
    pub(crate) panics: u64,
    /// Reason why the last `flagstone_use` of this request was refused.
    pub(crate) refused: Option<String>,
    pub(crate) overrides: Option<Box<Overrides>>,
    /// Settings of the pool, while a request has brought its own.
    pool: Option<Box<PoolSettings>>,
    /// True once a request of this process brought settings.
    pub(crate) request_settings: bool,
    /// Lines logged about refused values.
    pub(crate) refused_settings: Vec<String>,
    /// Source of a status array, kept here because PHP may not come back from making the array.
    pub(crate) reported: Option<Box<ReaderStatus>>,
    pub(crate) warning: Option<String>,
}

impl Default for Globals {
    fn default() -> Globals {
        Globals {
            session: Session::new(Php { settings: Settings::new() }),
            panics: 0,
            refused: None,
            overrides: None,
            pool: None,
            request_settings: false,
            refused_settings: Vec::new(),
            reported: None,
            warning: None,
        }
    }
}

impl ModuleGlobal for Globals {}

impl Globals {
    pub(crate) fn settings(&mut self) -> &mut Settings {
        &mut self.session.host().settings
    }

    /// Sets a directive for the coming request alone; `before` are the settings without it.
    ///
    /// # Safety
    ///
    /// `entry` must point to a directive of this thread's table.
    pub(crate) unsafe fn set_for_request(&mut self, entry: *mut zend_ini_entry, before: Settings) {
        let pool = self.pool.get_or_insert_with(|| Box::new(PoolSettings::new(before)));
        // SAFETY: the caller's promise.
        unsafe { pool.keep(entry) };
        if !self.request_settings {
            self.request_settings = true;
            self.session.notice(REQUEST_SETTINGS.to_owned());
        }
    }

    /// Drops everything that the request named, set and brought for itself.
    pub(crate) fn request_is_over(&mut self) {
        self.session.request_is_over();
        self.refused = None;
        self.overrides = None;
        if let Some(pool) = self.pool.take() {
            *self.settings() = pool.restore();
        }
    }

    /// Replaces the answers of the previous `flagstone_override`.
    pub(crate) fn set_overrides(&mut self, overrides: Option<Box<Overrides>>) {
        self.session.override_answers(overrides.is_some());
        self.overrides = overrides;
    }
}

/// Repeats `answer` until its snapshot stayed readable throughout.
pub(crate) fn soundly<T>(globals: &mut Globals, mut answer: impl FnMut(&mut Globals) -> T) -> T {
    let mut attempts = Attempts::default();
    // One call of `answer`, so that it is compiled into its place.
    loop {
        let answered = answer(globals);
        if attempts.is_answered(&mut globals.session) {
            return answered;
        }
    }
}

/// PHP, as seen by this thread.
pub(crate) struct Php {
    pub(crate) settings: Settings,
}

impl Host for Php {
    const HAS_THREADS: bool = php::HAS_THREADS;

    fn settings(&self) -> &session::Settings {
        &self.settings.session
    }

    fn coarse_ms(&self) -> u64 {
        let now = clock_gettime(ClockId::MonotonicCoarse);
        now.tv_sec.cast_unsigned().wrapping_mul(1_000).wrapping_add(now.tv_nsec.cast_unsigned() / 1_000_000)
    }

    fn precise_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::Monotonic);
        now.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(now.tv_nsec.cast_unsigned())
    }

    fn wall_clock(&self) -> i64 {
        wall_clock()
    }

    fn is_long_lived(&self) -> bool {
        php::is_long_lived()
    }

    fn forks(&self) -> u32 {
        php::forks()
    }

    fn watch_forks(&self) {
        php::watch_forks();
    }

    fn allows(&self, directory: &Path) -> bool {
        Text::of(directory.as_os_str().as_bytes()).is_some_and(|path| php::allowed_by_open_basedir(&path))
    }

    fn log(&self, lines: &mut Vec<String>) {
        while !lines.is_empty() {
            let line = Text::line(format_args!("{}", lines.remove(0)));
            php::log(&line);
        }
    }
}

/// Microseconds since 1970, to the tick of a clock that is read without a system call.
pub(crate) fn wall_clock() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    now.tv_sec.wrapping_mul(1_000_000).wrapping_add(now.tv_nsec / 1000)
}
