//! What workers counted for a store, and what they answer from.

use crate::output::{Failure, Output};
use crate::words;
use flagstone::store::{Believed, Reader, ReaderOptions, ReaderStatus, Source, Store, View};
use flagstone::telemetry::{Counts, TelemetryError, read};
use std::path::Path;
use std::sync::Arc;

/// Classes of a request's status, as they are counted.
pub const CLASSES: [&str; 7] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "failed"];

/// What is counted in `memory`; warns of files that are left out.
pub fn counts(store: &Store, memory: &Path, output: &mut Output) -> Result<Counts, Failure> {
    let counts = quietly(store, memory)?;
    for user in store.believed().map_err(Failure::asking)?.unknown {
        let user = words::quoted(&user);
        output.warn(format!(
            "config.json believes the counters of the user {user}, whom this machine does not know"
        ));
    }
    for source in &counts.sources {
        if let Some(why) = &source.left_out {
            let path = words::plain(&source.path.to_string_lossy()).into_owned();
            output.warn(format!("{path} is left out: {why}"));
        }
    }
    Ok(counts)
}

/// The same; the files that are left out are in it.
pub fn quietly(store: &Store, memory: &Path) -> Result<Counts, Failure> {
    let believed = store.believed().map_err(Failure::asking)?;
    believed_counts(store, &believed, memory, words::now())
        .map_err(|error| Failure::Unknown(error.to_string()))
}

/// The counts of those users whose counters are believed. Files of others say what to type.
pub fn believed_counts(
    store: &Store,
    believed: &Believed,
    memory: &Path,
    now: i64,
) -> Result<Counts, TelemetryError> {
    let mut counts = read(memory, store.directory(), now, |user| believed.trusts(user))?;
    for source in counts.sources.iter_mut().filter(|source| !believed.trusts(source.user)) {
        source.left_out = Some(believed.refusal(source.user));
    }
    Ok(counts)
}

/// A store as a worker sees it that starts now.
pub struct Seen {
    pub status: ReaderStatus,
    pub view: Arc<View>,
}

impl Seen {
    pub fn of(store: &Store) -> Result<Seen, Failure> {
        let reader = Reader::open(store.directory(), ReaderOptions::default()).map_err(Failure::asking)?;
        let view = reader.view();
        Ok(Seen { status: reader.status(), view })
    }

    /// Whether the newest definitions answer.
    pub fn is_current(&self) -> bool {
        self.status.source == Source::Current && self.status.last_error.is_none()
    }

    /// Seconds since the generation that answers was published; none where nothing is.
    pub fn age(&self) -> Option<f64> {
        let published = self.status.published_at;
        (published != 0).then(|| words::now().saturating_sub(published) as f64 / 1e6)
    }

    /// Workers that answer from another generation.
    pub fn behind(&self, counts: &Counts) -> usize {
        counts.behind(self.status.generation, self.status.published_at)
    }
}
