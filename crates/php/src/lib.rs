//! The PHP extension: a thin skin of functions, settings and lifecycle over the engine. No decision lives here.
//!
//! Every function is a raw handler: a wrapper that catches PHP's bail-outs would cost more than an answer does. So no
//! Rust value that needs dropping lives across a call into PHP that can bail out: text for PHP lies on the stack
//! (`php::Text`), lines for the log wait until nothing else is held, and what a request holds on to lives in the module's
//! globals. PHP's own values may live across one: they lie in the request's memory, which PHP frees as a whole. Only
//! `phpinfo()` formats its rows one by one.

mod call;
mod context;
mod functions;
mod info;
mod ini;
mod overrides;
mod php;
mod pin;
mod response;
mod signals;
mod signatures;
mod status;
mod stores;
mod telemetry;
mod values;

use ext_php_rs::builders::{ModuleBuilder, ModuleStartup};
use ext_php_rs::zend::{ModuleAllocations, ModuleEntry, StaticModuleEntry};
use parking_lot::Mutex;
use pin::GLOBALS;
use std::ffi::c_int;

const SUCCESS: c_int = 0;
const FAILURE: c_int = -1;

/// Sets the hook of [`request_of_worker`].
static STARTUP: Mutex<Option<ModuleStartup>> = Mutex::new(None);

/// What PHP calls first.
#[unsafe(no_mangle)]
extern "C" fn get_module() -> *mut ModuleEntry {
    static ENTRY: StaticModuleEntry = StaticModuleEntry::new();
    ENTRY.get_or_init(|| {
        let builder = ModuleBuilder::new("flagstone", env!("CARGO_PKG_VERSION"))
            .startup_function(startup)
            .request_startup_function(request_startup)
            .request_shutdown_function(request_shutdown)
            .post_deactivate_function(request_over)
            .sapi_activate_function(|_| request_of_worker())
            .info_function(info::info)
            .globals(&GLOBALS);
        let built: Result<(ModuleEntry, ModuleStartup, ModuleAllocations), _> =
            signatures::functions().into_iter().fold(builder, ModuleBuilder::function).try_into();
        match built {
            Ok((mut entry, startup, mut owned)) => {
                signatures::give_unions(&mut owned);
                signals::start_after_pcntl(&mut entry);
                *STARTUP.lock() = Some(startup);
                (entry, owned)
            }
            // Names, types and counts are constants, so this cannot differ from one start to the next.
            Err(error) => panic!("flagstone's function table is not valid: {error}"),
        }
    })
}

/// The module starts. Opens nothing: under FPM this is the master, and root.
unsafe extern "C" fn startup(kind: c_int, module: c_int) -> c_int {
    ini::register(module);
    php::catch_words_of_panics();
    php::observe_errors();
    signals::watch_masks();
    response::watch_ends();
    if php::keeps_workers() {
        let hooked = php::guarded(false, || {
            STARTUP.lock().as_ref().is_some_and(|startup| startup.startup(kind, module).is_ok())
        });
        return if hooked { SUCCESS } else { FAILURE };
    }
    SUCCESS
}

/// A request starts; under the CLI, the process.
unsafe extern "C" fn request_startup(_: c_int, _: c_int) -> c_int {
    php::guarded((), || {
        php::serves();
        let globals = php::globals();
        pin::request_starts(globals);
        telemetry::request_begins(globals);
        pin::log_notices(globals);
    });
    SUCCESS
}

/// A request ends; its status is known, and what it asks from here on is too late to count for it.
unsafe extern "C" fn request_shutdown(_: c_int, _: c_int) -> c_int {
    php::guarded((), || telemetry::request_ends(php::globals()));
    SUCCESS
}

/// A request starts in a worker of FrankenPHP, which tells no module but its own two. Everywhere else PHP says so by
/// [`request_startup`], and the hook is not set.
fn request_of_worker() {
    php::guarded((), || {
        php::serves();
        let globals = php::globals();
        pin::request_starts(globals);
        telemetry::worker_takes_request(globals);
    });
}

/// A request is over, and no PHP code runs any more: sessions are written by PHP code while modules shut down, and ask
/// as the request did.
unsafe extern "C" fn request_over() -> c_int {
    php::guarded((), || pin::request_ends(php::globals()));
    SUCCESS
}
