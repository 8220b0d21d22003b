//! What the process knows about its store, for health checks and `php --ri flagstone`.

use crate::pin::{self, Counters, Globals};
use crate::values::{boolean, double, long, null, or_null, put_name, string, strings};
use engine::MapMode;
use engine::store::{ReaderStatus, Trust};
use ext_php_rs::types::{ZendHashTable, Zval};
use std::os::unix::ffi::OsStrExt;

/// `flagstone_status()`.
pub(crate) fn array(globals: &mut Globals) -> Zval {
    globals.pin();
    report(globals);
    let reader = globals.reported.as_deref();
    let view = globals.view();
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
    let sent = globals.request_settings.then_some(pin::REQUEST_SETTINGS);
    set("warning", or_null(reader.and_then(warning).or(sent), |warning| string(warning.as_bytes())));
    set("last_error", or_null(last_error(globals, reader), |error| string(error.as_bytes())));
    set("sigbus", string(engine::bus_handler().as_str().as_bytes()));
    set("overridden", boolean(globals.overrides.is_some()));
    set("telemetry", telemetry(globals));
    set("counters", counters(globals, reader));
    crate::values::array(table)
}

/// Has the reader tell about itself. What it says is held by the globals: PHP may not come back from making an array.
pub(crate) fn report(globals: &mut Globals) {
    globals.reported = globals.reader().map(|reader| Box::new(reader.status()));
}

/// Where it is counted, or why not.
fn telemetry(globals: &Globals) -> Zval {
    let recorder = globals.telemetry.recorder.as_ref();
    let error = globals.telemetry.error.as_ref().filter(|_| recorder.is_none());
    let mut table = ZendHashTable::with_capacity(2);
    put_name(
        &mut table,
        "file",
        or_null(recorder, |recorder| string(recorder.path().as_os_str().as_bytes())),
    );
    put_name(&mut table, "error", or_null(error, |error| string(error.as_bytes())));
    crate::values::array(table)
}

fn counters(globals: &Globals, reader: Option<&ReaderStatus>) -> Zval {
    let Counters { asked, on, .. } = globals.counters;
    let mut table = ZendHashTable::with_capacity(8);
    let mut set =
        |name, number: u64| put_name(&mut table, name, long(i64::try_from(number).unwrap_or(i64::MAX)));
    set("on", on);
    set("off", asked - on);
    set("panics", globals.counters.panics);
    set("loads", reader.map_or(0, |reader| reader.loads));
    set("refused", reader.map_or(0, |reader| reader.refused));
    set("heads_replaced", reader.map_or(0, |reader| reader.heads_replaced));
    set("lost_mappings", engine::lost_mappings());
    crate::values::array(table)
}

/// Seconds since the generation was published; negative where the clocks disagree.
pub(crate) fn age(published_at: i64) -> f64 {
    (pin::wall_clock() - published_at) as f64 / 1e6
}

pub(crate) fn last_error<'a>(globals: &'a Globals, reader: Option<&'a ReaderStatus>) -> Option<&'a str> {
    let own = globals.refused.as_deref().or(globals.error.as_deref());
    own.or_else(|| reader?.last_error.as_deref())
}

fn warning(reader: &ReaderStatus) -> Option<&str> {
    match &reader.trust {
        Trust::Warned(warning) => Some(warning),
        _ => None,
    }
}

pub(crate) fn map_name(map: MapMode) -> &'static str {
    match map {
        MapMode::Private => "private",
        MapMode::Shared => "shared",
    }
}
