//! `phpinfo()` and `php --ri flagstone`.

use crate::globals::Globals;
use crate::{php, status};
use ext_php_rs::zend::ModuleEntry;
use ext_php_rs::{info_table_end, info_table_row, info_table_start};

pub(crate) extern "C" fn info(module: *mut ModuleEntry) {
    php::guarded((), || {
        // The output handler may be PHP code, which may ask a question.
        let rows = php::with_globals(rows);
        info_table_start!();
        for (name, value) in rows {
            row(name, &value);
        }
        info_table_end!();
    });
    // SAFETY: PHP gives this module's entry, and prints its directives.
    unsafe { php::display_ini_entries(module) };
}

fn rows(globals: &mut Globals) -> [(&'static str, String); 11] {
    globals.session.pin();
    status::report(globals);
    let reader = globals.reported.as_deref();
    let view = globals.session.view();
    let flags = view.and_then(|view| view.snapshot.as_ref()).map_or(0, |snapshot| snapshot.flag_count());
    let store = reader.map(|reader| reader.directory.display().to_string());
    let age = view.filter(|view| view.published_at != 0).map(|view| status::age(view.published_at));
    let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
    [
        ("Flagstone", env!("CARGO_PKG_VERSION").to_owned()),
        ("Store", or_none(store.as_deref())),
        ("Environment", or_none(reader.map(|reader| &*reader.environment))),
        ("Generation", view.map_or(0, |view| view.generation).to_string()),
        ("Source", or_none(reader.map(|reader| reader.source.as_str()))),
        ("Age", age.map_or("none".to_owned(), |age| format!("{age:.0} s"))),
        ("Flags", flags.to_string()),
        ("Memory", or_none(reader.and_then(|reader| reader.map).map(status::map_name))),
        ("SIGBUS handler", engine::bus_handler().as_str().to_owned()),
        ("Last error", or_none(status::last_error(globals, reader))),
        ("Warning", or_none(globals.warning.as_deref())),
    ]
}

fn row(name: &str, value: &str) {
    let (name, value) = (name.replace('\0', " "), value.replace('\0', " "));
    info_table_row!(name, value);
}
