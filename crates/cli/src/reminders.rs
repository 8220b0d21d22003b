//! Notices without a change: a guard that died, a store that cannot be written, flags that stay killed.

use crate::display;
use crate::notify::send_unrecorded;
use flagstone::StoreError;
use flagstone::audit::Actor;
use flagstone::guard::NoticeKind;
use flagstone::publish::{Change, Store, Verdicts};
use std::collections::BTreeSet;

/// Microseconds that a problem must last before its notice.
const LASTS: i64 = 120_000_000;
/// Microseconds of silence after which a process that looks once takes a guard for dead.
const SILENT: u64 = 300_000_000;
/// Microseconds after which a flag that stays killed is reported, and reported again.
const KILLED_FOR: i64 = 7 * 86_400_000_000;
/// Microseconds between two looks for such flags, and between two tries to reach an endpoint.
const HOUR: i64 = 3_600_000_000;
const RETRY_MICROS: i64 = 60_000_000;
/// The end of a problem that a daemon tells.
pub const AGAIN: &str = "; tried again until it works";

/// Notices sent so far, if the trail does not have them.
#[derive(Default)]
pub struct Reminders {
    /// The time since which this process has seen no guard, and true once that was reported.
    guardless: Option<(i64, bool)>,
    /// The last look for flags that stay killed.
    looked: Option<i64>,
    unwritable: Option<Unwritable>,
}

/// A store that cannot be written.
struct Unwritable {
    since: i64,
    why: String,
    /// Endpoints that were told, and the last try to reach the others.
    told: BTreeSet<String>,
    tried: Option<i64>,
}

impl Reminders {
    /// Looks once a round; `now` is in microseconds since 1970. Returns the problems and warnings.
    pub fn look(&mut self, store: &Store, now: i64) -> Vec<String> {
        self.writing(store, store.can_change().err().map(|error| error.to_string()), now);
        if self.unwritable.is_some() {
            return Vec::new();
        }
        let died = match store.verdicts(now) {
            Verdicts::Ended(_) => {
                let (since, _) = self.guardless.get_or_insert((now, false));
                // A clock that was set back does not delay the notice.
                *since = now.min(*since);
                *since + LASTS <= now
            }
            _ => {
                self.guardless = None;
                false
            }
        };
        let looks = self.looked.is_none_or(|at| now.saturating_sub(at) >= HOUR);
        let mut recorded = Vec::new();
        if died && self.guardless.is_some_and(|(_, told)| !told) {
            recorded.push(tell_of_guard(store, now));
            self.guardless = self.guardless.map(|(since, _)| (since, true));
        }
        if looks {
            self.looked = Some(now);
            recorded.push(tell_of_kills(store, now));
        }
        let text = |recorded: Result<_, StoreError>| {
            recorded.unwrap_or_else(|error| Some(format!("{error}{AGAIN}")))
        };
        recorded.into_iter().filter_map(text).collect()
    }

    /// Looks once, for a process that ends after it. Returns a warning.
    pub fn once(store: &Store, now: i64) -> Result<Option<String>, StoreError> {
        if store.can_change().is_err() {
            return Ok(None);
        }
        let warning = match store.verdicts(now) {
            Verdicts::Ended(at) if now.abs_diff(at) >= SILENT => tell_of_guard(store, now)?,
            _ => None,
        };
        Ok(warning.or(tell_of_kills(store, now)?))
    }

    /// Tells endpoints that the store cannot be written, if there is a problem: the trail then has no notice.
    fn writing(&mut self, store: &Store, problem: Option<String>, now: i64) {
        let Some(why) = problem else {
            if let Some(unwritable) = self.unwritable.take() {
                let text = format!("it could not since {}", display::at(unwritable.since));
                let to = |endpoint: &str| unwritable.told.contains(endpoint);
                send_unrecorded(store, NoticeKind::Writable, &text, now, to);
            }
            return;
        };
        let unwritable = self.unwritable.get_or_insert_with(|| Unwritable {
            since: now,
            why,
            told: BTreeSet::new(),
            tried: None,
        });
        let due = unwritable.tried.is_none_or(|at| now.saturating_sub(at) >= RETRY_MICROS);
        if now.saturating_sub(unwritable.since) >= LASTS && due {
            unwritable.tried = Some(now);
            let (since, why) = (display::at(unwritable.since), &unwritable.why);
            let text = format!(
                "since {since}: {why}; the guard can take nothing back, kill and stop-all stop nothing, plans wait"
            );
            let told = &unwritable.told;
            let reached = send_unrecorded(store, NoticeKind::Unwritable, &text, now, |endpoint| {
                !told.contains(endpoint)
            });
            unwritable.told.extend(reached);
        }
    }
}

