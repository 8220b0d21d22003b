//! The workers' counters for a store, and the generations that they answer from.

use crate::output::{Failure, Output, cut};
use crate::{display, identity};
use flagstone::Snapshot;
use flagstone::files::{Account, group_name};
use flagstone::publish::{BelievedUsers, ShutOut, Store};
use flagstone::store::{self, Reader, ReaderOptions, ReaderStatus, View};
use flagstone::telemetry::{self, Counts, Source, StoreCopy, TelemetryError, read};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display, Formatter};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Classes of a request's status, as they are counted.
pub const CLASSES: [&str; 7] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx", "failed"];

/// Reads the counters in `memory`; warns of files that are left out.
pub fn counts(store: &Store, memory: &Path, output: &mut Output) -> Result<Counts, Failure> {
    let counts = quietly(store, memory)?;
    warn_of_unknown_users(store, output)?;
    for (source, why) in left_out(&counts) {
        let path = display::plain(&source.path.to_string_lossy()).into_owned();
        output.warn(format!("{path} is left out: {why}"));
    }
    Ok(counts)
}

/// Files whose counts are left out, each with the reason.
pub fn left_out(counts: &Counts) -> impl Iterator<Item = (&Source, &str)> {
    counts.sources.iter().filter_map(|source| Some((source, source.left_out.as_deref()?)))
}

/// Warns of believed users that this machine does not know.
pub fn warn_of_unknown_users(store: &Store, output: &mut Output) -> Result<(), Failure> {
    for user in store.believed().map_err(Failure::asking)?.unknown {
        let user = display::quoted(&user);
        output.warn(format!(
            "config.json believes the counters of the user {user}, whom this machine does not know"
        ));
    }
    Ok(())
}

/// Reads the counters without warning; the files that are left out are in the result.
pub fn quietly(store: &Store, memory: &Path) -> Result<Counts, Failure> {
    let believed = store.believed().map_err(Failure::asking)?;
    let mut counts = believed_counts(store, &believed, memory, flagstone::time::now())
        .map_err(|error| Failure::Unknown(error.to_string()))?;
    if let Some(snapshot) = Seen::of(store).ok().and_then(|seen| seen.view.snapshot.clone()) {
        counts.join_former_keys(former_keys(&snapshot));
    }
    Ok(counts)
}

/// Former keys of a snapshot's flags, each with the flag's present key.
pub fn former_keys(snapshot: &Snapshot) -> impl Iterator<Item = (&str, &str)> {
    let pair = |id| Some((snapshot.flag_key(id), snapshot.flag_key(snapshot.renamed_to(id)?)));
    snapshot.flag_ids().filter_map(pair)
}

/// The most paths that are named in a line, and the most characters of each: others may have written them.
const PATHS: usize = 3;
const PATH_LENGTH: usize = 200;

/// Workers that a change of the store does not reach.
pub struct Unreached {
    pub problem: String,
    pub mend: String,
    user: u32,
}

impl Display for Unreached {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "{}. {}", self.problem, self.mend)
    }
}

