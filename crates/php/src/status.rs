//! State of the process's store, for health checks and `php --ri flagstone`.

use crate::globals::{self, Globals};
use crate::values::{boolean, double, long, null, or_null, put_name, string, strings};
use engine::MapMode;
use engine::session::Answers;
use engine::store::ReaderStatus;
use ext_php_rs::types::{ZendHashTable, Zval};
use std::os::unix::ffi::OsStrExt;

/// Array of `flagstone_status()`.
pub(crate) fn array(globals: &mut Globals) -> Zval {
    globals.session.pin();
    report(globals);
    let reader = globals.reported.as_deref();
    let view = globals.session.view();
    let flags = view.and_then(|view| view.snapshot.as_ref()).map_or(0, |snapshot| snapshot.flag_count());
    let published_at = view.map_or(0, |view| view.published_at);
    let mut table = ZendHashTable::with_capacity(24);
    let mut set = |name, value| put_name(&mut table, name, value);
    set("backend", string(b"extension"));
    set("version", string(env!("CARGO_PKG_VERSION").as_bytes()));
    set("store", or_null(reader, |reader| string(reader.directory.as_os_str().as_bytes())));
    set("environment", or_null(reader, |reader| string(reader.environment.as_bytes())));
    set("generation", long(view.map_or(0, |view| view.generation) as i64));
    set("head_generation", long(reader.map_or(0, |reader| reader.head_generation) as i64));
    set("published_at", if published_at == 0 { null() } else { double(published_at as f64 / 1e6) });
    set("age", if published_at == 0 { null() } else { double(age(published_at)) });
    set("source", string(reader.map_or("none", |reader| reader.source.as_str()).as_bytes()));
    set("map", or_null(reader.and_then(|reader| reader.map), |map| string(map_name(map).as_bytes())));
    set("flags", long(flags.into()));
    set("killed", strings(reader.into_iter().flat_map(|reader| reader.killed.iter().map(String::as_str))));
    set("stopped", boolean(reader.is_some_and(|reader| reader.stopped)));
    set("warning", or_null(globals.warning.as_deref(), |warning| string(warning.as_bytes())));
    set("last_error", or_null(last_error(globals, reader), |error| string(error.as_bytes())));
    set("sigbus", string(engine::bus_handler().as_str().as_bytes()));
    set("overridden", boolean(globals.overrides.is_some()));
    set("telemetry", telemetry(globals));
    set("counters", counters(globals, reader));
    crate::values::array(table)
}

/// Stores the reader's report in the globals: PHP may not come back from making an array.
pub(crate) fn report(globals: &mut Globals) {
    globals.reported = globals.session.reader().map(|reader| Box::new(reader.status()));
    let sent = globals.request_settings.then_some(globals::REQUEST_SETTINGS);
    let refused = globals.session.host().settings.refused.iter().map(|refused| refused.text.as_str());
    let trust = globals.reported.as_deref().and_then(|reader| reader.trust.warning());
    let warnings: Vec<&str> = trust.as_deref().into_iter().chain(sent).chain(refused).collect();
    globals.warning = (!warnings.is_empty()).then(|| warnings.join("; "));
}

/// Path of the counters' file, or the reason why there is none.
fn telemetry(globals: &Globals) -> Zval {
    let (file, error) = globals.session.counted_in();
    let mut table = ZendHashTable::with_capacity(2);
    put_name(&mut table, "file", or_null(file, |file| string(file.as_os_str().as_bytes())));
    put_name(&mut table, "error", or_null(error, |error| string(error.as_bytes())));
    crate::values::array(table)
}

fn counters(globals: &Globals, reader: Option<&ReaderStatus>) -> Zval {
    let Answers { asked, on } = globals.session.answers();
    let mut table = ZendHashTable::with_capacity(8);
    let mut set =
        |name, number: u64| put_name(&mut table, name, long(i64::try_from(number).unwrap_or(i64::MAX)));
    set("on", on);
    set("off", asked - on);
    set("panics", globals.panics);
    set("loads", reader.map_or(0, |reader| reader.loads));
    set("refused", reader.map_or(0, |reader| reader.refused));
    set("heads_replaced", reader.map_or(0, |reader| reader.heads_replaced));
    set("lost_mappings", engine::lost_mappings());
    crate::values::array(table)
}

/// Seconds since the generation was published; negative if the clocks disagree.
pub(crate) fn age(published_at: i64) -> f64 {
    (globals::wall_clock() - published_at) as f64 / 1e6
}

pub(crate) fn last_error<'a>(globals: &'a Globals, reader: Option<&'a ReaderStatus>) -> Option<&'a str> {
    let own = globals.refused.as_deref().or(globals.session.error());
    own.or_else(|| reader?.last_error.as_deref())
}

pub(crate) fn map_name(map: MapMode) -> &'static str {
    match map {
        MapMode::Private => "private",
        MapMode::Shared => "shared",
    }
}