fn record_notice(
    store: &Store,
    notice: NoticeKind,
    flag: Option<&str>,
    text: String,
) -> Result<Option<String>, StoreError> {
    let change = Change { actor: Actor::named(Some("guard")), reason: Some(text), base: None };
    Ok(store.guard_notice(notice, flag, (None, None), &change)?.audit_warning)
}

/// Records that the guard died, unless that is recorded and none has returned since.
fn tell_of_guard(store: &Store, now: i64) -> Result<Option<String>, StoreError> {
    let Verdicts::Ended(at) = store.verdicts(now) else { return Ok(None) };
    let told = store.last_notices()?;
    let last = |notice| told.get(&(notice, None)).map(|noted| noted.seq);
    if last(NoticeKind::Dead) > last(NoticeKind::Returned) {
        return Ok(None);
    }
    let flags = store.definitions(store.generation()?).unwrap_or_default().flags;
    let plans = flags.values().filter_map(|flag| flag.state.plan.as_ref()).filter(|plan| plan.is_running());
    let text = format!(
        "it ended without being told to, and last watched at or after {}; {} wait for a guard, and no flag is taken back: start \
         `flagstone run` or `flagstone guard` again",
        display::at(at),
        display::counted(plans.count() as u64, "running plan")
    );
    record_notice(store, NoticeKind::Dead, None, text)
}