impl Serialize for Unreached {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// Workers that cannot read the store, and those that read a copy of it; and the number of users who say so and may not run workers:
/// anybody can make a file.
pub fn unreached(store: &Store, memory: &Path) -> (Vec<Unreached>, usize) {
    let Ok(believed) = store.believed() else { return Default::default() };
    let all =
        all_shut_out(store, memory, &believed).into_iter().chain(all_copies_read(store, memory, &believed));
    let (workers, others): (Vec<_>, Vec<_>) = all.partition(|one| believed.may_run_workers(one.user));
    let others: BTreeSet<u32> = others.iter().map(|one| one.user).collect();
    (workers, others.len())
}

/// Users who counted for this store and can no longer read it, and whom workers may run as.
pub fn shut_out(store: &Store, memory: &Path) -> Vec<Unreached> {
    of_workers(store, memory, all_shut_out)
}

/// Workers that read a copy of this store, as a move leaves them behind; and where more may do so than were looked at.
pub fn copies_read(store: &Store, memory: &Path) -> Vec<Unreached> {
    of_workers(store, memory, all_copies_read)
}

fn of_workers(
    store: &Store,
    memory: &Path,
    look: fn(&Store, &Path, &BelievedUsers) -> Vec<Unreached>,
) -> Vec<Unreached> {
    let Ok(believed) = store.believed() else { return Vec::new() };
    let mut all = look(store, memory, &believed);
    all.retain(|one| believed.may_run_workers(one.user));
    all
}

/// The group of a user's counters is one that its workers have, as a pool may have a group that its user lacks.
fn all_shut_out(store: &Store, memory: &Path, believed: &BelievedUsers) -> Vec<Unreached> {
    let may_run_workers = |user| believed.may_run_workers(user);
    let users = telemetry::readers(memory, store.directory(), &store.id(), may_run_workers);
    let out = store.shut_out(users.unwrap_or_default());
    let unreached = |out: &ShutOut| Unreached {
        problem: format!(
            "by owners, groups and modes user {} cannot read {}: workers of that user which have no other group than the user has go on with what \
             they have, and see no change",
            display::plain(&Account::of(out.user).name),
            display::shell(&out.path.to_string_lossy()),
        ),
        mend: readers_back(store.directory(), &out.path),
        user: out.user,
    };
    out.iter().map(unreached).collect()
}

/// What lets users read again what is in their way to the store's head.
pub fn readers_back(store: &Path, in_the_way: &Path) -> String {
    let text = |path: &Path| display::argument(&path.to_string_lossy()).into_owned();
    let (way, directory) = (text(in_the_way), text(store));
    let (Ok(found), Ok(own)) = (in_the_way.symlink_metadata(), store.symlink_metadata()) else {
        return format!("Give the readers back what they read: ls -ld {way}");
    };
    let sudo = identity::as_user(found.uid());
    if !in_the_way.starts_with(store) {
        return format!("Type: {sudo}chmod o+x {way}");
    }
    if in_the_way == store {
        return match own.mode() & 0o050 {
            0o050 => format!(
                "As root, if its group, {}, is the readers': usermod -aG {0} USER, and restart PHP; if it is not: chgrp -hR GROUP {directory}",
                display::argument(&group_name(own.gid()).unwrap_or_else(|| own.gid().to_string())),
            ),
            _ => format!(
                "With a group that PHP's user is in: flagstone migrate --readers GROUP --store {directory}"
            ),
        };
    }
    let for_group = own.mode() & 0o005 == 0;
    let regroup = match for_group && own.gid() != found.gid() {
        true => format!("sudo chgrp -h --reference={directory} {way} && "),
        false => String::new(),
    };
    let (owners, readers) = match (found.is_dir(), found.mode() & 0o200) {
        (true, _) => ("rwx", "rx"),
        (false, 0) => ("r", "r"),
        (false, _) => ("rw", "r"),
    };
    format!("Type: {regroup}{sudo}chmod u={owners},{}={readers} {way}", if for_group { "g" } else { "go" })
}

fn all_copies_read(store: &Store, memory: &Path, believed: &BelievedUsers) -> Vec<Unreached> {
    let may_run_workers = |user| believed.may_run_workers(user);
    let copies =
        telemetry::copies(memory, store.directory(), &store.id(), may_run_workers).unwrap_or_default();
    let mut users = BTreeMap::<u32, Vec<&StoreCopy>>::new();
    for copy in &copies.found {
        users.entry(copy.user).or_default().push(copy);
    }
    let path = |copy: &&StoreCopy| display::shell(&cut(&copy.path.to_string_lossy(), PATH_LENGTH));
    let unreached = |(user, copies): (u32, Vec<&StoreCopy>)| Unreached {
        problem: format!(
            "{} of user {} opened {} of this store, {}, and see no change of this one",
            display::counted(copies.iter().map(|copy| copy.workers as u64).sum(), "worker"),
            display::plain(&Account::of(user).name),
            if copies.len() == 1 { "a copy" } else { "copies" },
            display::some(copies.iter().map(path), PATHS),
        ),
        mend: format!(
            "Name {} to them (flagstone.store, FLAGSTONE_STORE), and restart them: PHP-FPM's pools, queue workers, Octane (docs/runbooks/moving.md)",
            display::shell(&store.directory().to_string_lossy()),
        ),
        user,
    };
    let unseen = |user: &u32| Unreached {
        problem: format!(
            "user {} has more counters in {} than are looked at, so that its workers may read a copy of this store",
            display::plain(&Account::of(*user).name),
            display::shell(&memory.to_string_lossy()),
        ),
        mend: "Remove those of stores that are gone".to_owned(),
        user: *user,
    };
    users.into_iter().map(unreached).chain(copies.unseen.iter().map(unseen)).collect()
}

/// The counters of believed users. Files of others come with the line that would include them.
pub fn believed_counts(
    store: &Store,
    believed: &BelievedUsers,
    memory: &Path,
    now: i64,
) -> Result<Counts, TelemetryError> {
    let mut counts = read(memory, store.directory(), now, |user| believed.trusts(user))?;
    let counting: BTreeSet<u32> =
        counts.sources.iter().map(|source| source.user).filter(|user| believed.trusts(*user)).collect();
    for source in counts.sources.iter_mut().filter(|source| !believed.trusts(source.user)) {
        source.left_out = Some(believed.refusal(source.user, counting.iter().copied()));
    }
    Ok(counts)
}

/// A store as seen by a worker that starts now.
pub struct Seen {
    pub status: ReaderStatus,
    pub view: Arc<View>,
    /// The time at which the head's file was made, in microseconds since 1970; 0 if unknown.
    made: i64,
}

impl Seen {
    pub fn of(store: &Store) -> Result<Seen, Failure> {
        let reader = Reader::open(store.directory(), ReaderOptions::default()).map_err(Failure::asking)?;
        let view = reader.view();
        let made = store.head_made().ok().flatten().unwrap_or(0);
        Ok(Seen { status: reader.status(), view, made })
    }

    /// True if the newest definitions answer.
    pub fn is_current(&self) -> bool {
        self.status.source == store::Source::Current && self.status.last_error.is_none()
    }

    /// Seconds since the answering generation was published; none if there is none.
    pub fn age(&self) -> Option<f64> {
        let published = self.status.published_at;
        (published != 0).then(|| flagstone::time::now().saturating_sub(published) as f64 / 1e6)
    }

    /// The number of workers on another generation than the head names, although they were asked after it was published or came from a
    /// backup. What a worker that starts now would fall back to does not matter.
    pub fn behind(&self, counts: &Counts) -> usize {
        counts.behind(self.status.head_generation, self.status.published_at.max(self.made))
    }
}
