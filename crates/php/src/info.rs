//! `phpinfo()` and `php --ri flagstone`.

use crate::{php, status};
use ext_php_rs::zend::ModuleEntry;
use ext_php_rs::{info_table_end, info_table_row, info_table_start};

pub(crate) extern "C" fn info(module: *mut ModuleEntry) {
    php::guarded((), || {
        let globals = php::globals();
        globals.pin();
        status::report(globals);
        let reader = globals.reported.as_deref();
        let view = globals.view();
        let flags = view.and_then(|view| view.snapshot.as_ref()).map_or(0, |snapshot| snapshot.flag_count());
        let store = reader.map(|reader| reader.directory.display().to_string());
        let age = view.filter(|view| view.published_at != 0).map(|view| status::age(view.published_at));
        let error = status::last_error(globals, reader);
        info_table_start!();
        row("Flagstone", env!("CARGO_PKG_VERSION"));
        row("Store", store.as_deref().unwrap_or("none"));
        row("Environment", reader.map_or("none", |reader| &reader.environment));
        row("Generation", &view.map_or(0, |view| view.generation).to_string());
        row("Source", reader.map_or("none", |reader| reader.source.as_str()));
        row("Age", &age.map_or("none".to_owned(), |age| format!("{age:.0} s")));
        row("Flags", &flags.to_string());
        row("Memory", reader.and_then(|reader| reader.map).map_or("none", status::map_name));
        row("SIGBUS handler", engine::bus_handler().as_str());
        row("Last error", error.unwrap_or("none"));
        info_table_end!();
    });
    // SAFETY: PHP gives this module's entry, and prints its directives.
    unsafe { php::display_ini_entries(module) };
}

fn row(name: &str, value: &str) {
    let (name, value) = (name.replace('\0', " "), value.replace('\0', " "));
    info_table_row!(name, value);
}
