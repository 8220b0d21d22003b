//! The PHP extension: a thin layer of functions, settings and lifecycle over the engine. No decision lives here.
//!
//! Every function is a raw handler: a wrapper that catches PHP's bail-outs would cost more than an answer does. Therefore no
//! Rust value that needs dropping lives across a call into PHP that can bail out: text for PHP lies on the stack
//! (`php::Text`), lines for the log wait until nothing else is held, and values that belong to a request live in the module's
//! globals. PHP's own values may live across one: they lie in the request's memory, which PHP frees as a whole. Only
//! `phpinfo()` formats its rows one by one.

mod call;
mod context;
mod functions;
mod globals;
mod info;
mod ini;
mod memory;
mod named_store;
mod overrides;
mod php;
mod response;
mod signals;
mod signatures;
mod status;
mod values;

use ext_php_rs::builders::{ModuleBuilder, ModuleStartup};
use ext_php_rs::zend::{ModuleAllocations, ModuleEntry, StaticModuleEntry};
use globals::{GLOBALS, Globals};
use parking_lot::Mutex;
use std::ffi::c_int;

const SUCCESS: c_int = 0;
const FAILURE: c_int = -1;

/// Sets the hook of [`request_of_worker`].
static STARTUP: Mutex<Option<ModuleStartup>> = Mutex::new(None);

/// Entry point that PHP calls first.
#[unsafe(no_mangle)]
extern "C" fn get_module() -> *mut ModuleEntry {
    static ENTRY: StaticModuleEntry = StaticModuleEntry::new();
    ENTRY.get_or_init(|| {
        let builder = ModuleBuilder::new("flagstone", env!("CARGO_PKG_VERSION"))
            .startup_function(startup)
            .shutdown_function(shutdown)
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

/// Starts the module. Opens nothing: under FPM this is the master, and root.
unsafe extern "C" fn startup(kind: c_int, module: c_int) -> c_int {
    ini::register(module);
    php::keep_compiled_code_apart();
    engine::keep_room();
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

/// Ends the module; a server may start it again in the same process. A module that dl() loaded ends with its request.
unsafe extern "C" fn shutdown(kind: c_int, module: c_int) -> c_int {
    signals::give_back();
    ini::unregister(module, kind);
    SUCCESS
}

/// Starts a request; under the CLI, the process.
unsafe extern "C" fn request_startup(_: c_int, _: c_int) -> c_int {
    php::guarded((), || {
        php::serves();
        php::forget_errors();
        php::with_globals(|globals| {
            globals.session.request_starts();
            let awaited = !php::is_long_lived() && !php::keeps_workers();
            globals.session.count_request(true, awaited);
            ini::notice_refused(globals);
            globals.session.log_notices();
        });
    });
    SUCCESS
}

/// Ends a request. Its status is known, and questions from here on are too late to count for it.
unsafe extern "C" fn request_shutdown(_: c_int, _: c_int) -> c_int {
    php::guarded((), || php::with_globals(|globals| globals.session.request_ends(php::outcome)));
    SUCCESS
}

/// Starts a request in a worker of FrankenPHP, which notifies only two modules of its own. Everywhere else PHP calls
/// [`request_startup`], and the hook is not set.
fn request_of_worker() {
    php::guarded((), || {
        php::serves();
        php::forget_errors();
        php::with_globals(|globals| {
            globals.session.request_starts();
            ini::notice_refused(globals);
            // The application marks it.
            globals.session.count_request(false, false);
        });
    });
}

/// Runs after the last PHP code of a request: PHP code writes sessions while modules shut down, and asks as the request did.
unsafe extern "C" fn request_over() -> c_int {
    php::guarded((), || php::with_globals(Globals::request_is_over));
    SUCCESS
}
