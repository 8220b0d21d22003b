//! What workers counted for a store, and what they answer from.

use crate::output::{Failure, Output};
use crate::words;
use flagstone::store::{Reader, ReaderOptions, ReaderStatus, Source, Store, View};
use flagstone::telemetry::{Counts, read, trusts};
use std::path::Path;
use std::sync::Arc;

/// Classes of a request's status, as they are counted.
pub const CLASSES: [&str; 7] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "failed"];

/// What is counted in `memory`; warns of files that are left out.
pub fn counts(store: &Store, memory: &Path, output: &mut Output) -> Result<Counts, Failure> {
    let counts = quietly(store, memory)?;
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
    let owner = store.owner().map_err(Failure::asking)?;
    read(memory, store.directory(), words::now(), |user| trusts(user, owner))
        .map_err(|error| Failure::Unknown(error.to_string()))
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