/// Records flags that have been killed for a week, and each week again.
fn tell_of_kills(store: &Store, now: i64) -> Result<Option<String>, StoreError> {
    let long = |since: &i64| now.saturating_sub(*since) >= KILLED_FOR;
    let killed = store.killed_since()?;
    if !killed.values().any(long) {
        return Ok(None);
    }
    let told = store.last_notices()?;
    let mut warning = None;
    for (flag, since) in killed.iter().filter(|(_, since)| long(since)) {
        let last = told.get(&(NoticeKind::StillKilled, Some(flag.clone())));
        if last.is_some_and(|told| told.at > *since && !long(&told.at)) {
            continue;
        }
        let days = now.saturating_sub(*since) / 86_400_000_000;
        let name = display::argument(flag);
        let text = format!(
            "killed for {}, since {}; `flagstone revive {name}` ends that, or remove the flag from the code",
            display::counted(days.unsigned_abs(), "day"),
            display::at(*since)
        );
        warning = warning.or(record_notice(store, NoticeKind::StillKilled, Some(flag), text)?);
    }
    Ok(warning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Watcher;
    use crate::test_store::TestStore;
    use flagstone::guard::GuardState;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;

    const SECOND: i64 = 1_000_000;

    #[test]
    fn a_guard_that_died_is_told_of_once_and_so_is_its_return() {
        let test = TestStore::make("dead-guard");
        let (store, now) = (test.open(), flagstone::time::now());
        let lock = store.guarding().unwrap().expect("no other guard");
        lock.keep(&GuardState { at: now, began: now, ..GuardState::default() }).unwrap();
        let mut reminders = Reminders::default();
        assert_eq!(reminders.look(&store, now), [""; 0], "it watches");
        drop(lock);
        for second in [1, 60, 119] {
            assert_eq!(reminders.look(&store, now + second * SECOND), [""; 0]);
        }
        assert_eq!(test.told(), []);
        for second in [125, 180, 600] {
            assert_eq!(reminders.look(&store, now + second * SECOND), [""; 0]);
        }
        // Another process knows the notice from the trail.
        Reminders::once(&store, now + 600 * SECOND).unwrap();
        let told = test.told();
        assert_eq!(told.iter().map(|(notice, _)| *notice).collect::<Vec<_>>(), [NoticeKind::Dead]);
        assert!(told[0].1.contains(&display::at(now)), "{told:?}");
        for _ in 0..2 {
            Watcher::new(test.path(), &test.path().join("memory"), false).look(now + 601 * SECOND);
        }
        let told: Vec<NoticeKind> = test.told().into_iter().map(|(notice, _)| notice).collect();
        assert_eq!(told, [NoticeKind::Dead, NoticeKind::Returned]);
    }

    // The first death had the date of a clock that was ahead, and the second was taken for one that was reported.
    #[test]
    fn a_second_death_is_told_although_the_clock_went_back() {
        let test = TestStore::make("second-death");
        let (store, now) = (test.open(), flagstone::time::now());
        let mut reminders = Reminders::default();
        let (hour, memory) = (HOUR, test.path().join("memory"));
        // Records have dates of this machine's clock; the guard's memory is from one that is an hour behind.
        for (begin, deaths) in [(now, 1), (now - hour, 2)] {
            let lock = store.guarding().unwrap().expect("no other guard");
            lock.keep(&GuardState { at: begin, began: begin, ..GuardState::default() }).unwrap();
            drop(lock);
            for second in [1, 125] {
                assert_eq!(reminders.look(&store, begin + second * SECOND), [""; 0]);
            }
            let told = test.told();
            assert_eq!(told.iter().filter(|(notice, _)| *notice == NoticeKind::Dead).count(), deaths);
            let mut guard = Watcher::new(test.path(), &memory, false);
            guard.look(begin + 126 * SECOND);
            assert_eq!(reminders.look(&store, begin + 127 * SECOND), [""; 0]);
            assert_eq!(test.told().last().unwrap().0, NoticeKind::Returned);
        }
    }

    #[test]
    fn a_guard_that_was_told_to_end_is_not_missed() {
        let test = TestStore::make("ended-guard");
        let (store, now) = (test.open(), flagstone::time::now());
        let lock = store.guarding().unwrap().expect("no other guard");
        lock.keep(&GuardState { at: now, ended: true, ..GuardState::default() }).unwrap();
        drop(lock);
        let mut reminders = Reminders::default();
        for second in [0, 600] {
            assert_eq!(reminders.look(&store, now + second * SECOND), [""; 0]);
        }
        assert_eq!(test.told(), []);
    }

    #[test]
    fn a_flag_that_stays_killed_is_told_of_each_week() {
        let test = TestStore::make("still-killed");
        let store = test.open();
        let change = Change { actor: Actor::named(Some("alice")), reason: Some("x".to_owned()), base: None };
        store.kill("search", change).unwrap();
        let since = store.killed_since().unwrap()["search"];
        std::thread::sleep(std::time::Duration::from_millis(2));
        let week = since + KILLED_FOR;
        Reminders::once(&store, week - SECOND).unwrap();
        assert_eq!(test.told(), []);
        for _ in 0..2 {
            Reminders::once(&store, week).unwrap();
        }
        let told = test.told();
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].0, NoticeKind::StillKilled);
        assert!(told[0].1.starts_with("killed for 7 days"), "{told:?}");
        Reminders::once(&store, week + KILLED_FOR).unwrap();
        assert_eq!(test.told().len(), 2);
    }

    #[test]
    fn a_store_that_cannot_be_written_is_told_of_although_its_trail_cannot_have_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (sent, got) = mpsc::channel();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream);
                let mut length = 0;
                for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty())
                {
                    if let Some(found) = line.to_lowercase().strip_prefix("content-length: ") {
                        length = found.parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                // Before the answer: who has the answer looks at once for what was sent.
                sent.send(String::from_utf8(body).unwrap()).unwrap();
                let answer = b"HTTP/1.1 200 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                reader.get_mut().write_all(answer).unwrap();
            }
        });
        let test = TestStore::make("unwritable");
        let config = format!(r#"{{"notify": {{"ops": {{"url": "http://{address}/", "format": "slack"}}}}}}"#);
        std::fs::write(test.path().join("config.json"), config).unwrap();
        let (store, now) = (test.open(), flagstone::time::now());
        let mut reminders = Reminders::default();
        let why = || Some("Read-only file system".to_owned());
        for second in [0, 60, 119] {
            reminders.writing(&store, why(), now + second * SECOND);
        }
        assert!(got.try_recv().is_err(), "not before it lasts");
        for second in [120, 180, 240] {
            reminders.writing(&store, why(), now + second * SECOND);
        }
        let text = got.try_recv().unwrap();
        assert!(text.contains("store cannot be written") && text.contains("Read-only file system"), "{text}");
        assert!(got.try_recv().is_err(), "once");
        reminders.writing(&store, None, now + 300 * SECOND);
        assert!(got.try_recv().unwrap().contains("store can be written again"));
        reminders.writing(&store, None, now + 302 * SECOND);
        assert!(got.try_recv().is_err());
    }
}
