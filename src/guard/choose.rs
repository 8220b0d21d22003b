//! The choice of the flag to act on, among several.
//!
//! Flags that are asked in the same requests share those requests' errors. The one changed most recently is the likeliest
//! cause; it alone is acted on, and evidence restarts afterwards.

use super::finding::Finding;

/// Microseconds for which a harmful flag waits for one that was changed later and that evidence gathers against.
pub(super) const LATER_CHANGE_WAIT_MICROS: i64 = 30_000_000;

/// Share of the required evidence from which on a flag is suspected: acts on flags changed earlier wait, and so does its plan.
pub(super) const SUSPECT: f64 = 1.0 / 3.0;

/// The reason why the guard does not act on a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoActionReason {
    /// This flag was changed later, and is acted on instead, or may be.
    Later(String),
    /// The flag was acted on lately, and is left alone until this time; microseconds since 1970.
    Cooldown(i64),
    /// It was changed too long ago to be acted on by limits.
    Unwatched,
    /// Requests that did not ask it are as badly off, or there are too few to tell.
    Everywhere,
    /// One publish changed these flags, and the requests do not tell them apart.
    Together(Vec<String>),
    /// The effect of an act on this flag is still watched.
    After(String),
    /// The look after an act on this flag ended without a result, because the flag was revived or changed, or cannot tell: requests
    /// have not been well for five minutes since.
    Unresolved(String),
    /// Acts on limits have been stopped since this time, because the last did not help; microseconds since 1970.
    Stopped(i64),
    /// The guard is paused until this time; microseconds since 1970.
    Paused(i64),
}

/// A flag that was found harmful, or that evidence gathers against.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The flag's key.
    pub flag: String,
    /// Time of its last change, in microseconds since 1970.
    pub changed_at: i64,
    /// True if a flag that it requires was changed then, and not the flag itself.
    pub inherited: bool,
    /// Evidence against it, from 0 (none) to 1 (enough).
    pub suspicion: f64,
    /// The finding, and since when it stands, in microseconds since 1970.
    pub finding: Option<(Finding, i64)>,
    /// End of the cooldown, if it was acted on; microseconds since 1970.
    pub cooldown: Option<i64>,
    /// True if the last act on it failed in a way that acts on others may not.
    pub failed: bool,
}

/// The finding to act on, if any, and the others, each with the reason why not.
pub fn choose(now: i64, suspects: Vec<Suspect>) -> (Option<Finding>, Vec<(Finding, NoActionReason)>) {
    let cooling = |suspect: &Suspect| suspect.cooldown.filter(|until| *until > now);
    // A changed flag comes before flags that only require it.
    let order = |suspect: &Suspect| (suspect.changed_at, !suspect.inherited, suspect.flag.clone());
    let last = suspects.iter().filter(|suspect| suspect.finding.is_some() && cooling(suspect).is_none());
    let last = last.max_by_key(|suspect| (!suspect.failed, order(suspect))).map(order);
    let later = last.as_ref().and_then(|last| {
        let suspected = |suspect: &&Suspect| {
            suspect.finding.is_none() && suspect.suspicion >= SUSPECT && cooling(suspect).is_none()
        };
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
                others.push((finding, NoActionReason::Cooldown(cooling.unwrap_or(now))));
            }
            (Some(last), Some(later)) if order == *last && now - since < LATER_CHANGE_WAIT_MICROS => {
                others.push((finding, NoActionReason::Later(later.clone())));
            }
            (Some(last), _) if order == *last => act = Some(finding),
            (Some(last), _) => others.push((finding, NoActionReason::Later(last.2.clone()))),
            (None, _) => {}
        }
    }
    (act, others)
}
