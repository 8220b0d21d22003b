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
    let reader = globals.reader().map(|reader| reader.status());
    let view = globals.view();
    let flags = view.and_then(|view| view.snapshot.as_ref()).map_or(0, |snapshot| snapshot.flag_count());
    let published_at = view.map_or(0, |view| view.published_at);
    let mut table = ZendHashTable::with_capacity(24);
    let mut set = |name, value| put_name(&mut table, name, value);
    set("backend", string(b"extension"));
    set("version", string(env!("CARGO_PKG_VERSION").as_bytes()));
    set("store", or_null(reader.as_ref(), |reader| string(reader.directory.as_os_str().as_bytes())));
    set("environment", or_null(reader.as_ref(), |reader| string(reader.environment.as_bytes())));
    set("generation", long(view.map_or(0, |view| view.generation) as i64));
    set("head_generation", long(reader.as_ref().map_or(0, |reader| reader.head_generation) as i64));
    set("published_at", if published_at == 0 { null() } else { double(published_at as f64 / 1e6) });
    set("age", if published_at == 0 { null() } else { double(age(published_at)) });
    set("source", string(reader.as_ref().map_or("none", |reader| reader.source.as_str()).as_bytes()));
    set(
        "map",
        or_null(reader.as_ref().and_then(|reader| reader.map), |map| string(map_name(map).as_bytes())),
    );
    set("flags", long(flags.into()));
    set("killed", strings(reader.iter().flat_map(|reader| reader.killed.iter().map(String::as_str))));
    set("stopped", boolean(reader.as_ref().is_some_and(|reader| reader.stopped)));
    set("warning", or_null(reader.as_ref().and_then(warning), |warning| string(warning.as_bytes())));
    set("last_error", or_null(last_error(globals, reader.as_ref()), |error| string(error.as_bytes())));
    set("overridden", boolean(globals.overrides.is_some()));
    set("telemetry", telemetry(globals));
    set("counters", counters(globals, reader.as_ref()));
    crate::values::array(table)
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
    crate::values::array(table)
}

/// Seconds since the generation was published; negative where the clocks disagree.
pub(crate) fn age(published_at: i64) -> f64 {
    (pin::wall_clock() - published_at) as f64 / 1e6
}

pub(crate) fn last_error(globals: &Globals, reader: Option<&ReaderStatus>) -> Option<String> {
    globals.refused.clone().or_else(|| globals.error.clone()).or_else(|| reader?.last_error.clone())
}

fn warning(reader: &ReaderStatus) -> Option<String> {
    match &reader.trust {
        Trust::Warned(warning) => Some(warning.to_string()),
        _ => None,
    }
}

pub(crate) fn map_name(map: MapMode) -> &'static str {
    match map {
        MapMode::Private => "private",
        MapMode::Shared => "shared",
    }
}
