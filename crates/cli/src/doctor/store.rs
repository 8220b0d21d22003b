//! The store itself: whether it opens, its content verifies, and its audit trail is whole.

use super::{
    AGE, AUDIT, EMERGENCY, ENVIRONMENT, FALLBACK, HEAD, KILLS, PERMISSIONS, Report, SNAPSHOT, STOP, STORE,
    space, time,
};
use crate::counters;
use crate::{display, identity, store_view};
use flagstone::StoreError;
use flagstone::files::Trust;
use flagstone::publish::{KillPlaces, Store, StoreStatus};
use flagstone::time::parse_rfc3339;
use std::io::ErrorKind;
use std::path::Path;

/// The opened store, on which the other checks build.
pub struct Opened {
    pub store: Store,
    pub status: StoreStatus,
}

/// Opens the store and reads its status; none if that failed, with the reason in the report.
pub fn open(directory: &Path, memory: &Path, report: &mut Report) -> Option<Opened> {
    let named = display::plain(&directory.to_string_lossy()).into_owned();
    let store = match identity::open(directory) {
        Ok(store) => store,
        Err(error) => {
            report.failed(STORE, plain(&error), mend(&error, &named));
            return None;
        }
    };
    let named = display::plain(&store.directory().to_string_lossy()).into_owned();
    reached(&store, &named, memory, report);
    match store.status() {
        Ok(status) => Some(Opened { store, status }),
        Err(error @ StoreError::Untrusted { .. }) => {
            report.failed(PERMISSIONS, plain(&error), mend(&error, &named));
            None
        }
        Err(error) => {
            report.failed(HEAD, plain(&error), "restore it as docs/operations.md says under \"Restore\"");
            None
        }
    }
}

/// Reports the store, and another one that workers or lines without `--store` reach: that of another application, or what a move left
/// behind.
fn reached(store: &Store, named: &str, memory: &Path, report: &mut Report) {
    let found = format!("{named}, for {}", display::plain(store.environment()));
    if let Some(copy) = counters::copies_read(store, memory).first() {
        return report.warned(STORE, format!("{found}; but {}", copy.problem), &copy.mend);
    }
    let Some((name, other)) = store_view::other_default(store.directory()) else {
        return report.passed(STORE, found);
    };
    let path = display::plain(&other.to_string_lossy()).into_owned();
    let is_missing = || other.metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    let why = match identity::open(&other) {
        Ok(other) if other.id() == store.id() => "a copy of it",
        Err(_) if is_missing() => "which is not there",
        _ => {
            let text = format!("{found}; lines that name no store may reach another one, {path} ({name})");
            return report.passed(STORE, text);
        }
    };
    report.warned(
        STORE,
        format!("{found}; but {name} names {path}, {why}: a kill that goes there does not reach this one's workers"),
        match name {
            store_view::DEFAULT_STORE => {
                format!("echo {} | sudo tee {name}", display::argument(&store.directory().to_string_lossy()))
            }
            _ => format!("{name}={}", display::argument(&store.directory().to_string_lossy())),
        },
    );
}

/// Makes all checks of the store itself.
pub fn checks(opened: &Opened, kill_days: u32, memory: &Path, report: &mut Report) {
    let Opened { store, status } = opened;
    permissions(store, status, memory, report);
    head(status, report);
    emergency(store, report);
    snapshot(opened, report);
    environment(opened, report);
    stopped(status, report);
    kills(status, kill_days, report);
    audit(store, report);
    space::checks(store.directory(), status.size.unwrap_or(0), report);
    time::checks(status, report);
}

