//! Bounds of what one user, and all of them, may ask at a time.

use super::routes::Work;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Connections of all users but root and the store's owner, who can stop flags whatever others do.
pub const MAX_CONNECTIONS: usize = 64;
/// Connections of all users whom the policy does not name, so that those whom it names find places.
pub const MAX_UNNAMED_CONNECTIONS: usize = MAX_CONNECTIONS / 2;
/// Connections of one user.
pub const MAX_USER_CONNECTIONS: usize = 16;
/// Bytes of bodies of one user at a time.
const MAX_USER_BODIES: usize = 32 << 20;
/// Changes of one user within [`PERIOD`].
const MAX_CHANGES: usize = 10;
/// Kills and stops of one user within [`PERIOD`].
const MAX_EMERGENCIES: usize = 60;
/// Questions, and changes, that run at a time.
pub const MAX_READS: usize = 4;
pub const MAX_RUNNING_CHANGES: usize = 2;
const PERIOD: Duration = Duration::from_secs(60);

/// What a user is to the store, which decides whose connections keep whose out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Root or the store's owner.
    Owner,
    /// The policy names the user or a group of the user's.
    Named,
    Other,
}

/// What is going on, by user.
#[derive(Default)]
pub struct Limits(Mutex<BTreeMap<u32, Usage>>);

struct Usage {
    connections: usize,
    /// True if the user was neither named nor the owner at the last connection.
    is_other: bool,
    bodies: usize,
    changes: VecDeque<Instant>,
    emergencies: VecDeque<Instant>,
    /// Places for the user's commands that run: half of all.
    running: [Arc<Semaphore>; 2],
}

impl Default for Usage {
    fn default() -> Usage {
        let places = [MAX_READS, MAX_RUNNING_CHANGES].map(|all| Arc::new(Semaphore::new(all / 2)));
        Usage {
            connections: 0,
            is_other: false,
            bodies: 0,
            changes: VecDeque::new(),
            emergencies: VecDeque::new(),
            running: places,
        }
    }
}

/// A connection that counts, until it is dropped.
pub struct Connection {
    limits: Arc<Limits>,
    uid: u32,
}

/// Bytes of a body that count, until it is dropped.
pub struct Body {
    limits: Arc<Limits>,
    uid: u32,
    bytes: usize,
}

impl Limits {
    fn users(&self) -> MutexGuard<'_, BTreeMap<u32, Usage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection; none if there are too many. Root and the owner are kept out by nobody, and nobody whom the policy names by those
    /// whom it does not.
    pub fn connect(self: &Arc<Limits>, uid: u32, standing: Standing, now: Instant) -> Option<Connection> {
        let mut users = self.users();
        users.retain(|_, usage| {
            forget(&mut usage.changes, now);
            forget(&mut usage.emergencies, now);
            usage.connections > 0 || !usage.changes.is_empty() || !usage.emergencies.is_empty()
        });
        let is_other = standing == Standing::Other;
        let counted = |usage: &&Usage| !is_other || usage.is_other;
        let taken: usize = users.values().filter(counted).map(|usage| usage.connections).sum();
        let most = match standing {
            Standing::Owner => usize::MAX,
            Standing::Named => MAX_CONNECTIONS,
            Standing::Other => MAX_UNNAMED_CONNECTIONS,
        };
        let usage = users.entry(uid).or_default();
        if usage.connections >= MAX_USER_CONNECTIONS || taken >= most {
            return None;
        }
        usage.connections += 1;
        usage.is_other = is_other;
        Some(Connection { limits: Arc::clone(self), uid })
    }

