//! Which of several flags is acted on.
//!
//! Flags that are asked in the same requests share those requests' errors. The one changed most recently is the likeliest
//! cause; it alone is acted on, and what is wrong afterwards is looked at afresh.

use super::finding::Finding;

/// How long a flag that is found harmful waits for one that was changed later and that evidence gathers against, in
/// microseconds.
pub(super) const PATIENCE: i64 = 30_000_000;

/// From here on evidence is worth waiting for: a third of what is enough.
pub(super) const SUSPECT: f64 = 1.0 / 3.0;

/// Why the guard does not act on a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// This flag was changed later, and is acted on instead, or may have to be.
    Later(String),
    /// It acted on this flag lately, and leaves it alone until then; microseconds since 1970.
    Cooldown(i64),
    /// It was changed too long ago to be acted on by limits.
    Unwatched,
    /// Requests that did not ask it are as badly off, or it cannot be told yet.
    Everywhere,
    /// One publish changed these flags, and the requests do not tell them apart.
    Together(Vec<String>),
    /// An act on this flag is still looked after.
    After(String),
    /// Acts on limits have stopped since then, because the last did not help; microseconds since 1970.
    Stopped(i64),
    /// The guard is paused until then; microseconds since 1970.
    Paused(i64),
}

/// A flag that was found harmful, or that evidence gathers against.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The flag's key.
    pub flag: String,
    /// When it was last changed, in microseconds since 1970.
    pub changed_at: i64,
    /// A flag that it requires was changed then, and not it.
    pub inherited: bool,
    /// 0, nothing speaks against it, to 1, enough does.
    pub suspicion: f64,
    /// What was found, and since when it stands, in microseconds since 1970.
    pub finding: Option<(Finding, i64)>,
    /// Until when it is left alone, if it was acted on; microseconds since 1970.
    pub cooldown: Option<i64>,
}

/// The finding to act on, one at most, and the others, each with the reason why not.
pub fn choose(now: i64, suspects: Vec<Suspect>) -> (Option<Finding>, Vec<(Finding, Held)>) {
    let cooling = |suspect: &Suspect| suspect.cooldown.filter(|until| *until > now);
    // What was changed comes before what only follows from it.
    let order = |suspect: &Suspect| (suspect.changed_at, !suspect.inherited, suspect.flag.clone());
    let last = suspects.iter().filter(|suspect| suspect.finding.is_some() && cooling(suspect).is_none());
    let last = last.max_by_key(|suspect| order(suspect)).map(order);
    let later = last.as_ref().and_then(|last| {
        let suspected = |suspect: &&Suspect| suspect.finding.is_none() && suspect.suspicion >= SUSPECT;
        suspects
            .iter()
            .filter(suspected)
            .filter(|suspect| (suspect.changed_at, !suspect.inherited) > (last.0, last.1))
            .max_by_key(|suspect| order(suspect))
    });
    let later = later.map(|suspect| suspect.flag.clone());
    let (mut act, mut others) = (None, Vec::new());
    for suspect in suspects {
        let (cooling, order) = (cooling(&suspect), order(&suspect));
        let Some((finding, since)) = suspect.finding else { continue };
        match (&last, &later) {
            _ if cooling.is_some_and(|until| until > now) => {
                others.push((finding, Held::Cooldown(cooling.unwrap_or(now))));
            }
            (Some(last), Some(later)) if order == *last && now - since < PATIENCE => {
                others.push((finding, Held::Later(later.clone())));
            }
            (Some(last), _) if order == *last => act = Some(finding),
            (Some(last), _) => others.push((finding, Held::Later(last.2.clone()))),
            (None, _) => {}
        }
    }
    (act, others)
}