/// Checks who can change the store, by the rules that judge each file when it is opened.
fn permissions(store: &Store, status: &StoreStatus, memory: &Path, report: &mut Report) {
    let found = match store.permissions() {
        Ok(found) => found,
        Err(error) => {
            let named = display::plain(&store.directory().to_string_lossy()).into_owned();
            return report.failed(PERMISSIONS, plain(&error), mend(&error, &named));
        }
    };
    if let Some(first) = found.refused.first() {
        let more = match found.refused.len() - 1 {
            0 => String::new(),
            more => format!("; and {more} more like it"),
        };
        let remedy = match first {
            StoreError::Untrusted { .. } => mend(first, ""),
            StoreError::Refused(_) => {
                "rm keys/signing in the store, flagstone key make, and trust the new key where the old one was".to_owned()
            }
            _ => "put what the store had back in its place (docs/operations.md, \"Restore\")".to_owned(),
        };
        return report.failed(PERMISSIONS, format!("{}{more}", plain(first)), remedy);
    }
    if let Some(first) = found.unreadable.first() {
        let directory = store.directory().to_string_lossy();
        let (directory, sudo) = (display::argument(&directory), identity::as_user(store.judged_owner()));
        return report.failed(
            PERMISSIONS,
            format!(
                "not everybody who can enter the store can read {}: new workers answer from what they can read, or off",
                display::plain(&first.to_string_lossy())
            ),
            format!(
                "give each file its directory's readers: cd {directory}{1} && {sudo}chmod --reference=. snapshots && {sudo}chmod u=rw,{0}=r head audit.jsonl \
                 && {sudo}chmod u=r,{0}=r snapshots/*",
                if found.readers & 0o005 == 0 { "g" } else { "go" },
                if found.readers & 0o005 == 0 { " && sudo chgrp -hR --reference=. ." } else { "" }
            ),
        );
    }
    // A pool may have a group that its user lacks.
    if let Some(out) = counters::shut_out(store, memory).first() {
        return report.warned(
            PERMISSIONS,
            &out.problem,
            format!(
                "{}; the workers themselves say whether they can: flagstone doctor --fpm SOCKET",
                out.mend
            ),
        );
    }
    match (&status.warning, store.publishers()) {
        (_, Ok(Some(group))) => report.warned(
            PERMISSIONS,
            format!("every member of the group {0} publishes and reads its key; if PHP's workers are members, each of them does", display::plain(&group)),
            format!(
                "one owner publishes, the group reads: flagstone migrate --readers {} --store {}",
                display::shell(&group),
                display::shell(&store.directory().to_string_lossy())
            ),
        ),
        (None, _) => match (found.group_writable.first(), store.only_for_its_owner()) {
            (None, Ok(Some(public))) => report.warned(
                PERMISSIONS,
                format!(
                    "only its owner's processes read it: everybody can write {}, and there others believe root's files and their own",
                    display::plain(&public.to_string_lossy())
                ),
                "where workers are another user's: move the store to a directory that only root and its owner can write (docs/runbooks/moving.md)",
            ),
            (None, _) if found.readers == 0 => report.warned(
                PERMISSIONS,
                "nobody but its owner can read it: workers of other users answer off",
                "where there are such workers: flagstone migrate --readers GROUP",
            ),
            (None, _) => report.passed(PERMISSIONS, "only root and its owner can change it"),
            (Some(path), _) => report.warned(
                PERMISSIONS,
                format!("a group can write {}", display::plain(&path.to_string_lossy())),
                format!(
                    "{}chmod -R g-w {}",
                    identity::as_user(store.judged_owner()),
                    display::argument(&store.directory().to_string_lossy())
                ),
            ),
        },
        (Some(_), _) if let Trust::Exchangeable { reason, remedy } = store.trust() => {
            report.warned(PERMISSIONS, display::plain(reason), display::plain(remedy));
        }
        (Some(warning), _) => report.warned(
            PERMISSIONS,
            display::plain(warning),
            "take the group's right to write away, as its owner: chmod -R g-w DIRECTORY",
        ),
    }
}

fn head(status: &StoreStatus, report: &mut Report) {
    match status.kills_unknown.as_ref().or(status.head_error.as_ref()) {
        Some(problem) => {
            report.failed(
                HEAD,
                display::plain(problem),
                "as it says, in the order that it says: docs/operations.md, \"When something is wrong\"",
            );
        }
        None => report.passed(HEAD, format!("verifies; epoch {}", status.epoch)),
    }
}

/// Checks that a kill and a stop would work now.
fn emergency(store: &Store, report: &mut Report) {
    if !identity::may_change(store) {
        return report
            .not_asked(EMERGENCY, "only the store's owner can try it; run doctor as root or its owner");
    }
    let directory = store.directory().to_string_lossy();
    let head = store.directory().join("head");
    let (directory, head) =
        (display::argument(&directory), display::argument(&head.to_string_lossy()).into_owned());
    match store.try_locks() {
        Ok(None) => match store.head_is_copied_on_write() {
            Some(system) => report.warned(
                EMERGENCY,
                format!("kill and stop-all work, but on a full disk they may not: {system} writes the head elsewhere each time"),
                format!("docs/operations.md, \"When something is wrong\", has what helps on {system}; lsattr {head}"),
            ),
            None => {
                report.passed(EMERGENCY, "kill and stop-all can change the head, and a publish can begin")
            }
        },
        Ok(Some(error)) => report.warned(
            EMERGENCY,
            format!("kill and stop-all work, a publish does not: {}", plain(&error)),
            "end what holds the lock, or let the store's owner append to the trail",
        ),
        Err(error) => report.failed(
            EMERGENCY,
            format!("kill and stop-all would stop nothing: {}", plain(&error)),
            format!("make it writable for its owner: findmnt -T {directory} && ls -l {head} && lsattr {head}"),
        ),
    }
}

fn snapshot(opened: &Opened, report: &mut Report) {
    let Opened { store, status } = opened;
    if status.generation == 0 {
        report.failed(
            SNAPSHOT,
            "nothing is published: every flag is off (no_snapshot)",
            "flagstone publish FILE",
        );
        report.not_asked(FALLBACK, "nothing is published");
        report.not_asked(AGE, "nothing is published");
        return;
    }
    match &status.error {
        Some(error) => report.failed(
            SNAPSHOT,
            display::plain(error),
            "publish the same definitions again (flagstone publish FILE), or flagstone rollback",
        ),
        None => report.passed(
            SNAPSHOT,
            format!(
                "generation {} verifies: {}, {} bytes",
                status.generation,
                display::counted(status.flags.unwrap_or(0).into(), "flag"),
                display::thousands(status.size.unwrap_or(0))
            ),
        ),
    }
    match status.previous {
        0 => report.passed(FALLBACK, "the first generation: there is none before it"),
        previous => match store.snapshot(previous) {
            Ok(_) => report.passed(FALLBACK, format!("generation {previous} verifies")),
            Err(error) => report.failed(
                FALLBACK,
                format!("new workers could not fall back: {}", plain(&error)),
                "the next publish makes another; if files were lost, restore them as docs/operations.md says under \"Restore\"",
            ),
        },
    }
    match status.published_at.as_deref().and_then(|at| parse_rfc3339(at.as_bytes())) {
        Some(at) => report.passed(AGE, format!("published {}, {}", display::at(at), display::ago(at))),
        None => report.unknown(AGE, "the head does not say when it was published", None),
    }
}