    /// Counts a request that changes something.
    ///
    /// # Errors
    ///
    /// When the user made too many: the time after which another is taken.
    pub fn request(&self, uid: u32, work: Work, now: Instant) -> Result<(), Duration> {
        let mut users = self.users();
        let usage = users.entry(uid).or_default();
        let (made, most) = match work {
            Work::Read => return Ok(()),
            Work::Change => (&mut usage.changes, MAX_CHANGES),
            Work::Emergency => (&mut usage.emergencies, MAX_EMERGENCIES),
        };
        forget(made, now);
        match made.front() {
            Some(first) if made.len() >= most => Err(PERIOD.saturating_sub(now.duration_since(*first))),
            _ => {
                made.push_back(now);
                Ok(())
            }
        }
    }

    /// The places for commands of that user; none for a kill, which has to wait for none of its user's.
    pub fn places(&self, uid: u32, work: Work) -> Option<Arc<Semaphore>> {
        let mut users = self.users();
        let [reads, changes] = &users.entry(uid).or_default().running;
        match work {
            Work::Read => Some(Arc::clone(reads)),
            Work::Change => Some(Arc::clone(changes)),
            Work::Emergency => None,
        }
    }

    /// Counts a body that is about to be read; none if the user sends too much at a time.
    pub fn body(self: &Arc<Limits>, uid: u32, bytes: usize) -> Option<Body> {
        let mut users = self.users();
        let usage = users.entry(uid).or_default();
        if usage.bodies + bytes > MAX_USER_BODIES {
            return None;
        }
        usage.bodies += bytes;
        Some(Body { limits: Arc::clone(self), uid, bytes })
    }
}

fn forget(made: &mut VecDeque<Instant>, now: Instant) {
    while made.front().is_some_and(|first| now.duration_since(*first) >= PERIOD) {
        made.pop_front();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(usage) = self.limits.users().get_mut(&self.uid) {
            usage.connections -= 1;
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some(usage) = self.limits.users().get_mut(&self.uid) {
            usage.bodies -= self.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_keeps_no_other_out_and_nobody_keeps_the_owner_out() {
        let (limits, now) = (Arc::new(Limits::default()), Instant::now());
        let connect = |uid, standing| limits.connect(uid, standing, now);
        let all = |uid, standing| (0..MAX_USER_CONNECTIONS).map_while(move |_| connect(uid, standing));
        // Four users without any right kept out everybody but root and the owner.
        let mut kept: Vec<_> = (33..37).flat_map(|uid| all(uid, Standing::Other)).collect();
        assert_eq!(kept.len(), MAX_UNNAMED_CONNECTIONS);
        assert!(connect(99, Standing::Other).is_none());
        kept.extend((43..47).flat_map(|uid| all(uid, Standing::Named)));
        assert_eq!(kept.len(), MAX_CONNECTIONS);
        assert!(connect(43, Standing::Named).is_none() && connect(99, Standing::Named).is_none());
        assert!(connect(0, Standing::Owner).is_some());
        drop(kept.pop());
        assert!(connect(99, Standing::Other).is_none() && connect(99, Standing::Named).is_some());
        drop(kept);
        assert_eq!(all(33, Standing::Other).count(), MAX_USER_CONNECTIONS);
    }

    #[test]
    fn changes_and_kills_have_rates_of_their_own() {
        let (limits, now) = (Limits::default(), Instant::now());
        for _ in 0..MAX_CHANGES {
            limits.request(33, Work::Change, now).unwrap();
        }
        assert_eq!(limits.request(33, Work::Change, now), Err(PERIOD));
        limits.request(34, Work::Change, now).unwrap();
        for _ in 0..MAX_EMERGENCIES {
            limits.request(33, Work::Emergency, now).unwrap();
        }
        limits.request(33, Work::Emergency, now).unwrap_err();
        limits.request(33, Work::Read, now).unwrap();
        limits.request(33, Work::Change, now + PERIOD).unwrap();
    }

    #[test]
    fn a_users_bodies_are_bounded_together() {
        let limits = Arc::new(Limits::default());
        let body = limits.body(33, MAX_USER_BODIES).unwrap();
        assert!(limits.body(33, 1).is_none() && limits.body(34, 1).is_some());
        drop(body);
        assert!(limits.body(33, 1).is_some());
    }
}