/// Checks that the snapshot is for this environment. PHP's environment is checked where PHP is asked.
fn environment(opened: &Opened, report: &mut Report) {
    let Opened { store, status } = opened;
    if status.generation == 0 || status.error.is_some() {
        let why = "there is no snapshot that could be read";
        return report.unknown(ENVIRONMENT, why, None);
    }
    let expected = store.environment();
    match store.snapshot(status.generation) {
        Ok(snapshot) if snapshot.environment() == expected => {
            report.passed(ENVIRONMENT, format!("{}, as the snapshot says too", display::plain(expected)));
        }
        Ok(snapshot) => report.failed(
            ENVIRONMENT,
            format!(
                "the store is for {}, its snapshot for {}",
                display::plain(expected),
                display::plain(snapshot.environment())
            ),
            "flagstone publish FILE",
        ),
        Err(error) => report.unknown(ENVIRONMENT, plain(&error), None),
    }
}

fn stopped(status: &StoreStatus, report: &mut Report) {
    match &status.stopped {
        None => report.passed(STOP, "nothing is stopped"),
        Some(since) => report.failed(
            STOP,
            format!("every flag is off since {}, but those whose emergency is \"keep\"", second(since)),
            "flagstone resume-all --reason WHY",
        ),
    }
}

fn kills(status: &StoreStatus, days: u32, report: &mut Report) {
    let places = KillPlaces { taken: status.killed.len() };
    match (places.warning(), places.left()) {
        (Some(warning), 0) => return report.failed(KILLS, warning, KillPlaces::REMEDY),
        (Some(warning), _) => return report.warned(KILLS, warning, KillPlaces::REMEDY),
        (None, _) => {}
    }
    let old = |since: &str| {
        let since = parse_rfc3339(since.as_bytes()).unwrap_or(i64::MAX);
        flagstone::time::now().saturating_sub(since) >= i64::from(days) * 86_400_000_000
    };
    let stale: Vec<_> =
        status.killed.iter().filter(|killed| old(&killed.since) || killed.known == Some(false)).collect();
    let Some(first) = stale.first() else {
        let killed = display::counted(status.killed.len() as u64, "flag");
        let days = display::counted(days.into(), "day");
        return report.passed(KILLS, format!("{killed} killed, none for {days}"));
    };
    let shown = stale.iter().map(|killed| {
        format!("{} since {}{}", display::plain(&killed.flag), second(&killed.since), killed.unpublished())
    });
    report.warned(
        KILLS,
        format!("killed and forgotten? {}", display::some(shown, 5)),
        format!("flagstone revive {}, or take the flag out of the code", display::argument(&first.flag)),
    );
}

fn audit(store: &Store, report: &mut Report) {
    match store.verify_audit() {
        Ok(check) => match check.first_bad {
            Some(bad) => report.failed(
                AUDIT,
                format!("broken at record {} (line {}): {}", bad.seq, bad.line, display::plain(&bad.problem)),
                "compare audit.jsonl with a copy kept elsewhere; `flagstone audit` names the record",
            ),
            None if check.torn_end => report.warned(
                AUDIT,
                format!("{}, the last line was cut off", display::counted(check.records, "record")),
                "nothing: the next change closes over it and says so",
            ),
            None => report.passed(AUDIT, format!("whole, {}", display::counted(check.records, "record"))),
        },
        Err(error) => {
            report.unknown(AUDIT, plain(&error), Some("run doctor as the store's owner".to_owned()))
        }
    }
}

/// A time, cut to the second.
pub fn second(at: &str) -> String {
    crate::cmd::second(at)
}

fn plain(error: &StoreError) -> String {
    display::plain(&error.to_string()).into_owned()
}

/// The way out: the error's own, if it has one.
fn mend(error: &StoreError, directory: &str) -> String {
    let directory = display::argument(directory);
    match error {
        StoreError::Untrusted { remedy, .. } => {
            display::plain(remedy.strip_prefix("Type: ").unwrap_or(remedy)).into_owned()
        }
        StoreError::NotAStore { .. } => format!("flagstone init {directory} --environment NAME"),
        StoreError::Head { .. } => "restore it as docs/operations.md says under \"Restore\"".to_owned(),
        _ => format!(
            "name the store that workers use with --store, and run doctor as somebody who can read it: ls -ld {directory}"
        ),
    }
}
